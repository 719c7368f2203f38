/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clock steps. A test steps the virtual clock and then looks at what the timers did, so the
 * answer goes out only when all timers that became due have run, and what they put off as well.
 *
 * The clock stops at each deadline on its way (of any loop), as real time would, so that a
 * periodic timer fires as often as it should. After each stop the control loop, which is this
 * one, goes through two rounds (hence the state machine instead of a wait), and so does every
 * other loop, proved by a task that puts itself off once: what timers of the first round put off
 * runs before it in the second. Before the answer all go round once more, for what one loop left
 * to another.
 */
#include <semaphore.h>

#include "accel/qtest.h"
#include "base/util.h"

#define ROUNDS	  2    /* of a loop, until a due timer and its tasks have run for certain */
#define MAX_STOPS 1000 /* deadlines on the way of one step; then straight to its end */

struct settle {
	struct loop *loop;
	struct loop_task task;
	pthread_t caller;
	unsigned rounds;
	bool wait; /* the loop runs on another thread */
	uint64_t next;
	sem_t done;
};

static void settle_round(struct loop_task *t)
{
	struct settle *s = container_of(t, struct settle, task);

	if (--s->rounds) {
		loop_defer(s->loop, t);
		return;
	}
	s->next = loop_next_timer(s->loop);
	sem_post(&s->done);
}

static void settle_start(void *arg)
{
	struct settle *s = arg;

	/* Called directly: the loop is parked or does not run, and will not do rounds. */
	s->wait = !pthread_equal(s->caller, pthread_self());
	if (s->wait)
		loop_defer(s->loop, &s->task);
	else
		s->next = loop_next_timer(s->loop);
}

/* Lets the loop run what is due; returns its next deadline. */
static uint64_t settle(struct loop *l)
{
	struct settle s = {.loop = l,
			   .task.fn = settle_round,
			   .caller = pthread_self(),
			   .rounds = ROUNDS,
			   .next = UINT64_MAX};

	sem_init(&s.done, 0, 0);
	loop_call(l, settle_start, &s);
	if (s.wait)
		while (sem_wait(&s.done) < 0)
			;
	sem_destroy(&s.done);
	return s.next;
}

static uint64_t settle_all(const struct qtest *q)
{
	const struct accel_conf *c = &q->a->conf;
	uint64_t next = loop_next_timer(c->control);

	for (unsigned i = 0; i < c->nloops; i++) {
		if (c->loops[i] == c->control)
			continue;
		uint64_t n = settle(c->loops[i]);

		next = MIN(next, n);
	}
	return next;
}

static void step(struct loop_task *t)
{
	struct qtest *q = container_of(t, struct qtest, task);
	const struct accel_conf *c = &q->a->conf;
	uint64_t now = clock_now(c->clock), next;

	if (q->rounds) {
		q->rounds--;
		loop_defer(c->control, t);
		return;
	}
	next = settle_all(q);
	if (now < q->target) {
		next = MIN(MAX(next, now + 1), q->target);
		if (q->stops++ >= MAX_STOPS)
			next = q->target;
		atomic_store(&c->clock->now, next);
		for (unsigned i = 0; i < c->nloops; i++)
			loop_kick(c->loops[i]);
		q->rounds = ROUNDS - 1;
		q->again = true;
		loop_defer(c->control, t);
		return;
	}
	if (q->again) {
		q->again = false;
		q->rounds = ROUNDS - 1;
		loop_defer(c->control, t);
		return;
	}
	q->stepping = false;
	qtest_send(q, "OK %llu", (unsigned long long)now);
	qtest_lines(q);
}

void qtest_clock_to(struct qtest *q, uint64_t target)
{
	q->target = MAX(target, clock_now(q->a->conf.clock));
	q->stops = 0;
	q->rounds = 0;
	q->again = false;
	q->stepping = true;
	q->task.fn = step;
	loop_defer(q->a->conf.control, &q->task);
}

void qtest_clock_next(struct qtest *q)
{
	uint64_t next = settle_all(q);

	if (next == UINT64_MAX)
		qtest_send(q, "FAIL No timer is armed");
	else
		qtest_clock_to(q, next);
}
