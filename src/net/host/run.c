/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs of the host's, run to their end.
 *
 * posix_spawn() instead of fork(): the guest's memory is not copied on the next write to it, and
 * the error of execve() comes back as such. The end of the program is waited for on a pidfd, so no
 * handler of SIGCHLD is needed that others in the process would have to know of.
 *
 * The program stays in our process group: a script may ask for a password (sudo) at the terminal.
 * So a program that is late cannot be killed by its group; its children are looked up in /proc.
 */
#include "net/host/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/await.h"
#include "base/clock.h"
#include "base/util.h"
#include "net/host/launcher.h"

#define TREE_MAX 64u

/* --- its end ---------------------------------------------------------------------------------- */

/* Appends the children of pid, which end up behind their parents. */
static unsigned children(pid_t pid, pid_t *tree, unsigned n)
{
	char path[64];
	long child;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	while (f && n < TREE_MAX && fscanf(f, "%ld", &child) == 1) /* NOLINT(cert-err34-c) */
		tree[n++] = (pid_t)child;
	if (f)
		fclose(f);
	return n;
}

static void kill_tree(pid_t pid)
{
	pid_t tree[TREE_MAX] = {pid};
	unsigned n = 1;

	for (unsigned i = 0; i < n; i++)
		n = children(tree[i], tree, n);
	for (unsigned i = 0; i < n; i++)
		kill(tree[i], SIGKILL);
}

static int verdict(const struct host_run *r, const siginfo_t *info, struct err *e)
{
	if (info->si_code == CLD_EXITED && info->si_status == 0)
		return 0;
	if (info->si_code == CLD_EXITED)
		return err_set(e, EIO, "%s: it ended with exit status %d", r->what,
			       info->si_status);
	return err_set(e, EIO, "%s: it was ended by signal %d (%s)", r->what, info->si_status,
		       strsignal(info->si_status));
}

/* As await_for(), ended by the hang-up as it is by a signal. */
static enum await await_hangup(int pidfd, const struct host_run *r)
{
	struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = r->hangup, .events = POLLIN}};
	const uint64_t end = clock_now(NULL) + r->ms * NS_PER_MS;

	for (;;) {
		uint64_t now = clock_now(NULL);
		uint64_t left = now < end ? (end - now) / NS_PER_MS + 1 : 0;

		if (poll(p, 2, (int)MIN(left, (uint64_t)INT_MAX)) > 0)
			return p[0].revents ? AWAIT_READY : AWAIT_END;
		if (!left)
			return AWAIT_LATE;
	}
}

static int await_end(const struct host_run *r, pid_t pid, struct err *e)
{
	int fd = pidfd_open(pid, 0);
	siginfo_t info = {0};
	enum await how = AWAIT_READY;
	int rc;

	if (fd >= 0)
		how = r->hangup ? await_hangup(fd, r) : await_for(fd, r->ms, r->heed);
	if (how != AWAIT_READY)
		kill_tree(pid);
	do {
		rc = waitid(P_PID, (id_t)pid, &info, WEXITED);
	} while (rc && errno == EINTR);
	if (fd >= 0)
		close(fd);
	if (how == AWAIT_LATE)
		return err_set(e, ETIMEDOUT,
			       "%s: it had not ended after %u s and was killed; run it by hand to "
			       "see what it waits for",
			       r->what, (r->ms + 999) / 1000);
	if (how == AWAIT_END)
		return err_set(e, ECANCELED, "%s: ended by a signal before it was done", r->what);
	return rc ? err_set(e, errno, "%s: its end cannot be waited for: %s", r->what,
			    strerror(errno))
		  : verdict(r, &info, e);
}

/* --- its start -------------------------------------------------------------------------------- */

static int not_started(const struct host_run *r, int err, struct err *e)
{
	const char *remedy = err == ENOENT    ? "; it, or the interpreter that its first line "
						"names, is not there"
			     : err == EACCES  ? "; it must be executable (chmod +x)"
			     : err == ENOEXEC ? "; a script needs a first line like #!/bin/sh"
					      : "";

	return err_set(e, err, "%s: it cannot be run: %s%s", r->what, strerror(err), remedy);
}

static int spawn(const struct host_run *r, const posix_spawn_file_actions_t *files, pid_t *pid)
{
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc = posix_spawnattr_init(&attr);

	if (rc)
		return rc;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	/* execve() does not change the strings. */
	rc = posix_spawn(pid, r->path ? r->path : r->argv[0], files, &attr,
			 (char *const *)(uintptr_t)r->argv,
			 r->env ? (char *const *)(uintptr_t)r->env : environ);
	posix_spawnattr_destroy(&attr);
	return rc;
}

int host_run_here(const struct host_run *r, struct err *e)
{
	posix_spawn_file_actions_t files;
	pid_t pid = 0;
	int rc = posix_spawn_file_actions_init(&files);

	if (rc)
		return err_set(e, rc, "%s: %s", r->what, strerror(rc));
	rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	for (int fd = STDOUT_FILENO; r->quiet && !rc && fd <= STDERR_FILENO; fd++)
		rc = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_WRONLY, 0);
	if (!rc && r->errors)
		rc = posix_spawn_file_actions_adddup2(&files, r->errors, STDERR_FILENO);
	if (!rc && r->pass)
		rc = posix_spawn_file_actions_adddup2(&files, r->pass, HOST_RUN_FD);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(&files, HOST_RUN_FD + (r->pass != 0));
	if (!rc)
		rc = spawn(r, &files, &pid);
	posix_spawn_file_actions_destroy(&files);
	return rc ? not_started(r, rc, e) : await_end(r, pid, e);
}

int host_run(const struct host_run *r, struct err *e)
{
	int launcher = launcher_fd();

	return launcher >= 0 ? launcher_run(launcher, r, e) : host_run_here(r, e);
}
