/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the TCP translation share. Not for anybody else.
 *
 * tcp.c       entry, per-stack state, connection table entries' operations
 * tcp_conn.c  opening and ending a connection, timers
 * tcp_in.c    guest -> host: segments, acknowledgements, windows
 * tcp_out.c   host -> guest: frames out of the socket's queue, control segments
 */
#ifndef NET_USER_TCP_PRIV_H
#define NET_USER_TCP_PRIV_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "base/util.h"
#include "net/user/internal.h"

/*
 * States are RFC 9293's, seen from our end of the guest's connection, plus CONNECTING: the
 * guest's SYN waits for the host's answer.
 *
 * state        guest data  host data  meaning
 * CONNECTING       -           -      guest's SYN came, connect() is under way, nothing answered
 * SYN_SENT         -           -      host connection accepted, our SYN is on its way
 * SYN_RCVD         -           -      our SYN-ACK is on its way
 * ESTABLISHED      yes         yes
 * FIN_WAIT_1       yes         again  host ended its direction, our FIN is not acknowledged
 * FIN_WAIT_2       yes         -      host ended its direction, our FIN is acknowledged
 * CLOSE_WAIT       -           yes    guest ended its direction, shutdown(SHUT_WR) was done
 * CLOSING          -           again  both ended, neither FIN's order matters any more
 * LAST_ACK         -           again  guest ended first, then the host; our FIN is on its way
 * TIME_WAIT        -           -      all is over, socket closed; a lost last ACK is repeated
 *
 * "again": what is in flight may be retransmitted, nothing new can exist.
 */
enum tcp_st {
	TCPS_CLOSED,
	TCPS_CONNECTING,
	TCPS_SYN_SENT,
	TCPS_SYN_RCVD,
	TCPS_ESTABLISHED,
	TCPS_FIN_WAIT_1,
	TCPS_FIN_WAIT_2,
	TCPS_CLOSE_WAIT,
	TCPS_CLOSING,
	TCPS_LAST_ACK,
	TCPS_TIME_WAIT,
	TCPS_COUNT,
};

/* Operations permitted in a state. */
#define TOP_RX	 1u /* the guest may send data and its FIN */
#define TOP_TX	 2u /* segments with data or FIN may be sent to the guest */
#define TOP_SYNC 4u /* both ends know both sequence numbers (RFC 5961 applies) */

struct tcp_st_info {
	const char *name;
	uint8_t ops;
};
extern const struct tcp_st_info tcp_st_info[TCPS_COUNT];

/* struct tcp_priv.flags */
#define TF_HOST_IN  0x0001u /* the socket may hold bytes, or an EOF, that we have not sent */
#define TF_RDHUP    0x0002u /* the host's FIN is in the socket: a short read ends at EOF */
#define TF_EOF	    0x0004u /* .max is the sequence number behind our FIN, which was sent once */
#define TF_FIN_OUT  0x0008u /* our FIN is below seq_next (cleared when going back) */
#define TF_ACK	    0x0010u /* an acknowledgement is due */
#define TF_ACKED    0x0020u /* the guest acknowledged bytes since the last settling */
#define TF_WAIT_OUT 0x0040u /* send buffer too full: EPOLLOUT brings a window update */
#define TF_LOST	    0x0080u /* guest bytes did not fit and were dropped: provoke a retransmission */
#define TF_SENT	    0x0100u /* something was written to the socket before */
#define TF_NODELAY  0x0200u /* TCP_NODELAY is set */
#define TF_PEEK	    0x0400u /* SO_PEEK_OFF is on for this socket */
#define TF_BULK	    0x0800u /* the last read filled what was lent */
#define TF_DIRTY    0x1000u /* in tcp_state.dirty */
#define TF_TIMER    0x2000u /* flow_timer() is armed */
#define TF_RECOVER  0x4000u /* fast recovery, until .recover is acknowledged */
#define TF_URG	    0x8000u /* urgent data was seen: a short read does not mean empty */
#define TF_RTT	    0x10000u /* a round trip is being timed */
#define TF_WSCALE   0x20000u /* both sides scale windows */
#define TF_NO_ARP   0x40000u /* the guest's MAC is not known yet */

/* Overlay of struct tcp_flow.priv. */
struct tcp_priv {
	uint32_t flags;	  /* TF_* */
	uint32_t head;	  /* sequence number of the first byte in the socket's receive queue */
	uint32_t peek;	  /* sequence number where the kernel's SO_PEEK_OFF stands */
	uint32_t max;	  /* highest sequence number ever sent + 1 */
	uint32_t recover; /* what ends fast recovery */
	uint32_t cwnd;	  /* bytes in flight at most; shrinks on loss only */
	uint32_t room;	  /* free bytes of the send buffer when last asked */
	uint32_t rtt_seq, rtt_ms;
	uint32_t rto_at;	 /* ms: when retransmission or window probe is due */
	uint16_t srtt8, rttvar4; /* ms, scaled as in RFC 6298's usual integer form */
	uint8_t dup_out;	 /* duplicate acknowledgements owed */
	uint8_t pad[3];
};
_Static_assert(sizeof(struct tcp_priv) <= sizeof(((struct tcp_flow *)0)->priv), "overlay");

