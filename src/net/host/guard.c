/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TAP goes with its descriptor; a macvtap, like most links, stays until it is deleted. So a
 * process of its own reads from a pipe that only we can write to. A line says that all is well. The
 * end of the file without one says that we are gone, and it deletes the link, if the name still is
 * that of the link with the index. It is a shell, a megabyte that sleeps; in a session of its own
 * and deaf to the signals that end us, so that it comes last. It holds no file of ours, so nobody
 * waits for it.
 */
#include "net/host/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/host/launcher.h"

#define START_MS 10000

static const char script[] = "trap '' HUP INT QUIT TERM PIPE; cd /; PATH=$PATH:/usr/sbin:/sbin\n"
			     "read -r line && exit\n"
			     "case $(ip -o link show dev \"$1\") in\n"
			     "\"$2: \"*) exec ip link delete dev \"$1\" ;;\n"
			     "esac\n";

static int spawn(struct host_guard *g, int in, char *const *argv)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int rc = posix_spawn_file_actions_init(&files);

	if (rc)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (rc) {
		posix_spawn_file_actions_destroy(&files);
		return rc;
	}
	sigemptyset(&none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attr, &none);
	rc = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY,
						      0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	if (!rc)
		rc = posix_spawn(&g->pid, argv[0], &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

/* The same by the launcher, which waits only for the shell that puts it into the background. */
static int spawn_launched(int in, char *const *argv, struct err *e)
{
	const char *const words[] = {
		"/bin/sh", "-c",    "setsid /bin/sh -c \"$1\" \"$2\" \"$3\" \"$4\" <&3 3<&- &",
		"sh",	   argv[2], argv[3],
		argv[4],   argv[5], NULL};
	const struct host_run r = {
		.what = "guard", .argv = words, .ms = START_MS, .pass = in, .quiet = true};

	return host_run(&r, e);
}

int host_guard_start(struct host_guard *g, const char *link, int index, struct err *e)
{
	char number[16], name[32];
	char *const argv[] = {(char *)"/bin/sh",
			      (char *)"-c",
			      (char *)script,
			      (char *)"vmwire-guard",
			      name,
			      number,
			      NULL};
	int fd[2], rc;

	*g = (struct host_guard){.fd = -1};
	snprintf(name, sizeof(name), "%s", link);
	snprintf(number, sizeof(number), "%d", index);
	if (pipe2(fd, O_CLOEXEC))
		return err_set(e, errno, "guard of %s: %s", link, strerror(errno));
	g->fd = fd[1];
	if (launcher_fd() >= 0) {
		g->launched = true;
		rc = spawn_launched(fd[0], argv, e);
		close(fd[0]);
		if (!rc)
			return 0;
		host_guard_end(g);
		return rc;
	}
	rc = spawn(g, fd[0], argv);
	close(fd[0]);
	if (!rc)
		return 0;
	close(g->fd);
	*g = (struct host_guard){.fd = -1};
	return err_set(e, rc, "guard of %s: /bin/sh: %s", link, strerror(rc));
}

void host_guard_end(struct host_guard *g)
{
	ssize_t n;

	if (!g->pid && !g->launched)
		return;
	/* It may have been killed: then there is nobody to tell (SIGPIPE is ignored). */
	n = write(g->fd, "\n", 1);
	(void)n;
	close(g->fd);
	while (g->pid && waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*g = (struct host_guard){.fd = -1};
}
