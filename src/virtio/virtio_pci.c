/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio over PCI: life of the device, its queues and interrupts. The registers themselves are in
 * virtio_pci_regs.c.
 *
 * A register write that starts or stops a ring is carried out on the ring's loop: on_queue()
 * calls the loop and waits. The loop may change meanwhile (a backend is swapped while the control
 * thread holds the loops): the callee then finds that the queue lives elsewhere, does nothing,
 * and the caller tries again. A queue without a loop (no backend) is worked on in place, under
 * `home`, which nobody holds while waiting for a loop. The control thread never waits for the bus
 * lock while it holds loops, so a vCPU that waits for a loop with the bus lock held gets there.
 *
 * MSI-X vectors that were taken into use stay so until the device goes: a loop may raise a vector
 * at the very moment in which a vCPU assigns another one.
 *
 * Without bus mastering a ring stands still, its place in it kept; it starts, or goes on, when that
 * is switched on. What was rung meanwhile is looked at then.
 *
 * A ring or chain that violates the specification stops its queue, sets DEVICE_NEEDS_RESET and
 * sends a configuration interrupt (2.1.2); everything else goes on until the driver resets.
 */
#include "virtio/virtio_pci.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#define ISR_QUEUE	 1u /* 4.1.4.5; the UAPI headers name the other bit only */
#define BREAKAGES_LOGGED 8u /* a guest shall not fill the log */

#define DRIVER_BITS                                                                                \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK |        \
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)

static struct accel *accel_of(struct virtio_pci *v)
{
	return v->pci.bus ? pci_io_bus(v->pci.bus)->accel : NULL;
}

/* --- interrupts ----------------------------------------------------------------------------- */

static void raise_intx(struct virtio_pci *v, uint8_t bit, bool pin)
{
	pthread_mutex_lock(&v->intx);
	v->isr |= bit;
	if (pin)
		pci_intx(&v->pci, true);
	pthread_mutex_unlock(&v->intx);
}

/* Reading the status clears it and lowers the pin (4.1.4.5). */
uint8_t virtio_read_isr(struct virtio_pci *v)
{
	uint8_t isr;

	pthread_mutex_lock(&v->intx);
	isr = v->isr;
	v->isr = 0;
	pci_intx(&v->pci, false);
	pthread_mutex_unlock(&v->intx);
	return isr;
}

static void notify_queue(struct virtio_queue *q)
{
	struct virtio_pci *v = q->dev;

	if (atomic_load(&v->msix_on)) {
		uint16_t vec = atomic_load(&q->vector);

		if (vec != VIRTIO_MSI_NO_VECTOR)
			msix_notify(&v->pci, vec);
	} else {
		raise_intx(v, ISR_QUEUE, true);
	}
}

static void notify_config(struct virtio_pci *v)
{
	bool msix = atomic_load(&v->msix_on);
	uint16_t vec = atomic_load(&v->config_vector);

	if (!virtio_driver_ok(v))
		return;
	raise_intx(v, VIRTIO_PCI_ISR_CONFIG, !msix);
	if (msix && vec != VIRTIO_MSI_NO_VECTOR)
		msix_notify(&v->pci, vec);
}

void virtio_pci_config_changed(struct virtio_pci *v)
{
	atomic_fetch_add(&v->generation, 1);
	notify_config(v);
}

uint16_t virtio_use_vector(struct virtio_pci *v, uint16_t vec)
{
	struct err e;

	if (vec >= msix_vectors(&v->pci))
		return VIRTIO_MSI_NO_VECTOR;
	if (!v->vec_used[vec]) {
		if (msix_use(&v->pci, vec, &e) < 0) {
			if (!v->vec_failed)
				log_err(&e);
			v->vec_failed = true;
			return VIRTIO_MSI_NO_VECTOR;
		}
		v->vec_used[vec] = true;
	}
	return vec;
}

static void needs_reset(struct virtio_queue *q)
{
	struct virtio_pci *v = q->dev;
	unsigned n = atomic_fetch_add(&v->breakages, 1);

	if (n < BREAKAGES_LOGGED)
		log_warn("%s: queue %u stopped, its driver must reset the device: %s%s", v->pci.id,
			 q->index, q->ring.why,
			 n + 1 == BREAKAGES_LOGGED ? " (further ones only with -d guest_errors)"
						   : "");
	else
		log_extra("guest_errors", "%s: queue %u stopped: %s", v->pci.id, q->index,
			  q->ring.why);
	atomic_fetch_or(&v->status, VIRTIO_CONFIG_S_NEEDS_RESET);
	notify_config(v);
}

