/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration mechanism #1, write masks, BARs, INTx lines; plugging and assignment (pci_plug.c).
 */
#include "bus/pci.h"

#include <stdlib.h>

#include "base/util.h"
#include "fake_accel.h"

static struct fake f;
static struct bus b;
static struct pci_bus *p;
static struct {
	bool level[4];
	unsigned changes;
} pirq;

static void set_pirq(void *opaque, unsigned line, bool level)
{
	(void)opaque;
	assert_int_not_equal(pirq.level[line], level);
	pirq.level[line] = level;
	pirq.changes++;
}

static int setup(void **state)
{
	(void)state;
	fake_init(&f, false);
	memset(&pirq, 0, sizeof(pirq));
	if (bus_init(&b, &f.a, NULL))
		return -1;
	p = pci_bus_new(&b, set_pirq, NULL, NULL);
	return p ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	pci_bus_free(p);
	assert_int_equal(b.space[BUS_PIO].n + b.space[BUS_MMIO].n, 0);
	bus_exit(&b);
	return 0;
}

/* --- the guest's side ----------------------------------------------------------------------- */

static void select_reg(unsigned devfn, unsigned reg)
{
	uint8_t d[4];

	put_le32(d, 0x80000000 | devfn << 8 | (reg & 0xfc));
	bus_pio(&b, 0xcf8, true, d, 4, 1);
}

static uint32_t cfg_read(unsigned devfn, unsigned reg, unsigned size)
{
	uint8_t d[4] = {0};

	select_reg(devfn, reg);
	bus_pio(&b, (uint16_t)(0xcfc + (reg & 3)), false, d, size, 1);
	return get_le32(d);
}

static void cfg_write(unsigned devfn, unsigned reg, uint32_t v, unsigned size)
{
	uint8_t d[4];

	select_reg(devfn, reg);
	put_le32(d, v);
	bus_pio(&b, (uint16_t)(0xcfc + (reg & 3)), true, d, size, 1);
}

/* --- a device ------------------------------------------------------------------------------- */

struct dev {
	struct pci_dev d;
	unsigned changed, resets, masters;
};

static unsigned destroyed;

static uint64_t reg_read(void *opaque, uint64_t off, unsigned size)
{
	(void)opaque;
	(void)size;
	return 0xa0 + off;
}

static const struct io_ops reg_ops = {reg_read, NULL, 4};

static void on_bar(struct pci_dev *d, unsigned bar)
{
	(void)bar;
	container_of(d, struct dev, d)->changed++;
}

static void on_master(struct pci_dev *d)
{
	container_of(d, struct dev, d)->masters++;
}

static void on_reset(struct pci_dev *d)
{
	assert_false(pci_master(d));
	container_of(d, struct dev, d)->resets++;
}

static void on_destroy(struct pci_dev *d)
{
	destroyed++;
	free(container_of(d, struct dev, d));
}

static const struct pci_ops ops = {.bar_changed = on_bar,
				   .master_changed = on_master,
				   .reset = on_reset,
				   .destroy = on_destroy};

static struct dev *make(unsigned pin)
{
	static const struct pci_ids ids = {.vendor = 0x1af4,
					   .device = 0x1000,
					   .subvendor = 0x1af4,
					   .subdevice = 1,
					   .rev = 7,
					   .class = 0x020000};
	struct dev *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	pci_init(&d->d, "test-card", &ops, &ids, pin);
	return d;
}

static struct dev *plug(unsigned pin, int devfn)
{
	struct dev *d = make(pin);

	assert_int_equal(pci_add(p, &d->d, devfn, NULL), 0);
	return d;
}

/* --- tests ---------------------------------------------------------------------------------- */

static void header_is_as_declared(void **state)
{
	(void)state;
	plug(1, 3 << 3);
	assert_int_equal(cfg_read(3 << 3, 0, 4), 0x10001af4);
	assert_int_equal(cfg_read(3 << 3, 8, 4), 0x02000007);
	assert_int_equal(cfg_read(3 << 3, 0x2c, 4), 0x00011af4);
	assert_int_equal(cfg_read(3 << 3, 2, 2), 0x1000);
	assert_int_equal(cfg_read(3 << 3, 0x3d, 1), 1);
}

static void absent_devices_read_as_ones(void **state)
{
	uint8_t d[4] = {0};

	(void)state;
	plug(1, 3 << 3);
	assert_int_equal(cfg_read(4 << 3, 0, 4), 0xffffffff);
	cfg_write(4 << 3, 4, 7, 2);
	/* Another bus; and the enable bit off. */
	put_le32(d, 0x80011800);
	bus_pio(&b, 0xcf8, true, d, 4, 1);
	bus_pio(&b, 0xcfc, false, d, 4, 1);
	assert_int_equal(get_le32(d), 0xffffffff);
	put_le32(d, 0x00001800);
	bus_pio(&b, 0xcf8, true, d, 4, 1);
	bus_pio(&b, 0xcfc, false, d, 4, 1);
	assert_int_equal(get_le32(d), 0xffffffff);
}

