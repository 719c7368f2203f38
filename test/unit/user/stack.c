/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack's port: Ethernet and IPv4 checks, addresses, life across a re-plug. Row M3. */
#include "fake.h"

static void eats(struct fake *k, const void *p, unsigned len, uint64_t *counter)
{
	uint64_t before = *counter;
	unsigned n = k->n;

	fake_in(k, p, len, 0);
	assert_int_equal(*counter, before + 1);
	assert_int_equal(k->n, n);
}

static void test_malformed(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct stack_counters *c = &k->st->count;
	struct fake_pkt p = {0};
	unsigned len = fake_icmp(k, &p, "10.0.2.15", "10.0.2.2", 8, "abcd", 4);

	(void)state;
	for (unsigned cut = 0; cut < ETH_HDR + 20; cut++)
		eats(k, &p, cut, &c->bad_frame);
	p.ip.ver_ihl = 0x65;
	eats(k, &p, len, &c->bad_frame);
	p.ip.ver_ihl = 0x44;
	eats(k, &p, len, &c->bad_frame);
	p.ip.ver_ihl = 0x4f;
	eats(k, &p, len, &c->bad_frame);
	p.ip.ver_ihl = 0x45;
	p.ip.csum ^= 1;
	eats(k, &p, len, &c->bad_csum);
	p.ip.csum ^= 1;
	p.eth.dst[5] ^= 1;
	eats(k, &p, len, &c->not_ours);
	p.eth.dst[5] ^= 1;
	p.eth.type = htons(ETH_IP6);
	eats(k, &p, len, &c->unknown_proto);
	fake_free(k);
}

static void test_sources(void **state)
{
	static const char *const wrong[] = {"10.0.3.15",  "10.0.2.2", "10.0.2.3",
					    "10.0.2.255", "10.0.2.0", "127.0.0.1"};
	struct fake *k = fake_new("", 0, false);
	struct fake_pkt p = {0};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		unsigned len = fake_icmp(k, &p, wrong[i], "10.0.2.2", 8, "", 0);

		eats(k, &p, len, &k->st->count.spoofed);
	}
	fake_free(k);
}

static void test_fragments_and_ttl(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct fake_pkt p = {0};
	unsigned len = fake_icmp(k, &p, "10.0.2.15", "10.0.2.2", 8, "abcd", 4);

	(void)state;
	p.ip.frag = htons(IP4_MF);
	p.ip.csum = 0;
	p.ip.csum = csum_fold(csum_add(0, &p.ip, 20));
	eats(k, &p, len, &k->st->count.fragments);
	len = fake_udp(k, &p, "10.0.2.15", 5, "192.0.2.1", 33434, "x", 1);
	p.ip.ttl = 1;
	p.ip.csum = 0;
	p.ip.csum = csum_fold(csum_add(0, &p.ip, 20));
	fake_in(k, &p, len, 0);
	assert_int_equal(k->n, 1);
	/* Time exceeded, quoting the packet. */
	assert_int_equal(fake_out(k, 0)->u.icmp.type, 11);
	assert_int_equal(fake_out(k, 0)->ip.src, inet_addr("10.0.2.2"));
	assert_memory_equal(fake_out(k, 0)->u.b + 8, &p.ip, 20 + 8 + 1);
	fake_free(k);
}

