/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAPs on a real kernel: two network namespaces of our own, a TAP in each, joined port to port,
 * and the kernel's own TCP/IP at both ends. Prints TAP (Test Anything Protocol); skips without
 * the right to make namespaces. Rows T1 to T3, T7, T8.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/util.h"
#include "net/backend/backend.h"
#include "net/backend/dummy.h"
#include "net/backend/tap.h"
#include "net/port/hub.h"

#define MB (1024u * 1024u)

extern const struct net_backend net_backend_tap;

struct bench {
	int ns[3]; /* namespaces; host 10.9.0.<i + 1>, fd00::<i + 1> */
	struct net_port *tap[3];
	struct loop *loop;
	unsigned tests, failed;
};

static void ok(struct bench *b, bool good, const char *what)
{
	printf("%s %u - %s\n", good ? "ok" : "not ok", ++b->tests, what);
	fflush(stdout);
	b->failed += !good;
}

static int sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int sh(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

/* What an empty option is parsed to, but no scripts. */
static struct tap_opts defaults(void)
{
	struct tap_opts o;

	opt_init(net_backend_tap.opts, &o);
	o.script = o.downscript = (char *)"no";
	return o;
}

static void enter(const struct bench *b, int i)
{
	if (setns(b->ns[i], CLONE_NEWNET) < 0) {
		perror("setns");
		exit(1);
	}
}

/* Opens a TAP in namespace i and brings it up. */
static bool tap_up(struct bench *b, int i, enum tap_vnet vnet, uint64_t sndbuf)
{
	struct tap_opts o = defaults();
	struct err e = {0};

	o.ifname = (char *)"tap0";
	o.vnet_hdr = vnet;
	o.sndbuf = sndbuf;
	enter(b, i);
	if (net_backend_tap.open(&o, "tap.0", &b->tap[i], &e)) {
		printf("# %s\n", e.text);
		return false;
	}
	return sh("ip link set tap0 address 02:00:00:00:00:0%d up &&"
		  "ip addr add 10.9.0.%d/24 dev tap0 && ip addr add fd00::%d/64 dev tap0 nodad",
		  i + 1, i + 1, i + 1) == 0;
}

static void join(struct bench *b, struct net_port *x, struct net_port *y)
{
	struct err e = {0};

	b->loop = loop_new("wire", NULL, &e);
	if (!b->loop || net_join(x, y, &b->loop, 1, &e) || loop_start(b->loop, &e)) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
}

static void tear_down(struct bench *b)
{
	for (int i = 0; i < 3; i++)
		if (b->tap[i])
			net_unjoin(b->tap[i]);
	loop_stop(b->loop);
	loop_join(b->loop);
	loop_free(b->loop);
	for (int i = 0; i < 3; i++) {
		if (b->tap[i])
			b->tap[i]->ops->destroy(b->tap[i]);
		b->tap[i] = NULL;
	}
}

static socklen_t address(int family, int host, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		in->sin_family = AF_INET;
		in->sin_port = htons(5001);
		in->sin_addr.s_addr = htonl(0x0a090001u + (uint32_t)host);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(5001);
	in6->sin6_addr.s6_addr[0] = 0xfd;
	in6->sin6_addr.s6_addr[15] = (uint8_t)(host + 1);
	return sizeof(*in6);
}

/* Byte i of every transfer: nothing that repeats with the segment size. */
static uint8_t pattern(size_t i)
{
	return (uint8_t)((i * 2654435761u) >> 13);
}

struct sender {
	int fd;
	size_t len;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;
	uint8_t buf[65536];
	size_t sent = 0;

	while (sent < s->len) {
		size_t n = MIN(s->len - sent, sizeof(buf));
		ssize_t rc;

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(sent + i);
		rc = write(s->fd, buf, n);
		if (rc <= 0)
			break;
		sent += (size_t)rc;
	}
	shutdown(s->fd, SHUT_WR);
	return NULL;
}

/* len bytes of TCP from namespace a to namespace z, every byte compared. */
static bool transfer(struct bench *b, int a, int z, int family, size_t len)
{
	struct timeval limit = {.tv_sec = 20};
	struct sockaddr_storage ss;
	socklen_t sl = address(family, z, &ss);
	struct sender s = {.len = len};
	int one = 1, ls, fd;
	size_t got = 0;
	bool good = true;
	uint8_t buf[65536];
	pthread_t th;

	enter(b, z);
	ls = socket(family, SOCK_STREAM, 0);
	setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(ls, (struct sockaddr *)&ss, sl) || listen(ls, 1)) {
		perror("# listen");
		return false;
	}
	enter(b, a);
	s.fd = socket(family, SOCK_STREAM, 0);
	setsockopt(s.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(s.fd, (struct sockaddr *)&ss, sl)) {
		perror("# connect");
		close(ls);
		close(s.fd);
		return false;
	}
	fd = accept(ls, NULL, NULL);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	pthread_create(&th, NULL, send_all, &s);
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			good &= buf[i] == pattern(got + (size_t)i);
		got += (size_t)n;
	}
	close(fd);
	pthread_join(th, NULL);
	close(s.fd);
	close(ls);
	if (got != len || !good)
		printf("# got %zu of %zu bytes, %s\n", got, len, good ? "right" : "wrong");
	return got == len && good;
}

