/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the virtio network card (virtio 1.2 section 5.1): virtio_net.c is its life,
 * virtio_net_tx.c and virtio_net_rx.c the two directions, virtio_net_ctrl.c the control queue and
 * the receive filter, virtio_net_rss.c the hash over a frame, virtio_net_vhost.c what the kernel
 * has of the rings. Nobody else includes this.
 */
#ifndef NET_NIC_VIRTIO_NET_H
#define NET_NIC_VIRTIO_NET_H

#include <linux/virtio_net.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/nic/nic.h"
#include "virtio/vhost.h"
#include "virtio/virtio_pci.h"

/* virtio 1.2, 5.1.3; not in the UAPI headers of Linux 6.1. */
#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO	56
#endif

#define VNET_PAIRS	NET_QUEUES /* queue pairs, at most */
#define VNET_CTRL_SIZE	64u
#define VNET_RING_MAX	1024u		/* descriptors of an rx or tx queue, at most */
#define VNET_MACS	NIC_FILTER_MACS /* addresses in the receive filter, both kinds together */
#define VNET_CONFIG_LEN 24u		/* all of it, up to and with supported_hash_types */
#define VNET_CONFIG_DUP 17u		/* up to and with duplex */
#define VNET_CONFIG_MTU 12u	   /* up to and with mtu: all there is without speed and duplex */
#define VNET_UNKNOWN	UINT32_MAX /* speed, 5.1.4 */

struct vnet;

struct vnet_opts {
	struct nic_conf nic;
	uint32_t host_mtu;
	bool disable_legacy, disable_modern;
	bool event_idx, indirect_desc, packed, mrg_rxbuf;
	bool csum, gso, host_tso4, host_tso6, host_ecn, host_uso;
	bool guest_csum, guest_tso4, guest_tso6, guest_ecn, guest_uso4, guest_uso6;
	bool ctrl_vq, ctrl_rx, ctrl_vlan, ctrl_mac_addr, guest_announce, ctrl_guest_offloads;
	bool status, mq, rss, hash;
	uint32_t rx_queue_size, tx_queue_size;
	uint32_t speed; /* Mbit/s or VNET_UNKNOWN */
	int duplex;	/* 0 half, 1 full, -1 unknown */
};

/* Guest to peer. Its loop's. */
struct vnet_tx {
	struct vnet *n;
	unsigned pair;
	uint32_t hdr_len;      /* 10, 12 or 20: as negotiated, since the ring started */
	bool busy;	       /* guards against being called back from net_push() */
	bool stalled;	       /* the peer had no room: nothing happens until resume() */
	bool again;	       /* resume() came while busy */
	struct loop_task more; /* the rest of a long ring, after other work had its turn */
	unsigned room;	       /* entries of vec */
	struct iovec *vec;
	uint8_t *bounce; /* flat copy of a chain of too many pieces, NET_FRAME_MAX bytes */
	struct vq_chain chain[NET_BATCH];
	struct net_frame frame[NET_BATCH];
	uint16_t head[NET_BATCH]; /* of frame[i] */
};

#define VNET_HDR_PIECES 20u /* a driver may lay the header out byte by byte (ANY_LAYOUT) */

/* The space of one virtio_net_hdr in guest memory. */
struct vnet_hdr_room {
	struct iovec v[VNET_HDR_PIECES];
	unsigned n;
};

/* A popped receive chain. */
struct vnet_buf {
	uint16_t head;
	uint32_t room; /* bytes, header included in a frame's first one */
};

/* Peer to guest. Its loop's. */
struct vnet_rx {
	struct vnet *n;
	unsigned pair;
	uint32_t hdr_len; /* 10, 12 or 20: as negotiated, since the ring started */
	bool mergeable;
	bool stalled;		   /* no buffers: resume the peer when the driver adds some */
	unsigned lent;		   /* slots lent and not yet committed */
	struct iovec *vec;	   /* push(): one chain */
	struct vnet_buf *buf;	   /* push(): chains of one frame, VNET_RING_MAX */
	struct iovec *lend_vec;	   /* lend(): all slots' entries */
	struct vnet_buf *lend_buf; /* lend(): all slots' chains, in order */
	struct {
		unsigned first, nbufs; /* in lend_buf */
		uint32_t room;
		struct vnet_hdr_room hdr;
	} slot[NET_BATCH];
};

