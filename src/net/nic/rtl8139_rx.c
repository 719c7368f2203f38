/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RTL8139C+, peer to guest.
 *
 * C mode (section 5.4): one ring of bytes in memory, 8 to 64 KiB. CBR is where the card writes,
 * CAPR (less 16) where the driver reads. A packet is a word of status and length, the frame and
 * four bytes for the check sequence, up to a multiple of four. What goes over the end continues
 * at the start, or, with RCR.WRAP, simply goes on: the driver left room there.
 *
 * C+ mode (section 9.2.2): descriptors of buffers; a frame may fill several (FS … LS). The card
 * strips VLAN tags and tells whether checksums are right. Here the peer may borrow the buffers and
 * write frames there by itself; commit() stores them as push() would, only that what lies in its
 * place already is not copied.
 *
 * Nothing is lost because the guest is slow: without room the peer keeps its frames. In C mode CAPR
 * tells that there is room, however long that takes; a driver that has not read for half a second
 * is told of its packets once more. The chip has no such doorbell in C+ mode; drivers touch ISR or
 * IMR when they are done with a round, and we look then. A guest that touches nothing is looked at
 * by a timer at growing intervals, STALL_CHECKS times (half a second); after that it has its frames
 * dropped, as the chip does at once, until there is room.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/csum.h"
#include "base/iov.h"
#include "net/nic/rtl8139.h"
#include "net/prot.h"

#define STALL_CHECKS 9 /* 1 ms, 2 ms, 4 ms … */
#define ANY_ROOM     3 /* from this check on a single descriptor is room */
#define TAG	     4u

/* Status, as in the word before a packet of C mode */
#define RXS_ROK 0x0001u
#define RXS_BAR 0x2000u
#define RXS_PAM 0x4000u
#define RXS_MAR 0x8000u

/* Receive descriptor, section 9.2.2; status and size */
#define RXD_SIZE 0x1fffu
#define RXD_MAR	 0x04000000u
#define RXD_PAM	 0x02000000u
#define RXD_BAR	 0x01000000u
#define RXD_RES	 0x00100000u
#define RXD_TCP	 0x00010000u /* PID */
#define RXD_UDP	 0x00020000u
#define RXD_IP	 0x00030000u
#define RXD_IPF	 0x00008000u
#define RXD_UDPF 0x00004000u
#define RXD_TCPF 0x00002000u
#define RXD_TAVA 0x00010000u /* second word */

enum verdict { TAKEN, DROPPED, NO_ROOM };

static void add64(_Atomic uint64_t *c)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* --- filter --------------------------------------------------------------------------------- */

/* The upper six bits of the Ethernet CRC of an address, as MAR counts them (section 6.2). */
static unsigned mar_bit(const uint8_t mac[6])
{
	uint32_t crc = ~0u;

	for (unsigned i = 0; i < 6; i++) {
		for (unsigned b = 0; b < 8; b++) {
			uint32_t in = (crc >> 31) ^ (mac[i] >> b & 1);

			crc = crc << 1 ^ (in ? 0x04c11db7u : 0);
		}
	}
	return crc >> 26;
}

/* Which of RXS_BAR, PAM, MAR a frame is, 0 for another's address; *pass: does RCR let it in? */
static uint16_t classify(const struct rtl *n, const uint8_t dst[6], bool *pass)
{
	static const uint8_t bcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t mac[8];

	put_le64(mac, atomic_load(&n->mac));
	if (!memcmp(dst, bcast, 6)) {
		*pass = n->rcr & RCR_AB;
		return RXS_BAR;
	}
	if (dst[0] & 1) {
		*pass = n->rcr & RCR_AM && n->mar >> mar_bit(dst) & 1;
		return RXS_MAR;
	}
	if (!memcmp(dst, mac, 6)) {
		*pass = n->rcr & (RCR_APM | RCR_AAP);
		return RXS_PAM;
	}
	*pass = n->rcr & RCR_AAP;
	return 0;
}

static void count(struct rtl *n, uint16_t kind)
{
	add64(&n->tally.rx_ok);
	if (kind & RXS_PAM)
		add64(&n->tally.rx_phys);
	if (kind & RXS_BAR)
		add64(&n->tally.rx_bcast);
	if (kind & RXS_MAR)
		atomic_fetch_add_explicit(&n->tally.rx_mcast, 1, memory_order_relaxed);
}

