/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the VNC server listens: addresses, and sockets made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "display/vnc.h"

static int check(const char *address, unsigned to, struct err *e)
{
	const struct vnc_opts o = {.address = (char *)address, .to = to};

	return vnc_check(&o, e);
}

static void addresses(void **state)
{
	static const char *const good[] = {":0",	  "localhost:5", "127.0.0.1:99", "[::1]:1",
					   "unix:/tmp/x", "none",	 ":59635"};
	static const char *const bad[] = {"",
					  "1",
					  "localhost",
					  ":",
					  ":x",
					  ":-1",
					  ":1x",
					  ":59636",
					  "::1:1",
					  "unix:",
					  "localhost:5900000000000000000000"};
	struct err e;
	char path[200];

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(check(good[i], 0, &e), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(check(bad[i], 0, &e), -EINVAL);
		assert_non_null(strstr(e.text, "-vnc"));
	}
	memset(path, 'x', sizeof(path));
	memcpy(path, "unix:", 5);
	path[sizeof(path) - 1] = 0;
	assert_int_equal(check(path, 0, &e), -EINVAL);
	assert_int_equal(check("localhost:5", 4, &e), -EINVAL);
	assert_int_equal(check("unix:/tmp/x", 4, &e), -EINVAL);
}

static void the_next_free_port(void **state)
{
	struct vnc_opts o = {.address = "127.0.0.1:40000", .to = 40100};
	struct vnc_listen a, b, c;
	struct err e;

	(void)state;
	assert_int_equal(vnc_listen(&a, &o, &e), 0);
	assert_int_equal(vnc_listen(&b, &o, &e), 0);
	assert_string_not_equal(a.where, b.where);
	assert_non_null(strstr(a.where, "127.0.0.1:459"));
	o.to = 0;
	assert_int_equal(vnc_listen(&c, &o, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "port 45900"));
	assert_int_equal(c.fd[0], -1);
	vnc_listen_end(&a);
	vnc_listen_end(&b);
	assert_int_equal(vnc_listen(&c, &o, &e), 0);
	vnc_listen_end(&c);
}

static void unix_sockets(void **state)
{
	char dir[] = "/tmp/vncXXXXXX", address[64];
	const struct vnc_opts o = {.address = address};
	struct vnc_listen a, b;
	struct err e;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(address, sizeof(address), "unix:%s/s", dir);
	assert_int_equal(vnc_listen(&a, &o, &e), 0);
	assert_string_equal(a.where, address);
	/* In use: it stays. */
	assert_int_equal(vnc_listen(&b, &o, &e), -EADDRINUSE);
	vnc_listen_end(&b);
	assert_int_equal(access(address + 5, F_OK), 0);
	/* Left behind by somebody who has died: it is taken over. */
	close(a.fd[0]);
	a.fd[0] = -1;
	assert_int_equal(vnc_listen(&b, &o, &e), 0);
	vnc_listen_end(&b);
	assert_int_equal(access(address + 5, F_OK), -1);
	free(a.path);
	/* A file is not. */
	fd = creat(address + 5, 0600);
	close(fd);
	assert_int_equal(vnc_listen(&b, &o, &e), -EADDRINUSE);
	assert_int_equal(unlink(address + 5), 0);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(the_next_free_port),
		cmocka_unit_test(unix_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
