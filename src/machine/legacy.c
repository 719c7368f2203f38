/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small things at fixed ports that every PC kernel touches: port 0x92, the POST port, the timer's
 * gate port, ELCR, the DMA page registers.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/pc.h"

#define A20	   0x02
#define FAST_RESET 0x01

enum { R_92, R_POST, R_61, R_ELCR, R_PAGES, REGIONS };

struct legacy {
	struct io_region io[REGIONS];
	struct bus *b;
	struct pc_power power;
	const struct clock *clock;
	uint8_t p92, p61, elcr[2], page[15];
};

static uint64_t post_read(void *opaque, uint64_t off, unsigned size)
{
	(void)opaque;
	(void)off;
	(void)size;
	return 0xff;
}

static uint64_t p92_read(void *opaque, uint64_t off, unsigned size)
{
	const struct legacy *l = opaque;

	(void)off;
	(void)size;
	return l->p92;
}

static void p92_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct legacy *l = opaque;
	bool edge = val & FAST_RESET && !(l->p92 & FAST_RESET);

	(void)off;
	(void)size;
	l->p92 = (uint8_t)val & (A20 | FAST_RESET);
	if (edge)
		l->power.reset(l->power.opaque);
}

static void ignore_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	(void)opaque;
	(void)off;
	(void)val;
	(void)size;
}

/* Reached only without the in-kernel PIT (qtest): bit 4 toggles with each 15 µs DRAM refresh. */
static uint64_t p61_read(void *opaque, uint64_t off, unsigned size)
{
	const struct legacy *l = opaque;

	(void)off;
	(void)size;
	return l->p61 | (clock_now(l->clock) / 15085 & 1) << 4;
}

static void p61_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct legacy *l = opaque;

	(void)off;
	(void)size;
	l->p61 = (uint8_t)val & 0x0f;
}

/* Edge/level control of the PICs; reached only without the in-kernel ones (qtest). */
static uint64_t elcr_read(void *opaque, uint64_t off, unsigned size)
{
	const struct legacy *l = opaque;

	(void)size;
	return l->elcr[off];
}

static void elcr_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct legacy *l = opaque;

	(void)size;
	/* IRQ 0–2, 8 and 13 are edge-triggered for good (82371SB, ELCR1/2). */
	l->elcr[off] = (uint8_t)val & (off ? 0xde : 0xf8);
}

/* No DMA: page registers are memory. */
static uint64_t page_read(void *opaque, uint64_t off, unsigned size)
{
	const struct legacy *l = opaque;

	(void)size;
	return l->page[off];
}

static void page_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct legacy *l = opaque;

	(void)size;
	l->page[off] = (uint8_t)val;
}

static const struct io_ops p92_ops = {p92_read, p92_write, 1};
static const struct io_ops post_ops = {post_read, ignore_write, 1};
static const struct io_ops p61_ops = {p61_read, p61_write, 1};
static const struct io_ops elcr_ops = {elcr_read, elcr_write, 1};
static const struct io_ops page_ops = {page_read, page_write, 1};

struct legacy *legacy_new(struct bus *b, const struct clock *clock, const struct pc_power *power,
			  struct err *e)
{
	struct legacy *l = calloc(1, sizeof(*l));

	if (!l) {
		err_set(e, ENOMEM, "no memory for the chipset");
		return NULL;
	}
	l->b = b;
	l->power = *power;
	l->clock = clock;
	l->p92 = A20;
	l->io[R_92] = (struct io_region){0x92, 1, &p92_ops, l, "port 92"};
	l->io[R_POST] = (struct io_region){0x80, 1, &post_ops, l, "POST port"};
	l->io[R_61] = (struct io_region){0x61, 1, &p61_ops, l, "timer gate"};
	l->io[R_ELCR] = (struct io_region){0x4d0, 2, &elcr_ops, l, "ELCR"};
	l->io[R_PAGES] = (struct io_region){0x81, 15, &page_ops, l, "DMA pages"};
	for (unsigned i = 0; i < REGIONS; i++)
		if (bus_add(b, BUS_PIO, &l->io[i], e)) {
			legacy_free(l);
			return NULL;
		}
	return l;
}

void legacy_reset(struct legacy *l)
{
	l->p92 = A20;
	l->p61 = 0;
	memset(l->elcr, 0, sizeof(l->elcr));
	memset(l->page, 0, sizeof(l->page));
}

void legacy_free(struct legacy *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < REGIONS; i++)
		bus_del(l->b, BUS_PIO, &l->io[i]);
	free(l);
}
