/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Can this KVM run a 64-bit kernel? The only answer that counts is to run one: a guest of eight
 * pages and one CPU executes, in 64-bit mode at CPL 0, what kernels execute (probe_guest.S).
 *
 * Some hosts offer /dev/kvm without hardware virtualisation below it that deserves the name; KVM
 * then feeds supervisor code to its instruction emulator, which knows but a part of the
 * instruction set and gives up at the rest (KVM_EXIT_INTERNAL_ERROR). A real kernel would die
 * there without a word on its console. After such a failure the guest is started again at the
 * next step, so that the answer names all that fails. A timer ends a guest that hangs; processor
 * time counts against it, so that a busy host does not look like a broken one.
 */
#include "accel/accel.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "accel/kvm.h"
#include "accel/probe_guest.h"
#include "base/util.h"

#define CPU_LIMIT  (2 * NS_PER_S)  /* processor time for the guest */
#define WALL_LIMIT (10 * NS_PER_S) /* and if it takes none at all */
#define PROBE_SLOT 31u		   /* a VM that goes on uses the first few */
#define TICK	   (20 * NS_PER_MS)

extern const uint8_t probe_guest[], probe_guest_end[];
extern const uint32_t probe_steps[PROBE_STEPS + 1];

static const char *const step_name[PROBE_STEPS] = {
	"CPUID",	"RDMSR/WRMSR", "LGDT",	 "LIDT",
	"a far return", "LTR",	       "SSE",	 "FXSAVE",
	"XSETBV",	"XSAVE",       "XRSTOR", "SWAPGS",
	"INVLPG",	"CMPXCHG16B",  "INT3",	 "REP STOSQ or LOCK XADD",
};

struct probe {
	const char *device;
	int vm, cpu;
	struct kvm_run *run;
	volatile uint8_t *ram;
	timer_t timer;
	bool timed;
	sigset_t mask; /* the thread's, valid when timed */
	uint64_t cpu_end, wall_end;
};

static uint64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void put64(struct probe *p, unsigned at, uint64_t v)
{
	put_le64((uint8_t *)p->ram + at, v);
}

/* Gives the guest its pages, or takes them away (size 0). */
static int slot(const struct probe *p, uint64_t size, struct err *e)
{
	struct kvm_userspace_memory_region r = {
		.slot = PROBE_SLOT, .memory_size = size, .userspace_addr = (uintptr_t)p->ram};

	if (ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		return kvm_err(e, "cannot map guest memory");
	return 0;
}

/* The first 2 MiB mapped one to one; GDT and TSS; operands of LGDT and LIDT; the code. */
static int make_ram(struct probe *p, struct err *e)
{
	void *m =
		mmap(NULL, PROBE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory to try %s", p->device);
	p->ram = m;
	put64(p, PROBE_PML4, PROBE_PDPT | 3);
	put64(p, PROBE_PDPT, PROBE_PD | 3);
	put64(p, PROBE_PD, 0x83);
	put64(p, PROBE_GDT + PROBE_CS, 0x00af9b000000ffffull);
	put64(p, PROBE_GDT + PROBE_DS, 0x00cf93000000ffffull);
	put64(p, PROBE_GDT + PROBE_TR, 0x0000890000000067ull | (uint64_t)PROBE_TSS << 16);
	put_le16((uint8_t *)m + PROBE_GDTR, PROBE_TR + 15);
	put64(p, PROBE_GDTR + 2, PROBE_GDT);
	put_le16((uint8_t *)m + PROBE_IDTR, 32 * 16 - 1);
	put64(p, PROBE_IDTR + 2, PROBE_IDT);
	memcpy((uint8_t *)m + PROBE_CODE, probe_guest,
	       (uintptr_t)probe_guest_end - (uintptr_t)probe_guest);
	return slot(p, PROBE_SIZE, e);
}

static int long_mode(struct probe *p, struct err *e)
{
	struct kvm_sregs s;

	if (ioctl(p->cpu, KVM_GET_SREGS, &s) < 0)
		return kvm_err(e, "cannot read a CPU's registers");
	s.cs = kvm_flat_segment(PROBE_CS, 0xb, true);
	s.ds = s.es = s.fs = s.gs = s.ss = kvm_flat_segment(PROBE_DS, 3, false);
	s.tr = (struct kvm_segment){.limit = 0x67, .type = 0xb, .present = 1};
	s.cr0 = 0x80050033;
	s.cr3 = PROBE_PML4;
	s.cr4 = 0x20;
	s.efer = 0x500;
	if (ioctl(p->cpu, KVM_SET_SREGS, &s) < 0)
		return kvm_err(e, "the CPU cannot be put into 64-bit mode");
	return 0;
}

static int go_to(struct probe *p, unsigned step, struct err *e)
{
	struct kvm_regs r = {
		.rip = PROBE_CODE + probe_steps[step], .rsp = PROBE_STACK, .rflags = 2};

	if (ioctl(p->cpu, KVM_SET_REGS, &r) < 0)
		return kvm_err(e, "cannot set a CPU's registers");
	return 0;
}

/* Interrupts this thread's KVM_RUN again and again until the timer is deleted. */
static int set_timer(struct probe *p, struct err *e)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KICK_SIGNAL};
	struct itimerspec it = {.it_value.tv_nsec = TICK, .it_interval.tv_nsec = TICK};

	sigset_t kick;

	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	kvm_kick_handler();
	if (timer_create(CLOCK_MONOTONIC, &ev, &p->timer) < 0)
		return err_set(e, errno, "cannot make a timer to try %s", p->device);
	p->timed = true;
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, &p->mask);
	p->cpu_end = now(CLOCK_THREAD_CPUTIME_ID) + CPU_LIMIT;
	p->wall_end = now(CLOCK_MONOTONIC) + WALL_LIMIT;
	timer_settime(p->timer, 0, &it, NULL);
	return 0;
}

