/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio block device (virtio 1.2 section 5.2).
 *
 * Each queue lives on one event loop and has a fixed table of requests; a chain that is popped
 * takes one of them until it is put back. When the table is full the rest waits in the ring, and
 * the next completion goes on with it. The chain's own iovecs, with the header and the status byte
 * cut off, are what is read and written: nothing is copied here.
 *
 * A driver that negotiated neither FLUSH nor CONFIG_WCE cannot flush, so each of its writes is on
 * stable storage before it is told so (5.2.6.1). A stopped ring takes its requests with it only
 * when no thread works on them any more.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "block/disk.h"
#include "virtio/virtio_pci.h"

#define IN_FLIGHT    64u /* requests of a queue with the disk at a time */
#define RING_DEFAULT 256u
#define RING_MAX     1024u
#define SECTORS_MAX  0x3fffffu /* 2 GiB: most that one discard or zeroing may ask for */
#define VECTORS_AUTO UINT32_MAX

struct vblk_opts {
	struct disk_conf disk;
	int devfn;
	uint32_t vectors, queues, queue_size;
	bool disable_legacy, disable_modern, event_idx, indirect_desc, packed;
};

struct vblk_req {
	struct blk_req r;
	struct list link; /* of the free ones */
	struct vblk_queue *q;
	uint16_t head;
	uint32_t written; /* bytes that the driver finds in the chain when all went well */
	uint8_t *status;
	struct iovec *vec; /* ring size of them */
};

struct vblk_queue {
	struct vblk *n;
	unsigned i;
	struct blk_queue bq;
	struct list free;
	bool starved; /* chains wait in the ring for a free request */
	struct vblk_req req[IN_FLIGHT];
	struct iovec *vecs;
};

struct vblk {
	struct virtio_pci v;
	struct vblk_opts opts;
	struct blk *disk;
	uint64_t sectors;
	char serial[VIRTIO_BLK_ID_BYTES + 1];
	_Atomic bool wce; /* 5.2.5: the driver wants a write cache */
	struct vblk_queue *q;
};

static struct vblk *of(struct virtio_pci *v)
{
	return container_of(v, struct vblk, v);
}

/* --- features and configuration (5.2.3, 5.2.4) ---------------------------------------------- */

static uint64_t vblk_features(struct virtio_pci *v)
{
	const struct vblk *n = of(v);
	uint64_t f = VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) | VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) |
		     VIRTIO_BIT(VIRTIO_BLK_F_GEOMETRY) | VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) |
		     VIRTIO_BIT(VIRTIO_BLK_F_CONFIG_WCE);

	if (blk_readonly(n->disk))
		f |= VIRTIO_BIT(VIRTIO_BLK_F_RO);
	else
		f |= VIRTIO_BIT(VIRTIO_BLK_F_DISCARD) | VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	if (n->opts.queues > 1)
		f |= VIRTIO_BIT(VIRTIO_BLK_F_MQ);
	return f;
}

static void vblk_config_read(struct virtio_pci *v, unsigned off, uint8_t *buf, unsigned len)
{
	const struct vblk *n = of(v);
	struct virtio_blk_config c = {
		.capacity = htole64(n->sectors),
		.seg_max = htole32(n->opts.queue_size - 2),
		.geometry = {htole16((uint16_t)MIN(n->sectors / (16ul * 63), 16383ul)), 16, 63},
		.blk_size = htole32(BLK_SECTOR),
		.wce = atomic_load(&n->wce),
		.num_queues = htole16((uint16_t)n->opts.queues),
		.max_discard_sectors = htole32(SECTORS_MAX),
		.max_discard_seg = htole32(1),
		.discard_sector_alignment = htole32(8),
		.max_write_zeroes_sectors = htole32(SECTORS_MAX),
		.max_write_zeroes_seg = htole32(1),
		.write_zeroes_may_unmap = 1,
	};

	memcpy(buf, (uint8_t *)&c + off, len);
}

static void vblk_config_write(struct virtio_pci *v, unsigned off, const uint8_t *buf, unsigned len)
{
	struct vblk *n = of(v);
	unsigned at = offsetof(struct virtio_blk_config, wce);

	if (off <= at && at < off + len && virtio_has(v, VIRTIO_BLK_F_CONFIG_WCE))
		atomic_store(&n->wce, buf[at - off] & 1);
}

