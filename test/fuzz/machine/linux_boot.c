/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: a kernel image, bzImage or ELF.
 *
 * Input: byte 0: guest memory in 128 KiB; byte 1: size of the initrd in 32 KiB,
 * byte 2: length of the command line in 8 characters; the rest is the kernel's file. Guest memory
 * is a heap block of just its size, so that ASan sees one byte too many.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/pc.h"

#define HEAD 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file(const void *data, size_t size, size_t end)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || ftruncate(fd, (off_t)end))
		abort();
	return fd;
}

/* What the CPU is told must be in memory. */
static void check(const struct accel_boot *b, const struct guest_mem *mem)
{
	if (!b->set || !mem_ptr(mem, b->rip, 1) || !mem_ptr(mem, b->rsi, 4096) ||
	    !mem_ptr(mem, b->cr3, 4096) || !mem_ptr(mem, b->gdt, b->gdt_limit + 1u))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_mem mem = {.fd = -1, .n = 1};
	struct linux_image img = {.kernel = "kernel", .kernel_fd = -1, .initrd_fd = -1};
	struct accel_boot boot = {0};
	struct err e = {0};
	char *append;
	uint64_t ram;

	if (size < HEAD)
		return 0;
	ram = (uint64_t)data[0] << 17;
	append = calloc(1, data[2] * 8u + 1);
	mem.r[0] = (struct mem_region){.size = ram, .host = malloc(ram ? ram : 1)};
	if (!append || !mem.r[0].host)
		abort();
	memset(append, 'a', data[2] * 8u);
	img.append = append;
	img.kernel_fd = file(data + HEAD, size - HEAD, size - HEAD);
	if (data[1]) {
		img.initrd = "initrd";
		img.initrd_fd = file(data, size, (size_t)data[1] << 15);
	}
	if (!linux_load(&img, &mem, ram, 0xe0000, &boot, &e))
		check(&boot, &mem);
	else if (!e.code || !e.text[0] || strchr(e.text, '\n'))
		abort();
	linux_close(&img);
	free(mem.r[0].host);
	free(append);
	return 0;
}
