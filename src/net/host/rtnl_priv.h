/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of rtnl share: requests, dumps, growing lists. */
#ifndef NET_HOST_RTNL_PRIV_H
#define NET_HOST_RTNL_PRIV_H

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "net/host/rtnl.h"

/* A message of this type with a payload header of len bytes; NULL: no memory. */
struct nl_msg *host_nl_msg(int type, int flags, const void *head, size_t len);

/* Called with each message of an answer; returns 0 or -errno, which ends the listening. */
typedef int host_nl_fn(struct nlmsghdr *n, void *arg);

/*
 * Sends msg (which is freed) and waits for its acknowledgement, or the end of the dump. fn may be
 * NULL. The line of an error begins with what: "link eth0", and names the kernel's reason.
 */
int host_nl_talk(struct host_nl *nl, struct nl_msg *msg, host_nl_fn *fn, void *arg, struct err *e,
		 const char *what, ...) __attribute__((format(printf, 6, 7)));

/*
 * Dumps: a request of this type, all of whose answers go to fn. A dump that the kernel marks as
 * torn by a change is begun again, after reset(arg). what as above.
 */
int host_nl_dump(struct host_nl *nl, int type, const void *head, size_t len, host_nl_fn *fn,
		 void (*reset)(void *arg), void *arg, struct err *e, const char *what);

/* A list that grows; v is what the caller of the API gets. */
struct host_list {
	void *v;
	size_t size; /* of one */
	int n, room;
};

/* A zeroed new entry, or NULL. */
void *host_list_add(struct host_list *l);
void host_list_reset(void *list);
int host_list_done(struct host_list *l, int rc, void *out);

/* Payload of an attribute that shall have `want` bytes, copied; false: it is missing or shorter. */
bool host_attr(const struct nlattr *a, void *to, size_t want);

#endif
