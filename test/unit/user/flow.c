/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table: finding, timers on the wheel, eviction, turns. */
#include "fake.h"

#include <sys/resource.h>

static struct flow_key key(unsigned i)
{
	return (struct flow_key){.gaddr = inet_addr("10.0.2.15"),
				 .raddr = htonl(0xc0000200 + (i >> 16)),
				 .gport = (uint16_t)i,
				 .rport = 1,
				 .proto = IP_ICMP};
}

static void fill(void *arg)
{
	struct fake *k = arg;

	for (unsigned i = 0; i < FLOW_MAX; i++) {
		struct flow_key q = key(i);

		assert_null(flow_find(k->st, &q));
		assert_non_null(flow_new(k->st, FLOW_ICMP, &q));
	}
	for (unsigned i = 0; i < FLOW_MAX; i++) {
		struct flow_key q = key(i);

		assert_non_null(flow_find(k->st, &q));
	}
	assert_int_equal(flow_count(k->st), FLOW_MAX);
	/* Full: the one idle longest goes. */
	struct flow_key q = key(FLOW_MAX), first = key(0);

	assert_non_null(flow_new(k->st, FLOW_ICMP, &q));
	assert_null(flow_find(k->st, &first));
	assert_int_equal(k->st->count.flows_evicted, 1);
}

static void touch_second(void *arg)
{
	struct fake *k = arg;
	struct flow_key q = key(1);

	flow_touch(flow_find(k->st, &q));
}

static void evict_two(void *arg)
{
	struct fake *k = arg;
	struct flow_key a = key(1), b = key(2);

	flow_evict_oldest(k->st);
	assert_non_null(flow_find(k->st, &a));
	assert_null(flow_find(k->st, &b));
}

static void test_full(void **state)
{
	struct fake *k = fake_new("", 0, false);

	(void)state;
	loop_call(k->loop, fill, k);
	fake_step(k, NS_PER_S);
	loop_call(k->loop, touch_second, k);
	loop_call(k->loop, evict_two, k);
	fake_free(k);
}

/* ICMP flows end 30 s after their last use, at whatever time their timer is set to fire. */
struct timed {
	struct fake *k;
	unsigned i;
	uint64_t after;
};

static void make_timed(void *arg)
{
	struct timed *t = arg;
	struct flow_key q = key(t->i);
	struct flow *f = flow_new(t->k->st, FLOW_ICMP, &q);

	f->used -= 3600 * NS_PER_S;
	flow_timer(f, loop_now(t->k->loop) + t->after);
}

static void test_timers(void **state)
{
	static const uint64_t after[] = {1,
					 10 * NS_PER_MS,
					 50 * NS_PER_MS,
					 63 * NS_PER_MS,
					 NS_PER_S,
					 7 * NS_PER_S,
					 120 * NS_PER_S,
					 7200 * NS_PER_S,
					 86400 * NS_PER_S};
	struct fake *k = fake_new("", 0, false);
	uint64_t now = 0;

	(void)state;
	fake_round(k);
	for (unsigned i = ARRAY_SIZE(after); i-- > 0;) {
		struct timed t = {k, i, after[i]};

		loop_call(k->loop, make_timed, &t);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(after); i++) {
		struct flow_key q = key(i);

		/* Not before its time, and at most a few ms after. */
		if (after[i] > now + 1) {
			fake_step(k, after[i] - 1 - now);
			now = after[i] - 1;
		}
		assert_non_null(flow_find(k->st, &q));
		fake_step(k, 3 * NS_PER_MS);
		now += 3 * NS_PER_MS;
		assert_null(flow_find(k->st, &q));
	}
	assert_int_equal(flow_count(k->st), 0);
	fake_free(k);
}

static void rearm(void *arg)
{
	struct timed *t = arg;
	struct flow_key q = key(t->i);

	flow_timer(flow_find(t->k->st, &q), t->after ? loop_now(t->k->loop) + t->after : 0);
}

static void test_rearm(void **state)
{
	struct fake *k = fake_new("", 0, false);
	struct timed t = {k, 1, NS_PER_S};

	(void)state;
	fake_round(k);
	loop_call(k->loop, make_timed, &t);
	t.after = 5 * NS_PER_S;
	loop_call(k->loop, rearm, &t);
	fake_step(k, 4 * NS_PER_S);
	assert_int_equal(flow_count(k->st), 1);
	t.after = 0;
	loop_call(k->loop, rearm, &t);
	fake_step(k, 60 * NS_PER_S);
	assert_int_equal(flow_count(k->st), 1);
	t.after = 1;
	loop_call(k->loop, rearm, &t);
	fake_step(k, 5 * NS_PER_MS);
	assert_int_equal(flow_count(k->st), 0);
	fake_free(k);
}

static long rss_kib(void)
{
	long pages = 0, skip;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &skip, &pages), 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static void make_10000(void *arg)
{
	struct fake *k = arg;

	for (unsigned i = 0; i < 10000; i++) {
		struct flow_key q = key(i);

		flow_timer(flow_new(k->st, FLOW_ICMP, &q), loop_now(k->loop) + i * NS_PER_MS);
	}
}

static void free_all(void *arg)
{
	struct fake *k = arg;

	while (flow_evict_oldest(k->st))
		;
}

static void test_memory(void **state)
{
	struct fake *k = fake_new("", 0, false);
	long before = rss_kib();

	(void)state;
	loop_call(k->loop, make_10000, k);
	assert_in_range(rss_kib() - before, 0, 8192);
	loop_call(k->loop, free_all, k);
	assert_int_equal(flow_count(k->st), 0);
	before = rss_kib();
	/* The same places again. */
	loop_call(k->loop, make_10000, k);
	assert_in_range(rss_kib() - before + 256, 0, 768);
	fake_free(k);
}

static void open_one_more(void *arg)
{
	struct fake *k = arg;
	struct flow_key a = key(1), b = key(2), c = key(3);
	struct flow *f;
	struct rlimit old, none;
	int next, fd;

	/* Oldest first: one without a descriptor, one with, one that is just being opened. */
	assert_non_null(flow_new(k->st, FLOW_ICMP, &a));
	f = flow_new(k->st, FLOW_ICMP, &b);
	assert_non_null(f);
	assert_int_equal(flow_watch(f, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), 0);
	assert_non_null(flow_new(k->st, FLOW_ICMP, &c));
	next = dup(0);
	assert_true(next >= 0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &none);
	fd = stack_socket(k->st, SOCK_DGRAM, 0);
	assert_true(fd >= 0);
	assert_non_null(flow_find(k->st, &a));
	assert_null(flow_find(k->st, &b));
	/* Nobody has one to give: those there are stay, also the one that asks. */
	assert_int_equal(stack_socket(k->st, SOCK_DGRAM, 0), -EMFILE);
	assert_non_null(flow_find(k->st, &a));
	assert_non_null(flow_find(k->st, &c));
	assert_int_equal(k->st->count.flows_evicted, 1);
	setrlimit(RLIMIT_NOFILE, &old);
	close(fd);
}

static void test_descriptors_out(void **state)
{
	struct fake *k = fake_new("", 0, false);

	(void)state;
	loop_call(k->loop, open_one_more, k);
	fake_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_rearm),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_descriptors_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
