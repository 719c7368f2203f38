/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `nat`: a TAP on a network that vmwire makes and shares among guests (M2). The network is the
 * business of net/host/nat*.c, in a process of its own (nat.h says who owns what); the frames are
 * the TAP's (tap.c). Here are the options, and what is this guest's on the host: its TAP's place
 * on the bridge, its forwards, filter and rate, which all go with this process.
 *
 * A forward is a rule of nftables; the host's port is bound besides, so that no other program
 * believes it has it, nor another guest.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "net/backend/backend.h"
#include "net/backend/tap.h"
#include "net/host/nat_client.h"
#include "net/host/nat_host.h"
#include "net/host/nat_rules.h"
#include "net/user/stack.h"

enum { OFF, ON, LEFT_OUT };
enum { REPORT, ADJUST };

#define BURST_MIN 65536u	  /* one large frame */
#define RATE_MAX  400000000000ull /* bits a second */

struct nat_opts {
	char *br, *ifname;
	struct opt_ip4net net;
	int isolated, routed, ipv6; /* OFF, ON, LEFT_OUT */
	int firewall;		    /* REPORT, ADJUST, LEFT_OUT */
	struct opt_list hostfwd;
	bool antispoof, port_isolation;
	uint64_t rate;	/* bits a second; 0: no limit */
	uint64_t burst; /* bytes; 0: left out */
	uint32_t queues;
	bool vhost;
};

/* A bit rate: decimal, k M G of a thousand, "bit" behind it is allowed. */
static int parse_rate(const char *value, void *out, struct err *e)
{
	static const char *const names[] = {"", "k", "M", "G", NULL};
	struct nat_opts *o = out;
	char *end;
	unsigned long long n = strtoull(value, &end, 10);
	uint64_t unit = 1;

	for (unsigned i = 0; names[i] && *value >= '0' && *value <= '9'; i++, unit *= 1000) {
		size_t len = strlen(names[i]);

		if (strncasecmp(end, names[i], len) != 0 ||
		    (end[len] && strcmp(end + len, "bit") != 0))
			continue;
		if (n > RATE_MAX / unit || n * unit < 8000)
			break;
		o->rate = n * unit;
		return 0;
	}
	return err_set(e, EINVAL, "give 8k to 400G bits a second, with k, M or G, e.g. rate=10M");
}

static const char *const on_off[] = {"off", "on", NULL};
static const char *const firewalls[] = {"report", "adjust", NULL};

#define AT(m) offsetof(struct nat_opts, m)
static const struct opt nat_table[] = {
	{"net", OPT_IP4NET, AT(net),
	 .help = "the guests' network; default: the first free one from 192.168.122.0/24 on"},
	{"br", OPT_STR, AT(br), .arg = "name",
	 .help = "the network's bridge, by which guests find each other; default: " NAT_DEFAULT},
	{"isolated", OPT_ENUM, AT(isolated), .names = on_off, .arg = "on|off",
	 .help = "guests and host only, nothing is forwarded; default: off"},
	{"routed", OPT_ENUM, AT(routed), .names = on_off, .arg = "on|off",
	 .help = "forward as is, without masquerade; default: off"},
	{"ipv6", OPT_ENUM, AT(ipv6), .names = on_off, .arg = "on|off",
	 .help = "IPv6, in a network of its own (ULA); default: on if the host has it"},
	{"hostfwd", OPT_LIST, AT(hostfwd),
	 .arg = "tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport",
	 .help = "forward a host port to the guest; may be repeated"},
	{"firewall", OPT_ENUM, AT(firewall), .names = firewalls, .arg = "report|adjust",
	 .help = "another firewall's rule that drops guests' packets: say which, or also put one "
		 "in front that lets them through, while the network is there; default: report"},
	{"antispoof", OPT_BOOL, AT(antispoof),
	 .help = "drop what the guest sends under another MAC or IP address than its card was "
		 "given; default: off"},
	{"port-isolation", OPT_BOOL, AT(port_isolation),
	 .help = "keep the guest from others that have this on, too; default: off"},
	{"rate", OPT_CUSTOM, .parse = parse_rate, .arg = "bits",
	 .help = "limit each direction to so many bits a second, e.g. 10M; default: none"},
	{"burst", OPT_SIZE, AT(burst), .min = BURST_MIN, .max = 1u << 30, .unit = 1, .arg = "bytes",
	 .help = "what may go at once above rate=; default: a tenth of a second's"},
	{"ifname", OPT_STR, AT(ifname), .arg = "name",
	 .help = "the TAP's name; default: the kernel picks tapN"},
	{"queues", OPT_U32, AT(queues), .min = 1, .max = NET_QUEUES, .arg = "n",
	 .help = "queues, for a card with mq=on; default: 1"},
	{"vhost", OPT_BOOL, AT(vhost),
	 .help = "the kernel works on the rings of a virtio card whose guest uses MSI-X; default: "
		 "off"},
	{.name = NULL},
};
#undef AT

