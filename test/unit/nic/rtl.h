/* SPDX-License-Identifier: BSD-2-Clause */
/* An rtl8139 on a test PC, and a driver for both of its modes, written from the datasheet. */
#ifndef TEST_NIC_RTL_H
#define TEST_NIC_RTL_H

#include <stdlib.h>
#include <time.h>

#include "card.h"
#include "net/nic/rtl8139.h"

/* Registers, by their offsets in the datasheet */
#define IDR0	 0x00
#define MAR0	 0x08
#define TSD0	 0x10
#define TSAD0	 0x20
#define RBSTART	 0x30
#define CR	 0x37
#define CAPR	 0x38
#define CBR	 0x3a
#define IMR	 0x3c
#define ISR	 0x3e
#define TCR	 0x40
#define RCR	 0x44
#define TCTR	 0x48
#define MPC	 0x4c
#define CR9346	 0x50
#define CONFIG1	 0x52
#define TIMERINT 0x54
#define MSR	 0x58
#define TSAD	 0x60
#define BMCR	 0x62
#define BMSR	 0x64
#define TPPOLL	 0xd9
#define CPCR	 0xe0
#define RDSAR	 0xe4

#define R_RXBUF (TMEM_BASE + 0x10000) /* C mode receive ring */
#define R_TXR	(TMEM_BASE + 0x40000) /* C+ rings: normal, high, receive */
#define R_HIR	(TMEM_BASE + 0x41000)
#define R_RXR	(TMEM_BASE + 0x42000)
#define R_NRX	8u		       /* receive descriptors */
#define R_RXB	(TMEM_BASE + 0x80000)  /* receive buffers, 8 KiB apart */
#define R_TXB	(TMEM_BASE + 0x100000) /* transmit buffers, 64 KiB apart */

struct rcard {
	struct pc pc;
	struct nic *nic;
	struct rtl *rtl;
	struct pci_dev *pci;
	struct loop *loop[2];
	struct peer peer[2];
};

static inline struct rcard *r_new(const char *opts)
{
	struct rcard *c = calloc(1, sizeof(*c));
	const struct nic_model *m = nic_model_find("rtl8139");
	struct rtl_opts o;
	struct err e = {0};

	assert_non_null(m);
	pc_init(&c->pc);
	if (opt_parse(m->opts, "-device rtl8139", opts, &o, &e))
		fail_msg("%s", e.text);
	if (m->create(&o, c->pc.pci, &c->nic, &e))
		fail_msg("%s", e.text);
	opt_free(m->opts, &o);
	c->pci = c->nic->pci;
	c->rtl = container_of(c->nic, struct rtl, nic);
	pc_assign(&c->pc);
	for (unsigned i = 0; i < 2; i++) {
		c->loop[i] = loop_new("test", NULL, NULL);
		net_port_init(&c->peer[i].port, &peer_ops, "peer");
		c->peer[i].take = UINT32_MAX;
		c->peer[i].offloads = NET_CAP_OFFLOADS;
	}
	return c;
}

