/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: an rtl8139, from its registers and rings to its peer.
 *
 * Input: the mode (1 byte: 0 C mode, 1 C+ mode, 2 as it is), the number of operations (2 bytes),
 * operations of 6 bytes each (a register access, memory that changes, the peer sends, takes, and
 * those of bench.h), then guest memory. Each input begins with a reset.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bench.h"
#include "net/nic/rtl8139.h"

#define MEM  BENCH_MEM
#define BASE BENCH_BASE
#define TXR  BASE /* C+ rings */
#define RXR  (BASE + 0x400u)
#define BUF  (BASE + 0x1000u) /* C mode receive ring and transmit buffers */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rtl *card(const struct bench *b)
{
	return container_of(b->nic, struct rtl, nic);
}

static void reg(struct bench *b, unsigned off, uint32_t v, unsigned size)
{
	uint8_t buf[4];

	put_le32(buf, v);
	bench_mmio(b, b->nic->pci->bar[1].io.base + off, true, buf, size);
}

static void bring_up(struct bench *b, uint8_t mode)
{
	reg(b, 0x37, CR_RST, 1);
	if (mode > 1)
		return;
	if (mode) {
		reg(b, 0xe0, 0x63, 2);
		reg(b, 0x20, TXR, 4);
		reg(b, 0xe4, RXR, 4);
	}
	for (unsigned i = 0; i < 4 && !mode; i++)
		reg(b, 0x20 + 4 * i, BUF + 0x800 * i, 4);
	if (!mode)
		reg(b, 0x30, BUF + 0x2000, 4);
	reg(b, 0x37, CR_TE | CR_RE, 1);
	reg(b, 0x44, 0x0f, 4);
}

static void operate(struct bench *b, const uint8_t op[6])
{
	uint32_t v = get_le32(op + 2);
	uint8_t buf[4];

	if (bench_operate(b, op)) {
		bench_settle(b);
		return;
	}
	switch (op[0] % 8) {
	case 0:
	case 1:
		reg(b, op[1], v, 1u << (op[0] >> 3) % 3);
		break;
	case 2:
		bench_mmio(b, b->nic->pci->bar[1].io.base + op[1], false, buf,
			   1u << (op[0] >> 3) % 3);
		break;
	case 3:
		b->mem[v % MEM] = op[1];
		break;
	case 4:
		bench_send(b, 1, op[1], (uint16_t)v, NULL, 0);
		break;
	case 5:
		bench_resume(b, op[1]);
		break;
	case 6: /* the driver gives all transmit descriptors away */
		for (unsigned i = 0; i < 64; i++)
			b->mem[16 * i + 3 + (op[1] & 1 ? 0x400 : 0)] |= 0x80;
		reg(b, 0xd9, 0xc0, 1);
		break;
	default: /* time goes by */
		atomic_fetch_add(&b->clock.now, v);
		break;
	}
	bench_settle(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rtl_eeprom fresh;
	struct bench *b = bench_of("rtl8139", NULL);
	size_t at = 3, mem;

	if (size < at)
		return 0;
	if (!fresh.word[0])
		fresh = card(b)->eeprom;
	card(b)->eeprom = fresh;
	b->longest = 0x1fff - RTL_CRC;
	mem = MIN(at + 6ul * MIN(get_le16(data + 1), BENCH_OPS), size);
	bench_begin(b, data + mem, size - mem);
	bring_up(b, data[0] % 3);
	for (; at + 6 <= mem; at += 6)
		operate(b, data + at);
	return 0;
}
