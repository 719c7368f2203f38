/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Direct boot of Linux by the 64-bit boot protocol (Documentation/arch/x86/boot.rst): what a boot
 * loader does, without one. The images are read straight into guest memory; boot_params, command
 * line, page tables and GDT go below 640 KiB; the first CPU starts in long mode at the entry point
 * with %rsi at boot_params.
 *
 *	0x01000 GDT		0x07000 boot_params	0x20000 command line
 *	0x06ff0 stack		0x09000 page tables	0x30000 setup_data: random seed
 *
 * The files are the user's, not the guest's, but may be anything: every length and offset in them
 * is checked against the file and the guest's memory.
 */
#include "machine/linux_boot.h"
#include "machine/vga.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define GDT	0x1000ull
#define STACK	0x6ff0ull
#define PARAMS	0x7000ull
#define TABLES	0x9000ull
#define CMDLINE 0x20000ull
#define SEED	0x30000ull

/* What a kernel has used by the time of its init: at the top of memory, and after itself. */
#define TOP_EXPECTED   (64ull << 20)
#define AFTER_EXPECTED (48ull << 20)

#define EBDA	0x9fc00ull
#define PAGE	4096ull
#define HEAD	1024 /* the setup header ends within */
#define MIN_RAM (1ull << 20)

/* boot_params and setup header by offset (boot.rst, zero-page.rst). */
enum {
	P_ACPI_RSDP = 0x070,
	P_E820_ENTRIES = 0x1e8,
	P_SENTINEL = 0x1ef,
	H_SETUP_SECTS = 0x1f1,
	H_BOOT_FLAG = 0x1fe,
	H_JUMP = 0x200,
	H_MAGIC = 0x202,
	H_VERSION = 0x206,
	H_LOADER = 0x210,
	H_LOADFLAGS = 0x211,
	H_CODE32 = 0x214,
	H_RAMDISK = 0x218,
	H_RAMDISK_SIZE = 0x21c,
	H_CMDLINE = 0x228,
	H_INITRD_MAX = 0x22c,
	H_ALIGN = 0x230,
	H_RELOCATABLE = 0x234,
	H_XLOADFLAGS = 0x236,
	H_CMDLINE_SIZE = 0x238,
	H_SETUP_DATA = 0x250,
	H_PREF_ADDRESS = 0x258,
	H_INIT_SIZE = 0x260,
	P_E820 = 0x2d0,
};

#define XLF_KERNEL_64	  0x0001
#define LOADER_UNASSIGNED 0xff
#define E820_RAM	  1
#define E820_RESERVED	  2
#define SETUP_RNG_SEED	  9
#define SEED_LEN	  32

/* --- files ---------------------------------------------------------------------------------- */

int linux_read(const char *name, int fd, void *buf, uint64_t len, uint64_t off, struct err *e)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, MIN(len, 1u << 30), (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "cannot read %s: %s", name, strerror(errno));
		if (!n)
			return err_set(e, EIO, "%s became shorter while it was read", name);
		p += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int file_size(const char *name, int fd, uint64_t *size, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "%s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s is not a regular file", name);
	*size = (uint64_t)st.st_size;
	return 0;
}

