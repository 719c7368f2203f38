/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's options that say where serial port and monitors go: -serial, -monitor, -qmp,
 * -mon, -chardev. What -chardev describes becomes the text that chardev_open() takes, so that there
 * is one way into a character device; who uses it is settled when the last option was read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "control/cmdline.h"

#define SOCKETS	    "unix:PATH, tcp:HOST:PORT and telnet:HOST:PORT[,server=on][,wait=off], chardev:ID"
#define FOR_SERIAL  "stdio, mon:stdio, null, none, file:PATH, " SOCKETS
#define FOR_DEBUG   "stdio, null, none, file:PATH, " SOCKETS
#define FOR_MONITOR "stdio, null, none, " SOCKETS

/* Is spec one that chardev_open() has? The paths are looked at when it is opened. */
static int check_spec(const char *name, const char *spec, const char *allowed, struct err *e)
{
	static const char *const names[] = {"stdio", "null",   "none",	  "file", "unix",
					    "tcp",   "telnet", "chardev", NULL};
	static const char *const later[] = {"pty", "websocket", "udp",	 "vc",
					    "con", "pipe",	"/dev/", "braille"};
	char kind[32];
	const char *near;

	if (!strcmp(spec, "stdio") || !strcmp(spec, "null") || !strcmp(spec, "none"))
		return 0;
	for (unsigned i = 3; names[i]; i++) {
		size_t n = strlen(names[i]);

		if (!strncmp(spec, names[i], n) && spec[n] == ':' && spec[n + 1])
			return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(later); i++) {
		if (!strncmp(spec, later[i], strlen(later[i])))
			return err_set(e, ENOTSUP,
				       "%s %.60s is not implemented yet: allowed are %s", name,
				       spec, allowed);
	}
	snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(spec, ":"), spec);
	near = opt_suggest(kind, names);
	if (near && strcmp(near, kind) != 0)
		return err_set(e, EINVAL,
			       "%s %.60s is not known: did you mean %s%.60s? Allowed: %s", name,
			       spec, near, spec + strlen(kind), allowed);
	return err_set(e, EINVAL, "%s %.60s is not known: allowed are %s", name, spec, allowed);
}

int cmd_serial(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	bool mux = !strncmp(arg, "mon:", 4);
	const char *spec = arg + (mux ? 4 : 0);
	int rc = check_spec(name, spec, FOR_SERIAL, e);

	(void)out;
	if (rc)
		return rc;
	if (c->serial)
		return err_set(
			e, ENOTSUP,
			"%s %.60s: a second serial port is not implemented yet: give -serial "
			"once",
			name, arg);
	if (mux && strcmp(spec, "stdio") != 0)
		return err_set(e, ENOTSUP, "%s %.60s is not implemented yet: only mon:stdio is",
			       name, arg);
	c->mux = mux;
	return cmd_keep(&c->serial, spec, e);
}

int cmd_debugcon(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	int rc = check_spec(name, arg, FOR_DEBUG, e);

	(void)out;
	return rc ? rc : cmd_keep(&c->debugcon, arg, e);
}

/* --- monitors ------------------------------------------------------------------------------- */

static int add_monitor(struct config *c, const char *what, const char *spec, bool qmp, bool pretty,
		       struct err *e)
{
	struct conf_mon *m = config_mon_add(c, what);

	if (!m)
		return err_set(e, ENOMEM, "%s: out of memory", what);
	m->qmp = qmp;
	m->pretty = pretty;
	return cmd_keep(&m->spec, spec, e);
}

int cmd_monitor(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	int rc = check_spec(name, arg, FOR_MONITOR, e);

	(void)out;
	if (rc)
		return rc;
	c->mon_given = true;
	return strcmp(arg, "none") ? add_monitor(c, name, arg, false, false, e) : 0;
}

int cmd_qmp(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	int rc = check_spec(name, arg, FOR_MONITOR, e);

	(void)out;
	if (rc || !strcmp(arg, "none"))
		return rc;
	return add_monitor(c, name, arg, true, !strcmp(name, "-qmp-pretty"), e);
}

struct mon_args {
	char *chardev;
	int mode;
	bool pretty;
};

static const char *const modes[] = {"readline", "control", NULL};

#define OFF(m) offsetof(struct mon_args, m)
static const struct opt mon_opts[] = {
	{"chardev", OPT_STR, OFF(chardev), .arg = "id", .help = "the -chardev that it talks over"},
	{"mode", OPT_ENUM, OFF(mode), .names = modes,
	 .help = "for a person, or for a program: QMP (default readline)"},
	{"pretty", OPT_BOOL, OFF(pretty), .help = "QMP laid out in lines (default off)"},
	{NULL},
};
#undef OFF
const struct opt_table mon_table = {
	"-mon", "a monitor over a character device", "chardev", mon_opts, sizeof(struct mon_args),
	NULL};

