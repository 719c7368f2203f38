/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP transfers whose SHA-256 is known, for tests; runs on the host and, linked statically, in the
 * guest.
 *
 *	bulk serve ADDR PORT
 *		answer puts and gets, each connection in a process of its own, until it is killed
 *	bulk get|put ADDR PORT MIB [N]
 *		N transfers at once (1) from or to a server; prints the sum that each receiver saw
 *	bulk sums
 *		"STREAM MIB SUM" for every transfer that a test may ask for
 *
 * The emulated processor of the lab spends more on random bytes and on sums than on the transfer.
 * So connection number i carries stream number i, which both sides can make cheaply, which never
 * repeats (a segment in a wrong place shows), and whose sums are made once, when the kit is built;
 * only a receiver computes one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK	   65536
#define STREAMS	   8
#define STREAM_MIB 64
#define HEX_LEN	   64

/* FIPS 180-4: the hash so far, and the bytes that do not fill a block yet. */
struct sha {
	uint32_t h[8];
	uint64_t len;
	uint8_t part[64];
};

static const uint32_t sha_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2};

static inline uint32_t ror(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* One round; the eight names move on by one from call to call instead of their values. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                           \
	do {                                                                                       \
		uint32_t t = (h) + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) +                         \
			     ((g) ^ ((e) & ((f) ^ (g)))) + sha_k[i] + w[(i)&15];                   \
		(d) += t;                                                                          \
		(h) = t + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) +                                  \
		      (((a) & (b)) | ((c) & ((a) | (b))));                                         \
	} while (0)

#define EIGHT(i)                                                                                   \
	do {                                                                                       \
		ROUND(a, b, c, d, e, f, g, h, (i));                                                \
		ROUND(h, a, b, c, d, e, f, g, (i) + 1);                                            \
		ROUND(g, h, a, b, c, d, e, f, (i) + 2);                                            \
		ROUND(f, g, h, a, b, c, d, e, (i) + 3);                                            \
		ROUND(e, f, g, h, a, b, c, d, (i) + 4);                                            \
		ROUND(d, e, f, g, h, a, b, c, (i) + 5);                                            \
		ROUND(c, d, e, f, g, h, a, b, (i) + 6);                                            \
		ROUND(b, c, d, e, f, g, h, a, (i) + 7);                                            \
	} while (0)

/* BMI2 rotates without touching the flags, which an emulator then need not work out. */
__attribute__((target_clones("bmi2", "default"))) static void sha_blocks(struct sha *s,
									 const uint8_t *p,
									 size_t blocks)
{
	for (; blocks; blocks--, p += 64) {
		uint32_t a = s->h[0], b = s->h[1], c = s->h[2], d = s->h[3];
		uint32_t e = s->h[4], f = s->h[5], g = s->h[6], h = s->h[7], w[16];

		for (int i = 0; i < 16; i++) {
			memcpy(&w[i], p + 4 * i, 4);
			w[i] = ntohl(w[i]);
		}
		EIGHT(0);
		EIGHT(8);
		for (int at = 16; at < 64; at += 16) {
#pragma GCC unroll 16
			for (int i = 0; i < 16; i++) {
				uint32_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];

				w[i] += (ror(x, 7) ^ ror(x, 18) ^ x >> 3) + w[(i + 9) & 15] +
					(ror(y, 17) ^ ror(y, 19) ^ y >> 10);
			}
			EIGHT(at);
			EIGHT(at + 8);
		}
		s->h[0] += a;
		s->h[1] += b;
		s->h[2] += c;
		s->h[3] += d;
		s->h[4] += e;
		s->h[5] += f;
		s->h[6] += g;
		s->h[7] += h;
	}
}

static void sha_add(struct sha *s, const uint8_t *p, size_t len)
{
	size_t have = s->len % 64;

	s->len += len;
	if (have) {
		size_t n = 64 - have < len ? 64 - have : len;

		memcpy(s->part + have, p, n);
		p += n;
		len -= n;
		if (have + n < 64)
			return;
		sha_blocks(s, s->part, 1);
	}
	sha_blocks(s, p, len / 64);
	memcpy(s->part, p + len / 64 * 64, len % 64);
}

/* The sum of what was added so far; s is left as it is. */
static void sha_hex(const struct sha *s, char hex[HEX_LEN + 1])
{
	uint8_t end[72] = {0x80};
	struct sha last = *s;
	size_t pad = (s->len % 64 < 56 ? 56 : 120) - s->len % 64;

	for (int i = 0; i < 8; i++)
		end[pad + i] = (uint8_t)(s->len * 8 >> (56 - 8 * i));
	sha_add(&last, end, pad + 8);
	for (int i = 0; i < 8; i++)
		sprintf(hex + 8 * i, "%08x", last.h[i]);
}