static int open_file(const char *option, const char *name, struct err *e)
{
	uint64_t size;
	/* A FIFO, which is refused, must not hold us up here. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set(e, errno, "%s %s: %s", option, name, strerror(errno));
	if (file_size(name, fd, &size, e)) {
		close(fd);
		return err_prefix(e, "%s", option);
	}
	return fd;
}

int linux_open(struct linux_image *img, const char *kernel, const char *initrd, const char *append,
	       struct err *e)
{
	*img = (struct linux_image){kernel, initrd, -1, -1, append};
	img->kernel_fd = open_file("-kernel", kernel, e);
	if (img->kernel_fd < 0)
		return img->kernel_fd;
	if (!initrd)
		return 0;
	img->initrd_fd = open_file("-initrd", initrd, e);
	if (img->initrd_fd >= 0)
		return 0;
	linux_close(img);
	return -e->code;
}

void linux_close(struct linux_image *img)
{
	if (img->kernel_fd >= 0)
		close(img->kernel_fd);
	if (img->initrd_fd >= 0)
		close(img->initrd_fd);
	img->kernel_fd = img->initrd_fd = -1;
}

/* --- bzImage -------------------------------------------------------------------------------- */

static int bad(const struct linux_image *img, struct err *e, const char *what)
{
	return err_set(e, ENOEXEC,
		       "%s is not a Linux kernel: %s; give a bzImage (/boot/vmlinuz-*) or an "
		       "x86-64 vmlinux",
		       img->kernel, what);
}

static int too_old(const struct linux_image *img, struct err *e, const char *what)
{
	return err_set(e, ENOEXEC,
		       "%s cannot be booted in 64-bit mode: %s; give a 64-bit kernel "
		       "of Linux 3.8 or later",
		       img->kernel, what);
}

/* The header's own length: the byte after the jump's opcode says where it ends. */
static void copy_header(const uint8_t *head, struct linux_layout *l)
{
	size_t len = H_MAGIC + head[H_JUMP + 1] - H_SETUP_SECTS;

	memset(l->hdr, 0, sizeof(l->hdr));
	memcpy(l->hdr, head + H_SETUP_SECTS, MIN(len, sizeof(l->hdr)));
}

/* Where the kernel runs and how much it needs there until it has unpacked itself. */
static int place_kernel(const struct linux_image *img, const uint8_t *head, uint64_t len,
			struct linux_layout *l, struct err *e)
{
	uint64_t pref = get_le64(head + H_PREF_ADDRESS), need = get_le32(head + H_INIT_SIZE);
	uint64_t align = get_le32(head + H_ALIGN);

	if (pref < LINUX_KERNEL_MIN || pref > PC_LOW_RAM_END)
		return bad(img, e, "its preferred address is impossible");
	if (head[H_RELOCATABLE] && (!align || align & (align - 1) || pref & (align - 1)))
		return bad(img, e, "its alignment is impossible");
	need = MAX(need, len);
	if (pref > l->low_ram || need > l->low_ram - pref)
		return err_set(e, ENOMEM,
			       "%s needs at least %" PRIu64
			       " MiB to unpack but the guest has %" PRIu64 "; give it more with -m",
			       img->kernel, (pref + need + 0xfffff) >> 20, l->low_ram >> 20);
	l->first = pref;
	l->end = pref + need;
	l->entry = pref + 0x200;
	return 0;
}

static int load_bzimage(const struct linux_image *img, const struct guest_mem *mem,
			const uint8_t *head, struct linux_layout *l, struct err *e)
{
	uint64_t setup = ((head[H_SETUP_SECTS] ? head[H_SETUP_SECTS] : 4) + 1) * 512ull;
	uint8_t *to;
	int rc;

	if (get_le16(head + H_VERSION) < 0x020c)
		return too_old(img, e, "its boot protocol is older than 2.12");
	if (!(get_le16(head + H_XLOADFLAGS) & XLF_KERNEL_64))
		return too_old(img, e, "it has no 64-bit entry point");
	if (!(head[H_LOADFLAGS] & 1))
		return too_old(img, e, "it is a zImage");
	if (setup >= l->size || l->size - setup < 0x200 + 16)
		return bad(img, e, "it ends within its setup code (truncated?)");
	rc = place_kernel(img, head, l->size - setup, l, e);
	if (rc)
		return rc;
	copy_header(head, l);
	l->initrd_max = get_le32(head + H_INITRD_MAX);
	l->cmdline_max = get_le32(head + H_CMDLINE_SIZE);
	to = mem_ptr(mem, l->first, l->size - setup);
	if (!to)
		return bad(img, e, "it does not fit into memory");
	mem_huge(mem, l->first, l->end - l->first);
	return linux_read(img->kernel, img->kernel_fd, to, l->size - setup, setup, e);
}

static int load_kernel(const struct linux_image *img, const struct guest_mem *mem,
		       struct linux_layout *l, struct err *e)
{
	uint8_t head[HEAD];
	int rc = file_size(img->kernel, img->kernel_fd, &l->size, e);

	if (rc)
		return rc;
	if (l->size < sizeof(head))
		return bad(img, e, "it is too short");
	rc = linux_read(img->kernel, img->kernel_fd, head, sizeof(head), 0, e);
	if (rc)
		return rc;
	if (!memcmp(head, "\177ELF", 4))
		return linux_load_elf(img, mem, head, l, e);
	if (get_le16(head + H_BOOT_FLAG) != 0xaa55 || memcmp(head + H_MAGIC, "HdrS", 4) != 0)
		return bad(img, e, "no boot protocol header");
	return load_bzimage(img, mem, head, l, e);
}

/* --- what goes with it ---------------------------------------------------------------------- */

/*
 * Linux takes its own tables from the top of memory downwards, and its first allocations from
 * behind itself (an ELF kernel: one that unpacks itself moves to a random place).
 */
static void expect_use(const struct guest_mem *mem, const struct linux_layout *l)
{
	const struct mem_region *r = &mem->r[mem->n - 1];
	uint64_t top = MIN(r->size / 4, TOP_EXPECTED);

	mem_huge(mem, r->gpa + r->size - top, top);
	mem_huge(mem, l->end / MEM_HUGE * MEM_HUGE, MIN(mem->r[0].size / 6, AFTER_EXPECTED));
}

/* As high as the kernel allows, so that it is out of the way. */
static int load_initrd(const struct linux_image *img, const struct guest_mem *mem,
		       struct linux_layout *l, uint8_t *params, struct err *e)
{
	uint64_t size = 0, top = MIN(l->low_ram, l->initrd_max + 1), at;
	int rc;

	if (img->initrd_fd < 0)
		return 0;
	rc = file_size(img->initrd, img->initrd_fd, &size, e);
	if (rc)
		return rc;
	at = size <= top ? (top - size) & ~(PAGE - 1) : 0;
	if (at < l->end)
		return err_set(e, ENOMEM,
			       "%s (%" PRIu64 " MiB) does not fit beside the kernel into the "
			       "guest's %" PRIu64 " MiB; give it more with -m",
			       img->initrd, (size + 0xfffff) >> 20, l->low_ram >> 20);
	if (size)
		rc = linux_read(img->initrd, img->initrd_fd, mem_ptr(mem, at, size), size, 0, e);
	put_le32(params + H_RAMDISK, (uint32_t)at);
	put_le32(params + H_RAMDISK_SIZE, (uint32_t)size);
	return rc;
}

static int put_cmdline(const struct linux_image *img, const struct guest_mem *mem,
		       const struct linux_layout *l, uint8_t *params, struct err *e)
{
	const char *text = img->append ? img->append : "";
	size_t len = strlen(text), max = MIN(l->cmdline_max, SEED - CMDLINE - 1);

	if (len > max)
		return err_set(e, E2BIG, "-append: %zu characters; the kernel %s takes at most %zu",
			       len, img->kernel, max);
	put_le32(params + H_CMDLINE, (uint32_t)CMDLINE);
	return mem_write(mem, CMDLINE, text, len + 1);
}

static void e820_add(uint8_t *params, uint64_t from, uint64_t to, uint32_t type)
{
	uint8_t *p = params + P_E820 + (size_t)params[P_E820_ENTRIES]++ * 20;

	put_le64(p, from);
	put_le64(p + 8, to - from);
	put_le32(p + 16, type);
}

static void put_e820(uint8_t *params, uint64_t ram, uint64_t low)
{
	e820_add(params, 0, EBDA, E820_RAM);
	e820_add(params, EBDA, 0xa0000, E820_RESERVED);
	e820_add(params, PC_ACPI_TABLES, PC_ACPI_END, E820_RESERVED);
	e820_add(params, PC_ACPI_END, low, E820_RAM);
	if (ram > low)
		e820_add(params, PC_HIGH_RAM, PC_HIGH_RAM + (ram - low), E820_RAM);
}

/* Entropy for the guest's first random numbers (setup_data type 9), so that it never waits for
 * some. Kernels that do not know the type skip it. */
static void put_seed(const struct guest_mem *mem, uint8_t *params)
{
	uint8_t *p = mem_ptr(mem, SEED, 16 + SEED_LEN);

	put_le64(p, 0);
	put_le32(p + 8, SETUP_RNG_SEED);
	put_le32(p + 12, SEED_LEN);
	if (getrandom(p + 16, SEED_LEN, 0) == SEED_LEN)
		put_le64(params + H_SETUP_DATA, SEED);
}

/* screen_info at the start of boot_params: a linear frame buffer as VESA firmware leaves it. */
void linux_screen(const struct guest_mem *mem, uint64_t base, unsigned width, unsigned height)
{
	uint8_t *s = mem_ptr(mem, PARAMS, PAGE);
	static const uint8_t bits[] = {8, 16, 8, 8, 8, 0, 8, 24}; /* R, G, B, spare: size, place */

	if (!s)
		return;
	s[0x0f] = 0x23; /* VIDEO_TYPE_VLFB */
	put_le16(s + 0x12, (uint16_t)width);
	put_le16(s + 0x14, (uint16_t)height);
	put_le16(s + 0x16, 32);
	put_le32(s + 0x18, (uint32_t)base);
	put_le32(s + 0x1c, VGA_VRAM >> 16);
	put_le16(s + 0x24, (uint16_t)(width * 4));
	memcpy(s + 0x26, bits, sizeof(bits));
}

/* --- the CPU's state ------------------------------------------------------------------------ */

/* Identity map of the first 4 GiB with 2 MiB pages: PML4, one PDPT, four page directories. */
static void put_tables(const struct guest_mem *mem)
{
	uint8_t *t = mem_ptr(mem, TABLES, 6 * PAGE);
	const uint64_t present_rw = 3, large = 0x80;

	memset(t, 0, 6 * PAGE);
	put_le64(t, (TABLES + PAGE) | present_rw);
	for (unsigned i = 0; i < 4; i++)
		put_le64(t + PAGE + (size_t)8 * i, (TABLES + (2 + i) * PAGE) | present_rw);
	for (uint64_t i = 0; i < 4 * 512; i++)
		put_le64(t + 2 * PAGE + 8 * i, i << 21 | large | present_rw);
}

/* __BOOT_CS 0x10: 64-bit code, __BOOT_DS 0x18: data, both flat. */
static void put_gdt(const struct guest_mem *mem, struct accel_boot *boot)
{
	uint8_t *g = mem_ptr(mem, GDT, 32);

	memset(g, 0, 32);
	put_le64(g + 0x10, 0x00af9b000000ffff);
	put_le64(g + 0x18, 0x00cf93000000ffff);
	boot->gdt = GDT;
	boot->gdt_limit = 31;
}

int linux_load(const struct linux_image *img, const struct guest_mem *mem, uint64_t ram,
	       uint64_t rsdp, struct accel_boot *boot, struct err *e)
{
	struct linux_layout l = {.low_ram = MIN(ram, PC_LOW_RAM_END)};
	uint8_t *params = mem_ptr(mem, PARAMS, PAGE);
	int rc;

	if (l.low_ram < MIN_RAM || !params)
		return err_set(e, ENOMEM, "-m: a Linux kernel needs more than %" PRIu64 " MiB",
			       ram >> 20);
	rc = load_kernel(img, mem, &l, e);
	if (rc)
		return rc;
	memset(params, 0, PAGE);
	memcpy(params + H_SETUP_SECTS, l.hdr, sizeof(l.hdr));
	params[H_LOADER] = LOADER_UNASSIGNED;
	put_le64(params + P_ACPI_RSDP, rsdp);
	put_le64(params + H_SETUP_DATA, 0);
	expect_use(mem, &l);
	rc = load_initrd(img, mem, &l, params, e);
	if (!rc)
		rc = put_cmdline(img, mem, &l, params, e);
	if (rc)
		return rc;
	put_e820(params, ram, l.low_ram);
	put_seed(mem, params);
	put_tables(mem);
	*boot = (struct accel_boot){
		.set = true, .rip = l.entry, .rsi = PARAMS, .rsp = STACK, .cr3 = TABLES};
	put_gdt(mem, boot);
	return 0;
}
