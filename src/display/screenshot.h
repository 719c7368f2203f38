/* SPDX-License-Identifier: BSD-2-Clause */
/* A picture of the guest's screen in a file. */
#ifndef DISPLAY_SCREENSHOT_H
#define DISPLAY_SCREENSHOT_H

#include "machine/vga.h"

enum screenshot_format { SCREENSHOT_PPM, SCREENSHOT_PNG };

/*
 * Writes the screen as it is now to the file path (which is made anew). Any thread that does not
 * hold the bus lock. Returns 0 or -errno; then no file is left behind.
 */
int screenshot(struct vga *v, const char *path, enum screenshot_format f, struct err *e);

#endif