static void nat_defaults(void *out)
{
	struct nat_opts *o = out;

	o->isolated = o->routed = o->ipv6 = o->firewall = LEFT_OUT;
}

static const struct opt_table nat_opts = {
	.name = "nat",
	.summary = "a network of its own behind the host's address, shared by guests",
	.opts = nat_table,
	.size = sizeof(struct nat_opts),
	.defaults = nat_defaults,
};

struct forward {
	struct nat_fwd f;
	bool first_card; /* no guest address was given */
	int fd;		 /* holds the host's port */
};

struct nat {
	char id[32];
	char ifname[NAT_NAME];
	struct nat_client *client;
	struct host_nft *nft;
	bool tables; /* our tables are there */
	/* For the client's thread: there is a TAP; a forward is reached by 127.0.0.1, too. */
	atomic_bool ready, localnet;
	bool antispoof, port_isolation;
	uint64_t rate, burst; /* bytes */
	unsigned nfwds, ncards;
	struct forward fwds[NAT_FWDS];
	struct nat_card cards[NAT_CARDS];
};

/* --- options -------------------------------------------------------------------------------- */

static bool may_administer(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	return !syscall(SYS_capget, &head, data) && data[0].effective & 1u << CAP_NET_ADMIN;
}

static int check_net(const struct nat_opts *o, struct nat_net *w, struct err *e)
{
	uint32_t addr = ntohl(o->net.addr);

	if (!o->net.set)
		return 0;
	if (o->net.prefix < NAT_PREFIX_MIN || o->net.prefix > NAT_PREFIX_MAX)
		return err_set(e, EINVAL, "nat: net=…/%u: allowed: /%d to /%d", o->net.prefix,
			       NAT_PREFIX_MIN, NAT_PREFIX_MAX);
	w->given |= NAT_GIVEN_NET;
	w->addr = addr & nat_mask(o->net.prefix);
	w->prefix = o->net.prefix;
	if (!(w->addr >> 24) || w->addr >> 24 == 127 || w->addr >> 28 >= 14)
		return err_set(e, EINVAL,
			       "nat: net=%u.…/%u: not a network for guests; choose a private one, "
			       "e.g. net=10.77.0.0/24",
			       w->addr >> 24, o->net.prefix);
	return 0;
}

