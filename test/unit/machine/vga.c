/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The display adapter as guests use it: registers, the window with its write modes, the Bochs
 * extensions, and what is drawn of it. Covers vga.c, vga_regs.c, vbe.c, vga_mem.c, vga_view.c,
 * vga_draw.c.
 */
#include "machine/vga.h"

#include <stdlib.h>

#include "pc_fixture.h"

static struct pc pc;
static struct pci_bus *pci;
static struct vga *v;
static uint32_t *pix; /* one line */

static void no_irq(void *opaque, unsigned pirq, bool level)
{
	(void)opaque;
	(void)pirq;
	(void)level;
}

static int setup(void **state)
{
	(void)state;
	if (pc_setup(&pc))
		return -1;
	pci = pci_bus_new(&pc.b, no_irq, NULL, NULL);
	v = vga_add(pci, NULL, NULL);
	pix = calloc((size_t)VGA_WIDTH_MAX * 32, sizeof(*pix));
	return v && pix ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	pci_bus_free(pci);
	free(pix);
	return pc_teardown(&pc);
}

static void out(uint16_t port, uint8_t index, uint8_t val)
{
	pc_out(&pc, port, (uint32_t)(val << 8 | index), 2);
}

static uint8_t in(uint16_t port, uint8_t index)
{
	pc_out(&pc, port, index, 1);
	return (uint8_t)pc_in(&pc, (uint16_t)(port + 1), 1);
}

static void attr(uint8_t index, uint8_t val)
{
	pc_in(&pc, 0x3da, 1);
	pc_out(&pc, 0x3c0, index, 1);
	pc_out(&pc, 0x3c0, val, 1);
	pc_out(&pc, 0x3c0, 0x20, 1);
}

static void vbe(uint16_t reg, uint16_t val)
{
	pc_out(&pc, 0x1ce, reg, 2);
	pc_out(&pc, 0x1cf, val, 2);
}

static uint16_t vbe_get(uint16_t reg)
{
	pc_out(&pc, 0x1ce, reg, 2);
	return (uint16_t)pc_in(&pc, 0x1cf, 2);
}

static void poke(uint32_t off, uint8_t val)
{
	bus_mmio(&pc.b, 0xa0000 + off, true, &val, 1);
}

static uint8_t peek(uint32_t off)
{
	uint8_t val = 0x77;

	bus_mmio(&pc.b, 0xa0000 + off, false, &val, 1);
	return val;
}

/* Graphics in the window of 64 KiB, all planes; plain planar addressing. */
static void planar(void)
{
	pc_out(&pc, 0x3c2, 0x63, 1);
	out(0x3c4, 2, 0x0f);
	out(0x3c4, 4, 0x06);
	out(0x3ce, 6, 0x05);
	out(0x3ce, 8, 0xff);
	out(0x3ce, 5, 0);
	out(0x3ce, 3, 0);
	out(0x3ce, 1, 0);
}

static void planes(uint32_t off, uint8_t b[4])
{
	for (uint8_t p = 0; p < 4; p++) {
		out(0x3ce, 4, p);
		b[p] = peek(off);
	}
}

#define assert_planes(off, a, b, c, d)                                                             \
	do {                                                                                       \
		uint8_t got_[4];                                                                   \
		const uint8_t want_[4] = {a, b, c, d};                                             \
		planes(off, got_);                                                                 \
		assert_memory_equal(got_, want_, 4);                                               \
	} while (0)

static void registers_keep_what_they_have(void **state)
{
	(void)state;
	pc_out(&pc, 0x3c2, 0xff, 1);
	assert_int_equal(pc_in(&pc, 0x3cc, 1), 0xef);
	out(0x3c4, 2, 0xff);
	assert_int_equal(in(0x3c4, 2), 0x0f);
	out(0x3ce, 5, 0xff);
	assert_int_equal(in(0x3ce, 5), 0x7b);
	attr(0x14, 0xff);
	pc_in(&pc, 0x3da, 1);
	pc_out(&pc, 0x3c0, 0x14, 1);
	assert_int_equal(pc_in(&pc, 0x3c1, 1), 0x0f);
	/* CR0 … CR7 are locked by CR11. */
	out(0x3d4, 1, 79);
	out(0x3d4, 0x11, 0x80);
	out(0x3d4, 1, 39);
	assert_int_equal(in(0x3d4, 1), 79);
	out(0x3d4, 7, 0xff);
	assert_int_equal(in(0x3d4, 7), 0x10);
	/* There are 25. */
	out(0x3d4, 0xff, 1);
	assert_int_equal(in(0x3d4, 0xff), 0);
	/* Monochrome: the CRT's registers are at 3Bx. */
	assert_int_equal(pc_in(&pc, 0x3b5, 1), 0xff);
	pc_out(&pc, 0x3c2, 0x62, 1);
	assert_int_equal(pc_in(&pc, 0x3d5, 1), 0xff);
	assert_int_equal(in(0x3b4, 1), 79);
}

