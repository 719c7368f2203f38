/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports and wires: see port.h. A wire is nothing but two ports that point at each other; a frame
 * crosses it by a direct call. net_push() looks at each frame once: it sums up the bytes and the
 * offloads that the batch needs, and when the peer has them all (the rule) hands the batch over as
 * it is. Everything else is in offload.c.
 */
#include "net/port/port.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/port/internal.h"

_Static_assert(NET_F_NEEDS_CSUM == NET_CAP_CSUM, "net_need() takes one for the other");

/* Good ones carry NET_NEED_BAD, which net_need() flips: all the rest is zero. */
#define NEED(caps) (NET_NEED_BAD | (caps))
const uint8_t net_need_gso[256] = {
	[NET_GSO_NONE] = NEED(0),
	[NET_GSO_TCPV4] = NEED(NET_CAP_TSO4),
	[NET_GSO_TCPV6] = NEED(NET_CAP_TSO6),
	[NET_GSO_UDP_L4] = NEED(NET_CAP_USO),
	[NET_GSO_TCPV4 | NET_GSO_ECN] = NEED(NET_CAP_TSO4 | NET_CAP_ECN),
	[NET_GSO_TCPV6 | NET_GSO_ECN] = NEED(NET_CAP_TSO6 | NET_CAP_ECN),
};

void net_port_init(struct net_port *p, const struct net_port_ops *ops, const char *name)
{
	assert(ops && ops->kind && ops->push && ops->resume && ops->caps && ops->attach &&
	       ops->detach);
	memset(p, 0, sizeof(*p));
	p->ops = ops;
	p->link_up = true;
	snprintf(p->name, sizeof(p->name), "%s", name);
}

bool net_is_here(const struct net_port *p, unsigned q)
{
	/* Without a wire nobody else can call in. */
	return q < NET_QUEUES && (!p->peer || !p->loop[q] || loop_is_here(p->loop[q]));
}

/* --- joining -------------------------------------------------------------------------------- */

unsigned net_park(struct loop *const *loop, unsigned n)
{
	unsigned mask = 0;

	/* A loop that serves several queues is ours after the first time. */
	for (unsigned q = 0; q < n; q++) {
		if (loop[q] && !loop_is_here(loop[q])) {
			loop_park(loop[q]);
			mask |= 1u << q;
		}
	}
	return mask;
}

void net_unpark(struct loop *const *loop, unsigned n, unsigned mask)
{
	for (unsigned q = 0; q < n; q++)
		if (mask & 1u << q)
			loop_unpark(loop[q]);
}

void net_ask_caps(struct net_port *p)
{
	p->ops->caps(p, &p->caps);
}

void net_show_caps(const struct net_port *p, struct net_port *peer)
{
	peer->peer_caps = p->caps;
	if (p->watchers || peer->watchers)
		peer->peer_caps.vhost = NULL;
}

static void forget_parts(struct net_port *p)
{
	memset(p->part, 0, sizeof(p->part));
}

static void set_wire(struct net_port *p, struct net_port *peer, struct loop *const *loop,
		     unsigned nqueues)
{
	p->peer = peer;
	net_show_caps(peer, p);
	p->nqueues = nqueues;
	for (unsigned q = 0; q < NET_QUEUES; q++)
		p->loop[q] = q < nqueues ? loop[q] : NULL;
	forget_parts(p);
}

static int attach_both(struct net_port *a, struct net_port *b, struct err *e)
{
	int rc = a->ops->attach(a, e);

	if (rc)
		return rc;
	rc = b->ops->attach(b, e);
	if (rc)
		a->ops->detach(a);
	return rc;
}

int net_join(struct net_port *a, struct net_port *b, struct loop *const *loop, unsigned nloops,
	     struct err *e)
{
	unsigned nq, mask;
	int rc;

