/* SPDX-License-Identifier: BSD-2-Clause */
/* e1000: the family, its options, its place on bus and wire. */
#include <errno.h>

#include "e1000_card.h"

static void family(void **state)
{
	static const struct {
		const char *name;
		uint16_t device;
	} t[] = {{"e1000", 0x100e}, {"e1000-82544gc", 0x1008}, {"e1000-82545em", 0x100f}};

	(void)state;
	assert_ptr_equal(nic_model_find("e1000-82540em"), nic_model_find("e1000"));
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct ecard *c = ecard_new(t[i].name);
		char text[64];

		assert_string_equal(c->nic->model->driver, "e1000");
		assert_string_equal(c->nic->port.ops->kind, t[i].name);
		assert_int_equal(pc_config_read(&c->pc, &c->n->pci, 0, 4),
				 (uint32_t)t[i].device << 16 | 0x8086);
		assert_int_equal(pc_config_read(&c->pc, &c->n->pci, 9, 4) & 0xffffff, 0x020000);
		assert_int_equal(pc_config_read(&c->pc, &c->n->pci, 0x3d, 1), 1);
		c->nic->port.ops->info(&c->nic->port, text, sizeof(text));
		assert_string_equal(text, "macaddr=52:54:00:0a:0b:0c");
		ecard_join(c);
		ecard_free(c);
	}
}

static void options(void **state)
{
	static const char *const bad[] = {"vectors=3", "mitigation=on", "rombar=2", "bus=b", "x=1"};
	const struct nic_model *m = nic_model_find("e1000");
	struct e1000_opts o;
	struct nic *nic;
	struct pc pc;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		e = (struct err){0};
		assert_true(opt_parse(m->opts, "-device e1000", bad[i], &o, &e) < 0);
		assert_null(strchr(e.text, '\n'));
	}
	/* -net nic,vectors=3 */
	pc_init(&pc);
	opt_init(m->opts, &o);
	o.nic.vectors = 3;
	assert_int_equal(m->create(&o, pc.pci, &nic, &e), -EINVAL);
	o.nic.vectors = 0;
	o.nic.devfn = 5 << 3;
	assert_int_equal(m->create(&o, pc.pci, &nic, &e), 0);
	assert_int_equal(m->create(&o, pc.pci, &nic, &e), -EBUSY);
	pc_exit(&pc);
}

static void works_without_a_wire(void **state)
{
	struct ecard *c = ecard_new("e1000");

	(void)state;
	ecard_up(c, 0);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ewr(c, R_TDT, c->tx);
	ewr(c, R_IMS, ICR_LSC);
	ewr(c, R_ICS, ICR_LSC);
	ewr(c, R_ITR, 1000);
	assert_true(atomic_load(&c->n->pci.intx));
	assert_int_equal(ereg(c, R_TDH), 0);
	/* What waited goes when the wire comes. */
	ecard_join(c);
	pc_sync(c->loop);
	assert_int_equal(c->peer.n, 1);
	assert_true(edone(c, 0));
	ecard_free(c);
}

static void machine_reset(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	ewr(c, R_IMS, ICR_LSC);
	ewr(c, R_ICS, ICR_LSC);
	pci_bus_reset(c->pc.pci);
	assert_false(atomic_load(&c->n->pci.intx));
	assert_null(c->n->tx.ring.base);
	pc_assign(&c->pc);
	ecard_up(c, 0);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ego(c);
	assert_int_equal(c->peer.n, 1);
	ecard_free(c);
}

static void link_down_drops(void **state)
{
	struct ecard *c = ecard_make(0);

	(void)state;
	net_set_link(&c->nic->port, false);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ego(c);
	assert_true(edone(c, 0));
	assert_int_equal(c->peer.n, 0);
	net_set_link(&c->nic->port, true);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ego(c);
	assert_int_equal(c->peer.n, 1);
	ecard_free(c);
}

static void loopback(void **state)
{
	struct ecard *c = ecard_make(RCTL_LBM_MAC);

	(void)state;
	memcpy(ebuf(c), emac, 6);
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ego(c);
	assert_int_equal(c->peer.n, 0);
	assert_int_equal(erx(c, 0) >> 32 & 3, RXD_DD | RXD_EOP);
	assert_int_equal(erx(c, 0) & 0xffff, 100);
	ecard_free(c);
}

/* Without bus mastering no descriptor is touched and frames are dropped; with it, all goes on where
 * it stood. */
static void bus_mastering(void **state)
{
	struct ecard *c = ecard_make(0);
	uint8_t data[100] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	(void)state;
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ego(c);
	assert_int_equal(epush_one(c, data, 100), 1);
	assert_true(net_may_lend(&c->peer.port, 0));
	pc_set_mastering(&c->pc, &c->n->pci, false);
	assert_false(net_may_lend(&c->peer.port, 0));
	etx(c, E_TXBUF, LEGACY(100, TXD_EOP | TXD_RS));
	ego(c);
	assert_false(edone(c, 1));
	assert_int_equal(c->peer.n, 1);
	/* Taken, that is, dropped. */
	ewr(c, R_RCTL, RCTL_EN | RCTL_SECRC | RCTL_BAM);
	assert_int_equal(epush_one(c, data, 100), 1);
	assert_int_equal(erx(c, 1), 0);
	assert_int_equal(ereg(c, R_RDH), 0);
	pc_set_mastering(&c->pc, &c->n->pci, true);
	pc_sync(c->loop);
	assert_true(edone(c, 1));
	assert_int_equal(c->peer.n, 2);
	assert_int_equal(ereg(c, R_TDH), 2);
	assert_int_equal(epush_one(c, data, 100), 1);
	assert_int_equal(erx(c, 0) & 0xffff, 100);
	assert_int_equal(ereg(c, R_RDH), 1);
	ecard_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(family),
		cmocka_unit_test(options),
		cmocka_unit_test(works_without_a_wire),
		cmocka_unit_test(machine_reset),
		cmocka_unit_test(link_down_drops),
		cmocka_unit_test(loopback),
		cmocka_unit_test(bus_mastering),
	};

	return cmocka_run_group_tests_name("e1000", tests, NULL, NULL);
}
