/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables as an operating system finds them, put there by us or by firmware: signatures,
 * checksums, pointers, contents. Also of acpi_loader.c. */
#include "machine/acpi.h"

#include "machine/fw_cfg.h"
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
	struct acpi *a = acpi_new(cpus, false, NULL);
	uint64_t rsdp = 0;
	const uint8_t *r;

	assert_non_null(a);
	assert_int_equal(acpi_place(a, &mem, &rsdp, NULL), 0);
	acpi_free(a);
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
	assert_int_equal(get_le16(f + 46), 9);	  /* SCI */
	assert_int_equal(get_le32(f + 48), 0xb2); /* SMI command, and what it takes */
	assert_int_equal(f[52], 0xf1);
	assert_int_equal(f[53], 0xf0);
	assert_int_equal(get_le32(f + 56), 0x600);
	assert_int_equal(get_le64(f + 120), 0xcf9); /* reset register … */
	assert_int_equal(f[128], 6);		    /* … and value */
	assert_true(get_le32(f + 112) & 1 << 10);
	assert_false(get_le32(f + 112) & 1 << 4);   /* fixed power button */
	assert_int_equal(get_le16(f + 109) & 6, 6); /* an 8042, no VGA */
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
	struct acpi *a = acpi_new(1, false, NULL);
	uint64_t rsdp;
	struct err e;

	(void)state;
	assert_int_equal(mem_add(&small, 0, 0xe0000, &e), 0);
	assert_int_equal(acpi_place(a, &small, &rsdp, &e), -EINVAL);
	acpi_free(a);
	mem_free(&small);
}

/* --- as firmware does it -------------------------------------------------------------------- */

static struct pc pc;

/* A file of fw_cfg, read by the ports, into memory at gpa; its length. */
static uint32_t read_file(const char *name, uint64_t gpa)
{
	uint8_t entry[64];
	uint32_t n = 0;

	pc_out(&pc, 0x510, 0x19, 2);
	for (unsigned i = 0; i < 4; i++)
		n = n << 8 | pc_in(&pc, 0x511, 1);
	while (n--) {
		for (unsigned i = 0; i < 64; i++)
			entry[i] = (uint8_t)pc_in(&pc, 0x511, 1);
		if (strcmp((char *)entry + 8, name) != 0)
			continue;
		uint8_t *to = mem_ptr(&mem, gpa, get_be32(entry));

		assert_non_null(to);
		pc_out(&pc, 0x510, get_be16(entry + 4), 2);
		for (uint32_t i = 0; i < get_be32(entry); i++)
			to[i] = (uint8_t)pc_in(&pc, 0x511, 1);
		return get_be32(entry);
	}
	fail_msg("no file %s", name);
	return 0;
}

#define HIGH 0x180000u
#define FSEG 0xf6000u

static uint8_t *file_at(const uint8_t *name, uint64_t *gpa)
{
	*gpa = strcmp((const char *)name, "etc/acpi/rsdp") ? HIGH : FSEG;
	if (*gpa == HIGH)
		assert_string_equal((const char *)name, "etc/acpi/tables");
	return mem_ptr(&mem, *gpa, 1);
}

static void obey(const uint8_t *o)
{
	uint64_t at, to;
	uint8_t *base = file_at(o + 4, &at), *p;

	switch (get_le32(o)) {
	case 1:
		assert_int_equal(get_le32(o + 60), at == HIGH ? 64 : 16);
		assert_int_equal(o[64], at == HIGH ? 1 : 2);
		read_file((const char *)o + 4, at);
		break;
	case 2:
		(void)file_at(o + 60, &to);
		p = base + get_le32(o + 116);
		put_le(p, get_le(p, o[120]) + to, o[120]);
		break;
	case 3:
		p = base + get_le32(o + 60);
		*p = (uint8_t)(*p - sum(base + get_le32(o + 64), get_le32(o + 68)));
		break;
	default:
		fail_msg("order %u", get_le32(o));
	}
}

static void firmware_is_told_to_do_the_same(void **state)
{
	struct acpi *a = acpi_new(3, false, NULL);
	const uint8_t *r, *fadt, *orders = mem_ptr(&mem, 0x1000, 0x8000);
	struct fw_cfg *f;
	uint32_t len;

	(void)state;
	assert_int_equal(pc_setup(&pc), 0);
	f = fw_cfg_new(&pc.b, &mem, NULL);
	assert_non_null(f);
	assert_int_equal(acpi_publish(a, f, NULL), 0);
	len = read_file("etc/table-loader", 0x1000);
	assert_true(len && len % 128 == 0);
	for (uint32_t i = 0; i < len; i += 128)
		obey(orders + i);
	r = mem_ptr(&mem, FSEG, 36);
	assert_memory_equal(r, "RSD PTR ", 8);
	assert_int_equal(sum(r, 20), 0);
	assert_int_equal(sum(r, 36), 0);
	table(get_le32(r + 16), "RSDT");
	fadt = table(get_le64(table(get_le64(r + 24), "XSDT") + 36), "FACP");
	table(get_le64(table(get_le64(r + 24), "XSDT") + 44), "APIC");
	table(get_le32(fadt + 40), "DSDT");
	assert_memory_equal(mem_ptr(&mem, get_le64(fadt + 132), 64), "FACS", 4);
	fw_cfg_free(f);
	acpi_free(a);
	assert_int_equal(pc_teardown(&pc), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(tables_hang_together),
		T(fadt_says_what_is_there),
		T(madt_lists_the_cpus),
		T(too_little_memory_is_an_error),
		T(firmware_is_told_to_do_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
