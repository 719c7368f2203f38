/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table. Every operation is O(1), but for a walk when the host is out of descriptors.
 *
 * Flows lie in one anonymous mapping of FLOW_MAX entries, which costs memory only where it was
 * ever used: places are handed out from the bottom and the one freed last is used first. They
 * are found through hash chains whose hash is keyed with a random secret (SipHash-1-3), so that a
 * guest cannot pile its flows up in one chain.
 *
 * Timers hang in a hierarchical wheel: WHEEL_LEVELS wheels of 64 slots; a deadline sits in the
 * wheel of the highest 6-bit digit in which it differs from the present. One bit per slot says
 * which are in use, so that the next deadline is found without a walk, and the one loop timer is
 * armed for just that one: no flow with a deadline, no wake-up.
 *
 * When the table is full the head of the LRU list, the flow idle longest, makes room.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/sip.h"
#include "base/util.h"
#include "net/user/internal.h"

#define HASH_SIZE    FLOW_MAX
#define TICK_SHIFT   20 /* a tick is 2^20 ns: about a millisecond */
#define WHEEL_BITS   6
#define WHEEL_SLOTS  64u
#define WHEEL_LEVELS 7
#define FIRED	     0xff /* in_wheel: taken out of the wheel, about to run */

/* Touching more often than this does not change the eviction order. */
#define TOUCH_NS (NS_PER_S / 4)

_Static_assert(sizeof(struct flow) <= 256, "a flow is at most 256 bytes");

struct flow_table {
	struct stack *st;
	struct flow *flows; /* FLOW_MAX */
	uint32_t *hash;	    /* HASH_SIZE; index + 1 */
	uint32_t used;	    /* places [0, used) were in use at least once */
	uint32_t free;	    /* chain of free places through hash_next; index + 1 */
	uint32_t count;
	uint64_t key[2]; /* the hash's secret */
	struct list ready, lru;

	struct loop_timer timer;
	struct loop_task again; /* a resume that came while one was under way */
	uint64_t tick;		/* the wheel's present */
	uint64_t map[WHEEL_LEVELS];
	struct list slot[WHEEL_LEVELS][WHEEL_SLOTS];
	bool turning; /* in wheel_turn(): the loop timer is set when it ends */
};

/* --- hash ----------------------------------------------------------------------------------- */

/* SipHash-1-3 over the 16 bytes of a key. */
static uint32_t hash_key(const struct flow_table *t, const struct flow_key *k)
{
	uint64_t m[2];

	_Static_assert(sizeof(*k) == sizeof(m), "the key has no hidden padding");
	memcpy(m, k, sizeof(m));
	return (uint32_t)sip_hash(t->key, m[0], m[1], 1, 3) & (HASH_SIZE - 1);
}

struct flow *flow_find(struct stack *st, const struct flow_key *k)
{
	struct flow_table *t = st->flows;

	for (uint32_t i = t->hash[hash_key(t, k)]; i; i = t->flows[i - 1].hash_next) {
		if (!memcmp(&t->flows[i - 1].key, k, sizeof(*k)))
			return &t->flows[i - 1];
	}
	return NULL;
}

static void hash_del(struct flow_table *t, struct flow *f)
{
	uint32_t *at = &t->hash[hash_key(t, &f->key)];

	while (*at && *at != f->index + 1)
		at = &t->flows[*at - 1].hash_next;
	if (*at)
		*at = f->hash_next;
}

/* --- timer wheel ---------------------------------------------------------------------------- */

static uint64_t to_tick(uint64_t ns)
{
	return (ns >> TICK_SHIFT) + !!(ns & ((1ull << TICK_SHIFT) - 1));
}

static unsigned slot_of(uint64_t tick, unsigned level)
{
	return (tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
}

/* The tick at which the next slot in use begins; false when the wheel is empty. */
static bool wheel_next(const struct flow_table *t, uint64_t *tick, unsigned *level)
{
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		if (!t->map[l])
			continue;
		unsigned shift = l * WHEEL_BITS;
		uint64_t slot = (uint64_t)__builtin_ctzll(t->map[l]);

		*tick = (t->tick >> (shift + WHEEL_BITS) << (shift + WHEEL_BITS)) | slot << shift;
		*level = l;
		return true;
	}
	return false;
}

