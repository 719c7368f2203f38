/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs an interface, told by files under a root of the test's (H2). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host/manager.h"

static char root[] = "/tmp/vmwire-manager-XXXXXX";

/* Writes a file under root; its folders are made. */
static void put(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = 0;
		mkdir(full, 0755);
		*p = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	(void)state;
	strcpy(root + sizeof(root) - 7, "XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	char line[128];

	(void)state;
	snprintf(line, sizeof(line), "rm -rf %s", root);
	return system(line);
}

static void nobody(void **state)
{
	struct manager m;

	(void)state;
	mgr_find(root, "eth0", 2, &m);
	assert_int_equal(m.kind, MGR_NONE);
	/* Others' links, and one that networkd leaves alone. */
	put("/run/systemd/netif/links/3", "ADMIN_STATE=configured\n");
	put("/run/systemd/netif/links/2", "ADMIN_STATE=unmanaged\n");
	put("/run/network/ifstate", "lo=lo\neth01=eth01\n");
	put("/run/NetworkManager/devices/2", "[device]\nmanaged=false\n");
	mgr_find(root, "eth0", 2, &m);
	assert_int_equal(m.kind, MGR_NONE);
	assert_string_equal(m.client, "");
}

static void networkd(void **state)
{
	struct manager m;

	(void)state;
	put("/run/systemd/netif/links/2",
	    "# private\nADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/a.network\n");
	mgr_find(root, "eth0", 2, &m);
	assert_int_equal(m.kind, MGR_NETWORKD);
	assert_string_equal(m.file, "/etc/systemd/network/a.network");
	assert_string_equal(m.lease, "");
	put("/run/systemd/netif/leases/2", "ADDRESS=192.0.2.7\n");
	mgr_find(root, "eth0", 2, &m);
	assert_string_equal(m.lease, "/run/systemd/netif/leases/2");
}

static void ifupdown(void **state)
{
	struct manager m;

	(void)state;
	put("/run/network/ifstate", "lo=lo\neth0=eth0\n");
	mgr_find(root, "eth0", 2, &m);
	assert_int_equal(m.kind, MGR_IFUPDOWN);
	assert_string_equal(m.file, "");
	put("/etc/network/interfaces", "auto eth0\n#iface eth0 inet dhcp\niface eth01 inet dhcp\n");
	put("/etc/network/interfaces.d/setup", "auto eth0\n  iface eth0 inet dhcp\n");
	mgr_find(root, "eth0", 2, &m);
	assert_string_equal(m.file, "/etc/network/interfaces.d/setup");
	put("/etc/network/interfaces", "iface eth0 inet dhcp\n");
	mgr_find(root, "eth0", 2, &m);
	assert_string_equal(m.file, "/etc/network/interfaces");
}

static void networkmanager(void **state)
{
	struct manager m;

	(void)state;
	put("/run/NetworkManager/devices/2", "[device]\nmanaged=true\nconnection-uuid=abc-1\n");
	put("/etc/NetworkManager/system-connections/other", "[connection]\nuuid=abc-2\n");
	mgr_find(root, "eth0", 2, &m);
	assert_int_equal(m.kind, MGR_NM);
	assert_string_equal(m.file, "");
	put("/run/NetworkManager/system-connections/wired", "[connection]\nuuid=abc-1\n");
	mgr_find(root, "eth0", 2, &m);
	assert_string_equal(m.file, "/run/NetworkManager/system-connections/wired");
	assert_string_equal(mgr_name(m.kind), "NetworkManager");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(networkd, setup, teardown),
		cmocka_unit_test_setup_teardown(ifupdown, setup, teardown),
		cmocka_unit_test_setup_teardown(networkmanager, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
