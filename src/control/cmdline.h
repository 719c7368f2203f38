/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. One const table says of every option its name, argument and help; parsing,
 * -h and the reference page are made from it. Options may start with one dash or with two.
 */
#ifndef CONTROL_CMDLINE_H
#define CONTROL_CMDLINE_H

#include <stdio.h>

#include "control/config.h"

enum {
	CMDLINE_RUN = 0,  /* c describes a VM */
	CMDLINE_DONE = 1, /* a list or help was printed: exit 0 */
};

/*
 * Parses argv into *c (which config_free() must free, whatever is returned). What the user asked
 * to see is printed to out. Returns CMDLINE_RUN, CMDLINE_DONE or -errno with one line in e.
 */
int cmdline_parse(int argc, char *const *argv, struct config *c, FILE *out, struct err *e);

/* Writes the reference page of all options, made from the tables, as Markdown. */
void cmdline_markdown(FILE *out);

/* --- shared by the files of the command line -------------------------------------------------- */

/* One top-level option. */
struct cmd_opt {
	const char *name; /* without dashes */
	const char *arg;  /* what follows, for help; NULL: nothing follows */
	const char *help; /* one line; NULL: an alias, not shown */
	/* Handles the option. name as typed with one dash, arg NULL when there is none. Returns as
	 * cmdline_parse(). */
	int (*fn)(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
};

/* The handlers for the machine: cmd_machine.c */
extern const struct opt_table smp_table, machine_table, accel_table, name_table, action_table;
int cmd_m(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_smp(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_machine(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_accel(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_enable_kvm(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_cpu(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_name(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_action(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_display(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);

/* The handlers for serial port and monitors: cmd_console.c */
extern const struct opt_table mon_table;
int cmd_serial(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_monitor(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_qmp(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_mon(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_chardev(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
/* Every kind of -chardev with its table, for the page. */
void cmd_chardev_for_each(void (*fn)(const char *option, const struct opt_table *t, void *arg),
			  void *arg);

/* The handlers for networks: cmd_net.c */
extern const struct opt_table net_nic_table, hubport_table;
int cmd_net(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_netdev(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_nic(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_device(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);

/*
 * n words that belong to no option, after an option of the network: if a slip of the pen (a blank)
 * split the option, fills e with the corrected option and returns -EINVAL; else 0. (V4)
 */
int cmd_net_split(const char *name, const char *arg, char *const *words, int n, struct err *e);

/* Every kind of -net, -netdev, -nic and -device with its table, for help and the page. */
void cmd_net_for_each(void (*fn)(const char *option, const struct opt_table *t, void *arg),
		      void *arg);

/* True for "help" and "?". */
bool cmd_is_help(const char *text);

/* Copies text into *to, freeing what was there. */
int cmd_keep(char **to, const char *text, struct err *e);

#endif
