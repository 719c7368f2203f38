/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP: the kernel's data path for virtio cards (vhost-net, rows T9 to T11), as far as it can be had
 * before there is a card, and in the monitor: a descriptor of /dev/vhost-net for each queue, ours
 * or handed over. Making this process its owner starts the kernel's thread for it, "vhost-PID"; so
 * all that may fail with the device fails here, where the program can still go on without.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "net/backend/tap.h"

#define VHOST_DEV "/dev/vhost-net"

static int vhost_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

static bool given(const struct tap_opts *o)
{
	return o->vhostfd != TAP_FD_NONE || o->vhostfds;
}

/* As in QEMU: a descriptor, or the wish to force it, is wish enough. */
static bool wanted(const struct tap_opts *o)
{
	return o->vhost == TAP_LEFT_OUT ? given(o) || o->vhostforce : o->vhost == TAP_ON;
}

/* What the options give; fd: the descriptors handed over. */
static int check(const struct tap_opts *o, unsigned queues, int fd[NET_QUEUES], struct err *e)
{
	const char *name = o->vhostfds ? "vhostfds" : "vhostfd";
	int n = 1;

	if (o->vhost == TAP_OFF && (given(o) || o->vhostforce))
		return err_set(e, EINVAL,
			       "tap: vhost=off and %s= exclude each other; give vhost=on",
			       given(o) ? name : "vhostforce");
	if (o->vhostfd != TAP_FD_NONE && o->vhostfds)
		return err_set(e, EINVAL, "tap: vhostfd= and vhostfds= exclude each other");
	fd[0] = (int)o->vhostfd;
	if (o->vhostfds)
		n = tap_parse_fds("vhostfds", o->vhostfds, fd, e);
	if (n < 0)
		return n;
	if (given(o) && n != (int)queues)
		return err_set(e, EINVAL,
			       "tap: %s=: %d descriptor%s for %u queue%s; give vhostfds=h:h… with "
			       "one for each queue",
			       name, n, n == 1 ? "" : "s", queues, queues == 1 ? "" : "s");
	return 0;
}

/* Looks at a descriptor and makes us its owner. what: "vhostfd=7" or the device. */
static int adopt(int fd, const char *what, struct tap_vhost *v, struct err *e)
{
	const uint64_t need = 1ull << VHOST_NET_F_VIRTIO_NET_HDR | 1ull << VIRTIO_NET_F_MRG_RXBUF;
	uint64_t features = 0;
	int rc = vhost_ioctl(fd, VHOST_GET_FEATURES, &features);

	if (rc < 0 || (features & need) != need)
		return err_set(e, EBADF,
			       "tap: %s: %s; it must be an open descriptor of " VHOST_DEV
			       " that this program inherits (in a shell: N<>" VHOST_DEV ")",
			       what, rc == -EBADF ? "not open" : "not one of vhost-net");
	rc = vhost_ioctl(fd, VHOST_SET_OWNER, NULL);
	if (rc == -EBUSY)
		return err_set(e, EBUSY,
			       "tap: %s: it has an owner already; each queue of each guest needs a "
			       "descriptor that was opened for it",
			       what);
	if (rc < 0)
		return err_set(e, -rc, "tap: %s: VHOST_SET_OWNER: %s", what, strerror(-rc));
	v->features &= features;
	return 0;
}

