/* SPDX-License-Identifier: BSD-2-Clause */
/* e1000, guest to peer: frames arrive whole, from guest memory, done bits and contexts in step. */
#include "e1000_card.h"

#include <arpa/inet.h>

#include "base/csum.h"
#include "net/prot.h"

static void plain_frames_are_not_copied(void **state)
{
	struct ecard *c = ecard_make(0);
	struct kept *k = c->peer.kept;

	(void)state;
	memset(ebuf(c), 0xff, 200);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP));
	etx(c, E_TXBUF, LEGACY(14, 0));
	etx(c, E_TXBUF + 14, LEGACY(0, 0));
	etx(c, E_TXBUF + 14, LEGACY(186, TXD_EOP | TXD_RS));
	etx(c, E_TXBUF, LEGACY(20, TXD_EOP));
	ego(c);
	assert_int_equal(c->peer.n, 3);
	assert_int_equal(c->peer.batches, 1);
	assert_ptr_equal(k[0].where, ebuf(c));
	assert_int_equal(k[0].len, 100);
	assert_int_equal(k[1].len, 200);
	assert_int_equal(k[1].nvec, 3);
	/* TCTL.PSP */
	assert_int_equal(k[2].len, 60);
	assert_int_equal(k[2].head[20], 0);
	/* Only who asks is told. */
	assert_false(edone(c, 0));
	assert_true(edone(c, 3));
	assert_int_equal(ereg(c, R_TDH), 5);
	assert_int_equal(ereg(c, R_ICR), ICR_TXDW | ICR_TXQE);
	assert_int_equal(ereg(c, R_BPTC), 3);
	ecard_free(c);
}

static void unfinished_packet_waits(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	etx(c, E_TXBUF, LEGACY(100, TXD_RS));
	ego(c);
	assert_int_equal(ereg(c, R_TDH), 0);
	etx(c, E_TXBUF, LEGACY(100, TXD_RS | TXD_EOP));
	ego(c);
	assert_int_equal(c->peer.kept[0].len, 200);
	assert_true(edone(c, 0) && edone(c, 1));
	ecard_free(c);
}

/* Context: TCP over IPv4 or IPv6 without options. */
static void context(struct ecard *c, bool tse, uint8_t hdr, uint16_t mss)
{
	etx(c, 14 | 24ull << 8 | 33ull << 16 | 34ull << 32 | 50ull << 40,
	    (uint64_t)(TXD_DEXT | TXD_RS | TXD_TCP | (tse ? TXD_TSE : 0)) << 24 |
		    (uint64_t)hdr << 40 | (uint64_t)mss << 48);
}

static void make_tcp(uint8_t *p)
{
	struct ip4_hdr ip = {.ver_ihl = 0x45, .ttl = 64, .proto = IP_TCP, .src = 1, .dst = 2};
	struct tcp_hdr t = {.off = 0x50, .flags = TCP_ACK};

	memset(p, 2, 14);
	put_be16(p + 12, ETH_IP4);
	memcpy(p + 14, &ip, sizeof(ip));
	memcpy(p + 34, &t, sizeof(t));
}

static void checksums(void **state)
{
	struct ecard *c = ecard_make(0);
	struct kept *k = c->peer.kept;

	(void)state;
	make_tcp(ebuf(c));
	context(c, false, 0, 0);
	etx(c, E_TXBUF, EDATA(300, TXD_EOP, TXD_TXSM));
	etx(c, E_TXBUF, EDATA(300, TXD_EOP, TXD_TXSM | TXD_IXSM));
	etx(c, E_TXBUF, LEGACY(300, TXD_EOP | TXD_IC) | 50 << 16 | 34ull << 40);
	/* Places beyond the frame: nothing is inserted. */
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_IC) | 255 << 16 | 250ull << 40);
	etx(c, E_TXBUF, LEGACY(60, TXD_EOP | TXD_IC) | 59 << 16 | 34ull << 40);
	/* The place in front of the start: by us. */
	etx(c, E_TXBUF, LEGACY(60, TXD_EOP | TXD_IC) | 24 << 16 | 34ull << 40);
	ego(c);
	assert_int_equal(c->peer.n, 6);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(k[i].off.flags, NET_F_NEEDS_CSUM);
		assert_int_equal(k[i].off.csum_start, 34);
		assert_int_equal(k[i].off.csum_offset, 16);
	}
	assert_ptr_equal(k[0].where, ebuf(c));
	assert_ptr_not_equal(k[1].where, ebuf(c));
	assert_int_equal(csum_fold(csum_add(0, k[1].head + 14, 20)), 0);
	assert_int_not_equal(get_be16(k[1].head + 24), 0);
	assert_int_equal(get_be16(ebuf(c) + 24), 0);
	for (unsigned i = 3; i < 6; i++)
		assert_int_equal(k[i].off.flags, 0);
	assert_int_not_equal(get_be16(k[5].head + 24), 0);
	ecard_free(c);
}