/* What the options say of the network. */
static int wish(const struct nat_opts *o, struct nat_net *w, struct err *e)
{
	const char *br = o->br ? o->br : NAT_DEFAULT;

	*w = (struct nat_net){0};
	if (!nat_name_ok(br) || !strcmp(br, "forwarding"))
		return err_set(
			e, EINVAL,
			"nat: br=%.60s: allowed: a letter, then letters, digits, - _ . up to "
			"%d characters",
			br, NAT_NAME - 1);
	if (o->ifname && !nat_name_ok(o->ifname))
		return err_set(e, EINVAL,
			       "nat: ifname=%.60s: allowed: a letter, then letters, digits, - _ . "
			       "up to %d characters",
			       o->ifname, NAT_NAME - 1);
	if (o->isolated == ON && o->routed == ON)
		return err_set(e, EINVAL,
			       "nat: isolated=on and routed=on exclude each other: nothing is "
			       "forwarded, or all is");
	if (o->burst && !o->rate)
		return err_set(e, EINVAL, "nat: burst= needs rate=, e.g. rate=10M");
	snprintf(w->name, sizeof(w->name), "%s", br);
	if (o->isolated != LEFT_OUT || o->routed != LEFT_OUT)
		w->given |= NAT_GIVEN_MODE;
	w->mode = o->isolated == ON ? NAT_ISOLATED : o->routed == ON ? NAT_ROUTED : NAT_MASQUERADE;
	w->given |= o->firewall != LEFT_OUT ? NAT_GIVEN_ADJUST : 0;
	w->adjust = o->firewall == ADJUST;
	w->given |= o->ipv6 != LEFT_OUT ? NAT_GIVEN_V6 : 0;
	w->v6 = o->ipv6 == ON;
	return check_net(o, w, e);
}

/* --- forwards ------------------------------------------------------------------------------- */

/* Binds the host's port and nothing more. */
static int hold_port(const struct fwd *f, const char *text, struct err *e)
{
	int type = f->proto == IP_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), code;

	if (fd >= 0 && !bind(fd, (const struct sockaddr *)&f->host, sizeof(f->host)))
		return fd;
	code = errno;
	if (fd >= 0)
		close(fd);
	return fwd_explain(f, text, code, e);
}

static int add_forward(struct nat *n, const char *text, struct err *e)
{
	const struct nat_net *net = nat_client_net(n->client);
	struct forward *w = &n->fwds[n->nfwds];
	struct fwd f;
	int rc = fwd_parse(text, &f, e);

	if (rc)
		return rc;
	if (!f.host.sin_port)
		return err_set(e, EINVAL, "hostfwd=%s: the host's port is missing", text);
	if (n->nfwds == NAT_FWDS)
		return err_set(e, ENOSPC,
			       "hostfwd=%s: there are %d rules already, the most allowed", text,
			       NAT_FWDS);
	*w = (struct forward){
		.f = {.udp = f.proto == IP_UDP,
		      .host = ntohl(f.host.sin_addr.s_addr),
		      .guest = ntohl(f.guest.sin_addr.s_addr),
		      .host_port = ntohs(f.host.sin_port),
		      .guest_port = ntohs(f.guest.sin_port)},
		.first_card = !f.guest.sin_addr.s_addr,
	};
	if (w->f.guest && (w->f.guest ^ net->addr) & nat_mask(net->prefix)) {
		char a[NAT_ADDR_TEXT];

		return err_set(e, EINVAL,
			       "hostfwd=%s: the guest's address is not one of the network %s/%u",
			       text, nat_addr_text(net->addr, a), net->prefix);
	}
	if (w->first_card && n->ncards)
		w->f.guest = n->cards[0].addr;
	w->fd = hold_port(&f, text, e);
	if (w->fd < 0)
		return w->fd;
	n->nfwds++;
	return 0;
}

/* Is one of them reached by 127.0.0.1, too? */
static bool from_loopback(const struct nat *n)
{
	for (unsigned i = 0; i < n->nfwds; i++) {
		if (!n->fwds[i].f.host || n->fwds[i].f.host >> 24 == 127)
			return true;
	}
	return false;
}

/* Our filter drops what the guest sends there, and that of every other guest. Any thread. */
static void route_localnet(const struct nat *n, const char *bridge)
{
	char path[NAT_PATH];

	snprintf(path, sizeof(path), "ipv4/conf/%s/route_localnet", bridge);
	if (atomic_load(&n->localnet))
		nat_sysctl(path, "1");
}

/* --- the guest's own rules and place on the bridge ------------------------------------------- */

