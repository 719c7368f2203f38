/* SPDX-License-Identifier: BSD-2-Clause */
/* The bench of all cards' fuzz targets: see bench.h. */
#include "bench.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/csum.h"
#include "base/iov.h"
#include "base/opt.h"
#include "base/util.h"
#include "net/prot.h"

#define SLOTS 16u
#define BYTES 0x8000u

static struct bench *bench_of_peer(struct net_port *p)
{
	return container_of(p, struct bench, peer);
}

/* --- the peer ------------------------------------------------------------------------------- */

/* What a frame needs of the one who takes it; ~0: there is no such frame. */
static uint32_t need(const struct net_offload *o)
{
	uint32_t ecn = o->gso_type & NET_GSO_ECN ? NET_CAP_ECN : 0;

	switch (o->gso_type & ~NET_GSO_ECN) {
	case NET_GSO_NONE:
		return ecn ? ~0u : o->flags & NET_F_NEEDS_CSUM;
	case NET_GSO_TCPV4:
		return NET_CAP_CSUM | NET_CAP_TSO4 | ecn;
	case NET_GSO_TCPV6:
		return NET_CAP_CSUM | NET_CAP_TSO6 | ecn;
	case NET_GSO_UDP_L4:
		return ecn ? ~0u : NET_CAP_CSUM | NET_CAP_USO;
	default:
		return ~0u;
	}
}

static void check_offload(const struct bench *b, const struct net_frame *f)
{
	const struct net_offload *o = &f->off;

	/* A guest cannot verify a checksum; who cuts frames for a plain peer can. */
	if (o->flags & NET_F_DATA_VALID && b->offloads == NET_CAP_OFFLOADS)
		abort();
	if (o->flags & ~(NET_F_NEEDS_CSUM | NET_F_DATA_VALID) || need(o) & ~b->offloads)
		abort();
	if (o->flags & NET_F_NEEDS_CSUM &&
	    (o->csum_start < ETH_HDR || o->csum_start + o->csum_offset + 2u > f->len))
		abort();
	if (o->gso_type && (!(o->flags & NET_F_NEEDS_CSUM) || !o->gso_size || o->hdr_len > f->len))
		abort();
}

static void check_frame(const struct bench *b, struct net_frame *f)
{
	static uint8_t copy[NET_FRAME_MAX], room[12];

	if (f->len < ETH_HDR || f->len > NET_FRAME_MAX || f->nvec < 2 || f->nvec > NET_VEC_MAX ||
	    iov_size(f->vec + 1, f->nvec - 1) != f->len ||
	    iov_read(f->vec + 1, f->nvec - 1, 0, copy, f->len) != f->len)
		abort();
	check_offload(b, f);
	f->vec[0] = (struct iovec){room, sizeof(room)};
}

static unsigned sink_push(struct net_port *p, unsigned q, struct net_frame *f, unsigned n)
{
	struct bench *b = bench_of_peer(p);
	unsigned i;

	if (q >= p->nqueues || !n || n > NET_BATCH)
		abort();
	for (i = 0; i < n && b->take; i++, b->take--)
		check_frame(b, &f[i]);
	if (b->inside)
		return i;
	b->inside = true;
	if (b->echo)
		bench_send(b, 1, BENCH_MINE, 100, NULL, 0);
	if (b->resume)
		bench_resume(b, b->take);
	b->inside = false;
	return i;
}

static void sink_resume(struct net_port *p, unsigned q)
{
	struct bench *b = bench_of_peer(p);
	unsigned n = b->held;

	if (q >= p->nqueues)
		abort();
	b->held = 0;
	if (n && !b->inside) {
		b->inside = true;
		bench_send(b, n, b->held_kind, b->held_len, NULL, 0);
		b->inside = false;
	}
}

static void sink_caps(const struct net_port *p, struct net_caps *c)
{
	const struct bench *b = bench_of_peer((struct net_port *)(uintptr_t)p);

	*c = (struct net_caps){.queues = NET_QUEUES, .offloads = b->offloads};
}

