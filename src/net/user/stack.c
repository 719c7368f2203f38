/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack as a port: frames from the guest come in by push(), which checks the Ethernet and
 * IPv4 headers and hands the packet to its protocol. Headers are copied once, into struct pkt,
 * and only the copy is believed; payload stays in guest memory.
 *
 * Every frame of a batch is taken: what a host socket has no room for is refused by its protocol's
 * own means (TCP does not acknowledge, UDP drops). Nothing is ever queued here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/util.h"
#include "net/user/internal.h"

#define NEIGH_PROBES  4
#define ARP_REPEAT_NS NS_PER_S
#define DNS_PORT      53
#define IP_TTL_OURS   64

static const struct flow_ops *const kinds[] = {
	[FLOW_TCP] = &tcp_flow_ops,
	[FLOW_UDP] = &udp_flow_ops,
	[FLOW_ICMP] = &icmp_flow_ops,
	[FLOW_DNS] = &dns_flow_ops,
};

static const uint8_t broadcast_mac[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

const struct flow_ops *flow_ops_of(enum flow_kind kind)
{
	return kinds[kind];
}

uint64_t stack_now(const struct stack *st)
{
	return st->loop ? loop_now(st->loop) : clock_now(NULL);
}

/* --- addresses ------------------------------------------------------------------------------ */

static uint32_t net_mask(const struct stack *st)
{
	return htonl((uint32_t)(0xffffffffull << (32 - st->conf.net.prefix)));
}

bool stack_in_net(const struct stack *st, uint32_t addr)
{
	return !((addr ^ st->conf.net.addr) & net_mask(st));
}

static bool is_net_broadcast(const struct stack *st, uint32_t addr)
{
	return addr == (st->conf.net.addr | ~net_mask(st));
}

bool stack_is_guest(const struct stack *st, uint32_t addr)
{
	return stack_in_net(st, addr) && !is_net_broadcast(st, addr) &&
	       addr != (st->conf.net.addr & net_mask(st)) && addr != st->conf.host.s_addr &&
	       addr != st->conf.dns.s_addr;
}

/* Addresses that no router would forward to: RFC 6890. */
static bool is_routable(uint32_t addr)
{
	uint32_t a = ntohl(addr);

	return a >> 24 && a >> 24 != 127 && a >> 28 < 0xe;
}

bool stack_host_addr(struct stack *st, uint32_t raddr, uint16_t rport, struct sockaddr_in *out)
{
	*out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = rport};
	if (st->conf.restricted) {
		st->count.restricted++;
		return false;
	}
	if (raddr == st->conf.host.s_addr) {
		out->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return true;
	}
	if (raddr == st->conf.dns.s_addr)
		return rport == htons(DNS_PORT) && dns_resolver(st, out);
	if (stack_in_net(st, raddr) || !is_routable(raddr))
		return false;
	out->sin_addr.s_addr = raddr;
	return true;
}

uint32_t stack_guest_view(const struct stack *st, uint32_t haddr)
{
	/* A host whose own LAN has our numbers is the gateway too, else the guest would ask for
	 * it by ARP. */
	if (ntohl(haddr) >> 24 == 127 || !haddr || stack_in_net(st, haddr))
		return st->conf.host.s_addr;
	return haddr;
}

/* --- neighbours ----------------------------------------------------------------------------- */

/*
 * A small hash table with NEIGH_PROBES places per address: full, the entry longest unseen of
 * those goes, so that a guest that makes addresses up costs nothing but its own.
 */
static struct neigh *neigh_place(struct stack *st, uint32_t addr)
{
	struct neigh *old = NULL;

	for (unsigned i = 0; i < NEIGH_PROBES; i++) {
		struct neigh *n = &st->neigh[(ntohl(addr) + i) % STACK_NEIGHS];

		if (n->addr == addr)
			return n;
		if (!old || (old->addr && (!n->addr || n->seen < old->seen)))
			old = n;
	}
	*old = (struct neigh){.addr = addr};
	return old;
}

static bool mac_is_zero(const uint8_t mac[ETH_ALEN])
{
	static const uint8_t zero[ETH_ALEN];

	return !memcmp(mac, zero, ETH_ALEN);
}

