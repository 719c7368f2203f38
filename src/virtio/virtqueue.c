/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtqueue, device side: what both layouts share, and the split one (virtio 1.2 section 2.7); the
 * packed one is in virtqueue_packed.c, which tells in which way it differs.
 *
 * Three areas lie in guest memory: the descriptor table, the avail ring (driver to device) and
 * the used ring (device to driver). vq_start() checks that each lies in memory as a whole, so
 * that later accesses by index need a mask only. Addresses in descriptors are checked one by one.
 *
 * `next`, `put` and `shown` are ours alone, never read back from the guest. Chains that a device
 * popped and did not need go to a stack in our own memory and are popped again first: a device
 * need not use chains in the order in which it got them, so this holds for any subset, where
 * stepping the avail index back would hold for the latest ones only.
 *
 * The two sides meet in two races, each closed by a full barrier (2.7.7.2, 2.7.13.4.1): we show
 * used elements, then read whether an interrupt is wanted; we ask for kicks, then look again.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "virtio/virtqueue_priv.h"

static uint16_t load16(const uint16_t *p, int order)
{
	return le16toh(order == __ATOMIC_ACQUIRE ? __atomic_load_n(p, __ATOMIC_ACQUIRE)
						 : __atomic_load_n(p, __ATOMIC_RELAXED));
}

static void store16(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, htole16(v), __ATOMIC_RELAXED);
}

