/* SPDX-License-Identifier: BSD-2-Clause */
/* The host bridge: what a CPU finds below 1 MiB as its registers say, for each segment. */
#include <stdlib.h>

#include "pc_fixture.h"

#define ROM_SIZE 0x40000u
#define RAM_BYTE 0x11
#define ROM_BYTE 0x22

static struct pc pc;
static struct isa_irqs irqs;
static struct pci_bus *pci;
static struct i440fx *host;
static uint8_t *rom;

static int setup(void **state)
{
	(void)state;
	if (pc_setup(&pc) || mem_add(&pc.f.a.mem, 0, 2 << 20, NULL))
		return -1;
	pc.f.a.hole = 0xa0000;
	pc.f.a.hole_size = 0x60000;
	memset(mem_ptr(&pc.f.a.mem, 0, 2 << 20), RAM_BYTE, 2 << 20);
	rom = aligned_alloc(4096, ROM_SIZE);
	memset(rom, ROM_BYTE, ROM_SIZE);
	isa_irqs_init(&irqs, &pc.f.a);
	pci = pci_bus_new(&pc.b, isa_irqs_pirq, &irqs, NULL);
	host = i440fx_add(pci, &pc.f.a, &(struct pc_rom){rom, ROM_SIZE}, NULL);
	return host ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	pci_bus_free(pci);
	isa_irqs_exit(&irqs);
	mem_free(&pc.f.a.mem);
	free(rom);
	return pc_teardown(&pc);
}

static void set(unsigned reg, uint8_t v)
{
	pc_out(&pc, 0xcf8, 0x80000000 | (reg & ~3u), 4);
	pc_out(&pc, (uint16_t)(0xcfc + (reg & 3)), v, 1);
}

static uint8_t get(unsigned reg)
{
	pc_out(&pc, 0xcf8, 0x80000000 | (reg & ~3u), 4);
	return (uint8_t)pc_in(&pc, (uint16_t)(0xcfc + (reg & 3)), 1);
}

/* As a CPU reads and writes a byte. */
static uint8_t load(uint64_t gpa)
{
	const uint8_t *p = accel_cpu_ptr(&pc.f.a, gpa, 1, false);
	uint8_t v = 0;

	if (p)
		return *p;
	bus_mmio(&pc.b, gpa, false, &v, 1);
	return v;
}

static void store(uint64_t gpa, uint8_t v)
{
	uint8_t *p = accel_cpu_ptr(&pc.f.a, gpa, 1, true);

	if (p)
		*p = v;
	else
		bus_mmio(&pc.b, gpa, true, &v, 1);
}

static uint8_t ram(uint64_t gpa)
{
	return *(uint8_t *)mem_ptr(&pc.f.a.mem, gpa, 1);
}

static void power_on_shows_the_rom(void **state)
{
	(void)state;
	assert_int_equal(load(0xffff0), ROM_BYTE);
	assert_int_equal(load(0xe0000), ROM_BYTE);
	assert_int_equal(load(0xdffff), 0xff); /* no more of it than 128 KiB */
	assert_int_equal(load(0xc0000), 0xff);
	assert_int_equal(load(0xa0000), 0xff);
	assert_int_equal(load(0x9ffff), RAM_BYTE);
	assert_int_equal(load(0x100000), RAM_BYTE);
	assert_int_equal(load(0xfffffff0), ROM_BYTE);
	assert_ptr_equal(accel_cpu_ptr(&pc.f.a, 0x100000000ull - ROM_SIZE, 1, false), rom);
	store(0xffff0, 5);
	store(0xfffffff0, 5);
	store(0xc0000, 5);
	assert_int_equal(rom[ROM_SIZE - 16], ROM_BYTE);
	assert_int_equal(ram(0xffff0), RAM_BYTE);
	assert_int_equal(ram(0xc0000), RAM_BYTE);
	/* Its end is below 1 MiB. */
	rom[ROM_SIZE - 1] = 7;
	assert_int_equal(load(0xfffff), 7);
}

