/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of an ATA disk (ATA/ATAPI-6, chapter 8), with 28- and 48-bit addresses and with
 * cylinders, heads and sectors.
 *
 * Programmed transfers go block by block through the drive's buffer: of one sector, or of as many
 * as SET MULTIPLE MODE said. Reading, a block is fetched, DRQ and an interrupt say so, and when the
 * host has taken it the next is fetched. Writing, a block is written when the host has given all of
 * it, and the interrupt asks for the next or says that all is done. Addresses are checked as a
 * whole before anything moves.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "block/ide_priv.h"

/* What a command is, besides its number. */
#define C_WRITE 0x01u
#define C_DMA	0x02u
#define C_48	0x04u
#define C_MULT	0x08u
#define C_FUA	0x10u
#define C_CHECK 0x20u /* verify: no data */

static const struct {
	uint8_t cmd, flags;
} transfers[] = {
	{0x20, 0},
	{0x21, 0},
	{0x24, C_48},
	{0x29, C_48 | C_MULT},
	{0xc4, C_MULT},
	{0x25, C_48 | C_DMA},
	{0xc8, C_DMA},
	{0xc9, C_DMA},
	{0x40, C_CHECK},
	{0x41, C_CHECK},
	{0x42, C_CHECK | C_48},
	{0x30, C_WRITE},
	{0x31, C_WRITE},
	{0x34, C_WRITE | C_48},
	{0x39, C_WRITE | C_48 | C_MULT},
	{0xc5, C_WRITE | C_MULT},
	{0xce, C_WRITE | C_48 | C_MULT | C_FUA},
	{0x35, C_WRITE | C_48 | C_DMA},
	{0x3d, C_WRITE | C_48 | C_DMA | C_FUA},
	{0xca, C_WRITE | C_DMA},
	{0xcb, C_WRITE | C_DMA},
};

/* --- addresses ------------------------------------------------------------------------------ */

/* The first sector that the task file names; UINT64_MAX: it names none. */
static uint64_t address(const struct ide_drive *d)
{
	const struct ide_reg *l = d->lba;
	uint32_t low = l[0].now | (uint32_t)l[1].now << 8 | (uint32_t)l[2].now << 16;
	uint32_t cyl = low >> 8, head = d->device & 0x0f;

	if (d->lba48)
		return low | ((uint64_t)l[0].before << 24) | ((uint64_t)l[1].before << 32) |
		       ((uint64_t)l[2].before << 40);
	if (d->device & DEV_LBA)
		return low | head << 24;
	if (!l[0].now || l[0].now > d->spt || head >= d->heads)
		return UINT64_MAX;
	return ((uint64_t)cyl * d->heads + head) * d->spt + l[0].now - 1;
}

static void set_address(struct ide_drive *d, uint64_t at)
{
	struct ide_reg *l = d->lba;

	if (!d->lba48 && !(d->device & DEV_LBA)) {
		uint64_t track = at / d->spt;

		l[0].now = (uint8_t)(at % d->spt + 1);
		l[1].now = (uint8_t)(track / d->heads);
		l[2].now = (uint8_t)(track / d->heads >> 8);
		d->device = (uint8_t)((d->device & 0xf0) | track % d->heads);
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		l[i].now = (uint8_t)(at >> 8 * i);
		if (d->lba48)
			l[i].before = (uint8_t)(at >> (24 + 8 * i));
	}
	if (!d->lba48)
		d->device = (uint8_t)((d->device & 0xf0) | (at >> 24 & 0x0f));
}

static uint32_t sectors(const struct ide_drive *d)
{
	uint32_t n = d->nsect.now;

	if (!d->lba48)
		return n ? n : 256;
	n |= (uint32_t)d->nsect.before << 8;
	return n ? n : 65536;
}

/* --- transfers ------------------------------------------------------------------------------ */

/* A request failed; the task file tells where (the first sector of the request). */
static void failed(struct ide_drive *d, int rc)
{
	bool gone = rc == -EROFS || rc == -EPERM || rc == -ENOTSUP;

	set_address(d, d->at);
	ide_fail(d, gone ? ER_ABRT : d->dma.to_host || d->in ? ER_UNC : ER_ABRT);
}

static uint64_t block_bytes(struct ide_drive *d)
{
	return MIN(d->count, d->block) * BLK_SECTOR;
}

