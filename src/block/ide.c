/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IDE function of the PIIX3 (82371SB, 8086:7010): ports, task files, reset, interrupts.
 *
 * What a vCPU writes into a task file reaches both drives of the channel; commands go to the
 * selected one. A drive is one state machine under the bus lock: a command sets it going, the data
 * port and the bus master move it on, a request that the disk has finished (on the control loop)
 * moves it on. While a request is under way BSY is set, and only a reset or the bus master's stop
 * can end the command; both wait for the threads that work on it first, which never take the lock.
 *
 * A channel without drives reads as all ones (a bus that nobody pulls down), the place of a
 * missing second drive as zeros, as the first one answers for it (9.16.1).
 */
#include "block/ide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/accel.h"
#include "base/util.h"
#include "block/ide_priv.h"

#define IRQ_FIRST 14u
#define CTL_NIEN  0x02u
#define CTL_SRST  0x04u
#define CTL_HOB	  0x80u
#define BM_BAR	  4u
#define IDETIM	  0x40u /* timing registers; bit 15: the channel's ports are decoded */
#define BMS_IRQ	  0x04u

enum { R_DATA, R_FEATURE, R_NSECT, R_LBA0, R_LBA1, R_LBA2, R_DEVICE, R_COMMAND };

static struct ide_drive *selected(struct ide_channel *c)
{
	return &c->drive[c->selected];
}

static bool nobody(const struct ide_channel *c)
{
	return !c->drive[0].b && !c->drive[1].b;
}

/* --- interrupts ----------------------------------------------------------------------------- */

static void settle_line(struct ide_channel *c)
{
	const struct ide_drive *d = selected(c);
	bool level = d->irq && !(c->control & CTL_NIEN);

	if (level && !c->line)
		c->bm_status |= BMS_IRQ;
	if (level != c->line)
		c->x->set_irq(c->x->opaque, IRQ_FIRST + c->n, level);
	c->line = level;
}

void ide_irq(struct ide_drive *d)
{
	d->irq = true;
	settle_line(d->c);
}

void ide_end(struct ide_drive *d)
{
	d->status = ST_DRDY | ST_DSC;
	d->error = 0;
	d->len = d->pos = 0;
	ide_irq(d);
}

void ide_fail(struct ide_drive *d, uint8_t error)
{
	d->status = ST_DRDY | ST_DSC | ST_ERR;
	d->error = error;
	d->len = d->pos = 0;
	ide_irq(d);
}

/* --- the drive's work ----------------------------------------------------------------------- */

void ide_pio(struct ide_drive *d, uint32_t len, bool in, ide_fn *after)
{
	d->pos = 0;
	d->len = len;
	d->in = in;
	d->after = after;
	d->status = ST_DRDY | ST_DSC | ST_DRQ;
}

void ide_request(struct ide_drive *d, enum blk_op op, uint64_t off, uint64_t len, bool fua,
		 unsigned nvec, void (*done)(struct ide_drive *d, int rc))
{
	d->req = (struct blk_req){
		.op = op, .off = off, .len = len, .fua = fua, .vec = d->vec, .nvec = nvec};
	d->done = done;
	d->busy = true;
	d->status = ST_BSY | ST_DRDY;
	blk_submit(&d->bq, &d->req);
}

static void on_ready(struct blk_queue *q)
{
	struct ide_drive *d = container_of(q, struct ide_drive, bq);
	struct bus *bus = d->c->x->bus;

	/* The lock first: whoever holds it may be cancelling the request. */
	bus_lock(bus);
	if (blk_reap(q)) {
		d->busy = false;
		d->done(d, d->req.rc);
	}
	bus_unlock(bus);
}

/* --- reset ---------------------------------------------------------------------------------- */

void ide_signature(struct ide_drive *d)
{
	d->nsect.now = d->lba[0].now = 1;
	d->lba[1].now = d->cdrom ? 0x14 : 0;
	d->lba[2].now = d->cdrom ? 0xeb : 0;
	d->device = 0;
	d->error = 1; /* diagnostics passed */
	d->status = d->cdrom ? 0 : ST_DRDY | ST_DSC;
}

/* Software reset, or the rest of a hardware reset (9.2, 9.3). */
static void reset_drive(struct ide_drive *d)
{
	if (!d->b)
		return;
	ide_dma_cancel(d);
	d->pos = d->len = 0;
	d->irq = false;
	d->mult = IDE_MULT;
	ide_signature(d);
	if (d->cdrom)
		atapi_reset(d);
}

static void power_on(struct ide_drive *d)
{
	if (!d->b)
		return;
	reset_drive(d);
	d->heads = 16;
	d->spt = 63;
	d->xfer = 0x45; /* Ultra DMA 5 */
	d->cache = blk_write_cache(d->b);
	d->smart = true;
	memset(&d->feature, 0, sizeof(d->feature));
}

