/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host bridge, 82441FX PMC (8086:1237), PCI 0.0. Its memory attribute registers keep what is
 * written: all memory below 1 MiB is RAM here, and no firmware shadows itself into it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/pc.h"

#define PAM0 0x59 /* … 0x5f (82441FX datasheet, section 3.2.12) */
#define PAM6 0x5f

static void i440fx_destroy(struct pci_dev *d)
{
	free(d);
}

static const struct pci_ops i440fx_ops = {.destroy = i440fx_destroy};

int i440fx_add(struct pci_bus *p, struct err *e)
{
	static const struct pci_ids ids = {
		.vendor = 0x8086, .device = 0x1237, .rev = 2, .class = 0x060000};
	struct pci_dev *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return err_set(e, ENOMEM, "no memory for the host bridge");
	pci_init(d, "the host bridge (i440FX)", &i440fx_ops, &ids, 0);
	for (unsigned r = PAM0; r <= PAM6; r++)
		d->wmask[r] = 0x33;
	rc = pci_add(p, d, 0, e);
	if (rc)
		free(d);
	return rc;
}
