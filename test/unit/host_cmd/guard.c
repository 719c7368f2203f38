/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard: what it undoes, when, and when not (H2). A link of a namespace is what goes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../host/netns.h"
#include "host/apply.h"

static struct host_nl *nl;
static struct host_link a, b;
static struct br_op op = {.kind = BR_LINK_DEL, .dev = "a0"};
static const struct br_ops undo = {.op = &op, .n = 1};

static int setup(void **state)
{
	struct err e = {0};

	(void)state;
	nl = host_nl_open(&e);
	if (!nl)
		return -1;
	netns_veth(nl, &a, &b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_link_del(nl, a.index, NULL);
	host_nl_close(nl);
	return 0;
}

static bool is_there(void)
{
	struct host_link l;

	return !host_link_get(nl, "a0", &l, NULL);
}

static void confirmed(void **state)
{
	struct br_guard g;
	struct err e = {0};

	(void)state;
	assert_int_equal(br_guard_start(&undo, 5, &g, &e), 0);
	assert_int_equal(br_guard_confirm(&g, &e), 0);
	assert_true(is_there());
}

static void asked(void **state)
{
	struct br_guard g;
	struct err e = {0};

	(void)state;
	assert_int_equal(br_guard_start(&undo, 5, &g, &e), 0);
	assert_true(is_there());
	assert_int_equal(br_guard_undo(&g), 0);
	assert_false(is_there());
}

static void too_late(void **state)
{
	struct br_guard g;
	struct err e = {0};

	(void)state;
	assert_int_equal(br_guard_start(&undo, 1, &g, &e), 0);
	for (int i = 0; i < 150 && is_there(); i++)
		usleep(20000);
	assert_false(is_there());
	assert_int_equal(br_guard_confirm(&g, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.text, "put back"));
}

/* The command is killed; so is everything in its group, as a terminal does it. */
static void killed(void **state)
{
	int ready[2];
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct br_guard g;

		setpgid(0, 0);
		if (br_guard_start(&undo, 20, &g, NULL) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_true(is_there());
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 150 && is_there(); i++)
		usleep(20000);
	assert_false(is_there());
	close(ready[0]);
	close(ready[1]);
}

/* What is undone already is no failure. */
static void nothing_left(void **state)
{
	struct br_guard g;
	struct err e = {0};

	(void)state;
	assert_int_equal(host_link_del(nl, a.index, &e), 0);
	assert_int_equal(br_guard_start(&undo, 5, &g, &e), 0);
	assert_int_equal(br_guard_undo(&g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(confirmed, setup, teardown),
		cmocka_unit_test_setup_teardown(asked, setup, teardown),
		cmocka_unit_test_setup_teardown(too_late, setup, teardown),
		cmocka_unit_test_setup_teardown(killed, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_left, setup, teardown),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
