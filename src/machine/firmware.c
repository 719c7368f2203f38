/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware as QEMU's users know it: an image that ends at 4 GiB, where the first CPU starts, and
 * fw_cfg, from which it learns the rest. The boot order goes two ways: devices with a bootindex are
 * paths in the file "bootorder"; kinds of devices, -boot order=, are nibbles in CMOS, which count
 * for all others.
 */
#include "machine/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define DEFAULT_BIOS "bios-256k.bin"
#define ROM_STEP     0x10000u /* images come in pieces of 64 KiB */

#define FILE_MAX (64u << 20) /* of -fw_cfg and -option-rom */

#define CMOS_BOOT_3 0x38 /* third device in the upper nibble; bit 0: do not check floppies */
#define CMOS_BOOT_1 0x3d /* first device in the lower nibble, second in the upper */
#define NO_CHECK    0x01

#define E820_RAM      1
#define E820_RESERVED 2
#define E820_ENTRY    20
/* What KVM keeps for itself where CPUs lack a mode for real-mode code (kvm.c). */
#define KVM_PAGES      0xfeffc000ull
#define KVM_PAGES_SIZE 0x4000ull

/* --- the image ------------------------------------------------------------------------------ */

/* Opens what -bios names: a path, or a name in the folders where packages put firmware. */
static int open_bios(const char *bios, struct err *e)
{
	static const char *const dirs[] = {"/usr/share/seabios", "/usr/share/qemu"};
	const char *name = bios ? bios : DEFAULT_BIOS;
	char path[PATH_MAX];
	/* Not to wait for the other end of a FIFO. */
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, code, fd = -1;

	if (bios)
		fd = open(bios, flags);
	code = errno;
	for (unsigned i = 0; fd < 0 && !strchr(name, '/') && i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		fd = open(path, flags);
	}
	if (fd >= 0)
		return fd;
	if (bios)
		return err_set(e, code, "-bios %s: %s; give a path, or a name in %s", bios,
			       strerror(code), dirs[0]);
	return err_set(e, ENOENT,
		       "no firmware to start the guest with: %s/%s is missing; install the package "
		       "seabios, or give -bios FILE, or a Linux kernel with -kernel",
		       dirs[0], DEFAULT_BIOS);
}

static int read_image(int fd, const char *name, struct pc_rom *rom, struct err *e)
{
	uint64_t have = 0;

	rom->host =
		mmap(NULL, rom->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rom->host == MAP_FAILED) {
		rom->host = NULL;
		return err_set(e, ENOMEM, "-bios %s: no memory for it", name);
	}
	while (have < rom->size) {
		ssize_t n = read(fd, rom->host + have, rom->size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "-bios %s: %s", name, strerror(errno));
		if (!n)
			return err_set(e, EIO, "-bios %s: it became shorter while it was read",
				       name);
		have += (uint64_t)n;
	}
	return 0;
}

int firmware_load(const char *bios, struct pc_rom *rom, struct err *e)
{
	const char *name = bios ? bios : DEFAULT_BIOS;
	int fd = open_bios(bios, e), rc;
	struct stat st;

	*rom = (struct pc_rom){0};
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		rc = err_set(e, errno, "-bios %s: %s", name, strerror(errno));
	else if (!S_ISREG(st.st_mode) || !st.st_size || st.st_size % ROM_STEP ||
		 st.st_size > (off_t)PC_ROM_MAX)
		rc = err_set(
			e, EINVAL,
			"-bios %s: it is no firmware image: allowed are files of a multiple of "
			"64 KiB, at most 16 MiB",
			name);
	else {
		rom->size = (uint64_t)st.st_size;
		rc = read_image(fd, name, rom, e);
	}
	close(fd);
	if (rc)
		firmware_unload(rom);
	return rc;
}

void firmware_unload(struct pc_rom *rom)
{
	if (rom->host)
		munmap(rom->host, rom->size);
	*rom = (struct pc_rom){0};
}

