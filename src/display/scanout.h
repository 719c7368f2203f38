/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's screen as pixels, kept up to date: each refresh draws what may have changed since the
 * last one, compares, and tells which rectangles differ. One thread at a time.
 */
#ifndef DISPLAY_SCANOUT_H
#define DISPLAY_SCANOUT_H

#include "machine/vga.h"

struct scanout {
	struct vga *vga;
	struct vga_view view; /* what pix shows */
	uint32_t *pix;	      /* R, G, B, 0 in memory; view.width to a line; owned, never moves */
	uint32_t *scratch;    /* a line */
	uint16_t *cells;      /* text: what is drawn */
	bool valid;	      /* pix shows view */
};

struct scanout_user {
	/* The screen has another size now; all of it has changed. */
	void (*resized)(void *opaque, unsigned width, unsigned height);
	void (*changed)(void *opaque, unsigned x, unsigned y, unsigned w, unsigned h);
	void *opaque;
};

int scanout_init(struct scanout *s, struct vga *vga, struct err *e);
void scanout_exit(struct scanout *s);

/* Starts over: the next refresh draws everything. */
void scanout_forget(struct scanout *s);

/* Returns whether anything changed. */
bool scanout_refresh(struct scanout *s, const struct scanout_user *u);

#endif
