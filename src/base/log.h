/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines for a person on stderr, each prefixed "vmwire: ". No globals: stderr is the log, which -D
 * makes a file, and how lines look and which extra ones there are is in the environment, where
 * -msg and -d put it before the first thread starts.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

#define LOG_ENV_MSG   "VMWIRE_MSG" /* "timestamp", "name=TEXT" or both, by a comma; name last */
#define LOG_ENV_ITEMS "VMWIRE_LOG" /* items, by commas */

/* What -d can switch on; ends with a NULL name. */
struct log_item {
	const char *name, *help;
};
extern const struct log_item log_items[];

/* One line on stderr: "vmwire: text\n". Thread-safe (a single write). */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "vmwire: warning: text\n" */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "vmwire: item: text\n" when that item of log_items is switched on. Not for the data path. */
void log_extra(const char *item, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints the error's text as log_line() does. */
void log_err(const struct err *e);

#endif
