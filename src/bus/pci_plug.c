/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making PCI devices, plugging them in, and what firmware does with them at power-on when there
 * is none: BARs are packed into the windows, largest first, so that natural alignment wastes no
 * room; then decoding is switched on (ROMs stay off until a driver wants them) and the interrupt
 * line registers are filled.
 */
#include "bus/pci_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define CAP_FIRST 0x40

void pci_init(struct pci_dev *d, const char *model, const struct pci_ops *ops,
	      const struct pci_ids *ids, unsigned pin)
{
	d->ops = ops;
	d->model = model;
	d->next_cap = CAP_FIRST;
	put_le16(d->config + PCI_VENDOR, ids->vendor);
	put_le16(d->config + PCI_DEVICE, ids->device);
	d->config[PCI_REVISION] = ids->rev;
	d->config[PCI_CLASS] = (uint8_t)ids->class;
	put_le16(d->config + PCI_CLASS + 1, (uint16_t)(ids->class >> 8));
	put_le16(d->config + PCI_SUBVENDOR, ids->subvendor);
	put_le16(d->config + PCI_SUBDEVICE, ids->subdevice);
	d->config[PCI_IRQ_PIN] = (uint8_t)pin;
	put_le16(d->wmask + PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER |
						 PCI_CMD_PARITY | PCI_CMD_SERR | PCI_CMD_INTX_OFF);
	put_le16(d->w1c + PCI_STATUS, PCI_STS_W1C);
	d->wmask[PCI_CACHE_LINE] = 0xff;
	d->wmask[PCI_LATENCY] = 0xff;
	d->wmask[PCI_IRQ_LINE] = 0xff;
}

void pci_set_bar(struct pci_dev *d, unsigned n, enum bus_space space, uint64_t size, bool is64,
		 bool prefetch, const struct io_ops *ops, void *opaque)
{
	struct pci_bar *bar = &d->bar[n];
	uint8_t *reg = d->config + pci_bar_reg(n), *mask = d->wmask + pci_bar_reg(n);

	bar->io = (struct io_region){.size = size, .ops = ops, .opaque = opaque, .name = d->model};
	bar->space = space;
	bar->size = size;
	bar->is64 = is64;
	bar->prefetch = prefetch;
	/* Low bits tell the kind (section 6.2.5.1) and are read-only, as are those below size. */
	put_le32(reg, space == BUS_PIO ? 1 : (is64 ? 4 : 0) | (prefetch ? 8 : 0));
	put_le32(mask, (uint32_t) ~(size - 1));
	if (is64)
		put_le32(mask + 4, (uint32_t)(~(size - 1) >> 32));
}

int pci_add_cap(struct pci_dev *d, uint8_t id, unsigned len)
{
	unsigned off = d->next_cap;

	if (len < 2 || off + len > sizeof(d->config))
		return -ENOSPC;
	/* The newest capability comes first in the list. */
	d->config[off] = id;
	d->config[off + 1] = d->config[PCI_CAP_PTR];
	d->config[PCI_CAP_PTR] = (uint8_t)off;
	d->config[PCI_STATUS] |= PCI_STS_CAPS;
	/* 0 (wrapped): full, and the test above refuses what comes. */
	d->next_cap = (uint8_t)align_up(off + len, 4);
	if (!d->next_cap)
		d->next_cap = 0xff;
	return (int)off;
}

/* --- plugging ------------------------------------------------------------------------------- */

static bool slot_free(const struct pci_bus *p, unsigned slot)
{
	for (unsigned f = 0; f < 8; f++)
		if (p->dev[slot << 3 | f])
			return false;
	return true;
}

/* "2-4, 6-31", or "none". */
static void free_slots(const struct pci_bus *p, char *buf, size_t room)
{
	size_t n = 0;

	snprintf(buf, room, "none");
	for (unsigned s = 0; s < PCI_SLOTS; s++) {
		unsigned first = s;

		if (!slot_free(p, s))
			continue;
		while (s + 1 < PCI_SLOTS && slot_free(p, s + 1))
			s++;
		n += (size_t)snprintf(buf + n, room - n, n ? ", %u" : "%u", first);
		if (s > first && n < room)
			n += (size_t)snprintf(buf + n, room - n, "-%u", s);
		if (n >= room)
			return;
	}
}

