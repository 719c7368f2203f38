/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share about the PCI bus; nobody else includes this. */
#ifndef BUS_PCI_PRIV_H
#define BUS_PCI_PRIV_H

#include <stdlib.h>

#include "base/util.h"
#include "bus/pci.h"

/* Registers of the type 0 header (PCI Local Bus 3.0, section 6.1). */
#define PCI_VENDOR	0x00
#define PCI_DEVICE	0x02
#define PCI_COMMAND	0x04
#define PCI_STATUS	0x06
#define PCI_REVISION	0x08
#define PCI_CLASS	0x09
#define PCI_CACHE_LINE	0x0c
#define PCI_LATENCY	0x0d
#define PCI_HEADER_TYPE 0x0e
#define PCI_BAR0	0x10
#define PCI_SUBVENDOR	0x2c
#define PCI_SUBDEVICE	0x2e
#define PCI_ROM_REG	0x30
#define PCI_CAP_PTR	0x34
#define PCI_IRQ_LINE	0x3c
#define PCI_IRQ_PIN	0x3d

#define PCI_CMD_IO	 0x0001
#define PCI_CMD_MEM	 0x0002
#define PCI_CMD_MASTER	 0x0004
#define PCI_CMD_PARITY	 0x0040
#define PCI_CMD_SERR	 0x0100
#define PCI_CMD_INTX_OFF 0x0400
#define PCI_STS_INTX	 0x0008
#define PCI_STS_CAPS	 0x0010
#define PCI_STS_W1C	 0xf900
#define PCI_MULTIFUNC	 0x80
#define PCI_ROM_ON	 0x01 /* in the ROM's BAR */

#define PCI_DEVFNS 256
#define PCI_PIRQS  4

struct pci_bus {
	struct bus *b;
	struct pci_page *pages; /* that are shown */
	struct pci_dev *dev[PCI_DEVFNS];
	struct io_region addr_io, data_io;
	uint32_t addr; /* CONFIG_ADDRESS, 0xCF8 */
	struct pci_reset_control rst;

	/* INTx: a leaf lock, taken by queue loops too; set_pirq is called under it so that
	 * levels reach the interrupt controller in the order in which they changed. */
	pthread_mutex_t intx_lock;
	void (*set_pirq)(void *opaque, unsigned pirq, bool level);
	void *pirq_opaque;
	unsigned asserted[PCI_PIRQS]; /* devices that assert the line */
	bool counted[PCI_DEVFNS];     /* this device is among them */
	bool intx_off[PCI_DEVFNS];    /* command bit 10, for threads without the bus lock */
};

/* Offset of BAR n in the header. */
static inline unsigned pci_bar_reg(unsigned n)
{
	return n == PCI_ROM ? PCI_ROM_REG : PCI_BAR0 + 4 * n;
}

/* Reads and writes as the guest does; under the bus lock. */
uint32_t pci_config_get(struct pci_dev *d, unsigned off, unsigned len);
void pci_config_set(struct pci_dev *d, unsigned off, uint32_t val, unsigned len);

/* Maps and unmaps the BARs as the command register and the addresses say. */
void pci_update_bars(struct pci_dev *d);
void pci_unmap_bars(struct pci_dev *d);
uint64_t pci_bar_addr(const struct pci_dev *d, unsigned n);

/* Recounts what d contributes to its PIRQ line. */
void pci_intx_update(struct pci_dev *d);
unsigned pci_pirq(const struct pci_dev *d);

void msix_plugged(struct pci_dev *d);					 /* d->bus is set now */
void msix_config_written(struct pci_dev *d, unsigned off, unsigned len); /* command, control */
void msix_reset(struct pci_dev *d);

/* Hides pages in the way of registers that are about to come to [addr, addr + size). */
void pci_pages_yield(struct pci_bus *p, uint64_t addr, uint64_t size);

#endif
