/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM probe tells the truth on any machine: it succeeds fast, or its error names the
 * instruction that fails or what is missing, and the remedy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "accel/accel.h"
#include "base/util.h"

static void test_here(void **state)
{
	struct err e = {0};
	uint64_t t = clock_now(NULL);
	int rc = kvm_probe("/dev/kvm", &e);

	(void)state;
	t = clock_now(NULL) - t;
	print_message("probe: %s, %.1f ms\n", rc ? e.text : "KVM works", (double)t / 1e6);
	assert_true(t < 8 * NS_PER_S);
	assert_true(rc <= 0);
	if (!rc)
		return;
	assert_int_equal(rc, -e.code);
	assert_non_null(strstr(e.text, "/dev/kvm"));
	if (rc == -ENOTSUP) {
		assert_non_null(strstr(e.text, " at "));
		assert_non_null(strstr(e.text, "lab/run"));
	}
	/* The same answer twice. */
	struct err again = {0};

	assert_int_equal(kvm_probe(NULL, &again), rc);
	assert_string_equal(again.text, e.text);
}

static void test_no_device(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(kvm_probe("/nonexistent/kvm", &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent/kvm"));
	assert_non_null(strstr(e.text, "modprobe"));
	assert_non_null(strstr(e.text, "BIOS"));
	assert_int_equal(kvm_probe("/nonexistent/kvm", NULL), -ENOENT);
	assert_int_equal(kvm_probe("/dev/null", &e), -ENODEV);
}

static void test_leaves_nothing(void **state)
{
	unsigned n[2] = {0};

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (int fd = 0; fd < 256; fd++)
			n[round] += fcntl(fd, F_GETFD) >= 0;
		kvm_probe(NULL, NULL);
	}
	assert_int_equal(n[0], n[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_here),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
