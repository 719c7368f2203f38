/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the values in QMP's input: see qmp_input.h.
 *
 * A value ends where its brackets do, whatever lines it was sent in, so bytes are only counted and
 * kept here; jansson reads the whole. On the way what QEMU takes beyond JSON is made JSON: strings
 * in single quotes. As in QEMU a byte that cannot be JSON, or a closing bracket without its opening
 * one, is answered at once and all that was open is forgotten; input is read again from the next
 * bracket, comma, colon or control character on. A value that is too long or too deep is counted to
 * its end without being kept.
 */
#include "control/qmp_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

void qmp_lex_reset(struct qmp_lex *x)
{
	free(x->buf);
	*x = (struct qmp_lex){.state = LEX_OUT};
}

static void refuse(struct qmp_lex *x, const char *why)
{
	if (!x->refused)
		x->refused = why;
	x->len = 0;
}

static void put(struct qmp_lex *x, char ch)
{
	if (x->refused)
		return;
	if (x->len == x->room) {
		size_t room = MAX(2 * x->room, 256u);
		char *grown = x->room < QMP_VALUE_MAX ? realloc(x->buf, room) : NULL;

		if (!grown) {
			refuse(x, "a value of more than 256 KiB");
			return;
		}
		x->buf = grown;
		x->room = room;
	}
	x->buf[x->len++] = ch;
}

/* All that was open is forgotten. */
static void start_over(struct qmp_lex *x)
{
	x->len = x->braces = x->brackets = 0;
	x->state = LEX_OUT;
	x->refused = NULL;
}

static enum qmp_lexed stray(struct qmp_lex *x, const char *what, unsigned char ch, struct err *e)
{
	start_over(x);
	x->state = LEX_LOST;
	if (ch > ' ' && ch < 0x7f)
		err_set(e, EINVAL, "JSON parse error: %s: '%c'", what, ch);
	else
		err_set(e, EINVAL, "JSON parse error: %s: byte 0x%02x", what, ch);
	return QMP_LEX_ERROR;
}

static enum qmp_lexed whole(struct qmp_lex *x, json_t **value, struct err *e)
{
	json_error_t why;
	const char *refused = x->refused;
	size_t len = x->len;

	start_over(x);
	if (refused) {
		err_set(e, E2BIG, "JSON parse error: %s", refused);
		return QMP_LEX_ERROR;
	}
	*value = json_loadb(x->buf, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
	if (*value)
		return QMP_LEX_VALUE;
	err_set(e, EINVAL, "JSON parse error: %.150s", why.text);
	for (char *p = e->text; *p; p++) {
		/* jansson quotes the input, which it may have cut inside a character. */
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
			*p = '?';
	}
	return QMP_LEX_ERROR;
}

static bool in_word(unsigned char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	       ch == '-' || ch == '+' || ch == '.' || ch == '_';
}

static bool is_open(const struct qmp_lex *x)
{
	return x->braces || x->brackets;
}

static enum qmp_lexed bracket(struct qmp_lex *x, unsigned char ch, json_t **value, struct err *e)
{
	unsigned *n = ch == '{' || ch == '}' ? &x->braces : &x->brackets;

	put(x, (char)ch);
	if (ch == '{' || ch == '[') {
		/* Counted further, or its end would not be found. */
		if (++*n + (n == &x->braces ? x->brackets : x->braces) > QMP_DEPTH_MAX)
			refuse(x, "more than 100 brackets in one another");
		return QMP_LEX_MORE;
	}
	if (!*n)
		return stray(x, "nothing was opened that this would close", ch, e);
	--*n;
	return is_open(x) ? QMP_LEX_MORE : whole(x, value, e);
}

static enum qmp_lexed outside(struct qmp_lex *x, unsigned char ch, json_t **value, struct err *e)
{
	switch (ch) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		return QMP_LEX_MORE;
	case '{':
	case '[':
	case '}':
	case ']':
		return bracket(x, ch, value, e);
	case '"':
	case '\'':
		x->quote = (char)ch;
		x->state = LEX_STRING;
		put(x, '"');
		return QMP_LEX_MORE;
	case ',':
	case ':':
		if (!is_open(x))
			return stray(x, "no value stands around this", ch, e);
		put(x, (char)ch);
		return QMP_LEX_MORE;
	default:
		if (!in_word(ch))
			return stray(x, "no JSON", ch, e);
		/* Two words do not become one. */
		put(x, ' ');
		put(x, (char)ch);
		x->state = LEX_WORD;
		return QMP_LEX_MORE;
	}
}

