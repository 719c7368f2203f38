/* SPDX-License-Identifier: BSD-2-Clause */
/* What dnsmasq is told (M2), and that it starts, answers and dies in a namespace. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/host/nat_dns.h"
#include "netns.h"

static const struct nat_net net = {.name = "vmwire9",
				   .addr = 0x0a090000,
				   .prefix = 24,
				   .v6 = true,
				   .ula = {0xfd, 1, 2, 3, 4, 5, 6, 7}};
static const struct nat_card cards[] = {
	{{0x52, 0x54, 0, 0, 0, 1}, 0x0a090005, "alice"},
	{{0x52, 0x54, 0, 0, 0, 2}, 0x0a090006, "bob"},
};

static void has(char *text, const char *const *lines)
{
	assert_non_null(text);
	for (; *lines; lines++)
		if (!strstr(text, *lines))
			fail_msg("\"%s\" not in \"%s\"", *lines, text);
	free(text);
}
#define HAS(text, ...) has(text, (const char *const[]){__VA_ARGS__, NULL})

static void conf(void **state)
{
	struct nat_net n = net;
	char *text;

	(void)state;
	HAS(nat_dns_conf(&n, "/run/x"), "\ninterface=vmwire9\n", "\nbind-interfaces\n",
	    "\naddn-hosts=/run/x/hosts\n", "\ndhcp-hostsfile=/run/x/dhcp-hosts\n",
	    "\ndhcp-range=10.9.0.128,10.9.0.254,255.255.255.0,12h\n", "\nenable-ra\n",
	    "dhcp-range=fd01:203:405:607::1000,fd01:203:405:607::ffff,slaac,ra-names,64,12h\n",
	    "\ndhcp-ignore-names\n");
	n.mode = NAT_ISOLATED;
	HAS(nat_dns_conf(&n, "/run/x"), "\ndhcp-option=option:router\n", "\nno-resolv\n",
	    "\nra-param=vmwire9,0,0\n");
	n.mode = NAT_ROUTED;
	n.v6 = false;
	text = nat_dns_conf(&n, "/run/x");
	assert_null(strstr(text, "enable-ra"));
	assert_null(strstr(text, "no-resolv"));
	free(text);
}

static void files(void **state)
{
	(void)state;
	HAS(nat_dns_reservations(cards, 2), "52:54:00:00:00:01,10.9.0.5,alice,12h\n",
	    "52:54:00:00:00:02,10.9.0.6,bob,12h\n");
	HAS(nat_dns_names(cards, 2), "10.9.0.5 alice.vmwire.internal alice\n",
	    "10.9.0.6 bob.vmwire.internal bob\n");
	HAS(nat_dns_names(NULL, 0), "");
}

static void process(void **state)
{
	char dir[] = "/tmp/vmwire-dns.XXXXXX", *text;
	struct host_nl *nl;
	struct host_link l;
	struct host_addr a = {0};
	struct nat_net n = net;
	struct nat_dns d = {.net = &n, .dir = dir};
	struct err e = {0};
	char path[100];

	(void)state;
	netns_enter();
	n.v6 = false;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	nl = host_nl_open(&e);
	assert_non_null(nl);
	assert_int_equal(host_link_get(nl, "lo", &l, &e), 0);
	assert_int_equal(host_link_set_up(nl, l.index, true, &e), 0);
	/* Without its interface: it says why. */
	assert_true(nat_dns_start(&d, cards, 2, &e) < 0);
	assert_non_null(strstr(e.text, "vmwire9"));
	assert_int_equal(d.pid, 0);
	assert_int_equal(host_bridge_add(nl, n.name, &(struct host_bridge_conf){0}, &e), 0);
	assert_int_equal(host_link_get(nl, n.name, &l, &e), 0);
	assert_int_equal(host_addr_parse("10.9.0.1/24", &a, &e), 0);
	a.index = l.index;
	assert_int_equal(host_addr_add(nl, &a, &e), 0);
	assert_int_equal(host_link_set_up(nl, l.index, true, &e), 0);
	if (nat_dns_start(&d, cards, 2, &e))
		fail_msg("%s", e.text);
	assert_true(d.pid > 0);
	assert_int_equal(nat_dns_update(&d, cards, 1, &e), 0);
	nat_dns_release(&d, &cards[0]);
	snprintf(path, sizeof(path), "/proc/%d/status", d.pid);
	text = calloc(1, 8192);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, 8191, f) > 0);
	fclose(f);
	/* Not root: three capabilities (net_bind_service, net_admin, net_raw), no more. */
	assert_non_null(strstr(text, "CapEff:\t0000000000003400"));
	assert_null(strstr(text, "Uid:\t0"));
	free(text);
	kill(d.pid, SIGKILL);
	for (e.code = 0; !e.code; usleep(10000))
		nat_dns_ended(&d, &e);
	assert_non_null(strstr(e.text, "signal 9"));
	assert_int_equal(d.pid, 0);
	nat_dns_clean(dir);
	assert_int_equal(rmdir(dir), 0);
	host_nl_close(nl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conf),
		cmocka_unit_test(files),
		cmocka_unit_test(process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
