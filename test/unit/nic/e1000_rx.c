/* SPDX-License-Identifier: BSD-2-Clause */
/* e1000, peer to guest: descriptors are filled in order, nothing is lost for want of them. */
#include "e1000_card.h"

#include "base/iov.h"

static uint8_t frame[NET_FRAME_MAX];

static void fill(const uint8_t dst[6])
{
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7);
	memcpy(frame, dst, 6);
	put_be16(frame + 12, 0x88b5);
}

/* Status, errors, length of a descriptor's second quadword. */
#define ST(q)  ((unsigned)((q) >> 32 & 0xff))
#define ER(q)  ((unsigned)((q) >> 40 & 0xff))
#define LEN(q) ((unsigned)((q)&0xffff))

static void one_descriptor(void **state)
{
	struct ecard *c = ecard_make(RCTL_BAM);
	uint64_t d;

	(void)state;
	fill(emac);
	assert_int_equal(epush_one(c, frame, 1000), 1);
	d = erx(c, 0);
	assert_int_equal(ST(d), RXD_DD | RXD_EOP | RXD_IXSM);
	assert_int_equal(LEN(d), 1000);
	assert_memory_equal(erxbuf(c, 0), frame, 1000);
	assert_int_equal(ereg(c, R_RDH), 1);
	assert_int_equal(ereg(c, R_ICR), ICR_RXT0);
	/* Padded; with four bytes for the FCS where the driver did not decline. */
	ewr(c, R_RCTL, RCTL_EN);
	assert_int_equal(epush_one(c, frame, 20), 1);
	assert_int_equal(LEN(erx(c, 1)), 64);
	assert_int_equal(erxbuf(c, 1)[20], 0);
	ecard_free(c);
}

static void several_descriptors(void **state)
{
	struct ecard *c = ecard_make(RCTL_LPE | 3u << RCTL_BSIZE);

	(void)state;
	fill(emac);
	assert_int_equal(epush_one(c, frame, 9014), 1);
	for (unsigned i = 0; i < 36; i++) {
		assert_int_equal(ST(erx(c, i)) & 3, i == 35 ? 3 : 1);
		assert_int_equal(LEN(erx(c, i)), i == 35 ? 9014 - 35 * 256 : 256);
		assert_memory_equal(erxbuf(c, i), frame + 256 * i, LEN(erx(c, i)));
	}
	/* More than the ring will ever hold: dropped, not waited for. */
	assert_int_equal(epush_one(c, frame, 16380), 1);
	assert_int_equal(c->nic->port.stats[0].drops, 1);
	assert_int_equal(epush_one(c, frame, 16381), 1);
	assert_int_equal(ereg(c, R_ROC), 1);
	ecard_free(c);
}

static void full_ring_waits_for_the_tail(void **state)
{
	struct ecard *c = ecard_make(0);
	struct iovec vec[NET_BATCH][2];
	struct net_frame f[NET_BATCH];

	(void)state;
	fill(emac);
	for (unsigned i = 0; i < NET_BATCH; i++) {
		vec[i][1] = (struct iovec){frame, 100 + i};
		f[i] = (struct net_frame){.vec = vec[i], .nvec = 2, .len = 100 + i};
	}
	assert_int_equal(epush(c, f, NET_BATCH), E_RING - 1);
	assert_int_equal(c->peer.resumes, 0);
	assert_int_equal(ereg(c, R_RDH), ereg(c, R_RDT));
	assert_int_equal(ereg(c, R_ICR), ICR_RXT0 | ICR_RXDMT0 | ICR_RXO);
	assert_int_equal(ereg(c, R_RNBC), 1);
	ewr(c, R_RDT, 2);
	pc_sync(c->loop);
	assert_int_equal(c->peer.resumes, 1);
	assert_int_equal(epush(c, f, 5), 3);
	/* A receiver that is off keeps nobody waiting. */
	ewr(c, R_RCTL, 0);
	assert_int_equal(c->peer.resumes, 2);
	assert_int_equal(epush(c, f, 5), 5);
	assert_int_equal(c->nic->port.stats[0].drops, 5);
	ecard_free(c);
}