static void the_dac_counts(void **state)
{
	(void)state;
	pc_out(&pc, 0x3c8, 255, 1);
	for (unsigned i = 0; i < 6; i++)
		pc_out(&pc, 0x3c9, 0xc1 + i, 1);
	pc_out(&pc, 0x3c7, 255, 1);
	/* Six bits, and around to entry 0. */
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(pc_in(&pc, 0x3c9, 1), 1 + i);
	assert_int_equal(pc_in(&pc, 0x3c7, 1), 3);
}

static void write_mode_0(void **state)
{
	(void)state;
	planar();
	poke(5, 0xa5);
	assert_planes(5, 0xa5, 0xa5, 0xa5, 0xa5);
	/* Set/reset in planes 0 and 1, rotation in the others, map mask. */
	out(0x3ce, 0, 0x01);
	out(0x3ce, 1, 0x03);
	out(0x3ce, 3, 0x04);
	out(0x3c4, 2, 0x0b);
	poke(5, 0x12);
	assert_planes(5, 0xff, 0x00, 0xa5, 0x21);
	/* Bit mask, and logic with the latches. */
	out(0x3ce, 1, 0);
	out(0x3ce, 3, 0x18);
	out(0x3c4, 2, 0x0f);
	out(0x3ce, 8, 0xf0);
	peek(5);
	poke(5, 0xff);
	assert_planes(5, 0x0f, 0xf0, 0x55, 0xd1);
	out(0x3ce, 3, 0x08);
	peek(5);
	poke(5, 0x3c);
	assert_planes(5, 0x0f, 0x30, 0x15, 0x11);
	out(0x3ce, 3, 0x10);
	peek(5);
	poke(5, 0xc0);
	assert_planes(5, 0xcf, 0xf0, 0xd5, 0xd1);
}

static void write_modes_1_to_3(void **state)
{
	(void)state;
	planar();
	for (uint8_t p = 0; p < 4; p++) {
		out(0x3c4, 2, (uint8_t)(1 << p));
		poke(7, (uint8_t)(0x11 * (p + 1)));
	}
	out(0x3c4, 2, 0x0f);
	out(0x3ce, 5, 1);
	peek(7);
	poke(9, 0);
	assert_planes(9, 0x11, 0x22, 0x33, 0x44);
	out(0x3ce, 5, 2);
	out(0x3ce, 8, 0x0f);
	peek(9);
	poke(9, 0x05);
	assert_planes(9, 0x1f, 0x20, 0x3f, 0x40);
	out(0x3ce, 5, 3);
	out(0x3ce, 0, 0x0a);
	out(0x3ce, 8, 0xff);
	peek(9);
	poke(9, 0x80);
	assert_planes(9, 0x1f, 0xa0, 0x3f, 0xc0);
	/* Read mode 1: where the colour is 0101, planes 1 and 3 being of no interest. */
	out(0x3ce, 5, 8);
	out(0x3ce, 2, 0x05);
	out(0x3ce, 7, 0x05);
	assert_int_equal(peek(9), 0x1f);
	out(0x3ce, 7, 0);
	assert_int_equal(peek(9), 0xff);
}

static void chained_and_odd_even_addresses(void **state)
{
	(void)state;
	planar();
	out(0x3c4, 4, 0x0e);
	for (uint32_t a = 0; a < 4; a++)
		poke(8 + a, (uint8_t)(0x10 + a));
	out(0x3c4, 4, 0x06);
	assert_planes(2, 0x10, 0x11, 0x12, 0x13);
	/* Text: characters in plane 0, attributes in plane 1. */
	out(0x3c4, 2, 3);
	out(0x3c4, 4, 2);
	out(0x3ce, 5, 0x10);
	out(0x3ce, 6, 0x0e);
	poke(0x18000 + 6, 'A');
	poke(0x18000 + 7, 0x1f);
	out(0x3ce, 4, 0);
	assert_int_equal(peek(0x18000 + 6), 'A');
	assert_int_equal(peek(0x18000 + 7), 0x1f);
	/* Nothing at A0000 now. */
	assert_int_equal(peek(6), 0xff);
	out(0x3c4, 4, 6);
	out(0x3ce, 5, 0);
	out(0x3ce, 6, 0x05);
	assert_planes(3, 'A', 0x1f, 0, 0);
}

