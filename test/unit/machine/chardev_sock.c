/* SPDX-License-Identifier: BSD-2-Clause */
/* Character devices over TCP and telnet: the protocol's own bytes, in any pieces; addresses; room
 * for output, and word when there is some again. UNIX sockets are in chardev.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "machine/chardev_priv.h"

static void telnet_bytes(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
		size_t left;
	} t[] = {
		{"abc", 3, "abc", 3},
		{"a\r\0b\r\n\0", 7, "a\rb\r\n\0", 6}, /* only behind a return */
		{"\xff\xfd\x01x\xff\xfb\x1fy", 8, "xy", 2},
		{"a\xff\xff"
		 "b",
		 4,
		 "a\xff"
		 "b",
		 3},
		{"\xff\xfa\x1f\x00\xff\xff\x18\xff\xf0z", 10, "z", 1},
		{"\xff\xf1!\xff\xf4?", 6, "!?", 2}, /* commands of two bytes */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		for (size_t step = 1; step <= t[i].len; step++) {
			struct chardev c = {.telnet = true};
			unsigned char out[16], buf[16];
			size_t n = 0;

			for (size_t at = 0; at < t[i].len; at += step) {
				size_t len = MIN(step, t[i].len - at);

				memcpy(buf, t[i].in + at, len);
				len = chr_telnet_input(&c, buf, len);
				memcpy(out + n, buf, len);
				n += len;
			}
			assert_int_equal(n, t[i].left);
			assert_memory_equal(out, t[i].out, n);
		}
	}
}

static void addresses(void **state)
{
	static const char *const bad[] = {
		"tcp:",		 "tcp:localhost", "tcp:localhost:", "tcp:[::1",
		"tcp:[::1]4444", "tcp:::1:4444",  "telnet:x"};
	struct err e;
	struct loop *l = loop_new("test", NULL, &e);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_null(chardev_open(l, "-qmp", bad[i], &e));
		assert_non_null(strstr(e.text, "give HOST:PORT, e.g. 127.0.0.1:4444"));
	}
	assert_null(chardev_open(l, "-qmp", "tcp:127.0.0.1:1", &e));
	assert_non_null(strstr(e.text, "cannot connect to 127.0.0.1:1: Connection refused"));
	assert_null(chardev_open(l, "-qmp", "tcp:192.0.2.1:1,server=on,wait=off", &e));
	assert_non_null(strstr(e.text, "cannot listen on 192.0.2.1:1: "));
	loop_free(l);
}

/* --- a client ------------------------------------------------------------------------------- */

struct user {
	_Atomic unsigned drained, closed;
};

static size_t on_input(void *opaque, const unsigned char *buf, size_t len)
{
	(void)opaque;
	(void)buf;
	return len;
}

static void on_drained(void *opaque)
{
	((struct user *)opaque)->drained++;
}

static void on_closed(void *opaque)
{
	((struct user *)opaque)->closed++;
}

static uint16_t free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static int dial(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

#define WAIT(cond)                                                                                 \
	do {                                                                                       \
		for (int i_ = 0; i_ < 1000 && !(cond); i_++)                                       \
			usleep(5000);                                                              \
		assert_true(cond);                                                                 \
	} while (0)

static void room(void **state)
{
	struct user u = {0};
	struct chardev_user user = {
		.input = on_input, .closed = on_closed, .opaque = &u, .drained = on_drained};
	static char block[32768], sink[65536];
	struct err e;
	struct loop *l = loop_new("test", NULL, &e);
	uint16_t port = free_port();
	char spec[64], name[64];
	struct chardev *c;
	int fd;

	(void)state;
	snprintf(spec, sizeof(spec), "telnet:127.0.0.1:%u,server=on,wait=off,nodelay=on", port);
	c = chardev_open(l, "-qmp", spec, &e);
	assert_non_null(c);
	chardev_attach(c, 0, &user);
	snprintf(name, sizeof(name), "telnet:127.0.0.1:%u,server=on", port);
	assert_string_equal(chardev_name(c), name);
	assert_false(chardev_is_open(c));
	assert_true(chardev_room(c) == SIZE_MAX); /* nobody reads */
	assert_int_equal(loop_start(l, &e), 0);
	fd = dial(port);
	WAIT(chardev_is_open(c));
	WAIT(chardev_room(c) == CHR_OUT_ROOM);
	/* What the kernel does not take waits, and there is room no more. */
	while (chardev_room(c) >= sizeof(block))
		chardev_write(c, 0, block, sizeof(block));
	assert_int_equal(u.drained, 0);
	while (chardev_room(c) < CHR_OUT_ROOM)
		assert_true(recv(fd, sink, sizeof(sink), 0) > 0);
	WAIT(u.drained > 0);
	close(fd);
	WAIT(u.closed == 1);
	assert_true(chardev_room(c) == SIZE_MAX);
	loop_stop(l);
	loop_join(l);
	chardev_close(c);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(telnet_bytes),
		cmocka_unit_test(addresses),
		cmocka_unit_test(room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