int cmd_mon(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct mon_args m;
	char spec[128];
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "%s: %s\n", name, mon_table.summary);
		opt_help(&mon_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&mon_table, name, arg, &m, e);
	if (rc)
		return rc;
	snprintf(spec, sizeof(spec), "chardev:%s", m.chardev ? m.chardev : "");
	if (!m.chardev || !*m.chardev)
		rc = err_set(e, EINVAL,
			     "%s %.60s: chardev= is missing: give the id= of a -chardev, e.g. "
			     "chardev=mon0",
			     name, arg);
	else if (m.pretty && !m.mode)
		rc = err_set(e, EINVAL, "%s: pretty=on is for mode=control: leave it out", name);
	else
		rc = add_monitor(c, name, spec, m.mode == 1, m.pretty, e);
	c->mon_given = true;
	opt_free(&mon_table, &m);
	return rc;
}

/* --- -chardev ------------------------------------------------------------------------------- */

struct chr_args {
	char *id, *path, *host, *port;
	bool server, wait, telnet, nodelay, append;
};

static void chr_defaults(void *out)
{
	((struct chr_args *)out)->wait = true;
}

#define OFF(m) offsetof(struct chr_args, m)
#define ID                                                                                         \
	{                                                                                          \
		"id", OPT_STR, OFF(id), .arg = "name", .help = "name that chardev= refers to"      \
	}
#define LATER                                                                                      \
	{"mux", OPT_BOOL, .missing = "not implemented yet: -serial mon:stdio shares a terminal"},  \
		{"logfile", OPT_STR, .missing = "not implemented yet"},                            \
	{                                                                                          \
		"logappend", OPT_BOOL, .missing = "not implemented yet"                            \
	}
static const struct opt socket_opts[] = {
	ID,
	{"path", OPT_STR, OFF(path), .arg = "file", .help = "a UNIX socket"},
	{"host", OPT_STR, OFF(host), .arg = "address",
	 .help = "a TCP socket: host, or what to listen on"},
	{"port", OPT_STR, OFF(port), .arg = "n", .help = "its port"},
	{"server", OPT_BOOL, OFF(server), .help = "listen instead of connecting (default off)"},
	{"wait", OPT_BOOL, OFF(wait),
	 .help = "with server: start when a client is there (default on)"},
	{"telnet", OPT_BOOL, OFF(telnet), .help = "TCP: speak the telnet protocol (default off)"},
	{"nodelay", OPT_BOOL, OFF(nodelay), .help = "TCP: send small pieces at once (default off)"},
	{"fd", OPT_STR, .missing = "not implemented yet: give path= or host= and port="},
	{"reconnect", OPT_U32, .missing = "not implemented yet"},
	{"websocket", OPT_BOOL, .missing = "not implemented yet"},
	{"tls-creds", OPT_STR, .missing = "not implemented yet"},
	{"abstract", OPT_BOOL, .missing = "not implemented yet"},
	LATER,
	{NULL},
};
static const struct opt file_opts[] = {
	ID,
	{"path", OPT_STR, OFF(path), .arg = "file", .help = "the file, made if it is not there"},
	{"append", OPT_BOOL, OFF(append), .help = "keep what the file holds (default off)"},
	LATER,
	{NULL},
};
static const struct opt plain_opts[] = {
	ID,
	{"signal", OPT_BOOL,
	 .missing = "not implemented yet: Ctrl-C ends vmwire unless the "
		    "terminal is shared (mon:stdio)"},
	LATER,
	{NULL},
};
#undef OFF
#define TABLE(name, summary, opts)                                                                 \
	{                                                                                          \
		name, summary, NULL, opts, sizeof(struct chr_args), chr_defaults                   \
	}
static const struct opt_table chr_tables[] = {
	TABLE("socket", "a UNIX or TCP socket", socket_opts),
	TABLE("file", "a file for the output", file_opts),
	TABLE("stdio", "this terminal", plain_opts),
	TABLE("null", "nobody", plain_opts),
};

void cmd_chardev_for_each(void (*fn)(const char *option, const struct opt_table *t, void *arg),
			  void *arg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(chr_tables); i++)
		fn("-chardev", &chr_tables[i], arg);
}

/* Writes text with its commas doubled, as a value of an option list. */
static void put_value(FILE *f, const char *text)
{
	for (; *text; text++)
		fprintf(f, *text == ',' ? ",," : "%c", *text);
}

