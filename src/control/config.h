/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration of a VM: what the command line asked for, checked as far as it can be without
 * opening anything. Strings are owned by the structure. Made by cmdline_parse(), read by vm.c.
 */
#ifndef CONTROL_CONFIG_H
#define CONTROL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "display/vnc.h"
#include "machine/machine.h"
#include "machine/smbios.h"
#include "block/disk.h"
#include "control/process.h"
#include "control/sandbox.h"
#include "net/backend/backend.h"
#include "net/nic/nic.h"

#define CONFIG_NO_HUB (-1)

enum conf_kind {
	CONF_NIC,     /* -net nic, -device, -nic */
	CONF_BACKEND, /* -net tap, -netdev user, -nic user */
	CONF_HUBPORT, /* -netdev hubport */
};

struct conf_net {
	enum conf_kind kind;
	char what[40];			   /* as the user typed it, for messages: "-net nic" */
	char *id;			   /* id= or name=; made up by config_finish() */
	int hub;			   /* hub ("VLAN") number, CONFIG_NO_HUB: none */
	char *netdev;			   /* NIC, hubport: netdev= it is joined to; NULL: none */
	const struct nic_model *model;	   /* CONF_NIC */
	const struct net_backend *backend; /* CONF_BACKEND */
	const struct opt_table *table;	   /* of opts, NULL: none */
	void *opts;			   /* the table's struct */
	bool mac_made;			   /* NIC: nobody chose its address */
};

#define DRIVE_AUTO	 UINT32_MAX
#define DRIVE_SERIAL_MAX 20u

enum drive_if { DRIVE_IDE, DRIVE_VIRTIO, DRIVE_NONE };
enum drive_media { DRIVE_DISK, DRIVE_CDROM };

struct drive_opts {
	char *file, *id, *format, *serial;
	int iface, media, cache, discard, werror, rerror; /* enum drive_if, drive_media, … */
	uint32_t index, bus,
		unit; /* DRIVE_AUTO: not given; after config_finish() bus and unit are */
	bool readonly, snapshot;
};

struct conf_drive {
	char what[40]; /* as the user typed it: "-hda" */
	struct drive_opts o;
	bool placed, used;
};

/* A -device that is a disk. */
struct conf_disk {
	char what[40];
	const struct disk_model *model;
	void *opts;	/* the model's struct */
	unsigned drive; /* index in config.drive, if has_drive */
	bool has_drive;
};

/* -chardev. */
struct conf_chr {
	char *id, *spec; /* spec: as chardev_open() takes it */
	bool used;	 /* by a serial port or a monitor */
};

/* -monitor, -qmp, -mon, in their order. */
struct conf_mon {
	char what[16]; /* as the user typed it: "-qmp" */
	char *spec;    /* of chardev_open(), after config_finish() */
	char *id;      /* its name in query-chardev */
	bool qmp;      /* a program's monitor, not a person's */
	bool pretty;   /* replies are laid out in lines */
};

enum conf_machine { MACHINE_PC, MACHINE_NONE };
enum conf_vga { VGA_DEFAULT, VGA_NONE, VGA_STD }; /* not the first, after config_finish() */

struct config {
	enum conf_machine machine;
	enum conf_vga vga;
	char *accel;	    /* NULL: kvm */
	char *accel_device; /* NULL: /dev/kvm */
	char *qtest;	    /* -qtest */
	uint64_t ram;	    /* bytes */
	int64_t rtc_shift;  /* -rtc base=: seconds from UTC */
	bool probe;	    /* -accel kvm,probe=on: find out whether KVM works, and end */
	uint32_t cpus, cores, threads; /* cores of a socket, threads of a core; 0: one socket, 1 */
	char *kernel, *initrd, *append, *name;
	char *bios;
	bool boot_given;       /* -boot */
	struct boot_conf boot; /* bios, smbios, file: as here, after config_finish() */
	struct smbios_conf smbios;
	struct boot_file *file; /* boot.nfiles of them */
	/* Specs of chardev_open(), NULL: none, after config_finish(). */
	char *serial, *serial_id, *debugcon, *debugcon_id;
	const struct layout *layout; /* -k */
	struct vnc_opts vnc;	     /* address NULL: no server */
	bool vnc_default;	     /* nobody asked for it */
	bool snapshot;		     /* of all disks */
	struct conf_drive *drive;
	unsigned ndrives;
	struct conf_disk *disk;
	unsigned ndisks;
	struct conf_mon *mon;
	struct conf_chr *chr;
	struct conf_net *net;
	struct process_conf process;
	struct sandbox_conf sandbox;
	unsigned nmon, nchr, nnet;
	bool mux;	/* serial is mon:…: the monitor shares it */
	bool mon_given; /* -monitor or -mon, be it none */
	bool nographic, no_display, no_defaults;
	bool no_net;	  /* -net none, -nic none */
	bool paused;	  /* -S: the guest waits for cont */
	bool no_reboot;	  /* a reset ends the guest */
	bool no_shutdown; /* a guest that ended stays, halted */
};

/* Fills in the defaults of a VM nobody described. */
void config_init(struct config *c);
void config_free(struct config *c); /* idempotent */

/* A new entry at the end of c->net, zeroed but for kind and what. NULL when memory is out. */
struct conf_net *config_net_add(struct config *c, enum conf_kind kind, const char *what);

/* New entries at the ends of c->drive and c->disk, zeroed but for what. NULL: memory is out. */
struct conf_drive *config_drive_add(struct config *c, const char *what);
struct conf_disk *config_disk_add(struct config *c, const char *what);

/* Frees entry i and closes the gap: entries move, as they do when the list grows. */
void config_net_remove(struct config *c, unsigned i);

/*
 * For an entry added while the VM runs, the last one: its name, MAC address and checks, as
 * config_finish() does them. Returns 0 or -errno with e.
 */
int config_finish_net(struct config *c, struct err *e);

/* A new entry at the end of c->mon, zeroed but for what. NULL when memory is out. */
struct conf_mon *config_mon_add(struct config *c, const char *what);

/* Gives a card whose address was made up the next one that no card of the VM has. */
void config_next_mac(const struct config *c, struct conf_net *n);

/* Says why n may not be joined to the network called netdev; 0 when it may. Of those that may have
 * it already only entries before n are looked at. */
int config_check_netdev(const struct config *c, const struct conf_net *n, const char *netdev,
			struct err *e);

/* cmd_console.c: where serial port and monitors go, for config_finish(). */
int config_consoles(struct config *c, struct err *e);

/*
 * After the last option: the default network (D1), consoles, names and MAC addresses (D5), and
 * everything that can only be checked when all is known. Returns 0 or -errno with e.
 */
int config_finish(struct config *c, struct err *e);

/* The accelerator's name. */
static inline const char *config_accel(const struct config *c)
{
	return c->accel ? c->accel : "kvm";
}

#endif
