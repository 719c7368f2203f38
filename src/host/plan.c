/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plans: see plan.h. The order, and why it leaves no moment without a route:
 *
 *  1. The new home (the bridge) is made, with the old one's MAC, so that neighbours and a DHCP
 *     server see no change, and gets every address, without duplicate address detection, which
 *     would find the old home. The kernel lets two links have an address; the second one's routes
 *     stand behind the first one's.
 *  2. The uplink becomes a port: frames now arrive by the bridge, for an address that is the
 *     host's on any link. Frames still leave by the uplink's routes, which works for a port, too.
 *  3. Every route is appended behind its twin; gateways last, as they need the others.
 *  4. The twins go, then the old addresses. What stands behind takes over in the same instant.
 *
 * STP comes at the very end: a port that forwards already goes on when the bridge begins to speak
 * STP, while one that joins a speaking bridge is silent for twice the forward delay.
 */
#include "host/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"

#define V6_PREFIX_METRIC 256 /* of the routes that come with IPv6 addresses */

static struct br_op *push(struct br_ops *o, enum br_op_kind kind, const char *dev,
			  const char *other)
{
	static struct br_op nowhere; /* written when memory ran out; `failed` says so */
	struct br_op *op = &nowhere;

	if (o->n == o->room) {
		unsigned room = o->room ? 2 * o->room : 16;
		struct br_op *v = realloc(o->op, room * sizeof(*v));

		if (v) {
			o->op = v;
			o->room = room;
		}
	}
	if (o->n < o->room)
		op = &o->op[o->n++];
	else
		o->failed = true;
	memset(op, 0, sizeof(*op));
	op->kind = kind;
	snprintf(op->dev, sizeof(op->dev), "%s", dev);
	snprintf(op->other, sizeof(op->other), "%s", other ? other : "");
	return op;
}

static void sysctl(struct br_ops *o, const char *dev, const char *key, int value)
{
	struct br_op *op = push(o, BR_SYSCTL, dev, NULL);

	op->key = key;
	op->value = value;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

bool br_route_implied(const struct br_state *s, const struct host_route *r)
{
	if (r->protocol != RTPROT_KERNEL || r->has_gateway || r->hops ||
	    r->table != RT_TABLE_MAIN || r->type != RTN_UNICAST)
		return false;
	for (int i = 0; i < s->naddr; i++) {
		const struct host_addr *a = &s->addr[i];
		uint32_t metric = a->priority;

		if (!metric && a->family == AF_INET6)
			metric = V6_PREFIX_METRIC;
		if (a->family == r->family && !(a->flags & IFA_F_NOPREFIXROUTE) &&
		    a->prefix == r->dst_len && metric == r->metric &&
		    same_prefix(a->peer, r->dst, a->prefix))
			return true;
	}
	return false;
}

/* "eth0:home" on eth0 is "br0:home" on br0; cut when it becomes too long. */
static void move_label(struct host_addr *a, const char *from, const char *to)
{
	size_t n = strlen(from);
	char old[HOST_NAME];

	if (!a->label[0])
		return;
	memcpy(old, a->label, sizeof(old));
	if (!strncmp(old, from, n) && (!old[n] || old[n] == ':'))
		snprintf(a->label, sizeof(a->label), "%s%.*s", to,
			 (int)(HOST_NAME - 1 - MIN(strlen(to), HOST_NAME - 1)), old + n);
}

static void addr_op(struct br_ops *o, enum br_op_kind kind, const struct br_state *s, int i,
		    const char *dev)
{
	struct br_op *op = push(o, kind, dev, NULL);

	op->addr = s->addr[i];
	op->addr.index = 0;
	move_label(&op->addr, s->link.name, dev);
}

/* All addresses to dev. The kernel lists IPv4 oldest first and IPv6 newest first. */
static void addrs_to(struct br_ops *o, const struct br_state *s, const char *dev)
{
	for (int i = 0; i < s->naddr; i++)
		if (s->addr[i].family == AF_INET)
			addr_op(o, BR_ADDR_ADD, s, i, dev);
	for (int i = s->naddr - 1; i >= 0; i--)
		if (s->addr[i].family == AF_INET6)
			addr_op(o, BR_ADDR_ADD, s, i, dev);
}

/*
 * From dev, newest first: an IPv4 address takes those along that came after it in its network, and
 * when this is interrupted, what is added again stands where it stood.
 */
static void addrs_from(struct br_ops *o, const struct br_state *s, const char *dev)
{
	for (int i = 0; i < s->naddr; i++)
		if (s->addr[i].family == AF_INET6)
			addr_op(o, BR_ADDR_DEL, s, i, dev);
	for (int i = s->naddr - 1; i >= 0; i--)
		if (s->addr[i].family == AF_INET)
			addr_op(o, BR_ADDR_DEL, s, i, dev);
}

static void route_op(struct br_ops *o, enum br_op_kind kind, const struct br_state *s, int i,
		     const char *dev)
{
	struct br_op *op = push(o, kind, dev, NULL);

	op->route = s->route[i];
	op->from = s->link.index;
}

static bool needs_others(const struct host_route *r)
{
	return r->has_gateway || r->hops;
}

static void routes_to(struct br_ops *o, const struct br_state *s, const char *dev)
{
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < s->nroute; i++)
			if (needs_others(&s->route[i]) == (pass == 1) &&
			    !br_route_implied(s, &s->route[i]))
				route_op(o, BR_ROUTE_ADD, s, i, dev);
}

