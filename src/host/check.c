/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vmwire host check` (rows H1, H5): one line for each thing that a guest's network needs of the
 * host: ok, or the command that mends it. A hint is about what only some networks need.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/accel.h"
#include "base/util.h"
#include "host/firewall.h"
#include "host/host.h"
#include "net/host/rtnl.h"

#define TUN	   "/dev/net/tun"
#define VHOST	   "/dev/vhost-net"
#define KVM	   "/dev/kvm"
#define FIREWALLS  8
#define RC_NO_NL   "the kernel's answer is missing"
#define FORWARD_V4 "/proc/sys/net/ipv4/ip_forward"
#define BRIDGE_NF  "/proc/sys/net/bridge/bridge-nf-call-iptables"
#define CHECK_NAME 15 /* width of the first column */

const struct host_opt host_check_opts[] = {{NULL, NULL, NULL}};

enum verdict { OK, HINT, NEED };

struct report {
	FILE *out;
	bool colour;
	int needed, hints;
};

/* One line. mend: the command; "": there is none. */
static void line(struct report *r, const char *name, enum verdict v, const char *mend,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void line(struct report *r, const char *name, enum verdict v, const char *mend,
		 const char *fmt, ...)
{
	static const char *const words[] = {"ok", "hint", "MISSING"};
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
	va_list ap;

	fprintf(r->out, "%-*s %s%-8s%s", CHECK_NAME, name, r->colour ? colours[v] : "", words[v],
		r->colour ? "\033[0m" : "");
	va_start(ap, fmt);
	vfprintf(r->out, fmt, ap);
	va_end(ap);
	fprintf(r->out, "%s%s\n", mend[0] ? ": " : "", mend);
	r->needed += v == NEED;
	r->hints += v == HINT;
}

static int number_in(const char *path)
{
	char text[16] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 ? atoi(text) : -1;
}

/* Can the device be opened? The errno when not. */
static int can_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void check_tun(struct report *r)
{
	int err = can_open(TUN);

	if (!err)
		line(r, "tun", OK, "", TUN " can be read and written");
	else if (err == EACCES || err == EPERM)
		line(r, "tun", NEED, "sudo chmod 0666 " TUN, TUN " is not yours to open");
	else if (err == ENODEV || err == ENXIO || !access("/sys/module/tun", F_OK))
		line(r, "tun", NEED, "sudo modprobe tun", TUN " has no driver");
	else
		line(r, "tun", NEED, "sudo modprobe tun", TUN ": %s", strerror(err));
}

static void check_kvm(struct report *r)
{
	int err = can_open(KVM);
	struct err e = {0};

	if (err == EACCES)
		line(r, "kvm", NEED, "sudo usermod -aG kvm $USER, and log in again",
		     KVM " is not yours to open");
	else if (err == ENOENT)
		line(r, "kvm", NEED, "sudo modprobe kvm_intel or kvm_amd",
		     KVM " is not there (or virtualisation is off in the firmware)");
	else if (kvm_probe(KVM, &e))
		line(r, "kvm", NEED, "", "%s", e.text);
	else
		line(r, "kvm", OK, "", "runs a 64-bit guest");
}

static void check_vhost(struct report *r)
{
	int err = can_open(VHOST);

	if (!err)
		line(r, "vhost-net", OK, "", VHOST " can be opened (vhost=on)");
	else if (err == EACCES || err == EPERM)
		line(r, "vhost-net", HINT, "sudo chmod 0666 " VHOST,
		     VHOST " is not yours to open (vhost=on)");
	else
		line(r, "vhost-net", HINT, "sudo modprobe vhost_net", "for vhost=on");
}

static bool is_intel(void)
{
	char text[512] = "";
	int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && strstr(text, "GenuineIntel");
}

static void check_iommu(struct report *r)
{
	DIR *d = opendir("/sys/kernel/iommu_groups");
	struct dirent *one;
	int n = 0;

	while (d && (one = readdir(d)) != NULL)
		n += one->d_name[0] != '.';
	if (d)
		closedir(d);
	if (n)
		line(r, "iommu", OK, "", "%d groups", n);
	else
		line(r, "iommu", HINT, "",
		     "off; for assigned devices switch it on in the firmware%s",
		     is_intel() ? " and boot with intel_iommu=on" : "");
}

static void check_forwarding(struct report *r)
{
	if (number_in(FORWARD_V4) == 1)
		line(r, "ip forwarding", OK, "", "on");
	else
		line(r, "ip forwarding", HINT, "sudo sysctl -w net.ipv4.ip_forward=1",
		     "off; routed networks need it, bridges do not");
}

static void check_firewalls(struct report *r)
{
	struct firewall f[FIREWALLS];
	struct err e = {0};
	int n = firewall_list(f, FIREWALLS, &e);

	if (n < 0)
		line(r, "firewall", HINT, "sudo vmwire host check", "%s", e.text);
	if (!n)
		line(r, "firewall", OK, "", "nothing drops what is forwarded");
	for (int i = 0; i < n; i++)
		line(r, "firewall", HINT, "",
		     "%s drops what is forwarded unless a rule lets it pass: %s", f[i].who,
		     f[i].rule);
	if (!access("/proc/net/ip_tables_names", F_OK) &&
	    number_in("/proc/net/ip_tables_names") >= 0)
		line(r, "firewall", HINT, "sudo iptables-legacy -S FORWARD",
		     "iptables-legacy has rules, too");
}

static void check_bridge_nf(struct report *r)
{
	int v = number_in(BRIDGE_NF);

	if (v == 1)
		line(r, "bridge-nf", HINT, "sudo sysctl -w net.bridge.bridge-nf-call-iptables=0",
		     "bridged frames go through the host's firewall");
	else
		line(r, "bridge-nf", OK, "",
		     "bridged frames do not go through the host's firewall");
}

/* The link of the default route, for the command that makes a bridge. */
static void default_link(struct host_nl *nl, char name[HOST_NAME])
{
	struct host_route *list = NULL;
	int n = host_routes(nl, RT_TABLE_MAIN, &list, NULL);
	struct host_link l;

	snprintf(name, HOST_NAME, "LINK");
	for (int i = 0; i < n; i++)
		if (!list[i].dst_len && list[i].oif &&
		    !host_link_get_index(nl, list[i].oif, &l, NULL)) {
			snprintf(name, HOST_NAME, "%s", l.name);
			break;
		}
	free(list);
}

static void one_bridge(struct report *r, struct host_nl *nl, const struct host_link *bridge)
{
	struct host_link *port = NULL;
	int n = host_bridge_ports(nl, bridge->index, &port, NULL);
	char text[256] = "";
	size_t len = 0;

	for (int i = 0; i < n && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", port[i].name);
	line(r, "bridge", OK, "", "%s:%s", bridge->name, n > 0 ? text : " no ports");
	free(port);
}

static void check_bridges(struct report *r)
{
	char name[HOST_NAME], mend[96];
	struct host_link *list = NULL;
	struct host_nl *nl = host_nl_open(NULL);
	int n = nl ? host_links(nl, &list, NULL) : -1, found = 0;

	for (int i = 0; i < n; i++)
		if (!strcmp(list[i].kind, "bridge")) {
			one_bridge(r, nl, &list[i]);
			found++;
		}
	free(list);
	if (n < 0)
		line(r, "bridge", HINT, "", RC_NO_NL);
	if (n >= 0 && !found) {
		default_link(nl, name);
		snprintf(mend, sizeof(mend), "sudo vmwire host bridge add br0 --uplink %s", name);
		line(r, "bridge", HINT, mend,
		     "none; guests that are to be on the host's LAN need one");
	}
	host_nl_close(nl);
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	char full[512];

	for (path = path ? path : ""; *path; path += strspn(path, ":")) {
		size_t n = strcspn(path, ":");

		snprintf(full, sizeof(full), "%.*s/%s", (int)MIN(n, 400), path, program);
		if (!access(full, X_OK))
			return true;
		path += n;
	}
	/* Often not in a user's PATH. */
	snprintf(full, sizeof(full), "/usr/sbin/%s", program);
	return !access(full, X_OK);
}

static void check_programs(struct report *r)
{
	static const struct {
		const char *name, *mend, *what;
	} programs[] = {
		{"dnsmasq", "sudo apt-get install dnsmasq-base", "for NAT networks"},
		{"qemu-system-x86_64", "sudo apt-get install qemu-system-x86",
		 "for the lab and for comparisons"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		if (in_path(programs[i].name))
			line(r, i ? "qemu" : "dnsmasq", OK, "", "%s is there", programs[i].name);
		else
			line(r, i ? "qemu" : "dnsmasq", HINT, programs[i].mend, "%s",
			     programs[i].what);
	}
}

static void check_acl(struct report *r)
{
	static const char *const files[] = {"/etc/vmwire/bridge.conf", "/etc/qemu/bridge.conf"};

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (!access(files[i], F_OK)) {
			line(r, "helper", OK, "", "%s says which bridges users may join", files[i]);
			return;
		}
	line(r, "helper", HINT,
	     "sudo mkdir -p /etc/vmwire; echo allow br0 | sudo tee /etc/vmwire/bridge.conf",
	     "no user but root may join a bridge (helper=)");
}

int host_check(const struct host_given *g, FILE *out, struct err *e)
{
	struct report r = {.out = out, .colour = out == stdout && isatty(STDOUT_FILENO)};

	(void)g;
	(void)e;
	check_tun(&r);
	check_kvm(&r);
	check_vhost(&r);
	check_iommu(&r);
	check_forwarding(&r);
	check_firewalls(&r);
	check_bridge_nf(&r);
	check_bridges(&r);
	check_programs(&r);
	check_acl(&r);
	fprintf(out, "%s; %d hint%s\n",
		r.needed ? "something that guests need is MISSING" : "all that is needed is there",
		r.hints, r.hints == 1 ? "" : "s");
	return r.needed ? 1 : 0;
}
