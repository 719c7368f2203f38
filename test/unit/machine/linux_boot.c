/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel images: what a good one becomes in memory, and that no broken one is taken or trusted. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "pc_fixture.h"

#define RAM    (64ull << 20)
#define PREF   (16ull << 20)
#define SETUP  (5 * 512u) /* four setup sectors and the boot sector */
#define BODY   0x3000u
#define PARAMS 0x7000

static struct guest_mem mem;
static struct accel_boot boot;
static struct err e;
static uint8_t img[SETUP + BODY];

static int setup(void **state)
{
	(void)state;
	mem = (struct guest_mem){.fd = -1};
	memset(&boot, 0, sizeof(boot));
	memset(&e, 0, sizeof(e));
	return mem_add(&mem, 0, RAM, NULL);
}

static int teardown(void **state)
{
	(void)state;
	mem_free(&mem);
	return 0;
}

/* A file without a name in the file system. */
static int file(const void *data, size_t len, char *path, size_t room)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	snprintf(path, room, "/proc/self/fd/%d", fd);
	return fd;
}

static int load(const void *kernel, size_t len, size_t initrd_len, const char *append)
{
	char kpath[64], ipath[64];
	struct linux_image li;
	uint8_t *initrd = malloc(initrd_len + 1);
	int kfd = file(kernel, len, kpath, sizeof(kpath)), ifd, rc;

	assert_non_null(initrd);
	memset(initrd, 'i', initrd_len);
	ifd = file(initrd, initrd_len, ipath, sizeof(ipath));
	rc = linux_open(&li, kpath, initrd_len ? ipath : NULL, append, &e);
	assert_int_equal(rc, 0);
	rc = linux_load(&li, &mem, mem.r[0].size, 0xe0000, &boot, &e);
	linux_close(&li);
	close(kfd);
	close(ifd);
	free(initrd);
	/* An error always comes with its words. */
	assert_true(rc == 0 || (rc == -e.code && e.text[0]));
	return rc;
}

static void make_bzimage(void)
{
	memset(img, 0, sizeof(img));
	img[0x1f1] = 4;
	put_le16(img + 0x1fe, 0xaa55);
	img[0x200] = 0xeb;
	img[0x201] = 0x66;
	memcpy(img + 0x202, "HdrS", 4);
	put_le16(img + 0x206, 0x020f);
	img[0x211] = 1;
	put_le32(img + 0x22c, 0x7fffffff);
	put_le32(img + 0x230, 0x200000);
	img[0x234] = 1;
	put_le16(img + 0x236, 3);
	put_le32(img + 0x238, 2047);
	put_le64(img + 0x258, PREF);
	put_le32(img + 0x260, 0x100000);
	memset(img + SETUP, 'k', BODY);
}

static uint64_t param(unsigned off, unsigned size)
{
	uint64_t v = 0;

	assert_int_equal(mem_read(&mem, PARAMS + off, &v, size), 0);
	return v;
}

/* --- bzImage -------------------------------------------------------------------------------- */

static void bzimage_is_loaded(void **state)
{
	uint64_t pte;

	(void)state;
	make_bzimage();
	assert_int_equal(load(img, sizeof(img), 5000, "console=ttyS0"), 0);
	assert_true(boot.set);
	assert_int_equal(boot.rip, PREF + 0x200);
	assert_int_equal(boot.rsi, PARAMS);
	assert_memory_equal(mem_ptr(&mem, PREF, BODY), img + SETUP, BODY);
	assert_int_equal(param(0x202, 4), 0x53726448);
	assert_int_equal(param(0x210, 1), 0xff);
	assert_int_equal(param(0x70, 8), 0xe0000);
	assert_int_equal(param(0x1ef, 1), 0); /* the sentinel: the page was zeroed */
	assert_string_equal(mem_ptr(&mem, param(0x228, 4), 14), "console=ttyS0");
	/* The initrd: whole, page-aligned, at the top. */
	assert_int_equal(param(0x21c, 4), 5000);
	assert_int_equal(param(0x218, 4), (RAM - 5000) & ~4095ull);
	assert_memory_equal(mem_ptr(&mem, param(0x218, 4) + 4990, 10), "iiiiiiiiii", 10);
	/* Page tables: 1 GiB and its neighbours map to themselves. */
	assert_int_equal(mem_read(&mem, boot.cr3 + 2 * 4096 + 8 * 513, &pte, 8), 0);
	assert_int_equal(pte, (513ull << 21) | 0x83);
	/* GDT: long-mode code at 0x10, data at 0x18. */
	assert_true(boot.gdt_limit >= 31);
	assert_int_equal(get_le64(mem_ptr(&mem, boot.gdt + 0x10, 8)) >> 53 & 1, 1);
}

