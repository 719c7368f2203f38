/* SPDX-License-Identifier: BSD-2-Clause */
/* -netdev bridge: which bridge and which helper are meant (M1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/opt.h"
#include "net/backend/backend.h"
#include "net/backend/tap_helper.h"

extern const struct net_backend net_backend_bridge;

/* Opens with a helper that refuses; the message tells what it was told. */
static void told(const char *text, const char *words)
{
	_Alignas(max_align_t) char opts[64];
	struct net_port *p = NULL;
	struct err e = {0};

	assert_true(net_backend_bridge.opts->size <= sizeof(opts));
	if (opt_parse(net_backend_bridge.opts, "-netdev bridge", text, opts, &e))
		fail_msg("%s", e.text);
	assert_true(net_backend_bridge.open(opts, "b", &p, &e) < 0);
	opt_free(net_backend_bridge.opts, opts);
	assert_null(p);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" not in \"%s\"", words, e.text);
}

static void options(void **state)
{
	(void)state;
	told("helper=/bin/false", "helper=/bin/false (br=br0): it ended with exit status 1");
	told("helper=/bin/false,br=lan7", "helper=/bin/false (br=lan7)");
	told("helper=echo $3 >&2; false,br=lan7", "exit status");
	told("br=,helper=/bin/false", "br=: allowed: 1 to 15 characters");
}

static void default_helper(void **state)
{
	const char *helper = tap_helper_default();

	(void)state;
	assert_int_equal(*helper, '/');
	/* Ours where it is installed; what is not there is named only when nothing is. */
	if (!access(VMWIRE_HELPER, X_OK))
		assert_string_equal(helper, VMWIRE_HELPER);
	else if (access(helper, X_OK))
		assert_string_equal(helper, VMWIRE_HELPER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(default_helper),
	};

	return cmocka_run_group_tests_name("bridge", tests, NULL, NULL);
}
