/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop: descriptors, timers, tasks, calls from other threads, parking. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"
#include "base/util.h"

struct rig {
	struct loop *l;
	struct clock clock;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err e = {0};

	r->clock.is_virtual = true;
	r->clock.now = 1000;
	r->l = loop_new("test", &r->clock, &e);
	assert_non_null(r->l);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	loop_stop(r->l);
	loop_join(r->l);
	loop_free(r->l);
	free(r);
	return 0;
}

static void start(struct rig *r)
{
	struct err e = {0};

	assert_int_equal(loop_start(r->l, &e), 0);
}

static void nothing(void *arg)
{
	(void)arg;
}

/* The loop has finished a round that began after this was called. */
static void rounds(struct rig *r)
{
	for (int i = 0; i < 3; i++)
		loop_call(r->l, nothing, NULL);
}

static void pass(struct rig *r, uint64_t ns)
{
	atomic_fetch_add(&r->clock.now, ns);
	loop_kick(r->l);
	rounds(r);
}

/* --- descriptors ---------------------------------------------------------------------------- */

struct watch {
	struct loop_fd w, *victim;
	struct loop *l;
	int fd;
	unsigned calls;
};

static void on_event(struct loop_fd *w, uint32_t events)
{
	struct watch *t = container_of(w, struct watch, w);
	uint64_t v;

	assert_true(loop_is_here(t->l));
	assert_true(events & EPOLLIN);
	assert_int_equal(read(t->fd, &v, sizeof(v)), sizeof(v));
	t->calls++;
	if (t->victim)
		loop_del_fd(t->l, t->victim);
}

static void watch(struct rig *r, struct watch *t)
{
	*t = (struct watch){.l = r->l, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
	assert_int_equal(loop_add_fd(r->l, &t->w, t->fd, EPOLLIN, on_event), 0);
}

static void poke(const struct watch *t)
{
	const uint64_t one = 1;

	assert_int_equal(write(t->fd, &one, sizeof(one)), sizeof(one));
}

static void descriptors(void **state)
{
	struct rig *r = *state;
	struct watch t[40]; /* more than the table starts with */

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		watch(r, &t[i]);
	start(r);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		poke(&t[i]);
	rounds(r);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(t[i].calls, 1);
	loop_park(r->l);
	loop_del_fd(r->l, &t[7].w);
	loop_del_fd(r->l, &t[7].w); /* idempotent */
	assert_int_equal(loop_mod_fd(r->l, &t[7].w, EPOLLIN), -ENOENT);
	assert_int_equal(loop_mod_fd(r->l, &t[8].w, 0), 0);
	loop_unpark(r->l);
	for (unsigned i = 6; i < 10; i++)
		poke(&t[i]);
	rounds(r);
	assert_int_equal(t[6].calls, 2);
	assert_int_equal(t[7].calls, 1);
	assert_int_equal(t[8].calls, 1);
	assert_int_equal(t[9].calls, 2);
	loop_park(r->l);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		loop_del_fd(r->l, &t[i].w);
		close(t[i].fd);
	}
	loop_unpark(r->l);
	assert_int_equal(loop_add_fd(r->l, &t[0].w, -1, EPOLLIN, on_event) == 0, 0);
}

/* Both are reported in one round; the first to run removes the other, which must not run. */
static void removal_in_a_round(void **state)
{
	struct rig *r = *state;
	struct watch a, b;

	watch(r, &a);
	watch(r, &b);
	a.victim = &b.w;
	b.victim = &a.w;
	poke(&a);
	poke(&b);
	start(r);
	rounds(r);
	assert_int_equal(a.calls + b.calls, 1);
	loop_park(r->l);
	loop_del_fd(r->l, &a.w);
	loop_del_fd(r->l, &b.w);
	loop_unpark(r->l);
	close(a.fd);
	close(b.fd);
}

/* --- timers --------------------------------------------------------------------------------- */

struct tick {
	struct loop_timer t;
	struct loop *l;
	unsigned fired;
	uint64_t at;
	uint64_t again; /* ns; re-arms itself for that long after now */
	bool forever;
	uint64_t *last; /* the order of all */
};

static void on_tick(struct loop_timer *t)
{
	struct tick *k = container_of(t, struct tick, t);

	k->fired++;
	k->at = loop_now(k->l);
	if (k->last) {
		assert_true(*k->last <= t->when);
		*k->last = t->when;
	}
	if (k->forever)
		loop_timer_set(k->l, t, loop_now(k->l) + k->again);
}

static void timers_fire_in_order(void **state)
{
	struct rig *r = *state;
	struct tick k[100];
	uint64_t last = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(k); i++) {
		k[i] = (struct tick){.t.fn = on_tick, .l = r->l, .last = &last};
		loop_timer_set(r->l, &k[i].t, 1000 + i * 37 % 100 + 1);
	}
	/* Move some, remove some. */
	for (unsigned i = 0; i < ARRAY_SIZE(k); i += 3)
		loop_timer_set(r->l, &k[i].t, 1000 + i * 53 % 100 + 1);
	for (unsigned i = 0; i < ARRAY_SIZE(k); i += 7) {
		loop_timer_del(r->l, &k[i].t);
		loop_timer_del(r->l, &k[i].t);
	}
	start(r);
	pass(r, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(k); i++)
		assert_int_equal(k[i].fired, 0);
	pass(r, 50);
	for (unsigned i = 0; i < ARRAY_SIZE(k); i++)
		assert_int_equal(k[i].fired, i % 7 && k[i].t.when <= 1050);
	pass(r, 50);
	for (unsigned i = 0; i < ARRAY_SIZE(k); i++)
		assert_int_equal(k[i].fired, i % 7 != 0);
}

