/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A call finds the loop, and the loop's thread then looks whether the object is still there: it
 * moves only while its loop is held, so it stays while the callee runs. Where it has moved
 * meanwhile nothing is done and the caller tries again. Without a loop the caller does the work
 * itself, under `home`, which nobody holds while waiting for a loop.
 *
 * The doorbell is watched edge-triggered and its counter never read: each write is an edge, also
 * KVM's, and a descriptor that was ever written to is one when a loop begins to watch it. So what
 * was missed between two loops is made up for.
 */
#include "base/seat.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/util.h"

struct call {
	struct seat *s;
	struct loop *loop;
	void (*fn)(void *arg);
	void *arg;
	bool done;
};

static void call_here(void *arg)
{
	struct call *c = arg;

	if (seat_loop(c->s) != c->loop)
		return;
	c->fn(c->arg);
	c->done = true;
}

void seat_call(struct seat *s, void (*fn)(void *arg), void *arg)
{
	struct call c = {.s = s, .fn = fn, .arg = arg};

	while (!c.done) {
		pthread_mutex_lock(&s->home);
		c.loop = seat_loop(s);
		if (!c.loop) {
			fn(arg);
			c.done = true;
		}
		pthread_mutex_unlock(&s->home);
		if (c.loop)
			loop_call(c.loop, call_here, &c);
	}
}

void seat_kick(struct seat *s)
{
	const uint64_t one = 1;

	/* The counter cannot overflow in any lifetime. */
	if (!atomic_exchange(&s->ringing, true) && write(s->kick, &one, sizeof(one)) < 0)
		atomic_store(&s->ringing, false);
}

static void kick_event(struct loop_fd *w, uint32_t events)
{
	struct seat *s = container_of(w, struct seat, watch);

	(void)events;
	/* Before anything is looked at: what is written from here on rings again. */
	atomic_store(&s->ringing, false);
	s->kicked(s);
}

int seat_move(struct seat *s, struct loop *to, const char *who, struct err *e)
{
	struct loop *old = seat_loop(s);
	int rc = 0;

	if (old)
		loop_del_fd(old, &s->watch);
	if (to)
		rc = loop_add_fd(to, &s->watch, s->kick, EPOLLIN | EPOLLET, kick_event);
	pthread_mutex_lock(&s->home);
	atomic_store(&s->loop, rc ? NULL : to);
	pthread_mutex_unlock(&s->home);
	if (rc)
		return err_set(e, -rc, "%s: cannot watch a doorbell: %s", who, strerror(-rc));
	return 0;
}

int seat_init(struct seat *s, void (*kicked)(struct seat *s), const char *who, struct err *e)
{
	*s = (struct seat){.kicked = kicked};
	s->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->kick < 0)
		return err_set(e, errno,
			       "%s: no eventfd for a doorbell: %s; raise the open file limit "
			       "(ulimit -n)",
			       who, strerror(errno));
	pthread_mutex_init(&s->home, NULL);
	return 0;
}

void seat_exit(struct seat *s)
{
	if (s->kick < 0)
		return;
	close(s->kick);
	s->kick = -1;
	pthread_mutex_destroy(&s->home);
}
