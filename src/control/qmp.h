/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QMP, the monitor for programs: commands and events as JSON objects over a character device. Each
 * monitor has one client at a time, which has negotiated capabilities or has not; several monitors
 * stand side by side. Everything happens on the control loop.
 */
#ifndef CONTROL_QMP_H
#define CONTROL_QMP_H

#include "control/monitor.h"

struct qmp;

/* c outlives the monitor. pretty: replies are laid out in lines. */
struct qmp *qmp_new(struct vm *vm, struct chardev *c, bool pretty, struct err *e);
void qmp_free(struct qmp *q); /* NULL is allowed */
struct vm *qmp_vm(struct qmp *q);

/* Tells all clients that are past negotiation; takes the reference to data, which may be NULL. */
void qmp_event(struct vm *vm, const char *name, json_t *data);

/* qmp_net.c: the events NIC_RX_FILTER_CHANGED and DEVICE_DELETED. */
void qmp_filter_changed(struct vm *vm, const struct vm_net *v);
void qmp_device_gone(struct vm *vm, const char *id);

/* For the commands. Fills e and returns NULL. */
json_t *qmp_fail(struct qmp_err *e, enum qmp_class class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* An empty object when rc is 0, else NULL: e->e is filled already. */
json_t *qmp_done(int rc);

#endif
