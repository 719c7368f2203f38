/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net: features and configuration, link, capabilities, and life with changing peers. */
#include "card.h"

#define CONF(field) (VIRTIO_OFF_DEVICE + offsetof(struct virtio_net_config, field))

static void configuration(void **state)
{
	struct card *c = card_make("mac=52:54:00:01:02:03,host_mtu=9000");

	(void)state;
	assert_true(mod_features(&c->pc, c->pci) & BIT(MTU));
	for (unsigned i = 0; i < 6; i++) {
		static const uint8_t mac[] = {0x52, 0x54, 0, 1, 2, 3};

		assert_int_equal(mod_read(&c->pc, c->pci, CONF(mac) + i, 1), mac[i]);
	}
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(status), 2), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(mtu), 2), 9000);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE + VNET_CONFIG_MTU, 4), 0);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE + 8, 8), 9000u << 16 | 1);
	assert_int_equal(c->peer[0].port.peer_caps.mtu, 9000);
	card_free(c);
}

/* Told when one of them was given; what was not is unknown, all ones. */
static void speed_and_duplex(void **state)
{
	static const struct {
		const char *opts;
		uint32_t speed;
		uint8_t duplex;
	} t[] = {
		{"speed=2500,duplex=full", 2500, 1},
		{"speed=0", 0, 0xff},
		{"speed=2147483647", INT32_MAX, 0xff},
		{"duplex=half", UINT32_MAX, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct card *c = card_make(t[i].opts);

		assert_true(mod_features(&c->pc, c->pci) & BIT(SPEED_DUPLEX));
		card_up(c, V1 | BIT(SPEED_DUPLEX));
		assert_int_equal(mod_read(&c->pc, c->pci, CONF(speed), 4), t[i].speed);
		assert_int_equal(mod_read(&c->pc, c->pci, CONF(duplex), 1), t[i].duplex);
		/* Nothing behind it. */
		assert_int_equal(mod_read(&c->pc, c->pci, CONF(duplex), 4), t[i].duplex);
		card_free(c);
	}
}

static void legacy_driver_sets_mac(void **state)
{
	struct card *c = card_make("mac=52:54:00:01:02:03");
	char info[64];

	(void)state;
	card_up(c, 0);
	mod_write(&c->pc, c->pci, CONF(mac) + 5, 0x77, 1);
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(mac) + 5, 1), 0x77);
	c->nic->port.ops->info(&c->nic->port, info, sizeof(info));
	assert_string_equal(info, "macaddr=52:54:00:01:02:77");
	card_free(c);
}

static uint64_t offered(const char *opts, uint32_t peer)
{
	struct card *c = card_new(opts);
	uint64_t f;

	c->peer[0].offloads = peer;
	card_join(c);
	f = mod_features(&c->pc, c->pci);
	card_free(c);
	return f;
}

