/* SPDX-License-Identifier: BSD-2-Clause */
/* e1000: which frames pass, and what the receive descriptor says of their checksums. */
#include "e1000_card.h"

#include <arpa/inet.h>

#include "base/csum.h"
#include "net/prot.h"

static const uint8_t bcast[18] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t group[18] = {0x01, 0x00, 0x5e, 0x12, 0x34, 0x56};
static const uint8_t other[18] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};

static bool pass(struct ecard *c, const uint8_t *head)
{
	unsigned how;

	return !e1000_filter(c->n, head, 18, &how);
}

static void addresses(void **state)
{
	struct ecard *c = ecard_make(0);
	uint8_t mine[18] = {0};
	unsigned how;

	(void)state;
	memcpy(mine, emac, 6);
	assert_true(pass(c, mine));
	assert_false(pass(c, bcast) || pass(c, group) || pass(c, other));
	ewr(c, R_RCTL, RCTL_EN | RCTL_BAM);
	assert_true(pass(c, bcast) && !pass(c, group) && !pass(c, other));
	ewr(c, R_RCTL, RCTL_EN | RCTL_MPE);
	assert_true(pass(c, bcast) && pass(c, group) && !pass(c, other));
	ewr(c, R_RCTL, RCTL_EN | RCTL_UPE);
	assert_true(!pass(c, bcast) && !pass(c, group) && pass(c, other));
	ewr(c, R_RCTL, RCTL_EN);
	for (unsigned i = 1; i < 16; i++) {
		ewr(c, R_RAL + 8 * i, 0x00000002);
		ewr(c, R_RAH + 8 * i, 0x0100);
		assert_false(pass(c, other));
		ewr(c, R_RAH + 8 * i, RAH_AV | 0x0100);
		assert_true(pass(c, other));
		ewr(c, R_RAH + 8 * i, 0);
	}
	/* SDM 13.5.1: which 12 of the 16 last bits. */
	for (unsigned mo = 0; mo < 4; mo++) {
		static const uint16_t bit[4] = {0x563, 0xac6, 0x58d, 0x634};

		ewr(c, R_RCTL, RCTL_EN | mo << RCTL_MO);
		ewr(c, R_MTA + 4 * (bit[mo] >> 5), 1u << (bit[mo] & 31));
		assert_null(e1000_filter(c->n, group, 18, &how));
		assert_int_equal(how, E1000_INEXACT);
		ewr(c, R_MTA + 4 * (bit[mo] >> 5), 0);
		assert_false(pass(c, group));
	}
	ecard_free(c);
}

static void vlans(void **state)
{
	struct ecard *c = ecard_make(RCTL_BAM | RCTL_VFE);
	uint8_t head[18];

	(void)state;
	memcpy(head, bcast, 18);
	assert_true(pass(c, head));
	for (unsigned id = 0; id < 4096; id += 5) {
		put_be32(head + 12, 0x81000000 | id);
		assert_false(pass(c, head));
		ewr(c, R_VFTA + 4 * (id >> 5), 1u << (id & 31));
		assert_true(pass(c, head));
		ewr(c, R_VFTA + 4 * (id >> 5), 0);
	}
	ewr(c, R_VFTA, 2);
	put_be32(head + 12, 0x81001001);
	assert_true(pass(c, head));
	ewr(c, R_RCTL, RCTL_EN | RCTL_BAM | RCTL_VFE | RCTL_CFIEN);
	assert_false(pass(c, head));
	ewr(c, R_RCTL, RCTL_EN | RCTL_BAM | RCTL_VFE | RCTL_CFIEN | RCTL_CFI);
	assert_true(pass(c, head));
	/* Another type of tag is none; without the filter all pass. */
	ewr(c, R_VET, 0x88a8);
	put_be32(head + 12, 0x81000005);
	assert_true(pass(c, head));
	ewr(c, R_VET, 0x8100);
	ewr(c, R_RCTL, RCTL_EN | RCTL_BAM);
	assert_true(pass(c, head));
	ecard_free(c);
}

struct pkt {
	uint8_t b[200];
	unsigned l3, l4, len;
};

