/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Assembly of the disks: images are opened before the machine is made, as a wrong name is the
 * likeliest mistake; then drives get their places. The IDE controller is there when something is
 * joined to it. A virtio disk has an event loop for each of its queues.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "control/cmdline.h"
#include "control/vm.h"

static const enum blk_cache caches[] = {BLK_WRITEBACK, BLK_NONE, BLK_WRITETHROUGH, BLK_DIRECTSYNC,
					BLK_UNSAFE};

void vm_block_conf(const struct conf_drive *d, struct blk_conf *c)
{
	const struct drive_opts *o = &d->o;

	*c = (struct blk_conf){
		.what = d->what,
		.file = o->file && *o->file ? o->file : NULL,
		.format = o->format,
		.readonly = o->readonly,
		.snapshot = o->snapshot,
		.cdrom = o->media == DRIVE_CDROM,
		.discard = o->discard % 2, /* unmap, on */
		.cache = caches[o->cache],
	};
}

int vm_block_open(struct vm *vm, struct err *e)
{
	vm->blk = calloc(MAX(vm->conf->ndrives, 1u), sizeof(struct blk *));
	if (!vm->blk)
		return err_set(e, ENOMEM, "disks: out of memory");
	for (unsigned i = 0; i < vm->conf->ndrives; i++) {
		const struct conf_drive *d = &vm->conf->drive[i];
		struct blk_conf c;

		if (!d->used)
			log_warn("%s: %s is joined to nothing: a -device with drive=%s would",
				 d->what, d->o.id, d->o.id);
		vm_block_conf(d, &c);
		vm->blk[i] = blk_new(d->o.id, &c, e);
		if (!vm->blk[i])
			return -e->code;
	}
	return 0;
}

/* --- places --------------------------------------------------------------------------------- */

static int plug_ide(struct vm *vm, const char *what, unsigned bus, unsigned unit, struct blk *b,
		    const char *serial, struct err *e)
{
	int rc;

	if (!vm->ide) {
		vm->ide = ide_new(machine_pci(vm->machine), vm->control, machine_isa_irq,
				  vm->machine, e);
		if (!vm->ide)
			return err_prefix(e, "%s", what);
	}
	rc = ide_plug(vm->ide, bus, unit, b, serial, e);
	return rc ? err_prefix(e, "%s", what) : 0;
}

static int add_loops(struct vm *vm, const char *id, struct loop **loops, unsigned n, struct err *e)
{
	for (unsigned q = 0; q < n; q++) {
		struct loop **grown =
			realloc(vm->disk_loops, (vm->ndisk_loops + 1) * sizeof(struct loop *));
		char name[16];

		if (!grown)
			return err_set(e, ENOMEM, "%s: out of memory", id);
		vm->disk_loops = grown;
		snprintf(name, sizeof(name), "%.11s/%u", id, q % DISK_QUEUES);
		loops[q] = vm_loop_add(vm, name, e);
		if (!loops[q])
			return -e->code;
		grown[vm->ndisk_loops++] = loops[q];
	}
	return 0;
}

static int make_card(struct vm *vm, const char *what, const struct disk_model *m, const void *opts,
		     struct blk *b, struct err *e)
{
	struct loop *loops[DISK_QUEUES];
	unsigned n = m->queues ? m->queues(opts) : 1;
	int rc = add_loops(vm, blk_id(b), loops, n, e);

	if (!rc)
		rc = m->create(opts, b, machine_pci(vm->machine), loops, e);
	return rc ? err_prefix(e, "%s", what) : 0;
}

/* -drive if=virtio: the card with its defaults. */
static int make_virtio(struct vm *vm, const struct conf_drive *d, struct blk *b, struct err *e)
{
	const struct disk_model *m = &virtio_blk_model;
	void *opts = calloc(1, m->opts->size);
	int rc;

	if (!opts)
		return err_set(e, ENOMEM, "%s: out of memory", d->what);
	opt_init(m->opts, opts);
	rc = d->o.serial ? cmd_keep(&((struct disk_conf *)opts)->serial, d->o.serial, e) : 0;
	if (!rc)
		rc = make_card(vm, d->what, m, opts, b, e);
	opt_free(m->opts, opts);
	free(opts);
	return rc;
}

