/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * -readconfig: a file of options in the form that QEMU reads and once wrote:
 *
 *	# a comment
 *	[netdev "n0"]
 *	  type = "user"
 *	[device]
 *	  driver = "virtio-net-pci"
 *	  netdev = "n0"
 *
 * Each section becomes the option of its name, with its lines as sub-options ("id" among them), and
 * is handled as if it stood on the command line, so nothing is known here of any of them. Sections
 * whose option is called otherwise are in a table, and so is the line that is an option's first
 * word. Messages begin with the file and the line of the section.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "control/cmdline.h"

#define FILE_MAX   (1u << 20)
#define OPTION_MAX 4096u

/* Sections that are not called as their options are, and what is an option's first word. */
static const struct {
	const char *group, *option, *first;
} groups[] = {
	{"memory", "m", NULL},	    {"smp-opts", "smp", NULL},	  {"boot-opts", "boot", NULL},
	{"netdev", NULL, "type"},   {"net", NULL, "type"},	  {"nic", NULL, "type"},
	{"device", NULL, "driver"}, {"chardev", NULL, "backend"}, {"object", NULL, "qom-type"},
	{"machine", NULL, "type"},  {"accel", NULL, "accel"},
};

struct section {
	char group[32], id[64], first[128];
	char text[OPTION_MAX]; /* ",key=value" … */
	size_t len;
	unsigned line;
};

struct reader {
	const char *path;
	struct config *c;
	FILE *out;
	unsigned line;
	struct section s; /* group "": none yet */
};

static const char *first_key(const char *group)
{
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!strcmp(groups[i].group, group))
			return groups[i].first;
	}
	return NULL;
}

static const char *option_of(const char *group)
{
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!strcmp(groups[i].group, group) && groups[i].option)
			return groups[i].option;
	}
	return group;
}

static int bad(const struct reader *r, const char *line, struct err *e)
{
	return err_set(e, EINVAL,
		       "%s:%u: \"%.60s\" is neither [section], [section \"id\"], key = \"value\" "
		       "nor a comment (#)",
		       r->path, r->line, line);
}

/* Adds ",key=value" with the value's commas doubled. */
static int add(const struct reader *r, struct section *s, const char *key, const char *value,
	       struct err *e)
{
	size_t need = strlen(key) + 2 * strlen(value) + 3;

	if (s->len + need > sizeof(s->text))
		return err_set(e, E2BIG, "%s:%u: the section is longer than %u bytes", r->path,
			       r->line, OPTION_MAX);
	s->len += (size_t)sprintf(s->text + s->len, ",%s=", key);
	for (; *value; value++) {
		if (*value == ',')
			s->text[s->len++] = ',';
		s->text[s->len++] = *value;
	}
	s->text[s->len] = 0;
	return 0;
}

/* The section that ends here becomes an option. */
static int finish(struct reader *r, struct err *e)
{
	struct section *s = &r->s;
	char arg[sizeof(s->text) + sizeof(s->first)];
	int rc = 0;

	if (!s->group[0])
		return 0;
	if (!strcmp(s->group, "readconfig"))
		return err_set(e, EINVAL,
			       "%s:%u: a file cannot read another: give -readconfig twice", r->path,
			       s->line);
	if (s->id[0])
		rc = add(r, s, "id", s->id, e);
	if (rc)
		return rc;
	if (!s->len && !s->first[0])
		return err_set(e, EINVAL, "%s:%u: section [%s] is empty", r->path, s->line,
			       s->group);
	snprintf(arg, sizeof(arg), "%s%s", s->first, s->first[0] ? s->text : s->text + 1);
	rc = cmdline_option(option_of(s->group), arg, r->c, r->out, e);
	if (rc < 0)
		return err_prefix(e, "%s:%u", r->path, s->line);
	return rc;
}