static bool write_through(const struct vblk *n)
{
	if (!virtio_has(&n->v, VIRTIO_BLK_F_FLUSH) && !virtio_has(&n->v, VIRTIO_BLK_F_CONFIG_WCE))
		return true;
	return !atomic_load(&n->wce);
}

/* --- requests (5.2.6) ----------------------------------------------------------------------- */

static void put(struct vblk_queue *q, struct vblk_req *r, uint8_t status)
{
	*r->status = status;
	vq_put(&q->n->v.q[q->i].ring, r->head, status == VIRTIO_BLK_S_OK ? r->written + 1 : 1);
	list_add_tail(&q->free, &r->link);
}

static uint8_t status_of(int rc)
{
	return rc == 0		? VIRTIO_BLK_S_OK
	       : rc == -ENOTSUP ? VIRTIO_BLK_S_UNSUPP
				: VIRTIO_BLK_S_IOERR;
}

/* Takes n bytes off the front of *vec. */
static void cut_front(struct iovec **vec, unsigned *nvec, size_t n)
{
	while (n && *nvec) {
		size_t take = MIN(n, (*vec)->iov_len);

		(*vec)->iov_base = (uint8_t *)(*vec)->iov_base + take;
		(*vec)->iov_len -= take;
		n -= take;
		if (!(*vec)->iov_len) {
			(*vec)++;
			(*nvec)--;
		}
	}
}

static int get_id(struct vblk *n, const struct iovec *in, unsigned nin, struct vblk_req *r)
{
	char id[VIRTIO_BLK_ID_BYTES] = "";

	memcpy(id, n->serial, strlen(n->serial));
	r->written = (uint32_t)iov_write(in, nin, 0, id, sizeof(id));
	return 0;
}

/* The one range of a discard or zeroing (5.2.6.1: max_…_seg is 1). */
static int get_range(struct vblk_req *r, const struct iovec *out, unsigned nout)
{
	struct virtio_blk_discard_write_zeroes d;
	uint32_t flags;

	if (iov_size(out, nout) != sizeof(d))
		return -EINVAL;
	iov_read(out, nout, 0, &d, sizeof(d));
	flags = le32toh(d.flags);
	if (flags & ~(r->r.op == BLK_ZERO ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u))
		return -ENOTSUP;
	if (le64toh(d.sector) > INT64_MAX / BLK_SECTOR || le32toh(d.num_sectors) > SECTORS_MAX)
		return -EINVAL;
	r->r.off = le64toh(d.sector) * BLK_SECTOR;
	r->r.len = (uint64_t)le32toh(d.num_sectors) * BLK_SECTOR;
	r->r.unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	return 0;
}

/* Fills r->r out of header and buffers. Returns 1: to be submitted, 0: done, or -errno. */
static int prepare(struct vblk *n, struct vblk_req *r, uint32_t type, uint64_t sector,
		   struct iovec *out, unsigned nout, struct iovec *in, unsigned nin)
{
	bool read = type == VIRTIO_BLK_T_IN;
	int rc;

	r->r.fua = write_through(n);
	switch (type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		if (sector > INT64_MAX / BLK_SECTOR)
			return -EINVAL;
		r->r.op = read ? BLK_READ : BLK_WRITE;
		r->r.vec = read ? in : out;
		r->r.nvec = read ? nin : nout;
		r->r.off = sector * BLK_SECTOR;
		r->r.len = iov_size(r->r.vec, r->r.nvec);
		r->written = read ? (uint32_t)r->r.len : 0;
		return 1;
	case VIRTIO_BLK_T_FLUSH:
		r->r.op = BLK_FLUSH;
		return 1;
	case VIRTIO_BLK_T_GET_ID:
		return get_id(n, in, nin, r);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (blk_readonly(n->disk))
			return -EROFS;
		r->r.op = type == VIRTIO_BLK_T_DISCARD ? BLK_DISCARD : BLK_ZERO;
		rc = get_range(r, out, nout);
		return rc ? rc : 1;
	default:
		return -ENOTSUP;
	}
}

