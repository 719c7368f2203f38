/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device on the PCI bus (virtio 1.2 section 4.1), modern, transitional or both, without
 * a notion of what kind of device it is: that is virtio_ops.
 *
 * THREADS: registers run on vCPU threads (or the control loop) under the bus lock. Each queue's
 * ring belongs to one event loop, which virtio_pci_set_loop() names; while it has none, to
 * whoever holds `home`. Starting and stopping a ring goes to its loop (loop_call), so that the
 * data path takes no lock. Calls marked [q] run on the loop of the queue they concern.
 * Interrupts may be raised from any thread.
 */
#ifndef VIRTIO_VIRTIO_PCI_H
#define VIRTIO_VIRTIO_PCI_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "bus/pci.h"
#include "virtio/virtqueue.h"

#define VIRTIO_QUEUES	   17	/* at most: 8 pairs and a control queue */
#define VIRTIO_VECTORS_MAX 2048 /* MSI-X vectors of a device, at most */
#define VIRTIO_BIT(n)	   (1ull << (n))

struct virtio_pci;

struct virtio_ops {
	/* Device type's feature bits that are offered just now. Bus lock. */
	uint64_t (*features)(struct virtio_pci *v);
	/* Device-specific configuration, bytes [off, off + len), always inside of config_len.
	 * Bus lock. write may be NULL: read-only. */
	void (*config_read)(struct virtio_pci *v, unsigned off, uint8_t *buf, unsigned len);
	void (*config_write)(struct virtio_pci *v, unsigned off, const uint8_t *buf, unsigned len);
	/* Optional. The driver's features are settled or, at a reset, gone; no queue runs. The
	 * place for virtio_pci_follow(). Bus lock. */
	void (*negotiated)(struct virtio_pci *v);
	/* [q] The ring of queue i runs from now on; features are negotiated. */
	void (*started)(struct virtio_pci *v, unsigned i);
	/* [q] The ring was stopped; what was popped from it is void. */
	void (*stopped)(struct virtio_pci *v, unsigned i);
	/* [q] The driver kicked queue i, which runs. */
	void (*kicked)(struct virtio_pci *v, unsigned i);
	/* [q] Optional. Queue i interrupts by another way now: virtio_pci_call(). */
	void (*rewired)(struct virtio_pci *v, unsigned i);
	/* [q] of queue 0. Back to the state after power-on; all queues were stopped. */
	void (*reset)(struct virtio_pci *v);
	/* Frees the device; the transport has let go of everything. */
	void (*destroy)(struct virtio_pci *v);
};

struct virtio_conf {
	uint16_t type;	    /* section 5: 1 network, 2 block, … */
	uint16_t legacy_id; /* 4.1.2.1: PCI device id when transitional */
	uint32_t class;
	bool legacy, modern;	  /* at least one */
	unsigned vectors;	  /* MSI-X vectors, 0: INTx */
	bool event_idx, indirect; /* offered */
	bool packed;		  /* offered to modern drivers */
	unsigned nqueues;
	uint16_t queue_size[VIRTIO_QUEUES]; /* powers of two */
	unsigned config_len;		    /* bytes of device-specific configuration */
	const char *model;		    /* "virtio-net-pci" */
};

/* One queue: its ring, and its registers (bus lock). */
struct virtio_queue {
	struct virtqueue ring; /* the loop's */
	struct virtio_pci *dev;
	uint16_t index;
	int kick; /* eventfd that the driver's notifications end in */
	struct loop_fd watch;
	struct loop *_Atomic loop;
	_Atomic uint16_t vector; /* MSI-X vector or VIRTIO_MSI_NO_VECTOR */
	uint16_t size;
	uint64_t desc, avail, used; /* guest-physical */
	bool enabled;
};

struct virtio_pci {
	struct pci_dev pci;
	const struct virtio_ops *ops;
	struct virtio_conf conf;
	struct virtio_queue q[VIRTIO_QUEUES];
	pthread_mutex_t home; /* owns the rings that have no loop */
	pthread_mutex_t intx; /* keeps isr and pin together */
	uint8_t isr;
	_Atomic uint8_t status;
	_Atomic uint64_t features;   /* acknowledged; fixed while a queue runs */
	_Atomic uint64_t withheld;   /* not offered just now, whatever the options say */
	_Atomic uint32_t generation; /* of the device-specific configuration */
	_Atomic uint16_t config_vector;
	_Atomic bool msix_on;
	_Atomic unsigned breakages; /* broken rings and chains, ever */
	bool *vec_used;		    /* vectors that msix_use() was called for */
	bool vec_failed;	    /* said so: a guest shall not fill the log */
	/* registers, bus lock */
	uint32_t feature_sel, driver_feature_sel;
	uint16_t queue_sel;
	uint16_t mover;	  /* queue that virtio_pci_follow() moves */
	uint64_t offered; /* all bits the driver was ever shown since reset */
	unsigned cfg_cap; /* config offset of the PCI configuration access capability, or 0 */
	struct {
		uint64_t base;
		bool on;
	} doorbell[PCI_BARS]; /* where ioeventfds are registered */
};

