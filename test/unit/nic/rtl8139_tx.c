/* SPDX-License-Identifier: BSD-2-Clause */
/* rtl8139, guest to peer: slots and descriptors, what the chip does to frames, bad ones. */
#include "rtl.h"

#include "base/csum.h"

#define NPQ 0x40
#define HPQ 0x80

static void slots_in_turn(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_up(c, 0);
	r_set(c, IMR, INT_TOK, 2);
	for (unsigned i = 0; i < 10; i++) {
		r_slot(c, i % 4, r_bytes(60 + i), 60 + i);
		assert_int_equal(c->peer[0].n, i + 1);
		assert_int_equal(c->peer[0].kept[i].len, 60 + i);
		/* Nothing was copied. */
		assert_ptr_equal(c->peer[0].kept[i].where, r_mem(c, R_TXB + 0x10000 * (i % 4), 60));
		assert_int_equal(r_get(c, TSD0 + 4 * (i % 4), 4), (60 + i) | TSD_OWN | TSD_TOK);
		assert_true(r_pin(c));
		assert_int_equal(r_isr(c), INT_TOK);
		assert_false(r_pin(c));
	}
	assert_int_equal(r_get(c, TSAD, 2), 0xf00f);
	r_free(c);
}

/* Slots are sent in their order, whatever order they are written in. */
static void slot_out_of_turn_waits(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_up(c, 0);
	r_slot(c, 1, r_bytes(61), 61);
	assert_int_equal(c->peer[0].n, 0);
	r_slot(c, 0, r_bytes(60), 60);
	assert_int_equal(c->peer[0].n, 2);
	assert_int_equal(c->peer[0].kept[0].len, 60);
	assert_int_equal(c->peer[0].kept[1].len, 61);
	/* Switched off and on: from the first slot again. */
	r_set(c, CR, CR_RE, 1);
	r_slot(c, 0, r_bytes(62), 62);
	assert_int_equal(c->peer[0].n, 2);
	r_set(c, CR, CR_RE | CR_TE, 1);
	pc_sync(c->loop[0]);
	assert_int_equal(c->peer[0].n, 3);
	r_free(c);
}

static void slots_of_nonsense(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_up(c, 0);
	/* Outside of memory, beyond its end, too short. */
	r_set(c, TSAD0, 0xf0000000, 4);
	r_set(c, TSD0, 60, 4);
	r_set(c, TSAD0 + 4, (uint32_t)(TMEM_BASE + (64u << 20) - 30), 4);
	r_set(c, TSD0 + 4, 60, 4);
	r_set(c, TSAD0 + 8, R_TXB, 4);
	r_set(c, TSD0 + 8, 0, 4);
	r_set(c, TSAD0 + 12, R_TXB, 4);
	r_set(c, TSD0 + 12, 13, 4);
	pc_sync(c->loop[0]);
	for (unsigned i = 0; i < 4; i++)
		assert_true(r_get(c, TSD0 + 4 * i, 4) & TSD_TABT);
	assert_int_equal(c->peer[0].n, 0);
	assert_int_equal(r_drops(c), 4);
	assert_int_equal(r_isr(c), INT_TER);
	r_slot(c, 0, r_bytes(0x1fff), 0x1fff);
	assert_int_equal(c->peer[0].n, 1);
	r_free(c);
}

