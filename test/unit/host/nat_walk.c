/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk through rules of others: what accepts, what drops, what nobody can say (H5). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include <stdio.h>

#include "net/host/nat_walk.h"

/* A table "inet t" with a chain "base" at forward of this policy, and rules: "CHAIN|EXPR" each. */
static json_t *ruleset(const char *policy, const char *const *rules)
{
	json_error_t at;
	json_t *all = json_pack("{s:[{s:{s:s,s:s,s:s,s:s,s:s,s:i,s:s}}]}", "nftables", "chain",
				"family", "inet", "table", "t", "name", "base", "type", "filter",
				"hook", "forward", "prio", 0, "policy", policy);
	int handle = 10;

	for (; *rules; rules++) {
		const char *bar = strchr(*rules, '|');
		json_t *expr = json_loads(bar + 1, 0, &at), *r;

		if (!expr)
			fail_msg("%s: %s", *rules, at.text);
		r = json_pack("{s:{s:s,s:s,s:s#,s:i,s:o}}", "rule", "family", "inet", "table", "t",
			      "chain", *rules, (int)(bar - *rules), "handle", handle++, "expr",
			      expr);
		assert_non_null(r);
		json_array_append_new(json_object_get(all, "nftables"), r);
	}
	return all;
}

static const struct nat_packet packet = {
	.hook = "forward", .iif = "vmwire0", .oif = "eth0", .saddr = 0xc0a87a02, .l4 = "tcp"};

#define M(op, left, right) "{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define META(k)		   "{\"meta\":{\"key\":\"" k "\"}}"
#define PAY(p, f)	   "{\"payload\":{\"protocol\":\"" p "\",\"field\":\"" f "\"}}"
#define STATE		   "{\"ct\":{\"key\":\"state\"}}"
#define ACCEPT		   "{\"accept\":null}"
#define DROP		   "{\"drop\":null}"

enum { PASSES, DROPS, MAY };

static void expect(int what, const char *policy, const char *rule, const char *second)
{
	const char *const rules[] = {rule, second, NULL};
	json_t *all = ruleset(policy, rules);
	struct nat_drop d;
	unsigned n = nat_walk(all, &packet, &d, 1);

	if (n != (what != PASSES) || (n && d.maybe != (what == MAY)))
		fail_msg("%s policy %s: %u drops, maybe %d", rule, policy, n, n && d.maybe);
	json_decref(all);
}

static void matches(void **state)
{
	(void)state;
	expect(PASSES, "accept", NULL, NULL);
	expect(DROPS, "drop", NULL, NULL);
	expect(DROPS, "accept", "base|[" DROP "]", NULL);
	expect(DROPS, "accept", "base|[{\"reject\":null}]", NULL);
	expect(DROPS, "accept", "base|[{\"xt\":{\"type\":\"target\",\"name\":\"REJECT\"}}]", NULL);
	expect(PASSES, "drop", "base|[{\"counter\":{\"packets\":0}}," ACCEPT "]",
	       "base|[" DROP "]");
	/* interfaces */
	expect(PASSES, "drop", "base|[" M("==", META("iifname"), "\"vmwire0\"") "," ACCEPT "]",
	       NULL);
	expect(PASSES, "drop", "base|[" M("==", META("iifname"), "\"vm*\"") "," ACCEPT "]", NULL);
	expect(DROPS, "drop", "base|[" M("==", META("iifname"), "\"docker0\"") "," ACCEPT "]",
	       NULL);
	expect(PASSES, "drop", "base|[" M("!=", META("oifname"), "\"docker0\"") "," ACCEPT "]",
	       NULL);
	expect(DROPS, "accept",
	       "base|[" M("==", META("oifname"), "{\"set\":[\"a\",\"eth0\"]}") "," DROP "]", NULL);
	/* addresses */
	expect(DROPS, "accept",
	       "base|[" M("==", PAY("ip", "saddr"),
			  "{\"prefix\":{\"addr\":\"192.168.0.0\",\"len\":16}}") "," DROP "]",
	       NULL);
	expect(PASSES, "accept",
	       "base|[" M("==", PAY("ip", "saddr"),
			  "{\"prefix\":{\"addr\":\"10.0.0.0\",\"len\":8}}") "," DROP "]",
	       NULL);
	expect(DROPS, "accept",
	       "base|[" M("==", PAY("ip", "saddr"),
			  "{\"range\":[\"192.168.122.0\",\"192.168.122.9\"]}") "," DROP "]",
	       NULL);
	expect(PASSES, "accept", "base|[" M("==", PAY("ip6", "saddr"), "\"::1\"") "," DROP "]",
	       NULL);
	/* protocols, states */
	expect(PASSES, "accept", "base|[" M("==", PAY("udp", "dport"), "53") "," DROP "]", NULL);
	expect(DROPS, "accept", "base|[" M("==", META("l4proto"), "\"tcp\"") "," DROP "]", NULL);
	expect(DROPS, "drop",
	       "base|[" M("in", STATE, "[\"established\",\"related\"]") "," ACCEPT "]", NULL);
	expect(PASSES, "drop", "base|[" M("in", STATE, "\"new\"") "," ACCEPT "]", NULL);
}

