/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net whose rings the kernel takes (T9, T11): when it may, that nothing is lost or doubled
 * on the way there and back, interrupts, errors. The kernel is ../virtio/fake_vhost.h; the second
 * peer has no vhost.
 */
#include "card.h"

#include "../virtio/fake_vhost.h"
#include "net/port/vhost.h"

#define PLAIN (V1 | EVENT | INDIRECT | BIT(MRG_RXBUF) | BIT(STATUS) | BIT(CTRL_VQ))

static struct {
	struct net_vhost v;
	unsigned taken, given;
	bool holds; /* frames that the card has no room for */
} backend;

static bool take(struct net_vhost *v, unsigned q)
{
	(void)v;
	(void)q;
	backend.taken += !backend.holds;
	return !backend.holds;
}

static void give(struct net_vhost *v, unsigned q)
{
	(void)v;
	(void)q;
	backend.given++;
}

static void caps(const struct net_port *p, struct net_caps *c)
{
	peer_caps(p, c);
	c->vhost = &backend.v;
}

/* The backend has all its queues back before the card is gone from its wire. */
static void detach(struct net_port *p)
{
	(void)p;
	for (unsigned i = 0; i < FAKE_DEVICES; i++)
		assert_false(fake_vhost_runs(&fake_vhost[i]));
	assert_int_equal(backend.taken, backend.given);
}

static struct net_port_ops ops;

/* Not joined. */
static struct card *new_card(const char *opts, bool force)
{
	struct card *c;

	fake_vhost_reset();
	memset(&backend, 0, sizeof(backend));
	backend.v = (struct net_vhost){
		.n = card_queues,
		.fd = {FAKE_VHOST, FAKE_VHOST + 1},
		.sock = {FAKE_SOCK, FAKE_SOCK + 1},
		.features = V1 | EVENT | INDIRECT | BIT(MRG_RXBUF),
		.vnet_hdr = true,
		.force = force,
		.ioctl = fake_vhost_ioctl,
		.take = take,
		.give = give,
		.why = {"nobody", "nobody"},
	};
	ops = peer_ops;
	ops.caps = caps;
	ops.detach = detach;
	c = card_new(opts);
	c->peer[0].port.ops = &ops;
	return c;
}

static void sync_all(struct card *c)
{
	pc_sync(c->loop[0]);
	pc_sync(c->loop[1]);
}

/* With a driver that uses MSI-X. */
static struct card *make(const char *opts, uint64_t features)
{
	struct card *c = new_card(opts, false);

	card_join(c);
	pc_msix_on(&c->pc, c->pci);
	card_up(c, features);
	return c;
}

static void send_one(struct card *c, unsigned i)
{
	card_send(c, i, NULL, 60, (uint8_t)i);
	card_kick(c, 1);
}

static bool in_kernel(unsigned pair)
{
	return fake_vhost_runs(&fake_vhost[pair]) && !backend.v.why[pair];
}

static void why_not(unsigned pair, const char *text)
{
	assert_false(fake_vhost_runs(&fake_vhost[pair]));
	assert_non_null(backend.v.why[pair]);
	if (!strstr(backend.v.why[pair], text))
		fail_msg("\"%s\" is not \"%s\"", backend.v.why[pair], text);
}

