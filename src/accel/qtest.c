/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qtest: an accelerator without a CPU. A test is the guest: over a socket it reads and writes
 * ports and memory, watches interrupt lines and moves the clock, by QEMU's documented text
 * protocol (one command per line, one answer per command, "IRQ raise N" and "IRQ lower N" in
 * between). All commands run on the control loop.
 *
 * Interrupt lines are driven from any thread, so answers go through a buffer under a lock: the
 * socket is tried at once, what it does not take is left to the control loop. A client that
 * stops reading is dropped when its unread answers pass QTEST_MAX_OUT; nobody ever waits for it.
 */
#include "accel/qtest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "accel/ops.h"
#include "base/await.h"
#include "base/util.h"

/* --- answers -------------------------------------------------------------------------------- */

/* With q->lock held: gives the socket what it takes. */
static void flush(struct qtest *q)
{
	size_t off = 0;

	while (off < q->out_len && !q->hung_up) {
		ssize_t n =
			send(q->fd, q->out + off, q->out_len - off, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			off += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			break;
		else if (n == 0 || errno != EINTR)
			q->hung_up = true;
	}
	if (q->hung_up)
		off = q->out_len;
	if (!off)
		return;
	q->out_len -= off;
	memmove(q->out, q->out + off, q->out_len);
}

/* With q->lock held. */
static void append(struct qtest *q, const char *data, size_t len)
{
	if (q->hung_up || q->fd < 0)
		return;
	if (q->out_len + len > q->out_room) {
		size_t room = MAX(2 * q->out_room, q->out_len + len + 4096);
		char *out = room > QTEST_MAX_OUT ? NULL : realloc(q->out, room);

		if (!out) {
			q->hung_up = true;
			return;
		}
		q->out = out;
		q->out_room = room;
	}
	memcpy(q->out + q->out_len, data, len);
	q->out_len += len;
}

/* With q->lock held. */
static void send_locked(struct qtest *q, const char *data, size_t len)
{
	const uint64_t one = 1;

	if (q->fd < 0)
		return;
	append(q, data, len);
	flush(q);
	/* The rest, or the news that the client is gone, is the control loop's. A full eventfd
	 * is one that is readable already. */
	if ((q->out_len || q->hung_up) && write(q->wake_fd, &one, sizeof(one)) < 0)
		q->hung_up |= errno != EAGAIN;
}

void qtest_send_raw(struct qtest *q, const char *data, size_t len)
{
	pthread_mutex_lock(&q->lock);
	send_locked(q, data, len);
	pthread_mutex_unlock(&q->lock);
}

void qtest_send(struct qtest *q, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t len = MIN((size_t)n, sizeof(line) - 2);

	line[len++] = '\n';
	qtest_send_raw(q, line, len);
}

/* --- lines in ------------------------------------------------------------------------------- */

void qtest_lines(struct qtest *q)
{
	size_t done = 0;

	while (!q->stepping && q->in_seen < q->in_len) {
		char *line = q->in + done;
		char *end = memchr(q->in + q->in_seen, '\n', q->in_len - q->in_seen);

		if (!end) {
			q->in_seen = q->in_len;
			break;
		}
		*end = '\0';
		done = q->in_seen = (size_t)(end + 1 - q->in);
		if (q->skipping)
			q->skipping = false; /* answered when it grew too long */
		else
			qtest_command(q, line);
	}
	if (done) {
		q->in_len -= done;
		q->in_seen -= done;
		memmove(q->in, q->in + done, q->in_len);
	}
	if (q->in_len < QTEST_MAX_LINE || q->stepping)
		return;
	/* No newline in sight. */
	if (!q->skipping)
		qtest_send(q, "FAIL Line too long");
	q->skipping = true;
	q->in_len = q->in_seen = 0;
}

/* The last thing a callback does: the owner may close the accelerator in turn. */
static void hang_up(struct qtest *q)
{
	const struct accel_host *h = &q->a->conf.host;
	struct loop *l = q->a->conf.control;

	if (q->fd < 0)
		return;
	loop_undefer(l, &q->task);
	q->stepping = false;
	loop_del_fd(l, &q->conn);
	loop_del_fd(l, &q->wake);
	pthread_mutex_lock(&q->lock);
	close(q->fd);
	q->fd = -1;
	q->out_len = 0;
	pthread_mutex_unlock(&q->lock);
	h->event(h->opaque, ACCEL_QUIT, "the qtest client hung up");
}

/* Receives once; false when the client is gone. */
static bool receive(struct qtest *q)
{
	ssize_t n;

	if (q->in_len == q->in_room) {
		size_t room = MIN(MAX(2 * q->in_room, 4096u), QTEST_MAX_LINE);
		char *in = room > q->in_room ? realloc(q->in, room) : NULL;

		if (!in)
			return room == q->in_room; /* full: only while a clock step runs */
		q->in = in;
		q->in_room = room;
	}
	n = recv(q->fd, q->in + q->in_len, q->in_room - q->in_len, MSG_DONTWAIT);
	if (n > 0) {
		q->in_len += (size_t)n;
		qtest_lines(q);
		return true;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void conn_ready(struct loop_fd *w, uint32_t events)
{
	struct qtest *q = container_of(w, struct qtest, conn);
	bool gone = false;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		gone = !receive(q);
	pthread_mutex_lock(&q->lock);
	flush(q);
	gone |= q->hung_up;
	if (!gone)
		loop_mod_fd(q->a->conf.control, w, EPOLLIN | (q->out_len ? EPOLLOUT : 0u));
	pthread_mutex_unlock(&q->lock);
	if (gone)
		hang_up(q);
}

/* Another thread (or this one, further down) left answers behind. */
static void wake_ready(struct loop_fd *w, uint32_t events)
{
	struct qtest *q = container_of(w, struct qtest, wake);
	uint64_t n;

	(void)events;
	if (read(q->wake_fd, &n, sizeof(n)) > 0)
		conn_ready(&q->conn, 0);
}

/* --- the socket ----------------------------------------------------------------------------- */

/* Takes over fd. */
static int serve(struct qtest *q, int fd)
{
	struct loop *l = q->a->conf.control;
	int rc;

	q->fd = fd;
	rc = loop_add_fd(l, &q->wake, q->wake_fd, EPOLLIN, wake_ready);
	return rc ? rc : loop_add_fd(l, &q->conn, fd, EPOLLIN, conn_ready);
}

static void stop_listening(struct qtest *q)
{
	loop_del_fd(q->a->conf.control, &q->listening);
	if (q->listen_fd >= 0)
		close(q->listen_fd);
	q->listen_fd = -1;
}

static void listen_ready(struct loop_fd *w, uint32_t events)
{
	struct qtest *q = container_of(w, struct qtest, listening);
	int fd = accept4(q->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	stop_listening(q); /* one client, once */
	if (serve(q, fd) < 0)
		hang_up(q);
}

struct place {
	char path[108]; /* a UNIX socket, or "" */
	int fd;
	bool server, wait;
};

static bool on_off(const char *v, bool *out)
{
	if (strcmp(v, "on") != 0 && strcmp(v, "off") != 0)
		return false;
	*out = !strcmp(v, "on");
	return true;
}

static int bad(struct err *e, const char *spec, const char *what)
{
	return err_set(e, EINVAL,
		       "-qtest %s: %s; allowed: unix:PATH[,server=on|off]"
		       "[,wait=on|off] or fd:N",
		       spec, what);
}

static int parse_option(const char *o, const char *spec, struct place *p, struct err *e)
{
	if (!strcmp(o, "server"))
		p->server = true;
	else if (!strcmp(o, "nowait"))
		p->wait = false;
	else if (!strncmp(o, "server=", 7)) {
		if (!on_off(o + 7, &p->server))
			return bad(e, spec, "server is on or off");
	} else if (!strncmp(o, "wait=", 5)) {
		if (!on_off(o + 5, &p->wait))
			return bad(e, spec, "wait is on or off");
	} else {
		return bad(e, spec, "unknown option");
	}
	return 0;
}

static int parse(const char *spec, struct place *p, struct err *e)
{
	char opt[16], *end;
	size_t n = 0;

	*p = (struct place){.fd = -1, .wait = true};
	if (!strncmp(spec, "fd:", 3)) {
		long v;

		errno = 0;
		v = strtol(spec + 3, &end, 10);
		if (spec[3] < '0' || spec[3] > '9' || *end || errno || v > INT32_MAX)
			return bad(e, spec, "fd wants the number of an open socket");
		p->fd = (int)v;
		return 0;
	}
	if (strncmp(spec, "unix:", 5) != 0)
		return bad(e, spec, "unknown kind of socket");
	const char *s = spec + 5;

	/* A doubled comma is a comma of the path. */
	for (; *s && (*s != ',' || s[1] == ','); s++) {
		if (n == sizeof(p->path) - 1)
			return bad(e, spec, "path is longer than 107 bytes");
		p->path[n++] = *s;
		s += *s == ',';
	}
	if (!n)
		return bad(e, spec, "path is missing");
	while (*s == ',') {
		size_t len = strcspn(++s, ",");

		snprintf(opt, sizeof(opt), "%.*s", (int)MIN(len, sizeof(opt) - 1), s);
		if (parse_option(opt, spec, p, e) < 0)
			return -EINVAL;
		s += len;
	}
	return 0;
}

static int listen_at(struct qtest *q, const struct place *p, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;
	int rc;

	memcpy(sa.sun_path, p->path, sizeof(sa.sun_path));
	q->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* As every QEMU user knows it: a socket that a dead process left is taken over. */
	if (q->listen_fd >= 0 && lstat(p->path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(q->listen_fd, (void *)&sa, sizeof(sa)) < 0 && errno == ECONNREFUSED)
		unlink(p->path);
	if (q->listen_fd < 0 || bind(q->listen_fd, (void *)&sa, sizeof(sa)) < 0 ||
	    listen(q->listen_fd, 1) < 0)
		return err_set(e, errno,
			       "-qtest unix:%s: cannot listen: %s; name a path that can "
			       "be made and is not in use",
			       p->path, strerror(errno));
	q->path = strdup(p->path);
	if (!p->wait) {
		fcntl(q->listen_fd, F_SETFL, O_NONBLOCK);
		rc = loop_add_fd(q->a->conf.control, &q->listening, q->listen_fd, EPOLLIN,
				 listen_ready);
		return rc ? err_set(e, -rc, "-qtest: %s", strerror(-rc)) : 0;
	}
	if (!await_readable(q->listen_fd))
		return err_set(e, EINTR, "-qtest unix:%s: ended while waiting for a client",
			       p->path);
	int fd = accept4(q->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "-qtest unix:%s: %s", p->path, strerror(errno));
	stop_listening(q);
	rc = serve(q, fd);
	return rc ? err_set(e, -rc, "-qtest: %s", strerror(-rc)) : 0;
}

static int connect_to(struct qtest *q, const struct place *p, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int rc, type = 0, fd = p->fd;
	socklen_t len = sizeof(type);

	if (fd >= 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
			return err_set(e, EINVAL, "-qtest fd:%d: not an open stream socket", fd);
	} else {
		memcpy(sa.sun_path, p->path, sizeof(sa.sun_path));
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (void *)&sa, sizeof(sa)) < 0) {
			rc = err_set(e, errno,
				     "-qtest unix:%s: cannot connect: %s; start the test "
				     "first, or listen with server=on",
				     p->path, strerror(errno));
			if (fd >= 0)
				close(fd);
			return rc;
		}
	}
	rc = serve(q, fd);
	return rc ? err_set(e, -rc, "-qtest: %s", strerror(-rc)) : 0;
}

/* --- the accelerator ------------------------------------------------------------------------ */

static int qtest_open(struct accel *a, struct err *e)
{
	struct qtest *q = calloc(1, sizeof(*q));
	struct place p;

	if (!q)
		return err_set(e, ENOMEM, "no memory for qtest");
	a->priv = q;
	q->a = a;
	q->fd = q->listen_fd = -1;
	pthread_mutex_init(&q->lock, NULL);
	list_init(&q->task.link);
	q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->wake_fd < 0)
		return err_set(e, errno, "qtest: %s", strerror(errno));
	if (!a->conf.control || !a->conf.clock)
		return err_set(e, EINVAL, "qtest wants a control loop and a clock");
	a->conf.clock->is_virtual = true;
	if (!a->conf.qtest)
		return 0; /* nobody drives the devices: fine for trying out command lines */
	if (parse(a->conf.qtest, &p, e) < 0)
		return -EINVAL;
	return p.server ? listen_at(q, &p, e) : connect_to(q, &p, e);
}

static void qtest_close(struct accel *a)
{
	struct qtest *q = a->priv;

	if (!q)
		return;
	if (a->conf.control) {
		loop_undefer(a->conf.control, &q->task);
		loop_del_fd(a->conf.control, &q->conn);
		loop_del_fd(a->conf.control, &q->wake);
		stop_listening(q);
	}
	if (q->fd >= 0)
		close(q->fd);
	if (q->wake_fd >= 0)
		close(q->wake_fd);
	if (q->path)
		unlink(q->path);
	free(q->path);
	free(q->in);
	free(q->out);
	pthread_mutex_destroy(&q->lock);
	free(q);
	a->priv = NULL;
}

static int nothing(struct accel *a, struct err *e)
{
	(void)a;
	(void)e;
	return 0;
}

static void no_cpus(struct accel *a)
{
	(void)a;
}

static void qtest_irq(struct accel *a, unsigned gsi, bool level)
{
	struct qtest *q = a->priv;
	char line[32];
	int n;

	if (gsi >= QTEST_LINES)
		return;
	/* One hold of the lock: changes by several threads are told in their order. */
	pthread_mutex_lock(&q->lock);
	if (q->level[gsi] != level) {
		q->level[gsi] = level;
		n = snprintf(line, sizeof(line), "IRQ %s %u\n", level ? "raise" : "lower", gsi);
		if (q->intercept)
			send_locked(q, line, (size_t)n);
	}
	pthread_mutex_unlock(&q->lock);
}

/* A message to RAM is a memory write, which a test can poll; there is no APIC to take others. */
static void qtest_msi(struct accel *a, uint64_t addr, uint32_t data)
{
	uint8_t le[4];

	put_le32(le, data);
	(void)mem_write(&a->mem, addr, le, sizeof(le));
}

const struct accel_ops accel_qtest = {
	.name = "qtest",
	.summary = "no CPU: a test drives the devices over a socket",
	.open = qtest_open,
	.close = qtest_close,
	.map = nothing,
	.start = nothing,
	.pause = no_cpus,
	.resume = no_cpus,
	.reset = nothing,
	.irq = qtest_irq,
	.msi = qtest_msi,
};
