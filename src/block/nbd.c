/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images of every other format: a child qemu-nbd opens them, and each worker has a connection of
 * its own to it (libnbd, blocking calls). qemu-nbd keeps one cache for all its clients, so a flush
 * on one connection covers what was written on the others.
 *
 * The socket lies in a folder that only we may enter, and only until the connections wait in its
 * backlog, which is before the child runs; the child gets it as systemd hands sockets over
 * (LISTEN_FDS), so nothing is left behind whatever dies first. The child dies with us
 * (PR_SET_PDEATHSIG, SIGTERM: it closes its image in order), and ends by itself when the last
 * connection does. What it says goes into a memfd, which is read when it fails.
 *
 * NBD has no iovecs: pieces of 64 KiB and more go between socket and guest memory as they are,
 * smaller ones are gathered in a buffer of the worker's.
 */
#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/util.h"
#include "block/image.h"

#define DIRECT	  (64u << 10) /* bytes from which a piece is not gathered */
#define GATHER	  (256u << 10)
#define PIECE_MAX (16u << 20) /* half of what servers must take */
#define ZERO_MAX  (1u << 30)
#define LISTEN_FD 3 /* where the child looks for its socket */

struct nbd {
	struct image im;
	struct nbd_handle *h[IMAGE_WORKERS];
	uint8_t *buf[IMAGE_WORKERS]; /* GATHER bytes each */
	pid_t pid;
	bool discard, sync, lazy;
};

/* --- requests ------------------------------------------------------------------------------- */

static int failed(void)
{
	int code = nbd_get_errno();

	return code ? -code : -EIO;
}

/* As much of r, from byte `at` on, as goes at once; *p is where it is or goes. */
static size_t piece(const struct blk_req *r, uint64_t at, uint8_t *buf, uint8_t **p)
{
	struct iovec v;
	size_t got;

	iov_slice(r->vec, r->nvec, at, r->len - at, &v, 1, &got);
	if (got >= DIRECT || got == r->len - at) {
		*p = v.iov_base;
		return MIN(got, PIECE_MAX);
	}
	*p = buf;
	return MIN(r->len - at, GATHER);
}

static int nbd_move(struct nbd *n, unsigned w, const struct blk_req *r)
{
	uint32_t flags = (r->fua || n->sync) && !n->lazy ? LIBNBD_CMD_FLAG_FUA : 0;
	uint8_t *p;

	for (uint64_t at = 0; at < r->len;) {
		size_t len = piece(r, at, n->buf[w], &p);

		if (r->op == BLK_WRITE && p == n->buf[w])
			len = iov_read(r->vec, r->nvec, at, p, len);
		if (r->op == BLK_WRITE) {
			if (nbd_pwrite(n->h[w], p, len, r->off + at, flags))
				return failed();
		} else if (nbd_pread(n->h[w], p, len, r->off + at, 0)) {
			return failed();
		}
		if (r->op == BLK_READ && p == n->buf[w])
			iov_write(r->vec, r->nvec, at, p, len);
		at += len;
	}
	return 0;
}

static int nbd_clear(struct nbd *n, unsigned w, const struct blk_req *r)
{
	uint32_t flags = (r->fua || n->sync) && !n->lazy ? LIBNBD_CMD_FLAG_FUA : 0;
	int rc = 0;

	if (r->op == BLK_DISCARD && !n->discard)
		return 0;
	for (uint64_t at = 0; !rc && at < r->len; at += ZERO_MAX) {
		uint64_t len = MIN(r->len - at, ZERO_MAX);

		if (r->op == BLK_DISCARD)
			rc = nbd_trim(n->h[w], len, r->off + at, 0);
		else
			rc = nbd_zero(
				n->h[w], len, r->off + at,
				flags | (r->unmap && n->discard ? 0 : LIBNBD_CMD_FLAG_NO_HOLE));
	}
	return rc ? failed() : 0;
}

static int nbd_run(struct image *im, unsigned w, const struct blk_req *r)
{
	struct nbd *n = container_of(im, struct nbd, im);

	switch (r->op) {
	case BLK_READ:
	case BLK_WRITE:
		return nbd_move(n, w, r);
	case BLK_FLUSH:
		return n->lazy || !nbd_flush(n->h[w], 0) ? 0 : failed();
	case BLK_DISCARD:
	case BLK_ZERO:
		return nbd_clear(n, w, r);
	case BLK_OPS:
		break;
	}
	return -EINVAL;
}

