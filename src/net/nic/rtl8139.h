/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the Realtek RTL8139C+ card: rtl8139.c is its life, rtl8139_regs.c the registers,
 * rtl8139_tx.c and rtl8139_rx.c the two directions, rtl8139_eeprom.c the serial EEPROM. Nobody
 * else includes this. Names of registers and bits are those of the datasheet (RTL8139C+ rev 1.6).
 *
 * THREADS: [regs] is a register handler, under the bus lock; [loop] the loop of the wire, or,
 * while the card has none, any thread that seat_call() lets in. What only changes on the loop is
 * changed by rtl_call(), which waits: so [regs] may read it.
 */
#ifndef NET_NIC_RTL8139_H
#define NET_NIC_RTL8139_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/mem.h"
#include "base/clock.h"
#include "base/seat.h"
#include "base/util.h"
#include "net/nic/nic.h"

#define RTL_TX_SLOTS 4u	 /* transmit slots of C mode */
#define RTL_RING     64u /* descriptors of a C+ ring, at most (9.1) */
#define RTL_CRC	     4u	 /* a receive length counts the frame check sequence */
#define RTL_ETH_MIN  60u /* shortest frame on a wire, without it */
#define RTL_HDR_MAX  192u

/* CR, 0x37 */
#define CR_BUFE 0x01u
#define CR_TE	0x04u
#define CR_RE	0x08u
#define CR_RST	0x10u

/* ISR and IMR, 0x3e and 0x3c */
#define INT_ROK	    0x0001u
#define INT_RER	    0x0002u
#define INT_TOK	    0x0004u
#define INT_TER	    0x0008u
#define INT_RXOVW   0x0010u /* C+: RDU, receive descriptor unavailable */
#define INT_LINKCHG 0x0020u
#define INT_FOVW    0x0040u
#define INT_TDU	    0x0080u
#define INT_SWINT   0x0100u
#define INT_TIMEOUT 0x4000u
#define INT_SERR    0x8000u
#define INT_ALL	    0xe1ffu

/* TCR, 0x40 */
#define TCR_CLRABT	0x00000001u
#define TCR_CRC		0x00010000u /* the driver appends the CRC */
#define TCR_LBK		0x00060000u /* both: loopback */
#define TCR_WRITE	0x030707f0u
#define TCR_HWVER_C	0x74000000u
#define TCR_HWVER_CPLUS 0x74800000u

/* RCR, 0x44 */
#define RCR_AAP	       0x01u
#define RCR_APM	       0x02u
#define RCR_AM	       0x04u
#define RCR_AB	       0x08u
#define RCR_WRAP       0x80u
#define RCR_RBLEN(rcr) (8192u << ((rcr) >> 11 & 3))
#define RCR_WRITE      0x0f03ffbfu

#define RTL_BAR_PIO  0u
#define RTL_BAR_MMIO 1u

/* CPCR, 0xe0 */
#define CPCR_TXON  0x01u
#define CPCR_RXON  0x02u
#define CPCR_CSUM  0x20u
#define CPCR_VLAN  0x40u
#define CPCR_WRITE 0x7bu

/* TSD, 0x10 … */
#define TSD_SIZE  0x1fffu
#define TSD_OWN	  0x00002000u
#define TSD_TOK	  0x00008000u
#define TSD_TABT  0x40000000u
#define TSD_WRITE 0x003f3fffu

/* The bits common to C+ descriptors of both directions */
#define DESC_OWN 0x80000000u
#define DESC_EOR 0x40000000u
#define DESC_FS	 0x20000000u
#define DESC_LS	 0x10000000u

struct rtl_opts {
	struct nic_conf nic;
	bool cplus;
};

/* 93C46 serial EEPROM: 64 words of 16 bits. [regs] */
struct rtl_eeprom {
	uint16_t word[64];
	enum rtl_ee_state { EE_IDLE, EE_CMD, EE_READ, EE_DATA, EE_DONE } state;
	bool sk, dout, writable, all;
	uint8_t addr, bits;
	uint16_t shift;
};

/* A C+ descriptor as it was when it was read, in host order. */
struct rtl_desc {
	uint8_t *at; /* where it is in guest memory */
	uint32_t cmd, tag;
	uint64_t addr;
};

