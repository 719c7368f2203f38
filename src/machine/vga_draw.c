/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * View and video memory -> pixels. Runs without a lock, on whatever thread wants the picture; the
 * guest goes on writing. Every address is cut to video memory where it is used, so that no view,
 * however odd, reads outside of it.
 */
#include "base/util.h"
#include "machine/vga_priv.h"

#define MASK (VGA_VRAM - 1)

static uint8_t byte_at(const struct vga *v, uint32_t at)
{
	return ((const volatile uint8_t *)v->mem)[at & MASK];
}

/* Where line y of a graphics view begins. */
static uint32_t line_addr(const struct vga_view *w, unsigned y)
{
	uint32_t at = y < w->split ? w->start : 0, n = y < w->split ? y : y - w->split;
	uint32_t sub = n % w->group;

	at += n / w->group * w->stride;
	for (unsigned i = 0; i < 2; i++)
		if (w->fold >> i & 1)
			at = (at & ~(1u << (w->fold_bit + i))) | (sub >> i & 1)
									 << (w->fold_bit + i);
	return at;
}

/* --- pixels of a line ------------------------------------------------------------------------ */

static void planar_line(const struct vga *v, const struct vga_view *w, uint32_t at, uint32_t *pix)
{
	for (unsigned x = 0; x < w->width; x += 8, at += 4) {
		unsigned b[4], n = MIN(8u, (unsigned)w->width - x);

		for (unsigned p = 0; p < 4; p++)
			b[p] = w->planes >> p & 1 ? byte_at(v, at + p) : 0;
		for (unsigned i = 0; i < n; i++) {
			unsigned s = 7 - i;

			pix[x + i] = w->color[(b[0] >> s & 1) | (b[1] >> s & 1) << 1 |
					      (b[2] >> s & 1) << 2 | (b[3] >> s & 1) << 3];
		}
	}
}

static void cga_line(const struct vga *v, const struct vga_view *w, uint32_t at, uint32_t *pix)
{
	for (unsigned x = 0; x < w->width; x += 8, at += 4) {
		unsigned word = byte_at(v, at) << 8 | byte_at(v, at + 1);
		unsigned n = MIN(8u, (unsigned)w->width - x);

		for (unsigned i = 0; i < n; i++)
			pix[x + i] = w->color[(word >> (14 - 2 * i) & 3) & w->planes];
	}
}

static uint32_t pack(unsigned r, unsigned g, unsigned b)
{
	const uint8_t c[4] = {(uint8_t)r, (uint8_t)g, (uint8_t)b, 0};
	uint32_t pixel;

	memcpy(&pixel, c, 4);
	return pixel;
}

/* n bits to 8: the top bits fill what is missing. */
static unsigned widen(unsigned c, unsigned n)
{
	return c << (8 - n) | c >> (2 * n - 8);
}

static void linear_line(const struct vga *v, const struct vga_view *w, uint32_t at, uint32_t *pix)
{
	unsigned step = (w->bpp + 1u) / 8;

	for (unsigned x = 0; x < w->width; x++, at += step) {
		unsigned lo = byte_at(v, at), hi;

		switch (w->bpp) {
		case 8:
			pix[x] = w->color[lo];
			break;
		case 15:
			hi = lo | byte_at(v, at + 1) << 8;
			pix[x] = pack(widen(hi >> 10 & 31, 5), widen(hi >> 5 & 31, 5),
				      widen(hi & 31, 5));
			break;
		case 16:
			hi = lo | byte_at(v, at + 1) << 8;
			pix[x] = pack(widen(hi >> 11 & 31, 5), widen(hi >> 5 & 63, 6),
				      widen(hi & 31, 5));
			break;
		default:
			pix[x] = pack(byte_at(v, at + 2), byte_at(v, at + 1), lo);
			break;
		}
	}
}

/* What most guests have: whole pixels in a line that does not wrap around. */
static void linear32_line(const struct vga *v, const struct vga_view *w, uint32_t at, uint32_t *pix)
{
	const uint8_t *p = v->mem + at;

	for (unsigned x = 0; x < w->width; x++) {
		uint32_t c = get_le32(p + (size_t)4 * x);

		pix[x] = htole32((c >> 16 & 0xff) | (c & 0xff00) | (c & 0xff) << 16);
	}
}

/* --- text ----------------------------------------------------------------------------------- */

static uint32_t cell_addr(const struct vga_view *w, unsigned row, unsigned col)
{
	return w->start + row * w->stride + 4 * col;
}

uint16_t vga_cell(const struct vga *v, const struct vga_view *w, unsigned row, unsigned col)
{
	uint32_t at = cell_addr(w, row, col);

	return (uint16_t)(byte_at(v, at) | byte_at(v, at + 1) << 8);
}

static void draw_cell(const struct vga *v, const struct vga_view *w, unsigned row, unsigned col,
		      uint32_t *pix, size_t stride)
{
	unsigned ch = vga_cell(v, w, row, col), attr = ch >> 8;
	uint32_t font = w->font[attr >> 3 & 1] + (ch &= 0xff) * 32;
	uint32_t fg = w->color[attr & 15], bg = w->color[attr >> 4 & (w->blink ? 7 : 15)];
	bool cursor = cell_addr(w, row, col) == 4 * w->cursor && w->cursor != UINT32_MAX;
	bool wide = w->line_graphics && ch >= 0xc0 && ch <= 0xdf;

	for (unsigned y = 0; y < w->cell_h; y++, pix += stride) {
		unsigned bits = byte_at(v, 4 * (font + y) + 2) << 1;

		if (wide)
			bits |= bits >> 1 & 1;
		if (cursor && y >= w->cursor_from && y <= w->cursor_to)
			bits = 0x1ff;
		for (unsigned x = 0; x < w->cell_w; x++)
			pix[x] = bits >> (8 - x) & 1 ? fg : bg;
	}
}

void vga_draw_cells(const struct vga *v, const struct vga_view *w, unsigned row, unsigned from,
		    unsigned to, uint32_t *pix, size_t stride)
{
	for (unsigned col = from; col < to; col++)
		draw_cell(v, w, row, col, pix + (size_t)col * w->cell_w, stride);
}

/* --- all of it ------------------------------------------------------------------------------ */

static void draw_line(const struct vga *v, const struct vga_view *w, unsigned y, uint32_t *pix)
{
	uint32_t at = line_addr(w, y) & MASK;

	switch (w->kind) {
	case VGA_PLANAR:
		planar_line(v, w, at, pix);
		break;
	case VGA_CGA:
		cga_line(v, w, at, pix);
		break;
	case VGA_LINEAR:
		if (w->bpp == 32 && at + 4u * w->width <= VGA_VRAM)
			linear32_line(v, w, at, pix);
		else
			linear_line(v, w, at, pix);
		break;
	default:
		memset(pix, 0, sizeof(*pix) * w->width);
		break;
	}
}

void vga_draw(const struct vga *v, const struct vga_view *w, unsigned from, unsigned to,
	      uint32_t *pix, size_t stride)
{
	if (w->kind == VGA_TEXT) {
		/* Rows of cells: lines are asked for in whole rows only. */
		for (unsigned row = from / w->cell_h; row < to / w->cell_h; row++)
			vga_draw_cells(v, w, row, 0, w->cols,
				       pix + (row * w->cell_h - from) * stride, stride);
		return;
	}
	for (unsigned y = from; y < to; y++, pix += stride)
		draw_line(v, w, y, pix);
}
