/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power management, 82371AB (PIIX4) function 3 (8086:7113), PCI 1.3: the ACPI fixed hardware
 * (ACPI 6.4, section 4.8): PM1 event and control registers, the PM timer, a GPE block, the SMI
 * command port.
 *
 * The PM timer is computed from the clock when read; its carry (TMR_STS) is worked out at a look,
 * and a timer is armed only while its interrupt is enabled and not yet pending.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/pc.h"

#define PM_HZ	  3579545ull
#define PMBA	  0x40 /* configuration: base address */
#define PMREGMISC 0x80 /* bit 0: decode it */
#define PM_LEN	  64
#define DEVACTB	  0x5b /* configuration: device activity B, its top byte */
#define APMC_EN	  0x02 /* writes to the SMI command port make an SMI */

/* Offsets in the block. */
#define PM1_STS	 0x00
#define PM1_EN	 0x02
#define PM1_CNT	 0x04
#define PM_TMR	 0x08
#define GPE0_STS 0x0c
#define GPE0_EN	 0x0e
#define REGS	 0x10

#define STS_TMR	    0x0001
#define STS_PWRBTN  0x0100
#define STS_ALL	    0x0731 /* TMR, BM, GBL, PWRBTN, SLPBTN, RTC */
#define EN_ALL	    0x0721
#define CNT_SCI_EN  0x0001
#define CNT_KEPT    0x1c07
#define CNT_SLP_EN  0x2000
#define CNT_SLP_TYP 0x1c00
#define SLP_S5	    0 /* SLP_TYP of S5 (82371AB: soft off), as in dsdt.asl's _S5 */

struct pm {
	struct pci_dev d;
	struct io_region io, apm_io;
	bool mapped;
	struct bus *b;
	const struct clock *clock;
	struct isa_irqs *q;
	struct pc_power power;
	struct deadline timer;
	uint64_t looked; /* ticks at the last look */
	uint16_t sts, en, cnt, gpe_sts, gpe_en;
	uint16_t gpe_level; /* causes that stand: their status cannot be cleared */
	uint8_t apm[2];
};

static uint64_t ticks(const struct pm *pm)
{
	return (uint64_t)((unsigned __int128)clock_now(pm->clock) * PM_HZ / NS_PER_S);
}

/* TMR_STS is set when the timer's top bit, 23, changes (section 4.8.3.1.1). */
static void look(struct pm *pm)
{
	uint64_t now = ticks(pm);

	if (now >> 23 != pm->looked >> 23)
		pm->sts |= STS_TMR;
	pm->looked = now;
}

static void update(struct pm *pm)
{
	bool level = pm->cnt & CNT_SCI_EN && (pm->sts & pm->en || pm->gpe_sts & pm->gpe_en);
	uint64_t when = 0;

	if (pm->en & STS_TMR && !(pm->sts & STS_TMR)) {
		uint64_t carry = ((pm->looked >> 23) + 1) << 23;

		when = (uint64_t)((unsigned __int128)carry * NS_PER_S / PM_HZ) + 1;
	}
	deadline_set(&pm->timer, when);
	isa_irqs_sci(pm->q, level);
}

static void on_timer(struct deadline *d)
{
	struct pm *pm = container_of(d, struct pm, timer);

	bus_lock(pm->b);
	look(pm);
	update(pm);
	bus_unlock(pm->b);
}

/* --- registers ------------------------------------------------------------------------------ */

static uint64_t pm_read(void *opaque, uint64_t off, unsigned size)
{
	struct pm *pm = opaque;
	uint8_t r[REGS] = {0};
	uint64_t v = 0;

	if (off >= REGS)
		return 0;
	look(pm);
	put_le16(r + PM1_STS, pm->sts);
	put_le16(r + PM1_EN, pm->en);
	put_le16(r + PM1_CNT, pm->cnt);
	put_le32(r + PM_TMR, (uint32_t)pm->looked & 0xffffff);
	put_le16(r + GPE0_STS, pm->gpe_sts);
	put_le16(r + GPE0_EN, pm->gpe_en);
	memcpy(&v, r + off, size);
	if (off < PM1_CNT)
		update(pm);
	return le64toh(v);
}

static void write_cnt(struct pm *pm, uint16_t v)
{
	pm->cnt = v & CNT_KEPT;
	/* Sleep states other than S5 are in no table: writes that ask for them do nothing. */
	if (v & CNT_SLP_EN && (v & CNT_SLP_TYP) == SLP_S5 << 10)
		pm->power.poweroff(pm->power.opaque);
}

static uint16_t merge(uint16_t old, unsigned byte, uint8_t v)
{
	return (uint16_t)((old & ~(0xff << 8 * byte)) | v << 8 * byte);
}

static void write_byte(struct pm *pm, unsigned off, uint8_t v)
{
	unsigned byte = off & 1;

	switch (off & ~1u) {
	case PM1_STS:
		pm->sts &= (uint16_t) ~(v << 8 * byte);
		break;
	case PM1_EN:
		pm->en = merge(pm->en, byte, v) & EN_ALL;
		break;
	case PM1_CNT:
		write_cnt(pm, byte ? merge(pm->cnt, 1, v)
				   : (uint16_t)(merge(pm->cnt, 0, v) & ~CNT_SLP_EN));
		break;
	case GPE0_STS:
		pm->gpe_sts &= (uint16_t) ~(v << 8 * byte);
		pm->gpe_sts |= pm->gpe_level;
		break;
	case GPE0_EN:
		pm->gpe_en = merge(pm->gpe_en, byte, v);
		break;
	}
}