void stack_learn(struct stack *st, uint32_t addr, const uint8_t mac[ETH_ALEN])
{
	if (!stack_is_guest(st, addr) || mac[0] & 1 || mac_is_zero(mac))
		return;
	struct neigh *n = neigh_place(st, addr);

	memcpy(n->mac, mac, ETH_ALEN);
	n->seen = stack_now(st);
}

static void arp_ask(struct stack *st, uint32_t addr)
{
	struct {
		struct eth_hdr eth;
		struct arp_pkt arp;
	} __attribute__((packed)) f = {
		.eth.type = htons(ETH_ARP),
		.arp = {.htype = htons(1),
			.ptype = htons(ETH_IP4),
			.hlen = ETH_ALEN,
			.plen = 4,
			.op = htons(1),
			.spa = st->conf.host.s_addr,
			.tpa = addr},
	};

	memcpy(f.eth.dst, broadcast_mac, ETH_ALEN);
	memcpy(f.eth.src, st->mac, ETH_ALEN);
	memcpy(f.arp.sha, st->mac, ETH_ALEN);
	if (!stack_send(st, &f, sizeof(f), NULL, 0, NULL))
		st->count.no_room++;
}

bool stack_neigh(struct stack *st, uint32_t addr, uint8_t mac[ETH_ALEN])
{
	if (!stack_is_guest(st, addr))
		return false;
	struct neigh *n = neigh_place(st, addr);

	if (!mac_is_zero(n->mac)) {
		memcpy(mac, n->mac, ETH_ALEN);
		return true;
	}
	/* Not known: seen says when we asked last. */
	if (!n->seen || stack_now(st) - n->seen >= ARP_REPEAT_NS) {
		n->seen = stack_now(st);
		arp_ask(st, addr);
	}
	return false;
}

/* --- out ------------------------------------------------------------------------------------ */

void stack_fill_ip4(struct stack *st, struct eth_hdr *eth, struct ip4_hdr *ip,
		    const uint8_t dmac[ETH_ALEN], uint32_t src, uint32_t dst, uint8_t proto,
		    unsigned payload_len)
{
	memcpy(eth->dst, dmac, ETH_ALEN);
	memcpy(eth->src, st->mac, ETH_ALEN);
	eth->type = htons(ETH_IP4);
	/* DF and no identifier: an atomic datagram (RFC 6864 section 4.1). */
	*ip = (struct ip4_hdr){.ver_ihl = 0x45,
			       .len = htons((uint16_t)(sizeof(*ip) + payload_len)),
			       .frag = htons(IP4_DF),
			       .ttl = IP_TTL_OURS,
			       .proto = proto,
			       .src = src,
			       .dst = dst};
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
}

bool stack_send(struct stack *st, void *hdr, unsigned hdr_len, struct iovec *payload, unsigned n,
		const struct net_offload *off)
{
	struct iovec vec[NET_VEC_MAX];
	struct net_frame f = {.vec = vec, .nvec = 2, .len = hdr_len};

	vec[0] = (struct iovec){0};
	vec[1] = (struct iovec){hdr, hdr_len};
	for (unsigned i = 0; i < n && f.nvec < NET_VEC_MAX; i++) {
		vec[f.nvec++] = payload[i];
		f.len += payload[i].iov_len;
	}
	if (off)
		f.off = *off;
	if (net_push(&st->port, 0, &f, 1) != 1)
		return false;
	st->count.frames_out++;
	return true;
}

/* --- in ------------------------------------------------------------------------------------- */

/* Checks the source address and learns where it is. */
static bool source_ok(struct stack *st, const struct pkt *p)
{
	if (stack_is_guest(st, p->ip.src)) {
		stack_learn(st, p->ip.src, p->eth.src);
		return true;
	}
	/* A guest without an address yet asks for one. dhcp.c looks closer. */
	if (!p->ip.src && p->ip.proto == IP_UDP)
		return true;
	st->count.spoofed++;
	return false;
}

