/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Re-plugging under load: a card with two queues on two loop threads sends numbered frames
 * without a pause while the control thread gives it one backend after the other. Each number must
 * arrive once and in order, whichever backend took it.
 */
#include "mock.h"

#include <sched.h>
#include <unistd.h>

#include "net/backend/dummy.h"

#define QUEUES	2
#define REPLUGS 150

/* --- a card that never stops sending -------------------------------------------------------- */

struct card {
	struct net_port port;
	struct card_queue {
		struct card *card;
		struct loop_task task;
		uint32_t next; /* number of the first frame not taken */
		bool stalled;
		unsigned batch;
	} q[QUEUES];
	bool large; /* GSO frames of 4 segments: the number is the first one's */
	bool stop;
};

static const struct spec_frame {
	uint32_t hdr, mss, segs;
} gso_frame = {54, 100, 4};

/* The number sits at the payload's start; every segment of a GSO frame has its own. */
static void card_fill(struct card *c, struct batch *t, uint8_t big[][512], unsigned n,
		      uint32_t from)
{
	batch_fill(t, n, from);
	for (unsigned i = 0; c->large && i < n; i++) {
		uint8_t *b = big[i];

		memset(b, 0, 512);
		put_be16(b + 12, 0x0800);
		b[14] = 0x45;
		b[14 + 9] = 6;
		b[34 + 12] = 5 << 4;
		put_be32(b + 34 + 4, (from + i) * gso_frame.mss * gso_frame.segs);
		for (unsigned s = 0; s < gso_frame.segs; s++)
			put_be32(b + gso_frame.hdr + s * gso_frame.mss,
				 (from + i) * gso_frame.segs + s);
		t->f[i] =
			frame_over(t->vec[i], b, gso_frame.hdr + gso_frame.mss * gso_frame.segs, 0);
		t->f[i].off = (struct net_offload){.flags = NET_F_NEEDS_CSUM,
						   .gso_type = NET_GSO_TCPV4,
						   .gso_size = (uint16_t)gso_frame.mss,
						   .csum_start = 34,
						   .csum_offset = 16};
	}
}

static void card_send(struct loop_task *task)
{
	struct card_queue *cq = container_of(task, struct card_queue, task);
	struct card *c = cq->card;
	unsigned q = (unsigned)(cq - c->q), n = 1 + cq->batch++ % 16, taken;
	uint8_t big[16][512];
	struct batch t;

	if (c->stop || cq->stalled)
		return;
	card_fill(c, &t, big, n, cq->next);
	taken = net_push(&c->port, q, t.f, n);
	cq->next += taken;
	cq->stalled = taken < n;
	if (!cq->stalled)
		loop_defer(c->port.loop[q], &cq->task);
}

static unsigned card_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	(void)p;
	(void)q;
	(void)f;
	return n;
}

static void card_resume(struct net_port *p, unsigned q)
{
	struct card *c = container_of(p, struct card, port);

	if (!c->q[q].stalled)
		return;
	c->q[q].stalled = false;
	card_send(&c->q[q].task);
}

static void card_caps(const struct net_port *p, struct net_caps *c)
{
	(void)p;
	*c = (struct net_caps){.queues = QUEUES};
}

static int card_attach(struct net_port *p, struct err *e)
{
	struct card *c = container_of(p, struct card, port);

	(void)e;
	for (unsigned q = 0; q < QUEUES; q++) {
		c->q[q] = (struct card_queue){.card = c, .task = {.fn = card_send}};
		loop_defer(p->loop[q], &c->q[q].task);
	}
	return 0;
}

static void card_detach(struct net_port *p)
{
	struct card *c = container_of(p, struct card, port);

	for (unsigned q = 0; q < QUEUES; q++)
		loop_undefer(p->loop[q], &c->q[q].task);
}

static const struct net_port_ops card_ops = {
	.kind = "card",
	.push = card_push,
	.resume = card_resume,
	.caps = card_caps,
	.attach = card_attach,
	.detach = card_detach,
};

/* --- what arrives --------------------------------------------------------------------------- */

struct sink {
	bool large;
	_Atomic uint32_t next[QUEUES];
	_Atomic uint32_t wrong;
};