static int sink_attach(struct net_port *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

static void sink_detach(struct net_port *p)
{
	(void)p;
}

static const struct net_port_ops sink = {
	.kind = "fuzz",
	.push = sink_push,
	.resume = sink_resume,
	.caps = sink_caps,
	.attach = sink_attach,
	.detach = sink_detach,
};

/* --- what it sends -------------------------------------------------------------------------- */

/* Ethernet, perhaps a tag; returns where IP begins. */
static unsigned make_eth(const struct bench *b, uint8_t kind, uint8_t *p)
{
	static const uint8_t multicast[6] = {1, 1, 1, 1, 1, 1}, other[6] = {2, 0, 0, 0, 0, 9};
	unsigned at = 12;

	memset(p, 0xff, 6);
	if (kind & BENCH_MINE)
		memcpy(p, kind & BENCH_BCAST ? other : b->nic->mac, 6);
	else if (!(kind & BENCH_BCAST))
		memcpy(p, multicast, 6);
	memset(p + 6, 2, 6);
	if (kind & BENCH_VLAN) {
		put_be16(p + at, ETH_VLAN);
		put_be16(p + at + 2, 5);
		at += 4;
	}
	put_be16(p + at, kind & BENCH_IP6 ? ETH_IP6 : ETH_IP4);
	return at + 2;
}

static unsigned make_ip(uint8_t kind, uint8_t *ip, uint32_t len)
{
	uint8_t proto = kind & BENCH_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	uint16_t c;

	if (kind & BENCH_IP6) {
		ip[0] = 0x60;
		put_be16(ip + 4, (uint16_t)(len - 40));
		ip[6] = proto;
		ip[7] = 64;
		ip[23] = ip[39] = 1;
		return 40;
	}
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)len);
	ip[8] = 64;
	ip[9] = proto;
	put_be32(ip + 12, 0x0a000202);
	put_be32(ip + 16, 0x0a00020f);
	c = csum_fold(csum_add(0, ip, 20));
	memcpy(ip + 10, &c, 2);
	ip[10] ^= kind & BENCH_BROKEN ? 1 : 0;
	return 20;
}

/* A frame of *len bytes, more if its headers need them; off: what it leaves to be done. */
static void make_frame(const struct bench *b, uint8_t kind, uint32_t *len, uint8_t *p,
		       struct net_offload *off)
{
	unsigned l3, l4, hdr;
	bool tcp = kind & BENCH_TCP;

	memset(p, 0, 128);
	l3 = make_eth(b, kind, p);
	hdr = l3 + (kind & BENCH_IP6 ? 40 : 20) + (tcp ? 20 : 8);
	*len = MAX(*len, hdr);
	l4 = l3 + make_ip(kind, p + l3, *len - l3);
	if (tcp)
		p[l4 + 12] = 0x50;
	else
		put_be16(p + l4 + 4, (uint16_t)(*len - l4));
	*off = (struct net_offload){.flags = kind & BENCH_BROKEN ? NET_F_DATA_VALID : 0};
	if (!(kind & (BENCH_CSUM | BENCH_GSO)))
		return;
	*off = (struct net_offload){
		.flags = NET_F_NEEDS_CSUM, .csum_start = (uint16_t)l4, .csum_offset = tcp ? 16 : 6};
	if (kind & BENCH_GSO && *len > hdr) {
		off->gso_size = 100;
		off->hdr_len = (uint16_t)hdr;
		off->gso_type = !tcp		   ? NET_GSO_UDP_L4
				: kind & BENCH_IP6 ? NET_GSO_TCPV6
						   : NET_GSO_TCPV4;
	}
}

