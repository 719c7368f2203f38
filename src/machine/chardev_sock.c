/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets at the other end of a character device: UNIX, TCP, and TCP with the telnet protocol;
 * listened on or connected to. A listening socket has one client at a time; while one is there the
 * next waits in the kernel's backlog.
 *
 * Telnet (RFC 854): the client is told that we echo (RFC 857) and never say "go ahead" (RFC 858),
 * which makes it send each key as it is typed, and that both directions are binary (RFC 856). Its
 * own commands are taken out of the input and not answered: an option that is not answered stays
 * off.
 */
#include "machine/chardev_priv.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/await.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/util.h"

#define LISTEN_AGAIN_NS 1000000000u

/* Telnet's commands and options. */
#define IAC	   0xff
#define SB	   0xfa
#define SE	   0xf0
#define WILL	   0xfb
#define DONT	   0xfe
#define DO	   0xfd
#define TEL_BINARY 0
#define TEL_ECHO   1
#define TEL_SGA	   3

struct sock_conf {
	char *where; /* path, or host:port */
	bool server, wait, nowait, telnet;
	bool nodelay;
	uint32_t reconnect;
};

static void sock_defaults(void *out)
{
	struct sock_conf *c = out;

	c->wait = true;
}

#define OFF(m) offsetof(struct sock_conf, m)
#define COMMON                                                                                     \
	{"server", OPT_BOOL, OFF(server), .help = "listen instead of connecting (default off)"},   \
		{"wait", OPT_BOOL, OFF(wait),                                                      \
		 .help = "with server: start when a client is there (default on)"},                \
		{"nowait", OPT_BOOL, OFF(nowait), .help = "the same as wait=off"},                 \
	{                                                                                          \
		"reconnect", OPT_U32, OFF(reconnect), .missing = "not implemented yet"             \
	}
static const struct opt unix_opts[] = {
	{"path", OPT_STR, OFF(where), .arg = "file", .help = "the socket"},
	COMMON,
	{NULL},
};
static const struct opt_table unix_table = {"unix",    "a UNIX socket",		 "path",
					    unix_opts, sizeof(struct sock_conf), sock_defaults};
static const struct opt tcp_opts[] = {
	{"address", OPT_STR, OFF(where), .arg = "host:port", .help = "where to listen or connect"},
	COMMON,
	{"telnet", OPT_BOOL, OFF(telnet), .help = "speak the telnet protocol (default off)"},
	{"nodelay", OPT_BOOL, OFF(nodelay), .help = "send small pieces at once (default off)"},
	{NULL},
};
static const struct opt_table tcp_table = {"tcp",    "a TCP socket",	       "address",
					   tcp_opts, sizeof(struct sock_conf), sock_defaults};
#undef OFF

/* --- a client comes and goes ------------------------------------------------------------------ */

static void tell(struct chardev *c, bool open)
{
	for (unsigned u = 0; u < 2; u++) {
		void (*fn)(void *) = open ? c->user[u].opened : c->user[u].closed;

		if (c->attached[u] && fn && (!c->mux || u == c->focus))
			fn(c->user[u].opaque);
	}
}

void chr_hang_up(struct chardev *c)
{
	int fd = c->in;

	if (fd < 0)
		return;
	loop_del_fd(c->loop, &c->in_w);
	pthread_mutex_lock(&c->lock);
	c->in = c->out = -1;
	c->used = 0;
	c->want_out = false;
	pthread_mutex_unlock(&c->lock);
	close(fd);
	c->inbox[0].len = c->inbox[1].len = 0;
	tell(c, false);
	/* The next client may come. */
	if (c->listen >= 0)
		loop_mod_fd(c->loop, &c->listen_w, EPOLLIN);
}

