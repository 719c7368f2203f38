/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory over one memfd. The file grows with each region and every region is a shared
 * mapping of its piece, so that the same pages can be handed to a vhost-user peer. Nothing is
 * touched when it is added: the host kernel finds pages as the guest uses them.
 *
 * A host gives a memfd huge pages only when asked for a range that is in use (MADV_COLLAPSE, Linux
 * 6.1), whatever its settings for other memory. Mappings therefore lie so that a block of 2 MiB of
 * the guest is one of the host; mem_huge() asks before the guest runs, gather.c while it does.
 */
#include "accel/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

#define PAGE 4096u

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

static bool overlaps(const struct guest_mem *m, uint64_t gpa, uint64_t size)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct mem_region *r = &m->r[i];

		if (gpa < r->gpa + r->size && r->gpa < gpa + size)
			return true;
	}
	return false;
}

/* Maps [off, off + size) of the memfd at an address that is a multiple of MEM_HUGE. NULL: errno. */
static void *map_aligned(int fd, uint64_t off, uint64_t size)
{
	uint64_t room = size + MEM_HUGE, skip;
	char *hole, *p;

	if (room < size || room > INT64_MAX) {
		errno = EFBIG;
		return NULL;
	}
	hole = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hole == MAP_FAILED)
		return NULL;
	skip = align_up((uintptr_t)hole, MEM_HUGE) - (uintptr_t)hole;
	p = mmap(hole + skip, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
		 fd, (off_t)off);
	if (p == MAP_FAILED) {
		int code = errno;

		munmap(hole, room);
		errno = code;
		return NULL;
	}
	if (skip)
		munmap(hole, skip);
	munmap(p + size, room - skip - size);
	return p;
}

int mem_add(struct guest_mem *m, uint64_t gpa, uint64_t size, struct err *e)
{
	uint64_t off = 0, end;
	void *p;

	if (!size || gpa % PAGE || size % PAGE || __builtin_add_overflow(gpa, size, &end))
		return err_set(e, EINVAL,
			       "guest memory of %#llx bytes at %#llx: both must be "
			       "multiples of 4096, and the size not 0",
			       (unsigned long long)size, (unsigned long long)gpa);
	if (m->n == MEM_REGIONS)
		return err_set(e, ENOSPC, "guest memory: at most %u regions", MEM_REGIONS);
	if (overlaps(m, gpa, size))
		return err_set(e, EEXIST, "guest memory at %#llx: overlaps another region",
			       (unsigned long long)gpa);
	if (!m->n) {
		m->fd = memfd_create("guest-ram", MFD_CLOEXEC);
		if (m->fd < 0)
			return err_set(e, errno, "guest memory: memfd_create: %s", strerror(errno));
	} else {
		off = m->r[m->n - 1].fd_off + m->r[m->n - 1].size;
	}
	if (off + size > INT64_MAX || ftruncate(m->fd, (off_t)(off + size)) < 0)
		goto fail;
	p = map_aligned(m->fd, off, size);
	if (!p)
		goto fail;
	m->r[m->n++] = (struct mem_region){.gpa = gpa, .size = size, .host = p, .fd_off = off};
	return 0;
fail:;
	int code = errno ? errno : EFBIG;

	if (!m->n) {
		close(m->fd);
		m->fd = -1;
	}
	return err_set(e, code, "guest memory: cannot get %llu MiB: %s; give the guest less (-m)",
		       (unsigned long long)(size >> 20), strerror(code));
}

void mem_free(struct guest_mem *m)
{
	for (unsigned i = 0; i < m->n; i++)
		munmap(m->r[i].host, m->r[i].size);
	if (m->n)
		close(m->fd);
	m->n = 0;
	m->fd = -1;
}

int mem_collapse(void *block)
{
	return madvise(block, MEM_HUGE, MADV_COLLAPSE);
}

void mem_huge(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct mem_region *r = &m->r[i];
		uint64_t from = gpa > r->gpa ? gpa - r->gpa : 0, to;

		/* Blocks of guest, mapping and file must fall together. */
		if (r->gpa % MEM_HUGE || r->fd_off % MEM_HUGE || gpa + len < gpa ||
		    gpa + len <= r->gpa)
			continue;
		to = MIN(gpa + len - r->gpa, r->size);
		for (from = align_up(from, MEM_HUGE); from < to && to - from >= MEM_HUGE;
		     from += MEM_HUGE) {
			/* A block with no page at all would be refused. */
			(void)*(volatile const uint8_t *)(r->host + from);
			if (mem_collapse(r->host + from) < 0 && errno == EINVAL)
				return; /* this kernel cannot */
		}
	}
}

int mem_read(const struct guest_mem *m, uint64_t gpa, void *buf, uint64_t len)
{
	const void *p = mem_ptr(m, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

int mem_write(const struct guest_mem *m, uint64_t gpa, const void *buf, uint64_t len)
{
	void *p = mem_ptr(m, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return 0;
}
