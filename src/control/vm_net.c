/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Assembly of the networks. What -net made meets on the hub of its number; a -netdev is joined
 * straight to the card that names it, with an event loop for each queue pair. A hub is one loop.
 * All joining is done before the loops' threads start, so nothing has to be parked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "control/cmdline.h"
#include "control/qmp.h"

int vm_net_start_loop(struct vm *vm, struct loop *l, struct err *e)
{
	int rc = loop_start(l, e);

	if (rc || !vm->sandboxed)
		return rc;
	rc = sandbox_loop(l, e);
	if (rc) {
		loop_stop(l);
		loop_join(l);
	}
	return rc;
}

struct loop *vm_loop_add(struct vm *vm, const char *name, struct err *e)
{
	struct loop **grown = realloc(vm->loops, (vm->nloops + 1) * sizeof(struct loop *));
	struct loop *l;

	if (!grown) {
		err_set(e, ENOMEM, "%s: out of memory", name);
		return NULL;
	}
	vm->loops = grown;
	l = loop_new(name, &vm->clock, e);
	if (l && vm->started && vm_net_start_loop(vm, l, e)) {
		loop_free(l);
		l = NULL;
	}
	if (l)
		vm->loops[vm->nloops++] = l;
	if (vm->started && vm->machine)
		accel_set_loops(machine_accel(vm->machine), vm->loops, vm->nloops);
	return l;
}

static bool in_use(struct vm *vm, const struct loop *l)
{
	if (vm_block_has_loop(vm, l))
		return true;
	for (unsigned i = 0; i < vm->nhubs; i++) {
		if (hub_loop(vm->hubs[i]) == l)
			return true;
	}
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		const struct net_port *p = vm->net[i].port;

		for (unsigned q = 0; p && p->peer && q < p->nqueues; q++) {
			if (p->loop[q] == l)
				return true;
		}
	}
	return false;
}

/* A loop for a wire that comes while the VM runs: one that has nothing to do, if there is. */
static struct loop *get_loop(struct vm *vm, const char *name, struct loop *const *taken,
			     unsigned ntaken, struct err *e)
{
	for (unsigned i = 0; vm->started && i < vm->nloops; i++) {
		bool mine = false;

		for (unsigned q = 0; q < ntaken; q++)
			mine |= taken[q] == vm->loops[i];
		if (!mine && !in_use(vm, vm->loops[i]))
			return vm->loops[i];
	}
	return vm_loop_add(vm, name, e);
}

struct hub *vm_net_hub(struct vm *vm, unsigned id, struct err *e)
{
	struct hub **grown;
	struct loop *l;
	char name[16];

	for (unsigned i = 0; i < vm->nhubs; i++) {
		if (hub_id(vm->hubs[i]) == id)
			return vm->hubs[i];
	}
	grown = realloc(vm->hubs, (vm->nhubs + 1) * sizeof(struct hub *));
	if (!grown) {
		err_set(e, ENOMEM, "hub %u: out of memory", id);
		return NULL;
	}
	vm->hubs = grown;
	snprintf(name, sizeof(name), "hub%u", id);
	l = vm_loop_add(vm, name, e);
	grown[vm->nhubs] = l ? hub_new(id, l, e) : NULL;
	return grown[vm->nhubs] ? grown[vm->nhubs++] : NULL;
}

struct vm_net *vm_net_find(struct vm *vm, const char *name)
{
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		if (vm->net[i].conf && !strcmp(vm->net[i].conf->id, name))
			return &vm->net[i];
	}
	return NULL;
}

struct vm_net *vm_net_of(struct vm *vm, const struct net_port *p)
{
	for (unsigned i = 0; p && i < vm->conf->nnet; i++) {
		if (vm->net[i].port == p)
			return &vm->net[i];
	}
	return NULL;
}

void vm_net_announce(struct vm_net *v, const struct net_announce_times *t)
{
	struct net_port *p = v->nic ? v->port : NULL;

	if (!p || !p->peer || !p->ops->announce)
		return;
	if (t)
		v->nic->announce.next = *t;
	p->ops->announce(p);
	v->nic->announce.next = (struct net_announce_times){0};
}

