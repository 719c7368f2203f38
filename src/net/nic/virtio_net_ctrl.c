/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net's control queue (virtio 1.2 section 5.1.6.5) and the receive filter that it sets.
 *
 * A command is a chain: class, command and data readable, one byte of acknowledgement writable.
 * Data is copied out piece by piece as it is parsed; a command that does not make sense is
 * acknowledged with VIRTIO_NET_ERR, one without a place for the acknowledgement breaks the queue.
 * Each is carried out with the loops of all pairs held, so when the driver sees the
 * acknowledgement all of them go by it.
 *
 * The filter decides in the order of 5.1.6.5.1: what the driver asked not to get is dropped, what
 * it asked to get in full passes, then its own address and its two tables are consulted. Without
 * CTRL_RX a driver cannot ask for anything, and a card passes what is its own and all broadcast
 * and multicast.
 */
#include <errno.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/nic/virtio_net.h"
#include "net/prot.h"

/* --- filter --------------------------------------------------------------------------------- */

void vnet_filter_reset(struct vnet_filter *f)
{
	memset(f, 0, sizeof(*f));
	/* 5.1.6.5.1.2: until it is told otherwise the device is promiscuous where it may be asked
	 * to be; drivers that do not know of filters expect multicast. */
	f->allmulti = true;
}

static bool in_table(const uint8_t (*t)[6], unsigned n, const uint8_t *mac)
{
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(t[i], mac, 6))
			return true;
	return false;
}

const char *vnet_filter(const struct vnet *n, const uint8_t *head, unsigned len)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct vnet_filter *f = &n->filter;

	if (len < ETH_HDR)
		return "shorter than an Ethernet header";
	if (f->promisc)
		return NULL;
	if (virtio_has(&n->v, VIRTIO_NET_F_CTRL_VLAN) && len >= 18 &&
	    get_be16(head + 12) == ETH_VLAN) {
		unsigned vid = get_be16(head + 14) & 0xfff;

		if (!(f->vlan[vid / 32] & 1u << vid % 32))
			return "VLAN that the guest filters out";
	}
	if (!memcmp(head, broadcast, 6))
		return f->nobcast ? "broadcast that the guest does not want" : NULL;
	if (head[0] & 1) {
		if (f->nomulti)
			return "multicast that the guest does not want";
		if (f->allmulti || f->multi_overflow || in_table(f->mac + f->nuni, f->nmulti, head))
			return NULL;
		return "multicast that the guest filters out";
	}
	if (f->nouni)
		return "unicast that the guest does not want";
	if (f->alluni || f->uni_overflow || vnet_pack_mac(head) == atomic_load(&n->mac) ||
	    in_table(f->mac, f->nuni, head))
		return NULL;
	return "for another station";
}

static enum nic_pass passes(bool none, bool all)
{
	return none ? NIC_PASS_NONE : all ? NIC_PASS_ALL : NIC_PASS_NORMAL;
}

void vnet_rx_filter(const struct nic *nic, struct nic_rx_filter *out)
{
	const struct vnet *n = container_of((struct nic *)(uintptr_t)nic, struct vnet, nic);
	const struct vnet_filter *f = &n->filter;
	uint64_t mac = atomic_load(&n->mac);
	bool vlans = virtio_has(&n->v, VIRTIO_NET_F_CTRL_VLAN);

	out->promisc = f->promisc;
	out->broadcast = !f->nobcast;
	out->uni_overflow = f->uni_overflow;
	out->multi_overflow = f->multi_overflow;
	out->uni = passes(f->nouni, f->alluni);
	out->multi = passes(f->nomulti, f->allmulti);
	out->vlans = passes(false, !vlans);
	for (unsigned i = 0; i < sizeof(out->mac); i++)
		out->mac[i] = (uint8_t)(mac >> 8 * i);
	out->nuni = f->nuni;
	out->nmulti = f->nmulti;
	_Static_assert(sizeof(out->table) == sizeof(f->mac), "as many addresses");
	memcpy(out->table, f->mac, sizeof(out->table));
	memcpy(out->vlan, f->vlan, sizeof(out->vlan));
}

/* --- commands ------------------------------------------------------------------------------- */

/* The readable part of a command; at: how far it has been read. */
struct command {
	const struct vq_chain *c;
	uint32_t at;
	bool good;
};

static bool take(struct command *m, void *buf, uint32_t len)
{
	if (iov_read(m->c->vec, m->c->nout, m->at, buf, len) < len)
		return false;
	m->at += len;
	return true;
}

