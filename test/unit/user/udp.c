/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP both ways, with and without lending and checksum offload, fragments, time-outs. */
#include "fake.h"

static int ask_host(struct fake *k, int host, uint16_t port, struct sockaddr_in *from)
{
	struct fake_pkt p = {0};
	socklen_t len = sizeof(*from);
	char buf[64];

	fake_in(k, &p, fake_udp(k, &p, "10.0.2.15", 1234, "10.0.2.2", port, "hello", 5), 45);
	assert_int_equal(recvfrom(host, buf, sizeof(buf), 0, (struct sockaddr *)from, &len), 5);
	assert_memory_equal(buf, "hello", 5);
	return 0;
}

static void both_ways(uint32_t offloads, bool lends)
{
	struct fake *k = fake_new("", offloads, lends);
	uint16_t port;
	int host = host_udp(&port);
	struct sockaddr_in from;
	uint8_t data[1472];

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13);
	ask_host(k, host, port, &from);
	for (unsigned i = 0; i < 40; i++)
		sendto(host, data, 1433 + i, 0, (struct sockaddr *)&from, sizeof(from));
	fake_await(k, 40);
	for (unsigned i = 0; i < 40; i++) {
		const struct fake_pkt *r = fake_out(k, i);

		assert_int_equal(!!(k->off[i].flags & NET_F_NEEDS_CSUM), !!offloads);
		assert_int_equal(r->ip.src, inet_addr("10.0.2.2"));
		assert_int_equal(r->u.udp.sport, htons(port));
		assert_int_equal(r->u.udp.dport, htons(1234));
		assert_int_equal(ntohs(r->u.udp.len), 8 + 1433 + i);
		assert_memory_equal(r->u.b + 8, data, 1433 + i);
	}
	assert_int_equal(flow_count(k->st), 1);
	close(host);
	fake_free(k);
}

static void test_both_ways(void **state)
{
	(void)state;
	both_ways(0, false);
	both_ways(NET_CAP_CSUM, false);
	both_ways(0, true);
	both_ways(NET_CAP_CSUM, true);
}

