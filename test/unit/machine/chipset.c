/* SPDX-License-Identifier: BSD-2-Clause */
/* Host bridge, ISA bridge, power management and the small ports, together as the guest sees them.
 */
#include "pc_fixture.h"

static struct pc pc;
static struct isa_irqs irqs;
static struct pci_bus *pci;
static struct piix3 *piix3;
static struct pm *pm;
static struct legacy *legacy;
static unsigned resets, poweroffs;

static void on_reset(void *opaque)
{
	(void)opaque;
	resets++;
}

static void on_poweroff(void *opaque)
{
	(void)opaque;
	poweroffs++;
}

static int setup(void **state)
{
	const struct pc_power power = {on_reset, on_poweroff, NULL};

	(void)state;
	resets = poweroffs = 0;
	if (pc_setup(&pc))
		return -1;
	isa_irqs_init(&irqs, &pc.f.a);
	pci = pci_bus_new(&pc.b, isa_irqs_pirq, &irqs, NULL);
	if (!pci || !i440fx_add(pci, &pc.f.a, &(struct pc_rom){0}, NULL))
		return -1;
	piix3 = piix3_add(pci, &power, &irqs, NULL);
	pm = pm_add(pci, pc.loop, &pc.clock, &irqs, &power, NULL);
	legacy = legacy_new(&pc.b, &pc.clock, &power, NULL);
	return piix3 && pm && legacy ? pc_run(&pc) : -1;
}

static int teardown(void **state)
{
	(void)state;
	pc_halt(&pc);
	pci_bus_free(pci);
	legacy_free(legacy);
	isa_irqs_exit(&irqs);
	return pc_teardown(&pc);
}

static uint32_t cfg(unsigned devfn, unsigned reg)
{
	pc_out(&pc, 0xcf8, 0x80000000 | devfn << 8 | reg, 4);
	return pc_in(&pc, 0xcfc, 4);
}

static void functions_are_where_pcs_have_them(void **state)
{
	(void)state;
	assert_int_equal(cfg(0, 0), 0x12378086);
	assert_int_equal(cfg(1 << 3, 0), 0x70008086);
	assert_int_equal(cfg(1 << 3 | 3, 0), 0x71138086);
	assert_int_equal(cfg(1 << 3, 0x0c) >> 16 & 0xff, 0x80);
	assert_int_equal(cfg(1 << 3, 0x60), 0x80808080);
}

static void every_way_to_reset(void **state)
{
	(void)state;
	pc_out(&pc, 0xcf9, 2, 1);
	assert_int_equal(resets, 0);
	pc_out(&pc, 0xcf9, 6, 1);
	assert_int_equal(resets, 1);
	pc_out(&pc, 0x92, 3, 1);
	assert_int_equal(resets, 2);
	pc_out(&pc, 0x92, 2, 1);
	assert_int_equal(resets, 2);
	assert_int_equal(poweroffs, 0);
}

static void soft_off(void **state)
{
	(void)state;
	pm_enable(pm, 0x600);
	assert_int_equal(pc_in(&pc, 0x604, 2) & 1, 1);
	pc_out(&pc, 0x604, 0x2401, 2); /* another sleep type */
	assert_int_equal(poweroffs, 0);
	pc_out(&pc, 0x604, 0x2001, 2);
	assert_int_equal(poweroffs, 1);
}

static void power_button_raises_sci(void **state)
{
	(void)state;
	pm_enable(pm, 0x600);
	assert_false(pm_button(pm));
	assert_false(pc.f.irq[9]); /* not enabled */
	pc_out(&pc, 0x602, 0x0100, 2);
	assert_true(pc.f.irq[9]);
	assert_int_equal(pc_in(&pc, 0x600, 2) & 0x0100, 0x0100);
	pc_out(&pc, 0x600, 0x0100, 2);
	assert_false(pc.f.irq[9]);
}

static void pm_timer_counts(void **state)
{
	uint32_t a, b;

	(void)state;
	pm_enable(pm, 0x600);
	a = pc_in(&pc, 0x608, 4);
	pc_step(&pc, NS_PER_S);
	b = pc_in(&pc, 0x608, 4);
	assert_in_range((b - a) & 0xffffff, 3579544, 3579546);
	assert_int_equal(b >> 24, 0);
}

static void pm_timer_carry_interrupts_only_if_enabled(void **state)
{
	(void)state;
	pm_enable(pm, 0x600);
	pc_out(&pc, 0x600, 0xffff, 2);
	pc_step(&pc, 3 * NS_PER_S);
	assert_int_equal(pc.f.edges, 0);
	assert_int_equal(pc_in(&pc, 0x600, 2) & 1, 1);
	pc_out(&pc, 0x600, 1, 2);
	pc_out(&pc, 0x602, 1, 2);
	pc_step(&pc, 3 * NS_PER_S);
	assert_true(pc.f.irq[9]);
	pc_out(&pc, 0x600, 1, 2);
	assert_false(pc.f.irq[9]);
}

static void pirqs_follow_the_routing(void **state)
{
	(void)state;
	isa_irqs_pirq(&irqs, 1, true);
	assert_int_equal(pc.f.edges, 0); /* not routed */
	piix3_route(piix3, pc_pirq_irq);
	assert_true(pc.f.irq[11]);
	/* Lines that share an interrupt are ORed. */
	isa_irqs_pirq(&irqs, 3, true);
	isa_irqs_pirq(&irqs, 1, false);
	assert_true(pc.f.irq[11]);
	pc_out(&pc, 0xcf8, 0x80000860, 4);
	pc_out(&pc, 0xcff, 9, 1); /* PIRQD with the SCI */
	assert_false(pc.f.irq[11]);
	assert_true(pc.f.irq[9]);
	isa_irqs_sci(&irqs, true);
	isa_irqs_pirq(&irqs, 3, false);
	assert_true(pc.f.irq[9]);
	isa_irqs_sci(&irqs, false);
	assert_false(pc.f.irq[9]);
	/* Interrupts that the chipset does not route. */
	isa_irqs_pirq(&irqs, 0, true);
	pc_out(&pc, 0xcf8, 0x80000860, 4);
	for (unsigned irq = 0; irq < 16; irq++) {
		pc_out(&pc, 0xcfc, irq, 1);
		assert_int_equal(pc.f.irq[irq], 0xdef8 >> irq & 1);
	}
	pc_out(&pc, 0xcfc, 0x80, 1);
}

static void reset_returns_to_power_on(void **state)
{
	(void)state;
	pm_enable(pm, 0x600);
	piix3_route(piix3, pc_pirq_irq);
	pc_out(&pc, 0x602, 0x0100, 2);
	assert_true(pm_button(pm));
	assert_true(pc.f.irq[9]);
	pci_bus_reset(pci);
	assert_false(pc.f.irq[9]);
	assert_int_equal(pc_in(&pc, 0x604, 2), 0xffff); /* not decoded */
	assert_int_equal(cfg(1 << 3, 0x60), 0x80808080);
	pm_enable(pm, 0x600);
	assert_int_equal(pc_in(&pc, 0x600, 4), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(functions_are_where_pcs_have_them),
		T(every_way_to_reset),
		T(soft_off),
		T(power_button_raises_sci),
		T(pm_timer_counts),
		T(pm_timer_carry_interrupts_only_if_enabled),
		T(pirqs_follow_the_routing),
		T(reset_returns_to_power_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