static void a_driver_with_msix(void **state)
{
	struct card *c = make("", PLAIN);
	const struct fake_ring *r = fake_vhost[0].r;

	(void)state;
	assert_true(in_kernel(0));
	assert_int_equal(fake_vhost[0].features, V1 | EVENT | INDIRECT | BIT(MRG_RXBUF));
	assert_int_equal(backend.taken, 1);
	assert_int_equal(r[0].num, CARD_RING);
	assert_ptr_equal(r[1].addr.avail_user_addr, ring_avail(&c->r[1]));
	/* The doorbells are the kernel's alone. */
	assert_int_equal(r[0].kick, c->vnet->v.q[0].kick);
	assert_int_equal(r[1].kick, c->vnet->v.q[1].kick);
	assert_int_equal(c->vnet->v.q[1].watch.slot, 0);
	assert_int_not_equal(c->vnet->v.q[2].watch.slot, 0);
	assert_int_equal(c->peer[0].port.peer_caps.vnet_hdr, 12);
	send_one(c, 0);
	assert_int_equal(c->peer[0].n, 0);
	assert_int_equal(fake_vhost_use(&fake_vhost[0], 1, 8, 0), 1);
	assert_int_equal(card_done(c, 1), 1);
	card_free(c);
	assert_false(fake_vhost_runs(&fake_vhost[0]));
	assert_int_equal(backend.given, 1);
}

static void without_msix(void **state)
{
	struct card *c = new_card("", false);

	(void)state;
	card_join(c);
	card_up(c, PLAIN);
	why_not(0, "does not use MSI-X");
	send_one(c, 0);
	assert_int_equal(c->peer[0].n, 1);
	/* A driver that switches it on and off while it runs. */
	pc_msix_on(&c->pc, c->pci);
	sync_all(c);
	assert_true(in_kernel(0));
	pc_config_write(&c->pc, c->pci, pc_find_cap(&c->pc, c->pci, 0x11, -1) + 2, 0, 2);
	sync_all(c);
	why_not(0, "does not use MSI-X");
	send_one(c, 1);
	assert_int_equal(c->peer[0].n, 2);
	card_free(c);
	/* vhostforce=on */
	c = new_card("vectors=0", true);
	card_join(c);
	card_up(c, PLAIN);
	assert_true(in_kernel(0));
	card_free(c);
}

/* The line and its status register are ours to drive. */
static void the_kernel_interrupts_by_the_line(void **state)
{
	struct card *c = new_card("vectors=0", true);
	uint32_t id, len;

	(void)state;
	card_join(c);
	card_up(c, PLAIN);
	mod_read(&c->pc, c->pci, VIRTIO_OFF_ISR, 1);
	send_one(c, 0);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_ISR, 1), 0);
	fake_vhost_use(&fake_vhost[0], 1, 1, 0);
	sync_all(c);
	assert_true(c->pc.pirq[0] | c->pc.pirq[1] | c->pc.pirq[2] | c->pc.pirq[3]);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_ISR, 1), 1);
	assert_false(c->pc.pirq[0] | c->pc.pirq[1] | c->pc.pirq[2] | c->pc.pirq[3]);
	assert_true(ring_used(&c->r[1], &id, &len));
	card_free(c);
}

/* Without irqfds the message is sent by us. */
static void the_kernel_interrupts_by_message(void **state)
{
	struct card *c = make("", PLAIN);
	unsigned before;

	(void)state;
	before = c->pc.msis[1];
	send_one(c, 0);
	fake_vhost_use(&fake_vhost[0], 1, 1, 0);
	sync_all(c);
	assert_int_equal(c->pc.msis[1], before + 1);
	card_free(c);
}

/* The kernel lets go before the guest's write to the command register is done, and goes on at the
 * same place. */
static void bus_mastering(void **state)
{
	struct card *c = make("", PLAIN);

	(void)state;
	assert_true(in_kernel(0));
	send_one(c, 0);
	assert_int_equal(fake_vhost_use(&fake_vhost[0], 1, 8, 0), 1);
	pc_set_mastering(&c->pc, c->pci, false);
	why_not(0, "bus mastering is off");
	send_one(c, 1);
	assert_int_equal(c->peer[0].n, 0);
	pc_set_mastering(&c->pc, c->pci, true);
	sync_all(c);
	assert_true(in_kernel(0));
	assert_int_equal(card_done(c, 1) + fake_vhost_use(&fake_vhost[0], 1, 8, 0) + c->peer[0].n,
			 2);
	card_free(c);
}

static int irqfds; /* made */

