/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * macvtap: a bridge without a bridge. The kernel puts a link of the card's own over a host
 * interface (link=), and /dev/tapINDEX is its wire: the guest is a node of that network, the host's
 * interface is not touched. What it cannot do: in the modes bridge, vepa and private the host
 * itself and the guest do not reach each other over it.
 *
 * The kernel delivers by address, so card and link have the same one: the link takes the card's, or
 * the card the one that macaddr= says (claim). What is for groups is let through whole, as nobody
 * tells the kernel which ones the guest has joined.
 *
 * The link would stay when we end: it is deleted with the port, and a guard deletes it when we are
 * killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "net/backend/backend.h"
#include "net/backend/tap.h"
#include "net/host/guard.h"
#include "net/host/rtnl.h"

#define NAMES 1000u /* of ours that may be there at once */
#define TRIES 16u

struct macvtap_opts {
	char *link;
	int mode; /* index into modes[] */
	struct opt_mac mac;
};

static const char *const modes[] = {"bridge", "vepa", "private", "passthru", NULL};
static const uint32_t kernel_modes[] = {MACVLAN_MODE_BRIDGE, MACVLAN_MODE_VEPA,
					MACVLAN_MODE_PRIVATE, MACVLAN_MODE_PASSTHRU};

#define OFF(m) offsetof(struct macvtap_opts, m)
static const struct opt macvtap_table[] = {
	{"link", OPT_STR, OFF(link), .arg = "interface",
	 .help = "the host's interface whose network the card joins"},
	{"mode", OPT_ENUM, OFF(mode), .names = modes,
	 .help = "how cards on one link reach each other: at once, by the switch outside, not at "
		 "all; passthru: the link is this card's alone; default: bridge"},
	{"macaddr", OPT_MAC, OFF(mac), .arg = "mac", .help = "its address; default: the card's"},
	{.name = NULL},
};
#undef OFF

static const struct opt_table macvtap_opts = {
	.name = "macvtap",
	.summary = "a link of its own over a host interface",
	.opts = macvtap_table,
	.size = sizeof(struct macvtap_opts),
};

/* One of them; tap_dev.arg. */
struct macvtap {
	struct host_nl *nl;
	struct host_link link;
	struct host_guard guard;
	struct opt_mac mac; /* macaddr= */
};

static int add_link(struct macvtap *m, const struct macvtap_opts *o, struct err *e)
{
	struct host_link lower;
	char name[HOST_NAME];
	int rc = host_link_get(m->nl, o->link, &lower, e);

	if (rc)
		return err_prefix(e, "macvtap: link=%.60s", o->link);
	if (!lower.is_ether)
		return err_set(e, EINVAL, "macvtap: link=%.60s: it is no Ethernet interface",
			       o->link);
	rc = -EEXIST;
	for (unsigned i = 0; rc == -EEXIST && i < NAMES; i++) {
		snprintf(name, sizeof(name), "vmwtap%u", i);
		rc = host_macvtap_add(m->nl, name, lower.index, kernel_modes[o->mode],
				      o->mac.set ? o->mac.b : NULL, e);
	}
	if (rc == -EBUSY || rc == -EINVAL)
		return err_prefix(e,
				  "macvtap: link=%.60s,mode=%s: it may be a bridge's port, or have "
				  "links of a mode that excludes this one",
				  o->link, modes[o->mode]);
	if (rc == -EOPNOTSUPP)
		return err_prefix(e, "macvtap: this kernel has no macvtap (modprobe macvtap)");
	if (!rc)
		rc = host_link_get(m->nl, name, &m->link, e);
	if (!rc)
		rc = host_guard_start(&m->guard, name, m->link.index, e);
	if (!rc)
		rc = host_link_set_allmulti(m->nl, m->link.index, true, e);
	if (!rc)
		rc = host_link_set_up(m->nl, m->link.index, true, e);
	return rc ? err_prefix(e, "macvtap: link=%.60s", o->link) : 0;
}

