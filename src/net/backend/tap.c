/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP: a host interface whose wire is a file descriptor (rows T1 to T3, T7, T8), or one descriptor
 * for each queue, each on the loop of its queue. The kernel chooses a frame's queue by its flow:
 * the one that the flow's frames went out by. Queues that the wire lacks or the card does not use
 * are detached (TUNSETQUEUE), so that the kernel chooses among the others.
 *
 * Towards the host: one writev() per frame, straight from the sender's buffers, the
 * virtio_net_hdr (IFF_VNET_HDR) in vec[0]; large and partially checksummed frames go through
 * whole. EAGAIN (sndbuf=) makes push() short, and EPOLLOUT is watched until there is room.
 *
 * From the host: readv() into buffers that the peer lends, else into a buffer of our own and
 * net_push(). The kernel does not tell a frame's size before it is read, and cuts what does not
 * fit, so behind a lent buffer of ordinary size stands our own as overflow: a large frame that
 * surprises us is put together there and pushed, and from then on large buffers are borrowed
 * until small frames have come for a while.
 *
 * A peer that takes no large frames (a card without TSO towards its guest) gets them all the same,
 * by push(), and net_push() cuts them.
 *
 * With vhost (tap_vhost.c) a virtio card may lend its rings to the kernel, queue by queue; such a
 * queue is not read here. Then header and offloads are the guest's own, as the kernel passes both
 * on without a look at them.
 *
 * EPOLLIN is level-triggered: a full batch simply ends the callback. While the peer has no room
 * we keep still, and stop watching at the first event that finds us so.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/util.h"
#include "net/backend/backend.h"
#include "net/backend/tap.h"
#include "net/prot.h"

const int tap_calls[] = {
	SYS_read, SYS_readv, SYS_writev, SYS_ioctl, SYS_fcntl, SANDBOX_END,
};

/* Since Linux 6.2; the headers of older systems lack them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define VNET_HDR   ((unsigned)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define ROOM_SMALL 1518u /* an Ethernet frame with a VLAN tag, without FCS */
#define STAY_LARGE 64u	 /* small frames in a row until we borrow small buffers again */
#define OWN_BUF	   (4u * 65536u)
#define FRAME_BUF  (NET_FRAME_MAX + VNET_HDR + 6u) /* one frame in the own buffer */

/* One queue, its loop's. */
struct tap_queue {
	struct tap *tap;
	unsigned q;
	int fd;
	bool detached; /* from the interface; with the wire's loops held */
	bool taken;    /* the kernel has the card's rings of this queue */
	bool on;       /* attached to a wire */
	struct loop_fd w;
	uint32_t events; /* watched */
	bool no_room;	 /* the peer's; nothing is read until it resumes */
	bool want_out;	 /* a push was short */

	unsigned large; /* > 0: borrow large buffers for that many more small frames */
	unsigned ask;	/* slots to borrow next; grows while they are all used */

	/* Frames read into the own buffer: [head, tail) wait for the peer. */
	unsigned head, tail;
	struct net_frame rx[NET_BATCH];
	struct iovec rx_vec[NET_BATCH][2];
	uint8_t *buf;
};

struct tap {
	struct net_port port;
	char ifname[IFNAMSIZ];
	bool vnet, uso;
	char how[sizeof(((struct tap_dev *)NULL)->how)];
	void (*end)(void *arg); /* see struct tap_dev; NULL once it was called */
	void *arg;
	unsigned hdr; /* bytes of virtio_net_hdr on the descriptors; 0: none */
	unsigned n;
	struct net_vhost vhost; /* n 0: none */
	struct tap_queue q[NET_QUEUES];
};

static struct tap *tap_of(struct net_port *p)
{
	return container_of(p, struct tap, port);
}

static void watch(struct tap_queue *t, uint32_t events)
{
	int rc;

	if (events == t->events || !t->w.slot)
		return;
	rc = loop_mod_fd(t->tap->port.loop[t->q], &t->w, events);
	if (rc)
		log_warn("%s: cannot watch the TAP: %s", t->tap->port.name, strerror(-rc));
	t->events = events;
}

/* --- towards the host ----------------------------------------------------------------------- */

