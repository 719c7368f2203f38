/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening an image: which driver it gets. What the user calls raw, and what looks like no known
 * format, is read and written here; everything else, and every snapshot, goes through qemu-nbd.
 */
#include "block/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/util.h"

static int check_format(const struct blk_conf *c, struct err *e)
{
	const char *near;

	for (unsigned i = 0; c->format && image_formats[i]; i++) {
		if (!strcmp(c->format, image_formats[i]))
			return 0;
	}
	if (!c->format)
		return 0;
	near = opt_suggest(c->format, image_formats);
	return err_set(e, EINVAL,
		       "%s: format=%.40s is not known: %s%s%s allowed are raw, qcow2, qcow, qed, "
		       "vmdk, vdi, vhdx, vpc, luks, parallels, dmg, bochs, cloop",
		       c->what, c->format, near ? "did you mean " : "", near ? near : "",
		       near ? "?" : "");
}

/* A name with a colon before any slash is one of QEMU's protocols, unless there is such a file. */
static int check_protocol(const struct blk_conf *c, struct err *e)
{
	size_t n = strcspn(c->file, ":/");

	if (c->file[n] != ':' || !access(c->file, F_OK))
		return 0;
	return err_set(e, ENOTSUP,
		       "%s: file=%.200s: the protocol %.*s is not implemented yet: give the path "
		       "of an image file or block device",
		       c->what, c->file, (int)MIN(n, 20u), c->file);
}

static int open_file(const struct blk_conf *c, bool write, struct err *e)
{
	struct stat st;
	/* A drive without a medium answers at once. */
	int fd = open(c->file, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM) && write)
		return err_set(e, errno,
			       "%s: file=%.200s: %s for writing: readonly=on or snapshot=on leave "
			       "it as it is",
			       c->what, c->file, strerror(errno));
	if (fd < 0)
		return err_set(e, errno, "%s: file=%.200s: %s", c->what, c->file, strerror(errno));
	if (fstat(fd, &st) || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))) {
		close(fd);
		return err_set(e, EINVAL, "%s: file=%.200s is neither a file nor a block device",
			       c->what, c->file);
	}
	return fd;
}

static struct image *open_raw(const struct blk_conf *c, int fd, struct err *e)
{
	struct image *im;

	if (image_lock(fd, !c->readonly, true, c->what, c->file, e)) {
		close(fd);
		return NULL;
	}
	im = raw_open(c, fd, e);
	if (!im || c->format || c->readonly)
		return im;
	im->probed = true;
	log_warn(
		"%s: file=%s: its format was not given and it looks like none that is known, so it "
		"is taken for raw; its first sector cannot be written with the signature of "
		"another format: format=raw says that it is raw",
		c->what, c->file);
	return im;
}

static struct image *open_checked(struct blk_conf *c, struct err *e)
{
	uint8_t head[IMAGE_HEAD];
	const char *format = c->format;
	int fd = open_file(c, !c->readonly && !c->snapshot, e);
	ssize_t n;

	if (fd < 0)
		return NULL;
	if (!format) {
		n = pread(fd, head, sizeof(head), 0);
		format = image_probe(head, n > 0 ? (size_t)n : 0);
	}
	if (!strcmp(format, "raw") && !c->snapshot)
		return open_raw(c, fd, e);
	/* qemu-nbd locks the file itself; this is for the message. */
	if (image_lock(fd, !c->readonly && !c->snapshot, false, c->what, c->file, e)) {
		close(fd);
		return NULL;
	}
	close(fd);
	return nbd_open(c, format, e);
}

struct image *image_open(const struct blk_conf *conf, struct err *e)
{
	struct blk_conf c = *conf;
	struct image *im;

	if (!strncmp(c.file, "file:", 5))
		c.file += 5;
	c.readonly |= c.cdrom;
	if (c.cdrom)
		c.snapshot = false;
	if (check_format(&c, e) || check_protocol(&c, e))
		return NULL;
	im = open_checked(&c, e);
	if (!im)
		return NULL;
	im->cache = c.cache;
	im->readonly = c.readonly;
	if (strlen(c.file) >= sizeof(im->file))
		memcpy(im->file, "…", sizeof("…"));
	else
		memcpy(im->file, c.file, strlen(c.file) + 1);
	return im;
}