/* [q] Says once that the ring broke. */
static void check_broken(struct virtio_queue *q)
{
	if (!q->ring.broken || !q->ring.running)
		return;
	q->ring.running = false;
	needs_reset(q);
}

void virtio_pci_done(struct virtio_pci *v, unsigned i)
{
	struct virtio_queue *q = &v->q[i];

	if (vq_publish(&q->ring))
		notify_queue(q);
	check_broken(q);
}

/* --- queues and their loops ----------------------------------------------------------------- */

struct queue_call {
	struct virtio_queue *q;
	struct loop *loop;
	void (*fn)(struct virtio_queue *q);
	bool done;
};

static void call_here(void *arg)
{
	struct queue_call *c = arg;

	/* The queue moves only while its loop is held: if it is here, it stays while we run. */
	if (atomic_load(&c->q->loop) != c->loop)
		return;
	c->fn(c->q);
	c->done = true;
}

/* Runs fn on the queue's loop and waits. */
static void on_queue(struct virtio_queue *q, void (*fn)(struct virtio_queue *q))
{
	struct queue_call c = {.q = q, .fn = fn};

	while (!c.done) {
		pthread_mutex_lock(&q->dev->home);
		c.loop = atomic_load(&q->loop);
		if (!c.loop) {
			fn(q);
			c.done = true;
		}
		pthread_mutex_unlock(&q->dev->home);
		if (c.loop)
			loop_call(c.loop, call_here, &c);
	}
}

static void kick_event(struct loop_fd *w, uint32_t events)
{
	struct virtio_queue *q = container_of(w, struct virtio_queue, watch);

	(void)events;
	if (!q->ring.running)
		return;
	q->dev->ops->kicked(q->dev, q->index);
	check_broken(q);
}

int virtio_pci_set_loop(struct virtio_pci *v, unsigned i, struct loop *l, struct err *e)
{
	struct virtio_queue *q = &v->q[i];
	struct loop *old = atomic_load(&q->loop);
	int rc = 0;

	if (old)
		loop_del_fd(old, &q->watch);
	/* Edge-triggered: the counter is never read, each write to it is an edge, and adding a
	 * descriptor that was written to before counts as one. */
	if (l)
		rc = loop_add_fd(l, &q->watch, q->kick, EPOLLIN | EPOLLET, kick_event);
	pthread_mutex_lock(&v->home);
	atomic_store(&q->loop, rc ? NULL : l);
	pthread_mutex_unlock(&v->home);
	if (rc)
		return err_set(e, -rc, "%s: cannot watch a doorbell: %s", v->pci.id, strerror(-rc));
	return 0;
}

static void leave_here(struct virtio_queue *q)
{
	if (atomic_load(&q->loop))
		virtio_pci_set_loop(q->dev, q->index, NULL, NULL);
}

/* The control thread may have been faster: then the queue is where it belongs. */
static void join_here(struct virtio_queue *like)
{
	struct virtio_pci *v = like->dev;
	struct loop *l = atomic_load(&like->loop);
	struct err e;

	if (l && !atomic_load(&v->q[v->mover].loop) && virtio_pci_set_loop(v, v->mover, l, &e) < 0)
		log_err(&e);
}

/* --- lent rings ----------------------------------------------------------------------------- */

uint16_t virtio_pci_lend(struct virtio_pci *v, unsigned i)
{
	struct virtio_queue *q = &v->q[i];

	loop_del_fd(atomic_load(&q->loop), &q->watch);
	return vq_lend(&q->ring);
}

void virtio_pci_take_back(struct virtio_pci *v, unsigned i, uint16_t next)
{
	struct virtio_queue *q = &v->q[i];
	struct err e;

	vq_take_back(&q->ring, next);
	/* Looks at the ring, too: see there. */
	if (virtio_pci_set_loop(v, i, atomic_load(&q->loop), &e) < 0)
		log_err(&e);
}

int virtio_pci_call(struct virtio_pci *v, unsigned i)
{
	uint16_t vec = atomic_load(&v->q[i].vector);
	int fd;

	if (!atomic_load(&v->msix_on))
		return VIRTIO_CALL_HERE;
	if (vec == VIRTIO_MSI_NO_VECTOR)
		return VIRTIO_CALL_NONE;
	fd = msix_irqfd(&v->pci, vec);
	return fd < 0 ? VIRTIO_CALL_HERE : fd;
}

