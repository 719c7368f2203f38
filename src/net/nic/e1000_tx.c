/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000, guest to peer (SDM 3.3, 3.4, 3.5).
 *
 * The ring is read from our head to the driver's tail. Descriptors up to one with EOP make a
 * frame whose entries point straight into guest memory; up to NET_BATCH frames go to the peer
 * with one net_push(). Checksums and segmentation become a struct net_offload: the peer (or the
 * software offload in net_push()) does them. Headers are copied, once, only where something must
 * be written into them: a VLAN tag, the headers of a segmented frame (lso.h), a checksum over
 * less than the rest of the frame.
 *
 * Done bits are written back when the peer has taken the frame, with one interrupt per batch. A
 * peer without room takes only the first few: head and contexts go back to where the next one
 * begins, and nothing happens until the peer's resume().
 *
 * A frame that makes no sense is dropped, counted, and reported done: the driver goes on.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/util.h"
#include "net/nic/e1000.h"
#include "net/nic/lso.h"
#include "net/prot.h"

#define ROUNDS	   4		     /* batches before other work on this loop has its turn */
#define SPARE	   2u		     /* entries in front of a frame's: the peer's and a header's */
#define PIECES	   (NET_VEC_MAX - 2) /* of guest memory; a header and padding may come */
#define FRAME_VECS (SPARE + PIECES + 1)
#define VECS	   (NET_BATCH * 20u + FRAME_VECS)
#define DESCS_MAX  2048u /* of one frame; a driver that needs more is none */
#define VLAN_AT	   12u
#define VLAN_LEN   4u

static const uint8_t zeros[60];

/* A packet while its descriptors are read. */
struct packet {
	struct iovec *vec; /* entries; SPARE in front of them */
	unsigned nvec;
	uint32_t len, descs;
	bool begun, flat; /* flat: it is in t->bounce */
	const char *bad;
	/* of the first data descriptor */
	bool legacy, tse;
	uint8_t popts;
	/* of the last */
	uint8_t cmd, css, cso;
	uint16_t vlan;
};

enum scan {
	SCAN_FRAME, /* a whole packet */
	SCAN_BAD,   /* a packet to be dropped */
	SCAN_NONE,  /* no more; contexts may have been read */
	SCAN_PART,  /* the rest is not there yet */
	SCAN_FULL,  /* no room in this batch */
};

static void read_desc(const struct e1000_tx *t, uint32_t i, uint64_t d[2])
{
	memcpy(d, t->ring.base + (size_t)i * E1000_DESC, E1000_DESC);
	d[0] = le64toh(d[0]);
	d[1] = le64toh(d[1]);
}

/* SDM 3.3.6 */
static void read_context(struct e1000_tx *t, const uint64_t d[2])
{
	uint8_t cmd = (uint8_t)(d[1] >> 24);

	t->ctx[!!(cmd & TXD_TSE)] = (struct e1000_ctx){
		.ipcss = (uint8_t)d[0],
		.ipcso = (uint8_t)(d[0] >> 8),
		.ipcse = (uint16_t)(d[0] >> 16),
		.tucss = (uint8_t)(d[0] >> 32),
		.tucso = (uint8_t)(d[0] >> 40),
		.tucse = (uint16_t)(d[0] >> 48),
		.cmd = cmd,
		.hdr_len = (uint8_t)(d[1] >> 40),
		.mss = (uint16_t)(d[1] >> 48),
	};
}

/* Adds a piece of guest memory. False: the bounce buffer is taken by an earlier frame. */
static bool add_piece(struct e1000_tx *t, struct packet *p, uint64_t addr, uint32_t len,
		      bool *bounced)
{
	void *at;

	if (!len || p->bad)
		return true;
	at = mem_ptr(e1000_mem(t->n), addr, len);
	if (!at)
		p->bad = "transmit buffer outside of memory";
	else if (len > NET_FRAME_MAX || p->len + len > NET_FRAME_MAX)
		p->bad = "longer than any frame";
	if (p->bad)
		return true;
	if (!p->flat && p->nvec == PIECES) {
		if (*bounced)
			return false;
		*bounced = p->flat = true;
		iov_read(p->vec, p->nvec, 0, t->bounce, p->len);
		p->vec[0] = (struct iovec){t->bounce, p->len};
		p->nvec = 1;
	}
	if (p->flat) {
		memcpy(t->bounce + p->len, at, len);
		p->vec[0].iov_len += len;
	} else {
		p->vec[p->nvec++] = (struct iovec){at, len};
	}
	p->len += len;
	return true;
}

