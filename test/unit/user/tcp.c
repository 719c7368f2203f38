/* SPDX-License-Identifier: BSD-2-Clause */
/* The TCP state machine towards the guest, segment by segment, over real sockets of the host. */
#include "tcp_guest.h"

#include <poll.h>
#include <sys/resource.h>

#define ISS 1000u
#define WIN 1000 /* times 128 */

struct conn {
	struct guest *g;
	uint32_t gs, hs; /* next sequence number of the guest and of the stack */
	int fd;		 /* the host's end */
};

static void put(struct conn *c, uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	struct seg s = {.flags = flags,
			.seq = seq,
			.ack = ack,
			.win = WIN,
			.data = (const uint8_t *)data,
			.len = data ? (uint32_t)strlen(data) : 0};

	inject(c->g, &s, 1);
}

/* The next segment must be this. */
static struct rx *want_rx(struct conn *c, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct rx *r = next_rx(c->g, 3000);

	if (!r)
		fail_msg("no segment; wanted flags %02x", flags);
	if ((r->flags & ~TCP_PSH) != flags || r->seq != seq || (flags & ACK && r->ack != ack) ||
	    r->len != len)
		fail_msg("got flags %02x seq +%d ack +%d len %u; wanted %02x %u", r->flags,
			 (int)(r->seq - seq), (int)(r->ack - ack), r->len, flags, len);
	return r;
}

static void want(struct conn *c, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	rx_free(want_rx(c, flags, seq, ack, len));
}

static void want_none(struct conn *c)
{
	struct rx *r = next_rx(c->g, 60);

	if (r)
		fail_msg("unexpected segment: flags %02x seq %u len %u", r->flags, r->seq, r->len);
}

static void host_wants(struct conn *c, const char *text)
{
	char buf[256];
	size_t len = strlen(text), got = 0;

	while (got < len) {
		ssize_t n = recv(c->fd, buf + got, len - got, 0);

		if (n <= 0)
			fail_msg("host's recv: %zd %s", n, n < 0 ? strerror(errno) : "EOF");
		got += (size_t)n;
	}
	assert_memory_equal(buf, text, len);
}

