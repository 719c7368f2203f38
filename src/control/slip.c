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

#include "base/util.h"
#include "control/cmdline.h"

#define TEXT_MAX  256
#define NAME_MAX_ 32

/* Length of the word at p: up to a single comma. */
static size_t word_len(const char *p)
{
	const char *s = p;

	while (*p && (*p != ',' || p[1] == ','))
		p += *p == ',' ? 2 : 1;
	return (size_t)(p - s);
}

/* The name before the '=' of a word; false: there is none, or it is too long to be one. */
static bool name_of(const char *word, size_t len, char name[NAME_MAX_])
{
	const char *eq = memchr(word, '=', len);
	size_t n = eq ? (size_t)(eq - word) : 0;

	if (!n || n >= NAME_MAX_)
		return false;
	memcpy(name, word, n);
	name[n] = '\0';
	return true;
}

/* The option of t that a word means, whose name may be misspelt. NULL: none. */
static const char *meant(const struct opt_table *t, const char *word, size_t len)
{
	const char *names[128];
	char name[NAME_MAX_];
	unsigned n = 0;

	if (!name_of(word, len, name))
		return NULL;
	for (const struct opt *o = t ? t->opts : NULL; o && o->name; o++) {
		if (!strcmp(o->name, name))
			return o->name;
		if (n + 1 < ARRAY_SIZE(names))
			names[n++] = o->name;
	}
	names[n] = NULL;
	return opt_suggest(name, names);
}

