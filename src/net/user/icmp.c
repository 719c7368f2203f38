/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP (RFC 792). The gateway and the name server answer echo requests themselves. A request to
 * another host goes out on a ping socket, which needs no privilege where the administrator allows
 * it (net.ipv4.ping_group_range), or, for root, on a raw socket; the kernel builds the IP header.
 * One flow is one echo identifier towards one host.
 *
 * The other way: what a socket reports (an error code, or an ICMP message on its error queue) is
 * told to the guest as the ICMP error that a router would have sent.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>
#include <linux/icmp.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/log.h"
#include "base/util.h"
#include "net/user/internal.h"

#define PING_IDLE_NS (30 * NS_PER_S)
/* RFC 1812 section 4.3.2.3: as much of the packet as fits 576 bytes. */
#define QUOTE_MAX  528u
#define REPLY_MAX  2048u
#define RX_AT_ONCE 16 /* messages per event before other flows get their turn */

struct icmp_frame {
	struct eth_hdr eth;
	struct ip4_hdr ip;
	struct icmp_hdr icmp;
} __attribute__((packed));

/* --- errors to the guest -------------------------------------------------------------------- */

static void send_error(struct stack *st, const uint8_t dmac[ETH_ALEN], uint32_t from, uint32_t to,
		       uint8_t type, uint8_t code, uint32_t rest, const void *quote, unsigned len)
{
	struct {
		struct icmp_frame h;
		uint8_t quote[QUOTE_MAX];
	} __attribute__((packed)) m;

	memcpy(m.quote, quote, len);
	m.h.icmp = (struct icmp_hdr){.type = type, .code = code};
	memcpy(&m.h.icmp.id, &rest, sizeof(rest));
	m.h.icmp.csum = csum_fold(csum_add(0, &m.h.icmp, sizeof(m.h.icmp) + len));
	stack_fill_ip4(st, &m.h.eth, &m.h.ip, dmac, from, to, IP_ICMP, sizeof(m.h.icmp) + len);
	if (!stack_send(st, &m, sizeof(m.h) + len, NULL, 0, NULL))
		st->count.no_room++;
}

/* RFC 1122 section 3.2.2: no error about an error, a broadcast or nobody's packet. */
static bool may_complain(struct stack *st, const struct pkt *p)
{
	uint8_t type;

	if (!stack_is_guest(st, p->ip.src) || p->eth.dst[0] & 1 || ntohl(p->ip.dst) >> 28 >= 0xe ||
	    p->ip.frag & htons(IP4_OFFMASK))
		return false;
	if (p->ip.proto != IP_ICMP)
		return true;
	return iov_read(p->f->vec + 1, p->f->nvec - 1, p->l4, &type, 1) == 1 &&
	       (type == ICMP_ECHO || type == ICMP_TIMESTAMP);
}

/* rest: the second word of the ICMP header, network order. */
void icmp_error(struct stack *st, const struct pkt *p, uint8_t type, uint8_t code, uint32_t rest)
{
	uint8_t quote[QUOTE_MAX];
	uint32_t from = st->conf.host.s_addr;

	if (!may_complain(st, p))
		return;
	/* The host itself says that it lacks the port or the protocol. */
	if (type == ICMP_DEST_UNREACH && (code == ICMP_PORT_UNREACH || code == ICMP_PROT_UNREACH))
		from = p->ip.dst;
	unsigned len = (unsigned)iov_read(p->f->vec + 1, p->f->nvec - 1, p->l3, quote,
					  MIN(p->end - p->l3, QUOTE_MAX));

	send_error(st, p->eth.src, from, p->ip.src, type, code, rest, quote, len);
}

void icmp_error_flow(struct flow *f, uint32_t from, uint8_t type, uint8_t code, uint32_t rest)
{
	struct stack *st = f->st;
	struct {
		struct eth_hdr eth; /* not quoted */
		struct ip4_hdr ip;
		uint8_t l4[8];
	} __attribute__((packed)) q = {0};

	stack_fill_ip4(st, &q.eth, &q.ip, st->mac, f->key.gaddr, f->key.raddr, f->key.proto, 8);
	if (f->key.proto == IP_ICMP) {
		q.l4[0] = ICMP_ECHO;
		memcpy(q.l4 + 4, &f->key.gport, 2);
	} else {
		memcpy(q.l4, &f->key.gport, 2);
		memcpy(q.l4 + 2, &f->key.rport, 2);
		if (f->key.proto == IP_TCP) /* a guest believes nothing about other numbers */
			put_be32(q.l4 + 4, f->u.tcp.ack_next - 1);
		else
			put_be16(q.l4 + 4, 8);
	}
	send_error(st, f->gmac, from, f->key.gaddr, type, code, rest, &q.ip, sizeof(q.ip) + 8);
}