/* SDM 3.3.3, 3.3.7 */
static bool read_data(struct e1000_tx *t, struct packet *p, const uint64_t d[2], bool *bounced)
{
	uint8_t cmd = (uint8_t)(d[1] >> 24);
	bool legacy = !(cmd & TXD_DEXT);

	if (!p->begun) {
		p->begun = true;
		p->legacy = legacy;
		p->tse = !legacy && cmd & TXD_TSE;
		p->popts = legacy ? 0 : (uint8_t)(d[1] >> 40);
	}
	p->cmd = cmd;
	p->vlan = (uint16_t)(d[1] >> 48);
	if (legacy) {
		p->cso = (uint8_t)(d[1] >> 16);
		p->css = (uint8_t)(d[1] >> 40);
	}
	return add_piece(t, p, d[0], d[1] & (legacy ? 0xffff : 0xfffff), bounced);
}

/* Reads one packet from descriptor *at on; *at is then behind it. */
static enum scan scan(struct e1000_tx *t, uint32_t *at, uint32_t tail, struct packet *p,
		      bool *bounced)
{
	while (*at != tail) {
		uint64_t d[2];
		unsigned type;

		read_desc(t, *at, d);
		*at = e1000_next(&t->ring, *at);
		type = d[1] >> 20 & 15;
		if (d[1] & (uint64_t)TXD_DEXT << 24 && type == TXD_CONTEXT) {
			read_context(t, d);
			continue;
		}
		if (d[1] & (uint64_t)TXD_DEXT << 24 && type != TXD_DATA)
			p->bad = "transmit descriptor of no known type";
		if (!read_data(t, p, d, bounced))
			return SCAN_FULL;
		if (p->cmd & TXD_EOP)
			return p->bad ? SCAN_BAD : SCAN_FRAME;
		if (++p->descs == DESCS_MAX) {
			t->skip = true;
			p->bad = "frame of too many descriptors";
			return SCAN_BAD;
		}
	}
	return p->begun ? SCAN_PART : SCAN_NONE;
}

/* --- from packet to frame ------------------------------------------------------------------- */

/* Replaces the first `len` bytes of the frame by the copy of them in hdr, have bytes. */
static void put_header(struct net_frame *f, struct packet *p, uint8_t *hdr, uint32_t len,
		       uint32_t have)
{
	unsigned skip = 0;

	for (uint32_t left = len; left;) {
		struct iovec *v = &p->vec[skip];
		uint32_t part = (uint32_t)MIN(v->iov_len, left);

		v->iov_base = (char *)v->iov_base + part;
		v->iov_len -= part;
		left -= part;
		skip += !v->iov_len;
	}
	p->vec[(int)skip - 1] = (struct iovec){hdr, have};
	f->vec = p->vec + skip - SPARE;
	f->nvec = p->nvec - skip + 2;
	f->len = p->len - len + have;
}

/* A checksum over [start, end) of the frame, for a place in the copied header. */
static void sum_into(struct net_frame *f, uint8_t *hdr, uint32_t have, uint32_t start, uint32_t end,
		     uint32_t at)
{
	uint16_t c;

	if (start >= end || end > f->len || at + 2 > have)
		return;
	c = csum_fold(csum_add_iov(0, f->vec + 1, f->nvec - 1, start, end - start));
	memcpy(hdr + at, &c, sizeof(c));
}

/* What is to be summed up: bytes [start, end] of the frame, end 0: to its end. */
struct sum {
	bool on;
	uint32_t start, end, at;
};