	assert(a != b && nloops >= 1);
	if (a->peer || b->peer)
		return err_set(e, EBUSY, "%s is joined to %s already", a->peer ? a->name : b->name,
			       a->peer ? a->peer->name : b->peer->name);
	mask = net_park(loop, MIN(nloops, (unsigned)NET_QUEUES));
	net_ask_caps(a);
	net_ask_caps(b);
	nq = MIN(MIN(a->caps.queues, b->caps.queues), MIN(nloops, (unsigned)NET_QUEUES));
	assert(nq >= 1);
	set_wire(a, b, loop, nq);
	set_wire(b, a, loop, nq);
	rc = attach_both(a, b, e);
	if (rc)
		a->peer = b->peer = NULL;
	net_unpark(loop, MIN(nloops, (unsigned)NET_QUEUES), mask);
	return rc;
}

void net_unjoin(struct net_port *a)
{
	struct net_port *b = a->peer;
	unsigned mask;

	if (!b)
		return;
	mask = net_park(a->loop, a->nqueues);
	a->ops->detach(a);
	b->ops->detach(b);
	a->peer = b->peer = NULL;
	forget_parts(a);
	forget_parts(b);
	net_unpark(a->loop, a->nqueues, mask);
}

/* --- frames --------------------------------------------------------------------------------- */

static void count_frames(struct net_port *p, unsigned q, unsigned frames, uint64_t bytes)
{
	struct net_stats *tx = &p->stats[q], *rx = &p->peer->stats[q];

	net_count(&tx->tx_frames, frames);
	net_count(&tx->tx_bytes, bytes);
	net_count(&rx->rx_frames, frames);
	net_count(&rx->rx_bytes, bytes);
}

static void drop_many(struct net_port *p, unsigned q, unsigned n, const char *why)
{
	net_count(&p->stats[q].drops, n);
	atomic_store_explicit(&p->last_drop, why, memory_order_relaxed);
}

void net_drop(struct net_port *p, unsigned q, const char *why)
{
	assert(net_is_here(p, q));
	drop_many(p, q, 1, why);
}

unsigned net_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct net_port *peer = p->peer;
	struct net_lost lost = {0};
	uint64_t bytes = 0;
	uint32_t need = 0;
	unsigned taken;

	assert(net_is_here(p, q) && n <= NET_BATCH);
	if (!n)
		return 0;
	if (!peer || !p->link_up || !peer->link_up || q >= p->nqueues) {
		drop_many(p, q, n, peer ? "link down" : "not joined");
		p->part[q].active = false;
		return n;
	}
	for (unsigned i = 0; i < n; i++) {
		need |= net_need(&f[i].off);
		bytes += f[i].len;
	}
	if (__builtin_expect(!(need & ~p->peer_caps.offloads) && !p->part[q].active, 1))
		taken = peer->ops->push(peer, q, f, n);
	else
		taken = net_offload_push(p, q, f, n, &lost);
	assert(taken <= n);
	if (taken < n) {
		net_count(&p->stats[q].tx_stalls, 1);
		for (unsigned i = taken; i < n; i++)
			bytes -= f[i].len;
	}
	count_frames(p, q, taken - lost.frames, bytes - lost.bytes);
	return taken;
}

bool net_may_lend(const struct net_port *p, unsigned q)
{
	const struct net_caps *c = &p->peer_caps;

	return p->peer && q < p->nqueues && c->lends && (!c->active || q < c->active) &&
	       p->link_up && p->peer->link_up;
}

unsigned net_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s, unsigned n)
{
	unsigned got;

	assert(net_is_here(p, q) && n <= NET_BATCH);
	if (!net_may_lend(p, q))
		return 0;
	got = p->peer->ops->lend(p->peer, q, room, s, n);
	assert(got <= n);
	return got;
}

/* Takes slot i's frame away by moving what follows one slot down; a frame that does not fit
 * where it should go is dropped as well. The lender wants its slots in the order it lent them. */
