/* SPDX-License-Identifier: BSD-2-Clause */
/* Five RARP requests at growing distances, from the port that was moved, and none after a detach.
 */
#include "mock.h"
#include "net/port/announce.h"

#define MAC 0x060504030252ull /* 52:02:03:04:05:06 */

struct wire {
	struct mock nic, net;
	struct clock clock;
	struct loop *loop;
	struct net_announce a;
};

static int set_up(void **state)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct err e = {0};

	mock_init(&w->nic, "nic", NET_CAP_OFFLOADS);
	mock_init(&w->net, "net", NET_CAP_OFFLOADS);
	w->clock.is_virtual = true;
	w->loop = loop_new("test", &w->clock, &e);
	assert_int_equal(net_join(&w->nic.port, &w->net.port, &w->loop, 1, &e), 0);
	assert_int_equal(loop_start(w->loop, &e), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct wire *w = *state;

	loop_park(w->loop);
	net_announce_stop(&w->a);
	loop_unpark(w->loop);
	net_unjoin(&w->nic.port);
	loop_stop(w->loop);
	loop_join(w->loop);
	mock_clear(&w->nic);
	mock_clear(&w->net);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void pass(struct wire *w, unsigned ms)
{
	atomic_fetch_add(&w->clock.now, ms * NS_PER_MS);
	loop_kick(w->loop);
	for (unsigned i = 0; i < 3; i++)
		loop_call(w->loop, nothing, NULL);
}

static void begin(struct wire *w)
{
	loop_park(w->loop);
	net_announce_start(&w->a, &w->nic.port, MAC);
	loop_unpark(w->loop);
	pass(w, 0);
}

static void five_at_growing_distances(void **state)
{
	static const uint8_t head[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 2, 3, 4, 5,
				       6,    0x80, 0x35, 0,    1,    8,	   0,	 6, 4, 0, 3};
	static const unsigned gap[] = {50, 150, 250, 350};
	struct wire *w = *state;

	pass(w, 1000);
	assert_int_equal(w->net.n, 0);
	begin(w);
	for (unsigned i = 0; i < ARRAY_SIZE(gap); i++) {
		assert_int_equal(w->net.n, i + 1);
		pass(w, gap[i] - 1);
		assert_int_equal(w->net.n, i + 1);
		pass(w, 1);
	}
	assert_int_equal(w->net.n, 5);
	assert_int_equal(loop_next_timer(w->loop), UINT64_MAX);
	for (unsigned i = 0; i < 5; i++) {
		const struct rec *r = mock_frame(&w->net, i);

		assert_int_equal(r->len, 60);
		assert_memory_equal(r->b, head, sizeof(head));
		assert_memory_equal(r->b + 22, head + 6, 6);
		assert_memory_equal(r->b + 32, head + 6, 6);
	}
}

/* Other times hold for one start. */
static void times_of_ones_own(void **state)
{
	static const unsigned gap[] = {10, 40, 60, 60};
	struct wire *w = *state;

	w->a.next = (struct net_announce_times){6, 10, 30, 60};
	begin(w);
	for (unsigned i = 0; i < ARRAY_SIZE(gap); i++) {
		pass(w, gap[i] - 1);
		assert_int_equal(w->net.n, i + 1);
		pass(w, 1);
		assert_int_equal(w->net.n, i + 2);
	}
	pass(w, 60);
	assert_int_equal(w->net.n, 6);
	assert_int_equal(loop_next_timer(w->loop), UINT64_MAX);
	begin(w);
	pass(w, 49);
	assert_int_equal(w->net.n, 7);
	pass(w, 1);
	assert_int_equal(w->net.n, 8);
}

static void begins_anew(void **state)
{
	struct wire *w = *state;

	begin(w);
	pass(w, 50);
	assert_int_equal(w->net.n, 2);
	begin(w);
	assert_int_equal(w->net.n, 3);
	for (unsigned i = 0; i < 4; i++)
		pass(w, 350);
	assert_int_equal(w->net.n, 7);
}

static void stops(void **state)
{
	struct wire *w = *state;

	begin(w);
	loop_park(w->loop);
	net_announce_stop(&w->a);
	loop_unpark(w->loop);
	pass(w, 1000);
	assert_int_equal(w->net.n, 1);
}

static void silent_while_the_link_is_down(void **state)
{
	struct wire *w = *state;

	net_set_link(&w->nic.port, false);
	begin(w);
	assert_int_equal(w->net.n, 0);
	assert_int_equal(w->nic.port.stats[0].drops, 0);
	net_set_link(&w->nic.port, true);
	pass(w, 50);
	assert_int_equal(w->net.n, 1);
}

/* A frame of the guest's that is half sent is not cut in two, and a full peer is no hindrance. */
static void peer_without_room(void **state)
{
	struct wire *w = *state;

	w->nic.port.part[0].active = true;
	begin(w);
	assert_int_equal(w->net.n, 0);
	assert_true(w->nic.port.part[0].active);
	w->nic.port.part[0].active = false;
	w->net.room = 0;
	pass(w, 50);
	assert_int_equal(w->net.n, 0);
	w->net.room = MOCK_ALL;
	pass(w, 150);
	assert_int_equal(w->net.n, 1);
}

static void nothing_without_a_wire(void **state)
{
	struct wire *w = *state;

	net_unjoin(&w->nic.port);
	begin(w);
	assert_null(w->a.loop);
	assert_int_equal(loop_next_timer(w->loop), UINT64_MAX);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(five_at_growing_distances),
		T(begins_anew),
		T(stops),
		T(silent_while_the_link_is_down),
		T(peer_without_room),
		T(nothing_without_a_wire),
		T(times_of_ones_own),
	};

	return cmocka_run_group_tests_name("announce", tests, NULL, NULL);
}
