/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net, peer to guest (virtio 1.2 section 5.1.6.3 and 5.1.6.4).
 *
 * Two ways in. push() copies finished frames into the driver's buffers. lend() hands the empty
 * buffers themselves to the peer, which writes the frame there (recvmsg, readv), and commit()
 * only adds the virtio_net_hdr and tells the driver. Every frame begins with that header, in its
 * first chain; with mergeable buffers (MRG_RXBUF) a frame may span chains, num_buffers says how
 * many, and a lent slot takes as many chains as the room asked for needs.
 *
 * Without enough buffers, kicks are asked for, the ring is looked at once more, and the peer is
 * resumed at the next kick. What was popped in vain goes back and is used first next time.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/nic/virtio_net.h"

/* Room for every slot's entries, and for one chain of as many as the ring has. */
#define LEND_VECS (NET_BATCH * NET_VEC_MAX + VNET_RING_MAX)
#define LEND_BUFS (NET_BATCH * NET_VEC_MAX)

/* Pops a receive chain with room for at least a header. Returns as vq_pop(). */
static int pop_buf(struct vnet_rx *r, struct iovec *vec, unsigned max, struct vq_chain *c)
{
	struct virtqueue *q = vnet_rxq(r->n, r->pair);
	int rc = vq_pop(q, vec, max, c);

	if (rc != 1)
		return rc;
	if (c->in_len < r->hdr_len) {
		vq_break(q, "a receive chain without room for the header");
		return 0;
	}
	/* Nothing is said to us here; readable descriptors are skipped. */
	c->vec += c->nout;
	return 1;
}

static void unpop_bufs(struct vnet_rx *r, const struct vnet_buf *b, unsigned from, unsigned n)
{
	while (n > from)
		vq_unpop(vnet_rxq(r->n, r->pair), b[--n].head);
}

/* Where a frame's header goes: the first bytes of its first chain. */
static void note_hdr(const struct vnet_rx *r, const struct vq_chain *c, struct vnet_hdr_room *h)
{
	h->n = iov_slice(c->vec, c->nin, 0, r->hdr_len, h->v, VNET_HDR_PIECES, NULL);
}

static void write_hdr(const struct vnet_rx *r, const struct vnet_hdr_room *room,
		      const struct net_offload *o, struct vnet_hash hash, unsigned nbufs)
{
	struct virtio_net_hdr_v1_hash h = {0};
	struct virtio_net_hdr_v1 *v1 = &h.hdr;

	if (vnet_guest_can(r->n, VIRTIO_NET_F_GUEST_CSUM)) {
		v1->flags = o->flags & (NET_F_NEEDS_CSUM | NET_F_DATA_VALID);
		if (o->flags & NET_F_NEEDS_CSUM) {
			v1->csum_start = htole16(o->csum_start);
			v1->csum_offset = htole16(o->csum_offset);
		}
		v1->gso_type = o->gso_type;
		if (o->gso_type != NET_GSO_NONE) {
			v1->gso_size = htole16(o->gso_size);
			v1->hdr_len = htole16(o->hdr_len);
		}
	}
	/* 5.1.6.4.1: 1 when the frame is not spread over chains. */
	v1->num_buffers = htole16((uint16_t)nbufs);
	h.hash_value = htole32(hash.value);
	h.hash_report = htole16(hash.report);
	iov_write(room->v, room->n, 0, &h, r->hdr_len);
}

/* Waits for buffers; true when some came while we were asking. */
static bool look_again(struct vnet_rx *r)
{
	struct virtqueue *q = vnet_rxq(r->n, r->pair);

	r->stalled = true;
	if (!vq_kicks_on(q))
		return false;
	r->stalled = false;
	vq_kicks_off(q);
	return true;
}

static void drop(struct vnet_rx *r, const char *why)
{
	net_drop(&r->n->nic.port, vnet_wire(r->n, r->pair), why);
}

/* --- copying -------------------------------------------------------------------------------- */

enum copied { COPIED, DROPPED, NO_ROOM };

/* The filter's verdict on a frame; dropped frames are counted. */
static bool passes(struct vnet_rx *r, const struct net_frame *f)
{
	uint8_t head[18];
	size_t got = iov_read(f->vec + 1, f->nvec - 1, 0, head, MIN(f->len, sizeof(head)));
	const char *why = vnet_filter(r->n, head, (unsigned)got);

	if (why)
		drop(r, why);
	return !why;
}

