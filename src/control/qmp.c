/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QMP session: see qmp.h.
 *
 * Greeting, then negotiation (qmp_capabilities, the only command until then), then commands in
 * their order. Arguments are checked against the command's row of the table before it is called.
 *
 * Output never loses a byte in the middle of a line, as a terminal may: what the character device
 * has no room for waits here, and while anything waits no further command is read. So a client that
 * does not read holds up itself. Events come by themselves; those that a client lets pile up beyond
 * a bound are dropped whole, and counted in the log.
 */
#include "control/qmp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/util.h"
#include "control/hmp.h"
#include "control/qmp_input.h"
#include "control/version.h"

#define EVENTS_MAX (256u << 10) /* bytes that wait, beyond which no event joins them */

struct qmp {
	struct vm *vm;
	struct chardev *c;
	bool pretty, ready; /* ready: the client has negotiated */
	struct qmp_lex lex;
	char *out; /* waits for room in c */
	size_t len, room;
	bool held; /* input was refused */
	unsigned lost;
};

struct vm *qmp_vm(struct qmp *q)
{
	return q->vm;
}

/* --- output --------------------------------------------------------------------------------- */

static void pump(struct qmp *q)
{
	size_t n = MIN(q->len, chardev_room(q->c));

	if (!n)
		return;
	chardev_write(q->c, 0, q->out, n);
	memmove(q->out, q->out + n, q->len - n);
	q->len -= n;
}

static void queue(struct qmp *q, const char *text, size_t len)
{
	if (len > q->room - q->len) {
		size_t room = q->len + len + 4096;
		char *grown = realloc(q->out, room);

		if (!grown) {
			log_warn("QMP: out of memory: a line is lost");
			return;
		}
		q->out = grown;
		q->room = room;
	}
	memcpy(q->out + q->len, text, len);
	q->len += len;
}

/* Takes the reference. */
static void send_line(struct qmp *q, json_t *o)
{
	char *text = o ? json_dumps(o, q->pretty ? JSON_INDENT(4) : 0) : NULL;

	json_decref(o);
	if (!text) {
		log_warn("QMP: out of memory: a line is lost");
		return;
	}
	queue(q, text, strlen(text));
	queue(q, "\r\n", 2);
	free(text);
	pump(q);
}

static void on_drained(void *opaque)
{
	struct qmp *q = opaque;

	pump(q);
	if (q->len || !q->held)
		return;
	q->held = false;
	chardev_ready(q->c, 0);
}

static json_t *version(void)
{
	unsigned v[3] = {0};

	sscanf(VMWIRE_VERSION, "%u.%u.%u", &v[0], &v[1], &v[2]);
	return json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "micro", v[2], "minor", v[1], "major",
			 v[0], "package", "vmwire " VMWIRE_VERSION);
}

static const char *class_name(enum qmp_class c)
{
	static const char *const names[] = {
		[QMP_GENERIC] = "GenericError",
		[QMP_COMMAND_NOT_FOUND] = "CommandNotFound",
		[QMP_DEVICE_NOT_FOUND] = "DeviceNotFound",
		[QMP_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
		[QMP_KVM_MISSING_CAP] = "KVMMissingCap",
	};

	return names[c];
}

static void send_error(struct qmp *q, json_t *id, const struct qmp_err *e)
{
	json_t *o = json_pack("{s:{s:s, s:s}}", "error", "class", class_name(e->class), "desc",
			      e->e.text);

	/* A message that quotes bytes which are no UTF-8. */
	if (!o)
		o = json_pack("{s:{s:s, s:s}}", "error", "class", class_name(e->class), "desc",
			      "the command holds text that is no UTF-8");
	if (o && id)
		json_object_set(o, "id", id);
	send_line(q, o);
}

void qmp_event(struct vm *vm, const char *name, json_t *data)
{
	struct timespec t;
	json_t *o;

	clock_gettime(CLOCK_REALTIME, &t);
	o = json_pack("{s:{s:I, s:I}, s:s}", "timestamp", "seconds", (json_int_t)t.tv_sec,
		      "microseconds", (json_int_t)t.tv_nsec / 1000, "event", name);
	if (o && data)
		json_object_set(o, "data", data);
	json_decref(data);
	for (unsigned i = 0; o && vm->mon && i < vm->nmon; i++) {
		struct qmp *q = vm->mon[i].qmp;

		if (!q || !q->ready)
			continue;
		if (q->len <= EVENTS_MAX)
			send_line(q, json_incref(o));
		else if (!q->lost++)
			log_warn("QMP: a client does not read: events are lost");
	}
	json_decref(o);
}

/* --- commands ------------------------------------------------------------------------------- */

json_t *qmp_fail(struct qmp_err *e, enum qmp_class class, const char *fmt, ...)
{
	char text[sizeof(e->e.text)];
	va_list ap;

	va_start(ap, fmt);
	/* The analyzer loses ap. */
	vsnprintf(text, sizeof(text), fmt, ap); /* NOLINT(clang-analyzer-valist.Uninitialized) */
	va_end(ap);
	e->class = class;
	err_set(&e->e, EINVAL, "%s", text);
	return NULL;
}

json_t *qmp_done(int rc)
{
	return rc ? NULL : json_object();
}

static bool has_type(const json_t *v, const struct mon_arg *a)
{
	switch (a->type) {
	case MON_STR:
		return json_is_string(v);
	case MON_BOOL:
		return json_is_boolean(v);
	case MON_INT:
		return json_is_integer(v);
	case MON_LIST:
		return json_is_array(v);
	case MON_REST:
		return true;
	}
	return false;
}

/* Members that the command does not know; those it must have are looked at by check_args(). */
static bool check_member(const struct mon_cmd *c, const char *key, struct qmp_err *e)
{
	const struct mon_arg *a = c->takes;
	char list[256] = "";

	for (; a && a->name; a++) {
		if (a->type == MON_REST || !strcmp(a->name, key))
			return true;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 list[0] ? ", " : "", a->name);
	}
	qmp_fail(e, QMP_GENERIC, "%s: %.60s is unexpected: %s%s", c->qmp, key,
		 list[0] ? "allowed are " : "it has no arguments", list);
	return false;
}