static void put_spec(FILE *f, const char *kind, const struct chr_args *a)
{
	if (strcmp(kind, "socket") != 0) {
		fputs(kind, f);
		if (a->path) {
			fputc(':', f);
			put_value(f, a->path);
			fputs(a->append ? ",append=on" : "", f);
		}
		return;
	}
	if (a->path) {
		fputs("unix:", f);
		put_value(f, a->path);
	} else {
		bool v6 = a->host && strchr(a->host, ':');

		fprintf(f, "%s:%s%s%s:%s", a->telnet ? "telnet" : "tcp", v6 ? "[" : "",
			a->host ? a->host : "", v6 ? "]" : "", a->port);
	}
	fputs(a->server ? ",server=on" : "", f);
	fputs(a->server && !a->wait ? ",wait=off" : "", f);
	fputs(a->nodelay && !a->path ? ",nodelay=on" : "", f);
}

static int check_chr(const struct config *c, const char *what, const char *kind,
		     const struct chr_args *a, struct err *e)
{
	if (!a->id || !*a->id)
		return err_set(e, EINVAL, "%s: id= is missing: give it a name, e.g. id=mon0", what);
	for (unsigned i = 0; i < c->nchr; i++) {
		if (!strcmp(c->chr[i].id, a->id))
			return err_set(e, EEXIST, "%s: the name %.60s is used twice: give another",
				       what, a->id);
	}
	if (!strcmp(kind, "file") && !a->path)
		return err_set(e, EINVAL, "%s: path= is missing: give the file", what);
	if (strcmp(kind, "socket") != 0)
		return 0;
	if (a->path && (a->host || a->port))
		return err_set(e, EINVAL,
			       "%s: path= (a UNIX socket) excludes host= and port=: leave one out",
			       what);
	if (a->path && a->telnet)
		return err_set(e, EINVAL, "%s: telnet=on is for host= and port=: leave it out",
			       what);
	if (!a->path && !a->port)
		return err_set(e, EINVAL,
			       "%s: path= is missing (or host= and port=): say where the socket is",
			       what);
	return 0;
}

static int take_chr(struct config *c, const char *what, const char *kind, struct chr_args *a,
		    struct err *e)
{
	int rc = check_chr(c, what, kind, a, e);
	struct conf_chr *grown;
	size_t len;
	FILE *f;

	if (rc)
		return rc;
	grown = realloc(c->chr, (c->nchr + 1) * sizeof(*grown));
	if (!grown)
		return err_set(e, ENOMEM, "%s: out of memory", what);
	c->chr = grown;
	grown += c->nchr;
	*grown = (struct conf_chr){.id = a->id};
	a->id = NULL;
	c->nchr++;
	f = open_memstream(&grown->spec, &len);
	if (!f)
		return err_set(e, ENOMEM, "%s: out of memory", what);
	put_spec(f, kind, a);
	return fclose(f) ? err_set(e, ENOMEM, "%s: out of memory", what) : 0;
}