static void host_puts(struct conn *c, const char *text)
{
	assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int host_accept(struct guest *g)
{
	const struct timeval tv = {.tv_sec = 3};
	int fd = accept(g->lfd, NULL, NULL);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static void open_win(struct conn *c, uint16_t win)
{
	struct seg syn = {.flags = SYN, .seq = ISS, .win = 64000};
	struct seg ack = {.flags = ACK, .seq = ISS + 1, .win = win};
	struct rx *r;

	inject(c->g, &syn, 1);
	r = next_rx(c->g, 3000);
	assert_non_null(r);
	assert_int_equal(r->flags, SYNACK);
	assert_int_equal(r->ack, ISS + 1);
	/* MSS 1460 and a window scale are offered. */
	assert_int_equal(r->nopt, 8);
	assert_memory_equal(r->opt, "\2\4\5\xb4\1\3\3\7", 8);
	c->gs = ISS + 1;
	c->hs = r->seq + 1;
	ack.ack = c->hs;
	rx_free(r);
	inject(c->g, &ack, 1);
	c->fd = host_accept(c->g);
}

static void resume_here(void *st)
{
	flow_resume(st);
}

static void evict_here(void *st)
{
	assert_true(flow_evict_oldest(st));
}

static void setup(struct conn *c)
{
	*c = (struct conn){.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};
	open_win(c, WIN);
}

static void done(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	guest_free(c->g);
}

/* --- opening -------------------------------------------------------------------------------- */

static void test_data_both_ways(void **state)
{
	struct conn c;
	struct rx *r;

	(void)state;
	setup(&c);
	put(&c, ACK, c.gs, c.hs, "hello");
	c.gs += 5;
	want(&c, ACK, c.hs, c.gs, 0);
	host_wants(&c, "hello");
	host_puts(&c, "world!");
	r = want_rx(&c, ACK, c.hs, c.gs, 6);
	assert_memory_equal(r->data, "world!", 6);
	assert_true(r->flags & TCP_PSH);
	rx_free(r);
	c.hs += 6;
	put(&c, ACK, c.gs, c.hs, NULL);
	want_none(&c);
	done(&c);
}

static void test_refused(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};

	(void)state;
	close(c.g->lfd);
	c.g->lfd = socket(AF_INET, SOCK_STREAM, 0); /* for guest_free() */
	put(&c, SYN, ISS, 0, NULL);
	struct rx *r = next_rx(c.g, 3000);

	assert_non_null(r);
	assert_int_equal(r->flags, RST | ACK);
	assert_int_equal(r->ack, ISS + 1);
	rx_free(r);
	flows_become(c.g, 0);
	done(&c);
}

static void test_syn_ack_again(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};
	struct rx *r;

	(void)state;
	put(&c, SYN, ISS, 0, NULL);
	r = next_rx(c.g, 3000);
	assert_non_null(r);
	c.hs = r->seq;
	rx_free(r);
	/* Lost: by its timer, and when the guest repeats its SYN. */
	pass(c.g, 1001);
	want(&c, SYNACK, c.hs, ISS + 1, 0);
	put(&c, SYN, ISS, 0, NULL);
	want(&c, SYNACK, c.hs, ISS + 1, 0);
	/* An acknowledgement of something never sent: RFC 9293, 3.10.7.4 */
	put(&c, ACK, ISS + 1, c.hs + 77, NULL);
	want(&c, RST, c.hs + 77, 0, 0);
	/* Given up in the end. */
	c.fd = host_accept(c.g);
	for (int i = 0; i < 8; i++) {
		pass(c.g, 64001);
		usleep(20000);
	}
	flows_become(c.g, 0);
	assert_int_equal(recv(c.fd, (char[1]){0}, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	done(&c);
}

static void test_unknown(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};
	struct seg bad = {.flags = SYN, .seq = ISS, .bad_csum = true};

	(void)state;
	put(&c, ACK, 5, 77, "x");
	want(&c, RST, 77, 0, 0);
	put(&c, FIN, 5, 0, "xy");
	want(&c, RST | ACK, 0, 8, 0);
	put(&c, RST, 5, 0, NULL);
	inject(c.g, &bad, 1);
	want_none(&c);
	assert_int_equal(c.g->st->count.bad_csum, 1);
	done(&c);
}

/* --- ending --------------------------------------------------------------------------------- */

static void test_guest_closes_first(void **state)
{
	struct conn c;

	(void)state;
	setup(&c);
	put(&c, FINACK, c.gs, c.hs, "bye");
	c.gs += 4;
	want(&c, ACK, c.hs, c.gs, 0);
	host_wants(&c, "bye");
	assert_int_equal(recv(c.fd, (char[1]){0}, 1, 0), 0);
	/* Half closed: the host may still send. */
	host_puts(&c, "still here");
	want(&c, ACK, c.hs, c.gs, 10);
	c.hs += 10;
	put(&c, ACK, c.gs, c.hs, NULL);
	close(c.fd);
	c.fd = -1;
	want(&c, FINACK, c.hs, c.gs, 0);
	assert_int_equal(flows(c.g), 1);
	put(&c, ACK, c.gs, c.hs + 1, NULL);
	flows_become(c.g, 0);
	done(&c);
}

static void test_host_closes_first(void **state)
{
	struct conn c;

	(void)state;
	setup(&c);
	shutdown(c.fd, SHUT_WR);
	want(&c, FINACK, c.hs, c.gs, 0);
	c.hs++;
	put(&c, ACK, c.gs, c.hs, NULL);
	/* Half closed the other way: the guest may still send. */
	put(&c, ACK, c.gs, c.hs, "late");
	c.gs += 4;
	want(&c, ACK, c.hs, c.gs, 0);
	host_wants(&c, "late");
	put(&c, FINACK, c.gs, c.hs, NULL);
	want(&c, ACK, c.hs, c.gs + 1, 0);
	assert_int_equal(recv(c.fd, (char[1]){0}, 1, 0), 0);
	/* TIME_WAIT: a FIN sent again is acknowledged again, then all is gone. */
	put(&c, FINACK, c.gs, c.hs, NULL);
	want(&c, ACK, c.hs, c.gs + 1, 0);
	pass(c.g, TCP_TIME_WAIT + 10);
	flows_become(c.g, 0);
	done(&c);
}

static void test_simultaneous_close(void **state)
{
	struct conn c;

	(void)state;
	setup(&c);
	shutdown(c.fd, SHUT_WR);
	want(&c, FINACK, c.hs, c.gs, 0);
	/* The guest's FIN was sent before ours arrived. */
	put(&c, FINACK, c.gs, c.hs, NULL);
	want(&c, ACK, c.hs + 1, c.gs + 1, 0);
	put(&c, ACK, c.gs + 1, c.hs + 1, NULL);
	assert_int_equal(recv(c.fd, (char[1]){0}, 1, 0), 0);
	pass(c.g, TCP_TIME_WAIT + 10);
	flows_become(c.g, 0);
	done(&c);
}

static void test_fin_with_data(void **state)
{
	struct conn c;
	struct rx *r;
	uint32_t end;

	(void)state;
	setup(&c);
	c.g->full = true;
	host_puts(&c, "last words");
	close(c.fd);
	c.fd = -1;
	usleep(50000);
	c.g->full = false;
	loop_call(c.g->loop, resume_here, c.g->st);
	r = next_rx(c.g, 3000);
	assert_non_null(r);
	assert_int_equal(r->len, 10);
	end = r->seq + 10;
	if (!(r->flags & FIN))
		want(&c, FINACK, end, c.gs, 0);
	rx_free(r);
	put(&c, FINACK, c.gs, end + 1, NULL);
	want(&c, ACK, end + 1, c.gs + 1, 0);
	done(&c);
}

/* --- resets (RFC 5961) ---------------------------------------------------------------------- */

static void test_rst(void **state)
{
	struct conn c;

	(void)state;
	setup(&c);
	put(&c, RST, c.gs + 5, 0, NULL); /* in the window: challenge */
	want(&c, ACK, c.hs, c.gs, 0);
	put(&c, RST, c.gs - 5, 0, NULL); /* outside: nothing */
	put(&c, RST, c.gs + 50000000, 0, NULL);
	want_none(&c);
	put(&c, SYN, c.gs + 5, 0, NULL); /* a SYN: challenge */
	want(&c, ACK, c.hs, c.gs, 0);
	put(&c, ACK, c.gs, c.hs + 1, NULL); /* acknowledges what was never sent */
	want(&c, ACK, c.hs, c.gs, 0);
	assert_int_equal(flows(c.g), 1);
	put(&c, RST, c.gs, 0, NULL);
	assert_int_equal(recv(c.fd, (char[1]){0}, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	flows_become(c.g, 0);
	done(&c);
}

static void test_host_resets(void **state)
{
	const struct linger now = {.l_onoff = 1};
	struct conn c;

	(void)state;
	setup(&c);
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c.fd);
	c.fd = -1;
	want(&c, RST | ACK, c.hs, c.gs, 0);
	flows_become(c.g, 0);
	done(&c);
}

static void test_evict(void **state)
{
	struct conn c;

	(void)state;
	setup(&c);
	loop_call(c.g->loop, evict_here, c.g->st);
	want(&c, RST | ACK, c.hs, c.gs, 0);
	assert_int_equal(recv(c.fd, (char[1]){0}, 1, 0), -1);
	done(&c);
}

/* --- sequence numbers ----------------------------------------------------------------------- */

static void test_overlap(void **state)
{
	struct conn c;

	(void)state;
	setup(&c);
	put(&c, ACK, c.gs, c.hs, "abc");
	want(&c, ACK, c.hs, c.gs + 3, 0);
	put(&c, ACK, c.gs, c.hs, "abcdef"); /* half of it is old */
	want(&c, ACK, c.hs, c.gs + 6, 0);
	put(&c, ACK, c.gs + 1, c.hs, "bc"); /* all of it */
	want(&c, ACK, c.hs, c.gs + 6, 0);
	put(&c, ACK, c.gs + 9, c.hs, "xyz"); /* a hole in front */
	want(&c, ACK, c.hs, c.gs + 6, 0);
	put(&c, ACK, c.gs + 6, c.hs, "ghi");
	want(&c, ACK, c.hs, c.gs + 9, 0);
	put(&c, ACK, c.gs - 1, c.hs, NULL); /* keep-alive (RFC 9293, 3.8.4) */
	want(&c, ACK, c.hs, c.gs + 9, 0);
	host_wants(&c, "abcdefghi");
	done(&c);
}

static void test_one_ack_per_batch(void **state)
{
	static const uint8_t data[4 * 1460];
	struct seg s[4];
	struct conn c;

	(void)state;
	setup(&c);
	for (unsigned i = 0; i < 4; i++)
		s[i] = (struct seg){ACK, c.gs + i * 1460, c.hs, WIN, data, 1460};
	inject(c.g, s, 4);
	want(&c, ACK, c.hs, c.gs + 4 * 1460, 0);
	want_none(&c);
	/* Behind a hole: duplicates, three at most. */
	for (unsigned i = 0; i < 4; i++)
		s[i].seq = c.gs + (i + 5) * 1460;
	inject(c.g, s, 4);
	for (unsigned i = 0; i < 3; i++)
		want(&c, ACK, c.hs, c.gs + 4 * 1460, 0);
	want_none(&c);
	done(&c);
}

/* --- host -> guest: loss, windows ----------------------------------------------------------- */

static void test_retransmit_timeout(void **state)
{
	struct conn c;
	struct rx *r;

	(void)state;
	setup(&c);
	host_puts(&c, "lost");
	want(&c, ACK, c.hs, c.gs, 4);
	pass(c.g, TCP_RTO_MIN + 2);
	r = want_rx(&c, ACK, c.hs, c.gs, 4);
	assert_memory_equal(r->data, "lost", 4);
	rx_free(r);
	pass(c.g, TCP_RTO_MIN + 2); /* backed off */
	want_none(&c);
	pass(c.g, TCP_RTO_MIN + 2);
	want(&c, ACK, c.hs, c.gs, 4);
	assert_int_equal(c.g->st->count.tcp_retransmits, 2);
	put(&c, ACK, c.gs, c.hs + 4, NULL);
	/* Quiet now: nothing in flight, no timer does anything. */
	pass(c.g, 100000);
	want_none(&c);
	done(&c);
}

static void test_fast_retransmit(void **state)
{
	struct conn c;
	struct rx *r;

	(void)state;
	setup(&c);
	for (unsigned i = 0; i < 5; i++) {
		host_puts(&c, "0123456789");
		want(&c, ACK, c.hs + 10 * i, c.gs, 10);
	}
	/* The second was lost. */
	put(&c, ACK, c.gs, c.hs + 10, NULL);
	for (unsigned i = 0; i < 3; i++)
		put(&c, ACK, c.gs, c.hs + 10, NULL);
	r = want_rx(&c, ACK, c.hs + 10, c.gs, 40);
	assert_memory_equal(r->data, "0123456789012345678901234567890123456789", 40);
	rx_free(r);
	put(&c, ACK, c.gs, c.hs + 50, NULL);
	pass(c.g, 5000);
	want_none(&c);
	done(&c);
}

static void test_zero_window(void **state)
{
	struct seg win = {.flags = ACK};
	struct conn c;

	(void)state;
	c = (struct conn){.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};
	open_win(&c, 0);
	host_puts(&c, "patience");
	want_none(&c);
	/* Probed with an old number, again and again while the guest answers. */
	for (unsigned i = 0; i < 3; i++) {
		pass(c.g, 70000);
		want(&c, ACK, c.hs - 1, c.gs, 0);
		win.seq = c.gs;
		win.ack = c.hs;
		inject(c.g, &win, 1);
	}
	win.win = 1;
	inject(c.g, &win, 1);
	want(&c, ACK, c.hs, c.gs, 8);
	done(&c);
}

static void test_window_is_kept(void **state)
{
	char text[1000];
	struct conn c;

	(void)state;
	memset(text, 'x', sizeof(text));
	c = (struct conn){.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};
	open_win(&c, 3); /* 384 bytes */
	assert_int_equal(send(c.fd, text, 1000, 0), 1000);
	want(&c, ACK, c.hs, c.gs, 384);
	want_none(&c);
	struct seg a = {.flags = ACK, .seq = c.gs, .ack = c.hs + 384, .win = 3};

	inject(c.g, &a, 1);
	want(&c, ACK, c.hs + 384, c.gs, 384);
	done(&c);
}

static void test_no_room(void **state)
{
	struct conn c;

	(void)state;
	setup(&c);
	c.g->full = true;
	host_puts(&c, "waits in the kernel");
	for (int i = 0; i < 200 && !c.g->asked; i++)
		usleep(10000);
	assert_true(c.g->asked > 0);
	want_none(&c);
	c.g->full = false;
	loop_call(c.g->loop, resume_here, c.g->st);
	want(&c, ACK, c.hs, c.gs, 19);
	done(&c);
}

static void test_urgent(void **state)
{
	struct conn c;
	char all[8] = {0};
	uint32_t got = 0;

	(void)state;
	setup(&c);
	put(&c, ACK | TCP_URG, c.gs, c.hs, "urg");
	want(&c, ACK, c.hs, c.gs + 3, 0);
	host_wants(&c, "urg");
	assert_int_equal(send(c.fd, "abc", 3, MSG_OOB), 3);
	host_puts(&c, "def");
	while (got < 6) {
		struct rx *r = next_rx(c.g, 3000);

		assert_non_null(r);
		assert_int_equal(r->seq, c.hs + got);
		memcpy(all + got, r->data, MIN(r->len, 7 - got));
		got += r->len;
		rx_free(r);
	}
	assert_string_equal(all, "abcdef");
	done(&c);
}

/* The same without SO_PEEK_OFF, where a read begins with bytes in flight and stops at the mark. */
static void test_urgent_in_flight(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, false), .fd = -1};
	char all[8] = {0};
	uint32_t got = 0;
	bool fin = false;

	(void)state;
	open_win(&c, WIN);
	assert_int_equal(send(c.fd, "abc", 3, MSG_OOB), 3);
	host_puts(&c, "def");
	shutdown(c.fd, SHUT_WR);
	while (!fin) {
		struct rx *r = next_rx(c.g, 3000);

		assert_non_null(r);
		assert_int_equal(r->seq, c.hs + got);
		memcpy(all + got, r->data, MIN(r->len, 7 - got));
		got += r->len;
		fin = r->flags & FIN;
		rx_free(r);
		put(&c, ACK, c.gs, c.hs + got + fin, NULL);
	}
	assert_string_equal(all, "abcdef");
	done(&c);
}