/* A timer that is always due must not lock the rest out. */
static void a_greedy_timer(void **state)
{
	struct rig *r = *state;
	struct tick k = {.t.fn = on_tick, .l = r->l, .forever = true};
	struct watch w;

	watch(r, &w);
	loop_timer_set(r->l, &k.t, 0);
	start(r);
	poke(&w);
	rounds(r);
	assert_int_equal(w.calls, 1);
	loop_park(r->l);
	assert_true(k.fired > 0);
	loop_timer_del(r->l, &k.t);
	loop_del_fd(r->l, &w.w);
	loop_unpark(r->l);
	close(w.fd);
}

static void real_time(void **state)
{
	struct err e = {0};
	struct loop *l = loop_new("real", NULL, &e);
	struct tick k = {.t.fn = on_tick, .l = l};
	uint64_t t0 = clock_now(NULL);

	(void)state;
	loop_timer_set(l, &k.t, t0 + 20 * NS_PER_MS);
	assert_int_equal(loop_start(l, &e), 0);
	for (unsigned i = 0; i < 3000; i++) {
		usleep(1000);
		loop_park(l);
		bool done = k.fired;
		loop_unpark(l);
		if (done)
			break;
	}
	assert_int_equal(k.fired, 1);
	assert_true(k.at >= t0 + 20 * NS_PER_MS);
	loop_stop(l);
	loop_join(l);
	loop_free(l);
}

/* An idle loop costs nothing, whatever its timers far away. */
static void idle(void **state)
{
	struct err e = {0};
	struct loop *l = loop_new("idle", NULL, &e);
	struct tick k = {.t.fn = on_tick, .l = l};
	struct timespec ts;
	uint64_t t0;

	(void)state;
	loop_timer_set(l, &k.t, clock_now(NULL) + 1000 * NS_PER_S);
	assert_int_equal(loop_start(l, &e), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	t0 = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	usleep(200000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	assert_true((uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec - t0 < 50 * NS_PER_MS);
	loop_stop(l);
	loop_join(l);
	loop_free(l);
}

/* --- tasks ---------------------------------------------------------------------------------- */

struct job {
	struct loop_task t;
	struct loop *l;
	unsigned runs;
	bool again;
	struct job *cancels;
};

static void on_job(struct loop_task *t)
{
	struct job *j = container_of(t, struct job, t);

	j->runs++;
	if (j->again)
		loop_defer(j->l, t);
	if (j->cancels)
		loop_undefer(j->l, &j->cancels->t);
}

static void tasks(void **state)
{
	struct rig *r = *state;
	struct job a = {.t.fn = on_job, .l = r->l}, b = a, c = a;

	b.cancels = &c;
	loop_defer(r->l, &a.t);
	loop_defer(r->l, &a.t); /* once */
	loop_defer(r->l, &b.t);
	loop_defer(r->l, &c.t);
	start(r);
	rounds(r);
	assert_int_equal(a.runs, 1);
	assert_int_equal(b.runs, 1);
	assert_int_equal(c.runs, 0);
	/* One that queues itself again shares the loop with the rest. */
	loop_park(r->l);
	a.again = true;
	loop_defer(r->l, &a.t);
	loop_unpark(r->l);
	rounds(r);
	loop_park(r->l);
	assert_true(a.runs > 2);
	loop_undefer(r->l, &a.t);
	loop_undefer(r->l, &a.t);
	loop_unpark(r->l);
}

/* --- other threads -------------------------------------------------------------------------- */

static void add_one(void *arg)
{
	++*(unsigned *)arg; /* not atomic: the loop's thread alone runs it */
}

struct caller {
	struct rig *r;
	unsigned *count;
	pthread_t th;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;

	for (int i = 0; i < 2000; i++)
		loop_call(c->r->l, add_one, c->count);
	return NULL;
}

static void calls_and_parking(void **state)
{
	struct rig *r = *state;
	struct caller c[3];
	unsigned count = 0, seen;

	loop_call(r->l, add_one, &count); /* before it runs: directly */
	assert_int_equal(count, 1);
	assert_true(loop_is_here(r->l));
	start(r);
	assert_false(loop_is_here(r->l));
	for (unsigned i = 0; i < 3; i++) {
		c[i] = (struct caller){.r = r, .count = &count};
		pthread_create(&c[i].th, NULL, call_often, &c[i]);
	}
	for (int i = 0; i < 300; i++) {
		loop_park(r->l);
		assert_true(loop_is_here(r->l));
		loop_park(r->l); /* nested */
		seen = count;
		loop_unpark(r->l);
		assert_true(loop_is_here(r->l));
		if (i % 100 == 0)
			usleep(1000);
		assert_int_equal(count, seen);
		loop_call(r->l, add_one, &count); /* by the parker: directly */
		assert_int_equal(count, seen + 1);
		loop_unpark(r->l);
	}
	for (unsigned i = 0; i < 3; i++)
		pthread_join(c[i].th, NULL);
	assert_false(loop_is_here(r->l));
	loop_park(r->l);
	assert_int_equal(count, 1 + 300 + 3 * 2000);
	loop_unpark(r->l);
	loop_unpark(r->l); /* one too many is harmless */
}

static void stop_answers_calls(void **state)
{
	struct rig *r = *state;
	unsigned count = 0;

	start(r);
	loop_stop(r->l);
	loop_call(r->l, add_one, &count);
	assert_int_equal(count, 1);
	loop_join(r->l);
	loop_call(r->l, add_one, &count);
	loop_park(r->l);
	loop_unpark(r->l);
	assert_int_equal(count, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(descriptors),	   T(removal_in_a_round), T(timers_fire_in_order),
		T(a_greedy_timer), T(real_time),	  T(idle),
		T(tasks),	   T(calls_and_parking),  T(stop_answers_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
