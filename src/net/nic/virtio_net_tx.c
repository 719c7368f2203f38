/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net, guest to peer (virtio 1.2 section 5.1.6.2).
 *
 * The driver's kick wakes the loop. Chains are popped in batches of up to NET_BATCH; of each the
 * virtio_net_hdr is copied out and checked, the rest becomes a frame whose entries point straight
 * into guest memory, and one net_push() hands the batch over. Frames that were taken are done
 * with when net_push() returns, so their chains go back at once, with one interrupt per batch.
 *
 * A peer without room takes only the first few frames. The chains of the others are given back
 * to the ring, kicks stay off, and nothing happens until the peer's resume(). When the ring is
 * empty, kicks are asked for, and the ring is looked at once more.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/nic/virtio_net.h"
#include "net/prot.h"

#define ROUNDS 4 /* batches before other work on this loop has its turn */

/* A segmented frame needs its features, a segment size and a checksum to be filled in. */
static const char *check_gso(const struct vnet *n, const struct net_offload *o, uint32_t len)
{
	unsigned bit;

	switch (o->gso_type & ~NET_GSO_ECN) {
	case NET_GSO_TCPV4:
		bit = VIRTIO_NET_F_HOST_TSO4;
		break;
	case NET_GSO_TCPV6:
		bit = VIRTIO_NET_F_HOST_TSO6;
		break;
	case NET_GSO_UDP_L4:
		bit = VIRTIO_NET_F_HOST_USO;
		break;
	default:
		return "segmentation type that is not offered";
	}
	if (!virtio_has(&n->v, bit))
		return "segmentation that was not negotiated";
	if (o->gso_type == (NET_GSO_UDP_L4 | NET_GSO_ECN))
		return "segmentation of UDP with ECN";
	if (o->gso_type & NET_GSO_ECN && !virtio_has(&n->v, VIRTIO_NET_F_HOST_ECN))
		return "segmentation with ECN that was not negotiated";
	if (!o->gso_size)
		return "segment size 0";
	if (!(o->flags & NET_F_NEEDS_CSUM))
		return "segmentation without checksum offload";
	if (o->hdr_len > len)
		return "headers longer than the frame";
	return NULL;
}

/* Makes o from the driver's header for a frame of len bytes. Returns NULL or what is wrong. */
static const char *check_hdr(const struct vnet *n, const struct virtio_net_hdr *h, uint32_t len,
			     struct net_offload *o)
{
	*o = (struct net_offload){0};
	if (len < ETH_HDR)
		return "shorter than an Ethernet header";
	if (len > NET_FRAME_MAX)
		return "longer than any frame";
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		o->flags = NET_F_NEEDS_CSUM;
		o->csum_start = le16toh(h->csum_start);
		o->csum_offset = le16toh(h->csum_offset);
		if (!virtio_has(&n->v, VIRTIO_NET_F_CSUM))
			return "checksum offload that was not negotiated";
		if (o->csum_start < ETH_HDR || o->csum_start + o->csum_offset + 2u > len)
			return "checksum outside of the frame";
	}
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return NULL;
	o->gso_type = h->gso_type;
	o->gso_size = le16toh(h->gso_size);
	o->hdr_len = le16toh(h->hdr_len);
	return check_gso(n, o, len);
}

/*
 * Makes frame f of chain c, which has one spare entry in front of its own. Returns 1, 0 when the
 * frame is dropped (its chain is put back), -ENOBUFS when it needs the bounce buffer and that
 * holds an earlier frame of this batch, -EPROTO when the chain is no frame at all.
 */
static int make_frame(struct vnet_tx *t, struct vq_chain *c, struct net_frame *f, bool *bounced)
{
	struct vnet *n = t->n;
	struct virtio_net_hdr_mrg_rxbuf hdr = {0};
	unsigned skip = 0, nout = c->nout;
	const char *why;

	/* The hash in the longer header is not for us (5.1.6.2). */
	if (c->out_len < t->hdr_len)
		return -EPROTO;
	iov_read(c->vec, nout, 0, &hdr, MIN(t->hdr_len, sizeof(hdr)));
	why = check_hdr(n, &hdr.hdr, c->out_len - t->hdr_len, &f->off);
	if (why) {
		net_drop(&n->nic.port, vnet_wire(n, t->pair), why);
		return 0;
	}
	f->len = c->out_len - t->hdr_len;
	/* Take the header off the front; the last entry that it fills becomes vec[0]. */
	for (uint32_t left = t->hdr_len; left;) {
		struct iovec *v = &c->vec[skip];
		uint32_t part = (uint32_t)MIN(v->iov_len, left);

		v->iov_base = (char *)v->iov_base + part;
		v->iov_len -= part;
		left -= part;
		skip += !v->iov_len;
	}
	f->vec = c->vec + skip - 1;
	f->nvec = nout - skip + 1;
	if (f->nvec <= NET_VEC_MAX)
		return 1;
	if (*bounced)
		return -ENOBUFS;
	*bounced = true;
	iov_read(f->vec + 1, f->nvec - 1, 0, t->bounce, f->len);
	f->vec[1] = (struct iovec){t->bounce, f->len};
	f->nvec = 2;
	return 1;
}