static enum qmp_lexed inside(struct qmp_lex *x, unsigned char ch, json_t **value, struct err *e)
{
	if (ch < ' ')
		return stray(x, "a control character in a string", ch, e);
	if (x->state == LEX_ESCAPE) {
		x->state = LEX_STRING;
		if (ch != '\'')
			put(x, '\\');
		put(x, (char)ch);
	} else if (ch == '\\') {
		x->state = LEX_ESCAPE;
	} else if (ch == (unsigned char)x->quote) {
		put(x, '"');
		x->state = LEX_OUT;
		if (!is_open(x))
			return whole(x, value, e);
	} else {
		if (ch == '"')
			put(x, '\\');
		put(x, (char)ch);
	}
	return QMP_LEX_MORE;
}

/* One byte; *again: it is to be looked at once more. */
static enum qmp_lexed step(struct qmp_lex *x, unsigned char ch, bool *again, json_t **value,
			   struct err *e)
{
	*again = false;
	switch (x->state) {
	case LEX_STRING:
	case LEX_ESCAPE:
		return inside(x, ch, value, e);
	case LEX_WORD:
		if (in_word(ch)) {
			put(x, (char)ch);
			return QMP_LEX_MORE;
		}
		*again = true;
		x->state = LEX_OUT;
		return is_open(x) ? QMP_LEX_MORE : whole(x, value, e);
	case LEX_LOST:
		if (ch >= ' ' && ch < 0xfe && !strchr("{}[],:", ch))
			return QMP_LEX_MORE;
		*again = ch >= ' ' && ch < 0xfe;
		x->state = LEX_OUT;
		return QMP_LEX_MORE;
	case LEX_OUT:
		break;
	}
	return outside(x, ch, value, e);
}

enum qmp_lexed qmp_lex(struct qmp_lex *x, const unsigned char *buf, size_t len, size_t *used,
		       json_t **value, struct err *e)
{
	enum qmp_lexed got = QMP_LEX_MORE;
	bool again;

	*value = NULL;
	for (*used = 0; *used < len && got == QMP_LEX_MORE; *used += !again)
		got = step(x, buf[*used], &again, value, e);
	return got;
}

/* --- commands ------------------------------------------------------------------------------- */

int qmp_request(json_t *value, struct qmp_request *r, struct err *e)
{
	const char *key;
	json_t *v;

	*r = (struct qmp_request){.command = NULL};
	if (!json_is_object(value))
		return err_set(e, EINVAL,
			       "a command is a JSON object, e.g. {\"execute\": "
			       "\"query-status\"}");
	r->id = json_object_get(value, "id");
	json_object_foreach(value, key, v)
	{
		if (!strcmp(key, "execute")) {
			if (!json_is_string(v))
				return err_set(e, EINVAL, "execute must be a string");
			r->command = json_string_value(v);
		} else if (!strcmp(key, "arguments")) {
			if (!json_is_object(v))
				return err_set(e, EINVAL, "arguments must be an object");
			r->args = v;
		} else if (strcmp(key, "id") != 0) {
			return err_set(e, EINVAL,
				       "%.60s is unexpected: a command has execute, arguments and "
				       "id",
				       key);
		}
	}
	return r->command ? 0 : err_set(e, EINVAL, "execute is missing");
}
