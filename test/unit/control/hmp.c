/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the monitor: words and quotes, help, what is answered to a slip, and the commands on the
 * guest and its devices (mon_vm.c, mon_dev.c), each of which is there and prints. */
#include "bench.h"

static int set_up(void **state)
{
	static const char *const options[] = {"-name", "a box", "-net", "none", "-smp", "2", NULL};
	struct bench *b = calloc(1, sizeof(*b));

	bench_init(b, options);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	bench_exit(*state);
	free(*state);
	return 0;
}

static void words(void **state)
{
	struct bench *b = *state;

	assert_string_equal(bench_run(b, ""), "");
	assert_string_equal(bench_run(b, " \t "), "");
	assert_string_equal(bench_run(b, "  info\tname  "), "a box\r\n");
	assert_string_equal(bench_run(b, "\"info\" \"name\""), "a box\r\n");
	assert_string_equal(bench_run(b, "help \"a b\\\"c\""),
			    "help: there is no command a b\"c\r\n");
	assert_string_equal(bench_run(b, "help \"sto"), "help: there is no command sto\r\n");
	assert_string_equal(bench_run(b, "set_link \"\" on"),
			    "set_link:  is not there: info network shows the names\r\n");
	/* Words beyond the sixteenth are no harm. */
	assert_string_equal(bench_run(b, "info name 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18"),
			    "a box\r\n");
}

static void slips(void **state)
{
	struct bench *b = *state;

	assert_string_equal(bench_run(b, "sotp"), "unknown command: sotp; did you mean stop?\r\n");
	assert_string_equal(bench_run(b, "info nam"),
			    "unknown command: info nam; did you mean info name?\r\n");
	assert_string_equal(bench_run(b, "xyzzy"), "unknown command: xyzzy; help lists them\r\n");
	assert_string_equal(bench_run(b, "info xyzzy"),
			    "unknown command: info xyzzy; help lists them\r\n");
	assert_string_equal(bench_run(b, "set_link x"), "usage: set_link name on|off\r\n");
}

static void helps(void **state)
{
	struct bench *b = *state;

	assert_string_equal(bench_run(b, "help stop"), "stop  -- halt the guest's CPUs\r\n");
	assert_string_equal(bench_run(b, "help info name"), "info name  -- the guest's name\r\n");
	assert_string_equal(bench_run(b, "? c"), "cont  -- let them run, or run again\r\n");
	assert_non_null(strstr(bench_run(b, "help"), "\r\nsystem_reset "));
	assert_non_null(strstr(b->said, "\r\ninfo network "));
	assert_memory_equal(bench_run(b, "info"), "info status ", 12);
	assert_null(strstr(b->said, "\r\nstop"));
	assert_memory_equal(bench_run(b, "help info"), "info status ", 12);
}

/* The machine has not been started: it is halted, and stays so. */
static void guest(void **state)
{
	struct bench *b = *state;

	assert_string_equal(bench_run(b, "info status"), "VM status: paused (prelaunch)\r\n");
	assert_string_equal(bench_run(b, "stop"), "");
	assert_string_equal(bench_run(b, "info kvm"), "kvm support: disabled\r\n");
	assert_string_equal(bench_run(b, "info uuid"), "00000000-0000-0000-0000-000000000000\r\n");
	assert_non_null(strstr(bench_run(b, "info cpus"), "* CPU #0: thread_id="));
	assert_non_null(strstr(b->said, "\r\n  CPU #1: thread_id="));
	assert_string_equal(bench_run(b, "info registers"),
			    "info registers: qtest has no CPUs\r\n");
	assert_string_equal(bench_run(b, "info registers 2"),
			    "info registers 2 is out of range: give 0 to 1\r\n");
	assert_string_equal(bench_run(b, "info chardev"), "");
	assert_non_null(strstr(bench_run(b, "info pci"), "slot 00.0: 8086:1237 "));
	assert_string_equal(bench_run(b, "info version"), "0.1.0\r\n");
	assert_string_equal(bench_run(b, "q"), "");
	assert_true(b->vm->ending);
}

