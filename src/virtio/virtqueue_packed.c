/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packed virtqueue, device side (virtio 1.2 section 2.8).
 *
 * There is one ring in guest memory that both sides write to. The driver puts the descriptors of
 * a chain one behind the other and turns the first one's AVAIL and USED bits; we answer with one
 * used descriptor at the place up to which we have answered, which is some earlier chain's place
 * when chains are not used in the order in which they came. Each side has a position and a wrap
 * counter, the value that a set bit has on this lap. Two small areas say when the other side wants
 * to be told (2.8.14).
 *
 * What we write may lie on top of a chain that we hold and did not use. So a chain is copied when
 * it is popped, into a table of our own that looks like the descriptor table of the split layout:
 * the walk through a chain is the same code for both, and a chain that is given back is walked
 * again from there. Free entries of the table form a list by the same `next` that a chain has, so
 * a chain is taken off the list's front, and put back there, in one piece. The table has as many
 * entries as the ring: a driver that makes more available than that has broken the queue, which
 * also keeps our position for used ones behind that for new ones.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "virtio/virtqueue_priv.h"

#define F_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define F_USED	(1u << VRING_PACKED_DESC_F_USED)
#define F_CHAIN (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT)

int vq_init_packed(struct virtqueue *q, struct err *e)
{
	q->p.copy = calloc(q->max, sizeof(*q->p.copy));
	q->p.held = calloc(q->max, sizeof(*q->p.held));
	return q->p.copy && q->p.held ? 0 : err_set(e, ENOMEM, "no memory for a virtqueue");
}

static uint16_t flags_at(const struct virtqueue *q, uint16_t at)
{
	return le16toh(__atomic_load_n(&q->p.ring[at].flags, __ATOMIC_ACQUIRE));
}

/* 2.8.1: turned by the driver on this lap, and not by us. */
static bool is_avail(uint16_t flags, bool wrap)
{
	return !(flags & F_AVAIL) == !wrap && !(flags & F_USED) != !wrap;
}

static void step(const struct virtqueue *q, uint16_t *at, bool *wrap, unsigned n)
{
	unsigned to = *at + n;

	if (to >= q->size) {
		to -= q->size;
		*wrap = !*wrap;
	}
	*at = (uint16_t)to;
}

/* Off and wrap counter share a word with the flags, 2.8.14; written in one piece. */
static void say(struct virtqueue *q, uint8_t what, uint16_t at, bool wrap)
{
	uint32_t off = at | (uint32_t)wrap << VRING_PACKED_EVENT_F_WRAP_CTR;

	__atomic_store_n(q->p.device, htole32(off | (uint32_t)what << 16), __ATOMIC_RELAXED);
	q->p.said = what;
}

void vq_packed_start(struct virtqueue *q, const struct guest_mem *mem, const struct vq_conf *c)
{
	const uint64_t area = sizeof(struct vring_packed_desc_event);
	struct vq_packed *p = &q->p;

	if (!c->size || c->size > q->max || !p->copy) {
		vq_break(q, "its size is not one up to the size offered");
	} else if (c->desc & 15 || c->avail & 3 || c->used & 3) {
		vq_break(q, "a ring's address is not aligned");
	} else {
		p->ring = mem_ptr(mem, c->desc, c->size * sizeof(struct vring_packed_desc));
		p->driver = mem_ptr(mem, c->avail, area);
		p->device = mem_ptr(mem, c->used, area);
		if (!p->ring || !p->driver || !p->device)
			vq_break(q, "a ring lies outside of memory");
	}
	if (q->broken)
		return;
	q->packed = true;
	q->size = c->size;
	q->desc = p->copy;
	for (unsigned i = 0; i < q->size; i++)
		p->copy[i].next = htole16((uint16_t)(i + 1));
	p->nfree = q->size;
	p->next_wrap = p->put_wrap = true;
	say(q, VRING_PACKED_EVENT_FLAG_ENABLE, 0, false);
}

/* --- popping -------------------------------------------------------------------------------- */

bool vq_packed_pull(struct virtqueue *q, uint16_t *head)
{
	struct vq_packed *p = &q->p;
	uint16_t at = q->next, i = p->free, last = 0, n = 0, flags;
	struct vring_packed_desc d;
	bool wrap = p->next_wrap;

	if (!q->running || q->broken || !is_avail(flags_at(q, at), wrap))
		return false;
	do {
		/* Also the end of a loop: every descriptor refers to the next. */
		if (n == p->nfree) {
			vq_break(q, "more descriptors available than the ring has");
			return false;
		}
		vq_copy_once(&d, &p->ring[at], sizeof(d));
		flags = le16toh(d.flags);
		last = i;
		p->copy[i].addr = d.addr;
		p->copy[i].len = d.len;
		p->copy[i].flags = htole16(flags & F_CHAIN);
		i = le16toh(p->copy[i].next);
		step(q, &at, &wrap, 1);
		n++;
	} while (flags & VRING_DESC_F_NEXT);
	/* 2.8.6: the last one has the id, which means something to the driver only. */
	p->held[p->free] = (struct vq_held){.id = d.id, .n = n, .last = last};
	*head = p->free;
	p->free = i;
	p->nfree -= n;
	q->next = at;
	p->next_wrap = wrap;
	return true;
}

