/* SPDX-License-Identifier: BSD-2-Clause */
/* e1000: registers keep what they should, statistics clear, both windows show the same. */
#include "e1000_card.h"

static void defaults(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ewr(c, R_CTRL, CTRL_RST);
	assert_int_equal(ereg(c, R_CTRL), CTRL_DEFAULT);
	assert_int_equal(ereg(c, R_CTRL_DUP), CTRL_DEFAULT);
	assert_int_equal(ereg(c, R_STATUS), 0x283);
	assert_int_equal(ereg(c, R_PBA), 0x00100030);
	assert_int_equal(ereg(c, R_LEDCTL), 0x07068302);
	assert_int_equal(ereg(c, R_VET), 0x8100);
	assert_int_equal(ereg(c, R_MANC), 0);
	assert_int_equal(ereg(c, R_RAL), 0x0a005452);
	assert_int_equal(ereg(c, R_RAH), 0x80000c0b);
	assert_int_equal(ereg(c, R_RCTL) | ereg(c, R_TCTL) | ereg(c, R_IMS) | ereg(c, R_RDLEN), 0);
	ecard_free(c);
}

static void read_back(void **state)
{
	static const struct {
		uint32_t off, mask;
	} t[] = {
		{R_FCAL, UINT32_MAX},
		{R_FCT, 0xffff},
		{R_FCTTV, 0xffff},
		{R_TIPG, 0x3fffffff},
		{R_LEDCTL, UINT32_MAX},
		{R_FCRTL, 0x8000fff8},
		{R_FCRTH, 0xfff8},
		{R_TIDV, 0xffff},
		{R_ITR, 0xffff},
		{R_TXDCTL, UINT32_MAX},
		{R_RADV, 0xffff},
		{R_RDBAL, 0xfffffff0},
		{R_TDBAL, 0xfffffff0},
		{R_RDLEN, 0xfff80},
		{R_TDLEN, 0xfff80},
		{R_RDBAH, UINT32_MAX},
		{R_MTA + 4 * 127, UINT32_MAX},
		{R_VFTA, UINT32_MAX},
		{R_RAH + 120, UINT32_MAX},
		{R_FFVT + 1020, UINT32_MAX},
		{R_STATUS, 0},
		{0x5ffc, 0},
		{0x1fffc, 0},
		{R_STATS, 0},
	};
	struct ecard *c = ecard_make(0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		if (t[i].off == R_STATUS)
			continue;
		ewr(c, t[i].off, UINT32_MAX);
		assert_int_equal(ereg(c, t[i].off), t[i].mask);
		ewr(c, t[i].off, 0);
		assert_int_equal(ereg(c, t[i].off), 0);
	}
	ecard_free(c);
}

static void windows(void **state)
{
	struct ecard *c = ecard_make(0);
	uint16_t io = (uint16_t)c->n->pci.bar[1].io.base;
	uint8_t b[8];

	(void)state;
	pc_outl(&c->pc, io, R_RAL, 4);
	assert_int_equal(pc_in(&c->pc, io, 4), R_RAL);
	assert_int_equal(pc_in(&c->pc, (uint16_t)(io + 4), 4), 0x0a005452);
	pc_outl(&c->pc, (uint16_t)(io + 4), 0x12345678, 4);
	assert_int_equal(ereg(c, R_RAL), 0x12345678);
	pc_outl(&c->pc, io, 0x7fffffff, 4);
	pc_outl(&c->pc, (uint16_t)(io + 4), 1, 4);
	assert_int_equal(pc_in(&c->pc, (uint16_t)(io + 4), 4), 0);
	assert_int_equal(pc_in(&c->pc, (uint16_t)(io + 8), 4), 0);
	/* Parts of a dword can be read; two dwords at once too. */
	bus_mmio(&c->pc.bus, c->n->pci.bar[0].io.base + R_RAL + 1, false, b, 2);
	assert_int_equal(get_le16(b), 0x3456);
	bus_mmio(&c->pc.bus, c->n->pci.bar[0].io.base + R_RAL, false, b, 8);
	assert_true(get_le64(b) == 0x80000c0b12345678);
	bus_mmio(&c->pc.bus, c->n->pci.bar[0].io.base + R_RAL, true, b, 2);
	assert_int_equal(ereg(c, R_RAL), 0x12345678);
	ecard_free(c);
}

static void statistics(void **state)
{
	struct ecard *c = ecard_make(0);
	struct e1000_tally y = {0};

	(void)state;
	e1000_count(c->n, R_MPC, 5);
	assert_int_equal(ereg(c, R_MPC), 5);
	assert_int_equal(ereg(c, R_MPC), 0);
	e1000_count(c->n, R_MPC, UINT32_MAX);
	e1000_count(c->n, R_MPC, 2);
	assert_int_equal(ereg(c, R_MPC), UINT32_MAX);
	/* The high half waits for its turn, whatever comes in between. */
	atomic_store(&c->n->octets[OCTETS_GORC], 0x500000007);
	assert_int_equal(ereg(c, R_GORCL), 7);
	atomic_fetch_add(&c->n->octets[OCTETS_GORC], 9);
	assert_int_equal(ereg(c, R_GORCL + 4), 5);
	assert_int_equal(ereg(c, R_GORCL), 9);
	assert_int_equal(ereg(c, R_GORCL + 4), 0);
	for (unsigned len = 14; len < 2000; len++)
		e1000_tally_add(&y, len, (uint8_t)(len % 3), 1);
	assert_int_equal(y.frames, 1986);
	assert_int_equal(y.size[0], 47);
	assert_int_equal(y.size[1], 63);
	assert_int_equal(y.size[2], 128);
	assert_int_equal(y.size[3], 256);
	assert_int_equal(y.size[4], 512);
	assert_int_equal(y.size[5], 980);
	ecard_free(c);
}

static void reset_forgets(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ewr(c, R_IMS, ICR_LSC);
	ewr(c, R_ICS, ICR_LSC);
	assert_true(atomic_load(&c->n->pci.intx));
	ewr(c, R_CTRL, CTRL_RST);
	assert_false(atomic_load(&c->n->pci.intx));
	assert_null(c->n->tx.ring.base);
	assert_null(c->n->rx.ring.base);
	ewr(c, R_RAL, 1);
	ewr(c, R_CTRL_EXT, CTRL_EXT_EE_RST);
	assert_int_equal(ereg(c, R_RAL), 0x0a005452);
	assert_int_equal(ereg(c, R_CTRL_EXT), 0);
	ecard_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),	 cmocka_unit_test(read_back),
		cmocka_unit_test(windows),	 cmocka_unit_test(statistics),
		cmocka_unit_test(reset_forgets),
	};

	return cmocka_run_group_tests_name("e1000_regs", tests, NULL, NULL);
}