/* Tally counters (DTCCR dump, section 6.28). Relaxed atomics, written on the loop. */
struct rtl_tally {
	_Atomic uint64_t tx_ok, rx_ok, tx_err, rx_phys, rx_bcast;
	_Atomic uint32_t rx_err, rx_mcast;
	_Atomic uint16_t missed, tx_abort;
};

struct rtl;

/* Guest to peer. [loop] but for the atomics */
struct rtl_tx {
	_Atomic uint32_t tsd[RTL_TX_SLOTS];  /* C mode: status; OWN: the driver's */
	_Atomic uint32_t tsad[RTL_TX_SLOTS]; /* C mode: addresses; C+: TNPDS and THPDS */
	_Atomic bool high;		     /* C+: the high priority ring was polled */
	unsigned slot;			     /* C mode: the next slot */
	unsigned cur[2];		     /* C+: next descriptor, normal and high ring */
	bool busy;			     /* guards against being called back from net_push() */
	bool stalled;			     /* the peer had no room: nothing until resume() */
	bool again;			     /* resume() came while busy */
	struct loop_task more;		     /* the rest, after other work had its turn */
	struct net_frame frame[NET_BATCH];
	struct rtl_desc desc[RTL_RING]; /* of all frames of the batch, in order */
	uint8_t ndesc[NET_BATCH];	/* of frame[i] */
	struct iovec vec[4 * NET_BATCH];
	uint8_t hdr[NET_BATCH][RTL_HDR_MAX];
	uint8_t bounce[NET_FRAME_MAX]; /* loopback only */
};

/* Peer to guest. [loop] but for the atomics */
struct rtl_rx {
	_Atomic uint16_t capr, cbr; /* C mode; cbr is written on the loop only */
	_Atomic uint32_t missed;    /* MPC */
	_Atomic uint16_t ersr, erbcr;
	unsigned cur;	      /* C+: next descriptor */
	_Atomic bool stalled; /* the guest has no room: the peer waits for resume */
	/* C+, stalled: when the driver has given us this descriptor, half of its ring is empty.
	 * In guest memory; NULL: any will do. */
	_Atomic(const uint8_t *) half;
	bool dropping;		/* it waited long enough: drop until there is room */
	bool checking;		/* the timer is armed */
	unsigned checks;	/* by the timer, since a frame was taken */
	bool lends;		/* as the peer was told */
	unsigned lent;		/* slots, until commit() */
	struct iovec *lend_vec; /* RTL_RING + 1 for each slot */
	struct loop_timer timer;
};

struct rtl {
	struct nic nic;
	struct pci_dev pci;
	struct rtl_opts opts; /* .nic.id is not valid here */
	struct seat seat;
	uint8_t *page;	      /* the registers' page (rtl8139_page.c); ISR and IMR live there */
	_Atomic bool shown;   /* the guest sees it. Written under the bus lock */
	struct pci_page view; /* [regs] the following */
	unsigned asked;	      /* reads of ISR and IMR */
	bool counts;	      /* the driver uses the timer */
	uint64_t doorbell[2]; /* address of the ioeventfd in either BAR, 0: none */
	pthread_mutex_t intx; /* while the pin is set to what ISR and IMR say */
	_Atomic bool link;
	_Atomic bool link_changed; /* until CSCR is read */
	_Atomic uint64_t mac;	   /* IDR0 … 5, low 48 bits, first byte lowest */
	/* Changed on the loop only. */
	uint8_t cr;
	uint16_t cpcr;
	uint32_t tcr, rcr, rbstart;
	uint64_t mar, rdsar;
	/* TCTR: when it was 0, ns; TimerInt 0: none. The timer is armed only for an interrupt. */
	uint64_t tctr_epoch;
	uint32_t timer_int;
	struct loop_timer timer;
	/* [regs] */
	uint8_t file[256]; /* registers that are nothing but storage */
	uint32_t dtccr[2];
	struct rtl_eeprom eeprom;
	struct rtl_tally tally;
	struct rtl_tx tx;
	struct rtl_rx rx;
};

static inline struct rtl *rtl_of_port(struct net_port *p)
{
	return (struct rtl *)(void *)((char *)p - offsetof(struct rtl, nic.port));
}

static inline const struct guest_mem *rtl_mem(const struct rtl *n)
{
	return &pci_io_bus(n->pci.bus)->accel->mem;
}

static inline _Atomic uint16_t *rtl_imr(const struct rtl *n)
{
	return (_Atomic uint16_t *)(void *)(n->page + 0x3c);
}
static inline _Atomic uint16_t *rtl_isr(const struct rtl *n)
{
	return (_Atomic uint16_t *)(void *)(n->page + 0x3e);
}

