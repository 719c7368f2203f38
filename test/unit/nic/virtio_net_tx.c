/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net, guest to peer: the frames arrive, straight from guest memory, and only good ones. */
#include "card.h"

#define ALL_TX (V1 | BIT(CSUM) | BIT(HOST_TSO4) | BIT(HOST_TSO6) | BIT(HOST_ECN))

static void one_descriptor(void **state)
{
	struct card *c = card_make("");
	struct kept *k = c->peer[0].kept;

	(void)state;
	card_up(c, V1);
	card_send(c, 0, NULL, 60, 7);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(k->len, 60);
	/* Nothing was copied. */
	assert_ptr_equal(k->where, card_buf(c, 0) + 12);
	assert_int_equal(card_done(c, 1), 1);
	assert_int_equal(c->nic->port.stats[0].tx_bytes, 60);
	card_free(c);
}

static void legacy_header_is_10_bytes(void **state)
{
	struct card *c = card_make("");

	(void)state;
	card_up(c, 0);
	card_send(c, 0, NULL, 60, 7);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].kept[0].len, 60);
	assert_int_equal(c->peer[0].kept[0].head[59], 7);
	card_free(c);
}

/* A driver that only sends: the header's length does not hang on the receive queue. */
static void transmit_queue_alone(void **state)
{
	struct card *c = card_make("");

	(void)state;
	c->hdr_len = 12;
	assert_true(mod_negotiate(&c->pc, c->pci, V1));
	ring_init(&c->r[1], &c->pc.a.mem, TMEM_BASE, CARD_RING);
	mod_queue(&c->pc, c->pci, 1, &c->r[1], 1);
	mod_driver_ok(&c->pc, c->pci);
	card_send(c, 0, NULL, 60, 7);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(c->peer[0].kept[0].len, 60);
	card_free(c);
}

/* ANY_LAYOUT (2.7.4): the header may end anywhere. */
static void header_in_any_layout(void **state)
{
	static const unsigned cuts[][3] = {{12, 30, 18}, {5, 7, 48}, {1, 1, 58}, {20, 20, 20}};
	struct card *c = card_make("");

	(void)state;
	card_up(c, V1);
	for (unsigned t = 0; t < ARRAY_SIZE(cuts); t++) {
		uint8_t *b = card_buf(c, 0);
		uint64_t at = card_gpa(0);

		memset(b, 0, 12);
		for (unsigned i = 0; i < 48; i++)
			b[12 + i] = (uint8_t)i;
		for (unsigned i = 0; i < 3; i++) {
			ring_desc(&c->r[1], i, at, cuts[t][i], i < 2 ? VRING_DESC_F_NEXT : 0,
				  (uint16_t)(i + 1));
			at += cuts[t][i];
		}
		ring_add(&c->r[1], 0);
		card_kick(c, 1);
		assert_int_equal(c->peer[0].n, t + 1);
		assert_int_equal(c->peer[0].kept[t].len, 48);
		for (unsigned i = 0; i < 48; i++)
			assert_int_equal(c->peer[0].kept[t].head[i], i);
	}
	assert_int_equal(c->vnet->v.breakages, 0);
	card_free(c);
}

static void batch_has_one_interrupt(void **state)
{
	struct card *c = card_make("");

	(void)state;
	pc_msix_on(&c->pc, c->pci);
	card_up(c, V1);
	for (unsigned i = 0; i < 50; i++)
		card_send(c, i, NULL, 60 + i, 1);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 50);
	assert_int_equal(c->peer[0].batches, 1);
	assert_int_equal(card_done(c, 1), 50);
	assert_int_equal(c->pc.msis[1], 1);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(c->peer[0].kept[i].len, 60 + i);
	card_free(c);
}

static void full_ring_is_sent_in_batches(void **state)
{
	struct card *c = card_make("tx_queue_size=256");

	(void)state;
	card_up(c, V1 | EVENT | INDIRECT);
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 256; i++)
			card_send(c, i, NULL, 60, (uint8_t)round);
		card_kick(c, 1);
		assert_int_equal(card_done(c, 1), 256);
	}
	assert_int_equal(c->peer[0].n, 300 * 256);
	card_free(c);
}

static void resume_peer(void *arg)
{
	struct card *c = arg;

	net_resume(&c->peer[0].port, 0);
}

static void short_push_waits_for_resume(void **state)
{
	struct card *c = card_make("");

	(void)state;
	for (unsigned event = 0; event < 2; event++) {
		unsigned n0 = c->peer[0].n;

		card_up(c, V1 | (event ? EVENT : 0));
		c->peer[0].take = 3;
		for (unsigned i = 0; i < 10; i++)
			card_send(c, i, NULL, 60, (uint8_t)i);
		card_kick(c, 1);
		assert_int_equal(c->peer[0].n, n0 + 3);
		assert_int_equal(card_done(c, 1), 3);
		/* No kick is wanted now, and one that comes nevertheless does nothing. */
		if (!event)
			assert_true(ring_no_kicks(&c->r[1]));
		card_send(c, 10, NULL, 60, 10);
		unsigned batches = c->peer[0].batches;

		card_kick(c, 1);
		assert_int_equal(c->peer[0].batches, batches);
		c->peer[0].take = UINT32_MAX;
		loop_call(c->loop[0], resume_peer, c);
		pc_sync(c->loop[0]);
		assert_int_equal(c->peer[0].n, n0 + 11);
		assert_int_equal(card_done(c, 1), 8);
		for (unsigned i = 0; i < 11; i++)
			assert_int_equal(c->peer[0].kept[n0 + i].head[20], i);
		if (!event)
			assert_false(ring_no_kicks(&c->r[1]));
	}
	card_free(c);
}

