/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the VNC server listens: -vnc's option table and address, and the sockets made of it. A host
 * name may stand for an IPv4 and an IPv6 address; the same port is taken on both, or none.
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "display/vnc.h"

#define DISPLAY_MAX (65535u - VNC_PORT)
#define ALLOWED	    "allowed are :N, HOST:N (port 5900 + N), unix:PATH and none"

#define OFF(m) offsetof(struct vnc_opts, m)
static const struct opt vnc_opts[] = {
	{"address", OPT_STR, OFF(address), .arg = "HOST:N|:N|unix:PATH|none",
	 .help = "where to listen: port 5900 + N, on all addresses without HOST"},
	{"to", OPT_U32, OFF(to), .min = 1, .max = DISPLAY_MAX, .arg = "n",
	 .help = "take the first free of displays N to n"},
	{"password", OPT_BOOL, OFF(password),
	 .help = "ask viewers for a password; nobody gets in before the monitor has set one: "
		 "change "
		 "vnc password"},
	{"reverse", OPT_BOOL, .missing = "not implemented yet: viewers connect to vmwire"},
	{"websocket", OPT_STR, .missing = "not implemented yet"},
	{"tls-creds", OPT_STR, .missing = "not implemented yet: use a unix: socket and ssh"},
	{"tls-authz", OPT_STR, .missing = "not implemented yet: use a unix: socket and ssh"},
	{"sasl", OPT_BOOL, .missing = "not implemented yet: password=on is"},
	{"sasl-authz", OPT_STR, .missing = "not implemented yet: password=on is"},
	{"acl", OPT_BOOL, .missing = "not implemented yet"},
	{"share", OPT_STR, .missing = "not implemented yet: viewers always share the screen"},
	{"lossy", OPT_BOOL, .missing = "not implemented yet: the viewer chooses its encoding"},
	{"non-adaptive", OPT_BOOL, .missing = "not implemented yet"},
	{"key-delay-ms", OPT_U32, .missing = "not implemented yet: keys wait for the guest"},
	{"audiodev", OPT_STR, .missing = "not implemented yet"},
	{"display", OPT_STR, .missing = "not implemented yet: there is one screen"},
	{"head", OPT_U32, .missing = "not implemented yet: there is one screen"},
	{"power-control", OPT_BOOL, .missing = "not implemented yet"},
	{"id", OPT_STR, .missing = "not implemented yet: there is one server"},
	{"password-secret", OPT_STR, .missing = "not implemented yet: change vnc password is"},
	{"ipv4", OPT_BOOL, .missing = "not implemented yet: give the address"},
	{"ipv6", OPT_BOOL, .missing = "not implemented yet: give the address"},
	{NULL},
};
#undef OFF
const struct opt_table vnc_table = {
	"-vnc", "the guest's screen for VNC viewers", "address", vnc_opts, sizeof(struct vnc_opts),
	NULL};

static int bad(const struct vnc_opts *o, const char *why, struct err *e)
{
	return err_set(e, EINVAL, "-vnc %.60s: %s: " ALLOWED, o->address, why);
}

/* The address's parts; host as getaddrinfo() takes it, "" for all. */
static int split(const struct vnc_opts *o, char *host, size_t room, unsigned *display,
		 struct err *e)
{
	const char *colon = strrchr(o->address, ':');
	size_t len = colon ? (size_t)(colon - o->address) : 0;
	char *end;
	unsigned long n;

	if (!colon)
		return bad(o, "there is no display number", e);
	n = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end || n > DISPLAY_MAX)
		return bad(o, "the display is a number from 0 to 59635", e);
	*display = (unsigned)n;
	if (len >= 2 && o->address[0] == '[' && o->address[len - 1] == ']') {
		snprintf(host, room, "%.*s", (int)len - 2, o->address + 1);
	} else if (memchr(o->address, ':', len)) {
		return bad(o, "an IPv6 address stands in [brackets]", e);
	} else {
		snprintf(host, room, "%.*s", (int)len, o->address);
	}
	if (o->to && o->to < *display)
		return err_set(e, EINVAL, "-vnc %.60s: to=%u lies before display %u", o->address,
			       o->to, *display);
	return 0;
}

int vnc_check(const struct vnc_opts *o, struct err *e)
{
	struct sockaddr_un un;
	unsigned display;
	char host[256];

	if (!o->address || !*o->address)
		return err_set(e, EINVAL, "-vnc: the address is missing: " ALLOWED);
	if (!strcmp(o->address, "none"))
		return 0;
	if (strncmp(o->address, "unix:", 5) != 0)
		return split(o, host, sizeof(host), &display, e);
	if (o->to)
		return err_set(e, EINVAL, "-vnc %.60s: to= is for ports", o->address);
	if (!o->address[5] || strlen(o->address + 5) >= sizeof(un.sun_path))
		return bad(o, "the path must have 1 to 107 characters", e);
	return 0;
}

