/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port: one end of a wire. A NIC, a TAP, the user-mode stack, each member of a hub is a port;
 * two ports are joined. Frames cross a wire by net_push() or, without a copy, by net_lend() and
 * net_commit().
 *
 * THREADS: queue q of two joined ports lives on one event loop, port->loop[q], which the join
 * decides: ports learn their loops in attach() and register descriptors and timers there, and
 * remove them in detach(). Calls marked [q] run on that loop only (asserted), to completion, with
 * no lock and no blocking. [ctl] calls run on the control thread while the wire's loops are
 * parked. vCPU threads never call in here.
 *
 * OWNERSHIP: frames and slots are borrowed until the call returns (slots: until commit).
 *
 * PRESSURE: there is no hidden queue between ports. push() takes a prefix of the batch; the rest
 * stays where it is (guest ring, kernel socket) until the peer calls net_resume().
 *
 * GUEST: guest memory changes under you: copy headers once and parse the copy. Never assert on
 * guest data: count and drop, or mark the device broken.
 *
 * ERRORS: [ctl] calls return 0 or -errno plus text; [q] calls return counts.
 */
#ifndef NET_PORT_PORT_H
#define NET_PORT_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/loop.h"

#define NET_QUEUES    8	     /* queues per port, at most */
#define NET_FRAME_MAX 65550u /* Ethernet + VLAN header and the largest IP packet, bytes */
#define NET_VEC_MAX   72     /* iovec entries of a frame, vec[0] included, at most */
#define NET_BATCH     64     /* frames per push() or lend(), at most */

/* struct net_offload.flags: as VIRTIO_NET_HDR_F_* (virtio 1.2, 5.1.6) */
#define NET_F_NEEDS_CSUM 1u /* checksum from csum_start to the end belongs at csum_offset */
#define NET_F_DATA_VALID 2u /* the checksum was verified */
/* .gso_type: as VIRTIO_NET_HDR_GSO_* */
#define NET_GSO_NONE   0u
#define NET_GSO_TCPV4  1u
#define NET_GSO_UDP    3u
#define NET_GSO_TCPV6  4u
#define NET_GSO_UDP_L4 5u
#define NET_GSO_ECN    0x80u