static bool check_args(const struct mon_cmd *c, json_t *args, struct qmp_err *e)
{
	static const char *const types[] = {"a string", "a boolean", "a number", "a list"};
	const char *key;
	json_t *v;

	for (const struct mon_arg *a = c->takes; a && a->name; a++) {
		v = json_object_get(args, a->name);
		if (a->type == MON_REST || (!v && a->optional))
			continue;
		if (!v) {
			qmp_fail(e, QMP_GENERIC, "%s: %s is missing: give %s", c->qmp, a->name,
				 types[a->type]);
			return false;
		}
		if (!has_type(v, a)) {
			qmp_fail(e, QMP_GENERIC, "%s: %s must be %s", c->qmp, a->name,
				 types[a->type]);
			return false;
		}
	}
	json_object_foreach(args, key, v)
	{
		if (!check_member(c, key, e))
			return false;
	}
	return true;
}

static const struct mon_cmd *find(struct qmp *q, const char *name, struct qmp_err *e)
{
	const struct mon_cmd *c = mon_find_qmp(name);
	const char *names[128], *near;
	unsigned n = 0;

	if (!q->ready && (!c || strcmp(name, "qmp_capabilities") != 0)) {
		qmp_fail(e, QMP_COMMAND_NOT_FOUND,
			 "%.60s: the first command must be qmp_capabilities", name);
		return NULL;
	}
	if (c)
		return c;
	for (unsigned i = 0; mon_at(i) && n < ARRAY_SIZE(names) - 1; i++) {
		if (mon_at(i)->qmp)
			names[n++] = mon_at(i)->qmp;
	}
	names[n] = NULL;
	near = opt_suggest(name, names);
	qmp_fail(e, QMP_COMMAND_NOT_FOUND, "%.60s is no command: %s%s%s", name,
		 near ? "did you mean " : "query-commands lists them", near ? near : "",
		 near ? "?" : "");
	return NULL;
}

static void execute(struct qmp *q, json_t *value)
{
	struct qmp_err e = {.class = QMP_GENERIC};
	struct qmp_request r;
	const struct mon_cmd *c = NULL;
	json_t *answer = NULL, *args, *o;

	if (!qmp_request(value, &r, &e.e))
		c = find(q, r.command, &e);
	args = r.args ? json_incref(r.args) : json_object();
	if (c && check_args(c, args, &e)) {
		e.e.text[0] = 0;
		answer = c->answer(q, args, &e);
		if (!answer && !e.e.text[0])
			qmp_fail(&e, QMP_GENERIC, "%s: out of memory", r.command);
	}
	json_decref(args);
	if (!answer) {
		send_error(q, r.id, &e);
		return;
	}
	o = json_object();
	json_object_set_new(o, "return", answer);
	if (r.id)
		json_object_set(o, "id", r.id);
	send_line(q, o);
}

/* --- the protocol's own commands -------------------------------------------------------------- */

