/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk of the bus master's table, and its registers. */
#include "rig.h"

static struct rig r;
static struct iovec v[IDE_VECS];
static unsigned n;
static uint64_t got;

static int setup(void **state)
{
	(void)state;
	rig_init(&r);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_exit(&r);
	return 0;
}

static void entry(unsigned i, uint32_t addr, uint32_t size)
{
	put_le32(r.mem + 0x1000 + 8 * (size_t)i, addr);
	put_le32(r.mem + 0x1004 + 8 * (size_t)i, size);
}

static int fill(struct prd *p, uint64_t want, uint32_t unit, unsigned max)
{
	return ide_prd_fill(p, &r.f.a.mem, want, unit, v, max, &n, &got);
}

#define LAST 0x80000000u

static void pieces(void **state)
{
	struct prd p = {.table = 0x1000};

	(void)state;
	entry(0, 0x2000, 2);
	entry(1, 0x3000, 700);
	entry(2, 0x32bc, 0); /* 64 KiB, just behind the last */
	entry(3, 0x40000, 0 | LAST);
	assert_int_equal(fill(&p, 1024, 512, 8), 0);
	assert_int_equal(got, 1024);
	assert_int_equal(n, 2);
	assert_int_equal(v[1].iov_len, 1022);
	/* It goes on where it was. */
	assert_int_equal(fill(&p, 131072, 512, 8), 0);
	assert_int_equal(n, 2);
	assert_ptr_equal(v[0].iov_base, r.mem + 0x3000 + 1022);
	assert_int_equal(got, 2 + 700 + 131072 - 1024 - (2 + 700) % 512);
	assert_int_equal(fill(&p, 512, 512, 8), 0);
	assert_int_equal(got, 0);
}

/* The vec is full inside of a unit: what is left of it comes the next time. */
static void units(void **state)
{
	struct prd p = {.table = 0x1000};

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		entry(i, 0x2000 + 0x1000 * i, 300 | (i == 7 ? LAST : 0));
	assert_int_equal(fill(&p, 2048, 512, 3), 0);
	assert_int_equal(got, 512);
	assert_int_equal(n, 2);
	assert_int_equal(v[1].iov_len, 212);
	assert_int_equal(fill(&p, 1536, 512, 3), 0);
	assert_int_equal(got, 512);
	assert_ptr_equal(v[0].iov_base, r.mem + 0x3000 + 212);
	assert_int_equal(fill(&p, 1024, 1024, 2), 0);
	assert_int_equal(got, 0);
	assert_int_equal(n, 0);
}

static void bad(void **state)
{
	struct prd p = {.table = 0x1000};

	(void)state;
	entry(0, RIG_MEM - 256, 512 | LAST);
	assert_int_equal(fill(&p, 512, 512, 8), -EFAULT);
	p = (struct prd){.table = RIG_MEM - 4};
	assert_int_equal(fill(&p, 512, 512, 8), -EFAULT);
	p = (struct prd){.table = 0xfffffffc};
	assert_int_equal(fill(&p, 512, 512, 8), -EFAULT);
	entry(0, 0xfffffffe, 0 | LAST);
	p = (struct prd){.table = 0x1000};
	assert_int_equal(fill(&p, 512, 512, 8), -EFAULT);
}

/* A table without an end: 8192 entries, no more. */
static void endless(void **state)
{
	struct prd p = {.table = 0x1000};
	uint64_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < 8192; i++)
		entry(i, 0x80000 + 4 * (i % 512), 2);
	do {
		assert_int_equal(fill(&p, 1u << 30, 512, IDE_VECS), 0);
		sum += got;
	} while (got);
	assert_int_equal(sum, 16384);
}

static void registers(void **state)
{
	struct rig_file f = rig_file(65536);
	const struct blk_conf c = {.what = "-drive", .file = f.path, .format = "raw"};
	struct ide_drive *d;

	(void)state;
	d = rig_plug(&r, 0, &c);
	ide_bm_io.write(r.x, 4, 0x1003, 4);
	assert_int_equal(ide_bm_io.read(r.x, 4, 4), 0x1000);
	ide_bm_io.write(r.x, 2, 0x60, 1);
	assert_int_equal(ide_bm_io.read(r.x, 2, 1), 0x60);
	entry(0, 0x2000, 512 | LAST);
	assert_int_equal(rig_command(&r, 0xc8, 5, 1), ST_BSY | ST_DRDY);
	assert_true(d->dma.wanted);
	ide_bm_io.write(r.x, 0, 9, 1);
	assert_int_equal(ide_bm_io.read(r.x, 2, 1) & 1, 1);
	rig_settle(&r);
	assert_int_equal(r.mem[0x2000], 5);
	assert_int_equal(ide_bm_io.read(r.x, 2, 1), 0x64);
	ide_bm_io.write(r.x, 2, 0x64, 1);
	assert_int_equal(ide_bm_io.read(r.x, 2, 1), 0x60);
	/* The wrong direction. */
	ide_bm_io.write(r.x, 0, 0, 1);
	rig_command(&r, 0xc8, 5, 1);
	ide_bm_io.write(r.x, 0, 1, 1);
	assert_int_equal(rig_in(&r, 0x3f6, 1) & ST_ERR, ST_ERR);
	/* Stopped in the middle: the command ends, nothing is under way. */
	ide_bm_io.write(r.x, 0, 0, 1);
	rig_command(&r, 0xc8, 5, 1);
	ide_bm_io.write(r.x, 0, 9, 1);
	assert_true(d->busy);
	ide_bm_io.write(r.x, 0, 0, 1);
	assert_false(d->busy);
	assert_int_equal(rig_in(&r, 0x3f6, 1), ST_DRDY | ST_DSC | ST_ERR);
	rig_file_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(units, setup, teardown),
		cmocka_unit_test_setup_teardown(bad, setup, teardown),
		cmocka_unit_test_setup_teardown(endless, setup, teardown),
		cmocka_unit_test_setup_teardown(registers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
