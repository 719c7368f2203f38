/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a virtqueue, for tests: memory, descriptors, both rings.
 *
 * Tests speak of the split layout: they fill descriptors and add heads. Of a packed ring (2.8) the
 * descriptors are kept here, and a chain is written to the ring when it is added, its head as id.
 */
#ifndef TEST_VIRTIO_RING_H
#define TEST_VIRTIO_RING_H

#include <linux/virtio_ring.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "accel/mem.h"
#include "base/util.h"

#define TMEM_BASE 0x10000ull

/* One region at TMEM_BASE that costs only what is touched. */
static inline void tmem_init(struct guest_mem *m, uint64_t size)
{
	*m = (struct guest_mem){.fd = -1, .n = 1};
	m->r[0].gpa = TMEM_BASE;
	m->r[0].size = size;
	m->r[0].host = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->r[0].host == MAP_FAILED)
		abort();
}

static inline void tmem_exit(struct guest_mem *m)
{
	munmap(m->r[0].host, m->r[0].size);
}

#define RING_MAX 1024

struct ring {
	struct guest_mem *mem;
	uint64_t desc, avail, used; /* gpa; packed: ring, driver area, device area */
	uint16_t size;
	uint16_t added; /* avail index; packed: place of the next descriptor */
	uint16_t seen;	/* used index up to which ring_used() went; packed: place */
	bool packed, added_wrap, seen_wrap;
	uint16_t count[RING_MAX];	   /* packed: descriptors of the chain with this head */
	struct vring_desc table[RING_MAX]; /* packed */
};

static inline struct vring_desc *ring_descs(struct ring *r)
{
	if (r->packed)
		return r->table;
	return mem_ptr(r->mem, r->desc, 16ull * r->size);
}

static inline struct vring_avail *ring_avail(const struct ring *r)
{
	return mem_ptr(r->mem, r->avail, 6 + 2ull * r->size);
}

static inline struct vring_used *ring_usedp(const struct ring *r)
{
	return mem_ptr(r->mem, r->used, 6 + 8ull * r->size);
}

/* The legacy layout, which is also a good one for modern rings. Returns the first byte behind. */
static inline uint64_t ring_init(struct ring *r, struct guest_mem *m, uint64_t gpa, uint16_t size)
{
	*r = (struct ring){.mem = m, .size = size, .desc = gpa};
	r->avail = r->desc + 16ull * size;
	r->used = align_up(r->avail + 6 + 2ull * size, 4096);
	memset(mem_ptr(m, gpa, r->used - gpa + 6 + 8ull * size), 0,
	       r->used - gpa + 6 + 8ull * size);
	return align_up(r->used + 6 + 8ull * size, 4096);
}

/* The same for the packed layout. */
static inline uint64_t ring_init_packed(struct ring *r, struct guest_mem *m, uint64_t gpa,
					uint16_t size)
{
	*r = (struct ring){.mem = m, .size = size, .desc = gpa, .packed = true};
	r->avail = r->desc + 16ull * size;
	r->used = r->avail + 4;
	r->added_wrap = r->seen_wrap = true;
	memset(mem_ptr(m, gpa, r->used + 4 - gpa), 0, r->used + 4 - gpa);
	return align_up(r->used + 4, 4096);
}

static inline struct vring_packed_desc *ring_packed(const struct ring *r)
{
	return mem_ptr(r->mem, r->desc, 16ull * r->size);
}

/* Driver's and device's event suppression area: off and wrap counter, flags. */
static inline uint16_t *ring_area(const struct ring *r, bool device)
{
	return mem_ptr(r->mem, device ? r->used : r->avail, 4);
}

static inline void ring_desc(struct ring *r, unsigned i, uint64_t addr, uint32_t len,
			     uint16_t flags, uint16_t next)
{
	ring_descs(r)[i] = (struct vring_desc){addr, len, flags, next};
}

