/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a packet in the host's other firewalls: which of their rules would drop it?
 * Pure: works on the JSON of `nft list ruleset`, in which the tables of iptables-nft are, too.
 */
#ifndef NET_HOST_NAT_WALK_H
#define NET_HOST_NAT_WALK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define NAT_IDENT 128 /* bytes of a table's or chain's name that we keep, with the final 0 */

/* A packet as far as it is known. */
struct nat_packet {
	const char *what;      /* for messages: "from the guests to the outside" */
	const char *hook;      /* "forward", "input" */
	const char *iif, *oif; /* NULL: not known (input: none) */
	const char *l4;	       /* "tcp", "udp" */
	uint32_t saddr, daddr; /* host order; 0: not known */
	uint16_t dport;	       /* 0: not known */
	bool v6;
	bool established; /* else it is the first one of a connection */
};

/* Whose rules these are, as far as names tell. */
enum nat_manager { NAT_MGR_OTHER, NAT_MGR_DOCKER, NAT_MGR_UFW, NAT_MGR_FIREWALLD };

struct nat_drop {
	char family[8], table[NAT_IDENT];
	char base[NAT_IDENT];  /* the chain at the hook */
	char chain[NAT_IDENT]; /* that of the rule: base, or one that it jumps to */
	int handle;	       /* of the rule; 0: the base chain's policy */
	bool reject;
	bool maybe; /* a rule that we cannot judge may accept it before */
	enum nat_manager manager;
};

/*
 * Fills up to max drops, one for each base chain that would drop the packet. Tables whose name
 * begins with "vmwire-" are left out. Returns how many.
 */
unsigned nat_walk(const json_t *ruleset, const struct nat_packet *p, struct nat_drop *drops,
		  unsigned max);

/*
 * Calls fn for each rule whose comment is `comment`.
 */
void nat_walk_comments(const json_t *ruleset, const char *comment,
		       void (*fn)(const char *family, const char *table, const char *chain,
				  int handle, void *arg),
		       void *arg);

/* Does another table than ours send packets on: one with masquerade or snat in it? */
bool nat_walk_forwards(const json_t *ruleset);

#endif
