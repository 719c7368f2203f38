/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What i8042.c (the controller) and the devices behind it share. All under the bus lock.
 */
#ifndef MACHINE_PS2_PRIV_H
#define MACHINE_PS2_PRIV_H

#include "machine/ps2.h"

#define PS2_ACK	   0xfa
#define PS2_RESEND 0xfe
#define PS2_PASSED 0xaa /* self-test */

#define PS2_ROOM 128u

/* Bytes on their way to the controller. */
struct ps2_queue {
	uint8_t b[PS2_ROOM];
	unsigned head, n;
};

static inline unsigned ps2_room(const struct ps2_queue *q)
{
	return PS2_ROOM - q->n;
}

/* Dropped when there is no room: whoever sends more than a byte looks first. */
static inline void ps2_put(struct ps2_queue *q, uint8_t byte)
{
	if (q->n < PS2_ROOM)
		q->b[(q->head + q->n++) % PS2_ROOM] = byte;
}

/* n > 0 */
static inline uint8_t ps2_take(struct ps2_queue *q)
{
	uint8_t byte = q->b[q->head];

	q->head = (q->head + 1) % PS2_ROOM;
	q->n--;
	return byte;
}

static inline void ps2_flush(struct ps2_queue *q)
{
	q->n = 0;
}

/* ps2_kbd.c */
struct ps2_kbd {
	struct ps2_queue q;
	bool scanning;
	uint8_t set; /* of scan codes: 1 … 3 */
	uint8_t leds, rate;
	uint8_t command; /* waits for its data, 0: none does */
	uint8_t last;	 /* byte sent, for FE */
};

void kbd_reset(struct ps2_kbd *k);
void kbd_write(struct ps2_kbd *k, uint8_t byte);
void kbd_key(struct ps2_kbd *k, unsigned key, bool down);

/* The keyboard's set 2 in set 1, as the controller translates it; 0 … 7F, else unchanged. */
uint8_t kbd_translate(uint8_t set2);

/* ps2_mouse.c */
struct ps2_aux {
	struct ps2_queue q;
	bool reporting, remote, wrap, double_scale;
	uint8_t rate, resolution;
	uint8_t id;	  /* 0: three buttons, 3: wheel, 4: five buttons */
	uint8_t rates[3]; /* set last: the knock that changes id */
	uint8_t command;  /* as above */
	uint8_t last;
	int dx, dy, dz; /* not reported yet */
	uint8_t buttons, reported;
};

void aux_reset(struct ps2_aux *m);
void aux_write(struct ps2_aux *m, uint8_t byte);
void aux_move(struct ps2_aux *m, int dx, int dy, int dz, unsigned buttons);
/* The queue has been read: reports what has come up meanwhile. */
void aux_more(struct ps2_aux *m);

#endif
