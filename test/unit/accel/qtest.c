/* SPDX-License-Identifier: BSD-2-Clause */
/* The qtest accelerator, spoken to over real sockets; its loops run on threads of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "accel/accel.h"
#include "base/util.h"

#define RAM (8u << 20) /* from 1 MiB */

struct tick {
	struct loop_timer t;
	struct loop_task task;
	struct loop *l;
	uint64_t period; /* 0: once */
	_Atomic unsigned fired, put_off;
};

struct fixture {
	struct clock clock;
	struct loop *control, *queue;
	struct loop *loops[2];
	struct accel *a;
	int fd; /* the client's end */
	char log[4096];
	_Atomic unsigned quits;
	struct tick tick[3];
};

static void note(struct fixture *f, const char *fmt, ...)
{
	size_t n = strlen(f->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->log + n, sizeof(f->log) - n, fmt, ap);
	va_end(ap);
}

static void on_pio(void *opaque, uint16_t port, bool write, uint8_t *data, unsigned size,
		   unsigned count)
{
	assert_int_equal(count, 1);
	if (!write)
		memcpy(data, "\x81\x82\x83\x84", size);
	note(opaque, "%c%x/%u=%02x ", write ? 'o' : 'i', port, size, data[size - 1]);
}

static void on_mmio(void *opaque, uint64_t gpa, bool write, uint8_t *data, unsigned len)
{
	if (!write)
		memset(data, 0xa0 + (int)len, len);
	note(opaque, "%c%llx/%u=%02x ", write ? 'w' : 'r', (unsigned long long)gpa, len, data[0]);
}

static void on_event(void *opaque, enum accel_event ev, const char *text)
{
	struct fixture *f = opaque;

	(void)text;
	f->quits += ev == ACCEL_QUIT;
}

static struct fixture *make(const char *spec)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = {0};

	f->control = loop_new("control", &f->clock, &e);
	f->queue = loop_new("queue", &f->clock, &e);
	f->loops[0] = f->control;
	f->loops[1] = f->queue;
	struct accel_conf c = {
		.vcpus = 1,
		.qtest = spec,
		.control = f->control,
		.clock = &f->clock,
		.host = {.opaque = f, .pio = on_pio, .mmio = on_mmio, .event = on_event}};

	f->a = accel_open("qtest", &c, &e);
	if (!f->a)
		fail_msg("%s", e.text);
	accel_set_loops(f->a, f->loops, 2);
	assert_int_equal(mem_add(&f->a->mem, 0x100000, RAM, &e), 0);
	assert_int_equal(f->a->ops->map(f->a, &e), 0);
	assert_int_equal(f->a->ops->start(f->a, &e), 0);
	f->fd = -1;
	return f;
}

static void run(struct fixture *f)
{
	struct err e;

	assert_int_equal(loop_start(f->queue, &e), 0);
	assert_int_equal(loop_start(f->control, &e), 0);
}