static int irqfd_add(struct accel *a, int fd, uint64_t addr, uint32_t data, struct err *e)
{
	(void)a;
	(void)fd;
	(void)addr;
	(void)data;
	(void)e;
	return irqfds++;
}

static int irqfd_update(struct accel *a, int handle, uint64_t addr, uint32_t data)
{
	(void)a;
	(void)handle;
	(void)addr;
	(void)data;
	return 0;
}

static void irqfd_del(struct accel *a, int handle)
{
	(void)a;
	(void)handle;
}

static void set_vector(struct card *c, unsigned q, uint16_t vec)
{
	mod_write(&c->pc, c->pci, VIRTIO_PCI_COMMON_Q_SELECT, q, 2);
	mod_write(&c->pc, c->pci, VIRTIO_PCI_COMMON_Q_MSIX, vec, 2);
	sync_all(c);
}

/* With them the kernel has the vector's own eventfd, and another one when the driver says so. */
static void the_kernel_has_the_vector(void **state)
{
	struct card *c = new_card("", false);
	const struct fake_ring *r = fake_vhost[0].r;

	(void)state;
	c->pc.ops.irqfd_add = irqfd_add;
	c->pc.ops.irqfd_update = irqfd_update;
	c->pc.ops.irqfd_del = irqfd_del;
	card_join(c);
	pc_msix_on(&c->pc, c->pci);
	card_up(c, PLAIN);
	assert_true(in_kernel(0));
	assert_true(r[0].call >= 0 && r[1].call >= 0);
	assert_int_equal(r[0].call, msix_irqfd(c->pci, 0));
	assert_int_equal(r[1].call, msix_irqfd(c->pci, 1));
	set_vector(c, 1, 3);
	assert_int_equal(r[1].call, msix_irqfd(c->pci, 3));
	set_vector(c, 1, VIRTIO_MSI_NO_VECTOR);
	assert_int_equal(r[1].call, -1);
	assert_int_equal(r[0].call, msix_irqfd(c->pci, 0));
	assert_true(in_kernel(0));
	assert_int_equal(fake_vhost[0].starts, 2); /* both rings, once */
	card_free(c);
}

static void watch(struct card *c, bool begin)
{
	net_watch(&c->peer[0].port, begin);
	sync_all(c);
}

/* Each frame goes out once, whoever has the ring. */
static void nothing_is_lost_or_doubled_out(void **state)
{
	struct card *c = make("", PLAIN);
	unsigned kernel = 0, sent = 0;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		assert_true(in_kernel(0));
		for (unsigned i = 0; i < 3; i++)
			send_one(c, sent++ % CARD_RING);
		kernel += fake_vhost_use(&fake_vhost[0], 1, 2, 0);
		assert_int_equal(kernel, 2 * round + 2);
		/* Somebody looks: the third one is ours to send. */
		watch(c, true);
		why_not(0, NET_VHOST_NOBODY);
		assert_int_equal(c->peer[0].n, round + 1);
		assert_int_equal(c->peer[0].kept[round % CARD_KEPT].head[10],
				 (sent - 1) % CARD_RING);
		watch(c, false);
		assert_int_equal(card_done(c, 1), 3);
	}
	assert_int_equal(c->vnet->v.breakages, 0);
	card_free(c);
}

/* Buffers are filled once, and those that were given back unused are not forgotten. */
static void nothing_is_lost_or_doubled_in(void **state)
{
	struct card *c = make("", PLAIN);
	uint32_t id, len;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		card_post(c, i, 1526);
	assert_int_equal(fake_vhost_use(&fake_vhost[0], 0, 2, 72), 2);
	watch(c, true);
	assert_int_equal(card_push_one(c, card_bcast, 200, NULL), 1);
	/* Larger than what is left: its buffers are given back. */
	assert_int_equal(card_push_one(c, card_bcast, 60000, NULL), 0);
	watch(c, false);
	assert_true(in_kernel(0));
	assert_int_equal(fake_vhost[0].r[0].base, 3);
	assert_int_equal(fake_vhost[0].r[0].used, 3);
	assert_int_equal(fake_vhost_use(&fake_vhost[0], 0, 8, 80), 5);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(ring_used(&c->r[0], &id, &len));
		assert_int_equal(id, i);
		assert_int_equal(len, i < 2 ? 72 : i == 2 ? 212 : 80);
	}
	assert_false(ring_used(&c->r[0], &id, &len));
	card_free(c);
}

