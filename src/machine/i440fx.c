/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host bridge, 82441FX PMC (8086:1237), PCI 0.0: what CPUs find below 1 MiB.
 *
 * From 768 KiB on there are thirteen segments (82441FX datasheet, section 3.2.12). For each a
 * nibble of the PAM registers says whether reads go to RAM or to the firmware's ROM, and whether
 * writes go to RAM or nowhere. Firmware starts in its ROM, copies itself into the RAM under it and
 * goes on there, write-protected in the end. RAM and ROM are windows of the accelerator's. The one
 * mixture that no window can be, reads from the ROM and writes into RAM, is made of a read-only
 * window and the register region below all of them, which also answers where neither is.
 *
 * The 128 KiB below are the display adapter's. SMRAM (section 3.2.17) can open them as RAM; there
 * is no system management mode, so they are hidden from nobody.
 *
 * All of it is the CPUs' view. Devices reach RAM only, whatever stands here.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/pc.h"

#define PAM0	0x59 /* … 0x5f: nibbles; PAM0's low one is reserved */
#define PAM6	0x5f
#define PAM_RE	0x1
#define PAM_WE	0x2
#define PAM_ALL 0x33

#define SMRAM	    0x72
#define SMRAM_BASE  0x02 /* C_BASE_SEG: A0000h, fixed */
#define SMRAM_ON    0x08 /* G_SMRAME */
#define SMRAM_LOCK  0x10 /* D_LCK */
#define SMRAM_CLOSE 0x20 /* D_CLS */
#define SMRAM_OPEN  0x40 /* D_OPEN */

#define SEGMENTS 13 /* twelve of 16 KiB from C0000h on, one of 64 KiB at F0000h */
#define SEG_SIZE 0x4000u
#define SEG_LAST 12u

struct i440fx {
	struct pci_dev d;
	struct bus *b;
	struct accel *a;
	struct pc_rom rom;
	struct io_region below;
};

static unsigned seg_of(uint64_t gpa)
{
	return gpa >= 0xf0000 ? SEG_LAST : (unsigned)(gpa - PC_SHADOW) / SEG_SIZE;
}

static uint64_t seg_start(unsigned s)
{
	return PC_SHADOW + (uint64_t)s * SEG_SIZE;
}

static uint64_t seg_size(unsigned s)
{
	return s == SEG_LAST ? 0x10000 : SEG_SIZE;
}

/* PAM_RE, PAM_WE of a segment. */
static unsigned seg_mode(const struct i440fx *x, unsigned s)
{
	uint8_t r = x->d.config[s == SEG_LAST ? PAM0 : PAM0 + 1 + s / 2];

	return (s == SEG_LAST || s & 1 ? r >> 4 : r) & 3;
}

/* The ROM's end is at 1 MiB as well, up to 128 KiB of it. NULL: gpa is below it. */
static uint8_t *rom_at(const struct i440fx *x, uint64_t gpa)
{
	uint64_t seen = MIN(x->rom.size, PC_ROM_LOW_MAX);

	return gpa >= PC_SHADOW_END - seen ? x->rom.host + (x->rom.size - (PC_SHADOW_END - gpa))
					   : NULL;
}

static void show_segment(struct i440fx *x, unsigned s)
{
	unsigned mode = seg_mode(x, s);
	struct accel_window w = {.gpa = seg_start(s), .size = seg_size(s), .readonly = true};

	if (mode & PAM_RE) {
		w.host = mem_ptr(&x->a->mem, w.gpa, w.size);
		w.readonly = !(mode & PAM_WE);
	} else {
		w.host = rom_at(x, w.gpa);
	}
	/* What cannot be shown reads as registers do, through `below`: slower and right. */
	(void)accel_window(x->a, PC_WIN_PAM + s, &w, NULL);
}

static void show_smram(struct i440fx *x)
{
	uint8_t v = x->d.config[SMRAM];
	struct accel_window w = {.gpa = PC_VGA, .size = PC_SHADOW - PC_VGA};

	if ((v & (SMRAM_ON | SMRAM_OPEN | SMRAM_CLOSE)) == (SMRAM_ON | SMRAM_OPEN))
		w.host = mem_ptr(&x->a->mem, w.gpa, w.size);
	(void)accel_window(x->a, PC_WIN_SMRAM, &w, NULL);
}

