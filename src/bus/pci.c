/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration space, BARs and INTx of PCI bus 0.
 *
 * Configuration mechanism #1 (PCI Local Bus 3.0, section 3.2.2.3.2): a dword at 0xCF8 selects
 * bus, device, function and register, 0xCFC … 0xCFF is the window. Each device holds its 256
 * bytes beside masks of what the guest may write and what it clears by writing ones; after every
 * write the effects (BAR mapping, INTx disable, MSI-X, bus mastering) follow from the bytes alone.
 *
 * INTx: a pin is wired to PIRQ line (slot + pin - 1) & 3, as on the PIIX boards; a line is high
 * while any device asserts it.
 */
#include "bus/pci_priv.h"

#include <errno.h>
#include <stdio.h>

/* --- configuration space -------------------------------------------------------------------- */

uint32_t pci_config_get(struct pci_dev *d, unsigned off, unsigned len)
{
	uint32_t v = 0;

	if (d->ops->config_read)
		d->ops->config_read(d, off, len);
	if (touches(off, len, PCI_STATUS, 1)) {
		d->config[PCI_STATUS] &= (uint8_t)~PCI_STS_INTX;
		if (atomic_load(&d->intx))
			d->config[PCI_STATUS] |= PCI_STS_INTX;
	}
	memcpy(&v, d->config + off, len);
	return le32toh(v);
}

/* What follows from the command register's bit for bus mastering. */
static void update_master(struct pci_dev *d)
{
	bool on = get_le16(d->config + PCI_COMMAND) & PCI_CMD_MASTER;

	if (on == pci_master(d))
		return;
	atomic_store(&d->master, on);
	if (d->ops->master_changed)
		d->ops->master_changed(d);
}

void pci_set_master(struct pci_dev *d)
{
	pci_config_set(d, PCI_COMMAND, get_le16(d->config + PCI_COMMAND) | PCI_CMD_MASTER, 2);
}

void pci_config_set(struct pci_dev *d, unsigned off, uint32_t val, unsigned len)
{
	for (unsigned i = 0; i < len; i++, val >>= 8) {
		uint8_t w = d->wmask[off + i], c = d->w1c[off + i], v = (uint8_t)val;

		d->config[off + i] = (uint8_t)((d->config[off + i] & ~w) | (v & w));
		d->config[off + i] &= (uint8_t) ~(c & v);
	}
	if (touches(off, len, PCI_COMMAND, 2))
		pci_intx_update(d);
	if (touches(off, len, PCI_COMMAND, 2) || touches(off, len, PCI_BAR0, 4 * PCI_BARS) ||
	    touches(off, len, PCI_ROM_REG, 4))
		pci_update_bars(d);
	msix_config_written(d, off, len);
	/* Interrupts first: what the card does now may have one. */
	update_master(d);
	if (d->ops->config_written)
		d->ops->config_written(d, off, len);
}

static uint64_t addr_read(void *opaque, uint64_t off, unsigned size)
{
	struct pci_bus *p = opaque;

	if (off == 1 && size == 1 && p->rst.read)
		return p->rst.read(p->rst.opaque);
	/* Only a full dword reaches CONFIG_ADDRESS. */
	return size == 4 ? p->addr : UINT64_MAX;
}

static void addr_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_bus *p = opaque;

	if (size == 4)
		p->addr = (uint32_t)val & 0x80fffffc;
	else if (off == 1 && size == 1 && p->rst.write)
		p->rst.write(p->rst.opaque, (uint8_t)val);
}

static const struct io_ops addr_ops = {addr_read, addr_write, 4};

static struct pci_dev *selected(const struct pci_bus *p)
{
	/* Enable bit set and bus number 0. */
	if ((p->addr & 0x80ff0000) != 0x80000000)
		return NULL;
	struct pci_dev *d = p->dev[(p->addr >> 8) & 0xff];

	return d && !d->hidden ? d : NULL;
}

static uint64_t data_read(void *opaque, uint64_t off, unsigned size)
{
	struct pci_bus *p = opaque;
	struct pci_dev *d = selected(p);

	return d ? pci_config_get(d, (p->addr & 0xfc) + (unsigned)off, size) : UINT64_MAX;
}

static void data_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_bus *p = opaque;
	struct pci_dev *d = selected(p);

	if (d)
		pci_config_set(d, (p->addr & 0xfc) + (unsigned)off, (uint32_t)val, size);
}

static const struct io_ops data_ops = {data_read, data_write, 4};

/* --- the bus -------------------------------------------------------------------------------- */

struct pci_bus *pci_bus_new(struct bus *b,
			    void (*set_pirq)(void *opaque, unsigned pirq, bool level), void *opaque,
			    struct err *e)
{
	struct pci_bus *p = calloc(1, sizeof(*p));

	if (!p) {
		err_set(e, ENOMEM, "no memory for the PCI bus");
		return NULL;
	}
	p->b = b;
	p->set_pirq = set_pirq;
	p->pirq_opaque = opaque;
	p->addr_io = (struct io_region){0xcf8, 4, &addr_ops, p, "PCI CONFIG_ADDRESS"};
	p->data_io = (struct io_region){0xcfc, 4, &data_ops, p, "PCI CONFIG_DATA"};
	pthread_mutex_init(&p->intx_lock, NULL);
	if (bus_add(b, BUS_PIO, &p->addr_io, e) || bus_add(b, BUS_PIO, &p->data_io, e)) {
		pci_bus_free(p);
		return NULL;
	}
	return p;
}

void pci_bus_free(struct pci_bus *p)
{
	if (!p)
		return;
	/* Function 0 goes last, as it stands for its slot. */
	for (int i = PCI_DEVFNS - 1; i >= 0; i--)
		if (p->dev[i])
			pci_remove(p->dev[i]);
	bus_del(p->b, BUS_PIO, &p->addr_io);
	bus_del(p->b, BUS_PIO, &p->data_io);
	pthread_mutex_destroy(&p->intx_lock);
	free(p);
}