static inline struct rcard *r_make(const char *opts)
{
	struct rcard *c = r_new(opts);

	assert_int_equal(net_join(&c->nic->port, &c->peer[0].port, c->loop, 1, NULL), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(loop_start(c->loop[i], NULL), 0);
	return c;
}

static inline void r_stop(struct rcard *c)
{
	for (unsigned i = 0; i < 2; i++) {
		loop_stop(c->loop[i]);
		loop_join(c->loop[i]);
		loop_free(c->loop[i]);
	}
	pc_exit(&c->pc);
	free(c);
}

static inline void r_free(struct rcard *c)
{
	net_unjoin(&c->nic->port);
	r_stop(c);
}

static inline void r_set(struct rcard *c, unsigned reg, uint32_t v, unsigned size)
{
	uint8_t b[4];

	put_le32(b, v);
	bus_mmio(&c->pc.bus, c->pci->bar[1].io.base + reg, true, b, size);
}

static inline uint32_t r_get(struct rcard *c, unsigned reg, unsigned size)
{
	uint8_t b[4] = {0};

	bus_mmio(&c->pc.bus, c->pci->bar[1].io.base + reg, false, b, size);
	return get_le32(b);
}

/* The interrupt status, which is cleared. */
static inline uint16_t r_isr(struct rcard *c)
{
	uint16_t v = (uint16_t)r_get(c, ISR, 2);

	r_set(c, ISR, v, 2);
	return v;
}

static inline uint8_t *r_mem(struct rcard *c, uint64_t gpa, uint64_t len)
{
	uint8_t *p = mem_ptr(&c->pc.a.mem, gpa, len);

	if (!p)
		abort();
	return p;
}

static inline bool r_pin(struct rcard *c)
{
	return atomic_load(&c->pci->intx);
}

/* C mode, as firmware has it. rcr: without the accept bits. */
static inline void r_up(struct rcard *c, uint32_t rcr)
{
	r_set(c, CR, CR_RST, 1);
	assert_int_equal(r_get(c, CR, 1), CR_BUFE);
	r_set(c, RBSTART, R_RXBUF, 4);
	r_set(c, CR, CR_TE | CR_RE, 1);
	r_set(c, RCR, rcr | RCR_APM | RCR_AB, 4);
	r_isr(c);
}

static inline void r_slot(struct rcard *c, unsigned i, const uint8_t *frame, uint32_t len)
{
	memcpy(r_mem(c, R_TXB + 0x10000 * i, len), frame, len);
	r_set(c, TSAD0 + 4 * i, R_TXB + 0x10000 * i, 4);
	r_set(c, TSD0 + 4 * i, len, 4);
	pc_sync(c->loop[0]);
}

/* One descriptor of a C+ ring; OWN comes last. */
static inline void r_desc(struct rcard *c, uint64_t ring, unsigned i, uint32_t cmd, uint32_t tag,
			  uint64_t addr)
{
	uint8_t *d = r_mem(c, ring + 16 * i, 16);

	put_le32(d + 4, tag);
	put_le64(d + 8, addr);
	put_le32(d, cmd);
}

static inline uint32_t r_status(struct rcard *c, uint64_t ring, unsigned i)
{
	return get_le32(r_mem(c, ring + 16 * i, 16));
}

/* Gives receive buffer i to the card. */
static inline void r_post(struct rcard *c, unsigned i, uint32_t size)
{
	memset(r_mem(c, R_RXB + 0x2000 * i, 0x2000), 0xee, 0x2000);
	r_desc(c, R_RXR, i, DESC_OWN | (i == R_NRX - 1 ? DESC_EOR : 0) | size, 0,
	       R_RXB + 0x2000 * i);
}

/* C+ mode, as Linux does it; receive buffers of `size` bytes. */
static inline void r_plus(struct rcard *c, uint32_t cpcr, uint32_t size)
{
	r_set(c, CR, CR_RST, 1);
	memset(r_mem(c, R_TXR, 0x3000), 0, 0x3000);
	for (unsigned i = 0; i < R_NRX; i++)
		r_post(c, i, size);
	r_set(c, CPCR, CPCR_TXON | CPCR_RXON | cpcr, 2);
	r_set(c, TSAD0 + 12, 0, 4);
	r_set(c, TSAD0 + 8, R_HIR, 4);
	r_set(c, RDSAR + 4, 0, 4);
	r_set(c, RDSAR, R_RXR, 4);
	r_set(c, TSAD0 + 4, 0, 4);
	r_set(c, TSAD0, R_TXR, 4);
	r_set(c, CR, CR_TE | CR_RE, 1);
	r_set(c, RCR, RCR_APM | RCR_AB, 4);
	r_isr(c);
}

static inline void r_poll(struct rcard *c, uint8_t what)
{
	r_set(c, TPPOLL, what, 1);
	pc_sync(c->loop[0]);
}

struct r_batch {
	struct rcard *c;
	struct net_frame *f;
	unsigned n, taken;
};

static inline void r_do_push(void *arg)
{
	struct r_batch *b = arg;

	b->taken = net_push(&b->c->peer[0].port, 0, b->f, b->n);
}

static inline unsigned r_push(struct rcard *c, struct net_frame *f, unsigned n)
{
	struct r_batch b = {.c = c, .f = f, .n = n};

	loop_call(c->loop[0], r_do_push, &b);
	return b.taken;
}

/* The peer sends bytes, in two pieces. */
static inline unsigned r_send(struct rcard *c, const void *data, uint32_t len)
{
	uint8_t *p = malloc(len);
	struct iovec vec[3] = {{0}, {p, len / 3}, {p + len / 3, len - len / 3}};
	struct net_frame f = {.vec = vec, .nvec = 3, .len = len};
	unsigned n;

	assert_non_null(p);
	memcpy(p, data, len);
	n = r_push(c, &f, 1);
	free(p);
	return n;
}

/* A broadcast of len bytes counting up. */
static inline const uint8_t *r_bytes(uint32_t len)
{
	static uint8_t data[70000];

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)i;
	memset(data, 0xff, 6);
	data[12] = 0x88;
	data[13] = 0xb5;
	return data;
}

/* A TCP or UDP packet over IPv4 with `payload` bytes of data, all checksums missing; vlan: with a
 * tag. Returns its length. */
static inline uint32_t r_packet(uint8_t *b, uint32_t payload, bool tcp)
{
	uint32_t l4 = tcp ? 20 : 8, len = 14 + 20 + l4 + payload;

	memset(b, 0, len);
	memset(b, 0xff, 6);
	b[6] = 2;
	b[12] = 0x08;
	b[14] = 0x45;
	put_be16(b + 16, (uint16_t)(20 + l4 + payload));
	b[22] = 64;
	b[23] = tcp ? 6 : 17;
	put_be32(b + 26, 0x0a000201);
	put_be32(b + 30, 0x0a000202);
	if (tcp)
		b[14 + 20 + 12] = 0x50;
	else
		put_be16(b + 14 + 20 + 4, (uint16_t)(8 + payload));
	for (uint32_t i = 0; i < payload; i++)
		b[14 + 20 + l4 + i] = (uint8_t)(i * 7);
	return len;
}

static inline uint64_t r_drops(const struct rcard *c)
{
	return c->nic->port.stats[0].drops;
}

#endif