static uint64_t stat_of(const _Atomic uint64_t *c)
{
	return atomic_load(c);
}

static void show(const struct bench *b, int i)
{
	const struct net_port *p = b->tap[i];
	const struct net_stats *s = &p->stats[0];
	const char *why = atomic_load(&p->last_drop);

	printf("# tap %d: tx %lu frames %lu bytes, %lu stalls, %lu drops (%s)\n", i,
	       stat_of(&s->tx_frames), stat_of(&s->tx_bytes), stat_of(&s->tx_stalls),
	       stat_of(&s->drops), why ? why : "none");
}

/* Three echo requests with `size` bytes of data to host 9; all must come back. */
static bool ping(struct bench *b, size_t size)
{
	struct timeval limit = {.tv_sec = 3};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090009)};
	unsigned back = 0;
	int fd;

	enter(b, 0);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (unsigned i = 1; i <= 3; i++) {
		uint8_t out[2048] = {8}, in[2048];
		uint16_t c;
		ssize_t n;

		memset(out + 8, 0xa5, size);
		put_be16(out + 4, 77);
		put_be16(out + 6, (uint16_t)i);
		c = csum_fold(csum_add(0, out, 8 + size));
		memcpy(out + 2, &c, 2);
		sendto(fd, out, 8 + size, 0, (struct sockaddr *)&to, sizeof(to));
		/* Our own request comes in as well: the dummy only swaps addresses, and it is the
		 * kernel's reply to it that comes back as a reply. */
		do {
			n = recv(fd, in, sizeof(in), 0);
		} while (n >= 28 && (in[20] != 0 || get_be16(in + 26) != i));
		back += n == (ssize_t)(28 + size) && memcmp(in + 28, out + 8, size) == 0;
	}
	close(fd);
	return back == 3;
}

static void test_echo(struct bench *b)
{
	const struct dummy_conf c = {.echo = true, .offloads = NET_CAP_OFFLOADS};
	struct net_port *d = dummy_new(&c, "dummy.0");

	if (!tap_up(b, 0, TAP_VNET_AUTO, TAP_SNDBUF_NONE)) {
		ok(b, false, "open a TAP");
		return;
	}
	join(b, b->tap[0], d);
	sh("ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev tap0");
	ok(b, ping(b, 56), "ping through an echoing dummy");
	ok(b, ping(b, 1472), "ping with full frames");
	tear_down(b);
	d->ops->destroy(d);
}

