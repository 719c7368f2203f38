/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums and segmentation in software, byte by byte against a plain reference: the test knows
 * where its headers are, writes each segment out in full and sums it up a byte at a time.
 */
#include "mock.h"

#include "net/prot.h"

struct spec {
	bool ip6, udp, ext, ecn;
	unsigned vlans, tcp_opt, payload, mss, piece;
	uint8_t flags;
};

struct packet {
	uint8_t b[NET_FRAME_MAX];
	unsigned l3, l4, hdr, len;
	struct iovec vec[NET_VEC_MAX];
	struct net_frame f;
};

struct wire {
	struct mock a, b;
	struct loop *loop;
	struct packet p;
	uint8_t seg[NET_FRAME_MAX];
};

static int set_up(void **state)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct err e = {0};

	mock_init(&w->a, "a", NET_CAP_OFFLOADS);
	mock_init(&w->b, "b", 0);
	w->loop = loop_new("test", NULL, &e);
	assert_non_null(w->loop);
	assert_int_equal(net_join(&w->a.port, &w->b.port, &w->loop, 1, &e), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct wire *w = *state;

	net_unjoin(&w->a.port);
	mock_clear(&w->a);
	mock_clear(&w->b);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void peer_takes(struct wire *w, uint32_t offloads)
{
	w->b.caps.offloads = offloads;
	net_caps_changed(&w->b.port);
}

/* --- the reference -------------------------------------------------------------------------- */

static uint32_t sum16(const uint8_t *b, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t ref_pseudo(const struct spec *s, const uint8_t *b, unsigned l3, uint32_t l4len)
{
	uint32_t sum = (uint32_t)(s->udp ? IP_UDP : IP_TCP) + (l4len >> 16) + (l4len & 0xffff);

	return s->ip6 ? sum16(b + l3 + 8, 32, sum) : sum16(b + l3 + 12, 8, sum);
}

static void make(struct packet *p, const struct spec *s)
{
	uint8_t *b = p->b;
	unsigned at = 12;

	memset(b, 0x22, 12);
	for (unsigned i = 0; i < s->vlans; i++, at += 4) {
		put_be16(b + at, i + 1 < s->vlans ? 0x88a8 : ETH_VLAN);
		put_be16(b + at + 2, 7);
	}
	put_be16(b + at, s->ip6 ? ETH_IP6 : ETH_IP4);
	p->l3 = at += 2;
	for (unsigned i = 0; i < 60; i++)
		b[at + i] = (uint8_t)(i * 7 + 1);
	if (s->ip6) {
		b[at] = 0x60;
		b[at + 6] = s->ext ? 0 : s->udp ? IP_UDP : IP_TCP;
		at += 40;
		if (s->ext) { /* hop-by-hop, then destination options of 16 bytes */
			memset(b + at, 1, 24);
			b[at] = 60;
			b[at + 1] = 0;
			b[at + 8] = s->udp ? IP_UDP : IP_TCP;
			b[at + 9] = 1;
			at += 24;
		}
	} else {
		b[at] = s->ext ? 0x46 : 0x45;
		put_be16(b + at + 4, 0xfffe); /* the id wraps */
		put_be16(b + at + 6, IP4_DF);
		b[at + 9] = s->udp ? IP_UDP : IP_TCP;
		at += s->ext ? 24 : 20;
	}
	p->l4 = at;
	memset(b + at, 0x5a, 60);
	if (s->udp) {
		at += 8;
	} else {
		put_be32(b + at + 4, 0xfffff000u); /* the sequence number wraps */
		b[at + 12] = (uint8_t)((20 + s->tcp_opt) / 4 << 4);
		b[at + 13] = s->flags;
		at += 20 + s->tcp_opt;
	}
	p->hdr = at;
	for (unsigned i = 0; i < s->payload; i++)
		b[at + i] = (uint8_t)(i * 31 + (i >> 8));
	p->len = at + s->payload;
	p->f = frame_over(p->vec, b, p->len, s->piece);
	p->f.off = (struct net_offload){
		.flags = NET_F_NEEDS_CSUM,
		.gso_type = (uint8_t)((s->udp	? NET_GSO_UDP_L4
				       : s->ip6 ? NET_GSO_TCPV6
						: NET_GSO_TCPV4) |
				      (s->ecn ? NET_GSO_ECN : 0)),
		.hdr_len = (uint16_t)at,
		.gso_size = (uint16_t)s->mss,
		.csum_start = (uint16_t)p->l4,
		.csum_offset = s->udp ? 6 : 16,
	};
}

/* Writes segment i to out; returns its length, 0 when there is none. */
static unsigned ref_segment(const struct packet *p, const struct spec *s, unsigned i, bool partial,
			    uint8_t *out)
{
	unsigned from = i * s->mss, n, l4len, field = p->l4 + (s->udp ? 6 : 16);
	uint32_t sum;

	if (from >= s->payload && i)
		return 0;
	n = MIN(s->mss, s->payload - from);
	l4len = p->hdr - p->l4 + n;
	memcpy(out, p->b, p->hdr);
	memcpy(out + p->hdr, p->b + p->hdr + from, n);
	if (s->ip6) {
		put_be16(out + p->l3 + 4, (uint16_t)(p->hdr + n - p->l3 - 40));
	} else {
		put_be16(out + p->l3 + 2, (uint16_t)(p->hdr + n - p->l3));
		put_be16(out + p->l3 + 4, (uint16_t)(0xfffe + i));
		put_be16(out + p->l3 + 10, 0);
		put_be16(out + p->l3 + 10, (uint16_t)~sum16(out + p->l3, p->l4 - p->l3, 0));
	}
	if (s->udp) {
		put_be16(out + p->l4 + 4, (uint16_t)l4len);
	} else {
		put_be32(out + p->l4 + 4, 0xfffff000u + from);
		if (from + n < s->payload)
			out[p->l4 + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (i)
			out[p->l4 + 13] &= (uint8_t)~TCP_CWR;
	}
	put_be16(out + field, 0);
	sum = ref_pseudo(s, out, p->l3, l4len);
	if (!partial) {
		sum = ~sum16(out + p->l4, l4len, sum) & 0xffff;
		if (!sum)
			sum = 0xffff;
	} else {
		sum = sum16(NULL, 0, sum);
	}
	put_be16(out + field, (uint16_t)sum);
	return p->hdr + n;
}

static void check_segments(struct wire *w, const struct spec *s, bool partial)
{
	unsigned n, i;

	for (i = 0; (n = ref_segment(&w->p, s, i, partial, w->seg)); i++) {
		const struct rec *r = mock_frame(&w->b, i);

		assert_int_equal(r->len, n);
		assert_memory_equal(r->b, w->seg, n);
		assert_int_equal(r->off.gso_type, 0);
		assert_int_equal(r->off.flags, partial ? NET_F_NEEDS_CSUM : NET_F_DATA_VALID);
		if (partial) {
			assert_int_equal(r->off.csum_start, w->p.l4);
			assert_int_equal(r->off.csum_offset, s->udp ? 6 : 16);
		}
	}
	assert_int_equal(w->b.n, i);
}

static const struct spec specs[] = {
	{.payload = 65000, .mss = 1448, .tcp_opt = 12, .flags = TCP_ACK | TCP_PSH | TCP_FIN},
	{.payload = 64000, .mss = 1448, .piece = 4096, .flags = TCP_ACK | TCP_CWR, .ecn = true},
	{.payload = 9000, .mss = 999, .piece = 137, .vlans = 1, .tcp_opt = 40},
	{.payload = 4000, .mss = 8, .ext = true, .vlans = 2},
	{.payload = 1448, .mss = 1448},
	{.payload = 1, .mss = 1448},
	{.payload = 0, .mss = 1448},
	{.payload = 2896, .mss = 1448, .flags = TCP_ACK | TCP_PSH},
	{.payload = 64000, .mss = 1428, .ip6 = true, .tcp_opt = 12, .flags = TCP_PSH},
	{.payload = 20001, .mss = 1001, .ip6 = true, .ext = true, .piece = 333},
	{.payload = 5000, .mss = 500, .ip6 = true, .ext = true, .vlans = 2, .tcp_opt = 40},
	{.payload = 60000, .mss = 1472, .udp = true},
	{.payload = 7777, .mss = 1111, .udp = true, .ip6 = true, .piece = 501},
	{.payload = 1000, .mss = 1472, .udp = true, .vlans = 1},
	{.payload = 509, .mss = 4, .udp = true}, /* small, but not many */
	{.payload = 128, .mss = 1, .udp = true, .ip6 = true, .ext = true},
};

static void segments_match_the_reference(void **state)
{
	struct wire *w = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(specs); i++) {
		for (int partial = 0; partial < 2; partial++) {
			peer_takes(w, partial ? NET_CAP_CSUM : 0);
			make(&w->p, &specs[i]);
			assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 1);
			check_segments(w, &specs[i], partial);
			mock_clear(&w->b);
		}
	}
	assert_int_equal(stat_get(&w->a.port.stats[0].drops), 0);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_frames), 2 * ARRAY_SIZE(specs));
}

