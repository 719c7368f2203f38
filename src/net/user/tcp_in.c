/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP segments from the guest, once both ends know both sequence numbers: RFC 9293, 3.10.7.4, with
 * the checks of RFC 5961.
 *
 * Payload in order is gathered and written by one sendmsg() per batch and flow; only what the
 * kernel took is acknowledged. The window is the free room of the socket's send buffer, asked for
 * (SO_MEMINFO) when the guest has used a quarter of what it was told, so that in practice nothing
 * is ever dropped. When there is little room, poll() makes the kernel report EPOLLOUT. Segments out
 * of order have no place to go: they are dropped, with a duplicate acknowledgement.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "base/iov.h"
#include "net/user/tcp_priv.h"

#define CHALLENGES_PER_S 1000u /* RFC 5961, 7 */

/* --- guest -> host -------------------------------------------------------------------------- */

bool tcp_gather_flush(struct stack *st)
{
	struct tcp_gather *g = &st->tcp->gather;
	struct flow *f = g->f;
	struct msghdr m = {.msg_iov = g->iov, .msg_iovlen = g->n};
	const int one = 1;
	ssize_t n;

	if (!f)
		return true;
	struct tcp_priv *v = tcp_priv(f);

	g->f = NULL;
	if ((v->flags & (TF_SENT | TF_NODELAY)) == TF_SENT) {
		/* The guest's own Nagle has done what there was to do. */
		setsockopt(f->ev.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		v->flags |= TF_NODELAY;
	}
	n = sendmsg(f->ev.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM && errno != EINTR) {
		tcp_reset(f, true, true);
		return false;
	}
	n = MAX(n, 0);
	f->u.tcp.ack_next += (uint32_t)n;
	f->tx_bytes += (uint64_t)n;
	v->flags |= TF_SENT | TF_ACK;
	if ((uint32_t)n < g->bytes)
		v->flags |= TF_WAIT_OUT | TF_LOST;
	else
		v->flags &= ~TF_LOST; /* the guest has sent again by itself */
	return true;
}

/* Adds payload bytes [off, off + len) of the frame. The frame stays valid until tcp_flush(). */
static bool gather(struct flow *f, const struct pkt *p, unsigned off, uint32_t len)
{
	struct tcp_gather *g = &f->st->tcp->gather;
	bool retried = false;

	tcp_mark(f); /* may flush the batch so far */
	if (g->f != f)
		tcp_gather_flush(f->st);
	while (len) {
		size_t got = 0;

		if (!g->f) {
			g->f = f;
			g->n = g->bytes = 0;
		}
		g->n += iov_slice(p->f->vec + 1, p->f->nvec - 1, off, len, g->iov + g->n,
				  TCP_GATHER_IOV - g->n, &got);
		g->bytes += (uint32_t)got;
		off += (unsigned)got;
		len -= (uint32_t)got;
		if (!len || (!got && retried))
			break;
		retried = !got;
		if (!tcp_gather_flush(f->st))
			return false;
		if (tcp_priv(f)->flags & TF_LOST)
			break; /* the rest would leave a hole */
	}
	return true;
}

static uint32_t send_room(int fd, uint32_t *size)
{
	uint32_t mem[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(mem);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len) < 0)
		return 0;
	*size = mem[SK_MEMINFO_SNDBUF];
	return *size > mem[SK_MEMINFO_WMEM_QUEUED] ? *size - mem[SK_MEMINFO_WMEM_QUEUED] : 0;
}

void tcp_window(struct flow *f, bool force)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);
	uint32_t left = t->win_edge - t->ack_next, size = 0, room;

	if (f->ev.fd < 0 || !tcp_may(f, TOP_RX) || (!force && left >= v->room - v->room / 4))
		return;
	room = send_room(f->ev.fd, &size);
	if (room < size / 3 && !(v->flags & TF_WAIT_OUT)) {
		/* The kernel promises EPOLLOUT only to who has asked in vain. */
		struct pollfd pf = {.fd = f->ev.fd, .events = POLLOUT};

		if (poll(&pf, 1, 0) == 1)
			room = send_room(f->ev.fd, &size);
		else
			v->flags |= TF_WAIT_OUT;
	}
	/* The kernel counts its own structures, too: about 1.3 % of large segments. */
	room = MIN(room - room / 16, 65535u << t->wscale_out);
	if (room < t->mss)
		room = 0; /* RFC 9293, 3.8.6.2.2: no silly windows */
	v->room = MAX(room, TCP_WIN_FIRST);
	/* A window once given is never taken back (RFC 9293, 3.8.6). */
	if (seq_lt(t->win_edge, t->ack_next + room))
		t->win_edge = t->ack_next + room;
}

/* --- acknowledgements ----------------------------------------------------------------------- */

