/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed virtqueue: the rules of virtio 1.2 section 2.8 one by one, and ways to break them. */
#include "virtio/virtqueue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "ring.h"

#define QMAX 256
#define SIZE 7 /* any number will do */
#define BUF  (TMEM_BASE + 0x10000)
#define MEM  (1ull << 30)

#define AVAIL 0x80u
#define USED  0x8000u

struct fix {
	struct guest_mem mem;
	struct virtqueue q;
	struct ring r;
	struct vq_conf c;
	struct iovec vec[64];
	struct vq_chain chain;
};

static void start_size(struct fix *f, uint16_t size)
{
	ring_init_packed(&f->r, &f->mem, TMEM_BASE, size);
	f->c.packed = true;
	f->c.size = size;
	f->c.desc = f->r.desc;
	f->c.avail = f->r.avail;
	f->c.used = f->r.used;
	assert_int_equal(vq_start(&f->q, &f->mem, &f->c), 0);
}

static void start(struct fix *f)
{
	start_size(f, SIZE);
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	tmem_init(&f->mem, MEM);
	assert_int_equal(vq_init(&f->q, QMAX, NULL), 0);
	assert_int_equal(vq_init_packed(&f->q, NULL), 0);
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
	assert_int_equal(pop(f), 0);
	vq_put(&f->q, 0, 0);
	assert_false(vq_publish(&f->q));
	assert_false(vq_kicks_on(&f->q));
	assert_int_equal(vq_ready(&f->q), 0);
}

static void expect_used(struct fix *f, uint32_t want_id, uint32_t want_len)
{
	uint32_t id = 0, len = 0;

	assert_true(ring_used(&f->r, &id, &len));
	assert_int_equal(id, want_id);
	assert_int_equal(len, want_len);
}

static uint32_t rnd(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* --- start ---------------------------------------------------------------------------------- */

static void start_checks_areas(void **state)
{
	struct fix *f = *state;
	const struct vq_conf good = f->c;
	const uint64_t end = TMEM_BASE + MEM;
	const struct vq_conf bad[] = {
		{.size = 0},
		{.size = QMAX + 1},
		{.desc = good.desc + 8},
		{.avail = good.avail + 2},
		{.used = good.used + 2},
		{.desc = TMEM_BASE - 16},
		{.desc = end - 16 * SIZE + 16},
		{.avail = end},
		{.used = end},
		{.used = UINT64_MAX - 3},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vq_conf c = good;

		c.size = i < 2 ? bad[i].size : c.size;
		c.desc = bad[i].desc ? bad[i].desc : c.desc;
		c.avail = bad[i].avail ? bad[i].avail : c.avail;
		c.used = bad[i].used ? bad[i].used : c.used;
		assert_int_equal(vq_start(&f->q, &f->mem, &c), -EINVAL);
		assert_true(f->q.broken);
		assert_int_equal(pop(f), 0);
	}
	f->c.desc = end - 16 * QMAX;
	f->c.avail = TMEM_BASE;
	f->c.used = TMEM_BASE + 4;
	f->c.size = QMAX;
	assert_int_equal(vq_start(&f->q, &f->mem, &f->c), 0);
}

static void start_needs_init(void **state)
{
	struct fix *f = *state;
	struct virtqueue q;

	assert_int_equal(vq_init(&q, QMAX, NULL), 0);
	assert_int_equal(vq_start(&q, &f->mem, &f->c), -EINVAL);
	vq_exit(&q);
}

static void stopped_queue_is_empty(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 10, 0, 0);
	ring_add(&f->r, 0);
	vq_stop(&f->q);
	assert_int_equal(pop(f), 0);
	assert_int_equal(vq_ready(&f->q), 0);
	assert_false(vq_kicks_on(&f->q));
	vq_kicks_off(&f->q);
	assert_false(vq_publish(&f->q));
	/* Started again, split and packed in turn: each from its beginning. */
	for (unsigned i = 0; i < 4; i++) {
		struct ring *r = &f->r;

		if (i % 2) {
			start(f);
		} else {
			ring_init(r, &f->mem, TMEM_BASE, 8);
			f->c = (struct vq_conf){r->desc, r->avail, r->used, 8, false, false, false};
			assert_int_equal(vq_start(&f->q, &f->mem, &f->c), 0);
		}
		ring_desc(r, 3, BUF, 10 + i, 0, 0);
		ring_add(r, 3);
		assert_int_equal(pop(f), 1);
		assert_int_equal(f->chain.out_len, 10 + i);
		vq_put(&f->q, f->chain.head, i);
		assert_true(vq_publish(&f->q));
		expect_used(f, 3, i);
	}
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
	assert_int_equal(f->chain.nout, 2);
	assert_int_equal(f->chain.nin, 1);
	assert_int_equal(f->chain.out_len, 30);
	assert_int_equal(f->chain.in_len, 30);
	assert_ptr_equal(f->vec[1].iov_base, mem_ptr(&f->mem, BUF + 100, 20));
	assert_int_equal(pop(f), 0);
	vq_put(&f->q, f->chain.head, 17);
	assert_false(ring_used(&f->r, &id, &len));
	assert_true(vq_publish(&f->q));
	/* 2.8.4: written to, and both bits as the lap has them. */
	assert_int_equal(ring_packed(&f->r)[0].flags, AVAIL | USED | VRING_DESC_F_WRITE);
	expect_used(f, 3, 17);
	assert_false(vq_publish(&f->q));
	/* The next one is put behind all four. */
	ring_desc(&f->r, 2, BUF, 1, 0, 0);
	ring_add(&f->r, 2);
	assert_int_equal(pop(f), 1);
	vq_put(&f->q, f->chain.head, 0);
	assert_true(vq_publish(&f->q));
	assert_int_equal(ring_packed(&f->r)[4].flags, AVAIL | USED);
	expect_used(f, 2, 0);
}