/* Sockets made for a guest never lose the urgent byte, also one read before EPOLLPRI was seen. */
static void test_urgent_inline(void **state)
{
	struct conn c;
	struct flow_key k = {.proto = IP_TCP, .gport = htons(GPORT)};
	int on = 0;
	socklen_t len = sizeof(on);

	(void)state;
	setup(&c);
	k.gaddr = c.g->st->conf.dhcpstart.s_addr;
	k.raddr = c.g->st->conf.host.s_addr;
	k.rport = c.g->rport;
	getsockopt(flow_find(c.g->st, &k)->ev.fd, SOL_SOCKET, SO_OOBINLINE, &on, &len);
	assert_int_equal(on, 1);
	done(&c);
}

/* A FIN behind the last byte of the window does not open it again. */
static void test_fin_at_edge(void **state)
{
	static const uint8_t data[TCP_WIN_FIRST / 4];
	struct seg s[4];
	struct conn c;
	struct rx *r;

	(void)state;
	setup(&c);
	for (unsigned i = 0; i < 4; i++)
		s[i] = (struct seg){.flags = i < 3 ? ACK : FINACK,
				    .seq = c.gs + i * (uint32_t)sizeof(data),
				    .ack = c.hs,
				    .win = WIN,
				    .data = data,
				    .len = sizeof(data)};
	inject(c.g, s, 4);
	r = want_rx(&c, ACK, c.hs, c.gs + TCP_WIN_FIRST + 1, 0);
	assert_int_equal(r->win, 0);
	rx_free(r);
	done(&c);
}

