/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a bridge is built over a link, or taken away again: a list of operations, made from what a
 * dump of the kernel said and nothing else, so that it can be shown (--dry-run) and tested without
 * a kernel. See plan.c for the order and why no moment is without a route.
 *
 * A plan has three lists. `ops` moves everything, `undo` puts it back from wherever `ops` was
 * interrupted (each of its operations may be done already), `commit` is what is left to do when the
 * gateway has answered.
 */
#ifndef HOST_PLAN_H
#define HOST_PLAN_H

#include <stdio.h>

#include "net/host/rtnl.h"

/* What a link has, as dumped. Owned; br_state_free(). */
struct br_state {
	struct host_link link;
	struct host_addr *addr;
	int naddr;
	struct host_route *route; /* those that leave by the link, of all tables but local */
	int nroute;
	void *block;	/* what route points into */
	int accept_dad; /* its sysctl; -1: no IPv6 */
	int addr_gen_mode;
};

enum br_op_kind {
	BR_BRIDGE_ADD, /* dev, with other's MAC and MTU */
	BR_SETTINGS,   /* dev takes other's IP settings (sysctl net.ipv4.conf, net.ipv6.conf) */
	BR_SYSCTL,     /* net.ipv6.conf.dev.key = value */
	BR_UP,	       /* dev */
	BR_MASTER,     /* dev becomes a port of other; other "": of none */
	BR_ADDR_ADD,   /* addr to dev */
	BR_ADDR_DEL,
	BR_DAD_WAIT,  /* until dev's IPv6 addresses may be used: the kernel decides that later */
	BR_ROUTE_ADD, /* route, by dev */
	BR_ROUTE_DEL,
	BR_STP,	     /* dev, on */
	BR_LINK_DEL, /* dev */
};

struct br_op {
	enum br_op_kind kind;
	char dev[HOST_NAME], other[HOST_NAME];
	union {
		struct host_addr addr;
		struct {
			struct host_route route;
			int from; /* the link's index in it */
		};
		struct {
			const char *key;
			int value;
		};
		struct {
			uint8_t mac[6];
			uint32_t mtu;
		};
	};
};

struct br_ops {
	struct br_op *op;
	unsigned n, room;
	bool failed; /* out of memory while it grew */
};

struct br_plan {
	struct br_ops ops, undo, commit;
};

/* Builds bridge `name` over the link. The plan points into s. 0 or -ENOMEM. */
int br_plan_add(const struct br_state *s, const char *name, bool stp, struct br_plan *p,
		struct err *e);
/* Takes the bridge s away; what it has goes to its port `uplink`. ports: all of them. */
int br_plan_del(const struct br_state *s, const struct host_link *uplink, int accept_dad,
		const struct host_link *ports, int nports, struct br_plan *p, struct err *e);
void br_plan_free(struct br_plan *p);
void br_state_free(struct br_state *s);

/* Does the kernel make this route by itself when it gets one of the link's addresses? */
bool br_route_implied(const struct br_state *s, const struct host_route *r);

/* One line for each operation: the command of iproute2 or sysctl that does the same. */
void br_ops_print(const struct br_ops *o, FILE *out);
void br_op_text(const struct br_op *op, char *text, size_t size);

#endif
