/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmwire-helper: makes a TAP in a bridge for a user who may not, and hands it over.
 *
 *	vmwire-helper [--use-vnet] --fd=N --br=BRIDGE
 *
 * N is a connected Unix socket that it inherits; the TAP's descriptor goes there as SCM_RIGHTS,
 *with one byte of data. That is the protocol of QEMU's helper, so either serves either.
 *
 * It runs with a right that its caller lacks: the file capability CAP_NET_ADMIN, or set-user-ID
 * root. The caller chooses arguments, environment, descriptors and limits. So: every other right
 * goes first, the user's own identity comes back, only then a file is opened; arguments are of
 * exactly the three forms above; the bridge must be one that the administrator's rules allow; one
 * interface is made and none is changed. It ends with 0, or 1 and one line on stderr.
 */
#include <cap-ng.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper/acl.h"
#include "helper/link.h"

#define ACL_OURS "/etc/vmwire/bridge.conf"
#define ACL_QEMU "/etc/qemu/bridge.conf"
#define FD_MAX	 65536

struct args {
	const char *br;
	int fd;
	bool vnet;
};

static bool say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool say(const char *fmt, ...)
{
	va_list ap;

	fputs("vmwire-helper: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\n", stderr);
	return false;
}

/* A name that an interface can have and that is safe to show. */
static bool is_name(const char *s)
{
	size_t n = strlen(s);

	if (!n || n >= IFNAMSIZ || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || *s == '/')
			return false;
	return true;
}

static bool parse(int argc, char **argv, struct args *a)
{
	*a = (struct args){.fd = -1};
	for (int i = 1; i < argc; i++) {
		char *end;

		if (!strcmp(argv[i], "--use-vnet")) {
			a->vnet = true;
		} else if (!strncmp(argv[i], "--br=", 5) && is_name(argv[i] + 5)) {
			a->br = argv[i] + 5;
		} else if (!strncmp(argv[i], "--fd=", 5) && argv[i][5] >= '0' &&
			   argv[i][5] <= '9') {
			long fd = strtol(argv[i] + 5, &end, 10);

			if (*end || fd > FD_MAX)
				return say("--fd=: allowed is the number of a descriptor");
			a->fd = (int)fd;
		} else {
			return say("unknown argument; allowed: [--use-vnet] --fd=N --br=BRIDGE");
		}
	}
	if (a->fd < 0 || !a->br)
		return say("an argument is missing: [--use-vnet] --fd=N --br=BRIDGE");
	return true;
}

/* What we send the TAP by: never a file that the caller opened for us to write to. */
static bool check_socket(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain != AF_UNIX)
		return say("--fd=%d: it is not a Unix socket", fd);
	return true;
}

/* CAP_NET_ADMIN stays, the rest goes; set-user-ID root becomes the user again. */
static bool give_up_rights(void)
{
	const bool suid = geteuid() != getuid() || getegid() != getgid();
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return say("PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	if (capng_get_caps_process())
		return say("capabilities cannot be read");
	if (!capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN))
		return say("it has no right to make interfaces; root gives it that right once: "
			   "setcap cap_net_admin+ep on this program");
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN))
		return say("capabilities cannot be set");
	if (suid)
		rc = capng_change_id((int)getuid(), (int)getgid(), CAPNG_NO_FLAG);
	else
		rc = capng_apply(CAPNG_SELECT_CAPS);
	if (rc || geteuid() != getuid() || getegid() != getgid())
		return say("rights cannot be given up (%d)", rc);
	return true;
}

static bool send_tap(int sock, int tap)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.buf,
			   .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &tap, sizeof(tap));
	do {
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n == 1 || say("the TAP cannot be handed over: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	const char *rules;
	struct args a;
	char why[400];
	int tap;

	if (!parse(argc, argv, &a) || !give_up_rights() || !check_socket(a.fd))
		return 1;
	rules = access(ACL_OURS, F_OK) && errno == ENOENT ? ACL_QEMU : ACL_OURS;
	tap = acl_allows(rules, a.br, 0, why, sizeof(why))
		      ? link_make(a.br, a.vnet, why, sizeof(why))
		      : -1;
	if (tap < 0)
		say("%s", why);
	return tap >= 0 && send_tap(a.fd, tap) ? 0 : 1;
}