static void e820_covers_memory(void **state)
{
	uint64_t ram = 0, last = 0;

	(void)state;
	make_bzimage();
	assert_int_equal(load(img, sizeof(img), 0, NULL), 0);
	for (unsigned i = 0; i < param(0x1e8, 1); i++) {
		uint64_t at = param(0x2d0 + 20 * i, 8), len = param(0x2d8 + 20 * i, 8);

		assert_true(at >= last && len > 0);
		last = at + len;
		if (param(0x2e0 + 20 * i, 4) == 1)
			ram += len;
		else
			assert_true(at >= 0x9fc00);
	}
	assert_int_equal(last, RAM);
	assert_int_equal(ram, RAM - (1 << 20) + 0x9fc00);
}

static void loads_again_after_reset(void **state)
{
	(void)state;
	make_bzimage();
	assert_int_equal(load(img, sizeof(img), 100, "a"), 0);
	memset(mem_ptr(&mem, 0, RAM), 0x55, RAM);
	assert_int_equal(load(img, sizeof(img), 100, "b"), 0);
	assert_memory_equal(mem_ptr(&mem, PREF, BODY), img + SETUP, BODY);
	assert_int_equal(param(0x1e8, 1), 4);
	assert_string_equal(mem_ptr(&mem, 0x20000, 2), "b");
}

static void command_line_has_a_limit(void **state)
{
	char *text = calloc(1, 3000);

	(void)state;
	assert_non_null(text);
	make_bzimage();
	memset(text, 'x', 2047);
	assert_int_equal(load(img, sizeof(img), 0, text), 0);
	text[2047] = 'x';
	assert_int_equal(load(img, sizeof(img), 0, text), -E2BIG);
	assert_non_null(strstr(e.text, "-append: 2048"));
	assert_non_null(strstr(e.text, "2047"));
	/* A limit larger than the room we have for it. */
	put_le32(img + 0x238, UINT32_MAX);
	assert_int_equal(load(img, sizeof(img), 0, text), 0);
	free(text);
}

static void initrd_must_fit(void **state)
{
	(void)state;
	make_bzimage();
	assert_int_equal(load(img, sizeof(img), RAM - PREF - 0x100000, NULL), 0);
	assert_int_equal(load(img, sizeof(img), RAM - PREF - 0x100000 + 1, NULL), -ENOMEM);
	assert_non_null(strstr(e.text, "-m"));
	assert_int_equal(load(img, sizeof(img), RAM + 1, NULL), -ENOMEM);
	/* The kernel's own limit. */
	put_le32(img + 0x22c, 0x1fffffff & (PREF + 0x200000 - 1));
	assert_int_equal(load(img, sizeof(img), 0x1000, NULL), 0);
	assert_true(param(0x218, 4) + 0x1000 <= PREF + 0x200000);
	put_le32(img + 0x22c, 0);
	assert_int_equal(load(img, sizeof(img), 0x1000, NULL), -ENOMEM);
}

