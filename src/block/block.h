/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks, as the guest's controllers see them. A disk (struct blk) is what a drive is plugged into
 * for good; the image in it may come and go, as a CD does.
 *
 * A request goes to a small fixed pool of threads of its disk, each of which carries one out to
 * its end, straight from and to guest memory. Threads and not io_uring, because containers and
 * sysctls switch that off, and because the same pool serves raw files, block devices and the
 * connections to qemu-nbd. Nothing is allocated for a request: it lies in its owner's table.
 *
 * THREADS: blk_submit() and blk_drain() from any thread. A finished request waits in its queue
 * (struct blk_queue) until the owner reaps it; ready() on the queue's loop says that some do, once
 * for a whole batch. All else is the control thread's.
 *
 * GUEST: offsets and lengths are checked here, also those that the guest made; the iovecs were
 * checked by whoever made them (mem_ptr()).
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"

#define BLK_SECTOR 512u

struct blk;
struct blk_queue;

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_ZERO, BLK_OPS };

/* Zeroed by its owner, who leaves it alone from blk_submit() until it is reaped or drained. */
struct blk_req {
	enum blk_op op;
	bool fua;      /* on stable storage when it is done: WRITE, ZERO */
	bool unmap;    /* ZERO: may give the space back */
	uint64_t off;  /* bytes, a multiple of 512, as is len */
	uint64_t len;  /* not for FLUSH */
	unsigned nvec; /* READ, WRITE: together they have len bytes */
	const struct iovec *vec;
	int rc; /* result: 0 or -errno */
	/* private */
	struct list link;
	struct blk_queue *q;
};

/* One user of a disk: a drive of an IDE channel, a virtqueue. */
struct blk_queue {
	/* On the queue's loop: requests may be reaped. */
	void (*ready)(struct blk_queue *q);
	/* private */
	struct blk *b;
	struct loop *loop;
	struct loop_fd w;
	int efd;
	struct list done; /* the disk's lock */
	unsigned busy;	  /* submitted and not done */
};

enum blk_cache { BLK_WRITEBACK, BLK_NONE, BLK_WRITETHROUGH, BLK_DIRECTSYNC, BLK_UNSAFE };

/* The tray of a CD drive: drive and monitor both have a hand on it. Any thread. */
struct blk_tray {
	_Atomic bool open;   /* what is in it cannot be read */
	_Atomic bool locked; /* by the guest */
	_Atomic bool asked;  /* the user wants it open, the guest has not been told yet */
};

struct blk_conf {
	const char *what;   /* for messages: "-hda", "-drive" */
	const char *file;   /* NULL: no medium */
	const char *format; /* NULL: found out by looking */
	bool readonly, snapshot, cdrom, discard;
	enum blk_cache cache;
};

/* What an image is: for info block. */
struct blk_info {
	bool present, readonly;
	char file[256], format[16];
	uint64_t size;
	enum blk_cache cache;
	uint64_t count[BLK_OPS], failed;
};

/*
 * A disk called id (copied), its image opened as c says. Locks the image against other programs as
 * QEMU does. Returns NULL with e: the option, the value, the remedy.
 */
struct blk *blk_new(const char *id, const struct blk_conf *c, struct err *e);
/* All queues were closed. Brings everything to the image, as an orderly end does. NULL allowed. */
void blk_free(struct blk *b);

/* Another medium (c->file NULL: none) takes the place of the one that is in; when it cannot be
 * opened the old one stays. Waits for requests that are under way. */
int blk_change(struct blk *b, const struct blk_conf *c, struct err *e);

const char *blk_id(const struct blk *b);
/* Bytes, a multiple of 512; 0: no medium. Any thread, as the next. */
uint64_t blk_size(struct blk *b);
bool blk_present(struct blk *b);
bool blk_readonly(const struct blk *b); /* as the guest is told once and for all */
bool blk_cdrom(const struct blk *b);
/* Is there a cache that a guest has to flush? Not with cache=writethrough and directsync. */
bool blk_write_cache(const struct blk *b);
bool blk_discards(const struct blk *b);
/* Counts changes of the medium. Any thread. */
unsigned blk_media(struct blk *b);
struct blk_tray *blk_tray(struct blk *b);
void blk_info(struct blk *b, struct blk_info *i);

/* q->ready is set. Here or with the loop not running. */
int blk_queue_open(struct blk_queue *q, struct blk *b, struct loop *l, struct err *e);
/* Drained. The loop does not run, or here. */
void blk_queue_close(struct blk_queue *q); /* idempotent on a zeroed q */

void blk_submit(struct blk_queue *q, struct blk_req *r);
/* The next finished request, or NULL. Any one thread. */
struct blk_req *blk_reap(struct blk_queue *q);
/* Waits until nothing of q is under way any more; what is finished can be reaped. As blk_drain().
 */
void blk_settle(struct blk_queue *q);
/*
 * Waits until nothing of q is under way any more and forgets what was not reaped: from here on no
 * thread touches the requests or their memory. May be called where the loop of q cannot go on.
 */
void blk_drain(struct blk_queue *q);

#endif
