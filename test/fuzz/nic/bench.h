/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the targets of all cards have in common: a PCI bus with the card, guest memory, a loop that
 * stands still (loop.c), and a peer that looks at each frame as strictly as port.h allows, has
 * room for so many, answers from inside of a call, lends, goes away and comes back.
 *
 * Memory is a heap block of just its size, so that ASan sees one byte too many; all of a frame is
 * read and all of a lent slot is written. One card serves all inputs.
 */
#ifndef FUZZ_NIC_BENCH_H
#define FUZZ_NIC_BENCH_H

#include "bus/pci.h"
#include "net/nic/nic.h"

#define BENCH_MEM  0x10000u
#define BENCH_BASE 0x1000u /* guest-physical */
#define BENCH_OPS  96u	   /* operations of an input, at most */

/* Frames that bench_send() makes */
#define BENCH_BCAST  0x01u
#define BENCH_VLAN   0x02u
#define BENCH_TCP    0x04u
#define BENCH_MINE   0x08u /* to the card; with BENCH_BCAST: to another one; neither: multicast */
#define BENCH_IP6    0x10u
#define BENCH_CSUM   0x20u /* leaves its checksum to be done */
#define BENCH_GSO    0x40u
#define BENCH_BROKEN 0x80u /* the IP header's checksum is wrong */

struct bench {
	struct accel a;
	struct accel_ops ops;
	struct bus bus;
	struct pci_bus *pci;
	struct nic *nic;
	struct loop *loop;
	struct clock clock;
	uint8_t *mem;
	struct net_port peer;
	uint32_t offloads; /* NET_CAP_* that the peer takes */
	unsigned take;	   /* frames that it has room for */
	bool echo, resume; /* what it does from inside of a push */
	bool inside;
	unsigned held; /* frames that the card did not take, to be offered again by its resume */
	uint8_t held_kind;
	uint16_t held_len;
	bool moved;	  /* configuration space was written to */
	uint32_t longest; /* frame that the card takes at any time: lent slots have room for it */
};

/* The card, made at the first call; opts: the model's struct, NULL: its defaults. */
struct bench *bench_of(const char *model, const void *opts);

/* An input begins: memory is mem, then zeros; wire, peer and addresses are as after bench_of().
 * What the card itself was made to be is the target's to undo. */
void bench_begin(struct bench *b, const uint8_t *mem, size_t size);

/* An access to memory as a CPU makes it: registers, or a page of them that is shown as memory. */
void bench_mmio(struct bench *b, uint64_t gpa, bool write, uint8_t *data, unsigned len);

/* What the loop would do. */
void bench_settle(struct bench *b);
void still_round(struct loop *l); /* once round; loop.c */

/* n frames of len bytes behind the Ethernet header; raw: what to put at byte 12, or NULL. */
void bench_send(struct bench *b, unsigned n, uint8_t kind, uint16_t len, const uint8_t *raw,
		size_t have);
/* The peer borrows 1 + how % 16 slots and fills how / 16 of them. */
void bench_lend(struct bench *b, uint8_t how, uint16_t room);
void bench_resume(struct bench *b, unsigned take);

/*
 * Operations that all targets know: op[0] is BENCH_OP | n << 3 | what, op[1] a byte, op[2] and
 * op[3] a number. Returns false when op[0] has no BENCH_OP.
 */
#define BENCH_OP 0x80u
bool bench_operate(struct bench *b, const uint8_t op[4]);

#endif
