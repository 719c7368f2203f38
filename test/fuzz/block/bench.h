/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the targets of the disks share: a bus, guest memory as a heap block of just its size, so
 * that ASan sees one byte too many, and images in memory files. The loop does not run: a target
 * does what it would.
 */
#ifndef FUZZ_BLOCK_BENCH_H
#define FUZZ_BLOCK_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "block/disk.h"
#include "bus/pci.h"

#define MEM	   0x10000u
#define BASE	   0x1000u /* guest-physical */
#define IMAGE_SIZE (1u << 20)

struct disk_bench {
	struct accel a;
	struct accel_ops ops;
	struct bus bus;
	struct pci_bus *pci;
	struct loop *loop;
	uint8_t *mem;
	int fd[2]; /* images: of a disk, of a CD */
};

static void bench_irq(struct accel *a, unsigned gsi, bool level)
{
	(void)a;
	(void)gsi;
	(void)level;
}

static void bench_msi(struct accel *a, uint64_t addr, uint32_t data)
{
	(void)a;
	(void)addr;
	(void)data;
}

static void bench_pirq(void *opaque, unsigned line, bool level)
{
	(void)opaque;
	(void)line;
	(void)level;
}

static void bench_make(struct disk_bench *b)
{
	b->ops = (struct accel_ops){.name = "bench", .irq = bench_irq, .msi = bench_msi};
	b->a.ops = &b->ops;
	b->mem = malloc(MEM);
	for (unsigned i = 0; i < 2; i++) {
		b->fd[i] = memfd_create("image", MFD_CLOEXEC);
		if (b->fd[i] < 0 || ftruncate(b->fd[i], IMAGE_SIZE))
			abort();
	}
	b->loop = loop_new("bench", NULL, NULL);
	b->a.mem = (struct guest_mem){
		.fd = -1, .n = 1, .r = {{.gpa = BASE, .size = MEM, .host = b->mem}}};
	if (!b->mem || !b->loop || bus_init(&b->bus, &b->a, NULL))
		abort();
	b->pci = pci_bus_new(&b->bus, bench_pirq, b, NULL);
	if (!b->pci)
		abort();
}

static struct blk *bench_disk(struct disk_bench *b, bool cdrom)
{
	char path[40];
	const struct blk_conf c = {.what = "bench",
				   .file = path,
				   .format = "raw",
				   .cdrom = cdrom,
				   .cache = BLK_UNSAFE,
				   .discard = true};
	struct blk *d;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", b->fd[cdrom]);
	d = blk_new("bench", &c, NULL);
	if (!d)
		abort();
	return d;
}

/* Memory is this, then zeros; the image is all zeros. */
static void bench_begin(struct disk_bench *b, const uint8_t *mem, size_t size)
{
	size_t n = MIN(size, MEM);

	memcpy(b->mem, mem, n);
	memset(b->mem + n, 0, MEM - n);
	if (ftruncate(b->fd[0], 0) || ftruncate(b->fd[0], IMAGE_SIZE))
		abort();
}

#endif
