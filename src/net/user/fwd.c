/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwards from host ports to the guest: `hostfwd=`. A rule is a listening TCP socket, whose
 * connections go to tcp_accept(), or a bound UDP socket (udp.c). Rules come and go while the guest
 * runs; the array of rules never moves, as the loop and flows point into it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "net/user/internal.h"

#define ACCEPT_AGAIN_NS NS_PER_S
#define ACCEPTS_AT_ONCE 64

#define SYNTAX "tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport"

/* --- parsing -------------------------------------------------------------------------------- */

static int bad(const char *text, struct err *e, const char *why)
{
	return err_set(e, EINVAL, "hostfwd=%s: %s; allowed is " SYNTAX ", e.g. tcp::8080-:80", text,
		       why);
}

/* "[addr]:port" up to `end`. */
static const char *parse_end(const char *s, const char *end, bool zero_port,
			     struct sockaddr_in *out)
{
	char addr[INET_ADDRSTRLEN], port[6], *rest;
	const char *colon = memchr(s, ':', (size_t)(end - s));

	*out = (struct sockaddr_in){.sin_family = AF_INET};
	if (!colon)
		return "a colon is missing before a port";
	if (colon - s >= (ptrdiff_t)sizeof(addr))
		return "an address is not of the form a.b.c.d";
	memcpy(addr, s, (size_t)(colon - s));
	addr[colon - s] = 0;
	if (addr[0] && inet_pton(AF_INET, addr, &out->sin_addr) != 1)
		return "an address is not of the form a.b.c.d";
	if (end - colon - 1 < 1 || end - colon - 1 >= (ptrdiff_t)sizeof(port))
		return "a port is not a number from 1 to 65535";
	memcpy(port, colon + 1, (size_t)(end - colon - 1));
	port[end - colon - 1] = 0;
	unsigned long v = strtoul(port, &rest, 10);

	if (*rest || port[0] < '0' || port[0] > '9' || v > 65535 || (!v && !zero_port))
		return "a port is not a number from 1 to 65535";
	out->sin_port = htons((uint16_t)v);
	return NULL;
}

/* with_guest: the part behind the dash must be there; else it may. */
static int parse(const char *text, bool with_guest, struct fwd *out, struct err *e)
{
	const char *host = strchr(text, ':'), *dash, *why;
	size_t n = host ? (size_t)(host - text) : 0;

	*out = (struct fwd){.fd = -1};
	if (!host)
		return bad(text, e, "there is no colon");
	if ((n == 3 && !strncmp(text, "tcp", 3)) || !n)
		out->proto = IP_TCP;
	else if (n == 3 && !strncmp(text, "udp", 3))
		out->proto = IP_UDP;
	else
		return bad(text, e, "the protocol is neither tcp nor udp");
	host++;
	dash = strchr(host, '-');
	if (!dash && with_guest)
		return bad(text, e, "there is no '-' between the host's and the guest's part");
	why = parse_end(host, dash ? dash : host + strlen(host), true, &out->host);
	if (!why && dash)
		why = parse_end(dash + 1, dash + strlen(dash), false, &out->guest);
	return why ? bad(text, e, why) : 0;
}

int fwd_parse(const char *text, struct fwd *out, struct err *e)
{
	return parse(text, true, out, e);
}

/* --- sockets -------------------------------------------------------------------------------- */

int fwd_explain(const struct fwd *f, const char *text, int code, struct err *e)
{
	unsigned port = ntohs(f->host.sin_port);
	char addr[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &f->host.sin_addr, addr, sizeof(addr));
	switch (code) {
	case EADDRINUSE:
		return err_set(e, code,
			       "hostfwd=%s: port %u is in use on the host; choose another or end "
			       "the program that holds it (ss -lnp 'sport = :%u')",
			       text, port, port);
	case EACCES:
	case EPERM:
		return err_set(e, code,
			       "hostfwd=%s: ports below 1024 need privilege; choose a port from "
			       "1024 up, or sysctl -w net.ipv4.ip_unprivileged_port_start=%u",
			       text, port);
	case EADDRNOTAVAIL:
		return err_set(e, code,
			       "hostfwd=%s: %s is not an address of this host; leave it out for "
			       "all addresses, or choose one that `ip addr` shows",
			       text, addr);
	default:
		return err_set(e, code, "hostfwd=%s: %s", text, strerror(code));
	}
}

static int open_socket(struct fwd *f)
{
	const int on = 1;
	bool tcp = f->proto == IP_TCP;
	socklen_t len = sizeof(f->host);
	int fd =
		socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* For TCP: old connections in TIME-WAIT are no reason to refuse the port. For UDP it would
	 * let another program take it over. */
	if (tcp) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		/* Connections inherit it: see tcp_event(). */
		setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	}
	if (bind(fd, (struct sockaddr *)&f->host, sizeof(f->host)) < 0 ||
	    (tcp && listen(fd, SOMAXCONN) < 0) ||
	    getsockname(fd, (struct sockaddr *)&f->host, &len) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

/* Edge-triggered: until the queue is empty, in several turns if clients come without end. When
 * descriptors or memory are out even so, nobody would tell us of those who wait in it: we look
 * again later. */
static void accept_all(struct stack *st, struct fwd *f)
{
	struct sockaddr_in from;

	for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
		socklen_t len = sizeof(from);
		int fd = accept4(f->fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			f->hits++;
			tcp_accept(st, f, fd, &from);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO)
			continue;
		if ((errno == EMFILE || errno == ENFILE) && flow_evict_fd(st))
			continue;
		if (errno != EAGAIN) {
			st->count.no_socket++;
			loop_timer_set(st->loop, &f->again, loop_now(st->loop) + ACCEPT_AGAIN_NS);
		}
		return;
	}
	loop_timer_set(st->loop, &f->again, loop_now(st->loop));
}

