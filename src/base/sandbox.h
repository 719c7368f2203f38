/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a thread may still ask of the kernel (seccomp), and which files it may reach (Landlock),
 * given up for good. A kind of thread is described by lists of system calls, which stand in the
 * files whose code makes them; what needs a look at arguments is the same for all kinds and is
 * here.
 *
 * A call that is not allowed fails with EPERM, and one line of the log names thread and call.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SANDBOX_END	  (-1)
#define SANDBOX_DOMAIN(d) (1u << (d)) /* AF_UNIX, AF_INET, AF_INET6, AF_NETLINK */

struct sandbox_kind {
	const char *name;
	/* System calls allowed with any arguments: lists that end with SANDBOX_END, NULL ends. */
	const int *const *calls;
	uint32_t domains; /* what socket() may make, but no raw sockets and none of packets … */
	bool icmp;	  /* … except a raw one for ICMP */
	bool threads;	  /* it may start threads; no kind may start a process */
	bool files;	  /* it may open files; no kind may execute one */
};

/* What every thread needs to run and to end: memory, locks, signals, time. */
extern const int sandbox_thread_calls[];

/* Once, before the first sandbox_enter(): refused calls are told in the log. */
int sandbox_watch(struct err *e);

/*
 * The calling thread becomes of this kind; it may only ever lose more. Threads that it starts later
 * inherit that; all: threads that are there become the same, but for Landlock. *landlock (NULL is
 * allowed) tells whether the kernel has it. Returns 0 or -errno with e: ENOSYS when the kernel has
 * no seccomp.
 */
int sandbox_enter(const struct sandbox_kind *k, bool all, bool *landlock, struct err *e);

#endif
