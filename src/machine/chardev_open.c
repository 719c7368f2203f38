/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands at the other end of a character device: the terminal, a file, a UNIX socket that is
 * listened on or connected to. A listening socket has one client at a time; while one is there
 * the next waits in the kernel's backlog.
 */
#include "machine/chardev_priv.h"

#include <errno.h>
#include <fcntl.h>
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

struct chr_conf {
	char *path;
	bool server, wait, append;
	uint32_t reconnect;
};

static void unix_defaults(void *out)
{
	struct chr_conf *c = out;

	c->wait = true;
}

#define LISTEN_AGAIN_NS 1000000000u
#define OFF(m)		offsetof(struct chr_conf, m)
static const struct opt unix_opts[] = {
	{"path", OPT_STR, OFF(path), .arg = "file", .help = "the socket"},
	{"server", OPT_BOOL, OFF(server), .help = "listen instead of connecting (default off)"},
	{"wait", OPT_BOOL, OFF(wait),
	 .help = "with server: start when a client is there "
		 "(default on)"},
	{"reconnect", OPT_U32, OFF(reconnect), .missing = "not implemented yet"},
	{NULL},
};
static const struct opt_table unix_table = {"unix",    "a UNIX socket",		"path",
					    unix_opts, sizeof(struct chr_conf), unix_defaults};
static const struct opt file_opts[] = {
	{"path", OPT_STR, OFF(path), .arg = "file", .help = "the file, made if it is not there"},
	{"append", OPT_BOOL, OFF(append), .help = "keep what the file holds (default off)"},
	{NULL},
};
static const struct opt_table file_table = {"file",    "a file for the output", "path",
					    file_opts, sizeof(struct chr_conf), NULL};

/* --- sockets -------------------------------------------------------------------------------- */

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

static int adopt(struct chardev *c, int fd, struct err *e)
{
	pthread_mutex_lock(&c->lock);
	c->in = c->out = fd;
	c->socket_out = true;
	c->out_gone = false;
	c->used = 0;
	pthread_mutex_unlock(&c->lock);
	if (chr_watch_input(c, e)) {
		chr_hang_up(c);
		return -EIO;
	}
	if (c->listen_w.slot)
		loop_mod_fd(c->loop, &c->listen_w, 0);
	tell(c, true);
	return 0;
}

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
static int wait_client(struct chardev *c, const char *path, struct err *e)
{
	int fd;

	log_line("%s: waiting for a client on %s (wait=off starts without one)", c->what, path);
	if (!await_readable(c->listen))
		return err_set(e, EINTR, "%s: ended while waiting for a client on %s", c->what,
			       path);
	fd = accept4(c->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return err_set(e, errno, "%s: %s: %s", c->what, path, strerror(errno));
	return adopt(c, fd, e);
}

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

static int open_server(struct chardev *c, int fd, const struct sockaddr_un *sa, bool wait,
		       struct err *e)
{
	int rc = clear_stale(c->what, sa, e);

	c->kind = KIND_SERVER;
	c->listen = fd;
	if (rc)
		return rc;
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) || listen(fd, 1))
		return err_set(e, errno, "%s: cannot listen on %s: %s", c->what, sa->sun_path,
			       strerror(errno));
	c->path = strdup(sa->sun_path);
	c->listen_again.fn = on_listen_again;
	rc = loop_add_fd(c->loop, &c->listen_w, fd, EPOLLIN, on_listen);
	if (rc)
		return err_set(e, -rc, "%s: %s", c->what, strerror(-rc));
	return wait ? wait_client(c, sa->sun_path, e) : 0;
}

