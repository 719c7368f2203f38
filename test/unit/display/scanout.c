/* SPDX-License-Identifier: BSD-2-Clause */
/* A refresh tells what has changed, no less and not much more. */
#include "display/scanout.h"

#include "card.h"

static struct card c;
static struct scanout s;
static unsigned resizes, rects, x, y, w, h;

static void on_resized(void *opaque, unsigned width, unsigned height)
{
	(void)opaque;
	resizes++;
	w = width;
	h = height;
}

static void on_changed(void *opaque, unsigned rx, unsigned ry, unsigned rw, unsigned rh)
{
	(void)opaque;
	rects++;
	x = rx;
	y = ry;
	w = rw;
	h = rh;
}

static bool refresh(void)
{
	const struct scanout_user u = {on_resized, on_changed, NULL};

	resizes = rects = 0;
	return scanout_refresh(&s, &u);
}

static int setup(void **state)
{
	(void)state;
	return card_setup(&c) || scanout_init(&s, c.vga, NULL) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	scanout_exit(&s);
	return card_teardown(&c);
}

static void graphics(void **state)
{
	(void)state;
	assert_true(refresh());
	assert_int_equal(resizes, 1);
	/* Black was there before. */
	assert_int_equal(rects, 0);
	assert_false(refresh());
	card_pixel(&c, 100, 35, 0x102030);
	assert_true(refresh());
	assert_int_equal(rects, 1);
	assert_int_equal(x, 64);
	assert_int_equal(w, 64);
	assert_int_equal(y, 32);
	assert_int_equal(h, 16);
	assert_memory_equal(&s.pix[35 * 640 + 100], ((uint8_t[]){0x10, 0x20, 0x30, 0}), 4);
	/* The same again is no change. */
	card_pixel(&c, 100, 35, 0x102030);
	assert_false(refresh());
	assert_int_equal(rects, 0);
	/* The last tile and the last band are cut. */
	card_pixel(&c, 639, 479, 1);
	assert_true(refresh());
	assert_int_equal(x + w, 640);
	assert_int_equal(y + h, 480);
	scanout_forget(&s);
	assert_true(refresh());
	assert_int_equal(resizes, 1);
}

static void another_size(void **state)
{
	(void)state;
	refresh();
	card_pixel(&c, 0, 0, 0xffffff);
	vga_linear(c.vga, 320, 200);
	assert_true(refresh());
	assert_int_equal(resizes, 1);
	assert_int_equal(s.view.width, 320);
	assert_int_equal(s.pix[0], 0);
}

static void out(uint16_t port, uint8_t index, uint8_t val)
{
	pc_out(&c.pc, port, (uint32_t)(val << 8 | index), 2);
}

static void poke(uint32_t at, uint8_t val)
{
	bus_mmio(&c.pc.b, at, true, &val, 1);
}

static void text(void **state)
{
	(void)state;
	pc_out(&c.pc, 0x1ce, 4, 2);
	pc_out(&c.pc, 0x1cf, 0, 2);
	pc_out(&c.pc, 0x3c2, 0x67, 1);
	out(0x3c4, 1, 1);
	out(0x3c4, 2, 3);
	out(0x3c4, 4, 2);
	out(0x3ce, 5, 0x10);
	out(0x3ce, 6, 0x0e);
	out(0x3ce, 8, 0xff);
	out(0x3d4, 1, 79);
	out(0x3d4, 9, 15);
	out(0x3d4, 0x0a, 0x20);
	out(0x3d4, 0x12, 0x8f);
	out(0x3d4, 7, 2);
	out(0x3d4, 0x13, 40);
	assert_true(refresh());
	assert_int_equal(s.view.kind, VGA_TEXT);
	assert_int_equal(s.view.width, 640);
	assert_int_equal(s.view.height, 400);
	poke(0xb8000 + 2 * (80 * 4 + 7), 'x');
	poke(0xb8000 + 2 * (80 * 4 + 9), 'y');
	assert_true(refresh());
	assert_int_equal(rects, 1);
	assert_int_equal(x, 7 * 8);
	assert_int_equal(w, 3 * 8);
	assert_int_equal(y, 4 * 16);
	assert_int_equal(h, 16);
	poke(0xb8000 + 2 * (80 * 4 + 7), 'x');
	assert_false(refresh());
	/* The cursor: from where it is to where it goes. */
	out(0x3d4, 0x0a, 0);
	refresh();
	out(0x3d4, 0x0f, 5);
	assert_true(refresh());
	assert_int_equal(rects, 1);
	assert_int_equal(x, 0);
	assert_int_equal(w, 6 * 8);
	/* Another glyph: everything may look different. */
	out(0x3c4, 2, 4);
	poke(0xb8000, 0xff);
	assert_true(refresh());
	assert_int_equal(rects, 25);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(graphics), T(another_size), T(text)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
