/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option tables: see opt.h.
 *
 * A text "a=b,c=d" is taken apart into words (a doubled comma is a comma), each word is looked up
 * in the table and its value parsed by the option's type. A value parser knows neither the thing
 * nor the option it works for: it leaves in the error only what follows "name=value", for example
 * "is not a number: give 0 to 8, e.g. queues=0"; compose() puts what, name and value in front.
 * That keeps every message of the program in the same form.
 */
#include "base/opt.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define WORD_MAX 64 /* longest option name that is compared for a near-miss */

/* --- messages ------------------------------------------------------------------------------- */

/* A message is one line whatever the user typed: control characters become '?'. */
static int one_line(struct err *e, int rc)
{
	if (!e)
		return rc;
	for (char *p = e->text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	return rc;
}

/* "what: name=value reason", or "what value reason" where there is no name. */
static int compose(struct err *e, const char *what, const char *name, const char *value,
		   const struct err *why)
{
	if (name)
		return one_line(
			e, err_set(e, why->code, "%s: %s=%.100s %s", what, name, value, why->text));
	return one_line(e, err_set(e, why->code, "%s %.100s %s", what, value, why->text));
}

/* Appends to buf, cutting what does not fit. */
static void add(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add(char *buf, size_t size, const char *fmt, ...)
{
	size_t n = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	/* The analyzer loses ap. */
	vsnprintf(buf + n, size - n, fmt, ap); /* NOLINT(clang-analyzer-valist.Uninitialized) */
	va_end(ap);
}

/* Edits (insert, delete, replace, swap of neighbours) that make a into b, or 99 when too long. */
static unsigned distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned char d[3][WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return 99;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned char)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned char *cur = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];

		cur[0] = (unsigned char)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN(best, up[j] + 1u);
			best = MIN(best, cur[j - 1] + 1u);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, up2[j - 2] + 1u);
			cur[j] = (unsigned char)best;
		}
	}
	return d[la % 3][lb];
}

const char *opt_suggest(const char *wrong, const char *const *names)
{
	unsigned best = strlen(wrong) <= 3 ? 2 : 3;
	const char *found = NULL;

	for (; *names; names++) {
		unsigned n = distance(wrong, *names);

		if (n < best && n < strlen(*names)) {
			best = n;
			found = *names;
		}
	}
	return found;
}

/* --- values: each leaves in e what follows "name=value" -------------------------------------- */

/* What stands in front of an example: "e.g. queues=2" or "e.g. -m 2". */
struct ctx {
	const char *name; /* of the option, or NULL */
	const char *what; /* used when name is NULL */
};

static const char *eg(const struct ctx *c)
{
	return c->name ? c->name : c->what;
}

static char eg_sep(const struct ctx *c)
{
	return c->name ? '=' : ' ';
}

static int val_u32(const struct ctx *c, const char *v, uint64_t min, uint64_t max, uint32_t *out,
		   struct err *e)
{
	char *end;
	uint64_t n;

	if (!max)
		max = UINT32_MAX;
	errno = 0;
	n = strtoull(v, &end, v[0] == '0' && (v[1] == 'x' || v[1] == 'X') ? 16 : 10);
	if (!isdigit((unsigned char)v[0]) || *end)
		return err_set(e, EINVAL,
			       "is not a number: give %" PRIu64 " to %" PRIu64
			       ", e.g. %s%c%" PRIu64,
			       min, max, eg(c), eg_sep(c), MAX(min, 1u));
	if (errno || n < min || n > max)
		return err_set(e, ERANGE, "is out of range: give %" PRIu64 " to %" PRIu64, min,
			       max);
	*out = (uint32_t)n;
	return 0;
}

static int suffix_shift(char ch)
{
	static const char suffixes[] = "bkmgt";
	const char *p = ch ? strchr(suffixes, tolower((unsigned char)ch)) : NULL;

	return p ? (int)(p - suffixes) * 10 : -1;
}

/* Prints a size as a person would type it. */
static const char *size_text(uint64_t n, char buf[24])
{
	static const char suffixes[] = "BkMGT";
	unsigned i = 0;

	while (n && i < 4 && !(n & 1023)) {
		n >>= 10;
		i++;
	}
	snprintf(buf, 24, "%" PRIu64 "%c", n, suffixes[i]);
	return buf;
}