static void features_follow_options_and_peer(void **state)
{
	const uint64_t host =
		BIT(CSUM) | BIT(HOST_TSO4) | BIT(HOST_TSO6) | BIT(HOST_ECN) | BIT(HOST_USO);
	const uint64_t guest = BIT(GUEST_CSUM) | BIT(GUEST_TSO4) | BIT(GUEST_TSO6) |
			       BIT(GUEST_ECN) | BIT(GUEST_USO4) | BIT(GUEST_USO6);
	const uint64_t ctrl = BIT(CTRL_VQ) | BIT(CTRL_RX) | BIT(CTRL_RX_EXTRA) | BIT(CTRL_VLAN) |
			      BIT(CTRL_MAC_ADDR) | BIT(GUEST_ANNOUNCE) | BIT(CTRL_GUEST_OFFLOADS);
	const uint64_t all = host | guest | ctrl | BIT(MAC) | BIT(STATUS) | BIT(MRG_RXBUF) | V1 |
			     EVENT | INDIRECT;

	(void)state;
	assert_int_equal(offered("", NET_CAP_OFFLOADS), all);
	assert_int_equal(offered("packed=on", NET_CAP_OFFLOADS), all | PACKED);
	assert_int_equal(offered("", 0), all & ~host);
	assert_int_equal(offered("", NET_CAP_TSO4 | NET_CAP_ECN), all & ~host);
	assert_int_equal(offered("", NET_CAP_CSUM | NET_CAP_TSO6),
			 (all & ~host) | BIT(CSUM) | BIT(HOST_TSO6));
	assert_int_equal(offered("csum=off", NET_CAP_OFFLOADS), all & ~host);
	assert_int_equal(offered("gso=off", NET_CAP_OFFLOADS), (all & ~host) | BIT(CSUM));
	assert_int_equal(offered("guest_csum=off", NET_CAP_OFFLOADS), all & ~guest);
	assert_int_equal(offered("guest_tso4=off,guest_tso6=off", NET_CAP_OFFLOADS),
			 all & ~(BIT(GUEST_TSO4) | BIT(GUEST_TSO6) | BIT(GUEST_ECN)));
	assert_int_equal(offered("guest_uso4=off", NET_CAP_OFFLOADS), all & ~BIT(GUEST_USO4));
	assert_int_equal(offered("guest_uso6=off", NET_CAP_OFFLOADS), all & ~BIT(GUEST_USO6));
	assert_int_equal(offered("host_uso=off", NET_CAP_OFFLOADS), all & ~BIT(HOST_USO));
	assert_int_equal(offered("", NET_CAP_CSUM | NET_CAP_USO),
			 (all & ~host) | BIT(CSUM) | BIT(HOST_USO));
	assert_int_equal(offered("", NET_CAP_USO), all & ~host);
	assert_int_equal(offered("ctrl_vq=off", NET_CAP_OFFLOADS), all & ~ctrl);
	assert_int_equal(
		offered("mrg_rxbuf=off,event_idx=off,indirect_desc=off,status=off",
			NET_CAP_OFFLOADS),
		all & ~(BIT(MRG_RXBUF) | EVENT | INDIRECT | BIT(STATUS) | BIT(GUEST_ANNOUNCE)));
}

static void no_control_queue_without_ctrl_vq(void **state)
{
	struct card *c = card_make("ctrl_vq=off");

	(void)state;
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_PCI_COMMON_NUMQ, 2), 2);
	card_up(c, V1);
	card_send(c, 0, NULL, 60, 1);
	card_kick(c, 1);
	assert_int_equal(c->peer[0].n, 1);
	card_free(c);
}

static void caps_follow_the_driver(void **state)
{
	struct card *c = card_make("");

	(void)state;
	assert_int_equal(c->peer[0].port.peer_caps.offloads, 0);
	assert_true(c->peer[0].port.peer_caps.lends);
	card_up(c, V1 | BIT(GUEST_CSUM) | BIT(GUEST_TSO4) | BIT(GUEST_TSO6) | BIT(GUEST_ECN));
	assert_int_equal(c->peer[0].port.peer_caps.offloads,
			 NET_CAP_CSUM | NET_CAP_TSO4 | NET_CAP_TSO6 | NET_CAP_ECN);
	mod_write(&c->pc, c->pci, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	assert_int_equal(c->peer[0].port.peer_caps.offloads, 0);
	/* The port knows USO for both kinds of IP or none. */
	card_up(c, V1 | BIT(GUEST_CSUM) | BIT(GUEST_USO4) | BIT(GUEST_USO6));
	assert_int_equal(c->peer[0].port.peer_caps.offloads, NET_CAP_CSUM | NET_CAP_USO);
	card_up(c, V1 | BIT(GUEST_CSUM) | BIT(GUEST_USO4));
	assert_int_equal(c->peer[0].port.peer_caps.offloads, NET_CAP_CSUM);
	card_up(c, V1 | BIT(GUEST_USO4) | BIT(GUEST_USO6));
	assert_int_equal(c->peer[0].port.peer_caps.offloads, 0);
	/* TSO4 needs CSUM (5.1.3.1): without it there is none. */
	card_up(c, V1 | BIT(GUEST_TSO4));
	assert_int_equal(c->peer[0].port.peer_caps.offloads, 0);
	card_free(c);
}

static void link_state(void **state)
{
	struct card *c = card_make("");

	(void)state;
	pc_msix_on(&c->pc, c->pci);
	card_up(c, V1 | BIT(STATUS));
	mod_write(&c->pc, c->pci, VIRTIO_PCI_COMMON_MSIX, 2, 2);
	net_set_link(&c->nic->port, false);
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(status), 2), 0);
	assert_int_equal(c->pc.msis[2], 1);
	net_set_link(&c->nic->port, false);
	assert_int_equal(c->pc.msis[2], 1);
	net_set_link(&c->nic->port, true);
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(status), 2), 1);
	assert_int_equal(c->pc.msis[2], 2);
	/* The other end's link counts as well. */
	net_set_link(&c->peer[0].port, false);
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(status), 2), 0);
	net_set_link(&c->peer[0].port, true);
	/* A driver that did not ask is not told. */
	card_up(c, V1);
	mod_write(&c->pc, c->pci, VIRTIO_PCI_COMMON_MSIX, 2, 2);
	unsigned before = c->pc.msis[2];

	net_set_link(&c->nic->port, false);
	assert_int_equal(c->pc.msis[2], before);
	card_free(c);
}

