/* SPDX-License-Identifier: BSD-2-Clause */
/* MSI-X: table, masks, pending bits, with irqfds and without; notifies that race with masking. */
#include <pthread.h>
#include <stdlib.h>

#include "base/util.h"
#include "bus/pci.h"
#include "fake_accel.h"

#define BASE 0xe0000000ull
#define NVEC 3
#define CTL  (3u << 3), 0x42

static struct fake f;
static struct bus b;
static struct pci_bus *p;
static struct pci_dev *d;
static unsigned changes;

static void no_pirq(void *opaque, unsigned line, bool level)
{
	(void)opaque;
	(void)line;
	(void)level;
}

static void cfg_write(unsigned devfn, unsigned reg, uint32_t v, unsigned size)
{
	uint8_t buf[4];

	put_le32(buf, 0x80000000 | devfn << 8 | (reg & 0xfc));
	bus_pio(&b, 0xcf8, true, buf, 4, 1);
	put_le32(buf, v);
	bus_pio(&b, (uint16_t)(0xcfc + (reg & 3)), true, buf, size, 1);
}

static void wr(uint64_t off, uint32_t v)
{
	uint8_t buf[4];

	put_le32(buf, v);
	bus_mmio(&b, BASE + off, true, buf, 4);
}

static uint32_t rd(uint64_t off)
{
	uint8_t buf[4];

	bus_mmio(&b, BASE + off, false, buf, 4);
	return get_le32(buf);
}

static void on_changed(struct pci_dev *dev)
{
	(void)dev;
	changes++;
}

static void on_destroy(struct pci_dev *dev)
{
	msix_free(dev);
	free(dev);
}

static const struct pci_ops ops = {.msix_changed = on_changed, .destroy = on_destroy};

static void make(bool irqfds)
{
	static const struct pci_ids ids = {.vendor = 1, .device = 2, .class = 0x020000};

	fake_init(&f, irqfds);
	changes = 0;
	assert_int_equal(bus_init(&b, &f.a, NULL), 0);
	p = pci_bus_new(&b, no_pirq, NULL, NULL);
	assert_non_null(p);
	d = calloc(1, sizeof(*d));
	assert_non_null(d);
	pci_init(d, "card", &ops, &ids, 1);
	assert_int_equal(msix_init(d, 1, NVEC, NULL), 0);
	assert_int_equal(pci_add(p, d, 3 << 3, NULL), 0);
	cfg_write(3 << 3, 0x14, (uint32_t)BASE, 4);
	cfg_write(3 << 3, 4, 6, 2); /* memory, bus master */
}

static int with_irqfd(void **state)
{
	(void)state;
	make(true);
	return 0;
}

