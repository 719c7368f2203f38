/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of accelerators and the errors of opening one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accel/accel.h"

static void expect(const char *name, const struct accel_conf *c, const char *a, const char *b)
{
	struct err e = {0};

	assert_null(accel_open(name, c, &e));
	assert_int_not_equal(e.code, 0);
	if (!strstr(e.text, a) || !strstr(e.text, b))
		fail_msg("'%s' lacks '%s' or '%s'", e.text, a, b);
}

static void test_list(void **state)
{
	const struct accel_ops *const *l = accel_list();

	(void)state;
	assert_string_equal(l[0]->name, "kvm");
	assert_string_equal(l[1]->name, "qtest");
	assert_null(l[2]);
}

static void test_names(void **state)
{
	struct accel_conf c = {.vcpus = 1};

	(void)state;
	expect("tcg", &c, "tcg", "kvm (");
	expect("tcg", &c, "qtest (", "-accel");
	expect("", &c, "kvm", "qtest");
	expect(NULL, &c, "kvm", "qtest");
	c.vcpus = 0;
	expect("qtest", &c, "-smp 0", "1 to 255");
	c.vcpus = 256;
	expect("kvm", &c, "-smp 256", "1 to 255");
	accel_close(NULL);
}

static void test_kvm_device(void **state)
{
	struct accel_conf c = {.vcpus = 1, .device = "/nonexistent/kvm"};

	(void)state;
	expect("kvm", &c, "/nonexistent/kvm", "modprobe");
	c.device = "/dev/null";
	expect("kvm", &c, "/dev/null", "not a KVM device");
}

static void test_kvm_permission(void **state)
{
	char path[] = "/tmp/vmwire-kvm-XXXXXX";
	struct accel_conf c = {.vcpus = 1, .device = path};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	chmod(path, 0);
	if (geteuid() == 0 && seteuid(65534) < 0)
		skip();
	expect("kvm", &c, "group kvm", "usermod");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	unlink(path);
}

static void test_qtest_options(void **state)
{
	struct clock clk = {0};
	struct accel_conf c = {.vcpus = 1, .clock = &clk};
	struct err e = {0};

	(void)state;
	expect("qtest", &c, "control loop", "clock");
	c.control = loop_new("control", &clk, &e);
	c.qtest = "tcp:1";
	expect("qtest", &c, "-qtest tcp:1", "unix:PATH");
	c.qtest = "unix:";
	expect("qtest", &c, "path is missing", "unix:PATH");
	c.qtest = "unix:/nonexistent/q,foo=1";
	expect("qtest", &c, "unknown option", "server=on");
	c.qtest = "unix:/nonexistent/q,server=maybe";
	expect("qtest", &c, "on or off", "server=on");
	c.qtest = "unix:/nonexistent/q,server=on,wait=perhaps";
	expect("qtest", &c, "on or off", "wait");
	c.qtest = "unix:/nonexistent/q";
	expect("qtest", &c, "cannot connect", "server=on");
	c.qtest = "unix:/nonexistent/q,server=on,wait=off";
	expect("qtest", &c, "cannot listen", "path");
	c.qtest = "fd:x";
	expect("qtest", &c, "-qtest fd:x", "number");
	c.qtest = "fd:-1";
	expect("qtest", &c, "fd:-1", "number");
	c.qtest = "fd:999";
	expect("qtest", &c, "fd:999", "stream socket");
	char longer[300];

	snprintf(longer, sizeof(longer), "unix:%0200d", 1);
	c.qtest = longer;
	expect("qtest", &c, "107", "unix:");
	loop_free(c.control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),	      cmocka_unit_test(test_names),
		cmocka_unit_test(test_kvm_device),    cmocka_unit_test(test_kvm_permission),
		cmocka_unit_test(test_qtest_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
