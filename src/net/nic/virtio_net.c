/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network card (virtio 1.2 section 5.1): options, features, configuration, and its
 * life as a PCI device on one side and a port on the other.
 *
 * Queue pair p's rings live on loop p of the wire, the control queue on loop 0; all of them move
 * when the wire does (attach, detach). A wire with fewer queues than the card has pairs (a hub has
 * one) carries several pairs in turn. Which queue is the control queue depends on what the driver
 * acknowledged (5.1.2): number 2 changes its loop accordingly before it starts.
 *
 * What a running driver negotiated or ordered is written from loop 0, with the loops of all pairs
 * held (vnet_change), and cleared when the device is reset; the port's capabilities follow, so that
 * a peer never sends what the driver does not take. On the data path everybody just reads it. Only
 * the first pairs are in use, as many as the driver said (5.1.6.5.5), one after a reset: what the
 * others' rings hold stays there, what comes for them is dropped. With RSS the driver's table says
 * which pair gets a frame, and all pairs share one queue of the wire (virtio_net_rss.c).
 *
 * Of the offloads that a guest may use for what it sends, those are offered that the peer takes;
 * without a peer all are. A peer that comes later and can do less is served by the software
 * offload in net_push().
 */
#include "net/nic/virtio_net.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "net/nic/nic_opts.h"

/* --- offloads and capabilities -------------------------------------------------------------- */

uint64_t vnet_guest_offload_bits(void)
{
	return VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) |
	       VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN) |
	       VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO6);
}

/* 5.1.3.1: what needs what. */
static uint64_t drop_orphans(uint64_t f)
{
	static const struct {
		uint8_t bit, needs;
	} dep[] = {
		{VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM},
		{VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM},
		{VIRTIO_NET_F_GUEST_USO4, VIRTIO_NET_F_GUEST_CSUM},
		{VIRTIO_NET_F_GUEST_USO6, VIRTIO_NET_F_GUEST_CSUM},
		{VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM},
		{VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM},
		{VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_CSUM},
		{VIRTIO_NET_F_CTRL_RX, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_CTRL_RX_EXTRA, VIRTIO_NET_F_CTRL_RX},
		{VIRTIO_NET_F_CTRL_VLAN, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_CTRL_MAC_ADDR, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_GUEST_ANNOUNCE, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_MQ, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_RSS, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_HASH_REPORT, VIRTIO_NET_F_CTRL_VQ},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(dep); i++)
		if (!(f & VIRTIO_BIT(dep[i].needs)))
			f &= ~VIRTIO_BIT(dep[i].bit);
	if (!(f & (VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6))))
		f &= ~VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN);
	if (!(f & (VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6))))
		f &= ~VIRTIO_BIT(VIRTIO_NET_F_HOST_ECN);
	return f;
}

static bool tells_speed(const struct vnet_opts *o)
{
	return o->speed != VNET_UNKNOWN || o->duplex >= 0;
}

