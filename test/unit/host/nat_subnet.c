/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and names of a NAT network: free subnets, clashes, reservations, labels (M2). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "net/host/nat.h"
#include "base/util.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static void first_free(void **state)
{
	const struct nat_used used[] = {
		{IP(192, 168, 122, 0), 24, "the route 192.168.122.0/24 dev virbr0"},
		{IP(192, 168, 123, 77), 32, "the address 192.168.123.77/32"},
		{IP(192, 168, 124, 0), 23, "a VPN"},
	};
	struct nat_net n = {.name = "vmwire0"};
	struct err e = {0};

	(void)state;
	assert_int_equal(nat_choose(&n, used, 0, &e), 0);
	assert_int_equal(n.addr, IP(192, 168, 122, 0));
	assert_int_equal(n.prefix, 24);
	assert_int_equal(nat_choose(&n, used, 2, &e), 0);
	assert_int_equal(n.addr, IP(192, 168, 124, 0));
	assert_int_equal(nat_choose(&n, used, 3, &e), 0);
	assert_int_equal(n.addr, IP(192, 168, 126, 0));
}

static void all_taken(void **state)
{
	const struct nat_used most[] = {{IP(192, 168, 0, 0), 16, "a LAN"},
					{IP(10, 0, 0, 0), 8, "b"}};
	const struct nat_used all[] = {{IP(128, 0, 0, 0), 1, "half"}, {0, 1, "the other half"}};
	struct nat_net n = {.name = "vmwire0"};
	struct err e = {0};

	(void)state;
	assert_int_equal(nat_choose(&n, most, 2, &e), 0);
	assert_int_equal(n.addr, IP(172, 16, 0, 0));
	assert_int_equal(nat_choose(&n, all, 2, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "net=a.b.c.d/24"));
}

static void given(void **state)
{
	const struct nat_used used[] = {{IP(10, 0, 0, 0), 8, "the route 10.0.0.0/8 dev tun0"}};
	struct nat_net n = {.addr = IP(10, 9, 0, 0), .prefix = 24, .given = NAT_GIVEN_NET};
	struct err e = {0};

	(void)state;
	assert_int_equal(nat_choose(&n, used, 0, &e), 0);
	assert_int_equal(n.addr, IP(10, 9, 0, 0));
	assert_int_equal(nat_choose(&n, used, 1, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "net=10.9.0.0/24"));
	assert_non_null(strstr(e.text, "the route 10.0.0.0/8 dev tun0"));
}

static void identity(void **state)
{
	struct nat_net a = {.name = "vmwire0"}, b = {.name = "vmwire1"}, c = {.name = "vmwire0"};

	(void)state;
	nat_identity(&a, "machine");
	nat_identity(&b, "machine");
	nat_identity(&c, "other");
	assert_int_equal(a.ula[0], 0xfd);
	assert_int_equal(a.mac[0] & 3, 2);
	assert_memory_not_equal(a.ula, b.ula, 8);
	assert_memory_not_equal(a.ula, c.ula, 8);
	assert_memory_not_equal(a.mac, b.mac, 6);
	nat_identity(&c, "machine");
	assert_memory_equal(a.ula, c.ula, 16);
	assert_memory_equal(a.mac, c.mac, 6);
}