static void mechanism_is_detectable(void **state)
{
	uint8_t d[4] = {1};

	(void)state;
	bus_pio(&b, 0xcfb, true, d, 1, 1); /* a byte there is not the address register */
	put_le32(d, 0x80000000);
	bus_pio(&b, 0xcf8, true, d, 4, 1);
	memset(d, 0, 4);
	bus_pio(&b, 0xcf8, false, d, 4, 1);
	assert_int_equal(get_le32(d), 0x80000000);
}

static void only_writable_bits_change(void **state)
{
	struct dev *d = plug(1, 3 << 3);

	(void)state;
	cfg_write(3 << 3, 0, 0, 4);
	assert_int_equal(cfg_read(3 << 3, 0, 4), 0x10001af4);
	cfg_write(3 << 3, 4, 0xffff, 2);
	assert_int_equal(cfg_read(3 << 3, 4, 2), 0x0547);
	/* Status: set by the device, cleared by writing ones to just those bits. */
	d->d.config[7] |= 0xf8;
	cfg_write(3 << 3, 4, 0x20000000, 4);
	assert_int_equal(cfg_read(3 << 3, 6, 2) & 0xf900, 0xd800 & 0xf900);
}

static void bar_sizing_and_mapping(void **state)
{
	struct dev *d = make(1);
	uint8_t v[4] = {0};

	(void)state;
	pci_set_bar(&d->d, 0, BUS_PIO, 0x20, false, false, &reg_ops, d);
	pci_set_bar(&d->d, 1, BUS_MMIO, 0x1000, false, false, &reg_ops, d);
	pci_set_bar(&d->d, 4, BUS_MMIO, 0x4000, true, true, &reg_ops, d);
	assert_int_equal(pci_add(p, &d->d, 3 << 3, NULL), 0);
	for (unsigned r = 0x10; r < 0x28; r += 4)
		cfg_write(3 << 3, r, 0xffffffff, 4);
	assert_int_equal(cfg_read(3 << 3, 0x10, 4), 0xffffffe1);
	assert_int_equal(cfg_read(3 << 3, 0x14, 4), 0xfffff000);
	assert_int_equal(cfg_read(3 << 3, 0x18, 4), 0);
	assert_int_equal(cfg_read(3 << 3, 0x20, 4), 0xffffc00c);
	assert_int_equal(cfg_read(3 << 3, 0x24, 4), 0xffffffff);
	/* Decoding on with the sizing values: nothing is mapped. */
	cfg_write(3 << 3, 4, 3, 2);
	assert_int_equal(d->changed, 0);
	cfg_write(3 << 3, 0x10, 0xc000, 4);
	cfg_write(3 << 3, 0x14, 0xe0000000, 4);
	cfg_write(3 << 3, 0x20, 0x10000, 4);
	cfg_write(3 << 3, 0x24, 0x1, 4);
	assert_true(d->d.bar[0].mapped && d->d.bar[1].mapped && d->d.bar[4].mapped);
	assert_true(d->d.bar[4].io.base == 0x100010000ull);
	bus_pio(&b, 0xc003, false, v, 1, 1);
	assert_int_equal(v[0], 0xa3);
	bus_mmio(&b, 0xe0000000, false, v, 4);
	assert_int_equal(v[0], 0xa0);
	/* Decoding off unmaps. */
	cfg_write(3 << 3, 4, 1, 2);
	assert_true(d->d.bar[0].mapped && !d->d.bar[1].mapped && !d->d.bar[4].mapped);
	bus_mmio(&b, 0xe0000000, false, v, 4);
	assert_int_equal(v[0], 0xff);
}

static void overlapping_bar_waits(void **state)
{
	struct dev *a = make(0), *c = make(0);

	(void)state;
	pci_set_bar(&a->d, 0, BUS_MMIO, 0x1000, false, false, &reg_ops, a);
	pci_set_bar(&c->d, 0, BUS_MMIO, 0x1000, false, false, &reg_ops, c);
	pci_add(p, &a->d, 3 << 3, NULL);
	pci_add(p, &c->d, 4 << 3, NULL);
	for (unsigned s = 3; s <= 4; s++) {
		cfg_write(s << 3, 0x10, 0xe0000000, 4);
		cfg_write(s << 3, 4, 2, 2);
	}
	assert_true(a->d.bar[0].mapped);
	assert_false(c->d.bar[0].mapped);
	cfg_write(4 << 3, 0x10, 0xe0001000, 4);
	assert_true(c->d.bar[0].mapped);
}

