/* SPDX-License-Identifier: BSD-2-Clause */
/* rtl8139, peer to guest: ring buffer and descriptors, filter, VLAN, checksums, no room. */
#include "rtl.h"

#include "base/csum.h"
#include "base/iov.h"

/* Takes the packet at `at` out of a ring of `size` bytes; returns where the next one is. */
static uint32_t take(struct rcard *c, uint32_t at, uint32_t size, uint32_t len)
{
	uint8_t *rx = r_mem(c, R_RXBUF, size);
	const uint8_t *want = r_bytes(len);

	assert_false(r_get(c, CR, 1) & CR_BUFE);
	assert_int_equal(get_le16(rx + at), 0x2001);
	assert_int_equal(get_le16(rx + at + 2), MAX(len, 60) + 4);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(rx[(at + 4 + i) % size], want[i]);
	at = (at + 4 + MAX(len, 60) + 4 + 3) / 4 * 4 % size;
	r_set(c, CAPR, at - 16, 2);
	return at;
}

static void ring_goes_round(void **state)
{
	static const uint32_t lens[] = {60, 1514, 14, 61, 333, 1500, 62, 63};
	struct rcard *c = r_make("");

	(void)state;
	for (unsigned size = 0; size < 4; size++) {
		uint32_t bytes = 8192u << size, at = 0;

		r_up(c, size << 11);
		r_set(c, IMR, INT_ROK, 2);
		for (unsigned i = 0; i < 200; i++) {
			uint32_t len = lens[i % ARRAY_SIZE(lens)];

			assert_int_equal(r_send(c, r_bytes(len), len), 1);
			assert_true(r_pin(c));
			assert_int_equal(r_isr(c), INT_ROK);
			at = take(c, at, bytes, len);
			assert_int_equal(r_get(c, CBR, 2), at & 0xffff);
			assert_true(r_get(c, CR, 1) & CR_BUFE);
		}
	}
	assert_int_equal(r_drops(c), 0);
	r_free(c);
}

/* A driver that acknowledged too much hears of what waits when it unmasks. */
static void unmasked_with_packets_waiting(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_up(c, 0);
	r_send(c, r_bytes(60), 60);
	r_isr(c);
	r_set(c, IMR, INT_TOK, 2);
	assert_false(r_pin(c));
	r_set(c, IMR, INT_ROK, 2);
	assert_true(r_pin(c));
	take(c, 0, 8192, 60);
	r_isr(c);
	r_set(c, IMR, INT_ROK, 2);
	assert_false(r_pin(c));
	r_free(c);
}

/* With WRAP the last packet goes on behind the end. */
static void wrap_goes_on(void **state)
{
	struct rcard *c = r_make("");
	uint32_t at = 0;

	(void)state;
	r_up(c, RCR_WRAP);
	for (unsigned i = 0; i < 100; i++) {
		uint8_t *rx = r_mem(c, R_RXBUF, 8192 + 2048);

		r_send(c, r_bytes(1000), 1000);
		assert_int_equal(get_le32(rx + at), 1004u << 16 | 0x2001);
		assert_memory_equal(rx + at + 4, r_bytes(1000), 1000);
		at = (at + 1008) % 8192;
		r_set(c, CAPR, at - 16, 2);
	}
	r_free(c);
}

static void full_ring_holds_the_peer(void **state)
{
	struct rcard *c = r_make("");
	unsigned n = 0;

	(void)state;
	r_up(c, 0);
	while (r_send(c, r_bytes(1000), 1000))
		assert_true(++n < 9);
	assert_int_equal(n, 8);
	assert_int_equal(r_isr(c), INT_ROK);
	assert_int_equal(c->peer[0].resumes, 0);
	for (unsigned i = 1; i <= n; i++)
		r_set(c, CAPR, 1008 * i - 16, 2);
	pc_sync(c->loop[0]);
	assert_int_equal(c->peer[0].resumes, 1);
	assert_int_equal(r_send(c, r_bytes(1000), 1000), 1);
	assert_int_equal(r_drops(c), 0);
	assert_int_equal(r_get(c, MPC, 4), 0);
	/* What never fits is dropped. */
	assert_int_equal(r_send(c, r_bytes(8190), 8190), 1);
	assert_int_equal(r_drops(c), 1);
	r_free(c);
}