/* Positions behind the addresses move when a tag is put in there. */
static uint32_t moved(uint32_t at, bool tag)
{
	return tag && at >= VLAN_AT ? at + VLAN_LEN : at;
}

/* Makes end exclusive and looks whether all is within the frame: else nothing is inserted. */
static void place(struct sum *s, uint32_t len, bool tag)
{
	s->start = moved(s->start, tag);
	s->at = moved(s->at, tag);
	s->end = s->end ? moved(s->end, tag) + 1 : len;
	s->end = MIN(s->end, len);
	if (s->start >= s->end || s->at + 2 > len)
		s->on = false;
}

static void sums_of(const struct e1000_tx *t, const struct packet *p, struct sum *ip,
		    struct sum *l4)
{
	const struct e1000_ctx *c = &t->ctx[0];

	*ip = (struct sum){0};
	*l4 = (struct sum){0};
	if (p->legacy) {
		*l4 = (struct sum){p->cmd & TXD_IC, p->css, 0, p->cso};
		return;
	}
	if (p->popts & TXD_IXSM)
		*ip = (struct sum){true, c->ipcss, c->ipcse, c->ipcso};
	if (p->popts & TXD_TXSM)
		*l4 = (struct sum){true, c->tucss, c->tucse, c->tucso};
}

/* One packet: tag and checksums. */
static void make_plain(struct e1000_tx *t, struct packet *p, struct net_frame *f, uint8_t *hdr,
		       bool tag)
{
	uint32_t len = p->len + (tag ? VLAN_LEN : 0), copy = tag ? VLAN_AT : 0, have;
	struct sum ip, l4;
	bool simple;

	sums_of(t, p, &ip, &l4);
	place(&ip, len, tag);
	place(&l4, len, tag);
	/* The sum that peers know: up to the end, its place behind its start. */
	simple = l4.end == len && l4.at >= l4.start && l4.start >= ETH_HDR;
	if (ip.on || (l4.on && !simple))
		copy = MIN(p->len, E1000_HDR_MAX);
	f->vec = p->vec - 1;
	f->nvec = p->nvec + 1;
	f->len = p->len;
	if (copy) {
		have = copy + (tag ? VLAN_LEN : 0);
		iov_read(p->vec, p->nvec, 0, hdr, tag ? VLAN_AT : copy);
		if (tag) {
			put_be16(hdr + VLAN_AT, (uint16_t)e1000_get(t->n, R_VET));
			put_be16(hdr + VLAN_AT + 2, p->vlan);
			iov_read(p->vec, p->nvec, VLAN_AT, hdr + VLAN_AT + VLAN_LEN,
				 copy - VLAN_AT);
		}
		put_header(f, p, hdr, copy, have);
		if (ip.on)
			sum_into(f, hdr, have, ip.start, ip.end, ip.at);
		if (l4.on && !simple)
			sum_into(f, hdr, have, l4.start, l4.end, l4.at);
	}
	if (l4.on && simple) {
		f->off.flags = NET_F_NEEDS_CSUM;
		f->off.csum_start = (uint16_t)l4.start;
		f->off.csum_offset = (uint16_t)(l4.at - l4.start);
	}
}

/* SDM 3.5: one large frame, headers as lso.h makes them. Returns what is wrong or NULL. */
static const char *make_large(struct e1000_tx *t, struct packet *p, struct net_frame *f,
			      uint8_t *hdr, bool tag, struct e1000_sent *s)
{
	const struct e1000_ctx *c = &t->ctx[1];
	uint32_t len = c->hdr_len, shift = tag ? VLAN_LEN : 0, payload;

	if (len < ETH_HDR || len > p->len)
		return "segmentation: headers longer than the frame";
	if (!c->mss)
		return "segmentation: segment size 0";
	iov_read(p->vec, p->nvec, 0, hdr, VLAN_AT);
	iov_read(p->vec, p->nvec, VLAN_AT, hdr + VLAN_AT + shift, len - VLAN_AT);
	if (tag) {
		put_be16(hdr + VLAN_AT, (uint16_t)e1000_get(t->n, R_VET));
		put_be16(hdr + VLAN_AT + 2, p->vlan);
	}
	payload = p->len - len;
	put_header(f, p, hdr, len, len + shift);
	if (lso_frame(hdr, len + shift, c->ipcss + shift, c->tucss + shift, payload, c->mss,
		      c->cmd & TXD_TCP, &f->off))
		return "segmentation: headers are not what they are said to be";
	if (payload > c->mss) {
		s->segs = (payload + c->mss - 1) / c->mss;
		s->bytes = f->len + (s->segs - 1) * (len + shift);
		s->seg_len = len + shift + c->mss;
	}
	return NULL;
}

