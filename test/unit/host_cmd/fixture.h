/* SPDX-License-Identifier: BSD-2-Clause */
/* A host's uplink as a dump would show it, and golden files. */
#ifndef TEST_UNIT_HOST_CMD_FIXTURE_H
#define TEST_UNIT_HOST_CMD_FIXTURE_H

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/plan.h"

static inline struct host_addr an_addr(const char *text, uint32_t flags, uint8_t scope)
{
	struct host_addr a;
	struct err e = {0};

	if (host_addr_parse(text, &a, &e))
		fail_msg("%s", e.text);
	a.index = 2;
	a.flags = flags;
	a.scope = scope;
	return a;
}

/* via NULL: none; dst "": the default route */
static inline struct host_route a_route(const char *dst, const char *via, uint32_t metric,
					uint8_t protocol)
{
	struct host_route r = {.metric = metric,
			       .protocol = protocol,
			       .oif = 2,
			       .table = RT_TABLE_MAIN,
			       .type = RTN_UNICAST};
	struct host_addr a;

	r.family = strchr(dst[0] ? dst : via, ':') ? AF_INET6 : AF_INET;
	if (dst[0]) {
		a = an_addr(dst, 0, 0);
		r.dst_len = a.prefix;
		memcpy(r.dst, a.addr, 16);
	}
	r.scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	r.gateway_family = r.family;
	r.has_gateway = via && inet_pton(r.family, via, r.gateway) == 1;
	return r;
}

#define ADDRS  6
#define ROUTES 8

/* eth0: two networks, a leased address, IPv6 with a noprefixroute address, routes of all kinds. */
static inline void fixture(struct br_state *s)
{
	memset(s, 0, sizeof(*s));
	s->link = (struct host_link){.index = 2,
				     .name = "eth0",
				     .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
				     .is_ether = true,
				     .mtu = 1500};
	s->accept_dad = 1;
	s->addr = calloc(ADDRS, sizeof(*s->addr));
	s->route = calloc(ROUTES, sizeof(*s->route));
	s->addr[0] = an_addr("192.0.2.2/24", IFA_F_PERMANENT, 0);
	strcpy(s->addr[0].label, "eth0");
	s->addr[1] = an_addr("192.0.2.3/24", IFA_F_PERMANENT | IFA_F_SECONDARY, 0);
	strcpy(s->addr[1].label, "eth0:home");
	s->addr[2] = an_addr("198.51.100.7/25", 0, 0);
	s->addr[2].valid = 7200;
	s->addr[2].preferred = 3600;
	s->addr[3] = an_addr("2001:db8::9/64", IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE, 0);
	s->addr[4] = an_addr("2001:db8::2/64", IFA_F_PERMANENT, 0);
	s->addr[5] = an_addr("fe80::1/64", IFA_F_PERMANENT, RT_SCOPE_LINK);
	s->naddr = ADDRS;
	s->route[0] = a_route("", "192.0.2.1", 100, RTPROT_STATIC);
	s->route[1] = a_route("192.0.2.0/24", NULL, 0, RTPROT_KERNEL);
	s->route[2] = a_route("198.51.100.0/25", NULL, 0, RTPROT_KERNEL);
	s->route[3] = a_route("203.0.113.0/24", "192.0.2.9", 0, RTPROT_STATIC);
	s->route[4] = a_route("198.18.0.0/15", NULL, 0, RTPROT_STATIC);
	s->route[5] = a_route("2001:db8::/64", NULL, 256, RTPROT_KERNEL);
	s->route[6] = a_route("", "2001:db8::1", 1024, RTPROT_STATIC);
	s->route[7] = a_route("", "192.0.2.1", 0, RTPROT_STATIC);
	s->route[7].table = 100;
	s->nroute = ROUTES;
}

/* Compares with golden/NAME; with UPDATE=1 in the environment writes it. */
static inline void golden(const char *name, const char *text)
{
	char path[512], want[16384];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), UNIT_DIR "/golden/%s", name);
	if (getenv("UPDATE")) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
	}
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(want, 1, sizeof(want) - 1, f);
	want[n] = 0;
	fclose(f);
	assert_string_equal(text, want);
}

#endif