/* The driver sees a batch when its first element is there, and all of it then. */
static void batch_is_shown_at_once(void **state)
{
	struct fix *f = *state;
	uint32_t id, len;

	for (uint16_t i = 0; i < 3; i++) {
		ring_desc(&f->r, i, BUF, 1, 0, 0);
		ring_add(&f->r, i);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(pop(f), 1);
		vq_put(&f->q, f->chain.head, 0);
		assert_false(ring_used(&f->r, &id, &len));
	}
	assert_true(vq_publish(&f->q));
	for (uint16_t i = 0; i < 3; i++)
		expect_used(f, i, 0);
	assert_false(ring_used(&f->r, &id, &len));
}

static void id_is_the_drivers(void **state)
{
	struct fix *f = *state;
	struct vring_packed_desc *d = ring_packed(&f->r);

	/* 2.8.6: of the last descriptor, and any number. */
	d[1] = (struct vring_packed_desc){BUF, 4, 0xbeef, AVAIL};
	d[0] = (struct vring_packed_desc){BUF, 4, 1, AVAIL | VRING_DESC_F_NEXT};
	assert_int_equal(pop(f), 1);
	vq_put(&f->q, f->chain.head, 0);
	vq_publish(&f->q);
	assert_int_equal(d[0].id, 0xbeef);
}

struct want {
	uint16_t id;
	uint32_t len;
};

/* Chains of all lengths, used in any order, given back in between, over many laps of rings of all
 * sizes: what the driver sees is what was done. */
static void model(struct fix *f, uint16_t size, uint32_t seed)
{
	struct vq_chain held[QMAX];
	struct want want[QMAX];
	bool busy[QMAX] = {0};
	unsigned nheld = 0, room = size, nwant = 0, chains = 0;

	start_size(f, size);
	for (unsigned step = 0; step < 3000; step++) {
		unsigned what = rnd(&seed) % 4, n = 1 + rnd(&seed) % MIN(room ? room : 1, 5u);
		uint16_t id = (uint16_t)(rnd(&seed) % size);

		if (what == 0 && room >= n && !busy[id]) { /* the driver adds */
			for (unsigned k = 0; k < n; k++)
				ring_desc(&f->r, (id + k) % size, BUF + id, k ? 1 : 100 + id,
					  k + 1 < n ? VRING_DESC_F_NEXT : 0,
					  (uint16_t)((id + k + 1) % size));
			ring_add(&f->r, id);
			busy[id] = true;
			room -= n;
			chains++;
			assert_int_equal(vq_ready(&f->q) + nheld, chains);
		} else if (what == 1) { /* the device pops */
			if (vq_pop(&f->q, f->vec, 64, &held[nheld]) == 1)
				nheld++;
		} else if (what == 2 && nheld) { /* … uses one of those it has, or not */
			unsigned i = rnd(&seed) % nheld;
			const struct vq_chain c = held[i];

			held[i] = held[--nheld];
			if (rnd(&seed) % 3 == 0) {
				vq_unpop(&f->q, c.head);
				continue;
			}
			/* The first entry says whose chain it is. */
			uint16_t of = (uint16_t)(c.out_len - (c.nout - 1) - 100);

			vq_put(&f->q, c.head, step);
			want[nwant++] = (struct want){of, step};
			chains--;
		} else if (what == 3) { /* … and the driver sees it */
			uint32_t at = 0, len;

			assert_int_equal(vq_publish(&f->q), nwant > 0);
			for (unsigned i = 0; i < nwant; i++) {
				assert_true(ring_used(&f->r, &at, &len));
				assert_int_equal(at, want[i].id);
				assert_int_equal(len, want[i].len);
				busy[at] = false;
				room += f->r.count[at];
			}
			nwant = 0;
			assert_false(ring_used(&f->r, &at, &len));
		}
	}
	assert_false(f->q.broken);
}

