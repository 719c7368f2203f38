/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A running VM: what assembly made out of a configuration. All of it lives on the control loop,
 * which the calling thread runs; every queue of a wire has a loop, and a thread, of its own.
 *
 * Life: vm_new() -> vm_run() -> vm_free(). vm_free() undoes whatever vm_new() got done.
 */
#ifndef CONTROL_VM_H
#define CONTROL_VM_H

#include <signal.h>

#include "control/config.h"
#include "machine/chardev.h"
#include "machine/machine.h"
#include "net/port/hub.h"

struct hmp;

/* What became of conf->net[i]. */
struct vm_net {
	const struct conf_net *conf;
	struct net_port *port; /* backend, or the card's; NULL: hubport */
	struct nic *nic;       /* CONF_NIC */
};

struct vm {
	struct config *conf;
	struct loop *control;
	struct clock clock; /* of all loops; virtual under qtest */
	struct machine *machine;
	struct chardev *serial, *monitor;
	struct hmp *hmp;

	struct vm_net *net; /* conf->nnet of them */
	struct hub **hubs;
	unsigned nhubs;
	struct loop **loops; /* of the queues; started by vm_run() */
	unsigned nloops;

	int sigfd;
	struct loop_fd sig_w;
	sigset_t old_signals;
	int status; /* exit status */
	bool ending;
};

/* c is used until vm_free(). Returns NULL and fills e. */
struct vm *vm_new(struct config *c, struct err *e);

/* Runs the guest until it ends; returns the exit status of the program. */
int vm_run(struct vm *vm);
void vm_free(struct vm *vm); /* NULL is allowed */

/* Ends vm_run() with this status; only the first call counts. Control loop. */
void vm_quit(struct vm *vm, int status);

/* --- vm_net.c --------------------------------------------------------------------------------- */

/* Opens the backends; before the machine is made. */
int vm_net_open(struct vm *vm, struct err *e);
/* Makes the cards and joins everything. */
int vm_net_join(struct vm *vm, struct err *e);
/* Unjoins everything and frees the backends; the loops' threads have ended. */
void vm_net_unjoin(struct vm *vm);
void vm_net_close(struct vm *vm);

/* [control] Holds all queue loops between two batches, for a look at their state. */
void vm_park(struct vm *vm);
void vm_unpark(struct vm *vm);

/* The port that the monitor calls name, or NULL. */
struct vm_net *vm_net_find(struct vm *vm, const char *name);

#endif
