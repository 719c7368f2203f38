/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest for the TCP tests: a port that records every frame it gets and sends segments made by
 * hand. The stack behind it talks to real sockets on loopback; its clock is virtual. The loop runs
 * on a thread of its own, so that sockets' events come by themselves; the test injects segments by
 * loop_call().
 */
#ifndef TEST_UNIT_USER_TCP_GUEST_H
#define TEST_UNIT_USER_TCP_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/csum.h"
#include "base/iov.h"
#include "net/user/tcp_priv.h"

#define SYN	TCP_SYN
#define ACK	TCP_ACK
#define FIN	TCP_FIN
#define RST	TCP_RST
#define SYNACK	(TCP_SYN | TCP_ACK)
#define FINACK	(TCP_FIN | TCP_ACK)
#define GPORT	4000
#define SLOTS	64
#define SLOT_SZ 70000u

static const uint8_t guest_mac[ETH_ALEN] = {0x52, 0x54, 0, 1, 2, 3};

struct rx { /* a segment that the stack sent to the guest */
	struct rx *next;
	struct tcp_hdr h;
	uint32_t seq, ack, len;
	uint8_t flags;
	uint16_t win;
	struct net_offload off;
	uint8_t opt[40];
	unsigned nopt;
	uint8_t *data; /* len bytes */
};

struct guest {
	struct net_port port;
	struct stack *st;
	struct loop *loop;
	struct clock clock;
	uint32_t caps;	    /* NET_CAP_* */
	bool lends;	    /* the port lends buffers */
	uint32_t lend_size; /* each */
	unsigned lend_max;  /* at a time */
	bool full;	    /* takes and lends nothing */
	unsigned asked;	    /* while it was full */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct rx *head, **tail;
	unsigned bad; /* frames with a wrong checksum or length */
	uint8_t *slot[SLOTS];
	struct iovec vec[SLOTS][8];
	uint16_t rport; /* network order: where segments go to */
	int lfd;	/* listening socket of the host */
};

static void record(struct guest *g, struct net_frame *f)
{
	static const size_t hdr = 54;
	struct rx *r = calloc(1, sizeof(*r));
	struct eth_hdr eth;
	struct ip4_hdr ip;
	const struct iovec *v = f->vec + 1;
	unsigned n = f->nvec - 1, l4 = 34, total;
	uint32_t sum;

	assert_non_null(r);
	iov_read(v, n, 0, &eth, sizeof(eth));
	if (f->len < hdr || eth.type != htons(ETH_IP4)) {
		free(r); /* ARP */
		return;
	}
	iov_read(v, n, 14, &ip, sizeof(ip));
	iov_read(v, n, l4, &r->h, sizeof(r->h));
	total = f->len - l4;
	if (csum_fold(csum_add(0, &ip, sizeof(ip))) || ntohs(ip.len) != total + 20u ||
	    memcmp(eth.dst, guest_mac, ETH_ALEN))
		g->bad++;
	sum = csum_pseudo4(ip.src, ip.dst, IP_TCP, (uint16_t)total);
	if (f->off.flags & NET_F_NEEDS_CSUM) {
		if (r->h.csum != csum_fold_raw(sum) || f->off.csum_start != l4 ||
		    f->off.csum_offset != 16 || !(g->caps & NET_CAP_CSUM))
			g->bad++;
	} else if (csum_fold(csum_add_iov(sum, v, n, l4, total))) {
		g->bad++;
	}
	r->seq = ntohl(r->h.seq);
	r->ack = ntohl(r->h.ack);
	r->flags = r->h.flags;
	r->win = ntohs(r->h.win);
	r->off = f->off;
	r->nopt = (r->h.off >> 4) * 4u - 20;
	iov_read(v, n, l4 + 20, r->opt, r->nopt);
	r->len = total - 20 - r->nopt;
	r->data = malloc(r->len + 1);
	assert_non_null(r->data);
	iov_read(v, n, l4 + 20 + r->nopt, r->data, r->len);
	pthread_mutex_lock(&g->lock);
	*g->tail = r;
	g->tail = &r->next;
	pthread_cond_signal(&g->cond);
	pthread_mutex_unlock(&g->lock);
}

static struct guest *guest_of(const struct net_port *p)
{
	return container_of(p, struct guest, port);
}

static unsigned guest_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct guest *g = guest_of(p);

	(void)q;
	if (g->full) {
		g->asked++;
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		record(g, &f[i]);
	return n;
}

