/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Bochs extensions: sixteen-bit registers behind an index (port 1CE) and a data port (1CF), or
 * one after the other in the card's MMIO. A mode is set by width, height and depth, then ENABLE;
 * from there on every write is cut to what video memory holds, so that the other files never see a
 * mode that leads outside of it.
 *
 * The data port is not aligned, and the bus hands its two bytes on one by one: the first waits for
 * the second.
 */
#include <string.h>

#include "base/util.h"
#include "machine/vga_priv.h"

#define ID_FIRST 0xb0c0
#define ID_LAST	 0xb0c5
#define BANK	 65536u

/* Bytes from line to line. 4 bits: a bit in each of four planes. */
static uint32_t stride_of(unsigned width, unsigned bpp)
{
	switch (bpp) {
	case 4:
		return width / 8 * 4;
	case 15:
		return width * 2;
	default:
		return width * (bpp / 8);
	}
}

static uint16_t clamp(unsigned v, unsigned min, unsigned max)
{
	return (uint16_t)(v < min ? min : v > max ? max : v);
}

/* Makes the registers a mode that fits. */
static void fit(struct vga *v)
{
	uint16_t *r = v->vbe;
	unsigned lines;

	r[VBE_XRES] = clamp(r[VBE_XRES] & ~7u, 8, VGA_WIDTH_MAX);
	r[VBE_YRES] = clamp(r[VBE_YRES], 1, VGA_HEIGHT_MAX);
	/* At least as wide as what is shown, and one such line must fit: 16000 * 4 does. */
	r[VBE_VIRT_WIDTH] = clamp(r[VBE_VIRT_WIDTH] & ~7u, r[VBE_XRES], 16000);
	v->vbe_stride = stride_of(r[VBE_VIRT_WIDTH], r[VBE_BPP]);
	lines = VGA_VRAM / v->vbe_stride;
	if (r[VBE_YRES] > lines) {
		r[VBE_VIRT_WIDTH] = r[VBE_XRES];
		v->vbe_stride = stride_of(r[VBE_VIRT_WIDTH], r[VBE_BPP]);
		lines = VGA_VRAM / v->vbe_stride;
	}
	r[VBE_VIRT_HEIGHT] = clamp(lines, r[VBE_YRES], UINT16_MAX);
	r[VBE_X_OFFSET] = clamp(r[VBE_X_OFFSET], 0, r[VBE_VIRT_WIDTH] - r[VBE_XRES]);
	r[VBE_Y_OFFSET] = clamp(r[VBE_Y_OFFSET], 0, r[VBE_VIRT_HEIGHT] - r[VBE_YRES]);
}

static void enable(struct vga *v, uint16_t val)
{
	bool was = vga_vbe_on(v);

	v->vbe[VBE_ENABLE] =
		val & (VBE_ENABLED | VBE_GETCAPS | VBE_8BITDAC | VBE_LFB | VBE_NOCLEAR);
	if (!(val & VBE_ENABLED) || was) {
		if (!(val & VBE_ENABLED))
			v->vbe[VBE_BANK] = 0;
		return;
	}
	v->vbe[VBE_VIRT_WIDTH] = v->vbe[VBE_XRES];
	v->vbe[VBE_X_OFFSET] = v->vbe[VBE_Y_OFFSET] = v->vbe[VBE_BANK] = 0;
	fit(v);
	if (!(val & VBE_NOCLEAR))
		memset(v->mem, 0, (size_t)v->vbe[VBE_YRES] * v->vbe_stride);
}

uint16_t vbe_read(const struct vga *v, unsigned reg)
{
	if (reg >= VBE_REGS)
		return 0;
	if (v->vbe[VBE_ENABLE] & VBE_GETCAPS) {
		if (reg == VBE_XRES)
			return VGA_WIDTH_MAX;
		if (reg == VBE_YRES)
			return VGA_HEIGHT_MAX;
		if (reg == VBE_BPP)
			return 32;
	}
	return v->vbe[reg];
}

void vbe_write(struct vga *v, unsigned reg, uint16_t val)
{
	vga_touch(v, VGA_CHANGED_CELLS);
	switch (reg) {
	case VBE_ID:
		if (val >= ID_FIRST && val <= ID_LAST)
			v->vbe[VBE_ID] = val;
		return;
	case VBE_BPP:
		/* 0 is what the first of these cards took for 8. */
		if (!val)
			val = 8;
		if (val == 4 || val == 8 || val == 15 || val == 16 || val == 24 || val == 32)
			v->vbe[VBE_BPP] = val;
		break;
	case VBE_ENABLE:
		enable(v, val);
		return;
	case VBE_BANK:
		v->vbe[VBE_BANK] = val % (VGA_VRAM / BANK);
		return;
	case VBE_XRES:
	case VBE_YRES:
	case VBE_VIRT_WIDTH:
	case VBE_X_OFFSET:
	case VBE_Y_OFFSET:
		v->vbe[reg] = val;
		break;
	default:
		return; /* read-only */
	}
	if (vga_vbe_on(v))
		fit(v);
}

void vbe_reset(struct vga *v)
{
	memset(v->vbe, 0, sizeof(v->vbe));
	v->vbe[VBE_ID] = ID_LAST;
	v->vbe[VBE_BPP] = 8;
	v->vbe[VBE_MEMORY] = VGA_VRAM / BANK;
	v->vbe_index = 0;
	v->vbe_low = 0;
	v->vbe_stride = 0;
}

static uint64_t port_read(void *opaque, uint64_t off, unsigned size)
{
	const struct vga *v = opaque;
	uint16_t val = vbe_read(v, v->vbe_index);

	if (!off)
		return size == 2 ? v->vbe_index : v->vbe_index & 0xff;
	return off == 1 ? val & 0xff : val >> 8;
}

static void port_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct vga *v = opaque;

	(void)size;
	if (!off)
		v->vbe_index = (uint16_t)val;
	else if (off == 1)
		v->vbe_low = (uint8_t)val;
	else
		vbe_write(v, v->vbe_index, (uint16_t)((val & 0xff) << 8 | v->vbe_low));
}

const struct io_ops vbe_port_ops = {port_read, port_write, 2};