enum outcome { DONE, FAILS, DIES, HANGS };

/* Runs the guest until it is done or something goes wrong. */
static enum outcome run(struct probe *p)
{
	for (;;) {
		if (ioctl(p->cpu, KVM_RUN, 0) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return DIES;
			if (now(CLOCK_THREAD_CPUTIME_ID) > p->cpu_end ||
			    now(CLOCK_MONOTONIC) > p->wall_end)
				return HANGS;
			continue;
		}
		switch (p->run->exit_reason) {
		case KVM_EXIT_INTR:
			break;
		case KVM_EXIT_IO:
			return p->run->io.port == PROBE_PORT ? DONE : DIES;
		case KVM_EXIT_INTERNAL_ERROR:
			return FAILS;
		default:
			return DIES;
		}
	}
}

/* Adds ", NAME" to the list. */
static void add_name(char *list, size_t size, const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len ? ", " : "", name);
}

static int try_steps(struct probe *p, struct err *e)
{
	char failing[200] = "";
	enum outcome o = FAILS;
	unsigned next = 0;

	while (next < PROBE_STEPS && o == FAILS) {
		if (go_to(p, next, e) < 0)
			return -EIO;
		o = run(p);
		if (o == DONE)
			break;
		unsigned at = p->ram[PROBE_STEP];

		/* Not even the note was written, or it cannot be believed. */
		if (at < next || at >= PROBE_STEPS)
			at = next;
		add_name(failing, sizeof(failing), step_name[at]);
		next = at + 1;
	}
	if (!failing[0])
		return 0;
	return err_set(
		e, ENOTSUP,
		"%s cannot run 64-bit kernels on this machine: supervisor code %s at %s (the "
		"hypervisor below gives it no full hardware virtualisation); use a machine "
		"with hardware virtualisation, or run inside the lab: lab/run -- COMMAND",
		p->device, o == HANGS ? "hangs" : "fails", failing);
}

int kvm_probe_on(const char *device, int vm, int cpu, struct kvm_run *run_page, struct err *e)
{
	struct probe p = {.device = device, .vm = vm, .cpu = cpu, .run = run_page};
	struct err own = {0};
	int rc = 0;

	if (make_ram(&p, &own) < 0 || long_mode(&p, &own) < 0 || set_timer(&p, &own) < 0 ||
	    try_steps(&p, &own) < 0)
		rc = err_set(e, own.code, "%s", own.text);
	if (p.timed) {
		timer_delete(p.timer);
		pthread_sigmask(SIG_SETMASK, &p.mask, NULL);
	}
	if (p.ram) {
		if (slot(&p, 0, &own) < 0 && !rc)
			rc = err_set(e, own.code, "%s", own.text);
		munmap((void *)p.ram, PROBE_SIZE);
	}
	return rc;
}

/* A VM as the real one, without memory: opening the accelerator includes the probe. */
int kvm_probe(const char *device, struct err *e)
{
	const struct accel_conf c = {.device = device, .vcpus = 1};
	struct err own = {0};
	struct accel *a = accel_open("kvm", &c, &own);

	accel_close(a);
	return a ? 0 : err_set(e, own.code, "%s", own.text);
}
