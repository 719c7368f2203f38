/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio over PCI, driven through its registers by a small driver, with the queues on a loop of
 * their own: life of the device, interrupts, and what a hostile driver may do at any time.
 */
#include "virtio/virtio_pci.h"

#include <pthread.h>
#include <stdio.h>

#include "pc.h"

#define QSIZE	    64
#define CONFIG	    8
#define BUF	    (TMEM_BASE + 0x100000)
#define V1	    VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define DEV_BIT	    VIRTIO_BIT(5)
#define COMMON(reg) VIRTIO_PCI_COMMON_##reg

/* A device that puts every chain back with the number of the call. */
struct dev {
	struct virtio_pci v;
	uint8_t config[CONFIG];
	unsigned resets, starts, stops;
	_Atomic unsigned kicks;
	bool lives;
};

struct fix {
	struct pc pc;
	struct dev dev;
	struct loop *loop[2];
	struct ring r[2];
};

static uint64_t dev_features(struct virtio_pci *v)
{
	(void)v;
	return DEV_BIT;
}

static void dev_config_read(struct virtio_pci *v, unsigned off, uint8_t *buf, unsigned len)
{
	memcpy(buf, container_of(v, struct dev, v)->config + off, len);
}

static void dev_config_write(struct virtio_pci *v, unsigned off, const uint8_t *buf, unsigned len)
{
	memcpy(container_of(v, struct dev, v)->config + off, buf, len);
}

static void dev_started(struct virtio_pci *v, unsigned i)
{
	(void)i;
	container_of(v, struct dev, v)->starts++;
}

static void dev_stopped(struct virtio_pci *v, unsigned i)
{
	(void)i;
	container_of(v, struct dev, v)->stops++;
}

static void dev_kicked(struct virtio_pci *v, unsigned i)
{
	struct dev *d = container_of(v, struct dev, v);
	struct virtqueue *q = &v->q[i].ring;
	struct iovec vec[QSIZE];
	struct vq_chain c;
	unsigned n = 0;

	atomic_fetch_add(&d->kicks, 1);
	do {
		vq_kicks_off(q);
		while (n++ < QSIZE && vq_pop(q, vec, QSIZE, &c) == 1)
			vq_put(q, c.head, 5);
	} while (n < QSIZE && vq_kicks_on(q));
	virtio_pci_done(v, i);
}

static void dev_reset(struct virtio_pci *v)
{
	container_of(v, struct dev, v)->resets++;
}

static void dev_destroy(struct virtio_pci *v)
{
	container_of(v, struct dev, v)->lives = false;
}

static const struct virtio_ops dev_ops = {
	.features = dev_features,
	.config_read = dev_config_read,
	.config_write = dev_config_write,
	.started = dev_started,
	.stopped = dev_stopped,
	.kicked = dev_kicked,
	.reset = dev_reset,
	.destroy = dev_destroy,
};

static struct fix *make_packed(bool legacy, bool modern, unsigned vectors, bool packed)
{
	struct fix *f = calloc(1, sizeof(*f));
	const struct virtio_conf c = {
		.type = 1,
		.legacy_id = 0x1000,
		.class = 0x020000,
		.legacy = legacy,
		.modern = modern,
		.vectors = vectors,
		.event_idx = true,
		.indirect = true,
		.packed = packed,
		.nqueues = 2,
		.queue_size = {QSIZE, QSIZE},
		.config_len = CONFIG,
		.model = "test-device",
	};

	pc_init(&f->pc);
	assert_int_equal(virtio_pci_init(&f->dev.v, &dev_ops, &c, NULL), 0);
	f->dev.lives = true;
	assert_int_equal(pci_add(f->pc.pci, &f->dev.v.pci, PCI_AUTO, NULL), 0);
	pc_assign(&f->pc);
	for (unsigned i = 0; i < 2; i++) {
		f->loop[i] = loop_new("test", NULL, NULL);
		assert_int_equal(virtio_pci_set_loop(&f->dev.v, i, f->loop[0], NULL), 0);
	}
	ring_init(&f->r[1], &f->pc.a.mem, ring_init(&f->r[0], &f->pc.a.mem, TMEM_BASE, QSIZE),
		  QSIZE);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(loop_start(f->loop[i], NULL), 0);
	return f;
}

