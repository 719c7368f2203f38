/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000, peer to guest (SDM 3.2).
 *
 * The driver's tail stands behind the last empty descriptor. A frame that passes the filter goes
 * into as many of them as it needs, copied straight into guest memory, in two steps: first the
 * descriptors are collected, then, when there are enough, filled and written back in order.
 *
 * Without enough descriptors the peer keeps the frame, the driver is told (RXO), and the peer is
 * resumed when the tail moves. A receiver that is off, or a ring that cannot work, takes every
 * frame and drops it, so that nobody waits for it.
 *
 * Frames here have no FCS. Where the driver wants it stored (SECRC off) there are four zero bytes.
 */
#include <stdlib.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/nic/e1000.h"
#include "net/prot.h"

#define PIECES	  160u /* descriptors of a frame: 16 KiB in buffers of 256 bytes, and some empty */
#define LONG_MAX  16384u /* RCTL.LPE: bytes with FCS */
#define SHORT_MAX 1522u
#define MIN_LEN	  60u
#define FCS	  4u
#define TAG	  4u

static const uint8_t zeros[MIN_LEN + FCS];

/* One frame on its way into the ring. */
struct fill {
	struct iovec vec[PIECES]; /* buffers; of null descriptors, of length 0 */
	uint32_t total;		  /* bytes to be stored, padding and FCS included */
	unsigned n;
	bool lost; /* a buffer outside of memory: nothing is stored */
	bool tag;  /* to be taken out of the frame */
	uint8_t status, errors;
	uint16_t sum, special;
};

enum stored { STORED, DROPPED, NO_ROOM };

static uint8_t *desc_at(const struct e1000_ring *g, uint32_t i)
{
	return g->base + (size_t)i * E1000_DESC;
}

static uint32_t tail_of(const struct e1000 *n)
{
	return atomic_load(&n->reg[R_RDT / 4]);
}

static void write_back(struct e1000_rx *r, uint64_t second)
{
	uint8_t *d = desc_at(&r->ring, r->ring.head);

	/* 16-byte aligned: RDBA has no lower bits, and memory begins at pages. */
	__atomic_store_n((uint64_t *)(void *)(d + 8), htole64(second), __ATOMIC_RELEASE);
	r->ring.head = e1000_next(&r->ring, r->ring.head);
}

/* SDM 3.2.6: descriptors without an address are done, otherwise unchanged. */
static void null_done(struct e1000_rx *r)
{
	write_back(r, get_le64(desc_at(&r->ring, r->ring.head) + 8) | (uint64_t)RXD_DD << 32);
}

/* Collects descriptors for f->total bytes. */
static enum stored collect(struct e1000_rx *r, struct fill *f, uint32_t tail)
{
	struct e1000_ring *g = &r->ring;
	uint32_t room = 0, at;

	if ((uint64_t)(g->count - 1) * r->buf < f->total)
		return DROPPED;
	while (g->head != tail && !get_le64(desc_at(g, g->head)))
		null_done(r);
	at = g->head;
	while (room < f->total) {
		uint64_t addr;

		if (f->n == PIECES)
			return DROPPED;
		if (at == tail)
			return NO_ROOM;
		addr = get_le64(desc_at(g, at));
		f->vec[f->n] = (struct iovec){0};
		if (addr) {
			f->vec[f->n].iov_base = mem_ptr(e1000_mem(r->n), addr, r->buf);
			f->vec[f->n].iov_len = r->buf;
			f->lost |= !f->vec[f->n].iov_base;
			room += r->buf;
		}
		f->n++;
		at = e1000_next(g, at);
	}
	return STORED;
}

static void copy_in(struct fill *f, const struct net_frame *fr)
{
	uint32_t len = fr->len, cut = f->tag ? TAG : 0;

	if (cut) {
		iov_copy(f->vec, f->n, 0, fr->vec + 1, fr->nvec - 1, 0, 2 * ETH_ALEN);
		iov_copy(f->vec, f->n, 2 * ETH_ALEN, fr->vec + 1, fr->nvec - 1, 2 * ETH_ALEN + TAG,
			 len - 2 * ETH_ALEN - TAG);
	} else {
		iov_copy(f->vec, f->n, 0, fr->vec + 1, fr->nvec - 1, 0, len);
	}
	if (f->total > len - cut)
		iov_write(f->vec, f->n, len - cut, zeros, f->total - (len - cut));
}