static void routes_from(struct br_ops *o, const struct br_state *s, const char *dev)
{
	for (int pass = 1; pass >= 0; pass--)
		for (int i = s->nroute - 1; i >= 0; i--)
			if (needs_others(&s->route[i]) == (pass == 1) &&
			    !br_route_implied(s, &s->route[i]))
				route_op(o, BR_ROUTE_DEL, s, i, dev);
}

/*
 * The kernel leaves an IPv6 prefix's route where it is when an address of that prefix that came
 * without a route (noprefixroute) is still there as the last one that came with it goes.
 */
static void leftovers_from(struct br_ops *o, const struct br_state *s, const char *dev)
{
	for (int i = 0; i < s->nroute; i++) {
		const struct host_route *r = &s->route[i];

		if (r->family != AF_INET6 || !br_route_implied(s, r))
			continue;
		for (int k = 0; k < s->naddr; k++)
			if (s->addr[k].family == AF_INET6 &&
			    (s->addr[k].flags & IFA_F_NOPREFIXROUTE) &&
			    same_prefix(s->addr[k].addr, r->dst, r->dst_len)) {
				route_op(o, BR_ROUTE_DEL, s, i, dev);
				break;
			}
	}
}

static int finish(struct br_plan *p, struct err *e)
{
	if (!p->ops.failed && !p->undo.failed && !p->commit.failed)
		return 0;
	br_plan_free(p);
	return err_set(e, ENOMEM, "plan of a bridge: out of memory");
}

int br_plan_add(const struct br_state *s, const char *name, bool stp, struct br_plan *p,
		struct err *e)
{
	const char *up = s->link.name;
	struct br_op *op;
	bool v6 = s->accept_dad >= 0;

	memset(p, 0, sizeof(*p));
	op = push(&p->ops, BR_BRIDGE_ADD, name, up);
	memcpy(op->mac, s->link.mac, sizeof(op->mac));
	op->mtu = s->link.mtu;
	push(&p->ops, BR_SETTINGS, name, up);
	if (v6) {
		sysctl(&p->ops, name, "addr_gen_mode", 1);
		sysctl(&p->ops, name, "accept_dad", 0);
	}
	push(&p->ops, BR_UP, name, NULL);
	addrs_to(&p->ops, s, name);
	push(&p->ops, BR_MASTER, up, name);
	if (v6)
		push(&p->ops, BR_DAD_WAIT, name, NULL);
	routes_to(&p->ops, s, name);
	routes_from(&p->ops, s, up);
	addrs_from(&p->ops, s, up);
	leftovers_from(&p->ops, s, up);

