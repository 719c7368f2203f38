/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State of the machine at power-on, after a reset, and at a direct boot.
 *
 * KVM makes CPUs and chips in their power-on state; what of it is large or differs between
 * hosts (segment and control registers, local APIC, IOAPIC, PIC, PIT) is read once before the
 * guest runs and written back at a reset. The rest is defined by the architecture (Intel SDM
 * volume 3A table 9-1, AMD APM volume 2 table 14-1) and spelled out here.
 *
 * A direct boot starts the first CPU in 64-bit mode as the Linux boot protocol wants it
 * (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"); the others wait for INIT and SIPI.
 */
#include "accel/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/util.h"

#define CR0_BOOT     0x80050033ull /* PG AM WP NE ET MP PE */
#define CR4_PAE	     0x20ull
#define EFER_LONG    0x500ull /* LMA LME */
#define SEL_CODE     0x10
#define SEL_DATA     0x18
#define MTRR_WB	     0x806  /* MTRRs on, default type write-back */
#define MISC_DEFAULT 0x1801 /* fast strings; no branch trace store, no PEBS */

#define MSRS_MAX	  64u /* written at once */
#define MSR_MISC_ENABLE	  0x1a0
#define MSR_MTRR_DEF_TYPE 0x2ff

int kvm_chips_snapshot(struct kvm *k, struct err *e)
{
	for (unsigned i = 0; i < ARRAY_SIZE(k->chip0); i++) {
		k->chip0[i].chip_id = i;
		if (ioctl(k->vm, KVM_GET_IRQCHIP, &k->chip0[i]) < 0)
			return kvm_err(e, "cannot read the interrupt controllers");
	}
	if (ioctl(k->vm, KVM_GET_PIT2, &k->pit0) < 0)
		return kvm_err(e, "cannot read the timer chip");
	return 0;
}

/*
 * Writes n registers. One that this host's KVM lacks is passed over: the guest cannot have
 * changed it either.
 */
static void set_msrs(const struct kvm_cpu *c, struct kvm_msr_entry *v, unsigned n)
{
	union {
		struct kvm_msrs m;
		uint8_t room[sizeof(struct kvm_msrs) + MSRS_MAX * sizeof(struct kvm_msr_entry)];
	} u;

	for (unsigned i = 0; i < n;) {
		unsigned part = MIN(n - i, MSRS_MAX);
		int done;

		memset(&u.m, 0, sizeof(u.m));
		u.m.nmsrs = part;
		memcpy(u.m.entries, v + i, part * sizeof(*v));
		done = ioctl(c->fd, KVM_SET_MSRS, &u);
		if (done < 0)
			return;
		i += (unsigned)done + ((unsigned)done < part ? 1 : 0);
	}
}

static void first_msrs(const struct kvm_cpu *c)
{
	struct kvm_msr_entry v[] = {
		{.index = MSR_MISC_ENABLE, .data = MISC_DEFAULT},
		{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_WB},
	};

	/* Firmware sets the memory types itself. */
	set_msrs(c, v, c->k->a->boot.set ? 2 : 1);
}

static void reset_msrs(const struct kvm_cpu *c)
{
	struct kvm_msr_entry v[] = {
		{.index = 0x6e0}, /* TSC deadline */
		{.index = 0x174},
		{.index = 0x175},
		{.index = 0x176}, /* SYSENTER */
		{.index = 0xc0000081},
		{.index = 0xc0000082}, /* STAR, LSTAR */
		{.index = 0xc0000083},
		{.index = 0xc0000084}, /* CSTAR, SFMASK */
		{.index = 0xc0000102},
		{.index = 0xc0000103},				 /* kernel GS base, TSC_AUX */
		{.index = 0x277, .data = 0x0007040600070406ull}, /* PAT */
		{.index = 0x48},
		{.index = 0x1d9},
		{.index = 0xda0}, /* SPEC_CTRL, DEBUGCTL, XSS */
		{.index = 0x201},
		{.index = 0x203},
		{.index = 0x205}, /* variable MTRR masks */
		{.index = 0x207},
		{.index = 0x209},
		{.index = 0x20b},
		{.index = 0x20d},
		{.index = 0x20f},
		{.index = MSR_MTRR_DEF_TYPE},
		/* KVM's own: clocks, asynchronous page faults, steal time, EOI, polling */
		{.index = 0x11},
		{.index = 0x12},
		{.index = 0x4b564d00},
		{.index = 0x4b564d01},
		{.index = 0x4b564d02},
		{.index = 0x4b564d03},
		{.index = 0x4b564d04},
		{.index = 0x4b564d05, .data = 1},
		{.index = 0x4b564d06},
	};

	set_msrs(c, v, ARRAY_SIZE(v));
}

struct kvm_segment kvm_flat_segment(uint16_t selector, uint8_t type, bool code)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = !code,
		.s = 1,
		.l = code,
		.g = 1,
	};
}