void icmp_error_errno(struct flow *f, int err)
{
	uint32_t gw = f->st->conf.host.s_addr;

	switch (err) {
	case ECONNREFUSED:
		icmp_error_flow(f, f->key.raddr, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
		break;
	case ENETUNREACH:
		icmp_error_flow(f, gw, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0);
		break;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		icmp_error_flow(f, gw, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
		break;
	case EACCES:
	case EPERM:
		icmp_error_flow(f, gw, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, 0);
		break;
	default:
		break;
	}
}

static bool refused(const struct sock_extended_err *ee)
{
	return ee->ee_origin == SO_EE_ORIGIN_ICMP && ee->ee_type == ICMP_DEST_UNREACH &&
	       ee->ee_code == ICMP_PORT_UNREACH;
}

bool icmp_errqueue(struct flow *f)
{
	struct stack *st = f->st;
	bool gone = false;

	for (int i = 0; i < RX_AT_ONCE; i++) {
		char ctl[256], data[8];
		struct iovec iov = {data, sizeof(data)};
		struct msghdr m = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = ctl,
				   .msg_controllen = sizeof(ctl)};

		if (recvmsg(f->ev.fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			struct sock_extended_err ee;
			struct sockaddr_in who;

			if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR ||
			    c->cmsg_len < CMSG_LEN(sizeof(ee) + sizeof(who)))
				continue;
			memcpy(&ee, CMSG_DATA(c), sizeof(ee));
			memcpy(&who, CMSG_DATA(c) + sizeof(ee), sizeof(who));
			if (ee.ee_origin != SO_EE_ORIGIN_ICMP) {
				icmp_error_errno(f, (int)ee.ee_errno);
				continue;
			}
			gone |= refused(&ee);
			icmp_error_flow(f,
					refused(&ee) ? f->key.raddr
						     : stack_guest_view(st, who.sin_addr.s_addr),
					ee.ee_type, ee.ee_code, htonl(ee.ee_info));
		}
	}
	return gone;
}

/* --- echo ----------------------------------------------------------------------------------- */

/* The gateway's own answer: the request with two fields changed, its payload from where it is. */
static void echo_reply(struct stack *st, struct pkt *p, const struct icmp_hdr *ask)
{
	struct icmp_frame h = {.icmp = *ask};
	struct iovec data[NET_VEC_MAX];
	unsigned len = p->end - p->l4, n;
	size_t got;

	/* RFC 1624: from the old sum to that with type 0. */
	h.icmp.type = ICMP_ECHOREPLY;
	h.icmp.csum = csum_fold(csum_add16((uint16_t)~ask->csum, (uint16_t) ~(ICMP_ECHO << 8)));
	n = iov_slice(p->f->vec + 1, p->f->nvec - 1, p->l4 + sizeof(*ask), len - sizeof(*ask), data,
		      NET_VEC_MAX - 2, &got);
	if (got != len - sizeof(*ask)) {
		st->count.bad_frame++;
		return;
	}
	stack_fill_ip4(st, &h.eth, &h.ip, p->eth.src, p->ip.dst, p->ip.src, IP_ICMP, len);
	if (!stack_send(st, &h, sizeof(h), data, n, NULL))
		st->count.no_room++;
}

/* A ping socket's identifier is its port, which the kernel picks at bind(). */
static int ping_socket(struct flow *f)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t len = sizeof(any);
	int fd = stack_socket(f->st, SOCK_DGRAM, IPPROTO_ICMP);

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&any, &len) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	f->u.icmp.id = any.sin_port;
	return fd;
}

static int raw_socket(struct flow *f)
{
	struct icmp_filter only = {.data = ~(1u << ICMP_ECHOREPLY)};
	int fd = stack_socket(f->st, SOCK_RAW, IPPROTO_ICMP);

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &only, sizeof(only)) < 0 ||
	    getrandom(&f->u.icmp.id, sizeof(f->u.icmp.id), 0) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	f->u.icmp.raw = true;
	return fd;
}

static int echo_socket(struct flow *f, const struct sockaddr_in *to)
{
	int fd = ping_socket(f);

	if (fd == -EACCES || fd == -EPERM || fd == -EPROTONOSUPPORT)
		fd = raw_socket(f);
	if (fd == -EACCES || fd == -EPERM) {
		if (!f->st->ping_hint)
			log_warn("the guest's ping to other hosts needs leave: sysctl -w "
				 "net.ipv4.ping_group_range='0 2147483647'");
		f->st->ping_hint = true;
	}
	return fd < 0 ? fd : flow_connect(f, fd, to);
}

static struct flow *echo_flow(struct stack *st, struct pkt *p, const struct icmp_hdr *ask)
{
	struct flow_key k = {
		.gaddr = p->ip.src, .raddr = p->ip.dst, .gport = ask->id, .proto = IP_ICMP};
	struct flow *f = flow_find(st, &k);
	struct sockaddr_in to;

	if (f)
		return f;
	if (!stack_host_addr(st, p->ip.dst, 0, &to)) {
		icmp_error(st, p, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, 0);
		return NULL;
	}
	f = flow_open(st, FLOW_ICMP, &k, p->eth.src, &to, echo_socket);
	if (f)
		flow_timer(f, stack_now(st) + PING_IDLE_NS);
	return f;
}

