/* SPDX-License-Identifier: BSD-2-Clause */
/* Which firewalls of the host's may drop what guests send through it. */
#ifndef HOST_FIREWALL_H
#define HOST_FIREWALL_H

#include "base/err.h"

struct firewall {
	char who[64];	/* "docker", "ufw", "firewalld", "table ip filter" */
	char rule[192]; /* where: "chain ip filter FORWARD, policy drop" */
};

/* The chains that drop, in the text of `nft list ruleset`; how many, at most max. Pure. */
int firewall_find(const char *ruleset, struct firewall *f, int max);

/* The same of this host. -EPERM without root; 0 also when the kernel has no nf_tables. */
int firewall_list(struct firewall *f, int max, struct err *e);

#endif
