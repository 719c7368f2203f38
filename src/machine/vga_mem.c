/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The window at A0000. Byte a of plane p lies at 4 * a + p of video memory, whatever the mode, so
 * that the four latches are four bytes side by side, and the 256-colour modes are linear.
 *
 * Of an access three things follow from the registers: whether the window is there at this address
 * (GR6), which planes and byte it means (chained four: the low two bits choose the plane; odd/even:
 * the lowest bit; else the masks), and what a write does with them (write modes 0 … 3).
 */
#include "base/util.h"
#include "machine/vga_priv.h"

#define SR4_MORE    0x02 /* more than 64 KiB: all address bits count */
#define SR4_PLAIN   0x04 /* not odd/even */
#define SR4_CHAIN4  0x08
#define GR5_READ1   0x08
#define GR5_ODDEVEN 0x10
#define PLANE_MASK  0xffffu
#define BANK	    65536u

/* off: from A0000. Returns the offset within the part that GR6 shows, or -1. */
static int32_t decode(const struct vga *v, uint32_t off)
{
	if (!(v->misc & 0x02) && !vga_vbe_on(v))
		return -1;
	switch (v->gr[6] >> 2 & 3) {
	case 0:
		return (int32_t)off;
	case 1:
		return off < 0x10000 ? (int32_t)off : -1;
	case 2:
		return off >= 0x10000 && off < 0x18000 ? (int32_t)(off - 0x10000) : -1;
	default:
		return off >= 0x18000 ? (int32_t)(off - 0x18000) : -1;
	}
}

/* In linear modes the window shows a bank: its byte of video memory. */
static bool banked(const struct vga *v, uint32_t off, uint32_t *at)
{
	if (!vga_vbe_on(v) || v->vbe[VBE_BPP] < 8)
		return false;
	*at = (v->vbe[VBE_BANK] * BANK + off) & (VGA_VRAM - 1);
	return true;
}

static uint32_t plane_addr(const struct vga *v, uint32_t a)
{
	uint32_t bank = vga_vbe_on(v) ? v->vbe[VBE_BANK] * BANK : 0;

	return (bank + (a & PLANE_MASK)) & (VGA_VRAM / 4 - 1);
}

static uint8_t read_planes(struct vga *v, uint32_t a)
{
	const uint8_t *p = v->mem + (size_t)4 * plane_addr(v, a);
	uint8_t same = 0xff;

	memcpy(v->latch, p, 4);
	if (!(v->gr[5] & GR5_READ1))
		return v->latch[v->gr[4] & 3];
	/* Read mode 1: a bit for each pixel whose colour compares. */
	for (unsigned i = 0; i < 4; i++)
		if (v->gr[7] >> i & 1)
			same &= (uint8_t) ~(v->latch[i] ^ (v->gr[2] >> i & 1 ? 0xff : 0));
	return same;
}

uint8_t vga_window_read(struct vga *v, uint32_t off)
{
	int32_t a = decode(v, off);
	uint32_t at;

	if (a < 0)
		return 0xff;
	if (banked(v, (uint32_t)a, &at))
		return v->mem[at];
	if (v->sr[4] & SR4_CHAIN4)
		return v->mem[a & (VGA_VRAM - 1)];
	if (v->gr[5] & GR5_ODDEVEN)
		return v->mem[4 * ((uint32_t)a >> 1) + ((v->gr[4] & 2u) | ((uint32_t)a & 1))];
	return read_planes(v, (uint32_t)a);
}

static uint8_t rotate(const struct vga *v, uint8_t val)
{
	unsigned n = v->gr[3] & 7;

	return (uint8_t)(val >> n | val << (8 - n));
}

/* Logic with the latch (GR3), then the bit mask: masked bits stay the latch's. */
static uint8_t combine(const struct vga *v, uint8_t val, uint8_t latch, uint8_t mask)
{
	switch (v->gr[3] >> 3 & 3) {
	case 1:
		val &= latch;
		break;
	case 2:
		val |= latch;
		break;
	case 3:
		val ^= latch;
		break;
	default:
		break;
	}
	return (uint8_t)((val & mask) | (latch & ~mask));
}

static uint8_t set_reset(const struct vga *v, unsigned plane)
{
	return v->gr[0] >> plane & 1 ? 0xff : 0;
}

/* What plane gets of val. */
static uint8_t written(const struct vga *v, unsigned plane, uint8_t val)
{
	uint8_t latch = v->latch[plane];

	switch (v->gr[5] & 3) {
	case 0:
		val = v->gr[1] >> plane & 1 ? set_reset(v, plane) : rotate(v, val);
		return combine(v, val, latch, v->gr[8]);
	case 1:
		return latch;
	case 2:
		return combine(v, val >> plane & 1 ? 0xff : 0, latch, v->gr[8]);
	default:
		return combine(v, set_reset(v, plane), latch, v->gr[8] & rotate(v, val));
	}
}

void vga_window_write(struct vga *v, uint32_t off, uint8_t val)
{
	int32_t a = decode(v, off);
	uint32_t at;

	if (a < 0)
		return;
	/* Plane 2 has the glyphs; odd/even is how cells are written. */
	vga_touch(v, v->sr[2] & 4 ? VGA_CHANGED_ALL : VGA_CHANGED_CELLS);
	if (banked(v, (uint32_t)a, &at)) {
		v->mem[at] = val;
		return;
	}
	if (v->sr[4] & SR4_CHAIN4) {
		if (v->sr[2] >> (a & 3) & 1)
			v->mem[a & (VGA_VRAM - 1)] = val;
		return;
	}
	if (!(v->sr[4] & SR4_PLAIN)) {
		/* Odd and even addresses go to odd and even planes. */
		for (unsigned p = (unsigned)a & 1; p < 4; p += 2)
			if (v->sr[2] >> p & 1)
				v->mem[4 * ((uint32_t)a >> 1) + p] = written(v, p, val);
		return;
	}
	at = plane_addr(v, (uint32_t)a);
	for (unsigned p = 0; p < 4; p++)
		if (v->sr[2] >> p & 1)
			v->mem[(size_t)4 * at + p] = written(v, p, val);
}

static uint64_t window_read(void *opaque, uint64_t off, unsigned size)
{
	(void)size;
	return vga_window_read(opaque, (uint32_t)off);
}

static void window_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	vga_window_write(opaque, (uint32_t)off, (uint8_t)val);
}

const struct io_ops vga_window_ops = {window_read, window_write, 1};