static void announce_when_moved(void **state)
{
	struct card *c = card_make("");

	(void)state;
	pc_msix_on(&c->pc, c->pci);
	card_up(c, V1 | BIT(STATUS) | BIT(CTRL_VQ) | BIT(GUEST_ANNOUNCE));
	mod_write(&c->pc, c->pci, VIRTIO_PCI_COMMON_MSIX, 2, 2);
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(status), 2), VIRTIO_NET_S_LINK_UP);
	net_unjoin(&c->nic->port);
	assert_int_equal(net_join(&c->nic->port, &c->peer[1].port, c->loop, 1, NULL), 0);
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(status), 2),
			 VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(c->pc.msis[2], 1);
	assert_int_equal(
		card_ctrl(c, VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0),
		VIRTIO_NET_OK);
	assert_int_equal(mod_read(&c->pc, c->pci, CONF(status), 2), VIRTIO_NET_S_LINK_UP);
	card_free(c);
}

/* A vCPU starts the driver at the very moment in which the card gets its wire. */
static struct card *racing;

static void *start_driver(void *arg)
{
	struct card *c = arg;
	uint64_t at = TMEM_BASE;

	assert_true(mod_negotiate(&c->pc, c->pci, V1 | BIT(GUEST_CSUM)));
	for (unsigned i = 0; i < 2; i++) {
		at = ring_init(&c->r[i], &c->pc.a.mem, at, CARD_RING);
		mod_queue(&c->pc, c->pci, i, &c->r[i], (uint16_t)i);
	}
	mod_driver_ok(&c->pc, c->pci);
	return NULL;
}