static void null_descriptors_are_passed_over(void **state)
{
	struct ecard *c = ecard_make(3u << RCTL_BSIZE);

	(void)state;
	fill(emac);
	put_le64(egpa(c, E_RX), 0);
	put_le64(egpa(c, E_RX + 32), 0);
	assert_int_equal(epush_one(c, frame, 400), 1);
	assert_int_equal(ST(erx(c, 0)), RXD_DD);
	assert_int_equal(LEN(erx(c, 1)), 256);
	assert_int_equal(ST(erx(c, 2)), RXD_DD);
	assert_int_equal(LEN(erx(c, 3)), 144);
	assert_int_equal(ST(erx(c, 3)) & 3, 3);
	assert_memory_equal(erxbuf(c, 3), frame + 256, 144);
	ecard_free(c);
}

static void hostile_rings(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	fill(emac);
	put_le64(egpa(c, E_RX), E_OUTSIDE);
	assert_int_equal(epush_one(c, frame, 400), 1);
	assert_int_equal(ER(erx(c, 0)), RXD_RXE);
	put_le64(egpa(c, E_RX + 16), TMEM_BASE + (64u << 20) - 100);
	assert_int_equal(epush_one(c, frame, 400), 1);
	assert_int_equal(ER(erx(c, 1)), RXD_RXE);
	ewr(c, R_RDT, 0xffff);
	assert_int_equal(epush_one(c, frame, 400), 1);
	ewr(c, R_RDT, 10);
	ewr(c, R_RDH, 64);
	assert_int_equal(epush_one(c, frame, 400), 1);
	ewr(c, R_RDH, 0);
	ewr(c, R_RDLEN, 0);
	assert_int_equal(epush_one(c, frame, 400), 1);
	ewr(c, R_RDLEN, 1024);
	ewr(c, R_RDBAH, 0x12345678);
	assert_int_equal(epush_one(c, frame, 400), 1);
	assert_int_equal(c->nic->port.stats[0].drops, 6);
	assert_int_equal(ereg(c, R_GPRC), 0);
	ecard_up(c, 0);
	assert_int_equal(epush_one(c, frame, 400), 1);
	assert_int_equal(ereg(c, R_GPRC), 1);
	ecard_free(c);
}

static void tags_are_stripped(void **state)
{
	struct ecard *c = ecard_make(0);
	uint64_t d;

	(void)state;
	fill(emac);
	put_be32(frame + 12, 0x8100a123);
	ewr(c, R_CTRL, ereg(c, R_CTRL) | CTRL_VME);
	assert_int_equal(epush_one(c, frame, 400), 1);
	d = erx(c, 0);
	assert_int_equal(ST(d), RXD_DD | RXD_EOP | RXD_VP | RXD_IXSM);
	assert_int_equal(d >> 48, 0xa123);
	assert_int_equal(LEN(d), 396);
	assert_memory_equal(erxbuf(c, 0), frame, 12);
	assert_memory_equal(erxbuf(c, 0) + 12, frame + 16, 384);
	ecard_free(c);
}

/* The peer borrows buffers and fills them. */
struct lending {
	struct ecard *c;
	uint32_t room;
	uint32_t len[NET_BATCH]; /* of each frame, up to the first 0 */
	int foreign;		 /* this frame is for somebody else */
	unsigned lent;
	uint32_t got[NET_BATCH]; /* room that each slot had */
	uint8_t *first;		 /* where slot 0 begins */
};

static void do_lend(void *arg)
{
	struct lending *a = arg;
	struct net_port *p = &a->c->peer.port;
	struct net_slot s[NET_BATCH];

	a->lent = net_may_lend(p, 0) ? net_lend(p, 0, a->room, s, NET_BATCH) : 0;
	for (unsigned i = 0; i < a->lent; i++) {
		a->got[i] = s[i].f.len;
		s[i].f.len = a->len[i];
		s[i].f.off = (struct net_offload){0};
		frame[20] = (uint8_t)i;
		frame[5] = (int)i == a->foreign ? 0xff : emac[5];
		iov_write(s[i].f.vec + 1, s[i].f.nvec - 1, 0, frame, a->len[i]);
	}
	if (a->lent) {
		a->first = s[0].f.vec[1].iov_base;
		net_commit(p, 0, s, a->lent);
	}
}

