/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk: its threads, its queues, its medium.
 *
 * One lock for each disk guards the list of what is to be done, the lists of what is done, and the
 * medium. A worker takes a request off the list, carries it out without the lock, and puts it on
 * its queue's list; the one that makes such a list non-empty wakes the queue's loop. While a
 * medium is being changed no worker takes anything.
 */
#include "block/block.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/log.h"
#include "base/util.h"
#include "block/image.h"

struct worker {
	struct blk *b;
	unsigned i;
	pthread_t thread;
};

struct blk {
	char id[64];
	bool readonly, cdrom, discard, write_cache;
	pthread_mutex_t lock;
	pthread_cond_t work; /* todo is not empty, or ending */
	pthread_cond_t idle; /* a request came to its end */
	struct list todo;
	struct image *image; /* NULL: no medium */
	unsigned media;
	struct blk_tray tray;
	unsigned running; /* requests with workers */
	bool hold, ending;
	uint64_t count[BLK_OPS], failed;
	unsigned nworkers;
	struct worker worker[IMAGE_WORKERS];
};

/* --- carrying out --------------------------------------------------------------------------- */

/* A probed image's first sector must not take on a signature. */
static bool forges(const struct blk_req *r)
{
	uint8_t head[BLK_SECTOR];
	size_t n;

	if (r->off)
		return false;
	n = iov_read(r->vec, r->nvec, 0, head, sizeof(head));
	return strcmp(image_probe(head, n), "raw") != 0;
}

static int check(const struct image *im, const struct blk_req *r)
{
	if (!im)
		return -ENOMEDIUM;
	if (r->op == BLK_FLUSH)
		return 0;
	if (r->off % BLK_SECTOR || r->len % BLK_SECTOR || r->off > im->size ||
	    r->len > im->size - r->off)
		return -EINVAL;
	if (r->op != BLK_READ && im->readonly)
		return -EROFS;
	if ((r->op == BLK_READ || r->op == BLK_WRITE) && iov_size(r->vec, r->nvec) != r->len)
		return -EINVAL;
	if (r->op == BLK_WRITE && im->probed && forges(r))
		return -EPERM;
	return 0;
}