static void segmentation_is_one_frame(void **state)
{
	struct ecard *c = ecard_make(0);
	struct kept *k = c->peer.kept;

	(void)state;
	make_tcp(ebuf(c));
	ewr(c, R_CTRL, ereg(c, R_CTRL) | CTRL_VME);
	for (unsigned vlan = 0; vlan < 2; vlan++) {
		unsigned tag = 4 * vlan;

		context(c, true, 54, 1000);
		etx(c, E_TXBUF, EDATA(20054, TXD_TSE, TXD_TXSM | TXD_IXSM));
		etx(c, E_TXBUF + 20054,
		    EDATA(9946, TXD_TSE | TXD_EOP | (vlan ? TXD_VLE : 0), 0) | 0x2005ull << 48);
		ego(c);
		k = &c->peer.kept[vlan];
		assert_int_equal(c->peer.n, vlan + 1);
		assert_int_equal(k->len, 30000 + tag);
		assert_int_equal(k->off.gso_type, NET_GSO_TCPV4);
		assert_int_equal(k->off.gso_size, 1000);
		assert_int_equal(k->off.hdr_len, 54 + tag);
		assert_int_equal(k->off.csum_start, 34 + tag);
		assert_int_equal(get_be16(k->head + 16 + tag), 30000 - 14);
		if (vlan)
			assert_int_equal(get_be32(k->head + 12), 0x81002005);
	}
	assert_int_equal(ereg(c, R_TSCTC), 2);
	assert_int_equal(ereg(c, R_TPT), 60);
	ecard_free(c);
}

static void many_pieces_go_by_the_bounce_buffer(void **state)
{
	struct ecard *c = ecard_make(0);
	unsigned per = 200;

	(void)state;
	/* The ring has 64: a frame of many pieces needs a longer one. */
	ewr(c, R_TDLEN, 512 * 16);
	for (unsigned i = 0; i < 2 * per; i++) {
		uint8_t *d = egpa(c, E_TX + 16ull * i);

		ebuf(c)[i] = (uint8_t)i;
		put_le64(d, E_TXBUF + i);
		put_le64(d + 8, LEGACY(1, i % per == per - 1 ? TXD_EOP | TXD_RS : 0));
	}
	ewr(c, R_TDT, 2 * per);
	pc_sync(c->loop);
	assert_int_equal(c->peer.n, 2);
	for (unsigned f = 0; f < 2; f++) {
		assert_int_equal(c->peer.kept[f].len, per);
		for (unsigned i = 0; i < 60; i++)
			assert_int_equal(c->peer.kept[f].head[i], (uint8_t)(per * f + i));
	}
	ecard_free(c);
}

static void resume_peer(void *arg)
{
	struct ecard *c = arg;

	net_resume(&c->peer.port, 0);
}