/* As the VGA BIOS sets mode 3. */
static void text_mode(void)
{
	static const uint8_t crtc[25] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,
					 0x4f, 0x0d, 0x0e, 0,	 0,    0,    0,	   0x9c, 0x8e,
					 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
	static const uint8_t letter[16] = {0, 0, 0x81, 0x7e};

	planar();
	pc_out(&pc, 0x3c2, 0x67, 1);
	out(0x3c4, 2, 4);
	out(0x3ce, 6, 4);
	for (uint32_t i = 0; i < 16; i++)
		poke(32 * 'A' + i, letter[i]);
	for (uint32_t i = 0; i < 16; i++)
		poke(32 * 0xc4 + i, i == 7 ? 0xff : 0);
	out(0x3c4, 1, 0);
	out(0x3c4, 2, 3);
	out(0x3c4, 3, 0);
	out(0x3c4, 4, 2);
	out(0x3ce, 5, 0x10);
	out(0x3ce, 6, 0x0e);
	out(0x3d4, 0x11, 0);
	for (uint8_t i = 0; i < 25; i++)
		out(0x3d4, i, i == 0x11 ? 0x0e : crtc[i]);
	for (uint8_t i = 0; i < 16; i++)
		attr(i, i);
	attr(0x10, 0x0c);
	attr(0x12, 0x0f);
	for (unsigned i = 0; i < 16; i++) {
		pc_out(&pc, 0x3c8, i, 1);
		pc_out(&pc, 0x3c9, i * 4, 1);
		pc_out(&pc, 0x3c9, i, 1);
		pc_out(&pc, 0x3c9, 63, 1);
	}
	for (uint32_t i = 0; i < 80 * 25; i++) {
		poke(0x18000 + 2 * i, ' ');
		poke(0x18000 + 2 * i + 1, 0x07);
	}
}

static uint32_t color(unsigned i)
{
	const uint8_t c[4] = {(uint8_t)(i * 4 << 2 | i * 4 >> 4), (uint8_t)(i << 2 | i >> 4), 0xff,
			      0};
	uint32_t p;

	memcpy(&p, c, 4);
	return p;
}

static void text_is_drawn(void **state)
{
	struct vga_view w;

	(void)state;
	text_mode();
	poke(0x18000 + 2 * (80 * 3 + 2), 'A');
	poke(0x18000 + 2 * (80 * 3 + 2) + 1, 0x94); /* bit 7: blinks, which is not shown */
	poke(0x18000 + 2 * 80 * 3, 0xc4);
	out(0x3d4, 0x0e, 0);
	out(0x3d4, 0x0f, 80 * 3 + 1);
	vga_look(v, &w);
	assert_int_equal(w.kind, VGA_TEXT);
	assert_int_equal(w.width, 720);
	assert_int_equal(w.height, 400);
	vga_draw(v, &w, 48, 64, pix, w.width);
	for (unsigned x = 0; x < 9; x++) {
		assert_int_equal(pix[2 * 720 + 18 + x], color(x == 0 || x == 7 ? 4 : 1));
		assert_int_equal(pix[3 * 720 + 18 + x], color(x > 0 && x < 7 ? 4 : 1));
		/* Line graphics reach into the ninth column, letters do not. */
		assert_int_equal(pix[7 * 720 + x], color(7));
		/* The cursor has lines 13 and 14. */
		assert_int_equal(pix[12 * 720 + 9 + x], color(0));
		assert_int_equal(pix[13 * 720 + 9 + x], color(7));
		assert_int_equal(pix[15 * 720 + 9 + x], color(0));
	}
	attr(0x10, 0x04);
	vga_look(v, &w);
	vga_draw(v, &w, 48, 64, pix, w.width);
	assert_int_equal(pix[18], color(9));
	/* No palette to the display: black. */
	pc_in(&pc, 0x3da, 1);
	pc_out(&pc, 0x3c0, 0, 1);
	vga_look(v, &w);
	assert_int_equal(w.kind, VGA_BLANK);
	assert_int_equal(w.width, 720);
}

