/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP: echo of the gateway, of the host by a ping socket, errors. */
#include "fake.h"

#include <sys/epoll.h>

static void test_gateway(void **state)
{
	static const char *const ours[] = {"10.0.2.2", "10.0.2.3"};
	struct fake *k = fake_new("", 0, false);
	struct fake_pkt p = {0};
	uint8_t data[1472];

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31);
	for (unsigned i = 0; i < 2; i++) {
		unsigned size = i ? sizeof(data) : 5;

		fake_in(k, &p, fake_icmp(k, &p, "10.0.2.15", ours[i], 8, data, size), 37);
		assert_int_equal(k->n, i + 1);
		const struct fake_pkt *r = fake_out(k, i);

		assert_int_equal(r->ip.src, inet_addr(ours[i]));
		assert_int_equal(r->u.icmp.type, 0);
		assert_int_equal(r->u.icmp.id, htons(77));
		assert_memory_equal(r->u.b + 8, data, size);
	}
	/* With restrict=on the gateway answers still; nobody else does. */
	fake_free(k);
	k = fake_new("restrict=on", 0, false);
	fake_in(k, &p, fake_icmp(k, &p, "10.0.2.15", "10.0.2.2", 8, "", 0), 0);
	assert_int_equal(fake_out(k, 0)->u.icmp.type, 0);
	fake_in(k, &p, fake_icmp(k, &p, "10.0.2.15", "192.0.2.1", 8, "", 0), 0);
	assert_int_equal(fake_out(k, 1)->u.icmp.type, 3);
	assert_int_equal(fake_out(k, 1)->u.b[1], 13);
	assert_int_equal(flow_count(k->st), 0);
	fake_free(k);
}

static void test_refuses(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct fake_pkt p = {0};
	unsigned len = fake_icmp(k, &p, "10.0.2.15", "10.0.2.2", 8, "ab", 2);

	(void)state;
	p.u.icmp.csum ^= 1;
	fake_in(k, &p, len, 0);
	assert_int_equal(k->st->count.bad_csum, 1);
	for (unsigned l4 = 0; l4 < 8; l4++)
		fake_in(k, &p, fake_ip(k, &p, "10.0.2.15", "10.0.2.2", IP_ICMP, l4), 0);
	assert_int_equal(k->st->count.bad_frame, 8);
	/* No answer to an error, a reply, or the unknown. */
	for (unsigned type = 0; type < 256; type++) {
		if (type != 8)
			fake_in(k, &p,
				fake_icmp(k, &p, "10.0.2.15", "10.0.2.2", (uint8_t)type, "", 0), 0);
	}
	assert_int_equal(k->n, 0);
	fake_free(k);
}

static void test_errors(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct fake_pkt p = {0};
	uint8_t big[2000] = {7};
	unsigned len = fake_ip(k, &p, "10.0.2.15", "192.0.2.1", 132, 1400);

	(void)state;
	/* Protocol unreachable from the host itself, 528 bytes quoted. */
	fake_in(k, &p, len, 0);
	const struct fake_pkt *r = fake_out(k, 0);

	assert_int_equal(r->u.icmp.type, 3);
	assert_int_equal(r->u.b[1], 2);
	assert_int_equal(r->ip.src, inet_addr("192.0.2.1"));
	assert_int_equal(ntohs(r->ip.len), 20 + 8 + 528);
	/* None about a broadcast or an ICMP error (RFC 1122 section 3.2.2). */
	len = fake_ip(k, &p, "10.0.2.15", "192.0.2.1", 132, 8);
	memset(p.eth.dst, 0xff, ETH_ALEN);
	fake_in(k, &p, len, 0);
	len = fake_icmp(k, &p, "10.0.2.15", "192.0.2.1", 3, big, 28);
	p.ip.ttl = 1;
	p.ip.csum = 0;
	p.ip.csum = csum_fold(csum_add(0, &p.ip, 20));
	fake_in(k, &p, len, 0);
	assert_int_equal(k->n, 1);
	/* Addresses that are nobody's. */
	fake_in(k, &p, fake_udp(k, &p, "10.0.2.15", 1, "127.0.0.1", 9, "x", 1), 0);
	assert_int_equal(fake_out(k, 1)->u.b[1], 1);
	fake_free(k);
}

static void error_of_flow(void *arg)
{
	struct fake *k = arg;
	struct flow_key key = {.gaddr = inet_addr("10.0.2.15"),
			       .raddr = inet_addr("192.0.2.1"),
			       .gport = htons(5),
			       .rport = htons(6),
			       .proto = IP_UDP};
	struct flow *f = flow_new(k->st, FLOW_UDP, &key);

	memcpy(f->gmac, fake_mac, ETH_ALEN);
	icmp_error_errno(f, ECONNREFUSED);
	flow_free(f);
}

static void test_error_of_flow(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct fake_pkt q;

	(void)state;
	loop_call(k->loop, error_of_flow, k);
	const struct fake_pkt *r = fake_out(k, 0);

	assert_int_equal(r->u.icmp.type, 3);
	assert_int_equal(r->u.b[1], 3);
	assert_int_equal(r->ip.src, inet_addr("192.0.2.1"));
	/* What is quoted is the guest's packet to the byte where it matters. */
	memcpy(&q.ip, r->u.b + 8, 28);
	assert_int_equal(q.ip.src, inet_addr("10.0.2.15"));
	assert_int_equal(q.ip.dst, inet_addr("192.0.2.1"));
	assert_int_equal(q.u.udp.sport, htons(5));
	assert_int_equal(q.u.udp.dport, htons(6));
	fake_free(k);
}

struct flood {
	struct fake *k;
	int fd[2];
	struct flow *f;
	unsigned first; /* frames after the first turn */
};

/* A flow whose replies come over a socket of the test's. */
static void flood_here(void *arg)
{
	struct flood *a = arg;
	struct flow_key k = {.gaddr = inet_addr("10.0.2.15"),
			     .raddr = inet_addr("192.0.2.1"),
			     .gport = htons(77),
			     .proto = IP_ICMP};

	a->f = flow_new(a->k->st, FLOW_ICMP, &k);
	assert_non_null(a->f);
	memcpy(a->f->gmac, fake_mac, ETH_ALEN);
	a->f->u.icmp.id = htons(5);
	assert_int_equal(flow_watch(a->f, a->fd[0]), 0);
	icmp_flow_ops.event(a->f, EPOLLIN);
	a->first = a->k->n;
}

/* Who floods us with replies does not keep the loop to himself. */
static void test_turns(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct icmp_hdr r = {.type = 0, .id = htons(5)};
	struct flood a = {.k = k};

	(void)state;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint16_t port;

	a.fd[0] = host_udp(&port);
	to.sin_port = htons(port);
	a.fd[1] = host_udp(&port);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(
			sendto(a.fd[1], &r, sizeof(r), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(r));
	loop_call(k->loop, flood_here, &a);
	assert_int_equal(a.first, 16);
	fake_await(k, 40);
	close(a.fd[1]);
	fake_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway), cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_errors),	cmocka_unit_test(test_error_of_flow),
		cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
