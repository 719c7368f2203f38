/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP: options and opening (rows T1 to T3, T7, T8; vhost is in tap_vhost.c). Either /dev/net/tun
 * makes (or takes) the interface, or the user hands over a descriptor (fd=), which is looked at,
 * not believed. Several queues are several descriptors: each TUNSETIFF with IFF_MULTI_QUEUE adds
 * one (queues=), or all of them are handed over (fds=).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/util.h"
#include "net/backend/backend.h"
#include "net/backend/tap.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TUN_DEV	     "/dev/net/tun"
#define DEFAULT_UP   "/etc/qemu-ifup"
#define DEFAULT_DOWN "/etc/qemu-ifdown"
#define NOT_YET	     "not implemented yet"

static const char *const on_off[] = {"off", "on", NULL};

#define OFF(m) offsetof(struct tap_opts, m)
static const struct opt tap_table[] = {
	{"fd", OPT_U32, OFF(fd), .max = INT_MAX, .arg = "h",
	 .help = "an already open TAP descriptor"},
	{"ifname", OPT_STR, OFF(ifname), .arg = "name",
	 .help = "interface name; default: the kernel picks tapN"},
	{"script", OPT_STR, OFF(script), .arg = "file",
	 .help = "run at start with the interface as $1; no: none; default: " DEFAULT_UP},
	{"downscript", OPT_STR, OFF(downscript), .arg = "dfile",
	 .help = "run when the guest ends; no: none; default: " DEFAULT_DOWN},
	{"sndbuf", OPT_SIZE, OFF(sndbuf), .min = 0, .max = INT_MAX, .unit = 1, .arg = "nbytes",
	 .help = "limit of the send buffer; default: 0, unlimited"},
	{"vnet_hdr", OPT_ENUM, OFF(vnet_hdr), .names = on_off, .arg = "on|off",
	 .help = "large and partially checksummed packets; default: on if the kernel has it"},
	{"helper", OPT_STR, OFF(unused), .arg = "helper", .help = "creates the TAP unprivileged",
	 .missing = NOT_YET},
	{"br", OPT_STR, OFF(unused), .arg = "bridge", .help = "bridge for the helper",
	 .missing = NOT_YET},
	{"vhost", OPT_ENUM, OFF(vhost), .names = on_off, .arg = "on|off",
	 .help = "the kernel works on the rings of a virtio card whose guest uses MSI-X; default: "
		 "off, but on with vhostfd= and vhostforce=on"},
	{"vhostfd", OPT_U32, OFF(vhostfd), .max = INT_MAX, .arg = "h",
	 .help = "an already open descriptor of /dev/vhost-net"},
	{"vhostfds", OPT_STR, OFF(vhostfds), .arg = "h:h…", .help = "the same, one for each queue"},
	{"vhostforce", OPT_BOOL, OFF(vhostforce), .arg = "on|off",
	 .help = "vhost also without MSI-X, and no start without vhost; default: off"},
	{"queues", OPT_U32, OFF(queues), .min = 1, .max = NET_QUEUES, .arg = "n",
	 .help = "queues, for a card with mq=on; the TAP must be multi_queue; default: 1"},
	{"fds", OPT_STR, OFF(fds), .arg = "h:h…",
	 .help = "already open descriptors of one multi_queue TAP, one per queue"},
	{.name = NULL},
};

static void tap_defaults(void *out)
{
	struct tap_opts *o = out;

	o->fd = TAP_FD_NONE;
	o->vnet_hdr = TAP_VNET_AUTO;
	o->sndbuf = TAP_SNDBUF_NONE;
	o->vhost = TAP_LEFT_OUT;
	o->vhostfd = TAP_FD_NONE;
}

static const struct opt_table tap_opts = {
	.name = "tap",
	.summary = "a host TAP interface",
	.opts = tap_table,
	.size = sizeof(struct tap_opts),
	.defaults = tap_defaults,
};

static int check_pairs(const struct tap_opts *o, struct err *e)
{
	const struct {
		const char *name;
		bool set;
	} with[] = {
		{"ifname", o->ifname},	       {"script", o->script},
		{"downscript", o->downscript}, {"vnet_hdr", o->vnet_hdr != TAP_VNET_AUTO},
		{"queues", o->queues},	       {"fds", o->fd != TAP_FD_NONE && o->fds},
	};
	const char *have = o->fd != TAP_FD_NONE ? "fd" : "fds";

	for (size_t i = 0; (o->fd != TAP_FD_NONE || o->fds) && i < ARRAY_SIZE(with); i++)
		if (with[i].set)
			return err_set(e, EINVAL,
				       "tap: %s= and %s= exclude each other: the descriptor comes "
				       "with its interface as it is",
				       have, with[i].name);
	return 0;
}

