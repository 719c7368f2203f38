/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Character devices: see chardev.h.
 *
 * Input belongs to the control loop: bytes are read only while the user they go to has room (a
 * 4 KiB buffer per user), so a pipe or a socket is slowed down by a busy guest. On a terminal
 * reading never stops, or Ctrl-A could not be seen; what does not fit is lost there.
 *
 * Output may come from any thread. It goes straight to the descriptor, which never blocks; what
 * the other side does not take stays in a ring of 64 KiB and the control loop, woken through an
 * eventfd, carries on with EPOLLOUT. Terminals and pipes get a description of their own (opened
 * again through /proc), because O_NONBLOCK on a shared one would surprise the shell and stderr.
 */
#include "machine/chardev_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "base/util.h"

const int chardev_calls[] = {SYS_sendto, SYS_sendmsg,	SYS_writev,
			     SYS_poll,	 SYS_epoll_ctl, SANDBOX_END};

#define CTRL_A	 1
#define FLUSH_MS 200

/* --- output --------------------------------------------------------------------------------- */

static void wake(struct chardev *c)
{
	const uint64_t one = 1;

	/* Fails only when the counter is full, and then the loop is about to look. */
	if (write(c->wake, &one, sizeof(one)) < 0)
		return;
}

static ssize_t put(struct chardev *c, const void *buf, size_t len)
{
	ssize_t n;

	do {
		n = c->socket_out ? send(c->out, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT)
				  : write(c->out, buf, len);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Writes what the ring holds, as far as it goes. Lock held. */
static void drain(struct chardev *c)
{
	while (c->used && !c->out_gone && c->out >= 0) {
		size_t part = MIN(c->used, CHR_OUT_ROOM - c->head);
		ssize_t n = put(c, c->ring + c->head, part);

		if (n < 0) {
			if (errno != EAGAIN)
				c->out_gone = true;
			break;
		}
		c->head = (c->head + (size_t)n) % CHR_OUT_ROOM;
		c->used -= (size_t)n;
	}
	if (c->out_gone || c->out < 0)
		c->used = 0;
}

/* Keeps len bytes, dropping the oldest where there is no room. Lock held. */
static void keep(struct chardev *c, const unsigned char *p, size_t len)
{
	if (len > CHR_OUT_ROOM) {
		p += len - CHR_OUT_ROOM;
		len = CHR_OUT_ROOM;
	}
	if (c->used + len > CHR_OUT_ROOM) {
		size_t drop = c->used + len - CHR_OUT_ROOM;

		c->head = (c->head + drop) % CHR_OUT_ROOM;
		c->used -= drop;
	}
	for (size_t tail = (c->head + c->used) % CHR_OUT_ROOM; len;) {
		size_t part = MIN(len, CHR_OUT_ROOM - tail);

		memcpy(c->ring + tail, p, part);
		p += part;
		len -= part;
		c->used += part;
		tail = (tail + part) % CHR_OUT_ROOM;
	}
}

static void write_plain(struct chardev *c, const unsigned char *p, size_t len)
{
	bool tell = false;

	pthread_mutex_lock(&c->lock);
	if (c->out >= 0 && !c->out_gone) {
		ssize_t n = c->used ? 0 : put(c, p, len);

		if (n < 0 && errno != EAGAIN)
			c->out_gone = true;
		else if (n < 0)
			n = 0;
		if (!c->out_gone && (size_t)n < len) {
			keep(c, p + n, len - (size_t)n);
			tell = !c->want_out;
			c->want_out = true;
		}
	}
	pthread_mutex_unlock(&c->lock);
	if (tell)
		wake(c);
}

void chardev_write(struct chardev *c, unsigned user, const void *buf, size_t len)
{
	const unsigned char *p = buf, *iac;

	(void)user; /* both users of a mux are seen */
	if (!c)
		return;
	/* In telnet a byte of ones is written twice. */
	while (c->telnet && (iac = memchr(p, 0xff, len))) {
		write_plain(c, p, (size_t)(iac - p) + 1);
		write_plain(c, iac, 1);
		len -= (size_t)(iac - p) + 1;
		p = iac + 1;
	}
	if (len)
		write_plain(c, p, len);
}

size_t chardev_room(struct chardev *c)
{
	size_t room = SIZE_MAX;

	pthread_mutex_lock(&c->lock);
	if (c->out >= 0 && !c->out_gone)
		room = CHR_OUT_ROOM - c->used;
	pthread_mutex_unlock(&c->lock);
	return room;
}

bool chardev_is_open(struct chardev *c)
{
	return c->in >= 0 || c->out >= 0;
}

const char *chardev_name(const struct chardev *c)
{
	return c->name;
}

/* --- input ---------------------------------------------------------------------------------- */

static void deliver(struct chardev *c, unsigned u)
{
	struct chr_inbox *b = &c->inbox[u];

	while (c->attached[u] && b->len) {
		size_t n = c->user[u].input(c->user[u].opaque, b->buf + b->start, b->len);

		if (!n)
			break;
		n = MIN(n, b->len);
		b->start += n;
		b->len -= n;
	}
	if (!b->len)
		b->start = 0;
}

/* Appends one byte for user u; lost if there is no room. */
static void post(struct chardev *c, unsigned u, unsigned char ch)
{
	struct chr_inbox *b = &c->inbox[u];

	if (b->start && b->start + b->len == CHR_IN_ROOM) {
		memmove(b->buf, b->buf + b->start, b->len);
		b->start = 0;
	}
	if (b->len < CHR_IN_ROOM)
		b->buf[b->start + b->len++] = ch;
}

static void say(struct chardev *c, const char *text)
{
	chardev_write(c, 0, text, strlen(text));
}

/* The byte behind Ctrl-A. */
static void escape(struct chardev *c, unsigned char ch)
{
	switch (ch) {
	case CTRL_A:
		post(c, c->focus, ch);
		break;
	case 'x':
		say(c, "vmwire: ended by Ctrl-A x\r\n");
		if (c->quit)
			c->quit(c->quit_opaque);
		break;
	case 'c':
		c->focus ^= 1;
		if (c->attached[1]) {
			void (*fn)(void *) = c->focus ? c->user[1].opened : c->user[1].closed;

			if (fn)
				fn(c->user[1].opaque);
		}
		break;
	case 'b':
		/* Behind what was typed before it. */
		deliver(c, 0);
		if (c->attached[0] && c->user[0].brk)
			c->user[0].brk(c->user[0].opaque);
		break;
	case 'h':
	case '?':
		say(c, "\r\nCtrl-A h    this help\r\n"
		       "Ctrl-A x    end vmwire\r\n"
		       "Ctrl-A c    switch between serial port and monitor\r\n"
		       "Ctrl-A b    send a break to the serial port (Linux: SysRq)\r\n"
		       "Ctrl-A Ctrl-A  send Ctrl-A\r\n");
		break;
	default:
		break;
	}
}

static void take(struct chardev *c, const unsigned char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (c->mux && c->escape) {
			c->escape = false;
			escape(c, buf[i]);
		} else if (c->mux && buf[i] == CTRL_A) {
			c->escape = true;
		} else {
			post(c, c->focus, buf[i]);
		}
	}
	deliver(c, 0);
	if (c->mux)
		deliver(c, 1);
}

static void on_in(struct loop_fd *w, uint32_t events);
static void on_out(struct loop_fd *w, uint32_t events);

/* Room for input? A terminal is always read. */
static bool has_room(const struct chardev *c)
{
	return c->is_tty || (c->attached[c->focus] && c->inbox[c->focus].len < CHR_IN_ROOM / 2);
}

/*
 * Registers what is wanted now. A descriptor that nothing is wanted of is taken out altogether:
 * epoll reports a hang-up whether asked or not, and bytes may still wait in front of it. A
 * regular file as output is never full, so that refusing it (EPERM) does no harm. Control loop.
 */
static void watch(struct chardev *c, struct loop_fd *w, int fd, uint32_t events,
		  void (*fn)(struct loop_fd *, uint32_t))
{
	if (!events)
		loop_del_fd(c->loop, w);
	else if (w->slot)
		loop_mod_fd(c->loop, w, events);
	else
		loop_add_fd(c->loop, w, fd, events, fn);
}

static void update(struct chardev *c)
{
	uint32_t out;

	pthread_mutex_lock(&c->lock);
	out = c->want_out && c->out >= 0 ? EPOLLOUT : 0;
	pthread_mutex_unlock(&c->lock);
	c->reading = c->in >= 0 && has_room(c);
	if (c->in >= 0 && c->in == c->out) {
		watch(c, &c->in_w, c->in, (c->reading ? EPOLLIN : 0) | out, on_in);
		return;
	}
	if (c->polled_in && c->reading)
		loop_defer(c->loop, &c->again);
	else if (!c->polled_in && c->in >= 0)
		watch(c, &c->in_w, c->in, c->reading ? EPOLLIN : 0, on_in);
	if (c->out >= 0)
		watch(c, &c->out_w, c->out, out, on_out);
}

static void flush_some(struct chardev *c)
{
	pthread_mutex_lock(&c->lock);
	drain(c);
	c->want_out = c->used > 0;
	pthread_mutex_unlock(&c->lock);
	for (unsigned u = 0; u < 2; u++)
		if (c->attached[u] && c->user[u].drained)
			c->user[u].drained(c->user[u].opaque);
}

static void on_out(struct loop_fd *w, uint32_t events)
{
	struct chardev *c = container_of(w, struct chardev, out_w);

	(void)events;
	flush_some(c);
	update(c);
}

/* Input has ended: a socket's client is gone; on stdio the guest lives on without input. */
static void input_ended(struct chardev *c)
{
	if (c->kind == KIND_SERVER || c->kind == KIND_CLIENT) {
		chr_hang_up(c);
		return;
	}
	loop_del_fd(c->loop, &c->in_w);
	loop_undefer(c->loop, &c->again);
	c->polled_in = false;
	c->in = -1;
}

static void read_some(struct chardev *c)
{
	unsigned char buf[CHR_IN_ROOM / 2];
	ssize_t n = read(c->in, buf, sizeof(buf));

	if (n > 0)
		take(c, buf, c->telnet ? chr_telnet_input(c, buf, (size_t)n) : (size_t)n);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		input_ended(c);
}

static void on_in(struct loop_fd *w, uint32_t events)
{
	struct chardev *c = container_of(w, struct chardev, in_w);

	if (events & EPOLLOUT)
		flush_some(c);
	if (c->reading && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_some(c);
	update(c);
}

static void on_again(struct loop_task *t)
{
	struct chardev *c = container_of(t, struct chardev, again);

	if (c->in >= 0 && c->reading)
		read_some(c);
	update(c);
}

static void on_wake(struct loop_fd *w, uint32_t events)
{
	struct chardev *c = container_of(w, struct chardev, wake_w);
	uint64_t count;
	bool ready;

	(void)events;
	if (read(c->wake, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&c->lock);
	ready = c->ready;
	c->ready = false;
	pthread_mutex_unlock(&c->lock);
	if (ready) {
		deliver(c, 0);
		deliver(c, 1);
	}
	update(c);
}

void chardev_ready(struct chardev *c, unsigned user)
{
	(void)user;
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->ready = true;
	pthread_mutex_unlock(&c->lock);
	wake(c);
}

int chr_watch_input(struct chardev *c, struct err *e)
{
	int rc = loop_add_fd(c->loop, &c->in_w, c->in, EPOLLIN, on_in);

	c->reading = true;
	if (!rc)
		return 0;
	if (rc == -EPERM && c->kind == KIND_STDIO) {
		c->polled_in = true;
		loop_defer(c->loop, &c->again);
		return 0;
	}
	return err_set(e, -rc, "%s: cannot watch the input: %s", c->what, strerror(-rc));
}

/* --- the device ----------------------------------------------------------------------------- */

struct chardev *chardev_open(struct loop *control, const char *what, const char *spec,
			     struct err *e)
{
	struct chardev *c = calloc(1, sizeof(*c));
	int rc;

	if (!c || !(c->ring = malloc(CHR_OUT_ROOM))) {
		err_set(e, ENOMEM, "%s: out of memory", what);
		free(c);
		return NULL;
	}
	c->loop = control;
	c->in = c->out = c->listen = c->out_flags = -1;
	c->again.fn = on_again;
	snprintf(c->what, sizeof(c->what), "%s", what);
	pthread_mutex_init(&c->lock, NULL);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = c->wake < 0 ? -errno : loop_add_fd(control, &c->wake_w, c->wake, EPOLLIN, on_wake);
	if (rc)
		err_set(e, -rc, "%s: %s; raise the open file limit (ulimit -n)", what,
			strerror(-rc));
	else
		rc = chr_open(c, spec, e);
	if (rc) {
		chardev_close(c);
		return NULL;
	}
	return c;
}

void chardev_set_mux(struct chardev *c, void (*quit)(void *opaque), void *opaque)
{
	c->mux = true;
	c->quit = quit;
	c->quit_opaque = opaque;
	/* Ctrl-C belongs to the guest now; Ctrl-A x ends vmwire. */
	if (c->kind == KIND_STDIO)
		chr_set_raw(c, false);
}

void chardev_attach(struct chardev *c, unsigned user, const struct chardev_user *u)
{
	c->user[user] = *u;
	c->attached[user] = true;
	/* On a mux the monitor is "opened" when Ctrl-A c turns to it. */
	if (u->opened && c->kind != KIND_NULL && c->kind != KIND_FILE && c->out >= 0 &&
	    (!c->mux || user == c->focus))
		u->opened(u->opaque);
	deliver(c, user);
	update(c);
}

/* What is left goes out as far as the other side takes it soon. */
static void flush_all(struct chardev *c)
{
	struct pollfd p = {.fd = c->out, .events = POLLOUT};

	pthread_mutex_lock(&c->lock);
	drain(c);
	while (c->used && !c->out_gone && poll(&p, 1, FLUSH_MS) > 0)
		drain(c);
	pthread_mutex_unlock(&c->lock);
}

void chardev_close(struct chardev *c)
{
	if (!c)
		return;
	c->attached[0] = c->attached[1] = false;
	flush_all(c);
	loop_del_fd(c->loop, &c->in_w);
	loop_del_fd(c->loop, &c->out_w);
	loop_del_fd(c->loop, &c->listen_w);
	loop_timer_del(c->loop, &c->listen_again);
	loop_del_fd(c->loop, &c->wake_w);
	loop_undefer(c->loop, &c->again);
	/* From the background it would stop us (SIGTTOU), and the shell has its own again. */
	if (c->raw && tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
	if (c->out_flags >= 0)
		fcntl(STDOUT_FILENO, F_SETFL, c->out_flags);
	if ((c->kind == KIND_SERVER || c->kind == KIND_CLIENT) && c->in >= 0)
		close(c->in);
	else if (c->own_out)
		close(c->out);
	if (c->listen >= 0)
		close(c->listen);
	if (c->path)
		unlink(c->path);
	if (c->wake >= 0)
		close(c->wake);
	free(c->path);
	free(c->ring);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
