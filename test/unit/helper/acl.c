/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's rules: denied beats allowed, nothing said is denied, what cannot be trusted is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper/acl.h"

struct bench {
	char dir[32], main[64], more[64], why[400];
};

static void put(const char *path, mode_t mode, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static bool allows(struct bench *b, const char *br)
{
	b->why[0] = '\0';
	return acl_allows(b->main, br, getuid(), b->why, sizeof(b->why));
}

#define SAYS(b, words) assert_non_null(strstr((b)->why, words))

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	strcpy(b->dir, "/tmp/acl.XXXXXX");
	if (!mkdtemp(b->dir))
		return -1;
	snprintf(b->main, sizeof(b->main), "%s/bridge.conf", b->dir);
	snprintf(b->more, sizeof(b->more), "%s/more.conf", b->dir);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	unlink(b->main);
	unlink(b->more);
	rmdir(b->dir);
	free(b);
	return 0;
}

static void rules(void **state)
{
	static const struct {
		const char *text;
		bool br0, br1;
	} t[] = {
		{"", false, false},
		{"allow br0\n", true, false},
		{"allow br0", true, false},
		{"  allow\tbr0  # the LAN\n\n# allow br1\n", true, false},
		{"allow all\n", true, true},
		{"deny br1\nallow all\n", true, false},
		{"allow all\ndeny br1\n", true, false},
		{"allow br0\ndeny all\n", false, false},
		{"deny br0\n", false, false},
		{"allow br\nallow br00\n", false, false},
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		put(b->main, 0644, t[i].text);
		if (allows(b, "br0") != t[i].br0 || allows(b, "br1") != t[i].br1)
			fail_msg("%s", t[i].text);
	}
	put(b->main, 0644, "allow br0\n");
	allows(b, "br1");
	SAYS(b, "bridge br1 is not allowed");
	SAYS(b, "\"allow br1\"");
	put(b->main, 0644, "deny br1\n");
	allows(b, "br1");
	SAYS(b, "bridge br1 is denied");
}

static void nonsense(void **state)
{
	static const char *const t[] = {"allow br0\nallow\n", "allow br0\npermit br1\n",
					"allow br0\nallow br1 br2\n",
					"allow br0\ninclude more.conf\n", "allow br0\nALLOW br1\n"};
	struct bench *b = *state;
	char line[700];

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		put(b->main, 0644, t[i]);
		assert_false(allows(b, "br0"));
		SAYS(b, "bridge.conf:2: ");
	}
	memset(line, ' ', sizeof(line));
	snprintf(line + 600, sizeof(line) - 600, "allow br0\n");
	put(b->main, 0644, line);
	assert_false(allows(b, "br0"));
	SAYS(b, "too long");
}

static void includes(void **state)
{
	struct bench *b = *state;
	char text[160];

	snprintf(text, sizeof(text), "allow br1\ninclude %s\n", b->more);
	put(b->main, 0644, text);
	assert_true(allows(b, "br1")); /* more.conf is not there */
	assert_false(allows(b, "br0"));
	put(b->more, 0640, "allow br0\ndeny br1\n");
	assert_true(allows(b, "br0"));
	assert_false(allows(b, "br1"));
	put(b->more, 0644, "alow br0\n");
	assert_false(allows(b, "br1"));
	SAYS(b, "more.conf:1: ");
	put(b->more, 0664, "allow br0\n");
	assert_false(allows(b, "br1"));
	SAYS(b, "chmod go-w");
	/* Neither missing nor forbidden: a file in place of a folder. */
	put(b->more, 0644, "");
	snprintf(text, sizeof(text), "allow br0\ninclude %s/x\n", b->more);
	put(b->main, 0644, text);
	assert_false(allows(b, "br0"));
	SAYS(b, "Not a directory");
	/* One that includes itself. */
	snprintf(text, sizeof(text), "allow br0\ninclude %s\n", b->main);
	put(b->main, 0644, text);
	assert_false(allows(b, "br0"));
	SAYS(b, "include one another");
}

static void trust(void **state)
{
	struct bench *b = *state;

	assert_false(allows(b, "br0"));
	SAYS(b, "No such file");
	SAYS(b, "\"allow br0\"");
	put(b->main, 0666, "allow br0\n");
	assert_false(allows(b, "br0"));
	SAYS(b, "chmod go-w");
	put(b->main, 0644, "allow br0\n");
	assert_false(acl_allows(b->main, "br0", getuid() + 1, b->why, sizeof(b->why)));
	SAYS(b, "does not belong to root");
	assert_false(acl_allows(b->dir, "br0", getuid(), b->why, sizeof(b->why)));
	SAYS(b, "not a regular file");
	unlink(b->main);
	assert_int_equal(mkfifo(b->main, 0644), 0);
	assert_false(allows(b, "br0"));
	SAYS(b, "not a regular file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rules, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nonsense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(includes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(trust, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("acl", tests, NULL, NULL);
}
