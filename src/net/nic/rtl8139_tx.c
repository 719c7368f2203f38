/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RTL8139C+, guest to peer.
 *
 * C mode (section 6.3): four slots of a status (TSD) and an address (TSAD) register, one flat
 * frame each, sent in turn. The driver starts a slot by writing TSD with OWN clear; it gets OWN
 * and TOK back. C+ mode (section 9.2.1): a ring of descriptors in memory, several to a frame
 * (FS … LS), announced through TPPoll; the driver gets OWN cleared.
 *
 * In both, what stands ready makes one batch whose frames point into guest memory, one net_push()
 * hands it over, and the status of what was taken is written with one interrupt. A peer without
 * room leaves the rest where it is, until its resume(). Frames with a task for the chip (checksum,
 * large send, VLAN tag) have their headers copied once and corrected in the copy; the large frame
 * leaves as one, and so does the request to checksum it.
 *
 * A frame that cannot be sent (memory that is not there, sizes out of reason, pieces that are no
 * frame) is completed with an error and counted; it ends the batch before it so that the order
 * stays. At most ROUNDS batches run before other work has its turn.
 */
#include "base/csum.h"
#include "base/iov.h"
#include "net/nic/lso.h"
#include "net/nic/rtl8139.h"
#include "net/prot.h"

#define ROUNDS 4
#define TAG    4u /* bytes of a VLAN tag */

/* Transmit descriptor, section 9.2.1 */
#define TXD_LGSEN  0x08000000u
#define TXD_MSS(c) ((uint16_t)((c) >> 16 & 0x7ff)) /* with LGSEN */
#define TXD_IPCS   0x00040000u			   /* without */
#define TXD_UDPCS  0x00020000u
#define TXD_TCPCS  0x00010000u
#define TXD_CSUM   (TXD_IPCS | TXD_UDPCS | TXD_TCPCS)
#define TXD_LEN	   0x0000ffffu
#define TXD_TAGC   0x00020000u /* second word */
/* Status */
#define TXD_KEEP (DESC_EOR | DESC_FS | DESC_LS | TXD_LEN)
#define TXD_TES	 0x00800000u

/* A packet as it lies in the ring or slot. */
struct pkt {
	struct rtl_desc *desc; /* its first, in the batch's array */
	unsigned n;	       /* descriptors */
	uint32_t len;	       /* bytes, without a tag to be inserted */
	unsigned nfrag;
	struct iovec frag[RTL_RING];
	const char *bad; /* why it cannot be sent */
};

static void add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* Counts a frame that cannot be sent; after the driver got its descriptors back. */
static void failed(struct rtl *n, const char *why)
{
	struct rtl_tally *t = &n->tally;

	add(&t->tx_err, 1);
	atomic_fetch_add_explicit(&t->tx_abort, 1, memory_order_relaxed);
	rtl_drop(n, why);
	rtl_raise(n, INT_TER);
}

/* --- what the chip does to a frame ---------------------------------------------------------- */

struct hdr {
	uint8_t *b;
	uint32_t len, l3, l4; /* l4 0: no TCP or UDP in here */
	uint32_t total;	      /* of the IP packet, from l3 on */
	bool tcp;
};

/* Finds the headers of an IPv4 packet in the first h->len bytes of a frame; cuts h->len to them.
 * False: it is something else. */
static bool find_headers(struct hdr *h)
{
	const uint8_t *ip;
	uint32_t ihl, end;

	h->l3 = ETH_HDR;
	if (h->len >= ETH_HDR + TAG && get_be16(h->b + 12) == ETH_VLAN)
		h->l3 += TAG;
	if (h->l3 + sizeof(struct ip4_hdr) > h->len || get_be16(h->b + h->l3 - 2) != ETH_IP4)
		return false;
	ip = h->b + h->l3;
	ihl = 4u * (ip[0] & 15);
	h->total = get_be16(ip + offsetof(struct ip4_hdr, len));
	if (ip[0] >> 4 != 4 || ihl < sizeof(struct ip4_hdr) || h->l3 + ihl > h->len)
		return false;
	end = h->l3 + ihl;
	h->l4 = 0;
	if (!(get_be16(ip + offsetof(struct ip4_hdr, frag)) & (IP4_MF | IP4_OFFMASK))) {
		uint8_t proto = ip[offsetof(struct ip4_hdr, proto)];

		h->tcp = proto == IP_TCP;
		if (h->tcp && end + sizeof(struct tcp_hdr) <= h->len) {
			h->l4 = end;
			end += 4u * (h->b[end + offsetof(struct tcp_hdr, off)] >> 4);
		} else if (proto == IP_UDP) {
			h->l4 = end;
			end += sizeof(struct udp_hdr);
		}
	}
	if (end > h->len)
		return false;
	h->len = end;
	return true;
}