static void test_pair(struct bench *b, enum tap_vnet v0, enum tap_vnet v1, const char *what)
{
	char text[128];

	if (!tap_up(b, 0, v0, TAP_SNDBUF_NONE) || !tap_up(b, 1, v1, TAP_SNDBUF_NONE)) {
		ok(b, false, what);
		return;
	}
	join(b, b->tap[0], b->tap[1]);
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%s: TCP over IPv%c, %s", what, i & 1 ? '6' : '4',
			 i & 2 ? "back" : "forth");
		ok(b, transfer(b, i / 2, 1 - i / 2, i & 1 ? AF_INET6 : AF_INET, 32 * MB), text);
	}
	if (v0 == TAP_VNET_ON && v1 == TAP_VNET_ON) {
		const struct net_stats *s = &b->tap[0]->stats[0];

		snprintf(text, sizeof(text), "%s: large frames cross whole", what);
		ok(b, stat_of(&s->tx_bytes) / stat_of(&s->tx_frames) > 5000, text);
	}
	show(b, 0);
	show(b, 1);
	tear_down(b);
}

/* --- a card's stand-in: lends buffers, and needs what its other side cannot do ---------------- */

#define SLOTS	 8u
#define SLOT_MEM (36u * 2048u)

struct relay {
	struct net_port l, r; /* what comes in at one leaves by the other */
	bool lends;
	unsigned lends_left;   /* until it pretends to be out of buffers */
	unsigned whole, small; /* frames committed */
	struct loop_task refill;
	uint8_t *mem;
	struct iovec vec[SLOTS][40];
};

static struct relay *relay_of(struct net_port *p)
{
	return p->ops->lend ? container_of(p, struct relay, l) : container_of(p, struct relay, r);
}

static struct net_port *across(struct net_port *p)
{
	struct relay *y = relay_of(p);

	return p == &y->l ? &y->r : &y->l;
}

static unsigned relay_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	return net_push(across(p), q, f, n);
}

static void relay_resume(struct net_port *p, unsigned q)
{
	net_resume(across(p), q);
}

static void refill(struct loop_task *t)
{
	struct relay *y = container_of(t, struct relay, refill);

	y->lends_left = 5;
	net_resume(&y->l, 0);
}

static unsigned relay_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s,
			   unsigned n)
{
	struct relay *y = relay_of(p);
	unsigned i;

	(void)q;
	if (!y->lends_left) {
		loop_defer(p->loop[0], &y->refill);
		return 0;
	}
	y->lends_left--;
	for (i = 0; i < n && i < SLOTS; i++) {
		struct net_frame *f = &s[i].f;

		/* Guest buffers of 2 KiB, as many as needed. */
		*f = (struct net_frame){.vec = y->vec[i], .nvec = 1};
		for (; f->len < room; f->len += 2048)
			f->vec[f->nvec++] = (struct iovec){y->mem + i * SLOT_MEM + f->len, 2048};
	}
	return i;
}

static void relay_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n)
{
	struct relay *y = relay_of(p);

	for (unsigned i = 0; i < n && s[i].f.len; i++) {
		struct iovec vec[NET_VEC_MAX];
		struct net_frame f = {.vec = vec, .nvec = 1, .len = s[i].f.len, .off = s[i].f.off};

		f.nvec += iov_slice(s[i].f.vec + 1, s[i].f.nvec - 1, 0, f.len, vec + 1,
				    NET_VEC_MAX - 1, NULL);
		if (f.len > 2048)
			y->whole++;
		else
			y->small++;
		if (net_push(&y->r, q, &f, 1) == 0)
			net_drop(&y->r, q, "relay has nowhere to keep it");
	}
}

static void relay_caps(const struct net_port *p, struct net_caps *c)
{
	bool lends = p->ops->lend &&
		     container_of((struct net_port *)(uintptr_t)p, struct relay, l)->lends;

	*c = (struct net_caps){.queues = 1, .offloads = NET_CAP_OFFLOADS, .lends = lends};
}