/* The guest writes where the kernel keeps its index: only the guest is worse off. */
static void a_used_index_from_the_guest(void **state)
{
	struct card *c = make("", PLAIN);

	(void)state;
	send_one(c, 0);
	fake_vhost_use(&fake_vhost[0], 1, 1, 0);
	ring_usedp(&c->r[1])->idx = 0x7777;
	watch(c, true);
	send_one(c, 1);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(ring_usedp(&c->r[1])->idx, 2);
	card_free(c);
}

static void link_down(void **state)
{
	struct card *c = make("", PLAIN);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct net_port *end = i ? &c->peer[0].port : &c->nic->port;

		net_set_link(end, false);
		why_not(0, "link down");
		send_one(c, 0);
		assert_int_equal(c->peer[0].n, 0);
		assert_int_equal(card_done(c, 1), 1);
		net_set_link(end, true);
		sync_all(c);
		assert_true(in_kernel(0));
	}
	card_free(c);
}

static void reset_and_again(void **state)
{
	struct card *c = make("", PLAIN);

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		assert_true(in_kernel(0));
		send_one(c, 0);
		fake_vhost_use(&fake_vhost[0], 1, 1, 0);
		/* The kernel is out of the rings when the register was written. */
		mod_write(&c->pc, c->pci, VIRTIO_PCI_COMMON_STATUS, 0, 1);
		why_not(0, "not ready");
		assert_int_equal(backend.given, i + 1);
		card_up(c, PLAIN);
		assert_int_equal(fake_vhost[0].r[1].base, 0);
	}
	assert_true(in_kernel(0));
	card_free(c);
}

/* By the legacy interface, one queue alone. */
static void a_ring_is_taken_away(void **state)
{
	struct card *c = make("", PLAIN);
	uint16_t port = (uint16_t)c->pci->bar[0].io.base;

	(void)state;
	assert_true(in_kernel(0));
	card_post(c, 0, 1526);
	pc_outl(&c->pc, port + VIRTIO_PCI_QUEUE_SEL, 1, 2);
	pc_outl(&c->pc, port + VIRTIO_PCI_QUEUE_PFN, 0, 4);
	why_not(0, "not ready");
	assert_int_equal(backend.given, 1);
	/* The other one works on, here. */
	assert_int_equal(card_push_one(c, card_bcast, 60, NULL), 1);
	assert_int_equal(card_done(c, 0), 1);
	card_free(c);
}

static void short_header(void **state)
{
	struct card *c = make("", EVENT);

	(void)state;
	assert_true(in_kernel(0));
	assert_int_equal(fake_vhost[0].features, EVENT);
	assert_int_equal(c->peer[0].port.peer_caps.vnet_hdr, 10);
	card_free(c);
}

static void what_the_kernel_lacks_is_not_offered(void **state)
{
	const uint64_t lacks = PACKED | BIT(HASH_REPORT) | BIT(RSS);
	struct card *c;

	(void)state;
	card_queues = 2;
	c = new_card("packed=on,rss=on,hash=on", false);
	assert_true((mod_features(&c->pc, c->pci) & lacks) == lacks);
	card_queues = 1;
	card_join(c);
	assert_false(mod_features(&c->pc, c->pci) & lacks);
	assert_true((mod_features(&c->pc, c->pci) & PLAIN) == PLAIN);
	backend.v.features &= ~(EVENT | BIT(MRG_RXBUF));
	net_watch(&c->peer[0].port, true);
	assert_true((mod_features(&c->pc, c->pci) & lacks) == lacks);
	net_watch(&c->peer[0].port, false);
	assert_true((mod_features(&c->pc, c->pci) & PLAIN) == (PLAIN & ~(EVENT | BIT(MRG_RXBUF))));
	card_free(c);
}

