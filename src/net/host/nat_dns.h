/* SPDX-License-Identifier: BSD-2-Clause */
/* A NAT network's dnsmasq: DHCP, DHCPv6, router advertisements, DNS. One thread. */
#ifndef NET_HOST_NAT_DNS_H
#define NET_HOST_NAT_DNS_H

#include <sys/types.h>

#include "net/host/nat.h"

/* --- texts; pure. malloc'ed, NULL when memory is out ------------------------------------------ */

/* dnsmasq.conf; dir: where the files below are. */
char *nat_dns_conf(const struct nat_net *net, const char *dir);
/* "dhcp-hosts": who gets which address and name, by MAC. */
char *nat_dns_reservations(const struct nat_card *cards, unsigned n);
/* "hosts": the cards' names. */
char *nat_dns_names(const struct nat_card *cards, unsigned n);

/* --- files and process ------------------------------------------------------------------------ */

struct nat_dns {
	const struct nat_net *net;
	const char *dir; /* of its files; both outlive this */
	pid_t pid;	 /* 0: it does not run */
	int err;	 /* what it says on stderr; non-blocking */
};

/* Writes the configuration and starts it. Waits until it answers; it dies with the caller. */
int nat_dns_start(struct nat_dns *d, const struct nat_card *cards, unsigned n, struct err *e);
/* Writes the cards' files again and has it read them. */
int nat_dns_update(struct nat_dns *d, const struct nat_card *cards, unsigned n, struct err *e);
/* The card has gone: ends its lease, with which its name would stay. */
void nat_dns_release(const struct nat_dns *d, const struct nat_card *card);
/* It has ended by itself (SIGCHLD): notes that and puts its last words into e. */
void nat_dns_ended(struct nat_dns *d, struct err *e);
void nat_dns_stop(struct nat_dns *d);
/* Removes its files. */
void nat_dns_clean(const char *dir);

#endif
