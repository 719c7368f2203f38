/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The `user` backend: options and monitor output of the user-mode stack in net/user. Names and
 * meanings are QEMU's; `mtu` and `dns-host` are ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/sandbox.h"
#include "base/util.h"
#include "net/backend/backend.h"
#include "net/user/internal.h"

/* Of the stack on its loop: src/net/user. */
const int stack_calls[] = {
	SYS_bind,	 SYS_connect,	 SYS_listen,	 SYS_accept4, SYS_shutdown, SYS_getsockname,
	SYS_getpeername, SYS_setsockopt, SYS_getsockopt, SYS_sendto,  SYS_sendmsg,  SYS_sendmmsg,
	SYS_recvfrom,	 SYS_recvmsg,	 SYS_recvmmsg,	 SYS_ioctl,   SYS_poll,	    SANDBOX_END,
};

struct user_opts {
	struct user_conf conf;
	bool ipv4, ipv6;
};

static void user_defaults(void *out)
{
	struct user_opts *o = out;

	o->conf.mtu = 1500;
	o->ipv4 = true;
}

#define AT(member) offsetof(struct user_opts, member)
#define MISSING(n, text)                                                                           \
	{                                                                                          \
		.name = (n), .type = OPT_STR, .missing = (text)                                    \
	}
#define NOT_YET(n, thing) MISSING(n, thing " is not there yet; leave it out")

static const struct opt user_opts_list[] = {
	{.name = "net",
	 .type = OPT_IP4NET,
	 .off = AT(conf.net),
	 .help = "the guests' network (default 10.0.2.0/24)"},
	{.name = "host",
	 .type = OPT_IP4,
	 .off = AT(conf.host),
	 .help = "the gateway, which is this host (default: the third address, 10.0.2.2)"},
	{.name = "dns",
	 .type = OPT_IP4,
	 .off = AT(conf.dns),
	 .help = "the name server that guests see (default: the fourth address, 10.0.2.3)"},
	{.name = "dhcpstart",
	 .type = OPT_IP4,
	 .off = AT(conf.dhcpstart),
	 .help = "the first address given by DHCP (default: 10.0.2.15)"},
	{.name = "hostname",
	 .type = OPT_STR,
	 .off = AT(conf.hostname),
	 .arg = "name",
	 .help = "the name that DHCP tells the guest (default: none)"},
	{.name = "domainname",
	 .type = OPT_STR,
	 .off = AT(conf.domainname),
	 .arg = "name",
	 .help = "the domain that DHCP tells the guest (default: none)"},
	{.name = "restrict",
	 .type = OPT_BOOL,
	 .off = AT(conf.restricted),
	 .help = "isolate the guest: no host, no outside, only hostfwd (default off)"},
	{.name = "hostfwd",
	 .type = OPT_LIST,
	 .off = AT(conf.hostfwd),
	 .arg = "tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport",
	 .help = "forward a host port to the guest; may be repeated"},
	{.name = "mtu",
	 .type = OPT_U32,
	 .off = AT(conf.mtu),
	 .min = 576,
	 .max = 65520,
	 .help = "MTU told to the guest by DHCP (default 1500)"},
	{.name = "dns-host",
	 .type = OPT_ADDR4,
	 .off = AT(conf.dns_host),
	 .help = "resolver that DNS queries go to (default: those of /etc/resolv.conf)"},
	{.name = "ipv4",
	 .type = OPT_BOOL,
	 .off = AT(ipv4),
	 .help = "IPv4, which cannot be switched off yet (default on)"},
	{.name = "ipv6",
	 .type = OPT_BOOL,
	 .off = AT(ipv6),
	 .help = "IPv6, which cannot be switched on yet (default off)"},
	NOT_YET("ipv6-net", "IPv6"),
	NOT_YET("ipv6-prefix", "IPv6"),
	NOT_YET("ipv6-prefixlen", "IPv6"),
	NOT_YET("ipv6-host", "IPv6"),
	NOT_YET("ipv6-dns", "IPv6"),
	NOT_YET("dnssearch", "a DNS search list"),
	NOT_YET("tftp", "a TFTP server"),
	NOT_YET("bootfile", "network boot"),
	NOT_YET("tftp-server-name", "network boot"),
	NOT_YET("smb", "an SMB server"),
	NOT_YET("smbserver", "an SMB server"),
	NOT_YET("guestfwd", "guestfwd"),
	{.name = NULL},
};

