/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared between the files of src/net/port only. */
#ifndef NET_PORT_INTERNAL_H
#define NET_PORT_INTERNAL_H

#include "net/port/port.h"

#define NET_NEED_BAD 0x80u /* a gso_type that nobody can take */

/* Indexed by gso_type: the NET_CAP_* that a receiver must have, and NET_NEED_BAD where there is
 * such a type. */
extern const uint8_t net_need_gso[256];

static inline uint32_t net_need(const struct net_offload *o)
{
	return (net_need_gso[o->gso_type] ^ NET_NEED_BAD) | (o->flags & NET_F_NEEDS_CSUM);
}

/* Only loop q writes a statistic: a plain add that readers elsewhere see whole. */
static inline void net_count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* What net_offload_push() dropped of the frames it took. */
struct net_lost {
	unsigned frames;
	uint64_t bytes;
};

/* net_push() for batches with frames that p->peer_caps excludes, or with a frame under way in
 * p->part[q]. Returns frames taken (a prefix). */
unsigned net_offload_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n,
			  struct net_lost *lost);

/* Completes the checksum of a frame in place, in memory that may be written. Returns false when
 * the metadata does not fit the frame. */
bool net_csum_in_place(struct net_frame *f);

/* Names a frame so that it can be recognised when its owner offers it again. */
void net_frame_key(const struct net_frame *f, struct net_frame_key *k);
bool net_frame_is(const struct net_frame *f, const struct net_frame_key *k);

/* Asks p for its caps, and shows them to peer, whose wire it is or shall be. */
void net_ask_caps(struct net_port *p);
void net_show_caps(const struct net_port *p, struct net_port *peer);

/* Parks those of the n loops that are not ours already; returns a bit mask for unpark. */
unsigned net_park(struct loop *const *loop, unsigned n);
void net_unpark(struct loop *const *loop, unsigned n, unsigned mask);

#endif
