/* SPDX-License-Identifier: BSD-2-Clause */
/* The 93C46 by its pins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/nic/rtl8139.h"

static void bit(struct rtl_eeprom *e, bool di)
{
	rtl_eeprom_pins(e, true, false, di);
	rtl_eeprom_pins(e, true, true, di);
}

static void start(struct rtl_eeprom *e, unsigned code, unsigned addr)
{
	rtl_eeprom_pins(e, false, false, false);
	bit(e, false); /* zeros before the start bit mean nothing */
	bit(e, true);
	for (int i = 1; i >= 0; i--)
		bit(e, code >> i & 1);
	for (int i = 5; i >= 0; i--)
		bit(e, addr >> i & 1);
}

static uint16_t word(struct rtl_eeprom *e)
{
	uint16_t v = 0;

	for (unsigned i = 0; i < 16; i++) {
		bit(e, false);
		v = (uint16_t)(v << 1 | e->dout);
	}
	return v;
}

static void data(struct rtl_eeprom *e, uint16_t v)
{
	for (int i = 15; i >= 0; i--)
		bit(e, v >> i & 1);
}

static uint16_t read_word(struct rtl_eeprom *e, unsigned addr)
{
	start(e, 2, addr);
	assert_false(e->dout); /* the bit before the word */
	return word(e);
}

static void reads(void **state)
{
	const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};
	struct rtl_eeprom e;

	(void)state;
	rtl_eeprom_init(&e, mac);
	assert_int_equal(read_word(&e, 0), 0x8129);
	assert_int_equal(read_word(&e, 1), 0x10ec);
	assert_int_equal(read_word(&e, 7), 0x5452);
	assert_int_equal(read_word(&e, 9), 0x0302);
	/* On and on, over the end. */
	start(&e, 2, 62);
	assert_int_equal(word(&e), 0);
	assert_int_equal(word(&e), 0);
	assert_int_equal(word(&e), 0x8129);
}

static void writes_when_permitted(void **state)
{
	struct rtl_eeprom e;

	(void)state;
	rtl_eeprom_init(&e, (const uint8_t[6]){0});
	start(&e, 1, 20);
	data(&e, 0x1234);
	assert_true(e.dout);
	assert_int_equal(read_word(&e, 20), 0);
	start(&e, 0, 0x30); /* EWEN */
	start(&e, 1, 20);
	data(&e, 0x1234);
	assert_int_equal(read_word(&e, 20), 0x1234);
	start(&e, 3, 20);
	assert_int_equal(read_word(&e, 20), 0xffff);
	start(&e, 0, 0x10); /* WRAL */
	data(&e, 0xa55a);
	assert_int_equal(read_word(&e, 0), 0xa55a);
	assert_int_equal(read_word(&e, 63), 0xa55a);
	start(&e, 0, 0x20); /* ERAL */
	assert_int_equal(read_word(&e, 33), 0xffff);
	start(&e, 0, 0); /* EWDS */
	start(&e, 1, 5);
	data(&e, 0);
	assert_int_equal(read_word(&e, 5), 0xffff);
	/* A command that is broken off has no effect. */
	start(&e, 0, 0x30);
	start(&e, 1, 5);
	bit(&e, true);
	rtl_eeprom_pins(&e, false, false, false);
	assert_int_equal(read_word(&e, 5), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(writes_when_permitted),
	};

	return cmocka_run_group_tests_name("rtl8139_eeprom", tests, NULL, NULL);
}
