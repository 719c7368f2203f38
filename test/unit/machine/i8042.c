/* SPDX-License-Identifier: BSD-2-Clause */
/* The keyboard controller with keyboard and mouse, as drivers use it; also ps2_kbd.c, ps2_mouse.c.
 */
#include "machine/ps2.h"

#include <stdlib.h>

#include "pc_fixture.h"

static struct pc pc;
static struct i8042 *k;
static unsigned resets;

static void on_reset(void *opaque)
{
	(void)opaque;
	resets++;
}

static int setup(void **state)
{
	const struct pc_power power = {on_reset, on_reset, NULL};

	(void)state;
	resets = 0;
	if (pc_setup(&pc))
		return -1;
	k = i8042_new(&pc.b, &power, NULL);
	return k ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	i8042_free(k);
	return pc_teardown(&pc);
}

static void cmd(uint8_t c)
{
	pc_out(&pc, 0x64, c, 1);
}

static void data(uint8_t d)
{
	pc_out(&pc, 0x60, d, 1);
}

static void aux(uint8_t d)
{
	cmd(0xd4);
	data(d);
}

static uint8_t status(void)
{
	return (uint8_t)pc_in(&pc, 0x64, 1);
}

/* The next byte, which must be there. */
static uint8_t next(void)
{
	assert_true(status() & 1);
	return (uint8_t)pc_in(&pc, 0x60, 1);
}

static void expect(const char *hex)
{
	for (; *hex; hex += 2) {
		char two[3] = {hex[0], hex[1], 0};

		assert_int_equal(next(), strtoul(two, NULL, 16));
	}
	assert_false(status() & 1);
}

static void controller_commands(void **state)
{
	(void)state;
	cmd(0xaa);
	expect("55");
	assert_true(status() & 4);
	cmd(0xab);
	expect("00");
	cmd(0xa9);
	expect("00");
	cmd(0x60);
	data(0x47);
	cmd(0x20);
	expect("47");
	cmd(0xa7);
	cmd(0x20);
	expect("67");
	cmd(0xa8);
	cmd(0xad);
	cmd(0x20);
	expect("57");
	cmd(0x65);
	data(0x12);
	cmd(0x25);
	expect("12");
	cmd(0xd3);
	data(0x5a);
	assert_true(status() & 0x20);
	expect("5a");
	cmd(0xd2);
	data(0xa5);
	assert_false(status() & 0x20);
	expect("a5");
}

static void every_reset_line(void **state)
{
	(void)state;
	cmd(0xfe);
	assert_int_equal(resets, 1);
	cmd(0xd1);
	data(0x02);
	assert_int_equal(resets, 2);
	cmd(0xff);
	assert_int_equal(resets, 2);
}

static void keys_in_set_2_and_translated(void **state)
{
	(void)state;
	ps2_key(k, 0x1e, true);
	ps2_key(k, 0x1e, false);
	expect("1cf01c");
	ps2_key(k, KEY_E0 | 0x48, true);
	ps2_key(k, KEY_E0 | 0x48, false);
	expect("e075e0f075");
	cmd(0x60);
	data(0x41);
	ps2_key(k, 0x1e, true);
	ps2_key(k, 0x1e, false);
	ps2_key(k, KEY_E0 | 0x48, true);
	ps2_key(k, KEY_E0 | 0x48, false);
	ps2_key(k, KEY_PAUSE, true);
	ps2_key(k, KEY_PAUSE, false);
	expect("1e9ee048e0c8e11d45e19dc5");
	/* Every key of set 1 comes out as it went in. */
	for (unsigned key = 1; key < 0x59; key++) {
		if (key == 0x55 || key == 0x54)
			continue;
		ps2_key(k, key, true);
		assert_int_equal(next(), key);
		ps2_key(k, key, false);
		assert_int_equal(next(), key | 0x80);
	}
}

static void scan_code_sets(void **state)
{
	(void)state;
	data(0xf0);
	expect("fa");
	data(1);
	expect("fa");
	ps2_key(k, KEY_E0 | 0x48, false);
	expect("e0c8");
	data(0xf0);
	data(3);
	expect("fafa");
	ps2_key(k, KEY_E0 | 0x48, false);
	expect("f063");
	data(0xf0);
	data(0);
	expect("fafa03");
	data(0xf0);
	data(9);
	expect("fafe");
}