static void put_hdr(struct virtio_net_hdr_mrg_rxbuf *h, const struct net_offload *o)
{
	*h = (struct virtio_net_hdr_mrg_rxbuf){
		.hdr =
			{
				.flags = o->flags,
				.gso_type = o->gso_type,
				.hdr_len = o->hdr_len,
				.gso_size = o->gso_size,
				.csum_start = o->csum_start,
				.csum_offset = o->csum_offset,
			},
	};
}

static void get_hdr(const struct virtio_net_hdr_mrg_rxbuf *h, struct net_offload *o)
{
	*o = (struct net_offload){
		.flags = h->hdr.flags & (NET_F_NEEDS_CSUM | NET_F_DATA_VALID),
		.gso_type = h->hdr.gso_type,
		.hdr_len = h->hdr.hdr_len,
		.gso_size = h->hdr.gso_size,
		.csum_start = h->hdr.csum_start,
		.csum_offset = h->hdr.csum_offset,
	};
}

static const char *write_error(int err)
{
	switch (err) {
	case EIO:
		return "interface is down";
	case EINVAL:
		return "refused by the kernel (offload metadata or length)";
	case ENOMEM:
	case ENOBUFS:
		return "kernel out of memory";
	default:
		return "write to the TAP failed";
	}
}

static unsigned tap_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct tap_queue *t = &tap_of(p)->q[q];
	struct virtio_net_hdr_mrg_rxbuf h;

	for (unsigned i = 0; i < n; i++) {
		ssize_t rc;

		if (t->tap->vnet) {
			put_hdr(&h, &f[i].off);
			f[i].vec[0] = (struct iovec){&h, t->tap->hdr};
		}
		do {
			rc = writev(t->fd, t->tap->vnet ? f[i].vec : f[i].vec + 1,
				    (int)(t->tap->vnet ? f[i].nvec : f[i].nvec - 1));
		} while (rc < 0 && errno == EINTR);
		if (rc >= 0)
			continue;
		if (errno == EAGAIN) {
			t->want_out = true;
			watch(t, t->events | EPOLLOUT);
			return i;
		}
		net_drop(p, q, write_error(errno));
	}
	return n;
}

/* --- from the host -------------------------------------------------------------------------- */

/* The interface was removed under us: nothing comes any more, and epoll would report it forever. */
static void gone(struct tap_queue *t)
{
	log_warn("%s: the TAP interface %s is gone; the card on it has lost its network",
		 t->tap->port.name, t->tap->ifname);
	loop_del_fd(t->tap->port.loop[t->q], &t->w);
}

static ssize_t tap_readv(struct tap_queue *t, const struct iovec *vec, unsigned n)
{
	ssize_t rc;

	do {
		rc = readv(t->fd, vec, (int)n);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno != EAGAIN)
		gone(t);
	return rc;
}

static void add_own(struct tap_queue *t, uint8_t *at, size_t len, const struct net_offload *off)
{
	struct net_frame *f = &t->rx[t->tail];
	struct iovec *vec = t->rx_vec[t->tail++];

	vec[1] = (struct iovec){at, len};
	*f = (struct net_frame){.vec = vec, .nvec = 2, .len = (uint32_t)len, .off = *off};
}

/* Pushes what waits in the own buffer. False when the peer had no room for all of it. */
static bool flush_own(struct tap_queue *t)
{
	if (t->head < t->tail)
		t->head += net_push(&t->tap->port, t->q, t->rx + t->head, t->tail - t->head);
	if (t->head < t->tail) {
		t->no_room = true;
		return false;
	}
	t->head = t->tail = 0;
	return true;
}

/* Reads up to `max` frames into the own buffer and pushes them. Returns how many; fewer than
 * max: the kernel has no more for now, or the peer no room. */
