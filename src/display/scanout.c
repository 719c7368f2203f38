/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping a picture of the guest's screen: see scanout.h.
 *
 * Three sieves, the cheapest first. The card says whether anything was written at all; if not, not
 * a byte is looked at. Of text only the cells that differ from those drawn last are drawn. Of
 * graphics only lines are drawn whose pages were written (or all, when the log cannot tell), and of
 * those lines only the tiles that came out different are reported, a rectangle for each band of
 * lines.
 */
#include "display/scanout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define TILE 64u /* pixels */
#define BAND 16u /* lines */
#define PAGE 4096u

int scanout_init(struct scanout *s, struct vga *vga, struct err *e)
{
	memset(s, 0, sizeof(*s));
	s->vga = vga;
	s->pix = calloc((size_t)VGA_WIDTH_MAX * VGA_HEIGHT_MAX, sizeof(*s->pix));
	s->scratch = calloc(VGA_WIDTH_MAX, sizeof(*s->scratch));
	s->cells = calloc((size_t)VGA_COLUMNS_MAX * VGA_ROWS_MAX, sizeof(*s->cells));
	if (s->pix && s->scratch && s->cells)
		return 0;
	scanout_exit(s);
	return err_set(e, ENOMEM, "no memory for the screen");
}

void scanout_exit(struct scanout *s)
{
	free(s->pix);
	free(s->scratch);
	free(s->cells);
	memset(s, 0, sizeof(*s));
}

void scanout_forget(struct scanout *s)
{
	s->valid = false;
}

/* --- text ----------------------------------------------------------------------------------- */

static bool is_cursor(const struct vga_view *w, unsigned row, unsigned col)
{
	return w->cursor != UINT32_MAX && w->start + row * w->stride + 4 * col == 4 * w->cursor;
}

/* Must the cell be drawn again? Notes what it is now. */
static bool cell_differs(struct scanout *s, const struct vga_view *old, unsigned row, unsigned col,
			 bool all)
{
	uint16_t *shown = &s->cells[(size_t)row * VGA_COLUMNS_MAX + col];
	uint16_t now = vga_cell(s->vga, &s->view, row, col);
	bool differs =
		all || now != *shown || is_cursor(old, row, col) != is_cursor(&s->view, row, col);

	*shown = now;
	return differs;
}

static bool text_row(struct scanout *s, const struct scanout_user *u, const struct vga_view *old,
		     unsigned row, bool all)
{
	const struct vga_view *w = &s->view;
	unsigned first = w->cols, last = 0;

	for (unsigned col = 0; col < w->cols; col++) {
		if (!cell_differs(s, old, row, col, all))
			continue;
		first = MIN(first, col);
		last = col;
	}
	if (first == w->cols)
		return false;
	vga_draw_cells(s->vga, w, row, first, last + 1, s->pix + (size_t)row * w->cell_h * w->width,
		       w->width);
	u->changed(u->opaque, first * w->cell_w, row * w->cell_h, (last + 1 - first) * w->cell_w,
		   w->cell_h);
	return true;
}

/* --- graphics ------------------------------------------------------------------------------- */

/* Was a page written that line y is made of? */
static bool line_written(const struct vga_view *w, unsigned y, const uint64_t *bits)
{
	uint32_t from, bytes = w->kind == VGA_LINEAR ? w->width * ((w->bpp + 1u) / 8)
						     : align_up(w->width, 8) / 2;

	if (w->group > 1 || y >= w->split)
		return true;
	from = w->start + y * w->stride;
	for (uint32_t p = from / PAGE; p <= (from + bytes - 1) / PAGE; p++)
		if (bits[p % VGA_PAGES / 64] >> p % 64 & 1)
			return true;
	return false;
}

/* Takes over what differs from the line drawn before; *from and *to grow to hold it. */
static void take_line(struct scanout *s, unsigned y, unsigned *from, unsigned *to)
{
	unsigned width = s->view.width;
	uint32_t *shown = s->pix + (size_t)y * width;

	for (unsigned x = 0; x < width; x += TILE) {
		unsigned n = MIN(TILE, width - x);

		if (!memcmp(shown + x, s->scratch + x, n * sizeof(*shown)))
			continue;
		memcpy(shown + x, s->scratch + x, n * sizeof(*shown));
		*from = MIN(*from, x);
		*to = MAX(*to, x + n);
	}
}

static bool band(struct scanout *s, const struct scanout_user *u, unsigned top, bool all,
		 const uint64_t *bits)
{
	const struct vga_view *w = &s->view;
	unsigned end = MIN(top + BAND, (unsigned)w->height), from = w->width, to = 0;

	for (unsigned y = top; y < end; y++) {
		if (!all && !line_written(w, y, bits))
			continue;
		vga_draw(s->vga, w, y, y + 1, s->scratch, w->width);
		take_line(s, y, &from, &to);
	}
	if (!to)
		return false;
	u->changed(u->opaque, from, top, to - from, end - top);
	return true;
}

/* --- all of it ------------------------------------------------------------------------------ */

/* What the picture looks like beside memory and cursor. */
static bool same_look(const struct vga_view *a, const struct vga_view *b)
{
	return a->kind == b->kind && a->width == b->width && a->height == b->height &&
	       a->start == b->start && a->stride == b->stride && a->bpp == b->bpp &&
	       a->planes == b->planes && a->group == b->group && a->fold == b->fold &&
	       a->fold_bit == b->fold_bit && a->split == b->split && a->cell_w == b->cell_w &&
	       a->cell_h == b->cell_h && a->cols == b->cols && a->rows == b->rows &&
	       !memcmp(a->font, b->font, sizeof(a->font)) && a->line_graphics == b->line_graphics &&
	       a->blink == b->blink && a->cursor_from == b->cursor_from &&
	       a->cursor_to == b->cursor_to && !memcmp(a->color, b->color, sizeof(a->color));
}

bool scanout_refresh(struct scanout *s, const struct scanout_user *u)
{
	uint64_t bits[VGA_PAGES / 64];
	unsigned what = vga_changes(s->vga, bits);
	struct vga_view old = s->view;
	bool all, any = false;

	if (!what && s->valid)
		return false;
	vga_look(s->vga, &s->view);
	all = !s->valid || !same_look(&old, &s->view);
	if (!s->valid || old.width != s->view.width || old.height != s->view.height) {
		u->resized(u->opaque, s->view.width, s->view.height);
		any = true;
	}
	s->valid = true;
	if (s->view.kind == VGA_TEXT) {
		/* Written directly, anything may have been a glyph. */
		all |= (what & (VGA_CHANGED_GLYPHS | VGA_CHANGED_PAGES)) != 0;
		for (unsigned row = 0; row < s->view.rows; row++)
			any |= text_row(s, u, &old, row, all);
		return any;
	}
	all |= (what & VGA_CHANGED_ALL) != 0;
	for (unsigned y = 0; y < s->view.height; y += BAND)
		any |= band(s, u, y, all, bits);
	return any;
}
