/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000, peer to guest (SDM 3.2).
 *
 * The driver's tail stands behind the last empty descriptor. A frame that passes the filter goes
 * into as many of them as it needs, in two steps: first the descriptors are collected, then, when
 * there are enough, filled and written back in order. push() copies the frame; lend() hands the
 * buffers behind the ring's head to the peer, which writes the frame there, and commit() then
 * stores it as push() would, only that what lies in its place already is not copied. (It does
 * not when a frame of the batch was dropped or took fewer descriptors than were lent: the rest
 * moves up.)
 *
 * Without enough descriptors the peer keeps the frame, the driver is told (RXO), and the peer is
 * resumed when the tail moves. A receiver that is off, or a ring that cannot work, takes every
 * frame and drops it, so that nobody waits for it.
 *
 * The page of the receive registers. RDT only says how far the driver is, and we look at it when we
 * have a frame, so a driver that receives in earnest (SHOW writes) gets that page of the BAR as
 * memory (pci_page.c), and its writes there cost nothing. Nor do they tell anybody: without room we
 * look at RDT whenever the driver touches another register (Linux does at the end of each round),
 * and by a timer at growing intervals. What a driver sets up before it switches its receiver on
 * still comes as register accesses: the page is taken away with RCTL.EN, at a reset, and with the
 * BAR. While it is there its bits are as the driver wrote them, so readers mask; of side effects
 * only RDTR.FPD is lost.
 *
 * Frames here have no FCS. Where the driver wants it stored (SECRC off) there are four zero bytes.
 */
#include <errno.h>
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
#define LOOKS	  4u /* at a tail that moves, without a frame stored */
/* The receive registers become memory after so many writes to RDT. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define SHOW 2u
#else
#define SHOW 64u
#endif
#define LOOK_MAX 8u /* looks at a ring that stays full: after 1 ms, 2 ms, … 256 ms */

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
	return atomic_load(&n->reg[R_RDT / 4]) & 0xffff;
}

/* The driver's tail, or, when it was set outside of the ring, our head: nothing is there then. Read
 * once and kept, as vCPUs write to it meanwhile. */
