/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: one thread, one epoll set, timers, deferred tasks, calls from other threads.
 * Everything registered with a loop runs on that loop's thread only, to completion, without
 * locks. Callbacks must not block. Structures are embedded in their owners (container_of): a
 * loop allocates nothing after loop_new(). An idle loop sleeps in epoll_wait without a time-out.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"

struct loop;

/* System calls of a running loop, for sandbox.h. */
extern const int loop_calls[];

/* A watched descriptor. The owner keeps fd open until loop_del_fd() has returned. */
struct loop_fd {
	void (*fn)(struct loop_fd *w, uint32_t events); /* EPOLL* bits */
	int fd;
	uint32_t slot; /* private: index in the loop's table + 1, 0 when not watched */
};

struct loop_timer {
	void (*fn)(struct loop_timer *t);
	uint64_t when; /* ns on the loop's clock */
	uint32_t heap; /* private: position in the heap + 1, 0 when not armed */
};

/* Work put off to the end of the current round of events (or the next, when none is under way). */
struct loop_task {
	void (*fn)(struct loop_task *t);
	struct list link;
	bool queued;
};

/* clock may be NULL (host's). Returns NULL and fills e. */
struct loop *loop_new(const char *name, const struct clock *clock, struct err *e);

/* The thread must have ended (loop_join) or never have been started. */
void loop_free(struct loop *l);

/* Runs the loop on the calling thread until loop_stop(). */
void loop_run(struct loop *l);

/* Runs the loop on a thread of its own. Returns 0 or -errno. */
int loop_start(struct loop *l, struct err *e);

/* Asks the loop to return from loop_run() after the current round. Any thread. */
void loop_stop(struct loop *l);

/* Waits for the thread of loop_start(); no-op if there is none. */
void loop_join(struct loop *l);

/*
 * True on the thread that runs the loop now, or on any thread while the loop is parked by that
 * thread or is not running yet. What "[q] runs there only" is asserted with.
 */
bool loop_is_here(const struct loop *l);

/*
 * Runs fn(arg) on the loop's thread between two callbacks and waits until it has returned. On
 * the loop's own thread, or when the loop does not run, fn is called directly. Any thread; the
 * caller must hold no lock that a callback of this loop takes.
 */
void loop_call(struct loop *l, void (*fn)(void *arg), void *arg);

/*
 * Holds the loop between two callbacks until loop_unpark(); no callback runs meanwhile. Control
 * thread only, never from the loop itself. Several loops may be parked at once by one thread, and
 * one several times: it goes on after as many loop_unpark().
 */
void loop_park(struct loop *l);
void loop_unpark(struct loop *l);

/* Makes the loop look at its clock again (after a virtual clock was stepped). Any thread. */
void loop_kick(struct loop *l);

/* The following only where loop_is_here(). */

/* events: EPOLLIN, EPOLLOUT, EPOLLET … as for epoll_ctl. Returns 0 or -errno. */
int loop_add_fd(struct loop *l, struct loop_fd *w, int fd, uint32_t events,
		void (*fn)(struct loop_fd *w, uint32_t events));
int loop_mod_fd(struct loop *l, struct loop_fd *w, uint32_t events);

/* No callback of w comes after this, also none that epoll had reported already. Idempotent. */
void loop_del_fd(struct loop *l, struct loop_fd *w);

uint64_t loop_now(const struct loop *l); /* ns, read once per round: cheap */

/* Arms (or re-arms) t for `when` ns on the loop's clock. t->fn must be set. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t when);
void loop_timer_del(struct loop *l, struct loop_timer *t); /* idempotent */
uint64_t loop_next_timer(const struct loop *l); /* when the earliest is due; UINT64_MAX: none */

void loop_defer(struct loop *l, struct loop_task *t); /* idempotent while queued */
void loop_undefer(struct loop *l, struct loop_task *t);

#endif
