/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a guest's vmwire (nat_client.c) and the holder of its NAT network (nat_holder.c): one
 * struct nat_msg each way over a SOCK_SEQPACKET socket. Both are root's; even so what comes is
 * checked before it is used, as the two may be of different versions.
 */
#ifndef NET_HOST_NAT_LINK_H
#define NET_HOST_NAT_LINK_H

#include "net/host/nat.h"
#include "net/host/nat_firewall.h"

#define NAT_MAGIC     0x766e6131u /* changes with the format */
#define NAT_HOLDER_FD 3		  /* the holder's first connection */

/* To the program's own first argument: become the holder of the network named in the second. */
#define NAT_HOLDER_ARG "-nat-holder"

enum nat_msg_type {
	NAT_MSG_HELLO, /* guest: I want `net` */
	NAT_MSG_CARDS, /* guest: these are my cards; holder: these are their addresses and names */
	NAT_MSG_READY, /* holder: `net` is there */
	NAT_MSG_BUSY,  /* holder: another holder has the network */
	NAT_MSG_SORRY, /* holder: it cannot be, text says why */
	NAT_MSG_TELL,  /* holder: text for the user, several lines; "": what was told is over */
};

struct nat_msg {
	uint32_t magic, type;
	struct nat_net net;
	uint32_t n;
	struct nat_card cards[NAT_CARDS];
	char text[NAT_NOTES];
};

/* One message; false when the peer has closed or what came is none (*again: nothing was there). */
bool nat_msg_read(int fd, struct nat_msg *m, bool *again);
/* False when it cannot be delivered. Never blocks for long, never raises SIGPIPE. */
bool nat_msg_send(int fd, const struct nat_msg *m);

#endif