static struct fix *make(bool legacy, bool modern, unsigned vectors)
{
	return make_packed(legacy, modern, vectors, false);
}

static void unmake(struct fix *f)
{
	for (unsigned i = 0; i < 2; i++) {
		loop_park(f->loop[0]);
		virtio_pci_set_loop(&f->dev.v, i, NULL, NULL);
		loop_unpark(f->loop[0]);
	}
	for (unsigned i = 0; i < 2; i++) {
		loop_stop(f->loop[i]);
		loop_join(f->loop[i]);
		loop_free(f->loop[i]);
	}
	pc_exit(&f->pc);
	assert_false(f->dev.lives);
	free(f);
}

#define PCI(f) (&(f)->dev.v.pci)

static void clear_rings(struct fix *f)
{
	for (unsigned i = 0; i < 2; i++)
		ring_init(&f->r[i], &f->pc.a.mem, f->r[i].desc, QSIZE);
}

static void bring_up(struct fix *f, uint64_t features)
{
	assert_true(mod_negotiate(&f->pc, PCI(f), features | V1));
	clear_rings(f);
	for (unsigned i = 0; i < 2; i++)
		mod_queue(&f->pc, PCI(f), i, &f->r[i], (uint16_t)i);
	mod_write(&f->pc, PCI(f), COMMON(MSIX), 2, 2);
	mod_driver_ok(&f->pc, PCI(f));
	pc_sync(f->loop[0]);
}

/* One chain there and back on queue i. */
static void round_trip(struct fix *f, unsigned i)
{
	uint32_t id = 0, len = 0;

	ring_desc(&f->r[i], 3, BUF, 5, VRING_DESC_F_WRITE, 0);
	ring_add(&f->r[i], 3);
	mod_kick(&f->pc, PCI(f), i);
	pc_sync(f->loop[0]);
	assert_true(ring_used(&f->r[i], &id, &len));
	assert_int_equal(id, 3);
	assert_int_equal(len, 5);
}

/* --- identity ------------------------------------------------------------------------------- */

static void transitional_identity(void **state)
{
	struct fix *f = make(true, true, 3);

	(void)state;
	assert_int_equal(pc_config_read(&f->pc, PCI(f), 0, 4), 0x10001af4);
	assert_int_equal(pc_config_read(&f->pc, PCI(f), 8, 1), 0);
	assert_int_equal(pc_config_read(&f->pc, PCI(f), 0x2c, 4), 0x00011af4);
	for (int type = 1; type <= 5; type++)
		assert_int_not_equal(pc_find_cap(&f->pc, PCI(f), 9, type), 0);
	assert_int_not_equal(pc_find_cap(&f->pc, PCI(f), 0x11, -1), 0);
	unmake(f);
}

static void modern_identity_without_msix(void **state)
{
	struct fix *f = make(false, true, 0);

	(void)state;
	assert_int_equal(pc_config_read(&f->pc, PCI(f), 0, 4), 0x10411af4);
	assert_int_equal(pc_config_read(&f->pc, PCI(f), 8, 1), 1);
	assert_true(pc_config_read(&f->pc, PCI(f), 0x2e, 2) >= 0x40);
	assert_int_equal(pc_find_cap(&f->pc, PCI(f), 0x11, -1), 0);
	assert_int_equal(pc_config_read(&f->pc, PCI(f), 0x10, 4), 0);
	unmake(f);
}

