/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a person types: line editing, history, completion by Tab. There is a monitor per character
 * device and each has a line of its own, which no library for one terminal per process offers.
 *
 * Nothing is known of the terminal but that backspace moves left: the line is kept on one row, a
 * change in its middle prints the rest again and goes back. Telnet's and terminals' "\r\n" count as
 * one end of line. Bytes of a UTF-8 character move and go together.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/hmp_priv.h"
#include "control/version.h"

#define CTRL(ch)    ((ch)&0x1f)
#define ESC	    27
#define OFFERS_MAX  256
#define OFFER_WIDTH 24
#define ROW	    80

static void prompt(struct hmp *h)
{
	hmp_put(h, "(vmwire) ", 9);
	hmp_put(h, h->line, h->len);
	h->cursor = h->len;
}

/* --- the line ------------------------------------------------------------------------------- */

static bool is_inner(char ch)
{
	return ((unsigned char)ch & 0xc0) == 0x80; /* not the first byte of a character */
}

static unsigned columns(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += !is_inner(text[i]);
	return n;
}

static void back(struct hmp *h, unsigned n)
{
	while (n--)
		hmp_put(h, "\b", 1);
}

static size_t left_of(const struct hmp *h, size_t at)
{
	while (at && is_inner(h->line[--at]))
		;
	return at;
}

static size_t right_of(const struct hmp *h, size_t at)
{
	at += at < h->len;
	while (at < h->len && is_inner(h->line[at]))
		at++;
	return at;
}

static void move(struct hmp *h, size_t to)
{
	if (to < h->cursor)
		back(h, columns(h->line + to, h->cursor - to));
	else
		hmp_put(h, h->line + h->cursor, to - h->cursor);
	h->cursor = to;
}

/* Takes out what is between `from` and `to`; the cursor is at `from` then. */
static void erase(struct hmp *h, size_t from, size_t to)
{
	unsigned gone = columns(h->line + from, to - from);

	move(h, from);
	memmove(h->line + from, h->line + to, h->len - to);
	h->len -= to - from;
	hmp_put(h, h->line + from, h->len - from);
	for (unsigned i = 0; i < gone; i++)
		hmp_put(h, " ", 1);
	back(h, gone + columns(h->line + from, h->len - from));
}

static void insert(struct hmp *h, const char *text, size_t len)
{
	len = MIN(len, HMP_LINE - 1 - h->len);
	memmove(h->line + h->cursor + len, h->line + h->cursor, h->len - h->cursor);
	memcpy(h->line + h->cursor, text, len);
	h->len += len;
	hmp_put(h, h->line + h->cursor, h->len - h->cursor);
	h->cursor += len;
	back(h, columns(h->line + h->cursor, h->len - h->cursor));
}

static void erase_word(struct hmp *h)
{
	size_t from = h->cursor;

	while (from && h->line[from - 1] == ' ')
		from--;
	while (from && h->line[from - 1] != ' ')
		from--;
	erase(h, from, h->cursor);
}

/* --- history -------------------------------------------------------------------------------- */

static void remember(struct hmp *h)
{
	char *copy;

	if (h->nhistory && !strcmp(h->history[h->nhistory - 1], h->line))
		return;
	copy = strdup(h->line);
	if (!copy)
		return;
	if (h->nhistory == HMP_HISTORY) {
		free(h->history[0]);
		memmove(h->history, h->history + 1, (HMP_HISTORY - 1) * sizeof(char *));
		h->nhistory--;
	}
	h->history[h->nhistory++] = copy;
}

/* Shows history entry h->at + step. */
static void recall(struct hmp *h, int step)
{
	unsigned to = h->at + (unsigned)step;

	if (to > h->nhistory) /* also below the first: wrapped */
		return;
	h->at = to;
	erase(h, 0, h->len);
	if (to < h->nhistory)
		insert(h, h->history[to], strlen(h->history[to]));
}

/* --- Tab ------------------------------------------------------------------------------------ */

struct offers {
	struct mon_offer o;
	char *word[OFFERS_MAX];
	unsigned n;
};

static void take_offer(struct mon_offer *o, const char *text)
{
	struct offers *p = container_of(o, struct offers, o);

	if (p->n == OFFERS_MAX || strncmp(text, o->typed, strlen(o->typed)) != 0)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		if (!strcmp(p->word[i], text))
			return;
	}
	p->word[p->n] = strdup(text);
	p->n += p->word[p->n] != NULL;
}

static size_t common(const struct offers *p)
{
	size_t len = strlen(p->word[0]);

	for (unsigned i = 1; i < p->n; i++) {
		size_t same = 0;

		while (same < len && p->word[i][same] == p->word[0][same])
			same++;
		len = same;
	}
	return len;
}

static void show_offers(struct hmp *h, const struct offers *p)
{
	unsigned width = OFFER_WIDTH, in_row;

	for (unsigned i = 0; i < p->n; i++)
		width = MAX(width, (unsigned)strlen(p->word[i]) + 2);
	in_row = MAX(ROW / width, 1u);
	for (unsigned i = 0; i < p->n; i++) {
		bool last = i + 1 == p->n || (i + 1) % in_row == 0;

		hmp_print(h, last ? "%-*s\n" : "%-*s", last ? 0 : (int)width, p->word[i]);
	}
}