int cmd_chardev(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	size_t len = strcspn(arg, ",");
	const char *names[ARRAY_SIZE(chr_tables) + 1] = {NULL}, *near;
	const struct opt_table *t = NULL;
	struct chr_args a;
	char what[48], kind[24];
	int rc;

	snprintf(kind, sizeof(kind), "%.*s", (int)MIN(len, sizeof(kind)), arg);
	for (unsigned i = 0; i < ARRAY_SIZE(chr_tables); i++) {
		names[i] = chr_tables[i].name;
		if (!strcmp(kind, names[i]))
			t = &chr_tables[i];
		if (cmd_is_help(kind))
			fprintf(out, "  %-8s  %s\n", names[i], chr_tables[i].summary);
	}
	if (cmd_is_help(kind))
		return CMDLINE_DONE;
	near = opt_suggest(kind, names);
	if (!t)
		return err_set(e, ENOTSUP,
			       "%s %.24s is not known%s%s%s: allowed are socket, file, "
			       "stdio and null",
			       name, kind, near ? " (did you mean " : "", near ? near : "",
			       near ? "?)" : "");
	snprintf(what, sizeof(what), "%s %s", name, t->name);
	arg += len + (arg[len] == ',');
	if (cmd_is_help(arg)) {
		fprintf(out, "%s: %s\n", what, t->summary);
		opt_help(t, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(t, what, arg, &a, e);
	if (rc)
		return rc;
	rc = take_chr(c, what, t->name, &a, e);
	opt_free(t, &a);
	return rc;
}

/* --- when the last option was read --------------------------------------------------------------
 */

/* "chardev:ID" becomes what that -chardev says; *id is its name, else the one given. */
static int resolve(struct config *c, const char *what, char **spec, char **id, const char *given,
		   struct err *e)
{
	const char *name = *spec + strlen("chardev:");

	if (strncmp(*spec, "chardev:", 8) != 0)
		return cmd_keep(id, given, e);
	for (unsigned i = 0; i < c->nchr; i++) {
		struct conf_chr *k = &c->chr[i];

		if (strcmp(k->id, name) != 0)
			continue;
		if (k->used)
			return err_set(e, EBUSY,
				       "%s: chardev %.60s is in use already: give each its own",
				       what, name);
		k->used = true;
		return cmd_keep(id, k->id, e) || cmd_keep(spec, k->spec, e) ? -e->code : 0;
	}
	return err_set(e, ENOENT, "%s: chardev %.60s is not there: give the id= of a -chardev",
		       what, name);
}

/* A terminal has one user. */
static int check_terminal(const struct config *c, struct err *e)
{
	const char *user = c->serial && !strcmp(c->serial, "stdio") ? "-serial" : NULL;

	for (unsigned i = 0; i < c->nmon; i++) {
		const struct conf_mon *m = &c->mon[i];

		if (strcmp(m->spec, "stdio") != 0)
			continue;
		if (user && !strcmp(user, "-serial") && !m->qmp)
			return err_set(
				e, EBUSY,
				"-serial stdio and %s stdio want the same terminal: give -serial "
				"mon:stdio (Ctrl-A c switches) or -nographic",
				m->what);
		if (user)
			return err_set(e, EBUSY,
				       "%s stdio and %s stdio want the same terminal: give one of "
				       "them a socket, e.g. %s unix:PATH,server=on,wait=off",
				       user, m->what, m->what);
		user = m->what;
	}
	return 0;
}

/* In the background there is no terminal. */
static int check_daemon(const struct config *c, struct err *e)
{
	const char *user = c->serial && !strcmp(c->serial, "stdio") ? "-serial" : NULL;

	for (unsigned i = 0; !user && i < c->nmon; i++)
		user = strcmp(c->mon[i].spec, "stdio") ? NULL : c->mon[i].what;
	if (!user && !c->nographic)
		return 0;
	return err_set(e, EINVAL,
		       "%s%s: -daemonize leaves the terminal: leave one of the two out, or give a "
		       "socket, e.g. -serial unix:PATH,server=on,wait=off",
		       c->nographic ? "-nographic" : user, c->nographic ? "" : " stdio");
}

/* Where serial port and monitor go when nobody said: as -nographic of QEMU has it. */
static int defaults(struct config *c, struct err *e)
{
	bool pc = c->machine == MACHINE_PC;
	int rc = 0;

	if (!c->nographic || c->no_defaults)
		return 0;
	if (pc && !c->serial && !c->mon_given)
		c->mux = true;
	if (pc && !c->serial)
		rc = cmd_keep(&c->serial, "stdio", e);
	if (!rc && !c->mon_given && !c->mux)
		rc = add_monitor(c, "-monitor", "stdio", false, false, e);
	return rc;
}

int config_consoles(struct config *c, struct err *e)
{
	int rc = defaults(c, e);
	char id[32];

	if (c->serial && !strcmp(c->serial, "none")) {
		free(c->serial);
		c->serial = NULL;
	}
	if (c->debugcon && !strcmp(c->debugcon, "none")) {
		free(c->debugcon);
		c->debugcon = NULL;
	}
	if (!rc && c->serial)
		rc = resolve(c, "-serial", &c->serial, &c->serial_id, "serial0", e);
	if (!rc && c->debugcon)
		rc = resolve(c, "-debugcon", &c->debugcon, &c->debugcon_id, "debugcon", e);
	for (unsigned i = 0; !rc && i < c->nmon; i++) {
		snprintf(id, sizeof(id), "compat_monitor%u", i);
		rc = resolve(c, c->mon[i].what, &c->mon[i].spec, &c->mon[i].id, id, e);
	}
	if (rc)
		return rc;
	for (unsigned i = 0; c->mux && i < c->nmon; i++) {
		if (!c->mon[i].qmp && !strcmp(c->mon[i].spec, "stdio"))
			return err_set(e, EBUSY,
				       "-serial mon:stdio holds the monitor already: leave %s "
				       "stdio out, or give -serial stdio",
				       c->mon[i].what);
	}
	for (unsigned i = 0; i < c->nchr; i++) {
		if (!c->chr[i].used)
			log_warn("-chardev %s is used by nothing", c->chr[i].id);
	}
	return c->process.daemonize ? check_daemon(c, e) : check_terminal(c, e);
}
