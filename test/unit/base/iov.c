/* SPDX-License-Identifier: BSD-2-Clause */
/* iovec helpers against flat copies, over every split of a small buffer into pieces. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/iov.h"
#include "base/util.h"

#define LEN 12

/* Splits b by the bits of mask (bit i: a cut behind byte i), with an empty entry here and there. */
static unsigned split(uint8_t *b, unsigned mask, struct iovec *vec)
{
	unsigned n = 0, from = 0;

	for (unsigned i = 0; i < LEN; i++) {
		if (i + 1 < LEN && !(mask & 1u << i))
			continue;
		if (from % 3 == 1)
			vec[n++] = (struct iovec){NULL, 0};
		vec[n++] = (struct iovec){b + from, i + 1 - from};
		from = i + 1;
	}
	return n;
}

static void fill(uint8_t *b)
{
	for (unsigned i = 0; i < LEN; i++)
		b[i] = (uint8_t)(i + 1);
}

static void read_and_write(void **state)
{
	uint8_t b[LEN], out[LEN + 4], flat[LEN];
	struct iovec vec[2 * LEN];

	(void)state;
	for (unsigned mask = 0; mask < 1u << (LEN - 1); mask += 5) {
		unsigned n;

		fill(b);
		n = split(b, mask, vec);
		assert_int_equal(iov_size(vec, n), LEN);
		for (unsigned off = 0; off <= LEN + 2; off++) {
			unsigned there = off < LEN ? LEN - off : 0;

			fill(b);
			memset(out, 0, sizeof(out));
			assert_int_equal(iov_read(vec, n, off, out, LEN + 4), there);
			if (there)
				assert_memory_equal(out, b + off, there);
			fill(flat);
			memset(out, 0x77, sizeof(out));
			assert_int_equal(iov_write(vec, n, off, out, 3), MIN(there, 3u));
			for (unsigned i = off; i < off + 3 && i < LEN; i++)
				flat[i] = 0x77;
			assert_memory_equal(b, flat, LEN);
		}
	}
}

static void copy(void **state)
{
	uint8_t src[LEN], dst[LEN], flat[LEN];
	struct iovec sv[2 * LEN], dv[2 * LEN];

	(void)state;
	fill(src);
	for (unsigned mask = 0; mask < 1u << (LEN - 1); mask += 37) {
		unsigned ns = split(src, mask, sv), nd = split(dst, mask * 7 + 3, dv);

		for (unsigned so = 0; so < 5; so++) {
			for (unsigned d = 0; d < 5; d++) {
				memset(dst, 0, LEN);
				memset(flat, 0, LEN);
				memcpy(flat + d, src + so, 6);
				assert_int_equal(iov_copy(dv, nd, d, sv, ns, so, 6), 6);
				assert_memory_equal(dst, flat, LEN);
			}
		}
		assert_int_equal(iov_copy(dv, nd, 4, sv, ns, 2, 100), LEN - 4);
		assert_int_equal(iov_copy(dv, nd, 2, sv, ns, 4, 100), LEN - 4);
		assert_int_equal(iov_copy(dv, nd, LEN, sv, ns, 0, 1), 0);
	}
}

static void slice(void **state)
{
	uint8_t b[LEN], out[LEN];
	struct iovec vec[2 * LEN], part[2 * LEN];

	(void)state;
	fill(b);
	for (unsigned mask = 0; mask < 1u << (LEN - 1); mask += 5) {
		unsigned n = split(b, mask, vec);

		for (unsigned off = 0; off < LEN; off++) {
			size_t got = 99;
			unsigned k = iov_slice(vec, n, off, 5, part, 2 * LEN, &got);

			assert_int_equal(got, MIN(5u, LEN - off));
			assert_int_equal(iov_size(part, k), got);
			iov_read(part, k, 0, out, got);
			assert_memory_equal(out, b + off, got);
			for (unsigned i = 0; i < k; i++)
				assert_true(part[i].iov_len > 0);
		}
	}
	/* Room for one entry only. */
	unsigned n = split(b, 1, vec);
	size_t got;

	assert_int_equal(iov_slice(vec, n, 0, 5, part, 1, &got), 1);
	assert_int_equal(got, 1);
	assert_int_equal(iov_slice(vec, n, 0, 5, part, 0, &got), 0);
	assert_int_equal(got, 0);
	assert_int_equal(iov_slice(vec, n, LEN, 5, part, 4, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_and_write),
		cmocka_unit_test(copy),
		cmocka_unit_test(slice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
