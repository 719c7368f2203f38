/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables as an operating system finds them: signatures, checksums, pointers, contents. */
#include "pc_fixture.h"

static struct guest_mem mem = {.fd = -1};

static int setup(void **state)
{
	(void)state;
	return mem_add(&mem, 0, 2 << 20, NULL);
}

static int teardown(void **state)
{
	(void)state;
	mem_free(&mem);
	mem = (struct guest_mem){.fd = -1};
	return 0;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *table(uint64_t gpa, const char *sig)
{
	const uint8_t *t = mem_ptr(&mem, gpa, 36);

	assert_non_null(t);
	assert_memory_equal(t, sig, 4);
	assert_non_null(mem_ptr(&mem, gpa, get_le32(t + 4)));
	assert_int_equal(sum(t, get_le32(t + 4)), 0);
	return t;
}

static const uint8_t *build(unsigned cpus)
{
	uint64_t rsdp = 0;
	const uint8_t *r;

	assert_int_equal(acpi_build(&mem, cpus, &rsdp, NULL), 0);
	assert_true(rsdp >= 0xe0000 && rsdp < 0x100000 && rsdp % 16 == 0);
	r = mem_ptr(&mem, rsdp, 36);
	assert_memory_equal(r, "RSD PTR ", 8);
	assert_int_equal(sum(r, 20), 0);
	assert_int_equal(sum(r, 36), 0);
	return r;
}

static void tables_hang_together(void **state)
{
	const uint8_t *r = build(1), *rsdt, *xsdt, *fadt, *facs;

	(void)state;
	rsdt = table(get_le32(r + 16), "RSDT");
	xsdt = table(get_le64(r + 24), "XSDT");
	assert_int_equal(get_le32(rsdt + 36), get_le64(xsdt + 36));
	assert_int_equal(get_le32(rsdt + 40), get_le64(xsdt + 44));
	fadt = table(get_le64(xsdt + 36), "FACP");
	table(get_le64(xsdt + 44), "APIC");
	table(get_le32(fadt + 40), "DSDT");
	assert_int_equal(get_le32(fadt + 40), get_le64(fadt + 140));
	facs = mem_ptr(&mem, get_le32(fadt + 36), 64);
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(get_le32(fadt + 36) % 64, 0);
}

static void fadt_says_what_is_there(void **state)
{
	const uint8_t *r = build(1),
		      *f = table(get_le64(table(get_le64(r + 24), "XSDT") + 36), "FACP");

	(void)state;
	assert_true(f[8] >= 3);
	assert_int_equal(get_le16(f + 46), 9); /* SCI */
	assert_int_equal(get_le32(f + 48), 0); /* no SMI command: ACPI mode from the start */
	assert_int_equal(get_le32(f + 56), 0x600);
	assert_int_equal(get_le64(f + 120), 0xcf9); /* reset register … */
	assert_int_equal(f[128], 6);		    /* … and value */
	assert_true(get_le32(f + 112) & 1 << 10);
	assert_false(get_le32(f + 112) & 1 << 4); /* fixed power button */
	assert_false(get_le16(f + 109) & 2);	  /* no 8042 */
}

static void madt_lists_the_cpus(void **state)
{
	static const unsigned counts[] = {1, 2, 255};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		const uint8_t *r = build(counts[i]);
		const uint8_t *m = table(get_le64(table(get_le64(r + 24), "XSDT") + 44), "APIC");
		unsigned cpus = 0, ioapics = 0, sci = 0;
		uint32_t len = get_le32(m + 4);

		for (uint32_t off = 44; off < len; off += m[off + 1]) {
			const uint8_t *e = m + off;

			assert_true(e[1] >= 2 && off + e[1] <= len);
			if (e[0] == 0)
				assert_int_equal(e[3], cpus++);
			ioapics += e[0] == 1;
			if (e[0] == 2 && e[3] == 9)
				sci = get_le16(e + 8);
		}
		assert_int_equal(cpus, counts[i]);
		assert_int_equal(ioapics, 1);
		assert_int_equal(sci, 0x0d); /* level, active high */
	}
}

static void too_little_memory_is_an_error(void **state)
{
	struct guest_mem small = {.fd = -1};
	uint64_t rsdp;
	struct err e;

	(void)state;
	assert_int_equal(mem_add(&small, 0, 0xe0000, &e), 0);
	assert_int_equal(acpi_build(&small, 1, &rsdp, &e), -EINVAL);
	mem_free(&small);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(tables_hang_together),
		T(fadt_says_what_is_there),
		T(madt_lists_the_cpus),
		T(too_little_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