static void test_policy(void **state)
{
	struct fake *k = fake_new("dns-host=192.0.2.53:5353", 0, false);
	struct stack *st = k->st;
	struct sockaddr_in a;

	(void)state;
	assert_true(stack_host_addr(st, inet_addr("10.0.2.2"), htons(80), &a));
	assert_int_equal(a.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(a.sin_port, htons(80));
	assert_true(stack_host_addr(st, inet_addr("10.0.2.3"), htons(53), &a));
	assert_int_equal(a.sin_addr.s_addr, inet_addr("192.0.2.53"));
	assert_int_equal(a.sin_port, htons(5353));
	assert_false(stack_host_addr(st, inet_addr("10.0.2.3"), htons(54), &a));
	assert_false(stack_host_addr(st, inet_addr("10.0.2.9"), htons(80), &a));
	assert_false(stack_host_addr(st, inet_addr("127.0.0.1"), htons(80), &a));
	assert_false(stack_host_addr(st, inet_addr("0.0.0.1"), htons(80), &a));
	assert_false(stack_host_addr(st, inet_addr("224.0.0.1"), htons(80), &a));
	assert_false(stack_host_addr(st, inet_addr("255.255.255.255"), htons(80), &a));
	assert_true(stack_host_addr(st, inet_addr("192.0.2.1"), htons(80), &a));
	assert_int_equal(stack_guest_view(st, inet_addr("127.0.0.1")), inet_addr("10.0.2.2"));
	assert_int_equal(stack_guest_view(st, inet_addr("192.0.2.1")), inet_addr("192.0.2.1"));
	fake_free(k);
	k = fake_new("restrict=on", 0, false);
	assert_false(stack_host_addr(k->st, inet_addr("10.0.2.2"), htons(80), &a));
	assert_int_equal(k->st->count.restricted, 1);
	fake_free(k);
}

static void ask_neigh(void *arg)
{
	struct fake *k = arg;
	uint8_t mac[ETH_ALEN];

	assert_false(stack_neigh(k->st, inet_addr("10.0.2.50"), mac));
}

static void test_neighbours(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct fake_pkt p = {0};
	uint8_t mac[ETH_ALEN];

	(void)state;
	/* Asked for once a second, not each time. */
	loop_call(k->loop, ask_neigh, k);
	loop_call(k->loop, ask_neigh, k);
	assert_int_equal(k->n, 1);
	assert_int_equal(get_be16(k->frame[0] + 12), ETH_ARP);
	fake_step(k, 2 * NS_PER_S);
	loop_call(k->loop, ask_neigh, k);
	assert_int_equal(k->n, 2);
	fake_in(k, &p, fake_icmp(k, &p, "10.0.2.50", "10.0.2.2", 8, "", 0), 0);
	assert_true(stack_neigh(k->st, inet_addr("10.0.2.50"), mac));
	assert_memory_equal(mac, fake_mac, ETH_ALEN);
	/* However many addresses a guest makes up, the table has its size. */
	for (int i = 4; i < 250; i++) {
		char src[32];

		snprintf(src, sizeof(src), "10.0.2.%d", i);
		fake_in(k, &p, fake_icmp(k, &p, src, "10.0.2.2", 13, "", 0), 0);
	}
	fake_free(k);
}

static void test_replug(void **state)
{
	struct fake *k = fake_new("hostfwd=udp:127.0.0.1:0-:7", 0, false);
	uint16_t port;
	int host = host_udp(&port);
	struct fake_pkt p = {0};
	struct err e = {0};
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[16];

	(void)state;
	fake_in(k, &p, fake_udp(k, &p, "10.0.2.15", 9, "10.0.2.2", port, "one", 3), 0);
	assert_int_equal(recvfrom(host, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 3);
	loop_park(k->loop);
	net_unjoin(&k->port);
	assert_null(k->st->loop);
	/* While away, the answer waits in the kernel. */
	assert_int_equal(sendto(host, "answer", 6, 0, (struct sockaddr *)&from, len), 6);
	assert_int_equal(net_join(&k->port, &k->st->port, &k->loop, 1, &e), 0);
	loop_unpark(k->loop);
	fake_await(k, 1);
	assert_memory_equal(fake_out(k, 0)->u.b + 8, "answer", 6);
	assert_int_equal(flow_count(k->st), 1);
	close(host);
	fake_free(k);
}

static void test_info(void **state)
{
	struct fake *k = fake_new("net=192.168.76.9/24,restrict=on", 0, false);
	char buf[128];

	(void)state;
	k->st->port.ops->info(&k->st->port, buf, sizeof(buf));
	assert_string_equal(buf, "net=192.168.76.0,restrict=on");
	assert_int_equal(k->st->conf.host.s_addr, inet_addr("192.168.76.2"));
	assert_int_equal(k->st->conf.dns.s_addr, inet_addr("192.168.76.3"));
	assert_int_equal(k->st->conf.dhcpstart.s_addr, inet_addr("192.168.76.15"));
	fake_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_fragments_and_ttl),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_replug),
		cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