static void any_order_any_size(void **state)
{
	struct fix *f = *state;
	static const uint16_t sizes[] = {1, 2, 3, 5, 7, 8, 13, 64, 100, 255, 256};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		for (uint32_t seed = 1; seed < 20; seed++)
			model(f, sizes[i], seed * 77 + i);
}

/* A used element lies where an unused chain was: the chain is still what it was. */
static void given_back_chain_survives(void **state)
{
	struct fix *f = *state;
	struct vq_chain a, b;

	ring_desc(&f->r, 0, BUF, 11, 0, 0);
	ring_desc(&f->r, 1, BUF, 22, 0, 0);
	ring_add(&f->r, 0);
	ring_add(&f->r, 1);
	assert_int_equal(vq_pop(&f->q, f->vec, 64, &a), 1);
	assert_int_equal(vq_pop(&f->q, f->vec, 64, &b), 1);
	vq_put(&f->q, b.head, 0);
	vq_unpop(&f->q, a.head);
	vq_publish(&f->q);
	expect_used(f, 1, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.out_len, 11);
	vq_put(&f->q, f->chain.head, 0);
	vq_publish(&f->q);
	expect_used(f, 0, 0);
}

static void too_many_entries_stay(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < 4; i++)
		ring_desc(&f->r, i, BUF, 8, i < 3 ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
	ring_add(&f->r, 0);
	assert_int_equal(vq_pop(&f->q, f->vec, 3, &f->chain), -ENOBUFS);
	assert_false(f->q.broken);
	assert_int_equal(vq_ready(&f->q), 1);
	assert_int_equal(vq_pop(&f->q, f->vec, 4, &f->chain), 1);
	assert_int_equal(f->chain.nout, 4);
}

/* --- interrupts and kicks ------------------------------------------------------------------- */

static void interrupts_by_flag(void **state)
{
	struct fix *f = *state;
	static const struct {
		uint16_t flags;
		bool event_idx, want;
	} t[] = {
		{VRING_PACKED_EVENT_FLAG_ENABLE, false, true},
		{VRING_PACKED_EVENT_FLAG_DISABLE, false, false},
		{VRING_PACKED_EVENT_FLAG_DESC, false, true}, /* not negotiated */
		{VRING_PACKED_EVENT_FLAG_ENABLE, true, true},
		{VRING_PACKED_EVENT_FLAG_DISABLE, true, false},
		{VRING_PACKED_EVENT_FLAG_DESC, true, false}, /* 5 with wrap 0: never */
		{3, true, true},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		f->c.event_idx = t[i].event_idx;
		start(f);
		ring_area(&f->r, false)[0] = 5;
		ring_area(&f->r, false)[1] = t[i].flags;
		ring_desc(&f->r, 0, BUF, 8, 0, 0);
		ring_add(&f->r, 0);
		assert_int_equal(pop(f), 1);
		vq_put(&f->q, f->chain.head, 0);
		assert_int_equal(vq_publish(&f->q), t[i].want);
	}
}

/* The driver names a descriptor among those in front of it: the interrupt comes with the batch
 * that passes it, and only with that. */
static void event_asks_for_one_interrupt(void **state)
{
	struct fix *f = *state;
	uint32_t seed = 5;

	f->c.event_idx = true;
	for (uint16_t size = 1; size < 12; size++) {
		start_size(f, size);
		for (unsigned i = 0; i < size; i++)
			ring_desc(&f->r, i, BUF, 1, 0, 0);
		for (unsigned lap = 0; lap < 200; lap++) {
			unsigned in = 1 + rnd(&seed) % size, at = rnd(&seed) % in, done = 0;
			uint16_t to = f->r.added;
			bool wrap = f->r.added_wrap;

			ring_step(&f->r, &to, &wrap, at);
			ring_area(&f->r, false)[0] = (uint16_t)(to | wrap << 15);
			ring_area(&f->r, false)[1] = VRING_PACKED_EVENT_FLAG_DESC;
			for (unsigned i = 0; i < in; i++)
				ring_add(&f->r, (uint16_t)((lap + i) % size));
			while (done < in) {
				unsigned n = 1 + rnd(&seed) % (in - done);
				uint32_t id, len;

				for (unsigned i = 0; i < n; i++) {
					assert_int_equal(pop(f), 1);
					vq_put(&f->q, f->chain.head, 0);
				}
				assert_int_equal(vq_publish(&f->q), done <= at && at < done + n);
				for (unsigned i = 0; i < n; i++)
					assert_true(ring_used(&f->r, &id, &len));
				done += n;
			}
		}
	}
}

