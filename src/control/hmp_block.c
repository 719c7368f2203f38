/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's commands on disks: info block, eject, change. */
#include <inttypes.h>
#include <string.h>

#include "control/hmp.h"
#include "control/hmp_display.h"

static const char *const cache_names[] = {"writeback", "none", "writethrough", "directsync",
					  "unsafe"};

static void print_disk(struct hmp *h, struct blk *b)
{
	const struct blk_tray *t = blk_tray(b);
	struct blk_info i;

	blk_info(b, &i);
	if (i.present)
		hmp_print(h, "%s: %s (%s%s)\n", blk_id(b), i.file, i.format,
			  i.readonly ? ", read-only" : "");
	else
		hmp_print(h, "%s: [not inserted]\n", blk_id(b));
	if (blk_cdrom(b))
		hmp_print(h, "    Removable device: %slocked, tray %s\n", t->locked ? "" : "not ",
			  t->open ? "open" : "closed");
	if (i.present)
		hmp_print(h, "    Cache mode:       %s\n    Size:             %" PRIu64 " MiB\n",
			  cache_names[i.cache], i.size >> 20);
	hmp_print(h,
		  "    Requests:         %" PRIu64 " read, %" PRIu64 " written, %" PRIu64
		  " flushed, %" PRIu64 " failed\n",
		  i.count[BLK_READ], i.count[BLK_WRITE] + i.count[BLK_ZERO], i.count[BLK_FLUSH],
		  i.failed);
}

static void info_block(struct hmp *h, int argc, char **argv)
{
	struct vm *vm = hmp_vm(h);
	bool found = false;

	for (unsigned i = 0; i < vm->conf->ndrives; i++) {
		if (argc < 2 || !strcmp(argv[1], vm->conf->drive[i].o.id)) {
			print_disk(h, vm->blk[i]);
			found = true;
		}
	}
	if (!found)
		hmp_print(h, "%s%s\n", argc < 2 ? "no disks: -drive adds one" : argv[1],
			  argc < 2 ? "" : " is not there: info block shows the names");
}

static void eject(struct hmp *h, int argc, char **argv)
{
	bool force = argc > 2 && !strcmp(argv[1], "-f");
	struct err e;

	if (vm_block_eject(hmp_vm(h), argv[force ? 2 : 1], force, &e))
		hmp_print(h, "%s\n", e.text);
}

static void change(struct hmp *h, int argc, char **argv)
{
	struct err e;

	if (!strcmp(argv[1], "vnc")) {
		hmp_change_vnc(h, argc, argv);
		return;
	}
	if (vm_block_change(hmp_vm(h), argv[1], argv[2], argc > 3 ? argv[3] : NULL, &e))
		hmp_print(h, "%s\n", e.text);
}

static void offer_drives(struct mon_offer *o, unsigned word)
{
	const struct config *c = o->vm->conf;

	for (unsigned i = 0; word == 1 && i < c->ndrives; i++)
		o->word(o, c->drive[i].o.id);
}

const struct mon_cmd hmp_block_cmds[] = {
	{"eject", "[-f] drive", "take the medium out of a CD drive; -f: also when it is locked", 1,
	 eject, .complete = offer_drives},
	{"change", "drive file [format] | vnc password text",
	 "put another medium into a CD drive, or set the VNC server's password", 2, change,
	 .complete = offer_drives},
	{"info block", "[drive]", "the disks: images, media, counters", 0, info_block,
	 .complete = offer_drives},
	{NULL},
};