static void pm_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct pm *pm = opaque;

	look(pm);
	for (unsigned i = 0; i < size && off + i < REGS; i++, val >>= 8)
		write_byte(pm, (unsigned)off + i, (uint8_t)val);
	update(pm);
}

static const struct io_ops pm_io_ops = {pm_read, pm_write, 4};

static uint64_t apm_read(void *opaque, uint64_t off, unsigned size)
{
	const struct pm *pm = opaque;

	(void)size;
	return pm->apm[off];
}

/* There is no system management mode: what firmware would do on these two commands is done at
 * once. */
static void apm_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct pm *pm = opaque;

	(void)size;
	pm->apm[off] = (uint8_t)val;
	if (off)
		return;
	if (val == PC_ACPI_ON)
		pm->cnt |= CNT_SCI_EN;
	else if (val == PC_ACPI_OFF)
		pm->cnt &= (uint16_t)~CNT_SCI_EN;
	update(pm);
}

static const struct io_ops apm_ops = {apm_read, apm_write, 1};

/* --- the PCI function ----------------------------------------------------------------------- */

static void map(struct pm *pm)
{
	uint32_t base = get_le32(pm->d.config + PMBA) & 0xffc0;

	if (pm->mapped)
		bus_del(pm->b, BUS_PIO, &pm->io);
	pm->io.base = base;
	pm->mapped =
		pm->d.config[PMREGMISC] & 1 && base && bus_add(pm->b, BUS_PIO, &pm->io, NULL) == 0;
}

static void pm_config_written(struct pci_dev *d, unsigned off, unsigned len)
{
	if (touches(off, len, PMBA, 4) || touches(off, len, PMREGMISC, 1))
		map(container_of(d, struct pm, d));
}

static void pm_reset(struct pci_dev *d)
{
	struct pm *pm = container_of(d, struct pm, d);

	pm->sts = pm->en = pm->cnt = pm->gpe_en = 0;
	pm->gpe_sts = pm->gpe_level;
	memset(pm->apm, 0, sizeof(pm->apm));
	map(pm);
	pm->looked = ticks(pm);
	update(pm);
}

static void pm_destroy(struct pci_dev *d)
{
	struct pm *pm = container_of(d, struct pm, d);

	if (pm->mapped)
		bus_del(pm->b, BUS_PIO, &pm->io);
	bus_del(pm->b, BUS_PIO, &pm->apm_io);
	deadline_exit(&pm->timer);
	free(pm);
}

static const struct pci_ops pm_ops = {
	.config_written = pm_config_written,
	.reset = pm_reset,
	.destroy = pm_destroy,
};

struct pm *pm_add(struct pci_bus *p, struct loop *control, const struct clock *clock,
		  struct isa_irqs *q, const struct pc_power *power, struct err *e)
{
	static const struct pci_ids ids = {.vendor = 0x8086,
					   .device = 0x7113,
					   .subvendor = PC_SUBVENDOR,
					   .subdevice = PC_SUBDEVICE,
					   .rev = 3,
					   .class = 0x068000};
	struct pm *pm = calloc(1, sizeof(*pm));

	if (!pm) {
		err_set(e, ENOMEM, "no memory for power management");
		return NULL;
	}
	pm->b = pci_io_bus(p);
	pm->clock = clock;
	pm->q = q;
	pm->power = *power;
	pm->looked = ticks(pm);
	pm->io = (struct io_region){0, PM_LEN, &pm_io_ops, pm, "ACPI registers"};
	pm->apm_io = (struct io_region){PC_SMI_CMD, 2, &apm_ops, pm, "SMI command port"};
	pci_init(&pm->d, "power management (PIIX4)", &pm_ops, &ids, 1);
	put_le32(pm->d.config + PMBA, 1); /* an I/O address */
	put_le32(pm->d.wmask + PMBA, 0xffc0);
	pm->d.wmask[PMREGMISC] = 1;
	/* Firmware that finds SMIs set up does not try to, and wait for one. */
	pm->d.config[DEVACTB] = APMC_EN;
	if (deadline_init(&pm->timer, control, on_timer, e) ||
	    bus_add(pm->b, BUS_PIO, &pm->apm_io, e) || pci_add(p, &pm->d, 1 << 3 | 3, e)) {
		pm_destroy(&pm->d);
		return NULL;
	}
	return pm;
}

void pm_enable(struct pm *pm, uint16_t base)
{
	bus_lock(pm->b);
	put_le32(pm->d.config + PMBA, base | 1u);
	pm->d.config[PMREGMISC] = 1;
	map(pm);
	pm->cnt |= CNT_SCI_EN;
	update(pm);
	bus_unlock(pm->b);
}

bool pm_button(struct pm *pm)
{
	bool heard;

	bus_lock(pm->b);
	look(pm);
	pm->sts |= STS_PWRBTN;
	update(pm);
	heard = pm->cnt & CNT_SCI_EN && pm->en & STS_PWRBTN;
	bus_unlock(pm->b);
	return heard;
}

void pm_gpe(struct pm *pm, unsigned n, bool level)
{
	uint16_t bit = (uint16_t)(1u << n);

	bus_lock(pm->b);
	look(pm);
	if (level)
		pm->gpe_level |= bit;
	else
		pm->gpe_level &= (uint16_t)~bit;
	pm->gpe_sts |= pm->gpe_level;
	update(pm);
	bus_unlock(pm->b);
}