static void broken_bzimages_are_refused(void **state)
{
	static const struct {
		unsigned off, size;
		uint64_t val;
		int rc;
		const char *text;
	} c[] = {
		{0x1fe, 2, 0, -ENOEXEC, "is not a Linux kernel"},
		{0x202, 4, 0x12345678, -ENOEXEC, "is not a Linux kernel"},
		{0x206, 2, 0x0208, -ENOEXEC, "boot protocol"},
		{0x236, 2, 0, -ENOEXEC, "64-bit"},
		{0x211, 1, 0, -ENOEXEC, "zImage"},
		{0x1f1, 1, 255, -ENOEXEC, "truncated"},
		{0x258, 8, 0, -ENOEXEC, "preferred"},
		{0x258, 8, UINT64_MAX, -ENOEXEC, "preferred"},
		{0x258, 8, PREF + 1, -ENOEXEC, "alignment"},
		{0x230, 4, 0, -ENOEXEC, "alignment"},
		{0x230, 4, 3, -ENOEXEC, "alignment"},
		{0x260, 4, UINT32_MAX, -ENOMEM, "-m"},
		{0x260, 4, (uint32_t)(RAM - PREF + 1), -ENOMEM, "-m"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
		uint64_t v = htole64(c[i].val);

		make_bzimage();
		memcpy(img + c[i].off, &v, c[i].size);
		assert_int_equal(load(img, sizeof(img), 0, NULL), c[i].rc);
		assert_non_null(strstr(e.text, c[i].text));
		assert_non_null(strstr(e.text, "/proc/self/fd/"));
	}
}

static void truncation_anywhere_is_an_error(void **state)
{
	(void)state;
	make_bzimage();
	for (size_t n = 0; n < SETUP + 0x210; n += n < 1100 ? 37 : 111)
		assert_int_equal(load(img, n, 0, NULL), -ENOEXEC);
}

/* Whatever the header says: an error with words, or everything in its place. */
static void check_any(const void *data, size_t len)
{
	if (load(data, len, 333, "x"))
		return;
	assert_true(boot.rip >= 0x100000 && boot.rip < mem.r[0].size);
	assert_true(param(0x218, 4) + 333 <= mem.r[0].size);
	assert_true(param(0x218, 4) > boot.rip);
}

static uint32_t rnd(uint32_t *s)
{
	*s = *s * 1664525 + 1013904223;
	return *s >> 8;
}

static void random_headers_do_no_harm(void **state)
{
	static const uint8_t edge[] = {0, 1, 0x7f, 0x80, 0xff};
	uint32_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 1500; i++) {
		make_bzimage();
		for (unsigned k = rnd(&seed) % 6 + 1; k; k--)
			img[0x1f1 + rnd(&seed) % 0x80] =
				rnd(&seed) & 1 ? edge[rnd(&seed) % 5] : (uint8_t)rnd(&seed);
		check_any(img, rnd(&seed) % 8 ? sizeof(img) : rnd(&seed) % sizeof(img));
	}
}

/* --- ELF ------------------------------------------------------------------------------------ */

struct elf {
	Elf64_Ehdr h;
	Elf64_Phdr p[2];
	uint8_t code[4096];
};

static struct elf elf;

static void make_elf(void)
{
	memset(&elf, 0, sizeof(elf));
	memcpy(elf.h.e_ident, ELFMAG, 4);
	elf.h.e_ident[EI_CLASS] = ELFCLASS64;
	elf.h.e_ident[EI_DATA] = ELFDATA2LSB;
	elf.h.e_type = ET_EXEC;
	elf.h.e_machine = EM_X86_64;
	elf.h.e_phoff = offsetof(struct elf, p);
	elf.h.e_phentsize = sizeof(Elf64_Phdr);
	elf.h.e_phnum = 2;
	elf.h.e_entry = PREF + 0x40;
	for (unsigned i = 0; i < 2; i++)
		elf.p[i] = (Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_offset = offsetof(struct elf, code) + 2048 * i,
			.p_vaddr = 0xffffffff81000000ull + 0x10000 * i,
			.p_paddr = PREF + 0x10000 * i,
			.p_filesz = 2048,
			.p_memsz = 0x8000,
		};
	memset(elf.code, 'e', sizeof(elf.code));
}

static void elf_is_loaded(void **state)
{
	uint8_t *at;

	(void)state;
	make_elf();
	memset(mem_ptr(&mem, 0, RAM), 0x55, RAM);
	assert_int_equal(load(&elf, sizeof(elf), 100, "q"), 0);
	assert_int_equal(boot.rip, PREF + 0x40);
	at = mem_ptr(&mem, PREF + 0x10000, 0x8000);
	assert_int_equal(at[2047], 'e');
	assert_int_equal(at[2048], 0); /* bss */
	assert_int_equal(at[0x7fff], 0);
	assert_int_equal(param(0x202, 4), 0x53726448);
	assert_int_equal(param(0x1fe, 2), 0xaa55);
	/* A virtual entry point means the same place. */
	elf.h.e_entry = 0xffffffff81000040ull;
	assert_int_equal(load(&elf, sizeof(elf), 0, NULL), 0);
	assert_int_equal(boot.rip, PREF + 0x40);
}

#define BREAK(field, val, rc, words)                                                               \
	do {                                                                                       \
		make_elf();                                                                        \
		elf.field = (val);                                                                 \
		assert_int_equal(load(&elf, sizeof(elf), 0, NULL), rc);                            \
		assert_non_null(strstr(e.text, words));                                            \
	} while (0)

