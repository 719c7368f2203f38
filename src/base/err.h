/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An error is a negative errno plus one line of text for a person. Functions that
 * can fail take a `struct err *` last, fill it with err_set() and return what that
 * returned, so that "return err_set(e, EINVAL, ...)" is the whole error path.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
	int code;	/* positive errno, 0: no error */
	char text[508]; /* one line, no newline; names option, value, what is allowed, the remedy */
};

/* Sets *e (which may be NULL) and returns -code. code must be a positive errno. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "text: " in front of what *e says already and returns -e->code. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
