/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest made of bytes: a port that sends what the test gives it and records every frame it gets.
 * The loop runs on its own thread with a virtual clock; the test reaches it by loop_call().
 */
#ifndef TEST_UNIT_USER_FAKE_H
#define TEST_UNIT_USER_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/util.h"
#include "net/backend/backend.h"
#include "net/user/internal.h"

#define FAKE_FRAMES 256
#define FAKE_SIZE   4096

struct fake {
	struct net_port port;
	struct stack *st;
	struct loop *loop;
	struct clock clock;
	uint32_t offloads; /* NET_CAP_* it takes */
	bool lends;
	unsigned room; /* frames it takes before it is full */
	unsigned n;
	uint32_t len[FAKE_FRAMES];
	struct net_offload off[FAKE_FRAMES];
	uint8_t frame[FAKE_FRAMES][FAKE_SIZE];
	struct iovec lent[FAKE_FRAMES][2];
};

static const uint8_t fake_mac[ETH_ALEN] = {0x52, 0x54, 0, 1, 2, 3};

static inline struct fake *to_fake(const struct net_port *p)
{
	return (struct fake *)((char *)(uintptr_t)p - offsetof(struct fake, port));
}

static unsigned fake_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct fake *k = to_fake(p);
	unsigned i;

	(void)q;
	for (i = 0; i < n && k->room && k->n < FAKE_FRAMES; i++) {
		assert_true(f[i].len <= FAKE_SIZE);
		assert_int_equal(iov_size(f[i].vec + 1, f[i].nvec - 1), f[i].len);
		iov_read(f[i].vec + 1, f[i].nvec - 1, 0, k->frame[k->n], f[i].len);
		k->len[k->n] = f[i].len;
		k->off[k->n++] = f[i].off;
		k->room--;
	}
	return i;
}

static void fake_resume(struct net_port *p, unsigned q)
{
	(void)p;
	(void)q;
}

static unsigned fake_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s,
			  unsigned n)
{
	struct fake *k = to_fake(p);
	unsigned i;

	(void)q;
	assert_true(room <= FAKE_SIZE);
	for (i = 0; i < n && i < k->room && k->n + i < FAKE_FRAMES; i++) {
		struct iovec *v = k->lent[k->n + i];

		v[1] = (struct iovec){k->frame[k->n + i], room ? room : FAKE_SIZE};
		s[i] = (struct net_slot){.f = {.vec = v, .nvec = 2, .len = (uint32_t)v[1].iov_len}};
	}
	return i;
}

static void fake_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n)
{
	struct fake *k = to_fake(p);

	(void)q;
	for (unsigned i = 0; i < n && s[i].f.len; i++) {
		k->len[k->n] = s[i].f.len;
		k->off[k->n++] = s[i].f.off;
		k->room--;
	}
}

static void fake_caps(const struct net_port *p, struct net_caps *c)
{
	const struct fake *k = to_fake(p);

	*c = (struct net_caps){.queues = 1, .offloads = k->offloads, .lends = k->lends};
}

