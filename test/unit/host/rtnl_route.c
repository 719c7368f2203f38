/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes and neighbours on a real kernel, in a namespace: a move keeps what a route has (H2). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <signal.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netns.h"

static struct host_nl *nl;
static struct host_link a, b;

static void ok(int rc, const struct err *e)
{
	if (rc < 0)
		fail_msg("%d %s", rc, e->text);
}

static void address(const struct host_link *l, const char *text)
{
	struct host_addr x;
	struct err e = {0};

	ok(host_addr_parse(text, &x, &e), &e);
	x.index = l->index;
	ok(host_addr_add(nl, &x, &e), &e);
}

static int setup(void **state)
{
	struct err e = {0};

	(void)state;
	nl = host_nl_open(&e);
	if (!nl)
		return -1;
	netns_veth(nl, &a, &b);
	address(&a, "192.0.2.1/24");
	address(&b, "192.0.2.2/24");
	address(&a, "fd00::1/64");
	address(&b, "fd00::2/64");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_link_del(nl, a.index, NULL);
	host_nl_close(nl);
	return 0;
}

/* The only route of the main table with this destination length, family and protocol. */
static int find(uint8_t family, int len, int protocol, struct host_route **list)
{
	struct err e = {0};
	int n = host_routes(nl, RT_TABLE_MAIN, list, &e), found = -1;

	ok(n, &e);
	for (int i = 0; i < n; i++)
		if ((*list)[i].family == family && (*list)[i].dst_len == len &&
		    (*list)[i].protocol == protocol) {
			assert_int_equal(found, -1);
			found = i;
		}
	return found;
}

static void default_route(void **state)
{
	struct host_route r = {.family = AF_INET,
			       .gateway = {192, 0, 2, 254},
			       .has_gateway = true,
			       .protocol = RTPROT_DHCP,
			       .metric = 100,
			       .prefsrc = {192, 0, 2, 1},
			       .has_prefsrc = true},
			  *list = NULL;
	struct err e = {0};
	int i;

	(void)state;
	r.oif = a.index;
	ok(host_route_add(nl, &r, HOST_ROUTE_NEW, &e), &e);
	assert_int_equal(host_route_add(nl, &r, HOST_ROUTE_NEW, &e), -EEXIST);
	assert_string_equal(e.text, "add route default: File exists");
	i = find(AF_INET, 0, RTPROT_DHCP, &list);
	assert_true(i >= 0);
	assert_memory_equal(list[i].gateway, r.gateway, 4);
	assert_memory_equal(list[i].prefsrc, r.prefsrc, 4);
	assert_int_equal(list[i].metric, 100);
	assert_int_equal(list[i].oif, a.index);
	assert_true(host_route_uses(&list[i], a.index));
	assert_false(host_route_uses(&list[i], b.index));
	/* Beside it, then alone: at no moment without a route. */
	r = list[i];
	host_route_redirect(&r, a.index, b.index);
	ok(host_route_add(nl, &r, HOST_ROUTE_APPEND, &e), &e);
	ok(host_route_del(nl, &list[i], &e), &e);
	free(list);
	i = find(AF_INET, 0, RTPROT_DHCP, &list);
	assert_true(i >= 0);
	assert_int_equal(list[i].oif, b.index);
	free(list);
}

/* Metrics and an onlink gateway are attributes that the fields do not say. */
static void what_fields_do_not_say(void **state)
{
	struct host_route *list = NULL, r;
	struct err e = {0};
	char out[256] = "";
	FILE *f;
	int i;

	(void)state;
	assert_int_equal(
		system("ip route add 198.51.100.0/24 via 203.0.113.1 dev a0 onlink proto 99 "
		       "mtu 1300 advmss 1200"),
		0);
	i = find(AF_INET, 24, 99, &list);
	assert_true(i >= 0);
	assert_true(list[i].onlink);
	r = list[i];
	host_route_redirect(&r, a.index, b.index);
	ok(host_route_del(nl, &list[i], &e), &e);
	ok(host_route_add(nl, &r, HOST_ROUTE_NEW, &e), &e);
	free(list);
	f = popen("ip route show proto 99", "r");
	assert_non_null(f);
	assert_non_null(fgets(out, sizeof(out), f));
	pclose(f);
	assert_string_equal(
		out, "198.51.100.0/24 via 203.0.113.1 dev b0 onlink mtu 1300 advmss 1200 \n");
}

