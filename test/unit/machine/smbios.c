/* SPDX-License-Identifier: BSD-2-Clause */
/* SMBIOS tables as a system finds them: anchor, structures, texts. */
#include "machine/smbios.h"

#include "pc_fixture.h"

#define AT 0xf0000u

static struct guest_mem mem = {.fd = -1};
static const uint8_t uuid[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static int setup(void **state)
{
	(void)state;
	return mem_add(&mem, 0, 1 << 20, NULL);
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

/* Text n of a structure, or "". */
static const char *text(const uint8_t *p, unsigned n)
{
	const char *t = (const char *)p + p[1];

	for (; n > 1 && *t; n--)
		t += strlen(t) + 1;
	return n ? t : "";
}

static const uint8_t *next(const uint8_t *p)
{
	p += p[1];
	while (p[0] || p[1])
		p++;
	return p + 2;
}

/* Makes them and walks them all: they end where the anchor says, and handles differ. */
static void make(const struct smbios_conf *c, unsigned cpus, uint64_t ram, bool bios)
{
	const uint8_t *a = mem_ptr(&mem, AT, 31), *p, *end;
	uint16_t n = 0, longest = 0, last = 0;
	struct smbios s;

	assert_int_equal(smbios_make(&s, c, cpus, ram, uuid, bios, NULL), 0);
	assert_int_equal(smbios_place(&s, &mem, AT, 0x10000, NULL), 0);
	smbios_free(&s);
	assert_memory_equal(a, "_SM_", 4);
	assert_memory_equal(a + 16, "_DMI_", 5);
	assert_int_equal(sum(a, 31), 0);
	assert_int_equal(sum(a + 16, 15), 0);
	p = mem_ptr(&mem, get_le32(a + 24), get_le16(a + 22));
	assert_non_null(p);
	for (end = p + get_le16(a + 22); p < end; n++) {
		const uint8_t *to = next(p);

		assert_true(!n || get_le16(p + 2) > last);
		last = get_le16(p + 2);
		longest = (uint16_t)MAX(longest, to - p);
		p = to;
	}
	assert_ptr_equal(p, end);
	assert_int_equal(n, get_le16(a + 28));
	assert_int_equal(longest, get_le16(a + 8));
}

/* Structure number n of a type, NULL: there are not so many. */
static const uint8_t *find(uint8_t type, unsigned n)
{
	const uint8_t *a = mem_ptr(&mem, AT, 31), *p = mem_ptr(&mem, get_le32(a + 24), 4);

	for (unsigned i = 0; i < get_le16(a + 28); i++, p = next(p))
		if (p[0] == type && !n--)
			return p;
	return NULL;
}

static void nothing_given(void **state)
{
	const struct smbios_conf c = {0};
	const uint8_t *p;

	(void)state;
	make(&c, 2, 5ull << 30, false);
	assert_null(find(0, 0)); /* the firmware has its own */
	assert_null(find(2, 0));
	assert_null(find(11, 0));
	p = find(1, 0);
	assert_string_equal(text(p, p[4]), "vmwire");
	assert_int_equal(p[7], 0); /* no serial number */
	assert_memory_equal(p + 8, "\3\2\1\0\5\4\7\6\10\11\12\13\14\15\16\17", 16);
	assert_non_null(find(3, 0));
	assert_non_null(find(4, 1));
	assert_null(find(4, 2));
	assert_int_equal(get_le16(find(17, 0) + 0x0c), 5 << 10);
	assert_int_equal(get_le32(find(19, 0) + 8), (0xc0000000u >> 10) - 1);
	assert_int_equal(get_le32(find(19, 1) + 4), 1 << 22);
	assert_non_null(find(127, 0));
	make(&c, 1, 64 << 20, true);
	assert_string_equal(text(find(0, 0), find(0, 0)[4]), "vmwire");
	assert_null(find(19, 1));
}

static void what_the_user_says(void **state)
{
	char *oem[] = {(char *)"one", (char *)"two"};
	struct smbios_conf c = {.bios = true, .board = true, .uefi = true, .oem = {oem, 2}};
	const uint8_t *p;

	(void)state;
	c.text[BIOS_VENDOR] = (char *)"me";
	c.release[0] = 4;
	c.release[1] = 7;
	c.release_given = true;
	c.text[SYSTEM_SERIAL] = (char *)"ds=nocloud";
	c.text[SYSTEM_MANUFACTURER] = (char *)"";
	c.text[BOARD_ASSET] = (char *)"tag";
	c.text[CHASSIS_SKU] = (char *)"sku";
	make(&c, 1, 64 << 20, false);
	p = find(0, 0);
	assert_string_equal(text(p, p[4]), "me");
	assert_int_equal(p[0x14], 4);
	assert_int_equal(p[0x15], 7);
	assert_int_equal(p[0x13] & 8, 8);
	p = find(1, 0);
	assert_int_equal(p[4], 0); /* an empty text is none */
	assert_string_equal(text(p, p[7]), "ds=nocloud");
	p = find(2, 0);
	assert_string_equal(text(p, p[8]), "tag");
	p = find(3, 0);
	assert_string_equal(text(p, p[0x15]), "sku");
	p = find(11, 0);
	assert_int_equal(p[4], 2);
	assert_string_equal(text(p, 2), "two");
}

static void large_machines(void **state)
{
	const struct smbios_conf c = {0};

	(void)state;
	make(&c, 255, 1ull << 40, true);
	assert_non_null(find(4, 254));
	assert_int_equal(get_le32(find(16, 0) + 7), 1u << 30);
	assert_int_equal(get_le16(find(16, 0) + 13), 64);
	assert_non_null(find(17, 63));
	assert_null(find(17, 64));
	make(&c, 1, 8ull << 40, true);
	assert_int_equal(get_le32(find(16, 0) + 7), 0x80000000u);
	assert_int_equal(get_le64(find(16, 0) + 15), 8ull << 40);
	assert_int_equal(get_le32(find(19, 1) + 4), UINT32_MAX);
	assert_int_equal(get_le64(find(19, 1) + 15), 1ull << 32);
}

static void too_much_is_an_error(void **state)
{
	static char big[70000];
	struct smbios_conf c = {0};
	struct smbios s;
	struct err e;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	c.text[SYSTEM_SERIAL] = big;
	assert_int_equal(smbios_make(&s, &c, 1, 1 << 20, uuid, true, &e), -E2BIG);
	big[65000] = 0;
	assert_int_equal(smbios_make(&s, &c, 255, 1 << 20, uuid, true, &e), -E2BIG);
	big[50000] = 0;
	assert_int_equal(smbios_make(&s, &c, 1, 1 << 20, uuid, true, &e), 0);
	assert_int_equal(smbios_place(&s, &mem, AT, 0x8000, &e), -ENOSPC);
	smbios_free(&s);
	smbios_free(&s);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nothing_given),
		T(what_the_user_says),
		T(large_machines),
		T(too_much_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
