/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * -smbios: what the machine says of itself. Each type has a table of its own; all of them fill one
 * structure, so that an option that is given again adds to what is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/cmdline.h"

#define TYPE                                                                                       \
	{                                                                                          \
		.name = "type", .type = OPT_U32, .off = offsetof(struct smbios_conf, type),        \
		.max = 127, .arg = "n", .help = "which structure"                                  \
	}
#define TEXT(name_, which_, help_)                                                                 \
	{                                                                                          \
		.name = (name_), .type = OPT_STR,                                                  \
		.off = offsetof(struct smbios_conf, text) + (which_) * sizeof(char *),             \
		.arg = "text", .help = (help_)                                                     \
	}

static int parse_release(const char *value, void *out, struct err *e)
{
	struct smbios_conf *s = out;
	unsigned major, minor;
	char rest;

	if (sscanf(value, "%3u.%3u%c", &major, &minor, &rest) != 2 || major > UINT8_MAX ||
	    minor > UINT8_MAX)
		return err_set(e, EINVAL, "allowed are two numbers up to 255: 1.2");
	s->release[0] = (uint8_t)major;
	s->release[1] = (uint8_t)minor;
	s->release_given = true;
	return 0;
}

/* The UUID of type 1 is that of -uuid; it is kept behind the texts of the structure below. */
struct parsed {
	struct smbios_conf s; /* first: what the tables' offsets go by */
	uint8_t uuid[16];
	bool uuid_given;
};

static int parse_uuid(const char *value, void *out, struct err *e)
{
	struct parsed *p = out;

	p->uuid_given = true;
	if (cmd_parse_uuid(value, p->uuid))
		return 0;
	return err_set(e, EINVAL, "allowed are 32 hexadecimal digits in groups of 8-4-4-4-12");
}

static const struct opt type0[] = {
	TYPE,
	TEXT("vendor", BIOS_VENDOR, "the BIOS vendor"),
	TEXT("version", BIOS_VERSION, "its version"),
	TEXT("date", BIOS_DATE, "its date, month/day/year"),
	{"release", OPT_CUSTOM, .arg = "major.minor", .parse = parse_release,
	 .help = "its release"},
	{"uefi", OPT_BOOL, offsetof(struct smbios_conf, uefi),
	 .help = "on: it is said to be UEFI (default off)"},
	{NULL},
};
static const struct opt type1[] = {
	TYPE,
	TEXT("manufacturer", SYSTEM_MANUFACTURER, "of the system (default vmwire)"),
	TEXT("product", SYSTEM_PRODUCT, "its name"),
	TEXT("version", SYSTEM_VERSION, "its version"),
	TEXT("serial", SYSTEM_SERIAL, "its serial number"),
	{"uuid", OPT_CUSTOM, .arg = "uuid", .parse = parse_uuid, .help = "as -uuid"},
	TEXT("sku", SYSTEM_SKU, "its SKU number"),
	TEXT("family", SYSTEM_FAMILY, "its family"),
	{NULL},
};
static const struct opt type2[] = {
	TYPE,
	TEXT("manufacturer", BOARD_MANUFACTURER, "of the board (default vmwire)"),
	TEXT("product", BOARD_PRODUCT, "its name"),
	TEXT("version", BOARD_VERSION, "its version"),
	TEXT("serial", BOARD_SERIAL, "its serial number"),
	TEXT("asset", BOARD_ASSET, "its asset tag"),
	TEXT("location", BOARD_LOCATION, "where it is in the chassis"),
	{NULL},
};
static const struct opt type3[] = {
	TYPE,
	TEXT("manufacturer", CHASSIS_MANUFACTURER, "of the chassis (default vmwire)"),
	TEXT("version", CHASSIS_VERSION, "its version"),
	TEXT("serial", CHASSIS_SERIAL, "its serial number"),
	TEXT("asset", CHASSIS_ASSET, "its asset tag"),
	TEXT("sku", CHASSIS_SKU, "its SKU number"),
	{NULL},
};
static const struct opt type11[] = {
	TYPE,
	{"value", OPT_LIST, offsetof(struct smbios_conf, oem), .arg = "text",
	 .help = "a text for the guest; may be given more than once"},
	{"path", OPT_STR, .missing = "not implemented yet: give value="},
	{NULL},
};

const struct opt_table smbios_tables[] = {
	{"-smbios type=0", "the BIOS", NULL, type0, sizeof(struct parsed), NULL},
	{"-smbios type=1", "the system", NULL, type1, sizeof(struct parsed), NULL},
	{"-smbios type=2", "the board", NULL, type2, sizeof(struct parsed), NULL},
	{"-smbios type=3", "the chassis", NULL, type3, sizeof(struct parsed), NULL},
	{"-smbios type=11", "texts for the guest", NULL, type11, sizeof(struct parsed), NULL},
	{NULL},
};

void cmd_smbios_free(struct smbios_conf *s)
{
	for (unsigned i = 0; i < SMBIOS_TEXTS; i++)
		free(s->text[i]);
	for (unsigned i = 0; i < s->oem.n; i++)
		free(s->oem.v[i]);
	free(s->oem.v);
	*s = (struct smbios_conf){0};
}

/* Moves from's texts to `to`. */
static int merge(struct smbios_conf *to, struct smbios_conf *from, struct err *e)
{
	char **v;

	for (unsigned i = 0; i < SMBIOS_TEXTS; i++) {
		if (!from->text[i])
			continue;
		free(to->text[i]);
		to->text[i] = from->text[i];
		from->text[i] = NULL;
	}
	to->bios |= from->type == 0;
	to->board |= from->type == 2;
	to->uefi |= from->uefi;
	if (from->release_given) {
		memcpy(to->release, from->release, sizeof(to->release));
		to->release_given = true;
	}
	if (!from->oem.n)
		return 0;
	v = realloc(to->oem.v, (to->oem.n + from->oem.n) * sizeof(*v));
	if (!v)
		return err_set(e, ENOMEM, "-smbios: out of memory");
	to->oem.v = v;
	memcpy(v + to->oem.n, from->oem.v, from->oem.n * sizeof(*v));
	to->oem.n += from->oem.n;
	from->oem.n = 0;
	return 0;
}

/* The table of the type that arg names, wherever in it. */
static const struct opt_table *table_of(const char *arg)
{
	const char *p = strncmp(arg, "type=", 5) ? strstr(arg, ",type=") : arg - 1;
	char want[24];

	if (!p)
		return NULL;
	snprintf(want, sizeof(want), "-smbios type=%.*s", (int)MIN(strcspn(p + 6, ","), 8u), p + 6);
	for (const struct opt_table *t = smbios_tables; t->name; t++)
		if (!strcmp(t->name, want))
			return t;
	return NULL;
}

int cmd_smbios(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	const struct opt_table *t = table_of(arg);
	struct parsed p;
	int rc;

	if (cmd_is_help(arg)) {
		for (t = smbios_tables; t->name; t++) {
			fprintf(out, "%s (%s):\n", t->summary, t->name);
			opt_help(t, out);
		}
		return CMDLINE_DONE;
	}
	if (!t)
		return err_set(e, EINVAL,
			       "%s %.60s: allowed are type=0, 1, 2, 3 and 11 with their texts: %s "
			       "help lists them (file= and other types are not implemented yet)",
			       name, arg, name);
	rc = opt_parse(t, name, arg, &p, e);
	if (rc)
		return rc;
	rc = merge(&c->smbios, &p.s, e);
	if (!rc && p.uuid_given)
		memcpy(c->boot.uuid, p.uuid, sizeof(p.uuid));
	cmd_smbios_free(&p.s);
	return rc;
}
