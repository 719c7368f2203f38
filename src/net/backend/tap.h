/* SPDX-License-Identifier: BSD-2-Clause */
/* Between tap_open.c (options, /dev/net/tun) and tap.c (the data path). */
#ifndef NET_BACKEND_TAP_H
#define NET_BACKEND_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/backend/backend.h"
#include "net/port/vhost.h"

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
	uint32_t queues;  /* 0: not given */
	char *fds;	  /* "a:b:c", or NULL */
	char *helper;	  /* a program or a shell command */
	char *br;	  /* the bridge that it is told; or NULL */
	int vhost;	  /* enum tap_switch */
	uint32_t vhostfd; /* or TAP_FD_NONE */
	char *vhostfds;	  /* "a:b:c", or NULL */
	bool vhostforce;
};

/* An open TAP, non-blocking, IFF_NO_PI; with vnet, 12-byte virtio_net_hdr. */
struct tap_dev {
	unsigned n;	    /* queues */
	int fd[NET_QUEUES]; /* one for each, owned; -1 once a port has taken it over */
	char ifname[IFNAMSIZ];
	bool vnet;     /* IFF_VNET_HDR */
	bool uso;      /* the kernel knows UDP segmentation (6.2 and later) */
	char how[256]; /* for `info network`: "script=…,downscript=no"; may be empty */
	/* Called once before the descriptors are closed (downscript=); takes arg over. Or NULL. */
	void (*end)(void *arg);
	void *arg;
};

/* The kernel's data path, before there is a TAP for it. */
struct tap_vhost {
	unsigned n;	    /* queues; 0: none */
	int fd[NET_QUEUES]; /* of /dev/vhost-net, with this process as their owner */
	uint64_t features;
	bool force;
	bool given;	   /* the descriptors were handed over: not ours before a port has them */
	struct err missed; /* code 0, or why there is none although it was wished for */
};

/* --- tap_vhost.c ------------------------------------------------------------------------------ */

/*
 * Opens, or looks at, a vhost descriptor for each queue, if the options want it. A device that is
 * not there is no error, except for vhostforce=on; descriptors that were handed over and cannot be
 * used are. After an error nothing is open.
 */
int tap_vhost_open(const struct tap_opts *o, unsigned queues, struct tap_vhost *v, struct err *e);
void tap_vhost_close(struct tap_vhost *v);
/* A port of as many queues takes them over; says now what was missed. */
void tap_vhost_join(struct net_port *p, struct tap_vhost *v);
/* net_backend.below: whose each queue is, and what the interface has counted. */
void tap_vhost_below(const struct net_port *p, const struct text_out *out);

/* --- tap_open.c ------------------------------------------------------------------------------- */

/* No queues, no descriptors. */
void tap_dev_init(struct tap_dev *d);

/* Makes the interface, or takes the one of that name, by o->ifname, ->vnet_hdr, ->queues. On
 * failure *d keeps what it has. */
int tap_open_tun(const struct tap_opts *o, struct tap_dev *d, struct err *e);

/* Looks at a descriptor that came from elsewhere and adds it to *d; opt=fd, for messages. On
 * failure it is not in *d. */
int tap_take_fd(int fd, const char *opt, struct tap_dev *d, struct err *e);

/* Sets up what is the same for TAPs of every origin and makes the port; sndbuf: as in tap_opts. On
 * failure *d keeps what it has. */
int tap_finish(struct tap_dev *d, uint64_t sndbuf, const char *id, struct net_port **port,
	       struct err *e);

/* Closes what *d still has; d->end is not called. */
void tap_dev_close(struct tap_dev *d);

/* Parses "a:b:c" of option opt. Returns how many there are, or -errno. */
int tap_parse_fds(const char *opt, const char *fds, int fd[NET_QUEUES], struct err *e);

/* --- tap.c: the data path --------------------------------------------------------------------- */

/* Makes an unjoined port, which takes over dev->fd, end and arg. On failure dev keeps them. */
int tap_port_new(struct tap_dev *dev, const char *id, struct net_port **port, struct err *e);

/* net_backend.leave and .ifname of all backends whose port is a TAP's. */
void tap_leave(struct net_port *p);
const char *tap_ifname(const struct net_port *p);
void *tap_arg(const struct net_port *p); /* dev->arg */

/* Gives an unjoined port a data path in the kernel; its descriptors are the port's from now on.
 * ioctl: net_vhost.ioctl. */
void tap_set_vhost(struct net_port *p, const struct tap_vhost *v,
		   int (*ioctl)(int fd, unsigned long request, void *arg));
/* n 0: none */
const struct net_vhost *tap_get_vhost(const struct net_port *p);

#endif
