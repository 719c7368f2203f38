/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net, rings in the kernel (vhost; rows T9 to T11): which queue pairs the kernel has.
 *
 * A pair is the kernel's or ours, both rings together. Whatever may change that, the rings' start
 * and stop, the peer's caps, the link, MSI-X, the number of pairs, ends in a review: reason() says
 * why the kernel cannot have the pair. A pair goes back at once, so that whoever caused the review
 * finds it here; it goes to the kernel by a task, between two batches, when no chain is in our
 * hands. If frames wait somewhere for the guest, that is tried again at its next kick.
 *
 * Doorbells go to the kernel directly. So do interrupts by MSI-X: the kernel writes to the vector's
 * eventfd, which says by itself whether the vector is masked (msix.c). The INTx line needs its
 * status register written, so there the kernel writes to an eventfd of ours; the same for an
 * accelerator without irqfds. A bad ring or descriptor comes by a third eventfd, and breaks the
 * ring.
 *
 * What the kernel does not do: it knows no receive filter. What the TAP gets, the guest gets, and
 * sorts out itself what is not for it, as with every vhost.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "base/util.h"
#include "net/nic/virtio_net.h"
#include "net/port/vhost.h"
#include "virtio/vhost.h"

const int vhost_calls[] = {SYS_ioctl, SYS_eventfd2, SYS_read, SANDBOX_END};

static struct loop *loop_of(const struct vnet_kernel *k)
{
	return atomic_load(&k->n->v.q[2 * k->pair].loop);
}

static struct vhost vhost_of(const struct vnet_kernel *k)
{
	const struct net_vhost *h = k->n->vhost;

	return (struct vhost){.fd = h->fd[k->pair], .ioctl = h->ioctl};
}

static struct virtqueue *ring_of(const struct vnet_kernel *k, unsigned i)
{
	return &k->n->v.q[2 * k->pair + i].ring;
}

/* --- who has the pair ----------------------------------------------------------------------- */

/* Of what the guest may send, what the peer takes only with our help. */
static uint32_t sends_more(const struct vnet *n)
{
	static const struct {
		uint8_t bit;
		uint32_t cap;
	} map[] = {
		{VIRTIO_NET_F_CSUM, NET_CAP_CSUM},	{VIRTIO_NET_F_HOST_TSO4, NET_CAP_TSO4},
		{VIRTIO_NET_F_HOST_TSO6, NET_CAP_TSO6}, {VIRTIO_NET_F_HOST_ECN, NET_CAP_ECN},
		{VIRTIO_NET_F_HOST_USO, NET_CAP_USO},
	};
	uint32_t caps = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
		if (virtio_has(&n->v, map[i].bit))
			caps |= map[i].cap;
	return caps & ~n->nic.port.peer_caps.offloads;
}

/* What the guest negotiated against what the kernel has. */
static const char *reason_features(const struct vnet *n)
{
	uint64_t more = atomic_load(&n->v.features) & vhost_ring_features() & ~n->vhost->features;

	if (more & VIRTIO_BIT(VIRTIO_F_RING_PACKED))
		return "the guest uses packed rings";
	if (more & VIRTIO_BIT(VIRTIO_NET_F_HASH_REPORT))
		return "the guest has hashes reported";
	if (more)
		return "the guest uses what this kernel's vhost lacks";
	if (n->rss.steer)
		return "the guest steers flows itself (RSS)";
	if (sends_more(n))
		return "the guest sends what the TAP lacks (offloads)";
	return NULL;
}

/* Why the kernel cannot have the pair; NULL: it can. */
static const char *reason(const struct vnet_kernel *k)
{
	const struct vnet *n = k->n;

	if (!net_link_is_up(&n->nic.port))
		return "link down";
	if (!pci_master(&n->v.pci))
		return "bus mastering is off";
	if (k->pair >= n->active)
		return "the guest does not use it";
	if (n->active > n->wires)
		return "queue pairs of the card share it";
	if (ring_of(k, 0)->broken || ring_of(k, 1)->broken)
		return "a ring is broken";
	if (!vq_live(ring_of(k, 0)) || !vq_live(ring_of(k, 1)))
		return "the guest's driver is not ready";
	if (!atomic_load(&n->v.msix_on) && !n->vhost->force)
		return "the guest does not use MSI-X: vhostforce=on";
	if (k->failed)
		return "the kernel refused the rings";
	return reason_features(n);
}

/* --- interrupts and errors ------------------------------------------------------------------ */