static void ide_reset(struct pci_dev *pci)
{
	struct ide *x = container_of(pci, struct ide, pci);

	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		struct ide_channel *c = &x->ch[i];

		for (unsigned u = 0; u < IDE_UNITS; u++)
			power_on(&c->drive[u]);
		c->control = 0;
		c->selected = 0;
		ide_dma_reset(c);
		settle_line(c);
		/* As firmware leaves it, and nobody may be there to do it. */
		put_le16(pci->config + IDETIM + 2 * i, 0x8000);
	}
}

/* --- task file ------------------------------------------------------------------------------ */

static void write_reg(struct ide_drive *d, unsigned reg, uint8_t val)
{
	struct ide_reg *r = reg == R_FEATURE ? &d->feature
			    : reg == R_NSECT ? &d->nsect
					     : &d->lba[(reg - R_LBA0) % 3];

	if (!d->b || d->status & ST_BSY)
		return;
	if (reg == R_DEVICE) {
		d->device = val & (uint8_t)~DEV_UNIT;
		return;
	}
	r->before = r->now;
	r->now = val;
}

static void command(struct ide_channel *c, uint8_t cmd)
{
	struct ide_drive *d = selected(c);
	bool diagnose = cmd == 0x90;

	if (!d->b && !(diagnose && c->drive[0].b))
		return;
	if (diagnose) {
		/* Both drives, answered by the first (8.9). */
		reset_drive(&c->drive[0]);
		reset_drive(&c->drive[1]);
		c->selected = 0;
		ide_irq(&c->drive[0]);
		return;
	}
	d->irq = false;
	settle_line(c);
	/* Only DEVICE RESET interrupts a command (7.5). */
	if (d->status & ST_BSY && !(d->cdrom && cmd == 0x08))
		return;
	d->error = 0;
	d->pos = d->len = 0;
	d->dma = (struct ide_dma){0};
	if (d->cdrom)
		atapi_command(d, cmd);
	else
		ata_command(d, cmd);
}

static void cmd_byte(struct ide_channel *c, unsigned reg, uint8_t val)
{
	if (nobody(c))
		return;
	/* Writing a task file register shows the newest ones again (7.8). */
	c->control &= (uint8_t)~CTL_HOB;
	if (reg == R_COMMAND) {
		command(c, val);
		return;
	}
	for (unsigned u = 0; u < IDE_UNITS; u++)
		write_reg(&c->drive[u], reg, val);
	if (reg == R_DEVICE) {
		c->selected = !!(val & DEV_UNIT);
		settle_line(c);
	}
}

static uint8_t reg_byte(struct ide_channel *c, unsigned reg)
{
	struct ide_drive *d = selected(c);
	bool hob = c->control & CTL_HOB;
	const struct ide_reg *r;

	if (nobody(c))
		return 0xff;
	if (!d->b)
		return 0;
	switch (reg) {
	case R_FEATURE:
		return d->error;
	case R_DEVICE:
		return (uint8_t)(0xa0 | d->device | (c->selected ? DEV_UNIT : 0));
	case R_COMMAND:
		d->irq = false;
		settle_line(c);
		return d->status;
	default:
		r = reg == R_NSECT ? &d->nsect : &d->lba[(reg - R_LBA0) % 3];
		return hob ? r->before : r->now;
	}
}

/* --- data port ------------------------------------------------------------------------------ */

static void moved(struct ide_drive *d)
{
	if (d->pos < d->len)
		return;
	d->status &= (uint8_t)~ST_DRQ;
	d->pos = d->len = 0;
	d->after(d);
}

static uint64_t data_read(struct ide_drive *d, unsigned size)
{
	uint64_t val = 0;
	unsigned n;

	if (!d->b || !(d->status & ST_DRQ) || !d->in)
		return 0;
	n = MIN(size, d->len - d->pos);
	val = get_le(d->buf + d->pos, n);
	d->pos += n;
	moved(d);
	return val;
}

static void data_write(struct ide_drive *d, uint64_t val, unsigned size)
{
	unsigned n;

	if (!d->b || !(d->status & ST_DRQ) || d->in)
		return;
	n = MIN(size, d->len - d->pos);
	put_le(d->buf + d->pos, val, n);
	d->pos += n;
	moved(d);
}

/* --- ports ---------------------------------------------------------------------------------- */

static uint64_t cmd_read(void *opaque, uint64_t off, unsigned size)
{
	struct ide_channel *c = opaque;
	uint64_t val = 0;

	if (off == R_DATA && !nobody(c))
		return data_read(selected(c), size);
	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)reg_byte(c, (unsigned)off + i) << 8 * i;
	return val;
}

static void cmd_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct ide_channel *c = opaque;

	if (off == R_DATA) {
		data_write(selected(c), val, size);
		return;
	}
	for (unsigned i = 0; i < size; i++)
		cmd_byte(c, (unsigned)off + i, (uint8_t)(val >> 8 * i));
}

/* Alternate status: does not take the interrupt away. */
static uint64_t ctl_read(void *opaque, uint64_t off, unsigned size)
{
	struct ide_channel *c = opaque;

	(void)off;
	(void)size;
	return nobody(c) ? 0xff : selected(c)->b ? selected(c)->status : 0;
}