static int attach_race(struct net_port *p, struct err *e)
{
	pthread_t t;

	(void)p;
	(void)e;
	assert_int_equal(pthread_create(&t, NULL, start_driver, racing), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	return 0;
}

static void driver_starts_while_joining(void **state)
{
	struct card *c = racing = card_new("");
	struct net_port_ops ops = peer_ops;
	struct net_port *p = &c->peer[0].port;

	(void)state;
	ops.attach = attach_race;
	p->ops = &ops;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(loop_start(c->loop[i], NULL), 0);
	assert_int_equal(net_join(p, &c->nic->port, c->loop, 1, NULL), 0);
	/* The peer knows what the driver takes. */
	assert_int_equal(p->peer_caps.offloads, NET_CAP_CSUM);
	card_free(c);
}

/* The wire is swapped for one on another loop while frames wait: none is lost, none comes twice. */
static void peers_change_under_traffic(void **state)
{
	struct card *c = card_make("");
	unsigned sent = 0;

	(void)state;
	card_up(c, V1 | EVENT);
	for (unsigned round = 0; round < 100; round++) {
		struct peer *old = &c->peer[round % 2], *new = &c->peer[(round + 1) % 2];
		struct loop *ol = c->loop[round % 2], *nl = c->loop[(round + 1) % 2];
		unsigned n = 1 + round % 60;

		old->take = round % 7; /* stalls most of them */
		for (unsigned i = 0; i < n; i++)
			card_send(c, i, NULL, 60, (uint8_t)sent++);
		mod_kick(&c->pc, c->pci, 1);
		if (round % 3)
			pc_sync(ol);
		net_unjoin(&c->nic->port);
		new->take = UINT32_MAX;
		assert_int_equal(net_join(&c->nic->port, &new->port, &nl, 1, NULL), 0);
		pc_sync(nl);
		assert_int_equal(card_done(c, 1), n);
		assert_int_equal(c->peer[0].n + c->peer[1].n, sent);
	}
	assert_int_equal(card_drops(c), 0);
	card_free(c);
}

static void options_are_checked(void **state)
{
	static const struct {
		const char *opts, *has;
	} bad[] = {
		{"rx_queue_size=100", "rx_queue_size=100"},
		{"tx_queue_size=32", "tx_queue_size"},
		{"tx_queue_size=2048", "1024"},
		{"disable-legacy=on,disable-modern=on", "disable-modern"},
		{"host_mtu=67", "host_mtu"},
		{"vectors=2049", "2048"},
		{"mq=on,ctrl_vq=off", "mq=on needs the control queue"},
		{"packed=on,disable-modern=on", "packed=on needs"},
		{"speed=2147483648", "speed"},
		{"duplex=both", "duplex"},
		{"romfile=x", "romfile"},
		{"addr=0", "host bridge"},
		{"addr=20", "1f"},
		{"addr=1.8", "0 to 7"},
		{"addr=", "slot"},
		{"mac=zz", "mac"},
		{"evnt_idx=on", "event_idx"},
	};
	const struct nic_model *m = nic_model_find("virtio-net-pci");
	struct pc pc;

	(void)state;
	pc_init(&pc);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vnet_opts o;
		struct nic *nic;
		struct err e = {0};
		int rc = opt_parse(m->opts, "-device virtio-net-pci", bad[i].opts, &o, &e);

		if (!rc) {
			rc = m->create(&o, pc.pci, &nic, &e);
			opt_free(m->opts, &o);
		}
		assert_true(rc < 0);
		if (!strstr(e.text, bad[i].has))
			fail_msg("%s: %s", bad[i].opts, e.text);
	}
	pc_exit(&pc);
}

static void slot_taken(void **state)
{
	struct card *c = card_new("addr=0x5.0");
	const struct nic_model *m = nic_model_find("virtio-net-pci");
	struct vnet_opts o;
	struct nic *nic;
	struct err e = {0};

	(void)state;
	assert_int_equal(c->pci->devfn, 5 << 3);
	assert_int_equal(opt_parse(m->opts, "x", "addr=5", &o, &e), 0);
	assert_true(m->create(&o, c->pc.pci, &nic, &e) < 0);
	assert_non_null(strstr(e.text, "taken"));
	opt_free(m->opts, &o);
	card_free(c);
}

static void unplugged_by_its_port(void **state)
{
	struct card *c = card_make("id=net7");

	(void)state;
	assert_string_equal(c->nic->port.name, "net7");
	card_up(c, V1);
	net_unjoin(&c->nic->port);
	c->nic->port.ops->destroy(&c->nic->port);
	for (unsigned i = 0; i < 2; i++) {
		loop_stop(c->loop[i]);
		loop_join(c->loop[i]);
		loop_free(c->loop[i]);
	}
	pc_exit(&c->pc);
	free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(configuration),
		T(speed_and_duplex),
		T(legacy_driver_sets_mac),
		T(features_follow_options_and_peer),
		T(no_control_queue_without_ctrl_vq),
		T(caps_follow_the_driver),
		T(link_state),
		T(announce_when_moved),
		T(driver_starts_while_joining),
		T(peers_change_under_traffic),
		T(options_are_checked),
		T(slot_taken),
		T(unplugged_by_its_port),
	};

	return cmocka_run_group_tests_name("virtio_net", tests, NULL, NULL);
}
