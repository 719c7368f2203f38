/* SPDX-License-Identifier: BSD-2-Clause */
/* Megabytes through the TCP translation, both ways, with every kind of guest port, with and
 * without SO_PEEK_OFF, with and without loss: every byte is compared. */
#include "tcp_guest.h"

#include <pthread.h>

#define TOTAL (6u << 20)
#define ISS   0xfff80000u /* sequence numbers wrap on the way */
#define OFFL  (NET_CAP_CSUM | NET_CAP_TSO4)

/* The byte at position i of the stream. */
static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 2654435761u >> 13 ^ i >> 8);
}

struct variant {
	uint32_t caps;
	bool lends, peek_off;
	uint32_t lend_size;
	unsigned lend_max;
	unsigned loss; /* one of so many is lost; 0: none */
};

struct host {
	int lfd;
	bool reads;
	unsigned nap; /* us now and then */
	uint32_t done;
	bool ok;
};

static void *host_thread(void *arg)
{
	struct host *h = arg;
	int fd = accept(h->lfd, NULL, NULL);
	static uint8_t buf[256 << 10];
	unsigned turn = 0;

	h->ok = true;
	while (h->ok) {
		uint32_t n = MIN((uint32_t)sizeof(buf), TOTAL - h->done);
		ssize_t rc;

		if (++turn % 8 == 0 && h->nap)
			usleep(h->nap);
		if (h->reads) {
			rc = recv(fd, buf, sizeof(buf), 0);
			if (rc <= 0)
				break;
			for (uint32_t i = 0; i < rc; i++)
				h->ok &= buf[i] == pattern(h->done + i);
		} else {
			if (!n)
				break;
			n = MIN(n, 1 + turn * 7919 % sizeof(buf));
			for (uint32_t i = 0; i < n; i++)
				buf[i] = pattern(h->done + i);
			rc = send(fd, buf, n, MSG_NOSIGNAL);
			if (rc <= 0)
				break;
		}
		h->done += (uint32_t)rc;
	}
	close(fd);
	return NULL;
}

