/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard controller (8042 with a second channel, as in a PS/2): status and commands at port
 * 64, data at port 60, keyboard on IRQ 1, mouse on IRQ 12.
 *
 * One byte at a time lies in the output buffer. Three queues wait for it: the controller's own
 * answers, the keyboard, the mouse. When the guest has read the byte, its line goes low and the
 * next byte comes at once, so that an edge is seen for each. The keyboard's codes are translated on
 * the way into the buffer, if the command byte says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "machine/pc.h"
#include "machine/ps2_priv.h"

#define ST_OBF	    0x01
#define ST_SYSTEM   0x04
#define ST_CMD	    0x08
#define ST_UNLOCKED 0x10
#define ST_AUX	    0x20

#define CTR_KBD_IRQ 0x01
#define CTR_AUX_IRQ 0x02
#define CTR_SYSTEM  0x04
#define CTR_KBD_OFF 0x10
#define CTR_AUX_OFF 0x20
#define CTR_XLATE   0x40
#define CTR_MASK    0x7f

#define OUT_RESET 0x01 /* low: the CPU's reset line */
#define OUT_A20	  0x02

struct i8042 {
	struct bus *b;
	struct io_region data_io, cmd_io;
	struct pc_power power;
	uint8_t status, ctr, outport, command; /* command: waits for data, 0: none */
	uint8_t ram[32];
	uint8_t obuf;
	bool release; /* the keyboard's F0 was seen: the next code has bit 7 */
	bool irq1, irq12;
	struct ps2_queue answers, answers_aux; /* the controller's own, by channel */
	struct ps2_kbd kbd;
	struct ps2_aux aux;
};

static void line(struct i8042 *k, bool *was, unsigned irq, bool level)
{
	if (*was == level)
		return;
	*was = level;
	accel_irq(k->b->accel, irq, level);
}

static void update_irqs(struct i8042 *k)
{
	bool full = k->status & ST_OBF, aux = k->status & ST_AUX;

	line(k, &k->irq1, PC_IRQ_KBD, full && !aux && k->ctr & CTR_KBD_IRQ);
	line(k, &k->irq12, PC_IRQ_MOUSE, full && aux && k->ctr & CTR_AUX_IRQ);
}

static void fill(struct i8042 *k, uint8_t byte, bool aux)
{
	k->obuf = byte;
	k->status = (uint8_t)((k->status & ~ST_AUX) | ST_OBF | (aux ? ST_AUX : 0));
}

/* The keyboard's next byte, translated; false: it was a prefix that translation swallows. */
static bool from_keyboard(struct i8042 *k)
{
	uint8_t byte = ps2_take(&k->kbd.q);

	k->kbd.last = byte;
	if (k->ctr & CTR_XLATE) {
		if (byte == 0xf0) {
			k->release = true;
			return false;
		}
		byte = kbd_translate(byte);
		if (k->release)
			byte |= 0x80;
	}
	k->release = false;
	fill(k, byte, false);
	return true;
}

/* Puts the next byte into the output buffer if that is empty. */
static void next(struct i8042 *k)
{
	while (!(k->status & ST_OBF)) {
		if (k->answers.n) {
			fill(k, ps2_take(&k->answers), false);
		} else if (k->answers_aux.n) {
			fill(k, ps2_take(&k->answers_aux), true);
		} else if (k->kbd.q.n && !(k->ctr & CTR_KBD_OFF)) {
			from_keyboard(k);
		} else if (!(k->ctr & CTR_AUX_OFF)) {
			aux_more(&k->aux);
			if (!k->aux.q.n)
				break;
			k->aux.last = ps2_take(&k->aux.q);
			fill(k, k->aux.last, true);
		} else {
			break;
		}
	}
	update_irqs(k);
}

/* --- ports ---------------------------------------------------------------------------------- */

static uint64_t data_read(void *opaque, uint64_t off, unsigned size)
{
	struct i8042 *k = opaque;
	uint8_t byte = k->obuf;

	(void)off;
	(void)size;
	if (k->status & ST_OBF) {
		k->status &= (uint8_t)~ST_OBF;
		update_irqs(k);
		next(k);
	}
	return byte;
}

static uint64_t status_read(void *opaque, uint64_t off, unsigned size)
{
	const struct i8042 *k = opaque;

	(void)off;
	(void)size;
	return k->status;
}

static void set_outport(struct i8042 *k, uint8_t val)
{
	k->outport = val | OUT_RESET;
	if (!(val & OUT_RESET))
		k->power.reset(k->power.opaque);
}

/* Data of a command of the controller. */
static void command_data(struct i8042 *k, uint8_t command, uint8_t val)
{
	switch (command) {
	case 0xd1:
		set_outport(k, val);
		break;
	case 0xd2:
		ps2_put(&k->answers, val);
		break;
	case 0xd3:
		ps2_put(&k->answers_aux, val);
		break;
	case 0xd4:
		k->ctr &= (uint8_t)~CTR_AUX_OFF;
		aux_write(&k->aux, val);
		break;
	case 0x60:
		k->ctr = val & CTR_MASK;
		k->status = (uint8_t)((k->status & ~ST_SYSTEM) | (val & CTR_SYSTEM));
		break;
	default: /* 61 … 7F */
		k->ram[command & 0x1f] = val;
		break;
	}
}

