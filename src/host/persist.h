/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lasting configuration of a bridge, for whoever runs the uplink: systemd-networkd, ifupdown or
 * NetworkManager. Files are made in memory first, shown, and then written. What is not vmwire's
 * is never overwritten without a copy beside it.
 */
#ifndef HOST_PERSIST_H
#define HOST_PERSIST_H

#include <stdio.h>

#include "host/manager.h"
#include "host/plan.h"

#define PERSIST_FILES 8

struct persist_file {
	char path[256]; /* as on the host, without root */
	char *was;	/* its text before; NULL: it is new */
	char *text;	/* as it shall be; NULL: it shall go */
	unsigned mode;
};

struct persist_files {
	struct persist_file file[PERSIST_FILES];
	int n;
	const char *root;   /* "" or what stands for / */
	const char *bridge; /* whose it is */
	const char *then;   /* what makes it known, for the user; NULL: nothing */
};

/*
 * Makes the files for bridge `name` over the link of s. kind: what stood behind --persist: "" asks
 * mgr. 0 or -errno with nothing in *f.
 */
int persist_add(const char *root, const char *kind, const struct manager *mgr,
		const struct br_state *s, const char *name, bool stp, struct persist_files *f,
		struct err *e);

/* Shows what differs: "+" new lines, "-" old ones. */
void persist_show(const struct persist_files *f, FILE *out);
/* Writes them, each by rename, and shows them. The first error ends it. */
int persist_write(const struct persist_files *f, FILE *out, struct err *e);
void persist_free(struct persist_files *f);

/* Takes away what persist_add() made for this bridge. */
int persist_del(const char *root, const char *name, FILE *out, struct err *e);

/* --- for the files of persist ------------------------------------------------------------------
 */

/* The whole text of a file under root, owned; NULL: it cannot be read. */
char *persist_read(const char *root, const char *path);
/* Adds a file whose text is f's (closed; *text its buffer, owned afterwards). */
int persist_put(struct persist_files *f, const char *path, unsigned mode, char *text,
		struct err *e);

/* What every generator gets. */
struct persist_conf {
	const struct br_state *s;
	const struct manager *mgr;
	const char *name; /* of the bridge */
	bool stp;
};

/* persist_networkd.c, persist_ifupdown.c, persist_nm.c: the files, as text. */
int persist_networkd(const struct persist_conf *c, struct persist_files *f, struct err *e);
int persist_ifupdown(const struct persist_conf *c, struct persist_files *f, struct err *e);
int persist_nm(const struct persist_conf *c, struct persist_files *f, struct err *e);
/* ifupdown: takes the marks of this bridge out of a text; NULL: there are none. Owned. */
char *persist_ifupdown_undo(const char *text, const char *name);

/* Does the link have its IPv4 address for a time only, as DHCP gives it? */
bool persist_is_dynamic(const struct br_state *s, int family);
/* Addresses that a configuration names: not link-local ones, not those for a time. */
bool persist_is_static(const struct host_addr *a);
/* A route that a configuration names: one hop, made by hand or a configuration. */
bool persist_is_route(const struct host_route *r);

#endif
