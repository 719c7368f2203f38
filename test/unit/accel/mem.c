/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory: ranges at and across every edge, refusals, the shared file behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "accel/mem.h"

#define MIB (1ull << 20)

static void test_ptr(void **state)
{
	struct guest_mem m = {.fd = -1};
	struct err e = {0};

	(void)state;
	assert_null(mem_ptr(&m, 0, 1));
	assert_int_equal(mem_add(&m, 0, MIB, &e), 0);
	assert_int_equal(mem_add(&m, MIB, MIB, &e), 0);
	assert_int_equal(mem_add(&m, 4096 * MIB, 2 * MIB, &e), 0);
	uint8_t *low = mem_ptr(&m, 0, MIB);

	assert_non_null(low);
	assert_ptr_equal(mem_ptr(&m, 5, 1), low + 5);
	assert_ptr_equal(mem_ptr(&m, MIB - 1, 1), low + MIB - 1);
	assert_null(mem_ptr(&m, MIB - 1, 2)); /* two regions, even if neighbours */
	assert_null(mem_ptr(&m, 2 * MIB - 1, 2));
	assert_null(mem_ptr(&m, 2 * MIB, 0));
	assert_null(mem_ptr(&m, 2 * MIB, 1));
	assert_non_null(mem_ptr(&m, 4098 * MIB - 1, 1));
	assert_null(mem_ptr(&m, 4098 * MIB, 1));
	assert_null(mem_ptr(&m, 0, UINT64_MAX));
	assert_null(mem_ptr(&m, 4, UINT64_MAX - 2));
	assert_null(mem_ptr(&m, UINT64_MAX, 1));
	assert_null(mem_ptr(&m, UINT64_MAX - 3, 8));
	mem_free(&m);
	assert_null(mem_ptr(&m, 0, 1));
	assert_int_equal(m.fd, -1);
	mem_free(&m);
}

static void test_refused(void **state)
{
	struct guest_mem m = {.fd = -1};
	struct err e = {0};

	(void)state;
	assert_int_equal(mem_add(&m, 0, 0, &e), -EINVAL);
	assert_int_equal(mem_add(&m, 1, 4096, &e), -EINVAL);
	assert_int_equal(mem_add(&m, 0, 4095, &e), -EINVAL);
	assert_int_equal(mem_add(&m, UINT64_MAX - 4095, 8192, &e), -EINVAL);
	assert_non_null(strstr(e.text, "4096"));
	/* More than any machine has: refused, nothing left behind. */
	assert_true(mem_add(&m, 0, 1ull << 62, &e) < 0);
	assert_non_null(strstr(e.text, "-m"));
	assert_int_equal(m.fd, -1);
	assert_int_equal(mem_add(&m, 0, 8192, &e), 0);
	assert_true(mem_add(&m, 1ull << 50, 1ull << 62, &e) < 0);
	assert_int_equal(m.n, 1);
	assert_int_equal(mem_add(&m, 4096, 8192, &e), -EEXIST);
	assert_int_equal(mem_add(&m, 0, 4096, &e), -EEXIST);
	for (unsigned i = 1; i < MEM_REGIONS; i++)
		assert_int_equal(mem_add(&m, i * MIB, 4096, &e), 0);
	assert_int_equal(mem_add(&m, 100 * MIB, 4096, &e), -ENOSPC);
	mem_free(&m);
}

static void test_copy(void **state)
{
	struct guest_mem m = {.fd = -1};
	struct err e = {0};
	uint8_t buf[16] = {0};

	(void)state;
	assert_int_equal(mem_add(&m, 0x1000, 4096, &e), 0);
	assert_int_equal(mem_write(&m, 0x1ff8, "abcdefgh", 8), 0);
	assert_int_equal(mem_read(&m, 0x1ff8, buf, 8), 0);
	assert_memory_equal(buf, "abcdefgh", 8);
	assert_int_equal(mem_write(&m, 0x1ff9, "ABCDEFGH", 8), -EFAULT);
	assert_int_equal(mem_read(&m, 0xfff, buf, 2), -EFAULT);
	assert_memory_equal(mem_ptr(&m, 0x1ff8, 8), "abcdefgh", 8);
	mem_free(&m);
}

/* Another mapping of the file, as a vhost-user peer makes it, sees the same bytes. */
static void test_shared(void **state)
{
	struct guest_mem m = {.fd = -1};
	struct err e = {0};
	struct stat st;

	(void)state;
	assert_int_equal(mem_add(&m, 0, MIB, &e), 0);
	assert_int_equal(mem_add(&m, 16 * MIB, MIB, &e), 0);
	assert_int_equal(fstat(m.fd, &st), 0);
	assert_int_equal(st.st_size, 2 * MIB);
	assert_int_equal(st.st_blocks, 0); /* nothing was touched */
	assert_int_equal(m.r[1].fd_off, MIB);
	char *peer = mmap(NULL, 4096, PROT_READ, MAP_SHARED, m.fd, (off_t)m.r[1].fd_off);

	assert_ptr_not_equal(peer, MAP_FAILED);
	assert_int_equal(mem_write(&m, 16 * MIB, "seen", 5), 0);
	assert_string_equal(peer, "seen");
	munmap(peer, 4096);
	mem_free(&m);
}

static void test_huge_keeps_contents(void **state)
{
	struct guest_mem m = {.fd = -1};
	struct err e;

	(void)state;
	assert_int_equal(mem_add(&m, 0, 8u << 20, &e), 0);
	/* A block of the guest is a block of the host. */
	assert_int_equal((uintptr_t)m.r[0].host & ((2u << 20) - 1), 0);
	memset(m.r[0].host + (3u << 20), 0x5a, 3u << 20);
	mem_huge(&m, (1u << 20) + 5, 6u << 20);
	mem_huge(&m, 7u << 20, UINT64_MAX); /* wraps: nothing */
	mem_huge(&m, 1ull << 40, 4u << 20); /* outside: nothing */
	for (size_t i = 0; i < 8u << 20; i++)
		assert_int_equal(m.r[0].host[i], i >= 3u << 20 && i < 6u << 20 ? 0x5a : 0);
	mem_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ptr),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_huge_keeps_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
