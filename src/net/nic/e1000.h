/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the Intel gigabit cards (82540EM and its kin): e1000.c is their life, e1000_regs.c the
 * registers, e1000_irq.c the interrupt, e1000_tx.c and e1000_rx.c the two directions, e1000_phy.c
 * PHY and EEPROM. Nobody else includes this.
 *
 * SDM in comments: Intel, "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
 * Manual" (317453). "[q]" as in port.h; "[reg]": on a vCPU's thread under the bus lock.
 */
#ifndef NET_NIC_E1000_H
#define NET_NIC_E1000_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/seat.h"
#include "net/nic/e1000_hw.h"
#include "net/nic/nic.h"

#define E1000_HDR_MAX  256u /* bytes of a frame's front that are copied, at most */
#define E1000_DESC     16u  /* bytes of a descriptor of any kind */
#define E1000_EE_WORDS 64u

struct e1000;

struct e1000_chip {
	uint16_t device, subdevice;
	uint16_t phy_id2;
	uint8_t rev;
	bool ee_grant; /* EECD needs a request before the bits move (not the 82544) */
	const char *name;
};

struct e1000_opts {
	struct nic_conf nic;
};

/* A descriptor ring as the loop sees it; what is out of order has base NULL. */
struct e1000_ring {
	uint8_t *base;
	uint32_t count; /* descriptors */
	uint32_t head;	/* ours; the register follows it */
};

/* Frames of one batch, for the statistics (SDM 13.7). */
struct e1000_tally {
	uint32_t frames, bcast, mcast;
	uint32_t size[6]; /* 64, 65-127, 128-255, 256-511, 512-1023, more */
	uint64_t bytes;
};

/* What a context descriptor says (SDM 3.3.6). Offsets count from the frame's first byte. */
struct e1000_ctx {
	uint8_t ipcss, ipcso, tucss, tucso, cmd, hdr_len;
	uint16_t ipcse, tucse, mss;
};

/* A parsed transmit packet; start and ctx: where to go on when the peer does not take it. */
struct e1000_sent {
	uint32_t start;
	uint32_t segs, bytes; /* on the wire */
	uint32_t seg_len;
	uint8_t kind; /* 0 unicast, 1 multicast, 2 broadcast */
	struct e1000_ctx ctx[2];
};

/* Guest to peer. The loop's. */
struct e1000_tx {
	struct e1000 *n;
	struct e1000_ring ring;
	struct e1000_ctx ctx[2]; /* 0: checksums, 1: segmentation; after ring.head */
	bool busy;		 /* guards against being called back from net_push() */
	bool stalled;		 /* the peer had no room: nothing happens until resume() */
	bool again;		 /* resume() came while busy */
	bool skip;		 /* drop descriptors up to an end of packet */
	uint32_t due;		 /* causes that wait for the timer */
	uint64_t due_abs;	 /* TADV: not later than this */
	struct loop_timer timer;
	struct loop_task more;
	struct iovec *vec;
	uint8_t *bounce; /* flat copy of a frame of too many pieces, NET_FRAME_MAX bytes */
	uint8_t (*hdr)[E1000_HDR_MAX + 4];
	struct net_frame frame[NET_BATCH];
	struct e1000_sent sent[NET_BATCH];
};

/* Peer to guest. The loop's, but stalled is looked at by writers of RDT. */
struct e1000_rx {
	struct e1000 *n;
	struct e1000_ring ring;
	bool on;      /* RCTL.EN, and bus mastering */
	uint32_t buf; /* bytes of a buffer */
	uint32_t low; /* RXDMT0: this many descriptors left */
	uint32_t due;
	uint64_t due_abs;
	struct loop_timer timer;
	_Atomic bool stalled;
	/* The registers are memory to the guest (e1000_rx.c, "the page"). Written under the bus
	 * lock. */
	_Atomic bool shown;
	_Atomic uint32_t waits_at; /* the tail when it stalled */
	unsigned told;		   /* [reg] RDT writes that came here since the receiver went on */
	unsigned looks;		   /* at the tail, by the timer, since it stalled */
	struct loop_timer look;
	bool lends;		/* as the peer was told */
	unsigned lent;		/* slots, until commit() */
	struct iovec *lend_vec; /* NET_VEC_MAX for each slot */
};

