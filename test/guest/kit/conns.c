/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP connections in number, for tests; runs on the host and, linked statically, in the guest.
 *
 *	conns serve PORT
 *		accept on 127.0.0.1; answer each line read with the same bytes, until the peer
 *		closes; runs until it is killed
 *	conns after ADDR PORT N
 *		N connections one after another: connect, ask, hear, close
 *	conns at-once ADDR PORT N
 *		N connections open together; each asks and hears before any closes
 *	conns flood ADDR PORT SECONDS
 *		send as fast as the peer takes it; prints the bytes that went
 *
 * after, at-once and udp print how many were right, and exit 1 unless all were.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUESTION_LEN 16

static int die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(const char *ip, const char *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};

	if (inet_pton(AF_INET, ip, &sa.sin_addr) != 1)
		die(ip);
	return sa;
}

/* All of it, waiting where the descriptor does not block by itself. */
static int move(int fd, char *buf, size_t len, int writing)
{
	while (len) {
		ssize_t n = writing ? send(fd, buf, len, MSG_NOSIGNAL) : recv(fd, buf, len, 0);

		if (n <= 0) {
			if (n < 0 && errno == EINTR)
				continue;
			return -1;
		}
		buf += n;
		len -= n;
	}
	return 0;
}

/* True when the peer gives back what it was asked. */
static int heard(int fd, const char *question)
{
	char answer[QUESTION_LEN];

	return !move(fd, answer, QUESTION_LEN, 0) && !memcmp(answer, question, QUESTION_LEN);
}

static int dial(const struct sockaddr_in *sa)
{
	/* A peer that does not answer is a failure, not a test that hangs. */
	struct timeval limit = {.tv_sec = 30};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa))) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int after(const struct sockaddr_in *sa, int count)
{
	int good = 0;

	for (int i = 0; i < count; i++) {
		char question[QUESTION_LEN] = "";
		int fd = dial(sa);

		if (fd < 0) {
			if (good == i)
				fprintf(stderr, "connection %d: %s\n", i, strerror(errno));
			continue;
		}
		snprintf(question, sizeof(question), "q%d", i);
		good += !move(fd, question, QUESTION_LEN, 1) && heard(fd, question);
		close(fd);
	}
	printf("%d\n", good);
	return good != count;
}

static int at_once(const struct sockaddr_in *sa, int count)
{
	int *fds = calloc(count, sizeof(*fds));
	int good = 0;

	if (!fds)
		die("calloc");
	for (int i = 0; i < count; i++) {
		fds[i] = dial(sa);
		if (fds[i] < 0)
			fprintf(stderr, "connection %d: %s\n", i, strerror(errno));
	}
	for (int i = 0; i < count; i++) {
		char question[QUESTION_LEN] = "";

		snprintf(question, sizeof(question), "q%d", i);
		if (fds[i] >= 0 && move(fds[i], question, QUESTION_LEN, 1))
			fprintf(stderr, "connection %d: send: %s\n", i, strerror(errno));
	}
	for (int i = 0; i < count; i++) {
		char question[QUESTION_LEN] = "";

		snprintf(question, sizeof(question), "q%d", i);
		good += fds[i] >= 0 && heard(fds[i], question);
	}
	for (int i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
	printf("%d\n", good);
	return good != count;
}

/* Sizes from 1 byte to what needs no fragments at an MTU of 1500. */
static int udp(const struct sockaddr_in *sa, int count)
{
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), good = 0;

	if (fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		die("connect");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (int i = 0; i < count; i++) {
		char question[1472], answer[2048];
		size_t len = 1 + (size_t)i * 97 % sizeof(question);

		memset(question, 'a' + i % 26, len);
		if (send(fd, question, len, 0) != (ssize_t)len)
			continue;
		good += recv(fd, answer, sizeof(answer), 0) == (ssize_t)len &&
			!memcmp(answer, question, len);
	}
	close(fd);
	printf("%d\n", good);
	return good != count;
}

static _Noreturn void udp_serve(const struct sockaddr_in *sa)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		die("bind");
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		char buf[65536];
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

		if (n >= 0)
			sendto(fd, buf, n, 0, (struct sockaddr *)&from, len);
	}
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int flood(const struct sockaddr_in *sa, int seconds)
{
	static char buf[65536];
	unsigned long long total = 0;
	double end;
	int fd = dial(sa);

	if (fd < 0)
		die("connect");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (end = now() + seconds; now() < end;) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n;

		if (poll(&p, 1, 200) == 0)
			continue;
		n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			die("send");
		if (n > 0)
			total += n;
	}
	printf("%llu\n", total);
	return 0;
}

/* One process, however many connections: echo what comes, as long as it can be written at once. */
static _Noreturn void serve(const struct sockaddr_in *sa)
{
	int one = 1, ep = epoll_create1(EPOLL_CLOEXEC);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = l};

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (const struct sockaddr *)sa, sizeof(*sa)) || listen(l, 4096))
		die("listen");
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	for (;;) {
		struct epoll_event evs[256];
		int n = epoll_wait(ep, evs, 256, -1);

		for (int i = 0; i < n; i++) {
			int fd = evs[i].data.fd;
			char buf[4096];
			ssize_t len;

			if (fd == l) {
				while ((fd = accept4(l, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
					ev.data.fd = fd;
					epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
				}
				continue;
			}
			len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
			if (len < 0 && errno == EAGAIN)
				continue;
			if (len <= 0 || move(fd, buf, len, 1))
				close(fd);
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = {.rlim_cur = 65536, .rlim_max = 65536};
	struct sockaddr_in sa;

	/* Only root may raise it; then the lower one must do. */
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc < 4) {
		fprintf(stderr, "usage: conns serve|udp-serve ADDR PORT\n"
				"       conns after|at-once|udp|flood ADDR PORT NUMBER\n");
		return 1;
	}
	sa = address(argv[2], argv[3]);
	if (!strcmp(argv[1], "serve"))
		serve(&sa);
	if (!strcmp(argv[1], "udp-serve"))
		udp_serve(&sa);
	if (argc == 5 && !strcmp(argv[1], "after"))
		return after(&sa, atoi(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "at-once"))
		return at_once(&sa, atoi(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "udp"))
		return udp(&sa, atoi(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "flood"))
		return flood(&sa, atoi(argv[4]));
	fprintf(stderr, "conns: %s: no such command, or its number is missing\n", argv[1]);
	return 1;
}
