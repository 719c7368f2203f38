/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a card's address the only one of its kind on the network that it joins (D5)?
 *
 * The bridge that the card's TAP is a port of knows who is behind which port. An address that is
 * behind another one, and that we have made up, is left alone, and the next one is tried; one that
 * the user chose stays, with a warning: the other one may be this guest's own past. That is a look,
 * not a proof: who has been silent for five minutes is not known.
 *
 * And a network that delivers to one address only (macvtap) is told the card's, or tells its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "control/vm.h"
#include "net/host/rtnl.h"

#define TRIES	  16u
#define MAC_TEXT  "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_OF(m) (m)[0], (m)[1], (m)[2], (m)[3], (m)[4], (m)[5]

/* --- which backends a card's frames can reach ------------------------------------------------- */

/* The hub that an entry is plugged into, by itself or by a hub port; CONFIG_NO_HUB: none. */
static int hub_of(const struct vm *vm, const struct conf_net *n)
{
	if (n->hub != CONFIG_NO_HUB)
		return n->hub;
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		const struct conf_net *h = &vm->conf->net[i];

		if (h->kind == CONF_HUBPORT && ((n->netdev && !strcmp(h->id, n->netdev)) ||
						(h->netdev && !strcmp(h->netdev, n->id))))
			return h->hub;
	}
	return CONFIG_NO_HUB;
}

static bool same_wire(const struct vm *vm, const struct conf_net *nic, const struct conf_net *back)
{
	int hub = hub_of(vm, nic);

	if (nic->netdev && !strcmp(nic->netdev, back->id))
		return true;
	return hub != CONFIG_NO_HUB && hub_of(vm, back) == hub;
}

/* --- the bridge ------------------------------------------------------------------------------- */

struct place {
	char port[HOST_NAME], bridge[HOST_NAME];
};

/* Is mac behind another port of the bridge that interface ifname is a port of? */
static bool elsewhere(const char *ifname, const uint8_t mac[6], struct place *where)
{
	struct err e;
	struct host_nl *nl = host_nl_open(&e);
	struct host_link link, bridge, port;
	struct host_fdb *list = NULL;
	bool found = false;
	int n = 0;

	if (nl && !host_link_get(nl, ifname, &link, &e) && !strcmp(link.port_of, "bridge") &&
	    !host_link_get_index(nl, link.master, &bridge, &e))
		n = host_bridge_fdb(nl, link.master, &list, &e);
	for (int i = 0; !found && i < n; i++) {
		if (memcmp(list[i].mac, mac, 6) != 0 || list[i].port == link.index ||
		    host_link_get_index(nl, list[i].port, &port, &e))
			continue;
		found = true;
		memcpy(where->port, port.name, HOST_NAME);
		memcpy(where->bridge, bridge.name, HOST_NAME);
	}
	free(list);
	host_nl_close(nl);
	return found;
}

/* A free address for the card, as far as the bridges of its wire know. */
static void look_at(struct vm *vm, struct vm_net *v, const struct vm_net *back)
{
	const char *ifname =
		back->conf->backend->ifname ? back->conf->backend->ifname(back->port) : NULL;
	struct conf_net *n = &vm->conf->net[v - vm->net];
	uint8_t *mac = ((struct nic_conf *)n->opts)->mac.b, was[6];
	struct place at;
	unsigned tries = 0;

	memcpy(was, mac, 6);
	while (ifname && elsewhere(ifname, mac, &at) && tries < TRIES) {
		tries++;
		if (!n->mac_made) {
			log_warn("%s: macaddr=" MAC_TEXT " is behind port %s of bridge %s already: "
				 "two of one address do not work; give another",
				 n->what, MAC_OF(mac), at.port, at.bridge);
			return;
		}
		config_next_mac(vm->conf, n);
	}
	if (tries)
		log_line("%s %s: its address would be " MAC_TEXT ", which is behind port %s of "
			 "bridge %s already; it is " MAC_TEXT " now",
			 n->what, n->id, MAC_OF(was), at.port, at.bridge, MAC_OF(mac));
}

/* --- all of it -------------------------------------------------------------------------------- */

static int claim(struct vm *vm, struct vm_net *v, const struct vm_net *back, bool chosen,
		 struct err *e)
{
	struct conf_net *n = &vm->conf->net[v - vm->net];
	uint8_t *mac = ((struct nic_conf *)n->opts)->mac.b;
	unsigned tries = 0;
	int rc;

	for (unsigned i = 0; i < vm->conf->nnet; i++)
		if (vm->net[i].nic && &vm->net[i] != v &&
		    same_wire(vm, vm->net[i].conf, back->conf))
			return err_set(e, EBUSY,
				       "%s delivers to one card only, and %s has it already: give "
				       "each its own",
				       back->conf->id, vm->net[i].conf->id);
	while ((rc = back->conf->backend->claim(back->port, mac, chosen, e)) == -EADDRINUSE &&
	       !chosen && tries++ < TRIES)
		config_next_mac(vm->conf, n);
	return rc;
}

int vm_mac_settle(struct vm *vm, struct vm_net *v, const struct vm_net *only, struct err *e)
{
	const struct conf_net *n = v->conf;
	bool fixed = only || !n->mac_made;
	int rc = 0;

	for (unsigned i = 0; !rc && i < vm->conf->nnet; i++) {
		const struct vm_net *back = &vm->net[i];

		if (!back->port || back->conf->kind != CONF_BACKEND ||
		    (only ? back != only : !same_wire(vm, n, back->conf)))
			continue;
		if (back->conf->backend->claim)
			rc = claim(vm, v, back, fixed, e);
		else if (!only)
			look_at(vm, v, back);
	}
	return rc ? err_prefix(e, "%s", n->what) : 0;
}
