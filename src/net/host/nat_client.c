/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's connection to its network's holder: see nat_client.h.
 *
 * To join: connect; nobody there: start a holder with one end of a pair of sockets, the other is
 * our connection already. A holder that finds another one at work says so (NAT_MSG_BUSY), one that
 * is on its way out closes: in both cases we begin anew.
 */
#include "net/host/nat_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/await.h"
#include "base/util.h"
#include "net/host/nat_host.h"
#include "net/host/nat_link.h"
#include "net/host/run.h"

#define TRIES	     50
#define START_MS     20000
#define NAP_NS	     (20 * NS_PER_MS)
#define AGAIN_MS     1000 /* after a failure; doubles */
#define AGAIN_MAX_MS 60000

struct nat_client {
	const struct nat_client_ops *ops;
	void *arg;
	char dir[NAT_PATH];
	int stop; /* eventfd: close() has been called */
	pthread_t thread;
	bool threaded;
	/* The following with lock held; fd's number never changes. */
	pthread_mutex_t lock;
	int fd;
	bool lost; /* the connection has closed */
	struct nat_net net;
	unsigned n;
	struct nat_card cards[NAT_CARDS];
};

/* --- starting a holder ---------------------------------------------------------------------- */

/* Starts it with fd as its connection; it goes into the background by itself. */
static int spawn(const char *name, int fd, struct err *e)
{
	const char *const argv[] = {"vmwire", NAT_HOLDER_ARG, name, NULL};
	const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	const struct host_run r = {.what = name,
				   .path = "/proc/self/exe",
				   .argv = argv,
				   .env = env,
				   .ms = START_MS,
				   .pass = fd,
				   .quiet = true};

	_Static_assert(NAT_HOLDER_FD == HOST_RUN_FD, "where the holder finds its connection");
	return host_run(&r, e);
}

static bool hello(int fd, const struct nat_net *wish)
{
	const struct nat_msg m = {.magic = NAT_MAGIC, .type = NAT_MSG_HELLO, .net = *wish};

	return nat_msg_send(fd, &m);
}

static int start_holder(const struct nat_net *wish, struct err *e)
{
	int fds[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return err_set(e, errno, "%s: %s", wish->name, strerror(errno));
	rc = hello(fds[0], wish) ? spawn(wish->name, fds[1], e)
				 : err_set(e, EIO, "%s: %s", wish->name, strerror(EIO));
	close(fds[1]);
	if (!rc)
		return fds[0];
	close(fds[0]);
	return err_prefix(e, "cannot start the network's process");
}

/* --- joining -------------------------------------------------------------------------------- */

/* Waits for something on fd. False: the program shall end. stop < 0: before the loops run. */
static bool wait_for(int fd, int stop)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};

	if (stop < 0)
		return await_readable(fd);
	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return !p[1].revents;
}

/* The answer to what was said. False: the peer has closed, or (*end) the program shall end. */
static bool answer(int fd, int stop, struct nat_msg *m, bool *end)
{
	bool again;

	*end = false;
	do {
		if (!wait_for(fd, stop)) {
			*end = true;
			return false;
		}
		if (nat_msg_read(fd, m, &again))
			return true;
	} while (again);
	return false;
}

/* Says hello to a holder, *m gets NAT_MSG_READY. A descriptor, or -errno. */
static int join(const char *dir, const struct nat_net *wish, int stop, struct nat_msg *m,
		struct err *e)
{
	for (unsigned i = 0; i < TRIES; i++) {
		struct timespec nap = {.tv_nsec = NAP_NS};
		int fd = nat_connect(dir);
		bool end = false;

		if (fd < 0 && fd != -ENOENT && fd != -ECONNREFUSED)
			return err_set(e, -fd, "%s: %s/socket: %s", wish->name, dir, strerror(-fd));
		if (fd < 0)
			fd = start_holder(wish, e);
		else if (!hello(fd, wish)) {
			close(fd);
			continue;
		}
		if (fd < 0)
			return fd;
		if (answer(fd, stop, m, &end) && m->type == NAT_MSG_READY)
			return fd;
		close(fd);
		if (end)
			return err_set(e, ECANCELED, "%s: ended before the network was there",
				       wish->name);
		if (m->magic == NAT_MAGIC && m->type == NAT_MSG_SORRY)
			return err_set(e, EIO, "%s", m->text);
		m->magic = 0;
		nanosleep(&nap, NULL);
	}
	return err_set(
		e, EBUSY,
		"%s: the process that holds the network does not stay; look at `ip link show "
		"%s` and for a process vmwire-nat",
		wish->name, wish->name);
}

static void tell_lines(struct nat_client *c, char *text)
{
	char *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		c->ops->tell(c->arg, line);
}

