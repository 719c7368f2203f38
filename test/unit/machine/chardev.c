/* SPDX-License-Identifier: BSD-2-Clause */
/* Character devices: files, UNIX sockets both ways, the mux's Ctrl-A keys, a client that does not
 * read, input that waits for its user, and the terminal's restoration (on a pseudo terminal). */
#include "machine/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

/* A user that keeps what comes; limit: how many bytes it takes in all. */
struct taker {
	char got[8192];
	size_t len, limit;
	unsigned opened, closed, breaks;
};

static size_t on_input(void *opaque, const unsigned char *buf, size_t len)
{
	struct taker *t = opaque;

	len = MIN(len, t->limit - t->len);
	memcpy(t->got + t->len, buf, len);
	t->len += len;
	return len;
}

static void on_opened(void *opaque)
{
	((struct taker *)opaque)->opened++;
}

static void on_closed(void *opaque)
{
	((struct taker *)opaque)->closed++;
}

static void on_brk(void *opaque)
{
	struct taker *t = opaque;

	t->breaks += t->len == 4;
}

static void attach(struct chardev *c, unsigned user, struct taker *t, size_t limit)
{
	struct chardev_user u = {.input = on_input,
				 .opened = on_opened,
				 .closed = on_closed,
				 .brk = on_brk,
				 .opaque = t};

	*t = (struct taker){.limit = limit};
	chardev_attach(c, user, &u);
}

static struct loop *new_loop(void)
{
	struct err e;
	struct loop *l = loop_new("test", NULL, &e);

	assert_non_null(l);
	assert_int_equal(loop_start(l, &e), 0);
	return l;
}

static void end_loop(struct loop *l)
{
	loop_stop(l);
	loop_join(l);
}

/* Waits until cond holds, two seconds at most; the loop runs on its thread meanwhile. */
#define WAIT(cond)                                                                                 \
	do {                                                                                       \
		for (int i_ = 0; i_ < 400 && !(cond); i_++)                                        \
			usleep(5000);                                                              \
		assert_true(cond);                                                                 \
	} while (0)

struct opening {
	struct loop *l;
	const char *spec;
	struct chardev *c;
	struct err e;
};

static void do_open(void *arg)
{
	struct opening *o = arg;

	o->c = chardev_open(o->l, "-serial", o->spec, &o->e);
}

static void do_close(void *arg)
{
	chardev_close(arg);
}

struct attaching {
	struct chardev *c;
	unsigned user;
	struct taker *t;
	size_t limit;
	bool mux;
	unsigned *quits;
};

static void on_quit(void *opaque)
{
	(*(unsigned *)opaque)++;
}

static void do_attach(void *arg)
{
	struct attaching *a = arg;

	if (a->mux)
		chardev_set_mux(a->c, on_quit, a->quits);
	attach(a->c, a->user, a->t, a->limit);
}

static struct chardev *open_on(struct loop *l, const char *spec)
{
	struct opening o = {.l = l, .spec = spec};

	loop_call(l, do_open, &o);
	assert_non_null(o.c);
	return o.c;
}

static int client(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void temp_path(char path[64], const char *name)
{
	char dir[] = "/tmp/vmwire-chardev-XXXXXX";

	assert_non_null(mkdtemp(dir));
	snprintf(path, 64, "%s/%s", dir, name);
}

static void remove_dir(char *path)
{
	*strrchr(path, '/') = 0;
	assert_int_equal(rmdir(path), 0);
}

static void bad_specs(void **state)
{
	static const struct {
		const char *spec, *text;
	} t[] = {
		{"pty", "-serial pty is not known: allowed are stdio, null, none, file:PATH, "
			"unix:PATH, tcp:HOST:PORT and telnet:HOST:PORT[,server=on][,wait=off]"},
		{"unix:/x,servr=on", "-serial: servr=on is not an option: did you mean server=on? "
				     "Allowed: path, server, wait, nowait"},
		{"unix:/nonexistent/sock",
		 "-serial: cannot connect to /nonexistent/sock: No such file or directory; start "
		 "the program that listens there first, or add server=on to let vmwire listen"},
		{"file:/nonexistent/f", "-serial: cannot write /nonexistent/f: No such file or "
					"directory"},
		{"unix:/dev/null,server=on",
		 "-serial: /dev/null is there and is no socket: give another path"},
	};
	struct err e;
	struct loop *l = loop_new("test", NULL, &e);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		assert_null(chardev_open(l, "-serial", t[i].spec, &e));
		assert_string_equal(e.text, t[i].text);
	}
	loop_free(l);
}

