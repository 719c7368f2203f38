/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus master of the PIIX IDE function (Programming Interface for Bus Master IDE Controller,
 * revision 1.0): for each channel a command, a status and a table register.
 *
 * The table has entries of 8 bytes, address and length, and may not cross a boundary of 64 KiB, so
 * it has 8192 entries at most, whatever the guest writes: the walk ends there. Each entry is read
 * once. A transfer is cut into requests of as many entries as fit into the drive's iovecs; they go
 * straight from and to guest memory. An entry that starts or ends inside of a sector is fine.
 */
#include <errno.h>
#include <string.h>

#include "accel/mem.h"
#include "base/iov.h"
#include "base/util.h"
#include "block/ide_priv.h"

#define BM_START   0x01u
#define BM_TO_HOST 0x08u
#define BMS_ACTIVE 0x01u
#define BMS_ERROR  0x02u
#define BMS_IRQ	   0x04u
#define BMS_DRV	   0x60u /* drive 0, 1 can do DMA: software's own notes */

#define PRD_MAX	 8192u
#define PRD_LAST 0x80000000u

/* --- the table ------------------------------------------------------------------------------ */

/* Reads the next entry. 1: there is one; 0: the table has ended; or -EFAULT. */
static int next_entry(struct prd *p, const struct guest_mem *mem)
{
	uint8_t raw[8];
	uint32_t size;

	if (p->last || p->index >= PRD_MAX)
		return 0;
	if (mem_read(mem, (uint64_t)p->table + 8ull * p->index, raw, sizeof(raw)))
		return -EFAULT;
	p->index++;
	size = get_le32(raw + 4);
	p->addr = get_le32(raw) & ~1u;
	p->left = size & 0xfffe ? size & 0xfffe : 0x10000;
	p->last = size & PRD_LAST;
	return 1;
}

/* Takes the last n bytes off the vec. */
static void cut_back(struct iovec *vec, unsigned *nvec, uint64_t n)
{
	while (n) {
		struct iovec *v = &vec[*nvec - 1];
		size_t cut = MIN(n, v->iov_len);

		v->iov_len -= cut;
		n -= cut;
		if (!v->iov_len)
			(*nvec)--;
	}
}

int ide_prd_fill(struct prd *p, const struct guest_mem *mem, uint64_t want, uint32_t unit,
		 struct iovec *vec, unsigned max, unsigned *nvec, uint64_t *got)
{
	struct prd whole = *p; /* where the last whole unit ended */
	uint64_t sum = 0;
	unsigned n = 0;

	*got = 0;
	while (sum < want && n < max) {
		int rc = p->left ? 1 : next_entry(p, mem);
		uint32_t len = (uint32_t)MIN((uint64_t)p->left, want - sum), over;
		void *at = rc > 0 ? mem_ptr(mem, p->addr, len) : NULL;

		if (rc < 0 || (rc && !at))
			return -EFAULT;
		if (!rc)
			break;
		/* Neighbours become one. */
		if (n && (uint8_t *)vec[n - 1].iov_base + vec[n - 1].iov_len == at)
			vec[n - 1].iov_len += len;
		else
			vec[n++] = (struct iovec){at, len};
		p->addr += len;
		p->left -= len;
		sum += len;
		over = (uint32_t)(sum % unit);
		if (over < len) {
			whole = *p;
			whole.addr -= over;
			whole.left += over;
			*got = sum - over;
		}
	}
	/* What is there of one more unit is for the next time. */
	cut_back(vec, &n, sum - *got);
	*p = whole;
	*nvec = n;
	return 0;
}

/* --- transfers ------------------------------------------------------------------------------ */

static void step(struct ide_drive *d);

/* The transfer is over. Without an interrupt when the table was too short (section 3.1). */
static void finish(struct ide_drive *d, int rc, bool shorter)
{
	struct ide_channel *c = d->c;

	d->dma.wanted = false;
	/* Memory of the table that was not used: the bus master waits for more, active. */
	if (rc || shorter || (c->prd.last && !c->prd.left))
		c->bm_status &= (uint8_t)~BMS_ACTIVE;
	if (rc == -EFAULT)
		c->bm_status |= BMS_ERROR;
	if (shorter) {
		d->status = ST_DRDY | ST_DSC;
		return;
	}
	if (d->cdrom)
		atapi_dma_done(d, rc);
	else
		ata_dma_done(d, rc);
}

static void moved(struct ide_drive *d, int rc)
{
	if (rc) {
		finish(d, rc, false);
		return;
	}
	d->dma.off += d->req.len;
	d->dma.left -= d->req.len;
	step(d);
}