/* Both sides of every row. */
static void table(void **state)
{
	(void)state;
	for (unsigned i = 0; mon_at(i); i++) {
		const struct mon_cmd *c = mon_at(i);

		assert_true((c->name != NULL) == (c->run != NULL));
		assert_true((c->qmp != NULL) == (c->answer != NULL));
		assert_true(!c->takes || c->qmp);
		assert_true(c->help && *c->help && !strchr(c->help, '\n'));
		if (c->name) {
			assert_non_null(c->args);
			assert_ptr_equal(mon_find(c->name), c); /* no name twice */
		}
		if (c->qmp)
			assert_ptr_equal(mon_find_qmp(c->qmp), c);
	}
	assert_null(mon_find("info nothing"));
	assert_null(mon_find_qmp("info network"));
	assert_ptr_equal(mon_find("c"), mon_find("cont"));
}

/* --- Tab ------------------------------------------------------------------------------------ */

struct offers {
	struct mon_offer o;
	char text[4096];
};

static void take(struct mon_offer *o, const char *text)
{
	struct offers *p = container_of(o, struct offers, o);
	size_t n = strlen(p->text);

	if (!strncmp(text, o->typed, strlen(o->typed)))
		snprintf(p->text + n, sizeof(p->text) - n, "%s ", text);
}

size_t hmp_offer(const char *line, struct mon_offer *o);

static const char *offered(struct bench *b, struct offers *p, const char *line, size_t begin)
{
	*p = (struct offers){.o = {.word = take, .vm = b->vm}};
	assert_int_equal(hmp_offer(line, &p->o), begin);
	return p->text;
}

static void offers(void **state)
{
	struct bench *b = *state;
	struct offers p;

	bench_run(b, "netdev_add user,id=u0");
	bench_run(b, "netdev_add user,id=u1");
	bench_run(b, "device_add e1000,id=c0,netdev=u0");
	assert_string_equal(offered(b, &p, "sys", 0), "system_powerdown system_reset ");
	assert_string_equal(offered(b, &p, "  inf", 2), "info ");
	assert_string_equal(offered(b, &p, "info u", 5), "uuid usernet ");
	assert_string_equal(offered(b, &p, "help net", 5), "netdev_add netdev_del netdev_replug ");
	assert_string_equal(offered(b, &p, "help info ve", 10), "version ");
	assert_string_equal(offered(b, &p, "set_link ", 9), "c0 u0 u1 ");
	assert_string_equal(offered(b, &p, "set_link c0 o", 12), "on off ");
	assert_string_equal(offered(b, &p, "set_link c0 on ", 15), "");
	assert_string_equal(offered(b, &p, "device_del ", 11), "c0 ");
	assert_string_equal(offered(b, &p, "netdev_del u", 11), "u0 u1 ");
	assert_string_equal(offered(b, &p, "netdev_replug c0 ", 17), "u0 u1 ");
	assert_string_equal(offered(b, &p, "device_add e1000-", 11),
			    "e1000-82544gc e1000-82545em ");
	assert_string_equal(offered(b, &p, "device_add e1000,ma", 11), "e1000,mac= ");
	assert_string_equal(offered(b, &p, "device_add e1000,netdev=", 11),
			    "e1000,netdev=u0 e1000,netdev=u1 ");
	assert_non_null(strstr(offered(b, &p, "netdev_add ", 11), "user tap "));
	assert_string_equal(offered(b, &p, "netdev_add user,id=x,hostf", 11),
			    "user,id=x,hostfwd= ");
	assert_string_equal(offered(b, &p, "nonsense ", 9), "");
	assert_string_equal(offered(b, &p, "quit ", 5), "");
	assert_string_equal(offered(b, &p, "a a a a a a a a a a a a a a a a a a", 32), "");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(words), T(slips), T(helps), T(guest), T(offers), cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
