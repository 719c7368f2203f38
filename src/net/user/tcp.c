/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP of the user-mode stack: entry and per-stack state.
 *
 * The guest's connection ends here, and every flow has one non-blocking, edge-triggered socket on
 * the host. No payload is ever stored in between. What the guest sends is written to the socket
 * straight from the frame, and only what the kernel took is acknowledged; the window told to the
 * guest is the free room of the socket's send buffer. What the host sends stays in the socket's
 * receive queue until the guest acknowledged it: frames are made by reading with MSG_PEEK into
 * buffers the guest lent, acknowledged bytes are dropped by recv(MSG_TRUNC), and a
 * retransmission reads again. So a slow end slows the other by TCP's own means, and memory does not
 * depend on what goes through.
 *
 * In a batch of frames, payload of successive segments is gathered (tcp_state.gather) and flows
 * that need work are remembered (tcp_state.dirty); tcp_flush() at the end of the batch writes,
 * acknowledges and sends, once per flow.
 *
 * System calls: socket connect setsockopt getsockopt sendmsg recvmsg recv shutdown poll close
 * getrandom.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/sip.h"
#include "net/user/tcp_priv.h"

#define OPT_END	   0 /* RFC 9293, 3.2 */
#define OPT_NOP	   1
#define OPT_MSS	   2
#define OPT_WSCALE 3 /* RFC 7323, 2.2 */

const struct tcp_st_info tcp_st_info[TCPS_COUNT] = {
	[TCPS_CLOSED] = {"CLOSED", 0},
	[TCPS_CONNECTING] = {"CONNECTING", 0},
	[TCPS_SYN_SENT] = {"SYN_SENT", 0},
	[TCPS_SYN_RCVD] = {"SYN_RCVD", TOP_SYNC},
	[TCPS_ESTABLISHED] = {"ESTABLISHED", TOP_SYNC | TOP_RX | TOP_TX},
	[TCPS_FIN_WAIT_1] = {"FIN_WAIT_1", TOP_SYNC | TOP_RX | TOP_TX},
	[TCPS_FIN_WAIT_2] = {"FIN_WAIT_2", TOP_SYNC | TOP_RX},
	[TCPS_CLOSE_WAIT] = {"CLOSE_WAIT", TOP_SYNC | TOP_TX},
	[TCPS_CLOSING] = {"CLOSING", TOP_SYNC | TOP_TX},
	[TCPS_LAST_ACK] = {"LAST_ACK", TOP_SYNC | TOP_TX},
	[TCPS_TIME_WAIT] = {"TIME_WAIT", 0},
};

/* --- per-stack state ------------------------------------------------------------------------ */

static bool have_peek_off(void)
{
	const int zero = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	/* Kernels that lack it for TCP answer EOPNOTSUPP. */
	ok = setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)) == 0;
	close(fd);
	return ok;
}

int tcp_init(struct stack *st, struct err *e)
{
	/* Not zeroed by hand: pages of buffers that are never used never exist. */
	struct tcp_state *t = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, ENOMEM, "no memory for the TCP translation");
	if (getrandom(t->secret, sizeof(t->secret), 0) != sizeof(t->secret)) {
		int code = errno;

		free(t);
		return err_set(e, code, "no random numbers for TCP: %s", strerror(code));
	}
	t->peek_off = have_peek_off();
	st->tcp = t;
	return 0;
}

void tcp_exit(struct stack *st)
{
	free(st->tcp);
	st->tcp = NULL;
}

/* RFC 6528: a keyed hash of the connection's names plus a clock of 4 us. */
uint32_t tcp_isn(struct stack *st, const struct flow_key *k)
{
	uint64_t a = (uint64_t)k->gaddr << 32 | k->raddr;
	uint64_t b = (uint64_t)k->gport << 16 | k->rport;

	return (uint32_t)sip_hash(st->tcp->secret, a, b, 2, 4) +
	       (uint32_t)(loop_now(st->loop) / 4000);
}

/* --- work put off to the end of the batch --------------------------------------------------- */

void tcp_mark(struct flow *f)
{
	struct tcp_state *t = f->st->tcp;
	struct tcp_priv *v = tcp_priv(f);

	if (v->flags & TF_DIRTY)
		return;
	if (t->ndirty == TCP_DIRTY_MAX)
		tcp_flush(f->st);
	v->flags |= TF_DIRTY;
	t->dirty[t->ndirty++] = f;
}

void tcp_forget(struct flow *f)
{
	struct tcp_state *t = f->st->tcp;

	if (t->gather.f == f)
		t->gather.f = NULL;
	if (!(tcp_priv(f)->flags & TF_DIRTY))
		return;
	tcp_priv(f)->flags &= ~TF_DIRTY;
	for (unsigned i = 0; i < t->ndirty; i++)
		if (t->dirty[i] == f)
			t->dirty[i] = NULL;
}

void tcp_flush(struct stack *st)
{
	struct tcp_state *t = st->tcp;

	tcp_gather_flush(st);
	for (unsigned i = 0; i < t->ndirty; i++) {
		struct flow *f = t->dirty[i];

		if (!f)
			continue;
		t->dirty[i] = NULL;
		tcp_priv(f)->flags &= ~TF_DIRTY;
		tcp_settle(f);
	}
	t->ndirty = 0;
}

/* --- segments ------------------------------------------------------------------------------- */

