/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550A: identification, sending in lines, receiving with the FIFO, interrupts, loop-back. */
#include <stdio.h>

#include "machine/chardev.h"
#include "pc_fixture.h"

#define BASE 0x3f8

static struct pc pc;
static struct serial *s;

/* --- a chardev that keeps what it gets ------------------------------------------------------ */

struct chardev {
	struct chardev_user u;
	char out[1024];
	size_t n;
	unsigned writes, readies;
};

static struct chardev c;

void chardev_attach(struct chardev *cd, unsigned user, const struct chardev_user *u)
{
	assert_int_equal(user, 0);
	cd->u = *u;
}

void chardev_write(struct chardev *cd, unsigned user, const void *buf, size_t len)
{
	assert_int_equal(user, 0);
	assert_true(cd->n + len < sizeof(cd->out));
	memcpy(cd->out + cd->n, buf, len);
	cd->n += len;
	cd->writes++;
}

void chardev_ready(struct chardev *cd, unsigned user)
{
	assert_int_equal(user, 0);
	cd->readies++;
}

/* -------------------------------------------------------------------------------------------- */

static uint8_t in(unsigned reg)
{
	return (uint8_t)pc_in(&pc, (uint16_t)(BASE + reg), 1);
}

static void out(unsigned reg, uint8_t v)
{
	pc_out(&pc, (uint16_t)(BASE + reg), v, 1);
}

static size_t type(const char *text)
{
	return c.u.input(c.u.opaque, (const unsigned char *)text, strlen(text));
}

static int setup(void **state)
{
	(void)state;
	memset(&c, 0, sizeof(c));
	if (pc_setup(&pc))
		return -1;
	s = serial_new(&pc.b, pc.loop, &c, BASE, 4, NULL);
	return s ? pc_run(&pc) : -1;
}

static int teardown(void **state)
{
	(void)state;
	pc_halt(&pc);
	serial_free(s);
	assert_null(c.u.input);
	return pc_teardown(&pc);
}

static void a_break_keeps_its_place(void **state)
{
	(void)state;
	out(2, 0x01);
	out(1, 0x05);
	type("ab");
	c.u.brk(c.u.opaque);
	type("h");
	assert_int_equal(in(5) & 0x1f, 0x01);
	assert_int_equal(in(0), 'a');
	assert_int_equal(in(5) & 0x1f, 0x01);
	assert_int_equal(in(0), 'b');
	/* A line status interrupt, gone with reading it. */
	assert_int_equal(in(2) & 0x0f, 0x06);
	assert_int_equal(in(5) & 0x1f, 0x11);
	assert_int_equal(in(5) & 0x1f, 0x01);
	assert_int_equal(in(0), 0);
	assert_int_equal(in(0), 'h');
	assert_int_equal(in(5) & 0x1f, 0);
	/* Forgotten with the bytes. */
	c.u.brk(c.u.opaque);
	out(2, 0x03);
	in(5);
	type("x");
	assert_int_equal(in(5) & 0x1f, 0x01);
}

static void identifies_as_16550a(void **state)
{
	(void)state;
	/* The steps of a common probe: scratch, IER's upper bits, FIFO bits, loop-back. */
	out(7, 0xa5);
	assert_int_equal(in(7), 0xa5);
	out(1, 0xff);
	assert_int_equal(in(1), 0x0f);
	out(1, 0);
	assert_int_equal(in(2), 0x01);
	out(2, 0x01);
	assert_int_equal(in(2) & 0xc0, 0xc0);
	out(4, 0x1a);
	assert_int_equal(in(6) & 0xf0, 0x90);
	out(4, 0x0b);
	assert_int_equal(in(6) & 0xf0, 0xb0);
	out(3, 0x83);
	out(0, 1);
	out(1, 2);
	assert_int_equal(in(0), 1);
	assert_int_equal(in(1), 2);
	out(3, 0x03);
	assert_int_equal(in(3), 0x03);
	assert_int_equal(in(1), 0);
}

