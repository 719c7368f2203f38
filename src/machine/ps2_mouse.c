/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mouse: three buttons, a wheel for who knocks (sample rates 200, 100, 80), two more buttons
 * for who knocks twice (200, 200, 80). Movement adds up while the guest has not read the last
 * report, so that a slow guest is told where the pointer went and not each step.
 */
#include <string.h>

#include "base/util.h"
#include "machine/ps2_priv.h"

#define DELTA_MAX 255
#define SUM_MAX	  0x7fff

static bool pending(const struct ps2_aux *m)
{
	return m->dx || m->dy || m->dz || m->buttons != m->reported;
}

static int cut(int v, int limit)
{
	return v > limit ? limit : v < -limit ? -limit : v;
}

static void report(struct ps2_aux *m)
{
	int dx = cut(m->dx, DELTA_MAX), dy = cut(m->dy, DELTA_MAX), dz = cut(m->dz, 7);

	if (ps2_room(&m->q) < 4)
		return;
	m->dx -= dx;
	m->dy -= dy;
	m->dz -= dz;
	m->reported = m->buttons;
	/* Up is positive. */
	dy = -dy;
	ps2_put(&m->q, (uint8_t)(8 | (m->buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)));
	ps2_put(&m->q, (uint8_t)dx);
	ps2_put(&m->q, (uint8_t)dy);
	if (m->id == 3)
		ps2_put(&m->q, (uint8_t)dz);
	else if (m->id == 4)
		ps2_put(&m->q, (uint8_t)(dz & 0x0f));
	else
		m->dz = 0;
}

void aux_more(struct ps2_aux *m)
{
	if (m->reporting && !m->remote && !m->q.n && pending(m))
		report(m);
}

void aux_move(struct ps2_aux *m, int dx, int dy, int dz, unsigned buttons)
{
	bool click = m->buttons != buttons;

	if (!m->reporting && !m->remote)
		return;
	/* A click is where the pointer is now: what came before is told before. */
	if (click && pending(m) && m->buttons != m->reported)
		report(m);
	m->dx = cut(m->dx + dx, SUM_MAX);
	m->dy = cut(m->dy + dy, SUM_MAX);
	m->dz = cut(m->dz + dz, SUM_MAX);
	m->buttons = (uint8_t)(buttons & 7);
	aux_more(m);
}

static void defaults(struct ps2_aux *m)
{
	m->rate = 100;
	m->resolution = 2;
	m->double_scale = m->reporting = m->remote = m->wrap = false;
	m->dx = m->dy = m->dz = 0;
	m->command = 0;
	ps2_flush(&m->q);
}

void aux_reset(struct ps2_aux *m)
{
	memset(m, 0, sizeof(*m));
	defaults(m);
}

static void set_rate(struct ps2_aux *m, uint8_t rate)
{
	m->rate = rate;
	m->rates[0] = m->rates[1];
	m->rates[1] = m->rates[2];
	m->rates[2] = rate;
	if (m->rates[0] == 200 && m->rates[1] == 100 && rate == 80)
		m->id = 3;
	else if (m->rates[0] == 200 && m->rates[1] == 200 && rate == 80)
		m->id = 4;
}

static void status(struct ps2_aux *m)
{
	uint8_t b = m->buttons;

	ps2_put(&m->q, (uint8_t)((m->remote ? 0x40 : 0) | (m->reporting ? 0x20 : 0) |
				 (m->double_scale ? 0x10 : 0) | (b & BUTTON_LEFT ? 4 : 0) |
				 (b & BUTTON_MIDDLE ? 2 : 0) | (b & BUTTON_RIGHT ? 1 : 0)));
	ps2_put(&m->q, m->resolution);
	ps2_put(&m->q, m->rate);
}

static void aux_data(struct ps2_aux *m, uint8_t byte)
{
	if (m->command == 0xf3)
		set_rate(m, byte);
	else
		m->resolution = byte & 3;
	m->command = 0;
	ps2_put(&m->q, PS2_ACK);
}

/* What is acknowledged first. */
static void command(struct ps2_aux *m, uint8_t byte)
{
	switch (byte) {
	case 0xe6:
	case 0xe7:
		m->double_scale = byte & 1;
		break;
	case 0xe9:
		status(m);
		break;
	case 0xe8:
	case 0xf3:
		m->command = byte;
		break;
	case 0xea:
	case 0xf0:
		m->remote = byte == 0xf0;
		break;
	case 0xeb:
		report(m);
		break;
	case 0xee:
		m->wrap = true;
		break;
	case 0xf2:
		ps2_put(&m->q, m->id);
		break;
	case 0xf4:
	case 0xf5:
		m->reporting = byte == 0xf4;
		break;
	case 0xf6:
		defaults(m);
		ps2_put(&m->q, PS2_ACK);
		break;
	case 0xff:
		aux_reset(m);
		ps2_put(&m->q, PS2_ACK);
		ps2_put(&m->q, PS2_PASSED);
		ps2_put(&m->q, 0);
		break;
	default:
		break;
	}
}

static bool known(uint8_t byte)
{
	return (byte >= 0xe6 && byte <= 0xf6 && byte != 0xed && byte != 0xef && byte != 0xf1) ||
	       byte == 0xff;
}

void aux_write(struct ps2_aux *m, uint8_t byte)
{
	if (m->wrap && byte != 0xec && byte != 0xff) {
		ps2_put(&m->q, byte);
		return;
	}
	if (m->command) {
		aux_data(m, byte);
		return;
	}
	if (byte == 0xfe) {
		ps2_put(&m->q, m->last);
		return;
	}
	/* A report that is under way is not told apart from the answer. */
	ps2_flush(&m->q);
	if (byte == 0xec)
		m->wrap = false;
	if (!known(byte)) {
		ps2_put(&m->q, PS2_RESEND);
		return;
	}
	if (byte != 0xf6 && byte != 0xff)
		ps2_put(&m->q, PS2_ACK);
	command(m, byte);
}
