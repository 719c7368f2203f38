/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dummy: takes every frame and counts it; the other end of a wire for tests and measurements
 * that shall need no host network. echo=on sends each frame back with its MAC and IP addresses
 * swapped (which changes no checksum), drop=n loses every n-th. Tests can take away its room.
 *
 * An echo that finds no room is dropped: a dummy keeps nothing.
 */
#include "net/backend/dummy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "net/backend/backend.h"
#include "net/prot.h"

#define HEAD  54u /* Ethernet and IPv6 headers, bytes */
#define CHUNK 16u /* frames echoed at a time */

struct dummy {
	struct net_port port;
	struct dummy_conf conf;
	uint32_t room[NET_QUEUES], seen[NET_QUEUES];
	unsigned resumed[NET_QUEUES];
	bool echoing[NET_QUEUES];
	void (*tap)(void *arg, unsigned q, const struct net_frame *f);
	void *tap_arg;
};

static struct dummy *dummy_of(const struct net_port *p)
{
	return container_of((struct net_port *)(uintptr_t)p, struct dummy, port);
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t tmp[16];

	memcpy(tmp, a, n);
	memcpy(a, b, n);
	memcpy(b, tmp, n);
}

/* Builds the echo of f: the start of the frame in head[], slices of f behind it. */
static bool turn_round(const struct net_frame *f, uint8_t *head, struct iovec *vec,
		       struct net_frame *out)
{
	size_t n = iov_read(f->vec + 1, f->nvec - 1, 0, head, MIN(f->len, HEAD)), got;
	uint8_t *ip = head + ETH_HDR;

	if (n < ETH_HDR)
		return false;
	swap_bytes(head, head + ETH_ALEN, ETH_ALEN);
	if (get_be16(head + 12) == ETH_IP4 && n >= ETH_HDR + sizeof(struct ip4_hdr))
		swap_bytes(ip + 12, ip + 16, 4);
	else if (get_be16(head + 12) == ETH_IP6 && n >= ETH_HDR + sizeof(struct ip6_hdr))
		swap_bytes(ip + 8, ip + 24, 16);
	vec[1] = (struct iovec){head, n};
	*out = (struct net_frame){.vec = vec, .nvec = 2, .len = f->len, .off = f->off};
	out->nvec +=
		iov_slice(f->vec + 1, f->nvec - 1, n, f->len - n, vec + 2, NET_VEC_MAX - 2, &got);
	return got == f->len - n;
}

static void echo(struct dummy *d, unsigned q, const struct net_frame *f, unsigned n)
{
	struct iovec vec[CHUNK][NET_VEC_MAX];
	uint8_t head[CHUNK][HEAD];
	struct net_frame out[CHUNK];
	unsigned m = 0, sent;

	for (unsigned i = 0; i < n; i++) {
		if (turn_round(&f[i], head[m], vec[m], &out[m]))
			m++;
		else
			net_drop(&d->port, q, "frame that cannot be echoed");
	}
	for (sent = net_push(&d->port, q, out, m); sent < m; sent++)
		net_drop(&d->port, q, "no room for the echo");
}

/* Loses f if its turn has come, else shows it to the test. */
static bool keep(struct dummy *d, unsigned q, const struct net_frame *f)
{
	if (d->conf.drop && ++d->seen[q] % d->conf.drop == 0) {
		net_drop(&d->port, q, "dropped as drop= says");
		return false;
	}
	if (d->tap)
		d->tap(d->tap_arg, q, f);
	/* Two echoing ends would toss a frame to and fro for ever. */
	if (d->conf.echo && d->echoing[q]) {
		net_drop(&d->port, q, "echo of an echo");
		return false;
	}
	return d->conf.echo;
}

static unsigned dummy_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct dummy *d = dummy_of(p);
	unsigned take = MIN(n, d->room[q]), from = 0;

	if (d->room[q] != DUMMY_ALL)
		d->room[q] -= take;
	for (unsigned i = 0; i < take; i++) {
		bool back = keep(d, q, &f[i]);

		/* Runs of frames that go back, CHUNK at most. */
		if (back && i + 1 - from < CHUNK && i + 1 < take)
			continue;
		if (i - from + back) {
			d->echoing[q] = true;
			echo(d, q, f + from, i - from + back);
			d->echoing[q] = false;
		}
		from = i + 1;
	}
	return take;
}