/* Makes t->frame[i]; returns what is wrong or NULL. */
static const char *make_frame(struct e1000_tx *t, struct packet *p, unsigned i)
{
	struct net_frame *f = &t->frame[i];
	struct e1000_sent *s = &t->sent[i];
	bool tag = p->cmd & TXD_VLE && e1000_get(t->n, R_CTRL) & CTRL_VME;
	const char *why = NULL;
	uint8_t dst[6];

	if (p->len < ETH_HDR)
		return "shorter than an Ethernet header";
	if (p->len + VLAN_LEN > NET_FRAME_MAX)
		return "longer than any frame";
	*f = (struct net_frame){0};
	*s = (struct e1000_sent){.start = s->start, .segs = 1};
	iov_read(p->vec, p->nvec, 0, dst, sizeof(dst));
	s->kind = !(dst[0] & 1) ? 0 : memcmp(dst, "\xff\xff\xff\xff\xff\xff", 6) ? 1 : 2;
	if (p->tse)
		why = make_large(t, p, f, t->hdr[i], tag, s);
	else
		make_plain(t, p, f, t->hdr[i], tag);
	if (why)
		return why;
	if (f->len < sizeof(zeros) && e1000_get(t->n, R_TCTL) & TCTL_PSP) {
		f->vec[f->nvec++] =
			(struct iovec){(void *)(uintptr_t)zeros, sizeof(zeros) - f->len};
		f->len = sizeof(zeros);
	}
	if (s->segs == 1)
		s->bytes = s->seg_len = f->len;
	return NULL;
}

/* --- write-back ----------------------------------------------------------------------------- */

/* Descriptors from head up to `to` are done with (SDM 3.3.3.2). Adds to *now and *later the
 * causes that they ask for. */
static void complete(struct e1000_tx *t, uint32_t to, uint32_t *now, uint32_t *later)
{
	while (t->ring.head != to) {
		uint8_t *d = t->ring.base + (size_t)t->ring.head * E1000_DESC;
		uint8_t cmd = d[11], status = d[12];

		if (cmd & (TXD_RS | TXD_RPS)) {
			__atomic_store_n(d + 12, (uint8_t)(status | TXD_DD), __ATOMIC_RELEASE);
			*(cmd & TXD_IDE ? later : now) |= ICR_TXDW;
		}
		t->ring.head = e1000_next(&t->ring, t->ring.head);
	}
	e1000_set(t->n, R_TDH, t->ring.head);
}

static void count_sent(struct e1000_tx *t, unsigned sent)
{
	struct e1000 *n = t->n;
	struct e1000_tally y = {0};
	uint32_t large = 0;
	uint64_t exact = 0;

	for (unsigned i = 0; i < sent; i++) {
		const struct e1000_sent *s = &t->sent[i];

		e1000_tally_add(&y, s->seg_len, s->kind, s->segs);
		exact += MAX(s->bytes, 60u) + 4ull * s->segs;
		large += s->segs > 1;
	}
	e1000_count(n, R_GPTC, y.frames);
	e1000_count(n, R_TPT, y.frames);
	e1000_count(n, R_BPTC, y.bcast);
	e1000_count(n, R_MPTC, y.mcast);
	e1000_count(n, R_TSCTC, large);
	for (unsigned i = 0; i < ARRAY_SIZE(y.size); i++)
		e1000_count(n, R_PTC64 + 4 * i, y.size[i]);
	atomic_fetch_add(&n->octets[OCTETS_GOTC], exact);
	atomic_fetch_add(&n->octets[OCTETS_TOT], exact);
}