/* Bytes that the drive has in its buffer: copied at once. */
static void send_data(struct ide_drive *d)
{
	struct ide_channel *c = d->c;

	while (d->dma.left) {
		unsigned n;
		uint64_t got;
		int rc = ide_prd_fill(&c->prd, c->x->mem, d->dma.left, 1, d->vec, IDE_VECS, &n,
				      &got);

		if (rc || !got) {
			finish(d, rc, !rc);
			return;
		}
		iov_write(d->vec, n, 0, d->dma.data, got);
		d->dma.data += got;
		d->dma.left -= got;
	}
	finish(d, 0, false);
}

static void step(struct ide_drive *d)
{
	struct ide_channel *c = d->c;
	unsigned n;
	uint64_t got;
	int rc;

	if (d->dma.data) {
		send_data(d);
		return;
	}
	if (!d->dma.left) {
		finish(d, 0, false);
		return;
	}
	rc = ide_prd_fill(&c->prd, c->x->mem, d->dma.left, d->dma.unit, d->vec, IDE_VECS, &n, &got);
	if (rc || !got) {
		finish(d, rc, !rc);
		return;
	}
	ide_request(d, d->dma.to_host ? BLK_READ : BLK_WRITE, d->dma.off, got, d->dma.fua, n,
		    moved);
}

static void go(struct ide_channel *c)
{
	for (unsigned i = 0; i < IDE_UNITS; i++) {
		struct ide_drive *d = &c->drive[i];

		if (!d->dma.wanted || d->busy)
			continue;
		if (d->dma.to_host != !!(c->bm_cmd & BM_TO_HOST)) {
			/* The two disagree about the direction: nothing can be moved. */
			finish(d, -EFAULT, false);
			return;
		}
		step(d);
		return;
	}
}

void ide_dma_begin(struct ide_drive *d)
{
	d->dma.wanted = true;
	d->status = ST_BSY | ST_DRDY;
	if (d->c->bm_cmd & BM_START && pci_master(&d->c->x->pci))
		go(d->c);
}

void ide_dma_cancel(struct ide_drive *d)
{
	blk_drain(&d->bq);
	d->busy = false;
	d->dma.wanted = false;
}

void ide_dma_reset(struct ide_channel *c)
{
	c->bm_cmd = c->bm_status = 0;
	c->bm_table = 0;
	c->prd = (struct prd){.last = true};
}

/* --- registers ------------------------------------------------------------------------------ */

static void write_command(struct ide_channel *c, uint8_t val)
{
	bool was = c->bm_cmd & BM_START, start = val & BM_START;

	c->bm_cmd = val & (BM_START | BM_TO_HOST);
	if (start && !was) {
		c->bm_status |= BMS_ACTIVE;
		c->prd = (struct prd){.table = c->bm_table};
		if (pci_master(&c->x->pci))
			go(c);
	} else if (was && !start) {
		c->bm_status &= (uint8_t)~BMS_ACTIVE;
		for (unsigned i = 0; i < IDE_UNITS; i++) {
			struct ide_drive *d = &c->drive[i];

			/* In the middle of a transfer: it is cut off, the command with it. */
			if (d->dma.wanted && d->busy) {
				ide_dma_cancel(d);
				d->error = ER_ABRT;
				d->status = ST_DRDY | ST_DSC | ST_ERR;
			}
		}
	}
}

static uint64_t bm_read(void *opaque, uint64_t off, unsigned size)
{
	struct ide *x = opaque;
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++) {
		const struct ide_channel *c = &x->ch[(off + i) / 8 % IDE_CHANNELS];
		unsigned reg = (off + i) % 8;
		uint8_t b = reg == 0   ? c->bm_cmd
			    : reg == 2 ? c->bm_status
			    : reg >= 4 ? (uint8_t)(c->bm_table >> (reg - 4) * 8)
				       : 0;

		val |= (uint64_t)b << 8 * i;
	}
	return val;
}

static void bm_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct ide *x = opaque;

	for (unsigned i = 0; i < size; i++) {
		struct ide_channel *c = &x->ch[(off + i) / 8 % IDE_CHANNELS];
		unsigned reg = (off + i) % 8, shift = (reg - 4) * 8;
		uint8_t b = (uint8_t)(val >> 8 * i);

		if (reg == 0)
			write_command(c, b);
		else if (reg == 2)
			c->bm_status = (uint8_t)((c->bm_status & BMS_ACTIVE) | (b & BMS_DRV) |
						 (c->bm_status & ~b & (BMS_ERROR | BMS_IRQ)));
		else if (reg >= 4)
			c->bm_table = (c->bm_table & ~(0xffu << shift)) |
				      ((uint32_t)(reg == 4 ? b & 0xfc : b) << shift);
	}
}

const struct io_ops ide_bm_io = {bm_read, bm_write, 4};
