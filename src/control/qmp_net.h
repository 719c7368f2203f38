/* SPDX-License-Identifier: BSD-2-Clause */
/* QMP's side of the commands on cards and networks; their rows are in hmp_net.c and hmp_info.c. */
#ifndef CONTROL_QMP_NET_H
#define CONTROL_QMP_NET_H

#include "control/qmp.h"

json_t *qmp_set_link(struct qmp *q, json_t *args, struct qmp_err *e);
json_t *qmp_device_add(struct qmp *q, json_t *args, struct qmp_err *e);
json_t *qmp_device_del(struct qmp *q, json_t *args, struct qmp_err *e);
json_t *qmp_netdev_add(struct qmp *q, json_t *args, struct qmp_err *e);
json_t *qmp_netdev_del(struct qmp *q, json_t *args, struct qmp_err *e);
json_t *qmp_announce(struct qmp *q, json_t *args, struct qmp_err *e);
json_t *qmp_query_rx_filter(struct qmp *q, json_t *args, struct qmp_err *e);
json_t *qmp_query_network(struct qmp *q, json_t *args, struct qmp_err *e);

/*
 * {"driver": "e1000", "id": "c0", "hostfwd": [{"str": "…"}]} as a command line has it: the value
 * of `first`, then name=value for each other member, commas doubled; a list gives its member
 * several times. The text is to be freed; NULL and e when a value cannot be written so.
 */
char *qmp_options(json_t *args, const char *first, const char *what, struct err *e);

#endif
