/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CD drive: ATAPI packets (ATA/ATAPI-6 section 8.21, 9.6) with the commands of SPC and MMC-3
 * that firmware, boot loaders and drivers use.
 *
 * A packet's answer lies in the drive's buffer, or is read from the image into it, 32 sectors at a
 * time; by programmed transfer it goes to the host in blocks of as many bytes as the host allowed
 * in the byte count registers. With DMA sectors go from the image straight to memory.
 *
 * Medium: the disk counts changes of its medium. One that the drive has not told of yet is
 * reported as UNIT ATTENTION by the next command that asks for the medium, and as an event.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "block/ide_priv.h"

#define SECTORS_IN_BUF (IDE_BUF / ATAPI_SECTOR)

/* Sense keys and codes (MMC-3 annex F) */
#define NOT_READY      2
#define MEDIUM_ERROR   3
#define ILLEGAL	       5
#define ATTENTION      6
#define NO_MEDIUM      0x3a
#define CHANGED	       0x28
#define BAD_COMMAND    0x20
#define BAD_LBA	       0x21
#define BAD_FIELD      0x24
#define READ_ERROR     0x11
#define REMOVAL_LOCKED 0x53

enum { DATA_LEAD_OUT = 0xaa };

/* --- status --------------------------------------------------------------------------------- */

static uint64_t total(const struct ide_drive *d)
{
	return blk_size(d->b) / ATAPI_SECTOR;
}

static bool medium(const struct ide_drive *d)
{
	return blk_present(d->b) && !atomic_load(&blk_tray(d->b)->open);
}

static void end(struct ide_drive *d)
{
	d->nsect.now = REASON_IO | REASON_CD;
	d->p.key = d->p.asc = d->p.ascq = 0;
	ide_end(d);
}

static void sense(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
	d->p.key = key;
	d->p.asc = asc;
	d->p.ascq = ascq;
	d->nsect.now = REASON_IO | REASON_CD;
	ide_fail(d, (uint8_t)(key << 4 | ER_ABRT));
}

static void bad_field(struct ide_drive *d)
{
	sense(d, ILLEGAL, BAD_FIELD, 0);
}

/* --- sending -------------------------------------------------------------------------------- */

static void send(struct ide_drive *d);

/* A block has gone to the host. */
static void sent(struct ide_drive *d)
{
	memmove(d->buf, d->buf + d->p.sent, d->p.reply - d->p.sent);
	d->p.reply -= d->p.sent;
	send(d);
}

static void filled(struct ide_drive *d, int rc)
{
	if (rc) {
		sense(d, rc == -ENOMEDIUM ? NOT_READY : MEDIUM_ERROR,
		      rc == -ENOMEDIUM ? NO_MEDIUM : READ_ERROR, 0);
		return;
	}
	d->at += d->req.len / ATAPI_SECTOR;
	d->count -= d->req.len / ATAPI_SECTOR;
	d->p.reply = (uint32_t)d->req.len;
	send(d);
}

static void refill(struct ide_drive *d)
{
	uint64_t len = MIN(d->count, (uint64_t)SECTORS_IN_BUF) * ATAPI_SECTOR;

	d->vec[0] = (struct iovec){d->buf, len};
	ide_request(d, BLK_READ, d->at * ATAPI_SECTOR, len, false, 1, filled);
}

/* The next block of what is in the buffer, or the end. */
static void send(struct ide_drive *d)
{
	uint32_t len = MIN(d->p.reply, d->p.limit);

	if (!d->p.reply && d->count) {
		refill(d);
		return;
	}
	if (!d->p.reply) {
		end(d);
		return;
	}
	/* Only the last block of a command may be odd (9.6). */
	if (len < d->p.reply || d->count)
		len &= ~1u;
	d->p.sent = len;
	d->lba[1].now = (uint8_t)len;
	d->lba[2].now = (uint8_t)(len >> 8);
	d->nsect.now = REASON_IO;
	ide_pio(d, len, true, sent);
	ide_irq(d);
}

/* len bytes of the buffer, of which the host wants `room` at most. */
static void reply(struct ide_drive *d, uint32_t len, uint32_t room)
{
	len = MIN(len, room);
	d->count = 0;
	if (!len) {
		end(d);
	} else if (d->p.dma) {
		d->dma = (struct ide_dma){.to_host = true, .left = len, .data = d->buf};
		ide_dma_begin(d);
	} else {
		d->p.reply = len;
		send(d);
	}
}

