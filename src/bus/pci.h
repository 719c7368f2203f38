/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI bus 0: configuration space (PCI Local Bus 3.0 chapter 6), BARs, INTx routing, capability
 * list, MSI-X (section 6.8.2). Devices embed struct pci_dev.
 *
 * THREADS: config space and BAR mapping under the bus lock. pci_intx() and msix_notify() may be
 * called from any thread (queue loops do).
 */
#ifndef BUS_PCI_H
#define BUS_PCI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/bus.h"

struct pci_bus;
struct pci_dev;
struct msix;

#define PCI_BARS    6
#define PCI_ROM	    6	 /* number of the expansion ROM's BAR */
#define PCI_REGIONS 7	 /* BARs with the ROM's */
#define PCI_AUTO    (-1) /* devfn: first free slot */
#define PCI_SLOTS   32

struct pci_bar {
	struct io_region io; /* base is valid while mapped */
	enum bus_space space;
	uint64_t size; /* power of two; 0: no BAR */
	bool is64, prefetch, mapped;
};

struct pci_ops {
	/* All optional, under the bus lock. config_written runs after the bytes were stored. */
	void (*config_read)(struct pci_dev *d, unsigned off, unsigned len);
	void (*config_written)(struct pci_dev *d, unsigned off, unsigned len);
	/* A BAR was mapped or unmapped (mapped says which): ioeventfds follow. */
	void (*bar_changed)(struct pci_dev *d, unsigned bar);
	/* MSI-X was enabled/disabled, or vector v's address, data or mask changed. */
	void (*msix_changed)(struct pci_dev *d);
	/* Bus mastering went on or off (pci_master()). Off: the card has let go of memory when this
	 * returns, and remembers where it was; on: it looks at everything that is to be done. */
	void (*master_changed)(struct pci_dev *d);
	void (*reset)(struct pci_dev *d);
	void (*destroy)(struct pci_dev *d); /* frees the device; it is off the bus already */
};

struct pci_dev {
	const struct pci_ops *ops;
	struct pci_bus *bus; /* NULL until pci_add() */
	char id[32];	     /* the user's id= or a made-up one */
	const char *model;   /* "virtio-net-pci" */
	uint8_t devfn;
	uint8_t config[256]; /* little-endian, as the guest reads it */
	uint8_t wmask[256];  /* bits the guest may write */
	uint8_t w1c[256];    /* bits cleared by writing 1 */
	struct pci_bar bar[PCI_REGIONS];
	uint8_t *rom; /* rom_size bytes; NULL: none */
	uint32_t rom_size;
	struct msix *msix; /* NULL: none */
	_Atomic bool intx; /* level of the INTx pin */
	uint8_t next_cap;  /* where the next capability goes */
	bool hidden;	   /* the guest has ejected it: no access reaches it any more */
	bool fixed;	   /* it cannot be ejected */
	_Atomic bool master;
};

struct pci_ids {
	uint16_t vendor, device, subvendor, subdevice;
	uint8_t rev;
	uint32_t class; /* 24 bits: base, sub, interface */
};

/* Makes bus 0 with the configuration mechanism at 0xCF8/0xCFC. set_irq drives PIRQ line 0 … 3;
 * it may be called from any thread, with the line's new combined level. */
struct pci_bus *pci_bus_new(struct bus *b,
			    void (*set_pirq)(void *opaque, unsigned pirq, bool level), void *opaque,
			    struct err *e);
void pci_bus_free(struct pci_bus *p); /* destroys the devices on it */
struct bus *pci_io_bus(struct pci_bus *p);

/* Byte accesses to 0xCF9 belong to the chipset's reset control register, which lies inside the
 * dword of CONFIG_ADDRESS. Called under the bus lock. */
struct pci_reset_control {
	uint8_t (*read)(void *opaque);
	void (*write)(void *opaque, uint8_t val);
	void *opaque;
};
void pci_set_reset_control(struct pci_bus *p, const struct pci_reset_control *c);

/* Fills the header's fixed fields, writable bits of command/line/latency; pin 1 = INTA, 0 none. */
void pci_init(struct pci_dev *d, const char *model, const struct pci_ops *ops,
	      const struct pci_ids *ids, unsigned pin);

/* Declares a BAR before pci_add(). size is rounded up to a power of two by the caller. */
void pci_set_bar(struct pci_dev *d, unsigned n, enum bus_space space, uint64_t size, bool is64,
		 bool prefetch, const struct io_ops *ops, void *opaque);

