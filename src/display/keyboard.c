/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Symbols -> keys: see keyboard.h.
 *
 * A layout is the rows of a keyboard as they are printed on its keys, plain and shifted, and for
 * some the third level. Keys without a character are the same on all and stand in a table with the
 * names that the monitor gives them.
 */
#include "display/keyboard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/opt.h"
#include "base/util.h"
#include "machine/ps2.h"

#define KEY_SHIFT   0x2a
#define KEY_SHIFT_R 0x36
#define KEY_NUMLOCK 0x45
#define KEY_ALTGR   (KEY_E0 | 0x38)
#define KEY_NONE    0u

/* Latin-1 characters in the order of the keys from `first` on; 0x01: none there. */
struct row {
	uint8_t first;
	const char *plain, *shift, *altgr; /* altgr may be NULL */
};

struct layout {
	const char *name;
	struct row rows[7]; /* ends with plain NULL */
};

static const struct layout layouts[] = {
	{"en-us",
	 {{0x02, "1234567890-=", "!@#$%^&*()_+", NULL},
	  {0x10, "qwertyuiop[]", "QWERTYUIOP{}", NULL},
	  {0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~", NULL},
	  {0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?", NULL},
	  {0x39, " ", " ", NULL}}},
	{"en-gb",
	 {{0x02, "1234567890-=", "!\"\xa3$%^&*()_+", NULL},
	  {0x10, "qwertyuiop[]", "QWERTYUIOP{}", NULL},
	  {0x1e, "asdfghjkl;'`", "ASDFGHJKL:@\xac", "\1\1\1\1\1\1\1\1\1\1\1\xa6"},
	  {0x2b, "#zxcvbnm,./", "~ZXCVBNM<>?", NULL},
	  {0x39, " ", " ", NULL},
	  {0x56, "\\", "|", NULL}}},
	{"de",
	 {{0x02, "1234567890\xdf\xb4", "!\"\xa7$%&/()=?`", "\1\xb2\xb3\1\1\1{[]}\\\1"},
	  {0x10, "qwertzuiop\xfc+", "QWERTZUIOP\xdc*", "@\1\1\1\1\1\1\1\1\1\1~"},
	  {0x1e, "asdfghjkl\xf6\xe4^", "ASDFGHJKL\xd6\xc4\xb0", NULL},
	  {0x2b, "#yxcvbnm,.-", "'YXCVBNM;:_", "\1\1\1\1\1\1\1\xb5\1\1\1"},
	  {0x39, " ", " ", NULL},
	  {0x56, "<", ">", "|"}}},
	{"fr",
	 {{0x02, "&\xe9\"'(-\xe8_\xe7\xe0)=", "1234567890\xb0+", "\1~#{[|`\\^@]}"},
	  {0x10, "azertyuiop^$", "AZERTYUIOP\xa8\xa3", NULL},
	  {0x1e, "qsdfghjklm\xf9\xb2", "QSDFGHJKLM%\1", NULL},
	  {0x2b, "*wxcvbn,;:!", "\xb5WXCVBN?./\xa7", NULL},
	  {0x39, " ", " ", NULL},
	  {0x56, "<", ">", NULL}}},
};

/* Keys without a character, or with a name of their own: QEMU's name, key, keysyms. */
static const struct {
	const char *name;
	uint16_t key, sym, sym2;
} named[] = {
	{"esc", 0x01, 0xff1b, 0},
	{"backspace", 0x0e, 0xff08, 0},
	{"tab", 0x0f, 0xff09, 0xfe20},
	{"ret", 0x1c, 0xff0d, 0},
	{"ctrl", 0x1d, 0xffe3, 0},
	{"ctrl_r", KEY_E0 | 0x1d, 0xffe4, 0},
	{"shift", KEY_SHIFT, 0xffe1, 0},
	{"shift_r", KEY_SHIFT_R, 0xffe2, 0},
	{"alt", 0x38, 0xffe9, 0},
	{"alt_r", KEY_ALTGR, 0xffea, 0xfe03},
	{"altgr", KEY_ALTGR, 0xff7e, 0},
	{"caps_lock", 0x3a, 0xffe5, 0},
	{"meta_l", KEY_E0 | 0x5b, 0xffeb, 0xffe7},
	{"meta_r", KEY_E0 | 0x5c, 0xffec, 0xffe8},
	{"menu", KEY_E0 | 0x5d, 0xff67, 0},
	{"f1", 0x3b, 0xffbe, 0},
	{"f2", 0x3c, 0xffbf, 0},
	{"f3", 0x3d, 0xffc0, 0},
	{"f4", 0x3e, 0xffc1, 0},
	{"f5", 0x3f, 0xffc2, 0},
	{"f6", 0x40, 0xffc3, 0},
	{"f7", 0x41, 0xffc4, 0},
	{"f8", 0x42, 0xffc5, 0},
	{"f9", 0x43, 0xffc6, 0},
	{"f10", 0x44, 0xffc7, 0},
	{"f11", 0x57, 0xffc8, 0},
	{"f12", 0x58, 0xffc9, 0},
	{"print", KEY_E0 | 0x37, 0xff61, 0},
	{"sysrq", 0x54, 0xff15, 0},
	{"scroll_lock", 0x46, 0xff14, 0},
	{"pause", KEY_PAUSE, 0xff13, 0xff6b},
	{"insert", KEY_E0 | 0x52, 0xff63, 0},
	{"delete", KEY_E0 | 0x53, 0xffff, 0},
	{"home", KEY_E0 | 0x47, 0xff50, 0},
	{"end", KEY_E0 | 0x4f, 0xff57, 0},
	{"pgup", KEY_E0 | 0x49, 0xff55, 0},
	{"pgdn", KEY_E0 | 0x51, 0xff56, 0},
	{"up", KEY_E0 | 0x48, 0xff52, 0},
	{"down", KEY_E0 | 0x50, 0xff54, 0},
	{"left", KEY_E0 | 0x4b, 0xff51, 0},
	{"right", KEY_E0 | 0x4d, 0xff53, 0},
	{"num_lock", KEY_NUMLOCK, 0xff7f, 0},
	{"kp_divide", KEY_E0 | 0x35, 0xffaf, 0},
	{"kp_multiply", 0x37, 0xffaa, 0},
	{"kp_subtract", 0x4a, 0xffad, 0},
	{"kp_add", 0x4e, 0xffab, 0},
	{"kp_enter", KEY_E0 | 0x1c, 0xff8d, 0},
	{"kp_decimal", 0x53, 0xffae, 0xff9f},
	{"kp_0", 0x52, 0xffb0, 0xff9e},
	{"kp_1", 0x4f, 0xffb1, 0xff9c},
	{"kp_2", 0x50, 0xffb2, 0xff99},
	{"kp_3", 0x51, 0xffb3, 0xff9b},
	{"kp_4", 0x4b, 0xffb4, 0xff96},
	{"kp_5", 0x4c, 0xffb5, 0xff9d},
	{"kp_6", 0x4d, 0xffb6, 0xff98},
	{"kp_7", 0x47, 0xffb7, 0xff95},
	{"kp_8", 0x48, 0xffb8, 0xff97},
	{"kp_9", 0x49, 0xffb9, 0xff9a},
	{"less", 0x56, 0, 0},
	{"spc", 0x39, 0, 0},
	{"minus", 0x0c, 0, 0},
	{"equal", 0x0d, 0, 0},
	{"bracket_left", 0x1a, 0, 0},
	{"bracket_right", 0x1b, 0, 0},
	{"semicolon", 0x27, 0, 0},
	{"apostrophe", 0x28, 0, 0},
	{"grave_accent", 0x29, 0, 0},
	{"backslash", 0x2b, 0, 0},
	{"comma", 0x33, 0, 0},
	{"dot", 0x34, 0, 0},
	{"slash", 0x35, 0, 0},
	{"asterisk", 0x37, 0, 0},
};

/* --- layouts -------------------------------------------------------------------------------- */

static void name_layouts(char *buf, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(layouts) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? ", " : "", layouts[i].name);
}

const struct layout *layout_find(const char *name, struct err *e)
{
	char all[64];

	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++)
		if (!strcmp(layouts[i].name, name))
			return &layouts[i];
	name_layouts(all, sizeof(all));
	err_set(e, EINVAL, "-k %.60s: there is no such keyboard layout: allowed are %s", name, all);
	return NULL;
}