struct e1000_phy {
	uint16_t reg[32];
	_Atomic bool link;	/* the wire is up */
	_Atomic bool link_lost; /* since BMSR was read: its bit latches low (802.3 22.2.4.2.13) */
	_Atomic bool loopback;
};

/* A 93C46: 64 words, microwire (SDM 5). [reg] */
struct e1000_eeprom {
	uint16_t word[E1000_EE_WORDS];
	uint32_t eecd; /* the pins as the driver left them */
	uint32_t in;   /* bits clocked in since the start bit */
	uint32_t out;  /* bits to be clocked out, next one highest of nout */
	unsigned nin, nout;
	bool do_pin, writable;
};

struct e1000 {
	struct nic nic;
	struct pci_dev pci;
	const struct e1000_chip *chip;
	struct seat seat;
	_Atomic bool look_irq; /* the loop shall drive the pin */
	uint32_t ioaddr;       /* [reg] */

	_Atomic uint32_t *reg; /* E1000_REG_SPACE bytes in pages of their own */
	struct pci_page page;  /* the one with the receive ring's registers */
	_Atomic uint32_t icr, ims;
	_Atomic uint64_t octets[E1000_OCTETS];
	uint32_t octets_high[E1000_OCTETS]; /* [reg] halves yet to be read */
	struct loop_timer irq_timer;
	_Atomic uint64_t irq_next; /* ITR: no interrupt before this */

	struct e1000_phy phy;
	struct e1000_eeprom ee;
	struct e1000_tx tx;
	struct e1000_rx rx;
};

static inline struct e1000 *e1000_of_port(struct net_port *p)
{
	return (struct e1000 *)(void *)((char *)p - offsetof(struct e1000, nic.port));
}

/* Registers that are nothing but memory; off in bytes, below E1000_REG_SPACE. */
static inline uint32_t e1000_get(const struct e1000 *n, uint32_t off)
{
	return atomic_load_explicit(&n->reg[off / 4], memory_order_relaxed);
}

static inline void e1000_set(struct e1000 *n, uint32_t off, uint32_t v)
{
	atomic_store_explicit(&n->reg[off / 4], v, memory_order_relaxed);
}

static inline const struct guest_mem *e1000_mem(const struct e1000 *n)
{
	return &pci_io_bus(n->pci.bus)->accel->mem;
}

static inline uint32_t e1000_next(const struct e1000_ring *r, uint32_t i)
{
	return i + 1 == r->count ? 0 : i + 1;
}

/* Free (for the card) descriptors from head on up to the driver's tail. */
static inline uint32_t e1000_ring_left(const struct e1000_ring *r, uint32_t tail)
{
	return tail >= r->head ? tail - r->head : tail + r->count - r->head;
}

/* e1000.c */
/* [reg] Runs fn(n) on the port's loop, or in place without one, and waits. */
void e1000_call(struct e1000 *n, void (*fn)(struct e1000 *n));
/* Any thread: the loop shall look at rings and interrupt. */
static inline void e1000_kick(struct e1000 *n)
{
	seat_kick(&n->seat);
}
/* The loop that fn of e1000_call() may talk to the wire on, or NULL. */
static inline struct loop *e1000_loop(const struct e1000 *n)
{
	return seat_loop(&n->seat);
}

