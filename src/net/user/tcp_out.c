/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP frames to the guest.
 *
 * A burst reads bytes of the socket's receive queue, without taking them, straight into buffers
 * lent by the guest, several 64 KiB frames by one recvmsg(), and then writes the headers in front.
 * Checksums of payload are left to the peer (NET_F_NEEDS_CSUM) where it takes them. Where nobody
 * lends, the frames of a burst go through a bounce buffer.
 *
 * The kernel's SO_PEEK_OFF makes each read go on where the last ended. Kernels without it for TCP
 * (before 6.9) always read from the first byte that was not dropped, so bytes in flight would be
 * copied again: there they land in one scratch page, and a new burst starts only when at most
 * TCP_SKIP_MAX are in flight; a burst of several frames by one read keeps that fast.
 */
#include <errno.h>

#include "base/csum.h"
#include "base/iov.h"
#include "net/user/tcp_priv.h"

#define DISCARD_LAG (64u << 10) /* acknowledged bytes left in the socket at most */
#define FIRST_READ  (16u << 10) /* what is lent to a flow that trickles */

enum burst_rc {
	BURST_MORE,  /* sent, and all that was lent was filled */
	BURST_SHORT, /* sent, and the socket is empty */
	BURST_EMPTY, /* nothing there */
	BURST_EOF,   /* sent what there was, and our FIN is due or went with it */
	BURST_ROOM,  /* the guest has no buffer now */
	BURST_WAIT,  /* too much in flight for a kernel without SO_PEEK_OFF */
	BURST_ERROR, /* errno */
};

struct tcp_frame {
	struct eth_hdr eth;
	struct ip4_hdr ip;
	struct tcp_hdr tcp;
	uint8_t opt[8];
} __attribute__((packed));

/* --- headers -------------------------------------------------------------------------------- */

static void put_tcp(struct flow *f, struct tcp_hdr *h, uint32_t seq, uint8_t flags)
{
	struct tcp_flow *t = &f->u.tcp;
	uint32_t win = t->win_edge - t->ack_next;

	if (!(flags & TCP_SYN))
		win >>= t->wscale_out;
	*h = (struct tcp_hdr){
		.sport = f->key.rport,
		.dport = f->key.gport,
		.seq = htonl(seq),
		.ack = flags & TCP_ACK ? htonl(t->ack_next) : 0,
		.off = sizeof(*h) / 4 << 4,
		.flags = flags,
		.win = htons((uint16_t)MIN(win, 65535u)),
	};
}

static unsigned syn_options(const struct flow *f, uint8_t opt[8])
{
	uint32_t mss = MAX(f->st->conf.mtu, 576u) - 40;

	opt[0] = 2; /* MSS */
	opt[1] = 4;
	put_be16(opt + 2, (uint16_t)MIN(mss, 65495u));
	if (!(((const struct tcp_priv *)f->u.tcp.priv)->flags & TF_WSCALE))
		return 4;
	opt[4] = 1; /* no operation */
	opt[5] = 3; /* window scale */
	opt[6] = 3;
	opt[7] = TCP_WSCALE;
	return 8;
}

bool tcp_send_ctl(struct flow *f, uint32_t seq, uint8_t flags)
{
	struct tcp_frame h;
	unsigned len = sizeof(h.tcp);
	uint32_t sum;

	put_tcp(f, &h.tcp, seq, flags);
	if (flags & TCP_SYN) {
		len += syn_options(f, h.opt);
		h.tcp.off = (uint8_t)(len / 4 << 4);
	}
	stack_fill_ip4(f->st, &h.eth, &h.ip, f->gmac, f->key.raddr, f->key.gaddr, IP_TCP, len);
	sum = csum_pseudo4(f->key.raddr, f->key.gaddr, IP_TCP, (uint16_t)len);
	h.tcp.csum = csum_fold(csum_add(sum, &h.tcp, len));
	if (!stack_send(f->st, &h, sizeof(h.eth) + sizeof(h.ip) + len, NULL, 0, NULL))
		return false;
	if (flags & TCP_ACK) {
		tcp_priv(f)->flags &= ~TF_ACK;
		f->u.tcp.ack_sent = f->u.tcp.ack_next;
	}
	return true;
}

