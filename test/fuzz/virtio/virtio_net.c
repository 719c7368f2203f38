/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: a virtio-net card, from its registers to its peer.
 *
 * Input: 8 bytes of features (bit 63 without 62: by the legacy interface), the number of operations
 * (2 bytes), operations of 4 bytes each (a register access, a kick, memory that changes, the peer
 * sends or lends, and those of nic/bench.h), then guest memory from the rings on. Each input begins
 * with a reset and its rings set up.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#include "../nic/bench.h"
#include "base/opt.h"
#include "base/util.h"
#include "net/nic/virtio_net.h"

#define MEM    BENCH_MEM
#define BASE   BENCH_BASE
#define RING   0x400u  /* one queue's rings: 16 descriptors */
#define PAGES  0x3000u /* the same of the legacy interface: 256 descriptors, and a page */
#define QUEUES 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct driver {
	bool legacy;
	unsigned at[QUEUES]; /* packed rings: how many descriptors were made available */
};

static struct vnet *card(const struct bench *b)
{
	return container_of(b->nic, struct vnet, nic);
}

static void reg(struct bench *b, unsigned off, uint64_t v, unsigned size)
{
	uint8_t buf[8];

	put_le64(buf, v);
	bus_mmio(&b->bus, b->nic->pci->bar[VIRTIO_BAR_MODERN].io.base + off, true, buf, size);
}

/* The legacy interface (virtio 1.2, 4.1.4.8) */
static void port(struct bench *b, unsigned off, uint32_t v, unsigned size)
{
	uint8_t buf[4];
	uint64_t base = b->nic->pci->bar[VIRTIO_BAR_LEGACY].io.base;

	put_le32(buf, v);
	bus_pio(&b->bus, (uint16_t)(base + off), true, buf, size, 1);
}

static void bring_up_legacy(struct bench *b, uint64_t features)
{
	port(b, VIRTIO_PCI_STATUS, 3, 1);
	port(b, VIRTIO_PCI_GUEST_FEATURES, (uint32_t)(features & virtio_offer(&card(b)->v, true)),
	     4);
	for (unsigned i = 0; i < QUEUES; i++) {
		port(b, VIRTIO_PCI_QUEUE_SEL, i, 2);
		port(b, VIRTIO_PCI_QUEUE_PFN, (BASE + PAGES * i) >> 12, 4);
	}
	port(b, VIRTIO_PCI_STATUS, 7, 1);
}