static void guest_resume(struct net_port *p, unsigned q)
{
	(void)p;
	(void)q;
}

/* Buffers come in seven pieces, the first ones small and odd. */
static unsigned guest_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s,
			   unsigned n)
{
	struct guest *g = guest_of(p);
	static const size_t piece[6] = {1, 13, 45, 7, 333, 1000};

	(void)q;
	if (g->full || room > g->lend_size) {
		g->asked += g->full;
		return 0;
	}
	n = MIN(n, g->lend_max);
	for (unsigned i = 0; i < n; i++) {
		size_t off = 0, left = g->lend_size;
		unsigned k = 1;

		for (; k < 7 && left > piece[k - 1]; k++) {
			g->vec[i][k] = (struct iovec){g->slot[i] + off, piece[k - 1]};
			off += piece[k - 1];
			left -= piece[k - 1];
		}
		g->vec[i][k++] = (struct iovec){g->slot[i] + off, left};
		s[i] = (struct net_slot){.f = {g->vec[i], k, g->lend_size, {0}}};
	}
	return n;
}

static void guest_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n)
{
	(void)q;
	for (unsigned i = 0; i < n && s[i].f.len; i++) {
		/* Bytes behind what was filled must not have been announced. */
		assert_true(s[i].f.len <= guest_of(p)->lend_size);
		record(guest_of(p), &s[i].f);
	}
}

static void guest_caps(const struct net_port *p, struct net_caps *c)
{
	const struct guest *g = guest_of(p);

	*c = (struct net_caps){.queues = 1, .offloads = g->caps, .lends = g->lends};
}

static int guest_attach(struct net_port *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

static void guest_detach(struct net_port *p)
{
	(void)p;
}

static const struct net_port_ops guest_ops = {
	.kind = "guest",
	.push = guest_push,
	.resume = guest_resume,
	.lend = guest_lend,
	.commit = guest_commit,
	.caps = guest_caps,
	.attach = guest_attach,
	.detach = guest_detach,
};

static int listener(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = a.sin_port;
	return fd;
}

static struct guest *guest_new(uint32_t caps, bool lends, bool peek_off)
{
	struct user_conf c = {.mtu = 1500, .net = {.prefix = 24, .set = true}};
	struct guest *g = calloc(1, sizeof(*g));
	struct err e = {0};

	assert_non_null(g);
	g->caps = caps;
	g->lends = lends;
	g->lend_size = caps & NET_CAP_TSO4 ? 65550 : 1518;
	g->lend_max = SLOTS;
	g->tail = &g->head;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->cond, NULL);
	for (unsigned i = 0; i < SLOTS; i++)
		assert_non_null(g->slot[i] = malloc(SLOT_SZ));
	g->clock.is_virtual = true;
	g->clock.now = 1000 * NS_PER_S;
	c.net.addr = inet_addr("10.0.2.0");
	c.host.s_addr = inet_addr("10.0.2.2");
	c.dns.s_addr = inet_addr("10.0.2.3");
	c.dhcpstart.s_addr = inet_addr("10.0.2.15");
	g->st = stack_new(&c, "user", &e);
	if (!g->st)
		fail_msg("%s", e.text);
	g->st->tcp->peek_off &= peek_off;
	net_port_init(&g->port, &guest_ops, "guest");
	g->loop = loop_new("test", &g->clock, &e);
	assert_non_null(g->loop);
	assert_int_equal(net_join(&g->st->port, &g->port, &g->loop, 1, &e), 0);
	assert_int_equal(loop_start(g->loop, &e), 0);
	g->lfd = listener(&g->rport);
	return g;
}

static void rx_free(struct rx *r)
{
	if (r)
		free(r->data);
	free(r);
}

