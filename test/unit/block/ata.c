/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands of a disk by the task file: addresses, programmed transfers, errors. */
#include "rig.h"

#define OK (ST_DRDY | ST_DSC)

static struct rig r;
static struct rig_file f;
static struct ide_drive *d;

static int setup(void **state)
{
	(void)state;
	rig_init(&r);
	f = rig_file(1 << 20);
	d = rig_plug(&r, 0, &(struct blk_conf){.what = "-hda", .file = f.path, .format = "raw"});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_exit(&r);
	rig_file_end(&f);
	return 0;
}

/* Takes a sector, the interrupt before; returns its first byte. */
static uint8_t take(void)
{
	uint8_t first = 0;

	rig_in(&r, 0x1f7, 1);
	for (unsigned i = 0; i < 128; i++) {
		uint32_t v = rig_in(&r, 0x1f0, 4);

		first = i ? first : (uint8_t)v;
	}
	rig_settle(&r);
	return first;
}

static void give(uint8_t with)
{
	for (unsigned i = 0; i < 256; i++)
		rig_out(&r, 0x1f0, with * 0x101u, 2);
	rig_settle(&r);
}

static void reads(void **state)
{
	(void)state;
	assert_int_equal(rig_command(&r, 0x20, 100, 3), OK | ST_DRQ);
	assert_int_equal(take(), 100);
	assert_int_equal(take(), 101);
	assert_int_equal(rig_in(&r, 0x1f7, 1), OK | ST_DRQ);
	assert_int_equal(take(), 102);
	assert_int_equal(rig_in(&r, 0x1f7, 1), OK);
	assert_int_equal(rig_in(&r, 0x1f3, 1), 102);
	assert_int_equal(rig_in(&r, 0x1f2, 1), 0);
	assert_int_equal(r.edges[0], 3);
	/* Nothing is there any more. */
	assert_int_equal(rig_in(&r, 0x1f0, 4), 0);
	/* 0: 256 sectors. */
	assert_int_equal(rig_command(&r, 0x20, 2048 - 256, 0), OK | ST_DRQ);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(take(), i);
	assert_int_equal(rig_in(&r, 0x1f7, 1), OK);
}

static void multiple(void **state)
{
	(void)state;
	assert_int_equal(rig_command(&r, 0xc6, 0, 3), OK | ST_ERR);
	assert_int_equal(rig_command(&r, 0xc6, 0, 4), OK);
	rig_in(&r, 0x1f7, 1);
	r.edges[0] = 0;
	assert_int_equal(rig_command(&r, 0xc4, 8, 6), OK | ST_DRQ);
	for (unsigned i = 8; i < 14; i++)
		assert_int_equal(take(), i);
	assert_int_equal(rig_in(&r, 0x1f7, 1), OK);
	assert_int_equal(r.edges[0], 2);
	assert_int_equal(rig_command(&r, 0xc6, 0, 0), OK);
	assert_int_equal(rig_command(&r, 0xc4, 8, 6), OK | ST_ERR);
}

static void writes(void **state)
{
	uint8_t got[1024];

	(void)state;
	/* No interrupt asks for the first block. */
	assert_int_equal(rig_command(&r, 0x30, 50, 2), OK | ST_DRQ);
	assert_int_equal(r.edges[0], 0);
	give(0xa1);
	assert_int_equal(rig_in(&r, 0x1f7, 1), OK | ST_DRQ);
	give(0xa2);
	assert_int_equal(rig_in(&r, 0x1f7, 1), OK);
	assert_int_equal(r.edges[0], 2);
	assert_int_equal(pread(f.fd, got, sizeof(got), 25600), sizeof(got));
	assert_true(got[0] == 0xa1 && got[511] == 0xa1 && got[512] == 0xa2);
	assert_int_equal(rig_command(&r, 0xe7, 0, 0), OK);
}