/* Sets the causes of a batch; left: descriptors that were there before it. */
static void report(struct e1000_tx *t, uint32_t now, uint32_t later, uint32_t before)
{
	struct e1000 *n = t->n;
	uint32_t tail = atomic_load(&n->reg[R_TDT / 4]);
	uint32_t low = (e1000_get(n, R_TXDCTL) >> 25) * 8, left;

	left = tail < t->ring.count ? e1000_ring_left(&t->ring, tail) : 0;
	if (!left)
		now |= ICR_TXQE;
	if (low && before >= low && left < low)
		now |= ICR_TXD_LOW;
	/* Who is told at once need not be told later. */
	if (now & ICR_TXDW && t->due) {
		loop_timer_del(e1000_loop(n), &t->timer);
		t->due = 0;
	} else if (later && !(now & ICR_TXDW)) {
		e1000_delay(n, &t->timer, &t->due, &t->due_abs, later, e1000_get(n, R_TIDV),
			    e1000_get(n, R_TADV));
	}
	e1000_cause(n, now);
	e1000_irq(n, true);
}

/* --- batches -------------------------------------------------------------------------------- */

/* MAC loopback (RCTL.LBM) and the PHY's: the card hears itself. */
static unsigned loop_back(struct e1000_tx *t, unsigned frames)
{
	struct e1000 *n = t->n;

	for (unsigned i = 0; i < frames; i++) {
		if (t->frame[i].off.flags || t->frame[i].off.gso_type)
			net_drop(&n->nic.port, 0, "offload in loopback");
		else if (!e1000_push(&n->nic.port, 0, &t->frame[i], 1))
			net_drop(&n->nic.port, 0, "loopback without receive buffers");
	}
	return frames;
}

static unsigned send_frames(struct e1000_tx *t, unsigned frames)
{
	struct e1000 *n = t->n;

	if ((e1000_get(n, R_RCTL) & RCTL_LBM) == RCTL_LBM_MAC || atomic_load(&n->phy.loopback))
		return loop_back(t, frames);
	return net_push(&n->nic.port, 0, t->frame, frames);
}

/* Takes descriptors until the end of a packet that is too long. */
static uint32_t skip_packet(struct e1000_tx *t, uint32_t at, uint32_t tail)
{
	while (at != tail && t->skip) {
		uint64_t d[2];

		read_desc(t, at, d);
		at = e1000_next(&t->ring, at);
		if (d[1] & (uint64_t)TXD_EOP << 24)
			t->skip = false;
	}
	return at;
}

/*
 * Reads packets from the ring into t->frame[]. *end: where the descriptors end that need nothing
 * but those frames to be done with. Returns how many frames; sets *drop when the only thing read
 * is a packet to be dropped.
 */
static unsigned gather(struct e1000_tx *t, uint32_t tail, uint32_t *end, const char **drop)
{
	uint32_t at = *end;
	struct iovec *vec = t->vec;
	unsigned frames = 0;
	bool bounced = false;

	while (frames < NET_BATCH && vec + FRAME_VECS <= t->vec + VECS) {
		struct e1000_ctx ctx[2] = {t->ctx[0], t->ctx[1]};
		struct packet p = {.vec = vec + SPARE};
		struct e1000_sent *s = &t->sent[frames];
		enum scan rc = scan(t, &at, tail, &p, &bounced);

		s->start = *end;
		if (rc == SCAN_FRAME) {
			p.bad = make_frame(t, &p, frames);
			if (p.bad)
				rc = SCAN_BAD;
		}
		if (rc == SCAN_NONE || (rc == SCAN_BAD && !frames)) {
			*drop = p.bad;
			*end = at;
			break;
		}
		memcpy(s->ctx, ctx, sizeof(ctx));
		if (rc != SCAN_FRAME) {
			/* A bad packet is dealt with by itself, next time. */
			memcpy(t->ctx, ctx, sizeof(ctx));
			t->skip = false;
			break;
		}
		*end = at;
		vec += SPARE + p.nvec + 1;
		frames++;
	}
	return frames;
}

