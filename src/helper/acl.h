/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: which bridges may be joined (bridge.conf). */
#ifndef HELPER_ACL_H
#define HELPER_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * May bridge br be used, by the rules in the file at path, which must be a regular file of owner's
 * that nobody else can write? True: yes. False: no, or the rules cannot be trusted or understood;
 * why gets the reason.
 */
bool acl_allows(const char *path, const char *br, uid_t owner, char *why, size_t size);

#endif