static void ctl_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct ide_channel *c = opaque;
	bool was = c->control & CTL_SRST, srst = val & CTL_SRST;

	(void)off;
	(void)size;
	c->control = (uint8_t)val & (CTL_NIEN | CTL_SRST | CTL_HOB);
	for (unsigned u = 0; was != srst && u < IDE_UNITS; u++) {
		struct ide_drive *d = &c->drive[u];

		if (srst)
			reset_drive(d);
		if (srst && d->b)
			d->status = ST_BSY;
		else if (d->b)
			ide_signature(d);
	}
	if (srst)
		c->selected = 0;
	settle_line(c);
}

static const struct io_ops cmd_ops = {cmd_read, cmd_write, 4};
static const struct io_ops ctl_ops = {ctl_read, ctl_write, 1};

/* --- life ----------------------------------------------------------------------------------- */

static void ide_destroy(struct pci_dev *pci)
{
	struct ide *x = container_of(pci, struct ide, pci);

	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		struct ide_channel *c = &x->ch[i];

		bus_del(x->bus, BUS_PIO, &c->cmd_io);
		bus_del(x->bus, BUS_PIO, &c->ctl_io);
		for (unsigned u = 0; u < IDE_UNITS; u++) {
			blk_queue_close(&c->drive[u].bq);
			free(c->drive[u].buf);
		}
	}
	free(x);
}

static void ide_master_changed(struct pci_dev *pci)
{
	struct ide *x = container_of(pci, struct ide, pci);

	/* Off: memory is let go of when this returns, the command does not come to its end. */
	for (unsigned i = 0; !pci_master(pci) && i < IDE_CHANNELS * IDE_UNITS; i++) {
		struct ide_drive *d = &x->ch[i / IDE_UNITS].drive[i % IDE_UNITS];

		if (d->dma.wanted && d->busy) {
			ide_dma_cancel(d);
			ide_fail(d, ER_ABRT);
		}
	}
}

static const struct pci_ops ide_pci_ops = {
	.reset = ide_reset,
	.destroy = ide_destroy,
	.master_changed = ide_master_changed,
};

static int add_ports(struct ide *x, struct err *e)
{
	static const uint16_t base[IDE_CHANNELS] = {0x1f0, 0x170};

	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		struct ide_channel *c = &x->ch[i];
		int rc;

		c->cmd_io = (struct io_region){base[i], 8, &cmd_ops, c, "IDE channel"};
		c->ctl_io = (struct io_region){base[i] + 0x206u, 1, &ctl_ops, c, "IDE control"};
		rc = bus_add(x->bus, BUS_PIO, &c->cmd_io, e);
		if (!rc)
			rc = bus_add(x->bus, BUS_PIO, &c->ctl_io, e);
		if (rc)
			return rc;
	}
	return 0;
}

struct ide *ide_new(struct pci_bus *bus, struct loop *control,
		    void (*set_irq)(void *opaque, unsigned irq, bool level), void *opaque,
		    struct err *e)
{
	/* 80: bus master, both channels at the old ports for good. */
	static const struct pci_ids ids = {.vendor = 0x8086, .device = 0x7010, .class = 0x010180};
	struct ide *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(e, ENOMEM, "no memory for the IDE controller");
		return NULL;
	}
	x->bus = pci_io_bus(bus);
	x->mem = &x->bus->accel->mem;
	x->control = control;
	x->set_irq = set_irq;
	x->opaque = opaque;
	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		x->ch[i].x = x;
		x->ch[i].n = i;
		for (unsigned u = 0; u < IDE_UNITS; u++) {
			x->ch[i].drive[u].c = &x->ch[i];
			x->ch[i].drive[u].unit = u;
		}
	}
	pci_init(&x->pci, "the IDE controller (PIIX3)", &ide_pci_ops, &ids, 0);
	pci_set_bar(&x->pci, BM_BAR, BUS_PIO, 16, false, false, &ide_bm_io, x);
	memset(x->pci.wmask + IDETIM, 0xff, 4);
	ide_reset(&x->pci);
	if (add_ports(x, e) || pci_add(bus, &x->pci, 1 << 3 | 1, e)) {
		ide_destroy(&x->pci);
		return NULL;
	}
	return x;
}

int ide_plug(struct ide *x, unsigned channel, unsigned unit, struct blk *b, const char *serial,
	     struct err *e)
{
	struct ide_drive *d = &x->ch[channel].drive[unit];
	int rc;

	d->bq.ready = on_ready;
	d->buf = calloc(1, IDE_BUF);
	if (!d->buf)
		return err_set(e, ENOMEM, "no memory for an IDE drive");
	rc = blk_queue_open(&d->bq, b, x->control, e);
	if (rc)
		return rc;
	d->cdrom = blk_cdrom(b);
	d->sectors = blk_size(b) / BLK_SECTOR;
	if (serial)
		snprintf(d->serial, sizeof(d->serial), "%s", serial);
	else
		snprintf(d->serial, sizeof(d->serial), "VW%05u", channel * IDE_UNITS + unit + 1);
	d->b = b;
	d->p.media = blk_media(b);
	power_on(d);
	return 0;
}
