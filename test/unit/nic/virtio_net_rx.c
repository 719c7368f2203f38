/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net, peer to guest: copied and lent, with and without mergeable buffers, with too few
 * and with bad ones.
 */
#include "card.h"

#define MRG	(V1 | BIT(MRG_RXBUF))
#define OFFLOAD (BIT(GUEST_CSUM) | BIT(GUEST_TSO4) | BIT(GUEST_TSO6) | BIT(GUEST_ECN))

static const struct net_offload tso = {
	.flags = NET_F_NEEDS_CSUM,
	.gso_type = NET_GSO_TCPV4,
	.hdr_len = 54,
	.gso_size = 1448,
	.csum_start = 34,
	.csum_offset = 16,
};

static struct virtio_net_hdr_mrg_rxbuf header(struct card *c, unsigned i)
{
	struct virtio_net_hdr_mrg_rxbuf h = {0};

	memcpy(&h, card_buf(c, i), c->hdr_len);
	return h;
}

static void expect_used(struct card *c, uint32_t want_id, uint32_t want_len)
{
	uint32_t id = 0, len = 0;

	assert_true(ring_used(&c->r[0], &id, &len));
	assert_int_equal(id, want_id);
	assert_int_equal(len, want_len);
}

/* --- copied --------------------------------------------------------------------------------- */

static void push_one(uint64_t features)
{
	struct card *c = card_make("");

	card_up(c, features);
	card_post(c, 0, 1526);
	assert_int_equal(card_push_one(c, card_bcast, 100, NULL), 1);
	expect_used(c, 0, c->hdr_len + 100);
	assert_true(card_content(card_buf(c, 0) + c->hdr_len, 0, 100));
	assert_int_equal(card_buf(c, 0)[c->hdr_len + 100], 0xee);
	assert_int_equal(header(c, 0).hdr.flags, 0);
	assert_int_equal(header(c, 0).num_buffers, c->hdr_len == 12);
	card_free(c);
}

static void push_plain(void **state)
{
	(void)state;
	push_one(V1);
}

static void push_legacy(void **state)
{
	(void)state;
	push_one(0);
}

static void push_mergeable(void **state)
{
	(void)state;
	push_one(MRG);
}

static void push_mergeable_legacy(void **state)
{
	(void)state;
	push_one(BIT(MRG_RXBUF));
}