static void ip_csum(const struct hdr *h)
{
	uint8_t *ip = h->b + h->l3;
	uint16_t c;

	memset(ip + offsetof(struct ip4_hdr, csum), 0, 2);
	c = csum_fold(csum_add(0, ip, 4u * (ip[0] & 15)));
	memcpy(ip + offsetof(struct ip4_hdr, csum), &c, 2);
}

/*
 * Applies what cmd asks for to the headers in h, behind which `rest` bytes of the frame follow.
 * Fills f->off and cuts *rest when padding follows the packet: a checksum goes to the frame's
 * end. Returns NULL, or why the frame cannot be sent.
 */
static const char *offload(struct hdr *h, uint32_t cmd, uint32_t *rest, struct net_frame *f)
{
	uint32_t all = h->len + *rest;
	bool ip = find_headers(h);

	*rest = all - h->len;
	if (cmd & TXD_LGSEN) {
		if (!ip || !h->l4 || !h->tcp || !TXD_MSS(cmd) ||
		    lso_frame(h->b, h->len, h->l3, h->l4, *rest, TXD_MSS(cmd), true, &f->off) < 0)
			return "large send of what is no TCP/IPv4 packet";
		return NULL;
	}
	/* Like the chip: where there is nothing to do, nothing is done. */
	if (!ip)
		return NULL;
	if (cmd & TXD_IPCS)
		ip_csum(h);
	if (!h->l4 || !(cmd & (h->tcp ? TXD_TCPCS : TXD_UDPCS)) || h->l3 + h->total < h->len ||
	    h->l3 + h->total > all)
		return NULL;
	*rest = h->l3 + h->total - h->len;
	if (lso_frame(h->b, h->len, h->l3, h->l4, *rest, 0, h->tcp, &f->off) < 0)
		return "checksum of what is no TCP or UDP packet";
	return NULL;
}

/* Makes frame f of packet p; vec has room for p->nfrag + 2 entries. */
static const char *make_frame(const struct pkt *p, struct net_frame *f, struct iovec *vec,
			      uint8_t *copy)
{
	uint32_t cmd = p->desc ? p->desc->cmd : 0, tag = p->desc ? p->desc->tag : 0;
	uint32_t tag_len = tag & TXD_TAGC ? TAG : 0, rest;
	bool task = cmd & TXD_LGSEN || cmd & TXD_CSUM;
	struct hdr h = {.b = copy};
	const char *bad = NULL;

	*f = (struct net_frame){.vec = vec, .nvec = p->nfrag + 1, .len = p->len};
	if (p->len < ETH_HDR)
		return "shorter than an Ethernet header";
	if (p->len + tag_len > NET_FRAME_MAX)
		return "longer than any frame";
	if (!tag_len && !task) {
		memcpy(vec + 1, p->frag, p->nfrag * sizeof(*vec));
		return NULL;
	}
	h.len = MIN(p->len, task ? RTL_HDR_MAX - TAG : 12u);
	iov_read(p->frag, p->nfrag, 0, copy, h.len);
	if (tag_len) {
		memmove(copy + 12 + TAG, copy + 12, h.len - 12);
		put_be16(copy + 12, ETH_VLAN);
		put_le16(copy + 14, (uint16_t)tag); /* network order in the descriptor */
		h.len += TAG;
	}
	rest = p->len + tag_len - h.len;
	if (task)
		bad = offload(&h, cmd, &rest, f);
	vec[1] = (struct iovec){copy, h.len};
	f->len = h.len + rest;
	f->nvec = 2 + iov_slice(p->frag, p->nfrag, h.len - tag_len, rest, vec + 2, p->nfrag, NULL);
	return bad;
}

/* --- handing over --------------------------------------------------------------------------- */

/* Sends the batch's first `frames` frames back to ourselves. A frame that we have no room for is
 * lost, as on the chip. */
static void loop_back(struct rtl *n, unsigned frames)
{
	for (unsigned i = 0; i < frames; i++) {
		struct net_frame *f = &n->tx.frame[i];
		struct iovec vec[2] = {{0}, {n->tx.bounce, f->len}};
		struct net_frame flat = {.vec = vec, .nvec = 2, .len = f->len};
		uint32_t start = f->off.csum_start, at = start + f->off.csum_offset;

		if (f->off.gso_type != NET_GSO_NONE) {
			rtl_drop(n, "a large send in loopback mode");
			continue;
		}
		iov_read(f->vec + 1, f->nvec - 1, 0, n->tx.bounce, f->len);
		if (f->off.flags & NET_F_NEEDS_CSUM) {
			uint16_t c = csum_fold(csum_add(0, n->tx.bounce + start, f->len - start));

			c = c ? c : 0xffff;
			memcpy(n->tx.bounce + at, &c, sizeof(c));
		}
		if (!rtl_rx_take(n, &flat, 1))
			rtl_drop(n, "no room in loopback mode");
	}
}

