/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP (RFC 768). A flow is one pair of endpoints as the guest sees them, with a connected socket
 * of its own; one that came in by a hostfwd has none and answers on the forward's socket.
 *
 * To the host: payload goes out by sendmsg() straight from guest memory; a UDP_L4 frame becomes
 * one send with UDP_SEGMENT. To the guest: recvmmsg() straight into lent guest buffers, behind
 * room for 42 bytes of headers. What a buffer does not hold lands in a spill buffer, and the
 * datagram goes on as IP fragments. A peer that lends nothing gets batches by net_push().
 *
 * Time-outs as RFC 4787 section 4.3 wants them: 30 s until the first answer, 180 s after.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/util.h"
#include "net/user/internal.h"

#define UNREPLIED_NS (30 * NS_PER_S)
#define REPLIED_NS   (180 * NS_PER_S)

#define SEGS_MAX 128u /* segments of one frame: the most any kernel makes */

#define RX_BATCH   32
#define RX_ROUNDS  16 /* batches per event before other flows get their turn */
#define DGRAM_MAX  65536u
#define SPILL_SIZE (UDP_ROOM + DGRAM_MAX)

#define PORT_DHCP 67
#define PORT_DNS  53

struct udp_frame {
	struct eth_hdr eth;
	struct ip4_hdr ip;
	struct udp_hdr udp;
} __attribute__((packed));

/* Buffers of a batch, each with UDP_ROOM bytes for headers in front of a whole datagram: only pages
 * that datagrams touch cost memory. */
struct udp_state {
	uint8_t spill[RX_BATCH][SPILL_SIZE];
};

_Static_assert(sizeof(struct udp_frame) <= UDP_ROOM, "headers fit in front of the payload");

/* --- to the host ---------------------------------------------------------------------------- */

static void arm(struct flow *f)
{
	flow_timer(f, f->used + (f->u.udp.seen_reply ? REPLIED_NS : UNREPLIED_NS));
}

static int udp_open(struct flow *f, const struct sockaddr_in *to)
{
	int fd = stack_socket(f->st, SOCK_DGRAM, 0);

	f->u.udp.peer = *to;
	return fd < 0 ? fd : flow_connect(f, fd, to);
}

static struct flow *udp_flow_for(struct stack *st, struct pkt *p, const struct udp_hdr *u)
{
	struct flow_key k = {.gaddr = p->ip.src,
			     .raddr = p->ip.dst,
			     .gport = u->sport,
			     .rport = u->dport,
			     .proto = IP_UDP};
	struct flow *f = flow_find(st, &k);
	struct sockaddr_in to;

	if (f)
		return f;
	if (!stack_host_addr(st, p->ip.dst, u->dport, &to)) {
		icmp_error(st, p, 3,
			   st->conf.restricted		      ? 13
			   : p->ip.dst == st->conf.dns.s_addr ? 3
							      : 1,
			   0);
		return NULL;
	}
	f = flow_open(st, FLOW_UDP, &k, p->eth.src, &to, udp_open);
	if (f)
		arm(f);
	return f;
}

/* One datagram, or several of seg bytes each if seg is not 0. Returns 0 or -errno. */
static int udp_send(struct flow *f, struct iovec *iov, unsigned n, unsigned seg)
{
	union {
		char buf[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr align;
	} ctl;
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
	int fd = f->ev.fd;

	if (f->u.udp.host_initiated) {
		m.msg_name = &f->u.udp.peer;
		m.msg_namelen = sizeof(f->u.udp.peer);
		fd = f->st->fwd[f->u.udp.fwd].fd;
	}
	if (seg) {
		m.msg_control = ctl.buf;
		m.msg_controllen = sizeof(ctl.buf);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		uint16_t v = (uint16_t)seg;

		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(v));
		memcpy(CMSG_DATA(c), &v, sizeof(v));
	}
	/* Each pending error is reported once by whatever call comes next: so twice at most. */
	for (int i = 0; i < 2; i++) {
		if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != ECONNREFUSED)
			break;
	}
	return -errno;
}

