/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's firmware: its image, and what it is told of the machine and of the order in which to
 * boot. Private to this folder; its settings come with struct machine_conf.
 */
#ifndef MACHINE_FIRMWARE_H
#define MACHINE_FIRMWARE_H

#include "machine/fw_cfg.h"
#include "machine/machine.h"
#include "machine/pc.h"

/* Reads -bios, or SeaBIOS where Debian has it. rom->host is NULL after an error. */
int firmware_load(const char *bios, struct pc_rom *rom, struct err *e);
void firmware_unload(struct pc_rom *rom); /* idempotent */

/* Devices to boot from, by bootindex=. */
struct boot_list {
	struct boot_entry {
		uint32_t index;
		char path[BOOT_PATH_MAX];
	} * v; /* sorted by index */
	unsigned n;
};

/* -EEXIST when the index is taken. */
int boot_list_add(struct boot_list *l, uint32_t index, const char *path, struct err *e);
void boot_list_del(struct boot_list *l, const char *path);
void boot_list_free(struct boot_list *l);

/* All that fw_cfg has but the boot order; before the guest runs. */
int firmware_tell(struct fw_cfg *f, const struct machine_conf *c, struct err *e);

/* The boot order, at power-on and after each reset: the file, and the letters in CMOS. */
int firmware_tell_order(struct fw_cfg *f, struct rtc *r, const struct boot_conf *b, bool first,
			const struct boot_list *l, struct err *e);

#endif
