/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS: queries that a guest sends to the name server's address by UDP are forwarded to the host's
 * resolvers and the answers sent back as they are (RFC 5625). Nothing is cached or rewritten but
 * the identifier: towards the resolver each query has a random one and a socket, hence a port, of
 * its own (RFC 5452), and only an answer from that resolver with that identifier passes.
 *
 * One query is one flow; its key holds the query's identifier, as resolvers of guests send several
 * at once from one port. A copy of the query is kept so that the next resolver can be asked when
 * one is silent or refuses. By TCP, the name server's port 53 is an ordinary flow to the first
 * resolver: stack_host_addr().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/user/internal.h"
#include "net/user/resolv.h"

#define RESOLV_CONF    "/etc/resolv.conf"
#define KEPT	       256
#define QUERY_MAX      512u
#define ANSWER_MAX     65535u
#define HEADER	       12u
#define ROUNDS	       2 /* times each resolver is asked */
#define PATIENCE_NS    (3 * NS_PER_S / 2)
#define LAST_NS	       (5 * NS_PER_S)
#define LOOK_AGAIN_NS  NS_PER_S
#define RCODE_SERVFAIL 2
#define RX_AT_ONCE     16 /* messages per event before other flows get their turn */

struct kept {
	uint16_t len;
	uint16_t next; /* free chain, index + 1 */
	uint8_t data[QUERY_MAX];
};

struct dns_state {
	struct resolv_list list;
	unsigned first;	       /* the one that answered last */
	struct resolv *resolv; /* NULL: dns-host= */
	uint64_t looked;
	uint16_t free, used;
	struct kept kept[KEPT];
	uint8_t buf[UDP_ROOM + ANSWER_MAX];
};

/* --- resolvers ------------------------------------------------------------------------------ */

/* Takes a changed resolv.conf over, asking at most once a second whether it has changed. */
static void refresh(struct stack *st)
{
	struct dns_state *d = st->dns;
	uint64_t now = stack_now(st);

	if (!d->resolv || (d->list.n && now - d->looked < LOOK_AGAIN_NS))
		return;
	d->looked = now;
	if (resolv_take(d->resolv, &d->list))
		d->first = 0;
}

bool dns_resolver(struct stack *st, struct sockaddr_in *out)
{
	struct dns_state *d = st->dns;

	refresh(st);
	for (unsigned i = 0; i < d->list.n; i++) {
		const union resolv_server *s = &d->list.server[(d->first + i) % d->list.n];

		if (s->sa.sa_family == AF_INET) {
			*out = s->v4;
			return true;
		}
	}
	return false;
}

/* --- kept queries --------------------------------------------------------------------------- */

static uint16_t keep(struct dns_state *d, const uint8_t *data, unsigned len)
{
	uint16_t i = d->free;

	if (len > QUERY_MAX || (!i && d->used == KEPT))
		return 0;
	if (i)
		d->free = d->kept[i - 1].next;
	else
		i = ++d->used;
	memcpy(d->kept[i - 1].data, data, len);
	d->kept[i - 1].len = (uint16_t)len;
	return i;
}

static void dns_end(struct flow *f)
{
	struct dns_state *d = f->st->dns;
	uint16_t i = f->u.dns.buf;

	if (i) {
		d->kept[i - 1].next = d->free;
		d->free = i;
	}
	flow_free(f);
}

/* --- asking --------------------------------------------------------------------------------- */

