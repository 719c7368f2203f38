/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is typed at a remote screen comes as symbols (X keysyms: what the key means on the typist's
 * keyboard); what the guest wants are keys. A layout (-k) says which key, with which shift, makes a
 * symbol on the guest's keyboard. Where the typist's shift does not fit, it is pressed or let go of
 * for the moment of the key.
 */
#ifndef DISPLAY_KEYBOARD_H
#define DISPLAY_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

struct layout;

/* NULL and e with the names that there are. */
const struct layout *layout_find(const char *name, struct err *e);
void layout_list(FILE *out);

struct keyboard {
	const struct layout *layout;
	uint8_t down[32]; /* a bit for each key (ps2.h) that the guest holds to be down */
	/* Gets keys as ps2_key() does. */
	void (*key)(void *opaque, unsigned key, bool down);
	unsigned (*leds)(void *opaque);
	void *opaque;
};

/* A symbol is pressed or let go of. Unknown ones are passed over. */
void keyboard_symbol(struct keyboard *k, uint32_t keysym, bool down);
/* Lets go of everything. */
void keyboard_release(struct keyboard *k);

/*
 * "ctrl-alt-f1" as the monitor's sendkey takes it: at most `room` keys in order; codes in
 * hexadecimal (0x1d) as well. Returns their number or -EINVAL.
 */
int keyboard_parse(const char *text, unsigned *keys, unsigned room, struct err *e);

#endif
