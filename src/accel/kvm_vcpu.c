/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPU threads.
 *
 * A thread enters the guest until it is kicked: immediate_exit is set first, then KICK_SIGNAL is
 * sent. Whichever point the thread is at, the next (or present) KVM_RUN ends with EINTR, after
 * it has completed a port or MMIO access whose answer was still on its way; so a vCPU at the
 * gate has no half-done instruction, and its registers may be set. The gate, under k->lock, is
 * where threads wait while the VM is paused or after a triple fault, and where they leave.
 * immediate_exit is cleared only there, so no kick is lost. `active` counts threads outside the
 * gate: pause returns when it is 0.
 */
#include "accel/kvm.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "base/util.h"

/* KVM's own, and what register handlers need: eventfds of doorbells and vectors, timers. */
const int accel_cpu_calls[] = {
	SYS_ioctl, SYS_read, SYS_eventfd2, SYS_timerfd_settime, SYS_epoll_ctl, SANDBOX_END,
};

static void set_immediate_exit(struct kvm_cpu *c, uint8_t v)
{
	__atomic_store_n(&c->run->immediate_exit, v, __ATOMIC_SEQ_CST);
}

/* With k->lock held. */
static void kick_all(struct kvm *k)
{
	for (unsigned i = 0; i < k->ncpus; i++) {
		struct kvm_cpu *c = &k->cpus[i];

		if (!c->threaded)
			continue;
		set_immediate_exit(c, 1);
		pthread_kill(c->thread, KICK_SIGNAL);
	}
}

/* Waits until the vCPU may run; false when its thread shall end. */
static bool gate(struct kvm_cpu *c)
{
	struct kvm *k = c->k;
	bool go;

	pthread_mutex_lock(&k->lock);
	if (--k->active == 0)
		pthread_cond_broadcast(&k->cond);
	while (!k->quit && (k->paused || c->stopped))
		pthread_cond_wait(&k->cond, &k->lock);
	go = !k->quit;
	if (go) {
		k->active++;
		set_immediate_exit(c, 0);
	}
	pthread_mutex_unlock(&k->lock);
	return go;
}

static void stop_cpu(struct kvm_cpu *c)
{
	pthread_mutex_lock(&c->k->lock);
	c->stopped = true;
	pthread_mutex_unlock(&c->k->lock);
}

/* The vCPU cannot go on: says so and stops it. Stopped first, so that a reset counts after it. */
static bool failed(struct kvm_cpu *c, const char *text)
{
	const struct accel_host *h = &c->k->a->conf.host;

	stop_cpu(c);
	h->event(h->opaque, ACCEL_FAILED, text);
	return false;
}

static bool internal_error(struct kvm_cpu *c)
{
	const struct kvm_run *run = c->run;
	char text[400], hex[3 * 15 + 1] = "";
	struct kvm_regs r = {0};

	(void)ioctl(c->fd, KVM_GET_REGS, &r);
	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION) {
		snprintf(text, sizeof(text), "KVM internal error %u on CPU %u at %#llx",
			 run->internal.suberror, c->id, (unsigned long long)r.rip);
		return failed(c, text);
	}
	if (run->emulation_failure.ndata >= 3 &&
	    run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) {
		unsigned n = MIN(run->emulation_failure.insn_size, 15u);

		for (unsigned i = 0; i < n; i++)
			snprintf(hex + 3 * (size_t)i, 4, " %02x",
				 run->emulation_failure.insn_bytes[i]);
	}
	snprintf(text, sizeof(text),
		 "KVM cannot emulate an instruction of CPU %u at %#llx (bytes%s); this host's KVM "
		 "is not able to run this guest: use hardware virtualisation, or the lab: lab/run",
		 c->id, (unsigned long long)r.rip, hex[0] ? hex : " unknown");
	return failed(c, text);
}

static bool shut_down(struct kvm_cpu *c)
{
	const struct accel_host *h = &c->k->a->conf.host;

	stop_cpu(c);
	h->event(h->opaque, ACCEL_SHUTDOWN, "triple fault");
	return false;
}

/* Serves one exit; false when the vCPU has been stopped. */
static bool handle_exit(struct kvm_cpu *c)
{
	const struct accel_host *h = &c->k->a->conf.host;
	struct kvm_run *run = c->run;
	char text[128];

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		h->pio(h->opaque, run->io.port, run->io.direction == KVM_EXIT_IO_OUT,
		       (uint8_t *)run + run->io.data_offset, run->io.size, run->io.count);
		return true;
	case KVM_EXIT_MMIO:
		h->mmio(h->opaque, run->mmio.phys_addr, run->mmio.is_write, run->mmio.data,
			run->mmio.len);
		return true;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return true;
	case KVM_EXIT_SHUTDOWN:
		return shut_down(c);
	case KVM_EXIT_SYSTEM_EVENT:
		if (run->system_event.type == KVM_SYSTEM_EVENT_CRASH)
			return failed(c, "the guest reported a crash");
		return shut_down(c);
	case KVM_EXIT_INTERNAL_ERROR:
		return internal_error(c);
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(text, sizeof(text),
			 "KVM: CPU %u refused to enter the guest (hardware reason %#llx)", c->id,
			 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		return failed(c, text);
	default:
		snprintf(text, sizeof(text), "KVM: CPU %u left the guest for unknown reason %u",
			 c->id, run->exit_reason);
		return failed(c, text);
	}
}

