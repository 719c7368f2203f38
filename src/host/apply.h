/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plans meet the kernel: reading the state a plan is made from, carrying it out, and the guard that
 * puts everything back when nobody confirms.
 */
#ifndef HOST_APPLY_H
#define HOST_APPLY_H

#include "host/plan.h"

/* Reads what a link has. 0, or -errno with nothing in *s. */
int br_state_read(struct host_nl *nl, const char *name, struct br_state *s, struct err *e);

/* The value of net.ipv6.conf.dev.key, or -1: no IPv6. */
int br_sysctl_get(const char *dev, const char *key);

/*
 * Carries out the operations in order; ends at the first that fails. again: an operation that is
 * done already (the address is there, the route is gone) is no error, and one that fails does not
 * keep the rest from being tried; the first error is returned.
 */
int br_apply(struct host_nl *nl, const struct br_ops *o, bool again, struct err *e);

/* --- the guard -------------------------------------------------------------------------------- */

struct br_guard {
	int pid, fd;
};

/*
 * Starts a process that carries out `undo` unless br_guard_confirm() is called within `seconds`:
 * when the caller dies, however, when the time is over, or when br_guard_undo() asks for it. It
 * shares nothing with the caller's session, so a terminal or an SSH connection that goes does not
 * take it along.
 */
int br_guard_start(const struct br_ops *undo, unsigned seconds, struct br_guard *g, struct err *e);
/* -ETIMEDOUT: too late, it has put everything back. Either way the guard is gone afterwards. */
int br_guard_confirm(struct br_guard *g, struct err *e);
/* Asks for the undo and waits for its end; 0 when it worked. */
int br_guard_undo(struct br_guard *g);

/* --- does the gateway answer? ----------------------------------------------------------------- */

struct br_gateway {
	uint8_t family;
	uint8_t addr[16];
};
#define BR_GATEWAYS 8

/* "192.0.2.1" */
const char *br_gateway_text(const struct br_gateway *g, char *text, size_t size);

/* The gateways of the default routes that leave by the link; how many. Pure. */
int br_gateways(const struct br_state *s, struct br_gateway g[BR_GATEWAYS]);

/* What the kernel knows of them on the link does not count any more; before a move to it. */
void br_gateways_forget(struct host_nl *nl, const char *dev, const struct br_gateway *g, int n);

/*
 * Asks for each of n neighbours (ARP, ND) by the link until all have answered or the time is
 * over; those that have not answered stay, in front. Returns how many, or -errno. fresh: that one
 * has spoken before does not count, it must answer now.
 */
int br_gateways_ask(struct host_nl *nl, const char *dev, struct br_gateway *g, int n, bool fresh,
		    unsigned ms, struct err *e);

#endif