static inline bool rtl_loopback(const struct rtl *n)
{
	return (n->tcr & TCR_LBK) == TCR_LBK;
}

/* Reads the C+ descriptor `i` of the ring at base. False: it is not in memory, or not ours (*own
 * says which). */
bool rtl_desc_read(const struct rtl *n, uint64_t base, unsigned i, struct rtl_desc *d, bool *own);
/* Gives a descriptor to the driver. */
static inline void rtl_desc_done(const struct rtl_desc *d, uint32_t status)
{
	__atomic_store_n((uint32_t *)(void *)d->at, htole32(status), __ATOMIC_RELEASE);
}
static inline unsigned rtl_desc_next(const struct rtl_desc *d, unsigned i)
{
	return d->cmd & DESC_EOR || i + 1 >= RTL_RING ? 0 : i + 1;
}

/* rtl8139.c */
/* [regs] Runs fn(n, val) on the card's loop and waits. */
void rtl_call(struct rtl *n, void (*fn)(struct rtl *n, uint32_t val), uint32_t val);
void rtl_kick(struct rtl *n);		       /* any thread: the loop shall look at the rings */
void rtl_raise(struct rtl *n, uint16_t cause); /* any thread: sets bits of ISR */
void rtl_irq_update(struct rtl *n);	       /* any thread, after ISR or IMR lost or got bits */
void rtl_drop(struct rtl *n, const char *why); /* [loop] */
uint64_t rtl_now(const struct rtl *n);	       /* ns, the machine's clock */
void rtl_timer_arm(struct rtl *n);	       /* [loop] after TCTR or TimerInt changed */
static inline struct loop *rtl_loop(const struct rtl *n)
{
	return seat_loop(&n->seat);
}
static inline bool rtl_on_wire(const struct rtl *n) /* [loop] may port functions be called? */
{
	return rtl_loop(n) != NULL;
}

/* rtl8139_regs.c */
extern const struct io_ops rtl_io_ops;
void rtl_reset(struct rtl *n, bool hard); /* [regs] hard: as at power-on */
void rtl_master_changed(struct rtl *n);	  /* [regs] bus mastering went on or off */

/* rtl8139_page.c */
int rtl_page_init(struct rtl *n); /* 0 or -ENOMEM */
void rtl_page_exit(struct rtl *n);
void rtl_page_read(struct rtl *n, unsigned reg);  /* [regs] the guest has read reg here */
void rtl_page_write(struct rtl *n, unsigned reg); /* [regs] or written to it */
void rtl_page_hide(struct rtl *n);		  /* [regs] */
void rtl_page_fresh(struct rtl *n);		  /* [loop] registers of receiving have changed */
void rtl_page_link(struct rtl *n);		  /* any thread: the link has */

/* rtl8139_eeprom.c */
void rtl_eeprom_init(struct rtl_eeprom *e, const uint8_t mac[6]);
void rtl_eeprom_pins(struct rtl_eeprom *e, bool cs, bool sk, bool di);

/* rtl8139_tx.c, all [loop] */
void rtl_tx_init(struct rtl_tx *t);
void rtl_tx_run(struct rtl *n);	   /* sends what the slots or rings hold */
void rtl_tx_resume(struct rtl *n); /* the peer has room */
void rtl_tx_forget(struct rtl *n, struct loop *l);

/* rtl8139_rx.c, all [loop] */
int rtl_rx_init(struct rtl_rx *r); /* 0 or -ENOMEM */
void rtl_rx_exit(struct rtl_rx *r);
void rtl_rx_rewind(struct rtl *n); /* the buffer is empty, the ring at its start */
void rtl_rx_kicked(struct rtl *n); /* the guest may have made room, or switched us off */
void rtl_rx_forget(struct rtl *n, struct loop *l);
bool rtl_rx_empty(const struct rtl *n); /* BUFE; [regs] too */
bool rtl_rx_worth(const struct rtl *n); /* stalled: is there enough room to go on? [regs] too */
/* Receives frames, of our own (loopback) or the peer's: how many there was room for. */
unsigned rtl_rx_take(struct rtl *n, struct net_frame *f, unsigned nf);
unsigned rtl_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned nf);
unsigned rtl_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s, unsigned ns);
void rtl_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned ns);

#endif