static int check_script(const char *name, const char *value, const char *std, struct err *e)
{
	if (!value)
		return err_set(e, ENOTSUP,
			       "tap: %s= left out means %s, and running scripts is " NOT_YET
			       "; give %s=no and set the interface up yourself",
			       name, std, name);
	if (strcmp(value, "no") != 0)
		return err_set(e, ENOTSUP,
			       "tap: %s=%s: running scripts is " NOT_YET "; allowed: no", name,
			       value);
	return 0;
}

/* Opens /dev/net/tun for queue i. */
static int open_dev(const struct tap_opts *o, struct tap_dev *d, unsigned i, struct err *e)
{
	unsigned have = 0;

	d->fd[i] = open(TUN_DEV, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (d->fd[i] < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(e, errno, "tap: " TUN_DEV ": %s; load the driver: modprobe tun",
			       strerror(errno));
	if (d->fd[i] < 0)
		return err_set(e, errno,
			       "tap: " TUN_DEV ": %s; it must be readable and writable for you "
			       "(chmod 0666 " TUN_DEV " is safe: interfaces need CAP_NET_ADMIN)",
			       strerror(errno));
	if (ioctl(d->fd[i], TUNGETFEATURES, &have) < 0)
		return err_set(e, errno, "tap: " TUN_DEV ": TUNGETFEATURES: %s", strerror(errno));
	d->vnet = o->vnet_hdr != TAP_VNET_OFF && have & IFF_VNET_HDR;
	if (o->vnet_hdr == TAP_VNET_ON && !d->vnet)
		return err_set(e, ENOTSUP,
			       "tap: vnet_hdr=on: this kernel's tun driver lacks IFF_VNET_HDR; "
			       "allowed: off");
	return 0;
}

static int no_interface(const struct tap_opts *o, int err, struct err *e)
{
	const char *what = o->ifname ? o->ifname : "a new interface";
	bool multi = o->queues > 1;

	switch (err) {
	case EPERM:
		return err_set(e, EPERM,
			       "tap: %s: not permitted; run as root, or let root make it "
			       "for you: ip tuntap add dev NAME mode tap user %u%s",
			       what, (unsigned)getuid(), multi ? " multi_queue" : "");
	case EBUSY:
		return err_set(e, EBUSY,
			       "tap: ifname=%s: in use by another program; choose another name",
			       what);
	case EINVAL:
		if (multi)
			return err_set(
				e, EINVAL,
				"tap: %s: it was not made for several queues: ip tuntap add "
				"%s mode tap multi_queue makes it so; or leave queues=%u out",
				what, what, o->queues);
		return err_set(e, EINVAL,
			       "tap: %s: %s; is there an interface of that name that is no TAP?",
			       what, strerror(EINVAL));
	default:
		return err_set(e, err, "tap: %s: %s", what, strerror(err));
	}
}

static int open_tun(const struct tap_opts *o, struct tap_dev *d, struct err *e)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	unsigned n = MAX(o->queues, 1u);

	if (o->ifname && (!*o->ifname || strlen(o->ifname) >= IFNAMSIZ))
		return err_set(e, EINVAL, "tap: ifname=%s: allowed: 1 to %d characters", o->ifname,
			       IFNAMSIZ - 1);
	if (o->ifname)
		memcpy(ifr.ifr_name, o->ifname, strlen(o->ifname) + 1);
	if (n > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	while (d->n < n) {
		struct ifreq plain;
		int rc = open_dev(o, d, d->n, e);

		if (rc)
			return rc;
		if (d->vnet)
			ifr.ifr_flags |= IFF_VNET_HDR;
		plain = ifr;
		rc = ioctl(d->fd[d->n], TUNSETIFF, &ifr);
		/* A TAP of several queues serves as one of one, too. */
		if (rc < 0 && errno == EINVAL && n == 1) {
			ifr = plain;
			ifr.ifr_flags |= IFF_MULTI_QUEUE;
			rc = ioctl(d->fd[d->n], TUNSETIFF, &ifr);
		}
		if (rc < 0)
			return no_interface(o, errno, e);
		/* The others are queues of the interface that the first one made. */
		d->n++;
		memcpy(d->ifname, ifr.ifr_name, IFNAMSIZ);
	}
	return 0;
}

static int take_fd(int fd, const char *opt, struct tap_dev *d, struct err *e)
{
	struct ifreq ifr = {0};
	int fl;

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return err_set(e, EBADF,
			       "tap: %s=%d: %s; it must be an open TAP descriptor that this "
			       "program inherits (in a shell: N<>/dev/tapM)",
			       opt, fd, errno == EBADF ? "not open" : "not a TAP");
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI))
		return err_set(e, EINVAL, "tap: %s=%d: %s was opened without %s", opt, fd,
			       ifr.ifr_name, ifr.ifr_flags & IFF_TAP ? "IFF_NO_PI" : "IFF_TAP");
	if (d->n && strncmp(ifr.ifr_name, d->ifname, IFNAMSIZ) != 0)
		return err_set(e, EINVAL,
			       "tap: %s=…%d: a queue of %s, the first one is of %s; all must be of "
			       "one interface",
			       opt, fd, ifr.ifr_name, d->ifname);
	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, errno, "tap: %s=%d: %s", opt, fd, strerror(errno));
	d->fd[d->n++] = fd;
	d->vnet = ifr.ifr_flags & IFF_VNET_HDR;
	memcpy(d->ifname, ifr.ifr_name, IFNAMSIZ);
	return 0;
}