static void mode_12_and_13(void **state)
{
	struct vga_view w;

	(void)state;
	text_mode();
	planar();
	out(0x3d4, 0x09, 0x40);
	out(0x3d4, 0x12, 0xdf);
	out(0x3d4, 0x07, 0x3e);
	poke(80 * 2 + 1, 0x80);
	out(0x3c4, 2, 5);
	poke(80 * 2, 0x40);
	vga_look(v, &w);
	assert_int_equal(w.kind, VGA_PLANAR);
	assert_int_equal(w.width, 640);
	assert_int_equal(w.height, 480);
	vga_draw(v, &w, 2, 3, pix, w.width);
	assert_int_equal(pix[1], color(5));
	assert_int_equal(pix[0], color(0));
	assert_int_equal(pix[8], color(15));
	/* The lower half from the start of memory: line compare. */
	out(0x3d4, 0x18, 199);
	out(0x3d4, 0x07, 0x2e);
	out(0x3d4, 0x09, 0);
	vga_look(v, &w);
	vga_draw(v, &w, 202, 203, pix, w.width);
	assert_int_equal(pix[1], color(5));
	/* 256 colours, chained. */
	out(0x3d4, 0x07, 0x3e);
	out(0x3d4, 0x09, 0x41);
	out(0x3d4, 0x18, 0xff);
	out(0x3d4, 0x12, 0x8f);
	out(0x3c4, 2, 15);
	out(0x3c4, 4, 0x0e);
	out(0x3ce, 5, 0x40);
	poke(320 * 5 + 7, 9);
	vga_look(v, &w);
	assert_int_equal(w.kind, VGA_LINEAR);
	assert_int_equal(w.width, 320);
	assert_int_equal(w.height, 200);
	vga_draw(v, &w, 5, 6, pix, w.width);
	assert_int_equal(pix[7], color(9));
	assert_int_equal(pix[6], color(0));
}

static void cga_lines_are_interleaved(void **state)
{
	struct vga_view w;

	(void)state;
	text_mode();
	out(0x3d4, 0x01, 39);
	out(0x3d4, 0x09, 0xc1);
	out(0x3d4, 0x13, 0x14);
	out(0x3d4, 0x17, 0xa2);
	out(0x3ce, 5, 0x30);
	out(0x3ce, 6, 0x0f);
	poke(0x18000, 0x1b);
	poke(0x18000 + 0x2000 + 1, 0xe4);
	attr(0x12, 3);
	vga_look(v, &w);
	assert_int_equal(w.kind, VGA_CGA);
	assert_int_equal(w.width, 320);
	assert_int_equal(w.height, 200);
	vga_draw(v, &w, 0, 2, pix, w.width);
	for (unsigned x = 0; x < 4; x++) {
		assert_int_equal(pix[x], color(x));
		assert_int_equal(pix[320 + 4 + x], color(3 - x));
	}
}

static uint8_t bar(unsigned off, bool write, uint8_t val)
{
	bus_mmio(&pc.b, 0xe0000000 + off, write, &val, 1);
	return val;
}

static void place(void)
{
	const uint8_t irqs[4] = {10, 10, 11, 11};

	assert_int_equal(pci_assign(pci, 0xe0000000, 0xfec00000, 0xc000, irqs, NULL), 0);
}

static void bochs_modes(void **state)
{
	static const struct {
		uint16_t bpp;
		uint8_t bytes[4];
		uint8_t rgb[3];
	} modes[] = {
		{15, {0x1f, 0x7c}, {255, 0, 255}},
		{16, {0xe0, 0x07}, {0, 255, 0}},
		{24, {1, 2, 3}, {3, 2, 1}},
		{32, {4, 5, 6, 7}, {6, 5, 4}},
	};
	struct vga_view w;

	(void)state;
	place();
	attr(0, 0);
	assert_int_equal(vbe_get(0), 0xb0c5);
	vbe(0, 0xb0c2);
	assert_int_equal(vbe_get(0), 0xb0c2);
	vbe(0, 0x1234);
	assert_int_equal(vbe_get(0), 0xb0c2);
	assert_int_equal(vbe_get(10), 256);
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		unsigned bytes = (modes[i].bpp + 1) / 8;

		vbe(4, 0);
		vbe(1, 800);
		vbe(2, 600);
		vbe(3, modes[i].bpp);
		vbe(4, 0x41);
		assert_int_equal(bar(0, false, 0), 0);
		vbe(8, 16);
		vbe(9, 1);
		for (unsigned b = 0; b < bytes; b++)
			bar((800 * 4 + 16 + 3) * bytes + b, true, modes[i].bytes[b]);
		vga_look(v, &w);
		assert_int_equal(w.kind, VGA_LINEAR);
		assert_int_equal(w.width, 800);
		assert_int_equal(w.height, 600);
		/* A virtual screen no wider than the real one cannot be moved sideways. */
		assert_int_equal(vbe_get(8), 0);
		vga_draw(v, &w, 3, 4, pix, w.width);
		assert_memory_equal(&pix[19], modes[i].rgb, 3);
	}
}