/* A packet with right checksums. */
static void make(struct pkt *p, bool ip6, uint8_t proto, bool tag)
{
	unsigned l4len = 101;
	uint16_t sum;

	memset(p, 0, sizeof(*p));
	p->l3 = 14;
	if (tag) {
		put_be32(p->b + 12, 0x81000007);
		p->l3 += 4;
	}
	put_be16(p->b + p->l3 - 2, ip6 ? ETH_IP6 : ETH_IP4);
	p->l4 = p->l3 + (ip6 ? 40 : 20);
	p->len = p->l4 + l4len;
	for (unsigned i = p->l4 + 8; i < p->len; i++)
		p->b[i] = (uint8_t)(i * 3);
	if (proto == IP_UDP)
		put_be16(p->b + p->l4 + 6, 0);
	else
		put_be16(p->b + p->l4 + 16, 0);
	if (ip6) {
		put_be32(p->b + p->l3, 6u << 28);
		put_be16(p->b + p->l3 + 4, (uint16_t)l4len);
		p->b[p->l3 + 6] = proto;
		p->b[p->l3 + 8] = 0xfe;
		sum = csum_fold(
			csum_add(csum_pseudo6(p->b + p->l3 + 8, p->b + p->l3 + 24, proto, l4len),
				 p->b + p->l4, l4len));
	} else {
		p->b[p->l3] = 0x45;
		put_be16(p->b + p->l3 + 2, (uint16_t)(20 + l4len));
		p->b[p->l3 + 9] = proto;
		p->b[p->l3 + 12] = 10;
		sum = csum_fold(csum_add(0, p->b + p->l3, 20));
		memcpy(p->b + p->l3 + 10, &sum, 2);
		sum = csum_fold(csum_add(csum_pseudo4(htonl(10u << 24), 0, proto, (uint16_t)l4len),
					 p->b + p->l4, l4len));
	}
	memcpy(p->b + p->l4 + (proto == IP_UDP ? 6 : 16), &sum, 2);
}

/* Status and errors, 8 bits each. */
static unsigned look(struct ecard *c, const struct pkt *p, uint8_t flags)
{
	struct iovec vec[3] = {
		{0}, {(void *)(uintptr_t)p->b, 37}, {(void *)(uintptr_t)(p->b + 37), p->len - 37}};
	struct net_frame f = {.vec = vec, .nvec = 3, .len = p->len, .off.flags = flags};
	uint8_t status = 0, errors = 0;
	uint16_t sum;

	e1000_rx_csum(c->n, &f, &status, &errors, &sum);
	return status | (unsigned)errors << 8;
}

static void checksums(void **state)
{
	struct ecard *c = ecard_make(0);
	struct pkt p;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		bool ip6 = i & 1, tag = i & 4;
		unsigned ip = ip6 ? 0 : RXD_IPCS;

		make(&p, ip6, i & 2 ? IP_UDP : IP_TCP, tag);
		ewr(c, R_RXCSUM, 0);
		assert_int_equal(look(c, &p, 0), RXD_IXSM);
		ewr(c, R_RXCSUM, RXCSUM_TUOFL | RXCSUM_IPOFL | RXCSUM_IP6);
		assert_int_equal(look(c, &p, 0), ip | RXD_TCPCS);
		p.b[p.len - 1] ^= 1;
		assert_int_equal(look(c, &p, 0), ip | RXD_TCPCS | RXD_TCPE << 8);
		assert_int_equal(look(c, &p, NET_F_DATA_VALID), ip | RXD_TCPCS);
		ewr(c, R_RXCSUM, RXCSUM_IPOFL);
		assert_int_equal(look(c, &p, 0), ip);
		p.b[p.l3 + 8] ^= 1;
		assert_int_equal(look(c, &p, 0), ip6 ? 0 : ip | RXD_IPE << 8);
	}
	/* UDP without a checksum, fragments, lengths that are not there, headers cut off. */
	ewr(c, R_RXCSUM, RXCSUM_TUOFL);
	make(&p, false, IP_UDP, false);
	put_be16(p.b + p.l4 + 6, 0);
	assert_int_equal(look(c, &p, 0), 0);
	make(&p, false, IP_TCP, false);
	p.b[p.l3 + 6] = 0x20;
	assert_int_equal(look(c, &p, 0), 0);
	make(&p, false, IP_TCP, false);
	p.b[p.l3 + 2] = 0xff;
	assert_int_equal(look(c, &p, 0), 0);
	make(&p, false, IP_TCP, false);
	p.b[p.l3] = 0x4f;
	look(c, &p, 0);
	for (unsigned len = 38; len < 80; len++) {
		make(&p, len & 1, IP_TCP, false);
		p.len = len;
		assert_int_equal(look(c, &p, 0), 0);
	}
	ecard_free(c);
}

static void packet_checksum(void **state)
{
	struct ecard *c = ecard_make(0);
	uint8_t data[64] = {0};
	struct iovec vec[2] = {{0}, {data, sizeof(data)}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = sizeof(data)};
	uint8_t status = 0, errors = 0;
	uint16_t sum;

	(void)state;
	data[20] = 0x12;
	data[21] = 0x34;
	data[10] = 1;
	ewr(c, R_RXCSUM, 14);
	e1000_rx_csum(c->n, &f, &status, &errors, &sum);
	assert_int_equal(ntohs(sum), 0x1234);
	ewr(c, R_RXCSUM, 255);
	e1000_rx_csum(c->n, &f, &status, &errors, &sum);
	assert_int_equal(sum, 0);
	ecard_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(vlans),
		cmocka_unit_test(checksums),
		cmocka_unit_test(packet_checksum),
	};

	return cmocka_run_group_tests_name("e1000_filter", tests, NULL, NULL);
}
