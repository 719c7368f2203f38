/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: fw_cfg and the host bridge's view of the first megabyte, as a guest uses them.
 *
 * Input: orders of 8 bytes: kind, width, a 16-bit number, a 32-bit value. Kinds: write to one of
 * fw_cfg's ports, read one, store into the page where DMA descriptors are, start a descriptor,
 * write a byte of the bridge's configuration, load or store below 1 MiB. Guest memory is a heap
 * block of just its size, so that ASan sees one byte too many; a reset ends it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "machine/fw_cfg.h"
#include "machine/pc.h"

#define RAM   0x110000u
#define ROM   0x20000u
#define PAGE  0x1000u
#define ORDER 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void irq(struct accel *a, unsigned gsi, bool level)
{
	(void)a;
	(void)gsi;
	(void)level;
}

static void pirq(void *opaque, unsigned line, bool level)
{
	(void)opaque;
	(void)line;
	(void)level;
}

static void out(struct bus *b, uint16_t port, uint32_t v, unsigned size)
{
	uint8_t le[4];

	put_le32(le, v);
	bus_pio(b, port, true, le, size, 1);
}

/* As qtest and KVM do it. */
static void access(struct bus *b, uint64_t gpa, bool write, uint8_t *v, unsigned len)
{
	uint8_t *p = accel_cpu_ptr(b->accel, gpa, len, write);

	if (!p)
		bus_mmio(b, gpa, write, v, len);
	else
		memcpy(write ? p : v, write ? v : p, len);
}

static void order(struct bus *b, const uint8_t *o)
{
	unsigned len = 1u << (o[1] & 3);
	uint16_t n = get_le16(o + 2);
	uint32_t v = get_le32(o + 4);
	uint8_t buf[8] = {0};

	memcpy(buf, o + 4, 4);
	switch (o[0] % 7) {
	case 0:
		out(b, (uint16_t)(0x510 + n % 12), v, MIN(len, 4u));
		break;
	case 1:
		bus_pio(b, (uint16_t)(0x510 + n % 12), false, buf, MIN(len, 4u), 1);
		break;
	case 2:
		access(b, PAGE + n % (PAGE - 8), true, buf, len);
		break;
	case 3:
		out(b, 0x514, o[1] & 4 ? UINT32_MAX : 0, 4);
		out(b, 0x518, htobe32(o[1] & 8 ? v : PAGE + n % PAGE), 4);
		break;
	case 4:
		out(b, 0xcf8, 0x80000000 | (n & 0xfc), 4);
		out(b, (uint16_t)(0xcfc + (n & 3)), v, 1);
		break;
	default:
		access(b, 0x9fff0 + v % 0x60020, o[0] % 7 == 5, buf, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct accel_ops ops = {.name = "fuzz", .irq = irq};
	struct accel a = {.ops = &ops, .mem = {.fd = -1, .n = 1}, .hole = PC_VGA};
	struct pc_rom rom = {aligned_alloc(4096, ROM), ROM};
	struct pci_bus *pci;
	struct fw_cfg *f;
	struct bus b;

	a.hole_size = PC_SHADOW_END - PC_VGA;
	a.mem.r[0] = (struct mem_region){.size = RAM, .host = aligned_alloc(4096, RAM)};
	if (!rom.host || !a.mem.r[0].host || bus_init(&b, &a, NULL))
		abort();
	memset(rom.host, 0x5a, ROM);
	memset(a.mem.r[0].host, 0, RAM);
	pci = pci_bus_new(&b, pirq, NULL, NULL);
	f = fw_cfg_new(&b, &a.mem, NULL);
	if (!pci || !f || !i440fx_add(pci, &a, &rom, NULL) ||
	    fw_cfg_file(f, "etc/one", "0123456789", 10, NULL) ||
	    fw_cfg_file(f, "etc/none", "", 0, NULL))
		abort();
	for (; size >= ORDER; data += ORDER, size -= ORDER)
		order(&b, data);
	pci_bus_reset(pci);
	/* Nobody writes into a ROM, and a reset shows it again. */
	for (unsigned i = 0; i < ROM; i++)
		if (rom.host[i] != 0x5a)
			abort();
	if (accel_cpu_ptr(&a, 0xffff0, 16, false) != rom.host + ROM - 16)
		abort();
	fw_cfg_free(f);
	pci_bus_free(pci);
	bus_exit(&b);
	free(a.mem.r[0].host);
	free(rom.host);
	return 0;
}