static int setup(void **state)
{
	char spec[16];
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		return -1;
	snprintf(spec, sizeof(spec), "fd:%d", s[0]);
	struct fixture *f = make(spec);

	f->fd = s[1];
	run(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_stop(f->control);
	loop_join(f->control);
	loop_stop(f->queue);
	loop_join(f->queue);
	for (unsigned i = 0; i < ARRAY_SIZE(f->tick); i++)
		if (f->tick[i].l)
			loop_timer_del(f->tick[i].l, &f->tick[i].t);
	accel_close(f->a);
	loop_free(f->control);
	loop_free(f->queue);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
	return 0;
}

static void put(const struct fixture *f, const char *s, size_t len)
{
	while (len) {
		ssize_t n = send(f->fd, s, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		s += n;
		len -= (size_t)n;
	}
}

static void get(const struct fixture *f, char *line, size_t size)
{
	size_t n = 0;

	do {
		struct pollfd p = {.fd = f->fd, .events = POLLIN};

		assert_int_equal(poll(&p, 1, 60000), 1);
		assert_true(n + 1 < size);
		assert_int_equal(read(f->fd, line + n, 1), 1);
	} while (line[n++] != '\n');
	line[n - 1] = '\0';
}

/* Sends a line and expects an answer that begins with `want`. */
static void ask(const struct fixture *f, const char *line, const char *want)
{
	char got[2048];

	put(f, line, strlen(line));
	put(f, "\n", 1);
	get(f, got, sizeof(got));
	if (strncmp(got, want, strlen(want)) != 0)
		fail_msg("'%s' was answered '%s' instead of '%s'", line, got, want);
}

static void ask_exact(const struct fixture *f, const char *line, const char *want)
{
	char got[2048];

	put(f, line, strlen(line));
	put(f, "\n", 1);
	get(f, got, sizeof(got));
	assert_string_equal(got, want);
}

static void test_ports(void **state)
{
	struct fixture *f = *state;

	ask_exact(f, "outb 0xcf8 0x80", "OK");
	ask_exact(f, "outw 3320 0x1234", "OK");
	ask_exact(f, "outl 0xcf8 0x80001234", "OK");
	ask_exact(f, "inb 0x60", "OK 0x0081");
	ask_exact(f, "inw 0x60", "OK 0x8281");
	ask_exact(f, "inl 0x60", "OK 0x84838281");
	assert_string_equal(f->log, "ocf8/1=80 ocf8/2=12 ocf8/4=80 i60/1=81 i60/2=82 i60/4=84 ");
}

static void test_memory(void **state)
{
	struct fixture *f = *state;

	ask_exact(f, "writeq 0x100000 0x1122334455667788", "OK");
	ask_exact(f, "readb 0x100000", "OK 0x0000000000000088");
	ask_exact(f, "readw 0x100001", "OK 0x0000000000006677");
	ask_exact(f, "readl 0x100004", "OK 0x0000000011223344");
	ask_exact(f, "readq 0x100000", "OK 0x1122334455667788");
	ask_exact(f, "read 0x100000 8", "OK 0x8877665544332211");
	ask_exact(f, "write 0x100002 3 0xAAbbCC", "OK");
	ask_exact(f, "read 0x100000 0x8", "OK 0x8877aabbcc332211");
	ask_exact(f, "b64read 0x100000 8", "OK iHequ8wzIhE=");
	ask_exact(f, "b64read 0x100000 7", "OK iHequ8wzIg==");
	ask_exact(f, "b64read 0x100000 6", "OK iHequ8wz");
	ask_exact(f, "b64write 0x100100 7 iHequ8wzIg==", "OK");
	ask_exact(f, "read 0x100100 8", "OK 0x8877aabbcc332200");
	ask_exact(f, "memset 0x100100 4 0x5a", "OK");
	ask_exact(f, "read 0x100100 6", "OK 0x5a5a5a5acc33");
	ask_exact(f, "read 0x100000 0", "OK 0x");
	assert_string_equal(f->log, "");
}

/* What is not all in RAM goes to the bus: one access, or the widest aligned pieces. */
static void test_mmio(void **state)
{
	struct fixture *f = *state;

	ask_exact(f, "writel 0xfebf0000 0x12345678", "OK");
	ask_exact(f, "readw 0xfebf0003", "OK 0x000000000000a2a2");
	assert_string_equal(f->log, "wfebf0000/4=78 rfebf0003/2=a2 ");
	f->log[0] = '\0';
	ask_exact(f, "read 0xfebf0001 18", "OK 0xa1a2a2a4a4a4a4a8a8a8a8a8a8a8a8a2a2a1");
	f->log[0] = '\0';
	ask_exact(f, "write 0x8ffffe 4 0x01020304", "OK"); /* half in RAM */
	assert_string_equal(f->log, "w900000/2=03 ");
	ask_exact(f, "read 0x8ffffe 2", "OK 0x0102");
	f->log[0] = '\0';
	ask_exact(f, "memset 0xfebf0000 12 0x77", "OK");
	assert_string_equal(f->log, "wfebf0000/8=77 wfebf0008/4=77 ");
}

static void test_refused(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"nonsense",
		"outb",
		"outb 0x80",
		"outb 0x80 1 2",
		"outb 0x10000 1",
		"outb x 1",
		"outb -1 1",
		"outb 0x 1",
		"outb 99999999999999999999999 1",
		"inb",
		"read 0x100000",
		"read 0x100000 0x1000000",
		"read 0xffffffffffffffff 2",
		"read 0xfffffffffffffff8 9",
		"write 0x100000 2 0x11",
		"write 0x100000 2 0x1122334",
		"write 0x100000 2 0x11zz",
		"write 0x100000 2 1122",
		"write 0x100000 2",
		"write 0x100000 0xffffffffffff 0x00",
		"b64write 0x100000 3 !!!!",
		"b64write 0x100000 3 AAA",
		"b64write 0x100000 4 AAAA",
		"b64write 0x100000 2 A=A=",
		"b64write 0x100000 0 ====",
		"memset 0x100000 4 256",
		"memset 0 0xffffffffff 0",
		"clock_step -1",
		"clock_step 0xffffffffffffffff",
		"clock_set x",
		"set_irq_in ioapic unnamed-gpio-in 3 1",
		"a b c d e f g h",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		ask(f, lines[i], "FAIL ");
	assert_string_equal(f->log, "");
	ask_exact(f, "read 0x100000 4", "OK 0x00000000");
	ask_exact(f, "endianness", "OK little");
}

static void *raise_line(void *arg)
{
	struct fixture *f = arg;

	accel_irq(f->a, 11, true);
	accel_irq(f->a, 11, true); /* no change, no line */
	accel_irq(f->a, 11, false);
	return NULL;
}

static void test_irq(void **state)
{
	struct fixture *f = *state;
	pthread_t t;
	char line[64];

	accel_irq(f->a, 5, true); /* not watched yet */
	ask_exact(f, "irq_intercept_in ioapic", "OK");
	pthread_create(&t, NULL, raise_line, f);
	get(f, line, sizeof(line));
	assert_string_equal(line, "IRQ raise 11");
	get(f, line, sizeof(line));
	assert_string_equal(line, "IRQ lower 11");
	pthread_join(t, NULL);
	accel_irq(f->a, 5, false);
	get(f, line, sizeof(line));
	assert_string_equal(line, "IRQ lower 5");
	accel_irq(f->a, 1000, true);
	ask_exact(f, "irq_intercept_out ioapic", "OK");
}

static void test_msi(void **state)
{
	struct fixture *f = *state;

	accel_msi(f->a, 0x100040, 0x11223344);
	accel_msi(f->a, 0xfee00000, 0x41);
	accel_msi(f->a, 0x8ffffe, 0x55555555);
	ask_exact(f, "readl 0x100040", "OK 0x0000000011223344");
	ask_exact(f, "read 0x8ffffc 4", "OK 0x00000000");
	assert_null(f->a->ops->irqfd_add);
	assert_string_equal(f->log, "");
}

static void put_off(struct loop_task *t)
{
	container_of(t, struct tick, task)->put_off++;
}

static void tick(struct loop_timer *t)
{
	struct tick *k = container_of(t, struct tick, t);

	k->fired++;
	loop_defer(k->l, &k->task);
	if (k->period)
		loop_timer_set(k->l, t, t->when + k->period);
}

static void arm(void *arg)
{
	struct tick *k = arg;

	k->t.fn = tick;
	k->task.fn = put_off;
	loop_timer_set(k->l, &k->t, k->t.when);
}

static struct tick *timer(struct fixture *f, unsigned i, struct loop *l, uint64_t when,
			  uint64_t period)
{
	struct tick *k = &f->tick[i];

	k->l = l;
	k->t.when = when;
	k->period = period;
	loop_call(l, arm, k);
	return k;
}

/* Looked at after the answer without any wait: all is done by then. */
static void test_clock(void **state)
{
	struct fixture *f = *state;
	struct tick *a = timer(f, 0, f->control, 1000, 0), *b = timer(f, 1, f->queue, 2000, 0);
	struct tick *p = timer(f, 2, f->queue, 10000, 10000);

	ask_exact(f, "clock_step 999", "OK 999");
	assert_int_equal(a->fired + b->fired, 0);
	ask_exact(f, "clock_step 1", "OK 1000");
	assert_int_equal(a->put_off, 1);
	assert_int_equal(b->fired, 0);
	ask_exact(f, "clock_step", "OK 2000");
	assert_int_equal(b->put_off, 1);
	assert_int_equal(p->fired, 0);
	ask_exact(f, "clock_step", "OK 10000");
	assert_int_equal(p->put_off, 1);
	ask_exact(f, "clock_set 50000", "OK 50000");
	assert_int_equal(p->fired, 5);
	assert_int_equal(p->put_off, 5);
	ask_exact(f, "clock_step 1000000", "OK 1050000");
	assert_int_equal(p->put_off, 105);
	ask_exact(f, "clock_set 5", "OK 1050000"); /* never back */
	ask_exact(f, "clock_step 0", "OK 1050000");
	/* More deadlines than anybody wants to wait for. */
	ask_exact(f, "clock_set 1000000000000", "OK 1000000000000");
	assert_true(p->fired > 1000);
}

static void test_clock_none(void **state)
{
	ask(*state, "clock_step", "FAIL No timer");
}

/* Lines that arrive during a step wait for its answer; many lines at once, or a byte at a time. */
static void test_pipeline(void **state)
{
	static const char all[] = "clock_step 100\nendianness\nclock_step 1\nreadb 0x100000\r\n";
	static const char *const want[] = {"OK 100", "OK little", "OK 101",
					   "OK 0x0000000000000000"};
	struct fixture *f = *state;
	char line[64];

	put(f, all, sizeof(all) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		get(f, line, sizeof(line));
		assert_string_equal(line, want[i]);
	}
	for (const char *s = "endianness\nendianness\n"; *s; s++) {
		put(f, s, 1);
		usleep(100);
	}
	get(f, line, sizeof(line));
	get(f, line, sizeof(line));
	assert_string_equal(line, "OK little");
}

static void test_long_line(void **state)
{
	struct fixture *f = *state;
	size_t len = 20 << 20;
	char *s = malloc(len), line[64];

	memset(s, 'x', len);
	s[len - 1] = '\n';
	put(f, s, len);
	get(f, line, sizeof(line));
	assert_string_equal(line, "FAIL Line too long");
	ask_exact(f, "endianness", "OK little");
	/* The longest that is allowed. */
	size_t n = (size_t)sprintf(s, "write 0x200000 0x%x 0x", 4u << 20);

	memset(s + n, '7', 8 << 20);
	s[n + (8 << 20)] = '\0';
	ask_exact(f, s, "OK");
	free(s);
}

/* Waits for the end of the client's connection to be told. */
static void await_quit(struct fixture *f)
{
	for (int i = 0; i < 2000 && !f->quits; i++)
		usleep(5000);
	assert_int_equal(f->quits, 1);
}

static void test_hang_up(void **state)
{
	struct fixture *f = *state;

	timer(f, 0, f->queue, 1000, 1);
	put(f, "clock_step 100000\n", 18); /* while a step is under way */
	close(f->fd);
	f->fd = -1;
	await_quit(f);
	accel_irq(f->a, 3, true);
}

/* Answers that nobody reads are kept up to a limit, then the client is dropped. */
static void test_not_reading(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 64; i++) {
		static const char line[] = "read 0x200000 0x100000\n";

		if (send(f->fd, line, sizeof(line) - 1, MSG_NOSIGNAL) < 0)
			break;
	}
	await_quit(f);
}

/* Large answers arrive whole though the socket takes them in pieces. */
static void test_large_answer(void **state)
{
	struct fixture *f = *state;
	size_t len = 2 * (1 << 20) + 6, n = 0;
	char *s = malloc(len);

	memset(mem_ptr(&f->a->mem, 0x200000, 0x100000), 0xa8, 0x100000);
	put(f, "read 0x200000 0x100000\nendianness\n", 34);
	usleep(50000);
	while (n < len) {
		ssize_t got = read(f->fd, s + n, len - n);

		assert_true(got > 0);
		n += (size_t)got;
	}
	assert_memory_equal(s, "OK 0xa8a8", 9);
	assert_int_equal(s[len - 1], '\n');
	get(f, s, len);
	assert_string_equal(s, "OK little");
	free(s);
}

/* Noise: every line gets one answer, and nothing breaks. */
static void test_noise(void **state)
{
	static const char *const words[] = {
		"outb", "read",	 "write", "b64write", "memset",
		"0x",	"0x1",	 "-",	  "7",	      "0x100000",
		"=",	"AAAA",	 "\xff",  "\x01",     "clock_step",
		"inl",	"readq", "0xfff", "%s%n",     "18446744073709551615"};
	struct fixture *f = *state;
	unsigned seed = 1;

	for (unsigned i = 0; i < 3000; i++) {
		char line[256] = "", got[70000];
		unsigned n = (seed = seed * 1103515245 + 12345) >> 16 & 3;

		for (unsigned j = 0; j <= n; j++) {
			seed = seed * 1103515245 + 12345;
			strcat(line, words[(seed >> 16) % ARRAY_SIZE(words)]);
			strcat(line, " ");
		}
		f->log[0] = '\0';
		put(f, line, strlen(line));
		put(f, "\n", 1);
		get(f, got, sizeof(got));
		assert_true(!strncmp(got, "OK", 2) || !strncmp(got, "FAIL ", 5));
	}
	ask_exact(f, "endianness", "OK little");
}

static int connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(connect(fd, (void *)&sa, sizeof(sa)), 0);
	return fd;
}

