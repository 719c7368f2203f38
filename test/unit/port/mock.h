/* SPDX-License-Identifier: BSD-2-Clause */
/* A port for tests: records what it takes, takes only as much as it is told, can lend. */
#ifndef TEST_MOCK_H
#define TEST_MOCK_H

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/port/port.h"

#define MOCK_ALL   UINT32_MAX
#define MOCK_SLOTS 64
#define SLOT_ROOM  2048u

struct rec { /* a frame taken, flattened */
	uint8_t *b;
	uint32_t len;
	struct net_offload off;
	unsigned q;
	struct rec *next;
};

struct mock {
	struct net_port port;
	struct net_caps caps;
	uint32_t room;	/* frames it still takes */
	uint32_t slots; /* buffers it still lends */
	bool fail_attach;
	unsigned attached, resumed, caps_told, link_told, announced, lent, given_back;
	struct rec *first, **last;
	unsigned n;
	void (*on_resume)(struct mock *m, unsigned q);
	/* Two entries per slot, split at an odd place. */
	uint8_t slot_mem[MOCK_SLOTS][SLOT_ROOM];
	struct iovec slot_vec[MOCK_SLOTS][3];
};

static inline struct mock *mock_of(const struct net_port *p)
{
	return container_of((struct net_port *)(uintptr_t)p, struct mock, port);
}

static inline void mock_record(struct mock *m, unsigned q, const struct net_frame *f)
{
	struct rec *r = calloc(1, sizeof(*r));

	assert_true(f->nvec >= 2 && f->nvec <= NET_VEC_MAX);
	assert_int_equal(iov_size(f->vec + 1, f->nvec - 1), f->len);
	r->b = malloc(f->len + 1);
	r->len = f->len;
	r->off = f->off;
	r->q = q;
	iov_read(f->vec + 1, f->nvec - 1, 0, r->b, f->len);
	*m->last = r;
	m->last = &r->next;
	m->n++;
}

static inline unsigned mock_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct mock *m = mock_of(p);
	unsigned i;

	for (i = 0; i < n && m->room; i++) {
		if (m->room != MOCK_ALL)
			m->room--;
		f[i].vec[0] = (struct iovec){(void *)(uintptr_t)1, 12}; /* vec[0] is ours */
		mock_record(m, q, &f[i]);
	}
	return i;
}

static inline void mock_resume(struct net_port *p, unsigned q)
{
	struct mock *m = mock_of(p);

	m->resumed++;
	if (m->on_resume)
		m->on_resume(m, q);
}

static inline unsigned mock_lend(struct net_port *p, unsigned q, uint32_t room, struct net_slot *s,
				 unsigned n)
{
	struct mock *m = mock_of(p);
	unsigned i;

	(void)q;
	if (room > SLOT_ROOM)
		return 0;
	for (i = 0; i < n && i < m->slots && i < MOCK_SLOTS; i++) {
		m->slot_vec[i][1] = (struct iovec){m->slot_mem[i], 77};
		m->slot_vec[i][2] = (struct iovec){m->slot_mem[i] + 77, SLOT_ROOM - 77};
		s[i] = (struct net_slot){
			.f = {.vec = m->slot_vec[i], .nvec = 3, .len = SLOT_ROOM},
			.cookie = i,
		};
	}
	m->lent = i;
	return i;
}

static inline void mock_commit(struct net_port *p, unsigned q, struct net_slot *s, unsigned n)
{
	struct mock *m = mock_of(p);
	bool rest = false;

	assert_int_equal(n, m->lent);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(s[i].cookie, i);
		if (!s[i].f.len) {
			rest = true;
			m->given_back++;
			continue;
		}
		assert_false(rest);
		assert_true(s[i].f.len <= SLOT_ROOM);
		struct iovec vec[NET_VEC_MAX];
		struct net_frame f = {.vec = vec, .nvec = 1, .len = s[i].f.len, .off = s[i].f.off};

		f.nvec += iov_slice(s[i].f.vec + 1, 2, 0, f.len, vec + 1, 2, NULL);
		mock_record(m, q, &f);
		m->slots--;
	}
	m->lent = 0;
}

static inline void mock_caps(const struct net_port *p, struct net_caps *c)
{
	*c = mock_of(p)->caps;
}

static inline int mock_attach(struct net_port *p, struct err *e)
{
	struct mock *m = mock_of(p);

	assert_non_null(p->peer);
	if (m->fail_attach)
		return err_set(e, EIO, "attach fails as told");
	assert_int_equal(m->attached, 0);
	m->attached++;
	return 0;
}

static inline void mock_detach(struct net_port *p)
{
	assert_int_equal(mock_of(p)->attached, 1);
	mock_of(p)->attached--;
}

static inline void mock_peer_caps(struct net_port *p)
{
	mock_of(p)->caps_told++;
}

static inline void mock_link(struct net_port *p, bool up)
{
	assert_int_equal(up, net_link_is_up(p));
	mock_of(p)->link_told++;
}

static inline void mock_announce(struct net_port *p)
{
	mock_of(p)->announced++;
}

static const struct net_port_ops mock_ops = {
	.kind = "mock",
	.push = mock_push,
	.resume = mock_resume,
	.lend = mock_lend,
	.commit = mock_commit,
	.caps = mock_caps,
	.attach = mock_attach,
	.detach = mock_detach,
	.peer_caps_changed = mock_peer_caps,
	.link = mock_link,
	.announce = mock_announce,
};

static inline void mock_init(struct mock *m, const char *name, uint32_t offloads)
{
	memset(m, 0, sizeof(*m));
	net_port_init(&m->port, &mock_ops, name);
	m->caps = (struct net_caps){.queues = 1, .offloads = offloads};
	m->room = MOCK_ALL;
	m->slots = MOCK_SLOTS;
	m->last = &m->first;
}

/* Forgets the frames taken. */
static inline void mock_clear(struct mock *m)
{
	while (m->first) {
		struct rec *r = m->first;

		m->first = r->next;
		free(r->b);
		free(r);
	}
	m->last = &m->first;
	m->n = 0;
}

static inline const struct rec *mock_frame(const struct mock *m, unsigned i)
{
	const struct rec *r = m->first;

	while (r && i--)
		r = r->next;
	assert_non_null(r);
	return r;
}

/* A frame over flat memory, in pieces of `piece` bytes (0: whole). */
static inline struct net_frame frame_over(struct iovec *vec, uint8_t *b, uint32_t len,
					  uint32_t piece)
{
	struct net_frame f = {.vec = vec, .nvec = 1, .len = len};

	for (uint32_t at = 0; at < len;) {
		uint32_t n = piece ? MIN(piece, len - at) : len;

		assert_true(f.nvec < NET_VEC_MAX);
		vec[f.nvec++] = (struct iovec){b + at, n};
		at += n;
	}
	return f;
}

/* n small frames of 60 bytes that carry the numbers from..from + n - 1. */
struct batch {
	uint8_t b[NET_BATCH][60];
	struct iovec vec[NET_BATCH][2];
	struct net_frame f[NET_BATCH];
};

static inline void batch_fill(struct batch *t, unsigned n, uint32_t from)
{
	for (unsigned i = 0; i < n; i++) {
		memset(t->b[i], 0xee, sizeof(t->b[i]));
		put_be32(t->b[i] + 20, from + i);
		t->f[i] = frame_over(t->vec[i], t->b[i], sizeof(t->b[i]), 0);
	}
}

static inline uint32_t rec_number(const struct rec *r)
{
	return get_be32(r->b + 20);
}

static inline uint64_t stat_get(const _Atomic uint64_t *c)
{
	return atomic_load(c);
}

#endif