static void a_line_is_one_write(void **state)
{
	const char *text = "hello, world\r\n";

	(void)state;
	for (const char *p = text; *p; p++) {
		assert_int_equal(in(5) & 0x60, 0x60);
		out(0, (uint8_t)*p);
	}
	assert_int_equal(c.writes, 1);
	assert_string_equal(c.out, text);
	assert_int_equal(pc.f.edges, 0); /* no interrupt was enabled */
}

static void a_prompt_comes_soon(void **state)
{
	(void)state;
	out(0, '$');
	out(0, ' ');
	assert_int_equal(c.n, 0);
	for (unsigned i = 0; i < 200 && !c.writes; i++) {
		usleep(5000);
		pc_step(&pc, 0);
	}
	assert_int_equal(c.writes, 1);
	assert_string_equal(c.out, "$ ");
}

static void floods_are_cut_into_buffers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 600; i++)
		out(0, 'x');
	assert_in_range(c.n, 512, 600);
	serial_reset(s);
	assert_int_equal(c.n, 600);
}

static void thre_interrupt(void **state)
{
	(void)state;
	out(1, 0x02); /* enabling it while THR is empty raises it */
	assert_true(pc.f.irq[4]);
	assert_int_equal(in(2) & 0x0f, 0x02);
	assert_false(pc.f.irq[4]); /* reading IIR acknowledges */
	out(0, 'a');
	assert_true(pc.f.irq[4]);
	out(0, 'b');
	assert_int_equal(in(2) & 0x0f, 0x02);
	assert_int_equal(in(2) & 0x0f, 0x01);
	out(1, 0);
	assert_false(pc.f.irq[4]);
}

static void received_bytes_interrupt_and_wait(void **state)
{
	char text[41];

	(void)state;
	memset(text, 'k', 40);
	text[40] = 0;
	out(2, 0xc1); /* FIFO on, trigger at 14 */
	out(1, 0x01);
	assert_int_equal(type("ab"), 2);
	assert_true(pc.f.irq[4]);
	assert_int_equal(in(2) & 0x0f, 0x0c); /* below the trigger: time-out */
	assert_int_equal(in(5) & 1, 1);
	assert_int_equal(in(0), 'a');
	assert_int_equal(in(0), 'b');
	assert_false(pc.f.irq[4]);
	assert_int_equal(in(5) & 1, 0);
	assert_int_equal(type(text), 16);
	assert_int_equal(in(2) & 0x0f, 0x04);
	for (unsigned i = 0; i < 15; i++)
		in(0);
	assert_int_equal(c.readies, 0);
	in(0);
	assert_int_equal(c.readies, 1);
	assert_int_equal(type("z"), 1);
	assert_int_equal(in(5) & 2, 0); /* nothing was lost */
}

static void without_fifo_one_byte(void **state)
{
	(void)state;
	assert_int_equal(type("xy"), 1);
	assert_int_equal(in(0), 'x');
	assert_int_equal(c.readies, 1);
	assert_int_equal(in(0), 0);
}

static void loop_back_stays_inside(void **state)
{
	(void)state;
	out(2, 0x01);
	out(4, 0x10);
	assert_int_equal(type("q"), 0); /* the line is cut */
	for (unsigned i = 0; i < 18; i++)
		out(0, (uint8_t)('A' + i));
	assert_int_equal(in(5) & 0x03, 0x03); /* data, and overrun */
	assert_int_equal(in(5) & 0x02, 0);
	assert_int_equal(in(0), 'A');
	assert_int_equal(c.n, 0);
	out(2, 0x07); /* FIFOs off and on clear them */
	assert_int_equal(in(5) & 1, 0);
	out(4, 0);
	assert_int_equal(c.readies, 1);
}

static void reset_is_quiet(void **state)
{
	(void)state;
	out(1, 0x03);
	type("a");
	assert_true(pc.f.irq[4]);
	serial_reset(s);
	assert_false(pc.f.irq[4]);
	assert_int_equal(in(1), 0);
	assert_int_equal(in(5), 0x60);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(identifies_as_16550a),  T(a_line_is_one_write),
		T(a_prompt_comes_soon),	  T(floods_are_cut_into_buffers),
		T(thre_interrupt),	  T(received_bytes_interrupt_and_wait),
		T(without_fifo_one_byte), T(loop_back_stays_inside),
		T(reset_is_quiet),	  T(a_break_keeps_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
