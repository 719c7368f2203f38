/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend is one const struct net_backend in one file, listed in registry.c. Its option table
 * is the only source of command line, QMP, --help and the manual page.
 */
#ifndef NET_BACKEND_BACKEND_H
#define NET_BACKEND_BACKEND_H

#include "base/err.h"
#include "base/opt.h"
#include "net/port/port.h"

/* Where a backend's `info` prints. */
struct text_out {
	void (*line)(void *opaque, const char *text); /* one line without newline */
	void *opaque;
};

/* A card on a backend's wire. */
struct net_guest {
	const char *name; /* of the guest (-name), or of the card */
	uint8_t mac[6];
};

struct net_backend {
	const char *name; /* "user", "tap", "bridge", "dummy" */
	const char *summary;
	const struct opt_table *opts;
	/* Makes an unjoined port out of parsed options (the table's struct). Opens what can fail
	 * (sockets, devices) here. id is the netdev's name. */
	int (*open)(const void *opts, const char *id, struct net_port **port, struct err *e);
	/* [ctl] Before the port is destroyed, with the loops running: what may take its time (a
	 * script). destroy() does it when nobody did. May be NULL. */
	void (*leave)(struct net_port *p);
	/* [ctl] The host's interface behind the port. May be NULL. */
	const char *(*ifname)(const struct net_port *p);
	/*
	 * [ctl] The card on this wire has, or will have, the address mac; chosen: by the user. For
	 * a network that delivers to one address only: it takes this one, or says which (only if
	 * it is not chosen). Fails when neither can be. May be NULL.
	 */
	int (*claim)(struct net_port *p, uint8_t mac[6], bool chosen, struct err *e);
	/* [ctl] The cards on this backend's wire, its hub's all, whenever they may have changed;
	 * the loops may run. May be NULL. */
	int (*guests)(struct net_port *p, const struct net_guest *g, unsigned n, struct err *e);
	/* [ctl] Lines below the port's own in `info network`; loops are parked. May be NULL. */
	void (*below)(const struct net_port *p, const struct text_out *out);
	/* [ctl] Details for the monitor (`info usernet`); loops are parked. May be NULL. */
	void (*details)(const struct net_port *p, const struct text_out *out);
	/* [ctl] Adds a forward from the host, "tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport",
	 * or removes one, named by what stands before the dash; loops are parked. May be NULL. */
	int (*hostfwd)(struct net_port *p, bool add, const char *rule, struct err *e);
};

/* System calls of backends on their loops, for sandbox.h: user, whose sockets are of AF_INET and
 * AF_INET6; tap. */
extern const int stack_calls[], tap_calls[];

/* NULL-terminated. */
const struct net_backend *const *net_backends(void);
const struct net_backend *net_backend_find(const char *name);

#endif
