/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's memory is a memfd, and those get pages of 4 KiB unless somebody asks (MADV_COLLAPSE,
 * Linux 6.1; the kernel's own khugepaged leaves them alone by default). Each first use of a page
 * then costs a nested page fault, and each TLB miss a longer walk. Asking for all of memory at the
 * start would use all of it. So a thread asks for what the guest has begun to use: the memfd tells
 * where it has data (SEEK_DATA), mincore() how much of a block is there.
 *
 * It looks every few milliseconds while memory grows, as in a boot, and ever more rarely when it
 * does not; after a second without growth it sleeps until a vCPU has left the guest for this
 * process, which an idle guest's never does. Looking takes at most a sixteenth of its time.
 */
#include "accel/gather.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "base/util.h"

const int accel_gather_calls[] = {SYS_lseek, SYS_mincore, SANDBOX_END};

#define PAGE	   4096u
#define PAGES	   (MEM_HUGE / PAGE)
#define ENOUGH	   (PAGES / 16) /* pages in use that make a block worth a huge page */
#define MS	   1000000ull
#define FIRST_WAIT (4 * MS)
#define LAST_WAIT  (1000 * MS)
#define PATIENCE   250 /* looks without growth before they become rarer */

size_t gather_blocks(const struct guest_mem *mem)
{
	const struct mem_region *last = &mem->r[mem->n ? mem->n - 1 : 0];

	return mem->n ? (size_t)((last->fd_off + last->size) / MEM_HUGE) : 0;
}

/* A block at p that has pages. Returns 1 if it is huge now, 0, or -ENOTSUP. */
static int gather_block(void *p, uint8_t *tries)
{
	unsigned char in[PAGES];
	unsigned used = 0;

	if (mincore(p, MEM_HUGE, in) < 0)
		return 0;
	for (unsigned i = 0; i < PAGES; i++)
		used += in[i] & 1;
	if (used < ENOUGH)
		return 0;
	if (mem_collapse(p) == 0) {
		*tries = 0;
		return 1;
	}
	if (errno == EINVAL)
		return -ENOTSUP;
	--*tries; /* no free huge page now, or the block is pinned */
	return 0;
}

static int gather_region(const struct guest_mem *mem, const struct mem_region *r, uint8_t *state)
{
	uint64_t end = r->fd_off + r->size / MEM_HUGE * MEM_HUGE;
	int made = 0;

	if (r->gpa % MEM_HUGE || r->fd_off % MEM_HUGE)
		return 0;
	for (uint64_t off = r->fd_off; off < end; off += MEM_HUGE) {
		off_t data = lseek(mem->fd, (off_t)off, SEEK_DATA);
		int rc;

		if (data < 0 || (uint64_t)data >= end)
			break;
		off = (uint64_t)data / MEM_HUGE * MEM_HUGE;
		if (!state[off / MEM_HUGE])
			continue;
		rc = gather_block(r->host + (off - r->fd_off), &state[off / MEM_HUGE]);
		if (rc < 0)
			return rc;
		made += rc;
	}
	return made;
}

int gather_pass(const struct guest_mem *mem, uint8_t *state)
{
	int made = 0;

	for (unsigned i = 0; i < mem->n; i++) {
		int rc = gather_region(mem, &mem->r[i], state);

		if (rc < 0)
			return rc;
		made += rc;
	}
	return made;
}

/* Waits `wait` ns, or until poked if that is 0. False: shall end. */
static bool rest(struct gather *g, uint64_t wait)
{
	uint64_t until = clock_now(NULL) + wait;
	struct timespec at = {.tv_sec = (time_t)(until / 1000000000u),
			      .tv_nsec = (long)(until % 1000000000u)};
	bool go;
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	g->poked = false;
	atomic_store(&g->asleep, !wait);
	while (!g->quit && !g->poked && rc != ETIMEDOUT)
		rc = wait ? pthread_cond_timedwait(&g->cond, &g->lock, &at)
			  : pthread_cond_wait(&g->cond, &g->lock);
	atomic_store(&g->asleep, false);
	go = !g->quit;
	pthread_mutex_unlock(&g->lock);
	return go;
}

static void *gather_main(void *arg)
{
	struct gather *g = arg;
	uint64_t wait = FIRST_WAIT;
	unsigned quiet = 0;
	bool sleep = false;

	prctl(PR_SET_NAME, "gather");
	if (g->enter && !g->enter(g->enter_arg))
		return NULL;
	while (rest(g, sleep ? 0 : wait)) {
		uint64_t begin = clock_now(NULL);
		int made = gather_pass(g->mem, g->state);

		atomic_fetch_add_explicit(&g->looks, 1, memory_order_relaxed);

		if (made < 0)
			break;
		quiet = made ? 0 : quiet + 1;
		if (quiet <= PATIENCE) {
			wait = FIRST_WAIT;
			sleep = false;
		} else if (sleep) {
			/* A busy guest pokes at each exit: once is enough for now. */
			wait = LAST_WAIT;
			sleep = false;
		} else if (wait >= LAST_WAIT) {
			sleep = true;
		} else {
			wait *= 2;
		}
		wait = MAX(wait, 16 * (clock_now(NULL) - begin));
	}
	return NULL;
}

int gather_start(struct gather *g, const struct guest_mem *mem, struct err *e)
{
	pthread_condattr_t monotonic;
	sigset_t all, old;
	int rc;

	g->mem = mem;
	g->quit = g->poked = false;
	g->state = malloc(gather_blocks(mem) + 1);
	if (!g->state)
		return err_set(e, ENOMEM, "no memory for the map of huge pages");
	memset(g->state, GATHER_TRIES, gather_blocks(mem));
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&g->cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&g->thread, NULL, gather_main, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		free(g->state);
		g->state = NULL;
		return err_set(e, rc, "cannot start the thread for huge pages: %s", strerror(rc));
	}
	g->threaded = true;
	return 0;
}

void gather_wake(struct gather *g)
{
	pthread_mutex_lock(&g->lock);
	g->poked = true;
	pthread_cond_signal(&g->cond);
	pthread_mutex_unlock(&g->lock);
}

void gather_stop(struct gather *g)
{
	if (!g->threaded)
		return;
	pthread_mutex_lock(&g->lock);
	g->quit = true;
	pthread_cond_signal(&g->cond);
	pthread_mutex_unlock(&g->lock);
	pthread_join(g->thread, NULL);
	g->threaded = false;
	pthread_cond_destroy(&g->cond);
	pthread_mutex_destroy(&g->lock);
	free(g->state);
	g->state = NULL;
}
