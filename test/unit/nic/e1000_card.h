/* SPDX-License-Identifier: BSD-2-Clause */
/* An e1000 on a test PC, the register side of a driver, and the peer of card.h. */
#ifndef TEST_NIC_E1000_CARD_H
#define TEST_NIC_E1000_CARD_H

#include "card.h"
#include "net/nic/e1000.h"
#include "net/nic/nic_opts.h"

#define E_RING	  64u
#define E_RX	  TMEM_BASE
#define E_TX	  (TMEM_BASE + 0x10000)
#define E_RXBUF	  (TMEM_BASE + 0x100000) /* 32 KiB apart */
#define E_TXBUF	  (TMEM_BASE + 0x800000)
#define E_STEP	  0x8000u
#define E_OUTSIDE 0xffffff00000000ull

struct ecard {
	struct pc pc;
	struct nic *nic;
	struct e1000 *n;
	struct loop *loop;
	struct peer peer;
	struct clock clock; /* stands still */
	uint32_t tx, rx;    /* next descriptor of ours */
};

static inline uint32_t ereg(struct ecard *c, uint32_t off)
{
	uint8_t b[4];

	bus_mmio(&c->pc.bus, c->n->pci.bar[0].io.base + off, false, b, 4);
	return get_le32(b);
}

static inline void ewr(struct ecard *c, uint32_t off, uint32_t v)
{
	uint8_t b[4];

	put_le32(b, v);
	bus_mmio(&c->pc.bus, c->n->pci.bar[0].io.base + off, true, b, 4);
}

static inline void *egpa(struct ecard *c, uint64_t gpa)
{
	return mem_ptr(&c->pc.a.mem, gpa, 16);
}

static inline struct ecard *ecard_new(const char *model)
{
	struct ecard *c = calloc(1, sizeof(*c));
	const struct nic_model *m = nic_model_find(model);
	struct e1000_opts o;
	struct err e = {0};

	c->clock.is_virtual = true;
	atomic_store(&c->clock.now, 1000000000);
	pc_init(&c->pc);
	c->pc.a.conf.clock = &c->clock;
	if (opt_parse(m->opts, "-device", "mac=52:54:00:0a:0b:0c", &o, &e))
		fail_msg("%s", e.text);
	if (m->create(&o, c->pc.pci, &c->nic, &e))
		fail_msg("%s", e.text);
	opt_free(m->opts, &o);
	c->n = container_of(c->nic, struct e1000, nic);
	pc_assign(&c->pc);
	c->loop = loop_new("test", &c->clock, NULL);
	net_port_init(&c->peer.port, &peer_ops, "peer");
	c->peer.take = UINT32_MAX;
	c->peer.offloads = NET_CAP_OFFLOADS;
	return c;
}

static inline void ecard_join(struct ecard *c)
{
	assert_int_equal(net_join(&c->nic->port, &c->peer.port, &c->loop, 1, NULL), 0);
	assert_int_equal(loop_start(c->loop, NULL), 0);
}

static inline void ecard_free(struct ecard *c)
{
	net_unjoin(&c->nic->port);
	loop_stop(c->loop);
	loop_join(c->loop);
	loop_free(c->loop);
	pc_exit(&c->pc);
	free(c);
}

/* Reset, and both rings; rctl: besides EN and SECRC. */
static inline void ecard_up(struct ecard *c, uint32_t rctl)
{
	ewr(c, R_CTRL, ereg(c, R_CTRL) | CTRL_RST);
	memset(mem_ptr(&c->pc.a.mem, E_RX, 0x20000), 0, 0x20000);
	for (unsigned i = 0; i < E_RING; i++)
		put_le64(egpa(c, E_RX + 16 * i), E_RXBUF + E_STEP * i);
	ewr(c, R_RDBAL, (uint32_t)E_RX);
	ewr(c, R_RDBAH, (uint32_t)(E_RX >> 32));
	ewr(c, R_RDLEN, E_RING * 16);
	ewr(c, R_TDBAL, (uint32_t)E_TX);
	ewr(c, R_TDBAH, (uint32_t)(E_TX >> 32));
	ewr(c, R_TDLEN, E_RING * 16);
	ewr(c, R_RCTL, RCTL_EN | RCTL_SECRC | rctl);
	ewr(c, R_RDT, E_RING - 1);
	ewr(c, R_TCTL, TCTL_EN | TCTL_PSP);
	c->tx = c->rx = 0;
}

static inline struct ecard *ecard_make(uint32_t rctl)
{
	struct ecard *c = ecard_new("e1000");

	ecard_join(c);
	ecard_up(c, rctl);
	return c;
}

static inline void etx(struct ecard *c, uint64_t first, uint64_t second)
{
	uint8_t *d = egpa(c, E_TX + 16ull * c->tx);

	put_le64(d, first);
	put_le64(d + 8, second);
	c->tx = (c->tx + 1) % E_RING;
}

static inline void ego(struct ecard *c)
{
	ewr(c, R_TDT, c->tx);
	pc_sync(c->loop);
}

/* The done bit of transmit descriptor i. */
static inline bool edone(struct ecard *c, unsigned i)
{
	return ((uint8_t *)egpa(c, E_TX + 16ull * i))[12] & TXD_DD;
}

static inline uint8_t *ebuf(struct ecard *c)
{
	return mem_ptr(&c->pc.a.mem, E_TXBUF, 0x40000);
}

#define LEGACY(len_, cmd_) ((uint64_t)(len_) | (uint64_t)(cmd_) << 24)
#define EDATA(len_, cmd_, popts_)                                                                  \
	((uint64_t)(len_) | 1ull << 20 | (uint64_t)((cmd_) | TXD_DEXT) << 24 |                     \
	 (uint64_t)(popts_) << 40)

struct ebatch {
	struct ecard *c;
	struct net_frame *f;
	unsigned n, taken;
};

static inline void edo_push(void *arg)
{
	struct ebatch *b = arg;

	b->taken = net_push(&b->c->peer.port, 0, b->f, b->n);
}

static inline unsigned epush(struct ecard *c, struct net_frame *f, unsigned n)
{
	struct ebatch b = {c, f, n, 0};

	loop_call(c->loop, edo_push, &b);
	return b.taken;
}

/* One frame of data in two pieces. */
static inline unsigned epush_one(struct ecard *c, uint8_t *data, uint32_t len)
{
	struct iovec vec[3] = {{0}, {data, len / 3}, {data + len / 3, len - len / 3}};
	struct net_frame f = {.vec = vec, .nvec = 3, .len = len};

	return epush(c, &f, 1);
}

/* Second quadword of receive descriptor i. */
static inline uint64_t erx(struct ecard *c, unsigned i)
{
	return get_le64((uint8_t *)egpa(c, E_RX + 16ull * i) + 8);
}

static inline uint8_t *erxbuf(struct ecard *c, unsigned i)
{
	return mem_ptr(&c->pc.a.mem, E_RXBUF + E_STEP * i, E_STEP);
}

static const uint8_t emac[6] = {0x52, 0x54, 0, 0x0a, 0x0b, 0x0c};

#endif
