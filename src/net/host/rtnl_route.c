/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes, policy rules and neighbours: see rtnl.h. A route from a list carries the kernel's own
 * message. To add or delete it, the fields are written anew and every other attribute is copied
 * from that message, so what this file does not know (metrics, encapsulation) survives a move. The
 * rest of a lifetime is read in one attribute (RTA_CACHEINFO) and written in another (RTA_EXPIRES).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "net/host/rtnl_priv.h"

static int bytes_of(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct routes {
	struct host_list list; /* first: reset_routes() */
	uint32_t table;	       /* 0: any but local */
	/* The messages, one after another; a route's msg is an offset + 1 until the end. */
	char *bytes;
	size_t len, room;
};

/* RTNH_OK() alone reads behind the end when nothing is left. */
static bool hop_ok(const struct rtnexthop *h, int left)
{
	return left >= (int)sizeof(*h) && RTNH_OK(h, left);
}

static void parse_hops(const struct nlattr *a, struct host_route *r)
{
	const struct rtnexthop *h = nla_data(a);
	int left = nla_len(a);

	while (hop_ok(h, left)) {
		r->hops++;
		left -= NLMSG_ALIGN(h->rtnh_len);
		h = RTNH_NEXT(h);
	}
}

static void parse_route(struct nlattr **tb, const struct rtmsg *m, struct host_route *r)
{
	struct rta_cacheinfo life;
	int n = bytes_of(m->rtm_family);
	long tick = sysconf(_SC_CLK_TCK);

	r->family = m->rtm_family;
	r->dst_len = m->rtm_dst_len;
	r->tos = m->rtm_tos;
	r->scope = m->rtm_scope;
	r->type = m->rtm_type;
	r->protocol = m->rtm_protocol;
	r->onlink = m->rtm_flags & RTNH_F_ONLINK;
	r->table = m->rtm_table;
	host_attr(tb[RTA_TABLE], &r->table, sizeof(r->table));
	host_attr(tb[RTA_DST], r->dst, (size_t)n);
	host_attr(tb[RTA_OIF], &r->oif, sizeof(r->oif));
	host_attr(tb[RTA_PRIORITY], &r->metric, sizeof(r->metric));
	host_attr(tb[RTA_PREF], &r->pref, sizeof(r->pref));
	host_attr(tb[RTA_NH_ID], &r->nhid, sizeof(r->nhid));
	r->has_prefsrc = host_attr(tb[RTA_PREFSRC], r->prefsrc, (size_t)n);
	r->gateway_family = m->rtm_family;
	r->has_gateway = host_attr(tb[RTA_GATEWAY], r->gateway, (size_t)n);
	if (tb[RTA_VIA] && nla_len(tb[RTA_VIA]) >= 2 + 4) {
		const struct rtvia *via = nla_data(tb[RTA_VIA]);
		int len = MIN(nla_len(tb[RTA_VIA]) - 2, 16);

		r->gateway_family = (uint8_t)via->rtvia_family;
		r->has_gateway = true;
		memcpy(r->gateway, via->rtvia_addr, (size_t)len);
	}
	if (tb[RTA_MULTIPATH])
		parse_hops(tb[RTA_MULTIPATH], r);
	if (host_attr(tb[RTA_CACHEINFO], &life, sizeof(life)) && life.rta_expires > 0 && tick > 0)
		r->expires = (uint32_t)(life.rta_expires / tick) + 1;
}

static bool keep_bytes(struct routes *s, const struct nlmsghdr *n)
{
	size_t need = NLMSG_ALIGN(n->nlmsg_len);

	if (s->len + need > s->room) {
		size_t room = 2 * (s->room + need);
		char *v = realloc(s->bytes, room);

		if (!v)
			return false;
		s->bytes = v;
		s->room = room;
	}
	memset(s->bytes + s->len, 0, need);
	memcpy(s->bytes + s->len, n, n->nlmsg_len);
	s->len += need;
	return true;
}

static int on_route(struct nlmsghdr *n, void *arg)
{
	struct routes *s = arg;
	const struct rtmsg *m = nlmsg_data(n);
	struct nlattr *tb[RTA_MAX + 1];
	struct host_route r = {0}, *to;

	if (n->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(n, sizeof(*m)) ||
	    (m->rtm_family != AF_INET && m->rtm_family != AF_INET6) ||
	    (m->rtm_flags & RTM_F_CLONED) || nlmsg_parse(n, sizeof(*m), tb, RTA_MAX, NULL))
		return 0;
	parse_route(tb, m, &r);
	if (s->table ? r.table != s->table : r.table == RT_TABLE_LOCAL)
		return 0;
	r.msg = (void *)(s->len + 1); /* NOLINT(performance-no-int-to-ptr) */
	to = host_list_add(&s->list);
	if (!to || !keep_bytes(s, n))
		return -ENOMEM;
	*to = r;
	return 0;
}

static void reset_routes(void *arg)
{
	struct routes *s = arg;

	s->list.n = 0;
	s->len = 0;
}

int host_routes(struct host_nl *nl, uint32_t table, struct host_route **list, struct err *e)
{
	struct routes s = {.list.size = sizeof(struct host_route), .table = table};
	struct rtmsg m = {.rtm_family = AF_UNSPEC};
	int rc = host_nl_dump(nl, RTM_GETROUTE, &m, sizeof(m), on_route, reset_routes, &s, e,
			      "routes");
	size_t head;
	char *block;

	*list = NULL;
	head = (size_t)s.list.n * sizeof(struct host_route);
	block = rc || !s.list.n ? NULL : malloc(head + s.len);
	if (block) {
		memcpy(block, s.list.v, head);
		memcpy(block + head, s.bytes, s.len);
		*list = (struct host_route *)(void *)block;
		for (int i = 0; i < s.list.n; i++)
			(*list)[i].msg = block + head + (size_t)(*list)[i].msg - 1;
		rc = s.list.n;
	} else if (!rc && s.list.n) {
		rc = err_set(e, ENOMEM, "routes: out of memory");
	}
	free(s.list.v);
	free(s.bytes);
	return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Attributes that the fields say, or that only the kernel writes. */
static bool said_by_fields(int type)
{
	switch (type) {
	case RTA_DST:
	case RTA_OIF:
	case RTA_GATEWAY:
	case RTA_VIA:
	case RTA_PRIORITY:
	case RTA_PREFSRC:
	case RTA_TABLE:
	case RTA_PREF:
	case RTA_NH_ID:
	case RTA_EXPIRES:
	case RTA_CACHEINFO:
		return true;
	default:
		return false;
	}
}

static int put_gateway(struct nl_msg *msg, const struct host_route *r)
{
	struct {
		uint16_t family;
		uint8_t addr[16];
	} via = {r->gateway_family, {0}};
	uint8_t family = r->gateway_family ? r->gateway_family : r->family;

	if (family == r->family)
		return nla_put(msg, RTA_GATEWAY, bytes_of(family), r->gateway);
	memcpy(via.addr, r->gateway, (size_t)bytes_of(family));
	return nla_put(msg, RTA_VIA, 2 + bytes_of(family), &via);
}

static int put_rest(struct nl_msg *msg, const struct host_route *r)
{
	struct nlmsghdr *n = r->msg;
	struct nlattr *a;
	int left;

	if (!n)
		return 0;
	nlmsg_for_each_attr(a, n, sizeof(struct rtmsg), left)
	{
		/* With a next hop object the kernel shows its hops, too, but wants the id alone. */
		bool object = r->nhid && (nla_type(a) == RTA_MULTIPATH);

		if (!said_by_fields(nla_type(a)) && !object &&
		    nla_put(msg, nla_type(a), nla_len(a), nla_data(a)) < 0)
			return -1;
	}
	return 0;
}

static struct nl_msg *route_msg(int type, int flags, const struct host_route *r)
{
	struct rtmsg m = {.rtm_family = r->family,
			  .rtm_dst_len = r->dst_len,
			  .rtm_tos = r->tos,
			  .rtm_scope = r->scope,
			  .rtm_type = r->type ? r->type : RTN_UNICAST,
			  .rtm_protocol = r->protocol ? r->protocol : RTPROT_STATIC,
			  .rtm_table = r->table < 256 ? (uint8_t)r->table : RT_TABLE_UNSPEC,
			  .rtm_flags = r->onlink ? RTNH_F_ONLINK : 0};
	struct nl_msg *msg = host_nl_msg(type, flags, &m, sizeof(m));
	int n = bytes_of(r->family), bad = 0;

	if (!msg)
		return NULL;
	if (r->dst_len)
		bad |= nla_put(msg, RTA_DST, n, r->dst);
	bad |= nla_put_u32(msg, RTA_TABLE, r->table ? r->table : RT_TABLE_MAIN);
	if (r->metric)
		bad |= nla_put_u32(msg, RTA_PRIORITY, r->metric);
	if (r->has_prefsrc)
		bad |= nla_put(msg, RTA_PREFSRC, n, r->prefsrc);
	if (r->nhid)
		bad |= nla_put_u32(msg, RTA_NH_ID, r->nhid);
	else if (r->has_gateway)
		bad |= put_gateway(msg, r);
	if (r->oif && !r->nhid)
		bad |= nla_put_u32(msg, RTA_OIF, (uint32_t)r->oif);
	if (r->expires && r->family == AF_INET6 && type == RTM_NEWROUTE)
		bad |= nla_put_u32(msg, RTA_EXPIRES, r->expires);
	if (r->pref && r->family == AF_INET6)
		bad |= nla_put_u8(msg, RTA_PREF, r->pref);
	if (bad || put_rest(msg, r)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static const char *route_text(const struct host_route *r, char text[INET6_ADDRSTRLEN + 4])
{
	char addr[INET6_ADDRSTRLEN] = "?";

	if (!r->dst_len)
		return "default";
	inet_ntop(r->family, r->dst, addr, sizeof(addr));
	snprintf(text, INET6_ADDRSTRLEN + 4, "%s/%u", addr, r->dst_len);
	return text;
}

int host_route_add(struct host_nl *nl, const struct host_route *r, enum host_route_how how,
		   struct err *e)
{
	static const int flags[] = {[HOST_ROUTE_NEW] = NLM_F_EXCL,
				    [HOST_ROUTE_APPEND] = NLM_F_APPEND,
				    [HOST_ROUTE_REPLACE] = NLM_F_REPLACE};
	char text[INET6_ADDRSTRLEN + 4];

	return host_nl_talk(nl, route_msg(RTM_NEWROUTE, NLM_F_CREATE | flags[how], r), NULL, NULL,
			    e, "add route %s", route_text(r, text));
}

int host_route_del(struct host_nl *nl, const struct host_route *r, struct err *e)
{
	char text[INET6_ADDRSTRLEN + 4];

	return host_nl_talk(nl, route_msg(RTM_DELROUTE, 0, r), NULL, NULL, e, "delete route %s",
			    route_text(r, text));
}

/* Calls the hops of r; true when one leaves by `from`, which becomes `to` unless that is 0. */
static bool redirect_hops(const struct host_route *r, int from, int to)
{
	struct nlmsghdr *n = r->msg;
	struct nlattr *a = n ? nlmsg_find_attr(n, sizeof(struct rtmsg), RTA_MULTIPATH) : NULL;
	struct rtnexthop *h = a ? nla_data(a) : NULL;
	int left = a ? nla_len(a) : 0;
	bool found = false;

	while (h && hop_ok(h, left)) {
		if (h->rtnh_ifindex == from) {
			found = true;
			if (to)
				h->rtnh_ifindex = to;
		}
		/* The kernel takes back none of the states that it shows. */
		if (to)
			h->rtnh_flags &= RTNH_F_ONLINK;
		left -= NLMSG_ALIGN(h->rtnh_len);
		h = RTNH_NEXT(h);
	}
	return found;
}

bool host_route_uses(const struct host_route *r, int index)
{
	return r->oif == index || redirect_hops(r, index, 0);
}

void host_route_redirect(struct host_route *r, int from, int to)
{
	if (r->oif == from)
		r->oif = to;
	redirect_hops(r, from, to);
}

/* --- rules and neighbours --------------------------------------------------------------------- */

struct rules {
	const char *name;
	int n;
};

static int on_rule(struct nlmsghdr *n, void *arg)
{
	struct rules *s = arg;
	struct nlattr *tb[FRA_MAX + 1];

	if (n->nlmsg_type != RTM_NEWRULE ||
	    nlmsg_parse(n, sizeof(struct fib_rule_hdr), tb, FRA_MAX, NULL))
		return 0;
	if ((tb[FRA_IIFNAME] && !nla_strcmp(tb[FRA_IIFNAME], s->name)) ||
	    (tb[FRA_OIFNAME] && !nla_strcmp(tb[FRA_OIFNAME], s->name)))
		s->n++;
	return 0;
}

static void reset_rules(void *arg)
{
	((struct rules *)arg)->n = 0;
}

int host_rules_of(struct host_nl *nl, const char *ifname, struct err *e)
{
	struct rules s = {.name = ifname};
	struct fib_rule_hdr h = {.family = AF_UNSPEC};
	int rc = host_nl_dump(nl, RTM_GETRULE, &h, sizeof(h), on_rule, reset_rules, &s, e, "rules");

	/* A kernel without policy routing has no rules. */
	if (rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP)
		return 0;
	return rc ? rc : s.n;
}

static struct nl_msg *neigh_msg(int type, int flags, uint8_t use, int index, uint8_t family,
				const uint8_t *addr)
{
	struct ndmsg d = {.ndm_family = family,
			  .ndm_ifindex = index,
			  .ndm_state = NUD_NONE,
			  .ndm_flags = use};
	struct nl_msg *msg = host_nl_msg(type, flags, &d, sizeof(d));

	if (msg && nla_put(msg, NDA_DST, bytes_of(family), addr) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int host_neigh_probe(struct host_nl *nl, int index, uint8_t family, const uint8_t *addr,
		     struct err *e)
{
	/* "Use" is what a packet to the neighbour does: an entry that is not valid is resolved. */
	return host_nl_talk(
		nl,
		neigh_msg(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, NTF_USE, index, family, addr),
		NULL, NULL, e, "neighbour");
}

int host_neigh_forget(struct host_nl *nl, int index, uint8_t family, const uint8_t *addr,
		      struct err *e)
{
	return host_nl_talk(nl, neigh_msg(RTM_DELNEIGH, 0, 0, index, family, addr), NULL, NULL, e,
			    "neighbour");
}

static int on_neigh(struct nlmsghdr *n, void *arg)
{
	const struct ndmsg *d = nlmsg_data(n);

	if (n->nlmsg_type == RTM_NEWNEIGH && nlmsg_valid_hdr(n, sizeof(*d)))
		*(int *)arg = d->ndm_state;
	return 0;
}

int host_neigh_state(struct host_nl *nl, int index, uint8_t family, const uint8_t *addr,
		     struct err *e)
{
	int state = NUD_NONE;
	int rc = host_nl_talk(nl, neigh_msg(RTM_GETNEIGH, 0, 0, index, family, addr), on_neigh,
			      &state, e, "neighbour");

	if (rc == -ENOENT)
		return NUD_NONE;
	return rc ? rc : state;
}