static unsigned drain_own(struct tap_queue *t, unsigned max)
{
	size_t used = 0;

	while (t->tail < max && OWN_BUF - used >= FRAME_BUF) {
		struct virtio_net_hdr_mrg_rxbuf h = {0};
		struct net_offload off;
		struct iovec vec[2] = {{&h, t->tap->hdr}, {t->buf + used, NET_FRAME_MAX}};
		ssize_t rc = t->tap->vnet ? tap_readv(t, vec, 2) : tap_readv(t, vec + 1, 1);

		if (rc < 0)
			break;
		rc -= t->tap->hdr;
		if (rc < (ssize_t)ETH_HDR) {
			net_drop(&t->tap->port, t->q, "runt frame from the TAP");
			continue;
		}
		get_hdr(&h, &off);
		add_own(t, t->buf + used, (size_t)rc, &off);
		used = align_up(used + (size_t)rc, 64);
	}
	max = t->tail;
	return flush_own(t) ? max : 0;
}

/* A frame larger than its slot: puts it together at the start of the own buffer, where its rest
 * lies already (behind `room` bytes kept free). */
static void oversized(struct tap_queue *t, const struct net_slot *s, uint32_t room, size_t len,
		      const struct net_offload *off)
{
	iov_read(s->f.vec + 1, s->f.nvec - 1, 0, t->buf, room);
	add_own(t, t->buf, len, off);
}

enum fill { FILLED, EMPTY, OVERFLOW };

/* Reads one frame into slot s. */
static enum fill fill_slot(struct tap_queue *t, struct net_slot *s)
{
	struct virtio_net_hdr_mrg_rxbuf h = {0};
	struct iovec vec[NET_VEC_MAX + 1];
	uint32_t room = MIN(s->f.len, NET_FRAME_MAX);
	unsigned n = 1;
	ssize_t rc;

	vec[0] = (struct iovec){&h, t->tap->hdr};
	n += iov_slice(s->f.vec + 1, s->f.nvec - 1, 0, room, vec + 1, NET_VEC_MAX - 1, NULL);
	if (room < NET_FRAME_MAX)
		vec[n++] = (struct iovec){t->buf + room, NET_FRAME_MAX - room};
	do {
		rc = t->tap->vnet ? tap_readv(t, vec, n) : tap_readv(t, vec + 1, n - 1);
		if (rc < 0)
			return EMPTY;
		rc -= t->tap->hdr;
		if (rc < (ssize_t)ETH_HDR)
			net_drop(&t->tap->port, t->q, "runt frame from the TAP");
	} while (rc < (ssize_t)ETH_HDR);
	get_hdr(&h, &s->f.off);
	if (rc > (ssize_t)ROOM_SMALL)
		t->large = STAY_LARGE;
	else if (t->large)
		t->large--;
	if (rc > (ssize_t)room) {
		oversized(t, s, room, (size_t)rc, &s->f.off);
		return OVERFLOW;
	}
	s->f.len = (uint32_t)rc;
	return FILLED;
}

/* Reads up to max frames into lent buffers. Returns how many; fewer than max: see drain_own(). */
static unsigned drain_lent(struct tap_queue *t, unsigned max)
{
	struct net_slot slot[NET_BATCH];
	enum fill how = FILLED;
	unsigned n, done = 0;

	n = net_lend(&t->tap->port, t->q, t->large ? NET_FRAME_MAX : ROOM_SMALL, slot,
		     MIN(t->ask, max));
	/* A small ring may never hold a large frame in one piece of lending. */
	if (!n && t->large)
		n = net_lend(&t->tap->port, t->q, ROOM_SMALL, slot, MIN(t->ask, max));
	if (!n) {
		t->no_room = true;
		return 0;
	}
	while (done < n && how == FILLED) {
		how = fill_slot(t, &slot[done]);
		done += how == FILLED;
	}
	for (unsigned i = done; i < n; i++)
		slot[i].f.len = 0;
	net_commit(&t->tap->port, t->q, slot, n);
	t->ask = done == n ? MIN(2 * t->ask, (unsigned)NET_BATCH) : MAX(t->ask / 2, 4u);
	if (how == OVERFLOW)
		return flush_own(t) ? done + 1 : 0;
	return how == EMPTY ? 0 : done;
}

/* Does the peer take what the kernel sends at its best, frames of 64 KiB with sums left open? */
static bool takes_large(const struct tap *t)
{
	const uint32_t need = NET_CAP_CSUM | NET_CAP_TSO4;

	return !t->vnet || (t->port.peer_caps.offloads & need) == need;
}