static json_t *capabilities(struct qmp *q, json_t *args, struct qmp_err *e)
{
	json_t *list = json_object_get(args, "enable"), *v;
	size_t i;

	if (q->ready)
		return qmp_fail(e, QMP_COMMAND_NOT_FOUND,
				"qmp_capabilities: negotiation is over already");
	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v))
			return qmp_fail(e, QMP_GENERIC,
					"qmp_capabilities: enable must be a list "
					"of strings");
		return qmp_fail(
			e, QMP_GENERIC,
			"qmp_capabilities: %.60s is not offered: the greeting lists what is",
			json_string_value(v));
	}
	q->ready = true;
	return json_object();
}

static json_t *query_commands(struct qmp *q, json_t *args, struct qmp_err *e)
{
	json_t *list = json_array();
	const struct mon_cmd *c;

	(void)q;
	(void)args;
	(void)e;
	for (unsigned i = 0; (c = mon_at(i)); i++) {
		if (c->qmp)
			json_array_append_new(list, json_pack("{s:s}", "name", c->qmp));
	}
	return list;
}

static json_t *query_version(struct qmp *q, json_t *args, struct qmp_err *e)
{
	(void)q;
	(void)args;
	(void)e;
	return version();
}

static void info_version(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	hmp_print(h, "%s\n", VMWIRE_VERSION);
}

static json_t *human_command(struct qmp *q, json_t *args, struct qmp_err *e)
{
	const char *line = json_string_value(json_object_get(args, "command-line"));
	char *text = hmp_run(q->vm, line);
	json_t *o = text ? json_string(text) : NULL;

	/* What it printed may quote bytes of a name in another encoding. */
	if (text && !o)
		qmp_fail(e, QMP_GENERIC, "human-monitor-command: the answer is no UTF-8");
	free(text);
	return o;
}

static const struct mon_arg capabilities_args[] = {{"enable", MON_LIST, true}, {NULL}};
static const struct mon_arg human_args[] = {{"command-line", MON_STR, false}, {NULL}};

const struct mon_cmd qmp_cmds[] = {
	{"info version", "", "vmwire's version", 0, info_version, "query-version", NULL,
	 query_version},
	{.qmp = "qmp_capabilities",
	 .takes = capabilities_args,
	 .answer = capabilities,
	 .help = "ends negotiation; must come first"},
	{.qmp = "query-commands", .answer = query_commands, .help = "the names of all commands"},
	{.qmp = "human-monitor-command",
	 .takes = human_args,
	 .answer = human_command,
	 .help = "executes a line as the monitor for people does; returns what it prints"},
	{NULL},
};

/* --- input and life --------------------------------------------------------------------------- */

static size_t on_input(void *opaque, const unsigned char *buf, size_t len)
{
	struct qmp *q = opaque;
	size_t at = 0, used;

	/* What comes behind quit is not executed. */
	while (at < len && !q->vm->ending) {
		struct qmp_err e = {.class = QMP_GENERIC};
		enum qmp_lexed got;
		json_t *value;

		if (q->len) {
			q->held = true;
			return at;
		}
		got = qmp_lex(&q->lex, buf + at, len - at, &used, &value, &e.e);
		at += used;
		if (got == QMP_LEX_VALUE)
			execute(q, value);
		else if (got == QMP_LEX_ERROR)
			send_error(q, NULL, &e);
		json_decref(value);
	}
	return len;
}

static void start_over(struct qmp *q)
{
	q->ready = q->held = false;
	q->len = 0;
	q->lost = 0;
	qmp_lex_reset(&q->lex);
}

static void on_opened(void *opaque)
{
	struct qmp *q = opaque;

	start_over(q);
	send_line(q, json_pack("{s:{s:o, s:[]}}", "QMP", "version", version(), "capabilities"));
}

static void on_closed(void *opaque)
{
	start_over(opaque);
}

struct qmp *qmp_new(struct vm *vm, struct chardev *c, bool pretty, struct err *e)
{
	struct qmp *q = calloc(1, sizeof(*q));
	struct chardev_user u = {.input = on_input,
				 .opened = on_opened,
				 .closed = on_closed,
				 .drained = on_drained,
				 .opaque = q};

	if (!q) {
		err_set(e, ENOMEM, "QMP: out of memory");
		return NULL;
	}
	q->vm = vm;
	q->c = c;
	q->pretty = pretty;
	chardev_attach(c, 0, &u);
	return q;
}

static size_t ignore(void *opaque, const unsigned char *buf, size_t len)
{
	(void)opaque;
	(void)buf;
	return len;
}

void qmp_free(struct qmp *q)
{
	static const struct chardev_user nobody = {.input = ignore};

	if (!q)
		return;
	pump(q);
	chardev_attach(q->c, 0, &nobody);
	qmp_lex_reset(&q->lex);
	free(q->out);
	free(q);
}