void atapi_dma_done(struct ide_drive *d, int rc)
{
	if (!rc)
		end(d);
	else if (rc == -ENOMEDIUM)
		sense(d, NOT_READY, NO_MEDIUM, 0);
	else
		sense(d, MEDIUM_ERROR, READ_ERROR, 0);
}

/* --- reading -------------------------------------------------------------------------------- */

static void read_sectors(struct ide_drive *d, uint32_t lba, uint32_t n)
{
	uint64_t all = total(d);

	if (lba > all || n > all - lba) {
		sense(d, ILLEGAL, BAD_LBA, 0);
		return;
	}
	if (!n) {
		end(d);
		return;
	}
	d->at = lba;
	d->count = n;
	d->p.reply = 0;
	if (d->p.dma) {
		d->dma = (struct ide_dma){.to_host = true,
					  .off = (uint64_t)lba * ATAPI_SECTOR,
					  .left = (uint64_t)n * ATAPI_SECTOR,
					  .unit = ATAPI_SECTOR};
		d->count = 0;
		ide_dma_begin(d);
	} else {
		refill(d);
	}
}

static void cmd_read10(struct ide_drive *d, const uint8_t *c)
{
	read_sectors(d, get_be32(c + 2), get_be16(c + 7));
}

static void cmd_read12(struct ide_drive *d, const uint8_t *c)
{
	read_sectors(d, get_be32(c + 2), get_be32(c + 6));
}

/* READ CD: user data of data sectors; there are no others (MMC-3 6.19). */
static void cmd_read_cd(struct ide_drive *d, const uint8_t *c)
{
	uint32_t n = (uint32_t)c[6] << 16 | get_be16(c + 7);

	if (!n || !(c[9] & 0xf8))
		end(d);
	else if ((c[9] & 0xf8) != 0x10)
		bad_field(d);
	else
		read_sectors(d, get_be32(c + 2), n);
}

static void cmd_capacity(struct ide_drive *d, const uint8_t *c)
{
	(void)c;
	put_be32(d->buf, (uint32_t)(total(d) ? total(d) - 1 : 0));
	put_be32(d->buf + 4, ATAPI_SECTOR);
	reply(d, 8, 8);
}

static void cmd_seek(struct ide_drive *d, const uint8_t *c)
{
	if (get_be32(c + 2) >= total(d))
		sense(d, ILLEGAL, BAD_LBA, 0);
	else
		end(d);
}

/* --- what is on it -------------------------------------------------------------------------- */

static uint8_t *put_address(uint8_t *p, bool msf, uint32_t lba)
{
	uint32_t frame = lba + 150;

	if (msf) {
		p[0] = 0;
		p[1] = (uint8_t)(frame / (75 * 60));
		p[2] = (uint8_t)(frame / 75 % 60);
		p[3] = (uint8_t)(frame % 75);
	} else {
		put_be32(p, lba);
	}
	return p + 4;
}

static uint8_t *track(uint8_t *p, uint8_t number, bool msf, uint32_t lba)
{
	*p++ = 0;
	*p++ = 0x14; /* data track */
	*p++ = number;
	*p++ = 0;
	return put_address(p, msf, lba);
}

/* One entry of the full table: session, adr and control, point, and three bytes of address. */
static uint8_t *full_entry(uint8_t *p, uint8_t point, const uint8_t address[3])
{
	*p++ = 1;
	*p++ = 0x14;
	*p++ = 0;
	*p++ = point;
	memset(p, 0, 4);
	p += 4;
	memcpy(p, address, 3);
	return p + 3;
}

static uint8_t *full_toc(struct ide_drive *d, uint8_t *p)
{
	uint8_t out[4], in[4];

	put_address(out, true, (uint32_t)total(d));
	put_address(in, true, 0);
	p = full_entry(p, 0xa0, (const uint8_t[]){1, 0, 0});
	p = full_entry(p, 0xa1, (const uint8_t[]){1, 0, 0});
	p = full_entry(p, 0xa2, out + 1);
	return full_entry(p, 1, in + 1);
}

