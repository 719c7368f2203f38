/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's options about firmware: what it boots from, and what it says of the machine.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/cmdline.h"

#define DEFAULT_ORDER "cad" /* as QEMU's PC has it; the network comes after these */

void cmd_boot_defaults(struct boot_conf *b)
{
	*b = (struct boot_conf){.order = DEFAULT_ORDER, .menu_wait = -1, .fail_wait = -2};
}

/* --- -boot ---------------------------------------------------------------------------------- */

static const char *const letters_allowed =
	"allowed are a (floppy), c (disk), d (CD), n (network), each once, at most three";

static int parse_letters(const char *value, char to[BOOT_ORDER_MAX + 1], struct err *e)
{
	size_t n = strlen(value);

	if (!n || n > BOOT_ORDER_MAX || strspn(value, "abcdn") != n)
		return err_set(e, EINVAL, "%s", letters_allowed);
	for (size_t i = 0; i < n; i++)
		if (strchr(value + i + 1, value[i]))
			return err_set(e, EINVAL, "%s", letters_allowed);
	memcpy(to, value, n + 1);
	return 0;
}

static int parse_order(const char *value, void *out, struct err *e)
{
	return parse_letters(value, ((struct boot_conf *)out)->order, e);
}

static int parse_once(const char *value, void *out, struct err *e)
{
	return parse_letters(value, ((struct boot_conf *)out)->once, e);
}

static int parse_ms(const char *value, int min, int *to, struct err *e)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(value, &end, 10);
	if (end == value || *end || errno || v < min || v > UINT16_MAX)
		return err_set(e, EINVAL, "allowed are %d to %d (milliseconds)", min, UINT16_MAX);
	*to = (int)v;
	return 0;
}

static int parse_splash_time(const char *value, void *out, struct err *e)
{
	return parse_ms(value, 0, &((struct boot_conf *)out)->menu_wait, e);
}

static int parse_reboot_timeout(const char *value, void *out, struct err *e)
{
	return parse_ms(value, -1, &((struct boot_conf *)out)->fail_wait, e);
}

static void defaults(void *out)
{
	cmd_boot_defaults(out);
}

static const struct opt boot_opts[] = {
	{"order", OPT_CUSTOM, .arg = "letters", .parse = parse_order,
	 .help = "a: floppy, c: disk, d: CD, n: network, at most three (default cad, then n); a "
		 "device's bootindex= comes before"},
	{"once", OPT_CUSTOM, .arg = "letters", .parse = parse_once,
	 .help = "the same for the first boot only"},
	{"menu", OPT_BOOL, offsetof(struct boot_conf, menu),
	 .help = "the firmware's boot menu (default off)"},
	{"splash-time", OPT_CUSTOM, .arg = "ms", .parse = parse_splash_time,
	 .help = "how long the menu is offered (default: the firmware's)"},
	{"reboot-timeout", OPT_CUSTOM, .arg = "ms", .parse = parse_reboot_timeout,
	 .help = "start again so long after nothing could be booted; -1: never (default: the "
		 "firmware's)"},
	{"strict", OPT_BOOL, offsetof(struct boot_conf, strict),
	 .help = "boot from devices with a bootindex= only (default off)"},
	{"splash", OPT_STR, .missing = "not implemented yet: there is no picture to be seen"},
	{NULL},
};
const struct opt_table boot_table = {"-boot",	"what firmware boots from", "order",
				     boot_opts, sizeof(struct boot_conf),   defaults};

int cmd_boot(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct boot_conf b;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "Boot (%s):\n", name);
		opt_help(&boot_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&boot_table, name, arg, &b, e);
	if (rc)
		return rc;
	memcpy(b.uuid, c->boot.uuid, sizeof(b.uuid));
	b.nfiles = c->boot.nfiles;
	c->boot = b;
	c->boot_given = true;
	return 0;
}

/* --- -uuid ---------------------------------------------------------------------------------- */

