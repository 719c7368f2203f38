/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cards and networks that come and go while the guest runs.
 *
 * An entry of the configuration and what became of it (struct vm_net) come and go together; both
 * lists move in memory when they do, so nothing keeps a pointer into them.
 *
 * A card comes like one of the command line: made, joined, and only then is the guest told. It
 * goes in two steps. The guest is asked; when it ejects the card, or is reset, the card's wire is
 * taken apart with the loops parked (no batch is under way), then the card goes off the bus and is
 * freed. Parked loops and the bus lock exclude each other: a vCPU that has the lock may be waiting
 * for a loop. The backend stays, without a peer, for the next card; a hub's end goes with the card.
 *
 * Loops that a wire leaves behind are kept for the next one: an idle loop costs nothing but its
 * stack, and no backend can be left with a pointer to a loop that is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "control/cmdline.h"
#include "control/qmp.h"

#define ASK_AGAIN_NS (5 * NS_PER_S) /* as in QEMU: a guest that did nothing may be asked again */

/* --- entries -------------------------------------------------------------------------------- */

static void refer(struct vm *vm)
{
	for (unsigned i = 0; i < vm->conf->nnet; i++)
		vm->net[i].conf = &vm->conf->net[i];
}

/* Frees entry i, whose card and port are gone. */
static void forget(struct vm *vm, unsigned i)
{
	config_net_remove(vm->conf, i);
	memmove(&vm->net[i], &vm->net[i + 1], (vm->conf->nnet - i) * sizeof(*vm->net));
	refer(vm);
}

/* After cmd_device() or cmd_netdev(): what it added becomes an entry here. */
static int take_in(struct vm *vm, unsigned before, int rc, struct err *e)
{
	struct vm_net *grown;

	if (rc == CMDLINE_RUN)
		rc = config_finish_net(vm->conf, e);
	if (rc == 0) {
		grown = realloc(vm->net, vm->conf->nnet * sizeof(*grown));
		if (grown)
			vm->net = grown;
		else
			rc = err_set(e, ENOMEM, "%s: out of memory", vm->conf->net[before].what);
	}
	if (rc) {
		while (vm->conf->nnet > before)
			config_net_remove(vm->conf, vm->conf->nnet - 1);
	} else {
		vm->net[before] = (struct vm_net){0};
	}
	/* The configuration's list may have moved either way. */
	refer(vm);
	return rc;
}

/* Takes a port off its wire; the end of a hub that it was joined to goes. */
static void unwire(struct vm *vm, struct net_port *p)
{
	struct net_port *peer = p->peer;

	vm_park(vm);
	net_unjoin(p);
	if (peer && !vm_net_of(vm, peer))
		peer->ops->destroy(peer);
	vm_unpark(vm);
}

static struct conf_net *user_of(struct vm *vm, const char *netdev)
{
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		struct conf_net *n = &vm->conf->net[i];

		if (n->netdev && !strcmp(n->netdev, netdev))
			return n;
	}
	return NULL;
}

static int no_such(struct vm *vm, const char *cmd, const char *id, bool nic, struct err *e)
{
	const char *ids[64], *near;
	unsigned n = 0;

	for (unsigned i = 0; i < vm->conf->nnet && n < 63; i++) {
		if ((vm->conf->net[i].kind == CONF_NIC) == nic)
			ids[n++] = vm->conf->net[i].id;
	}
	ids[n] = NULL;
	near = opt_suggest(id, ids);
	return err_set(e, ENOENT, "%s: there is no %s %.60s: %s%s%s", cmd, nic ? "card" : "netdev",
		       id, near ? "did you mean " : "info network shows the names",
		       near ? near : "", near ? "?" : "");
}

static int find(struct vm *vm, const char *cmd, const char *id, bool nic, struct vm_net **out,
		struct err *e)
{
	struct vm_net *v = vm_net_find(vm, id);

	*out = v;
	if (!v)
		return no_such(vm, cmd, id, nic, e);
	if ((v->conf->kind == CONF_NIC) == nic)
		return 0;
	return err_set(e, EINVAL, "%s: %.60s is a %s: %s", cmd, id, nic ? "netdev" : "card",
		       nic ? "give the name of a card" : "give the name of a netdev");
}