static void legacy_only_has_no_capabilities(void **state)
{
	struct fix *f = make(true, false, 0);

	(void)state;
	assert_int_equal(pc_config_read(&f->pc, PCI(f), 0x34, 1), 0);
	unmake(f);
}

/* --- features and status -------------------------------------------------------------------- */

static void features_are_negotiated(void **state)
{
	struct fix *f = make(false, true, 3);
	const uint64_t offer = V1 | DEV_BIT | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |
			       VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);

	(void)state;
	assert_int_equal(mod_features(&f->pc, PCI(f)), offer);
	assert_true(mod_negotiate(&f->pc, PCI(f), offer));
	/* Fixed from now on. */
	mod_write(&f->pc, PCI(f), COMMON(GFSELECT), 0, 4);
	mod_write(&f->pc, PCI(f), COMMON(GF), 0, 4);
	assert_int_equal(mod_read(&f->pc, PCI(f), COMMON(GF), 4), (uint32_t)offer);
	/* Not offered; and without VERSION_1 (6.1). */
	assert_false(mod_negotiate(&f->pc, PCI(f), offer | VIRTIO_BIT(40)));
	assert_false(mod_negotiate(&f->pc, PCI(f), DEV_BIT));
	/* DRIVER_OK is not taken then. */
	mod_driver_ok(&f->pc, PCI(f));
	assert_int_equal(mod_status(&f->pc, PCI(f)), 3);
	unmake(f);
}

static void packed_ring_is_negotiated(void **state)
{
	const uint64_t packed = VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	struct fix *f = make_packed(true, true, 3, true);
	uint64_t at = TMEM_BASE;

	(void)state;
	assert_int_equal(mod_features(&f->pc, PCI(f)) & packed, packed);
	/* Legacy drivers cannot know it; the split layout stays possible. */
	assert_false(mod_negotiate(&f->pc, PCI(f), packed));
	bring_up(f, 0);
	round_trip(f, 0);
	/* A ring of any size; then it is reset and begins anew. */
	for (unsigned round = 0; round < 3; round++) {
		assert_true(mod_negotiate(&f->pc, PCI(f), packed | V1));
		for (unsigned i = 0; i < 2; i++) {
			at = ring_init_packed(&f->r[i], &f->pc.a.mem, at,
					      (uint16_t)(QSIZE - 1 - round));
			mod_queue(&f->pc, PCI(f), i, &f->r[i], (uint16_t)i);
		}
		mod_driver_ok(&f->pc, PCI(f));
		for (unsigned i = 0; i < 3 * QSIZE; i++)
			round_trip(f, i % 2);
	}
	/* And a driver that wants the other layout. */
	f->r[1].desc = f->r[0].desc + 0x10000;
	bring_up(f, 0);
	round_trip(f, 1);
	unmake(f);
}

static void queue_registers_are_fixed_while_enabled(void **state)
{
	struct fix *f = make(false, true, 3);

	(void)state;
	bring_up(f, 0);
	mod_write(&f->pc, PCI(f), COMMON(Q_SELECT), 0, 2);
	mod_write(&f->pc, PCI(f), COMMON(Q_DESCLO), 0xdead0000, 8);
	mod_write(&f->pc, PCI(f), COMMON(Q_SIZE), 3, 2);
	mod_write(&f->pc, PCI(f), COMMON(Q_ENABLE), 0, 2);
	assert_int_equal(mod_read(&f->pc, PCI(f), COMMON(Q_DESCLO), 8), f->r[0].desc);
	assert_int_equal(mod_read(&f->pc, PCI(f), COMMON(Q_SIZE), 2), QSIZE);
	assert_int_equal(mod_read(&f->pc, PCI(f), COMMON(Q_ENABLE), 2), 1);
	round_trip(f, 0);
	mod_write(&f->pc, PCI(f), COMMON(Q_SELECT), 2, 2);
	assert_int_equal(mod_read(&f->pc, PCI(f), COMMON(Q_SIZE), 2), 0);
	mod_write(&f->pc, PCI(f), COMMON(Q_ENABLE), 1, 2);
	mod_write(&f->pc, PCI(f), COMMON(STATUS), 0, 1);
	assert_int_equal(mod_status(&f->pc, PCI(f)), 0);
	mod_write(&f->pc, PCI(f), COMMON(Q_SELECT), 0, 2);
	assert_int_equal(mod_read(&f->pc, PCI(f), COMMON(Q_DESCLO), 8), 0);
	assert_int_equal(f->dev.starts, 2);
	assert_int_equal(f->dev.stops, 2);
	unmake(f);
}

