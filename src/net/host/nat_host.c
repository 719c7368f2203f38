/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's side of a NAT network: see nat_host.h.
 *
 * A bridge is known as ours by its MAC, which comes from its name and the machine's id.
 *
 * FORWARDING (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding) belongs to the whole host. It is
 * switched on when it is off and a network needs it, and back when the last network goes, but only
 * if nobody else needs it by then: another program, finding it on, does not say so, but one that
 * has its own masquerade in the ruleset does (the caller looks). A host that forwards IPv6 takes no
 * more routes from router advertisements (accept_ra=1) and would lose its own: accept_ra=2 keeps
 * them. The file "forwarding" has each switch with its value before and ours.
 */
#include "net/host/nat_host.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "net/host/nat_dns.h"
#include "net/host/nat_firewall.h"

/* --- folders -------------------------------------------------------------------------------- */

/* "@INODE" of the network namespace, "" in that of process 1. */
static void suffix(char text[32])
{
	struct stat mine, first;

	*text = '\0';
	if (stat("/proc/self/ns/net", &mine))
		return;
	if (stat("/proc/1/ns/net", &first) || mine.st_ino != first.st_ino)
		snprintf(text, 32, "@%llu", (unsigned long long)mine.st_ino);
}

void nat_dir(const char *name, char dir[NAT_PATH])
{
	char ns[32];

	suffix(ns);
	snprintf(dir, NAT_PATH, NAT_RUN "/%s%s", name, ns);
}

int nat_lock(struct err *e)
{
	int fd;

	if (mkdir(NAT_RUN, 0755) && errno != EEXIST)
		return err_set(e, errno, NAT_RUN ": %s; it must be writable: run as root",
			       strerror(errno));
	fd = open(NAT_RUN, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(e, errno, NAT_RUN ": %s", strerror(errno));
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		close(fd);
		return err_set(e, errno, NAT_RUN ": lock: %s", strerror(errno));
	}
	return fd;
}

static struct sockaddr_un address(const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%.*s/socket", NAT_PATH, dir);
	return a;
}