	if (v6)
		sysctl(&p->undo, up, "accept_dad", 0);
	addrs_to(&p->undo, s, up);
	if (v6)
		push(&p->undo, BR_DAD_WAIT, up, NULL);
	push(&p->undo, BR_MASTER, up, "");
	routes_to(&p->undo, s, up);
	push(&p->undo, BR_LINK_DEL, name, NULL);
	if (v6)
		sysctl(&p->undo, up, "accept_dad", s->accept_dad);

	if (v6) {
		sysctl(&p->commit, name, "accept_dad", s->accept_dad);
		sysctl(&p->commit, name, "addr_gen_mode", s->addr_gen_mode);
	}
	if (stp)
		push(&p->commit, BR_STP, name, NULL)->value = 1;
	return finish(p, e);
}

int br_plan_del(const struct br_state *s, const struct host_link *uplink, int accept_dad,
		const struct host_link *ports, int nports, struct br_plan *p, struct err *e)
{
	const char *name = s->link.name, *up = uplink->name;

	memset(p, 0, sizeof(*p));
	if (accept_dad >= 0)
		sysctl(&p->ops, up, "accept_dad", 0);
	addrs_to(&p->ops, s, up);
	if (accept_dad >= 0)
		push(&p->ops, BR_DAD_WAIT, up, NULL);
	push(&p->ops, BR_MASTER, up, "");
	routes_to(&p->ops, s, up);
	routes_from(&p->ops, s, name);
	addrs_from(&p->ops, s, name);
	leftovers_from(&p->ops, s, name);

	if (s->accept_dad >= 0)
		sysctl(&p->undo, name, "accept_dad", 0);
	addrs_to(&p->undo, s, name);
	if (s->accept_dad >= 0)
		push(&p->undo, BR_DAD_WAIT, name, NULL);
	push(&p->undo, BR_MASTER, up, name);
	routes_to(&p->undo, s, name);
	routes_from(&p->undo, s, up);
	addrs_from(&p->undo, s, up);
	leftovers_from(&p->undo, s, up);
	if (s->accept_dad >= 0)
		sysctl(&p->undo, name, "accept_dad", s->accept_dad);
	if (accept_dad >= 0)
		sysctl(&p->undo, up, "accept_dad", accept_dad);

	if (accept_dad >= 0)
		sysctl(&p->commit, up, "accept_dad", accept_dad);
	for (int i = 0; i < nports; i++)
		if (ports[i].index != uplink->index)
			push(&p->commit, BR_MASTER, ports[i].name, "");
	push(&p->commit, BR_LINK_DEL, name, NULL);
	return finish(p, e);
}

void br_plan_free(struct br_plan *p)
{
	free(p->ops.op);
	free(p->undo.op);
	free(p->commit.op);
	memset(p, 0, sizeof(*p));
}

void br_state_free(struct br_state *s)
{
	free(s->addr);
	free(s->route);
	free(s->block);
	memset(s, 0, sizeof(*s));
}

/* --- as text ---------------------------------------------------------------------------------- */

static void addr_text(const struct br_op *op, char *text, size_t size)
{
	const struct host_addr *a = &op->addr;
	char addr[INET6_ADDRSTRLEN] = "?", peer[INET6_ADDRSTRLEN] = "", life[64] = "";
	const char *verb = op->kind == BR_ADDR_ADD ? "add" : "del";
	bool p2p = memcmp(a->addr, a->peer, sizeof(a->addr)) != 0;

	inet_ntop(a->family, a->addr, addr, sizeof(addr));
	inet_ntop(a->family, a->peer, peer, sizeof(peer));
	if (op->kind == BR_ADDR_ADD && a->valid != UINT32_MAX)
		snprintf(life, sizeof(life), " valid_lft %u preferred_lft %u", a->valid,
			 a->preferred);
	snprintf(text, size, "ip addr %s %s%s%s/%u dev %s%s%s", verb, addr, p2p ? " peer " : "",
		 p2p ? peer : "", a->prefix, op->dev,
		 a->flags & IFA_F_NOPREFIXROUTE && op->kind == BR_ADDR_ADD ? " noprefixroute" : "",
		 life);
}

