/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tab: which words could stand where the cursor is. Names of commands come from the table; what
 * follows a name is offered by the command's own row.
 */
#include <string.h>

#include "base/util.h"
#include "control/cmdline.h"
#include "control/hmp_priv.h"

#define WORDS_MAX 16

/* Of those that begin with "info ", what follows; else the names without a blank. */
static void offer_names(struct mon_offer *o, bool info)
{
	const struct mon_cmd *c;

	for (unsigned i = 0; (c = mon_at(i)); i++) {
		if (!c->name || !strncmp(c->name, "info ", 5) != info)
			continue;
		o->word(o, c->name + (info ? 5 : 0));
	}
}

size_t hmp_offer(const char *line, struct mon_offer *o)
{
	char words[WORDS_MAX][64], name[72];
	size_t begin = 0;
	unsigned n = 0, first;
	const struct mon_cmd *c;

	/* n whole words, then the one that is typed, maybe empty. */
	for (const char *p = line;; n++) {
		size_t len;

		p += strspn(p, " \t");
		len = strcspn(p, " \t");
		begin = (size_t)(p - line);
		if (!p[len] || n == WORDS_MAX)
			break;
		snprintf(words[n], sizeof(words[n]), "%.*s", (int)MIN(len, sizeof(words[n])), p);
		p += len;
	}
	o->typed = line + begin;
	o->before = n ? words[n - 1] : "";
	if (n == WORDS_MAX)
		return begin;
	if (!n) {
		offer_names(o, false);
		return begin;
	}
	first = !strcmp(words[0], "info") || (!strcmp(words[0], "help") && n > 1);
	if (n == 1 && first) {
		offer_names(o, true);
		return begin;
	}
	if (!strcmp(words[0], "help") && n == 2 && !strcmp(words[1], "info")) {
		offer_names(o, true);
		return begin;
	}
	snprintf(name, sizeof(name), "%s", words[0]);
	if (!strcmp(words[0], "info"))
		snprintf(name, sizeof(name), "info %s", words[1]);
	c = mon_find(name);
	if (c && c->complete)
		c->complete(o, n - (!strcmp(words[0], "info") ? 1 : 0));
	return begin;
}

/* --- for the commands ---------------------------------------------------------------------------
 */

static void offer(struct mon_offer *o, bool cards)
{
	const struct config *c = o->vm->conf;

	for (unsigned i = 0; i < c->nnet; i++) {
		if ((c->net[i].kind == CONF_NIC) == cards)
			o->word(o, c->net[i].id);
	}
}

void mon_offer_cards(struct mon_offer *o)
{
	offer(o, true);
}

void mon_offer_netdevs(struct mon_offer *o)
{
	offer(o, false);
}

/* What is typed so far: "kind,a=b,na"; last: where "na" begins. */
struct options {
	struct mon_offer *o;
	const char *option, *last;
	size_t kind; /* bytes of "kind" */
};

static void offer_last(struct options *p, const char *name, const char *tail)
{
	char text[512];

	snprintf(text, sizeof(text), "%.*s%s%s", (int)(p->last - p->o->typed), p->o->typed, name,
		 tail);
	p->o->word(p->o, text);
}

static void offer_table(const char *option, const struct opt_table *t, void *arg)
{
	struct options *p = arg;

	if (strcmp(option, p->option) != 0)
		return;
	if (!p->kind)
		p->o->word(p->o, t->name);
	else if (strlen(t->name) == p->kind && !strncmp(t->name, p->o->typed, p->kind))
		for (const struct opt *o = t->opts; o->name; o++)
			if (!o->missing)
				offer_last(p, o->name, "=");
}

void mon_offer_options(struct mon_offer *o, const char *option)
{
	const char *comma = strrchr(o->typed, ',');
	struct options p = {.o = o, .option = option, .last = comma ? comma + 1 : o->typed};

	if (comma)
		p.kind = strcspn(o->typed, ",");
	if (!strncmp(p.last, "netdev=", 7)) {
		const struct config *c = o->vm->conf;

		p.last += 7;
		for (unsigned i = 0; i < c->nnet; i++) {
			if (c->net[i].kind != CONF_NIC)
				offer_last(&p, c->net[i].id, "");
		}
		return;
	}
	cmd_net_for_each(offer_table, &p);
}
