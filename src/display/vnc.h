/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's screen, keyboard and mouse for VNC viewers (RFB protocol, by libvncserver).
 * Everything about viewers happens on a thread of its own; the functions below are for the control
 * thread.
 */
#ifndef DISPLAY_VNC_H
#define DISPLAY_VNC_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/opt.h"
#include "display/keyboard.h"
#include "machine/ps2.h"
#include "machine/vga.h"

struct vnc;

/* What is behind -vnc; filled by vnc_table. */
struct vnc_opts {
	char *address; /* HOST:N, :N, unix:PATH, none */
	uint32_t to;   /* displays N … to are tried; 0: only N */
	bool password;
};

extern const struct opt_table vnc_table;

struct vnc_conf {
	const struct vnc_opts *opts;
	struct vga *vga;
	struct i8042 *keyboard;
	const struct layout *layout;
	const char *name; /* of the guest, for the viewer's title; NULL: none */
};

/* Is the address one? Opens nothing. 0 or -errno. */
int vnc_check(const struct vnc_opts *o, struct err *e);

/* Listens, and starts the thread. The device's owner frees the server before the machine. */
struct vnc *vnc_new(const struct vnc_conf *c, struct err *e);
void vnc_free(struct vnc *v); /* viewers are disconnected; NULL is allowed */

/* Where it listens: "127.0.0.1:5900", "unix:/tmp/vnc". */
const char *vnc_where(const struct vnc *v);

/* The password for those who come from now on (of its bytes RFB uses eight). -EINVAL when the
 * server was made without password=on. */
int vnc_set_password(struct vnc *v, const char *password, struct err *e);
/* From `when` on nobody gets in with it any more; 0: never. */
void vnc_expire_password(struct vnc *v, time_t when);

/* Text about the server and its viewers, a line at a time. */
void vnc_info(struct vnc *v, void (*line)(void *opaque, const char *text), void *opaque);

/* --- vnc_listen.c ------------------------------------------------------------------------------
 */

#define VNC_PORT    5900u
#define VNC_SOCKETS 2u

struct vnc_listen {
	int fd[VNC_SOCKETS]; /* IPv4, IPv6, or a unix socket; -1: not used */
	char where[128];
	char *path; /* unix socket, to be removed; owned */
};

/* Listens where o says. An error leaves nothing behind. */
int vnc_listen(struct vnc_listen *l, const struct vnc_opts *o, struct err *e);
void vnc_listen_end(struct vnc_listen *l);

#endif
