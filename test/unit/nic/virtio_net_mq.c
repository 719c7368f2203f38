/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net with two queue pairs on two threads: which queue is what, and who may be in use. */
#include "card.h"

#define MULTI (V1 | BIT(CTRL_VQ) | BIT(CTRL_RX) | BIT(MQ))
#define OK    VIRTIO_NET_OK
#define ERR   VIRTIO_NET_ERR

static struct card *make(const char *opts)
{
	card_queues = 2;
	return card_make(opts);
}

static uint8_t set_pairs(struct card *c, uint16_t n)
{
	const uint16_t v = htole16(n);

	return card_ctrl(c, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &v, 2);
}

/* A frame of 60 bytes in buffer i, to be sent by queue q of pair q / 2. */
static void send_by(struct card *c, unsigned q, unsigned i)
{
	memset(card_buf(c, i), 0, c->hdr_len);
	memset(card_buf(c, i) + c->hdr_len, 0xff, 60);
	ring_desc(&c->r[q], i, card_gpa(i), c->hdr_len + 60, 0, 0);
	ring_add(&c->r[q], (uint16_t)i);
}

static void post_to(struct card *c, unsigned q, unsigned i)
{
	ring_desc(&c->r[q], i, card_gpa(i), 1526, VRING_DESC_F_WRITE, 0);
	ring_add(&c->r[q], (uint16_t)i);
}

struct arrival {
	struct card *c;
	unsigned taken;
};

static void push_second(void *arg)
{
	struct arrival *a = arg;
	uint8_t data[60];
	struct iovec vec[2] = {{0}, {data, sizeof(data)}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = sizeof(data)};

	memset(data, 0xff, sizeof(data));
	a->taken = net_push(&a->c->peer[0].port, 1, &f, 1);
}

/* The peer sends a broadcast by its second queue. */
static unsigned arrive(struct card *c)
{
	struct arrival a = {.c = c};

	loop_call(c->loop[1], push_second, &a);
	return a.taken;
}

static uint64_t second_drops(const struct card *c)
{
	return c->nic->port.stats[1].drops;
}

static void offered_with_a_backend_of_several_queues(void **state)
{
	struct card *c = make("mq=on");

	(void)state;
	assert_true(mod_features(&c->pc, c->pci) & BIT(MQ));
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE + 8, 2), 2);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_PCI_COMMON_NUMQ, 2), 5);
	assert_int_equal(msix_vectors(c->pci), 6);
	assert_int_equal(c->nic->port.nqueues, 2);
	card_free(c);
	c = make("");
	assert_false(mod_features(&c->pc, c->pci) & BIT(MQ));
	assert_int_equal(c->nic->port.nqueues, 1);
	assert_int_equal(msix_vectors(c->pci), 4);
	card_free(c);
	card_queues = 1;
	c = card_make("mq=on,vectors=7");
	assert_false(mod_features(&c->pc, c->pci) & BIT(MQ));
	assert_int_equal(msix_vectors(c->pci), 7);
	card_free(c);
}

static void the_control_queue_has_its_place(void **state)
{
	struct card *c = make("mq=on");
	const uint8_t on = 1;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		/* 5.1.2: number 2 for a driver that has not acknowledged MQ … */
		card_up(c, (MULTI & ~BIT(MQ)) & (round == 1 ? ~V1 : UINT64_MAX));
		assert_ptr_equal(c->vnet->v.q[2].loop, c->loop[0]);
		assert_int_equal(
			card_ctrl(c, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1), OK);
		assert_true(c->vnet->filter.promisc);
		assert_int_equal(set_pairs(c, 1), ERR);
		/* … and the last one for one that has. */
		card_up(c, MULTI & (round == 1 ? ~V1 : UINT64_MAX));
		assert_false(c->vnet->filter.promisc);
		assert_ptr_equal(c->vnet->v.q[2].loop, c->loop[1]);
		assert_ptr_equal(c->vnet->v.q[4].loop, c->loop[0]);
		assert_int_equal(
			card_ctrl(c, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1), OK);
		assert_true(c->vnet->filter.promisc);
	}
	card_free(c);
}

