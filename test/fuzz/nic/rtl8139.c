/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: an rtl8139, from its registers and rings to its peer.
 *
 * Input: the mode (1 byte: 0 C mode, 1 C+ mode, 2 as it is), the number of operations (2 bytes),
 * operations of 6 bytes each (a register access, memory that changes, the peer sends, takes), then
 * guest memory. One card serves all inputs; each begins with a reset.
 */
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/opt.h"
#include "base/util.h"
#include "net/nic/rtl8139.h"

#define MEM  0x10000u
#define BASE 0x1000u
#define TXR  BASE /* C+ rings */
#define RXR  (BASE + 0x400u)
#define BUF  (BASE + 0x1000u) /* C mode receive ring and transmit buffers */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
	struct accel a;
	struct accel_ops ops;
	struct bus bus;
	struct pci_bus *pci;
	struct nic *nic;
	struct rtl *n;
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
	for (i = 0; i < n && i < b->take; i++) {
		if (f[i].len > NET_FRAME_MAX || f[i].nvec < 2 || f[i].nvec > NET_VEC_MAX ||
		    iov_read(f[i].vec + 1, f[i].nvec - 1, 0, copy, f[i].len) != f[i].len)
			abort();
		if (f[i].off.flags & NET_F_NEEDS_CSUM &&
		    f[i].off.csum_start + f[i].off.csum_offset + 2u > f[i].len)
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
	const struct nic_model *m = nic_model_find("rtl8139");
	struct rtl_opts o;

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b || !m)
		abort();
	b->clock.is_virtual = true;
	b->a.ops = &b->ops;
	b->a.conf.clock = &b->clock;
	b->mem = calloc(1, MEM);
	b->a.mem = (struct guest_mem){
		.fd = -1, .n = 1, .r[0] = {.gpa = BASE, .size = MEM, .host = b->mem}};
	if (bus_init(&b->bus, &b->a, NULL))
		abort();
	b->pci = pci_bus_new(&b->bus, no_pirq, b, NULL);
	opt_init(m->opts, &o);
	if (m->create(&o, b->pci, &b->nic, NULL) ||
	    pci_assign(b->pci, 0xc0000000, 0xd0000000, 0xc000, irq, NULL))
		abort();
	b->n = container_of(b->nic, struct rtl, nic);
	b->loop = loop_new("fuzz", &b->clock, NULL);
	net_port_init(&b->peer, &sink, "sink");
	if (net_join(&b->nic->port, &b->peer, &b->loop, 1, NULL))
		abort();
	return b;
}

static void reg(struct bench *b, unsigned off, uint32_t v, unsigned size)
{
	uint8_t buf[4];

	put_le32(buf, v);
	bus_mmio(&b->bus, b->nic->pci->bar[1].io.base + off, true, buf, size);
}

static void bring_up(struct bench *b, uint8_t mode)
{
	reg(b, 0x37, CR_RST, 1);
	b->n->tx.stalled = false;
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

/* What the loop would do; it does not run here. */
static void run(struct bench *b)
{
	struct loop_task *more = &b->n->tx.more;

	b->n->seat.watch.fn(&b->n->seat.watch, 1);
	if (more->queued) {
		loop_undefer(b->loop, more);
		more->fn(more);
	}
}

static void send(struct bench *b, uint8_t what, uint16_t len)
{
	static uint8_t data[NET_FRAME_MAX];
	struct iovec vec[2] = {{0}, {data, (size_t)len + 14}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = (uint32_t)len + 14};

	memset(data, what & 1 ? 0xff : 0x01, 6);
	put_be16(data + 12, what & 2 ? 0x8100 : 0x0800);
	put_be16(data + 16, 0x0800);
	data[what & 2 ? 18 : 14] = 0x45;
	data[what & 2 ? 27 : 23] = what & 4 ? 6 : 17;
	if (f.len <= NET_FRAME_MAX)
		net_push(&b->peer, 0, &f, 1);
}

static void operate(struct bench *b, const uint8_t op[6])
{
	uint32_t v = get_le32(op + 2);
	uint8_t buf[4];

	switch (op[0] % 8) {
	case 0:
	case 1:
		reg(b, op[1], v, 1u << (op[0] >> 3) % 3);
		break;
	case 2:
		bus_mmio(&b->bus, b->nic->pci->bar[1].io.base + op[1], false, buf,
			 1u << (op[0] >> 3) % 3);
		break;
	case 3:
		b->mem[v % MEM] = op[1];
		break;
	case 4:
		send(b, op[1], (uint16_t)v);
		break;
	case 5:
		b->take = op[1];
		net_resume(&b->peer, 0);
		break;
	case 6: /* the driver gives all transmit descriptors away */
		for (unsigned i = 0; i < 64; i++)
			b->mem[16 * i + 3 + (op[1] & 1 ? 0x400 : 0)] |= 0x80;
		reg(b, 0xd9, 0xc0, 1);
		break;
	default: /* time goes by */
		atomic_fetch_add(&b->clock.now, v);
		if (b->n->rx.timer.heap && loop_next_timer(b->loop) <= atomic_load(&b->clock.now)) {
			loop_timer_del(b->loop, &b->n->rx.timer);
			b->n->rx.timer.fn(&b->n->rx.timer);
		}
		break;
	}
	run(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench *b = bench();
	size_t at = 3, mem;

	if (size < at)
		return 0;
	mem = MIN(at + 6ul * get_le16(data + 1), size);
	memset(b->mem, 0, MEM);
	memcpy(b->mem, data + mem, MIN(size - mem, MEM));
	b->take = 64;
	bring_up(b, data[0] % 3);
	for (; at + 6 <= mem; at += 6)
		operate(b, data + at);
	return 0;
}