/* --- interrupts ----------------------------------------------------------------------------- */

static void msix_vector_per_queue(void **state)
{
	struct fix *f = make(true, true, 3);

	(void)state;
	pc_msix_on(&f->pc, PCI(f));
	bring_up(f, 0);
	round_trip(f, 0);
	assert_int_equal(f->pc.msis[0], 1);
	assert_int_equal(f->pc.msis[1], 0);
	round_trip(f, 1);
	assert_int_equal(f->pc.msis[1], 1);
	virtio_pci_config_changed(&f->dev.v);
	assert_int_equal(f->pc.msis[2], 1);
	assert_int_equal(mod_read(&f->pc, PCI(f), COMMON(CFGGENERATION), 1), 1);
	/* A vector that is not there reads back as none, and none is raised. */
	mod_write(&f->pc, PCI(f), COMMON(Q_SELECT), 0, 2);
	mod_write(&f->pc, PCI(f), COMMON(Q_MSIX), 3, 2);
	assert_int_equal(mod_read(&f->pc, PCI(f), COMMON(Q_MSIX), 2), VIRTIO_MSI_NO_VECTOR);
	round_trip(f, 0);
	assert_int_equal(f->pc.msis[0], 1);
	assert_false(f->pc.pirq[0] || f->pc.pirq[1] || f->pc.pirq[2] || f->pc.pirq[3]);
	unmake(f);
}

static bool pin(const struct fix *f)
{
	return f->pc.pirq[0] || f->pc.pirq[1] || f->pc.pirq[2] || f->pc.pirq[3];
}

static void intx_is_level_until_isr_read(void **state)
{
	struct fix *f = make(true, true, 0);

	(void)state;
	bring_up(f, 0);
	assert_false(pin(f));
	round_trip(f, 1);
	assert_true(pin(f));
	assert_int_equal(mod_read(&f->pc, PCI(f), VIRTIO_OFF_ISR, 1), 1);
	assert_false(pin(f));
	virtio_pci_config_changed(&f->dev.v);
	assert_true(pin(f));
	assert_int_equal(pc_in(&f->pc, (uint16_t)(PCI(f)->bar[0].io.base + 19), 1), 2);
	assert_false(pin(f));
	round_trip(f, 0);
	mod_write(&f->pc, PCI(f), COMMON(STATUS), 0, 1);
	assert_false(pin(f));
	unmake(f);
}

static void event_index_saves_interrupts(void **state)
{
	struct fix *f = make(true, true, 3);

	(void)state;
	pc_msix_on(&f->pc, PCI(f));
	bring_up(f, VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX));
	ring_set_used_event(&f->r[0], 2);
	for (unsigned i = 0; i < 5; i++)
		round_trip(f, 0);
	assert_int_equal(f->pc.msis[0], 1);
	unmake(f);
}

/* --- legacy registers ----------------------------------------------------------------------- */