/* Half a second without a descriptor, then frames are lost as on the chip, until there is one. */
static void a_guest_that_sleeps_loses(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_plus(c, 0, 1536);
	while (r_send(c, r_bytes(1000), 1000))
		;
	for (unsigned i = 0; i < 200 && !c->peer[0].resumes; i++)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	assert_int_equal(c->peer[0].resumes, 1);
	assert_int_equal(r_send(c, r_bytes(1000), 1000), 1);
	assert_int_equal(r_drops(c), 1);
	assert_true(r_isr(c) & INT_RXOVW);
	assert_int_equal(r_get(c, MPC, 4), 1);
	r_set(c, MPC, 0, 4);
	assert_int_equal(r_get(c, MPC, 4), 0);
	r_post(c, 0, 1536);
	assert_int_equal(r_send(c, r_bytes(1000), 1000), 1);
	assert_int_equal(r_drops(c), 1);
	assert_int_equal(r_get(c, MPC, 4), 0);
	r_free(c);
}

/* With the ring of C mode nothing is lost; who has not read for half a second is told again. */
static void a_ring_waits_for_its_reader(void **state)
{
	struct rcard *c = r_make("");
	unsigned i = 0;

	(void)state;
	r_up(c, 0);
	while (r_send(c, r_bytes(1000), 1000))
		;
	assert_int_equal(r_isr(c), INT_ROK);
	while (!r_get(c, ISR, 2) && ++i < 200)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	assert_int_equal(r_isr(c), INT_ROK);
	/* Once, and the peer still waits. */
	nanosleep(&(struct timespec){.tv_nsec = 600000000}, NULL);
	assert_int_equal(r_isr(c), 0);
	assert_int_equal(c->peer[0].resumes, 0);
	r_set(c, CAPR, r_get(c, CBR, 2) - 16, 2);
	pc_sync(c->loop[0]);
	assert_int_equal(c->peer[0].resumes, 1);
	assert_int_equal(r_send(c, r_bytes(1000), 1000), 1);
	assert_int_equal(r_drops(c), 0);
	r_free(c);
}

/* Switched off while the peer waits: nobody waits for ever. */
static void receiver_off(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_drops(c), 1);
	r_up(c, 0);
	while (r_send(c, r_bytes(1000), 1000))
		;
	r_set(c, CR, CR_TE, 1);
	assert_int_equal(c->peer[0].resumes, 1);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_drops(c), 2);
	r_up(c, 0);
	while (r_send(c, r_bytes(1000), 1000))
		;
	r_set(c, CR, CR_RST, 1);
	assert_int_equal(c->peer[0].resumes, 2);
	/* On, but with no buffer told. */
	r_set(c, CR, CR_RE, 1);
	r_set(c, RCR, RCR_AB, 4);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_drops(c), 3);
	/* A buffer that is not in memory. */
	r_set(c, RBSTART, 0xfff00000, 4);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_drops(c), 4);
	assert_true(r_isr(c) & INT_SERR);
	r_free(c);
}

