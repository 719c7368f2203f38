/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of a NAT network and of a guest on it, as texts for host_nft_run(). Pure. */
#ifndef NET_HOST_NAT_RULES_H
#define NET_HOST_NAT_RULES_H

#include "net/host/nat.h"

/*
 * The network's table, "inet vmwire-BRIDGE": what is forwarded, and masquerade. malloc'ed, NULL
 * when memory is out; so the others.
 */
char *nat_rules_net(const struct nat_net *net);

struct nat_rules_guest {
	const struct nat_net *net;
	const char *ifname; /* the TAP */
	bool again;	    /* its tables are there: replaces them */
	bool antispoof;
	uint64_t rate, burst; /* of what the guest sends, bytes a second, bytes; 0: no limit */
	const struct nat_card *cards;
	unsigned ncards;
	const struct nat_fwd *fwds;
	unsigned nfwds;
};

/* A guest's tables: "netdev vmwire-TAP", a filter on what it sends, and "inet vmwire-TAP", its
 * forwards. */
char *nat_rules_guest(const struct nat_rules_guest *g);

/* What the filter has dropped, by reason. */
struct nat_drops {
	uint64_t spoofed, over_rate, loopback;
};

/* The command whose JSON nat_rules_drops() reads. */
void nat_rules_ask(const char *ifname, char *command, size_t size);
/* False: it is not that. */
bool nat_rules_drops(const char *json, struct nat_drops *d);

#endif
