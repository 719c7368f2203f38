/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the holder of a NAT network changes on the host: its bridge, its folder under /run, and
 * switches of the kernel. All with the lock held, one thread.
 */
#ifndef NET_HOST_NAT_HOST_H
#define NET_HOST_NAT_HOST_H

#include "net/host/nat.h"
#include "net/host/nft.h"
#include "net/host/rtnl.h"

#define NAT_RUN	 "/run/vmwire"
#define NAT_PATH 96 /* bytes of a path in it, with the final 0 */

/*
 * The network's folder: NAT_RUN/NAME, in another network namespace than that of process 1
 * NAT_RUN/NAME@INODE.
 */
void nat_dir(const char *name, char dir[NAT_PATH]);

/* Makes NAT_RUN and locks it; whoever makes or removes a network holds it. A descriptor that
 * unlocks when it is closed, or -errno. */
int nat_lock(struct err *e);

/* Connects to the holder of the network in dir. A descriptor, or -errno. */
int nat_connect(const char *dir);

/* Makes the folder and a socket in it that listens. A descriptor, or -errno. */
int nat_listen(const char *dir, struct err *e);

/* Removes the network's folder and what we put there. */
void nat_dir_remove(const char *dir);

/* Clears what networks of this network namespace have left behind that have neither holder nor
 * guests any more, except `mine`, of which only files and rules go. */
void nat_sweep(struct host_nl *nl, struct host_nft *nft, const char *mine);

/* How many other networks of this network namespace have a holder. */
unsigned nat_others(const char *mine);

/*
 * Makes the bridge with its addresses, up; completes *net (subnet, IPv6). A bridge of ours that has
 * ports, whose holder has died, is taken over as it is. Returns its index.
 */
int nat_bridge_up(struct host_nl *nl, struct nat_net *net, struct err *e);
void nat_bridge_down(struct host_nl *nl, int index);

/* Has the kernel forward what the network needs. Notes what it has changed under NAT_RUN. */
int nat_forwarding_on(struct host_nl *nl, const struct nat_net *net, struct err *e);
/* Puts back what was changed; what somebody else has changed since stays. back false: all stays as
 * it is, and is somebody else's from now on. */
void nat_forwarding_off(bool back);
/* Did we change anything? */
bool nat_forwarding_changed(void);

/* The link that the default route of IPv4 (or IPv6) leads to. False: none. */
bool nat_uplink(struct host_nl *nl, char name[NAT_NAME]);

/* Do bridged frames go through the host's firewall (br_netfilter)? */
bool nat_bridge_nf(void);

/* Writes a switch of the kernel's below /proc/sys/net. 0 or -errno. */
int nat_sysctl(const char *path, const char *value);

#endif