static void complete(struct hmp *h)
{
	struct offers p = {.o = {.word = take_offer, .vm = h->vm}};
	char line[HMP_LINE];
	size_t typed, all;

	snprintf(line, sizeof(line), "%.*s", (int)h->cursor, h->line);
	typed = h->cursor - hmp_offer(line, &p.o);
	if (!p.n)
		return;
	all = common(&p);
	insert(h, p.word[0] + typed, all - typed);
	/* One that goes on behind its '=' is not done yet. */
	if (p.n == 1 && p.word[0][all - 1] != '=' && h->cursor == h->len) {
		insert(h, " ", 1);
	} else if (p.n > 1 && all == typed) {
		size_t cursor = h->cursor;

		hmp_put(h, "\r\n", 2);
		show_offers(h, &p);
		prompt(h);
		move(h, cursor);
	}
	for (unsigned i = 0; i < p.n; i++)
		free(p.word[i]);
}

/* --- keys ----------------------------------------------------------------------------------- */

static void enter(struct hmp *h)
{
	h->line[h->len] = 0;
	move(h, h->len);
	hmp_put(h, "\r\n", 2);
	if (h->len)
		remember(h);
	h->len = h->cursor = 0;
	h->at = h->nhistory;
	hmp_execute(h, h->line);
	if (!h->vm->ending)
		prompt(h);
}

/* What ends with this byte behind ESC [ (and maybe a number). */
static void escaped_key(struct hmp *h, unsigned char ch)
{
	unsigned n = h->param;

	if (ch == 'A')
		recall(h, -1);
	else if (ch == 'B')
		recall(h, 1);
	else if (ch == 'C')
		move(h, right_of(h, h->cursor));
	else if (ch == 'D')
		move(h, left_of(h, h->cursor));
	else if (ch == 'H' || (ch == '~' && (n == 1 || n == 7)))
		move(h, 0);
	else if (ch == 'F' || (ch == '~' && (n == 4 || n == 8)))
		move(h, h->len);
	else if (ch == '~' && n == 3)
		erase(h, h->cursor, right_of(h, h->cursor));
}

/* True when ch belonged to an escape sequence. */
static bool escape(struct hmp *h, unsigned char ch)
{
	if (ch == ESC) {
		h->esc = 1;
		return true;
	}
	if (h->esc == 1) {
		h->esc = ch == '[' || ch == 'O' ? 2 : 0;
		h->param = 0;
		return true;
	}
	if (h->esc == 2) {
		if (isdigit(ch))
			h->param = (h->param * 10 + ch - '0') % 1000;
		/* Parameters go on; a letter or ~ ends the sequence. */
		if (ch >= 0x40) {
			h->esc = 0;
			escaped_key(h, ch);
		}
		return true;
	}
	return false;
}

static void control_key(struct hmp *h, unsigned char ch)
{
	switch (ch) {
	case CTRL('A'):
		move(h, 0);
		break;
	case CTRL('B'):
		move(h, left_of(h, h->cursor));
		break;
	case CTRL('D'):
		erase(h, h->cursor, right_of(h, h->cursor));
		break;
	case CTRL('E'):
		move(h, h->len);
		break;
	case CTRL('F'):
		move(h, right_of(h, h->cursor));
		break;
	case CTRL('K'):
		erase(h, h->cursor, h->len);
		break;
	case CTRL('L'):
		hmp_put(h, "\033[2J\033[H", 7);
		prompt(h);
		break;
	case CTRL('N'):
		recall(h, 1);
		break;
	case CTRL('P'):
		recall(h, -1);
		break;
	case CTRL('U'):
		erase(h, 0, h->cursor);
		break;
	case CTRL('W'):
		erase_word(h);
		break;
	default:
		break;
	}
}

static void key(struct hmp *h, unsigned char ch)
{
	const char text = (char)ch;

	if (escape(h, ch))
		return;
	switch (ch) {
	case '\n':
		if (h->last != '\r')
			enter(h);
		break;
	case '\r':
		enter(h);
		break;
	case '\b':
	case 0x7f:
		erase(h, left_of(h, h->cursor), h->cursor);
		break;
	case '\t':
		complete(h);
		break;
	default:
		if (isprint(ch) || ch >= 0x80)
			insert(h, &text, 1);
		else
			control_key(h, ch);
		break;
	}
}

static size_t on_input(void *opaque, const unsigned char *buf, size_t len)
{
	struct hmp *h = opaque;

	/* What is typed behind quit is not executed. */
	for (size_t i = 0; i < len && !h->vm->ending; i++) {
		key(h, buf[i]);
		h->last = buf[i];
	}
	return len;
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_opened(void *opaque)
{
	struct hmp *h = opaque;

	h->len = h->cursor = 0;
	h->esc = 0;
	h->last = 0;
	hmp_print(h, "vmwire %s monitor - type 'help' for more information\n", VMWIRE_VERSION);
	prompt(h);
}

static void on_closed(void *opaque)
{
	struct hmp *h = opaque;

	h->len = h->cursor = 0;
	/* On a mux the serial port goes on in a line of its own. */
	if (h->user == 1)
		hmp_put(h, "\r\n", 2);
}

struct hmp *hmp_new(struct vm *vm, struct chardev *c, unsigned user, struct err *e)
{
	struct hmp *h = calloc(1, sizeof(*h));
	struct chardev_user u = {
		.input = on_input, .opened = on_opened, .closed = on_closed, .opaque = h};

	if (!h) {
		err_set(e, ENOMEM, "monitor: out of memory");
		return NULL;
	}
	h->vm = vm;
	h->c = c;
	h->user = user;
	chardev_attach(c, user, &u);
	return h;
}

static size_t ignore(void *opaque, const unsigned char *buf, size_t len)
{
	(void)opaque;
	(void)buf;
	return len;
}

void hmp_free(struct hmp *h)
{
	static const struct chardev_user nobody = {.input = ignore};

	if (!h)
		return;
	chardev_attach(h->c, h->user, &nobody);
	for (unsigned i = 0; i < h->nhistory; i++)
		free(h->history[i]);
	free(h);
}
