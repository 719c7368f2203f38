/* SPDX-License-Identifier: BSD-2-Clause */
/* Forwards: the rules' syntax, errors with their remedy, UDP both ways, add and remove live. */
#include "fake.h"

#include <sys/resource.h>

static void test_syntax(void **state)
{
	static const struct {
		const char *text;
		uint8_t proto;
		const char *host, *guest;
		uint16_t hport, gport;
	} good[] = {
		{"tcp::8080-:80", IP_TCP, "0.0.0.0", "0.0.0.0", 8080, 80},
		{"udp:127.0.0.1:53-10.0.2.20:54", IP_UDP, "127.0.0.1", "10.0.2.20", 53, 54},
		{"::22-:22", IP_TCP, "0.0.0.0", "0.0.0.0", 22, 22},
		{"tcp::0-:65535", IP_TCP, "0.0.0.0", "0.0.0.0", 0, 65535},
	};
	static const char *const bad[] = {
		"",
		"tcp",
		"tcp:",
		"tcp::80",
		"tcp::80-",
		"tcp::80-80",
		"tcp::80-:0",
		"tcp::-:80",
		"tcp::65536-:1",
		"tcp::1-:65536",
		"tcp::-1-:1",
		"tcp::+1-:1",
		"tcp:: 1-:1",
		"tcp::1-:1x",
		"tcp:1.2.3:1-:1",
		"tcp:1.2.3.4.5:1-:1",
		"sctp::1-:1",
		"TCP::1-:1",
		"tcp::999999-:1",
		"tcp:1111.1111.1111.1111:1-:1",
		"tcp:localhost:1-:1",
	};
	struct fwd f;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(fwd_parse(good[i].text, &f, &e), 0);
		assert_int_equal(f.proto, good[i].proto);
		assert_int_equal(f.host.sin_addr.s_addr, inet_addr(good[i].host));
		assert_int_equal(f.guest.sin_addr.s_addr, inet_addr(good[i].guest));
		assert_int_equal(ntohs(f.host.sin_port), good[i].hport);
		assert_int_equal(ntohs(f.guest.sin_port), good[i].gport);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(fwd_parse(bad[i], &f, &e), -EINVAL);
		assert_non_null(strstr(e.text, "hostfwd="));
		assert_non_null(strstr(e.text, "tcp|udp:[hostaddr]:hostport"));
	}
}

static void test_in_use(void **state)
{
	uint16_t port;
	int fd = host_udp(&port);
	char opts[100];
	struct err e = {0};

	(void)state;
	snprintf(opts, sizeof(opts), "hostfwd=udp:127.0.0.1:%u-:7", port);
	assert_null(fake_stack(opts, &e));
	assert_non_null(strstr(e.text, "in use"));
	assert_non_null(strstr(e.text, "ss -lnp"));
	assert_null(fake_stack("hostfwd=tcp:192.0.2.1:80-:7", &e));
	assert_non_null(strstr(e.text, "not an address of this host"));
	assert_null(fake_stack("hostfwd=tcp::0-192.168.1.1:7", &e));
	assert_non_null(strstr(e.text, "guest"));
	close(fd);
}

static void ask_fwd(struct fake *k, int fd, uint16_t port, const char *text)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)k;
	sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to));
}

