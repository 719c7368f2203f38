/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's options for disks: -hda … -hdd, -cdrom, a bare image, -drive, and -device
 * with a disk. A drive is an image and what is said of it; if= says where it goes, if=none leaves
 * that to the -device that names it. Where drives without a place go is decided as QEMU does it:
 * the first free unit, in the order of the command line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "block/ide.h"
#include "control/cmdline.h"

static const char *const if_names[] = {"ide", "virtio", "none", "scsi",	  "floppy",
				       "sd",  "mtd",	"xen",	"pflash", NULL};
static const char *const media_names[] = {"disk", "cdrom", NULL};
static const char *const cache_names[] = {"writeback",	"none",	  "writethrough",
					  "directsync", "unsafe", NULL};
static const char *const discard_names[] = {"ignore", "unmap", "off", "on", NULL};
static const char *const error_names[] = {"report", "ignore", "stop", "enospc", "auto", NULL};

#define OFF(m)	 offsetof(struct drive_opts, m)
#define PLACE(m) .off = OFF(m), .max = 31, .arg = "n"
static const struct opt drive_opt_list[] = {
	{"file", OPT_STR, OFF(file), .arg = "path",
	 .help = "image file or block device; without it a CD drive is empty"},
	{"if", OPT_ENUM, OFF(iface), .names = if_names, .arg = "ide|virtio|none",
	 .help = "what it is joined to; none: a -device names it (default: ide)"},
	{"id", OPT_STR, OFF(id), .arg = "name", .help = "its name (default: ide0-hd0, virtio0 …)"},
	{"index", OPT_U32, PLACE(index), .help = "place: IDE 0 to 3 (default: the first free)"},
	{"bus", OPT_U32, PLACE(bus), .help = "the same in two: IDE channel 0 or 1 …"},
	{"unit", OPT_U32, PLACE(unit), .help = "… and unit 0 or 1"},
	{"format", OPT_STR, OFF(format), .arg = "raw|qcow2|…",
	 .help = "format of the image: raw, qcow2, qcow, qed, vmdk, vdi, vhdx, vpc, luks, "
		 "parallels, dmg, bochs or cloop (default: what it looks like)"},
	{"media", OPT_ENUM, OFF(media), .names = media_names,
	 .help = "kind of drive (default: disk)"},
	{"readonly", OPT_BOOL, OFF(readonly), .help = "never written (default: off; cdrom: on)"},
	{"read-only", OPT_BOOL, OFF(readonly), .help = "the same"},
	{"snapshot", OPT_BOOL, OFF(snapshot),
	 .help = "what the guest writes goes to a temporary file and is forgotten (default: "
		 "off)"},
	{"cache", OPT_ENUM, OFF(cache), .names = cache_names,
	 .help = "the host's cache: writeback, none: past it, writethrough: each write is on disk "
		 "before the guest hears of it, directsync: both, unsafe: flushes are ignored "
		 "(default: writeback)"},
	{"discard", OPT_ENUM, OFF(discard), .names = discard_names, .arg = "ignore|unmap",
	 .help = "what becomes of space that the guest gives back (default: ignore)"},
	{"serial", OPT_STR, OFF(serial), .arg = "text",
	 .help = "serial number that the guest reads, 20 characters at most"},
	{"werror", OPT_ENUM, OFF(werror), .names = error_names, .arg = "report",
	 .help = "only report: the guest gets an I/O error, also when the host's disk is full"},
	{"rerror", OPT_ENUM, OFF(rerror), .names = error_names, .arg = "report",
	 .help = "only report"},
	{"aio", OPT_STR, .missing = "a pool of threads does the work: leave it out"},
	{"detect-zeroes", OPT_STR, .missing = "not implemented yet: leave it out"},
	{"copy-on-read", OPT_STR, .missing = "not implemented yet: leave it out"},
	{"throttling", OPT_STR, .missing = "not implemented yet: leave it out"},
	{"iops", OPT_STR, .missing = "limits are not implemented yet: leave it out"},
	{"bps", OPT_STR, .missing = "limits are not implemented yet: leave it out"},
	{NULL},
};
#undef OFF
#undef PLACE

static void drive_defaults(void *out)
{
	struct drive_opts *o = out;

	o->index = o->bus = o->unit = DRIVE_AUTO;
}

