/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands at the other end of a character device: the terminal, a file; sockets are in
 * chardev_sock.c. */
#include "machine/chardev_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/util.h"

struct chr_conf {
	char *path;
	bool append;
};

#define OFF(m) offsetof(struct chr_conf, m)
static const struct opt file_opts[] = {
	{"path", OPT_STR, OFF(path), .arg = "file", .help = "the file, made if it is not there"},
	{"append", OPT_BOOL, OFF(append), .help = "keep what the file holds (default off)"},
	{NULL},
};
static const struct opt_table file_table = {"file",    "a file for the output", "path",
					    file_opts, sizeof(struct chr_conf), NULL};
#undef OFF

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
	snprintf(c->name, sizeof(c->name), "stdio");
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
	snprintf(c->name, sizeof(c->name), "file:%s", conf.path ? conf.path : "");
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
	if (!strcmp(spec, "null")) {
		snprintf(c->name, sizeof(c->name), "null");
		return 0;
	}
	if (!strcmp(spec, "stdio"))
		return open_stdio(c, e);
	if (!strncmp(spec, "file:", 5))
		return open_file(c, spec + 5, e);
	if (!strncmp(spec, "unix:", 5))
		return chr_open_unix(c, spec + 5, e);
	if (!strncmp(spec, "tcp:", 4))
		return chr_open_tcp(c, spec + 4, false, e);
	if (!strncmp(spec, "telnet:", 7))
		return chr_open_tcp(c, spec + 7, true, e);
	return err_set(e, EINVAL,
		       "%s %.100s is not known: allowed are stdio, null, none, file:PATH, "
		       "unix:PATH, tcp:HOST:PORT and telnet:HOST:PORT[,server=on][,wait=off]",
		       c->what, spec);
}