/* One batch. Returns false when there is nothing more to do now. */
static bool tx_batch(struct e1000_tx *t)
{
	struct e1000 *n = t->n;
	uint32_t tail = atomic_load(&n->reg[R_TDT / 4]), head = t->ring.head, end = head;
	uint32_t now = 0, later = 0, before;
	const char *drop = NULL;
	unsigned frames = 0, sent = 0;

	if (!t->ring.base || tail >= t->ring.count || head >= t->ring.count || head == tail)
		return false;
	before = e1000_ring_left(&t->ring, tail);
	if (t->skip)
		end = skip_packet(t, head, tail);
	else
		frames = gather(t, tail, &end, &drop);
	if (drop)
		net_drop(&n->nic.port, 0, drop);
	if (frames)
		sent = send_frames(t, frames);
	if (sent < frames) {
		end = t->sent[sent].start;
		memcpy(t->ctx, t->sent[sent].ctx, sizeof(t->ctx));
	}
	if (end == head && !sent) {
		t->stalled = frames;
		return false;
	}
	complete(t, end, &now, &later);
	count_sent(t, sent);
	report(t, now, later, before);
	t->stalled = sent < frames;
	return !t->stalled;
}

void e1000_tx_run(struct e1000_tx *t)
{
	struct loop *l = e1000_loop(t->n);

	if (t->busy || t->stalled || !l)
		return;
	t->busy = true;
	for (unsigned round = 0;; round++) {
		if (round == ROUNDS) {
			loop_defer(l, &t->more);
			break;
		}
		if (tx_batch(t))
			continue;
		if (!t->stalled || !t->again)
			break;
		t->again = t->stalled = false;
	}
	t->again = false;
	t->busy = false;
}

static void run_more(struct loop_task *task)
{
	e1000_tx_run(container_of(task, struct e1000_tx, more));
}

void e1000_tx_resume(struct e1000_tx *t)
{
	if (t->busy) {
		t->again = true;
		return;
	}
	t->stalled = false;
	e1000_tx_run(t);
}

void e1000_tx_forget(struct e1000_tx *t, struct loop *l)
{
	t->stalled = false;
	if (l)
		loop_undefer(l, &t->more);
}

/* --- life ----------------------------------------------------------------------------------- */

void e1000_tx_setup(struct e1000 *n)
{
	struct e1000_tx *t = &n->tx;
	uint64_t at = (uint64_t)e1000_get(n, R_TDBAH) << 32 | e1000_get(n, R_TDBAL);
	uint32_t len = e1000_get(n, R_TDLEN);

	t->ring.base = NULL;
	t->ring.count = len / E1000_DESC;
	t->ring.head = e1000_get(n, R_TDH);
	t->stalled = t->skip = false;
	/* Contexts outlive everything but a reset, which leaves the ring without a length. */
	if (!len)
		memset(t->ctx, 0, sizeof(t->ctx));
	if (!(e1000_get(n, R_TCTL) & TCTL_EN) || !len || !pci_master(&n->pci))
		return;
	t->ring.base = mem_ptr(e1000_mem(n), at, len);
	e1000_tx_run(t);
}

int e1000_tx_init(struct e1000_tx *t, struct e1000 *n, struct err *e)
{
	t->n = n;
	t->more.fn = run_more;
	t->vec = calloc(VECS, sizeof(*t->vec));
	t->hdr = calloc(NET_BATCH, sizeof(*t->hdr));
	t->bounce = malloc(NET_FRAME_MAX);
	if (!t->vec || !t->hdr || !t->bounce)
		return err_set(e, ENOMEM, "no memory for a transmit queue");
	return 0;
}

void e1000_tx_exit(struct e1000_tx *t)
{
	free(t->vec);
	free(t->hdr);
	free(t->bounce);
}