/* What reaches the guest (5.1.6.5). */
struct vnet_filter {
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	bool uni_overflow, multi_overflow; /* more addresses than fit: all of the kind pass */
	unsigned nuni, nmulti;
	uint8_t mac[VNET_MACS][6]; /* nuni unicast ones, then nmulti multicast ones */
	uint32_t vlan[4096 / 32];
};

#define VNET_HASH_KEY	40u  /* bytes; the least that 5.1.4 allows, and enough for IPv6 and ports */
#define VNET_HASH_INPUT 36u  /* bytes: two IPv6 addresses and ports */
#define VNET_RSS_TABLE	128u /* entries; the least that 5.1.4 allows */
#define VNET_HASH_TYPES                                                                            \
	(VIRTIO_NET_RSS_HASH_TYPE_IPv4 | VIRTIO_NET_RSS_HASH_TYPE_TCPv4 |                          \
	 VIRTIO_NET_RSS_HASH_TYPE_UDPv4 | VIRTIO_NET_RSS_HASH_TYPE_IPv6 |                          \
	 VIRTIO_NET_RSS_HASH_TYPE_TCPv6 | VIRTIO_NET_RSS_HASH_TYPE_UDPv6)

/* How received frames are hashed and where they go. */
struct vnet_rss {
	bool steer;	/* by the table; else a pair gets what comes on its queue of the wire */
	uint32_t types; /* VIRTIO_NET_RSS_HASH_TYPE_*; 0: nothing is hashed */
	uint16_t mask, unclassified;
	uint16_t table[VNET_RSS_TABLE];
	uint32_t part[VNET_HASH_INPUT][256]; /* what an input byte adds to the hash */
};

struct vnet_hash {
	uint32_t value;
	uint8_t report; /* VIRTIO_NET_HASH_REPORT_*; NONE: there is no value */
};

struct vnet_kernel;

/* An eventfd that the kernel rings. */
struct vnet_bell {
	int fd; /* -1 before the first use */
	struct loop_fd w;
	struct vnet_kernel *k;
	unsigned ring;
};

/* A queue pair and the kernel's part in it; its loop's. */
struct vnet_kernel {
	struct vnet *n;
	unsigned pair;
	bool has;	       /* both rings are the kernel's */
	bool failed;	       /* it refused them since they were started */
	bool waits;	       /* for the next kick, to be tried again */
	struct loop_task task; /* hands the pair over */
	struct vnet_bell call[VHOST_RINGS], error[VHOST_RINGS];
	int calls[VHOST_RINGS]; /* eventfds that interrupt, as the kernel knows them */
};

struct vnet {
	struct nic nic;
	struct virtio_pci v;
	struct vnet_opts opts; /* .nic.id is not valid here */
	_Atomic uint64_t mac;  /* as the guest set it; low 48 bits, first byte lowest */
	_Atomic uint16_t status;
	_Atomic uint32_t peer_offloads; /* NET_CAP_* that the peer takes */
	unsigned pairs;			/* that the card has */
	unsigned wires; /* queues of the port's wire, at least 1; changes with loops parked */
	bool running;	/* the first receive queue runs; loop of queue 0 */
	/* What all pairs read and only vnet_change() changes. */
	unsigned active;	 /* pairs in use, the first ones */
	uint64_t guest_offloads; /* VIRTIO_BIT(VIRTIO_NET_F_GUEST_…) in force */
	struct vnet_filter filter;
	struct vnet_rss rss;
	/* By queue of the wire, its loop's: the pair that the peer had no room for, + 1; 0: none.
	 */
	uint8_t blocked[VNET_PAIRS];
	struct vnet_tx tx[VNET_PAIRS];
	struct vnet_rx rx[VNET_PAIRS];
	struct net_vhost *vhost; /* the peer's; changes with loops held */
	struct vnet_kernel kernel[VNET_PAIRS];
};

static inline struct vnet *vnet_of_port(struct net_port *p)
{
	return (struct vnet *)(void *)((char *)p - offsetof(struct vnet, nic.port));
}

static inline struct virtqueue *vnet_rxq(struct vnet *n, unsigned pair)
{
	return &n->v.q[2 * pair].ring;
}

static inline struct virtqueue *vnet_txq(struct vnet *n, unsigned pair)
{
	return &n->v.q[2 * pair + 1].ring;
}

/*
 * [q] Does queue i live on a loop? Only then may the wire be talked to: while the card is being
 * attached or detached the port has its peer, but the registers' thread works on rings in place.
 */
