/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: an e1000, from its registers to its peer.
 *
 * Input: the number of operations (2 bytes), operations of 8 bytes each (a register is written or
 * read, memory changes, the peer sends, lends or has room), then guest memory: transmit ring,
 * receive ring, data. One card serves all inputs; each begins with a reset and both rings set up.
 */
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/opt.h"
#include "base/util.h"
#include "net/nic/e1000.h"

#define MEM   0x10000u
#define BASE  0x1000u
#define RING  32u
#define TXD   BASE
#define RXD   (BASE + 0x200u)
#define PEERS 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
	struct accel a;
	struct accel_ops ops;
	struct bus bus;
	struct pci_bus *pci;
	struct nic *nic;
	struct e1000 *n;
	struct loop *loop;
	struct clock clock;
	struct net_port peer;
	unsigned take; /* frames the peer has room for */
	uint8_t *mem;
};

static unsigned sink_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct bench *b = container_of(p, struct bench, peer);
	static uint8_t copy[NET_FRAME_MAX];
	unsigned i;

	(void)q;
	for (i = 0; i < n && b->take; i++, b->take--) {
		const struct net_offload *o = &f[i].off;

		if (f[i].len > NET_FRAME_MAX || f[i].nvec < 2 || f[i].nvec > NET_VEC_MAX ||
		    iov_size(f[i].vec + 1, f[i].nvec - 1) != f[i].len ||
		    iov_read(f[i].vec + 1, f[i].nvec - 1, 0, copy, f[i].len) != f[i].len)
			abort();
		if (o->flags & NET_F_NEEDS_CSUM &&
		    (o->csum_start < 14 || o->csum_start + o->csum_offset + 2u > f[i].len))
			abort();
		if (o->gso_type && (!o->gso_size || o->hdr_len >= f[i].len))
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
	*c = (struct net_caps){.queues = 1, .offloads = NET_CAP_OFFLOADS};
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

static void no_pirq(void *opaque, unsigned pirq, bool level)
{
	(void)opaque;
	(void)pirq;
	(void)level;
}

static struct bench *bench(void)
{
	static struct bench *b;
	const uint8_t irq[4] = {10, 10, 11, 11};
	struct e1000_opts o;

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->a.ops = &b->ops;
	b->mem = calloc(1, MEM);
	b->a.mem = (struct guest_mem){
		.fd = -1, .n = 1, .r[0] = {.gpa = BASE, .size = MEM, .host = b->mem}};
	if (bus_init(&b->bus, &b->a, NULL))
		abort();
	b->pci = pci_bus_new(&b->bus, no_pirq, b, NULL);
	opt_init(nic_model_find("e1000")->opts, &o);
	if (nic_model_find("e1000")->create(&o, b->pci, &b->nic, NULL) ||
	    pci_assign(b->pci, 0xc0000000, 0xd0000000, 0xc000, irq, NULL))
		abort();
	b->n = container_of(b->nic, struct e1000, nic);
	b->clock.is_virtual = true;
	b->loop = loop_new("fuzz", &b->clock, NULL);
	net_port_init(&b->peer, &sink, "sink");
	if (net_join(&b->nic->port, &b->peer, &b->loop, 1, NULL))
		abort();
	return b;
}

/* What the loop would do; it does not run here. */
static void wake(struct bench *b)
{
	if (atomic_load(&b->n->seat.ringing))
		b->n->seat.watch.fn(&b->n->seat.watch, 1);
}

static void reg(struct bench *b, uint32_t off, uint32_t v)
{
	uint8_t buf[4];

	put_le32(buf, v);
	bus_mmio(&b->bus, b->n->pci.bar[0].io.base + off, true, buf, 4);
	wake(b);
}

static void look(struct bench *b, uint32_t off)
{
	uint8_t buf[4];

	bus_mmio(&b->bus, b->n->pci.bar[0].io.base + off, false, buf, 4);
}

static void bring_up(struct bench *b)
{
	reg(b, R_CTRL, CTRL_RST);
	reg(b, R_RDBAL, RXD);
	reg(b, R_RDLEN, RING * 16);
	reg(b, R_TDBAL, TXD);
	reg(b, R_TDLEN, RING * 16);
	reg(b, R_RCTL, RCTL_EN | RCTL_UPE | RCTL_BAM);
	reg(b, R_RDT, RING - 1);
	reg(b, R_TCTL, TCTL_EN | TCTL_PSP);
}

static void send(struct bench *b, uint8_t what, uint16_t len, const uint8_t *data, size_t have)
{
	static uint8_t frame[NET_FRAME_MAX];
	struct iovec vec[2] = {{0}, {frame, (size_t)len + 14}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = (uint32_t)len + 14};

	memset(frame, what & 1 ? 0xff : 0x01, 6);
	memcpy(frame + 12, data, MIN(have, 64));
	if (f.len <= NET_FRAME_MAX)
		net_push(&b->peer, 0, &f, 1);
}

static void lend(struct bench *b, uint8_t what, uint16_t room)
{
	struct net_slot s[PEERS];
	unsigned n = net_lend(&b->peer, 0, room, s, 1 + what % PEERS);

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
	if (n)
		net_commit(&b->peer, 0, s, n);
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
		send(b, op[1], get_le16(op + 2), op + 4, 4);
		break;
	case 5:
		lend(b, op[1], get_le16(op + 2));
		break;
	case 6:
		b->take = op[1];
		net_resume(&b->peer, 0);
		break;
	default:
		reg(b, op[1] & 1 ? R_TDT : R_RDT, v % RING);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench *b = bench();
	size_t at = 2, mem;

	if (size < at)
		return 0;
	mem = MIN(at + 8ul * get_le16(data), size);
	memset(b->mem, 0, MEM);
	memcpy(b->mem, data + mem, MIN(size - mem, MEM));
	b->take = 64;
	bring_up(b);
	for (; at + 8 <= mem; at += 8)
		operate(b, data + at);
	return 0;
}
