/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting before there is a loop: what comes is seen, and a blocked signal ends it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/await.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable),
		cmocka_unit_test(blocked_signal),
	};

	return cmocka_run_group_tests_name("await", tests, NULL, NULL);
}