static int relay_attach(struct net_port *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

static void relay_detach(struct net_port *p)
{
	loop_undefer(p->loop[0], &relay_of(p)->refill);
}

static const struct net_port_ops relay_l = {
	.kind = "relay",
	.push = relay_push,
	.resume = relay_resume,
	.caps = relay_caps,
	.attach = relay_attach,
	.detach = relay_detach,
	.lend = relay_lend,
	.commit = relay_commit,
};
static const struct net_port_ops relay_r = {
	.kind = "relay",
	.push = relay_push,
	.resume = relay_resume,
	.caps = relay_caps,
	.attach = relay_attach,
	.detach = relay_detach,
};

/* TAP 0 - relay - TAP 1. The relay takes everything, TAP 1 perhaps nothing (vnet_hdr=off). */
static void test_relay(struct bench *b, bool lends, enum tap_vnet v1, uint64_t sndbuf,
		       const char *what)
{
	struct relay y = {.lends = lends, .lends_left = 5, .refill.fn = refill};
	struct err e = {0};
	char text[128];

	net_port_init(&y.l, &relay_l, "relay.l");
	net_port_init(&y.r, &relay_r, "relay.r");
	y.mem = malloc(SLOTS * SLOT_MEM);
	if (!tap_up(b, 0, TAP_VNET_ON, sndbuf) || !tap_up(b, 1, v1, sndbuf)) {
		ok(b, false, what);
		return;
	}
	b->loop = loop_new("wire", NULL, &e);
	if (net_join(&y.l, b->tap[0], &b->loop, 1, &e) ||
	    net_join(&y.r, b->tap[1], &b->loop, 1, &e) || loop_start(b->loop, &e)) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%s: TCP over IPv%c, %s", what, i & 1 ? '6' : '4',
			 i & 2 ? "back" : "forth");
		ok(b, transfer(b, i / 2, 1 - i / 2, i & 1 ? AF_INET6 : AF_INET, 16 * MB), text);
	}
	if (lends) {
		printf("# %u large and %u small frames in lent buffers\n", y.whole, y.small);
		snprintf(text, sizeof(text), "%s: large frames went into lent buffers", what);
		ok(b, y.whole > 100, text);
	}
	show(b, 0);
	show(b, 1);
	tear_down(b);
	free(y.mem);
}

static void test_hub(struct bench *b)
{
	struct err e = {0};
	struct hub *h;

	for (int i = 0; i < 3; i++) {
		if (!tap_up(b, i, i == 2 ? TAP_VNET_OFF : TAP_VNET_ON, TAP_SNDBUF_NONE)) {
			ok(b, false, "three TAPs on a hub");
			return;
		}
	}
	b->loop = loop_new("wire", NULL, &e);
	h = hub_new(0, b->loop, &e);
	for (int i = 0; i < 3; i++)
		if (hub_plug(h, b->tap[i], NULL, &e))
			printf("Bail out! %s\n", e.text);
	loop_start(b->loop, &e);
	ok(b, transfer(b, 0, 1, AF_INET, 16 * MB), "hub of three: TCP from 0 to 1");
	ok(b, transfer(b, 1, 2, AF_INET6, 16 * MB), "hub of three: TCP from 1 to 2");
	ok(b, transfer(b, 2, 0, AF_INET, 16 * MB), "hub of three: TCP from 2 to 0");
	net_unjoin(b->tap[2]);
	ok(b, transfer(b, 0, 1, AF_INET6, 16 * MB), "hub of two left: TCP from 0 to 1");
	hub_free(h);
	tear_down(b);
}

/* The interface is removed while we watch it: no busy loop, no crash. */
static void test_gone(struct bench *b)
{
	const struct dummy_conf c = {.offloads = NET_CAP_OFFLOADS};
	struct net_port *d = dummy_new(&c, "dummy.0");
	struct timespec ts;
	clockid_t cpu;
	double t0;

	if (!tap_up(b, 0, TAP_VNET_ON, TAP_SNDBUF_NONE)) {
		ok(b, false, "open a TAP");
		return;
	}
	join(b, b->tap[0], d);
	sh("ip link del tap0");
	clock_getcpuclockid(getpid(), &cpu);
	clock_gettime(cpu, &ts);
	t0 = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	usleep(300000);
	clock_gettime(cpu, &ts);
	ok(b, (double)ts.tv_sec + (double)ts.tv_nsec / 1e9 - t0 < 0.1,
	   "a TAP that was removed costs nothing");
	tear_down(b);
	d->ops->destroy(d);
}

