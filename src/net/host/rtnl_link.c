/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links and bridges: see rtnl.h. A link's kind and what belongs to it alone (a bridge's STP, a
 * TAP's queues) stand in IFLA_LINKINFO; what a link is as a port of a bridge stands there, too, as
 * "slave" data.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/veth.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "net/host/rtnl_priv.h"

const char *host_operstate_name(uint8_t operstate)
{
	static const char *const names[] = {"unknown", "notpresent", "down", "lowerlayerdown",
					    "testing", "dormant",    "up"};

	return operstate < ARRAY_SIZE(names) ? names[operstate] : "unknown";
}

static uint32_t u32_of(const struct nlattr *a)
{
	uint32_t v = 0;

	host_attr(a, &v, sizeof(v));
	return v;
}

static uint8_t u8_of(const struct nlattr *a)
{
	uint8_t v = 0;

	host_attr(a, &v, sizeof(v));
	return v;
}

static void parse_kind_data(struct nlattr *data, struct host_link *l)
{
	struct nlattr *tb[IFLA_BR_MAX + 1];

	if (!strcmp(l->kind, "bridge") && !nla_parse_nested(tb, IFLA_BR_MAX, data, NULL)) {
		l->stp = u32_of(tb[IFLA_BR_STP_STATE]) != 0;
		l->forward_delay = u32_of(tb[IFLA_BR_FORWARD_DELAY]);
	} else if (!strcmp(l->kind, "tun") && !nla_parse_nested(tb, IFLA_TUN_MAX, data, NULL)) {
		l->tap = u8_of(tb[IFLA_TUN_TYPE]) == IFF_TAP;
		l->multi_queue = u8_of(tb[IFLA_TUN_MULTI_QUEUE]) != 0;
	}
}

static void parse_info(struct nlattr *info, struct host_link *l)
{
	struct nlattr *tb[IFLA_INFO_MAX + 1], *port[IFLA_BRPORT_MAX + 1];

	if (!info || nla_parse_nested(tb, IFLA_INFO_MAX, info, NULL))
		return;
	if (tb[IFLA_INFO_KIND])
		nla_strlcpy(l->kind, tb[IFLA_INFO_KIND], sizeof(l->kind));
	if (tb[IFLA_INFO_SLAVE_KIND])
		nla_strlcpy(l->port_of, tb[IFLA_INFO_SLAVE_KIND], sizeof(l->port_of));
	if (tb[IFLA_INFO_DATA])
		parse_kind_data(tb[IFLA_INFO_DATA], l);
	if (tb[IFLA_INFO_SLAVE_DATA] && !strcmp(l->port_of, "bridge") &&
	    !nla_parse_nested(port, IFLA_BRPORT_MAX, tb[IFLA_INFO_SLAVE_DATA], NULL)) {
		l->port_state = u8_of(port[IFLA_BRPORT_STATE]);
		l->isolated = u8_of(port[IFLA_BRPORT_ISOLATED]) != 0;
	}
}

/* 0; -EINVAL: not a link's message. */
static int parse_link(struct nlmsghdr *n, struct host_link *l)
{
	const struct ifinfomsg *i = nlmsg_data(n);
	struct nlattr *tb[IFLA_MAX + 1];

	memset(l, 0, sizeof(*l));
	if (n->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(n, sizeof(*i)) ||
	    nlmsg_parse(n, sizeof(*i), tb, IFLA_MAX, NULL) || !tb[IFLA_IFNAME])
		return -EINVAL;
	l->index = i->ifi_index;
	l->flags = i->ifi_flags;
	l->is_ether = i->ifi_type == ARPHRD_ETHER;
	nla_strlcpy(l->name, tb[IFLA_IFNAME], sizeof(l->name));
	l->master = (int)u32_of(tb[IFLA_MASTER]);
	l->lower = (int)u32_of(tb[IFLA_LINK]);
	l->mtu = u32_of(tb[IFLA_MTU]);
	l->operstate = u8_of(tb[IFLA_OPERSTATE]);
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == sizeof(l->mac))
		memcpy(l->mac, nla_data(tb[IFLA_ADDRESS]), sizeof(l->mac));
	parse_info(tb[IFLA_LINKINFO], l);
	return 0;
}