static int hex_digit(char ch)
{
	const char *digits = "0123456789abcdef", *p = ch ? strchr(digits, ch | 0x20) : NULL;

	return p ? (int)(p - digits) : -1;
}

bool cmd_parse_uuid(const char *text, uint8_t uuid[16])
{
	unsigned n = 0;

	if (strlen(text) != 36)
		return false;
	for (const char *p = text; *p; p++) {
		bool dash = p - text == 8 || p - text == 13 || p - text == 18 || p - text == 23;
		int v = hex_digit(*p);

		if (dash != (*p == '-') || (!dash && v < 0))
			return false;
		if (dash)
			continue;
		uuid[n / 2] = (uint8_t)(uuid[n / 2] << 4 | v);
		n++;
	}
	return true;
}

int cmd_uuid(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	(void)out;
	if (cmd_parse_uuid(arg, c->boot.uuid))
		return 0;
	return err_set(e, EINVAL,
		       "%s %.60s: allowed are 32 hexadecimal digits in groups of 8-4-4-4-12, e.g. "
		       "6a2e3c1c-8f4b-4c1e-9d5a-0123456789ab",
		       name, arg);
}

/* --- files for the guest -------------------------------------------------------------------- */

struct fw_cfg_args {
	char *name, *file, *string;
};

#define OFF(m) offsetof(struct fw_cfg_args, m)
static const struct opt fw_cfg_opts[] = {
	{"name", OPT_STR, OFF(name), .arg = "name",
	 .help = "what the guest finds it by, at most 55 bytes: opt/…"},
	{"file", OPT_STR, OFF(file), .arg = "path", .help = "a file of the host's that it holds"},
	{"string", OPT_STR, OFF(string), .arg = "text", .help = "or the text that it holds"},
	{"gen_id", OPT_STR, .missing = "not implemented yet: give file= or string="},
	{NULL},
};
#undef OFF
const struct opt_table fw_cfg_table = {"-fw_cfg",
				       "a file for the guest's firmware and programs",
				       "name",
				       fw_cfg_opts,
				       sizeof(struct fw_cfg_args),
				       NULL};

/* The strings are the entry's from here on, also after an error. */
static int add_file(struct config *c, const struct boot_file *f, struct err *e)
{
	struct boot_file *v = realloc(c->file, (c->boot.nfiles + 1) * sizeof(*v));

	if (v)
		c->file = v;
	if (v && f->option && f->name) {
		v[c->boot.nfiles++] = *f;
		return 0;
	}
	free(f->option);
	free(f->name);
	free(f->path);
	free(f->text);
	return err_set(e, ENOMEM, "out of memory");
}

static char *as_typed(const char *name, const char *arg)
{
	char *s;

	return asprintf(&s, "%s %s", name, arg) < 0 ? NULL : s;
}

int cmd_fw_cfg(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct fw_cfg_args a;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "Files of firmware configuration (%s):\n", name);
		opt_help(&fw_cfg_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&fw_cfg_table, name, arg, &a, e);
	if (rc)
		return rc;
	if (!a.name || !a.name[0] || !a.file == !a.string) {
		opt_free(&fw_cfg_table, &a);
		return err_set(e, EINVAL,
			       "%s %.60s: give name= and either file= or string=, e.g. %s "
			       "name=opt/org.example.x,string=hello",
			       name, arg, name);
	}
	return add_file(c, &(struct boot_file){as_typed(name, arg), a.name, a.file, a.string}, e);
}

int cmd_option_rom(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	const char *base = strrchr(arg, '/');
	struct boot_file f = {as_typed(name, arg), NULL, strdup(arg), NULL};

	(void)out;
	/* SeaBIOS runs what is there. */
	if (asprintf(&f.name, "genroms/%s", base ? base + 1 : arg) < 0)
		f.name = NULL;
	return add_file(c, &f, e);
}
