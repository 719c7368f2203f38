/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses: see rtnl.h. An address read from one link can be added to another as it is: flags,
 * lifetimes, label, metric and who made it travel with it. Flags that only the kernel sets
 * (tentative, temporary …) do not: it would refuse or misread them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "net/host/rtnl_priv.h"

#ifndef IFA_PROTO
#define IFA_PROTO 11 /* Linux 5.18 */
#endif

/* What a request may set. MANAGETEMPADDR: new temporary addresses come from this one. */
#define REQUEST_FLAGS                                                                              \
	(IFA_F_NODAD | IFA_F_OPTIMISTIC | IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE |                \
	 IFA_F_MCAUTOJOIN | IFA_F_MANAGETEMPADDR)

static size_t bytes_of(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

struct addrs {
	struct host_list list; /* first: host_list_reset() */
	int index;	       /* 0: any */
};

static void parse_addr(struct nlattr **tb, const struct ifaddrmsg *i, struct host_addr *a)
{
	struct ifa_cacheinfo life;
	size_t n = bytes_of(i->ifa_family);

	a->index = (int)i->ifa_index;
	a->family = i->ifa_family;
	a->prefix = i->ifa_prefixlen;
	a->scope = i->ifa_scope;
	a->flags = i->ifa_flags;
	host_attr(tb[IFA_FLAGS], &a->flags, sizeof(a->flags));
	host_attr(tb[IFA_PROTO], &a->proto, sizeof(a->proto));
	/* IFA_ADDRESS is the prefix's: the peer of a point-to-point link, where IFA_LOCAL stands.
	 */
	host_attr(tb[IFA_ADDRESS], a->peer, n);
	if (!host_attr(tb[IFA_LOCAL], a->addr, n))
		memcpy(a->addr, a->peer, n);
	a->has_broadcast =
		i->ifa_family == AF_INET && host_attr(tb[IFA_BROADCAST], a->broadcast, 4);
	if (tb[IFA_LABEL])
		nla_strlcpy(a->label, tb[IFA_LABEL], sizeof(a->label));
	host_attr(tb[IFA_RT_PRIORITY], &a->priority, sizeof(a->priority));
	a->preferred = a->valid = UINT32_MAX;
	if (host_attr(tb[IFA_CACHEINFO], &life, sizeof(life))) {
		a->preferred = life.ifa_prefered;
		a->valid = life.ifa_valid;
	}
}

static int on_addr(struct nlmsghdr *n, void *arg)
{
	struct addrs *s = arg;
	const struct ifaddrmsg *i = nlmsg_data(n);
	struct nlattr *tb[IFA_PROTO + 1];
	struct host_addr *a;

	if (n->nlmsg_type != RTM_NEWADDR || !nlmsg_valid_hdr(n, sizeof(*i)) ||
	    (i->ifa_family != AF_INET && i->ifa_family != AF_INET6) ||
	    (s->index && (int)i->ifa_index != s->index) ||
	    nlmsg_parse(n, sizeof(*i), tb, IFA_PROTO, NULL) || (!tb[IFA_ADDRESS] && !tb[IFA_LOCAL]))
		return 0;
	a = host_list_add(&s->list);
	if (!a)
		return -ENOMEM;
	parse_addr(tb, i, a);
	return 0;
}

int host_addrs(struct host_nl *nl, int index, struct host_addr **list, struct err *e)
{
	struct addrs s = {.list.size = sizeof(struct host_addr), .index = index};
	struct ifaddrmsg i = {.ifa_family = AF_UNSPEC};
	int rc = host_nl_dump(nl, RTM_GETADDR, &i, sizeof(i), on_addr, host_list_reset, &s, e,
			      "addresses");

	return host_list_done(&s.list, rc, list);
}

static struct nl_msg *addr_msg(int type, int flags, const struct host_addr *a)
{
	struct ifaddrmsg i = {.ifa_family = a->family,
			      .ifa_prefixlen = a->prefix,
			      .ifa_scope = a->scope,
			      .ifa_index = (uint32_t)a->index};
	struct ifa_cacheinfo life = {.ifa_prefered = a->preferred, .ifa_valid = a->valid};
	struct nl_msg *msg = host_nl_msg(type, flags, &i, sizeof(i));
	static const uint8_t none[16];
	int n = (int)bytes_of(a->family), bad;
	bool peer = memcmp(a->peer, none, sizeof(none)) != 0;

	if (!msg)
		return NULL;
	bad = nla_put(msg, IFA_LOCAL, n, a->addr);
	bad |= nla_put(msg, IFA_ADDRESS, n, peer ? a->peer : a->addr);
	if (a->label[0])
		bad |= nla_put_string(msg, IFA_LABEL, a->label);
	if (type == RTM_NEWADDR) {
		bad |= nla_put_u32(msg, IFA_FLAGS, a->flags & REQUEST_FLAGS);
		if (a->has_broadcast)
			bad |= nla_put(msg, IFA_BROADCAST, 4, a->broadcast);
		if (a->priority)
			bad |= nla_put_u32(msg, IFA_RT_PRIORITY, a->priority);
		if (a->proto)
			bad |= nla_put_u8(msg, IFA_PROTO, a->proto);
		if (a->valid && (a->valid != UINT32_MAX || a->preferred != UINT32_MAX))
			bad |= nla_put(msg, IFA_CACHEINFO, sizeof(life), &life);
	}
	if (bad) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static const char *addr_text(const struct host_addr *a, char text[INET6_ADDRSTRLEN])
{
	return inet_ntop(a->family, a->addr, text, INET6_ADDRSTRLEN) ? text : "?";
}

int host_addr_add(struct host_nl *nl, const struct host_addr *a, struct err *e)
{
	char text[INET6_ADDRSTRLEN];

	return host_nl_talk(nl, addr_msg(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a), NULL, NULL, e,
			    "add address %s/%u", addr_text(a, text), a->prefix);
}

int host_addr_del(struct host_nl *nl, const struct host_addr *a, struct err *e)
{
	char text[INET6_ADDRSTRLEN];

	return host_nl_talk(nl, addr_msg(RTM_DELADDR, 0, a), NULL, NULL, e, "delete address %s/%u",
			    addr_text(a, text), a->prefix);
}

int host_addr_parse(const char *text, struct host_addr *a, struct err *e)
{
	char part[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	unsigned long prefix;
	char *end;

	memset(a, 0, sizeof(*a));
	a->preferred = a->valid = UINT32_MAX;
	if (!slash || (size_t)(slash - text) >= sizeof(part))
		goto bad;
	memcpy(part, text, (size_t)(slash - text));
	part[slash - text] = 0;
	if (inet_pton(AF_INET, part, a->addr) == 1)
		a->family = AF_INET;
	else if (inet_pton(AF_INET6, part, a->addr) == 1)
		a->family = AF_INET6;
	else
		goto bad;
	prefix = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || prefix > 8 * bytes_of(a->family))
		goto bad;
	a->prefix = (uint8_t)prefix;
	memcpy(a->peer, a->addr, sizeof(a->peer));
	return 0;
bad:
	return err_set(e, EINVAL,
		       "%s is not an address with its prefix: write 192.0.2.1/24 or 2001:db8::1/64",
		       text);
}
