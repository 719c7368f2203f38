/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event loop over epoll.
 *
 * A round: wait (at most until the earliest timer), dispatch descriptors, expired timers, calls
 * from other threads, then deferred tasks. epoll's user data is a slot number plus a generation,
 * not a pointer: an event that was fetched before its descriptor was removed finds a stale
 * generation and is dropped. Timers are a binary heap. Other threads reach the loop through a
 * queue under a mutex and one eventfd; the data path touches neither.
 *
 * Parking: the parking thread queues a call whose body tells it "parked" and then sleeps until
 * it is released. Callbacks are never interrupted, so the loop is between batches by definition.
 */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "base/util.h"

#define MAX_EVENTS 64

const int loop_calls[] = {
	SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_ctl, SYS_read, SANDBOX_END,
};

struct slot {
	struct loop_fd *w;
	uint32_t gen;
	uint32_t next_free;
};

/* A call from another thread; lives on the caller's stack until done. */
struct remote {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
	bool done;
};

struct loop {
	char name[16];
	const struct clock *clock;
	int epfd, wakefd;
	uint64_t now;

	struct slot *slots;
	uint32_t nslots, free_slot; /* free_slot: index + 1, 0 when none */

	struct loop_timer **heap;
	uint32_t nheap, heap_room;

	struct list tasks;

	pthread_mutex_t lock; /* remote calls, stop flag, parking */
	pthread_cond_t cond;
	struct list calls;
	_Atomic bool stop;

	pthread_t thread; /* of loop_start(), for loop_join() */
	pthread_t self;	  /* who runs the loop; valid while running */
	bool started;
	_Atomic bool running;
	struct remote park; /* the call that holds the loop while parked */
	_Atomic bool parked;
	bool release;
	_Atomic(pthread_t) parker; /* read by threads that only ask whether they are here */
	unsigned nested;	   /* parked again by the parker */
};

struct loop *loop_new(const char *name, const struct clock *clock, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UINT64_MAX};

	if (!l) {
		err_set(e, ENOMEM, "no memory for an event loop");
		return NULL;
	}
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->clock = clock;
	list_init(&l->tasks);
	list_init(&l->calls);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->cond, NULL);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epfd < 0 || l->wakefd < 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->wakefd, &ev) < 0) {
		err_set(e, errno, "event loop %s: %s; raise the open file limit (ulimit -n)", name,
			strerror(errno));
		loop_free(l);
		return NULL;
	}
	l->now = clock_now(clock);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->epfd >= 0)
		close(l->epfd);
	if (l->wakefd >= 0)
		close(l->wakefd);
	free(l->slots);
	free(l->heap);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->cond);
	free(l);
}

bool loop_is_here(const struct loop *l)
{
	if (!atomic_load(&l->running))
		return true;
	if (pthread_equal(l->self, pthread_self()))
		return true;
	return l->parked && pthread_equal(l->parker, pthread_self());
}

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

/* --- descriptors ---------------------------------------------------------------------------- */

static int slot_get(struct loop *l)
{
	if (!l->free_slot) {
		uint32_t n = l->nslots ? 2 * l->nslots : 16;
		struct slot *s = realloc(l->slots, n * sizeof(*s));

		if (!s)
			return -ENOMEM;
		for (uint32_t i = l->nslots; i < n; i++)
			s[i] = (struct slot){.next_free = i + 1 < n ? i + 2 : 0};
		l->slots = s;
		l->free_slot = l->nslots + 1;
		l->nslots = n;
	}
	uint32_t i = l->free_slot - 1;

	l->free_slot = l->slots[i].next_free;
	return (int)i;
}

static uint64_t slot_tag(const struct loop *l, uint32_t i)
{
	return (uint64_t)l->slots[i].gen << 32 | i;
}

int loop_add_fd(struct loop *l, struct loop_fd *w, int fd, uint32_t events,
		void (*fn)(struct loop_fd *w, uint32_t events))
{
	int i = slot_get(l);

	if (i < 0)
		return i;
	l->slots[i].w = w;
	struct epoll_event ev = {.events = events, .data.u64 = slot_tag(l, (uint32_t)i)};

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int err = errno;

		l->slots[i].w = NULL;
		l->slots[i].next_free = l->free_slot;
		l->free_slot = (uint32_t)i + 1;
		return -err;
	}
	w->fn = fn;
	w->fd = fd;
	w->slot = (uint32_t)i + 1;
	return 0;
}

int loop_mod_fd(struct loop *l, struct loop_fd *w, uint32_t events)
{
	struct epoll_event ev = {.events = events};

	if (!w->slot)
		return -ENOENT;
	ev.data.u64 = slot_tag(l, w->slot - 1);
	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev) < 0 ? -errno : 0;
}

