/* SPDX-License-Identifier: BSD-2-Clause */
/* The hot-plug ports as an operating system's AML uses them, with the event and the SCI. */
#include "pc_fixture.h"

#include <stdlib.h>

#define UP    0xae00
#define DOWN  0xae04
#define EJECT 0xae08
#define SLOTS 0xae0c
#define STS   0x60c
#define EN    0x60e

static struct pc pc;
static struct isa_irqs irqs;
static struct pci_bus *pci;
static struct pm *pm;
static struct hotplug *hp;
static uint32_t ejected;
static unsigned destroyed;

static void on_ejected(void *opaque, uint32_t slots)
{
	(void)opaque;
	ejected |= slots;
}

static void nothing(void *opaque)
{
	(void)opaque;
}

static void card_destroy(struct pci_dev *d)
{
	destroyed++;
	free(d);
}

static const struct pci_ops card_ops = {.destroy = card_destroy};

static uint64_t card_read(void *opaque, uint64_t off, unsigned size)
{
	(void)opaque;
	(void)off;
	(void)size;
	return 0x55;
}

static const struct io_ops card_io = {card_read, NULL, 4};

static struct pci_dev *card(int devfn)
{
	static const struct pci_ids ids = {.vendor = 0x1af4, .device = 0x1000, .class = 0x020000};
	struct pci_dev *d = calloc(1, sizeof(*d));

	pci_init(d, "test-card", &card_ops, &ids, 1);
	pci_set_bar(d, 0, BUS_PIO, 16, false, false, &card_io, d);
	assert_int_equal(pci_add(pci, d, devfn, NULL), 0);
	return d;
}