static void short_push_waits_for_resume(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	make_tcp(ebuf(c));
	c->peer.take = 3;
	for (unsigned i = 0; i < 10; i++) {
		context(c, true, 54, (uint16_t)(100 + i));
		etx(c, E_TXBUF, EDATA(1000 + i, TXD_TSE | TXD_EOP | TXD_RS, 3));
		if (i % 3 == 2)
			etx(c, E_OUTSIDE, LEGACY(100, TXD_EOP | TXD_RS));
	}
	ego(c);
	assert_int_equal(c->peer.n, 3);
	assert_int_equal(ereg(c, R_TDH), 7);
	assert_false(edone(c, 7));
	for (unsigned i = 0; i < 20; i++) {
		c->peer.take = 1;
		loop_call(c->loop, resume_peer, c);
	}
	assert_int_equal(c->peer.n, 10);
	/* Each frame had its own context. */
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(c->peer.kept[i].len, 1000 + i);
		assert_int_equal(c->peer.kept[i].off.gso_size, 100 + i);
	}
	assert_int_equal(c->nic->port.stats[0].drops, 3);
	assert_int_equal(ereg(c, R_TDH), 23);
	assert_true(edone(c, 22) && edone(c, 6));
	ecard_free(c);
}

static void bad_packets_are_dropped_and_done(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	etx(c, E_OUTSIDE, LEGACY(100, TXD_EOP | TXD_RS));
	etx(c, E_TXBUF, LEGACY(13, TXD_EOP | TXD_RS));
	etx(c, E_TXBUF, EDATA(0xfffff, TXD_EOP | TXD_RS, 0));
	etx(c, E_TXBUF, EDATA(600, TXD_EOP | TXD_RS | TXD_TSE, 0)); /* no context */
	etx(c, E_TXBUF, (EDATA(600, TXD_EOP | TXD_RS, 0) | 5 << 20));
	context(c, true, 0, 100);
	etx(c, E_TXBUF, EDATA(600, TXD_EOP | TXD_RS | TXD_TSE, 0));
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ego(c);
	assert_int_equal(c->peer.n, 1);
	assert_int_equal(c->nic->port.stats[0].drops, 6);
	for (unsigned i = 0; i < 8; i++)
		assert_true(edone(c, i));
	ecard_free(c);
}

static void endless_packet_is_skipped(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ewr(c, R_TDLEN, 4096 * 16);
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t *d = egpa(c, E_TX + 16ull * i);

		put_le64(d, E_TXBUF);
		put_le64(d + 8,
			 LEGACY(0, i == 2998 || i == 2999 ? TXD_EOP : 0) + (i == 2999 ? 100 : 0));
	}
	ewr(c, R_TDT, 3000);
	pc_sync(c->loop);
	assert_int_equal(ereg(c, R_TDH), 3000);
	assert_int_equal(c->peer.n, 1);
	assert_int_equal(c->nic->port.stats[0].drops, 1);
	ecard_free(c);
}

static void rings_that_cannot_work(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ewr(c, R_TDT, 0xffff);
	ewr(c, R_TDLEN, 0);
	ewr(c, R_TDLEN, 0xffffffff);
	ewr(c, R_TDBAH, 0xffffffff);
	ewr(c, R_TDH, 0xffff);
	pc_sync(c->loop);
	assert_int_equal(c->peer.n, 0);
	ecard_up(c, 0);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ewr(c, R_TCTL, 0);
	ego(c);
	assert_int_equal(c->peer.n, 0);
	ewr(c, R_TCTL, TCTL_EN);
	assert_int_equal(c->peer.n, 1);
	ecard_free(c);
}

static void whole_ring_in_batches(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < E_RING - 1; i++)
			etx(c, E_TXBUF, LEGACY(60 + i, TXD_EOP | TXD_RS));
		ego(c);
		assert_int_equal(ereg(c, R_TDH), c->tx);
	}
	assert_int_equal(c->peer.n, 200 * (E_RING - 1));
	ecard_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_frames_are_not_copied),
		cmocka_unit_test(unfinished_packet_waits),
		cmocka_unit_test(checksums),
		cmocka_unit_test(segmentation_is_one_frame),
		cmocka_unit_test(many_pieces_go_by_the_bounce_buffer),
		cmocka_unit_test(short_push_waits_for_resume),
		cmocka_unit_test(bad_packets_are_dropped_and_done),
		cmocka_unit_test(endless_packet_is_skipped),
		cmocka_unit_test(rings_that_cannot_work),
		cmocka_unit_test(whole_ring_in_batches),
	};

	return cmocka_run_group_tests_name("e1000_tx", tests, NULL, NULL);
}