struct bus *pci_io_bus(struct pci_bus *p)
{
	return p->b;
}

void pci_set_reset_control(struct pci_bus *p, const struct pci_reset_control *c)
{
	p->rst = *c;
}

void pci_for_each(struct pci_bus *p, void (*fn)(struct pci_dev *d, void *arg), void *arg)
{
	for (unsigned i = 0; i < PCI_DEVFNS; i++)
		if (p->dev[i])
			fn(p->dev[i], arg);
}

static void reset_one(struct pci_dev *d, void *arg)
{
	(void)arg;
	pci_intx(d, false);
	for (unsigned i = 0; i < sizeof(d->config); i++)
		d->config[i] &= (uint8_t) ~(d->wmask[i] | d->w1c[i]);
	pci_intx_update(d);
	pci_update_bars(d);
	msix_reset(d);
	update_master(d);
	if (d->ops->reset)
		d->ops->reset(d);
}

void pci_bus_reset(struct pci_bus *p)
{
	bus_lock(p->b);
	p->addr = 0;
	pci_for_each(p, reset_one, NULL);
	bus_unlock(p->b);
}

/* --- BARs ----------------------------------------------------------------------------------- */

uint64_t pci_bar_addr(const struct pci_dev *d, unsigned n)
{
	const struct pci_bar *bar = &d->bar[n];
	const uint8_t *reg = d->config + pci_bar_reg(n);

	if (n == PCI_ROM)
		return get_le32(reg) & ~(uint32_t)(bar->size - 1);
	if (bar->space == BUS_PIO)
		return get_le32(reg) & ~3u;
	if (bar->is64)
		return get_le64(reg) & ~15ull;
	return get_le32(reg) & ~15u;
}

/* False for address 0 and for what sizing (all ones) leaves behind: not an address meant to be
 * decoded. */
static bool decodable(const struct pci_bar *bar, uint64_t addr)
{
	uint64_t last = addr + (bar->size - 1);

	if (!addr || last < addr)
		return false;
	if (bar->space == BUS_PIO)
		return last <= UINT16_MAX;
	return last != UINT64_MAX && (bar->is64 || last < UINT32_MAX);
}

static void unmap(struct pci_dev *d, unsigned n)
{
	struct pci_bar *bar = &d->bar[n];

	if (!bar->mapped)
		return;
	bar->mapped = false;
	/* Base is still valid: ioeventfds go by it. */
	if (d->ops->bar_changed)
		d->ops->bar_changed(d, n);
	bus_del(d->bus->b, bar->space, &bar->io);
}

void pci_unmap_bars(struct pci_dev *d)
{
	for (unsigned n = 0; n < PCI_REGIONS; n++)
		unmap(d, n);
}

void pci_update_bars(struct pci_dev *d)
{
	uint16_t cmd = get_le16(d->config + PCI_COMMAND);

	if (!d->bus)
		return;
	for (unsigned n = 0; n < PCI_REGIONS; n++) {
		struct pci_bar *bar = &d->bar[n];
		uint64_t addr;

		if (!bar->size)
			continue;
		addr = pci_bar_addr(d, n);
		bool on = (cmd & (bar->space == BUS_PIO ? PCI_CMD_IO : PCI_CMD_MEM)) &&
			  (n != PCI_ROM || d->config[PCI_ROM_REG] & PCI_ROM_ON) &&
			  decodable(bar, addr);

		if (on && bar->mapped && bar->io.base == addr)
			continue;
		unmap(d, n);
		if (!on)
			continue;
		bar->io.base = addr;
		if (bar->space == BUS_MMIO)
			pci_pages_yield(d->bus, addr, bar->size);
		/* What is in the way stays; this BAR is not decoded until it moves. */
		if (bus_add(d->bus->b, bar->space, &bar->io, NULL))
			continue;
		bar->mapped = true;
		if (d->ops->bar_changed)
			d->ops->bar_changed(d, n);
	}
}

/* --- INTx ----------------------------------------------------------------------------------- */

unsigned pci_pirq(const struct pci_dev *d)
{
	return ((d->devfn >> 3) + d->config[PCI_IRQ_PIN] - 1u) & (PCI_PIRQS - 1);
}

/* intx_lock held. */
static void recount(struct pci_dev *d)
{
	struct pci_bus *p = d->bus;
	unsigned line = pci_pirq(d);
	bool want = atomic_load(&d->intx) && !p->intx_off[d->devfn];

	if (want == p->counted[d->devfn])
		return;
	p->counted[d->devfn] = want;
	p->asserted[line] += want ? 1 : -1u;
	if (p->asserted[line] == (want ? 1 : 0))
		p->set_pirq(p->pirq_opaque, line, want);
}

void pci_intx_update(struct pci_dev *d)
{
	if (!d->bus || !d->config[PCI_IRQ_PIN])
		return;
	pthread_mutex_lock(&d->bus->intx_lock);
	d->bus->intx_off[d->devfn] = get_le16(d->config + PCI_COMMAND) & PCI_CMD_INTX_OFF;
	recount(d);
	pthread_mutex_unlock(&d->bus->intx_lock);
}

void pci_intx(struct pci_dev *d, bool level)
{
	if (atomic_load(&d->intx) == level)
		return;
	if (!d->bus || !d->config[PCI_IRQ_PIN]) {
		atomic_store(&d->intx, level);
		return;
	}
	pthread_mutex_lock(&d->bus->intx_lock);
	atomic_store(&d->intx, level);
	recount(d);
	pthread_mutex_unlock(&d->bus->intx_lock);
}
