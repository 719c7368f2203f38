/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the PC and where things are: what machine.c assembles. Private to this folder and
 * its tests. Unless said otherwise calls are on the control loop, before or after the guest runs,
 * and register handlers run under the bus lock.
 */
#ifndef MACHINE_PC_H
#define MACHINE_PC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/accel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "bus/bus.h"
#include "bus/pci.h"

struct chardev;

/* --- the map -------------------------------------------------------------------------------- */

#define PC_LOW_RAM_END 0xc0000000ull  /* RAM above goes to 4 GiB; the PCI window begins */
#define PC_PCI_MEM     PC_LOW_RAM_END /* as in dsdt.asl */
#define PC_PCI_MEM_END 0xfec00000ull  /* the IOAPIC; exclusive */
#define PC_PCI_IO      0xc000
#define PC_HIGH_RAM    0x100000000ull
#define PC_ACPI_TABLES 0xe0000ull /* RSDP first; where there is no firmware */
#define PC_SMBIOS      0xf0000ull /* anchor, then tables; the same */
#define PC_ACPI_END    0x100000ull
#define PC_PM_BASE     0x600  /* PIIX4 power management ports, 64 of them */
#define PC_HOTPLUG     0xae00 /* PCI hot-plug ports, as in dsdt.asl */
#define PC_SMI_CMD     0xb2   /* … and a status port behind it: ACPI mode goes on and off here */
#define PC_ACPI_ON     0xf1
#define PC_ACPI_OFF    0xf0
#define PC_GPE_HOTPLUG 1	  /* general-purpose event: \_GPE._L01 */
#define PC_VGA	       0xa0000ull /* the display adapter's memory */
#define PC_SHADOW      0xc0000ull /* from here to 1 MiB the host bridge shows RAM or ROM */
#define PC_SHADOW_END  0x100000ull
#define PC_ROM_MAX     0x1000000ull /* the firmware ends at 4 GiB */
#define PC_ROM_LOW_MAX 0x20000ull   /* and this much of its end is below 1 MiB, too */
#define PC_SUBVENDOR   0x1af4	    /* the chipset's subsystem: what SeaBIOS knows this PC by */
#define PC_SUBDEVICE   0x1100
#define PC_IRQ_KBD     1
#define PC_IRQ_SERIAL  4
#define PC_IRQ_RTC     8
#define PC_IRQ_SCI     9
#define PC_IRQ_MOUSE   12

/* The accelerator's windows (accel_window()); from PC_WIN_FREE on they are others'. */
enum { PC_WIN_ROM, PC_WIN_SMRAM, PC_WIN_PAM, PC_WIN_VGA = PC_WIN_PAM + 13, PC_WIN_FREE };

/* PIRQ A–D at power-on; all of them in the _PRS of dsdt.asl. */
extern const uint8_t pc_pirq_irq[4];

/* What a chipset register asks of the machine: any thread, deferred to the control loop. */
struct pc_power {
	void (*reset)(void *opaque);
	void (*poweroff)(void *opaque);
	void *opaque;
};

/* --- a timer that any thread may set -------------------------------------------------------- */

struct deadline {
	void (*fn)(struct deadline *d); /* on the control loop, no lock held */
	struct loop *loop;
	pthread_t owner; /* who made this: the control thread */
	struct loop_timer timer;
	struct loop_fd w;
	int efd;
	_Atomic uint64_t when; /* ns on the loop's clock, 0: not armed */
};

int deadline_init(struct deadline *d, struct loop *loop, void (*fn)(struct deadline *d),
		  struct err *e);
void deadline_exit(struct deadline *d);		      /* after deadline_init() failed, too */
void deadline_set(struct deadline *d, uint64_t when); /* any thread; 0 disarms */

/* --- devices -------------------------------------------------------------------------------- */

/* 16550A at 0x3f8. c may be NULL: what is sent goes nowhere. */
struct serial;
struct serial *serial_new(struct bus *b, struct loop *control, struct chardev *c, uint16_t base,
			  unsigned gsi, struct err *e);
void serial_reset(struct serial *s);
void serial_free(struct serial *s); /* flushes */

/* What firmware says of itself, to ports 0x402 and 0xe9, for those who look for mistakes. */
struct debugcon;
struct debugcon *debugcon_new(struct bus *b, struct chardev *c, struct err *e);
void debugcon_free(struct debugcon *d); /* NULL is allowed */

/* MC146818 at 0x70. ram: bytes of guest memory, for the CMOS size bytes. clock NULL: the host's. */
struct rtc;
struct rtc *rtc_new(struct bus *b, struct loop *control, const struct clock *clock, uint64_t ram,
		    struct err *e);
void rtc_shift(struct rtc *r, int64_t s); /* before the guest runs: s seconds from what it says */
void rtc_reset(struct rtc *r);
void rtc_set(struct rtc *r, uint8_t at, uint8_t v); /* a byte of CMOS, as firmware finds it */
void rtc_free(struct rtc *r);

/* Port 0x92, 0x80, 0x61, ELCR, DMA pages. */
struct legacy;
struct legacy *legacy_new(struct bus *b, const struct clock *clock, const struct pc_power *power,
			  struct err *e);
void legacy_reset(struct legacy *l);
void legacy_free(struct legacy *l);