static void fwd_again(struct loop_timer *t)
{
	struct fwd *f = container_of(t, struct fwd, again);

	accept_all(f->st, f);
}

static void fwd_event(struct loop_fd *w, uint32_t events)
{
	struct fwd *f = container_of(w, struct fwd, ev);

	(void)events;
	if (f->proto == IP_TCP)
		accept_all(f->st, f);
	else
		udp_fwd_event(f->st, f);
}

static int watch(struct fwd *f)
{
	uint32_t events = EPOLLIN;

	if (f->proto == IP_TCP)
		events |= EPOLLET;
	f->again.fn = fwd_again;
	return loop_add_fd(f->st->loop, &f->ev, f->fd, events, fwd_event);
}

/* --- rules ---------------------------------------------------------------------------------- */

static void unwatch(struct fwd *f)
{
	loop_del_fd(f->st->loop, &f->ev);
	loop_timer_del(f->st->loop, &f->again);
}

static struct fwd *place(struct stack *st)
{
	for (unsigned i = 0; i < st->nfwd; i++) {
		if (st->fwd[i].fd < 0)
			return &st->fwd[i];
	}
	return st->nfwd < FWD_MAX ? &st->fwd[st->nfwd++] : NULL;
}

int fwd_add(struct stack *st, const char *text, struct err *e)
{
	struct fwd new, *f;
	int rc = parse(text, true, &new, e);

	if (rc)
		return rc;
	new.st = st;
	if (!new.guest.sin_addr.s_addr) {
		new.any_guest = true;
		new.guest.sin_addr = st->fwd_guest;
	} else if (!stack_is_guest(st, new.guest.sin_addr.s_addr)) {
		return bad(text, e, "the guest's address is not one of the guest network");
	}
	f = place(st);
	if (!f)
		return err_set(e, ENOSPC,
			       "hostfwd=%s: there are %u rules already, the most allowed", text,
			       FWD_MAX);
	*f = new;
	rc = f->fd = open_socket(f);
	if (rc < 0) {
		f->fd = -1;
		return fwd_explain(&new, text, -rc, e);
	}
	rc = st->loop ? watch(f) : 0;
	if (rc < 0) {
		close(f->fd);
		f->fd = -1;
		return fwd_explain(f, text, -rc, e);
	}
	return 0;
}

static void end(struct stack *st, struct fwd *f)
{
	if (f->fd < 0)
		return;
	if (f->proto == IP_UDP && st->flows)
		udp_fwd_gone(st, f);
	if (st->loop)
		unwatch(f);
	close(f->fd);
	f->fd = -1;
}

int fwd_remove(struct stack *st, const char *text, struct err *e)
{
	struct fwd what;
	int rc = parse(text, false, &what, e);

	if (rc)
		return rc;
	for (unsigned i = 0; i < st->nfwd; i++) {
		struct fwd *f = &st->fwd[i];

		if (f->fd >= 0 && f->proto == what.proto &&
		    f->host.sin_port == what.host.sin_port &&
		    f->host.sin_addr.s_addr == what.host.sin_addr.s_addr) {
			end(st, f);
			return 0;
		}
	}
	return err_set(e, ENOENT,
		       "hostfwd=%s: there is no such rule; `info usernet` shows those "
		       "there are",
		       text);
}

void fwd_first_lease(struct stack *st, uint32_t addr)
{
	st->fwd_guest.s_addr = addr;
	for (unsigned i = 0; i < st->nfwd; i++) {
		if (st->fwd[i].any_guest)
			st->fwd[i].guest.sin_addr.s_addr = addr;
	}
}

int fwd_attach(struct stack *st, struct err *e)
{
	for (unsigned i = 0; i < st->nfwd; i++) {
		int rc = st->fwd[i].fd >= 0 ? watch(&st->fwd[i]) : 0;

		if (rc < 0) {
			fwd_detach(st);
			return err_set(e, -rc, "cannot watch a hostfwd socket: %s", strerror(-rc));
		}
	}
	return 0;
}

void fwd_detach(struct stack *st)
{
	for (unsigned i = 0; i < st->nfwd; i++) {
		if (st->fwd[i].fd >= 0)
			unwatch(&st->fwd[i]);
	}
}

int fwd_init(struct stack *st, struct err *e)
{
	st->fwd_guest = st->conf.dhcpstart;
	st->fwd = calloc(FWD_MAX, sizeof(*st->fwd));
	if (!st->fwd)
		return err_set(e, ENOMEM, "no memory for hostfwd rules");
	for (unsigned i = 0; i < st->conf.hostfwd.n; i++) {
		int rc = fwd_add(st, st->conf.hostfwd.v[i], e);

		if (rc)
			return rc;
	}
	return 0;
}

void fwd_exit(struct stack *st)
{
	for (unsigned i = 0; i < st->nfwd; i++)
		end(st, &st->fwd[i]);
	st->nfwd = 0;
	free(st->fwd);
	st->fwd = NULL;
}
