/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSI-X (PCI Local Bus 3.0, section 6.8.2): capability, vector table, pending bits.
 *
 * With an accelerator that has irqfds, raising a vector is one write to its eventfd, from any
 * thread and whatever the guest is doing. While the vector may be delivered, the eventfd is
 * assigned to the accelerator, which injects the message; while it is masked (entry, function or
 * bus master off) it is not assigned, and the eventfd's own counter *is* the pending bit: a later
 * assignment finds it readable and delivers. A notify that races with a mask is so never lost and
 * never sent twice, and no lock or flag is shared between the two; vhost, which signals the
 * eventfd on its own, gets the same.
 *
 * Without irqfds (qtest) a leaf mutex guards a pending flag per vector and the message is sent
 * with accel_msi().
 */
#include "bus/pci_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

#define CAP_MSIX    0x11
#define CAP_LEN	    12
#define CTL	    2 /* message control, offset in the capability */
#define CTL_ENABLE  0x8000
#define CTL_MASKALL 0x4000
#define ENTRY	    16
#define ENTRY_DATA  8
#define ENTRY_CTL   12
#define ENTRY_MASK  1u
#define MAX_VECTORS 2048

struct vector {
	_Atomic int fd; /* made at the first use, kept until msix_free(); -1 */
	int handle;	/* the accelerator's, -1: not assigned */
	unsigned uses;	/* bus lock */
	uint64_t addr;	/* as assigned */
	uint32_t data;
	bool live;    /* deliverable; under `lock` */
	bool pending; /* under `lock`; only without irqfds */
};

struct msix {
	struct accel *a; /* NULL until plugged in */
	struct bus *b;
	unsigned cap, bar, n;
	uint64_t pba, pba_len; /* offset in the BAR, bytes */
	_Atomic bool enabled;
	bool maskall, master;
	bool warned; /* once: the guest may try again as often as it likes */
	pthread_mutex_t lock;
	uint8_t *table;
	struct vector *v;
};

static bool has_irqfd(const struct msix *m)
{
	return m->a && m->a->ops->irqfd_add;
}

static bool deliverable(const struct msix *m, unsigned i)
{
	return atomic_load(&m->enabled) && !m->maskall && m->master && m->v[i].uses &&
	       !(m->table[i * ENTRY + ENTRY_CTL] & ENTRY_MASK);
}

static void drain(struct vector *v)
{
	uint64_t n;
	int fd = atomic_load(&v->fd);

	/* Non-blocking: nothing to read is fine. */
	if (fd >= 0 && read(fd, &n, sizeof(n)) < 0)
		return;
}

static void warn_once(struct msix *m, const char *what)
{
	if (!m->warned)
		log_warn("an MSI-X vector raises no interrupts: %s", what);
	m->warned = true;
}

static void update_irqfd(struct msix *m, struct vector *v, bool live)
{
	const struct accel_ops *ops = m->a->ops;
	struct err e;

	if (!live) {
		if (v->handle >= 0)
			ops->irqfd_del(m->a, v->handle);
		v->handle = -1;
		return;
	}
	if (v->handle >= 0) {
		if (ops->irqfd_update(m->a, v->handle, v->addr, v->data) < 0)
			warn_once(m, "it cannot be re-routed");
		return;
	}
	v->handle = ops->irqfd_add(m->a, atomic_load(&v->fd), v->addr, v->data, &e);
	if (v->handle < 0)
		warn_once(m, e.text);
}

/* Bus lock held: what the guest or the device changed takes effect. */
static void update(struct msix *m, unsigned i)
{
	struct vector *v = &m->v[i];
	const uint8_t *ent = m->table + (size_t)i * ENTRY;
	uint64_t addr = get_le64(ent);
	uint32_t data = get_le32(ent + ENTRY_DATA);
	bool live = deliverable(m, i), send = false;

	if (!m->a)
		return;
	if (live == v->live && addr == v->addr && data == v->data)
		return;
	pthread_mutex_lock(&m->lock);
	v->addr = addr;
	v->data = data;
	v->live = live;
	if (live && v->pending) {
		v->pending = false;
		send = true;
	}
	pthread_mutex_unlock(&m->lock);
	if (has_irqfd(m))
		update_irqfd(m, v, live);
	else if (send)
		accel_msi(m->a, addr, data);
}

static void update_all(struct msix *m)
{
	for (unsigned i = 0; i < m->n; i++)
		update(m, i);
}