static void reservations(void **state)
{
	const struct nat_net n = {.addr = IP(10, 0, 0, 0), .prefix = 29};
	struct nat_card a = {.mac = {0x52, 0, 0, 0, 0, 1}}, b = {.mac = {0x52, 0, 0, 0, 0, 2}},
			c = a;
	struct nat_card two[2];
	struct nat_halves h = nat_halves(&n);

	(void)state;
	assert_int_equal(h.reserved[0], IP(10, 0, 0, 2));
	assert_int_equal(h.reserved[1], IP(10, 0, 0, 3));
	assert_int_equal(h.dynamic[0], IP(10, 0, 0, 4));
	assert_int_equal(h.dynamic[1], IP(10, 0, 0, 6));
	a.addr = nat_reserve(&n, &a, NULL, 0);
	assert_in_range(a.addr, h.reserved[0], h.reserved[1]);
	assert_int_equal(nat_reserve(&n, &c, NULL, 0), a.addr);
	b.addr = nat_reserve(&n, &b, &a, 1);
	assert_int_equal(a.addr + b.addr, h.reserved[0] + h.reserved[1]);
	two[0] = a;
	two[1] = b;
	assert_int_equal(nat_reserve(&n, &c, two, 2), 0);
	/* The one it had; not one that is another's, or none of the network's. */
	c.addr = b.addr;
	assert_int_equal(nat_reserve(&n, &c, NULL, 0), b.addr);
	assert_int_equal(nat_reserve(&n, &c, &b, 1), a.addr);
	c.addr = IP(10, 0, 0, 4);
	assert_int_equal(nat_reserve(&n, &c, NULL, 0), a.addr);
}

static void names(void **state)
{
	struct nat_card a = {.name = "My VM.1_", .mac = {1, 2, 3, 0xaa, 0xbb, 0xcc}}, b = a,
			c = {0};
	char label[NAT_LABEL], longest[200];

	(void)state;
	nat_unique(&a, NULL, 0);
	assert_string_equal(a.name, "my-vm-1");
	nat_unique(&b, &a, 1);
	assert_string_equal(b.name, "my-vm-1-aa-bb-cc");
	nat_unique(&c, &a, 1);
	assert_string_equal(c.name, "guest");
	memset(longest, 'x', sizeof(longest));
	longest[199] = '\0';
	nat_label(longest, label);
	assert_int_equal(strlen(label), 63);
	memcpy(a.name, label, sizeof(label));
	c = a;
	nat_unique(&c, &a, 1);
	assert_true(strlen(c.name) <= 63);
	assert_non_null(strstr(c.name, "x-aa-bb-cc"));
	nat_label("\n,;\xff", label);
	assert_string_equal(label, "");
}

static void agreement(void **state)
{
	struct nat_net have = {
		.name = "vmwire0", .addr = IP(10, 0, 0, 0), .prefix = 24, .v6 = true};
	struct nat_net wish = {
		.addr = IP(10, 0, 1, 0), .prefix = 24, .mode = NAT_ROUTED, .adjust = true};
	static const struct {
		uint32_t given;
		const char *word;
	} all[] = {{NAT_GIVEN_NET, "net=10.0.1.0/24"},
		   {NAT_GIVEN_MODE, "routed=on"},
		   {NAT_GIVEN_ADJUST, "firewall=adjust"},
		   {NAT_GIVEN_V6, "ipv6=off"}};
	struct err e;

	(void)state;
	assert_int_equal(nat_agree(&have, &wish, &e), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		wish.given = all[i].given;
		assert_int_equal(nat_agree(&have, &wish, &e), -EBUSY);
		assert_non_null(strstr(e.text, all[i].word));
	}
	have.given = wish.given = 15;
	wish = have;
	assert_int_equal(nat_agree(&have, &wish, &e), 0);
}

static void bridge_names(void **state)
{
	(void)state;
	assert_true(nat_name_ok("vmwire0"));
	assert_true(nat_name_ok("a-b_c.d"));
	assert_false(nat_name_ok(""));
	assert_false(nat_name_ok("0a"));
	assert_false(nat_name_ok("a b"));
	assert_false(nat_name_ok("a/b"));
	assert_false(nat_name_ok("a\"b"));
	assert_false(nat_name_ok("a@1"));
	assert_false(nat_name_ok("sixteen-letters0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_free),	cmocka_unit_test(all_taken),
		cmocka_unit_test(given),	cmocka_unit_test(identity),
		cmocka_unit_test(reservations), cmocka_unit_test(names),
		cmocka_unit_test(agreement),	cmocka_unit_test(bridge_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