static struct net_port *replug(struct card *c, unsigned to)
{
	struct net_port *old = NULL;
	struct err e;

	assert_int_equal(net_replug(&c->nic->port, &c->peer[to].port, &old, &e), 0);
	sync_all(c);
	return old;
}

/* Negotiated elsewhere, then moved here. */
static void what_the_kernel_lacks_stays_here(void **state)
{
	static const struct {
		const char *opts;
		uint64_t features;
		const char *why;
	} t[] = {
		{"packed=on", PLAIN | PACKED, "packed"},
		{"hash=on", PLAIN | BIT(HASH_REPORT), "hashes"},
		{"", (PLAIN | BIT(CSUM) | BIT(HOST_USO)), "offloads"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct card *c = new_card(t[i].opts, false);

		c->peer[0].offloads &= ~NET_CAP_USO;
		assert_int_equal(net_join(&c->nic->port, &c->peer[1].port, c->loop, 1, NULL), 0);
		for (unsigned l = 0; l < 2; l++)
			assert_int_equal(loop_start(c->loop[l], NULL), 0);
		pc_msix_on(&c->pc, c->pci);
		card_up(c, t[i].features);
		replug(c, 0);
		why_not(0, t[i].why);
		card_free(c);
	}
}

static void moves(void **state)
{
	/* A card whose guest announces itself: no frames but the guest's. */
	struct card *c = make("", PLAIN | BIT(GUEST_ANNOUNCE));

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_true(in_kernel(0));
		send_one(c, 0);
		send_one(c, 1);
		assert_int_equal(fake_vhost_use(&fake_vhost[0], 1, 1, 0), 1);
		/* The old peer has its queue back before it loses the card. */
		assert_ptr_equal(replug(c, 1), &c->peer[0].port);
		assert_int_equal(backend.given, i + 1);
		assert_false(fake_vhost_runs(&fake_vhost[0]));
		assert_int_equal(c->peer[1].n, i + 1);
		assert_ptr_equal(replug(c, 0), &c->peer[1].port);
		assert_int_equal(card_done(c, 1), 2);
	}
	assert_int_equal(c->peer[0].n, 0);
	card_free(c);
}

static void frames_that_wait_hold_it_up(void **state)
{
	struct card *c = new_card("", false);

	(void)state;
	backend.holds = true;
	card_join(c);
	pc_msix_on(&c->pc, c->pci);
	card_up(c, PLAIN);
	why_not(0, "on their way");
	send_one(c, 0);
	assert_int_equal(c->peer[0].n, 1);
	why_not(0, "on their way");
	backend.holds = false;
	card_kick(c, 0);
	assert_true(in_kernel(0));
	assert_int_equal(fake_vhost[0].r[1].base, 1);
	card_free(c);
}

static void the_kernel_refuses(void **state)
{
	struct card *c = new_card("", false);

	(void)state;
	fake_vhost[0].refuse = VHOST_SET_VRING_ADDR;
	fake_vhost[0].refuse_code = -EFAULT;
	card_join(c);
	pc_msix_on(&c->pc, c->pci);
	card_up(c, PLAIN);
	why_not(0, "refused");
	assert_int_equal(backend.given, 1);
	send_one(c, 0);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(card_done(c, 1), 1);
	/* Not again and again, but with the next driver. */
	watch(c, true);
	card_up(c, PLAIN);
	assert_int_equal(backend.taken, 1);
	watch(c, false);
	assert_true(in_kernel(0));
	card_free(c);
}

