/* SPDX-License-Identifier: BSD-2-Clause */
/* fw_cfg as firmware uses it, and as an attacker does: ports, directory, DMA. */
#include "machine/fw_cfg.h"

#include <stdio.h>

#include "pc_fixture.h"

#define DESC 0x1000u

static struct pc pc;
static struct guest_mem *mem = &pc.f.a.mem;
static struct fw_cfg *f;

static int setup(void **state)
{
	(void)state;
	if (pc_setup(&pc) || mem_add(mem, 0, 1 << 20, NULL))
		return -1;
	f = fw_cfg_new(&pc.b, mem, NULL);
	return f ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	fw_cfg_free(f);
	mem_free(mem);
	return pc_teardown(&pc);
}

static void pick(uint16_t key)
{
	pc_out(&pc, 0x510, key, 2);
}

static uint8_t next(void)
{
	return (uint8_t)pc_in(&pc, 0x511, 1);
}

static uint8_t *at(uint64_t gpa)
{
	return mem_ptr(mem, gpa, 1);
}

static void start(uint64_t desc)
{
	pc_out(&pc, 0x514, htobe32((uint32_t)(desc >> 32)), 4);
	pc_out(&pc, 0x518, htobe32((uint32_t)desc), 4);
}

/* One transfer; what became of the control word. */
static uint32_t dma(uint32_t control, uint32_t len, uint64_t addr)
{
	put_be32(at(DESC), control);
	put_be32(at(DESC + 4), len);
	put_be64(at(DESC + 8), addr);
	start(DESC);
	return get_be32(at(DESC));
}

static void signature_id_and_nothing(void **state)
{
	static const char sig[] = "QEMU", dma_sig[] = "QEMU CFG";

	(void)state;
	pick(0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(next(), sig[i]);
	assert_int_equal(next(), 0); /* behind the end */
	pick(1);
	assert_int_equal(next(), 3);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(pc_in(&pc, (uint16_t)(0x514 + i), 1), dma_sig[i]);
	assert_int_equal(pc_in(&pc, 0x514, 4), get_le32(dma_sig));
	static const uint16_t none[] = {0x02, 0x1f, 0x20, 0x3fff, 0x4000, 0x8000, 0xffff};

	for (unsigned i = 0; i < ARRAY_SIZE(none); i++) {
		pick(none[i]);
		assert_int_equal(next(), 0);
	}
}

static void files_are_in_the_directory(void **state)
{
	uint8_t e[64];

	(void)state;
	assert_int_equal(fw_cfg_file(f, "etc/one", "abc", 3, NULL), 0);
	assert_int_equal(fw_cfg_file(f, "etc/two", "", 0, NULL), 0);
	assert_int_equal(fw_cfg_file(f, "etc/one", "defgh", 5, NULL), 0);
	pick(0x19);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(next(), i == 3 ? 2 : 0);
	for (unsigned i = 0; i < 64; i++)
		e[i] = next();
	assert_int_equal(get_be32(e), 5);
	assert_int_equal(get_be16(e + 4), 0x20);
	assert_string_equal((char *)e + 8, "etc/one");
	for (unsigned i = 0; i < 64; i++)
		e[i] = next();
	assert_int_equal(get_be32(e), 0);
	assert_string_equal((char *)e + 8, "etc/two");
	pick(0x20);
	assert_int_equal(next(), 'd');
	fw_cfg_reset(f);
	assert_int_equal(next(), 'Q');
}

static void too_many_and_too_long(void **state)
{
	char name[64];
	struct err e;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[56] = 0;
	assert_int_equal(fw_cfg_file(f, name, "", 0, &e), -ENAMETOOLONG);
	name[55] = 0;
	assert_int_equal(fw_cfg_file(f, name, "", 0, &e), 0);
	for (unsigned i = 1; i < 128; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(fw_cfg_file(f, name, "x", 1, &e), 0);
	}
	assert_int_equal(fw_cfg_file(f, "one more", "", 0, &e), -ENOSPC);
	assert_int_equal(fw_cfg_file(f, "f127", "yy", 2, &e), 0);
	pick(0x20 + 127);
	assert_int_equal(next(), 'y');
}

static void dma_reads_skips_and_selects(void **state)
{
	(void)state;
	fw_cfg_file(f, "a", "0123456789", 10, NULL);
	memset(at(0x2000), 0xee, 32);
	assert_int_equal(dma(0x20 << 16 | 0x08 | 0x02, 4, 0x2000), 0);
	assert_memory_equal(at(0x2000), "0123\xee", 5);
	assert_int_equal(dma(0x04, 3, 0xdeadbeef00000000), 0); /* skip: the address is no matter */
	assert_int_equal(dma(0x02, 6, 0x2000), 0);	       /* three bytes, then zeros */
	assert_memory_equal(at(0x2000), "789\0\0\0\xee", 7);
	assert_int_equal(dma(0x02, 0, 0xffffffffffffffff), 0);
	assert_int_equal(dma(0x20 << 16 | 0x08, 5, 0x2000), 0); /* select alone */
	assert_int_equal(next(), '0');
	assert_memory_equal(at(0x2000), "789", 3);
}

static void dma_to_nowhere_is_an_error(void **state)
{
	static const struct {
		uint32_t len;
		uint64_t addr;
	} bad[] = {
		{1, 1 << 20},  {2, (1 << 20) - 1},   {UINT32_MAX, 0},
		{0x100001, 0}, {16, UINT64_MAX - 4}, {1, 0x4000000000},
	};

	(void)state;
	fw_cfg_file(f, "a", "0123456789", 10, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(dma(0x20 << 16 | 0x0a, bad[i].len, bad[i].addr), 1);
		assert_int_equal(*at((1 << 20) - 1), 0);
	}
	/* Nobody writes. */
	memset(at(0x2000), 'w', 4);
	assert_int_equal(dma(0x20 << 16 | 0x18, 4, 0x2000), 1);
	pick(0x20);
	assert_int_equal(next(), '0');
	/* The last byte of memory is one. */
	assert_int_equal(dma(0x20 << 16 | 0x0a, 1, (1 << 20) - 1), 0);
	assert_int_equal(*at((1 << 20) - 1), '0');
}

static void descriptors_where_there_is_no_memory(void **state)
{
	static const uint64_t bad[] = {(1 << 20) - 15, 1 << 20, UINT64_MAX, UINT64_MAX - 15,
				       1ull << 40};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		start(bad[i]);
	/* The upper half counts once. */
	put_be32(at(DESC), 0x02);
	put_be32(at(DESC + 4), 1);
	put_be64(at(DESC + 8), 0x2000);
	pick(0);
	pc_out(&pc, 0x518, htobe32(DESC), 4);
	assert_int_equal(*at(0x2000), 'Q');
	/* Odd widths do nothing. */
	put_be32(at(DESC), 0x02);
	pc_out(&pc, 0x518, 0, 1);
	pc_out(&pc, 0x51a, 0, 2);
	assert_int_equal(get_be32(at(DESC)), 0x02);
	/* A target that is the descriptor itself. */
	pick(0);
	assert_int_equal(dma(0x02, 16, DESC), 0);
	assert_int_equal(get_be32(at(DESC + 4)), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(signature_id_and_nothing),   T(files_are_in_the_directory),
		T(too_many_and_too_long),      T(dma_reads_skips_and_selects),
		T(dma_to_nowhere_is_an_error), T(descriptors_where_there_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