static void test_server(void **state)
{
	char path[64], spec[128];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/vmwire-qtest,%d", getpid());
	snprintf(spec, sizeof(spec), "unix:/tmp/vmwire-qtest,,%d,server=on,wait=off", getpid());
	for (unsigned round = 0; round < 2; round++) {
		struct fixture *f = make(spec);

		run(f);
		f->fd = connect_to(path);
		ask_exact(f, "endianness", "OK little");
		teardown((void *)&f);
		assert_int_equal(access(path, F_OK), -1);
	}
	/* A socket that nobody listens on any more is taken over; another file is not. */
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(bind(fd, (void *)&sa, sizeof(sa)), 0);
	close(fd);
	struct fixture *f = make(spec);

	teardown((void *)&f);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	struct accel_conf c = {.vcpus = 1, .qtest = spec};
	struct clock clock = {0};
	struct err e = {0};

	c.clock = &clock;
	c.control = loop_new("control", &clock, &e);
	assert_null(accel_open("qtest", &c, &e));
	assert_int_equal(access(path, F_OK), 0);
	loop_free(c.control);
	unlink(path);
}

static void *late_client(void *arg)
{
	usleep(50000);
	*(int *)arg = connect_to((const char *)arg + sizeof(int));
	return NULL;
}

static void test_server_wait(void **state)
{
	struct {
		int fd;
		char path[64];
	} c;
	char spec[128];
	pthread_t t;

	(void)state;
	snprintf(c.path, sizeof(c.path), "/tmp/vmwire-qtest-%d", getpid());
	snprintf(spec, sizeof(spec), "unix:%s,server=on", c.path);
	pthread_create(&t, NULL, late_client, &c);
	struct fixture *f = make(spec);

	pthread_join(t, NULL);
	f->fd = c.fd;
	run(f);
	ask_exact(f, "endianness", "OK little");
	teardown((void *)&f);
}