static uint32_t rnd(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

static struct guest *start(const struct variant *v, struct host *h, pthread_t *thread, uint32_t *hs)
{
	struct guest *g = guest_new(v->caps, v->lends, v->peek_off);
	struct seg syn = {.flags = SYN, .seq = ISS, .win = 64000};
	struct seg ack = {.flags = ACK, .seq = ISS + 1, .win = 8000};
	struct rx *r;

	if (v->lend_size)
		g->lend_size = v->lend_size;
	if (v->lend_max)
		g->lend_max = v->lend_max;
	h->lfd = g->lfd;
	inject(g, &syn, 1);
	r = next_rx(g, 3000);
	assert_non_null(r);
	*hs = ack.ack = r->seq + 1;
	rx_free(r);
	inject(g, &ack, 1);
	assert_int_equal(pthread_create(thread, NULL, host_thread, h), 0);
	return g;
}

/* The guest receives; what is out of order is thrown away, as our own side does it. */
static void run_in(const struct variant *v)
{
	struct host h = {0};
	uint32_t nxt, first, x = 4711;
	unsigned idle = 0;
	pthread_t thread;
	struct guest *g = start(v, &h, &thread, &nxt);
	bool fin = false;

	first = nxt;
	while (!fin && idle < 400) {
		struct seg ack[NET_BATCH];
		unsigned n = 0;
		struct rx *r = next_rx(g, 20);

		if (!r) {
			idle++;
			pass(g, 300); /* retransmission time */
			continue;
		}
		for (; r; r = n < NET_BATCH ? next_rx(g, 0) : NULL) {
			bool lost = v->loss && rnd(&x) % v->loss == 0;

			if (!lost && r->seq == nxt) {
				idle = 0;
				for (uint32_t i = 0; i < r->len; i++)
					if (r->data[i] != pattern(nxt - first + i))
						fail_msg("wrong byte %u", nxt - first + i);
				nxt += r->len;
				fin = r->flags & FIN;
				nxt += fin;
			}
			if (r->len > 1460)
				assert_int_equal(r->off.gso_size, 1460);
			if (!lost && (r->len || r->flags & FIN))
				ack[n++] = (struct seg){ACK, ISS + 1, nxt, 8000, NULL, 0, 0, false};
			rx_free(r);
			if (fin)
				break;
		}
		if (n)
			inject(g, ack, n);
	}
	if (!fin)
		fail_msg("stuck at %u of %u", nxt - first, TOTAL);
	assert_int_equal(nxt - first - 1, TOTAL);
	pthread_join(thread, NULL);
	guest_free(g);
}

/* The guest sends; goes back to the first unacknowledged byte after three duplicates or a pause. */
static void run_out(const struct variant *v, unsigned nap)
{
	static uint8_t data[NET_BATCH][16384];
	struct host h = {.reads = true, .nap = nap};
	uint32_t hs, x = 99, una = ISS + 1, nxt = una, edge = una + 32768, dups = 0, idle = 0,
		     top = una;
	pthread_t thread;
	struct guest *g = start(v, &h, &thread, &hs);

	while (una != ISS + 1 + TOTAL && idle < 2000) {
		struct seg s[NET_BATCH];
		unsigned n = 0;

		while (n < 16 && nxt != edge && nxt != ISS + 1 + TOTAL) {
			uint32_t len = 1 + rnd(&x) % 16384;

			len = MIN(MIN(edge - nxt, ISS + 1 + TOTAL - nxt), len);

			for (uint32_t i = 0; i < len; i++)
				data[n][i] = pattern(nxt - ISS - 1 + i);
			if (!v->loss || rnd(&x) % v->loss) {
				s[n] = (struct seg){ACK, nxt, hs, 8000, data[n], len, 0, false};
				n++;
			}
			nxt += len;
			if (seq_lt(top, nxt))
				top = nxt;
		}
		if (n)
			inject(g, s, n);
		struct rx *r = next_rx(g, n ? 0 : 5);

		if (!r && !n && idle++ % 16 == 15) {
			if (!v->loss && nxt != edge && una != nxt)
				fail_msg("silent: una +%u next +%u edge +%u of %u", una - ISS - 1,
					 nxt - ISS - 1, edge - ISS - 1, TOTAL);
			if (v->loss)
				nxt = una; /* the guest's own time-out */
		}
		for (; r; r = next_rx(g, 0)) {
			if (r->ack != una) {
				assert_true(seq_lt(una, r->ack));
				dups = idle = 0;
				una = r->ack;
				assert_true(seq_le(una, top));
				if (seq_lt(nxt, una))
					nxt = una;
			} else if (++dups == 3 && v->loss) {
				nxt = una;
			}
			if (seq_lt(edge, r->ack + ((uint32_t)r->win << 7)))
				edge = r->ack + ((uint32_t)r->win << 7);
			rx_free(r);
		}
	}
	assert_int_equal(una, ISS + 1 + TOTAL);
	struct seg fin = {FINACK, una, hs, 8000, NULL, 0, 0, false};

	inject(g, &fin, 1);
	pthread_join(thread, NULL);
	assert_true(h.ok);
	assert_int_equal(h.done, TOTAL);
	guest_free(g);
}

static void test_in_tso(void **state)
{
	const struct variant v = {.caps = OFFL, .lends = true, .peek_off = true};

	(void)state;
	run_in(&v);
}

static void test_in_tso_small_ring(void **state)
{
	const struct variant v = {OFFL, true, true, 3000, 2, 0};

	(void)state;
	run_in(&v);
}

static void test_in_plain(void **state)
{
	const struct variant v = {.lends = true, .peek_off = true};

	(void)state;
	run_in(&v);
}

static void test_in_bounce(void **state)
{
	const struct variant v = {.caps = OFFL, .peek_off = true};

	(void)state;
	run_in(&v);
}

static void test_in_bounce_plain(void **state)
{
	const struct variant v = {.peek_off = true};

	(void)state;
	run_in(&v);
}

static void test_in_old_kernel(void **state)
{
	const struct variant v = {.caps = OFFL, .lends = true};

	(void)state;
	run_in(&v);
}

static void test_in_old_kernel_bounce(void **state)
{
	const struct variant v = {.caps = OFFL};

	(void)state;
	run_in(&v);
}

static void test_in_loss(void **state)
{
	const struct variant v = {.caps = OFFL, .lends = true, .peek_off = true, .loss = 10};
	const struct variant w = {.lends = true, .peek_off = true, .loss = 100};

	(void)state;
	run_in(&v);
	run_in(&w);
}

static void test_in_loss_old_kernel(void **state)
{
	const struct variant v = {.caps = OFFL, .lends = true, .loss = 10};

	(void)state;
	run_in(&v);
}

static void test_out(void **state)
{
	const struct variant v = {.caps = OFFL, .lends = true, .peek_off = true};

	(void)state;
	run_out(&v, 0);
}

/* What the window allows always fits, however slow the reader is. */
static void test_out_slow_reader(void **state)
{
	const struct variant v = {.caps = OFFL, .lends = true, .peek_off = true};

	(void)state;
	run_out(&v, 30000);
}

static void test_out_loss(void **state)
{
	const struct variant v = {.caps = OFFL, .lends = true, .peek_off = true, .loss = 20};

	(void)state;
	run_out(&v, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_tso),
		cmocka_unit_test(test_in_tso_small_ring),
		cmocka_unit_test(test_in_plain),
		cmocka_unit_test(test_in_bounce),
		cmocka_unit_test(test_in_bounce_plain),
		cmocka_unit_test(test_in_old_kernel),
		cmocka_unit_test(test_in_old_kernel_bounce),
		cmocka_unit_test(test_in_loss),
		cmocka_unit_test(test_in_loss_old_kernel),
		cmocka_unit_test(test_out),
		cmocka_unit_test(test_out_slow_reader),
		cmocka_unit_test(test_out_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
