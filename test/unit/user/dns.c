/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS forwarding: identifiers, answers, refusal, silence. */
#include "fake.h"

static const uint8_t query[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};

static struct fake *with_resolver(int *fd, uint16_t *port)
{
	char opts[64];

	*fd = host_udp(port);
	snprintf(opts, sizeof(opts), "dns-host=127.0.0.1:%u", *port);
	return fake_new(opts, 0, false);
}

static void send_query(struct fake *k, uint16_t gport, const uint8_t *q, unsigned len)
{
	struct fake_pkt p = {0};

	fake_in(k, &p, fake_udp(k, &p, "10.0.2.15", gport, "10.0.2.3", 53, q, len), 0);
}

static void test_forward(void **state)
{
	uint16_t port;
	int fd;
	struct fake *k = with_resolver(&fd, &port);
	uint8_t got[3000] = {0};
	struct sockaddr_in from;
	socklen_t len = sizeof(from);

	(void)state;
	send_query(k, 5000, query, sizeof(query));
	assert_int_equal(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len),
			 sizeof(query));
	assert_memory_equal(got + 2, query + 2, sizeof(query) - 2);
	/* An answer with a wrong identifier, and one that is no answer, are not believed. */
	got[2] |= 0x80;
	got[0] ^= 1;
	sendto(fd, got, sizeof(query), 0, (struct sockaddr *)&from, len);
	got[0] ^= 1;
	got[2] &= 0x7f;
	sendto(fd, got, sizeof(query), 0, (struct sockaddr *)&from, len);
	got[2] |= 0x80;
	sendto(fd, got, 1300, 0, (struct sockaddr *)&from, len);
	fake_await(k, 1);
	const struct fake_pkt *r = fake_out(k, 0);

	assert_int_equal(k->n, 1);
	assert_int_equal(r->ip.src, inet_addr("10.0.2.3"));
	assert_int_equal(r->u.udp.sport, htons(53));
	assert_int_equal(r->u.udp.dport, htons(5000));
	assert_int_equal(ntohs(r->u.udp.len), 1308);
	assert_memory_equal(r->u.b + 8, query, 2);
	assert_memory_equal(r->u.b + 8 + 2, got + 2, 1298);
	assert_int_equal(flow_count(k->st), 0);
	close(fd);
	fake_free(k);
}

static void test_two_at_once(void **state)
{
	uint16_t port;
	int fd;
	struct fake *k = with_resolver(&fd, &port);
	uint8_t q[sizeof(query)], got[64];

	(void)state;
	memcpy(q, query, sizeof(q));
	send_query(k, 5000, q, sizeof(q));
	q[0] = 0x99;
	send_query(k, 5000, q, sizeof(q));
	assert_int_equal(flow_count(k->st), 2);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len);

		got[2] |= 0x80;
		sendto(fd, got, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
	fake_await(k, 2);
	assert_int_not_equal(fake_out(k, 0)->u.b[8], fake_out(k, 1)->u.b[8]);
	close(fd);
	fake_free(k);
}

static void test_refused(void **state)
{
	uint16_t port;
	int fd;
	struct fake *k = with_resolver(&fd, &port);

	(void)state;
	close(fd);
	send_query(k, 5000, query, sizeof(query));
	fake_await(k, 1);
	const struct fake_pkt *r = fake_out(k, 0);

	/* SERVFAIL for this very question. */
	assert_memory_equal(r->u.b + 8, query, 2);
	assert_int_equal(r->u.b[8 + 2] & 0x80, 0x80);
	assert_int_equal(r->u.b[8 + 3] & 0xf, 2);
	assert_memory_equal(r->u.b + 8 + 12, query + 12, sizeof(query) - 12);
	assert_int_equal(flow_count(k->st), 0);
	fake_free(k);
}

static void test_silent(void **state)
{
	uint16_t port;
	int fd;
	struct fake *k = with_resolver(&fd, &port);
	uint8_t got[64];

	(void)state;
	send_query(k, 5000, query, sizeof(query));
	assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(query));
	fake_step(k, 2 * NS_PER_S);
	/* Asked once more, then given up. */
	assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(query));
	fake_step(k, 10 * NS_PER_S);
	assert_int_equal(flow_count(k->st), 0);
	assert_int_equal(k->st->count.dns_timeouts, 1);
	assert_int_equal(k->n, 0);
	close(fd);
	fake_free(k);
}

/* A query too long to be kept cannot go to another resolver: the first gets the whole time. */
static void test_slow_answer(void **state)
{
	uint16_t port;
	int fd;
	struct fake *k = with_resolver(&fd, &port);
	uint8_t q[600] = {0x12, 0x34, 1}, got[600];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);

	(void)state;
	send_query(k, 5000, q, sizeof(q));
	assert_int_equal(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len), 600);
	fake_step(k, 4 * NS_PER_S);
	got[2] |= 0x80;
	sendto(fd, got, sizeof(got), 0, (struct sockaddr *)&from, len);
	fake_await(k, 1);
	close(fd);
	fake_free(k);
}

static void test_malformed(void **state)
{
	uint16_t port;
	int fd;
	struct fake *k = with_resolver(&fd, &port);
	uint8_t q[600] = {0};

	(void)state;
	for (unsigned len = 0; len < 12; len++)
		send_query(k, 5000, q, len);
	q[2] = 0x80;
	send_query(k, 5000, q, 20);
	assert_int_equal(k->st->count.bad_frame, 13);
	assert_int_equal(flow_count(k->st), 0);
	/* More queries than are kept. */
	q[2] = 0;
	for (unsigned i = 0; i < 300; i++) {
		put_be16(q, (uint16_t)i);
		send_query(k, 5000, q, sizeof(q) - 200);
	}
	assert_int_equal(flow_count(k->st), 300);
	close(fd);
	fake_free(k);
	k = fake_new("restrict=on", 0, false);
	send_query(k, 5000, query, sizeof(query));
	assert_int_equal(k->st->count.restricted, 1);
	assert_int_equal(flow_count(k->st), 0);
	fake_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forward),	  cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_refused),	  cmocka_unit_test(test_silent),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_slow_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