/* A kernel or a device without UDP_SEGMENT: one by one. */
static int udp_send_each(struct flow *f, struct iovec *iov, unsigned n, unsigned len, unsigned seg)
{
	int rc = 0;

	for (unsigned off = 0; off < len && !rc; off += seg) {
		struct iovec part[NET_VEC_MAX];
		unsigned np = iov_slice(iov, n, off, MIN(seg, len - off), part, NET_VEC_MAX, NULL);

		rc = udp_send(f, part, np, 0);
	}
	return rc;
}

static void udp_forward(struct stack *st, struct pkt *p, const struct udp_hdr *u, unsigned len)
{
	struct iovec iov[NET_VEC_MAX];
	unsigned off = p->l4 + sizeof(*u), n, seg = 0;
	size_t got;
	struct flow *f = udp_flow_for(st, p, u);

	if (!f)
		return;
	n = iov_slice(p->f->vec + 1, p->f->nvec - 1, off, len, iov, NET_VEC_MAX, &got);
	if ((p->f->off.gso_type & ~NET_GSO_ECN) == NET_GSO_UDP_L4)
		seg = p->f->off.gso_size;
	if (got != len || (seg && len / seg > SEGS_MAX)) {
		st->count.bad_frame++;
		return;
	}
	flow_touch(f);
	f->tx_bytes += len;
	int rc = udp_send(f, iov, n, seg < len ? seg : 0);

	if (seg && seg < len && (rc == -EINVAL || rc == -EMSGSIZE || rc == -EIO))
		rc = udp_send_each(f, iov, n, len, seg);
	if (rc == -EAGAIN || rc == -ENOBUFS)
		net_drop(&st->port, 0, "the host's UDP socket was full");
	else if (rc < 0)
		icmp_error_errno(f, -rc);
}

void udp_in(struct stack *st, struct pkt *p)
{
	const struct iovec *vec = p->f->vec + 1;
	unsigned n = p->f->nvec - 1, room = p->end - p->l4;
	struct udp_hdr u;

	if (room < sizeof(u) || iov_read(vec, n, p->l4, &u, sizeof(u)) < sizeof(u) ||
	    ntohs(u.len) < sizeof(u) || ntohs(u.len) > room) {
		st->count.bad_frame++;
		return;
	}
	unsigned len = ntohs(u.len);

	if (u.csum && !p->csum_ok &&
	    csum_fold(csum_add_iov(csum_pseudo4(p->ip.src, p->ip.dst, IP_UDP, (uint16_t)len), vec,
				   n, p->l4, len))) {
		st->count.bad_csum++;
		return;
	}
	bool unicast = p->ip.dst != htonl(INADDR_BROADCAST) && !(p->eth.dst[0] & 1) &&
		       !(stack_in_net(st, p->ip.dst) && p->ip.dst != st->conf.host.s_addr &&
			 p->ip.dst != st->conf.dns.s_addr);

	if (ntohs(u.dport) == PORT_DHCP && (!unicast || p->ip.dst == st->conf.host.s_addr)) {
		dhcp_in(st, p, p->l4 + sizeof(u));
	} else if (!p->ip.src) {
		st->count.spoofed++;
	} else if (!unicast) {
		st->count.not_ours++;
	} else if (p->ip.dst == st->conf.dns.s_addr && ntohs(u.dport) == PORT_DNS) {
		dns_in(st, p, &u, p->l4 + sizeof(u));
	} else {
		udp_forward(st, p, &u, len - sizeof(u));
	}
}

/* --- to the guest --------------------------------------------------------------------------- */

/* Fills all three headers; the checksum only if payload (flat) is given, else left to offload. */
static void fill_headers(struct stack *st, struct udp_frame *h, const uint8_t dmac[ETH_ALEN],
			 const struct sockaddr_in *src, const struct sockaddr_in *dst,
			 const void *payload, unsigned len)
{
	unsigned l4 = sizeof(h->udp) + len;
	uint32_t sum =
		csum_pseudo4(src->sin_addr.s_addr, dst->sin_addr.s_addr, IP_UDP, (uint16_t)l4);

	stack_fill_ip4(st, &h->eth, &h->ip, dmac, src->sin_addr.s_addr, dst->sin_addr.s_addr,
		       IP_UDP, l4);
	h->udp = (struct udp_hdr){
		.sport = src->sin_port, .dport = dst->sin_port, .len = htons((uint16_t)l4)};
	if (!payload) {
		h->udp.csum = csum_fold_raw(sum);
		return;
	}
	h->udp.csum = csum_fold(csum_add(csum_add(sum, &h->udp, sizeof(h->udp)), payload, len));
	if (!h->udp.csum)
		h->udp.csum = 0xffff;
}

