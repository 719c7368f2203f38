/* SPDX-License-Identifier: BSD-2-Clause */
/* A TAP that a helper program makes, for users who may not: helper= and -netdev bridge (T6). */
#ifndef NET_BACKEND_TAP_HELPER_H
#define NET_BACKEND_TAP_HELPER_H

#include <stdint.h>

#include "base/err.h"
#include "net/port/port.h"

#define TAP_BRIDGE "br0" /* the bridge when nobody names one */

/*
 * Runs helper, which makes a TAP in bridge br and hands it over, and makes an unjoined port of it.
 * helper: a program, or, with a blank in it, a shell command; br: 1 to 15 characters; sndbuf: as in
 * struct tap_opts. Waits for the helper. Returns 0 or -errno with one line in e.
 */
int tap_open_helper(const char *helper, const char *br, uint64_t sndbuf, const char *id,
		    struct net_port **port, struct err *e);

/* The helper when nobody names one: ours, else QEMU's; ours again when there is neither. */
const char *tap_helper_default(void);

#endif
