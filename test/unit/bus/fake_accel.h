/* SPDX-License-Identifier: BSD-2-Clause */
/* An accelerator that only keeps a record, for tests of what stands above it. */
#ifndef TEST_FAKE_ACCEL_H
#define TEST_FAKE_ACCEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "accel/accel.h"

#define FAKE_FDS 8

struct fake {
	struct accel a;
	bool irq[24];
	unsigned edges; /* changes of any line */
	unsigned msis;
	uint64_t msi_addr;
	uint32_t msi_data;
	struct {
		int fd; /* -1: free */
		uint64_t addr;
		uint32_t data;
	} irqfd[FAKE_FDS];
	unsigned adds, updates, dels;
	unsigned pauses, resumes, resets;
};

static inline struct fake *fake_of(struct accel *a)
{
	return a->priv;
}

static inline void fake_irq(struct accel *a, unsigned gsi, bool level)
{
	struct fake *f = fake_of(a);

	assert_true(gsi < 24);
	assert_int_not_equal(f->irq[gsi], level);
	f->irq[gsi] = level;
	f->edges++;
}

static inline void fake_msi(struct accel *a, uint64_t addr, uint32_t data)
{
	struct fake *f = fake_of(a);

	f->msis++;
	f->msi_addr = addr;
	f->msi_data = data;
}

static inline int fake_irqfd_add(struct accel *a, int fd, uint64_t addr, uint32_t data,
				 struct err *e)
{
	struct fake *f = fake_of(a);

	f->adds++;
	for (int i = 0; i < FAKE_FDS; i++) {
		if (f->irqfd[i].fd >= 0)
			continue;
		f->irqfd[i].fd = fd;
		f->irqfd[i].addr = addr;
		f->irqfd[i].data = data;
		return i;
	}
	return err_set(e, ENOSPC, "no irqfd left");
}

static inline int fake_irqfd_update(struct accel *a, int handle, uint64_t addr, uint32_t data)
{
	struct fake *f = fake_of(a);

	assert_true(f->irqfd[handle].fd >= 0);
	f->updates++;
	f->irqfd[handle].addr = addr;
	f->irqfd[handle].data = data;
	return 0;
}

static inline void fake_irqfd_del(struct accel *a, int handle)
{
	struct fake *f = fake_of(a);

	assert_true(f->irqfd[handle].fd >= 0);
	f->dels++;
	f->irqfd[handle].fd = -1;
}

/* What the accelerator does with assigned eventfds: takes their counts. Returns injections. */
static inline unsigned fake_inject(struct fake *f)
{
	unsigned n = 0;

	for (int i = 0; i < FAKE_FDS; i++) {
		uint64_t v;

		if (f->irqfd[i].fd < 0 || read(f->irqfd[i].fd, &v, sizeof(v)) != sizeof(v))
			continue;
		f->msi_addr = f->irqfd[i].addr;
		f->msi_data = f->irqfd[i].data;
		n++;
	}
	return n;
}

static inline void fake_init(struct fake *f, bool irqfds)
{
	static const struct accel_ops with = {
		.name = "fake",
		.irq = fake_irq,
		.msi = fake_msi,
		.irqfd_add = fake_irqfd_add,
		.irqfd_update = fake_irqfd_update,
		.irqfd_del = fake_irqfd_del,
	};
	static const struct accel_ops without = {.name = "fake", .irq = fake_irq, .msi = fake_msi};

	memset(f, 0, sizeof(*f));
	for (int i = 0; i < FAKE_FDS; i++)
		f->irqfd[i].fd = -1;
	f->a.ops = irqfds ? &with : &without;
	f->a.mem.fd = -1;
	f->a.priv = f;
}

#endif