/* Says the cards; what they were given goes to c->cards. False when the connection is lost. */
static bool say_cards(struct nat_client *c, int stop)
{
	struct nat_msg m = {.magic = NAT_MAGIC, .type = NAT_MSG_CARDS, .net = c->net, .n = c->n};
	bool end = false;

	memcpy(m.cards, c->cards, sizeof(m.cards));
	if (!nat_msg_send(c->fd, &m))
		return false;
	while (answer(c->fd, stop, &m, &end)) {
		if (m.type == NAT_MSG_TELL)
			tell_lines(c, m.text);
		if (m.type != NAT_MSG_CARDS)
			continue;
		c->n = m.n;
		memcpy(c->cards, m.cards, sizeof(c->cards));
		return true;
	}
	return end; /* nobody wants to know any more */
}

/* With the lock: another holder, as the network was. 0 or -errno. */
static int rejoin(struct nat_client *c, struct err *e)
{
	struct nat_msg m = {0};
	int fd;

	c->net.given = NAT_GIVEN_NET | NAT_GIVEN_MODE | NAT_GIVEN_ADJUST | NAT_GIVEN_V6;
	fd = join(c->dir, &c->net, c->stop, &m, e);
	if (fd < 0)
		return fd;
	/* The number stays: the thread may be about to poll it. */
	dup3(fd, c->fd, O_CLOEXEC);
	close(fd);
	c->lost = false;
	tell_lines(c, m.text);
	c->ops->again(c->arg);
	if (c->n)
		c->lost = !say_cards(c, c->stop);
	return 0;
}

/* --- the thread ----------------------------------------------------------------------------- */

/* What has come while nobody asked for anything. */
static void take_news(struct nat_client *c)
{
	struct nat_msg m;
	bool again;

	while (nat_msg_read(c->fd, &m, &again)) {
		if (m.type == NAT_MSG_TELL)
			tell_lines(c, m.text);
	}
	c->lost = !again;
}

static void *run(void *arg)
{
	struct nat_client *c = arg;
	struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->stop, .events = POLLIN}};
	int wait = -1, after = AGAIN_MS;

	for (;;) {
		struct err e;

		if (poll(p, 2, wait) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents)
			return NULL;
		pthread_mutex_lock(&c->lock);
		if (!c->lost)
			take_news(c);
		wait = -1;
		if (c->lost && rejoin(c, &e)) {
			if (after == AGAIN_MS && e.code != ECANCELED)
				c->ops->tell(c->arg, e.text);
			wait = after;
			after = MIN(2 * after, AGAIN_MAX_MS);
			p[0].fd = -1; /* it would only say that it is closed */
		} else {
			p[0].fd = c->fd;
			after = AGAIN_MS;
		}
		pthread_mutex_unlock(&c->lock);
	}
}

/* --- for the other thread ------------------------------------------------------------------- */

static int start_thread(struct nat_client *c, struct err *e)
{
	int rc = pthread_create(&c->thread, NULL, run, c);

	if (rc)
		return err_set(e, rc, "%s: no thread: %s", c->net.name, strerror(rc));
	c->threaded = true;
	pthread_setname_np(c->thread, "nat");
	return 0;
}

struct nat_client *nat_client_open(const struct nat_net *wish, const struct nat_client_ops *ops,
				   void *arg, struct err *e)
{
	struct nat_client *c = calloc(1, sizeof(*c));
	struct nat_msg m = {0};

	if (!c) {
		err_set(e, ENOMEM, "%s: out of memory", wish->name);
		return NULL;
	}
	*c = (struct nat_client){.ops = ops, .arg = arg, .fd = -1, .stop = -1};
	pthread_mutex_init(&c->lock, NULL);
	nat_dir(wish->name, c->dir);
	c->fd = join(c->dir, wish, -1, &m, e);
	if (c->fd < 0) {
		nat_client_close(c);
		return NULL;
	}
	c->net = m.net;
	tell_lines(c, m.text);
	c->stop = eventfd(0, EFD_CLOEXEC);
	if (c->stop < 0)
		err_set(e, errno, "%s: %s", wish->name, strerror(errno));
	if (c->stop < 0 || start_thread(c, e)) {
		nat_client_close(c);
		return NULL;
	}
	return c;
}

const struct nat_net *nat_client_net(const struct nat_client *c)
{
	return &c->net;
}

int nat_client_cards(struct nat_client *c, struct nat_card *cards, unsigned n, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	c->n = MIN(n, NAT_CARDS);
	memcpy(c->cards, cards, c->n * sizeof(*cards));
	for (unsigned i = 0; i < TRIES && !rc; i++) {
		if (!c->lost && say_cards(c, c->stop))
			break;
		c->lost = true;
		rc = rejoin(c, e);
	}
	if (!rc && c->n < MIN(n, NAT_CARDS))
		rc = err_set(
			e, EADDRINUSE,
			"net=: all addresses for known cards are taken; give a larger network");
	memcpy(cards, c->cards, c->n * sizeof(*cards));
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void nat_client_close(struct nat_client *c)
{
	const uint64_t one = 1;

	if (!c)
		return;
	if (c->threaded && write(c->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(c->thread, NULL);
	if (c->fd >= 0)
		close(c->fd);
	if (c->stop >= 0)
		close(c->stop);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
