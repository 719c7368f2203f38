/* SPDX-License-Identifier: BSD-2-Clause */
/* e1000, peer to guest: descriptors are filled in order, nothing is lost for want of them. */
#include "e1000_card.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_descriptor),
		cmocka_unit_test(several_descriptors),
		cmocka_unit_test(full_ring_waits_for_the_tail),
		cmocka_unit_test(null_descriptors_are_passed_over),
		cmocka_unit_test(hostile_rings),
		cmocka_unit_test(tags_are_stripped),
		cmocka_unit_test(buffer_sizes),
	};

	return cmocka_run_group_tests_name("e1000_rx", tests, NULL, NULL);
}
