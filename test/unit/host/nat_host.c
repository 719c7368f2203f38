/* SPDX-License-Identifier: BSD-2-Clause */
/* What a NAT network changes on the host, in a namespace: bridge, subnet, switches, what is left.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "net/host/nat_host.h"
#include "netns.h"

static int sysctl_is(const char *path, char want)
{
	char full[128], byte = 0;
	int fd;

	snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
	fd = open(full, O_RDONLY);
	if (fd < 0 || read(fd, &byte, 1) != 1)
		byte = '?';
	close(fd);
	return byte == want;
}

static void bridges(void **state)
{
	struct nat_net n = {.name = "vmwire9"}, again = n, other = {.name = "br0"};
	struct err e = {0};
	struct host_nl *nl = host_nl_open(&e);
	struct host_link l;
	int index;

	(void)state;
	assert_non_null(nl);
	index = nat_bridge_up(nl, &n, &e);
	if (index < 0)
		fail_msg("%s", e.text);
	assert_int_equal(n.addr, 0xc0a87a00);
	assert_int_equal(host_link_get(nl, "vmwire9", &l, &e), 0);
	assert_memory_equal(l.mac, n.mac, 6);
	assert_true(sysctl_is("ipv6/conf/vmwire9/accept_ra", '0'));
	/* Left behind, without ports: made anew. */
	assert_int_not_equal(nat_bridge_up(nl, &again, &e), index);
	assert_int_equal(again.addr, n.addr);
	/* Somebody else's is not touched. */
	assert_int_equal(host_bridge_add(nl, "br0", &(struct host_bridge_conf){0}, &e), 0);
	assert_int_equal(nat_bridge_up(nl, &other, &e), -EEXIST);
	assert_non_null(strstr(e.text, "br=br0"));
	/* A second network takes the next subnet. */
	strcpy(other.name, "vmwire8");
	other.given = 0;
	assert_true(nat_bridge_up(nl, &other, &e) > 0);
	assert_int_equal(other.addr, 0xc0a87b00);
	host_nl_close(nl);
}

static void adopted(void **state)
{
	struct nat_net n = {.name = "vmwire9"}, wish = n;
	struct err e = {0};
	struct host_nl *nl = host_nl_open(&e);
	struct host_link a, b;
	int index = nat_bridge_up(nl, &n, &e);

	(void)state;
	assert_true(index > 0);
	netns_veth(nl, &a, &b);
	assert_int_equal(host_link_set_master(nl, a.index, index, &e), 0);
	assert_int_equal(nat_bridge_up(nl, &wish, &e), index);
	assert_int_equal(wish.addr, n.addr);
	assert_int_equal(wish.v6, n.v6);
	wish.given = NAT_GIVEN_NET;
	wish.addr = 0x0a000000;
	assert_int_equal(nat_bridge_up(nl, &wish, &e), -EBUSY);
	nat_bridge_down(nl, index);
	host_link_del(nl, a.index, &e);
	host_nl_close(nl);
}

static void forwarding(void **state)
{
	struct nat_net n = {.name = "vmwire9", .mode = NAT_ISOLATED};
	struct err e = {0};
	struct host_nl *nl = host_nl_open(&e);
	int lock = nat_lock(&e);

	(void)state;
	assert_true(lock >= 0);
	nat_sysctl("ipv4/ip_forward", "0");
	assert_int_equal(nat_forwarding_on(nl, &n, &e), 0);
	assert_true(sysctl_is("ipv4/ip_forward", '0'));
	assert_false(nat_forwarding_changed());
	n.mode = NAT_MASQUERADE;
	assert_int_equal(nat_forwarding_on(nl, &n, &e), 0);
	assert_true(sysctl_is("ipv4/ip_forward", '1'));
	assert_true(nat_forwarding_changed());
	assert_int_equal(nat_forwarding_on(nl, &n, &e), 0);
	nat_forwarding_off(true);
	assert_true(sysctl_is("ipv4/ip_forward", '0'));
	assert_false(nat_forwarding_changed());
	assert_int_equal(nat_forwarding_on(nl, &n, &e), 0);
	nat_forwarding_off(false);
	assert_true(sysctl_is("ipv4/ip_forward", '1'));
	/* It was on: not ours to switch. */
	assert_int_equal(nat_forwarding_on(nl, &n, &e), 0);
	assert_false(nat_forwarding_changed());
	close(lock);
	host_nl_close(nl);
}

static void folders(void **state)
{
	char dir[NAT_PATH];
	struct err e = {0};
	int fd, one;

	(void)state;
	nat_dir("vmwire9", dir);
	assert_true(strncmp(dir, NAT_RUN "/vmwire9", strlen(NAT_RUN "/vmwire9")) == 0);
	assert_int_equal(nat_connect(dir), -ENOENT);
	fd = nat_listen(dir, &e);
	assert_true(fd >= 0);
	one = nat_connect(dir);
	assert_true(one >= 0);
	assert_int_equal(nat_others("vmwire8"), 1);
	assert_int_equal(nat_others("vmwire9"), 0);
	close(one);
	close(fd);
	assert_int_equal(nat_connect(dir), -ECONNREFUSED);
	assert_int_equal(nat_others("vmwire8"), 0);
	nat_dir_remove(dir);
	assert_int_equal(access(dir, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bridges),
		cmocka_unit_test(adopted),
		cmocka_unit_test(forwarding),
		cmocka_unit_test(folders),
	};

	netns_enter();
	/* A /run of our own. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL)) {
		puts("skipped: needs the right to mount");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
