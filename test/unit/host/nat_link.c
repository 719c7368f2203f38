/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between guests and holder: what is taken, what is not. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "net/host/nat_link.h"

static int fds[2];
static const struct nat_msg good = {.magic = NAT_MAGIC,
				    .type = NAT_MSG_HELLO,
				    .net = {.name = "vmwire0", .addr = 0x0a000000, .prefix = 24}};

static bool through(const struct nat_msg *m)
{
	struct nat_msg out;
	bool again = false, got;

	assert_true(nat_msg_send(fds[0], m));
	got = nat_msg_read(fds[1], &out, &again);
	assert_false(again);
	return got && !memcmp(&out, m, sizeof(out));
}

static void taken(void **state)
{
	struct nat_msg m = good;

	(void)state;
	assert_true(through(&m));
	m.net.prefix = 0; /* any */
	m.net.addr = 0;
	assert_true(through(&m));
	m.type = NAT_MSG_CARDS;
	m.n = NAT_CARDS;
	assert_true(through(&m));
}

static void not_taken(void **state)
{
	struct nat_msg m = good;

	(void)state;
	m.magic++;
	assert_false(through(&m));
	m = good;
	m.type = NAT_MSG_TELL + 1;
	assert_false(through(&m));
	m = good;
	m.n = NAT_CARDS + 1;
	assert_false(through(&m));
	m = good;
	m.net.prefix = 33;
	assert_false(through(&m));
	m.net.prefix = 24;
	m.net.addr = 0x0a000001;
	assert_false(through(&m));
	m = good;
	strcpy(m.net.name, "../../x");
	assert_false(through(&m));
	memset(m.net.name, 'x', sizeof(m.net.name));
	assert_false(through(&m));
	/* Texts without an end get one. */
	m = good;
	m.type = NAT_MSG_TELL;
	memset(m.text, 'x', sizeof(m.text));
	assert_false(through(&m));
}

static void ends(void **state)
{
	struct nat_msg m;
	bool again;

	(void)state;
	assert_false(nat_msg_read(fds[1], &m, &again));
	assert_true(again);
	assert_int_equal(send(fds[0], "short", 5, 0), 5);
	assert_false(nat_msg_read(fds[1], &m, &again));
	assert_false(again);
	close(fds[0]);
	assert_false(nat_msg_read(fds[1], &m, &again));
	assert_false(again);
	assert_false(nat_msg_send(fds[1], &good));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(not_taken),
		cmocka_unit_test(ends),
	};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
