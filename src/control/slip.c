/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slips of the pen: see slip.h. The words of the option are taken as they were typed (a doubled
 * comma stays doubled) and put together again without what is wrong.
 */
#include "control/slip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cmdline.h"

#define TEXT_MAX 256

/* Length of the word at p: up to a single comma. */
static size_t word_len(const char *p)
{
	const char *s = p;

	while (*p && (*p != ',' || p[1] == ','))
		p += *p == ',' ? 2 : 1;
	return (size_t)(p - s);
}

static bool has_key(const struct opt_table *t, const char *word, size_t len)
{
	for (const struct opt *o = t ? t->opts : NULL; o && o->name; o++) {
		size_t n = strlen(o->name);

		if (n < len && word[n] == '=' && !strncmp(word, o->name, n))
			return true;
	}
	return false;
}

/* What the sub-options of text belong to; a card unless one of them is a backend's alone. */
static const char *guess_kind(const char *text)
{
	for (const char *p = text; *p;) {
		size_t len = word_len(p);

		for (const struct net_backend *const *b = net_backends(); *b; b++) {
			if (!has_key(&net_nic_table, p, len) && has_key((*b)->opts, p, len))
				return (*b)->name;
		}
		p += len;
		p += *p == ',';
	}
	return "nic";
}

static bool is_slot0(const char *word, size_t len)
{
	char *end;

	if (len < 6 || strncmp(word, "addr=", 5) != 0)
		return false;
	return !strtoul(word + 5, &end, 16) && end != word + 5 && end <= word + len &&
	       (end == word + len || *end == '.' || *end == ' ');
}

/* Appends the good words of text to buf; true if one was left out. */
static bool good_words(char *buf, const char *text)
{
	bool dropped = false;

	for (const char *p = text; *p;) {
		size_t len = word_len(p), keep = len, have = strlen(buf);

		while (keep && p[keep - 1] == ' ')
			keep--;
		if (is_slot0(p, len))
			dropped = true;
		else if (keep)
			snprintf(buf + have, TEXT_MAX - have, ",%.*s", (int)keep, p);
		p += len;
		p += *p == ',';
	}
	return dropped;
}

int slip(const char *option, const char *kind, const char *text, const char *tail, unsigned slips,
	 struct err *e)
{
	char good[TEXT_MAX] = "", typed[TEXT_MAX], why[160] = "";
	const char *typed_kind = slips & SLIP_KIND ? NULL : kind;
	int n;

	if (!kind)
		kind = guess_kind(text);
	if (good_words(good, text))
		slips |= SLIP_SLOT0;
	if (tail && good_words(good, tail))
		slips |= SLIP_SLOT0;
	n = snprintf(typed, sizeof(typed), "%s%s%s%s%s", typed_kind ? typed_kind : "",
		     typed_kind && *text && *text != ',' ? "," : "", text, tail ? " " : "",
		     tail ? tail : "");
	for (int i = 0; i < n && typed[i]; i++) {
		if ((unsigned char)typed[i] < ' ')
			typed[i] = '?';
	}
	if (slips & SLIP_BLANK)
		snprintf(why, sizeof(why), "a blank splits it in two");
	if (slips & SLIP_KIND)
		snprintf(why + strlen(why), sizeof(why) - strlen(why), "%sits kind (%s) is missing",
			 why[0] ? ", " : "", kind);
	if (slips & SLIP_SLOT0)
		snprintf(why + strlen(why), sizeof(why) - strlen(why),
			 "%sPCI slot 0 is the host bridge's (addr= may be 0x2 to 0x1f)",
			 why[0] ? ", " : "");
	return err_set(e, EINVAL, "%s %.140s: %s; write: %s %s%.180s", option, typed, why, option,
		       kind, good);
}

/* Do the sub-options of stray belong to what arg names? */
struct match {
	const char *option, *kind, *stray;
	bool found;
};

static void match_one(const char *option, const struct opt_table *t, void *arg)
{
	struct match *m = arg;

	if (!strcmp(option, m->option) &&
	    (!*m->kind || !strcmp(option, "-device") || !strcmp(t->name, m->kind)) &&
	    has_key(t, m->stray, word_len(m->stray)))
		m->found = true;
}

int cmd_net_split(const char *name, const char *arg, const char *stray, struct err *e)
{
	char kind[64];
	size_t len = strcspn(arg, ",");
	bool no_kind = memchr(arg, '=', len) != NULL;
	struct match m = {.option = name, .kind = kind, .stray = stray};

	snprintf(kind, sizeof(kind), "%.*s", no_kind ? 0 : (int)len, arg);
	cmd_net_for_each(match_one, &m);
	if (*stray != ',' && !m.found && (!*arg || arg[strlen(arg) - 1] != ','))
		return 0;
	if (no_kind)
		return slip(name, NULL, arg, stray, SLIP_BLANK | SLIP_KIND, e);
	return slip(name, kind, arg + len, stray, SLIP_BLANK, e);
}