const struct opt_table drive_table = {
	"-drive",	"a disk or CD drive and its image", "file",
	drive_opt_list, sizeof(struct drive_opts),	    drive_defaults};

static int check_drive(const char *what, const struct drive_opts *o, struct err *e)
{
	if (o->iface > DRIVE_NONE)
		return err_set(e, ENOTSUP,
			       "%s: if=%s is not implemented yet: allowed are ide, virtio and none",
			       what, if_names[o->iface]);
	if (o->werror || o->rerror)
		return err_set(e, ENOTSUP,
			       "%s: %s=%s is not implemented yet: allowed is report, the default",
			       what, o->werror ? "werror" : "rerror",
			       error_names[o->werror ? o->werror : o->rerror]);
	if (o->serial && strlen(o->serial) > DRIVE_SERIAL_MAX)
		return err_set(e, EINVAL, "%s: serial=%.60s: it may have %u characters at most",
			       what, o->serial, DRIVE_SERIAL_MAX);
	if (o->index != DRIVE_AUTO && (o->bus != DRIVE_AUTO || o->unit != DRIVE_AUTO))
		return err_set(e, EINVAL, "%s: index=%u says the place already: leave %s= out",
			       what, o->index, o->bus != DRIVE_AUTO ? "bus" : "unit");
	if ((!o->file || !*o->file) && o->media != DRIVE_CDROM)
		return err_set(e, EINVAL,
			       "%s: file= is missing: give an image file, or media=cdrom for an "
			       "empty CD drive",
			       what);
	return 0;
}

/* A new entry that owns *o. */
static int add_drive(struct config *c, const char *what, struct drive_opts *o, struct err *e)
{
	struct conf_drive *d;
	int rc = check_drive(what, o, e);

	if (!rc) {
		d = config_drive_add(c, what);
		if (d) {
			d->o = *o;
			return CMDLINE_RUN;
		}
		rc = err_set(e, ENOMEM, "%s: out of memory", what);
	}
	opt_free(&drive_table, o);
	return rc;
}

int cmd_drive(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct drive_opts o;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "%s: %s\n", name, drive_table.summary);
		opt_help(&drive_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&drive_table, name, arg, &o, e);
	return rc ? rc : add_drive(c, name, &o, e);
}

/* -hda … -hdd, -cdrom, or a bare name, which is -hda: the whole argument is the name of a file. */
int cmd_image(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct drive_opts o;
	bool cd = !strcmp(name, "-cdrom");

	(void)out;
	opt_init(&drive_table, &o);
	o.media = cd ? DRIVE_CDROM : DRIVE_DISK;
	o.index = cd ? 2 : !strncmp(name, "-hd", 3) ? (uint32_t)(name[3] - 'a') : 0;
	if (cmd_keep(&o.file, arg, e))
		return -ENOMEM;
	return add_drive(c, name, &o, e);
}

/* --- devices -------------------------------------------------------------------------------- */

void cmd_disk_list(FILE *out)
{
	fprintf(out, "Disks (-device):\n");
	for (const struct disk_model *const *m = disk_models(); *m; m++) {
		const char *const *a = (*m)->aliases;

		fprintf(out, "  %-16s  %s", (*m)->name, (*m)->summary);
		for (unsigned i = 0; a && a[i]; i++)
			fprintf(out, "%s%s", i ? ", " : "; also called ", a[i]);
		fprintf(out, "\n");
	}
}

int cmd_disk(struct config *c, const char *name, const struct disk_model *m, const char *rest,
	     FILE *out, struct err *e)
{
	struct conf_disk *d;
	char what[40];
	void *opts;
	int rc;

	snprintf(what, sizeof(what), "%s %s", name, m->name);
	if (cmd_is_help(rest)) {
		fprintf(out, "%s: %s\n", what, m->summary);
		opt_help(m->opts, out);
		return CMDLINE_DONE;
	}
	if (strcmp(name, "-device") != 0)
		return err_set(e, ENOTSUP,
			       "%s: a disk that comes while the guest runs is not implemented yet: "
			       "give -device %s at the start",
			       what, m->name);
	opts = calloc(1, m->opts->size);
	if (!opts)
		return err_set(e, ENOMEM, "%s: out of memory", what);
	rc = opt_parse(m->opts, what, rest, opts, e);
	if (rc) {
		free(opts);
		return rc;
	}
	d = config_disk_add(c, what);
	if (!d) {
		opt_free(m->opts, opts);
		free(opts);
		return err_set(e, ENOMEM, "%s: out of memory", what);
	}
	d->model = m;
	d->opts = opts;
	return CMDLINE_RUN;
}

