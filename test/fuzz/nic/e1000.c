/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: an e1000, from its registers to its peer.
 *
 * Input: the number of operations (2 bytes), operations of 8 bytes each (a register is written or
 * read, memory changes, the peer sends, lends or has room, and those of bench.h), then guest
 * memory: transmit ring, receive ring, data. Each input begins with a reset and both rings set up.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bench.h"
#include "net/nic/e1000.h"

#define MEM  BENCH_MEM
#define BASE BENCH_BASE
#define RING 32u
#define TXD  BASE
#define RXD  (BASE + 0x200u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct e1000 *card(const struct bench *b)
{
	return container_of(b->nic, struct e1000, nic);
}

static void reg(struct bench *b, uint32_t off, uint32_t v)
{
	uint8_t buf[4];

	put_le32(buf, v);
	bench_mmio(b, card(b)->pci.bar[0].io.base + off, true, buf, 4);
	bench_settle(b);
}

static void look(struct bench *b, uint32_t off)
{
	uint8_t buf[4];

	bench_mmio(b, card(b)->pci.bar[0].io.base + off, false, buf, 4);
}

static void bring_up(struct bench *b)
{
	reg(b, R_CTRL, CTRL_RST | CTRL_PHY_RST);
	reg(b, R_RDBAL, RXD);
	reg(b, R_RDLEN, RING * 16);
	reg(b, R_TDBAL, TXD);
	reg(b, R_TDLEN, RING * 16);
	reg(b, R_RCTL, RCTL_EN | RCTL_UPE | RCTL_BAM);
	reg(b, R_RDT, RING - 1);
	reg(b, R_TCTL, TCTL_EN | TCTL_PSP);
}

/* Most registers of interest lie in these pages. */
static uint32_t offset(const uint8_t *op)
{
	static const uint32_t page[8] = {0, 0x100, 0x400, 0x2800, 0x3800, 0x5000, 0x5400, 0x4000};
	uint32_t v = get_le16(op + 2);

	return op[1] & 0x80 ? (v << 2 & 0x1fffc) : page[op[1] & 7] + (v & 0xfc);
}

static void operate(struct bench *b, const uint8_t op[8])
{
	uint32_t v = get_le32(op + 4);

	if (bench_operate(b, op)) {
		bench_settle(b);
		return;
	}
	switch (op[0] % 8) {
	case 0:
	case 1:
		reg(b, offset(op), v);
		break;
	case 2:
		look(b, offset(op));
		break;
	case 3:
		memcpy(b->mem + (get_le16(op + 2) % (MEM - 4)), op + 4, 4);
		break;
	case 4:
		bench_send(b, 1, op[1], get_le16(op + 2), op + 4, 4);
		break;
	case 5:
		bench_lend(b, op[1], get_le16(op + 2));
		break;
	case 6:
		bench_resume(b, op[1]);
		break;
	default:
		reg(b, op[1] & 1 ? R_TDT : R_RDT, v % RING);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct e1000_eeprom fresh;
	struct bench *b = bench_of("e1000", NULL);
	size_t at = 2, mem;

	if (size < at)
		return 0;
	if (!fresh.word[0])
		fresh = card(b)->ee;
	card(b)->ee = fresh;
	b->longest = 1514;
	mem = MIN(at + 8ul * MIN(get_le16(data), BENCH_OPS), size);
	bench_begin(b, data + mem, size - mem);
	bring_up(b);
	for (; at + 8 <= mem; at += 8)
		operate(b, data + at);
	return 0;
}