static void boot_sregs(const struct accel_boot *b, struct kvm_sregs *s)
{
	s->cs = kvm_flat_segment(SEL_CODE, 0xb, true);
	s->ds = s->es = s->fs = s->gs = s->ss = kvm_flat_segment(SEL_DATA, 3, false);
	s->gdt = (struct kvm_dtable){.base = b->gdt, .limit = b->gdt_limit};
	s->idt = (struct kvm_dtable){0};
	/* Entering a guest in 64-bit mode wants a busy 64-bit TSS in TR. */
	s->tr = (struct kvm_segment){.limit = 0x67, .type = 0xb, .present = 1};
	s->cr0 = CR0_BOOT;
	s->cr3 = b->cr3;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LONG;
}

/* General and system registers for power-on, or for the direct boot on the first CPU. */
static int set_regs(struct kvm_cpu *c, bool again, struct err *e)
{
	const struct accel_boot *b = &c->k->a->boot;
	struct kvm_sregs s = c->sregs0;
	struct kvm_regs r = {.rip = 0xfff0, .rflags = 2, .rdx = 0x600};
	bool boot = b->set && !c->id;

	if (boot) {
		boot_sregs(b, &s);
		r = (struct kvm_regs){.rip = b->rip, .rsi = b->rsi, .rsp = b->rsp, .rflags = 2};
	}
	if (!boot && !again)
		return 0; /* as KVM made it */
	if (ioctl(c->fd, KVM_SET_SREGS, &s) < 0)
		return kvm_err(e, "cannot set a CPU's system registers");
	if (ioctl(c->fd, KVM_SET_REGS, &r) < 0)
		return kvm_err(e, "cannot set a CPU's registers");
	return 0;
}

int kvm_cpu_snapshot(struct kvm_cpu *c, struct err *e)
{
	if (ioctl(c->fd, KVM_GET_SREGS, &c->sregs0) < 0 ||
	    ioctl(c->fd, KVM_GET_LAPIC, &c->lapic0) < 0)
		return kvm_err(e, "cannot read a CPU's registers");
	return 0;
}

int kvm_cpu_first_state(struct kvm_cpu *c, struct err *e)
{
	first_msrs(c);
	return set_regs(c, false, e);
}

static int reset_fpu(const struct kvm_cpu *c, struct err *e)
{
	/* XSAVE layout (Intel SDM volume 1 section 13.4): XSTATE_BV 0, all in initial state. */
	struct kvm_xsave *x;
	struct kvm_xcrs xcr = {.nr_xcrs = 1, .xcrs[0] = {.xcr = 0, .value = 1}};
	struct kvm_fpu f = {.fcw = 0x37f, .mxcsr = 0x1f80};
	int rc = 0;

	if (!c->k->xsave)
		return ioctl(c->fd, KVM_SET_FPU, &f) < 0 ? kvm_err(e, "cannot reset a CPU's FPU")
							 : 0;
	x = calloc(1, sizeof(*x));
	if (!x)
		return err_set(e, ENOMEM, "no memory to reset a CPU");
	x->region[0] = 0x37f;  /* FCW */
	x->region[6] = 0x1f80; /* MXCSR */
	if (ioctl(c->fd, KVM_SET_XSAVE, x) < 0 ||
	    (c->k->xcrs && ioctl(c->fd, KVM_SET_XCRS, &xcr) < 0))
		rc = kvm_err(e, "cannot reset a CPU's FPU");
	free(x);
	return rc;
}

/* Nothing pending, nothing masked. What GET reports as valid is what SET may change. */
static int reset_events(const struct kvm_cpu *c, struct err *e)
{
	struct kvm_vcpu_events ev = {0};
	struct kvm_debugregs dr = {.dr6 = 0xffff0ff0, .dr7 = 0x400};
	uint32_t valid;

	if (ioctl(c->fd, KVM_GET_VCPU_EVENTS, &ev) < 0)
		return kvm_err(e, "cannot read a CPU's pending events");
	valid = ev.flags;
	memset(&ev, 0, sizeof(ev));
	ev.flags = valid | KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR;
	if (ioctl(c->fd, KVM_SET_VCPU_EVENTS, &ev) < 0)
		return kvm_err(e, "cannot clear a CPU's pending events");
	if (ioctl(c->fd, KVM_SET_DEBUGREGS, &dr) < 0)
		return kvm_err(e, "cannot reset a CPU's debug registers");
	return 0;
}

