/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP connections: opening from either end, ending, timers.
 *
 * A guest's SYN starts a non-blocking connect() and is answered only when the host answered, so
 * that the guest learns the truth: SYN-ACK, RST, or an ICMP error. A connection accepted for a
 * hostfwd sends a SYN to the guest. Few system calls per connection matter: options of the socket
 * are set when first needed (TCP_NODELAY before the second write, SO_PEEK_OFF before the second
 * read), and the wheel is touched only when a timer must fire earlier than the one armed; one that
 * fires too early looks at the clock and arms itself again.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/user/tcp_priv.h"

#define ICMP_UNREACH	   3 /* RFC 792 */
#define ICMP_NET_UNREACH   0
#define ICMP_HOST_UNREACH  1
#define ICMP_ADMIN_BLOCKED 13	/* RFC 1812, 5.2.7.1 */
#define MSS_DEFAULT	   536u /* RFC 9293, 3.7.1 */
#define MSS_LEAST	   88u	/* less only costs: a header is 54 bytes */

/* --- timers --------------------------------------------------------------------------------- */

void tcp_arm(struct flow *f, uint32_t ms)
{
	struct tcp_priv *v = tcp_priv(f);
	uint64_t when = loop_now(f->st->loop) + ms * NS_PER_MS;

	if (v->flags & TF_TIMER && f->deadline <= when)
		return;
	v->flags |= TF_TIMER;
	flow_timer(f, when);
}

void tcp_arm_rto(struct flow *f)
{
	tcp_priv(f)->rto_at = tcp_ms(f->st) + f->u.tcp.rto;
	tcp_arm(f, f->u.tcp.rto);
}

/* True when the flow was given up. */
static bool too_often(struct flow *f, unsigned limit)
{
	if (f->u.tcp.retries < limit) {
		f->u.tcp.retries++;
		f->u.tcp.rto = MIN(2 * f->u.tcp.rto, TCP_RTO_MAX);
		return false;
	}
	tcp_reset(f, true, true);
	return true;
}

static void syn_timer(struct flow *f)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);

	if (v->flags & TF_NO_ARP) {
		/* The guest may still be starting; asking costs nothing, so do not back off. */
		if (++t->retries > 64) {
			tcp_reset(f, false, true);
			return;
		}
		if (!stack_neigh(f->st, f->key.gaddr, f->gmac)) {
			tcp_arm(f, TCP_ARP_RETRY);
			return;
		}
		v->flags &= ~TF_NO_ARP;
		t->retries = 0;
	} else if (too_often(f, TCP_SYN_TRIES)) {
		return;
	} else {
		f->st->count.tcp_retransmits++;
	}
	tcp_send_ctl(f, t->seq_una, t->state == TCPS_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK);
	tcp_arm_rto(f);
}

/* RFC 9293, 3.8.6.1: an acknowledgement with an old number, which the guest must answer. */
static void probe_window(struct flow *f)
{
	if (too_often(f, TCP_TRIES))
		return;
	tcp_send_ctl(f, f->u.tcp.seq_una - 1, TCP_ACK);
	tcp_arm_rto(f);
}

void tcp_timer(struct flow *f)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);
	uint32_t now = tcp_ms(f->st);

	v->flags &= ~TF_TIMER;
	if (t->state == TCPS_TIME_WAIT) {
		tcp_forget(f);
		flow_free(f);
		return;
	}
	if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RCVD) {
		syn_timer(f);
		return;
	}
	bool flight = v->max != t->seq_una, probe = v->flags & TF_HOST_IN && !t->win_guest;

	if (!tcp_may(f, TOP_TX) || !(flight || probe))
		return; /* idle: no timer */
	if (seq_lt(now, v->rto_at)) {
		tcp_arm(f, v->rto_at - now);
		return;
	}
	if (!flight) {
		probe_window(f);
		return;
	}
	if (too_often(f, TCP_TRIES))
		return;
	/* RFC 6298, 5.4-5.6, RFC 5681, 3.1: back to the first byte, one frame, Karn's rule. */
	f->st->count.tcp_retransmits++;
	t->seq_next = t->seq_una;
	t->dupacks = 0;
	v->flags &= ~(TF_FIN_OUT | TF_RTT | TF_RECOVER);
	v->flags |= TF_HOST_IN;
	v->cwnd = MAX(t->mss, 1u);
	tcp_arm_rto(f);
	if (t->win_guest)
		tcp_settle(f);
	else
		tcp_send_ctl(f, t->seq_una - 1, TCP_ACK);
}

/* --- opening -------------------------------------------------------------------------------- */

