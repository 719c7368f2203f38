/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The display adapter as the layers above see it: a standard VGA with the Bochs extensions ("std",
 * PCI 1234:1111). What is on the screen is taken in two steps: vga_look() copies the registers that
 * matter under the bus lock into a view, and vga_draw() makes lines of pixels of a view and video
 * memory with no lock held, so that drawing never holds a vCPU up. Video memory changes under the
 * drawer; a view's numbers are checked once and never lead outside of it.
 */
#ifndef MACHINE_VGA_H
#define MACHINE_VGA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct vga;

#define VGA_VRAM	(16u << 20)
#define VGA_PAGES	(VGA_VRAM / 4096)
#define VGA_WIDTH_MAX	2560u
#define VGA_HEIGHT_MAX	1600u
#define VGA_COLUMNS_MAX 256u /* of text */
#define VGA_ROWS_MAX	1024u

enum vga_kind {
	VGA_BLANK,  /* black */
	VGA_TEXT,   /* cells: character in plane 0, attribute in plane 1, glyphs in plane 2 */
	VGA_PLANAR, /* a bit in each of four planes is a pixel */
	VGA_CGA,    /* two bits of a byte are a pixel, bytes in planes 0 and 1 in turn */
	VGA_LINEAR, /* bpp bits are a pixel, one after the other */
};

/* Addresses are bytes of video memory; plane p of a planar address a is the byte 4 * a + p. */
struct vga_view {
	enum vga_kind kind;
	uint16_t width, height; /* pixels, never 0 nor above the maximum */
	uint32_t start, stride; /* first line, and from line to line (rows of cells for text) */
	uint8_t bpp;		/* VGA_LINEAR: 8, 15, 16, 24, 32 */
	uint8_t planes;		/* VGA_PLANAR, VGA_CGA: which are seen */
	/* Lines come in groups; bits 0 and 1 of the number within the group are address bits
	 * fold_bit and the next where fold says so (CGA). */
	uint8_t group, fold, fold_bit;
	uint16_t split; /* from this line on the memory's start is shown; height: never */
	/* VGA_TEXT */
	uint8_t cell_w, cell_h;
	uint16_t cols, rows;
	uint32_t font[2]; /* glyph 0's byte of plane 2, by bit 3 of the attribute */
	bool line_graphics, blink;
	uint32_t cursor; /* address of the cell, UINT32_MAX: none */
	uint8_t cursor_from, cursor_to;
	/* Pixels as bytes R, G, B, 0 in memory. VGA_LINEAR with 8 bpp uses 256, the rest 16. */
	uint32_t color[256];
};

/* What is shown now. Any thread that does not hold the bus lock. */
void vga_look(struct vga *v, struct vga_view *out);

/* Draws lines [from, to) of the view: line `from` at pix, `stride` pixels from line to line. Any
 * thread; needs no lock. */
void vga_draw(const struct vga *v, const struct vga_view *w, unsigned from, unsigned to,
	      uint32_t *pix, size_t stride);
/* One row of pixels of cells [from, to) is `stride` apart; draws a row of cells only in part. */
void vga_draw_cells(const struct vga *v, const struct vga_view *w, unsigned row, unsigned from,
		    unsigned to, uint32_t *pix, size_t stride);
/* Character and attribute of a cell, in that order from bit 0. */
uint16_t vga_cell(const struct vga *v, const struct vga_view *w, unsigned row, unsigned col);

#define VGA_CHANGED_CELLS  1u /* registers, or memory by way of the VGA window */
#define VGA_CHANGED_GLYPHS 2u /* … plane 2 as well */
#define VGA_CHANGED_ALL	   3u
#define VGA_CHANGED_PAGES  4u /* memory directly: the bits tell which pages */

/*
 * For the one who watches the screen (one at a time). vga_watch(true) has the guest's writes to
 * video memory logged, false ends that. vga_changes() tells what was written since its last call as
 * VGA_CHANGED_*, 0: nothing. Any thread that does not hold the bus lock.
 */
void vga_watch(struct vga *v, bool on);
unsigned vga_changes(struct vga *v, uint64_t bits[VGA_PAGES / 64]);

#endif
