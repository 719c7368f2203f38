/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard: speaks scan code set 2 (what controllers expect and translate), 1 or 3, and answers
 * the commands of an AT keyboard. It does not repeat keys by itself: who types at a remote screen
 * has a keyboard that does.
 */
#include <stddef.h>
#include <string.h>

#include "base/util.h"
#include "machine/ps2_priv.h"

#define BREAK 0xf0 /* prefix of a release in sets 2 and 3 */

/* Set 2 in set 1, as every 8042 has it. */
static const uint8_t translation[128] = {
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29,
	0x59, 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11,
	0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14,
	0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24,
	0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35,
	0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36,
	0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c,
	0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
	0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

uint8_t kbd_translate(uint8_t set2)
{
	if (set2 < 128)
		return translation[set2];
	return set2 == 0x83 ? 0x41 : set2 == 0x84 ? 0x54 : set2;
}

/* The other way; 0: no key. */
static uint8_t to_set2(uint8_t set1)
{
	if (set1 == 0x41)
		return 0x83;
	for (unsigned i = 1; i < ARRAY_SIZE(translation); i++)
		if (translation[i] == set1)
			return (uint8_t)i;
	return 0;
}

/* Set 3 in terms of set 1, where it is not set 2: keys that have no prefix there. */
static const uint8_t set3[][2] = {
	{KEY_E0 | 0x1d, 0x58}, {KEY_E0 | 0x38, 0x39}, {KEY_E0 | 0x1c, 0x79}, {KEY_E0 | 0x47, 0x6e},
	{KEY_E0 | 0x48, 0x63}, {KEY_E0 | 0x49, 0x6f}, {KEY_E0 | 0x4b, 0x61}, {KEY_E0 | 0x4d, 0x6a},
	{KEY_E0 | 0x4f, 0x65}, {KEY_E0 | 0x50, 0x60}, {KEY_E0 | 0x51, 0x6d}, {KEY_E0 | 0x52, 0x67},
	{KEY_E0 | 0x53, 0x64}, {KEY_E0 | 0x35, 0x77}, {KEY_E0 | 0x5b, 0x8b}, {KEY_E0 | 0x5c, 0x8c},
	{KEY_E0 | 0x5d, 0x8d}, {0x01, 0x08},	      {0x3b, 0x07},	     {0x3c, 0x0f},
	{0x3d, 0x17},	       {0x3e, 0x1f},	      {0x3f, 0x27},	     {0x40, 0x2f},
	{0x41, 0x37},	       {0x42, 0x3f},	      {0x43, 0x47},	     {0x44, 0x4f},
	{0x57, 0x56},	       {0x58, 0x5e},	      {0x1d, 0x11},	     {0x38, 0x19},
	{0x3a, 0x14},	       {0x2b, 0x5c},	      {0x45, 0x76},	     {0x46, 0x5f},
	{0x37, 0x7e},	       {0x4a, 0x84},	      {0x4e, 0x7c},
};

static uint8_t to_set3(uint8_t key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(set3); i++)
		if (set3[i][0] == key)
			return set3[i][1];
	return key & KEY_E0 ? 0 : to_set2(key);
}

static void put_all(struct ps2_kbd *k, const uint8_t *b, unsigned n)
{
	if (ps2_room(&k->q) < n)
		return;
	while (n--)
		ps2_put(&k->q, *b++);
}

/* Pause is a sequence, and all of it comes on the press. */
static void pause_key(struct ps2_kbd *k)
{
	static const uint8_t one[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
	static const uint8_t two[] = {0xe1, 0x14, 0x77, 0xe1, BREAK, 0x14, BREAK, 0x77};

	if (k->set == 1)
		put_all(k, one, sizeof(one));
	else if (k->set == 2)
		put_all(k, two, sizeof(two));
	else
		put_all(k, (const uint8_t[]){0x62}, 1);
}

void kbd_key(struct ps2_kbd *k, unsigned key, bool down)
{
	uint8_t b[3], code, low = key & 0x7f;
	unsigned n = 0;

	if (!k->scanning)
		return;
	if (key == KEY_PAUSE) {
		if (down)
			pause_key(k);
		return;
	}
	if (key > 0xff || !low)
		return;
	code = k->set == 1 ? low : k->set == 2 ? to_set2(low) : to_set3((uint8_t)key);
	if (!code)
		return;
	if (key & KEY_E0 && k->set != 3)
		b[n++] = 0xe0;
	if (!down && k->set != 1)
		b[n++] = BREAK;
	b[n++] = !down && k->set == 1 ? code | 0x80 : code;
	put_all(k, b, n);
}

/* --- commands -------------------------------------------------------------------------------- */

static void defaults(struct ps2_kbd *k)
{
	k->set = 2;
	k->rate = 0x2b;
	k->leds = 0;
	k->command = 0;
	ps2_flush(&k->q);
}

void kbd_reset(struct ps2_kbd *k)
{
	memset(k, 0, sizeof(*k));
	defaults(k);
	k->scanning = true;
}

/* The data of a command. */
static void kbd_data(struct ps2_kbd *k, uint8_t byte)
{
	uint8_t command = k->command;

	k->command = 0;
	switch (command) {
	case 0xed:
		k->leds = byte & 7;
		break;
	case 0xf3:
		k->rate = byte & 0x7f;
		break;
	case 0xf0:
		if (byte > 3) {
			ps2_put(&k->q, PS2_RESEND);
			return;
		}
		ps2_put(&k->q, PS2_ACK);
		if (!byte)
			ps2_put(&k->q, k->set);
		else
			k->set = byte;
		return;
	default: /* FB … FD: one key's behaviour in set 3 */
		break;
	}
	ps2_put(&k->q, PS2_ACK);
}

void kbd_write(struct ps2_kbd *k, uint8_t byte)
{
	/* Data is never as high as a command: a command ends what was waited for. */
	if (k->command && byte < 0xed) {
		kbd_data(k, byte);
		return;
	}
	k->command = 0;
	switch (byte) {
	case 0xed:
	case 0xf0:
	case 0xf3:
	case 0xfb:
	case 0xfc:
	case 0xfd:
		k->command = byte;
		ps2_put(&k->q, PS2_ACK);
		break;
	case 0xee: /* echo */
		ps2_put(&k->q, 0xee);
		break;
	case 0xf2: /* identify */
		put_all(k, (const uint8_t[]){PS2_ACK, 0xab, 0x83}, 3);
		break;
	case 0xf4: /* enable */
		ps2_flush(&k->q);
		k->scanning = true;
		ps2_put(&k->q, PS2_ACK);
		break;
	case 0xf5: /* defaults, and disable */
	case 0xf6: /* defaults */
		defaults(k);
		k->scanning = byte == 0xf6;
		ps2_put(&k->q, PS2_ACK);
		break;
	case 0xf7:
	case 0xf8:
	case 0xf9:
	case 0xfa: /* all keys' behaviour in set 3 */
		ps2_put(&k->q, PS2_ACK);
		break;
	case 0xfe:
		ps2_put(&k->q, k->last);
		break;
	case 0xff:
		kbd_reset(k);
		put_all(k, (const uint8_t[]){PS2_ACK, PS2_PASSED}, 2);
		break;
	default:
		ps2_put(&k->q, PS2_RESEND);
		break;
	}
}
