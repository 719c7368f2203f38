/* SPDX-License-Identifier: BSD-2-Clause */
/* NIC models: one const struct nic_model per card, listed in models.c. */
#ifndef NET_NIC_NIC_H
#define NET_NIC_NIC_H

#include "base/err.h"
#include "base/opt.h"
#include "bus/pci.h"
#include "net/port/announce.h"
#include "net/port/port.h"

#define NIC_VECTORS_AUTO  UINT32_MAX
#define NIC_NO_BOOTINDEX  UINT32_MAX
#define NIC_BOOTINDEX_MAX INT32_MAX

/* Where the package ipxe-qemu has boot ROMs. */
#define NIC_ROM_DIR "/usr/lib/ipxe/qemu/"

struct nic;

/* What every card is made from; the first member of each model's option struct. */
struct nic_conf {
	char *id;	    /* name in the monitor; NULL: made up */
	struct opt_mac mac; /* set by assembly if the user did not */
	int devfn;	    /* PCI_AUTO or slot << 3 | function */
	uint32_t vectors;   /* MSI-X vectors; 0: INTx; NIC_VECTORS_AUTO: the model's choice */
	char *romfile;	    /* boot ROM; empty: none; NULL: the model's own if own_rom, else none */
	bool own_rom;	    /* there is firmware that will run it; set by assembly */
	uint32_t rombar;    /* 0: the guest sees none */
	uint32_t bootindex; /* NIC_NO_BOOTINDEX: none */
	unsigned queues;    /* that the card's backend has, set by assembly; 0: one */
	/* The guest has changed what the card lets in (models that have rx_filter()): called on the
	 * card's loop. Set by assembly; NULL: nobody wants to know. */
	void (*filter_changed)(struct nic *n, void *opaque);
	void *filter_opaque;
};

enum nic_pass { NIC_PASS_NORMAL, NIC_PASS_NONE, NIC_PASS_ALL };

#define NIC_FILTER_MACS 64u

/* What a card lets in. */
struct nic_rx_filter {
	bool promisc, broadcast, uni_overflow, multi_overflow;
	enum nic_pass uni, multi, vlans;
	uint8_t mac[6];
	unsigned nuni, nmulti;
	uint8_t table[NIC_FILTER_MACS][6]; /* nuni unicast addresses, then nmulti multicast ones */
	uint32_t vlan[4096 / 32];
};

/* System calls of a card on its queues' loops where the kernel may have the rings, for sandbox.h.
 */
extern const int vhost_calls[];

struct nic {
	struct net_port port;
	struct pci_dev *pci;
	uint8_t mac[6];
	unsigned pairs;		 /* queue pairs; 0: one, and no word of it */
	_Atomic unsigned active; /* of these, in use just now */
	const struct nic_model *model;
	struct net_announce announce;
	/* filter_changed() has been told and nobody asked since; it is still to be passed on. */
	_Atomic bool filter_told, filter_news;
};

struct nic_model {
	const char *name;	      /* "virtio-net-pci" */
	const char *const *aliases;   /* "virtio", …; NULL-terminated, may be NULL */
	const char *summary;	      /* one line */
	const char *driver;	      /* the Linux driver a guest binds: "virtio_net" */
	const char *rom;	      /* file of its boot ROM, in NIC_ROM_DIR */
	const struct opt_table *opts; /* of -device NAME,…; struct starts with nic_conf */
	/* Makes the card and plugs it into the bus, which owns it (nic is freed by
	 * pci_dev.ops->destroy). opts: the table's struct. Unjoined port. */
	int (*create)(const void *opts, struct pci_bus *bus, struct nic **out, struct err *e);
	/* [ctl, loops parked] Fills the zeroed *f. May be NULL. */
	void (*rx_filter)(const struct nic *n, struct nic_rx_filter *f);
};

/* NULL-terminated. */
const struct nic_model *const *nic_models(void);
const struct nic_model *nic_model_find(const char *name); /* name or alias */

#endif