/* --- C mode --------------------------------------------------------------------------------- */

static uint32_t used_bytes(const struct rtl *n, uint32_t size)
{
	return (atomic_load(&n->rx.cbr) - (atomic_load(&n->rx.capr) + 16u)) & (size - 1);
}

bool rtl_rx_empty(const struct rtl *n)
{
	return !used_bytes(n, RCR_RBLEN(n->rcr));
}

static const uint8_t zeros[RTL_ETH_MIN + RTL_CRC];

/* Copies a frame and zeros up to len bytes to dst. */
static void copy_padded(const struct iovec *dst, unsigned nd, size_t at, const struct net_frame *f,
			size_t from, uint32_t len)
{
	/* A lent frame may be shorter than its vectors. */
	size_t part = MIN((size_t)len, f->len - MIN(from, f->len));
	size_t got = iov_copy(dst, nd, at, f->vec + 1, f->nvec - 1, from, part);

	iov_write(dst, nd, at + got, zeros, MIN(len - got, sizeof(zeros)));
}

static enum verdict ring_put(struct rtl *n, const struct net_frame *f, uint16_t kind)
{
	struct rtl_rx *r = &n->rx;
	uint32_t size = RCR_RBLEN(n->rcr), len = MAX(f->len, RTL_ETH_MIN) + RTL_CRC;
	uint32_t need = 4 + (uint32_t)align_up(len, 4),
		 at = atomic_load(&r->cbr) & (size - 1) & ~3u;
	/* WRAP means nothing for the largest ring (section 6.11). */
	bool on = n->rcr & RCR_WRAP && size < 65536;
	struct iovec vec[2];
	uint8_t head[4];
	unsigned parts = 1;

	if (!n->rbstart) {
		rtl_drop(n, "the guest's driver is not ready");
		return DROPPED;
	}
	if (need >= size) {
		rtl_drop(n, "larger than the guest's receive buffer");
		return DROPPED;
	}
	/* Full to the last byte would look empty. */
	if (need >= size - used_bytes(n, size))
		return NO_ROOM;
	vec[0] = (struct iovec){mem_ptr(rtl_mem(n), (uint64_t)n->rbstart + at, need), need};
	if (!on && need > size - at) {
		vec[0].iov_len = size - at;
		vec[0].iov_base = mem_ptr(rtl_mem(n), (uint64_t)n->rbstart + at, size - at);
		vec[1].iov_base = mem_ptr(rtl_mem(n), n->rbstart, need - (size - at));
		vec[1].iov_len = need - (size - at);
		parts = 2;
	}
	if (!vec[0].iov_base || (parts == 2 && !vec[1].iov_base)) {
		rtl_raise(n, INT_SERR);
		rtl_drop(n, "receive buffer outside of memory");
		return DROPPED;
	}
	put_le16(head, RXS_ROK | kind);
	put_le16(head + 2, (uint16_t)len);
	copy_padded(vec, parts, 4, f, 0, len);
	iov_write(vec, parts, 0, head, 4);
	atomic_store(&r->cbr, (uint16_t)((at + need) & (size - 1)));
	return TAKEN;
}

/* --- C+ mode -------------------------------------------------------------------------------- */

static bool sum_right(uint32_t pseudo, const struct net_frame *f, uint32_t from, uint32_t len)
{
	uint32_t sum = csum_add_iov(0, f->vec + 1, f->nvec - 1, from, len);

	sum += pseudo;
	sum += sum < pseudo;
	return csum_fold(sum) == 0;
}