static void drain(struct tap_queue *t)
{
	unsigned budget = NET_BATCH;

	while (budget && !t->no_room && t->w.slot) {
		bool lent = net_may_lend(&t->tap->port, t->q) && takes_large(t->tap);
		unsigned max = lent && t->large ? MIN(budget, 8u) : budget;
		unsigned n = lent ? drain_lent(t, max) : drain_own(t, max);

		if (!n || (!lent && n < max))
			return;
		budget -= MIN(n, budget);
	}
}

static void tap_event(struct loop_fd *w, uint32_t events)
{
	struct tap_queue *t = container_of(w, struct tap_queue, w);

	if (events & EPOLLOUT && t->want_out) {
		t->want_out = false;
		net_resume(&t->tap->port, t->q);
		if (!t->want_out)
			watch(t, t->events & ~(uint32_t)EPOLLOUT);
	}
	if (t->no_room) {
		watch(t, t->events & ~(uint32_t)EPOLLIN);
		/* Reported even when nothing is watched. */
		if (events & (EPOLLERR | EPOLLHUP))
			gone(t);
		return;
	}
	drain(t);
}

static void tap_resume(struct net_port *p, unsigned q)
{
	struct tap_queue *t = &tap_of(p)->q[q];

	t->no_room = false;
	if (!flush_own(t))
		return;
	/* Level-triggered: what the kernel holds is reported in the next round. */
	watch(t, t->events | EPOLLIN);
}

/* --- the kernel's data path ----------------------------------------------------------------- */

static bool has_vhost(const struct tap *t)
{
	return t->vhost.n && t->port.peer_caps.vnet_hdr;
}

/* The kernel copies headers between card and interface as they are: their length is the card's. It
 * stays while a queue is taken: what changes it on a wire of several has taken all back before. */
static void set_hdr(struct tap *t)
{
	uint32_t card = t->port.peer_caps.vnet_hdr;
	int len = has_vhost(t) && card < VNET_HDR ? (int)card : (int)VNET_HDR;

	for (unsigned q = 0; q < t->n; q++)
		if (t->q[q].taken)
			return;
	if (!t->vnet || (unsigned)len == t->hdr)
		return;
	if (ioctl(t->q[0].fd, TUNSETVNETHDRSZ, &len) < 0) {
		log_warn("%s: TUNSETVNETHDRSZ %d on %s: %s", t->port.name, len, t->ifname,
			 strerror(errno));
		return;
	}
	t->hdr = (unsigned)len;
}

static bool vhost_take(struct net_vhost *v, unsigned q)
{
	struct tap *t = container_of(v, struct tap, vhost);
	struct tap_queue *tq = &t->q[q];

	if (!flush_own(tq) || (t->vnet && t->hdr != MIN(t->port.peer_caps.vnet_hdr, VNET_HDR)))
		return false;
	if (tq->on)
		loop_del_fd(t->port.loop[q], &tq->w);
	tq->no_room = tq->want_out = false;
	tq->taken = true;
	return true;
}

static int watch_queue(struct tap_queue *tq)
{
	tq->events = EPOLLIN;
	return loop_add_fd(tq->tap->port.loop[tq->q], &tq->w, tq->fd, tq->events, tap_event);
}

static void vhost_give(struct net_vhost *v, unsigned q)
{
	struct tap *t = container_of(v, struct tap, vhost);
	struct tap_queue *tq = &t->q[q];
	int rc;

	tq->taken = false;
	/* A hub may have asked for it while the queue was taken. */
	if (t->port.nqueues == 1)
		set_hdr(t);
	if (!tq->on)
		return;
	rc = watch_queue(tq);
	if (rc)
		log_warn("%s: cannot watch %s: %s", t->port.name, t->ifname, strerror(-rc));
}

/* Nobody has said yet why not. */
static void vhost_idle(struct tap *t)
{
	for (unsigned q = 0; q < t->vhost.n; q++)
		t->vhost.why[q] = NET_VHOST_NOBODY;
}

/* --- joining -------------------------------------------------------------------------------- */

