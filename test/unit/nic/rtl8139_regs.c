/* SPDX-License-Identifier: BSD-2-Clause */
/* rtl8139 registers: what reads as written, what is locked, widths, EEPROM, PHY, timer, resets. */
#include "rtl.h"

/* The EEPROM as Linux reads it, by the pins in 9346CR. */
static uint16_t eeprom(struct rcard *c, unsigned addr)
{
	unsigned cmd = 6u << 6 | addr;
	uint16_t v = 0;

	r_set(c, CR9346, 0x80, 1);
	r_set(c, CR9346, 0x88, 1);
	for (int i = 10; i >= 0; i--) {
		uint8_t d = cmd >> i & 1 ? 2 : 0;

		r_set(c, CR9346, 0x88 | d, 1);
		r_set(c, CR9346, 0x8c | d, 1);
	}
	r_set(c, CR9346, 0x88, 1);
	for (int i = 0; i < 16; i++) {
		r_set(c, CR9346, 0x8c, 1);
		v = (uint16_t)(v << 1 | (r_get(c, CR9346, 1) & 1));
		r_set(c, CR9346, 0x88, 1);
	}
	r_set(c, CR9346, 0, 1);
	return v;
}

static void power_on(void **state)
{
	struct rcard *c = r_make("mac=52:54:00:01:02:03");

	(void)state;
	assert_int_equal(pc_config_read(&c->pc, c->pci, 0, 4), 0x813910ec);
	assert_int_equal(pc_config_read(&c->pc, c->pci, 8, 4), 0x02000020);
	assert_int_equal(pc_config_read(&c->pc, c->pci, 0x3d, 1), 1);
	assert_int_equal(r_get(c, IDR0, 4), 0x01005452);
	assert_int_equal(r_get(c, IDR0 + 4, 2), 0x0302);
	assert_int_equal(r_get(c, CR, 1), CR_BUFE);
	assert_int_equal(r_get(c, CAPR, 2), 0xfff0);
	assert_int_equal(r_get(c, TCR, 4) & 0x7cc00000, 0x74800000);
	assert_int_equal(r_get(c, 0x5e, 1), 0x20);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(r_get(c, TSD0 + 4 * i, 4), TSD_OWN);
	assert_int_equal(eeprom(c, 0), 0x8129);
	assert_int_equal(eeprom(c, 7), 0x5452);
	assert_int_equal(eeprom(c, 8), 0x0100);
	assert_int_equal(eeprom(c, 9), 0x0302);
	/* The same registers by port. */
	assert_int_equal(pc_in(&c->pc, (uint16_t)c->pci->bar[0].io.base, 4), 0x01005452);
	r_free(c);
}

static void any_width(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		r_set(c, IDR0 + i, 0x10 + i, 1);
	assert_int_equal(r_get(c, IDR0, 4), 0x13121110);
	assert_int_equal(r_get(c, IDR0 + 3, 2), 0x1413);
	assert_int_equal(r_get(c, IDR0 + 4, 4), 0x1514);
	/* Two registers in one access; bytes not written keep their value. */
	r_set(c, IMR, 0x0000ffff, 4);
	assert_int_equal(r_get(c, IMR, 2), INT_ALL);
	r_set(c, IMR, 0, 1);
	assert_int_equal(r_get(c, IMR, 2), INT_ALL & 0xff00);
	/* ISR by bytes: only the bits that are written. */
	rtl_raise(c->rtl, INT_TIMEOUT | INT_TOK);
	r_set(c, ISR + 1, 0xff, 1);
	assert_int_equal(r_get(c, ISR, 2) & (INT_TIMEOUT | INT_TOK), INT_TOK);
	/* Nothing there. */
	r_set(c, 0x06, 0xffff, 2);
	assert_int_equal(r_get(c, 0x06, 2), 0);
	assert_int_equal(r_get(c, 0xfc, 4), 0);
	/* Every register, every width: only that nothing breaks. */
	for (unsigned reg = 0; reg < 256; reg++)
		for (unsigned size = 1; size <= 4; size *= 2) {
			r_set(c, reg, 0xffffffff, size);
			r_get(c, reg, size);
			r_set(c, reg, 0, size);
		}
	r_free(c);
}