void bench_send(struct bench *b, unsigned n, uint8_t kind, uint16_t len, const uint8_t *raw,
		size_t have)
{
	static uint8_t data[NET_FRAME_MAX];
	struct iovec vec[NET_BATCH][3];
	struct net_frame f[NET_BATCH];
	struct net_offload off;
	uint32_t all = len + ETH_HDR, cut;
	unsigned taken;

	if (!b->nic->port.peer)
		return;
	all = MIN(all, NET_FRAME_MAX);
	/* More of the large ones would take the time of many inputs. */
	n = MIN(n, 1 + BYTES / all);
	make_frame(b, kind, &all, data, &off);
	if (raw)
		memcpy(data + 12, raw, MIN(have, 64));
	cut = MIN(all, 33u);
	for (unsigned i = 0; i < n; i++) {
		vec[i][1] = (struct iovec){data, cut};
		vec[i][2] = (struct iovec){data + cut, all - cut};
		f[i] = (struct net_frame){.vec = vec[i], .nvec = 3, .len = all, .off = off};
	}
	taken = net_push(&b->peer, 0, f, n);
	if (taken > n)
		abort();
	b->held = n - taken;
	b->held_kind = kind;
	b->held_len = len;
}

static void fill_slot(const struct bench *b, struct net_slot *s, uint8_t kind)
{
	uint8_t head[256];
	struct net_offload off;
	uint32_t len = MIN(s->f.len, NET_FRAME_MAX), want = len;

	for (unsigned v = 1; v < s->f.nvec; v++)
		memset(s->f.vec[v].iov_base, 0xff, s->f.vec[v].iov_len);
	make_frame(b, kind, &want, head, &off);
	if (want > len || need(&off) & ~b->nic->port.caps.offloads)
		off = (struct net_offload){0};
	iov_write(s->f.vec + 1, s->f.nvec - 1, 0, head, MIN(len, 128u));
	s->f.vec[0] = (struct iovec){head, 12};
	s->f.len = len;
	s->f.off = off;
}

void bench_lend(struct bench *b, uint8_t how, uint16_t room)
{
	struct net_slot s[SLOTS];
	unsigned n, fill = how / 16u;

	if (!net_may_lend(&b->peer, 0))
		return;
	n = net_lend(&b->peer, 0, room, s, 1 + how % SLOTS);
	for (unsigned i = 0; i < n; i++) {
		if (s[i].f.nvec < 2 || s[i].f.nvec > NET_VEC_MAX ||
		    s[i].f.len < MIN(room, b->longest) ||
		    iov_size(s[i].f.vec + 1, s[i].f.nvec - 1) != s[i].f.len)
			abort();
		if (i < fill)
			fill_slot(b, &s[i], (uint8_t)(how * 37u + i * 8));
		else
			s[i].f.len = 0;
	}
	net_commit(&b->peer, 0, s, n);
}

void bench_resume(struct bench *b, unsigned take)
{
	b->take = take;
	if (b->nic->port.peer)
		net_resume(&b->peer, 0);
}

/* --- the card ------------------------------------------------------------------------------- */

static void no_pirq(void *opaque, unsigned pirq, bool level)
{
	(void)opaque;
	(void)pirq;
	(void)level;
}

static void no_msi(struct accel *a, uint64_t addr, uint32_t data)
{
	(void)a;
	(void)addr;
	(void)data;
}

static void give_addresses(struct bench *b)
{
	const uint8_t irq[4] = {10, 10, 11, 11};

	if (pci_assign(b->pci, 0xc0000000, 0xd0000000, 0xc000, irq, NULL))
		abort();
	pci_set_master(b->nic->pci);
}

static void join(struct bench *b)
{
	if (net_join(&b->nic->port, &b->peer, &b->loop, 1, NULL))
		abort();
}