static void reset_while_stalled(void **state)
{
	struct card *c = card_make("");

	(void)state;
	card_up(c, V1);
	c->peer[0].take = 0;
	card_send(c, 0, NULL, 60, 1);
	card_kick(c, 1);
	card_up(c, V1);
	c->peer[0].take = UINT32_MAX;
	assert_int_equal(c->peer[0].n, 0);
	card_send(c, 0, NULL, 70, 2);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(c->peer[0].kept[0].len, 70);
	card_free(c);
}

/* A chain of more pieces than a frame may have is copied, two of them in one batch. */
static void many_pieces(void **state)
{
	struct card *c = card_make("");
	uint8_t *b = card_buf(c, 0);

	(void)state;
	card_up(c, V1);
	memset(b, 0, 12);
	for (unsigned i = 0; i < 1200; i++)
		b[12 + i] = (uint8_t)i;
	for (unsigned i = 0; i < 240; i++) {
		bool last = i % 120 == 119;

		ring_desc(&c->r[1], i, card_gpa(0) + i % 120 * 10 + (i % 120 ? 2 : 0),
			  i % 120 ? 10 : 12, last ? 0 : VRING_DESC_F_NEXT, (uint16_t)(i + 1));
	}
	ring_add(&c->r[1], 0);
	ring_add(&c->r[1], 120);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 2);
	assert_int_equal(card_done(c, 1), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(c->peer[0].kept[i].len, 1190);
		assert_int_equal(c->peer[0].kept[i].head[40], 40);
	}
	card_free(c);
}

static void offloads_are_passed_on(void **state)
{
	struct card *c = card_make("");
	const struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
		.hdr_len = 54,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
	};
	const struct net_offload *o = &c->peer[0].kept[0].off;

	(void)state;
	card_up(c, ALL_TX);
	card_send(c, 0, &h, 65000, 1);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].kept[0].len, 65000);
	assert_int_equal(o->flags, NET_F_NEEDS_CSUM);
	assert_int_equal(o->gso_type, NET_GSO_TCPV4 | NET_GSO_ECN);
	assert_int_equal(o->gso_size, 1448);
	assert_int_equal(o->hdr_len, 54);
	assert_int_equal(o->csum_start, 34);
	assert_int_equal(o->csum_offset, 16);
	card_free(c);
}

/* Writes a UDP datagram of n bytes of payload behind the header of transmit chain 0. */
static void send_udp(struct card *c, uint16_t gso_size, unsigned n)
{
	const struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = NET_GSO_UDP_L4,
		.hdr_len = 42,
		.gso_size = gso_size,
		.csum_start = 34,
		.csum_offset = 6,
	};
	uint8_t *b = card_buf(c, 0) + c->hdr_len;

	card_send(c, 0, &h, 42 + n, 9);
	put_be16(b + 12, 0x0800);
	b[14] = 0x45;
	put_be16(b + 14 + 2, (uint16_t)(28 + n));
	put_be16(b + 14 + 6, 0);
	b[14 + 9] = 17;
	put_be16(b + 34 + 4, (uint16_t)(8 + n));
	card_kick(c, 1);
}

/* To a peer that takes it whole; and, when the wire was changed, to one that takes nothing. */
static void uso(void **state)
{
	struct card *c = card_make("");
	const struct net_offload *o = &c->peer[0].kept[0].off;

	(void)state;
	card_up(c, ALL_TX | BIT(HOST_USO));
	send_udp(c, 1000, 2500);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(c->peer[0].kept[0].len, 2542);
	assert_int_equal(o->gso_type, NET_GSO_UDP_L4);
	assert_int_equal(o->gso_size, 1000);
	assert_int_equal(o->csum_offset, 6);
	net_unjoin(&c->nic->port);
	c->peer[1].offloads = 0;
	assert_int_equal(net_join(&c->nic->port, &c->peer[1].port, c->loop, 1, NULL), 0);
	send_udp(c, 1000, 2500);
	assert_int_equal(c->peer[1].n, 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct kept *k = &c->peer[1].kept[i];
		unsigned n = i < 2 ? 1000 : 500;

		assert_int_equal(k->len, 42 + n);
		assert_int_equal(k->off.flags, NET_F_DATA_VALID);
		assert_int_equal(k->off.gso_type, NET_GSO_NONE);
		assert_int_equal(get_be16(k->head + 14 + 2), 28 + n);
		assert_int_equal(get_be16(k->head + 34 + 4), 8 + n);
		assert_int_equal(get_be16(k->head + 14 + 4), 0x0909 + i); /* id */
	}
	assert_int_equal(card_drops(c), 0);
	card_free(c);
}

