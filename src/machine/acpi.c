/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables (ACPI 6.4, section 5.2), written straight into guest memory in the area where BIOSes
 * have them: RSDP first, found by its signature on a 16-byte boundary, then XSDT, RSDT, FADT, MADT,
 * FACS, and the DSDT that iasl made of dsdt.asl.
 *
 * The FADT says what is not there (8042, VGA), so that kernels do not spend time to find that out.
 */
#include <errno.h>

#include "base/util.h"
#include "machine/dsdt.h"
#include "machine/pc.h"

#define HEADER	  36
#define FADT_LEN  244 /* revision 3 */
#define FACS_LEN  64
#define RSDP_LEN  36
#define APIC_BASE 0xfee00000u
#define IOAPIC	  0xfec00000u
#define AREA	  (PC_ACPI_END - PC_ACPI_TABLES)

/* FADT fields by offset (table 5.9). */
enum {
	F_FACS = 36,
	F_DSDT = 40,
	F_SCI_INT = 46,
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
#define BOOT_NO_VGA  0x0004 /* and bit 1, an 8042, is not set */
#define FLAG_WBINVD  (1u << 0)
#define FLAG_C1	     (1u << 2)
#define FLAG_NO_SLP  (1u << 5) /* no fixed sleep button; bit 4 clear: a fixed power button */
#define FLAG_FIX_RTC (1u << 6) /* no RTC wake status in the fixed registers */
#define FLAG_RESET   (1u << 10)

struct area {
	uint8_t *base;
	uint64_t used;
};

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return (uint8_t)-s;
}

/* Room for a table, zeroed and 64-byte aligned (the FACS must be), or NULL. */
static uint8_t *take(struct area *a, size_t len)
{
	uint64_t at = align_up(a->used, 64);

	if (at + len > AREA)
		return NULL;
	a->used = at + len;
	return a->base + at;
}

static uint64_t gpa(const struct area *a, const uint8_t *p)
{
	return PC_ACPI_TABLES + (uint64_t)(p - a->base);
}

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

static void seal(uint8_t *t)
{
	t[9] = 0;
	t[9] = sum(t, get_le32(t + 4));
}

/* Generic address structure in port space (section 5.2.3.2). */
static void gas(uint8_t *p, unsigned bits, unsigned access, uint64_t addr)
{
	p[0] = 1;
	p[1] = (uint8_t)bits;
	p[3] = (uint8_t)access;
	put_le64(p + 4, addr);
}

static void fill_fadt(uint8_t *f, uint64_t facs, uint64_t dsdt)
{
	header(f, "FACP", FADT_LEN, 3);
	put_le32(f + F_FACS, (uint32_t)facs);
	put_le32(f + F_DSDT, (uint32_t)dsdt);
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
	put_le16(f + F_BOOT_ARCH, BOOT_LEGACY | BOOT_NO_VGA);
	put_le32(f + F_FLAGS, FLAG_WBINVD | FLAG_C1 | FLAG_NO_SLP | FLAG_FIX_RTC | FLAG_RESET);
	gas(f + F_RESET_REG, 8, 1, 0xcf9);
	f[F_RESET_VALUE] = 6;
	put_le64(f + F_X_FACS, facs);
	put_le64(f + F_X_DSDT, dsdt);
	gas(f + F_X_PM1A_EVT, 32, 2, PC_PM_BASE);
	gas(f + F_X_PM1A_CNT, 16, 2, PC_PM_BASE + 4);
	gas(f + F_X_PM_TMR, 32, 3, PC_PM_BASE + 8);
	gas(f + F_X_GPE0, 32, 1, PC_PM_BASE + 12);
	seal(f);
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

static void fill_madt(uint8_t *m, unsigned cpus)
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
	seal(m);
}

static void fill_rsdp(uint8_t *r, uint64_t rsdt, uint64_t xsdt)
{
	put_name(r, "RSD PTR ", 8);
	put_name(r + 9, "VMWIRE", 6);
	r[15] = 2;
	put_le32(r + 16, (uint32_t)rsdt);
	put_le32(r + 20, RSDP_LEN);
	put_le64(r + 24, xsdt);
	r[8] = sum(r, 20);
	r[32] = sum(r, RSDP_LEN);
}

int acpi_build(const struct guest_mem *mem, unsigned cpus, uint64_t *rsdp, struct err *e)
{
	struct area a = {.base = mem_ptr(mem, PC_ACPI_TABLES, AREA)};

	if (!a.base)
		return err_set(e, EINVAL, "too little guest memory for the ACPI tables");
	memset(a.base, 0, AREA);
	uint8_t *r = take(&a, RSDP_LEN), *rsdt = take(&a, HEADER + 8);
	uint8_t *xsdt = take(&a, HEADER + 16), *fadt = take(&a, FADT_LEN);
	uint8_t *facs = take(&a, FACS_LEN), *dsdt = take(&a, sizeof(dsdt_aml_code));
	uint8_t *madt = take(&a, madt_len(cpus));

	if (!r || !rsdt || !xsdt || !fadt || !facs || !dsdt || !madt)
		return err_set(e, ENOSPC, "the ACPI tables for %u CPUs do not fit", cpus);
	put_name(facs, "FACS", 4);
	put_le32(facs + 4, FACS_LEN);
	facs[32] = 1; /* version */
	memcpy(dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	fill_fadt(fadt, gpa(&a, facs), gpa(&a, dsdt));
	fill_madt(madt, cpus);
	header(rsdt, "RSDT", HEADER + 8, 1);
	put_le32(rsdt + HEADER, (uint32_t)gpa(&a, fadt));
	put_le32(rsdt + HEADER + 4, (uint32_t)gpa(&a, madt));
	seal(rsdt);
	header(xsdt, "XSDT", HEADER + 16, 1);
	put_le64(xsdt + HEADER, gpa(&a, fadt));
	put_le64(xsdt + HEADER + 8, gpa(&a, madt));
	seal(xsdt);
	fill_rsdp(r, gpa(&a, rsdt), gpa(&a, xsdt));
	*rsdp = gpa(&a, r);
	return 0;
}
