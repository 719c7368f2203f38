/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a backend may have beside its port: a data path in the kernel (vhost-net) that takes the
 * rings of a virtio card themselves. No frame passes the port while it has them.
 *
 * The backend makes one of these and shows it in its caps (net_caps.vhost), and the card on the
 * wire decides for each queue whether the kernel has it: the card knows the guest. Caps cross a hub
 * of two members, and are withdrawn when the wire changes, is looked at (net_watch) or goes; the
 * card gives all queues back before that call returns.
 *
 * THREADS: [q] as in port.h.
 */
#ifndef NET_PORT_VHOST_H
#define NET_PORT_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "net/port/port.h"

#define NET_VHOST_NOBODY "no virtio card is alone with it"

struct net_vhost {
	unsigned n;	      /* queues: for each a vhost descriptor and a socket */
	int fd[NET_QUEUES];   /* of /dev/vhost-net, with an owner; the backend's */
	int sock[NET_QUEUES]; /* what VHOST_NET_SET_BACKEND is told */
	uint64_t features;    /* VHOST_GET_FEATURES, what all of fd[] have */
	bool vnet_hdr; /* sock[] has virtio_net_hdr before each frame, of the card's length */
	bool force;    /* also for a guest that does not use MSI-X */
	/* ioctl(), but for tests: 0 or more, or -errno. */
	int (*ioctl)(int fd, unsigned long request, void *arg);
	/* [q] The backend reads queue q no more. False: frames that it read before wait for room in
	 * the card; to be tried again when there was some. */
	bool (*take)(struct net_vhost *v, unsigned q);
	/* [q] And reads it again. */
	void (*give)(struct net_vhost *v, unsigned q);
	/* Why the kernel does not have the queue (constant text); NULL: it has. Written by the card
	 * on loop q while it is shown this, else NET_VHOST_NOBODY. */
	const char *why[NET_QUEUES];
};

#endif