/* --- cards ---------------------------------------------------------------------------------- */

static void remove_card(struct vm *vm, unsigned i)
{
	struct vm_net *v = &vm->net[i];
	struct err e;

	if (v->port) {
		struct pci_dev *d = v->nic->pci;
		unsigned slot = d->devfn >> 3;
		char path[BOOT_PATH_MAX];

		unwire(vm, v->port);
		vm_net_boot_path(v, path);
		machine_boot_del(vm->machine, path);
		v->port = NULL;
		pci_remove(d);
		machine_unplugged(vm->machine, slot);
	}
	forget(vm, i);
	if (vm_net_guests(vm, &e))
		log_warn("%s", e.text);
}

static int plug_in(struct vm *vm, struct vm_net *v, struct err *e)
{
	const struct nic_conf *conf = v->conf->opts;
	int rc;

	if (conf->devfn > 0 && conf->devfn & 7)
		return err_set(e, EINVAL,
			       "%s: addr=%x.%x: a slot is plugged in as a whole: leave the "
			       "function out",
			       v->conf->what, (unsigned)conf->devfn >> 3, conf->devfn & 7u);
	rc = vm_net_make_nic(vm, v, e);
	if (!rc)
		rc = vm_net_join_one(vm, v, e);
	return rc ? rc : vm_net_guests(vm, e);
}

int vm_device_add(struct vm *vm, const char *arg, FILE *out, struct err *e)
{
	unsigned i = vm->conf->nnet;
	int rc = cmd_device(vm->conf, "device_add", arg, out, e);
	bool listed = rc == CMDLINE_DONE;

	rc = take_in(vm, i, rc, e);
	if (rc)
		return listed ? 0 : rc;
	rc = plug_in(vm, &vm->net[i], e);
	if (rc)
		remove_card(vm, i);
	else
		machine_plugged(vm->machine, vm->net[i].nic->pci);
	return rc;
}

int vm_device_del(struct vm *vm, const char *id, struct err *e)
{
	struct vm_net *v;
	int rc = find(vm, "device_del", id, true, &v, e);
	uint64_t now = clock_now(&vm->clock) + 1; /* 0 says: not asked */

	if (rc)
		return rc;
	if (v->asked && now - v->asked < ASK_AGAIN_NS)
		return err_set(e, EBUSY,
			       "device_del: the removal of %.60s is pending: the guest was asked "
			       "%u s ago; it may be asked again after %u s, and system_reset "
			       "removes it",
			       id, (unsigned)((now - v->asked) / NS_PER_S),
			       (unsigned)(ASK_AGAIN_NS / NS_PER_S));
	v->asked = now;
	machine_ask_unplug(vm->machine, v->nic->pci);
	return 0;
}

void vm_unplug(void *opaque, uint32_t slots)
{
	struct vm *vm = opaque;

	for (unsigned i = vm->conf->nnet; i--;) {
		char id[64];

		if (!vm->net[i].nic || !(slots >> (vm->net[i].nic->pci->devfn >> 3) & 1))
			continue;
		snprintf(id, sizeof(id), "%s", vm->net[i].conf->id);
		remove_card(vm, i);
		qmp_device_gone(vm, id);
	}
}

/* --- networks ------------------------------------------------------------------------------- */

int vm_netdev_add(struct vm *vm, const char *arg, FILE *out, struct err *e)
{
	unsigned i = vm->conf->nnet;
	int rc = cmd_netdev(vm->conf, "netdev_add", arg, out, e);
	bool listed = rc == CMDLINE_DONE;

	rc = take_in(vm, i, rc, e);
	if (rc)
		return listed ? 0 : rc;
	rc = vm_net_open_one(vm, &vm->net[i], e);
	if (!rc && vm->net[i].conf->kind == CONF_HUBPORT)
		rc = vm_net_join_one(vm, &vm->net[i], e);
	if (rc)
		forget(vm, i);
	return rc;
}