static void filter(void **state)
{
	static const struct {
		uint8_t dst[6];
		uint32_t rcr;
		uint64_t mar;
		bool passes;
	} t[] = {
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, RCR_AB, 0, true},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, RCR_AAP | RCR_APM | RCR_AM, ~0ull, false},
		{{0x52, 0x54, 0, 1, 2, 3}, RCR_APM, 0, true},
		{{0x52, 0x54, 0, 1, 2, 3}, RCR_AAP, 0, true},
		{{0x52, 0x54, 0, 1, 2, 3}, RCR_AB | RCR_AM, 0, false},
		{{0x52, 0x54, 0, 1, 2, 4}, RCR_APM | RCR_AB | RCR_AM, ~0ull, false},
		{{0x52, 0x54, 0, 1, 2, 4}, RCR_AAP, 0, true},
		/* 01:00:5e:00:00:01 has the CRC 0x7f..., upper six bits 31: of the Ethernet
		 * CRC in its usual order. */
		{{0x01, 0, 0x5e, 0, 0, 1}, RCR_AM, 1ull << 31, true},
		{{0x01, 0, 0x5e, 0, 0, 1}, RCR_AM, ~(1ull << 31), false},
		{{0x01, 0, 0x5e, 0, 0, 1}, RCR_AB, ~0ull, false},
		{{0x33, 0x33, 0, 0, 0, 1}, RCR_AM, ~0ull, true},
	};
	struct rcard *c = r_make("mac=52:54:00:01:02:03");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		uint8_t f[60] = {0};
		uint64_t drops = r_drops(c);

		r_up(c, 0);
		r_set(c, RCR, t[i].rcr, 4);
		r_set(c, MAR0, (uint32_t)t[i].mar, 4);
		r_set(c, MAR0 + 4, t[i].mar >> 32, 4);
		memcpy(f, t[i].dst, 6);
		assert_int_equal(r_send(c, f, 60), 1);
		if (!(r_get(c, CR, 1) & CR_BUFE) != t[i].passes)
			fail_msg("filter case %u", i);
		assert_int_equal(r_drops(c), drops + !t[i].passes);
	}
	r_free(c);
}

static void descriptors(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_plus(c, 0, 1536);
	r_set(c, IMR, INT_ROK | INT_RXOVW, 2);
	for (unsigned i = 0; i < 3 * R_NRX; i++) {
		uint32_t len = 40 + 61 * i;

		assert_int_equal(r_send(c, r_bytes(len), len), 1);
		assert_true(r_pin(c));
		assert_int_equal(r_status(c, R_RXR, i % R_NRX),
				 DESC_FS | DESC_LS | (i % R_NRX == R_NRX - 1 ? DESC_EOR : 0) |
					 0x01000000 | (MAX(len, 60) + 4));
		assert_memory_equal(r_mem(c, R_RXB + 0x2000 * (i % R_NRX), len), r_bytes(len), len);
		assert_int_equal(r_isr(c), INT_ROK);
		r_post(c, i % R_NRX, 1536);
	}
	r_free(c);
}

static void frame_over_several_buffers(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_plus(c, 0, 400);
	assert_int_equal(r_send(c, r_bytes(1000), 1000), 1);
	assert_int_equal(r_status(c, R_RXR, 0) >> 28, 2);
	assert_int_equal(r_status(c, R_RXR, 1) >> 28, 0);
	assert_int_equal(r_status(c, R_RXR, 2) >> 28, 1);
	assert_int_equal(r_status(c, R_RXR, 2) & 0x1fff, 1004);
	assert_memory_equal(r_mem(c, R_RXB, 400), r_bytes(1000), 400);
	assert_memory_equal(r_mem(c, R_RXB + 0x2000, 400), r_bytes(1000) + 400, 400);
	assert_memory_equal(r_mem(c, R_RXB + 0x4000, 200), r_bytes(1000) + 800, 200);
	/* More than all buffers together: dropped, their descriptors are the driver's. */
	assert_int_equal(r_send(c, r_bytes(8000), 8000), 0);
	r_post(c, 0, 400);
	r_post(c, 1, 400);
	r_post(c, 2, 400);
	assert_int_equal(r_send(c, r_bytes(8000), 8000), 1);
	assert_int_equal(r_drops(c), 1);
	assert_true(r_isr(c) & INT_RER);
	assert_int_equal(r_status(c, R_RXR, 4) & DESC_OWN, 0);
	/* And longer than any length field. */
	assert_int_equal(r_send(c, r_bytes(8190), 8190), 1);
	assert_int_equal(r_drops(c), 2);
	r_free(c);
}