static uint64_t vnet_features(struct virtio_pci *v)
{
	struct vnet *n = container_of(v, struct vnet, v);
	const struct vnet_opts *o = &n->opts;
	uint32_t peer = atomic_load(&n->peer_offloads);
	const struct {
		bool on;
		uint8_t bit;
	} offer[] = {
		{true, VIRTIO_NET_F_MAC},
		{o->status, VIRTIO_NET_F_STATUS},
		{o->host_mtu, VIRTIO_NET_F_MTU},
		{tells_speed(o), VIRTIO_NET_F_SPEED_DUPLEX},
		{o->mrg_rxbuf, VIRTIO_NET_F_MRG_RXBUF},
		{o->csum && peer & NET_CAP_CSUM, VIRTIO_NET_F_CSUM},
		{o->gso && o->host_tso4 && peer & NET_CAP_TSO4, VIRTIO_NET_F_HOST_TSO4},
		{o->gso && o->host_tso6 && peer & NET_CAP_TSO6, VIRTIO_NET_F_HOST_TSO6},
		{o->gso && o->host_ecn && peer & NET_CAP_ECN, VIRTIO_NET_F_HOST_ECN},
		{o->gso && o->host_uso && peer & NET_CAP_USO, VIRTIO_NET_F_HOST_USO},
		{o->guest_csum, VIRTIO_NET_F_GUEST_CSUM},
		{o->guest_tso4, VIRTIO_NET_F_GUEST_TSO4},
		{o->guest_tso6, VIRTIO_NET_F_GUEST_TSO6},
		{o->guest_ecn, VIRTIO_NET_F_GUEST_ECN},
		{o->guest_uso4, VIRTIO_NET_F_GUEST_USO4},
		{o->guest_uso6, VIRTIO_NET_F_GUEST_USO6},
		{o->ctrl_vq, VIRTIO_NET_F_CTRL_VQ},
		{o->ctrl_rx, VIRTIO_NET_F_CTRL_RX},
		{o->ctrl_rx, VIRTIO_NET_F_CTRL_RX_EXTRA},
		{o->ctrl_vlan, VIRTIO_NET_F_CTRL_VLAN},
		{o->ctrl_mac_addr, VIRTIO_NET_F_CTRL_MAC_ADDR},
		{o->guest_announce && o->status, VIRTIO_NET_F_GUEST_ANNOUNCE},
		{o->ctrl_guest_offloads, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS},
		{o->mq && n->pairs > 1, VIRTIO_NET_F_MQ},
		{o->rss, VIRTIO_NET_F_RSS},
		{o->hash, VIRTIO_NET_F_HASH_REPORT},
	};
	uint64_t f = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(offer); i++)
		if (offer[i].on)
			f |= VIRTIO_BIT(offer[i].bit);
	return drop_orphans(f);
}

/* --- what all pairs read ------------------------------------------------------------------- */

struct change {
	struct vnet *n;
	unsigned wire; /* whose loop is held */
	void (*fn)(struct vnet *n, void *arg);
	void *arg;
};

static void hold_next(void *arg)
{
	struct change *c = arg;
	struct loop *l = NULL;

	/* Transmit queue w is on loop w whatever was negotiated. */
	if (++c->wire < c->n->wires)
		l = atomic_load(&c->n->v.q[2 * c->wire + 1].loop);
	if (l)
		loop_call(l, hold_next, c);
	else
		c->fn(c->n, c->arg);
}

/*
 * Each loop waits for one further up the wire, never for one further down, and whoever parks
 * several does so in that order (net_park, vm_park): nobody waits in a circle. While the card has
 * no loops it is ours anyway.
 */
void vnet_change(struct vnet *n, void (*fn)(struct vnet *n, void *arg), void *arg)
{
	struct change c = {.n = n, .fn = fn, .arg = arg};

	if (vnet_on_loop(n, 0))
		hold_next(&c);
	else
		fn(n, arg);
}

void vnet_set_steer(struct vnet *n, bool on)
{
	bool was = n->rss.steer;

	n->rss.steer = on;
	if (was != on && vnet_on_loop(n, 0))
		net_caps_changed(&n->nic.port);
	vnet_kernel_review_all(n);
	/* A peer that waits for buffers of one queue may now find those of another. */
	for (unsigned i = 0; i < n->pairs; i++)
		virtio_pci_kick(&n->v, 2 * i);
}

void vnet_set_active(struct vnet *n, unsigned pairs)
{
	unsigned old = n->active;

	if (pairs == old)
		return;
	n->active = pairs;
	atomic_store(&n->nic.active, pairs);
	/* The kernel gives back what goes out of use, before the peer detaches its end of it. */
	vnet_kernel_review_all(n);
	if (vnet_on_loop(n, 0))
		net_caps_changed(&n->nic.port);
	/* What waits in rings that come into use; a peer that waits for buffers of those that do
	 * not may stop waiting. */
	for (unsigned i = 2 * MIN(pairs, old); i < 2 * MAX(pairs, old); i++)
		virtio_pci_kick(&n->v, i);
}

/* Of the header before each frame in the rings. */
static uint32_t hdr_len(const struct vnet *n)
{
	if (virtio_has(&n->v, VIRTIO_NET_F_HASH_REPORT))
		return sizeof(struct virtio_net_hdr_v1_hash);
	if (virtio_has(&n->v, VIRTIO_NET_F_MRG_RXBUF) || virtio_has(&n->v, VIRTIO_F_VERSION_1))
		return sizeof(struct virtio_net_hdr_mrg_rxbuf);
	return sizeof(struct virtio_net_hdr);
}

