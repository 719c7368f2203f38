/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost of a TAP: options (T9 to T11), and a queue that the kernel has and gives back. The TAP is a
 * pair of sockets, the kernel a counter of ioctls: the rings are ../nic/virtio_net_vhost.c's.
 */
#include "../port/mock.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/backend/backend.h"
#include "net/backend/tap.h"

extern const struct net_backend net_backend_tap;

/* Parses, opens for so many queues; returns the code, what is said in e. */
static int open_vhost(const char *text, unsigned queues, struct tap_vhost *v, struct err *e)
{
	struct tap_opts o;
	int rc;

	*e = (struct err){0};
	rc = opt_parse(net_backend_tap.opts, "-netdev tap", text, &o, e);
	if (!rc) {
		rc = tap_vhost_open(&o, queues, v, e);
		opt_free(net_backend_tap.opts, &o);
	}
	return rc;
}

static void refused(const char *text, unsigned queues, const char *const *words)
{
	struct tap_vhost v;
	struct err e;

	assert_true(open_vhost(text, queues, &v, &e) < 0);
	for (; *words; words++)
		if (!strstr(e.text, *words))
			fail_msg("\"%s\" not in \"%s\"", *words, e.text);
}

#define REFUSED(text, queues, ...) refused(text, queues, (const char *const[]){__VA_ARGS__, NULL})

static void options(void **state)
{
	(void)state;
	REFUSED("vhost=maybe", 1, "vhost", "maybe");
	REFUSED("vhostfd=x", 1, "vhostfd", "x");
	REFUSED("vhostforce=2", 1, "vhostforce", "2");
	REFUSED("vhost=off,vhostfd=3", 1, "vhost=off", "vhostfd=", "exclude");
	REFUSED("vhost=off,vhostfds=3:4", 2, "vhost=off", "vhostfds=", "exclude");
	REFUSED("vhost=off,vhostforce=on", 1, "vhost=off", "vhostforce=", "exclude");
	REFUSED("vhostfd=3,vhostfds=4", 1, "vhostfd=", "vhostfds=", "exclude");
	REFUSED("vhostfds=4:5:", 2, "vhostfds=4:5:", "colons");
	REFUSED("vhostfds=4:4", 2, "vhostfds=4:4", "4 is there twice");
	REFUSED("vhostfd=3", 2, "vhostfd=", "1 descriptor for 2 queues", "one for each queue");
	REFUSED("vhostfds=3:4:5", 2, "vhostfds=", "3 descriptors for 2 queues");
	REFUSED("vhostfds=3:4", 1, "vhostfds=", "2 descriptors for 1 queue;");
}

static void descriptors_are_looked_at(void **state)
{
	struct tap_vhost v;
	char text[64];
	struct err e;
	int fd = open("/dev/null", O_RDWR);

	(void)state;
	REFUSED("vhostfd=987654", 1, "vhostfd=987654", "not open", "/dev/vhost-net");
	snprintf(text, sizeof(text), "vhost=on,vhostfds=%d:987654", fd);
	REFUSED(text, 2, "not one of vhost-net");
	snprintf(text, sizeof(text), "vhostfd=%d", fd);
	assert_true(open_vhost(text, 1, &v, &e) < 0);
	/* It is not ours to close. */
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

static void not_wished_for(void **state)
{
	struct tap_vhost v;
	struct err e;

	(void)state;
	assert_int_equal(open_vhost("", 8, &v, &e), 0);
	assert_int_equal(v.n, 0);
	assert_int_equal(v.missed.code, 0);
	assert_int_equal(open_vhost("vhost=off,vhostforce=off", 8, &v, &e), 0);
	assert_int_equal(v.n, 0);
	assert_int_equal(v.missed.code, 0);
}

/* On a machine without the device, or with it. */
static void the_device_is_there_or_not(void **state)
{
	bool there = access("/dev/vhost-net", R_OK | W_OK) == 0;
	struct tap_vhost v;
	struct err e;

	(void)state;
	assert_int_equal(open_vhost("vhost=on", 2, &v, &e), 0);
	if (there && !v.missed.code) {
		assert_int_equal(v.n, 2);
		assert_int_equal(open_vhost("vhostforce=on", 1, &v, &e), 0);
		return;
	}
	assert_int_equal(v.n, 0);
	assert_non_null(strstr(v.missed.text, "/dev/vhost-net"));
	REFUSED("vhostforce=on", 1, "vhostforce=on", "/dev/vhost-net");
	REFUSED("vhost=on,vhostforce=on", 1, "vhostforce=on", "/dev/vhost-net");
}

/* --- a port with vhost ---------------------------------------------------------------------- */

struct rig {
	struct loop *loop;
	struct mock nic;
	struct net_port *tap;
	struct net_vhost *v;
	int host, vhost[2]; /* other ends */
};

static int no_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	(void)request;
	(void)arg;
	return 0;
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct tap_dev d = {.n = 1, .ifname = "none"};
	struct tap_vhost v = {.n = 1, .features = 77, .force = true};
	struct err e = {0};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	d.fd[0] = fds[0];
	r->host = fds[1];
	assert_int_equal(pipe(r->vhost), 0);
	v.fd[0] = r->vhost[1];
	assert_int_equal(tap_port_new(&d, "tap.0", &r->tap, &e), 0);
	tap_set_vhost(r->tap, &v, no_ioctl);
	mock_init(&r->nic, "nic", NET_CAP_OFFLOADS);
	r->loop = loop_new("tap", NULL, &e);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	char b;

	net_unjoin(r->tap);
	loop_stop(r->loop);
	loop_join(r->loop);
	loop_free(r->loop);
	r->tap->ops->destroy(r->tap);
	/* The descriptor was the port's, and went with it. */
	assert_int_equal(read(r->vhost[0], &b, 1), 0);
	close(r->vhost[0]);
	close(r->host);
	mock_clear(&r->nic);
	free(r);
	return 0;
}