static void challenge(struct flow *f)
{
	struct tcp_state *ts = f->st->tcp;
	uint64_t now = loop_now(f->st->loop);

	if (now - ts->challenge_from >= NS_PER_S) {
		ts->challenge_from = now;
		ts->challenges = 0;
	}
	if (ts->challenges++ >= CHALLENGES_PER_S)
		return;
	tcp_priv(f)->flags |= TF_ACK;
	tcp_mark(f);
}

/* RFC 6298, with Karn's rule: TF_RTT is cleared by retransmissions. */
static void measure(struct flow *f)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);

	if (v->flags & TF_RTT && seq_le(v->rtt_seq, t->seq_una)) {
		int32_t m = (int32_t)MIN(tcp_ms(f->st) - v->rtt_ms, 4000u);

		if (!v->srtt8) {
			v->srtt8 = (uint16_t)(m << 3);
			v->rttvar4 = (uint16_t)(m << 1);
		} else {
			int32_t d = m - (v->srtt8 >> 3);

			v->srtt8 = (uint16_t)(v->srtt8 + d);
			d = (d < 0 ? -d : d) - (v->rttvar4 >> 2);
			v->rttvar4 = (uint16_t)(v->rttvar4 + d);
		}
		v->flags &= ~TF_RTT;
	}
	t->rto = MIN(MAX((v->srtt8 >> 3) + MAX(v->rttvar4, 10u), TCP_RTO_MIN), TCP_RTO_MAX);
}

/* Our FIN was acknowledged. False: the flow is gone. */
static bool fin_acked(struct flow *f)
{
	switch (f->u.tcp.state) {
	case TCPS_FIN_WAIT_1:
		f->u.tcp.state = TCPS_FIN_WAIT_2;
		return true;
	case TCPS_CLOSING:
		tcp_time_wait(f);
		return true;
	case TCPS_LAST_ACK:
		tcp_finish(f);
		return false;
	default:
		return true;
	}
}

static bool new_ack(struct flow *f, const struct tcp_seg *s)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);
	uint32_t n = s->ack - t->seq_una;

	t->seq_una = s->ack;
	if (seq_lt(t->seq_next, t->seq_una))
		t->seq_next = t->seq_una;
	t->win_guest = (uint32_t)s->win << t->wscale_in;
	t->retries = 0;
	t->dupacks = 0;
	v->cwnd = MIN(v->cwnd + n, TCP_CWND_MAX);
	v->flags |= TF_ACKED;
	measure(f);
	tcp_mark(f);
	if (v->flags & TF_EOF && t->seq_una == v->max) {
		v->flags |= TF_FIN_OUT;
		if (!fin_acked(f))
			return false;
	}
	if (v->flags & TF_RECOVER) {
		if (seq_lt(t->seq_una, v->recover)) /* partial: the next hole (RFC 6582, 3.2) */
			return tcp_retransmit(f);
		v->flags &= ~TF_RECOVER;
	}
	if (seq_lt(v->recover, t->seq_una))
		v->recover = t->seq_una - 1;
	if (v->max != t->seq_una)
		tcp_arm_rto(f);
	return true;
}

/* Same number acknowledged again: RFC 5681, 2 and 3.2. */
static bool same_ack(struct flow *f, const struct tcp_seg *s, bool in_order)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);
	uint32_t win = (uint32_t)s->win << t->wscale_in;

	if (win != t->win_guest) {
		if (in_order) {
			if (!t->win_guest)
				t->retries = 0;
			t->win_guest = win;
			tcp_mark(f);
		}
		return true;
	}
	if (!win && s->len == 0)
		t->retries = 0; /* answers our probes: it lives (RFC 9293, 3.8.6.1) */
	if (s->len || s->flags & TCP_FIN || v->max == t->seq_una || ++t->dupacks != 3)
		return true;
	if (v->flags & TF_RECOVER || !seq_lt(v->recover, t->seq_una))
		return true;
	v->flags |= TF_RECOVER;
	v->recover = v->max;
	v->cwnd = MAX(tcp_flight(f) / 2, 128u << 10);
	return tcp_retransmit(f);
}

/* --- segments ------------------------------------------------------------------------------- */

/* What the guest's next segment must start with. */
static uint32_t expected(const struct flow *f)
{
	const struct tcp_gather *g = &f->st->tcp->gather;

	return f->u.tcp.ack_next + (g->f == f ? g->bytes : 0);
}

/* RFC 5961, 3.2 */
static void in_rst(struct flow *f, const struct tcp_seg *s, uint32_t nxt)
{
	uint32_t win = f->u.tcp.win_edge - nxt;

	if (s->seq == nxt) {
		tcp_gather_flush(f->st); /* what came before the reset still counts */
		if (f->kind == FLOW_TCP)
			tcp_reset(f, false, true);
	} else if (s->seq - nxt < win) {
		challenge(f);
	}
}

