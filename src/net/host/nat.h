/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A NAT network: a bridge that vmwire makes, an address on it, DHCP and DNS by a dnsmasq of its
 * own, masquerade by a table of nftables. Guests, each a vmwire process with a TAP, share it.
 *
 * WHO OWNS WHAT. What all guests share belongs to a small process of its own, the holder
 * (nat_holder.c), which the first guest starts (nat_client.c) and which ends, taking everything
 * down, when the last guest has closed its connection. What is one guest's (TAP, forwards, filter,
 * rate) belongs to that guest's vmwire and goes with it. Both kinds of nftables tables carry the
 * owner flag: the kernel removes them when the process dies, and nobody else can flush them.
 *
 * WHEN SOMETHING DIES. A guest: the kernel takes its TAP and its tables; the holder sees the
 * connection close. The holder: its table goes with it, dnsmasq is killed by the kernel
 * (PR_SET_PDEATHSIG), bridge and files stay; every guest sees the connection close and starts a
 * holder again, the first one wins and takes the bridge over as it is. All: the next start
 * removes the bridge, the files, and rules put into other firewalls. dnsmasq: the holder starts
 * another.
 *
 * This header has what all files of nat_*.c share; each has its own functions below.
 */
#ifndef NET_HOST_NAT_H
#define NET_HOST_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NAT_NAME    16 /* bytes of an interface's name, with the final 0 */
#define NAT_DEFAULT "vmwire0"
#define NAT_DOMAIN  "vmwire.internal" /* of the guests' names */
#define NAT_LABEL   64		      /* bytes of a guest's name, with the final 0 */
#define NAT_CARDS   8		      /* cards of one guest on one network, at most */
#define NAT_FWDS    64		      /* forwards of one guest, at most */

enum nat_mode {
	NAT_MASQUERADE, /* out behind the host's address */
	NAT_ROUTED,	/* out as they are */
	NAT_ISOLATED,	/* not out */
};

/* struct nat_net.given: what the user said */
#define NAT_GIVEN_NET	 1u
#define NAT_GIVEN_MODE	 2u
#define NAT_GIVEN_ADJUST 4u
#define NAT_GIVEN_V6	 8u

/* A network: as a guest wants it, or as it is. IPv4 in host order. */
struct nat_net {
	char name[NAT_NAME]; /* of the bridge */
	uint32_t addr;	     /* of the network; the host has the one behind it */
	uint8_t prefix;	     /* NAT_PREFIX_MIN … NAT_PREFIX_MAX */
	uint8_t mode;	     /* enum nat_mode */
	bool adjust;	     /* firewall=adjust */
	bool v6;
	uint8_t ula[16]; /* the /64 network; the host has ::1 in it */
	uint8_t mac[6];	 /* of the bridge */
	uint32_t given;	 /* NAT_GIVEN_* */
};

#define NAT_PREFIX_MIN 8
#define NAT_PREFIX_MAX 29

/* A card on the network. */
struct nat_card {
	uint8_t mac[6];
	uint32_t addr;	      /* reserved for it, host order; as a wish 0: any */
	char name[NAT_LABEL]; /* as others resolve it */
};

/* A forward, IPv4 in host order. */
struct nat_fwd {
	bool udp;
	uint32_t host;	/* 0: all addresses of the host */
	uint32_t guest; /* 0: not known yet, no rule is made */
	uint16_t host_port, guest_port;
};

/* --- nat_subnet.c: addresses; pure ----------------------------------------------------------- */

/* A range of addresses that the host uses, IPv4 in host order. */
struct nat_used {
	uint32_t addr;
	uint8_t prefix;
	char what[96]; /* "the route 10.0.0.0/8 dev eth0" */
};

/* The one of n that overlaps with addr/prefix; NULL: none. */
const struct nat_used *nat_clash(const struct nat_used *used, unsigned n, uint32_t addr,
				 uint8_t prefix);

/* Sets net->addr and ->prefix: what was given when it overlaps with nothing, else the first free
 * one of those we know. */
int nat_choose(struct nat_net *net, const struct nat_used *used, unsigned n, struct err *e);

/* Sets net->ula and ->mac, which depend on its name and the machine (/etc/machine-id) only. */
void nat_identity(struct nat_net *net, const char *machine);

/* The halves of a network: reserved for cards we know by MAC, and given to others by DHCP. */
struct nat_halves {
	uint32_t reserved[2], dynamic[2]; /* first, last */
};
struct nat_halves nat_halves(const struct nat_net *net);

/*
 * An address for the card, the same at every start unless another of the n cards has it: the one
 * that card->addr asks for when that is free. 0: all are taken.
 */
uint32_t nat_reserve(const struct nat_net *net, const struct nat_card *card,
		     const struct nat_card *others, unsigned n);

/* Makes a name a label of DNS: letters, digits, hyphens. Empty: nothing of it was left. */
void nat_label(const char *name, char label[NAT_LABEL]);

/* Gives `card` a name that none of the n others has: its own, or with the end of its MAC behind. */
void nat_unique(struct nat_card *card, const struct nat_card *others, unsigned n);

/* 0 when a guest that wants `wish` can join `have`; else -EINVAL naming the option that differs. */
int nat_agree(const struct nat_net *have, const struct nat_net *wish, struct err *e);

/* Is this a name for a bridge or TAP, and for tables of nftables? */
bool nat_name_ok(const char *name);

#define NAT_ADDR_TEXT 16
/* Host order to text. */
const char *nat_addr_text(uint32_t addr, char buf[NAT_ADDR_TEXT]);

static inline uint32_t nat_mask(uint8_t prefix)
{
	return prefix ? 0xffffffffu << (32 - prefix) : 0;
}

static inline uint32_t nat_host(const struct nat_net *net)
{
	return net->addr + 1;
}

#endif
