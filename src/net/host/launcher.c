/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The launcher: see launcher.h.
 *
 * A request is one datagram: a head, and behind it strings (what, path, arguments, environment),
 * with descriptors: the socket for the answer, stdout, stderr, and the one that the program gets.
 * A child of the launcher's runs it by host_run_here() and answers with the error's code and text.
 * Requests are few and come from our own process, but that one may have been taken over by a guest:
 * so a request is checked as any stranger's is.
 */
#include "net/host/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/await.h"
#include "base/util.h"

#define MAGIC	  0x766d6c31u
#define TEXT_MAX  16384u
#define WORDS_MAX 64u
#define EXTRA_MS  10000u /* for the launcher itself, beyond what the program may take */

struct head {
	uint32_t magic, ms;
	uint32_t argc, envc; /* envc UINT32_MAX: the launcher's own environment */
	uint8_t pass, quiet, heed;
};

struct request {
	struct head h;
	char text[TEXT_MAX]; /* strings, each with its zero */
};

struct answer {
	int32_t rc;
	char text[sizeof(((struct err *)0)->text)];
};

enum { FD_ANSWER, FD_OUT, FD_ERR, FD_PASS, FDS };

/* --- the launcher's side ---------------------------------------------------------------------- */

/* The next string of text, or NULL: there is none. */
static const char *next(const char **text, const char *end)
{
	const char *s = *text, *zero = memchr(s, 0, (size_t)(end - s));

	if (!zero)
		return NULL;
	*text = zero + 1;
	return s;
}

static bool words(const char **text, const char *end, uint32_t n, const char **v)
{
	if (n >= WORDS_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		v[i] = next(text, end);
		if (!v[i])
			return false;
	}
	v[n] = NULL;
	return true;
}

/* In a child: runs what the request says and answers. */
static void serve(const struct request *q, size_t len, const int fds[FDS])
{
	const char *argv[WORDS_MAX], *env[WORDS_MAX], *text = q->text;
	const char *end = (const char *)q + len;
	const bool own_env = q->h.envc == UINT32_MAX;
	struct host_run r = {.ms = q->h.ms,
			     .argv = argv,
			     .quiet = q->h.quiet,
			     .pass = q->h.pass ? fds[FD_PASS] : 0,
			     .hangup = q->h.heed ? fds[FD_ANSWER] : 0};
	struct answer a = {0};
	struct err e = {0};

	r.what = next(&text, end);
	r.path = r.what ? next(&text, end) : NULL;
	if (!r.path || !words(&text, end, q->h.argc, argv) || !q->h.argc ||
	    !words(&text, end, own_env ? 0 : q->h.envc, env)) {
		a.rc = err_set(&e, EPROTO, "a request that is none");
	} else {
		if (!own_env)
			r.env = env;
		dup2(fds[FD_OUT], STDOUT_FILENO);
		dup2(fds[FD_ERR], STDERR_FILENO);
		a.rc = host_run_here(&r, &e);
	}
	memcpy(a.text, e.text, sizeof(a.text));
	if (send(fds[FD_ANSWER], &a, sizeof(a), MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* One request with its descriptors. 0: vmwire has ended. */
static ssize_t receive(int sock, struct request *q, int fds[FDS])
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(FDS * sizeof(int))];
	} c;
	struct iovec v = {q, sizeof(*q)};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
	ssize_t n;

	for (unsigned i = 0; i < FDS; i++)
		fds[i] = -1;
	do {
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n > 0 && m.msg_controllen >= sizeof(struct cmsghdr) &&
	    CMSG_FIRSTHDR(&m)->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(&c.h), MIN(c.h.cmsg_len - CMSG_LEN(0), FDS * sizeof(int)));
	return n;
}

static bool is_whole(const struct request *q, ssize_t n, const int fds[FDS])
{
	return n >= (ssize_t)sizeof(q->h) && q->h.magic == MAGIC && fds[FD_ANSWER] >= 0 &&
	       fds[FD_OUT] >= 0 && fds[FD_ERR] >= 0 && (!q->h.pass || fds[FD_PASS] >= 0);
}

