/* SPDX-License-Identifier: BSD-2-Clause */
/* The MC146818: reading and setting the time, formats, alarm, periodic and update interrupts. */
#include <time.h>

#include "pc_fixture.h"

static struct pc pc;
static struct rtc *rtc;

static uint8_t get(uint8_t reg)
{
	pc_out(&pc, 0x70, reg, 1);
	return (uint8_t)pc_in(&pc, 0x71, 1);
}

static void set(uint8_t reg, uint8_t v)
{
	pc_out(&pc, 0x70, reg, 1);
	pc_out(&pc, 0x71, v, 1);
}

static int setup(void **state)
{
	(void)state;
	if (pc_setup(&pc))
		return -1;
	rtc = rtc_new(&pc.b, pc.loop, &pc.clock, 5ull << 30, NULL);
	return rtc ? pc_run(&pc) : -1;
}

static int teardown(void **state)
{
	(void)state;
	pc_halt(&pc);
	rtc_free(rtc);
	return pc_teardown(&pc);
}

/* 2031-12-31 23:59:50, a Wednesday; BCD, 24 hours. */
static void set_time(void)
{
	set(0x0b, 0x82);
	set(0, 0x50);
	set(2, 0x59);
	set(4, 0x23);
	set(6, 4);
	set(7, 0x31);
	set(8, 0x12);
	set(9, 0x31);
	set(0x32, 0x20);
	set(0x0b, 0x02);
}

static void starts_with_the_hosts_time(void **state)
{
	time_t now = time(NULL);
	struct tm tm;

	(void)state;
	gmtime_r(&now, &tm);
	set(0x0b, 0x06); /* binary */
	/* The virtual clock stood at one second; the minute may turn meanwhile. */
	assert_in_range((unsigned)(get(9) + 100 * get(0x32)), tm.tm_year + 1899, tm.tm_year + 1901);
	assert_int_equal(get(0x0d), 0x80);
	assert_true(get(0) < 60);
}

static void shifted(void **state)
{
	(void)state;
	set_time();
	rtc_shift(rtc, -3 * 3600);
	assert_int_equal(get(4), 0x20);
	rtc_shift(rtc, 4 * 3600); /* over the end of the year */
	assert_int_equal(get(4), 0x00);
	assert_int_equal(get(9), 0x32);
	assert_int_equal(get(2), 0x59);
}

static void time_set_runs_on(void **state)
{
	(void)state;
	set_time();
	assert_int_equal(get(0), 0x50);
	assert_int_equal(get(4), 0x23);
	assert_int_equal(get(6), 4);
	pc_step(&pc, 15 * NS_PER_S);
	assert_int_equal(get(0), 0x05);
	assert_int_equal(get(2), 0);
	assert_int_equal(get(4), 0);
	assert_int_equal(get(6), 5);
	assert_int_equal(get(7), 1);
	assert_int_equal(get(8), 1);
	assert_int_equal(get(9), 0x32);
	assert_int_equal(get(0x32), 0x20);
}

static void formats_follow_register_b(void **state)
{
	(void)state;
	set_time();
	set(0x0b, 0x06);
	assert_int_equal(get(0), 50);
	assert_int_equal(get(4), 23);
	set(0x0b, 0x04); /* 12 hours, binary */
	assert_int_equal(get(4), 0x80 | 11);
	set(0x0b, 0x00);
	assert_int_equal(get(4), 0x80 | 0x11);
	pc_step(&pc, 15 * NS_PER_S);
	assert_int_equal(get(4), 0x12); /* midnight */
}

static void update_in_progress_shows(void **state)
{
	(void)state;
	set_time();
	assert_int_equal(get(0x0a) & 0x80, 0);
	pc_step(&pc, NS_PER_S - 100000);
	assert_int_equal(get(0x0a) & 0x80, 0x80);
	assert_int_equal(get(0), 0x50);
	pc_step(&pc, 100000);
	assert_int_equal(get(0x0a) & 0x80, 0);
	assert_int_equal(get(0), 0x51);
}

static void nothing_ticks_unasked(void **state)
{
	(void)state;
	pc_step(&pc, 100 * NS_PER_S);
	assert_int_equal(pc.f.edges, 0);
	/* The flags are there all the same, without IRQF. */
	assert_int_equal(get(0x0c) & 0xd0, 0x50);
	assert_int_equal(get(0x0c) & 0xf0, 0);
}