static bool ctrl_rx(struct vnet *n, uint8_t cmd, struct command *m)
{
	struct vnet_filter *f = &n->filter;
	bool *const flag[] = {
		[VIRTIO_NET_CTRL_RX_PROMISC] = &f->promisc,
		[VIRTIO_NET_CTRL_RX_ALLMULTI] = &f->allmulti,
		[VIRTIO_NET_CTRL_RX_ALLUNI] = &f->alluni,
		[VIRTIO_NET_CTRL_RX_NOMULTI] = &f->nomulti,
		[VIRTIO_NET_CTRL_RX_NOUNI] = &f->nouni,
		[VIRTIO_NET_CTRL_RX_NOBCAST] = &f->nobcast,
	};
	uint8_t on;

	if (cmd >= ARRAY_SIZE(flag) || !take(m, &on, 1))
		return false;
	if (!virtio_has(&n->v, cmd > VIRTIO_NET_CTRL_RX_ALLMULTI ? VIRTIO_NET_F_CTRL_RX_EXTRA
								 : VIRTIO_NET_F_CTRL_RX))
		return false;
	*flag[cmd] = on;
	return true;
}

/* One table of addresses: le32 number, then that many. What does not fit sets *overflow. */
static bool take_table(struct command *m, uint8_t (*t)[6], unsigned room, unsigned *nt,
		       bool *overflow)
{
	uint32_t count;

	*nt = 0;
	if (!take(m, &count, 4))
		return false;
	count = le32toh(count);
	if (count > (m->c->out_len - m->at) / 6)
		return false;
	*overflow = count > room;
	if (*overflow) {
		m->at += 6 * count;
		return true;
	}
	for (; *nt < count; (*nt)++)
		if (!take(m, t[*nt], 6))
			return false;
	return true;
}

static bool ctrl_mac(struct vnet *n, uint8_t cmd, struct command *m)
{
	struct vnet_filter new = n->filter;
	uint8_t mac[6];

	if (cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
		if (!virtio_has(&n->v, VIRTIO_NET_F_CTRL_MAC_ADDR) || !take(m, mac, 6))
			return false;
		atomic_store(&n->mac, vnet_pack_mac(mac));
		return true;
	}
	if (cmd != VIRTIO_NET_CTRL_MAC_TABLE_SET || !virtio_has(&n->v, VIRTIO_NET_F_CTRL_RX))
		return false;
	if (!take_table(m, new.mac, VNET_MACS, &new.nuni, &new.uni_overflow) ||
	    !take_table(m, new.mac + new.nuni, VNET_MACS - new.nuni, &new.nmulti,
			&new.multi_overflow))
		return false;
	n->filter = new;
	return true;
}

static bool ctrl_vlan(struct vnet *n, uint8_t cmd, struct command *m)
{
	uint16_t vid;

	if (!virtio_has(&n->v, VIRTIO_NET_F_CTRL_VLAN) || !take(m, &vid, 2))
		return false;
	vid = le16toh(vid);
	if (vid >= 4096)
		return false;
	if (cmd == VIRTIO_NET_CTRL_VLAN_ADD)
		n->filter.vlan[vid / 32] |= 1u << vid % 32;
	else if (cmd == VIRTIO_NET_CTRL_VLAN_DEL)
		n->filter.vlan[vid / 32] &= ~(1u << vid % 32);
	else
		return false;
	return true;
}

static bool ctrl_announce(struct vnet *n, uint8_t cmd)
{
	if (cmd != VIRTIO_NET_CTRL_ANNOUNCE_ACK || !virtio_has(&n->v, VIRTIO_NET_F_GUEST_ANNOUNCE))
		return false;
	atomic_fetch_and(&n->status, (uint16_t)~VIRTIO_NET_S_ANNOUNCE);
	return true;
}

static bool ctrl_offloads(struct vnet *n, uint8_t cmd, struct command *m)
{
	uint64_t bits;

	if (cmd != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET ||
	    !virtio_has(&n->v, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) || !take(m, &bits, 8))
		return false;
	bits = le64toh(bits);
	/* 5.1.6.5.6.1: only what was negotiated as a feature. */
	if (bits & ~(vnet_guest_offload_bits() & atomic_load(&n->v.features)))
		return false;
	vnet_set_guest_offloads(n, bits);
	return true;
}

/* The end of both commands on hashes: length and key. */
static bool take_key(struct command *m, uint8_t key[VNET_HASH_KEY], uint8_t *len)
{
	return take(m, len, 1) && *len <= VNET_HASH_KEY && take(m, key, *len);
}

/* 5.1.6.5.7.1. Nothing changes before all of it is known to be good. */
static bool ctrl_rss(struct vnet *n, struct command *m)
{
	uint16_t mask, other, tx, table[VNET_RSS_TABLE];
	uint8_t key[VNET_HASH_KEY], len;
	uint32_t types;

	if (!take(m, &types, 4) || !take(m, &mask, 2) || !take(m, &other, 2))
		return false;
	types = le32toh(types);
	mask = le16toh(mask);
	other = le16toh(other);
	if (types & ~VNET_HASH_TYPES || mask >= VNET_RSS_TABLE || mask & (mask + 1u) ||
	    other >= n->pairs || !take(m, table, 2 * (mask + 1u)))
		return false;
	for (unsigned i = 0; i <= mask; i++) {
		table[i] = le16toh(table[i]);
		if (table[i] >= n->pairs)
			return false;
	}
	if (!take(m, &tx, 2) || !take_key(m, key, &len))
		return false;
	tx = le16toh(tx);
	if (tx < 1 || tx > n->pairs)
		return false;
	memcpy(n->rss.table, table, 2 * (mask + 1u));
	n->rss.mask = mask;
	n->rss.unclassified = other;
	n->rss.types = types;
	vnet_rss_key(&n->rss, key, len);
	vnet_set_steer(n, true);
	vnet_set_active(n, tx);
	return true;
}