static inline void ring_step(const struct ring *r, uint16_t *at, bool *wrap, unsigned n)
{
	*at = (uint16_t)(*at + n);
	if (*at >= r->size) {
		*at = (uint16_t)(*at - r->size);
		*wrap = !*wrap;
	}
}

/* 2.8.21: the flags of the first descriptor come last. */
static inline void ring_add_packed(struct ring *r, uint16_t head)
{
	struct vring_packed_desc *first = ring_packed(r) + r->added, *d;
	uint16_t i = head, flags, first_flags = 0, old = first->flags;

	if (head >= r->size) { /* no such thing here: what comes nearest */
		head = i = (uint16_t)(r->size - 1);
		ring_desc(r, i, 0, 1, 0, 0);
	}
	r->count[head] = 0;
	do {
		d = ring_packed(r) + r->added;
		*d = (struct vring_packed_desc){
			.addr = r->table[i].addr,
			.len = r->table[i].len,
			.id = head,
		};
		flags = (uint16_t)(r->table[i].flags | (r->added_wrap ? 1u << 7 : 1u << 15));
		if (d == first)
			first_flags = flags;
		d->flags = d == first ? old : flags;
		ring_step(r, &r->added, &r->added_wrap, 1);
		r->count[head]++;
		i = r->table[i].next;
	} while (flags & VRING_DESC_F_NEXT && i < r->size && r->count[head] < r->size);
	__atomic_store_n(&first->flags, first_flags, __ATOMIC_RELEASE);
}

/* Makes the chain that begins at head available. */
static inline void ring_add(struct ring *r, uint16_t head)
{
	if (r->packed) {
		ring_add_packed(r, head);
		return;
	}
	struct vring_avail *a = ring_avail(r);

	a->ring[r->added % r->size] = head;
	r->added++;
	__atomic_store_n(&a->idx, r->added, __ATOMIC_RELEASE);
}

static inline bool ring_used_packed(struct ring *r, uint32_t *id, uint32_t *len)
{
	const struct vring_packed_desc *d = ring_packed(r) + r->seen;
	uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

	if ((flags >> 7 & 1) != r->seen_wrap || flags >> 15 != r->seen_wrap)
		return false;
	*id = d->id;
	*len = d->len;
	ring_step(r, &r->seen, &r->seen_wrap, r->count[*id % RING_MAX]);
	return true;
}

/* The next used element, if there is one. */
static inline bool ring_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	if (r->packed)
		return ring_used_packed(r, id, len);
	struct vring_used *u = ring_usedp(r);

	if (__atomic_load_n(&u->idx, __ATOMIC_ACQUIRE) == r->seen)
		return false;
	*id = u->ring[r->seen % r->size].id;
	*len = u->ring[r->seen % r->size].len;
	r->seen++;
	return true;
}

/* The interrupt is wanted when used element (packed: descriptor of this lap) v is there. */
static inline void ring_set_used_event(struct ring *r, uint16_t v)
{
	if (r->packed) {
		ring_area(r, false)[0] = (uint16_t)(v | r->seen_wrap << 15);
		ring_area(r, false)[1] = VRING_PACKED_EVENT_FLAG_DESC;
		return;
	}
	ring_avail(r)->ring[r->size] = v;
}

/* The chain (packed: descriptor, without the wrap counter) for which a kick is wanted. */
static inline uint16_t ring_avail_event(struct ring *r)
{
	if (r->packed)
		return ring_area(r, true)[0] & 0x7fff;
	return *(uint16_t *)(void *)&ring_usedp(r)->ring[r->size];
}

/* Without event index: are kicks not wanted? */
static inline bool ring_no_kicks(struct ring *r)
{
	if (r->packed)
		return ring_area(r, true)[1] == VRING_PACKED_EVENT_FLAG_DISABLE;
	return ring_usedp(r)->flags & VRING_USED_F_NO_NOTIFY;
}

#endif