static bool run_once(struct kvm_cpu *c)
{
	char text[128];

	if (ioctl(c->fd, KVM_RUN, 0) == 0) {
		gather_poke(&c->k->gather);
		return handle_exit(c) || gate(c);
	}
	switch (errno) {
	case EINTR:
		return gate(c);
	case EAGAIN: /* a CPU that waited for INIT has got it */
		return true;
	default:
		/* EFAULT: no memory behind a guest page */
		snprintf(text, sizeof(text), "KVM: CPU %u cannot run: %s", c->id, strerror(errno));
		failed(c, text);
		return gate(c);
	}
}

static void *cpu_main(void *arg)
{
	struct kvm_cpu *c = arg;
	char name[16];

	snprintf(name, sizeof(name), "cpu%u", c->id);
	prctl(PR_SET_NAME, name);
	if (!accel_enter(c->k->a, ACCEL_CPU))
		failed(c, "a CPU's thread could not be confined: -sandbox off does without");
	atomic_store(&c->tid, gettid());
	/* Joins at the gate: the VM may be paused already. */
	if (gate(c))
		while (run_once(c))
			;
	return NULL;
}

static int make_cpu(struct kvm *k, unsigned id, struct err *e)
{
	struct kvm_cpu *c = &k->cpus[id];

	c->k = k;
	c->id = id;
	c->fd = ioctl(k->vm, KVM_CREATE_VCPU, id);
	if (c->fd < 0)
		return kvm_err(e, "cannot make a CPU");
	k->ncpus++;
	c->run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->run == MAP_FAILED) {
		c->run = NULL;
		return kvm_err(e, "cannot map a CPU's shared page");
	}
	if (kvm_cpuid_set(k, c, e) < 0)
		return -EIO;
	return kvm_cpu_snapshot(c, e);
}

/* Threads inherit the mask: a vCPU takes the kick and faults of its own, nothing else. */
static int make_thread(struct kvm_cpu *c, struct err *e)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
	struct kvm *k = c->k;
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	sigdelset(&all, KICK_SIGNAL);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		sigdelset(&all, own[i]);
	pthread_mutex_lock(&k->lock);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&c->thread, NULL, cpu_main, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!rc) {
		c->threaded = true;
		k->active++;
	}
	pthread_mutex_unlock(&k->lock);
	return rc ? err_set(e, rc, "cannot start the thread of CPU %u: %s", c->id, strerror(rc))
		  : 0;
}

int kvm_cpus_first(struct kvm *k, struct err *e)
{
	unsigned n = k->a->conf.vcpus;

	k->cpus = calloc(n, sizeof(*k->cpus));
	if (!k->cpus)
		return err_set(e, ENOMEM, "no memory for %u CPUs", n);
	return make_cpu(k, 0, e);
}

int kvm_cpu_thread(const struct accel *a, unsigned cpu)
{
	const struct kvm *k = a->priv;

	return cpu < k->ncpus ? atomic_load(&k->cpus[cpu].tid) : 0;
}

void kvm_pause(struct accel *a)
{
	struct kvm *k = a->priv;

	pthread_mutex_lock(&k->lock);
	k->paused = true;
	kick_all(k);
	while (k->active)
		pthread_cond_wait(&k->cond, &k->lock);
	pthread_mutex_unlock(&k->lock);
}

void kvm_resume(struct accel *a)
{
	struct kvm *k = a->priv;

	/* Tells guests with a KVM clock that the lost time was not theirs (no soft lock-up);
	 * EINVAL where the guest has no such clock. */
	for (unsigned i = 0; i < k->ncpus; i++)
		(void)ioctl(k->cpus[i].fd, KVM_KVMCLOCK_CTRL, 0);
	pthread_mutex_lock(&k->lock);
	k->paused = false;
	pthread_cond_broadcast(&k->cond);
	pthread_mutex_unlock(&k->lock);
}

static bool enter_gather(void *arg)
{
	return accel_enter(arg, ACCEL_GATHER);
}

int kvm_start(struct accel *a, struct err *e)
{
	struct kvm *k = a->priv;
	unsigned n = a->conf.vcpus;

	k->gather.enter = enter_gather;
	k->gather.enter_arg = a;

	/* The probe ran on the first. */
	if (kvm_cpu_reset(&k->cpus[0], e) < 0 || gather_start(&k->gather, &a->mem, e) < 0)
		return -EIO;
	for (unsigned i = 1; i < n; i++)
		if (make_cpu(k, i, e) < 0 || kvm_cpu_first_state(&k->cpus[i], e) < 0)
			return -EIO;
	/* All of them wait at the gate until the last is made: if one cannot be, none has run, and
	 * the caller may take the devices apart. A pause that came first holds on. */
	bool paused = k->paused;

	k->paused = true;
	for (unsigned i = 0; i < n; i++)
		if (make_thread(&k->cpus[i], e) < 0)
			return -EIO;
	if (!paused)
		kvm_resume(a);
	return 0;
}

void kvm_cpus_free(struct kvm *k)
{
	pthread_mutex_lock(&k->lock);
	k->quit = true;
	kick_all(k);
	pthread_cond_broadcast(&k->cond);
	pthread_mutex_unlock(&k->lock);
	for (unsigned i = 0; i < k->ncpus; i++) {
		struct kvm_cpu *c = &k->cpus[i];

		if (c->threaded)
			pthread_join(c->thread, NULL);
		if (c->run)
			munmap(c->run, k->run_size);
		close(c->fd);
	}
	free(k->cpus);
	k->cpus = NULL;
	k->ncpus = 0;
}
