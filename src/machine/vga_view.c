/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers -> view: what kind of picture they describe, how large, where in video memory and in
 * which colours. The guest writes the registers as it likes; every number is brought into its range
 * here, and addresses are cut where they are used (vga_draw.c).
 *
 * A picture is shown at its own resolution: lines that the CRT shows twice or more are one line.
 */
#include "base/util.h"
#include "machine/vga_priv.h"

#define SR1_8DOTS      0x01
#define SR1_OFF	       0x20
#define GR6_GRAPHICS   0x01
#define AR10_LINE9     0x04
#define AR10_BLINK     0x08
#define AR10_PAL54     0x80
#define CR9_DOUBLE     0x80
#define CRA_CURSOR_OFF 0x20
#define CR17_BYTES     0x40
#define FONT_BANK      8192u

static unsigned overflow(const struct vga *v, unsigned bit, unsigned to)
{
	return (v->cr[7] >> bit & 1u) << to;
}

static uint32_t rgb(const struct vga *v, unsigned i)
{
	const uint8_t *c = v->dac + (size_t)3 * (i & 0xff);
	uint8_t out[4] = {c[0], c[1], c[2], 0};
	uint32_t pixel;

	if (!(v->vbe[VBE_ENABLE] & VBE_8BITDAC))
		for (unsigned k = 0; k < 3; k++)
			out[k] = (uint8_t)(c[k] << 2 | (c[k] >> 4 & 3));
	memcpy(&pixel, out, 4);
	return pixel;
}

/* The sixteen colours go through the attribute controller, then the DAC. */
static void colors16(const struct vga *v, struct vga_view *w)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned c = v->ar[i];

		if (v->ar[0x10] & AR10_PAL54)
			c = (c & 0x0f) | (v->ar[0x14] & 0x0fu) << 4;
		else
			c = (c & 0x3f) | (v->ar[0x14] & 0x0cu) << 4;
		w->color[i] = rgb(v, c & v->pel_mask);
	}
}

static void colors256(const struct vga *v, struct vga_view *w)
{
	for (unsigned i = 0; i < 256; i++)
		w->color[i] = rgb(v, i & v->pel_mask);
}

static uint16_t size_of(unsigned n, unsigned max)
{
	return (uint16_t)MIN(MAX(n, 1), max);
}

/* --- the Bochs extensions ------------------------------------------------------------------- */

static void vbe_view(const struct vga *v, struct vga_view *w)
{
	const uint16_t *r = v->vbe;
	unsigned bpp = r[VBE_BPP];
	uint32_t left = bpp == 4 ? r[VBE_X_OFFSET] / 8u * 4 : r[VBE_X_OFFSET] * ((bpp + 1u) / 8);

	w->width = r[VBE_XRES];
	w->height = r[VBE_YRES];
	w->split = w->height;
	w->stride = v->vbe_stride;
	w->start = r[VBE_Y_OFFSET] * v->vbe_stride + left;
	w->bpp = (uint8_t)bpp;
	if (bpp == 4) {
		w->kind = VGA_PLANAR;
		w->planes = v->ar[0x12] & 15;
		colors16(v, w);
	} else {
		w->kind = VGA_LINEAR;
		colors256(v, w);
	}
}

/* --- the VGA's own modes -------------------------------------------------------------------- */

static void text_view(const struct vga *v, struct vga_view *w, unsigned lines)
{
	unsigned a = v->sr[3] >> 2 & 3u, b = v->sr[3] & 3u;
	uint32_t cursor = v->cr[0x0e] << 8 | v->cr[0x0f];

	a = a * 2 + (v->sr[3] >> 5 & 1);
	b = b * 2 + (v->sr[3] >> 4 & 1);
	w->kind = VGA_TEXT;
	w->cell_w = v->sr[1] & SR1_8DOTS ? 8 : 9;
	w->cell_h = (v->cr[9] & 0x1f) + 1;
	/* Lines that the CRT doubles are shown once; whole rows only. */
	w->rows = size_of(lines / w->cell_h, VGA_ROWS_MAX);
	w->rows = size_of(w->rows, VGA_HEIGHT_MAX / w->cell_h);
	w->cols = size_of(v->cr[1] + 1u, MIN(VGA_COLUMNS_MAX, VGA_WIDTH_MAX / w->cell_w));
	w->width = (uint16_t)(w->cols * w->cell_w);
	w->height = (uint16_t)(w->rows * w->cell_h);
	w->split = w->height;
	w->font[0] = b * FONT_BANK;
	w->font[1] = a * FONT_BANK;
	w->line_graphics = v->ar[0x10] & AR10_LINE9;
	w->blink = v->ar[0x10] & AR10_BLINK;
	w->cursor = v->cr[0x0a] & CRA_CURSOR_OFF ? UINT32_MAX : cursor;
	w->cursor_from = v->cr[0x0a] & 0x1f;
	w->cursor_to = v->cr[0x0b] & 0x1f;
	colors16(v, w);
}

static void graphics_view(const struct vga *v, struct vga_view *w, unsigned lines)
{
	unsigned cols = v->cr[1] + 1u, group = (v->cr[9] & 0x1f) + 1u;
	unsigned same = v->cr[9] & CR9_DOUBLE ? 2 : 1;
	unsigned split = (v->cr[0x18] | overflow(v, 4, 8) | (v->cr[9] >> 6 & 1u) << 9) + 1u;

	w->fold = ~v->cr[0x17] & 3;
	/* Bits 13 and 14 of what the CRT counts: bytes of a plane, or words, which take two. */
	w->fold_bit = v->cr[0x17] & CR17_BYTES ? 15 : 14;
	/* Without folding the lines of a group are alike. */
	if (!w->fold) {
		same *= group;
		group = 1;
	}
	w->group = (uint8_t)group;
	w->height = size_of(lines / same, VGA_HEIGHT_MAX);
	w->split = (uint16_t)MIN(split / same, w->height);
	if (v->gr[5] & 0x40) {
		w->kind = VGA_LINEAR;
		w->bpp = 8;
		w->width = size_of(cols * 4, VGA_WIDTH_MAX);
		colors256(v, w);
		return;
	}
	w->kind = v->gr[5] & 0x20 ? VGA_CGA : VGA_PLANAR;
	w->planes = v->ar[0x12] & 15;
	w->width = size_of(cols * 8, VGA_WIDTH_MAX);
	colors16(v, w);
}

void vga_make_view(const struct vga *v, struct vga_view *w)
{
	unsigned lines = (v->cr[0x12] | overflow(v, 1, 8) | overflow(v, 6, 9)) + 1u;

	/* Nothing that is divided by is ever 0. */
	memset(w, 0, sizeof(*w));
	w->group = 1;
	w->cell_w = 8;
	w->cell_h = 16;
	if (vga_vbe_on(v)) {
		vbe_view(v, w);
	} else {
		w->start = 4u * (uint32_t)(v->cr[0x0c] << 8 | v->cr[0x0d]);
		w->stride = 8u * v->cr[0x13];
		if (v->gr[6] & GR6_GRAPHICS)
			graphics_view(v, w, lines);
		else
			text_view(v, w, lines);
	}
	/* A card that nobody has set up yet is a black screen of the usual size. */
	if (!vga_vbe_on(v) && !v->cr[1]) {
		w->width = 720;
		w->height = 400;
		w->kind = VGA_BLANK;
	}
	if (!(v->ar_index & AR_ON) || (v->sr[1] & SR1_OFF && !vga_vbe_on(v)))
		w->kind = VGA_BLANK;
}
