/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of the host's: their end as a message, what they inherit, and those that do not end. */
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/util.h"
#include "net/host/run.h"

/* Runs a shell command; *said (may be NULL) gets its stderr. */
static int sh(const char *command, unsigned ms, bool heed, int pass, char *said, struct err *e)
{
	const char *const argv[] = {"/bin/sh", "-c", command, "sh", "tap7", NULL};
	int mem = memfd_create("said", MFD_CLOEXEC), rc;
	const struct host_run r = {.what = "script=x tap7",
				   .argv = argv,
				   .ms = ms,
				   .heed = heed,
				   .pass = pass,
				   .errors = mem};
	ssize_t n;

	rc = host_run(&r, e);
	n = pread(mem, said ? said : (char[256]){0}, 255, 0);
	if (said)
		said[MAX(n, 0)] = '\0';
	close(mem);
	return rc;
}

static void ends(void **state)
{
	char said[256];
	struct err e;

	(void)state;
	assert_int_equal(sh("echo $1 >&2", 10000, false, 0, said, &e), 0);
	assert_string_equal(said, "tap7\n");
	assert_int_equal(sh("exit 3", 10000, false, 0, NULL, &e), -EIO);
	assert_string_equal(e.text, "script=x tap7: it ended with exit status 3");
	assert_int_equal(sh("kill -USR1 $$", 10000, false, 0, NULL, &e), -EIO);
	assert_string_equal(e.text,
			    "script=x tap7: it was ended by signal 10 (User defined signal 1)");
}

static void cannot_start(void **state)
{
	char path[] = "/tmp/run.XXXXXX";
	const char *const argv[] = {path, NULL};
	const struct host_run r = {.what = "script=y", .argv = argv, .ms = 1000};
	int fd = mkstemp(path);
	struct err e;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(host_run(&r, &e), -EACCES);
	assert_non_null(strstr(e.text, "chmod +x"));
	assert_int_equal(write(fd, "true\n", 5), 5);
	fchmod(fd, 0755);
	close(fd);
	assert_int_equal(host_run(&r, &e), -ENOEXEC);
	assert_non_null(strstr(e.text, "#!/bin/sh"));
	unlink(path);
	assert_int_equal(host_run(&r, &e), -ENOENT);
	assert_non_null(strstr(e.text, "script=y: it cannot be run"));
}

/* No descriptor but the one that is passed, no blocked and no ignored signal, no input. */
static void inherits_nothing(void **state)
{
	int leak = open("/dev/null", O_RDONLY), sv = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char said[256];
	sigset_t s;
	struct err e;

	(void)state;
	assert_true(fcntl(leak, F_DUPFD, 20) >= 20); /* without CLOEXEC */
	sigemptyset(&s);
	sigaddset(&s, SIGTERM);
	sigprocmask(SIG_BLOCK, &s, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* 3 is the folder that the shell reads. */
	assert_int_equal(sh("cd /proc/$$/fd; echo * >&2; [ -e 3 ] && echo leak >&2; readlink 0 >&2;"
			    "sed -n '/^Sig[BI]/s/[0-9a-f]*\\(.\\{7\\}\\)$/\\1/p' ../status >&2",
			    10000, false, 0, said, &e),
			 0);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* From 32 on they are the C library's own. */
	assert_string_equal(said, "0 1 2 3\n/dev/null\nSigBlk:\t0000000\nSigIgn:\t0000000\n");
	assert_int_equal(
		sh("cd /proc/$$/fd; echo * >&2; readlink 3 >&2", 10000, false, sv, said, &e), 0);
	assert_string_equal(said, "0 1 2 3 4\n/dev/zero\n");
	close(leak);
	close(sv);
	close(20);
}

/* Killed with what it has started. */
static void late(void **state)
{
	char path[] = "/tmp/run.XXXXXX", command[128], pid[32] = "";
	uint64_t start = clock_now(NULL);
	int fd = mkstemp(path);
	struct err e;

	(void)state;
	snprintf(command, sizeof(command), "(echo a; sh -c 'echo $$ >%s; exec sleep 1000')| cat",
		 path);
	assert_int_equal(sh(command, 700, true, 0, NULL, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.text, "had not ended after 1 s and was killed"));
	assert_in_range((clock_now(NULL) - start) / NS_PER_MS, 700, 10000);
	assert_true(pread(fd, pid, sizeof(pid) - 1, 0) > 0);
	/* Whoever inherits a dead child takes a moment to collect it. */
	for (unsigned i = 0; i < 200 && !kill(atoi(pid), 0); i++) {
		char stat[64], line[256] = "";
		FILE *f;

		snprintf(stat, sizeof(stat), "/proc/%d/stat", atoi(pid));
		f = fopen(stat, "re");
		if (!f)
			break;
		if (!fgets(line, sizeof(line), f) || strstr(line, ") Z "))
			i = 1000;
		fclose(f);
		usleep(10000);
		assert_true(i != 199);
	}
	close(fd);
	unlink(path);
}

static void signalled(void **state)
{
	uint64_t start = clock_now(NULL);
	struct err e;
	sigset_t s;
	int got;

	(void)state;
	sigemptyset(&s);
	sigaddset(&s, SIGTERM);
	sigprocmask(SIG_BLOCK, &s, NULL);
	raise(SIGTERM);
	/* Heeded by what starts, not by what cleans up. */
	assert_int_equal(sh("sleep 1000", 60000, true, 0, NULL, &e), -ECANCELED);
	assert_in_range((clock_now(NULL) - start) / NS_PER_MS, 0, 10000);
	assert_int_equal(sh("sleep 0.3", 60000, false, 0, NULL, &e), 0);
	assert_int_equal(sigwait(&s, &got), 0);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),	     cmocka_unit_test(cannot_start),
		cmocka_unit_test(late),	     cmocka_unit_test(inherits_nothing),
		cmocka_unit_test(signalled),
	};

	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