static void arrive(void *arg, unsigned q, const struct net_frame *f)
{
	struct sink *s = arg;
	uint8_t num[4];
	bool whole = f->off.gso_type != 0;
	uint32_t want = atomic_load(&s->next[q]);

	iov_read(f->vec + 1, f->nvec - 1, s->large ? gso_frame.hdr : 20, num, 4);
	if (get_be32(num) != want)
		atomic_fetch_add(&s->wrong, 1);
	atomic_store(&s->next[q], want + (whole ? gso_frame.segs : 1));
}

struct rig {
	struct loop *loop[QUEUES];
	struct card card;
	struct sink sink;
	struct net_port *backend[3];
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err e = {0};

	for (unsigned i = 0; i < QUEUES; i++) {
		r->loop[i] = loop_new("replug", NULL, &e);
		assert_non_null(r->loop[i]);
	}
	net_port_init(&r->card.port, &card_ops, "card");
	for (unsigned i = 0; i < 3; i++) {
		/* The third takes large frames whole. */
		const struct dummy_conf c = {.queues = QUEUES,
					     .offloads = i == 2 ? NET_CAP_OFFLOADS : 0};

		r->backend[i] = dummy_new(&c, "dummy");
		dummy_set_tap(r->backend[i], arrive, &r->sink);
	}
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	net_unjoin(&r->card.port);
	for (unsigned i = 0; i < QUEUES; i++) {
		loop_stop(r->loop[i]);
		loop_join(r->loop[i]);
		loop_free(r->loop[i]);
	}
	for (unsigned i = 0; i < 3; i++)
		r->backend[i]->ops->destroy(r->backend[i]);
	free(r);
	return 0;
}

static void start(struct rig *r, bool large)
{
	struct err e = {0};

	r->card.large = r->sink.large = large;
	assert_int_equal(net_join(&r->card.port, r->backend[0], r->loop, QUEUES, &e), 0);
	for (unsigned i = 0; i < QUEUES; i++)
		assert_int_equal(loop_start(r->loop[i], &e), 0);
}

static void all_park(struct rig *r, bool park)
{
	for (unsigned i = 0; i < QUEUES; i++)
		(park ? loop_park : loop_unpark)(r->loop[i]);
}

/* Until both queues of the card have been sent away with frames. */
static void wait_for_stall(struct rig *r)
{
	bool both = false;

	for (unsigned i = 0; i < 5000 && !both; i++) {
		usleep(100);
		all_park(r, true);
		both = r->card.q[0].stalled && r->card.q[1].stalled;
		all_park(r, false);
	}
	assert_true(both);
}

static void storm(struct rig *r, bool large)
{
	unsigned now = 0;
	uint32_t sent = 0;

	start(r, large);
	for (unsigned i = 0; i < REPLUGS; i++) {
		unsigned to = (now + 1 + (i % 5 == 0)) % 3;
		struct net_port *old;
		struct err e = {0};

		/* Sometimes the old backend stalls first, in the middle of a frame; the new one
		 * must then get the card going again. */
		if (i % 3 == 0) {
			all_park(r, true);
			for (unsigned q = 0; q < QUEUES; q++)
				dummy_set_room(r->backend[now], q, 1 + (i + q) % 50);
			all_park(r, false);
		}
		if (i % 3 == 0)
			wait_for_stall(r);
		else if (i % 7 == 0)
			usleep(500);
		else
			sched_yield();
		assert_int_equal(net_replug(&r->card.port, r->backend[to], &old, &e), 0);
		assert_ptr_equal(old, r->backend[now]);
		assert_null(old->peer);
		for (unsigned q = 0; q < QUEUES; q++)
			dummy_set_room(old, q, DUMMY_ALL);
		now = to;
	}
	/* The last one moves frames. */
	for (unsigned q = 0; q < QUEUES; q++) {
		uint32_t before = atomic_load(&r->sink.next[q]);

		for (unsigned i = 0; i < 2000 && atomic_load(&r->sink.next[q]) == before; i++)
			usleep(1000);
		assert_true(atomic_load(&r->sink.next[q]) > before);
	}
	all_park(r, true);
	r->card.stop = true;
	all_park(r, false);
	/* Every frame taken has arrived; a last one may be there in part. */
	for (unsigned q = 0; q < QUEUES; q++) {
		uint32_t frames = r->card.q[q].next * (large ? gso_frame.segs : 1);

		assert_in_range(atomic_load(&r->sink.next[q]) - frames, 0, gso_frame.segs - 1);
		sent += frames;
	}
	assert_int_equal(atomic_load(&r->sink.wrong), 0);
	assert_true(sent > REPLUGS);
}

