/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of `change`, a row of hmp_block.c, that is the VNC server's. */
#ifndef CONTROL_HMP_DISPLAY_H
#define CONTROL_HMP_DISPLAY_H

struct hmp;

void hmp_change_vnc(struct hmp *h, int argc, char **argv); /* change vnc password text */

#endif
