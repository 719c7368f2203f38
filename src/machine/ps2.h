/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keyboard and mouse as the layers above see them. Events may come from any thread that does not
 * hold the bus lock; they wait in the devices' queues until the guest reads them, and are lost when
 * it does not.
 */
#ifndef MACHINE_PS2_H
#define MACHINE_PS2_H

#include <stdbool.h>
#include <stdint.h>

struct i8042;

/* A key is its code of set 1 (1 … 7F), with this bit for those behind the prefix E0. */
#define KEY_E0	  0x80u
#define KEY_PAUSE 0x145u /* the one that has no code but a sequence */

#define LED_SCROLL 1u
#define LED_NUM	   2u
#define LED_CAPS   4u

#define BUTTON_LEFT   1u
#define BUTTON_RIGHT  2u
#define BUTTON_MIDDLE 4u

/* A key goes down (again: it repeats) or up. */
void ps2_key(struct i8042 *k, unsigned key, bool down);
/* LED_* as the guest has set them. */
unsigned ps2_leds(struct i8042 *k);
/* The mouse moved by dx to the right, dy down, its wheel by dz towards the user; buttons: those
 * that are down now. */
void ps2_mouse(struct i8042 *k, int dx, int dy, int dz, unsigned buttons);
/* Does the guest listen to the mouse? */
bool ps2_mouse_on(struct i8042 *k);

#endif
