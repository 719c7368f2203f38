/* SPDX-License-Identifier: BSD-2-Clause */
/* e1000: PHY over MDIC, EEPROM by EERD and by its pins. */
#include "e1000_card.h"

static uint32_t mdic(struct ecard *c, uint32_t v)
{
	ewr(c, R_MDIC, v);
	return ereg(c, R_MDIC);
}

#define RD(r)	 (MDIC_OP_READ | 1u << 21 | (r) << 16)
#define WR(r, v) (MDIC_OP_WRITE | 1u << 21 | (r) << 16 | (v))

static void phy(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	assert_int_equal(mdic(c, RD(2u)), MDIC_READY | RD(2u) | 0x0141);
	assert_int_equal(mdic(c, RD(3u)) & 0xffff, 0x0c20);
	assert_int_equal(mdic(c, RD(1u)) & 0xffff, 0x796d);
	assert_true(mdic(c, MDIC_OP_READ | 2u << 21) & MDIC_ERROR);
	mdic(c, WR(30u, 0xbeef));
	assert_int_equal(mdic(c, RD(30u)) & 0xffff, 0xbeef);
	mdic(c, WR(2u, 0xbeef));
	assert_int_equal(mdic(c, RD(2u)) & 0xffff, 0x0141);
	ereg(c, R_ICR);
	mdic(c, RD(1u) | MDIC_INT_EN);
	assert_int_equal(ereg(c, R_ICR), ICR_MDAC);
	mdic(c, WR(0u, 0x1340));
	assert_int_equal(ereg(c, R_ICR), ICR_LSC);
	mdic(c, WR(0u, 0x8000));
	assert_int_equal(mdic(c, RD(30u)) & 0xffff, 0);
	assert_int_equal(mdic(c, RD(0u)) & 0xffff, 0x1140);
	ecard_free(c);
}

static void link(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	net_set_link(&c->peer.port, false);
	assert_int_equal(ereg(c, R_STATUS) & STATUS_LU, 0);
	assert_int_equal(mdic(c, RD(17u)) & 0xffff, 0);
	net_set_link(&c->peer.port, true);
	assert_int_equal(ereg(c, R_ICR), ICR_LSC);
	assert_int_equal(ereg(c, R_STATUS) & STATUS_LU, STATUS_LU);
	/* Down once is remembered until it was read. */
	assert_int_equal(mdic(c, RD(1u)) & 4, 0);
	assert_int_equal(mdic(c, RD(1u)) & 4, 4);
	assert_int_equal(mdic(c, RD(10u)) & 0xffff, 0x3c00);
	ecard_free(c);
}

static unsigned pin(struct ecard *c, unsigned di)
{
	uint32_t v = EECD_REQ | EECD_CS | (di ? EECD_DI : 0);

	ewr(c, R_EECD, v);
	ewr(c, R_EECD, v | EECD_SK);
	return ereg(c, R_EECD) & EECD_DO ? 1 : 0;
}

static void select_part(struct ecard *c)
{
	ewr(c, R_EECD, EECD_REQ);
	ewr(c, R_EECD, EECD_REQ | EECD_CS);
}

static void bits(struct ecard *c, uint32_t v, unsigned n)
{
	while (n--)
		pin(c, v >> n & 1);
}

static uint16_t microwire(struct ecard *c, unsigned at)
{
	uint16_t v = 0;

	select_part(c);
	bits(c, 6u << 6 | at, 9);
	assert_int_equal(ereg(c, R_EECD) & EECD_DO, 0);
	for (unsigned i = 0; i < 16; i++)
		v = (uint16_t)(v << 1 | pin(c, 0));
	return v;
}

static void eeprom(void **state)
{
	struct ecard *c = ecard_make(0);
	uint16_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < E1000_EE_WORDS; i++) {
		ewr(c, R_EERD, EERD_START | i << 8);
		assert_int_equal(ereg(c, R_EERD) & 0xffff, EERD_DONE | i << 8);
		assert_int_equal(ereg(c, R_EERD) >> 16, c->n->ee.word[i]);
		assert_int_equal(microwire(c, i), c->n->ee.word[i]);
		sum = (uint16_t)(sum + c->n->ee.word[i]);
	}
	assert_int_equal(sum, 0xbaba);
	assert_memory_equal(c->n->ee.word, emac, 6);
	ewr(c, R_EERD, EERD_START | 64 << 8);
	assert_int_equal(ereg(c, R_EERD) >> 16, 0xffff);
	/* No grant, no bits. */
	ewr(c, R_EECD, EECD_CS);
	assert_int_equal(ereg(c, R_EECD) & (EECD_GNT | EECD_PRES), EECD_PRES);
	ecard_free(c);
}

static void eeprom_write(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	select_part(c);
	bits(c, 5u << 6 | 20, 9);
	bits(c, 0x1234, 16);
	assert_int_equal(microwire(c, 20), 0);
	select_part(c);
	bits(c, 0x130, 9); /* EWEN */
	select_part(c);
	bits(c, 5u << 6 | 20, 9);
	bits(c, 0x1234, 16);
	assert_int_equal(microwire(c, 20), 0x1234);
	select_part(c);
	bits(c, 0x100, 9); /* EWDS */
	select_part(c);
	bits(c, 7u << 6 | 20, 9);
	assert_int_equal(microwire(c, 20), 0x1234);
	/* Clocks without end do nothing. */
	select_part(c);
	bits(c, 0xffffffff, 32);
	bits(c, 0xffffffff, 32);
	ecard_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phy),
		cmocka_unit_test(link),
		cmocka_unit_test(eeprom),
		cmocka_unit_test(eeprom_write),
	};

	return cmocka_run_group_tests_name("e1000_phy", tests, NULL, NULL);
}
