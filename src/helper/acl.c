/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules, a line each: `allow NAME`, `deny NAME`, `include FILE`; `all` names every bridge; blank
 * lines and what follows a # count for nothing. Order does not matter: denied anywhere is denied,
 * else allowed anywhere is allowed, else denied.
 *
 * A rule that is not understood ends in a refusal, whatever the others say. An included file that
 * is not there or that this user may not read is passed over: that is how rules for some users are
 * written. The files are read with the user's own rights.
 */
#include "helper/acl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE  512
#define DEPTH 8u
#define BLANK " \t\r\n"

struct rules {
	const char *br;
	uid_t owner;
	bool allowed, denied;
	char *why;
	size_t size;
};

/* What stands behind the reason: the file and the line. */
static bool bad(const struct rules *r, const char *path, unsigned line, const char *why)
{
	if (line)
		snprintf(r->why, r->size, "%.200s:%u: %s", path, line, why);
	else
		snprintf(r->why, r->size, "%.200s: %s", path, why);
	return false;
}

/* NULL, and errno: not there or not readable; errno 0: not to be trusted, *why is filled. */
static FILE *open_trusted(const struct rules *r, const char *path)
{
	/* Not to wait for a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *why = NULL;
	struct stat st;
	FILE *f = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st))
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "it is not a regular file";
	else if (st.st_uid != r->owner)
		why = "it does not belong to root";
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		why = "others than root can write it: chmod go-w";
	else
		f = fdopen(fd, "r");
	if (f)
		return f;
	close(fd);
	bad(r, path, 0, why ? why : "no memory");
	errno = 0;
	return NULL;
}

static bool read_file(struct rules *r, const char *path, unsigned depth);

static bool include(struct rules *r, const char *path, unsigned line, const char *file,
		    unsigned depth)
{
	if (*file != '/')
		return bad(r, path, line, "include needs a path that begins with a slash");
	if (depth == DEPTH)
		return bad(r, path, line, "too many files include one another");
	if (read_file(r, file, depth + 1) || errno == ENOENT || errno == EACCES)
		return true;
	/* errno is 0 when the file was read and something in it is wrong. */
	return errno ? bad(r, path, line, strerror(errno)) : false;
}

/* One line, which it may change. */
static bool rule(struct rules *r, const char *path, unsigned line, char *text, unsigned depth)
{
	char *save, *verb, *name, *more;
	bool match;

	text[strcspn(text, "#")] = '\0';
	verb = strtok_r(text, BLANK, &save);
	if (!verb)
		return true;
	name = strtok_r(NULL, BLANK, &save);
	more = strtok_r(NULL, BLANK, &save);
	errno = 0;
	if (!name || more)
		return bad(r, path, line,
			   "a rule has two words: allow, deny or include, and a name");
	match = !strcmp(name, "all") || !strcmp(name, r->br);
	if (!strcmp(verb, "allow"))
		r->allowed |= match;
	else if (!strcmp(verb, "deny"))
		r->denied |= match;
	else if (!strcmp(verb, "include"))
		return include(r, path, line, name, depth);
	else
		return bad(r, path, line, "a rule begins with allow, deny or include");
	return true;
}

static bool read_file(struct rules *r, const char *path, unsigned depth)
{
	FILE *f = open_trusted(r, path);
	char text[LINE];
	unsigned line = 0;
	bool good = true;

	if (!f)
		return false;
	while (good && fgets(text, sizeof(text), f)) {
		line++;
		if (strlen(text) == sizeof(text) - 1 && text[sizeof(text) - 2] != '\n')
			good = bad(r, path, line, "the line is too long");
		else
			good = rule(r, path, line, text, depth);
	}
	if (good && ferror(f))
		good = bad(r, path, line, "it cannot be read");
	fclose(f);
	errno = 0;
	return good;
}

bool acl_allows(const char *path, const char *br, uid_t owner, char *why, size_t size)
{
	struct rules r = {.br = br, .owner = owner, .why = why, .size = size};

	if (!read_file(&r, path, 0)) {
		if (errno)
			snprintf(why, size,
				 "%.200s: %s; its administrator allows a bridge with "
				 "the line \"allow %s\" there",
				 path, strerror(errno), br);
		return false;
	}
	if (r.denied)
		snprintf(why, size, "bridge %s is denied to you by %.200s", br, path);
	else if (!r.allowed)
		snprintf(why, size,
			 "bridge %s is not allowed to you by %.200s; the line \"allow %s\" there "
			 "would",
			 br, path, br);
	return r.allowed && !r.denied;
}