static void guest_free(struct guest *g)
{
	loop_stop(g->loop);
	loop_join(g->loop);
	assert_int_equal(g->bad, 0);
	net_unjoin(&g->port);
	g->st->port.ops->destroy(&g->st->port);
	loop_free(g->loop);
	while (g->head) {
		struct rx *r = g->head;

		g->head = r->next;
		rx_free(r);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		free(g->slot[i]);
	close(g->lfd);
	free(g);
}

/* Segments on their way in. */
struct seg {
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t win;
	const uint8_t *data;
	uint32_t len;
	uint16_t gport; /* host order; 0: GPORT */
	bool bad_csum;
};

struct batch {
	struct guest *g;
	const struct seg *s;
	unsigned n;
};

/* MSS 1460, window scale 7 */
static const uint8_t syn_opt[8] = {2, 4, 0x05, 0xb4, 1, 3, 3, 7};

static void make(struct guest *g, const struct seg *s, uint8_t *b, uint32_t *len)
{
	unsigned nopt = s->flags & TCP_SYN ? sizeof(syn_opt) : 0, tl = 20 + nopt + s->len;
	struct eth_hdr eth = {.type = htons(ETH_IP4)};
	struct ip4_hdr ip = {.ver_ihl = 0x45,
			     .len = htons((uint16_t)(20 + tl)),
			     .ttl = 64,
			     .proto = IP_TCP,
			     .src = g->st->conf.dhcpstart.s_addr,
			     .dst = g->st->conf.host.s_addr};
	struct tcp_hdr h = {.sport = htons(s->gport ? s->gport : GPORT),
			    .dport = g->rport,
			    .seq = htonl(s->seq),
			    .ack = htonl(s->ack),
			    .off = (uint8_t)((20 + nopt) / 4 << 4),
			    .flags = s->flags,
			    .win = htons(s->win)};
	uint32_t sum;

	memcpy(eth.dst, g->st->mac, ETH_ALEN);
	memcpy(eth.src, guest_mac, ETH_ALEN);
	ip.csum = csum_fold(csum_add(0, &ip, sizeof(ip)));
	memcpy(b, &eth, 14);
	memcpy(b + 14, &ip, 20);
	memcpy(b + 34, &h, 20);
	memcpy(b + 54, syn_opt, nopt);
	if (s->len)
		memcpy(b + 54 + nopt, s->data, s->len);
	sum = csum_add(csum_pseudo4(ip.src, ip.dst, IP_TCP, (uint16_t)tl), b + 34, tl);
	h.csum = csum_fold(sum) ^ s->bad_csum;
	memcpy(b + 34, &h, 20);
	*len = 34 + tl;
}

static void inject_here(void *arg)
{
	struct batch *b = arg;
	static struct iovec vec[NET_BATCH][5];
	struct net_frame f[NET_BATCH];
	uint8_t *buf[NET_BATCH];

	for (unsigned i = 0; i < b->n; i++) {
		uint32_t len;

		buf[i] = malloc(70000);
		make(b->g, &b->s[i], buf[i], &len);
		/* As guests do it: headers apart, and once the header itself in two pieces. */
		vec[i][1] = (struct iovec){buf[i], 40};
		vec[i][2] = (struct iovec){buf[i] + 40, 14};
		vec[i][3] = (struct iovec){buf[i] + 54, (len - 54) / 2};
		vec[i][4] = (struct iovec){buf[i] + 54 + (len - 54) / 2, len - 54 - (len - 54) / 2};
		f[i] = (struct net_frame){.vec = vec[i], .nvec = 5, .len = len};
	}
	assert_int_equal(net_push(&b->g->port, 0, f, b->n), b->n);
	for (unsigned i = 0; i < b->n; i++) {
		memset(buf[i], 0xee, 70000); /* frames are borrowed until push() returns */
		free(buf[i]);
	}
}

static void inject(struct guest *g, const struct seg *s, unsigned n)
{
	struct batch b = {g, s, n};

	loop_call(g->loop, inject_here, &b);
}

/* The next segment, waiting for at most ms; NULL: none. Free it with rx_free(). */
static struct rx *next_rx(struct guest *g, unsigned ms)
{
	struct timespec until;
	struct rx *r;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&g->lock);
	while (!g->head && !pthread_cond_timedwait(&g->cond, &g->lock, &until))
		;
	r = g->head;
	if (r) {
		g->head = r->next;
		if (!g->head)
			g->tail = &g->head;
		r->next = NULL;
	}
	pthread_mutex_unlock(&g->lock);
	return r;
}

/* Virtual time passes. */
static void pass(struct guest *g, unsigned ms)
{
	g->clock.now += ms * NS_PER_MS;
	loop_kick(g->loop);
}

struct count {
	struct guest *g;
	unsigned n;
};

static void count_here(void *arg)
{
	struct count *c = arg;

	c->n = flow_count(c->g->st);
}

static inline unsigned flows(struct guest *g)
{
	struct count c = {.g = g};

	loop_call(g->loop, count_here, &c);
	return c.n;
}

static inline void flows_become(struct guest *g, unsigned n)
{
	for (int i = 0; i < 300 && flows(g) != n; i++)
		usleep(10000);
	assert_int_equal(flows(g), n);
}

#endif
