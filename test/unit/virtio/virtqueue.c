/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueue: the rules of virtio 1.2 section 2.7 one by one, and every way to break them. */
#include "virtio/virtqueue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "ring.h"

#define SIZE 8
#define BUF  (TMEM_BASE + 0x10000)
#define MEM  (1ull << 30) /* large, so that few descriptors reach 4 GiB */

struct fix {
	struct guest_mem mem;
	struct virtqueue q;
	struct ring r;
	struct vq_conf c;
	struct iovec vec[64];
	struct vq_chain chain;
};

static void start(struct fix *f)
{
	ring_init(&f->r, &f->mem, TMEM_BASE, SIZE);
	f->c.size = SIZE;
	f->c.desc = f->r.desc;
	f->c.avail = f->r.avail;
	f->c.used = f->r.used;
	assert_int_equal(vq_start(&f->q, &f->mem, &f->c), 0);
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	tmem_init(&f->mem, MEM);
	assert_int_equal(vq_init(&f->q, 256, NULL), 0);
	start(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	vq_exit(&f->q);
	tmem_exit(&f->mem);
	free(f);
	return 0;
}

static int pop(struct fix *f)
{
	return vq_pop(&f->q, f->vec, 64, &f->chain);
}

static void expect_broken(struct fix *f)
{
	assert_int_equal(pop(f), 0);
	assert_true(f->q.broken);
	assert_non_null(f->q.why);
	/* It stays so, and takes nothing. */
	ring_add(&f->r, 0);
	assert_int_equal(pop(f), 0);
	vq_put(&f->q, 0, 0);
	assert_false(vq_publish(&f->q));
	assert_int_equal(ring_usedp(&f->r)->idx, 0);
	assert_false(vq_kicks_on(&f->q));
	assert_int_equal(vq_ready(&f->q), 0);
}

/* --- start ---------------------------------------------------------------------------------- */

static void start_checks_rings(void **state)
{
	struct fix *f = *state;
	const struct vq_conf good = f->c;
	const uint64_t end = TMEM_BASE + MEM;
	const struct vq_conf bad[] = {
		{good.desc, good.avail, good.used, 0, false, false},
		{good.desc, good.avail, good.used, 7, false, false},
		{good.desc, good.avail, good.used, 512, false, false}, /* more than offered */
		{good.desc + 8, good.avail, good.used, SIZE, false, false},
		{good.desc, good.avail + 1, good.used, SIZE, false, false},
		{good.desc, good.avail, good.used + 2, SIZE, false, false},
		{0, good.avail, good.used, SIZE, false, false},
		{end - 16 * SIZE + 16, good.avail, good.used, SIZE, false, false},
		{good.desc, end - 4 - 2 * SIZE + 2, good.used, SIZE, false, false},
		{good.desc, good.avail, end - 4 - 8 * SIZE + 4, SIZE, false, false},
		{good.desc, good.avail, UINT64_MAX - 3, SIZE, false, false},
		/* Without the event index it would fit. */
		{good.desc, end - 4 - 2 * SIZE, good.used, SIZE, true, false},
		{good.desc, good.avail, end - 4 - 8 * SIZE, SIZE, true, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(vq_start(&f->q, &f->mem, &bad[i]), -EINVAL);
		assert_true(f->q.broken);
		assert_int_equal(pop(f), 0);
	}
	f->c.avail = end - 4 - 2 * SIZE;
	f->c.used = end - 4 - 2 * SIZE - 4 - 8 * SIZE - 4;
	f->c.desc = end - 4096;
	assert_int_equal(vq_start(&f->q, &f->mem, &f->c), 0);
}

static void stopped_queue_is_empty(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 10, 0, 0);
	ring_add(&f->r, 0);
	vq_stop(&f->q);
	assert_int_equal(pop(f), 0);
	vq_unpop(&f->q, 0);
	assert_int_equal(vq_ready(&f->q), 0);
	assert_false(vq_kicks_on(&f->q));
	vq_kicks_off(&f->q);
	assert_false(vq_publish(&f->q));
}

/* --- pop and put ---------------------------------------------------------------------------- */

static void chain_is_described(void **state)
{
	struct fix *f = *state;
	uint32_t id, len;

	ring_desc(&f->r, 3, BUF, 10, VRING_DESC_F_NEXT, 5);
	ring_desc(&f->r, 5, BUF + 100, 20, VRING_DESC_F_NEXT, 1);
	ring_desc(&f->r, 1, BUF + 200, 0, VRING_DESC_F_NEXT, 0); /* empty: left out */
	ring_desc(&f->r, 0, BUF + 300, 30, VRING_DESC_F_WRITE, 0);
	assert_int_equal(pop(f), 0);
	ring_add(&f->r, 3);
	assert_int_equal(vq_ready(&f->q), 1);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, 3);
	assert_int_equal(f->chain.nout, 2);
	assert_int_equal(f->chain.nin, 1);
	assert_int_equal(f->chain.out_len, 30);
	assert_int_equal(f->chain.in_len, 30);
	assert_ptr_equal(f->vec[1].iov_base, mem_ptr(&f->mem, BUF + 100, 20));
	assert_int_equal(f->vec[2].iov_len, 30);
	assert_int_equal(pop(f), 0);
	vq_put(&f->q, 3, 17);
	assert_false(ring_used(&f->r, &id, &len));
	assert_true(vq_publish(&f->q));
	assert_true(ring_used(&f->r, &id, &len));
	assert_int_equal(id, 3);
	assert_int_equal(len, 17);
	assert_false(vq_publish(&f->q));
}

