/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of a NAT network and its guests: the kernel takes them, and what they must contain. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include <stdio.h>

#include "net/host/nat_rules.h"
#include "net/host/nft.h"
#include "netns.h"

static const struct nat_net net = {.name = "vmwire9",
				   .addr = 0x0a090000,
				   .prefix = 24,
				   .v6 = true,
				   .ula = {0xfd, 1, 2, 3, 4, 5, 6, 7},
				   .mac = {0x52, 1, 2, 3, 4, 5}};

static void load(struct host_nft *nft, char *text)
{
	struct err e;

	assert_non_null(text);
	if (host_nft_run(nft, text, &e))
		fail_msg("%s\n%s", e.text, text);
	free(text);
}

static void networks(void **state)
{
	struct host_nft *nft = *state;
	struct nat_net n = net;
	char *text;

	for (n.mode = NAT_MASQUERADE; n.mode <= NAT_ISOLATED; n.mode++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct err e;

			n.v6 = v6;
			load(nft, nat_rules_net(&n));
			assert_int_equal(host_nft_run(nft, "delete table inet vmwire-vmwire9", &e),
					 0);
		}
	}
	n.mode = NAT_MASQUERADE;
	text = nat_rules_net(&n);
	assert_non_null(strstr(text, "flags owner"));
	assert_non_null(strstr(text, "ip saddr 10.9.0.0/24 oifname != \"vmwire9\" masquerade"));
	assert_non_null(
		strstr(text, "ip6 saddr fd01:203:405:607::/64 oifname != \"vmwire9\" masq"));
	free(text);
	n.mode = NAT_ROUTED;
	text = nat_rules_net(&n);
	assert_null(strstr(text, "oifname != \"vmwire9\" masquerade"));
	free(text);
}

static void guests(void **state)
{
	static const struct nat_card cards[] = {{{0x52, 0x54, 0, 0, 0, 1}, 0x0a090005, "a"},
						{{0x52, 0x54, 0, 0, 0, 2}, 0x0a090006, "b"}};
	static const struct nat_fwd fwds[] = {{false, 0, 0x0a090005, 2222, 22},
					      {true, 0x7f000001, 0x0a090006, 53, 5353},
					      {false, 0, 0, 80, 80}};
	struct nat_rules_guest g = {.net = &net, .ifname = "lo"};
	struct host_nft *nft = *state;
	char *text;

	load(nft, nat_rules_guest(&g));
	g.again = true;
	g.antispoof = true;
	load(nft, nat_rules_guest(&g));
	g.cards = cards;
	g.ncards = 2;
	g.rate = 1000000;
	g.burst = 65536;
	g.fwds = fwds;
	g.nfwds = 3;
	load(nft, nat_rules_guest(&g));
	text = nat_rules_guest(&g);
	assert_non_null(strstr(text, "fib daddr type local tcp dport 2222 counter dnat ip to "
				     "10.9.0.5:22"));
	assert_non_null(strstr(text, "ip daddr 127.0.0.1 udp dport 53 counter dnat ip to "
				     "10.9.0.6:5353"));
	/* Without a card there is nothing to forward to. */
	assert_null(strstr(text, "dport 80"));
	/* Whatever the options, the host's loopback is out of reach. */
	assert_non_null(strstr(text, "ip daddr 127.0.0.0/8 counter name loopback drop"));
	free(text);
}

static void drops(void **state)
{
	struct host_nft *nft = *state;
	struct nat_drops d;
	struct err e;
	char command[64], *json;

	nat_rules_ask("lo", command, sizeof(command));
	json = host_nft_json(nft, command, &e);
	assert_non_null(json);
	assert_true(nat_rules_drops(json, &d));
	assert_int_equal(d.spoofed + d.over_rate + d.loopback, 0);
	free(json);
	assert_false(nat_rules_drops("{", &d));
	assert_true(
		nat_rules_drops("{\"nftables\":[{\"counter\":{\"name\":\"spoofed\",\"packets\":7}},"
				"{\"counter\":{\"name\":\"over_rate\",\"packets\":8}}]}",
				&d));
	assert_int_equal(d.spoofed, 7);
	assert_int_equal(d.over_rate, 8);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(guests),
		cmocka_unit_test(drops),
	};
	void *nft;
	struct err e = {0};
	int rc;

	netns_enter();
	nft = host_nft_open(&e);
	if (!nft) {
		printf("skipped: %s\n", e.text);
		return 77;
	}
	/* One for all: the owner of the tables. */
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tests[i].initial_state = nft;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	host_nft_close(nft);
	return rc;
}
