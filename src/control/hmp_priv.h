/* SPDX-License-Identifier: BSD-2-Clause */
/* The human monitor inside: hmp.c executes lines, hmp_edit.c is where they are typed. */
#ifndef CONTROL_HMP_PRIV_H
#define CONTROL_HMP_PRIV_H

#include "control/hmp.h"

#define HMP_LINE    1024
#define HMP_HISTORY 32

struct hmp {
	struct vm *vm;
	FILE *out; /* hmp_run(): what is printed goes here; else to c */
	struct chardev *c;
	unsigned user;

	char line[HMP_LINE];
	size_t len, cursor;
	unsigned char last; /* byte, for "\r\n" */
	unsigned esc;	    /* 1: ESC seen, 2: ESC [ seen */
	unsigned param;	    /* the number behind ESC [ */
	char *history[HMP_HISTORY];
	unsigned nhistory, at; /* at: entry shown, nhistory: the new line */
};

void hmp_put(struct hmp *h, const char *text, size_t len);
/* Executes a line, which is taken apart. */
void hmp_execute(struct hmp *h, char *line);
/* Offers what could stand at the end of the line in front of the cursor. Returns where the word
 * that is typed begins. hmp_complete.c */
size_t hmp_offer(const char *line, struct mon_offer *o);

#endif
