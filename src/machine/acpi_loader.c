/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where ACPI tables come to lie. Without firmware they are copied to a fixed place and made right
 * here. Firmware finds a place itself: it gets two files and, as a third, a list of orders of 128
 * bytes each that do the same (QEMU's etc/table-loader): allocate both files, add the address of
 * one to fields of the other, sum.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/acpi.h"
#include "machine/fw_cfg.h"
#include "machine/pc.h"

#define TABLES "etc/acpi/tables"
#define RSDP   "etc/acpi/rsdp"
#define LOADER "etc/table-loader"

#define TABLES_AT (PC_ACPI_TABLES + 64) /* the RSDP goes first */

/* An order: what, then the file's name and what it needs. */
#define ORDER	  128
#define NAME	  56
#define ALLOCATE  1 /* file, le32 alignment, zone */
#define POINTER	  2 /* file, file pointed to, le32 offset, size */
#define CHECKSUM  3 /* file, le32 offset, le32 start, le32 length */
#define ZONE_HIGH 1
#define ZONE_FSEG 2

static uint8_t minus_sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return (uint8_t)-s;
}

int acpi_place(const struct acpi *a, const struct guest_mem *mem, uint64_t *rsdp, struct err *e)
{
	uint8_t *r = mem_ptr(mem, PC_ACPI_TABLES, PC_SMBIOS - PC_ACPI_TABLES);
	uint8_t *t;

	if (!r)
		return err_set(e, EINVAL, "too little guest memory for the ACPI tables");
	t = r + (TABLES_AT - PC_ACPI_TABLES);
	memset(r, 0, PC_SMBIOS - PC_ACPI_TABLES);
	memcpy(r, a->rsdp, ACPI_RSDP_LEN);
	memcpy(t, a->tables, a->len);
	for (unsigned i = 0; i < a->nfix; i++) {
		const struct acpi_fix *f = &a->fix[i];
		uint8_t *base = f->rsdp ? r : t, *p = base + f->at;

		if (f->size)
			put_le(p, get_le(p, f->size) + TABLES_AT, f->size);
		else
			*p = (uint8_t)(*p + minus_sum(base + f->start, f->len));
	}
	*rsdp = PC_ACPI_TABLES;
	return 0;
}

static void put_order(uint8_t *p, uint32_t what, const char *file)
{
	memset(p, 0, ORDER);
	put_le32(p, what);
	snprintf((char *)p + 4, NAME, "%s", file);
}

static void put_fix(uint8_t *p, const struct acpi_fix *f)
{
	const char *file = f->rsdp ? RSDP : TABLES;

	if (f->size) {
		put_order(p, POINTER, file);
		memcpy(p + 4 + NAME, TABLES, sizeof(TABLES));
		put_le32(p + 4 + 2 * NAME, f->at);
		p[8 + 2 * NAME] = f->size;
		return;
	}
	put_order(p, CHECKSUM, file);
	put_le32(p + 4 + NAME, f->at);
	put_le32(p + 8 + NAME, f->start);
	put_le32(p + 12 + NAME, f->len);
}

int acpi_publish(const struct acpi *a, struct fw_cfg *f, struct err *e)
{
	uint8_t *l = malloc((2 + (size_t)a->nfix) * ORDER);
	int rc;

	if (!l)
		return err_set(e, ENOMEM, "no memory for the ACPI tables");
	put_order(l, ALLOCATE, RSDP);
	put_le32(l + 4 + NAME, 16);
	l[8 + NAME] = ZONE_FSEG;
	put_order(l + ORDER, ALLOCATE, TABLES);
	put_le32(l + ORDER + 4 + NAME, 64);
	l[ORDER + 8 + NAME] = ZONE_HIGH;
	for (unsigned i = 0; i < a->nfix; i++)
		put_fix(l + (2 + (size_t)i) * ORDER, &a->fix[i]);
	rc = fw_cfg_file(f, RSDP, a->rsdp, ACPI_RSDP_LEN, e);
	if (!rc)
		rc = fw_cfg_file(f, TABLES, a->tables, a->len, e);
	if (!rc)
		rc = fw_cfg_file(f, LOADER, l, (2 + (size_t)a->nfix) * ORDER, e);
	free(l);
	return rc;
}