/* Sets the loop's timer to the next deadline, or takes it away. */
static void wheel_arm(struct flow_table *t)
{
	uint64_t tick;
	unsigned level;

	if (!t->st->loop || t->turning)
		return;
	if (!wheel_next(t, &tick, &level))
		loop_timer_del(t->st->loop, &t->timer);
	else if (!t->timer.heap || t->timer.when != tick << TICK_SHIFT)
		loop_timer_set(t->st->loop, &t->timer, tick << TICK_SHIFT);
}

/* Deadlines further away than the wheel reaches (136 years) do not occur: capped. */
static void wheel_put(struct flow_table *t, struct flow *f, uint64_t tick)
{
	const uint64_t top = 1ull << (WHEEL_BITS * WHEEL_LEVELS);
	unsigned level = 0;

	tick = MIN(tick, top - 1);
	if (tick <= t->tick)
		tick = t->tick + 1;
	if (tick != t->tick)
		level = (63u - (unsigned)__builtin_clzll(tick ^ t->tick)) / WHEEL_BITS;
	level = MIN(level, WHEEL_LEVELS - 1u);
	unsigned slot = slot_of(tick, level);

	/* What removal needs to find the slot again. */
	f->in_wheel = (uint8_t)(level + 1);
	f->deadline = tick << TICK_SHIFT;
	t->map[level] |= 1ull << slot;
	list_add_tail(&t->slot[level][slot], &f->wheel);
}

static void wheel_del(struct flow_table *t, struct flow *f)
{
	if (!f->in_wheel)
		return;
	list_del(&f->wheel);
	if (f->in_wheel != FIRED) {
		unsigned level = f->in_wheel - 1u;
		unsigned slot = slot_of(f->deadline >> TICK_SHIFT, level);

		if (list_empty(&t->slot[level][slot]))
			t->map[level] &= ~(1ull << slot);
	}
	f->in_wheel = 0;
}

/* Moves a whole slot to `out`. */
static void slot_take(struct flow_table *t, unsigned level, unsigned slot, struct list *out)
{
	struct list *l = &t->slot[level][slot];

	list_init(out);
	if (!list_empty(l)) {
		*out = *l;
		out->next->prev = out;
		out->prev->next = out;
		list_init(l);
	}
	t->map[level] &= ~(1ull << slot);
}

/* Flows due at this tick: a callback may free or re-arm any flow, also one of this list. */
static void wheel_fire(struct list *due)
{
	list_for_each (it, due)
		container_of(it, struct flow, wheel)->in_wheel = FIRED;
	while (!list_empty(due)) {
		struct flow *f = container_of(due->next, struct flow, wheel);

		list_del(&f->wheel);
		f->in_wheel = 0;
		flow_ops_of(f->kind)->timer(f);
	}
}

static void wheel_turn(struct loop_timer *timer)
{
	struct flow_table *t = container_of(timer, struct flow_table, timer);
	uint64_t now = stack_now(t->st) >> TICK_SHIFT, tick;
	unsigned level;

	t->turning = true;
	while (wheel_next(t, &tick, &level) && tick <= now) {
		struct list due;

		t->tick = tick;
		slot_take(t, level, slot_of(tick, level), &due);
		if (!level) {
			wheel_fire(&due);
			continue;
		}
		/* A coarse slot begins: its flows go to finer wheels, the first may be due. */
		struct list now_due;

		list_init(&now_due);
		while (!list_empty(&due)) {
			struct flow *f = container_of(due.next, struct flow, wheel);

			list_del(&f->wheel);
			if (f->deadline >> TICK_SHIFT <= tick)
				list_add_tail(&now_due, &f->wheel);
			else
				wheel_put(t, f, f->deadline >> TICK_SHIFT);
		}
		wheel_fire(&now_due);
	}
	if (now > t->tick)
		t->tick = now;
	t->turning = false;
	wheel_arm(t);
}

void flow_timer(struct flow *f, uint64_t when)
{
	struct flow_table *t = f->st->flows;

	wheel_del(t, f);
	if (when) {
		uint64_t now = stack_now(f->st) >> TICK_SHIFT;

		/* An empty wheel may have stood still for long: let it not crawl after. */
		uint64_t tick;
		unsigned level;

		if (!t->turning && !wheel_next(t, &tick, &level) && now > t->tick)
			t->tick = now;
		wheel_put(t, f, to_tick(when));
	}
	wheel_arm(t);
}

