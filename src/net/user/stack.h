/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user-mode stack: frames of the guest on one side, sockets of the host on the other. It is
 * one port (the `user` backend) and lives on the loop of that port's queue 0.
 *
 * A frame's way in: stack_push -> eth/arp -> ip4 -> icmp | udp | tcp, which look the flow up and
 * write to its socket straight from guest memory. The way out: a socket's event -> the flow's
 * protocol -> net_lend() and recvmsg() straight into guest memory, or stack_send() for small
 * frames. Nothing is queued: what the guest has no room for stays in the kernel's socket.
 */
#ifndef NET_USER_STACK_H
#define NET_USER_STACK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/opt.h"
#include "net/port/port.h"
#include "net/prot.h"

struct flow;
struct stack;

/* Options of the backend, see user_opts in backend/user.c. Addresses in network order. */
struct user_conf {
	struct opt_ip4net net;	     /* 10.0.2.0/24 */
	struct in_addr host;	     /* x.x.x.2: the gateway; maps to the host's loopback */
	struct in_addr dns;	     /* x.x.x.3 */
	struct in_addr dhcpstart;    /* x.x.x.15 */
	struct sockaddr_in dns_host; /* dns-host=: upstream resolver; port 0: /etc/resolv.conf */
	char *hostname;		     /* hostname= for the guest by DHCP */
	char *domainname;	     /* domainname= */
	bool restricted;	     /* restrict=on */
	uint32_t mtu;		     /* MTU told to guests and used for MSS; default 1500 */
	struct opt_list hostfwd;     /* tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport */
};

/* --- flows ---------------------------------------------------------------------------------- */

enum flow_kind { FLOW_FREE, FLOW_TCP, FLOW_UDP, FLOW_ICMP, FLOW_DNS };

/* As the guest sees it: its own address and port, the remote's address and port. Network order.
 * For ICMP, gport is the echo identifier and rport 0. */
struct flow_key {
	uint32_t gaddr, raddr;
	uint16_t gport, rport;
	uint8_t proto;
	uint8_t pad[3];
};

struct tcp_flow {
	uint8_t state;		       /* enum in tcp.c */
	uint8_t flags;		       /* private to tcp.c */
	uint8_t wscale_out, wscale_in; /* ours to the guest; the guest's */
	uint16_t mss;		       /* what the guest takes */
	uint16_t retries;
	uint32_t seq_una;   /* first byte the guest has not acknowledged */
	uint32_t seq_next;  /* next byte to send to the guest */
	uint32_t ack_next;  /* next byte expected from the guest */
	uint32_t ack_sent;  /* last acknowledgement we sent */
	uint32_t win_guest; /* guest's receive window, scaled */
	uint32_t win_edge;  /* right edge of the window we told the guest */
	uint32_t rto;	    /* ms */
	uint32_t dupacks;
	uint64_t priv[6]; /* private to tcp.c */
};

struct udp_flow {
	uint8_t seen_reply;
	uint8_t host_initiated;	 /* came in by a hostfwd */
	uint16_t fwd;		 /* index in stack.fwd, for hostfwd flows */
	struct sockaddr_in peer; /* host side, for hostfwd flows */
};

struct icmp_flow {
	uint16_t id; /* the identifier of our requests on the host's side, network order */
	bool raw;    /* a raw socket: no ping socket was allowed */
};

struct dns_flow {
	uint16_t query_id; /* network order */
	uint8_t server;	   /* index of the resolver asked */
	uint8_t tries;	   /* resolvers asked so far */
	uint16_t host_id;  /* our random identifier towards the resolver, network order */
	uint16_t buf;	   /* index + 1 of the kept query in dns_state, 0: not kept */
};

/* At most 256 bytes; lives in the stack's fixed table. */
struct flow {
	uint8_t kind;		 /* enum flow_kind */
	uint8_t in_wheel, ready; /* private to flow.c */
	uint8_t gmac[ETH_ALEN];	 /* the guest's MAC for this flow */
	struct flow_key key;
	struct stack *st;
	struct loop_fd ev;  /* its socket: ev.fd, -1 when none */
	struct list wheel;  /* timer wheel */
	uint64_t deadline;  /* ns; valid while in_wheel */
	struct list link;   /* ready list (see flow_ready) or free list */
	uint32_t hash_next; /* index + 1 */
	uint32_t index;
	struct list lru;	     /* all flows, idle longest first */
	uint64_t born, used;	     /* ns; used: last flow_touch() */
	uint64_t tx_bytes, rx_bytes; /* payload: from the guest, to the guest */
	union {
		struct tcp_flow tcp;
		struct udp_flow udp;
		struct icmp_flow icmp;
		struct dns_flow dns;
	} u;
};

