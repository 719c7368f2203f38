/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's network options: -net, -netdev, -nic, -device.
 *
 * Each backend and each card brings its own table; an option adds what is common to all (vlan=
 * and name= for -net, id= for -netdev …). The two are merged into one table on the stack, the
 * common members lying behind the struct of the thing's own, so that one parser checks all, and
 * messages and help list all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/absent.h"
#include "control/cmdline.h"
#include "control/slip.h"

#define MERGED_MAX 64
#define HUB_MAX	   255

struct common {
	char *id, *netdev, *model;
	uint32_t hub;
	struct opt_mac mac;
};

#define OFF(m) offsetof(struct common, m)
#define VLAN                                                                                       \
	{                                                                                          \
		"vlan", OPT_U32, OFF(hub), .max = HUB_MAX, .arg = "n",                             \
					   .help = "number of the hub to plug into (default 0)"    \
	}

static const struct opt net_common[] = {
	VLAN,
	{"name", OPT_STR, OFF(id), .arg = "name", .help = "name in the monitor"},
	{NULL},
};
static const struct opt netdev_common[] = {
	{"id", OPT_STR, OFF(id), .arg = "name", .help = "name that a card's netdev= refers to"},
	{NULL},
};
static const struct opt nic_common[] = {
	{"model", OPT_STR, OFF(model), .arg = "type", .help = "the card (model=help lists them)"},
	{"mac", OPT_MAC, OFF(mac), .arg = "mac", .help = "the card's address (default: made up)"},
	{"macaddr", OPT_MAC, OFF(mac), .arg = "mac", .help = "the same"},
	{"id", OPT_STR, OFF(id), .arg = "name", .help = "name of the backend in the monitor"},
	{NULL},
};
static const struct opt device_common[] = {
	{"netdev", OPT_STR, OFF(netdev), .arg = "name", .help = "the -netdev it is joined to"},
	{NULL},
};
#undef OFF

/* -net nic */
struct net_nic {
	char *netdev, *model, *name;
	uint32_t hub, vectors;
	struct opt_mac mac;
	int devfn;
};

static int parse_addr(const char *value, void *out, struct err *e)
{
	struct net_nic *n = out;

	if (!pci_parse_slot(value, &n->devfn))
		return err_set(e, EINVAL,
			       "give the slot, 0x2 to 0x1f, and if need be the function, 0 to 7, "
			       "e.g. addr=0x4 or addr=0x4.0x1");
	return 0;
}

static void net_nic_defaults(void *out)
{
	struct net_nic *n = out;

	n->devfn = PCI_AUTO;
	n->vectors = NIC_VECTORS_AUTO;
}

#define OFF(m) offsetof(struct net_nic, m)
static const struct opt net_nic_opts[] = {
	{"vlan", OPT_U32, OFF(hub), .max = HUB_MAX, .arg = "n",
	 .help = "number of the hub to plug into (default 0)"},
	{"macaddr", OPT_MAC, OFF(mac), .arg = "mac",
	 .help = "the card's address (default: made up, the same at every start)"},
	{"model", OPT_STR, OFF(model), .arg = "type", .help = "the card (model=help lists them)"},
	{"name", OPT_STR, OFF(name), .arg = "name", .help = "name in the monitor"},
	{"addr", OPT_CUSTOM, .parse = parse_addr, .arg = "slot[.function]",
	 .help = "PCI address, hexadecimal (default: the first free slot)"},
	{"vectors", OPT_U32, OFF(vectors), .max = 2048, .arg = "v",
	 .help = "MSI-X vectors, virtio only; 0 turns MSI-X off (default: the card's choice)"},
	{"netdev", OPT_STR, OFF(netdev), .arg = "name",
	 .help = "join the -netdev of this id instead of a hub"},
	{NULL},
};
#undef OFF
const struct opt_table net_nic_table = {
	"nic",	      "one card, plugged into hub n", NULL,
	net_nic_opts, sizeof(struct net_nic),	      net_nic_defaults};

