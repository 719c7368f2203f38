/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Assembly of a VM, its life and its end.
 *
 * Order: everything that can fail is done before the guest runs, what the user most likely got
 * wrong first. Signals that ask the program to end are blocked in all threads and read by the
 * control loop from a signalfd, so that every end is the same one: the guest stops, the loops'
 * threads end, the wires come apart, descriptors close, the terminal is put back.
 */
#include "control/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "control/hmp.h"
#include "control/qmp.h"
#include "control/vm_display.h"

/* Of package seabios; firmware and guests run it from the card's ROM. */
#define VGA_BIOS "/usr/share/seabios/vgabios-stdvga.bin"

#define GRACE_S 30u /* for a guest that was asked to shut down by a signal */

/* --- signals -------------------------------------------------------------------------------- */

static void on_grace(struct loop_timer *t)
{
	struct vm *vm = container_of(t, struct vm, grace);

	log_line("the guest has not shut down within %u s and is switched off", GRACE_S);
	vm_quit(vm, 0, "host-signal");
}

/*
 * The power button first: a guest that listens to it shuts down in order. One that does not (no
 * driver for it yet, or it is stopped) is switched off at once, and so is any guest by a second
 * signal, by SIGQUIT, or when the time is over.
 */
static void on_signal(struct loop_fd *w, uint32_t events)
{
	struct vm *vm = container_of(w, struct vm, sig_w);
	struct signalfd_siginfo info;
	const char *name;

	(void)events;
	if (read(vm->sigfd, &info, sizeof(info)) != sizeof(info))
		return;
	name = strsignal((int)info.ssi_signo);
	if (info.ssi_signo != SIGQUIT && !vm->grace.heap && !vm->ending && vm->machine &&
	    machine_running(vm->machine) && machine_powerdown(vm->machine)) {
		log_line("signal %u (%s): the guest shuts down; it is switched off in %u s, or by "
			 "a second signal",
			 info.ssi_signo, name, GRACE_S);
		vm->grace.fn = on_grace;
		loop_timer_set(vm->control, &vm->grace, loop_now(vm->control) + GRACE_S * NS_PER_S);
		return;
	}
	log_line("ended by signal %u (%s)", info.ssi_signo, name);
	vm_quit(vm, 0, "host-signal");
}

static int watch_signals(struct vm *vm, struct err *e)
{
	sigset_t s;
	int rc;

	sigemptyset(&s);
	sigaddset(&s, SIGINT);
	sigaddset(&s, SIGTERM);
	sigaddset(&s, SIGHUP);
	sigaddset(&s, SIGQUIT); /* from the keyboard: the terminal is to be put back */
	/* A client that goes away shows as EPIPE where it is written to. */
	signal(SIGPIPE, SIG_IGN);
	/* Ignored, perhaps inherited, it would hide how a script ended. */
	signal(SIGCHLD, SIG_DFL);
	pthread_sigmask(SIG_BLOCK, &s, &vm->old_signals);
	vm->sigfd = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
	if (vm->sigfd < 0)
		return err_set(e, errno, "signals: %s", strerror(errno));
	rc = loop_add_fd(vm->control, &vm->sig_w, vm->sigfd, EPOLLIN, on_signal);
	return rc ? err_set(e, -rc, "signals: %s", strerror(-rc)) : 0;
}

/* --- the machine ---------------------------------------------------------------------------- */

static int make_machine(struct vm *vm, struct err *e)
{
	const struct config *c = vm->conf;
	const struct machine_conf m = {
		.accel = config_accel(c),
		.ac = {.device = c->accel_device ? c->accel_device : "/dev/kvm",
		       .vcpus = c->cpus,
		       .cores = c->cores,
		       .threads = c->threads,
		       .qtest = c->qtest,
		       .control = vm->control,
		       .clock = &vm->clock,
		       .enter = sandbox_accel,
		       .enter_arg = &vm->sandboxed},
		.ram = c->ram,
		.cpus = c->cpus,
		.kernel = c->kernel,
		.initrd = c->initrd,
		.append = c->append,
		.boot = c->boot,
		.serial = vm->serial,
		.debug = vm->debugcon,
		.vga = c->vga == VGA_STD,
		.screen = c->vnc.address && strcmp(c->vnc.address, "none") != 0,
		.vga_rom = access(VGA_BIOS, R_OK) ? NULL : VGA_BIOS,
		.no_reboot = c->no_reboot,
		.rtc_shift = c->rtc_shift,
		.paused = c->paused,
		.control = vm->control,
		.event = vm_on_machine,
		.unplug = vm_unplug,
		.opaque = vm,
	};

	vm->machine = machine_new(&m, e);
	return vm->machine ? 0 : -e->code;
}

/* --- consoles ------------------------------------------------------------------------------- */

static void on_mux_quit(void *opaque)
{
	vm_quit(opaque, 0, "host-ui");
}