/* Fills in v (zeroed by the caller) and its PCI header, BARs and capabilities. On failure nothing
 * needs virtio_pci_exit(). pci_add() is the caller's next step. */
int virtio_pci_init(struct virtio_pci *v, const struct virtio_ops *ops, const struct virtio_conf *c,
		    struct err *e);

/* Only for a device that pci_add() refused; else the bus does it before ops->destroy. */
void virtio_pci_exit(struct virtio_pci *v);

/* [ctl] Gives queue i to loop l (NULL: to nobody), with the loops concerned parked or not running.
 * A kick that came before, or while the queue had no loop, is delivered on the new one. */
int virtio_pci_set_loop(struct virtio_pci *v, unsigned i, struct loop *l, struct err *e);

/* Moves queue i to the loop that queue `like` is on: for a queue whose part depends on what was
 * negotiated. It does not run just now. Bus lock, from ops->negotiated() only. */
void virtio_pci_follow(struct virtio_pci *v, unsigned i, unsigned like);

/* Rings queue i's doorbell: kicked() runs soon. Any thread. */
void virtio_pci_kick(struct virtio_pci *v, unsigned i);

/* [q] Publishes what was put on queue i and interrupts the driver if it wants that. Also notices
 * that the ring broke: NEEDS_RESET (2.1.1), counted. Once per batch. */
void virtio_pci_done(struct virtio_pci *v, unsigned i);

/* What virtio_pci_call() answers instead of a descriptor. */
#define VIRTIO_CALL_NONE (-1) /* nobody is interrupted: the driver gave the queue no vector */
#define VIRTIO_CALL_HERE (-2) /* virtio_pci_interrupt() has to do it */

/*
 * [q] Lends queue i's ring, for which vq_may_lend(), to somebody else, who begins at the index
 * returned and watches the doorbell, q[i].kick, which nobody here does meanwhile.
 */
uint16_t virtio_pci_lend(struct virtio_pci *v, unsigned i);
/* [q] And takes it back; the driver may have stopped it meanwhile. What waits in it is kicked. */
void virtio_pci_take_back(struct virtio_pci *v, unsigned i, uint16_t next);
/* The eventfd that interrupts for queue i by itself, masked or not; or VIRTIO_CALL_*. It stays open
 * until the device goes. */
int virtio_pci_call(struct virtio_pci *v, unsigned i);
/* Interrupts for queue i. Any thread. */
void virtio_pci_interrupt(struct virtio_pci *v, unsigned i);

/* The device-specific configuration changed: new generation, configuration interrupt. Any
 * thread. */
void virtio_pci_config_changed(struct virtio_pci *v);

static inline bool virtio_has(const struct virtio_pci *v, unsigned bit)
{
	return atomic_load_explicit(&v->features, memory_order_relaxed) & VIRTIO_BIT(bit);
}

static inline bool virtio_driver_ok(const struct virtio_pci *v)
{
	return atomic_load(&v->status) & 4u;
}

/* --- between virtio_pci.c and virtio_pci_regs.c, bus lock held ------------------------------ */

extern const struct io_ops virtio_modern_io, virtio_legacy_io;

int virtio_regs_init(struct virtio_pci *v, struct err *e); /* capabilities of section 4.1.4 */
void virtio_cfg_window_read(struct virtio_pci *v, unsigned off, unsigned len);
void virtio_cfg_window_written(struct virtio_pci *v, unsigned off, unsigned len);

uint64_t virtio_offer(struct virtio_pci *v, bool legacy); /* and notes it in v->offered */
void virtio_set_features(struct virtio_pci *v, uint64_t f);
void virtio_set_status(struct virtio_pci *v, uint8_t val);
void virtio_reset(struct virtio_pci *v);
void virtio_queue_enable(struct virtio_pci *v, unsigned i, bool on);
uint16_t virtio_use_vector(struct virtio_pci *v, uint16_t vec); /* the vector, or NO_VECTOR */
void virtio_set_vector(struct virtio_queue *q, uint16_t vec);
uint8_t virtio_read_isr(struct virtio_pci *v);

/* Layout of the modern BAR: offsets and the distance of two doorbells, bytes. */
#define VIRTIO_BAR_LEGACY  0u
#define VIRTIO_BAR_MSIX	   1u
#define VIRTIO_BAR_MODERN  4u
#define VIRTIO_OFF_COMMON  0x0000u
#define VIRTIO_OFF_ISR	   0x1000u
#define VIRTIO_OFF_DEVICE  0x2000u
#define VIRTIO_OFF_NOTIFY  0x3000u
#define VIRTIO_REGION	   0x1000u /* bytes of each of these four */
#define VIRTIO_MODERN_SIZE 0x4000u
#define VIRTIO_NOTIFY_STEP 4u

#endif
