/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large sends of the old cards. Their drivers hand over headers that stand for every segment of a
 * frame; a peer wants the headers of one large frame and a struct net_offload beside it.
 */
#ifndef NET_NIC_LSO_H
#define NET_NIC_LSO_H

#include <stdbool.h>
#include <stdint.h>

#include "net/port/port.h"

/*
 * Makes a frame that its receiver can take whole, or segment. hdr: a writable copy of its first
 * hdr_len bytes, from the Ethernet header to the end of the TCP or UDP header; l3, l4: offsets of
 * the IP and the TCP or UDP header in it; payload: bytes behind hdr_len; mss: payload bytes of a
 * segment, 0: only the checksum is wanted, the frame is one packet.
 *
 * Sets in hdr: IP length and IPv4 header checksum, UDP length, and the sum of the pseudo header
 * in the checksum field. Fills *off. Returns 0, or -EINVAL when hdr is not what the offsets
 * claim, holds a fragment, or the packet would be too long for IP; hdr may then be half changed.
 */
int lso_frame(uint8_t *hdr, uint32_t hdr_len, uint32_t l3, uint32_t l4, uint32_t payload,
	      uint16_t mss, bool tcp, struct net_offload *off);

#endif