static void kicks_by_flag(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	vq_kicks_off(&f->q);
	assert_true(ring_no_kicks(&f->r));
	assert_false(vq_kicks_on(&f->q));
	assert_false(ring_no_kicks(&f->r));
	vq_kicks_off(&f->q);
	ring_add(&f->r, 0); /* no kick */
	assert_true(vq_kicks_on(&f->q));
}

/* As a driver decides it (2.8.14): did it pass the descriptor between old and now? */
static bool driver_kicks(struct fix *f, unsigned n)
{
	const uint16_t *area = ring_area(&f->r, true);
	uint16_t event = area[0] & 0x7fff, now = f->r.added, old = (uint16_t)(now - n);

	if (area[1] != VRING_PACKED_EVENT_FLAG_DESC)
		return area[1] == VRING_PACKED_EVENT_FLAG_ENABLE;
	if (area[0] >> 15 != f->r.added_wrap)
		event = (uint16_t)(event - f->r.size);
	return vring_need_event(event, now, old);
}

static void kicks_by_event(void **state)
{
	struct fix *f = *state;

	f->c.event_idx = true;
	start(f);
	/* Nobody asked yet: no kick for the first buffers of a queue that did not say so. */
	vq_kicks_off(&f->q);
	assert_true(ring_no_kicks(&f->r));
	for (unsigned i = 0; i < SIZE; i++)
		ring_desc(&f->r, i, BUF, 8, 0, 0);
	for (unsigned lap = 0; lap < 20; lap++) {
		uint32_t id, len;

		assert_false(vq_kicks_on(&f->q));
		ring_add(&f->r, 0);
		assert_true(driver_kicks(f, 1));
		ring_add(&f->r, 1);
		assert_false(driver_kicks(f, 1));
		assert_true(vq_kicks_on(&f->q));
		/* What is there is not wanted now: the next one is. */
		ring_add(&f->r, 2);
		assert_true(driver_kicks(f, 1));
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(pop(f), 1);
			vq_put(&f->q, f->chain.head, 0);
		}
		vq_publish(&f->q);
		for (unsigned i = 0; i < 3; i++)
			assert_true(ring_used(&f->r, &id, &len));
	}
}

/* Behind chains of several descriptors, and behind a full ring. */
static void event_is_behind_all_chains(void **state)
{
	struct fix *f = *state;

	f->c.event_idx = true;
	start(f);
	ring_desc(&f->r, 0, BUF, 8, VRING_DESC_F_NEXT, 1);
	ring_desc(&f->r, 1, BUF, 8, VRING_DESC_F_NEXT, 2);
	ring_desc(&f->r, 2, BUF, 8, 0, 0);
	ring_add(&f->r, 0);
	assert_true(vq_kicks_on(&f->q));
	assert_int_equal(ring_area(&f->r, true)[0], 3 | 1u << 15);
	ring_add(&f->r, 0);
	ring_add(&f->r, 2);
	assert_true(vq_kicks_on(&f->q));
	assert_int_equal(ring_area(&f->r, true)[0], 0);
	assert_int_equal(vq_ready(&f->q), 3);
}

/* --- indirect descriptors ------------------------------------------------------------------- */

#define TABLE (TMEM_BASE + 0x8000)