static void data_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct i8042 *k = opaque;
	uint8_t command = k->command;

	(void)off;
	(void)size;
	k->status &= (uint8_t)~ST_CMD;
	k->command = 0;
	if (command) {
		command_data(k, command, (uint8_t)val);
	} else {
		/* What is sent to the keyboard switches its clock on. */
		k->ctr &= (uint8_t)~CTR_KBD_OFF;
		kbd_write(&k->kbd, (uint8_t)val);
	}
	next(k);
}

static void command_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct i8042 *k = opaque;
	uint8_t c = (uint8_t)val;

	(void)off;
	(void)size;
	k->status |= ST_CMD;
	k->command = 0;
	if (c >= 0x20 && c <= 0x3f)
		ps2_put(&k->answers, c == 0x20 ? k->ctr : k->ram[c & 0x1f]);
	else if ((c >= 0x60 && c <= 0x7f) || (c >= 0xd1 && c <= 0xd4))
		k->command = c;
	else if (c == 0xa7 || c == 0xa8)
		k->ctr = (uint8_t)((k->ctr & ~CTR_AUX_OFF) | (c == 0xa7 ? CTR_AUX_OFF : 0));
	else if (c == 0xad || c == 0xae)
		k->ctr = (uint8_t)((k->ctr & ~CTR_KBD_OFF) | (c == 0xad ? CTR_KBD_OFF : 0));
	else if (c == 0xa9 || c == 0xab) /* tests of the two channels: fine */
		ps2_put(&k->answers, 0);
	else if (c == 0xaa) { /* self-test */
		k->status |= ST_SYSTEM;
		ps2_put(&k->answers, 0x55);
	} else if (c == 0xc0) /* input port: not locked */
		ps2_put(&k->answers, 0x80);
	else if (c == 0xd0)
		ps2_put(&k->answers,
			(uint8_t)(k->outport | (k->irq1 ? 0x10 : 0) | (k->irq12 ? 0x20 : 0)));
	else if (c >= 0xf0 && !(c & OUT_RESET)) /* pulses lines of the output port */
		k->power.reset(k->power.opaque);
	next(k);
}

static const struct io_ops data_ops = {data_read, data_write, 1};
static const struct io_ops cmd_ops = {status_read, command_write, 1};

/* --- events --------------------------------------------------------------------------------- */

void ps2_key(struct i8042 *k, unsigned key, bool down)
{
	bus_lock(k->b);
	kbd_key(&k->kbd, key, down);
	next(k);
	bus_unlock(k->b);
}

void ps2_mouse(struct i8042 *k, int dx, int dy, int dz, unsigned buttons)
{
	bus_lock(k->b);
	aux_move(&k->aux, dx, dy, dz, buttons);
	next(k);
	bus_unlock(k->b);
}

unsigned ps2_leds(struct i8042 *k)
{
	unsigned leds;

	bus_lock(k->b);
	leds = k->kbd.leds;
	bus_unlock(k->b);
	return leds;
}

bool ps2_mouse_on(struct i8042 *k)
{
	bool on;

	bus_lock(k->b);
	on = k->aux.reporting;
	bus_unlock(k->b);
	return on;
}

/* --- the device ----------------------------------------------------------------------------- */

void i8042_reset(struct i8042 *k)
{
	k->status = ST_UNLOCKED | ST_CMD;
	k->ctr = CTR_KBD_IRQ | CTR_AUX_IRQ;
	k->outport = OUT_RESET | OUT_A20 | 0xcc;
	k->command = 0;
	k->release = false;
	memset(k->ram, 0, sizeof(k->ram));
	ps2_flush(&k->answers);
	ps2_flush(&k->answers_aux);
	kbd_reset(&k->kbd);
	aux_reset(&k->aux);
	update_irqs(k);
}

struct i8042 *i8042_new(struct bus *b, const struct pc_power *power, struct err *e)
{
	struct i8042 *k = calloc(1, sizeof(*k));

	if (!k) {
		err_set(e, ENOMEM, "no memory for the keyboard controller");
		return NULL;
	}
	k->b = b;
	k->power = *power;
	i8042_reset(k);
	k->data_io = (struct io_region){0x60, 1, &data_ops, k, "keyboard data"};
	k->cmd_io = (struct io_region){0x64, 1, &cmd_ops, k, "keyboard controller"};
	if (bus_add(b, BUS_PIO, &k->data_io, e) || bus_add(b, BUS_PIO, &k->cmd_io, e)) {
		i8042_free(k);
		return NULL;
	}
	return k;
}

void i8042_free(struct i8042 *k)
{
	if (!k)
		return;
	bus_del(k->b, BUS_PIO, &k->data_io);
	bus_del(k->b, BUS_PIO, &k->cmd_io);
	free(k);
}
