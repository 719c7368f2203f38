/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TAP's data path without a TAP: a pair of datagram sockets keeps frame boundaries, has
 * little room, and blocks like the real thing, so both directions can be brought to a stall.
 */
#include "../port/mock.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/backend/tap.h"

struct rig {
	struct loop *loop;
	struct mock nic;
	struct net_port *tap;
	int host; /* the other end of the pair */
	uint32_t next, total;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct tap_dev d = {.n = 1, .ifname = "none"};
	struct err e = {0};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	d.fd[0] = fds[0];
	r->host = fds[1];
	assert_int_equal(tap_port_new(&d, "tap.0", &r->tap, &e), 0);
	assert_int_equal(d.fd[0], -1);
	mock_init(&r->nic, "nic", NET_CAP_OFFLOADS);
	r->loop = loop_new("tap", NULL, &e);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	net_unjoin(r->tap);
	loop_stop(r->loop);
	loop_join(r->loop);
	loop_free(r->loop);
	r->tap->ops->destroy(r->tap);
	close(r->host);
	mock_clear(&r->nic);
	free(r);
	return 0;
}

static void start(struct rig *r)
{
	struct err e = {0};

	assert_int_equal(net_join(&r->nic.port, r->tap, &r->loop, 1, &e), 0);
	assert_int_equal(loop_start(r->loop, &e), 0);
}

/* Sends the next frames until the TAP has no room. Also the NIC's resume. */
static void send_on(struct mock *m, unsigned q)
{
	struct rig *r = container_of(m, struct rig, nic);
	unsigned taken = 1, n;
	struct batch t;

	while (taken && r->next < r->total) {
		n = MIN(r->total - r->next, 10u);
		batch_fill(&t, n, r->next);
		taken = net_push(&r->nic.port, q, t.f, n);
		r->next += taken;
	}
}

static void send_now(void *arg)
{
	send_on(arg, 0);
}

static bool wait_for(struct rig *r, bool (*done)(struct rig *r))
{
	bool is = false;

	for (unsigned i = 0; i < 5000 && !is; i++) {
		loop_park(r->loop);
		is = done(r);
		loop_unpark(r->loop);
		if (!is)
			usleep(1000);
	}
	return is;
}

static void a_full_kernel_stalls_the_card(void **state)
{
	struct rig *r = *state;
	uint8_t b[100];

	r->nic.on_resume = send_on;
	r->total = 5000;
	start(r);
	loop_call(r->loop, send_now, &r->nic);
	assert_true(r->next < r->total);
	assert_true(stat_get(&r->nic.port.stats[0].tx_stalls) > 0);
	for (uint32_t i = 0; i < r->total;) {
		ssize_t n = read(r->host, b, sizeof(b));

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			usleep(100);
			continue;
		}
		assert_int_equal(n, 60);
		assert_int_equal(get_be32(b + 20), i++);
	}
	assert_int_equal(stat_get(&r->tap->stats[0].drops), 0);
}

static void host_sends(struct rig *r, uint32_t from, unsigned n)
{
	uint8_t b[60] = {0};

	for (unsigned i = 0; i < n;) {
		put_be32(b + 20, from + i);
		if (write(r->host, b, sizeof(b)) == (ssize_t)sizeof(b))
			i++;
		else
			usleep(100);
	}
}

static bool has_50(struct rig *r)
{
	return r->nic.n >= 50;
}

static bool has_60(struct rig *r)
{
	return r->nic.n >= 60;
}

static bool has_600(struct rig *r)
{
	return r->nic.n >= 600;
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void check_order(const struct rig *r, unsigned n)
{
	const struct rec *f = r->nic.first;

	assert_int_equal(r->nic.n, n);
	for (unsigned i = 0; i < n; i++, f = f->next)
		assert_int_equal(rec_number(f), i);
}

static void a_full_card_stalls_the_kernel(void **state)
{
	struct rig *r = *state;
	double t0;

	r->nic.room = 50;
	start(r);
	host_sends(r, 0, 60);
	assert_true(wait_for(r, has_50));
	/* Nobody spins meanwhile, although the kernel has frames. */
	host_sends(r, 60, 1);
	t0 = cpu_seconds();
	usleep(200000);
	assert_true(cpu_seconds() - t0 < 0.1);
	loop_park(r->loop);
	r->nic.room = MOCK_ALL;
	net_resume(&r->nic.port, 0);
	loop_unpark(r->loop);
	host_sends(r, 61, 539);
	assert_true(wait_for(r, has_600));
	check_order(r, 600);
}

static void lent_buffers_run_out(void **state)
{
	struct rig *r = *state;

	r->nic.caps.lends = true;
	r->nic.slots = 50;
	start(r);
	host_sends(r, 0, 60);
	assert_true(wait_for(r, has_50));
	usleep(10000);
	loop_park(r->loop);
	assert_int_equal(r->nic.n, 50);
	r->nic.slots = 100000;
	net_resume(&r->nic.port, 0);
	loop_unpark(r->loop);
	host_sends(r, 60, 540);
	assert_true(wait_for(r, has_600));
	check_order(r, 600);
}

/* Larger than the lent buffer: put together elsewhere, whole, in its place in the order. */
static void a_large_frame_surprises(void **state)
{
	struct rig *r = *state;
	uint8_t *b = malloc(60000);
	const struct rec *f;

	for (unsigned i = 0; i < 60000; i++)
		b[i] = (uint8_t)(i * 13 + (i >> 8));
	put_be32(b + 20, 3);
	r->nic.caps.lends = true;
	host_sends(r, 0, 3);
	assert_int_equal(write(r->host, b, 60000), 60000);
	host_sends(r, 4, 6);
	start(r);
	for (uint32_t i = 10; i < 60; i += 5) {
		usleep(1000);
		host_sends(r, i, 5);
	}
	assert_true(wait_for(r, has_60));
	check_order(r, 60);
	f = mock_frame(&r->nic, 3);
	assert_int_equal(f->len, 60000);
	assert_memory_equal(f->b, b, 60000);
	free(b);
}

static void runts_are_dropped(void **state)
{
	struct rig *r = *state;

	start(r);
	assert_int_equal(write(r->host, "short", 5), 5);
	host_sends(r, 0, 60);
	assert_true(wait_for(r, has_60));
	check_order(r, 60);
	assert_int_equal(stat_get(&r->tap->stats[0].drops), 1);
}

static void unplugged_with_frames_in_hand(void **state)
{
	struct rig *r = *state;

	r->nic.room = 50;
	start(r);
	host_sends(r, 0, 60);
	assert_true(wait_for(r, has_50));
	usleep(10000);
	net_unjoin(r->tap);
	/* Read, but never taken: counted, not sent to the next peer. */
	assert_true(stat_get(&r->tap->stats[0].drops) <= 10);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_full_kernel_stalls_the_card),
		T(a_full_card_stalls_the_kernel),
		T(lent_buffers_run_out),
		T(a_large_frame_surprises),
		T(runts_are_dropped),
		T(unplugged_with_frames_in_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
