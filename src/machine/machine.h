/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC: i440FX/PIIX3/PIIX4-PM chipset with ACPI, RTC, serial port, keyboard-controller reset,
 * and the direct boot of a Linux kernel. Owns the accelerator, the bus and PCI bus 0.
 *
 * Life: machine_new() -> devices are plugged into machine_pci() -> machine_start() -> events ->
 * machine_free(). All on the control loop.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/accel.h"
#include "base/loop.h"
#include "bus/pci.h"

struct machine;
struct chardev;

enum machine_event {
	MACHINE_POWEROFF, /* ACPI S5 */
	MACHINE_RESET,	  /* the guest (or system_reset) asked for a reset; with no_reboot: end */
	MACHINE_FAILED,	  /* text says why */
	MACHINE_QUIT,	  /* the qtest client left */
};

struct machine_conf {
	const char *accel;    /* "kvm" or "qtest" */
	struct accel_conf ac; /* device, qtest, clock; the machine fills host and control */
	uint64_t ram;	      /* bytes */
	unsigned cpus;
	const char *kernel, *initrd,
		*append;	/* kernel NULL: no direct boot (qtest only, for now) */
	struct chardev *serial; /* 16550A at 0x3f8, IRQ 4; NULL: not connected */
	bool no_reboot;
	bool paused; /* machine_start() leaves the vCPUs halted: machine_resume() */
	struct loop *control;
	/* On the control loop, never from inside a vCPU's exit. Resets are done by the machine
	 * itself; the event tells that one happened. */
	void (*event)(void *opaque, enum machine_event ev, const char *text);
	/* On the control loop: the cards in these slots (a bit each) are to be removed, as the
	 * guest has ejected them, or was asked to and is being reset. */
	void (*unplug)(void *opaque, uint32_t slots);
	void *opaque;
};

struct machine *machine_new(const struct machine_conf *c, struct err *e);
void machine_free(struct machine *m); /* stops vCPUs, destroys PCI devices; NULL is allowed */

struct pci_bus *machine_pci(struct machine *m);
struct accel *machine_accel(struct machine *m);

/* Loads the kernel, assigns PCI resources, makes ACPI tables and starts the vCPUs. */
int machine_start(struct machine *m, struct err *e);

void machine_pause(struct machine *m);	   /* monitor: stop */
void machine_resume(struct machine *m);	   /* monitor: cont */
void machine_reset(struct machine *m);	   /* monitor: system_reset */
void machine_powerdown(struct machine *m); /* presses the ACPI power button */

/* PCI hot-plug: tells the guest that d was plugged in; asks it to eject d (unplug() follows when
 * it has, which may be never). */
void machine_plugged(struct machine *m, const struct pci_dev *d);
void machine_ask_unplug(struct machine *m, const struct pci_dev *d);
/* The slot is empty now: what the guest has not read yet about it is forgotten. */
void machine_unplugged(struct machine *m, unsigned slot);

bool machine_running(const struct machine *m);

#endif
