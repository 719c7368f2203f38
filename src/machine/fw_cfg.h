/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration device that SeaBIOS, U-Boot and Linux know of QEMU (its specification:
 * docs/specs/fw_cfg): items of bytes, each under a key of 16 bits, some of them files with a name.
 * Filled before the guest runs, or while it is paused; the guest reads only.
 */
#ifndef MACHINE_FW_CFG_H
#define MACHINE_FW_CFG_H

#include <stddef.h>
#include <stdint.h>

#include "accel/mem.h"
#include "bus/bus.h"

#define FW_CFG_NAME_MAX 55 /* bytes of a file's name */

/* Keys of items that are no files. */
enum {
	FW_CFG_UUID = 0x02,
	FW_CFG_RAM_SIZE = 0x03,
	FW_CFG_NOGRAPHIC = 0x04,
	FW_CFG_CPUS = 0x05,
	FW_CFG_BOOT_MENU = 0x0e,
	FW_CFG_MAX_CPUS = 0x0f,
};

struct fw_cfg;

/* At ports 0x510 and 0x514. mem: where DMA goes. */
struct fw_cfg *fw_cfg_new(struct bus *b, const struct guest_mem *mem, struct err *e);
void fw_cfg_free(struct fw_cfg *f); /* NULL is allowed */
void fw_cfg_reset(struct fw_cfg *f);

/* Copies len bytes under a key of the list above; what was there goes. */
int fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, size_t len, struct err *e);

/* The same for a file. A name that is there already gets new contents, its key stays. -ENOSPC:
 * 128 files are there, -ENAMETOOLONG. */
int fw_cfg_file(struct fw_cfg *f, const char *name, const void *data, size_t len, struct err *e);

#endif