static void alarm_interrupts(void **state)
{
	(void)state;
	set_time();
	get(0x0c);
	set(1, 0x05);
	set(3, 0x00);
	set(5, 0xff); /* any hour */
	set(0x0b, 0x22);
	pc_step(&pc, 14 * NS_PER_S);
	assert_false(pc.f.irq[8]);
	pc_step(&pc, NS_PER_S);
	assert_true(pc.f.irq[8]);
	assert_int_equal(get(0x0c) & 0xa0, 0xa0);
	assert_false(pc.f.irq[8]);
	/* The next one is an hour later. */
	pc_step(&pc, 3599 * NS_PER_S);
	assert_false(pc.f.irq[8]);
	pc_step(&pc, NS_PER_S);
	assert_true(pc.f.irq[8]);
}

static void impossible_alarm_never_comes(void **state)
{
	(void)state;
	set_time();
	get(0x0c);
	set(1, 0x77);
	set(3, 0x77);
	set(5, 0x77);
	set(0x0b, 0x22);
	for (unsigned i = 0; i < 4; i++)
		pc_step(&pc, 86400 * NS_PER_S / 2);
	assert_int_equal(pc.f.edges, 0);
}

static void update_interrupts_each_second(void **state)
{
	(void)state;
	set_time();
	get(0x0c);
	set(0x0b, 0x12);
	for (unsigned i = 0; i < 3; i++) {
		pc_step(&pc, NS_PER_S);
		assert_true(pc.f.irq[8]);
		assert_int_equal(get(0x0c) & 0x90, 0x90);
		assert_false(pc.f.irq[8]);
	}
	set(0x0b, 0x02);
	pc_step(&pc, 3 * NS_PER_S);
	assert_int_equal(pc.f.edges, 6);
}

static void periodic_waits_for_the_guest(void **state)
{
	(void)state;
	set_time();
	get(0x0c);
	set(0x0a, 0x2f); /* 500 ms */
	set(0x0b, 0x42);
	pc_step(&pc, NS_PER_S / 2);
	assert_true(pc.f.irq[8]);
	pc_step(&pc, 10 * NS_PER_S); /* not acknowledged: nothing more */
	assert_int_equal(pc.f.edges, 1);
	assert_int_equal(get(0x0c) & 0xc0, 0xc0);
	pc_step(&pc, NS_PER_S / 2);
	assert_int_equal(pc.f.edges, 3);
	rtc_reset(rtc);
	assert_false(pc.f.irq[8]);
	pc_step(&pc, NS_PER_S);
	assert_int_equal(pc.f.edges, 4);
}

static void cmos_tells_memory(void **state)
{
	(void)state;
	/* 3 GiB below, 2 GiB above 4 GiB. */
	assert_int_equal(get(0x34) | get(0x35) << 8, ((3u << 30) - (16u << 20)) >> 16);
	assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, (2u << 30) >> 16);
	assert_int_equal(get(0x15) | get(0x16) << 8, 640);
	set(0x20, 0x5a);
	assert_int_equal(get(0x20), 0x5a);
	assert_int_equal(get(0x80 | 0x20), 0x5a); /* NMI gate */
}

static void nonsense_time_is_survived(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v += 17) {
		set(0x0b, (uint8_t)(0x80 | (v & 6)));
		for (unsigned r = 0; r < 10; r++)
			set((uint8_t)r, (uint8_t)v);
		set(0x32, (uint8_t)v);
		set(0x0b, (uint8_t)((v & 6) | 0x70));
		pc_step(&pc, NS_PER_S);
		for (unsigned r = 0; r < 128; r++)
			get((uint8_t)r);
	}
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(starts_with_the_hosts_time),
		T(time_set_runs_on),
		T(shifted),
		T(formats_follow_register_b),
		T(update_in_progress_shows),
		T(nothing_ticks_unasked),
		T(alarm_interrupts),
		T(impossible_alarm_never_comes),
		T(update_interrupts_each_second),
		T(periodic_waits_for_the_guest),
		T(cmos_tells_memory),
		T(nonsense_time_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