/* Returns how many of the batch are done with. */
static unsigned hand_over(struct rtl *n, unsigned frames)
{
	unsigned sent = frames;

	if (rtl_loopback(n))
		loop_back(n, frames);
	else if (rtl_on_wire(n))
		sent = net_push(&n->nic.port, 0, n->tx.frame, frames);
	n->tx.stalled = sent < frames;
	return sent;
}

/* The driver got back what `sent` frames were in. */
static bool completed(struct rtl *n, unsigned sent)
{
	if (sent) {
		add(&n->tally.tx_ok, sent);
		rtl_raise(n, INT_TOK);
	}
	return !n->tx.stalled;
}

/* --- C mode --------------------------------------------------------------------------------- */

/* The status changes only if the driver has not written it meanwhile. */
static void slot_done(struct rtl_tx *t, unsigned slot, uint32_t was, uint32_t bits)
{
	atomic_compare_exchange_strong(&t->tsd[slot], &was, (was & TSD_WRITE) | TSD_OWN | bits);
}

static bool slots_batch(struct rtl *n)
{
	struct rtl_tx *t = &n->tx;
	uint32_t tsd[RTL_TX_SLOTS] = {0};
	unsigned frames = 0, sent;
	const char *bad = NULL;

	for (unsigned s = t->slot; frames < RTL_TX_SLOTS; s = (s + 1) % RTL_TX_SLOTS) {
		struct pkt p = {.nfrag = 1};
		void *host;

		tsd[frames] = atomic_load(&t->tsd[s]);
		if (tsd[frames] & TSD_OWN)
			break;
		p.len = tsd[frames] & TSD_SIZE;
		host = mem_ptr(rtl_mem(n), atomic_load(&t->tsad[s]), p.len);
		/* With TCR.CRC the driver's own check sequence is at the end; a wire here has
		 * none. */
		if (n->tcr & TCR_CRC && p.len > RTL_CRC)
			p.len -= RTL_CRC;
		p.frag[0] = (struct iovec){host, p.len};
		bad = host ? make_frame(&p, &t->frame[frames], &t->vec[2 * frames], t->hdr[frames])
			   : "transmit buffer outside of memory";
		if (bad)
			break;
		frames++;
	}
	if (!frames && bad) {
		slot_done(t, t->slot, tsd[0], TSD_TABT);
		t->slot = (t->slot + 1) % RTL_TX_SLOTS;
		failed(n, bad);
		return true;
	}
	if (!frames)
		return false;
	sent = hand_over(n, frames);
	for (unsigned i = 0; i < sent; i++) {
		slot_done(t, t->slot, tsd[i], TSD_TOK);
		t->slot = (t->slot + 1) % RTL_TX_SLOTS;
	}
	return completed(n, sent);
}

/* --- C+ mode -------------------------------------------------------------------------------- */

bool rtl_desc_read(const struct rtl *n, uint64_t base, unsigned i, struct rtl_desc *d, bool *own)
{
	/* Rings begin at multiples of 256 (section 6.32). */
	d->at = mem_ptr(rtl_mem(n), (base & ~255ull) + 16ull * i, 16);
	*own = false;
	if (!d->at)
		return false;
	d->cmd = le32toh(__atomic_load_n((const uint32_t *)(void *)d->at, __ATOMIC_ACQUIRE));
	d->tag = get_le32(d->at + 4);
	d->addr = get_le64(d->at + 8);
	*own = d->cmd & DESC_OWN;
	return *own;
}

/*
 * Collects the packet at descriptor `i` in p->desc[0 … room - 1]. Returns the index behind it, or
 * -1 when there is no complete one yet. p->bad: it must be thrown away.
 */
static int collect(struct rtl *n, uint64_t base, unsigned i, unsigned room, struct pkt *p)
{
	bool own, last;

	p->n = p->nfrag = p->len = 0;
	p->bad = NULL;
	do {
		struct rtl_desc *d = &p->desc[p->n];
		uint32_t len;

		if (p->n == room) {
			p->bad = "a frame of more descriptors than a ring has";
			break;
		}
		if (!rtl_desc_read(n, base, i, d, &own)) {
			if (!d->at)
				rtl_raise(n, INT_SERR);
			return -1;
		}
		if (!p->n != !!(d->cmd & DESC_FS)) {
			p->bad = "a descriptor out of place";
			/* A new frame begins here: what was before it is thrown away. */
			if (p->n)
				break;
		}
		len = d->cmd & TXD_LEN;
		p->n++;
		p->len += len;
		last = d->cmd & DESC_LS;
		i = rtl_desc_next(d, i);
		if (!len)
			continue;
		p->frag[p->nfrag].iov_base = mem_ptr(rtl_mem(n), d->addr, len);
		p->frag[p->nfrag].iov_len = len;
		if (!p->frag[p->nfrag++].iov_base)
			p->bad = "transmit buffer outside of memory";
	} while (!last);
	return (int)i;
}