static void bring_up(struct bench *b, struct driver *d, uint64_t features)
{
	reg(b, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	*d = (struct driver){.legacy = features >> 62 == 2};
	if (d->legacy) {
		bring_up_legacy(b, features);
		return;
	}
	reg(b, VIRTIO_PCI_COMMON_STATUS, 3, 1);
	features &= virtio_offer(&card(b)->v, false);
	for (unsigned i = 0; i < 2; i++) {
		reg(b, VIRTIO_PCI_COMMON_GFSELECT, i, 4);
		reg(b, VIRTIO_PCI_COMMON_GF, (uint32_t)(features >> 32 * i), 4);
	}
	reg(b, VIRTIO_PCI_COMMON_STATUS, 11, 1);
	for (unsigned i = 0; i < QUEUES; i++) {
		uint64_t at = BASE + RING * i;

		reg(b, VIRTIO_PCI_COMMON_Q_SELECT, i, 2);
		reg(b, VIRTIO_PCI_COMMON_Q_SIZE, 16, 2);
		reg(b, VIRTIO_PCI_COMMON_Q_DESCLO, at, 8);
		reg(b, VIRTIO_PCI_COMMON_Q_AVAILLO, at + 256, 8);
		reg(b, VIRTIO_PCI_COMMON_Q_USEDLO, at + 512, 8);
		reg(b, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	}
	reg(b, VIRTIO_PCI_COMMON_STATUS, 15, 1);
}

static void kick(struct bench *b, unsigned q)
{
	reg(b, VIRTIO_OFF_NOTIFY + VIRTIO_NOTIFY_STEP * q, q, 2);
}

/* The driver adds chains: the avail index grows, or the next descriptors turn their bits. */
static void add(struct bench *b, struct driver *d, unsigned q, unsigned n)
{
	uint8_t *ring = b->mem + RING * q;

	if (d->legacy) {
		b->mem[PAGES * q + 256 * 16 + 2] += (uint8_t)n;
		return;
	}
	if (!virtio_has(&card(b)->v, VIRTIO_F_RING_PACKED)) {
		ring[256 + 2] += (uint8_t)n;
		return;
	}
	for (; n; n--, d->at[q]++) {
		uint8_t *flags = ring + d->at[q] % 16 * 16 + 14;
		bool odd = d->at[q] / 16 % 2;

		flags[0] = (uint8_t)((flags[0] & 0x7f) | (odd ? 0 : 0x80));
		flags[1] = (uint8_t)((flags[1] & 0x7f) | (odd ? 0x80 : 0));
	}
}

/* A register of one of the card's regions, by its 16 bytes or so that there are. */
static void touch(struct bench *b, unsigned where, uint8_t off, uint16_t v)
{
	const struct pci_bar *bar = b->nic->pci->bar;
	uint8_t buf[8];

	put_le64(buf, v * 0x1000100010001ull);
	switch (where) {
	case 0:
		reg(b, off & 0x3eu, v, 2);
		break;
	case 1:
		reg(b, VIRTIO_OFF_DEVICE + off % 32, v, 1);
		break;
	case 2:
		port(b, off % 64, v, 1u << off / 64 % 3);
		break;
	case 3:
		bus_mmio(&b->bus, bar[VIRTIO_BAR_MODERN].io.base + (v & 0x3000) + off, false, buf,
			 1u << v % 4);
		break;
	case 4:
		bus_pio(&b->bus, (uint16_t)(bar[VIRTIO_BAR_LEGACY].io.base + off % 64), false, buf,
			1u << off / 64 % 3, 1);
		break;
	case 5:
		bus_mmio(&b->bus, bar[VIRTIO_BAR_MSIX].io.base + off * 4u, true, buf, 4);
		break;
	default:
		reg(b, off & 0x3fu, v, 1u << where % 4);
		break;
	}
}

static void operate(struct bench *b, struct driver *d, const uint8_t op[4])
{
	uint16_t v = get_le16(op + 2);

	if (bench_operate(b, op))
		return;
	switch (op[0] % 8) {
	case 0:
	case 1:
		kick(b, op[1] % QUEUES);
		break;
	case 2: /* the driver adds chains */
		add(b, d, op[1] % QUEUES, op[2] % 17);
		kick(b, op[1] % QUEUES);
		break;
	case 3:
		b->mem[v % MEM] = op[1];
		break;
	case 4:
		bench_send(b, 1, op[1], v, NULL, 0);
		break;
	case 5:
		bench_lend(b, op[1], v);
		break;
	case 6:
		bench_resume(b, op[1]);
		break;
	default:
		touch(b, op[0] >> 3 & 15, op[1], v);
		break;
	}
}

/* A card with packed rings. */
static struct bench *bench(void)
{
	struct vnet_opts o;

	opt_init(nic_model_find("virtio-net-pci")->opts, &o);
	o.packed = true;
	return bench_of("virtio-net-pci", &o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench *b = bench();
	struct driver d;
	size_t at = 10, mem;

	if (size < at)
		return 0;
	mem = MIN(at + 4ul * MIN(get_le16(data + 8), BENCH_OPS), size);
	bench_begin(b, data + mem, size - mem);
	bring_up(b, &d, get_le64(data));
	for (; at + 4 <= mem; at += 4) {
		operate(b, &d, data + at);
		bench_settle(b);
	}
	return 0;
}