static int val_size(const struct ctx *c, const char *v, uint64_t unit, uint64_t min, uint64_t max,
		    uint64_t *out, struct err *e)
{
	char *end, lo[24], hi[24];
	bool mib = unit == 1u << 20;
	uint64_t n;
	int shift = 0;

	if (!unit)
		unit = 1;
	if (!max)
		max = UINT64_MAX;
	errno = 0;
	n = strtoull(v, &end, v[0] == '0' && (v[1] == 'x' || v[1] == 'X') ? 16 : 10);
	if (*end) {
		shift = suffix_shift(*end);
		unit = 1;
		if (shift >= 0)
			end++;
	}
	if (!isdigit((unsigned char)v[0]) || shift < 0 || *end)
		return err_set(e, EINVAL,
			       "is not a size: give a number%s with an optional suffix k, M, G or "
			       "T, e.g. %s%c512M",
			       mib ? " of MiB, or a number" : "", eg(c), eg_sep(c));
	if (errno || n > UINT64_MAX / unit || (shift && n > UINT64_MAX >> shift) ||
	    (n * unit) << shift < min || (n * unit) << shift > max)
		return err_set(e, ERANGE, "is out of range: give %s to %s", size_text(min, lo),
			       size_text(max, hi));
	*out = (n * unit) << shift;
	return 0;
}

static int val_bool(const struct ctx *c, const char *v, bool *out, struct err *e)
{
	static const char *const yes[] = {"on", "yes", "true"}, *const no[] = {"off", "no",
									       "false"};

	for (unsigned i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!strcmp(v, yes[i]) || !strcmp(v, no[i])) {
			*out = !strcmp(v, yes[i]);
			return 0;
		}
	}
	return err_set(e, EINVAL, "is neither on nor off: give %s=on or %s=off", eg(c), eg(c));
}

static int val_enum(const struct ctx *c, const char *v, const char *const *names, int *out,
		    struct err *e)
{
	char list[256] = "";
	const char *near;

	for (int i = 0; names[i]; i++) {
		if (!strcmp(v, names[i])) {
			*out = i;
			return 0;
		}
		add(list, sizeof(list), "%s%s", i ? ", " : "", names[i]);
	}
	near = opt_suggest(v, names);
	if (near)
		return err_set(e, EINVAL, "is not known: did you mean %s%c%s? Allowed: %s", eg(c),
			       eg_sep(c), near, list);
	return err_set(e, EINVAL, "is not known: allowed are %s", list);
}

static int hex_byte(const char **p)
{
	int n = 0, digits = 0;

	for (; digits < 2 && isxdigit((unsigned char)**p); digits++, (*p)++) {
		int ch = tolower((unsigned char)**p);

		n = n * 16 + (ch <= '9' ? ch - '0' : ch - 'a' + 10);
	}
	return digits ? n : -1;
}

static int val_mac(const struct ctx *c, const char *v, uint8_t mac[6], struct err *e)
{
	const char *p = v;
	uint8_t m[6];
	static const uint8_t zero[6];

	for (unsigned i = 0; i < 6; i++) {
		int n = hex_byte(&p);

		if (n < 0 || (i < 5 && *p != ':' && *p != '-') || (i == 5 && *p))
			return err_set(e, EINVAL,
				       "is not a MAC address: give six hexadecimal bytes, e.g. "
				       "%s%c52:54:00:12:34:56",
				       eg(c), eg_sep(c));
		m[i] = (uint8_t)n;
		p++;
	}
	/* A station's address has the group bit clear: IEEE 802, 8.2. */
	if (m[0] & 1 || !memcmp(m, zero, 6))
		return err_set(e, EINVAL,
			       "is not the address of one card: give one whose first byte is even "
			       "and that is not all zero, e.g. %s%c52:54:00:12:34:56",
			       eg(c), eg_sep(c));
	memcpy(mac, m, 6);
	return 0;
}

static int val_ip4(const struct ctx *c, const char *v, struct in_addr *out, struct err *e)
{
	if (inet_pton(AF_INET, v, out) == 1)
		return 0;
	return err_set(e, EINVAL, "is not an IPv4 address: give four numbers, e.g. %s%c10.0.2.2",
		       eg(c), eg_sep(c));
}

