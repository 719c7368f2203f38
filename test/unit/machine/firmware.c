/* SPDX-License-Identifier: BSD-2-Clause */
/* Firmware's image, and what it is told: memory map, CPUs, boot order. */
#include "machine/firmware.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pc_fixture.h"

static struct pc pc;
static struct fw_cfg *f;
static struct rtc *rtc;

static int setup(void **state)
{
	(void)state;
	if (pc_setup(&pc))
		return -1;
	f = fw_cfg_new(&pc.b, &pc.f.a.mem, NULL);
	rtc = rtc_new(&pc.b, pc.loop, &pc.clock, 1 << 20, NULL);
	return f && rtc ? pc_run(&pc) : -1;
}

static int teardown(void **state)
{
	(void)state;
	pc_halt(&pc);
	fw_cfg_free(f);
	rtc_free(rtc);
	return pc_teardown(&pc);
}

static uint8_t cmos(uint8_t at)
{
	pc_out(&pc, 0x70, at, 1);
	return (uint8_t)pc_in(&pc, 0x71, 1);
}

static void item(uint16_t key, uint8_t *to, size_t len)
{
	pc_out(&pc, 0x510, key, 2);
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)pc_in(&pc, 0x511, 1);
}

/* A file's contents; its length, or -1: there is none. */
static int file(const char *name, uint8_t *to, size_t room)
{
	uint8_t dir[4 + 32 * 64];

	item(0x19, dir, sizeof(dir));
	for (uint32_t i = 0; i < get_be32(dir); i++) {
		const uint8_t *p = dir + 4 + (size_t)i * 64;

		if (strcmp((const char *)p + 8, name) != 0)
			continue;
		assert_true(get_be32(p) <= room);
		item(get_be16(p + 4), to, get_be32(p));
		return (int)get_be32(p);
	}
	return -1;
}

/* --- the image ------------------------------------------------------------------------------ */

static int load_file(off_t size, struct pc_rom *rom, struct err *e)
{
	char path[] = "/tmp/firmware-XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	if (size)
		assert_int_equal(pwrite(fd, "\x5a", 1, size - 1), 1);
	rc = firmware_load(path, rom, e);
	close(fd);
	unlink(path);
	return rc;
}

static void images_of_whole_pieces(void **state)
{
	static const off_t bad[] = {0, 1, 65535, 65537, (16 << 20) + 65536};
	struct pc_rom rom;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(load_file(bad[i], &rom, &e), -EINVAL);
		assert_null(rom.host);
		assert_non_null(strstr(e.text, "64 KiB"));
	}
	assert_int_equal(load_file(3 * 65536, &rom, &e), 0);
	assert_int_equal(rom.size, 3 * 65536);
	assert_int_equal(rom.host[rom.size - 1], 0x5a);
	firmware_unload(&rom);
	firmware_unload(&rom);
	assert_int_equal(load_file(16 << 20, &rom, &e), 0);
	firmware_unload(&rom);
}

static void names_that_lead_nowhere(void **state)
{
	struct pc_rom rom;
	struct err e;

	(void)state;
	assert_int_equal(firmware_load("/nowhere/bios.bin", &rom, &e), -ENOENT);
	assert_non_null(strstr(e.text, "-bios /nowhere/bios.bin: "));
	assert_int_equal(firmware_load("no-such-bios.bin", &rom, &e), -ENOENT);
	assert_int_equal(firmware_load("/tmp", &rom, &e), -EINVAL);
}

/* --- what it is told ------------------------------------------------------------------------ */

static void memory_and_cpus(void **state)
{
	struct machine_conf c = {.ram = 5ull << 30, .cpus = 3};
	uint8_t map[128], v[16];

	(void)state;
	c.boot = (struct boot_conf){.menu_wait = -1, .fail_wait = -2, .nographic = true};
	memset(c.boot.uuid, 0x77, 16);
	assert_int_equal(firmware_tell(f, &c, NULL), 0);
	assert_int_equal(file("etc/e820", map, sizeof(map)), 60);
	/* Address, length, type: KVM's pages, low and high memory. */
	assert_int_equal(get_le64(map), 0xfeffc000);
	assert_int_equal(get_le32(map + 16), 2);
	assert_int_equal(get_le64(map + 20), 0);
	assert_int_equal(get_le64(map + 28), 0xc0000000);
	assert_int_equal(get_le32(map + 36), 1);
	assert_int_equal(get_le64(map + 40), 0x100000000);
	assert_int_equal(get_le64(map + 48), 0x80000000);
	item(FW_CFG_CPUS, v, 2);
	assert_int_equal(get_le16(v), 3);
	item(FW_CFG_NOGRAPHIC, v, 2);
	assert_int_equal(get_le16(v), 1);
	item(FW_CFG_BOOT_MENU, v, 2);
	assert_int_equal(get_le16(v), 0);
	item(FW_CFG_RAM_SIZE, v, 8);
	assert_int_equal(get_le64(v), 5ull << 30);
	item(FW_CFG_UUID, v, 16);
	assert_int_equal(v[15], 0x77);
	assert_int_equal(file("etc/boot-menu-wait", v, 4), -1);
	assert_int_equal(file("etc/boot-fail-wait", v, 4), -1);
}

