/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of `vmwire host …` and its parsing: see host.h. */
#include "host/host.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/util.h"

static const struct host_cmd commands[] = {
	{"check", "", "is this host ready for guests with a network, and what mends it",
	 "Looks whether this host is ready for guests with a network: what is missing comes with\n"
	 "the command that mends it. Exit status 0: all that is needed is there (a hint is about\n"
	 "what only some networks need), 1: something needed is missing.",
	 0, host_check_opts, host_check},
	{"bridge add", "BRIDGE --uplink LINK",
	 "a bridge over a network interface, connections live on",
	 "Makes a bridge over a network interface and moves its addresses and routes to it, in "
	 "one\n"
	 "step: connections of the host live on. When the gateway does not answer by the bridge,\n"
	 "or the command is killed, everything is put back.",
	 1, host_bridge_add_opts, host_bridge_add_cmd},
	{"bridge del", "BRIDGE", "takes a bridge away, connections live on",
	 "Moves addresses and routes back to the bridge's uplink and deletes the bridge, with the\n"
	 "same guarantees.",
	 1, host_bridge_del_opts, host_bridge_del_cmd},
	{"list", "", "bridges, their addresses and ports, and the guests on them",
	 "Shows bridges, their addresses and ports, and the guests on them.", 0, host_list_opts,
	 host_list},
};

static void usage(FILE *out)
{
	fputs("vmwire host COMMAND: the host's side of a guest's network\n\n", out);
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  vmwire host %s%s%s\n      %s\n", commands[i].words,
			commands[i].args[0] ? " " : "", commands[i].args, commands[i].summary);
	fputs("\nvmwire host COMMAND --help: its options\n", out);
}

static void help(const struct host_cmd *c, FILE *out)
{
	char left[64];

	fprintf(out, "vmwire host %s%s%s%s\n\n%s\n", c->words, c->args[0] ? " " : "", c->args,
		c->opts[0].name ? " [OPTION...]" : "", c->help);
	if (c->opts[0].name)
		fputc('\n', out);
	for (const struct host_opt *o = c->opts; o->name; o++) {
		snprintf(left, sizeof(left), "%s%s%s", o->name,
			 o->arg && o->arg[0] != '[' ? " " : "", o->arg ? o->arg : "");
		fprintf(out, "  %-26s %s\n", left, o->help);
	}
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "-help") ||
	       !strcmp(word, "help");
}

/* How many words of argv are the command's name; 0: it is another one. */
static int matches(const struct host_cmd *c, int argc, char *const *argv)
{
	char two[64];

	if (argc > 0 && !strcmp(c->words, argv[0]))
		return 1;
	if (argc < 2)
		return 0;
	snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
	return !strcmp(c->words, two) ? 2 : 0;
}

/* "host brige add": a line that says what would be right. */
static int unknown(int argc, char *const *argv, struct err *e)
{
	const char *names[ARRAY_SIZE(commands) + 1] = {0}, *near;
	const char *first[] = {"check", "bridge", "list", NULL};
	char typed[64], two[64];

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i].words;
	snprintf(typed, sizeof(typed), "%s", argv[0]);
	near = opt_suggest(typed, first);
	if (!strcmp(argv[0], "bridge"))
		near = argv[0];
	if (near && !strcmp(near, "bridge") && argc > 1 && argv[1][0] != '-') {
		const char *verbs[] = {"add", "del", NULL};
		const char *verb = opt_suggest(argv[1], verbs);

		snprintf(typed, sizeof(typed), "%s %s", argv[0], argv[1]);
		snprintf(two, sizeof(two), "bridge %s",
			 !strcmp(argv[1], "add") || !strcmp(argv[1], "del") ? argv[1]
			 : verb						    ? verb
									    : "add");
		near = two;
	} else if (near && !strcmp(near, "bridge")) {
		near = "bridge add";
	}
	if (near)
		return err_set(e, EINVAL, "host %s is not known: did you mean vmwire host %s?",
			       typed, near);
	return err_set(e, EINVAL, "host %s is not known: allowed are %s, %s, %s, %s", typed,
		       names[0], names[1], names[2], names[3]);
}

