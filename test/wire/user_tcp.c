/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP through the user-mode stack on a real kernel (M3). Two network namespaces of our own: "host",
 * where a child process runs the stack with its sockets, and "guest", whose TAP is the stack's
 * peer, so that the kernel's TCP is the guest. Descriptors and memory are those of the child, which
 * does nothing else. Prints TAP (Test Anything Protocol) with measured rates as comments.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "net/backend/backend.h"
#include "net/backend/tap.h"
#include "net/user/stack.h"

#define MB	 (1024u * 1024u)
#define PORT	 5600
#define FWD_PORT 5601
#define CHUNK	 (128u << 10)

extern const struct net_backend net_backend_tap;

enum { HOST, GUEST };

struct world {
	int ns[2];
	pid_t stack;
	int ready; /* pipe: the child's stack runs */
	unsigned tests, failed;
	_Atomic uint64_t sent; /* by the server, over all connections */
};

/* --- reporting ------------------------------------------------------------------------------ */

static void ok(struct world *w, bool good, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void ok(struct world *w, bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%s %u - ", good ? "ok" : "not ok", ++w->tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	w->failed += !good;
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

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void enter(const struct world *w, int which)
{
	if (setns(w->ns[which], CLONE_NEWNET) < 0) {
		perror("Bail out! setns");
		exit(1);
	}
}

/* --- the stack's process -------------------------------------------------------------------- */

static void stack_main(struct world *w, int ready)
{
	char *fwd[] = {(char *)"tcp:127.0.0.1:5601-10.0.2.15:5601"};
	struct user_conf c = {.mtu = 1500, .net = {.prefix = 24, .set = true}};
	struct tap_opts o;
	struct net_port *tap;
	struct stack *st;
	struct loop *loop;
	struct err e = {0};

	opt_init(net_backend_tap.opts, &o);
	o.ifname = (char *)"tap0";
	o.script = o.downscript = (char *)"no";
	o.vnet_hdr = TAP_VNET_ON;
	c.net.addr = inet_addr("10.0.2.0");
	c.host.s_addr = inet_addr("10.0.2.2");
	c.dns.s_addr = inet_addr("10.0.2.3");
	c.dhcpstart.s_addr = inet_addr("10.0.2.15");
	c.hostfwd = (struct opt_list){fwd, 1};
	enter(w, GUEST);
	if (net_backend_tap.open(&o, "tap.0", &tap, &e))
		goto fail;
	enter(w, HOST);
	st = stack_new(&c, "user.0", &e);
	loop = loop_new("net", NULL, &e);
	if (!st || !loop || net_join(&st->port, tap, &loop, 1, &e))
		goto fail;
	if (write(ready, "x", 1) != 1)
		_exit(1);
	loop_run(loop);
	_exit(0);
fail:
	fprintf(stderr, "user_tcp: %s\n", e.text);
	_exit(1);
}

static bool start_stack(struct world *w)
{
	int p[2];
	char c;

	if (pipe(p) < 0)
		return false;
	w->stack = fork();
	if (!w->stack) {
		close(p[0]);
		stack_main(w, p[1]);
	}
	close(p[1]);
	if (read(p[0], &c, 1) != 1) /* EOF: it failed and said why */
		return false;
	close(p[0]);
	enter(w, GUEST);
	return sh("ip link set lo up && ip addr add 10.0.2.15/24 dev tap0 &&"
		  "ip link set tap0 up && ip route add default via 10.0.2.2") == 0;
}

static unsigned stack_fds(const struct world *w)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", w->stack);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static long stack_rss(const struct world *w) /* KiB */
{
	char path[64];
	long size = 0, rss = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", w->stack);
	f = fopen(path, "r");
	if (f && fscanf(f, "%ld %ld", &size, &rss) == 2)
		rss *= sysconf(_SC_PAGESIZE) / 1024;
	if (f)
		fclose(f);
	return rss;
}

/* --- traffic -------------------------------------------------------------------------------- */

/* Byte i of every stream: nothing that repeats with the segment size. */
static uint8_t pattern(uint64_t i)
{
	return (uint8_t)((i * 2654435761u) >> 13);
}

static bool send_pattern(int fd, uint64_t len, _Atomic uint64_t *count)
{
	uint8_t buf[CHUNK];
	uint64_t done = 0;

	/* The pattern repeats every 2^21 bytes or slower: computing it is not what is measured. */
	while (done < len) {
		size_t n = MIN(len - done, sizeof(buf)), off = 0;

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(done + i);
		while (off < n) {
			ssize_t rc = send(fd, buf + off, n - off, MSG_NOSIGNAL);

			if (rc <= 0)
				return false;
			off += (size_t)rc;
			if (count)
				atomic_fetch_add(count, (uint64_t)rc);
		}
		done += n;
	}
	return true;
}

/* Reads len bytes, and the end of the stream when eof is set. */
static bool check_pattern(int fd, uint64_t from, uint64_t len, bool eof)
{
	uint8_t buf[CHUNK];
	uint64_t done = 0;

	while (done < len) {
		ssize_t rc = recv(fd, buf, MIN(len - done, sizeof(buf)), 0);

		if (rc <= 0)
			return false;
		for (ssize_t i = 0; i < rc; i++)
			if (buf[i] != pattern(from + done + (uint64_t)i))
				return false;
		done += (uint64_t)rc;
	}
	return !eof || recv(fd, buf, 1, 0) == 0;
}

/*
 * The server's protocol: a letter and an 8-byte length. 'C' answers and closes; 'S' sends that
 * many bytes and closes; 'K' takes that many and answers 'k'; 'E' echoes until EOF; 'W' takes
 * nothing until a byte arrives ... of patience: it sleeps that many milliseconds first, then as 'K'
 * for 16 MB.
 */
struct order {
	char what;
	uint64_t len;
} __attribute__((packed));

struct job {
	struct world *w;
	int fd;
	struct order o;
};

static void echo(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			return;
}

static void *serve_one(void *arg)
{
	struct job *j = arg;
	uint64_t len = j->o.len;

	if (j->o.what == 'W') {
		usleep((useconds_t)len * 1000);
		len = 16 * MB;
	}
	if (j->o.what == 'S')
		send_pattern(j->fd, len, &j->w->sent);
	else if (j->o.what == 'E')
		echo(j->fd);
	else if (check_pattern(j->fd, 0, len, false))
		send(j->fd, "k", 1, MSG_NOSIGNAL);
	close(j->fd);
	free(j);
	return NULL;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0) {
		perror("Bail out! listen");
		exit(1);
	}
	return fd;
}

struct server {
	struct world *w;
	int which;
	uint16_t port;
};

static void *server_main(void *arg)
{
	struct server *s = arg;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512u << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	enter(s->w, s->which);
	int lfd = listen_on(s->port);

	for (;;) {
		struct job *j;
		struct order o;
		pthread_t t;
		int fd = accept(lfd, NULL, NULL);

		if (fd < 0)
			continue;
		if (recv(fd, &o, sizeof(o), MSG_WAITALL) != sizeof(o)) {
			close(fd);
			continue;
		}
		if (o.what == 'C') {
			send(fd, "c", 1, MSG_NOSIGNAL);
			close(fd);
			continue;
		}
		j = malloc(sizeof(*j));
		*j = (struct job){s->w, fd, o};
		if (pthread_create(&t, &attr, serve_one, j)) {
			close(fd);
			free(j);
		}
	}
	return NULL;
}

static int dial(const char *addr, uint16_t port, char what, uint64_t len)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(addr)};
	const struct timeval tv = {.tv_sec = 20};
	struct order o = {what, len};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    send(fd, &o, sizeof(o), MSG_NOSIGNAL) != sizeof(o)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* --- tests ---------------------------------------------------------------------------------- */

