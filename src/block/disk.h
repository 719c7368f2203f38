/* SPDX-License-Identifier: BSD-2-Clause */
/* Disk devices, as -device has them: one const struct disk_model each, listed in disk.c. */
#ifndef BLOCK_DISK_H
#define BLOCK_DISK_H

#include "base/err.h"
#include "base/opt.h"
#include "block/block.h"
#include "bus/pci.h"

#define DISK_QUEUES 8u

struct ide;

/* What every disk device is made from; the first member of each model's option struct. */
struct disk_conf {
	char *id;     /* NULL: made up */
	char *drive;  /* id= of a -drive */
	char *serial; /* NULL: the drive's, or made up */
};

/* The struct of a device on the IDE controller. */
struct ide_opts {
	struct disk_conf disk;
	int bus;       /* 0: not given, then "ide.0", "ide.1" */
	uint32_t unit; /* IDE_AUTO: not given */
};
#define IDE_AUTO UINT32_MAX

struct disk_model {
	const char *name;
	const char *const *aliases; /* NULL-terminated; may be NULL */
	const char *summary;
	const struct opt_table *opts;
	bool ide; /* on the IDE controller, opts is a struct ide_opts; else create() makes a card */
	bool cdrom;
	unsigned (*queues)(const void *opts); /* loops that create() wants; NULL: one */
	/* Makes the card for disk b and plugs it into the bus, which owns it. Its queues live on
	 * loops[0 … queues - 1], which are not running yet. Errors name the option. */
	int (*create)(const void *opts, struct blk *b, struct pci_bus *bus, struct loop **loops,
		      struct err *e);
};

/* NULL-terminated. */
const struct disk_model *const *disk_models(void);
const struct disk_model *disk_model_find(const char *name); /* name or alias */

extern const struct disk_model virtio_blk_model, ide_hd_model, ide_cd_model;

/* Row of an option that QEMU's device has and this one has not: why, and what to do. */
#define DISK_OPT_MISSING(name_, help_)                                                             \
	{                                                                                          \
		.name = (name_), .type = OPT_STR, .arg = "value", .help = (help_),                 \
		.missing = (help_)                                                                 \
	}

/* The options of every disk device; the table's struct begins with struct disk_conf. */
#define DISK_OPTS                                                                                  \
	{.name = "id",                                                                             \
	 .type = OPT_STR,                                                                          \
	 .off = offsetof(struct disk_conf, id),                                                    \
	 .arg = "name",                                                                            \
	 .help = "name in the monitor (default: the drive's)"},                                    \
		{.name = "drive",                                                                  \
		 .type = OPT_STR,                                                                  \
		 .off = offsetof(struct disk_conf, drive),                                         \
		 .arg = "id",                                                                      \
		 .help = "the -drive if=none that is in it"},                                      \
	{                                                                                          \
		.name = "serial", .type = OPT_STR, .off = offsetof(struct disk_conf, serial),      \
		.arg = "text", .help = "serial number that the guest reads (default: the drive's)" \
	}

#endif
