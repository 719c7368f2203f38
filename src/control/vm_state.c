/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the guest runs, and the ways between: stop, cont, reset, power button, the guest's own
 * power-off and reset. Each tells the programs on the monitors (QMP events).
 *
 * States are QEMU's: "prelaunch" (never ran since it was made or reset while halted), "running",
 * "paused", "shutdown" (it powered off, and -no-shutdown keeps it). Out of "shutdown" only a reset
 * leads.
 *
 * Reset and power button are put off to the end of the loop's round, so that a program has the
 * answer to its command before the event that follows from it.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "control/qmp.h"

static const char *const names[] = {
	[VM_PRELAUNCH] = "prelaunch",
	[VM_RUNNING] = "running",
	[VM_PAUSED] = "paused",
	[VM_SHUTDOWN] = "shutdown",
};

const char *vm_state_name(const struct vm *vm)
{
	return names[vm->state];
}

static int no_guest(const char *what, struct err *e)
{
	return err_set(e, ENOTSUP, "%s: -machine none has no guest", what);
}

static void halt(struct vm *vm, enum vm_state state)
{
	bool was = vm->state == VM_RUNNING;

	machine_pause(vm->machine);
	vm->state = state;
	if (was)
		qmp_event(vm, "STOP", NULL);
}

int vm_stop(struct vm *vm, struct err *e)
{
	if (!vm->machine)
		return no_guest("stop", e);
	if (vm->state == VM_RUNNING)
		halt(vm, VM_PAUSED);
	return 0;
}

int vm_cont(struct vm *vm, struct err *e)
{
	if (!vm->machine)
		return no_guest("cont", e);
	if (vm->state == VM_SHUTDOWN)
		return err_set(e, EPERM,
			       "cont: the guest has powered itself off: give system_reset first");
	if (vm->state == VM_RUNNING)
		return 0;
	vm->state = VM_RUNNING;
	machine_resume(vm->machine);
	qmp_event(vm, "RESUME", NULL);
	return 0;
}

/* --- ends ------------------------------------------------------------------------------------- */

/* Our users' doings begin with "host-", the guest's with "guest-". */
static json_t *reason_data(const char *reason)
{
	return json_pack("{s:b, s:s}", "guest", !strncmp(reason, "guest-", 6), "reason", reason);
}

void vm_quit(struct vm *vm, int status, const char *reason)
{
	/* The first reason counts: no signal makes a success of what has failed. */
	if (vm->ending)
		return;
	vm->status = status;
	vm->ending = true;
	vm->reason = reason;
	loop_stop(vm->control);
}

void vm_tell_end(struct vm *vm)
{
	if (vm->reason)
		qmp_event(vm, "SHUTDOWN", reason_data(vm->reason));
	vm->reason = NULL;
}

/* The guest is at its end: so are we, unless -no-shutdown. */
static void guest_ended(struct vm *vm, const char *reason)
{
	if (!vm->conf->no_shutdown) {
		vm_quit(vm, 0, reason);
		return;
	}
	if (vm->state == VM_SHUTDOWN)
		return;
	qmp_event(vm, "SHUTDOWN", reason_data(reason));
	halt(vm, VM_SHUTDOWN);
}

/* --- reset and power button ---------------------------------------------------------------------
 */

static void on_reset(struct vm *vm)
{
	const char *reason = vm->resetting ? "host-qmp-system-reset" : "guest-reset";

	if (vm->conf->no_reboot) {
		guest_ended(vm, reason);
		return;
	}
	if (vm->state != VM_RUNNING)
		vm->state = VM_PRELAUNCH;
	qmp_event(vm, "RESET", reason_data(reason));
}

void vm_on_machine(void *opaque, enum machine_event ev, const char *text)
{
	struct vm *vm = opaque;

	switch (ev) {
	case MACHINE_POWEROFF:
		guest_ended(vm, "guest-shutdown");
		break;
	case MACHINE_QUIT:
		vm_quit(vm, 0, "host-ui");
		break;
	case MACHINE_RESET:
		log_extra("cpu_reset", "the machine was reset");
		on_reset(vm);
		break;
	case MACHINE_FAILED:
		log_line("%s", text ? text : "the machine cannot go on");
		vm_quit(vm, 1, "host-error");
		break;
	}
}

static void do_wanted(struct loop_task *t)
{
	struct vm *vm = container_of(t, struct vm, wanted);
	bool reset = vm->want_reset, button = vm->want_button;

	vm->want_reset = vm->want_button = false;
	if (button) {
		qmp_event(vm, "POWERDOWN", NULL);
		machine_powerdown(vm->machine);
	}
	if (reset) {
		vm->resetting = true;
		machine_reset(vm->machine);
		vm->resetting = false;
	}
}

static int want(struct vm *vm, const char *what, bool *flag, struct err *e)
{
	if (!vm->machine)
		return no_guest(what, e);
	*flag = true;
	vm->wanted.fn = do_wanted;
	loop_defer(vm->control, &vm->wanted);
	return 0;
}

int vm_reset(struct vm *vm, struct err *e)
{
	return want(vm, "system_reset", &vm->want_reset, e);
}

int vm_powerdown(struct vm *vm, struct err *e)
{
	return want(vm, "system_powerdown", &vm->want_button, e);
}
