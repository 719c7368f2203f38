/* SPDX-License-Identifier: BSD-2-Clause */
/* A rate limit on a link: the kernel takes it, changes it, and names what is wrong. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "netns.h"

static void shape(void **state)
{
	struct err e = {0};
	struct host_nl *nl = host_nl_open(&e);
	struct host_link a, b;

	(void)state;
	netns_veth(nl, &a, &b);
	if (host_link_shape(nl, a.index, 1250000, 65536, &e))
		fail_msg("%s", e.text);
	assert_int_equal(host_link_shape(nl, a.index, 50000000000ull, 1 << 30, &e), 0);
	assert_true(host_link_shape(nl, 9999, 1250000, 65536, &e) < 0);
	assert_non_null(strstr(e.text, "9999"));
	host_nl_close(nl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(shape)};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