int tap_parse_fds(const char *opt, const char *fds, int fd[NET_QUEUES], struct err *e)
{
	const char *at = fds;
	char *end;

	for (unsigned n = 0;;) {
		unsigned long v = strtoul(at, &end, 10);

		if (*at < '0' || *at > '9' || v > INT_MAX || (*end && *end != ':') ||
		    n == NET_QUEUES)
			return err_set(e, EINVAL,
				       "tap: %s=%s: allowed: 1 to %d descriptors, colons between "
				       "them",
				       opt, fds, NET_QUEUES);
		for (unsigned i = 0; i < n; i++)
			if (fd[i] == (int)v)
				return err_set(e, EINVAL, "tap: %s=%s: %lu is there twice", opt,
					       fds, v);
		fd[n++] = (int)v;
		if (!*end)
			return (int)n;
		at = end + 1;
	}
}

static int take_fds(const char *fds, struct tap_dev *d, struct err *e)
{
	int fd[NET_QUEUES], n = tap_parse_fds("fds", fds, fd, e), rc = 0;

	for (int i = 0; i < n && !rc; i++)
		rc = take_fd(fd[i], "fds", d, e);
	return n < 0 ? n : rc;
}

/* What is set on the descriptors whatever their origin. */
static int set_up(const struct tap_opts *o, struct tap_dev *d, struct err *e)
{
	int hdr = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	int sndbuf = o->sndbuf && o->sndbuf != TAP_SNDBUF_NONE ? (int)o->sndbuf : INT_MAX;

	d->ifname[IFNAMSIZ - 1] = '\0';
	for (unsigned i = 0; i < d->n; i++) {
		if (d->vnet && ioctl(d->fd[i], TUNSETVNETHDRSZ, &hdr) < 0)
			return err_set(e, errno, "tap: %s: TUNSETVNETHDRSZ: %s; give vnet_hdr=off",
				       d->ifname, strerror(errno));
		if (ioctl(d->fd[i], TUNSETSNDBUF, &sndbuf) < 0 && o->sndbuf != TAP_SNDBUF_NONE)
			return err_set(e, errno, "tap: sndbuf=%d on %s: %s", sndbuf, d->ifname,
				       strerror(errno));
	}
	/* Only a probe: attach() sets what the peer takes. */
	d->uso = d->vnet && ioctl(d->fd[0], TUNSETOFFLOAD,
				  (unsigned long)(TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)) == 0;
	return 0;
}

static int open_tap(const struct tap_opts *o, const char *id, struct net_port **port, struct err *e)
{
	struct tap_dev d = {0};
	bool given = o->fd != TAP_FD_NONE || o->fds;
	int rc = check_pairs(o, e);

	if (rc)
		return rc;
	for (unsigned i = 0; i < NET_QUEUES; i++)
		d.fd[i] = -1;
	if (!given) {
		rc = check_script("script", o->script, DEFAULT_UP, e);
		if (!rc)
			rc = check_script("downscript", o->downscript, DEFAULT_DOWN, e);
		if (rc)
			return rc;
	}
	if (o->fds)
		rc = take_fds(o->fds, &d, e);
	else
		rc = given ? take_fd((int)o->fd, "fd", &d, e) : open_tun(o, &d, e);
	if (!rc)
		rc = set_up(o, &d, e);
	if (!rc)
		rc = tap_port_new(&d, id, port, e);
	/* Descriptors that were handed in are not ours before we succeed. */
	for (unsigned i = 0; i < NET_QUEUES && !given; i++)
		if (d.fd[i] >= 0)
			close(d.fd[i]);
	return rc;
}

static int tap_open(const void *opts, const char *id, struct net_port **port, struct err *e)
{
	const struct tap_opts *o = opts;
	int fd[NET_QUEUES], n = o->fds ? tap_parse_fds("fds", o->fds, fd, e) : 1;
	struct tap_vhost vh = {0};
	int rc = n < 0 ? n : tap_vhost_open(o, MAX(o->queues, (unsigned)n), &vh, e);

	if (rc)
		return rc;
	rc = open_tap(o, id, port, e);
	if (rc)
		tap_vhost_close(&vh);
	else
		tap_vhost_join(*port, &vh);
	return rc;
}

const struct net_backend net_backend_tap = {
	.name = "tap",
	.summary = "a host TAP interface",
	.opts = &tap_opts,
	.open = tap_open,
	.below = tap_vhost_below,
};
