/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands on the guest as a whole: does it run, what is it called, its CPUs, its consoles. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "control/hmp.h"
#include "control/qmp.h"

#define NO_UUID "00000000-0000-0000-0000-000000000000"

/* --- running and ending ----------------------------------------------------------------------- */

static void cmd_quit(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	vm_quit(hmp_vm(h), 0, "host-qmp-quit");
}

static json_t *qmp_quit(struct qmp *q, json_t *args, struct qmp_err *e)
{
	(void)args;
	(void)e;
	vm_quit(qmp_vm(q), 0, "host-qmp-quit");
	return json_object();
}

/* Both monitors' side of a function of vm_state.c. */
#define STATE_COMMAND(name)                                                                        \
	static void cmd_##name(struct hmp *h, int argc, char **argv)                               \
	{                                                                                          \
		struct err e;                                                                      \
                                                                                                   \
		(void)argc;                                                                        \
		(void)argv;                                                                        \
		hmp_error(h, vm_##name(hmp_vm(h), &e), &e);                                        \
	}                                                                                          \
	static json_t *qmp_##name(struct qmp *q, json_t *args, struct qmp_err *e)                  \
	{                                                                                          \
		(void)args;                                                                        \
		return qmp_done(vm_##name(qmp_vm(q), &e->e));                                      \
	}
STATE_COMMAND(stop)
STATE_COMMAND(cont)
STATE_COMMAND(reset)
STATE_COMMAND(powerdown)

static void info_status(struct hmp *h, int argc, char **argv)
{
	const struct vm *vm = hmp_vm(h);
	const char *name = vm_state_name(vm);

	(void)argc;
	(void)argv;
	if (!vm->machine)
		hmp_print(h, "VM status: no guest (-machine none)\n");
	else if (vm->state == VM_RUNNING || vm->state == VM_PAUSED)
		hmp_print(h, "VM status: %s\n", name);
	else
		hmp_print(h, "VM status: paused (%s)\n", name);
}

static json_t *query_status(struct qmp *q, json_t *args, struct qmp_err *e)
{
	const struct vm *vm = qmp_vm(q);

	(void)args;
	(void)e;
	return json_pack("{s:b, s:b, s:s}", "running", vm->state == VM_RUNNING, "singlestep", 0,
			 "status", vm_state_name(vm));
}

/* --- what it is ------------------------------------------------------------------------------- */

static void info_name(struct hmp *h, int argc, char **argv)
{
	const char *name = hmp_vm(h)->conf->name;

	(void)argc;
	(void)argv;
	if (name)
		hmp_print(h, "%s\n", name);
}

static json_t *query_name(struct qmp *q, json_t *args, struct qmp_err *e)
{
	const char *name = qmp_vm(q)->conf->name;

	(void)args;
	(void)e;
	return name ? json_pack("{s:s}", "name", name) : json_object();
}

/* Nothing tells the guest of one, so it has none. */
static void info_uuid(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	hmp_print(h, NO_UUID "\n");
}

static json_t *query_uuid(struct qmp *q, json_t *args, struct qmp_err *e)
{
	(void)q;
	(void)args;
	(void)e;
	return json_pack("{s:s}", "UUID", NO_UUID);
}

static bool has_kvm(const struct vm *vm)
{
	return vm->machine && !strcmp(config_accel(vm->conf), "kvm");
}

static void info_kvm(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	hmp_print(h, "kvm support: %s\n", has_kvm(hmp_vm(h)) ? "enabled" : "disabled");
}

static json_t *query_kvm(struct qmp *q, json_t *args, struct qmp_err *e)
{
	const struct config *c = qmp_vm(q)->conf;

	(void)args;
	(void)e;
	return json_pack("{s:b, s:b}", "enabled", has_kvm(qmp_vm(q)), "present",
			 !access(c->accel_device ? c->accel_device : "/dev/kvm", F_OK));
}

static unsigned cpus(const struct vm *vm)
{
	return vm->machine ? vm->conf->cpus : 0;
}

/* Of an accelerator without CPUs: the thread that does what the guest would. */
static int cpu_thread(struct vm *vm, unsigned cpu)
{
	const struct accel *a = machine_accel(vm->machine);

	return a->ops->cpu_thread ? a->ops->cpu_thread(a, cpu) : (int)getpid();
}

static void info_cpus(struct hmp *h, int argc, char **argv)
{
	struct vm *vm = hmp_vm(h);

	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < cpus(vm); i++)
		hmp_print(h, "%c CPU #%u: thread_id=%d\n", i ? ' ' : '*', i, cpu_thread(vm, i));
}

static json_t *query_cpus(struct qmp *q, json_t *args, struct qmp_err *e)
{
	struct vm *vm = qmp_vm(q);
	json_t *list = json_array();
	char path[48];

	(void)args;
	(void)e;
	for (unsigned i = 0; i < cpus(vm); i++) {
		snprintf(path, sizeof(path), "/machine/unattached/device[%u]", i);
		json_array_append_new(list, json_pack("{s:i, s:{s:i, s:i, s:i}, s:s, s:i, s:s}",
						      "thread-id", cpu_thread(vm, i), "props",
						      "socket-id", (int)i, "core-id", 0,
						      "thread-id", 0, "qom-path", path, "cpu-index",
						      (int)i, "target", "x86_64"));
	}
	return list;
}

/* A CPU is read while it does not run; the guest is halted for that moment, without a word. */
static int read_registers(struct vm *vm, unsigned cpu, FILE *out, struct err *e)
{
	struct accel *a = machine_accel(vm->machine);
	bool was = machine_running(vm->machine);
	int rc;

	if (!a->ops->registers)
		return err_set(e, ENOTSUP, "info registers: %s has no CPUs", a->ops->name);
	machine_pause(vm->machine);
	rc = a->ops->registers(a, cpu, out, e);
	if (was)
		machine_resume(vm->machine);
	return rc;
}

static void info_registers(struct hmp *h, int argc, char **argv)
{
	struct vm *vm = hmp_vm(h);
	char *text = NULL, *line, *save;
	uint32_t cpu = 0;
	struct err e;
	size_t len;
	FILE *out;
	int rc;

	if (!vm->machine) {
		hmp_print(h, "info registers: -machine none has no guest\n");
		return;
	}
	if (argc > 1 && opt_parse_u32("info registers", argv[1], 0, cpus(vm) - 1, &cpu, &e)) {
		hmp_error(h, -EINVAL, &e);
		return;
	}
	out = open_memstream(&text, &len);
	if (!out)
		return;
	rc = read_registers(vm, cpu, out, &e);
	fclose(out);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		hmp_print(h, "%s\n", line);
	hmp_error(h, rc, &e);
	free(text);
}

/* --- consoles --------------------------------------------------------------------------------- */

/* Device i: the serial port's, then the monitors'; NULL behind the last. */
static struct chardev *chardev_at(struct vm *vm, unsigned i, const char **id)
{
	const struct config *c = vm->conf;

	if (vm->serial && !i--) {
		*id = c->serial_id;
		return vm->serial;
	}
	if (i >= c->nmon)
		return NULL;
	*id = c->mon[i].id;
	return vm->mon[i].chr;
}

static const char *gone(struct chardev *c)
{
	return chardev_is_open(c) || !strcmp(chardev_name(c), "null") ? "" : "disconnected:";
}

static void info_chardev(struct hmp *h, int argc, char **argv)
{
	struct chardev *c;
	const char *id;

	(void)argc;
	(void)argv;
	for (unsigned i = 0; (c = chardev_at(hmp_vm(h), i, &id)); i++)
		hmp_print(h, "%s: filename=%s%s\n", id, gone(c), chardev_name(c));
}

static json_t *query_chardev(struct qmp *q, json_t *args, struct qmp_err *e)
{
	json_t *list = json_array();
	char name[200];
	struct chardev *c;
	const char *id;

	(void)args;
	(void)e;
	for (unsigned i = 0; (c = chardev_at(qmp_vm(q), i, &id)); i++) {
		snprintf(name, sizeof(name), "%s%s", gone(c), chardev_name(c));
		/* Each has its device, be it a serial port or a monitor. */
		json_array_append_new(list, json_pack("{s:b, s:s, s:s}", "frontend-open", 1,
						      "filename", name, "label", id));
	}
	return list;
}

const struct mon_cmd mon_vm_cmds[] = {
	{"quit", "", "end vmwire at once", 0, cmd_quit, "quit", NULL, qmp_quit},
	{"stop", "", "halt the guest's CPUs", 0, cmd_stop, "stop", NULL, qmp_stop},
	{"cont", "", "let them run, or run again", 0, cmd_cont, "cont", NULL, qmp_cont},
	{"system_powerdown", "", "press the guest's power button", 0, cmd_powerdown,
	 "system_powerdown", NULL, qmp_powerdown},
	{"system_reset", "", "press the guest's reset button", 0, cmd_reset, "system_reset", NULL,
	 qmp_reset},
	{"info status", "", "does the guest run", 0, info_status, "query-status", NULL,
	 query_status},
	{"info name", "", "the guest's name", 0, info_name, "query-name", NULL, query_name},
	{"info uuid", "", "the guest's UUID: all zeros, it has none", 0, info_uuid, "query-uuid",
	 NULL, query_uuid},
	{"info kvm", "", "is KVM in use", 0, info_kvm, "query-kvm", NULL, query_kvm},
	{"info cpus", "", "the guest's CPUs and their threads", 0, info_cpus, "query-cpus-fast",
	 NULL, query_cpus},
	{"info registers", "[cpu]", "the registers of a CPU (the first, if none is named)", 0,
	 info_registers},
	{"info chardev", "", "where serial port and monitors lead", 0, info_chardev,
	 "query-chardev", NULL, query_chardev},
	{NULL},
};