static const struct opt_table user_table = {
	.name = "user",
	.summary = "a TCP/IP stack inside vmwire: no privilege, no host set-up",
	.opts = user_opts_list,
	.size = sizeof(struct user_opts),
	.defaults = user_defaults,
};

/* --- checks --------------------------------------------------------------------------------- */

static const char *text_of(uint32_t addr, char buf[INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, &addr, buf, INET_ADDRSTRLEN);
}

/* Without options, .2 .3 and .15 of the network, as in QEMU. */
static void fill_defaults(struct user_conf *c)
{
	uint32_t base, mask;

	if (!c->net.set) {
		c->net = (struct opt_ip4net){.addr = htonl(0x0a000200), .prefix = 24, .set = true};
		/* host= alone moves the network. */
		if (c->host.s_addr)
			c->net.addr = c->host.s_addr & htonl(0xffffff00);
	}
	mask = (uint32_t)(0xffffffffull << (32 - c->net.prefix));
	base = ntohl(c->net.addr) & mask;
	/* An address with host bits set, net=192.168.76.9/24, means its network. */
	c->net.addr = htonl(base);
	if (!c->host.s_addr)
		c->host.s_addr = htonl(base | 2);
	if (!c->dns.s_addr)
		c->dns.s_addr = htonl(base | 3);
	if (!c->dhcpstart.s_addr)
		c->dhcpstart.s_addr = htonl(base | (15 & ~mask));
}

static int check_inside(const struct user_conf *c, const char *name, uint32_t addr, struct err *e)
{
	uint32_t mask = htonl((uint32_t)(0xffffffffull << (32 - c->net.prefix)));
	char a[INET_ADDRSTRLEN], n[INET_ADDRSTRLEN];

	if (!((addr ^ c->net.addr) & mask) && addr != c->net.addr && addr != (c->net.addr | ~mask))
		return 0;
	return err_set(e, EINVAL,
		       "%s=%s is not a host's address in the network %s/%u; choose one "
		       "inside it, or change net=",
		       name, text_of(addr, a), text_of(c->net.addr, n), c->net.prefix);
}

static int check_distinct(const char *a, uint32_t va, const char *b, uint32_t vb, struct err *e)
{
	char text[INET_ADDRSTRLEN];

	if (va != vb)
		return 0;
	return err_set(e, EINVAL, "%s and %s are both %s; they must differ", a, b,
		       text_of(va, text));
}

/* hostname is one label, domainname a name: what DHCP carries and resolv.conf takes. */
static int check_name(const char *opt, const char *name, size_t max, struct err *e)
{
	if (!name)
		return 0;
	if (!*name || strlen(name) > max)
		return err_set(e, EINVAL, "%s=%s must be 1 to %zu characters long", opt, name, max);
	for (const char *p = name; *p; p++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._",
			    *p))
			return err_set(e, EINVAL,
				       "%s=%s: only letters, digits, '-', '_' and '.' "
				       "are allowed",
				       opt, name);
	}
	return 0;
}

static int check(struct user_opts *o, struct err *e)
{
	struct user_conf *c = &o->conf;
	uint32_t host, dns, first;

	if (!o->ipv4)
		return err_set(e, ENOTSUP, "ipv4=off is not there yet; leave it out");
	if (o->ipv6)
		return err_set(e, ENOTSUP, "ipv6=on is not there yet; leave it out");
	if (c->net.set && (c->net.prefix < 8 || c->net.prefix > 29))
		return err_set(e, EINVAL, "net=…/%u: the prefix must be 8 to 29", c->net.prefix);
	fill_defaults(c);
	host = c->host.s_addr;
	dns = c->dns.s_addr;
	first = c->dhcpstart.s_addr;
	if (check_inside(c, "host", host, e) || check_inside(c, "dns", dns, e) ||
	    check_inside(c, "dhcpstart", first, e) || check_distinct("host", host, "dns", dns, e) ||
	    check_distinct("dhcpstart", first, "host", host, e) ||
	    check_distinct("dhcpstart", first, "dns", dns, e) ||
	    check_name("hostname", c->hostname, 63, e) ||
	    check_name("domainname", c->domainname, 253, e))
		return -e->code;
	if (c->dns_host.sin_addr.s_addr && !c->dns_host.sin_port)
		c->dns_host.sin_port = htons(53);
	return 0;
}

/* Every flow is a descriptor: as many as the system lets us have without asking. The usual soft
 * limit of 1024 is there for select() only. */