static void parse_options(const uint8_t *o, unsigned len, struct tcp_seg *s)
{
	while (len && *o != OPT_END) {
		unsigned n = *o == OPT_NOP ? 1 : len > 1 ? o[1] : 0;

		if (!n || n > len || (n < 2 && *o != OPT_NOP))
			return; /* malformed: what was understood so far stands */
		if (o[0] == OPT_MSS && n == 4)
			s->mss = get_be16(o + 2);
		else if (o[0] == OPT_WSCALE && n == 3)
			s->wscale = (int8_t)MIN(o[2], 14); /* RFC 7323, 2.3 */
		o += n;
		len -= n;
	}
}

/* Copies and checks the header. False: the segment is malformed or damaged, and counted. */
static bool parse(struct stack *st, struct pkt *p, struct tcp_seg *s)
{
	const struct iovec *vec = p->f->vec + 1;
	unsigned nvec = p->f->nvec - 1, total, off;
	uint8_t opt[40];

	if (p->end < p->l4 + sizeof(s->h))
		goto bad;
	total = p->end - p->l4;
	if (iov_read(vec, nvec, p->l4, &s->h, sizeof(s->h)) != sizeof(s->h))
		goto bad;
	off = (s->h.off >> 4) * 4u;
	if (off < sizeof(s->h) || off > total)
		goto bad;
	if (!p->csum_ok) {
		uint32_t sum = csum_pseudo4(p->ip.src, p->ip.dst, IP_TCP, (uint16_t)total);

		if (csum_fold(csum_add_iov(sum, vec, nvec, p->l4, total)) != 0) {
			st->count.bad_csum++;
			return false;
		}
	}
	s->seq = ntohl(s->h.seq);
	s->ack = ntohl(s->h.ack);
	s->win = ntohs(s->h.win);
	s->flags = s->h.flags;
	s->data = p->l4 + off;
	s->len = total - off;
	s->mss = 0;
	s->wscale = -1;
	if (s->flags & TCP_SYN) {
		unsigned n = off - (unsigned)sizeof(s->h);

		if (iov_read(vec, nvec, p->l4 + sizeof(s->h), opt, n) != n)
			goto bad;
		parse_options(opt, n, s);
	}
	return true;
bad:
	st->count.bad_frame++;
	return false;
}

void tcp_in(struct stack *st, struct pkt *p)
{
	struct flow_key k = {.gaddr = p->ip.src, .raddr = p->ip.dst, .proto = IP_TCP};
	struct tcp_seg s;
	struct flow *f;

	if (!parse(st, p, &s))
		return;
	k.gport = s.h.sport;
	k.rport = s.h.dport;
	f = flow_find(st, &k);
	if (!f) {
		if ((s.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN)
			tcp_open(st, p, &k, &s);
		else
			tcp_rst_reply(st, p, &s);
		return;
	}
	switch (f->u.tcp.state) {
	case TCPS_CONNECTING:
		tcp_in_connecting(f, p, &s);
		break;
	case TCPS_SYN_SENT:
		tcp_in_syn_sent(f, p, &s);
		break;
	case TCPS_TIME_WAIT:
		tcp_in_time_wait(f, p, &s);
		break;
	default:
		tcp_in_sync(f, p, &s);
	}
}

/* --- operations of the connection table ----------------------------------------------------- */

static void tcp_event(struct flow *f, uint32_t events)
{
	struct tcp_priv *v = tcp_priv(f);

	if (f->u.tcp.state == TCPS_CONNECTING) {
		tcp_connected(f, events);
		return;
	}
	if (events & EPOLLERR) {
		int code = 0;
		socklen_t len = sizeof(code);

		getsockopt(f->ev.fd, SOL_SOCKET, SO_ERROR, &code, &len);
		if (code) {
			tcp_reset(f, true, true);
			return;
		}
	}
	/* RFC 6093: urgent data is data (SO_OOBINLINE, from the start: a read must never skip the
	 * byte). Reads stop at the mark, so shortness means nothing from now on. */
	if (events & EPOLLPRI)
		v->flags |= TF_URG;
	if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP))
		v->flags |= TF_HOST_IN;
	if (events & (EPOLLRDHUP | EPOLLHUP))
		v->flags |= TF_RDHUP;
	if (events & EPOLLOUT && v->flags & TF_WAIT_OUT) {
		v->flags &= ~TF_WAIT_OUT;
		v->flags |= TF_ACK;
		tcp_window(f, true);
		if (v->flags & TF_LOST) {
			/* Three duplicates make the guest send again at once (RFC 5681, 3.2). */
			v->flags &= ~TF_LOST;
			v->dup_out = 3;
		}
	}
	tcp_settle(f);
}

static void tcp_ready(struct flow *f)
{
	tcp_settle(f);
}

static void tcp_evict(struct flow *f)
{
	tcp_reset(f, true, true);
}

static void tcp_info(const struct flow *f, char *buf, size_t len)
{
	const struct tcp_flow *t = &f->u.tcp;

	snprintf(buf, len, "%s in-flight %u windows %u/%u rto %u ms", tcp_st_info[t->state].name,
		 tcp_flight(f), t->win_guest, t->win_edge - t->ack_next, t->rto);
}

const struct flow_ops tcp_flow_ops = {
	.name = "tcp",
	.event = tcp_event,
	.ready = tcp_ready,
	.timer = tcp_timer,
	.evict = tcp_evict,
	.info = tcp_info,
};
