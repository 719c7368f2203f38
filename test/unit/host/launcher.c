/* SPDX-License-Identifier: BSD-2-Clause */
/* The launcher: programs run by it end, complain, take descriptors and are told to stop as those
 * that host_run() runs itself. */
#include "net/host/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/util.h"

static int sh(const char *command, unsigned ms, const char *const *env, int pass, char *said,
	      struct err *e)
{
	const char *const argv[] = {"sh", "-c", command, "sh", "tap7", NULL};
	int mem = memfd_create("said", MFD_CLOEXEC), rc;
	const struct host_run r = {.what = "script",
				   .path = "/bin/sh",
				   .argv = argv,
				   .env = env,
				   .ms = ms,
				   .pass = pass,
				   .errors = mem};
	ssize_t n;

	rc = host_run(&r, e);
	n = pread(mem, said, 255, 0);
	said[MAX(n, 0)] = 0;
	close(mem);
	return rc;
}

static int start(void **state)
{
	static struct {
		int fd;
		pid_t pid;
	} s;
	struct err e;

	setenv("LAUNCHED", "before", 1);
	s.fd = launcher_start(&s.pid, &e);
	setenv("LAUNCHED", "after", 1);
	*state = &s;
	return s.fd < 0;
}

static int stop(void **state)
{
	struct {
		int fd;
		pid_t pid;
	} *s = *state;

	launcher_end(s->fd, s->pid);
	unsetenv(LAUNCHER_ENV);
	return 0;
}

static void runs(void **state)
{
	static const char *const env[] = {"LAUNCHED=mine", NULL};
	char said[256], want[16];
	struct err e;
	int fds[2];

	(void)state;
	assert_true(launcher_fd() >= 0);
	assert_int_equal(sh("echo $LAUNCHED $1 >&2", 9000, NULL, 0, said, &e), 0);
	assert_string_equal(said, "before tap7\n");
	assert_int_equal(sh("echo $LAUNCHED >&2", 9000, env, 0, said, &e), 0);
	assert_string_equal(said, "mine\n");
	/* Not our child: the launcher's. */
	assert_int_equal(sh("ps -o ppid= -p $PPID >&2", 9000, NULL, 0, said, &e), 0);
	assert_int_not_equal(atoi(said), (int)getpid());
	assert_int_equal(sh("exit 3", 9000, NULL, 0, said, &e), -EIO);
	assert_string_equal(e.text, "script: it ended with exit status 3");
	assert_int_equal(sh("sleep 60", 200, NULL, 0, said, &e), -ETIMEDOUT);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(
		sh("echo by 3 >&3; ls /proc/self/fd | wc -l >&2", 9000, NULL, fds[1], said, &e), 0);
	assert_int_equal(read(fds[0], want, sizeof(want)), 5);
	assert_memory_equal(want, "by 3\n", 5);
	assert_in_range(atoi(said), 4, 5); /* 0 to 3, and that of the folder */
	close(fds[0]);
	close(fds[1]);
}

static void too_long(void **state)
{
	static char text[20000];
	char said[256];
	struct err e;

	(void)state;
	memset(text, ' ', sizeof(text) - 1);
	assert_int_equal(sh(text, 1000, NULL, 0, said, &e), -E2BIG);
	text[16000] = 0;
	assert_int_equal(sh(text, 9000, NULL, 0, said, &e), 0);
}

/* Datagrams that are no requests are dropped, and the next one is served. */
static void strangers(void **state)
{
	char said[256], junk[300];
	struct err e;

	(void)state;
	for (unsigned i = 1; i < sizeof(junk); i += 7) {
		memset(junk, (int)i, i);
		assert_int_equal(send(launcher_fd(), junk, i, 0), i);
	}
	assert_int_equal(sh("echo here >&2", 9000, NULL, 0, said, &e), 0);
	assert_string_equal(said, "here\n");
}

static void gone(void **state)
{
	char said[256];
	struct err e;

	(void)state;
	shutdown(launcher_fd(), SHUT_RDWR);
	assert_int_equal(sh("echo here >&2", 1000, NULL, 0, said, &e), -EIO);
	assert_memory_equal(e.text, "script: not run: ", 17);
	assert_string_equal(said, "");
}

static void none(void **state)
{
	static const char *const bad[] = {"", "x", "-1", "3x", "99999999999"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		setenv(LAUNCHER_ENV, bad[i], 1);
		assert_int_equal(launcher_fd(), -1);
	}
	unsetenv(LAUNCHER_ENV);
	assert_int_equal(launcher_fd(), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs, start, stop),
		cmocka_unit_test_setup_teardown(too_long, start, stop),
		cmocka_unit_test_setup_teardown(strangers, start, stop),
		cmocka_unit_test_setup_teardown(gone, start, stop),
		cmocka_unit_test(none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
