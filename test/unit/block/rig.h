/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of disks: images in memory files, a request carried out to its end, and an IDE
 * controller on a bus without a machine, whose loop does not run: rig_settle() does what it would.
 */
#ifndef TEST_BLOCK_RIG_H
#define TEST_BLOCK_RIG_H

#include "../bus/fake_accel.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "block/ide_priv.h"
#include "block/image.h"

#define RIG_MEM (1u << 20)

/* A file of `size` bytes whose sector n is filled with n; the name is valid while fd is open. */
struct rig_file {
	int fd;
	char path[64];
};

static inline struct rig_file rig_file(uint64_t size)
{
	char path[] = "/var/tmp/vmwire-unit-XXXXXX";
	struct rig_file f = {.fd = mkstemp(path)};
	uint8_t sector[512];

	assert_true(f.fd >= 0);
	for (uint64_t i = 0; i * 512 < size; i++) {
		memset(sector, (int)(i & 255), sizeof(sector));
		assert_int_equal(pwrite(f.fd, sector, 512, (off_t)(i * 512)), 512);
	}
	assert_int_equal(ftruncate(f.fd, (off_t)size), 0);
	snprintf(f.path, sizeof(f.path), "%s", path);
	return f;
}

static inline void rig_file_end(struct rig_file *f)
{
	close(f->fd);
	unlink(f->path);
}

struct rig {
	struct fake f;
	struct bus b;
	struct pci_bus *p;
	struct loop *loop;
	struct ide *x;
	struct blk *blk[4];
	uint8_t *mem;
	bool line[2];
	unsigned edges[2];
};

static inline void rig_irq(void *opaque, unsigned irq, bool level)
{
	struct rig *r = opaque;

	assert_true(irq == 14 || irq == 15);
	assert_int_not_equal(r->line[irq - 14], level);
	r->line[irq - 14] = level;
	r->edges[irq - 14] += level;
}

static inline void rig_pirq(void *opaque, unsigned line, bool level)
{
	(void)opaque;
	(void)line;
	(void)level;
}

static inline void rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	fake_init(&r->f, false);
	r->mem = calloc(1, RIG_MEM);
	assert_non_null(r->mem);
	r->f.a.mem.n = 1;
	r->f.a.mem.r[0] = (struct mem_region){.size = RIG_MEM, .host = r->mem};
	assert_int_equal(bus_init(&r->b, &r->f.a, NULL), 0);
	r->p = pci_bus_new(&r->b, rig_pirq, r, NULL);
	r->loop = loop_new("rig", NULL, NULL);
	assert_non_null(r->p);
	assert_non_null(r->loop);
}

static inline void rig_exit(struct rig *r)
{
	pci_bus_free(r->p);
	for (unsigned i = 0; i < 4; i++)
		blk_free(r->blk[i]);
	loop_free(r->loop);
	bus_exit(&r->b);
	free(r->mem);
}

/* A drive at place 0 … 3 of the IDE controller. */
static inline struct ide_drive *rig_plug(struct rig *r, unsigned at, const struct blk_conf *c)
{
	struct err e;

	if (!r->x) {
		r->x = ide_new(r->p, r->loop, rig_irq, r, &e);
		assert_non_null(r->x);
		r->x->pci.config[4] = 5;
		atomic_store(&r->x->pci.master, true);
	}
	r->blk[at] = blk_new("d", c, &e);
	assert_non_null(r->blk[at]);
	assert_int_equal(ide_plug(r->x, at / 2, at % 2, r->blk[at], "serial", &e), 0);
	return &r->x->ch[at / 2].drive[at % 2];
}

/* All requests come to their end. */
static inline void rig_settle(struct rig *r)
{
	for (unsigned i = 0; i < 4; i++) {
		struct ide_drive *d = &r->x->ch[i / 2].drive[i % 2];

		while (d->b && d->busy) {
			blk_settle(&d->bq);
			d->bq.ready(&d->bq);
		}
	}
}

static inline uint32_t rig_in(struct rig *r, uint16_t port, unsigned size)
{
	uint8_t d[4] = {0};

	bus_pio(&r->b, port, false, d, size, 1);
	return get_le32(d);
}

static inline void rig_out(struct rig *r, uint16_t port, uint32_t v, unsigned size)
{
	uint8_t d[4];

	put_le32(d, v);
	bus_pio(&r->b, port, true, d, size, 1);
}

/* A command with 28-bit address to the first drive of the first channel; returns its status. */
static inline uint8_t rig_command(struct rig *r, uint8_t cmd, uint32_t lba, uint8_t n)
{
	rig_out(r, 0x1f2, n, 1);
	rig_out(r, 0x1f3, lba, 1);
	rig_out(r, 0x1f4, lba >> 8, 1);
	rig_out(r, 0x1f5, lba >> 16, 1);
	rig_out(r, 0x1f6, 0xe0 | (lba >> 24 & 15), 1);
	rig_out(r, 0x1f7, cmd, 1);
	rig_settle(r);
	return (uint8_t)rig_in(r, 0x3f6, 1);
}

#endif