static const struct net_offload csum_later = {
	.flags = NET_F_NEEDS_CSUM,
	.csum_start = ETH_HDR + sizeof(struct ip4_hdr),
	.csum_offset = offsetof(struct udp_hdr, csum),
};

/* What one fragment carries: a multiple of 8 bytes (RFC 791 section 3.2). */
static unsigned fragment_step(const struct stack *st)
{
	return (st->conf.mtu - (unsigned)sizeof(struct ip4_hdr)) & ~7u;
}

static uint16_t fragment_id(struct stack *st)
{
	return htons((uint16_t)(st->count.frames_out * 40503u + 1));
}

static void make_fragment(struct ip4_hdr *ip, uint16_t id, unsigned off, bool more)
{
	ip->id = id;
	ip->frag = htons((uint16_t)(off / 8 | (more ? IP4_MF : 0)));
	ip->csum = 0;
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
}

/* Sends bytes [off, end) of a datagram (UDP header included), which lie at data, as fragments. */
static bool send_fragments(struct stack *st, const struct udp_frame *h, uint16_t id, uint8_t *data,
			   unsigned off, unsigned end)
{
	unsigned step = fragment_step(st);

	for (; off < end; off += step, data += step) {
		struct {
			struct eth_hdr eth;
			struct ip4_hdr ip;
		} __attribute__((packed)) f;
		unsigned part = MIN(step, end - off);
		struct iovec iov = {data, part};

		stack_fill_ip4(st, &f.eth, &f.ip, h->eth.dst, h->ip.src, h->ip.dst, IP_UDP, part);
		make_fragment(&f.ip, id, off, off + part < end);
		if (!stack_send(st, &f, sizeof(f), &iov, 1, NULL))
			return false;
	}
	return true;
}

bool udp_out(struct stack *st, const uint8_t dmac[ETH_ALEN], const struct sockaddr_in *src,
	     const struct sockaddr_in *dst, uint8_t *buf, unsigned payload_len)
{
	uint8_t *at = buf + UDP_ROOM - sizeof(struct udp_frame);
	struct udp_frame h;
	unsigned ip_len = sizeof(h.ip) + sizeof(h.udp) + payload_len;
	bool csum = st->port.peer_caps.offloads & NET_CAP_CSUM && ip_len <= st->conf.mtu;

	if (ip_len > 65535) {
		net_drop(&st->port, 0, "a datagram larger than IP carries");
		return true;
	}
	fill_headers(st, &h, dmac, src, dst, csum ? NULL : buf + UDP_ROOM, payload_len);
	memcpy(at, &h, sizeof(h));
	if (ip_len > st->conf.mtu)
		return send_fragments(st, &h, fragment_id(st), at + offsetof(struct udp_frame, udp),
				      0, sizeof(h.udp) + payload_len);
	return stack_send(st, at, sizeof(h) + payload_len, NULL, 0, csum ? &csum_later : NULL);
}

/* Who talks to whom, as the guest sees flow f's answers. */
static void flow_ends(const struct flow *f, struct sockaddr_in *src, struct sockaddr_in *dst)
{
	*src = (struct sockaddr_in){.sin_port = f->key.rport, .sin_addr.s_addr = f->key.raddr};
	*dst = (struct sockaddr_in){.sin_port = f->key.gport, .sin_addr.s_addr = f->key.gaddr};
}

enum rx { RX_EMPTY, RX_MORE, RX_NO_ROOM };

struct rx_batch {
	struct mmsghdr msg[RX_BATCH];
	struct iovec iov[RX_BATCH][NET_VEC_MAX];
	struct sockaddr_in from[RX_BATCH];
	struct udp_frame big[RX_BATCH]; /* headers of datagrams that exceeded their slot */
	unsigned n;
};

/* Receives up to b->n datagrams. Returns how many, 0 when none (also on a pending error). */
static unsigned receive(int fd, struct rx_batch *b)
{
	for (int i = 0; i < 2; i++) {
		int got = recvmmsg(fd, b->msg, b->n, MSG_DONTWAIT, NULL);

		if (got > 0)
			return (unsigned)got;
		/* A pending error hides what lies behind it; it is reported once. */
		if (got == 0 || errno == EAGAIN || errno == EINTR)
			break;
	}
	return 0;
}

