/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM's screen: the VNC server, pictures of it, keys from the monitor.
 */
#include "control/vm_display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/util.h"

#define KEYS_MAX 16u

struct vm_display {
	struct vm *vm;
	struct vnc *vnc;
	struct loop_timer release;
	unsigned keys[KEYS_MAX], nkeys; /* held down for sendkey */
};

/* --- keys ------------------------------------------------------------------------------------- */

static void let_go(struct vm_display *d)
{
	while (d->nkeys)
		ps2_key(machine_keyboard(d->vm->machine), d->keys[--d->nkeys], false);
	loop_timer_del(d->vm->control, &d->release);
}

static void on_release(struct loop_timer *t)
{
	let_go(container_of(t, struct vm_display, release));
}

static struct vm_display *need_guest(struct vm *vm, struct err *e)
{
	if (!vm->display)
		err_set(e, ENODEV, "-machine none has no guest");
	return vm->display;
}

int vm_sendkey(struct vm *vm, const char *text, unsigned hold_ms, struct err *e)
{
	struct vm_display *d = need_guest(vm, e);
	unsigned keys[KEYS_MAX];
	int n;

	if (!d)
		return -e->code;
	n = keyboard_parse(text, keys, KEYS_MAX, e);
	if (n < 0)
		return n;
	let_go(d);
	for (int i = 0; i < n; i++)
		ps2_key(machine_keyboard(vm->machine), keys[i], true);
	memcpy(d->keys, keys, sizeof(keys));
	d->nkeys = (unsigned)n;
	loop_timer_set(vm->control, &d->release, loop_now(vm->control) + hold_ms * NS_PER_MS);
	return 0;
}

/* --- the screen ------------------------------------------------------------------------------- */

int vm_screendump(struct vm *vm, const char *path, enum screenshot_format f, struct err *e)
{
	struct vga *vga = vm->machine ? machine_vga(vm->machine) : NULL;

	return vga ? screenshot(vga, path, f, e)
		   : err_set(e, ENODEV, "there is no display adapter (-vga none)");
}

struct vnc *vm_vnc(struct vm *vm)
{
	return vm->display ? vm->display->vnc : NULL;
}

struct vnc *vm_need_vnc(struct vm *vm, struct err *e)
{
	if (!vm_vnc(vm))
		err_set(e, ENODEV, "there is no VNC server: -vnc :N starts one");
	return vm_vnc(vm);
}

int vm_expire_password(struct vm *vm, const char *when, struct err *e)
{
	struct vnc *v = vm_need_vnc(vm, e);
	uint32_t n = 0;
	time_t at;
	int rc;

	if (!v)
		return -e->code;
	if (!strcmp(when, "never")) {
		at = 0;
	} else if (!strcmp(when, "now")) {
		at = 1;
	} else {
		rc = opt_parse_u32("expire_password", when + (*when == '+'), 1, UINT32_MAX, &n, e);
		if (rc)
			return rc;
		at = *when == '+' ? time(NULL) + (time_t)n : (time_t)n;
	}
	vnc_expire_password(v, at);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static int open_vnc(struct vm_display *d, struct err *e)
{
	const struct config *c = d->vm->conf;
	const struct vnc_conf conf = {.opts = &c->vnc,
				      .vga = machine_vga(d->vm->machine),
				      .keyboard = machine_keyboard(d->vm->machine),
				      .layout = c->layout,
				      .name = c->name};

	d->vnc = vnc_new(&conf, e);
	if (d->vnc) {
		log_line("VNC server running on %s", vnc_where(d->vnc));
		return 0;
	}
	if (!c->vnc_default)
		return -e->code;
	/* Nobody asked for it. */
	err_prefix(e, "no display (-display none says so)");
	log_warn("%s", e->text);
	return 0;
}

int vm_display_open(struct vm *vm, struct err *e)
{
	struct vm_display *d;
	const char *address = vm->conf->vnc.address;

	if (!vm->machine)
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(e, ENOMEM, "no memory for the display");
	d->vm = vm;
	d->release.fn = on_release;
	vm->display = d;
	return address && strcmp(address, "none") != 0 ? open_vnc(d, e) : 0;
}

void vm_display_close(struct vm *vm)
{
	if (!vm->display)
		return;
	loop_timer_del(vm->control, &vm->display->release);
	vnc_free(vm->display->vnc);
	free(vm->display);
	vm->display = NULL;
}
