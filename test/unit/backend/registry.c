/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of backends: complete, without doubles, each usable by the option layer. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/backend/backend.h"

static void all_are_whole(void **state)
{
	const struct net_backend *const *b = net_backends();

	(void)state;
	for (; *b; b++) {
		assert_non_null((*b)->summary);
		assert_non_null((*b)->open);
		assert_non_null((*b)->opts);
		assert_string_equal((*b)->name, (*b)->opts->name);
		/* Found by its name, and not another of the same name. */
		assert_ptr_equal(net_backend_find((*b)->name), *b);
	}
}

static void known_and_unknown(void **state)
{
	(void)state;
	assert_non_null(net_backend_find("user"));
	assert_non_null(net_backend_find("tap"));
	assert_non_null(net_backend_find("dummy"));
	assert_null(net_backend_find("usr"));
	assert_null(net_backend_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_whole),
		cmocka_unit_test(known_and_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