static void changed(struct pci_dev *d)
{
	if (d->ops->msix_changed)
		d->ops->msix_changed(d);
}

/* --- the table's BAR ------------------------------------------------------------------------ */

static bool pending(const struct msix *m, unsigned i)
{
	struct vector *v = &m->v[i];
	struct pollfd p = {.fd = atomic_load(&v->fd), .events = POLLIN};

	if (!has_irqfd(m))
		return v->pending;
	return v->handle < 0 && p.fd >= 0 && poll(&p, 1, 0) == 1;
}

static uint64_t read_pba(struct msix *m, uint64_t off, unsigned size)
{
	uint64_t bits = 0;

	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < 8 * size; i++) {
		uint64_t vec = 8 * off + i;

		if (vec < m->n && pending(m, (unsigned)vec))
			bits |= 1ull << i;
	}
	pthread_mutex_unlock(&m->lock);
	return bits;
}

static uint64_t bar_read(void *opaque, uint64_t off, unsigned size)
{
	struct pci_dev *d = opaque;
	struct msix *m = d->msix;
	uint64_t v = 0;

	if (off < (uint64_t)m->n * ENTRY)
		memcpy(&v, m->table + off, size);
	else if (off >= m->pba && off - m->pba < m->pba_len)
		return read_pba(m, off - m->pba, size);
	return le64toh(v);
}

static void bar_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_dev *d = opaque;
	struct msix *m = d->msix;

	/* The pending bits are read-only. */
	if (off >= (uint64_t)m->n * ENTRY)
		return;
	unsigned i = (unsigned)(off / ENTRY);
	uint8_t *ent = m->table + (size_t)i * ENTRY;

	val = htole64(val);
	memcpy(m->table + off, &val, size);
	/* Reserved bits read as zero. */
	put_le32(ent + ENTRY_CTL, get_le32(ent + ENTRY_CTL) & ENTRY_MASK);
	ent[0] &= 0xfc;
	update(m, i);
	changed(d);
}

/* Accesses are naturally aligned, so none of them crosses an entry. */
static const struct io_ops bar_ops = {bar_read, bar_write, 8};

/* --- the capability ------------------------------------------------------------------------- */

int msix_init(struct pci_dev *d, unsigned bar, unsigned nvec, struct err *e)
{
	struct msix *m;
	uint64_t size = 4096;
	int cap;

	if (!nvec || nvec > MAX_VECTORS)
		return err_set(e, EINVAL, "%s: %u MSI-X vectors; allowed are 1 to %u", d->model,
			       nvec, MAX_VECTORS);
	cap = pci_add_cap(d, CAP_MSIX, CAP_LEN);
	if (cap < 0)
		return err_set(e, ENOSPC, "%s: no room for the MSI-X capability", d->model);
	m = calloc(1, sizeof(*m));
	if (m) {
		m->table = calloc(nvec, ENTRY);
		m->v = calloc(nvec, sizeof(*m->v));
	}
	if (!m || !m->table || !m->v) {
		if (m)
			free(m->table);
		free(m);
		return err_set(e, ENOMEM, "%s: no memory for MSI-X", d->model);
	}
	m->cap = (unsigned)cap;
	m->bar = bar;
	m->n = nvec;
	m->pba = align_up((uint64_t)nvec * ENTRY, 2048);
	m->pba_len = align_up(nvec, 64) / 8;
	while (size < m->pba + m->pba_len)
		size *= 2;
	pthread_mutex_init(&m->lock, NULL);
	for (unsigned i = 0; i < nvec; i++) {
		m->table[i * ENTRY + ENTRY_CTL] = ENTRY_MASK;
		atomic_init(&m->v[i].fd, -1);
		m->v[i].handle = -1;
	}
	put_le16(d->config + cap + CTL, (uint16_t)(nvec - 1));
	put_le16(d->wmask + cap + CTL, CTL_ENABLE | CTL_MASKALL);
	put_le32(d->config + cap + 4, bar);
	put_le32(d->config + cap + 8, (uint32_t)m->pba | bar);
	d->msix = m;
	pci_set_bar(d, bar, BUS_MMIO, size, false, false, &bar_ops, d);
	return 0;
}

void msix_free(struct pci_dev *d)
{
	struct msix *m = d->msix;

	if (!m)
		return;
	for (unsigned i = 0; i < m->n; i++) {
		int fd = atomic_load(&m->v[i].fd);

		if (m->v[i].handle >= 0)
			m->a->ops->irqfd_del(m->a, m->v[i].handle);
		if (fd >= 0)
			close(fd);
	}
	pthread_mutex_destroy(&m->lock);
	free(m->table);
	free(m->v);
	free(m);
	d->msix = NULL;
}

