/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUs' view of memory where it is not simply RAM.
 *
 * A PC's chipset decides for parts of the first megabyte whether CPUs find RAM, a ROM or registers
 * there, and the guest changes that while it runs. Devices do not take part: they reach RAM by
 * mem_ptr(), whatever the CPUs see. So guest memory stays the fixed map that everybody reads
 * without a lock, and what is laid over it for the CPUs alone is this table.
 */
#include "accel/accel.h"

#include <errno.h>

static bool meets(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return alen && blen && a < b + blen && b < a + alen;
}

static bool same(const struct accel_window *a, const struct accel_window *b)
{
	return a->gpa == b->gpa && a->size == b->size && a->host == b->host &&
	       a->readonly == b->readonly && a->log == b->log;
}

int accel_window(struct accel *a, unsigned n, const struct accel_window *w, struct err *e)
{
	const struct accel_window none = {0};

	if (!w || !w->host)
		w = &none;
	if (w->gpa % 4096 || w->size % 4096 || w->gpa + w->size < w->gpa)
		return err_set(e, EINVAL, "memory window at %#llx: not in whole pages",
			       (unsigned long long)w->gpa);
	for (unsigned i = 0; i < ACCEL_WINDOWS; i++)
		if (i != n && meets(w->gpa, w->size, a->window[i].gpa, a->window[i].size))
			return err_set(e, EBUSY, "memory window at %#llx: overlaps another",
				       (unsigned long long)w->gpa);
	if (same(&a->window[n], w))
		return 0;
	if (a->ops->window) {
		int rc = a->ops->window(a, n, w, e);

		if (rc)
			return rc;
	}
	a->window[n] = *w;
	return 0;
}

int accel_window_new(const struct accel *a)
{
	for (int i = ACCEL_WINDOWS_FIXED; i < ACCEL_WINDOWS; i++)
		if (!a->window[i].host)
			return i;
	return -ENOSPC;
}

int accel_window_dirty(struct accel *a, unsigned n, uint64_t *bits)
{
	if (!a->window[n].log || !a->ops->dirty)
		return -ENOTSUP;
	return a->ops->dirty(a, n, bits);
}

void *accel_cpu_ptr(const struct accel *a, uint64_t gpa, uint64_t len, bool write)
{
	for (unsigned i = 0; i < ACCEL_WINDOWS; i++) {
		const struct accel_window *w = &a->window[i];

		/* Ordered so that nothing can wrap. */
		if (gpa >= w->gpa && gpa - w->gpa < w->size && len <= w->size - (gpa - w->gpa))
			return write && w->readonly ? NULL : w->host + (gpa - w->gpa);
	}
	if (len <= UINT64_MAX - gpa && meets(gpa, len, a->hole, a->hole_size))
		return NULL;
	return mem_ptr(&a->mem, gpa, len);
}
