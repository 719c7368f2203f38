/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: a virtio-net card with several queue pairs, RSS and hash reports.
 *
 * Input: 8 bytes of features, the number of operations (2 bytes), operations of 4 bytes each (a
 * register write, a kick, memory that changes, the peer sends or lends), then guest memory from
 * the rings on. The card has two queue pairs, in use when the input says so; there is one with RSS
 * and hash reports, for inputs that want these, and one without. It serves all inputs; each begins
 * with a reset.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/opt.h"
#include "base/util.h"
#include "net/nic/virtio_net.h"

#define MEM    0x10000u
#define BASE   0x1000u
#define RING   0x400u /* one queue's rings: 64 descriptors */
#define PEERS  16u
#define QUEUES 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
	struct accel a;
	struct accel_ops ops;
	struct bus bus;
	struct pci_bus *pci;
	struct nic *nic;
	struct vnet *n;
	struct loop *loop[2];
	struct net_port peer;
	unsigned take;	     /* frames the peer has room for */
	unsigned at[QUEUES]; /* packed: how many descriptors were made available */
	uint8_t *mem;
};

static unsigned sink_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct bench *b = container_of(p, struct bench, peer);
	static uint8_t copy[NET_FRAME_MAX];
	unsigned i;

	(void)q;
	for (i = 0; i < n && i < b->take; i++) {
		if (f[i].len > NET_FRAME_MAX || f[i].nvec < 2 || f[i].nvec > NET_VEC_MAX ||
		    iov_read(f[i].vec + 1, f[i].nvec - 1, 0, copy, f[i].len) != f[i].len)
			abort();
		f[i].vec[0] = (struct iovec){copy, 0};
	}
	return i;
}

static void sink_resume(struct net_port *p, unsigned q)
{
	(void)p;
	(void)q;
}

static void sink_caps(const struct net_port *p, struct net_caps *c)
{
	(void)p;
	*c = (struct net_caps){.queues = 2, .offloads = NET_CAP_OFFLOADS};
}

