/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: a line is formatted on the stack and leaves in one write(), so lines never interleave.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

const struct log_item log_items[] = {
	{"guest_errors", "what a guest's driver did against the rules, where it stops a device"},
	{"cpu_reset", "each reset of the machine"},
	{"process", "the steps of a start and an end: files, user, signals"},
	{"sandbox", "what each thread may still do"},
	{NULL, NULL},
};

/* Is `word` one of the comma-separated words of list? */
static bool listed(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, word, len) && (!p[len] || p[len] == ','))
			return true;
	}
	return false;
}

/* What -msg asked for, in front of the line. Returns its length, at most size - 1. */
static size_t put_prefix(char *buf, size_t size)
{
	const char *msg = getenv(LOG_ENV_MSG), *name;
	struct timeval tv;
	struct tm tm;
	size_t n = 0;
	int m;

	if (!msg)
		return 0;
	if (listed(msg, "timestamp") && !gettimeofday(&tv, NULL) && gmtime_r(&tv.tv_sec, &tm)) {
		n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
		m = snprintf(buf + n, size - n, ".%06ldZ ", (long)tv.tv_usec);
		n += m > 0 ? (size_t)m : 0;
	}
	name = strstr(msg, "name=");
	if (name) {
		m = snprintf(buf + n, size - n, "%.100s ", name + 5);
		n += m > 0 ? (size_t)m : 0;
	}
	return n;
}

static void emit(const char *prefix, const char *fmt, va_list ap)
{
	char buf[1024];
	size_t n = put_prefix(buf, sizeof(buf) / 2);
	int m;

	m = snprintf(buf + n, sizeof(buf) - n, "vmwire: %s", prefix);
	n += m > 0 ? (size_t)m : 0;
	m = vsnprintf(buf + n, sizeof(buf) - n - 1, fmt, ap);
	if (m < 0)
		return;
	n += (size_t)m;
	if (n > sizeof(buf) - 2)
		n = sizeof(buf) - 2;
	buf[n++] = '\n';
	/* Nobody to tell if stderr is gone. */
	if (write(STDERR_FILENO, buf, n) < 0)
		return;
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("", fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("warning: ", fmt, ap);
	va_end(ap);
}

void log_extra(const char *item, const char *fmt, ...)
{
	const char *items = getenv(LOG_ENV_ITEMS);
	char prefix[32];
	va_list ap;

	if (!items || !listed(items, item))
		return;
	snprintf(prefix, sizeof(prefix), "%s: ", item);
	va_start(ap, fmt);
	emit(prefix, fmt, ap);
	va_end(ap);
}

void log_err(const struct err *e)
{
	log_line("%s", e->text);
}
