/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP: who answers, what is learned, what is malformed. */
#include "fake.h"

struct arp_frame {
	struct eth_hdr eth;
	struct arp_pkt arp;
} __attribute__((packed));

static struct arp_frame request(const char *from, const char *whom)
{
	struct arp_frame f = {
		.eth.type = htons(ETH_ARP),
		.arp = {htons(1),
			htons(ETH_IP4),
			6,
			4,
			htons(1),
			{0},
			inet_addr(from),
			{0},
			inet_addr(whom)},
	};

	memset(f.eth.dst, 0xff, ETH_ALEN);
	memcpy(f.eth.src, fake_mac, ETH_ALEN);
	memcpy(f.arp.sha, fake_mac, ETH_ALEN);
	return f;
}

static void test_answers(void **state)
{
	static const char *const ours[] = {"10.0.2.2", "10.0.2.3"};
	struct fake *k = fake_new("", 0, false);
	struct arp_frame f, *a;
	uint8_t mac[ETH_ALEN];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		f = request("10.0.2.15", ours[i]);
		fake_in(k, &f, sizeof(f), i ? 20 : 0);
		assert_int_equal(k->n, i + 1);
		a = (struct arp_frame *)(void *)k->frame[i];
		assert_int_equal(k->len[i], sizeof(f));
		assert_int_equal(a->arp.op, htons(2));
		assert_int_equal(a->arp.spa, inet_addr(ours[i]));
		assert_int_equal(a->arp.tpa, inet_addr("10.0.2.15"));
		assert_memory_equal(a->arp.tha, fake_mac, ETH_ALEN);
		assert_memory_equal(a->eth.dst, fake_mac, ETH_ALEN);
		assert_memory_equal(a->arp.sha, "\x52\x55\x0a\x00\x02\x02", ETH_ALEN);
	}
	assert_true(stack_neigh(k->st, inet_addr("10.0.2.15"), mac));
	/* Others answer for themselves. A probe (RFC 5227) has no sender and is answered. */
	f = request("10.0.2.15", "10.0.2.4");
	fake_in(k, &f, sizeof(f), 0);
	assert_int_equal(k->n, 2);
	f = request("0.0.0.0", "10.0.2.2");
	fake_in(k, &f, sizeof(f), 0);
	assert_int_equal(k->n, 3);
	fake_free(k);
}

static void test_refuses(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct arp_frame f = request("10.0.2.15", "10.0.2.2");
	uint64_t *bad = &k->st->count.bad_frame;

	(void)state;
	for (unsigned len = ETH_HDR; len < sizeof(f); len++)
		fake_in(k, &f, len, 0);
	assert_int_equal(*bad, sizeof(f) - ETH_HDR);
	f.arp.hlen = 8;
	fake_in(k, &f, sizeof(f), 0);
	f = request("10.0.2.15", "10.0.2.2");
	f.arp.sha[0] |= 1;
	fake_in(k, &f, sizeof(f), 0);
	assert_int_equal(*bad, sizeof(f) - ETH_HDR + 2);
	/* Nobody may say that he is the gateway. */
	f = request("10.0.2.2", "10.0.2.3");
	fake_in(k, &f, sizeof(f), 0);
	assert_int_equal(k->st->count.spoofed, 1);
	assert_int_equal(k->n, 0);
	fake_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
