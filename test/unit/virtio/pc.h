/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI bus on an accelerator that only counts interrupts, and the register side of a virtio
 * driver, for tests.
 */
#ifndef TEST_VIRTIO_PC_H
#define TEST_VIRTIO_PC_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "bus/pci.h"
#include "ring.h"
#include "virtio/virtio_pci.h"

#define PC_MSIS 8

struct pc {
	struct accel a;
	struct accel_ops ops;
	struct bus bus;
	struct pci_bus *pci;
	_Atomic unsigned msis[PC_MSIS]; /* by the message's data */
	_Atomic bool pirq[4];
};

static inline void pc_msi(struct accel *a, uint64_t addr, uint32_t data)
{
	struct pc *pc = container_of(a, struct pc, a);

	(void)addr;
	if (data < PC_MSIS)
		atomic_fetch_add(&pc->msis[data], 1);
}

static inline void pc_pirq(void *opaque, unsigned pirq, bool level)
{
	struct pc *pc = opaque;

	atomic_store(&pc->pirq[pirq], level);
}

static inline void pc_init(struct pc *pc)
{
	memset(pc, 0, sizeof(*pc));
	pc->ops.name = "test";
	pc->ops.msi = pc_msi;
	pc->a.ops = &pc->ops;
	tmem_init(&pc->a.mem, 64u << 20);
	assert_int_equal(bus_init(&pc->bus, &pc->a, NULL), 0);
	pc->pci = pci_bus_new(&pc->bus, pc_pirq, pc, NULL);
	assert_non_null(pc->pci);
}

static inline void pc_exit(struct pc *pc)
{
	pci_bus_free(pc->pci);
	bus_exit(&pc->bus);
	tmem_exit(&pc->a.mem);
}

static inline void pc_master(struct pci_dev *d, void *arg)
{
	(void)arg;
	pci_set_master(d);
}

/* BARs and decoding, as firmware does it, and bus mastering, as a driver. */
static inline void pc_assign(struct pc *pc)
{
	const uint8_t irq[4] = {10, 10, 11, 11};

	assert_int_equal(pci_assign(pc->pci, 0xc0000000, 0xfec00000, 0xc000, irq, NULL), 0);
	bus_lock(&pc->bus);
	pci_for_each(pc->pci, pc_master, NULL);
	bus_unlock(&pc->bus);
}

static inline void pc_outl(struct pc *pc, uint16_t port, uint32_t v, unsigned size)
{
	uint8_t b[4];

	put_le32(b, v);
	bus_pio(&pc->bus, port, true, b, size, 1);
}

static inline uint32_t pc_in(struct pc *pc, uint16_t port, unsigned size)
{
	uint8_t b[4] = {0};

	bus_pio(&pc->bus, port, false, b, size, 1);
	return get_le32(b);
}

static inline void pc_config_write(struct pc *pc, struct pci_dev *d, unsigned off, uint32_t v,
				   unsigned size)
{
	pc_outl(pc, 0xcf8, 0x80000000u | (uint32_t)d->devfn << 8 | (off & 0xfc), 4);
	pc_outl(pc, (uint16_t)(0xcfc + (off & 3)), v, size);
}

static inline uint32_t pc_config_read(struct pc *pc, struct pci_dev *d, unsigned off, unsigned size)
{
	pc_outl(pc, 0xcf8, 0x80000000u | (uint32_t)d->devfn << 8 | (off & 0xfc), 4);
	return pc_in(pc, (uint16_t)(0xcfc + (off & 3)), size);
}

/* Bus mastering, by the command register. */
static inline void pc_set_mastering(struct pc *pc, struct pci_dev *d, bool on)
{
	pc_config_write(pc, d, 4, (pc_config_read(pc, d, 4, 2) & ~4u) | (on ? 4 : 0), 2);
}

/* Offset of the n-th capability of this id (and, for id 9, of this virtio type), or 0. */
static inline unsigned pc_find_cap(struct pc *pc, struct pci_dev *d, uint8_t id, int type)
{
	unsigned at = pc_config_read(pc, d, 0x34, 1);

	for (unsigned i = 0; at && i < 48; i++) {
		if (pc_config_read(pc, d, at, 1) == id &&
		    (type < 0 || pc_config_read(pc, d, at + 3, 1) == (uint32_t)type))
			return at;
		at = pc_config_read(pc, d, at + 1, 1);
	}
	return 0;
}