/* An option at argv[0]; returns how many words it took, or -errno. */
static int parse_opt(const struct host_cmd *c, int argc, char *const *argv, struct host_given *g,
		     struct err *e)
{
	const char *names[HOST_OPTS + 1] = {0}, *near, *word = argv[0], *eq = strchr(word, '=');
	size_t n = eq ? (size_t)(eq - word) : strlen(word);
	char name[64];

	for (int i = 0; c->opts[i].name; i++) {
		const struct host_opt *o = &c->opts[i];

		names[i] = o->name;
		if (strlen(o->name) != n || strncmp(o->name, word, n) != 0)
			continue;
		if (eq && !o->arg)
			return err_set(e, EINVAL, "host %s: %s takes no value", c->words, o->name);
		if (!eq && o->arg && o->arg[0] != '[') {
			if (argc < 2)
				return err_set(e, EINVAL,
					       "host %s: %s is not complete: write %s %s", c->words,
					       o->name, o->name, o->arg);
			g->opt[i] = argv[1];
			return 2;
		}
		g->opt[i] = eq ? eq + 1 : "";
		return 1;
	}
	snprintf(name, sizeof(name), "%.*s", (int)MIN(n, sizeof(name) - 1), word);
	near = opt_suggest(name, names);
	return err_set(e, EINVAL,
		       "host %s: %s is not an option%s%s; vmwire host %s --help lists them",
		       c->words, name, near ? ": did you mean " : "", near ? near : "", c->words);
}

static int parse_words(const struct host_cmd *c, int argc, char *const *argv, FILE *out,
		       struct host_given *g, struct err *e)
{
	for (int i = 0; i < argc;) {
		int rc = 1;

		if (is_help(argv[i])) {
			help(c, out);
			return 1;
		}
		if (argv[i][0] == '-')
			rc = parse_opt(c, argc - i, argv + i, g, e);
		else if (g->nargs == c->nargs)
			return err_set(e, EINVAL,
				       "host %s: %s is a word too many: write vmwire host %s %s",
				       c->words, argv[i], c->words, c->args);
		else
			g->arg[g->nargs++] = argv[i];
		if (rc < 0)
			return rc;
		i += rc;
	}
	if (g->nargs < c->nargs)
		return err_set(e, EINVAL, "host %s: a name is missing: write vmwire host %s %s",
			       c->words, c->words, c->args);
	return 0;
}

int host_parse(int argc, char *const *argv, FILE *out, const struct host_cmd **cmd,
	       struct host_given *g, struct err *e)
{
	memset(g, 0, sizeof(*g));
	if (argc < 2 || is_help(argv[1])) {
		usage(out);
		return 1;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		int n = matches(&commands[i], argc - 1, argv + 1);

		if (!n)
			continue;
		*cmd = &commands[i];
		return parse_words(*cmd, argc - 1 - n, argv + 1 + n, out, g, e);
	}
	if (!strcmp(argv[1], "bridge") && (argc == 2 || is_help(argv[2]))) {
		usage(out);
		return 1;
	}
	return unknown(argc - 1, argv + 1, e);
}

int host_need_root(const char *command, struct err *e)
{
	if (geteuid() == 0)
		return 0;
	return err_set(e, EPERM, "host %s: this takes root: sudo vmwire host %s …", command,
		       command);
}

int host_main(int argc, char **argv)
{
	const struct host_cmd *cmd = NULL;
	struct host_given g;
	struct err e = {0};
	int rc = host_parse(argc, argv, stdout, &cmd, &g, &e);

	if (!rc)
		rc = cmd->run(&g, stdout, &e);
	else if (rc > 0)
		rc = 0;
	if (fflush(stdout) && rc >= 0)
		rc = 1;
	if (rc < 0) {
		log_err(&e);
		rc = 1;
	}
	return rc;
}