void virtio_pci_interrupt(struct virtio_pci *v, unsigned i)
{
	notify_queue(&v->q[i]);
}

static void rewired_here(struct virtio_queue *q)
{
	q->dev->ops->rewired(q->dev, q->index);
}

void virtio_set_vector(struct virtio_queue *q, uint16_t vec)
{
	struct virtio_pci *v = q->dev;

	atomic_store(&q->vector, virtio_use_vector(v, vec));
	if (v->ops->rewired && q->enabled && virtio_driver_ok(v))
		on_queue(q, rewired_here);
}

void virtio_pci_follow(struct virtio_pci *v, unsigned i, unsigned like)
{
	if (atomic_load(&v->q[i].loop) == atomic_load(&v->q[like].loop))
		return;
	on_queue(&v->q[i], leave_here);
	v->mover = (uint16_t)i;
	on_queue(&v->q[like], join_here);
}

void virtio_pci_kick(struct virtio_pci *v, unsigned i)
{
	const uint64_t one = 1;

	/* Only a full counter can fail, and one that is not empty is an edge already. */
	if (write(v->q[i].kick, &one, sizeof(one)) < 0)
		return;
}

static void stop_here(struct virtio_queue *q)
{
	bool was = q->ring.mem != NULL;

	vq_stop(&q->ring);
	if (was)
		q->dev->ops->stopped(q->dev, q->index);
}

/* Not without bus mastering: what is to be started then, starts when that comes. */
static void start_here(struct virtio_queue *q)
{
	struct virtio_pci *v = q->dev;
	const struct vq_conf c = {
		.size = q->size,
		.desc = q->desc,
		.avail = q->avail,
		.used = q->used,
		.event_idx = virtio_has(v, VIRTIO_RING_F_EVENT_IDX),
		.indirect = virtio_has(v, VIRTIO_RING_F_INDIRECT_DESC),
		.packed = virtio_has(v, VIRTIO_F_RING_PACKED),
	};

	stop_here(q);
	if (!pci_master(&v->pci))
		return;
	if (vq_start(&q->ring, &accel_of(v)->mem, &c) < 0) {
		needs_reset(q);
		return;
	}
	v->ops->started(v, q->index);
	/* Buffers that were there before DRIVER_OK. */
	virtio_pci_kick(v, q->index);
}

/* Bus mastering went on or off: the ring stops where it is, or goes on. */
static void master_here(struct virtio_queue *q)
{
	struct virtio_pci *v = q->dev;

	if (!pci_master(&v->pci)) {
		/* Whoever has a lent ring gives it back first. */
		if (v->ops->rewired)
			rewired_here(q);
		q->ring.running = false;
	} else if (q->ring.broken) {
		return;
	} else if (!q->ring.mem) {
		start_here(q);
	} else {
		q->ring.running = true;
		virtio_pci_kick(v, q->index); /* what was rung in vain */
		if (v->ops->rewired)
			rewired_here(q);
	}
}

static void reset_here(struct virtio_queue *q)
{
	q->dev->ops->reset(q->dev);
}

void virtio_queue_enable(struct virtio_pci *v, unsigned i, bool on)
{
	struct virtio_queue *q = &v->q[i];

	if (q->enabled && !on)
		on_queue(q, stop_here);
	q->enabled = on;
	if (on && virtio_driver_ok(v))
		on_queue(q, start_here);
}

/* --- device status -------------------------------------------------------------------------- */

uint64_t virtio_offer(struct virtio_pci *v, bool legacy)
{
	uint64_t f = v->ops->features(v);

	if (v->conf.event_idx)
		f |= VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	if (v->conf.indirect)
		f |= VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (legacy)
		f |= VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT);
	else
		f |= VIRTIO_BIT(VIRTIO_F_VERSION_1);
	if (!legacy && v->conf.packed)
		f |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	f &= ~atomic_load(&v->withheld);
	v->offered |= f;
	return f;
}

void virtio_set_features(struct virtio_pci *v, uint64_t f)
{
	const uint8_t fixed = VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;

	if (!(atomic_load(&v->status) & fixed))
		atomic_store(&v->features, f);
}

/* 2.2: bits that were never offered; a modern-only device needs VERSION_1 (6.1), and so does the
 * packed ring, which legacy drivers cannot know. */
