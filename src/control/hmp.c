/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The human monitor: line editing (backspace, Ctrl-U, Ctrl-W, history by the arrow keys, Tab) and
 * commands. A command runs to its end on the control loop; what it prints goes into the character
 * device's ring, so that a slow client holds nothing up. Telnet's and terminals' "\r\n" count as
 * one end of line.
 */
#include "control/hmp.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/hmp_block.h"
#include "control/version.h"

#define LINE_MAX_LEN 1024
#define ARGS_MAX     16
#define HISTORY	     32
#define CTRL(ch)     ((ch)&0x1f)

struct hmp {
	struct vm *vm;
	struct chardev *c;
	unsigned user;
	char line[LINE_MAX_LEN];
	size_t len;
	unsigned char last; /* byte, for "\r\n" */
	unsigned esc;	    /* 1: ESC seen, 2: ESC [ seen */
	char *history[HISTORY];
	unsigned nhistory, at; /* at: entry shown, nhistory: the new line */
};

struct vm *hmp_vm(struct hmp *h)
{
	return h->vm;
}

static void put(struct hmp *h, const char *text, size_t len)
{
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

		put(h, p, n);
		p += n;
		if (*p) {
			put(h, "\r\n", 2);
			p++;
		}
	}
}

static void prompt(struct hmp *h)
{
	put(h, "(vmwire) ", 9);
	put(h, h->line, h->len);
}

/* --- commands ------------------------------------------------------------------------------- */

static void cmd_help(struct hmp *h, int argc, char **argv);
static void cmd_info(struct hmp *h, int argc, char **argv);

static void cmd_quit(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	vm_quit(h->vm, 0);
}

/* The machine, or NULL and a line when there is no guest. */
static struct machine *guest(struct hmp *h, const char *cmd)
{
	if (!h->vm->machine)
		hmp_print(h, "%s: -machine none has no guest\n", cmd);
	return h->vm->machine;
}

static void cmd_powerdown(struct hmp *h, int argc, char **argv)
{
	struct machine *m = guest(h, argv[0]);

	(void)argc;
	if (m)
		machine_powerdown(m);
}

static void cmd_reset(struct hmp *h, int argc, char **argv)
{
	struct machine *m = guest(h, argv[0]);

	(void)argc;
	if (m)
		machine_reset(m);
}

static void cmd_stop(struct hmp *h, int argc, char **argv)
{
	struct machine *m = guest(h, argv[0]);

	(void)argc;
	if (m && machine_running(m))
		machine_pause(m);
}

static void cmd_cont(struct hmp *h, int argc, char **argv)
{
	struct machine *m = guest(h, argv[0]);

	(void)argc;
	if (m && !machine_running(m))
		machine_resume(m);
}

static const struct hmp_cmd cmds[] = {
	{"help", "[command]", "what the commands are", 0, cmd_help},
	{"info", "what", "show something; info alone lists what there is", 0, cmd_info},
	{"quit", "", "end vmwire at once", 0, cmd_quit},
	{"stop", "", "halt the guest's CPUs", 0, cmd_stop},
	{"cont", "", "let them run again", 0, cmd_cont},
	{"system_powerdown", "", "press the guest's power button", 0, cmd_powerdown},
	{"system_reset", "", "press the guest's reset button", 0, cmd_reset},
	{"set_link", "name on|off", "plug the cable of a card or backend in or out", 2,
	 hmp_set_link},
	{"device_add", "card[,option=value...]",
	 "plug a card in; options as of -device; device_add help lists the cards", 1,
	 hmp_device_add},
	{"device_del", "id", "ask the guest to let go of a card; it is gone when the guest did", 1,
	 hmp_device_del},
	{"netdev_add", "kind,id=name[,option=value...]",
	 "make a network; options as of -netdev; netdev_add help lists the kinds", 1,
	 hmp_netdev_add},
	{"netdev_del", "id", "end a network that no card uses", 1, hmp_netdev_del},
	{"netdev_replug", "card netdev",
	 "join a running card to another netdev (or hubport); the old one stays, without a peer", 2,
	 hmp_netdev_replug},
	{"hostfwd_add", "[netdev] tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport",
	 "forward a port of the host into the guest (first user network, if none is named)", 1,
	 hmp_hostfwd_add},
	{"hostfwd_remove", "[netdev] tcp|udp:[hostaddr]:hostport", "end such a forward", 1,
	 hmp_hostfwd_remove},
	{"screendump", "file [-f ppm|png]", "write a picture of the guest's screen to a file", 1,
	 hmp_screendump},
	{"sendkey", "keys [hold_ms]", "press keys together, e.g. ctrl-alt-f1, for a moment", 1,
	 hmp_sendkey},
	{"set_password", "vnc text", "the same", 2, hmp_set_password},
	{"expire_password", "vnc now|never|+seconds|time", "until when it lets viewers in", 2,
	 hmp_expire_password},
	{"eject", "[-f] drive", "take the medium out of a CD drive; -f: also when it is locked", 1,
	 hmp_eject},
	{"change", "drive file [format] | vnc password text",
	 "put another medium into a CD drive, or set the VNC server's password", 2, hmp_change},
	{"announce_self", "", "let all cards tell their networks where they are", 0, hmp_announce},
	{NULL},
};