/* flow.c. All on the stack's loop. */

/* NULL when there is none. */
struct flow *flow_find(struct stack *st, const struct flow_key *k);
/*
 * A new flow; the table is bounded (conf: FLOW_MAX): under pressure the flow that has been idle
 * longest is ended (its protocol's `evict`) and counted. NULL only when memory is out.
 */
struct flow *flow_new(struct stack *st, enum flow_kind kind, const struct flow_key *k);
/* Removes it from table, wheel, ready list and loop, closes its socket. */
void flow_free(struct flow *f);
/* Watches fd (owned by the flow from now on) with EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI |
 * EPOLLET. */
int flow_watch(struct flow *f, int fd);
/* Arms the flow's one timer, ns on the loop's clock (resolution: the wheel's, 10 ms or finer for
 * near ones); replaces an earlier one. 0 disarms. When it fires, the protocol's `timer` runs. */
void flow_timer(struct flow *f, uint64_t when);
/* The flow has something for the guest but the guest had no room: its protocol's `ready` is
 * called after the port's resume. */
void flow_wait_room(struct flow *f);
/* Marks the flow as used now (for the eviction order). */
void flow_touch(struct flow *f);

/* One per kind, in one const table in stack.c. */
struct flow_ops {
	const char *name;
	void (*event)(struct flow *f, uint32_t events); /* its socket has EPOLL* events */
	void (*ready)(struct flow *f);			/* the guest has room again */
	void (*timer)(struct flow *f);
	void (*evict)(struct flow *f); /* end it (RST …); must flow_free(f) */
	void (*info)(const struct flow *f, char *buf, size_t len); /* state for `info usernet` */
};
extern const struct flow_ops tcp_flow_ops, udp_flow_ops, icmp_flow_ops, dns_flow_ops;

/* --- counters: each drop has a reason that `info usernet` shows ------------------------------ */

#define STACK_COUNTERS(X)                                                                          \
	X(frames_in, "frames from guests")                                                         \
	X(frames_out, "frames to guests")                                                          \
	X(bad_frame, "malformed frames dropped")                                                   \
	X(bad_csum, "frames with a wrong checksum dropped")                                        \
	X(not_ours, "frames for another station dropped")                                          \
	X(fragments, "IP fragments dropped")                                                       \
	X(unknown_proto, "packets of unknown protocols dropped")                                   \
	X(spoofed, "packets with a source outside the network dropped")                            \
	X(restricted, "packets refused by restrict=on")                                            \
	X(no_room, "frames dropped because the guest had no buffer")                               \
	X(no_socket, "flows refused: the host gave no socket")                                     \
	X(flows_made, "flows made")                                                                \
	X(flows_evicted, "idle flows replaced under pressure")                                     \
	X(tcp_retransmits, "TCP segments sent to the guest again")                                 \
	X(tcp_resets, "TCP resets sent to the guest")                                              \
	X(dns_queries, "DNS queries forwarded")                                                    \
	X(dns_timeouts, "DNS queries without an answer")                                           \
	X(icmp_echo, "ICMP echo requests answered or forwarded")                                   \
	X(dhcp_acks, "DHCP leases given")

struct stack_counters {
#define X(name, text) uint64_t name;
	STACK_COUNTERS(X)
#undef X
};

/* A parsed hostfwd. */
struct fwd {
	struct stack *st;
	uint8_t proto;			/* IP_TCP or IP_UDP */
	struct sockaddr_in host, guest; /* guest 0.0.0.0: the first DHCP lease */
	struct loop_fd ev;		/* listening or bound socket */
	struct loop_timer again; /* accept() found no descriptor or memory: once more later */
	int fd;			 /* -1: this place of stack.fwd is free */
	bool any_guest;		 /* the rule named no guest: follow the first lease */
	uint64_t hits;
};
#define FWD_MAX 1024 /* places in stack.fwd, which never moves */

/* A neighbour: a guest's address as learned from ARP, DHCP or its packets. */
struct neigh {
	uint32_t addr; /* network order, 0: free */
	uint8_t mac[ETH_ALEN];
	uint64_t seen;
};
#define STACK_NEIGHS 256