static void give_back(struct rtl *n, unsigned ring, const struct rtl_desc *d, unsigned count,
		      uint32_t bits)
{
	for (unsigned i = 0; i < count; i++) {
		n->tx.cur[ring] = rtl_desc_next(&d[i], n->tx.cur[ring]);
		/* The fields of the task lie where errors would. */
		rtl_desc_done(&d[i], (d[i].cmd & TXD_KEEP) | bits);
	}
}

static bool ring_batch(struct rtl *n, unsigned ring)
{
	struct rtl_tx *t = &n->tx;
	uint64_t base = (uint64_t)atomic_load(&t->tsad[2 * ring + 1]) << 32 |
			atomic_load(&t->tsad[2 * ring]);
	unsigned frames = 0, used = 0, vecs = 0, sent, done = 0;
	struct pkt p;
	int at = (int)t->cur[ring], next;

	if (!base)
		return false;
	/* No descriptor comes twice: once round is RTL_RING at most, or less with EOR. */
	while (frames < NET_BATCH && used < RTL_RING && (!used || at != (int)t->cur[ring])) {
		p.desc = &t->desc[used];
		next = collect(n, base, (unsigned)at, RTL_RING - used, &p);
		if (next < 0)
			break;
		if (!p.bad)
			p.bad = make_frame(&p, &t->frame[frames], &t->vec[vecs], t->hdr[frames]);
		if (p.bad && !frames) {
			give_back(n, ring, p.desc, p.n, TXD_TES);
			failed(n, p.bad);
			return true;
		}
		if (p.bad)
			break;
		vecs += p.nfrag + 2;
		t->ndesc[frames++] = (uint8_t)p.n;
		used += p.n;
		at = next;
	}
	if (!frames)
		return false;
	sent = hand_over(n, frames);
	for (unsigned i = 0; i < sent; i++) {
		give_back(n, ring, &t->desc[done], t->ndesc[i], 0);
		done += t->ndesc[i];
	}
	return completed(n, sent);
}

/* --- running -------------------------------------------------------------------------------- */

/* One batch. Returns false when there is nothing more to do now. */
static bool tx_batch(struct rtl *n)
{
	if (!(n->cr & CR_TE) || !pci_master(&n->pci))
		return false;
	if (!(n->cpcr & CPCR_TXON))
		return slots_batch(n);
	if (atomic_load(&n->tx.high)) {
		if (ring_batch(n, 1))
			return true;
		if (n->tx.stalled)
			return false;
		atomic_store(&n->tx.high, false);
		/* Polled again after we had looked. */
		if (ring_batch(n, 1))
			return true;
		if (n->tx.stalled)
			atomic_store(&n->tx.high, true);
	}
	return !n->tx.stalled && ring_batch(n, 0);
}

void rtl_tx_run(struct rtl *n)
{
	struct rtl_tx *t = &n->tx;
	bool sent = false;

	if (t->busy || t->stalled)
		return;
	t->busy = true;
	for (unsigned round = 0;; round++) {
		if (round == ROUNDS && rtl_on_wire(n)) {
			loop_defer(rtl_loop(n), &t->more);
			sent = false;
			break;
		}
		if (round < ROUNDS && tx_batch(n)) {
			sent = true;
			continue;
		}
		if (!t->stalled || !t->again)
			break;
		t->again = t->stalled = false;
	}
	/* Section 6.9: the next descriptor is not ours. */
	if (sent && !t->stalled && n->cpcr & CPCR_TXON)
		rtl_raise(n, INT_TDU);
	t->again = false;
	t->busy = false;
}

static void run_more(struct loop_task *task)
{
	rtl_tx_run(container_of(task, struct rtl, tx.more));
}

void rtl_tx_resume(struct rtl *n)
{
	if (n->tx.busy) {
		n->tx.again = true;
		return;
	}
	n->tx.stalled = false;
	rtl_tx_run(n);
}

void rtl_tx_forget(struct rtl *n, struct loop *l)
{
	n->tx.stalled = false;
	if (l)
		loop_undefer(l, &n->tx.more);
}

void rtl_tx_init(struct rtl_tx *t)
{
	t->more.fn = run_more;
	for (unsigned i = 0; i < RTL_TX_SLOTS; i++)
		atomic_store(&t->tsd[i], TSD_OWN);
}
