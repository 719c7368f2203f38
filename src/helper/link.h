/* SPDX-License-Identifier: BSD-2-Clause */
/* The TAP that becomes a port of a bridge. */
#ifndef HELPER_LINK_H
#define HELPER_LINK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes a TAP (tapN, with IFF_VNET_HDR if vnet and the kernel has it), joins it to bridge br and
 * brings it up. Returns its descriptor; it is gone when that is closed. -1: why has one line.
 */
int link_make(const char *br, bool vnet, char *why, size_t size);

#endif