static void partial_takes_resume_at_the_right_segment(void **state)
{
	struct wire *w = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(specs); i++) {
		unsigned step = 1 + i * 3 % 7, turns = 0;

		make(&w->p, &specs[i]);
		do {
			assert_true(++turns < 1000);
			w->b.room = step;
		} while (!net_push(&w->a.port, 0, &w->p.f, 1));
		check_segments(w, &specs[i], false);
		mock_clear(&w->b);
	}
}

/* Mid-frame the peer learns TSO: the rest is still sent as segments. */
static void caps_change_in_the_middle(void **state)
{
	struct wire *w = *state;

	make(&w->p, &specs[0]);
	w->b.room = 5;
	assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 0);
	peer_takes(w, NET_CAP_OFFLOADS & ~NET_CAP_CSUM);
	w->b.room = MOCK_ALL;
	assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 1);
	check_segments(w, &specs[0], false);
}

/* The sender was reset and comes with something else. */
static void another_frame_starts_at_its_beginning(void **state)
{
	struct wire *w = *state;
	struct batch t;

	make(&w->p, &specs[0]);
	w->b.room = 5;
	assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 0);
	mock_clear(&w->b);
	w->b.room = MOCK_ALL;
	batch_fill(&t, 1, 42);
	assert_int_equal(net_push(&w->a.port, 0, t.f, 1), 1);
	assert_int_equal(rec_number(mock_frame(&w->b, 0)), 42);
	mock_clear(&w->b);
	assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 1);
	check_segments(w, &specs[0], false);
	/* Once through, the same frame again is a new one. */
	mock_clear(&w->b);
	assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 1);
	check_segments(w, &specs[0], false);
}