static void route_text(const struct br_op *op, char *text, size_t size)
{
	const struct host_route *r = &op->route;
	char dst[INET6_ADDRSTRLEN] = "default", via[INET6_ADDRSTRLEN] = "";
	char src[INET6_ADDRSTRLEN] = "", len[8] = "", table[24] = "", metric[24] = "";

	if (r->dst_len) {
		inet_ntop(r->family, r->dst, dst, sizeof(dst));
		snprintf(len, sizeof(len), "/%u", r->dst_len);
	}
	if (r->has_gateway)
		inet_ntop(r->gateway_family, r->gateway, via, sizeof(via));
	if (r->has_prefsrc)
		inet_ntop(r->family, r->prefsrc, src, sizeof(src));
	if (r->table != RT_TABLE_MAIN)
		snprintf(table, sizeof(table), " table %u", r->table);
	if (r->metric)
		snprintf(metric, sizeof(metric), " metric %u", r->metric);
	snprintf(text, size, "ip %sroute %s %s%s%s%s dev %s%s%s%s%s%s%s",
		 r->family == AF_INET6 ? "-6 " : "", op->kind == BR_ROUTE_ADD ? "append" : "del",
		 dst, len, via[0] ? " via " : "", via, op->dev, r->onlink ? " onlink" : "",
		 src[0] ? " src " : "", src, metric, table, r->hops ? " (and its other hops)" : "");
}

void br_op_text(const struct br_op *op, char *text, size_t size)
{
	const uint8_t *m = op->mac;

	switch (op->kind) {
	case BR_BRIDGE_ADD:
		snprintf(text, size,
			 "ip link add %s address %02x:%02x:%02x:%02x:%02x:%02x mtu %u type bridge "
			 "stp_state 0 forward_delay 0",
			 op->dev, m[0], m[1], m[2], m[3], m[4], m[5], op->mtu);
		break;
	case BR_SETTINGS:
		snprintf(text, size, "sysctl: net.ipv4.conf.%s and net.ipv6.conf.%s as %s has them",
			 op->dev, op->dev, op->other);
		break;
	case BR_SYSCTL:
		snprintf(text, size, "sysctl net.ipv6.conf.%s.%s=%d", op->dev, op->key, op->value);
		break;
	case BR_UP:
		snprintf(text, size, "ip link set %s up", op->dev);
		break;
	case BR_MASTER:
		snprintf(text, size, "ip link set %s %s%s", op->dev,
			 op->other[0] ? "master " : "nomaster", op->other);
		break;
	case BR_ADDR_ADD:
	case BR_ADDR_DEL:
		addr_text(op, text, size);
		break;
	case BR_ROUTE_ADD:
	case BR_ROUTE_DEL:
		route_text(op, text, size);
		break;
	case BR_DAD_WAIT:
		snprintf(text, size, "wait until no address of %s is tentative (ip addr)", op->dev);
		break;
	case BR_STP:
		snprintf(text, size, "ip link set %s type bridge stp_state %d", op->dev, op->value);
		break;
	case BR_LINK_DEL:
		snprintf(text, size, "ip link del %s", op->dev);
		break;
	}
}

void br_ops_print(const struct br_ops *o, FILE *out)
{
	char text[256];

	for (unsigned i = 0; i < o->n; i++) {
		br_op_text(&o->op[i], text, sizeof(text));
		fprintf(out, "  %s\n", text);
	}
}
