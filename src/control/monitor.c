/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of all monitor commands, put together of its parts: see monitor.h. */
#include "control/monitor.h"

#include <string.h>

#include "base/util.h"

static const struct mon_cmd *const parts[] = {
	hmp_cmds,      mon_vm_cmds,	 mon_dev_cmds,	 hmp_net_cmds,
	hmp_info_cmds, hmp_display_cmds, hmp_block_cmds, qmp_cmds,
};

const struct mon_cmd *mon_at(unsigned i)
{
	for (unsigned p = 0; p < ARRAY_SIZE(parts); p++) {
		for (const struct mon_cmd *c = parts[p]; c->name || c->qmp; c++) {
			if (!i--)
				return c;
		}
	}
	return NULL;
}

const struct mon_cmd *mon_find(const char *name)
{
	static const char *const shorts[][2] = {{"q", "quit"}, {"c", "cont"}, {"?", "help"}};

	for (unsigned i = 0; i < ARRAY_SIZE(shorts); i++) {
		if (!strcmp(name, shorts[i][0]))
			name = shorts[i][1];
	}
	for (unsigned i = 0; mon_at(i); i++) {
		const struct mon_cmd *c = mon_at(i);

		if (c->name && !strcmp(c->name, name))
			return c;
	}
	return NULL;
}

const struct mon_cmd *mon_find_qmp(const char *name)
{
	for (unsigned i = 0; mon_at(i); i++) {
		const struct mon_cmd *c = mon_at(i);

		if (c->qmp && !strcmp(c->qmp, name))
			return c;
	}
	return NULL;
}

/* --- the reference page ----------------------------------------------------------------------- */

static void people(FILE *out, bool info)
{
	const struct mon_cmd *c;

	for (unsigned i = 0; (c = mon_at(i)); i++) {
		if (!c->name || !strncmp(c->name, "info ", 5) != info)
			continue;
		fprintf(out, "| `%s`%s", c->name, *c->args ? " " : "");
		for (const char *p = c->args; *p; p++)
			fprintf(out, *p == '|' ? "\\%c" : "%c", *p);
		fprintf(out, " | %s |\n", c->help);
	}
}

static void programs(FILE *out)
{
	static const char *const types[] = {"string", "boolean", "number", "list", "any"};
	const struct mon_cmd *c;

	for (unsigned i = 0; (c = mon_at(i)); i++) {
		if (!c->qmp)
			continue;
		fprintf(out, "| `%s` |", c->qmp);
		for (const struct mon_arg *a = c->takes; a && a->name; a++)
			fprintf(out, "%s %s%s %s%s", a == c->takes ? "" : ",",
				a->optional ? "[" : "", a->name, types[a->type],
				a->optional ? "]" : "");
		fprintf(out, " | %s |\n", c->help);
	}
}

void mon_markdown(FILE *out)
{
	fprintf(out, "\n# Monitor commands\n\n"
		     "Made from the command tables by `vmwire -help-markdown`; do not edit.\n\n"
		     "| command | meaning |\n|---|---|\n");
	people(out, false);
	people(out, true);
	fprintf(out, "\n# QMP commands\n\n| command | arguments | meaning |\n|---|---|---|\n");
	programs(out);
}
