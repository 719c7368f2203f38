/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys: what is executed in the end, and that the terminal shows it. The terminal is a row that
 * knows backspace and nothing else, fed with what the monitor sends over a UNIX socket.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bench.h"

struct fixture {
	struct bench b;
	pthread_t thread;
	int fd;
	char cell[128][5]; /* what the terminal shows in its last row, a character each */
	size_t at;
	char row[512];	 /* the same as text */
	char rows[8192]; /* the rows above, each with a newline */
};

static void *run(void *vm)
{
	struct err e;

	assert_int_equal(vm_start(vm, &e), 0);
	vm_run(vm);
	return NULL;
}

static void put(struct fixture *f, char ch)
{
	if (((unsigned char)ch & 0xc0) == 0x80) {
		strncat(f->cell[f->at - 1], &ch, 1);
	} else if (f->at < ARRAY_SIZE(f->cell) - 1) {
		f->cell[f->at][0] = ch;
		f->cell[f->at++][1] = 0;
	}
}

static void show(struct fixture *f, const char *p, size_t len)
{
	for (; len--; p++) {
		if (*p == '\b') {
			f->at -= f->at > 0;
		} else if (*p == '\n') {
			snprintf(f->rows + strlen(f->rows), sizeof(f->rows) - strlen(f->rows),
				 "%s\n", f->row);
			memset(f->cell, 0, sizeof(f->cell));
		} else if (*p == '\r') {
			f->at = 0;
		} else {
			put(f, *p);
		}
		f->row[0] = 0;
		for (size_t i = 0; f->cell[i][0]; i++)
			strcat(f->row, f->cell[i]);
	}
}

/* Blanks that a deletion left behind are not seen. */
static bool shows(const struct fixture *f, const char *row)
{
	size_t len = strlen(f->row);

	while (len > strlen(row) && f->row[len - 1] == ' ')
		len--;
	return len == strlen(row) && !memcmp(f->row, row, len);
}

/* Reads until the last row is this one and nothing more comes for a moment. */
static void wait_for(struct fixture *f, const char *row)
{
	struct pollfd p = {.fd = f->fd, .events = POLLIN};
	char buf[4096];

	for (;;) {
		ssize_t n;

		if (!poll(&p, 1, shows(f, row) ? 30 : 5000)) {
			if (shows(f, row))
				return;
			fail_msg("the row is '%s', not '%s'", f->row, row);
		}
		n = recv(f->fd, buf, sizeof(buf), 0);
		if (n <= 0)
			fail_msg("the monitor has gone");
		show(f, buf, (size_t)n);
	}
}

static int set_up(void **state)
{
	static const char *const options[] = {"-net", "none", "-monitor", NULL, NULL};
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *all[5];
	char spec[160];

	memcpy(all, options, sizeof(all));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/hmp_edit.%d", (int)getpid());
	snprintf(spec, sizeof(spec), "unix:%s,server=on,wait=off", sa.sun_path);
	all[3] = spec;
	bench_init(&f->b, all);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(f->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, run, f->b.vm), 0);
	wait_for(f, "(vmwire) ");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(send(f->fd, "\x15\x0bquit\r", 7, 0), 7);
	pthread_join(f->thread, NULL);
	close(f->fd);
	bench_exit(&f->b);
	free(f);
	return 0;
}

static void type(struct fixture *f, const char *keys, const char *row)
{
	assert_int_equal(send(f->fd, keys, strlen(keys), 0), strlen(keys));
	wait_for(f, row);
}

static void moving_and_erasing(void **state)
{
	struct fixture *f = *state;

	type(f, "info", "(vmwire) info");
	type(f, "\x1b[D\x1b[DX", "(vmwire) inXfo");
	type(f, "\x7f", "(vmwire) info");
	type(f, "\x01Y\x05Z", "(vmwire) YinfoZ");
	type(f, "\x1b[H\x1b[3~", "(vmwire) infoZ");
	type(f, "\x06\x06\x0b", "(vmwire) in");
	type(f, "\x02\x04", "(vmwire) i");
	type(f, " two  three", "(vmwire) i two  three");
	type(f, "\x17", "(vmwire) i two");
	type(f, "\x1b[1~\x1b[C\x15", "(vmwire)  two");
	type(f, "\x1b[4~\x1bOD\x1bOD\x1bOD\x1bOD\x1bOD+", "(vmwire)  +two");
	/* One character of two bytes. */
	type(f, "\x05\xc3\xa4!\x1b[D\x1b[D?", "(vmwire)  +two  ?\xc3\xa4!");
	type(f, "\x1b[C\x7f", "(vmwire)  +two  ?!");
	/* What is not known does nothing. */
	type(f, "\x1b[99~\x1b[5;7Q\x1bx\x03", "(vmwire)  +two  ?!");
	type(f, "\x05\x15", "(vmwire)");
}

static void history(void **state)
{
	struct fixture *f = *state;
	char lines[512] = "";

	type(f, "info version\r\ninfo version\rinfo name\r", "(vmwire) ");
	assert_non_null(strstr(f->rows, "\n0.1.0\n"));
	type(f, "abc\x1b[A", "(vmwire) info name");
	/* The same line twice is kept once. */
	type(f, "\x10", "(vmwire) info version");
	type(f, "\x1b[A\x1b[A", "(vmwire) info version");
	type(f, "\x1b[B", "(vmwire) info name");
	type(f, "\x0e", "(vmwire)");
	type(f, "\x0e\x0e", "(vmwire)");
	for (int i = 0; i < 40; i++)
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "x%d\r", i);
	type(f, lines, "(vmwire) ");
	for (int i = 0; i < 50; i++)
		assert_int_equal(send(f->fd, "\x1b[A", 3, 0), 3);
	wait_for(f, "(vmwire) x8");
}

static void tab(void **state)
{
	struct fixture *f = *state;

	type(f, "inf\tvers\t", "(vmwire) info version ");
	type(f, "\x15sys\t", "(vmwire) system_");
	type(f, "\t", "(vmwire) system_");
	assert_non_null(strstr(f->rows, "system_powerdown        system_reset\n"));
	type(f, "\x15xyz\t", "(vmwire) xyz");
	/* In the middle of a line. */
	type(f, "\x15 name\x01in\t", "(vmwire) info name");
	type(f, "\x05\x15netdev_add user,i\t", "(vmwire) netdev_add user,i");
	type(f, "d\t", "(vmwire) netdev_add user,id=");
}

static void long_lines(void **state)
{
	struct fixture *f = *state;
	char keys[3000], want[128];

	/* No further than the line has room; the terminal's row here is shorter still. */
	memset(keys, 'k', sizeof(keys) - 1);
	keys[sizeof(keys) - 1] = 0;
	memset(want, 'k', sizeof(want));
	memcpy(want, "(vmwire) ", 9);
	want[sizeof(want) - 1] = 0;
	type(f, keys, want);
	type(f, "\r", "(vmwire) ");
	assert_non_null(strstr(f->rows, "unknown command: kkk"));
	/* Only the next line is whole again. */
	type(f, "info version\n", "(vmwire) ");
	assert_non_null(strstr(f->rows, "\n0.1.0\n"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(moving_and_erasing),
		T(history),
		T(tab),
		T(long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
