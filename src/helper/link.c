/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TAP. All is done by ioctl, on one socket: nothing to link against, nothing to parse.
 *
 * A bridge takes the lowest address of its ports for its own, and every other host has it in its
 * tables: the TAP's begins with fe, so that it is never the lowest. And it takes the lowest MTU, so
 * the TAP gets the bridge's before it joins.
 */
#include "helper/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN_DEV "/dev/net/tun"

struct why {
	char *text;
	size_t size;
};

static int failed(const struct why *w, const char *what, const char *remedy)
{
	snprintf(w->text, w->size, "%s: %s%s", what, strerror(errno), remedy);
	return -1;
}

static int make_tap(bool vnet, struct ifreq *tap, const struct why *w)
{
	int fd = open(TUN_DEV, O_RDWR | O_CLOEXEC);
	unsigned have = 0;

	if (fd < 0)
		return failed(w, TUN_DEV,
			      errno == EACCES ? "; chmod 0666 is safe there"
					      : "; load the driver: modprobe tun");
	memset(tap, 0, sizeof(*tap));
	memcpy(tap->ifr_name, "tap%d", sizeof("tap%d"));
	tap->ifr_flags = IFF_TAP | IFF_NO_PI;
	if (vnet && !ioctl(fd, TUNGETFEATURES, &have) && have & IFF_VNET_HDR)
		tap->ifr_flags |= IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, tap)) {
		failed(w, "no new TAP", "");
		close(fd);
		return -1;
	}
	return fd;
}

static int set_mac(int s, const char *tap, const struct why *w)
{
	struct ifreq r = {0};

	memcpy(r.ifr_name, tap, IFNAMSIZ);
	if (ioctl(s, SIOCGIFHWADDR, &r))
		return failed(w, "address of the TAP", "");
	r.ifr_hwaddr.sa_data[0] = (char)0xfe;
	return ioctl(s, SIOCSIFHWADDR, &r) ? failed(w, "address of the TAP", "") : 0;
}

static int set_mtu(int s, const char *tap, int mtu, const struct why *w)
{
	struct ifreq r = {.ifr_mtu = mtu};

	memcpy(r.ifr_name, tap, IFNAMSIZ);
	return ioctl(s, SIOCSIFMTU, &r) ? failed(w, "MTU of the TAP", "") : 0;
}

static int join(int s, const char *br, const char *tap, const struct why *w)
{
	struct ifreq r = {0};
	char what[64];

	snprintf(what, sizeof(what), "bridge %s", br);
	memcpy(r.ifr_name, tap, IFNAMSIZ);
	if (ioctl(s, SIOCGIFINDEX, &r))
		return failed(w, "index of the TAP", "");
	snprintf(r.ifr_name, IFNAMSIZ, "%s", br);
	if (!ioctl(s, SIOCBRADDIF, &r))
		return 0;
	return failed(w, what, errno == EOPNOTSUPP ? "; it is not a bridge" : "");
}

static int bring_up(int s, const char *tap, const struct why *w)
{
	struct ifreq r = {0};

	memcpy(r.ifr_name, tap, IFNAMSIZ);
	if (ioctl(s, SIOCGIFFLAGS, &r))
		return failed(w, "flags of the TAP", "");
	r.ifr_flags |= IFF_UP;
	return ioctl(s, SIOCSIFFLAGS, &r) ? failed(w, "bringing the TAP up", "") : 0;
}

int link_make(const char *br, bool vnet, char *why, size_t size)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd;
	const struct why w = {why, size};
	struct ifreq bridge = {0}, tap;
	char what[64];

	if (s < 0)
		return failed(&w, "socket", "");
	snprintf(what, sizeof(what), "bridge %s", br);
	snprintf(bridge.ifr_name, IFNAMSIZ, "%s", br);
	if (ioctl(s, SIOCGIFMTU, &bridge)) {
		failed(&w, what, "; brctl show lists the bridges that there are");
		close(s);
		return -1;
	}
	fd = make_tap(vnet, &tap, &w);
	if (fd >= 0 &&
	    (set_mac(s, tap.ifr_name, &w) || set_mtu(s, tap.ifr_name, bridge.ifr_mtu, &w) ||
	     join(s, br, tap.ifr_name, &w) || bring_up(s, tap.ifr_name, &w))) {
		close(fd);
		fd = -1;
	}
	close(s);
	return fd;
}
