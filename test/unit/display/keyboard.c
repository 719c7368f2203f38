/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols become keys: layouts, shift, locks, names. */
#include "../../../src/display/keyboard.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static char got[256]; /* "2a+ 1e+ 2a-" */
static unsigned leds;
static struct keyboard k;

static void on_key(void *opaque, unsigned key, bool down)
{
	size_t n = strlen(got);

	(void)opaque;
	snprintf(got + n, sizeof(got) - n, "%s%02x%c", n ? " " : "", key, down ? '+' : '-');
}

static unsigned on_leds(void *opaque)
{
	(void)opaque;
	return leds;
}

static void use(const char *layout)
{
	k = (struct keyboard){.layout = layout_find(layout, NULL), .key = on_key, .leds = on_leds};
	assert_non_null(k.layout);
	leds = 0;
	got[0] = 0;
}

static void expect(const char *keys)
{
	assert_string_equal(got, keys);
	got[0] = 0;
}

static void press(uint32_t sym)
{
	keyboard_symbol(&k, sym, true);
	keyboard_symbol(&k, sym, false);
}

static void rows_are_of_one_length(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		for (const struct row *r = layouts[i].rows; r->plain; r++) {
			assert_int_equal(strlen(r->plain), strlen(r->shift));
			if (r->altgr)
				assert_int_equal(strlen(r->plain), strlen(r->altgr));
		}
	}
}

static void every_ascii_character_has_a_key(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		use(layouts[i].name);
		for (uint32_t ch = 0x20; ch < 0x7f; ch++) {
			press(ch);
			assert_true(got[0]);
			got[0] = 0;
		}
	}
}

static void shift_is_pressed_where_it_is_missing(void **state)
{
	(void)state;
	use("en-us");
	press('a');
	expect("1e+ 1e-");
	press('A');
	expect("2a+ 1e+ 2a- 1e-");
	press('!');
	expect("2a+ 02+ 2a- 02-");
	press(0xff0d);
	expect("1c+ 1c-");
	/* Held by the typist. */
	keyboard_symbol(&k, 0xffe2, true);
	press('A');
	expect("36+ 1e+ 1e-");
	/* On the typist's keyboard it is shifted, on the guest's not. */
	press('/');
	expect("36- 35+ 36+ 35-");
	keyboard_symbol(&k, 0xffe2, false);
	expect("36-");
	press(' ');
	expect("39+ 39-");
}

static void locks(void **state)
{
	(void)state;
	use("en-us");
	leds = LED_CAPS;
	press('A');
	expect("1e+ 1e-");
	press('a');
	expect("2a+ 1e+ 2a- 1e-");
	press('1');
	expect("02+ 02-");
	leds = 0;
	press(0xffb7);
	expect("45+ 45- 47+ 47-");
	leds = LED_NUM;
	press(0xffb7);
	expect("47+ 47-");
	press(0xff95);
	expect("45+ 45- 47+ 47-");
}

static void other_layouts(void **state)
{
	(void)state;
	use("de");
	press('z');
	expect("15+ 15-");
	press('@');
	expect("b8+ 10+ b8- 10-");
	press(0xdf);
	expect("0c+ 0c-");
	press(0x010000fc);
	expect("1a+ 1a-");
	keyboard_symbol(&k, 0xfe03, true);
	press('{');
	expect("b8+ 08+ 08-");
	use("fr");
	press('1');
	expect("2a+ 02+ 2a- 02-");
	use("en-gb");
	press('"');
	expect("2a+ 03+ 2a- 03-");
}

static void unknown_symbols_are_passed_over(void **state)
{
	(void)state;
	use("en-us");
	press(0);
	press(0xe9);
	press(0x1000000);
	press(0x20ac);
	press(0xffffffff);
	/* Never pressed. */
	keyboard_symbol(&k, 'a', false);
	expect("");
}

static void release_lets_go_of_all(void **state)
{
	(void)state;
	use("en-us");
	keyboard_symbol(&k, 0xffe3, true);
	keyboard_symbol(&k, 0xff51, true);
	got[0] = 0;
	keyboard_release(&k);
	expect("1d- cb-");
	keyboard_release(&k);
	expect("");
}

static void names_for_sendkey(void **state)
{
	unsigned keys[3];
	struct err e;

	(void)state;
	assert_int_equal(keyboard_parse("ctrl-alt-f1", keys, 3, &e), 3);
	assert_int_equal(keys[0], 0x1d);
	assert_int_equal(keys[1], 0x38);
	assert_int_equal(keys[2], 0x3b);
	assert_int_equal(keyboard_parse("0x9d", keys, 3, &e), 1);
	assert_int_equal(keys[0], 0x9d);
	assert_int_equal(keyboard_parse("7", keys, 3, &e), 1);
	assert_int_equal(keys[0], 8);
	assert_int_equal(keyboard_parse("ctrl-", keys, 3, &e), -EINVAL);
	assert_int_equal(keyboard_parse("", keys, 3, &e), -EINVAL);
	assert_int_equal(keyboard_parse("0x", keys, 3, &e), -EINVAL);
	assert_int_equal(keyboard_parse("ctrl-foo", keys, 3, &e), -EINVAL);
	assert_non_null(strstr(e.text, "foo"));
	assert_int_equal(keyboard_parse("a-b-c-d", keys, 3, &e), -EINVAL);
	assert_non_null(strstr(e.text, "at most 3"));
	assert_null(layout_find("xx", &e));
	assert_non_null(strstr(e.text, "en-us, en-gb, de, fr"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_of_one_length),
		cmocka_unit_test(every_ascii_character_has_a_key),
		cmocka_unit_test(shift_is_pressed_where_it_is_missing),
		cmocka_unit_test(locks),
		cmocka_unit_test(other_layouts),
		cmocka_unit_test(unknown_symbols_are_passed_over),
		cmocka_unit_test(release_lets_go_of_all),
		cmocka_unit_test(names_for_sendkey),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