/* --- life ----------------------------------------------------------------------------------- */

static struct flow *place_get(struct flow_table *t)
{
	struct flow *f;

	if (!t->free && t->used == FLOW_MAX && !flow_evict_oldest(t->st))
		return NULL;
	if (t->free) {
		f = &t->flows[t->free - 1];
		t->free = f->hash_next;
		return f;
	}
	f = &t->flows[t->used];
	f->index = t->used++;
	return f;
}

struct flow *flow_new(struct stack *st, enum flow_kind kind, const struct flow_key *k)
{
	struct flow_table *t = st->flows;
	struct flow *f = place_get(t);

	if (!f)
		return NULL;
	uint32_t index = f->index, *head = &t->hash[hash_key(t, k)];

	memset(f, 0, sizeof(*f));
	f->index = index;
	f->kind = (uint8_t)kind;
	f->key = *k;
	f->st = st;
	f->ev.fd = -1;
	f->born = f->used = stack_now(st);
	list_init(&f->wheel);
	list_init(&f->link);
	list_add_tail(&t->lru, &f->lru);
	f->hash_next = *head;
	*head = index + 1;
	t->count++;
	st->count.flows_made++;
	return f;
}

void flow_free(struct flow *f)
{
	struct flow_table *t = f->st->flows;

	if (f->kind == FLOW_FREE)
		return;
	if (f->st->loop)
		loop_del_fd(f->st->loop, &f->ev);
	if (f->ev.fd >= 0)
		close(f->ev.fd);
	f->ev.fd = -1;
	if (f->in_wheel) {
		wheel_del(t, f);
		wheel_arm(t);
	}
	list_del(&f->link);
	list_del(&f->lru);
	hash_del(t, f);
	f->kind = FLOW_FREE;
	f->hash_next = t->free;
	t->free = f->index + 1;
	t->count--;
}

static void flow_event(struct loop_fd *w, uint32_t events)
{
	struct flow *f = container_of(w, struct flow, ev);

	flow_ops_of(f->kind)->event(f, events);
}

static int watch(struct flow *f)
{
	return loop_add_fd(f->st->loop, &f->ev, f->ev.fd,
			   EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, flow_event);
}

int flow_watch(struct flow *f, int fd)
{
	f->ev.fd = fd;
	return f->st->loop ? watch(f) : 0;
}

int flow_connect(struct flow *f, int fd, const struct sockaddr_in *to)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return flow_watch(f, fd);
}

struct flow *flow_open(struct stack *st, enum flow_kind kind, const struct flow_key *k,
		       const uint8_t gmac[ETH_ALEN], const struct sockaddr_in *to,
		       int (*open)(struct flow *f, const struct sockaddr_in *to))
{
	struct flow *f = flow_new(st, kind, k);
	int rc;

	if (!f)
		return NULL;
	memcpy(f->gmac, gmac, ETH_ALEN);
	rc = open(f, to);
	if (!rc)
		return f;
	st->count.no_socket++;
	icmp_error_errno(f, -rc);
	flow_free(f);
	return NULL;
}

void flow_wait_room(struct flow *f)
{
	if (f->ready)
		return;
	f->ready = 1;
	list_add_tail(&f->st->flows->ready, &f->link);
}

void flow_again(struct flow *f)
{
	flow_wait_room(f);
	if (f->st->loop)
		loop_defer(f->st->loop, &f->st->flows->again);
}

void flow_touch(struct flow *f)
{
	uint64_t now = stack_now(f->st);
	bool move = now - f->used >= TOUCH_NS;

	f->used = now;
	if (move) {
		list_del(&f->lru);
		list_add_tail(&f->st->flows->lru, &f->lru);
	}
}

static bool evict(struct flow *f)
{
	f->st->count.flows_evicted++;
	flow_ops_of(f->kind)->evict(f);
	return true;
}

bool flow_evict_oldest(struct stack *st)
{
	struct flow_table *t = st->flows;

	return !list_empty(&t->lru) && evict(container_of(t->lru.next, struct flow, lru));
}

/* A walk, but only while descriptors are out: those without one (TIME-WAIT, a UDP hostfwd's) would
 * be ended for nothing. */