static bool features_fit(struct virtio_pci *v)
{
	uint64_t f = atomic_load(&v->features);

	virtio_offer(v, !(f & VIRTIO_BIT(VIRTIO_F_VERSION_1)));
	if (f & ~v->offered)
		return false;
	if (f & VIRTIO_BIT(VIRTIO_F_VERSION_1))
		return true;
	return v->conf.legacy && !(f & VIRTIO_BIT(VIRTIO_F_RING_PACKED));
}

void virtio_reset(struct virtio_pci *v)
{
	for (unsigned i = 0; i < v->conf.nqueues; i++) {
		struct virtio_queue *q = &v->q[i];

		on_queue(q, stop_here);
		q->size = v->conf.queue_size[i];
		q->desc = q->avail = q->used = 0;
		q->enabled = false;
		atomic_store(&q->vector, VIRTIO_MSI_NO_VECTOR);
	}
	atomic_store(&v->status, 0);
	atomic_store(&v->features, 0);
	on_queue(&v->q[0], reset_here);
	if (v->ops->negotiated)
		v->ops->negotiated(v);
	atomic_store(&v->config_vector, VIRTIO_MSI_NO_VECTOR);
	v->feature_sel = v->driver_feature_sel = 0;
	v->queue_sel = 0;
	v->offered = 0;
	virtio_read_isr(v);
}