struct bench *bench_of(const char *model, const void *opts)
{
	static struct bench *b;
	const struct nic_model *m = nic_model_find(model);
	uint64_t defaults[64];

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b || !m || m->opts->size > sizeof(defaults))
		abort();
	b->clock.is_virtual = true;
	b->offloads = NET_CAP_OFFLOADS;
	b->longest = NET_FRAME_MAX;
	b->ops.msi = no_msi;
	b->a.ops = &b->ops;
	b->a.conf.clock = &b->clock;
	b->mem = calloc(1, BENCH_MEM);
	b->a.mem = (struct guest_mem){
		.fd = -1, .n = 1, .r[0] = {.gpa = BENCH_BASE, .size = BENCH_MEM, .host = b->mem}};
	if (bus_init(&b->bus, &b->a, NULL))
		abort();
	b->pci = pci_bus_new(&b->bus, no_pirq, b, NULL);
	opt_init(m->opts, defaults);
	if (m->create(opts ? opts : defaults, b->pci, &b->nic, NULL))
		abort();
	give_addresses(b);
	b->loop = loop_new("fuzz", &b->clock, NULL);
	net_port_init(&b->peer, &sink, "sink");
	join(b);
	return b;
}

static void set_offloads(struct bench *b, uint32_t offloads)
{
	if (b->offloads == offloads)
		return;
	b->offloads = offloads;
	net_caps_changed(&b->peer);
}

static void reset_pci(struct bench *b)
{
	pci_bus_reset(b->pci);
	give_addresses(b);
	b->moved = false;
}

void bench_mmio(struct bench *b, uint64_t gpa, bool write, uint8_t *data, unsigned len)
{
	uint8_t *mem = accel_cpu_ptr(&b->a, gpa, len, write);

	if (mem)
		memcpy(write ? mem : data, write ? data : mem, len);
	else
		bus_mmio(&b->bus, gpa, write, data, len);
}

void bench_begin(struct bench *b, const uint8_t *mem, size_t size)
{
	size = MIN(size, BENCH_MEM);
	if (size)
		memcpy(b->mem, mem, size);
	memset(b->mem + size, 0, BENCH_MEM - size);
	b->take = NET_BATCH;
	b->echo = b->resume = false;
	b->held = 0;
	set_offloads(b, NET_CAP_OFFLOADS);
	net_set_link(&b->nic->port, true);
	net_set_link(&b->peer, true);
	if (b->moved)
		reset_pci(b);
	if (!b->nic->port.peer)
		join(b);
}

void bench_settle(struct bench *b)
{
	still_round(b->loop);
	still_round(b->loop);
}

static void write_config(struct bench *b, uint8_t off, uint16_t val)
{
	uint8_t at[4], buf[2];

	put_le32(at, 0x80000000u | (uint32_t)b->nic->pci->devfn << 8 | (off & 0xfcu));
	put_le16(buf, val);
	bus_pio(&b->bus, 0xcf8, true, at, 4, 1);
	bus_pio(&b->bus, (uint16_t)(0xcfc + (off & 2)), true, buf, 2, 1);
	bus_pio(&b->bus, (uint16_t)(0xcfc + (off & 2)), false, buf, 2, 1);
	b->moved = true;
}

bool bench_operate(struct bench *b, const uint8_t op[4])
{
	unsigned n = op[0] >> 3 & 15;
	uint16_t v = get_le16(op + 2);

	if (!(op[0] & BENCH_OP))
		return false;
	switch (op[0] & 7) {
	case 0:
		bench_send(b, 1 + n * 4, op[1], v, NULL, 0);
		break;
	case 1:
		bench_lend(b, op[1], v);
		break;
	case 2:
		bench_resume(b, op[1] % 65);
		break;
	case 3:
		atomic_fetch_add(&b->clock.now, (uint64_t)v << n);
		break;
	case 4:
		net_set_link(op[1] & 1 ? &b->nic->port : &b->peer, op[1] & 2);
		break;
	case 5: /* off the wire, or on another one */
		net_unjoin(&b->peer);
		if (op[1] & 1)
			join(b);
		break;
	case 6:
		b->echo = op[1] & 1;
		b->resume = op[1] & 2;
		set_offloads(b, v & NET_CAP_OFFLOADS);
		break;
	default:
		if (n)
			write_config(b, op[1], v);
		else
			reset_pci(b);
		break;
	}
	return true;
}
