/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw files and block devices: preadv, pwritev2, fdatasync, fallocate.
 *
 * With cache=none and directsync the file is open twice. Requests whose memory and offsets are
 * aligned as the host wants it go past the page cache; the few that are not (a driver of the
 * guest with odd buffers, a 512-byte sector of a 4096-byte device) go through it, by the second
 * descriptor, and the kernel keeps the two coherent.
 *
 * A flush that failed once fails for good: the kernel has forgotten by then which pages it could
 * not write, and the next fdatasync() would claim that all is well.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/util.h"
#include "block/image.h"

#define VECS  256u
#define CHUNK (64u << 10) /* bytes of zeros written at a time */

struct raw {
	struct image im;
	int fd;	    /* through the page cache */
	int direct; /* O_DIRECT; -1: not open */
	unsigned align;
	bool dev, discard, sync, lazy; /* block device; discard=unmap; writethrough; unsafe */
	_Atomic int broken;	       /* errno of a flush that failed */
	uint8_t *zeros;		       /* CHUNK bytes */
};

static bool aligned(const struct raw *f, const struct blk_req *r)
{
	uint64_t mask = f->align - 1;
	uint64_t odd = r->off | r->len;

	for (unsigned i = 0; i < r->nvec; i++)
		odd |= (uintptr_t)r->vec[i].iov_base | r->vec[i].iov_len;
	return !(odd & mask);
}

static int raw_flush(struct raw *f)
{
	int rc = atomic_load(&f->broken);

	if (rc || f->lazy)
		return -rc;
	if (!fdatasync(f->fd))
		return 0;
	rc = errno;
	atomic_store(&f->broken, rc);
	return -rc;
}

/* Behind the end of a file whose last sector is short there are zeros. */
static void zero_rest(const struct blk_req *r, uint64_t done)
{
	static const uint8_t zeros[BLK_SECTOR];

	while (done < r->len) {
		size_t n =
			iov_write(r->vec, r->nvec, done, zeros, MIN(sizeof(zeros), r->len - done));

		if (!n)
			return;
		done += n;
	}
}

static int raw_move(struct raw *f, const struct blk_req *r)
{
	int fd = f->direct >= 0 && aligned(f, r) ? f->direct : f->fd;
	int flags = r->op == BLK_WRITE && (r->fua || f->sync) && !f->lazy ? RWF_DSYNC : 0;
	struct iovec v[VECS];
	uint64_t done = 0;

	while (done < r->len) {
		off_t off = (off_t)(r->off + done);
		unsigned n = iov_slice(r->vec, r->nvec, done, r->len - done, v, VECS, NULL);
		ssize_t got = r->op == BLK_READ ? preadv(fd, v, (int)n, off)
						: pwritev2(fd, v, (int)n, off, flags);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got && r->op == BLK_WRITE)
			return -ENOSPC;
		if (!got) {
			zero_rest(r, done);
			return 0;
		}
		done += (uint64_t)got;
		/* What is left of a short transfer need not be aligned. */
		if (done % f->align)
			fd = f->fd;
	}
	return 0;
}

static int raw_discard(struct raw *f, uint64_t off, uint64_t len)
{
	uint64_t range[2] = {off, len};
	int rc;

	if (f->dev)
		rc = ioctl(f->fd, BLKDISCARD, range);
	else
		rc = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
			       (off_t)len);
	if (!rc)
		return 0;
	/* A hint, which the host may not know how to take. */
	return errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL ? 0 : -errno;
}

static int write_zeros(struct raw *f, uint64_t off, uint64_t len)
{
	while (len) {
		ssize_t n = pwrite(f->fd, f->zeros, MIN(len, CHUNK), (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int raw_zero(struct raw *f, const struct blk_req *r)
{
	bool hole = r->unmap && f->discard && !f->dev;
	int mode = (hole ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | FALLOC_FL_KEEP_SIZE;
	int rc = fallocate(f->fd, mode, (off_t)r->off, (off_t)r->len) ? -errno : 0;

	if (rc == -EOPNOTSUPP || rc == -EINVAL || rc == -ENODEV)
		rc = write_zeros(f, r->off, r->len);
	if (!rc && (r->fua || f->sync))
		rc = raw_flush(f);
	return rc;
}

static int raw_run(struct image *im, unsigned w, const struct blk_req *r)
{
	struct raw *f = container_of(im, struct raw, im);

	(void)w;
	switch (r->op) {
	case BLK_READ:
	case BLK_WRITE:
		return raw_move(f, r);
	case BLK_FLUSH:
		return raw_flush(f);
	case BLK_DISCARD:
		return f->discard ? raw_discard(f, r->off, r->len) : 0;
	case BLK_ZERO:
		return raw_zero(f, r);
	case BLK_OPS:
		break;
	}
	return -EINVAL;
}

static void raw_close(struct image *im)
{
	struct raw *f = container_of(im, struct raw, im);

	if (f->direct >= 0)
		close(f->direct);
	if (f->fd >= 0)
		close(f->fd);
	free(f->zeros);
	free(f);
}

static const struct image_driver raw_driver = {raw_run, raw_close};

/* The smallest unit that the host takes past its cache. */
static unsigned probe_align(int fd, void *buf)
{
	for (unsigned n = BLK_SECTOR; n < 4096; n *= 2) {
		if (pread(fd, buf, n, 0) >= 0)
			return n;
	}
	return 4096;
}

static int open_direct(struct raw *f, const struct blk_conf *c, struct err *e)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	f->direct = open(path, (c->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_DIRECT);
	if (f->direct < 0)
		return err_set(e, errno,
			       "%s: file=%.200s: cache=%s: its file system cannot do without the "
			       "page cache (%s): give cache=writeback",
			       c->what, c->file, c->cache == BLK_NONE ? "none" : "directsync",
			       strerror(errno));
	f->align = probe_align(f->direct, f->zeros);
	return 0;
}

static int raw_size(struct raw *f, const struct blk_conf *c, struct err *e)
{
	struct stat st;
	uint64_t size = 0;
	int rc = fstat(f->fd, &st);

	f->dev = !rc && S_ISBLK(st.st_mode);
	if (!rc && f->dev)
		rc = ioctl(f->fd, BLKGETSIZE64, &size);
	else if (!rc)
		size = (uint64_t)st.st_size;
	if (rc)
		return err_set(e, errno, "%s: file=%.200s: no size: %s", c->what, c->file,
			       strerror(errno));
	f->im.size = align_up(size, BLK_SECTOR);
	return 0;
}

struct image *raw_open(const struct blk_conf *c, int fd, struct err *e)
{
	struct raw *f = calloc(1, sizeof(*f));

	if (f)
		f->zeros = aligned_alloc(4096, CHUNK);
	if (!f || !f->zeros) {
		free(f);
		close(fd);
		err_set(e, ENOMEM, "%s: out of memory", c->what);
		return NULL;
	}
	f->im.drv = &raw_driver;
	f->fd = fd;
	f->direct = -1;
	f->align = 1;
	f->discard = c->discard;
	f->sync = c->cache == BLK_WRITETHROUGH || c->cache == BLK_DIRECTSYNC;
	f->lazy = c->cache == BLK_UNSAFE;
	memcpy(f->im.format, "raw", sizeof("raw"));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	memset(f->zeros, 0, CHUNK);
	if (raw_size(f, c, e) ||
	    ((c->cache == BLK_NONE || c->cache == BLK_DIRECTSYNC) && open_direct(f, c, e))) {
		raw_close(&f->im);
		return NULL;
	}
	memset(f->zeros, 0, CHUNK); /* probe_align() read into it */
	return &f->im;
}