void loop_del_fd(struct loop *l, struct loop_fd *w)
{
	if (!w->slot)
		return;
	uint32_t i = w->slot - 1;

	epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	l->slots[i].w = NULL;
	l->slots[i].gen++;
	l->slots[i].next_free = l->free_slot;
	l->free_slot = i + 1;
	w->slot = 0;
}

/* --- timers --------------------------------------------------------------------------------- */

static void heap_put(struct loop *l, uint32_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->heap = i + 1;
}

static void heap_up(struct loop *l, uint32_t i, struct loop_timer *t)
{
	while (i && l->heap[(i - 1) / 2]->when > t->when) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, uint32_t i, struct loop_timer *t)
{
	for (;;) {
		uint32_t c = 2 * i + 1;

		if (c >= l->nheap)
			break;
		if (c + 1 < l->nheap && l->heap[c + 1]->when < l->heap[c]->when)
			c++;
		if (l->heap[c]->when >= t->when)
			break;
		heap_put(l, i, l->heap[c]);
		i = c;
	}
	heap_put(l, i, t);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t when)
{
	uint64_t old = t->when;

	t->when = when;
	if (t->heap) {
		if (when < old)
			heap_up(l, t->heap - 1, t);
		else
			heap_down(l, t->heap - 1, t);
		return;
	}
	if (l->nheap == l->heap_room) {
		uint32_t n = l->heap_room ? 2 * l->heap_room : 16;
		struct loop_timer **h = realloc(l->heap, n * sizeof(struct loop_timer *));

		if (!h) {
			/* A timer that cannot be kept must not be lost silently. */
			log_warn("no memory for a timer on loop %s", l->name);
			return;
		}
		l->heap = h;
		l->heap_room = n;
	}
	heap_up(l, l->nheap++, t);
}

void loop_timer_del(struct loop *l, struct loop_timer *t)
{
	if (!t->heap)
		return;
	uint32_t i = t->heap - 1;
	struct loop_timer *last = l->heap[--l->nheap];

	t->heap = 0;
	if (last == t)
		return;
	if (i && l->heap[(i - 1) / 2]->when > last->when)
		heap_up(l, i, last);
	else
		heap_down(l, i, last);
}

uint64_t loop_next_timer(const struct loop *l)
{
	return l->nheap ? l->heap[0]->when : UINT64_MAX;
}

/* A timer that is set again for now waits for the next round, or it would starve the rest. */
static void run_timers(struct loop *l)
{
	for (uint32_t n = l->nheap; n && l->nheap && l->heap[0]->when <= l->now; n--) {
		struct loop_timer *t = l->heap[0];

		loop_timer_del(l, t);
		t->fn(t);
	}
}

/* --- deferred tasks and calls from other threads -------------------------------------------- */

void loop_defer(struct loop *l, struct loop_task *t)
{
	if (t->queued)
		return;
	t->queued = true;
	list_add_tail(&l->tasks, &t->link);
}

void loop_undefer(struct loop *l, struct loop_task *t)
{
	(void)l;
	if (!t->queued)
		return;
	t->queued = false;
	list_del(&t->link);
}

/* Runs the tasks queued so far; what they queue in turn waits for the next round. */
static void run_tasks(struct loop *l)
{
	struct list mark;

	if (list_empty(&l->tasks))
		return;
	list_add_tail(&l->tasks, &mark);
	while (l->tasks.next != &mark) {
		struct loop_task *t = container_of(l->tasks.next, struct loop_task, link);

		loop_undefer(l, t);
		t->fn(t);
	}
	list_del(&mark);
}

static void run_calls(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	while (!list_empty(&l->calls)) {
		struct remote *r = container_of(l->calls.next, struct remote, link);

		list_del(&r->link);
		pthread_mutex_unlock(&l->lock);
		r->fn(r->arg);
		pthread_mutex_lock(&l->lock);
		r->done = true;
		pthread_cond_broadcast(&l->cond);
	}
	pthread_mutex_unlock(&l->lock);
}

void loop_kick(struct loop *l)
{
	const uint64_t one = 1;

	/* Only EAGAIN (counter full) can happen, and then the loop is awake anyway. */
	if (write(l->wakefd, &one, sizeof(one)) < 0)
		return;
}

/* Queues r for the loop's thread; false when the loop does not run. */
static bool submit(struct loop *l, struct remote *r)
{
	bool live;

	pthread_mutex_lock(&l->lock);
	live = atomic_load(&l->running);
	if (live)
		list_add_tail(&l->calls, &r->link);
	pthread_mutex_unlock(&l->lock);
	if (live)
		loop_kick(l);
	return live;
}