void cmd_drive_for_each(void (*fn)(const char *option, const struct opt_table *t, void *arg),
			void *arg)
{
	for (const struct disk_model *const *m = disk_models(); *m; m++)
		fn("-device", (*m)->opts, arg);
}

/* --- after the last option ------------------------------------------------------------------ */

static struct conf_drive *find_drive(struct config *c, const char *id)
{
	for (unsigned i = 0; i < c->ndrives; i++) {
		if (c->drive[i].o.id && !strcmp(c->drive[i].o.id, id))
			return &c->drive[i];
	}
	return NULL;
}

static bool taken(const struct config *c, const struct conf_drive *d, uint32_t bus, uint32_t unit)
{
	for (unsigned i = 0; i < c->ndrives; i++) {
		const struct conf_drive *o = &c->drive[i];

		if (o != d && o->placed && o->o.iface == d->o.iface && o->o.bus == bus &&
		    o->o.unit == unit)
			return true;
	}
	return false;
}

/* bus and unit of a drive, as QEMU finds them. */
static int place(const struct config *c, struct conf_drive *d, struct err *e)
{
	struct drive_opts *o = &d->o;
	uint32_t per = o->iface == DRIVE_IDE ? IDE_UNITS : UINT32_MAX;

	if (o->index != DRIVE_AUTO) {
		o->bus = o->index / per;
		o->unit = o->index % per;
	}
	if (o->bus == DRIVE_AUTO)
		o->bus = 0;
	if (o->unit == DRIVE_AUTO) {
		for (o->unit = 0; taken(c, d, o->bus, o->unit); o->unit++) {
			if (o->unit + 1 >= per) {
				o->unit = UINT32_MAX; /* 0 of the next */
				o->bus++;
			}
		}
	}
	if (o->iface == DRIVE_IDE && (o->bus >= IDE_CHANNELS || o->unit >= IDE_UNITS))
		return err_set(e, EINVAL,
			       "%s: IDE has 4 places (index 0 to 3: bus 0 and 1, unit 0 and 1), "
			       "and %s: give if=virtio",
			       d->what, o->index == DRIVE_AUTO ? "they are taken" : "this is none");
	if (taken(c, d, o->bus, o->unit))
		return err_set(
			e, EEXIST,
			"%s: the place bus=%u, unit=%u (index=%u) is taken by another drive: "
			"give another index=",
			d->what, o->bus, o->unit, o->bus * IDE_UNITS + o->unit);
	d->placed = true;
	return 0;
}

static int name_drive(struct config *c, struct conf_drive *d, struct err *e)
{
	const struct drive_opts *o = &d->o;
	char id[64];

	if (o->id) {
		if (find_drive(c, o->id) == d)
			return 0;
		return err_set(e, EEXIST, "%s: id=%.60s is used twice: give another", d->what,
			       o->id);
	}
	if (o->iface == DRIVE_IDE)
		snprintf(id, sizeof(id), "ide%u-%s%u", o->bus,
			 o->media == DRIVE_CDROM ? "cd" : "hd", o->unit);
	else
		snprintf(id, sizeof(id), "%s%u", if_names[o->iface], o->unit);
	if (find_drive(c, id))
		return err_set(e, EEXIST, "%s: its name %s is another drive's: give id=", d->what,
			       id);
	return cmd_keep(&d->o.id, id, e);
}

/* A device on the IDE controller makes of its drive one with a place there. */
static int to_ide(struct config *c, struct conf_disk *k, struct conf_drive *d, struct err *e)
{
	const struct ide_opts *o = k->opts;

	if (o->disk.serial && cmd_keep(&d->o.serial, o->disk.serial, e))
		return -ENOMEM;
	snprintf(d->what, sizeof(d->what), "%s", k->what);
	d->o.iface = DRIVE_IDE;
	d->o.index = DRIVE_AUTO;
	d->o.bus = o->bus ? (uint32_t)o->bus - 1 : DRIVE_AUTO;
	d->o.unit = o->unit == IDE_AUTO ? DRIVE_AUTO : o->unit;
	d->placed = false;
	return place(c, d, e);
}

