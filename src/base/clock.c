/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks: see clock.h. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

#include "base/util.h"

uint64_t clock_now(const struct clock *c)
{
	struct timespec ts;

	if (c && c->is_virtual)
		return atomic_load(&c->now);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}