static void unknowns(void **state)
{
	(void)state;
	expect(MAY, "drop", "base|[" M("==", META("mark"), "1") "," ACCEPT "]", NULL);
	expect(MAY, "drop", "base|[" M("==", PAY("tcp", "dport"), "443") "," ACCEPT "]", NULL);
	expect(MAY, "drop",
	       "base|[{\"xt\":{\"type\":\"match\",\"name\":\"conntrack\"}}," ACCEPT "]", NULL);
	expect(MAY, "drop", "base|[{\"limit\":{\"rate\":3}}," ACCEPT "]", NULL);
	expect(PASSES, "accept", "base|[" M("==", META("mark"), "1") "," DROP "]", NULL);
	expect(PASSES, "drop",
	       "base|[{\"xt\":{\"type\":\"match\",\"name\":\"comment\"}}," ACCEPT "]", NULL);
	expect(PASSES, "drop", "base|[{\"xt\":null}," DROP "]", "base|[" ACCEPT "]");
}

static void chains(void **state)
{
	const char *const far[] = {"base|[{\"jump\":{\"target\":\"c\"}}]",
				   "c|[" M("==", META("iifname"), "\"vmwire0\"") "," DROP "]",
				   NULL};
	json_t *all = ruleset("accept", far);
	struct nat_drop d[2];

	(void)state;
	assert_int_equal(nat_walk(all, &packet, d, 2), 1);
	assert_string_equal(d[0].base, "base");
	assert_string_equal(d[0].chain, "c");
	assert_int_equal(d[0].handle, 11);
	json_decref(all);
	expect(PASSES, "drop", "base|[{\"jump\":{\"target\":\"c\"}}]", "c|[" ACCEPT "]");
	expect(DROPS, "drop", "base|[{\"jump\":{\"target\":\"c\"}}]", "c|[{\"return\":null}]");
	/* goto does not come back */
	expect(DROPS, "drop", "base|[{\"goto\":{\"target\":\"c\"}}]", "base|[" ACCEPT "]");
	/* an endless loop ends */
	expect(DROPS, "drop", "base|[{\"jump\":{\"target\":\"base\"}}]", NULL);
	expect(DROPS, "accept",
	       "base|[{\"vmap\":{\"key\":" META(
		       "iifname") ",\"data\":{\"set\":[[\"lo\",{\"accept\":null}],"
				  "[\"vmwire0\",{\"drop\":null}]]}}}]",
	       NULL);
}

static void other_hooks(void **state)
{
	const char *const none[] = {NULL};
	json_t *all = ruleset("drop", none);
	struct nat_packet in = packet;
	struct nat_drop d;

	(void)state;
	in.hook = "input";
	assert_int_equal(nat_walk(all, &in, &d, 1), 0);
	json_decref(all);
	/* Not a ruleset at all. */
	all = json_pack("{s:[{s:s},{s:{s:s}},i]}", "nftables", "rule", "x", "chain", "hook",
			"forward", 3);
	assert_int_equal(nat_walk(all, &packet, &d, 1), 0);
	json_decref(all);
}

static unsigned seen;
static void count(const char *family, const char *table, const char *chain, int handle, void *arg)
{
	assert_string_equal(family, "ip");
	assert_string_equal(table, "filter");
	assert_string_equal(chain, "DOCKER-USER");
	assert_int_equal(handle, 5);
	assert_ptr_equal(arg, &seen);
	seen++;
}

static void comments(void **state)
{
	json_t *all = json_loads(
		"{\"nftables\":[{\"rule\":{\"family\":\"ip\",\"table\":\"filter\",\"chain\":"
		"\"DOCKER-USER\",\"handle\":5,\"comment\":\"vmwire:vmwire0\",\"expr\":[]}},"
		"{\"rule\":{\"family\":\"ip\",\"table\":\"nat\",\"chain\":\"P\",\"handle\":6,"
		"\"expr\":"
		"[{\"xt\":{\"type\":\"target\",\"name\":\"MASQUERADE\"}}]}}]}",
		0, NULL);

	(void)state;
	nat_walk_comments(all, "vmwire:vmwire0", count, &seen);
	nat_walk_comments(all, "vmwire:other", count, &seen);
	assert_int_equal(seen, 1);
	assert_true(nat_walk_forwards(all));
	json_array_remove(json_object_get(all, "nftables"), 1);
	assert_false(nat_walk_forwards(all));
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),     cmocka_unit_test(unknowns), cmocka_unit_test(chains),
		cmocka_unit_test(other_hooks), cmocka_unit_test(comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