static int empty_cd(struct config *c, struct conf_disk *k, struct err *e)
{
	const struct disk_conf *conf = k->opts;
	struct conf_drive *d = config_drive_add(c, k->what);
	int rc;

	if (!d)
		return err_set(e, ENOMEM, "%s: out of memory", k->what);
	opt_init(&drive_table, &d->o);
	d->o.media = DRIVE_CDROM;
	d->used = true;
	rc = conf->id ? cmd_keep(&d->o.id, conf->id, e) : 0;
	if (!rc)
		rc = to_ide(c, k, d, e);
	return rc ? rc : name_drive(c, d, e);
}

/* A -device and the drive that it names. */
static int match(struct config *c, struct conf_disk *k, struct err *e)
{
	const struct disk_conf *conf = k->opts;
	struct conf_drive *d = conf->drive ? find_drive(c, conf->drive) : NULL;
	const char *ids[33], *near;
	unsigned n = 0;

	if (!conf->drive && k->model->cdrom)
		return empty_cd(c, k, e);
	if (!conf->drive)
		return err_set(e, EINVAL,
			       "%s: drive= is missing: give the id= of a -drive if=none, e.g. "
			       "-drive file=disk.qcow2,if=none,id=d0 -device %s,drive=d0",
			       k->what, k->model->name);
	for (unsigned i = 0; i < c->ndrives && n < 32; i++)
		ids[n++] = c->drive[i].o.id;
	ids[n] = NULL;
	if (!d) {
		near = opt_suggest(conf->drive, ids);
		return err_set(e, ENOENT, "%s: drive=%.60s is not there: %s%s%s", k->what,
			       conf->drive,
			       near ? "did you mean drive=" : "give the id= of a -drive",
			       near ? near : "", near ? "?" : "");
	}
	if (d->o.iface != DRIVE_NONE || d->used)
		return err_set(e, EBUSY, "%s: drive=%.60s is in use already: %s", k->what,
			       conf->drive,
			       d->used ? "give each device its own" : "give the -drive if=none");
	if (k->model->ide && !k->model->cdrom && d->o.media == DRIVE_CDROM)
		return err_set(e, EINVAL, "%s: drive=%.60s is media=cdrom: give -device ide-cd",
			       k->what, conf->drive);
	if (k->model->cdrom)
		d->o.media = DRIVE_CDROM;
	d->used = true;
	k->drive = (unsigned)(d - c->drive);
	k->has_drive = true;
	return k->model->ide ? to_ide(c, k, d, e) : 0;
}

int cmd_drives_finish(struct config *c, struct err *e)
{
	int rc = 0;

	if ((c->ndrives || c->ndisks) && c->machine == MACHINE_NONE)
		return err_set(e, EINVAL,
			       "%s: -machine none has no guest and so no disks: leave it out",
			       c->ndrives ? c->drive[0].what : c->disk[0].what);
	/* Those with a place of their own first, so that the others find what is free. */
	for (unsigned i = 0; !rc && i < c->ndrives; i++) {
		const struct drive_opts *o = &c->drive[i].o;

		if (o->index != DRIVE_AUTO || o->unit != DRIVE_AUTO)
			rc = place(c, &c->drive[i], e);
	}
	for (unsigned i = 0; !rc && i < c->ndrives; i++) {
		if (!c->drive[i].placed)
			rc = place(c, &c->drive[i], e);
	}
	for (unsigned i = 0; !rc && i < c->ndrives; i++)
		rc = name_drive(c, &c->drive[i], e);
	for (unsigned i = 0; !rc && i < c->ndisks; i++)
		rc = match(c, &c->disk[i], e);
	for (unsigned i = 0; !rc && i < c->ndrives; i++) {
		struct conf_drive *d = &c->drive[i];

		d->o.snapshot |= c->snapshot && d->o.media != DRIVE_CDROM && !d->o.readonly;
		d->used |= d->o.iface != DRIVE_NONE;
		if (d->o.iface == DRIVE_IDE && d->o.readonly && d->o.media != DRIVE_CDROM)
			rc = err_set(e, EINVAL,
				     "%s: readonly=on: an IDE disk can be written: give if=virtio, "
				     "or snapshot=on",
				     d->what);
	}
	return rc;
}
