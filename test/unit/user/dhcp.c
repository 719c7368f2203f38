/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP and BOOTP as RFC 2131 and RFC 1534 have them, and malformed messages. */
#include "fake.h"

struct msg {
	uint8_t b[400];
	unsigned len;
};

static struct msg make(uint8_t type, uint8_t last)
{
	struct msg m = {.len = 240};

	m.b[0] = 1;
	m.b[1] = 1;
	m.b[2] = 6;
	put_be32(m.b + 4, 0xdecade);
	memcpy(m.b + 28, fake_mac, ETH_ALEN);
	m.b[33] = last;
	put_be32(m.b + 236, 0x63825363);
	if (type) {
		memcpy(m.b + 240, (uint8_t[]){53, 1, type}, 3);
		m.len = 243;
	}
	return m;
}

static void add_addr(struct msg *m, uint8_t code, const char *addr)
{
	uint32_t a = inet_addr(addr);

	m->b[m->len++] = code;
	m->b[m->len++] = 4;
	memcpy(m->b + m->len, &a, 4);
	m->len += 4;
}

static void set_ciaddr(struct msg *m, const char *addr)
{
	uint32_t a = inet_addr(addr);

	memcpy(m->b + 12, &a, 4);
}

/* Sends m; the reply's BOOTP message, NULL when there was none. */
static const uint8_t *ask(struct fake *k, struct msg m, const char *src, const char *dst)
{
	struct fake_pkt p = {0};

	m.b[m.len++] = 255;
	unsigned len = fake_udp(k, &p, src, 68, dst, 67, m.b, m.len);

	memset(p.eth.dst, 0xff, ETH_ALEN);
	k->n = 0;
	fake_in(k, &p, len, 100);
	if (!k->n)
		return NULL;
	assert_int_equal(k->n, 1);
	const struct fake_pkt *r = fake_out(k, 0);

	assert_int_equal(r->u.udp.sport, htons(67));
	assert_int_equal(r->u.udp.dport, htons(68));
	assert_true(ntohs(r->u.udp.len) >= 308);
	assert_memory_equal(r->u.b + 8 + 4, m.b + 4, 4);
	assert_memory_equal(r->u.b + 8 + 28, m.b + 28, 6);
	return r->u.b + 8;
}

static const uint8_t *ask_all(struct fake *k, struct msg m)
{
	return ask(k, m, "0.0.0.0", "255.255.255.255");
}

static const uint8_t *opt(const uint8_t *b, uint8_t code, unsigned *len)
{
	for (const uint8_t *p = b + 240; *p != 255; p += 2 + p[1]) {
		if (*p == code) {
			*len = p[1];
			return p + 2;
		}
	}
	return NULL;
}

static void opt_is(const uint8_t *b, uint8_t code, const void *want, unsigned n)
{
	unsigned len = 0;
	const uint8_t *p = opt(b, code, &len);

	assert_non_null(p);
	assert_int_equal(len, n);
	assert_memory_equal(p, want, n);
}

static unsigned lease_of(const uint8_t *b)
{
	assert_non_null(b);
	assert_memory_equal(b + 16, "\x0a\x00\x02", 3);
	return b[19];
}