static void peer_without_room(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_up(c, 0);
	c->peer[0].take = 1;
	for (unsigned i = 0; i < 4; i++)
		r_slot(c, i, r_bytes(60 + i), 60 + i);
	assert_int_equal(c->peer[0].n, 1);
	assert_false(r_get(c, TSD0 + 4, 4) & TSD_OWN);
	c->peer[0].take = 2;
	loop_call(c->loop[0], (void (*)(void *))rtl_tx_resume, c->rtl);
	assert_int_equal(c->peer[0].n, 3);
	c->peer[0].take = 2;
	loop_call(c->loop[0], (void (*)(void *))rtl_tx_resume, c->rtl);
	assert_int_equal(c->peer[0].n, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(c->peer[0].kept[i].len, 60 + i);
	r_free(c);
}

/* The driver makes the check sequence itself: it does not go to the peer. */
static void crc_of_the_driver(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_up(c, 0);
	r_set(c, TCR, TCR_CRC, 4);
	r_slot(c, 0, r_bytes(64), 64);
	assert_int_equal(c->peer[0].kept[0].len, 60);
	r_free(c);
}

static void descriptors(void **state)
{
	struct rcard *c = r_make("");
	struct kept *k = c->peer[0].kept;

	(void)state;
	r_plus(c, 0, 1536);
	memcpy(r_mem(c, R_TXB, 200), r_bytes(200), 200);
	/* One of three pieces, one of an empty piece and a full one, one alone at the end. */
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | 20, 0, R_TXB);
	r_desc(c, R_TXR, 1, DESC_OWN | 30, 0, R_TXB + 20);
	r_desc(c, R_TXR, 2, DESC_OWN | DESC_LS | 10, 0, R_TXB + 50);
	r_desc(c, R_TXR, 3, DESC_OWN | DESC_FS | 0, 0, R_TXB);
	r_desc(c, R_TXR, 4, DESC_OWN | DESC_LS | 70, 0, R_TXB);
	r_desc(c, R_TXR, 5, DESC_OWN | DESC_EOR | DESC_FS | DESC_LS | 80, 0, R_TXB);
	assert_int_equal(c->peer[0].n, 0);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].n, 3);
	assert_int_equal(c->peer[0].batches, 1);
	assert_int_equal(k[0].len, 60);
	assert_int_equal(k[0].nvec, 4);
	assert_memory_equal(k[0].head, r_bytes(60), 60);
	assert_ptr_equal(k[0].where, r_mem(c, R_TXB, 1));
	assert_int_equal(k[1].len, 70);
	assert_int_equal(k[2].len, 80);
	assert_int_equal(r_status(c, R_TXR, 0), DESC_FS | 20);
	assert_int_equal(r_status(c, R_TXR, 5), DESC_EOR | DESC_FS | DESC_LS | 80);
	assert_int_equal(r_isr(c), INT_TOK | INT_TDU);
	/* The end of the ring: on with the first. */
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 61, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(k[3].len, 61);
	r_free(c);
}

static void incomplete_frame_waits(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_plus(c, 0, 1536);
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | 40, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].n, 0);
	assert_true(r_status(c, R_TXR, 0) & DESC_OWN);
	r_desc(c, R_TXR, 1, DESC_OWN | DESC_LS | 40, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].kept[0].len, 80);
	r_free(c);
}

static void high_priority_first(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_plus(c, 0, 1536);
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 60, 0, R_TXB);
	r_desc(c, R_HIR, 0, DESC_OWN | DESC_FS | DESC_LS | 90, 0, R_TXB);
	r_poll(c, HPQ | NPQ);
	assert_int_equal(c->peer[0].n, 2);
	assert_int_equal(c->peer[0].kept[0].len, 90);
	assert_int_equal(c->peer[0].kept[1].len, 60);
	r_free(c);
}

static void ring_without_room_at_the_peer(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_plus(c, 0, 1536);
	c->peer[0].take = 5;
	for (unsigned i = 0; i < 64; i++)
		r_desc(c, R_TXR, i, DESC_OWN | DESC_FS | DESC_LS | (60 + i), 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].n, 5);
	assert_false(r_status(c, R_TXR, 4) & DESC_OWN);
	assert_true(r_status(c, R_TXR, 5) & DESC_OWN);
	c->peer[0].take = UINT32_MAX;
	loop_call(c->loop[0], (void (*)(void *))rtl_tx_resume, c->rtl);
	assert_int_equal(c->peer[0].n, 64);
	/* 64 descriptors are a ring also without EOR. */
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 99, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].kept[64].len, 99);
	r_free(c);
}

