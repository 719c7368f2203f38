/* SPDX-License-Identifier: BSD-2-Clause */
/* Joining, pushing, lending, links and statistics of a plain wire. */
#include "mock.h"

struct wire {
	struct mock a, b;
	struct loop *loop;
};

static int set_up(void **state)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct err e = {0};

	mock_init(&w->a, "a", NET_CAP_OFFLOADS);
	mock_init(&w->b, "b", NET_CAP_OFFLOADS);
	w->loop = loop_new("test", NULL, &e);
	assert_non_null(w->loop);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct wire *w = *state;

	net_unjoin(&w->a.port);
	assert_int_equal(w->a.attached + w->b.attached, 0);
	mock_clear(&w->a);
	mock_clear(&w->b);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void join(struct wire *w)
{
	struct err e = {0};

	assert_int_equal(net_join(&w->a.port, &w->b.port, &w->loop, 1, &e), 0);
}

static void join_sets_the_wire(void **state)
{
	struct wire *w = *state;
	struct loop *loops[4] = {w->loop, w->loop, w->loop, w->loop};
	struct err e = {0};

	w->a.caps.queues = 8;
	w->b.caps.queues = 3;
	w->b.caps.offloads = NET_CAP_CSUM;
	assert_int_equal(net_join(&w->a.port, &w->b.port, loops, 4, &e), 0);
	assert_int_equal(w->a.port.nqueues, 3);
	assert_int_equal(w->b.port.nqueues, 3);
	assert_ptr_equal(w->a.port.peer, &w->b.port);
	assert_ptr_equal(w->b.port.peer, &w->a.port);
	assert_ptr_equal(w->a.port.loop[2], w->loop);
	assert_null(w->a.port.loop[3]);
	assert_int_equal(w->a.port.peer_caps.offloads, NET_CAP_CSUM);
	assert_int_equal(w->b.port.peer_caps.offloads, NET_CAP_OFFLOADS);
	assert_int_equal(net_join(&w->a.port, &w->b.port, loops, 4, &e), -EBUSY);
	net_unjoin(&w->b.port);
	assert_null(w->a.port.peer);
	assert_null(w->b.port.peer);
}

static void join_fails_clean(void **state)
{
	struct wire *w = *state;
	struct err e = {0};

	w->b.fail_attach = true;
	assert_int_equal(net_join(&w->a.port, &w->b.port, &w->loop, 1, &e), -EIO);
	assert_null(w->a.port.peer);
	assert_null(w->b.port.peer);
	assert_int_equal(w->a.attached, 0);
	assert_string_equal(e.text, "attach fails as told");
	w->b.fail_attach = false;
	w->a.fail_attach = true;
	assert_int_equal(net_join(&w->a.port, &w->b.port, &w->loop, 1, &e), -EIO);
	assert_int_equal(w->b.attached, 0);
}

static void push_counts(void **state)
{
	struct wire *w = *state;
	struct batch t;

	join(w);
	batch_fill(&t, 10, 0);
	assert_int_equal(net_push(&w->a.port, 0, t.f, 10), 10);
	assert_int_equal(w->b.n, 10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(rec_number(mock_frame(&w->b, i)), i);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_frames), 10);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_bytes), 600);
	assert_int_equal(stat_get(&w->b.port.stats[0].rx_frames), 10);
	assert_int_equal(stat_get(&w->b.port.stats[0].rx_bytes), 600);
	assert_int_equal(net_push(&w->a.port, 0, t.f, 0), 0);
}

static void push_takes_a_prefix(void **state)
{
	struct wire *w = *state;
	struct batch t;

	join(w);
	w->b.room = 3;
	batch_fill(&t, 10, 0);
	assert_int_equal(net_push(&w->a.port, 0, t.f, 10), 3);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_stalls), 1);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_bytes), 180);
	net_resume(&w->b.port, 0);
	assert_int_equal(w->a.resumed, 1);
	w->b.room = MOCK_ALL;
	assert_int_equal(net_push(&w->a.port, 0, t.f + 3, 7), 7);
	assert_int_equal(rec_number(mock_frame(&w->b, 9)), 9);
	assert_int_equal(stat_get(&w->a.port.stats[0].drops), 0);
}

static void unjoined_and_down_drop(void **state)
{
	struct wire *w = *state;
	struct batch t;

	batch_fill(&t, 4, 0);
	assert_int_equal(net_push(&w->a.port, 0, t.f, 4), 4);
	assert_int_equal(stat_get(&w->a.port.stats[0].drops), 4);
	assert_string_equal(atomic_load(&w->a.port.last_drop), "not joined");
	join(w);
	net_set_link(&w->b.port, false);
	assert_int_equal(w->a.link_told + w->b.link_told, 2);
	net_set_link(&w->a.port, false); /* makes no difference to the wire */
	assert_int_equal(w->a.link_told + w->b.link_told, 2);
	assert_int_equal(net_push(&w->a.port, 0, t.f, 4), 4);
	assert_int_equal(net_push(&w->b.port, 0, t.f, 4), 4);
	assert_string_equal(atomic_load(&w->a.port.last_drop), "link down");
	assert_int_equal(w->a.n + w->b.n, 0);
	net_set_link(&w->a.port, true);
	net_set_link(&w->b.port, true);
	assert_int_equal(w->a.link_told + w->b.link_told, 4);
	assert_int_equal(net_push(&w->a.port, 0, t.f, 4), 4);
	assert_int_equal(w->b.n, 4);
}