/* The firmware's image, in whole pages. host NULL: there is none. */
struct pc_rom {
	uint8_t *host;
	uint64_t size;
};

/* The chipset's PCI functions; the bus owns and frees them. */
struct i440fx;
/* *rom stays as it is as long as the bridge. The hole of RAM is [PC_VGA, PC_SHADOW_END). */
struct i440fx *i440fx_add(struct pci_bus *p, struct accel *a, const struct pc_rom *rom,
			  struct err *e);
/* All segments are RAM, as for a guest without firmware. */
void i440fx_all_ram(struct i440fx *x);
struct piix3;
struct isa_irqs;
struct piix3 *piix3_add(struct pci_bus *p, const struct pc_power *power, struct isa_irqs *q,
			struct err *e);
/* Programs the PIRQ routing registers as firmware does. */
void piix3_route(struct piix3 *x, const uint8_t irq[4]);
/* pci_bus_new()'s set_pirq and the SCI; any thread. The opaque is a struct isa_irqs, which exists
 * before the bus does. */
struct isa_irqs {
	struct accel *a;
	pthread_mutex_t lock;
	uint8_t route[4]; /* IRQ of PIRQ A–D, 0: none */
	bool pirq[4], sci;
	uint16_t isa;	/* lines that ISA devices hold up */
	uint16_t level; /* what was last told to the interrupt controllers */
};
void isa_irqs_init(struct isa_irqs *q, struct accel *a);
void isa_irqs_exit(struct isa_irqs *q);
void isa_irqs_pirq(void *opaque, unsigned pirq, bool level);
void isa_irqs_route(struct isa_irqs *q, unsigned pirq, uint8_t irq);
void isa_irqs_sci(struct isa_irqs *q, bool level);
void isa_irqs_line(struct isa_irqs *q, unsigned irq, bool level);

struct pm;
struct pm *pm_add(struct pci_bus *p, struct loop *control, const struct clock *clock,
		  struct isa_irqs *q, const struct pc_power *power, struct err *e);
/* Maps the registers at base and switches to ACPI mode, as firmware does. */
void pm_enable(struct pm *pm, uint16_t base);
bool pm_button(struct pm *pm); /* true: the guest has its interrupt on */
/* General-purpose event n's cause stands (its status cannot be cleared) or is gone (the status
 * waits to be cleared). Bus lock held or control loop. */
void pm_gpe(struct pm *pm, unsigned n, bool level);

/*
 * PCI hot-plug by ACPI. ejected() runs on a vCPU thread under the bus lock: the cards in these
 * slots (a bit each) are out of the guest's sight and wait to be removed by the control loop.
 */
struct hotplug;
struct hotplug *hotplug_new(struct pci_bus *p, struct pm *pm,
			    void (*ejected)(void *opaque, uint32_t slots), void *opaque,
			    struct err *e);
void hotplug_free(struct hotplug *h);		      /* before the PCI bus; NULL is allowed */
void hotplug_added(struct hotplug *h, unsigned slot); /* tells the guest of a new card */
void hotplug_ask(struct hotplug *h, unsigned slot);   /* asks the guest to eject it */
void hotplug_gone(struct hotplug *h, unsigned slot);  /* the card is away: forgets the slot */
/* Forgets everything; returns the slots that the guest was asked for and has not ejected. */
uint32_t hotplug_reset(struct hotplug *h);

/* Keyboard controller with keyboard and mouse (ps2.h). */
struct i8042;
struct i8042 *i8042_new(struct bus *b, const struct pc_power *power, struct err *e);
void i8042_reset(struct i8042 *k); /* bus lock */
void i8042_free(struct i8042 *k);  /* NULL is allowed */

/*
 * The display adapter (vga.h), in PCI slot 2; the bus owns and frees it. rom: file of the VGA BIOS
 * for its ROM BAR, NULL: none.
 */
struct vga;
struct vga *vga_add(struct pci_bus *p, const char *rom, struct err *e);
/* Switches to 32 bits a pixel, as firmware does for a kernel that is to find a frame buffer.
 * Returns its guest-physical address, 0: BAR 0 is not mapped and nothing was done. */
uint64_t vga_linear(struct vga *v, unsigned width, unsigned height);

/* --- tables and images ---------------------------------------------------------------------- */

struct linux_image {
	const char *kernel, *initrd; /* paths for messages; initrd may be NULL */
	int kernel_fd, initrd_fd;    /* -1: none */
	const char *append;	     /* may be NULL */
};

/* Opens the files; closes nothing on success. */
int linux_open(struct linux_image *img, const char *kernel, const char *initrd, const char *append,
	       struct err *e);
void linux_close(struct linux_image *img);

/*
 * Reads kernel and initrd straight into guest memory, makes boot_params, page tables, GDT, and
 * fills *boot. May be called again to start over. ram: bytes of guest memory in all.
 */
int linux_load(const struct linux_image *img, const struct guest_mem *mem, uint64_t ram,
	       uint64_t rsdp, struct accel_boot *boot, struct err *e);

/* After linux_load(): tells the kernel of a frame buffer of 32 bits a pixel below 4 GiB. */
void linux_screen(const struct guest_mem *mem, uint64_t base, unsigned width, unsigned height);

#endif
