/* SPDX-License-Identifier: BSD-2-Clause */
/* A link of the host's that shall not outlive us, though no descriptor of ours holds it. */
#ifndef NET_HOST_GUARD_H
#define NET_HOST_GUARD_H

#include <sys/types.h>

#include <stdbool.h>

#include "base/err.h"

struct host_guard {
	bool launched; /* by the launcher: not our child, pid is 0 */
	pid_t pid;     /* the process that watches; 0: none */
	int fd;	       /* its pipe: closed with us, however we end */
};

/*
 * Has the link deleted when this process ends without host_guard_end(), also after SIGKILL. Starts
 * a process that waits for nothing else. Returns 0 or -errno with e, and there is none then.
 */
int host_guard_start(struct host_guard *g, const char *link, int index, struct err *e);

/* Ends the guard, which touches the link no more. Idempotent. */
void host_guard_end(struct host_guard *g);

#endif
