/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's TAP, in a network namespace of its own; skipped without the right to make one. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper/link.h"

static bool alone; /* in a namespace of our own */

#define NEEDS_ROOT()                                                                               \
	if (!alone)                                                                                \
	skip()

static void refused(void **state)
{
	char why[200];

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(link_make("nobr", true, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "bridge nobr: No such device"));
	assert_int_equal(system("ip link add v0 type veth peer name v1"), 0);
	assert_int_equal(link_make("v0", true, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "it is not a bridge"));
	assert_int_equal(if_nametoindex("tap0"), 0);
}

static void joined(void **state)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), fd;
	struct ifreq r = {0};
	char why[200] = "";

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(system("ip link add br0 address 02:00:00:00:00:01 type bridge && "
				"ip link set br0 mtu 1400"),
			 0);
	for (int vnet = 0; vnet < 2; vnet++) {
		fd = link_make("br0", vnet, why, sizeof(why));
		assert_string_equal(why, "");
		assert_true(fd >= 0);
		assert_int_equal(ioctl(fd, TUNGETIFF, &r), 0);
		assert_int_equal(!!(r.ifr_flags & IFF_VNET_HDR), vnet);
		assert_int_equal(r.ifr_flags & (IFF_TAP | IFF_NO_PI), IFF_TAP | IFF_NO_PI);
		assert_string_equal(r.ifr_name, "tap0");
		assert_int_equal(
			system("ip -o link show master br0 | grep -q 'tap0:.*[<,]UP[,>].* mtu "
			       "1400 .*ether fe:'"),
			0);
		assert_int_equal(system("ip -o link show br0 | grep -q 02:00:00:00:00:01"), 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
		assert_int_equal(if_nametoindex("tap0"), 0);
	}
	close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(joined),
	};

	alone = !unshare(CLONE_NEWNET) && !access("/dev/net/tun", R_OK | W_OK);
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
