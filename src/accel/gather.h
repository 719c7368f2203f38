/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Huge pages for guest memory while the guest runs: a thread that watches where the guest has
 * begun to use memory, and gathers those blocks of 2 MiB into one page each.
 */
#ifndef ACCEL_GATHER_H
#define ACCEL_GATHER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/mem.h"
#include "base/err.h"

struct gather {
	const struct guest_mem *mem;
	pthread_t thread;
	bool threaded;	/* thread is valid, or was before it ended by itself */
	uint8_t *state; /* the thread's: for each block of the memfd, tries left; 0: done with */
	_Atomic unsigned looks; /* passes made */
	_Atomic bool asleep;	/* the guest's memory stood still: waits for gather_poke() */
	pthread_mutex_t lock;	/* the following */
	pthread_cond_t cond;
	bool quit, poked;
	/* Called first on the thread; false: it ends. May be NULL. */
	bool (*enter)(void *arg);
	void *enter_arg;
};

/* Starts the thread. mem must stay as it is until gather_stop(). Returns 0 or -errno. */
int gather_start(struct gather *g, const struct guest_mem *mem, struct err *e);

/* Ends the thread; no-op on one that was not started. */
void gather_stop(struct gather *g);

/* Private: wakes it. */
void gather_wake(struct gather *g);

/* The guest does something. Any thread, between gather_start() and gather_stop(); costs a load. */
static inline void gather_poke(struct gather *g)
{
	if (atomic_load_explicit(&g->asleep, memory_order_relaxed))
		gather_wake(g);
}

/*
 * One look at all of memory, for gather's thread and for tests: blocks with at least 1/16 of
 * their pages in use become huge. state as in struct gather. Returns how many did, or -ENOTSUP
 * where the kernel cannot.
 */
int gather_pass(const struct guest_mem *mem, uint8_t *state);

/* How many blocks the memfd has: the length of state. */
size_t gather_blocks(const struct guest_mem *mem);

#define GATHER_TRIES 3 /* what state starts with */

#endif
