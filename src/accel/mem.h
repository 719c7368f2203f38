/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: a few regions of RAM, each a piece of one shareable memfd. Devices reach it by
 * guest-physical address through mem_ptr() only, which checks the whole range. The map is fixed
 * once the guest runs, so readers need no lock. Its bytes change under the reader's feet.
 */
#ifndef ACCEL_MEM_H
#define ACCEL_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

#define MEM_REGIONS 8
#define MEM_HUGE    (2ull << 20) /* bytes of a huge page: a block */

struct mem_region {
	uint64_t gpa, size; /* bytes */
	uint8_t *host;
	uint64_t fd_off; /* offset in the memfd */
};

struct guest_mem {
	int fd; /* memfd, MAP_SHARED; -1 before the first mem_add() */
	unsigned n;
	struct mem_region r[MEM_REGIONS];
};

/* Adds `size` bytes of zeroed RAM at gpa (both multiples of 4096). Returns 0 or -errno. */
int mem_add(struct guest_mem *m, uint64_t gpa, uint64_t size, struct err *e);
void mem_free(struct guest_mem *m);

/*
 * Says that the guest will soon use all of [gpa, gpa + len): whole blocks of 2 MiB in it get huge
 * pages where the host can (best effort, contents stay). A guest that boots then faults once per
 * block instead of 512 times. What is outside of memory is passed over.
 */
void mem_huge(const struct guest_mem *m, uint64_t gpa, uint64_t len);

/* Makes the block at a host address that is a multiple of MEM_HUGE, with at least a page in use,
 * one huge page. Returns 0, or -1 and errno: EINVAL where the kernel cannot. */
int mem_collapse(void *block);

/* The host address of guest-physical [gpa, gpa + len), or NULL if not all of it is in one region.
 */
static inline void *mem_ptr(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct mem_region *r = &m->r[i];

		/* Ordered so that nothing can wrap. */
		if (gpa >= r->gpa && gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa))
			return r->host + (gpa - r->gpa);
	}
	return NULL;
}

/* Copy in and out with the check; return 0 or -EFAULT (nothing copied). */
int mem_read(const struct guest_mem *m, uint64_t gpa, void *buf, uint64_t len);
int mem_write(const struct guest_mem *m, uint64_t gpa, const void *buf, uint64_t len);

#endif