static void push_over_mergeable_buffers(void **state)
{
	struct card *c = card_make("");

	(void)state;
	pc_msix_on(&c->pc, c->pci);
	card_up(c, MRG | OFFLOAD);
	for (unsigned i = 0; i < 50; i++)
		card_post(c, i, 1536);
	assert_int_equal(card_push_one(c, card_bcast, 65000, &tso), 1);
	/* 65012 = 42 * 1536 + 500 */
	for (unsigned i = 0; i < 42; i++)
		expect_used(c, i, 1536);
	expect_used(c, 42, 500);
	assert_int_equal(card_done(c, 0), 0);
	assert_int_equal(header(c, 0).num_buffers, 43);
	assert_int_equal(header(c, 0).hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(header(c, 0).hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(header(c, 0).hdr.gso_size, 1448);
	assert_int_equal(header(c, 0).hdr.hdr_len, 54);
	assert_int_equal(header(c, 0).hdr.csum_start, 34);
	assert_int_equal(header(c, 0).hdr.csum_offset, 16);
	assert_true(card_content(card_buf(c, 0) + 12, 0, 1524));
	assert_true(card_content(card_buf(c, 41), 1524 + 40 * 1536, 1536));
	assert_true(card_content(card_buf(c, 42), 1524 + 41 * 1536, 500));
	assert_int_equal(c->pc.msis[0], 1);
	card_free(c);
}

/* A driver with USO gets the frame whole, one without gets datagrams. */
static void push_uso(void **state)
{
	const struct net_offload off = {
		.flags = NET_F_NEEDS_CSUM,
		.gso_type = NET_GSO_UDP_L4,
		.hdr_len = 42,
		.gso_size = 600,
		.csum_start = 34,
		.csum_offset = 6,
	};
	uint8_t udp[42 + 1500] = {[12] = 0x08, [14] = 0x45, [23] = 17};
	struct iovec vec[2] = {{0}, {udp, sizeof(udp)}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = sizeof(udp), .off = off};
	struct card *c = card_make("");

	(void)state;
	memset(udp, 0xff, 6);
	for (unsigned on = 0; on < 2; on++) {
		card_up(c, MRG | BIT(GUEST_CSUM) | (on ? BIT(GUEST_USO4) | BIT(GUEST_USO6) : 0));
		for (unsigned i = 0; i < 4; i++)
			card_post(c, i, 2048);
		assert_int_equal(card_push(c, &f, 1), 1);
		if (on) {
			expect_used(c, 0, 12 + 1542);
			assert_int_equal(header(c, 0).hdr.gso_type, NET_GSO_UDP_L4);
			assert_int_equal(header(c, 0).hdr.gso_size, 600);
			assert_int_equal(header(c, 0).hdr.hdr_len, 42);
		} else {
			expect_used(c, 0, 12 + 642);
			expect_used(c, 1, 12 + 642);
			expect_used(c, 2, 12 + 342);
			assert_int_equal(header(c, 2).hdr.gso_type, 0);
			assert_int_equal(header(c, 2).hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		}
		assert_int_equal(card_done(c, 0), 0);
	}
	assert_int_equal(card_drops(c), 0);
	card_free(c);
}

static void push_into_pieces(void **state)
{
	struct card *c = card_make("");

	(void)state;
	/* The header alone in a descriptor, as legacy drivers have it, and split. */
	card_up(c, 0);
	ring_desc(&c->r[0], 0, card_gpa(0), 10, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	ring_desc(&c->r[0], 1, card_gpa(1), 1514, VRING_DESC_F_WRITE, 0);
	ring_desc(&c->r[0], 2, card_gpa(2), 3, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 3);
	ring_desc(&c->r[0], 3, card_gpa(3), 30, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 4);
	ring_desc(&c->r[0], 4, card_gpa(4), 1500, VRING_DESC_F_WRITE, 0);
	ring_add(&c->r[0], 0);
	ring_add(&c->r[0], 2);
	assert_int_equal(card_push_one(c, card_bcast, 1000, NULL), 1);
	assert_int_equal(card_push_one(c, card_bcast, 1000, NULL), 1);
	expect_used(c, 0, 1010);
	expect_used(c, 2, 1010);
	assert_true(card_content(card_buf(c, 1), 0, 1000));
	assert_true(card_content(card_buf(c, 3) + 7, 0, 23));
	assert_true(card_content(card_buf(c, 4), 23, 977));
	card_free(c);
}

static void push_without_buffers_waits(void **state)
{
	struct card *c = card_make("");

	(void)state;
	for (unsigned event = 0; event < 2; event++) {
		unsigned resumes;

		card_up(c, MRG | (event ? EVENT : 0));
		resumes = c->peer[0].resumes;
		assert_int_equal(card_push_one(c, card_bcast, 2000, NULL), 0);
		/* One is not enough: it stays where it is and is used with the next one. */
		card_post(c, 0, 1536);
		card_kick(c, 0);
		assert_int_equal(c->peer[0].resumes, resumes + 1);
		assert_int_equal(card_push_one(c, card_bcast, 2000, NULL), 0);
		assert_int_equal(card_done(c, 0), 0);
		if (event)
			assert_int_equal(ring_avail_event(&c->r[0]), 1);
		else
			assert_false(ring_no_kicks(&c->r[0]));
		card_post(c, 1, 1536);
		card_kick(c, 0);
		assert_int_equal(c->peer[0].resumes, resumes + 2);
		assert_int_equal(card_push_one(c, card_bcast, 2000, NULL), 1);
		expect_used(c, 0, 1536);
		expect_used(c, 1, 476);
		/* Nobody waits: a kick resumes nobody. */
		card_kick(c, 0);
		assert_int_equal(c->peer[0].resumes, resumes + 2);
	}
	assert_int_equal(card_drops(c), 0);
	card_free(c);
}

static void push_takes_a_prefix(void **state)
{
	static uint8_t data[100] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct card *c = card_make("");
	struct iovec vec[5][2];
	struct net_frame f[5];

	(void)state;
	card_up(c, V1);
	for (unsigned i = 0; i < 5; i++) {
		vec[i][1] = (struct iovec){data, 60 + i};
		f[i] = (struct net_frame){.vec = vec[i], .nvec = 2, .len = 60 + i};
	}
	for (unsigned i = 0; i < 3; i++)
		card_post(c, i, 1526);
	assert_int_equal(card_push(c, f, 5), 3);
	for (unsigned i = 0; i < 3; i++)
		expect_used(c, i, 72 + i);
	card_free(c);
}

static void push_too_large_is_dropped(void **state)
{
	struct card *c = card_make("");

	(void)state;
	card_up(c, V1);
	card_post(c, 0, 200);
	assert_int_equal(card_push_one(c, card_bcast, 189, NULL), 1);
	assert_int_equal(card_done(c, 0), 0);
	assert_int_equal(card_drops(c), 1);
	assert_int_equal(card_push_one(c, card_bcast, 188, NULL), 1);
	expect_used(c, 0, 200);
	card_free(c);
}

/* A whole ring of mergeable buffers that cannot hold one frame must not stop the wire. */
static void push_larger_than_the_ring_is_dropped(void **state)
{
	struct card *c = card_make("rx_queue_size=64");
	struct ring r;

	(void)state;
	assert_true(mod_negotiate(&c->pc, c->pci, MRG));
	ring_init(&r, &c->pc.a.mem, TMEM_BASE, 4);
	mod_queue(&c->pc, c->pci, 0, &r, 0);
	mod_driver_ok(&c->pc, c->pci);
	for (unsigned i = 0; i < 4; i++) {
		ring_desc(&r, i, card_gpa(i), 100, VRING_DESC_F_WRITE, 0);
		ring_add(&r, (uint16_t)i);
	}
	assert_int_equal(card_push_one(c, card_bcast, 500, NULL), 1);
	assert_int_equal(card_drops(c), 1);
	assert_int_equal(card_push_one(c, card_bcast, 388, NULL), 1);
	assert_int_equal(ring_usedp(&r)->idx, 4);
	card_free(c);
}

static void push_without_driver_is_dropped(void **state)
{
	struct card *c = card_make("");

	(void)state;
	assert_int_equal(card_push_one(c, card_bcast, 100, NULL), 1);
	assert_int_equal(card_drops(c), 1);
	card_free(c);
}

static void offloads_not_negotiated_are_not_shown(void **state)
{
	struct card *c = card_make("");
	const struct net_offload valid = {.flags = NET_F_DATA_VALID};

	(void)state;
	card_up(c, V1);
	card_post(c, 0, 1526);
	assert_int_equal(card_push_one(c, card_bcast, 100, &valid), 1);
	assert_int_equal(header(c, 0).hdr.flags, 0);
	card_up(c, V1 | BIT(GUEST_CSUM));
	card_post(c, 0, 1526);
	assert_int_equal(card_push_one(c, card_bcast, 100, &valid), 1);
	assert_int_equal(header(c, 0).hdr.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	card_free(c);
}

static void short_chain_needs_reset(void **state)
{
	struct card *c = card_make("");

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		card_up(c, MRG);
		/* Too short for the header; readable only. */
		ring_desc(&c->r[0], 0, card_gpa(0), i ? 100 : 11, i ? 0 : VRING_DESC_F_WRITE, 0);
		ring_add(&c->r[0], 0);
		assert_int_equal(card_push_one(c, card_bcast, 100, NULL), 1);
		assert_int_equal(mod_status(&c->pc, c->pci), 15 | 64);
		assert_int_equal(c->vnet->v.breakages, i + 1);
		assert_int_equal(card_done(c, 0), 0);
	}
	card_free(c);
}

/* --- lent ----------------------------------------------------------------------------------- */

struct lending {
	struct card *c;
	uint32_t room;
	unsigned n, got;
	uint32_t commit[NET_BATCH];
	struct net_offload off;
	struct net_slot s[NET_BATCH];
	bool push_between; /* a copied frame between lend and commit */
};

static void fill(struct net_slot *s, uint32_t len)
{
	static uint8_t data[NET_FRAME_MAX];

	for (unsigned i = 0; i < len; i++)
		data[i] = (uint8_t)i;
	memset(data, 0xff, 6);
	data[12] = 8;
	data[13] = 0;
	assert_int_equal(iov_write(s->f.vec + 1, s->f.nvec - 1, 0, data, len), len);
}

static void do_lend(void *arg)
{
	struct lending *l = arg;
	struct net_port *p = &l->c->peer[0].port;
	uint8_t small[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct iovec vec[2] = {{0}, {small, 60}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = 60};

	assert_true(net_may_lend(p, 0));
	l->got = net_lend(p, 0, l->room, l->s, l->n);
	for (unsigned i = 0; i < l->got; i++) {
		assert_true(l->s[i].f.len >= l->room && l->s[i].f.len);
		assert_true(l->s[i].f.nvec >= 2 && l->s[i].f.nvec <= NET_VEC_MAX);
		assert_int_equal(iov_size(l->s[i].f.vec + 1, l->s[i].f.nvec - 1), l->s[i].f.len);
		/* The entry in front is the borrower's. */
		l->s[i].f.vec[0] = (struct iovec){small, 1};
		if (l->commit[i])
			fill(&l->s[i], l->commit[i]);
		l->s[i].f.len = l->commit[i];
		l->s[i].f.off = l->off;
	}
	if (l->push_between)
		assert_int_equal(net_push(p, 0, &f, 1), 1);
	net_commit(p, 0, l->s, l->got);
}

static void lend(struct lending *l)
{
	loop_call(l->c->loop[0], do_lend, l);
}

static void lend_writes_into_guest_memory(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 1514, .n = 1, .commit = {900}};

	(void)state;
	for (unsigned mrg = 0; mrg < 2; mrg++) {
		card_up(c, mrg ? MRG : V1);
		card_post(c, 0, 1526);
		lend(&l);
		assert_int_equal(l.got, 1);
		assert_int_equal(l.s[0].f.nvec, 2);
		assert_ptr_equal(l.s[0].f.vec[1].iov_base, card_buf(c, 0) + 12);
		expect_used(c, 0, 912);
		assert_int_equal(header(c, 0).num_buffers, 1);
		assert_true(card_content(card_buf(c, 0) + 12, 0, 900));
	}
	card_free(c);
}

static void lend_legacy_header(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 1514, .n = 1, .commit = {900}};

	(void)state;
	card_up(c, 0);
	ring_desc(&c->r[0], 0, card_gpa(0), 10, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	ring_desc(&c->r[0], 1, card_gpa(1), 1514, VRING_DESC_F_WRITE, 0);
	ring_add(&c->r[0], 0);
	memset(card_buf(c, 0), 0xee, 10);
	lend(&l);
	assert_int_equal(l.got, 1);
	expect_used(c, 0, 910);
	assert_true(card_content(card_buf(c, 1), 0, 900));
	assert_int_equal(header(c, 0).hdr.flags, 0);
	assert_int_equal(header(c, 0).hdr.csum_start, 0);
	card_free(c);
}

static void lend_64k_over_mergeable_buffers(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 65600, .n = 2, .commit = {65000, 3000}, .off = tso};

	(void)state;
	card_up(c, MRG | OFFLOAD);
	for (unsigned i = 0; i < 100; i++)
		card_post(c, i, 1536);
	/* No frame is longer than NET_FRAME_MAX, so no more room than that is lent. */
	l.room = NET_FRAME_MAX;
	lend(&l);
	assert_int_equal(l.got, 2);
	for (unsigned i = 0; i < 42; i++)
		expect_used(c, i, 1536);
	expect_used(c, 42, 500);
	/* The second slot began with chain 43. */
	expect_used(c, 43, 1536);
	expect_used(c, 44, 1476);
	assert_int_equal(card_done(c, 0), 0);
	assert_int_equal(header(c, 0).num_buffers, 43);
	assert_int_equal(header(c, 43).num_buffers, 2);
	assert_int_equal(header(c, 0).hdr.gso_size, 1448);
	assert_true(card_content(card_buf(c, 30), 1524 + 29 * 1536, 1536));
	/* What was not used comes next, in order: 45, 46, … */
	l = (struct lending){.c = c, .room = 1514, .n = 64};
	for (unsigned i = 0; i < 64; i++)
		l.commit[i] = 100 + i;
	lend(&l);
	assert_int_equal(l.got, 55);
	for (unsigned i = 0; i < 55; i++)
		expect_used(c, 45 + i, 112 + i);
	card_free(c);
}

static void lend_gives_back_what_is_not_used(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 0, .n = 64, .commit = {100, 200}};

	(void)state;
	card_up(c, MRG);
	for (unsigned i = 0; i < 20; i++)
		card_post(c, i, 1536);
	lend(&l);
	assert_int_equal(l.got, 20);
	expect_used(c, 0, 112);
	expect_used(c, 1, 212);
	assert_int_equal(card_done(c, 0), 0);
	memset(l.commit, 0, sizeof(l.commit));
	lend(&l);
	assert_int_equal(l.got, 18);
	assert_int_equal(card_done(c, 0), 0);
	/* Over and over, past the end of the ring's indexes; on this thread, which is faster. */
	loop_park(c->loop[0]);
	for (unsigned i = 0; i < 70000; i++) {
		card_post(c, i % 2 + 100, 1536);
		l.commit[0] = 100;
		l.n = 1 + i % 40;
		lend(&l);
		assert_int_equal(l.got, MIN(l.n, 19));
		assert_int_equal(card_done(c, 0), 1);
	}
	loop_unpark(c->loop[0]);
	assert_int_equal(c->vnet->v.breakages, 0);
	card_free(c);
}

static void lend_without_enough_waits(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 4000, .n = 4, .commit = {3000}};
	unsigned resumes;

	(void)state;
	lend(&l);
	assert_int_equal(l.got, 0); /* no driver yet … */
	card_up(c, MRG | EVENT);
	assert_int_equal(c->peer[0].resumes, 1); /* … now there is one */
	for (unsigned i = 0; i < 2; i++)
		card_post(c, i, 1536);
	resumes = c->peer[0].resumes;
	lend(&l);
	assert_int_equal(l.got, 0);
	assert_int_equal(ring_avail_event(&c->r[0]), 2);
	card_post(c, 2, 1536);
	card_kick(c, 0);
	assert_int_equal(c->peer[0].resumes, resumes + 1);
	lend(&l);
	assert_int_equal(l.got, 1);
	expect_used(c, 0, 1536);
	expect_used(c, 1, 1476);
	assert_int_equal(card_done(c, 0), 0);
	card_free(c);
}

static void lend_too_small_buffers_waits(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 4000, .n = 4, .commit = {3000}};
	unsigned resumes;

	(void)state;
	for (unsigned event = 0; event < 2; event++) {
		card_up(c, V1 | (event ? EVENT : 0));
		for (unsigned i = 0; i < 3; i++)
			card_post(c, i, 1526);
		lend(&l);
		assert_int_equal(l.got, 0);
		if (event)
			assert_int_equal(ring_avail_event(&c->r[0]), 3);
		resumes = c->peer[0].resumes;
		card_post(c, 3, 1526);
		card_kick(c, 0);
		assert_int_equal(c->peer[0].resumes, resumes + 1);
	}
	card_free(c);
}

