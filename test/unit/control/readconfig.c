/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of options: what sections become, and how what is no section is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "control/cmdline.h"

/* Reads text as a file into *c, which the caller frees. */
static int read_text(const char *text, size_t len, struct config *c, struct err *e)
{
	char path[] = "/tmp/readconfig-XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	config_init(c);
	*e = (struct err){0};
	rc = cmd_readconfig(c, "-readconfig", path, stdout, e);
	unlink(path);
	return rc;
}

static void sections(void **state)
{
	static const char text[] = "# comment\n; another\r\n\n"
				   "[netdev \"n0\"]\n\ttype=\"user\"\n hostname = \"a,,b, c\" \r\n"
				   "[device]\n driver = \"e1000\"\n netdev = n0\n"
				   "[memory]\nsize = \"64\"\n"
				   "[ name ]\nguest=\"x = y\"";
	struct config c;
	struct err e;

	(void)state;
	assert_int_equal(read_text(text, sizeof(text) - 1, &c, &e), 0);
	assert_int_equal(c.nnet, 2);
	assert_string_equal(c.net[0].id, "n0");
	assert_string_equal(c.net[0].backend->name, "user");
	assert_string_equal(c.net[1].netdev, "n0");
	assert_string_equal(c.net[1].model->name, "e1000");
	assert_int_equal(c.ram, 64 << 20);
	assert_string_equal(c.name, "x = y");
	config_free(&c);
}

static void nothing(void **state)
{
	struct config c;
	struct err e;

	(void)state;
	assert_int_equal(read_text("", 0, &c, &e), 0);
	assert_int_equal(read_text("\n# x\n\n", 6, &c, &e), 0);
	config_free(&c);
}

static void slips(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{"[name", ":1: \"[name\" is neither "},
		{"[name]]", ":1: \"[name]]\" is neither "},
		{"[\"x\"]", ":1: \"[\"x\"]\" is neither "},
		{"[name \"x\" y]", ":1: \"[name \"x\" y]\" is neither "},
		{"[name]\nguest", ":2: \"guest\" is neither "},
		{"[name]\n= x", ":2: \"= x\" is neither "},
		{"[name]\na b = x", ":2: \"a b = x\" is neither "},
		{"[name]\nguest = \"x", ":2: \"\"x\" is neither "},
		{"[name]\nguest = \"", ":2: \"\"\" is neither "},
		{"\nguest = x", ":2: guest= stands in no section"},
		{"[name]\n\n[name]", ":1: section [name] is empty"},
		{"[nmae]\nguest = x", ":1: -nmae is not an option: did you mean -name?"},
		{"[netdev \"n\"]\ntype=user\n\n[m]\nsize=1", ":4: -m 1 is out of range"},
		{"[enable-kvm]\na=b", ":1: -enable-kvm takes no value"},
	};
	struct config c;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(read_text(bad[i].text, strlen(bad[i].text), &c, &e) < 0);
		if (!strstr(e.text, bad[i].want))
			fail_msg("%s\nsays: %s\nwant: %s", bad[i].text, e.text, bad[i].want);
		config_free(&c);
	}
}

static void limits(void **state)
{
	static char text[(1 << 20) + 100];
	struct config c;
	struct err e;

	(void)state;
	memset(text, '\n', sizeof(text));
	assert_int_equal(read_text(text, 1 << 20, &c, &e), 0);
	config_free(&c);
	assert_int_equal(read_text(text, (1 << 20) + 1, &c, &e), -EINVAL);
	config_free(&c);
	assert_int_equal(read_text("[name]\0", 7, &c, &e), -EINVAL);
	config_free(&c);
	/* A section of many short lines, and one of commas, which are doubled. */
	memcpy(text, "[name]\n", 8);
	for (unsigned i = 0; i < 1000; i++)
		memcpy(text + 7 + 8 * (size_t)i, "a=12345\n", 9);
	assert_int_equal(read_text(text, strlen(text), &c, &e), -E2BIG);
	config_free(&c);
	memcpy(text, "[name]\nguest=", 14);
	memset(text + 13, ',', 2100);
	text[2113] = 0;
	assert_int_equal(read_text(text, 2113, &c, &e), -E2BIG);
	config_free(&c);
	text[13 + 2000] = 0;
	assert_int_equal(read_text(text, 2013, &c, &e), 0);
	assert_int_equal(strlen(c.name), 2000);
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections),
		cmocka_unit_test(nothing),
		cmocka_unit_test(slips),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
