/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP: options and opening (rows T1 to T8; vhost is in tap_vhost.c). Either /dev/net/tun makes (or
 * takes) the interface and a script sets it up, or a helper does both (helper=), or the user hands
 * over a descriptor (fd=). What comes from elsewhere is looked at, not believed. Several queues are
 * several descriptors: each TUNSETIFF with IFF_MULTI_QUEUE adds one (queues=), or all of them are
 * handed over (fds=).
 *
 * The interface lives as long as a descriptor of it: it is gone when vmwire is, however that ended.
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

#include "base/log.h"
#include "base/util.h"
#include "net/backend/backend.h"
#include "net/backend/tap.h"
#include "net/backend/tap_helper.h"
#include "net/host/run.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TUN_DEV	     "/dev/net/tun"
#define DEFAULT_UP   "/etc/qemu-ifup"
#define DEFAULT_DOWN "/etc/qemu-ifdown"
#define SCRIPT_MS    60000u

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
	 .help = "run when the guest ends; no: none; default: " DEFAULT_DOWN ", if it is there"},
	{"sndbuf", OPT_SIZE, OFF(sndbuf), .min = 0, .max = INT_MAX, .unit = 1, .arg = "nbytes",
	 .help = "limit of the send buffer; default: 0, unlimited"},
	{"vnet_hdr", OPT_ENUM, OFF(vnet_hdr), .names = on_off, .arg = "on|off",
	 .help = "large and partially checksummed packets; default: on if the kernel has it"},
	{"helper", OPT_STR, OFF(helper), .arg = "helper",
	 .help = "program (or shell command) that makes the TAP and joins it to a bridge"},
	{"br", OPT_STR, OFF(br), .arg = "bridge",
	 .help = "the bridge that the helper is told; default: " TAP_BRIDGE},
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

/* What comes with an interface of its own excludes what makes or names one (T2, T6). */
static int check_pairs(const struct tap_opts *o, struct err *e)
{
	const bool fd = o->fd != TAP_FD_NONE;
	const struct {
		const char *name;
		bool set;
	} with[] = {
		{"ifname", o->ifname},
		{"script", o->script},
		{"downscript", o->downscript},
		{"vnet_hdr", o->vnet_hdr != TAP_VNET_AUTO},
		{"queues", o->queues},
		{"fds", fd && o->fds},
		{"helper", o->helper && (fd || o->fds)},
	};
	const char *have = fd ? "fd" : o->fds ? "fds" : o->helper ? "helper" : NULL;

	for (size_t i = 0; have && i < ARRAY_SIZE(with); i++)
		if (with[i].set)
			return err_set(e, EINVAL, "tap: %s= and %s= exclude each other: %s", have,
				       with[i].name,
				       fd || o->fds
					       ? "the descriptor comes with its interface as it is"
					       : "the helper makes the interface and sets it up");
	if (o->br && !o->helper)
		return err_set(e, EINVAL,
			       "tap: br=%.60s is for helper=, which is missing: add it, or give "
			       "-netdev bridge,br=%.60s, or a script= that joins the bridge",
			       o->br, o->br);
	return 0;
}

/* --- scripts (T4, T5) ------------------------------------------------------------------------- */

static bool is_none(const char *script)
{
	return script && (!*script || !strcmp(script, "no"));
}

/* Before anything is made: are the scripts there? *up and *down become NULL where none is run. */
static int find_scripts(const struct tap_opts *o, const char **up, const char **down, struct err *e)
{
	const bool std = !o->script;

	*up = is_none(o->script) ? NULL : std ? DEFAULT_UP : o->script;
	*down = is_none(o->downscript) ? NULL : o->downscript;
	if (*up && access(*up, X_OK) && std)
		return err_set(e, errno,
			       "tap: script= left out means " DEFAULT_UP ", and that %s: give "
			       "script=no and set the interface up yourself, or put vmwire's "
			       "share/qemu-ifup there",
			       errno == ENOENT ? "is not there" : "cannot be run");
	if (*up && access(*up, X_OK))
		return err_set(e, errno,
			       "tap: script=%.200s: %s; give an executable that is there, or no",
			       *up, strerror(errno));
	if (*down && access(*down, X_OK))
		return err_set(e, errno,
			       "tap: downscript=%.200s: %s; give an executable that is there, or "
			       "no",
			       *down, strerror(errno));
	/* Nothing is left behind without it, so it may be missing. */
	if (!o->downscript && access(DEFAULT_DOWN, X_OK) == 0)
		*down = DEFAULT_DOWN;
	return 0;
}

static int run_script(const char *opt, const char *file, const char *ifname, bool heed,
		      struct err *e)
{
	const char *const argv[] = {file, ifname, NULL};
	char what[300];
	const struct host_run r = {.what = what, .argv = argv, .ms = SCRIPT_MS, .heed = heed};

	snprintf(what, sizeof(what), "tap: %s=%.200s %s", opt, file, ifname);
	return host_run(&r, e);
}

/* What tap_dev.end needs to run downscript=. */
struct down {
	char ifname[IFNAMSIZ];
	char file[];
};