/* -netdev hubport */
struct hubport {
	char *id, *netdev;
	uint32_t hub;
};

#define OFF(m) offsetof(struct hubport, m)
static const struct opt hubport_opts[] = {
	{"id", OPT_STR, OFF(id), .arg = "name", .help = "name that a card's netdev= refers to"},
	{"hubid", OPT_U32, OFF(hub), .max = HUB_MAX, .arg = "n", .help = "number of the hub"},
	{"netdev", OPT_STR, OFF(netdev), .arg = "name",
	 .help = "plug this -netdev into the hub instead of a card"},
	{NULL},
};
#undef OFF
const struct opt_table hubport_table = {"hubport",    "a port of a hub",      NULL,
					hubport_opts, sizeof(struct hubport), NULL};

/* --- merged tables -------------------------------------------------------------------------- */

struct merged {
	struct opt_table t;
	struct opt opts[MERGED_MAX];
	size_t off; /* of struct common */
};

static bool has_opt(const struct opt *opts, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (!strcmp(opts[i].name, name))
			return true;
	}
	return false;
}

/* own may be NULL: a thing without options. What both have is the thing's own. */
static void merge(struct merged *m, const struct opt_table *own, const struct opt *common)
{
	static const struct opt_table nothing = {.size = 0};
	unsigned n = 0;

	m->t = own ? *own : nothing;
	m->off = align_up(m->t.size, _Alignof(max_align_t));
	for (const struct opt *o = m->t.opts; o && o->name && n + 1 < MERGED_MAX; o++)
		m->opts[n++] = *o;
	for (const struct opt *o = common; o->name && n + 1 < MERGED_MAX; o++) {
		if (has_opt(m->opts, n, o->name))
			continue;
		m->opts[n] = *o;
		m->opts[n++].off += m->off;
	}
	m->opts[n] = (struct opt){NULL};
	m->t.opts = m->opts;
	m->t.implied = NULL;
	m->t.size = m->off + sizeof(struct common);
}

static void free_common(struct common *k)
{
	free(k->id);
	free(k->netdev);
	free(k->model);
	*k = (struct common){0};
}

/*
 * Parses text with own's options and the common ones. Returns own's struct on the heap
 * (opt_free(own), then free), *k owning the common members; NULL and e on error.
 */
static void *parse_merged(const struct opt_table *own, const struct opt *common, const char *what,
			  const char *text, struct common *k, struct err *e)
{
	struct merged m;
	char *all;

	*k = (struct common){0};
	merge(&m, own, common);
	all = calloc(1, m.t.size);
	if (!all) {
		err_set(e, ENOMEM, "%s: out of memory", what);
		return NULL;
	}
	if (opt_parse(&m.t, what, text, all, e)) {
		slip_name(&m.t, what, text, e);
		free(all);
		return NULL;
	}
	memcpy(k, all + m.off, sizeof(*k));
	return all;
}

/* --- lists ---------------------------------------------------------------------------------- */

bool cmd_is_help(const char *text)
{
	return !strcmp(text, "help") || !strcmp(text, "?");
}

/* Is one of the comma-separated words of text a call for help? */
static bool asks_help(const char *text)
{
	for (; text; text = strchr(text, ',')) {
		text += *text == ',';
		if (!strcmp(text, "help") || !strcmp(text, "?") || !strncmp(text, "help,", 5) ||
		    !strncmp(text, "?,", 2))
			return true;
	}
	return false;
}

static int list_models(FILE *out)
{
	fprintf(out, "Cards (model=, -device):\n");
	for (const struct nic_model *const *m = nic_models(); *m; m++) {
		const char *const *a = (*m)->aliases;

		fprintf(out, "  %-16s  %s; guest driver %s", (*m)->name, (*m)->summary,
			(*m)->driver);
		for (unsigned i = 0; a && a[i]; i++)
			fprintf(out, "%s%s", i ? ", " : "; also called ", a[i]);
		fprintf(out, "\n");
	}
	return CMDLINE_DONE;
}

