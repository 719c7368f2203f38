/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP: the kernel's data path for virtio cards (vhost-net, rows T9 to T11), as far as it can be had
 * before there is a card: a descriptor of /dev/vhost-net for each queue, ours or handed over. Making
 * this process its owner starts the kernel's thread for it, "vhost-PID"; so all that may fail with
 * the device fails here, where the program can still go on without.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "net/backend/tap.h"

#define VHOST_DEV "/dev/vhost-net"

int tap_vhost_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

bool tap_vhost_given(const struct tap_opts *o)
{
	return o->vhostfd != TAP_FD_NONE || o->vhostfds;
}

/* As in QEMU: a descriptor, or the wish to force it, is wish enough. */
static bool wanted(const struct tap_opts *o)
{
	return o->vhost == TAP_LEFT_OUT ? tap_vhost_given(o) || o->vhostforce : o->vhost == TAP_ON;
}

int tap_vhost_check(const struct tap_opts *o, unsigned queues, struct err *e)
{
	const char *name = o->vhostfds ? "vhostfds" : "vhostfd";
	int fd[NET_QUEUES], n = o->vhostfds ? 0 : 1;

	if (o->vhost == TAP_OFF && (tap_vhost_given(o) || o->vhostforce))
		return err_set(e, EINVAL, "tap: vhost=off and %s= exclude each other; give vhost=on",
			       tap_vhost_given(o) ? name : "vhostforce");
	if (o->vhostfd != TAP_FD_NONE && o->vhostfds)
		return err_set(e, EINVAL, "tap: vhostfd= and vhostfds= exclude each other");
	if (o->vhostfds)
		n = tap_parse_fds("vhostfds", o->vhostfds, fd, e);
	if (n < 0)
		return n;
	if (tap_vhost_given(o) && n != (int)queues)
		return err_set(e, EINVAL,
			       "tap: %s=: %d descriptor%s for %u queue%s; give one for each queue%s",
			       name, n, n == 1 ? "" : "s", queues, queues == 1 ? "" : "s",
			       queues > 1 ? " (vhostfds=h:h…)" : "");
	return 0;
}

/* Looks at a descriptor and makes us its owner. what: "vhostfd=7" or the device. */
static int adopt(int fd, const char *what, uint64_t *features, struct err *e)
{
	const uint64_t need = 1ull << VHOST_NET_F_VIRTIO_NET_HDR | 1ull << VIRTIO_NET_F_MRG_RXBUF;
	int rc = tap_vhost_ioctl(fd, VHOST_GET_FEATURES, features);

	if (rc < 0 || (*features & need) != need)
		return err_set(e, EBADF,
			       "tap: %s: %s; it must be an open descriptor of " VHOST_DEV
			       " that this program inherits (in a shell: N<>" VHOST_DEV ")",
			       what, rc == -EBADF ? "not open" : "not one of vhost-net");
	rc = tap_vhost_ioctl(fd, VHOST_SET_OWNER, NULL);
	if (rc == -EBUSY)
		return err_set(e, EBUSY,
			       "tap: %s: it has an owner already; each queue of each guest needs a "
			       "descriptor that was opened for it",
			       what);
	if (rc < 0)
		return err_set(e, -rc, "tap: %s: VHOST_SET_OWNER: %s", what, strerror(-rc));
	return 0;
}

static int open_one(int *fd, uint64_t *features, struct err *e)
{
	int rc;

	*fd = open(VHOST_DEV, O_RDWR | O_CLOEXEC);
	if (*fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(e, errno,
			       "tap: vhost=on: " VHOST_DEV ": %s; load the driver: modprobe "
			       "vhost_net",
			       strerror(errno));
	if (*fd < 0)
		return err_set(e, errno,
			       "tap: vhost=on: " VHOST_DEV ": %s; it must be readable and writable "
			       "for you (root, or whom chmod or chgrp lets)",
			       strerror(errno));
	rc = adopt(*fd, VHOST_DEV, features, e);
	if (rc) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

static int take_one(int fd, const char *opt, uint64_t *features, struct err *e)
{
	char what[32];

	snprintf(what, sizeof(what), "%s=%d", opt, fd);
	if (adopt(fd, what, features, e))
		return -e->code;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, errno, "tap: %s: %s", what, strerror(errno));
	return 0;
}

int tap_vhost_open(const struct tap_opts *o, struct tap_dev *d, struct err *e)
{
	int fds[NET_QUEUES] = {(int)o->vhostfd}, rc = 0;
	const char *opt = o->vhostfds ? "vhostfds" : "vhostfd";
	unsigned i;

	if (!wanted(o))
		return 0;
	if (o->vhostfds && tap_parse_fds(opt, o->vhostfds, fds, e) < 0)
		return -e->code;
	d->vhost_features = UINT64_MAX;
	for (i = 0; i < d->n && !rc; i++) {
		uint64_t features = 0;

		d->vhost_fd[i] = tap_vhost_given(o) ? fds[i] : -1;
		rc = tap_vhost_given(o) ? take_one(fds[i], opt, &features, e)
			      : open_one(&d->vhost_fd[i], &features, e);
		d->vhost_features &= features;
	}
	d->vhost = !rc;
	d->vhost_force = o->vhostforce;
	if (!rc || tap_vhost_given(o))
		return rc;
	while (i--) {
		if (d->vhost_fd[i] >= 0)
			close(d->vhost_fd[i]);
		d->vhost_fd[i] = -1;
	}
	if (o->vhostforce)
		return err_prefix(e, "vhostforce=on");
	log_warn("%s; going on without vhost", e->text);
	return 0;
}