static void close_gap(struct net_port *p, unsigned q, struct net_slot *s, unsigned i, unsigned n)
{
	for (unsigned to = i, from = i + 1; from <= n; from++) {
		if (from == n || !s[from].f.len) {
			s[to].f.len = 0;
			return;
		}
		if (iov_copy(s[to].f.vec + 1, s[to].f.nvec - 1, 0, s[from].f.vec + 1,
			     s[from].f.nvec - 1, 0, s[from].f.len) < s[from].f.len) {
			drop_many(p, q, 1, "no room in the lent buffer");
			continue;
		}
		s[to].f.len = s[from].f.len;
		s[to].f.off = s[from].f.off;
		to++;
	}
}

/* The peer's caps shrank after the frames were made (a guest loaded another driver): finish
 * checksums here; what only segmentation could save is dropped, its sender will repeat it. */
static void mend(struct net_port *p, unsigned q, struct net_slot *s, unsigned n)
{
	for (unsigned i = 0; i < n && s[i].f.len;) {
		uint32_t miss = net_need(&s[i].f.off) & ~p->peer_caps.offloads;

		if (!miss || (miss == NET_CAP_CSUM && net_csum_in_place(&s[i].f))) {
			i++;
			continue;
		}
		drop_many(p, q, 1, "lent buffer filled with a frame the peer does not take");
		close_gap(p, q, s, i, n);
	}
}

void net_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n)
{
	uint64_t bytes = 0;
	uint32_t need = 0;
	unsigned used = 0;

	assert(net_is_here(p, q) && p->peer && n <= NET_BATCH);
	if (!n)
		return;
	for (unsigned i = 0; i < n && s[i].f.len; i++)
		need |= net_need(&s[i].f.off);
	if (__builtin_expect(need & ~p->peer_caps.offloads, 0))
		mend(p, q, s, n);
	for (; used < n && s[used].f.len; used++)
		bytes += s[used].f.len;
	p->peer->ops->commit(p->peer, q, s, n);
	count_frames(p, q, used, bytes);
}

void net_resume(struct net_port *p, unsigned q)
{
	assert(net_is_here(p, q));
	if (p->peer && q < p->nqueues)
		p->peer->ops->resume(p->peer, q);
}

/* --- capabilities and link ------------------------------------------------------------------ */

/* On one of the wire's threads, or with its loops parked. */
static bool on_wire(const struct net_port *p)
{
	bool here = !p->nqueues;

	for (unsigned q = 0; q < p->nqueues; q++)
		here |= net_is_here(p, q);
	return here;
}

void net_caps_changed(struct net_port *p)
{
	assert(on_wire(p));
	net_ask_caps(p);
	/* While p is being plugged in, its peer is still on another wire. */
	if (!p->peer || p->peer->peer != p)
		return;
	net_show_caps(p, p->peer);
	if (p->peer->ops->peer_caps_changed)
		p->peer->ops->peer_caps_changed(p->peer);
}

void net_watch(struct net_port *p, bool begin)
{
	unsigned mask = net_park(p->loop, p->nqueues);

	assert(begin || p->watchers);
	p->watchers += begin ? 1u : -1u;
	net_caps_changed(p);
	if (p->peer && p->peer->peer == p)
		net_caps_changed(p->peer);
	net_unpark(p->loop, p->nqueues, mask);
}

void net_set_link(struct net_port *p, bool up)
{
	bool was = net_link_is_up(p), is;
	unsigned mask;

	if (p->link_up == up)
		return;
	mask = net_park(p->loop, p->nqueues);
	p->link_up = up;
	is = net_link_is_up(p);
	/* An end that is down itself sees no difference in the other. */
	if (was != is) {
		if (p->ops->link)
			p->ops->link(p, is);
		if (p->peer && p->peer->ops->link)
			p->peer->ops->link(p->peer, is);
		/* Frames held back for the peer may go now (or be dropped). */
		for (unsigned q = 0; p->peer && q < p->nqueues; q++) {
			p->peer->ops->resume(p->peer, q);
			p->ops->resume(p, q);
		}
	}
	net_unpark(p->loop, p->nqueues, mask);
}