int nat_connect(const char *dir)
{
	struct sockaddr_un a = address(dir);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int nat_listen(const char *dir, struct err *e)
{
	struct sockaddr_un a = address(dir);
	int fd, code;

	if (mkdir(dir, 0755) && errno != EEXIST)
		return err_set(e, errno, "%s: %s", dir, strerror(errno));
	unlink(a.sun_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !chmod(a.sun_path, 0600) &&
	    !listen(fd, 128))
		return fd;
	code = errno;
	if (fd >= 0)
		close(fd);
	return err_set(e, code, "%s: %s", a.sun_path, strerror(code));
}

void nat_dir_remove(const char *dir)
{
	struct sockaddr_un a = address(dir);

	unlink(a.sun_path);
	nat_dns_clean(dir);
	rmdir(dir);
}

/* Calls fn for each network that has a folder in this network namespace. */
static void each_network(void (*fn)(const char *name, const char *dir, void *arg), void *arg)
{
	DIR *d = opendir(NAT_RUN);
	const struct dirent *de;
	char ns[32];

	suffix(ns);
	while (d && (de = readdir(d))) {
		const char *at = strchr(de->d_name, '@');
		char name[NAT_NAME], dir[NAT_PATH];
		size_t len = at ? (size_t)(at - de->d_name) : strlen(de->d_name);

		if (strcmp(at ? at : "", ns) != 0 || len >= sizeof(name))
			continue;
		memcpy(name, de->d_name, len);
		name[len] = '\0';
		nat_dir(name, dir);
		if (nat_name_ok(name) && strcmp(name, "forwarding") != 0)
			fn(name, dir, arg);
	}
	if (d)
		closedir(d);
}

static bool alive(const char *dir)
{
	int fd = nat_connect(dir);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

struct others {
	const char *mine;
	unsigned n;
};

static void count_other(const char *name, const char *dir, void *arg)
{
	struct others *o = arg;

	o->n += strcmp(name, o->mine) != 0 && alive(dir);
}

unsigned nat_others(const char *mine)
{
	struct others o = {mine, 0};

	each_network(count_other, &o);
	return o.n;
}

/* --- the bridge ----------------------------------------------------------------------------- */

static void machine_id(char id[64])
{
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, id, 63) : 0;

	if (fd >= 0)
		close(fd);
	id[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		gethostname(id, 63);
	id[63] = '\0';
}

static bool is_ours(const struct host_link *l, const char *name)
{
	struct nat_net n = {0};
	char id[64];

	snprintf(n.name, sizeof(n.name), "%s", name);
	machine_id(id);
	nat_identity(&n, id);
	return !strcmp(l->kind, "bridge") && !memcmp(l->mac, n.mac, sizeof(n.mac));
}

static bool has_ports(struct host_nl *nl, int bridge)
{
	struct host_link *ports = NULL;
	struct err e;
	int n = host_bridge_ports(nl, bridge, &ports, &e);

	free(ports);
	return n > 0;
}

struct sweep {
	struct host_nl *nl;
	struct host_nft *nft;
	const char *mine;
};

static void sweep_one(const char *name, const char *dir, void *arg)
{
	const struct sweep *s = arg;
	struct host_link l;
	struct err e;

	if (alive(dir))
		return;
	if (strcmp(name, s->mine) != 0 && !host_link_get(s->nl, name, &l, &e) &&
	    is_ours(&l, name)) {
		/* Its guests live: one of them is about to start a holder again. */
		if (has_ports(s->nl, l.index))
			return;
		host_link_del(s->nl, l.index, &e);
	}
	nat_firewall_clean(s->nft, name, &e);
	nat_dir_remove(dir);
}

void nat_sweep(struct host_nl *nl, struct host_nft *nft, const char *mine)
{
	struct sweep s = {nl, nft, mine};

	each_network(sweep_one, &s);
}

/* A range that the host uses; what is without one (default routes, host's own /32) is left out. */
static void add_used(struct nat_used *u, int *n, const uint8_t *addr, uint8_t prefix,
		     const char *what, const char *dev)
{
	char text[INET_ADDRSTRLEN];
	uint32_t a = get_be32(addr);

	if (!prefix || a >> 24 == 127 || a >> 28 >= 14)
		return;
	u[*n] = (struct nat_used){.addr = a, .prefix = prefix};
	snprintf(u[*n].what, sizeof(u[*n].what), "the %s %s/%u%s%s", what,
		 inet_ntop(AF_INET, addr, text, sizeof(text)), prefix, *dev ? " dev " : "", dev);
	(*n)++;
}

static const char *name_of(const struct host_link *l, int n, int index)
{
	for (int i = 0; i < n; i++) {
		if (l[i].index == index)
			return l[i].name;
	}
	return "";
}

/* What of IPv4 the host uses. Returns how many. */
static int used(struct host_nl *nl, struct nat_used **list, struct err *e)
{
	struct host_link *links = NULL;
	struct host_route *routes = NULL;
	struct host_addr *addrs = NULL;
	int nl_ = host_links(nl, &links, e), nr = -1, na = -1, n = 0;

	if (nl_ >= 0)
		nr = host_routes(nl, 0, &routes, e);
	if (nr >= 0)
		na = host_addrs(nl, 0, &addrs, e);
	*list = na >= 0 ? calloc((size_t)nr + (size_t)na + 1, sizeof(**list)) : NULL;
	if (na >= 0 && !*list)
		na = err_set(e, ENOMEM, "out of memory");
	for (int i = 0; *list && i < nr; i++) {
		if (routes[i].family == AF_INET)
			add_used(*list, &n, routes[i].dst, routes[i].dst_len, "route",
				 name_of(links, nl_, routes[i].oif));
	}
	for (int i = 0; *list && i < na; i++) {
		if (addrs[i].family == AF_INET)
			add_used(*list, &n, addrs[i].addr, addrs[i].prefix, "address",
				 name_of(links, nl_, addrs[i].index));
	}
	free(links);
	free(routes);
	free(addrs);
	return na < 0 ? -e->code : n;
}

/* Takes over subnet and IPv6 from a bridge that is there. False: it has no address. */
static bool adopt(struct host_nl *nl, int index, struct nat_net *net)
{
	struct host_addr *a = NULL;
	struct err e;
	int n = host_addrs(nl, index, &a, &e);
	bool v4 = false, v6 = false;

	for (int i = 0; i < n; i++) {
		if (a[i].family == AF_INET && !v4) {
			net->addr = get_be32(a[i].addr) & nat_mask(a[i].prefix);
			net->prefix = a[i].prefix;
			v4 = true;
		}
		v6 |= a[i].family == AF_INET6 && !memcmp(a[i].addr, net->ula, 8);
	}
	free(a);
	if (v4)
		net->v6 = v6;
	return v4;
}

static int put_addresses(struct host_nl *nl, int index, const struct nat_net *net, struct err *e)
{
	struct host_addr a = {.index = index, .family = AF_INET, .prefix = net->prefix};
	int rc;

	put_be32(a.addr, nat_host(net));
	put_be32(a.peer, nat_host(net));
	put_be32(a.broadcast, net->addr | ~nat_mask(net->prefix));
	a.has_broadcast = true;
	a.preferred = a.valid = UINT32_MAX;
	rc = host_addr_add(nl, &a, e);
	if (rc || !net->v6)
		return rc;
	a = (struct host_addr){.index = index, .family = AF_INET6, .prefix = 64};
	memcpy(a.addr, net->ula, sizeof(a.addr));
	a.addr[15] = 1;
	memcpy(a.peer, a.addr, sizeof(a.peer));
	a.flags = IFA_F_NODAD; /* dnsmasq is to have it at once */
	a.preferred = a.valid = UINT32_MAX;
	return host_addr_add(nl, &a, e);
}

static int choose(struct host_nl *nl, struct nat_net *net, struct err *e)
{
	struct nat_used *list;
	int n = used(nl, &list, e), rc;

	if (n < 0)
		return n;
	rc = nat_choose(net, list, (unsigned)n, e);
	free(list);
	return rc;
}

static int make_bridge(struct host_nl *nl, struct nat_net *net, struct err *e)
{
	const struct host_bridge_conf conf = {.mac = net->mac};
	struct host_link l;
	char path[NAT_PATH];
	int rc = choose(nl, net, e);

	if (!rc)
		rc = host_bridge_add(nl, net->name, &conf, e);
	if (!rc)
		rc = host_link_get(nl, net->name, &l, e);
	if (rc)
		return rc;
	/* Guests are not routers of the host. */
	snprintf(path, sizeof(path), "ipv6/conf/%s/accept_ra", net->name);
	nat_sysctl(path, "0");
	rc = host_link_set_up(nl, l.index, true, e);
	if (!rc)
		rc = put_addresses(nl, l.index, net, e);
	if (rc) {
		struct err ignored;

		host_link_del(nl, l.index, &ignored);
	}
	return rc ? rc : l.index;
}

static bool has_v6(void)
{
	char byte = '1';
	int fd = open("/proc/sys/net/ipv6/conf/all/disable_ipv6", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, &byte, 1) : 0;

	if (fd >= 0)
		close(fd);
	return n == 1 && byte == '0';
}

int nat_bridge_up(struct host_nl *nl, struct nat_net *net, struct err *e)
{
	struct nat_net wish = *net;
	struct host_link l;
	char id[64];
	int rc;

	machine_id(id);
	nat_identity(net, id);
	if (!(net->given & NAT_GIVEN_V6))
		net->v6 = has_v6();
	else if (net->v6 && !has_v6())
		return err_set(e, EAFNOSUPPORT,
			       "ipv6=on: this host has IPv6 switched off "
			       "(net.ipv6.conf.all.disable_ipv6); give ipv6=off");
	rc = host_link_get(nl, net->name, &l, e);
	if (rc == -ENODEV)
		return make_bridge(nl, net, e);
	if (rc)
		return rc;
	if (!is_ours(&l, net->name))
		return err_set(
			e, EEXIST,
			"br=%s: there is an interface of that name that vmwire has not made; "
			"choose another name, e.g. br=nat0 (to join a bridge of the host: "
			"-net bridge,br=%s)",
			net->name, net->name);
	if (has_ports(nl, l.index) && adopt(nl, l.index, net)) {
		rc = nat_agree(net, &wish, e);
		return rc ? rc : l.index;
	}
	rc = host_link_del(nl, l.index, e);
	return rc ? rc : make_bridge(nl, net, e);
}

void nat_bridge_down(struct host_nl *nl, int index)
{
	struct err e;

	host_link_del(nl, index, &e);
}

/* --- switches of the kernel ----------------------------------------------------------------- */

static int sys_open(const char *path, int flags)
{
	char full[NAT_PATH + 32];

	snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
	return open(full, flags | O_CLOEXEC);
}

int nat_sysctl(const char *path, const char *value)
{
	int fd = sys_open(path, O_WRONLY), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static bool get_sysctl(const char *path, char value[16])
{
	int fd = sys_open(path, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, value, 15) : -1;

	if (fd >= 0)
		close(fd);
	value[n > 0 ? n : 0] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return n > 0;
}

static void note_path(char path[NAT_PATH])
{
	char ns[32];

	suffix(ns);
	snprintf(path, NAT_PATH, NAT_RUN "/forwarding%s", ns);
}

bool nat_forwarding_changed(void)
{
	char path[NAT_PATH];

	note_path(path);
	return access(path, F_OK) == 0;
}

/* Sets path to value when it is `from` now, and notes that before. */
static int change(const char *path, const char *from, const char *value, struct err *e)
{
	char now[16], note[NAT_PATH], line[2 * NAT_PATH];
	int fd, n, rc;

	if (!get_sysctl(path, now) || strcmp(now, from) != 0)
		return 0;
	note_path(note);
	n = snprintf(line, sizeof(line), "%s %s %s\n", path, now, value);
	fd = open(note, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, line, (size_t)n) != n) {
		rc = err_set(e, errno ? errno : EIO, "%s: %s", note, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	close(fd);
	rc = nat_sysctl(path, value);
	return rc ? err_set(e, -rc,
			    "net.%s: %s; the network needs it: set it to %s yourself, or give "
			    "isolated=on",
			    path, strerror(-rc), value)
		  : 0;
}

static int keep_host_routes(struct host_nl *nl, struct err *e)
{
	struct host_route *r = NULL;
	int n = host_routes(nl, RT_TABLE_MAIN, &r, e), rc = n < 0 ? n : 0;

	for (int i = 0; !rc && i < n; i++) {
		char name[IF_NAMESIZE], path[NAT_PATH];

		if (r[i].family != AF_INET6 || r[i].protocol != RTPROT_RA ||
		    !if_indextoname((unsigned)r[i].oif, name))
			continue;
		snprintf(path, sizeof(path), "ipv6/conf/%s/accept_ra", name);
		rc = change(path, "1", "2", e);
	}
	free(r);
	return rc;
}

int nat_forwarding_on(struct host_nl *nl, const struct nat_net *net, struct err *e)
{
	int rc;

	if (net->mode == NAT_ISOLATED)
		return 0;
	rc = change("ipv4/ip_forward", "0", "1", e);
	if (rc || !net->v6)
		return rc;
	rc = keep_host_routes(nl, e);
	return rc ? rc : change("ipv6/conf/all/forwarding", "0", "1", e);
}

void nat_forwarding_off(bool back)
{
	char note[NAT_PATH], path[NAT_PATH], before[16], ours[16], now[16];
	FILE *f;

	note_path(note);
	f = fopen(note, "re");
	while (back && f && fscanf(f, "%95s %15s %15s", path, before, ours) == 3) {
		if (!strstr(path, "..") && get_sysctl(path, now) && !strcmp(now, ours))
			nat_sysctl(path, before);
	}
	if (f)
		fclose(f);
	unlink(note);
}

/* --- what the host is like ------------------------------------------------------------------ */

bool nat_uplink(struct host_nl *nl, char name[NAT_NAME])
{
	struct host_route *r = NULL;
	struct err e;
	int n = host_routes(nl, RT_TABLE_MAIN, &r, &e);
	bool found = false;

	for (unsigned family = 0; !found && family < 2; family++) {
		for (int i = 0; !found && i < n; i++)
			found = r[i].family == (family ? AF_INET6 : AF_INET) && !r[i].dst_len &&
				r[i].type == RTN_UNICAST && r[i].oif &&
				if_indextoname((unsigned)r[i].oif, name);
	}
	free(r);
	return found;
}

bool nat_bridge_nf(void)
{
	char v4[16];

	return get_sysctl("bridge/bridge-nf-call-iptables", v4) && !strcmp(v4, "1");
}