/* --- devices to boot from ------------------------------------------------------------------- */

int boot_list_add(struct boot_list *l, uint32_t index, const char *path, struct err *e)
{
	struct boot_entry *v;
	unsigned at = 0;

	while (at < l->n && l->v[at].index < index)
		at++;
	if (at < l->n && l->v[at].index == index)
		return err_set(e, EEXIST,
			       "bootindex=%u is given twice: each device has a number of its own",
			       index);
	v = realloc(l->v, (l->n + 1) * sizeof(*v));
	if (!v)
		return err_set(e, ENOMEM, "no memory for the boot order");
	l->v = v;
	memmove(v + at + 1, v + at, (l->n - at) * sizeof(*v));
	v[at].index = index;
	snprintf(v[at].path, sizeof(v[at].path), "%s", path);
	l->n++;
	return 0;
}

void boot_list_del(struct boot_list *l, const char *path)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (strcmp(l->v[i].path, path) != 0)
			continue;
		l->n--;
		memmove(l->v + i, l->v + i + 1, (l->n - i) * sizeof(*l->v));
		return;
	}
}

void boot_list_free(struct boot_list *l)
{
	free(l->v);
	*l = (struct boot_list){0};
}

/* --- what it is told ------------------------------------------------------------------------ */

static int add16(struct fw_cfg *f, uint16_t key, uint16_t v, struct err *e)
{
	uint8_t le[2];

	put_le16(le, v);
	return fw_cfg_add(f, key, le, sizeof(le), e);
}

static void e820(uint8_t *p, uint64_t from, uint64_t size, uint32_t type)
{
	put_le64(p, from);
	put_le64(p + 8, size);
	put_le32(p + 16, type);
}

static int tell_memory(struct fw_cfg *f, uint64_t ram, struct err *e)
{
	uint64_t low = MIN(ram, PC_LOW_RAM_END);
	uint8_t map[3 * E820_ENTRY], le[8];
	unsigned n = 0;
	int rc;

	e820(map + (size_t)n++ * E820_ENTRY, KVM_PAGES, KVM_PAGES_SIZE, E820_RESERVED);
	e820(map + (size_t)n++ * E820_ENTRY, 0, low, E820_RAM);
	if (ram > low)
		e820(map + (size_t)n++ * E820_ENTRY, PC_HIGH_RAM, ram - low, E820_RAM);
	put_le64(le, ram);
	rc = fw_cfg_add(f, FW_CFG_RAM_SIZE, le, sizeof(le), e);
	return rc ? rc : fw_cfg_file(f, "etc/e820", map, (size_t)n * E820_ENTRY, e);
}

static int tell_menu(struct fw_cfg *f, const struct boot_conf *b, struct err *e)
{
	uint8_t le[4];
	int rc = add16(f, FW_CFG_BOOT_MENU, b->menu, e);

	if (!rc && b->menu_wait >= 0) {
		put_le16(le, (uint16_t)b->menu_wait);
		rc = fw_cfg_file(f, "etc/boot-menu-wait", le, 2, e);
	}
	if (!rc && b->fail_wait >= -1) {
		put_le32(le, (uint32_t)b->fail_wait);
		rc = fw_cfg_file(f, "etc/boot-fail-wait", le, 4, e);
	}
	return rc;
}