/* RFC 9293, 3.10.7.1: an answer to a segment that belongs to no connection. */
void tcp_rst_reply(struct stack *st, const struct pkt *p, const struct tcp_seg *s)
{
	struct tcp_frame h;
	unsigned len = sizeof(h.tcp);
	uint32_t sum;

	if (s->flags & TCP_RST)
		return;
	h.tcp = (struct tcp_hdr){
		.sport = s->h.dport,
		.dport = s->h.sport,
		.off = sizeof(h.tcp) / 4 << 4,
		.flags = TCP_RST,
	};
	if (s->flags & TCP_ACK) {
		h.tcp.seq = s->h.ack;
	} else {
		uint32_t end = s->seq + s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);

		h.tcp.ack = htonl(end);
		h.tcp.flags |= TCP_ACK;
	}
	stack_fill_ip4(st, &h.eth, &h.ip, p->eth.src, p->ip.dst, p->ip.src, IP_TCP, len);
	sum = csum_pseudo4(p->ip.dst, p->ip.src, IP_TCP, (uint16_t)len);
	h.tcp.csum = csum_fold(csum_add(sum, &h.tcp, len));
	st->count.tcp_resets++;
	if (!stack_send(st, &h, sizeof(h.eth) + sizeof(h.ip) + len, NULL, 0, NULL))
		st->count.no_room++;
}

/* --- bursts --------------------------------------------------------------------------------- */

struct burst {
	struct flow *f;
	uint32_t seq;  /* of the first byte */
	uint32_t want; /* bytes to send at most */
	uint32_t unit; /* payload of a frame at most */
	bool tso, csum;
	bool lent; /* slots, else frames in the bounce buffer, `stride` bytes apart */
	uint32_t stride;
	unsigned slots;
	uint32_t cap[TCP_SLOTS_MAX]; /* payload each slot takes */
	uint32_t room;		     /* their sum */
	unsigned niov;
	uint32_t skip; /* bytes in front that are in flight already */
};

/* Makes the next read begin at b->seq. */
static bool burst_seek(struct burst *b)
{
	struct tcp_state *ts = b->f->st->tcp;
	struct tcp_priv *v = tcp_priv(b->f);
	int off = (int)(b->seq - v->head);

	b->skip = 0;
	if (ts->peek_off) {
		if (!(v->flags & TF_PEEK) ? off == 0 : v->peek == b->seq)
			return true;
		if (setsockopt(b->f->ev.fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) < 0)
			return false;
		v->flags |= TF_PEEK;
		v->peek = b->seq;
		return true;
	}
	if (off > (int)TCP_SKIP_MAX)
		return false;
	b->skip = (uint32_t)off;
	for (uint32_t left = b->skip; left;) {
		uint32_t n = MIN(left, TCP_SKIP_PAGE);

		ts->iov[b->niov++] = (struct iovec){ts->skip, n};
		left -= n;
	}
	return true;
}

/* Adds frames of the bounce buffer to the vector. */
static void burst_bounce(struct burst *b, bool bulk)
{
	struct tcp_state *ts = b->f->st->tcp;
	uint32_t each = MIN(b->unit, b->want);
	unsigned most = bulk ? (b->want + b->unit - 1) / b->unit : 1;

	b->stride = (uint32_t)align_up(TCP_FRAME_HDR + each, 64);
	most = MIN(most, (unsigned)(sizeof(ts->bounce) / b->stride));
	for (b->slots = 0; b->slots < MIN(MAX(most, 1u), TCP_SLOTS_MAX); b->slots++) {
		uint32_t cap = MIN(each, b->want - b->room);

		ts->iov[b->niov++] =
			(struct iovec){ts->bounce + b->slots * b->stride + TCP_FRAME_HDR, cap};
		b->cap[b->slots] = cap;
		b->room += cap;
	}
}