static void numbers_of_pairs(void **state)
{
	struct card *c = make("mq=on");
	const uint8_t half = 1;

	(void)state;
	card_up(c, MULTI);
	assert_int_equal(c->peer[0].port.peer_caps.active, 1);
	assert_int_equal(set_pairs(c, 2), OK);
	assert_int_equal(c->peer[0].port.peer_caps.active, 2);
	assert_int_equal(c->nic->active, 2);
	assert_int_equal(set_pairs(c, 0), ERR);
	assert_int_equal(set_pairs(c, 3), ERR);
	assert_int_equal(set_pairs(c, 0x8000), ERR);
	assert_int_equal(set_pairs(c, 0xffff), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MQ, 0, &half, 1), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MQ, 1, &half, 1), ERR);
	assert_int_equal(c->peer[0].port.peer_caps.active, 2);
	assert_int_equal(set_pairs(c, 1), OK);
	assert_int_equal(c->peer[0].port.peer_caps.active, 1);
	/* A reset leaves one. */
	assert_int_equal(set_pairs(c, 2), OK);
	card_up(c, MULTI);
	assert_int_equal(c->peer[0].port.peer_caps.active, 1);
	card_free(c);
}

static void a_pair_out_of_use_sends_nothing(void **state)
{
	struct card *c = make("mq=on");

	(void)state;
	card_up(c, MULTI);
	send_by(c, 3, 1);
	card_kick(c, 3);
	assert_int_equal(c->peer[0].second, 0);
	/* What waited goes when it comes into use. */
	assert_int_equal(set_pairs(c, 2), OK);
	pc_sync(c->loop[1]);
	assert_int_equal(c->peer[0].second, 1);
	assert_int_equal(card_done(c, 3), 1);
	assert_int_equal(set_pairs(c, 1), OK);
	send_by(c, 3, 2);
	card_kick(c, 3);
	assert_int_equal(c->peer[0].second, 1);
	assert_int_equal(card_done(c, 3), 0);
	card_free(c);
}

static void a_pair_out_of_use_takes_nothing(void **state)
{
	struct card *c = make("mq=on");

	(void)state;
	card_up(c, MULTI);
	post_to(c, 2, 1);
	post_to(c, 2, 2);
	/* Nobody waits for it either. */
	assert_int_equal(arrive(c), 1);
	assert_int_equal(second_drops(c), 1);
	assert_false(net_may_lend(&c->peer[0].port, 1));
	assert_true(net_may_lend(&c->peer[0].port, 0));
	assert_int_equal(set_pairs(c, 2), OK);
	assert_true(net_may_lend(&c->peer[0].port, 1));
	assert_int_equal(arrive(c), 1);
	assert_int_equal(card_done(c, 2), 1);
	assert_int_equal(card_done(c, 0), 0);
	assert_int_equal(arrive(c), 1);
	/* Out of buffers: the peer keeps the frame, until the pair is out of use again. */
	assert_int_equal(arrive(c), 0);
	assert_int_equal(set_pairs(c, 1), OK);
	assert_int_equal(arrive(c), 1);
	assert_int_equal(second_drops(c), 2);
	card_free(c);
}

/* On a hub there is one queue: both pairs send by it, one waits for the other. */
static void two_pairs_on_one_queue(void **state)
{
	struct card *c;

	(void)state;
	card_queues = 2;
	c = card_new("mq=on");
	card_queues = 1;
	card_join(c);
	assert_int_equal(c->nic->port.nqueues, 1);
	card_up(c, MULTI);
	assert_int_equal(set_pairs(c, 2), OK);
	c->peer[0].take = 1;
	for (unsigned i = 1; i <= 3; i++) {
		send_by(c, 1, i);
		send_by(c, 3, i + 3);
	}
	card_kick(c, 1);
	card_kick(c, 3);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(card_done(c, 1), 1);
	assert_int_equal(card_done(c, 3), 0);
	loop_park(c->loop[0]);
	c->peer[0].take = UINT32_MAX;
	net_resume(&c->peer[0].port, 0);
	loop_unpark(c->loop[0]);
	assert_int_equal(c->peer[0].n, 6);
	assert_int_equal(card_done(c, 1), 2);
	assert_int_equal(card_done(c, 3), 3);
	/* What comes goes to the first one. */
	card_post(c, 10, 1526);
	assert_int_equal(card_push_one(c, card_bcast, 100, NULL), 1);
	assert_int_equal(card_done(c, 0), 1);
	card_free(c);
}

