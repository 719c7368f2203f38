/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's commands on cards and networks: what they print, and that they do it. The PC
 * behind the monitor stands still, as in vm_plug.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "control/cmdline.h"
#include "control/hmp.h"

struct bench {
	char dir[32], qtest[96];
	struct config conf;
	struct vm *vm;
	struct err e;
	char *said; /* by the last run() */
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char *argv[] = {(char *)"vmwire",
			(char *)"-accel",
			(char *)"qtest",
			(char *)"-qtest",
			b->qtest,
			(char *)"-m",
			(char *)"64",
			(char *)"-nodefaults",
			(char *)"-net",
			(char *)"none",
			NULL};

	strcpy(b->dir, "/tmp/hmp_net.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->qtest, sizeof(b->qtest), "unix:%s/qtest,server=on,wait=off", b->dir);
	if (cmdline_parse(ARRAY_SIZE(argv) - 1, argv, &b->conf, stdout, &b->e))
		fail_msg("%s", b->e.text);
	b->vm = vm_new(&b->conf, &b->e);
	if (!b->vm)
		fail_msg("%s", b->e.text);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	char path[96];

	vm_free(b->vm);
	config_free(&b->conf);
	snprintf(path, sizeof(path), "%s/qtest", b->dir);
	unlink(path);
	assert_int_equal(rmdir(b->dir), 0);
	free(b->said);
	free(b);
	return 0;
}

/* Runs a command and returns what it printed. */
static const char *run(struct bench *b, const char *w0, const char *w1, const char *w2)
{
	char line[256];

	snprintf(line, sizeof(line), "%s %s %s", w0, w1 ? w1 : "", w2 ? w2 : "");
	free(b->said);
	b->said = hmp_run(b->vm, line);
	assert_non_null(b->said);
	return b->said;
}

static struct net_port *port(struct bench *b, const char *name)
{
	struct vm_net *v = vm_net_find(b->vm, name);

	return v ? v->port : NULL;
}

static void make_card(struct bench *b)
{
	assert_string_equal(run(b, "netdev_add", "user,id=u0", NULL), "");
	assert_string_equal(run(b, "device_add", "e1000,id=c0,netdev=u0", NULL), "");
	assert_ptr_equal(port(b, "c0")->peer, port(b, "u0"));
}

static void adding_and_removing(void **state)
{
	struct bench *b = *state;

	make_card(b);
	/* A list comes line by line, an error as one. */
	assert_non_null(strstr(run(b, "netdev_add", "help", NULL), "user"));
	assert_non_null(strstr(b->said, "\r\n"));
	assert_non_null(strstr(run(b, "device_add", "nocard", NULL), "nocard"));
	assert_string_equal(run(b, "netdev_del", "u0", NULL),
			    "netdev_del: u0 is in use by c0: device_del c0 first\r\n");
	assert_string_equal(run(b, "device_del", "u0", NULL),
			    "device_del: u0 is a netdev: give the name of a card\r\n");
	assert_string_equal(run(b, "device_del", "c0", NULL), "");
	assert_int_not_equal(vm_net_find(b->vm, "c0")->asked, 0);
}

static void moving(void **state)
{
	struct bench *b = *state;

	make_card(b);
	run(b, "netdev_add", "user,id=u1", NULL);
	assert_string_equal(run(b, "netdev_replug", "c0", "u1"), "");
	assert_ptr_equal(port(b, "c0")->peer, port(b, "u1"));
	assert_non_null(strstr(run(b, "netdev_replug", "c0", "u2"), "u2"));
	assert_ptr_equal(port(b, "c0")->peer, port(b, "u1"));
}

static void links(void **state)
{
	struct bench *b = *state;

	make_card(b);
	assert_string_equal(run(b, "set_link", "c0", "off"), "");
	assert_false(port(b, "c0")->link_up);
	assert_false(net_link_is_up(port(b, "u0")));
	assert_string_equal(
		run(b, "set_link", "c0", "up"),
		"set_link: up is neither on nor off: give set_link c0 on or set_link c0 "
		"off\r\n");
	assert_false(port(b, "c0")->link_up);
	assert_string_equal(run(b, "set_link", "c0", "on"), "");
	assert_true(net_link_is_up(port(b, "u0")));
	assert_string_equal(run(b, "set_link", "c1", "on"),
			    "set_link: c1 is not there: info network shows the names\r\n");
}

static void forwards(void **state)
{
	struct bench *b = *state;

	assert_string_equal(run(b, "hostfwd_add", "tcp:127.0.0.1:0-:22", NULL),
			    "hostfwd_add: no user-mode network here: netdev_add user,id=NAME makes "
			    "one\r\n");
	make_card(b);
	assert_string_equal(run(b, "hostfwd_add", "u1", "tcp:127.0.0.1:0-:22"),
			    "hostfwd_add: u1 is no user-mode network: info usernet shows the "
			    "names\r\n");
	assert_string_equal(run(b, "hostfwd_add", "u0", "udp:127.0.0.1:47631-:53"), "");
	/* There it is: not twice, and gone after it was removed. The first network is meant. */
	assert_string_not_equal(run(b, "hostfwd_add", "u0", "udp:127.0.0.1:47631-:53"), "");
	run(b, "hostfwd_remove", "udp:127.0.0.1:47631", NULL);
	assert_string_equal(run(b, "hostfwd_add", "udp:127.0.0.1:47631-:53", NULL), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(adding_and_removing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(moving, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forwards, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
