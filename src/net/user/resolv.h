/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's resolvers, as /etc/resolv.conf names them now. The file is read by a thread of its
 * own, because the loop that serves the guest neither waits for a disk nor may open files.
 */
#ifndef NET_USER_RESOLV_H
#define NET_USER_RESOLV_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/err.h"

#define RESOLV_SERVERS 3 /* as many as resolv.conf(5) reads */

union resolv_server {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct resolv_list {
	union resolv_server server[RESOLV_SERVERS];
	unsigned n; /* never 0 in what resolv_take() gives */
};

struct resolv;

/* Reads the file and starts the thread, which sleeps until it is asked. NULL and e on error. */
struct resolv *resolv_new(const char *path, struct err *e);
void resolv_free(struct resolv *r); /* NULL is allowed */

/* Has the thread look at the file, and takes what it has found since the last time: true, and *l
 * is new. Does not wait: what has changed just now is there at a later call. One thread. */
bool resolv_take(struct resolv *r, struct resolv_list *l);

#endif