static bool get(const char *addr, uint16_t port, uint64_t len)
{
	int fd = dial(addr, port, 'S', len);
	bool good = fd >= 0 && check_pattern(fd, 0, len, true);

	close(fd);
	return good;
}

static bool put(const char *addr, uint16_t port, uint64_t len)
{
	int fd = dial(addr, port, 'K', len);
	char c = 0;
	bool good = fd >= 0 && send_pattern(fd, len, NULL) && recv(fd, &c, 1, 0) == 1 && c == 'k';

	close(fd);
	return good;
}

static void bulk(struct world *w, const char *addr, uint16_t port, uint64_t len, const char *what)
{
	double t0 = now();
	bool good = get(addr, port, len);
	double t1 = now();

	ok(w, good, "%s: %u MB towards the client arrive whole, %.2f Gbit/s", what,
	   (unsigned)(len / MB), (double)len * 8e-9 / (t1 - t0));
	t0 = now();
	good = put(addr, port, len);
	t1 = now();
	ok(w, good, "%s: %u MB from the client arrive whole, %.2f Gbit/s", what,
	   (unsigned)(len / MB), (double)len * 8e-9 / (t1 - t0));
}

/* The stack has as many descriptors as before and hardly more memory. */
static void same_as(struct world *w, unsigned fds, long rss, const char *what)
{
	for (int i = 0; i < 60 && stack_fds(w) > fds; i++)
		usleep(50000);
	ok(w, stack_fds(w) <= fds, "%s: no descriptor left behind (%u before, %u after)", what, fds,
	   stack_fds(w));
	ok(w, stack_rss(w) - rss < 128, "%s: no memory left behind (%ld KiB before, %ld after)",
	   what, rss, stack_rss(w));
}