/* --- hostfwd -------------------------------------------------------------------------------- */

struct fwd_arg {
	struct guest *g;
	struct fwd fwd;
	int fd;
	struct sockaddr_in from;
};

static void accept_here(void *arg)
{
	struct fwd_arg *a = arg;

	tcp_accept(a->g->st, &a->fwd, a->fd, &a->from);
}

/* A client of the host connects; returns its descriptor. */
static int forwarded(struct conn *c)
{
	struct fwd_arg a = {.g = c->g};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = c->g->rport,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval tv = {.tv_sec = 3};
	socklen_t len = sizeof(a.from);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	a.fd = accept4(c->g->lfd, (struct sockaddr *)&a.from, &len, SOCK_NONBLOCK);
	assert_true(a.fd >= 0);
	a.fwd.st = c->g->st;
	a.fwd.proto = IP_TCP;
	a.fwd.guest.sin_addr = c->g->st->conf.dhcpstart;
	a.fwd.guest.sin_port = htons(GPORT);
	/* The test's segments come from 10.0.2.15:4000 to the host's port. */
	c->g->rport = a.from.sin_port;
	loop_call(c->g->loop, accept_here, &a);
	return fd;
}

static void test_forward(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};
	struct rx *r;

	(void)state;
	put(&c, RST, 0, 0, NULL); /* makes the guest's MAC known */
	c.fd = forwarded(&c);
	r = next_rx(c.g, 3000);
	assert_non_null(r);
	assert_int_equal(r->flags, SYN);
	c.hs = r->seq;
	rx_free(r);
	pass(c.g, 1001);
	want(&c, SYN, c.hs, 0, 0); /* lost, sent again */
	put(&c, ACK, 1, c.hs + 9, NULL);
	want(&c, RST, c.hs + 9, 0, 0); /* half-open guest: RFC 9293, 3.5.2 */
	put(&c, SYNACK, ISS, c.hs + 1, NULL);
	want(&c, ACK, c.hs + 1, ISS + 1, 0);
	host_puts(&c, "GET /");
	want(&c, ACK, c.hs + 1, ISS + 1, 5);
	put(&c, ACK, ISS + 1, c.hs + 6, "200");
	want(&c, ACK, c.hs + 6, ISS + 4, 0);
	host_wants(&c, "200");
	done(&c);
}

