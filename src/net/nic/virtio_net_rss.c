/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net: the hash over a frame's addresses and ports, which is reported to the guest
 * (HASH_REPORT, virtio 1.2 section 5.1.6.4.3) and says which receive queue the frame goes to (RSS,
 * 5.1.6.5.7).
 *
 * The hash is Toeplitz': the XOR of those 32-bit windows of a key that begin where the input has a
 * bit set. It is linear, so what each value of each input byte contributes is worked out when the
 * driver sets the key, and a frame costs one look-up for each of at most 36 bytes.
 *
 * A frame's queue is only known when its bytes are there, so a card that steers lends no buffers.
 * Every pair may get any frame: a card with rss=on has one queue on its wire, and all of its pairs
 * are on that one's loop.
 */
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/nic/virtio_net.h"
#include "net/prot.h"

#define HEAD	 192u /* bytes of a frame that are looked at: a few headers of options, too */
#define ETH_QINQ 0x88a8
#define TAGS	 2u
#define EXTS	 8u /* IPv6 extension headers */

/* What a frame offers. */
struct input {
	uint8_t b[VNET_HASH_INPUT]; /* source, destination, ports */
	unsigned addrs;		    /* bytes of both addresses; 0: no IP */
	uint8_t proto;		    /* IP_TCP or IP_UDP, with ports; 0: neither */
};

/* RFC 8200 section 4: skips extension headers. Returns where the next header is, or 0: it is not
 * there, or not of the first fragment alone. */
static unsigned skip_exts(const uint8_t *h, unsigned len, unsigned at, uint8_t *next)
{
	for (unsigned i = 0; i < EXTS; i++) {
		if (*next != 0 && *next != 43 && *next != 44 && *next != 60)
			return at;
		if (at + 8 > len)
			return 0;
		/* Offset or M: a part of a datagram. */
		if (*next == 44 && get_be16(h + at + 2) & 0xfff9)
			return 0;
		unsigned size = *next == 44 ? 8 : 8u * (h[at + 1] + 1u);

		*next = h[at];
		at += size;
	}
	return 0;
}

static void parse(const uint8_t *h, unsigned len, struct input *in)
{
	unsigned at = ETH_HDR, l4;
	uint16_t type;
	uint8_t proto;

	memset(in, 0, sizeof(*in));
	if (len < at)
		return;
	type = get_be16(h + 12);
	for (unsigned i = 0; i < TAGS && (type == ETH_VLAN || type == ETH_QINQ); i++, at += 4) {
		if (at + 4 > len)
			return;
		type = get_be16(h + at + 2);
	}
	if (type == ETH_IP4 && at + 20 <= len && h[at] >> 4 == 4 && (h[at] & 15) >= 5) {
		in->addrs = 8;
		memcpy(in->b, h + at + 12, in->addrs);
		proto = h[at + 9];
		/* No fragment has ports that the others have, too. */
		if (get_be16(h + at + 6) & (IP4_MF | IP4_OFFMASK))
			return;
		l4 = at + 4u * (h[at] & 15);
	} else if (type == ETH_IP6 && at + 40 <= len && h[at] >> 4 == 6) {
		in->addrs = 32;
		memcpy(in->b, h + at + 8, in->addrs);
		proto = h[at + 6];
		l4 = skip_exts(h, len, at + 40, &proto);
	} else {
		return;
	}
	if (!l4 || l4 + 4 > len || (proto != IP_TCP && proto != IP_UDP))
		return;
	memcpy(in->b + in->addrs, h + l4, 4);
	in->proto = proto;
}

/* 5.1.6.4.3.1 to .3: which hash is calculated, by the types that are enabled. */
static uint8_t choose(const struct input *in, uint32_t types)
{
	bool six = in->addrs == 32;

	if (!in->addrs)
		return VIRTIO_NET_HASH_REPORT_NONE;
	if (in->proto == IP_TCP &&
	    types & (six ? VIRTIO_NET_RSS_HASH_TYPE_TCPv6 : VIRTIO_NET_RSS_HASH_TYPE_TCPv4))
		return six ? VIRTIO_NET_HASH_REPORT_TCPv6 : VIRTIO_NET_HASH_REPORT_TCPv4;
	if (in->proto == IP_UDP &&
	    types & (six ? VIRTIO_NET_RSS_HASH_TYPE_UDPv6 : VIRTIO_NET_RSS_HASH_TYPE_UDPv4))
		return six ? VIRTIO_NET_HASH_REPORT_UDPv6 : VIRTIO_NET_HASH_REPORT_UDPv4;
	if (types & (six ? VIRTIO_NET_RSS_HASH_TYPE_IPv6 : VIRTIO_NET_RSS_HASH_TYPE_IPv4))
		return six ? VIRTIO_NET_HASH_REPORT_IPv6 : VIRTIO_NET_HASH_REPORT_IPv4;
	return VIRTIO_NET_HASH_REPORT_NONE;
}

struct vnet_hash vnet_hash(const struct vnet_rss *s, const struct net_frame *f)
{
	uint8_t head[HEAD];
	struct vnet_hash h = {0};
	struct input in;
	unsigned len;

	if (!s->types)
		return h;
	len = (unsigned)iov_read(f->vec + 1, f->nvec - 1, 0, head, MIN(f->len, HEAD));
	parse(head, len, &in);
	h.report = choose(&in, s->types);
	if (h.report == VIRTIO_NET_HASH_REPORT_NONE)
		return h;
	len = in.addrs;
	if (h.report != VIRTIO_NET_HASH_REPORT_IPv4 && h.report != VIRTIO_NET_HASH_REPORT_IPv6)
		len += 4;
	for (unsigned i = 0; i < len; i++)
		h.value ^= s->part[i][in.b[i]];
	return h;
}

void vnet_rss_key(struct vnet_rss *s, const uint8_t *key, unsigned len)
{
	uint8_t k[VNET_HASH_INPUT + 5] = {0};

	memcpy(k, key, MIN(len, VNET_HASH_KEY));
	for (unsigned i = 0; i < VNET_HASH_INPUT; i++) {
		uint64_t five = (uint64_t)get_be32(k + i) << 8 | k[i + 4];

		s->part[i][0] = 0;
		for (unsigned v = 1; v < 256; v++) {
			unsigned low = (unsigned)__builtin_ctz(v);

			/* Bit 7 is the first one. */
			s->part[i][v] = s->part[i][v & (v - 1)] ^ (uint32_t)(five >> (low + 1));
		}
	}
}

unsigned vnet_rss_queue(const struct vnet_rss *s, struct vnet_hash h)
{
	return h.report == VIRTIO_NET_HASH_REPORT_NONE ? s->unclassified
						       : s->table[h.value & s->mask];
}
