/* SPDX-License-Identifier: BSD-2-Clause */
/* What drives say of themselves. */
#include "rig.h"

static struct rig r;

static unsigned word(const struct ide_drive *d, unsigned n)
{
	return get_le16(d->buf + 2 * (size_t)n);
}

static uint8_t sum(const struct ide_drive *d)
{
	uint8_t s = 0;

	for (unsigned i = 0; i < 512; i++)
		s += d->buf[i];
	return s;
}

static void identify(void **state)
{
	struct rig_file f = rig_file(65536);
	struct ide_drive *d, *cd;

	(void)state;
	rig_init(&r);
	d = rig_plug(&r, 0, &(struct blk_conf){.what = "-hda", .file = f.path, .format = "raw"});
	cd = rig_plug(&r, 2, &(struct blk_conf){.what = "-cdrom", .cdrom = true});
	ata_identify(d);
	assert_int_equal(word(d, 60), 128);
	assert_int_equal(word(d, 100), 128);
	assert_int_equal(word(d, 59), 0x110);
	assert_int_equal(word(d, 10), 's' << 8 | 'e');
	assert_int_equal(sum(d), 0);
	/* The largest: 28 bits end, 48 go on. */
	d->sectors = 1ull << 40;
	d->xfer = 0x22;
	d->cache = false;
	ata_identify(d);
	assert_int_equal(word(d, 1), 16383);
	assert_int_equal(word(d, 61), 0x0fff);
	assert_int_equal(word(d, 102), 256);
	assert_int_equal(word(d, 63), 0x0407);
	assert_int_equal(word(d, 85) & 0x20, 0);
	atapi_identify(cd);
	assert_int_equal(word(cd, 0), 0x85c0);
	assert_int_equal(sum(cd), 0);
	rig_exit(&r);
	rig_file_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(identify)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
