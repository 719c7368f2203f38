/* SPDX-License-Identifier: BSD-2-Clause */
/* A bus over the fake accelerator, a virtual clock, and a control loop on a thread of its own, so
 * that the test is to the devices what a vCPU thread is. */
#ifndef TEST_PC_FIXTURE_H
#define TEST_PC_FIXTURE_H

#include "../bus/fake_accel.h"
#include "base/util.h"
#include "machine/pc.h"

struct pc {
	struct fake f;
	struct bus b;
	struct clock clock;
	struct loop *loop;
};

static inline int pc_setup(struct pc *pc)
{
	memset(pc, 0, sizeof(*pc));
	fake_init(&pc->f, false);
	pc->clock.is_virtual = true;
	atomic_store(&pc->clock.now, NS_PER_S);
	pc->loop = loop_new("test", &pc->clock, NULL);
	return pc->loop ? bus_init(&pc->b, &pc->f.a, NULL) : -1;
}

/* After the devices were made: what they register, they register here. */
static inline int pc_run(struct pc *pc)
{
	return loop_start(pc->loop, NULL);
}

static inline void pc_halt(struct pc *pc)
{
	loop_stop(pc->loop);
	loop_join(pc->loop);
}

static inline int pc_teardown(struct pc *pc)
{
	int left = (int)(pc->b.space[BUS_PIO].n + pc->b.space[BUS_MMIO].n);

	bus_exit(&pc->b);
	loop_free(pc->loop);
	return left; /* regions that nobody took away: a failure */
}

static inline uint32_t pc_in(struct pc *pc, uint16_t port, unsigned size)
{
	uint8_t d[4] = {0};

	bus_pio(&pc->b, port, false, d, size, 1);
	return get_le32(d);
}

static inline void pc_out(struct pc *pc, uint16_t port, uint32_t v, unsigned size)
{
	uint8_t d[4];

	put_le32(d, v);
	bus_pio(&pc->b, port, true, d, size, 1);
}

static inline void pc_nothing(void *arg)
{
	(void)arg;
}

/* Moves the clock and returns when the loop has run what is due: events before the first call,
 * timers after it. */
static inline void pc_step(struct pc *pc, uint64_t ns)
{
	atomic_fetch_add(&pc->clock.now, ns);
	loop_kick(pc->loop);
	for (unsigned i = 0; i < 3; i++)
		loop_call(pc->loop, pc_nothing, NULL);
}

#endif