static void vnet_caps(const struct net_port *p, struct net_caps *c)
{
	const struct vnet *n = vnet_of_port((struct net_port *)(uintptr_t)p);

	*c = (struct net_caps){
		.queues = n->opts.rss ? 1 : n->pairs,
		.mtu = n->opts.host_mtu,
		.lends = !n->rss.steer,
		.vnet_hdr = hdr_len(n),
	};
	c->active = MIN(n->active, c->queues);
	if (vnet_guest_can(n, VIRTIO_NET_F_GUEST_CSUM))
		c->offloads |= NET_CAP_CSUM;
	if (vnet_guest_can(n, VIRTIO_NET_F_GUEST_TSO4))
		c->offloads |= NET_CAP_TSO4;
	if (vnet_guest_can(n, VIRTIO_NET_F_GUEST_TSO6))
		c->offloads |= NET_CAP_TSO6;
	if (vnet_guest_can(n, VIRTIO_NET_F_GUEST_ECN))
		c->offloads |= NET_CAP_ECN;
	/* One capability for both: with half of it the other half would go wrong. */
	if (vnet_guest_can(n, VIRTIO_NET_F_GUEST_USO4) &&
	    vnet_guest_can(n, VIRTIO_NET_F_GUEST_USO6))
		c->offloads |= NET_CAP_USO;
}

/* Tells the peer, if it does not know them, what our caps are just now. */
static void tell_caps(struct vnet *n)
{
	const struct net_caps *told = &n->nic.port.caps;
	struct net_caps now;

	vnet_caps(&n->nic.port, &now);
	if (now.offloads != told->offloads || now.active != told->active ||
	    now.lends != told->lends || now.vnet_hdr != told->vnet_hdr)
		net_caps_changed(&n->nic.port);
}

void vnet_set_guest_offloads(struct vnet *n, uint64_t bits)
{
	n->guest_offloads = drop_orphans(bits);
	if (vnet_on_loop(n, 0))
		tell_caps(n);
}

/* --- configuration (5.1.4) ------------------------------------------------------------------ */

static void config_image(struct vnet *n, uint8_t img[VNET_CONFIG_LEN])
{
	uint64_t mac = atomic_load(&n->mac);

	memset(img, 0, VNET_CONFIG_LEN);
	for (unsigned i = 0; i < 6; i++)
		img[i] = (uint8_t)(mac >> 8 * i);
	put_le16(img + offsetof(struct virtio_net_config, status), atomic_load(&n->status));
	put_le16(img + offsetof(struct virtio_net_config, max_virtqueue_pairs), (uint16_t)n->pairs);
	put_le16(img + offsetof(struct virtio_net_config, mtu), (uint16_t)n->opts.host_mtu);
	put_le32(img + offsetof(struct virtio_net_config, speed), n->opts.speed);
	img[offsetof(struct virtio_net_config, rss_max_key_size)] = VNET_HASH_KEY;
	put_le16(img + offsetof(struct virtio_net_config, rss_max_indirection_table_length),
		 VNET_RSS_TABLE);
	put_le32(img + offsetof(struct virtio_net_config, supported_hash_types), VNET_HASH_TYPES);
	img[offsetof(struct virtio_net_config, duplex)] = (uint8_t)n->opts.duplex; /* -1: 0xff */
}

static void vnet_config_read(struct virtio_pci *v, unsigned off, uint8_t *buf, unsigned len)
{
	uint8_t img[VNET_CONFIG_LEN];

	config_image(container_of(v, struct vnet, v), img);
	memcpy(buf, img + off, len);
}

/* Legacy drivers set their address here, byte by byte (5.1.4.1). */
static void vnet_config_write(struct virtio_pci *v, unsigned off, const uint8_t *buf, unsigned len)
{
	struct vnet *n = container_of(v, struct vnet, v);
	uint8_t img[VNET_CONFIG_LEN];

	if (virtio_has(v, VIRTIO_F_VERSION_1) || virtio_has(v, VIRTIO_NET_F_CTRL_MAC_ADDR))
		return;
	config_image(n, img);
	memcpy(img + off, buf, len);
	atomic_store(&n->mac, vnet_pack_mac(img));
}

