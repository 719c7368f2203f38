/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUs see: windows over the hole of RAM, RAM around it, nothing where neither is. */
#include "../bus/fake_accel.h"
#include "base/util.h"

#define HOLE 0xa0000ull

static struct fake f;
static uint8_t rom[8192];
static struct {
	unsigned calls, n;
	struct accel_window w;
	int rc;
} told;

static int on_window(struct accel *a, unsigned n, const struct accel_window *w, struct err *e)
{
	(void)a;
	told.calls++;
	told.n = n;
	told.w = *w;
	return told.rc ? err_set(e, -told.rc, "refused") : 0;
}

static int setup(void **state)
{
	static struct accel_ops ops;

	(void)state;
	fake_init(&f, false);
	ops = *f.a.ops;
	ops.window = on_window;
	f.a.ops = &ops;
	f.a.hole = HOLE;
	f.a.hole_size = 0x60000;
	memset(&told, 0, sizeof(told));
	return mem_add(&f.a.mem, 0, 2 << 20, NULL);
}

static int teardown(void **state)
{
	(void)state;
	mem_free(&f.a.mem);
	return 0;
}

static void cpus_see_windows_and_ram_around_the_hole(void **state)
{
	const struct accel_window w = {0xf0000, 8192, rom, true};

	(void)state;
	assert_null(accel_cpu_ptr(&f.a, 0xf0000, 1, false));
	assert_int_equal(accel_window(&f.a, 3, &w, NULL), 0);
	assert_ptr_equal(accel_cpu_ptr(&f.a, 0xf0010, 4, false), rom + 16);
	assert_null(accel_cpu_ptr(&f.a, 0xf0010, 4, true));  /* read-only */
	assert_null(accel_cpu_ptr(&f.a, 0xf1ffe, 4, false)); /* over its end */
	assert_null(accel_cpu_ptr(&f.a, HOLE, 1, false));
	assert_null(accel_cpu_ptr(&f.a, HOLE - 2, 4, false));
	assert_ptr_equal(accel_cpu_ptr(&f.a, HOLE - 4, 4, true), mem_ptr(&f.a.mem, HOLE - 4, 4));
	assert_ptr_equal(accel_cpu_ptr(&f.a, 1 << 20, 4, true), mem_ptr(&f.a.mem, 1 << 20, 4));
	assert_null(accel_cpu_ptr(&f.a, 0, UINT64_MAX, true));
	/* Devices see RAM. */
	assert_non_null(mem_ptr(&f.a.mem, 0xf0000, 4));
}

static void the_accelerator_hears_of_changes_only(void **state)
{
	struct accel_window w = {0xf0000, 4096, rom, true};

	(void)state;
	assert_int_equal(accel_window(&f.a, 3, &w, NULL), 0);
	assert_int_equal(accel_window(&f.a, 3, &w, NULL), 0);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.n, 3);
	assert_ptr_equal(told.w.host, rom);
	w.readonly = false;
	assert_int_equal(accel_window(&f.a, 3, &w, NULL), 0);
	assert_int_equal(accel_window(&f.a, 3, NULL, NULL), 0);
	assert_int_equal(told.calls, 3);
	assert_null(told.w.host);
	assert_null(accel_cpu_ptr(&f.a, 0xf0000, 1, false));
}

static void what_cannot_be_is_refused_and_changes_nothing(void **state)
{
	struct accel_window w = {0xf0000, 4096, rom, true}, over = {0xf0000, 8192, rom, false};
	struct accel_window odd = {0xf0010, 4096, rom, false}, wrap = {-4096ull, 8192, rom, false};
	struct err e;

	(void)state;
	assert_int_equal(accel_window(&f.a, 3, &w, &e), 0);
	assert_int_equal(accel_window(&f.a, 4, &over, &e), -EBUSY);
	assert_int_equal(accel_window(&f.a, 4, &odd, &e), -EINVAL);
	assert_int_equal(accel_window(&f.a, 4, &wrap, &e), -EINVAL);
	assert_int_equal(told.calls, 1);
	told.rc = -EIO;
	assert_int_equal(accel_window(&f.a, 3, NULL, &e), -EIO);
	assert_ptr_equal(accel_cpu_ptr(&f.a, 0xf0000, 1, false), rom);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(cpus_see_windows_and_ram_around_the_hole),
		T(the_accelerator_hears_of_changes_only),
		T(what_cannot_be_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