static int make_device(struct vm *vm, struct conf_disk *k, struct err *e)
{
	struct disk_conf *conf = k->opts;
	const struct conf_drive *d = k->has_drive ? &vm->conf->drive[k->drive] : NULL;
	struct blk *b = k->has_drive ? vm->blk[k->drive] : NULL;

	if (d && d->o.serial && !conf->serial && cmd_keep(&conf->serial, d->o.serial, e))
		return -ENOMEM;
	return make_card(vm, k->what, k->model, conf, b, e);
}

int vm_block_make(struct vm *vm, struct err *e)
{
	const struct config *c = vm->conf;
	int rc = 0;

	/* Those on the IDE controller have become drives with a place. */
	for (unsigned i = 0; !rc && i < c->ndisks; i++) {
		if (!c->disk[i].model->ide)
			rc = make_device(vm, &c->disk[i], e);
	}
	for (unsigned i = 0; !rc && i < c->ndrives; i++) {
		const struct conf_drive *d = &c->drive[i];

		if (d->o.iface == DRIVE_IDE)
			rc = plug_ide(vm, d->what, d->o.bus, d->o.unit, vm->blk[i], d->o.serial, e);
		else if (d->o.iface == DRIVE_VIRTIO)
			rc = make_virtio(vm, d, vm->blk[i], e);
	}
	return rc;
}

void vm_block_close(struct vm *vm)
{
	for (unsigned i = 0; vm->blk && i < vm->conf->ndrives; i++)
		blk_free(vm->blk[i]);
	free(vm->blk);
	free(vm->disk_loops);
	vm->blk = NULL;
	vm->disk_loops = NULL;
}

bool vm_block_has_loop(const struct vm *vm, const struct loop *l)
{
	for (unsigned i = 0; i < vm->ndisk_loops; i++) {
		if (vm->disk_loops[i] == l)
			return true;
	}
	return false;
}

/* --- media ---------------------------------------------------------------------------------- */

struct blk *vm_block_find(struct vm *vm, const char *name)
{
	const struct config *c = vm->conf;

	for (unsigned i = 0; i < c->ndrives; i++) {
		if (!strcmp(c->drive[i].o.id, name))
			return vm->blk[i];
	}
	for (unsigned i = 0; i < c->ndisks; i++) {
		const struct disk_conf *k = c->disk[i].opts;

		if (k->id && !strcmp(k->id, name) && c->disk[i].has_drive)
			return vm->blk[c->disk[i].drive];
	}
	return NULL;
}

static int find_cd(struct vm *vm, const char *cmd, const char *name, struct blk **out,
		   struct err *e)
{
	struct blk *b = vm_block_find(vm, name);

	*out = b;
	if (!b)
		return err_set(e, ENOENT, "%s: there is no drive %.60s: info block shows the names",
			       cmd, name);
	if (!blk_cdrom(b))
		return err_set(e, EINVAL, "%s: %.60s is no CD drive: its medium stays in it", cmd,
			       name);
	return 0;
}

static int check_lock(struct blk *b, const char *cmd, struct err *e)
{
	struct blk_tray *t = blk_tray(b);

	if (!blk_present(b) || atomic_load(&t->open) || !atomic_load(&t->locked))
		return 0;
	atomic_store(&t->asked, true);
	return err_set(e, EBUSY,
		       "%s: %s is locked by the guest, which was asked to let go of it: try again, "
		       "or eject -f",
		       cmd, blk_id(b));
}

int vm_block_eject(struct vm *vm, const char *name, bool force, struct err *e)
{
	const struct blk_conf none = {.what = "eject", .cdrom = true};
	struct blk *b;
	int rc = find_cd(vm, "eject", name, &b, e);

	if (!rc && !force)
		rc = check_lock(b, "eject", e);
	if (!rc)
		rc = blk_change(b, &none, e);
	if (!rc)
		atomic_store(&blk_tray(b)->open, true);
	return rc;
}

int vm_block_change(struct vm *vm, const char *name, const char *file, const char *format,
		    struct err *e)
{
	const struct blk_conf c = {.what = "change", .file = file, .format = format, .cdrom = true};
	struct blk *b;
	int rc = find_cd(vm, "change", name, &b, e);

	if (!rc)
		rc = check_lock(b, "change", e);
	if (!rc)
		rc = blk_change(b, &c, e);
	if (!rc)
		atomic_store(&blk_tray(b)->open, false);
	return rc;
}