/* --- queues --------------------------------------------------------------------------------- */

/* Where queue i belongs: the queue of the wire whose loop it lives on. */
static unsigned wire_of_queue(const struct vnet *n, unsigned i)
{
	return i == vnet_ctrl(n) ? 0 : vnet_wire(n, i / 2);
}

/* Receive or transmit queue of a pair that there is? Without MQ there is one. */
static bool is_data(const struct vnet *n, unsigned i)
{
	return i < (vnet_multi(n) ? 2 * n->pairs : 2);
}

static void vnet_negotiated(struct virtio_pci *v)
{
	struct vnet *n = container_of(v, struct vnet, v);

	if (n->pairs > 1)
		virtio_pci_follow(v, 2, vnet_multi(n) ? 3 : 0);
}

static void first_offloads(struct vnet *n, void *arg)
{
	(void)arg;
	vnet_set_guest_offloads(n, atomic_load(&n->v.features) & vnet_guest_offload_bits());
}

static void vnet_started(struct virtio_pci *v, unsigned i)
{
	struct vnet *n = container_of(v, struct vnet, v);

	if (i == 0) {
		n->running = true;
		vnet_change(n, first_offloads, NULL);
	}
	if (!is_data(n, i))
		return;
	if (i % 2) {
		n->tx[i / 2].hdr_len = hdr_len(n);
	} else {
		n->rx[i / 2].hdr_len = hdr_len(n);
		n->rx[i / 2].mergeable = virtio_has(v, VIRTIO_NET_F_MRG_RXBUF);
		vnet_rx_start(&n->rx[i / 2]);
	}
	vnet_kernel_started(n, i / 2);
}

static void vnet_stopped(struct virtio_pci *v, unsigned i)
{
	struct vnet *n = container_of(v, struct vnet, v);

	if (i == 0)
		n->running = false;
	if (!is_data(n, i))
		return;
	if (i % 2)
		vnet_tx_forget(&n->tx[i / 2], atomic_load(&v->q[i].loop));
	vnet_kernel_review(n, i / 2);
}

static void vnet_rewired(struct virtio_pci *v, unsigned i)
{
	struct vnet *n = container_of(v, struct vnet, v);

	if (is_data(n, i))
		vnet_kernel_review(n, i / 2);
}

static void vnet_kicked(struct virtio_pci *v, unsigned i)
{
	struct vnet *n = container_of(v, struct vnet, v);

	if (i == vnet_ctrl(n))
		vnet_ctrl_kicked(n);
	else if (!is_data(n, i))
		return;
	else if (i % 2)
		vnet_tx_run(&n->tx[i / 2]);
	else
		vnet_rx_kicked(&n->rx[i / 2]);
	if (is_data(n, i))
		vnet_kernel_kicked(n, i / 2);
}

static void to_power_on(struct vnet *n, void *arg)
{
	(void)arg;
	vnet_filter_reset(&n->filter);
	vnet_set_guest_offloads(n, 0);
	n->rss.types = 0;
	vnet_set_steer(n, false);
	vnet_set_active(n, 1);
}

static void vnet_reset(struct virtio_pci *v)
{
	struct vnet *n = container_of(v, struct vnet, v);

	vnet_change(n, to_power_on, NULL);
	atomic_fetch_and(&n->status, (uint16_t)~VIRTIO_NET_S_ANNOUNCE);
	atomic_store(&n->mac, vnet_pack_mac(n->nic.mac));
}

static void vnet_free(struct vnet *n)
{
	for (unsigned i = 0; i < n->pairs; i++) {
		vnet_tx_exit(&n->tx[i]);
		vnet_rx_exit(&n->rx[i]);
	}
	vnet_kernel_exit(n);
	free(n);
}

static void vnet_destroy(struct virtio_pci *v)
{
	vnet_free(container_of(v, struct vnet, v));
}

static const struct virtio_ops vnet_virtio_ops = {
	.features = vnet_features,
	.config_read = vnet_config_read,
	.config_write = vnet_config_write,
	.negotiated = vnet_negotiated,
	.started = vnet_started,
	.stopped = vnet_stopped,
	.kicked = vnet_kicked,
	.rewired = vnet_rewired,
	.reset = vnet_reset,
	.destroy = vnet_destroy,
};