void virtio_set_status(struct virtio_pci *v, uint8_t val)
{
	uint8_t old = atomic_load(&v->status), new;

	if (!val) {
		virtio_reset(v);
		return;
	}
	/* Bits are only ever added (2.1.1), and NEEDS_RESET is not the driver's. */
	new = (val & DRIVER_BITS) & ~old;
	if ((new &(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)) &&
	    !(old & VIRTIO_CONFIG_S_FEATURES_OK) && !features_fit(v)) {
		/* Legacy drivers skip FEATURES_OK: their bits are cut down to what is there. */
		if (new &VIRTIO_CONFIG_S_FEATURES_OK || !v->conf.legacy)
			new &= ~(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
		else
			atomic_fetch_and(&v->features, v->offered);
	}
	if ((new &(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)) && v->ops->negotiated)
		v->ops->negotiated(v);
	atomic_fetch_or(&v->status, new);
	if (!(new &VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	for (unsigned i = 0; i < v->conf.nqueues; i++)
		if (v->q[i].enabled)
			on_queue(&v->q[i], start_here);
}

/* --- PCI ------------------------------------------------------------------------------------ */

/* Registers or removes the ioeventfds of BAR `bar`, so that KVM turns notifications into eventfd
 * writes without leaving the kernel. Where that fails (or there is no KVM) the register handler
 * does the same. */
static void doorbells(struct virtio_pci *v, unsigned bar, bool add)
{
	struct accel *a = accel_of(v);
	bool legacy = bar == VIRTIO_BAR_LEGACY;
	uint64_t base = v->doorbell[bar].base;

	if (!a || !a->ops->ioeventfd || v->doorbell[bar].on == add)
		return;
	if (add)
		base = v->pci.bar[bar].io.base +
		       (legacy ? VIRTIO_PCI_QUEUE_NOTIFY : VIRTIO_OFF_NOTIFY);
	for (unsigned i = 0; i < v->conf.nqueues; i++)
		a->ops->ioeventfd(a, add, legacy, legacy ? base : base + i * VIRTIO_NOTIFY_STEP, 2,
				  legacy, i, v->q[i].kick);
	v->doorbell[bar].base = base;
	v->doorbell[bar].on = add;
}

static void on_bar_changed(struct pci_dev *d, unsigned bar)
{
	struct virtio_pci *v = container_of(d, struct virtio_pci, pci);

	if (bar != VIRTIO_BAR_LEGACY && bar != VIRTIO_BAR_MODERN)
		return;
	doorbells(v, bar, false);
	if (d->bar[bar].mapped)
		doorbells(v, bar, true);
}

static void on_msix_changed(struct pci_dev *d)
{
	struct virtio_pci *v = container_of(d, struct virtio_pci, pci);

	if (atomic_exchange(&v->msix_on, msix_enabled(d)) == msix_enabled(d) || !v->ops->rewired)
		return;
	for (unsigned i = 0; i < v->conf.nqueues; i++)
		on_queue(&v->q[i], rewired_here);
}

static void on_config_read(struct pci_dev *d, unsigned off, unsigned len)
{
	virtio_cfg_window_read(container_of(d, struct virtio_pci, pci), off, len);
}

static void on_config_written(struct pci_dev *d, unsigned off, unsigned len)
{
	virtio_cfg_window_written(container_of(d, struct virtio_pci, pci), off, len);
}

static void on_master_changed(struct pci_dev *d)
{
	struct virtio_pci *v = container_of(d, struct virtio_pci, pci);

	for (unsigned i = 0; i < v->conf.nqueues; i++)
		if (v->q[i].enabled && virtio_driver_ok(v))
			on_queue(&v->q[i], master_here);
}

static void on_reset(struct pci_dev *d)
{
	struct virtio_pci *v = container_of(d, struct virtio_pci, pci);

	virtio_reset(v);
	atomic_store(&v->msix_on, msix_enabled(d));
}

void virtio_pci_exit(struct virtio_pci *v)
{
	for (unsigned i = 0; i < v->conf.nqueues; i++) {
		struct virtio_queue *q = &v->q[i];
		struct loop *l = atomic_load(&q->loop);

		if (l) {
			on_queue(q, stop_here);
			loop_del_fd(l, &q->watch);
		}
		if (q->kick >= 0)
			close(q->kick);
		vq_exit(&q->ring);
	}
	msix_free(&v->pci);
	free(v->vec_used);
	pthread_mutex_destroy(&v->home);
	pthread_mutex_destroy(&v->intx);
}

static void on_destroy(struct pci_dev *d)
{
	struct virtio_pci *v = container_of(d, struct virtio_pci, pci);

	doorbells(v, VIRTIO_BAR_LEGACY, false);
	doorbells(v, VIRTIO_BAR_MODERN, false);
	for (unsigned i = 0; i < v->conf.vectors; i++)
		if (v->vec_used[i])
			msix_unuse(d, i);
	virtio_pci_exit(v);
	v->ops->destroy(v);
}

static const struct pci_ops virtio_pci_ops = {
	.config_read = on_config_read,
	.config_written = on_config_written,
	.bar_changed = on_bar_changed,
	.msix_changed = on_msix_changed,
	.master_changed = on_master_changed,
	.reset = on_reset,
	.destroy = on_destroy,
};

static int init_queues(struct virtio_pci *v, struct err *e)
{
	for (unsigned i = 0; i < v->conf.nqueues; i++) {
		struct virtio_queue *q = &v->q[i];

		q->dev = v;
		q->index = (uint16_t)i;
		q->size = v->conf.queue_size[i];
		atomic_store(&q->vector, VIRTIO_MSI_NO_VECTOR);
		q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (q->kick < 0)
			return err_set(e, errno,
				       "%s: no eventfd for a doorbell: %s; raise the open file "
				       "limit (ulimit -n)",
				       v->conf.model, strerror(errno));
		if (vq_init(&q->ring, v->conf.queue_size[i], e) < 0)
			return -ENOMEM;
		if (v->conf.packed && vq_init_packed(&q->ring, e) < 0)
			return -ENOMEM;
	}
	v->vec_used = calloc(v->conf.vectors + 1, sizeof(*v->vec_used));
	return v->vec_used ? 0 : err_set(e, ENOMEM, "no memory for %s", v->conf.model);
}

int virtio_pci_init(struct virtio_pci *v, const struct virtio_ops *ops, const struct virtio_conf *c,
		    struct err *e)
{
	const struct pci_ids ids = {
		.vendor = 0x1af4,
		.device = c->legacy ? c->legacy_id : 0x1040 + c->type,
		.subvendor = 0x1af4,
		.subdevice = c->legacy ? c->type : 0x1100,
		.rev = c->legacy ? 0 : 1,
		.class = c->class,
	};
	int rc;

	v->ops = ops;
	v->conf = *c;
	pthread_mutex_init(&v->home, NULL);
	pthread_mutex_init(&v->intx, NULL);
	atomic_store(&v->config_vector, VIRTIO_MSI_NO_VECTOR);
	for (unsigned i = 0; i < c->nqueues; i++)
		v->q[i].kick = -1;
	pci_init(&v->pci, c->model, &virtio_pci_ops, &ids, 1);
	rc = init_queues(v, e);
	if (!rc)
		rc = virtio_regs_init(v, e);
	if (rc < 0)
		virtio_pci_exit(v);
	return rc;
}