int vm_netdev_del(struct vm *vm, const char *id, struct err *e)
{
	const struct conf_net *user;
	struct vm_net *v, *member;
	int rc = find(vm, "netdev_del", id, false, &v, e);

	if (rc)
		return rc;
	if (v->conf->kind == CONF_BACKEND && v->conf->hub != CONFIG_NO_HUB)
		return err_set(e, EINVAL,
			       "netdev_del: %.60s is of %s: only a -netdev can be removed", id,
			       v->conf->what);
	user = user_of(vm, id);
	if (user)
		return err_set(e, EBUSY, "netdev_del: %.60s is in use by %.60s: %s %.60s first", id,
			       user->id, user->kind == CONF_NIC ? "device_del" : "netdev_del",
			       user->id);
	/* A hub port that plugs a backend in: its end goes, the backend stays. */
	member = v->conf->netdev ? vm_net_find(vm, v->conf->netdev) : NULL;
	if (member && member->port)
		unwire(vm, member->port);
	if (v->port && v->conf->backend->leave)
		v->conf->backend->leave(v->port);
	if (v->port) {
		vm_park(vm);
		v->port->ops->destroy(v->port);
		vm_unpark(vm);
	}
	forget(vm, (unsigned)(v - vm->net));
	return 0;
}

/* --- another network for a card ------------------------------------------------------------- */

/* to is a hub port: a new end of its hub, on its loop. */
static int move_to_hub(struct vm *vm, struct vm_net *nic, struct vm_net *to, struct net_port **old,
		       struct err *e)
{
	struct hub *h = vm_net_hub(vm, (unsigned)to->conf->hub, e);
	struct loop *l = h ? hub_loop(h) : NULL;
	struct net_port *end;
	int rc;

	if (!h)
		return -e->code;
	vm_park(vm);
	end = hub_end(h, to->conf->id, e);
	rc = end ? net_rejoin(nic->port, end, &l, 1, old, e) : -e->code;
	if (end && rc)
		end->ops->destroy(end);
	vm_unpark(vm);
	return rc;
}

static int move_to_backend(struct vm *vm, struct vm_net *nic, struct vm_net *to,
			   struct net_port **old, struct err *e)
{
	struct loop *loops[NET_QUEUES];
	struct net_caps card, back;
	unsigned n;
	int rc;

	/* From backend to backend the card keeps its loops, and loses nothing at all; unless one
	 * has more queues than the other. */
	nic->port->ops->caps(nic->port, &card);
	to->port->ops->caps(to->port, &back);
	if (vm_net_of(vm, nic->port->peer) && MIN(card.queues, back.queues) == nic->port->nqueues)
		return net_replug(nic->port, to->port, old, e);
	rc = vm_net_loops(vm, nic, to, loops, &n, e);
	return rc ? rc : net_rejoin(nic->port, to->port, loops, n, old, e);
}

int vm_netdev_replug(struct vm *vm, const char *nic, const char *netdev, struct err *e)
{
	struct vm_net *v, *to;
	struct conf_net *n;
	struct net_port *old = NULL;
	char *id = NULL;
	int rc = find(vm, "netdev_replug", nic, true, &v, e);

	if (!rc)
		rc = find(vm, "netdev_replug", netdev, false, &to, e);
	if (rc)
		return rc;
	n = user_of(vm, netdev);
	if (n)
		return err_set(e, EBUSY, "netdev_replug: %.60s is in use by %.60s", netdev, n->id);
	rc = config_check_netdev(vm->conf, v->conf, netdev, e);
	if (!rc)
		rc = vm_mac_settle(vm, v, to, e);
	if (!rc)
		rc = cmd_keep(&id, netdev, e);
	if (!rc && to->conf->kind == CONF_HUBPORT)
		rc = move_to_hub(vm, v, to, &old, e);
	else if (!rc)
		rc = move_to_backend(vm, v, to, &old, e);
	if (rc) {
		free(id);
		return err_prefix(e, "netdev_replug");
	}
	n = &vm->conf->net[v - vm->net];
	free(n->netdev);
	n->netdev = id;
	n->hub = CONFIG_NO_HUB;
	vm_park(vm);
	if (old && !vm_net_of(vm, old))
		old->ops->destroy(old);
	vm_unpark(vm);
	return vm_net_guests(vm, e);
}