static void indexes_wrap_at_65536(void **state)
{
	struct fix *f = *state;

	f->c.event_idx = true;
	start(f);
	for (uint32_t i = 0; i < SIZE; i++)
		ring_desc(&f->r, i, BUF + 64 * i, i + 1, 0, 0);
	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t id, len;
		unsigned n = 1 + i % SIZE;

		ring_set_used_event(&f->r, (uint16_t)(f->r.seen + n - 1));
		for (unsigned k = 0; k < n; k++)
			ring_add(&f->r, (uint16_t)k);
		for (unsigned k = 0; k < n; k++) {
			assert_int_equal(pop(f), 1);
			assert_int_equal(f->chain.out_len, k + 1);
			vq_put(&f->q, f->chain.head, i);
		}
		assert_int_equal(pop(f), 0);
		assert_true(vq_publish(&f->q));
		for (unsigned k = 0; k < n; k++) {
			assert_true(ring_used(&f->r, &id, &len));
			assert_int_equal(id, k);
			assert_int_equal(len, i);
		}
		assert_false(vq_kicks_on(&f->q));
		assert_int_equal(ring_avail_event(&f->r), f->r.added);
	}
	assert_false(f->q.broken);
}

static void too_many_entries_stay(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < 4; i++)
		ring_desc(&f->r, i, BUF, 8, i < 3 ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
	ring_add(&f->r, 0);
	assert_int_equal(vq_pop(&f->q, f->vec, 3, &f->chain), -ENOBUFS);
	assert_false(f->q.broken);
	assert_int_equal(vq_pop(&f->q, f->vec, 4, &f->chain), 1);
	assert_int_equal(f->chain.nout, 4);
}

static void batch_leaves_spare_entries(void **state)
{
	struct fix *f = *state;
	struct vq_chain c[SIZE];

	for (unsigned i = 0; i < 6; i += 2) {
		ring_desc(&f->r, i, BUF, 8, VRING_DESC_F_NEXT, (uint16_t)(i + 1));
		ring_desc(&f->r, i + 1, BUF, 9, 0, 0);
		ring_add(&f->r, (uint16_t)i);
	}
	/* Room for two chains of two, with one spare entry each. */
	assert_int_equal(vq_pop_batch(&f->q, f->vec, 7, 1, c, SIZE), 2);
	assert_ptr_equal(c[0].vec, f->vec + 1);
	assert_ptr_equal(c[1].vec, f->vec + 4);
	assert_int_equal(vq_pop_batch(&f->q, f->vec, 64, 1, c, SIZE), 1);
	assert_int_equal(c[0].head, 4);
	assert_int_equal(vq_pop_batch(&f->q, f->vec, 64, 1, c, SIZE), 0);
}

static void given_back_chains_come_first(void **state)
{
	struct fix *f = *state;
	const uint16_t want[] = {1, 2, 4, 5};

	for (unsigned i = 0; i < 6; i++) {
		ring_desc(&f->r, i, BUF, i + 1, 0, 0);
		if (i < 5)
			ring_add(&f->r, (uint16_t)i);
	}
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pop(f), 1);
	/* 0 and 3 were used; the others come again, in their order, before a new one. */
	vq_unpop(&f->q, 4);
	vq_unpop(&f->q, 2);
	vq_unpop(&f->q, 1);
	vq_put(&f->q, 0, 0);
	vq_put(&f->q, 3, 0);
	vq_publish(&f->q);
	ring_add(&f->r, 5);
	assert_int_equal(vq_ready(&f->q), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pop(f), 1);
		assert_int_equal(f->chain.head, want[i]);
		assert_int_equal(f->chain.out_len, want[i] + 1);
	}
	assert_int_equal(pop(f), 0);
	/* Given-back ones are no reason to look again. */
	vq_unpop(&f->q, 5);
	assert_false(vq_kicks_on(&f->q));
	assert_int_equal(vq_ready(&f->q), 1);
}

