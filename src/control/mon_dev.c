/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands on devices as such: what is in the PCI slots, which kinds there are and their options.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "control/cmdline.h"
#include "control/hmp.h"
#include "control/qmp.h"

#define BAR_NAME 8

/* --- PCI -------------------------------------------------------------------------------------- */

/* Calls fn for each device under the bus lock; false when there is no guest. */
static bool pci_walk(struct vm *vm, void (*fn)(struct pci_dev *d, void *arg), void *arg)
{
	if (!vm->machine)
		return false;
	bus_lock(pci_io_bus(machine_pci(vm->machine)));
	pci_for_each(machine_pci(vm->machine), fn, arg);
	bus_unlock(pci_io_bus(machine_pci(vm->machine)));
	return true;
}

static void print_pci(struct pci_dev *d, void *arg)
{
	struct hmp *h = arg;

	hmp_print(h, "slot %02x.%x: %04x:%04x %s%s%s%s\n", d->devfn >> 3, d->devfn & 7u,
		  get_le16(d->config), get_le16(d->config + 2), d->model, d->id[0] ? ", id " : "",
		  d->id, d->hidden ? ", ejected" : "");
	for (unsigned n = 0; n < PCI_REGIONS; n++) {
		const struct pci_bar *b = &d->bar[n];
		const char *space = b->space == BUS_PIO ? "ports" : "memory";
		char name[BAR_NAME];

		snprintf(name, sizeof(name), n == PCI_ROM ? "ROM" : "BAR %u", n);
		if (b->mapped)
			hmp_print(h, "      %s: %s at 0x%" PRIx64 ", 0x%" PRIx64 " bytes\n", name,
				  space, b->io.base, b->size);
		else if (b->size)
			hmp_print(h, "      %s: %s, not mapped\n", name, space);
	}
}

static void info_pci(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (!pci_walk(hmp_vm(h), print_pci, h))
		hmp_print(h, "info pci: -machine none has no guest\n");
}

static json_t *regions(const struct pci_dev *d)
{
	json_t *list = json_array();

	for (unsigned n = 0; n < PCI_REGIONS; n++) {
		const struct pci_bar *b = &d->bar[n];
		json_t *r;

		if (!b->size)
			continue;
		/* -1: not mapped, as QEMU says it. */
		r = json_pack("{s:i, s:s, s:I, s:I}", "bar", (int)n, "type",
			      b->space == BUS_PIO ? "io" : "memory", "address",
			      b->mapped ? (json_int_t)b->io.base : -1, "size", (json_int_t)b->size);
		if (r && b->space != BUS_PIO) {
			json_object_set_new(r, "prefetch", json_boolean(b->prefetch));
			json_object_set_new(r, "mem_type_64", json_boolean(b->is64));
		}
		json_array_append_new(list, r);
	}
	return list;
}

static const char *class_text(unsigned class)
{
	static const struct {
		unsigned class;
		const char *text;
	} t[] = {{0x0200, "Ethernet controller"}, {0x0600, "Host bridge"},
		 {0x0601, "ISA bridge"},	  {0x0680, "Bridge"},
		 {0x0101, "IDE controller"},	  {0x0300, "VGA controller"},
		 {0x0100, "SCSI controller"}};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		if (t[i].class == class)
			return t[i].text;
	}
	return NULL;
}

static void add_pci(struct pci_dev *d, void *arg)
{
	unsigned class = get_le16(d->config + 0x0a);
	const char *text = class_text(class);
	json_t *o, *info, *id;

	if (d->hidden)
		return;
	info = json_pack("{s:i}", "class", (int)class);
	if (text)
		json_object_set_new(info, "desc", json_string(text));
	id = json_pack("{s:i, s:i, s:i, s:i}", "device", get_le16(d->config + 2), "vendor",
		       get_le16(d->config), "subsystem", get_le16(d->config + 0x2e),
		       "subsystem-vendor", get_le16(d->config + 0x2c));
	o = json_pack("{s:i, s:i, s:i, s:o, s:o, s:i, s:s, s:o}", "bus", 0, "slot", d->devfn >> 3,
		      "function", d->devfn & 7, "class_info", info, "id", id, "irq_pin",
		      d->config[0x3d], "qdev_id", d->id, "regions", regions(d));
	if (o && d->config[0x3d])
		json_object_set_new(o, "irq", json_integer(d->config[0x3c]));
	json_array_append_new(arg, o);
}

