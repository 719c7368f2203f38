/* SPDX-License-Identifier: BSD-2-Clause */
/* Links, bridges and their ports on a real kernel, in a namespace (rows H1, H2, H4, M1). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "netns.h"

static struct host_nl *nl;
static struct host_link a, b;
static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};

static int setup(void **state)
{
	struct err e = {0};

	(void)state;
	nl = host_nl_open(&e);
	if (!nl)
		return -1;
	netns_veth(nl, &a, &b);
	return 0;
}

static int teardown(void **state)
{
	struct host_link l;

	(void)state;
	host_link_del(nl, a.index, NULL);
	if (!host_link_get(nl, "br0", &l, NULL))
		host_link_del(nl, l.index, NULL);
	host_nl_close(nl);
	return 0;
}

static void ok(int rc, const struct err *e)
{
	if (rc < 0)
		fail_msg("%d %s", rc, e->text);
}

static void lookup(void **state)
{
	struct host_link l, *list = NULL;
	struct err e = {0};
	int n;

	(void)state;
	ok(host_link_get(nl, "a0", &l, &e), &e);
	assert_string_equal(l.kind, "veth");
	assert_int_equal(l.lower, b.index);
	assert_int_equal(l.mtu, 1500);
	assert_true(l.is_ether && (l.flags & IFF_UP));
	assert_int_equal(l.master, 0);
	ok(host_link_get_index(nl, b.index, &l, &e), &e);
	assert_string_equal(l.name, "b0");
	assert_string_equal(host_operstate_name(l.operstate), "up");
	n = host_links(nl, &list, &e);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].name, "lo");
	assert_false(list[0].is_ether);
	free(list);
}

static void errors(void **state)
{
	const struct host_bridge_conf conf = {0};
	struct host_link l;
	struct err e = {0};

	(void)state;
	assert_int_equal(host_link_get(nl, "none0", &l, &e), -ENODEV);
	assert_string_equal(e.text, "none0: there is no such interface: ip link lists them");
	assert_int_equal(host_link_get(nl, "a-name-that-is-too-long", &l, &e), -EINVAL);
	assert_non_null(strstr(e.text, "1 to 15 characters"));
	assert_int_equal(host_link_get(nl, "", &l, &e), -EINVAL);
	assert_int_equal(host_bridge_add(nl, "a/b", &conf, &e), -EINVAL);
	assert_int_equal(host_bridge_add(nl, "a0", &conf, &e), -EEXIST);
	assert_int_equal(host_link_set_mtu(nl, a.index, 1, &e), -EINVAL);
	/* The kernel's own words. */
	assert_non_null(strstr(e.text, ": mtu less than device minimum"));
}

static void bridge(void **state)
{
	const struct host_bridge_conf conf = {.forward_delay = 0, .mac = mac, .mtu = 1400};
	struct host_link l, *list = NULL;
	struct err e = {0};

	(void)state;
	ok(host_bridge_add(nl, "br0", &conf, &e), &e);
	ok(host_link_get(nl, "br0", &l, &e), &e);
	assert_string_equal(l.kind, "bridge");
	assert_memory_equal(l.mac, mac, 6);
	assert_int_equal(l.mtu, 1400);
	assert_int_equal(l.forward_delay, 0);
	assert_false(l.stp || (l.flags & IFF_UP));
	ok(host_link_set_master(nl, a.index, l.index, &e), &e);
	ok(host_link_set_up(nl, l.index, true, &e), &e);
	ok(host_link_get(nl, "br0", &l, &e), &e);
	assert_memory_equal(l.mac, mac, 6);
	/* Frames pass at once: no forward delay. */
	ok(host_link_get(nl, "a0", &a, &e), &e);
	assert_int_equal(a.master, l.index);
	assert_string_equal(a.port_of, "bridge");
	assert_int_equal(a.port_state, BR_STATE_FORWARDING);
	assert_false(a.isolated);
	ok(host_port_set_isolated(nl, a.index, true, &e), &e);
	ok(host_link_get(nl, "a0", &a, &e), &e);
	assert_true(a.isolated);
	/* STP that comes later lets a port that forwards go on. */
	ok(host_bridge_set_stp(nl, l.index, true, 1500, &e), &e);
	ok(host_link_get(nl, "br0", &l, &e), &e);
	assert_true(l.stp);
	assert_int_equal(host_bridge_ports(nl, l.index, &list, &e), 1);
	assert_string_equal(list[0].name, "a0");
	assert_int_equal(list[0].port_state, BR_STATE_FORWARDING);
	free(list);
	ok(host_link_set_master(nl, a.index, 0, &e), &e);
	assert_int_equal(host_bridge_ports(nl, l.index, &list, &e), 0);
	free(list);
	ok(host_link_del(nl, l.index, &e), &e);
	assert_int_equal(host_link_get(nl, "br0", &l, &e), -ENODEV);
}