static void show_all(struct i440fx *x)
{
	for (unsigned s = 0; s < SEGMENTS; s++)
		show_segment(x, s);
	show_smram(x);
}

/* --- below the windows ---------------------------------------------------------------------- */

static uint64_t below_read(void *opaque, uint64_t off, unsigned size)
{
	const struct i440fx *x = opaque;
	const uint8_t *p;

	(void)size;
	if (seg_mode(x, seg_of(PC_SHADOW + off)) & PAM_RE)
		p = mem_ptr(&x->a->mem, PC_SHADOW + off, 1);
	else
		p = rom_at(x, PC_SHADOW + off);
	return p ? *p : 0xff;
}

static void below_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	const struct i440fx *x = opaque;
	uint8_t v = (uint8_t)val;

	(void)size;
	if (seg_mode(x, seg_of(PC_SHADOW + off)) & PAM_WE)
		(void)mem_write(&x->a->mem, PC_SHADOW + off, &v, 1);
}

static const struct io_ops below_ops = {below_read, below_write, 1};

/* --- the PCI function ----------------------------------------------------------------------- */

static void i440fx_written(struct pci_dev *d, unsigned off, unsigned len)
{
	struct i440fx *x = container_of(d, struct i440fx, d);

	if (touches(off, len, PAM0, PAM6 - PAM0 + 1))
		show_all(x);
	if (!touches(off, len, SMRAM, 1))
		return;
	if (d->config[SMRAM] & SMRAM_LOCK) { /* until the next reset */
		d->config[SMRAM] &= (uint8_t)~SMRAM_OPEN;
		d->wmask[SMRAM] = SMRAM_CLOSE;
	}
	show_smram(x);
}

static void i440fx_reset(struct pci_dev *d)
{
	d->config[SMRAM] = SMRAM_BASE;
	d->wmask[SMRAM] = SMRAM_OPEN | SMRAM_CLOSE | SMRAM_LOCK | SMRAM_ON;
	show_all(container_of(d, struct i440fx, d));
}

static void i440fx_destroy(struct pci_dev *d)
{
	struct i440fx *x = container_of(d, struct i440fx, d);

	bus_del(x->b, BUS_MMIO, &x->below);
	free(x);
}

static const struct pci_ops i440fx_ops = {
	.config_written = i440fx_written,
	.reset = i440fx_reset,
	.destroy = i440fx_destroy,
};

static int show_rom(struct i440fx *x, struct err *e)
{
	const struct accel_window w = {
		.gpa = PC_HIGH_RAM - x->rom.size,
		.size = x->rom.size,
		.host = x->rom.host,
		.readonly = true,
	};

	return x->rom.host ? accel_window(x->a, PC_WIN_ROM, &w, e) : 0;
}

struct i440fx *i440fx_add(struct pci_bus *p, struct accel *a, const struct pc_rom *rom,
			  struct err *e)
{
	static const struct pci_ids ids = {.vendor = 0x8086,
					   .device = 0x1237,
					   .subvendor = PC_SUBVENDOR,
					   .subdevice = PC_SUBDEVICE,
					   .rev = 2,
					   .class = 0x060000};
	struct i440fx *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(e, ENOMEM, "no memory for the host bridge");
		return NULL;
	}
	x->b = pci_io_bus(p);
	x->a = a;
	x->rom = *rom;
	x->below = (struct io_region){PC_SHADOW, PC_SHADOW_END - PC_SHADOW, &below_ops, x,
				      "the firmware's segments"};
	pci_init(&x->d, "the host bridge (i440FX)", &i440fx_ops, &ids, 0);
	x->d.wmask[PAM0] = PAM_ALL & 0xf0;
	for (unsigned r = PAM0 + 1; r <= PAM6; r++)
		x->d.wmask[r] = PAM_ALL;
	i440fx_reset(&x->d);
	if (show_rom(x, e) || bus_add(x->b, BUS_MMIO, &x->below, e) || pci_add(p, &x->d, 0, e)) {
		i440fx_destroy(&x->d);
		return NULL;
	}
	return x;
}

void i440fx_all_ram(struct i440fx *x)
{
	bus_lock(x->b);
	for (unsigned r = PAM0; r <= PAM6; r++)
		x->d.config[r] = x->d.wmask[r];
	show_all(x);
	bus_unlock(x->b);
}