/* The descriptor of our link, or -errno. -ENXIO: of somebody else's. */
static int open_dev(const struct macvtap *m, struct err *e)
{
	struct ifreq want = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR}, mac = {0};
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/tap%d", m->link.index);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, errno, "macvtap: %s: %s; %s", path, strerror(errno),
			       errno == ENOENT ? "/dev must be the kernel's devtmpfs, or filled by "
						 "udev"
					       : "run as root, or let udev give you the device");
	if (!ioctl(fd, TUNSETIFF, &want) && !ioctl(fd, SIOCGIFHWADDR, &mac) &&
	    !memcmp(mac.ifr_hwaddr.sa_data, m->link.mac, 6))
		return fd;
	close(fd);
	return err_set(e, ENXIO,
		       "macvtap: %s is not the device of %s but of a link of another network "
		       "namespace",
		       path, m->link.name);
}

static void drop_link(struct macvtap *m)
{
	struct err e;

	/* It may have gone with the interface below. */
	if (m->link.index && host_link_del(m->nl, m->link.index, &e) && e.code != ENODEV)
		log_warn("macvtap: %s stays: %s", m->link.name, e.text);
	m->link.index = 0;
	host_guard_end(&m->guard);
}

/*
 * Devices are named by the link's index, which is a namespace's own, but /dev is shared: when the
 * name is taken by a link of another namespace, ours has no device. The next link has another
 * index.
 */
static int make(struct macvtap *m, const struct macvtap_opts *o, struct tap_dev *d, struct err *e)
{
	int rc = -ENXIO;

	for (unsigned i = 0; rc == -ENXIO && i < TRIES; i++) {
		drop_link(m);
		rc = add_link(m, o, e);
		if (!rc)
			rc = open_dev(m, e);
	}
	if (rc < 0)
		return rc;
	d->fd[0] = rc;
	d->n = 1;
	d->vnet = true;
	snprintf(d->ifname, sizeof(d->ifname), "%s", m->link.name);
	return 0;
}

static void macvtap_end(void *arg)
{
	struct macvtap *m = arg;

	drop_link(m);
	host_nl_close(m->nl);
	free(m);
}

static int macvtap_open(const void *opts, const char *id, struct net_port **port, struct err *e)
{
	const struct macvtap_opts *o = opts;
	struct macvtap *m;
	struct tap_dev d;
	int rc;

	if (!o->link)
		return err_set(e, EINVAL,
			       "macvtap: link= is missing: give the host's interface, e.g. "
			       "link=eth0");
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(e, ENOMEM, "macvtap: no memory");
	tap_dev_init(&d);
	snprintf(d.how, sizeof(d.how), "link=%.60s,mode=%s", o->link, modes[o->mode]);
	d.end = macvtap_end;
	d.arg = m;
	m->mac = o->mac;
	m->nl = host_nl_open(e);
	rc = m->nl ? make(m, o, &d, e) : -e->code;
	if (!rc)
		rc = tap_finish(&d, TAP_SNDBUF_NONE, id, port, e);
	tap_dev_close(&d);
	if (d.end)
		d.end(d.arg);
	return rc;
}

static int macvtap_claim(struct net_port *p, uint8_t mac[6], bool chosen, struct err *e)
{
	struct macvtap *m = tap_arg(p);
	const uint8_t *own = m->mac.b;
	int rc;

	if (!m->mac.set) {
		rc = host_link_set_mac(m->nl, m->link.index, mac, e);
		return rc ? err_prefix(e, "%s", p->name) : 0;
	}
	if (chosen && memcmp(own, mac, 6) != 0)
		return err_set(e, EINVAL,
			       "%s: macaddr=%02x:%02x:%02x:%02x:%02x:%02x is not the card's "
			       "address: give both the same, or leave one of them out",
			       p->name, own[0], own[1], own[2], own[3], own[4], own[5]);
	memcpy(mac, own, 6);
	return 0;
}

const struct net_backend net_backend_macvtap = {
	.name = "macvtap",
	.summary = "a link of its own over a host interface",
	.opts = &macvtap_opts,
	.open = macvtap_open,
	.leave = tap_leave,
	.ifname = tap_ifname,
	.claim = macvtap_claim,
};