/* One iovec: the buffer. */
static void request_block(struct ide_drive *d, enum blk_op op,
			  void (*done)(struct ide_drive *d, int rc))
{
	uint64_t len = block_bytes(d);

	d->vec[0] = (struct iovec){d->buf, len};
	ide_request(d, op, d->at * BLK_SECTOR, len, d->fua, 1, done);
}

static void advance(struct ide_drive *d)
{
	uint64_t n = MIN(d->count, d->block);

	d->at += n;
	d->count -= n;
	/* At the end it names the last sector that was moved. */
	set_address(d, d->count ? d->at : d->at - 1);
	d->nsect.now = d->count < 256 ? (uint8_t)d->count : 0;
}

static void read_done(struct ide_drive *d, int rc);

static void read_next(struct ide_drive *d)
{
	if (d->count)
		request_block(d, BLK_READ, read_done);
	else
		d->status = ST_DRDY | ST_DSC;
}

static void read_done(struct ide_drive *d, int rc)
{
	uint32_t len = (uint32_t)block_bytes(d);

	d->in = true;
	if (rc) {
		failed(d, rc);
		return;
	}
	advance(d);
	ide_pio(d, len, true, read_next);
	ide_irq(d);
}

static void write_block(struct ide_drive *d);

static void write_done(struct ide_drive *d, int rc)
{
	d->in = false;
	if (rc) {
		failed(d, rc);
		return;
	}
	advance(d);
	if (!d->count) {
		ide_end(d);
		return;
	}
	ide_pio(d, (uint32_t)block_bytes(d), false, write_block);
	ide_irq(d);
}

static void write_block(struct ide_drive *d)
{
	request_block(d, BLK_WRITE, write_done);
}

void ata_dma_done(struct ide_drive *d, int rc)
{
	d->at = d->dma.off / BLK_SECTOR;
	d->count = d->dma.left / BLK_SECTOR;
	if (rc == -EFAULT) {
		ide_fail(d, ER_ABRT);
	} else if (rc) {
		failed(d, rc);
	} else {
		set_address(d, d->at - 1);
		d->nsect.now = 0;
		ide_end(d);
	}
}

static void start_transfer(struct ide_drive *d, unsigned flags)
{
	bool write = flags & C_WRITE;
	uint64_t at;

	d->lba48 = flags & C_48;
	at = address(d);
	d->count = sectors(d);
	d->at = at;
	d->fua = write && (flags & C_FUA || !d->cache);
	d->in = !write;
	if (flags & C_MULT && !d->mult) {
		ide_fail(d, ER_ABRT);
		return;
	}
	if (at >= d->sectors || d->count > d->sectors - at) {
		ide_fail(d, ER_IDNF);
		return;
	}
	d->block = flags & C_MULT ? d->mult : 1;
	if (flags & C_CHECK) {
		set_address(d, at + d->count - 1);
		ide_end(d);
	} else if (flags & C_DMA) {
		d->dma = (struct ide_dma){.to_host = !write,
					  .off = at * BLK_SECTOR,
					  .left = d->count * BLK_SECTOR,
					  .unit = BLK_SECTOR,
					  .fua = d->fua};
		ide_dma_begin(d);
	} else if (write) {
		/* The first block is asked for without an interrupt (9.8). */
		ide_pio(d, (uint32_t)block_bytes(d), false, write_block);
	} else {
		read_next(d);
	}
}

/* --- other commands ------------------------------------------------------------------------- */

static void ready(struct ide_drive *d)
{
	d->status = ST_DRDY | ST_DSC;
}

/* A sector of the drive's own for the host. */
static void reply(struct ide_drive *d)
{
	ide_pio(d, BLK_SECTOR, true, ready);
	ide_irq(d);
}

static void flushed(struct ide_drive *d, int rc)
{
	if (rc)
		ide_fail(d, ER_ABRT);
	else
		ide_end(d);
}