static void the_menu(void **state)
{
	struct machine_conf c = {.ram = 1 << 20, .cpus = 1};
	uint8_t v[4];

	(void)state;
	c.boot = (struct boot_conf){.menu = true, .menu_wait = 2000, .fail_wait = -1};
	assert_int_equal(firmware_tell(f, &c, NULL), 0);
	item(FW_CFG_BOOT_MENU, v, 2);
	assert_int_equal(get_le16(v), 1);
	assert_int_equal(file("etc/boot-menu-wait", v, 4), 2);
	assert_int_equal(get_le16(v), 2000);
	assert_int_equal(file("etc/boot-fail-wait", v, 4), 4);
	assert_int_equal(get_le32(v), UINT32_MAX);
}

static void letters_are_nibbles_in_cmos(void **state)
{
	const struct boot_conf b = {.order = "cad", .once = "nd"};
	const struct boot_list none = {0};

	(void)state;
	assert_int_equal(firmware_tell_order(f, rtc, &b, true, &none, NULL), 0);
	assert_int_equal(cmos(0x3d), 0x34); /* network, CD … */
	assert_int_equal(cmos(0x38), 0x01); /* … and no third */
	assert_int_equal(firmware_tell_order(f, rtc, &b, false, &none, NULL), 0);
	assert_int_equal(cmos(0x3d), 0x12);
	assert_int_equal(cmos(0x38), 0x31);
}

static void devices_by_their_number(void **state)
{
	struct boot_conf b = {.order = "c"};
	struct boot_list l = {0};
	uint8_t text[512];
	struct err e;

	(void)state;
	assert_int_equal(firmware_tell_order(f, rtc, &b, true, &l, &e), 0);
	assert_int_equal(file("bootorder", text, sizeof(text)), 0);
	assert_int_equal(boot_list_add(&l, 5, "/five", &e), 0);
	assert_int_equal(boot_list_add(&l, 0, "/zero", &e), 0);
	assert_int_equal(boot_list_add(&l, 3, "/three", &e), 0);
	assert_int_equal(boot_list_add(&l, 3, "/again", &e), -EEXIST);
	assert_non_null(strstr(e.text, "bootindex=3"));
	assert_int_equal(firmware_tell_order(f, rtc, &b, true, &l, &e), 0);
	assert_int_equal(file("bootorder", text, sizeof(text)), 19);
	assert_string_equal((char *)text, "/zero\n/three\n/five");
	b.strict = true;
	boot_list_del(&l, "/three");
	boot_list_del(&l, "/nobody");
	assert_int_equal(firmware_tell_order(f, rtc, &b, true, &l, &e), 0);
	assert_int_equal(file("bootorder", text, sizeof(text)), 17);
	assert_string_equal((char *)text, "/zero\n/five\nHALT");
	boot_list_free(&l);
}

static void paths_of_cards(void **state)
{
	struct pci_dev d = {.devfn = 0x1f << 3 | 2};
	char path[BOOT_PATH_MAX];

	(void)state;
	machine_boot_pci(&d, "ethernet", "/ethernet-phy@0", path);
	assert_string_equal(path, "/pci@i0cf8/ethernet@1f,2/ethernet-phy@0");
	d.devfn = 3 << 3;
	machine_boot_pci(&d, "scsi", "/disk@0,0", path);
	assert_string_equal(path, "/pci@i0cf8/scsi@3/disk@0,0");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_of_whole_pieces),
		cmocka_unit_test(names_that_lead_nowhere),
		T(memory_and_cpus),
		T(the_menu),
		T(letters_are_nibbles_in_cmos),
		T(devices_by_their_number),
		cmocka_unit_test(paths_of_cards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
