/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the log as they leave: whole, with what -msg and -d asked for. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What fn() wrote to stderr. */
static void capture(void (*fn)(void), char *text, size_t size)
{
	FILE *f = tmpfile();
	int old = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(f);
	dup2(fileno(f), STDERR_FILENO);
	fn();
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(f);
	n = fread(text, 1, size - 1, f);
	text[n] = 0;
	fclose(f);
}

static void some(void)
{
	log_line("a %d", 1);
	log_warn("b");
	log_extra("process", "c");
	log_extra("cpu", "prefix of an item");
}

static void huge(void)
{
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_line("%s", text);
}

static void plain(void **state)
{
	char text[4096];

	(void)state;
	unsetenv(LOG_ENV_MSG);
	unsetenv(LOG_ENV_ITEMS);
	capture(some, text, sizeof(text));
	assert_string_equal(text, "vmwire: a 1\nvmwire: warning: b\n");
	capture(huge, text, sizeof(text));
	assert_int_equal(strlen(text), 1023);
	assert_int_equal(text[1022], '\n');
	assert_null(memchr(text, '\n', 1022));
}

static void items(void **state)
{
	char text[4096];

	(void)state;
	setenv(LOG_ENV_ITEMS, "cpu_reset,process", 1);
	capture(some, text, sizeof(text));
	assert_string_equal(text, "vmwire: a 1\nvmwire: warning: b\nvmwire: process: c\n");
	setenv(LOG_ENV_ITEMS, "processes", 1);
	capture(some, text, sizeof(text));
	assert_string_equal(text, "vmwire: a 1\nvmwire: warning: b\n");
	unsetenv(LOG_ENV_ITEMS);
}

static void prefixes(void **state)
{
	char text[4096];
	int year, n = 0;

	(void)state;
	setenv(LOG_ENV_MSG, "name=web,1", 1);
	capture(some, text, sizeof(text));
	assert_string_equal(text, "web,1 vmwire: a 1\nweb,1 vmwire: warning: b\n");
	setenv(LOG_ENV_MSG, "timestamp,name=web", 1);
	capture(some, text, sizeof(text));
	assert_int_equal(
		sscanf(text, "%d-%*2d-%*2dT%*2d:%*2d:%*2d.%*6dZ web vmwire: a 1%n", &year, &n), 1);
	assert_true(year > 2000 && n > 0);
	capture(huge, text, sizeof(text));
	assert_int_equal(strlen(text), 1023);
	unsetenv(LOG_ENV_MSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(items),
		cmocka_unit_test(prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
