/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time in nanoseconds. A clock is the host's CLOCK_MONOTONIC, or virtual: it stands still until
 * somebody steps it (the qtest accelerator's clock_step), so that timers are testable.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct clock {
	bool is_virtual;
	_Atomic uint64_t now; /* ns; used when is_virtual */
};

/* ns since an arbitrary start. Any thread. A NULL clock is the host's monotonic one. */
uint64_t clock_now(const struct clock *c);

#endif