/* e1000_regs.c */
extern const struct io_ops e1000_mmio_ops, e1000_pio_ops;
void e1000_reset_regs(struct e1000 *n);	  /* defaults (SDM 13.4); address from the EEPROM */
void e1000_load_address(struct e1000 *n); /* receive address 0 from the EEPROM */
uint32_t e1000_reg_read(struct e1000 *n, uint32_t off);		   /* [reg] */
void e1000_reg_write(struct e1000 *n, uint32_t off, uint32_t val); /* [reg] */
uint32_t e1000_status(const struct e1000 *n);
/* [q] Adds to a statistics register; stays at its highest value (SDM 13.7). */
void e1000_count(struct e1000 *n, uint32_t off, uint32_t by);
/* One frame of len bytes (without FCS), kind as in e1000_sent, `frames` times. */
void e1000_tally_add(struct e1000_tally *t, uint32_t len, uint8_t kind, uint32_t frames);

/* e1000_irq.c */
/* Any thread. Sets causes; the pin follows by e1000_irq(). here: on the loop. */
void e1000_cause(struct e1000 *n, uint32_t causes);
void e1000_irq(struct e1000 *n, bool here);
/* [q] Delays causes by the registers idle (restarted each time) and whole, in 1.024 us. */
void e1000_delay(struct e1000 *n, struct loop_timer *t, uint32_t *due, uint64_t *due_abs,
		 uint32_t causes, uint32_t idle, uint32_t whole);
void e1000_irq_init(struct e1000 *n);
void e1000_irq_flush(struct e1000 *n);	/* [q] what waits becomes due now */
void e1000_irq_forget(struct e1000 *n); /* [q] what waits is no more */

/* e1000_tx.c */
int e1000_tx_init(struct e1000_tx *t, struct e1000 *n, struct err *e);
void e1000_tx_exit(struct e1000_tx *t);
void e1000_tx_setup(struct e1000 *n);  /* [q] ring registers or TCTL changed */
void e1000_tx_run(struct e1000_tx *t); /* [q] sends what the ring holds */
void e1000_tx_resume(struct e1000_tx *t);
void e1000_tx_forget(struct e1000_tx *t, struct loop *l);

/* e1000_rx.c */
int e1000_rx_init(struct e1000_rx *r, struct e1000 *n, struct err *e);
void e1000_rx_exit(struct e1000_rx *r);
void e1000_rx_setup(struct e1000 *n);			  /* [q] ring registers or RCTL changed */
void e1000_rx_kicked(struct e1000_rx *r);		  /* [q] RDT may have moved */
void e1000_rx_forget(struct e1000_rx *r, struct loop *l); /* [q] */
void e1000_rx_told(struct e1000 *n);			  /* [reg] RDT was written to */
void e1000_rx_hide(struct e1000 *n); /* [reg] from here on the guest's accesses come to us */
/* [reg] The guest is here anyway: has it made room without saying so? */
void e1000_rx_peek(struct e1000 *n);
unsigned e1000_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n);
unsigned e1000_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s, unsigned n);
void e1000_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n);

/* e1000_filter.c */
#define E1000_INEXACT 1 /* passed by the multicast hash only: status PIF */
/* head: first 18 bytes of a frame (len valid, at least 14). Returns NULL when it passes (*how is
 * then 0 or E1000_INEXACT), else why not. */
const char *e1000_filter(const struct e1000 *n, const uint8_t *head, unsigned len, unsigned *how);
/* Status and errors of the receive descriptor for the checksums of f (SDM 3.2.3); *sum: the
 * packet checksum from RXCSUM.PCSS on, 0 when that is 0. */
void e1000_rx_csum(const struct e1000 *n, const struct net_frame *f, uint8_t *status,
		   uint8_t *errors, uint16_t *sum);

/* e1000_phy.c: all [reg] but e1000_phy_link() */
void e1000_phy_init(struct e1000 *n);
void e1000_phy_reset(struct e1000 *n);
uint32_t e1000_mdic(struct e1000 *n, uint32_t val);
void e1000_phy_link(struct e1000 *n, bool up); /* any thread */
void e1000_ee_init(struct e1000 *n);
uint32_t e1000_eerd(const struct e1000 *n, uint32_t val);
uint32_t e1000_eecd_read(const struct e1000 *n);
void e1000_eecd_write(struct e1000 *n, uint32_t val);

#endif