static void lent_buffers(void **state)
{
	struct ecard *c = ecard_make(3u << RCTL_BSIZE);
	struct lending a = {.c = c, .room = 500, .len = {500, 40, 500, 300}, .foreign = -1};

	(void)state;
	fill(emac);
	ewr(c, R_RCTL, RCTL_EN | 3u << RCTL_BSIZE);
	loop_call(c->loop, do_lend, &a);
	/* Two buffers for each, a place for the FCS kept. */
	assert_int_equal(a.lent, (E_RING - 1) / 2);
	assert_int_equal(a.got[0], 508);
	assert_ptr_equal(a.first, erxbuf(c, 0));
	assert_int_equal(LEN(erx(c, 0)), 256);
	assert_int_equal(LEN(erx(c, 1)), 504 - 256);
	assert_int_equal(ST(erx(c, 1)) & 3, 3);
	assert_int_equal(LEN(erx(c, 2)), 64);
	assert_int_equal(erxbuf(c, 2)[20], 1);
	assert_int_equal(erxbuf(c, 2)[40], 0);
	/* The short one left a buffer unused: what follows moved up. */
	assert_int_equal(LEN(erx(c, 3)), 256);
	assert_int_equal(erxbuf(c, 3)[20], 2);
	assert_memory_equal(erxbuf(c, 4), frame + 256, 244);
	assert_int_equal(LEN(erx(c, 6)), 304 - 256);
	assert_memory_equal(erxbuf(c, 6), frame + 256, 44);
	assert_int_equal(ereg(c, R_RDH), 7);
	assert_int_equal(ereg(c, R_ICR) & ICR_RXT0, ICR_RXT0);
	assert_int_equal(c->nic->port.stats[0].drops, 0);
	ecard_free(c);
}

static void lent_to_a_filter(void **state)
{
	struct ecard *c = ecard_make(0);
	struct lending a = {.c = c, .room = 1514, .len = {900, 1000, 1100}, .foreign = 1};

	(void)state;
	fill(emac);
	loop_call(c->loop, do_lend, &a);
	assert_int_equal(a.lent, E_RING - 1);
	assert_int_equal(LEN(erx(c, 0)), 900);
	assert_int_equal(LEN(erx(c, 1)), 1100);
	assert_int_equal(erxbuf(c, 1)[20], 2);
	assert_memory_equal(erxbuf(c, 1) + 21, frame + 21, 1079);
	assert_int_equal(ereg(c, R_RDH), 2);
	assert_int_equal(c->nic->port.stats[0].drops, 1);
	/* Tags come out of lent buffers, too. */
	put_be32(frame + 12, 0x8100a123);
	ewr(c, R_CTRL, ereg(c, R_CTRL) | CTRL_VME);
	a.foreign = -1;
	a.len[1] = 0;
	loop_call(c->loop, do_lend, &a);
	assert_int_equal(LEN(erx(c, 2)), 896);
	assert_memory_equal(erxbuf(c, 2) + 21, frame + 25, 875);
	ecard_free(c);
}

static void nothing_to_lend(void **state)
{
	struct ecard *c = ecard_make(0);
	struct lending a = {.c = c, .room = 1514, .foreign = -1};

	(void)state;
	/* A buffer outside of memory is given back; the next one is lent. */
	put_le64(egpa(c, E_RX), E_OUTSIDE);
	loop_call(c->loop, do_lend, &a);
	assert_int_equal(a.lent, E_RING - 2);
	assert_ptr_equal(a.first, erxbuf(c, 1));
	assert_int_equal(ER(erx(c, 0)), RXD_RXE);
	ewr(c, R_RDT, 1);
	loop_call(c->loop, do_lend, &a);
	assert_int_equal(a.lent, 0);
	assert_int_equal(ereg(c, R_RNBC), 1);
	assert_int_equal(c->peer.resumes, 0);
	ewr(c, R_RDT, 3);
	pc_sync(c->loop);
	assert_int_equal(c->peer.resumes, 1);
	/* A receiver that is off lends nothing: it is pushed to, and drops. */
	ewr(c, R_RCTL, 0);
	assert_false(c->peer.port.peer_caps.lends);
	ecard_free(c);
}