/* --- the port ------------------------------------------------------------------------------- */

/* Sets or clears status bits; tells the driver if something changed. */
static void set_status(struct vnet *n, uint16_t set, uint16_t clear)
{
	uint16_t old = atomic_fetch_or(&n->status, set);

	old |= atomic_fetch_and(&n->status, (uint16_t)~clear) & clear;
	if ((~old & set || old & clear) && virtio_has(&n->v, VIRTIO_NET_F_STATUS))
		virtio_pci_config_changed(&n->v);
}

static void vnet_resume(struct net_port *p, unsigned wire)
{
	vnet_tx_resume(vnet_of_port(p), wire);
}

static void vnet_peer_caps_changed(struct net_port *p)
{
	struct vnet *n = vnet_of_port(p);

	atomic_store(&n->peer_offloads, p->peer_caps.offloads);
	vnet_kernel_peer(n, p->peer_caps.vhost);
}

static void vnet_detach(struct net_port *p)
{
	struct vnet *n = vnet_of_port(p);

	net_announce_stop(&n->nic.announce);
	vnet_kernel_peer(n, NULL);
	for (unsigned i = 0; i < n->pairs; i++)
		vnet_tx_forget(&n->tx[i], atomic_load(&n->v.q[2 * i + 1].loop));
	for (unsigned i = 0; i < n->v.conf.nqueues; i++)
		virtio_pci_set_loop(&n->v, i, NULL, NULL);
	atomic_store(&n->peer_offloads, NET_CAP_OFFLOADS);
}

/* The guest is elsewhere now: it shall tell its neighbours (5.1.6.5.4). False: it cannot. */
static bool ask_guest(struct vnet *n)
{
	if (!n->running || !virtio_has(&n->v, VIRTIO_NET_F_GUEST_ANNOUNCE))
		return false;
	set_status(n, VIRTIO_NET_S_ANNOUNCE, 0);
	return true;
}

static void vnet_announce(struct net_port *p)
{
	struct vnet *n = vnet_of_port(p);

	if (!ask_guest(n))
		net_announce_start(&n->nic.announce, p, atomic_load(&n->mac));
}

static int vnet_attach(struct net_port *p, struct err *e)
{
	struct vnet *n = vnet_of_port(p);

	n->wires = p->nqueues;
	for (unsigned i = 0; i < n->v.conf.nqueues; i++) {
		struct loop *l = p->loop[wire_of_queue(n, i)];

		if (virtio_pci_set_loop(&n->v, i, l, e) < 0) {
			int code = e ? e->code : EIO;

			vnet_detach(p);
			return -code;
		}
	}
	vnet_peer_caps_changed(p);
	/* Until now the driver could change its mind without a word to this wire. */
	tell_caps(n);
	for (unsigned i = 0; i < n->pairs; i++)
		n->tx[i].stalled = n->rx[i].stalled = false;
	memset(n->blocked, 0, sizeof(n->blocked));
	/* Frames that wait in the rings get going. */
	for (unsigned i = 0; i < n->v.conf.nqueues; i++)
		virtio_pci_kick(&n->v, i);
	ask_guest(n);
	return 0;
}

static void vnet_link(struct net_port *p, bool up)
{
	if (up)
		set_status(vnet_of_port(p), VIRTIO_NET_S_LINK_UP, 0);
	else
		set_status(vnet_of_port(p), 0, VIRTIO_NET_S_LINK_UP);
	vnet_kernel_review_all(vnet_of_port(p));
}

static void vnet_info(const struct net_port *p, char *buf, size_t len)
{
	nic_info(buf, len, atomic_load(&vnet_of_port((struct net_port *)(uintptr_t)p)->mac));
}

static void vnet_port_destroy(struct net_port *p)
{
	/* The bus owns the card; it calls vnet_destroy(). */
	pci_remove(vnet_of_port(p)->nic.pci);
}

static const struct net_port_ops vnet_port_ops = {
	.kind = "virtio-net-pci",
	.push = vnet_push,
	.resume = vnet_resume,
	.lend = vnet_lend,
	.commit = vnet_commit,
	.caps = vnet_caps,
	.attach = vnet_attach,
	.detach = vnet_detach,
	.peer_caps_changed = vnet_peer_caps_changed,
	.link = vnet_link,
	.announce = vnet_announce,
	.info = vnet_info,
	.destroy = vnet_port_destroy,
};