/* A datagram above the MTU comes as fragments that make it up, with a right checksum. */
static void fragments(const char *opts, bool lends, unsigned size)
{
	struct fake *k = fake_new(opts, NET_CAP_CSUM, lends);
	uint16_t port;
	int host = host_udp(&port);
	struct sockaddr_in from;
	uint8_t *data = malloc(size), *got = calloc(1, size + 8 + 8);
	unsigned sum = 0, mtu = k->st->conf.mtu, step = (mtu - 20) & ~7u;
	unsigned want = (size + 8 + step - 1) / step;

	for (unsigned i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	ask_host(k, host, port, &from);
	sendto(host, data, size, 0, (struct sockaddr *)&from, sizeof(from));
	fake_await(k, want);
	assert_int_equal(k->n, want);
	for (unsigned i = 0; i < want; i++) {
		const struct fake_pkt *r = fake_out(k, i);
		unsigned len = ntohs(r->ip.len) - 20u, at = (ntohs(r->ip.frag) & IP4_OFFMASK) * 8u;

		assert_true(ntohs(r->ip.len) <= mtu);
		assert_int_equal(!!(r->ip.frag & htons(IP4_MF)), i + 1 < want);
		assert_int_equal(r->ip.id, fake_out(k, 0)->ip.id);
		assert_true(at + len <= size + 8);
		memcpy(got + at, r->u.b, len);
		sum += len;
	}
	assert_int_equal(sum, size + 8);
	assert_memory_equal(got + 8, data, size);
	assert_int_equal(
		csum_fold(csum_add(csum_pseudo4(inet_addr("10.0.2.2"), inet_addr("10.0.2.15"),
						IP_UDP, (uint16_t)(size + 8)),
				   got, size + 8)),
		0);
	free(data);
	free(got);
	close(host);
	fake_free(k);
}

static void test_fragments(void **state)
{
	(void)state;
	for (int lends = 0; lends < 2; lends++) {
		fragments("", lends, 1473);
		fragments("", lends, 9001);
		fragments("", lends, 65507);
		fragments("mtu=1499", lends, 5000);
		fragments("mtu=1501", lends, 5001);
		fragments("mtu=577", lends, 2000);
	}
}

static void test_no_room(void **state)
{
	struct fake *k = fake_new("", 0, true);
	uint16_t port;
	int host = host_udp(&port);
	struct sockaddr_in from;

	(void)state;
	ask_host(k, host, port, &from);
	k->room = 3;
	for (unsigned i = 0; i < 20; i++)
		sendto(host, &i, sizeof(i), 0, (struct sockaddr *)&from, sizeof(from));
	fake_await(k, 3);
	fake_round(k);
	assert_int_equal(k->n, 3);
	/* The rest has stayed in the kernel and comes, in order, when there is room. */
	k->room = 1000;
	loop_call(k->loop, (void (*)(void *))(void *)flow_resume, k->st);
	fake_await(k, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_memory_equal(fake_out(k, i)->u.b + 8, &i, sizeof(i));
	close(host);
	fake_free(k);
}

static void test_timeouts(void **state)
{
	struct fake *k = fake_new("", 0, false);
	uint16_t port;
	int host = host_udp(&port);
	struct sockaddr_in from;

	(void)state;
	ask_host(k, host, port, &from);
	fake_step(k, 29 * NS_PER_S);
	assert_int_equal(flow_count(k->st), 1);
	fake_step(k, 2 * NS_PER_S);
	assert_int_equal(flow_count(k->st), 0);
	ask_host(k, host, port, &from);
	sendto(host, "x", 1, 0, (struct sockaddr *)&from, sizeof(from));
	fake_await(k, 1);
	fake_step(k, 170 * NS_PER_S);
	assert_int_equal(flow_count(k->st), 1);
	fake_step(k, 20 * NS_PER_S);
	assert_int_equal(flow_count(k->st), 0);
	close(host);
	fake_free(k);
}

static void test_refused(void **state)
{
	struct fake *k = fake_new("", 0, false);
	uint16_t port;
	struct fake_pkt p = {0};

	(void)state;
	close(host_udp(&port));
	fake_in(k, &p, fake_udp(k, &p, "10.0.2.15", 1234, "10.0.2.2", port, "x", 1), 0);
	fake_await(k, 1);
	assert_int_equal(fake_out(k, 0)->ip.proto, IP_ICMP);
	assert_int_equal(fake_out(k, 0)->u.b[1], 3);
	assert_int_equal(fake_out(k, 0)->ip.src, inet_addr("10.0.2.2"));
	fake_free(k);
}

static void do_uso(void *arg)
{
	struct fake_in *in = arg;
	struct iovec vec[2] = {{0}, {(void *)(uintptr_t)in->p, in->len}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = in->len, .off = in->off};

	assert_int_equal(net_push(&in->k->port, 0, &f, 1), 1);
}

static void test_segments(void **state)
{
	struct fake *k = fake_new("", 0, false);
	uint16_t port;
	int host = host_udp(&port);
	struct fake_pkt p = {0};
	uint8_t data[2500] = {1};
	struct fake_in in = {k, &p, 0, 0, {NET_F_NEEDS_CSUM, NET_GSO_UDP_L4, 42, 1000, 34, 6}};

	(void)state;
	in.len = fake_udp(k, &p, "10.0.2.15", 1234, "10.0.2.2", port, data, sizeof(data));
	loop_call(k->loop, do_uso, &in);
	assert_int_equal(recv(host, data, sizeof(data), 0), 1000);
	assert_int_equal(recv(host, data, sizeof(data), 0), 1000);
	assert_int_equal(recv(host, data, sizeof(data), 0), 500);
	/* So small that one frame would be thousands of system calls. */
	in.off.gso_size = 2;
	loop_call(k->loop, do_uso, &in);
	assert_int_equal(recv(host, data, sizeof(data), MSG_DONTWAIT), -1);
	assert_int_equal(k->st->count.bad_frame, 1);
	close(host);
	fake_free(k);
}

static void test_malformed(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct fake_pkt p = {0};
	unsigned len = fake_udp(k, &p, "10.0.2.15", 1, "10.0.2.2", 9, "abc", 3);

	(void)state;
	p.u.udp.len = htons(12);
	fake_in(k, &p, len, 0);
	p.u.udp.len = htons(7);
	fake_in(k, &p, len, 0);
	assert_int_equal(k->st->count.bad_frame, 2);
	fake_udp(k, &p, "10.0.2.15", 1, "10.0.2.2", 9, "abc", 3);
	p.u.udp.csum ^= 1;
	fake_in(k, &p, len, 0);
	assert_int_equal(k->st->count.bad_csum, 1);
	fake_in(k, &p, fake_udp(k, &p, "0.0.0.0", 1, "10.0.2.2", 9, "abc", 3), 0);
	assert_int_equal(k->st->count.spoofed, 1);
	fake_in(k, &p, fake_udp(k, &p, "10.0.2.15", 137, "10.0.2.255", 137, "abc", 3), 0);
	assert_int_equal(k->st->count.not_ours, 1);
	assert_int_equal(k->n, 0);
	assert_int_equal(flow_count(k->st), 0);
	fake_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_no_room),	  cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_refused),	  cmocka_unit_test(test_segments),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