int kvm_cpu_reset(struct kvm_cpu *c, struct err *e)
{
	struct kvm_mp_state mp;

	/* Reading takes an INIT or SIPI on its way into account, so that none is left. */
	if (ioctl(c->fd, KVM_GET_MP_STATE, &mp) < 0)
		return kvm_err(e, "cannot read a CPU's run state");
	reset_msrs(c);
	first_msrs(c);
	if (set_regs(c, true, e) < 0 || reset_fpu(c, e) < 0 || reset_events(c, e) < 0)
		return -EIO;
	if (ioctl(c->fd, KVM_SET_LAPIC, &c->lapic0) < 0)
		return kvm_err(e, "cannot reset a CPU's interrupt controller");
	mp.mp_state = c->id ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE;
	if (ioctl(c->fd, KVM_SET_MP_STATE, &mp) < 0)
		return kvm_err(e, "cannot set a CPU's run state");
	return 0;
}

int kvm_reset(struct accel *a, struct err *e)
{
	struct kvm *k = a->priv;

	for (unsigned i = 0; i < k->ncpus; i++)
		if (kvm_cpu_reset(&k->cpus[i], e) < 0)
			return -EIO;
	for (unsigned i = 0; i < ARRAY_SIZE(k->chip0); i++)
		if (ioctl(k->vm, KVM_SET_IRQCHIP, &k->chip0[i]) < 0)
			return kvm_err(e, "cannot reset the interrupt controllers");
	if (ioctl(k->vm, KVM_SET_PIT2, &k->pit0) < 0)
		return kvm_err(e, "cannot reset the timer chip");
	pthread_mutex_lock(&k->lock);
	for (unsigned i = 0; i < k->ncpus; i++)
		k->cpus[i].stopped = false;
	pthread_mutex_unlock(&k->lock);
	return 0;
}

/* --- for the monitor ------------------------------------------------------------------------ */

static void print_segment(FILE *out, const char *name, const struct kvm_segment *g)
{
	fprintf(out, "%-3s=%04x %016llx %08x type=%x dpl=%u%s%s%s\n", name, g->selector,
		(unsigned long long)g->base, g->limit, g->type, g->dpl, g->l ? " 64" : "",
		g->db ? " 32" : "", g->present ? "" : " absent");
}

int kvm_registers(struct accel *a, unsigned cpu, FILE *out, struct err *e)
{
	struct kvm *k = a->priv;
	struct kvm_regs r;
	struct kvm_sregs s;

	if (cpu >= k->ncpus)
		return err_set(e, EINVAL, "CPU %u has not been made", cpu);
	if (ioctl(k->cpus[cpu].fd, KVM_GET_REGS, &r) < 0 ||
	    ioctl(k->cpus[cpu].fd, KVM_GET_SREGS, &s) < 0)
		return kvm_err(e, "cannot read a CPU's registers");
	fprintf(out,
		"RAX=%016llx RBX=%016llx RCX=%016llx RDX=%016llx\n"
		"RSI=%016llx RDI=%016llx RBP=%016llx RSP=%016llx\n"
		"R8 =%016llx R9 =%016llx R10=%016llx R11=%016llx\n"
		"R12=%016llx R13=%016llx R14=%016llx R15=%016llx\n"
		"RIP=%016llx RFL=%08llx\n",
		r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
		r.r12, r.r13, r.r14, r.r15, r.rip, r.rflags);
	print_segment(out, "ES", &s.es);
	print_segment(out, "CS", &s.cs);
	print_segment(out, "SS", &s.ss);
	print_segment(out, "DS", &s.ds);
	print_segment(out, "FS", &s.fs);
	print_segment(out, "GS", &s.gs);
	print_segment(out, "LDT", &s.ldt);
	print_segment(out, "TR", &s.tr);
	fprintf(out,
		"GDT=     %016llx %08x\nIDT=     %016llx %08x\n"
		"CR0=%08llx CR2=%016llx CR3=%016llx CR4=%08llx\nEFER=%016llx\n",
		s.gdt.base, s.gdt.limit, s.idt.base, s.idt.limit, s.cr0, s.cr2, s.cr3, s.cr4,
		s.efer);
	return 0;
}
