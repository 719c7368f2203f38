/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net's control queue, command by command, and the receive filter that it sets. */
#include "card.h"

#define CTRL                                                                                       \
	(V1 | BIT(CTRL_VQ) | BIT(CTRL_RX) | BIT(CTRL_RX_EXTRA) | BIT(CTRL_VLAN) |                  \
	 BIT(CTRL_MAC_ADDR) | BIT(STATUS))
#define OK  VIRTIO_NET_OK
#define ERR VIRTIO_NET_ERR

static const uint8_t own[6] = {0x52, 0x54, 0, 1, 2, 3};
static const uint8_t other[6] = {0x52, 0x54, 0, 9, 9, 9};
static const uint8_t multi[6] = {0x01, 0, 0x5e, 0, 0, 5};

static struct card *make(uint64_t features)
{
	struct card *c = card_make("mac=52:54:00:01:02:03");

	card_up(c, features);
	for (unsigned i = 10; i < 200; i++)
		card_post(c, i, 1526);
	return c;
}

/* Does a frame to dst reach the guest? */
static bool passes(struct card *c, const uint8_t dst[6])
{
	card_done(c, 0);
	assert_int_equal(card_push_one(c, dst, 100, NULL), 1);
	return card_done(c, 0) == 1;
}

static uint8_t rx(struct card *c, uint8_t cmd, uint8_t on)
{
	return card_ctrl(c, VIRTIO_NET_CTRL_RX, cmd, &on, 1);
}

static void default_filter(void **state)
{
	struct card *c = make(CTRL);
	uint64_t drops = card_drops(c);

	(void)state;
	assert_true(passes(c, own));
	assert_true(passes(c, card_bcast));
	assert_true(passes(c, multi));
	assert_false(passes(c, other));
	assert_int_equal(card_drops(c), drops + 1);
	card_free(c);
}

static void rx_modes(void **state)
{
	struct card *c = make(CTRL);

	(void)state;
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_PROMISC, 1), OK);
	assert_true(passes(c, other));
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_PROMISC, 0), OK);
	assert_false(passes(c, other));
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_ALLUNI, 1), OK);
	assert_true(passes(c, other));
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_NOUNI, 1), OK);
	assert_false(passes(c, own));
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_ALLMULTI, 0), OK);
	assert_false(passes(c, multi));
	assert_true(passes(c, card_bcast));
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_ALLMULTI, 1), OK);
	assert_true(passes(c, multi));
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_NOMULTI, 1), OK);
	assert_false(passes(c, multi));
	assert_true(passes(c, card_bcast));
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_NOBCAST, 1), OK);
	assert_false(passes(c, card_bcast));
	assert_int_equal(rx(c, 6, 1), ERR);
	/* A reset undoes it all. */
	card_up(c, CTRL);
	for (unsigned i = 10; i < 20; i++)
		card_post(c, i, 1526);
	assert_true(passes(c, card_bcast) && passes(c, multi) && passes(c, own));
	assert_false(passes(c, other));
	card_free(c);
}

static void commands_need_their_features(void **state)
{
	struct card *c = make(V1 | BIT(CTRL_VQ));
	const uint16_t vid = htole16(5);
	const uint64_t off = 0;

	(void)state;
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_PROMISC, 1), ERR);
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_NOBCAST, 1), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_VLAN, 0, &vid, 2), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, 1, own, 6), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, 0, &off, 8), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &off, 8), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MQ, 0, &vid, 2), ERR);
	assert_int_equal(card_ctrl(c, 77, 0, NULL, 0), ERR);
	card_free(c);
}

static void mac_address(void **state)
{
	struct card *c = make(CTRL);

	(void)state;
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, other, 6),
			 OK);
	assert_true(passes(c, other));
	assert_false(passes(c, own));
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE + 4, 2), 0x0909);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, own, 5),
			 ERR);
	/* Not through the configuration with VERSION_1 (5.1.4.2). */
	mod_write(&c->pc, c->pci, VIRTIO_OFF_DEVICE, 0x42, 1);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE, 1), 0x52);
	card_up(c, CTRL);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE + 4, 2), 0x0302);
	card_free(c);
}

static unsigned table(uint8_t *b, unsigned claimed, const uint8_t *mac, unsigned n)
{
	put_le32(b, claimed);
	for (unsigned i = 0; i < n; i++)
		memcpy(b + 4 + 6 * i, mac, 6);
	return 4 + 6 * n;
}

static void mac_table(void **state)
{
	struct card *c = make(CTRL);
	uint8_t b[512];
	unsigned n;

	(void)state;
	rx(c, VIRTIO_NET_CTRL_RX_ALLMULTI, 0);
	n = table(b, 1, other, 1);
	n += table(b + n, 1, multi, 1);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, b, n),
			 OK);
	assert_true(passes(c, other));
	assert_true(passes(c, multi));
	assert_true(passes(c, own));
	/* Truncated, or claiming more than is there: refused, and nothing changes. */
	for (unsigned cut = 1; cut < n; cut++)
		assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, b,
					   n - cut),
				 ERR);
	n = table(b, UINT32_MAX, own, 1);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, b, n),
			 ERR);
	n = table(b, 715827883, own, 1); /* times 6 is 2 in 32 bits */
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, b, n),
			 ERR);
	assert_true(passes(c, other));
	/* Empty tables. */
	n = table(b, 0, own, 0);
	n += table(b + n, 0, own, 0);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, b, n),
			 OK);
	assert_false(passes(c, other));
	assert_false(passes(c, multi));
	/* More than fit: all of that kind pass, the other kind is as told. */
	n = table(b, 70, own, 70);
	n += table(b + n, 0, own, 0);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, b, n),
			 OK);
	assert_true(passes(c, other));
	assert_false(passes(c, multi));
	n = table(b, 30, own, 30);
	n += table(b + n, 40, own, 40);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, b, n),
			 OK);
	assert_false(passes(c, other));
	assert_true(passes(c, multi));
	card_free(c);
}

