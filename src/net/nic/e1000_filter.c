/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the card looks at in a received frame: addresses and VLAN, to let it pass or not (SDM
 * 13.5, 10.3, 3.2.1), and checksums, for the receive descriptor's status bits (SDM 3.2.3, 3.2.9).
 *
 * The filter's registers are written by vCPUs while the loop reads them; as on the card, a frame
 * that comes in the middle of a change meets the half of it.
 */
#include <arpa/inet.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/util.h"
#include "net/nic/e1000.h"
#include "net/prot.h"

#define EXACT	16u
#define HEADERS 128u /* of a frame, copied to be looked at */

/* --- addresses (SDM 13.5.1, 13.5.2) --------------------------------------------------------- */

static bool exact(const struct e1000 *n, const uint8_t *dst)
{
	uint32_t lo = get_le32(dst), hi = get_le16(dst + 4) | RAH_AV;

	for (unsigned i = 0; i < EXACT; i++)
		if (e1000_get(n, R_RAL + 8 * i) == lo &&
		    (e1000_get(n, R_RAH + 8 * i) & (RAH_AV | 0xffff)) == hi)
			return true;
	return false;
}

static bool hashed(const struct e1000 *n, uint32_t rctl, const uint8_t *dst)
{
	static const uint8_t shift[4] = {4, 3, 2, 0};
	unsigned h = get_le16(dst + 4) >> shift[rctl >> RCTL_MO & 3] & 0xfff;

	return e1000_get(n, R_MTA + 4 * (h >> 5)) >> (h & 31) & 1;
}

static const char *address(const struct e1000 *n, uint32_t rctl, const uint8_t *dst, unsigned *how)
{
	static const uint8_t bcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (!memcmp(dst, bcast, 6) && rctl & (RCTL_BAM | RCTL_MPE))
		return NULL;
	if (rctl & (dst[0] & 1 ? RCTL_MPE : RCTL_UPE) || exact(n, dst))
		return NULL;
	if (!(dst[0] & 1))
		return "not to the guest's address";
	if (!hashed(n, rctl, dst))
		return "to a multicast group the guest has not joined";
	*how = E1000_INEXACT;
	return NULL;
}

const char *e1000_filter(const struct e1000 *n, const uint8_t *head, unsigned len, unsigned *how)
{
	uint32_t rctl = e1000_get(n, R_RCTL);
	uint16_t tag;

	*how = 0;
	if (rctl & RCTL_VFE && len >= 16 && get_be16(head + 12) == e1000_get(n, R_VET)) {
		tag = get_be16(head + 14);
		if (rctl & RCTL_CFIEN && !(tag & 0x1000) != !(rctl & RCTL_CFI))
			return "VLAN tag with the other canonical form";
		if (!(e1000_get(n, R_VFTA + 4 * ((tag & 0xfff) >> 5)) >> (tag & 31) & 1))
			return "in a VLAN the guest is not in";
	}
	return address(n, rctl, head, how);
}

/* --- checksums ------------------------------------------------------------------------------ */

struct look {
	uint8_t h[HEADERS];
	unsigned have, l3;
	uint32_t l4, l4_len; /* l4_len 0: nothing to verify */
	uint32_t pseudo;
	uint8_t proto;
};

/* RFC 791. Returns false when there is no IPv4 header to speak of. */
static bool look_ip4(struct look *k, uint32_t len)
{
	const uint8_t *ip = k->h + k->l3;
	unsigned ihl;
	uint32_t total;

	if (k->l3 + sizeof(struct ip4_hdr) > k->have || ip[0] >> 4 != 4)
		return false;
	ihl = 4u * (ip[0] & 15);
	total = get_be16(ip + offsetof(struct ip4_hdr, len));
	if (ihl < sizeof(struct ip4_hdr) || k->l3 + ihl > k->have || total < ihl ||
	    k->l3 + total > len)
		return false;
	/* Fragments carry no checksum of their own. */
	if (get_be16(ip + offsetof(struct ip4_hdr, frag)) & (IP4_MF | IP4_OFFMASK))
		return true;
	k->proto = ip[offsetof(struct ip4_hdr, proto)];
	k->l4 = k->l3 + ihl;
	k->l4_len = total - ihl;
	{
		struct ip4_hdr hdr;

		memcpy(&hdr, ip, sizeof(hdr));
		k->pseudo = csum_pseudo4(hdr.src, hdr.dst, k->proto, (uint16_t)k->l4_len);
	}
	return true;
}

