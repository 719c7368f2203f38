/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's links, bridges, addresses, routes and neighbours, over rtnetlink. A context is one
 * socket in the network namespace of the thread that opened it; it belongs to one thread at a time.
 *
 * Messages are built, sent and parsed by libnl. Its route objects are not used: they drop what
 * they do not know (next hop objects, router preference, the kernel's own words for an error), and
 * an address or route that is moved to another link must be the same one there.
 *
 * Errors are a negative errno and one line, as in base/err.h: the kernel's words where it has some.
 * EPERM's line says that it takes root (CAP_NET_ADMIN). Everything waits for the kernel's answer
 * and for nothing else. Lists are arrays in one block that the caller frees with free().
 */
#ifndef NET_HOST_RTNL_H
#define NET_HOST_RTNL_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "base/err.h"

struct host_nl; /* a context */

struct host_nl *host_nl_open(struct err *e); /* NULL: see e */
void host_nl_close(struct host_nl *nl);	     /* NULL is allowed */

/* --- links: rtnl_link.c ----------------------------------------------------------------------- */

#define HOST_NAME 16 /* bytes of an interface's name, with the final 0 */

struct host_link {
	int index;
	char name[HOST_NAME];
	char kind[16];	  /* "bridge", "tun", "veth", "vlan", "macvtap" …; "": hardware, or lo */
	char port_of[16]; /* kind of the master: "bridge", "bond"; "": no master */
	int master;	  /* index of the bridge (or bond) it is a port of; 0: none */
	int lower;	/* index of the link below (vlan, macvtap, other end of a veth); 0: none */
	uint8_t mac[6]; /* zeros when the link has none of six bytes */
	bool is_ether;	/* ARPHRD_ETHER */
	uint32_t mtu;
	uint32_t flags;	   /* IFF_UP, IFF_LOWER_UP … (net/if.h, linux/if.h) */
	uint8_t operstate; /* IF_OPER_UP … (linux/if.h) */
	/* kind "bridge" */
	bool stp;
	uint32_t forward_delay; /* 1/100 s */
	/* port_of "bridge" */
	uint8_t port_state; /* BR_STATE_FORWARDING … (linux/if_bridge.h) */
	bool isolated;
	/* kind "tun" */
	bool tap; /* layer 2 */
	bool multi_queue;
};

/* Name of an operstate: "up", "down", "lowerlayerdown" … */
const char *host_operstate_name(uint8_t operstate);

/* Fills *l. -ENODEV when there is no such link. */
int host_link_get(struct host_nl *nl, const char *name, struct host_link *l, struct err *e);
int host_link_get_index(struct host_nl *nl, int index, struct host_link *l, struct err *e);
/* All links, in the order of their indexes. Returns how many. */
int host_links(struct host_nl *nl, struct host_link **list, struct err *e);
/* The ports of a bridge (or bond). Returns how many. */
int host_bridge_ports(struct host_nl *nl, int bridge, struct host_link **list, struct err *e);

struct host_fdb {
	uint8_t mac[6];
	int port;	/* index of the port behind which it is */
	uint16_t vlan;	/* 0: none */
	bool permanent; /* an address of the port itself, or set by hand; else learned */
};

/* What a bridge knows of who is behind which port. Returns how many. */
int host_bridge_fdb(struct host_nl *nl, int bridge, struct host_fdb **list, struct err *e);

struct host_bridge_conf {
	bool stp;
	uint32_t forward_delay; /* 1/100 s; 0 is allowed without stp only */
	const uint8_t *mac; /* six bytes, stays the bridge's whatever joins; NULL: the kernel's */
	uint32_t mtu;	    /* 0: the kernel's */
};

/* Makes a bridge, down. -EEXIST when the name is taken. */
int host_bridge_add(struct host_nl *nl, const char *name, const struct host_bridge_conf *conf,
		    struct err *e);
/* delay: the forward delay, 1/100 s; ports that forward go on forwarding. */
int host_bridge_set_stp(struct host_nl *nl, int bridge, bool stp, uint32_t delay, struct err *e);
/* Deletes any link. */
int host_link_del(struct host_nl *nl, int index, struct err *e);
/* Makes a link a port of a bridge; master 0: of none. */
int host_link_set_master(struct host_nl *nl, int index, int master, struct err *e);
int host_link_set_up(struct host_nl *nl, int index, bool up, struct err *e);
int host_link_set_mac(struct host_nl *nl, int index, const uint8_t mac[6], struct err *e);
int host_link_set_mtu(struct host_nl *nl, int index, uint32_t mtu, struct err *e);
/* An isolated port of a bridge exchanges frames with ports that are not isolated only. */
int host_port_set_isolated(struct host_nl *nl, int port, bool isolated, struct err *e);

/* Two links, each the other's wire, down. */
int host_veth_add(struct host_nl *nl, const char *name, const char *peer, struct err *e);
/* A macvtap over a link, down; /dev/tapINDEX carries its frames. mode: MACVLAN_MODE_…
 * (linux/if_link.h); mac NULL: random. */
int host_macvtap_add(struct host_nl *nl, const char *name, int lower, uint32_t mode,
		     const uint8_t *mac, struct err *e);
/* IFF_ALLMULTI: it takes the frames of all groups. */
int host_link_set_allmulti(struct host_nl *nl, int index, bool on, struct err *e);

/* --- addresses: rtnl_addr.c ------------------------------------------------------------------- */

struct host_addr {
	int index;	  /* of the link */
	uint8_t family;	  /* AF_INET, AF_INET6 */
	uint8_t prefix;	  /* bits */
	uint8_t scope;	  /* RT_SCOPE_… (linux/rtnetlink.h) */
	uint8_t proto;	  /* IFAPROT_…, who made it; 0: not said */
	uint32_t flags;	  /* IFA_F_… (linux/if_addr.h) */
	uint8_t addr[16]; /* network order; IPv4: the first four bytes */
	uint8_t peer[16]; /* of a point-to-point address, else the same as addr */
	uint8_t broadcast[4];
	bool has_broadcast;
	char label[HOST_NAME];	   /* IPv4; "": none */
	uint32_t priority;	   /* metric of the route that comes with it; 0: the kernel's */
	uint32_t preferred, valid; /* seconds left; UINT32_MAX: for ever */
};

/* Addresses of a link (0: of all), in the kernel's order. Returns how many. */
int host_addrs(struct host_nl *nl, int index, struct host_addr **list, struct err *e);
/* -EEXIST when the link has it. Of flags, those of a request count: IFA_F_NOPREFIXROUTE, _NODAD …
 */
int host_addr_add(struct host_nl *nl, const struct host_addr *a, struct err *e);
int host_addr_del(struct host_nl *nl, const struct host_addr *a, struct err *e);

/* Parses "192.0.2.1/24", "2001:db8::1/64" into a zeroed *a (no link); -EINVAL with a line. */
int host_addr_parse(const char *text, struct host_addr *a, struct err *e);

/* --- routes: rtnl_route.c --------------------------------------------------------------------- */

struct host_route {
	uint8_t family;	  /* AF_INET, AF_INET6 */
	uint8_t dst_len;  /* bits; 0: the default route */
	uint8_t tos;	  /* or IPv6: 0 */
	uint8_t scope;	  /* RT_SCOPE_… */
	uint8_t type;	  /* RTN_UNICAST … */
	uint8_t protocol; /* RTPROT_KERNEL, RTPROT_STATIC, RTPROT_DHCP, RTPROT_RA … */
	uint8_t pref;	  /* IPv6 router preference, ICMPV6_ROUTER_PREF_… */
	bool onlink;	  /* the gateway is taken to be on the link */
	bool has_gateway, has_prefsrc;
	uint8_t gateway_family; /* a gateway of the other family is possible (RTA_VIA) */
	uint8_t dst[16], gateway[16], prefsrc[16];
	uint32_t table; /* RT_TABLE_MAIN … */
	int oif;	/* index of the link; 0: several (hops), or none */
	uint32_t metric;
	uint32_t nhid;	  /* of a next hop object; 0: none */
	uint32_t expires; /* seconds left; 0: never */
	unsigned hops;	  /* of a route over several; 0: one, oif and gateway above */
	/*
	 * The kernel's own message, in the list's block: add and delete take from it what the
	 * fields do not say (metrics, encapsulation, hops). NULL in one made by hand.
	 */
	void *msg;
};

enum host_route_how {
	HOST_ROUTE_NEW,	    /* -EEXIST when there is one of its destination, tos, metric */
	HOST_ROUTE_APPEND,  /* behind such a one */
	HOST_ROUTE_REPLACE, /* instead of such a one, at once */
};

/* Routes of a table (0: of all but the local table), in the kernel's order; not the cached ones. */
int host_routes(struct host_nl *nl, uint32_t table, struct host_route **list, struct err *e);
int host_route_add(struct host_nl *nl, const struct host_route *r, enum host_route_how how,
		   struct err *e);
int host_route_del(struct host_nl *nl, const struct host_route *r, struct err *e);
/* Does the route leave by this link (one hop of it at least)? */
bool host_route_uses(const struct host_route *r, int index);
/* Changes the link in r (and in its hops) from one to another; the kernel's route is not touched.
 */
void host_route_redirect(struct host_route *r, int from, int to);

/* --- policy rules and neighbours: rtnl_route.c --------------------------------------------------
 */

/* How many policy rules name this interface (iif or oif), or -errno. */
int host_rules_of(struct host_nl *nl, const char *ifname, struct err *e);

/* Makes the kernel look for the neighbour (ARP or ND); the answer shows in host_neigh_state(). */
int host_neigh_probe(struct host_nl *nl, int index, uint8_t family, const uint8_t *addr,
		     struct err *e);
/* Removes what the kernel knows of it; -ENOENT when that is nothing. */
int host_neigh_forget(struct host_nl *nl, int index, uint8_t family, const uint8_t *addr,
		      struct err *e);
/* NUD_REACHABLE … (linux/neighbour.h), NUD_NONE when the kernel has no entry, or -errno. */
int host_neigh_state(struct host_nl *nl, int index, uint8_t family, const uint8_t *addr,
		     struct err *e);

#endif
