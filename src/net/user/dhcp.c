/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DHCP server (RFC 2131, options RFC 2132) and BOOTP (RFC 951, RFC 1534) for the guests of the
 * network: one lease per MAC, from dhcpstart upward. Leases live as long as the stack; when all
 * are given, an expired one is given again.
 *
 * A message is copied whole before it is parsed. Options that do not fit end the message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/user/internal.h"

#define LEASES	       256
#define LEASE_S	       86400u
#define OFFER_NS       (60 * NS_PER_S)
#define DECLINED_NS    (600 * NS_PER_S)
#define PORT_SERVER    67
#define PORT_CLIENT    68
#define BOOTP_FIXED    236u /* up to the options */
#define BOOTP_MIN      300u /* RFC 1542 section 2.1: replies are at least this long */
#define MSG_MAX	       1472u
#define MAGIC	       0x63825363u
#define FLAG_BROADCAST 0x8000

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM };

enum {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_HOSTNAME = 12,
	OPT_DOMAIN = 15,
	OPT_MTU = 26,
	OPT_REQUESTED = 50,
	OPT_LEASE_TIME = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_END = 255,
};

struct bootp {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	uint32_t ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16];
	uint8_t sname[64], file[128];
} __attribute__((packed));
_Static_assert(sizeof(struct bootp) == BOOTP_FIXED, "RFC 2131 figure 1");

enum lease_state { LEASE_FREE, LEASE_OFFERED, LEASE_BOUND, LEASE_DECLINED };

struct lease {
	uint8_t state; /* enum lease_state */
	uint8_t mac[ETH_ALEN];
	uint64_t until; /* ns */
};

struct dhcp_state {
	bool given;		    /* some lease was bound: hostfwd rules know where to go */
	struct lease lease[LEASES]; /* of address dhcpstart + index */
};

/* What a client's message says. */
struct ask {
	struct bootp b;
	uint8_t type; /* 0: BOOTP */
	uint32_t requested, server;
};

/* --- leases --------------------------------------------------------------------------------- */

static uint32_t lease_addr(const struct stack *st, unsigned i)
{
	return htonl(ntohl(st->conf.dhcpstart.s_addr) + i);
}

/* The index of an address's lease, LEASES when it is none of ours to give. */
static unsigned lease_index(const struct stack *st, uint32_t addr)
{
	uint32_t i = ntohl(addr) - ntohl(st->conf.dhcpstart.s_addr);

	return i < LEASES && stack_is_guest(st, addr) ? i : LEASES;
}

static struct lease *lease_of_addr(struct stack *st, uint32_t addr)
{
	unsigned i = lease_index(st, addr);

	return i < LEASES ? &st->dhcp->lease[i] : NULL;
}

static struct lease *lease_of_mac(struct stack *st, const uint8_t mac[ETH_ALEN])
{
	for (unsigned i = 0; i < LEASES; i++) {
		struct lease *l = &st->dhcp->lease[i];

		if ((l->state == LEASE_BOUND || l->state == LEASE_OFFERED) &&
		    !memcmp(l->mac, mac, ETH_ALEN))
			return l;
	}
	return NULL;
}

/*
 * True if another station was heard under this address: somebody chose it by hand. The lease's
 * last holder does not count: its lease has expired or was released.
 */
static bool taken_by_other(struct stack *st, uint32_t addr, const uint8_t mac[ETH_ALEN])
{
	static const uint8_t zero[ETH_ALEN];
	unsigned own = lease_index(st, addr);

	for (unsigned i = 0; i < STACK_NEIGHS; i++) {
		const struct neigh *n = &st->neigh[i];

		if (n->addr == addr && memcmp(n->mac, zero, ETH_ALEN) != 0)
			return memcmp(n->mac, mac, ETH_ALEN) != 0 &&
			       (own == LEASES ||
				memcmp(n->mac, st->dhcp->lease[own].mac, ETH_ALEN) != 0);
	}
	return false;
}

static bool lease_usable(struct stack *st, const struct lease *l, const uint8_t mac[ETH_ALEN])
{
	if (l->state == LEASE_FREE)
		return true;
	if (!memcmp(l->mac, mac, ETH_ALEN) && l->state != LEASE_DECLINED)
		return true;
	return l->until <= stack_now(st);
}