/* Length of a contiguous netmask, or -1. */
static int mask_prefix(uint32_t mask)
{
	uint32_t m = ntohl(mask);
	int n = __builtin_popcount(m);

	return n == 0 || m == UINT32_MAX << (32 - n) ? n : -1;
}

static int val_ip4net(const struct ctx *c, const char *v, struct opt_ip4net *out, struct err *e)
{
	const char *slash = strchr(v, '/');
	size_t len = slash ? (size_t)(slash - v) : strlen(v);
	char addr[INET_ADDRSTRLEN] = "", *end;
	struct in_addr a, m;
	long prefix = 24;

	if (len < sizeof(addr))
		snprintf(addr, sizeof(addr), "%.*s", (int)len, v);
	if (slash && inet_pton(AF_INET, slash + 1, &m) == 1) {
		prefix = mask_prefix(m.s_addr);
	} else if (slash) {
		prefix = strtol(slash + 1, &end, 10);
		if (!isdigit((unsigned char)slash[1]) || *end)
			prefix = -1;
	}
	if (inet_pton(AF_INET, addr, &a) != 1 || prefix < 0 || prefix > 32)
		return err_set(e, EINVAL,
			       "is not an IPv4 network: give address/prefix length, e.g. "
			       "%s%c10.0.2.0/24",
			       eg(c), eg_sep(c));
	*out = (struct opt_ip4net){.addr = a.s_addr, .prefix = (uint8_t)prefix, .set = true};
	return 0;
}

static int val_addr4(const struct ctx *c, const char *v, struct sockaddr_in *out, struct err *e)
{
	const char *colon = strchr(v, ':');
	size_t len = colon ? (size_t)(colon - v) : strlen(v);
	struct sockaddr_in sa = {.sin_family = AF_INET};
	char addr[INET_ADDRSTRLEN] = "", *end;
	unsigned long port = 0;

	if (len < sizeof(addr))
		snprintf(addr, sizeof(addr), "%.*s", (int)len, v);
	if (colon) {
		port = strtoul(colon + 1, &end, 10);
		if (!isdigit((unsigned char)colon[1]) || *end)
			port = UINT16_MAX + 1ul;
	}
	if (inet_pton(AF_INET, addr, &sa.sin_addr) != 1 || port > UINT16_MAX)
		return err_set(e, EINVAL,
			       "is not an IPv4 address with an optional port: give a.b.c.d or "
			       "a.b.c.d:port, e.g. %s%c192.168.1.1:53",
			       eg(c), eg_sep(c));
	sa.sin_port = htons((uint16_t)port);
	*out = sa;
	return 0;
}

static int val_str(const char *v, char **out, struct err *e)
{
	char *s = strdup(v);

	if (!s)
		return err_set(e, ENOMEM, "cannot be kept: out of memory");
	free(*out);
	*out = s;
	return 0;
}

static int val_list(const char *v, struct opt_list *l, struct err *e)
{
	char **grown = realloc(l->v, (l->n + 1) * sizeof(*grown));

	if (grown)
		l->v = grown;
	if (!grown || !(grown[l->n] = strdup(v)))
		return err_set(e, ENOMEM, "cannot be kept: out of memory");
	l->n++;
	return 0;
}

/* Parses value into o's member of out; e gets what follows "name=value". */
static int set_value(const struct opt *o, const char *v, void *out, struct err *e)
{
	const struct ctx c = {.name = o->name};
	void *field = (char *)out + o->off;
	struct err why = {0};
	int rc;

	switch (o->type) {
	case OPT_STR:
		return val_str(v, field, e);
	case OPT_BOOL:
		return val_bool(&c, v, field, e);
	case OPT_U32:
		return val_u32(&c, v, o->min, o->max, field, e);
	case OPT_SIZE:
		return val_size(&c, v, o->unit, o->min, o->max, field, e);
	case OPT_ENUM:
		return val_enum(&c, v, o->names, field, e);
	case OPT_MAC: {
		struct opt_mac *m = field;

		rc = val_mac(&c, v, m->b, e);
		m->set = m->set || !rc;
		return rc;
	}
	case OPT_IP4:
		return val_ip4(&c, v, field, e);
	case OPT_IP4NET:
		return val_ip4net(&c, v, field, e);
	case OPT_ADDR4:
		return val_addr4(&c, v, field, e);
	case OPT_LIST:
		return val_list(v, field, e);
	case OPT_CUSTOM:
		rc = o->parse(v, out, &why);
		/* The parser may say the whole sentence or only what is allowed. */
		if (rc)
			err_set(e, -rc, "is not possible: %s", why.text);
		return rc;
	}
	return err_set(e, EINVAL, "has a type that the table misspells");
}

