/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's options about vmwire as a process: its name, its log, its pid file, the
 * background, the user it runs as.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "control/cmdline.h"

int cmd_daemonize(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	(void)name;
	(void)arg;
	(void)out;
	(void)e;
	c->process.daemonize = true;
	return CMDLINE_RUN;
}

/* A path that is there. */
static int keep_path(char **to, const char *name, const char *arg, struct err *e)
{
	if (!*arg)
		return err_set(e, EINVAL, "%s: the name of the file is missing", name);
	return cmd_keep(to, arg, e);
}

int cmd_pidfile(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	(void)out;
	return keep_path(&c->process.pidfile, name, arg, e);
}

int cmd_log_file(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	(void)out;
	return keep_path(&c->process.log, name, arg, e);
}

int cmd_log_items(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	const char *names[16], *near;
	char item[32], list[256] = "";
	unsigned n = 0;

	if (cmd_is_help(arg)) {
		fprintf(out, "Items of the log (%s, several by commas):\n", name);
		for (const struct log_item *i = log_items; i->name; i++)
			fprintf(out, "  %-13s %s\n", i->name, i->help);
		return CMDLINE_DONE;
	}
	for (const struct log_item *i = log_items; i->name && n + 1 < ARRAY_SIZE(names); i++) {
		names[n++] = i->name;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 n > 1 ? ", " : "", i->name);
	}
	names[n] = NULL;
	for (const char *p = arg; p; p = strchr(p, ',')) {
		bool known = false;

		p += *p == ',';
		snprintf(item, sizeof(item), "%.*s", (int)strcspn(p, ","), p);
		for (unsigned i = 0; i < n; i++)
			known |= !strcmp(item, names[i]);
		if (known)
			continue;
		near = opt_suggest(item, names);
		return err_set(e, EINVAL, "%s %.60s: %s is not an item%s%s%s allowed are %s", name,
			       arg, *item ? item : "\"\"", near ? ": did you mean " : ":",
			       near ? near : "", near ? "?" : "", list);
	}
	return cmd_keep(&c->process.log_items, arg, e);
}

int cmd_runas(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct process_user u;
	int rc = process_user(name, arg, &u, e);

	(void)out;
	return rc ? rc : cmd_keep(&c->process.runas, arg, e);
}

/* --- -name ---------------------------------------------------------------------------------- */

struct name_args {
	char *guest, *process;
	bool threads;
};

static void name_defaults(void *out)
{
	((struct name_args *)out)->threads = true;
}

static const struct opt name_opts[] = {
	{"guest", OPT_STR, offsetof(struct name_args, guest), .arg = "name",
	 .help = "the guest's name; its MAC addresses are derived from it"},
	{"process", OPT_STR, offsetof(struct name_args, process), .arg = "name",
	 .help = "the process's name in ps and top, at most 15 bytes (default vmwire)"},
	{"debug-threads", OPT_BOOL, offsetof(struct name_args, threads),
	 .help = "only on: threads always have names (default on)"},
	{NULL},
};
const struct opt_table name_table = {"-name",	"a name for the guest",	  "guest",
				     name_opts, sizeof(struct name_args), name_defaults};

int cmd_name(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct name_args n;
	int rc = opt_parse(&name_table, name, arg, &n, e);

	(void)out;
	if (rc)
		return rc;
	if (!n.threads)
		rc = err_set(e, ENOTSUP,
			     "%s: debug-threads=off is not there: threads always have names; leave "
			     "it out",
			     name);
	else if (n.process && (!*n.process || strlen(n.process) > 15))
		rc = err_set(e, EINVAL, "%s: process=%.60s: give 1 to 15 bytes", name, n.process);
	if (!rc && n.guest)
		rc = cmd_keep(&c->name, n.guest, e);
	if (!rc && n.process)
		rc = cmd_keep(&c->process.title, n.process, e);
	opt_free(&name_table, &n);
	return rc;
}

/* --- -sandbox ------------------------------------------------------------------------------- */

struct sandbox_args {
	bool on;
	int obsolete, elevate, spawn, resource;
};

enum { ALLOW_DEFAULT, ALLOW, DENY, CHILDREN };

static const char *const allow_deny[] = {"default", "allow", "deny", NULL};
static const char *const elevate_names[] = {"default", "allow", "deny", "children", NULL};

#define OFF(m) offsetof(struct sandbox_args, m)
static const struct opt sandbox_opts[] = {
	{"enable", OPT_BOOL, OFF(on),
	 .help = "system calls and files that threads do not need are refused (default on)"},
	{"spawn", OPT_ENUM, OFF(spawn), .names = allow_deny, .arg = "allow|deny",
	 .help = "deny: no program is run once the guest runs, no downscript= either (default "
		 "allow)"},
	{"obsolete", OPT_ENUM, OFF(obsolete), .names = allow_deny, .arg = "deny",
	 .help = "only deny, which is always so"},
	{"elevateprivileges", OPT_ENUM, OFF(elevate), .names = elevate_names, .arg = "deny",
	 .help = "only deny, which is always so"},
	{"resourcecontrol", OPT_ENUM, OFF(resource), .names = allow_deny, .arg = "deny",
	 .help = "only deny, which is always so"},
	{NULL},
};
#undef OFF
const struct opt_table sandbox_table = {"-sandbox",
					"what vmwire's threads may do while the guest runs",
					"enable",
					sandbox_opts,
					sizeof(struct sandbox_args),
					NULL};

static bool gives(int v)
{
	return v == ALLOW || v == CHILDREN;
}

int cmd_sandbox(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct sandbox_args a;
	const char *wrong;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "Sandbox (%s on|off):\n", name);
		opt_help(&sandbox_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&sandbox_table, name, arg, &a, e);
	if (rc)
		return rc;
	wrong = gives(a.obsolete)   ? "obsolete"
		: gives(a.elevate)  ? "elevateprivileges"
		: gives(a.resource) ? "resourcecontrol"
				    : NULL;
	if (wrong && a.on)
		return err_set(e, ENOTSUP,
			       "%s %.60s: %s can only be deny: leave it out, or give -sandbox off",
			       name, arg, wrong);
	c->sandbox.state = a.on ? SANDBOX_ON : SANDBOX_OFF;
	c->sandbox.no_spawn = a.on && a.spawn == DENY;
	return 0;
}

/* --- -msg ----------------------------------------------------------------------------------- */

struct msg_args {
	bool time, name;
};

static const struct opt msg_opts[] = {
	{"timestamp", OPT_BOOL, offsetof(struct msg_args, time),
	 .help = "the time (UTC) in front of each line (default off)"},
	{"guest-name", OPT_BOOL, offsetof(struct msg_args, name),
	 .help = "the name of -name in front of each line (default off)"},
	{NULL},
};
const struct opt_table msg_table = {"-msg",   "how lines of the log look", "timestamp",
				    msg_opts, sizeof(struct msg_args),	   NULL};

int cmd_msg(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct msg_args m;
	int rc = opt_parse(&msg_table, name, arg, &m, e);

	(void)out;
	if (rc)
		return rc;
	c->process.msg_time = m.time;
	c->process.msg_name = m.name;
	return 0;
}
