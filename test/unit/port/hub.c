/* SPDX-License-Identifier: BSD-2-Clause */
/* The hub: copies, back pressure without duplicates, bounded stalls, lending between two. */
#include "mock.h"

#include <unistd.h>

#include "net/port/hub.h"

#define MEMBERS 4

struct rig {
	struct clock clock;
	struct loop *loop;
	struct hub *hub;
	struct mock m[MEMBERS];
	unsigned members;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err e = {0};

	r->clock.is_virtual = true;
	r->loop = loop_new("hub", &r->clock, &e);
	r->hub = hub_new(3, r->loop, &e);
	assert_non_null(r->hub);
	for (unsigned i = 0; i < MEMBERS; i++)
		mock_init(&r->m[i], "member", NET_CAP_OFFLOADS);
	*state = r;
	return 0;
}

static void plug(struct rig *r, unsigned n)
{
	struct err e = {0};

	while (r->members < n)
		assert_int_equal(hub_plug(r->hub, &r->m[r->members++].port, NULL, &e), 0);
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	hub_free(r->hub);
	loop_stop(r->loop);
	loop_join(r->loop);
	loop_free(r->loop);
	for (unsigned i = 0; i < MEMBERS; i++) {
		assert_int_equal(r->m[i].attached, 0);
		mock_clear(&r->m[i]);
	}
	free(r);
	return 0;
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Lets the running loop do what is due after `ms` of its (virtual) time. */
static void pass(struct rig *r, unsigned ms)
{
	atomic_fetch_add(&r->clock.now, ms * NS_PER_MS);
	loop_kick(r->loop);
	for (int i = 0; i < 3; i++) /* each call ends a round */
		loop_call(r->loop, nothing, NULL);
}

static void run(struct rig *r)
{
	struct err e = {0};

	assert_int_equal(loop_start(r->loop, &e), 0);
	pass(r, 0); /* what plugging in has put off */
}

static unsigned send(struct rig *r, unsigned from, uint32_t number, unsigned n)
{
	struct batch t;
	unsigned taken;

	batch_fill(&t, n, number);
	loop_park(r->loop);
	taken = net_push(&r->m[from].port, 0, t.f, n);
	loop_unpark(r->loop);
	return taken;
}

static void check_numbers(const struct mock *m, uint32_t first, unsigned n)
{
	assert_int_equal(m->n, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rec_number(mock_frame(m, i)), first + i);
}

static void all_others_get_it(void **state)
{
	struct rig *r = *state;

	plug(r, 4);
	assert_int_equal(send(r, 1, 0, 30), 30);
	check_numbers(&r->m[0], 0, 30);
	assert_int_equal(r->m[1].n, 0);
	check_numbers(&r->m[2], 0, 30);
	check_numbers(&r->m[3], 0, 30);
}

static void alone_frames_are_dropped(void **state)
{
	struct rig *r = *state;

	plug(r, 1);
	assert_int_equal(send(r, 0, 0, 5), 5);
	assert_int_equal(stat_get(&r->m[0].port.peer->stats[0].drops), 5);
}

static void caps_are_what_all_others_take(void **state)
{
	struct rig *r = *state;

	r->m[1].caps.offloads = NET_CAP_CSUM | NET_CAP_TSO4;
	r->m[2].caps.offloads = NET_CAP_CSUM | NET_CAP_TSO6;
	r->m[2].caps.mtu = 1400;
	plug(r, 2);
	assert_int_equal(r->m[0].port.peer_caps.offloads, NET_CAP_CSUM | NET_CAP_TSO4);
	assert_int_equal(r->m[1].port.peer_caps.offloads, NET_CAP_OFFLOADS);
	plug(r, 3);
	assert_int_equal(r->m[0].port.peer_caps.offloads, NET_CAP_CSUM);
	assert_int_equal(r->m[0].port.peer_caps.mtu, 1400);
	assert_int_equal(r->m[1].port.peer_caps.offloads, NET_CAP_CSUM | NET_CAP_TSO6);
	assert_int_equal(r->m[2].port.peer_caps.mtu, 0);
	r->m[1].caps.offloads = NET_CAP_OFFLOADS;
	net_caps_changed(&r->m[1].port);
	assert_int_equal(r->m[0].port.peer_caps.offloads, NET_CAP_CSUM | NET_CAP_TSO6);
	assert_true(r->m[0].caps_told > 0);
	net_unjoin(&r->m[2].port);
	assert_int_equal(r->m[0].port.peer_caps.offloads, NET_CAP_OFFLOADS);
	assert_int_equal(r->m[0].port.peer_caps.mtu, 0);
}

static void two_members_lend(void **state)
{
	struct rig *r = *state;
	struct net_slot s[4];

	r->m[1].caps.lends = true;
	plug(r, 2);
	assert_true(net_may_lend(&r->m[0].port, 0));
	assert_false(net_may_lend(&r->m[1].port, 0));
	assert_int_equal(net_lend(&r->m[0].port, 0, 60, s, 4), 4);
	s[0].f.len = 60;
	s[1].f.len = s[2].f.len = s[3].f.len = 0;
	net_commit(&r->m[0].port, 0, s, 4);
	assert_int_equal(r->m[1].n, 1);
	assert_int_equal(r->m[1].given_back, 3);
	/* A link that is down takes frames away, it does not stall. */
	net_set_link(&r->m[1].port, false);
	assert_false(net_may_lend(&r->m[0].port, 0));
	assert_int_equal(send(r, 0, 0, 5), 5);
	net_set_link(&r->m[1].port, true);
	assert_true(net_may_lend(&r->m[0].port, 0));
}

/* Out of lent buffers; then a third member comes, and nobody will lend again: tell the waiter. */
static void lending_ends_with_the_third(void **state)
{
	struct rig *r = *state;
	struct net_slot s[4];
	unsigned resumed;

	r->m[1].caps.lends = true;
	r->m[1].slots = 0;
	plug(r, 2);
	run(r);
	loop_park(r->loop);
	assert_int_equal(net_lend(&r->m[0].port, 0, 60, s, 4), 0);
	loop_unpark(r->loop);
	resumed = r->m[0].resumed;
	plug(r, 3);
	pass(r, 0);
	assert_true(r->m[0].resumed > resumed);
	assert_false(net_may_lend(&r->m[0].port, 0));
	assert_int_equal(send(r, 0, 0, 3), 3);
	check_numbers(&r->m[2], 0, 3);
	loop_park(r->loop);
	net_unjoin(&r->m[2].port);
	loop_unpark(r->loop);
	assert_true(net_may_lend(&r->m[0].port, 0));
}

static void a_stall_gives_nobody_a_frame_twice(void **state)
{
	struct rig *r = *state;
	uint32_t next = 0;

	plug(r, 4);
	for (unsigned turn = 0; next < 500; turn++) {
		unsigned n = 1 + turn % 13;

		assert_true(turn < 5000);
		r->m[1].room = turn % 5;
		r->m[2].room = turn * 7 % 11;
		r->m[3].room = turn % 3;
		next += send(r, 0, next, n);
	}
	for (unsigned i = 1; i < 4; i++) {
		r->m[i].room = MOCK_ALL;
		net_resume(&r->m[i].port, 0);
	}
	assert_int_equal(send(r, 0, next, 20), 20);
	for (unsigned i = 1; i < 4; i++)
		check_numbers(&r->m[i], 0, next + 20);
}

static void two_senders_stall_apart(void **state)
{
	struct rig *r = *state;

	plug(r, 3);
	r->m[2].room = 3;
	assert_int_equal(send(r, 0, 0, 10), 3);
	assert_int_equal(send(r, 1, 100, 10), 0);
	assert_int_equal(r->m[1].n, 10); /* it was asked first */
	r->m[2].room = MOCK_ALL;
	net_resume(&r->m[2].port, 0);
	assert_int_equal(r->m[0].resumed, 1);
	assert_int_equal(r->m[1].resumed, 1);
	assert_int_equal(send(r, 0, 3, 7), 7);
	assert_int_equal(send(r, 1, 100, 10), 10);
	check_numbers(&r->m[1], 0, 10);
	check_numbers(&r->m[0], 100, 10);
	assert_int_equal(r->m[2].n, 20);
}

/* A sender that was reset offers other frames: they go to everybody. */
static void a_reset_sender_starts_anew(void **state)
{
	struct rig *r = *state;

	plug(r, 3);
	r->m[2].room = 0;
	assert_int_equal(send(r, 0, 0, 5), 0);
	check_numbers(&r->m[1], 0, 5);
	mock_clear(&r->m[1]);
	r->m[2].room = MOCK_ALL;
	assert_int_equal(send(r, 0, 900, 5), 5);
	check_numbers(&r->m[1], 900, 5);
	check_numbers(&r->m[2], 900, 5);
}

static void a_dead_member_is_cut_off(void **state)
{
	struct rig *r = *state;
	struct net_port *end;

	plug(r, 3);
	end = r->m[2].port.peer;
	run(r);
	r->m[2].room = 0;
	assert_int_equal(send(r, 0, 0, 5), 0);
	pass(r, 20);
	assert_int_equal(r->m[0].resumed, 0);
	assert_int_equal(send(r, 0, 0, 5), 0); /* asking again does not prolong it */
	pass(r, 40);
	assert_int_equal(r->m[0].resumed, 1);
	assert_int_equal(send(r, 0, 0, 5), 5);
	assert_int_equal(send(r, 0, 5, 5), 5);
	check_numbers(&r->m[1], 0, 10);
	assert_int_equal(stat_get(&end->stats[0].drops), 10);
	/* It wakes up: from now on it may stall the others again. */
	r->m[2].room = 2;
	loop_park(r->loop);
	net_resume(&r->m[2].port, 0);
	loop_unpark(r->loop);
	assert_int_equal(send(r, 0, 10, 5), 2);
	check_numbers(&r->m[2], 10, 2);
}

static void the_stalling_member_goes(void **state)
{
	struct rig *r = *state;

	plug(r, 3);
	run(r);
	r->m[2].room = 0;
	assert_int_equal(send(r, 0, 0, 5), 0);
	net_unjoin(&r->m[2].port);
	pass(r, 0);
	assert_int_equal(r->m[0].resumed, 1);
	assert_int_equal(send(r, 0, 0, 5), 5);
	check_numbers(&r->m[1], 0, 5);
	pass(r, 100);
	assert_int_equal(send(r, 0, 5, 5), 5);
	check_numbers(&r->m[1], 0, 10);
}

static void large_frames_are_cut_for_those_who_need_it(void **state)
{
	struct rig *r = *state;
	uint8_t b[54 + 3000] = {0};
	struct iovec vec[2];
	struct net_frame f = frame_over(vec, b, sizeof(b), 0);

	plug(r, 3);
	put_be16(b + 12, 0x0800);
	b[14] = 0x45;
	b[23] = 6;
	b[46] = 5 << 4;
	f.off = (struct net_offload){.flags = 1,
				     .gso_type = NET_GSO_TCPV4,
				     .gso_size = 1000,
				     .csum_start = 34,
				     .csum_offset = 16};
	/* Between the change and the sender's next look. */
	r->m[2].caps.offloads = 0;
	r->m[2].port.peer->peer_caps.offloads = 0;
	r->m[2].room = 2;
	assert_int_equal(net_push(&r->m[0].port, 0, &f, 1), 0);
	r->m[2].room = 2;
	assert_int_equal(net_push(&r->m[0].port, 0, &f, 1), 1);
	assert_int_equal(r->m[1].n, 1);
	assert_int_equal(r->m[2].n, 3);
}

static void hubs_in_a_ring(void **state)
{
	struct rig *r = *state;
	struct err e = {0};
	struct hub *other = hub_new(4, r->loop, &e);

	plug(r, 2);
	for (int i = 0; i < 2; i++) {
		struct net_port *end = hub_end(r->hub, NULL, &e);

		assert_int_equal(hub_plug(other, end, NULL, &e), 0);
	}
	assert_int_equal(send(r, 0, 0, 1), 1);
	assert_true(r->m[1].n < 100);
	hub_free(other);
}

static void full(void **state)
{
	struct rig *r = *state;
	struct err e = {0};

	for (int i = 0; i < 32; i++)
		assert_non_null(hub_end(r->hub, NULL, &e));
	assert_null(hub_end(r->hub, NULL, &e));
	assert_string_equal(e.text, "hub 3 is full: 32 members, at most");
	assert_int_equal(hub_plug(r->hub, &r->m[0].port, NULL, &e), -ENOSPC);
}

static void count_end(struct net_port *end, void *arg)
{
	char buf[32];

	end->ops->info(end, buf, sizeof(buf));
	assert_string_equal(buf, "hub=3");
	(*(unsigned *)arg)++;
}

/* The kernel may carry frames between two members, not among three (T9). */
static void vhost_between_two(void **state)
{
	struct rig *r = *state;
	struct net_vhost *v = (void *)r; /* nobody looks into it */
	struct net_caps *nic = &r->m[0].port.peer_caps, *tap = &r->m[1].port.peer_caps;

	r->m[0].caps.vnet_hdr = 10;
	r->m[1].caps.vhost = v;
	plug(r, 1);
	assert_null(nic->vhost);
	plug(r, 2);
	assert_ptr_equal(nic->vhost, v);
	assert_int_equal(tap->vnet_hdr, 10);
	assert_null(tap->vhost);
	r->m[0].caps.vnet_hdr = 12;
	net_caps_changed(&r->m[0].port);
	assert_int_equal(tap->vnet_hdr, 12);
	/* Down at either end, watched at either end. */
	for (unsigned i = 0; i < 2; i++) {
		net_set_link(&r->m[i].port, false);
		assert_null(nic->vhost);
		net_set_link(&r->m[i].port, true);
		assert_ptr_equal(nic->vhost, v);
		net_watch(&r->m[i].port, true);
		assert_null(nic->vhost);
		net_watch(&r->m[i].port, false);
		assert_ptr_equal(nic->vhost, v);
	}
	plug(r, 3);
	assert_null(nic->vhost);
	assert_int_equal(tap->vnet_hdr, 0);
	net_unjoin(&r->m[2].port);
	assert_ptr_equal(nic->vhost, v);
	assert_int_equal(tap->vnet_hdr, 12);
	net_unjoin(&r->m[1].port);
	assert_null(nic->vhost);
}

static void replug_to_and_from(void **state)
{
	struct rig *r = *state;
	struct net_port *end, *old;
	struct mock alone;
	struct err e = {0};
	unsigned n = 0;

	r->m[1].caps.lends = true;
	plug(r, 2);
	mock_init(&alone, "alone", 0);
	mock_init(&r->m[3], "nic", 0);
	assert_int_equal(net_join(&r->m[3].port, &alone.port, &r->loop, 1, &e), 0);
	end = hub_end(r->hub, "third", &e);
	assert_int_equal(net_replug(&r->m[3].port, end, &old, &e), 0);
	assert_ptr_equal(old, &alone.port);
	assert_false(net_may_lend(&r->m[0].port, 0));
	assert_int_equal(send(r, 3, 0, 2), 2);
	check_numbers(&r->m[0], 0, 2);
	hub_for_each(r->hub, count_end, &n);
	assert_int_equal(n, 3);
	assert_int_equal(net_replug(&r->m[3].port, &alone.port, &old, &e), 0);
	assert_ptr_equal(old, end);
	assert_true(net_may_lend(&r->m[0].port, 0));
	net_unjoin(&alone.port);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(all_others_get_it),
		T(alone_frames_are_dropped),
		T(caps_are_what_all_others_take),
		T(two_members_lend),
		T(lending_ends_with_the_third),
		T(a_stall_gives_nobody_a_frame_twice),
		T(two_senders_stall_apart),
		T(a_reset_sender_starts_anew),
		T(a_dead_member_is_cut_off),
		T(the_stalling_member_goes),
		T(large_frames_are_cut_for_those_who_need_it),
		T(hubs_in_a_ring),
		T(full),
		T(replug_to_and_from),
		T(vhost_between_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