static int die(const char *what)
{
	fprintf(stderr, "bulk: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The bytes of a stream from `at` on: its words are a mixed counter. at and len: multiples of 8. */
static void make(uint64_t stream, uint64_t at, uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t x = ((at + i) | stream << 56) * 0x9e3779b97f4a7c15ull;

		x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
		x ^= x >> 32;
		memcpy(p + i, &x, 8);
	}
}

static int send_all(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What each connection begins with. */
struct request {
	uint32_t put, stream, mib;
};

static int give(int fd, uint32_t stream, uint32_t mib)
{
	static uint8_t buf[CHUNK];
	uint64_t len = (uint64_t)mib << 20;

	for (uint64_t at = 0; at < len; at += CHUNK) {
		make(stream, at, buf, CHUNK);
		if (send_all(fd, buf, CHUNK))
			return -1;
	}
	return shutdown(fd, SHUT_WR);
}

/* Until the peer's end. */
static int take(int fd, char hex[HEX_LEN + 1])
{
	static uint8_t buf[4 * CHUNK];
	struct sha s = {.len = 0};
	ssize_t n;

	memcpy(s.h, sha_start, sizeof(s.h));
	while ((n = recv(fd, buf, sizeof(buf), 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		sha_add(&s, buf, (size_t)n);
	}
	sha_hex(&s, hex);
	return 0;
}

static void answer(int fd)
{
	char hex[HEX_LEN + 1];
	struct request r;

	if (recv(fd, &r, sizeof(r), MSG_WAITALL) != sizeof(r))
		return;
	if (!r.put)
		give(fd, r.stream, r.mib);
	else if (!take(fd, hex))
		send_all(fd, hex, HEX_LEN);
}

static _Noreturn void serve(const struct sockaddr_in *sa)
{
	int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (const struct sockaddr *)sa, sizeof(*sa)) || listen(l, 64))
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		if (fork() == 0) {
			answer(fd);
			exit(0);
		}
		close(fd);
	}
}

/* One transfer as the client; false when it did not come to its end. */
static int transfer(const struct sockaddr_in *sa, const struct request *r, char hex[HEX_LEN + 1])
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	hex[HEX_LEN] = 0;
	if (fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ||
	    send_all(fd, r, sizeof(*r)))
		return 0;
	if (!r->put)
		return !shutdown(fd, SHUT_WR) && !take(fd, hex);
	return !give(fd, r->stream, r->mib) && recv(fd, hex, HEX_LEN, MSG_WAITALL) == HEX_LEN;
}

static int transfers(const struct sockaddr_in *sa, int put, uint32_t mib, uint32_t n)
{
	int result[STREAMS], bad = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct request r = {.put = put, .stream = i, .mib = mib};
		char hex[HEX_LEN + 1];
		int out[2];

		if (pipe(out))
			die("pipe");
		result[i] = out[0];
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (!transfer(sa, &r, hex))
				die(put ? "put" : "get");
			if (write(out[1], hex, HEX_LEN) != HEX_LEN)
				die("write");
			exit(0);
		}
		close(out[1]);
	}
	for (uint32_t i = 0; i < n; i++) {
		char hex[HEX_LEN + 1] = "";

		bad |= read(result[i], hex, HEX_LEN) != HEX_LEN;
		printf("%s%s", i ? " " : "", *hex ? hex : "none");
	}
	printf("\n");
	return bad;
}

static int sums(void)
{
	static uint8_t buf[1 << 20];

	for (uint32_t stream = 0; stream < STREAMS; stream++) {
		struct sha s = {.len = 0};

		memcpy(s.h, sha_start, sizeof(s.h));
		for (uint32_t mib = 0; mib < STREAM_MIB; mib++) {
			char hex[HEX_LEN + 1];

			make(stream, (uint64_t)mib << 20, buf, sizeof(buf));
			sha_add(&s, buf, sizeof(buf));
			sha_hex(&s, hex);
			printf("%u %u %s\n", stream, mib + 1, hex);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};

	if (argc == 2 && !strcmp(argv[1], "sums"))
		return sums();
	if (argc < 4 || inet_pton(AF_INET, argv[2], &sa.sin_addr) != 1) {
		fprintf(stderr, "usage: bulk serve ADDR PORT\n"
				"       bulk get|put ADDR PORT MIB [N]\n"
				"       bulk sums\n");
		return 1;
	}
	sa.sin_port = htons((uint16_t)atoi(argv[3]));
	if (!strcmp(argv[1], "serve"))
		serve(&sa);
	if (argc >= 5 && (!strcmp(argv[1], "get") || !strcmp(argv[1], "put"))) {
		int n = argc > 5 ? atoi(argv[5]) : 1;

		if (n >= 1 && n <= STREAMS)
			return transfers(&sa, argv[1][0] == 'p', (uint32_t)atoi(argv[4]),
					 (uint32_t)n);
	}
	fprintf(stderr, "bulk: %s: no such command, or its numbers are wrong\n", argv[1]);
	return 1;
}