static void bad_descriptors(void **state)
{
	static const struct {
		uint32_t cmd[2];
		uint64_t addr;
	} bad[] = {
		{{DESC_FS | DESC_LS | 60}, 0xf000000000000000},	 /* outside of memory */
		{{DESC_FS | DESC_LS | 60}, UINT64_MAX - 10},	 /* wraps */
		{{DESC_FS | DESC_LS | 0}, R_TXB},		 /* no bytes */
		{{DESC_FS | DESC_LS | 13}, R_TXB},		 /* too few */
		{{DESC_LS | 60}, R_TXB},			 /* no beginning */
		{{DESC_FS | 60, DESC_FS | DESC_LS | 60}, R_TXB}, /* two beginnings */
		{{DESC_FS | 0xffff, DESC_LS | 0xffff}, R_TXB},	 /* longer than any frame */
	};
	struct rcard *c = r_make("");

	(void)state;
	for (unsigned t = 0; t < ARRAY_SIZE(bad); t++) {
		uint64_t drops = r_drops(c);
		unsigned n = c->peer[0].n;

		r_plus(c, 0, 1536);
		/* A good one before it and one behind it. */
		r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 60, 0, R_TXB);
		r_desc(c, R_TXR, 1, DESC_OWN | bad[t].cmd[0], 0, bad[t].addr);
		if (bad[t].cmd[1])
			r_desc(c, R_TXR, 2, DESC_OWN | bad[t].cmd[1], 0, bad[t].addr);
		r_desc(c, R_TXR, 3, DESC_OWN | DESC_FS | DESC_LS | 61, 0, R_TXB);
		if (!bad[t].cmd[1])
			r_desc(c, R_TXR, 2, DESC_OWN | DESC_FS | DESC_LS | 62, 0, R_TXB);
		r_poll(c, NPQ);
		assert_int_equal(r_drops(c), drops + 1);
		assert_int_equal(c->peer[0].n, n + (t == 6 ? 2 : 3));
		assert_int_equal(c->peer[0].kept[(c->peer[0].n - 1) % CARD_KEPT].len, 61);
		assert_int_equal(r_status(c, R_TXR, 1) >> 23 & 0x101, 1);
		assert_true(r_isr(c) & INT_TER);
	}
	r_free(c);
}

/* A ring of descriptors that never ends a frame, one that lies nowhere: the card survives. */
static void rings_that_loop(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_plus(c, 0, 1536);
	for (unsigned i = 0; i < 64; i++)
		r_desc(c, R_TXR, i, DESC_OWN | (i ? 0 : DESC_FS) | 100, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].n, 0);
	assert_int_equal(r_drops(c), 1);
	r_plus(c, 0, 1536);
	/* One descriptor, again and again the same. */
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_EOR | DESC_FS | 100, 0, R_TXB);
	r_poll(c, NPQ);
	r_set(c, TSAD0 + 4, 0xffffffff, 4);
	r_set(c, TSAD0, 0xffffffff, 4);
	r_poll(c, NPQ);
	assert_true(r_isr(c) & INT_SERR);
	r_set(c, RDSAR + 4, 0xffffffff, 4);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	r_plus(c, 0, 1536);
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 60, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].n, 1);
	r_free(c);
}

/* IP header of a kept frame is right, and the TCP or UDP checksum field holds the pseudo sum. */
static void check_partial(const struct kept *k, unsigned l3, uint32_t len, bool tcp)
{
	const uint8_t *ip = k->head + l3;
	uint32_t src, dst;
	uint16_t want, got;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	assert_int_equal(get_be16(ip + 2), 20 + len);
	assert_int_equal(csum_fold(csum_add(0, ip, 20)), 0);
	assert_int_equal(k->off.flags, NET_F_NEEDS_CSUM);
	assert_int_equal(k->off.csum_start, l3 + 20);
	assert_int_equal(k->off.csum_offset, tcp ? 16 : 6);
	want = csum_fold_raw(csum_pseudo4(src, dst, tcp ? 6 : 17, (uint16_t)len));
	memcpy(&got, ip + 20 + (tcp ? 16 : 6), 2);
	assert_int_equal(got, want);
}

