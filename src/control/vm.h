/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A running VM: what assembly made out of a configuration. All of it lives on the control loop,
 * which the calling thread runs; every queue of a wire has a loop, and a thread, of its own.
 *
 * Life: vm_new() -> vm_start() -> vm_run() -> vm_free(). vm_free() undoes whatever vm_new() got
 * done.
 */
#ifndef CONTROL_VM_H
#define CONTROL_VM_H

#include <signal.h>
#include <stdio.h>

#include "block/ide.h"
#include "control/config.h"
#include "machine/chardev.h"
#include "machine/machine.h"
#include "net/port/hub.h"

struct hmp;
struct qmp;
struct vm_display;

enum vm_state { VM_PRELAUNCH, VM_RUNNING, VM_PAUSED, VM_SHUTDOWN };

/* What became of conf->mon[i]; behind the last, with conf->mux, the serial port's monitor. */
struct vm_mon {
	struct chardev *chr; /* NULL: it shares the serial port's */
	struct hmp *hmp;     /* one of the two */
	struct qmp *qmp;
};

/* What became of conf->net[i]. */
struct vm_net {
	const struct conf_net *conf;
	struct net_port *port; /* backend, or the card's; NULL: hubport */
	struct nic *nic;       /* CONF_NIC */
	uint64_t asked;	       /* when the guest was asked to eject the card; 0: it was not */
};

struct vm {
	struct config *conf;
	struct loop *control;
	struct clock clock; /* of all loops; virtual under qtest */
	struct machine *machine;
	struct chardev *serial, *debugcon;
	struct vm_display *display; /* NULL: no guest */

	struct blk **blk;	  /* conf->ndrives of them */
	struct ide *ide;	  /* NULL: nothing is joined to it */
	struct loop **disk_loops; /* ndisk_loops of loops: those that disks have */

	struct vm_mon *mon; /* nmon of them */

	struct vm_net *net; /* conf->nnet of them */
	struct hub **hubs;  /* nhubs of them */
	/* nloops of the queues; started by vm_start(). Those that a wire left behind wait for the
	 * next. */
	struct loop **loops;

	const char *reason;	 /* of the end, QMP's word for it */
	struct loop_task wanted; /* carries out what want_reset and want_button say */
	struct loop_fd news_w;
	struct loop_fd sig_w;
	struct loop_timer grace; /* runs while the guest shuts down because of a signal */
	sigset_t old_signals;

	unsigned ndisk_loops, nmon, nhubs, nloops;
	enum vm_state state;
	int newsfd; /* eventfd: a card's filter has changed */
	int sigfd;
	int status; /* exit status */
	bool want_reset, want_button;
	bool resetting; /* the reset under way is the monitor's */
	bool started;
	bool sandboxed, landlocked; /* as -sandbox came out */
	bool ending;
};

/* c is used until vm_free(). Returns NULL and fills e. */
struct vm *vm_new(struct config *c, struct err *e);

/* Starts the guest. Returns 0 or -errno with e. */
int vm_start(struct vm *vm, struct err *e);
/* After vm_start(): runs until the guest ends; returns the exit status of the program. */
int vm_run(struct vm *vm);
void vm_free(struct vm *vm); /* NULL is allowed */

/* --- vm_state.c: does the guest run; all on the control loop ---------------------------------- */

/* Ends vm_run() with this status; only the first call counts. reason: QMP's word for it, const. */
void vm_quit(struct vm *vm, int status, const char *reason);
/* After the loop has ended: tells the programs on the monitors why. */
void vm_tell_end(struct vm *vm);

/* What the monitor's commands do. Return 0 or -errno with e; reset and power button follow when
 * this round of the loop ends. */
int vm_stop(struct vm *vm, struct err *e);
int vm_cont(struct vm *vm, struct err *e);
int vm_reset(struct vm *vm, struct err *e);
int vm_powerdown(struct vm *vm, struct err *e);
const char *vm_state_name(const struct vm *vm);
/* machine_conf.event */
void vm_on_machine(void *opaque, enum machine_event ev, const char *text);

/* --- vm_net.c --------------------------------------------------------------------------------- */