struct stack {
	struct net_port port;
	struct user_conf conf;
	uint8_t mac[ETH_ALEN]; /* the gateway's, 52:55:0a:00:02:02 from its address */
	struct loop *loop;     /* port.loop[0] while attached, else NULL */
	struct stack_counters count;
	struct neigh neigh[STACK_NEIGHS];
	struct fwd *fwd;
	unsigned nfwd; /* places ever used, free ones included */
	struct in_addr
		fwd_guest; /* where rules that name no guest go: dhcpstart, the first lease */
	struct flow_table *flows; /* flow.c */
	struct dhcp_state *dhcp;  /* dhcp.c: leases */
	struct dns_state *dns;	  /* dns.c: resolvers */
	struct udp_state *udp;	  /* udp.c: buffers of a batch */
	struct tcp_state *tcp;	  /* tcp.c: ISN secret, kernel features found at start */
	bool resuming;
	bool ping_hint; /* the hint about net.ipv4.ping_group_range was given */
};

/* A packet on its way in, header copies already made and checked for length. All offsets are
 * from the start of the Ethernet header. */
struct pkt {
	struct net_frame *f;
	struct eth_hdr eth;
	struct ip4_hdr ip;
	unsigned l3, l4; /* offset of the IP and of the transport header */
	unsigned end;	 /* end of the IP packet (the frame may be padded) */
	bool csum_ok;	 /* offload says: verified or to be filled (NEEDS_CSUM) */
};

/* stack.c */
struct stack *stack_new(const struct user_conf *c, const char *name, struct err *e);
extern const struct net_port_ops stack_port_ops;

/* Inputs of the layers; the packet is borrowed. Return nothing: they count and drop. */
void arp_in(struct stack *st, struct pkt *p);
void ip4_in(struct stack *st, struct pkt *p);
void icmp_in(struct stack *st, struct pkt *p);
void udp_in(struct stack *st, struct pkt *p);
void tcp_in(struct stack *st, struct pkt *p);
void dhcp_in(struct stack *st, struct pkt *p, unsigned payload_off);
void dns_in(struct stack *st, struct pkt *p, const struct udp_hdr *u, unsigned payload_off);

/* A new host connection on a TCP hostfwd: fd is owned by tcp.c from here on. */
void tcp_accept(struct stack *st, struct fwd *fwd, int fd, const struct sockaddr_in *from);
int tcp_init(struct stack *st, struct err *e); /* per-stack state; finds SO_PEEK_OFF support */
void tcp_exit(struct stack *st);
/* End of a batch of frames, before they are given back: what tcp_in() gathered is written to the
 * sockets, one acknowledgement per flow goes out. stack_push() must call it. */
void tcp_flush(struct stack *st);

/* Where a guest's packet to raddr:rport really goes on the host: the gateway's address means
 * loopback; false when restrict=on or the address is not reachable by policy. */
bool stack_host_addr(struct stack *st, uint32_t raddr, uint16_t rport, struct sockaddr_in *out);
/* The address the guest shall see for a host peer: loopback becomes the gateway's. */
uint32_t stack_guest_view(const struct stack *st, uint32_t haddr);

/* The guest's MAC for addr; false if not known (an ARP request is sent then). */
bool stack_neigh(struct stack *st, uint32_t addr, uint8_t mac[ETH_ALEN]);

/* Fills Ethernet and IPv4 header (checksum included) for payload_len bytes behind the IP header. */
void stack_fill_ip4(struct stack *st, struct eth_hdr *eth, struct ip4_hdr *ip,
		    const uint8_t dmac[ETH_ALEN], uint32_t src, uint32_t dst, uint8_t proto,
		    unsigned payload_len);

/*
 * Sends one frame: hdr (Ethernet on, hdr_len bytes) followed by payload vectors (may be NULL).
 * Borrowed until return. off may be NULL. Returns false when the guest has no room (the frame is
 * not sent; the caller decides: count no_room, or flow_wait_room()).
 */
bool stack_send(struct stack *st, void *hdr, unsigned hdr_len, struct iovec *payload, unsigned n,
		const struct net_offload *off);

/* ICMP error about p to its sender (RFC 792): type, code, e.g. 3/1 host unreachable. */
void icmp_error(struct stack *st, const struct pkt *p, uint8_t type, uint8_t code, uint32_t rest);

/* fwd.c */
int fwd_parse(const char *text, struct fwd *out, struct err *e);
/* Why the host's end of a forward could not be bound: code is bind()'s errno. Returns -code. */
int fwd_explain(const struct fwd *f, const char *text, int code, struct err *e);
int fwd_add(struct stack *st, const char *text, struct err *e);	   /* [ctl], parked */
int fwd_remove(struct stack *st, const char *text, struct err *e); /* [ctl], parked */

#endif