/* The headers shrink the payload below what was sent already: nothing is read out of bounds. */
static void guest_changes_the_headers(void **state)
{
	struct wire *w = *state;
	const struct spec s = {.payload = 45, .mss = 40, .ip6 = true, .ext = true};

	make(&w->p, &s);
	w->b.room = 1;
	assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 0);
	w->p.b[w->p.l4 + 12] = 15 << 4; /* data offset: behind the bytes the key covers */
	w->b.room = MOCK_ALL;
	assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 1);
}

static void order_in_a_mixed_batch(void **state)
{
	struct wire *w = *state;
	const struct spec s = {.payload = 3000, .mss = 1000};
	struct batch t;
	struct net_frame f[5];

	make(&w->p, &s);
	batch_fill(&t, 4, 0);
	memcpy(f, t.f, 2 * sizeof(f[0]));
	f[2] = w->p.f;
	memcpy(f + 3, t.f + 2, 2 * sizeof(f[0]));
	for (unsigned done = 0, turns = 0; done < 5; turns++) {
		assert_true(turns < 20);
		w->b.room = 1;
		done += net_push(&w->a.port, 0, f + done, 5 - done);
	}
	assert_int_equal(w->b.n, 7);
	assert_int_equal(rec_number(mock_frame(&w->b, 1)), 1);
	assert_int_equal(mock_frame(&w->b, 2)->len, w->p.hdr + 1000);
	assert_int_equal(mock_frame(&w->b, 4)->len, w->p.hdr + 1000);
	assert_int_equal(rec_number(mock_frame(&w->b, 5)), 2);
	assert_int_equal(rec_number(mock_frame(&w->b, 6)), 3);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_frames), 5);
}