static void run(int sock)
{
	struct request q;
	int fds[FDS];

	prctl(PR_SET_NAME, "vmwire-run");
	for (;;) {
		ssize_t n = receive(sock, &q, fds);

		if (n <= 0)
			_exit(0);
		if (is_whole(&q, n, fds) && fork() == 0) {
			/* host_run() waits for its program. */
			signal(SIGCHLD, SIG_DFL);
			close(sock);
			serve(&q, (size_t)n, fds);
			_exit(0);
		}
		for (unsigned i = 0; i < FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
}

int launcher_start(pid_t *started, struct err *e)
{
	char number[16];
	int sv[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return err_set(e, errno, "-sandbox on: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		int why = errno;

		close(sv[0]);
		close(sv[1]);
		return err_set(e, why, "-sandbox on: cannot start a process: %s", strerror(why));
	}
	if (!pid) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		/* Nothing of what vmwire was given is held open here; the terminal neither. */
		for (int fd = 0; fd <= STDERR_FILENO; fd++)
			dup2(null, fd);
		sv[1] = dup2(sv[1], STDERR_FILENO + 1);
		closefrom(STDERR_FILENO + 2);
		fcntl(sv[1], F_SETFD, FD_CLOEXEC);
		signal(SIGCHLD, SIG_IGN);
		run(sv[1]);
	}
	close(sv[1]);
	*started = pid;
	snprintf(number, sizeof(number), "%d", sv[0]);
	if (setenv(LAUNCHER_ENV, number, 1)) {
		launcher_end(sv[0], pid);
		return err_set(e, ENOMEM, "out of memory");
	}
	return sv[0];
}

void launcher_end(int fd, pid_t pid)
{
	close(fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* --- vmwire's side ---------------------------------------------------------------------------- */

int launcher_fd(void)
{
	const char *text = getenv(LAUNCHER_ENV);
	char *end;
	long fd = text ? strtol(text, &end, 10) : -1;

	return text && *text && !*end && fd >= 0 && fd < 1 << 20 ? (int)fd : -1;
}

static bool put(struct request *q, size_t *len, const char *s)
{
	size_t n = strlen(s) + 1;

	if (n > sizeof(q->text) - *len)
		return false;
	memcpy(q->text + *len, s, n);
	*len += n;
	return true;
}

/* Returns the request's length, 0: it is too long. */
static size_t pack(struct request *q, const struct host_run *r)
{
	size_t len = 0;
	bool ok;

	q->h = (struct head){.magic = MAGIC,
			     .ms = r->ms,
			     .envc = r->env ? 0 : UINT32_MAX,
			     .pass = r->pass != 0,
			     .quiet = r->quiet,
			     .heed = r->heed};
	ok = put(q, &len, r->what) && put(q, &len, r->path ? r->path : r->argv[0]);
	for (; ok && r->argv[q->h.argc]; q->h.argc++)
		ok = put(q, &len, r->argv[q->h.argc]);
	for (; ok && r->env && r->env[q->h.envc]; q->h.envc++)
		ok = put(q, &len, r->env[q->h.envc]);
	return ok && q->h.argc < WORDS_MAX ? sizeof(q->h) + len : 0;
}

static int ask(int sock, struct request *q, size_t len, const struct host_run *r, int answer)
{
	const int fds[FDS] = {answer, STDOUT_FILENO, r->errors ? r->errors : STDERR_FILENO,
			      r->pass};
	const unsigned n = r->pass ? FDS : FD_PASS;
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(FDS * sizeof(int))];
	} c = {.h = {.cmsg_len = CMSG_LEN(n * sizeof(int)),
		     .cmsg_level = SOL_SOCKET,
		     .cmsg_type = SCM_RIGHTS}};
	struct iovec v = {q, len};
	const struct msghdr m = {.msg_iov = &v,
				 .msg_iovlen = 1,
				 .msg_control = &c,
				 .msg_controllen = CMSG_SPACE(n * sizeof(int))};

	memcpy(CMSG_DATA(&c.h), fds, n * sizeof(int));
	return sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int launcher_run(int sock, const struct host_run *r, struct err *e)
{
	struct request q;
	struct answer a;
	size_t len = pack(&q, r);
	enum await how;
	ssize_t n = -1;
	int sv[2], rc;

	if (!len)
		return err_set(e, E2BIG, "%s: the command is too long", r->what);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return err_set(e, errno, "%s: %s", r->what, strerror(errno));
	rc = ask(sock, &q, len, r, sv[1]);
	close(sv[1]);
	how = rc ? AWAIT_LATE : await_for(sv[0], r->ms + EXTRA_MS, r->heed);
	if (how == AWAIT_READY)
		n = recv(sv[0], &a, sizeof(a), MSG_DONTWAIT);
	/* It takes that as the order to end the program. */
	close(sv[0]);
	if (how == AWAIT_END)
		return err_set(e, ECANCELED, "%s: ended by a signal before it was done", r->what);
	if (n != sizeof(a))
		return err_set(e, EIO,
			       "%s: not run: the process that runs programs for vmwire "
			       "(vmwire-run) has ended, or -sandbox on,spawn=deny forbids it",
			       r->what);
	a.text[sizeof(a.text) - 1] = 0;
	return a.rc ? err_set(e, -a.rc, "%s", a.text) : 0;
}
