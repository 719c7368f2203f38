/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC: i440FX/PIIX3/PIIX4-PM chipset with ACPI, RTC, serial port, keyboard, mouse, VGA,
 * firmware, and the direct boot of a Linux kernel without it. Owns the accelerator, the bus and PCI
 * bus 0.
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
struct i8042;
struct vga;

enum machine_event {
	MACHINE_POWEROFF, /* ACPI S5 */
	MACHINE_RESET,	  /* the guest (or system_reset) asked for a reset; with no_reboot: end */
	MACHINE_FAILED,	  /* text says why */
	MACHINE_QUIT,	  /* the qtest client left */
};

#define BOOT_ORDER_MAX 3
#define BOOT_PATH_MAX  128

struct smbios_conf;

/* A file that the guest's firmware, or a program in the guest, finds in fw_cfg. */
struct boot_file {
	char *option; /* as typed, for messages: "-option-rom x" */
	char *name;   /* in fw_cfg */
	char *path;   /* on the host; NULL: text is what it holds */
	char *text;
};

/* What the user says of firmware and of the order in which it boots. */
struct boot_conf {
	const char *bios;		/* firmware's image; NULL: SeaBIOS */
	char order[BOOT_ORDER_MAX + 1]; /* letters of a, b, c, d, n */
	char once[BOOT_ORDER_MAX + 1];	/* the same for the first boot; empty: as order */
	bool menu, strict;
	int menu_wait;	/* ms; -1: the firmware's own */
	int fail_wait;	/* ms until a reboot when nothing boots, -1: never; -2: the firmware's */
	bool nographic; /* the firmware's console is the serial port */
	uint8_t uuid[16];
	const struct smbios_conf *smbios; /* stays as long as the machine */
	const struct boot_file *file;	  /* -fw_cfg, -option-rom: nfiles of them, the same */
	unsigned nfiles;
};

struct machine_conf {
	const char *accel;    /* "kvm" or "qtest" */
	struct accel_conf ac; /* device, qtest, clock; the machine fills host and control */
	uint64_t ram;	      /* bytes */
	unsigned cpus;
	const char *kernel, *initrd, *append; /* kernel NULL: firmware boots */
	struct boot_conf boot;
	struct chardev *serial; /* 16550A at 0x3f8, IRQ 4; NULL: not connected */
	struct chardev *debug;	/* firmware's debug port; NULL: none */
	bool no_reboot;
	bool vga;	     /* a display adapter in PCI slot 2 … */
	const char *vga_rom; /* … with this file as its ROM; NULL: none */
	bool screen;	     /* somebody sees it: a kernel without firmware finds a frame buffer */
	int64_t rtc_shift;   /* seconds that the guest's clock is ahead of UTC */
	bool paused;	     /* machine_start() leaves the vCPUs halted: machine_resume() */
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
struct vga *machine_vga(struct machine *m); /* NULL: none */
struct i8042 *machine_keyboard(struct machine *m);

/* An ISA device's interrupt line, 0 … 15; m: the machine. Any thread. */
void machine_isa_irq(void *m, unsigned irq, bool level);

/* Loads the kernel, assigns PCI resources, makes ACPI tables, or leaves all that to the firmware,
 * and starts the vCPUs. */
int machine_start(struct machine *m, struct err *e);

void machine_pause(struct machine *m);	/* monitor: stop */
void machine_resume(struct machine *m); /* monitor: cont */
void machine_reset(struct machine *m);	/* monitor: system_reset */
/* Presses the ACPI power button. True: the guest has its interrupt switched on. */
bool machine_powerdown(struct machine *m);

/*
 * bootindex=: the firmware tries devices in the order of these numbers, before all others. path: as
 * Open Firmware names the device, see machine_boot_pci(). -EEXIST when the number is taken. Counts
 * from the next start or reset on. [control]
 */
int machine_boot_add(struct machine *m, uint32_t index, const char *path, struct err *e);
void machine_boot_del(struct machine *m, const char *path); /* one that is not there is no error */
/* Path of a PCI card: "/pci@i0cf8/NAME@SLOT[,FUNCTION]" and what follows in it, e.g. of a network
 * card with name "ethernet", rest "/ethernet-phy@0"; of a virtio disk "scsi", "/disk@0,0". */
void machine_boot_pci(const struct pci_dev *d, const char *name, const char *rest,
		      char path[BOOT_PATH_MAX]);

/* PCI hot-plug: tells the guest that d was plugged in; asks it to eject d (unplug() follows when
 * it has, which may be never). */
void machine_plugged(struct machine *m, const struct pci_dev *d);
void machine_ask_unplug(struct machine *m, const struct pci_dev *d);
/* The slot is empty now: what the guest has not read yet about it is forgotten. */
void machine_unplugged(struct machine *m, unsigned slot);

bool machine_running(const struct machine *m);

#endif