static void one_after_another(struct world *w, const char *addr, uint16_t port, unsigned n,
			      const char *what)
{
	unsigned good = 0, fds = stack_fds(w);
	long rss = 0;
	double t0 = now();

	for (unsigned i = 0; i < n; i++) {
		int fd = dial(addr, port, 'C', 0);
		char c[2];

		/* The flow table's pages are touched as it first fills: what leaks goes on growing.
		 */
		if (i == n / 2)
			rss = stack_rss(w);

		good += fd >= 0 && recv(fd, c, 2, MSG_WAITALL) == 1 && c[0] == 'c';
		close(fd);
	}
	ok(w, good == n, "%s: %u of %u connections one after another, %.0f per second", what, good,
	   n, n / (now() - t0));
	same_as(w, fds, rss, what);
}

static void many_at_once(struct world *w, unsigned n)
{
	int *fd = calloc(n, sizeof(int));
	unsigned good = 0, fds = stack_fds(w), peak;
	long rss = stack_rss(w), top;
	char buf[64] = "a little text that comes back";

	for (unsigned i = 0; i < n; i++)
		fd[i] = dial("10.0.2.2", PORT, 'E', 0);
	for (unsigned i = 0; i < n; i++)
		if (fd[i] >= 0)
			good += send(fd[i], buf, sizeof(buf), MSG_NOSIGNAL) == sizeof(buf);
	peak = stack_fds(w);
	for (unsigned i = 0; i < n; i++) {
		char back[64] = "";

		if (fd[i] < 0)
			continue;
		good += recv(fd[i], back, sizeof(back), MSG_WAITALL) == sizeof(back) &&
			!memcmp(buf, back, sizeof(back));
	}
	top = stack_rss(w);
	for (unsigned i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	free(fd);
	ok(w, good == 2 * n && peak >= n, "%u connections at once echo (%u descriptors then)", n,
	   peak);
	ok(w, top - rss < (long)n, "under 1 KiB of memory for each (%ld -> %ld KiB)", rss, top);
	same_as(w, fds, rss + (long)n / 2 + 384, "many at once");
}

static void guest_stops_reading(struct world *w)
{
	const uint64_t len = 256ull * MB;
	int fd = dial("10.0.2.2", PORT, 'S', len);
	uint64_t before = atomic_load(&w->sent), a, b;
	long rss = stack_rss(w);

	usleep(700000);
	a = atomic_load(&w->sent) - before;
	usleep(700000);
	b = atomic_load(&w->sent) - before;
	ok(w, a == b && b < len / 4, "guest stops reading: the sender stands still after %u KiB",
	   (unsigned)(b >> 10));
	ok(w, stack_rss(w) - rss < 128, "guest stops reading: memory stays (%ld -> %ld KiB)", rss,
	   stack_rss(w));
	ok(w, check_pattern(fd, 0, len, true), "guest reads again: all %u MB arrive",
	   (unsigned)(len / MB));
	close(fd);
}

static void host_stops_reading(struct world *w)
{
	int fd = dial("10.0.2.2", PORT, 'W', 1500);
	const uint64_t len = 16 * MB;
	long rss = stack_rss(w);
	uint64_t done = 0;
	double t0 = now();
	char c = 0;

	/* As much as goes in without waiting for long. */
	while (now() - t0 < 0.8) {
		uint8_t buf[4096];
		size_t n = MIN(len - done, sizeof(buf));

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(done + i);
		ssize_t rc = send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (rc > 0)
			done += (uint64_t)rc;
		else
			usleep(10000);
	}
	ok(w, done < len, "host stops reading: the guest stands still after %u KiB",
	   (unsigned)(done >> 10));
	ok(w, stack_rss(w) - rss < 128, "host stops reading: memory stays (%ld -> %ld KiB)", rss,
	   stack_rss(w));
	while (done < len) {
		uint8_t buf[4096];
		size_t n = MIN(len - done, sizeof(buf));

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(done + i);
		ssize_t rc = send(fd, buf, n, MSG_NOSIGNAL);

		if (rc <= 0)
			break;
		done += (uint64_t)rc;
	}
	ok(w, done == len && recv(fd, &c, 1, 0) == 1 && c == 'k',
	   "host reads again: all %u MB arrive", (unsigned)(len / MB));
	close(fd);
}

static void refused(struct world *w)
{
	int fd = dial("10.0.2.2", 9, 'C', 0);

	ok(w, fd < 0 && errno == ECONNREFUSED, "a closed port of the host refuses the guest: %s",
	   strerror(errno));
	enter(w, HOST);
	fd = dial("127.0.0.1", FWD_PORT + 1, 'C', 0);
	ok(w, fd < 0 && errno == ECONNREFUSED, "no forward, no connection");
	enter(w, GUEST);
}

static void half_close(struct world *w)
{
	int fd = dial("10.0.2.2", PORT, 'E', 0);
	char buf[8] = "half", back[8];
	bool good = fd >= 0 && send(fd, buf, 4, MSG_NOSIGNAL) == 4 && !shutdown(fd, SHUT_WR) &&
		    recv(fd, back, 4, MSG_WAITALL) == 4 && !memcmp(buf, back, 4) &&
		    recv(fd, back, 1, 0) == 0;

	close(fd);
	ok(w, good, "half-closed connection: the answer still comes, then its end");
}

static void round_trips(struct world *w, unsigned n)
{
	int fd = dial("10.0.2.2", PORT, 'E', 0);
	double t0 = now();
	unsigned good = 0;
	char c = 'r';

	for (unsigned i = 0; i < n && fd >= 0; i++)
		good += send(fd, &c, 1, MSG_NOSIGNAL) == 1 && recv(fd, &c, 1, 0) == 1;
	ok(w, good == n, "%u round trips of one byte, %.0f per second", n, n / (now() - t0));
	close(fd);
}

/* Drops one of fifty frames that cross the TAP: "ingress" comes from the stack. */
static void loss(struct world *w, const char *hook)
{
	char what[64];

	if (sh("(nft add table netdev t && nft 'add chain netdev t c { type filter hook %s "
	       "device tap0 priority 0; }' && nft add rule netdev t c numgen random mod 50 == 0 "
	       "drop) 2>/dev/null",
	       hook)) {
		ok(w, true, "loss at %s # SKIP nft or its netdev family is missing", hook);
		return;
	}
	snprintf(what, sizeof(what), "2 %% lost at the guest's %s", hook);
	bulk(w, "10.0.2.2", PORT, 4 * MB, what);
	sh("nft delete table netdev t");
}

static void killed(struct world *w)
{
	int fd = dial("10.0.2.2", PORT, 'E', 0), rc;

	kill(w->stack, SIGKILL);
	waitpid(w->stack, NULL, 0);
	rc = sh("ip link show tap0 >/dev/null 2>&1");
	ok(w, fd >= 0 && rc != 0, "kill -9: the TAP is gone with the process");
	close(fd);
}

static bool set_up(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		if (unshare(CLONE_NEWNET) < 0)
			return false;
		w->ns[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (w->ns[i] < 0)
			return false;
	}
	return access("/dev/net/tun", R_OK | W_OK) == 0;
}

int main(void)
{
	static struct world w;
	struct server s[2] = {{&w, HOST, PORT}, {&w, GUEST, FWD_PORT}};
	struct rlimit r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!set_up(&w)) {
		printf("1..0 # SKIP no right to make network namespaces or TAPs: %s\n",
		       strerror(errno));
		return 0;
	}
	getrlimit(RLIMIT_NOFILE, &r);
	enter(&w, HOST);
	sh("ip link set lo up");
	if (!start_stack(&w)) { /* before threads are made: it forks */
		printf("Bail out! the stack did not start\n");
		return 1;
	}
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	for (int i = 0; i < 2; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, server_main, &s[i]))
			return 1;
	}
	usleep(100000);
	bulk(&w, "10.0.2.2", PORT, 64 * MB, "guest to host");
	refused(&w);
	half_close(&w);
	round_trips(&w, 5000);
	one_after_another(&w, "10.0.2.2", PORT, 10000, "connections of the guest");
	many_at_once(&w, 1000);
	guest_stops_reading(&w);
	host_stops_reading(&w);
	enter(&w, HOST);
	bulk(&w, "127.0.0.1", FWD_PORT, 32 * MB, "hostfwd");
	one_after_another(&w, "127.0.0.1", FWD_PORT, 1000, "forwarded connections");
	enter(&w, GUEST);
	loss(&w, "ingress");
	loss(&w, "egress");
	killed(&w);
	printf("1..%u\n", w.tests);
	return w.failed ? 1 : 0;
}