static int open_unix(struct chardev *c, const char *text, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct chr_conf conf;
	int fd, rc = opt_parse(&unix_table, c->what, text, &conf, e);

	if (rc)
		return rc;
	if (!conf.path || !*conf.path || strlen(conf.path) >= sizeof(sa.sun_path)) {
		opt_free(&unix_table, &conf);
		return err_set(e, EINVAL, "%s unix:%.60s: the path must have 1 to %zu bytes",
			       c->what, text, sizeof(sa.sun_path) - 1);
	}
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", conf.path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		rc = err_set(e, errno, "%s: %s", c->what, strerror(errno));
	} else if (conf.server) {
		rc = open_server(c, fd, &sa, conf.wait, e);
	} else if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		rc = err_set(e, errno,
			     "%s: cannot connect to %s: %s; start the program that listens there "
			     "first, or add server=on to let vmwire listen",
			     c->what, sa.sun_path, strerror(errno));
		close(fd);
	} else {
		c->kind = KIND_CLIENT;
		rc = adopt(c, fd, e);
	}
	opt_free(&unix_table, &conf);
	return rc;
}

/* --- stdio and files ------------------------------------------------------------------------ */

void chr_set_raw(struct chardev *c, bool signals)
{
	struct termios t;

	/* In the background a change would stop us (SIGTTOU) and disturb who is in front. */
	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	if (!c->raw && tcgetattr(STDIN_FILENO, &c->saved))
		return;
	t = c->saved;
	t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | (signals ? 0 : ISIG));
	t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	t.c_cflag |= CS8;
	t.c_oflag |= OPOST;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (!tcsetattr(STDIN_FILENO, TCSANOW, &t))
		c->raw = true;
}

/* A descriptor for standard output that never blocks. */
static int own_stdout(struct chardev *c)
{
	struct stat st;
	int fd;

	if (fstat(STDOUT_FILENO, &st))
		return -1;
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return STDOUT_FILENO;
	if (S_ISSOCK(st.st_mode)) {
		c->socket_out = true;
		return STDOUT_FILENO;
	}
	fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0) {
		c->own_out = true;
		return fd;
	}
	c->out_flags = fcntl(STDOUT_FILENO, F_GETFL);
	if (c->out_flags >= 0)
		fcntl(STDOUT_FILENO, F_SETFL, c->out_flags | O_NONBLOCK);
	return STDOUT_FILENO;
}

static int open_stdio(struct chardev *c, struct err *e)
{
	c->kind = KIND_STDIO;
	c->in = STDIN_FILENO;
	c->is_tty = isatty(STDIN_FILENO);
	c->out = own_stdout(c);
	chr_set_raw(c, true);
	/* Standard input may be closed: that is no input. */
	if (fcntl(STDIN_FILENO, F_GETFD) < 0) {
		c->in = -1;
		return 0;
	}
	return chr_watch_input(c, e);
}

static int open_file(struct chardev *c, const char *text, struct err *e)
{
	struct chr_conf conf;
	int rc = opt_parse(&file_table, c->what, text, &conf, e);

	if (rc)
		return rc;
	c->kind = KIND_FILE;
	if (!conf.path)
		rc = err_set(e, EINVAL, "%s file: a path is missing: give file:PATH", c->what);
	else
		c->out = open(conf.path,
			      O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK |
				      (conf.append ? O_APPEND : O_TRUNC),
			      0666);
	c->own_out = c->out >= 0;
	if (!rc && c->out < 0)
		rc = err_set(e, errno, "%s: cannot write %s: %s", c->what, conf.path,
			     strerror(errno));
	opt_free(&file_table, &conf);
	return rc;
}

int chr_open(struct chardev *c, const char *spec, struct err *e)
{
	if (!strcmp(spec, "null"))
		return 0;
	if (!strcmp(spec, "stdio"))
		return open_stdio(c, e);
	if (!strncmp(spec, "file:", 5))
		return open_file(c, spec + 5, e);
	if (!strncmp(spec, "unix:", 5))
		return open_unix(c, spec + 5, e);
	return err_set(e, EINVAL,
		       "%s %.100s is not known: allowed are stdio, null, none, file:PATH and "
		       "unix:PATH[,server=on][,wait=off]",
		       c->what, spec);
}
