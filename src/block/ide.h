/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IDE controller of the PIIX3 (82371SB, function 1): two channels of two drives at the ports
 * every PC has them, programmed transfers and bus-master DMA.
 */
#ifndef BLOCK_IDE_H
#define BLOCK_IDE_H

#include "block/block.h"
#include "bus/pci.h"

#define IDE_CHANNELS 2u
#define IDE_UNITS    2u

struct ide;

/*
 * Makes the controller at 00:01.1; the bus owns and frees it. set_irq drives ISA interrupt 14 or
 * 15, under the bus lock. Requests of the drives are finished on `control`.
 */
struct ide *ide_new(struct pci_bus *bus, struct loop *control,
		    void (*set_irq)(void *opaque, unsigned irq, bool level), void *opaque,
		    struct err *e);

/* Disk b (a CD drive when blk_cdrom()) becomes unit 0 or 1 of channel 0 or 1, where nothing is
 * yet. serial: at most 20 characters, NULL: made up. Before the guest runs. */
int ide_plug(struct ide *x, unsigned channel, unsigned unit, struct blk *b, const char *serial,
	     struct err *e);

#endif
