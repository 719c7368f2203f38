/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables (ACPI 6.4, section 5.2): RSDT, XSDT, FADT, FACS, the DSDT that iasl made of
 * dsdt.asl, MADT, one behind the other, and the RSDP that leads to them. Where they will lie is not
 * known here: a pointer holds the offset of what it points to, and a list says where pointers and
 * checksums are. acpi_loader.c makes both right, or has the firmware do it.
 *
 * The FADT says what is not there (8042, VGA), so that kernels do not spend time to find that out.
 */
#include "machine/acpi.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/dsdt.h"
#include "machine/pc.h"

#define HEADER	  36
#define FADT_LEN  244 /* revision 3 */
#define FACS_LEN  64
#define APIC_BASE 0xfee00000u
#define IOAPIC	  0xfec00000u

/* FADT fields by offset (table 5.9). */
enum {
	F_FACS = 36,
	F_DSDT = 40,
	F_SCI_INT = 46,
	F_SMI_CMD = 48,
	F_ACPI_ENABLE = 52,
	F_ACPI_DISABLE = 53,
	F_PM1A_EVT = 56,
	F_PM1A_CNT = 64,
	F_PM_TMR = 76,
	F_GPE0 = 80,
	F_PM1_EVT_LEN = 88,
	F_PM1_CNT_LEN = 89,
	F_PM_TMR_LEN = 91,
	F_GPE0_LEN = 92,
	F_LVL2_LAT = 96,
	F_LVL3_LAT = 98,
	F_CENTURY = 108,
	F_BOOT_ARCH = 109,
	F_FLAGS = 112,
	F_RESET_REG = 116,
	F_RESET_VALUE = 128,
	F_X_FACS = 132,
	F_X_DSDT = 140,
	F_X_PM1A_EVT = 148,
	F_X_PM1A_CNT = 172,
	F_X_PM_TMR = 208,
	F_X_GPE0 = 220,
};

#define BOOT_LEGACY  0x0001 /* devices on the ISA bus */
#define BOOT_8042    0x0002 /* keyboard controller */
#define BOOT_NO_VGA  0x0004
#define FLAG_WBINVD  (1u << 0)
#define FLAG_C1	     (1u << 2)
#define FLAG_NO_SLP  (1u << 5) /* no fixed sleep button; bit 4 clear: a fixed power button */
#define FLAG_FIX_RTC (1u << 6) /* no RTC wake status in the fixed registers */
#define FLAG_RESET   (1u << 10)

/* Room for a table, zeroed and 64-byte aligned (the FACS must be), or NULL. */
static uint8_t *take(struct acpi *a, size_t len)
{
	size_t at = align_up(a->len, 64);

	if (at + len > ACPI_ROOM)
		return NULL;
	a->len = at + len;
	return a->tables + at;
}

/* --- pointers and checksums ----------------------------------------------------------------- */

static void note(struct acpi *a, const struct acpi_fix *f)
{
	if (a->nfix < ACPI_FIXES)
		a->fix[a->nfix++] = *f;
}

/* The field of `size` bytes at `field` points to the table `to`. */
static void point(struct acpi *a, uint8_t *field, size_t size, const uint8_t *to)
{
	bool in_rsdp = field >= a->rsdp && field < a->rsdp + ACPI_RSDP_LEN;

	put_le(field, (uint64_t)(to - a->tables), size);
	note(a, &(struct acpi_fix){.rsdp = in_rsdp,
				   .at = (uint32_t)(field - (in_rsdp ? a->rsdp : a->tables)),
				   .size = (uint8_t)size});
}

/* The byte at `at` in the table (NULL: the RSDP) makes its first len bytes sum to 0. */
static void seal(struct acpi *a, const uint8_t *table, uint32_t at, uint32_t len)
{
	uint32_t start = table ? (uint32_t)(table - a->tables) : 0;

	note(a, &(struct acpi_fix){.rsdp = !table, .at = start + at, .start = start, .len = len});
}

/* --- tables --------------------------------------------------------------------------------- */

/* ACPI's names have a fixed width and no terminating zero. */
static void put_name(uint8_t *to, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)name[i];
}

static void header(uint8_t *t, const char *sig, size_t len, uint8_t rev)
{
	put_name(t, sig, 4);
	put_le32(t + 4, (uint32_t)len);
	t[8] = rev;
	put_name(t + 10, "VMWIRE", 6);
	put_name(t + 16, "VMWIREPC", 8);
	put_le32(t + 24, 1);
	put_name(t + 28, "VMWR", 4);
	put_le32(t + 32, 1);
}

static void seal_table(struct acpi *a, const uint8_t *t)
{
	seal(a, t, 9, get_le32(t + 4));
}

/* Generic address structure in port space (section 5.2.3.2). */
static void gas(uint8_t *p, unsigned bits, unsigned access, uint64_t addr)
{
	p[0] = 1;
	p[1] = (uint8_t)bits;
	p[3] = (uint8_t)access;
	put_le64(p + 4, addr);
}

