/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receive side of the user-mode stack under arbitrary frames.
 *
 * Nothing leaves the process: this program's own socket() and friends stand in for the C
 * library's, and what the stack takes for Internet sockets are UNIX socket pairs whose other
 * ends are held here. Input is a list of steps, each a byte that says what and two of length
 * (little-endian):
 *   bit 7 clear: a frame from the guest; bits 0-2: where it is cut in two; bit 3: the transport
 *     checksum counts as verified; bit 4: as to be filled in; bit 5: GSO; bit 6: leave the IP and
 *     ICMP checksums as they are instead of making them right
 *   bit 7 set, bit 6 clear: bytes arrive at the host's end of a socket (bits 0-5: which)
 *   bits 7 and 6 set: the clock goes on by the length, times 100 ms, on a new loop
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/csum.h"
#include "base/util.h"
#include "net/user/internal.h"

#define FDS   4096
#define STEPS 64

/* The other end of each stand-in, + 1. */
static int other[FDS];
static int last_fd;

int socket(int domain, int type, int proto)
{
	int fd[2];

	(void)domain;
	(void)proto;
	if ((type & 0xf) == SOCK_RAW)
		type = (type & ~0xf) | SOCK_DGRAM;
	if (socketpair(AF_UNIX, type, 0, fd) < 0)
		return -1;
	if (fd[0] >= FDS || fd[1] >= FDS)
		abort();
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	other[fd[0]] = fd[1] + 1;
	last_fd = fd[0];
	return fd[0];
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)len;
	/* Ports divisible by 16 refuse, the rest of the even ones take their time. */
	unsigned port = ntohs(((const struct sockaddr_in *)(const void *)to)->sin_port);
	int type = 0;
	socklen_t tl = sizeof(type);

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &tl);
	if (type == SOCK_STREAM && port % 2 == 0) {
		errno = port % 16 ? EINPROGRESS : ECONNREFUSED;
		return -1;
	}
	return 0;
}

int bind(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)fd;
	(void)to;
	(void)len;
	return 0;
}

int listen(int fd, int n)
{
	(void)fd;
	(void)n;
	return 0;
}

int getsockname(int fd, struct sockaddr *out, socklen_t *len)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)fd)};

	memcpy(out, &a, MIN(*len, (socklen_t)sizeof(a)));
	*len = sizeof(a);
	return 0;
}

int close(int fd)
{
	if (fd >= 0 && fd < FDS && other[fd]) {
		syscall(SYS_close, other[fd] - 1);
		other[fd] = 0;
	}
	return (int)syscall(SYS_close, fd);
}

/* --- the guest ------------------------------------------------------------------------------ */

static unsigned guest_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	unsigned room = 8;

	(void)p;
	(void)q;
	for (unsigned i = 0; i < n && i < room; i++) {
		size_t sum = 0;

		for (unsigned v = 1; v < f[i].nvec; v++)
			sum += f[i].vec[v].iov_len;
		/* Every byte is looked at: ASan speaks up if one is not there. */
		if (sum != f[i].len || csum_add_iov(0, f[i].vec + 1, f[i].nvec - 1, 0, sum) == 1)
			abort();
	}
	return MIN(n, room);
}

static void guest_resume(struct net_port *p, unsigned q)
{
	(void)p;
	(void)q;
}

static void guest_caps(const struct net_port *p, struct net_caps *c)
{
	(void)p;
	*c = (struct net_caps){.queues = 1, .offloads = NET_CAP_CSUM | NET_CAP_TSO4};
}