static void config_is_locked(void **state)
{
	static const struct {
		uint8_t reg, bits;
	} t[] = {{CONFIG1, 0xf3}, {0x59, 0x62}, {0x5a, 0xff}};
	struct rcard *c = r_make("mac=52:54:00:01:02:03");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		uint32_t was = r_get(c, t[i].reg, 1);

		r_set(c, t[i].reg, was ^ 0xff, 1);
		assert_int_equal(r_get(c, t[i].reg, 1), was);
		r_set(c, CR9346, 0xc0, 1);
		r_set(c, t[i].reg, was ^ 0xff, 1);
		assert_int_equal(r_get(c, t[i].reg, 1), was ^ t[i].bits);
		r_set(c, CR9346, 0, 1);
	}
	r_set(c, BMCR, 0, 2);
	assert_int_equal(r_get(c, BMCR, 2), 0x3100);
	r_set(c, CR9346, 0xc0, 1);
	r_set(c, BMCR, 0, 2);
	assert_int_equal(r_get(c, BMCR, 2), 0);
	/* Wake-up frames, masks: storage. */
	for (unsigned reg = 0x84; reg < 0xd4; reg += 4) {
		r_set(c, reg, 0x01020304 * reg, 4);
		assert_int_equal(r_get(c, reg, 4), 0x01020304 * reg);
	}
	/* Loading the EEPROM takes back IDR. */
	r_set(c, IDR0, 0, 4);
	r_set(c, CR9346, 0x40, 1);
	assert_int_equal(r_get(c, CR9346, 1), 0);
	assert_int_equal(r_get(c, IDR0, 4), 0x01005452);
	r_free(c);
}

static void interrupts(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	rtl_raise(c->rtl, INT_TOK);
	assert_false(r_pin(c));
	r_set(c, IMR, INT_TOK | INT_ROK, 2);
	assert_true(r_pin(c));
	rtl_raise(c->rtl, INT_ROK | INT_SERR);
	r_set(c, ISR, INT_TOK, 2);
	assert_true(r_pin(c));
	r_set(c, IMR, INT_TOK, 2);
	assert_false(r_pin(c));
	r_set(c, IMR, INT_ALL, 2);
	r_set(c, ISR, INT_ROK, 2);
	assert_true(r_pin(c));
	/* Reading takes nothing away. */
	assert_int_equal(r_get(c, ISR, 2), INT_SERR);
	assert_int_equal(r_get(c, ISR, 2), INT_SERR);
	r_set(c, ISR, 0xffff, 2);
	assert_false(r_pin(c));
	/* The driver's own. */
	r_set(c, TPPOLL, 1, 1);
	assert_int_equal(r_isr(c), INT_SWINT);
	r_free(c);
}

static void link_state(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_isr(c);
	r_set(c, IMR, INT_LINKCHG, 2);
	assert_int_equal(r_get(c, MSR, 1) & 0x0c, 0);
	assert_int_equal(r_get(c, BMSR, 2), 0x782d);
	assert_int_equal(r_get(c, 0x68, 2), 0x45e1);
	net_set_link(&c->nic->port, false);
	assert_true(r_pin(c));
	assert_int_equal(r_isr(c), INT_LINKCHG);
	/* Told once: Linux' 8139too asks for it. */
	assert_int_equal(r_get(c, 0x74, 2), 0x0bc0);
	assert_int_equal(r_get(c, 0x74, 2), 0x03c0);
	assert_int_equal(r_get(c, MSR, 1) & 0x04, 4);
	assert_int_equal(r_get(c, BMSR, 2), 0x7809);
	assert_int_equal(r_get(c, 0x68, 2), 0);
	net_set_link(&c->nic->port, true);
	assert_int_equal(r_isr(c), INT_LINKCHG);
	assert_int_equal(r_get(c, BMSR, 2), 0x782d);
	/* 10 Mbit/s by advertisement, then without negotiation. */
	r_set(c, 0x66, 0x61, 2);
	assert_int_equal(r_get(c, MSR, 1) & 0x08, 8);
	r_set(c, BMCR, 0x8000, 2);
	assert_int_equal(r_get(c, MSR, 1) & 0x08, 0);
	r_set(c, CR9346, 0xc0, 1);
	r_set(c, BMCR, 0, 2);
	assert_int_equal(r_get(c, MSR, 1) & 0x08, 8);
	assert_int_equal(r_get(c, BMSR, 2), 0x780d);
	r_free(c);
}

