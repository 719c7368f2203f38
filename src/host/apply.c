/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carrying out plans: see apply.h. Links are looked up by name at each operation, as the bridge
 * has no index before the plan runs, and as the guard runs its list in whatever state it finds.
 */
#include "host/apply.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

#define DAD_WAIT_MS 1000
#define STP_DELAY   1500 /* forward delay of a bridge that speaks STP, 1/100 s: the standard's */

/* --- reading ---------------------------------------------------------------------------------- */

static int conf_path(char *path, size_t size, int ip, const char *dev, const char *key)
{
	int n = snprintf(path, size, "/proc/sys/net/ipv%d/conf/%s/%s", ip, dev, key);

	return n > 0 && (size_t)n < size ? 0 : -1;
}

static int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0 ? 0 : -1;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int err = errno;

	if (fd >= 0)
		close(fd);
	return n >= 0 ? 0 : -err;
}

int br_sysctl_get(const char *dev, const char *key)
{
	char path[128], text[32];

	if (conf_path(path, sizeof(path), 6, dev, key) || read_text(path, text, sizeof(text)))
		return -1;
	return atoi(text);
}

int br_state_read(struct host_nl *nl, const char *name, struct br_state *s, struct err *e)
{
	struct host_route *all = NULL;
	int n, rc;

	memset(s, 0, sizeof(*s));
	rc = host_link_get(nl, name, &s->link, e);
	if (rc)
		return rc;
	s->naddr = host_addrs(nl, s->link.index, &s->addr, e);
	n = s->naddr < 0 ? s->naddr : host_routes(nl, 0, &all, e);
	s->block = all;
	s->route = n > 0 ? calloc((size_t)n, sizeof(*s->route)) : NULL;
	if (n > 0 && !s->route)
		n = err_set(e, ENOMEM, "%s: out of memory", name);
	for (int i = 0; s->route && i < n; i++)
		if (host_route_uses(&all[i], s->link.index))
			s->route[s->nroute++] = all[i];
	s->accept_dad = br_sysctl_get(name, "accept_dad");
	s->addr_gen_mode = br_sysctl_get(name, "addr_gen_mode");
	if (n < 0)
		br_state_free(s);
	return n < 0 ? n : 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / NS_PER_MS;
}

/* --- operations ------------------------------------------------------------------------------- */

/* The link's own ways of speaking IP: what is set for `from` is set for `to`. */
static void copy_settings(int ip, const char *to, const char *from)
{
	char dir[128], path[384], have[128], want[128];
	struct dirent *d;
	DIR *all;

	if (conf_path(dir, sizeof(dir), ip, from, ""))
		return;
	all = opendir(dir);
	while (all && (d = readdir(all)) != NULL) {
		/* stable_secret makes addresses out of the link it belongs to; addr_gen_mode
		 * follows when the addresses have moved. */
		if (d->d_name[0] == '.' || !strcmp(d->d_name, "stable_secret") ||
		    !strcmp(d->d_name, "addr_gen_mode"))
			continue;
		snprintf(path, sizeof(path), "%s%s", dir, d->d_name);
		if (read_text(path, want, sizeof(want)))
			continue;
		if (conf_path(path, sizeof(path), ip, to, d->d_name) ||
		    read_text(path, have, sizeof(have)) || !strcmp(have, want))
			continue;
		write_text(path, want); /* some are there to be read only */
	}
	if (all)
		closedir(all);
}

static int do_sysctl(const struct br_op *op, struct err *e)
{
	char path[128], text[16];
	int rc;

	snprintf(text, sizeof(text), "%d", op->value);
	if (conf_path(path, sizeof(path), 6, op->dev, op->key))
		return -EINVAL;
	rc = write_text(path, text);
	return rc ? err_set(e, -rc, "%s: %s", path, strerror(-rc)) : 0;
}

static int do_bridge_add(struct host_nl *nl, const struct br_op *op, struct err *e)
{
	struct host_bridge_conf conf = {.mac = op->mac, .mtu = op->mtu};

	return host_bridge_add(nl, op->dev, &conf, e);
}

/* The route's message is changed for the call only: the guard's list shares it. */
static int do_route(struct host_nl *nl, const struct br_op *op, int index, struct err *e)
{
	struct host_route r = op->route;
	int rc;

	host_route_redirect(&r, op->from, index);
	rc = op->kind == BR_ROUTE_ADD ? host_route_add(nl, &r, HOST_ROUTE_APPEND, e)
				      : host_route_del(nl, &r, e);
	host_route_redirect(&r, index, op->from);
	return rc;
}

static int do_master(struct host_nl *nl, const struct br_op *op, const struct host_link *l,
		     struct err *e)
{
	struct host_link bridge = {0};
	int rc = op->other[0] ? host_link_get(nl, op->other, &bridge, e) : 0;

	if (rc || l->master == bridge.index)
		return rc;
	rc = host_link_set_master(nl, l->index, bridge.index, e);
	return rc ? err_prefix(e, "%s", op->dev) : 0;
}

static int do_addr(struct host_nl *nl, const struct br_op *op, int index, struct err *e)
{
	struct host_addr a = op->addr;

	a.index = index;
	return op->kind == BR_ADDR_ADD ? host_addr_add(nl, &a, e) : host_addr_del(nl, &a, e);
}

/* Whether an address is looked for on the wire is decided by a worker of the kernel's, soon; the
 * switch that says "no" must stand until then. An address that stays tentative is none of ours. */
