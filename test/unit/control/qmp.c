/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QMP session and the guest's states, the VM on a thread of its own: negotiation, answers, events
 * and their order, a client that goes and one that comes. The other commands are met in
 * test/wire/qmp.py.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bench.h"

struct fixture {
	struct bench b;
	pthread_t thread;
	struct sockaddr_un sa;
	int fd;
	FILE *in;
};

static void *run(void *vm)
{
	struct err e;

	assert_int_equal(vm_start(vm, &e), 0);
	vm_run(vm);
	return NULL;
}

static void dial(struct fixture *f)
{
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(f->fd, (struct sockaddr *)&f->sa, sizeof(f->sa)), 0);
	f->in = fdopen(dup(f->fd), "r");
	assert_non_null(f->in);
}

static void hang_up(struct fixture *f)
{
	fclose(f->in);
	close(f->fd);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char spec[160];
	const char *const options[] = {"-net", "none", "-S", "-no-shutdown", "-qmp", spec,
				       "-qmp", "null", NULL};

	f->sa.sun_family = AF_UNIX;
	snprintf(f->sa.sun_path, sizeof(f->sa.sun_path), "/tmp/qmp.%d", (int)getpid());
	snprintf(spec, sizeof(spec), "unix:%s,server=on,wait=off", f->sa.sun_path);
	bench_init(&f->b, options);
	dial(f);
	assert_int_equal(pthread_create(&f->thread, NULL, run, f->b.vm), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	hang_up(f);
	bench_exit(&f->b);
	free(f);
	return 0;
}

static void say(struct fixture *f, const char *text)
{
	assert_int_equal(send(f->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next line must hold this. */
static void hear(struct fixture *f, const char *want)
{
	char line[4096];

	if (!fgets(line, sizeof(line), f->in))
		fail_msg("no line, but the end: %s", want);
	if (!strstr(line, want))
		fail_msg("%s: %s", want, line);
	assert_string_equal(line + strlen(line) - 2, "\r\n");
}

static void session(void **state)
{
	struct fixture *f = *state;

	hear(f, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 1, \"major\": 0}");
	say(f, "{\"execute\":\"stop\"}{\"execute\":\"nonsense\",\"id\":1}");
	hear(f, "\"class\": \"CommandNotFound\", \"desc\": \"stop: the first command must");
	hear(f, "\"class\": \"CommandNotFound\"");
	say(f, "{\"execute\":\"qmp_capabilities\"}");
	hear(f, "{\"return\": {}}");
	say(f, "{\"execute\":\"query-status\"}");
	hear(f, "\"running\": false, \"singlestep\": false, \"status\": \"prelaunch\"");
	say(f, "{\"execute\":\"cont\",\"id\":2}");
	hear(f, "\"event\": \"RESUME\"");
	hear(f, "{\"return\": {}, \"id\": 2}");
	/* Reset and power button are told behind their answer. */
	say(f, "{\"execute\":\"system_powerdown\",\"id\":3}");
	hear(f, "\"id\": 3");
	hear(f, "\"event\": \"POWERDOWN\"");
	say(f, "{\"execute\":\"system_reset\",\"id\":4}");
	hear(f, "\"id\": 4");
	hear(f, "\"event\": \"RESET\", \"data\": {\"guest\": false, \"reason\": "
		"\"host-qmp-system-reset\"}");
	/* The next client knows nothing of this one. */
	hang_up(f);
	dial(f);
	hear(f, "{\"QMP\"");
	say(f, "{\"execute\":\"query-status\"}");
	hear(f, "CommandNotFound");
	say(f, "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"quit\"}{\"execute\":\"stop\"}");
	hear(f, "{\"return\": {}}");
	hear(f, "{\"return\": {}}");
	hear(f, "\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": "
		"\"host-qmp-quit\"}");
	pthread_join(f->thread, NULL);
}

/* What the machine tells, on the control loop's thread. */
static void power_off(void *vm)
{
	vm_on_machine(vm, MACHINE_POWEROFF, NULL);
	vm_on_machine(vm, MACHINE_POWEROFF, NULL);
}

static void states(void **state)
{
	struct fixture *f = *state;

	say(f, "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"cont\"}");
	hear(f, "{\"QMP\"");
	hear(f, "{\"return\": {}}");
	hear(f, "\"event\": \"RESUME\"");
	hear(f, "{\"return\": {}}");
	loop_call(f->b.vm->control, power_off, f->b.vm);
	hear(f, "\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
		"\"guest-shutdown\"}");
	hear(f, "\"event\": \"STOP\"");
	say(f, "{\"execute\":\"query-status\"}{\"execute\":\"cont\"}{\"execute\":\"stop\"}");
	hear(f, "\"status\": \"shutdown\"");
	hear(f, "cont: the guest has powered itself off: give system_reset first");
	hear(f, "{\"return\": {}}");
	say(f, "{\"execute\":\"system_reset\"}");
	hear(f, "{\"return\": {}}");
	hear(f, "\"event\": \"RESET\"");
	say(f, "{\"execute\":\"query-status\"}{\"execute\":\"quit\"}");
	hear(f, "\"status\": \"prelaunch\"");
	hear(f, "{\"return\": {}}");
	pthread_join(f->thread, NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {T(session), T(states)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