/* Copies and checks the IPv4 header (RFC 791 section 3.1, RFC 1122 section 3.2.1). */
static bool ip4_check(struct stack *st, struct pkt *p)
{
	uint8_t raw[60];
	const struct net_frame *f = p->f;
	size_t got = iov_read(f->vec + 1, f->nvec - 1, p->l3, raw, sizeof(raw));

	if (got < sizeof(p->ip)) {
		st->count.bad_frame++;
		return false;
	}
	memcpy(&p->ip, raw, sizeof(p->ip));
	unsigned hl = (p->ip.ver_ihl & 0xf) * 4u, len = ntohs(p->ip.len);

	if (p->ip.ver_ihl >> 4 != 4 || hl < sizeof(p->ip) || hl > got || len < hl ||
	    p->l3 + len > f->len) {
		st->count.bad_frame++;
		return false;
	}
	if (csum_fold(csum_add(0, raw, hl))) {
		st->count.bad_csum++;
		return false;
	}
	p->l4 = p->l3 + hl;
	p->end = p->l3 + len;
	return true;
}

/* True for what we take in: ourselves, broadcasts for UDP (DHCP), hosts beyond the gateway. */
static bool dest_ok(struct stack *st, struct pkt *p)
{
	uint32_t dst = p->ip.dst;

	if (dst == st->conf.host.s_addr || dst == st->conf.dns.s_addr)
		return p->ip.ttl > 0;
	if (dst == htonl(INADDR_BROADCAST) || is_net_broadcast(st, dst)) {
		if (p->ip.proto == IP_UDP)
			return true;
		st->count.not_ours++;
		return false;
	}
	if (ntohl(dst) >> 28 == 0xe || stack_in_net(st, dst) || p->eth.dst[0] & 1) {
		st->count.not_ours++;
		return false;
	}
	if (p->ip.ttl <= 1) {
		icmp_error(st, p, 11, 0, 0);
		return false;
	}
	return true;
}

void ip4_in(struct stack *st, struct pkt *p)
{
	if (!ip4_check(st, p) || !source_ok(st, p))
		return;
	if (p->ip.frag & htons(IP4_MF | IP4_OFFMASK)) {
		st->count.fragments++;
		return;
	}
	if (!dest_ok(st, p))
		return;
	switch (p->ip.proto) {
	case IP_ICMP:
		icmp_in(st, p);
		break;
	case IP_UDP:
		udp_in(st, p);
		break;
	case IP_TCP:
		tcp_in(st, p);
		break;
	default:
		st->count.unknown_proto++;
		icmp_error(st, p, 3, 2, 0);
	}
}

static void frame_in(struct stack *st, struct net_frame *f)
{
	struct pkt p = {.f = f, .l3 = ETH_HDR};

	st->count.frames_in++;
	if (f->nvec < 2 || f->len < ETH_HDR ||
	    iov_read(f->vec + 1, f->nvec - 1, 0, &p.eth, ETH_HDR) < ETH_HDR) {
		st->count.bad_frame++;
		return;
	}
	/* Group frames (lowest bit of the first byte) and our own. */
	if (!(p.eth.dst[0] & 1) && memcmp(p.eth.dst, st->mac, ETH_ALEN) != 0) {
		st->count.not_ours++;
		return;
	}
	if (p.eth.src[0] & 1) {
		st->count.bad_frame++;
		return;
	}
	p.csum_ok = f->off.flags & (NET_F_NEEDS_CSUM | NET_F_DATA_VALID);
	switch (ntohs(p.eth.type)) {
	case ETH_IP4:
		ip4_in(st, &p);
		break;
	case ETH_ARP:
		arp_in(st, &p);
		break;
	default:
		st->count.unknown_proto++;
	}
}

/* --- the port ------------------------------------------------------------------------------- */

static struct stack *to_stack(const struct net_port *p)
{
	return (struct stack *)((char *)(uintptr_t)p - offsetof(struct stack, port));
}

static unsigned stack_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct stack *st = to_stack(p);

	(void)q;
	for (unsigned i = 0; i < n; i++)
		frame_in(st, &f[i]);
	tcp_flush(st);
	return n;
}

