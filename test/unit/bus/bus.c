/* SPDX-License-Identifier: BSD-2-Clause */
/* Dispatch: which region an access reaches, and in what pieces. */
#include "bus/bus.h"

#include "fake_accel.h"

struct log {
	unsigned n;
	struct {
		uint64_t off, val;
		unsigned size;
		bool write;
	} v[16];
};

static uint64_t log_read(void *opaque, uint64_t off, unsigned size)
{
	struct log *l = opaque;

	l->v[l->n].off = off;
	l->v[l->n].size = size;
	l->v[l->n++].write = false;
	return 0x8877665544332211ull >> 8 * (off & 7);
}

static void log_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct log *l = opaque;

	l->v[l->n].off = off;
	l->v[l->n].val = val;
	l->v[l->n].size = size;
	l->v[l->n++].write = true;
}

static const struct io_ops wide = {log_read, log_write, 0};
static const struct io_ops word = {log_read, log_write, 2};

static struct fake f;
static struct bus b;
static struct log l;

static int setup(void **state)
{
	(void)state;
	fake_init(&f, false);
	memset(&l, 0, sizeof(l));
	return bus_init(&b, &f.a, NULL);
}

static int teardown(void **state)
{
	(void)state;
	bus_exit(&b);
	return 0;
}

static void nothing_reads_as_ones(void **state)
{
	uint8_t d[8] = {0};

	(void)state;
	bus_pio(&b, 0x100, false, d, 4, 1);
	assert_int_equal(d[0] & d[1] & d[2] & d[3], 0xff);
	assert_int_equal(d[4], 0);
	bus_mmio(&b, 0xfffffffffffffffcull, false, d, 8);
	assert_int_equal(d[7], 0xff);
	bus_mmio(&b, 0x1000, true, d, 8);
}

static void regions_are_found_by_address(void **state)
{
	struct io_region r[20];
	uint8_t d[1];
	struct err e;

	(void)state;
	/* Added out of order: 7 is coprime to 20. */
	for (unsigned i = 0; i < 20; i++) {
		unsigned k = i * 7 % 20;

		r[k] = (struct io_region){0x1000 + k * 0x20, 0x10, &wide, &l, "r"};
		assert_int_equal(bus_add(&b, BUS_PIO, &r[k], &e), 0);
	}
	for (unsigned k = 0; k < 20; k++) {
		l.n = 0;
		bus_pio(&b, (uint16_t)(0x1000 + k * 0x20 + 0xf), false, d, 1, 1);
		assert_int_equal(l.n, 1);
		assert_int_equal(l.v[0].off, 0xf);
		bus_pio(&b, (uint16_t)(0x1000 + k * 0x20 + 0x10), false, d, 1, 1);
		assert_int_equal(l.n, 1);
	}
	bus_del(&b, BUS_PIO, &r[5]);
	bus_del(&b, BUS_PIO, &r[5]);
	l.n = 0;
	bus_pio(&b, 0x1000 + 5 * 0x20, false, d, 1, 1);
	assert_int_equal(l.n, 0);
	assert_int_equal(b.space[BUS_PIO].n, 19);
}

static void overlap_is_refused(void **state)
{
	struct io_region a = {0x100, 0x10, &wide, &l, "first"};
	struct io_region cases[] = {
		{0x100, 0x10, &wide, &l, "same"}, {0xff, 2, &wide, &l, "head"},
		{0x10f, 1, &wide, &l, "tail"},	  {0x0, 0x1000, &wide, &l, "around"},
		{0x104, 4, &wide, &l, "inside"},
	};
	struct err e;

	(void)state;
	assert_int_equal(bus_add(&b, BUS_PIO, &a, &e), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(bus_add(&b, BUS_PIO, &cases[i], &e), -EBUSY);
		assert_non_null(strstr(e.text, "first"));
	}
	/* The other space is another world. */
	assert_int_equal(bus_add(&b, BUS_MMIO, &cases[0], &e), 0);
}

static void impossible_ranges_are_refused(void **state)
{
	struct io_region none = {0x100, 0, &wide, &l, "none"};
	struct io_region high = {0xffff, 2, &wide, &l, "high"};
	struct io_region wrap = {UINT64_MAX, 2, &wide, &l, "wrap"};
	struct io_region last = {UINT64_MAX, 1, &wide, &l, "last"};
	uint8_t d[1] = {0};
	struct err e;

	(void)state;
	assert_int_equal(bus_add(&b, BUS_PIO, &none, &e), -EINVAL);
	assert_int_equal(bus_add(&b, BUS_PIO, &high, &e), -EINVAL);
	assert_int_equal(bus_add(&b, BUS_MMIO, &wrap, &e), -EINVAL);
	assert_int_equal(bus_add(&b, BUS_MMIO, &last, &e), 0);
	bus_mmio(&b, UINT64_MAX, true, d, 1);
	assert_int_equal(l.n, 1);
}