static void file(void **state)
{
	char path[64], spec[80], got[16] = "";
	struct loop *l = new_loop();
	struct chardev *c;
	FILE *f;

	(void)state;
	temp_path(path, "out");
	snprintf(spec, sizeof(spec), "file:%s", path);
	c = open_on(l, spec);
	chardev_write(c, 0, "hello\n", 6);
	loop_call(l, do_close, c);
	end_loop(l);
	loop_free(l);
	f = fopen(path, "r");
	assert_non_null(fgets(got, sizeof(got), f));
	fclose(f);
	assert_string_equal(got, "hello\n");
	unlink(path);
	remove_dir(path);
}

/* A server: two clients after one another, and the socket's file removed at the end. */
static void unix_server(void **state)
{
	char path[64], spec[100], got[16] = "";
	struct loop *l = new_loop();
	struct chardev *c;
	struct stat st;
	static struct taker t;
	struct attaching a = {.t = &t, .limit = sizeof(t.got)};

	(void)state;
	temp_path(path, "sock");
	snprintf(spec, sizeof(spec), "unix:%s,server,nowait", path);
	c = a.c = open_on(l, spec);
	loop_call(l, do_attach, &a);
	for (unsigned i = 1; i <= 2; i++) {
		int fd = client(path);

		WAIT(t.opened == i);
		chardev_write(c, 0, "out", 3);
		assert_int_equal(read(fd, got, sizeof(got)), 3);
		assert_memory_equal(got, "out", 3);
		assert_int_equal(write(fd, "in", 2), 2);
		WAIT(t.len == 2 * i);
		close(fd);
		WAIT(t.closed == i);
	}
	/* Nobody there: written to nowhere. */
	chardev_write(c, 0, "lost", 4);
	loop_call(l, do_close, c);
	end_loop(l);
	loop_free(l);
	assert_int_equal(stat(path, &st), -1);
	remove_dir(path);
}

/* A program that listens but is too busy to take us now: its socket stays, and nobody waits. */
static void busy_socket(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct loop *l = loop_new("test", NULL, NULL);
	struct stat st;
	struct err e;
	char path[64], spec[100];
	int fd[8], n = 0, listening;

	(void)state;
	temp_path(path, "sock");
	snprintf(spec, sizeof(spec), "unix:%s,server,nowait", path);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listening, 0), 0);
	do
		fd[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (!connect(fd[n++], (struct sockaddr *)&sa, sizeof(sa)) && n < 8);
	assert_int_equal(errno, EAGAIN);
	alarm(10);
	assert_null(chardev_open(l, "-monitor", spec, &e));
	alarm(0);
	assert_non_null(strstr(e.text, "another program listens"));
	assert_int_equal(stat(path, &st), 0);
	while (n)
		close(fd[--n]);
	close(listening);
	/* Nobody listens any more: taken over. */
	struct chardev *c = chardev_open(l, "-monitor", spec, &e);

	assert_non_null(c);
	chardev_close(c);
	loop_free(l);
	remove_dir(path);
}

/* Bytes beyond what the user takes stay until chardev_ready(); none is lost or doubled. */
static void slow_user(void **state)
{
	char path[64], spec[100], sent[6000];
	struct loop *l = new_loop();
	static struct taker t;
	struct attaching a = {.t = &t, .limit = 10};
	int fd;

	(void)state;
	for (unsigned i = 0; i < sizeof(sent); i++)
		sent[i] = (char)('a' + i % 23);
	temp_path(path, "sock");
	snprintf(spec, sizeof(spec), "unix:%s,server=on,wait=off", path);
	a.c = open_on(l, spec);
	loop_call(l, do_attach, &a);
	fd = client(path);
	assert_int_equal(write(fd, sent, sizeof(sent)), sizeof(sent));
	WAIT(t.len == 10);
	usleep(50000);
	assert_int_equal(t.len, 10);
	t.limit = 100;
	chardev_ready(a.c, 0);
	WAIT(t.len == 100);
	t.limit = sizeof(t.got);
	chardev_ready(a.c, 0);
	WAIT(t.len == sizeof(sent));
	assert_memory_equal(t.got, sent, sizeof(sent));
	close(fd);
	loop_call(l, do_close, a.c);
	end_loop(l);
	loop_free(l);
	remove_dir(path);
}

