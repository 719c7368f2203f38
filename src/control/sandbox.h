/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * -sandbox: what vmwire's threads may still do once the guest runs. The kinds of threads and what
 * they may are in sandbox.c; docs/process.md tells users.
 */
#ifndef CONTROL_SANDBOX_H
#define CONTROL_SANDBOX_H

#include <stdbool.h>

#include "accel/accel.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/sandbox.h"

enum sandbox_state { SANDBOX_DEFAULT, SANDBOX_ON, SANDBOX_OFF };

struct sandbox_conf {
	int state;     /* enum sandbox_state; the default is on where the kernel can */
	bool no_spawn; /* spawn=deny: no programs at all, not by the launcher either */
};

enum vm_thread { VM_CONTROL, VM_LOOP, VM_CPU, VM_GATHER };

const struct sandbox_kind *sandbox_kind_of(enum vm_thread t);

/*
 * On the control thread, when everything is opened and before the queues' and CPUs' threads start:
 * it and all threads that are there become VM_CONTROL. *on: the sandbox is in force, *landlock: for
 * files, too. Returns 0 or -errno with e (only when it was asked for by name).
 */
int sandbox_start(const struct sandbox_conf *c, bool *on, bool *landlock, struct err *e);

/* A queue's loop, started just now, becomes VM_LOOP. */
int sandbox_loop(struct loop *l, struct err *e);

/* accel_conf.enter: arg is a bool, whether the sandbox is in force. */
bool sandbox_accel(void *arg, enum accel_thread kind);

/* The state of this process's threads as the kernel tells it, a line for each. */
void sandbox_show(bool on, bool landlock, void (*line)(void *arg, const char *text), void *arg);

#endif