static const struct hmp_cmd *find(const struct hmp_cmd *t, const char *name)
{
	/* QEMU's short forms. */
	if (t == cmds && (!strcmp(name, "q") || !strcmp(name, "c") || !strcmp(name, "?")))
		name = name[0] == 'q' ? "quit" : name[0] == 'c' ? "cont" : "help";
	for (; t->name; t++) {
		if (!strcmp(t->name, name))
			return t;
	}
	return NULL;
}

static void list(struct hmp *h, const char *prefix, const struct hmp_cmd *t)
{
	char usage[80];

	for (; t->name; t++) {
		snprintf(usage, sizeof(usage), "%s%s %s", prefix, t->name, t->args);
		hmp_print(h, "%-24s %s\n", usage, t->help);
	}
}

static void cmd_help(struct hmp *h, int argc, char **argv)
{
	const struct hmp_cmd *c = argc > 1 ? find(cmds, argv[1]) : NULL;

	if (argc > 1 && !c)
		hmp_print(h, "help: there is no command %s\n", argv[1]);
	else if (c && strcmp(c->name, "info") != 0)
		hmp_print(h, "%s %s -- %s\n", c->name, c->args, c->help);
	else if (!c)
		list(h, "", cmds);
	if (argc == 1 || (c && !strcmp(c->name, "info")))
		list(h, "info ", hmp_info_cmds);
}

static void suggest(struct hmp *h, const struct hmp_cmd *t, const char *prefix, const char *name)
{
	const char *names[64], *near;
	unsigned n = 0;

	for (; t->name && n < 63; t++)
		names[n++] = t->name;
	names[n] = NULL;
	near = opt_suggest(name, names);
	if (near)
		hmp_print(h, "unknown command: %s%s; did you mean %s%s?\n", prefix, name, prefix,
			  near);
	else
		hmp_print(h, "unknown command: %s%s; help lists them\n", prefix, name);
}

static void run(struct hmp *h, const struct hmp_cmd *t, const char *prefix, int argc, char **argv)
{
	const struct hmp_cmd *c = find(t, argv[0]);

	if (!c)
		suggest(h, t, prefix, argv[0]);
	else if ((unsigned)argc - 1 < c->nargs)
		hmp_print(h, "usage: %s%s %s\n", prefix, c->name, c->args);
	else
		c->fn(h, argc, argv);
}

static void cmd_info(struct hmp *h, int argc, char **argv)
{
	if (argc == 1)
		list(h, "info ", hmp_info_cmds);
	else
		run(h, hmp_info_cmds, "info ", argc - 1, argv + 1);
}

