/* SPDX-License-Identifier: BSD-2-Clause */
/* The human monitor: a line at a time over a character device, or one line for a program. Its
 * commands are in the table of monitor.h. */
#ifndef CONTROL_HMP_H
#define CONTROL_HMP_H

#include "control/monitor.h"

struct hmp;

/* Reads from and writes to c as its user number `user` (1 on a mux). c outlives the monitor. */
struct hmp *hmp_new(struct vm *vm, struct chardev *c, unsigned user, struct err *e);
void hmp_free(struct hmp *h); /* NULL is allowed */

/* Executes one line; returns what it printed (with "\r\n"), to be freed; NULL: out of memory. */
char *hmp_run(struct vm *vm, const char *line);

/* For the commands. Prints to the monitor; a "\n" goes out as "\r\n". */
void hmp_print(struct hmp *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void hmp_error(struct hmp *h, int rc, const struct err *e); /* prints e, if rc is not 0 */
struct vm *hmp_vm(struct hmp *h);

#endif
