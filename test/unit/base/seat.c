/* SPDX-License-Identifier: BSD-2-Clause */
/* A seat on a loop: calls go where it is, also while it moves; kicks are never lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/seat.h"
#include "base/util.h"

struct rig {
	struct seat s;
	struct loop *l[2];
	_Atomic unsigned kicks, calls, misplaced;
};

static void kicked(struct seat *s)
{
	struct rig *r = container_of(s, struct rig, s);

	atomic_fetch_add(&r->kicks, 1);
	if (!loop_is_here(seat_loop(s)))
		atomic_fetch_add(&r->misplaced, 1);
}

static void called(void *arg)
{
	struct rig *r = arg;
	struct loop *l = seat_loop(&r->s);

	atomic_fetch_add(&r->calls, 1);
	if (l && !loop_is_here(l))
		atomic_fetch_add(&r->misplaced, 1);
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_int_equal(seat_init(&r->s, kicked, "card", NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		r->l[i] = loop_new("test", NULL, NULL);
		assert_int_equal(loop_start(r->l[i], NULL), 0);
	}
	*state = r;
	return 0;
}

/* As the control thread does it: both loops are held. */
static void move(struct rig *r, struct loop *to)
{
	loop_park(r->l[0]);
	loop_park(r->l[1]);
	assert_int_equal(seat_move(&r->s, to, "card", NULL), 0);
	loop_unpark(r->l[1]);
	loop_unpark(r->l[0]);
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	move(r, NULL);
	for (unsigned i = 0; i < 2; i++) {
		loop_stop(r->l[i]);
		loop_join(r->l[i]);
		loop_free(r->l[i]);
	}
	seat_exit(&r->s);
	free(r);
	return 0;
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Loop i has finished a round that began after this was called. */
static void rounds(struct rig *r, unsigned i)
{
	for (unsigned n = 0; n < 3; n++)
		loop_call(r->l[i], nothing, NULL);
}

static void call_in_place_without_a_loop(void **state)
{
	struct rig *r = *state;

	seat_call(&r->s, called, r);
	assert_int_equal(r->calls, 1);
	move(r, r->l[0]);
	seat_call(&r->s, called, r);
	assert_int_equal(r->calls, 2);
	assert_int_equal(r->misplaced, 0);
}

static void kicks_come_each_time(void **state)
{
	struct rig *r = *state;

	move(r, r->l[0]);
	for (unsigned i = 1; i <= 3; i++) {
		seat_kick(&r->s);
		rounds(r, 0);
		assert_int_equal(r->kicks, i);
	}
	assert_int_equal(r->misplaced, 0);
}

/* KVM writes to the eventfd by itself. */
static void write_to_the_doorbell_is_a_kick(void **state)
{
	struct rig *r = *state;
	const uint64_t one = 1;

	move(r, r->l[0]);
	assert_int_equal(write(r->s.kick, &one, sizeof(one)), sizeof(one));
	rounds(r, 0);
	assert_int_equal(r->kicks, 1);
	seat_kick(&r->s);
	rounds(r, 0);
	assert_int_equal(r->kicks, 2);
}

static void kick_waits_for_a_loop(void **state)
{
	struct rig *r = *state;

	seat_kick(&r->s);
	rounds(r, 1);
	assert_int_equal(r->kicks, 0);
	move(r, r->l[1]);
	rounds(r, 1);
	assert_int_equal(r->kicks, 1);
	/* One that the old loop had no time for. */
	loop_park(r->l[0]);
	loop_park(r->l[1]);
	seat_kick(&r->s);
	assert_int_equal(seat_move(&r->s, r->l[0], "card", NULL), 0);
	loop_unpark(r->l[1]);
	loop_unpark(r->l[0]);
	rounds(r, 0);
	assert_int_equal(r->kicks, 2);
	assert_int_equal(r->misplaced, 0);
}

struct worker {
	struct rig *r;
	_Atomic bool stop;
	unsigned calls;
};

static void *calls(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&w->stop)) {
		seat_call(&w->r->s, called, w->r);
		seat_kick(&w->r->s);
		w->calls++;
	}
	return NULL;
}

static void moves_while_others_call(void **state)
{
	struct rig *r = *state;
	struct worker w = {.r = r};
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, calls, &w), 0);
	for (unsigned i = 0; i < 300; i++)
		move(r, i % 3 ? r->l[i % 2] : NULL);
	atomic_store(&w.stop, true);
	pthread_join(t, NULL);
	assert_int_equal(r->calls, w.calls);
	assert_int_equal(r->misplaced, 0);
}

/* The error names the remedy, and there is nothing to undo. */
static void no_descriptor_left(void **state)
{
	struct rlimit old, none = {0};
	struct seat s;
	struct err e = {0};

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_true(seat_init(&s, kicked, "card", &e) < 0);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_non_null(strstr(e.text, "card: no eventfd"));
	assert_non_null(strstr(e.text, "ulimit -n"));
	seat_exit(&s);
}

static void loop_that_cannot_watch(void **state)
{
	struct rig *r = *state;
	struct seat s;
	struct err e = {0};

	assert_int_equal(seat_init(&s, kicked, "card", NULL), 0);
	close(s.kick);
	loop_park(r->l[0]);
	assert_true(seat_move(&s, r->l[0], "card", &e) < 0);
	loop_unpark(r->l[0]);
	assert_non_null(strstr(e.text, "card: cannot watch a doorbell"));
	assert_null(seat_loop(&s));
	s.kick = dup(1);
	seat_exit(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(call_in_place_without_a_loop),    TEST(kicks_come_each_time),
		TEST(write_to_the_doorbell_is_a_kick), TEST(kick_waits_for_a_loop),
		TEST(moves_while_others_call),	       cmocka_unit_test(no_descriptor_left),
		TEST(loop_that_cannot_watch),
	};

	return cmocka_run_group_tests_name("seat", tests, NULL, NULL);
}
