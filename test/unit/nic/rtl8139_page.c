/* SPDX-License-Identifier: BSD-2-Clause */
/* rtl8139's registers as memory: when they are shown, that they tell the same as the registers, and
 * what takes them away. */
#include "rtl.h"

#define TCTR	 0x48
#define TIMERINT 0x54
#define MSR	 0x58
#define BMSR	 0x64
#define CSCR	 0x74

/* Where the guest's CPU finds register `reg` as memory, or NULL: its accesses come to the card. */
static const uint8_t *seen(struct rcard *c, unsigned reg)
{
	const uint64_t at = c->pci->bar[1].io.base + reg;

	assert_null(accel_cpu_ptr(&c->pc.a, at, 1, true));
	return accel_cpu_ptr(&c->pc.a, at, 1, false);
}

static void ask(struct rcard *c, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		r_get(c, i % 2 ? ISR : IMR, 2);
}

static struct rcard *in_earnest(struct rcard *c)
{
	r_plus(c, 0, 1536);
	ask(c, 62); /* r_plus() asked once */
	assert_null(seen(c, ISR));
	ask(c, 1);
	assert_non_null(seen(c, ISR));
	return c;
}

static void page_tells_the_same(void **state)
{
	struct rcard *c = in_earnest(r_make(""));
	uint8_t b[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(b); i++)
		if (i < TCTR || i >= TCTR + 4)
			assert_int_equal(*seen(c, i), r_get(c, i, 1));
	for (unsigned i = 256; i < 4096; i += 0x101)
		assert_int_equal(*seen(c, i), 0xff);
	/* The handlers' part, and the loop's. */
	in_earnest(c);
	r_set(c, IMR, INT_SWINT | INT_ROK, 2);
	assert_int_equal(get_le16(seen(c, IMR)), INT_SWINT | INT_ROK);
	r_set(c, TPPOLL, 0x01, 1);
	assert_int_equal(get_le16(seen(c, ISR)), INT_SWINT);
	assert_true(r_pin(c));
	r_set(c, ISR, INT_SWINT, 2);
	assert_int_equal(get_le16(seen(c, ISR)), 0);
	assert_int_equal(r_send(c, r_bytes(600), 600), 1);
	assert_int_equal(get_le16(seen(c, ISR)), INT_ROK);
	assert_int_equal(get_le16(seen(c, 0x34)), 600); /* ERBCR */
	assert_true(r_pin(c));
	r_free(c);
}

static void link_is_told(void **state)
{
	struct rcard *c = in_earnest(r_make(""));

	(void)state;
	assert_int_equal(*seen(c, MSR) & 0x04, 0);
	assert_int_equal(get_le16(seen(c, BMSR)) & 0x24, 0x24);
	net_set_link(&c->nic->port, false);
	assert_int_equal(*seen(c, MSR) & 0x04, 0x04);
	assert_int_equal(get_le16(seen(c, BMSR)) & 0x24, 0);
	assert_int_equal(get_le16(seen(c, CSCR)) & 0x0c00, 0x0800);
	assert_int_equal(get_le16(seen(c, ISR)), INT_LINKCHG);
	/* Reading CSCR clears a bit: from the acknowledgement on it is read here. */
	r_isr(c);
	assert_null(seen(c, CSCR));
	assert_int_equal(r_get(c, CSCR, 2) & 0x0c00, 0x0800);
	assert_int_equal(r_get(c, CSCR, 2) & 0x0c00, 0);
	r_free(c);
}

static void what_takes_it_away(void **state)
{
	static const struct {
		unsigned reg, size;
		uint32_t val;
	} t[] = {
		{CR, 1, CR_RST}, {CR, 1, CR_TE}, {CPCR, 2, 0}, {0x50, 1, 0xc0}, {0x44, 4, 0x0f},
	};
	struct rcard *c = r_make("");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		in_earnest(c);
		r_set(c, t[i].reg, t[i].val, t[i].size);
		assert_null(seen(c, ISR));
	}
	in_earnest(c);
	pc_config_write(&c->pc, c->pci, 0x04, 0x05, 2); /* no memory decoding */
	assert_null(seen(c, ISR));
	r_free(c);
}

static void who_does_not_get_it(void **state)
{
	static const unsigned timer[] = {TCTR, TIMERINT};
	struct rcard *c = r_make("");

	(void)state;
	/* C mode */
	r_up(c, 0);
	ask(c, 200);
	assert_null(seen(c, ISR));
	/* Who counts with the timer, by reading or writing, until reset. */
	for (unsigned i = 0; i < 4; i++) {
		r_plus(c, 0, 1536);
		if (i & 1)
			r_set(c, timer[i / 2], 0, 4);
		else
			r_get(c, timer[i / 2], 4);
		ask(c, 200);
		assert_null(seen(c, ISR));
	}
	in_earnest(c);
	r_free(c);
}

static uint64_t other_read(void *opaque, uint64_t off, unsigned size)
{
	(void)opaque;
	(void)off;
	(void)size;
	return 0x5a;
}

static const struct io_ops other_ops = {.read = other_read, .max = 4};

static void page_is_not_shared(void **state)
{
	struct rcard *c = r_make("");
	struct io_region other = {.base = c->pci->bar[1].io.base + 0x800,
				  .size = 0x100,
				  .ops = &other_ops,
				  .name = "other"};

	(void)state;
	bus_lock(&c->pc.bus);
	assert_int_equal(bus_add(&c->pc.bus, BUS_MMIO, &other, NULL), 0);
	bus_unlock(&c->pc.bus);
	r_plus(c, 0, 1536);
	ask(c, 200);
	assert_null(seen(c, ISR));
	bus_lock(&c->pc.bus);
	bus_del(&c->pc.bus, BUS_MMIO, &other);
	bus_unlock(&c->pc.bus);
	in_earnest(c);
	/* Its own BAR moves to where no page begins. */
	pc_config_write(&c->pc, c->pci, 0x14, (uint32_t)c->pci->bar[1].io.base + 0x100, 4);
	assert_null(seen(c, ISR));
	ask(c, 200);
	assert_null(seen(c, ISR));
	r_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_tells_the_same), cmocka_unit_test(link_is_told),
		cmocka_unit_test(what_takes_it_away),  cmocka_unit_test(who_does_not_get_it),
		cmocka_unit_test(page_is_not_shared),
	};

	return cmocka_run_group_tests_name("rtl8139_page", tests, NULL, NULL);
}
