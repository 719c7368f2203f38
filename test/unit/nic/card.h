/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio-net card on a test PC, a driver for it, and a peer port that keeps what it is sent. */
#ifndef TEST_NIC_CARD_H
#define TEST_NIC_CARD_H

#include <linux/virtio_net.h>
#include <stdio.h>
#include <time.h>

#include "../virtio/pc.h"
#include "base/iov.h"
#include "base/opt.h"
#include "net/nic/nic.h"
#include "net/nic/virtio_net.h"

#define BIT(name) VIRTIO_BIT(VIRTIO_NET_F_##name)
#define V1	  VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define EVENT	  VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT  VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC)

#define PACKED VIRTIO_BIT(VIRTIO_F_RING_PACKED)

#define CARD_RING 256
#define CARD_BUFS (TMEM_BASE + 0x400000) /* guest buffers, 128 KiB apart */
#define CARD_STEP 0x20000ull
#define CARD_KEPT 512

/* Cards have packed=on, and modern drivers use it. */
static bool card_packed;

/* Queues of the peer; pair q's half of the wire is on loop q. At most two. */
static unsigned card_queues = 1;

struct kept {
	uint32_t len;
	struct net_offload off;
	uint8_t head[64]; /* first bytes */
	uint8_t sum;	  /* of all bytes */
	unsigned nvec;
	const void *where; /* vec[1] */
};

struct peer {
	struct net_port port;
	unsigned take;		 /* frames it has room for; of the first queue */
	unsigned n;		 /* frames it got by the first queue */
	_Atomic unsigned second; /* by the second, which always has room and keeps nothing */
	struct kept kept[CARD_KEPT];
	unsigned batches, resumes;
	uint32_t offloads;
};

struct card {
	struct pc pc;
	struct nic *nic;
	struct vnet *vnet;
	struct pci_dev *pci;
	struct loop *loop[2];
	struct peer peer[2];
	struct ring r[5]; /* rx, tx of each pair, ctrl */
	unsigned ctrl;	  /* index of the control queue */
	unsigned hdr_len;
	uint64_t features;
};

static inline struct peer *peer_of(struct net_port *p)
{
	return container_of(p, struct peer, port);
}

static inline unsigned peer_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct peer *t = peer_of(p);
	unsigned i;

	if (q) {
		atomic_fetch_add(&t->second, n);
		return n;
	}
	t->batches++;
	for (i = 0; i < n && t->take; i++, t->take--) {
		struct kept *k = &t->kept[t->n++ % CARD_KEPT];

		assert_true(f[i].nvec >= 2 && f[i].nvec <= NET_VEC_MAX);
		assert_int_equal(iov_size(f[i].vec + 1, f[i].nvec - 1), f[i].len);
		*k = (struct kept){.len = f[i].len, .off = f[i].off, .nvec = f[i].nvec};
		k->where = f[i].vec[1].iov_base;
		iov_read(f[i].vec + 1, f[i].nvec - 1, 0, k->head, sizeof(k->head));
		for (unsigned v = 1; v < f[i].nvec; v++)
			for (size_t b = 0; b < f[i].vec[v].iov_len; b++)
				k->sum += ((const uint8_t *)f[i].vec[v].iov_base)[b];
		/* vec[0] is ours to write to. */
		f[i].vec[0] = (struct iovec){0};
	}
	return i;
}

static inline void peer_resume(struct net_port *p, unsigned q)
{
	if (!q)
		peer_of(p)->resumes++;
}

static inline void peer_caps(const struct net_port *p, struct net_caps *c)
{
	*c = (struct net_caps){.queues = card_queues,
			       .offloads = peer_of((struct net_port *)(uintptr_t)p)->offloads};
}

