/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums and segmentation in software, for peers that lack the offload.
 *
 * A frame's headers are copied once into a fixed area on the stack and parsed there (its own
 * memory is the guest's and may change); each segment is that header, adjusted, in front of
 * slices of the frame's own buffers. Nothing is allocated and no payload is copied. Segments go
 * to the peer SEGS at a time. When the peer takes only some of them, p->part[q] remembers how
 * many payload bytes are through; the caller keeps the frame and offers it again, and we go on
 * from there, even if the peer could by now take the frame whole.
 *
 * Metadata comes from a guest: what does not fit the frame is dropped and counted.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/util.h"
#include "net/port/internal.h"
#include "net/prot.h"

#define HDR_MAX	     256u /* Ethernet to the end of the TCP header, bytes */
#define SEGS	     48u  /* a frame of 64 KiB with an MSS of 1460 at once */
#define GSO_SIZE_MIN 8u	  /* the least Linux makes: MSS 48 minus 40 bytes of TCP options */
#define UDP_SEGS     128u /* datagrams of a frame, at most, when they are smaller than that */
#define KEY_BYTES    64u  /* up to the TCP sequence number in an IPv6 frame with a VLAN tag */
#define ETH_QINQ     0x88a8

#define CSUM_OFF_TCP 16u
#define CSUM_OFF_UDP 6u

/* What is known of a frame to be segmented. */
struct gso {
	uint8_t hdr[HDR_MAX];
	unsigned have;	      /* bytes of the frame in hdr */
	unsigned l3, l4, len; /* offsets of IP and TCP/UDP, length of all headers */
	uint32_t payload, mss;
	bool ip6, udp;
};

void net_frame_key(const struct net_frame *f, struct net_frame_key *k)
{
	uint8_t head[KEY_BYTES];
	size_t n = iov_read(f->vec + 1, f->nvec - 1, 0, head, sizeof(head));

	memset(k, 0, sizeof(*k));
	k->len = f->len;
	k->off = f->off;
	/* Not csum_add(): two swapped words must make a difference. FNV-1a, 32 bits. */
	k->sum = 2166136261u;
	for (size_t i = 0; i < n; i++)
		k->sum = (k->sum ^ head[i]) * 16777619u;
}

bool net_frame_is(const struct net_frame *f, const struct net_frame_key *k)
{
	struct net_frame_key now;

	net_frame_key(f, &now);
	return now.len == k->len && now.sum == k->sum &&
	       memcmp(&now.off, &k->off, sizeof(now.off)) == 0;
}

/* --- checksum only -------------------------------------------------------------------------- */

static bool csum_fits(const struct net_frame *f)
{
	return (uint32_t)f->off.csum_start + f->off.csum_offset + 2 <= f->len;
}

/* The checksum over the frame from csum_start on; the field holds the pseudo header's sum and is
 * part of it. Zero would mean "none" in UDP; all ones is the same number (RFC 768). */
static uint16_t csum_of(const struct iovec *vec, unsigned n, uint32_t start, uint32_t len)
{
	uint16_t c = csum_fold(csum_add_iov(0, vec, n, start, len - start));

	return c ? c : 0xffff;
}

bool net_csum_in_place(struct net_frame *f)
{
	uint32_t at = (uint32_t)f->off.csum_start + f->off.csum_offset;
	uint16_t c;

	if (!csum_fits(f))
		return false;
	c = csum_of(f->vec + 1, f->nvec - 1, f->off.csum_start, f->len);
	iov_write(f->vec + 1, f->nvec - 1, at, &c, sizeof(c));
	f->off.flags &= (uint8_t)~NET_F_NEEDS_CSUM;
	f->off.csum_start = f->off.csum_offset = 0;
	return true;
}