/* Opens a socket to the flow's resolver and sends the query there. Returns 0 or -errno. */
static int ask(struct flow *f, const uint8_t *query, unsigned len)
{
	struct stack *st = f->st;
	const union resolv_server *s = &st->dns->list.server[f->u.dns.server % st->dns->list.n];
	bool v6 = s->sa.sa_family == AF_INET6;
	struct iovec iov[2] = {{&f->u.dns.host_id, 2}, {(void *)(uintptr_t)(query + 2), len - 2}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
	int fd;

	if (f->ev.fd >= 0) {
		if (st->loop)
			loop_del_fd(st->loop, &f->ev);
		close(f->ev.fd);
		f->ev.fd = -1;
	}
	f->u.dns.tries++;
	fd = v6 ? socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
		: stack_socket(st, SOCK_DGRAM, 0);
	if (fd < 0) {
		st->count.no_socket++;
		return v6 ? -errno : fd;
	}
	if (connect(fd, &s->sa, v6 ? sizeof(s->v6) : sizeof(s->v4)) < 0 ||
	    getrandom(&f->u.dns.host_id, 2, 0) != 2 || sendmsg(fd, &m, MSG_NOSIGNAL) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return flow_watch(f, fd);
}

static void send_answer(struct flow *f, unsigned len)
{
	struct stack *st = f->st;
	struct sockaddr_in src = {.sin_port = f->key.rport, .sin_addr.s_addr = f->key.raddr};
	struct sockaddr_in dst = {.sin_port = f->key.gport, .sin_addr.s_addr = f->key.gaddr};

	memcpy(st->dns->buf + UDP_ROOM, &f->u.dns.query_id, 2);
	if (!udp_out(st, f->gmac, &src, &dst, st->dns->buf, len))
		st->count.no_room++;
}

/* Every resolver refused: the guest shall not wait for nothing (RFC 1035 section 4.1.1). */
static void send_failure(struct flow *f)
{
	struct dns_state *d = f->st->dns;
	const struct kept *k = f->u.dns.buf ? &d->kept[f->u.dns.buf - 1] : NULL;
	uint8_t *a = d->buf + UDP_ROOM;

	if (!k)
		return;
	memcpy(a, k->data, k->len);
	a[2] = (uint8_t)((a[2] & 0x79) | 0x80); /* a response; opcode and RD as asked */
	a[3] = 0x80 | RCODE_SERVFAIL;		/* recursion is available in principle */
	send_answer(f, k->len);
}

/* Asks the next resolver; ends the flow after the last. refused: the one before said no. */
static void ask_next(struct flow *f, bool refused)
{
	struct dns_state *d = f->st->dns;
	const struct kept *k = f->u.dns.buf ? &d->kept[f->u.dns.buf - 1] : NULL;
	unsigned limit = d->list.n * (refused ? 1 : ROUNDS);

	while (k && f->u.dns.tries < limit) {
		f->u.dns.server = (uint8_t)((f->u.dns.server + 1) % d->list.n);
		if (!ask(f, k->data, k->len)) {
			bool last = f->u.dns.tries >= limit;

			flow_timer(f, stack_now(f->st) + (last ? LAST_NS : PATIENCE_NS));
			return;
		}
	}
	f->st->count.dns_timeouts++;
	if (refused)
		send_failure(f);
	dns_end(f);
}

static struct flow *query_flow(struct stack *st, struct pkt *p, const struct udp_hdr *u,
			       const uint8_t *query, unsigned len)
{
	struct dns_state *d = st->dns;
	struct flow_key k = {.gaddr = p->ip.src,
			     .raddr = p->ip.dst,
			     .gport = u->sport,
			     .rport = u->dport,
			     .proto = IP_UDP};
	struct flow *f;

	memcpy(k.pad, query, 2);
	f = flow_find(st, &k);
	if (f) /* asked again: start over, with the resolver after the one that is silent */
		dns_end(f);
	f = flow_new(st, FLOW_DNS, &k);
	if (!f)
		return NULL;
	memcpy(f->gmac, p->eth.src, ETH_ALEN);
	memcpy(&f->u.dns.query_id, query, 2);
	f->u.dns.buf = keep(d, query, len);
	f->u.dns.server = (uint8_t)d->first;
	return f;
}

void dns_in(struct stack *st, struct pkt *p, const struct udp_hdr *u, unsigned payload_off)
{
	struct dns_state *d = st->dns;
	unsigned len = ntohs(u->len) - (unsigned)sizeof(*u);
	uint8_t *query = d->buf + UDP_ROOM;
	struct flow *f;

	if (st->conf.restricted) {
		st->count.restricted++;
		return;
	}
	if (iov_read(p->f->vec + 1, p->f->nvec - 1, payload_off, query, len) < len ||
	    len < HEADER || query[2] & 0x80) {
		st->count.bad_frame++;
		return;
	}
	refresh(st);
	f = query_flow(st, p, u, query, len);
	if (!f)
		return;
	st->count.dns_queries++;
	/* Without a copy nobody else can be asked: then the first has all the time. */
	if (!ask(f, query, len))
		flow_timer(f, stack_now(st) + (f->u.dns.buf ? PATIENCE_NS : LAST_NS));
	else
		ask_next(f, true);
}

/* --- answers -------------------------------------------------------------------------------- */

static void dns_event(struct flow *f, uint32_t events)
{
	struct dns_state *d = f->st->dns;
	uint8_t *a = d->buf + UDP_ROOM;

	if (!(events & (EPOLLIN | EPOLLERR)))
		return;
	for (int i = 0; i < RX_AT_ONCE; i++) {
		ssize_t n = recv(f->ev.fd, a, ANSWER_MAX, MSG_DONTWAIT);

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				ask_next(f, true);
			return;
		}
		if (n < (ssize_t)HEADER || memcmp(a, &f->u.dns.host_id, 2) != 0 || !(a[2] & 0x80))
			continue;
		d->first = f->u.dns.server % d->list.n;
		f->rx_bytes += (uint64_t)n;
		send_answer(f, (unsigned)n);
		dns_end(f);
		return;
	}
	flow_again(f);
}

static void dns_ready(struct flow *f)
{
	dns_event(f, EPOLLIN);
}

static void dns_timer(struct flow *f)
{
	ask_next(f, false);
}

static void dns_info(const struct flow *f, char *buf, size_t len)
{
	snprintf(buf, len, "asked %u", f->u.dns.tries);
}

const struct flow_ops dns_flow_ops = {
	.name = "dns",
	.event = dns_event,
	.ready = dns_ready,
	.timer = dns_timer,
	.evict = dns_end,
	.info = dns_info,
};

/* --- life ----------------------------------------------------------------------------------- */

int dns_init(struct stack *st, struct err *e)
{
	st->dns = mmap(NULL, sizeof(*st->dns), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (st->dns == MAP_FAILED) {
		st->dns = NULL;
		return err_set(e, ENOMEM, "no memory for DNS queries");
	}
	if (st->conf.dns_host.sin_port) {
		st->dns->list.server[0].v4 = st->conf.dns_host;
		st->dns->list.server[0].v4.sin_family = AF_INET;
		st->dns->list.n = 1;
		return 0;
	}
	st->dns->resolv = resolv_new(RESOLV_CONF, e);
	return st->dns->resolv ? 0 : -e->code;
}

void dns_exit(struct stack *st)
{
	if (st->dns) {
		resolv_free(st->dns->resolv);
		munmap(st->dns, sizeof(*st->dns));
	}
	st->dns = NULL;
}
