/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's resolvers: as read at the start, and when the file changes. */
#include "net/user/resolv.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

static char dir[] = "/tmp/resolv-XXXXXX";
static char path[64];

static void put(const char *text)
{
	char new[80];
	FILE *f;

	snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	rename(new, path);
}

/* The next list, asked for like a loop that sees a query from time to time. */
static bool next(struct resolv *r, struct resolv_list *l)
{
	for (unsigned i = 0; i < 500; i++) {
		if (resolv_take(r, l))
			return true;
		usleep(10000);
	}
	return false;
}

static void reads(void **state)
{
	struct resolv_list l;
	struct resolv *r;
	struct err e;

	(void)state;
	put("# x\nsearch y\nnameserver 192.0.2.1\n nameserver ::1\nnameserver nonsense\n"
	    "nameserver fe80::1%lo\nnameserver 192.0.2.9\n");
	r = resolv_new(path, &e);
	assert_non_null(r);
	assert_true(resolv_take(r, &l)); /* at once */
	assert_int_equal(l.n, 3);
	assert_int_equal(l.server[0].v4.sin_addr.s_addr, inet_addr("192.0.2.1"));
	assert_int_equal(l.server[0].v4.sin_port, htons(53));
	assert_int_equal(l.server[1].sa.sa_family, AF_INET6);
	assert_int_equal(l.server[2].v6.sin6_scope_id, 1);
	usleep(50000);
	assert_false(resolv_take(r, &l)); /* the same file */
	put("nameserver 192.0.2.2\n");
	assert_true(next(r, &l));
	assert_int_equal(l.n, 1);
	assert_int_equal(l.server[0].v4.sin_addr.s_addr, inet_addr("192.0.2.2"));
	unlink(path);
	assert_true(next(r, &l));
	assert_int_equal(l.n, 1);
	assert_int_equal(l.server[0].v4.sin_addr.s_addr, inet_addr("127.0.0.1"));
	resolv_free(r);
	resolv_free(NULL);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/resolv.conf", dir);
	return 0;
}

static int drop_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads, make_dir, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
