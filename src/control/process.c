/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process: see process.h.
 *
 * -daemonize forks before anything is opened, because much of what a guest has belongs to a
 * process: a vhost descriptor to its memory, firewall tables and a NAT network's TAP to their
 * owner. So the parent does nothing but wait on a pipe for one byte, the exit status: 0 when the
 * guest runs, or what a failed start ends with. Messages of the start go to the stderr that both
 * share. A signal to the parent ends the start.
 *
 * The pid file is locked (open file description lock) as long as the process lives: a second guest
 * with the same file is refused, a file that a killed one left is taken over. Between the open and
 * the lock the file may have been removed by its owner's end: the lock counts only if the name
 * still leads to the locked file.
 */
#include "control/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/await.h"
#include "base/log.h"
#include "base/util.h"
#include "net/host/launcher.h"

void process_conf_free(struct process_conf *c)
{
	free(c->pidfile);
	free(c->log);
	free(c->log_items);
	free(c->runas);
	free(c->title);
	*c = (struct process_conf){0};
}

/* --- the log -------------------------------------------------------------------------------- */

/* Before any thread: the environment is read by all of them. */
static int set_up_log(struct process *p, const char *name, struct err *e)
{
	const struct process_conf *c = p->conf;
	char text[128];

	if (c->log_items && setenv(LOG_ENV_ITEMS, c->log_items, 1))
		return err_set(e, ENOMEM, "out of memory");
	if (c->msg_time || c->msg_name) {
		snprintf(text, sizeof(text), "%s%s%.100s", c->msg_time ? "timestamp," : "",
			 c->msg_name && name ? "name=" : "", c->msg_name && name ? name : "");
		if (setenv(LOG_ENV_MSG, text, 1))
			return err_set(e, ENOMEM, "out of memory");
	}
	if (!c->log)
		return 0;
	p->log = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (p->log < 0)
		return err_set(e, errno,
			       "-D %s: cannot be written: %s; give a file that may be made", c->log,
			       strerror(errno));
	return 0;
}

/* --- into the background ---------------------------------------------------------------------- */

/* The parent's wait. The child's pid comes first, so that it can be told to give up. */
static int await_child(int fd)
{
	unsigned char status = 1;
	pid_t pid = 0;
	ssize_t n = read(fd, &pid, sizeof(pid));

	if (n == sizeof(pid)) {
		if (!await_readable(fd))
			kill(pid, SIGTERM);
		do {
			n = read(fd, &status, 1);
		} while (n < 0 && errno == EINTR);
	}
	close(fd);
	if (n == 1)
		return status;
	log_line("-daemonize: vmwire was ended before the guest ran");
	return 1;
}

static void block_ends(sigset_t *old)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGINT);
	sigaddset(&s, SIGTERM);
	sigaddset(&s, SIGHUP);
	sigaddset(&s, SIGQUIT);
	pthread_sigmask(SIG_BLOCK, &s, old);
}

/* Twice, so that no terminal can become ours by being opened. 0 in the guest's process, else
 * PROCESS_PARENT, or -errno. */
static int go_background(struct process *p, int *status, struct err *e)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return err_set(e, errno, "-daemonize: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		int why = errno;

		close(fds[0]);
		close(fds[1]);
		return err_set(e, why, "-daemonize: cannot start a process: %s", strerror(why));
	}
	if (pid) {
		close(fds[1]);
		*status = await_child(fds[0]);
		return PROCESS_PARENT;
	}
	close(fds[0]);
	p->parent = fds[1];
	setsid();
	pid = fork();
	if (pid > 0)
		_exit(0);
	if (pid < 0)
		return err_set(e, errno, "-daemonize: cannot start a process: %s", strerror(errno));
	pid = getpid();
	if (write(p->parent, &pid, sizeof(pid)) != sizeof(pid))
		return err_set(e, EPIPE, "-daemonize: its parent has ended");
	return PROCESS_GUEST;
}

/* --- the pid file ------------------------------------------------------------------------------
 */