static void forwarding_table(void **state)
{
	const struct host_bridge_conf conf = {0};
	struct host_fdb *fdb = NULL;
	struct host_link l;
	struct err e = {0};
	int n, own = 0;

	(void)state;
	ok(host_bridge_add(nl, "br0", &conf, &e), &e);
	ok(host_link_get(nl, "br0", &l, &e), &e);
	ok(host_link_set_master(nl, a.index, l.index, &e), &e);
	n = host_bridge_fdb(nl, l.index, &fdb, &e);
	ok(n, &e);
	for (int i = 0; i < n; i++)
		if (!memcmp(fdb[i].mac, a.mac, 6) && fdb[i].permanent) {
			assert_int_equal(fdb[i].port, a.index);
			own++;
		}
	assert_true(own > 0);
	free(fdb);
	/* Another bridge's table is not this one's. */
	assert_int_equal(host_bridge_fdb(nl, l.index + 100, &fdb, &e), 0);
	free(fdb);
}

static void changes(void **state)
{
	struct host_link l;
	struct err e = {0};

	(void)state;
	ok(host_link_set_up(nl, b.index, false, &e), &e);
	ok(host_link_set_mac(nl, b.index, mac, &e), &e);
	ok(host_link_set_mtu(nl, b.index, 9000, &e), &e);
	ok(host_link_get(nl, "b0", &l, &e), &e);
	assert_memory_equal(l.mac, mac, 6);
	assert_int_equal(l.mtu, 9000);
	assert_false(l.flags & IFF_UP);
}

static void macvtap(void **state)
{
	struct host_link l;
	struct err e = {0};
	int rc = host_macvtap_add(nl, "mvt0", a.index, MACVLAN_MODE_VEPA, mac, &e);

	(void)state;
	if (rc == -EOPNOTSUPP)
		skip();
	ok(rc, &e);
	ok(host_link_get(nl, "mvt0", &l, &e), &e);
	assert_string_equal(l.kind, "macvtap");
	assert_int_equal(l.lower, a.index);
	assert_memory_equal(l.mac, mac, 6);
	assert_false(l.flags & IFF_ALLMULTI);
	ok(host_link_set_allmulti(nl, l.index, true, &e), &e);
	ok(host_link_get(nl, "mvt0", &l, &e), &e);
	assert_true(l.flags & IFF_ALLMULTI);
}

static void tap(void **state)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	struct host_link l;
	struct err e = {0};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	ok(host_link_get(nl, ifr.ifr_name, &l, &e), &e);
	assert_string_equal(l.kind, "tun");
	assert_true(l.tap && l.multi_queue);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lookup, setup, teardown),
		cmocka_unit_test_setup_teardown(errors, setup, teardown),
		cmocka_unit_test_setup_teardown(bridge, setup, teardown),
		cmocka_unit_test_setup_teardown(forwarding_table, setup, teardown),
		cmocka_unit_test_setup_teardown(changes, setup, teardown),
		cmocka_unit_test_setup_teardown(macvtap, setup, teardown),
		cmocka_unit_test_setup_teardown(tap, setup, teardown),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