/* A client that does not read costs the oldest bytes, and nobody waits for it. */
static void slow_client(void **state)
{
	char path[64], spec[100], block[1024], got[4096], last[8] = "";
	struct loop *l = new_loop();
	static struct taker t;
	struct attaching a = {.t = &t, .limit = 1};
	struct pollfd p = {.events = POLLIN};
	size_t total = 0;
	ssize_t n;

	(void)state;
	temp_path(path, "sock");
	snprintf(spec, sizeof(spec), "unix:%s,server=on,wait=off", path);
	a.c = open_on(l, spec);
	loop_call(l, do_attach, &a);
	p.fd = client(path);
	WAIT(t.opened == 1);
	memset(block, 'x', sizeof(block));
	for (unsigned i = 0; i < 4096; i++)
		chardev_write(a.c, 0, block, sizeof(block));
	chardev_write(a.c, 0, "the end", 7);
	while (poll(&p, 1, 500) > 0 && (n = read(p.fd, got, sizeof(got))) > 0) {
		total += (size_t)n;
		if (n >= 7)
			memcpy(last, got + n - 7, 7);
	}
	assert_true(total < sizeof(block) * 4096);
	assert_true(total >= 64 << 10);
	assert_string_equal(last, "the end");
	close(p.fd);
	loop_call(l, do_close, a.c);
	end_loop(l);
	loop_free(l);
	remove_dir(path);
}

static void mux_keys(void **state)
{
	char path[64], spec[100], got[512] = "";
	struct loop *l = new_loop();
	static struct taker t0, t1;
	unsigned quits = 0;
	struct attaching a = {.t = &t0, .limit = 100, .mux = true, .quits = &quits};
	int fd;

	(void)state;
	temp_path(path, "sock");
	snprintf(spec, sizeof(spec), "unix:%s,server=on,wait=off", path);
	a.c = open_on(l, spec);
	loop_call(l, do_attach, &a);
	a.user = 1;
	a.t = &t1;
	loop_call(l, do_attach, &a);
	fd = client(path);
	WAIT(t0.opened == 1);
	assert_int_equal(t1.opened, 0);
	assert_int_equal(write(fd, "a\1\1b\1c", 6), 6);
	WAIT(t1.opened == 1);
	assert_int_equal(t0.len, 3);
	assert_memory_equal(t0.got, "a\1b", 3);
	assert_int_equal(write(fd, "info\1cz", 7), 7);
	WAIT(t0.len == 4);
	assert_int_equal(t1.len, 4);
	assert_memory_equal(t1.got, "info", 4);
	assert_int_equal(t1.closed, 1);
	assert_int_equal(write(fd, "\1b\1h\1x", 6), 6);
	WAIT(quits == 1);
	assert_int_equal(t0.breaks, 1);
	assert_int_equal(t1.breaks, 0);
	assert_true(read(fd, got, sizeof(got) - 1) > 0);
	assert_non_null(strstr(got, "Ctrl-A x    end vmwire"));
	close(fd);
	loop_call(l, do_close, a.c);
	end_loop(l);
	loop_free(l);
	remove_dir(path);
}

/* In a child on a pseudo terminal: raw while open, as before when closed. */
static void child_on_tty(const char *name)
{
	struct termios before, during, after;
	struct err e;
	struct loop *l;
	struct chardev *c;
	int fd;

	setsid();
	fd = open(name, O_RDWR);
	if (fd < 0)
		_exit(10);
	dup2(fd, 0);
	dup2(fd, 1);
	tcgetattr(0, &before);
	l = loop_new("test", NULL, &e);
	c = chardev_open(l, "-serial", "stdio", &e);
	if (!c)
		_exit(11);
	tcgetattr(0, &during);
	if (during.c_lflag & (ICANON | ECHO) || !(during.c_lflag & ISIG))
		_exit(12);
	chardev_set_mux(c, NULL, NULL);
	tcgetattr(0, &during);
	if (during.c_lflag & ISIG)
		_exit(13);
	chardev_close(c);
	loop_free(l);
	tcgetattr(0, &after);
	if (after.c_lflag != before.c_lflag || after.c_iflag != before.c_iflag)
		_exit(14);
	/* The shell's standard output still blocks. */
	if (fcntl(1, F_GETFL) & O_NONBLOCK)
		_exit(15);
	_exit(0);
}

static void terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), status;
	char name[64];
	pid_t pid;

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	pid = fork();
	if (!pid)
		child_on_tty(name);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terminal),  cmocka_unit_test(bad_specs),
		cmocka_unit_test(file),	     cmocka_unit_test(unix_server),
		cmocka_unit_test(slow_user), cmocka_unit_test(slow_client),
		cmocka_unit_test(mux_keys),  cmocka_unit_test(busy_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
