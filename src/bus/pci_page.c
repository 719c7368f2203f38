/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers as memory.
 *
 * A register that does nothing when it is written or read, beside being there, needs no exit: the
 * page it lies in is shown to the guest's CPUs as RAM, and the card looks there when it wants to
 * know. On a host, that saves an exit for each access; what it costs is that nobody is told. So
 * a card shows a page only while it has another reason to look, and takes it away when it must
 * be told again.
 *
 * The accelerator's map changes under the bus lock, so a page comes and goes in a register handler,
 * never on a queue's loop.
 */
#include "bus/pci_priv.h"

#define PAGE 4096u

static bool meets(const struct pci_page *p, uint64_t addr, uint64_t size)
{
	uint64_t at = p->d->bar[p->bar].io.base + p->off;

	return at <= addr + (size - 1) && addr <= at + (PAGE - 1);
}

/* Are all registers in the page the BAR's own? */
static bool alone(const struct pci_page *p)
{
	const struct bus *b = p->d->bus->b;

	for (unsigned i = 0; i < b->space[BUS_MMIO].n; i++) {
		const struct io_region *r = b->space[BUS_MMIO].v[i];

		if (r != &p->d->bar[p->bar].io && meets(p, r->base, r->size))
			return false;
	}
	return true;
}

bool pci_page_show(struct pci_page *p)
{
	const struct pci_bar *bar = &p->d->bar[p->bar];
	struct accel_window w = {.size = PAGE, .host = p->host, .readonly = p->readonly};
	struct accel *a;
	int n;

	if (p->shown)
		return true;
	if (!p->d->bus || !bar->mapped || (bar->io.base + p->off) % PAGE || !alone(p))
		return false;
	a = p->d->bus->b->accel;
	n = accel_window_new(a);
	w.gpa = bar->io.base + p->off;
	if (n < 0 || accel_window(a, (unsigned)n, &w, NULL) < 0)
		return false;
	p->window = (unsigned)n;
	p->shown = true;
	p->next = p->d->bus->pages;
	p->d->bus->pages = p;
	return true;
}

void pci_page_hide(struct pci_page *p)
{
	struct pci_page **at;

	if (!p->shown)
		return;
	(void)accel_window(p->d->bus->b->accel, p->window, NULL, NULL);
	p->shown = false;
	for (at = &p->d->bus->pages; *at != p; at = &(*at)->next)
		;
	*at = p->next;
}

void pci_pages_yield(struct pci_bus *bus, uint64_t addr, uint64_t size)
{
	struct pci_page *next;

	for (struct pci_page *p = bus->pages; p; p = next) {
		next = p->next;
		if (meets(p, addr, size))
			p->d->ops->bar_changed(p->d, p->bar);
	}
}