static void broken_elfs_are_refused(void **state)
{
	(void)state;
	BREAK(h.e_ident[EI_CLASS], ELFCLASS32, -ENOEXEC, "architecture");
	BREAK(h.e_machine, EM_AARCH64, -ENOEXEC, "architecture");
	BREAK(h.e_type, ET_REL, -ENOEXEC, "not executable");
	BREAK(h.e_phentsize, 32, -ENOEXEC, "program headers");
	BREAK(h.e_phnum, 0, -ENOEXEC, "program headers");
	BREAK(h.e_phnum, 0xffff, -ENOEXEC, "program headers");
	BREAK(h.e_phoff, sizeof(elf) - 10, -ENOEXEC, "beyond the end");
	BREAK(h.e_phoff, UINT64_MAX, -ENOEXEC, "beyond the end");
	BREAK(h.e_phoff, UINT64_MAX - 100, -ENOEXEC, "beyond the end");
	BREAK(h.e_entry, PREF - 1, -ENOEXEC, "entry point");
	BREAK(h.e_entry, UINT64_MAX, -ENOEXEC, "entry point");
	BREAK(p[0].p_offset, UINT64_MAX - 1, -ENOEXEC, "truncated");
	BREAK(p[1].p_offset, sizeof(elf) - 2047, -ENOEXEC, "truncated");
	BREAK(p[0].p_filesz, UINT64_MAX, -ENOEXEC, "more bytes");
	BREAK(p[0].p_memsz, UINT64_MAX, -ENOMEM, "-m");
	BREAK(p[0].p_memsz, RAM, -ENOMEM, "-m");
	BREAK(p[1].p_paddr, UINT64_MAX - 0x100, -ENOMEM, "-m");
	BREAK(p[1].p_paddr, 0x7000, -ENOEXEC, "below 1 MiB");
	make_elf();
	elf.p[0].p_type = elf.p[1].p_type = PT_NOTE;
	assert_int_equal(load(&elf, sizeof(elf), 0, NULL), -ENOEXEC);
	assert_non_null(strstr(e.text, "nothing to load"));
}

static void random_elfs_do_no_harm(void **state)
{
	static const uint64_t edge[] = {0,   1,		 0xff,	     0x100000,
					RAM, UINT32_MAX, 1ull << 63, UINT64_MAX};
	uint32_t seed = 2;

	(void)state;
	for (unsigned i = 0; i < 1500; i++) {
		make_elf();
		for (unsigned k = rnd(&seed) % 4 + 1; k; k--) {
			uint64_t v = htole64(edge[rnd(&seed) % ARRAY_SIZE(edge)]);
			size_t off = 16 + rnd(&seed) % (offsetof(struct elf, code) - 24);

			memcpy((uint8_t *)&elf + off, &v, 1u << rnd(&seed) % 4);
		}
		check_any(&elf, rnd(&seed) % 8 ? sizeof(elf) : rnd(&seed) % sizeof(elf));
	}
}

/* --- files ---------------------------------------------------------------------------------- */

static void files_are_named_in_errors(void **state)
{
	struct linux_image li;

	(void)state;
	assert_int_equal(linux_open(&li, "/nonexistent/k", NULL, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.text, "-kernel /nonexistent/k"));
	assert_int_equal(linux_open(&li, "/proc/self/exe", "/nonexistent/i", NULL, &e), -ENOENT);
	assert_non_null(strstr(e.text, "-initrd /nonexistent/i"));
	assert_int_equal(li.kernel_fd, -1);
	assert_int_equal(linux_open(&li, "/", NULL, NULL, &e), -EINVAL);
	assert_non_null(strstr(e.text, "not a regular file"));
}

static void tiny_guests_are_refused(void **state)
{
	(void)state;
	make_bzimage();
	mem_free(&mem);
	mem = (struct guest_mem){.fd = -1};
	assert_int_equal(mem_add(&mem, 0, 512 << 10, NULL), 0);
	assert_int_equal(load(img, sizeof(img), 0, NULL), -ENOMEM);
	mem_free(&mem);
	mem = (struct guest_mem){.fd = -1};
	assert_int_equal(mem_add(&mem, 0, 16 << 20, NULL), 0);
	assert_int_equal(load(img, sizeof(img), 0, NULL), -ENOMEM);
	assert_non_null(strstr(e.text, "at least 17 MiB"));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bzimage_is_loaded),
		T(e820_covers_memory),
		T(loads_again_after_reset),
		T(command_line_has_a_limit),
		T(initrd_must_fit),
		T(broken_bzimages_are_refused),
		T(truncation_anywhere_is_an_error),
		T(random_headers_do_no_harm),
		T(elf_is_loaded),
		T(broken_elfs_are_refused),
		T(random_elfs_do_no_harm),
		T(files_are_named_in_errors),
		T(tiny_guests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