static void account(struct flow *f, unsigned bytes)
{
	f->rx_bytes += bytes;
	if (!f->u.udp.seen_reply && !f->u.udp.host_initiated)
		f->u.udp.seen_reply = 1;
}

static void batch_fit(struct rx_batch *b, unsigned i, unsigned niov)
{
	b->msg[i].msg_hdr = (struct msghdr){.msg_iov = b->iov[i], .msg_iovlen = niov};
	b->msg[i].msg_len = 0;
}

/*
 * Slot i holds the first `held` bytes of a datagram of len: it becomes the first fragment, what it
 * has too much goes in front of the rest in the spill buffer.
 */
static uint32_t slot_first(struct flow *f, struct net_slot *s, struct udp_frame *h, unsigned i,
			   unsigned held, unsigned len)
{
	struct stack *st = f->st;
	uint8_t *rest = st->udp->spill[i] + UDP_ROOM;
	unsigned step = fragment_step(st), extra = held + sizeof(h->udp) - step;
	struct sockaddr_in src, dst;
	uint32_t sum;

	flow_ends(f, &src, &dst);
	fill_headers(st, h, f->gmac, &src, &dst, NULL, len);
	h->udp.csum = 0;
	sum = csum_pseudo4(h->ip.src, h->ip.dst, IP_UDP, (uint16_t)(len + sizeof(h->udp)));
	sum = csum_add(sum, &h->udp, sizeof(h->udp));
	sum = csum_add_iov(sum, s->f.vec + 1, s->f.nvec - 1, sizeof(*h), held);
	/* held is even: the rest goes on in the same half of a word. */
	h->udp.csum = csum_fold(csum_add(sum, rest, len - held));
	h->ip.len = htons((uint16_t)(sizeof(h->ip) + step));
	make_fragment(&h->ip, fragment_id(st), 0, true);
	iov_write(s->f.vec + 1, s->f.nvec - 1, 0, h, sizeof(*h));
	iov_read(s->f.vec + 1, s->f.nvec - 1, sizeof(*h) + held - extra, rest - extra, extra);
	return ETH_HDR + sizeof(h->ip) + step;
}

static void slot_fill(struct flow *f, struct net_slot *s, struct rx_batch *b, unsigned i,
		      unsigned held)
{
	struct stack *st = f->st;
	struct sockaddr_in src, dst;
	unsigned len = b->msg[i].msg_len;
	struct udp_frame h;

	account(f, len);
	if (len > held) {
		s->f.len = slot_first(f, s, &b->big[i], i, held, len);
		return;
	}
	flow_ends(f, &src, &dst);
	fill_headers(st, &h, f->gmac, &src, &dst, NULL, len);
	s->f.off = csum_later;
	if (!(st->port.peer_caps.offloads & NET_CAP_CSUM)) {
		uint32_t sum = csum_add_iov((uint16_t)h.udp.csum, s->f.vec + 1, s->f.nvec - 1,
					    sizeof(h), len);

		h.udp.csum = 0;
		h.udp.csum = csum_fold(csum_add(sum, &h.udp, sizeof(h.udp)));
		if (!h.udp.csum)
			h.udp.csum = 0xffff;
		s->f.off = (struct net_offload){0};
	}
	iov_write(s->f.vec + 1, s->f.nvec - 1, 0, &h, sizeof(h));
	s->f.len = sizeof(h) + len;
}

/* Datagrams straight into the guest's buffers. *want doubles while batches come full. */
static enum rx rx_lend(struct flow *f, unsigned *want)
{
	struct stack *st = f->st;
	/* Even, so that the checksum may go on behind it. */
	const unsigned held =
		(st->conf.mtu - sizeof(struct ip4_hdr) - sizeof(struct udp_hdr)) & ~1u;
	struct net_slot slot[RX_BATCH];
	struct rx_batch b;
	unsigned got;