static int open_one(struct tap_vhost *v, struct err *e)
{
	int fd = open(VHOST_DEV, O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(e, errno,
			       "tap: vhost=on: " VHOST_DEV ": %s; load the driver: modprobe "
			       "vhost_net",
			       strerror(errno));
	if (fd < 0)
		return err_set(e, errno,
			       "tap: vhost=on: " VHOST_DEV ": %s; it must be readable and writable "
			       "for you (root, or whom chmod or chgrp lets)",
			       strerror(errno));
	v->fd[v->n++] = fd;
	return adopt(fd, VHOST_DEV, v, e);
}

static int take_one(int fd, const char *opt, struct tap_vhost *v, struct err *e)
{
	char what[32];
	int rc;

	snprintf(what, sizeof(what), "%s=%d", opt, fd);
	v->fd[v->n++] = fd;
	rc = adopt(fd, what, v, e);
	if (!rc && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		rc = err_set(e, errno, "tap: %s: %s", what, strerror(errno));
	return rc;
}

int tap_vhost_open(const struct tap_opts *o, unsigned queues, struct tap_vhost *v, struct err *e)
{
	int fd[NET_QUEUES], rc;

	*v = (struct tap_vhost){.features = UINT64_MAX, .force = o->vhostforce, .given = given(o)};
	rc = check(o, queues, fd, e);
	if (rc || !wanted(o))
		return rc;
	while (v->n < queues && !rc)
		rc = v->given ? take_one(fd[v->n], o->vhostfds ? "vhostfds" : "vhostfd", v, e)
			      : open_one(v, e);
	if (rc)
		tap_vhost_close(v);
	if (!rc || v->given)
		return rc;
	if (o->vhostforce)
		return err_prefix(e, "vhostforce=on");
	v->missed = *e;
	return 0;
}

void tap_vhost_close(struct tap_vhost *v)
{
	for (unsigned i = 0; i < v->n && !v->given; i++)
		close(v->fd[i]);
	v->n = 0;
}

void tap_vhost_join(struct net_port *p, struct tap_vhost *v)
{
	if (v->missed.code)
		log_warn("%s; going on without vhost", v->missed.text);
	if (v->n)
		tap_set_vhost(p, v, vhost_ioctl);
}

/* --- the monitor ---------------------------------------------------------------------------- */

/* Frames that the kernel carries pass none of our counters. The interface counts all. */
static void print_counters(const char *ifname, const struct text_out *out)
{
	struct nl_sock *nl = nl_socket_alloc();
	struct rtnl_link *l = NULL;
	char text[256];

	if (nl && !nl_connect(nl, NETLINK_ROUTE) && !rtnl_link_get_kernel(nl, 0, ifname, &l)) {
		/* What the interface sends is what the guest receives. */
		snprintf(text, sizeof(text),
			 "     interface %s in all: %" PRIu64 " frames, %" PRIu64
			 " bytes to the guest, dropped %" PRIu64 "; %" PRIu64 " frames, %" PRIu64
			 " bytes from it, dropped %" PRIu64,
			 ifname, rtnl_link_get_stat(l, RTNL_LINK_TX_PACKETS),
			 rtnl_link_get_stat(l, RTNL_LINK_TX_BYTES),
			 rtnl_link_get_stat(l, RTNL_LINK_TX_DROPPED),
			 rtnl_link_get_stat(l, RTNL_LINK_RX_PACKETS),
			 rtnl_link_get_stat(l, RTNL_LINK_RX_BYTES),
			 rtnl_link_get_stat(l, RTNL_LINK_RX_DROPPED));
		out->line(out->opaque, text);
		rtnl_link_put(l);
	}
	nl_socket_free(nl);
}

void tap_vhost_below(const struct net_port *p, const struct text_out *out)
{
	const struct net_vhost *v = tap_get_vhost(p);
	char text[160];

	for (unsigned q = 0, n; q < v->n; q += n) {
		/* A line for as many queues as are alike. */
		for (n = 1; q + n < v->n && v->why[q + n] == v->why[q];)
			n++;
		int at = n == 1 ? snprintf(text, sizeof(text), "     vhost: queue %u", q)
				: snprintf(text, sizeof(text), "     vhost: queues %u to %u", q,
					   q + n - 1);

		snprintf(text + at, sizeof(text) - (size_t)at, " %s%s",
			 v->why[q] ? "in user space: " : "in the kernel, not counted here",
			 v->why[q] ? v->why[q] : "");
		out->line(out->opaque, text);
	}
	if (v->n)
		print_counters(tap_ifname(p), out);
}
