/* SPDX-License-Identifier: BSD-2-Clause */
/* Expansion ROMs: the file, the register with its enable bit, what the guest reads. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "bus/pci.h"
#include "fake_accel.h"

#define DEVFN (3u << 3)
#define BASE  0xc0000000u
#define LEN   5000u /* no power of two: 8 KiB */

static struct fake f;
static struct bus b;
static struct pci_bus *p;
static char path[64];
static uint8_t image[LEN];

static void no_pirq(void *opaque, unsigned line, bool level)
{
	(void)opaque;
	(void)line;
	(void)level;
}

static void write_file(const void *data, size_t len)
{
	FILE *o = fopen(path, "w");

	assert_non_null(o);
	assert_int_equal(fwrite(data, 1, len, o), len);
	fclose(o);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	fake_init(&f, false);
	if (bus_init(&b, &f.a, NULL))
		return -1;
	p = pci_bus_new(&b, no_pirq, NULL, NULL);
	snprintf(path, sizeof(path), "/tmp/vmwire-rom-XXXXXX");
	fd = mkstemp(path);
	close(fd);
	for (unsigned i = 0; i < LEN; i++)
		image[i] = (uint8_t)(i * 7 + i / 256);
	put_le16(image, 0xaa55);
	put_le16(image + 0x18, 0x1c);
	put_le32(image + 0x1c, 0x52494350); /* "PCIR" */
	put_le16(image + 0x20, 0x1af4);
	put_le16(image + 0x22, 0x1000);
	write_file(image, LEN);
	return p ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	pci_bus_free(p);
	assert_int_equal(b.space[BUS_PIO].n + b.space[BUS_MMIO].n, 0);
	bus_exit(&b);
	unlink(path);
	return 0;
}

/* --- the guest's side ----------------------------------------------------------------------- */

static uint32_t cfg(unsigned reg, bool write, uint32_t v)
{
	uint8_t d[4];

	put_le32(d, 0x80000000 | DEVFN << 8 | reg);
	bus_pio(&b, 0xcf8, true, d, 4, 1);
	put_le32(d, v);
	bus_pio(&b, 0xcfc, write, d, 4, 1);
	return get_le32(d);
}

static uint32_t mem(uint64_t at)
{
	uint8_t d[4] = {0};

	bus_mmio(&b, at, false, d, 4);
	return get_le32(d);
}

/* --- a device ------------------------------------------------------------------------------- */

static void on_destroy(struct pci_dev *d)
{
	free(d);
}

static struct pci_dev *make(void)
{
	static const struct pci_ops ops = {.destroy = on_destroy};
	static const struct pci_ids ids = {.vendor = 0x1af4, .device = 0x1000, .class = 0x020000};
	struct pci_dev *d = calloc(1, sizeof(*d));

	pci_init(d, "test-card", &ops, &ids, 0);
	return d;
}

static struct pci_dev *plug(void)
{
	struct pci_dev *d = make();

	assert_int_equal(pci_load_rom(d, path, NULL), 0);
	assert_int_equal(pci_add(p, d, DEVFN, NULL), 0);
	return d;
}

/* --- tests ---------------------------------------------------------------------------------- */

static void register_has_address_and_enable(void **state)
{
	(void)state;
	plug();
	assert_int_equal(cfg(0x30, false, 0), 0);
	cfg(0x30, true, 0xffffffff);
	assert_int_equal(cfg(0x30, false, 0), 0xffffe001);
	cfg(0x30, true, 0xfffff800);
	assert_int_equal(cfg(0x30, false, 0), 0xffffe000);
}

static void answers_when_both_are_on(void **state)
{
	struct pci_dev *d = plug();

	(void)state;
	cfg(4, true, 2);
	cfg(0x30, true, BASE);
	assert_int_equal(mem(BASE), 0xffffffff);
	cfg(4, true, 0);
	cfg(0x30, true, BASE | 1);
	assert_int_equal(mem(BASE), 0xffffffff);
	cfg(4, true, 2);
	assert_true(d->bar[PCI_ROM].mapped);
	assert_int_equal(mem(BASE), get_le32(image));
	cfg(0x30, true, (BASE + 0x10000) | 1);
	assert_int_equal(mem(BASE), 0xffffffff);
	assert_int_equal(mem(BASE + 0x10000), get_le32(image));
	cfg(0x30, true, BASE);
	assert_int_equal(mem(BASE), 0xffffffff);
}

static void whole_file_and_erased_rest(void **state)
{
	(void)state;
	plug();
	cfg(4, true, 2);
	cfg(0x30, true, BASE | 1);
	for (unsigned i = 0; i < LEN; i += 4)
		assert_int_equal(mem(BASE + i), get_le32(image + i));
	for (unsigned i = LEN; i < 8192; i += 4)
		assert_int_equal(mem(BASE + i), 0xffffffff);
	/* Unaligned, and over its end. */
	assert_int_equal(mem(BASE + 3), get_le32(image + 3));
	assert_int_equal(mem(BASE + 8190), 0xffffffff);
}

static void nobody_writes(void **state)
{
	uint8_t d[4] = {1, 2, 3, 4};

	(void)state;
	plug();
	cfg(4, true, 2);
	cfg(0x30, true, BASE | 1);
	bus_mmio(&b, BASE + 64, true, d, 4);
	assert_int_equal(mem(BASE + 64), get_le32(image + 64));
}