/* There is no doorbell: a write to ISR or IMR is where drivers are done with a round. */
static void room_is_seen(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		unsigned before = c->peer[0].resumes;

		r_plus(c, 0, 1536);
		for (unsigned i = 0; i < R_NRX; i++)
			assert_int_equal(r_send(c, r_bytes(60), 60), 1);
		assert_int_equal(r_send(c, r_bytes(60), 60), 0);
		assert_true(r_isr(c) & INT_RXOVW);
		pc_sync(c->loop[0]);
		assert_int_equal(c->peer[0].resumes, before);
		r_post(c, 0, 1536);
		if (how < 2)
			r_set(c, how ? IMR : ISR, 0xffff, 2);
		for (unsigned i = 0; i < 100 && c->peer[0].resumes == before; i++)
			nanosleep(&(struct timespec){.tv_nsec = how < 2 ? 100000 : 10000000}, NULL);
		assert_int_equal(c->peer[0].resumes, before + 1);
		assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	}
	assert_int_equal(r_drops(c), 0);
	r_free(c);
}

static void bad_descriptors(void **state)
{
	static const struct {
		uint32_t size;
		uint64_t addr;
	} bad[] = {
		{0, R_RXB},
		{1536, 0xf000000000000000},
		{1536, UINT64_MAX - 100},
		{0x1fff, TMEM_BASE + (64u << 20) - 100},
	};
	struct rcard *c = r_make("");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		r_plus(c, 0, 1536);
		r_desc(c, R_RXR, 0, DESC_OWN | bad[i].size, 0, bad[i].addr);
		assert_int_equal(r_send(c, r_bytes(60), 60), 1);
		assert_int_equal(r_drops(c), i + 1);
		assert_int_equal(r_status(c, R_RXR, 0) & (DESC_OWN | 0x00100000), 0x00100000);
		assert_true(r_isr(c) & INT_RER);
		assert_int_equal(r_send(c, r_bytes(60), 60), 1);
		assert_int_equal(r_status(c, R_RXR, 1) & 0x1fff, 64);
	}
	r_free(c);
}

static void vlan_is_stripped(void **state)
{
	struct rcard *c = r_make("");
	uint8_t f[104];

	(void)state;
	memcpy(f, r_bytes(104), 104);
	put_be32(f + 12, 0x81000123);
	r_plus(c, CPCR_VLAN, 1536);
	r_send(c, f, 104);
	assert_int_equal(r_status(c, R_RXR, 0) & 0x1fff, 104);
	assert_int_equal(get_le32(r_mem(c, R_RXR + 4, 4)), 0x10000 | 0x2301);
	assert_memory_equal(r_mem(c, R_RXB, 12), f, 12);
	assert_memory_equal(r_mem(c, R_RXB + 12, 88), f + 16, 88);
	/* A frame without a tag says so. */
	r_send(c, r_bytes(60), 60);
	assert_int_equal(get_le32(r_mem(c, R_RXR + 20, 4)), 0);
	/* The tag stays when nobody wants it off. */
	r_plus(c, 0, 1536);
	r_send(c, f, 104);
	assert_int_equal(r_status(c, R_RXR, 0) & 0x1fff, 108);
	assert_memory_equal(r_mem(c, R_RXB, 104), f, 104);
	r_free(c);
}

/* Fills in the checksums of what r_packet() made. */
static void finish(uint8_t *b, uint32_t len, bool tcp)
{
	uint32_t src, dst;
	uint16_t sum = csum_fold(csum_add(0, b + 14, 20));

	memcpy(b + 24, &sum, 2);
	memcpy(&src, b + 26, 4);
	memcpy(&dst, b + 30, 4);
	sum = csum_fold(csum_add(csum_pseudo4(src, dst, tcp ? 6 : 17, (uint16_t)(len - 34)), b + 34,
				 len - 34));
	memcpy(b + 34 + (tcp ? 16 : 6), &sum, 2);
}

