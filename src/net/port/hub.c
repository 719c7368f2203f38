/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hub: see hub.h. Each member has an end here, a port joined to the member's own.
 *
 * With two members a frame goes straight through, in batches or into lent buffers, and stalls are
 * the wire's own business.
 *
 * With more, a batch goes to one member after another, never further than the member before took
 * it. If a member has no room, the sender keeps the frames from there on and offers them again;
 * those members that were asked earlier have some of them already, and `ahead` of the sender
 * says how many each. The key of the first frame left tells whether the sender still means the
 * same frames (a guest may have reset its card meanwhile).
 *
 * A member that gives no room for STALL_NS is cut off: frames it does not take at once are lost
 * to it (and counted) until it resumes, so that a stopped guest does not stop the others.
 */
#include "net/port/hub.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/util.h"
#include "net/port/internal.h"

#define ENDS_MAX  32u		   /* members of a hub */
#define STALL_NS  (50 * NS_PER_MS) /* a member may hold the others up this long */
#define DEPTH_MAX 4u		   /* members answering from within a push; hubs in a ring */

struct hub_end {
	struct net_port port;
	struct hub *hub;
	unsigned index; /* in hub->end */
	bool on;	/* joined */

	/* As a sender: */
	bool waits;		 /* its member was sent away with frames, or without a buffer */
	bool keyed;		 /* key is that of the first frame sent back */
	bool behind;		 /* frames were sent back: ahead[] says who has them */
	uint8_t ahead[ENDS_MAX]; /* frames of those that member i has already */
	struct net_frame_key key;

	/* As a receiver: */
	bool cut_off;
	struct loop_timer timer; /* runs while it has no room and others wait */
};

struct hub {
	unsigned id;
	struct loop *loop;
	struct hub_end *end[ENDS_MAX];
	unsigned depth;
	unsigned made; /* ends ever, for names */
	struct loop_task wake;
};

static struct hub_end *end_of(const struct net_port *p)
{
	return container_of((struct net_port *)(uintptr_t)p, struct hub_end, port);
}

