/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vmwire host …`: what vmwire offers to set up and look at the host's side of a guest's network.
 * One const table of commands yields parsing, --help and corrections of misspelt words.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

#define HOST_OPTS 8 /* options of a command, at most */
#define HOST_ARGS 2 /* words that are no options, at most */

struct host_opt {
	const char *name; /* "--uplink"; NULL ends the list */
	const char *arg;  /* what follows; NULL: nothing; "[…]": only as --name=VALUE */
	const char *help;
};

/* What the user typed: opt[i] belongs to the command's i-th option: NULL (not given), "" (given
 * without a value), or its value. */
struct host_given {
	const char *opt[HOST_OPTS];
	const char *arg[HOST_ARGS];
	int nargs;
};

struct host_cmd {
	const char *words;   /* "bridge add" */
	const char *args;    /* "BRIDGE --uplink LINK"; "" */
	const char *summary; /* one line */
	const char *help;    /* what it does: lines */
	int nargs;	     /* how many words that are no options it takes, exactly */
	const struct host_opt *opts;
	/* Returns the exit status, or -errno with one line in e. */
	int (*run)(const struct host_given *g, FILE *out, struct err *e);
};

/* The program `vmwire host`: argv[0] is "host". Returns the exit status. */
int host_main(int argc, char **argv);

/* Looks a command up and parses its words; 0, 1 (help was printed), or -errno. */
int host_parse(int argc, char *const *argv, FILE *out, const struct host_cmd **cmd,
	       struct host_given *g, struct err *e);

/* 0, or -EPERM with the line to type instead. */
int host_need_root(const char *command, struct err *e);

/* --- the commands: check.c, bridge.c, list.c ---------------------------------------------------
 */

extern const struct host_opt host_check_opts[], host_bridge_add_opts[], host_bridge_del_opts[],
	host_list_opts[];
int host_check(const struct host_given *g, FILE *out, struct err *e);
int host_bridge_add_cmd(const struct host_given *g, FILE *out, struct err *e);
int host_bridge_del_cmd(const struct host_given *g, FILE *out, struct err *e);
int host_list(const struct host_given *g, FILE *out, struct err *e);

#endif