/* Copies one frame into as many chains as it takes. */
static enum copied copy_frame(struct vnet_rx *r, struct net_frame *f, struct vnet_hash hash)
{
	struct vnet *n = r->n;
	struct virtqueue *q = vnet_rxq(n, r->pair);
	struct vnet_hdr_room hdr = {0};
	uint32_t total = r->hdr_len + f->len, done = 0;
	unsigned used = 0, limit = r->mergeable ? q->size : 1;

	while (done < total && used < limit) {
		uint32_t start = used ? 0 : r->hdr_len;
		struct vq_chain c;

		if (pop_buf(r, r->vec, VNET_RING_MAX, &c) != 1)
			break;
		if (!used) {
			note_hdr(r, &c, &hdr);
			done = r->hdr_len;
		}
		uint32_t part = MIN(c.in_len - start, total - done);

		iov_copy(c.vec, c.nin, start, f->vec + 1, f->nvec - 1, done - r->hdr_len, part);
		r->buf[used++] = (struct vnet_buf){c.head, start + part};
		done += part;
	}
	if (done < total) {
		unpop_bufs(r, r->buf, 0, used);
		if (used < limit)
			return NO_ROOM;
		drop(r, "larger than the guest's receive buffers");
		return DROPPED;
	}
	write_hdr(r, &hdr, &f->off, hash, used);
	for (unsigned i = 0; i < used; i++)
		vq_put(q, r->buf[i].head, r->buf[i].room);
	return COPIED;
}

/* Does the pair take frames just now? If not, the one at hand is counted. */
static bool takes(struct vnet_rx *r)
{
	if (r->pair >= r->n->active && !r->n->rss.steer)
		drop(r, "for a queue pair that the guest does not use");
	else if (!vnet_rxq(r->n, r->pair)->running)
		drop(r, "the guest's driver is not ready");
	else
		return true;
	return false;
}

unsigned vnet_push(struct net_port *p, unsigned wire, struct net_frame *f, unsigned nf)
{
	struct vnet *n = vnet_of_port(p);
	unsigned i = 0, used = 0;

	while (i < nf) {
		struct vnet_hash hash = vnet_hash(&n->rss, &f[i]);
		unsigned pair = n->rss.steer ? vnet_rss_queue(&n->rss, hash) : wire;
		struct vnet_rx *r = &n->rx[pair];

		used |= 1u << pair;
		if (!takes(r) || !passes(r, &f[i]) || copy_frame(r, &f[i], hash) != NO_ROOM) {
			i++;
			continue;
		}
		/* A ring that broke takes everything from now on. */
		if (vnet_rxq(n, pair)->broken)
			virtio_pci_done(&n->v, 2 * pair);
		else if (!look_again(r))
			break;
	}
	for (unsigned pair = 0; used >> pair; pair++)
		if (used >> pair & 1)
			virtio_pci_done(&n->v, 2 * pair);
	return i;
}

/* --- lending -------------------------------------------------------------------------------- */

/* Cursor over lend_vec and lend_buf while slots are filled. */
struct lender {
	unsigned vecs, bufs;
};

enum lent { LENT, EMPTY, UNFIT };

/*
 * Builds slot i of at least `want` bytes. Its entries are consecutive in lend_vec: one spare for
 * the borrower, then payload. If that fails everything popped for it is given back: EMPTY, there
 * are not enough buffers now; UNFIT, they are too small or in too many pieces.
 */
static enum lent lend_slot(struct vnet_rx *r, unsigned i, uint32_t want, struct lender *at,
			   struct net_slot *s)
{
	enum lent why = UNFIT;
	unsigned limit = r->mergeable ? NET_VEC_MAX - 1 : 1, first = at->bufs;
	struct iovec *base = r->lend_vec + at->vecs + 1, *vec = base;
	uint32_t room = 0;

	do {
		uint32_t skip = at->bufs == first ? r->hdr_len : 0;
		unsigned max = (unsigned)(r->lend_vec + LEND_VECS - vec);
		struct vq_chain c;

		if (at->bufs - first == limit)
			goto none;
		if (pop_buf(r, vec, max, &c) != 1) {
			why = EMPTY;
			goto none;
		}
		r->lend_buf[at->bufs++] = (struct vnet_buf){c.head, c.in_len};
		if (skip)
			note_hdr(r, &c, &r->slot[i].hdr);
		/* Without the header; also closes the gap of skipped readable entries. */
		vec += iov_slice(c.vec, c.nin, skip, c.in_len - skip, vec, c.nin, NULL);
		room += c.in_len - skip;
		if (vec - base > (ptrdiff_t)NET_VEC_MAX - 1)
			goto none;
	} while (room < want || !room);
	r->slot[i].first = first;
	r->slot[i].nbufs = at->bufs - first;
	r->slot[i].room = room;
	s->f = (struct net_frame){.vec = base - 1, .nvec = (unsigned)(vec - base) + 1, .len = room};
	s->cookie = i;
	at->vecs = (unsigned)(vec - r->lend_vec);
	return LENT;
none:
	unpop_bufs(r, r->lend_buf, first, at->bufs);
	at->bufs = first;
	return why;
}