/* The guest's TTL, one hop later, so that traceroute works through us. */
static void set_ttl(struct flow *f, uint8_t ttl)
{
	const int hops = ttl - 1;

	if (hops > 0)
		setsockopt(f->ev.fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
}

static void echo_forward(struct stack *st, struct pkt *p, const struct icmp_hdr *ask)
{
	struct icmp_hdr h = *ask;
	struct iovec iov[NET_VEC_MAX] = {{&h, sizeof(h)}};
	struct msghdr m = {.msg_iov = iov};
	struct flow *f = echo_flow(st, p, ask);

	if (!f)
		return;
	h.id = f->u.icmp.id;
	/* RFC 1624 again, for the identifier; a ping socket computes it anew anyway. */
	h.csum = csum_fold(csum_add16(csum_add16((uint16_t)~ask->csum, (uint16_t)~ntohs(ask->id)),
				      ntohs(h.id)));
	m.msg_iovlen = 1 + iov_slice(p->f->vec + 1, p->f->nvec - 1, p->l4 + sizeof(h),
				     p->end - p->l4 - sizeof(h), iov + 1, NET_VEC_MAX - 1, NULL);
	flow_touch(f);
	set_ttl(f, p->ip.ttl);
	f->tx_bytes += p->end - p->l4 - sizeof(h);
	if (sendmsg(f->ev.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		icmp_error_errno(f, errno);
}

void icmp_in(struct stack *st, struct pkt *p)
{
	const struct iovec *vec = p->f->vec + 1;
	unsigned n = p->f->nvec - 1, len = p->end - p->l4;
	struct icmp_hdr h;

	if (len < sizeof(h) || iov_read(vec, n, p->l4, &h, sizeof(h)) < sizeof(h)) {
		st->count.bad_frame++;
		return;
	}
	if (csum_fold(csum_add_iov(0, vec, n, p->l4, len))) {
		st->count.bad_csum++;
		return;
	}
	if (h.type != ICMP_ECHO || h.code || p->ip.dst == 0xffffffff || p->eth.dst[0] & 1)
		return;
	st->count.icmp_echo++;
	if (p->ip.dst == st->conf.host.s_addr || p->ip.dst == st->conf.dns.s_addr)
		echo_reply(st, p, &h);
	else
		echo_forward(st, p, &h);
}

/* --- echo flows ----------------------------------------------------------------------------- */

/* One reply in buf (ICMP header on) goes to the guest under the guest's identifier. */
static void echo_back(struct flow *f, uint8_t *buf, unsigned len)
{
	struct icmp_frame h;
	struct iovec data = {buf + sizeof(h.icmp), len - sizeof(h.icmp)};

	memcpy(&h.icmp, buf, sizeof(h.icmp));
	if (h.icmp.type != ICMP_ECHOREPLY || h.icmp.id != f->u.icmp.id)
		return;
	h.icmp.id = f->key.gport;
	h.icmp.csum = 0;
	h.icmp.csum = csum_fold(
		csum_add(csum_add(0, &h.icmp, sizeof(h.icmp)), data.iov_base, data.iov_len));
	stack_fill_ip4(f->st, &h.eth, &h.ip, f->gmac, f->key.raddr, f->key.gaddr, IP_ICMP, len);
	f->rx_bytes += data.iov_len;
	flow_touch(f);
	if (!stack_send(f->st, &h, sizeof(h), &data, 1, NULL))
		f->st->count.no_room++;
}

static void icmp_event(struct flow *f, uint32_t events)
{
	uint8_t buf[REPLY_MAX];
	bool more = false;

	if (events & EPOLLERR)
		icmp_errqueue(f);
	if (!(events & EPOLLIN))
		return;
	for (int i = 0; i < RX_AT_ONCE; i++) {
		ssize_t n = recv(f->ev.fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
		unsigned skip = 0;

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) /* a pending error hides what lies behind it; it is reported once */
			continue;
		more = true;
		/* A raw socket gives the IP header as well. */
		if (f->u.icmp.raw && n)
			skip = (buf[0] & 0xf) * 4u;
		if (n <= (ssize_t)sizeof(buf) && n >= (ssize_t)(skip + sizeof(struct icmp_hdr)))
			echo_back(f, buf + skip, (unsigned)n - skip);
	}
	if (more)
		flow_again(f);
}

static void icmp_ready(struct flow *f)
{
	icmp_event(f, EPOLLIN);
}

static void icmp_timer(struct flow *f)
{
	uint64_t end = f->used + PING_IDLE_NS;

	if (stack_now(f->st) >= end)
		flow_free(f);
	else
		flow_timer(f, end);
}

static void icmp_info(const struct flow *f, char *buf, size_t len)
{
	snprintf(buf, len, "%s", f->u.icmp.raw ? "raw" : "echo");
}

const struct flow_ops icmp_flow_ops = {
	.name = "icmp",
	.event = icmp_event,
	.ready = icmp_ready,
	.timer = icmp_timer,
	.evict = flow_free,
	.info = icmp_info,
};
