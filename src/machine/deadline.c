/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Register handlers run on vCPU threads, timers live on the control loop: a deadline takes the
 * wanted time by an atomic and an eventfd, so that the handler never waits for the loop. The last
 * time set wins. On the control loop itself (qtest, tests) it is set at once.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/util.h"
#include "machine/pc.h"

static void apply(struct deadline *d)
{
	uint64_t when = atomic_load(&d->when);

	if (when)
		loop_timer_set(d->loop, &d->timer, when);
	else
		loop_timer_del(d->loop, &d->timer);
}

static void on_event(struct loop_fd *w, uint32_t events)
{
	struct deadline *d = container_of(w, struct deadline, w);
	uint64_t n;

	(void)events;
	if (read(d->efd, &n, sizeof(n)) == sizeof(n))
		apply(d);
}

static void on_timer(struct loop_timer *t)
{
	struct deadline *d = container_of(t, struct deadline, timer);
	uint64_t when = t->when;

	/* Unless another thread has set a new time meanwhile, which its event will apply. */
	if (atomic_compare_exchange_strong(&d->when, &when, 0))
		d->fn(d);
}

int deadline_init(struct deadline *d, struct loop *loop, void (*fn)(struct deadline *d),
		  struct err *e)
{
	int rc;

	d->fn = fn;
	d->loop = loop;
	d->owner = pthread_self();
	d->timer.fn = on_timer;
	d->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->efd < 0)
		return err_set(e, errno, "no eventfd for a timer: %s; raise the open file limit",
			       strerror(errno));
	rc = loop_add_fd(loop, &d->w, d->efd, EPOLLIN, on_event);
	if (rc)
		return err_set(e, -rc, "cannot watch a timer: %s", strerror(-rc));
	return 0;
}

void deadline_exit(struct deadline *d)
{
	if (!d->loop)
		return;
	loop_timer_del(d->loop, &d->timer);
	loop_del_fd(d->loop, &d->w);
	if (d->efd >= 0)
		close(d->efd);
	d->loop = NULL;
}

void deadline_set(struct deadline *d, uint64_t when)
{
	const uint64_t one = 1;

	if (atomic_exchange(&d->when, when) == when)
		return;
	/* While the loop does not run yet, loop_is_here() is true for vCPU threads as well. */
	if (loop_is_here(d->loop) && pthread_equal(d->owner, pthread_self()))
		apply(d);
	else if (write(d->efd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the loop is awake */
}