/* Pushes one frame with its checksum completed. Returns false when the peer had no room. */
static bool push_csum(struct net_port *p, unsigned q, const struct net_frame *f, const char **bad)
{
	uint32_t at = (uint32_t)f->off.csum_start + f->off.csum_offset, head = at + 2;
	uint8_t hdr[HDR_MAX];
	struct iovec vec[NET_VEC_MAX];
	struct net_frame g = {.vec = vec, .nvec = 2, .len = f->len, .off = f->off};
	uint16_t c;
	size_t got;

	if (!csum_fits(f) || head > sizeof(hdr)) {
		*bad = "checksum position outside the headers";
		return true;
	}
	if (iov_read(f->vec + 1, f->nvec - 1, 0, hdr, head) < head) {
		*bad = "frame shorter than it says";
		return true;
	}
	vec[1] = (struct iovec){hdr, head};
	g.nvec += iov_slice(f->vec + 1, f->nvec - 1, head, f->len - head, vec + 2, NET_VEC_MAX - 2,
			    &got);
	if (got < f->len - head) {
		*bad = "frame in too many pieces to complete its checksum";
		return true;
	}
	c = csum_of(vec + 1, g.nvec - 1, f->off.csum_start, f->len);
	memcpy(hdr + at, &c, sizeof(c));
	g.off.flags &= (uint8_t)~NET_F_NEEDS_CSUM;
	g.off.csum_start = g.off.csum_offset = 0;
	return p->peer->ops->push(p->peer, q, &g, 1) == 1;
}

/* --- segmentation --------------------------------------------------------------------------- */

/* Finds the transport header of an IPv6 packet: RFC 8200, section 4. */
static const char *parse_ip6(struct gso *g, uint8_t proto)
{
	unsigned at = g->l3 + sizeof(struct ip6_hdr);
	uint8_t next;

	if (at > g->have || g->hdr[g->l3] >> 4 != 6)
		return "GSO frame is not the IPv6 it says";
	next = g->hdr[g->l3 + offsetof(struct ip6_hdr, next)];
	while (next != proto) {
		/* Hop-by-hop, routing, destination options; anything else cannot be cut. */
		if (next != 0 && next != 43 && next != 60)
			return "GSO frame without the transport it says";
		if (at + 8 > g->have)
			return "GSO headers too long";
		next = g->hdr[at];
		at += 8u * (g->hdr[at + 1] + 1u);
	}
	g->l4 = at;
	return NULL;
}

static const char *parse_ip4(struct gso *g, uint8_t proto)
{
	const uint8_t *ip = g->hdr + g->l3;
	unsigned ihl;

	if (g->l3 + sizeof(struct ip4_hdr) > g->have || ip[0] >> 4 != 4)
		return "GSO frame is not the IPv4 it says";
	ihl = 4u * (ip[0] & 15);
	if (ihl < sizeof(struct ip4_hdr) || ip[offsetof(struct ip4_hdr, proto)] != proto)
		return "GSO frame without the transport it says";
	if (get_be16(ip + offsetof(struct ip4_hdr, frag)) & (IP4_MF | IP4_OFFMASK))
		return "GSO frame is a fragment";
	g->l4 = g->l3 + ihl;
	return NULL;
}

