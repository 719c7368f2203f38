/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The human monitor: a line at a time over a character device. One const table of commands makes
 * help, dispatch and completion.
 */
#ifndef CONTROL_HMP_H
#define CONTROL_HMP_H

#include "control/vm.h"

struct hmp;

/* Reads from and writes to c as its user number `user` (1 on a mux). c outlives the monitor. */
struct hmp *hmp_new(struct vm *vm, struct chardev *c, unsigned user, struct err *e);
void hmp_free(struct hmp *h); /* NULL is allowed */

/* Prints to the monitor; a "\n" goes out as "\r\n". */
void hmp_print(struct hmp *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct vm *hmp_vm(struct hmp *h);

struct hmp_cmd {
	const char *name; /* "quit", "set_link"; in the table of `info`: "network" */
	const char *args; /* for help; "" when there are none */
	const char *help;
	unsigned nargs; /* at least */
	void (*fn)(struct hmp *h, int argc, char **argv);
};

/* Ends with .name = NULL. hmp_info.c */
extern const struct hmp_cmd hmp_info_cmds[];

/* hmp_net.c: commands on cards and networks. */
void hmp_device_add(struct hmp *h, int argc, char **argv);
void hmp_device_del(struct hmp *h, int argc, char **argv);
void hmp_netdev_add(struct hmp *h, int argc, char **argv);
void hmp_netdev_del(struct hmp *h, int argc, char **argv);
void hmp_netdev_replug(struct hmp *h, int argc, char **argv);
void hmp_hostfwd_add(struct hmp *h, int argc, char **argv);
void hmp_hostfwd_remove(struct hmp *h, int argc, char **argv);
void hmp_set_link(struct hmp *h, int argc, char **argv);
void hmp_announce(struct hmp *h, int argc, char **argv);

/* hmp_display.c: screen, keyboard, VNC server. */
void hmp_screendump(struct hmp *h, int argc, char **argv);
void hmp_sendkey(struct hmp *h, int argc, char **argv);
void hmp_change_vnc(struct hmp *h, int argc, char **argv);
void hmp_set_password(struct hmp *h, int argc, char **argv);
void hmp_expire_password(struct hmp *h, int argc, char **argv);
void hmp_info_vnc(struct hmp *h, int argc, char **argv);
void hmp_info_mice(struct hmp *h, int argc, char **argv);

/* Both tables as Markdown, for the reference page. */
void hmp_markdown(FILE *out);

#endif
