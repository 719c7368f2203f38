/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: a virtio disk, from its registers to the image.
 *
 * Input: 8 bytes of features (bit 63: packed rings are asked for), the number of operations (1
 * byte), operations of 4 bytes each (a register access, a kick, memory that changes, completions),
 * then guest memory from the ring on: 16 descriptors at 0, driver area at 256, device area at 512.
 */
#include "../../../src/block/virtio_blk.c"

#include "bench.h"

#include <linux/virtio_pci.h>

#define OPS 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct disk_bench bench;
static struct vblk *n;

static void find(struct pci_dev *d, void *arg)
{
	(void)arg;
	n = container_of(container_of(d, struct virtio_pci, pci), struct vblk, v);
}

static void make(void)
{
	struct vblk_opts o = {0};
	struct loop *loops[1];

	bench_make(&bench);
	loops[0] = bench.loop;
	vblk_defaults(&o);
	o.packed = true;
	if (vblk_create(&o, bench_disk(&bench, false), bench.pci, loops, NULL))
		abort();
	pci_for_each(bench.pci, find, NULL);
	if (pci_assign(bench.pci, 0xc0000000, 0xf0000000, 0xc000, (const uint8_t[4]){0}, NULL))
		abort();
}

static void reg(unsigned off, uint64_t v, unsigned size)
{
	uint8_t buf[8];

	put_le64(buf, v);
	bus_mmio(&bench.bus, n->v.pci.bar[VIRTIO_BAR_MODERN].io.base + off, true, buf, size);
}

static void bring_up(uint64_t features)
{
	reg(VIRTIO_PCI_COMMON_STATUS, 0, 1);
	reg(VIRTIO_PCI_COMMON_STATUS, 3, 1);
	features = (features | VIRTIO_BIT(VIRTIO_F_VERSION_1)) & virtio_offer(&n->v, false);
	for (unsigned i = 0; i < 2; i++) {
		reg(VIRTIO_PCI_COMMON_GFSELECT, i, 4);
		reg(VIRTIO_PCI_COMMON_GF, (uint32_t)(features >> 32 * i), 4);
	}
	reg(VIRTIO_PCI_COMMON_STATUS, 11, 1);
	reg(VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	reg(VIRTIO_PCI_COMMON_Q_SIZE, 16, 2);
	reg(VIRTIO_PCI_COMMON_Q_DESCLO, BASE, 8);
	reg(VIRTIO_PCI_COMMON_Q_AVAILLO, BASE + 256, 8);
	reg(VIRTIO_PCI_COMMON_Q_USEDLO, BASE + 512, 8);
	reg(VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	reg(VIRTIO_PCI_COMMON_STATUS, 15, 1);
}

/* What the loop would do: the doorbell, and completions. */
static void kick(void)
{
	struct virtio_queue *q = &n->v.q[0];

	q->watch.fn(&q->watch, 0);
}

static void settle(void)
{
	while (n->q[0].bq.busy) {
		blk_settle(&n->q[0].bq);
		vblk_ready(&n->q[0].bq);
	}
	vblk_ready(&n->q[0].bq);
}

static void operate(const uint8_t op[4])
{
	uint32_t v = get_le16(op + 2);

	switch (op[0] & 7) {
	case 0:
		reg(op[1] % 64, v, 1u << (op[0] >> 4 & 3));
		break;
	case 1:
		reg(VIRTIO_OFF_DEVICE + op[1] % sizeof(struct virtio_blk_config), v, 1);
		break;
	case 2:
	case 3:
		bench.mem[v] = op[1];
		break;
	case 4: /* one chain more */
		put_le16(bench.mem + 258, (uint16_t)(get_le16(bench.mem + 258) + op[1] % 4));
		kick();
		break;
	case 5:
		kick();
		break;
	case 6: /* bus mastering */
		atomic_store(&n->v.pci.master, v & 1);
		n->v.pci.ops->master_changed(&n->v.pci);
		break;
	default:
		settle();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t ops;

	if (!n)
		make();
	if (size < 9)
		return 0;
	ops = MIN(MIN(data[8], OPS), (size - 9) / 4);
	bench_begin(&bench, data + 9 + 4 * ops, size - 9 - 4 * ops);
	atomic_store(&n->v.pci.master, true);
	bring_up(get_le64(data));
	kick();
	for (size_t i = 0; i < ops; i++)
		operate(data + 9 + 4 * i);
	settle();
	return 0;
}