/* --- receive filters: NIC_RX_FILTER_CHANGED ------------------------------------------------- */

/* [q] Told once, until somebody has asked what it is now. */
static void on_filter(struct nic *n, void *opaque)
{
	const struct vm *vm = opaque;
	const uint64_t one = 1;

	if (!atomic_exchange(&n->filter_told, true)) {
		atomic_store(&n->filter_news, true);
		if (write(vm->newsfd, &one, sizeof(one)) < 0)
			log_warn("cannot wake the control loop: %s", strerror(errno));
	}
}

static void on_news(struct loop_fd *w, uint32_t events)
{
	struct vm *vm = container_of(w, struct vm, news_w);
	uint64_t n;

	(void)events;
	if (read(vm->newsfd, &n, sizeof(n)) < 0)
		return;
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		struct nic *nic = vm->net[i].nic;

		if (nic && atomic_exchange(&nic->filter_news, false))
			qmp_filter_changed(vm, &vm->net[i]);
	}
}

static int watch_filters(struct vm *vm, struct err *e)
{
	int rc;

	vm->newsfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = vm->newsfd < 0 ? -errno
			    : loop_add_fd(vm->control, &vm->news_w, vm->newsfd, EPOLLIN, on_news);
	return rc ? err_set(e, -rc, "no eventfd for the cards: %s; raise the open file limit",
			    strerror(-rc))
		  : 0;
}

/* --- assembly ------------------------------------------------------------------------------- */

int vm_net_open_one(struct vm *vm, struct vm_net *v, struct err *e)
{
	const struct conf_net *n = v->conf;
	int rc = 0;

	(void)vm;
	if (n->kind == CONF_BACKEND)
		rc = n->backend->open(n->opts, n->id, &v->port, e);
	return rc ? err_prefix(e, "%s", n->what) : 0;
}

int vm_net_open(struct vm *vm, struct err *e)
{
	vm->net = calloc(MAX(vm->conf->nnet, 1u), sizeof(*vm->net));
	if (!vm->net)
		return err_set(e, ENOMEM, "networks: out of memory");
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		int rc;

		vm->net[i].conf = &vm->conf->net[i];
		rc = vm_net_open_one(vm, &vm->net[i], e);
		if (rc)
			return rc;
	}
	return 0;
}

void vm_net_boot_path(const struct vm_net *v, char path[BOOT_PATH_MAX])
{
	machine_boot_pci(v->nic->pci, "ethernet", "/ethernet-phy@0", path);
}

int vm_net_make_nic(struct vm *vm, struct vm_net *v, struct err *e)
{
	const struct vm_net *to = v->conf->netdev ? vm_net_find(vm, v->conf->netdev) : NULL;
	struct nic_conf *conf = v->conf->opts;
	char path[BOOT_PATH_MAX];
	int rc = vm_mac_settle(vm, v, NULL, e);

	if (rc)
		return rc;
	if (to && to->port) {
		struct net_caps caps;

		to->port->ops->caps(to->port, &caps);
		conf->queues = caps.queues;
	}
	/* The card's name in the monitor is the one the configuration made. */
	if (!conf->id && cmd_keep(&conf->id, v->conf->id, e))
		return -ENOMEM;
	conf->own_rom = !vm->conf->kernel;
	conf->filter_changed = on_filter;
	conf->filter_opaque = vm;
	rc = v->conf->model->create(v->conf->opts, machine_pci(vm->machine), &v->nic, e);
	if (rc)
		return err_prefix(e, "%s", v->conf->what);
	v->port = &v->nic->port;
	if (conf->bootindex == NIC_NO_BOOTINDEX)
		return 0;
	vm_net_boot_path(v, path);
	rc = machine_boot_add(vm->machine, conf->bootindex, path, e);
	return rc ? err_prefix(e, "%s", v->conf->what) : 0;
}

