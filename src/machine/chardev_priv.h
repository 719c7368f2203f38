/* SPDX-License-Identifier: BSD-2-Clause */
/* Character devices: what chardev.c (input, output, mux) and chardev_open.c (what stands at the
 * other end) share. */
#ifndef MACHINE_CHARDEV_PRIV_H
#define MACHINE_CHARDEV_PRIV_H

#include <pthread.h>
#include <termios.h>

#include "machine/chardev.h"

#define CHR_OUT_ROOM (64u << 10)
#define CHR_IN_ROOM  4096u

enum chr_kind { KIND_NULL, KIND_STDIO, KIND_FILE, KIND_SERVER, KIND_CLIENT };

/* Bytes on their way to a user; start is the first one not taken. */
struct chr_inbox {
	unsigned char buf[CHR_IN_ROOM];
	size_t start, len;
};

struct chardev {
	struct loop *loop;
	enum chr_kind kind;
	char what[32];

	int in, out; /* descriptors, -1: none; equal for a socket */
	bool own_out, is_tty, socket_out;
	struct loop_fd in_w, out_w, listen_w, wake_w;
	struct loop_task again; /* input that epoll cannot watch: regular files, /dev/null */
	bool polled_in;		/* input comes by `again` */
	bool reading;		/* EPOLLIN (or `again`) wanted */
	struct loop_timer listen_again; /* accept() found no descriptor or memory */
	int listen, wake;
	char *path; /* of the listening socket, to be removed */

	struct termios saved;
	bool raw;
	int out_flags; /* of a shared description that we had to change, -1: none */

	bool mux, escape;
	unsigned focus;
	void (*quit)(void *opaque);
	void *quit_opaque;
	struct chardev_user user[2];
	bool attached[2];
	struct chr_inbox inbox[2];

	pthread_mutex_t lock; /* the output side and `ready` */
	unsigned char *ring;
	size_t head, used;
	bool out_gone, want_out, ready;
};

/* chardev_open.c: opens what spec names. */
int chr_open(struct chardev *c, const char *spec, struct err *e);
/* Puts the terminal on stdin into raw mode; signals: Ctrl-C and Ctrl-Z stay the terminal's. */
void chr_set_raw(struct chardev *c, bool signals);
/* The client of a socket is gone: closes it and waits for the next one. */
void chr_hang_up(struct chardev *c);

/* chardev.c: watches c->in. */
int chr_watch_input(struct chardev *c, struct err *e);

#endif