/* RFC 8200, without extension headers. */
static void look_ip6(struct look *k, uint32_t len)
{
	const uint8_t *ip = k->h + k->l3;
	uint32_t total;

	if (k->l3 + sizeof(struct ip6_hdr) > k->have || ip[0] >> 4 != 6)
		return;
	total = get_be16(ip + offsetof(struct ip6_hdr, len));
	if (k->l3 + sizeof(struct ip6_hdr) + total > len)
		return;
	k->proto = ip[offsetof(struct ip6_hdr, next)];
	k->l4 = k->l3 + (unsigned)sizeof(struct ip6_hdr);
	k->l4_len = total;
	k->pseudo = csum_pseudo6(ip + offsetof(struct ip6_hdr, src),
				 ip + offsetof(struct ip6_hdr, dst), k->proto, total);
}

/* Status bits for TCP and UDP. */
static void look_l4(const struct look *k, const struct net_frame *f, uint8_t *status,
		    uint8_t *errors)
{
	unsigned least = k->proto == IP_TCP ? 20 : 8;

	if ((k->proto != IP_TCP && k->proto != IP_UDP) || k->l4_len < least)
		return;
	/* A UDP checksum of zero is none (RFC 768). */
	if (k->proto == IP_UDP && k->l4 + 8 <= k->have && !get_be16(k->h + k->l4 + 6))
		return;
	*status |= RXD_TCPCS;
	/* Verified by whoever sent it to us. */
	if (f->off.flags & NET_F_DATA_VALID)
		return;
	if (csum_fold(csum_add_iov(k->pseudo, f->vec + 1, f->nvec - 1, k->l4, k->l4_len)))
		*errors |= RXD_TCPE;
}

void e1000_rx_csum(const struct e1000 *n, const struct net_frame *f, uint8_t *status,
		   uint8_t *errors, uint16_t *sum)
{
	uint32_t rxcsum = e1000_get(n, R_RXCSUM), start = rxcsum & RXCSUM_PCSS;
	struct look k;
	uint16_t type;

	*sum = 0;
	if (start && start < f->len)
		*sum = csum_fold_raw(
			csum_add_iov(0, f->vec + 1, f->nvec - 1, start, f->len - start));
	if (!(rxcsum & (RXCSUM_IPOFL | RXCSUM_TUOFL))) {
		*status |= RXD_IXSM;
		return;
	}
	k.have = (unsigned)iov_read(f->vec + 1, f->nvec - 1, 0, k.h, MIN(f->len, HEADERS));
	k.l3 = ETH_HDR;
	k.l4_len = 0;
	if (k.have < ETH_HDR)
		return;
	type = get_be16(k.h + 12);
	if (type == e1000_get(n, R_VET) && k.have >= ETH_HDR + 4) {
		type = get_be16(k.h + 16);
		k.l3 += 4;
	}
	if (type == ETH_IP4 && look_ip4(&k, f->len)) {
		if (rxcsum & RXCSUM_IPOFL) {
			*status |= RXD_IPCS;
			if (csum_fold(csum_add(0, k.h + k.l3, 4u * (k.h[k.l3] & 15))))
				*errors |= RXD_IPE;
		}
	} else if (type == ETH_IP6 && rxcsum & RXCSUM_IP6) {
		look_ip6(&k, f->len);
	}
	if (rxcsum & RXCSUM_TUOFL && k.l4_len)
		look_l4(&k, f, status, errors);
}