static void dummy_resume(struct net_port *p, unsigned q)
{
	dummy_of(p)->resumed[q]++;
}

static void dummy_caps(const struct net_port *p, struct net_caps *c)
{
	const struct dummy *d = dummy_of(p);

	*c = (struct net_caps){.queues = d->conf.queues, .offloads = d->conf.offloads};
}

static int dummy_attach(struct net_port *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

static void dummy_detach(struct net_port *p)
{
	(void)p;
}

static void dummy_info(const struct net_port *p, char *buf, size_t len)
{
	const struct dummy *d = dummy_of(p);

	snprintf(buf, len, "echo=%s,drop=%u", d->conf.echo ? "on" : "off", d->conf.drop);
}

static void dummy_destroy(struct net_port *p)
{
	free(dummy_of(p));
}

static const struct net_port_ops dummy_ops = {
	.kind = "dummy",
	.push = dummy_push,
	.resume = dummy_resume,
	.caps = dummy_caps,
	.attach = dummy_attach,
	.detach = dummy_detach,
	.info = dummy_info,
	.destroy = dummy_destroy,
};

struct net_port *dummy_new(const struct dummy_conf *c, const char *id)
{
	struct dummy *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	net_port_init(&d->port, &dummy_ops, id);
	d->conf = *c;
	if (!d->conf.queues)
		d->conf.queues = 1;
	for (unsigned q = 0; q < NET_QUEUES; q++)
		d->room[q] = DUMMY_ALL;
	return &d->port;
}

void dummy_set_room(struct net_port *p, unsigned q, uint32_t frames)
{
	dummy_of(p)->room[q] = frames;
	if (frames)
		net_resume(p, q);
}

void dummy_set_tap(struct net_port *p, void (*fn)(void *arg, unsigned q, const struct net_frame *f),
		   void *arg)
{
	struct dummy *d = dummy_of(p);

	d->tap = fn;
	d->tap_arg = arg;
}

unsigned dummy_resumed(const struct net_port *p, unsigned q)
{
	return dummy_of(p)->resumed[q];
}

/* --- the backend ---------------------------------------------------------------------------- */

struct dummy_opts {
	bool echo;
	uint32_t drop;
	uint32_t queues;
};

static void dummy_defaults(void *out)
{
	struct dummy_opts *o = out;

	o->queues = 1;
}

static const struct opt dummy_table[] = {
	{"echo", OPT_BOOL, offsetof(struct dummy_opts, echo), .arg = "on|off",
	 .help = "send every frame back, MAC and IP addresses swapped; default: off"},
	{"drop", OPT_U32, offsetof(struct dummy_opts, drop), .max = UINT32_MAX, .arg = "n",
	 .help = "lose every n-th frame; default: 0, none"},
	{"queues", OPT_U32, offsetof(struct dummy_opts, queues), .min = 1, .max = NET_QUEUES,
	 .arg = "n", .help = "queues, for a card with mq=on; default: 1"},
	{.name = NULL},
};

static const struct opt_table dummy_opt_table = {
	.name = "dummy",
	.summary = "takes and counts every frame, for tests",
	.opts = dummy_table,
	.size = sizeof(struct dummy_opts),
	.defaults = dummy_defaults,
};

static int dummy_open(const void *opts, const char *id, struct net_port **port, struct err *e)
{
	const struct dummy_opts *o = opts;
	const struct dummy_conf c = {
		.echo = o->echo,
		.drop = o->drop,
		.queues = o->queues,
		.offloads = NET_CAP_OFFLOADS,
	};

	*port = dummy_new(&c, id);
	return *port ? 0 : err_set(e, ENOMEM, "dummy: no memory");
}

const struct net_backend net_backend_dummy = {
	.name = "dummy",
	.summary = "takes and counts every frame, for tests",
	.opts = &dummy_opt_table,
	.open = dummy_open,
};
