/* SPDX-License-Identifier: BSD-2-Clause */
/* libnftables behind a small door: owners, transactions, errors, answers. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include <stdio.h>

#include "net/host/nft.h"
#include "netns.h"

static void owner(void **state)
{
	struct err e = {0};
	struct host_nft *a = host_nft_open(&e), *b = host_nft_open(&e);
	char *text;

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(host_nft_run(a, "table inet mine {\n flags owner;\n chain c { }\n}\n", &e),
			 0);
	/* Somebody else's flush leaves it alone; nobody else may change it. */
	assert_int_equal(host_nft_run(b, "flush ruleset", &e), 0);
	assert_int_equal(host_nft_run(b, "add chain inet mine d", &e), -EPERM);
	assert_non_null(strstr(e.text, "CAP_NET_ADMIN"));
	text = host_nft_text(b, "list tables", &e);
	assert_non_null(strstr(text, "table inet mine"));
	free(text);
	host_nft_close(a);
	text = host_nft_text(b, "list tables", &e);
	assert_null(strstr(text, "mine"));
	free(text);
	host_nft_close(b);
}

static void all_or_nothing(void **state)
{
	struct err e = {0};
	struct host_nft *n = host_nft_open(&e);
	char *text;

	(void)state;
	assert_true(host_nft_run(n, "add table ip a\nadd chain ip nowhere c\n", &e) < 0);
	assert_int_equal(e.code, ENOENT);
	assert_null(strchr(e.text, '\n'));
	assert_true(host_nft_run(n, "this is no rule", &e) < 0);
	assert_non_null(strstr(e.text, "syntax error"));
	text = host_nft_json(n, "list tables", &e);
	assert_non_null(strstr(text, "\"nftables\""));
	assert_null(strstr(text, "\"a\""));
	free(text);
	assert_null(host_nft_json(n, "list table ip nowhere", &e));
	host_nft_close(n);
	host_nft_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owner),
		cmocka_unit_test(all_or_nothing),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