unsigned vnet_lend(struct net_port *p, unsigned pair, uint32_t room, struct net_slot *s,
		   unsigned ns)
{
	struct vnet *n = vnet_of_port(p);
	struct vnet_rx *r = &n->rx[pair];
	struct lender at = {0};
	enum lent rc = EMPTY;
	unsigned i = 0;

	/* No frame is longer than that, whatever the borrower would like. */
	room = MIN(room, NET_FRAME_MAX);
	ns = MIN(ns, NET_BATCH);
	if (r->lent || !vnet_rxq(n, pair)->running) {
		r->stalled = true;
		return 0;
	}
	for (;;) {
		while (i < ns && (rc = lend_slot(r, i, room, &at, &s[i])) == LENT)
			i++;
		if (i || rc != EMPTY || !look_again(r))
			break;
	}
	/* Buffers that do not fit: the driver may add others. */
	if (!i && rc == UNFIT) {
		r->stalled = true;
		vq_kicks_on(vnet_rxq(n, pair));
	}
	if (vnet_rxq(n, pair)->broken)
		virtio_pci_done(&n->v, 2 * pair);
	r->lent = i;
	return i;
}

/* Completes the chains of slot i that len bytes of frame fill; returns how many. */
static unsigned commit_slot(struct vnet_rx *r, unsigned i, const struct net_frame *f)
{
	const struct vnet_buf *b = r->lend_buf + r->slot[i].first;
	struct vnet_hash hash = vnet_hash(&r->n->rss, f);
	uint32_t left = r->hdr_len + MIN(f->len, r->slot[i].room);
	unsigned used = 0;

	while (left && used < r->slot[i].nbufs) {
		uint32_t part = MIN(left, b[used].room);

		vq_put(vnet_rxq(r->n, r->pair), b[used].head, part);
		left -= part;
		used++;
	}
	write_hdr(r, &r->slot[i].hdr, &f->off, hash, used);
	return used;
}

void vnet_commit(struct net_port *p, unsigned pair, struct net_slot *s, unsigned ns)
{
	struct vnet *n = vnet_of_port(p);
	struct vnet_rx *r = &n->rx[pair];
	unsigned used[NET_BATCH] = {0}, lent = r->lent;

	r->lent = 0;
	for (unsigned i = 0; i < lent && i < ns; i++)
		if (s[i].f.len && passes(r, &s[i].f))
			used[i] = commit_slot(r, i, &s[i].f);
	/* The unused ones go back in the order in which they came: last one first. */
	for (unsigned i = lent; i-- > 0;)
		unpop_bufs(r, r->lend_buf + r->slot[i].first, used[i], r->slot[i].nbufs);
	virtio_pci_done(&n->v, 2 * pair);
}

/* --- life ----------------------------------------------------------------------------------- */

void vnet_rx_start(struct vnet_rx *r)
{
	r->stalled = false;
	r->lent = 0;
	vq_kicks_off(vnet_rxq(r->n, r->pair));
	/* Whoever was turned away while there was no driver. */
	if (vnet_on_loop(r->n, 2 * r->pair))
		net_resume(&r->n->nic.port, vnet_wire(r->n, r->pair));
}

void vnet_rx_kicked(struct vnet_rx *r)
{
	if (!r->stalled)
		return;
	r->stalled = false;
	vq_kicks_off(vnet_rxq(r->n, r->pair));
	net_resume(&r->n->nic.port, vnet_wire(r->n, r->pair));
}

int vnet_rx_init(struct vnet_rx *r, struct vnet *n, unsigned pair, struct err *e)
{
	r->n = n;
	r->pair = pair;
	r->vec = calloc(VNET_RING_MAX, sizeof(*r->vec));
	r->buf = calloc(VNET_RING_MAX, sizeof(*r->buf));
	r->lend_vec = calloc(LEND_VECS, sizeof(*r->lend_vec));
	r->lend_buf = calloc(LEND_BUFS, sizeof(*r->lend_buf));
	if (!r->vec || !r->buf || !r->lend_vec || !r->lend_buf)
		return err_set(e, ENOMEM, "no memory for a receive queue");
	return 0;
}

void vnet_rx_exit(struct vnet_rx *r)
{
	free(r->vec);
	free(r->buf);
	free(r->lend_vec);
	free(r->lend_buf);
}