static void buffer_sizes(void **state)
{
	static const struct {
		uint32_t rctl, size;
	} t[] = {
		{0, 2048},
		{1u << RCTL_BSIZE, 1024},
		{2u << RCTL_BSIZE, 512},
		{3u << RCTL_BSIZE, 256},
		{RCTL_BSEX | 1u << RCTL_BSIZE, 16384},
		{RCTL_BSEX | 2u << RCTL_BSIZE, 8192},
		{RCTL_BSEX | 3u << RCTL_BSIZE, 4096},
		{RCTL_BSEX, 2048},
	};
	struct ecard *c = ecard_make(0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		ewr(c, R_RCTL, RCTL_EN | t[i].rctl);
		assert_int_equal(c->n->rx.buf, t[i].size);
	}
	ecard_free(c);
}

/* --- the page ------------------------------------------------------------------------------- */

/* Where the guest's CPU finds a register as memory, or NULL: its accesses come to the card. */
static uint8_t *seen(struct ecard *c, uint32_t off)
{
	return accel_cpu_ptr(&c->pc.a, c->n->pci.bar[0].io.base + off, 4, true);
}

/* Receives and gives back until the card has had enough of being told. Head is 63 then. */
static void in_earnest(struct ecard *c)
{
	fill(emac);
	/* ecard_up() told it once. */
	for (unsigned i = 0; i < 63; i++) {
		assert_null(seen(c, R_RDT));
		assert_int_equal(epush_one(c, frame, 100), 1);
		put_le64(egpa(c, E_RX + 16ull * (i % E_RING)) + 8, 0);
		ewr(c, R_RDT, i % E_RING);
	}
	pc_sync(c->loop);
	assert_non_null(seen(c, R_RDT));
}

static void step(struct ecard *c, uint64_t ms)
{
	atomic_fetch_add(&c->clock.now, ms * NS_PER_MS);
	loop_kick(c->loop);
	pc_sync(c->loop);
	pc_sync(c->loop);
}

static void registers_become_memory(void **state)
{
	struct ecard *c = ecard_make(0);
	struct iovec vec[NET_BATCH][2];
	struct net_frame f[NET_BATCH];

	(void)state;
	in_earnest(c);
	assert_null(seen(c, R_CTRL));
	assert_null(seen(c, R_TDT));
	/* Both sides read and write the same. */
	assert_int_equal(get_le32(seen(c, R_RDH)), 63);
	for (unsigned i = 0; i < NET_BATCH; i++) {
		vec[i][1] = (struct iovec){frame, 100};
		f[i] = (struct net_frame){.vec = vec[i], .nvec = 2, .len = 100};
	}
	assert_int_equal(epush(c, f, 40), 40);
	assert_int_equal(get_le32(seen(c, R_RDH)), 39);
	put_le32(seen(c, R_RDT), 0xabcd0000 | 20); /* upper bits are reserved */
	assert_int_equal(ereg(c, R_RDT) & 0xffff, 20);
	assert_int_equal(epush(c, f, NET_BATCH), 45);
	assert_int_equal(get_le32(seen(c, R_RDH)), 20);
	ecard_free(c);
}

