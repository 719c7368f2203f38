/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines for a person on stderr, each prefixed "vmwire: ". No globals: stderr is the log. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

/* One line on stderr: "vmwire: text\n". Thread-safe (a single write). */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "vmwire: warning: text\n" */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints the error's text as log_line() does. */
void log_err(const struct err *e);

#endif