/* --- options and creation ------------------------------------------------------------------- */

#define YES(field_, name_, help_)                                                                  \
	{                                                                                          \
		.name = (name_), .type = OPT_BOOL, .off = offsetof(struct vnet_opts, field_),      \
		.arg = "on|off", .help = (help_)                                                   \
	}

static const char *const vnet_duplex[] = {"half", "full", NULL};

static const struct opt vnet_opt_list[] = {
	NIC_OPTS,
	{.name = "vectors",
	 .type = OPT_U32,
	 .off = offsetof(struct nic_conf, vectors),
	 .max = VIRTIO_VECTORS_MAX,
	 .arg = "n",
	 .help = "MSI-X vectors, 0: one INTx line (default: 2 for each queue pair, and 2)"},
	{.name = "host_mtu",
	 .type = OPT_U32,
	 .off = offsetof(struct vnet_opts, host_mtu),
	 .min = 68,
	 .max = 65535,
	 .arg = "bytes",
	 .help = "tell the guest this MTU (default: none told)"},
	{.name = "rx_queue_size",
	 .type = OPT_U32,
	 .off = offsetof(struct vnet_opts, rx_queue_size),
	 .min = 64,
	 .max = VNET_RING_MAX,
	 .arg = "n",
	 .help = "receive descriptors, a power of two (default: 256)"},
	{.name = "tx_queue_size",
	 .type = OPT_U32,
	 .off = offsetof(struct vnet_opts, tx_queue_size),
	 .min = 64,
	 .max = VNET_RING_MAX,
	 .arg = "n",
	 .help = "transmit descriptors, a power of two (default: 256)"},
	{.name = "speed",
	 .type = OPT_U32,
	 .off = offsetof(struct vnet_opts, speed),
	 .max = INT32_MAX,
	 .arg = "Mbit/s",
	 .help = "speed of the link that the guest is told (default: none told)"},
	{.name = "duplex",
	 .type = OPT_ENUM,
	 .off = offsetof(struct vnet_opts, duplex),
	 .names = vnet_duplex,
	 .help = "duplex mode of the link that the guest is told (default: none told)"},
	YES(disable_legacy, "disable-legacy", "no legacy interface: virtio 1.0 (default: off)"),
	YES(disable_modern, "disable-modern", "no virtio 1.0 interface (default: off)"),
	YES(event_idx, "event_idx", "fewer doorbells and interrupts (default: on)"),
	YES(indirect_desc, "indirect_desc", "indirect descriptors (default: on)"),
	YES(packed, "packed", "packed ring layout; needs virtio 1.0 (default: off)"),
	YES(mrg_rxbuf, "mrg_rxbuf", "mergeable receive buffers (default: on)"),
	YES(csum, "csum", "guest leaves checksums to us (default: on)"),
	YES(gso, "gso", "guest leaves segmentation to us (default: on)"),
	YES(host_tso4, "host_tso4", "guest sends TCP/IPv4 frames of 64 KiB (default: on)"),
	YES(host_tso6, "host_tso6", "guest sends TCP/IPv6 frames of 64 KiB (default: on)"),
	YES(host_ecn, "host_ecn", "the same with ECN (default: on)"),
	YES(host_uso, "host_uso", "guest sends UDP frames of 64 KiB (default: on)"),
	YES(guest_csum, "guest_csum", "guest takes frames without checksum (default: on)"),
	YES(guest_tso4, "guest_tso4", "guest takes TCP/IPv4 frames of 64 KiB (default: on)"),
	YES(guest_tso6, "guest_tso6", "guest takes TCP/IPv6 frames of 64 KiB (default: on)"),
	YES(guest_ecn, "guest_ecn", "the same with ECN (default: on)"),
	YES(guest_uso4, "guest_uso4",
	    "guest takes UDP/IPv4 frames of 64 KiB, with guest_uso6 (default: on)"),
	YES(guest_uso6, "guest_uso6",
	    "guest takes UDP/IPv6 frames of 64 KiB, with guest_uso4 (default: on)"),
	YES(status, "status", "guest is told the link's state (default: on)"),
	YES(ctrl_vq, "ctrl_vq", "control queue (default: on)"),
	YES(ctrl_rx, "ctrl_rx", "guest sets the receive filter (default: on)"),
	YES(ctrl_vlan, "ctrl_vlan", "guest sets the VLAN filter (default: on)"),
	YES(ctrl_mac_addr, "ctrl_mac_addr", "guest sets its MAC address (default: on)"),
	YES(guest_announce, "guest_announce", "guest announces itself when moved (default: on)"),
	YES(ctrl_guest_offloads, "ctrl_guest_offloads",
	    "guest switches its offloads while running (default: on)"),
	YES(mq, "mq", "as many queue pairs as its backend has queues (default: off)"),
	YES(rss, "rss",
	    "guest says which flows go to which queue pair; the card has one thread (default: "
	    "off)"),
	YES(hash, "hash", "guest is told the hash of each frame (default: off)"),
	NIC_OPT_MISSING("guest_ufo",
			"UDP fragmentation offload is not there: leave guest_ufo= out"),
	NIC_OPT_MISSING("host_ufo", "UDP fragmentation offload is not there: leave host_ufo= out"),
	NIC_OPT_MISSING("tx", "the choice of a transmit timer is not there: frames leave at once"),
	NIC_OPT_MISSING("x-txtimer", "there is no transmit timer: frames leave at once"),
	NIC_OPT_MISSING("x-txburst", "there is no limit on bursts to set: leave x-txburst= out"),
	NIC_OPT_MISSING("bus", "there is one PCI bus only: leave bus= out"),
	NIC_OPT_MISSING("multifunction", "multi-function devices are not there yet"),
	NIC_OPT_MISSING("failover", "failover pairs are not there yet: leave failover= out"),
	NIC_OPT_MISSING("iommu_platform", "there is no IOMMU yet: leave iommu_platform= out"),
	NIC_OPT_MISSING("ats", "there is no IOMMU yet: leave ats= out"),
	NIC_OPT_MISSING("ioeventfd",
			"doorbells always are eventfds where KVM runs: leave ioeventfd= out"),
	{0},
};

