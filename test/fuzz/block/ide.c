/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: the IDE controller with a disk and a CD drive, from its ports to the images.
 *
 * Input: the number of operations (1 byte), operations of 4 bytes each, then guest memory.
 * Operation: what (low nibble) and size (1, 2, 4), register, value (2 bytes).
 */
#include "bench.h"

#include "block/ide_priv.h"

#define OPS 200u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct disk_bench bench;
static struct ide *x;

static void irq(void *opaque, unsigned n, bool level)
{
	(void)opaque;
	(void)level;
	if (n != 14 && n != 15)
		abort();
}

static void make(void)
{
	bench_make(&bench);
	x = ide_new(bench.pci, bench.loop, irq, NULL, NULL);
	if (!x || ide_plug(x, 0, 0, bench_disk(&bench, false), NULL, NULL) ||
	    ide_plug(x, 1, 0, bench_disk(&bench, true), NULL, NULL))
		abort();
}

static void settle(void)
{
	/* A command that goes on for ever would stay here. */
	for (unsigned i = 0; i < IDE_CHANNELS * IDE_UNITS; i++) {
		struct ide_drive *d = &x->ch[i / IDE_UNITS].drive[i % IDE_UNITS];

		while (d->b && d->busy) {
			blk_settle(&d->bq);
			d->bq.ready(&d->bq);
		}
	}
}

/* What must hold after every step. */
static void check(void)
{
	for (unsigned i = 0; i < IDE_CHANNELS * IDE_UNITS; i++) {
		const struct ide_drive *d = &x->ch[i / IDE_UNITS].drive[i % IDE_UNITS];

		if (d->b && (d->pos > d->len || d->len > IDE_BUF ||
			     (d->status & ST_DRQ && !(d->status & ST_BSY) && d->pos >= d->len)))
			abort();
	}
}

static void access_port(uint16_t port, bool write, uint32_t v, unsigned size, unsigned count)
{
	uint8_t buf[4 * 256];

	for (unsigned i = 0; i < count; i++)
		put_le(buf + (size_t)i * size, v, size);
	bus_pio(&bench.bus, port, write, buf, size, count);
}

static void operate(const uint8_t op[4])
{
	unsigned size = 1u << (op[0] >> 4 & 3) % 3, channel = op[0] >> 7;
	uint16_t base = channel ? 0x170 : 0x1f0;
	uint32_t v = get_le16(op + 2);

	switch (op[0] & 15) {
	case 0:
	case 1:
	case 2: /* task file */
		access_port((uint16_t)(base + op[1] % 8), true, v, size, 1);
		break;
	case 3:
		access_port((uint16_t)(base + op[1] % 8), false, 0, size, 1);
		break;
	case 4: /* data, many at once */
		access_port(base, op[1] & 1, v * 0x10001u, size, 1 + v % 256);
		break;
	case 5:
		access_port((uint16_t)(base + 0x206), true, v, 1, 1);
		break;
	case 6: /* bus master */
	case 7:
		ide_bm_io.write(x, op[1] % 16, v * 0x10001u, size);
		break;
	case 8:
		ide_bm_io.read(x, op[1] % 16, size);
		break;
	case 9: /* the table at a place in memory */
		ide_bm_io.write(x, channel * 8 + 4, BASE + (v & 0xfffc), 4);
		break;
	case 10: /* memory changes */
		bench.mem[get_le16(op + 2)] = op[1];
		break;
	case 11:
		atomic_store(&blk_tray(x->ch[1].drive[0].b)->open, v & 1);
		atomic_store(&blk_tray(x->ch[1].drive[0].b)->asked, v & 2);
		break;
	case 12: { /* a whole command */
		static const uint8_t regs[] = {1, 2, 3, 4, 5};

		for (unsigned i = 0; i < sizeof(regs); i++)
			access_port((uint16_t)(base + regs[i]), true, i < 2 ? v : 0, 1, 1);
		access_port((uint16_t)(base + 6), true, 0xe0, 1, 1);
		access_port((uint16_t)(base + 7), true, op[1], 1, 1);
		break;
	}
	default:
		settle();
	}
	check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;

	if (!x)
		make();
	if (!size)
		return 0;
	n = MIN(MIN(data[0], OPS), (size - 1) / 4);
	bench_begin(&bench, data + 1 + 4 * n, size - 1 - 4 * n);
	pci_bus_reset(bench.pci);
	atomic_store(&x->pci.master, true);
	for (size_t i = 0; i < n; i++)
		operate(data + 1 + 4 * i);
	settle();
	check();
	return 0;
}