static void stack_resume(struct net_port *p, unsigned q)
{
	(void)q;
	flow_resume(to_stack(p));
}

static void stack_caps(const struct net_port *p, struct net_caps *c)
{
	(void)p;
	*c = (struct net_caps){
		.queues = 1, .offloads = NET_CAP_CSUM | NET_CAP_TSO4 | NET_CAP_USO, .mtu = 0};
}

static int stack_attach(struct net_port *p, struct err *e)
{
	struct stack *st = to_stack(p);
	int rc;

	st->loop = p->loop[0];
	rc = fwd_attach(st, e);
	if (!rc) {
		rc = flow_attach(st, e);
		if (rc)
			fwd_detach(st);
	}
	if (rc)
		st->loop = NULL;
	return rc;
}

static void stack_detach(struct net_port *p)
{
	struct stack *st = to_stack(p);

	if (!st->loop)
		return;
	flow_detach(st);
	fwd_detach(st);
	st->loop = NULL;
}

static void stack_info(const struct net_port *p, char *buf, size_t len)
{
	const struct stack *st = to_stack(p);
	struct in_addr net = {st->conf.net.addr & net_mask(st)};
	char text[INET_ADDRSTRLEN];

	snprintf(buf, len, "net=%s,restrict=%s", inet_ntop(AF_INET, &net, text, sizeof(text)),
		 st->conf.restricted ? "on" : "off");
}

static void conf_free(struct user_conf *c)
{
	free(c->hostname);
	free(c->domainname);
	for (unsigned i = 0; i < c->hostfwd.n; i++)
		free(c->hostfwd.v[i]);
	free(c->hostfwd.v);
	memset(c, 0, sizeof(*c));
}

static void stack_destroy(struct net_port *p)
{
	struct stack *st = to_stack(p);

	stack_detach(p);
	flow_exit(st);
	fwd_exit(st);
	tcp_exit(st);
	udp_exit(st);
	dns_exit(st);
	dhcp_exit(st);
	conf_free(&st->conf);
	free(st);
}

const struct net_port_ops stack_port_ops = {
	.kind = "user",
	.push = stack_push,
	.resume = stack_resume,
	.caps = stack_caps,
	.attach = stack_attach,
	.detach = stack_detach,
	.info = stack_info,
	.destroy = stack_destroy,
};

/* A copy of our own: the options are the caller's. */
static int conf_copy(struct user_conf *to, const struct user_conf *c)
{
	*to = *c;
	to->hostname = c->hostname ? strdup(c->hostname) : NULL;
	to->domainname = c->domainname ? strdup(c->domainname) : NULL;
	to->hostfwd = (struct opt_list){.v = calloc(c->hostfwd.n + 1, sizeof(char *))};
	if ((c->hostname && !to->hostname) || (c->domainname && !to->domainname) || !to->hostfwd.v)
		return -ENOMEM;
	for (unsigned i = 0; i < c->hostfwd.n; i++) {
		to->hostfwd.v[i] = strdup(c->hostfwd.v[i]);
		if (!to->hostfwd.v[i])
			return -ENOMEM;
		to->hostfwd.n++;
	}
	return 0;
}

struct stack *stack_new(const struct user_conf *c, const char *name, struct err *e)
{
	struct stack *st = calloc(1, sizeof(*st));

	if (!st || conf_copy(&st->conf, c)) {
		if (st)
			conf_free(&st->conf);
		free(st);
		err_set(e, ENOMEM, "no memory for a user network");
		return NULL;
	}
	net_port_init(&st->port, &stack_port_ops, name);
	/* A locally administered address that tells which IP address it has. */
	st->mac[0] = 0x52;
	st->mac[1] = 0x55;
	memcpy(st->mac + 2, &st->conf.host, 4);
	if (flow_init(st, e) || udp_init(st, e) || tcp_init(st, e) || dhcp_init(st, e) ||
	    dns_init(st, e) || fwd_init(st, e)) {
		stack_destroy(&st->port);
		return NULL;
	}
	return st;
}

int stack_socket(struct stack *st, int type, int proto)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && flow_evict_fd(st))
		fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);
	return fd < 0 ? -errno : fd;
}