/* Reads the whole file, of at most FILE_MAX bytes, to *data, which is free()d after errors, too. */
static int read_fd(const struct boot_file *b, int fd, uint8_t **data, size_t *len, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(e, errno, "%.200s: %s", b->option, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return err_set(e, EINVAL, "%.200s: allowed is a file of at most %u MiB", b->option,
			       FILE_MAX >> 20);
	*data = malloc(MAX((size_t)st.st_size, 1u));
	if (!*data)
		return err_set(e, ENOMEM, "%.200s: no memory for it", b->option);
	while (*len < (size_t)st.st_size) {
		ssize_t n = read(fd, *data + *len, (size_t)st.st_size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "%.200s: %s", b->option, strerror(errno));
		if (!n)
			return err_set(e, EIO, "%.200s: it became shorter while it was read",
				       b->option);
		*len += (size_t)n;
	}
	return 0;
}

static int read_file(const struct boot_file *b, uint8_t **data, size_t *len, struct err *e)
{
	/* Not to wait for the other end of a FIFO. */
	int fd = open(b->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	*data = NULL;
	*len = 0;
	if (fd < 0)
		return err_set(e, errno, "%.200s: %s", b->option, strerror(errno));
	rc = read_fd(b, fd, data, len, e);
	close(fd);
	return rc;
}

static int tell_files(struct fw_cfg *f, const struct boot_conf *b, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < b->nfiles; i++) {
		const struct boot_file *file = &b->file[i];
		uint8_t *data;
		size_t len;

		if (!file->path) {
			rc = fw_cfg_file(f, file->name, file->text, strlen(file->text), e);
			continue;
		}
		rc = read_file(file, &data, &len, e);
		if (!rc)
			rc = fw_cfg_file(f, file->name, data, len, e);
		free(data);
	}
	return rc;
}

int firmware_tell(struct fw_cfg *f, const struct machine_conf *c, struct err *e)
{
	int rc = tell_memory(f, c->ram, e);

	if (!rc)
		rc = add16(f, FW_CFG_CPUS, (uint16_t)c->cpus, e);
	if (!rc)
		rc = add16(f, FW_CFG_MAX_CPUS, (uint16_t)c->cpus, e);
	if (!rc)
		rc = add16(f, FW_CFG_NOGRAPHIC, c->boot.nographic, e);
	if (!rc)
		rc = fw_cfg_add(f, FW_CFG_UUID, c->boot.uuid, sizeof(c->boot.uuid), e);
	if (!rc)
		rc = tell_menu(f, &c->boot, e);
	return rc ? rc : tell_files(f, &c->boot, e);
}

/* Lines of paths with a zero behind the last; "HALT": nothing but these. */
static int tell_list(struct fw_cfg *f, const struct boot_list *l, bool strict, struct err *e)
{
	char *text = malloc((l->n + 1) * (size_t)(BOOT_PATH_MAX + 1) + 8);
	size_t len = 0;
	int rc;

	if (!text)
		return err_set(e, ENOMEM, "no memory for the boot order");
	for (unsigned i = 0; i < l->n; i++)
		len += (size_t)sprintf(text + len, "%s%s", len ? "\n" : "", l->v[i].path);
	if (strict)
		len += (size_t)sprintf(text + len, "%sHALT", len ? "\n" : "");
	rc = fw_cfg_file(f, "bootorder", text, len ? len + 1 : 0, e);
	free(text);
	return rc;
}

static uint8_t nibble(char letter)
{
	switch (letter) {
	case 'a':
	case 'b':
		return 1; /* floppy */
	case 'c':
		return 2; /* hard disk */
	case 'd':
		return 3; /* CD */
	case 'n':
		return 4; /* network */
	default:
		return 0;
	}
}

int firmware_tell_order(struct fw_cfg *f, struct rtc *r, const struct boot_conf *b, bool first,
			const struct boot_list *l, struct err *e)
{
	const char *order = first && b->once[0] ? b->once : b->order;
	uint8_t n[BOOT_ORDER_MAX] = {0};

	for (unsigned i = 0; i < BOOT_ORDER_MAX && order[i]; i++)
		n[i] = nibble(order[i]);
	rtc_set(r, CMOS_BOOT_1, (uint8_t)(n[1] << 4 | n[0]));
	rtc_set(r, CMOS_BOOT_3, (uint8_t)(n[2] << 4 | NO_CHECK));
	return tell_list(f, l, b->strict, e);
}