static int fake_attach(struct net_port *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

static void fake_detach(struct net_port *p)
{
	(void)p;
}

static const struct net_port_ops fake_ops = {
	.kind = "fake",
	.push = fake_push,
	.resume = fake_resume,
	.lend = fake_lend,
	.commit = fake_commit,
	.caps = fake_caps,
	.attach = fake_attach,
	.detach = fake_detach,
};

/* A stack by its options, as the command line makes it; NULL and text in e. */
static inline struct stack *fake_stack(const char *opts, struct err *e)
{
	const struct net_backend *b = net_backend_find("user");
	void *o = calloc(1, b->opts->size);
	struct net_port *port = NULL;
	int rc;

	assert_non_null(o);
	rc = opt_parse(b->opts, "-netdev user", opts, o, e);
	if (!rc) {
		rc = b->open(o, "u0", &port, e);
		opt_free(b->opts, o);
	}
	free(o);
	return rc ? NULL : container_of(port, struct stack, port);
}

static inline struct fake *fake_new(const char *opts, uint32_t offloads, bool lends)
{
	struct fake *k = calloc(1, sizeof(*k));
	struct err e = {0};

	assert_non_null(k);
	k->clock.is_virtual = true;
	k->clock.now = 100000 * NS_PER_S;
	k->offloads = offloads;
	k->lends = lends;
	k->room = UINT32_MAX;
	k->loop = loop_new("fake", &k->clock, &e);
	assert_non_null(k->loop);
	net_port_init(&k->port, &fake_ops, "fake");
	k->st = fake_stack(opts, &e);
	if (!k->st)
		fail_msg("%s", e.text);
	assert_int_equal(net_join(&k->port, &k->st->port, &k->loop, 1, &e), 0);
	assert_int_equal(loop_start(k->loop, &e), 0);
	return k;
}

static inline void fake_free(struct fake *k)
{
	loop_stop(k->loop);
	loop_join(k->loop);
	net_unjoin(&k->port);
	k->st->port.ops->destroy(&k->st->port);
	loop_free(k->loop);
	free(k);
}

static void fake_nothing(void *arg)
{
	(void)arg;
}

/* The loop has gone round once at least: timers that were due have run. */
static inline void fake_round(struct fake *k)
{
	for (int i = 0; i < 3; i++)
		loop_call(k->loop, fake_nothing, NULL);
}

static inline void fake_step(struct fake *k, uint64_t ns)
{
	atomic_fetch_add(&k->clock.now, ns);
	loop_kick(k->loop);
	fake_round(k);
}

struct fake_in {
	struct fake *k;
	const void *p;
	unsigned len, split;
	struct net_offload off;
};

static void fake_do_in(void *arg)
{
	struct fake_in *in = arg;
	/* An exact copy on the heap, in two pieces, so that ASan sees an overread. */
	unsigned one = MIN(in->split ? in->split : in->len, in->len);
	uint8_t *a = malloc(one + 1), *b = malloc(in->len - one + 1);
	struct iovec vec[3] = {{0}, {a + 1, one}, {b + 1, in->len - one}};
	struct net_frame f = {.vec = vec, .nvec = 3, .len = in->len, .off = in->off};

	memcpy(a + 1, in->p, one);
	memcpy(b + 1, (const char *)in->p + one, in->len - one);
	assert_int_equal(net_push(&in->k->port, 0, &f, 1), 1);
	free(a);
	free(b);
}

/* Sends a frame; its first `split` bytes lie apart from the rest (0: not). */
static inline void fake_in(struct fake *k, const void *p, unsigned len, unsigned split)
{
	struct fake_in in = {k, p, len, split, {0}};

	loop_call(k->loop, fake_do_in, &in);
}

/* Waits up to 3 s of real time until there are n frames. */
static inline void fake_await(struct fake *k, unsigned n)
{
	const struct timespec ms = {0, 1000000};

	for (int i = 0; i < 3000; i++) {
		fake_round(k);
		if (k->n >= n)
			return;
		nanosleep(&ms, NULL);
	}
	fail_msg("%u frames came, %u wanted", k->n, n);
}

/* --- frames --------------------------------------------------------------------------------- */

struct fake_pkt {
	struct eth_hdr eth;
	struct ip4_hdr ip;
	union {
		struct udp_hdr udp;
		struct icmp_hdr icmp;
		uint8_t b[3000];
	} u;
} __attribute__((packed));

/* An IPv4 packet of the guest's with l4_len bytes in u; returns the frame's length. */
static inline unsigned fake_ip(struct fake *k, struct fake_pkt *p, const char *src, const char *dst,
			       uint8_t proto, unsigned l4_len)
{
	memcpy(p->eth.dst, k->st->mac, ETH_ALEN);
	memcpy(p->eth.src, fake_mac, ETH_ALEN);
	p->eth.type = htons(ETH_IP4);
	p->ip = (struct ip4_hdr){.ver_ihl = 0x45,
				 .len = htons((uint16_t)(20 + l4_len)),
				 .ttl = 64,
				 .proto = proto,
				 .src = inet_addr(src),
				 .dst = inet_addr(dst)};
	p->ip.csum = csum_fold(csum_add(0, &p->ip, 20));
	return ETH_HDR + 20 + l4_len;
}

static inline unsigned fake_udp(struct fake *k, struct fake_pkt *p, const char *src, uint16_t sport,
				const char *dst, uint16_t dport, const void *data, unsigned len)
{
	unsigned n = fake_ip(k, p, src, dst, IP_UDP, 8 + len);

	memcpy(p->u.b + 8, data, len);
	p->u.udp = (struct udp_hdr){htons(sport), htons(dport), htons((uint16_t)(8 + len)), 0};
	p->u.udp.csum = csum_fold(csum_add(
		csum_pseudo4(p->ip.src, p->ip.dst, IP_UDP, (uint16_t)(8 + len)), p->u.b, 8 + len));
	return n;
}

static inline unsigned fake_icmp(struct fake *k, struct fake_pkt *p, const char *src,
				 const char *dst, uint8_t type, const void *data, unsigned len)
{
	unsigned n = fake_ip(k, p, src, dst, IP_ICMP, 8 + len);

	memcpy(p->u.b + 8, data, len);
	p->u.icmp = (struct icmp_hdr){type, 0, 0, htons(77), htons(1)};
	p->u.icmp.csum = csum_fold(csum_add(0, p->u.b, 8 + len));
	return n;
}

/* Frame i as a packet, its IP and transport checksums checked. */
static inline const struct fake_pkt *fake_out(struct fake *k, unsigned i)
{
	const struct fake_pkt *p = (const struct fake_pkt *)(void *)k->frame[i];
	unsigned l4 = ntohs(p->ip.len) - 20u;
	uint32_t sum = 0;

	assert_true(i < k->n);
	assert_int_equal(p->eth.type, htons(ETH_IP4));
	assert_int_equal(csum_fold(csum_add(0, &p->ip, 20)), 0);
	assert_int_equal(k->len[i], ETH_HDR + 20 + l4);
	if (p->ip.frag & htons(IP4_MF | IP4_OFFMASK))
		return p;
	if (p->ip.proto == IP_UDP)
		sum = csum_pseudo4(p->ip.src, p->ip.dst, IP_UDP, (uint16_t)l4);
	if (k->off[i].flags & NET_F_NEEDS_CSUM)
		assert_int_equal(p->u.udp.csum, csum_fold_raw(sum));
	else
		assert_int_equal(csum_fold(csum_add(sum, p->u.b, l4)), 0);
	return p;
}

/* A UDP socket of the host's on loopback. */
static inline int host_udp(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = 3};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

#endif