static void checksum_is_completed(void **state)
{
	struct wire *w = *state;
	static const unsigned pieces[] = {0, 1000, 333, 21};

	for (unsigned i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct spec s = {.payload = 1401, .mss = 1448, .udp = i & 1};
		uint32_t l4len;

		if (pieces[i] == 21)
			s.payload = 1300;
		make(&w->p, &s);
		w->p.f = frame_over(w->p.vec, w->p.b, w->p.len, pieces[i]);
		w->p.f.off = (struct net_offload){.flags = NET_F_NEEDS_CSUM,
						  .csum_start = (uint16_t)w->p.l4,
						  .csum_offset = s.udp ? 6 : 16};
		l4len = w->p.len - w->p.l4;
		put_be16(w->p.b + w->p.l4 + w->p.f.off.csum_offset,
			 (uint16_t)ref_pseudo(&s, w->p.b, w->p.l3, l4len));
		memcpy(w->seg, w->p.b, w->p.len);
		assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 1);
		const struct rec *r = mock_frame(&w->b, 0);

		assert_int_equal(r->len, w->p.len);
		assert_int_equal(r->off.flags, 0);
		/* A packet with a good checksum sums up to all ones, pseudo header included. */
		assert_int_equal(sum16(r->b + w->p.l4, l4len, ref_pseudo(&s, r->b, w->p.l3, l4len)),
				 0xffff);
		/* The sender's memory is not ours to write. */
		assert_memory_equal(w->p.b, w->seg, w->p.len);
		mock_clear(&w->b);
	}
}

static void zero_checksum_is_all_ones(void **state)
{
	struct wire *w = *state;
	uint8_t b[60] = {0};
	struct iovec vec[2];
	struct net_frame f = frame_over(vec, b, sizeof(b), 0);

	b[40] = b[41] = 0xff;
	f.off = (struct net_offload){.flags = 1, .csum_start = 34, .csum_offset = 6};
	assert_int_equal(net_push(&w->a.port, 0, &f, 1), 1);
	assert_int_equal(get_be16(mock_frame(&w->b, 0)->b + 40), 0xffff);
}

static void many_small_datagrams_are_dropped(void **state)
{
	struct wire *w = *state;
	static const struct spec bad[] = {
		{.payload = 129, .mss = 1, .udp = true},
		{.payload = 900, .mss = 7, .udp = true, .ip6 = true},
		{.payload = 100, .mss = 0, .udp = true},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		make(&w->p, &bad[i]);
		assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 1);
		assert_int_equal(stat_get(&w->a.port.stats[0].drops), i + 1);
	}
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_frames), 0);
}