static int list_kinds(const char *option, bool nic, bool hubport, bool none, FILE *out)
{
	fprintf(out, "Kinds of %s (%s KIND,help shows the options of one):\n", option, option);
	if (nic)
		fprintf(out, "  %-10s  %s\n", net_nic_table.name, net_nic_table.summary);
	for (const struct net_backend *const *b = net_backends(); *b; b++) {
		if (strcmp((*b)->name, "hubport") != 0)
			fprintf(out, "  %-10s  %s\n", (*b)->name, (*b)->summary);
	}
	if (hubport)
		fprintf(out, "  %-10s  %s\n", hubport_table.name, hubport_table.summary);
	if (none)
		fprintf(out, "  %-10s  %s\n", "none", "no network at all");
	return CMDLINE_DONE;
}

static int show_help(const char *option, const struct opt_table *own, const struct opt *common,
		     const char *name, const char *summary, FILE *out)
{
	struct merged m;

	merge(&m, own, common);
	fprintf(out, "%s %s: %s\n", option, name, summary);
	opt_help(&m.t, out);
	return CMDLINE_DONE;
}

/* Names of what may stand behind option, for messages and suggestions. */
static const char *const later_kinds[] = {
	"socket", "stream", "dgram", "vde",   "vhost-user", "vhost-vdpa", "l2tpv3",
	"af-xdp", "netmap", "passt", "slirp", "vmnet-host", NULL};

static int unknown_kind(const char *option, const char *kind, const char *rest, bool nic,
			bool hubport, bool none, struct err *e)
{
	const char *names[64], *near;
	char list[256] = "";
	unsigned n = 0;

	if (nic)
		names[n++] = "nic";
	for (const struct net_backend *const *b = net_backends(); *b && n < 60; b++) {
		if (strcmp((*b)->name, "hubport") != 0)
			names[n++] = (*b)->name;
	}
	if (hubport)
		names[n++] = "hubport";
	if (none)
		names[n++] = "none";
	names[n] = NULL;
	for (unsigned i = 0; i < n; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			 names[i]);
	for (unsigned i = 0; later_kinds[i]; i++) {
		if (!strcmp(kind, later_kinds[i]))
			return err_set(e, ENOTSUP, "%s %s is not implemented yet: allowed are %s",
				       option, kind, list);
	}
	near = opt_suggest(kind, names);
	if (near)
		return err_set(e, EINVAL,
			       "%s %.60s is not known: did you mean %s %s%s%.150s? Allowed: %s",
			       option, kind, option, near, *rest ? "," : "", rest, list);
	return err_set(e, EINVAL, "%s %.60s is not known: allowed are %s", option, kind, list);
}

/* --- cards ---------------------------------------------------------------------------------- */

static int unknown_model(const char *what, const char *label, const char *model, struct err *e)
{
	static const char *const later[] = {"e1000e", "igb",	 "pcnet",   "ne2k_pci",
					    "i82551", "i82557b", "vmxnet3", NULL};
	const char *names[64], *near, *why = absent_device(model);
	char list[256] = "";
	unsigned n = 0;

	if (why)
		return err_set(e, ENOTSUP, "%s%s%.60s is not there: %s", what, label, model, why);
	for (const struct nic_model *const *m = nic_models(); *m; m++) {
		const char *const *a = (*m)->aliases;

		if (n < 60)
			names[n++] = (*m)->name;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 list[0] ? ", " : "", (*m)->name);
		for (unsigned i = 0; a && a[i]; i++) {
			if (n < 60)
				names[n++] = a[i];
			snprintf(list + strlen(list), sizeof(list) - strlen(list), ", %s", a[i]);
		}
	}
	names[n] = NULL;
	for (unsigned i = 0; later[i]; i++) {
		if (!strcmp(model, later[i]))
			return err_set(e, ENOTSUP, "%s%s%s is not implemented yet: allowed are %s",
				       what, label, model, list);
	}
	near = opt_suggest(model, names);
	if (near)
		return err_set(e, EINVAL, "%s%s%.60s is not known: did you mean %s? Allowed: %s",
			       what, label, model, near, list);
	return err_set(e, EINVAL, "%s%s%.60s is not known: allowed are %s", what, label, model,
		       list);
}

