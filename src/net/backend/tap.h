/* SPDX-License-Identifier: BSD-2-Clause */
/* Between tap_open.c (options, /dev/net/tun) and tap.c (the data path). */
#ifndef NET_BACKEND_TAP_H
#define NET_BACKEND_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/port/port.h"

enum tap_switch { TAP_OFF, TAP_ON, TAP_LEFT_OUT };
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
	int vhost;	 /* enum tap_switch */
	uint32_t vhostfd; /* or TAP_FD_NONE */
	char *vhostfds;	 /* "a:b:c", or NULL */
	bool vhostforce;
};

/* An open TAP, non-blocking, IFF_NO_PI; with vnet, 12-byte virtio_net_hdr. */
struct tap_dev {
	unsigned n;	    /* queues */
	int fd[NET_QUEUES]; /* one for each, owned; -1 once a port has taken it over */
	char ifname[IFNAMSIZ];
	bool vnet; /* IFF_VNET_HDR */
	bool uso;  /* the kernel knows UDP segmentation (6.2 and later) */
	bool vhost, vhost_force;
	int vhost_fd[NET_QUEUES]; /* with vhost: as fd, each with this process as its owner */
	uint64_t vhost_features;
};

/* tap_vhost.c */
/* Are vhost descriptors handed over? */
bool tap_vhost_given(const struct tap_opts *o);
/* Options that exclude each other, or are too few for the queues that there are. */
int tap_vhost_check(const struct tap_opts *o, unsigned queues, struct err *e);
/*
 * Opens, or takes over, a vhost descriptor for each of d's queues. Without one that can be used d
 * stays without vhost: a line says so. An error is what was given and cannot be used, and vhostforce=on
 * that cannot be had. On failure d->vhost_fd has nothing that is to be closed.
 */
int tap_vhost_open(const struct tap_opts *o, struct tap_dev *d, struct err *e);
/* ioctl(): as net_vhost.ioctl */
int tap_vhost_ioctl(int fd, unsigned long request, void *arg);
/* Parses "a:b:c". Returns how many, or -errno; opt: of messages. */
int tap_parse_fds(const char *opt, const char *fds, int fd[NET_QUEUES], struct err *e);

/* Makes an unjoined port, which takes over dev->fd. On failure dev keeps it. */
int tap_port_new(struct tap_dev *dev, const char *id, struct net_port **port, struct err *e);

#endif