/* [group] or [group "id"] */
static int section(struct reader *r, char *line, struct err *e)
{
	struct section *s = &r->s;
	size_t len = strlen(line);
	int rc = finish(r, e), end = 0;

	if (rc)
		return rc;
	*s = (struct section){.line = r->line};
	if (sscanf(line, "[ %31[a-zA-Z0-9_-] \"%63[^\"]\" ]%n", s->group, s->id, &end) < 2 ||
	    (size_t)end != len) {
		s->id[0] = 0;
		end = 0;
		if (sscanf(line, "[ %31[a-zA-Z0-9_-] ]%n", s->group, &end) < 1 ||
		    (size_t)end != len)
			return bad(r, line, e);
	}
	return 0;
}

/* key = "value"; quotes may be left out. */
static int setting(struct reader *r, char *line, struct err *e)
{
	struct section *s = &r->s;
	char *eq = strchr(line, '='), *value, *end;
	const char *first = first_key(s->group);
	size_t key = strcspn(line, " \t=");

	if (!eq || !key || line + key + strspn(line + key, " \t") != eq)
		return bad(r, line, e);
	line[key] = 0;
	value = eq + 1 + strspn(eq + 1, " \t");
	end = value + strlen(value);
	if (*value == '"') {
		if (end < value + 2 || end[-1] != '"')
			return bad(r, value, e);
		value++;
		*--end = 0;
	}
	if (!s->group[0])
		return err_set(e, EINVAL,
			       "%s:%u: %.60s= stands in no section: write one before it, e.g. "
			       "[netdev \"n0\"]",
			       r->path, r->line, line);
	if (first && !strcmp(line, first) && !s->first[0] && *value &&
	    strlen(value) < sizeof(s->first) && !strchr(value, ',')) {
		snprintf(s->first, sizeof(s->first), "%s", value);
		return 0;
	}
	return add(r, s, line, value, e);
}

static int one_line(struct reader *r, char *line, struct err *e)
{
	size_t n = strlen(line);

	while (n && isspace((unsigned char)line[n - 1]))
		line[--n] = 0;
	while (isspace((unsigned char)*line))
		line++;
	if (!*line || *line == '#' || *line == ';')
		return 0;
	return *line == '[' ? section(r, line, e) : setting(r, line, e);
}

/* Up to FILE_MAX bytes and one more, so that a longer file shows. -1: errno. */
static ssize_t read_all(int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, FILE_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len <= FILE_MAX);
	return n < 0 ? -1 : (ssize_t)len;
}

/* The whole file as text; the caller frees it. NULL and e on error. */
static char *slurp(const char *name, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = malloc(FILE_MAX + 2);
	struct stat st;
	ssize_t n = -1;

	if (!text)
		err_set(e, ENOMEM, "%s %s: out of memory", name, path);
	else if (fd < 0 || fstat(fd, &st))
		err_set(e, errno, "%s %s: cannot be read: %s; give a file of options", name, path,
			strerror(errno));
	else if (!S_ISREG(st.st_mode))
		err_set(e, EINVAL, "%s %s: is no regular file: give a file of options", name, path);
	else if ((n = read_all(fd, text)) < 0)
		err_set(e, errno, "%s %s: cannot be read: %s; give a file of options", name, path,
			strerror(errno));
	else if (n > (ssize_t)FILE_MAX || memchr(text, 0, (size_t)n)) {
		err_set(e, EINVAL, "%s %s: is no text of at most 1 MiB: give a file of options",
			name, path);
		n = -1;
	}
	if (fd >= 0)
		close(fd);
	if (n >= 0) {
		text[n] = 0;
		return text;
	}
	free(text);
	return NULL;
}

int cmd_readconfig(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct reader *r;
	char *text = slurp(name, arg, e), *line, *rest = text;
	int rc = 0;

	if (!text)
		return -e->code;
	r = calloc(1, sizeof(*r));
	if (!r) {
		free(text);
		return err_set(e, ENOMEM, "out of memory");
	}
	r->path = arg;
	r->c = c;
	r->out = out;
	while (!rc && (line = strsep(&rest, "\n"))) {
		r->line++;
		rc = one_line(r, line, e);
	}
	if (!rc)
		rc = finish(r, e);
	free(r);
	free(text);
	return rc;
}