static void capabilities_chain(void **state)
{
	struct dev *d = make(0);
	int a = pci_add_cap(&d->d, 9, 16), c = pci_add_cap(&d->d, 0x11, 12);

	(void)state;
	assert_int_equal(a, 0x40);
	assert_int_equal(c, 0x50);
	pci_add(p, &d->d, 3 << 3, NULL);
	assert_true(cfg_read(3 << 3, 6, 2) & 0x10);
	assert_int_equal(cfg_read(3 << 3, 0x34, 1), 0x50);
	assert_int_equal(cfg_read(3 << 3, 0x50, 2), 0x4011);
	assert_int_equal(cfg_read(3 << 3, 0x40, 2), 0x0009);
	assert_int_equal(pci_add_cap(&d->d, 9, 0xa4), 0x5c);
	assert_int_equal(pci_add_cap(&d->d, 9, 2), -ENOSPC);
}

static void intx_lines_swizzle_and_count(void **state)
{
	struct dev *a = plug(1, 3 << 3), *c = plug(1, 7 << 3), *other = plug(2, 3 << 3 | 1);

	(void)state;
	pci_intx(&a->d, true); /* slot 3 INTA: (3 + 1 - 1) & 3 */
	assert_true(pirq.level[3]);
	pci_intx(&a->d, true);
	pci_intx(&c->d, true); /* slot 7 INTA: the same line */
	assert_int_equal(pirq.changes, 1);
	pci_intx(&a->d, false);
	assert_true(pirq.level[3]);
	pci_intx(&c->d, false);
	assert_false(pirq.level[3]);
	pci_intx(&other->d, true); /* INTB */
	assert_true(pirq.level[0]);
	/* Removing a device takes its level along. */
	pci_remove(&other->d);
	assert_false(pirq.level[0]);
}

static void intx_disable_holds_the_line(void **state)
{
	struct dev *a = plug(1, 3 << 3);

	(void)state;
	cfg_write(3 << 3, 4, 0x400, 2);
	pci_intx(&a->d, true);
	assert_false(pirq.level[3]);
	assert_true(cfg_read(3 << 3, 6, 2) & 8); /* interrupt status all the same */
	cfg_write(3 << 3, 4, 0, 2);
	assert_true(pirq.level[3]);
	cfg_write(3 << 3, 4, 0x400, 2);
	assert_false(pirq.level[3]);
	pci_intx(&a->d, false);
	assert_false(cfg_read(3 << 3, 6, 2) & 8);
}

static void slots_taken_are_named(void **state)
{
	struct dev *d = make(1);
	struct err e;

	(void)state;
	plug(1, 0);
	plug(1, 5 << 3);
	assert_int_equal(pci_add(p, &d->d, 5 << 3, &e), -EBUSY);
	assert_non_null(strstr(e.text, "slot 5 for test-card is taken by test-card"));
	assert_non_null(strstr(e.text, "free: 1-4, 6-31"));
	assert_int_equal(pci_add(p, &d->d, 32 << 3, &e), -EINVAL);
	/* First choice is slot 3; slot 2 comes last. */
	assert_int_equal(pci_add(p, &d->d, PCI_AUTO, &e), 0);
	assert_int_equal(d->d.devfn, 3 << 3);
}

static void full_bus_says_so(void **state)
{
	struct dev *last = NULL, *d = make(1);
	struct err e;

	(void)state;
	plug(0, 0);
	plug(0, 1 << 3);
	for (unsigned i = 0; i < 30; i++)
		last = plug(1, PCI_AUTO);
	assert_int_equal(last->d.devfn, 2 << 3);
	assert_int_equal(pci_add(p, &d->d, PCI_AUTO, &e), -ENOSPC);
	assert_int_equal(pci_add(p, &d->d, 9 << 3, &e), -EBUSY);
	assert_non_null(strstr(e.text, "free: none"));
	free(d);
}

static void functions_make_the_slot_multifunction(void **state)
{
	(void)state;
	plug(0, 1 << 3);
	assert_int_equal(cfg_read(1 << 3, 0x0e, 1), 0);
	plug(0, 1 << 3 | 3);
	assert_int_equal(cfg_read(1 << 3, 0x0e, 1), 0x80);
	assert_int_equal(cfg_read(1 << 3 | 3, 0x0e, 1), 0);
}

