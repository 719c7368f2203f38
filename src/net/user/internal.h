/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the user-mode stack share among themselves, beyond the contract in stack.h. */
#ifndef NET_USER_INTERNAL_H
#define NET_USER_INTERNAL_H

#include "net/user/stack.h"

#define FLOW_MAX 65536u

/* stack.c */
/* ns on the stack's clock, also while it is not attached. */
uint64_t stack_now(const struct stack *st);
const struct flow_ops *flow_ops_of(enum flow_kind kind);
/* True for an address of the guests' network, broadcast and network address included. */
bool stack_in_net(const struct stack *st, uint32_t addr);
/* True for an address a guest may have: in the network, neither ours nor broadcast. */
bool stack_is_guest(const struct stack *st, uint32_t addr);
/* Remembers that addr (a guest's) is at mac. */
void stack_learn(struct stack *st, uint32_t addr, const uint8_t mac[ETH_ALEN]);
/*
 * A non-blocking socket, or -errno. When descriptors are out, the flow that has been idle longest
 * makes room.
 */
int stack_socket(struct stack *st, int type, int proto);

/* flow.c */
int flow_init(struct stack *st, struct err *e);
void flow_exit(struct stack *st); /* every flow is freed, without a word to the guest */
/* Registers every flow's socket and the timers on st->loop. */
int flow_attach(struct stack *st, struct err *e);
void flow_detach(struct stack *st);
void flow_resume(struct stack *st); /* the guest has room: serves those who wait, in turn */
/* The flow has more to do but it is others' turn: its `ready` is called in the next round. */
void flow_again(struct flow *f);
/*
 * A flow of the guest's at gmac with a socket of its own towards `to`, which open() makes, connects
 * and watches (0 or -errno). NULL when that fails: counted, and told to the guest by ICMP.
 */
struct flow *flow_open(struct stack *st, enum flow_kind kind, const struct flow_key *k,
		       const uint8_t gmac[ETH_ALEN], const struct sockaddr_in *to,
		       int (*open)(struct flow *f, const struct sockaddr_in *to));
/* Connects and watches fd, which belongs to the flow (or is closed) afterwards; what ICMP says of
 * it is kept for icmp_errqueue(). Returns 0 or -errno. */
int flow_connect(struct flow *f, int fd, const struct sockaddr_in *to);
unsigned flow_count(const struct stack *st);
bool flow_evict_oldest(struct stack *st); /* false when there is none */
/* Ends the flow that has been idle longest of those that have a descriptor; false: there is none. A
 * flow whose socket is just being opened has none yet, so it is never the one. */
bool flow_evict_fd(struct stack *st);
/* fn may free the flow it is given, and no other. */
void flow_for_each(const struct stack *st, void (*fn)(struct flow *f, void *arg), void *arg);

/* udp.c */
int udp_init(struct stack *st, struct err *e);
void udp_exit(struct stack *st);
/*
 * One datagram to a guest out of flat memory, cut into IP fragments if it exceeds the MTU. The
 * first UDP_ROOM bytes of buf are free for headers, the payload follows. False: no room.
 */
#define UDP_ROOM 64u
bool udp_out(struct stack *st, const uint8_t dmac[ETH_ALEN], const struct sockaddr_in *src,
	     const struct sockaddr_in *dst, uint8_t *buf, unsigned payload_len);
/* Datagrams wait on the socket of a UDP forward. */
void udp_fwd_event(struct stack *st, struct fwd *fwd);
/* Ends the flows that came in through fwd, which is about to go. */
void udp_fwd_gone(struct stack *st, struct fwd *fwd);

/* icmp.c */
/* An ICMP error about what the guest sent on flow f, of which no packet is left: an IP header and
 * eight bytes are made up from the flow's key. from: the host that complained, network order. */
void icmp_error_flow(struct flow *f, uint32_t from, uint8_t type, uint8_t code, uint32_t rest);
/* Translates an error of a socket call into an ICMP error to the guest. */
void icmp_error_errno(struct flow *f, int err);
/* Reads the error queue of a socket with IP_RECVERR and passes what ICMP said on to the guest.
 * True when the remote refuses (port unreachable). */
bool icmp_errqueue(struct flow *f);

/* dhcp.c */
int dhcp_init(struct stack *st, struct err *e);
void dhcp_exit(struct stack *st);
void dhcp_for_each(const struct stack *st,
		   void (*fn)(uint32_t addr, const uint8_t mac[ETH_ALEN], void *arg), void *arg);

/* dns.c */
int dns_init(struct stack *st, struct err *e);
void dns_exit(struct stack *st);
/* The first IPv4 resolver, for TCP; false when there is none. */
bool dns_resolver(struct stack *st, struct sockaddr_in *out);

/* fwd.c */
int fwd_init(struct stack *st, struct err *e); /* the rules of conf.hostfwd */
void fwd_exit(struct stack *st);
int fwd_attach(struct stack *st, struct err *e);
void fwd_detach(struct stack *st);
void fwd_first_lease(struct stack *st, uint32_t addr); /* any_guest rules go there from now on */

#endif
