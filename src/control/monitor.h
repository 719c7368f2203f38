/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitors' commands: one const table for people (hmp.h) and programs (qmp.h), out of which
 * dispatch, help, completion, QMP's check of arguments, query-commands and the reference page are
 * made. Each subject has a file with its own part of the table; monitor.c lists the parts.
 */
#ifndef CONTROL_MONITOR_H
#define CONTROL_MONITOR_H

#include <jansson.h>
#include <stdio.h>

#include "control/vm.h"

struct hmp;
struct qmp;

/* Words that could stand where Tab was pressed. */
struct mon_offer {
	void (*word)(struct mon_offer *o, const char *text); /* text is copied if it is kept */
	struct vm *vm;
	const char *typed;  /* the word so far */
	const char *before; /* the word in front of it; "" when there is none */
};

/* Classes of a QMP error, of which programs take note; the text is for people. */
enum qmp_class {
	QMP_GENERIC,
	QMP_COMMAND_NOT_FOUND,
	QMP_DEVICE_NOT_FOUND,
	QMP_DEVICE_NOT_ACTIVE,
	QMP_KVM_MISSING_CAP,
};

struct qmp_err {
	enum qmp_class class; /* QMP_GENERIC unless said otherwise */
	struct err e;
};

/* A member of QMP's "arguments". */
struct mon_arg {
	const char *name;
	enum { MON_STR, MON_BOOL, MON_INT, MON_LIST, MON_REST } type;
	bool optional;
	/* MON_REST (name "..."): any more members; the command looks at them. */
};

struct mon_cmd {
	/* As it is typed: "set_link", "info network". NULL: only programs have it. */
	const char *name;
	const char *args;				   /* for help; "" when there are none */
	const char *help;				   /* one line */
	unsigned nargs;					   /* words behind the name, at least */
	void (*run)(struct hmp *h, int argc, char **argv); /* argv[0]: the last word of name */
	/* In QMP: "set_link", "query-network". NULL: only people have it. */
	const char *qmp;
	const struct mon_arg *takes; /* ends with .name = NULL; NULL: no arguments */
	/* args: checked against `takes`, borrowed. A new reference, or NULL and *e. */
	json_t *(*answer)(struct qmp *q, json_t *args, struct qmp_err *e);
	/* Tab: offers words for argv[word], 1 being the first behind the name. May be NULL. */
	void (*complete)(struct mon_offer *o, unsigned word);
};

/* Command number i over all parts, NULL behind the last. */
const struct mon_cmd *mon_at(unsigned i);
/* By the name that is typed (QEMU's short forms too); NULL: none. */
const struct mon_cmd *mon_find(const char *name);
/* By QMP's name. */
const struct mon_cmd *mon_find_qmp(const char *name);

/* The whole table as Markdown, for the reference page. */
void mon_markdown(FILE *out);

/* --- the parts, each ends with a row of neither name: in the file of its name ------------------
 */

extern const struct mon_cmd hmp_cmds[];		/* hmp.c: help */
extern const struct mon_cmd mon_vm_cmds[];	/* mon_vm.c: the guest as a whole */
extern const struct mon_cmd mon_dev_cmds[];	/* mon_dev.c: devices and their kinds */
extern const struct mon_cmd hmp_net_cmds[];	/* hmp_net.c: cards and networks */
extern const struct mon_cmd hmp_info_cmds[];	/* hmp_info.c: what networks do */
extern const struct mon_cmd hmp_display_cmds[]; /* hmp_display.c: screen, keyboard, VNC server */
extern const struct mon_cmd hmp_block_cmds[];	/* hmp_block.c: disks and CD drives */
extern const struct mon_cmd qmp_cmds[];		/* qmp.c: the protocol's own */

/* --- for several parts --------------------------------------------------------------------------
 */

/* hmp_complete.c: offers the names of cards, or of everything else that has one. */
void mon_offer_cards(struct mon_offer *o);
void mon_offer_netdevs(struct mon_offer *o);
/* What may stand behind -device or -netdev: the kind, then names of its options. */
void mon_offer_options(struct mon_offer *o, const char *option);

#endif