/* What the chip finds out about an IPv4 packet at l3; head: the frame's first bytes. */
static uint32_t check_sums(const struct net_frame *f, const uint8_t *head, uint32_t have,
			   uint32_t l3)
{
	const uint8_t *ip = head + l3;
	uint32_t ihl, total, src, dst, status;
	bool tcp, good;

	if (l3 + sizeof(struct ip4_hdr) > have || get_be16(ip - 2) != ETH_IP4)
		return 0;
	ihl = 4u * (ip[0] & 15);
	total = get_be16(ip + offsetof(struct ip4_hdr, len));
	if (ip[0] >> 4 != 4 || ihl < sizeof(struct ip4_hdr) || l3 + ihl > have || total < ihl ||
	    l3 + total > f->len)
		return 0;
	if (csum_fold(csum_add(0, ip, ihl)) != 0)
		return RXD_IP | RXD_IPF;
	tcp = ip[offsetof(struct ip4_hdr, proto)] == IP_TCP;
	if ((!tcp && ip[offsetof(struct ip4_hdr, proto)] != IP_UDP) ||
	    get_be16(ip + offsetof(struct ip4_hdr, frag)) & (IP4_MF | IP4_OFFMASK) ||
	    total - ihl < (tcp ? sizeof(struct tcp_hdr) : sizeof(struct udp_hdr)) ||
	    l3 + ihl + sizeof(struct udp_hdr) > have)
		return RXD_IP;
	status = tcp ? RXD_TCP : RXD_UDP;
	memcpy(&src, ip + offsetof(struct ip4_hdr, src), 4);
	memcpy(&dst, ip + offsetof(struct ip4_hdr, dst), 4);
	good = f->off.flags & NET_F_DATA_VALID ||
	       (!tcp && !get_be16(ip + ihl + offsetof(struct udp_hdr, csum))) ||
	       sum_right(csum_pseudo4(src, dst, tcp ? IP_TCP : IP_UDP, (uint16_t)(total - ihl)), f,
			 l3 + ihl, total - ihl);
	return good ? status : status | (tcp ? RXD_TCPF : RXD_UDPF);
}

/* The buffers that one frame goes to. */
struct bufs {
	unsigned n;
	uint32_t room;
	struct rtl_desc d[RTL_RING];
	struct iovec vec[RTL_RING];
};

/* Gives the collected descriptors to the driver, the first one last: that is the one it looks
 * at. */
static void give_back(struct rtl *n, struct bufs *b, uint32_t status, uint32_t tag)
{
	for (unsigned i = 0; i < b->n; i++)
		n->rx.cur = rtl_desc_next(&b->d[i], n->rx.cur);
	for (unsigned i = b->n; i-- > 0;) {
		uint32_t s = status | (b->d[i].cmd & DESC_EOR);

		if (i == 0)
			s |= DESC_FS;
		if (i == b->n - 1)
			s |= DESC_LS;
		put_le32(b->d[i].at + 4, tag);
		rtl_desc_done(&b->d[i], s);
	}
}

/* Collects descriptors for len bytes from *at on. *bad: a reason why they are of no use. */
static enum verdict collect(const struct rtl *n, unsigned *at, struct bufs *b, uint32_t len,
			    const char **bad)
{
	unsigned i = *at;

	*bad = NULL;
	b->n = b->room = 0;
	while (b->room < len && !*bad) {
		struct rtl_desc *d = &b->d[b->n];
		uint32_t size;
		bool own;

		if (b->n == RTL_RING || (b->n && i == n->rx.cur)) {
			*bad = "larger than all of the guest's receive buffers";
			return DROPPED;
		}
		if (!rtl_desc_read(n, n->rdsar, i, d, &own)) {
			if (d->at)
				return NO_ROOM;
			*bad = "receive descriptor outside of memory";
			b->n = 0;
			return DROPPED;
		}
		size = d->cmd & RXD_SIZE;
		b->vec[b->n].iov_base = mem_ptr(rtl_mem(n), d->addr, size);
		b->vec[b->n].iov_len = size;
		if (!size || !b->vec[b->n].iov_base)
			*bad = "receive buffer outside of memory, or of size 0";
		b->room += size;
		b->n++;
		i = rtl_desc_next(d, i);
	}
	*at = i;
	return *bad ? DROPPED : TAKEN;
}

/* Finds descriptors for the next frame, of len bytes. */
static enum verdict find_bufs(struct rtl *n, struct bufs *b, uint32_t len)
{
	unsigned at = n->rx.cur;
	const char *bad;
	enum verdict v = collect(n, &at, b, len, &bad);

	if (v != DROPPED)
		return v;
	rtl_drop(n, bad);
	if (!b->n) {
		rtl_raise(n, INT_SERR);
		return v;
	}
	give_back(n, b, RXD_RES, 0);
	atomic_fetch_add_explicit(&n->tally.rx_err, 1, memory_order_relaxed);
	rtl_raise(n, INT_RER);
	return v;
}

/* Do the first len bytes of the frame lie in the buffers? They were lent, then. */
static bool in_place(const struct bufs *b, const struct net_frame *f, uint32_t len)
{
	for (unsigned i = 0; i < b->n && len; i++) {
		uint32_t part = (uint32_t)MIN(b->vec[i].iov_len, len);

		if (i + 1 == f->nvec || f->vec[i + 1].iov_base != b->vec[i].iov_base ||
		    f->vec[i + 1].iov_len < part)
			return false;
		len -= part;
	}
	return !len;
}

