/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk: requests on a running loop, checks, draining, a medium that changes. */
#include "rig.h"

#include <pthread.h>

#define N 200u

static struct {
	struct blk *b;
	struct loop *l;
	struct blk_queue q;
	_Atomic unsigned done, batches;
} t;

static void on_ready(struct blk_queue *q)
{
	struct blk_req *r;

	t.batches++;
	while ((r = blk_reap(q))) {
		assert_int_equal(r->rc, 0);
		t.done++;
	}
}

static void open_disk(const struct rig_file *f, void (*ready)(struct blk_queue *q))
{
	const struct blk_conf c = {.what = "-drive", .file = f->path, .format = "raw"};
	struct err e;

	memset(&t, 0, sizeof(t));
	t.b = blk_new("d0", &c, &e);
	t.l = loop_new("t", NULL, &e);
	t.q.ready = ready;
	assert_non_null(t.b);
	assert_int_equal(blk_queue_open(&t.q, t.b, t.l, &e), 0);
}

static void close_disk(void)
{
	blk_queue_close(&t.q);
	blk_free(t.b);
	loop_free(t.l);
}

static void many(void **state)
{
	struct rig_file f = rig_file(N * 512);
	static struct blk_req r[N];
	static uint8_t buf[N][512];
	static struct iovec v[N];

	(void)state;
	open_disk(&f, on_ready);
	assert_int_equal(loop_start(t.l, NULL), 0);
	for (unsigned i = 0; i < N; i++) {
		v[i] = (struct iovec){buf[i], 512};
		r[i] = (struct blk_req){
			.op = BLK_READ, .off = i * 512, .len = 512, .vec = &v[i], .nvec = 1};
		blk_submit(&t.q, &r[i]);
	}
	for (unsigned i = 0; i < 5000 && t.done < N; i++)
		usleep(1000);
	assert_int_equal(t.done, N);
	for (unsigned i = 0; i < N; i++)
		assert_true(buf[i][0] == i && buf[i][511] == i);
	loop_stop(t.l);
	loop_join(t.l);
	close_disk();
	rig_file_end(&f);
}

static int one(enum blk_op op, uint64_t off, uint64_t len, unsigned nvec, struct iovec *v)
{
	struct blk_req r = {.op = op, .off = off, .len = len, .nvec = nvec, .vec = v};

	blk_submit(&t.q, &r);
	blk_settle(&t.q);
	assert_ptr_equal(blk_reap(&t.q), &r);
	return r.rc;
}

static void checks(void **state)
{
	struct rig_file f = rig_file(4096);
	const struct blk_conf none = {.what = "eject"};
	const struct blk_conf ro = {
		.what = "change", .file = f.path, .format = "raw", .readonly = true};
	const struct blk_conf bad = {.what = "change", .file = "/nonexistent"};
	uint8_t buf[1024];
	struct iovec v = {buf, 512};
	struct blk_info i;
	struct err e;

	(void)state;
	open_disk(&f, on_ready);
	assert_int_equal(one(BLK_READ, 0, 512, 1, &v), 0);
	assert_int_equal(one(BLK_READ, 4096, 512, 1, &v), -EINVAL);
	assert_int_equal(one(BLK_READ, UINT64_MAX - 511, 512, 1, &v), -EINVAL);
	assert_int_equal(one(BLK_READ, 1, 512, 1, &v), -EINVAL);
	assert_int_equal(one(BLK_READ, 0, 1024, 1, &v), -EINVAL);
	assert_int_equal(one(BLK_ZERO, 0, UINT64_MAX / 512 * 512, 0, NULL), -EINVAL);
	assert_int_equal(one(BLK_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(blk_change(t.b, &bad, &e), -ENOENT);
	assert_true(blk_present(t.b));
	assert_int_equal(blk_change(t.b, &none, &e), 0);
	assert_int_equal(one(BLK_READ, 0, 512, 1, &v), -ENOMEDIUM);
	assert_int_equal(blk_size(t.b), 0);
	assert_int_equal(blk_change(t.b, &ro, &e), 0);
	assert_int_equal(one(BLK_READ, 0, 512, 1, &v), 0);
	assert_int_equal(one(BLK_WRITE, 0, 512, 1, &v), -EROFS);
	assert_int_equal(blk_media(t.b), 2);
	blk_info(t.b, &i);
	assert_true(i.present && i.readonly && i.count[BLK_READ] == 7 && i.failed == 7);
	close_disk();
	rig_file_end(&f);
}

static void never(struct blk_queue *q)
{
	(void)q;
	fail();
}

/* Nothing comes of what was drained, and no thread has it. */
static void drain(void **state)
{
	struct rig_file f = rig_file(1 << 20);
	static struct blk_req r[N];
	static uint8_t buf[1 << 20];
	struct iovec v = {buf, sizeof(buf)};

	(void)state;
	open_disk(&f, never);
	for (unsigned i = 0; i < N; i++) {
		r[i] = (struct blk_req){.op = BLK_READ, .len = sizeof(buf), .vec = &v, .nvec = 1};
		blk_submit(&t.q, &r[i]);
	}
	blk_drain(&t.q);
	memset(r, 0xff, sizeof(r));
	assert_null(blk_reap(&t.q));
	close_disk();
	rig_file_end(&f);
}

/* A probed image's first sector takes no signature. */
static void forged(void **state)
{
	struct rig_file f = rig_file(4096);
	const struct blk_conf c = {.what = "-hda", .file = f.path};
	uint8_t buf[1024] = "QFI\xfb\0\0\0\3";
	struct iovec v[2] = {{buf, 3}, {buf + 3, 1021}};
	struct err e;

	(void)state;
	open_disk(&f, on_ready);
	close_disk();
	memset(&t, 0, sizeof(t));
	t.b = blk_new("d0", &c, &e);
	t.l = loop_new("t", NULL, &e);
	t.q.ready = on_ready;
	assert_int_equal(blk_queue_open(&t.q, t.b, t.l, &e), 0);
	assert_int_equal(one(BLK_WRITE, 0, 1024, 2, v), -EPERM);
	assert_int_equal(one(BLK_WRITE, 512, 1024, 2, v), 0);
	buf[0] = 0;
	assert_int_equal(one(BLK_WRITE, 0, 1024, 2, v), 0);
	close_disk();
	rig_file_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many),
		cmocka_unit_test(checks),
		cmocka_unit_test(drain),
		cmocka_unit_test(forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