static void nbd_end(struct image *im)
{
	struct nbd *n = container_of(im, struct nbd, im);

	for (unsigned i = 0; i < IMAGE_WORKERS; i++) {
		if (n->h[i] && !nbd_aio_is_dead(n->h[i]))
			nbd_shutdown(n->h[i], 0);
		nbd_close(n->h[i]);
		free(n->buf[i]);
	}
	/* Its cache is on the way to the file: an orderly end waits for that. */
	if (n->pid > 0)
		while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
			;
	free(n);
}

static const struct image_driver nbd_driver = {nbd_run, nbd_end};

/* --- the child ------------------------------------------------------------------------------ */

struct child {
	char *argv[20];
	char file[4096 + 2];
	int sock, err; /* listening socket; memfd for what it says */
};

static void arguments(struct child *k, const struct blk_conf *c, const char *format)
{
	static const char *const caches[] = {
		[BLK_WRITEBACK] = "--cache=writeback",
		[BLK_NONE] = "--cache=none",
		[BLK_WRITETHROUGH] = "--cache=writethrough",
		[BLK_DIRECTSYNC] = "--cache=directsync",
		[BLK_UNSAFE] = "--cache=unsafe",
	};
	unsigned n = 0;

	/* "./": no name of a file is taken for a protocol or an option. */
	snprintf(k->file, sizeof(k->file), "%s%s", *c->file == '/' ? "" : "./", c->file);
	k->argv[n++] = "qemu-nbd";
	k->argv[n++] = "-f";
	k->argv[n++] = (char *)(uintptr_t)format;
	k->argv[n++] = "--shared=4"; /* IMAGE_WORKERS */
	k->argv[n++] = (char *)(uintptr_t)caches[c->cache];
	k->argv[n++] = c->discard ? "--discard=unmap" : "--discard=ignore";
	if (c->snapshot)
		k->argv[n++] = "--snapshot";
	else if (c->readonly)
		k->argv[n++] = "--read-only";
	k->argv[n++] = k->file;
	k->argv[n] = NULL;
}

/* In the child, after fork(): only what POSIX allows there. */
static void become(const struct child *k, pid_t parent)
{
	static const char none[] = "qemu-nbd: not found";
	char pid[40] = "LISTEN_PID=", digits[12], *env[8];
	unsigned n = 0, at = sizeof("LISTEN_PID=") - 1, d = 0;
	sigset_t s;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&s);
	sigprocmask(SIG_SETMASK, &s, NULL);
	for (pid_t v = getpid(); v; v /= 10)
		digits[d++] = (char)('0' + v % 10);
	while (d)
		pid[at++] = digits[--d];
	pid[at] = 0;
	env[n++] = pid;
	env[n++] = "LISTEN_FDS=1";
	for (char **p = environ; *p; p++) {
		if (!strncmp(*p, "PATH=", 5) || !strncmp(*p, "TMPDIR=", 7) ||
		    !strncmp(*p, "HOME=", 5))
			env[n++] = *p;
		if (n == 7)
			break;
	}
	env[n] = NULL;
	/* Above the numbers that they are to have, so that none is overwritten. */
	int sock = fcntl(k->sock, F_DUPFD, 10), err = fcntl(k->err, F_DUPFD, 10);
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	dup2(err, 2);
	dup2(sock, LISTEN_FD);
	close_range(LISTEN_FD + 1, ~0u, 0);
	execvpe("qemu-nbd", k->argv, env);
	if (write(2, none, sizeof(none) - 1) < 0)
		_exit(126);
	_exit(127);
}

/* A listening socket that nobody else can reach, and the connections that wait in it. */
static int make_sockets(int *sock, int fd[IMAGE_WORKERS])
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char folder[80];
	int rc = 0;

	snprintf(folder, sizeof(folder), "%.60s/vmwire-XXXXXX",
		 dir && *dir && strlen(dir) < 60 ? dir : "/tmp");
	if (!mkdtemp(folder)) {
		snprintf(folder, sizeof(folder), "/tmp/vmwire-XXXXXX");
		if (!mkdtemp(folder))
			return -errno;
	}
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/nbd", folder);
	*sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*sock < 0 || bind(*sock, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(*sock, IMAGE_WORKERS))
		rc = -errno;
	for (unsigned i = 0; !rc && i < IMAGE_WORKERS; i++) {
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd[i] < 0 || connect(fd[i], (struct sockaddr *)&a, sizeof(a)))
			rc = -errno;
	}
	unlink(a.sun_path);
	rmdir(folder);
	return rc;
}

