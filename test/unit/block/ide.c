/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports, selection, interrupts and resets of the IDE channels. */
#include "rig.h"

static struct rig r;
static struct rig_file f, g;
static struct ide_drive *d;

static int setup(void **state)
{
	(void)state;
	rig_init(&r);
	f = rig_file(65536);
	g = rig_file(32768);
	d = rig_plug(&r, 0, &(struct blk_conf){.what = "-hda", .file = f.path, .format = "raw"});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_exit(&r);
	rig_file_end(&f);
	rig_file_end(&g);
	return 0;
}

static void absent(void **state)
{
	(void)state;
	assert_int_equal(rig_in(&r, 0x177, 1), 0xff);
	assert_int_equal(rig_in(&r, 0x376, 1), 0xff);
	rig_out(&r, 0x1f6, 0xf0, 1);
	rig_out(&r, 0x1f2, 0x55, 1);
	assert_int_equal(rig_in(&r, 0x1f2, 1), 0);
	assert_int_equal(rig_in(&r, 0x1f7, 1), 0);
	rig_out(&r, 0x1f6, 0xe0, 1);
	assert_int_equal(rig_in(&r, 0x1f2, 1), 0x55);
}

static void interrupts(void **state)
{
	(void)state;
	rig_command(&r, 0xec, 0, 0);
	assert_true(r.line[0]);
	/* Alternate status leaves it, status takes it away. */
	rig_in(&r, 0x3f6, 1);
	assert_true(r.line[0]);
	rig_in(&r, 0x1f7, 1);
	assert_false(r.line[0]);
	/* nIEN */
	rig_out(&r, 0x3f6, 2, 1);
	rig_command(&r, 0xe5, 0, 0);
	assert_false(r.line[0]);
	rig_out(&r, 0x3f6, 0, 1);
	assert_true(r.line[0]);
}

static void two_drives(void **state)
{
	struct ide_drive *second = rig_plug(
		&r, 1, &(struct blk_conf){.what = "-hdb", .file = g.path, .format = "raw"});

	(void)state;
	rig_out(&r, 0x1f2, 7, 1);
	assert_int_equal(d->nsect.now, 7);
	assert_int_equal(second->nsect.now, 7);
	rig_out(&r, 0x1f6, 0xf0, 1);
	assert_int_equal(rig_in(&r, 0x1f6, 1) & 0x10, 0x10);
	rig_out(&r, 0x1f7, 0xf8, 1);
	assert_int_equal(rig_in(&r, 0x1f3, 1), 63);
	rig_out(&r, 0x1f7, 0x90, 1);
	assert_int_equal(rig_in(&r, 0x1f6, 1) & 0x10, 0);
	assert_int_equal(rig_in(&r, 0x1f1, 1), 1);
}

static void resets(void **state)
{
	(void)state;
	/* In the middle of a request. */
	rig_out(&r, 0x1f6, 0xe0, 1);
	rig_out(&r, 0x1f2, 1, 1);
	rig_out(&r, 0x1f7, 0x20, 1);
	assert_true(d->busy);
	rig_out(&r, 0x3f6, 4, 1);
	assert_false(d->busy);
	assert_int_equal(rig_in(&r, 0x3f6, 1), ST_BSY);
	/* Nothing is written or started now. */
	rig_out(&r, 0x1f2, 9, 1);
	rig_out(&r, 0x1f7, 0x20, 1);
	assert_false(d->busy);
	rig_out(&r, 0x3f6, 0, 1);
	assert_int_equal(rig_in(&r, 0x3f6, 1), ST_DRDY | ST_DSC);
	assert_int_equal(rig_in(&r, 0x1f2, 1), 1);
	assert_int_equal(rig_command(&r, 0x20, 3, 1), ST_DRDY | ST_DSC | ST_DRQ);
	pci_bus_reset(r.p);
	assert_int_equal(rig_in(&r, 0x3f6, 1), ST_DRDY | ST_DSC);
	assert_int_equal(rig_in(&r, 0x1f0, 4), 0);
}

/* Before 48-bit registers: what was there before. */
static void hob(void **state)
{
	(void)state;
	rig_out(&r, 0x1f3, 0x11, 1);
	rig_out(&r, 0x1f3, 0x22, 1);
	assert_int_equal(rig_in(&r, 0x1f3, 1), 0x22);
	rig_out(&r, 0x3f6, 0x80, 1);
	assert_int_equal(rig_in(&r, 0x1f3, 1), 0x11);
	rig_out(&r, 0x1f4, 0, 1);
	assert_int_equal(rig_in(&r, 0x1f3, 1), 0x22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(absent, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(two_drives, setup, teardown),
		cmocka_unit_test_setup_teardown(resets, setup, teardown),
		cmocka_unit_test_setup_teardown(hob, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