/*
 * Gives d, before pci_add(), the file as its expansion ROM: read whole, rounded up to a power of
 * two, at most 16 MiB. The bus frees it with the device; pci_free_rom() is for one that is never
 * plugged in. Errors name romfile=; a file that firmware would not run is one warning.
 */
int pci_load_rom(struct pci_dev *d, const char *path, struct err *e);
/* The same for one that was chosen for the card and not by the user: where it names another card of
 * the vendor's, it is made to name this one, as firmware passes it over otherwise. */
int pci_load_own_rom(struct pci_dev *d, const char *path, struct err *e);
void pci_free_rom(struct pci_dev *d);

/* A page of a memory BAR that the guest's CPUs may see as RAM (pci_page.c). All under the bus lock.
 */
struct pci_page {
	struct pci_dev *d; /* the following four are the card's to fill in */
	unsigned bar;
	uint32_t off;  /* in the BAR, a multiple of 4096 */
	void *host;    /* 4096 bytes, page-aligned: the registers */
	bool readonly; /* writes still come to the BAR's handlers */
	bool shown;
	unsigned window;
	struct pci_page *next; /* of those that are shown */
};

/* True when the CPUs see it now: not while the BAR is off, shares the page, or the accelerator
 * cannot. To be hidden in bar_changed(): the page does not move with its BAR, and goes when
 * somebody else's registers come there (then it is called, too). */
bool pci_page_show(struct pci_page *p);
void pci_page_hide(struct pci_page *p); /* idempotent; p may be zeros */

/* Adds a capability of len bytes (id and next included), returns its offset or -ENOSPC. */
int pci_add_cap(struct pci_dev *d, uint8_t id, unsigned len);

/*
 * Plugs d in at devfn (slot << 3 | function), or PCI_AUTO. Errors name what is in the way and
 * which slots are free. The bus owns d from here on.
 */
int pci_add(struct pci_bus *p, struct pci_dev *d, int devfn, struct err *e);
void pci_remove(struct pci_dev *d); /* off the bus, regions unmapped, then ops->destroy */

/*
 * Takes the cards in a slot out of the guest's sight, their regions unmapped; they stay on the bus
 * until pci_remove(). Under the bus lock. Returns false when there was none to be seen.
 */
bool pci_hide(struct pci_bus *p, unsigned slot);

/* Assigns BARs and interrupt lines as firmware would: for guests started without firmware. */
int pci_assign(struct pci_bus *p, uint64_t mmio32_base, uint64_t mmio32_end, uint16_t io_base,
	       const uint8_t pirq_to_irq[4], struct err *e);
void pci_bus_reset(struct pci_bus *p);

/* A PCI address "slot[.function]", both hexadecimal with or without 0x, slot 0 included; false when
 * it is none. */
bool pci_parse_slot(const char *value, int *devfn);
/* What a device's addr= may be: the same, but not slot 0. e says what is allowed. */
int pci_parse_addr(const char *value, int *devfn, struct err *e);

/* Calls fn for each device in slot order. */
void pci_for_each(struct pci_bus *p, void (*fn)(struct pci_dev *d, void *arg), void *arg);

/* May the card read and write memory by itself (command bit 2, section 6.2.2)? Without that it
 * looks at no descriptor and moves no data. Any thread. */
static inline bool pci_master(const struct pci_dev *d)
{
	return atomic_load_explicit(&d->master, memory_order_relaxed);
}

/* Sets that bit for a driver that is known to forget it. Bus lock. */
void pci_set_master(struct pci_dev *d);

/* Drives the INTx pin; no-op when the level stands already or INTx is disabled in command. */
void pci_intx(struct pci_dev *d, bool level);

/* Adds an MSI-X capability with nvec vectors; table and PBA live in memory BAR `bar` (declared
 * here, 4 KiB or as large as needed). */
int msix_init(struct pci_dev *d, unsigned bar, unsigned nvec, struct err *e);
void msix_free(struct pci_dev *d);
unsigned msix_vectors(const struct pci_dev *d); /* 0: no MSI-X */
bool msix_enabled(const struct pci_dev *d);

/*
 * A vector must be taken into use before it is notified; that is when an irqfd is made (KVM).
 * Use counts; -EINVAL for a vector out of range.
 */
int msix_use(struct pci_dev *d, unsigned vec, struct err *e);
void msix_unuse(struct pci_dev *d, unsigned vec);

/* Raises vector vec: any thread, no lock in the common (unmasked, irqfd) case. Masked vectors
 * set their pending bit and are sent on unmask. */
void msix_notify(struct pci_dev *d, unsigned vec);

/* The eventfd behind a used vector (for vhost), or -1. */
int msix_irqfd(struct pci_dev *d, unsigned vec);

#endif
