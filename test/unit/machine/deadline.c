/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers that another thread than the loop's sets, moves and takes back. */
#include "pc_fixture.h"

static struct pc pc;
static struct deadline d;
static _Atomic unsigned fired;

static void fire(struct deadline *x)
{
	(void)x;
	fired++;
}

static int setup(void **state)
{
	(void)state;
	fired = 0;
	if (pc_setup(&pc) || deadline_init(&d, pc.loop, fire, NULL))
		return -1;
	return pc_run(&pc);
}

static int teardown(void **state)
{
	(void)state;
	pc_halt(&pc);
	deadline_exit(&d);
	deadline_exit(&d);
	return pc_teardown(&pc);
}

static void fires_once(void **state)
{
	(void)state;
	deadline_set(&d, 2 * NS_PER_S);
	pc_step(&pc, NS_PER_S - 1);
	assert_int_equal(fired, 0);
	pc_step(&pc, 1);
	assert_int_equal(fired, 1);
	pc_step(&pc, 10 * NS_PER_S);
	assert_int_equal(fired, 1);
}

static void last_time_wins(void **state)
{
	(void)state;
	deadline_set(&d, 2 * NS_PER_S);
	deadline_set(&d, 5 * NS_PER_S);
	pc_step(&pc, 2 * NS_PER_S);
	assert_int_equal(fired, 0);
	deadline_set(&d, 4 * NS_PER_S);
	pc_step(&pc, NS_PER_S);
	assert_int_equal(fired, 1);
}

static void can_be_taken_back(void **state)
{
	(void)state;
	deadline_set(&d, 2 * NS_PER_S);
	deadline_set(&d, 0);
	pc_step(&pc, 2 * NS_PER_S);
	assert_int_equal(fired, 0);
	/* The same time again is a new one. */
	deadline_set(&d, 4 * NS_PER_S);
	pc_step(&pc, 2 * NS_PER_S);
	assert_int_equal(fired, 1);
}

static void *set_elsewhere(void *arg)
{
	deadline_set(&d, 2 * NS_PER_S);
	(void)arg;
	return NULL;
}

/* vCPUs start before the control loop does: they must not touch its timers even then. */
static void waits_for_the_loop(void **state)
{
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, set_elsewhere, NULL), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(loop_next_timer(pc.loop), UINT64_MAX);
	assert_int_equal(pc_run(&pc), 0);
	pc_step(&pc, 2 * NS_PER_S);
	assert_int_equal(fired, 1);
}

static int setup_still(void **state)
{
	(void)state;
	fired = 0;
	return pc_setup(&pc) || deadline_init(&d, pc.loop, fire, NULL);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(fires_once),
		T(last_time_wins),
		T(can_be_taken_back),
		cmocka_unit_test_setup_teardown(waits_for_the_loop, setup_still, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