/* One loop per queue pair that both ends have. */
int vm_net_loops(struct vm *vm, const struct vm_net *nic, const struct vm_net *back,
		 struct loop **loops, unsigned *n, struct err *e)
{
	struct net_caps a, b;
	unsigned count;

	nic->port->ops->caps(nic->port, &a);
	back->port->ops->caps(back->port, &b);
	count = MIN(MIN(a.queues, b.queues), (unsigned)NET_QUEUES);
	count = *n = MAX(count, 1u);
	for (unsigned q = 0; q < count; q++) {
		char name[16];

		snprintf(name, sizeof(name), "%.11s/%u", back->conf->id, q);
		loops[q] = get_loop(vm, name, loops, q, e);
		if (!loops[q])
			return -e->code;
	}
	return 0;
}

static int join_wire(struct vm *vm, struct vm_net *nic, struct vm_net *back, struct err *e)
{
	struct loop *loops[NET_QUEUES];
	unsigned n;
	int rc = vm_net_loops(vm, nic, back, loops, &n, e);

	return rc ? rc : net_join(nic->port, back->port, loops, n, e);
}

static int plug(struct vm *vm, int id, struct net_port *p, const char *name, struct err *e)
{
	struct hub *h = vm_net_hub(vm, (unsigned)id, e);

	return h ? hub_plug(h, p, name, e) : -e->code;
}

int vm_net_join_one(struct vm *vm, struct vm_net *v, struct err *e)
{
	const struct conf_net *c = v->conf;
	struct vm_net *to = c->netdev ? vm_net_find(vm, c->netdev) : NULL;
	int rc = 0;

	if (c->kind == CONF_HUBPORT) {
		/* Without netdev= it waits for the card that names it. */
		if (to)
			rc = plug(vm, c->hub, to->port, c->id, e);
	} else if (c->hub != CONFIG_NO_HUB) {
		rc = plug(vm, c->hub, v->port, NULL, e);
	} else if (to && to->conf->kind == CONF_HUBPORT) {
		rc = plug(vm, to->conf->hub, v->port, to->conf->id, e);
	} else if (to) {
		rc = join_wire(vm, v, to, e);
	}
	return rc ? err_prefix(e, "%s", c->what) : 0;
}

/* The hub that a card or backend is on, CONFIG_NO_HUB: none. */
static int hub_of(struct vm *vm, const struct conf_net *c)
{
	const struct vm_net *to = c->netdev ? vm_net_find(vm, c->netdev) : NULL;

	if (c->kind == CONF_NIC && to)
		return to->conf->kind == CONF_HUBPORT ? to->conf->hub : CONFIG_NO_HUB;
	for (unsigned i = 0; c->kind == CONF_BACKEND && i < vm->conf->nnet; i++) {
		const struct conf_net *h = &vm->conf->net[i];

		if (h->kind == CONF_HUBPORT && h->netdev && !strcmp(h->netdev, c->id))
			return h->hub;
	}
	return c->hub;
}

static bool on_wire(struct vm *vm, const struct conf_net *nic, const struct conf_net *back)
{
	int hub = hub_of(vm, back);

	if (nic->netdev && !strcmp(nic->netdev, back->id))
		return true;
	return hub != CONFIG_NO_HUB && hub_of(vm, nic) == hub;
}

static int tell_guests(struct vm *vm, const struct vm_net *back, struct err *e)
{
	struct net_guest *g = calloc(vm->conf->nnet, sizeof(*g));
	unsigned n = 0;
	int rc;

	if (!g)
		return err_set(e, ENOMEM, "%s: out of memory", back->conf->what);
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		const struct vm_net *v = &vm->net[i];

		if (!v->nic || !v->port || !on_wire(vm, v->conf, back->conf))
			continue;
		g[n].name = vm->conf->name ? vm->conf->name : v->conf->id;
		memcpy(g[n++].mac, v->nic->mac, sizeof(g->mac));
	}
	rc = back->conf->backend->guests(back->port, g, n, e);
	free(g);
	return rc ? err_prefix(e, "%s", back->conf->what) : 0;
}

