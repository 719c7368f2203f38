/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of a split virtqueue, for tests: memory, descriptors, both rings. */
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

struct ring {
	struct guest_mem *mem;
	uint64_t desc, avail, used; /* gpa */
	uint16_t size;
	uint16_t added; /* avail index */
	uint16_t seen;	/* used index up to which ring_used() went */
};

static inline struct vring_desc *ring_descs(const struct ring *r)
{
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

static inline void ring_desc(struct ring *r, unsigned i, uint64_t addr, uint32_t len,
			     uint16_t flags, uint16_t next)
{
	ring_descs(r)[i] = (struct vring_desc){addr, len, flags, next};
}

/* Makes the chain that begins at head available. */
static inline void ring_add(struct ring *r, uint16_t head)
{
	struct vring_avail *a = ring_avail(r);

	a->ring[r->added % r->size] = head;
	r->added++;
	__atomic_store_n(&a->idx, r->added, __ATOMIC_RELEASE);
}

/* The next used element, if there is one. */
static inline bool ring_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	struct vring_used *u = ring_usedp(r);

	if (__atomic_load_n(&u->idx, __ATOMIC_ACQUIRE) == r->seen)
		return false;
	*id = u->ring[r->seen % r->size].id;
	*len = u->ring[r->seen % r->size].len;
	r->seen++;
	return true;
}

static inline void ring_set_used_event(struct ring *r, uint16_t v)
{
	ring_avail(r)->ring[r->size] = v;
}

static inline uint16_t ring_avail_event(struct ring *r)
{
	return *(uint16_t *)(void *)&ring_usedp(r)->ring[r->size];
}

#endif