static uint32_t tail_within(const struct e1000_rx *r)
{
	uint32_t tail = tail_of(r->n);

	return tail < r->ring.count ? tail : r->ring.head;
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

/* Do the frame's bytes lie in the collected buffers? They were lent, then. */
static bool in_place(const struct fill *f, const struct net_frame *fr)
{
	uint32_t left = fr->len;
	unsigned at = 1;

	for (unsigned i = 0; i < f->n && left; i++) {
		uint32_t part = (uint32_t)MIN(f->vec[i].iov_len, left);

		if (!part)
			continue;
		if (at == fr->nvec || fr->vec[at].iov_base != f->vec[i].iov_base ||
		    fr->vec[at].iov_len < part)
			return false;
		left -= part;
		at++;
	}
	return !left;
}

static void copy_in(struct fill *f, const struct net_frame *fr)
{
	uint32_t len = fr->len, cut = f->tag ? TAG : 0;

	if (cut) {
		iov_copy(f->vec, f->n, 0, fr->vec + 1, fr->nvec - 1, 0, 2 * ETH_ALEN);
		iov_copy(f->vec, f->n, 2 * ETH_ALEN, fr->vec + 1, fr->nvec - 1, 2 * ETH_ALEN + TAG,
			 len - 2 * ETH_ALEN - TAG);
	} else if (!in_place(f, fr)) {
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
	rc = collect(r, &f, tail_within(r));
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
	uint32_t causes = 0, left = e1000_ring_left(&r->ring, tail_within(r));

	if (stalled)
		causes |= ICR_RXO;
	if (before > r->low && left <= r->low)
		causes |= ICR_RXDMT0;
	if (small)
		causes |= ICR_SRPD;
	e1000_cause(n, causes);
	if (stored)
		e1000_delay(n, &r->timer, &r->due, &r->due_abs, ICR_RXT0,
			    e1000_get(n, R_RDTR) & 0xffff, e1000_get(n, R_RADV) & 0xffff);
	e1000_irq(n, true);
}

/* The ring can work: the driver's numbers are within it. */
static bool ring_works(const struct e1000_rx *r)
{
	return r->on && r->ring.base && r->ring.head < r->ring.count &&
	       tail_of(r->n) < r->ring.count;
}

/* Says that descriptors are waited for: whoever writes the tail kicks; or, where that tells nobody,
 * the timer looks. */
static void wait_for_room(struct e1000_rx *r)
{
	struct loop *l = e1000_loop(r->n);

	atomic_store(&r->waits_at, tail_of(r->n));
	atomic_store(&r->stalled, true);
	/* Shown after this: that kicks. */
	if (l && atomic_load(&r->shown))
		loop_timer_set(l, &r->look, loop_now(l) + (NS_PER_MS << MIN(r->looks, LOOK_MAX)));
}

/* Waits for descriptors; true when some came while we were asking. A driver that moves its tail all
 * the time and makes no room is looked at again after the loop's other work: *looks counts. */
static bool look_again(struct e1000_rx *r, uint32_t *tail, unsigned *looks)
{
	uint32_t now;

	wait_for_room(r);
	now = tail_within(r);
	if (now == *tail)
		return false;
	if (++*looks > LOOKS) {
		e1000_kick(r->n);
		return false;
	}
	*tail = now;
	atomic_store(&r->stalled, false);
	return true;
}

/* What a batch was, for statistics and the interrupt. */
struct batch {
	struct e1000_tally good, all;
	uint32_t before; /* descriptors the driver had left us */
	uint32_t head;
	bool srpd;
};

static void begin(struct e1000_rx *r, struct batch *b)
{
	*b = (struct batch){.head = r->ring.head};
	if (ring_works(r))
		b->before = e1000_ring_left(&r->ring, tail_within(r));
}

static enum stored store_counted(struct e1000_rx *r, const struct net_frame *f, struct batch *b)
{
	enum stored rc = store(r, f, &b->good);

	if (rc == NO_ROOM)
		return rc;
	b->srpd |= rc == STORED && f->len <= (e1000_get(r->n, R_RSRPD) & 0xfff);
	e1000_tally_add(&b->all, f->len, 0, 1);
	return rc;
}

static void end(struct e1000_rx *r, const struct batch *b, bool stalled)
{
	struct e1000 *n = r->n;

	if (!ring_works(r))
		return;
	count_good(n, &b->good);
	e1000_count(n, R_TPR, b->all.frames);
	atomic_fetch_add(&n->octets[OCTETS_TOR], b->all.bytes);
	if (stalled)
		e1000_count(n, R_RNBC, 1);
	if (b->head != r->ring.head || stalled)
		report(r, b->before, b->head != r->ring.head, b->srpd, stalled);
}

unsigned e1000_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned nf)
{
	struct e1000 *n = e1000_of_port(p);
	struct e1000_rx *r = &n->rx;
	uint32_t tail = tail_within(r);
	struct batch b;
	unsigned i = 0, looks = 0;

	(void)q;
	begin(r, &b);
	while (i < nf) {
		if (!ring_works(r)) {
			net_drop(p, 0, "the guest's receiver is off");
			i++;
		} else if (store_counted(r, &f[i], &b) != NO_ROOM) {
			i++;
			looks = 0;
		} else if (!look_again(r, &tail, &looks)) {
			break;
		}
	}
	end(r, &b, i < nf);
	return i;
}

/* --- lending -------------------------------------------------------------------------------- */

/* The ring's first descriptor is of no use: it says so to the driver. */
static void spoil(struct e1000_rx *r)
{
	write_back(r, (uint64_t)(RXD_DD | RXD_EOP) << 32 | (uint64_t)RXD_RXE << 40);
	e1000_set(r->n, R_RDH, r->ring.head);
	net_drop(&r->n->nic.port, 0, "receive buffer outside of memory");
}

/*
 * Collects, from descriptor *at on, buffers for `want` bytes in vec (NET_VEC_MAX - 1 entries).
 * Returns how many entries, 0 when there are not enough; *spoilt: a buffer is outside of memory.
 */
static unsigned gather(struct e1000_rx *r, uint32_t *at, uint32_t tail, uint32_t want,
		       struct iovec *vec, bool *spoilt)
{
	struct e1000_ring *g = &r->ring;
	uint32_t room = 0, i = *at;
	unsigned n = 0;

	while (room < want) {
		uint64_t addr;

		if (i == tail || n == NET_VEC_MAX - 1)
			return 0;
		addr = get_le64(desc_at(g, i));
		i = e1000_next(g, i);
		if (!addr)
			continue;
		vec[n].iov_base = mem_ptr(e1000_mem(r->n), addr, r->buf);
		vec[n].iov_len = r->buf;
		if (!vec[n++].iov_base) {
			*spoilt = true;
			return 0;
		}
		room += r->buf;
	}
	*at = i;
	return n;
}

/* Fills slots with what lies between head and tail. */
static unsigned lend_slots(struct e1000_rx *r, uint32_t tail, uint32_t want, struct net_slot *s,
			   unsigned ns)
{
	uint32_t fcs = e1000_get(r->n, R_RCTL) & RCTL_SECRC ? 0 : FCS, at = r->ring.head;
	struct iovec *vec = r->lend_vec;
	unsigned i = 0;

	while (i < ns) {
		bool spoilt = false;
		unsigned n = gather(r, &at, tail, want + fcs, vec + 1, &spoilt);

		if (!n && spoilt && !i) {
			spoil(r);
			at = r->ring.head;
			continue;
		}
		if (!n)
			break;
		/* Kept for the FCS; a buffer has at least 256 bytes. */
		vec[n].iov_len -= fcs;
		s[i].f = (struct net_frame){.vec = vec, .nvec = n + 1, .len = n * r->buf - fcs};
		s[i++].cookie = 0;
		vec += NET_VEC_MAX;
	}
	return i;
}

unsigned e1000_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s, unsigned ns)
{
	struct e1000 *n = e1000_of_port(p);
	struct e1000_rx *r = &n->rx;
	uint32_t max = e1000_get(n, R_RCTL) & RCTL_LPE ? LONG_MAX : SHORT_MAX, tail;
	struct batch b;
	unsigned i, looks = 0;

	(void)q;
	if (r->lent || !ring_works(r)) {
		wait_for_room(r);
		return 0;
	}
	tail = tail_within(r);
	begin(r, &b);
	room = MAX(MIN(room, max - FCS), MIN_LEN);
	room = (uint32_t)MIN(room, (uint64_t)(r->ring.count - 1) * r->buf - FCS);
	ns = MIN(ns, NET_BATCH);
	do
		i = lend_slots(r, tail, room, s, ns);
	while (!i && look_again(r, &tail, &looks) && ring_works(r));
	if (!i)
		end(r, &b, true);
	r->lent = i;
	return i;
}