static int put_rules(struct nat *n, struct err *e)
{
	struct nat_fwd fwds[NAT_FWDS];
	const struct nat_rules_guest g = {
		.net = nat_client_net(n->client),
		.ifname = n->ifname,
		.again = n->tables,
		.antispoof = n->antispoof,
		.rate = n->rate,
		.burst = n->burst,
		.cards = n->cards,
		.ncards = n->ncards,
		.fwds = fwds,
		.nfwds = n->nfwds,
	};
	char *text;
	int rc;

	for (unsigned i = 0; i < n->nfwds; i++)
		fwds[i] = n->fwds[i].f;
	text = nat_rules_guest(&g);
	rc = text ? host_nft_run(n->nft, text, e) : err_set(e, ENOMEM, "nat: out of memory");
	free(text);
	n->tables |= !rc;
	atomic_store(&n->localnet, from_loopback(n));
	if (!rc)
		route_localnet(n, g.net->name);
	return rc;
}

/* Puts the TAP on the bridge and up. Any thread. */
static int enslave(const struct nat *n, const char *bridge, struct err *e)
{
	struct host_nl *nl = host_nl_open(e);
	struct host_link tap = {0}, br = {0};
	char path[NAT_PATH];
	int rc = nl ? host_link_get(nl, n->ifname, &tap, e) : -e->code;

	if (!rc)
		rc = host_link_get(nl, bridge, &br, e);
	if (!rc && n->rate)
		rc = host_link_shape(nl, tap.index, n->rate, (uint32_t)n->burst, e);
	/* The host has no address there, but for one that the kernel would make up. */
	snprintf(path, sizeof(path), "ipv6/conf/%s/disable_ipv6", n->ifname);
	nat_sysctl(path, "1");
	if (!rc)
		rc = host_link_set_master(nl, tap.index, br.index, e);
	if (!rc && n->port_isolation)
		rc = host_port_set_isolated(nl, tap.index, true, e);
	if (!rc)
		rc = host_link_set_up(nl, tap.index, true, e);
	host_nl_close(nl);
	return rc;
}

/* --- what the client calls ------------------------------------------------------------------ */

static void on_again(void *arg)
{
	const struct nat *n = arg;
	const char *bridge;
	struct err e;

	if (!atomic_load(&n->ready))
		return;
	bridge = nat_client_net(n->client)->name;
	if (enslave(n, bridge, &e))
		log_warn("%s: %s", n->id, e.text);
	route_localnet(n, bridge);
}

static void on_tell(void *arg, const char *line)
{
	log_warn("%s: %s", ((const struct nat *)arg)->id, line);
}

static const struct nat_client_ops client_ops = {.again = on_again, .tell = on_tell};

/* --- life ----------------------------------------------------------------------------------- */

/* tap_dev.end; the TAP goes after it. */
static void leave(void *arg)
{
	struct nat *n = arg;

	nat_client_close(n->client);
	host_nft_close(n->nft);
	for (unsigned i = 0; i < n->nfwds; i++)
		close(n->fwds[i].fd);
	free(n);
}

static const char *const modes[] = {
	[NAT_MASQUERADE] = "nat", [NAT_ROUTED] = "routed", [NAT_ISOLATED] = "isolated"};

/* The TAP, on the bridge. */
static int open_tap(const struct nat_opts *o, struct nat *n, struct tap_dev *d, struct err *e)
{
	const struct tap_opts t = {
		.fd = TAP_FD_NONE,
		.ifname = o->ifname,
		.vnet_hdr = TAP_VNET_AUTO,
		.queues = o->queues,
	};
	const struct nat_net *net = nat_client_net(n->client);
	char a[NAT_ADDR_TEXT];
	int rc = tap_open_tun(&t, d, e);

	if (rc)
		return rc;
	snprintf(n->ifname, sizeof(n->ifname), "%s", d->ifname);
	snprintf(d->how, sizeof(d->how), "net=%s/%u,br=%s,mode=%s", nat_addr_text(net->addr, a),
		 net->prefix, net->name, modes[net->mode]);
	/* Filter, then frames. */
	n->nft = host_nft_open(e);
	rc = n->nft ? put_rules(n, e) : -e->code;
	if (!rc)
		rc = enslave(n, net->name, e);
	atomic_store(&n->ready, !rc);
	return rc;
}