struct net_offload { /* virtio_net_hdr's fields, host byte order */
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

struct net_frame {
	/* vec[0] is kept free for the callee's own header (virtio_net_hdr of a TAP …); the
	 * payload, starting at the Ethernet header, is vec[1 … nvec - 1], often guest memory. */
	struct iovec *vec;
	unsigned nvec; /* entries, vec[0] included: >= 2 */
	uint32_t len;  /* bytes of payload, = sum of vec[1…] */
	struct net_offload off;
};

/* An empty guest buffer lent to a backend. f.vec/nvec: room (same layout as a frame's: vec[0]
 * reserved); f.len: room when lent, bytes written when committed (0: not used, given back). */
struct net_slot {
	struct net_frame f;
	uint64_t cookie; /* the lender's */
};

/* What a port takes through push(). A frame that its peer's caps exclude is segmented and
 * checksummed in software by net_push(). */
#define NET_CAP_CSUM	 1u /* takes NET_F_NEEDS_CSUM */
#define NET_CAP_TSO4	 2u
#define NET_CAP_TSO6	 4u
#define NET_CAP_USO	 8u /* NET_GSO_UDP_L4 */
#define NET_CAP_ECN	 16u
#define NET_CAP_OFFLOADS 31u

struct net_vhost;

struct net_caps {
	unsigned queues;   /* 1 … NET_QUEUES */
	unsigned active;   /* of them, the first that are in use just now; 0: all */
	uint32_t offloads; /* NET_CAP_* it can receive */
	uint32_t mtu;	   /* IP bytes; 0: any */
	bool lends;	   /* lend() is there and works */
	/* A data path in the kernel that takes a virtio card's rings (vhost.h); NULL: none now. */
	struct net_vhost *vhost;
	/* Bytes of the virtio_net_hdr that the guest has before each frame in its rings; 0: no
	 * virtio card. Only a backend with vhost needs to know. */
	uint32_t vnet_hdr;
};

struct net_port;

struct net_port_ops {
	const char *kind; /* for the monitor: "user", "tap", "hubport", "virtio-net-pci" */
	/* [q] Frames from the peer. Returns how many of the n were taken (a prefix). If fewer
	 * than n, the port must call net_resume() when there is room. A frame that is dropped on
	 * purpose counts as taken (and is counted by net_drop()). */
	unsigned (*push)(struct net_port *p, unsigned q, struct net_frame *f, unsigned n);
	/* [q] The peer has room again after a short push() or lend(). May come unasked. */
	void (*resume)(struct net_port *p, unsigned q);
	/* [q] Optional. Lends up to n empty buffers of at least `room` bytes each (room 0: one
	 * buffer of whatever size it has), or, when that is less, of the longest frame that the
	 * port takes: a longer one is dropped by commit(). Returns how many; 0: none now, resume()
	 * will come. All lent slots must be committed before the [q] call that borrowed them
	 * returns. */
	unsigned (*lend)(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s,
			 unsigned n);
	/* [q] All slots of the last lend, in order; f.len == 0 from some slot on gives the rest
	 * back. */
	void (*commit)(struct net_port *p, unsigned q, struct net_slot *s, unsigned n);
	/* [ctl, or as net_caps_changed()] Fills *c with what the port takes just now. */
	void (*caps)(const struct net_port *p, struct net_caps *c);
	/* [ctl] The port was joined: p->peer, p->loop[] and p->peer_caps are set. Register
	 * descriptors here. May fail (nothing registered then). */
	int (*attach)(struct net_port *p, struct err *e);
	/* [ctl] Remove every descriptor, timer and task from the loops. Cannot fail. */
	void (*detach)(struct net_port *p);
	/* Peer's caps changed (p->peer_caps is new); as net_caps_changed(), on any of the wire's
	 * threads, the others held. Optional. */
	void (*peer_caps_changed)(struct net_port *p);
	/* [ctl] The wire went down or up (set_link on either end). Optional. */
	void (*link)(struct net_port *p, bool up);
	/* [ctl] net_replug() has put this port on another wire: it should tell the new network
	 * where it is (VIRTIO_NET_S_ANNOUNCE, announce.h). Optional. */
	void (*announce)(struct net_port *p);
	/* [ctl] One line for `info network` behind the kind, e.g. "net=10.0.2.0,restrict=off" or
	 * "macaddr=52:54:…". Optional. */
	void (*info)(const struct net_port *p, char *buf, size_t len);
	void (*destroy)(struct net_port *p); /* [ctl] unplugged only; frees the port */
};

/* Written on loop q only, read by anybody (relaxed). "tx": frames this port sent to its peer,
 * "rx": frames it took from it. */
struct net_stats {
	_Atomic uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes;
	_Atomic uint64_t tx_stalls; /* push() that took fewer than offered */
	_Atomic uint64_t drops;	    /* all reasons */
};

/* A frame that net_push() is segmenting and that its peer took only in part. The caller still
 * holds it and offers it again; the key tells whether the next frame is that one. */
struct net_part {
	bool active;
	uint32_t done; /* payload bytes behind the headers that the peer has already */
	struct net_frame_key {
		uint32_t len, sum; /* sum: over the first bytes of the frame */
		struct net_offload off;
	} key;
};

/* Embedded in every port's own structure. */
struct net_port {
	const struct net_port_ops *ops;
	char name[32]; /* "user.0", "net0", the id= of the user */
	struct net_port *peer;
	unsigned nqueues; /* queues in use on this wire: the lesser of both ends */
	struct loop *loop[NET_QUEUES];
	struct net_caps caps, peer_caps; /* as of attach() / net_caps_changed() */
	bool link_up;			 /* this end's; frames pass when both ends' are */
	unsigned watchers;		 /* net_watch() */
	struct net_stats stats[NET_QUEUES];
	_Atomic(const char *) last_drop;  /* const text: the latest reason, for the monitor */
	struct net_part part[NET_QUEUES]; /* private to src/net/port */
};

/* Sets up the embedded structure. name is copied. */
void net_port_init(struct net_port *p, const struct net_port_ops *ops, const char *name);

/* [ctl] Joins a and b; queue q lives on loop[q]. Attaches both; on failure nothing is joined.
 * Parks the loops meanwhile if the caller has not; so do net_unjoin() and net_set_link(). */
int net_join(struct net_port *a, struct net_port *b, struct loop *const *loop, unsigned nloops,
	     struct err *e);
/* [ctl] Detaches both ends; no-op when not joined. */
void net_unjoin(struct net_port *a);

/*
 * [ctl] Gives `nic` another backend while traffic flows: joins nic to `with` on the loops that
 * nic has (attach first: a failure leaves the old wire as it was), between batches. Returns the old
 * backend's port through *old (unjoined, not destroyed; NULL if nic had none).
 */
int net_replug(struct net_port *nic, struct net_port *with, struct net_port **old, struct err *e);

/*
 * [ctl] As net_replug(), but on loops of its own choice, for a card that goes to a hub or comes
 * from one (a hub's members live on the hub's loop). Detaches before it attaches; when that fails,
 * the old wire is made again. A frame that had gone out in part goes out again whole.
 */
int net_rejoin(struct net_port *nic, struct net_port *with, struct loop *const *loop,
	       unsigned nloops, struct net_port **old, struct err *e);

/* [q] Sends frames to the peer: statistics, link state, software offload live here. Returns how
 * many were taken (a prefix); then the caller keeps the rest and waits for ops->resume. With no
 * peer, or link down, frames are taken and counted as drops. Thread: p->loop[q]. */
unsigned net_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n);

/* [q] May this port use net_lend() towards its peer just now? False while something in between
 * must see the bytes, or the peer cannot lend or does not use this queue (push() drops). */
bool net_may_lend(const struct net_port *p, unsigned q);
/* [q] Borrows buffers from the peer to write frames into; see ops->lend. */
unsigned net_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s, unsigned n);
/* [q] Hands all n slots of the last net_lend() back, filled or not; f.off describes the frame.
 * Only frames that peer_caps allows may be committed. */
void net_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n);

/* [q] This port has room again: tells the peer. */
void net_resume(struct net_port *p, unsigned q);

/* [ctl, q of a single-queue wire, or a q while the wire's other loops are held] This port's
 * ops->caps() gives another answer now. queues cannot change, active can. */
void net_caps_changed(struct net_port *p);

/*
 * [ctl] Somebody begins or ends to look at the frames that cross this port's wire: from begin to
 * end (several may look) each passes net_push() or net_commit(), none is the kernel's alone.
 */
void net_watch(struct net_port *p, bool begin);

/* [ctl] Takes this end's link down or up and tells both ends. */
void net_set_link(struct net_port *p, bool up);
static inline bool net_link_is_up(const struct net_port *p)
{
	return p->link_up && (!p->peer || p->peer->link_up);
}

/* [q] Counts a frame that this port dropped; why is a constant text. */
void net_drop(struct net_port *p, unsigned q, const char *why);

/* True on loop q (or while it is parked by us): what [q] functions assert. */
bool net_is_here(const struct net_port *p, unsigned q);

#endif