/*
 * The first free slot from 3 on: slot 2 is where PCs of this kind have their display adapter, and
 * guests name a first card after its slot (ens3). Slot 2 is taken when all else is full.
 */
static int auto_devfn(const struct pci_bus *p)
{
	for (unsigned s = 3; s < PCI_SLOTS; s++)
		if (slot_free(p, s))
			return (int)(s << 3);
	return slot_free(p, 2) ? 2 << 3 : -1;
}

static void set_multifunction(struct pci_bus *p, unsigned devfn)
{
	unsigned zero = devfn & ~7u;

	for (unsigned f = 1; f < 8; f++)
		if (p->dev[zero | f] && p->dev[zero])
			p->dev[zero]->config[PCI_HEADER_TYPE] |= PCI_MULTIFUNC;
}

int pci_add(struct pci_bus *p, struct pci_dev *d, int devfn, struct err *e)
{
	char room[160];

	if (devfn == PCI_AUTO)
		devfn = auto_devfn(p);
	free_slots(p, room, sizeof(room));
	if (devfn < 0)
		return err_set(e, ENOSPC, "no free PCI slot for %s: all %u are taken", d->model,
			       PCI_SLOTS);
	if (devfn >= PCI_DEVFNS)
		return err_set(e, EINVAL, "PCI slot %d for %s: slots go from 0 to %u; free: %s",
			       devfn >> 3, d->model, PCI_SLOTS - 1, room);
	if (p->dev[devfn])
		return err_set(e, EBUSY, "PCI slot %d for %s is taken by %s%s%s; free: %s",
			       devfn >> 3, d->model, p->dev[devfn]->model,
			       p->dev[devfn]->id[0] ? " " : "", p->dev[devfn]->id, room);
	bus_lock(p->b);
	d->devfn = (uint8_t)devfn;
	d->bus = p;
	p->dev[devfn] = d;
	set_multifunction(p, (unsigned)devfn);
	if (d->msix)
		msix_plugged(d);
	pci_intx_update(d);
	pci_update_bars(d);
	bus_unlock(p->b);
	return 0;
}

void pci_remove(struct pci_dev *d)
{
	struct pci_bus *p = d->bus;
	struct bus *b = p->b;

	bus_lock(b);
	pci_intx(d, false);
	pci_unmap_bars(d);
	p->dev[d->devfn] = NULL;
	d->bus = NULL;
	pci_free_rom(d);
	if (d->ops->destroy)
		d->ops->destroy(d);
	bus_unlock(b);
}

bool pci_hide(struct pci_bus *p, unsigned slot)
{
	bool any = false;

	for (unsigned f = 0; f < 8; f++) {
		struct pci_dev *d = p->dev[slot << 3 | f];

		if (!d || d->hidden || d->fixed)
			continue;
		pci_intx(d, false);
		pci_unmap_bars(d);
		d->hidden = any = true;
	}
	return any;
}

/* --- resources without firmware ------------------------------------------------------------- */

struct want {
	struct pci_dev *d;
	unsigned n;
	uint64_t size;
};

struct wants {
	struct want v[PCI_DEVFNS * PCI_REGIONS];
	unsigned n;
};

static void collect(struct pci_dev *d, void *arg)
{
	struct wants *w = arg;

	for (unsigned n = 0; n < PCI_REGIONS; n++)
		if (d->bar[n].size)
			w->v[w->n++] = (struct want){d, n, d->bar[n].size};
}

static int larger_first(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	if (x->d->devfn != y->d->devfn)
		return x->d->devfn < y->d->devfn ? -1 : 1;
	return x->n < y->n ? -1 : 1;
}