	b.n = net_lend(&st->port, 0, sizeof(struct udp_frame) + held, slot, *want);
	if (!b.n)
		return RX_NO_ROOM;
	for (unsigned i = 0; i < b.n; i++) {
		unsigned n =
			iov_slice(slot[i].f.vec + 1, slot[i].f.nvec - 1, sizeof(struct udp_frame),
				  held, b.iov[i], NET_VEC_MAX - 1, NULL);

		b.iov[i][n++] = (struct iovec){st->udp->spill[i] + UDP_ROOM, DGRAM_MAX - UDP_ROOM};
		batch_fit(&b, i, n);
	}
	got = receive(f->ev.fd, &b);
	for (unsigned i = 0; i < b.n; i++) {
		slot[i].f.off = (struct net_offload){0};
		slot[i].f.len = 0;
		if (i < got)
			slot_fill(f, &slot[i], &b, i, held);
	}
	net_commit(&st->port, 0, slot, b.n);
	st->count.frames_out += got;
	for (unsigned i = 0; i < got; i++) {
		unsigned step = fragment_step(st), len = b.msg[i].msg_len;
		unsigned extra = held + sizeof(struct udp_hdr) - step;

		if (len > held && !send_fragments(st, &b.big[i], b.big[i].ip.id,
						  st->udp->spill[i] + UDP_ROOM - extra, step,
						  len + sizeof(struct udp_hdr)))
			st->count.no_room++;
	}
	if (got < b.n)
		return RX_EMPTY;
	*want = MIN(*want * 2, RX_BATCH);
	return RX_MORE;
}

/* Datagrams into the spill buffers: b->from says from whom. */
static unsigned rx_spill(struct stack *st, int fd, struct rx_batch *b, unsigned want)
{
	b->n = want;
	for (unsigned i = 0; i < want; i++) {
		b->iov[i][0] = (struct iovec){st->udp->spill[i] + UDP_ROOM, DGRAM_MAX};
		batch_fit(b, i, 1);
		b->msg[i].msg_hdr.msg_name = &b->from[i];
		b->msg[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
	}
	return receive(fd, b);
}

/* A peer that lends nothing: one push() for the whole batch. */
static enum rx rx_push(struct flow *f, unsigned *want)
{
	struct stack *st = f->st;
	bool csum = st->port.peer_caps.offloads & NET_CAP_CSUM;
	struct net_frame frame[RX_BATCH];
	struct iovec vec[RX_BATCH][2];
	struct sockaddr_in src, dst;
	struct rx_batch b;
	unsigned got = rx_spill(st, f->ev.fd, &b, *want), n = 0, took;

	flow_ends(f, &src, &dst);
	for (unsigned i = 0; i < got; i++) {
		uint8_t *buf = st->udp->spill[i];
		unsigned len = b.msg[i].msg_len;
		struct udp_frame h;

		account(f, len);
		if (sizeof(h.ip) + sizeof(h.udp) + len > st->conf.mtu) {
			if (!udp_out(st, f->gmac, &src, &dst, buf, len))
				st->count.no_room++;
			continue;
		}
		fill_headers(st, &h, f->gmac, &src, &dst, csum ? NULL : buf + UDP_ROOM, len);
		vec[n][1] = (struct iovec){buf + UDP_ROOM - sizeof(h), sizeof(h) + len};
		memcpy(vec[n][1].iov_base, &h, sizeof(h));
		frame[n] = (struct net_frame){.vec = vec[n], .nvec = 2, .len = sizeof(h) + len};
		if (csum)
			frame[n].off = csum_later;
		n++;
	}
	took = n ? net_push(&st->port, 0, frame, n) : 0;
	st->count.frames_out += took;
	st->count.no_room += n - took;
	if (took < n)
		return RX_NO_ROOM;
	if (got < *want)
		return RX_EMPTY;
	*want = MIN(*want * 2, RX_BATCH);
	return RX_MORE;
}

static void udp_receive(struct flow *f)
{
	enum rx rx = RX_MORE;
	unsigned want = 2;

	flow_touch(f);
	for (unsigned i = 0; i < RX_ROUNDS && rx == RX_MORE; i++)
		rx = net_may_lend(&f->st->port, 0) ? rx_lend(f, &want) : rx_push(f, &want);
	if (rx == RX_NO_ROOM)
		flow_wait_room(f);
	else if (rx == RX_MORE)
		flow_again(f);
}

/* --- flows ---------------------------------------------------------------------------------- */

static void udp_event(struct flow *f, uint32_t events)
{
	if (events & EPOLLERR)
		icmp_errqueue(f);
	if (events & EPOLLIN)
		udp_receive(f);
}

static void udp_ready(struct flow *f)
{
	if (f->ev.fd >= 0)
		udp_receive(f);
}

static void udp_timer(struct flow *f)
{
	uint64_t idle = f->u.udp.seen_reply ? REPLIED_NS : UNREPLIED_NS;

	if (stack_now(f->st) - f->used >= idle)
		flow_free(f);
	else
		arm(f);
}

static void udp_info(const struct flow *f, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s", f->u.udp.host_initiated ? "hostfwd" : "open",
		 f->u.udp.seen_reply ? "" : ",unreplied");
}

