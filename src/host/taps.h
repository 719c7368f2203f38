/* SPDX-License-Identifier: BSD-2-Clause */
/* Which process holds a TAP: /proc/PID/fdinfo of a TAP's descriptor names its interface. */
#ifndef HOST_TAPS_H
#define HOST_TAPS_H

#include <sys/types.h>

struct tap_holder {
	pid_t pid;     /* 0: nobody, or nobody whom this user may look at */
	char name[96]; /* "vmwire 1234" with -name of the guest when it has one */
};

/* The first process found that has a descriptor of this TAP, in this network namespace. */
void taps_holder(const char *ifname, struct tap_holder *h);

#endif
