/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtqueue as the device sees it (virtio 1.2 chapter 2.6, layouts: split 2.7, packed 2.8). The
 * driver hands over chains of buffers; the device pops them, uses them and puts them back with
 * the number of bytes it wrote. Callers see chains and heads only, never rings: which layout it
 * is was said to vq_start().
 *
 * THREADS: one thread at a time; the owner (virtio_pci.h) keeps a queue on one event loop.
 *
 * GUEST: all of it is the guest's to write, also while we read. Each field is read once. What
 * violates the specification marks the queue broken (`why` says what): from then on it has
 * nothing to pop and takes nothing until vq_start().
 */
#ifndef VIRTIO_VIRTQUEUE_H
#define VIRTIO_VIRTQUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "accel/mem.h"
#include "base/err.h"

#define VQ_SIZE_MAX 32768u /* 2.7, 2.8.10.1: largest ring of either layout */

struct vq_conf {
	/* Guest-physical addresses of the three areas: descriptors (packed: the ring), driver
	 * area, device area. */
	uint64_t desc, avail, used;
	uint16_t size; /* descriptors; of the split layout: a power of two */
	/* negotiated VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_RING_PACKED */
	bool event_idx, indirect, packed;
};

/* A chain that was pulled out of a packed ring; by its head, which is an index of `copy`. */
struct vq_held {
	uint16_t id; /* the driver's name for it, as it is in memory */
	uint16_t n;  /* descriptors in the ring */
	uint16_t last;
};

/* What only the packed layout needs; private to virtqueue_packed.c. */
struct vq_packed {
	struct vring_packed_desc *ring;
	const uint32_t *driver; /* struct vring_packed_desc_event, both */
	uint32_t *device;
	struct vring_desc *copy; /* chains held, and free entries; `max` of them */
	struct vq_held *held;	 /* `max` */
	uint16_t free, nfree;	 /* first free entry of copy; how many */
	bool next_wrap, put_wrap;
	uint8_t said;	      /* VRING_PACKED_EVENT_FLAG_* as it is in the device area */
	unsigned moved;	      /* descriptors put since the driver was shown some */
	uint16_t first;	      /* where the first of those was put … */
	uint16_t first_flags; /* … and what makes the driver see it */
};

struct virtqueue {
	bool running, broken;
	bool lent; /* somebody else works on the ring: vq_lend() */
	bool event_idx, indirect, packed;
	uint16_t max, size; /* largest size allowed; the driver's */
	const char *why;    /* constant text: why it is broken */
	const struct guest_mem *mem;
	const struct vring_desc *desc; /* the driver's, packed: our copy */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next;	/* avail index of the next head to pop; packed: its place in the ring */
	uint16_t seen;	/* the driver's avail index as last read */
	uint16_t put;	/* used index up to which elements are written; packed: place */
	uint16_t shown; /* used index that the driver was shown */
	uint16_t *back; /* heads given back by vq_unpop(): a stack, `max` entries */
	uint16_t nback;
	struct vq_packed p;
};

/* A popped chain: nout device-readable entries, then nin device-writable ones, in vec. */
struct vq_chain {
	uint16_t head;
	uint16_t nout, nin;
	uint32_t out_len, in_len; /* bytes */
	struct iovec *vec;
};

/* max: largest size a driver may choose, a power of two <= VQ_SIZE_MAX. */
int vq_init(struct virtqueue *q, uint16_t max, struct err *e);
/* Behind vq_init() for a queue that may be started packed. */
int vq_init_packed(struct virtqueue *q, struct err *e);
void vq_exit(struct virtqueue *q);

/* Checks the rings' size, alignment and place in memory and begins at index 0. Returns 0 or
 * -EINVAL, the queue is broken then. */
int vq_start(struct virtqueue *q, const struct guest_mem *mem, const struct vq_conf *c);
void vq_stop(struct virtqueue *q);

/*
 * Pops one chain, described in vec[0 … max - 1]. Returns 1; 0 when there is none (or the queue is
 * broken or stopped); -ENOBUFS when the chain has more than max entries: it stays where it is. A
 * chain has at most `size` entries. Empty descriptors are left out.
 */
int vq_pop(struct virtqueue *q, struct iovec *vec, unsigned max, struct vq_chain *c);

/* Pops up to n chains into one array of max entries, with `spare` free entries before each
 * chain's own; returns how many. */
unsigned vq_pop_batch(struct virtqueue *q, struct iovec *vec, unsigned max, unsigned spare,
		      struct vq_chain *c, unsigned n);

/* Gives a popped chain back, unused: it is the next to be popped. Several: last one first. */
void vq_unpop(struct virtqueue *q, uint16_t head);

/* Puts a used chain, into which the device wrote len bytes, on the used ring. The driver sees it
 * after vq_publish(). */
void vq_put(struct virtqueue *q, uint16_t head, uint32_t len);

/* Shows the driver all that was put; true when it wants an interrupt for it (2.7.7, 2.8.14). */
bool vq_publish(struct virtqueue *q);

/* Asks the driver not to kick (a hint, 2.7.10). */
void vq_kicks_off(struct virtqueue *q);

/* Asks for a kick when the next chain comes, then looks again: true when one came meanwhile (and
 * perhaps without a kick). Chains given back do not count. */
bool vq_kicks_on(struct virtqueue *q);

/* Chains that are ready to be popped now, given-back ones included. */
unsigned vq_ready(struct virtqueue *q);

/*
 * Can the ring be lent just now? Only a split one that runs, between two batches, when the chains
 * that were given back are the latest ones: then an index tells where it stands.
 */
bool vq_may_lend(const struct virtqueue *q);
/*
 * Hands such a ring to somebody else (the kernel): nobody pops or puts here until vq_take_back().
 * Returns the avail index from which on nothing was used; it is the used index as well.
 */
uint16_t vq_lend(struct virtqueue *q);

/* The ring is ours again; the other one has used all chains before avail index next. */
void vq_take_back(struct virtqueue *q, uint16_t next);

/* Started and not broken, whoever works on it. */
static inline bool vq_live(const struct virtqueue *q)
{
	return q->mem && !q->broken;
}

/* Marks the queue broken from outside: a chain without sense for the device. why: constant. */
void vq_break(struct virtqueue *q, const char *why);

#endif