static void bad_headers_are_dropped(void **state)
{
	static const struct {
		uint64_t features;
		uint32_t len;
		struct virtio_net_hdr h;
	} bad[] = {
		{V1, 60, {1, 0, 0, 0, 34, 16}},				/* CSUM not negotiated */
		{ALL_TX, 60, {1, 0, 0, 0, 13, 16}},			/* in the Ethernet header */
		{ALL_TX, 60, {1, 0, 0, 0, 60, 16}},			/* starts behind the end */
		{ALL_TX, 60, {1, 0, 0, 0, 34, 25}},			/* ends behind the end */
		{ALL_TX, 60, {1, 0, 0, 0, 0xffff, 0xffff}},		/* sum over 16 bits */
		{ALL_TX, 1000, {1, 1, 54, 0, 34, 16}},			/* gso_size 0 */
		{ALL_TX, 1000, {0, 1, 54, 500, 34, 16}},		/* no NEEDS_CSUM */
		{ALL_TX, 1000, {1, 1, 1001, 500, 34, 16}},		/* hdr_len past the end */
		{ALL_TX, 1000, {1, 3, 54, 500, 34, 6}},			/* UFO */
		{ALL_TX, 1000, {1, 5, 42, 500, 34, 6}},			/* USO not negotiated */
		{ALL_TX | BIT(HOST_USO), 1000, {0, 5, 42, 500, 34, 6}}, /* no NEEDS_CSUM */
		{ALL_TX | BIT(HOST_USO), 1000, {1, 5, 42, 0, 34, 6}},
		{ALL_TX | BIT(HOST_USO), 1000, {1, 0x85, 42, 500, 34, 6}}, /* ECN is TCP's */
		{ALL_TX, 1000, {1, 0x7f, 54, 500, 34, 6}},		   /* nonsense */
		{V1 | BIT(CSUM), 1000, {1, 1, 54, 500, 34, 16}},	   /* TSO4 not negotiated */
		{V1 | BIT(CSUM) | BIT(HOST_TSO4), 1000, {1, 4, 74, 500, 54, 16}},    /* TSO6 */
		{V1 | BIT(CSUM) | BIT(HOST_TSO4), 1000, {1, 0x81, 54, 500, 34, 16}}, /* ECN */
		{V1, 13, {0}},
		{V1, NET_FRAME_MAX + 1, {0}},
	};
	struct card *c = card_make("");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		card_up(c, bad[i].features);
		card_send(c, 0, &bad[i].h, bad[i].len, 1);
		card_send(c, 1, NULL, 60, 1);
		card_kick(c, 1);
		/* The good one behind it is sent. */
		assert_int_equal(c->peer[0].n, i + 1);
		assert_int_equal(c->peer[0].kept[i].len, 60);
		assert_int_equal(card_drops(c), i + 1);
		assert_int_equal(card_done(c, 1), 2);
	}
	assert_int_equal(c->vnet->v.breakages, 0);
	card_free(c);
}

static void chain_shorter_than_header_needs_reset(void **state)
{
	struct card *c = card_make("");

	(void)state;
	card_up(c, V1);
	ring_desc(&c->r[1], 0, card_gpa(0), 11, 0, 0);
	ring_add(&c->r[1], 0);
	card_kick(c, 1);
	assert_int_equal(mod_status(&c->pc, c->pci), 15 | 64);
	assert_int_equal(c->vnet->v.breakages, 1);
	card_up(c, V1);
	card_send(c, 0, NULL, 60, 1);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 1);
	card_free(c);
}

static void link_down_drops(void **state)
{
	struct card *c = card_make("");

	(void)state;
	card_up(c, V1);
	net_set_link(&c->nic->port, false);
	card_send(c, 0, NULL, 60, 1);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 0);
	assert_int_equal(card_done(c, 1), 1);
	net_set_link(&c->nic->port, true);
	card_send(c, 0, NULL, 60, 1);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 1);
	card_free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_descriptor),
		T(legacy_header_is_10_bytes),
		T(transmit_queue_alone),
		T(header_in_any_layout),
		T(batch_has_one_interrupt),
		T(full_ring_is_sent_in_batches),
		T(short_push_waits_for_resume),
		T(reset_while_stalled),
		T(many_pieces),
		T(offloads_are_passed_on),
		T(uso),
		T(bad_headers_are_dropped),
		T(chain_shorter_than_header_needs_reset),
		T(link_down_drops),
	};

	int bad = cmocka_run_group_tests_name("virtio_net_tx", tests, NULL, NULL);

	card_packed = true;
	return bad + cmocka_run_group_tests_name("virtio_net_tx, packed", tests, NULL, NULL);
}
