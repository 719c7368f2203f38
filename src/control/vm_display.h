/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM's screen and keyboard for the monitor. All on the control loop; errors are one line.
 */
#ifndef CONTROL_VM_DISPLAY_H
#define CONTROL_VM_DISPLAY_H

#include "control/vm.h"
#include "display/screenshot.h"
#include "display/vnc.h"

struct vm_display;

/* Starts what the configuration asks for; after the machine is made. */
int vm_display_open(struct vm *vm, struct err *e);
void vm_display_close(struct vm *vm); /* before the machine is freed */

/* The VNC server, or NULL. */
struct vnc *vm_vnc(struct vm *vm);
/* The same, with an error that says what is missing. */
struct vnc *vm_need_vnc(struct vm *vm, struct err *e);

int vm_screendump(struct vm *vm, const char *path, enum screenshot_format f, struct err *e);
/* Keys as "ctrl-alt-f1": pressed now, let go of after hold_ms, or when the next ones come. */
int vm_sendkey(struct vm *vm, const char *keys, unsigned hold_ms, struct err *e);
/* "now", "never", "+SECONDS" or seconds since 1970. */
int vm_expire_password(struct vm *vm, const char *when, struct err *e);

#endif