/* --- tables --------------------------------------------------------------------------------- */

static const struct opt *find(const struct opt_table *t, const char *name)
{
	for (const struct opt *o = t->opts; o && o->name; o++) {
		if (!strcmp(o->name, name))
			return o;
	}
	return NULL;
}

const char *opt_arg_text(const struct opt *o, const char *sep, char *buf, size_t size)
{
	static const char *const by_type[] = {
		[OPT_STR] = "text",
		[OPT_BOOL] = "on|off",
		[OPT_U32] = "n",
		[OPT_SIZE] = "size",
		[OPT_MAC] = "mac",
		[OPT_IP4] = "a.b.c.d",
		[OPT_LIST] = "text",
		[OPT_CUSTOM] = "value",
		[OPT_IP4NET] = "a.b.c.d/n",
		[OPT_ADDR4] = "a.b.c.d[:port]",
	};

	if (o->arg)
		return o->arg;
	if (o->type != OPT_ENUM)
		return by_type[o->type];
	buf[0] = 0;
	for (unsigned i = 0; o->names[i]; i++)
		add(buf, size, "%s%s", i ? sep : "", o->names[i]);
	return buf;
}

static int unknown(const struct opt_table *t, const char *what, const char *word, const char *name,
		   struct err *e)
{
	const char *names[128], *near, *eq = strchr(word, '=');
	char list[400] = "";
	unsigned n = 0;

	for (const struct opt *o = t->opts; o && o->name && n + 1 < ARRAY_SIZE(names); o++) {
		names[n] = o->name;
		if (!o->missing)
			add(list, sizeof(list), "%s%s", list[0] ? ", " : "", o->name);
		n++;
	}
	names[n] = NULL;
	if (!list[0])
		return one_line(e,
				err_set(e, EINVAL, "%s: %.100s is not possible: it has no options",
					what, word));
	near = opt_suggest(name, names);
	if (near)
		return one_line(e, err_set(e, EINVAL,
					   "%s: %.100s is not an option: did you mean %s%.100s? "
					   "Allowed: %s",
					   what, word, near, eq ? eq : "", list));
	return one_line(e, err_set(e, EINVAL, "%s: %.100s is not an option: allowed are %s", what,
				   word, list));
}

/* An option named without a value that is no boolean. */
static int no_value(const struct opt *o, const char *what, struct err *e)
{
	char buf[256];

	return err_set(e, EINVAL, "%s: %s needs a value: give %s=%s", what, o->name, o->name,
		       opt_arg_text(o, "|", buf, sizeof(buf)));
}

static int set_found(const struct opt *o, const char *what, const char *value, void *out,
		     struct err *e)
{
	struct err why = {0};

	if (o->missing)
		return err_set(e, ENOTSUP, "%s: %s: %s", what, o->name, o->missing);
	if (!value && o->type == OPT_BOOL)
		value = "on";
	if (!value)
		return no_value(o, what, e);
	if (!set_value(o, value, out, &why))
		return 0;
	return compose(e, what, o->name, value, &why);
}

int opt_set(const struct opt_table *t, const char *what, const char *name, const char *value,
	    void *out, struct err *e)
{
	const struct opt *o = find(t, name);

	return o ? set_found(o, what, value, out, e) : unknown(t, what, name, name, e);
}

/* Takes the next word off *text into buf, a doubled comma becoming one. */
static void next_word(const char **text, char *buf)
{
	const char *p = *text;

	for (; *p; p++) {
		if (*p == ',' && p[1] == ',')
			p++;
		else if (*p == ',')
			break;
		*buf++ = *p;
	}
	*buf = 0;
	*text = *p ? p + 1 : p;
}

/* One word, "name=value", "name" or (the first only) a value of the implied option. word is
 * put back as it was before anything is said about it. */
static int set_word(const struct opt_table *t, const char *what, char *word, bool first, void *out,
		    struct err *e)
{
	char *eq = strchr(word, '=');
	const struct opt *o;
	int rc;

