/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP (RFC 826) for Ethernet and IPv4: the gateway and the name server answer for themselves, all
 * others are guests that answer for themselves. What a guest says about itself is remembered.
 */
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/user/internal.h"

#define ARP_REQUEST 1
#define ARP_REPLY   2

static void arp_reply(struct stack *st, const struct arp_pkt *ask)
{
	struct {
		struct eth_hdr eth;
		struct arp_pkt arp;
	} __attribute__((packed)) f;

	memcpy(f.eth.dst, ask->sha, ETH_ALEN);
	memcpy(f.eth.src, st->mac, ETH_ALEN);
	f.eth.type = htons(ETH_ARP);
	f.arp = *ask;
	f.arp.op = htons(ARP_REPLY);
	memcpy(f.arp.sha, st->mac, ETH_ALEN);
	f.arp.spa = ask->tpa;
	memcpy(f.arp.tha, ask->sha, ETH_ALEN);
	f.arp.tpa = ask->spa;
	if (!stack_send(st, &f, sizeof(f), NULL, 0, NULL))
		st->count.no_room++;
}

void arp_in(struct stack *st, struct pkt *p)
{
	struct arp_pkt a;

	if (iov_read(p->f->vec + 1, p->f->nvec - 1, p->l3, &a, sizeof(a)) < sizeof(a) ||
	    a.htype != htons(1) || a.ptype != htons(ETH_IP4) || a.hlen != ETH_ALEN || a.plen != 4 ||
	    a.sha[0] & 1) {
		st->count.bad_frame++;
		return;
	}
	/* Probes (RFC 5227) come from 0.0.0.0 and teach nothing, but are answered. */
	if (a.spa && !stack_is_guest(st, a.spa)) {
		st->count.spoofed++;
		return;
	}
	stack_learn(st, a.spa, a.sha);
	if (a.op == htons(ARP_REQUEST) &&
	    (a.tpa == st->conf.host.s_addr || a.tpa == st->conf.dns.s_addr))
		arp_reply(st, &a);
}