static void test_client(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char spec[128];

	(void)state;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/vmwire-qtest-%d", getpid());
	snprintf(spec, sizeof(spec), "unix:%s", sa.sun_path);
	assert_int_equal(bind(s, (void *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(s, 1), 0);
	struct fixture *f = make(spec);

	run(f);
	f->fd = accept(s, NULL, NULL);
	ask_exact(f, "inb 1", "OK 0x0081");
	teardown((void *)&f);
	assert_int_equal(access(sa.sun_path, F_OK), 0); /* the test's own */
	unlink(sa.sun_path);
	close(s);
}

static void test_nobody(void **state)
{
	struct fixture *f = make(NULL);

	(void)state;
	run(f);
	accel_irq(f->a, 4, true);
	teardown((void *)&f);
}

#define WITH_CLIENT(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(test_ports),	WITH_CLIENT(test_memory),
		WITH_CLIENT(test_mmio),		WITH_CLIENT(test_refused),
		WITH_CLIENT(test_irq),		WITH_CLIENT(test_msi),
		WITH_CLIENT(test_clock),	WITH_CLIENT(test_clock_none),
		WITH_CLIENT(test_pipeline),	WITH_CLIENT(test_long_line),
		WITH_CLIENT(test_hang_up),	WITH_CLIENT(test_not_reading),
		WITH_CLIENT(test_large_answer), WITH_CLIENT(test_noise),
		cmocka_unit_test(test_server),	cmocka_unit_test(test_server_wait),
		cmocka_unit_test(test_client),	cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