/* Segment, its register and which half of it. */
static const struct {
	uint64_t gpa, size;
	unsigned reg, shift;
} seg[] = {
	{0xc0000, 0x4000, 0x5a, 0},  {0xc4000, 0x4000, 0x5a, 4}, {0xc8000, 0x4000, 0x5b, 0},
	{0xcc000, 0x4000, 0x5b, 4},  {0xd0000, 0x4000, 0x5c, 0}, {0xd4000, 0x4000, 0x5c, 4},
	{0xd8000, 0x4000, 0x5d, 0},  {0xdc000, 0x4000, 0x5d, 4}, {0xe0000, 0x4000, 0x5e, 0},
	{0xe4000, 0x4000, 0x5e, 4},  {0xe8000, 0x4000, 0x5f, 0}, {0xec000, 0x4000, 0x5f, 4},
	{0xf0000, 0x10000, 0x59, 4},
};

static void each_segment_has_four_ways(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(seg); i++) {
		uint64_t first = seg[i].gpa, last = first + seg[i].size - 1;
		uint8_t pci_byte = first < 0xe0000 ? 0xff : ROM_BYTE;

		for (unsigned mode = 0; mode < 4; mode++) {
			uint8_t want = mode & 1 ? RAM_BYTE : pci_byte;

			memset(mem_ptr(&pc.f.a.mem, first, seg[i].size), RAM_BYTE, seg[i].size);
			set(seg[i].reg, (uint8_t)(mode << seg[i].shift));
			assert_int_equal(load(first), want);
			assert_int_equal(load(last), want);
			/* The neighbours stay as they are. */
			assert_int_equal(load(first - 1), first <= 0xe0000 ? 0xff : ROM_BYTE);
			store(first, 0x33);
			store(last, 0x33);
			assert_int_equal(ram(first), mode & 2 ? 0x33 : RAM_BYTE);
			assert_int_equal(ram(last), mode & 2 ? 0x33 : RAM_BYTE);
			assert_int_equal(load(first), mode == 3 ? 0x33 : want);
		}
		set(seg[i].reg, 0);
	}
	for (unsigned i = 0; i < ROM_SIZE; i++)
		assert_int_equal(rom[i], ROM_BYTE);
}

static void reset_shows_the_rom_again(void **state)
{
	(void)state;
	set(0x59, 0x30);
	store(0xffff0, 9);
	assert_int_equal(load(0xffff0), 9);
	pci_bus_reset(pci);
	assert_int_equal(load(0xffff0), ROM_BYTE);
	assert_int_equal(get(0x59), 0);
	i440fx_all_ram(host);
	assert_int_equal(load(0xffff0), 9);
	assert_int_equal(load(0xc0000), RAM_BYTE);
	store(0xc0000, 8);
	assert_int_equal(load(0xc0000), 8);
}

static void smram_opens_the_display_memory(void **state)
{
	(void)state;
	assert_int_equal(get(0x72), 0x02);
	set(0x72, 0x48);
	assert_int_equal(load(0xa0000), RAM_BYTE);
	assert_int_equal(load(0xbffff), RAM_BYTE);
	set(0x72, 0x68); /* closed */
	assert_int_equal(load(0xa0000), 0xff);
	set(0x72, 0x40); /* not enabled */
	assert_int_equal(load(0xa0000), 0xff);
	set(0x72, 0x58); /* locked: and so not open */
	assert_int_equal(load(0xa0000), 0xff);
	set(0x72, 0x48);
	assert_int_equal(load(0xa0000), 0xff);
	assert_int_equal(get(0x72), 0x1a);
	pci_bus_reset(pci);
	assert_int_equal(get(0x72), 0x02);
	set(0x72, 0x48);
	assert_int_equal(load(0xa0000), RAM_BYTE);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(power_on_shows_the_rom),
		T(each_segment_has_four_ways),
		T(reset_shows_the_rom_again),
		T(smram_opens_the_display_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
