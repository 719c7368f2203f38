/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of disk devices. */
#include "block/disk.h"

#include <stddef.h>
#include <string.h>

static const char *const bus_names[] = {"", "ide.0", "ide.1", NULL};

static const struct opt ide_opt_list[] = {
	DISK_OPTS,
	{.name = "bus",
	 .type = OPT_ENUM,
	 .off = offsetof(struct ide_opts, bus),
	 .names = bus_names,
	 .arg = "ide.0|ide.1",
	 .help = "channel (default: the first with a free place)"},
	{.name = "unit",
	 .type = OPT_U32,
	 .off = offsetof(struct ide_opts, unit),
	 .max = 1,
	 .arg = "0|1",
	 .help = "place on the channel (default: the first free)"},
	DISK_OPT_MISSING("bootindex", "boot from a disk is not there yet: leave bootindex= out"),
	DISK_OPT_MISSING("model", "not there yet: leave model= out"),
	DISK_OPT_MISSING("ver", "not there yet: leave ver= out"),
	DISK_OPT_MISSING("wwn", "not there yet: leave wwn= out"),
	DISK_OPT_MISSING("write-cache", "not there yet: give cache= of the -drive"),
	{0},
};

static void ide_defaults(void *out)
{
	((struct ide_opts *)out)->unit = IDE_AUTO;
}

static const struct opt_table hd_table = {
	"ide-hd",     "disk on the IDE controller", NULL,
	ide_opt_list, sizeof(struct ide_opts),	    ide_defaults,
};
static const struct opt_table cd_table = {
	"ide-cd",     "CD drive on the IDE controller", NULL,
	ide_opt_list, sizeof(struct ide_opts),		ide_defaults,
};

const struct disk_model ide_hd_model = {
	.name = "ide-hd",
	.summary = "disk on the IDE controller",
	.opts = &hd_table,
	.ide = true,
};
const struct disk_model ide_cd_model = {
	.name = "ide-cd",
	.summary = "CD drive on the IDE controller; without drive= it is empty",
	.opts = &cd_table,
	.ide = true,
	.cdrom = true,
};

static const struct disk_model *const models[] = {&virtio_blk_model, &ide_hd_model, &ide_cd_model,
						  NULL};

const struct disk_model *const *disk_models(void)
{
	return models;
}

const struct disk_model *disk_model_find(const char *name)
{
	for (unsigned i = 0; models[i]; i++) {
		if (!strcmp(models[i]->name, name))
			return models[i];
		for (const char *const *a = models[i]->aliases; a && *a; a++) {
			if (!strcmp(*a, name))
				return models[i];
		}
	}
	return NULL;
}