static void take_options(struct flow *f, const struct tcp_seg *s)
{
	struct tcp_flow *t = &f->u.tcp;
	uint32_t most = MAX(f->st->conf.mtu, 576u) - 40;

	t->mss = (uint16_t)MIN(MAX(s->mss ? s->mss : MSS_DEFAULT, MSS_LEAST), most);
	if (s->wscale >= 0) {
		tcp_priv(f)->flags |= TF_WSCALE;
		t->wscale_in = (uint8_t)s->wscale;
		t->wscale_out = TCP_WSCALE;
	} else {
		t->wscale_in = t->wscale_out = 0;
		tcp_priv(f)->flags &= ~TF_WSCALE;
	}
}

static void start(struct flow *f, enum tcp_st state)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);

	memset(t, 0, sizeof(*t));
	t->state = (uint8_t)state;
	t->seq_una = t->seq_next = v->max = tcp_isn(f->st, &f->key);
	t->rto = TCP_RTO_FIRST;
	t->mss = MSS_DEFAULT;
	v->cwnd = TCP_CWND_MAX;
	v->room = TCP_WIN_FIRST;
}

static void syn_from_guest(struct flow *f, const struct tcp_seg *s)
{
	struct tcp_flow *t = &f->u.tcp;

	t->ack_next = t->ack_sent = s->seq + 1; /* data on a SYN is sent again by the guest */
	t->win_edge = t->ack_next + TCP_WIN_FIRST;
	t->win_guest = s->win;
	take_options(f, s);
}

/* connect() failed at once: tells the guest and returns false. */
static bool connect_failed(struct stack *st, struct pkt *p, const struct tcp_seg *s, int code)
{
	switch (code) {
	case ENETUNREACH:
		icmp_error(st, p, ICMP_UNREACH, ICMP_NET_UNREACH, 0);
		break;
	case EHOSTUNREACH:
		icmp_error(st, p, ICMP_UNREACH, ICMP_HOST_UNREACH, 0);
		break;
	case EACCES:
	case EPERM:
		icmp_error(st, p, ICMP_UNREACH, ICMP_ADMIN_BLOCKED, 0);
		break;
	default:
		tcp_rst_reply(st, p, s);
	}
	return false;
}

void tcp_open(struct stack *st, struct pkt *p, const struct flow_key *k, const struct tcp_seg *s)
{
	const int one = 1;
	struct sockaddr_in to;
	struct flow *f;
	int fd, rc;

	if (!stack_host_addr(st, k->raddr, k->rport, &to)) {
		icmp_error(st, p, ICMP_UNREACH, ICMP_ADMIN_BLOCKED, 0);
		return;
	}
	fd = stack_socket(st, SOCK_STREAM, 0);
	if (fd < 0) {
		st->count.no_socket++;
		tcp_rst_reply(st, p, s);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	rc = connect(fd, (struct sockaddr *)&to, sizeof(to));
	if (rc < 0 && errno != EINPROGRESS) {
		connect_failed(st, p, s, errno);
		close(fd);
		return;
	}
	f = flow_new(st, FLOW_TCP, k);
	if (!f) {
		close(fd);
		return; /* the guest tries again */
	}
	start(f, TCPS_CONNECTING);
	memcpy(f->gmac, p->eth.src, ETH_ALEN);
	syn_from_guest(f, s);
	if (flow_watch(f, fd) < 0) {
		st->count.no_socket++;
		tcp_reset(f, true, true);
	}
}

/* connect() failed after a while: what the guest hears of it. */
static void connect_lost(struct flow *f)
{
	int code = 0;
	socklen_t len = sizeof(code);

	getsockopt(f->ev.fd, SOL_SOCKET, SO_ERROR, &code, &len);
	if (code == ENETUNREACH || code == EHOSTUNREACH || code == EACCES || code == EPERM) {
		icmp_error_errno(f, code);
		tcp_reset(f, false, false);
	} else {
		tcp_reset(f, true, false);
	}
}

void tcp_connected(struct flow *f, uint32_t events)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);

	if (events & EPOLLERR) {
		connect_lost(f);
		return;
	}
	if (!(events & EPOLLOUT))
		return;
	t->state = TCPS_SYN_RCVD;
	if (events & EPOLLIN)
		v->flags |= TF_HOST_IN;
	if (events & EPOLLRDHUP)
		v->flags |= TF_RDHUP;
	t->seq_next = v->max = t->seq_una + 1;
	tcp_send_ctl(f, t->seq_una, TCP_SYN | TCP_ACK);
	tcp_arm_rto(f);
}

