/* SPDX-License-Identifier: BSD-2-Clause */
/* Other firewalls in a namespace: found, named, adjusted, cleaned up again (H5). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include <stdio.h>

#include "net/host/nat_firewall.h"
#include "netns.h"

static const struct nat_net plain = {
	.name = "vmwire9", .addr = 0x0a090000, .prefix = 24, .v6 = true};

static void packets(void **state)
{
	struct nat_net n = plain;
	struct nat_firewall f = {.net = &n, .uplink = "eth0"};
	struct nat_packet p[8];

	(void)state;
	assert_int_equal(nat_firewall_packets(&f, p, 8), 5);
	f.bridge_nf = true;
	assert_int_equal(nat_firewall_packets(&f, p, 8), 6);
	f.uplink = NULL;
	assert_int_equal(nat_firewall_packets(&f, p, 8), 3);
	f.uplink = "eth0";
	n.mode = NAT_ISOLATED;
	f.bridge_nf = false;
	assert_int_equal(nat_firewall_packets(&f, p, 8), 2);
}

static void words(void **state)
{
	static const struct nat_packet p = {
		.what = "from guests", .hook = "forward", .iif = "vmwire9"};
	static const struct nat_packet in = {
		.what = "from guests", .hook = "input", .iif = "vmwire9"};
	struct nat_drop d = {
		.family = "ip", .table = "filter", .base = "FORWARD", .chain = "FORWARD"};
	char text[900], *rules;

	(void)state;
	nat_firewall_explain(&plain, &p, &d, text, sizeof(text));
	assert_non_null(strstr(text, "table ip filter, chain FORWARD, policy drop"));
	assert_non_null(strstr(text, "nft insert rule ip filter FORWARD iifname vmwire9 accept"));
	d.handle = 7;
	d.manager = NAT_MGR_UFW;
	nat_firewall_explain(&plain, &in, &d, text, sizeof(text));
	assert_non_null(strstr(text, "rule with handle 7 (drop)"));
	assert_non_null(strstr(text, "ufw allow in on vmwire9"));
	d.manager = NAT_MGR_DOCKER;
	rules = nat_firewall_rules(&plain, &p, &d);
	assert_non_null(strstr(rules, "insert rule ip filter DOCKER-USER iifname \"vmwire9\""));
	assert_non_null(strstr(rules, "insert rule ip filter DOCKER-USER oifname \"vmwire9\""));
	free(rules);
}

static void look(void **state)
{
	struct nat_net n = plain;
	struct err e = {0};
	struct host_nft *nft = host_nft_open(&e), *other = host_nft_open(&e);
	struct nat_firewall f = {.nft = nft, .net = &n, .uplink = "eth0"};
	char notes[NAT_NOTES], *before, *after;

	(void)state;
	assert_non_null(nft);
	assert_int_equal(nat_firewall_look(&f, notes, &e), 0);
	assert_string_equal(notes, "");
	/* Tables with an owner are passed over: they crash libnftables 1.0.6. */
	assert_int_equal(host_nft_run(other,
				      "table inet vmwire-vmwire9 {\n flags owner;\n}\n"
				      "table inet strange {\n flags owner;\n}\n"
				      "table inet f {\n chain forward {\n"
				      "type filter hook forward priority 0; policy drop;\n}\n"
				      "chain input {\n"
				      "type filter hook input priority 0; policy drop;\n}\n}\n",
				      &e),
			 0);
	before = host_nft_text(other, "list table inet f", &e);
	assert_int_equal(nat_firewall_look(&f, notes, &e), 0);
	assert_non_null(strstr(notes, "table inet f, chain forward, policy drop"));
	assert_non_null(strstr(notes, "table inet f, chain input, policy drop"));
	assert_false(nat_firewall_others_forward());
	n.adjust = true;
	assert_int_equal(nat_firewall_look(&f, notes, &e), 0);
	assert_string_equal(notes, "");
	after = host_nft_text(other, "list table inet f", &e);
	assert_non_null(strstr(after, "comment \"vmwire:vmwire9\""));
	free(after);
	assert_int_equal(nat_firewall_clean(nft, "vmwire8", &e), 0);
	after = host_nft_text(other, "list table inet f", &e);
	assert_string_not_equal(after, before);
	free(after);
	assert_int_equal(nat_firewall_clean(nft, "vmwire9", &e), 0);
	after = host_nft_text(other, "list table inet f", &e);
	assert_string_equal(after, before);
	free(after);
	free(before);
	host_nft_close(nft);
	host_nft_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets),
		cmocka_unit_test(words),
		cmocka_unit_test(look),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