static void unpop_from(struct virtqueue *q, const struct vq_chain *c, unsigned from, unsigned n)
{
	while (n > from)
		vq_unpop(q, c[--n].head);
}

/* One batch. Returns false when there is nothing more to do now. */
static bool tx_batch(struct vnet_tx *t)
{
	struct vnet *n = t->n;
	struct virtqueue *q = vnet_txq(n, t->pair);
	unsigned chains, frames = 0, sent = 0, i;
	bool bounced = false;

	chains = vq_pop_batch(q, t->vec, t->room, 1, t->chain, NET_BATCH);
	if (!chains)
		return false;
	for (i = 0; i < chains; i++) {
		int rc = make_frame(t, &t->chain[i], &t->frame[frames], &bounced);

		if (rc == -EPROTO)
			vq_break(q, "a transmit chain shorter than its header");
		if (rc < 0)
			break;
		if (rc)
			t->head[frames++] = t->chain[i].head;
		else
			vq_put(q, t->chain[i].head, 0);
	}
	unpop_from(q, t->chain, i, chains);
	if (frames)
		sent = net_push(&n->nic.port, vnet_wire(n, t->pair), t->frame, frames);
	/* The driver may have reset the device from another thread, but not this queue: that
	 * waits for us. */
	for (i = 0; i < sent; i++)
		vq_put(q, t->head[i], 0);
	for (i = frames; i > sent; i--)
		vq_unpop(q, t->head[i - 1]);
	virtio_pci_done(&n->v, 2 * t->pair + 1);
	t->stalled = sent < frames;
	if (t->stalled)
		n->blocked[vnet_wire(n, t->pair)] = (uint8_t)(t->pair + 1);
	return !t->stalled;
}

/* May this pair send? Not while it is out of use, and not past one that shares its queue of the
 * wire and holds a frame of which the peer has a part. */
static bool may_send(struct vnet_tx *t)
{
	struct vnet *n = t->n;
	uint8_t first = n->blocked[vnet_wire(n, t->pair)];

	if (t->busy || t->stalled || !vnet_txq(n, t->pair)->running || t->pair >= n->active)
		return false;
	t->stalled = first && first != t->pair + 1;
	return !t->stalled;
}

void vnet_tx_run(struct vnet_tx *t)
{
	struct virtqueue *q = vnet_txq(t->n, t->pair);

	if (!may_send(t))
		return;
	t->busy = true;
	vq_kicks_off(q);
	for (unsigned round = 0;; round++) {
		if (round == ROUNDS) {
			loop_defer(t->n->nic.port.loop[vnet_wire(t->n, t->pair)], &t->more);
			break;
		}
		if (tx_batch(t))
			continue;
		if (t->stalled) {
			if (!t->again)
				break;
			t->again = t->stalled = false;
			t->n->blocked[vnet_wire(t->n, t->pair)] = 0;
			continue;
		}
		if (!vq_kicks_on(q))
			break;
		vq_kicks_off(q);
	}
	t->again = false;
	t->busy = false;
	virtio_pci_done(&t->n->v, 2 * t->pair + 1);
}

static void run_more(struct loop_task *task)
{
	vnet_tx_run(container_of(task, struct vnet_tx, more));
}

/* The pairs that share this queue of the wire; first the one that the peer sent away. */
void vnet_tx_resume(struct vnet *n, unsigned wire)
{
	unsigned at = n->blocked[wire] ? n->blocked[wire] - 1u : wire, turns = 0;
	bool busy = false;

	/* From within a push: its pair looks at `again` when that returns. */
	for (unsigned i = wire; i < n->pairs; i += n->wires, turns++) {
		n->tx[i].again = n->tx[i].busy;
		n->tx[i].stalled &= n->tx[i].busy;
		busy |= n->tx[i].busy;
	}
	n->blocked[wire] = 0;
	for (; turns; turns--) {
		if (!busy)
			vnet_tx_run(&n->tx[at]);
		else if (!n->tx[at].busy)
			loop_defer(n->nic.port.loop[wire], &n->tx[at].more);
		at = at + n->wires < n->pairs ? at + n->wires : wire;
	}
}

void vnet_tx_forget(struct vnet_tx *t, struct loop *l)
{
	uint8_t *blocked = &t->n->blocked[vnet_wire(t->n, t->pair)];

	t->stalled = false;
	if (*blocked == t->pair + 1)
		*blocked = 0;
	if (l)
		loop_undefer(l, &t->more);
}

int vnet_tx_init(struct vnet_tx *t, struct vnet *n, unsigned pair, struct err *e)
{
	t->n = n;
	t->pair = pair;
	t->more.fn = run_more;
	/* Most frames have few pieces; one of as many as the ring has always fits. */
	t->room = NET_BATCH * 24 + VNET_RING_MAX + 1;
	t->vec = calloc(t->room, sizeof(*t->vec));
	t->bounce = malloc(NET_FRAME_MAX);
	if (!t->vec || !t->bounce)
		return err_set(e, ENOMEM, "no memory for a transmit queue");
	return 0;
}

void vnet_tx_exit(struct vnet_tx *t)
{
	free(t->vec);
	free(t->bounce);
}