/* Copies and parses the headers. Returns NULL, or why the frame cannot be segmented. */
static const char *parse(const struct net_frame *f, struct gso *g)
{
	uint8_t type = f->off.gso_type & (uint8_t)~NET_GSO_ECN;
	const char *bad;
	uint16_t eth;

	g->udp = type == NET_GSO_UDP_L4;
	g->mss = f->off.gso_size;
	if (g->mss < (g->udp ? 1 : GSO_SIZE_MIN))
		return "GSO size too small";
	g->have = (unsigned)iov_read(f->vec + 1, f->nvec - 1, 0, g->hdr,
				     MIN(f->len, (uint32_t)HDR_MAX));
	g->l3 = ETH_HDR;
	if (g->have < ETH_HDR)
		return "frame shorter than it says";
	eth = get_be16(g->hdr + 12);
	for (int tags = 0; tags < 2 && (eth == ETH_VLAN || eth == ETH_QINQ); tags++) {
		if (g->l3 + 4 > g->have)
			return "GSO headers too long";
		eth = get_be16(g->hdr + g->l3 + 2);
		g->l3 += 4;
	}
	g->ip6 = eth == ETH_IP6;
	if ((eth != ETH_IP4 && eth != ETH_IP6) || (type == NET_GSO_TCPV4 && g->ip6) ||
	    (type == NET_GSO_TCPV6 && !g->ip6))
		return "GSO type does not match the frame";
	bad = g->ip6 ? parse_ip6(g, g->udp ? IP_UDP : IP_TCP)
		     : parse_ip4(g, g->udp ? IP_UDP : IP_TCP);
	if (bad)
		return bad;
	g->len = g->l4 + (unsigned)(g->udp ? sizeof(struct udp_hdr) : sizeof(struct tcp_hdr));
	if (g->len > g->have)
		return "GSO headers too long";
	if (!g->udp) {
		unsigned doff = 4u * (g->hdr[g->l4 + offsetof(struct tcp_hdr, off)] >> 4);

		if (doff < sizeof(struct tcp_hdr) || g->l4 + doff > g->have)
			return "GSO headers too long";
		g->len = g->l4 + doff;
	}
	if (f->off.flags & NET_F_NEEDS_CSUM &&
	    (f->off.csum_start != g->l4 ||
	     f->off.csum_offset != (g->udp ? CSUM_OFF_UDP : CSUM_OFF_TCP)))
		return "GSO frame with the checksum elsewhere";
	g->payload = f->len - g->len;
	if (g->mss < GSO_SIZE_MIN && g->payload > g->mss * UDP_SEGS)
		return "GSO size too small";
	return NULL;
}

/* Sum of the pseudo header for a segment whose transport part is len bytes. */
static uint32_t pseudo(const struct gso *g, uint32_t len)
{
	const uint8_t *ip = g->hdr + g->l3;
	uint8_t proto = g->udp ? IP_UDP : IP_TCP;
	uint32_t src, dst;

	if (g->ip6)
		return csum_pseudo6(ip + offsetof(struct ip6_hdr, src),
				    ip + offsetof(struct ip6_hdr, dst), proto, len);
	memcpy(&src, ip + offsetof(struct ip4_hdr, src), 4);
	memcpy(&dst, ip + offsetof(struct ip4_hdr, dst), 4);
	return csum_pseudo4(src, dst, proto, (uint16_t)len);
}