void layout_list(FILE *out)
{
	char all[64];

	name_layouts(all, sizeof(all));
	fprintf(out, "Keyboard layouts (-k): %s\n", all);
}

enum { PLAIN = 1, SHIFT = 2, ALTGR = 4 };

/* The key of a character and the levels at which it has it. */
static unsigned find_char(const struct layout *l, unsigned char ch, unsigned *levels)
{
	for (const struct row *r = l->rows; r->plain; r++) {
		for (unsigned i = 0; r->plain[i]; i++) {
			*levels = ((unsigned char)r->plain[i] == ch ? PLAIN : 0) |
				  ((unsigned char)r->shift[i] == ch ? SHIFT : 0) |
				  (r->altgr && (unsigned char)r->altgr[i] == ch ? ALTGR : 0);
			if (*levels)
				return r->first + i;
		}
	}
	return KEY_NONE;
}

static unsigned find_symbol(uint32_t sym)
{
	for (unsigned i = 0; i < ARRAY_SIZE(named); i++)
		if (sym && (named[i].sym == sym || named[i].sym2 == sym))
			return named[i].key;
	return KEY_NONE;
}

/* --- keys ----------------------------------------------------------------------------------- */

static bool is_down(const struct keyboard *k, unsigned key)
{
	return key < 256 && k->down[key / 8] >> key % 8 & 1;
}

static void send(struct keyboard *k, unsigned key, bool down)
{
	if (key < 256 && down)
		k->down[key / 8] |= (uint8_t)(1u << key % 8);
	else if (key < 256)
		k->down[key / 8] &= (uint8_t) ~(1u << key % 8);
	k->key(k->opaque, key, down);
}