static void reset_turns_it_off(void **state)
{
	struct pci_dev *d = plug();

	(void)state;
	cfg(4, true, 2);
	cfg(0x30, true, BASE | 1);
	pci_bus_reset(p);
	assert_false(d->bar[PCI_ROM].mapped);
	assert_int_equal(cfg(0x30, false, 0), 0);
}

static void assigned_but_off(void **state)
{
	static const uint8_t irq[4] = {10, 11, 5, 9};

	(void)state;
	plug();
	assert_int_equal(pci_assign(p, BASE, 0xfec00000, 0xc000, irq, NULL), 0);
	assert_int_equal(cfg(0x30, false, 0), BASE);
	assert_int_equal(mem(BASE), 0xffffffff);
	assert_int_equal(cfg(4, false, 0) & 3, 2);
}

static void smallest_window(void **state)
{
	(void)state;
	write_file("x", 1); /* with a warning */
	plug();
	cfg(0x30, true, 0xffffffff);
	assert_int_equal(cfg(0x30, false, 0), 0xfffff801);
}

/* What firmware would pass over is one warning, and there is none for what it would run. */
static void warns_of_what_firmware_passes_over(void **state)
{
	static const struct {
		const char *has; /* NULL: no warning */
		uint16_t device, list, id;
		uint8_t rev;
	} v[] = {
		{NULL, 0x1000, 0, 0, 0},
		{"it is for 1af4:1041, the card is 1af4:1000", 0x1041, 0, 0x1000, 3},
		{"it is for", 0x1041, 0x40, 0x1001, 3},
		{"it is for", 0x1041, 0x40, 0x1000, 2},
		{NULL, 0x1041, 0x40, 0x1000, 3},
		{"it is for", 0x1041, 0xffff, 0x1000, 3},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(v); i++) {
		struct pci_dev *d = make();
		char text[256] = "";
		int pipes[2], old = dup(2);

		put_le16(image + 0x22, v[i].device);
		put_le16(image + 0x24, v[i].list);
		image[0x28] = v[i].rev;
		put_le16(image + 0x5c, 0x1002);
		put_le16(image + 0x5e, v[i].id);
		put_le16(image + 0x60, 0);
		write_file(image, LEN);
		assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
		dup2(pipes[1], 2);
		assert_int_equal(pci_load_rom(d, path, NULL), 0);
		dup2(old, 2);
		close(old);
		close(pipes[1]);
		assert_true(read(pipes[0], text, sizeof(text) - 1) >= 0);
		close(pipes[0]);
		if (v[i].has ? !strstr(text, v[i].has) : text[0])
			fail_msg("%u: %s", i, text);
		pci_free_rom(d);
		free(d);
	}
}

/* Pointers and lengths of the image lead nowhere. */
static void broken_images_are_shown_too(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct pci_dev *d = make();

		put_le16(image, 0xaa55);
		put_le16(image + 0x18, i < 2 ? 0xffff : 0x1c);
		write_file(image, i == 0 ? 2 : i == 1 ? LEN : i == 2 ? 0x1c + 23 : 0x1a);
		assert_int_equal(pci_load_rom(d, path, NULL), 0);
		assert_int_equal(d->rom[0], 0x55);
		pci_free_rom(d);
		free(d);
	}
}

static void refused(const char *file, int code, const char *has)
{
	struct pci_dev *d = make();
	struct err e = {0};

	assert_int_equal(pci_load_rom(d, file, &e), -code);
	if (!strstr(e.text, has) || !strstr(e.text, "romfile="))
		fail_msg("%s", e.text);
	assert_null(d->rom);
	assert_int_equal(d->bar[PCI_ROM].size, 0);
	free(d);
}

static void bad_files(void **state)
{
	(void)state;
	refused("/nowhere/x.rom", ENOENT, "/nowhere/x.rom");
	refused("/tmp", EINVAL, "no file");
	write_file("", 0);
	refused(path, EINVAL, "empty");
	assert_int_equal(truncate(path, (16 << 20) + 1), 0);
	refused(path, EFBIG, "16 MiB");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(path, EINVAL, "no file");
}

static void largest(void **state)
{
	(void)state;
	assert_int_equal(truncate(path, 16 << 20), 0);
	plug();
	cfg(0x30, true, 0xffffffff);
	assert_int_equal(cfg(0x30, false, 0), 0xff000001);
	cfg(4, true, 2);
	cfg(0x30, true, BASE | 1);
	assert_int_equal(mem(BASE + 64), get_le32(image + 64));
	assert_int_equal(mem(BASE + (16 << 20) - 4), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(register_has_address_and_enable),
		T(answers_when_both_are_on),
		T(whole_file_and_erased_rest),
		T(nobody_writes),
		T(reset_turns_it_off),
		T(assigned_but_off),
		T(smallest_window),
		T(warns_of_what_firmware_passes_over),
		T(broken_images_are_shown_too),
		T(bad_files),
		T(largest),
	};

	return cmocka_run_group_tests_name("pci_rom", tests, NULL, NULL);
}
