/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper's protocol from our side (T6): what it is told, what it may answer. This program is
 * its own helper when it is called with the words of the protocol; test/wire/tap_host.sh has real
 * ones.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/backend/tap.h"
#include "net/backend/tap_helper.h"

static char self[256];

/* --- as helper ------------------------------------------------------------------------------- */

static int make_tap(void)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(r.ifr_name, "helped");
	return ioctl(fd, TUNSETIFF, &r) ? -1 : fd;
}

static void send_fds(int n, const int *fd)
{
	char control[CMSG_SPACE(4 * sizeof(int))] = {0}, byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(c), fd, (size_t)n * sizeof(int));
	sendmsg(3, &m, 0);
}

/* What it does is the bridge's name. */
static int helper(int argc, char **argv)
{
	const char *br = argv[argc - 1];
	int fd[2] = {open("/dev/null", O_RDWR), -1};

	if (argc != 4 || strcmp(argv[1], "--use-vnet") != 0 || strcmp(argv[2], "--fd=3") != 0) {
		fprintf(stderr, "wrong words: %d\n", argc);
		return 9;
	}
	if (!strcmp(br, "--br=tap")) {
		fd[0] = make_tap();
		send_fds(1, fd);
	} else if (!strcmp(br, "--br=null")) {
		send_fds(1, fd);
	} else if (!strcmp(br, "--br=two")) {
		fd[1] = fd[0];
		fd[0] = make_tap();
		send_fds(2, fd);
	} else if (!strcmp(br, "--br=byte")) {
		return send(3, "x", 1, 0) != 1;
	} else if (!strcmp(br, "--br=lines")) {
		fprintf(stderr, "first\nsecond \x1b[1m\n");
		return 4;
	} else if (!strcmp(br, "--br=late")) {
		/* Sent, but the verdict is the exit status. */
		send_fds(1, fd);
		return 5;
	}
	return 0;
}

/* --- the tests -------------------------------------------------------------------------------- */

static unsigned files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct net_port *run(const char *command, const char *br, struct err *e)
{
	struct net_port *p = NULL;
	int rc;

	*e = (struct err){0};
	rc = tap_open_helper(command, br, TAP_SNDBUF_NONE, "t", &p, e);
	assert_int_equal(!rc, p != NULL);
	return p;
}

static void refused(const char *command, const char *br, const char *words)
{
	struct err e;
	unsigned before = files();

	assert_null(run(command, br, &e));
	if (!strstr(e.text, words))
		fail_msg("\"%s\" not in \"%s\"", words, e.text);
	assert_int_equal(files(), before);
}

static void bad_options(void **state)
{
	(void)state;
	refused(self, "", "br=: allowed: 1 to 15 characters");
	refused(self, "sixteencharacter", "br=sixteencharacter: allowed");
	refused(self, "a/b", "allowed: 1 to 15 characters without a slash");
	refused("", "br0", "helper= is empty: give a program");
	refused("/nowhere", "br0", "helper=/nowhere (br=br0): it cannot be run: No such file");
}

static void bad_answers(void **state)
{
	(void)state;
	refused(self, "nothing", "it ended well but sent no TAP");
	refused(self, "byte", "it ended well but sent no TAP");
	refused(self, "null", "not a TAP");
	refused(self, "late", "it ended with exit status 5");
	/* Of several lines the last; nothing for the terminal to obey. */
	refused(self, "lines", "exit status 4; it said: second ?[1m");
}

static void good(void **state)
{
	char command[400], info[300];
	struct net_port *p;
	struct err e;
	unsigned before = files();

	(void)state;
	if (unshare(CLONE_NEWNET) || access("/dev/net/tun", R_OK | W_OK))
		skip();
	p = run(self, "tap", &e);
	if (!p)
		fail_msg("%s", e.text);
	p->ops->info(p, info, sizeof(info));
	snprintf(command, sizeof(command), "ifname=helped,helper=%.180s,br=tap,vnet_hdr=on", self);
	assert_string_equal(info, command);
	assert_string_equal(tap_ifname(p), "helped");
	p->ops->destroy(p);
	/* Of two descriptors the first. */
	p = run(self, "two", &e);
	assert_non_null(p);
	assert_int_equal(files(), before + 1);
	p->ops->destroy(p);
	/* By the shell: it gets the same words; the bridge is the command's, where it names one. */
	snprintf(command, sizeof(command), "exec  %s", self);
	p = run(command, "tap", &e);
	assert_non_null(p);
	p->ops->destroy(p);
	snprintf(command, sizeof(command), "x() { %s \"$2\" \"$3\" \"$1\"; }; x --br=tap", self);
	p = run(command, "null", &e);
	if (!p)
		fail_msg("%s", e.text);
	p->ops->destroy(p);
	assert_int_equal(files(), before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_options),
		cmocka_unit_test(bad_answers),
		cmocka_unit_test(good),
	};
	ssize_t n;

	if (argc > 1)
		return helper(argc, argv);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0 || strpbrk(self, " \t"))
		return 77;
	return cmocka_run_group_tests_name("tap_helper", tests, NULL, NULL);
}
