/* SPDX-License-Identifier: BSD-2-Clause */
/* Character devices: what chardev.c (input, output, mux) and chardev_open.c and
 * chardev_sock.c (what stands at the other end) share. */
#ifndef MACHINE_CHARDEV_PRIV_H
#define MACHINE_CHARDEV_PRIV_H

#include <pthread.h>
#include <termios.h>

#include "machine/chardev.h"

#define CHR_OUT_ROOM (64u << 10)
#define CHR_IN_ROOM  4096u

enum chr_kind { KIND_NULL, KIND_STDIO, KIND_FILE, KIND_SERVER, KIND_CLIENT };

/* Where in telnet's protocol the input is. */
enum chr_tel { TEL_TEXT, TEL_CR, TEL_IAC, TEL_OPTION, TEL_SB, TEL_SB_IAC };

/* Bytes on their way to a user; start is the first one not taken. */
struct chr_inbox {
	unsigned char buf[CHR_IN_ROOM];
	size_t start, len;
};

struct chardev {
	struct loop *loop;
	enum chr_kind kind;
	char what[32], name[160]; /* option; where it leads, for the monitor */

	int in, out; /* descriptors, -1: none; equal for a socket */
	bool own_out, is_tty, socket_out;
	struct loop_fd in_w, out_w, listen_w, wake_w;
	struct loop_task again; /* input that epoll cannot watch: regular files, /dev/null */
	bool polled_in;		/* input comes by `again` */
	bool reading;		/* EPOLLIN (or `again`) wanted */
	struct loop_timer listen_again; /* accept() found no descriptor or memory */
	int listen, wake;
	bool telnet, nodelay;
	enum chr_tel tel;
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
/* chardev_sock.c: text stands behind "unix:", "tcp:" or "telnet:". */
int chr_open_unix(struct chardev *c, const char *text, struct err *e);
int chr_open_tcp(struct chardev *c, const char *text, bool telnet, struct err *e);
/* Takes telnet's own bytes out of len bytes of input; returns how many are left. */
size_t chr_telnet_input(struct chardev *c, unsigned char *buf, size_t len);
/* Puts the terminal on stdin into raw mode; signals: Ctrl-C and Ctrl-Z stay the terminal's. */
void chr_set_raw(struct chardev *c, bool signals);
/* The client of a socket is gone: closes it and waits for the next one. */
void chr_hang_up(struct chardev *c);

/* chardev.c: watches c->in. */
int chr_watch_input(struct chardev *c, struct err *e);

#endif