static void under_load(void **state)
{
	storm(*state, false);
}

static void under_load_with_segments(void **state)
{
	storm(*state, true);
}

static void a_stalled_card_is_resumed(void **state)
{
	struct rig *r = *state;
	struct net_port *old;
	struct err e = {0};

	for (unsigned q = 0; q < QUEUES; q++)
		dummy_set_room(r->backend[0], q, 0);
	start(r, false);
	usleep(2000);
	assert_int_equal(atomic_load(&r->sink.next[0]), 0);
	assert_int_equal(net_replug(&r->card.port, r->backend[1], &old, &e), 0);
	for (unsigned i = 0; i < 2000 && !atomic_load(&r->sink.next[1]); i++)
		usleep(1000);
	assert_true(atomic_load(&r->sink.next[1]) > 0);
	assert_int_equal(atomic_load(&r->sink.wrong), 0);
}

/* --- without threads ------------------------------------------------------------------------ */

struct still {
	struct mock nic, a, b;
	struct loop *loop;
};

static int still_up(void **state)
{
	struct still *s = calloc(1, sizeof(*s));
	struct err e = {0};

	mock_init(&s->nic, "nic", 0);
	mock_init(&s->a, "a", 0);
	mock_init(&s->b, "b", NET_CAP_OFFLOADS);
	s->loop = loop_new("test", NULL, &e);
	assert_int_equal(net_join(&s->nic.port, &s->a.port, &s->loop, 1, &e), 0);
	*state = s;
	return 0;
}

static int still_down(void **state)
{
	struct still *s = *state;

	net_unjoin(&s->nic.port);
	assert_int_equal(s->nic.attached + s->a.attached + s->b.attached, 0);
	mock_clear(&s->a);
	mock_clear(&s->b);
	loop_free(s->loop);
	free(s);
	return 0;
}

static void all_are_told(void **state)
{
	struct still *s = *state;
	struct net_port *old;
	struct err e = {0};

	s->b.port.link_up = false;
	assert_int_equal(net_replug(&s->nic.port, &s->b.port, &old, &e), 0);
	assert_ptr_equal(old, &s->a.port);
	assert_int_equal(s->a.attached, 0);
	assert_int_equal(s->b.attached, 1);
	assert_int_equal(s->nic.attached, 1);
	assert_int_equal(s->nic.caps_told, 1);
	assert_int_equal(s->nic.link_told, 1); /* the new wire is down */
	assert_int_equal(s->nic.announced, 1);
	assert_int_equal(s->nic.resumed, 1);
	assert_int_equal(s->nic.port.peer_caps.offloads, NET_CAP_OFFLOADS);
}

static void failure_leaves_the_old_wire(void **state)
{
	struct still *s = *state;
	struct net_port *old;
	struct err e = {0};
	struct batch t;

	s->b.fail_attach = true;
	assert_int_equal(net_replug(&s->nic.port, &s->b.port, &old, &e), -EIO);
	assert_null(old);
	assert_null(s->b.port.peer);
	assert_ptr_equal(s->nic.port.peer, &s->a.port);
	assert_int_equal(s->a.attached, 1);
	batch_fill(&t, 3, 0);
	assert_int_equal(net_push(&s->nic.port, 0, t.f, 3), 3);
	assert_int_equal(s->a.n, 3);
	/* A backend in use is refused. */
	assert_int_equal(net_replug(&s->b.port, &s->a.port, &old, &e), -EBUSY);
}

static void too_few_queues(void **state)
{
	struct still *s = *state;
	struct loop *loops[2] = {s->loop, s->loop};
	struct net_port *old;
	struct err e = {0};

	net_unjoin(&s->nic.port);
	s->nic.caps.queues = s->a.caps.queues = 2;
	assert_int_equal(net_join(&s->nic.port, &s->a.port, loops, 2, &e), 0);
	assert_int_equal(net_replug(&s->nic.port, &s->b.port, &old, &e), -ENOTSUP);
	assert_string_equal(e.text, "b has 1 queue, but nic uses 2; give the backend as many");
	assert_ptr_equal(s->nic.port.peer, &s->a.port);
}

