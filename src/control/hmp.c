/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The human monitor's commands as such: a line is taken apart into words, looked up, and run to its
 * end on the control loop. What it prints goes into the character device's ring, so that a slow
 * client holds nothing up, or into memory for a program that asked (human-monitor-command).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/hmp_priv.h"

#define ARGS_MAX  16
#define NAMES_MAX 127

struct vm *hmp_vm(struct hmp *h)
{
	return h->vm;
}

void hmp_put(struct hmp *h, const char *text, size_t len)
{
	if (h->out)
		fwrite(text, 1, len, h->out);
	else
		chardev_write(h->c, h->user, text, len);
}

void hmp_print(struct hmp *h, const char *fmt, ...)
{
	char buf[2048], *p = buf;
	va_list ap;

	va_start(ap, fmt);
	/* The analyzer loses ap. */
	vsnprintf(buf, sizeof(buf), fmt, ap); /* NOLINT(clang-analyzer-valist.Uninitialized) */
	va_end(ap);
	while (*p) {
		size_t n = strcspn(p, "\n");

		hmp_put(h, p, n);
		p += n;
		if (*p) {
			hmp_put(h, "\r\n", 2);
			p++;
		}
	}
}

void hmp_error(struct hmp *h, int rc, const struct err *e)
{
	if (rc)
		hmp_print(h, "%s\n", e->text);
}

/* --- help ----------------------------------------------------------------------------------- */

static bool is_info(const struct mon_cmd *c)
{
	return !strncmp(c->name, "info ", 5);
}

static void list(struct hmp *h, bool info)
{
	const struct mon_cmd *c;
	char usage[100];

	for (unsigned i = 0; (c = mon_at(i)); i++) {
		if (!c->name || is_info(c) != info)
			continue;
		snprintf(usage, sizeof(usage), "%s %s", c->name, c->args);
		hmp_print(h, "%-24s %s\n", usage, c->help);
	}
}

static void cmd_help(struct hmp *h, int argc, char **argv)
{
	const struct mon_cmd *c = NULL;
	char name[64];

	if (argc > 1) {
		snprintf(name, sizeof(name), "%s%s%s", argv[1], argc > 2 ? " " : "",
			 argc > 2 ? argv[2] : "");
		c = mon_find(name);
		if (!c)
			hmp_print(h, "help: there is no command %s\n", name);
		else if (strcmp(c->name, "info") != 0)
			hmp_print(h, "%s %s -- %s\n", c->name, c->args, c->help);
	} else {
		list(h, false);
	}
	if (argc == 1 || (c && !strcmp(c->name, "info")))
		list(h, true);
}

static void cmd_info(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	list(h, true);
}

static void offer_help(struct mon_offer *o, unsigned word)
{
	const struct mon_cmd *c;

	for (unsigned i = 0; word == 1 && (c = mon_at(i)); i++) {
		if (c->name && !is_info(c))
			o->word(o, c->name);
	}
}

const struct mon_cmd hmp_cmds[] = {
	{"help", "[command]", "what the commands are", 0, cmd_help, .complete = offer_help},
	{"info", "what", "show something; info alone lists what there is", 0, cmd_info},
	{NULL},
};

/* --- execution ------------------------------------------------------------------------------ */

/* name is none; it is looked for among those of its kind. */
static void suggest(struct hmp *h, const char *name, bool info)
{
	const char *names[NAMES_MAX + 1], *near, *prefix = info ? "info " : "";
	const struct mon_cmd *c;
	unsigned n = 0;

	for (unsigned i = 0; (c = mon_at(i)) && n < NAMES_MAX; i++) {
		if (c->name && is_info(c) == info)
			names[n++] = c->name + strlen(prefix);
	}
	names[n] = NULL;
	near = opt_suggest(name, names);
	if (near)
		hmp_print(h, "unknown command: %s%s; did you mean %s%s?\n", prefix, name, prefix,
			  near);
	else
		hmp_print(h, "unknown command: %s%s; help lists them\n", prefix, name);
}

/* Takes line apart: words, or text in double quotes in which \ takes the next byte as it is. */
static int split(char *line, char **argv)
{
	int argc = 0;

	while (argc < ARGS_MAX) {
		char *to;
		bool quoted = false;

		line += strspn(line, " \t");
		if (!*line)
			break;
		argv[argc++] = to = line;
		for (; *line && (quoted || !strchr(" \t", *line)); line++) {
			if (*line == '"') {
				quoted = !quoted;
				continue;
			}
			if (quoted && *line == '\\' && line[1])
				line++;
			*to++ = *line;
		}
		line += *line != 0;
		*to = 0;
	}
	argv[argc] = NULL;
	return argc;
}

void hmp_execute(struct hmp *h, char *line)
{
	char *argv[ARGS_MAX + 1], **v = argv, name[64];
	int argc = split(line, argv);
	const struct mon_cmd *c;
	bool info;

	if (!argc)
		return;
	info = argc > 1 && !strcmp(argv[0], "info");
	snprintf(name, sizeof(name), "%s%s", info ? "info " : "", argv[info]);
	v += info;
	argc -= info;
	c = mon_find(name);
	if (!c)
		suggest(h, v[0], info);
	else if ((unsigned)argc - 1 < c->nargs)
		hmp_print(h, "usage: %s %s\n", c->name, c->args);
	else
		c->run(h, argc, v);
}

char *hmp_run(struct vm *vm, const char *line)
{
	struct hmp h = {.vm = vm};
	char *text = NULL, *copy = strdup(line);
	size_t len;

	h.out = open_memstream(&text, &len);
	if (copy && h.out)
		hmp_execute(&h, copy);
	if (!h.out || fclose(h.out) || !copy) {
		free(text);
		text = NULL;
	}
	free(copy);
	return text;
}
