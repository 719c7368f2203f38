/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hub ("VLAN" in the words of -net): what one member sends all others get. Single-queue; all
 * members live on the hub's loop. A frame counts as taken when every member has it: a
 * member without room stalls the sender (the hub remembers who has the first frame already, so
 * nobody gets it twice) for at most a bounded time, then that member loses the frame, counted.
 * With exactly two members the hub is a wire: lend and commit pass through.
 */
#ifndef NET_PORT_HUB_H
#define NET_PORT_HUB_H

#include "net/port/port.h"

struct hub;

struct hub *hub_new(unsigned id, struct loop *loop, struct err *e);
void hub_free(struct hub *h); /* [ctl] members are unjoined and their hub ends destroyed */
unsigned hub_id(const struct hub *h);
struct loop *hub_loop(const struct hub *h);

/* [ctl] A new hub end, to be joined to p at once: joins p to the hub. name NULL: made up. */
int hub_plug(struct hub *h, struct net_port *p, const char *name, struct err *e);

/* [ctl] An unjoined member end for net_replug(nic, end, …); owned by the hub. */
struct net_port *hub_end(struct hub *h, const char *name, struct err *e);

/* [ctl] Calls fn with every member's hub end; end->peer is the NIC or backend (or NULL). */
void hub_for_each(const struct hub *h, void (*fn)(struct net_port *end, void *arg), void *arg);

#endif