static void fill_fadt(struct acpi *a, uint8_t *f, const uint8_t *facs, const uint8_t *dsdt,
		      bool vga)
{
	header(f, "FACP", FADT_LEN, 3);
	point(a, f + F_FACS, 4, facs);
	point(a, f + F_DSDT, 4, dsdt);
	put_le32(f + F_SMI_CMD, PC_SMI_CMD);
	f[F_ACPI_ENABLE] = PC_ACPI_ON;
	f[F_ACPI_DISABLE] = PC_ACPI_OFF;
	put_le16(f + F_SCI_INT, PC_IRQ_SCI);
	put_le32(f + F_PM1A_EVT, PC_PM_BASE);
	put_le32(f + F_PM1A_CNT, PC_PM_BASE + 4);
	put_le32(f + F_PM_TMR, PC_PM_BASE + 8);
	put_le32(f + F_GPE0, PC_PM_BASE + 12);
	f[F_PM1_EVT_LEN] = 4;
	f[F_PM1_CNT_LEN] = 2;
	f[F_PM_TMR_LEN] = 4;
	f[F_GPE0_LEN] = 4;
	/* C2 and C3 take too long to be there. */
	put_le16(f + F_LVL2_LAT, 101);
	put_le16(f + F_LVL3_LAT, 1001);
	f[F_CENTURY] = 0x32;
	put_le16(f + F_BOOT_ARCH, BOOT_LEGACY | BOOT_8042 | (vga ? 0 : BOOT_NO_VGA));
	put_le32(f + F_FLAGS, FLAG_WBINVD | FLAG_C1 | FLAG_NO_SLP | FLAG_FIX_RTC | FLAG_RESET);
	gas(f + F_RESET_REG, 8, 1, 0xcf9);
	f[F_RESET_VALUE] = 6;
	point(a, f + F_X_FACS, 8, facs);
	point(a, f + F_X_DSDT, 8, dsdt);
	gas(f + F_X_PM1A_EVT, 32, 2, PC_PM_BASE);
	gas(f + F_X_PM1A_CNT, 16, 2, PC_PM_BASE + 4);
	gas(f + F_X_PM_TMR, 32, 3, PC_PM_BASE + 8);
	gas(f + F_X_GPE0, 32, 1, PC_PM_BASE + 12);
	seal_table(a, f);
}

static size_t madt_len(unsigned cpus)
{
	/* Local APICs, one IOAPIC, an override for the SCI, LINT1 is NMI. */
	return HEADER + 8 + 8 * (size_t)cpus + 12 + 10 + 6;
}

/* Interrupt source override: ISA interrupt irq comes in at global interrupt gsi. */
static uint8_t * override(uint8_t *p, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	p[0] = 2;
	p[1] = 10;
	p[3] = irq;
	put_le32(p + 4, gsi);
	put_le16(p + 8, flags);
	return p + 10;
}

static void fill_madt(struct acpi *a, uint8_t *m, unsigned cpus)
{
	uint8_t *p = m + HEADER;

	header(m, "APIC", madt_len(cpus), 3);
	put_le32(p, APIC_BASE);
	put_le32(p + 4, 1); /* a pair of 8259s is there as well */
	p += 8;
	for (unsigned i = 0; i < cpus; i++, p += 8) {
		p[1] = 8;
		p[2] = p[3] = (uint8_t)i; /* processor id, APIC id */
		put_le32(p + 4, 1);	  /* enabled */
	}
	p[0] = 1;
	p[1] = 12;
	put_le32(p + 4, IOAPIC);
	p += 12;
	/*
	 * SCI: level, active high. The timer needs no override: global interrupt 0 is pin 0 of the
	 * accelerator's IOAPIC as well.
	 */
	p = override(p, PC_IRQ_SCI, PC_IRQ_SCI, 0x0d);
	p[0] = 4;
	p[1] = 6;
	p[2] = 0xff; /* all processors */
	p[5] = 1;
	seal_table(a, m);
}

static void fill_rsdp(struct acpi *a, const uint8_t *rsdt, const uint8_t *xsdt)
{
	uint8_t *r = a->rsdp;

	put_name(r, "RSD PTR ", 8);
	put_name(r + 9, "VMWIRE", 6);
	r[15] = 2;
	put_le32(r + 20, ACPI_RSDP_LEN);
	point(a, r + 16, 4, rsdt);
	point(a, r + 24, 8, xsdt);
	seal(a, NULL, 8, 20);
	seal(a, NULL, 32, ACPI_RSDP_LEN);
}

static int fill(struct acpi *a, unsigned cpus, bool vga, struct err *e)
{
	uint8_t *rsdt = take(a, HEADER + 8), *xsdt = take(a, HEADER + 16);
	uint8_t *fadt = take(a, FADT_LEN), *facs = take(a, FACS_LEN);
	uint8_t *dsdt = take(a, sizeof(dsdt_aml_code)), *madt = take(a, madt_len(cpus));

	if (!rsdt || !xsdt || !fadt || !facs || !dsdt || !madt)
		return err_set(e, ENOSPC, "the ACPI tables for %u CPUs do not fit", cpus);
	put_name(facs, "FACS", 4);
	put_le32(facs + 4, FACS_LEN);
	facs[32] = 1; /* version */
	memcpy(dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	fill_fadt(a, fadt, facs, dsdt, vga);
	fill_madt(a, madt, cpus);
	header(rsdt, "RSDT", HEADER + 8, 1);
	point(a, rsdt + HEADER, 4, fadt);
	point(a, rsdt + HEADER + 4, 4, madt);
	seal_table(a, rsdt);
	header(xsdt, "XSDT", HEADER + 16, 1);
	point(a, xsdt + HEADER, 8, fadt);
	point(a, xsdt + HEADER + 8, 8, madt);
	seal_table(a, xsdt);
	fill_rsdp(a, rsdt, xsdt);
	return a->nfix < ACPI_FIXES ? 0 : err_set(e, ENOSPC, "the ACPI tables do not fit");
}

struct acpi *acpi_new(unsigned cpus, bool vga, struct err *e)
{
	struct acpi *a = calloc(1, sizeof(*a));

	if (!a) {
		err_set(e, ENOMEM, "no memory for the ACPI tables");
		return NULL;
	}
	if (fill(a, cpus, vga, e)) {
		free(a);
		return NULL;
	}
	return a;
}

void acpi_free(struct acpi *a)
{
	free(a);
}