static void malformed_is_dropped(void **state)
{
	struct wire *w = *state;
	const struct spec tcp = {.payload = 3000, .mss = 1000, .tcp_opt = 12};
	const struct spec six = {.payload = 3000, .mss = 1000, .ip6 = true};
	uint64_t drops = 0;

	for (unsigned i = 0; i < 22; i++) {
		struct packet *p = &w->p;

		make(p, i >= 16 ? &six : &tcp);
		switch (i) {
		case 0:
			p->f.off.gso_size = 0;
			break;
		case 1:
			p->f.off.gso_size = 7;
			break;
		case 2:
			p->f.off.gso_type = NET_GSO_UDP;
			break;
		case 3:
			p->f.off.gso_type = 77;
			break;
		case 4:
			p->f.off.gso_type = NET_GSO_TCPV6;
			break;
		case 5:
			p->f.off.gso_type = NET_GSO_UDP_L4;
			break;
		case 6:
			p->f.off.csum_start = 33;
			break;
		case 7:
			p->f.off.csum_start = 65535;
			break;
		case 8:
			p->f.off.csum_offset = 65535;
			break;
		case 9:
			p->b[p->l3] = 0x44;
			break; /* IHL 16 bytes */
		case 10:
			p->b[p->l3] = 0x65;
			break; /* version 6 */
		case 11:
			p->b[p->l4 + 12] = 4 << 4;
			break;
		case 12:
			put_be16(p->b + p->l3 + 6, IP4_MF);
			break;
		case 13:
			p->f = frame_over(p->vec, p->b, p->l4 + 19, 0);
			goto cut;
		case 14:
			p->f = frame_over(p->vec, p->b, 13, 0);
			goto cut;
		case 15:
			put_be16(p->b + 12, ETH_ARP);
			break;
		case 16:
			p->b[p->l3 + 6] = 44;
			break; /* a fragment */
		case 17:       /* options without end */
			p->b[p->l3 + 6] = 0;
			memset(p->b + p->l3 + 40, 0, 200);
			break;
		case 18:
			p->b[p->l3 + 6] = 60;
			p->b[p->l3 + 41] = 255;
			break;
		case 19: /* checksum only, beyond the end */
			p->f.off.gso_type = 0;
			p->f.off.csum_start = (uint16_t)(p->len - 1);
			break;
		case 20: /* checksum only, too deep */
			p->f.off.gso_type = 0;
			p->f.off.csum_start = 1000;
			break;
		case 21: /* checksum only, offset wraps 16 bits */
			p->f.off.gso_type = 0;
			p->f.off.csum_offset = 65535;
			break;
		cut:
			p->f.off = (struct net_offload){.flags = 1,
							.gso_type = NET_GSO_TCPV4,
							.gso_size = 1000,
							.csum_start = (uint16_t)p->l4,
							.csum_offset = 16};
			break;
		}
		assert_int_equal(net_push(&w->a.port, 0, &p->f, 1), 1);
		assert_int_equal(stat_get(&w->a.port.stats[0].drops), ++drops);
		assert_int_equal(w->b.n, 0);
	}
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_frames), 0);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_bytes), 0);
}

/* As many buffers as a frame may have, one byte each but the last. */
static void many_pieces(void **state)
{
	struct wire *w = *state;
	const struct spec s = {.payload = 3000, .mss = 1000};

	make(&w->p, &s);
	w->p.f.nvec = 1;
	for (unsigned i = 0; i < NET_VEC_MAX - 2; i++)
		w->p.vec[w->p.f.nvec++] = (struct iovec){w->p.b + i, 1};
	w->p.vec[w->p.f.nvec++] =
		(struct iovec){w->p.b + NET_VEC_MAX - 2, w->p.len - (NET_VEC_MAX - 2)};
	assert_int_equal(net_push(&w->a.port, 0, &w->p.f, 1), 1);
	check_segments(w, &s, false);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(segments_match_the_reference),
		T(partial_takes_resume_at_the_right_segment),
		T(caps_change_in_the_middle),
		T(another_frame_starts_at_its_beginning),
		T(guest_changes_the_headers),
		T(order_in_a_mixed_batch),
		T(checksum_is_completed),
		T(zero_checksum_is_all_ones),
		T(many_small_datagrams_are_dropped),
		T(malformed_is_dropped),
		T(many_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
