/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that holds a NAT network: see nat.h. */
#ifndef NET_HOST_NAT_HOLDER_H
#define NET_HOST_NAT_HOLDER_H

/*
 * What main() does when NAT_HOLDER_ARG is its first argument: goes into the background, makes the
 * network that the guest at NAT_HOLDER_FD asks for, serves it until its last guest has gone, takes
 * it down. Returns the exit status.
 */
int nat_holder_main(const char *name);

#endif