static void raise_limit(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int user_open(const void *opts, const char *id, struct net_port **port, struct err *e)
{
	struct user_opts o = *(const struct user_opts *)opts;
	struct err why = {0};
	struct stack *st;

	if (!e)
		e = &why;
	if (check(&o, e))
		return -e->code;
	raise_limit();
	st = stack_new(&o.conf, id, e);
	if (!st)
		return -e->code;
	*port = &st->port;
	return 0;
}

/* --- info usernet --------------------------------------------------------------------------- */

struct show {
	const struct text_out *out;
	const struct stack *st;
	unsigned left; /* flows still to be shown */
};

static void line(const struct text_out *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void line(const struct text_out *out, const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	out->line(out->opaque, buf);
}

static void endpoint(char *buf, size_t len, uint32_t addr, uint16_t port)
{
	char a[INET_ADDRSTRLEN];

	snprintf(buf, len, "%s:%u", text_of(addr, a), ntohs(port));
}

static void show_flow(struct flow *f, void *arg)
{
	struct show *s = arg;
	char state[32] = "", guest[32], remote[32], kind[48];

	if (!s->left)
		return;
	s->left--;
	flow_ops_of(f->kind)->info(f, state, sizeof(state));
	endpoint(guest, sizeof(guest), f->key.gaddr, f->key.gport);
	endpoint(remote, sizeof(remote), f->key.raddr, f->key.rport);
	snprintf(kind, sizeof(kind), "%s[%s]", flow_ops_of(f->kind)->name, state);
	line(s->out, "  %-24s %-21s  %-21s  %11llu  %11llu  %6llu", kind, guest, remote,
	     (unsigned long long)f->tx_bytes, (unsigned long long)f->rx_bytes,
	     (unsigned long long)((stack_now(s->st) - f->born) / NS_PER_S));
}

static void show_lease(uint32_t addr, const uint8_t m[ETH_ALEN], void *arg)
{
	const struct text_out *out = arg;
	char a[INET_ADDRSTRLEN];

	line(out, "  lease %-15s  %02x:%02x:%02x:%02x:%02x:%02x", text_of(addr, a), m[0], m[1],
	     m[2], m[3], m[4], m[5]);
}

static void show_counters(const struct stack *st, const struct text_out *out)
{
#define X(name, text)                                                                              \
	if (st->count.name)                                                                        \
		line(out, "  %12llu  %s", (unsigned long long)st->count.name, text);
	STACK_COUNTERS(X)
#undef X
}

#define FLOWS_SHOWN 1000

static void user_details(const struct net_port *p, const struct text_out *out)
{
	const struct stack *st =
		(const struct stack *)((const char *)p - offsetof(struct stack, port));
	struct show s = {out, st, FLOWS_SHOWN};
	char info[128], guest[32], host[32];

	p->ops->info(p, info, sizeof(info));
	line(out, "%s: %s, %u flows", p->name, info, flow_count(st));
	if (flow_count(st))
		line(out, "  %-24s %-21s  %-21s  %11s  %11s  %6s", "Protocol[State]", "Guest",
		     "Remote", "Bytes out", "Bytes in", "Age/s");
	flow_for_each(st, show_flow, &s);
	if (flow_count(st) > FLOWS_SHOWN)
		line(out, "  … and %u more", flow_count(st) - FLOWS_SHOWN);
	for (unsigned i = 0; i < st->nfwd; i++) {
		const struct fwd *f = &st->fwd[i];

		if (f->fd < 0)
			continue;
		endpoint(host, sizeof(host), f->host.sin_addr.s_addr, f->host.sin_port);
		endpoint(guest, sizeof(guest), f->guest.sin_addr.s_addr, f->guest.sin_port);
		line(out, "  hostfwd %s %-21s -> %-21s  %llu hits",
		     f->proto == IP_TCP ? "tcp" : "udp", host, guest, (unsigned long long)f->hits);
	}
	dhcp_for_each(st, show_lease, (void *)(uintptr_t)out);
	show_counters(st, out);
}

static int user_hostfwd(struct net_port *p, bool add, const char *rule, struct err *e)
{
	struct stack *st = container_of(p, struct stack, port);

	return add ? fwd_add(st, rule, e) : fwd_remove(st, rule, e);
}

extern const struct net_backend net_backend_user;
const struct net_backend net_backend_user = {
	.name = "user",
	.summary = "a TCP/IP stack inside vmwire: no privilege, no host set-up",
	.opts = &user_table,
	.open = user_open,
	.details = user_details,
	.hostfwd = user_hostfwd,
};
