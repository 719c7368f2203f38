/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A broadcast with the card's address as its source teaches every switch on the way where the card
 * is now. It is a RARP request (RFC 903), which asks for nothing that anybody would answer by
 * mistake and needs no IP address. Frames get lost, and a switch's port may need a while before it
 * forwards: so there are five, at once and then after 50, 150, 250 and 350 ms.
 *
 * A round is left out while the link is down, or while the peer has a part of one of the guest's
 * frames: the rest of that comes first.
 */
#include "net/port/announce.h"

#include <string.h>

#include "base/util.h"
#include "net/prot.h"

static const struct net_announce_times usual = {
	.rounds = 5, .initial_ms = 50, .step_ms = 100, .max_ms = 550};

#define RARP_REQUEST 3

struct rarp {
	struct eth_hdr eth;
	struct arp_pkt arp;
	uint8_t pad[60 - sizeof(struct eth_hdr) - sizeof(struct arp_pkt)];
} __attribute__((packed));

static void send_one(const struct net_announce *a)
{
	struct rarp r = {
		.eth.type = htobe16(ETH_RARP),
		.arp = {.htype = htobe16(1),
			.ptype = htobe16(ETH_IP4),
			.hlen = ETH_ALEN,
			.plen = 4,
			.op = htobe16(RARP_REQUEST)},
	};
	struct iovec vec[2] = {[1] = {&r, sizeof(r)}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = sizeof(r)};

	memset(r.eth.dst, 0xff, ETH_ALEN);
	memcpy(r.eth.src, a->mac, ETH_ALEN);
	memcpy(r.arp.sha, a->mac, ETH_ALEN);
	memcpy(r.arp.tha, a->mac, ETH_ALEN);
	/* One that is not taken is made up for by the next. */
	net_push(a->port, 0, &f, 1);
}

static void due(struct loop_timer *t)
{
	struct net_announce *a = container_of(t, struct net_announce, timer);
	struct loop *l = a->loop;
	uint64_t ms;

	if (net_link_is_up(a->port) && !a->port->part[0].active)
		send_one(a);
	if (++a->round == a->times.rounds) {
		a->loop = NULL;
		return;
	}
	ms = a->times.initial_ms + (uint64_t)(a->round - 1) * a->times.step_ms;
	loop_timer_set(l, t, loop_now(l) + MIN(ms, a->times.max_ms) * NS_PER_MS);
}

void net_announce_start(struct net_announce *a, struct net_port *p, uint64_t mac)
{
	net_announce_stop(a);
	if (!p->peer)
		return;
	a->port = p;
	a->loop = p->loop[0];
	a->round = 0;
	a->times = a->next.rounds ? a->next : usual;
	a->next = (struct net_announce_times){0};
	a->timer.fn = due;
	for (unsigned i = 0; i < sizeof(a->mac); i++)
		a->mac[i] = (uint8_t)(mac >> 8 * i);
	loop_timer_set(a->loop, &a->timer, loop_now(a->loop));
}

void net_announce_stop(struct net_announce *a)
{
	if (a->loop)
		loop_timer_del(a->loop, &a->timer);
	a->loop = NULL;
}