/* A popped chain, whose iovecs are r->vec. */
static void begin(struct vblk_queue *q, struct vblk_req *r, const struct vq_chain *c)
{
	struct vblk *n = q->n;
	struct virtio_blk_outhdr h;
	struct iovec *out = r->vec, *in = r->vec + c->nout;
	unsigned nout = c->nout, nin = c->nin;
	int rc;

	if (c->out_len < sizeof(h) || !nin) {
		vq_break(&n->v.q[q->i].ring, "a chain without request header or status byte");
		list_add_tail(&q->free, &r->link);
		return;
	}
	iov_read(out, nout, 0, &h, sizeof(h));
	cut_front(&out, &nout, sizeof(h));
	in[nin - 1].iov_len--;
	r->status = (uint8_t *)in[nin - 1].iov_base + in[nin - 1].iov_len;
	nin -= !in[nin - 1].iov_len;
	r->head = c->head;
	r->written = 0;
	r->r = (struct blk_req){0};
	rc = prepare(n, r, le32toh(h.type), le64toh(h.sector), out, nout, in, nin);
	if (rc > 0)
		blk_submit(&q->bq, &r->r);
	else
		put(q, r, status_of(rc));
}

static void run(struct vblk_queue *q)
{
	struct virtqueue *ring = &q->n->v.q[q->i].ring;
	struct vq_chain c;

	do {
		vq_kicks_off(ring);
		while (!list_empty(&q->free)) {
			struct vblk_req *r = container_of(q->free.next, struct vblk_req, link);
			int rc = vq_pop(ring, r->vec, q->n->opts.queue_size, &c);

			if (rc == -ENOBUFS)
				vq_break(ring, "a chain longer than its ring");
			if (rc <= 0)
				break;
			list_del(&r->link);
			begin(q, r, &c);
		}
		/* A full table: whoever empties it looks into the ring. */
		q->starved = list_empty(&q->free);
	} while (!q->starved && vq_live(ring) && ring->running && vq_kicks_on(ring));
	virtio_pci_done(&q->n->v, q->i);
}

static void reap(struct vblk_queue *q)
{
	struct blk_req *b;

	while ((b = blk_reap(&q->bq))) {
		struct vblk_req *r = container_of(b, struct vblk_req, r);

		put(q, r, status_of(b->rc));
	}
}

static void vblk_ready(struct blk_queue *bq)
{
	struct vblk_queue *q = container_of(bq, struct vblk_queue, bq);

	reap(q);
	if (q->starved && q->n->v.q[q->i].ring.running)
		run(q);
	else
		virtio_pci_done(&q->n->v, q->i);
}

/* --- the transport's calls ------------------------------------------------------------------ */

static void vblk_started(struct virtio_pci *v, unsigned i)
{
	(void)v;
	(void)i;
}

static void all_free(struct vblk_queue *q)
{
	list_init(&q->free);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		list_add_tail(&q->free, &q->req[i].link);
	q->starved = false;
}

static void vblk_stopped(struct virtio_pci *v, unsigned i)
{
	struct vblk_queue *q = &of(v)->q[i];

	blk_drain(&q->bq);
	all_free(q);
}

static void vblk_kicked(struct virtio_pci *v, unsigned i)
{
	run(&of(v)->q[i]);
}

/* Bus mastering is about to be off: what is under way comes to its end first. */
static void vblk_rewired(struct virtio_pci *v, unsigned i)
{
	struct vblk_queue *q = &of(v)->q[i];

	if (pci_master(&v->pci) || !v->q[i].ring.running)
		return;
	blk_settle(&q->bq);
	reap(q);
	virtio_pci_done(v, i);
}

static void vblk_reset(struct virtio_pci *v)
{
	struct vblk *n = of(v);

	atomic_store(&n->wce, blk_write_cache(n->disk));
}

static void vblk_free(struct vblk *n)
{
	for (unsigned i = 0; n->q && i < n->opts.queues; i++) {
		blk_queue_close(&n->q[i].bq);
		free(n->q[i].vecs);
	}
	free(n->q);
	free(n);
}

static void vblk_destroy(struct virtio_pci *v)
{
	vblk_free(of(v));
}