/* fd=: what we are handed is looked at. */
static void test_fd(struct bench *b)
{
	struct tap_opts o = defaults();
	struct net_port *p = NULL;
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	struct err e = {0};
	char info[64];
	int fd;

	enter(b, 0);
	o.script = o.downscript = NULL;
	o.fd = (uint32_t)open("/dev/null", O_RDWR);
	ok(b, net_backend_tap.open(&o, "t", &p, &e) < 0 && strstr(e.text, "not a TAP"),
	   "fd= of /dev/null is refused");
	close((int)o.fd);
	fd = open("/dev/net/tun", O_RDWR);
	strcpy(ifr.ifr_name, "handed");
	o.fd = (uint32_t)fd;
	if (ioctl(fd, TUNSETIFF, &ifr) || net_backend_tap.open(&o, "t", &p, &e)) {
		ok(b, false, e.text);
		return;
	}
	p->ops->info(p, info, sizeof(info));
	ok(b, strcmp(info, "ifname=handed,vnet_hdr=on") == 0, "fd= of a TAP is taken as it is");
	ok(b, fcntl(fd, F_GETFL) & O_NONBLOCK, "fd= is made non-blocking");
	p->ops->destroy(p);
	ok(b, fcntl(fd, F_GETFL) < 0, "fd= is closed with its port");
	o = defaults();
	o.ifname = (char *)"lo";
	ok(b, net_backend_tap.open(&o, "t", &p, &e) < 0 && strstr(e.text, "lo"),
	   "an interface that is no TAP is refused");
	printf("# %s\n", e.text);
}

static struct net_port *open_as(const char *ifname, uint32_t queues, const char *fds, struct err *e)
{
	struct tap_opts o = defaults();
	struct net_port *p = NULL;

	o.ifname = (char *)(uintptr_t)ifname;
	if (fds)
		o.script = o.downscript = NULL;
	o.queues = queues;
	o.fds = (char *)(uintptr_t)fds;
	*e = (struct err){0};
	if (net_backend_tap.open(&o, "t", &p, e))
		printf("# %s\n", e->text);
	return p;
}

static bool says(const struct net_port *p, const char *text)
{
	char info[96];

	p->ops->info(p, info, sizeof(info));
	return strstr(info, text) != NULL;
}

/* Another descriptor of a TAP with several queues. */
static int add_queue(const char *ifname)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
	int fd = open("/dev/net/tun", O_RDWR);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	return ioctl(fd, TUNSETIFF, &ifr) ? -1 : fd;
}

/* How many frames of many flows come by each queue. */
static void flood_flows(const struct net_port *d, uint64_t n[2])
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a140009)};
	uint64_t was[2] = {stat_of(&d->stats[0].rx_frames), stat_of(&d->stats[1].rx_frames)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (unsigned i = 0; i < 64; i++) {
		to.sin_port = htons((uint16_t)(1000 + i));
		sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	}
	close(fd);
	for (unsigned i = 0; i < 200; i++) {
		usleep(5000);
		n[0] = stat_of(&d->stats[0].rx_frames) - was[0];
		n[1] = stat_of(&d->stats[1].rx_frames) - was[1];
		if (n[0] + n[1] >= 64)
			break;
	}
	printf("# %lu and %lu frames\n", n[0], n[1]);
}

