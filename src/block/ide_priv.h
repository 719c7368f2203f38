/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the IDE controller share: ide.c has ports and reset, ide_dma.c the bus
 * master, ata.c the disks' commands, atapi.c the CD drives', ide_identify.c what they say of
 * themselves. Everything is under the bus lock. Numbers of sections are those of ATA/ATAPI-6
 * (T13/1410D).
 */
#ifndef BLOCK_IDE_PRIV_H
#define BLOCK_IDE_PRIV_H

#include "block/ide.h"

/* Status register (7.15) */
#define ST_ERR	0x01u
#define ST_DRQ	0x08u
#define ST_DSC	0x10u /* seek complete, of old */
#define ST_DRDY 0x40u
#define ST_BSY	0x80u
/* Error register (7.9) */
#define ER_ABRT 0x04u
#define ER_IDNF 0x10u
#define ER_UNC	0x40u
/* Device register (7.7) */
#define DEV_UNIT 0x10u
#define DEV_LBA	 0x40u
/* Interrupt reason (9.6): the sector count register of a packet command */
#define REASON_CD 0x01u
#define REASON_IO 0x02u

#define IDE_BUF	     65536u /* bytes that a drive's programmed transfers go through */
#define IDE_MULT     16u    /* sectors of a block of READ/WRITE MULTIPLE, at most */
#define IDE_VECS     1024u
#define ATAPI_SECTOR 2048u
#define PACKET_LEN   12u

struct ide_drive;
typedef void ide_fn(struct ide_drive *d);

/* A register and what was in it before (48-bit addressing, 6.20). */
struct ide_reg {
	uint8_t now, before;
};

struct ide_dma {
	bool wanted;  /* a command waits for the bus master, or is served by it */
	bool to_host; /* drive to memory */
	uint64_t off; /* bytes of the image, the next to be moved */
	uint64_t left;
	uint32_t unit;	     /* bytes: every transfer is a multiple of these */
	const uint8_t *data; /* to_host: these bytes, and not the image's; NULL: the image's */
	bool fua;
};

struct ide_drive {
	struct ide_channel *c;
	unsigned unit;
	struct blk *b; /* NULL: no drive */
	bool cdrom;
	char serial[21];
	uint64_t sectors; /* of 512 bytes; disks */

	/* task file */
	uint8_t status, error, device;
	struct ide_reg feature, nsect, lba[3];
	bool irq; /* the drive asserts INTRQ */

	/* settings */
	uint8_t mult; /* sectors of a block; 0: READ MULTIPLE is off */
	uint8_t xfer; /* transfer mode as set, e.g. 0x42: Ultra DMA 2 */
	bool cache, smart;
	uint16_t heads, spt; /* translation set by INITIALIZE DEVICE PARAMETERS */

	/* the command under way */
	uint64_t at;	/* next sector */
	uint64_t count; /* sectors left */
	uint8_t block;	/* sectors of a block */
	bool lba48, fua;
	struct ide_dma dma;

	/* programmed transfer: DRQ is set while pos < len */
	uint32_t pos, len;
	bool in; /* the host reads */
	ide_fn *after;

	/* request under way */
	struct blk_queue bq;
	struct blk_req req;
	bool busy;
	void (*done)(struct ide_drive *d, int rc);
	struct iovec vec[IDE_VECS];

	/* packet commands */
	struct {
		uint8_t cdb[PACKET_LEN];
		uint8_t key, asc, ascq; /* sense */
		bool dma;
		uint32_t limit; /* bytes of a block, from the byte count registers */
		uint32_t reply; /* bytes of buf to be sent, sent so far */
		uint32_t sent;
		unsigned media; /* last seen */
		bool changed;	/* and not reported as an event yet */
	} p;
	uint8_t *buf; /* IDE_BUF bytes */
};

/* Where the bus master is in its table (Programming Interface for Bus Master IDE, rev. 1.0). */
struct prd {
	uint32_t table;
	unsigned index; /* next entry */
	uint32_t addr, left;
	bool last; /* the entry that is left is the last */
};

struct ide_channel {
	struct ide *x;
	unsigned n;
	struct ide_drive drive[IDE_UNITS];
	uint8_t control; /* device control register */
	unsigned selected;
	bool line; /* what the interrupt controller was told */
	struct io_region cmd_io, ctl_io;
	/* bus master */
	uint8_t bm_cmd, bm_status;
	uint32_t bm_table;
	struct prd prd;
};

struct ide {
	struct pci_dev pci;
	struct bus *bus;
	const struct guest_mem *mem;
	struct loop *control;
	void (*set_irq)(void *opaque, unsigned irq, bool level);
	void *opaque;
	struct ide_channel ch[IDE_CHANNELS];
};

/* ide.c */
void ide_irq(struct ide_drive *d);		   /* asserts INTRQ */
void ide_end(struct ide_drive *d);		   /* command done: DRDY, interrupt */
void ide_fail(struct ide_drive *d, uint8_t error); /* command failed: interrupt */
void ide_pio(struct ide_drive *d, uint32_t len, bool in, ide_fn *after); /* DRQ; no interrupt */
/* Hands the request to the disk, BSY meanwhile; done() comes under the bus lock. */
void ide_request(struct ide_drive *d, enum blk_op op, uint64_t off, uint64_t len, bool fua,
		 unsigned nvec, void (*done)(struct ide_drive *d, int rc));
void ide_signature(struct ide_drive *d); /* 9.12: after reset */

/* ide_dma.c */
extern const struct io_ops ide_bm_io;
/* The command's data, d->dma, goes by the bus master as soon as that is started. */
void ide_dma_begin(struct ide_drive *d);
void ide_dma_cancel(struct ide_drive *d);
void ide_dma_reset(struct ide_channel *c);
/* Describes up to `want` bytes at the bus master's place in vec; *got of them, a multiple of unit.
 * -EFAULT: the table or what it names is not memory. Less than want: the vec is full or (*got may
 * be 0) the table has ended. */
int ide_prd_fill(struct prd *p, const struct guest_mem *mem, uint64_t want, uint32_t unit,
		 struct iovec *vec, unsigned max, unsigned *nvec, uint64_t *got);

/* ata.c, atapi.c */
void ata_command(struct ide_drive *d, uint8_t cmd);
void ata_dma_done(struct ide_drive *d, int rc);
void atapi_command(struct ide_drive *d, uint8_t cmd);
void atapi_dma_done(struct ide_drive *d, int rc);
void atapi_reset(struct ide_drive *d);

/* ide_identify.c: fills d->buf's first 512 bytes. */
void ata_identify(struct ide_drive *d);
void atapi_identify(struct ide_drive *d);

#endif
