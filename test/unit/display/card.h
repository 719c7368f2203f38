/* SPDX-License-Identifier: BSD-2-Clause */
/* A display adapter on a bus of its own, its BARs in place, in a mode of 640x480x32. */
#ifndef TEST_DISPLAY_CARD_H
#define TEST_DISPLAY_CARD_H

#include "../machine/pc_fixture.h"
#include "machine/vga.h"

#define CARD_MEM 0xe0000000u

struct card {
	struct pc pc;
	struct pci_bus *pci;
	struct vga *vga;
};

static inline void card_no_irq(void *opaque, unsigned pirq, bool level)
{
	(void)opaque;
	(void)pirq;
	(void)level;
}

static inline int card_setup(struct card *c)
{
	const uint8_t irqs[4] = {10, 10, 11, 11};

	if (pc_setup(&c->pc))
		return -1;
	c->pci = pci_bus_new(&c->pc.b, card_no_irq, NULL, NULL);
	c->vga = vga_add(c->pci, NULL, NULL);
	if (!c->vga || pci_assign(c->pci, CARD_MEM, 0xfec00000, 0xc000, irqs, NULL))
		return -1;
	return vga_linear(c->vga, 640, 480) == CARD_MEM ? 0 : -1;
}

static inline int card_teardown(struct card *c)
{
	pci_bus_free(c->pci);
	return pc_teardown(&c->pc);
}

static inline void card_pixel(struct card *c, unsigned x, unsigned y, uint32_t rgb)
{
	uint8_t b[4];

	put_le32(b, rgb);
	bus_mmio(&c->pc.b, CARD_MEM + 4u * (y * 640 + x), true, b, 4);
}

#endif
