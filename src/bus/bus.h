/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port I/O and MMIO dispatch. Regions of registers are kept sorted by address; an access that
 * hits none reads as all ones and writes to nowhere. One lock, held while a register handler
 * runs, serialises vCPUs and the control loop; the data path (queue loops) never takes it.
 * Handlers may loop_call() a queue loop; a queue loop must never wait for the bus lock.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/accel.h"
#include "base/err.h"

enum bus_space { BUS_PIO, BUS_MMIO, BUS_SPACES };

/* off: from the region's base. size: 1, 2, 4 or 8 bytes. Values in host order. Called with the
 * bus lock held. Accesses that straddle the region's end arrive split into bytes. */
struct io_ops {
	uint64_t (*read)(void *opaque, uint64_t off, unsigned size);
	void (*write)(void *opaque, uint64_t off, uint64_t val, unsigned size);
	unsigned max; /* widest access the handlers take (1, 2, 4, 8); wider ones are split. 0: 8 */
};

struct io_region {
	uint64_t base, size;
	const struct io_ops *ops;
	void *opaque;
	const char *name;
};

struct bus {
	pthread_mutex_t lock; /* recursive: a handler may call bus_add() */
	struct accel *accel;
	struct {
		struct io_region **v; /* sorted by base */
		unsigned n, room;
	} space[BUS_SPACES];
};

int bus_init(struct bus *b, struct accel *a, struct err *e);
void bus_exit(struct bus *b);

void bus_lock(struct bus *b);
void bus_unlock(struct bus *b);

/* Adds a region owned by the caller, which keeps it alive until bus_del(). -EBUSY when it
 * overlaps another. Lock held or machine not started. */
int bus_add(struct bus *b, enum bus_space s, struct io_region *r, struct err *e);
void bus_del(struct bus *b, enum bus_space s, struct io_region *r); /* idempotent */

/* accel_host.pio and .mmio; opaque is the struct bus. They take the lock. */
void bus_pio(void *opaque, uint16_t port, bool write, uint8_t *data, unsigned size, unsigned count);
void bus_mmio(void *opaque, uint64_t gpa, bool write, uint8_t *data, unsigned len);

#endif