static void finish(struct blk *b, struct blk_req *r)
{
	const uint64_t one = 1;
	struct blk_queue *q = r->q;
	bool first = list_empty(&q->done);

	b->count[r->op]++;
	b->failed += r->rc < 0;
	list_add_tail(&q->done, &r->link);
	q->busy--;
	if (first && write(q->efd, &one, sizeof(one)) < 0)
		log_warn("disk %s: cannot wake its loop: %s", b->id, strerror(errno));
	pthread_cond_broadcast(&b->idle);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct blk *b = w->b;

	pthread_mutex_lock(&b->lock);
	for (;;) {
		struct blk_req *r;

		while (!b->ending && (b->hold || list_empty(&b->todo)))
			pthread_cond_wait(&b->work, &b->lock);
		if (b->ending)
			break;
		r = container_of(b->todo.next, struct blk_req, link);
		list_del(&r->link);
		b->running++;
		pthread_mutex_unlock(&b->lock);
		r->rc = check(b->image, r);
		if (!r->rc)
			r->rc = b->image->drv->run(b->image, w->i, r);
		pthread_mutex_lock(&b->lock);
		b->running--;
		finish(b, r);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

void blk_submit(struct blk_queue *q, struct blk_req *r)
{
	struct blk *b = q->b;

	r->q = q;
	pthread_mutex_lock(&b->lock);
	q->busy++;
	list_add_tail(&b->todo, &r->link);
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

struct blk_req *blk_reap(struct blk_queue *q)
{
	struct blk_req *r = NULL;

	pthread_mutex_lock(&q->b->lock);
	if (!list_empty(&q->done)) {
		r = container_of(q->done.next, struct blk_req, link);
		list_del(&r->link);
	}
	pthread_mutex_unlock(&q->b->lock);
	return r;
}

/* Takes q's requests that no worker has off the list; lock held. */
static void withdraw(struct blk_queue *q)
{
	list_for_each_safe (it, tmp, &q->b->todo) {
		if (container_of(it, struct blk_req, link)->q == q) {
			list_del(it);
			q->busy--;
		}
	}
}

void blk_settle(struct blk_queue *q)
{
	pthread_mutex_lock(&q->b->lock);
	while (q->busy)
		pthread_cond_wait(&q->b->idle, &q->b->lock);
	pthread_mutex_unlock(&q->b->lock);
}

void blk_drain(struct blk_queue *q)
{
	struct blk *b = q->b;

	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	withdraw(q);
	while (q->busy)
		pthread_cond_wait(&b->idle, &b->lock);
	while (!list_empty(&q->done))
		list_del(q->done.next);
	pthread_mutex_unlock(&b->lock);
}

/* --- queues --------------------------------------------------------------------------------- */

static void on_done(struct loop_fd *w, uint32_t events)
{
	struct blk_queue *q = container_of(w, struct blk_queue, w);
	uint64_t n;

	(void)events;
	if (read(q->efd, &n, sizeof(n)) == sizeof(n))
		q->ready(q);
}

int blk_queue_open(struct blk_queue *q, struct blk *b, struct loop *l, struct err *e)
{
	int rc;

	list_init(&q->done);
	q->busy = 0;
	q->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = q->efd < 0 ? -errno : loop_add_fd(l, &q->w, q->efd, EPOLLIN, on_done);
	if (rc) {
		if (q->efd >= 0)
			close(q->efd);
		return err_set(e, -rc, "disk %s: no eventfd: %s; raise the open file limit", b->id,
			       strerror(-rc));
	}
	q->loop = l;
	q->b = b;
	return 0;
}

void blk_queue_close(struct blk_queue *q)
{
	if (!q->b)
		return;
	blk_drain(q);
	loop_del_fd(q->loop, &q->w);
	close(q->efd);
	q->b = NULL;
}

/* --- life ----------------------------------------------------------------------------------- */

static void image_close(struct image *im)
{
	if (im)
		im->drv->close(im);
}

static int start_workers(struct blk *b, struct err *e)
{
	for (; b->nworkers < IMAGE_WORKERS; b->nworkers++) {
		struct worker *w = &b->worker[b->nworkers];
		char name[16];
		int rc;

		w->b = b;
		w->i = b->nworkers;
		rc = pthread_create(&w->thread, NULL, work, w);
		if (rc)
			return err_set(e, rc, "disk %s: no thread: %s", b->id, strerror(rc));
		snprintf(name, sizeof(name), "%.12s/%u", b->id, w->i);
		pthread_setname_np(w->thread, name);
	}
	return 0;
}

struct blk *blk_new(const char *id, const struct blk_conf *c, struct err *e)
{
	struct blk *b = calloc(1, sizeof(*b));

	if (!b) {
		err_set(e, ENOMEM, "%s: out of memory", c->what);
		return NULL;
	}
	snprintf(b->id, sizeof(b->id), "%s", id);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->idle, NULL);
	list_init(&b->todo);
	b->cdrom = c->cdrom;
	b->discard = c->discard;
	b->readonly = c->readonly || c->cdrom;
	b->write_cache = c->cache != BLK_WRITETHROUGH && c->cache != BLK_DIRECTSYNC;
	if (c->file)
		b->image = image_open(c, e);
	if ((c->file && !b->image) || start_workers(b, e)) {
		blk_free(b);
		return NULL;
	}
	return b;
}

void blk_free(struct blk *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->ending = true;
	pthread_cond_broadcast(&b->work);
	pthread_mutex_unlock(&b->lock);
	for (unsigned i = 0; i < b->nworkers; i++)
		pthread_join(b->worker[i].thread, NULL);
	image_close(b->image);
	pthread_cond_destroy(&b->idle);
	pthread_cond_destroy(&b->work);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int blk_change(struct blk *b, const struct blk_conf *c, struct err *e)
{
	struct image *new = NULL, *old;

	if (c->file) {
		new = image_open(c, e);
		if (!new)
			return -e->code;
	}
	pthread_mutex_lock(&b->lock);
	b->hold = true;
	while (b->running)
		pthread_cond_wait(&b->idle, &b->lock);
	old = b->image;
	b->image = new;
	b->media++;
	b->hold = false;
	pthread_cond_broadcast(&b->work);
	pthread_mutex_unlock(&b->lock);
	image_close(old);
	return 0;
}

/* --- what it is ----------------------------------------------------------------------------- */

const char *blk_id(const struct blk *b)
{
	return b->id;
}

uint64_t blk_size(struct blk *b)
{
	uint64_t size;

	pthread_mutex_lock(&b->lock);
	size = b->image ? b->image->size : 0;
	pthread_mutex_unlock(&b->lock);
	return size;
}

bool blk_present(struct blk *b)
{
	bool is;

	pthread_mutex_lock(&b->lock);
	is = b->image != NULL;
	pthread_mutex_unlock(&b->lock);
	return is;
}

unsigned blk_media(struct blk *b)
{
	unsigned n;

	pthread_mutex_lock(&b->lock);
	n = b->media;
	pthread_mutex_unlock(&b->lock);
	return n;
}

bool blk_readonly(const struct blk *b)
{
	return b->readonly;
}

bool blk_cdrom(const struct blk *b)
{
	return b->cdrom;
}

bool blk_write_cache(const struct blk *b)
{
	return b->write_cache;
}

bool blk_discards(const struct blk *b)
{
	return b->discard;
}

struct blk_tray *blk_tray(struct blk *b)
{
	return &b->tray;
}

void blk_info(struct blk *b, struct blk_info *i)
{
	const struct image *im;

	*i = (struct blk_info){0};
	pthread_mutex_lock(&b->lock);
	im = b->image;
	memcpy(i->count, b->count, sizeof(i->count));
	i->failed = b->failed;
	if (im) {
		i->present = true;
		i->readonly = im->readonly;
		i->size = im->size;
		i->cache = im->cache;
		memcpy(i->file, im->file, sizeof(i->file));
		memcpy(i->format, im->format, sizeof(i->format));
	}
	pthread_mutex_unlock(&b->lock);
}