static void run_down(void *arg)
{
	struct down *d = arg;
	struct err e;

	if (run_script("downscript", d->file, d->ifname, false, &e))
		log_err(&e);
	free(d);
}

static int scripts(struct tap_dev *d, const char *up, const char *down, struct err *e)
{
	struct down *arg = NULL;
	int rc = 0;

	snprintf(d->how, sizeof(d->how), "script=%.110s,downscript=%.110s", up ? up : "no",
		 down ? down : "no");
	if (down) {
		arg = malloc(sizeof(*arg) + strlen(down) + 1);
		if (!arg)
			return err_set(e, ENOMEM, "tap: no memory");
		memcpy(arg->ifname, d->ifname, IFNAMSIZ);
		memcpy(arg->file, down, strlen(down) + 1);
	}
	if (up)
		rc = run_script("script", up, d->ifname, true, e);
	if (rc) {
		free(arg);
		return rc;
	}
	d->end = down ? run_down : NULL;
	d->arg = arg;
	return 0;
}

/* --- the interface ---------------------------------------------------------------------------- */

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

int tap_open_tun(const struct tap_opts *o, struct tap_dev *d, struct err *e)
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

int tap_take_fd(int fd, const char *opt, struct tap_dev *d, struct err *e)
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
		rc = tap_take_fd(fd[i], "fds", d, e);
	return n < 0 ? n : rc;
}

/* What is set on the descriptors whatever their origin. */
static int set_up(struct tap_dev *d, uint64_t limit, struct err *e)
{
	int hdr = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	int sndbuf = limit && limit != TAP_SNDBUF_NONE ? (int)limit : INT_MAX;

	d->ifname[IFNAMSIZ - 1] = '\0';
	for (unsigned i = 0; i < d->n; i++) {
		if (d->vnet && ioctl(d->fd[i], TUNSETVNETHDRSZ, &hdr) < 0)
			return err_set(e, errno, "tap: %s: TUNSETVNETHDRSZ: %s; give vnet_hdr=off",
				       d->ifname, strerror(errno));
		if (ioctl(d->fd[i], TUNSETSNDBUF, &sndbuf) < 0 && limit != TAP_SNDBUF_NONE)
			return err_set(e, errno, "tap: sndbuf=%d on %s: %s", sndbuf, d->ifname,
				       strerror(errno));
	}
	/* Only a probe: attach() sets what the peer takes. */
	d->uso = d->vnet && ioctl(d->fd[0], TUNSETOFFLOAD,
				  (unsigned long)(TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)) == 0;
	return 0;
}

void tap_dev_init(struct tap_dev *d)
{
	*d = (struct tap_dev){0};
	for (unsigned i = 0; i < NET_QUEUES; i++)
		d->fd[i] = -1;
}

void tap_dev_close(struct tap_dev *d)
{
	for (unsigned i = 0; i < NET_QUEUES; i++) {
		if (d->fd[i] >= 0)
			close(d->fd[i]);
		d->fd[i] = -1;
	}
}

int tap_finish(struct tap_dev *d, uint64_t sndbuf, const char *id, struct net_port **port,
	       struct err *e)
{
	int rc = set_up(d, sndbuf, e);

	return rc ? rc : tap_port_new(d, id, port, e);
}

/* A TAP that /dev/net/tun makes or finds, and the scripts. */
static int open_own(const struct tap_opts *o, const char *id, struct net_port **port, struct err *e)
{
	const char *up = NULL, *down = NULL;
	struct tap_dev d;
	int rc;

	tap_dev_init(&d);
	rc = find_scripts(o, &up, &down, e);
	if (!rc)
		rc = tap_open_tun(o, &d, e);
	if (!rc)
		rc = set_up(&d, o->sndbuf, e);
	if (!rc)
		rc = scripts(&d, up, down, e);
	if (!rc)
		rc = tap_port_new(&d, id, port, e);
	if (d.end)
		d.end(d.arg);
	tap_dev_close(&d);
	return rc;
}

/* Descriptors that were handed in: they are not ours before we succeed. */
static int open_given(const struct tap_opts *o, const char *id, struct net_port **port,
		      struct err *e)
{
	struct tap_dev d;
	int rc;

	tap_dev_init(&d);
	rc = o->fds ? take_fds(o->fds, &d, e) : tap_take_fd((int)o->fd, "fd", &d, e);
	return rc ? rc : tap_finish(&d, o->sndbuf, id, port, e);
}

static int open_tap(const struct tap_opts *o, const char *id, struct net_port **port, struct err *e)
{
	int rc = check_pairs(o, e);

	if (rc)
		return rc;
	if (o->helper)
		return tap_open_helper(o->helper, o->br ? o->br : TAP_BRIDGE, o->sndbuf, id, port,
				       e);
	return o->fds || o->fd != TAP_FD_NONE ? open_given(o, id, port, e)
					      : open_own(o, id, port, e);
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
	.leave = tap_leave,
	.ifname = tap_ifname,
	.below = tap_vhost_below,
};