static int without_irqfd(void **state)
{
	(void)state;
	make(false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pci_bus_free(p);
	bus_exit(&b);
	for (int i = 0; i < FAKE_FDS; i++)
		assert_int_equal(f.irqfd[i].fd, -1);
	return 0;
}

static void program(unsigned v, uint32_t addr, uint32_t data, bool masked)
{
	wr(16 * v, addr);
	wr(16 * v + 4, 0);
	wr(16 * v + 8, data);
	wr(16 * v + 12, masked);
}

static bool pba(unsigned v)
{
	return rd(0x800) >> v & 1;
}

/* Deliveries since the last call, by whichever way. */
static unsigned got(void)
{
	unsigned n = f.msis + fake_inject(&f);

	f.msis = 0;
	return n;
}

static void table_keeps_what_is_written(void **state)
{
	(void)state;
	assert_int_equal(rd(12), 1); /* masked at reset */
	program(1, 0xfee01000, 0x41, true);
	assert_int_equal(rd(16), 0xfee01000);
	assert_int_equal(rd(24), 0x41);
	wr(16 + 12, 0xfffffffe); /* reserved bits */
	assert_int_equal(rd(28), 0);
	wr(0x800, 0xffffffff); /* PBA is read-only */
	assert_int_equal(rd(0x800), 0);
	assert_int_equal(rd(16 * NVEC), 0); /* behind the table */
	assert_int_equal(msix_vectors(d), NVEC);
}

static void delivers_when_unmasked(void **state)
{
	(void)state;
	program(0, 0xfee00000, 0x31, false);
	cfg_write(CTL, 0x8000, 2);
	assert_true(msix_enabled(d));
	assert_int_equal(msix_use(d, 0, NULL), 0);
	msix_notify(d, 0);
	assert_int_equal(got(), 1);
	assert_int_equal(f.msi_data, 0x31);
	/* A new message takes effect at once. */
	wr(8, 0x32);
	msix_notify(d, 0);
	assert_int_equal(got(), 1);
	assert_int_equal(f.msi_data, 0x32);
	assert_true(changes > 0);
	msix_unuse(d, 0);
}

static void check_pending(void (*mask)(void), void (*unmask)(void))
{
	mask();
	msix_notify(d, 1);
	msix_notify(d, 1);
	assert_int_equal(got(), 0);
	assert_true(pba(1));
	assert_false(pba(0));
	unmask();
	assert_int_equal(got(), 1);
	assert_false(pba(1));
	msix_notify(d, 1);
	assert_int_equal(got(), 1);
}

static void mask_entry(void)
{
	wr(28, 1);
}

static void unmask_entry(void)
{
	wr(28, 0);
}

static void mask_function(void)
{
	cfg_write(CTL, 0xc000, 2);
}

static void unmask_function(void)
{
	cfg_write(CTL, 0x8000, 2);
}

static void master_off(void)
{
	cfg_write(3 << 3, 4, 2, 2);
}

static void master_on(void)
{
	cfg_write(3 << 3, 4, 6, 2);
}

static void masked_is_pending_until_unmasked(void **state)
{
	(void)state;
	program(1, 0xfee00000, 0x51, false);
	cfg_write(CTL, 0x8000, 2);
	assert_int_equal(msix_use(d, 1, NULL), 0);
	check_pending(mask_entry, unmask_entry);
	check_pending(mask_function, unmask_function);
	check_pending(master_off, master_on);
	msix_unuse(d, 1);
}

static void use_counts(void **state)
{
	(void)state;
	program(1, 0xfee00000, 0x51, false);
	cfg_write(CTL, 0x8000, 2);
	assert_int_equal(msix_use(d, 1, NULL), 0);
	assert_int_equal(msix_use(d, 1, NULL), 0);
	msix_unuse(d, 1);
	msix_notify(d, 1);
	assert_int_equal(got(), 1);
	msix_unuse(d, 1);
	msix_unuse(d, 1);
	assert_int_equal(msix_use(d, NVEC, NULL), -EINVAL);
	msix_notify(d, NVEC); /* out of range: nothing */
	assert_int_equal(got(), 0);
}

static void reset_forgets(void **state)
{
	(void)state;
	program(1, 0xfee00000, 0x51, true);
	cfg_write(CTL, 0x8000, 2);
	assert_int_equal(msix_use(d, 1, NULL), 0);
	msix_notify(d, 1);
	pci_bus_reset(p);
	assert_false(msix_enabled(d));
	cfg_write(3 << 3, 0x14, (uint32_t)BASE, 4);
	cfg_write(3 << 3, 4, 6, 2);
	assert_false(pba(1));
	assert_int_equal(rd(16), 0);
	assert_int_equal(rd(28), 1);
	msix_unuse(d, 1);
}

static void irqfd_only_while_deliverable(void **state)
{
	(void)state;
	program(0, 0xfee00000, 0x31, true);
	cfg_write(CTL, 0x8000, 2);
	assert_int_equal(msix_use(d, 0, NULL), 0);
	assert_true(msix_irqfd(d, 0) >= 0);
	assert_int_equal(f.adds, 0);
	wr(12, 0);
	assert_int_equal(f.adds, 1);
	wr(12, 0); /* nothing changed */
	assert_int_equal(f.adds + f.updates + f.dels, 1);
	wr(8, 0x33);
	assert_int_equal(f.updates, 1);
	wr(12, 1);
	assert_int_equal(f.dels, 1);
	msix_unuse(d, 0);
}

#define ROUNDS 2000

static _Atomic bool stop;

static void *notifier(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++)
		msix_notify(d, 1);
	stop = true;
	return NULL;
}

/* After the last notify and the last unmask an interrupt is always delivered. */
static void no_notify_is_lost_in_a_race(void **state)
{
	pthread_t t;
	unsigned n = 0;

	(void)state;
	program(1, 0xfee00000, 0x51, false);
	cfg_write(CTL, 0x8000, 2);
	assert_int_equal(msix_use(d, 1, NULL), 0);
	stop = false;
	assert_int_equal(pthread_create(&t, NULL, notifier, NULL), 0);
	while (!stop) {
		wr(28, 1);
		wr(28, 0);
		if (f.a.ops->irqfd_add)
			n += got();
	}
	pthread_join(t, NULL);
	n += got();
	assert_true(n > 0 && n <= ROUNDS);
	assert_false(pba(1));
	wr(28, 1);
	msix_notify(d, 1);
	wr(28, 0);
	assert_int_equal(got(), 1);
	msix_unuse(d, 1);
}

static void bad_vector_counts(void **state)
{
	struct pci_dev *x = calloc(1, sizeof(*x));
	static const struct pci_ids ids = {.vendor = 1, .device = 2};
	struct err e;

	(void)state;
	assert_non_null(x);
	pci_init(x, "card", &ops, &ids, 1);
	assert_int_equal(msix_init(x, 1, 0, &e), -EINVAL);
	assert_int_equal(msix_init(x, 1, 2049, &e), -EINVAL);
	assert_int_equal(msix_init(x, 1, 2048, &e), 0);
	assert_true(x->bar[1].size >= 2048 * 16 + 256);
	assert_int_equal(msix_use(x, 0, &e), -EINVAL); /* not plugged in */
	on_destroy(x);
}

int main(void)
{
#define I(t) cmocka_unit_test_setup_teardown(t, with_irqfd, teardown)
#define S(t) cmocka_unit_test_setup_teardown(t, without_irqfd, teardown)
	const struct CMUnitTest tests[] = {
		I(table_keeps_what_is_written),
		I(delivers_when_unmasked),
		S(delivers_when_unmasked),
		I(masked_is_pending_until_unmasked),
		S(masked_is_pending_until_unmasked),
		I(use_counts),
		S(use_counts),
		I(reset_forgets),
		S(reset_forgets),
		I(irqfd_only_while_deliverable),
		I(no_notify_is_lost_in_a_race),
		S(no_notify_is_lost_in_a_race),
		I(bad_vector_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