static void accept_alike(void *arg)
{
	struct fwd_arg *a = arg;
	struct flow_key k = {.proto = IP_TCP, .gport = a->fwd.guest.sin_port};

	for (unsigned i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		tcp_accept(a->g->st, &a->fwd, fd, &a->from);
	}
	k.gaddr = a->g->st->conf.dhcpstart.s_addr;
	k.raddr = a->g->st->conf.host.s_addr;
	k.rport = htons(65535);
	assert_non_null(flow_find(a->g->st, &k));
	k.rport = htons(1024);
	assert_non_null(flow_find(a->g->st, &k));
}

/* Two clients that look alike: the second gets another port, which is never 0. */
static void test_forward_alike(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM, false, true), .fd = -1};
	struct fwd_arg a = {.g = c.g};

	(void)state;
	a.fwd.guest.sin_port = htons(GPORT);
	a.from = (struct sockaddr_in){.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons(65535)};
	loop_call(c.g->loop, accept_alike, &a);
	done(&c);
}

static void test_forward_refused(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};
	struct rx *r;

	(void)state;
	put(&c, RST, 0, 0, NULL);
	c.fd = forwarded(&c);
	r = next_rx(c.g, 3000);
	assert_non_null(r);
	put(&c, RST | ACK, 0, r->seq + 1, NULL);
	rx_free(r);
	assert_int_equal(recv(c.fd, (char[1]){0}, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	flows_become(c.g, 0);
	done(&c);
}

static void test_simultaneous_open(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};
	struct rx *r;

	(void)state;
	put(&c, RST, 0, 0, NULL);
	c.fd = forwarded(&c);
	r = next_rx(c.g, 3000);
	assert_non_null(r);
	c.hs = r->seq;
	rx_free(r);
	put(&c, SYN, ISS, 0, NULL);
	want(&c, SYNACK, c.hs, ISS + 1, 0);
	put(&c, SYNACK, ISS, c.hs + 1, NULL);
	want(&c, ACK, c.hs + 1, ISS + 1, 0);
	host_puts(&c, "both");
	want(&c, ACK, c.hs + 1, ISS + 1, 4);
	done(&c);
}