int vm_net_guests(struct vm *vm, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < vm->conf->nnet; i++) {
		const struct vm_net *v = &vm->net[i];

		if (v->port && v->conf->kind == CONF_BACKEND && v->conf->backend->guests)
			rc = tell_guests(vm, v, e);
	}
	return rc;
}

/* What a hub has. */
struct census {
	struct vm *vm;
	unsigned nics, backends;
	const char *vhost; /* name of one that has it */
};

static void count_member(struct net_port *end, void *arg)
{
	struct census *c = arg;

	for (unsigned i = 0; i < c->vm->conf->nnet; i++) {
		if (end->peer && c->vm->net[i].port == end->peer) {
			c->nics += c->vm->net[i].nic != NULL;
			c->backends += c->vm->net[i].nic == NULL;
			if (end->peer->caps.vhost)
				c->vhost = end->peer->name;
		}
	}
}

/* A network that leads nowhere is legal and rarely meant. */
static void warn_lonely(struct vm *vm)
{
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		const struct vm_net *v = &vm->net[i];

		if (v->port && !v->port->peer)
			log_warn("%s %s has no peer", v->nic ? "nic" : "netdev", v->conf->id);
	}
	for (unsigned i = 0; i < vm->nhubs; i++) {
		struct census c = {.vm = vm};

		hub_for_each(vm->hubs[i], count_member, &c);
		if (!c.backends)
			log_warn("hub %u is not connected to host network", hub_id(vm->hubs[i]));
		else if (!c.nics && c.backends < 2)
			log_warn("hub %u with no nics", hub_id(vm->hubs[i]));
		if (c.vhost && c.nics + c.backends > 2)
			log_warn("hub %u has %u members: vhost=on of %s has no effect among more "
				 "than two; a card joined to it by -netdev tap,id=ID,vhost=on and "
				 "-device …,netdev=ID would have it",
				 hub_id(vm->hubs[i]), c.nics + c.backends, c.vhost);
	}
}

int vm_net_join(struct vm *vm, struct err *e)
{
	int rc = watch_filters(vm, e);

	for (unsigned i = 0; !rc && i < vm->conf->nnet; i++) {
		if (vm->net[i].conf->kind == CONF_NIC)
			rc = vm_net_make_nic(vm, &vm->net[i], e);
	}
	for (unsigned i = 0; !rc && i < vm->conf->nnet; i++)
		rc = vm_net_join_one(vm, &vm->net[i], e);
	if (!rc)
		rc = vm_net_guests(vm, e);
	if (!rc)
		warn_lonely(vm);
	return rc;
}

void vm_net_unjoin(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nhubs; i++)
		hub_free(vm->hubs[i]);
	vm->nhubs = 0;
	for (unsigned i = 0; vm->net && i < vm->conf->nnet; i++) {
		if (vm->net[i].port)
			net_unjoin(vm->net[i].port);
	}
}

void vm_net_close(struct vm *vm)
{
	for (unsigned i = 0; vm->net && i < vm->conf->nnet; i++) {
		struct vm_net *v = &vm->net[i];

		/* The cards went with the PCI bus. */
		if (v->port && v->conf->kind == CONF_BACKEND)
			v->port->ops->destroy(v->port);
	}
	for (unsigned i = 0; i < vm->nloops; i++)
		loop_free(vm->loops[i]);
	if (vm->newsfd >= 0) {
		loop_del_fd(vm->control, &vm->news_w);
		close(vm->newsfd);
		vm->newsfd = -1;
	}
	free(vm->net);
	free(vm->hubs);
	free(vm->loops);
	vm->net = NULL;
	vm->hubs = NULL;
	vm->loops = NULL;
	vm->nloops = 0;
}

void vm_park(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nloops; i++)
		loop_park(vm->loops[i]);
}

void vm_unpark(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nloops; i++)
		loop_unpark(vm->loops[i]);
}