static int setup(void **state)
{
	const struct pc_power power = {nothing, nothing, NULL};

	(void)state;
	ejected = destroyed = 0;
	if (pc_setup(&pc))
		return -1;
	isa_irqs_init(&irqs, &pc.f.a);
	pci = pci_bus_new(&pc.b, isa_irqs_pirq, &irqs, NULL);
	if (!pci || !i440fx_add(pci, &pc.f.a, &(struct pc_rom){0}, NULL))
		return -1;
	pm = pm_add(pci, pc.loop, &pc.clock, &irqs, &power, NULL);
	hp = pm ? hotplug_new(pci, pm, on_ejected, NULL, NULL) : NULL;
	if (!hp || pc_run(&pc))
		return -1;
	pm_enable(pm, PC_PM_BASE);
	pc_out(&pc, EN, 1 << PC_GPE_HOTPLUG, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pc_halt(&pc);
	hotplug_free(hp);
	pci_bus_free(pci);
	isa_irqs_exit(&irqs);
	return pc_teardown(&pc);
}

static uint32_t cfg(unsigned slot)
{
	pc_out(&pc, 0xcf8, 0x80000000 | slot << 11, 4);
	return pc_in(&pc, 0xcfc, 4);
}

static bool event(void)
{
	return pc_in(&pc, STS, 2) & 1 << PC_GPE_HOTPLUG;
}

static void acknowledge(void)
{
	pc_out(&pc, STS, 1 << PC_GPE_HOTPLUG, 2);
}

static void a_new_card_is_told_once(void **state)
{
	(void)state;
	assert_false(pc.f.irq[9]);
	hotplug_added(hp, 4);
	hotplug_added(hp, 31);
	assert_true(event() && pc.f.irq[9]);
	assert_int_equal(pc_in(&pc, UP, 4), 1u << 4 | 1u << 31);
	assert_int_equal(pc_in(&pc, UP, 4), 0);
	assert_int_equal(pc_in(&pc, DOWN, 4), 0);
	acknowledge();
	assert_false(event() || pc.f.irq[9]);
}

static void the_event_stands_until_all_is_read(void **state)
{
	(void)state;
	hotplug_added(hp, 4);
	hotplug_ask(hp, 5);
	/* As an operating system does when it starts. */
	acknowledge();
	assert_true(event() && pc.f.irq[9]);
	assert_int_equal(pc_in(&pc, UP, 1), 1 << 4); /* in bytes, as well */
	acknowledge();
	assert_true(event());
	assert_int_equal(pc_in(&pc, DOWN + 1, 1), 0);
	acknowledge();
	assert_true(event());
	assert_int_equal(pc_in(&pc, DOWN, 1), 1 << 5);
	acknowledge();
	assert_false(event() || pc.f.irq[9]);
}

static void an_ejected_card_is_out_of_sight(void **state)
{
	struct pci_dev *d = card(6 << 3);

	(void)state;
	bus_lock(&pc.b);
	pc_out(&pc, 0xcf8, 0x80000000 | 6 << 11 | 0x10, 4);
	pc_out(&pc, 0xcfc, 0xd000, 4);
	pc_out(&pc, 0xcf8, 0x80000000 | 6 << 11 | 0x04, 4);
	pc_out(&pc, 0xcfc, 1, 2);
	bus_unlock(&pc.b);
	assert_int_equal(pc_in(&pc, 0xd000, 1), 0x55);
	hotplug_ask(hp, 6);
	pc_out(&pc, EJECT, 1 << 6, 4);
	assert_int_equal(ejected, 1 << 6);
	assert_int_equal(cfg(6), 0xffffffff);
	assert_int_equal(pc_in(&pc, 0xd000, 1), 0xff);
	assert_int_equal(pc_in(&pc, DOWN, 4), 0);
	assert_int_equal(hotplug_reset(hp), 0); /* nothing left to be done for the guest */
	/* It is there until the control loop takes it; a second eject is none. */
	assert_int_equal(destroyed, 0);
	ejected = 0;
	pc_out(&pc, EJECT, 1 << 6, 4);
	assert_int_equal(ejected, 0);
	pci_remove(d);
	assert_int_equal(destroyed, 1);
	card(6 << 3);
	assert_int_equal(cfg(6), 0x10001af4);
}

static void all_functions_of_a_slot_go(void **state)
{
	struct pci_dev *a = card(7 << 3), *b = card(7 << 3 | 3);

	(void)state;
	pc_out(&pc, EJECT, 0xff, 1);
	assert_int_equal(ejected, 1 << 7);
	assert_true(a->hidden && b->hidden);
}

static void what_cannot_be_ejected(void **state)
{
	(void)state;
	pc_out(&pc, EJECT, 0xffffffff, 4);
	pc_out(&pc, EJECT + 1, 0xff, 1);
	pc_out(&pc, UP, 0xffffffff, 4);
	pc_out(&pc, SLOTS, 0, 4);
	assert_int_equal(ejected, 0);
	assert_int_equal(cfg(0), 0x12378086); /* the host bridge */
	assert_int_equal(pc_in(&pc, SLOTS, 4), 0xfffffffc);
	assert_int_equal(pc_in(&pc, SLOTS, 1), 0xfc);
	assert_int_equal(pc_in(&pc, EJECT, 4), 0);
}

static void reset_names_what_was_asked_for(void **state)
{
	(void)state;
	hotplug_added(hp, 4);
	hotplug_ask(hp, 5);
	assert_int_equal(pc_in(&pc, DOWN, 4), 1 << 5); /* read, and not ejected */
	hotplug_ask(hp, 8);
	hotplug_gone(hp, 8);
	assert_int_equal(hotplug_reset(hp), 1 << 5);
	assert_int_equal(hotplug_reset(hp), 0);
	assert_int_equal(pc_in(&pc, UP, 4), 0);
	pci_bus_reset(pci);
	pm_enable(pm, PC_PM_BASE);
	assert_false(event());
}

static void an_event_outlives_a_reset_of_the_registers(void **state)
{
	(void)state;
	hotplug_added(hp, 4);
	pci_bus_reset(pci);
	assert_false(pc.f.irq[9]);
	pm_enable(pm, PC_PM_BASE);
	assert_true(event());
	pc_out(&pc, EN, 1 << PC_GPE_HOTPLUG, 2);
	assert_true(pc.f.irq[9]);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_new_card_is_told_once),
		T(the_event_stands_until_all_is_read),
		T(an_ejected_card_is_out_of_sight),
		T(all_functions_of_a_slot_go),
		T(what_cannot_be_ejected),
		T(reset_names_what_was_asked_for),
		T(an_event_outlives_a_reset_of_the_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