void loop_call(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct remote r = {.fn = fn, .arg = arg};

	if (loop_is_here(l) || !submit(l, &r)) {
		fn(arg);
		return;
	}
	pthread_mutex_lock(&l->lock);
	while (!r.done)
		pthread_cond_wait(&l->cond, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

static void park_here(void *arg)
{
	struct loop *l = arg;

	pthread_mutex_lock(&l->lock);
	l->parked = true;
	pthread_cond_broadcast(&l->cond);
	while (!l->release)
		pthread_cond_wait(&l->cond, &l->lock);
	l->parked = false;
	l->release = false;
	pthread_cond_broadcast(&l->cond);
	pthread_mutex_unlock(&l->lock);
}

void loop_park(struct loop *l)
{
	if (!atomic_load(&l->running))
		return;
	if (l->parked && pthread_equal(l->parker, pthread_self())) {
		l->nested++;
		return;
	}
	l->park.fn = park_here;
	l->park.arg = l;
	pthread_mutex_lock(&l->lock);
	l->parker = pthread_self();
	pthread_mutex_unlock(&l->lock);
	if (!submit(l, &l->park))
		return;
	pthread_mutex_lock(&l->lock);
	while (!l->parked)
		pthread_cond_wait(&l->cond, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

void loop_unpark(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	if (l->nested) {
		l->nested--;
	} else if (l->parked) {
		l->release = true;
		pthread_cond_broadcast(&l->cond);
		while (l->parked)
			pthread_cond_wait(&l->cond, &l->lock);
	}
	pthread_mutex_unlock(&l->lock);
}

/* --- the round ------------------------------------------------------------------------------ */

static int wait_ms(struct loop *l)
{
	if (!list_empty(&l->tasks))
		return 0;
	if (!l->nheap)
		return -1;
	uint64_t now = clock_now(l->clock);

	if (l->heap[0]->when <= now)
		return 0;
	/* Nobody but loop_kick() moves a virtual clock. */
	if (l->clock && l->clock->is_virtual)
		return -1;
	uint64_t ms = (l->heap[0]->when - now + NS_PER_MS - 1) / NS_PER_MS;

	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void dispatch(struct loop *l, const struct epoll_event *ev)
{
	uint32_t i = (uint32_t)ev->data.u64, gen = (uint32_t)(ev->data.u64 >> 32);
	uint64_t drop;

	if (ev->data.u64 == UINT64_MAX) {
		if (read(l->wakefd, &drop, sizeof(drop)) < 0)
			return;
		run_calls(l);
		l->now = clock_now(l->clock);
		return;
	}
	/* Removed (and perhaps given away again) since epoll reported it. */
	if (i >= l->nslots || l->slots[i].gen != gen || !l->slots[i].w)
		return;
	l->slots[i].w->fn(l->slots[i].w, ev->events);
}

/* The lock is only taken at the end: calls are not to be queued once `running` is false. */
static bool stopping(struct loop *l)
{
	if (!atomic_load_explicit(&l->stop, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&l->lock);
	atomic_store(&l->running, false);
	pthread_mutex_unlock(&l->lock);
	return true;
}

void loop_run(struct loop *l)
{
	struct epoll_event evs[MAX_EVENTS];

	pthread_mutex_lock(&l->lock);
	l->self = pthread_self();
	l->now = clock_now(l->clock);
	atomic_store(&l->running, true);
	pthread_cond_broadcast(&l->cond);
	pthread_mutex_unlock(&l->lock);
	while (!stopping(l)) {
		int n = epoll_wait(l->epfd, evs, MAX_EVENTS, wait_ms(l));

		l->now = clock_now(l->clock);
		for (int i = 0; i < n; i++)
			dispatch(l, &evs[i]);
		run_timers(l);
		run_tasks(l);
	}
	/* Calls that came in before `running` fell are still waited for. */
	run_calls(l);
}

void loop_stop(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_mutex_unlock(&l->lock);
	loop_kick(l);
}

static void *thread_main(void *arg)
{
	struct loop *l = arg;

	prctl(PR_SET_NAME, l->name);
	loop_run(l);
	return NULL;
}

int loop_start(struct loop *l, struct err *e)
{
	int rc = pthread_create(&l->thread, NULL, thread_main, l);

	if (rc)
		return err_set(e, rc, "cannot start thread %s: %s", l->name, strerror(rc));
	l->started = true;
	pthread_mutex_lock(&l->lock);
	while (!atomic_load(&l->running) && !l->stop)
		pthread_cond_wait(&l->cond, &l->lock);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

void loop_join(struct loop *l)
{
	if (!l->started)
		return;
	pthread_join(l->thread, NULL);
	l->started = false;
}
