/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's options about firmware: what it boots from, and what it says of the machine.
 */
#include <errno.h>
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

int cmd_uuid(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	unsigned n = 0;

	(void)out;
	if (strlen(arg) != 36)
		goto bad;
	for (const char *p = arg; *p; p++) {
		bool dash = p - arg == 8 || p - arg == 13 || p - arg == 18 || p - arg == 23;
		int v = hex_digit(*p);

		if (dash != (*p == '-') || (!dash && v < 0))
			goto bad;
		if (dash)
			continue;
		c->boot.uuid[n / 2] = (uint8_t)(c->boot.uuid[n / 2] << 4 | v);
		n++;
	}
	return 0;
bad:
	return err_set(e, EINVAL,
		       "%s %.60s: allowed are 32 hexadecimal digits in groups of 8-4-4-4-12, e.g. "
		       "6a2e3c1c-8f4b-4c1e-9d5a-0123456789ab",
		       name, arg);
}