static void checksums_are_checked(void **state)
{
	struct rcard *c = r_make("");
	uint8_t f[2000];
	uint32_t len;
	unsigned i = 0;

	(void)state;
	r_plus(c, CPCR_CSUM, 1536);
#define STATUS(bits)                                                                               \
	do {                                                                                       \
		assert_int_equal(r_send(c, f, len), 1);                                            \
		assert_int_equal(r_status(c, R_RXR, i) & 0x3e000, bits);                           \
		r_post(c, i, 1536);                                                                \
		i = (i + 1) % R_NRX;                                                               \
	} while (0)
	for (unsigned tcp = 0; tcp < 2; tcp++) {
		len = r_packet(f, 777, tcp);
		finish(f, len, tcp);
		STATUS(tcp ? 0x10000u : 0x20000u);
		f[100] ^= 1;
		STATUS(tcp ? 0x12000u : 0x24000u);
	}
	f[24] ^= 1;
	STATUS(0x38000u);
	/* UDP without a checksum; a fragment; no IP. */
	len = r_packet(f, 100, false);
	finish(f, len, false);
	f[40] = f[41] = 0;
	STATUS(0x20000u);
	f[20] = 0x20;
	f[24] = f[25] = 0;
	uint16_t sum = csum_fold(csum_add(0, f + 14, 20));

	memcpy(f + 24, &sum, 2);
	STATUS(0x30000u);
	f[12] = 0x86;
	STATUS(0u);
	r_free(c);
}

static void counters(void **state)
{
	struct rcard *c = r_make("mac=52:54:00:01:02:03");
	uint8_t f[60] = {0x52, 0x54, 0, 1, 2, 3}, *d;

	(void)state;
	r_plus(c, 0, 1536);
	r_send(c, f, 60);
	r_send(c, r_bytes(60), 60);
	r_send(c, r_bytes(60), 60);
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 60, 0, R_TXB);
	r_desc(c, R_TXR, 1, DESC_OWN | DESC_FS | DESC_LS | 1, 0, R_TXB);
	r_set(c, TPPOLL, 0x40, 1);
	pc_sync(c->loop[0]);
	r_set(c, TSD0 + 4, 0, 4);
	r_set(c, TSD0, (uint32_t)R_TXB | 8, 4);
	assert_int_equal(r_get(c, TSD0, 4) & 8, 0);
	d = r_mem(c, R_TXB, 64);
	assert_int_equal(get_le64(d), 1);      /* sent */
	assert_int_equal(get_le64(d + 8), 3);  /* received */
	assert_int_equal(get_le64(d + 16), 1); /* not sent */
	assert_int_equal(get_le64(d + 40), 1); /* to this card */
	assert_int_equal(get_le64(d + 48), 2); /* to all */
	/* To where there is no memory. */
	r_isr(c);
	r_set(c, TSD0 + 4, 0xffffffff, 4);
	r_set(c, TSD0, 0xffffffff, 4);
	assert_int_equal(r_isr(c), INT_SERR);
	r_free(c);
}

/* The peer borrows buffers and fills them; frame `foreign` is for somebody else. */
struct lending {
	struct rcard *c;
	uint32_t room, len[NET_BATCH];
	int foreign;
	unsigned lent;
	uint32_t got;
};

static void do_lend(void *arg)
{
	struct lending *a = arg;
	struct net_port *p = &a->c->peer[0].port;
	struct net_slot s[NET_BATCH];

	a->lent = net_may_lend(p, 0) ? net_lend(p, 0, a->room, s, NET_BATCH) : 0;
	a->got = a->lent ? s[0].f.len : 0;
	for (unsigned i = 0; i < a->lent; i++) {
		static const uint8_t other[6] = {2};

		s[i].f.len = a->len[i];
		s[i].f.off = (struct net_offload){0};
		iov_write(s[i].f.vec + 1, s[i].f.nvec - 1, 0, r_bytes(a->len[i]), a->len[i]);
		if ((int)i == a->foreign)
			iov_write(s[i].f.vec + 1, s[i].f.nvec - 1, 0, other, 6);
	}
	if (a->lent)
		net_commit(p, 0, s, a->lent);
}