static int on_link(struct nlmsghdr *n, void *arg)
{
	return parse_link(n, arg);
}

/* A request about a link, by index or (index 0) by name. */
static struct nl_msg *link_msg(int type, int flags, int index, const char *name)
{
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct nl_msg *msg = host_nl_msg(type, flags, &i, sizeof(i));

	if (msg && name && nla_put_string(msg, IFLA_IFNAME, name) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int bad_name(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (n && n < HOST_NAME && !strpbrk(name, "/ \t\n:") && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0)
		return 0;
	return err_set(
		e, EINVAL,
		"%s is not an interface's name: 1 to %d characters, no blank, slash or colon", name,
		HOST_NAME - 1);
}

int host_link_get(struct host_nl *nl, const char *name, struct host_link *l, struct err *e)
{
	int rc = bad_name(name, e);

	if (rc)
		return rc;
	return host_nl_talk(nl, link_msg(RTM_GETLINK, 0, 0, name), on_link, l, e, "%s", name);
}

int host_link_get_index(struct host_nl *nl, int index, struct host_link *l, struct err *e)
{
	return host_nl_talk(nl, link_msg(RTM_GETLINK, 0, index, NULL), on_link, l, e,
			    "interface %d", index);
}

struct links {
	struct host_list list; /* first: host_list_reset() */
	int master;	       /* 0: any */
};

static int on_links(struct nlmsghdr *n, void *arg)
{
	struct links *s = arg;
	struct host_link l, *to;

	if (parse_link(n, &l) || (s->master && l.master != s->master))
		return 0;
	to = host_list_add(&s->list);
	if (!to)
		return -ENOMEM;
	*to = l;
	return 0;
}

static int list_links(struct host_nl *nl, int master, struct host_link **list, struct err *e)
{
	struct links s = {.list.size = sizeof(struct host_link), .master = master};
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	int rc = host_nl_dump(nl, RTM_GETLINK, &i, sizeof(i), on_links, host_list_reset, &s, e,
			      "links");

	return host_list_done(&s.list, rc, list);
}

int host_links(struct host_nl *nl, struct host_link **list, struct err *e)
{
	return list_links(nl, 0, list, e);
}

int host_bridge_ports(struct host_nl *nl, int bridge, struct host_link **list, struct err *e)
{
	return list_links(nl, bridge, list, e);
}

static int on_fdb(struct nlmsghdr *n, void *arg)
{
	struct links *s = arg;
	const struct ndmsg *d = nlmsg_data(n);
	struct nlattr *tb[NDA_MAX + 1];
	struct host_fdb *f;

	if (n->nlmsg_type != RTM_NEWNEIGH || !nlmsg_valid_hdr(n, sizeof(*d)) ||
	    d->ndm_family != AF_BRIDGE || nlmsg_parse(n, sizeof(*d), tb, NDA_MAX, NULL) ||
	    !tb[NDA_LLADDR] || nla_len(tb[NDA_LLADDR]) != 6 ||
	    (int)u32_of(tb[NDA_MASTER]) != s->master)
		return 0;
	f = host_list_add(&s->list);
	if (!f)
		return -ENOMEM;
	memcpy(f->mac, nla_data(tb[NDA_LLADDR]), 6);
	f->port = d->ndm_ifindex;
	f->permanent = d->ndm_state & NUD_PERMANENT;
	host_attr(tb[NDA_VLAN], &f->vlan, sizeof(f->vlan));
	return 0;
}

int host_bridge_fdb(struct host_nl *nl, int bridge, struct host_fdb **list, struct err *e)
{
	struct links s = {.list.size = sizeof(struct host_fdb), .master = bridge};
	struct ndmsg d = {.ndm_family = AF_BRIDGE};
	int rc = host_nl_dump(nl, RTM_GETNEIGH, &d, sizeof(d), on_fdb, host_list_reset, &s, e,
			      "forwarding table");

	return host_list_done(&s.list, rc, list);
}

/* Finishes a message: the sum of what its parts returned decides. */
static struct nl_msg *checked(struct nl_msg *msg, int bad)
{
	if (msg && bad) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int host_bridge_add(struct host_nl *nl, const char *name, const struct host_bridge_conf *conf,
		    struct err *e)
{
	struct nl_msg *msg;
	struct nlattr *info, *data;
	int bad = bad_name(name, e);

	if (bad)
		return bad;
	msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name);
	if (!msg)
		return err_set(e, ENOMEM, "%s: out of memory", name);
	if (conf->mac)
		bad |= nla_put(msg, IFLA_ADDRESS, 6, conf->mac);
	if (conf->mtu)
		bad |= nla_put_u32(msg, IFLA_MTU, conf->mtu);
	info = nla_nest_start(msg, IFLA_LINKINFO);
	bad |= nla_put_string(msg, IFLA_INFO_KIND, "bridge");
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	if (!info || !data)
		return host_nl_talk(nl, checked(msg, 1), NULL, NULL, e, "%s", name);
	bad |= nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, conf->forward_delay);
	bad |= nla_put_u32(msg, IFLA_BR_STP_STATE, conf->stp);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return host_nl_talk(nl, checked(msg, bad), NULL, NULL, e, "bridge %s", name);
}

int host_bridge_set_stp(struct host_nl *nl, int bridge, bool stp, uint32_t delay, struct err *e)
{
	struct nl_msg *msg = link_msg(RTM_NEWLINK, 0, bridge, NULL);
	struct nlattr *info, *data;
	int bad = 1;

	if (msg && (info = nla_nest_start(msg, IFLA_LINKINFO)) != NULL) {
		bad = nla_put_string(msg, IFLA_INFO_KIND, "bridge");
		data = nla_nest_start(msg, IFLA_INFO_DATA);
		bad |= !data || nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, delay) ||
		       nla_put_u32(msg, IFLA_BR_STP_STATE, stp);
		if (data)
			nla_nest_end(msg, data);
		nla_nest_end(msg, info);
	}
	return host_nl_talk(nl, checked(msg, bad), NULL, NULL, e, "STP of bridge %d", bridge);
}

