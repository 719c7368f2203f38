/* SPDX-License-Identifier: BSD-2-Clause */
/* A network namespace for a unit test: nothing of the machine's is seen or touched. */
#ifndef TEST_UNIT_HOST_NETNS_H
#define TEST_UNIT_HOST_NETNS_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/host/rtnl.h"

/* Moves this thread into a new namespace; ends the program with 77 (skipped) when it may not. */
static inline void netns_enter(void)
{
	if (unshare(CLONE_NEWNET)) {
		puts("skipped: needs the right to make network namespaces");
		exit(77);
	}
}

/* A veth pair a0, b0, up; *nl is a context in the namespace. */
static inline void netns_veth(struct host_nl *nl, struct host_link *a, struct host_link *b)
{
	struct err e = {0};

	if (host_veth_add(nl, "a0", "b0", &e) || host_link_get(nl, "a0", a, &e) ||
	    host_link_get(nl, "b0", b, &e) || host_link_set_up(nl, a->index, true, &e) ||
	    host_link_set_up(nl, b->index, true, &e)) {
		printf("no veth: %s\n", e.text);
		exit(1);
	}
}

#endif