/* --- interrupts and kicks ------------------------------------------------------------------- */

static void no_interrupt_flag(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	ring_avail(&f->r)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	for (unsigned i = 0; i < 2; i++) {
		ring_add(&f->r, 0);
		assert_int_equal(pop(f), 1);
		vq_put(&f->q, 0, 0);
		assert_int_equal(vq_publish(&f->q), i == 1);
		ring_avail(&f->r)->flags = 0;
	}
}

static void event_index_asks_for_one_interrupt(void **state)
{
	struct fix *f = *state;

	f->c.event_idx = true;
	start(f);
	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	/* The flag has no meaning then (2.7.7). */
	ring_avail(&f->r)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	ring_set_used_event(&f->r, 2);
	for (unsigned i = 0; i < 6; i++) {
		ring_add(&f->r, 0);
		assert_int_equal(pop(f), 1);
		vq_put(&f->q, 0, 0);
		assert_int_equal(vq_publish(&f->q), i == 2);
	}
}

static void kicks_by_flag(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	vq_kicks_off(&f->q);
	assert_int_equal(ring_usedp(&f->r)->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(vq_kicks_on(&f->q));
	assert_int_equal(ring_usedp(&f->r)->flags, 0);
	vq_kicks_off(&f->q);
	ring_add(&f->r, 0); /* no kick */
	assert_true(vq_kicks_on(&f->q));
}

static void kicks_by_event_index(void **state)
{
	struct fix *f = *state;

	f->c.event_idx = true;
	start(f);
	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	assert_false(vq_kicks_on(&f->q));
	assert_int_equal(ring_avail_event(&f->r), 0);
	ring_add(&f->r, 0);
	assert_int_equal(pop(f), 1);
	assert_false(vq_kicks_on(&f->q));
	assert_int_equal(ring_avail_event(&f->r), 1);
	ring_add(&f->r, 0);
	assert_true(vq_kicks_on(&f->q));
	/* The kick is for what comes next, also when what is there is not wanted now. */
	assert_int_equal(ring_avail_event(&f->r), 2);
}

/* --- indirect descriptors ------------------------------------------------------------------- */

#define TABLE (TMEM_BASE + 0x8000)

static void table_desc(struct fix *f, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
		       uint16_t next)
{
	struct vring_desc *t = mem_ptr(&f->mem, TABLE, 4096);

	t[i] = (struct vring_desc){addr, len, flags, next};
}

static void with_indirect(struct fix *f)
{
	f->c.indirect = true;
	start(f);
}

static void indirect_chain(void **state)
{
	struct fix *f = *state;

	with_indirect(f);
	table_desc(f, 0, BUF, 10, VRING_DESC_F_NEXT, 2);
	table_desc(f, 2, BUF, 20, VRING_DESC_F_WRITE, 0);
	/* The write flag of the descriptor itself is ignored (2.7.5.3.2). */
	ring_desc(&f->r, 4, TABLE, 48, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	ring_add(&f->r, 4);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, 4);
	assert_int_equal(f->chain.out_len, 10);
	assert_int_equal(f->chain.in_len, 20);
	/* Behind direct ones, and with as many as the ring has in all. */
	ring_desc(&f->r, 0, BUF, 5, VRING_DESC_F_NEXT, 4);
	for (unsigned i = 0; i < SIZE - 1; i++)
		table_desc(f, i, BUF, 1, i < SIZE - 2 ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
	ring_desc(&f->r, 4, TABLE, 16 * (SIZE - 1), VRING_DESC_F_INDIRECT, 0);
	ring_add(&f->r, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, 0);
	assert_int_equal(f->chain.nout, SIZE);
}

static void indirect_not_negotiated(void **state)
{
	struct fix *f = *state;

	table_desc(f, 0, BUF, 10, 0, 0);
	ring_desc(&f->r, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void indirect_nested(void **state)
{
	struct fix *f = *state;

	with_indirect(f);
	table_desc(f, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_desc(&f->r, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void indirect_and_next(void **state)
{
	struct fix *f = *state;

	with_indirect(f);
	table_desc(f, 0, BUF, 10, 0, 0);
	ring_desc(&f->r, 0, TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void indirect_bad_tables(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} bad[] = {
		{TABLE, 0},
		{TABLE, 15},
		{TABLE, 17},
		{0, 16},
		{TMEM_BASE + MEM - 16, 32},
		{UINT64_MAX - 15, 32},
		{TABLE, 0xfffffff0},
	};
	struct fix *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		with_indirect(f);
		table_desc(f, 0, BUF, 10, 0, 0);
		ring_desc(&f->r, 0, bad[i].addr, bad[i].len, VRING_DESC_F_INDIRECT, 0);
		ring_add(&f->r, 0);
		expect_broken(f);
	}
}

static void indirect_next_outside_of_table(void **state)
{
	struct fix *f = *state;

	with_indirect(f);
	table_desc(f, 0, BUF, 10, VRING_DESC_F_NEXT, 1);
	table_desc(f, 1, BUF, 10, 0, 0);
	ring_desc(&f->r, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void indirect_loop(void **state)
{
	struct fix *f = *state;

	with_indirect(f);
	table_desc(f, 0, BUF, 10, VRING_DESC_F_NEXT, 1);
	table_desc(f, 1, BUF, 10, VRING_DESC_F_NEXT, 0);
	ring_desc(&f->r, 0, TABLE, 32, VRING_DESC_F_INDIRECT, 0);
	ring_add(&f->r, 0);
	expect_broken(f);
}

/* --- malformed rings ------------------------------------------------------------------------ */

static void head_out_of_range(void **state)
{
	struct fix *f = *state;

	ring_add(&f->r, SIZE);
	expect_broken(f);
}

static void next_out_of_range(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, VRING_DESC_F_NEXT, 0xffff);
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void direct_loop(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, VRING_DESC_F_NEXT, 1);
	ring_desc(&f->r, 1, BUF, 0, VRING_DESC_F_NEXT, 0); /* empty ones count as well */
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void buffer_outside_of_memory(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} bad[] = {{0, 1},	    {TMEM_BASE + MEM, 1}, {TMEM_BASE + MEM - 1, 2},
		   {UINT64_MAX, 2}, {TMEM_BASE - 1, 2},	  {BUF, UINT32_MAX}};
	struct fix *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		start(f);
		ring_desc(&f->r, 0, bad[i].addr, bad[i].len, VRING_DESC_F_WRITE, 0);
		ring_add(&f->r, 0);
		expect_broken(f);
	}
}

static void readable_behind_writable(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	ring_desc(&f->r, 1, BUF, 8, 0, 0);
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void chain_of_4_gib(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < 5; i++)
		ring_desc(&f->r, i, TMEM_BASE, MEM, i < 4 ? VRING_DESC_F_NEXT : 0,
			  (uint16_t)(i + 1));
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void avail_index_too_far(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	f->r.added = SIZE;
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void avail_index_goes_back(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	ring_add(&f->r, 0);
	assert_int_equal(pop(f), 1);
	ring_avail(&f->r)->idx = 0;
	assert_int_equal(pop(f), 0);
	assert_true(f->q.broken);
}

static void more_chains_than_descriptors(void **state)
{
	struct fix *f = *state;

	/* The same head over and over while we hold it: we never hold more than the ring has. */
	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	for (unsigned i = 0; i < SIZE; i++) {
		ring_add(&f->r, 0);
		assert_int_equal(pop(f), 1);
	}
	ring_add(&f->r, 0);
	assert_int_equal(pop(f), 0);
	assert_true(f->q.broken);
}

/* Somebody else uses n chains of a lent ring. */
static void use_elsewhere(struct fix *f, uint16_t *at, unsigned n)
{
	struct vring_used *u = ring_usedp(&f->r);

	for (; n--; ++*at)
		u->ring[*at % SIZE].id = ring_avail(&f->r)->ring[*at % SIZE];
	u->idx = *at;
}

static void lent_and_back(void **state)
{
	struct fix *f = *state;
	uint16_t at;

	/* Over the end of the 16-bit indexes. */
	for (unsigned i = 0; i < 30000; i++) {
		for (unsigned n = 0; n < 4; n++) {
			ring_desc(&f->r, n, BUF, 100, 0, 0);
			ring_add(&f->r, (uint16_t)n);
		}
		assert_int_equal(pop(f), 1);
		assert_false(vq_may_lend(&f->q)); /* a chain is in our hands */
		vq_put(&f->q, f->chain.head, 0);
		assert_false(vq_may_lend(&f->q)); /* the driver does not know */
		vq_publish(&f->q);
		assert_true(vq_may_lend(&f->q));
		at = vq_lend(&f->q);
		assert_int_equal(at, (uint16_t)(4 * i + 1));
		assert_true(vq_live(&f->q));
		assert_int_equal(pop(f), 0);
		assert_false(vq_kicks_on(&f->q));
		assert_false(vq_may_lend(&f->q));
		use_elsewhere(f, &at, 2);
		vq_take_back(&f->q, at);
		assert_int_equal(pop(f), 1);
		assert_int_equal(f->chain.head, 3);
		vq_put(&f->q, f->chain.head, 0);
		vq_publish(&f->q);
		assert_int_equal(ring_usedp(&f->r)->idx, (uint16_t)(4 * i + 4));
		assert_int_equal(pop(f), 0);
		assert_false(f->q.broken);
	}
}

static void given_back_chains_are_lent(void **state)
{
	struct fix *f = *state;
	struct vq_chain c[4];

	for (unsigned n = 0; n < 4; n++) {
		ring_desc(&f->r, n, BUF, 100, 0, 0);
		ring_add(&f->r, (uint16_t)n);
	}
	/* The latest two: the index goes back. */
	assert_int_equal(vq_pop_batch(&f->q, f->vec, 64, 0, c, 4), 4);
	vq_unpop(&f->q, c[3].head);
	vq_unpop(&f->q, c[2].head);
	assert_false(vq_may_lend(&f->q));
	vq_put(&f->q, c[0].head, 0);
	vq_put(&f->q, c[1].head, 0);
	vq_publish(&f->q);
	assert_true(vq_may_lend(&f->q));
	assert_int_equal(vq_lend(&f->q), 2);
	vq_take_back(&f->q, 2);
	/* One that is not the latest: no index says so. */
	assert_int_equal(vq_pop_batch(&f->q, f->vec, 64, 0, c, 4), 2);
	vq_put(&f->q, c[1].head, 0);
	vq_publish(&f->q);
	vq_unpop(&f->q, c[0].head);
	assert_false(vq_may_lend(&f->q));
	/* When it is used up the ring can go. */
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, c[0].head);
	vq_put(&f->q, f->chain.head, 0);
	vq_publish(&f->q);
	assert_true(vq_may_lend(&f->q));
}

static void stopped_while_lent(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 100, 0, 0);
	ring_add(&f->r, 0);
	vq_lend(&f->q);
	vq_stop(&f->q);
	assert_false(vq_live(&f->q));
	/* What comes back is of no ring any more. */
	vq_take_back(&f->q, 1);
	assert_false(f->q.running);
	assert_false(vq_may_lend(&f->q));
	start(f);
	assert_false(f->q.lent);
	assert_true(vq_may_lend(&f->q));
	vq_break(&f->q, "for a test");
	assert_false(vq_may_lend(&f->q));
	assert_false(vq_live(&f->q));
}

static void restart_mends(void **state)
{
	struct fix *f = *state;

	ring_add(&f->r, SIZE);
	assert_int_equal(pop(f), 0);
	assert_true(f->q.broken);
	start(f);
	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	ring_add(&f->r, 0);
	assert_int_equal(pop(f), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(start_checks_rings),
		T(stopped_queue_is_empty),
		T(chain_is_described),
		T(indexes_wrap_at_65536),
		T(too_many_entries_stay),
		T(batch_leaves_spare_entries),
		T(given_back_chains_come_first),
		T(no_interrupt_flag),
		T(event_index_asks_for_one_interrupt),
		T(kicks_by_flag),
		T(kicks_by_event_index),
		T(indirect_chain),
		T(indirect_not_negotiated),
		T(indirect_nested),
		T(indirect_and_next),
		T(indirect_bad_tables),
		T(indirect_next_outside_of_table),
		T(indirect_loop),
		T(head_out_of_range),
		T(next_out_of_range),
		T(direct_loop),
		T(buffer_outside_of_memory),
		T(readable_behind_writable),
		T(chain_of_4_gib),
		T(avail_index_too_far),
		T(avail_index_goes_back),
		T(more_chains_than_descriptors),
		T(lent_and_back),
		T(given_back_chains_are_lent),
		T(stopped_while_lent),
		T(restart_mends),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
