/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debug console: a port that swallows bytes. SeaBIOS writes what it does to 0x402, others (the
 * Bochs convention) to 0xe9. A read answers E9h, by which firmware knows that somebody listens.
 */
#include <errno.h>
#include <stdlib.h>

#include "machine/chardev.h"
#include "machine/pc.h"

#define PORTS 2

struct debugcon {
	struct io_region io[PORTS];
	struct bus *b;
	struct chardev *c;
};

static uint64_t debug_read(void *opaque, uint64_t off, unsigned size)
{
	(void)opaque;
	(void)off;
	(void)size;
	return 0xe9;
}

static void debug_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	const struct debugcon *d = opaque;
	uint8_t v = (uint8_t)val;

	(void)off;
	(void)size;
	chardev_write(d->c, 0, &v, 1);
}

static const struct io_ops debug_ops = {debug_read, debug_write, 1};

struct debugcon *debugcon_new(struct bus *b, struct chardev *c, struct err *e)
{
	static const uint16_t port[PORTS] = {0x402, 0xe9};
	struct debugcon *d = calloc(1, sizeof(*d));

	if (!d) {
		err_set(e, ENOMEM, "no memory for the debug console");
		return NULL;
	}
	d->b = b;
	d->c = c;
	for (unsigned i = 0; i < PORTS; i++) {
		d->io[i] = (struct io_region){port[i], 1, &debug_ops, d, "debug console"};
		if (bus_add(b, BUS_PIO, &d->io[i], e)) {
			debugcon_free(d);
			return NULL;
		}
	}
	return d;
}

void debugcon_free(struct debugcon *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < PORTS; i++)
		bus_del(d->b, BUS_PIO, &d->io[i]);
	free(d);
}