static void a_card_without_a_wire(void **state)
{
	struct still *s = *state;
	struct mock fresh;
	struct net_port *old;
	struct err e = {0};

	net_unjoin(&s->nic.port);
	assert_int_equal(net_replug(&s->nic.port, &s->b.port, &old, &e), 0);
	assert_null(old);
	assert_int_equal(s->nic.attached, 1);
	assert_int_equal(s->b.attached, 1);
	mock_init(&fresh, "fresh", 0);
	assert_int_equal(net_replug(&fresh.port, &s->a.port, &old, &e), -ENOTCONN);
}

/* --- to other loops ------------------------------------------------------------------------- */

static void to_another_loop(void **state)
{
	struct still *s = *state;
	struct loop *other = loop_new("other", NULL, NULL);
	struct net_port *old;
	struct err e = {0};
	struct batch t;

	assert_non_null(other);
	assert_int_equal(loop_start(other, &e), 0);
	s->b.port.link_up = false;
	assert_int_equal(net_rejoin(&s->nic.port, &s->b.port, &other, 1, &old, &e), 0);
	assert_ptr_equal(old, &s->a.port);
	assert_null(old->peer);
	assert_ptr_equal(s->nic.port.loop[0], other);
	assert_ptr_equal(s->b.port.loop[0], other);
	assert_int_equal(s->a.attached, 0);
	assert_int_equal(s->b.attached, 1);
	assert_int_equal(s->nic.attached, 1);
	assert_int_equal(s->nic.link_told, 1);
	assert_int_equal(s->nic.announced, 1);
	assert_false(loop_is_here(other)); /* it runs again */
	assert_int_equal(net_rejoin(&s->nic.port, &s->a.port, &s->loop, 1, &old, &e), 0);
	assert_ptr_equal(old, &s->b.port);
	assert_int_equal(s->nic.link_told, 2);
	batch_fill(&t, 3, 0);
	assert_int_equal(net_push(&s->nic.port, 0, t.f, 3), 3);
	assert_int_equal(s->a.n, 3);
	loop_stop(other);
	loop_join(other);
	loop_free(other);
}

static void failure_makes_the_old_wire_again(void **state)
{
	struct still *s = *state;
	struct loop *other = loop_new("other", NULL, NULL);
	struct net_port *old;
	struct err e = {0};

	assert_non_null(other);
	s->b.fail_attach = true;
	assert_int_equal(net_rejoin(&s->nic.port, &s->b.port, &other, 1, &old, &e), -EIO);
	assert_null(old);
	assert_null(s->b.port.peer);
	assert_ptr_equal(s->nic.port.peer, &s->a.port);
	assert_ptr_equal(s->nic.port.loop[0], s->loop);
	assert_int_equal(s->a.attached, 1);
	assert_int_equal(s->nic.attached, 1);
	assert_int_equal(s->nic.announced, 0);
	assert_int_equal(net_rejoin(&s->b.port, &s->a.port, &other, 1, &old, &e), -EBUSY);
	assert_string_equal(e.text, "a is joined to nic already");
	loop_free(other);
}

static void a_card_that_never_had_a_wire(void **state)
{
	struct still *s = *state;
	struct net_port *old;
	struct err e = {0};
	struct mock fresh;

	mock_init(&fresh, "fresh", 0);
	assert_int_equal(net_rejoin(&fresh.port, &s->b.port, &s->loop, 1, &old, &e), 0);
	assert_null(old);
	assert_int_equal(fresh.attached, 1);
	net_unjoin(&fresh.port);
	mock_clear(&fresh);
}

int main(void)
{
#define R(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define S(f) cmocka_unit_test_setup_teardown(f, still_up, still_down)
	const struct CMUnitTest tests[] = {
		R(under_load),
		R(under_load_with_segments),
		R(a_stalled_card_is_resumed),
		S(all_are_told),
		S(failure_leaves_the_old_wire),
		S(too_few_queues),
		S(a_card_without_a_wire),
		S(to_another_loop),
		S(failure_makes_the_old_wire_again),
		S(a_card_that_never_had_a_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