static const struct virtio_ops vblk_ops = {
	.features = vblk_features,
	.config_read = vblk_config_read,
	.config_write = vblk_config_write,
	.started = vblk_started,
	.stopped = vblk_stopped,
	.kicked = vblk_kicked,
	.rewired = vblk_rewired,
	.reset = vblk_reset,
	.destroy = vblk_destroy,
};

/* --- options and creation ------------------------------------------------------------------- */

static int parse_addr(const char *value, void *out, struct err *e)
{
	return pci_parse_addr(value, &((struct vblk_opts *)out)->devfn, e);
}

#define YES(field_, name_, help_)                                                                  \
	{                                                                                          \
		.name = (name_), .type = OPT_BOOL, .off = offsetof(struct vblk_opts, field_),      \
		.arg = "on|off", .help = (help_)                                                   \
	}
#define NUMBER(field_, name_, min_, max_, help_)                                                   \
	{                                                                                          \
		.name = (name_), .type = OPT_U32, .off = offsetof(struct vblk_opts, field_),       \
		.min = (min_), .max = (max_), .arg = "n", .help = (help_)                          \
	}

static const struct opt vblk_opt_list[] = {
	DISK_OPTS,
	{.name = "addr",
	 .type = OPT_CUSTOM,
	 .off = offsetof(struct vblk_opts, devfn),
	 .arg = "slot[.function]",
	 .help = "PCI address, hexadecimal (default: the first free slot)",
	 .parse = parse_addr},
	NUMBER(vectors, "vectors", 0, VIRTIO_VECTORS_MAX,
	       "MSI-X vectors, 0: one INTx line (default: one for each queue, and one)"),
	NUMBER(queues, "num-queues", 1, DISK_QUEUES, "queues, a thread each (default: 1)"),
	NUMBER(queue_size, "queue-size", 4, RING_MAX, "descriptors, a power of two (default: 256)"),
	YES(disable_legacy, "disable-legacy", "no legacy interface: virtio 1.0 (default: off)"),
	YES(disable_modern, "disable-modern", "no virtio 1.0 interface (default: off)"),
	YES(event_idx, "event_idx", "fewer doorbells and interrupts (default: on)"),
	YES(indirect_desc, "indirect_desc", "indirect descriptors (default: on)"),
	YES(packed, "packed", "packed ring layout; needs virtio 1.0 (default: off)"),
	DISK_OPT_MISSING("bus", "there is one PCI bus only: leave bus= out"),
	DISK_OPT_MISSING("bootindex", "boot from a disk is not there yet: leave bootindex= out"),
	DISK_OPT_MISSING("write-cache", "not there yet: give cache= of the -drive"),
	DISK_OPT_MISSING("share-rw", "disks that several guests write are not there yet"),
	DISK_OPT_MISSING("logical_block_size", "sectors have 512 bytes: leave it out"),
	DISK_OPT_MISSING("physical_block_size", "sectors have 512 bytes: leave it out"),
	DISK_OPT_MISSING("iothread", "each queue has a thread of its own: leave iothread= out"),
	DISK_OPT_MISSING("scsi", "SCSI commands are not there: leave scsi= out"),
	{0},
};

static void vblk_defaults(void *out)
{
	struct vblk_opts *o = out;

	o->devfn = PCI_AUTO;
	o->vectors = VECTORS_AUTO;
	o->queues = 1;
	o->queue_size = RING_DEFAULT;
	o->event_idx = o->indirect_desc = true;
}

static const struct opt_table vblk_table = {
	.name = "virtio-blk-pci",
	.summary = "virtio disk, modern and transitional",
	.opts = vblk_opt_list,
	.size = sizeof(struct vblk_opts),
	.defaults = vblk_defaults,
};

static int check_opts(const struct vblk_opts *o, struct err *e)
{
	if (o->queue_size & (o->queue_size - 1))
		return err_set(e, EINVAL,
			       "virtio-blk-pci: queue-size=%u: it must be a power of two, 4 to %u",
			       o->queue_size, RING_MAX);
	if (o->disable_legacy && o->disable_modern)
		return err_set(e, EINVAL,
			       "virtio-blk-pci: disable-legacy=on and disable-modern=on leave no "
			       "interface; give one of them at most");
	if (o->packed && o->disable_modern)
		return err_set(e, EINVAL,
			       "virtio-blk-pci: packed=on needs the virtio 1.0 interface; leave "
			       "disable-modern=on out");
	if (o->disk.serial && strlen(o->disk.serial) > VIRTIO_BLK_ID_BYTES)
		return err_set(e, EINVAL,
			       "virtio-blk-pci: serial=%.60s: it may have %u characters at most",
			       o->disk.serial, VIRTIO_BLK_ID_BYTES);
	return 0;
}