static void a_command_in_many_pieces(void **state)
{
	struct card *c = make("mq=on");

	(void)state;
	/* Number 2 has room for more than a control queue of its own would. */
	card_up(c, (MULTI & ~BIT(MQ)));
	ring_init(&c->r[2], &c->pc.a.mem, c->r[2].desc, 128);
	for (unsigned i = 0; i < 70; i++)
		ring_desc(&c->r[2], i, card_gpa(i), 1, i < 69 ? VRING_DESC_F_NEXT : 2, i + 1);
	mod_write(&c->pc, c->pci, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	assert_true(mod_negotiate(&c->pc, c->pci, MULTI & ~BIT(MQ)));
	for (unsigned i = 0; i < 3; i++)
		mod_queue(&c->pc, c->pci, i, &c->r[i], 0);
	mod_driver_ok(&c->pc, c->pci);
	ring_add(&c->r[2], 0);
	card_kick(c, 2);
	assert_int_equal(mod_status(&c->pc, c->pci), 15 | 64);
	card_up(c, MULTI);
	assert_int_equal(set_pairs(c, 2), OK);
	card_free(c);
}

/* --- all at once ---------------------------------------------------------------------------- */

struct storm {
	struct card *c;
	_Atomic bool end;
	unsigned sent;
};

static void *blow(void *arg)
{
	struct storm *s = arg;

	while (!s->end) {
		arrive(s->c);
		card_push_one(s->c, card_bcast, 100, NULL);
		s->sent++;
	}
	return NULL;
}

static void resets_and_commands_in_traffic(void **state)
{
	struct card *c = make("mq=on");
	struct storm s = {.c = c};
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, blow, &s), 0);
	for (unsigned round = 0; round < 150; round++) {
		unsigned got;

		card_up(c, round % 5 ? MULTI : MULTI & ~BIT(MQ));
		for (unsigned i = 40; i < 100; i++)
			post_to(c, 0, i);
		for (unsigned i = 100; c->ctrl == 4 && i < 160; i++)
			post_to(c, 2, i);
		mod_kick(&c->pc, c->pci, 0);
		if (c->ctrl == 2)
			continue;
		mod_kick(&c->pc, c->pci, 2);
		for (unsigned n = 0; n < 5; n++) {
			assert_int_equal(set_pairs(c, 2), OK);
			got = c->peer[0].second;
			send_by(c, 3, 1 + n);
			card_kick(c, 3);
			for (unsigned i = 0; i < 2000 && c->peer[0].second == got; i++)
				card_nap();
			assert_int_equal(c->peer[0].second, got + 1);
			assert_int_equal(set_pairs(c, 1), OK);
		}
		if (round % 3 == 0) {
			net_unjoin(&c->nic->port);
			assert_int_equal(
				net_join(&c->nic->port, &c->peer[0].port, c->loop, 2, NULL), 0);
		}
	}
	s.end = true;
	pthread_join(t, NULL);
	assert_true(s.sent > 0);
	card_free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(offered_with_a_backend_of_several_queues),
		T(the_control_queue_has_its_place),
		T(numbers_of_pairs),
		T(a_pair_out_of_use_sends_nothing),
		T(a_pair_out_of_use_takes_nothing),
		T(two_pairs_on_one_queue),
		T(a_command_in_many_pieces),
		T(resets_and_commands_in_traffic),
	};
	int bad = cmocka_run_group_tests_name("virtio_net_mq", tests, NULL, NULL);

	card_packed = true;
	return bad + cmocka_run_group_tests_name("virtio_net_mq, packed", tests, NULL, NULL);
}
