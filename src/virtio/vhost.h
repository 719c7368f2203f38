/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's vhost interface as far as a network card needs it: one vhost-net descriptor works on
 * one receive and one transmit ring, between guest memory and a socket (of a TAP). Knows neither
 * card nor backend.
 *
 * THREADS: one at a time for each descriptor. ERRORS: -errno, and *what names the request.
 */
#ifndef VIRTIO_VHOST_H
#define VIRTIO_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/virtqueue.h"

#define VHOST_RINGS 2 /* receive, transmit */

struct vhost {
	int fd;
	/* ioctl(), or what a test has in its place: 0 or more, or -errno. */
	int (*ioctl)(int fd, unsigned long request, void *arg);
};

struct vhost_ring {
	const struct virtqueue *ring; /* lent */
	uint16_t next;		      /* from vq_lend() */
	int kick, call, err;	      /* eventfds; call may be -1: nobody is interrupted */
};

/* Features of the rings that the kernel has to share with the card (virtio 1.2, 6). */
uint64_t vhost_ring_features(void);

/*
 * Gives both rings to the kernel, which works on them from now on. features: those negotiated with
 * the driver, of which the kernel is told what concerns it; all of vhost_ring_features() among them
 * must be the kernel's, too. own_hdr: the socket has no virtio_net_hdr, the kernel makes and drops
 * it. The kernel sees guest memory as the rings see it (ring->mem), nothing else. After an error
 * nothing is given.
 */
int vhost_start(const struct vhost *d, uint64_t features, bool own_hdr,
		const struct vhost_ring r[VHOST_RINGS], int sock, const char **what);

/* Takes them back; the kernel has let go when it returns. next: where each goes on. */
int vhost_stop(const struct vhost *d, uint16_t next[VHOST_RINGS], const char **what);

/* Ring i interrupts by eventfd `call` from now on, -1: not at all. */
int vhost_set_call(const struct vhost *d, unsigned i, int call);

#endif
