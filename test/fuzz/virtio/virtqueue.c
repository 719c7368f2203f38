/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz target: a virtqueue of either layout in memory that the input fills.
 *
 * Input: byte 0 bits 0-2: log2 of the size - 1, bit 3 event index, bit 4 indirect, bit 5 packed,
 * bit 6 (packed only): one less than that power of two; 31 bytes of operations; the rest is guest
 * memory from the descriptor table or ring on. The memory is a heap block
 * of just its size, so that ASan sees one byte too many.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/virtqueue.h"

#define MEM  8192u
#define BASE 0x1000u
#define OPS  32u
#define VECS 96u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the device is told must be what is there. */
static void use_chain(struct virtqueue *q, const struct vq_chain *c)
{
	uint32_t in = 0, out = 0;
	unsigned sum = 0;

	for (unsigned i = 0; i < c->nout; i++) {
		out += (uint32_t)c->vec[i].iov_len;
		for (size_t b = 0; b < c->vec[i].iov_len; b++)
			sum += ((const volatile uint8_t *)c->vec[i].iov_base)[b];
	}
	for (unsigned i = c->nout; i < c->nout + c->nin; i++) {
		in += (uint32_t)c->vec[i].iov_len;
		memset(c->vec[i].iov_base, (int)sum, c->vec[i].iov_len);
	}
	if (in != c->in_len || out != c->out_len || c->nout + c->nin > q->size)
		abort();
	vq_put(q, c->head, in);
}

/* Makes the next descriptor of a packed ring available, as the bits of its lap want it. */
static void turn(uint8_t *mem, unsigned size, unsigned *at)
{
	uint8_t *flags = mem + *at % size * 16u + 14;

	flags[0] = (uint8_t)((flags[0] & 0x7f) | (*at / size % 2 ? 0 : 0x80));
	flags[1] = (uint8_t)((flags[1] & 0x7f) | (*at / size % 2 ? 0x80 : 0));
	++*at;
}

static void operate(struct virtqueue *q, const uint8_t *ops, uint8_t *mem)
{
	struct iovec vec[VECS];
	struct vq_chain c, batch[8];
	unsigned n, at = 0;

	for (unsigned i = 0; i < OPS - 1; i++) {
		switch (ops[i] & 7) {
		case 0:
		case 1:
			if (vq_pop(q, vec, VECS, &c) == 1)
				use_chain(q, &c);
			break;
		case 2:
			n = vq_pop_batch(q, vec, VECS, ops[i] >> 6, batch, 8);
			while (n--)
				vq_unpop(q, batch[n].head);
			break;
		case 3:
			n = vq_pop_batch(q, vec, VECS, 1, batch, 8);
			for (unsigned k = 0; k < n; k++)
				use_chain(q, &batch[k]);
			break;
		case 4:
			vq_publish(q);
			break;
		case 5:
			vq_kicks_off(q);
			if (vq_kicks_on(q) && vq_ready(q) > 2u * q->size)
				abort();
			break;
		case 6: /* the driver adds some */
			if (q->packed) {
				for (n = 0; n < ops[i] >> 3u; n++)
					turn(mem, q->size, &at);
				break;
			}
			mem[16u * q->size + 2] += ops[i] >> 3;
			break;
		default: /* memory changes */
			mem[ops[i] * 31u % MEM] ^= ops[i];
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_mem m = {.fd = -1, .n = 1};
	struct virtqueue q;
	struct vq_conf c = {0};

	if (size < OPS)
		return 0;
	uint8_t *mem = calloc(1, MEM);

	if (!mem || vq_init(&q, 256, NULL) || vq_init_packed(&q, NULL))
		abort();
	memcpy(mem, data + OPS, size - OPS < MEM ? size - OPS : MEM);
	m.r[0] = (struct mem_region){.gpa = BASE, .size = MEM, .host = mem};
	c.size = (uint16_t)(2u << (data[0] & 7));
	c.event_idx = data[0] & 8;
	c.indirect = data[0] & 16;
	c.packed = data[0] & 32;
	if (c.packed && data[0] & 64)
		c.size--;
	c.desc = BASE;
	c.avail = c.desc + 16ull * c.size;
	c.used = c.packed ? c.avail + 4 : (c.avail + 6 + 2ull * c.size + 3) & ~3ull;
	if (!vq_start(&q, &m, &c))
		operate(&q, data + 1, mem);
	vq_exit(&q);
	free(mem);
	return 0;
}