void e1000_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned ns)
{
	struct e1000_rx *r = &e1000_of_port(p)->rx;
	unsigned lent = r->lent;
	struct batch b;

	(void)q;
	r->lent = 0;
	begin(r, &b);
	for (unsigned i = 0; i < lent && i < ns && s[i].f.len; i++)
		/* The driver may have stepped back with its tail meanwhile. */
		if (!ring_works(r) || store_counted(r, &s[i].f, &b) == NO_ROOM)
			net_drop(p, 0, "the guest took its receive buffers away");
	end(r, &b, false);
}

/* --- life ----------------------------------------------------------------------------------- */

void e1000_rx_kicked(struct e1000_rx *r)
{
	struct loop *l = e1000_loop(r->n);

	if (!l || !atomic_exchange(&r->stalled, false))
		return;
	r->looks = tail_of(r->n) == atomic_load(&r->waits_at) ? r->looks + 1 : 0;
	loop_timer_del(l, &r->look);
	net_resume(&r->n->nic.port, 0);
}

static void look(struct loop_timer *t)
{
	e1000_rx_kicked(container_of(t, struct e1000_rx, look));
}

void e1000_rx_forget(struct e1000_rx *r, struct loop *l)
{
	r->looks = 0;
	if (l)
		loop_timer_del(l, &r->look);
}

/* --- the page ------------------------------------------------------------------------------- */

void e1000_rx_told(struct e1000 *n)
{
	struct e1000_rx *r = &n->rx;

	if (!atomic_load(&r->shown) && ++r->told == SHOW && pci_page_show(&n->page)) {
		atomic_store(&r->shown, true);
		e1000_kick(n); /* a wait that began before knows of no timer */
	} else if (atomic_load(&r->stalled)) {
		e1000_kick(n);
	}
}

void e1000_rx_hide(struct e1000 *n)
{
	struct e1000_rx *r = &n->rx;

	r->told = 0;
	if (!atomic_exchange(&r->shown, false))
		return;
	pci_page_hide(&n->page);
	e1000_rx_peek(n); /* the last write that nobody was told of */
}

void e1000_rx_peek(struct e1000 *n)
{
	const struct e1000_rx *r = &n->rx;

	if (atomic_load(&r->stalled) && tail_of(n) != atomic_load(&r->waits_at))
		e1000_kick(n);
}

/* SDM 13.4.22, table 13-67: 2048 by default, shifted by BSIZE, times 16 with BSEX. */
static uint32_t buffer_size(uint32_t rctl)
{
	unsigned code = rctl >> RCTL_BSIZE & 3;

	/* 32 KiB is no value that the card knows. */
	return rctl & RCTL_BSEX && code ? 32768u >> code : 2048u >> code;
}

int e1000_rx_init(struct e1000_rx *r, struct e1000 *n, struct err *e)
{
	r->n = n;
	r->look.fn = look;
	r->lend_vec = calloc((size_t)NET_BATCH * NET_VEC_MAX, sizeof(*r->lend_vec));
	return r->lend_vec ? 0 : err_set(e, ENOMEM, "no memory for an %s", n->chip->name);
}

void e1000_rx_exit(struct e1000_rx *r)
{
	free(r->lend_vec);
}

void e1000_rx_setup(struct e1000 *n)
{
	struct e1000_rx *r = &n->rx;
	uint64_t at = (uint64_t)e1000_get(n, R_RDBAH) << 32 | (e1000_get(n, R_RDBAL) & ~15u);
	uint32_t len = e1000_get(n, R_RDLEN) & 0xfff80, rctl = e1000_get(n, R_RCTL);

	r->on = rctl & RCTL_EN && pci_master(&n->pci);
	r->buf = buffer_size(rctl);
	r->ring.count = len / E1000_DESC;
	r->ring.head = e1000_get(n, R_RDH) & 0xffff;
	r->ring.base = len ? mem_ptr(e1000_mem(n), at, len) : NULL;
	/* 1/2, 1/4, 1/8 of the ring. */
	r->low = r->ring.count >> (1 + (rctl >> RCTL_RDMTS & 3));
	/* A receiver that is off drops frames: there the peer shall push. */
	if (r->lends != (r->on && r->ring.base)) {
		r->lends = !r->lends;
		if (e1000_loop(n))
			net_caps_changed(&n->nic.port);
	}
	/* Whoever was turned away may try again, or be rid of its frames. */
	e1000_rx_kicked(r);
}
