/* SPDX-License-Identifier: BSD-2-Clause */
/* vhost's ioctls: what the kernel is told, in which order, and what is left after an error. */
#include "virtio/vhost.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake_vhost.h"
#include "ring.h"

#define BIT(n) (1ull << (n))

struct fix {
	struct guest_mem mem;
	struct virtqueue q[2];
	struct ring r[2];
	struct vhost d;
	struct vhost_ring v[2];
	struct fake_vhost *f;
};

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	uint64_t at = TMEM_BASE;

	fake_vhost_reset();
	f->f = &fake_vhost[0];
	tmem_init(&f->mem, 16u << 20);
	/* A second region, as above 4 GiB. */
	f->mem.r[1] = (struct mem_region){
		.gpa = 1ull << 32, .size = 1u << 20, .host = f->mem.r[0].host + (8u << 20)};
	f->mem.r[0].size = 8u << 20;
	f->mem.n = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct vq_conf c = {.size = i ? 16 : 8};

		at = ring_init(&f->r[i], &f->mem, at, c.size);
		c.desc = f->r[i].desc;
		c.avail = f->r[i].avail;
		c.used = f->r[i].used;
		assert_int_equal(vq_init(&f->q[i], 256, NULL), 0);
		assert_int_equal(vq_start(&f->q[i], &f->mem, &c), 0);
		f->v[i] = (struct vhost_ring){&f->q[i], (uint16_t)(40 + i), 10 + (int)i,
					      20 + (int)i, 30 + (int)i};
	}
	f->d = (struct vhost){FAKE_VHOST, fake_vhost_ioctl};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < 2; i++)
		vq_exit(&f->q[i]);
	f->mem.r[0].size = 16u << 20;
	tmem_exit(&f->mem);
	free(f);
	return 0;
}

static int begin(struct fix *f, uint64_t features, bool own_hdr, const char **what)
{
	return vhost_start(&f->d, features, own_hdr, f->v, FAKE_SOCK, what);
}

static void the_kernel_is_told_all(void **state)
{
	struct fix *f = *state;
	const char *what = NULL;

	/* What is not of the rings is not the kernel's business; bit 27 has two meanings. */
	assert_int_equal(begin(f,
			       BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) |
				       BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM) |
				       BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_F_ANY_LAYOUT),
			       false, &what),
			 0);
	assert_true(f->f->features == (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) |
				       BIT(VIRTIO_NET_F_MRG_RXBUF)));
	for (unsigned i = 0; i < 2; i++) {
		const struct fake_ring *r = &f->f->r[i];

		assert_int_equal(r->num, i ? 16 : 8);
		assert_int_equal(r->base, 40 + i);
		assert_int_equal(r->addr.flags, 0);
		assert_ptr_equal(r->addr.desc_user_addr, mem_ptr(&f->mem, f->r[i].desc, 16));
		assert_ptr_equal(r->addr.avail_user_addr, ring_avail(&f->r[i]));
		assert_ptr_equal(r->addr.used_user_addr, ring_usedp(&f->r[i]));
		assert_int_equal(r->kick, 10 + i);
		assert_int_equal(r->call, 20 + i);
		assert_int_equal(r->err, 30 + i);
		assert_int_equal(r->sock, FAKE_SOCK);
	}
}

static void the_kernel_sees_guest_memory_only(void **state)
{
	struct fix *f = *state;
	const char *what;

	assert_int_equal(begin(f, 0, false, &what), 0);
	assert_int_equal(f->f->nregions, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(f->f->region[i].guest_phys_addr, f->mem.r[i].gpa);
		assert_int_equal(f->f->region[i].memory_size, f->mem.r[i].size);
		assert_ptr_equal(f->f->region[i].userspace_addr, f->mem.r[i].host);
		assert_int_equal(f->f->region[i].flags_padding, 0);
	}
}

static void a_socket_without_headers(void **state)
{
	struct fix *f = *state;
	const char *what;

	assert_int_equal(begin(f, BIT(VIRTIO_F_VERSION_1), true, &what), 0);
	assert_true(f->f->features == (BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_NET_F_VIRTIO_NET_HDR)));
}