static void vnet_defaults(void *out)
{
	struct vnet_opts *o = out;

	nic_conf_defaults(&o->nic);
	o->event_idx = o->indirect_desc = o->mrg_rxbuf = o->status = true;
	o->csum = o->gso = o->host_tso4 = o->host_tso6 = o->host_ecn = o->host_uso = true;
	o->guest_csum = o->guest_tso4 = o->guest_tso6 = o->guest_ecn = true;
	o->guest_uso4 = o->guest_uso6 = true;
	o->ctrl_vq = o->ctrl_rx = o->ctrl_vlan = o->ctrl_mac_addr = true;
	o->guest_announce = o->ctrl_guest_offloads = true;
	o->rx_queue_size = o->tx_queue_size = 256;
	o->speed = VNET_UNKNOWN;
	o->duplex = -1;
}

static const struct opt_table vnet_opt_table = {
	.name = "virtio-net-pci",
	.summary = "virtio network card, modern and transitional",
	.opts = vnet_opt_list,
	.size = sizeof(struct vnet_opts),
	.defaults = vnet_defaults,
};

static int check_opts(const struct vnet_opts *o, struct err *e)
{
	const struct {
		const char *name;
		uint32_t v;
	} sizes[] = {{"rx_queue_size", o->rx_queue_size}, {"tx_queue_size", o->tx_queue_size}};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i].v & (sizes[i].v - 1))
			return err_set(e, EINVAL,
				       "virtio-net-pci: %s=%u: it must be a power of two: 64, "
				       "128, 256, 512 or 1024",
				       sizes[i].name, sizes[i].v);
	if (o->disable_legacy && o->disable_modern)
		return err_set(e, EINVAL,
			       "virtio-net-pci: disable-legacy=on and disable-modern=on leave no "
			       "interface; give one of them at most");
	const char *ctrl = o->mq ? "mq" : o->rss ? "rss" : o->hash ? "hash" : NULL;

	if (ctrl && !o->ctrl_vq)
		return err_set(e, EINVAL,
			       "virtio-net-pci: %s=on needs the control queue; leave ctrl_vq=off "
			       "out",
			       ctrl);
	if ((o->rss || o->hash) && o->disable_modern)
		return err_set(e, EINVAL,
			       "virtio-net-pci: %s=on needs the virtio 1.0 interface; leave "
			       "disable-modern=on out",
			       o->rss ? "rss" : "hash");
	if (o->packed && o->disable_modern)
		return err_set(e, EINVAL,
			       "virtio-net-pci: packed=on needs the virtio 1.0 interface; leave "
			       "disable-modern=on out");
	return 0;
}