static bool vlan_passes(struct card *c, uint16_t vid)
{
	uint8_t data[100] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 2, 2, 2, 2, 2, 0x81, 0};
	struct iovec vec[2] = {{0}, {data, sizeof(data)}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = sizeof(data)};

	put_be16(data + 14, 0xe000 | vid);
	card_done(c, 0);
	assert_int_equal(card_push(c, &f, 1), 1);
	return card_done(c, 0) == 1;
}

static void vlan_filter(void **state)
{
	struct card *c = make(CTRL);
	uint16_t vid = htole16(100), bad = htole16(4096);

	(void)state;
	assert_true(passes(c, card_bcast));
	assert_false(vlan_passes(c, 100));
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &vid, 2), OK);
	assert_true(vlan_passes(c, 100));
	assert_false(vlan_passes(c, 101));
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, &vid, 2), OK);
	assert_false(vlan_passes(c, 100));
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &bad, 2),
			 ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_VLAN, 2, &vid, 2), ERR);
	rx(c, VIRTIO_NET_CTRL_RX_PROMISC, 1);
	assert_true(vlan_passes(c, 100));
	/* Without the feature nothing is filtered. */
	card_up(c, V1);
	card_post(c, 0, 1526);
	assert_true(vlan_passes(c, 100));
	card_free(c);
}

static void guest_offloads(void **state)
{
	struct card *c = card_make("");
	uint64_t bits;

	(void)state;
	card_up(c,
		V1 | BIT(CTRL_VQ) | BIT(CTRL_GUEST_OFFLOADS) | BIT(GUEST_CSUM) | BIT(GUEST_TSO4));
	assert_int_equal(c->peer[0].port.peer_caps.offloads, NET_CAP_CSUM | NET_CAP_TSO4);
	bits = htole64(BIT(GUEST_CSUM));
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &bits, 8), OK);
	assert_int_equal(c->peer[0].port.peer_caps.offloads, NET_CAP_CSUM);
	/* Without its checksum, segmentation is off as well. */
	bits = htole64(BIT(GUEST_TSO4));
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &bits, 8), OK);
	assert_int_equal(c->peer[0].port.peer_caps.offloads, 0);
	bits = htole64(BIT(GUEST_CSUM) | BIT(GUEST_TSO6)); /* not negotiated */
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &bits, 8), ERR);
	bits = htole64(BIT(CSUM));
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &bits, 8), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &bits, 7), ERR);
	card_free(c);
}

static void malformed_commands(void **state)
{
	struct card *c = make(CTRL);

	(void)state;
	/* One byte is no command. */
	ring_desc(&c->r[2], 0, card_gpa(0), 1, VRING_DESC_F_NEXT, 1);
	ring_desc(&c->r[2], 1, card_gpa(1), 1, VRING_DESC_F_WRITE, 0);
	ring_add(&c->r[2], 0);
	card_kick(c, 2);
	assert_int_equal(card_buf(c, 1)[0], ERR);
	assert_int_equal(card_done(c, 2), 1);
	/* No place for the answer. */
	ring_desc(&c->r[2], 0, card_gpa(0), 3, 0, 0);
	ring_add(&c->r[2], 0);
	card_kick(c, 2);
	assert_int_equal(mod_status(&c->pc, c->pci), 15 | 64);
	assert_int_equal(c->vnet->v.breakages, 1);
	card_up(c, CTRL);
	assert_int_equal(rx(c, VIRTIO_NET_CTRL_RX_PROMISC, 1), OK);
	card_free(c);
}

static void full_queue(void **state)
{
	struct card *c = make(CTRL);

	(void)state;
	card_buf(c, 0)[0] = VIRTIO_NET_CTRL_RX;
	card_buf(c, 0)[1] = VIRTIO_NET_CTRL_RX_PROMISC;
	card_buf(c, 0)[2] = 1;
	ring_desc(&c->r[2], 0, card_gpa(0), 3, VRING_DESC_F_NEXT, 1);
	ring_desc(&c->r[2], 1, card_gpa(1), 1, VRING_DESC_F_WRITE, 0);
	for (unsigned round = 0; round < 3; round++) {
		/* In the packed layout each takes two places. */
		unsigned n = card_packed ? 32 : 64;

		for (unsigned i = 0; i < n; i++)
			ring_add(&c->r[2], 0);
		card_kick(c, 2);
		assert_int_equal(card_done(c, 2), n);
	}
	card_free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(default_filter), T(rx_modes),		  T(commands_need_their_features),
		T(mac_address),	   T(mac_table),	  T(vlan_filter),
		T(guest_offloads), T(malformed_commands), T(full_queue),
	};

	int bad = cmocka_run_group_tests_name("virtio_net_ctrl", tests, NULL, NULL);

	card_packed = true;
	return bad + cmocka_run_group_tests_name("virtio_net_ctrl, packed", tests, NULL, NULL);
}
