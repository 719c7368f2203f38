/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting before there is a loop: what comes is seen, and a blocked signal ends it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/await.h"
#include "base/clock.h"
#include "base/util.h"

static void readable(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_true(await_readable(fd[0]));
	close(fd[0]);
	close(fd[1]);
}

static void blocked_signal(void **state)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	int fd[2], got;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		sigset_t s;

		sigemptyset(&s);
		sigaddset(&s, ends[i]);
		sigprocmask(SIG_BLOCK, &s, NULL);
		raise(ends[i]);
		assert_false(await_readable(fd[0]));
		assert_int_equal(sigwait(&s, &got), 0);
		assert_int_equal(got, ends[i]);
	}
	close(fd[0]);
	close(fd[1]);
}

static uint64_t since(uint64_t start)
{
	return (clock_now(NULL) - start) / NS_PER_MS;
}

static void time_out(void **state)
{
	uint64_t start = clock_now(NULL);
	sigset_t s;
	int fd[2], got;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(await_for(fd[0], 250, true), AWAIT_LATE);
	assert_in_range(since(start), 250, 5000);
	/* A signal that asks to end is heeded only on request. */
	sigemptyset(&s);
	sigaddset(&s, SIGTERM);
	sigprocmask(SIG_BLOCK, &s, NULL);
	raise(SIGTERM);
	assert_int_equal(await_for(fd[0], 150, false), AWAIT_LATE);
	start = clock_now(NULL);
	assert_int_equal(await_for(fd[0], 60000, true), AWAIT_END);
	assert_in_range(since(start), 0, 5000);
	assert_int_equal(sigwait(&s, &got), 0);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(await_for(fd[0], 0, true), AWAIT_READY);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable),
		cmocka_unit_test(blocked_signal),
		cmocka_unit_test(time_out),
	};

	return cmocka_run_group_tests_name("await", tests, NULL, NULL);
}