static int init_parts(struct vnet *n, struct err *e)
{
	struct virtio_conf c = {
		.type = VIRTIO_ID_NET,
		.legacy_id = 0x1000,
		.class = 0x020000,
		.legacy = !n->opts.disable_legacy,
		.modern = !n->opts.disable_modern,
		.vectors = n->opts.nic.vectors,
		.event_idx = n->opts.event_idx,
		.indirect = n->opts.indirect_desc,
		.packed = n->opts.packed,
		.nqueues = 2 * n->pairs + n->opts.ctrl_vq,
		.config_len = n->opts.rss || n->opts.hash ? VNET_CONFIG_LEN
			      : tells_speed(&n->opts)	  ? VNET_CONFIG_DUP
							  : VNET_CONFIG_MTU,
		.model = "virtio-net-pci",
	};
	int rc = 0;

	/* As in QEMU: one for each queue, and one for changes of the configuration. */
	if (c.vectors == NIC_VECTORS_AUTO)
		c.vectors = 2 * n->pairs + 2;
	for (unsigned i = 0; i < n->pairs && !rc; i++) {
		c.queue_size[2 * i] = (uint16_t)n->opts.rx_queue_size;
		c.queue_size[2 * i + 1] = (uint16_t)n->opts.tx_queue_size;
		rc = vnet_tx_init(&n->tx[i], n, i, e);
		if (!rc)
			rc = vnet_rx_init(&n->rx[i], n, i, e);
	}
	c.queue_size[2 * n->pairs] = VNET_CTRL_SIZE;
	return rc ? rc : virtio_pci_init(&n->v, &vnet_virtio_ops, &c, e);
}

static int vnet_create(const void *opts, struct pci_bus *bus, struct nic **out, struct err *e)
{
	const struct vnet_opts *o = opts;
	struct vnet *n;
	int rc = check_opts(o, e);

	if (rc < 0)
		return rc;
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_set(e, ENOMEM, "no memory for virtio-net-pci");
	n->opts = *o;
	n->opts.nic.id = n->opts.nic.romfile = NULL;
	memcpy(n->nic.mac, o->nic.mac.b, 6);
	n->nic.model = &virtio_net_model;
	n->nic.pci = &n->v.pci;
	atomic_store(&n->mac, vnet_pack_mac(n->nic.mac));
	atomic_store(&n->status, VIRTIO_NET_S_LINK_UP);
	atomic_store(&n->peer_offloads, NET_CAP_OFFLOADS);
	n->pairs = o->mq || o->rss ? MIN(MAX(o->nic.queues, 1u), VNET_PAIRS) : 1;
	n->wires = n->active = 1;
	n->nic.pairs = n->pairs > 1 ? n->pairs : 0;
	atomic_store(&n->nic.active, 1);
	vnet_filter_reset(&n->filter);
	vnet_kernel_init(n);
	rc = init_parts(n, e);
	if (rc < 0) {
		vnet_free(n);
		return rc;
	}
	net_port_init(&n->nic.port, &vnet_port_ops, o->nic.id ? o->nic.id : "virtio-net");
	rc = nic_plug(&n->nic, &o->nic, bus, e);
	if (rc < 0) {
		virtio_pci_exit(&n->v);
		vnet_free(n);
		return rc;
	}
	*out = &n->nic;
	return 0;
}

static const char *const vnet_aliases[] = {"virtio", "virtio-net", NULL};

const struct nic_model virtio_net_model = {
	.name = "virtio-net-pci",
	.aliases = vnet_aliases,
	.summary = "virtio network card: the fastest; Linux, BSD, Windows with drivers",
	.driver = "virtio_net",
	.rom = "pxe-virtio.rom",
	.opts = &vnet_opt_table,
	.create = vnet_create,
	.rx_filter = vnet_rx_filter,
};