static void test_lease(void **state)
{
	struct fake *k = fake_new("hostname=vm,domainname=example.test,mtu=1400", 0, false);
	struct msg m = make(1, 3);
	const uint8_t *b = ask_all(k, m);
	unsigned none;

	(void)state;
	assert_int_equal(lease_of(b), 15);
	opt_is(b, 53, "\x02", 1);
	opt_is(b, 54, "\x0a\x00\x02\x02", 4);
	opt_is(b, 1, "\xff\xff\xff\x00", 4);
	opt_is(b, 3, "\x0a\x00\x02\x02", 4);
	opt_is(b, 6, "\x0a\x00\x02\x03", 4);
	opt_is(b, 12, "vm", 2);
	opt_is(b, 15, "example.test", 12);
	opt_is(b, 26, "\x05\x78", 2);
	opt_is(b, 51, "\x00\x01\x51\x80", 4);
	/* Unicast to the client's hardware address (RFC 2131 section 4.1). */
	assert_int_equal(fake_out(k, 0)->ip.dst, inet_addr("10.0.2.15"));
	m = make(3, 3);
	add_addr(&m, 54, "10.0.2.2");
	add_addr(&m, 50, "10.0.2.15");
	b = ask_all(k, m);
	assert_int_equal(lease_of(b), 15);
	opt_is(b, 53, "\x05", 1);
	assert_int_equal(k->st->count.dhcp_acks, 1);
	/* The same again, another client next. */
	assert_int_equal(lease_of(ask_all(k, make(1, 3))), 15);
	assert_int_equal(lease_of(ask_all(k, make(1, 4))), 16);
	/* With the broadcast flag, to all. */
	m = make(1, 3);
	m.b[10] = 0x80;
	ask_all(k, m);
	assert_int_equal(fake_out(k, 0)->ip.dst, 0xffffffff);
	assert_memory_equal(fake_out(k, 0)->eth.dst, "\xff\xff\xff\xff\xff\xff", 6);
	fake_free(k);
	k = fake_new("restrict=on", 0, false);
	b = ask_all(k, make(1, 3));
	assert_null(opt(b, 3, &none));
	assert_null(opt(b, 6, &none));
	assert_null(opt(b, 26, &none));
	fake_free(k);
}

static void test_request(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct msg m = make(3, 3);
	const uint8_t *b;

	(void)state;
	/* INIT-REBOOT with an address from before: kept if it is free and ours. */
	add_addr(&m, 50, "10.0.2.20");
	b = ask_all(k, m);
	assert_int_equal(lease_of(b), 20);
	opt_is(b, 53, "\x05", 1);
	/* From another network, or another's: NAK to all, without an address. */
	m = make(3, 4);
	add_addr(&m, 50, "192.168.1.5");
	b = ask_all(k, m);
	opt_is(b, 53, "\x06", 1);
	assert_int_equal(get_be32(b + 16), 0);
	assert_int_equal(fake_out(k, 0)->ip.dst, 0xffffffff);
	m = make(3, 4);
	add_addr(&m, 50, "10.0.2.20");
	opt_is(ask_all(k, m), 53, "\x06", 1);
	/* RENEWING: by ciaddr. */
	m = make(3, 3);
	set_ciaddr(&m, "10.0.2.20");
	b = ask(k, m, "10.0.2.20", "10.0.2.2");
	opt_is(b, 53, "\x05", 1);
	assert_int_equal(fake_out(k, 0)->ip.dst, inet_addr("10.0.2.20"));
	/* Another server's offer was taken: silence, and ours is free again. */
	assert_int_equal(lease_of(ask_all(k, make(1, 5))), 15);
	m = make(3, 5);
	add_addr(&m, 54, "10.0.2.9");
	assert_null(ask_all(k, m));
	assert_int_equal(lease_of(ask_all(k, make(1, 6))), 15);
	fake_free(k);
}

static void test_release_decline_inform(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct msg m = make(3, 3);
	const uint8_t *b;
	unsigned none;

	(void)state;
	add_addr(&m, 50, "10.0.2.15");
	assert_int_equal(lease_of(ask_all(k, m)), 15);
	/* Another client cannot release it. */
	m = make(7, 4);
	set_ciaddr(&m, "10.0.2.15");
	assert_null(ask_all(k, m));
	assert_int_equal(lease_of(ask_all(k, make(1, 4))), 16);
	m = make(7, 3);
	set_ciaddr(&m, "10.0.2.15");
	assert_null(ask(k, m, "10.0.2.15", "10.0.2.2"));
	m = make(3, 3);
	add_addr(&m, 50, "10.0.2.15");
	opt_is(ask_all(k, m), 53, "\x05", 1);
	/* Declined: in use by somebody; not given for some time. */
	m = make(4, 3);
	add_addr(&m, 50, "10.0.2.15");
	assert_null(ask_all(k, m));
	assert_int_equal(lease_of(ask_all(k, make(1, 3))), 17);
	/* INFORM: options, no lease. */
	m = make(8, 9);
	set_ciaddr(&m, "10.0.2.99");
	b = ask(k, m, "10.0.2.99", "10.0.2.2");
	opt_is(b, 53, "\x05", 1);
	assert_int_equal(get_be32(b + 16), 0);
	assert_null(opt(b, 51, &none));
	fake_free(k);
}