static inline bool vnet_on_loop(struct vnet *n, unsigned i)
{
	return atomic_load(&n->v.q[i].loop) != NULL;
}

/* The queue of the wire that a pair's frames go over. There are as many as pairs, or fewer: a hub
 * has one. */
static inline unsigned vnet_wire(const struct vnet *n, unsigned pair)
{
	return pair % n->wires;
}

/* 5.1.2: with several pairs negotiated the control queue is behind them all, else number 2. */
static inline bool vnet_multi(const struct vnet *n)
{
	return virtio_has(&n->v, VIRTIO_NET_F_MQ) || virtio_has(&n->v, VIRTIO_NET_F_RSS);
}

static inline unsigned vnet_ctrl(const struct vnet *n)
{
	return vnet_multi(n) ? 2 * n->pairs : 2;
}

/* True when the guest lets us use the offload of feature bit `bit` towards it. */
static inline bool vnet_guest_can(const struct vnet *n, unsigned bit)
{
	return n->guest_offloads & VIRTIO_BIT(bit);
}

/* virtio_net_tx.c */
int vnet_tx_init(struct vnet_tx *t, struct vnet *n, unsigned pair, struct err *e);
void vnet_tx_exit(struct vnet_tx *t);
void vnet_tx_run(struct vnet_tx *t);			/* [q] sends what the ring holds */
void vnet_tx_resume(struct vnet *n, unsigned wire);	/* [q] the peer has room on that queue */
void vnet_tx_forget(struct vnet_tx *t, struct loop *l); /* [q] stop or detach */

/* virtio_net_rx.c */
int vnet_rx_init(struct vnet_rx *r, struct vnet *n, unsigned pair, struct err *e);
void vnet_rx_exit(struct vnet_rx *r);
void vnet_rx_start(struct vnet_rx *r);	/* [q] */
void vnet_rx_kicked(struct vnet_rx *r); /* [q] */
unsigned vnet_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n);
unsigned vnet_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s, unsigned n);
void vnet_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n);

/* virtio_net_ctrl.c */
void vnet_ctrl_kicked(struct vnet *n); /* [q0] */
void vnet_filter_reset(struct vnet_filter *f);
void vnet_rx_filter(const struct nic *nic, struct nic_rx_filter *out); /* nic_model.rx_filter */
/* dst: the frame's first 18 bytes (len of them valid, at least 14). NULL: it passes; else why
 * not. */
const char *vnet_filter(const struct vnet *n, const uint8_t *head, unsigned len);

/* virtio_net_rss.c */
struct vnet_hash vnet_hash(const struct vnet_rss *s, const struct net_frame *f);
void vnet_rss_key(struct vnet_rss *s, const uint8_t *key, unsigned len);
unsigned vnet_rss_queue(const struct vnet_rss *s, struct vnet_hash h); /* of a steered frame */

/* virtio_net_vhost.c. All are [q] of the pair, or with the loops of all of them held. */
void vnet_kernel_init(struct vnet *n);
void vnet_kernel_exit(struct vnet *n);			    /* the kernel has none */
void vnet_kernel_peer(struct vnet *n, struct net_vhost *h); /* of this peer, NULL: none */
void vnet_kernel_review(struct vnet *n, unsigned pair);	    /* something may have changed */
void vnet_kernel_review_all(struct vnet *n);
void vnet_kernel_started(struct vnet *n, unsigned pair); /* one of its rings was */
void vnet_kernel_kicked(struct vnet *n, unsigned pair);

/* virtio_net.c */
uint64_t vnet_guest_offload_bits(void); /* the bits CTRL_GUEST_OFFLOADS may set */
/*
 * [q0] Runs fn while no other queue of the card does, so that it may change what they all read, and
 * the port's caps. Loop 0 waits for the others meanwhile, each of which waits for the next one.
 */
void vnet_change(struct vnet *n, void (*fn)(struct vnet *n, void *arg), void *arg);
void vnet_set_guest_offloads(struct vnet *n, uint64_t bits); /* in vnet_change() */
void vnet_set_steer(struct vnet *n, bool on);		     /* in vnet_change() */
void vnet_set_active(struct vnet *n, unsigned pairs);	     /* in vnet_change() */
static inline uint64_t vnet_pack_mac(const uint8_t b[6])
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 6; i++)
		v |= (uint64_t)b[i] << 8 * i;
	return v;
}

#endif