/* Fills in what differs between the frame's headers and those of the segment at `at`. */
static void seg_headers(const struct gso *g, uint8_t *h, uint32_t at, uint32_t len)
{
	uint8_t *ip = h + g->l3, *l4 = h + g->l4;
	uint32_t after_ip = g->len - g->l4 + len;
	uint16_t c;

	memcpy(h, g->hdr, g->len);
	if (g->ip6) {
		put_be16(ip + offsetof(struct ip6_hdr, len),
			 (uint16_t)(g->len + len - g->l3 - sizeof(struct ip6_hdr)));
	} else {
		uint8_t *id = ip + offsetof(struct ip4_hdr, id);

		put_be16(ip + offsetof(struct ip4_hdr, len), (uint16_t)(g->len + len - g->l3));
		put_be16(id, (uint16_t)(get_be16(id) + at / g->mss));
		memset(ip + offsetof(struct ip4_hdr, csum), 0, 2);
		c = csum_fold(csum_add(0, ip, g->l4 - g->l3));
		memcpy(ip + offsetof(struct ip4_hdr, csum), &c, 2);
	}
	if (g->udp) {
		put_be16(l4 + offsetof(struct udp_hdr, len), (uint16_t)after_ip);
		return;
	}
	put_be32(l4 + offsetof(struct tcp_hdr, seq),
		 get_be32(l4 + offsetof(struct tcp_hdr, seq)) + at);
	if (at) /* "window reduced" is said once: RFC 3168, section 6.1.2 */
		l4[offsetof(struct tcp_hdr, flags)] &= (uint8_t)~TCP_CWR;
	if (at + len < g->payload)
		l4[offsetof(struct tcp_hdr, flags)] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

/* Makes the segment at payload byte `at`: headers in h, entries in vec. */
static const char *make_seg(const struct net_frame *f, const struct gso *g, bool peer_csum,
			    uint32_t at, uint8_t *h, struct iovec *vec, struct net_frame *out)
{
	uint32_t len = MIN(g->mss, g->payload - at), l4len = g->len - g->l4 + len;
	unsigned csum_off = g->udp ? CSUM_OFF_UDP : CSUM_OFF_TCP;
	uint16_t c;
	size_t got;

	seg_headers(g, h, at, len);
	vec[1] = (struct iovec){h, g->len};
	*out = (struct net_frame){.vec = vec, .nvec = 2, .len = g->len + len};
	out->nvec += iov_slice(f->vec + 1, f->nvec - 1, g->len + at, len, vec + 2, NET_VEC_MAX - 2,
			       &got);
	if (got < len)
		return "GSO frame in too many pieces";
	c = csum_fold_raw(pseudo(g, l4len));
	memcpy(h + g->l4 + csum_off, &c, 2);
	if (peer_csum) {
		out->off.flags = NET_F_NEEDS_CSUM;
		out->off.csum_start = (uint16_t)g->l4;
		out->off.csum_offset = (uint16_t)csum_off;
		return NULL;
	}
	c = csum_of(vec + 1, out->nvec - 1, g->l4, out->len);
	memcpy(h + g->l4 + csum_off, &c, 2);
	out->off.flags = NET_F_DATA_VALID;
	return NULL;
}

/* Segments f from p->part[q] on. Returns false when the peer had no room for all of it. */
static bool push_gso(struct net_port *p, unsigned q, const struct net_frame *f, const char **bad)
{
	struct net_part *part = &p->part[q];
	uint8_t hdr[SEGS][HDR_MAX];
	struct iovec vec[SEGS][NET_VEC_MAX];
	struct net_frame seg[SEGS];
	uint32_t at = 0;
	struct gso g;

	*bad = parse(f, &g);
	if (*bad)
		return true;
	if (part->active && net_frame_is(f, &part->key) && part->done < g.payload)
		at = part->done;
	part->active = false;
	do {
		unsigned n = 0, took;

		for (uint32_t next = at; n < SEGS && (next < g.payload || !next); n++) {
			*bad = make_seg(f, &g, p->peer_caps.offloads & NET_CAP_CSUM, next, hdr[n],
					vec[n], &seg[n]);
			if (*bad)
				return true;
			next += g.mss;
		}
		took = p->peer->ops->push(p->peer, q, seg, n);
		assert(took <= n);
		at += took * g.mss;
		if (took < n) {
			net_frame_key(f, &part->key);
			part->done = at;
			part->active = true;
			return false;
		}
	} while (at < g.payload);
	return true;
}

/* --- the batch ------------------------------------------------------------------------------ */

/* One frame that cannot go as it is. Returns false when it must wait. */
static bool push_one(struct net_port *p, unsigned q, const struct net_frame *f,
		     struct net_lost *lost)
{
	const char *bad = NULL;
	uint32_t need = net_need(&f->off);
	bool done;

	if (need & NET_NEED_BAD) {
		bad = "unknown GSO type";
		done = true;
	} else if (f->off.gso_type != NET_GSO_NONE) {
		done = push_gso(p, q, f, &bad);
	} else {
		done = push_csum(p, q, f, &bad);
	}
	if (bad) {
		p->part[q].active = false;
		net_drop(p, q, bad);
		lost->frames++;
		lost->bytes += f->len;
	}
	return done;
}

unsigned net_offload_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n,
			  struct net_lost *lost)
{
	const uint32_t caps = p->peer_caps.offloads;
	unsigned i = 0;

	/* The frame begun is the first, or it is gone (its sender was reset). */
	if (p->part[q].active) {
		if (!net_frame_is(&f[0], &p->part[q].key)) {
			p->part[q].active = false;
		} else if (!push_one(p, q, &f[i++], lost)) {
			return 0;
		}
	}
	while (i < n) {
		unsigned run = 0, took;

		while (i + run < n && !(net_need(&f[i + run].off) & ~caps))
			run++;
		if (run) {
			took = p->peer->ops->push(p->peer, q, f + i, run);
			assert(took <= run);
			i += took;
			if (took < run)
				return i;
		} else {
			if (!push_one(p, q, &f[i], lost))
				return i;
			i++;
		}
	}
	return i;
}
