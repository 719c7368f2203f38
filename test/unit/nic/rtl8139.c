/* SPDX-License-Identifier: BSD-2-Clause */
/* The rtl8139's life: options, wires that come, go and change, unplugging. */
#include "rtl.h"

static void info_is_the_guests_mac(void **state)
{
	struct rcard *c = r_make("mac=52:54:00:01:02:03,id=net7,addr=5");
	char text[64];

	(void)state;
	c->nic->port.ops->info(&c->nic->port, text, sizeof(text));
	assert_string_equal(text, "macaddr=52:54:00:01:02:03");
	r_set(c, IDR0, 0x44332202, 4);
	c->nic->port.ops->info(&c->nic->port, text, sizeof(text));
	assert_string_equal(text, "macaddr=02:22:33:44:02:03");
	assert_string_equal(c->nic->port.name, "net7");
	assert_int_equal(c->pci->devfn, 5 << 3);
	assert_string_equal(c->nic->port.ops->kind, "rtl8139");
	r_free(c);
}

static void options_are_checked(void **state)
{
	static const struct {
		const char *opts, *has;
	} bad[] = {
		{"cplus=maybe", "cplus"}, {"rombar=2", "rombar"},	 {"addr=0", "host bridge"},
		{"mac=zz", "mac"},	  {"bootindex=-1", "bootindex"}, {"cplu=on", "cplus"},
	};
	const struct nic_model *m = nic_model_find("rtl8139");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rtl_opts o;
		struct err e = {0};

		assert_true(opt_parse(m->opts, "-device rtl8139", bad[i].opts, &o, &e) < 0);
		if (!strstr(e.text, bad[i].has))
			fail_msg("%s: %s", bad[i].opts, e.text);
	}
}

static void slot_taken(void **state)
{
	struct rcard *c = r_new("addr=5");
	const struct nic_model *m = nic_model_find("rtl8139");
	struct rtl_opts o;
	struct nic *nic;
	struct err e = {0};

	(void)state;
	assert_int_equal(opt_parse(m->opts, "x", "addr=5", &o, &e), 0);
	assert_true(m->create(&o, c->pc.pci, &nic, &e) < 0);
	assert_non_null(strstr(e.text, "taken"));
	opt_free(m->opts, &o);
	r_free(c);
}

/* Everything works without a wire, and what waits goes when there is one. */
static void wire_comes_later(void **state)
{
	struct rcard *c = r_new("");

	(void)state;
	r_plus(c, 0, 1536);
	r_set(c, TIMERINT, 1, 4);
	r_set(c, CR, CR_RE, 1);
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 60, 0, R_TXB);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(loop_start(c->loop[i], NULL), 0);
	assert_int_equal(net_join(&c->nic->port, &c->peer[0].port, c->loop, 1, NULL), 0);
	r_set(c, CR, CR_RE | CR_TE, 1);
	pc_sync(c->loop[0]);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_status(c, R_RXR, 0) & 0x1fff, 64);
	r_free(c);
}

/* The wire is swapped for one on another loop while frames wait: none is lost, none comes twice. */
static void peers_change_under_traffic(void **state)
{
	struct rcard *c = r_make("");
	unsigned sent = 0, at = 0;

	(void)state;
	r_plus(c, 0, 1536);
	for (unsigned round = 0; round < 60; round++) {
		struct peer *old = &c->peer[round % 2], *new = &c->peer[(round + 1) % 2];
		struct loop *ol = c->loop[round % 2], *nl = c->loop[(round + 1) % 2];
		unsigned n = 1 + round % 60;

		old->take = round % 7; /* stalls most of them */
		for (unsigned i = 0; i < n; i++, at = (at + 1) % 64, sent++)
			r_desc(c, R_TXR, at, DESC_OWN | DESC_FS | DESC_LS | 60, 0, R_TXB);
		r_set(c, TPPOLL, 0x40, 1);
		if (round % 3)
			pc_sync(ol);
		net_unjoin(&c->nic->port);
		new->take = UINT32_MAX;
		assert_int_equal(net_join(&c->nic->port, &new->port, &nl, 1, NULL), 0);
		pc_sync(nl);
		assert_int_equal(c->peer[0].n + c->peer[1].n, sent);
	}
	assert_int_equal(r_drops(c), 0);
	r_free(c);
}

