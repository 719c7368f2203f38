/* SPDX-License-Identifier: BSD-2-Clause */
/* Where serial port and monitors go: what -chardev, -mon, -qmp, -monitor make of the configuration,
 * and what is wrong, word by word. */
#include "bench.h"

static int parse(struct config *c, struct err *e, const char *const *v)
{
	char *argv[24] = {(char *)"vmwire", (char *)"-kernel", (char *)"k"};
	int argc = 3;

	for (; *v && argc < 23; v++)
		argv[argc++] = (char *)(uintptr_t)*v;
	return cmdline_parse(argc, argv, c, stdout, e);
}

#define GOOD(c, ...)                                                                               \
	do {                                                                                       \
		struct err e_;                                                                     \
		if (parse(c, &e_, (const char *const[]){__VA_ARGS__, NULL}))                       \
			fail_msg("%s", e_.text);                                                   \
	} while (0)

static void bad(const char *text, const char *const *v)
{
	struct config c;
	struct err e;

	assert_true(parse(&c, &e, v) < 0);
	assert_string_equal(e.text, text);
	config_free(&c);
}

#define BAD(text, ...) bad(text, (const char *const[]){__VA_ARGS__, NULL})

static void chardevs(void **state)
{
	static const char *const t[][2] = {
		{"socket,id=m,path=/x", "unix:/x"},
		{"socket,id=m,path=/a,,b,server=on,wait=off", "unix:/a,,b,server=on,wait=off"},
		{"socket,id=m,path=/x,server=on", "unix:/x,server=on"},
		{"socket,id=m,host=h,port=1,telnet=on,server=on,wait=off",
		 "telnet:h:1,server=on,wait=off"},
		{"socket,id=m,port=1,nodelay=on", "tcp::1,nodelay=on"},
		{"socket,id=m,host=::1,port=1", "tcp:[::1]:1"},
		{"file,id=m,path=/f,append=on", "file:/f,append=on"},
		{"null,id=m", "null"},
		{"stdio,id=m", "stdio"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct config c;

		GOOD(&c, "-chardev", t[i][0], "-mon", "m,mode=control");
		assert_int_equal(c.nmon, 1);
		assert_true(c.mon[0].qmp);
		assert_string_equal(c.mon[0].spec, t[i][1]);
		assert_string_equal(c.mon[0].id, "m");
		config_free(&c);
	}
}

static void monitors(void **state)
{
	struct config c;

	(void)state;
	GOOD(&c, "-nographic", "-qmp", "tcp:h:1", "-qmp-pretty", "unix:/q", "-chardev", "null,id=s",
	     "-serial", "chardev:s", "-monitor", "null");
	assert_int_equal(c.nmon, 3);
	assert_true(c.mon[0].qmp && !c.mon[0].pretty);
	assert_true(c.mon[1].qmp && c.mon[1].pretty);
	assert_false(c.mon[2].qmp);
	assert_string_equal(c.mon[2].id, "compat_monitor2");
	assert_string_equal(c.serial, "null");
	assert_string_equal(c.serial_id, "s");
	assert_false(c.mux);
	config_free(&c);
	/* A program's monitor leaves the terminal's as it is. */
	GOOD(&c, "-nographic", "-qmp", "unix:/q");
	assert_int_equal(c.nmon, 1);
	assert_true(c.mux);
	assert_string_equal(c.serial_id, "serial0");
	config_free(&c);
	GOOD(&c, "-nographic", "-monitor", "none");
	assert_int_equal(c.nmon, 0);
	assert_false(c.mux);
	config_free(&c);
	GOOD(&c, "-serial", "mon:stdio", "-monitor", "unix:/m");
	assert_true(c.mux);
	assert_int_equal(c.nmon, 1);
	config_free(&c);
}

static void states(void **state)
{
	struct config c;

	(void)state;
	GOOD(&c, "-S", "-no-shutdown");
	assert_true(c.paused && c.no_shutdown && !c.no_reboot);
	config_free(&c);
	GOOD(&c, "-action", "reboot=shutdown,shutdown=pause");
	assert_true(c.no_shutdown && c.no_reboot && !c.paused);
	config_free(&c);
	GOOD(&c, "-no-reboot", "-no-shutdown", "-action", "reboot=reset", "-action",
	     "shutdown=poweroff");
	assert_true(!c.no_shutdown && !c.no_reboot);
	config_free(&c);
	BAD("-action: panic: not implemented yet: no device tells of a panic", "-action",
	    "panic=none");
}

static void mistakes(void **state)
{
	(void)state;
	BAD("-chardev sockt is not known (did you mean socket?): allowed are socket, file, stdio "
	    "and null",
	    "-chardev", "sockt,id=m");
	BAD("-chardev socket: id= is missing: give it a name, e.g. id=mon0", "-chardev",
	    "socket,path=/x");
	BAD("-chardev socket: path= is missing (or host= and port=): say where the socket is",
	    "-chardev", "socket,id=m");
	BAD("-chardev socket: path= (a UNIX socket) excludes host= and port=: leave one out",
	    "-chardev", "socket,id=m,path=/x,port=1");
	BAD("-chardev socket: telnet=on is for host= and port=: leave it out", "-chardev",
	    "socket,id=m,path=/x,telnet=on");
	BAD("-chardev file: path= is missing: give the file", "-chardev", "file,id=m");
	BAD("-chardev null: the name m is used twice: give another", "-chardev", "null,id=m",
	    "-chardev", "null,id=m");
	BAD("-mon: chardev m is not there: give the id= of a -chardev", "-mon", "chardev=m");
	BAD("-mon: chardev m is in use already: give each its own", "-chardev", "null,id=m", "-mon",
	    "m", "-mon", "m");
	BAD("-mon mode=control: chardev= is missing: give the id= of a -chardev, e.g. "
	    "chardev=mon0",
	    "-mon", "mode=control");
	BAD("-mon: pretty=on is for mode=control: leave it out", "-chardev", "null,id=m", "-mon",
	    "m,pretty=on");
	BAD("-qmp stdio and -monitor stdio want the same terminal: give one of them a socket, e.g. "
	    "-monitor unix:PATH,server=on,wait=off",
	    "-qmp", "stdio", "-monitor", "stdio");
	BAD("-serial mon:stdio holds the monitor already: leave -monitor stdio out, or give "
	    "-serial stdio",
	    "-serial", "mon:stdio", "-monitor", "stdio");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chardevs),
		cmocka_unit_test(monitors),
		cmocka_unit_test(states),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