/* Queues of one interface: both are read, then one of them is out of use (T1, T3). */
static void test_queues(struct bench *b)
{
	const struct dummy_conf c = {.queues = 2, .offloads = NET_CAP_OFFLOADS};
	struct net_port *d = dummy_new(&c, "dummy.0"), *p;
	struct loop *loop[2];
	struct err e = {0};
	uint64_t n[2];

	enter(b, 0);
	sh("ip tuntap add dev many mode tap multi_queue && ip tuntap add dev one mode tap &&"
	   "ip addr add 10.20.0.1/24 dev many && ip link set many up &&"
	   "ip neigh add 10.20.0.9 lladdr 02:00:00:00:00:09 dev many");
	p = open_as("one", 2, NULL, &e);
	ok(b, !p && strstr(e.text, "ip tuntap add one mode tap multi_queue"),
	   "queues=2 of a TAP that was made for one is refused");
	p = open_as("many", 0, NULL, &e);
	ok(b, p != NULL, "a TAP made for several queues serves as one of one");
	if (p)
		p->ops->destroy(p);
	p = open_as("many", 2, NULL, &e);
	ok(b, p && says(p, "queues=2,attached=2"), "queues=2");
	if (!p)
		return;
	for (unsigned i = 0; i < 2; i++)
		loop[i] = loop_new("wire", NULL, &e);
	ok(b, !net_join(p, d, loop, 2, &e) && p->nqueues == 2, "joined with two queues");
	for (unsigned i = 0; i < 2; i++)
		loop_start(loop[i], &e);
	flood_flows(d, n);
	ok(b, n[0] >= 5 && n[1] >= 5, "flows come by both queues");
	for (unsigned active = 1; active <= 2; active++) {
		for (unsigned i = 0; i < 2; i++)
			loop_park(loop[i]);
		p->peer_caps.active = active;
		p->ops->peer_caps_changed(p);
		for (unsigned i = 0; i < 2; i++)
			loop_unpark(loop[i]);
		ok(b, says(p, active == 1 ? "attached=1" : "attached=2"), "a queue is set aside");
		flood_flows(d, n);
		ok(b, n[0] + n[1] >= 64 && (n[1] >= 5) == (active == 2), "and back");
	}
	net_unjoin(p);
	p->ops->destroy(p);
	d->ops->destroy(d);
	for (unsigned i = 0; i < 2; i++) {
		loop_stop(loop[i]);
		loop_join(loop[i]);
		loop_free(loop[i]);
	}
}

static void test_fds(struct bench *b)
{
	int a = add_queue("many"), z = add_queue("many"), other = add_queue("third");
	struct net_port *p;
	struct err e;
	char fds[64];

	snprintf(fds, sizeof(fds), "%d:%d", a, other);
	ok(b, !open_as(NULL, 0, fds, &e) && strstr(e.text, "one interface"),
	   "fds= of two interfaces is refused");
	snprintf(fds, sizeof(fds), "%d:%d", a, a);
	ok(b, !open_as(NULL, 0, fds, &e) && strstr(e.text, "twice"),
	   "fds= with one descriptor twice is refused");
	snprintf(fds, sizeof(fds), "%d:%d", a, z);
	p = open_as(NULL, 0, fds, &e);
	ok(b, p && says(p, "ifname=many") && says(p, "queues=2"), "fds= of two queues");
	if (p)
		p->ops->destroy(p);
	ok(b, fcntl(a, F_GETFL) < 0 && fcntl(z, F_GETFL) < 0, "fds= are closed with their port");
	close(other);
}

static bool set_up(struct bench *b)
{
	for (int i = 0; i < 3; i++) {
		if (unshare(CLONE_NEWNET) < 0)
			return false;
		b->ns[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (b->ns[i] < 0)
			return false;
	}
	return access("/dev/net/tun", R_OK | W_OK) == 0;
}

int main(void)
{
	struct bench b = {0};

	if (!set_up(&b)) {
		printf("1..0 # SKIP no right to make network namespaces or TAPs: %s\n",
		       strerror(errno));
		return 0;
	}
	test_echo(&b);
	test_pair(&b, TAP_VNET_ON, TAP_VNET_ON, "vnet_hdr=on both");
	test_pair(&b, TAP_VNET_ON, TAP_VNET_OFF, "vnet_hdr=on to off");
	test_relay(&b, false, TAP_VNET_OFF, TAP_SNDBUF_NONE, "software offload");
	test_relay(&b, true, TAP_VNET_ON, TAP_SNDBUF_NONE, "lent buffers");
	test_relay(&b, true, TAP_VNET_OFF, TAP_SNDBUF_NONE, "lent buffers, software offload");
	test_relay(&b, false, TAP_VNET_OFF, 65536, "sndbuf=64k");
	test_hub(&b);
	test_gone(&b);
	test_fd(&b);
	test_queues(&b);
	test_fds(&b);
	printf("1..%u\n", b.tests);
	return b.failed ? 1 : 0;
}