const struct flow_ops udp_flow_ops = {
	.name = "udp",
	.event = udp_event,
	.ready = udp_ready,
	.timer = udp_timer,
	.evict = flow_free,
	.info = udp_info,
};

/* --- forwards ------------------------------------------------------------------------------- */

static struct flow *fwd_flow(struct stack *st, struct fwd *fwd, const struct sockaddr_in *from,
			     const uint8_t mac[ETH_ALEN])
{
	struct flow_key k = {.gaddr = fwd->guest.sin_addr.s_addr,
			     .raddr = stack_guest_view(st, from->sin_addr.s_addr),
			     .gport = fwd->guest.sin_port,
			     .rport = from->sin_port,
			     .proto = IP_UDP};
	uint16_t index = (uint16_t)(fwd - st->fwd);
	struct flow *f = flow_find(st, &k);

	/* The guest's own flow to that port, or another way in: the latest one gets the answers. */
	if (f && (!f->u.udp.host_initiated || f->u.udp.fwd != index ||
		  f->u.udp.peer.sin_addr.s_addr != from->sin_addr.s_addr)) {
		flow_free(f);
		f = NULL;
	}
	if (!f) {
		f = flow_new(st, FLOW_UDP, &k);
		if (!f)
			return NULL;
		f->u.udp = (struct udp_flow){.host_initiated = 1, .fwd = index, .peer = *from};
		arm(f);
	}
	memcpy(f->gmac, mac, ETH_ALEN);
	return f;
}

static void fwd_datagram(struct stack *st, struct fwd *fwd, const struct sockaddr_in *from,
			 uint8_t *buf, unsigned len)
{
	uint8_t mac[ETH_ALEN];
	struct sockaddr_in src, dst;
	struct flow *f;

	fwd->hits++;
	if (!stack_neigh(st, fwd->guest.sin_addr.s_addr, mac)) {
		net_drop(&st->port, 0, "the guest of a hostfwd is not known yet");
		return;
	}
	f = fwd_flow(st, fwd, from, mac);
	if (!f)
		return;
	flow_touch(f);
	account(f, len);
	flow_ends(f, &src, &dst);
	if (!udp_out(st, f->gmac, &src, &dst, buf, len))
		st->count.no_room++;
}

/* Level-triggered: what one batch leaves is reported again. */
void udp_fwd_event(struct stack *st, struct fwd *fwd)
{
	struct rx_batch b;
	unsigned got = rx_spill(st, fwd->fd, &b, RX_BATCH);

	for (unsigned i = 0; i < got; i++)
		fwd_datagram(st, fwd, &b.from[i], st->udp->spill[i], b.msg[i].msg_len);
}

static void drop_if_of(struct flow *f, void *arg)
{
	const struct fwd *fwd = arg;

	if (f->kind == FLOW_UDP && f->u.udp.host_initiated &&
	    f->u.udp.fwd == (uint16_t)(fwd - fwd->st->fwd))
		flow_free(f);
}

void udp_fwd_gone(struct stack *st, struct fwd *fwd)
{
	flow_for_each(st, drop_if_of, fwd);
}

int udp_init(struct stack *st, struct err *e)
{
	st->udp = mmap(NULL, sizeof(*st->udp), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (st->udp == MAP_FAILED) {
		st->udp = NULL;
		return err_set(e, ENOMEM, "no memory for UDP buffers");
	}
	madvise(st->udp, sizeof(*st->udp), MADV_NOHUGEPAGE);
	return 0;
}

void udp_exit(struct stack *st)
{
	if (st->udp)
		munmap(st->udp, sizeof(*st->udp));
	st->udp = NULL;
}
