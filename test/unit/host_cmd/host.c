/* SPDX-License-Identifier: BSD-2-Clause */
/* The words behind vmwire host: what is parsed, corrected, refused. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host/host.h"

static const struct host_cmd *cmd;
static struct host_given given;
static char *shown;

static int parse(const char *text, struct err *e)
{
	char *argv[16], copy[256], *save = NULL;
	static char kept[256];
	size_t size;
	FILE *f;
	int argc = 0, rc;

	snprintf(copy, sizeof(copy), "%s", text);
	memcpy(kept, copy, sizeof(kept));
	for (char *w = strtok_r(kept, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	free(shown);
	shown = NULL;
	f = open_memstream(&shown, &size);
	assert_non_null(f);
	memset(e, 0, sizeof(*e));
	rc = host_parse(argc, argv, f, &cmd, &given, e);
	fclose(f);
	return rc;
}

static void good(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(parse("host bridge add br0 --uplink eth0 --stp=on --persist", &e), 0);
	assert_string_equal(cmd->words, "bridge add");
	assert_string_equal(given.arg[0], "br0");
	assert_string_equal(given.opt[0], "eth0");
	assert_string_equal(given.opt[1], "on");
	assert_string_equal(given.opt[2], "");
	assert_null(given.opt[3]);
	assert_int_equal(parse("host bridge add --persist=nm --uplink=eth0 br0", &e), 0);
	assert_string_equal(given.opt[2], "nm");
	assert_string_equal(given.arg[0], "br0");
	assert_int_equal(parse("host list", &e), 0);
	assert_string_equal(cmd->words, "list");
	assert_string_equal(shown, "");
}

static void helps(void **state)
{
	static const char *const lines[] = {"host", "host --help", "host help", "host bridge",
					    "host bridge --help"};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i], &e), 1);
		assert_non_null(strstr(shown, "vmwire host bridge add BRIDGE --uplink LINK\n"));
	}
	assert_int_equal(parse("host bridge add br0 --help", &e), 1);
	assert_non_null(strstr(shown, "\n  --stp on|off "));
	assert_non_null(strstr(shown, "\n  --persist[=KIND] "));
}

static void bad(void **state)
{
	static const char *const lines[][2] = {
		{"host brige", "host brige is not known: did you mean vmwire host bridge add?"},
		{"host brige del br0",
		 "host brige del is not known: did you mean vmwire host bridge del?"},
		{"host bridge dell br0",
		 "host bridge dell is not known: did you mean vmwire host bridge del?"},
		{"host lst", "host lst is not known: did you mean vmwire host list?"},
		{"host frobnicate",
		 "host frobnicate is not known: allowed are check, bridge add, bridge del, list"},
		{"host list x", "host list: x is a word too many: write vmwire host list "},
		{"host check --force",
		 "host check: --force is not an option; vmwire host check --help lists them"},
		{"host bridge del br0 --dry-rn",
		 "host bridge del: --dry-rn is not an option: did you mean --dry-run; vmwire host "
		 "bridge del --help lists them"},
		{"host bridge del br0 --force=1", "host bridge del: --force takes no value"},
		{"host bridge add br0 --timeout",
		 "host bridge add: --timeout is not complete: write --timeout S"},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i][0], &e), -EINVAL);
		assert_string_equal(e.text, lines[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(helps),
		cmocka_unit_test(bad),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	free(shown);
	return rc;
}
