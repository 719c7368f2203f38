/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The place that an object (a card, a queue) has on an event loop, which may change or be none,
 * with a doorbell: an eventfd that the loop watches, and KVM may write to by itself.
 *
 * Other threads reach the object by seat_call(), which runs a function where the object is now
 * and waits, or by seat_kick(), which does not wait.
 */
#ifndef BASE_SEAT_H
#define BASE_SEAT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"

struct seat {
	void (*kicked)(struct seat *s); /* on the loop: somebody wrote to the doorbell */
	_Atomic(struct loop *) loop;
	pthread_mutex_t home; /* owns the object while it has no loop */
	int kick;	      /* eventfd: the doorbell; never read */
	_Atomic bool ringing; /* written to by seat_kick() and not yet served */
	struct loop_fd watch;
};

/* A seat without a loop. who: of messages, "e1000". Returns 0 or -errno; after an error, as with a
 * seat of zeros whose kick is -1, seat_exit() does nothing. */
int seat_init(struct seat *s, void (*kicked)(struct seat *s), const char *who, struct err *e);
void seat_exit(struct seat *s); /* moved to no loop before */

/* [ctl] Moves to loop `to`, NULL: to none, both parked or not running. A kick that came before, or
 * while there was no loop, is delivered there. After an error there is none. */
int seat_move(struct seat *s, struct loop *to, const char *who, struct err *e);

/* Runs fn(arg) on the loop, or in place without one, and waits. Any thread that holds no lock a
 * callback of the loop takes. */
void seat_call(struct seat *s, void (*fn)(void *arg), void *arg);

/* kicked() runs soon. Any thread. */
void seat_kick(struct seat *s);

static inline struct loop *seat_loop(const struct seat *s)
{
	return atomic_load(&s->loop);
}

#endif
