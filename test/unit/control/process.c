/* SPDX-License-Identifier: BSD-2-Clause */
/* The process: users by name and number, the pid file's lock. The rest, which forks and changes
 * the process, is in wire/process.sh. */
#include "control/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

static void users(void **state)
{
	static const char *const bad[] = {"",
					  "nosuchuser",
					  "1",
					  "1:",
					  "1:x",
					  "1x:1",
					  "1:1x",
					  "4294967295:1",
					  "-1:1",
					  "1:-1",
					  "1: 1",
					  "99999999999999999999:1",
					  "0:4294967295"};
	struct process_user u;
	struct err e;

	(void)state;
	assert_int_equal(process_user("-runas", "root", &u, &e), 0);
	assert_int_equal(u.uid, 0);
	assert_string_equal(u.name, "root");
	assert_int_equal(process_user("-runas", "12:4294967294", &u, &e), 0);
	assert_int_equal(u.uid, 12);
	assert_int_equal(u.gid, 4294967294u);
	assert_string_equal(u.name, "");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(process_user("-runas", bad[i], &u, &e) < 0);
		assert_memory_equal(e.text, "-runas ", 7);
	}
}

static void pid_file(void **state)
{
	char dir[] = "/tmp/process-XXXXXX", path[64], text[32] = "", want[32];
	struct process_conf c = {.pidfile = path};
	struct process a, b;
	int status, fd;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pid", dir);
	/* One that a killed guest left, longer than ours. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "123456789012345\n", 16), 16);
	close(fd);
	assert_int_equal(process_begin(&a, &c, NULL, &status, &e), PROCESS_GUEST);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	assert_string_equal(text, want);
	assert_int_equal(process_begin(&b, &c, NULL, &status, &e), -EBUSY);
	process_end(&b, 1);
	assert_int_equal(access(path, F_OK), 0);
	process_end(&a, 0);
	process_end(&a, 0);
	assert_int_equal(access(path, F_OK), -1);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users),
		cmocka_unit_test(pid_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
