/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP: options and opening (rows T1 to T3, T7, T8). Either /dev/net/tun makes (or takes) the
 * interface, or the user hands over a descriptor (fd=), which is looked at, not believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
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
	{"vhost", OPT_STR, OFF(unused), .arg = "on|off", .help = "in-kernel data path",
	 .missing = NOT_YET},
	{"vhostfd", OPT_STR, OFF(unused), .arg = "h", .help = "an open vhost descriptor",
	 .missing = NOT_YET},
	{"vhostfds", OPT_STR, OFF(unused), .arg = "h:h…", .help = "open vhost descriptors",
	 .missing = NOT_YET},
	{"vhostforce", OPT_STR, OFF(unused), .arg = "on|off", .help = "vhost without MSI-X too",
	 .missing = NOT_YET},
	{"queues", OPT_STR, OFF(unused), .arg = "n", .help = "queue pairs", .missing = NOT_YET},
	{"fds", OPT_STR, OFF(unused), .arg = "h:h…", .help = "descriptors, one per queue",
	 .missing = NOT_YET},
	{.name = NULL},
};

static void tap_defaults(void *out)
{
	struct tap_opts *o = out;

	o->fd = TAP_FD_NONE;
	o->vnet_hdr = TAP_VNET_AUTO;
	o->sndbuf = TAP_SNDBUF_NONE;
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
		{"ifname", o->ifname},
		{"script", o->script},
		{"downscript", o->downscript},
		{"vnet_hdr", o->vnet_hdr != TAP_VNET_AUTO},
	};

	for (size_t i = 0; o->fd != TAP_FD_NONE && i < ARRAY_SIZE(with); i++)
		if (with[i].set)
			return err_set(e, EINVAL,
				       "tap: fd= and %s= exclude each other: the descriptor comes "
				       "with its interface as it is",
				       with[i].name);
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

static int open_tun(const struct tap_opts *o, struct tap_dev *d, struct err *e)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	unsigned have = 0;

	if (o->ifname && (!*o->ifname || strlen(o->ifname) >= IFNAMSIZ))
		return err_set(e, EINVAL, "tap: ifname=%s: allowed: 1 to %d characters", o->ifname,
			       IFNAMSIZ - 1);
	d->fd = open(TUN_DEV, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(e, errno, "tap: " TUN_DEV ": %s; load the driver: modprobe tun",
			       strerror(errno));
	if (d->fd < 0)
		return err_set(e, errno,
			       "tap: " TUN_DEV ": %s; it must be readable and writable for you "
			       "(chmod 0666 " TUN_DEV " is safe: interfaces need CAP_NET_ADMIN)",
			       strerror(errno));
	if (ioctl(d->fd, TUNGETFEATURES, &have) < 0)
		return err_set(e, errno, "tap: " TUN_DEV ": TUNGETFEATURES: %s", strerror(errno));
	d->vnet = o->vnet_hdr != TAP_VNET_OFF && have & IFF_VNET_HDR;
	if (o->vnet_hdr == TAP_VNET_ON && !d->vnet)
		return err_set(e, ENOTSUP,
			       "tap: vnet_hdr=on: this kernel's tun driver lacks IFF_VNET_HDR; "
			       "allowed: off");
	if (d->vnet)
		ifr.ifr_flags |= IFF_VNET_HDR;
	if (o->ifname)
		memcpy(ifr.ifr_name, o->ifname, strlen(o->ifname) + 1);
	if (ioctl(d->fd, TUNSETIFF, &ifr) < 0) {
		const char *what = o->ifname ? o->ifname : "a new interface";

		if (errno == EPERM)
			return err_set(e, EPERM,
				       "tap: %s: not permitted; run as root, or let root make it "
				       "for you: ip tuntap add dev NAME mode tap user %u",
				       what, (unsigned)getuid());
		if (errno == EBUSY)
			return err_set(e, EBUSY,
				       "tap: ifname=%s: in use by another program (or made with "
				       "multi_queue); choose another name",
				       what);
		return err_set(e, errno, "tap: %s: %s%s", what, strerror(errno),
			       errno == EINVAL
				       ? "; is there an interface of that name that is no TAP?"
				       : "");
	}
	memcpy(d->ifname, ifr.ifr_name, IFNAMSIZ);
	return 0;
}

static int take_fd(const struct tap_opts *o, struct tap_dev *d, struct err *e)
{
	struct ifreq ifr = {0};
	int fd = (int)o->fd, fl;

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return err_set(e, EBADF,
			       "tap: fd=%d: %s; it must be an open TAP descriptor that this "
			       "program inherits (in a shell: N<>/dev/tapM)",
			       fd, errno == EBADF ? "not open" : "not a TAP");
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI))
		return err_set(e, EINVAL, "tap: fd=%d: %s was opened without %s", fd, ifr.ifr_name,
			       ifr.ifr_flags & IFF_TAP ? "IFF_NO_PI" : "IFF_TAP");
	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, errno, "tap: fd=%d: %s", fd, strerror(errno));
	d->fd = fd;
	d->vnet = ifr.ifr_flags & IFF_VNET_HDR;
	memcpy(d->ifname, ifr.ifr_name, IFNAMSIZ);
	return 0;
}

/* What is set on the descriptor whatever its origin. */
static int set_up(const struct tap_opts *o, struct tap_dev *d, struct err *e)
{
	int hdr = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	int sndbuf = o->sndbuf && o->sndbuf != TAP_SNDBUF_NONE ? (int)o->sndbuf : INT_MAX;

	d->ifname[IFNAMSIZ - 1] = '\0';
	if (d->vnet && ioctl(d->fd, TUNSETVNETHDRSZ, &hdr) < 0)
		return err_set(e, errno, "tap: %s: TUNSETVNETHDRSZ: %s; give vnet_hdr=off",
			       d->ifname, strerror(errno));
	/* Only a probe: attach() sets what the peer takes. */
	d->uso = d->vnet && ioctl(d->fd, TUNSETOFFLOAD,
				  (unsigned long)(TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)) == 0;
	if (ioctl(d->fd, TUNSETSNDBUF, &sndbuf) < 0 && o->sndbuf != TAP_SNDBUF_NONE)
		return err_set(e, errno, "tap: sndbuf=%d on %s: %s", sndbuf, d->ifname,
			       strerror(errno));
	return 0;
}

static int tap_open(const void *opts, const char *id, struct net_port **port, struct err *e)
{
	const struct tap_opts *o = opts;
	struct tap_dev d = {.fd = -1};
	bool given = o->fd != TAP_FD_NONE;
	int rc = check_pairs(o, e);

	if (rc)
		return rc;
	if (!given) {
		rc = check_script("script", o->script, DEFAULT_UP, e);
		if (!rc)
			rc = check_script("downscript", o->downscript, DEFAULT_DOWN, e);
		if (rc)
			return rc;
	}
	rc = given ? take_fd(o, &d, e) : open_tun(o, &d, e);
	if (!rc)
		rc = set_up(o, &d, e);
	if (!rc)
		rc = tap_port_new(&d, id, port, e);
	/* A descriptor that was handed in is not ours before we succeed. */
	if (d.fd >= 0 && !given)
		close(d.fd);
	return rc;
}

const struct net_backend net_backend_tap = {
	.name = "tap",
	.summary = "a host TAP interface",
	.opts = &tap_opts,
	.open = tap_open,
};
