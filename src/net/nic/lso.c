/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large sends: from a driver's model of a header to one large frame.
 *
 * What drivers leave in the fields that differ from segment to segment (lengths, checksums) is
 * up to the chip: zero, or something that the chip would have used as a seed. All of it is set
 * here, from the bytes that are really there. Identification, sequence number and flags are the
 * first segment's; who segments counts on from them.
 */
#include "net/nic/lso.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/csum.h"
#include "net/prot.h"

#define CSUM_OFF_TCP 16u
#define CSUM_OFF_UDP 6u
#define IP_MAX	     65535u

/* Both return the sum of the pseudo header over `len` bytes of transport, or -EINVAL. */
static int fix_ip4(uint8_t *at, uint32_t room, uint32_t len, uint8_t proto, uint16_t *sum)
{
	struct ip4_hdr ip;

	if (room < sizeof(ip))
		return -EINVAL;
	memcpy(&ip, at, sizeof(ip));
	if (ip.ver_ihl >> 4 != 4 || (ip.ver_ihl & 15) * 4u != room || ip.proto != proto)
		return -EINVAL;
	if (ntohs(ip.frag) & (IP4_MF | IP4_OFFMASK) || room + len > IP_MAX)
		return -EINVAL;
	ip.len = htons((uint16_t)(room + len));
	ip.csum = 0;
	memcpy(at, &ip, sizeof(ip));
	ip.csum = csum_fold(csum_add(0, at, room));
	memcpy(at, &ip, sizeof(ip));
	*sum = csum_fold_raw(csum_pseudo4(ip.src, ip.dst, proto, (uint16_t)len));
	return 0;
}

static int fix_ip6(uint8_t *at, uint32_t room, uint32_t len, uint8_t proto, uint16_t *sum)
{
	struct ip6_hdr ip;

	if (room < sizeof(ip))
		return -EINVAL;
	memcpy(&ip, at, sizeof(ip));
	/* Behind extension headers the transport's number stands elsewhere: believed. */
	if (ntohl(ip.ver_tc_flow) >> 28 != 6 || (room == sizeof(ip) && ip.next != proto))
		return -EINVAL;
	if (room - sizeof(ip) + len > IP_MAX)
		return -EINVAL;
	ip.len = htons((uint16_t)(room - sizeof(ip) + len));
	memcpy(at, &ip, sizeof(ip));
	*sum = csum_fold_raw(csum_pseudo6(ip.src, ip.dst, proto, len));
	return 0;
}

/* The transport header at `at`, room bytes: length and checksum field; its flags by *flags. */
static int fix_l4(uint8_t *at, uint32_t room, uint32_t len, bool tcp, uint16_t sum, uint8_t *flags)
{
	*flags = 0;
	if (tcp) {
		struct tcp_hdr t;

		if (room < sizeof(t))
			return -EINVAL;
		memcpy(&t, at, sizeof(t));
		if ((t.off >> 4) * 4u != room)
			return -EINVAL;
		*flags = t.flags;
		t.csum = sum;
		memcpy(at, &t, sizeof(t));
	} else {
		struct udp_hdr u;

		if (room != sizeof(u))
			return -EINVAL;
		memcpy(&u, at, sizeof(u));
		u.len = htons((uint16_t)len);
		u.csum = sum;
		memcpy(at, &u, sizeof(u));
	}
	return 0;
}

int lso_frame(uint8_t *hdr, uint32_t hdr_len, uint32_t l3, uint32_t l4, uint32_t payload,
	      uint16_t mss, bool tcp, struct net_offload *off)
{
	uint8_t proto = tcp ? IP_TCP : IP_UDP, flags;
	uint32_t len;
	uint16_t sum;
	bool ip6;
	int rc;

	if (l3 < ETH_HDR || l4 <= l3 || l4 >= hdr_len || hdr_len > UINT16_MAX || payload > IP_MAX)
		return -EINVAL;
	len = hdr_len - l4 + payload;
	ip6 = hdr[l3] >> 4 == 6;
	rc = ip6 ? fix_ip6(hdr + l3, l4 - l3, len, proto, &sum)
		 : fix_ip4(hdr + l3, l4 - l3, len, proto, &sum);
	if (!rc)
		rc = fix_l4(hdr + l4, hdr_len - l4, len, tcp, sum, &flags);
	if (rc)
		return rc;
	*off = (struct net_offload){
		.flags = NET_F_NEEDS_CSUM,
		.hdr_len = (uint16_t)hdr_len,
		.csum_start = (uint16_t)l4,
		.csum_offset = tcp ? CSUM_OFF_TCP : CSUM_OFF_UDP,
	};
	if (mss && payload > mss) {
		off->gso_size = mss;
		off->gso_type = !tcp ? NET_GSO_UDP_L4 : ip6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
		/* RFC 3168: only the first segment says that the window was reduced. */
		if (tcp && flags & TCP_CWR)
			off->gso_type |= NET_GSO_ECN;
	}
	return 0;
}