static void caps_change_is_told(void **state)
{
	struct wire *w = *state;

	join(w);
	w->b.caps.offloads = NET_CAP_TSO4;
	net_caps_changed(&w->b.port);
	assert_int_equal(w->a.port.peer_caps.offloads, NET_CAP_TSO4);
	assert_int_equal(w->a.caps_told, 1);
	assert_int_equal(w->b.caps_told, 0);
}

static void lend_and_commit(void **state)
{
	struct wire *w = *state;
	struct net_slot s[8];

	w->b.caps.lends = true;
	join(w);
	assert_true(net_may_lend(&w->a.port, 0));
	assert_false(net_may_lend(&w->b.port, 0));
	assert_int_equal(net_lend(&w->b.port, 0, 100, s, 8), 0);
	assert_int_equal(net_lend(&w->a.port, 0, 100, s, 8), 8);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t b[90];

		memset(b, (int)i, sizeof(b));
		iov_write(s[i].f.vec + 1, s[i].f.nvec - 1, 0, b, sizeof(b));
		s[i].f.len = i < 5 ? sizeof(b) : 0;
	}
	net_commit(&w->a.port, 0, s, 8);
	assert_int_equal(w->b.n, 5);
	assert_int_equal(w->b.given_back, 3);
	assert_int_equal(mock_frame(&w->b, 4)->b[89], 4);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_frames), 5);
	assert_int_equal(stat_get(&w->b.port.stats[0].rx_bytes), 450);
	net_set_link(&w->a.port, false);
	assert_false(net_may_lend(&w->a.port, 0));
	assert_int_equal(net_lend(&w->a.port, 0, 100, s, 8), 0);
}

/* The peer lost its offloads after frames were read into its buffers. */
static void commit_mends(void **state)
{
	struct wire *w = *state;
	struct net_slot s[4];

	w->b.caps.lends = true;
	w->b.caps.offloads = 0;
	join(w);
	assert_int_equal(net_lend(&w->a.port, 0, 100, s, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t b[100] = {0};

		memset(b, (int)i + 1, 60);
		b[40] = b[41] = 0;
		iov_write(s[i].f.vec + 1, s[i].f.nvec - 1, 0, b, sizeof(b));
		s[i].f.len = 100 - i;
		s[i].f.off = (struct net_offload){
			.flags = NET_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	}
	s[1].f.off.gso_type = NET_GSO_TCPV4;
	s[2].f.off.csum_start = 98; /* beyond the end */
	net_commit(&w->a.port, 0, s, 4);
	assert_int_equal(w->b.n, 2);
	assert_int_equal(mock_frame(&w->b, 0)->len, 100);
	assert_int_equal(mock_frame(&w->b, 1)->len, 97);
	assert_int_equal(mock_frame(&w->b, 1)->b[0], 4);
	assert_int_equal(mock_frame(&w->b, 1)->off.flags, 0);
	/* 0x0101 in bytes 34 to 59 but for the field itself: 12 words. */
	assert_int_equal(get_be16(mock_frame(&w->b, 0)->b + 40), 0xffff - 12 * 0x0101);
	assert_int_equal(stat_get(&w->a.port.stats[0].drops), 2);
	assert_int_equal(stat_get(&w->a.port.stats[0].tx_frames), 2);
}

static void vhost_is_shown_unless_watched(void **state)
{
	struct wire *w = *state;
	struct net_vhost *v = (void *)w; /* nobody looks into it */
	unsigned told;

	w->b.caps.vhost = v;
	join(w);
	assert_ptr_equal(w->a.port.peer_caps.vhost, v);
	for (unsigned i = 0; i < 2; i++) {
		struct net_port *p = i ? &w->a.port : &w->b.port;

		told = w->a.caps_told;
		net_watch(p, true);
		assert_null(w->a.port.peer_caps.vhost);
		assert_int_not_equal(w->a.caps_told, told);
		/* Two look; and other changes do not bring it back. */
		net_watch(p, true);
		net_caps_changed(&w->b.port);
		net_watch(p, false);
		assert_null(w->a.port.peer_caps.vhost);
		told = w->a.caps_told;
		net_watch(p, false);
		assert_ptr_equal(w->a.port.peer_caps.vhost, v);
		assert_int_not_equal(w->a.caps_told, told);
	}
	/* Already watched when it is joined. */
	net_unjoin(&w->a.port);
	net_watch(&w->a.port, true);
	join(w);
	assert_null(w->a.port.peer_caps.vhost);
	net_watch(&w->a.port, false);
	assert_ptr_equal(w->a.port.peer_caps.vhost, v);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(join_sets_the_wire),	T(join_fails_clean),	   T(push_counts),
		T(push_takes_a_prefix), T(unjoined_and_down_drop), T(caps_change_is_told),
		T(lend_and_commit),	T(commit_mends),	   T(vhost_is_shown_unless_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