/* One session with one data track (MMC-3 6.26). */
static void cmd_toc(struct ide_drive *d, const uint8_t *c)
{
	bool msf = c[1] & 2;
	uint8_t format = c[2] & 0x0f, *p = d->buf + 4;

	if (!format)
		format = c[9] >> 6;
	d->buf[2] = d->buf[3] = 1;
	switch (format) {
	case 0:
		if (c[6] > 1 && c[6] != DATA_LEAD_OUT) {
			bad_field(d);
			return;
		}
		if (c[6] <= 1)
			p = track(p, 1, msf, 0);
		p = track(p, DATA_LEAD_OUT, msf, (uint32_t)total(d));
		break;
	case 1:
		p = track(p, 1, msf, 0);
		break;
	case 2:
		p = full_toc(d, p);
		break;
	default:
		bad_field(d);
		return;
	}
	put_be16(d->buf, (uint16_t)(p - d->buf - 2));
	reply(d, (uint32_t)(p - d->buf), get_be16(c + 7));
}

static void cmd_disc_info(struct ide_drive *d, const uint8_t *c)
{
	if (c[1] & 7) {
		bad_field(d);
		return;
	}
	memset(d->buf, 0, 34);
	put_be16(d->buf, 32);
	d->buf[2] = 0x0e; /* complete, last session complete */
	d->buf[3] = d->buf[4] = d->buf[5] = d->buf[6] = 1;
	d->buf[7] = 0x20; /* unrestricted use */
	reply(d, 34, get_be16(c + 7));
}

/* --- what it is ----------------------------------------------------------------------------- */

static void cmd_inquiry(struct ide_drive *d, const uint8_t *c)
{
	if (c[1] & 1) {
		bad_field(d);
		return;
	}
	memset(d->buf, 0, 36);
	d->buf[0] = 5;	  /* CD-ROM */
	d->buf[1] = 0x80; /* removable */
	d->buf[3] = 0x21; /* ATAPI 2, answers in this layout */
	d->buf[4] = 31;
	memcpy(d->buf + 8, "VMWIRE  ", 8);
	memcpy(d->buf + 16, "DVD-ROM         ", 16);
	memcpy(d->buf + 32, "1.0 ", 4);
	reply(d, 36, get_be16(c + 3));
}

static void cmd_sense(struct ide_drive *d, const uint8_t *c)
{
	uint8_t key = d->p.key, asc = d->p.asc, ascq = d->p.ascq;

	memset(d->buf, 0, 18);
	d->buf[0] = 0x70;
	d->buf[2] = key;
	d->buf[7] = 10;
	d->buf[12] = asc;
	d->buf[13] = ascq;
	reply(d, 18, c[4]);
}

/* CD-ROM profile up to 80 minutes, else DVD-ROM (MMC-3 5.4.1, 6.5). */
static void cmd_configuration(struct ide_drive *d, const uint8_t *c)
{
	uint64_t n = medium(d) ? total(d) : 0;
	bool dvd = n > 80ull * 60 * 75;
	unsigned rt = c[1] & 3, start = get_be16(c + 2);
	/* Profiles DVD-ROM and CD-ROM; core: ATAPI; removable: tray, lock, eject. */
	static const uint8_t profiles[12] = {0, 0, 3, 8, 0, 0x10, 0, 0, 0, 0x08, 0, 0};
	static const uint8_t core[8] = {0, 1, 3, 4, 0, 0, 0, 2};
	static const uint8_t removable[8] = {0, 3, 3, 4, 0x29, 0, 0, 0};
	uint8_t *p = d->buf + 8;

	if (rt == 3) {
		bad_field(d);
		return;
	}
	memset(d->buf, 0, 64);
	put_be16(d->buf + 6, !n ? 0 : dvd ? 0x10 : 0x08);
	if (start == 0) {
		memcpy(p, profiles, sizeof(profiles));
		p[6] = n && dvd;
		p[10] = n && !dvd;
		p += sizeof(profiles);
	}
	if (rt == 2 ? start == 1 : start <= 1) {
		memcpy(p, core, sizeof(core));
		p += sizeof(core);
	}
	if (rt == 2 ? start == 3 : start <= 3) {
		memcpy(p, removable, sizeof(removable));
		p += sizeof(removable);
	}
	put_be32(d->buf, (uint32_t)(p - d->buf - 4));
	reply(d, (uint32_t)(p - d->buf), get_be16(c + 7));
}

