/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: display adapter and keyboard controller, driven as a guest may drive them.
 *
 * Input: records of four bytes: what to do, an address byte, two bytes of value. After each eighth
 * record, and at the end, the screen is drawn as a viewer would have it. Pixels and video memory
 * are blocks of just their size, so that ASan sees one byte too many.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bus/bus.h"
#include "display/scanout.h"
#include "machine/pc.h"
#include "machine/ps2.h"

#define BAR0 0xe0000000u
#define BAR2 0xe1000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	struct accel a;
	struct bus b;
	struct pci_bus *pci;
	struct vga *vga;
	struct i8042 *kbd;
	struct scanout screen;
};

static void no_irq(struct accel *a, unsigned gsi, bool level)
{
	(void)a;
	(void)gsi;
	(void)level;
}

static void no_pirq(void *opaque, unsigned pirq, bool level)
{
	(void)opaque;
	(void)pirq;
	(void)level;
}

static void nothing(void *opaque)
{
	(void)opaque;
}

static void io(struct fuzz *f, uint16_t port, unsigned size, bool write, uint32_t val)
{
	uint8_t d[4];

	put_le32(d, val);
	bus_pio(&f->b, port, write, d, size, 1);
}

static void mem(struct fuzz *f, uint64_t at, unsigned size, bool write, uint64_t val)
{
	uint8_t d[8];

	put_le64(d, val);
	bus_mmio(&f->b, at, write, d, size);
}

static void on_resized(void *opaque, unsigned w, unsigned h)
{
	(void)opaque;
	if (!w || !h || w > VGA_WIDTH_MAX || h > VGA_HEIGHT_MAX)
		abort();
}

static void on_changed(void *opaque, unsigned x, unsigned y, unsigned w, unsigned h)
{
	const struct vga_view *v = &((struct fuzz *)opaque)->screen.view;

	if (!w || !h || x + w > v->width || y + h > v->height)
		abort();
}

/* The picture, and that it is the one that is drawn anew. */
static void look(struct fuzz *f)
{
	const struct scanout_user u = {on_resized, on_changed, f};
	const struct vga_view *v = &f->screen.view;
	uint32_t *pix;

	scanout_refresh(&f->screen, &u);
	pix = malloc((size_t)v->width * v->height * sizeof(*pix));
	if (!pix)
		return;
	vga_draw(f->vga, v, 0, v->height, pix, v->width);
	if (memcmp(pix, f->screen.pix, (size_t)v->width * v->height * sizeof(*pix)) != 0)
		abort();
	free(pix);
}

static void one(struct fuzz *f, const uint8_t *r)
{
	uint16_t val = get_le16(r + 2);

	switch (r[0] % 12) {
	case 0: /* index and data */
		io(f, (uint16_t[]){0x3c4, 0x3ce, 0x3d4, 0x3b4}[r[1] & 3], 2, true, val);
		break;
	case 1:
		io(f, 0x3b0 + r[1] % 0x30, 1 + (r[1] >> 7), true, val);
		break;
	case 2:
		io(f, 0x3b0 + r[1] % 0x30, 1, false, 0);
		break;
	case 3:
		io(f, 0x1ce, 2, true, r[1] % 12);
		io(f, 0x1cf, 2, true, val);
		break;
	case 4:
		io(f, 0x1ce + (r[1] & 1), 2, false, 0);
		break;
	case 5:
		mem(f, 0xa0000 + ((r[1] << 9 ^ val) & 0x1ffff), 1u << (r[1] & 3), true, val);
		break;
	case 6:
		mem(f, 0xa0000 + ((r[1] << 9 ^ val) & 0x1ffff), 1u << (r[1] & 3), false, 0);
		break;
	case 7:
		mem(f, BAR0 + ((uint32_t)r[1] << 16 | val), 1u << (r[1] & 3), true, ~(uint64_t)val);
		break;
	case 8:
		mem(f, BAR2 + (r[1] << 3), 1u << (val & 3), true, val);
		break;
	case 9:
		mem(f, BAR2 + (r[1] << 3), 1u << (val & 3), false, val);
		break;
	case 10:
		io(f, r[1] & 1 ? 0x64 : 0x60, 1, r[1] & 2, val);
		break;
	default:
		if (r[1] & 1)
			ps2_key(f->kbd, val & 0x1ff, r[1] & 2);
		else
			ps2_mouse(f->kbd, (int8_t)r[1], (int16_t)val, r[1] >> 6, r[1] >> 1);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct accel_ops ops = {.name = "fuzz", .irq = no_irq};
	const uint8_t irqs[4] = {10, 10, 11, 11};
	const struct pc_power power = {nothing, nothing, NULL};
	struct fuzz *f = calloc(1, sizeof(*f));

	if (!f)
		return 0;
	f->a.ops = &ops;
	f->a.mem.fd = -1;
	if (bus_init(&f->b, &f->a, NULL))
		abort();
	f->pci = pci_bus_new(&f->b, no_pirq, NULL, NULL);
	f->vga = vga_add(f->pci, NULL, NULL);
	f->kbd = i8042_new(&f->b, &power, NULL);
	if (!f->vga || !f->kbd || scanout_init(&f->screen, f->vga, NULL) ||
	    pci_assign(f->pci, BAR0, 0xfec00000, 0xc000, irqs, NULL))
		abort();
	for (size_t i = 0; i + 4 <= size && i < 4096; i += 4) {
		one(f, data + i);
		if (i % 32 == 28)
			look(f);
	}
	look(f);
	scanout_exit(&f->screen);
	i8042_free(f->kbd);
	pci_bus_free(f->pci);
	bus_exit(&f->b);
	free(f);
	return 0;
}