static void greet_telnet(struct chardev *c)
{
	static const unsigned char hello[] = {IAC, WILL, TEL_ECHO,   IAC, WILL, TEL_SGA,
					      IAC, WILL, TEL_BINARY, IAC, DO,	TEL_BINARY};

	c->tel = TEL_TEXT;
	/* Nothing else has been written to this socket: it has room. */
	if (send(c->out, hello, sizeof(hello), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("%s: telnet: %s", c->what, strerror(errno));
}

size_t chr_telnet_input(struct chardev *c, unsigned char *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char ch = buf[i];

		switch (c->tel) {
		case TEL_TEXT:
		case TEL_CR:
			/* A return is sent with a NUL behind it (RFC 854). */
			if (ch == IAC)
				c->tel = TEL_IAC;
			else if (c->tel == TEL_CR && !ch)
				c->tel = TEL_TEXT;
			else
				c->tel = ch == '\r' ? TEL_CR : TEL_TEXT, buf[n++] = ch;
			break;
		case TEL_IAC:
			c->tel = ch == SB		    ? TEL_SB
				 : ch >= WILL && ch <= DONT ? TEL_OPTION
							    : TEL_TEXT;
			if (ch == IAC) {
				c->tel = TEL_TEXT;
				buf[n++] = ch;
			}
			break;
		case TEL_OPTION:
			c->tel = TEL_TEXT;
			break;
		case TEL_SB:
			if (ch == IAC)
				c->tel = TEL_SB_IAC;
			break;
		case TEL_SB_IAC:
			c->tel = ch == SE ? TEL_TEXT : TEL_SB;
			break;
		}
	}
	return n;
}

static int adopt(struct chardev *c, int fd, struct err *e)
{
	const int on = 1;

	if (c->nodelay)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	pthread_mutex_lock(&c->lock);
	c->in = c->out = fd;
	c->socket_out = true;
	c->out_gone = false;
	c->used = 0;
	pthread_mutex_unlock(&c->lock);
	if (c->telnet)
		greet_telnet(c);
	if (chr_watch_input(c, e)) {
		chr_hang_up(c);
		return -EIO;
	}
	if (c->listen_w.slot)
		loop_mod_fd(c->loop, &c->listen_w, 0);
	tell(c, true);
	return 0;
}

/* --- listening -------------------------------------------------------------------------------- */

static void on_listen(struct loop_fd *w, uint32_t events)
{
	struct chardev *c = container_of(w, struct chardev, listen_w);
	int fd = accept4(c->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e;

	(void)events;
	if (fd >= 0) {
		if (adopt(c, fd, &e))
			log_err(&e);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* The client stays in the queue, and the socket readable: not again at once. */
		loop_mod_fd(c->loop, &c->listen_w, 0);
		loop_timer_set(c->loop, &c->listen_again, loop_now(c->loop) + LISTEN_AGAIN_NS);
	}
}

static void on_listen_again(struct loop_timer *t)
{
	struct chardev *c = container_of(t, struct chardev, listen_again);

	if (c->in < 0)
		loop_mod_fd(c->loop, &c->listen_w, EPOLLIN);
}

/* Waits for the first client, unless a signal asks vmwire to end. */
static int wait_client(struct chardev *c, const char *where, struct err *e)
{
	int fd;

	log_line("%s: waiting for a client on %s (wait=off starts without one)", c->what, where);
	if (!await_readable(c->listen))
		return err_set(e, EINTR, "%s: ended while waiting for a client on %s", c->what,
			       where);
	fd = accept4(c->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return err_set(e, errno, "%s: %s: %s", c->what, where, strerror(errno));
	return adopt(c, fd, e);
}

/* fd, the device's from here on, is bound: listens, and waits for a client if it is to. */
static int serve(struct chardev *c, const char *where, const struct sock_conf *conf, struct err *e)
{
	int rc;

	if (listen(c->listen, 1))
		return err_set(e, errno, "%s: cannot listen on %s: %s", c->what, where,
			       strerror(errno));
	c->listen_again.fn = on_listen_again;
	rc = loop_add_fd(c->loop, &c->listen_w, c->listen, EPOLLIN, on_listen);
	if (rc)
		return err_set(e, -rc, "%s: %s", c->what, strerror(-rc));
	return conf->wait && !conf->nowait ? wait_client(c, where, e) : 0;
}

static int cannot_connect(struct chardev *c, const char *where, const char *why, int code,
			  struct err *e)
{
	return err_set(e, code,
		       "%s: cannot connect to %s: %s; start the program that listens there "
		       "first, or add server=on to let vmwire listen",
		       c->what, where, why);
}

/* --- UNIX sockets ----------------------------------------------------------------------------- */

/* A socket file that nobody listens on any more (ECONNREFUSED) is removed; anything else stays,
 * also one that we may not connect to or that is too busy to take us. */
static int clear_stale(const char *what, const struct sockaddr_un *sa, struct err *e)
{
	struct stat st;
	int fd, rc, why;

	if (lstat(sa->sun_path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "%s: %s is there and is no socket: give another path",
			       what, sa->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	why = errno;
	if (fd >= 0)
		close(fd);
	if (!rc || why == EAGAIN)
		return err_set(e, EADDRINUSE,
			       "%s: another program listens on %s: give another path", what,
			       sa->sun_path);
	if (why == ECONNREFUSED)
		unlink(sa->sun_path);
	return 0;
}

static int unix_server(struct chardev *c, int fd, const struct sockaddr_un *sa,
		       const struct sock_conf *conf, struct err *e)
{
	int rc = clear_stale(c->what, sa, e);

	c->kind = KIND_SERVER;
	c->listen = fd;
	if (rc)
		return rc;
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		return err_set(e, errno, "%s: cannot listen on %s: %s", c->what, sa->sun_path,
			       strerror(errno));
	c->path = strdup(sa->sun_path);
	return serve(c, sa->sun_path, conf, e);
}

int chr_open_unix(struct chardev *c, const char *text, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct sock_conf conf;
	int fd, rc = opt_parse(&unix_table, c->what, text, &conf, e);

	if (rc)
		return rc;
	if (!conf.where || !*conf.where || strlen(conf.where) >= sizeof(sa.sun_path)) {
		opt_free(&unix_table, &conf);
		return err_set(e, EINVAL, "%s unix:%.60s: the path must have 1 to %zu bytes",
			       c->what, text, sizeof(sa.sun_path) - 1);
	}
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", conf.where);
	snprintf(c->name, sizeof(c->name), "unix:%s%s", conf.where,
		 conf.server ? ",server=on" : "");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		rc = err_set(e, errno, "%s: %s", c->what, strerror(errno));
	} else if (conf.server) {
		rc = unix_server(c, fd, &sa, &conf, e);
	} else if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		rc = cannot_connect(c, sa.sun_path, strerror(errno), errno, e);
		close(fd);
	} else {
		c->kind = KIND_CLIENT;
		rc = adopt(c, fd, e);
	}
	opt_free(&unix_table, &conf);
	return rc;
}

/* --- TCP -------------------------------------------------------------------------------------- */

/* "host:port", "[address]:port", ":port"; *host is NULL for the last. Takes text apart. */
static bool split_address(char *text, char **host, char **port)
{
	char *colon;

	*host = text;
	if (*text == '[') {
		colon = strchr(text, ']');
		*host = text + 1;
		if (!colon || colon[1] != ':')
			return false;
		*colon++ = 0;
	} else {
		colon = strrchr(text, ':');
		if (!colon || memchr(text, ':', (size_t)(colon - text)))
			return false;
	}
	*colon = 0;
	*port = colon + 1;
	if (!**host)
		*host = NULL;
	return **port != 0;
}

/* Tries one address after the other; returns a socket, or -errno of the last. */
static int tcp_socket(const struct addrinfo *a, bool server)
{
	const int on = 1;
	int why = EADDRNOTAVAIL;

	for (; a; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0) {
			why = errno;
			continue;
		}
		if (server)
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (!(server ? bind : connect)(fd, a->ai_addr, a->ai_addrlen))
			return fd;
		why = errno;
		close(fd);
	}
	return -why;
}

static int tcp_open(struct chardev *c, const struct sock_conf *conf, const char *where,
		    const char *host, const char *port, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = conf->server ? AI_PASSIVE : 0};
	struct addrinfo *list = NULL;
	int fd, rc = getaddrinfo(host, port, &hints, &list);

	if (rc)
		return err_set(e, EINVAL, "%s: %s: %s: give HOST:PORT, e.g. 127.0.0.1:4444",
			       c->what, where, gai_strerror(rc));
	fd = tcp_socket(list, conf->server);
	freeaddrinfo(list);
	if (fd < 0 && conf->server)
		return err_set(e, -fd, "%s: cannot listen on %s: %s", c->what, where,
			       strerror(-fd));
	if (fd < 0)
		return cannot_connect(c, where, strerror(-fd), -fd, e);
	c->nodelay = conf->nodelay;
	if (!conf->server) {
		c->kind = KIND_CLIENT;
		return adopt(c, fd, e);
	}
	c->kind = KIND_SERVER;
	c->listen = fd;
	return serve(c, where, conf, e);
}

int chr_open_tcp(struct chardev *c, const char *text, bool telnet, struct err *e)
{
	struct sock_conf conf;
	char where[128], *host, *port;
	int rc = opt_parse(&tcp_table, c->what, text, &conf, e);

	if (rc)
		return rc;
	c->telnet = telnet || conf.telnet;
	snprintf(where, sizeof(where), "%s", conf.where ? conf.where : "");
	snprintf(c->name, sizeof(c->name), "%s:%s%s", c->telnet ? "telnet" : "tcp", where,
		 conf.server ? ",server=on" : "");
	if (conf.where && split_address(conf.where, &host, &port))
		rc = tcp_open(c, &conf, where, host, port, e);
	else
		rc = err_set(e, EINVAL,
			     "%s: %.80s is no address: give HOST:PORT, e.g. 127.0.0.1:4444",
			     c->what, text);
	opt_free(&tcp_table, &conf);
	return rc;
}
