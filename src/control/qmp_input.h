/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QMP's input: JSON values out of a stream of bytes, and what a value must look like to be a
 * command. Knows no VM, so that it can be fuzzed by itself.
 */
#ifndef CONTROL_QMP_INPUT_H
#define CONTROL_QMP_INPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define QMP_VALUE_MAX (256u << 10) /* bytes of one value */
#define QMP_DEPTH_MAX 100u	   /* brackets in one another */

/* Zeroed to start with. */
struct qmp_lex {
	char *buf; /* the value so far, as strict JSON */
	size_t len, room;
	unsigned braces, brackets;
	enum { LEX_OUT, LEX_WORD, LEX_STRING, LEX_ESCAPE, LEX_LOST } state;
	char quote;
	const char *refused; /* the value is too much: why; its rest is only counted */
};

enum qmp_lexed {
	QMP_LEX_MORE,  /* all bytes are used up; the value, if one has begun, is not whole */
	QMP_LEX_VALUE, /* *value is one: the caller's reference */
	QMP_LEX_ERROR, /* e says what is wrong; what stands there is passed over */
};

/* Takes bytes from buf until a value is whole or something is wrong; *used: how many. */
enum qmp_lexed qmp_lex(struct qmp_lex *x, const unsigned char *buf, size_t len, size_t *used,
		       json_t **value, struct err *e);
/* Forgets what has come in; frees. */
void qmp_lex_reset(struct qmp_lex *x);

/* A command, borrowed from its value. */
struct qmp_request {
	const char *command;
	json_t *args; /* an object, or NULL */
	json_t *id;   /* NULL: none; set also when the rest is wrong */
};

/* Returns 0, or -errno with e. */
int qmp_request(json_t *value, struct qmp_request *r, struct err *e);

#endif