static int make(const struct nat_opts *o, struct nat *n, const struct nat_net *w, struct tap_dev *d,
		struct err *e)
{
	int rc = 0;

	n->client = nat_client_open(w, &client_ops, n, e);
	if (!n->client)
		return -e->code;
	for (unsigned i = 0; !rc && i < o->hostfwd.n; i++)
		rc = add_forward(n, o->hostfwd.v[i], e);
	return rc ? rc : open_tap(o, n, d, e);
}

static int nat_open(const void *opts, const char *id, struct net_port **port, struct err *e)
{
	const struct nat_opts *o = opts;
	const struct tap_opts kernel = {.vhost = o->vhost ? TAP_ON : TAP_OFF,
					.vhostfd = TAP_FD_NONE};
	struct tap_vhost vhost;
	struct nat_net w;
	struct tap_dev d;
	struct nat *n;
	int rc = wish(o, &w, e);

	if (rc)
		return rc;
	if (!may_administer())
		return err_set(e, EPERM,
			       "nat: not permitted: a bridge, firewall rules and dnsmasq take root "
			       "(CAP_NET_ADMIN); run as root, or use a network that needs no "
			       "privilege: -net user");
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_set(e, ENOMEM, "nat: out of memory");
	snprintf(n->id, sizeof(n->id), "%s", id);
	n->antispoof = o->antispoof;
	n->port_isolation = o->port_isolation;
	n->rate = o->rate / 8;
	n->burst = o->burst ? o->burst : MIN(MAX(n->rate / 10, BURST_MIN), 1ull << 30);
	tap_dev_init(&d);
	rc = tap_vhost_open(&kernel, MAX(o->queues, 1u), &vhost, e);
	if (!rc)
		rc = make(o, n, &w, &d, e);
	d.end = leave;
	d.arg = n;
	if (!rc)
		rc = tap_finish(&d, TAP_SNDBUF_NONE, id, port, e);
	if (d.end)
		d.end(d.arg);
	tap_dev_close(&d);
	if (rc)
		tap_vhost_close(&vhost);
	else
		tap_vhost_join(*port, &vhost);
	return rc;
}

/* --- while it is there ---------------------------------------------------------------------- */

static bool same_cards(const struct nat *n, const struct net_guest *g, unsigned count)
{
	bool same = n->ncards == count;

	for (unsigned i = 0; same && i < count; i++)
		same = !memcmp(n->cards[i].mac, g[i].mac, sizeof(g[i].mac));
	return same;
}

static int nat_guests(struct net_port *p, const struct net_guest *g, unsigned count, struct err *e)
{
	struct nat *n = tap_arg(p);
	struct nat_card cards[NAT_CARDS] = {{{0}}};
	int rc;

	if (count > NAT_CARDS)
		return err_set(e, E2BIG, "nat: %u cards on one network: allowed: %d", count,
			       NAT_CARDS);
	if (same_cards(n, g, count))
		return 0;
	for (unsigned i = 0; i < count; i++) {
		memcpy(cards[i].mac, g[i].mac, sizeof(g[i].mac));
		snprintf(cards[i].name, sizeof(cards[i].name), "%.*s", NAT_LABEL - 1, g[i].name);
	}
	rc = nat_client_cards(n->client, cards, count, e);
	if (rc)
		return rc;
	memcpy(n->cards, cards, sizeof(n->cards));
	n->ncards = count;
	for (unsigned i = 0; i < n->nfwds; i++) {
		if (n->fwds[i].first_card)
			n->fwds[i].f.guest = count ? cards[0].addr : 0;
	}
	return put_rules(n, e);
}