static void bochs_registers_are_cut_to_memory(void **state)
{
	struct vga_view w;

	(void)state;
	vbe(4, 2);
	assert_int_equal(vbe_get(1), VGA_WIDTH_MAX);
	assert_int_equal(vbe_get(2), VGA_HEIGHT_MAX);
	assert_int_equal(vbe_get(3), 32);
	vbe(4, 0);
	for (unsigned i = 0; i < 8; i++) {
		vbe(1, 65535);
		vbe(2, i & 1 ? 65535 : 0);
		vbe(3, 32);
		vbe(4, 1);
		vbe(6, i & 2 ? 65535 : 1);
		vbe(8, 65535);
		vbe(9, i & 4 ? 65535 : 7);
		vga_look(v, &w);
		assert_true(w.width && w.width <= VGA_WIDTH_MAX);
		assert_true(w.height && w.height <= VGA_HEIGHT_MAX);
		assert_true(w.start + (w.height - 1u) * w.stride + w.width * 4u <= VGA_VRAM);
		vga_draw(v, &w, w.height - 1u, w.height, pix, w.width);
		vbe(4, 0);
	}
	/* What is no depth is not taken. */
	vbe(3, 17);
	assert_int_equal(vbe_get(3), 32);
	vbe(3, 0);
	assert_int_equal(vbe_get(3), 8);
}

static void banks_and_mmio(void **state)
{
	uint8_t word[2] = {0x80, 0x02};

	(void)state;
	place();
	vbe(1, 640);
	vbe(2, 480);
	vbe(3, 8);
	vbe(4, 1);
	out(0x3ce, 6, 5);
	vbe(5, 3);
	poke(0x123, 0x5a);
	assert_int_equal(bar(0x30123, false, 0), 0x5a);
	assert_int_equal(peek(0x123), 0x5a);
	/* The same registers in BAR 2: 640 in XRES. */
	bus_mmio(&pc.b, 0xe1000500 + 2, true, word, 2);
	assert_int_equal(vbe_get(1), 640);
	bus_mmio(&pc.b, 0xe1000500 + 2, false, word, 2);
	assert_int_equal(get_le16(word), 640);
	word[0] = 0x20;
	bus_mmio(&pc.b, 0xe1000400, true, word, 1);
	bus_mmio(&pc.b, 0xe100040c, false, word, 1);
	assert_int_equal(word[0], 0);
}

static void changes_are_told_once(void **state)
{
	uint64_t bits[VGA_PAGES / 64];

	(void)state;
	text_mode();
	assert_int_equal(vga_changes(v, bits), VGA_CHANGED_ALL);
	assert_int_equal(vga_changes(v, bits), 0);
	poke(0x18000, 'x');
	assert_int_equal(vga_changes(v, bits), VGA_CHANGED_CELLS);
	out(0x3d4, 0x0f, 1);
	assert_int_equal(vga_changes(v, bits), VGA_CHANGED_CELLS);
	assert_int_equal(vga_changes(v, bits), 0);
	place();
	vga_changes(v, bits);
	bar(5, true, 1);
	assert_int_equal(vga_changes(v, bits), VGA_CHANGED_ALL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(registers_keep_what_they_have),
		T(the_dac_counts),
		T(write_mode_0),
		T(write_modes_1_to_3),
		T(chained_and_odd_even_addresses),
		T(text_is_drawn),
		T(mode_12_and_13),
		T(cga_lines_are_interleaved),
		T(bochs_modes),
		T(bochs_registers_are_cut_to_memory),
		T(banks_and_mmio),
		T(changes_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
