/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dispatch of register accesses.
 *
 * An access is cut into naturally aligned pieces of at most the width that the region's handlers
 * take, as a host bridge cuts it into transactions; so a handler never sees an access that is
 * unaligned, of an odd size or over its end. The region is looked up anew for every piece,
 * because a handler may add and remove regions (a write to a BAR does).
 */
#include "bus/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static const char *space_name(enum bus_space s)
{
	return s == BUS_PIO ? "port" : "memory";
}

int bus_init(struct bus *b, struct accel *a, struct err *e)
{
	pthread_mutexattr_t attr;
	int rc;

	memset(b, 0, sizeof(*b));
	b->accel = a;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	rc = pthread_mutex_init(&b->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	if (rc)
		return err_set(e, rc, "cannot make the bus lock: %s", strerror(rc));
	return 0;
}

void bus_exit(struct bus *b)
{
	for (unsigned s = 0; s < BUS_SPACES; s++) {
		free(b->space[s].v);
		b->space[s].v = NULL;
		b->space[s].n = b->space[s].room = 0;
	}
	pthread_mutex_destroy(&b->lock);
}

void bus_lock(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
}

void bus_unlock(struct bus *b)
{
	pthread_mutex_unlock(&b->lock);
}

/* Index of the first region that ends after addr. */
static unsigned lower(const struct bus *b, enum bus_space s, uint64_t addr)
{
	unsigned lo = 0, hi = b->space[s].n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		const struct io_region *r = b->space[s].v[mid];

		if (r->base + (r->size - 1) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct io_region *find(const struct bus *b, enum bus_space s, uint64_t addr)
{
	unsigned i = lower(b, s, addr);

	if (i < b->space[s].n && b->space[s].v[i]->base <= addr)
		return b->space[s].v[i];
	return NULL;
}

static int make_room(struct bus *b, enum bus_space s, struct err *e)
{
	unsigned room = b->space[s].room ? 2 * b->space[s].room : 32;
	struct io_region **v;

	if (b->space[s].n < b->space[s].room)
		return 0;
	v = realloc(b->space[s].v, room * sizeof(struct io_region *));
	if (!v)
		return err_set(e, ENOMEM, "no memory for a register region");
	b->space[s].v = v;
	b->space[s].room = room;
	return 0;
}

int bus_add(struct bus *b, enum bus_space s, struct io_region *r, struct err *e)
{
	int rc;

	if (!r->size || r->base + (r->size - 1) < r->base ||
	    (s == BUS_PIO && r->base + (r->size - 1) > UINT16_MAX))
		return err_set(e, EINVAL, "%s: bad %s range 0x%" PRIx64 "+0x%" PRIx64, r->name,
			       space_name(s), r->base, r->size);
	bus_lock(b);
	unsigned i = lower(b, s, r->base);

	if (i < b->space[s].n && b->space[s].v[i]->base <= r->base + (r->size - 1)) {
		rc = err_set(e, EBUSY, "%s: %s range 0x%" PRIx64 "+0x%" PRIx64 " overlaps %s",
			     r->name, space_name(s), r->base, r->size, b->space[s].v[i]->name);
		goto out;
	}
	rc = make_room(b, s, e);
	if (rc)
		goto out;
	memmove(&b->space[s].v[i + 1], &b->space[s].v[i],
		(b->space[s].n - i) * sizeof(struct io_region *));
	b->space[s].v[i] = r;
	b->space[s].n++;
out:
	bus_unlock(b);
	return rc;
}

void bus_del(struct bus *b, enum bus_space s, struct io_region *r)
{
	bus_lock(b);
	for (unsigned i = 0; i < b->space[s].n; i++) {
		if (b->space[s].v[i] != r)
			continue;
		b->space[s].n--;
		memmove(&b->space[s].v[i], &b->space[s].v[i + 1],
			(b->space[s].n - i) * sizeof(struct io_region *));
		break;
	}
	bus_unlock(b);
}

/* Widest naturally aligned piece at addr of at most len and max bytes (powers of two). */
static unsigned piece(uint64_t addr, unsigned len, unsigned max)
{
	unsigned n = 1;

	while (2 * n <= max && 2 * n <= len && !(addr & (2 * n - 1)))
		n *= 2;
	return n;
}

static void access_one(struct bus *b, enum bus_space s, uint64_t addr, bool write, uint8_t *data,
		       unsigned len)
{
	while (len) {
		const struct io_region *r = find(b, s, addr);
		unsigned n = 1;

		if (!r) {
			if (!write)
				*data = 0xff;
		} else {
			uint64_t off = addr - r->base;
			unsigned in = r->size - off < len ? (unsigned)(r->size - off) : len;

			/* What straddles the end comes as bytes. */
			if (in == len)
				n = piece(addr, len, r->ops->max ? r->ops->max : 8);
			if (!write)
				put_le(data,
				       r->ops->read ? r->ops->read(r->opaque, off, n) : UINT64_MAX,
				       n);
			else if (r->ops->write)
				r->ops->write(r->opaque, off, get_le(data, n), n);
		}
		addr += n;
		data += n;
		len -= n;
	}
}

void bus_pio(void *opaque, uint16_t port, bool write, uint8_t *data, unsigned size, unsigned count)
{
	struct bus *b = opaque;

	bus_lock(b);
	for (unsigned i = 0; i < count; i++)
		access_one(b, BUS_PIO, port, write, data + (size_t)i * size, size);
	bus_unlock(b);
}

void bus_mmio(void *opaque, uint64_t gpa, bool write, uint8_t *data, unsigned len)
{
	struct bus *b = opaque;

	bus_lock(b);
	access_one(b, BUS_MMIO, gpa, write, data, len);
	bus_unlock(b);
}