static int nat_hostfwd(struct net_port *p, bool add, const char *rule, struct err *e)
{
	struct nat *n = tap_arg(p);
	char text[128];
	struct fwd f;
	int rc;

	if (add) {
		rc = add_forward(n, rule, e);
		if (!rc)
			rc = put_rules(n, e);
		return rc;
	}
	/* What stands before the dash names it; the rest is for the parser. */
	snprintf(text, sizeof(text), "%.*s-:1", (int)strcspn(rule, "-"), rule);
	rc = fwd_parse(text, &f, e);
	if (rc)
		return rc;
	for (unsigned i = 0; i < n->nfwds; i++) {
		struct forward *w = &n->fwds[i];

		if (w->f.udp != (f.proto == IP_UDP) || w->f.host_port != ntohs(f.host.sin_port) ||
		    w->f.host != ntohl(f.host.sin_addr.s_addr))
			continue;
		close(w->fd);
		*w = n->fwds[--n->nfwds];
		return put_rules(n, e);
	}
	return err_set(e, ENOENT,
		       "hostfwd=%s: there is no such rule; `info network` shows those there are",
		       rule);
}

static void say(const struct text_out *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void say(const struct text_out *out, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap); /* NOLINT(clang-analyzer-valist.Uninitialized) */
	va_end(ap);
	out->line(out->opaque, line);
}

static void say_drops(const struct nat *n, const struct text_out *out)
{
	struct nat_drops d;
	char command[64], *json;
	struct err e;

	nat_rules_ask(n->ifname, command, sizeof(command));
	json = host_nft_json(n->nft, command, &e);
	if (json && nat_rules_drops(json, &d))
		say(out,
		    "     dropped of what the guest sent: %" PRIu64 " spoofed, %" PRIu64
		    " over the rate, %" PRIu64 " to the host's loopback",
		    d.spoofed, d.over_rate, d.loopback);
	free(json);
}

static void nat_below(const struct net_port *p, const struct text_out *out)
{
	const struct nat *n = tap_arg(p);
	const struct nat_net *net = nat_client_net(n->client);
	char a[NAT_ADDR_TEXT], b[NAT_ADDR_TEXT], six[INET6_ADDRSTRLEN];

	say(out, "     host %s%s%s%s", nat_addr_text(nat_host(net), a), net->v6 ? ", IPv6 " : "",
	    net->v6 ? inet_ntop(AF_INET6, net->ula, six, sizeof(six)) : "", net->v6 ? "/64" : "");
	for (unsigned i = 0; i < n->ncards; i++) {
		const struct nat_card *c = &n->cards[i];

		say(out, "     guest %s.%s %s macaddr=%02x:%02x:%02x:%02x:%02x:%02x", c->name,
		    NAT_DOMAIN, nat_addr_text(c->addr, a), c->mac[0], c->mac[1], c->mac[2],
		    c->mac[3], c->mac[4], c->mac[5]);
	}
	for (unsigned i = 0; i < n->nfwds; i++) {
		const struct nat_fwd *w = &n->fwds[i].f;

		say(out, "     hostfwd %s %s:%u -> %s:%u", w->udp ? "udp" : "tcp",
		    nat_addr_text(w->host, a), w->host_port,
		    w->guest ? nat_addr_text(w->guest, b) : "(no card yet)", w->guest_port);
	}
	if (n->antispoof || n->port_isolation || n->rate)
		say(out, "     antispoof=%s,port-isolation=%s,rate=%llu bit/s,burst=%llu bytes",
		    n->antispoof ? "on" : "off", n->port_isolation ? "on" : "off",
		    (unsigned long long)n->rate * 8, n->rate ? (unsigned long long)n->burst : 0);
	say_drops(n, out);
	tap_vhost_below(p, out);
}

const struct net_backend net_backend_nat = {
	.name = "nat",
	.summary = "a network of its own behind the host's address, shared by guests",
	.opts = &nat_opts,
	.open = nat_open,
	.leave = tap_leave,
	.ifname = tap_ifname,
	.guests = nat_guests,
	.below = nat_below,
	.hostfwd = nat_hostfwd,
};
