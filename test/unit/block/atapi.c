/* SPDX-License-Identifier: BSD-2-Clause */
/* Packet commands of the CD drive: answers, blocks, sense, media. */
#include "rig.h"

static struct rig r;
static struct rig_file f;
static struct ide_drive *d;
static uint8_t out[1 << 20];

static int setup(void **state)
{
	(void)state;
	rig_init(&r);
	f = rig_file(512 << 10);
	d = rig_plug(&r, 0, &(struct blk_conf){.what = "-cdrom", .file = f.path, .cdrom = true});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_exit(&r);
	rig_file_end(&f);
	return 0;
}

/* Sends a packet, takes its answer into out in blocks of at most `limit`; returns its length or -1
 * for an error. */
static int packet(const void *cdb, size_t len, unsigned limit)
{
	uint8_t c[12] = {0};
	int n = 0;

	memcpy(c, cdb, len);
	rig_out(&r, 0x1f6, 0xa0, 1);
	rig_out(&r, 0x1f1, 0, 1);
	rig_out(&r, 0x1f4, limit, 1);
	rig_out(&r, 0x1f5, limit >> 8, 1);
	rig_out(&r, 0x1f7, 0xa0, 1);
	assert_int_equal(rig_in(&r, 0x1f7, 1) & ST_DRQ, ST_DRQ);
	for (unsigned i = 0; i < 12; i += 2)
		rig_out(&r, 0x1f0, get_le16(c + i), 2);
	for (;;) {
		uint8_t status;
		unsigned have;

		rig_settle(&r);
		assert_true(r.line[0]);
		status = (uint8_t)rig_in(&r, 0x1f7, 1);
		assert_int_equal(status & ST_BSY, 0);
		if (!(status & ST_DRQ))
			return status & ST_ERR ? -1 : n;
		assert_int_equal(rig_in(&r, 0x1f2, 1), REASON_IO);
		have = rig_in(&r, 0x1f4, 1) | rig_in(&r, 0x1f5, 1) << 8;
		assert_true(have && have <= MAX(limit & ~1u, 2u));
		for (unsigned i = 0; i < have; i += 2, n += 2)
			put_le16(out + n, (uint16_t)rig_in(&r, 0x1f0, 2));
		n -= (int)(have & 1);
	}
}

#define PACKET(...)                                                                                \
	packet((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), 0xfffe)

static unsigned sense(void)
{
	assert_int_equal(PACKET(3, 0, 0, 0, 18), 18);
	return (unsigned)out[2] << 16 | (unsigned)out[12] << 8 | out[13];
}

static void answers(void **state)
{
	(void)state;
	assert_int_equal(PACKET(0x12, 0, 0, 0, 36), 36);
	assert_int_equal(out[0], 5);
	assert_int_equal(PACKET(0x12, 0, 0, 0, 5), 5);
	assert_int_equal(PACKET(0x25), 8);
	assert_int_equal(get_be32(out), 255);
	assert_int_equal(PACKET(0x43, 2, 0, 0, 0, 0, 0, 0, 255), 20);
	assert_true(out[17] == 0 && out[18] == 5 && out[19] == 31); /* 406 frames */
	assert_int_equal(PACKET(0x43, 0, 2, 0, 0, 0, 0, 0, 255), 48);
	assert_int_equal(PACKET(0x46, 0, 0, 0, 0, 0, 0, 0, 255), 36);
	assert_int_equal(PACKET(0x46, 2, 0, 3, 0, 0, 0, 0, 255), 16);
	assert_int_equal(PACKET(0x51, 0, 0, 0, 0, 0, 0, 0, 255), 34);
	assert_int_equal(PACKET(0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255), 36);
	assert_int_equal(PACKET(0x1a, 0, 0x2a, 0, 255), 24);
	assert_int_equal(PACKET(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8), 8);
}

static void reads(void **state)
{
	static const unsigned limits[] = {0xfffe, 2048, 2047, 3, 2, 65535};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
		assert_int_equal(packet("\x28\0\0\0\0\2\0\0\3", 9, limits[i]), 6144);
		assert_true(out[0] == 8 && out[512] == 9 && out[6143] == 19);
	}
	/* More than the buffer has. */
	assert_int_equal(PACKET(0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 200), 200 * 2048);
	assert_int_equal(out[199 * 2048 + 512], (199 * 4 + 1) & 255);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 2, 0, 0, 0), 0);
	assert_int_equal(PACKET(0xbe, 0, 0, 0, 0, 2, 0, 0, 1, 0x10), 2048);
	assert_int_equal(PACKET(0xbe, 0, 0, 0, 0, 2, 0, 0, 1, 0xf8), -1);
}

static void errors(void **state)
{
	(void)state;
	assert_int_equal(PACKET(0x28, 0, 0, 0, 1, 0, 0, 0, 1), -1);
	assert_int_equal(sense(), 0x052100);
	assert_int_equal(sense(), 0);
	assert_int_equal(PACKET(0xa8, 0, 0, 0, 0, 255, 255, 255, 255, 255), -1);
	assert_int_equal(sense(), 0x052100);
	assert_int_equal(PACKET(0x99), -1);
	assert_int_equal(sense(), 0x052000);
	assert_int_equal(PACKET(0x12, 1), -1);
	assert_int_equal(sense(), 0x052400);
	assert_int_equal(PACKET(0x4a, 0), -1);
	/* IDENTIFY DEVICE tells what it is by its signature. */
	rig_out(&r, 0x1f7, 0xec, 1);
	assert_int_equal(rig_in(&r, 0x1f7, 1) & ST_ERR, ST_ERR);
	assert_int_equal(rig_in(&r, 0x1f4, 1), 0x14);
}

static void media(void **state)
{
	const struct blk_conf none = {.what = "eject", .cdrom = true};
	const struct blk_conf back = {.what = "change", .file = f.path, .cdrom = true};
	struct err e;

	(void)state;
	assert_int_equal(PACKET(0x1e, 0, 0, 0, 1), 0);
	assert_true(blk_tray(r.blk[0])->locked);
	assert_int_equal(PACKET(0x1b, 0, 0, 0, 2), -1);
	assert_int_equal(sense(), 0x055302);
	assert_int_equal(PACKET(0x1e, 0, 0, 0, 0), 0);
	assert_int_equal(PACKET(0x1b, 0, 0, 0, 2), 0);
	assert_int_equal(PACKET(0), -1);
	assert_int_equal(sense(), 0x023a00);
	assert_int_equal(PACKET(0x1b, 0, 0, 0, 3), 0);
	assert_int_equal(PACKET(0), 0);
	assert_int_equal(blk_change(r.blk[0], &none, &e), 0);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 2, 0, 0, 1), -1);
	assert_int_equal(sense(), 0x023a00);
	assert_int_equal(blk_change(r.blk[0], &back, &e), 0);
	assert_int_equal(PACKET(0x12, 0, 0, 0, 36), 36);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 2, 0, 0, 1), -1);
	assert_int_equal(sense(), 0x062800);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 2, 0, 0, 1), 2048);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(reads, setup, teardown),
		cmocka_unit_test_setup_teardown(errors, setup, teardown),
		cmocka_unit_test_setup_teardown(media, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