/* Another station uses a client's address: what is offered then is not refused. */
static void test_taken_by_other(void **state)
{
	static const uint8_t other[ETH_ALEN] = {2, 0, 0, 0, 0, 77};
	struct fake *k = fake_new("", 0, false);
	struct msg m = make(3, 3);

	(void)state;
	add_addr(&m, 50, "10.0.2.15");
	assert_int_equal(lease_of(ask_all(k, m)), 15);
	stack_learn(k->st, inet_addr("10.0.2.15"), other);
	opt_is(ask_all(k, m), 53, "\x06", 1);
	assert_int_equal(lease_of(ask_all(k, make(1, 3))), 16);
	m = make(3, 3);
	add_addr(&m, 54, "10.0.2.2");
	add_addr(&m, 50, "10.0.2.16");
	opt_is(ask_all(k, m), 53, "\x05", 1);
	assert_int_equal(lease_of(ask_all(k, make(1, 3))), 16);
	fake_free(k);
}

static void test_bootp(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct msg m = make(0, 3);
	const uint8_t *b;
	unsigned none;

	(void)state;
	put_be32(m.b + 236, 0);
	b = ask_all(k, m);
	assert_int_equal(lease_of(b), 15);
	assert_null(opt(b, 53, &none));
	fake_free(k);
}

static void test_pool(void **state)
{
	struct fake *k = fake_new("net=10.0.2.0/28,dhcpstart=10.0.2.10", 0, false);
	struct msg m;

	(void)state;
	/* .10 to .14; then no lease is left, until one has expired. */
	for (uint8_t i = 0; i < 5; i++) {
		m = make(3, i);
		m.b[32] = 9;
		char want[16];

		snprintf(want, sizeof(want), "10.0.2.%u", 10u + i);
		add_addr(&m, 50, want);
		assert_int_equal(lease_of(ask_all(k, m)), 10 + i);
	}
	assert_null(ask_all(k, make(1, 99)));
	fake_step(k, 86401 * NS_PER_S);
	assert_int_equal(lease_of(ask_all(k, make(1, 99))), 10);
	fake_free(k);
}

static void test_malformed(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct msg m = make(1, 3);
	struct fake_pkt p = {0};

	(void)state;
	for (unsigned len = 0; len < 236; len++)
		fake_in(k, &p, fake_udp(k, &p, "0.0.0.0", 68, "10.0.2.2", 67, m.b, len), 0);
	assert_int_equal(k->st->count.bad_frame, 236);
	m.b[2] = 16;
	assert_null(ask_all(k, m));
	m = make(1, 3);
	m.b[0] = 2;
	assert_null(ask_all(k, m));
	m = make(1, 3);
	m.b[24] = 1; /* giaddr */
	assert_null(ask_all(k, m));
	/* An option that claims more than is there ends the message. */
	m = make(1, 3);
	m.b[m.len++] = 50;
	m.b[m.len++] = 200;
	assert_int_equal(lease_of(ask_all(k, m)), 15);
	/* An address out of the network as ciaddr is not written to. */
	m = make(8, 3);
	set_ciaddr(&m, "192.0.2.1");
	assert_null(ask_all(k, m));
	fake_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_release_decline_inform),
		cmocka_unit_test(test_taken_by_other),
		cmocka_unit_test(test_bootp),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