static void wide_accesses_are_split(void **state)
{
	struct io_region r = {0x1000, 0x100, &word, &l, "word"};
	uint8_t d[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	(void)state;
	assert_int_equal(bus_add(&b, BUS_MMIO, &r, NULL), 0);
	bus_mmio(&b, 0x1000, true, d, 8);
	assert_int_equal(l.n, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(l.v[i].off, 2 * i);
		assert_int_equal(l.v[i].size, 2);
	}
	assert_int_equal(l.v[3].val, 0x0807);
	memset(d, 0, 8);
	bus_mmio(&b, 0x1000, false, d, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(d[i], 0x11 * (i + 1));
}

static void unaligned_accesses_are_split_at_alignment(void **state)
{
	struct io_region r = {0x1000, 0x100, &wide, &l, "wide"};
	uint8_t d[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	(void)state;
	assert_int_equal(bus_add(&b, BUS_MMIO, &r, NULL), 0);
	bus_mmio(&b, 0x1003, true, d, 7);
	assert_int_equal(l.n, 3); /* 1 at 3, 4 at 4, 2 at 8 */
	assert_int_equal(l.v[0].size, 1);
	assert_int_equal(l.v[1].off, 4);
	assert_int_equal(l.v[1].size, 4);
	assert_int_equal(l.v[1].val, 0x05040302);
	assert_int_equal(l.v[2].size, 2);
}

static void straddling_accesses_come_as_bytes(void **state)
{
	struct io_region r = {0x1000, 6, &wide, &l, "a"}, s = {0x1007, 1, &wide, &l, "b"};
	uint8_t d[8] = {0};

	(void)state;
	assert_int_equal(bus_add(&b, BUS_MMIO, &r, NULL), 0);
	assert_int_equal(bus_add(&b, BUS_MMIO, &s, NULL), 0);
	bus_mmio(&b, 0x1004, false, d, 4);
	assert_int_equal(l.n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(l.v[i].size, 1);
	assert_int_equal(l.v[2].off, 0);
	assert_int_equal(d[0], 0x55);
	assert_int_equal(d[1], 0x66);
	assert_int_equal(d[2], 0xff); /* the gap */
	assert_int_equal(d[3], 0x11);
}

static void string_instructions_repeat_at_one_port(void **state)
{
	struct io_region r = {0x10, 4, &wide, &l, "port"};
	uint8_t d[6] = {1, 2, 3, 4, 5, 6};

	(void)state;
	assert_int_equal(bus_add(&b, BUS_PIO, &r, NULL), 0);
	bus_pio(&b, 0x10, true, d, 2, 3);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.v[2].off, 0);
	assert_int_equal(l.v[2].val, 0x0605);
}

static struct io_region moving = {0x20, 4, &wide, &l, "moving"};

static void move(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	(void)opaque;
	(void)off;
	(void)val;
	(void)size;
	bus_del(&b, BUS_PIO, &moving);
	moving.base += 0x10;
	assert_int_equal(bus_add(&b, BUS_PIO, &moving, NULL), 0);
}

static void handlers_may_change_the_map(void **state)
{
	static const struct io_ops mover = {NULL, move, 1};
	struct io_region r = {0x10, 4, &mover, NULL, "mover"};
	uint8_t d[4] = {0};

	(void)state;
	moving.base = 0x20;
	assert_int_equal(bus_add(&b, BUS_PIO, &r, NULL), 0);
	assert_int_equal(bus_add(&b, BUS_PIO, &moving, NULL), 0);
	bus_pio(&b, 0x10, true, d, 4, 1);
	assert_int_equal(moving.base, 0x60);
	/* A handler that is not there reads as ones. */
	bus_pio(&b, 0x10, false, d, 1, 1);
	assert_int_equal(d[0], 0xff);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nothing_reads_as_ones),
		T(regions_are_found_by_address),
		T(overlap_is_refused),
		T(impossible_ranges_are_refused),
		T(wide_accesses_are_split),
		T(unaligned_accesses_are_split_at_alignment),
		T(straddling_accesses_come_as_bytes),
		T(string_instructions_repeat_at_one_port),
		T(handlers_may_change_the_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
