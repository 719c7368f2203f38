/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs the guest's instructions. Two accelerators stand in one table: `kvm`, and `qtest`,
 * which has no CPU at all: port and memory accesses, and the clock, are driven over a socket by a
 * test (QEMU's documented qtest text protocol).
 *
 * THREADS: every vCPU has a thread, which calls accel_host.pio/mmio for each exit. accel_irq(),
 * accel_msi() and the eventfds may be used from any thread; all else on the control thread.
 * The in-kernel irqchip (PIC, IOAPIC, LAPIC) and PIT belong to the accelerator.
 */
#ifndef ACCEL_ACCEL_H
#define ACCEL_ACCEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "accel/mem.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"

struct accel;

enum accel_event {
	ACCEL_SHUTDOWN, /* triple fault: a reset, on a PC */
	ACCEL_FAILED,	/* the accelerator cannot go on; text says why */
	ACCEL_QUIT,	/* the qtest client went away */
};

/* What the accelerator calls. All of it may be called on a vCPU thread (qtest: control thread). */
struct accel_host {
	void *opaque;
	/* size 1, 2 or 4; data in guest (little-endian) order; a string instruction comes as
	 * `count` accesses of `size` bytes back to back in data. */
	void (*pio)(void *opaque, uint16_t port, bool write, uint8_t *data, unsigned size,
		    unsigned count);
	/* len 1 … 8 */
	void (*mmio)(void *opaque, uint64_t gpa, bool write, uint8_t *data, unsigned len);
	void (*event)(void *opaque, enum accel_event ev, const char *text);
};

enum accel_thread { ACCEL_CPU, ACCEL_GATHER };

/* System calls of those threads, for sandbox.h. */
extern const int accel_cpu_calls[], accel_gather_calls[];

struct accel_conf {
	const char *device; /* "/dev/kvm" unless told otherwise */
	unsigned vcpus;	    /* 1 … 255 */
	/* Cores of a package and threads of a core, 0: all are cores of one package. Powers of
	 * two but for the outermost level: a CPU's number is its APIC id. */
	unsigned cores, threads;
	const char *qtest; /* -qtest unix:PATH[,server=on][,wait=off] (listens) or fd; qtest only */
	struct loop *control; /* the control loop; qtest's socket lives there */
	struct clock *clock;  /* qtest makes it virtual and steps it */
	struct loop **loops;  /* qtest: loops to kick and wait for after a step … */
	unsigned nloops;      /* … may be changed by accel_set_loops() */
	struct accel_host host;
	/* On each thread that the accelerator has started, first of all; false: it shall do
	 * nothing. May be NULL. */
	bool (*enter)(void *arg, enum accel_thread kind);
	void *enter_arg;
};

/* State the first vCPU starts from instead of the reset vector: 64-bit Linux boot protocol. */
struct accel_boot {
	bool set; /* false: reset vector (real mode, F000:FFF0) */
	uint64_t rip, rsi, rsp, cr3;
	uint64_t gdt; /* gpa of a GDT with flat selectors 0x10 code64, 0x18 data */
	uint16_t gdt_limit;
};

/*
 * Memory that CPUs see at a place of its own: a ROM, RAM through the chipset's shadowing, a frame
 * buffer. What no window has in the hole of RAM (accel.hole) is registers, for accel_host.mmio.
 */
#define ACCEL_WINDOWS	    64
#define ACCEL_WINDOWS_FIXED 32 /* below: the machine's own; from here on accel_window_new()'s */
struct accel_window {
	uint64_t gpa, size; /* multiples of 4096 */
	uint8_t *host;	    /* stays valid while the window is there; NULL: no window */
	bool readonly;	    /* writes go to accel_host.mmio */
	bool log;	    /* which pages the guest writes is kept, for accel_window_dirty() */
};

struct accel_ops {
	const char *name, *summary;
	int (*open)(struct accel *a, struct err *e);
	void (*close)(struct accel *a);
	/* Called once after the last mem_add(): hands a->mem to the hypervisor. */
	int (*map)(struct accel *a, struct err *e);
	/* accel_window(): n changes from a->window[n] to *w (host NULL: goes). May be NULL. */
	int (*window)(struct accel *a, unsigned n, const struct accel_window *w, struct err *e);
	/* accel_window_dirty(). NULL where CPUs see no windows. */
	int (*dirty)(struct accel *a, unsigned n, uint64_t *bits);
	int (*start)(struct accel *a, struct err *e); /* makes vCPU threads; they run */
	void (*pause)(
		struct accel *a); /* returns when no vCPU runs; never called with the bus lock */
	void (*resume)(struct accel *a);
	int (*reset)(struct accel *a, struct err *e); /* paused: vCPUs, irqchip, PIT to power-on
							 state; the first vCPU to a->boot */
	int (*cpu_thread)(const struct accel *a, unsigned cpu); /* its number; NULL: no threads */
	/* Paused: prints a CPU's registers; NULL: there are none. */
	int (*registers)(struct accel *a, unsigned cpu, FILE *out, struct err *e);
	void (*irq)(struct accel *a, unsigned gsi, bool level);
	void (*msi)(struct accel *a, uint64_t addr, uint32_t data);
	/* May be NULL (qtest): then callers use msi() and their own register handlers. */
	int (*irqfd_add)(struct accel *a, int fd, uint64_t addr, uint32_t data, struct err *e);
	int (*irqfd_update)(struct accel *a, int handle, uint64_t addr, uint32_t data);
	void (*irqfd_del)(struct accel *a, int handle);
	int (*ioeventfd)(struct accel *a, bool add, bool pio, uint64_t addr, unsigned len,
			 bool match, uint64_t data, int fd);
};

struct accel {
	const struct accel_ops *ops;
	struct accel_conf conf;
	struct guest_mem mem;
	struct accel_boot boot;
	uint64_t hole, hole_size; /* RAM that CPUs see through windows only; before map() */
	struct accel_window window[ACCEL_WINDOWS];
	void *priv;
};

/* The table, ended by a NULL name's slot: accel_list()[i] == NULL. */
const struct accel_ops *const *accel_list(void);

/* Opens the accelerator called name. Returns NULL with e naming what is allowed or what is
 * wrong with the host and how to mend it. */
struct accel *accel_open(const char *name, const struct accel_conf *c, struct err *e);
void accel_close(struct accel *a); /* also frees guest memory; NULL is allowed */

/*
 * Gives the CPUs window n as *w says; NULL: there is none. Effective at once, also while they run:
 * an access at that very moment may find the old one, the new one, or registers. Before map() it is
 * noted only. Under the bus lock, or before the guest runs. Overlapping windows: -EBUSY.
 */
int accel_window(struct accel *a, unsigned n, const struct accel_window *w, struct err *e);

/* A window that is not in use, for a device's accel_window(), or -ENOSPC. Under the bus lock. */
int accel_window_new(const struct accel *a);

/* Which pages of window n (log: on) were written to since the last call: a bit each, lowest first,
 * in whole words of 64. Under the bus lock. 0, or -errno: count all of them as written to. */
int accel_window_dirty(struct accel *a, unsigned n, uint64_t *bits);

/* Host address of what a CPU finds at [gpa, gpa + len), NULL: not all of it is one window's, or
 * RAM's outside of the hole, or it cannot be written. Under the bus lock. */
void *accel_cpu_ptr(const struct accel *a, uint64_t gpa, uint64_t len, bool write);

/* qtest: the loops (besides the control loop) whose timers must have run before a clock step is
 * answered. The array is borrowed until the next call or accel_close(). */
void accel_set_loops(struct accel *a, struct loop **loops, unsigned n);

/*
 * Can this KVM device run 64-bit supervisor code? A tiny guest executes CMPXCHG16B, XRSTOR,
 * INT3, … at CPL 0 in long mode; takes a few milliseconds. Returns 0, or -errno with e saying
 * plainly what is wrong (no device, no permission, which instruction failed) and the remedy.
 * accel_open("kvm") does the same on the VM it makes: no need to call both.
 */
int kvm_probe(const char *device, struct err *e);

/* For the accelerator's threads: conf.enter(). */
static inline bool accel_enter(const struct accel *a, enum accel_thread kind)
{
	return !a->conf.enter || a->conf.enter(a->conf.enter_arg, kind);
}

static inline void accel_irq(struct accel *a, unsigned gsi, bool level)
{
	a->ops->irq(a, gsi, level);
}

static inline void accel_msi(struct accel *a, uint64_t addr, uint32_t data)
{
	a->ops->msi(a, addr, data);
}

#endif
