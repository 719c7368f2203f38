/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A byte stream between a device (serial port) or the monitor and a terminal, file or socket:
 * stdio | null | file:PATH | unix:PATH[,…] | tcp:HOST:PORT[,…] | telnet:HOST:PORT[,…], where … is
 * server=on, wait=off. Lives on the control loop. On stdio the terminal is put into raw mode and
 * always restored. Ctrl-A escapes of -nographic: Ctrl-A x ends vmwire, Ctrl-A c switches between
 * serial port and monitor, Ctrl-A b sends a break, Ctrl-A h helps, Ctrl-A Ctrl-A sends a Ctrl-A.
 */
#ifndef MACHINE_CHARDEV_H
#define MACHINE_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/loop.h"

struct chardev;

/* System calls of a vCPU that writes to a character device, for sandbox.h. */
extern const int chardev_calls[];

struct chardev_user {
	/* Bytes came in. Returns how many were taken; the rest is offered again after
	 * chardev_ready(). Control loop. */
	size_t (*input)(void *opaque, const unsigned char *buf, size_t len);
	void (*opened)(void *opaque); /* a client connected (or at once, for stdio); may be NULL */
	void (*closed)(void *opaque); /* the client went away; may be NULL */
	void (*brk)(void *opaque);    /* Ctrl-A b: a break on the line; may be NULL */
	void *opaque;
	/* Of what chardev_write() had kept some has gone out; may be NULL. Control loop. */
	void (*drained)(void *opaque);
};

/* spec as typed behind -serial or -monitor; what names that option for messages. */
struct chardev *chardev_open(struct loop *control, const char *what, const char *spec,
			     struct err *e);

/* Multiplexes two users over c (mon:stdio): 0 the serial port, 1 the monitor. */
void chardev_set_mux(struct chardev *c, void (*quit)(void *opaque), void *opaque);
void chardev_attach(struct chardev *c, unsigned user /* 0, or 1 on a mux */,
		    const struct chardev_user *u);

/* Writes bytes: any thread. What a slow client does not take is kept up to 64 KiB, then the
 * oldest is dropped, so that a guest never blocks on its console. user as in chardev_attach. */
void chardev_write(struct chardev *c, unsigned user, const void *buf, size_t len);

/* Bytes that chardev_write() takes without dropping what it kept before; SIZE_MAX when nobody
 * is there to read them. */
size_t chardev_room(struct chardev *c);

/* For the monitor: is somebody (or the terminal, a file) there; and where it leads. [control] */
bool chardev_is_open(struct chardev *c);
const char *chardev_name(const struct chardev *c);

/* The user has room for input again (any thread). */
void chardev_ready(struct chardev *c, unsigned user);

void chardev_close(struct chardev *c); /* flushes what it can, restores the terminal; NULL ok */

#endif