/* Opens the backends; before the machine is made. */
int vm_net_open(struct vm *vm, struct err *e);
/* A loop more, which runs when the VM does. */
struct loop *vm_loop_add(struct vm *vm, const char *name, struct err *e);
/* Makes the cards and joins everything. */
int vm_net_join(struct vm *vm, struct err *e);
/* Unjoins everything and frees the backends; the loops' threads have ended. */
void vm_net_unjoin(struct vm *vm);
void vm_net_close(struct vm *vm);

/* [control] Holds all queue loops between two batches, for a look at their state. */
void vm_park(struct vm *vm);
void vm_unpark(struct vm *vm);

/* Starts the thread of a queue's loop, in the sandbox if there is one. */
int vm_net_start_loop(struct vm *vm, struct loop *l, struct err *e);

/* The port that the monitor calls name, or NULL. */
struct vm_net *vm_net_find(struct vm *vm, const char *name);

/* [control, loops parked] The card tells its network where it is; t NULL: as usual. No-op where
 * there is no card, or no network. */
void vm_net_announce(struct vm_net *v, const struct net_announce_times *t);

/* For vm_plug.c: what assembly does with one entry. */
int vm_net_open_one(struct vm *vm, struct vm_net *v, struct err *e);
int vm_net_make_nic(struct vm *vm, struct vm_net *v, struct err *e);
/* The card's name in the boot order. */
void vm_net_boot_path(const struct vm_net *v, char path[BOOT_PATH_MAX]);
int vm_net_join_one(struct vm *vm, struct vm_net *v, struct err *e);
/* Tells the backends which cards are on their wires; after every change. */
int vm_net_guests(struct vm *vm, struct err *e);
/* The loops on which card and backend are joined: *n of them, running when the VM is. */
int vm_net_loops(struct vm *vm, const struct vm_net *nic, const struct vm_net *back,
		 struct loop **loops, unsigned *n, struct err *e);
struct hub *vm_net_hub(struct vm *vm, unsigned id, struct err *e);
/* The card or backend whose port this is; NULL: none, a hub's end. */
struct vm_net *vm_net_of(struct vm *vm, const struct net_port *p);

/* --- vm_block.c ------------------------------------------------------------------------------- */

/* Opens the images; before the machine is made. */
int vm_block_open(struct vm *vm, struct err *e);
/* Makes the disks; behind the cards, whose slots come first. */
int vm_block_make(struct vm *vm, struct err *e);
void vm_block_close(struct vm *vm); /* the machine is gone */
bool vm_block_has_loop(const struct vm *vm, const struct loop *l);
/* The disk that the monitor calls name (its drive's id, or its device's), or NULL. */
struct blk *vm_block_find(struct vm *vm, const char *name);
/* Takes the medium out of a CD drive; not while the guest has locked it, unless forced. [control]
 */
int vm_block_eject(struct vm *vm, const char *name, bool force, struct err *e);
/* Puts a file into a CD drive, in place of what is in it. format NULL: what it looks like. */
int vm_block_change(struct vm *vm, const char *name, const char *file, const char *format,
		    struct err *e);
/* What a drive's options say of its image. */
void vm_block_conf(const struct conf_drive *d, struct blk_conf *c);

/* --- vm_mac.c --------------------------------------------------------------------------------- */

/*
 * Before card v is made, and with the backends of its wire open: makes its address one that nobody
 * else on its network has, as far as that is known, and that its network delivers to (D5). only: it
 * is made already and goes to this backend; its address stays. [control]
 */
int vm_mac_settle(struct vm *vm, struct vm_net *v, const struct vm_net *only, struct err *e);

/* --- vm_plug.c: cards and networks that come and go while the guest runs --------------------- */

/*
 * What the monitor's commands do. arg: as behind -device and -netdev; a list that it asks for
 * goes to out. All return 0 or -errno with one line in e. [control]
 */
int vm_device_add(struct vm *vm, const char *arg, FILE *out, struct err *e);
/* The card goes when the guest has ejected it, or when the guest is reset. */
int vm_device_del(struct vm *vm, const char *id, struct err *e);
int vm_netdev_add(struct vm *vm, const char *arg, FILE *out, struct err *e);
int vm_netdev_del(struct vm *vm, const char *id, struct err *e);
/* Joins a card to another -netdev (a backend or a hubport) while frames flow. */
int vm_netdev_replug(struct vm *vm, const char *nic, const char *netdev, struct err *e);
/* machine_conf.unplug: removes the cards in these slots. */
void vm_unplug(void *opaque, uint32_t slots);

#endif