static inline int peer_attach(struct net_port *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

static inline void peer_detach(struct net_port *p)
{
	(void)p;
}

static const struct net_port_ops peer_ops = {
	.kind = "test",
	.push = peer_push,
	.resume = peer_resume,
	.caps = peer_caps,
	.attach = peer_attach,
	.detach = peer_detach,
};

/* opts: as behind -device virtio-net-pci, . Not joined yet, loops not started. */
static inline struct card *card_new(const char *opts)
{
	struct card *c = calloc(1, sizeof(*c));
	const struct nic_model *m = nic_model_find("virtio");
	struct vnet_opts o;
	struct err e = {0};
	char all[256];

	assert_non_null(m);
	pc_init(&c->pc);
	snprintf(all, sizeof(all), "%s%s%s", opts, card_packed && *opts ? "," : "",
		 card_packed ? "packed=on" : "");
	if (opt_parse(m->opts, "-device virtio-net-pci", all, &o, &e))
		fail_msg("%s", e.text);
	o.nic.queues = card_queues;
	if (m->create(&o, c->pc.pci, &c->nic, &e))
		fail_msg("%s", e.text);
	opt_free(m->opts, &o);
	c->pci = c->nic->pci;
	c->ctrl = 2;
	c->vnet = container_of(c->nic, struct vnet, nic);
	pc_assign(&c->pc);
	for (unsigned i = 0; i < 2; i++) {
		c->loop[i] = loop_new("test", NULL, NULL);
		net_port_init(&c->peer[i].port, &peer_ops, "peer");
		c->peer[i].take = UINT32_MAX;
		c->peer[i].offloads = NET_CAP_OFFLOADS;
	}
	return c;
}

static inline void card_join(struct card *c)
{
	assert_int_equal(net_join(&c->nic->port, &c->peer[0].port, c->loop, card_queues, NULL), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(loop_start(c->loop[i], NULL), 0);
}

static inline struct card *card_make(const char *opts)
{
	struct card *c = card_new(opts);

	card_join(c);
	return c;
}

static inline void card_free(struct card *c)
{
	net_unjoin(&c->nic->port);
	for (unsigned i = 0; i < 2; i++) {
		loop_stop(c->loop[i]);
		loop_join(c->loop[i]);
		loop_free(c->loop[i]);
	}
	pc_exit(&c->pc);
	free(c);
}

/* Resets and starts the driver. features without VERSION_1: the 10-byte header of old. */
static inline void card_up(struct card *c, uint64_t features)
{
	uint64_t at = TMEM_BASE;

	if (card_packed && features & V1)
		features |= PACKED;
	c->features = features;
	c->hdr_len = features & (V1 | BIT(MRG_RXBUF)) ? 12 : 10;
	if (features & BIT(HASH_REPORT))
		c->hdr_len = 20;
	assert_true(mod_negotiate(&c->pc, c->pci, features));
	c->ctrl = features & (BIT(MQ) | BIT(RSS)) ? 2 * c->vnet->pairs : 2;
	for (unsigned i = 0; i <= c->ctrl; i++) {
		at = (features & PACKED ? ring_init_packed : ring_init)(
			&c->r[i], &c->pc.a.mem, at, i == c->ctrl ? 64 : CARD_RING);
		mod_queue(&c->pc, c->pci, i, &c->r[i], (uint16_t)i);
	}
	mod_driver_ok(&c->pc, c->pci);
	pc_sync(c->loop[0]);
	pc_sync(c->loop[1]);
}

static inline void card_kick(struct card *c, unsigned q)
{
	mod_kick(&c->pc, c->pci, q);
	pc_sync(c->loop[0]);
	pc_sync(c->loop[1]);
}

static inline uint64_t card_gpa(unsigned i)
{
	return CARD_BUFS + CARD_STEP * i;
}

static inline uint8_t *card_buf(struct card *c, unsigned i)
{
	return mem_ptr(&c->pc.a.mem, card_gpa(i), CARD_STEP);
}

/* Posts receive buffer i of len bytes (header included) as one descriptor. */
static inline void card_post(struct card *c, unsigned i, uint32_t len)
{
	memset(card_buf(c, i), 0xee, len);
	ring_desc(&c->r[0], i, card_gpa(i), len, VRING_DESC_F_WRITE, 0);
	ring_add(&c->r[0], (uint16_t)i);
}

/* Makes transmit chain i available: header h and a frame of len bytes in one descriptor. The
 * frame is a broadcast filled with byte `fill`. */
static inline void card_send(struct card *c, unsigned i, const struct virtio_net_hdr *h,
			     uint32_t len, uint8_t fill)
{
	uint8_t *b = card_buf(c, i);

	memset(b, 0, c->hdr_len);
	if (h)
		memcpy(b, h, sizeof(*h));
	memset(b + c->hdr_len, fill, len);
	memset(b + c->hdr_len, 0xff, MIN(len, 6));
	ring_desc(&c->r[1], i, card_gpa(i), c->hdr_len + len, 0, 0);
	ring_add(&c->r[1], (uint16_t)i);
}

/* Number of used elements on queue q since the last call. */
static inline unsigned card_done(struct card *c, unsigned q)
{
	uint32_t id, len;
	unsigned n = 0;

	while (ring_used(&c->r[q], &id, &len))
		n++;
	return n;
}

static inline uint64_t card_drops(const struct card *c)
{
	return c->nic->port.stats[0].drops;
}

/* The peer's side, on the loop. */
struct card_batch {
	struct card *c;
	struct net_frame *f;
	unsigned n, taken;
};

static inline void card_do_push(void *arg)
{
	struct card_batch *b = arg;

	b->taken = net_push(&b->c->peer[0].port, 0, b->f, b->n);
}

/* The peer sends n frames; returns how many were taken. */
static inline unsigned card_push(struct card *c, struct net_frame *f, unsigned n)
{
	struct card_batch b = {.c = c, .f = f, .n = n};

	loop_call(c->loop[0], card_do_push, &b);
	return b.taken;
}

/* One frame of len bytes to `dst`, bytes counting up from 0 behind the addresses, in two parts. */
static inline unsigned card_push_one(struct card *c, const uint8_t dst[6], uint32_t len,
				     const struct net_offload *off)
{
	static uint8_t data[NET_FRAME_MAX + 4096];
	struct iovec vec[3] = {{0}, {data, len / 3}, {data + len / 3, len - len / 3}};
	struct net_frame f = {.vec = vec, .nvec = 3, .len = len};

	for (unsigned i = 0; i < len; i++)
		data[i] = (uint8_t)i;
	memcpy(data, dst, 6);
	data[12] = 0x08;
	data[13] = 0x00;
	if (off)
		f.off = *off;
	return card_push(c, &f, 1);
}

static const uint8_t card_bcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Does the content at p look like what card_push_one() sent from byte `from` on? */
static inline bool card_content(const uint8_t *p, uint32_t from, uint32_t len)
{
	for (uint32_t i = from; i < from + len; i++)
		if (i >= 14 && p[i - from] != (uint8_t)i)
			return false;
	return true;
}

/* A millisecond. */
static inline void card_nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Sends a control command with up to 512 bytes of data; returns the acknowledgement, 0xaa: none. */
static inline uint8_t card_ctrl(struct card *c, uint8_t class, uint8_t cmd, const void *data,
				uint32_t len)
{
	uint8_t *b = card_buf(c, 0);
	uint64_t gpa = card_gpa(0);

	b[0] = class;
	b[1] = cmd;
	if (len)
		memcpy(b + 16, data, len);
	b[4096] = 0xaa;
	ring_desc(&c->r[c->ctrl], 0, gpa, 2, VRING_DESC_F_NEXT, 1);
	ring_desc(&c->r[c->ctrl], 1, gpa + 16, len, VRING_DESC_F_NEXT, 2);
	ring_desc(&c->r[c->ctrl], 2, gpa + 4096, 1, VRING_DESC_F_WRITE, 0);
	ring_add(&c->r[c->ctrl], 0);
	card_kick(c, c->ctrl);
	/* Where other threads keep the loops busy, it takes a moment. */
	for (unsigned i = 0; i < 2000 && __atomic_load_n(b + 4096, __ATOMIC_ACQUIRE) == 0xaa; i++)
		card_nap();
	for (unsigned i = 0; i < 2000 && !card_done(c, c->ctrl); i++)
		card_nap();
	return b[4096];
}

#endif
