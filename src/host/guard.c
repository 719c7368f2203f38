/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard: see apply.h. A fork of the command, so it holds the saved state in its memory, on one
 * end of a pair of sockets. The kernel closes the other end when the command dies, after the last
 * system call it was in, so the guard never runs beside it. One byte, 'y', confirms.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "host/apply.h"

/* In the guard. Never returns. */
static void guard(int fd, const struct br_ops *undo, unsigned seconds)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct host_nl *nl;
	struct err e = {0};
	char c = 0;
	int rc;

	setsid();
	prctl(PR_SET_NAME, "vmwire-guard");
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	/* From here on a signal to the command's group does not reach it. */
	if (write(fd, "r", 1) != 1)
		_exit(0);
	rc = poll(&p, 1, (int)seconds * 1000);
	if (rc > 0 && read(fd, &c, 1) == 1 && c == 'y') {
		if (write(fd, "y", 1) == 1)
			_exit(0);
		/* Whoever confirmed is gone before it could hear: it is confirmed all the same. */
		_exit(0);
	}
	/* Even with the confirmation on its way: from here on it is too late. */
	shutdown(fd, SHUT_RD);
	nl = host_nl_open(&e);
	rc = nl ? br_apply(nl, undo, true, &e) : -1;
	if (rc)
		log_err(&e);
	_exit(rc ? 2 : 1);
}

/* Exit status of the guard. */
static int reap(struct br_guard *g)
{
	int status = -1;

	while (waitpid(g->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int br_guard_start(const struct br_ops *undo, unsigned seconds, struct br_guard *g, struct err *e)
{
	int fd[2], pid;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return err_set(e, errno, "guard: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		close(fd[0]);
		close(fd[1]);
		return err_set(e, errno, "guard: %s", strerror(errno));
	}
	if (!pid) {
		close(fd[0]);
		guard(fd[1], undo, seconds);
	}
	close(fd[1]);
	g->pid = pid;
	g->fd = fd[0];
	if (read(g->fd, &c, 1) == 1)
		return 0;
	reap(g);
	return err_set(e, ECHILD, "guard: it ended at once");
}

int br_guard_confirm(struct br_guard *g, struct err *e)
{
	char c = 0;

	if (send(g->fd, "y", 1, MSG_NOSIGNAL) == 1 && read(g->fd, &c, 1) == 1 && c == 'y') {
		reap(g);
		return 0;
	}
	reap(g);
	return err_set(e, ETIMEDOUT, "the time was over: everything was put back");
}

int br_guard_undo(struct br_guard *g)
{
	shutdown(g->fd, SHUT_WR);
	return reap(g) == 1 ? 0 : -EIO;
}
