/* SPDX-License-Identifier: BSD-2-Clause */
/* Wire formats: Ethernet II, ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293),
 * UDP (RFC 768), ICMP (RFC 792). Fields are in network order; structures are packed and are only
 * ever filled from a checked copy. */
#ifndef NET_PROT_H
#define NET_PROT_H

#include <stdint.h>

#define ETH_ALEN 6
#define ETH_HDR	 14u

#define ETH_IP4	 0x0800
#define ETH_ARP	 0x0806
#define ETH_RARP 0x8035
#define ETH_VLAN 0x8100
#define ETH_IP6	 0x86dd

#define IP_ICMP	  1
#define IP_TCP	  6
#define IP_UDP	  17
#define IP_ICMPV6 58

struct eth_hdr {
	uint8_t dst[ETH_ALEN], src[ETH_ALEN];
	uint16_t type;
} __attribute__((packed));

struct arp_pkt { /* Ethernet/IPv4 */
	uint16_t htype, ptype;
	uint8_t hlen, plen;
	uint16_t op;
	uint8_t sha[ETH_ALEN];
	uint32_t spa;
	uint8_t tha[ETH_ALEN];
	uint32_t tpa;
} __attribute__((packed));

struct ip4_hdr {
	uint8_t ver_ihl, tos;
	uint16_t len, id, frag;
	uint8_t ttl, proto;
	uint16_t csum;
	uint32_t src, dst;
} __attribute__((packed));

#define IP4_DF	    0x4000
#define IP4_MF	    0x2000
#define IP4_OFFMASK 0x1fff

struct ip6_hdr {
	uint32_t ver_tc_flow;
	uint16_t len;
	uint8_t next, hops;
	uint8_t src[16], dst[16];
} __attribute__((packed));

struct tcp_hdr {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t off, flags; /* off: data offset in the upper 4 bits */
	uint16_t win, csum, urg;
} __attribute__((packed));

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

struct udp_hdr {
	uint16_t sport, dport, len, csum;
} __attribute__((packed));

struct icmp_hdr {
	uint8_t type, code;
	uint16_t csum, id, seq;
} __attribute__((packed));

#endif