static void checksum_offload(void **state)
{
	struct rcard *c = r_make("");
	struct kept *k = c->peer[0].kept;
	uint8_t *b;

	(void)state;
	r_plus(c, 0, 1536);
	b = r_mem(c, R_TXB, 2000);
	for (unsigned i = 0; i < 2; i++) {
		uint32_t len = r_packet(b, 100, !i);

		r_desc(c, R_TXR, i,
		       DESC_OWN | DESC_FS | DESC_LS | 0x40000 | (i ? 0x20000 : 0x10000) | len, 0,
		       R_TXB);
		r_poll(c, NPQ);
		assert_int_equal(k[i].len, len);
		check_partial(&k[i], 14, (i ? 8 : 20) + 100, !i);
	}
	/* What the guest has in memory stays as it is. */
	assert_int_equal(get_be16(b + 24), 0);
	/* Only the IP header. */
	r_packet(b, 100, true);
	r_desc(c, R_TXR, 2, DESC_OWN | DESC_FS | DESC_LS | 0x40000 | 154, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(k[2].off.flags, 0);
	assert_int_equal(csum_fold(csum_add(0, k[2].head + 14, 20)), 0);
	/* Padding behind a short packet is no part of the checksum. */
	r_packet(b, 2, false);
	r_desc(c, R_TXR, 3, DESC_OWN | DESC_FS | DESC_LS | 0x60000 | 60, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(k[3].len, 44);
	check_partial(&k[3], 14, 10, false);
	/* Not IP: as it is. */
	memcpy(b, r_bytes(100), 100);
	r_desc(c, R_TXR, 4, DESC_OWN | DESC_FS | DESC_LS | 0x70000 | 100, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(k[4].off.flags, 0);
	assert_memory_equal(k[4].head, b, 64);
	/* A fragment has no transport header to check. */
	r_packet(b, 100, false);
	b[20] = 0x20;
	r_desc(c, R_TXR, 5, DESC_OWN | DESC_FS | DESC_LS | 0x60000 | 142, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(k[5].off.flags, 0);
	assert_int_equal(k[5].len, 142);
	r_free(c);
}

static void large_send(void **state)
{
	struct rcard *c = r_make("");
	struct kept *k = c->peer[0].kept;
	uint32_t len;

	(void)state;
	r_plus(c, 0, 1536);
	len = r_packet(r_mem(c, R_TXB, 20000), 10000, true);
	/* In two pieces; the header's length is that of nothing in particular. */
	put_be16(r_mem(c, R_TXB + 16, 2), 0);
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | 0x08000000 | 1460u << 16 | 100, 0, R_TXB);
	r_desc(c, R_TXR, 1, DESC_OWN | DESC_LS | 0x08000000 | 1460u << 16 | (len - 100), 0,
	       R_TXB + 100);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(k->len, len);
	check_partial(k, 14, 10020, true);
	assert_int_equal(k->off.gso_type, NET_GSO_TCPV4);
	assert_int_equal(k->off.gso_size, 1460);
	assert_int_equal(k->off.hdr_len, 54);
	/* The segment size is where errors would be. */
	assert_int_equal(r_status(c, R_TXR, 0), DESC_FS | 100);
	/* No TCP, no segment size: nothing that can be sent. */
	len = r_packet(r_mem(c, R_TXB, 20000), 3000, false);
	r_desc(c, R_TXR, 2, DESC_OWN | DESC_FS | DESC_LS | 0x08000000 | 1460u << 16 | len, 0,
	       R_TXB);
	r_poll(c, NPQ);
	len = r_packet(r_mem(c, R_TXB, 20000), 3000, true);
	r_desc(c, R_TXR, 3, DESC_OWN | DESC_FS | DESC_LS | 0x08000000 | len, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(r_drops(c), 2);
	/* A peer without offloads gets segments. */
	c->peer[0].offloads = 0;
	c->nic->port.peer_caps.offloads = 0;
	r_desc(c, R_TXR, 4, DESC_OWN | DESC_FS | DESC_LS | 0x08000000 | 1460u << 16 | len, 0,
	       R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(c->peer[0].n, 4);
	assert_int_equal(k[3].len, 54 + 80);
	r_free(c);
}

static void vlan_insertion(void **state)
{
	struct rcard *c = r_make("");
	struct kept *k = c->peer[0].kept;
	uint8_t *b;
	uint32_t len;

	(void)state;
	r_plus(c, 0, 1536);
	b = r_mem(c, R_TXB, 2000);
	memcpy(b, r_bytes(100), 100);
	/* Tag 0x0123, in network order. */
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 100, 0x20000 | 0x2301, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(k->len, 104);
	assert_memory_equal(k->head, b, 12);
	assert_int_equal(get_be32(k->head + 12), 0x81000123);
	assert_memory_equal(k->head + 16, b + 12, 48);
	/* With a large send. */
	len = r_packet(b, 1800, true);
	r_desc(c, R_TXR, 1, DESC_OWN | DESC_FS | DESC_LS | 0x08000000 | 500u << 16 | len,
	       0x20000 | 0x2301, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(k[1].len, len + 4);
	check_partial(&k[1], 18, 1820, true);
	assert_int_equal(k[1].off.hdr_len, 58);
	r_free(c);
}

static void loopback(void **state)
{
	struct rcard *c = r_make("");
	uint8_t *rx;
	uint32_t len;

	(void)state;
	r_up(c, 0);
	r_set(c, TCR, TCR_LBK, 4);
	r_slot(c, 0, r_bytes(100), 100);
	assert_int_equal(c->peer[0].n, 0);
	assert_int_equal(r_isr(c), INT_TOK | INT_ROK);
	rx = r_mem(c, R_RXBUF, 200);
	assert_int_equal(get_le32(rx), 104u << 16 | 0x2001);
	assert_memory_equal(rx + 4, r_bytes(100), 100);
	/* Nothing comes in from outside. */
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_isr(c), 0);
	/* A checksum is complete when it comes back. */
	r_plus(c, CPCR_CSUM, 1536);
	r_set(c, TCR, TCR_LBK, 4);
	len = r_packet(r_mem(c, R_TXB, 2000), 100, false);
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 0x60000 | len, 0, R_TXB);
	r_poll(c, NPQ);
	assert_int_equal(r_status(c, R_RXR, 0), DESC_FS | DESC_LS | 0x01020000 | (len + 4));
	r_free(c);
}

/* Without a wire, and with the link down, the guest's frames go nowhere, but they go. */
static void no_wire(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	net_set_link(&c->nic->port, false);
	r_up(c, 0);
	r_slot(c, 0, r_bytes(60), 60);
	assert_true(r_get(c, TSD0, 4) & TSD_OWN);
	assert_int_equal(r_drops(c), 1);
	net_unjoin(&c->nic->port);
	r_slot(c, 1, r_bytes(60), 60);
	assert_true(r_get(c, TSD0 + 4, 4) & TSD_OWN);
	r_plus(c, 0, 1536);
	for (unsigned i = 0; i < 64; i++)
		r_desc(c, R_TXR, i, DESC_OWN | DESC_FS | DESC_LS | 60, 0, R_TXB);
	r_poll(c, NPQ);
	assert_false(r_status(c, R_TXR, 63) & DESC_OWN);
	r_free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(slots_in_turn),
		T(slot_out_of_turn_waits),
		T(slots_of_nonsense),
		T(peer_without_room),
		T(crc_of_the_driver),
		T(descriptors),
		T(incomplete_frame_waits),
		T(high_priority_first),
		T(ring_without_room_at_the_peer),
		T(bad_descriptors),
		T(rings_that_loop),
		T(checksum_offload),
		T(large_send),
		T(vlan_insertion),
		T(loopback),
		T(no_wire),
	};

	return cmocka_run_group_tests_name("rtl8139_tx", tests, NULL, NULL);
}