static void table_desc(struct fix *f, unsigned i, uint64_t addr, uint32_t len, uint16_t flags)
{
	struct vring_packed_desc *t = mem_ptr(&f->mem, TABLE, 4096);

	t[i] = (struct vring_packed_desc){addr, len, (uint16_t)(999 - i), flags};
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
	/* 2.8.7: one behind the other; of the flags only WRITE counts, the id does not. */
	table_desc(f, 0, BUF, 10, 0);
	table_desc(f, 1, BUF, 5, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT | AVAIL);
	table_desc(f, 2, BUF, 20, VRING_DESC_F_WRITE);
	ring_desc(&f->r, 4, TABLE, 48, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	ring_add(&f->r, 4);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.nout, 2);
	assert_int_equal(f->chain.out_len, 15);
	assert_int_equal(f->chain.in_len, 20);
	vq_put(&f->q, f->chain.head, 20);
	vq_publish(&f->q);
	expect_used(f, 4, 20);
	/* As many as the ring has, not one more. */
	for (unsigned i = 0; i < SIZE + 1; i++)
		table_desc(f, i, BUF, 1, 0);
	ring_desc(&f->r, 1, TABLE, 16 * SIZE, VRING_DESC_F_INDIRECT, 0);
	ring_add(&f->r, 1);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.nout, SIZE);
	ring_desc(&f->r, 2, TABLE, 16 * (SIZE + 1), VRING_DESC_F_INDIRECT, 0);
	ring_add(&f->r, 2);
	expect_broken(f);
}

static void indirect_not_negotiated(void **state)
{
	struct fix *f = *state;

	table_desc(f, 0, BUF, 10, 0);
	ring_desc(&f->r, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void indirect_bad_tables(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags;
	} bad[] = {
		{TABLE, 0, 0},
		{TABLE, 15, 0},
		{TABLE, 17, 0},
		{0, 16, 0},
		{TMEM_BASE + MEM - 16, 32, 0},
		{UINT64_MAX - 15, 32, 0},
		{TABLE, 0xfffffff0, 0},
		{TABLE, 16, VRING_DESC_F_NEXT},
	};
	struct fix *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		with_indirect(f);
		table_desc(f, 0, BUF, 10, 0);
		ring_desc(&f->r, 0, bad[i].addr, bad[i].len, VRING_DESC_F_INDIRECT | bad[i].flags,
			  1);
		ring_desc(&f->r, 1, BUF, 1, 0, 0);
		ring_add(&f->r, 0);
		expect_broken(f);
	}
}

/* --- malformed rings ------------------------------------------------------------------------ */

static void endless_chain(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < SIZE; i++)
		ring_packed(&f->r)[i] =
			(struct vring_packed_desc){BUF, i % 2, 0, AVAIL | VRING_DESC_F_NEXT};
	/* Asking for kicks ends as well. */
	assert_true(vq_kicks_on(&f->q));
	f->q.event_idx = true;
	assert_true(vq_kicks_on(&f->q));
	expect_broken(f);
}

/* What we hold is made available once more: its place turns over without being used. */
static void more_than_the_ring_has(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, BUF, 8, 0, 0);
	for (unsigned i = 0; i < SIZE; i++) {
		ring_add(&f->r, 0);
		assert_int_equal(pop(f), 1);
	}
	assert_int_equal(pop(f), 0);
	assert_false(f->q.broken);
	ring_add(&f->r, 0);
	expect_broken(f);
}

static void last_laps_bits_are_not_available(void **state)
{
	struct fix *f = *state;
	static const uint16_t flags[] = {0, USED, AVAIL | USED};

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		ring_packed(&f->r)[0] = (struct vring_packed_desc){BUF, 8, 0, flags[i]};
		assert_int_equal(pop(f), 0);
		assert_int_equal(vq_ready(&f->q), 0);
	}
	assert_false(f->q.broken);
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

static void restart_mends(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, 0, 8, 0, 0);
	ring_add(&f->r, 0);
	expect_broken(f);
	start(f);
	for (unsigned i = 0; i < 3 * SIZE; i++) {
		ring_desc(&f->r, 0, BUF, 8, 0, 0);
		ring_add(&f->r, 0);
		assert_int_equal(pop(f), 1);
		vq_put(&f->q, f->chain.head, 0);
		vq_publish(&f->q);
		expect_used(f, 0, 0);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(start_checks_areas),
		T(start_needs_init),
		T(stopped_queue_is_empty),
		T(chain_is_described),
		T(batch_is_shown_at_once),
		T(id_is_the_drivers),
		T(any_order_any_size),
		T(given_back_chain_survives),
		T(too_many_entries_stay),
		T(interrupts_by_flag),
		T(event_asks_for_one_interrupt),
		T(kicks_by_flag),
		T(kicks_by_event),
		T(event_is_behind_all_chains),
		T(indirect_chain),
		T(indirect_not_negotiated),
		T(indirect_bad_tables),
		T(endless_chain),
		T(more_than_the_ring_has),
		T(last_laps_bits_are_not_available),
		T(buffer_outside_of_memory),
		T(readable_behind_writable),
		T(chain_of_4_gib),
		T(restart_mends),
	};

	return cmocka_run_group_tests_name("virtqueue_packed", tests, NULL, NULL);
}