/* A lease that nobody has, a free one first; NULL: none is left. */
static struct lease *lease_any(struct stack *st, const uint8_t mac[ETH_ALEN])
{
	struct dhcp_state *d = st->dhcp;
	unsigned expired = LEASES;

	for (unsigned i = 0; i < LEASES; i++) {
		uint32_t addr = lease_addr(st, i);

		if (!stack_is_guest(st, addr) || taken_by_other(st, addr, mac))
			continue;
		if (d->lease[i].state == LEASE_FREE)
			return &d->lease[i];
		if (expired == LEASES && d->lease[i].until <= stack_now(st))
			expired = i;
	}
	return expired < LEASES ? &d->lease[expired] : NULL;
}

static uint32_t lease_take(struct stack *st, struct lease *l, const uint8_t mac[ETH_ALEN],
			   enum lease_state state, uint64_t ns)
{
	l->state = (uint8_t)state;
	memcpy(l->mac, mac, ETH_ALEN);
	l->until = ns == UINT64_MAX ? ns : stack_now(st) + ns;
	return lease_addr(st, (unsigned)(l - st->dhcp->lease));
}

/* RFC 2131 section 4.3.1: the client's lease, the one it asks for, any. NULL: none is left. */
static struct lease *lease_choose(struct stack *st, const struct ask *a)
{
	const uint8_t *mac = a->b.chaddr;
	struct lease *l = lease_of_mac(st, mac);

	if (l && !taken_by_other(st, lease_addr(st, (unsigned)(l - st->dhcp->lease)), mac))
		return l;
	/* As if the client had declined it: an offer that its request would be refused is none. */
	if (l)
		lease_take(st, l, mac, LEASE_DECLINED, DECLINED_NS);
	unsigned i = lease_index(st, a->requested);

	if (i < LEASES && lease_usable(st, &st->dhcp->lease[i], mac) &&
	    !taken_by_other(st, a->requested, mac))
		return &st->dhcp->lease[i];
	return lease_any(st, mac);
}

/* --- replies -------------------------------------------------------------------------------- */

struct out {
	uint8_t *p, *end;
};

static void put_opt(struct out *o, uint8_t code, const void *data, size_t len)
{
	if (len > 255 || (size_t)(o->end - o->p) < len + 2)
		return;
	*o->p++ = code;
	*o->p++ = (uint8_t)len;
	memcpy(o->p, data, len);
	o->p += len;
}

static void put_opt32(struct out *o, uint8_t code, uint32_t network_order)
{
	put_opt(o, code, &network_order, sizeof(network_order));
}

static void put_network(struct stack *st, struct out *o)
{
	const struct user_conf *c = &st->conf;
	uint16_t mtu = htons((uint16_t)c->mtu);

	put_opt32(o, OPT_MASK, htonl((uint32_t)(0xffffffffull << (32 - c->net.prefix))));
	/* An isolated guest has nowhere to route to and nobody to ask. */
	if (!c->restricted) {
		put_opt32(o, OPT_ROUTER, c->host.s_addr);
		put_opt32(o, OPT_DNS, c->dns.s_addr);
	}
	if (c->hostname)
		put_opt(o, OPT_HOSTNAME, c->hostname, strlen(c->hostname));
	if (c->domainname)
		put_opt(o, OPT_DOMAIN, c->domainname, strlen(c->domainname));
	if (c->mtu != 1500)
		put_opt(o, OPT_MTU, &mtu, sizeof(mtu));
}

/* RFC 2131 section 4.1: where a reply goes. */
static void address_reply(const struct ask *a, uint8_t type, uint32_t yiaddr,
			  struct sockaddr_in *dst, uint8_t mac[ETH_ALEN])
{
	bool all = type == NAK || (!a->b.ciaddr && a->b.flags & htons(FLAG_BROADCAST));

