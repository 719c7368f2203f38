/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/vhost-net for tests: takes the ioctls as the kernel does, order and all, and works on the
 * rings when a test tells it to. Its descriptors are FAKE_VHOST, FAKE_VHOST + 1.
 */
#ifndef TEST_FAKE_VHOST_H
#define TEST_FAKE_VHOST_H

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define FAKE_VHOST   5000
#define FAKE_SOCK    6000
#define FAKE_DEVICES 2
#define FAKE_LOG     64

struct fake_ring {
	unsigned num;
	uint16_t base; /* next avail index */
	uint16_t used; /* next used index, as it was found in memory at the start */
	struct vhost_vring_addr addr;
	int kick, call, err, sock;
};

struct fake_vhost {
	struct fake_ring r[2];
	uint64_t features;
	unsigned nregions;
	struct vhost_memory_region region[8];
	unsigned long log[FAKE_LOG]; /* requests, in order */
	unsigned n, starts, stops;
	unsigned long refuse;  /* this request fails, once … */
	int refuse_code;       /* … with that */
	unsigned refuse_after; /* after it was granted so often */
};

static struct fake_vhost fake_vhost[FAKE_DEVICES];

static inline void fake_vhost_reset(void)
{
	memset(fake_vhost, 0, sizeof(fake_vhost));
	for (unsigned i = 0; i < FAKE_DEVICES; i++)
		for (unsigned k = 0; k < 2; k++)
			fake_vhost[i].r[k] =
				(struct fake_ring){.kick = -1, .call = -1, .err = -1, .sock = -1};
}

static inline int fake_set_socket(struct fake_vhost *f, struct fake_ring *r, int sock)
{
	const struct vring_used *u = (const void *)(uintptr_t)r->addr.used_user_addr;

	if (sock >= 0 && r->sock < 0) {
		if (!r->num || !u || !f->nregions)
			return -EFAULT;
		r->used = u->idx;
		f->starts++;
	} else if (sock < 0 && r->sock >= 0) {
		f->stops++;
	}
	r->sock = sock;
	return 0;
}

static inline int fake_file(struct fake_vhost *f, unsigned long request, struct vhost_vring_file *v)
{
	struct fake_ring *r = &f->r[v->index];

	switch (request) {
	case VHOST_SET_VRING_KICK:
		r->kick = v->fd;
		return 0;
	case VHOST_SET_VRING_CALL:
		r->call = v->fd;
		return 0;
	case VHOST_SET_VRING_ERR:
		r->err = v->fd;
		return 0;
	default:
		return fake_set_socket(f, r, v->fd);
	}
}

static inline int fake_state(struct fake_vhost *f, unsigned long request,
			     struct vhost_vring_state *v)
{
	struct fake_ring *r = &f->r[v->index];

	if (request == VHOST_GET_VRING_BASE) {
		v->num = r->base;
		return 0;
	}
	/* Not while it runs. */
	if (r->sock >= 0)
		return -EBUSY;
	if (request == VHOST_SET_VRING_NUM)
		r->num = v->num;
	else
		r->base = (uint16_t)v->num;
	return 0;
}

static inline int fake_vhost_ioctl(int fd, unsigned long request, void *arg)
{
	struct fake_vhost *f = &fake_vhost[fd - FAKE_VHOST];
	const struct vhost_memory *m = arg;

	if (fd < FAKE_VHOST || fd >= FAKE_VHOST + FAKE_DEVICES)
		return -EBADF;
	if (f->n < FAKE_LOG)
		f->log[f->n++] = request;
	if (f->refuse == request && !f->refuse_after--) {
		f->refuse_after = 0;
		f->refuse = 0;
		return f->refuse_code;
	}
	switch (request) {
	case VHOST_SET_FEATURES:
		memcpy(&f->features, arg, 8);
		return 0;
	case VHOST_SET_MEM_TABLE:
		f->nregions = m->nregions;
		memcpy(f->region, m->regions, MIN(m->nregions, 8u) * sizeof(m->regions[0]));
		return 0;
	case VHOST_SET_VRING_ADDR:
		memcpy(&f->r[((struct vhost_vring_addr *)arg)->index].addr, arg,
		       sizeof(struct vhost_vring_addr));
		return 0;
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
		return fake_state(f, request, arg);
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
	case VHOST_NET_SET_BACKEND:
		return fake_file(f, request, arg);
	default:
		return -ENOTTY;
	}
}

static inline void fake_ring_bell(int fd)
{
	const uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

/* The kernel uses up to n chains of ring k, as if it had written len bytes into each, and
 * interrupts. Returns how many there were. */
static inline unsigned fake_vhost_use(struct fake_vhost *f, unsigned k, unsigned n, uint32_t len)
{
	struct fake_ring *r = &f->r[k];
	const struct vring_avail *a = (const void *)(uintptr_t)r->addr.avail_user_addr;
	struct vring_used *u = (void *)(uintptr_t)r->addr.used_user_addr;
	unsigned i;

	for (i = 0; r->sock >= 0 && i < n && r->base != a->idx; i++) {
		u->ring[r->used % r->num] =
			(struct vring_used_elem){a->ring[r->base++ % r->num], len};
		__atomic_store_n(&u->idx, ++r->used, __ATOMIC_RELEASE);
	}
	if (i)
		fake_ring_bell(r->call);
	return i;
}

static inline bool fake_vhost_runs(const struct fake_vhost *f)
{
	return f->r[0].sock >= 0 && f->r[1].sock >= 0;
}

#endif
