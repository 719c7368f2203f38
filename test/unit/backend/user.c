/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of `user`: defaults, consistency, what is refused and how; `info usernet`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "net/backend/backend.h"
#include "net/user/internal.h"

static struct stack *make(const char *text, struct err *e)
{
	const struct net_backend *b = net_backend_find("user");
	void *o = calloc(1, b->opts->size);
	struct net_port *port = NULL;
	int rc;

	*e = (struct err){0};
	assert_non_null(o);
	rc = opt_parse(b->opts, "-netdev user", text, o, e);
	if (!rc) {
		rc = b->open(o, "n0", &port, e);
		opt_free(b->opts, o);
	}
	free(o);
	assert_int_equal(!rc, !!port);
	return rc ? NULL : container_of(port, struct stack, port);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *opts, *net, *host, *dns, *first;
	} t[] = {
		{"", "10.0.2.0", "10.0.2.2", "10.0.2.3", "10.0.2.15"},
		{"ipv4=on,ipv6=off", "10.0.2.0", "10.0.2.2", "10.0.2.3", "10.0.2.15"},
		{"net=192.168.5.0/24", "192.168.5.0", "192.168.5.2", "192.168.5.3", "192.168.5.15"},
		{"net=172.16.0.0/255.255.0.0,dhcpstart=172.16.9.1", "172.16.0.0", "172.16.0.2",
		 "172.16.0.3", "172.16.9.1"},
		{"host=10.9.8.1", "10.9.8.0", "10.9.8.1", "10.9.8.3", "10.9.8.15"},
		{"net=10.0.2.0/28,dhcpstart=10.0.2.9", "10.0.2.0", "10.0.2.2", "10.0.2.3",
		 "10.0.2.9"},
	};
	struct err e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct stack *st = make(t[i].opts, &e);

		if (!st)
			fail_msg("%s: %s", t[i].opts, e.text);
		assert_int_equal(st->conf.net.addr, inet_addr(t[i].net));
		assert_int_equal(st->conf.host.s_addr, inet_addr(t[i].host));
		assert_int_equal(st->conf.dns.s_addr, inet_addr(t[i].dns));
		assert_int_equal(st->conf.dhcpstart.s_addr, inet_addr(t[i].first));
		st->port.ops->destroy(&st->port);
	}
}

static void test_refused(void **state)
{
	static const char *const t[][2] = {
		{"net=10.0.2.0/24,host=10.0.3.2", "host=10.0.3.2"},
		{"dns=10.0.2.255", "dns=10.0.2.255"},
		{"dhcpstart=10.0.2.0", "dhcpstart=10.0.2.0"},
		{"host=10.0.2.3", "host and dns"},
		{"dhcpstart=10.0.2.2", "dhcpstart and host"},
		{"net=10.0.0.0/31", "prefix"},
		{"net=10.0.2.0/28", "dhcpstart"},
		{"ipv6=on", "ipv6=on"},
		{"ipv4=off", "ipv4=off"},
		{"hostname=a b", "hostname=a b"},
		{"domainname=", "domainname="},
		{"mtu=100", "mtu"},
		{"mtu=70000", "mtu"},
		{"tftp=/x", "not there yet"},
		{"smb=/x", "not there yet"},
		{"guestfwd=tcp:10.0.2.100:80-cmd:cat", "not there yet"},
		{"ipv6-net=fec0::/64", "not there yet"},
		{"hostfwd=tcp::80", "hostfwd=tcp::80"},
		{"nett=10.0.2.0/24", "net"},
		{"dns-host=1.2.3", "dns-host"},
	};
	struct err e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		assert_null(make(t[i][0], &e));
		if (!strstr(e.text, t[i][1]))
			fail_msg("%s: \"%s\" does not say %s", t[i][0], e.text, t[i][1]);
	}
}

struct text {
	char all[2000];
};

static void add_line(void *opaque, const char *line)
{
	struct text *t = opaque;

	strncat(t->all, line, sizeof(t->all) - strlen(t->all) - 2);
	strcat(t->all, "\n");
}

static void test_details(void **state)
{
	struct text t = {""};
	const struct text_out out = {add_line, &t};
	struct flow_key k = {.gaddr = inet_addr("10.0.2.15"),
			     .raddr = inet_addr("192.0.2.1"),
			     .gport = htons(1000),
			     .rport = htons(53),
			     .proto = IP_UDP};
	struct err e;
	struct stack *st = make("hostfwd=udp:127.0.0.1:0-:7,restrict=on", &e);

	(void)state;
	assert_non_null(st);
	struct flow *f = flow_new(st, FLOW_UDP, &k);

	f->tx_bytes = 12345;
	st->count.fragments = 3;
	net_backend_find("user")->details(&st->port, &out);
	assert_non_null(strstr(t.all, "n0: net=10.0.2.0,restrict=on, 1 flows"));
	assert_non_null(strstr(t.all, "udp[open,unreplied]"));
	assert_non_null(strstr(t.all, "10.0.2.15:1000"));
	assert_non_null(strstr(t.all, "192.0.2.1:53"));
	assert_non_null(strstr(t.all, "12345"));
	assert_non_null(strstr(t.all, "-> 10.0.2.15:7"));
	assert_non_null(strstr(t.all, "3  IP fragments dropped"));
	assert_null(strstr(t.all, "spoofed"));
	st->port.ops->destroy(&st->port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_details),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