static void write_frame(struct e1000_rx *r, const struct fill *f)
{
	uint32_t left = f->total;

	for (unsigned i = 0; i < f->n; i++) {
		uint32_t part = (uint32_t)MIN(f->vec[i].iov_len, left);
		uint64_t second = part | (uint64_t)RXD_DD << 32;

		if (!f->vec[i].iov_len) {
			null_done(r);
			continue;
		}
		left -= part;
		if (!left)
			second |= (uint64_t)f->sum << 16 | (uint64_t)(f->status | RXD_EOP) << 32 |
				  (uint64_t)f->errors << 40 | (uint64_t)f->special << 48;
		write_back(r, second);
	}
	e1000_set(r->n, R_RDH, r->ring.head);
}

/* --- one frame ------------------------------------------------------------------------------ */

/* Length and filter. True when it goes on; else it is counted. head: its first bytes. */
static bool passes(struct e1000_rx *r, const struct net_frame *fr, const uint8_t *head,
		   unsigned have, unsigned *how)
{
	struct e1000 *n = r->n;
	const char *why;
	uint32_t max = e1000_get(n, R_RCTL) & RCTL_LPE ? LONG_MAX : SHORT_MAX;

	if (have < ETH_HDR) {
		net_drop(&n->nic.port, 0, "shorter than an Ethernet header");
		return false;
	}
	if (fr->len + FCS > max) {
		e1000_count(n, R_ROC, 1);
		net_drop(&n->nic.port, 0, "longer than the guest's driver takes");
		return false;
	}
	why = e1000_filter(n, head, have, how);
	if (why)
		net_drop(&n->nic.port, 0, why);
	return !why;
}

static enum stored store(struct e1000_rx *r, const struct net_frame *fr, struct e1000_tally *good)
{
	struct e1000 *n = r->n;
	struct fill f;
	uint8_t head[18];
	unsigned how = 0, have;
	enum stored rc;

	have = (unsigned)iov_read(fr->vec + 1, fr->nvec - 1, 0, head, MIN(fr->len, sizeof(head)));
	if (!passes(r, fr, head, have, &how))
		return DROPPED;
	f.n = 0;
	f.lost = false;
	f.status = RXD_DD;
	f.errors = 0;
	f.special = 0;
	f.tag = have >= 16 && e1000_get(n, R_CTRL) & CTRL_VME &&
		get_be16(head + 12) == e1000_get(n, R_VET);
	f.total = MAX(fr->len - (f.tag ? TAG : 0), MIN_LEN);
	f.total += e1000_get(n, R_RCTL) & RCTL_SECRC ? 0 : FCS;
	rc = collect(r, &f, tail_of(n));
	if (rc == DROPPED)
		net_drop(&n->nic.port, 0, "larger than the guest's receive ring");
	e1000_set(n, R_RDH, r->ring.head);
	if (rc != STORED)
		return rc;
	if (how == E1000_INEXACT)
		f.status |= RXD_PIF;
	if (f.tag) {
		f.status |= RXD_VP;
		f.special = get_be16(head + 14);
	}
	e1000_rx_csum(n, fr, &f.status, &f.errors, &f.sum);
	if (f.lost) {
		f.errors |= RXD_RXE;
		net_drop(&n->nic.port, 0, "receive buffer outside of memory");
	} else {
		copy_in(&f, fr);
		e1000_tally_add(good, fr->len,
				!(head[0] & 1)				      ? 0
				: memcmp(head, "\xff\xff\xff\xff\xff\xff", 6) ? 1
									      : 2,
				1);
	}
	write_frame(r, &f);
	return STORED;
}

/* --- batches -------------------------------------------------------------------------------- */

static void count_good(struct e1000 *n, const struct e1000_tally *y)
{
	e1000_count(n, R_GPRC, y->frames);
	e1000_count(n, R_BPRC, y->bcast);
	e1000_count(n, R_MPRC, y->mcast);
	for (unsigned i = 0; i < ARRAY_SIZE(y->size); i++)
		e1000_count(n, R_PRC64 + 4 * i, y->size[i]);
	atomic_fetch_add(&n->octets[OCTETS_GORC], y->bytes);
}