static void join(struct rig *r)
{
	assert_int_equal(net_join(&r->nic.port, r->tap, &r->loop, 1, NULL), 0);
	r->v = r->nic.port.peer_caps.vhost;
	assert_non_null(r->v);
}

static void start(struct rig *r)
{
	join(r);
	assert_int_equal(loop_start(r->loop, NULL), 0);
}

static void host_sends(struct rig *r, unsigned n)
{
	uint8_t b[60] = {0};

	while (n--)
		assert_int_equal(write(r->host, b, sizeof(b)), (ssize_t)sizeof(b));
}

static unsigned wait_for(struct rig *r, unsigned n)
{
	unsigned is = 0;

	for (unsigned i = 0; i < 500 && is != n; i++) {
		usleep(1000);
		loop_park(r->loop);
		is = r->nic.n;
		loop_unpark(r->loop);
	}
	usleep(2000);
	return is;
}

static void take(void *arg)
{
	struct rig *r = arg;

	assert_true(r->v->take(r->v, 0));
}

static void give(void *arg)
{
	struct rig *r = arg;

	r->v->give(r->v, 0);
}

static void shown_to_the_card(void **state)
{
	struct rig *r = *state;

	join(r);
	assert_int_equal(r->v->n, 1);
	assert_int_equal(r->v->fd[0], r->vhost[1]);
	assert_true(r->v->features == 77);
	assert_true(r->v->force);
	assert_false(r->v->vnet_hdr);
	assert_string_equal(r->v->why[0], NET_VHOST_NOBODY);
}

static void a_taken_queue_is_left_alone(void **state)
{
	struct rig *r = *state;
	char b[100];

	start(r);
	host_sends(r, 2);
	assert_int_equal(wait_for(r, 2), 2);
	loop_call(r->loop, take, r);
	host_sends(r, 3);
	usleep(20000);
	assert_int_equal(wait_for(r, 2), 2);
	/* It is the kernel that reads now. */
	assert_int_equal(read(r->v->sock[0], b, sizeof(b)), 60);
	loop_call(r->loop, give, r);
	assert_int_equal(wait_for(r, 4), 4);
}

static void frames_in_hand_come_first(void **state)
{
	struct rig *r = *state;

	r->nic.room = 0;
	r->nic.slots = 0;
	r->nic.caps.lends = false;
	start(r);
	host_sends(r, 2);
	usleep(20000);
	loop_park(r->loop);
	assert_false(r->v->take(r->v, 0));
	assert_int_equal(r->nic.n, 0);
	/* There is room: they are the card's before the kernel begins. */
	r->nic.room = MOCK_ALL;
	assert_true(r->v->take(r->v, 0));
	assert_int_equal(r->nic.n, 2);
	r->v->give(r->v, 0);
	loop_unpark(r->loop);
}

/* A card may be joined, or go, while its queue is the kernel's. */
static void joined_and_unjoined_while_taken(void **state)
{
	struct rig *r = *state;
	char b[100];

	join(r);
	net_unjoin(r->tap);
	assert_true(r->v->take(r->v, 0));
	start(r);
	host_sends(r, 1);
	usleep(20000);
	assert_int_equal(r->nic.n, 0);
	loop_call(r->loop, give, r);
	assert_int_equal(wait_for(r, 1), 1);
	loop_call(r->loop, take, r);
	net_unjoin(r->tap);
	r->v->give(r->v, 0);
	host_sends(r, 1);
	usleep(20000);
	assert_int_equal(r->nic.n, 1);
	/* Nobody has read it. */
	assert_int_equal(read(r->v->sock[0], b, sizeof(b)), 60);
}

static void note(void *opaque, const char *text)
{
	strcat(opaque, text);
	strcat(opaque, "\n");
}

static void what_the_monitor_says(void **state)
{
	struct rig *r = *state;
	char said[1000] = "", info[200];
	const struct text_out out = {note, said};
	struct net_vhost many;

	join(r);
	r->tap->ops->info(r->tap, info, sizeof(info));
	assert_string_equal(info, "ifname=none,vnet_hdr=off,vhost=on");
	net_backend_tap.below(r->tap, &out);
	assert_string_equal(said, "     vhost: queue 0 in user space: " NET_VHOST_NOBODY "\n");
	many = *r->v;
	r->v->n = 5;
	for (unsigned q = 0; q < 5; q++)
		r->v->why[q] = q == 1 || q == 2 ? NULL : "a reason";
	said[0] = 0;
	net_backend_tap.below(r->tap, &out);
	assert_string_equal(said, "     vhost: queue 0 in user space: a reason\n"
				  "     vhost: queues 1 to 2 in the kernel, not counted here\n"
				  "     vhost: queues 3 to 4 in user space: a reason\n");
	*r->v = many;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(descriptors_are_looked_at),
		cmocka_unit_test(not_wished_for),
		cmocka_unit_test(the_device_is_there_or_not),
		T(shown_to_the_card),
		T(a_taken_queue_is_left_alone),
		T(frames_in_hand_come_first),
		T(joined_and_unjoined_while_taken),
		T(what_the_monitor_says),
	};

	return cmocka_run_group_tests_name("tap_vhost", tests, NULL, NULL);
}
