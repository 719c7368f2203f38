/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VGA's registers. Five groups are reached by an index and a data port each (sequencer 3C4,
 * graphics 3CE, CRT 3D4 or 3B4, attributes 3C0 with both on one port, the DAC 3C7 … 3C9). Nothing
 * follows from a write at once: what is on the screen, and how the window at A0000 works, is read
 * out of the registers when it is asked for. So registers are bytes with masks.
 */
#include <string.h>

#include "machine/vga_priv.h"

#define MISC_COLOR  0x01 /* CRT registers at 3Dx and not at 3Bx */
#define CR_LOCK	    0x80 /* in CR11: CR0 … CR7 are read-only */
#define DAC_READING 3
#define RETRACE	    0x08
#define NO_DISPLAY  0x01

/* Which bits there are (IBM VGA technical reference). */
static const uint8_t sr_mask[8] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff};
static const uint8_t gr_mask[16] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t ar_mask[21] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
				    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
				    0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

/* CRT registers answer at 3Dx or 3Bx, never at both. */
static bool wrong_side(const struct vga *v, unsigned port)
{
	bool color = v->misc & MISC_COLOR;

	return color ? port < 0x3c0 : port >= 0x3d0;
}

static uint8_t attribute_read(const struct vga *v)
{
	unsigned i = v->ar_index & 0x1f;

	return i < sizeof(v->ar) ? v->ar[i] : 0;
}

static void attribute_write(struct vga *v, uint8_t val)
{
	unsigned i = v->ar_index & 0x1f;

	v->ar_data = !v->ar_data;
	if (v->ar_data)
		v->ar_index = val & 0x3f;
	else if (i < sizeof(v->ar))
		v->ar[i] = val & ar_mask[i];
}

static void crtc_write(struct vga *v, uint8_t val)
{
	unsigned i = v->cr_index;

	if (i >= sizeof(v->cr))
		return;
	if (i <= 7 && v->cr[0x11] & CR_LOCK) {
		/* Bit 8 of the line compare is let through. */
		if (i == 7)
			v->cr[7] = (uint8_t)((v->cr[7] & ~0x10) | (val & 0x10));
		return;
	}
	v->cr[i] = val;
}

static uint8_t dac_read(struct vga *v)
{
	uint8_t val = v->dac[v->dac_read];

	v->dac_read = (uint16_t)((v->dac_read + 1) % sizeof(v->dac));
	return val;
}

static void dac_write(struct vga *v, uint8_t val)
{
	v->dac[v->dac_write] = v->vbe[VBE_ENABLE] & VBE_8BITDAC ? val : val & 0x3f;
	v->dac_write = (uint16_t)((v->dac_write + 1) % sizeof(v->dac));
}

/* Guests wait for both edges of retrace: whoever looks sees the next one. */
static uint8_t status1_read(struct vga *v)
{
	v->ar_data = false;
	v->status1 ^= RETRACE | NO_DISPLAY;
	return v->status1;
}

uint8_t vga_port_read(struct vga *v, unsigned port)
{
	if (wrong_side(v, port))
		return 0xff;
	switch (port) {
	case 0x3c0:
		return v->ar_data ? 0 : v->ar_index;
	case 0x3c1:
		return attribute_read(v);
	case 0x3c2:
		return 0;
	case 0x3c4:
		return v->sr_index;
	case 0x3c5:
		return v->sr[v->sr_index];
	case 0x3c6:
		return v->pel_mask;
	case 0x3c7:
		return v->dac_state;
	case 0x3c8:
		return (uint8_t)(v->dac_write / 3);
	case 0x3c9:
		return dac_read(v);
	case 0x3ca:
		return v->feature;
	case 0x3cc:
		return v->misc;
	case 0x3ce:
		return v->gr_index;
	case 0x3cf:
		return v->gr[v->gr_index];
	case 0x3b4:
	case 0x3d4:
		return v->cr_index;
	case 0x3b5:
	case 0x3d5:
		return v->cr_index < sizeof(v->cr) ? v->cr[v->cr_index] : 0;
	case 0x3ba:
	case 0x3da:
		return status1_read(v);
	default:
		return 0xff;
	}
}

void vga_port_write(struct vga *v, unsigned port, uint8_t val)
{
	if (wrong_side(v, port))
		return;
	vga_touch(v, VGA_CHANGED_CELLS);
	switch (port) {
	case 0x3c0:
		attribute_write(v, val);
		break;
	case 0x3c2:
		v->misc = val & 0xef;
		break;
	case 0x3c4:
		v->sr_index = val & 7;
		break;
	case 0x3c5:
		v->sr[v->sr_index] = val & sr_mask[v->sr_index];
		break;
	case 0x3c6:
		v->pel_mask = val;
		break;
	case 0x3c7:
		v->dac_read = (uint16_t)(val * 3);
		v->dac_state = DAC_READING;
		break;
	case 0x3c8:
		v->dac_write = (uint16_t)(val * 3);
		v->dac_state = 0;
		break;
	case 0x3c9:
		dac_write(v, val);
		break;
	case 0x3ce:
		v->gr_index = val & 15;
		break;
	case 0x3cf:
		v->gr[v->gr_index] = val & gr_mask[v->gr_index];
		break;
	case 0x3b4:
	case 0x3d4:
		v->cr_index = val;
		break;
	case 0x3b5:
	case 0x3d5:
		crtc_write(v, val);
		break;
	case 0x3ba:
	case 0x3da:
		v->feature = val & 0x10;
		break;
	default:
		break;
	}
}

void vga_regs_reset(struct vga *v)
{
	v->misc = v->feature = v->status1 = 0;
	v->sr_index = v->gr_index = v->ar_index = v->cr_index = 0;
	memset(v->sr, 0, sizeof(v->sr));
	memset(v->gr, 0, sizeof(v->gr));
	memset(v->ar, 0, sizeof(v->ar));
	memset(v->cr, 0, sizeof(v->cr));
	memset(v->latch, 0, sizeof(v->latch));
	memset(v->dac, 0, sizeof(v->dac));
	v->ar_data = false;
	v->pel_mask = 0xff;
	v->dac_state = 0;
	v->dac_read = v->dac_write = 0;
	vga_touch(v, VGA_CHANGED_CELLS);
}