static int do_dad_wait(struct host_nl *nl, int index, struct err *e)
{
	uint64_t end = now_ms() + DAD_WAIT_MS;

	for (;;) {
		struct host_addr *list = NULL;
		int n = host_addrs(nl, index, &list, e), tentative = 0;

		for (int i = 0; i < n; i++)
			tentative += list[i].family == AF_INET6 &&
				     (list[i].flags & IFA_F_TENTATIVE) &&
				     !(list[i].flags & IFA_F_DADFAILED);
		free(list);
		if (n < 0 || !tentative || now_ms() >= end)
			return n < 0 ? n : 0;
		poll(NULL, 0, 2);
	}
}

static int do_op(struct host_nl *nl, const struct br_op *op, struct err *e)
{
	struct host_link l = {0};
	int rc = 0;

	if (op->kind != BR_BRIDGE_ADD && op->kind != BR_SYSCTL && op->kind != BR_SETTINGS)
		rc = host_link_get(nl, op->dev, &l, e);
	if (rc)
		return rc;
	switch (op->kind) {
	case BR_BRIDGE_ADD:
		return do_bridge_add(nl, op, e);
	case BR_SETTINGS:
		copy_settings(4, op->dev, op->other);
		copy_settings(6, op->dev, op->other);
		return 0;
	case BR_SYSCTL:
		return do_sysctl(op, e);
	case BR_UP:
		return host_link_set_up(nl, l.index, true, e);
	case BR_MASTER:
		return do_master(nl, op, &l, e);
	case BR_ADDR_ADD:
	case BR_ADDR_DEL:
		return do_addr(nl, op, l.index, e);
	case BR_ROUTE_ADD:
	case BR_ROUTE_DEL:
		return do_route(nl, op, l.index, e);
	case BR_DAD_WAIT:
		return do_dad_wait(nl, l.index, e);
	case BR_STP:
		return host_bridge_set_stp(nl, l.index, op->value, STP_DELAY, e);
	case BR_LINK_DEL:
		return host_link_del(nl, l.index, e);
	}
	return 0;
}

/* What the operation wants is so already. */
static bool is_done(const struct br_op *op, int rc)
{
	switch (op->kind) {
	case BR_ADDR_ADD:
	case BR_ROUTE_ADD:
		return rc == -EEXIST;
	case BR_ADDR_DEL:
		return rc == -EADDRNOTAVAIL || rc == -ENODEV;
	case BR_ROUTE_DEL:
		return rc == -ESRCH || rc == -ENODEV || rc == -ENOENT;
	case BR_LINK_DEL:
		return rc == -ENODEV;
	default:
		return false;
	}
}

int br_apply(struct host_nl *nl, const struct br_ops *o, bool again, struct err *e)
{
	int first = 0;

	for (unsigned i = 0; i < o->n; i++) {
		struct err now = {0};
		int rc = do_op(nl, &o->op[i], &now);

		/* A route may go with the address or route that it stood on. */
		if (!rc || (is_done(&o->op[i], rc) && (again || o->op[i].kind == BR_ROUTE_DEL)))
			continue;
		if (!first && e)
			*e = now;
		first = first ? first : rc;
		if (!again)
			break;
	}
	return first;
}

/* --- gateways --------------------------------------------------------------------------------- */

int br_gateways(const struct br_state *s, struct br_gateway g[BR_GATEWAYS])
{
	int n = 0;

	for (int i = 0; i < s->nroute && n < BR_GATEWAYS; i++) {
		const struct host_route *r = &s->route[i];
		bool known = false;

		if (r->dst_len || !r->has_gateway || r->table != RT_TABLE_MAIN)
			continue;
		for (int k = 0; k < n; k++)
			known |= g[k].family == r->gateway_family &&
				 !memcmp(g[k].addr, r->gateway, sizeof(r->gateway));
		if (known)
			continue;
		g[n].family = r->gateway_family;
		memcpy(g[n++].addr, r->gateway, sizeof(r->gateway));
	}
	return n;
}

const char *br_gateway_text(const struct br_gateway *g, char *text, size_t size)
{
	return inet_ntop(g->family, g->addr, text, (socklen_t)size) ? text : "?";
}

void br_gateways_forget(struct host_nl *nl, const char *dev, const struct br_gateway *g, int n)
{
	struct host_link l;

	if (host_link_get(nl, dev, &l, NULL))
		return;
	for (int i = 0; i < n; i++)
		host_neigh_forget(nl, l.index, g[i].family, g[i].addr, NULL);
}

/* One look at a neighbour: 1 when it has answered, 0 when not yet, or -errno. */
static int ask_one(struct host_nl *nl, int index, const struct br_gateway *g, bool fresh,
		   struct err *e)
{
	int state = host_neigh_state(nl, index, g->family, g->addr, e);

	if (state < 0)
		return state;
	if (state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP))
		return 1;
	if (state & (NUD_STALE | NUD_DELAY | NUD_PROBE)) {
		/* It has spoken at some time, but has not answered us. */
		if (!fresh)
			return 1;
		if (state & NUD_STALE)
			host_neigh_forget(nl, index, g->family, g->addr, NULL);
	}
	if (state & NUD_INCOMPLETE)
		return 0;
	return host_neigh_probe(nl, index, g->family, g->addr, e);
}

int br_gateways_ask(struct host_nl *nl, const char *dev, struct br_gateway *g, int n, bool fresh,
		    unsigned ms, struct err *e)
{
	uint64_t end = now_ms() + ms;
	struct host_link l;
	int rc = host_link_get(nl, dev, &l, e);

	while (!rc && n) {
		for (int i = 0; i < n; i++) {
			rc = ask_one(nl, l.index, &g[i], fresh, e);
			if (rc < 0)
				return rc;
			if (rc)
				g[i--] = g[--n];
		}
		rc = 0;
		if (now_ms() >= end)
			break;
		if (n)
			poll(NULL, 0, 5);
	}
	return rc ? rc : n;
}