static void keyboard_commands(void **state)
{
	(void)state;
	data(0xff);
	expect("faaa");
	data(0xf2);
	expect("faab83");
	data(0xee);
	expect("ee");
	data(0xed);
	data(5);
	expect("fafa");
	assert_int_equal(ps2_leds(k), LED_SCROLL | LED_CAPS);
	data(0xf3);
	data(0x20);
	expect("fafa");
	data(0xf5);
	expect("fa");
	ps2_key(k, 0x1e, true);
	assert_false(status() & 1);
	data(0xf4);
	expect("fa");
	ps2_key(k, 0x1e, true);
	expect("1c");
	data(0xfe);
	expect("1c");
	data(0x05);
	expect("fe");
}

static void one_edge_for_each_byte(void **state)
{
	(void)state;
	cmd(0x60);
	data(0x43);
	ps2_key(k, 0x1e, true);
	ps2_key(k, 0x1e, false);
	assert_true(pc.f.irq[1]);
	assert_int_equal(pc.f.edges, 1);
	assert_int_equal(next(), 0x1e);
	/* Down and up again. */
	assert_int_equal(pc.f.edges, 3);
	assert_int_equal(next(), 0x9e);
	assert_false(pc.f.irq[1]);
	aux(0xf2);
	assert_true(pc.f.irq[12]);
	assert_false(pc.f.irq[1]);
	expect("fa00");
	assert_false(pc.f.irq[12]);
}

static void a_queue_that_nobody_reads_is_bounded(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		ps2_key(k, KEY_PAUSE, true);
	for (; status() & 1; n++)
		pc_in(&pc, 0x60, 1);
	/* Whole sequences only. */
	assert_int_equal(n % 8, 0);
	assert_in_range(n, 64, 160);
}

/* --- mouse ----------------------------------------------------------------------------------- */

static void mouse_commands(void **state)
{
	(void)state;
	aux(0xff);
	assert_true(status() & 0x20);
	expect("faaa00");
	aux(0xe9);
	expect("fa000264");
	aux(0xe8);
	aux(3);
	expect("fafa");
	aux(0xe7);
	expect("fa");
	aux(0xf3);
	aux(40);
	expect("fafa");
	aux(0xf4);
	expect("fa");
	aux(0xe9);
	expect("fa300328");
	assert_true(ps2_mouse_on(k));
	aux(0x77);
	expect("fe");
	aux(0xee);
	aux(0x12);
	expect("fa12");
	aux(0xec);
	aux(0xe6);
	expect("fafa");
}

static void knock(uint8_t a, uint8_t b, uint8_t c)
{
	const uint8_t rates[] = {a, b, c};

	for (unsigned i = 0; i < 3; i++) {
		aux(0xf3);
		aux(rates[i]);
		expect("fafa");
	}
	aux(0xf2);
}

static void the_wheel_is_there_for_who_knocks(void **state)
{
	(void)state;
	knock(200, 100, 80);
	expect("fa03");
	aux(0xf4);
	expect("fa");
	ps2_mouse(k, 0, 0, 1, 0);
	expect("08000001");
	ps2_mouse(k, 0, 0, -1, 0);
	expect("080000ff");
	knock(200, 200, 80);
	expect("fa04");
}

static void movement_adds_up(void **state)
{
	(void)state;
	/* Nobody listens. */
	ps2_mouse(k, 5, 5, 0, 0);
	assert_false(status() & 1);
	aux(0xf4);
	expect("fa");
	ps2_mouse(k, 10, -3, 0, 0);
	/* These come while the report waits. */
	ps2_mouse(k, 1, 1, 0, 0);
	ps2_mouse(k, 1, 1, 0, 0);
	expect("080a032802fe");
	ps2_mouse(k, -300, 0, 0, BUTTON_LEFT | BUTTON_MIDDLE);
	expect("1d01001dd300");
	/* A click that is over before the guest has looked is seen. */
	ps2_mouse(k, 0, 0, 0, 0);
	ps2_mouse(k, 0, 0, 0, BUTTON_RIGHT);
	ps2_mouse(k, 0, 0, 0, 0);
	expect("0800000a0000080000");
}

static void reset_forgets(void **state)
{
	(void)state;
	ps2_key(k, 0x1e, true);
	aux(0xf4);
	bus_lock(&pc.b);
	i8042_reset(k);
	bus_unlock(&pc.b);
	assert_false(status() & 1);
	assert_false(ps2_mouse_on(k));
	assert_false(pc.f.irq[1]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(controller_commands),
		T(every_reset_line),
		T(keys_in_set_2_and_translated),
		T(scan_code_sets),
		T(keyboard_commands),
		T(one_edge_for_each_byte),
		T(a_queue_that_nobody_reads_is_bounded),
		T(mouse_commands),
		T(the_wheel_is_there_for_who_knocks),
		T(movement_adds_up),
		T(reset_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
