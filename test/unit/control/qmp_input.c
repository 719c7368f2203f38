/* SPDX-License-Identifier: BSD-2-Clause */
/* Values out of a stream: whole, in pieces, broken, too large; and what makes one a command. */
#include "control/qmp_input.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

/* Reads text in pieces of `step` bytes and writes what came of it: values as compact JSON, "E" for
 * an error, parted by blanks. */
static void lex(const char *text, size_t step, char *out, size_t size)
{
	struct qmp_lex x = {.len = 0};
	size_t len = strlen(text), used;
	struct err e;

	*out = 0;
	for (size_t at = 0; at < len; at += used) {
		json_t *v;
		enum qmp_lexed got = qmp_lex(&x, (const unsigned char *)text + at,
					     MIN(step, len - at), &used, &v, &e);
		char *dump = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

		assert_true(used <= MIN(step, len - at));
		assert_true((got == QMP_LEX_VALUE) == (v != NULL));
		if (got == QMP_LEX_MORE)
			assert_int_equal(used, MIN(step, len - at));
		else
			snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? " " : "",
				 dump ? dump : "E");
		if (got == QMP_LEX_ERROR)
			assert_memory_equal(e.text, "JSON parse error", 16);
		free(dump);
		json_decref(v);
	}
	qmp_lex_reset(&x);
}

static void streams(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{"", ""},
		{" \r\n\t", ""},
		{"{}", "{}"},
		{"{}{}", "{} {}"},
		{"{\"a\":[1,{\"b\":null}]}\r\n[]", "{\"a\":[1,{\"b\":null}]} []"},
		{"{'a':'b\"c\\'d'}", "{\"a\":\"b\\\"c'd\"}"},
		{"{\"a\":\"}{][\"}", "{\"a\":\"}{][\"}"},
		{"{\"a\":\"\\\"}\"}", "{\"a\":\"\\\"}\"}"},
		{"42 true null \"x\" 'y' ", "42 true null \"x\" \"y\""},
		{"1 2", "1"}, /* the second may go on */
		{"{\"a\": 1 2}", "E"},
		{"foo\n{}", "E {}"},
		{"{\"a\":tru}", "E"},
		{"@@@\n{}", "E {}"},
		{"@ {}", "E {}"},
		{"}{}", "E {}"}, /* the stray one is passed over */
		{"] \n[]", "E []"},
		{", \n{}", "E {}"},
		{"{\"a\": @ }\n{}", "E E {}"}, /* its closing bracket has lost its opening one */
		{"\"a\nb\"\n{}", "E {}"},
		{"{\"a\":1,\"a\":2}", "E"},
		{"{]}", "E E"},
		{"[{]}\n{}", "E {}"},
		{"\xff\n{}", "E {}"},
		{"{\"a\":\"\x80\"}", "E"},
		{"[1e999]", "E"},
		{"[\"\\u0000\"]", "E"},
	};
	char out[256];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		for (size_t step = 1; step < 8; step++) {
			lex(t[i].in, step, out, sizeof(out));
			if (strcmp(out, t[i].out) != 0)
				fail_msg("%s: %s, not %s", t[i].in, out, t[i].out);
		}
	}
}

/* n times ch, then behind. */
static char *many(char ch, size_t n, const char *behind)
{
	char *text = malloc(n + strlen(behind) + 1);

	assert_non_null(text);
	memset(text, ch, n);
	strcpy(text + n, behind);
	return text;
}

static void limits(void **state)
{
	char *deep = many('[', 100, ""), *deeper = many('[', 101, ""), *quote = many('"', 1, "");
	char *close = many(']', 101, "{}"), *text, out[512];

	(void)state;
	text = malloc(2 * QMP_VALUE_MAX);
	assert_non_null(text);
	snprintf(text, QMP_VALUE_MAX, "%s%s", deep, close + 1);
	lex(text, 7, out, sizeof(out));
	assert_int_equal(out[0], '[');
	snprintf(text, QMP_VALUE_MAX, "%s%s", deeper, close);
	lex(text, 7, out, sizeof(out));
	assert_string_equal(out, "E {}");
	/* One byte under the limit, and one over; the buffer never grows further. */
	for (int over = 0; over < 2; over++) {
		struct qmp_lex x = {.len = 0};
		char *a = many('a', QMP_VALUE_MAX - 2 + over, "\"");
		size_t used;
		json_t *v;
		struct err e;

		snprintf(text, 2 * QMP_VALUE_MAX, "%s%s", quote, a);
		assert_int_equal(qmp_lex(&x, (unsigned char *)text, strlen(text), &used, &v, &e),
				 over ? QMP_LEX_ERROR : QMP_LEX_VALUE);
		assert_int_equal(used, strlen(text));
		assert_true(x.room <= QMP_VALUE_MAX);
		json_decref(v);
		qmp_lex_reset(&x);
		free(a);
	}
	free(text);
	free(deep);
	free(deeper);
	free(close);
	free(quote);
}

static void requests(void **state)
{
	static const struct {
		const char *in, *error;
	} t[] = {
		{"{\"execute\":\"stop\"}", NULL},
		{"{\"execute\":\"stop\",\"arguments\":{},\"id\":[1]}", NULL},
		{"[]", "a command is a JSON object"},
		{"{}", "execute is missing"},
		{"{\"execute\":1}", "execute must be a string"},
		{"{\"execute\":\"stop\",\"arguments\":1}", "arguments must be an object"},
		{"{\"exec-oob\":\"stop\"}", "exec-oob is unexpected"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		json_t *v = json_loads(t[i].in, 0, NULL);
		struct qmp_request r;
		struct err e;
		int rc = qmp_request(v, &r, &e);

		assert_int_equal(rc, t[i].error ? -EINVAL : 0);
		if (t[i].error)
			assert_non_null(strstr(e.text, t[i].error));
		else
			assert_string_equal(r.command, "stop");
		assert_true((r.id != NULL) == (i == 1));
		json_decref(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams),
		cmocka_unit_test(limits),
		cmocka_unit_test(requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