static void test_udp(void **state)
{
	struct fake *k = fake_new("hostfwd=udp:127.0.0.1:0-:7", 0, false);
	uint16_t mine, port = ntohs(k->st->fwd[0].host.sin_port);
	int fd = host_udp(&mine);
	struct fake_pkt p = {0};
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[16];
	struct err e = {0};

	(void)state;
	/* Nobody knows the guest yet: it is asked for. */
	ask_fwd(k, fd, port, "lost");
	fake_await(k, 1);
	assert_int_equal(get_be16(k->frame[0] + 12), ETH_ARP);
	fake_in(k, &p, fake_icmp(k, &p, "10.0.2.15", "10.0.2.3", 13, "", 0), 0);
	ask_fwd(k, fd, port, "hello");
	fake_await(k, 2);
	const struct fake_pkt *r = fake_out(k, 1);

	assert_int_equal(r->ip.src, inet_addr("10.0.2.2"));
	assert_int_equal(r->ip.dst, inet_addr("10.0.2.15"));
	assert_int_equal(r->u.udp.sport, htons(mine));
	assert_int_equal(r->u.udp.dport, htons(7));
	assert_memory_equal(r->u.b + 8, "hello", 5);
	/* The answer comes from the forward's own port. */
	fake_in(k, &p, fake_udp(k, &p, "10.0.2.15", 7, "10.0.2.2", mine, "fine", 4), 0);
	assert_int_equal(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 4);
	assert_int_equal(ntohs(from.sin_port), port);
	assert_int_equal(k->st->fwd[0].hits, 2);
	/* Removed live: its flows go as well. */
	snprintf(buf, sizeof(buf), "%u", port);
	char rule[64];

	snprintf(rule, sizeof(rule), "udp:127.0.0.1:%u", port);
	loop_park(k->loop);
	assert_int_equal(fwd_remove(k->st, rule, &e), 0);
	assert_int_equal(flow_count(k->st), 0);
	assert_int_equal(fwd_remove(k->st, rule, &e), -ENOENT);
	snprintf(rule, sizeof(rule), "udp:127.0.0.1:%u-:9", port);
	assert_int_equal(fwd_add(k->st, rule, &e), 0);
	assert_int_equal(k->st->nfwd, 1);
	loop_unpark(k->loop);
	ask_fwd(k, fd, port, "again");
	fake_await(k, 3);
	assert_int_equal(fake_out(k, 2)->u.udp.dport, htons(9));
	close(fd);
	fake_free(k);
}

static void test_first_lease(void **state)
{
	struct fake *k = fake_new("hostfwd=udp:127.0.0.1:0-:7,hostfwd=udp:127.0.0.1:0-10.0.2.30:7",
				  0, false);
	struct err e = {0};

	(void)state;
	assert_int_equal(k->st->fwd[0].guest.sin_addr.s_addr, inet_addr("10.0.2.15"));
	fwd_first_lease(k->st, inet_addr("10.0.2.20"));
	assert_int_equal(k->st->fwd[0].guest.sin_addr.s_addr, inet_addr("10.0.2.20"));
	assert_int_equal(k->st->fwd[1].guest.sin_addr.s_addr, inet_addr("10.0.2.30"));
	/* So does a rule that comes later. */
	loop_park(k->loop);
	assert_int_equal(fwd_add(k->st, "udp:127.0.0.1:0-:7", &e), 0);
	loop_unpark(k->loop);
	assert_int_equal(k->st->fwd[2].guest.sin_addr.s_addr, inet_addr("10.0.2.20"));
	fake_free(k);
}

/* A connection that came when no descriptor was left is served when there is one again. */
static void test_descriptors_out(void **state)
{
	struct fake *k = fake_new("hostfwd=tcp:127.0.0.1:0-:7", 0, false);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), next = dup(0);
	struct rlimit old, none;

	(void)state;
	assert_true(fd >= 0 && next >= 0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&k->st->fwd[0].host, sizeof(k->st->fwd[0].host)), 0);
	for (int i = 0; i < 3000 && !k->st->count.no_socket; i++) {
		fake_round(k);
		usleep(1000);
	}
	assert_int_equal(k->st->count.no_socket, 1);
	fake_step(k, NS_PER_S);
	assert_int_equal(k->st->count.no_socket, 2);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(flow_count(k->st), 0);
	fake_step(k, NS_PER_S);
	assert_int_equal(flow_count(k->st), 1);
	assert_int_equal(k->st->fwd[0].hits, 1);
	close(fd);
	fake_free(k);
}

/* More clients than one turn serves. */
static void test_many(void **state)
{
	struct fake *k = fake_new("hostfwd=tcp:127.0.0.1:0-:7", 0, false);
	int fd[150];

	(void)state;
	loop_park(k->loop);
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd[i], (struct sockaddr *)&k->st->fwd[0].host,
					 sizeof(k->st->fwd[0].host)),
				 0);
	}
	loop_unpark(k->loop);
	for (int i = 0; i < 3000 && k->st->fwd[0].hits < ARRAY_SIZE(fd); i++)
		fake_round(k);
	assert_int_equal(k->st->fwd[0].hits, ARRAY_SIZE(fd));
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	fake_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_first_lease),
		cmocka_unit_test(test_descriptors_out),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