/* The last line that the child said, without its name. */
static void last_words(int fd, char *text, size_t size)
{
	char buf[1024], *line, *end;
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	buf[n > 0 ? n : 0] = 0;
	end = buf + strlen(buf);
	while (end > buf && end[-1] == '\n')
		*--end = 0;
	line = strrchr(buf, '\n');
	line = line ? line + 1 : buf;
	if (!strncmp(line, "qemu-nbd: ", 10))
		line += 10;
	/* The file is named in front of this already. */
	if (!strncmp(line, "Failed to blk_new_open '", 24) && strstr(line, "': "))
		line = strstr(line, "': ") + 3;
	snprintf(text, size, "%s", line);
}

static int start(struct nbd *n, const struct blk_conf *c, const char *format, int fd[], int err,
		 struct err *e)
{
	struct child *k = calloc(1, sizeof(*k));
	pid_t self = getpid();
	int rc;

	if (!k)
		return err_set(e, ENOMEM, "%s: out of memory", c->what);
	k->sock = -1;
	k->err = err;
	arguments(k, c, format);
	rc = make_sockets(&k->sock, fd);
	if (!rc) {
		n->pid = fork();
		if (!n->pid)
			become(k, self);
		rc = n->pid < 0 ? -errno : 0;
	}
	if (k->sock >= 0)
		close(k->sock);
	free(k);
	if (rc == -EPERM) /* the sandbox: no process starts while the guest runs */
		return err_set(
			e, EPERM,
			"%s: file=%.200s: only raw images can be put in while the guest runs: "
			"convert it with qemu-img, or start with -sandbox off",
			c->what, c->file);
	return rc ? err_set(e, -rc, "%s: file=%.200s: no qemu-nbd: %s", c->what, c->file,
			    strerror(-rc))
		  : 0;
}

static int explain(struct nbd *n, const struct blk_conf *c, const char *format, int err,
		   struct err *e)
{
	char said[256];
	int status = 0;

	while (waitpid(n->pid, &status, 0) < 0 && errno == EINTR)
		;
	n->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ENOENT,
			       "%s: file=%.160s: %s%s needs qemu-nbd, which is not there: install "
			       "the package qemu-utils",
			       c->what, c->file,
			       c->snapshot ? "snapshot=on with format " : "format ", format);
	last_words(err, said, sizeof(said));
	return err_set(e, EIO, "%s: file=%.160s, format %s: %s", c->what, c->file, format,
		       *said ? said : nbd_get_error());
}

static int join(struct nbd *n, int fd[], struct err *e)
{
	for (unsigned i = 0; i < IMAGE_WORKERS; i++) {
		int s = fd[i];

		n->h[i] = nbd_create();
		n->buf[i] = aligned_alloc(4096, GATHER);
		if (!n->h[i] || !n->buf[i])
			return err_set(e, ENOMEM, "out of memory");
		fd[i] = -1; /* libnbd's, also when it fails */
		if (nbd_connect_socket(n->h[i], s))
			return err_set(e, EIO, "%s", nbd_get_error());
	}
	return 0;
}

struct image *nbd_open(const struct blk_conf *c, const char *format, struct err *e)
{
	struct nbd *n = calloc(1, sizeof(*n));
	int fd[IMAGE_WORKERS], err = memfd_create("qemu-nbd", MFD_CLOEXEC);
	int rc;

	memset(fd, -1, sizeof(fd));
	if (!n || err < 0) {
		free(n);
		err_set(e, ENOMEM, "%s: out of memory", c->what);
		return NULL;
	}
	n->im.drv = &nbd_driver;
	n->discard = c->discard;
	n->sync = c->cache == BLK_WRITETHROUGH || c->cache == BLK_DIRECTSYNC;
	n->lazy = c->cache == BLK_UNSAFE;
	snprintf(n->im.format, sizeof(n->im.format), "%s", format);
	rc = start(n, c, format, fd, err, e);
	if (!rc && join(n, fd, e)) {
		for (unsigned i = 0; i < IMAGE_WORKERS; i++) {
			if (fd[i] >= 0)
				close(fd[i]);
			fd[i] = -1;
		}
		/* The connections that it has end it. */
		for (unsigned i = 0; i < IMAGE_WORKERS; i++) {
			nbd_close(n->h[i]);
			n->h[i] = NULL;
		}
		rc = explain(n, c, format, err, e);
	}
	for (unsigned i = 0; i < IMAGE_WORKERS; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
	}
	close(err);
	if (rc) {
		nbd_end(&n->im);
		return NULL;
	}
	n->im.size = (uint64_t)nbd_get_size(n->h[0]) / BLK_SECTOR * BLK_SECTOR;
	return &n->im;
}