/* The card without model= (D2): rtl8139, or upstream QEMU's when we are called by its name. */
static const struct nic_model *default_model(void)
{
	const struct nic_model *m = NULL;

	if (!strcmp(program_invocation_short_name, "qemu-system-x86_64"))
		m = nic_model_find("e1000");
	return m ? m : nic_model_find("rtl8139");
}

/* A card with its model's defaults; the caller fills the rest of the entry. model NULL: default. */
static struct conf_net *add_nic(struct config *c, const char *what, const char *model,
				struct err *e)
{
	const struct nic_model *m = model ? nic_model_find(model) : default_model();
	struct conf_net *n;

	if (!m) {
		unknown_model(what, ": model=", model ? model : "rtl8139", e);
		return NULL;
	}
	n = config_net_add(c, CONF_NIC, what);
	if (n)
		n->opts = calloc(1, m->opts->size);
	if (!n || !n->opts) {
		err_set(e, ENOMEM, "%s: out of memory", what);
		return NULL;
	}
	opt_init(m->opts, n->opts);
	n->hub = CONFIG_NO_HUB;
	n->model = m;
	n->table = m->opts;
	return n;
}

static int take_nic(struct config *c, const char *name, const char *rest, struct net_nic *o,
		    struct err *e)
{
	struct conf_net *n;
	struct nic_conf *conf;

	if (o->devfn >= 0 && o->devfn < 8)
		return slip(name, "nic", rest, NULL, SLIP_SLOT0, e);
	n = add_nic(c, "-net nic", o->model, e);
	if (!n)
		return -e->code;
	conf = n->opts;
	conf->devfn = o->devfn;
	conf->mac = o->mac;
	if (o->vectors != NIC_VECTORS_AUTO)
		conf->vectors = o->vectors;
	n->id = o->name;
	n->netdev = o->netdev;
	n->hub = o->netdev ? CONFIG_NO_HUB : (int)o->hub;
	o->name = o->netdev = NULL;
	return CMDLINE_RUN;
}

