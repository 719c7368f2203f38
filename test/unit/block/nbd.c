/* SPDX-License-Identifier: BSD-2-Clause */
/* An image by qemu-nbd: every operation, by buffers of any kind, a snapshot, and its end. */
#include "rig.h"

#include <sys/wait.h>

#define SIZE (4u << 20)

static int run(struct image *im, unsigned w, enum blk_op op, uint64_t off, struct iovec *v,
	       unsigned n)
{
	struct blk_req r = {.op = op, .off = off, .vec = v, .nvec = n, .fua = true};

	for (unsigned i = 0; i < n; i++)
		r.len += v[i].iov_len;
	return im->drv->run(im, w, &r);
}

static void operations(void **state)
{
	struct rig_file f = rig_file(SIZE);
	const struct blk_conf c = {
		.what = "-drive", .file = f.path, .format = "raw", .discard = true};
	struct err e = {0};
	struct image *im = nbd_open(&c, "raw", &e);
	uint8_t *buf = malloc(SIZE), got[512];
	/* Small pieces, a large one, small ones again. */
	struct iovec v[4] = {
		{buf, 1000}, {buf + 4096, 100}, {buf + 8192, 200000}, {buf + 300000, 3700}};
	struct iovec range = {NULL, 65536};

	(void)state;
	assert_non_null(buf);
	assert_string_equal(e.text, "");
	assert_non_null(im);
	assert_int_equal(im->size, SIZE);
	assert_int_equal(run(im, 0, BLK_READ, 512, v, 4), 0);
	assert_true(buf[0] == 1 && buf[511] == 1 && buf[512] == 2 && buf[4096] == 2);
	assert_int_equal(buf[8192], (512 + 1100) / 512);
	assert_int_equal(buf[8192 + 199999], (512 + 1100 + 199999) / 512 & 255);
	assert_int_equal(buf[300000 + 3699], (512 + 204799) / 512 & 255);
	memset(buf, 0xaa, SIZE);
	assert_int_equal(run(im, 1, BLK_WRITE, 1 << 20, v, 4), 0);
	assert_int_equal(run(im, 2, BLK_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(pread(f.fd, got, 512, (1 << 20) + 204800 - 512), 512);
	assert_true(got[0] == 0xaa && got[511] == 0xaa);
	assert_int_equal(run(im, 3, BLK_ZERO, 1 << 20, &range, 1), 0);
	assert_int_equal(pread(f.fd, got, 1, 1 << 20), 1);
	assert_int_equal(got[0], 0);
	assert_int_equal(run(im, 0, BLK_DISCARD, 2 << 20, &range, 1), 0);
	im->drv->close(im);
	/* The child was waited for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	free(buf);
	rig_file_end(&f);
}

static void snapshot(void **state)
{
	struct rig_file f = rig_file(SIZE);
	const struct blk_conf c = {.what = "-drive", .file = f.path, .snapshot = true};
	struct err e;
	struct image *im = nbd_open(&c, "raw", &e);
	uint8_t buf[512] = {0x77};
	struct iovec v = {buf, sizeof(buf)};

	(void)state;
	assert_non_null(im);
	assert_int_equal(run(im, 0, BLK_WRITE, 0, &v, 1), 0);
	buf[0] = 0;
	assert_int_equal(run(im, 1, BLK_READ, 0, &v, 1), 0);
	assert_int_equal(buf[0], 0x77);
	im->drv->close(im);
	assert_int_equal(pread(f.fd, buf, 1, 0), 1);
	assert_int_equal(buf[0], 0);
	rig_file_end(&f);
}

/* No qemu-nbd: the package is named. */
static void missing(void **state)
{
	struct rig_file f = rig_file(SIZE);
	const struct blk_conf c = {.what = "-drive", .file = f.path};
	char *path = strdup(getenv("PATH"));
	struct err e;

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	assert_null(nbd_open(&c, "qcow2", &e));
	assert_non_null(strstr(e.text, "install the package qemu-utils"));
	setenv("PATH", path, 1);
	free(path);
	rig_file_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations),
		cmocka_unit_test(snapshot),
		cmocka_unit_test(missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
