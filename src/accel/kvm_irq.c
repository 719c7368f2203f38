/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts into the guest and doorbells out of it.
 *
 * GSIs 0 … 23 are lines and keep the routes KVM gives them at birth: pin n of the PIC pair (n
 * below 16) and pin n of the IOAPIC. Message-signalled vectors get GSIs above, each with one MSI
 * route and an irqfd: whoever writes to the eventfd interrupts the guest, with no system call
 * of this process in between when the writer is the kernel (vhost). KVM takes the whole table at
 * once, so it is built again from the slots on every change; changes are rare (a driver binds).
 */
#include "accel/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"

#define LINE_ROUTES (16 + KVM_LINES)

void kvm_irq(struct accel *a, unsigned gsi, bool level)
{
	const struct kvm *k = a->priv;
	struct kvm_irq_level l = {.irq = gsi, .level = level};

	if (gsi < KVM_LINES && ioctl(k->vm, KVM_IRQ_LINE, &l) < 0)
		log_warn("KVM: interrupt line %u: %s", gsi, strerror(errno));
}

void kvm_msi(struct accel *a, uint64_t addr, uint32_t data)
{
	const struct kvm *k = a->priv;
	struct kvm_msi m = {
		.address_lo = (uint32_t)addr,
		.address_hi = (uint32_t)(addr >> 32),
		.data = data,
	};

	/* The address is the guest's: one that reaches no CPU is the guest's own loss. */
	(void)ioctl(k->vm, KVM_SIGNAL_MSI, &m);
}

static void pin(struct kvm_irq_routing_entry *r, unsigned gsi, unsigned chip, unsigned n)
{
	*r = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = n},
	};
}

static int commit(struct kvm *k)
{
	struct kvm_irq_routing *t = k->routing;
	unsigned n = 0;

	t->flags = 0;
	for (unsigned i = 0; i < KVM_LINES; i++) {
		if (i < 16)
			pin(&t->entries[n++], i,
			    i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, i % 8);
		pin(&t->entries[n++], i, KVM_IRQCHIP_IOAPIC, i);
	}
	for (unsigned i = 0; i < k->nmsi; i++) {
		if (k->msi[i].fd < 0)
			continue;
		t->entries[n++] = (struct kvm_irq_routing_entry){
			.gsi = KVM_LINES + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = (uint32_t)k->msi[i].addr,
				  .address_hi = (uint32_t)(k->msi[i].addr >> 32),
				  .data = k->msi[i].data},
		};
	}
	t->nr = n;
	return ioctl(k->vm, KVM_SET_GSI_ROUTING, t) < 0 ? -errno : 0;
}

/* A free slot, growing the tables; or -errno. */
static int msi_slot(struct kvm *k)
{
	for (unsigned i = 0; i < k->nmsi; i++)
		if (k->msi[i].fd < 0)
			return (int)i;
	if (k->nmsi >= k->msi_max)
		return -ENOSPC;
	unsigned n = MIN(k->nmsi ? 2 * k->nmsi : 8, k->msi_max), first = k->nmsi;
	struct kvm_irq_routing *t =
		realloc(k->routing, sizeof(*t) + (LINE_ROUTES + n) * sizeof(t->entries[0]));

	if (!t)
		return -ENOMEM;
	k->routing = t;
	struct msi_route *m = realloc(k->msi, n * sizeof(*m));

	if (!m)
		return -ENOMEM;
	for (unsigned i = first; i < n; i++)
		m[i].fd = -1;
	k->msi = m;
	k->nmsi = n;
	return (int)first;
}

static int irqfd(const struct kvm *k, unsigned slot, int fd, bool add)
{
	struct kvm_irqfd f = {
		.fd = (uint32_t)fd,
		.gsi = KVM_LINES + slot,
		.flags = add ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return ioctl(k->vm, KVM_IRQFD, &f) < 0 ? -errno : 0;
}

int kvm_irqfd_add(struct accel *a, int fd, uint64_t addr, uint32_t data, struct err *e)
{
	struct kvm *k = a->priv;
	int slot, rc;

	pthread_mutex_lock(&k->irq_lock);
	slot = rc = msi_slot(k);
	if (slot >= 0) {
		k->msi[slot] = (struct msi_route){.addr = addr, .data = data, .fd = fd};
		rc = commit(k);
		if (!rc)
			rc = irqfd(k, (unsigned)slot, fd, true);
		if (rc)
			k->msi[slot].fd = -1;
	}
	pthread_mutex_unlock(&k->irq_lock);
	if (rc == -ENOSPC)
		return err_set(e, ENOSPC,
			       "KVM has room for %u MSI vectors, all in use; use fewer "
			       "devices or a smaller vectors=",
			       k->msi_max);
	if (rc)
		return err_set(e, -rc, "KVM: cannot make an irqfd: %s", strerror(-rc));
	return slot;
}

int kvm_irqfd_update(struct accel *a, int handle, uint64_t addr, uint32_t data)
{
	struct kvm *k = a->priv;
	int rc = -EINVAL;

	pthread_mutex_lock(&k->irq_lock);
	if (handle >= 0 && (unsigned)handle < k->nmsi && k->msi[handle].fd >= 0) {
		struct msi_route *m = &k->msi[handle];

		rc = 0;
		if (m->addr != addr || m->data != data) {
			m->addr = addr;
			m->data = data;
			rc = commit(k);
		}
	}
	pthread_mutex_unlock(&k->irq_lock);
	return rc;
}

void kvm_irqfd_del(struct accel *a, int handle)
{
	struct kvm *k = a->priv;

	pthread_mutex_lock(&k->irq_lock);
	if (handle >= 0 && (unsigned)handle < k->nmsi && k->msi[handle].fd >= 0) {
		/* The stale route goes with the next commit; nothing can raise it meanwhile. */
		(void)irqfd(k, (unsigned)handle, k->msi[handle].fd, false);
		k->msi[handle].fd = -1;
	}
	pthread_mutex_unlock(&k->irq_lock);
}

int kvm_ioeventfd(struct accel *a, bool add, bool pio, uint64_t addr, unsigned len, bool match,
		  uint64_t data, int fd)
{
	const struct kvm *k = a->priv;
	struct kvm_ioeventfd f = {
		.datamatch = match ? data : 0,
		.addr = addr,
		.len = len,
		.fd = fd,
		.flags = (pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
			 (add ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (!len && !k->any_length)
		return -ENOTSUP;
	return ioctl(k->vm, KVM_IOEVENTFD, &f) < 0 ? -errno : 0;
}