/* Causes after a batch; before: descriptors that were left, small: a frame for SRPD was in it. */
static void report(struct e1000_rx *r, uint32_t before, bool stored, bool small, bool stalled)
{
	struct e1000 *n = r->n;
	uint32_t causes = 0, left = e1000_ring_left(&r->ring, tail_of(n) % r->ring.count);

	if (stalled)
		causes |= ICR_RXO;
	if (before > r->low && left <= r->low)
		causes |= ICR_RXDMT0;
	if (small)
		causes |= ICR_SRPD;
	e1000_cause(n, causes);
	if (stored)
		e1000_delay(n, &r->timer, &r->due, &r->due_abs, ICR_RXT0, e1000_get(n, R_RDTR),
			    e1000_get(n, R_RADV));
	e1000_irq(n, true);
}

/* The ring can work: the driver's numbers are within it. */
static bool ring_works(const struct e1000_rx *r)
{
	return r->on && r->ring.base && r->ring.head < r->ring.count &&
	       tail_of(r->n) < r->ring.count;
}

/* Waits for descriptors; true when some came while we were asking. */
static bool look_again(struct e1000_rx *r, uint32_t *tail)
{
	uint32_t now;

	atomic_store(&r->stalled, true);
	now = tail_of(r->n);
	if (now == *tail)
		return false;
	*tail = now;
	atomic_store(&r->stalled, false);
	return true;
}

unsigned e1000_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned nf)
{
	struct e1000 *n = e1000_of_port(p);
	struct e1000_rx *r = &n->rx;
	struct e1000_tally good = {0}, all = {0};
	uint32_t tail = tail_of(n), before = 0, small = e1000_get(n, R_RSRPD), head = r->ring.head;
	bool srpd = false;
	unsigned i = 0;

	(void)q;
	if (ring_works(r))
		before = e1000_ring_left(&r->ring, tail);
	while (i < nf) {
		enum stored rc;

		if (!ring_works(r)) {
			net_drop(p, 0, "the guest's receiver is off");
			i++;
			continue;
		}
		rc = store(r, &f[i], &good);
		if (rc == NO_ROOM) {
			if (look_again(r, &tail))
				continue;
			e1000_count(n, R_RNBC, 1);
			break;
		}
		srpd |= rc == STORED && f[i].len <= small;
		e1000_tally_add(&all, f[i].len, 0, 1);
		i++;
	}
	if (!ring_works(r))
		return i;
	count_good(n, &good);
	e1000_count(n, R_TPR, all.frames);
	atomic_fetch_add(&n->octets[OCTETS_TOR], all.bytes);
	if (head != r->ring.head || i < nf)
		report(r, before, head != r->ring.head, srpd, i < nf);
	return i;
}

/* --- life ----------------------------------------------------------------------------------- */

void e1000_rx_kicked(struct e1000_rx *r)
{
	if (!e1000_loop(r->n) || !atomic_exchange(&r->stalled, false))
		return;
	net_resume(&r->n->nic.port, 0);
}

/* SDM 13.4.22, table 13-67: 2048 by default, shifted by BSIZE, times 16 with BSEX. */
static uint32_t buffer_size(uint32_t rctl)
{
	unsigned code = rctl >> RCTL_BSIZE & 3;

	/* 32 KiB is no value that the card knows. */
	return rctl & RCTL_BSEX && code ? 32768u >> code : 2048u >> code;
}

void e1000_rx_setup(struct e1000 *n)
{
	struct e1000_rx *r = &n->rx;
	uint64_t at = (uint64_t)e1000_get(n, R_RDBAH) << 32 | e1000_get(n, R_RDBAL);
	uint32_t len = e1000_get(n, R_RDLEN), rctl = e1000_get(n, R_RCTL);

	r->on = rctl & RCTL_EN;
	r->buf = buffer_size(rctl);
	r->ring.count = len / E1000_DESC;
	r->ring.head = e1000_get(n, R_RDH);
	r->ring.base = len ? mem_ptr(e1000_mem(n), at, len) : NULL;
	/* 1/2, 1/4, 1/8 of the ring. */
	r->low = r->ring.count >> (1 + (rctl >> RCTL_RDMTS & 3));
	/* Whoever was turned away may try again, or be rid of its frames. */
	e1000_rx_kicked(r);
}
