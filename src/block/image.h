/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images: what lies behind a disk. Private to this folder and its tests. A driver carries out one
 * request at a time for each of IMAGE_WORKERS threads, blocking.
 */
#ifndef BLOCK_IMAGE_H
#define BLOCK_IMAGE_H

#include <stdatomic.h>

#include "block/block.h"

#define IMAGE_WORKERS 4u
#define IMAGE_HEAD    2048u /* bytes that formats are told apart by */

struct image;

struct image_driver {
	/* Worker w carries out r; range and permission were checked. Returns 0 or -errno. */
	int (*run)(struct image *im, unsigned w, const struct blk_req *r);
	void (*close)(struct image *im); /* frees im */
};

struct image {
	const struct image_driver *drv;
	uint64_t size; /* bytes, a multiple of 512 */
	bool readonly;
	bool probed; /* raw because it looked like nothing else: its first sector shall stay so */
	char file[256], format[16];
	enum blk_cache cache;
};

/* Opens what c names (c->file is not NULL). Returns NULL with e. */
struct image *image_open(const struct blk_conf *c, struct err *e);
/* A raw file or block device; fd is open for looking and is the driver's afterwards. */
struct image *raw_open(const struct blk_conf *c, int fd, struct err *e);
/* Any format of qemu-nbd's. */
struct image *nbd_open(const struct blk_conf *c, const char *format, struct err *e);

/* The name of the format whose signature these first bytes carry; "raw" when it is none. */
const char *image_probe(const uint8_t *head, size_t len);
/* NULL-terminated: all formats, "raw" first. */
extern const char *const image_formats[];

/*
 * Locks the file for us, as QEMU's own processes lock it against each other (bytes 100 and on for
 * what is done with the file, 200 and on for what others shall not do; open file description
 * locks). -EBUSY with e when another program's use forbids ours. keep false: only looks.
 */
int image_lock(int fd, bool write, bool keep, const char *what, const char *file, struct err *e);

#endif