void msix_plugged(struct pci_dev *d)
{
	d->msix->b = d->bus->b;
	d->msix->a = d->bus->b->accel;
}

void msix_config_written(struct pci_dev *d, unsigned off, unsigned len)
{
	struct msix *m = d->msix;

	(void)off;
	(void)len;
	if (!m)
		return;
	uint16_t ctl = get_le16(d->config + m->cap + CTL);
	bool on = ctl & CTL_ENABLE, all = ctl & CTL_MASKALL;
	bool master = get_le16(d->config + PCI_COMMAND) & PCI_CMD_MASTER;

	if (on == atomic_load(&m->enabled) && all == m->maskall && master == m->master)
		return;
	atomic_store(&m->enabled, on);
	m->maskall = all;
	m->master = master;
	update_all(m);
	changed(d);
}

void msix_reset(struct pci_dev *d)
{
	struct msix *m = d->msix;

	if (!m)
		return;
	memset(m->table, 0, (size_t)m->n * ENTRY);
	for (unsigned i = 0; i < m->n; i++)
		m->table[i * ENTRY + ENTRY_CTL] = ENTRY_MASK;
	/* The config bytes are at their reset values already: MSI-X is off. */
	msix_config_written(d, 0, 0);
	update_all(m);
	for (unsigned i = 0; i < m->n; i++) {
		drain(&m->v[i]);
		pthread_mutex_lock(&m->lock);
		m->v[i].pending = false;
		pthread_mutex_unlock(&m->lock);
	}
}

unsigned msix_vectors(const struct pci_dev *d)
{
	return d->msix ? d->msix->n : 0;
}

bool msix_enabled(const struct pci_dev *d)
{
	return d->msix && atomic_load(&d->msix->enabled);
}

/* --- use ------------------------------------------------------------------------------------ */

int msix_use(struct pci_dev *d, unsigned vec, struct err *e)
{
	struct msix *m = d->msix;
	int rc = 0;

	if (vec >= msix_vectors(d))
		return err_set(e, EINVAL, "%s has no MSI-X vector %u", d->model, vec);
	if (!m->a)
		return err_set(e, EINVAL, "%s is not plugged in", d->model);
	bus_lock(m->b);
	struct vector *v = &m->v[vec];

	if (has_irqfd(m) && atomic_load(&v->fd) < 0) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0) {
			rc = err_set(e, errno,
				     "%s: no eventfd for an interrupt: %s; raise the open file "
				     "limit (ulimit -n)",
				     d->model, strerror(errno));
			goto out;
		}
		atomic_store(&v->fd, fd);
	}
	v->uses++;
	update(m, vec);
out:
	bus_unlock(m->b);
	return rc;
}

void msix_unuse(struct pci_dev *d, unsigned vec)
{
	struct msix *m = d->msix;

	if (vec >= msix_vectors(d) || !m->a)
		return;
	bus_lock(m->b);
	struct vector *v = &m->v[vec];

	if (v->uses && !--v->uses) {
		update(m, vec);
		drain(v);
		pthread_mutex_lock(&m->lock);
		v->pending = false;
		pthread_mutex_unlock(&m->lock);
	}
	bus_unlock(m->b);
}

void msix_notify(struct pci_dev *d, unsigned vec)
{
	const uint64_t one = 1;
	struct msix *m = d->msix;

	if (vec >= msix_vectors(d))
		return;
	struct vector *v = &m->v[vec];
	int fd = atomic_load_explicit(&v->fd, memory_order_acquire);

	if (fd >= 0) {
		/* EAGAIN: the counter is full, so the interrupt is on its way anyway. */
		if (write(fd, &one, sizeof(one)) < 0)
			return;
		return;
	}
	if (!m->a || has_irqfd(m))
		return; /* never taken into use */
	pthread_mutex_lock(&m->lock);
	uint64_t addr = v->addr;
	uint32_t data = v->data;
	bool live = v->live;

	if (!live)
		v->pending = true;
	pthread_mutex_unlock(&m->lock);
	if (live)
		accel_msi(m->a, addr, data);
}

int msix_irqfd(struct pci_dev *d, unsigned vec)
{
	return vec < msix_vectors(d) ? atomic_load(&d->msix->v[vec].fd) : -1;
}