static int guest_attach(struct net_port *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

static void guest_detach(struct net_port *p)
{
	(void)p;
}

static const struct net_port_ops guest_ops = {
	.kind = "fuzz",
	.push = guest_push,
	.resume = guest_resume,
	.caps = guest_caps,
	.attach = guest_attach,
	.detach = guest_detach,
};

struct rig {
	struct clock clock;
	struct loop *loop;
	struct net_port guest;
	struct stack *st;
};

/* Makes the checksums that no fuzzer guesses. */
static void repair(uint8_t *p, unsigned len)
{
	unsigned hl = len > ETH_HDR ? (p[ETH_HDR] & 0xf) * 4u : 0;

	if (len < ETH_HDR + 20 || get_be16(p + 12) != ETH_IP4 || len < ETH_HDR + hl || hl < 20)
		return;
	uint8_t *ip = p + ETH_HDR;
	unsigned total = MIN(get_be16(ip + 2), len - ETH_HDR);

	put_be16(ip + 10, 0);
	uint16_t sum = csum_fold(csum_add(0, ip, hl));

	memcpy(ip + 10, &sum, 2);
	if (ip[9] == IP_ICMP && total >= hl + 8) {
		put_be16(ip + hl + 2, 0);
		sum = csum_fold(csum_add(0, ip + hl, total - hl));
		memcpy(ip + hl + 2, &sum, 2);
	}
}

static void frame(struct rig *r, uint8_t what, const uint8_t *data, unsigned len)
{
	unsigned cut = MIN(len, (what & 7) * 14u);
	uint8_t *a = malloc(cut ? cut : 1), *b = malloc(len - cut ? len - cut : 1);
	uint8_t *whole = malloc(len ? len : 1);
	struct iovec vec[3] = {{0}, {a, cut}, {b, len - cut}};
	struct net_frame f = {.vec = vec, .nvec = 3, .len = len};

	if (!a || !b || !whole)
		abort();
	memcpy(whole, data, len);
	if (!(what & 64))
		repair(whole, len);
	memcpy(a, whole, cut);
	memcpy(b, whole + cut, len - cut);
	if (what & 8)
		f.off.flags = NET_F_DATA_VALID;
	if (what & 16)
		f.off = (struct net_offload){NET_F_NEEDS_CSUM, NET_GSO_NONE, 0, 0, 34, 6};
	if (what & 32) {
		f.off.gso_type = what & 1 ? NET_GSO_TCPV4 : NET_GSO_UDP_L4;
		f.off.gso_size = 100;
	}
	r->st->port.ops->push(&r->st->port, 0, &f, 1);
	free(a);
	free(b);
	free(whole);
}

static void host_bytes(uint8_t what, const uint8_t *data, unsigned len)
{
	int fd = MAX(last_fd - (what & 63), 0);

	if (other[fd] && send(other[fd] - 1, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

struct stopper {
	struct loop_task task;
	struct loop *loop;
};

static void stop_now(struct loop_task *t)
{
	loop_stop(container_of(t, struct stopper, task)->loop);
}

/* One round of the loop; a loop runs once only, so there is another for the next: a re-plug. */
static void round_on(struct rig *r, uint64_t ns)
{
	struct stopper s = {{.fn = stop_now}, r->loop};
	struct loop *old = r->loop;
	struct err e = {0};

	r->clock.now += ns;
	loop_defer(r->loop, &s.task);
	loop_run(r->loop);
	r->st->port.ops->resume(&r->st->port, 0);
	net_unjoin(&r->guest);
	r->loop = loop_new("fuzz", &r->clock, &e);
	loop_free(old);
	if (!r->loop || net_join(&r->guest, &r->st->port, &r->loop, 1, &e))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct user_conf c = {
		.net = {inet_addr("10.0.2.0"), 24, true},
		.host.s_addr = inet_addr("10.0.2.2"),
		.dns.s_addr = inet_addr("10.0.2.3"),
		.dhcpstart.s_addr = inet_addr("10.0.2.15"),
		.dns_host = {.sin_family = AF_INET, .sin_port = htons(53)},
		.mtu = 1500,
	};
	struct rig r = {.clock = {.is_virtual = true, .now = 1000 * NS_PER_S}};
	struct err e = {0};

	r.loop = loop_new("fuzz", &r.clock, &e);
	r.st = stack_new(&c, "fuzz", &e);
	net_port_init(&r.guest, &guest_ops, "fuzz");
	if (!r.loop || !r.st || net_join(&r.guest, &r.st->port, &r.loop, 1, &e))
		abort();
	for (unsigned i = 0; i < STEPS && size >= 3; i++) {
		unsigned len = data[1] | data[2] << 8;
		uint8_t what = data[0];

		data += 3;
		size -= 3;
		if ((what & 0xc0) == 0xc0) {
			round_on(&r, len * 100 * NS_PER_MS);
			continue;
		}
		len = (unsigned)MIN(len, size);
		if (what & 0x80)
			host_bytes(what, data, len);
		else
			frame(&r, what, data, len);
		data += len;
		size -= len;
	}
	round_on(&r, 0);
	net_unjoin(&r.guest);
	r.st->port.ops->destroy(&r.st->port);
	loop_free(r.loop);
	return 0;
}
