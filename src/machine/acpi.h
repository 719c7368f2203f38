/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables before it is known where they will lie, and the two ways to give them to a guest. */
#ifndef MACHINE_ACPI_H
#define MACHINE_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/mem.h"
#include "base/err.h"

struct fw_cfg;

#define ACPI_ROOM     0xf000 /* bytes of tables: PC_ACPI_TABLES has room for more */
#define ACPI_RSDP_LEN 36
#define ACPI_FIXES    32

/* What is to be done once the tables lie somewhere, in this order. */
struct acpi_fix {
	bool rsdp;    /* the field is in the RSDP, else in the tables … */
	uint32_t at;  /* … at this offset */
	uint8_t size; /* a pointer of so many bytes: the tables' address is added; 0: a … */
	uint32_t start, len; /* … checksum byte over these bytes of the same thing */
};

struct acpi {
	uint8_t tables[ACPI_ROOM];
	size_t len;
	uint8_t rsdp[ACPI_RSDP_LEN];
	struct acpi_fix fix[ACPI_FIXES];
	unsigned nfix;
};

/* The tables for so many CPUs. NULL and e when they do not fit. */
struct acpi *acpi_new(unsigned cpus, bool vga, struct err *e);
void acpi_free(struct acpi *a); /* NULL is allowed */

/* Puts them where BIOSes have them, RSDP first, at PC_ACPI_TABLES; *rsdp is where that is. */
int acpi_place(const struct acpi *a, const struct guest_mem *mem, uint64_t *rsdp, struct err *e);

/* Gives them to the firmware, with orders what to do with them. */
int acpi_publish(const struct acpi *a, struct fw_cfg *f, struct err *e);

#endif