static json_t *query_pci(struct qmp *q, json_t *args, struct qmp_err *e)
{
	json_t *devices = json_array();

	(void)args;
	(void)e;
	if (pci_walk(qmp_vm(q), add_pci, devices))
		return json_pack("[{s:i, s:o}]", "bus", 0, "devices", devices);
	json_decref(devices);
	return json_array();
}

/* --- kinds of devices --------------------------------------------------------------------------
 */

struct properties {
	const char *model;
	json_t *list; /* NULL: no such model so far */
};

static const char *type_name(const struct opt *o)
{
	static const char *const names[] = {
		[OPT_STR] = "str",	[OPT_BOOL] = "bool",  [OPT_U32] = "uint32",
		[OPT_SIZE] = "size",	[OPT_ENUM] = "enum",  [OPT_MAC] = "str",
		[OPT_IP4] = "str",	[OPT_IP4NET] = "str", [OPT_ADDR4] = "str",
		[OPT_LIST] = "strList", [OPT_CUSTOM] = "str",
	};

	return names[o->type];
}

static void add_properties(const char *option, const struct opt_table *t, void *arg)
{
	struct properties *p = arg;

	if (strcmp(option, "-device") != 0 || strcmp(t->name, p->model) != 0)
		return;
	p->list = json_array();
	for (const struct opt *o = t->opts; o->name; o++) {
		if (!o->missing)
			json_array_append_new(p->list,
					      json_pack("{s:s, s:s, s:s}", "name", o->name, "type",
							type_name(o), "description",
							o->help ? o->help : ""));
	}
}

static json_t *list_properties(struct qmp *q, json_t *args, struct qmp_err *e)
{
	const char *name = json_string_value(json_object_get(args, "typename"));
	const struct nic_model *m = nic_model_find(name);
	struct properties p = {.model = m ? m->name : name};

	(void)q;
	cmd_net_for_each(add_properties, &p);
	return p.list ? p.list
		      : qmp_fail(e, QMP_DEVICE_NOT_FOUND,
				 "device-list-properties: %.60s is no device: qom-list-types lists "
				 "them",
				 name);
}

/* The types that -device takes; there are no others with a name. */
static json_t *list_types(struct qmp *q, json_t *args, struct qmp_err *e)
{
	const char *implements = json_string_value(json_object_get(args, "implements"));
	json_t *list = json_array();

	(void)q;
	(void)e;
	if (implements && strcmp(implements, "device") != 0 &&
	    strcmp(implements, "pci-device") != 0)
		return list;
	for (const struct nic_model *const *m = nic_models(); *m; m++)
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "name", (*m)->name, "parent", "pci-device"));
	return list;
}

static const struct mon_arg properties_args[] = {{"typename", MON_STR, false}, {NULL}};
static const struct mon_arg types_args[] = {
	{"implements", MON_STR, true}, {"abstract", MON_BOOL, true}, {NULL}};

const struct mon_cmd mon_dev_cmds[] = {
	{"info pci", "", "the devices in the guest's PCI slots", 0, info_pci, "query-pci", NULL,
	 query_pci},
	{.qmp = "device-list-properties",
	 .takes = properties_args,
	 .answer = list_properties,
	 .help = "the options of a device that -device and device_add take"},
	{.qmp = "qom-list-types",
	 .takes = types_args,
	 .answer = list_types,
	 .help = "the devices there are"},
	{NULL},
};
