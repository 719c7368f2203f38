/* SPDX-License-Identifier: BSD-2-Clause */
/* e1000: causes, mask and pin; throttle and delays on a clock that we step. */
#include "e1000_card.h"

static bool line(struct ecard *c)
{
	return atomic_load(&c->pc.pirq[0]) || atomic_load(&c->pc.pirq[1]) ||
	       atomic_load(&c->pc.pirq[2]) || atomic_load(&c->pc.pirq[3]);
}

static void step(struct ecard *c, uint64_t ns)
{
	atomic_fetch_add(&c->clock.now, ns);
	loop_kick(c->loop);
	pc_sync(c->loop);
}

static void receive(struct ecard *c)
{
	uint8_t data[100] = {0};

	memcpy(data, emac, 6);
	assert_int_equal(epush_one(c, data, sizeof(data)), 1);
}

static void cause_mask_and_pin(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ewr(c, R_ICS, ICR_LSC | ICR_RXT0);
	assert_false(line(c));
	ewr(c, R_IMS, ICR_LSC);
	assert_true(line(c));
	ewr(c, R_ICR, ICR_LSC);
	assert_false(line(c));
	ewr(c, R_IMS, ICR_RXT0);
	assert_true(line(c));
	assert_int_equal(ereg(c, R_IMS), ICR_LSC | ICR_RXT0);
	ewr(c, R_IMC, ICR_RXT0);
	assert_false(line(c));
	ewr(c, R_IMS, ICR_RXT0);
	assert_true(line(c));
	assert_int_equal(ereg(c, R_ICR), ICR_RXT0);
	assert_false(line(c));
	assert_int_equal(ereg(c, R_ICR), 0);
	/* Bits that are no causes cannot be set. */
	ewr(c, R_IMS, UINT32_MAX);
	ewr(c, R_ICS, 0xfffe0000);
	assert_false(line(c));
	ecard_free(c);
}

static void throttle(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ewr(c, R_IMS, ICR_RXT0);
	ewr(c, R_ITR, 1000); /* 256 us */
	receive(c);
	assert_true(line(c));
	ereg(c, R_ICR);
	receive(c);
	assert_false(line(c));
	step(c, 200000);
	assert_false(line(c));
	step(c, 60000);
	assert_true(line(c));
	/* Unmasking from a vCPU is throttled as well. */
	ewr(c, R_IMC, ICR_RXT0);
	assert_false(line(c));
	ewr(c, R_IMS, ICR_RXT0);
	pc_sync(c->loop);
	assert_false(line(c));
	step(c, 260000);
	assert_true(line(c));
	ereg(c, R_ICR);
	/* Nothing to report: no timer. */
	assert_true(loop_next_timer(c->loop) == UINT64_MAX);
	/* What is held back when the wire goes is told. */
	receive(c);
	assert_false(line(c));
	net_unjoin(&c->nic->port);
	assert_true(line(c));
	ecard_free(c);
}

static void receive_delay(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ewr(c, R_IMS, ICR_RXT0);
	ewr(c, R_RDTR, 100);
	ewr(c, R_RADV, 150);
	receive(c);
	assert_false(line(c));
	step(c, 103000);
	assert_true(line(c));
	ereg(c, R_ICR);
	/* Each frame starts the delay anew, up to the absolute one. */
	receive(c);
	step(c, 60000);
	receive(c);
	step(c, 60000);
	assert_false(line(c));
	receive(c);
	step(c, 40000);
	assert_true(line(c));
	ereg(c, R_ICR);
	receive(c);
	assert_false(line(c));
	ewr(c, R_RDTR, RDTR_FPD | 100);
	assert_true(line(c));
	ereg(c, R_ICR);
	/* A reset forgets. */
	receive(c);
	ewr(c, R_CTRL, CTRL_RST);
	ewr(c, R_IMS, ICR_RXT0);
	step(c, 1000000);
	assert_false(line(c));
	ecard_free(c);
}

static void transmit_delay(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ewr(c, R_IMS, ICR_TXDW);
	ewr(c, R_TIDV, 100);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS | TXD_IDE));
	ego(c);
	assert_false(line(c));
	step(c, 103000);
	assert_true(line(c));
	ereg(c, R_ICR);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS | TXD_IDE));
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ego(c);
	assert_true(line(c));
	assert_int_equal(ereg(c, R_ICR), ICR_TXDW | ICR_TXQE);
	/* Low threshold: below 8 descriptors. */
	ewr(c, R_TXDCTL, 1u << 25);
	for (unsigned i = 0; i < 9; i++)
		etx(c, E_TXBUF, LEGACY(100, TXD_EOP));
	ego(c);
	assert_int_equal(ereg(c, R_ICR), ICR_TXD_LOW | ICR_TXQE);
	ecard_free(c);
}

static void small_packets(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ereg(c, R_ICR);
	ewr(c, R_RDTR, 1000);
	ewr(c, R_RSRPD, 99);
	receive(c);
	assert_int_equal(ereg(c, R_ICR), 0);
	ewr(c, R_RSRPD, 100);
	receive(c);
	assert_int_equal(ereg(c, R_ICR), ICR_SRPD);
	ecard_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cause_mask_and_pin), cmocka_unit_test(throttle),
		cmocka_unit_test(receive_delay),      cmocka_unit_test(transmit_delay),
		cmocka_unit_test(small_packets),
	};

	return cmocka_run_group_tests_name("e1000_irq", tests, NULL, NULL);
}