bool flow_evict_fd(struct stack *st)
{
	list_for_each (it, &st->flows->lru) {
		struct flow *f = container_of(it, struct flow, lru);

		if (f->ev.fd >= 0)
			return evict(f);
	}
	return false;
}

unsigned flow_count(const struct stack *st)
{
	return st->flows->count;
}

void flow_for_each(const struct stack *st, void (*fn)(struct flow *f, void *arg), void *arg)
{
	for (uint32_t i = 0; i < st->flows->used; i++) {
		if (st->flows->flows[i].kind != FLOW_FREE)
			fn(&st->flows->flows[i], arg);
	}
}

/* --- the guest has room again --------------------------------------------------------------- */

/*
 * Serves each flow that waits, in turn, until the room is used up: then the flow that did not get
 * all it wanted has put itself at the tail and the next one is first when room comes again.
 */
void flow_resume(struct stack *st)
{
	struct flow_table *t = st->flows;

	if (st->resuming) {
		if (st->loop)
			loop_defer(st->loop, &t->again);
		return;
	}
	st->resuming = true;
	while (!list_empty(&t->ready)) {
		struct flow *f = container_of(t->ready.next, struct flow, link);
		uint32_t index = f->index;

		list_del(&f->link);
		f->ready = 0;
		flow_ops_of(f->kind)->ready(f);
		if (t->flows[index].kind != FLOW_FREE && t->flows[index].ready)
			break;
	}
	st->resuming = false;
}

static void resume_again(struct loop_task *task)
{
	flow_resume(container_of(task, struct flow_table, again)->st);
}

/* --- the stack's life ----------------------------------------------------------------------- */

static void *map_lazily(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Huge pages would make an idle table as big as a full one. */
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

int flow_init(struct stack *st, struct err *e)
{
	struct flow_table *t = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, ENOMEM, "no memory for the flow table");
	t->st = st;
	st->flows = t;
	t->flows = map_lazily(FLOW_MAX * sizeof(struct flow));
	t->hash = map_lazily(HASH_SIZE * sizeof(uint32_t));
	list_init(&t->ready);
	list_init(&t->lru);
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		for (unsigned s = 0; s < WHEEL_SLOTS; s++)
			list_init(&t->slot[l][s]);
	}
	t->timer.fn = wheel_turn;
	t->again.fn = resume_again;
	if (!t->flows || !t->hash) {
		flow_exit(st);
		return err_set(e, ENOMEM, "no memory for the flow table");
	}
	if (getrandom(t->key, sizeof(t->key), 0) != (ssize_t)sizeof(t->key)) {
		flow_exit(st);
		return err_set(e, EIO, "the kernel gives no random numbers");
	}
	return 0;
}

static void free_one(struct flow *f, void *arg)
{
	(void)arg;
	flow_free(f);
}

void flow_exit(struct stack *st)
{
	struct flow_table *t = st->flows;

	if (!t)
		return;
	if (t->flows) {
		flow_for_each(st, free_one, NULL);
		munmap(t->flows, FLOW_MAX * sizeof(struct flow));
	}
	if (t->hash)
		munmap(t->hash, HASH_SIZE * sizeof(uint32_t));
	free(t);
	st->flows = NULL;
}

int flow_attach(struct stack *st, struct err *e)
{
	struct flow_table *t = st->flows;

	for (uint32_t i = 0; i < t->used; i++) {
		struct flow *f = &t->flows[i];

		if (f->kind == FLOW_FREE || f->ev.fd < 0)
			continue;
		int rc = watch(f);

		if (rc < 0) {
			flow_detach(st);
			return err_set(e, -rc, "cannot watch a flow's socket: %s", strerror(-rc));
		}
	}
	wheel_arm(t);
	if (!list_empty(&t->ready))
		loop_defer(st->loop, &t->again);
	return 0;
}

void flow_detach(struct stack *st)
{
	struct flow_table *t = st->flows;

	for (uint32_t i = 0; i < t->used; i++) {
		if (t->flows[i].kind != FLOW_FREE)
			loop_del_fd(st->loop, &t->flows[i].ev);
	}
	loop_timer_del(st->loop, &t->timer);
	loop_undefer(st->loop, &t->again);
}
