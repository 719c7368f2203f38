/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables by which the machine says what it is (DMTF DSP0134, SMBIOS 2.8). */
#ifndef MACHINE_SMBIOS_H
#define MACHINE_SMBIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/mem.h"
#include "base/err.h"
#include "base/opt.h"

struct fw_cfg;

enum smbios_text {
	BIOS_VENDOR, /* type 0 */
	BIOS_VERSION,
	BIOS_DATE,
	SYSTEM_MANUFACTURER, /* type 1 */
	SYSTEM_PRODUCT,
	SYSTEM_VERSION,
	SYSTEM_SERIAL,
	SYSTEM_SKU,
	SYSTEM_FAMILY,
	BOARD_MANUFACTURER, /* type 2 */
	BOARD_PRODUCT,
	BOARD_VERSION,
	BOARD_SERIAL,
	BOARD_ASSET,
	BOARD_LOCATION,
	CHASSIS_MANUFACTURER, /* type 3 */
	CHASSIS_VERSION,
	CHASSIS_SERIAL,
	CHASSIS_ASSET,
	CHASSIS_SKU,
	SMBIOS_TEXTS,
};

/* What the user says of it. */
struct smbios_conf {
	uint32_t type;		  /* of the option that is parsed */
	char *text[SMBIOS_TEXTS]; /* NULL: not given; owned */
	struct opt_list oem;	  /* type 11 */
	bool bios, board;	  /* type 0, type 2 are wanted */
	bool uefi;
	uint8_t release[2]; /* of the BIOS */
	bool release_given;
};

#define SMBIOS_ANCHOR_LEN 31

struct smbios {
	uint8_t anchor[SMBIOS_ANCHOR_LEN]; /* without the tables' address and the checksums */
	uint8_t *tables;
	size_t len;
};

/* uuid: 16 bytes as they are written. bios: firmware adds no type 0 of its own. Errors name what is
 * too long. */
int smbios_make(struct smbios *s, const struct smbios_conf *c, unsigned cpus, uint64_t ram,
		const uint8_t uuid[16], bool bios, struct err *e);
void smbios_free(struct smbios *s); /* idempotent */

/* Puts them where BIOSes have them, the anchor at gpa (16-byte aligned, below 1 MiB). */
int smbios_place(const struct smbios *s, const struct guest_mem *mem, uint64_t gpa, size_t room,
		 struct err *e);
/* Gives them to the firmware. */
int smbios_publish(const struct smbios *s, struct fw_cfg *f, struct err *e);

#endif