static void tap_caps(const struct net_port *p, struct net_caps *c)
{
	const struct tap *t = container_of(p, struct tap, port);

	*c = (struct net_caps){.queues = t->n};
	if (t->vhost.n)
		c->vhost = (struct net_vhost *)(uintptr_t)&t->vhost;
	if (t->vnet)
		c->offloads = NET_CAP_CSUM | NET_CAP_TSO4 | NET_CAP_TSO6 | NET_CAP_ECN |
			      (t->uso ? NET_CAP_USO : 0);
}

/*
 * Tells the kernel what the peer takes; the kernel segments the rest itself. To a peer that takes
 * no large frames they come all the same, and net_push() cuts them: one read and one way through
 * the kernel for 64 KiB instead of 45, at the price of a copy. Not where the kernel may serve the
 * guest: nobody would cut them.
 */
static int set_offload(struct tap *t)
{
	uint32_t caps =
		takes_large(t) || has_vhost(t) ? t->port.peer_caps.offloads : NET_CAP_OFFLOADS;
	unsigned long f = 0;

	if (!t->vnet)
		return 0;
	if (caps & NET_CAP_CSUM) {
		f = TUN_F_CSUM;
		f |= caps & NET_CAP_TSO4 ? TUN_F_TSO4 : 0;
		f |= caps & NET_CAP_TSO6 ? TUN_F_TSO6 : 0;
		if (f & (TUN_F_TSO4 | TUN_F_TSO6) && caps & NET_CAP_ECN)
			f |= TUN_F_TSO_ECN;
		if (t->uso && caps & NET_CAP_USO)
			f |= TUN_F_USO4 | TUN_F_USO6;
	}
	/* It is the interface's, whatever queue it is said to. */
	return ioctl(t->q[0].fd, TUNSETOFFLOAD, f) < 0 ? -errno : 0;
}