static bool same_file(const char *path, int fd)
{
	struct stat by_name, by_fd;

	return !stat(path, &by_name) && !fstat(fd, &by_fd) && by_name.st_dev == by_fd.st_dev &&
	       by_name.st_ino == by_fd.st_ino;
}

static int held(const char *path, int fd, struct err *e)
{
	char pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? strspn(pid, "0123456789") : 0] = 0;
	return err_set(e, EBUSY,
		       "-pidfile %s: process %s holds it: end that guest first, or give another "
		       "file",
		       path, pid[0] ? pid : "(unknown)");
}

static int take_file(const char *path, int *fd, struct err *e)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st;

	do {
		if (*fd >= 0)
			close(*fd);
		*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
		if (*fd < 0 || fstat(*fd, &st))
			return err_set(e, errno,
				       "-pidfile %s: cannot be written: %s; give a file that may "
				       "be made",
				       path, strerror(errno));
		if (!S_ISREG(st.st_mode))
			return err_set(e, EINVAL,
				       "-pidfile %s: is there and is no regular file: give "
				       "another path",
				       path);
		if (fcntl(*fd, F_OFD_SETLK, &lock))
			return held(path, *fd, e);
	} while (!same_file(path, *fd));
	return 0;
}

static int take_pidfile(struct process *p, const char *path, struct err *e)
{
	char pid[24];
	int n, rc, fd = -1;

	rc = take_file(path, &fd, e);
	if (!rc)
		p->pidpath = realpath(path, NULL);
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (!rc && (!p->pidpath || ftruncate(fd, 0) || pwrite(fd, pid, (size_t)n, 0) != n))
		rc = err_set(e, errno ? errno : EIO, "-pidfile %s: %s", path, strerror(errno));
	if (rc && fd >= 0)
		close(fd);
	else
		p->pidfd = fd;
	return rc;
}

/* --- the user --------------------------------------------------------------------------------- */

int process_user(const char *what, const char *text, struct process_user *u, struct err *e)
{
	const struct passwd *pw;
	char *end;

	*u = (struct process_user){0};
	if (text[0] >= '0' && text[0] <= '9' && strchr(text, ':')) {
		unsigned long uid = strtoul(text, &end, 10), gid = ULONG_MAX;

		if (*end == ':' && end[1] >= '0' && end[1] <= '9')
			gid = strtoul(end + 1, &end, 10);
		if (*end || uid >= UINT_MAX || gid >= UINT_MAX)
			return err_set(e, EINVAL,
				       "%s %.60s is not a user: give a name, or UID:GID, e.g. "
				       "65534:65534",
				       what, text);
		u->uid = (uid_t)uid;
		u->gid = (gid_t)gid;
		return 0;
	}
	pw = getpwnam(text);
	if (!pw)
		return err_set(e, ENOENT,
			       "%s %.60s: there is no such user: give a name of /etc/passwd, or "
			       "UID:GID",
			       what, text);
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	snprintf(u->name, sizeof(u->name), "%s", text);
	return 0;
}

static int not_root(const char *text, int why, struct err *e)
{
	return err_set(e, why, "-runas %s: %s; only root may become another user", text,
		       strerror(why));
}

/* Before anything is opened: a start that fails says why in one line. */
static int may_become(const char *text, struct err *e)
{
	struct process_user u;
	int rc = process_user("-runas", text, &u, e);

	return rc || geteuid() == 0 ? rc : not_root(text, EPERM, e);
}

/* --- the steps -------------------------------------------------------------------------------- */

int process_begin(struct process *p, const struct process_conf *c, const char *name, int *status,
		  struct err *e)
{
	int rc;