static int net_nic(struct config *c, const char *name, const char *rest, FILE *out, struct err *e)
{
	struct net_nic o;
	int rc;

	if (asks_help(rest)) {
		fprintf(out, "-net nic: %s\n", net_nic_table.summary);
		opt_help(&net_nic_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&net_nic_table, "-net nic", rest, &o, e);
	if (rc)
		return slip_name(&net_nic_table, "-net nic", rest, e);
	if (o.model && cmd_is_help(o.model))
		rc = list_models(out);
	else
		rc = take_nic(c, name, rest, &o, e);
	opt_free(&net_nic_table, &o);
	return rc;
}

/* --- backends ------------------------------------------------------------------------------- */

static const struct net_backend *find_backend(const char *kind)
{
	/* A hub is the VM's, not a backend's: handled here. */
	return strcmp(kind, "hubport") ? net_backend_find(kind) : NULL;
}

/* Parses a backend's options into a new entry; *k gets the common ones. */
static struct conf_net *add_backend(struct config *c, const char *what, const struct net_backend *b,
				    const struct opt *common, const char *rest, struct common *k,
				    struct err *e)
{
	struct conf_net *n;
	void *opts = parse_merged(b->opts, common, what, rest, k, e);

	if (!opts)
		return NULL;
	n = config_net_add(c, CONF_BACKEND, what);
	if (!n) {
		err_set(e, ENOMEM, "%s: out of memory", what);
		free_common(k);
		if (b->opts)
			opt_free(b->opts, opts);
		free(opts);
		return NULL;
	}
	n->backend = b;
	n->table = b->opts;
	n->opts = opts;
	n->id = k->id;
	n->hub = CONFIG_NO_HUB;
	k->id = NULL;
	return n;
}

/* The first word of arg into kind (cut if too long); returns what stands behind its comma. */
static const char *split_kind(const char *arg, const char *key, char *kind, size_t size)
{
	size_t len;

	if (!strncmp(arg, key, strlen(key)))
		arg += strlen(key);
	len = strcspn(arg, ",");
	snprintf(kind, size, "%.*s", (int)MIN(len, size), arg);
	return arg[len] ? arg + len + 1 : arg + len;
}

int cmd_net(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	char kind[64], what[40];
	const char *rest = split_kind(arg, "type=", kind, sizeof(kind));
	const struct net_backend *b = find_backend(kind);
	struct common k = {0};
	struct conf_net *n;

	if (cmd_is_help(kind))
		return list_kinds(name, true, false, true, out);
	if (!*kind || strchr(kind, '='))
		return slip(name, NULL, arg, NULL, SLIP_KIND, e);
	if (!strcmp(kind, "nic"))
		return net_nic(c, name, rest, out, e);
	if (!strcmp(kind, "none")) {
		c->no_net = true;
		return CMDLINE_RUN;
	}
	if (!b)
		return unknown_kind(name, kind, rest, true, false, true, e);
	if (asks_help(rest))
		return show_help(name, b->opts, net_common, kind, b->summary, out);
	snprintf(what, sizeof(what), "-net %s", b->name);
	n = add_backend(c, what, b, net_common, rest, &k, e);
	if (!n)
		return -e->code;
	n->hub = (int)k.hub;
	return CMDLINE_RUN;
}

static int netdev_hubport(struct config *c, const char *name, const char *rest, FILE *out,
			  struct err *e)
{
	char what[40];
	struct hubport o;
	struct conf_net *n = NULL;
	int rc;

	snprintf(what, sizeof(what), "%s hubport", name);
	if (asks_help(rest)) {
		fprintf(out, "%s: %s\n", what, hubport_table.summary);
		opt_help(&hubport_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&hubport_table, what, rest, &o, e);
	if (rc)
		return rc;
	if (!o.id)
		rc = err_set(e, EINVAL, "%s: id= is missing: give it a name, e.g. id=port0", what);
	else if (!(n = config_net_add(c, CONF_HUBPORT, what)))
		rc = err_set(e, ENOMEM, "%s: out of memory", what);
	if (!rc && n) {
		n->id = o.id;
		n->netdev = o.netdev;
		n->hub = (int)o.hub;
		o.id = o.netdev = NULL;
	}
	opt_free(&hubport_table, &o);
	return rc;
}

int cmd_netdev(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	char kind[64], what[40];
	const char *rest = split_kind(arg, "type=", kind, sizeof(kind));
	const struct net_backend *b = find_backend(kind);
	struct common k = {0};
	struct conf_net *n;

	if (cmd_is_help(kind))
		return list_kinds(name, false, true, false, out);
	if (!strcmp(kind, "hubport"))
		return netdev_hubport(c, name, rest, out, e);
	if (!b)
		return unknown_kind(name, kind, rest, false, true, false, e);
	if (asks_help(rest))
		return show_help(name, b->opts, netdev_common, kind, b->summary, out);
	snprintf(what, sizeof(what), "%s %s", name, b->name);
	n = add_backend(c, what, b, netdev_common, rest, &k, e);
	if (!n)
		return -e->code;
	if (!n->id || !*n->id)
		return err_set(e, EINVAL, "%s: id= is missing: give it a name, e.g. %s %s,id=net0",
			       what, name, b->name);
	return CMDLINE_RUN;
}

/* The card of -nic, joined to the backend `back` that was just made. */
static int nic_card(struct config *c, const char *what, const char *netdev, struct common *k,
		    struct err *e)
{
	struct conf_net *n = add_nic(c, what, k->model, e);

	if (!n)
		return -e->code;
	((struct nic_conf *)n->opts)->mac = k->mac;
	return cmd_keep(&n->netdev, netdev, e);
}

int cmd_nic(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	char kind[64], what[40], id[32];
	const char *rest = split_kind(arg, "type=", kind, sizeof(kind));
	const struct net_backend *b = find_backend(kind);
	struct common k = {0};
	struct conf_net *n;
	int rc = 0;

	if (cmd_is_help(kind))
		return list_kinds(name, false, false, true, out);
	if (!strcmp(kind, "model=help") || !strcmp(kind, "model=?"))
		return list_models(out);
	if (!strcmp(kind, "none")) {
		c->no_net = true;
		return CMDLINE_RUN;
	}
	if (!*kind || strchr(kind, '='))
		return slip(name, "user", arg, NULL, SLIP_KIND, e);
	if (!b)
		return unknown_kind(name, kind, rest, false, false, true, e);
	if (asks_help(rest))
		return show_help(name, b->opts, nic_common, kind, b->summary, out);
	snprintf(what, sizeof(what), "-nic %s", b->name);
	n = add_backend(c, what, b, nic_common, rest, &k, e);
	if (!n)
		return -e->code;
	snprintf(id, sizeof(id), "#nic%u", c->nnet - 1);
	if (k.model && cmd_is_help(k.model))
		rc = list_models(out);
	else if (!n->id)
		rc = cmd_keep(&n->id, id, e);
	if (!rc) /* n moves when the list grows: the id does not */
		rc = nic_card(c, what, n->id, &k, e);
	free_common(&k);
	return rc;
}

int cmd_device(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	char kind[64], what[40];
	const char *rest = split_kind(arg, "driver=", kind, sizeof(kind));
	const struct nic_model *m = nic_model_find(kind);
	const struct disk_model *disk = disk_model_find(kind);
	struct common k = {0};
	struct conf_net *n;
	void *opts;

	if (cmd_is_help(kind)) {
		cmd_disk_list(out);
		return list_models(out);
	}
	if (!strcmp(kind, "VGA"))
		return cmd_device_vga(c, name, rest, e);
	if (disk)
		return cmd_disk(c, name, disk, rest, out, e);
	if (!m)
		return unknown_model(name, " ", kind, e);
	if (asks_help(rest))
		return show_help(name, m->opts, device_common, m->name, m->summary, out);
	snprintf(what, sizeof(what), "%s %s", name, m->name);
	opts = parse_merged(m->opts, device_common, what, rest, &k, e);
	if (!opts)
		return -e->code;
	n = config_net_add(c, CONF_NIC, what);
	if (!n) {
		opt_free(m->opts, opts);
		free(opts);
		free_common(&k);
		return err_set(e, ENOMEM, "%s: out of memory", what);
	}
	n->model = m;
	n->table = m->opts;
	n->opts = opts;
	n->hub = CONFIG_NO_HUB;
	n->netdev = k.netdev;
	if (((struct nic_conf *)opts)->id)
		return cmd_keep(&n->id, ((struct nic_conf *)opts)->id, e);
	return CMDLINE_RUN;
}

/* --- for help and the reference page --------------------------------------------------------- */

static void visit(const char *option, const struct opt_table *own, const struct opt *common,
		  const char *name, const char *summary,
		  void (*fn)(const char *, const struct opt_table *, void *), void *arg)
{
	struct merged m;

	merge(&m, own, common);
	m.t.name = name;
	m.t.summary = summary;
	fn(option, &m.t, arg);
}

void cmd_net_for_each(void (*fn)(const char *option, const struct opt_table *t, void *arg),
		      void *arg)
{
	static const struct {
		const char *option;
		const struct opt *common;
	} forms[] = {{"-net", net_common}, {"-netdev", netdev_common}, {"-nic", nic_common}};

	fn("-net", &net_nic_table, arg);
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		for (const struct net_backend *const *b = net_backends(); *b; b++) {
			if (strcmp((*b)->name, "hubport") != 0)
				visit(forms[i].option, (*b)->opts, forms[i].common, (*b)->name,
				      (*b)->summary, fn, arg);
		}
	}
	fn("-netdev", &hubport_table, arg);
	for (const struct nic_model *const *m = nic_models(); *m; m++)
		visit("-device", (*m)->opts, device_common, (*m)->name, (*m)->summary, fn, arg);
}