	*dst = (struct sockaddr_in){.sin_port = htons(PORT_CLIENT),
				    .sin_addr.s_addr = htonl(INADDR_BROADCAST)};
	memcpy(mac, a->b.chaddr, ETH_ALEN);
	if (all)
		memset(mac, 0xff, ETH_ALEN);
	else if (a->b.ciaddr)
		dst->sin_addr.s_addr = a->b.ciaddr;
	else if (yiaddr)
		dst->sin_addr.s_addr = yiaddr;
}

/* type 0: BOOTP. yiaddr 0: no address (NAK, INFORM). */
static void reply(struct stack *st, const struct ask *a, uint8_t type, uint32_t yiaddr)
{
	uint8_t buf[UDP_ROOM + MSG_MAX] = {0}, mac[ETH_ALEN];
	struct out o = {buf + UDP_ROOM + BOOTP_FIXED, buf + sizeof(buf) - 1};
	struct sockaddr_in src = {.sin_port = htons(PORT_SERVER), .sin_addr = st->conf.host}, dst;
	struct bootp b = {.op = 2,
			  .htype = 1,
			  .hlen = ETH_ALEN,
			  .xid = a->b.xid,
			  .flags = a->b.flags,
			  .yiaddr = yiaddr};

	memcpy(b.chaddr, a->b.chaddr, sizeof(b.chaddr));
	if (type != NAK) {
		b.ciaddr = a->b.ciaddr;
		b.siaddr = st->conf.host.s_addr;
	}
	memcpy(buf + UDP_ROOM, &b, sizeof(b));
	put_be32(o.p, MAGIC);
	o.p += 4;
	if (type) {
		put_opt(&o, OPT_TYPE, &type, 1);
		put_opt32(&o, OPT_SERVER, st->conf.host.s_addr);
		if (yiaddr)
			put_opt32(&o, OPT_LEASE_TIME, htonl(LEASE_S));
	}
	if (type != NAK)
		put_network(st, &o);
	*o.p++ = OPT_END;
	unsigned len = MAX((unsigned)(o.p - buf - UDP_ROOM), BOOTP_MIN);

	address_reply(a, type, yiaddr, &dst, mac);
	if (!udp_out(st, mac, &src, &dst, buf, len))
		st->count.no_room++;
}

static void ack(struct stack *st, const struct ask *a, struct lease *l, uint64_t ns)
{
	uint32_t addr = lease_take(st, l, a->b.chaddr, LEASE_BOUND, ns);

	stack_learn(st, addr, a->b.chaddr);
	st->count.dhcp_acks++;
	if (!st->dhcp->given)
		fwd_first_lease(st, addr);
	st->dhcp->given = true;
	reply(st, a, a->type ? ACK : 0, addr);
}

/* --- requests ------------------------------------------------------------------------------- */

/* RFC 2131 section 4.3.2. */
static void on_request(struct stack *st, const struct ask *a)
{
	struct lease *mine = lease_of_mac(st, a->b.chaddr);
	uint32_t addr = a->b.ciaddr ? a->b.ciaddr : a->requested;
	struct lease *l = lease_of_addr(st, addr);

	if (a->server && a->server != st->conf.host.s_addr) {
		/* It took another server's offer. */
		if (mine && mine->state == LEASE_OFFERED)
			mine->state = LEASE_FREE;
		return;
	}
	/* A client that knows an address from before we were started may keep it. */
	if (!l || (mine && l != mine) || !lease_usable(st, l, a->b.chaddr) ||
	    taken_by_other(st, addr, a->b.chaddr)) {
		reply(st, a, NAK, 0);
		return;
	}
	ack(st, a, l, LEASE_S * NS_PER_S);
}

static void on_discover(struct stack *st, const struct ask *a)
{
	struct lease *l = lease_choose(st, a);

	if (!l) {
		net_drop(&st->port, 0, "no DHCP lease is left");
		return;
	}
	/* A bound lease stays bound: the client may be asking twice. */
	if (l->state == LEASE_BOUND && !memcmp(l->mac, a->b.chaddr, ETH_ALEN))
		reply(st, a, OFFER, lease_addr(st, (unsigned)(l - st->dhcp->lease)));
	else
		reply(st, a, OFFER, lease_take(st, l, a->b.chaddr, LEASE_OFFERED, OFFER_NS));
}