	*p = (struct process){.conf = c, .parent = -1, .log = -1, .launcher = -1, .pidfd = -1};
	pthread_sigmask(SIG_BLOCK, NULL, &p->old_signals);
	if (c->runas && (rc = may_become(c->runas, e)))
		return rc;
	unsetenv(LAUNCHER_ENV);
	rc = set_up_log(p, name, e);
	fflush(NULL);
	/* Until the control loop reads them; one that comes before is not to kill us with the pid
	 * file still there. */
	block_ends(&p->old_signals);
	if (!rc && c->daemonize)
		rc = go_background(p, status, e);
	if (rc)
		return rc;
	if (c->title)
		prctl(PR_SET_NAME, c->title);
	if (c->pidfile)
		rc = take_pidfile(p, c->pidfile, e);
	if (!rc && !c->no_launcher) {
		p->launcher = launcher_start(&p->launcher_pid, e);
		rc = MIN(p->launcher, 0);
	}
	if (!rc)
		log_extra("process", "process %d%s", (int)getpid(),
			  c->daemonize ? " is in the background" : "");
	return rc;
}

int process_drop(struct process *p, struct err *e)
{
	const char *text = p->conf->runas;
	struct process_user u;
	int rc;

	if (!text)
		return 0;
	rc = process_user("-runas", text, &u, e);
	if (rc)
		return rc;
	/* So that its end can remove it; its folder may be root's. */
	if (p->pidfd >= 0 && fchown(p->pidfd, u.uid, u.gid))
		log_warn("-pidfile %s: cannot be given to %s: %s", p->pidpath, text,
			 strerror(errno));
	if (u.name[0] ? initgroups(u.name, u.gid) : setgroups(0, NULL))
		rc = errno;
	if (!rc && (setresgid(u.gid, u.gid, u.gid) || setresuid(u.uid, u.uid, u.uid)))
		rc = errno;
	if (rc)
		return not_root(text, rc, e);
	/* Nothing of root is left to go back to. */
	if (u.uid && (setuid(0) == 0 || geteuid() == 0))
		return err_set(e, EPERM, "-runas %s: root's rights stayed", text);
	log_extra("process", "runs as user %u, group %u", (unsigned)u.uid, (unsigned)u.gid);
	return 0;
}

/* Into the background for good. The folder stays: sockets, scripts and files that were named from
 * there are found again at the end. */
static int let_go(struct process *p, struct err *e)
{
	const unsigned char ok = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_set(e, errno, "-daemonize: %s", strerror(errno));
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (p->log < 0)
		dup2(null, STDERR_FILENO);
	close(null);
	/* A parent that has gone does not end a guest that runs. */
	if (write(p->parent, &ok, 1) < 0)
		log_extra("process", "nobody waited for the start");
	close(p->parent);
	p->parent = -1;
	return 0;
}

int process_ready(struct process *p, struct err *e)
{
	/* Not before: whoever starts us reads on stderr why a start has failed. */
	if (p->log >= 0 && dup2(p->log, STDERR_FILENO) < 0)
		return err_set(e, errno, "-D %s: %s", p->conf->log, strerror(errno));
	/* It ends, and who asks it is told so. */
	if (p->launcher >= 0 && p->conf->no_spawn)
		shutdown(p->launcher, SHUT_RDWR);
	log_extra("process", "process %d: the guest runs", (int)getpid());
	return p->parent >= 0 ? let_go(p, e) : 0;
}

void process_end(struct process *p, int status)
{
	const unsigned char byte = (unsigned char)status;

	if (p->pidfd >= 0) {
		/* Ours by the lock, unless somebody has put another file there. */
		if (same_file(p->pidpath, p->pidfd) && unlink(p->pidpath) && ftruncate(p->pidfd, 0))
			log_warn("-pidfile %s: cannot be removed: %s", p->pidpath, strerror(errno));
		close(p->pidfd);
		p->pidfd = -1;
	}
	free(p->pidpath);
	p->pidpath = NULL;
	if (p->log >= 0)
		close(p->log);
	if (p->launcher >= 0)
		launcher_end(p->launcher, p->launcher_pid);
	p->log = p->launcher = -1;
	if (p->parent >= 0) {
		if (write(p->parent, &byte, 1) < 0)
			log_extra("process", "nobody waited for the start");
		close(p->parent);
		p->parent = -1;
	}
	pthread_sigmask(SIG_SETMASK, &p->old_signals, NULL);
}