/* --- sockets -------------------------------------------------------------------------------- */

static int listen_on(const struct sockaddr *a, socklen_t len)
{
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int one = 1;
	int code;

	if (fd < 0)
		return -errno;
	if (a->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* IPv4 has a socket of its own. */
	if (a->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (!bind(fd, a, len) && !listen(fd, 8))
		return fd;
	code = errno;
	close(fd);
	return -code;
}

/* A socket that nobody listens on any more is in the way of ours. */
static void remove_stale(const struct sockaddr_un *un)
{
	struct stat st;
	int fd;

	if (lstat(un->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) && errno == ECONNREFUSED)
		unlink(un->sun_path);
	close(fd);
}

static int listen_unix(struct vnc_listen *l, const char *path, struct err *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	remove_stale(&un);
	fd = listen_on((struct sockaddr *)&un, sizeof(un));
	if (fd < 0)
		return err_set(e, -fd, "-vnc unix:%s: %s%s", path, strerror(-fd),
			       fd == -EADDRINUSE ? "; another server has it, or a file is there"
						 : "");
	l->fd[0] = fd;
	l->path = strdup(path);
	snprintf(l->where, sizeof(l->where), "unix:%s", path);
	return 0;
}

static void close_all(struct vnc_listen *l)
{
	for (unsigned i = 0; i < VNC_SOCKETS; i++) {
		if (l->fd[i] >= 0)
			close(l->fd[i]);
		l->fd[i] = -1;
	}
}

/* All of the host's addresses at one port. A family that this machine lacks is passed over. */
static int listen_port(struct vnc_listen *l, const struct addrinfo *list, unsigned port)
{
	unsigned n = 0;
	int rc = -EADDRNOTAVAIL;

	for (const struct addrinfo *a = list; a && n < VNC_SOCKETS; a = a->ai_next) {
		struct sockaddr_storage s;
		char host[64], service[8];
		int fd;

		memcpy(&s, a->ai_addr, a->ai_addrlen);
		/* The port is at the same place in both. */
		((struct sockaddr_in *)(void *)&s)->sin_port = htobe16((uint16_t)port);
		fd = listen_on((struct sockaddr *)&s, a->ai_addrlen);
		if (fd == -EADDRINUSE || fd == -EACCES) {
			close_all(l);
			return fd;
		}
		if (fd < 0) {
			rc = n ? rc : fd;
			continue;
		}
		l->fd[n++] = fd;
		if (n == 1 &&
		    !getnameinfo((struct sockaddr *)&s, a->ai_addrlen, host, sizeof(host), service,
				 sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV))
			snprintf(l->where, sizeof(l->where),
				 s.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, service);
	}
	return n ? 0 : rc;
}

static int listen_tcp(struct vnc_listen *l, const struct vnc_opts *o, struct err *e)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char host[256] = "";
	unsigned display = 0, last;
	int rc = split(o, host, sizeof(host), &display, e);

	if (rc)
		return rc;
	rc = getaddrinfo(*host ? host : NULL, "0", &hints, &list);
	if (rc)
		return err_set(e, EADDRNOTAVAIL, "-vnc %.60s: %s: %s", o->address, host,
			       gai_strerror(rc));
	last = o->to ? MIN(o->to, DISPLAY_MAX) : display;
	for (unsigned n = display; n <= last; n++) {
		rc = listen_port(l, list, VNC_PORT + n);
		if (rc != -EADDRINUSE)
			break;
	}
	freeaddrinfo(list);
	if (!rc)
		return 0;
	if (rc == -EADDRINUSE && o->to)
		return err_set(e, EADDRINUSE, "-vnc %.60s: ports %u to %u are all taken",
			       o->address, VNC_PORT + display, VNC_PORT + last);
	return err_set(e, -rc, "-vnc %.60s: port %u: %s%s", o->address, VNC_PORT + display,
		       strerror(-rc),
		       rc == -EADDRINUSE ? "; give another display, or to=99 to take the next free "
					   "one"
					 : "");
}

int vnc_listen(struct vnc_listen *l, const struct vnc_opts *o, struct err *e)
{
	memset(l, 0, sizeof(*l));
	for (unsigned i = 0; i < VNC_SOCKETS; i++)
		l->fd[i] = -1;
	if (!strncmp(o->address, "unix:", 5))
		return listen_unix(l, o->address + 5, e);
	return listen_tcp(l, o, e);
}

void vnc_listen_end(struct vnc_listen *l)
{
	close_all(l);
	if (l->path)
		unlink(l->path);
	free(l->path);
	l->path = NULL;
}
