/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs a network interface of the host, told by the traces that each of them leaves under
 * /run, and which DHCP client holds its lease. Nothing is asked over D-Bus.
 */
#ifndef HOST_MANAGER_H
#define HOST_MANAGER_H

#include <stdbool.h>
#include <sys/types.h>

enum mgr_kind { MGR_NONE, MGR_NETWORKD, MGR_IFUPDOWN, MGR_NM };

struct manager {
	enum mgr_kind kind;
	char file[256];	 /* where its configuration of the link stands; "": not known */
	char lease[256]; /* networkd: file of its DHCP lease; "": none */
	char client[32]; /* a DHCP client of its own on the link: dhclient, dhcpcd, udhcpc; "" */
	pid_t client_pid;
};

const char *mgr_name(enum mgr_kind kind);

/* root: "" or the directory that stands for / (tests). Never fails: what is not found is none. */
void mgr_find(const char *root, const char *link, int index, struct manager *m);

/* The dhclient of `from` is asked to end, which keeps its lease and the addresses; another goes on
 * with the same lease for `to`. 0 or -errno. */
int mgr_move_dhclient(const struct manager *m, const char *from, const char *to);

#endif