/* Takes what an eventfd has counted; false when that is nothing. */
static bool rang(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

static void on_call(struct loop_fd *w, uint32_t events)
{
	struct vnet_bell *b = container_of(w, struct vnet_bell, w);

	(void)events;
	if (rang(b->fd))
		virtio_pci_interrupt(&b->k->n->v, 2 * b->k->pair + b->ring);
}

static void take_back(struct vnet_kernel *k);

static void on_error(struct loop_fd *w, uint32_t events)
{
	struct vnet_bell *b = container_of(w, struct vnet_bell, w);
	struct vnet_kernel *k = b->k;

	(void)events;
	if (!rang(b->fd) || !k->has)
		return;
	take_back(k);
	vq_break(ring_of(k, b->ring), "the kernel (vhost) met a bad ring, descriptor or buffer");
	virtio_pci_done(&k->n->v, 2 * k->pair + b->ring);
	vnet_kernel_review(k->n, k->pair);
}

/* Opens and watches. The descriptor stays; what it counted before is of the past. */
static int listen_to(struct vnet_kernel *k, struct vnet_bell *b, unsigned ring,
		     void (*fn)(struct loop_fd *w, uint32_t events))
{
	if (b->fd < 0) {
		b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (b->fd < 0)
			return -errno;
	}
	b->k = k;
	b->ring = ring;
	rang(b->fd);
	return b->w.slot ? 0 : loop_add_fd(loop_of(k), &b->w, b->fd, EPOLLIN, fn);
}

static int listen_all(struct vnet_kernel *k)
{
	int rc = 0;

	for (unsigned i = 0; i < VHOST_RINGS && !rc; i++) {
		rc = listen_to(k, &k->call[i], i, on_call);
		if (!rc)
			rc = listen_to(k, &k->error[i], i, on_error);
	}
	return rc;
}

static void listen_no_more(struct vnet_kernel *k)
{
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		loop_del_fd(loop_of(k), &k->call[i].w);
		loop_del_fd(loop_of(k), &k->error[i].w);
		/* The last word of a kernel that has let go. */
		if (k->call[i].fd >= 0 && rang(k->call[i].fd))
			virtio_pci_interrupt(&k->n->v, 2 * k->pair + i);
	}
}

/* What ring i interrupts by just now; our own eventfd is listened to all the while. */
static int call_fd(const struct vnet_kernel *k, unsigned i)
{
	int fd = virtio_pci_call(&k->n->v, 2 * k->pair + i);

	return fd == VIRTIO_CALL_HERE ? k->call[i].fd : fd;
}

/* --- there and back ------------------------------------------------------------------------- */

static int start(struct vnet_kernel *k, const uint16_t next[VHOST_RINGS], const char **what)
{
	const struct net_vhost *h = k->n->vhost;
	const struct vhost d = vhost_of(k);
	struct vhost_ring r[VHOST_RINGS];
	int rc = listen_all(k);

	*what = "eventfd";
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		k->calls[i] = call_fd(k, i);
		r[i] = (struct vhost_ring){
			.ring = ring_of(k, i),
			.next = next[i],
			.kick = k->n->v.q[2 * k->pair + i].kick,
			.call = k->calls[i],
			.err = k->error[i].fd,
		};
	}
	return rc ? rc
		  : vhost_start(&d, atomic_load(&k->n->v.features), !h->vnet_hdr, r,
				h->sock[k->pair], what);
}

/* Both rings are ours from here on. */
static void ours_again(struct vnet_kernel *k, const uint16_t next[VHOST_RINGS])
{
	struct vnet *n = k->n;
	struct vnet_rx *r = &n->rx[k->pair];

	listen_no_more(k);
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		virtio_pci_take_back(&n->v, 2 * k->pair + i, next[i]);
	r->stalled = false;
	r->lent = 0;
	vq_kicks_off(vnet_rxq(n, k->pair));
	k->has = false;
	n->vhost->give(n->vhost, k->pair);
}

static void take_back(struct vnet_kernel *k)
{
	const struct vhost d = vhost_of(k);
	uint16_t next[VHOST_RINGS] = {0};
	const char *what;
	int rc = vhost_stop(&d, next, &what);

	ours_again(k, next);
	if (rc) {
		log_warn("%s: vhost does not let go of queue pair %u: %s: %s", k->n->v.pci.id,
			 k->pair, what, strerror(-rc));
		for (unsigned i = 0; i < VHOST_RINGS; i++) {
			vq_break(ring_of(k, i), "its place was lost in the kernel");
			virtio_pci_done(&k->n->v, 2 * k->pair + i);
		}
	}
}