/* A SYN where none belongs: RFC 5961, 4.2, but retransmissions while opening are answered. */
static void in_syn(struct flow *f, const struct tcp_seg *s)
{
	struct tcp_flow *t = &f->u.tcp;

	if (t->state != TCPS_SYN_RCVD || s->seq + 1 != t->ack_next) {
		challenge(f);
	} else if (!(s->flags & TCP_ACK)) {
		tcp_send_ctl(f, t->seq_una, TCP_SYN | TCP_ACK);
	} else if (s->ack == t->seq_next) { /* simultaneous open */
		tcp_establish(f, s);
		tcp_priv(f)->flags |= TF_ACK;
		tcp_mark(f);
	}
}

/* All bytes up to the guest's FIN are in the socket. */
static void guest_fin(struct flow *f)
{
	struct tcp_flow *t = &f->u.tcp;

	t->ack_next++;
	/* The FIN may stand right behind a full window. */
	if (seq_lt(t->win_edge, t->ack_next))
		t->win_edge = t->ack_next;
	tcp_priv(f)->flags |= TF_ACK;
	tcp_mark(f);
	switch (t->state) {
	case TCPS_ESTABLISHED:
		t->state = TCPS_CLOSE_WAIT;
		break;
	case TCPS_FIN_WAIT_1:
		t->state = TCPS_CLOSING;
		break;
	case TCPS_FIN_WAIT_2:
		tcp_time_wait(f); /* closes: no shutdown() needed */
		return;
	default:
		return;
	}
	shutdown(f->ev.fd, SHUT_WR);
}

/* The part of a segment that is new and fits the window. */
struct part {
	uint32_t off, len;
	bool fin, in_order;
};

static struct part trim(struct flow *f, const struct tcp_seg *s, uint32_t nxt)
{
	struct part r = {.len = s->len, .fin = s->flags & TCP_FIN, .in_order = true};
	struct tcp_priv *v = tcp_priv(f);
	uint32_t left = f->u.tcp.win_edge - nxt;
	bool ack = false;

	if (seq_lt(s->seq, nxt)) {
		uint32_t old = nxt - s->seq;

		if (old < r.len || (old == r.len && r.fin)) {
			r.off = old;
			r.len -= old;
		} else { /* all of it came before: also keep-alives and window probes */
			r.len = 0;
			r.fin = r.in_order = false;
			ack = true;
		}
	} else if (s->seq != nxt) {
		if (r.len || r.fin || s->seq - nxt > left) {
			v->dup_out = (uint8_t)MIN(v->dup_out + 1, 3);
			ack = true;
		}
		r.len = 0;
		r.fin = false;
		r.in_order = s->seq - nxt <= left;
	}
	if (r.len && !tcp_may(f, TOP_RX)) {
		r.len = 0;
		r.fin = false;
		ack = true;
	} else if (r.len > left) {
		r.len = left;
		r.fin = false;
		ack = true;
	}
	if (ack) {
		v->flags |= TF_ACK;
		tcp_mark(f);
	}
	return r;
}

/* SYN_RCVD: the guest's answer to our SYN-ACK. False: not to be looked at further. */
static bool in_syn_rcvd(struct flow *f, struct pkt *p, const struct tcp_seg *s)
{
	if (s->ack != f->u.tcp.seq_next) {
		tcp_rst_reply(f->st, p, s);
		return false;
	}
	if (s->seq - f->u.tcp.ack_next > TCP_WIN_FIRST) {
		challenge(f);
		return false;
	}
	tcp_establish(f, s);
	if (tcp_priv(f)->flags & TF_HOST_IN)
		tcp_mark(f);
	return true;
}

void tcp_in_sync(struct flow *f, struct pkt *p, const struct tcp_seg *s)
{
	struct tcp_flow *t = &f->u.tcp;
	uint32_t nxt = expected(f);

	if (s->flags & TCP_RST) {
		in_rst(f, s, nxt);
		return;
	}
	if (s->flags & TCP_SYN) {
		in_syn(f, s);
		return;
	}
	if (!(s->flags & TCP_ACK))
		return;
	if (t->state == TCPS_SYN_RCVD && !in_syn_rcvd(f, p, s))
		return;
	/* RFC 5961, 5.2 */
	if (seq_lt(tcp_priv(f)->max, s->ack) || t->seq_una - s->ack > (65535u << t->wscale_in)) {
		if (seq_lt(tcp_priv(f)->max, s->ack) || !seq_lt(t->seq_una, s->ack)) {
			challenge(f);
			return;
		}
	}
	struct part r = trim(f, s, nxt);

	if (seq_lt(t->seq_una, s->ack)) {
		if (!new_ack(f, s))
			return;
	} else if (s->ack == t->seq_una && !same_ack(f, s, r.in_order)) {
		return;
	}
	if (r.len && !gather(f, p, s->data + r.off, r.len))
		return;
	if (!r.fin || !tcp_may(f, TOP_RX))
		return;
	if (f->st->tcp->gather.f == f && !tcp_gather_flush(f->st))
		return;
	if (t->ack_next == s->seq + s->len)
		guest_fin(f);
}