/* 2.7.6: the word behind the avail ring; 2.7.8: the word behind the used ring. */
static uint16_t *used_event(const struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

static uint16_t *avail_event(const struct virtqueue *q)
{
	return (uint16_t *)(void *)&q->used->ring[q->size];
}

void vq_break(struct virtqueue *q, const char *why)
{
	if (q->broken)
		return;
	q->broken = true;
	q->why = why;
}

int vq_init(struct virtqueue *q, uint16_t max, struct err *e)
{
	*q = (struct virtqueue){.max = max};
	q->back = calloc(max, sizeof(*q->back));
	return q->back ? 0 : err_set(e, ENOMEM, "no memory for a virtqueue");
}

void vq_exit(struct virtqueue *q)
{
	free(q->back);
	free(q->p.copy);
	free(q->p.held);
	*q = (struct virtqueue){0};
}

void vq_stop(struct virtqueue *q)
{
	uint16_t max = q->max, *back = q->back;
	const struct vq_packed p = {.copy = q->p.copy, .held = q->p.held};

	*q = (struct virtqueue){.max = max, .back = back, .p = p};
}

static void start_split(struct virtqueue *q, const struct guest_mem *mem, const struct vq_conf *c)
{
	const uint64_t event = c->event_idx ? 2 : 0;
	uint64_t size = c->size;

	if (!size || size & (size - 1) || size > q->max) {
		vq_break(q, "its size is not a power of two up to the size offered");
	} else if (c->desc & 15 || c->avail & 1 || c->used & 3) {
		vq_break(q, "a ring's address is not aligned");
	} else {
		q->desc = mem_ptr(mem, c->desc, size * sizeof(struct vring_desc));
		q->avail = mem_ptr(mem, c->avail, 4 + 2 * size + event);
		q->used = mem_ptr(mem, c->used, 4 + 8 * size + event);
		if (!q->desc || !q->avail || !q->used)
			vq_break(q, "a ring lies outside of memory");
	}
	q->size = c->size;
}

int vq_start(struct virtqueue *q, const struct guest_mem *mem, const struct vq_conf *c)
{
	vq_stop(q);
	if (c->packed)
		vq_packed_start(q, mem, c);
	else
		start_split(q, mem, c);
	if (q->broken)
		return -EINVAL;
	q->mem = mem;
	q->event_idx = c->event_idx;
	q->indirect = c->indirect;
	q->running = true;
	return 0;
}

/* --- popping -------------------------------------------------------------------------------- */

/* How many heads the driver has added that we did not pop. */
static inline __attribute__((always_inline)) unsigned fresh(struct virtqueue *q)
{
	if (!q->running || q->broken)
		return 0;
	if (q->seen == q->next) {
		uint16_t idx = load16(&q->avail->idx, __ATOMIC_ACQUIRE);

		/* Neither more new ones, nor more in our hands, than there are descriptors. */
		if ((uint16_t)(idx - q->next) > q->size || (uint16_t)(idx - q->put) > q->size) {
			vq_break(q, "the avail index runs ahead of the ring");
			return 0;
		}
		q->seen = idx;
	}
	return (uint16_t)(q->seen - q->next);
}

unsigned vq_ready(struct virtqueue *q)
{
	unsigned n;

	if (!q->running || q->broken)
		return 0;
	n = q->packed ? vq_packed_ready(q) : fresh(q);
	return q->broken ? 0 : n + q->nback;
}

/* Where a chain is being read from, and what has been found so far. */
struct walk {
	struct virtqueue *q;
	const uint8_t *table;
	unsigned tsize; /* entries of table */
	unsigned steps; /* descriptors seen: more than the ring has is a loop */
	bool nested;	/* table is an indirect one */
	unsigned max;	/* entries of c->vec */
	struct vq_chain *c;
};

static int broken(struct walk *w, const char *why)
{
	vq_break(w->q, why);
	return -EPROTO;
}

/* 2.7.5.3, 2.8.7: the descriptor refers to a table of descriptors. */
static int walk_indirect(struct walk *w, const struct vring_desc *d, unsigned *i)
{
	uint32_t len = le32toh(d->len);

	if (!w->q->indirect)
		return broken(w, "an indirect descriptor, which was not negotiated");
	if (w->nested)
		return broken(w, "an indirect descriptor inside of an indirect table");
	if (le16toh(d->flags) & VRING_DESC_F_NEXT)
		return broken(w, "a descriptor with both INDIRECT and NEXT");
	if (!len || len % sizeof(*d))
		return broken(w, "an indirect table whose length is no multiple of 16");
	w->table = mem_ptr(w->q->mem, le64toh(d->addr), len);
	if (!w->table)
		return broken(w, "an indirect table outside of memory");
	w->tsize = len / sizeof(*d);
	w->nested = true;
	*i = 0;
	return 0;
}

/* One buffer of the chain. */
static inline __attribute__((always_inline)) int walk_buffer(struct walk *w,
							     const struct vring_desc *d)
{
	struct vq_chain *c = w->c;
	bool write = le16toh(d->flags) & VRING_DESC_F_WRITE;
	uint32_t len = le32toh(d->len), *sum = write ? &c->in_len : &c->out_len;
	unsigned n = c->nout + c->nin;

	if (!len)
		return 0;
	if (!write && c->nin)
		return broken(w, "a readable descriptor behind a writable one");
	if (len > UINT32_MAX - (c->in_len + c->out_len))
		return broken(w, "a chain of 4 GiB or more");
	void *p = mem_ptr(w->q->mem, le64toh(d->addr), len);

	if (!p)
		return broken(w, "a buffer outside of memory");
	if (n == w->max)
		return -ENOBUFS;
	c->vec[n] = (struct iovec){p, len};
	*sum += len;
	if (write)
		c->nin++;
	else
		c->nout++;
	return 0;
}

/* 2.8.7: an indirect table of the packed layout, one entry behind the other. By value and not
 * inlined: the split layout's walk keeps its state in registers then. */
static __attribute__((noinline)) int walk_row(struct walk w)
{
	for (unsigned i = 0; i < w.tsize; i++) {
		struct vring_desc d;
		int rc;

		if (w.steps++ == w.q->size)
			return broken(&w, "a chain longer than the queue");
		vq_copy_once(&d, w.table + i * sizeof(d), sizeof(d));
		/* The id is in front of the flags, and WRITE alone counts. */
		d.flags = d.next & htole16(VRING_DESC_F_WRITE);
		rc = walk_buffer(&w, &d);
		if (rc)
			return rc;
	}
	return 0;
}

static int walk_chain(struct walk *w)
{
	unsigned i = w->c->head;

	for (;;) {
		struct vring_desc d;
		int rc;

		if (i >= w->tsize)
			return broken(w, "a descriptor number past the end of its table");
		if (w->steps++ == w->q->size)
			return broken(w, "a chain longer than the queue, or a loop");
		vq_copy_once(&d, w->table + i * sizeof(d), sizeof(d));
		if (le16toh(d.flags) & VRING_DESC_F_INDIRECT) {
			rc = walk_indirect(w, &d, &i);
			if (rc)
				return rc;
			/* The descriptor that names the table is not part of the chain. */
			w->steps--;
			if (w->q->packed)
				return walk_row(*w);
			continue;
		}
		rc = walk_buffer(w, &d);
		if (rc)
			return rc;
		if (!(le16toh(d.flags) & VRING_DESC_F_NEXT))
			return 0;
		i = le16toh(d.next);
	}
}

int vq_pop(struct virtqueue *q, struct iovec *vec, unsigned max, struct vq_chain *c)
{
	struct walk w = {.q = q, .c = c, .max = max, .tsize = q->size};
	int rc;

	if (q->broken)
		return 0;
	*c = (struct vq_chain){.vec = vec};
	if (q->nback) {
		c->head = q->back[--q->nback];
	} else if (q->packed) {
		if (!vq_packed_pull(q, &c->head))
			return 0;
	} else {
		if (!fresh(q))
			return 0;
		c->head = load16(&q->avail->ring[q->next++ & (q->size - 1)], __ATOMIC_RELAXED);
	}
	w.table = (const uint8_t *)q->desc;
	rc = walk_chain(&w);
	if (rc == -ENOBUFS) {
		vq_unpop(q, c->head);
		return rc;
	}
	return rc ? 0 : 1;
}

unsigned vq_pop_batch(struct virtqueue *q, struct iovec *vec, unsigned max, unsigned spare,
		      struct vq_chain *c, unsigned n)
{
	unsigned i, used = 0;

	for (i = 0; i < n && max - used > spare; i++) {
		if (vq_pop(q, vec + used + spare, max - used - spare, &c[i]) != 1)
			break;
		used += spare + c[i].nout + c[i].nin;
	}
	return i;
}

void vq_unpop(struct virtqueue *q, uint16_t head)
{
	/* At most `size` heads are in our hands (fresh()), so there is always room. */
	if (q->running && q->nback < q->max)
		q->back[q->nback++] = head;
}

/* --- putting -------------------------------------------------------------------------------- */

void vq_put(struct virtqueue *q, uint16_t head, uint32_t len)
{
	if (!q->running || q->broken)
		return;
	if (q->packed) {
		vq_packed_put(q, head, len);
		return;
	}
	struct vring_used_elem *u = &q->used->ring[q->put++ & (q->size - 1)];

	__atomic_store_n(&u->id, htole32(head), __ATOMIC_RELAXED);
	__atomic_store_n(&u->len, htole32(len), __ATOMIC_RELAXED);
}

bool vq_publish(struct virtqueue *q)
{
	uint16_t old = q->shown;

	if (!q->running || q->broken)
		return false;
	if (q->packed)
		return vq_packed_publish(q);
	if (q->put == old)
		return false;
	__atomic_store_n(&q->used->idx, htole16(q->put), __ATOMIC_RELEASE);
	q->shown = q->put;
	atomic_thread_fence(memory_order_seq_cst);
	if (q->event_idx)
		return vring_need_event(load16(used_event(q), __ATOMIC_RELAXED), q->put, old);
	return !(load16(&q->avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* --- kicks ---------------------------------------------------------------------------------- */

void vq_kicks_off(struct virtqueue *q)
{
	if (!q->running || q->broken)
		return;
	/* With the event index there is nothing to do: the index stands behind us. */
	if (q->packed)
		vq_packed_kicks_off(q);
	else if (!q->event_idx)
		store16(&q->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool vq_kicks_on(struct virtqueue *q)
{
	if (!q->running || q->broken)
		return false;
	if (q->packed)
		return vq_packed_kicks_on(q);
	uint16_t idx = load16(&q->avail->idx, __ATOMIC_ACQUIRE), event;

	if (!q->event_idx) {
		store16(&q->used->flags, 0);
		atomic_thread_fence(memory_order_seq_cst);
		return load16(&q->avail->idx, __ATOMIC_ACQUIRE) != q->next;
	}
	/* The event is the next chain after those that are there; the driver may add some while
	 * we say so, then once more. It cannot keep us here: that is work found. */
	for (unsigned i = 0; i < 2; i++) {
		event = idx;
		store16(avail_event(q), event);
		atomic_thread_fence(memory_order_seq_cst);
		idx = load16(&q->avail->idx, __ATOMIC_ACQUIRE);
		if (idx == event)
			break;
	}
	return idx != q->next;
}

/* --- lending -------------------------------------------------------------------------------- */

/* Are the chains given back the ones popped last, in their order? Then the avail ring still has
 * them (if the driver leaves it alone, as it must). */
static bool back_are_latest(const struct virtqueue *q)
{
	uint16_t from = (uint16_t)(q->next - q->nback);

	for (unsigned i = 0; i < q->nback; i++) {
		const uint16_t *p = &q->avail->ring[(uint16_t)(from + i) & (q->size - 1)];

		if (load16(p, __ATOMIC_RELAXED) != q->back[q->nback - 1 - i])
			return false;
	}
	return true;
}

bool vq_may_lend(const struct virtqueue *q)
{
	/* Whatever was popped was put or given back: nothing is in our hands. */
	return q->running && !q->broken && !q->packed && q->put == q->shown &&
	       (uint16_t)(q->next - q->nback) == q->put && back_are_latest(q);
}

uint16_t vq_lend(struct virtqueue *q)
{
	q->nback = 0;
	q->running = false;
	q->lent = true;
	return q->put;
}

void vq_take_back(struct virtqueue *q, uint16_t next)
{
	if (!q->lent)
		return;
	q->lent = false;
	q->next = q->seen = q->put = q->shown = next;
	q->running = !q->broken;
}