/* Polled events of class 4, media (MMC-3 6.6). */
static void cmd_event(struct ide_drive *d, const uint8_t *c)
{
	struct blk_tray *t = blk_tray(d->b);
	uint8_t event = 0;

	if (!(c[1] & 1)) {
		bad_field(d);
		return;
	}
	memset(d->buf, 0, 8);
	d->buf[3] = 0x10; /* classes there are */
	if (!(c[4] & 0x10)) {
		put_be16(d->buf, 2);
		d->buf[2] = 0x80;
		reply(d, 4, get_be16(c + 7));
		return;
	}
	if (atomic_exchange(&t->asked, false))
		event = 1; /* eject request */
	else if (d->p.changed)
		event = medium(d) ? 2 : 3; /* new medium, medium removed */
	if (event > 1)
		d->p.changed = false;
	put_be16(d->buf, 6);
	d->buf[2] = 4;
	d->buf[4] = event;
	d->buf[5] = (uint8_t)((medium(d) ? 2 : 0) | (atomic_load(&t->open) ? 1 : 0));
	reply(d, 8, get_be16(c + 7));
}

/* Pages 1 (errors) and 2a (capabilities). len: of the header. */
static uint32_t mode_pages(struct ide_drive *d, uint8_t page, uint32_t len)
{
	uint8_t *p = d->buf + len;

	memset(d->buf, 0, 64);
	if (page == 0x01 || page == 0x3f) {
		p[0] = 0x01;
		p[1] = 6;
		p[3] = 5; /* retries */
		p += 8;
	}
	if (page == 0x2a || page == 0x3f) {
		p[0] = 0x2a;
		p[1] = 0x12;
		p[2] = 0x0b; /* reads CD-R, CD-RW, DVD-ROM */
		p[4] = 0x71;
		p[5] = 0x60;
		/* Lock, eject, a tray; locked just now. */
		p[6] = (uint8_t)(0x29 | (atomic_load(&blk_tray(d->b)->locked) ? 2 : 0));
		put_be16(p + 8, 11080); /* 64 × */
		put_be16(p + 10, 2);
		put_be16(p + 12, 2048);
		put_be16(p + 14, 11080);
		p += 20;
	}
	return (uint32_t)(p - d->buf);
}

static void cmd_mode_sense10(struct ide_drive *d, const uint8_t *c)
{
	uint32_t len = mode_pages(d, c[2] & 0x3f, 8);

	if (len == 8 || c[2] >> 6 == 3) {
		bad_field(d);
		return;
	}
	put_be16(d->buf, (uint16_t)(len - 2));
	d->buf[2] = medium(d) ? 0x01 : 0x70;
	reply(d, len, get_be16(c + 7));
}

static void cmd_mode_sense6(struct ide_drive *d, const uint8_t *c)
{
	uint32_t len = mode_pages(d, c[2] & 0x3f, 4);

	if (len == 4 || c[2] >> 6 == 3) {
		bad_field(d);
		return;
	}
	d->buf[0] = (uint8_t)(len - 1);
	d->buf[1] = medium(d) ? 0x01 : 0x70;
	reply(d, len, c[4]);
}

static void cmd_mechanism(struct ide_drive *d, const uint8_t *c)
{
	memset(d->buf, 0, 8);
	d->buf[1] = atomic_load(&blk_tray(d->b)->open) ? 0x10 : 0;
	d->buf[5] = 1;
	reply(d, 8, get_be16(c + 8));
}

/* --- medium --------------------------------------------------------------------------------- */

static void cmd_lock(struct ide_drive *d, const uint8_t *c)
{
	atomic_store(&blk_tray(d->b)->locked, c[4] & 1);
	end(d);
}

static void cmd_start_stop(struct ide_drive *d, const uint8_t *c)
{
	struct blk_tray *t = blk_tray(d->b);

	if (c[4] & 2) {
		bool open = !(c[4] & 1);

		if (open && !atomic_load(&t->open) && atomic_load(&t->locked)) {
			sense(d, medium(d) ? ILLEGAL : NOT_READY, REMOVAL_LOCKED, 2);
			return;
		}
		if (atomic_exchange(&t->open, open) && !open)
			d->p.changed = true;
	}
	end(d);
}

static void cmd_ok(struct ide_drive *d, const uint8_t *c)
{
	(void)c;
	end(d);
}

/* --- packets -------------------------------------------------------------------------------- */

#define ANY   1u /* also while a change of the medium has not been told of */
#define MEDIA 2u /* only with a medium */