static void let_go(const struct fix *f)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(f->f->r[i].sock, -1);
		assert_int_equal(f->f->r[i].kick, -1);
		assert_int_equal(f->f->r[i].call, -1);
		assert_int_equal(f->f->r[i].err, -1);
	}
}

static void stop_says_where_it_goes_on(void **state)
{
	struct fix *f = *state;
	uint16_t next[2] = {0};
	const char *what;

	assert_int_equal(begin(f, 0, false, &what), 0);
	f->f->r[0].base = 77;
	f->f->r[1].base = 0xffff;
	assert_int_equal(vhost_stop(&f->d, next, &what), 0);
	assert_int_equal(next[0], 77);
	assert_int_equal(next[1], 0xffff);
	let_go(f);
	/* And once more from there. */
	f->v[0].next = 77;
	assert_int_equal(begin(f, 0, false, &what), 0);
	assert_int_equal(f->f->r[0].base, 77);
	f->f->refuse = VHOST_GET_VRING_BASE;
	f->f->refuse_code = -EIO;
	assert_int_equal(vhost_stop(&f->d, next, &what), -EIO);
	assert_string_equal(what, "VHOST_GET_VRING_BASE");
	let_go(f);
}

static void a_request_that_fails_leaves_nothing(void **state)
{
	struct fix *f = *state;
	const struct {
		unsigned long request;
		const char *name;
		unsigned granted; /* times before it fails */
	} all[] = {
		{VHOST_SET_FEATURES, "VHOST_SET_FEATURES", 0},
		{VHOST_SET_MEM_TABLE, "VHOST_SET_MEM_TABLE", 0},
		{VHOST_SET_VRING_NUM, "VHOST_SET_VRING_NUM", 0},
		{VHOST_SET_VRING_NUM, "VHOST_SET_VRING_NUM", 1},
		{VHOST_SET_VRING_BASE, "VHOST_SET_VRING_BASE", 1},
		{VHOST_SET_VRING_ADDR, "VHOST_SET_VRING_ADDR", 1},
		{VHOST_SET_VRING_ERR, "VHOST_SET_VRING_ERR", 1},
		{VHOST_SET_VRING_CALL, "VHOST_SET_VRING_CALL", 1},
		{VHOST_SET_VRING_KICK, "VHOST_SET_VRING_KICK", 1},
		{VHOST_NET_SET_BACKEND, "VHOST_NET_SET_BACKEND", 0},
		{VHOST_NET_SET_BACKEND, "VHOST_NET_SET_BACKEND", 1},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		const char *what = NULL;

		fake_vhost_reset();
		f->f->refuse = all[i].request;
		f->f->refuse_after = all[i].granted;
		f->f->refuse_code = -EPERM;
		assert_int_equal(begin(f, 0, false, &what), -EPERM);
		assert_string_equal(what, all[i].name);
		f->f->refuse = 0;
		let_go(f);
	}
}

static void another_interrupt(void **state)
{
	struct fix *f = *state;
	const char *what;

	assert_int_equal(begin(f, 0, false, &what), 0);
	assert_int_equal(vhost_set_call(&f->d, 1, 99), 0);
	assert_int_equal(f->f->r[0].call, 20);
	assert_int_equal(f->f->r[1].call, 99);
	assert_int_equal(vhost_set_call(&f->d, 1, -1), 0);
	assert_int_equal(f->f->r[1].call, -1);
	f->f->refuse = VHOST_SET_VRING_CALL;
	f->f->refuse_code = -EBADF;
	assert_int_equal(vhost_set_call(&f->d, 1, 3), -EBADF);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_kernel_is_told_all),
		T(the_kernel_sees_guest_memory_only),
		T(a_socket_without_headers),
		T(stop_says_where_it_goes_on),
		T(a_request_that_fails_leaves_nothing),
		T(another_interrupt),
	};

	return cmocka_run_group_tests_name("vhost", tests, NULL, NULL);
}