static uint32_t kind_bits(uint16_t kind)
{
	return kind & RXS_BAR ? RXD_BAR : kind & RXS_MAR ? RXD_MAR : kind & RXS_PAM ? RXD_PAM : 0;
}

static enum verdict desc_put(struct rtl *n, const struct net_frame *f, uint16_t kind)
{
	uint32_t status = kind_bits(kind), tag = 0, cut = 0, l3 = ETH_HDR, len;
	uint8_t head[128];
	uint32_t have = (uint32_t)iov_read(f->vec + 1, f->nvec - 1, 0, head, sizeof(head));
	struct bufs b;
	enum verdict v;

	if (!n->rdsar) {
		rtl_drop(n, "the guest's driver is not ready");
		return DROPPED;
	}
	if (have >= ETH_HDR + TAG && get_be16(head + 12) == ETH_VLAN) {
		l3 += TAG;
		if (n->cpcr & CPCR_VLAN) {
			tag = RXD_TAVA | get_le16(head + 14); /* in network order */
			cut = TAG;
		}
	}
	len = MAX(f->len - cut, RTL_ETH_MIN) + RTL_CRC;
	if (len > RXD_SIZE) {
		rtl_drop(n, "longer than a descriptor can tell");
		return DROPPED;
	}
	v = find_bufs(n, &b, len);
	if (v != TAKEN)
		return v;
	if (n->cpcr & CPCR_CSUM)
		status |= check_sums(f, head, have, l3);
	if (!cut && in_place(&b, f, f->len)) {
		iov_write(b.vec, b.n, f->len, zeros, len - f->len);
	} else {
		iov_copy(b.vec, b.n, 0, f->vec + 1, f->nvec - 1, 0, 12);
		copy_padded(b.vec, b.n, 12, f, 12 + cut, len - 12);
	}
	give_back(n, &b, status | len, tag);
	return TAKEN;
}

/* --- the port ------------------------------------------------------------------------------- */

static bool receiving(const struct rtl *n)
{
	return n->cr & CR_RE && pci_master(&n->pci);
}

/* Has the guest made room? Which size of frame will come is not known: any will do. */
static bool has_room(struct rtl *n)
{
	struct rtl_desc d;
	bool own;

	if (!receiving(n))
		return true; /* to be dropped */
	if (n->cpcr & CPCR_RXON)
		return rtl_desc_read(n, n->rdsar, n->rx.cur, &d, &own) || !d.at;
	return rtl_rx_worth(n);
}

bool rtl_rx_worth(const struct rtl *n)
{
	const uint8_t *half = atomic_load(&n->rx.half);

	if (n->cpcr & CPCR_RXON && receiving(n))
		return !half || le32toh(__atomic_load_n((const uint32_t *)(const void *)half,
							__ATOMIC_ACQUIRE)) &
					DESC_OWN;
	return !receiving(n) || used_bytes(n, RCR_RBLEN(n->rcr)) <= RCR_RBLEN(n->rcr) / 2;
}

/*
 * Drivers give descriptors back one by one and touch registers meanwhile (Linux: each 16 frames).
 * To go on at once would wake the loop for a few frames again and again; so it waits until the
 * driver has emptied half of the ring, which is filled again while the driver goes on with the
 * other half.
 */
static void mark_half(struct rtl *n)
{
	const uint8_t *at[RTL_RING];
	unsigned i = n->rx.cur, k = 0;
	struct rtl_desc d;
	bool own;

	if (!(n->cpcr & CPCR_RXON))
		return;
	do {
		(void)rtl_desc_read(n, n->rdsar, i, &d, &own);
		at[k++] = d.at;
		i = d.at ? rtl_desc_next(&d, i) : n->rx.cur;
	} while (k < RTL_RING && i != n->rx.cur);
	atomic_store(&n->rx.half, at[(k - 1) / 2]);
}

static void lost(struct rtl *n)
{
	atomic_fetch_add_explicit(&n->rx.missed, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&n->tally.missed, 1, memory_order_relaxed);
	rtl_raise(n, n->cpcr & CPCR_RXON ? INT_RXOVW | INT_FOVW : INT_RXOVW);
	rtl_drop(n, "no receive buffers for too long");
}

