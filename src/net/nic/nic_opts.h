/* SPDX-License-Identifier: BSD-2-Clause */
/* What the option tables and sources of all NIC models share. */
#ifndef NET_NIC_NIC_OPTS_H
#define NET_NIC_NIC_OPTS_H

#include "net/nic/nic.h"

extern const struct nic_model virtio_net_model;
extern const struct nic_model rtl8139_model;
extern const struct nic_model e1000_model, e1000_82544gc_model, e1000_82545em_model;

/* Fills in: no MAC, first free slot, the model's own number of vectors. */
void nic_conf_defaults(struct nic_conf *c);

/* net_port_ops.info of a card with address mac, first byte lowest. */
void nic_info(char *buf, size_t len, uint64_t mac);

/* A made card, its port named: puts it into the bus, with its ROM. After an error it is the
 * caller's still. */
int nic_plug(struct nic *n, const struct nic_conf *c, struct pci_bus *bus, struct err *e);

/* addr=: "slot[.function]", hexadecimal as QEMU has it. out: a struct that begins with nic_conf. */
int nic_parse_addr(const char *value, void *out, struct err *e);

/* Row of an option that QEMU's card has and this one has not: why, and what to do. */
#define NIC_OPT_MISSING(name_, help_)                                                              \
	{                                                                                          \
		.name = (name_), .type = OPT_STR, .arg = "value", .help = (help_),                 \
		.missing = (help_)                                                                 \
	}

/* The options of every card; the table's struct begins with struct nic_conf. */
#define NIC_OPTS                                                                                   \
	{.name = "id",                                                                             \
	 .type = OPT_STR,                                                                          \
	 .off = offsetof(struct nic_conf, id),                                                     \
	 .arg = "name",                                                                            \
	 .help = "name in the monitor (default: made up)"},                                        \
		{.name = "mac",                                                                    \
		 .type = OPT_MAC,                                                                  \
		 .off = offsetof(struct nic_conf, mac),                                            \
		 .arg = "aa:bb:cc:dd:ee:ff",                                                       \
		 .help = "MAC address (default: made up, the same at each start)"},                \
		{.name = "romfile",                                                                \
		 .type = OPT_STR,                                                                  \
		 .off = offsetof(struct nic_conf, romfile),                                        \
		 .arg = "path",                                                                    \
		 .help = "boot ROM image; romfile= alone: none (default: with firmware, the "      \
			 "model's iPXE)"},                                                         \
		{.name = "rombar",                                                                 \
		 .type = OPT_U32,                                                                  \
		 .off = offsetof(struct nic_conf, rombar),                                         \
		 .max = 1,                                                                         \
		 .arg = "0|1",                                                                     \
		 .help = "0: leave the boot ROM out, romfile= is not read (default: 1)"},          \
		{.name = "bootindex",                                                              \
		 .type = OPT_U32,                                                                  \
		 .off = offsetof(struct nic_conf, bootindex),                                      \
		 .max = NIC_BOOTINDEX_MAX,                                                         \
		 .arg = "n",                                                                       \
		 .help = "firmware boots from the devices that have a number, in its order, "      \
			 "before all others (default: none)"},                                     \
	{                                                                                          \
		.name = "addr", .type = OPT_CUSTOM, .off = offsetof(struct nic_conf, devfn),       \
		.arg = "slot[.function]",                                                          \
		.help = "PCI address, hexadecimal (default: the first free slot)",                 \
		.parse = nic_parse_addr                                                            \
	}

#endif
