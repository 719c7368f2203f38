/* SPDX-License-Identifier: BSD-2-Clause */
/* The keyed hash: a published value, and that key and rounds matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sip.h"

/* SipHash-2-4 with the key 00 01 … 0f of the bytes 00 01 … 0f, from the authors' test vectors. */
static void test_vector(void **state)
{
	const uint64_t in[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	const uint64_t other[2] = {in[0], in[1] ^ 1};

	(void)state;
	assert_int_equal(sip_hash(in, in[0], in[1], 2, 4), 0x3f2acc7f57c29bdb);
	assert_int_not_equal(sip_hash(other, in[0], in[1], 2, 4), 0x3f2acc7f57c29bdb);
	assert_int_not_equal(sip_hash(in, in[0], in[1], 1, 3), 0x3f2acc7f57c29bdb);
	assert_int_not_equal(sip_hash(in, in[1], in[0], 2, 4), 0x3f2acc7f57c29bdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