/* Goes from (*at, *wrap) behind everything that is available; returns how many chains that is. */
static unsigned skip_avail(const struct virtqueue *q, uint16_t *at, bool *wrap)
{
	unsigned chains = 0;
	bool more = false;

	for (unsigned n = 0; n < q->size; n++) {
		uint16_t flags = flags_at(q, *at);

		if (!more && !is_avail(flags, *wrap))
			break;
		more = flags & VRING_DESC_F_NEXT;
		chains += !more;
		step(q, at, wrap, 1);
	}
	return chains;
}

unsigned vq_packed_ready(const struct virtqueue *q)
{
	uint16_t at = q->next;
	bool wrap = q->p.next_wrap;

	return skip_avail(q, &at, &wrap);
}

/* --- putting -------------------------------------------------------------------------------- */

void vq_packed_put(struct virtqueue *q, uint16_t head, uint32_t len)
{
	struct vq_packed *p = &q->p;
	const struct vq_held h = p->held[head];
	struct vring_packed_desc *d = &p->ring[q->put];
	uint16_t flags = p->put_wrap ? F_AVAIL | F_USED : 0;

	/* 2.8.4: the length counts for something when this is set. */
	if (len)
		flags |= VRING_DESC_F_WRITE;
	__atomic_store_n(&d->len, htole32(len), __ATOMIC_RELAXED);
	__atomic_store_n(&d->id, h.id, __ATOMIC_RELAXED);
	/* The driver looks at one after the other: it sees none before the first one's flags. */
	if (p->moved) {
		__atomic_store_n(&d->flags, htole16(flags), __ATOMIC_RELAXED);
	} else {
		p->first = q->put;
		p->first_flags = flags;
	}
	step(q, &q->put, &p->put_wrap, h.n);
	p->moved += h.n;
	p->copy[h.last].next = htole16(p->free);
	p->free = head;
	p->nfree += h.n;
}

/*
 * Does the driver want to hear of the `moved` descriptors in front of q->put? Positions are taken
 * on a line of two laps, the last one and this. An event of the next lap looks like one of the
 * last, but is too far behind to matter, or the interrupt is one too many.
 */
static bool passed(const struct virtqueue *q, uint16_t off_wrap, unsigned moved)
{
	bool wrap = off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR;
	unsigned end = q->size + q->put;
	unsigned event = off_wrap & ~(1u << VRING_PACKED_EVENT_F_WRAP_CTR);

	if (wrap == q->p.put_wrap)
		event += q->size;
	return moved >= q->size || (event < end && event >= end - moved);
}

bool vq_packed_publish(struct virtqueue *q)
{
	struct vq_packed *p = &q->p;
	unsigned moved = p->moved;
	uint32_t word;

	if (!moved)
		return false;
	__atomic_store_n(&p->ring[p->first].flags, htole16(p->first_flags), __ATOMIC_RELEASE);
	p->moved = 0;
	atomic_thread_fence(memory_order_seq_cst);
	word = le32toh(__atomic_load_n(p->driver, __ATOMIC_RELAXED));
	if (word >> 16 == VRING_PACKED_EVENT_FLAG_DESC && q->event_idx)
		return passed(q, (uint16_t)word, moved);
	return word >> 16 != VRING_PACKED_EVENT_FLAG_DISABLE;
}

/* --- kicks ---------------------------------------------------------------------------------- */

void vq_packed_kicks_off(struct virtqueue *q)
{
	/* A descriptor that we asked for and got stands behind us: until the laps have turned
	 * twice there is nothing to do, and then it is one kick. */
	if (q->p.said == VRING_PACKED_EVENT_FLAG_ENABLE)
		say(q, VRING_PACKED_EVENT_FLAG_DISABLE, 0, false);
}

bool vq_packed_kicks_on(struct virtqueue *q)
{
	uint16_t at = q->next;
	bool wrap = q->p.next_wrap;

	if (!q->event_idx) {
		say(q, VRING_PACKED_EVENT_FLAG_ENABLE, 0, false);
		atomic_thread_fence(memory_order_seq_cst);
		return is_avail(flags_at(q, at), wrap);
	}
	/* As with the split ring: the first one behind all that are there; then once more. */
	for (unsigned i = 0; i < 2; i++) {
		skip_avail(q, &at, &wrap);
		say(q, VRING_PACKED_EVENT_FLAG_DESC, at, wrap);
		atomic_thread_fence(memory_order_seq_cst);
		if (!is_avail(flags_at(q, at), wrap))
			break;
	}
	return is_avail(flags_at(q, q->next), q->p.next_wrap);
}
