/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum against a byte-at-a-time reference and the example of RFC 1071. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/csum.h"
#include "base/util.h"

static uint16_t ref(const uint8_t *b, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? b[i] : (uint64_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The value as a person reads it off the wire. */
static uint16_t wire(uint32_t sum)
{
	return be16toh(csum_fold(sum));
}

static void rfc1071(void **state)
{
	static const uint8_t b[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(wire(csum_add(0, b, sizeof(b))), 0xffff - 0xddf2);
}

static void any_length_and_alignment(void **state)
{
	uint8_t b[300];

	(void)state;
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(0xff - i * 7);
	for (size_t off = 0; off < 8; off++)
		for (size_t n = 0; n + off <= sizeof(b); n++)
			assert_int_equal(wire(csum_add(0, b + off, n)), ref(b + off, n));
}

static void large_and_full_of_carries(void **state)
{
	const size_t n = 9u << 20;
	uint8_t *b = malloc(n);

	(void)state;
	memset(b, 0xff, n);
	assert_int_equal(wire(csum_add(0, b, n)), ref(b, n));
	assert_int_equal(wire(csum_add(0xffffffff, b, 65535)), ref(b, 65535));
	b[12345] = 3;
	assert_int_equal(wire(csum_add(0, b, n - 1)), ref(b, n - 1));
	free(b);
}

static void pieces_of_any_length(void **state)
{
	uint8_t b[64];
	struct iovec vec[66];

	(void)state;
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i * 91 + 17);
	for (size_t step = 1; step < 20; step++) {
		unsigned n = 0;

		for (size_t at = 0; at < sizeof(b); at += step) {
			vec[n++] = (struct iovec){b + at, MIN(step, sizeof(b) - at)};
			if (n == 3)
				vec[n++] = (struct iovec){NULL, 0};
		}
		for (size_t off = 0; off < sizeof(b); off++)
			for (size_t len = 0; off + len <= sizeof(b); len += 3)
				assert_int_equal(wire(csum_add_iov(0, vec, n, off, len)),
						 ref(b + off, len));
	}
}

static void add16(void **state)
{
	static const uint8_t b[] = {0x12, 0x34, 0xff, 0xff, 0xab, 0xcd};

	(void)state;
	assert_int_equal(csum_fold(csum_add16(csum_add16(csum_add16(0, 0x1234), 0xffff), 0xabcd)),
			 csum_fold(csum_add(0, b, sizeof(b))));
	/* The carry out of the top bit comes round. */
	assert_int_equal(wire(csum_add16(0xffffffff, 0x0100)), ref(b, 0) - 0x0100);
	assert_int_equal((uint16_t)~csum_fold(0x12345), csum_fold_raw(0x12345));
}

static void pseudo_headers(void **state)
{
	uint8_t p4[12] = {10, 0, 2, 15, 192, 168, 255, 254, 0, 6, 0xfe, 0xdc};
	uint8_t p6[40];
	uint32_t src, dst;

	(void)state;
	memcpy(&src, p4, 4);
	memcpy(&dst, p4 + 4, 4);
	assert_int_equal(wire(csum_pseudo4(src, dst, 6, 0xfedc)), ref(p4, sizeof(p4)));
	for (unsigned i = 0; i < 32; i++)
		p6[i] = (uint8_t)(0xf0 + i);
	put_be32(p6 + 32, 0x12345);
	put_be32(p6 + 36, 17);
	assert_int_equal(wire(csum_pseudo6(p6, p6 + 16, 17, 0x12345)), ref(p6, sizeof(p6)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1071),
		cmocka_unit_test(any_length_and_alignment),
		cmocka_unit_test(large_and_full_of_carries),
		cmocka_unit_test(pieces_of_any_length),
		cmocka_unit_test(add16),
		cmocka_unit_test(pseudo_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