static int set_queue(struct tap_queue *t, bool on)
{
	struct ifreq ifr = {.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

	if (t->detached == !on)
		return 0;
	if (ioctl(t->fd, TUNSETQUEUE, &ifr) < 0)
		return -errno;
	t->detached = !on;
	return 0;
}

/* Only the queues that the peer uses are attached. The last one goes first and comes last: the
 * kernel closes a gap by moving its last queue there. */
static int set_queues(struct tap *t)
{
	unsigned use = MIN(t->port.nqueues, t->n), active = t->port.peer_caps.active;
	int rc = 0;

	use = active ? MIN(use, active) : use;
	for (unsigned q = t->n; q > use && !rc; q--)
		rc = set_queue(&t->q[q - 1], false);
	for (unsigned q = 0; q < use && !rc; q++)
		rc = set_queue(&t->q[q], true);
	return rc;
}

static void tap_peer_caps_changed(struct net_port *p)
{
	struct tap *t = tap_of(p);
	int rc = set_offload(t);

	if (rc)
		log_warn("%s: cannot change the offloads of %s: %s", p->name, t->ifname,
			 strerror(-rc));
	set_hdr(t);
	rc = set_queues(t);
	if (rc)
		log_warn("%s: cannot attach or detach a queue of %s: %s", p->name, t->ifname,
			 strerror(-rc));
}

static void tap_detach(struct net_port *p)
{
	struct tap *t = tap_of(p);

	for (unsigned i = 0; i < p->nqueues; i++) {
		struct tap_queue *q = &t->q[i];

		q->on = false;
		loop_del_fd(p->loop[i], &q->w);
		for (; q->head < q->tail; q->head++)
			net_drop(p, i, "unplugged before the peer had room");
		q->head = q->tail = 0;
	}
	vhost_idle(t);
}

static int tap_attach(struct net_port *p, struct err *e)
{
	struct tap *t = tap_of(p);
	int rc = set_offload(t);

	if (rc)
		return err_set(e, -rc, "%s: TUNSETOFFLOAD on %s: %s", p->name, t->ifname,
			       strerror(-rc));
	set_hdr(t);
	rc = set_queues(t);
	if (rc)
		return err_set(e, -rc, "%s: TUNSETQUEUE on %s: %s", p->name, t->ifname,
			       strerror(-rc));
	for (unsigned i = 0; i < p->nqueues; i++) {
		struct tap_queue *q = &t->q[i];

		q->no_room = q->want_out = false;
		q->ask = 4;
		q->on = true;
		rc = q->taken ? 0 : watch_queue(q);
		if (rc) {
			tap_detach(p);
			return err_set(e, -rc, "%s: cannot watch %s: %s", p->name, t->ifname,
				       strerror(-rc));
		}
	}
	return 0;
}

static void tap_info(const struct net_port *p, char *buf, size_t len)
{
	const struct tap *t = container_of(p, struct tap, port);
	unsigned attached = 0;
	int n = snprintf(buf, len, "ifname=%s%s%s,vnet_hdr=%s%s", t->ifname, t->how[0] ? "," : "",
			 t->how, t->vnet ? "on" : "off", t->vhost.n ? ",vhost=on" : "");

	for (unsigned i = 0; i < t->n; i++)
		attached += !t->q[i].detached;
	if (t->n > 1 && n > 0 && (size_t)n < len)
		snprintf(buf + n, len - (size_t)n, ",queues=%u,attached=%u", t->n, attached);
}

void tap_leave(struct net_port *p)
{
	struct tap *t = tap_of(p);

	if (t->end)
		t->end(t->arg);
	t->end = NULL;
	t->arg = NULL;
}

const char *tap_ifname(const struct net_port *p)
{
	return container_of(p, struct tap, port)->ifname;
}

void *tap_arg(const struct net_port *p)
{
	return container_of(p, struct tap, port)->arg;
}

static void tap_destroy(struct net_port *p)
{
	struct tap *t = tap_of(p);

	tap_leave(p);
	for (unsigned i = 0; i < t->n; i++) {
		if (t->q[i].fd >= 0)
			close(t->q[i].fd);
		free(t->q[i].buf);
	}
	for (unsigned i = 0; i < t->vhost.n; i++)
		close(t->vhost.fd[i]);
	free(t);
}

static const struct net_port_ops tap_ops = {
	.kind = "tap",
	.push = tap_push,
	.resume = tap_resume,
	.caps = tap_caps,
	.attach = tap_attach,
	.detach = tap_detach,
	.peer_caps_changed = tap_peer_caps_changed,
	.info = tap_info,
	.destroy = tap_destroy,
};

int tap_port_new(struct tap_dev *dev, const char *id, struct net_port **port, struct err *e)
{
	struct tap *t = calloc(1, sizeof(*t));
	bool room = t != NULL;

	for (unsigned i = 0; room && i < dev->n; i++) {
		t->q[i].tap = t;
		t->q[i].q = i;
		t->q[i].fd = -1;
		t->q[i].buf = malloc(OWN_BUF);
		room = t->q[i].buf != NULL;
		t->n++;
	}
	if (!room) {
		for (unsigned i = 0; t && i < t->n; i++)
			free(t->q[i].buf);
		free(t);
		return err_set(e, ENOMEM, "tap: no memory");
	}
	net_port_init(&t->port, &tap_ops, id);
	for (unsigned i = 0; i < dev->n; i++) {
		t->q[i].fd = dev->fd[i];
		dev->fd[i] = -1;
	}
	t->vnet = dev->vnet;
	t->hdr = dev->vnet ? VNET_HDR : 0;
	t->uso = dev->uso;
	snprintf(t->ifname, sizeof(t->ifname), "%s", dev->ifname);
	snprintf(t->how, sizeof(t->how), "%s", dev->how);
	t->end = dev->end;
	t->arg = dev->arg;
	dev->end = NULL;
	dev->arg = NULL;
	*port = &t->port;
	return 0;
}

void tap_set_vhost(struct net_port *p, const struct tap_vhost *v,
		   int (*ioctl_fn)(int fd, unsigned long request, void *arg))
{
	struct tap *t = tap_of(p);

	t->vhost = (struct net_vhost){
		.n = v->n,
		.features = v->features,
		.vnet_hdr = t->vnet,
		.force = v->force,
		.ioctl = ioctl_fn,
		.take = vhost_take,
		.give = vhost_give,
	};
	for (unsigned i = 0; i < v->n; i++) {
		t->vhost.fd[i] = v->fd[i];
		t->vhost.sock[i] = t->q[i].fd;
	}
	vhost_idle(t);
}

const struct net_vhost *tap_get_vhost(const struct net_port *p)
{
	return &container_of((struct net_port *)(uintptr_t)p, struct tap, port)->vhost;
}