/* [q] Between two batches: gives the pair to the kernel if that is still right. */
static void hand_over(struct loop_task *t)
{
	struct vnet_kernel *k = container_of(t, struct vnet_kernel, task);
	struct vnet *n = k->n;
	struct net_vhost *h = n->vhost;
	uint16_t next[VHOST_RINGS];
	const char *what;
	int rc;

	if (!h || k->has || reason(k))
		return;
	k->waits =
		!vq_may_lend(ring_of(k, 0)) || !vq_may_lend(ring_of(k, 1)) || !h->take(h, k->pair);
	if (k->waits) {
		h->why[k->pair] = "frames are on their way";
		return;
	}
	vnet_tx_forget(&n->tx[k->pair], loop_of(k));
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		next[i] = virtio_pci_lend(&n->v, 2 * k->pair + i);
	rc = start(k, next, &what);
	if (rc) {
		log_warn("%s: queue pair %u stays in user space, vhost refused it: %s: %s",
			 n->v.pci.id, k->pair, what, strerror(-rc));
		k->failed = true;
		ours_again(k, next);
		h->why[k->pair] = reason(k);
		return;
	}
	k->has = true;
	h->why[k->pair] = NULL;
	/* The kernel looks at both rings now; what the driver added before. */
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		virtio_pci_kick(&n->v, 2 * k->pair + i);
}

static void rewire(struct vnet_kernel *k)
{
	const struct vhost d = vhost_of(k);

	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		int fd = call_fd(k, i);

		if (fd == k->calls[i])
			continue;
		if (vhost_set_call(&d, i, fd) < 0)
			log_warn("%s: vhost does not take another interrupt", k->n->v.pci.id);
		k->calls[i] = fd;
		/* What was raised by the old way may not have got through. */
		virtio_pci_interrupt(&k->n->v, 2 * k->pair + i);
	}
}

void vnet_kernel_review(struct vnet *n, unsigned pair)
{
	struct vnet_kernel *k = &n->kernel[pair];
	const char *why;

	if (!n->vhost || pair >= n->vhost->n || !loop_of(k))
		return;
	why = reason(k);
	if (k->has && why)
		take_back(k);
	else if (k->has)
		rewire(k);
	else if (!why)
		loop_defer(loop_of(k), &k->task);
	n->vhost->why[pair] = k->has || why ? why : "on its way to the kernel";
}

void vnet_kernel_review_all(struct vnet *n)
{
	for (unsigned i = 0; i < n->pairs; i++)
		vnet_kernel_review(n, i);
}

void vnet_kernel_started(struct vnet *n, unsigned pair)
{
	n->kernel[pair].failed = false;
	vnet_kernel_review(n, pair);
}

void vnet_kernel_kicked(struct vnet *n, unsigned pair)
{
	if (!n->kernel[pair].waits)
		return;
	n->kernel[pair].waits = false;
	vnet_kernel_review(n, pair);
}

void vnet_kernel_peer(struct vnet *n, struct net_vhost *h)
{
	if (h != n->vhost) {
		for (unsigned i = 0; i < n->pairs; i++) {
			struct vnet_kernel *k = &n->kernel[i];

			if (k->has)
				take_back(k);
			if (loop_of(k))
				loop_undefer(loop_of(k), &k->task);
			k->waits = k->failed = false;
		}
		for (unsigned i = 0; n->vhost && i < n->vhost->n; i++)
			n->vhost->why[i] = NET_VHOST_NOBODY;
	}
	n->vhost = h;
	atomic_store(&n->v.withheld, h ? (vhost_ring_features() | VIRTIO_BIT(VIRTIO_NET_F_RSS)) &
						     ~h->features & ~VIRTIO_BIT(VIRTIO_F_VERSION_1)
				       : 0);
	vnet_kernel_review_all(n);
}

void vnet_kernel_init(struct vnet *n)
{
	for (unsigned i = 0; i < n->pairs; i++) {
		struct vnet_kernel *k = &n->kernel[i];

		k->n = n;
		k->pair = i;
		k->task.fn = hand_over;
		for (unsigned r = 0; r < VHOST_RINGS; r++)
			k->call[r].fd = k->error[r].fd = -1;
	}
}

void vnet_kernel_exit(struct vnet *n)
{
	for (unsigned i = 0; i < n->pairs; i++) {
		for (unsigned r = 0; r < VHOST_RINGS; r++) {
			if (n->kernel[i].call[r].fd >= 0)
				close(n->kernel[i].call[r].fd);
			if (n->kernel[i].error[r].fd >= 0)
				close(n->kernel[i].error[r].fd);
		}
	}
}