/* Borrows buffers and adds them to the vector. False: none now. */
static bool burst_room(struct burst *b)
{
	struct tcp_state *ts = b->f->st->tcp;
	struct net_port *port = &b->f->st->port;
	bool bulk = tcp_priv(b->f)->flags & TF_BULK;
	uint32_t each = MIN(b->unit, b->want);
	unsigned most = 1;

	b->lent = net_may_lend(port, 0);
	b->room = 0;
	if (!b->lent) {
		burst_bounce(b, bulk);
		return true;
	}
	if (bulk)
		most = MIN((b->want + b->unit - 1) / b->unit, b->tso ? TCP_BURST : TCP_SLOTS_MAX);
	else
		each = MIN(each, FIRST_READ);
	b->slots = net_lend(port, 0, TCP_FRAME_HDR + each, ts->slot, most);
	if (!b->slots)
		b->slots = net_lend(port, 0, 0, ts->slot, 1);
	for (unsigned i = 0; i < b->slots; i++) {
		struct net_frame *fr = &ts->slot[i].f;
		uint32_t cap = fr->len > TCP_FRAME_HDR ? fr->len - TCP_FRAME_HDR : 0;
		size_t got = 0;

		cap = MIN(MIN(cap, b->unit), b->want - b->room);
		if (b->niov < TCP_IOV_MAX)
			b->niov += iov_slice(fr->vec + 1, fr->nvec - 1, TCP_FRAME_HDR, cap,
					     ts->iov + b->niov, TCP_IOV_MAX - b->niov, &got);
		b->cap[i] = (uint32_t)got;
		b->room += (uint32_t)got;
	}
	return b->room != 0;
}

static void burst_give_back(struct burst *b)
{
	struct tcp_state *ts = b->f->st->tcp;

	if (!b->lent || !b->slots)
		return;
	for (unsigned i = 0; i < b->slots; i++)
		ts->slot[i].f.len = 0;
	net_commit(&b->f->st->port, 0, ts->slot, b->slots);
}

/* Writes the headers of a frame with n bytes of payload at seq in front of it. */
static void burst_frame(struct burst *b, struct net_frame *fr, uint32_t seq, uint32_t n,
			uint8_t flags)
{
	struct flow *f = b->f;
	struct tcp_frame h;
	unsigned len = sizeof(h.tcp) + n;
	uint32_t sum = csum_pseudo4(f->key.raddr, f->key.gaddr, IP_TCP, (uint16_t)len);

	put_tcp(f, &h.tcp, seq, flags);
	stack_fill_ip4(f->st, &h.eth, &h.ip, f->gmac, f->key.raddr, f->key.gaddr, IP_TCP, len);
	fr->len = TCP_FRAME_HDR + n;
	fr->off = (struct net_offload){0};
	if (b->csum) {
		h.tcp.csum = csum_fold_raw(sum);
		fr->off.flags = NET_F_NEEDS_CSUM;
		fr->off.csum_start = sizeof(h.eth) + sizeof(h.ip);
		fr->off.csum_offset = offsetof(struct tcp_hdr, csum);
	} else {
		sum = csum_add(sum, &h.tcp, sizeof(h.tcp));
		h.tcp.csum =
			csum_fold(csum_add_iov(sum, fr->vec + 1, fr->nvec - 1, TCP_FRAME_HDR, n));
		fr->off.flags = NET_F_DATA_VALID;
	}
	if (n > f->u.tcp.mss) {
		fr->off.gso_type = NET_GSO_TCPV4;
		fr->off.gso_size = f->u.tcp.mss;
		fr->off.hdr_len = TCP_FRAME_HDR;
	}
	iov_write(fr->vec + 1, fr->nvec - 1, 0, &h, TCP_FRAME_HDR);
	f->st->count.frames_out++;
}

/* Pushes n bytes that lie in the bounce buffer. Returns how many the guest took. */
static uint32_t burst_push(struct burst *b, uint32_t n, bool fin)
{
	struct stack *st = b->f->st;
	struct iovec vec[TCP_SLOTS_MAX][2];
	struct net_frame fr[TCP_SLOTS_MAX];
	uint32_t left = n, done = 0;
	unsigned count = 0, took;

	while (left) {
		uint32_t k = MIN(left, b->cap[count]);
		uint8_t flags = TCP_ACK;

		vec[count][1] =
			(struct iovec){st->tcp->bounce + count * b->stride, TCP_FRAME_HDR + k};
		fr[count] = (struct net_frame){.vec = vec[count], .nvec = 2};
		if (k == left)
			flags |= TCP_PSH | (fin ? TCP_FIN : 0);
		burst_frame(b, &fr[count], b->seq + (n - left), k, flags);
		left -= k;
		count++;
	}
	took = net_push(&st->port, 0, fr, count);
	st->count.frames_out -= count - took;
	for (unsigned i = 0; i < took; i++)
		done += MIN(n - done, b->cap[i]);
	return done;
}