#define TCP_FRAME_HDR  54u /* Ethernet, IPv4 and TCP without options */
#define TCP_IOV_MAX    1024u
#define TCP_SLOTS_MAX  64u  /* frames of a burst, at most */
#define TCP_BURST      8u   /* GSO frames per read, at most */
#define TCP_GATHER_IOV 512u /* vectors gathered for one sendmsg() */
#define TCP_DIRTY_MAX  64u
#define TCP_SKIP_MAX   (48u << 10) /* without SO_PEEK_OFF: bytes read over again, at most */
#define TCP_SKIP_PAGE  4096u
#define TCP_WSCALE     7u
#define TCP_WIN_FIRST  (32u << 10) /* window in our SYN: fits the kernel's smallest send buffer */
#define TCP_CWND_MAX   (1u << 30)
#define TCP_RTO_MIN    200u
#define TCP_RTO_FIRST  1000u
#define TCP_RTO_MAX    60000u
#define TCP_ARP_RETRY  200u
#define TCP_SYN_TRIES  6u
#define TCP_TRIES      12u
#define TCP_TIME_WAIT  1000u /* ms; the wire is one machine long */

struct tcp_gather {
	struct flow *f; /* NULL: empty */
	unsigned n;
	uint32_t bytes;
	struct iovec iov[TCP_GATHER_IOV];
};

struct tcp_state {
	uint64_t secret[2]; /* initial sequence numbers, RFC 6528 */
	uint64_t challenge_from;
	unsigned challenges; /* in the second that began then */
	unsigned ndirty;
	struct flow *dirty[TCP_DIRTY_MAX];
	struct tcp_gather gather;
	struct net_slot slot[TCP_SLOTS_MAX];
	struct iovec iov[TCP_IOV_MAX + NET_VEC_MAX];
	uint8_t skip[TCP_SKIP_PAGE]; /* bytes already in flight land here */
	uint8_t bounce[NET_FRAME_MAX];
	bool peek_off; /* the kernel has SO_PEEK_OFF for TCP (6.9 and later) */
};

/* A segment from the guest: checked copies only. */
struct tcp_seg {
	struct tcp_hdr h; /* as received */
	uint32_t seq, ack;
	uint32_t len;  /* payload */
	unsigned data; /* offset of the payload in the frame */
	uint16_t win;  /* unscaled */
	uint8_t flags;
	uint16_t mss;  /* option, 0: none */
	int8_t wscale; /* option, -1: none */
};

static inline struct tcp_priv *tcp_priv(struct flow *f)
{
	return (struct tcp_priv *)f->u.tcp.priv;
}

/* Sequence numbers are modular (RFC 9293, 3.4). */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
static inline bool seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline uint32_t tcp_ms(const struct stack *st)
{
	return (uint32_t)(loop_now(st->loop) / NS_PER_MS);
}

static inline bool tcp_may(const struct flow *f, uint8_t op)
{
	return tcp_st_info[f->u.tcp.state].ops & op;
}

/* Bytes (and FIN) sent and not acknowledged. */
static inline uint32_t tcp_flight(const struct flow *f)
{
	return f->u.tcp.seq_next - f->u.tcp.seq_una;
}

/* tcp.c */
void tcp_mark(struct flow *f);	 /* tcp_settle() it when the batch is over */
void tcp_forget(struct flow *f); /* takes it out of gather and dirty list */
uint32_t tcp_isn(struct stack *st, const struct flow_key *k);

/* tcp_conn.c. Functions that return bool: false says that the flow is gone. */
void tcp_open(struct stack *st, struct pkt *p, const struct flow_key *k, const struct tcp_seg *s);
void tcp_in_connecting(struct flow *f, struct pkt *p, const struct tcp_seg *s);
void tcp_in_syn_sent(struct flow *f, struct pkt *p, const struct tcp_seg *s);
void tcp_in_time_wait(struct flow *f, struct pkt *p, const struct tcp_seg *s);
void tcp_connected(struct flow *f, uint32_t events);
void tcp_establish(struct flow *f, const struct tcp_seg *s);
void tcp_reset(struct flow *f, bool to_guest, bool to_host); /* the flow is gone */
void tcp_finish(struct flow *f);			     /* orderly end: the flow is gone */
void tcp_time_wait(struct flow *f);
void tcp_timer(struct flow *f);
void tcp_arm(struct flow *f, uint32_t ms); /* timer in at most ms */
void tcp_arm_rto(struct flow *f);	   /* (re)starts the retransmission time */

/* tcp_in.c */
void tcp_in_sync(struct flow *f, struct pkt *p, const struct tcp_seg *s);
bool tcp_gather_flush(struct stack *st);
void tcp_window(struct flow *f, bool force); /* asks the socket for room when worth it */

/* tcp_out.c */
bool tcp_pull(struct flow *f);
bool tcp_retransmit(struct flow *f); /* one frame from seq_una on */
void tcp_discard(struct flow *f, bool all);
bool tcp_settle(struct flow *f); /* what is due: drop acknowledged bytes, send, acknowledge */
bool tcp_send_ctl(struct flow *f, uint32_t seq, uint8_t flags);
void tcp_rst_reply(struct stack *st, const struct pkt *p, const struct tcp_seg *s);

#endif