/* A vCPU starts and stops the card while its wire comes and goes. */
struct racer {
	struct rcard *c;
	_Atomic bool end;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	while (!atomic_load(&r->end)) {
		r_up(r->c, 0);
		r_set(r->c, TSAD0, R_TXB, 4);
		r_set(r->c, TSD0, 60, 4);
		r_set(r->c, TIMERINT, 1000, 4);
		r_plus(r->c, 0, 1536);
		r_set(r->c, TPPOLL, 0x40, 1);
	}
	return NULL;
}

static void driver_races_with_wires(void **state)
{
	struct racer r = {.c = r_make("")};
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, race, &r), 0);
	for (unsigned i = 0; i < 200; i++) {
		net_unjoin(&r.c->nic->port);
		assert_int_equal(net_join(&r.c->nic->port, &r.c->peer[i % 2].port,
					  &r.c->loop[i % 2], 1, NULL),
				 0);
		net_set_link(&r.c->nic->port, i % 3);
	}
	atomic_store(&r.end, true);
	pthread_join(t, NULL);
	r_free(r.c);
}

/* Without bus mastering nothing is read from memory and nothing written to it; with it, all goes on
 * where it stood, what was ordered meanwhile included. */
static void bus_mastering_slots(void **state)
{
	struct rcard *c = r_make("");

	(void)state;
	r_up(c, 0);
	r_slot(c, 0, r_bytes(60), 60);
	assert_int_equal(c->peer[0].n, 1);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_get(c, CBR, 2), 68);
	pc_set_mastering(&c->pc, c->pci, false);
	r_slot(c, 1, r_bytes(60), 60);
	assert_int_equal(r_get(c, TSD0 + 4, 4) & TSD_OWN, 0);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_drops(c), 1);
	assert_int_equal(r_get(c, CBR, 2), 68);
	assert_int_equal(c->peer[0].n, 1);
	pc_set_mastering(&c->pc, c->pci, true);
	pc_sync(c->loop[0]);
	assert_int_equal(c->peer[0].n, 2);
	assert_int_equal(r_get(c, TSD0 + 4, 4) & TSD_OWN, TSD_OWN);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_int_equal(r_get(c, CBR, 2), 2 * 68);
	r_free(c);
}

static void bus_mastering_rings(void **state)
{
	struct rcard *c = r_make("");
	uint8_t *dump = r_mem(c, R_TXB + 0x1000, 64);

	(void)state;
	r_plus(c, 0, 1536);
	assert_true(net_may_lend(&c->peer[0].port, 0));
	pc_set_mastering(&c->pc, c->pci, false);
	assert_false(net_may_lend(&c->peer[0].port, 0));
	r_desc(c, R_TXR, 0, DESC_OWN | DESC_FS | DESC_LS | 60, 0, R_TXB);
	r_poll(c, 0x40);
	assert_true(r_status(c, R_TXR, 0) & DESC_OWN);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_true(r_status(c, R_RXR, 0) & DESC_OWN);
	memset(dump, 0xee, 64);
	r_set(c, TSD0, (R_TXB + 0x1000) | 8, 4);
	assert_int_equal(dump[0], 0xee);
	assert_int_equal(r_get(c, TSD0, 4) & 8, 8);
	pc_set_mastering(&c->pc, c->pci, true);
	pc_sync(c->loop[0]);
	assert_false(r_status(c, R_TXR, 0) & DESC_OWN);
	assert_int_equal(c->peer[0].n, 1);
	/* The counters as they were when there was a way to memory: one sent, none received. */
	assert_int_equal(r_get(c, TSD0, 4) & 8, 0);
	assert_int_equal(get_le64(dump), 1);
	assert_int_equal(get_le64(dump + 8), 0);
	assert_int_equal(r_send(c, r_bytes(60), 60), 1);
	assert_false(r_status(c, R_RXR, 0) & DESC_OWN);
	r_free(c);
}

static void unplugged_by_its_port(void **state)
{
	struct rcard *c = r_make("id=net7");

	(void)state;
	r_up(c, 0);
	net_unjoin(&c->nic->port);
	c->nic->port.ops->destroy(&c->nic->port);
	r_stop(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(info_is_the_guests_mac),
		T(options_are_checked),
		T(slot_taken),
		T(wire_comes_later),
		T(peers_change_under_traffic),
		T(driver_races_with_wires),
		T(bus_mastering_slots),
		T(bus_mastering_rings),
		T(unplugged_by_its_port),
	};

	return cmocka_run_group_tests_name("rtl8139", tests, NULL, NULL);
}
