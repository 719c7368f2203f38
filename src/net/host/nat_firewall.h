/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's other firewalls and a NAT network (row H5): which of their rules drop what its guests
 * send, what one types against that, and rules of ours in their chains that let it through
 * (firewall=adjust). Such a rule has the comment "vmwire:BRIDGE". One thread.
 */
#ifndef NET_HOST_NAT_FIREWALL_H
#define NET_HOST_NAT_FIREWALL_H

#include "net/host/nat.h"
#include "net/host/nat_walk.h"
#include "net/host/nft.h"

#define NAT_NOTES 1400 /* bytes of notes, with the final 0 */

struct nat_firewall {
	struct host_nft *nft;
	const struct nat_net *net;
	const char *uplink; /* where the default route leads; NULL: there is none */
	bool bridge_nf;	    /* bridged frames go through the host's firewall, too */
};

/* The packets that must pass: fills up to max (8 do). Returns how many. Pure. */
unsigned nat_firewall_packets(const struct nat_firewall *f, struct nat_packet *p, unsigned max);

/* One line on a drop, with its remedy. Pure. */
void nat_firewall_explain(const struct nat_net *net, const struct nat_packet *p,
			  const struct nat_drop *d, char *text, size_t size);

/* The commands of nft(8) that let the guests through at the drop's base chain. Pure; malloc'ed. */
char *nat_firewall_rules(const struct nat_net *net, const struct nat_packet *p,
			 const struct nat_drop *d);

/*
 * Looks at the ruleset as it is now. With net->adjust puts rules in where packets would be dropped,
 * and looks again. notes: a line for each chain that still drops, "" when there is none.
 */
int nat_firewall_look(const struct nat_firewall *f, char notes[NAT_NOTES], struct err *e);

/* Removes the rules that were put in for this bridge, also by a process that is no more. */
int nat_firewall_clean(struct host_nft *nft, const char *bridge, struct err *e);

/* Does somebody else's ruleset need the host to forward? */
bool nat_firewall_others_forward(void);

#endif
