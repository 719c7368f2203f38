/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loop that stands still, in place of the one in base/loop.h: no thread and no epoll, so that an
 * input gives the same result each time and thousands fit into a second. Descriptors are eventfds
 * here: what is written to one wakes its watcher in the next still_round(). All that a program
 * needs of base/loop.h is here, so the linker leaves the real one out.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "bench.h"

#define FDS    64u
#define TIMERS 64u

struct loop {
	const struct clock *clock;
	uint64_t now;
	struct loop_fd *fd[FDS];
	bool written[FDS];
	struct loop_timer *timer[TIMERS];
	unsigned ntimers;
	struct list tasks;
};

/* The one loop of the program, for write(). */
static struct loop *still;

/* In place of the C library's: a doorbell costs no system call. */
ssize_t write(int fd, const void *buf, size_t n)
{
	for (unsigned i = 0; still && i < FDS; i++) {
		if (still->fd[i] && still->fd[i]->fd == fd) {
			still->written[i] = true;
			return (ssize_t)n;
		}
	}
	return syscall(SYS_write, fd, buf, n);
}

struct loop *loop_new(const char *name, const struct clock *clock, struct err *e)
{
	(void)name;
	(void)e;
	still = calloc(1, sizeof(*still));
	if (!still)
		abort();
	still->clock = clock;
	list_init(&still->tasks);
	return still;
}

void loop_free(struct loop *l)
{
	free(l);
	still = NULL;
}

bool loop_is_here(const struct loop *l)
{
	return l == still;
}

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

/* --- descriptors ---------------------------------------------------------------------------- */

int loop_add_fd(struct loop *l, struct loop_fd *w, int fd, uint32_t events,
		void (*fn)(struct loop_fd *w, uint32_t events))
{
	unsigned i = 0;

	(void)events;
	while (l->fd[i])
		if (++i == FDS)
			abort();
	l->fd[i] = w;
	/* epoll reports what was written before, too. */
	l->written[i] = true;
	w->fn = fn;
	w->fd = fd;
	w->slot = i + 1;
	return 0;
}

int loop_mod_fd(struct loop *l, struct loop_fd *w, uint32_t events)
{
	(void)l;
	(void)w;
	(void)events;
	return 0;
}

void loop_del_fd(struct loop *l, struct loop_fd *w)
{
	if (!w->slot)
		return;
	if (l->fd[w->slot - 1] != w)
		abort();
	l->fd[w->slot - 1] = NULL;
	w->slot = 0;
}

/* --- timers and tasks ----------------------------------------------------------------------- */

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t when)
{
	t->when = when;
	if (t->heap)
		return;
	if (l->ntimers == TIMERS)
		abort();
	l->timer[l->ntimers++] = t;
	t->heap = l->ntimers;
}

void loop_timer_del(struct loop *l, struct loop_timer *t)
{
	if (!t->heap)
		return;
	if (l->timer[t->heap - 1] != t)
		abort();
	l->timer[t->heap - 1] = l->timer[--l->ntimers];
	l->timer[t->heap - 1]->heap = t->heap;
	t->heap = 0;
}

uint64_t loop_next_timer(const struct loop *l)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < l->ntimers; i++)
		if (l->timer[i]->when < first)
			first = l->timer[i]->when;
	return first;
}

void loop_defer(struct loop *l, struct loop_task *t)
{
	if (t->queued)
		return;
	t->queued = true;
	list_add_tail(&l->tasks, &t->link);
}

void loop_undefer(struct loop *l, struct loop_task *t)
{
	(void)l;
	if (!t->queued)
		return;
	t->queued = false;
	list_del(&t->link);
}

/* --- going round ---------------------------------------------------------------------------- */

void still_round(struct loop *l)
{
	unsigned n = 0;

	l->now = clock_now(l->clock);
	for (unsigned i = 0; i < FDS; i++) {
		if (!l->fd[i] || !l->written[i])
			continue;
		l->written[i] = false;
		l->fd[i]->fn(l->fd[i], 1);
	}
	/* Some of those that are due; who sets itself again for now does not hold us up. */
	for (unsigned i = 0; i < l->ntimers && n < TIMERS; n++) {
		struct loop_timer *t = l->timer[i];

		if (t->when > l->now) {
			i++;
			continue;
		}
		loop_timer_del(l, t);
		t->fn(t);
	}
	if (!list_empty(&l->tasks)) {
		struct loop_task *t = container_of(l->tasks.next, struct loop_task, link);

		loop_undefer(l, t);
		t->fn(t);
	}
}

void loop_call(struct loop *l, void (*fn)(void *arg), void *arg)
{
	(void)l;
	fn(arg);
}

/* --- what a loop without a thread has no use for -------------------------------------------- */

void loop_run(struct loop *l)
{
	(void)l;
}

int loop_start(struct loop *l, struct err *e)
{
	(void)l;
	(void)e;
	return 0;
}

void loop_stop(struct loop *l)
{
	(void)l;
}

void loop_join(struct loop *l)
{
	(void)l;
}

void loop_park(struct loop *l)
{
	(void)l;
}

void loop_unpark(struct loop *l)
{
	(void)l;
}

void loop_kick(struct loop *l)
{
	(void)l;
}