static int sink_attach(struct net_port *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

static void sink_detach(struct net_port *p)
{
	(void)p;
}

static const struct net_port_ops sink = {
	.kind = "fuzz",
	.push = sink_push,
	.resume = sink_resume,
	.caps = sink_caps,
	.attach = sink_attach,
	.detach = sink_detach,
};

static void no_msi(struct accel *a, uint64_t addr, uint32_t data)
{
	(void)a;
	(void)addr;
	(void)data;
}

static void no_pirq(void *opaque, unsigned pirq, bool level)
{
	(void)opaque;
	(void)pirq;
	(void)level;
}

static struct bench *bench(bool rss)
{
	static struct bench *made[2];
	struct bench *b = made[rss];
	const uint8_t irq[4] = {10, 10, 11, 11};
	struct vnet_opts o;

	if (b)
		return b;
	b = made[rss] = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->ops.msi = no_msi;
	b->a.ops = &b->ops;
	b->mem = calloc(1, MEM);
	b->a.mem = (struct guest_mem){
		.fd = -1, .n = 1, .r[0] = {.gpa = BASE, .size = MEM, .host = b->mem}};
	if (bus_init(&b->bus, &b->a, NULL))
		abort();
	b->pci = pci_bus_new(&b->bus, no_pirq, b, NULL);
	opt_init(nic_model_find("virtio-net-pci")->opts, &o);
	o.packed = o.mq = true;
	o.rss = o.hash = rss;
	o.nic.queues = 2;
	if (nic_model_find("virtio-net-pci")->create(&o, b->pci, &b->nic, NULL) ||
	    pci_assign(b->pci, 0xc0000000, 0xd0000000, 0xc000, irq, NULL))
		abort();
	pci_set_master(b->nic->pci);
	b->n = container_of(b->nic, struct vnet, nic);
	for (unsigned i = 0; i < 2; i++)
		b->loop[i] = loop_new("fuzz", NULL, NULL);
	net_port_init(&b->peer, &sink, "sink");
	if (net_join(&b->nic->port, &b->peer, b->loop, 2, NULL))
		abort();
	return b;
}

static void reg(struct bench *b, unsigned off, uint64_t v, unsigned size)
{
	uint8_t buf[8];

	put_le64(buf, v);
	bus_mmio(&b->bus, b->nic->pci->bar[VIRTIO_BAR_MODERN].io.base + off, true, buf, size);
}

static void bring_up(struct bench *b, uint64_t features)
{
	reg(b, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	reg(b, VIRTIO_PCI_COMMON_STATUS, 3, 1);
	virtio_offer(&b->n->v, false);
	features &= b->n->v.offered;
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

/* What the loop would do; it does not run here. */
static void kick(struct bench *b, unsigned q)
{
	struct virtio_queue *vq = &b->n->v.q[q];

	if (vq->watch.slot)
		vq->watch.fn(&vq->watch, 1);
}

static void send(struct bench *b, unsigned q, uint8_t what, uint16_t len)
{
	static uint8_t data[NET_FRAME_MAX];
	struct iovec vec[2] = {{0}, {data, (size_t)len + 14}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = (uint32_t)len + 14};

	memset(data, what & 1 ? 0xff : 0x01, 6);
	if (f.len <= NET_FRAME_MAX)
		net_push(&b->peer, q, &f, 1);
}

static void lend(struct bench *b, unsigned q, uint8_t what, uint16_t room)
{
	struct net_slot s[PEERS];
	unsigned n =
		net_may_lend(&b->peer, q) ? net_lend(&b->peer, q, room, s, 1 + what % PEERS) : 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t len = i < what / 16u ? s[i].f.len : 0;

		if (s[i].f.len < room || iov_size(s[i].f.vec + 1, s[i].f.nvec - 1) != s[i].f.len)
			abort();
		for (unsigned v = 1; len && v < s[i].f.nvec; v++)
			memset(s[i].f.vec[v].iov_base, 0xff, s[i].f.vec[v].iov_len);
		s[i].f.vec[0] = (struct iovec){0};
		s[i].f.len = MIN(len, NET_FRAME_MAX);
		s[i].f.off = (struct net_offload){0};
	}
	net_commit(&b->peer, q, s, n);
}

/* The driver adds chains: the avail index grows, or the next descriptors turn their bits. */
static void add(struct bench *b, unsigned q, unsigned n)
{
	uint8_t *ring = b->mem + RING * q;

	if (!virtio_has(&b->n->v, VIRTIO_F_RING_PACKED)) {
		ring[256 + 2] += (uint8_t)n;
		return;
	}
	for (; n; n--, b->at[q]++) {
		uint8_t *flags = ring + b->at[q] % 16 * 16 + 14;
		bool odd = b->at[q] / 16 % 2;

		flags[0] = (uint8_t)((flags[0] & 0x7f) | (odd ? 0 : 0x80));
		flags[1] = (uint8_t)((flags[1] & 0x7f) | (odd ? 0x80 : 0));
	}
}

static void operate(struct bench *b, const uint8_t op[4])
{
	uint16_t v = get_le16(op + 2);
	unsigned pair = op[0] >> 7, q = pair ? 3 + op[1] % 2 : op[1] % 3;

	switch (op[0] % 8) {
	case 0:
	case 1:
		kick(b, q);
		break;
	case 2: /* the driver adds chains */
		add(b, q, op[2] % 17);
		kick(b, q);
		break;
	case 3:
		b->mem[v % MEM] = op[1];
		break;
	case 4:
		send(b, pair, op[1], v);
		break;
	case 5:
		lend(b, pair, op[1], v);
		break;
	case 6:
		b->take = op[1];
		net_resume(&b->peer, pair);
		break;
	default:
		reg(b, op[1] & 0x3f & ~1u, v, 2);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 10, mem;
	struct bench *b;

	if (size < at)
		return 0;
	b = bench(get_le64(data) >> VIRTIO_NET_F_RSS & 1);
	mem = MIN(at + 4ul * get_le16(data + 8), size);
	memset(b->mem, 0, MEM);
	memcpy(b->mem, data + mem, MIN(size - mem, MEM));
	b->take = 64;
	memset(b->at, 0, sizeof(b->at));
	bring_up(b, get_le64(data));
	for (; at + 4 <= mem; at += 4)
		operate(b, data + at);
	return 0;
}
