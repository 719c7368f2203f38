/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QMP's commands on cards and networks. Options go the way of the command line, as text through
 * the option tables, so that a program meets the same names, limits and messages as a person does.
 */
#include "control/qmp_net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* --- options as text ----------------------------------------------------------------------------
 */

static void put_text(FILE *f, const char *text)
{
	for (; *text; text++)
		fprintf(f, *text == ',' ? ",," : "%c", *text);
}

/* One value that is neither list nor object. */
static bool put_value(FILE *f, const json_t *v)
{
	if (json_is_string(v))
		put_text(f, json_string_value(v));
	else if (json_is_boolean(v))
		fputs(json_is_true(v) ? "on" : "off", f);
	else if (json_is_integer(v))
		fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		return false;
	return true;
}

/* QAPI wraps the strings of some lists: {"str": "tcp::2222-:22"}. */
static const json_t *unwrap(const json_t *v)
{
	return json_is_object(v) && json_object_size(v) == 1 ? json_object_get(v, "str") : v;
}

static bool put_member(FILE *f, const char *name, const json_t *v)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(v)) {
		fprintf(f, ",%s=", name);
		return put_value(f, v);
	}
	json_array_foreach(v, i, item)
	{
		fprintf(f, ",%s=", name);
		if (!put_value(f, unwrap(item)))
			return false;
	}
	return true;
}

char *qmp_options(json_t *args, const char *first, const char *what, struct err *e)
{
	const char *name, *bad = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	json_t *v;

	if (!f) {
		err_set(e, ENOMEM, "%s: out of memory", what);
		return NULL;
	}
	put_value(f, json_object_get(args, first));
	json_object_foreach(args, name, v)
	{
		if (strcmp(name, first) != 0 && !bad &&
		    (!*name || strpbrk(name, ",=") || !put_member(f, name, v)))
			bad = name;
	}
	if (!fclose(f) && !bad)
		return text;
	free(text);
	err_set(e, bad ? EINVAL : ENOMEM,
		bad ? "%s: %s%.60s must be a string, a number, a boolean or a list of strings"
		    : "%s: out of memory",
		what, "", bad);
	return NULL;
}

/* --- cards and networks -------------------------------------------------------------------------
 */

static const char *string(json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

/* Words of an option list that ask for help; a program has the reference, and lists of its own. */
static json_t *no_help(struct qmp_err *e, const char *what)
{
	return qmp_fail(e, QMP_GENERIC,
			"%s: help is for people: device-list-properties and the reference list "
			"what there is",
			what);
}

static json_t *add(struct qmp *q, json_t *args, const char *first, const char *what,
		   int (*fn)(struct vm *vm, const char *arg, FILE *out, struct err *e),
		   struct qmp_err *e)
{
	const char *kind = string(args, first);
	char *text, *list = NULL;
	size_t len;
	FILE *out;
	int rc;

	if (!*kind || strpbrk(kind, ",="))
		return qmp_fail(e, QMP_GENERIC, "%s: %s=%.60s is no name of a kind", what, first,
				kind);
	text = qmp_options(args, first, what, &e->e);
	out = text ? open_memstream(&list, &len) : NULL;
	if (!out) {
		free(text);
		return NULL;
	}
	rc = fn(qmp_vm(q), text, out, &e->e);
	free(text);
	/* A list was asked for, and nothing was added. */
	if (fclose(out) || len) {
		free(list);
		return no_help(e, what);
	}
	free(list);
	return qmp_done(rc);
}

json_t *qmp_device_add(struct qmp *q, json_t *args, struct qmp_err *e)
{
	if (!qmp_vm(q)->machine)
		return qmp_fail(e, QMP_GENERIC, "device_add: -machine none has no guest");
	return add(q, args, "driver", "device_add", vm_device_add, e);
}

json_t *qmp_netdev_add(struct qmp *q, json_t *args, struct qmp_err *e)
{
	return add(q, args, "type", "netdev_add", vm_netdev_add, e);
}

/* As the functions of vm_plug.c say it: what is not there, and all else. */
static json_t *done(int rc, struct qmp_err *e)
{
	if (rc == -ENOENT)
		e->class = QMP_DEVICE_NOT_FOUND;
	return qmp_done(rc);
}

json_t *qmp_device_del(struct qmp *q, json_t *args, struct qmp_err *e)
{
	return done(vm_device_del(qmp_vm(q), string(args, "id"), &e->e), e);
}

json_t *qmp_netdev_del(struct qmp *q, json_t *args, struct qmp_err *e)
{
	return done(vm_netdev_del(qmp_vm(q), string(args, "id"), &e->e), e);
}

json_t *qmp_set_link(struct qmp *q, json_t *args, struct qmp_err *e)
{
	struct vm *vm = qmp_vm(q);
	const char *name = string(args, "name");
	struct vm_net *v = vm_net_find(vm, name);

	if (!v || !v->port)
		return qmp_fail(e, QMP_DEVICE_NOT_FOUND,
				"set_link: %.60s is not there: query-network shows the names",
				name);
	vm_park(vm);
	net_set_link(v->port, json_is_true(json_object_get(args, "up")));
	vm_unpark(vm);
	return json_object();
}

/* --- announce-self
 * -------------------------------------------------------------------------------- */

/* Reads a number of ms (or of rounds) between 1 and max. */
static bool number(json_t *args, const char *name, json_int_t max, uint32_t *out, struct qmp_err *e)
{
	json_int_t n = json_integer_value(json_object_get(args, name));

	*out = (uint32_t)n;
	if (n >= 1 && n <= max)
		return true;
	qmp_fail(e, QMP_GENERIC,
		 "announce-self: %s=%" JSON_INTEGER_FORMAT
		 " is out of range: give 1 to %" JSON_INTEGER_FORMAT,
		 name, n, max);
	return false;
}

json_t *qmp_announce(struct qmp *q, json_t *args, struct qmp_err *e)
{
	struct vm *vm = qmp_vm(q);
	json_t *list = json_object_get(args, "interfaces"), *item;
	struct net_announce_times t;
	size_t n;

	if (!number(args, "initial", 100000, &t.initial_ms, e) ||
	    !number(args, "max", 100000, &t.max_ms, e) ||
	    !number(args, "rounds", 1000, &t.rounds, e) ||
	    !number(args, "step", 10000, &t.step_ms, e))
		return NULL;
	json_array_foreach(list, n, item)
	{
		const char *name = json_is_string(item) ? json_string_value(item) : "";
		const struct vm_net *v = vm_net_find(vm, name);

		if (!v || !v->nic)
			return qmp_fail(e, QMP_DEVICE_NOT_FOUND,
					"announce-self: %.60s is no card: query-network shows the "
					"names",
					name);
	}
	vm_park(vm);
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		bool wanted = !list;

		json_array_foreach(list, n, item) wanted |=
			!strcmp(json_string_value(item), vm->conf->net[i].id);
		if (wanted)
			vm_net_announce(&vm->net[i], &t);
	}
	vm_unpark(vm);
	return json_object();
}

