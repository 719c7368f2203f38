/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw files: every operation, past the page cache as well, with buffers of any kind. */
#include "rig.h"

#include <signal.h>
#include <sys/resource.h>

static struct image *open_as(const struct rig_file *f, enum blk_cache cache, bool discard)
{
	const struct blk_conf c = {.what = "-drive",
				   .file = f->path,
				   .format = "raw",
				   .cache = cache,
				   .discard = discard};
	struct err e = {0};
	struct image *im = image_open(&c, &e);

	if (!im)
		print_message("%s\n", e.text);
	return im;
}

static int run(struct image *im, enum blk_op op, uint64_t off, struct iovec *v, unsigned n)
{
	struct blk_req r = {.op = op, .off = off, .vec = v, .nvec = n, .fua = true, .unmap = true};

	for (unsigned i = 0; i < n; i++)
		r.len += v[i].iov_len;
	return im->drv->run(im, 0, &r);
}

static void every_cache(void **state)
{
	(void)state;
	for (enum blk_cache c = BLK_WRITEBACK; c <= BLK_UNSAFE; c++) {
		struct rig_file f = rig_file(64 << 10);
		struct image *im = open_as(&f, c, true);
		uint8_t *buf = aligned_alloc(4096, 16384), got[512];
		struct iovec even = {buf, 8192}, odd[2] = {{buf + 1, 511}, {buf + 9001, 513}};
		struct iovec range = {NULL, 4096};

		assert_non_null(buf);
		assert_non_null(im);
		assert_int_equal(im->size, 64 << 10);
		assert_int_equal(run(im, BLK_READ, 8192, &even, 1), 0);
		assert_true(buf[0] == 16 && buf[8191] == 31);
		assert_int_equal(run(im, BLK_READ, 1024, odd, 2), 0);
		assert_true(buf[1] == 2 && buf[511] == 2 && buf[9001] == 2 && buf[9002] == 3);
		memset(buf, 0xee, 16384);
		assert_int_equal(run(im, BLK_WRITE, 1024, odd, 2), 0);
		assert_int_equal(run(im, BLK_WRITE, 16384, &even, 1), 0);
		assert_int_equal(run(im, BLK_FLUSH, 0, NULL, 0), 0);
		assert_int_equal(pread(f.fd, got, 512, 1024), 512);
		assert_true(got[0] == 0xee && got[511] == 0xee);
		assert_int_equal(run(im, BLK_ZERO, 16384, &range, 1), 0);
		assert_int_equal(pread(f.fd, got, 512, 16384), 512);
		assert_true(got[0] == 0 && got[511] == 0);
		assert_int_equal(run(im, BLK_DISCARD, 20480, &range, 1), 0);
		assert_int_equal(pread(f.fd, got, 512, 20480), 512);
		assert_true(got[0] == 0 && got[511] == 0);
		im->drv->close(im);
		free(buf);
		rig_file_end(&f);
	}
}

static void discard_ignored(void **state)
{
	struct rig_file f = rig_file(8192);
	struct image *im = open_as(&f, BLK_WRITEBACK, false);
	struct iovec range = {NULL, 4096};
	uint8_t got;

	(void)state;
	assert_non_null(im);
	assert_int_equal(run(im, BLK_DISCARD, 4096, &range, 1), 0);
	assert_int_equal(pread(f.fd, &got, 1, 4096), 1);
	assert_int_equal(got, 8);
	im->drv->close(im);
	rig_file_end(&f);
}

/* A last sector that is cut off reads as if there were zeros behind it. */
static void short_end(void **state)
{
	struct rig_file f = rig_file(700);
	struct image *im = open_as(&f, BLK_WRITEBACK, false);
	uint8_t buf[1024];
	struct iovec v = {buf, sizeof(buf)};

	(void)state;
	assert_non_null(im);
	assert_int_equal(im->size, 1024);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(run(im, BLK_READ, 0, &v, 1), 0);
	assert_true(buf[699] == 1 && buf[700] == 0 && buf[1023] == 0);
	im->drv->close(im);
	rig_file_end(&f);
}

/* The host's disk is full: the guest gets the error, as often as it tries. */
static void full(void **state)
{
	const struct blk_conf c = {.what = "-drive", .file = "/dev/full", .format = "raw"};
	struct rig_file f = rig_file(4096);
	struct image *im = open_as(&f, BLK_WRITEBACK, false);
	uint8_t buf[512] = {0};
	struct iovec v = {buf, sizeof(buf)};
	struct err e;

	(void)state;
	assert_null(image_open(&c, &e)); /* no disk at all */
	assert_non_null(im);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, RLIM_INFINITY}), 0);
	im->size = 8192;
	assert_int_equal(run(im, BLK_WRITE, 4096, &v, 1), -EFBIG);
	assert_int_equal(run(im, BLK_WRITE, 4096, &v, 1), -EFBIG);
	assert_int_equal(run(im, BLK_WRITE, 0, &v, 1), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}),
			 0);
	im->drv->close(im);
	rig_file_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cache),
		cmocka_unit_test(discard_ignored),
		cmocka_unit_test(short_end),
		cmocka_unit_test(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