static void legacy_driver(void **state)
{
	uint32_t id, len;

	(void)state;
	for (unsigned msix = 0; msix < 2; msix++) {
		struct fix *f = make(true, true, 3);
		uint16_t io = (uint16_t)PCI(f)->bar[0].io.base;
		uint16_t config = (uint16_t)(io + (msix ? 24 : 20));

		if (msix)
			pc_msix_on(&f->pc, PCI(f));
		pc_outl(&f->pc, io + VIRTIO_PCI_STATUS, 3, 1);
		assert_int_equal(pc_in(&f->pc, io + VIRTIO_PCI_HOST_FEATURES, 4) & ~DEV_BIT,
				 (VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |
				  VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
				  VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT)));
		pc_outl(&f->pc, io + VIRTIO_PCI_GUEST_FEATURES, DEV_BIT | 1u << 31, 4);
		pc_outl(&f->pc, io + VIRTIO_PCI_QUEUE_SEL, 0, 2);
		assert_int_equal(pc_in(&f->pc, io + VIRTIO_PCI_QUEUE_NUM, 2), QSIZE);
		pc_outl(&f->pc, io + VIRTIO_PCI_QUEUE_PFN, (uint32_t)(f->r[0].desc >> 12), 4);
		if (msix)
			pc_outl(&f->pc, io + VIRTIO_MSI_QUEUE_VECTOR, 1, 2);
		pc_outl(&f->pc, io + VIRTIO_PCI_STATUS, 7, 1);
		/* A bit that was never offered is cut away. */
		assert_int_equal(f->dev.v.features, DEV_BIT);
		assert_int_equal(f->dev.starts, 1);
		ring_desc(&f->r[0], 0, BUF, 5, VRING_DESC_F_WRITE, 0);
		ring_add(&f->r[0], 0);
		pc_outl(&f->pc, io + VIRTIO_PCI_QUEUE_NOTIFY, 0, 2);
		pc_sync(f->loop[0]);
		assert_true(ring_used(&f->r[0], &id, &len));
		assert_int_equal(f->pc.msis[1], msix);
		assert_int_equal(pin(f), !msix);
		assert_int_equal(pc_in(&f->pc, io + VIRTIO_PCI_ISR, 1), !msix);
		/* The device's own registers move with MSI-X. */
		pc_outl(&f->pc, config + 4, 0x44332211, 4);
		assert_int_equal(f->dev.config[4], 0x11);
		assert_int_equal(pc_in(&f->pc, config + 6, 2), 0x4433);
		/* Frame number 0 takes the queue away. */
		pc_outl(&f->pc, io + VIRTIO_PCI_QUEUE_PFN, 0, 4);
		assert_int_equal(f->dev.stops, 1);
		pc_outl(&f->pc, io + VIRTIO_PCI_STATUS, 0, 1);
		assert_int_equal(pc_in(&f->pc, io + VIRTIO_PCI_STATUS, 1), 0);
		unmake(f);
	}
}

static void config_window(void **state)
{
	struct fix *f = make(true, true, 3);
	unsigned cap = pc_find_cap(&f->pc, PCI(f), 9, VIRTIO_PCI_CAP_PCI_CFG);

	(void)state;
	memcpy(f->dev.config, "abcdefgh", CONFIG);
	pc_config_write(&f->pc, PCI(f), cap + 4, VIRTIO_BAR_MODERN, 1);
	pc_config_write(&f->pc, PCI(f), cap + 8, VIRTIO_OFF_DEVICE + 2, 4);
	pc_config_write(&f->pc, PCI(f), cap + 12, 2, 4);
	assert_int_equal(pc_config_read(&f->pc, PCI(f), cap + 16, 2), 'c' | 'd' << 8);
	pc_config_write(&f->pc, PCI(f), cap + 8, COMMON(STATUS), 4);
	pc_config_write(&f->pc, PCI(f), cap + 12, 1, 4);
	pc_config_write(&f->pc, PCI(f), cap + 16, 3, 1);
	assert_int_equal(mod_status(&f->pc, PCI(f)), 3);
	/* Windows that are none do nothing: lengths, alignment, place, BAR. */
	for (unsigned i = 0; i < 4; i++) {
		static const uint32_t bad[][3] = {
			{4, 0, 3}, {4, 2, 4}, {4, 0xfffffffc, 4}, {1, 0, 4}};

		pc_config_write(&f->pc, PCI(f), cap + 4, bad[i][0], 1);
		pc_config_write(&f->pc, PCI(f), cap + 8, bad[i][1], 4);
		pc_config_write(&f->pc, PCI(f), cap + 12, bad[i][2], 4);
		pc_config_write(&f->pc, PCI(f), cap + 16, 0, 4);
		pc_config_read(&f->pc, PCI(f), cap + 16, 4);
	}
	assert_int_equal(mod_status(&f->pc, PCI(f)), 3);
	unmake(f);
}