static void page_goes_and_comes(void **state)
{
	static const struct {
		uint32_t off, val;
	} away[] = {{R_RCTL, 0}, {R_CTRL, CTRL_RST}, {R_RDBAL, (uint32_t)E_RX}};
	struct ecard *c = ecard_make(0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(away); i++) {
		in_earnest(c);
		ewr(c, R_RCTL, RCTL_EN | RCTL_SECRC | RCTL_BAM);
		assert_non_null(seen(c, R_RDT));
		ewr(c, away[i].off, away[i].val);
		assert_null(seen(c, R_RDT));
		ecard_up(c, 0);
	}
	in_earnest(c);
	bus_lock(&c->pc.bus);
	pci_hide(c->pc.pci, c->n->pci.devfn >> 3);
	bus_unlock(&c->pc.bus);
	assert_null(seen(c, R_RDT));
	ecard_free(c);
}

/* Fills the ring; the peer waits. */
static void stall(struct ecard *c)
{
	for (unsigned i = 0; epush_one(c, frame, 100); i++)
		assert_true(i < E_RING);
	c->peer.resumes = 0;
}

static void room_that_nobody_is_told_of(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	in_earnest(c);
	stall(c);
	/* The driver touches another register: nothing yet, then room. */
	ereg(c, R_STATUS);
	pc_sync(c->loop);
	assert_int_equal(c->peer.resumes, 0);
	put_le32(seen(c, R_RDT), 10);
	ereg(c, R_STATUS);
	pc_sync(c->loop);
	assert_int_equal(c->peer.resumes, 1);
	stall(c);
	/* It touches nothing: within a millisecond. */
	put_le32(seen(c, R_RDT), 20);
	step(c, 1);
	assert_int_equal(c->peer.resumes, 1);
	assert_int_equal(epush_one(c, frame, 100), 1);
	/* The last that it wrote before its accesses come to us again. */
	stall(c);
	put_le32(seen(c, R_RDT), 30);
	ewr(c, R_RDTR, 0);
	pc_sync(c->loop);
	assert_int_equal(c->peer.resumes, 1);
	ecard_free(c);
}

static void a_guest_that_makes_no_room_costs_little(void **state)
{
	struct ecard *c = ecard_make(0);
	unsigned looks = 0;

	(void)state;
	in_earnest(c);
	stall(c);
	for (unsigned ms = 0; ms < 2000; ms++) {
		step(c, 1);
		if (c->peer.resumes) {
			looks++;
			c->peer.resumes = 0;
			assert_int_equal(epush_one(c, frame, 100), 0);
		}
	}
	assert_in_range(looks, 9, 16); /* 1 + 2 + 4 … 256, 256, 256 … */
	ecard_free(c);
}

static void what_the_page_may_hold(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	in_earnest(c);
	for (uint32_t off = 0x2000; off < 0x3000; off += 4)
		put_le32(seen(c, off), 0xffffffff);
	/* A tail outside of the ring: not taken, not lost, no overread. */
	assert_int_equal(epush_one(c, frame, 100), 1);
	assert_int_equal(c->nic->port.stats[0].drops, 1);
	ewr(c, R_RCTL, RCTL_EN | RCTL_SECRC);
	assert_int_equal(epush_one(c, frame, 100), 1);
	assert_int_equal(c->nic->port.stats[0].drops, 2);
	ecard_up(c, 0);
	assert_int_equal(epush_one(c, frame, 100), 1);
	assert_int_equal(ST(erx(c, 0)) & 3, 3);
	ecard_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_descriptor),
		cmocka_unit_test(several_descriptors),
		cmocka_unit_test(full_ring_waits_for_the_tail),
		cmocka_unit_test(null_descriptors_are_passed_over),
		cmocka_unit_test(hostile_rings),
		cmocka_unit_test(tags_are_stripped),
		cmocka_unit_test(lent_buffers),
		cmocka_unit_test(lent_to_a_filter),
		cmocka_unit_test(nothing_to_lend),
		cmocka_unit_test(buffer_sizes),
		cmocka_unit_test(registers_become_memory),
		cmocka_unit_test(page_goes_and_comes),
		cmocka_unit_test(room_that_nobody_is_told_of),
		cmocka_unit_test(a_guest_that_makes_no_room_costs_little),
		cmocka_unit_test(what_the_page_may_hold),
	};

	return cmocka_run_group_tests_name("e1000_rx", tests, NULL, NULL);
}
