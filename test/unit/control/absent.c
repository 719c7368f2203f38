/* SPDX-License-Identifier: BSD-2-Clause */
/* What is not there: every entry says so with a remedy, none twice, and patterns match. */
#include "control/absent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "control/cmdline.h"

static int parse_one(const char *name, struct err *e)
{
	char option[64];
	char *argv[] = {(char *)"vmwire", option, NULL};
	struct config c;
	int rc;

	snprintf(option, sizeof(option), "-%s", name);
	rc = cmdline_parse(2, argv, &c, stdout, e);
	config_free(&c);
	return rc;
}

static void each_option(void **state)
{
	struct err e;
	unsigned n = 0;

	(void)state;
	for (const char *name; (name = absent_name(n)); n++) {
		char want[600];

		for (unsigned i = 0; i < n; i++)
			assert_string_not_equal(name, absent_name(i));
		snprintf(want, sizeof(want), "-%s is not there: %s", name, absent_option(name));
		assert_int_equal(parse_one(name, &e), -ENOTSUP);
		assert_string_equal(e.text, want);
	}
	assert_true(n > 80);
	assert_null(absent_option("netdev"));
	assert_null(absent_option(""));
}

static void device_patterns(void **state)
{
	static const char *const there[] = {
		"usb-tablet", "piix3-usb-uhci",	    "ich9-usb-ehci1", "nec-usb-xhci",
		"AC97",	      "virtio-balloon-pci", "virtio-9p-pci",  "pxb",
		"pxb-pcie",   "isa-serial"};
	static const char *const not [] = {"virtio-net-pci", "e1000", "usb",  "isa-serial2", "",
					   "rtl8139",	     "AC9",   "xAC97"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(there); i++)
		assert_non_null(absent_device(there[i]));
	for (unsigned i = 0; i < ARRAY_SIZE(not ); i++)
		assert_null(absent_device(not [i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_option),
		cmocka_unit_test(device_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
