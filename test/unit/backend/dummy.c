/* SPDX-License-Identifier: BSD-2-Clause */
/* The dummy: counts, echoes, loses what it is told to lose. */
#include "../port/mock.h"

#include "net/backend/backend.h"
#include "net/backend/dummy.h"

extern const struct net_backend net_backend_dummy;

struct rig {
	struct loop *loop;
	struct mock nic;
	struct net_port *d;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err e = {0};

	mock_init(&r->nic, "nic", NET_CAP_OFFLOADS);
	r->loop = loop_new("dummy", NULL, &e);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	net_unjoin(r->d);
	r->d->ops->destroy(r->d);
	loop_free(r->loop);
	mock_clear(&r->nic);
	free(r);
	return 0;
}

static void open_it(struct rig *r, const char *text)
{
	struct {
		uint64_t room[4];
	} o;
	struct err e = {0};

	assert_true(net_backend_dummy.opts->size <= sizeof(o));
	assert_int_equal(opt_parse(net_backend_dummy.opts, "-netdev dummy", text, &o, &e), 0);
	assert_int_equal(net_backend_dummy.open(&o, "d0", &r->d, &e), 0);
	opt_free(net_backend_dummy.opts, &o);
	assert_int_equal(net_join(&r->nic.port, r->d, &r->loop, 1, &e), 0);
}

static void counts(void **state)
{
	struct rig *r = *state;
	struct batch t;

	open_it(r, "");
	batch_fill(&t, 64, 0);
	assert_int_equal(net_push(&r->nic.port, 0, t.f, 64), 64);
	assert_int_equal(stat_get(&r->d->stats[0].rx_frames), 64);
	assert_int_equal(r->nic.n, 0);
}

static void echoes(void **state)
{
	struct rig *r = *state;
	uint8_t b[100];
	struct iovec vec[NET_VEC_MAX];
	struct net_frame f;
	const struct rec *back;

	open_it(r, "echo=on");
	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)i;
	put_be16(b + 12, 0x0800);
	f = frame_over(vec, b, sizeof(b), 7);
	f.off.flags = NET_F_DATA_VALID;
	assert_int_equal(net_push(&r->nic.port, 0, &f, 1), 1);
	back = mock_frame(&r->nic, 0);
	assert_int_equal(back->len, sizeof(b));
	assert_int_equal(back->off.flags, NET_F_DATA_VALID);
	assert_memory_equal(back->b, b + 6, 6);
	assert_memory_equal(back->b + 6, b, 6);
	assert_memory_equal(back->b + 26, b + 30, 4);
	assert_memory_equal(back->b + 30, b + 26, 4);
	assert_memory_equal(back->b + 34, b + 34, sizeof(b) - 34);
	assert_int_equal(b[0], 0); /* the sender's memory is untouched */
}

static void echoes_in_order_and_loses_as_told(void **state)
{
	struct rig *r = *state;
	struct batch t;

	open_it(r, "echo=on,drop=10");
	batch_fill(&t, 64, 0);
	assert_int_equal(net_push(&r->nic.port, 0, t.f, 64), 64);
	assert_int_equal(r->nic.n, 58);
	for (unsigned i = 0, want = 0; i < 58; i++, want++) {
		if (want % 10 == 9)
			want++;
		assert_int_equal(rec_number(mock_frame(&r->nic, i)), want);
	}
	assert_int_equal(stat_get(&r->d->stats[0].drops), 6);
	/* No room for the echo: lost, not kept. */
	r->nic.room = 0;
	assert_int_equal(net_push(&r->nic.port, 0, t.f, 5), 5);
	assert_int_equal(stat_get(&r->d->stats[0].drops), 11);
}

static void two_echoing_ends(void **state)
{
	struct rig *r = *state;
	const struct dummy_conf c = {.echo = true};
	struct net_port *other = dummy_new(&c, "other");
	struct err e = {0};
	struct batch t;

	open_it(r, "echo=on");
	net_unjoin(r->d);
	assert_int_equal(net_join(other, r->d, &r->loop, 1, &e), 0);
	batch_fill(&t, 3, 0);
	assert_int_equal(net_push(other, 0, t.f, 3), 3);
	assert_int_equal(stat_get(&r->d->stats[0].drops), 3);
	net_unjoin(other);
	other->ops->destroy(other);
}

static void room(void **state)
{
	struct rig *r = *state;
	struct batch t;

	open_it(r, "");
	batch_fill(&t, 10, 0);
	dummy_set_room(r->d, 0, 4);
	assert_int_equal(r->nic.resumed, 1);
	assert_int_equal(net_push(&r->nic.port, 0, t.f, 10), 4);
	assert_int_equal(net_push(&r->nic.port, 0, t.f, 10), 0);
	dummy_set_room(r->d, 0, DUMMY_ALL);
	assert_int_equal(r->nic.resumed, 2);
	assert_int_equal(net_push(&r->nic.port, 0, t.f, 10), 10);
	net_resume(&r->nic.port, 0);
	assert_int_equal(dummy_resumed(r->d, 0), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(counts),	     T(echoes), T(echoes_in_order_and_loses_as_told),
		T(two_echoing_ends), T(room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