	if (!eq && first && t->implied && !find(t, word))
		return opt_set(t, what, t->implied, word, out, e);
	if (eq)
		*eq = 0;
	o = find(t, word);
	if (o) {
		rc = set_found(o, what, eq ? eq + 1 : NULL, out, e);
	} else if (!eq && !strncmp(word, "no", 2) && (o = find(t, word + 2)) &&
		   o->type == OPT_BOOL) {
		/* The old short form: nowait for wait=off. */
		rc = set_found(o, what, "off", out, e);
	} else {
		char name[WORD_MAX + 2];

		snprintf(name, sizeof(name), "%.*s", WORD_MAX + 1, word);
		if (eq)
			*eq = '=';
		rc = unknown(t, what, word, name, e);
	}
	return rc;
}

int opt_parse(const struct opt_table *t, const char *what, const char *text, void *out,
	      struct err *e)
{
	char *word = malloc(strlen(text) + 1);
	bool first = true;
	int rc = 0;

	opt_init(t, out);
	if (!word)
		return err_set(e, ENOMEM, "%s: out of memory", what);
	while (!rc && *text) {
		next_word(&text, word);
		if (!*word)
			rc = err_set(e, EINVAL,
				     "%s: a comma stands where an option is expected: "
				     "leave it out",
				     what);
		else
			rc = set_word(t, what, word, first, out, e);
		first = false;
	}
	free(word);
	if (rc)
		opt_free(t, out);
	return rc;
}

void opt_init(const struct opt_table *t, void *out)
{
	memset(out, 0, t->size);
	if (t->defaults)
		t->defaults(out);
}

void opt_free(const struct opt_table *t, void *out)
{
	for (const struct opt *o = t->opts; o && o->name; o++) {
		void *field = (char *)out + o->off;

		if (o->missing)
			continue;
		if (o->type == OPT_STR) {
			/* Two names of one member: the second finds NULL. */
			free(*(char **)field);
			*(char **)field = NULL;
		} else if (o->type == OPT_LIST) {
			struct opt_list *l = field;

			for (unsigned i = 0; i < l->n; i++)
				free(l->v[i]);
			free(l->v);
			*l = (struct opt_list){0};
		} else if (o->type == OPT_CUSTOM && o->release) {
			o->release(out);
		}
	}
	memset(out, 0, t->size);
}

void opt_help(const struct opt_table *t, FILE *f)
{
	char buf[256];
	int width = 0;

	for (const struct opt *o = t->opts; o && o->name; o++) {
		int n = (int)(strlen(o->name) + 1 + strlen(opt_arg_text(o, "|", buf, sizeof(buf))));

		if (!o->missing && n <= 32)
			width = MAX(width, n);
	}
	for (const struct opt *o = t->opts; o && o->name; o++) {
		const char *arg = opt_arg_text(o, "|", buf, sizeof(buf));
		int n = (int)(strlen(o->name) + 1 + strlen(arg));

		if (o->missing)
			continue;
		if (n > width)
			fprintf(f, "  %s=%s\n  %*s  %s\n", o->name, arg, width, "",
				o->help ? o->help : "");
		else
			fprintf(f, "  %s=%s%*s  %s\n", o->name, arg, width - n, "",
				o->help ? o->help : "");
	}
}

/* --- single values -------------------------------------------------------------------------- */

int opt_parse_size(const char *what, const char *value, uint64_t unit, uint64_t min, uint64_t max,
		   uint64_t *out, struct err *e)
{
	const struct ctx c = {.what = what};
	struct err why = {0};

	return val_size(&c, value, unit, min, max, out, &why) ? compose(e, what, NULL, value, &why)
							      : 0;
}

int opt_parse_u32(const char *what, const char *value, uint32_t min, uint32_t max, uint32_t *out,
		  struct err *e)
{
	const struct ctx c = {.what = what};
	struct err why = {0};

	return val_u32(&c, value, min, max, out, &why) ? compose(e, what, NULL, value, &why) : 0;
}

int opt_parse_mac(const char *what, const char *value, uint8_t mac[6], struct err *e)
{
	const struct ctx c = {.what = what};
	struct err why = {0};

	return val_mac(&c, value, mac, &why) ? compose(e, what, NULL, value, &why) : 0;
}