static void hops(void **state)
{
	struct host_route *list = NULL;
	struct err e = {0};
	int i;

	(void)state;
	assert_int_equal(
		system("ip route add 198.51.100.0/25 proto 98 nexthop via 192.0.2.9 dev a0 "
		       "weight 3 nexthop via 192.0.2.8 dev a0"),
		0);
	i = find(AF_INET, 25, 98, &list);
	assert_true(i >= 0);
	assert_int_equal(list[i].hops, 2);
	assert_true(host_route_uses(&list[i], a.index));
	ok(host_route_del(nl, &list[i], &e), &e);
	host_route_redirect(&list[i], a.index, b.index);
	assert_false(host_route_uses(&list[i], a.index));
	ok(host_route_add(nl, &list[i], HOST_ROUTE_NEW, &e), &e);
	free(list);
	i = find(AF_INET, 25, 98, &list);
	assert_true(i >= 0);
	assert_int_equal(list[i].hops, 2);
	assert_true(host_route_uses(&list[i], b.index));
	free(list);
}

static void ipv6(void **state)
{
	struct host_route *list = NULL, r;
	struct err e = {0};
	int i;

	(void)state;
	assert_int_equal(system("ip -6 route add default via fd00::fe dev a0 proto 97 metric 50 "
				"expires 600 pref high"),
			 0);
	i = find(AF_INET6, 0, 97, &list);
	assert_true(i >= 0);
	assert_in_range(list[i].expires, 590, 601);
	assert_int_equal(list[i].pref, 1);
	assert_int_equal(list[i].metric, 50);
	r = list[i];
	host_route_redirect(&r, a.index, b.index);
	ok(host_route_del(nl, &list[i], &e), &e);
	ok(host_route_add(nl, &r, HOST_ROUTE_NEW, &e), &e);
	free(list);
	i = find(AF_INET6, 0, 97, &list);
	assert_true(i >= 0);
	assert_int_equal(list[i].oif, b.index);
	assert_in_range(list[i].expires, 590, 602);
	assert_int_equal(list[i].pref, 1);
	free(list);
}

static void tables(void **state)
{
	struct host_route r = {.family = AF_INET,
			       .dst = {198, 51, 100, 0},
			       .dst_len = 24,
			       .table = 1000,
			       .scope = RT_SCOPE_LINK},
			  *list = NULL;
	struct err e = {0};

	(void)state;
	r.oif = a.index;
	ok(host_route_add(nl, &r, HOST_ROUTE_NEW, &e), &e);
	assert_int_equal(host_routes(nl, 1000, &list, &e), 1);
	assert_int_equal(list[0].table, 1000);
	free(list);
	assert_int_equal(host_routes(nl, 1001, &list, &e), 0);
	free(list);
	assert_int_equal(system("ip rule add iif a0 lookup 1000"), 0);
	assert_int_equal(host_rules_of(nl, "a0", &e), 1);
	assert_int_equal(host_rules_of(nl, "a", &e), 0);
	assert_int_equal(system("ip rule del iif a0 lookup 1000"), 0);
}

/* A process in a namespace of its own that holds b0, with an address. */
static pid_t neighbour(void)
{
	char line[160];
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWNET) || write(ready[1], "", 1) != 1)
			_exit(1);
		close(ready[1]);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], line, 1), 1);
	close(ready[0]);
	close(ready[1]);
	snprintf(line, sizeof(line),
		 "ip link set b0 netns %d && nsenter -n -t %d sh -c 'ip addr add 192.0.2.2/24 dev "
		 "b0 && "
		 "ip link set b0 up'",
		 (int)pid, (int)pid);
	assert_int_equal(system(line), 0);
	return pid;
}

static void neighbours(void **state)
{
	static const uint8_t there[4] = {192, 0, 2, 2}, nobody[4] = {192, 0, 2, 99};
	struct err e = {0};
	int got = 0;
	pid_t pid;

	(void)state;
	pid = neighbour();
	assert_int_equal(host_neigh_state(nl, a.index, AF_INET, there, &e), NUD_NONE);
	ok(host_neigh_probe(nl, a.index, AF_INET, there, &e), &e);
	ok(host_neigh_probe(nl, a.index, AF_INET, nobody, &e), &e);
	for (int i = 0; i < 100 && !(got & NUD_REACHABLE); i++, usleep(20000))
		got = host_neigh_state(nl, a.index, AF_INET, there, &e);
	assert_true(got & NUD_REACHABLE);
	got = host_neigh_state(nl, a.index, AF_INET, nobody, &e);
	assert_false(got & NUD_REACHABLE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(default_route, setup, teardown),
		cmocka_unit_test_setup_teardown(what_fields_do_not_say, setup, teardown),
		cmocka_unit_test_setup_teardown(hops, setup, teardown),
		cmocka_unit_test_setup_teardown(ipv6, setup, teardown),
		cmocka_unit_test_setup_teardown(tables, setup, teardown),
		cmocka_unit_test_setup_teardown(neighbours, setup, teardown),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
