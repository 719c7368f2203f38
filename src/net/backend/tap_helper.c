/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper's protocol, QEMU's: `HELPER --use-vnet --fd=N --br=BRIDGE`, descriptor N being a
 * connected Unix socket by which the TAP comes back (SCM_RIGHTS, with one byte of data). A helper
 * with a blank in it is a command for the shell, which gets the same words behind its own; the
 * bridge is left out when the command names one.
 *
 * What the helper complains of goes to a memory file and from there into our one line. The helper
 * is waited for first: what it sent waits in the socket, and a socket that it closed without
 * sending would otherwise have to be told from one that it has not used yet.
 */
#include "net/backend/tap_helper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "net/backend/tap.h"
#include "net/host/run.h"

#define HELPER_MS 60000u
#define STR(x)	  #x
#define XSTR(x)	  STR(x)
#define FD_ARG	  "--fd=" XSTR(HOST_RUN_FD)

const char *tap_helper_default(void)
{
	static const char *const paths[] = {
		VMWIRE_HELPER,
		"/usr/lib/qemu/qemu-bridge-helper",
		"/usr/libexec/qemu-bridge-helper",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!access(paths[i], X_OK))
			return paths[i];
	return paths[0];
}

/* The descriptor that came, or -1. Others that came with it are closed. */
static int receive(int sock)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(4 * sizeof(int))];
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.buf,
			   .msg_controllen = sizeof(control.buf)};
	int fd = -1;

	if (recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
		     at += sizeof(int)) {
			int got;

			memcpy(&got, CMSG_DATA(c) + at, sizeof(got));
			if (fd < 0)
				fd = got;
			else
				close(got);
		}
	}
	return fd;
}

/* The last line of what the helper said goes to the end of e's. */
static void add_complaint(int errors, struct err *e)
{
	char buf[1024], *line = buf;
	ssize_t n = pread(errors, buf, sizeof(buf) - 1, 0);

	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	if (n <= 0)
		return;
	buf[n] = '\0';
	for (char *p = buf; *p; p++) {
		if (*p == '\n')
			line = p + 1;
		else if ((unsigned char)*p < ' ')
			*p = '?';
	}
	n = (ssize_t)strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - (size_t)n, "; it said: %.250s", line);
}

static int run(const char *helper, const char *br, int sock, int errors, struct err *e)
{
	const bool shell = strpbrk(helper, " \t") != NULL;
	char what[160], br_arg[32], command[512];
	const char *argv[8];
	unsigned n = 0;
	int rc;
	const struct host_run r = {.what = what,
				   .argv = argv,
				   .ms = HELPER_MS,
				   .heed = true,
				   .pass = sock,
				   .errors = errors};

	snprintf(what, sizeof(what), "helper=%.100s (br=%s)", helper, br);
	snprintf(br_arg, sizeof(br_arg), "--br=%s", br);
	if (shell) {
		rc = snprintf(command, sizeof(command), "%s \"$@\"", helper);
		if (rc < 0 || (size_t)rc >= sizeof(command))
			return err_set(e, E2BIG,
				       "helper=: the command is too long: allowed are "
				       "500 bytes");
		argv[n++] = "/bin/sh";
		argv[n++] = "-c";
		argv[n++] = command;
		argv[n++] = "sh";
	} else {
		argv[n++] = helper;
	}
	argv[n++] = "--use-vnet";
	argv[n++] = FD_ARG;
	if (!shell || !strstr(helper, "--br="))
		argv[n++] = br_arg;
	argv[n] = NULL;
	rc = host_run(&r, e);
	if (rc)
		add_complaint(errors, e);
	return rc;
}

static int get_tap(const char *helper, const char *br, int errors, struct tap_dev *d, struct err *e)
{
	int sv[2], fd, rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return err_set(e, errno, "helper=%.100s: %s", helper, strerror(errno));
	rc = run(helper, br, sv[1], errors, e);
	fd = rc ? -1 : receive(sv[0]);
	close(sv[0]);
	close(sv[1]);
	if (rc)
		return rc;
	if (fd < 0)
		return err_set(e, EPROTO,
			       "helper=%.100s: it ended well but sent no TAP; a helper sends one "
			       "by descriptor %d",
			       helper, HOST_RUN_FD);
	rc = tap_take_fd(fd, "helper", d, e);
	if (rc)
		close(fd);
	return rc;
}

int tap_open_helper(const char *helper, const char *br, uint64_t sndbuf, const char *id,
		    struct net_port **port, struct err *e)
{
	struct tap_dev d;
	int errors, rc;

	if (!*br || strlen(br) >= IFNAMSIZ || strchr(br, '/'))
		return err_set(e, EINVAL, "br=%.60s: allowed: 1 to %d characters without a slash",
			       br, IFNAMSIZ - 1);
	if (!*helper)
		return err_set(e, EINVAL, "helper= is empty: give a program, e.g. helper=%s",
			       tap_helper_default());
	errors = memfd_create("helper", MFD_CLOEXEC);
	if (errors < 0)
		return err_set(e, errno, "helper=%.100s: %s", helper, strerror(errno));
	tap_dev_init(&d);
	snprintf(d.how, sizeof(d.how), "helper=%.180s,br=%s", helper, br);
	rc = get_tap(helper, br, errors, &d, e);
	if (!rc)
		rc = tap_finish(&d, sndbuf, id, port, e);
	tap_dev_close(&d);
	close(errors);
	return rc;
}