/* The guest's MAC is not known yet: asked for, then the SYN goes out. */
static void test_forward_arp(void **state)
{
	struct conn c = {.g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true), .fd = -1};

	(void)state;
	c.fd = forwarded(&c);
	want_none(&c);
	put(&c, RST, 0, 0, NULL);
	pass(c.g, 250);
	struct rx *r = next_rx(c.g, 3000);

	assert_non_null(r);
	assert_int_equal(r->flags, SYN);
	rx_free(r);
	done(&c);
}

/* --- many ----------------------------------------------------------------------------------- */

static void test_syn_flood(void **state)
{
	struct guest *g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true);
	struct rlimit old, few;
	int used = dup(0);

	(void)state;
	close(used);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)used + 50;
	setrlimit(RLIMIT_NOFILE, &few);
	for (unsigned i = 0; i < 2000; i++) {
		struct seg s = {.flags = SYN, .seq = i, .gport = (uint16_t)(5000 + i)};

		inject(g, &s, 1);
	}
	assert_true(flows(g) <= 50);
	assert_true(flows(g) > 10); /* the newest live, the oldest went */
	assert_true(g->st->count.flows_evicted > 1000);
	setrlimit(RLIMIT_NOFILE, &old);
	guest_free(g);
}

/* Nonsense of every kind must neither crash nor leave anything behind. */
static void test_noise(void **state)
{
	struct guest *g = guest_new(NET_CAP_CSUM | NET_CAP_TSO4, true, true);
	static uint8_t data[2000];
	uint32_t x = 12345;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		struct seg s[8];

		for (unsigned k = 0; k < 8; k++) {
			x = x * 1664525 + 1013904223;
			s[k] = (struct seg){.flags = (uint8_t)(x >> 24) & 0x3f,
					    .seq = 100 + (x >> 8) % 3000,
					    .ack = x >> 9 & 1 ? x * 77 : (x >> 10) % 3000,
					    .win = (uint16_t)(x >> 4),
					    .data = data,
					    .len = x >> 11 & 1 ? (x >> 16) % 1500 : 0,
					    .gport = (uint16_t)(2000 + (x >> 20) % 3)};
		}
		inject(g, s, 8);
		if (i % 64 == 0)
			pass(g, 300);
		struct pollfd pf = {.fd = g->lfd, .events = POLLIN};

		if (poll(&pf, 1, 0) == 1) {
			int fd = accept(g->lfd, NULL, NULL);

			send(fd, data, 500, MSG_NOSIGNAL | MSG_DONTWAIT);
			close(fd);
		}
		rx_free(next_rx(g, 0));
	}
	assert_true(flows(g) <= 3);
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data_both_ways),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_syn_ack_again),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_guest_closes_first),
		cmocka_unit_test(test_host_closes_first),
		cmocka_unit_test(test_simultaneous_close),
		cmocka_unit_test(test_fin_with_data),
		cmocka_unit_test(test_rst),
		cmocka_unit_test(test_host_resets),
		cmocka_unit_test(test_evict),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_one_ack_per_batch),
		cmocka_unit_test(test_retransmit_timeout),
		cmocka_unit_test(test_fast_retransmit),
		cmocka_unit_test(test_zero_window),
		cmocka_unit_test(test_window_is_kept),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_urgent_in_flight),
		cmocka_unit_test(test_urgent_inline),
		cmocka_unit_test(test_fin_at_edge),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_forward_refused),
		cmocka_unit_test(test_forward_alike),
		cmocka_unit_test(test_simultaneous_open),
		cmocka_unit_test(test_forward_arp),
		cmocka_unit_test(test_syn_flood),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
