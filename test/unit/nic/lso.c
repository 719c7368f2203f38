/* SPDX-License-Identifier: BSD-2-Clause */
/* Large sends: every field that is set, every header that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/csum.h"
#include "net/nic/lso.h"
#include "net/prot.h"

#define L3	14u
#define TCP_LEN 32u /* with a time stamp option */

/* Ethernet, IP, TCP or UDP, with nonsense in all that is to be set. Returns its length. */
static uint32_t make(uint8_t *p, bool ip6, bool tcp, uint32_t *l4)
{
	struct ip4_hdr i4 = {.ver_ihl = 0x45,
			     .len = htons(7),
			     .ttl = 64,
			     .proto = tcp ? IP_TCP : IP_UDP,
			     .csum = 0x1234,
			     .src = htonl(0x0a00020f),
			     .dst = htonl(0xc0000207)};
	struct ip6_hdr i6 = {.ver_tc_flow = htonl(0x60000000),
			     .len = htons(9),
			     .next = tcp ? IP_TCP : IP_UDP,
			     .hops = 64,
			     .src = {0xfe, 0x80, [15] = 1},
			     .dst = {0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
	struct tcp_hdr t = {.off = TCP_LEN / 4 << 4, .flags = TCP_ACK | TCP_PSH, .csum = 0x7777};
	struct udp_hdr u = {.len = 1, .csum = 0x7777};
	uint32_t iplen = ip6 ? sizeof(i6) : sizeof(i4);

	memset(p, 0x11, L3);
	memcpy(p + L3, ip6 ? (void *)&i6 : (void *)&i4, iplen);
	*l4 = L3 + iplen;
	memset(p + *l4, 0x22, TCP_LEN);
	memcpy(p + *l4, tcp ? (void *)&t : (void *)&u, tcp ? sizeof(t) : sizeof(u));
	return *l4 + (tcp ? TCP_LEN : (uint32_t)sizeof(u));
}

/* The field holds what a receiver starts from: sum over it and the rest is the final checksum. */
static void check_sum(const uint8_t *p, uint32_t l4, uint32_t off, bool ip6, uint8_t proto,
		      uint32_t len)
{
	uint16_t field, want;

	memcpy(&field, p + l4 + off, 2);
	if (ip6) {
		want = csum_fold_raw(csum_pseudo6(p + L3 + 8, p + L3 + 24, proto, len));
	} else {
		uint32_t src, dst;

		memcpy(&src, p + L3 + 12, 4);
		memcpy(&dst, p + L3 + 16, 4);
		want = csum_fold_raw(csum_pseudo4(src, dst, proto, (uint16_t)len));
		assert_int_equal(csum_fold(csum_add(0, p + L3, 20)), 0);
	}
	assert_int_equal(field, want);
}

static void test_tcp(void **state)
{
	(void)state;
	for (int ip6 = 0; ip6 < 2; ip6++) {
		uint8_t p[128];
		uint32_t l4, len = make(p, ip6, true, &l4);
		struct net_offload off;
		uint16_t iplen;

		assert_int_equal(lso_frame(p, len, L3, l4, 5000, 1400, true, &off), 0);
		memcpy(&iplen, p + L3 + (ip6 ? 4 : 2), 2);
		assert_int_equal(ntohs(iplen), (ip6 ? 0 : 20) + TCP_LEN + 5000);
		check_sum(p, l4, 16, ip6, IP_TCP, TCP_LEN + 5000);
		assert_int_equal(off.flags, NET_F_NEEDS_CSUM);
		assert_int_equal(off.gso_type, ip6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4);
		assert_int_equal(off.gso_size, 1400);
		assert_int_equal(off.hdr_len, len);
		assert_int_equal(off.csum_start, l4);
		assert_int_equal(off.csum_offset, 16);
		/* One segment is none. */
		assert_int_equal(lso_frame(p, len, L3, l4, 1400, 1400, true, &off), 0);
		assert_int_equal(off.gso_type, NET_GSO_NONE);
		assert_int_equal(off.gso_size, 0);
		assert_int_equal(lso_frame(p, len, L3, l4, 1400, 0, true, &off), 0);
		assert_int_equal(off.gso_type, NET_GSO_NONE);
		p[l4 + 13] |= TCP_CWR;
		assert_int_equal(lso_frame(p, len, L3, l4, 5000, 1400, true, &off), 0);
		assert_int_equal(off.gso_type & NET_GSO_ECN, NET_GSO_ECN);
	}
}

static void test_udp(void **state)
{
	(void)state;
	for (int ip6 = 0; ip6 < 2; ip6++) {
		uint8_t p[128];
		uint32_t l4, len = make(p, ip6, false, &l4);
		struct net_offload off;
		uint16_t udplen;

		assert_int_equal(lso_frame(p, len, L3, l4, 3000, 1000, false, &off), 0);
		memcpy(&udplen, p + l4 + 4, 2);
		assert_int_equal(ntohs(udplen), 3008);
		check_sum(p, l4, 6, ip6, IP_UDP, 3008);
		assert_int_equal(off.gso_type, NET_GSO_UDP_L4);
		assert_int_equal(off.csum_offset, 6);
	}
}

static void test_refused(void **state)
{
	uint8_t p[128];
	struct net_offload off;
	uint32_t l4, len;

	(void)state;
#define REFUSED(change, ...)                                                                       \
	do {                                                                                       \
		len = make(p, false, true, &l4);                                                   \
		change;                                                                            \
		assert_int_equal(lso_frame(__VA_ARGS__, true, &off), -EINVAL);                     \
	} while (0)
	REFUSED(, p, len, 13, l4, 5000, 1400);	/* inside of Ethernet */
	REFUSED(, p, len, L3, L3, 5000, 1400);	/* no IP header */
	REFUSED(, p, len, L3, len, 5000, 1400); /* no TCP header */
	REFUSED(, p, len, L3, UINT32_MAX, 5000, 1400);
	REFUSED(, p, len, UINT32_MAX, l4, 5000, 1400);
	REFUSED(, p, len, L3, l4 - 1, 5000, 1400);
	REFUSED(, p, len - 1, L3, l4, 5000, 1400); /* options cut off */
	REFUSED(, p, len, L3, l4, 65536, 1400);
	REFUSED(, p, len, L3, l4, UINT32_MAX, 1400);
	REFUSED(, p, len, L3, l4, 65536 - 20 - TCP_LEN, 1400);
	REFUSED(p[L3] = 0x46, p, len, L3, l4, 5000, 1400);
	REFUSED(p[L3] = 0x55, p, len, L3, l4, 5000, 1400);
	REFUSED(p[L3] = 0x65, p, len, L3, l4, 5000, 1400);
	REFUSED(p[L3 + 6] = 0x20, p, len, L3, l4, 5000, 1400); /* a fragment */
	REFUSED(p[L3 + 9] = IP_UDP, p, len, L3, l4, 5000, 1400);
	REFUSED(p[l4 + 12] = 0x40, p, len, L3, l4, 5000, 1400);
	len = make(p, false, true, &l4);
	assert_int_equal(lso_frame(p, len, L3, l4, 65535 - 20 - TCP_LEN, 1400, true, &off), 0);
	len = make(p, true, true, &l4);
	p[L3 + 6] = IP_UDP;
	assert_int_equal(lso_frame(p, len, L3, l4, 5000, 1400, true, &off), -EINVAL);
	len = make(p, true, false, &l4);
	assert_int_equal(lso_frame(p, len + 1, L3, l4, 5000, 1400, false, &off), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