static void chs(void **state)
{
	(void)state;
	rig_out(&r, 0x1f6, 0xa2, 1); /* head 2 */
	rig_out(&r, 0x1f2, 1, 1);
	rig_out(&r, 0x1f3, 5, 1);
	rig_out(&r, 0x1f4, 1, 1);
	rig_out(&r, 0x1f5, 0, 1);
	rig_out(&r, 0x1f7, 0x20, 1);
	rig_settle(&r);
	assert_int_equal(take(), ((1 * 16 + 2) * 63 + 4) & 255);
	/* Sector 0 is none, 64 neither. */
	rig_out(&r, 0x1f3, 0, 1);
	rig_out(&r, 0x1f7, 0x20, 1);
	assert_int_equal(rig_in(&r, 0x1f1, 1), ER_IDNF);
	rig_out(&r, 0x1f3, 64, 1);
	rig_out(&r, 0x1f7, 0x20, 1);
	assert_int_equal(rig_in(&r, 0x1f1, 1), ER_IDNF);
	/* As the host counts: 4 heads of 8 sectors. */
	rig_out(&r, 0x1f6, 0xa3, 1);
	rig_out(&r, 0x1f2, 8, 1);
	rig_out(&r, 0x1f7, 0x91, 1);
	assert_int_equal(rig_in(&r, 0x1f7, 1), OK);
	rig_out(&r, 0x1f6, 0xa1, 1);
	rig_out(&r, 0x1f2, 1, 1);
	rig_out(&r, 0x1f3, 1, 1);
	rig_out(&r, 0x1f4, 1, 1);
	rig_out(&r, 0x1f7, 0x20, 1);
	rig_settle(&r);
	assert_int_equal(take(), 40);
}

static void bounds(void **state)
{
	(void)state;
	assert_int_equal(rig_command(&r, 0x20, 2048, 1), OK | ST_ERR);
	assert_int_equal(rig_in(&r, 0x1f1, 1), ER_IDNF);
	assert_int_equal(rig_command(&r, 0x30, 2047, 2), OK | ST_ERR);
	assert_int_equal(rig_command(&r, 0x40, 2047, 1), OK);
	assert_int_equal(rig_command(&r, 0x40, 0x0fffffff, 0), OK | ST_ERR);
}

static void others(void **state)
{
	(void)state;
	assert_int_equal(rig_command(&r, 0xe5, 0, 0), OK);
	assert_int_equal(rig_in(&r, 0x1f2, 1), 0xff);
	assert_int_equal(rig_command(&r, 0xa1, 0, 0), OK | ST_ERR);
	assert_int_equal(rig_in(&r, 0x1f1, 1), ER_ABRT);
	assert_int_equal(rig_command(&r, 0xff, 0, 0), OK | ST_ERR);
	rig_out(&r, 0x1f1, 3, 1);
	assert_int_equal(rig_command(&r, 0xef, 0, 0x42), OK);
	assert_int_equal(d->xfer, 0x42);
	assert_int_equal(rig_command(&r, 0xef, 0, 0x99), OK | ST_ERR);
	rig_out(&r, 0x1f1, 0x82, 1);
	assert_int_equal(rig_command(&r, 0xef, 0, 0), OK);
	assert_false(d->cache);
	rig_out(&r, 0x1f1, 0xd0, 1);
	assert_int_equal(rig_command(&r, 0xb0, 0xc24f00, 0), OK | ST_DRQ);
	assert_int_equal(take(), 1);
	rig_out(&r, 0x1f1, 0xd9, 1);
	assert_int_equal(rig_command(&r, 0xb0, 0xc24f00, 0), OK);
	rig_out(&r, 0x1f1, 0xda, 1);
	assert_int_equal(rig_command(&r, 0xb0, 0xc24f00, 0), OK | ST_ERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads, setup, teardown),
		cmocka_unit_test_setup_teardown(multiple, setup, teardown),
		cmocka_unit_test_setup_teardown(writes, setup, teardown),
		cmocka_unit_test_setup_teardown(chs, setup, teardown),
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