int host_link_del(struct host_nl *nl, int index, struct err *e)
{
	return host_nl_talk(nl, link_msg(RTM_DELLINK, 0, index, NULL), NULL, NULL, e,
			    "delete interface %d", index);
}

int host_link_set_master(struct host_nl *nl, int index, int master, struct err *e)
{
	struct nl_msg *msg = link_msg(RTM_NEWLINK, 0, index, NULL);
	int bad = msg ? nla_put_u32(msg, IFLA_MASTER, (uint32_t)master) : 0;

	return host_nl_talk(nl, checked(msg, bad), NULL, NULL, e, "master of interface %d", index);
}

int host_link_set_up(struct host_nl *nl, int index, bool up, struct err *e)
{
	struct ifinfomsg i = {
		.ifi_index = index, .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP};

	return host_nl_talk(nl, host_nl_msg(RTM_NEWLINK, 0, &i, sizeof(i)), NULL, NULL, e,
			    "set interface %d %s", index, up ? "up" : "down");
}

int host_link_set_allmulti(struct host_nl *nl, int index, bool on, struct err *e)
{
	struct ifinfomsg i = {
		.ifi_index = index, .ifi_flags = on ? IFF_ALLMULTI : 0, .ifi_change = IFF_ALLMULTI};

	return host_nl_talk(nl, host_nl_msg(RTM_NEWLINK, 0, &i, sizeof(i)), NULL, NULL, e,
			    "groups of interface %d", index);
}