static void assignment_packs_and_enables(void **state)
{
	static const uint8_t irq[4] = {10, 11, 5, 9};
	struct dev *a = make(1), *c = make(1);
	struct err e;

	(void)state;
	pci_set_bar(&a->d, 0, BUS_PIO, 0x20, false, false, &reg_ops, a);
	pci_set_bar(&a->d, 1, BUS_MMIO, 0x1000, false, false, &reg_ops, a);
	pci_set_bar(&c->d, 2, BUS_MMIO, 0x10000, true, true, &reg_ops, c);
	pci_add(p, &a->d, 3 << 3, NULL);
	pci_add(p, &c->d, 4 << 3, NULL);
	assert_int_equal(pci_assign(p, 0xc0000000, 0xfec00000, 0xc000, irq, &e), 0);
	assert_int_equal(cfg_read(4 << 3, 0x18, 4), 0xc000000c);
	assert_int_equal(cfg_read(3 << 3, 0x14, 4), 0xc0010000);
	assert_int_equal(cfg_read(3 << 3, 0x10, 4), 0xc001);
	assert_int_equal(cfg_read(3 << 3, 4, 2), 3);
	assert_int_equal(cfg_read(4 << 3, 4, 2), 2);
	assert_int_equal(cfg_read(3 << 3, 0x3c, 1), 9);
	assert_int_equal(cfg_read(4 << 3, 0x3c, 1), 10);
	/* After a reset the same comes out again. */
	pci_bus_reset(p);
	assert_int_equal(a->resets, 1);
	assert_int_equal(cfg_read(3 << 3, 0x14, 4), 0);
	assert_false(a->d.bar[1].mapped);
	assert_int_equal(pci_assign(p, 0xc0000000, 0xfec00000, 0xc000, irq, &e), 0);
	assert_int_equal(cfg_read(3 << 3, 0x14, 4), 0xc0010000);
}

static void assignment_says_when_full(void **state)
{
	static const uint8_t irq[4] = {10, 11, 5, 9};
	struct dev *a = make(1);
	struct err e;

	(void)state;
	pci_set_bar(&a->d, 2, BUS_MMIO, 1ull << 31, true, true, &reg_ops, a);
	pci_add(p, &a->d, 3 << 3, NULL);
	assert_int_equal(pci_assign(p, 0xc0000000, 0xfec00000, 0xc000, irq, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "test-card in slot 3"));
}

static uint8_t rst_val;

static uint8_t rst_read(void *opaque)
{
	(void)opaque;
	return 0x42;
}

static void rst_write(void *opaque, uint8_t v)
{
	(void)opaque;
	rst_val = v;
}

static void reset_control_is_reachable(void **state)
{
	uint8_t d[4] = {6};

	(void)state;
	pci_set_reset_control(p, &(struct pci_reset_control){rst_read, rst_write, NULL});
	bus_pio(&b, 0xcf9, true, d, 1, 1);
	assert_int_equal(rst_val, 6);
	bus_pio(&b, 0xcf9, false, d, 1, 1);
	assert_int_equal(d[0], 0x42);
	rst_val = 0;
	put_le32(d, 0x80000604);
	bus_pio(&b, 0xcf8, true, d, 4, 1);
	assert_int_equal(rst_val, 0);
}

/* Section 6.2.2: command bit 2. The card hears of each change once. */
static void bus_mastering(void **state)
{
	struct dev *d = plug(1, 3 << 3);

	(void)state;
	assert_false(pci_master(&d->d));
	cfg_write(3 << 3, 4, 0x3, 2);
	assert_int_equal(d->masters, 0);
	cfg_write(3 << 3, 4, 0x7, 1);
	assert_true(pci_master(&d->d));
	cfg_write(3 << 3, 4, 0x406, 2);
	assert_int_equal(d->masters, 1);
	cfg_write(3 << 3, 4, 0x400, 2);
	assert_false(pci_master(&d->d));
	assert_int_equal(d->masters, 2);
	bus_lock(&b);
	pci_set_master(&d->d);
	bus_unlock(&b);
	assert_true(pci_master(&d->d));
	assert_int_equal(cfg_read(3 << 3, 4, 2), 0x404);
	pci_bus_reset(p);
	assert_int_equal(d->masters, 4);
	assert_int_equal(d->resets, 1);
}

static void removal_destroys(void **state)
{
	struct dev *d = plug(1, 3 << 3);

	(void)state;
	destroyed = 0;
	pci_remove(&d->d);
	assert_int_equal(destroyed, 1);
	assert_int_equal(cfg_read(3 << 3, 0, 4), 0xffffffff);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(header_is_as_declared),
		T(absent_devices_read_as_ones),
		T(mechanism_is_detectable),
		T(only_writable_bits_change),
		T(reset_control_is_reachable),
		T(bar_sizing_and_mapping),
		T(overlapping_bar_waits),
		T(capabilities_chain),
		T(intx_lines_swizzle_and_count),
		T(intx_disable_holds_the_line),
		T(slots_taken_are_named),
		T(full_bus_says_so),
		T(functions_make_the_slot_multifunction),
		T(assignment_packs_and_enables),
		T(assignment_says_when_full),
		T(bus_mastering),
		T(removal_destroys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