/* Sends n bytes that were read. Returns how many the guest took. */
static uint32_t burst_ship(struct burst *b, uint32_t n, bool fin)
{
	struct stack *st = b->f->st;
	struct tcp_state *ts = st->tcp;
	uint32_t seq = b->seq, left = n;

	if (!b->lent)
		return burst_push(b, n, fin);
	for (unsigned i = 0; i < b->slots; i++) {
		uint32_t k = MIN(left, b->cap[i]);
		uint8_t flags = TCP_ACK;

		left -= k;
		if (!k) {
			ts->slot[i].f.len = 0;
			continue;
		}
		if (!left)
			flags |= TCP_PSH | (fin ? TCP_FIN : 0);
		burst_frame(b, &ts->slot[i].f, seq, k, flags);
		seq += k;
	}
	net_commit(&st->port, 0, ts->slot, b->slots);
	return n;
}

static void count_sent(struct flow *f, uint32_t seq, uint32_t n, bool fin)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);
	uint32_t end = seq + n;
	bool idle = v->max == t->seq_una;

	if (fin) {
		end++;
		v->flags |= TF_FIN_OUT | TF_EOF;
		v->flags &= ~TF_HOST_IN;
		if (t->state == TCPS_ESTABLISHED)
			t->state = TCPS_FIN_WAIT_1;
		else if (t->state == TCPS_CLOSE_WAIT)
			t->state = TCPS_LAST_ACK;
	}
	if (seq_lt(t->seq_next, end))
		t->seq_next = end;
	if (seq_lt(v->max, end)) {
		f->rx_bytes += n;
		v->max = end;
		if (!(v->flags & TF_RTT)) {
			v->flags |= TF_RTT;
			v->rtt_seq = end;
			v->rtt_ms = tcp_ms(f->st);
		}
	}
	v->flags &= ~TF_ACK; /* every segment carries one */
	t->ack_sent = t->ack_next;
	if (idle)
		tcp_arm_rto(f);
}

static ssize_t burst_read(struct burst *b)
{
	struct msghdr m = {.msg_iov = b->f->st->tcp->iov, .msg_iovlen = b->niov};
	struct tcp_priv *v = tcp_priv(b->f);
	ssize_t n;

	do
		n = recvmsg(b->f->ev.fd, &m, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0 && v->flags & TF_PEEK)
		v->peek = b->seq + (uint32_t)n;
	return n;
}

/* Sends up to want bytes from seq on. new_data: an end of the stream is looked for, too. */
static enum burst_rc burst(struct flow *f, uint32_t seq, uint32_t want, bool new_data)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);
	uint32_t caps = f->st->port.peer_caps.offloads;
	struct burst b = {.f = f, .seq = seq, .want = want};
	bool fin = false;
	ssize_t n;

	if (!f->st->tcp->peek_off) {
		/* No system call if it cannot be enough. */
		if (seq - t->seq_una > TCP_SKIP_MAX)
			return BURST_WAIT;
		tcp_discard(f, true);
	}
	if (!burst_seek(&b))
		return BURST_WAIT;
	b.csum = caps & NET_CAP_CSUM;
	/* Never a frame that net_push() would have to cut for a peer that may run out of room in
	 * the middle: what is offered next is another frame (an ACK, other fields), not its rest.
	 */
	b.tso = b.csum && caps & NET_CAP_TSO4;
	b.unit = b.tso ? (65535u - 40) / t->mss * t->mss : t->mss;
	if (!burst_room(&b)) {
		burst_give_back(&b);
		return BURST_ROOM;
	}
	n = burst_read(&b);
	if (n <= (ssize_t)b.skip) {
		burst_give_back(&b);
		/* Stopped at an urgent mark among bytes in flight: what is behind it shows later.
		 */
		if (n > 0 && v->flags & TF_URG)
			return BURST_WAIT;
		if (n < 0)
			return errno == EAGAIN ? BURST_EMPTY : BURST_ERROR;
		if (n == 0 || v->flags & TF_RDHUP)
			return BURST_EOF;
		return BURST_EMPTY;
	}
	uint32_t got = (uint32_t)n - b.skip, sent;

	if (got < b.room && new_data && (v->flags & (TF_RDHUP | TF_URG)) == TF_RDHUP)
		fin = true;
	sent = burst_ship(&b, got, fin);
	if (sent)
		count_sent(f, seq, sent, fin && sent == got);
	if (sent < got)
		return BURST_ROOM;
	if (got == b.room)
		v->flags |= TF_BULK;
	else if (got < b.room / 4)
		v->flags &= ~TF_BULK;
	if (fin)
		return BURST_EOF;
	return got < b.room && !(v->flags & TF_URG) ? BURST_SHORT : BURST_MORE;
}