int host_link_set_mac(struct host_nl *nl, int index, const uint8_t mac[6], struct err *e)
{
	struct nl_msg *msg = link_msg(RTM_NEWLINK, 0, index, NULL);
	int bad = msg ? nla_put(msg, IFLA_ADDRESS, 6, mac) : 0;

	return host_nl_talk(nl, checked(msg, bad), NULL, NULL, e, "MAC of interface %d", index);
}

int host_link_set_mtu(struct host_nl *nl, int index, uint32_t mtu, struct err *e)
{
	struct nl_msg *msg = link_msg(RTM_NEWLINK, 0, index, NULL);
	int bad = msg ? nla_put_u32(msg, IFLA_MTU, mtu) : 0;

	return host_nl_talk(nl, checked(msg, bad), NULL, NULL, e, "MTU %u of interface %d", mtu,
			    index);
}

int host_port_set_isolated(struct host_nl *nl, int port, bool isolated, struct err *e)
{
	struct ifinfomsg i = {.ifi_family = AF_BRIDGE, .ifi_index = port};
	struct nl_msg *msg = host_nl_msg(RTM_SETLINK, 0, &i, sizeof(i));
	struct nlattr *info;
	int bad = 1;

	if (msg && (info = nla_nest_start(msg, IFLA_PROTINFO | NLA_F_NESTED)) != NULL) {
		bad = nla_put_u8(msg, IFLA_BRPORT_ISOLATED, isolated);
		nla_nest_end(msg, info);
	}
	return host_nl_talk(nl, checked(msg, bad), NULL, NULL, e, "bridge port %d", port);
}

int host_veth_add(struct host_nl *nl, const char *name, const char *peer, struct err *e)
{
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	struct nlattr *info, *data, *other;
	struct nl_msg *msg;
	int bad = bad_name(name, e);

	if (!bad)
		bad = bad_name(peer, e);
	if (bad)
		return bad;
	msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name);
	bad = 1;
	if (msg && (info = nla_nest_start(msg, IFLA_LINKINFO)) != NULL) {
		bad = nla_put_string(msg, IFLA_INFO_KIND, "veth");
		data = nla_nest_start(msg, IFLA_INFO_DATA);
		other = data ? nla_nest_start(msg, VETH_INFO_PEER) : NULL;
		bad |= !other || nlmsg_append(msg, &i, sizeof(i), NLMSG_ALIGNTO) ||
		       nla_put_string(msg, IFLA_IFNAME, peer);
		if (other)
			nla_nest_end(msg, other);
		if (data)
			nla_nest_end(msg, data);
		nla_nest_end(msg, info);
	}
	return host_nl_talk(nl, checked(msg, bad), NULL, NULL, e, "veth %s", name);
}

int host_macvtap_add(struct host_nl *nl, const char *name, int lower, uint32_t mode,
		     const uint8_t *mac, struct err *e)
{
	struct nlattr *info, *data;
	struct nl_msg *msg;
	int bad = bad_name(name, e);

	if (bad)
		return bad;
	msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name);
	bad = 1;
	if (msg && (info = nla_nest_start(msg, IFLA_LINKINFO)) != NULL) {
		bad = nla_put_string(msg, IFLA_INFO_KIND, "macvtap");
		data = nla_nest_start(msg, IFLA_INFO_DATA);
		bad |= !data || nla_put_u32(msg, IFLA_MACVLAN_MODE, mode);
		if (data)
			nla_nest_end(msg, data);
		nla_nest_end(msg, info);
		bad |= nla_put_u32(msg, IFLA_LINK, (uint32_t)lower);
		if (mac)
			bad |= nla_put(msg, IFLA_ADDRESS, 6, mac);
	}
	return host_nl_talk(nl, checked(msg, bad), NULL, NULL, e, "macvtap %s", name);
}