/* The client found somebody else at the address we gave it. */
static void on_decline(struct stack *st, const struct ask *a)
{
	struct lease *l = lease_of_addr(st, a->requested);

	if (l && l == lease_of_mac(st, a->b.chaddr))
		lease_take(st, l, a->b.chaddr, LEASE_DECLINED, DECLINED_NS);
}

static void on_release(struct stack *st, const struct ask *a)
{
	struct lease *l = lease_of_addr(st, a->b.ciaddr);

	if (l && l == lease_of_mac(st, a->b.chaddr))
		l->state = LEASE_FREE;
}

static void on_bootp(struct stack *st, const struct ask *a)
{
	struct lease *l = lease_choose(st, a);

	/* RFC 1534: a BOOTP client never renews. */
	if (l)
		ack(st, a, l, UINT64_MAX);
}

static void parse_options(struct ask *a, const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p != OPT_END) {
		uint8_t code = *p++;

		if (code == OPT_PAD)
			continue;
		if (p == end || end - p - 1 < *p)
			return;
		uint8_t len = *p++;

		if (code == OPT_TYPE && len == 1)
			a->type = *p;
		else if (code == OPT_REQUESTED && len == 4)
			memcpy(&a->requested, p, 4);
		else if (code == OPT_SERVER && len == 4)
			memcpy(&a->server, p, 4);
		p += len;
	}
}

/* False when the message is none we answer. */
static bool parse(struct stack *st, struct pkt *p, unsigned off, struct ask *a)
{
	uint8_t buf[MSG_MAX];
	size_t len = p->end > off ? MIN(p->end - off, MSG_MAX) : 0;

	len = iov_read(p->f->vec + 1, p->f->nvec - 1, off, buf, len);
	if (len < BOOTP_FIXED) {
		st->count.bad_frame++;
		return false;
	}
	memset(a, 0, sizeof(*a));
	memcpy(&a->b, buf, sizeof(a->b));
	/* Through a relay (giaddr) nobody is to be seen here. */
	if (a->b.op != 1 || a->b.htype != 1 || a->b.hlen != ETH_ALEN || a->b.chaddr[0] & 1 ||
	    a->b.giaddr) {
		st->count.bad_frame++;
		return false;
	}
	if (len >= BOOTP_FIXED + 4 && get_be32(buf + BOOTP_FIXED) == MAGIC)
		parse_options(a, buf + BOOTP_FIXED + 4, buf + len);
	/* An answer to an address out of the network would be a packet forged for its sender. */
	if (a->b.ciaddr && !stack_is_guest(st, a->b.ciaddr)) {
		if (a->type == REQUEST)
			reply(st, a, NAK, 0);
		return false;
	}
	return true;
}

void dhcp_in(struct stack *st, struct pkt *p, unsigned payload_off)
{
	struct ask a;

	if (!parse(st, p, payload_off, &a))
		return;
	switch (a.type) {
	case 0:
		on_bootp(st, &a);
		break;
	case DISCOVER:
		on_discover(st, &a);
		break;
	case REQUEST:
		on_request(st, &a);
		break;
	case DECLINE:
		on_decline(st, &a);
		break;
	case RELEASE:
		on_release(st, &a);
		break;
	case INFORM:
		if (a.b.ciaddr)
			reply(st, &a, ACK, 0);
		break;
	default:
		break;
	}
}

/* --- life ----------------------------------------------------------------------------------- */

int dhcp_init(struct stack *st, struct err *e)
{
	st->dhcp = calloc(1, sizeof(*st->dhcp));
	return st->dhcp ? 0 : err_set(e, ENOMEM, "no memory for DHCP leases");
}

void dhcp_exit(struct stack *st)
{
	free(st->dhcp);
	st->dhcp = NULL;
}

void dhcp_for_each(const struct stack *st,
		   void (*fn)(uint32_t addr, const uint8_t mac[ETH_ALEN], void *arg), void *arg)
{
	for (unsigned i = 0; i < LEASES; i++) {
		if (st->dhcp->lease[i].state == LEASE_BOUND)
			fn(lease_addr(st, i), st->dhcp->lease[i].mac, arg);
	}
}