static const struct {
	uint8_t op, flags;
	void (*fn)(struct ide_drive *d, const uint8_t *c);
} packets[] = {
	{0x00, MEDIA, cmd_ok}, /* TEST UNIT READY */
	{0x03, ANY, cmd_sense},	     {0x12, ANY, cmd_inquiry},
	{0x1a, 0, cmd_mode_sense6},  {0x1b, 0, cmd_start_stop},
	{0x1e, 0, cmd_lock},	     {0x25, MEDIA, cmd_capacity},
	{0x28, MEDIA, cmd_read10},   {0x2b, MEDIA, cmd_seek},
	{0x43, MEDIA, cmd_toc},	     {0x46, ANY, cmd_configuration},
	{0x4a, ANY, cmd_event},	     {0x51, MEDIA, cmd_disc_info},
	{0x5a, 0, cmd_mode_sense10}, {0xa8, MEDIA, cmd_read12},
	{0xbb, 0, cmd_ok}, /* SET CD SPEED */
	{0xbd, 0, cmd_mechanism},    {0xbe, MEDIA, cmd_read_cd},
};

/* Has the medium been changed? Then attention is due. */
static bool attention(struct ide_drive *d)
{
	unsigned now = blk_media(d->b);

	if (now == d->p.media)
		return false;
	d->p.media = now;
	d->p.changed = true;
	return medium(d);
}

/* All 12 bytes are there; they are copied, as the buffer is the answer's as well. */
static void packet(struct ide_drive *d)
{
	uint8_t c[PACKET_LEN];

	memcpy(c, d->buf, sizeof(c));
	for (unsigned i = 0; i < ARRAY_SIZE(packets); i++) {
		if (packets[i].op != c[0])
			continue;
		if (!(packets[i].flags & ANY) && attention(d))
			sense(d, ATTENTION, CHANGED, 0);
		else if (packets[i].flags & MEDIA && !medium(d))
			sense(d, NOT_READY, NO_MEDIUM, 0);
		else
			packets[i].fn(d, c);
		return;
	}
	sense(d, ILLEGAL, BAD_COMMAND, 0);
}

static void cmd_packet(struct ide_drive *d)
{
	uint32_t limit = d->lba[1].now | (uint32_t)d->lba[2].now << 8;

	/* Overlapped commands are not there. */
	if (d->feature.now & 2) {
		ide_fail(d, ER_ABRT);
		return;
	}
	d->p.dma = d->feature.now & 1;
	/* 0 is taken for much, an odd limit for the even one below it, all ones for fffe (9.6). */
	d->p.limit = limit == 0 || limit == 0xffff ? 0xfffe : limit == 1 ? 2 : limit & ~1u;
	d->count = 0;
	d->nsect.now = REASON_CD;
	ide_pio(d, PACKET_LEN, false, packet);
}

static void identify_read(struct ide_drive *d)
{
	d->status = ST_DRDY | ST_DSC;
}

void atapi_reset(struct ide_drive *d)
{
	d->count = 0;
	d->p.reply = d->p.sent = 0;
	d->p.key = d->p.asc = d->p.ascq = 0;
	atomic_store(&blk_tray(d->b)->locked, false);
}

void atapi_command(struct ide_drive *d, uint8_t cmd)
{
	switch (cmd) {
	case 0xa0:
		cmd_packet(d);
		break;
	case 0xa1:
		atapi_identify(d);
		ide_pio(d, BLK_SECTOR, true, identify_read);
		ide_irq(d);
		break;
	case 0x08: /* DEVICE RESET: no interrupt */
		ide_dma_cancel(d);
		ide_signature(d);
		atapi_reset(d);
		break;
	case 0xec: /* IDENTIFY DEVICE, READ SECTORS: tell what it is by the signature (8.16, 8.34)
		    */
	case 0x20:
		ide_signature(d);
		d->status = ST_DRDY;
		ide_fail(d, ER_ABRT);
		break;
	case 0xef:
		if (d->feature.now == 0x03 && d->nsect.now >= 0x20)
			d->xfer = d->nsect.now;
		ide_end(d);
		break;
	case 0xe5:
		d->nsect.now = 0xff;
		ide_end(d);
		break;
	case 0xe0:
	case 0xe1:
	case 0xe6:
		ide_end(d);
		break;
	default:
		ide_fail(d, ER_ABRT);
		break;
	}
}
