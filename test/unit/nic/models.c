/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of cards: names are unique, each has what the command line and its help need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/nic/nic_opts.h"

static void found_by_name_and_alias(void **state)
{
	const struct nic_model *m = nic_model_find("virtio");

	(void)state;
	assert_non_null(m);
	assert_ptr_equal(m, nic_model_find("virtio-net-pci"));
	assert_ptr_equal(m, nic_model_find("virtio-net"));
	assert_string_equal(m->driver, "virtio_net");
	assert_null(nic_model_find("foo"));
	assert_null(nic_model_find(""));
}

static void complete(void **state)
{
	(void)state;
	for (unsigned i = 0; nic_models()[i]; i++) {
		const struct nic_model *m = nic_models()[i];

		assert_ptr_equal(nic_model_find(m->name), m);
		assert_non_null(m->summary);
		assert_non_null(m->opts);
		assert_true(m->opts->size >= sizeof(struct nic_conf));
		assert_non_null(m->create);
	}
}

static void addr(void **state)
{
	static const struct {
		const char *text;
		int devfn; /* -1: an error */
	} t[] = {
		{"5", 5 << 3},
		{"0x05", 5 << 3},
		{"1f.7", 0x1f << 3 | 7},
		{"3.1", 3 << 3 | 1},
		{"0x0", -1},
		{"20", -1},
		{"5.8", -1},
		{"5.", -1},
		{"", -1},
		{".1", -1},
		{"5,1", -1},
		{"x", -1},
		{"-5", -1},
		{" 5", -1},
		{"5.1.1", -1},
		{"5.0x1", 5 << 3 | 1},
		{"99999999999", -1},
		{"5.-1", -1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nic_conf c = {.devfn = PCI_AUTO};
		struct err e = {0};
		int rc = nic_parse_addr(t[i].text, &c, &e);

		if ((rc < 0) != (t[i].devfn < 0))
			fail_msg("addr=%s: %d %s", t[i].text, rc, e.text);
		assert_int_equal(c.devfn, t[i].devfn < 0 ? PCI_AUTO : t[i].devfn);
		assert_true(rc == 0 || strchr(e.text, '\n') == NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_by_name_and_alias),
		cmocka_unit_test(complete),
		cmocka_unit_test(addr),
	};

	return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}
