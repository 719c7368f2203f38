/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-net by its ioctls (linux/vhost.h). The order is the kernel's: rings can be set up only
 * while they have no socket, they begin to run when they get one and stop when they lose it, and
 * VHOST_NET_SET_BACKEND returns when the kernel's thread is out of the ring.
 *
 * A ring is addressed by where its parts lie in this process; what descriptors say is looked up in
 * the memory table. The kernel keeps the used index in guest memory only, and begins where it finds
 * it; when it stops, it has used all that it took, so that the avail index tells both.
 */
#include "virtio/vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "base/util.h"

#define BIT(n) (1ull << (n))

uint64_t vhost_ring_features(void)
{
	return BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) |
	       BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_F_RING_PACKED) |
	       BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_HASH_REPORT);
}

static int request(const struct vhost *d, unsigned long request, const char *name, void *arg,
		   const char **what)
{
	int rc = d->ioctl(d->fd, request, arg);

	if (rc < 0)
		*what = name;
	return rc < 0 ? rc : 0;
}

#define REQUEST(d, name, arg, what) request(d, name, #name, arg, what)

static int set_memory(const struct vhost *d, const struct guest_mem *mem, const char **what)
{
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r[MEM_REGIONS];
	} t = {.m.nregions = mem->n};

	for (unsigned i = 0; i < mem->n; i++)
		t.r[i] = (struct vhost_memory_region){
			.guest_phys_addr = mem->r[i].gpa,
			.memory_size = mem->r[i].size,
			.userspace_addr = (uintptr_t)mem->r[i].host,
		};
	return REQUEST(d, VHOST_SET_MEM_TABLE, &t, what);
}

static int set_ring(const struct vhost *d, unsigned i, const struct vhost_ring *r,
		    const char **what)
{
	struct vhost_vring_state num = {.index = i, .num = r->ring->size};
	struct vhost_vring_state base = {.index = i, .num = r->next};
	struct vhost_vring_addr addr = {
		.index = i,
		.desc_user_addr = (uintptr_t)r->ring->desc,
		.avail_user_addr = (uintptr_t)r->ring->avail,
		.used_user_addr = (uintptr_t)r->ring->used,
	};
	struct vhost_vring_file err = {.index = i, .fd = r->err};
	struct vhost_vring_file call = {.index = i, .fd = r->call};
	struct vhost_vring_file kick = {.index = i, .fd = r->kick};
	int rc = REQUEST(d, VHOST_SET_VRING_NUM, &num, what);

	if (!rc)
		rc = REQUEST(d, VHOST_SET_VRING_BASE, &base, what);
	if (!rc)
		rc = REQUEST(d, VHOST_SET_VRING_ADDR, &addr, what);
	if (!rc)
		rc = REQUEST(d, VHOST_SET_VRING_ERR, &err, what);
	if (!rc)
		rc = REQUEST(d, VHOST_SET_VRING_CALL, &call, what);
	if (!rc)
		rc = REQUEST(d, VHOST_SET_VRING_KICK, &kick, what);
	return rc;
}

static int set_socket(const struct vhost *d, unsigned i, int sock, const char **what)
{
	struct vhost_vring_file f = {.index = i, .fd = sock};

	return REQUEST(d, VHOST_NET_SET_BACKEND, &f, what);
}

/* The kernel lets go of the rings, then of the eventfds: doorbells shall not wake it. Goes on after
 * an error, and returns the first one. */
static int let_go(const struct vhost *d, const char **what)
{
	const char *other;
	int first = 0, rc;

	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		rc = set_socket(d, i, -1, first ? &other : what);
		first = first ? first : rc;
	}
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		struct vhost_vring_file none = {.index = i, .fd = VHOST_FILE_UNBIND};

		(void)d->ioctl(d->fd, VHOST_SET_VRING_KICK, &none);
		(void)d->ioctl(d->fd, VHOST_SET_VRING_CALL, &none);
		(void)d->ioctl(d->fd, VHOST_SET_VRING_ERR, &none);
	}
	return first;
}

int vhost_start(const struct vhost *d, uint64_t features, bool own_hdr,
		const struct vhost_ring r[VHOST_RINGS], int sock, const char **what)
{
	const char *other;
	int rc;

	features &= vhost_ring_features();
	if (own_hdr)
		features |= BIT(VHOST_NET_F_VIRTIO_NET_HDR);
	rc = REQUEST(d, VHOST_SET_FEATURES, &features, what);
	if (!rc)
		rc = set_memory(d, r[0].ring->mem, what);
	for (unsigned i = 0; i < VHOST_RINGS && !rc; i++)
		rc = set_ring(d, i, &r[i], what);
	for (unsigned i = 0; i < VHOST_RINGS && !rc; i++)
		rc = set_socket(d, i, sock, what);
	if (rc)
		let_go(d, &other);
	return rc;
}

int vhost_stop(const struct vhost *d, uint16_t next[VHOST_RINGS], const char **what)
{
	int first = let_go(d, what);

	for (unsigned i = 0; i < VHOST_RINGS && !first; i++) {
		struct vhost_vring_state base = {.index = i};

		first = REQUEST(d, VHOST_GET_VRING_BASE, &base, what);
		next[i] = (uint16_t)base.num;
	}
	return first;
}

int vhost_set_call(const struct vhost *d, unsigned i, int call)
{
	struct vhost_vring_file f = {.index = i, .fd = call};
	const char *what;

	return REQUEST(d, VHOST_SET_VRING_CALL, &f, &what);
}
