/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans of a bridge, from a dump to operations: golden files, and rules that must hold (H2). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "host/apply.h"

static char *printed(const struct br_plan *p)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fputs("ops\n", f);
	br_ops_print(&p->ops, f);
	fputs("undo\n", f);
	br_ops_print(&p->undo, f);
	fputs("commit\n", f);
	br_ops_print(&p->commit, f);
	fclose(f);
	return text;
}

static void add(void **state)
{
	struct br_state s;
	struct br_plan p;
	struct err e = {0};
	char *text;

	(void)state;
	fixture(&s);
	assert_int_equal(br_plan_add(&s, "br0", true, &p, &e), 0);
	text = printed(&p);
	golden("plan_add", text);
	free(text);
	br_plan_free(&p);
	br_state_free(&s);
}

static void del(void **state)
{
	struct host_link port[2] = {{.index = 7, .name = "eth0", .kind = ""},
				    {.index = 8, .name = "tap0", .kind = "tun"}};
	struct br_state s;
	struct br_plan p;
	struct err e = {0};
	char *text;

	(void)state;
	fixture(&s);
	strcpy(s.link.name, "br0");
	strcpy(s.addr[0].label, "br0");
	strcpy(s.addr[1].label, "br0:home");
	assert_int_equal(br_plan_del(&s, &port[0], 1, port, 2, &p, &e), 0);
	text = printed(&p);
	golden("plan_del", text);
	free(text);
	br_plan_free(&p);
	br_state_free(&s);
}

static int find(const struct br_ops *o, enum br_op_kind kind, const char *dev, bool last)
{
	int at = -1;

	for (unsigned i = 0; i < o->n; i++)
		if (o->op[i].kind == kind && !strcmp(o->op[i].dev, dev) && (last || at < 0))
			at = (int)i;
	assert_true(at >= 0);
	return at;
}

/* What is new is there before what is old goes; a way back begins with addresses. */
static void order(void **state)
{
	struct br_state s;
	struct br_plan p;
	struct err e = {0};

	(void)state;
	fixture(&s);
	assert_int_equal(br_plan_add(&s, "br0", false, &p, &e), 0);
	assert_true(find(&p.ops, BR_ADDR_ADD, "br0", true) <
		    find(&p.ops, BR_MASTER, "eth0", false));
	assert_true(find(&p.ops, BR_ROUTE_ADD, "br0", true) <
		    find(&p.ops, BR_ROUTE_DEL, "eth0", false));
	assert_true(find(&p.ops, BR_DAD_WAIT, "br0", false) <
		    find(&p.ops, BR_ROUTE_DEL, "eth0", false));
	assert_true(find(&p.ops, BR_ROUTE_ADD, "br0", true) <
		    find(&p.ops, BR_ADDR_DEL, "eth0", false));
	assert_true(find(&p.undo, BR_ADDR_ADD, "eth0", true) <
		    find(&p.undo, BR_MASTER, "eth0", false));
	assert_true(find(&p.undo, BR_ROUTE_ADD, "eth0", true) <
		    find(&p.undo, BR_LINK_DEL, "br0", false));
	/* No STP was asked for. */
	for (unsigned i = 0; i < p.commit.n; i++)
		assert_int_not_equal(p.commit.op[i].kind, BR_STP);
	br_plan_free(&p);
	br_state_free(&s);
}

static void without_ipv6(void **state)
{
	struct br_state s;
	struct br_plan p;
	struct err e = {0};

	(void)state;
	fixture(&s);
	s.accept_dad = -1;
	s.naddr = 3;
	s.nroute = 5;
	assert_int_equal(br_plan_add(&s, "br0", false, &p, &e), 0);
	for (unsigned i = 0; i < p.ops.n; i++)
		assert_true(p.ops.op[i].kind != BR_SYSCTL && p.ops.op[i].kind != BR_DAD_WAIT);
	assert_int_equal(p.commit.n, 0);
	br_plan_free(&p);
	br_state_free(&s);
}

static void implied(void **state)
{
	struct br_state s;
	struct host_route r;

	(void)state;
	fixture(&s);
	assert_true(br_route_implied(&s, &s.route[1]));
	assert_true(br_route_implied(&s, &s.route[2]));
	assert_true(br_route_implied(&s, &s.route[5]));
	assert_false(br_route_implied(&s, &s.route[0]));
	assert_false(br_route_implied(&s, &s.route[4]));
	/* Another length, metric, or table; an address that comes without its route. */
	r = a_route("192.0.2.0/25", NULL, 0, RTPROT_KERNEL);
	assert_false(br_route_implied(&s, &r));
	r = a_route("192.0.3.0/24", NULL, 0, RTPROT_KERNEL);
	assert_false(br_route_implied(&s, &r));
	r = a_route("198.51.100.128/25", NULL, 0, RTPROT_KERNEL);
	assert_false(br_route_implied(&s, &r));
	r = a_route("192.0.2.0/24", NULL, 7, RTPROT_KERNEL);
	assert_false(br_route_implied(&s, &r));
	r = s.route[1];
	r.table = 5;
	assert_false(br_route_implied(&s, &r));
	s.addr[0].flags |= IFA_F_NOPREFIXROUTE;
	s.addr[1].flags |= IFA_F_NOPREFIXROUTE;
	assert_false(br_route_implied(&s, &s.route[1]));
	br_state_free(&s);
}

static void gateways(void **state)
{
	struct br_gateway g[BR_GATEWAYS];
	struct br_state s;
	char text[64];

	(void)state;
	fixture(&s);
	/* The same one twice counts once; table 100 is not asked. */
	memcpy(&s.route[4], &s.route[0], sizeof(s.route[0]));
	s.route[4].metric = 200;
	assert_int_equal(br_gateways(&s, g), 2);
	assert_string_equal(br_gateway_text(&g[0], text, sizeof(text)), "192.0.2.1");
	assert_string_equal(br_gateway_text(&g[1], text, sizeof(text)), "2001:db8::1");
	br_state_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add),	   cmocka_unit_test(del),
		cmocka_unit_test(order),   cmocka_unit_test(without_ipv6),
		cmocka_unit_test(implied), cmocka_unit_test(gateways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
