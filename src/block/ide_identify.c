/* SPDX-License-Identifier: BSD-2-Clause */
/* What drives say of themselves: IDENTIFY DEVICE and IDENTIFY PACKET DEVICE (8.16, 8.17). */
#include <string.h>

#include "base/util.h"
#include "block/ide_priv.h"

#define HEADS	 16u
#define SPT	 63u
#define CYLS_MAX 16383u

static void word(struct ide_drive *d, unsigned n, unsigned val)
{
	put_le16(d->buf + 2 * n, (uint16_t)val);
}

static void words32(struct ide_drive *d, unsigned n, uint64_t val)
{
	put_le32(d->buf + 2 * n, (uint32_t)val);
}

/* Text of n words, padded with blanks, the first character of a pair in the high byte. */
static void text(struct ide_drive *d, unsigned at, unsigned n, const char *s)
{
	size_t len = strlen(s);

	for (unsigned i = 0; i < 2 * n; i++)
		d->buf[2 * at + (i ^ 1)] = i < len ? (uint8_t)s[i] : ' ';
}

/* Modes by their bit, and the one that is set. xfer: 0x20 … multiword, 0x40 … ultra. */
static void modes(struct ide_drive *d)
{
	word(d, 63, 0x07 | (d->xfer < 0x40 ? 0x100u << (d->xfer & 7) : 0));
	word(d, 64, 0x03); /* PIO 3 and 4 */
	for (unsigned i = 65; i <= 68; i++)
		word(d, i, 120); /* ns of a cycle */
	word(d, 88, 0x3f | (d->xfer >= 0x40 ? 0x100u << (d->xfer & 7) : 0));
	/* Reset result: the 80-wire cable is there. */
	word(d, 93, 0x600b | (d->unit ? 0x0800 : 0) | 0x2000);
}

static void checksum(struct ide_drive *d)
{
	uint8_t sum = 0;

	d->buf[510] = 0xa5;
	for (unsigned i = 0; i < 511; i++)
		sum += d->buf[i];
	d->buf[511] = (uint8_t)-sum;
}

static void geometry(struct ide_drive *d)
{
	uint64_t cyls = MIN(d->sectors / (HEADS * SPT), (uint64_t)CYLS_MAX);
	uint64_t cur = MIN(d->sectors / ((uint64_t)d->heads * d->spt), 65535ull);

	word(d, 1, (unsigned)cyls);
	word(d, 3, HEADS);
	word(d, 6, SPT);
	word(d, 54, (unsigned)cur);
	word(d, 55, d->heads);
	word(d, 56, d->spt);
	words32(d, 57, cur * d->heads * d->spt);
	words32(d, 60, MIN(d->sectors, 0x0fffffffull));
	words32(d, 100, d->sectors);
	words32(d, 102, d->sectors >> 32);
}

void ata_identify(struct ide_drive *d)
{
	unsigned set1 = 0x4000 | 1u << 14 | 1u << 5 | 1u;	 /* NOP, write cache, SMART */
	unsigned set2 = 0x4000 | 1u << 13 | 1u << 12 | 1u << 10; /* flush, flush ext, 48 bit */

	memset(d->buf, 0, BLK_SECTOR);
	word(d, 0, 0x0040); /* fixed disk */
	geometry(d);
	text(d, 10, 10, d->serial);
	text(d, 23, 4, "1.0");
	text(d, 27, 20, "vmwire harddisk");
	word(d, 47, 0x8000 | IDE_MULT);
	word(d, 48, 1);	     /* 32-bit data port */
	word(d, 49, 0x0f00); /* DMA, LBA, IORDY */
	word(d, 50, 0x4000);
	word(d, 51, 0x0200);
	word(d, 53, 7); /* words 54–58, 64–70, 88 are valid */
	word(d, 59, d->mult ? 0x100u | d->mult : 0);
	modes(d);
	word(d, 80, 0x70); /* ATA-4 to ATA-6 */
	word(d, 82, set1);
	word(d, 83, set2);
	word(d, 84, 0x4000 | 1u << 6); /* write FUA */
	word(d, 85, (set1 & ~0x21u) | (d->cache ? 1u << 5 : 0) | (d->smart ? 1u : 0));
	word(d, 86, set2 & ~0x4000u);
	word(d, 87, 0x4000 | 1u << 6);
	checksum(d);
}

void atapi_identify(struct ide_drive *d)
{
	memset(d->buf, 0, BLK_SECTOR);
	/* Packet device, CD-ROM, removable, DRQ within 50 µs of the packet command, 12 bytes. */
	word(d, 0, 0x85c0);
	text(d, 10, 10, d->serial);
	text(d, 23, 4, "1.0");
	text(d, 27, 20, "vmwire DVD-ROM");
	word(d, 48, 1);
	word(d, 49, 0x0f00);
	word(d, 53, 6);
	modes(d);
	word(d, 71, 30); /* ns: release after PACKET, BSY after SERVICE */
	word(d, 72, 30);
	word(d, 80, 0x70);
	word(d, 82, 1u << 14 | 1u << 9 | 1u << 4); /* NOP, DEVICE RESET, PACKET */
	word(d, 83, 0x4000);
	word(d, 84, 0x4000);
	word(d, 85, 1u << 14 | 1u << 9 | 1u << 4);
	word(d, 87, 0x4000);
	checksum(d);
}