/* --- query-rx-filter
 * ------------------------------------------------------------------------------ */

static json_t *mac_text(const uint8_t mac[6])
{
	return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			    mac[5]);
}

static json_t *mac_table(const uint8_t (*mac)[6], unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, mac_text(mac[i]));
	return list;
}

static const char *how(enum nic_pass p)
{
	return p == NIC_PASS_NONE ? "none" : p == NIC_PASS_ALL ? "all" : "normal";
}

static json_t *filter(const struct vm_net *v)
{
	struct nic_rx_filter f = {.promisc = false};
	json_t *vlans = json_array();

	v->nic->model->rx_filter(v->nic, &f);
	for (unsigned i = 0; f.vlans != NIC_PASS_ALL && i < 4096; i++) {
		if (f.vlan[i / 32] >> i % 32 & 1)
			json_array_append_new(vlans, json_integer(i));
	}
	return json_pack("{s:s, s:b, s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:o}", "name",
			 v->conf->id, "promiscuous", f.promisc, "multicast", how(f.multi),
			 "unicast", how(f.uni), "vlan", how(f.vlans), "broadcast-allowed",
			 f.broadcast, "multicast-overflow", f.multi_overflow, "unicast-overflow",
			 f.uni_overflow, "main-mac", mac_text(f.mac), "vlan-table", vlans,
			 "unicast-table", mac_table(f.table, f.nuni), "multicast-table",
			 mac_table(f.table + f.nuni, f.nmulti));
}

json_t *qmp_query_rx_filter(struct qmp *q, json_t *args, struct qmp_err *e)
{
	struct vm *vm = qmp_vm(q);
	const char *name = string(args, "name");
	const struct vm_net *v = name ? vm_net_find(vm, name) : NULL;
	json_t *list;

	if (name && (!v || !v->nic))
		return qmp_fail(e, QMP_GENERIC,
				"query-rx-filter: %.60s is no card: query-network shows the names",
				name);
	if (v && !v->nic->model->rx_filter)
		return qmp_fail(
			e, QMP_GENERIC,
			"query-rx-filter: %.60s is a %s: only virtio cards tell their filter", name,
			v->nic->model->name);
	list = json_array();
	vm_park(vm);
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		v = &vm->net[i];
		if (!v->nic || !v->nic->model->rx_filter ||
		    (name && strcmp(name, v->conf->id) != 0))
			continue;
		json_array_append_new(list, filter(v));
		/* The next change is news again. */
		atomic_store(&v->nic->filter_told, false);
	}
	vm_unpark(vm);
	return list;
}