static void bad_rings(void **state)
{
	struct card *c = make("", PLAIN);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(in_kernel(0));
		fake_ring_bell(fake_vhost[0].r[i].err);
		sync_all(c);
		why_not(0, "broken");
		assert_true(mod_status(&c->pc, c->pci) & VIRTIO_CONFIG_S_NEEDS_RESET);
		assert_int_equal(c->vnet->v.breakages, i + 1);
		assert_true(c->vnet->v.q[i].ring.broken);
		/* The other one works on, here. */
		assert_false(c->vnet->v.q[!i].ring.broken);
		if (!i) {
			send_one(c, 0);
			assert_int_equal(c->peer[0].n, 1);
		}
		card_up(c, PLAIN);
	}
	assert_true(in_kernel(0));
	/* Where it stands cannot be told: both are broken. */
	fake_vhost[0].refuse = VHOST_GET_VRING_BASE;
	fake_vhost[0].refuse_code = -EIO;
	watch(c, true);
	assert_int_equal(c->vnet->v.breakages, 4);
	watch(c, false);
	why_not(0, "broken");
	card_free(c);
}

static uint8_t set_pairs(struct card *c, uint16_t n)
{
	const uint16_t v = htole16(n);
	uint8_t ack = card_ctrl(c, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &v, 2);

	sync_all(c);
	return ack;
}

static void pairs(void **state)
{
	struct card *c;

	(void)state;
	card_queues = 2;
	c = make("mq=on", PLAIN | BIT(MQ));
	assert_true(in_kernel(0));
	why_not(1, "does not use it");
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(set_pairs(c, 2), VIRTIO_NET_OK);
		assert_true(in_kernel(0));
		assert_true(in_kernel(1));
		assert_int_equal(fake_vhost[1].r[0].sock, FAKE_SOCK + 1);
		assert_int_equal(set_pairs(c, 1), VIRTIO_NET_OK);
		assert_true(in_kernel(0));
		why_not(1, "does not use it");
	}
	card_free(c);
	card_queues = 1;
}

/* Two pairs on a wire of one queue: none can be the kernel's alone. */
static void pairs_that_share_a_queue(void **state)
{
	struct card *c;

	(void)state;
	card_queues = 2;
	c = new_card("mq=on", false);
	card_queues = backend.v.n = 1;
	card_join(c);
	pc_msix_on(&c->pc, c->pci);
	card_up(c, PLAIN | BIT(MQ));
	assert_true(in_kernel(0));
	assert_int_equal(set_pairs(c, 2), VIRTIO_NET_OK);
	why_not(0, "share");
	assert_int_equal(set_pairs(c, 1), VIRTIO_NET_OK);
	assert_true(in_kernel(0));
	card_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_with_msix),
		cmocka_unit_test(without_msix),
		cmocka_unit_test(the_kernel_interrupts_by_the_line),
		cmocka_unit_test(the_kernel_interrupts_by_message),
		cmocka_unit_test(bus_mastering),
		cmocka_unit_test(the_kernel_has_the_vector),
		cmocka_unit_test(nothing_is_lost_or_doubled_out),
		cmocka_unit_test(nothing_is_lost_or_doubled_in),
		cmocka_unit_test(a_used_index_from_the_guest),
		cmocka_unit_test(link_down),
		cmocka_unit_test(reset_and_again),
		cmocka_unit_test(a_ring_is_taken_away),
		cmocka_unit_test(short_header),
		cmocka_unit_test(what_the_kernel_lacks_is_not_offered),
		cmocka_unit_test(what_the_kernel_lacks_stays_here),
		cmocka_unit_test(moves),
		cmocka_unit_test(frames_that_wait_hold_it_up),
		cmocka_unit_test(the_kernel_refuses),
		cmocka_unit_test(bad_rings),
		cmocka_unit_test(pairs),
		cmocka_unit_test(pairs_that_share_a_queue),
	};

	return cmocka_run_group_tests_name("virtio_net_vhost", tests, NULL, NULL);
}