static void timer(void **state)
{
	struct rcard *c = r_make("");
	uint32_t t;

	(void)state;
	assert_int_equal(c->rtl->timer.heap, 0);
	r_set(c, TCTR, 0, 4);
	t = r_get(c, TCTR, 4);
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	assert_true(r_get(c, TCTR, 4) - t >= 66000);
	r_set(c, IMR, INT_TIMEOUT, 2);
	r_set(c, TCTR, 0, 4);
	r_set(c, TIMERINT, 330000, 4); /* 10 ms */
	assert_int_equal(r_get(c, TIMERINT, 4), 330000);
	assert_false(r_pin(c));
	for (unsigned i = 0; i < 200 && !r_pin(c); i++)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	assert_true(r_pin(c));
	assert_true(r_get(c, TCTR, 4) >= 330000);
	assert_int_equal(r_isr(c), INT_TIMEOUT);
	r_set(c, TIMERINT, 0, 4);
	assert_int_equal(c->rtl->timer.heap, 0);
	r_free(c);
}

static void resets(void **state)
{
	struct rcard *c = r_make("mac=52:54:00:01:02:03");

	(void)state;
	for (unsigned hard = 0; hard < 2; hard++) {
		r_set(c, IDR0, 0x11223344, 4);
		r_set(c, MAR0, 0x55, 4);
		r_set(c, CPCR, 3, 2);
		r_set(c, RDSAR, 0x1000, 4);
		r_set(c, RCR, 0xf, 4);
		r_set(c, TSAD0, 0x1000, 4);
		r_set(c, CR, CR_TE | CR_RE, 1);
		r_set(c, IMR, INT_ALL, 2);
		r_set(c, TPPOLL, 1, 1);
		assert_true(r_pin(c));
		if (hard) {
			pci_bus_reset(c->pc.pci);
			assert_false(r_pin(c));
			pc_assign(&c->pc);
		} else {
			r_set(c, CR, CR_RST, 1);
			assert_false(r_pin(c));
		}
		assert_int_equal(r_get(c, CR, 1), CR_BUFE);
		assert_int_equal(r_get(c, IMR, 4), 0);
		assert_int_equal(r_get(c, CPCR, 2), 0);
		assert_int_equal(r_get(c, RDSAR, 4), 0);
		assert_int_equal(r_get(c, RCR, 4), 0);
		assert_int_equal(r_get(c, TSAD0, 4), 0);
		assert_int_equal(r_get(c, IDR0, 4), hard ? 0x01005452 : 0x11223344);
		assert_int_equal(r_get(c, MAR0, 4), hard ? 0 : 0x55);
	}
	r_free(c);
}

static void without_cplus(void **state)
{
	struct rcard *c = r_make("cplus=off");

	(void)state;
	assert_int_equal(pc_config_read(&c->pc, c->pci, 8, 1), 0x10);
	assert_int_equal(r_get(c, TCR, 4) & 0x7cc00000, 0x74000000);
	r_isr(c);
	r_set(c, CPCR, 3, 2);
	r_set(c, RDSAR, 0x1000, 4);
	r_set(c, TPPOLL, 0xc1, 1);
	assert_int_equal(r_get(c, CPCR, 2), 0);
	assert_int_equal(r_get(c, RDSAR, 4), 0);
	assert_int_equal(r_isr(c), 0);
	r_up(c, 0);
	r_slot(c, 0, r_bytes(60), 60);
	assert_int_equal(c->peer[0].n, 1);
	r_free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(power_on),   T(any_width), T(config_is_locked), T(interrupts),
		T(link_state), T(timer),     T(resets),		  T(without_cplus),
	};

	return cmocka_run_group_tests_name("rtl8139_regs", tests, NULL, NULL);
}
