/* SPDX-License-Identifier: BSD-2-Clause */
/* Error values: codes, texts, prefixes, cutting. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void set(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(err_set(&e, EINVAL, "a=%d", 7), -EINVAL);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(e.text, "a=7");
	assert_int_equal(err_set(NULL, EIO, "nobody hears"), -EIO);
}

static void prefix(void **state)
{
	struct err e = {0};

	(void)state;
	err_set(&e, ENOENT, "no file");
	assert_int_equal(err_prefix(&e, "-kernel %s", "x"), -ENOENT);
	assert_string_equal(e.text, "-kernel x: no file");
	assert_true(err_prefix(NULL, "x") < 0);
}

static void long_texts_are_cut(void **state)
{
	struct err e = {0};
	char big[2000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&e, EIO, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_int_equal(err_prefix(&e, "front"), -EIO);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_memory_equal(e.text, "front: x", 8);
	assert_int_equal(err_prefix(&e, "%s", big), -EIO);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set),
		cmocka_unit_test(prefix),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
