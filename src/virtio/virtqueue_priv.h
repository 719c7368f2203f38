/* SPDX-License-Identifier: BSD-2-Clause */
/* Between virtqueue.c and the layouts of the ring. Nobody else includes this. */
#ifndef VIRTIO_VIRTQUEUE_PRIV_H
#define VIRTIO_VIRTQUEUE_PRIV_H

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include "virtio/virtqueue.h"

/* Copies what the guest may write at the same time; the compiler must not read it twice. */
static inline void vq_copy_once(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	atomic_signal_fence(memory_order_seq_cst);
	__asm__ volatile("" : : : "memory");
}

/* virtqueue_packed.c: each is the function of virtqueue.h of the same name for a packed ring that
 * runs and is not broken, unless it says otherwise. */

/* Checks the three areas and begins; breaks the queue when they are not good. */
void vq_packed_start(struct virtqueue *q, const struct guest_mem *mem, const struct vq_conf *c);
/* Copies the next chain out of the ring. False when there is none; the queue may be broken. */
bool vq_packed_pull(struct virtqueue *q, uint16_t *head);
void vq_packed_put(struct virtqueue *q, uint16_t head, uint32_t len);
bool vq_packed_publish(struct virtqueue *q);
void vq_packed_kicks_off(struct virtqueue *q);
bool vq_packed_kicks_on(struct virtqueue *q);
unsigned vq_packed_ready(const struct virtqueue *q); /* without those given back */

#endif