static void execute(struct hmp *h, char *line)
{
	char *argv[ARGS_MAX + 1], *save;
	int argc = 0;

	for (char *w = strtok_r(line, " \t", &save); w && argc < ARGS_MAX;
	     w = strtok_r(NULL, " \t", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	if (argc)
		run(h, cmds, "", argc, argv);
}

/* --- line editing --------------------------------------------------------------------------- */

static void remember(struct hmp *h)
{
	char *copy = strdup(h->line);

	if (!copy)
		return;
	if (h->nhistory == HISTORY) {
		free(h->history[0]);
		memmove(h->history, h->history + 1, (HISTORY - 1) * sizeof(char *));
		h->nhistory--;
	}
	h->history[h->nhistory++] = copy;
}

static void erase(struct hmp *h, size_t n)
{
	for (; n && h->len; n--, h->len--)
		put(h, "\b \b", 3);
}

static void type(struct hmp *h, const char *text)
{
	for (; *text && h->len < LINE_MAX_LEN - 1; text++) {
		h->line[h->len++] = *text;
		put(h, text, 1);
	}
}

/* Shows history entry h->at + step. */
static void recall(struct hmp *h, int step)
{
	unsigned to = h->at + (unsigned)step;

	if (to > h->nhistory) /* also below the first: wrapped */
		return;
	h->at = to;
	erase(h, h->len);
	if (to < h->nhistory)
		type(h, h->history[to]);
}

static void complete(struct hmp *h)
{
	const struct hmp_cmd *t = cmds, *hit = NULL;
	const char *word = h->line;
	unsigned hits = 0;
	size_t len;

	h->line[h->len] = 0;
	if (!strncmp(word, "info ", 5)) {
		word += 5;
		t = hmp_info_cmds;
	}
	len = strlen(word);
	if (strchr(word, ' '))
		return;
	for (const struct hmp_cmd *c = t; c->name; c++) {
		if (!strncmp(c->name, word, len)) {
			hits++;
			hit = c;
		}
	}
	if (hits == 1) {
		type(h, hit->name + len);
		type(h, " ");
		return;
	}
	if (!hits)
		return;
	put(h, "\r\n", 2);
	for (const struct hmp_cmd *c = t; c->name; c++) {
		if (!strncmp(c->name, word, len))
			hmp_print(h, "%s\n", c->name);
	}
	prompt(h);
}

static void enter(struct hmp *h)
{
	h->line[h->len] = 0;
	put(h, "\r\n", 2);
	if (h->len)
		remember(h);
	h->len = 0;
	h->at = h->nhistory;
	execute(h, h->line);
	if (!h->vm->ending)
		prompt(h);
}

static void erase_word(struct hmp *h)
{
	while (h->len && h->line[h->len - 1] == ' ')
		erase(h, 1);
	while (h->len && h->line[h->len - 1] != ' ')
		erase(h, 1);
}

/* True when ch belonged to an escape sequence. */
static bool escape(struct hmp *h, unsigned char ch)
{
	if (ch == 27) {
		h->esc = 1;
		return true;
	}
	if (h->esc == 1) {
		h->esc = ch == '[' || ch == 'O' ? 2 : 0;
		return true;
	}
	if (h->esc == 2) {
		if (ch == 'A')
			recall(h, -1);
		else if (ch == 'B')
			recall(h, 1);
		/* Parameters go on; a letter or ~ ends the sequence. */
		if (ch >= 0x40)
			h->esc = 0;
		return true;
	}
	return false;
}

static void key(struct hmp *h, unsigned char ch)
{
	const char text[2] = {(char)ch, 0};

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
		erase(h, 1);
		break;
	case '\t':
		complete(h);
		break;
	case CTRL('U'):
		erase(h, h->len);
		break;
	case CTRL('W'):
		erase_word(h);
		break;
	case CTRL('P'):
		recall(h, -1);
		break;
	case CTRL('N'):
		recall(h, 1);
		break;
	default:
		if (isprint(ch) || ch >= 0x80)
			type(h, text);
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

static void on_opened(void *opaque)
{
	struct hmp *h = opaque;

	h->len = 0;
	h->esc = 0;
	h->last = 0;
	hmp_print(h, "vmwire %s monitor - type 'help' for more information\n", VMWIRE_VERSION);
	prompt(h);
}

static void on_closed(void *opaque)
{
	struct hmp *h = opaque;

	h->len = 0;
	/* On a mux the serial port goes on in a line of its own. */
	if (h->user == 1)
		put(h, "\r\n", 2);
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

static void markdown_table(const char *prefix, const struct hmp_cmd *t, FILE *out)
{
	for (; t->name; t++) {
		fprintf(out, "| `%s%s` ", prefix, t->name);
		for (const char *p = t->args; *p; p++)
			fprintf(out, *p == '|' ? "\\%c" : "%c", *p);
		fprintf(out, " | %s |\n", t->help);
	}
}

void hmp_markdown(FILE *out)
{
	fprintf(out, "\n# Monitor commands\n\n"
		     "Made from the command tables by `vmwire -help-markdown`; do not edit.\n\n"
		     "| command | meaning |\n|---|---|\n");
	markdown_table("", cmds, out);
	markdown_table("info ", hmp_info_cmds, out);
}