#define for_each_end(h, m)                                                                         \
	for (unsigned i_##m = 0; i_##m < ENDS_MAX; i_##m++)                                        \
		for (struct hub_end *m = (h)->end[i_##m]; m; m = NULL)

/* The other one, when there are exactly two members and e is one of them. */
static struct hub_end *other(const struct hub_end *e)
{
	struct hub_end *found = NULL;
	unsigned n = 0;

	for_each_end(e->hub, m)
	{
		if (!m->on)
			continue;
		n++;
		if (m != e)
			found = m;
	}
	return e->on && n == 2 ? found : NULL;
}

static void refresh(struct hub *h);

/* Everybody who waits may try again. */
static void wake_all(struct hub *h)
{
	for_each_end(h, m)
	{
		if (m->on && m->waits) {
			m->waits = false;
			net_resume(&m->port, 0);
		}
	}
}

static void wake_task(struct loop_task *t)
{
	struct hub *h = container_of(t, struct hub, wake);

	refresh(h);
	wake_all(h);
}

/* --- frames --------------------------------------------------------------------------------- */

static void cut_off(struct loop_timer *t)
{
	struct hub_end *m = container_of(t, struct hub_end, timer);

	m->cut_off = true;
	wake_all(m->hub);
}

static void lose(struct hub_end *m, unsigned n)
{
	m->port.part[0].active = false;
	while (n--)
		net_drop(&m->port, 0, "hub member without room for too long");
}

/* Offers m the first n frames, of which it may have some. Returns how many it has (or lost). */
static unsigned offer(struct hub_end *from, struct hub_end *m, struct net_frame *f, unsigned n)
{
	unsigned had = from->behind ? from->ahead[m->index] : 0, has = had;

	if (had < n)
		has += net_push(&m->port, 0, f + had, n - had);
	if (has >= n) {
		m->cut_off = false;
		loop_timer_del(m->hub->loop, &m->timer);
		return has;
	}
	if (m->cut_off) {
		lose(m, n - has);
		return n;
	}
	if (!m->timer.heap)
		loop_timer_set(m->hub->loop, &m->timer, loop_now(m->hub->loop) + STALL_NS);
	return has;
}

static unsigned flood(struct hub_end *from, struct net_frame *f, unsigned n)
{
	unsigned has[ENDS_MAX] = {0}, min = n, others = 0;

	if (from->behind && from->keyed && !net_frame_is(&f[0], &from->key))
		from->behind = false;
	for_each_end(from->hub, m)
	{
		if (m == from || !m->on)
			continue;
		others++;
		has[m->index] = offer(from, m, f, min);
		min = MIN(min, has[m->index]);
	}
	if (!others)
		for (unsigned i = 0; i < n; i++)
			net_drop(&from->port, 0, "nobody else on the hub");
	from->behind = from->keyed = min < n;
	if (from->keyed)
		net_frame_key(&f[min], &from->key);
	for (unsigned i = 0; i < ENDS_MAX; i++) {
		from->ahead[i] = (uint8_t)(has[i] > min ? has[i] - min : 0);
		from->behind |= from->ahead[i] != 0;
	}
	return min;
}

static unsigned hub_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct hub_end *from = end_of(p), *to = other(from);
	struct hub *h = from->hub;
	unsigned taken;

	/* Members may answer from within their push; a ring of hubs would never end. */
	if (h->depth == DEPTH_MAX) {
		for (unsigned i = 0; i < n; i++)
			net_drop(p, q, "hubs joined in a ring");
		return n;
	}
	h->depth++;
	if (to && !from->behind) {
		taken = net_push(&to->port, 0, f, n);
	} else {
		taken = flood(from, f, n);
		/* Down to a plain wire: buffers may be lent from now on. */
		if (to && !from->behind)
			loop_defer(h->loop, &h->wake);
	}
	h->depth--;
	if (taken < n)
		from->waits = true;
	return taken;
}

static unsigned hub_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s,
			 unsigned n)
{
	struct hub_end *from = end_of(p), *to = other(from);
	unsigned got = 0;

	(void)q;
	/* Frames that were pushed while there were more members go first. */
	if (to && !from->behind)
		got = net_lend(&to->port, 0, room, s, n);
	if (got < n)
		from->waits = true;
	return got;
}

static void hub_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n)
{
	struct hub_end *to = other(end_of(p));

	(void)q;
	/* Members come and go between callbacks only, never between lend and commit. */
	assert(to);
	net_commit(&to->port, 0, s, n);
}

static void hub_resume(struct net_port *p, unsigned q)
{
	struct hub_end *m = end_of(p);

	(void)q;
	m->cut_off = false;
	loop_timer_del(m->hub->loop, &m->timer);
	wake_all(m->hub);
}

/* --- members -------------------------------------------------------------------------------- */

static bool usable(const struct hub_end *m)
{
	return m->on && net_link_is_up(&m->port);
}

static void hub_caps(const struct net_port *p, struct net_caps *c)
{
	const struct hub_end *e = end_of(p);
	const struct hub_end *to = other(e);

	*c = (struct net_caps){.queues = 1, .offloads = NET_CAP_OFFLOADS};
	for_each_end(e->hub, m)
	{
		const struct net_caps *pc = &m->port.peer_caps;

		if (m == e || !m->on)
			continue;
		c->offloads &= pc->offloads;
		if (pc->mtu && (!c->mtu || pc->mtu < c->mtu))
			c->mtu = pc->mtu;
	}
	c->lends = to && usable(to) && to->port.peer_caps.lends && !e->behind;
	/* Between two the kernel may carry the frames. */
	if (to && usable(e) && usable(to)) {
		c->vhost = to->port.peer_caps.vhost;
		c->vnet_hdr = to->port.peer_caps.vnet_hdr;
	}
}

/* Tells those members for whom the others' caps make a difference. */
static void refresh(struct hub *h)
{
	for_each_end(h, m)
	{
		struct net_caps now;

		if (!m->on)
			continue;
		hub_caps(&m->port, &now);
		if (now.offloads != m->port.caps.offloads || now.mtu != m->port.caps.mtu ||
		    now.lends != m->port.caps.lends || now.vhost != m->port.caps.vhost ||
		    now.vnet_hdr != m->port.caps.vnet_hdr)
			net_caps_changed(&m->port);
	}
}