/* --- what a flow has to send ---------------------------------------------------------------- */

static void send_fin(struct flow *f)
{
	uint32_t seq = f->u.tcp.seq_next;

	/* When the guest has no room the timer sends it again. */
	tcp_send_ctl(f, seq, TCP_FIN | TCP_ACK);
	count_sent(f, seq, 0, true);
}

bool tcp_pull(struct flow *f)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);

	while (v->flags & TF_HOST_IN && !(v->flags & TF_FIN_OUT)) {
		uint32_t win = MIN(t->win_guest, v->cwnd), flight = tcp_flight(f);
		uint32_t room = win > flight ? win - flight : 0;

		if (v->flags & TF_EOF && t->seq_next + 1 == v->max) {
			send_fin(f);
			break;
		}
		if (!room || (room < t->mss && flight)) {
			if (!flight && !(v->flags & TF_TIMER))
				tcp_arm_rto(f); /* window probes */
			break;
		}
		if (room > t->mss)
			room -= room % t->mss;
		switch (burst(f, t->seq_next, room, true)) {
		case BURST_MORE:
			continue;
		case BURST_SHORT:
		case BURST_EMPTY:
			v->flags &= ~TF_HOST_IN;
			return true;
		case BURST_EOF:
			if (!(v->flags & TF_FIN_OUT))
				send_fin(f);
			return true;
		case BURST_ROOM:
			flow_wait_room(f);
			return true;
		case BURST_WAIT:
			return true; /* an acknowledgement brings us back */
		case BURST_ERROR:
			tcp_reset(f, true, true);
			return false;
		}
	}
	return true;
}

bool tcp_retransmit(struct flow *f)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);
	uint32_t n = v->max - t->seq_una - (v->flags & TF_EOF ? 1 : 0);

	f->st->count.tcp_retransmits++;
	v->flags &= ~TF_RTT;
	tcp_arm_rto(f);
	if (!n) {
		tcp_send_ctl(f, t->seq_una, TCP_FIN | TCP_ACK);
		return true;
	}
	if (burst(f, t->seq_una, n, false) == BURST_ERROR) {
		tcp_reset(f, true, true);
		return false;
	}
	return true;
}

void tcp_discard(struct flow *f, bool all)
{
	struct tcp_flow *t = &f->u.tcp;
	struct tcp_priv *v = tcp_priv(f);
	bool fin = v->flags & TF_EOF && t->seq_una == v->max;
	uint32_t lag = t->seq_una - (fin ? 1 : 0) - v->head;

	if (f->ev.fd < 0 || (!all && lag < DISCARD_LAG && t->seq_una != t->seq_next))
		return;
	while (lag) {
		ssize_t n = recv(f->ev.fd, NULL, lag, MSG_TRUNC | MSG_DONTWAIT);

		if (n <= 0)
			break; /* the connection is lost; its event is on the way */
		v->head += (uint32_t)n;
		lag -= (uint32_t)n;
	}
	if (seq_lt(v->peek, v->head))
		v->peek = v->head;
}

bool tcp_settle(struct flow *f)
{
	struct tcp_priv *v = tcp_priv(f);

	flow_touch(f);
	if (v->flags & TF_ACKED) {
		v->flags &= ~TF_ACKED;
		tcp_discard(f, false);
	}
	if (v->flags & TF_ACK)
		tcp_window(f, false);
	if (v->flags & TF_HOST_IN && tcp_may(f, TOP_TX) && !tcp_pull(f))
		return false;
	if (!(v->flags & TF_ACK))
		return true;
	do {
		if (!tcp_send_ctl(f, f->u.tcp.seq_next, TCP_ACK)) {
			v->flags |= TF_ACK;
			flow_wait_room(f);
			return true;
		}
	} while (v->dup_out && --v->dup_out);
	return true;
}
