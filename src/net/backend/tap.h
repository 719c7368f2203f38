/* SPDX-License-Identifier: BSD-2-Clause */
/* Between tap_open.c (options, /dev/net/tun) and tap.c (the data path). */
#ifndef NET_BACKEND_TAP_H
#define NET_BACKEND_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/port/port.h"

enum tap_vnet { TAP_VNET_OFF, TAP_VNET_ON, TAP_VNET_AUTO };

#define TAP_FD_NONE	UINT32_MAX /* fd= not given */
#define TAP_SNDBUF_NONE UINT64_MAX /* sndbuf= not given */

/* The parsed options: what net_backend_tap.open() takes. Strings may be NULL: not given. */
struct tap_opts {
	uint32_t fd; /* or TAP_FD_NONE */
	char *ifname;
	char *script, *downscript;
	int vnet_hdr; /* enum tap_vnet */
	uint64_t sndbuf;
	uint32_t queues; /* 0: not given */
	char *fds;	 /* "a:b:c", or NULL */
	char *unused;	 /* options that are errors so far */
};

/* An open TAP, non-blocking, IFF_NO_PI; with vnet, 12-byte virtio_net_hdr. */
struct tap_dev {
	unsigned n;	    /* queues */
	int fd[NET_QUEUES]; /* one for each, owned; -1 once a port has taken it over */
	char ifname[IFNAMSIZ];
	bool vnet; /* IFF_VNET_HDR */
	bool uso;  /* the kernel knows UDP segmentation (6.2 and later) */
};

/* Makes an unjoined port, which takes over dev->fd. On failure dev keeps it. */
int tap_port_new(struct tap_dev *dev, const char *id, struct net_port **port, struct err *e);

#endif