static void check_later(struct rtl *n)
{
	struct loop *l = rtl_loop(n);

	if (!l || n->rx.checking)
		return;
	n->rx.checking = true;
	loop_timer_set(l, &n->rx.timer, loop_now(l) + (NS_PER_MS << n->rx.checks));
}

static enum verdict take_one(struct rtl *n, const struct net_frame *f)
{
	uint8_t dst[6] = {0};
	enum verdict v;
	uint16_t kind;
	bool pass;

	if (!receiving(n)) {
		rtl_drop(n, "the guest's receiver is off");
		return DROPPED;
	}
	iov_read(f->vec + 1, f->nvec - 1, 0, dst, sizeof(dst));
	kind = classify(n, dst, &pass);
	if (!pass) {
		rtl_drop(n, "not for this card: receive filter");
		return DROPPED;
	}
	v = n->cpcr & CPCR_RXON ? desc_put(n, f, kind) : ring_put(n, f, kind);
	if (v == TAKEN) {
		count(n, kind);
		n->rx.checks = 0;
		if (n->rx.dropping) {
			/* The peer is in push(): it hears of lending later. */
			n->rx.dropping = false;
			check_later(n);
		}
		atomic_store(&n->rx.erbcr, (uint16_t)f->len);
	}
	return v;
}

/* Takes a frame or sees to it that we hear of room. */
static enum verdict take(struct rtl *n, const struct net_frame *f)
{
	enum verdict v = take_one(n, f);

	if (v != NO_ROOM)
		return v;
	if (n->rx.dropping || rtl_loopback(n)) {
		lost(n);
		return DROPPED;
	}
	if (!n->rx.stalled) {
		mark_half(n);
		n->rx.stalled = true;
		/* Room that was made just now came without a kick. */
		v = take_one(n, f);
		if (v != NO_ROOM) {
			n->rx.stalled = false;
			return v;
		}
		if (n->cpcr & CPCR_RXON)
			rtl_raise(n, INT_RXOVW);
	}
	check_later(n);
	return NO_ROOM;
}

static void tell(struct rtl *n)
{
	/* Section 6.6: whole packets, all good; nothing comes early here. */
	atomic_fetch_or(&n->rx.ersr, 0x08);
	rtl_page_fresh(n);
	rtl_raise(n, INT_ROK);
}

unsigned rtl_rx_take(struct rtl *n, struct net_frame *f, unsigned nf)
{
	bool got = false;
	unsigned i = 0;

	for (; i < nf; i++) {
		enum verdict v = take(n, &f[i]);

		if (v == NO_ROOM)
			break;
		got |= v == TAKEN;
	}
	if (got)
		tell(n);
	return i;
}

unsigned rtl_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned nf)
{
	struct rtl *n = rtl_of_port(p);

	(void)q;
	if (!rtl_loopback(n))
		return rtl_rx_take(n, f, nf);
	for (unsigned i = 0; i < nf; i++)
		rtl_drop(n, "the card is in loopback mode");
	return nf;
}

/* --- lending -------------------------------------------------------------------------------- */

static unsigned lend_slots(struct rtl *n, uint32_t want, struct net_slot *s, unsigned ns)
{
	struct iovec *vec = n->rx.lend_vec;
	unsigned at = n->rx.cur, i = 0;
	const char *bad;
	struct bufs b;

	for (; i < ns && (!i || at != n->rx.cur); i++) {
		if ((i ? collect(n, &at, &b, want, &bad) : find_bufs(n, &b, want)) != TAKEN)
			break;
		if (!i)
			for (unsigned k = 0; k < b.n; k++)
				at = rtl_desc_next(&b.d[k], at);
		memcpy(vec + 1, b.vec, b.n * sizeof(*vec));
		s[i].cookie = 0;
		s[i].f = (struct net_frame){.vec = vec, .nvec = b.n + 1, .len = b.room};
		/* The frame's end is kept for the CRC; a whole frame is in fewer bytes than
		 * RXD_SIZE. */
		for (uint32_t cut = RTL_CRC; cut;) {
			uint32_t part = (uint32_t)MIN(vec[s[i].f.nvec - 1].iov_len, cut);

			vec[s[i].f.nvec - 1].iov_len -= part;
			s[i].f.nvec -= !vec[s[i].f.nvec - 1].iov_len;
			s[i].f.len -= part;
			cut -= part;
		}
		vec += RTL_RING + 1;
	}
	return i;
}