static void lend_in_tiny_pieces_waits(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 4000, .n = 4, .commit = {3000}};

	(void)state;
	card_up(c, MRG);
	for (unsigned i = 0; i < 200; i++)
		card_post(c, i, 40);
	lend(&l);
	assert_int_equal(l.got, 0);
	/* Copying has no such limit. */
	assert_int_equal(card_push_one(c, card_bcast, 4000, NULL), 1);
	assert_int_equal(card_done(c, 0), 101);
	card_free(c);
}

static void push_between_lend_and_commit(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 1514, .n = 2, .commit = {500}, .push_between = true};

	(void)state;
	card_up(c, MRG);
	for (unsigned i = 0; i < 4; i++)
		card_post(c, i, 1536);
	lend(&l);
	expect_used(c, 2, 72);
	expect_used(c, 0, 512);
	l.push_between = false;
	lend(&l);
	expect_used(c, 1, 512);
	card_free(c);
}

static void commit_passes_the_filter(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 1514, .n = 2, .commit = {500}};

	(void)state;
	card_up(c, MRG);
	c->vnet->filter.nobcast = true;
	card_post(c, 0, 1536);
	lend(&l);
	assert_int_equal(card_done(c, 0), 0);
	assert_int_equal(card_drops(c), 1);
	c->vnet->filter.nobcast = false;
	lend(&l);
	expect_used(c, 0, 512);
	card_free(c);
}