static int init_queue(struct vblk *n, unsigned i, struct loop *l, struct err *e)
{
	struct vblk_queue *q = &n->q[i];
	int rc;

	q->n = n;
	q->i = i;
	q->bq.ready = vblk_ready;
	q->vecs = calloc(IN_FLIGHT * n->opts.queue_size, sizeof(*q->vecs));
	if (!q->vecs)
		return err_set(e, ENOMEM, "no memory for virtio-blk-pci");
	for (unsigned k = 0; k < IN_FLIGHT; k++)
		q->req[k].vec = q->vecs + (size_t)k * n->opts.queue_size;
	all_free(q);
	rc = blk_queue_open(&q->bq, n->disk, l, e);
	return rc;
}

static int init_parts(struct vblk *n, struct loop **loops, struct err *e)
{
	struct virtio_conf c = {
		.type = VIRTIO_ID_BLOCK,
		.legacy_id = 0x1001,
		.class = 0x010000,
		.legacy = !n->opts.disable_legacy,
		.modern = !n->opts.disable_modern,
		.vectors = n->opts.vectors,
		.event_idx = n->opts.event_idx,
		.indirect = n->opts.indirect_desc,
		.packed = n->opts.packed,
		.nqueues = n->opts.queues,
		.config_len = sizeof(struct virtio_blk_config),
		.model = "virtio-blk-pci",
	};
	int rc = 0;

	if (c.vectors == VECTORS_AUTO)
		c.vectors = n->opts.queues + 1;
	n->q = calloc(n->opts.queues, sizeof(*n->q));
	if (!n->q)
		return err_set(e, ENOMEM, "no memory for virtio-blk-pci");
	for (unsigned i = 0; !rc && i < n->opts.queues; i++) {
		c.queue_size[i] = (uint16_t)n->opts.queue_size;
		rc = init_queue(n, i, loops[i], e);
	}
	return rc ? rc : virtio_pci_init(&n->v, &vblk_ops, &c, e);
}

static int vblk_create(const void *opts, struct blk *b, struct pci_bus *bus, struct loop **loops,
		       struct err *e)
{
	const struct vblk_opts *o = opts;
	int rc = check_opts(o, e);
	struct vblk *n;

	if (rc)
		return rc;
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_set(e, ENOMEM, "no memory for virtio-blk-pci");
	n->opts = *o;
	n->disk = b;
	n->sectors = blk_size(b) / BLK_SECTOR;
	snprintf(n->serial, sizeof(n->serial), "%s", o->disk.serial ? o->disk.serial : "");
	n->opts.disk = (struct disk_conf){0};
	atomic_store(&n->wce, blk_write_cache(b));
	rc = init_parts(n, loops, e);
	if (rc) {
		vblk_free(n);
		return rc;
	}
	snprintf(n->v.pci.id, sizeof(n->v.pci.id), "%s", o->disk.id ? o->disk.id : blk_id(b));
	for (unsigned i = 0; !rc && i < n->opts.queues; i++)
		rc = virtio_pci_set_loop(&n->v, i, loops[i], e);
	if (!rc)
		rc = pci_add(bus, &n->v.pci, n->opts.devfn, e);
	if (rc) {
		virtio_pci_exit(&n->v);
		vblk_free(n);
	}
	return rc;
}

static unsigned vblk_queues(const void *opts)
{
	return ((const struct vblk_opts *)opts)->queues;
}

static const char *const vblk_aliases[] = {"virtio-blk", NULL};

const struct disk_model virtio_blk_model = {
	.name = "virtio-blk-pci",
	.aliases = vblk_aliases,
	.summary = "virtio disk, modern and transitional",
	.opts = &vblk_table,
	.queues = vblk_queues,
	.create = vblk_create,
};