/* 5.1.6.5.6.4. Four words of it are said to be zero; drivers are about that leave in them what the
 * other command has there, so they are passed over. */
static bool ctrl_hash(struct vnet *n, struct command *m)
{
	uint8_t key[VNET_HASH_KEY], len, reserved[8];
	uint32_t types;

	if (!take(m, &types, 4) || !take(m, reserved, sizeof(reserved)) || !take_key(m, key, &len))
		return false;
	types = le32toh(types);
	if (types & ~VNET_HASH_TYPES)
		return false;
	n->rss.types = types;
	vnet_rss_key(&n->rss, key, len);
	return true;
}

static bool ctrl_mq(struct vnet *n, uint8_t cmd, struct command *m)
{
	uint16_t pairs;

	if (cmd == VIRTIO_NET_CTRL_MQ_RSS_CONFIG)
		return virtio_has(&n->v, VIRTIO_NET_F_RSS) && ctrl_rss(n, m);
	if (cmd == VIRTIO_NET_CTRL_MQ_HASH_CONFIG)
		return virtio_has(&n->v, VIRTIO_NET_F_HASH_REPORT) && ctrl_hash(n, m);
	if (cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !virtio_has(&n->v, VIRTIO_NET_F_MQ) ||
	    !take(m, &pairs, 2))
		return false;
	pairs = le16toh(pairs);
	if (pairs < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || pairs > n->pairs)
		return false;
	/* Automatic steering from now on. */
	vnet_set_steer(n, false);
	vnet_set_active(n, pairs);
	return true;
}

static bool by_class(struct vnet *n, struct command *m)
{
	struct virtio_net_ctrl_hdr h;

	if (!take(m, &h, sizeof(h)))
		return false;
	switch (h.class) {
	case VIRTIO_NET_CTRL_RX:
		return ctrl_rx(n, h.cmd, m);
	case VIRTIO_NET_CTRL_MAC:
		return ctrl_mac(n, h.cmd, m);
	case VIRTIO_NET_CTRL_VLAN:
		return ctrl_vlan(n, h.cmd, m);
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return ctrl_announce(n, h.cmd);
	case VIRTIO_NET_CTRL_MQ:
		return ctrl_mq(n, h.cmd, m);
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return ctrl_offloads(n, h.cmd, m);
	default:
		return false;
	}
}

static void run_command(struct vnet *n, void *arg)
{
	struct command *m = arg;

	m->good = by_class(n, m);
}

/* Tells whoever wants to know that the guest has set its filter or its address. */
static void news(struct vnet *n, const struct command *m)
{
	const struct nic_conf *c = &n->opts.nic;
	uint8_t class;

	if (!m->good || !c->filter_changed || iov_read(m->c->vec, m->c->nout, 0, &class, 1) < 1)
		return;
	if (class == VIRTIO_NET_CTRL_RX || class == VIRTIO_NET_CTRL_MAC ||
	    class == VIRTIO_NET_CTRL_VLAN)
		c->filter_changed(&n->nic, c->filter_opaque);
}

/* The next command; a queue that has become the control queue may be larger than ours are. */
static bool next_command(struct virtqueue *q, struct iovec *vec, struct vq_chain *c)
{
	int rc = vq_pop(q, vec, VNET_CTRL_SIZE, c);

	if (rc == -ENOBUFS)
		vq_break(q, "a command in too many pieces");
	return rc == 1;
}

/* At most as many commands as the ring holds, so that a driver that never stops adding cannot
 * keep the loop; the rest comes with the next event. */
void vnet_ctrl_kicked(struct vnet *n)
{
	unsigned index = vnet_ctrl(n);
	struct virtqueue *q = &n->v.q[index].ring;
	struct iovec vec[VNET_CTRL_SIZE];
	struct vq_chain c;
	unsigned done = 0;

	do {
		vq_kicks_off(q);
		while (done < VNET_CTRL_SIZE && next_command(q, vec, &c)) {
			struct command m = {.c = &c};
			uint8_t ack;

			if (!c.in_len) {
				vq_break(q, "a command without room for its acknowledgement");
				break;
			}
			vnet_change(n, run_command, &m);
			news(n, &m);
			ack = m.good ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
			iov_write(c.vec + c.nout, c.nin, 0, &ack, 1);
			vq_put(q, c.head, 1);
			done++;
		}
	} while (done < VNET_CTRL_SIZE && vq_kicks_on(q));
	if (done == VNET_CTRL_SIZE)
		virtio_pci_kick(&n->v, index);
	virtio_pci_done(&n->v, index);
}
