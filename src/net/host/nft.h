/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nftables, by libnftables. A context holds the netlink socket that owns the tables made with
 * `flags owner`: they live as long as the context, whatever becomes of the process. It belongs to
 * the network namespace of the thread that opened it, and to one thread at a time.
 */
#ifndef NET_HOST_NFT_H
#define NET_HOST_NFT_H

#include "base/err.h"

struct host_nft;

/* Loads what the kernel needs. NULL: see e (no right to, no nf_tables). */
struct host_nft *host_nft_open(struct err *e);
void host_nft_close(struct host_nft *n); /* NULL is allowed */

/* Runs commands in the language of nft(8) as one transaction: all of it or nothing. */
int host_nft_run(struct host_nft *n, const char *text, struct err *e);

/* The answer to a command of nft(8), as it prints it; malloc'ed. NULL: see e. */
char *host_nft_text(struct host_nft *n, const char *command, struct err *e);
/* The same in JSON. Not for a table with an owner: libnftables 1.0.6 reads beyond the end of an
 * array for it, and may crash. */
char *host_nft_json(struct host_nft *n, const char *command, struct err *e);

#endif
