/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of a program as the command line has them: nothing in them becomes another option. */
#include "bench.h"
#include "control/qmp_net.h"

static void texts(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} t[] = {
		{"{\"type\":\"user\"}", "user"},
		{"{\"id\":\"n\",\"type\":\"user\"}", "user,id=n"},
		{"{\"type\":\"user\",\"a\":true,\"b\":false,\"c\":-7,\"d\":\"\"}",
		 "user,a=on,b=off,c=-7,d="},
		{"{\"type\":\"u\",\"a\":\"x,b=y,,\"}", "u,a=x,,b=y,,,,"},
		{"{\"type\":\"u\",\"l\":[\"a\",\"b,\"]}", "u,l=a,l=b,,"},
		{"{\"type\":\"u\",\"l\":[{\"str\":\"a\"},{\"str\":\"b\"}]}", "u,l=a,l=b"},
		{"{\"type\":\"u\",\"l\":[]}", "u"},
		{"{\"type\":\"u\",\"a\":null}", NULL},
		{"{\"type\":\"u\",\"a\":1.5}", NULL},
		{"{\"type\":\"u\",\"a\":{\"str\":\"x\"}}", NULL},
		{"{\"type\":\"u\",\"a\":[[\"x\"]]}", NULL},
		{"{\"type\":\"u\",\"a\":[{\"str\":\"x\",\"b\":1}]}", NULL},
		{"{\"type\":\"u\",\"a,b\":\"x\"}", NULL},
		{"{\"type\":\"u\",\"a=b\":\"x\"}", NULL},
		{"{\"type\":\"u\",\"\":\"x\"}", NULL},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		json_t *args = json_loads(t[i].in, 0, NULL);
		struct err e;
		char *text = qmp_options(args, "type", "netdev_add", &e);

		if (t[i].out) {
			assert_string_equal(text, t[i].out);
		} else {
			assert_null(text);
			assert_non_null(strstr(e.text, "must be a string, a number"));
		}
		free(text);
		json_decref(args);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