static void set_features(struct ide_drive *d)
{
	uint8_t mode = d->nsect.now;

	switch (d->feature.now) {
	case 0x02: /* write cache on */
		d->cache = true;
		break;
	case 0x82: /* off: what is in it goes to the disk first */
		d->cache = false;
		ide_request(d, BLK_FLUSH, 0, 0, false, 0, flushed);
		return;
	case 0x03: /* transfer mode (table 43) */
		if (mode > 0x01 && !(mode >= 0x08 && mode <= 0x0c) &&
		    !(mode >= 0x20 && mode <= 0x22) && !(mode >= 0x40 && mode <= 0x45)) {
			ide_fail(d, ER_ABRT);
			return;
		}
		if (mode >= 0x20)
			d->xfer = mode;
		break;
	case 0x05: /* power and acoustic management, look-ahead, defaults: heard */
	case 0x42:
	case 0x55:
	case 0x66:
	case 0x85:
	case 0xaa:
	case 0xc2:
	case 0xcc:
		break;
	default:
		ide_fail(d, ER_ABRT);
		return;
	}
	ide_end(d);
}

static void set_multiple(struct ide_drive *d)
{
	uint8_t n = d->nsect.now;

	if (n > IDE_MULT || n & (n - 1)) {
		ide_fail(d, ER_ABRT);
		return;
	}
	d->mult = n;
	ide_end(d);
}

static void native_max(struct ide_drive *d, bool lba48)
{
	uint64_t last = d->sectors - 1;

	d->lba48 = lba48;
	d->device |= DEV_LBA;
	set_address(d, lba48 ? last : MIN(last, 0x0fffffffull));
	ide_end(d);
}

static void init_params(struct ide_drive *d)
{
	/* Heads and sectors as the host wants to count them (8.16 of ATA-5). */
	if (!d->nsect.now) {
		ide_fail(d, ER_ABRT);
		return;
	}
	d->spt = d->nsect.now;
	d->heads = (d->device & 0x0f) + 1;
	ide_end(d);
}

/* The checksum byte makes the sum of all bytes zero. */
static void smart_sum(struct ide_drive *d)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < 511; i++)
		sum += d->buf[i];
	d->buf[511] = (uint8_t)-sum;
}

/* SMART (8.54): on, off, status: healthy, and the two tables, without attributes. */
static void smart(struct ide_drive *d)
{
	uint8_t sub = d->feature.now;

	if (d->lba[1].now != 0x4f || d->lba[2].now != 0xc2 || (!d->smart && sub != 0xd8)) {
		ide_fail(d, ER_ABRT);
		return;
	}
	switch (sub) {
	case 0xd0: /* read data, read thresholds */
	case 0xd1:
		memset(d->buf, 0, BLK_SECTOR);
		d->buf[0] = 1;
		smart_sum(d);
		reply(d);
		return;
	case 0xd2: /* attribute autosave */
	case 0xda: /* return status: 4f, c2 stay as they are */
		break;
	case 0xd8:
		d->smart = true;
		break;
	case 0xd9:
		d->smart = false;
		break;
	default:
		ide_fail(d, ER_ABRT);
		return;
	}
	ide_end(d);
}

void ata_command(struct ide_drive *d, uint8_t cmd)
{
	for (unsigned i = 0; i < ARRAY_SIZE(transfers); i++) {
		if (transfers[i].cmd == cmd) {
			start_transfer(d, transfers[i].flags);
			return;
		}
	}
	switch (cmd) {
	case 0xec:
		ata_identify(d);
		reply(d);
		break;
	case 0xa1: /* IDENTIFY PACKET DEVICE, and DEVICE RESET below: not of a CD drive (8.15) */
	case 0x08:
		ide_signature(d);
		ide_fail(d, ER_ABRT);
		break;
	case 0xe7:
	case 0xea:
		ide_request(d, BLK_FLUSH, 0, 0, false, 0, flushed);
		break;
	case 0xef:
		set_features(d);
		break;
	case 0xc6:
		set_multiple(d);
		break;
	case 0x91:
		init_params(d);
		break;
	case 0xf8:
		native_max(d, false);
		break;
	case 0x27:
		native_max(d, true);
		break;
	case 0xb0:
		smart(d);
		break;
	case 0xe5: /* check power mode: active */
	case 0x98:
		d->nsect.now = 0xff;
		ide_end(d);
		break;
	case 0x10: /* recalibrate, seek; standby, idle, sleep: nothing to be done */
	case 0x70:
	case 0xe0:
	case 0xe1:
	case 0xe2:
	case 0xe3:
	case 0xe6:
	case 0x94:
	case 0x95:
	case 0x96:
	case 0x97:
		ide_end(d);
		break;
	default:
		ide_fail(d, ER_ABRT);
		break;
	}
}