static bool has_key(const struct opt_table *t, const char *word, size_t len)
{
	const char *name = meant(t, word, len);

	return name && !strncmp(word, name, strlen(name)) && word[strlen(name)] == '=';
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

/* What is right of an option that is wrong. */
struct good {
	const struct opt_table *t; /* its sub-options; NULL: not known */
	unsigned slips;		   /* seen on the way */
	char wrong[NAME_MAX_];	   /* the first name that was misspelt */
	const char *bare;	   /* the first one without a value */
	char text[TEXT_MAX];	   /* ",a=b,c=d" */
};

/* The option of t that a word is the name of, and that cannot do without a value. */
static const struct opt *bare(const struct opt_table *t, const char *word, size_t len)
{
	for (const struct opt *o = t ? t->opts : NULL; o && o->name; o++)
		if (o->type != OPT_BOOL && strlen(o->name) == len && !strncmp(o->name, word, len))
			return o;
	return NULL;
}

static void good_word(struct good *g, const char *word, size_t len)
{
	const char *name = meant(g->t, word, len);
	const struct opt *o = bare(g->t, word, len);
	size_t have = strlen(g->text), skip = name ? strcspn(word, "=") : 0;
	char values[64];

	if (o) {
		g->bare = g->bare ? g->bare : o->name;
		g->slips |= SLIP_VALUE;
		snprintf(g->text + have, TEXT_MAX - have, ",%s=%s", o->name,
			 opt_arg_text(o, "|", values, sizeof(values)));
		return;
	}
	if (name && (skip != strlen(name) || strncmp(word, name, skip) != 0)) {
		if (!g->wrong[0])
			name_of(word, len, g->wrong);
		g->slips |= SLIP_NAME;
	}
	snprintf(g->text + have, TEXT_MAX - have, ",%s%.*s", name ? name : "", (int)(len - skip),
		 word + skip);
}

/* Appends the good words of text; blanks: they part words as commas do. */
static void good_words(struct good *g, const char *text, bool blanks)
{
	for (const char *p = text; *p;) {
		size_t len = word_len(p), keep;

		len = blanks ? MIN(len, strcspn(p, " ")) : len;
		keep = len;
		while (keep && p[keep - 1] == ' ')
			keep--;
		if (is_slot0(p, len))
			g->slips |= SLIP_SLOT0;
		else if (keep)
			good_word(g, p, keep);
		p += len;
		p += *p != '\0';
	}
}

/* Finds the table of "option kind" and takes the words in with it. */
struct job {
	const char *option, *kind, *text, *tail;
	bool done;
	struct good good;
};

static void take_words(const char *option, const struct opt_table *t, void *arg)
{
	struct job *j = arg;

	if (j->done || (t && (strcmp(option, j->option) != 0 || strcmp(t->name, j->kind) != 0)))
		return;
	j->done = true;
	j->good.t = t;
	good_words(&j->good, j->text, false);
	if (j->tail)
		good_words(&j->good, j->tail, true);
	j->good.t = NULL;
}

static void say_why(char *why, size_t size, const struct good *g, const char *kind)
{
	static const char slot0[] = "PCI slot 0 is the host bridge's (addr= may be 0x2 to 0x1f)";
	const char *sep = "";

	if (g->slips & SLIP_BLANK) {
		snprintf(why, size, "a blank splits it in two");
		sep = ", ";
	}
	if (g->slips & SLIP_KIND) {
		snprintf(why + strlen(why), size - strlen(why), "%sits kind (%s) is missing", sep,
			 kind);
		sep = ", ";
	}
	if (g->slips & SLIP_NAME) {
		snprintf(why + strlen(why), size - strlen(why), "%s%s= is not an option", sep,
			 g->wrong);
		sep = ", ";
	}
	if (g->slips & SLIP_VALUE) {
		snprintf(why + strlen(why), size - strlen(why), "%s%s needs a value", sep, g->bare);
		sep = ", ";
	}
	if (g->slips & SLIP_SLOT0)
		snprintf(why + strlen(why), size - strlen(why), "%s%s", sep, slot0);
}

int slip(const char *option, const char *kind, const char *text, const char *tail, unsigned slips,
	 struct err *e)
{
	const char *typed_kind = slips & SLIP_KIND ? NULL : kind;
	struct job j = {.option = option, .text = text, .tail = tail, .good.slips = slips};
	char typed[TEXT_MAX], why[200] = "";
	int n;

	j.kind = kind = kind ? kind : guess_kind(text);
	cmd_net_for_each(take_words, &j);
	take_words(option, NULL, &j);
	n = snprintf(typed, sizeof(typed), "%s%s%s%s%s", typed_kind ? typed_kind : "",
		     typed_kind && *text && *text != ',' ? "," : "", text, tail ? " " : "",
		     tail ? tail : "");
	for (int i = 0; i < n && typed[i]; i++) {
		if ((unsigned char)typed[i] < ' ')
			typed[i] = '?';
	}
	say_why(why, sizeof(why), &j.good, kind);
	return err_set(e, EINVAL, "%s %.140s: %s; write: %s %s%.180s", option, typed, why, option,
		       kind, j.good.text);
}

int slip_name(const struct opt_table *t, const char *what, const char *text, struct err *e)
{
	struct good g = {.t = t};
	char why[200] = "";

	good_words(&g, text, false);
	g.slips &= SLIP_NAME | SLIP_VALUE;
	if (!g.slips)
		return -e->code;
	say_why(why, sizeof(why), &g, "");
	return err_set(e, EINVAL, "%s,%.140s: %s; write: %s%.180s", what, text, why, what, g.text);
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
	    meant(t, m->stray, word_len(m->stray)))
		m->found = true;
}

int cmd_net_split(const char *name, const char *arg, char *const *words, int n, struct err *e)
{
	char kind[64], stray[TEXT_MAX] = "";
	size_t len = strcspn(arg, ",");
	bool no_kind = memchr(arg, '=', len) != NULL;
	struct match m = {.option = name, .kind = kind, .stray = stray};

	for (int i = 0; i < n; i++)
		snprintf(stray + strlen(stray), sizeof(stray) - strlen(stray), "%s%s", i ? " " : "",
			 words[i]);
	snprintf(kind, sizeof(kind), "%.*s", no_kind ? 0 : (int)len, arg);
	cmd_net_for_each(match_one, &m);
	if (*stray != ',' && !m.found && (!*arg || arg[strlen(arg) - 1] != ','))
		return 0;
	if (no_kind)
		return slip(name, NULL, arg, stray, SLIP_BLANK | SLIP_KIND, e);
	return slip(name, kind, arg + len, stray, SLIP_BLANK, e);
}
