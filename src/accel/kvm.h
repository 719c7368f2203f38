/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the KVM accelerator share.
 *   kvm.c        device, capabilities, VM, memory slots, the table entry
 *   kvm_cpuid.c  what the guest's CPUs say they are
 *   kvm_state.c  power-on and boot state of vCPUs, irqchip, PIT
 *   kvm_vcpu.c   vCPU threads: run, exit, pause, resume
 *   kvm_irq.c    interrupt lines, MSI routes, irqfd, ioeventfd
 */
#ifndef ACCEL_KVM_H
#define ACCEL_KVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "accel/accel.h"
#include "accel/gather.h"

#define KVM_LINES   24u /* GSIs 0 … 23: PIC and IOAPIC pins; MSI routes come after them */
#define KICK_SIGNAL SIGRTMIN
#define CPUID_ROOM  256u

struct kvm_cpu {
	struct kvm *k;
	unsigned id; /* also its APIC id */
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool threaded;		 /* thread is valid */
	_Atomic int tid;	 /* its number; 0 until it has begun */
	bool stopped;		 /* under k->lock: triple fault or failure; waits for a reset */
	struct kvm_sregs sregs0; /* as KVM made it: power-on state */
	struct kvm_lapic_state lapic0;
};

struct msi_route {
	uint64_t addr;
	uint32_t data;
	int fd; /* -1: slot is free */
};

struct kvm {
	struct accel *a;
	int dev, vm;
	size_t run_size;
	bool mapped;				    /* guest memory is */
	bool tsc_deadline, xsave, xcrs, any_length; /* capabilities that may be absent */
	struct kvm_cpuid2 *cpuid;
	struct gather gather;

	pthread_mutex_t lock; /* the following */
	pthread_cond_t cond;
	bool paused, quit;
	unsigned active; /* vCPU threads that are in, or may enter, the guest */

	struct kvm_cpu *cpus;
	unsigned ncpus; /* made so far */

	struct kvm_irqchip chip0[3]; /* power-on state */
	struct kvm_pit_state2 pit0;

	pthread_mutex_t irq_lock; /* the following */
	struct msi_route *msi;
	unsigned nmsi, msi_max;
	struct kvm_irq_routing *routing; /* buffer for nmsi routes and the default ones */
};

/* kvm.c. Opens the device; errors carry the remedy. Returns the descriptor or -errno. */
int kvm_open_device(const char *device, struct err *e);
/* Makes a VM; returns its descriptor or -errno. */
int kvm_create_vm(int dev, const char *device, struct err *e);
int kvm_err(struct err *e, const char *what); /* "KVM: what: strerror(errno)", -errno */
/* Gives KICK_SIGNAL a handler that does nothing, so that it interrupts KVM_RUN. */
void kvm_kick_handler(void);

/* kvm_cpuid.c. What KVM supports, CPUID_ROOM entries of room; NULL and e. free() it. */
struct kvm_cpuid2 *kvm_supported_cpuid(int dev, struct err *e);
/* Shapes k->cpuid for vCPU id and gives it to that vCPU. */
int kvm_cpuid_set(struct kvm *k, struct kvm_cpu *c, struct err *e);

/*
 * probe.c. Runs the probe guest on this CPU, which has its CPUID but no state worth keeping and
 * is to be reset afterwards; guest-physical 0 … 7FFFh must be free. As kvm_probe().
 */
int kvm_probe_on(const char *device, int vm, int cpu, struct kvm_run *run_page, struct err *e);

/* kvm_state.c */
/* A flat segment of 4 GiB: 64-bit code, or data. */
struct kvm_segment kvm_flat_segment(uint16_t selector, uint8_t type, bool code);
int kvm_cpu_snapshot(struct kvm_cpu *c, struct err *e);
int kvm_cpu_first_state(struct kvm_cpu *c, struct err *e); /* for a CPU that never ran */
int kvm_cpu_reset(struct kvm_cpu *c, struct err *e);
int kvm_chips_snapshot(struct kvm *k, struct err *e);
int kvm_reset(struct accel *a, struct err *e);
int kvm_registers(struct accel *a, unsigned cpu, FILE *out, struct err *e);

/* kvm_vcpu.c */
int kvm_cpus_first(struct kvm *k, struct err *e); /* makes the first CPU; the rest at the start */
int kvm_start(struct accel *a, struct err *e);
void kvm_pause(struct accel *a);
void kvm_resume(struct accel *a);
int kvm_cpu_thread(const struct accel *a, unsigned cpu);
void kvm_cpus_free(struct kvm *k);

/* kvm_irq.c */
void kvm_irq(struct accel *a, unsigned gsi, bool level);
void kvm_msi(struct accel *a, uint64_t addr, uint32_t data);
int kvm_irqfd_add(struct accel *a, int fd, uint64_t addr, uint32_t data, struct err *e);
int kvm_irqfd_update(struct accel *a, int handle, uint64_t addr, uint32_t data);
void kvm_irqfd_del(struct accel *a, int handle);
int kvm_ioeventfd(struct accel *a, bool add, bool pio, uint64_t addr, unsigned len, bool match,
		  uint64_t data, int fd);

#endif
