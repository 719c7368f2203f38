/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks of image files, the way QEMU's processes lock them against each other. There is a byte for
 * each thing that one may do with a file, from 100 on, and for each that one forbids to others,
 * from 200 on. All locks are shared ones, so that any number may do or forbid the same; after
 * taking one's own one looks whether somebody forbids what one does, or does what one forbids.
 * They belong to the open file, not to the process, and go with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/util.h"
#include "block/image.h"

#define DO     100
#define FORBID 200

enum { READ, WRITE, WRITE_SAME, RESIZE, THINGS };

static int ofd(int fd, int cmd, short type, off_t at, short *found)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	if (fcntl(fd, cmd, &l))
		return -errno;
	if (found)
		*found = l.l_type;
	return 0;
}

static bool somebody(int fd, off_t at)
{
	short found = F_UNLCK;

	return !ofd(fd, F_OFD_GETLK, F_WRLCK, at, &found) && found != F_UNLCK;
}

int image_lock(int fd, bool write, bool keep, const char *what, const char *file, struct err *e)
{
	const bool does[THINGS] = {[READ] = true, [WRITE] = write};
	const bool forbids[THINGS] = {[WRITE] = true, [RESIZE] = true};
	bool clash = false;

	for (int i = 0; keep && i < THINGS; i++) {
		/* A file system without locks: nobody could see ours. */
		if (does[i] && ofd(fd, F_OFD_SETLK, F_RDLCK, DO + i, NULL))
			clash |= errno == EAGAIN || errno == EACCES;
		if (forbids[i] && ofd(fd, F_OFD_SETLK, F_RDLCK, FORBID + i, NULL))
			clash |= errno == EAGAIN || errno == EACCES;
	}
	for (int i = 0; i < THINGS; i++)
		clash |= (does[i] && somebody(fd, FORBID + i)) ||
			 (forbids[i] && somebody(fd, DO + i));
	if (!clash)
		return 0;
	return err_set(e, EBUSY,
		       "%s: file=%.200s is in use by another program (another guest, or a qemu "
		       "tool)%s: end that one first, or give snapshot=on of a copy",
		       what, file, write ? "" : ", which writes to it");
}
