/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Huge pages while the guest runs: which blocks become one, that nothing is lost by it, and that
 * the thread ends when asked. A kernel that cannot (before 6.1, or built without) says ENOTSUP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "accel/gather.h"
#include "base/clock.h"
#include "base/util.h"

#define BLOCKS 8
#define ENOUGH 32 /* pages of a block in use */

struct fixture {
	struct guest_mem mem;
	uint8_t state[BLOCKS];
	bool able; /* the kernel */
};

static int setup(void **state)
{
	static struct fixture f;
	struct err e = {0};

	memset(&f, 0, sizeof(f));
	f.mem.fd = -1;
	/* What has a hole in guest-physical space has none in the file. */
	if (mem_add(&f.mem, 0, 6 * MEM_HUGE, &e) ||
	    mem_add(&f.mem, 64 * MEM_HUGE, 2 * MEM_HUGE, &e))
		return -1;
	memset(f.state, GATHER_TRIES, sizeof(f.state));
	f.mem.r[1].host[0] = 1;
	f.able = mem_collapse(f.mem.r[1].host) == 0;
	if (!f.able)
		print_message("# this kernel cannot make huge pages of a memfd\n");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	mem_free(&f->mem);
	return 0;
}

static void use(struct fixture *f, unsigned block, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		f->mem.r[0].host[block * MEM_HUGE + i * 4096ull] = (uint8_t)(block + i + 1);
}

static unsigned resident(const struct fixture *f, unsigned block)
{
	unsigned char in[512];
	unsigned n = 0;

	assert_int_equal(mincore(f->mem.r[0].host + block * MEM_HUGE, MEM_HUGE, in), 0);
	for (unsigned i = 0; i < 512; i++)
		n += in[i] & 1;
	return n;
}

static void test_blocks(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gather_blocks(&f->mem), BLOCKS);
	use(f, 1, ENOUGH - 1);
	use(f, 3, ENOUGH);
	use(f, 5, 512);
	if (!f->able) {
		assert_true(gather_pass(&f->mem, f->state) < 0);
		return;
	}
	/* The second region's first block is huge already. */
	assert_int_equal(gather_pass(&f->mem, f->state), 3);
	assert_int_equal(gather_pass(&f->mem, f->state), 0);
	assert_int_equal(resident(f, 0), 0);
	assert_int_equal(resident(f, 1), ENOUGH - 1);
	assert_int_equal(resident(f, 3), 512);
	assert_int_equal(f->state[3], 0);
	assert_int_equal(f->state[1], GATHER_TRIES);
	use(f, 1, ENOUGH);
	assert_int_equal(gather_pass(&f->mem, f->state), 1);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(f->mem.r[0].host[3 * MEM_HUGE + i * 4096ull],
				 i < ENOUGH ? 4 + i : 0);
}

/* Guests with odd sizes or places have blocks that are none of the host's. */
static void test_odd(void **state)
{
	struct guest_mem m = {.fd = -1};
	uint8_t tries[4] = {GATHER_TRIES, GATHER_TRIES, GATHER_TRIES, GATHER_TRIES};
	struct err e = {0};

	(void)state;
	assert_int_equal(gather_blocks(&m), 0);
	assert_int_equal(gather_pass(&m, tries), 0);
	assert_int_equal(mem_add(&m, 0, MEM_HUGE / 2, &e), 0);
	memset(m.r[0].host, 1, MEM_HUGE / 2);
	assert_int_equal(gather_blocks(&m), 0);
	assert_int_equal(gather_pass(&m, tries), 0);
	/* Its pages do not begin at a block of the file. */
	assert_int_equal(mem_add(&m, 16 * MEM_HUGE, 2 * MEM_HUGE, &e), 0);
	memset(m.r[1].host, 1, 2 * MEM_HUGE);
	assert_int_equal(gather_pass(&m, tries), 0);
	mem_free(&m);
}

static void nap_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

static void test_thread(void **state)
{
	struct fixture *f = *state;
	struct gather g = {0};
	struct err e = {0};

	gather_stop(&g); /* never started */
	assert_int_equal(gather_start(&g, &f->mem, &e), 0);
	use(f, 2, ENOUGH);
	for (int i = 0; f->able && i < 500 && resident(f, 2) < 512; i++)
		nap_ms(10);
	assert_int_equal(resident(f, 2), f->able ? 512 : ENOUGH);
	gather_poke(&g);
	gather_stop(&g);
	gather_stop(&g);
	/* Asleep, it ends as well; and it is woken by nothing but a poke. */
	assert_int_equal(gather_start(&g, &f->mem, &e), 0);
	for (int i = 0; f->able && i < 1000 && !atomic_load(&g.asleep); i++)
		nap_ms(10);
	assert_int_equal(atomic_load(&g.asleep), f->able);
	/* A guest that leaves all the time is not looked at all the time. */
	unsigned looks = atomic_load(&g.looks);
	uint64_t begin = clock_now(NULL);

	for (int i = 0; i < 300; i++) {
		gather_poke(&g);
		nap_ms(1);
	}
	/* One a second, however long the loop took on this machine. */
	assert_in_range(atomic_load(&g.looks) - looks, f->able,
			2 + (clock_now(NULL) - begin) / NS_PER_S);
	for (int i = 0; f->able && i < 500 && !atomic_load(&g.asleep); i++)
		nap_ms(10);
	use(f, 4, ENOUGH);
	nap_ms(50);
	assert_int_equal(resident(f, 4), ENOUGH);
	gather_poke(&g);
	for (int i = 0; f->able && i < 500 && resident(f, 4) < 512; i++)
		nap_ms(10);
	assert_int_equal(resident(f, 4), f->able ? 512 : ENOUGH);
	gather_stop(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
		cmocka_unit_test(test_odd),
		cmocka_unit_test_setup_teardown(test_thread, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
