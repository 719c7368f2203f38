/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers for the monitor's tables; as in struct hmp_cmd. */
#ifndef CONTROL_HMP_BLOCK_H
#define CONTROL_HMP_BLOCK_H

struct hmp;

void hmp_info_block(struct hmp *h, int argc, char **argv); /* info block [drive] */
void hmp_eject(struct hmp *h, int argc, char **argv);	   /* eject [-f] drive */
void hmp_change(struct hmp *h, int argc, char **argv);	   /* change drive file [format] */

#endif
