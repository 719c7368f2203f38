/* SPDX-License-Identifier: BSD-2-Clause */
/* A link's guard: it deletes the link when its owner is killed, that link only, and not before. */
#include <net/if.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/host/guard.h"
#include "netns.h"

static struct host_nl *nl;

static int add(const char *name)
{
	struct err e = {0};
	const struct host_bridge_conf c = {0};

	assert_int_equal(host_bridge_add(nl, name, &c, &e), 0);
	return (int)if_nametoindex(name);
}

/* Guards link `name` as one of index in a process that is killed. */
static void owner_dies(const char *name, int index)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct host_guard g;
		struct err e;

		if (host_guard_start(&g, name, index, &e))
			_exit(1);
		usleep(100000);
		/* The guard does not share the fate of the group, as of a terminal. */
		kill(g.pid, SIGTERM);
		kill(g.pid, SIGINT);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static bool goes(const char *name)
{
	for (unsigned i = 0; i < 100; i++) {
		if (!if_nametoindex(name))
			return true;
		usleep(20000);
	}
	return false;
}

static void killed(void **state)
{
	int index = add("g0");

	(void)state;
	owner_dies("g0", index);
	assert_true(goes("g0"));
}

static void another_of_its_name(void **state)
{
	int index = add("g1");
	struct err e;

	(void)state;
	owner_dies("g1", index + 1);
	usleep(500000);
	assert_int_equal(if_nametoindex("g1"), index);
	assert_int_equal(host_link_del(nl, index, &e), 0);
}

static void ended(void **state)
{
	int index = add("g2");
	struct host_guard g;
	struct err e;

	(void)state;
	assert_int_equal(host_guard_start(&g, "g2", index, &e), 0);
	host_guard_end(&g);
	host_guard_end(&g);
	usleep(300000);
	assert_int_equal(if_nametoindex("g2"), index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed),
		cmocka_unit_test(another_of_its_name),
		cmocka_unit_test(ended),
	};
	struct err e = {0};

	netns_enter();
	nl = host_nl_open(&e);
	if (!nl)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