void qmp_filter_changed(struct vm *vm, const struct vm_net *v)
{
	char path[96];

	snprintf(path, sizeof(path), "/machine/peripheral/%.40s/virtio-backend", v->conf->id);
	qmp_event(vm, "NIC_RX_FILTER_CHANGED",
		  json_pack("{s:s, s:s}", "name", v->conf->id, "path", path));
}

void qmp_device_gone(struct vm *vm, const char *id)
{
	char path[96];

	snprintf(path, sizeof(path), "/machine/peripheral/%.60s", id);
	qmp_event(vm, "DEVICE_DELETED", json_pack("{s:s, s:s}", "device", id, "path", path));
}

/* --- query-network
 * -------------------------------------------------------------------------------- */

static void add_line(void *opaque, const char *text)
{
	json_array_append_new(opaque, json_string(text));
}

static json_t *stats(const struct net_port *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < MAX(p->nqueues, 1u); i++) {
		const struct net_stats *s = &p->stats[i];

		json_array_append_new(list,
				      json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "tx-frames",
						(json_int_t)atomic_load(&s->tx_frames), "tx-bytes",
						(json_int_t)atomic_load(&s->tx_bytes), "rx-frames",
						(json_int_t)atomic_load(&s->rx_frames), "rx-bytes",
						(json_int_t)atomic_load(&s->rx_bytes), "tx-stalls",
						(json_int_t)atomic_load(&s->tx_stalls), "drops",
						(json_int_t)atomic_load(&s->drops)));
	}
	return list;
}

/* Lines that the backend has for `info network` and `info usernet`. */
static void add_lines(json_t *o, const char *name, const struct net_port *p,
		      void (*fn)(const struct net_port *p, const struct text_out *out))
{
	json_t *lines = json_array();
	const struct text_out out = {.line = add_line, .opaque = lines};

	if (fn) {
		fn(p, &out);
		json_object_set(o, name, lines);
	}
	json_decref(lines);
}

static void add_nic(json_t *o, const struct nic *n)
{
	json_object_set_new(o, "model", json_string(n->model->name));
	json_object_set_new(o, "macaddr", mac_text(n->mac));
	json_object_set_new(o, "driver", json_string(n->model->driver));
	if (n->pairs) {
		json_object_set_new(o, "pairs", json_integer(n->pairs));
		json_object_set_new(o, "active-pairs", json_integer(atomic_load(&n->active)));
	}
}

static void add_backend(json_t *o, const struct vm_net *v)
{
	const struct net_port *p = v->port;
	char info[256] = "";

	if (p->ops->info)
		p->ops->info(p, info, sizeof(info));
	json_object_set_new(o, "info", json_string(info));
	add_lines(o, "below", p, v->conf->backend->below);
	add_lines(o, "details", p, v->conf->backend->details);
}

static json_t *one_port(struct vm *vm, const struct vm_net *v)
{
	const struct net_port *p = v->port;
	const struct vm_net *peer = vm_net_of(vm, p->peer);
	const char *drop = atomic_load(&p->last_drop);
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:i, s:o}", "name", v->conf->id, "type",
			      v->nic ? "nic" : p->ops->kind, "link", net_link_is_up(p), "connected",
			      p->peer != NULL, "queues", MAX(p->nqueues, 1u), "stats", stats(p));

	if (!o)
		return NULL;
	if (peer)
		json_object_set_new(o, "peer", json_string(peer->conf->id));
	if (drop)
		json_object_set_new(o, "last-drop", json_string(drop));
	if (v->nic)
		add_nic(o, v->nic);
	else
		add_backend(o, v);
	return o;
}

struct members {
	struct vm *vm;
	json_t *list;
};

static void add_member(struct net_port *end, void *arg)
{
	struct members *m = arg;
	const struct vm_net *v = vm_net_of(m->vm, end->peer);
	json_t *o = json_pack("{s:s}", "end", end->name);

	if (o && v)
		json_object_set_new(o, "port", json_string(v->conf->id));
	json_array_append_new(m->list, o);
}

json_t *qmp_query_network(struct qmp *q, json_t *args, struct qmp_err *e)
{
	struct vm *vm = qmp_vm(q);
	json_t *ports = json_array(), *hubs = json_array();

	(void)args;
	(void)e;
	vm_park(vm);
	for (unsigned i = 0; i < vm->nhubs; i++) {
		struct members m = {vm, json_array()};

		hub_for_each(vm->hubs[i], add_member, &m);
		json_array_append_new(hubs, json_pack("{s:i, s:o}", "id", hub_id(vm->hubs[i]),
						      "members", m.list));
	}
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		if (vm->net[i].port)
			json_array_append_new(ports, one_port(vm, &vm->net[i]));
	}
	vm_unpark(vm);
	return json_pack("{s:o, s:o}", "ports", ports, "hubs", hubs);
}