/* Switches MSI-X on; vector v sends the message v. */
static inline void pc_msix_on(struct pc *pc, struct pci_dev *d)
{
	unsigned cap = pc_find_cap(pc, d, 0x11, -1), n;

	assert_int_not_equal(cap, 0);
	n = (pc_config_read(pc, d, cap + 2, 2) & 0x7ff) + 1;
	for (unsigned v = 0; v < n; v++) {
		uint8_t entry[16] = {0};

		put_le32(entry, 0xfee00000);
		put_le32(entry + 8, v);
		for (unsigned i = 0; i < 16; i += 4)
			bus_mmio(&pc->bus, d->bar[1].io.base + 16 * v + i, true, entry + i, 4);
	}
	pc_config_write(pc, d, 4, pc_config_read(pc, d, 4, 2) | 4, 2);
	pc_config_write(pc, d, cap + 2, 0x8000, 2);
}

/* --- modern registers ----------------------------------------------------------------------- */

static inline void mod_write(struct pc *pc, struct pci_dev *d, unsigned off, uint64_t v,
			     unsigned size)
{
	uint8_t b[8];

	put_le64(b, v);
	bus_mmio(&pc->bus, d->bar[4].io.base + off, true, b, size);
}

static inline uint64_t mod_read(struct pc *pc, struct pci_dev *d, unsigned off, unsigned size)
{
	uint8_t b[8] = {0};

	bus_mmio(&pc->bus, d->bar[4].io.base + off, false, b, size);
	return get_le64(b);
}

static inline uint64_t mod_features(struct pc *pc, struct pci_dev *d)
{
	uint64_t f = 0;

	for (unsigned i = 0; i < 2; i++) {
		mod_write(pc, d, VIRTIO_PCI_COMMON_DFSELECT, i, 4);
		f |= mod_read(pc, d, VIRTIO_PCI_COMMON_DF, 4) << 32 * i;
	}
	return f;
}

/* Reset up to FEATURES_OK; returns whether the device took the features. */
static inline bool mod_negotiate(struct pc *pc, struct pci_dev *d, uint64_t f)
{
	mod_write(pc, d, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	mod_write(pc, d, VIRTIO_PCI_COMMON_STATUS, 3, 1);
	mod_features(pc, d);
	for (unsigned i = 0; i < 2; i++) {
		mod_write(pc, d, VIRTIO_PCI_COMMON_GFSELECT, i, 4);
		mod_write(pc, d, VIRTIO_PCI_COMMON_GF, (uint32_t)(f >> 32 * i), 4);
	}
	mod_write(pc, d, VIRTIO_PCI_COMMON_STATUS, 11, 1);
	return mod_read(pc, d, VIRTIO_PCI_COMMON_STATUS, 1) & 8;
}

static inline void mod_queue(struct pc *pc, struct pci_dev *d, unsigned i, const struct ring *r,
			     uint16_t vector)
{
	mod_write(pc, d, VIRTIO_PCI_COMMON_Q_SELECT, i, 2);
	mod_write(pc, d, VIRTIO_PCI_COMMON_Q_SIZE, r->size, 2);
	mod_write(pc, d, VIRTIO_PCI_COMMON_Q_MSIX, vector, 2);
	mod_write(pc, d, VIRTIO_PCI_COMMON_Q_DESCLO, r->desc, 8);
	mod_write(pc, d, VIRTIO_PCI_COMMON_Q_AVAILLO, (uint32_t)r->avail, 4);
	mod_write(pc, d, VIRTIO_PCI_COMMON_Q_AVAILHI, r->avail >> 32, 4);
	mod_write(pc, d, VIRTIO_PCI_COMMON_Q_USEDLO, r->used, 8);
	mod_write(pc, d, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

static inline void mod_driver_ok(struct pc *pc, struct pci_dev *d)
{
	mod_write(pc, d, VIRTIO_PCI_COMMON_STATUS, 15, 1);
}

static inline void mod_kick(struct pc *pc, struct pci_dev *d, unsigned i)
{
	mod_write(pc, d, VIRTIO_OFF_NOTIFY + VIRTIO_NOTIFY_STEP * i, i, 2);
}

static inline uint8_t mod_status(struct pc *pc, struct pci_dev *d)
{
	return (uint8_t)mod_read(pc, d, VIRTIO_PCI_COMMON_STATUS, 1);
}

static inline void pc_nothing(void *arg)
{
	(void)arg;
}

/* Returns when loop l has dealt with everything that was signalled to it before, tasks too. */
static inline void pc_sync(struct loop *l)
{
	for (unsigned i = 0; i < 3; i++)
		loop_call(l, pc_nothing, NULL);
}

#endif