static void tap(struct keyboard *k, unsigned key)
{
	k->key(k->opaque, key, true);
	k->key(k->opaque, key, false);
}

/* Presses a key with the shift that its character wants. */
static void send_shifted(struct keyboard *k, unsigned key, bool shift)
{
	static const unsigned shifts[] = {KEY_SHIFT, KEY_SHIFT_R};
	bool held[2] = {is_down(k, KEY_SHIFT), is_down(k, KEY_SHIFT_R)};
	bool fits = shift == (held[0] || held[1]);

	for (unsigned i = 0; !fits && !shift && i < 2; i++)
		if (held[i])
			k->key(k->opaque, shifts[i], false);
	if (!fits && shift)
		k->key(k->opaque, KEY_SHIFT, true);
	send(k, key, true);
	if (!fits && shift)
		k->key(k->opaque, KEY_SHIFT, false);
	for (unsigned i = 0; !fits && !shift && i < 2; i++)
		if (held[i])
			k->key(k->opaque, shifts[i], true);
}

static bool is_letter(unsigned char ch)
{
	return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z');
}

static void press_char(struct keyboard *k, unsigned char ch, unsigned key, unsigned levels)
{
	bool shift = !(levels & PLAIN);

	/* Caps lock turns letters round. */
	if (is_letter(ch) && k->leds(k->opaque) & LED_CAPS)
		shift = !shift;
	/* A character that looks the same either way: as the typist has it. */
	if ((levels & (PLAIN | SHIFT)) == (PLAIN | SHIFT)) {
		send(k, key, true);
	} else if (levels & (PLAIN | SHIFT)) {
		send_shifted(k, key, shift);
	} else if (is_down(k, KEY_ALTGR)) {
		send(k, key, true);
	} else {
		k->key(k->opaque, KEY_ALTGR, true);
		send(k, key, true);
		k->key(k->opaque, KEY_ALTGR, false);
	}
}

/* The keypad is digits or arrows by the guest's num lock; the symbol says which was meant. */
static void fit_num_lock(struct keyboard *k, uint32_t sym)
{
	bool digit = sym >= 0xffae && sym <= 0xffb9 && sym != 0xffaf;
	bool arrow = sym >= 0xff95 && sym <= 0xff9f;

	if ((digit || arrow) && digit != !!(k->leds(k->opaque) & LED_NUM))
		tap(k, KEY_NUMLOCK);
}

void keyboard_symbol(struct keyboard *k, uint32_t sym, bool down)
{
	unsigned levels = 0, key;

	/* Latin-1, and the same as Unicode. */
	if (sym >= 0x01000020 && sym <= 0x010000ff)
		sym &= 0xff;
	key = sym >= 0x20 && sym <= 0xff ? find_char(k->layout, (unsigned char)sym, &levels)
					 : find_symbol(sym);
	if (key == KEY_NONE)
		return;
	if (!down) {
		/* Held by the guest's account, or it is not told. */
		if (is_down(k, key) || key > 0xff)
			send(k, key, false);
		return;
	}
	if (levels) {
		press_char(k, (unsigned char)sym, key, levels);
		return;
	}
	fit_num_lock(k, sym);
	send(k, key, true);
}

void keyboard_release(struct keyboard *k)
{
	for (unsigned key = 0; key < 256; key++)
		if (is_down(k, key))
			send(k, key, false);
}

/* --- names ---------------------------------------------------------------------------------- */

static unsigned find_name(const char *name, size_t len)
{
	const struct layout *us = &layouts[0];
	char text[16];
	unsigned levels;

	if (!len || len >= sizeof(text))
		return KEY_NONE;
	memcpy(text, name, len);
	text[len] = 0;
	if (len == 1 && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= '0' && text[0] <= '9')))
		return find_char(us, (unsigned char)text[0], &levels);
	for (unsigned i = 0; i < ARRAY_SIZE(named); i++)
		if (!strcmp(named[i].name, text))
			return named[i].key;
	if (text[0] == '0' && text[1] == 'x') {
		char *end;
		unsigned long v = strtoul(text, &end, 16);

		return !*end && v && v <= 0xff ? (unsigned)v : KEY_NONE;
	}
	return KEY_NONE;
}

int keyboard_parse(const char *text, unsigned *keys, unsigned room, struct err *e)
{
	unsigned n = 0;

	for (const char *p = text;; p++) {
		size_t len = strcspn(p, "-");
		unsigned key = find_name(p, len);

		if (key == KEY_NONE)
			return err_set(e, EINVAL,
				       "%.*s is not a key: give names joined by '-', e.g. "
				       "ctrl-alt-f1, a, spc, ret, or codes like 0x1d",
				       (int)MIN(len, 40), p);
		if (n == room)
			return err_set(e, EINVAL, "%.60s: at most %u keys at once", text, room);
		keys[n++] = key;
		p += len;
		if (!*p)
			return (int)n;
	}
}
