/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plugging PCI cards in and out while the guest runs, by ACPI (6.4, sections 5.6.6 and 6.3): a
 * general-purpose event tells the guest to look here, dsdt.asl's _L01 reads which slots are meant
 * and notifies the operating system; its driver for hot-plug enumerates the card, or lets go of
 * it and evaluates _EJ0, which writes the slot here.
 *
 * Ports, 32 bits each, bit n is slot n; where QEMU has them (docs/specs/acpi_pci_hotplug):
 *   0  r  slots with a new card          read once: a byte that was read is 0
 *   4  r  slots to be given up           likewise
 *   8  w  eject: the card may be pulled
 *  12  r  slots that cards may be plugged in and out of
 *
 * The event's status is a level: it stands while there is something to read. So nothing is lost,
 * neither to a guest that clears all events when it starts nor in the moment between reading and
 * clearing.
 *
 * At the eject, on the vCPU's thread, the card goes out of the guest's sight. The control loop
 * frees it later; until then its slot is taken.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/pc.h"

#define REG_UP	  0
#define REG_DOWN  4
#define REG_EJECT 8
#define REG_SLOTS 12
#define REGS	  16
/* Slot 0 has the host bridge, 1 the ISA bridge. */
#define SLOTS 0xfffffffcu

struct hotplug {
	struct io_region io;
	struct bus *b;
	struct pci_bus *pci;
	struct pm *pm;
	uint32_t up, down; /* not read by the guest yet */
	uint32_t asked;	   /* the guest was asked for these and has not ejected them */
	void (*ejected)(void *opaque, uint32_t slots);
	void *opaque;
};

static void update(struct hotplug *h)
{
	pm_gpe(h->pm, PC_GPE_HOTPLUG, h->up | h->down);
}

static uint32_t take(struct hotplug *h, uint32_t *bits, unsigned byte, unsigned size)
{
	uint32_t mask = (uint32_t)((1ull << 8 * size) - 1) << 8 * byte;
	uint32_t got = *bits & mask;

	*bits &= ~mask;
	update(h);
	return got >> 8 * byte;
}

static uint64_t hotplug_read(void *opaque, uint64_t off, unsigned size)
{
	struct hotplug *h = opaque;
	unsigned byte = off & 3;

	switch (off & ~3ull) {
	case REG_UP:
		return take(h, &h->up, byte, size);
	case REG_DOWN:
		return take(h, &h->down, byte, size);
	case REG_SLOTS:
		return SLOTS >> 8 * byte;
	default:
		return 0;
	}
}

static void hotplug_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct hotplug *h = opaque;
	uint32_t slots = (uint32_t)(val << 8 * (off & 3)) & SLOTS, hidden = 0;

	(void)size;
	if ((off & ~3ull) != REG_EJECT)
		return;
	for (uint32_t left = slots; left; left &= left - 1) {
		unsigned slot = (unsigned)__builtin_ctz(left);

		if (pci_hide(h->pci, slot))
			hidden |= 1u << slot;
	}
	h->asked &= ~slots;
	h->up &= ~slots;
	h->down &= ~slots;
	update(h);
	/* Also what nobody asked for: guests let their users pull cards. */
	if (hidden)
		h->ejected(h->opaque, hidden);
}

static const struct io_ops hotplug_ops = {hotplug_read, hotplug_write, 4};

struct hotplug *hotplug_new(struct pci_bus *p, struct pm *pm,
			    void (*ejected)(void *opaque, uint32_t slots), void *opaque,
			    struct err *e)
{
	struct hotplug *h = calloc(1, sizeof(*h));

	if (!h) {
		err_set(e, ENOMEM, "no memory for PCI hot-plug");
		return NULL;
	}
	h->b = pci_io_bus(p);
	h->pci = p;
	h->pm = pm;
	h->ejected = ejected;
	h->opaque = opaque;
	h->io = (struct io_region){PC_HOTPLUG, REGS, &hotplug_ops, h, "PCI hot-plug"};
	if (bus_add(h->b, BUS_PIO, &h->io, e)) {
		free(h);
		return NULL;
	}
	return h;
}

void hotplug_free(struct hotplug *h)
{
	if (!h)
		return;
	bus_del(h->b, BUS_PIO, &h->io);
	free(h);
}

void hotplug_added(struct hotplug *h, unsigned slot)
{
	bus_lock(h->b);
	h->up |= 1u << slot & SLOTS;
	update(h);
	bus_unlock(h->b);
}

void hotplug_ask(struct hotplug *h, unsigned slot)
{
	bus_lock(h->b);
	h->down |= 1u << slot & SLOTS;
	h->asked |= 1u << slot & SLOTS;
	update(h);
	bus_unlock(h->b);
}

void hotplug_gone(struct hotplug *h, unsigned slot)
{
	bus_lock(h->b);
	h->up &= ~(1u << slot);
	h->down &= ~(1u << slot);
	h->asked &= ~(1u << slot);
	update(h);
	bus_unlock(h->b);
}

uint32_t hotplug_reset(struct hotplug *h)
{
	uint32_t asked;

	bus_lock(h->b);
	asked = h->asked;
	h->up = h->down = h->asked = 0;
	update(h);
	bus_unlock(h->b);
	return asked;
}
