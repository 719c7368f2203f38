/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of NIC models, and what all of them have: options, the line in the monitor. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "net/nic/nic_opts.h"

static const struct nic_model *const models[] = {
	&virtio_net_model,    &rtl8139_model,	    &e1000_model,
	&e1000_82544gc_model, &e1000_82545em_model, NULL,
};

const struct nic_model *const *nic_models(void)
{
	return models;
}

const struct nic_model *nic_model_find(const char *name)
{
	for (unsigned i = 0; models[i]; i++) {
		if (!strcmp(models[i]->name, name))
			return models[i];
		for (const char *const *a = models[i]->aliases; a && *a; a++)
			if (!strcmp(*a, name))
				return models[i];
	}
	return NULL;
}

void nic_conf_defaults(struct nic_conf *c)
{
	c->devfn = PCI_AUTO;
	c->vectors = NIC_VECTORS_AUTO;
	c->rombar = 1;
	c->bootindex = NIC_NO_BOOTINDEX;
}

/* The boot ROM that goes with the model, if it is installed: a card works without it as well. */
static int load_own_rom(const struct nic *n, struct err *e)
{
	char path[128];

	snprintf(path, sizeof(path), NIC_ROM_DIR "%s", n->model->rom);
	if (access(path, F_OK) == 0)
		return pci_load_own_rom(n->pci, path, e);
	log_warn("%s: no boot from the network: %s is missing; install the package ipxe-qemu",
		 n->model->name, path);
	return 0;
}

int nic_plug(struct nic *n, const struct nic_conf *c, struct pci_bus *bus, struct err *e)
{
	int rc = 0;

	snprintf(n->pci->id, sizeof(n->pci->id), "%s", n->port.name);
	if (c->rombar && c->romfile && c->romfile[0])
		rc = pci_load_rom(n->pci, c->romfile, e);
	else if (c->rombar && !c->romfile && c->own_rom && n->model->rom)
		rc = load_own_rom(n, e);
	if (!rc)
		rc = pci_add(bus, n->pci, c->devfn, e);
	if (rc < 0)
		pci_free_rom(n->pci);
	return rc;
}

void nic_info(char *buf, size_t len, uint64_t mac)
{
	unsigned b[6];

	for (unsigned i = 0; i < 6; i++)
		b[i] = mac >> 8 * i & 0xff;
	snprintf(buf, len, "macaddr=%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		 b[5]);
}

int nic_parse_addr(const char *value, void *out, struct err *e)
{
	return pci_parse_addr(value, &((struct nic_conf *)out)->devfn, e);
}
