/* SPDX-License-Identifier: BSD-2-Clause */
/* Chains that drop what is forwarded, in rulesets as nft prints them (H5). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/firewall.h"

static struct firewall f[4];

static void nothing(void **state)
{
	(void)state;
	assert_int_equal(firewall_find("", f, 4), 0);
	assert_int_equal(firewall_find("table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook "
				       "forward priority filter; policy accept;\n\t}\n}\n",
				       f, 4),
			 0);
	/* Another hook; a drop with a condition; one that is followed by something else. */
	assert_int_equal(firewall_find("table inet x {\n\tchain in {\n\t\ttype filter hook input "
				       "priority filter; policy drop;\n\t}\n}\n",
				       f, 4),
			 0);
	assert_int_equal(
		firewall_find("table inet x {\n\tchain fwd {\n\t\ttype filter hook forward "
			      "priority filter; policy accept;\n\t\tiifname \"a\" drop\n"
			      "\t\taccept\n\t}\n}\n",
			      f, 4),
		0);
	/* vmwire's own. */
	assert_int_equal(firewall_find("table inet vmwire-x {\n\tchain fwd {\n\t\ttype filter hook "
				       "forward priority filter; policy drop;\n\t}\n}\n",
				       f, 4),
			 0);
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(
		firewall_find("table ip filter {\n\tchain DOCKER {\n\t}\n\n\tchain FORWARD "
			      "{\n\t\ttype filter hook forward priority filter; policy "
			      "drop;\n\t\tcounter packets 0 bytes 0 jump DOCKER-USER\n\t}\n}\n",
			      f, 4),
		1);
	assert_string_equal(f[0].who, "docker");
	assert_string_equal(f[0].rule, "chain ip filter FORWARD has policy drop");
	assert_int_equal(
		firewall_find(
			"table ip filter {\n\tchain ufw-before-forward {\n\t}\n\tchain FORWARD "
			"{\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
			"table inet firewalld {\n\tchain filter_FORWARD {\n\t\ttype filter hook "
			"forward priority filter + 10; policy accept;\n\t\tct state invalid "
			"drop\n\t\treject with icmpx admin-prohibited\n\t}\n}\n"
			"table inet mine {\n\tchain fwd {\n\t\ttype filter hook forward priority "
			"0; policy accept;\n\t\tcounter packets 3 bytes 9 drop\n\t}\n}\n",
			f, 4),
		3);
	assert_string_equal(f[0].who, "ufw");
	assert_string_equal(f[1].who, "firewalld");
	assert_string_equal(f[1].rule,
			    "chain inet firewalld filter_FORWARD ends in a rule that drops all");
	assert_string_equal(f[2].who, "table inet mine");
}

static void limits(void **state)
{
	char text[2048] = "";

	(void)state;
	for (int i = 0; i < 6; i++)
		strcat(text, "table ip t {\nchain c {\ntype filter hook forward priority 0; policy "
			     "drop;\n}\n}\n");
	assert_int_equal(firewall_find(text, f, 4), 4);
	/* Cut anywhere it is no more than what it is. */
	for (size_t n = strlen(text); n; n--) {
		text[n] = 0;
		assert_in_range(firewall_find(text, f, 4), 0, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(names),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
