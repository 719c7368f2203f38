/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's connection to the holder of its NAT network (nat_holder.c), which it starts when there
 * is none. A thread of its own sleeps on the connection; when the holder dies it starts or finds
 * another and says again what the guest has. The calls here are for one other thread; they may
 * block while the network is made.
 */
#ifndef NET_HOST_NAT_CLIENT_H
#define NET_HOST_NAT_CLIENT_H

#include "net/host/nat.h"

struct nat_client;

struct nat_client_ops {
	/* On the connection's thread: the network was made again, the guest's interface has to join
	 * its bridge. Does not call back. */
	void (*again)(void *arg);
	/* On any thread: a line for the user. */
	void (*tell)(void *arg, const char *line);
};

/* Joins the network, or makes it. NULL: see e. ops and arg must outlive it. */
struct nat_client *nat_client_open(const struct nat_net *wish, const struct nat_client_ops *ops,
				   void *arg, struct err *e);

/* The network as it is; constant. */
const struct nat_net *nat_client_net(const struct nat_client *c);

/*
 * Says which cards the guest has on the network, n up to NAT_CARDS, and fills in what each was
 * given: address and name. Instead of those that were said before.
 */
int nat_client_cards(struct nat_client *c, struct nat_card *cards, unsigned n, struct err *e);

/* Leaves the network; NULL is allowed. */
void nat_client_close(struct nat_client *c);

#endif