/* Membership, a link or a member's caps changed: somebody may wait for what will not come. */
static void update(struct hub *h)
{
	refresh(h);
	loop_defer(h->loop, &h->wake);
}

static void hub_peer_caps(struct net_port *p)
{
	update(end_of(p)->hub);
}

static void hub_link(struct net_port *p, bool up)
{
	(void)up;
	update(end_of(p)->hub);
}

static int hub_attach(struct net_port *p, struct err *e)
{
	struct hub_end *m = end_of(p);

	if (p->loop[0] != m->hub->loop)
		return err_set(e, EINVAL, "%s: all members of a hub live on the hub's loop",
			       p->name);
	m->on = true;
	m->waits = m->behind = m->keyed = m->cut_off = false;
	/* caps() was asked when this end did not count yet: lends was false. */
	update(m->hub);
	return 0;
}

static void hub_detach(struct net_port *p)
{
	struct hub_end *m = end_of(p);

	m->on = false;
	loop_timer_del(m->hub->loop, &m->timer);
	for_each_end(m->hub, e)
	{
		e->ahead[m->index] = 0;
	}
	update(m->hub);
}

static void hub_info(const struct net_port *p, char *buf, size_t len)
{
	snprintf(buf, len, "hub=%u", end_of(p)->hub->id);
}

static void hub_destroy(struct net_port *p)
{
	struct hub_end *m = end_of(p);

	assert(!m->on);
	m->hub->end[m->index] = NULL;
	free(m);
}

static const struct net_port_ops hub_ops = {
	.kind = "hubport",
	.push = hub_push,
	.resume = hub_resume,
	.lend = hub_lend,
	.commit = hub_commit,
	.caps = hub_caps,
	.attach = hub_attach,
	.detach = hub_detach,
	.peer_caps_changed = hub_peer_caps,
	.link = hub_link,
	.info = hub_info,
	.destroy = hub_destroy,
};

/* --- the hub -------------------------------------------------------------------------------- */

struct hub *hub_new(unsigned id, struct loop *loop, struct err *e)
{
	struct hub *h = calloc(1, sizeof(*h));

	if (!h) {
		err_set(e, ENOMEM, "no memory for hub %u", id);
		return NULL;
	}
	h->id = id;
	h->loop = loop;
	h->wake.fn = wake_task;
	return h;
}

void hub_free(struct hub *h)
{
	unsigned mask;

	if (!h)
		return;
	mask = net_park(&h->loop, 1);
	for_each_end(h, m)
	{
		net_unjoin(&m->port);
		hub_destroy(&m->port);
	}
	loop_undefer(h->loop, &h->wake);
	net_unpark(&h->loop, 1, mask);
	free(h);
}

unsigned hub_id(const struct hub *h)
{
	return h->id;
}

struct loop *hub_loop(const struct hub *h)
{
	return h->loop;
}

struct net_port *hub_end(struct hub *h, const char *name, struct err *e)
{
	char made[32];
	struct hub_end *m;
	unsigned i = 0;

	while (i < ENDS_MAX && h->end[i])
		i++;
	if (i == ENDS_MAX) {
		err_set(e, ENOSPC, "hub %u is full: %u members, at most", h->id, ENDS_MAX);
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		err_set(e, ENOMEM, "no memory for an end of hub %u", h->id);
		return NULL;
	}
	snprintf(made, sizeof(made), "hub%uport%u", h->id, h->made++);
	net_port_init(&m->port, &hub_ops, name ? name : made);
	m->hub = h;
	m->index = i;
	m->timer.fn = cut_off;
	h->end[i] = m;
	return &m->port;
}

int hub_plug(struct hub *h, struct net_port *p, const char *name, struct err *e)
{
	struct net_port *end;
	unsigned mask = net_park(&h->loop, 1); /* others are on it already */
	int rc;

	end = hub_end(h, name, e);
	/* The member first: when the end counts, the member may be told of new caps. */
	rc = end ? net_join(p, end, &h->loop, 1, e) : -e->code;
	if (end && rc)
		hub_destroy(end);
	net_unpark(&h->loop, 1, mask);
	return rc;
}

void hub_for_each(const struct hub *h, void (*fn)(struct net_port *end, void *arg), void *arg)
{
	for_each_end(h, m)
	{
		fn(&m->port, arg);
	}
}