static int place(const struct want *w, uint64_t *next, uint64_t end, struct err *e)
{
	/* A page each, so that registers may be shown as memory. */
	bool pio = w->d->bar[w->n].space == BUS_PIO;
	uint64_t at = align_up(*next, pio ? w->size : MAX(w->size, 4096));

	if (at < *next || at > end || w->size - 1 > end - at)
		return err_set(e, ENOSPC,
			       "PCI device %s in slot %d: no room for BAR %u of %" PRIu64
			       " bytes; plug in fewer devices",
			       w->d->model, w->d->devfn >> 3, w->n, w->size);
	pci_config_set(w->d, pci_bar_reg(w->n), (uint32_t)at, 4);
	if (w->d->bar[w->n].is64)
		pci_config_set(w->d, PCI_BAR0 + 4 * w->n + 4, (uint32_t)(at >> 32), 4);
	*next = at + w->size;
	return 0;
}

static void enable(struct pci_dev *d, void *arg)
{
	const uint8_t *pirq_to_irq = arg;
	uint16_t cmd = get_le16(d->config + PCI_COMMAND);

	for (unsigned n = 0; n < PCI_REGIONS; n++)
		if (d->bar[n].size)
			cmd |= d->bar[n].space == BUS_PIO ? PCI_CMD_IO : PCI_CMD_MEM;
	pci_config_set(d, PCI_COMMAND, cmd, 2);
	if (d->config[PCI_IRQ_PIN])
		pci_config_set(d, PCI_IRQ_LINE, pirq_to_irq[pci_pirq(d)], 1);
}

int pci_assign(struct pci_bus *p, uint64_t mmio32_base, uint64_t mmio32_end, uint16_t io_base,
	       const uint8_t pirq_to_irq[4], struct err *e)
{
	struct wants *w = calloc(1, sizeof(*w));
	uint64_t mem = mmio32_base, io = io_base;
	uint8_t irq[PCI_PIRQS];
	int rc = 0;

	if (!w)
		return err_set(e, ENOMEM, "no memory to assign PCI resources");
	memcpy(irq, pirq_to_irq, sizeof(irq));
	bus_lock(p->b);
	pci_for_each(p, collect, w);
	qsort(w->v, w->n, sizeof(w->v[0]), larger_first);
	for (unsigned i = 0; i < w->n && !rc; i++) {
		bool pio = w->v[i].d->bar[w->v[i].n].space == BUS_PIO;

		rc = place(&w->v[i], pio ? &io : &mem, pio ? UINT16_MAX : mmio32_end - 1, e);
	}
	if (!rc)
		pci_for_each(p, enable, irq);
	bus_unlock(p->b);
	free(w);
	return rc;
}

/* --- addresses as people write them ---------------------------------------------------------- */

/* One hexadecimal number up to max, ending at `end` or at the end of the text. */
static const char *parse_hex(const char *s, char end, unsigned long max, unsigned long *out)
{
	char *rest;

	if (!*s || strspn(s, "0123456789abcdefABCDEFxX") == 0)
		return NULL;
	errno = 0;
	*out = strtoul(s, &rest, 16);
	if (rest == s || errno || *out > max || (*rest && *rest != end))
		return NULL;
	return rest;
}

bool pci_parse_slot(const char *value, int *devfn)
{
	unsigned long slot = 0, fn = 0;
	const char *rest = parse_hex(value, '.', PCI_SLOTS - 1, &slot);

	if (rest && *rest)
		rest = parse_hex(rest + 1, '\0', 7, &fn);
	if (rest)
		*devfn = (int)(slot << 3 | fn);
	return rest != NULL;
}

int pci_parse_addr(const char *value, int *devfn, struct err *e)
{
	int at;

	if (!pci_parse_slot(value, &at))
		return err_set(e, EINVAL,
			       "allowed are a slot 1 to 1f and a function 0 to 7, hexadecimal: "
			       "addr=5 or addr=0x05.0");
	if (at < 8)
		return err_set(e, EINVAL,
			       "slot 0 holds the host bridge; allowed are 1 to 1f, hexadecimal, "
			       "or leave addr= out for the first free slot");
	*devfn = at;
	return 0;
}