/* Lends what there is, or sees to it that we hear of room. */
static unsigned lend(struct rtl *n, uint32_t want, struct net_slot *s, unsigned ns)
{
	unsigned i = lend_slots(n, want, s, ns);

	if (i || n->rx.stalled)
		return i;
	mark_half(n);
	n->rx.stalled = true;
	/* Room that was made just now came without a kick. */
	i = lend_slots(n, want, s, ns);
	n->rx.stalled = !i;
	if (!i)
		rtl_raise(n, INT_RXOVW);
	return i;
}

unsigned rtl_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s, unsigned ns)
{
	struct rtl *n = rtl_of_port(p);

	(void)q;
	if (n->rx.lent)
		return 0;
	if (n->rx.lends)
		n->rx.lent = lend(n, MAX(MIN(room, RXD_SIZE - RTL_CRC), RTL_ETH_MIN) + RTL_CRC, s,
				  MIN(ns, NET_BATCH));
	if (!n->rx.lent) {
		n->rx.stalled = true;
		check_later(n);
	}
	return n->rx.lent;
}

void rtl_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned ns)
{
	struct rtl *n = rtl_of_port(p);
	unsigned lent = n->rx.lent;
	bool got = false;

	(void)q;
	n->rx.lent = 0;
	for (unsigned i = 0; i < lent && i < ns && s[i].f.len; i++) {
		enum verdict v = take_one(n, &s[i].f);

		/* Descriptors are read again: the driver may have written to them meanwhile. */
		if (v == NO_ROOM)
			rtl_drop(n, "the guest took its receive buffers away");
		got |= v == TAKEN;
	}
	if (got)
		tell(n);
}

/* Whether the peer may borrow buffers follows the mode. A receiver that is off, and one that has
 * waited in vain, is to drop frames: there the peer shall push. */
static void mode_changed(struct rtl *n)
{
	bool lends = receiving(n) && n->cpcr & CPCR_RXON && !rtl_loopback(n) && !n->rx.dropping;

	if (lends == n->rx.lends)
		return;
	n->rx.lends = lends;
	if (rtl_on_wire(n))
		net_caps_changed(&n->nic.port);
}

/* --- room again ----------------------------------------------------------------------------- */

static void go_on(struct rtl *n)
{
	n->rx.stalled = false;
	if (rtl_on_wire(n))
		net_resume(&n->nic.port, 0);
}

void rtl_rx_kicked(struct rtl *n)
{
	mode_changed(n);
	if (n->rx.stalled && rtl_rx_worth(n))
		go_on(n);
}

static void look(struct loop_timer *t)
{
	struct rtl *n = container_of(t, struct rtl, rx.timer);

	n->rx.checking = false;
	mode_changed(n);
	if (!n->rx.stalled)
		return;
	if (n->rx.checks < STALL_CHECKS)
		n->rx.checks++;
	if (n->rx.checks == STALL_CHECKS && !(n->cpcr & CPCR_RXON)) {
		rtl_raise(n, INT_ROK);
		return;
	}
	n->rx.dropping = n->rx.checks == STALL_CHECKS;
	mode_changed(n);
	if (n->rx.dropping || (n->rx.checks < ANY_ROOM ? rtl_rx_worth(n) : has_room(n)))
		go_on(n);
	else
		check_later(n);
}

void rtl_rx_rewind(struct rtl *n)
{
	n->rx.cur = 0;
	atomic_store(&n->rx.half, NULL);
	atomic_store(&n->rx.cbr, 0);
	atomic_store(&n->rx.capr, 0xfff0);
}

void rtl_rx_forget(struct rtl *n, struct loop *l)
{
	n->rx.stalled = n->rx.dropping = n->rx.checking = false;
	n->rx.checks = 0;
	if (l)
		loop_timer_del(l, &n->rx.timer);
}

int rtl_rx_init(struct rtl_rx *r)
{
	r->timer.fn = look;
	atomic_store(&r->capr, 0xfff0);
	r->lend_vec = calloc((size_t)NET_BATCH * (RTL_RING + 1), sizeof(*r->lend_vec));
	return r->lend_vec ? 0 : -ENOMEM;
}

void rtl_rx_exit(struct rtl_rx *r)
{
	free(r->lend_vec);
}