void tcp_accept(struct stack *st, struct fwd *fwd, int fd, const struct sockaddr_in *from)
{
	struct flow_key k = {.proto = IP_TCP, .gport = fwd->guest.sin_port};
	struct flow *f = NULL;

	k.gaddr = fwd->guest.sin_addr.s_addr;
	if (!k.gaddr)
		k.gaddr = st->conf.dhcpstart.s_addr;
	k.raddr = stack_guest_view(st, from->sin_addr.s_addr);
	k.rport = from->sin_port;
	/* Clients with other addresses may look alike to the guest: take the next free port. */
	for (unsigned i = 0; i < 1024 && flow_find(st, &k); i++)
		k.rport = htons((uint16_t)(ntohs(k.rport) < 65535 ? ntohs(k.rport) + 1 : 1024));
	if (!flow_find(st, &k))
		f = flow_new(st, FLOW_TCP, &k);
	if (!f) {
		st->count.no_socket++;
		close(fd);
		return;
	}
	start(f, TCPS_SYN_SENT);
	tcp_priv(f)->flags |= TF_WSCALE;
	if (flow_watch(f, fd) < 0) {
		st->count.no_socket++;
		tcp_reset(f, false, true);
		return;
	}
	f->u.tcp.seq_next = tcp_priv(f)->max = f->u.tcp.seq_una + 1;
	if (!stack_neigh(st, k.gaddr, f->gmac)) {
		tcp_priv(f)->flags |= TF_NO_ARP;
		tcp_arm(f, TCP_ARP_RETRY);
		return;
	}
	tcp_send_ctl(f, f->u.tcp.seq_una, TCP_SYN);
	tcp_arm_rto(f);
}

/* Our SYN was acknowledged. */
void tcp_establish(struct flow *f, const struct tcp_seg *s)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);

	t->state = TCPS_ESTABLISHED;
	t->seq_una = t->seq_next = v->max = v->head = v->peek = s->ack;
	v->recover = s->ack - 1;
	t->win_guest = (uint32_t)s->win << (s->flags & TCP_SYN ? 0 : t->wscale_in);
	t->retries = 0;
	t->rto = TCP_RTO_MIN;
	flow_touch(f);
}

/* --- segments in the states without synchronised numbers ------------------------------------ */

void tcp_in_connecting(struct flow *f, struct pkt *p, const struct tcp_seg *s)
{
	(void)p;
	if (s->flags & TCP_RST) {
		if (s->seq == f->u.tcp.ack_next)
			tcp_reset(f, false, true);
		return;
	}
	/* Again the same SYN, or the guest started anew on this port: the latest counts. */
	if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		syn_from_guest(f, s);
}

void tcp_in_syn_sent(struct flow *f, struct pkt *p, const struct tcp_seg *s)
{
	struct tcp_flow *t = &f->u.tcp;

	if (s->flags & TCP_ACK && s->ack != t->seq_next) {
		tcp_rst_reply(f->st, p, s);
		return;
	}
	if (s->flags & TCP_RST) {
		if (s->flags & TCP_ACK)
			tcp_reset(f, false, true);
		return;
	}
	if (!(s->flags & TCP_SYN))
		return;
	syn_from_guest(f, s);
	memcpy(f->gmac, p->eth.src, ETH_ALEN);
	if (!(s->flags & TCP_ACK)) { /* simultaneous open */
		t->state = TCPS_SYN_RCVD;
		tcp_send_ctl(f, t->seq_una, TCP_SYN | TCP_ACK);
		return;
	}
	tcp_establish(f, s);
	tcp_priv(f)->flags |= TF_ACK;
	tcp_mark(f);
}

void tcp_in_time_wait(struct flow *f, struct pkt *p, const struct tcp_seg *s)
{
	struct flow_key k = f->key;
	struct stack *st = f->st;

	if (s->flags & TCP_RST)
		return; /* RFC 1337 */
	if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		tcp_forget(f);
		flow_free(f);
		tcp_open(st, p, &k, s);
		return;
	}
	if (s->flags & TCP_FIN || s->len) {
		tcp_priv(f)->flags |= TF_ACK;
		tcp_mark(f);
	}
}

/* --- ending --------------------------------------------------------------------------------- */

void tcp_reset(struct flow *f, bool to_guest, bool to_host)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (to_guest && f->u.tcp.state != TCPS_TIME_WAIT && f->u.tcp.state != TCPS_SYN_SENT) {
		f->st->count.tcp_resets++;
		tcp_send_ctl(f, tcp_priv(f)->max, TCP_RST | TCP_ACK);
	}
	if (to_host && f->ev.fd >= 0)
		setsockopt(f->ev.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	tcp_forget(f);
	flow_free(f);
}

void tcp_finish(struct flow *f)
{
	/* Unread bytes would turn close() into a reset. */
	tcp_discard(f, true);
	tcp_forget(f);
	flow_free(f);
}

void tcp_time_wait(struct flow *f)
{
	tcp_discard(f, true);
	if (f->ev.fd >= 0) {
		int fd = f->ev.fd;

		loop_del_fd(f->st->loop, &f->ev);
		f->ev.fd = -1;
		close(fd);
	}
	f->u.tcp.state = TCPS_TIME_WAIT;
	tcp_arm(f, TCP_TIME_WAIT);
}