/* --- hostile drivers ------------------------------------------------------------------------ */

static void broken_chain_needs_reset(void **state)
{
	struct fix *f = make(false, true, 3);

	(void)state;
	pc_msix_on(&f->pc, PCI(f));
	for (unsigned i = 0; i < 3; i++) {
		bring_up(f, 0);
		ring_add(&f->r[0], 0xffff);
		mod_kick(&f->pc, PCI(f), 0);
		pc_sync(f->loop[0]);
		assert_int_equal(mod_status(&f->pc, PCI(f)), 15 | 64);
		assert_int_equal(f->pc.msis[2], i + 1);
		assert_int_equal(f->dev.v.breakages, i + 1);
		/* Once is enough; and a driver cannot clear it but by reset. */
		mod_kick(&f->pc, PCI(f), 0);
		mod_write(&f->pc, PCI(f), COMMON(STATUS), 15, 1);
		pc_sync(f->loop[0]);
		assert_int_equal(mod_status(&f->pc, PCI(f)), 15 | 64);
		assert_int_equal(f->dev.v.breakages, i + 1);
		round_trip(f, 1);
	}
	bring_up(f, 0);
	round_trip(f, 0);
	unmake(f);
}

static void bad_ring_address_needs_reset(void **state)
{
	struct fix *f = make(false, true, 3);

	(void)state;
	assert_true(mod_negotiate(&f->pc, PCI(f), V1));
	f->r[0].used = 0xfffffffffffff000;
	mod_queue(&f->pc, PCI(f), 0, &f->r[0], 0);
	mod_driver_ok(&f->pc, PCI(f));
	assert_int_equal(mod_status(&f->pc, PCI(f)), 15 | 64);
	assert_int_equal(f->dev.starts, 0);
	mod_kick(&f->pc, PCI(f), 0);
	pc_sync(f->loop[0]);
	assert_int_equal(f->dev.kicks, 0);
	mod_write(&f->pc, PCI(f), COMMON(STATUS), 0, 1);
	assert_int_equal(mod_status(&f->pc, PCI(f)), 0);
	unmake(f);
}

static uint32_t rnd(uint64_t *s)
{
	*s = *s * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*s >> 33);
}

/* Any register, any value, any width, at any time, with chains lying about. */
static void garbage_registers(void **state)
{
	struct fix *f = make(true, true, 3);
	uint64_t seed = 1;

	(void)state;
	pc_msix_on(&f->pc, PCI(f));
	for (unsigned i = 0; i < 40000; i++) {
		static const unsigned widths[] = {1, 2, 4, 8};
		unsigned w = widths[rnd(&seed) % 4], off;
		uint64_t v = rnd(&seed) % 3 ? rnd(&seed) % 16 : rnd(&seed);

		if (i % 200 == 0)
			bring_up(f, VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX));
		if (rnd(&seed) % 4 == 0)
			v = f->r[rnd(&seed) % 2].desc >> (rnd(&seed) % 2 ? 12 : 0);
		off = rnd(&seed) % 0x40 & ~(w - 1);
		switch (rnd(&seed) % 6) {
		case 0:
			off = VIRTIO_OFF_NOTIFY + off % 16;
			break;
		case 1:
			ring_add(&f->r[0], (uint16_t)v);
			break;
		case 2:
			pc_outl(&f->pc, (uint16_t)(PCI(f)->bar[0].io.base + off % 32), (uint32_t)v,
				MIN(w, 4));
			continue;
		default:
			break;
		}
		mod_write(&f->pc, PCI(f), off, v, w);
		mod_read(&f->pc, PCI(f), off, w);
	}
	bring_up(f, 0);
	round_trip(f, 0);
	round_trip(f, 1);
	unmake(f);
}