static void lent_buffers(void **state)
{
	struct rcard *c = r_make("");
	struct lending a = {.c = c, .room = 1514, .len = {1514, 400, 40, 900}, .foreign = 1};

	(void)state;
	r_up(c, 0);
	assert_false(c->peer[0].port.peer_caps.lends);
	r_plus(c, 0, 1536);
	assert_true(c->peer[0].port.peer_caps.lends);
	loop_call(c->loop[0], do_lend, &a);
	assert_int_equal(a.lent, R_NRX);
	assert_int_equal(a.got, 1532);
	/* The dropped one's buffer serves the next. */
	assert_int_equal(r_status(c, R_RXR, 0) & 0x3fff, 1518);
	assert_memory_equal(r_mem(c, R_RXB, 1514), r_bytes(1514), 1514);
	assert_int_equal(r_status(c, R_RXR, 1) & 0x3fff, 64);
	assert_memory_equal(r_mem(c, R_RXB + 0x2000, 40), r_bytes(40), 40);
	assert_int_equal(r_mem(c, R_RXB + 0x2000, 60)[59], 0);
	assert_int_equal(r_status(c, R_RXR, 2) & 0x3fff, 904);
	assert_memory_equal(r_mem(c, R_RXB + 0x4000, 900), r_bytes(900), 900);
	assert_true(r_status(c, R_RXR, 3) & DESC_OWN);
	assert_int_equal(r_isr(c) & INT_ROK, INT_ROK);
	assert_int_equal(r_drops(c), 1);
	/* Frames over several buffers; all that are left are lent once. */
	r_plus(c, 0, 600);
	a = (struct lending){.c = c, .room = 1514, .len = {1500}, .foreign = -1};
	loop_call(c->loop[0], do_lend, &a);
	assert_int_equal(a.lent, R_NRX / 3);
	assert_int_equal(a.got, 1796);
	assert_int_equal(r_status(c, R_RXR, 0) >> 28, 2);
	assert_int_equal(r_status(c, R_RXR, 2) >> 28, 1);
	assert_memory_equal(r_mem(c, R_RXB + 0x4000, 300), r_bytes(1500) + 1200, 300);
	r_free(c);
}

static void nothing_to_lend(void **state)
{
	struct rcard *c = r_make("");
	struct lending a = {.c = c, .room = 1514, .foreign = -1};

	(void)state;
	r_plus(c, 0, 1536);
	/* A buffer outside of memory is given back; the next one is lent. */
	r_desc(c, R_RXR, 0, DESC_OWN | 1536, 0, TMEM_BASE + (1ull << 40));
	loop_call(c->loop[0], do_lend, &a);
	assert_int_equal(a.lent, R_NRX - 1);
	assert_int_equal(r_drops(c), 1);
	for (unsigned i = 1; i < R_NRX; i++)
		a.len[i - 1] = 100;
	loop_call(c->loop[0], do_lend, &a);
	loop_call(c->loop[0], do_lend, &a);
	assert_int_equal(a.lent, 0);
	assert_int_equal(c->peer[0].resumes, 0);
	for (unsigned i = 0; i < R_NRX; i++)
		r_post(c, i, 1536);
	r_isr(c);
	pc_sync(c->loop[0]);
	assert_int_equal(c->peer[0].resumes, 1);
	r_free(c);
}

/* A peer that waits goes on when half of the ring is empty, not at each descriptor that comes back.
 */
static void goes_on_at_half_a_ring(void **state)
{
	struct rcard *c = r_make("");
	unsigned given = 0;

	(void)state;
	r_plus(c, 0, 1536);
	while (r_send(c, r_bytes(100), 100))
		;
	r_isr(c);
	while (!c->peer[0].resumes && given < R_NRX) {
		r_post(c, given++, 1536);
		r_set(c, ISR, 0, 2);
		pc_sync(c->loop[0]);
	}
	assert_int_equal(given, (R_NRX + 1) / 2);
	r_free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ring_goes_round),
		T(unmasked_with_packets_waiting),
		T(wrap_goes_on),
		T(full_ring_holds_the_peer),
		T(a_guest_that_sleeps_loses),
		T(a_ring_waits_for_its_reader),
		T(receiver_off),
		T(filter),
		T(descriptors),
		T(frame_over_several_buffers),
		T(room_is_seen),
		T(bad_descriptors),
		T(vlan_is_stripped),
		T(checksums_are_checked),
		T(counters),
		T(lent_buffers),
		T(nothing_to_lend),
		T(goes_on_at_half_a_ring),
	};

	return cmocka_run_group_tests_name("rtl8139_rx", tests, NULL, NULL);
}