static int open_consoles(struct vm *vm, struct err *e)
{
	const struct config *c = vm->conf;

	if (c->serial) {
		vm->serial = chardev_open(vm->control, "-serial", c->serial, e);
		if (!vm->serial)
			return -e->code;
		if (c->mux)
			chardev_set_mux(vm->serial, on_mux_quit, vm);
	}
	if (c->debugcon) {
		vm->debugcon = chardev_open(vm->control, "-debugcon", c->debugcon, e);
		if (!vm->debugcon)
			return -e->code;
	}
	vm->nmon = c->nmon + c->mux;
	vm->mon = calloc(MAX(vm->nmon, 1u), sizeof(*vm->mon));
	if (!vm->mon)
		return err_set(e, ENOMEM, "monitors: out of memory");
	for (unsigned i = 0; i < c->nmon; i++) {
		vm->mon[i].chr = chardev_open(vm->control, c->mon[i].what, c->mon[i].spec, e);
		if (!vm->mon[i].chr)
			return -e->code;
	}
	return 0;
}

/* Said when all is well: a start that fails says why in one line and nothing else. */
static void notes(const struct config *c)
{
	if (!c->serial && !c->vnc.address && !c->nographic && !c->no_display && !c->no_defaults &&
	    c->machine == MACHINE_PC && !c->qtest && !c->process.daemonize)
		log_line("the guest has no console: -nographic shows its serial port here");
}

static int attach_monitors(struct vm *vm, struct err *e)
{
	for (unsigned i = 0; i < vm->nmon; i++) {
		struct vm_mon *m = &vm->mon[i];
		const struct conf_mon *c = i < vm->conf->nmon ? &vm->conf->mon[i] : NULL;

		if (c && c->qmp)
			m->qmp = qmp_new(vm, m->chr, c->pretty, e);
		else
			m->hmp = hmp_new(vm, c ? m->chr : vm->serial, c ? 0 : 1, e);
		if (!m->hmp && !m->qmp)
			return -e->code;
	}
	return 0;
}

static void close_monitors(struct vm *vm)
{
	for (unsigned i = 0; vm->mon && i < vm->nmon; i++) {
		hmp_free(vm->mon[i].hmp);
		qmp_free(vm->mon[i].qmp);
		chardev_close(vm->mon[i].chr);
	}
	free(vm->mon);
	vm->mon = NULL;
	vm->nmon = 0;
}

/* --- life ----------------------------------------------------------------------------------- */

static int assemble(struct vm *vm, struct err *e)
{
	const struct config *c = vm->conf;
	bool pc = c->machine == MACHINE_PC;
	int rc;

	rc = watch_signals(vm, e);
	if (!rc)
		rc = open_consoles(vm, e);
	if (!rc)
		rc = vm_net_open(vm, e);
	if (!rc)
		rc = vm_block_open(vm, e);
	if (!rc && pc)
		rc = make_machine(vm, e);
	if (!rc)
		rc = vm_net_join(vm, e);
	if (!rc)
		rc = vm_block_make(vm, e);
	if (!rc)
		rc = vm_display_open(vm, e);
	if (!rc)
		notes(c);
	return rc ? rc : attach_monitors(vm, e);
}

struct vm *vm_new(struct config *c, struct err *e)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	vm->conf = c;
	vm->sigfd = vm->newsfd = -1;
	pthread_sigmask(SIG_BLOCK, NULL, &vm->old_signals);
	vm->control = loop_new("control", &vm->clock, e);
	if (!vm->control || assemble(vm, e)) {
		vm_free(vm);
		return NULL;
	}
	return vm;
}

int vm_start(struct vm *vm, struct err *e)
{
	int rc = sandbox_start(&vm->conf->sandbox, &vm->sandboxed, &vm->landlocked, e);

	for (unsigned i = 0; !rc && i < vm->nloops; i++)
		rc = vm_net_start_loop(vm, vm->loops[i], e);
	if (rc)
		return rc;
	vm->started = true;
	vm->state = vm->conf->paused ? VM_PRELAUNCH : VM_RUNNING;
	if (!vm->machine)
		return 0;
	accel_set_loops(machine_accel(vm->machine), vm->loops, vm->nloops);
	return machine_start(vm->machine, e);
}

int vm_run(struct vm *vm)
{
	loop_run(vm->control);
	vm_tell_end(vm);
	return vm->status;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	if (vm->machine)
		machine_pause(vm->machine);
	for (unsigned i = 0; i < vm->nloops; i++)
		loop_stop(vm->loops[i]);
	for (unsigned i = 0; i < vm->nloops; i++)
		loop_join(vm->loops[i]);
	loop_undefer(vm->control, &vm->wanted);
	close_monitors(vm);
	vm_display_close(vm);
	vm_net_unjoin(vm);
	machine_free(vm->machine);
	vm_block_close(vm);
	vm_net_close(vm);
	chardev_close(vm->serial);
	chardev_close(vm->debugcon);
	if (vm->control) {
		loop_timer_del(vm->control, &vm->grace);
		loop_del_fd(vm->control, &vm->sig_w);
	}
	loop_free(vm->control);
	if (vm->sigfd >= 0)
		close(vm->sigfd);
	pthread_sigmask(SIG_SETMASK, &vm->old_signals, NULL);
	free(vm);
}