struct worker {
	struct fix *f;
	_Atomic bool stop;
};

/* A vCPU that resets and starts the device over and over. */
static void *restarts(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&w->stop))
		for (unsigned i = 0; i < 10; i++)
			bring_up(w->f, 0);
	return NULL;
}

/* While a driver resets, its queues change loops. */
static void queues_move_while_the_driver_resets(void **state)
{
	struct fix *f = make(false, true, 3);
	struct worker w = {.f = f};
	pthread_t vcpu;

	(void)state;
	bring_up(f, 0);
	assert_int_equal(pthread_create(&vcpu, NULL, restarts, &w), 0);
	for (unsigned i = 0; i < 300; i++) {
		loop_park(f->loop[0]);
		loop_park(f->loop[1]);
		for (unsigned q = 0; q < 2; q++)
			assert_int_equal(virtio_pci_set_loop(&f->dev.v, q,
							     i % 3 ? f->loop[i % 2] : NULL, NULL),
					 0);
		loop_unpark(f->loop[1]);
		loop_unpark(f->loop[0]);
	}
	atomic_store(&w.stop, true);
	pthread_join(vcpu, NULL);
	loop_park(f->loop[0]);
	loop_park(f->loop[1]);
	for (unsigned q = 0; q < 2; q++)
		virtio_pci_set_loop(&f->dev.v, q, f->loop[0], NULL);
	loop_unpark(f->loop[1]);
	loop_unpark(f->loop[0]);
	bring_up(f, 0);
	round_trip(f, 0);
	round_trip(f, 1);
	assert_int_equal(f->dev.starts, f->dev.stops + 2);
	unmake(f);
}

static void kick_without_a_loop_is_kept(void **state)
{
	struct fix *f = make(false, true, 3);
	uint32_t id, len;

	(void)state;
	bring_up(f, 0);
	loop_park(f->loop[0]);
	virtio_pci_set_loop(&f->dev.v, 0, NULL, NULL);
	loop_unpark(f->loop[0]);
	ring_desc(&f->r[0], 3, BUF, 5, VRING_DESC_F_WRITE, 0);
	ring_add(&f->r[0], 3);
	mod_kick(&f->pc, PCI(f), 0);
	pc_sync(f->loop[0]);
	assert_false(ring_used(&f->r[0], &id, &len));
	loop_park(f->loop[1]);
	virtio_pci_set_loop(&f->dev.v, 0, f->loop[1], NULL);
	loop_unpark(f->loop[1]);
	pc_sync(f->loop[1]);
	assert_true(ring_used(&f->r[0], &id, &len));
	loop_park(f->loop[1]);
	virtio_pci_set_loop(&f->dev.v, 0, NULL, NULL);
	loop_unpark(f->loop[1]);
	unmake(f);
}

