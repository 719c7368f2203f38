/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's `info` commands. Counters are read as they are (relaxed atomics); for structures
 * that the queue loops change, the loops are parked for the moment of looking.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "control/hmp.h"
#include "control/qmp_net.h"

struct sums {
	uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes, stalls, drops;
};

static uint64_t load(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static struct sums sum(const struct net_port *p)
{
	struct sums s = {0};

	for (unsigned q = 0; q < NET_QUEUES; q++) {
		s.tx_frames += load(&p->stats[q].tx_frames);
		s.tx_bytes += load(&p->stats[q].tx_bytes);
		s.rx_frames += load(&p->stats[q].rx_frames);
		s.rx_bytes += load(&p->stats[q].rx_bytes);
		s.stalls += load(&p->stats[q].tx_stalls);
		s.drops += load(&p->stats[q].drops);
	}
	return s;
}

static void print_stats(struct hmp *h, const char *indent, const struct net_port *p)
{
	struct sums s = sum(p);

	hmp_print(h,
		  "%ssent %" PRIu64 " frames, %" PRIu64 " bytes; received %" PRIu64
		  " frames, %" PRIu64 " bytes; stalled %" PRIu64 "; dropped %" PRIu64 "%s%s%s\n",
		  indent, s.tx_frames, s.tx_bytes, s.rx_frames, s.rx_bytes, s.stalls, s.drops,
		  s.drops && p->last_drop ? " (last: " : "",
		  s.drops && p->last_drop ? p->last_drop : "", s.drops && p->last_drop ? ")" : "");
}

/* "name: index=0,type=nic,model=…,link=up" */
static void print_port(struct hmp *h, const char *prefix, const struct net_port *p,
		       const struct vm_net *v)
{
	char info[256] = "";

	if (v && v->nic)
		snprintf(info, sizeof(info),
			 "model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x,driver=%s",
			 v->nic->model->name, v->nic->mac[0], v->nic->mac[1], v->nic->mac[2],
			 v->nic->mac[3], v->nic->mac[4], v->nic->mac[5], v->nic->model->driver);
	else if (p->ops->info)
		p->ops->info(p, info, sizeof(info));
	hmp_print(h, "%s%s: index=0,type=%s%s%s", prefix, p->name,
		  v && v->nic ? "nic" : p->ops->kind, info[0] ? "," : "", info);
	if (v && v->nic && v->nic->pairs)
		hmp_print(h, ",queues=%u,active=%u", v->nic->pairs, atomic_load(&v->nic->active));
	else if (p->peer && p->nqueues > 1)
		hmp_print(h, ",queues=%u", p->nqueues);
	hmp_print(h, ",link=%s\n", net_link_is_up(p) ? "up" : "down");
}

static void print_line(void *opaque, const char *text)
{
	hmp_print(opaque, "%s\n", text);
}

static void print_below(struct hmp *h, const struct net_port *p, const struct vm_net *v)
{
	const struct text_out out = {.line = print_line, .opaque = h};

	if (v && v->conf->kind == CONF_BACKEND && v->conf->backend->below)
		v->conf->backend->below(p, &out);
}

static void print_member(struct net_port *end, void *arg)
{
	struct hmp *h = arg;
	const struct vm_net *v;
	char prefix[64];

	snprintf(prefix, sizeof(prefix), " \\ %s: ", end->name);
	if (!end->peer) {
		hmp_print(h, " \\ %s: not connected\n", end->name);
		return;
	}
	v = vm_net_of(hmp_vm(h), end->peer);
	print_port(h, prefix, end->peer, v);
	print_stats(h, "     ", end->peer);
	print_below(h, end->peer, v);
}

/* Is p's peer a card or backend of the configuration (and not a hub's end)? */
static bool is_direct(struct vm *vm, const struct net_port *p)
{
	return !p->peer || vm_net_of(vm, p->peer);
}

static void info_network(struct hmp *h, int argc, char **argv)
{
	struct vm *vm = hmp_vm(h);

	(void)argc;
	(void)argv;
	vm_park(vm);
	for (unsigned i = 0; i < vm->nhubs; i++) {
		hmp_print(h, "hub %u\n", hub_id(vm->hubs[i]));
		hub_for_each(vm->hubs[i], print_member, h);
	}
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		const struct vm_net *v = &vm->net[i], *peer;

		if (!v->port || !is_direct(vm, v->port))
			continue;
		peer = vm_net_of(vm, v->port->peer);
		/* A backend is shown below its card. */
		if (!v->nic && peer && peer->nic)
			continue;
		print_port(h, "", v->port, v);
		print_stats(h, "     ", v->port);
		print_below(h, v->port, v);
		if (peer) {
			print_port(h, " \\ ", peer->port, peer);
			print_stats(h, "     ", peer->port);
			print_below(h, peer->port, peer);
		}
	}
	vm_unpark(vm);
}

static void info_sandbox(struct hmp *h, int argc, char **argv)
{
	const struct vm *vm = hmp_vm(h);

	(void)argc;
	(void)argv;
	sandbox_show(vm->sandboxed, vm->landlocked, print_line, h);
}

static void info_usernet(struct hmp *h, int argc, char **argv)
{
	struct vm *vm = hmp_vm(h);
	const struct text_out out = {.line = print_line, .opaque = h};
	unsigned shown = 0;

	(void)argc;
	(void)argv;
	vm_park(vm);
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		const struct vm_net *v = &vm->net[i];

		if (v->conf->kind != CONF_BACKEND || strcmp(v->conf->backend->name, "user") != 0 ||
		    !v->conf->backend->details)
			continue;
		hmp_print(h, "%s:\n", v->conf->id);
		v->conf->backend->details(v->port, &out);
		shown++;
	}
	vm_unpark(vm);
	if (!shown)
		hmp_print(h, "no user-mode network here: -net user makes one\n");
}

/* One line per port and queue in use. */
static void print_queues(struct hmp *h, const struct net_port *p)
{
	for (unsigned q = 0; q < NET_QUEUES; q++) {
		const struct net_stats *s = &p->stats[q];

		if (q >= MAX(p->nqueues, 1u))
			break;
		hmp_print(h,
			  "%-20s %u %10" PRIu64 " %14" PRIu64 " %10" PRIu64 " %14" PRIu64
			  " %8" PRIu64 " %8" PRIu64 "\n",
			  p->name, q, load(&s->tx_frames), load(&s->tx_bytes), load(&s->rx_frames),
			  load(&s->rx_bytes), load(&s->tx_stalls), load(&s->drops));
	}
}

static void info_stats(struct hmp *h, int argc, char **argv)
{
	struct vm *vm = hmp_vm(h);

	(void)argc;
	(void)argv;
	hmp_print(h, "%-20s %s %10s %14s %10s %14s %8s %8s\n", "port", "q", "sent", "bytes",
		  "received", "bytes", "stalled", "dropped");
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		if (vm->net[i].port)
			print_queues(h, vm->net[i].port);
	}
}

const struct mon_cmd hmp_info_cmds[] = {
	{"info network", "", "hubs, cards and backends with link and counters", 0, info_network,
	 "query-network", NULL, qmp_query_network},
	{"info netstats", "", "frame counters of every port and queue", 0, info_stats},
	{"info usernet", "", "the user-mode network: flows, forwards, counters", 0, info_usernet},
	{"info sandbox", "", "what vmwire's threads may do (-sandbox)", 0, info_sandbox},
	{NULL},
};