static void lend_from_a_broken_ring(void **state)
{
	struct card *c = card_make("");
	struct lending l = {.c = c, .room = 1514, .n = 8, .commit = {500}};

	(void)state;
	card_up(c, MRG);
	card_post(c, 0, 1536);
	ring_add(&c->r[0], 0xfff);
	lend(&l);
	assert_int_equal(mod_status(&c->pc, c->pci), 15 | 64);
	lend(&l);
	assert_int_equal(l.got, 0);
	card_up(c, MRG);
	card_post(c, 0, 1536);
	lend(&l);
	assert_int_equal(l.got, 1);
	expect_used(c, 0, 512);
	card_free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(push_plain),
		T(push_legacy),
		T(push_mergeable),
		T(push_mergeable_legacy),
		T(push_over_mergeable_buffers),
		T(push_uso),
		T(push_into_pieces),
		T(push_without_buffers_waits),
		T(push_takes_a_prefix),
		T(push_too_large_is_dropped),
		T(push_larger_than_the_ring_is_dropped),
		T(push_without_driver_is_dropped),
		T(offloads_not_negotiated_are_not_shown),
		T(short_chain_needs_reset),
		T(lend_writes_into_guest_memory),
		T(lend_legacy_header),
		T(lend_64k_over_mergeable_buffers),
		T(lend_gives_back_what_is_not_used),
		T(lend_without_enough_waits),
		T(lend_too_small_buffers_waits),
		T(lend_in_tiny_pieces_waits),
		T(push_between_lend_and_commit),
		T(commit_passes_the_filter),
		T(lend_from_a_broken_ring),
	};

	int bad = cmocka_run_group_tests_name("virtio_net_rx", tests, NULL, NULL);

	card_packed = true;
	return bad + cmocka_run_group_tests_name("virtio_net_rx, packed", tests, NULL, NULL);
}