/* Without bus mastering no ring is touched, and no place in it lost. */
static void bus_mastering(void **state)
{
	struct fix *f = make(false, true, 3);
	uint32_t id, len;

	(void)state;
	bring_up(f, 0);
	round_trip(f, 0);
	pc_set_mastering(&f->pc, PCI(f), false);
	ring_desc(&f->r[0], 3, BUF, 5, VRING_DESC_F_WRITE, 0);
	ring_add(&f->r[0], 3);
	mod_kick(&f->pc, PCI(f), 0);
	pc_sync(f->loop[0]);
	assert_false(ring_used(&f->r[0], &id, &len));
	assert_int_equal(mod_status(&f->pc, PCI(f)), 15);
	pc_set_mastering(&f->pc, PCI(f), true);
	pc_sync(f->loop[0]);
	assert_true(ring_used(&f->r[0], &id, &len));
	assert_int_equal(f->dev.starts, 2);
	assert_int_equal(f->dev.stops, 0);
	round_trip(f, 0);
	/* A driver that starts first and switches it on then. */
	pc_set_mastering(&f->pc, PCI(f), false);
	bring_up(f, 0);
	assert_int_equal(f->dev.starts, 2);
	assert_int_equal(mod_status(&f->pc, PCI(f)), 15);
	pc_set_mastering(&f->pc, PCI(f), true);
	assert_int_equal(f->dev.starts, 4);
	round_trip(f, 1);
	/* A reset in between leaves nothing to go on with. */
	pc_set_mastering(&f->pc, PCI(f), false);
	mod_write(&f->pc, PCI(f), COMMON(STATUS), 0, 1);
	pc_set_mastering(&f->pc, PCI(f), true);
	assert_int_equal(f->dev.starts, 4);
	assert_int_equal(f->dev.stops, 4);
	unmake(f);
}

/* Drivers of the legacy registers that never switch it on are helped. */
static void bus_mastering_of_old(void **state)
{
	struct fix *f = make(true, true, 0);
	uint16_t io = (uint16_t)PCI(f)->bar[0].io.base;
	uint32_t id, len;

	(void)state;
	pc_set_mastering(&f->pc, PCI(f), false);
	pc_outl(&f->pc, io + VIRTIO_PCI_STATUS, 3, 1);
	pc_outl(&f->pc, io + VIRTIO_PCI_QUEUE_PFN, (uint32_t)(f->r[0].desc >> 12), 4);
	assert_false(pci_master(PCI(f)));
	pc_outl(&f->pc, io + VIRTIO_PCI_STATUS, 7, 1);
	assert_int_equal(pc_config_read(&f->pc, PCI(f), 4, 2) & 4, 4);
	ring_desc(&f->r[0], 0, BUF, 5, VRING_DESC_F_WRITE, 0);
	ring_add(&f->r[0], 0);
	pc_outl(&f->pc, io + VIRTIO_PCI_QUEUE_NOTIFY, 0, 2);
	pc_sync(f->loop[0]);
	assert_true(ring_used(&f->r[0], &id, &len));
	/* Who switches it off afterwards means it. */
	pc_set_mastering(&f->pc, PCI(f), false);
	pc_outl(&f->pc, io + VIRTIO_PCI_STATUS, 7, 1);
	assert_false(pci_master(PCI(f)));
	unmake(f);
}

static void bus_reset(void **state)
{
	struct fix *f = make(true, true, 3);
	unsigned before;

	(void)state;
	bring_up(f, 0);
	before = f->dev.resets;
	pci_bus_reset(f->pc.pci);
	assert_int_equal(f->dev.resets, before + 1);
	assert_int_equal(f->dev.v.status, 0);
	unmake(f);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(transitional_identity),
		T(modern_identity_without_msix),
		T(legacy_only_has_no_capabilities),
		T(features_are_negotiated),
		T(packed_ring_is_negotiated),
		T(queue_registers_are_fixed_while_enabled),
		T(msix_vector_per_queue),
		T(intx_is_level_until_isr_read),
		T(event_index_saves_interrupts),
		T(legacy_driver),
		T(config_window),
		T(broken_chain_needs_reset),
		T(bad_ring_address_needs_reset),
		T(garbage_registers),
		T(queues_move_while_the_driver_resets),
		T(kick_without_a_loop_is_kept),
		T(bus_mastering),
		T(bus_mastering_of_old),
		T(bus_reset),
	};

	return cmocka_run_group_tests_name("virtio_pci", tests, NULL, NULL);
}
