/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses on a real kernel, in a namespace: what is read can be written elsewhere (row H2). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "netns.h"

static struct host_nl *nl;
static struct host_link a, b;

static int setup(void **state)
{
	struct err e = {0};

	(void)state;
	nl = host_nl_open(&e);
	if (!nl)
		return -1;
	netns_veth(nl, &a, &b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_link_del(nl, a.index, NULL);
	host_nl_close(nl);
	return 0;
}

static void ok(int rc, const struct err *e)
{
	if (rc < 0)
		fail_msg("%d %s", rc, e->text);
}

static void parse(void **state)
{
	static const char *const bad[] = {"",
					  "192.0.2.1",
					  "192.0.2.1/",
					  "192.0.2.1/33",
					  "192.0.2/24",
					  "192.0.2.1/x",
					  "192.0.2.1/24 ",
					  "fd00::1/129",
					  "192.0.2.1/-1"};
	struct host_addr x;
	struct err e = {0};

	(void)state;
	ok(host_addr_parse("192.0.2.1/24", &x, &e), &e);
	assert_int_equal(x.family, AF_INET);
	assert_int_equal(x.prefix, 24);
	assert_memory_equal(x.addr, "\xc0\x00\x02\x01", 4);
	ok(host_addr_parse("fd00::1/64", &x, &e), &e);
	assert_int_equal(x.family, AF_INET6);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.text[0] = 0;
		assert_int_equal(host_addr_parse(bad[i], &x, &e), -EINVAL);
		assert_non_null(strstr(e.text, "192.0.2.1/24"));
	}
}

/* Everything an address has comes back, and goes to another link. */
static void moves(void **state)
{
	struct host_addr x, *list = NULL;
	struct err e = {0};
	int n;

	(void)state;
	ok(host_addr_parse("192.0.2.1/24", &x, &e), &e);
	x.index = a.index;
	x.flags = IFA_F_NOPREFIXROUTE;
	x.priority = 77;
	x.preferred = 1000;
	x.valid = 2000;
	x.has_broadcast = true;
	memcpy(x.broadcast, "\xc0\x00\x02\xff", 4);
	strcpy(x.label, "a0:lbl");
	ok(host_addr_add(nl, &x, &e), &e);
	assert_int_equal(host_addr_add(nl, &x, &e), -EEXIST);
	for (int i = 0; i < 2; i++) {
		n = host_addrs(nl, i ? b.index : a.index, &list, &e);
		ok(n, &e);
		for (int k = 0; k < n && list[0].family != AF_INET; k++)
			list[0] = list[k];
		assert_int_equal(list[0].family, AF_INET);
		assert_memory_equal(list[0].addr, x.addr, 4);
		assert_memory_equal(list[0].broadcast, x.broadcast, 4);
		assert_int_equal(list[0].prefix, 24);
		assert_true(list[0].flags & IFA_F_NOPREFIXROUTE);
		assert_int_equal(list[0].priority, 77);
		assert_in_range(list[0].preferred, 990, 1000);
		assert_in_range(list[0].valid, 1990, 2000);
		assert_string_equal(list[0].label, i ? "b0:lbl" : "a0:lbl");
		if (!i) {
			x = list[0];
			ok(host_addr_del(nl, &x, &e), &e);
			assert_int_equal(host_addr_del(nl, &x, &e), -EADDRNOTAVAIL);
			x.index = b.index;
			strcpy(x.label, "b0:lbl");
			ok(host_addr_add(nl, &x, &e), &e);
		}
		free(list);
	}
}

static void ipv6(void **state)
{
	struct host_addr x, *list = NULL;
	struct err e = {0};
	int n, found = 0;

	(void)state;
	ok(host_addr_parse("fd00::7/64", &x, &e), &e);
	x.index = a.index;
	x.flags = IFA_F_NODAD;
	ok(host_addr_add(nl, &x, &e), &e);
	n = host_addrs(nl, 0, &list, &e);
	for (int i = 0; i < n; i++)
		if (list[i].family == AF_INET6 && !memcmp(list[i].addr, x.addr, 16)) {
			assert_int_equal(list[i].index, a.index);
			assert_int_equal(list[i].valid, UINT32_MAX);
			assert_false(list[i].flags & IFA_F_TENTATIVE);
			found++;
		}
	free(list);
	assert_int_equal(found, 1);
	ok(host_addr_del(nl, &x, &e), &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse),
		cmocka_unit_test_setup_teardown(moves, setup, teardown),
		cmocka_unit_test_setup_teardown(ipv6, setup, teardown),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
