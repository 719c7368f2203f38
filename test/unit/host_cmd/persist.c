/* SPDX-License-Identifier: BSD-2-Clause */
/* Lasting configurations as texts: golden files, one for each manager and source (H2). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fixture.h"
#include "host/persist.h"

static char root[] = "/tmp/vmwire-persist-XXXXXX";

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

/* Makes the files, without root's name in what is compared. */
static void made(const char *name, const char *kind, const struct manager *mgr, bool leased)
{
	struct persist_files f;
	struct br_state s;
	struct err e = {0};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fixture(&s);
	if (!leased)
		s.addr[2].valid = s.addr[2].preferred = UINT32_MAX;
	if (persist_add(root, kind, mgr, &s, "br0", leased, &f, &e))
		fail_msg("%s", e.text);
	for (int i = 0; i < f.n; i++)
		fprintf(out, "=== %s %o\n%s", f.file[i].path, f.file[i].mode, f.file[i].text);
	fclose(out);
	golden(name, text);
	free(text);
	persist_free(&f);
	br_state_free(&s);
}

static void of_state(void **state)
{
	const struct manager none = {0};

	(void)state;
	made("networkd_state", "networkd", &none, false);
	made("networkd_leased", "networkd", &none, true);
	made("ifupdown_state", "ifupdown", &none, false);
	made("ifupdown_leased", "ifupdown", &none, true);
	made("nm_state", "nm", &none, false);
	made("nm_leased", "nm", &none, true);
}

static void of_networkd(void **state)
{
	const struct manager m = {.kind = MGR_NETWORKD,
				  .file = "/etc/systemd/network/20-lan.network",
				  .lease = "/run/systemd/netif/leases/2"};

	(void)state;
	put(m.file,
	    "# mine\n[Match]\nMACAddress=52:54:00:12:34:56\n\n[Link]\nRequiredForOnline=no\n\n"
	    "[Network]\nDHCP=yes\nVLAN=eth0.5\nDNS=192.0.2.53\n\n[DHCPv4]\nRouteMetric=7\n");
	put(m.lease, "ADDRESS=192.0.2.2\nCLIENTID=ffb6220feb00020000ab11aabbccdd\n");
	made("networkd_file", "", &m, false);
}

static void of_ifupdown(void **state)
{
	const struct manager m = {.kind = MGR_IFUPDOWN, .file = "/etc/network/interfaces"};

	(void)state;
	put(m.file, "source /etc/network/interfaces.d/*\nauto lo eth0\niface lo inet loopback\n\n"
		    "iface eth0 inet static\n\taddress 192.0.2.2/24\n\t# a comment\n"
		    "\tup ip route add 198.18.0.0/15 \\\n\t\tdev eth1\n\niface eth0 inet6 auto\n"
		    "\taccept_ra 2\n\niface eth01 inet manual\n");
	made("ifupdown_file", "", &m, false);
}

static void of_nm(void **state)
{
	const struct manager m = {.kind = MGR_NM,
				  .file = "/etc/NetworkManager/system-connections/Wired"};

	(void)state;
	put(m.file,
	    "[connection]\nid=Wired\nuuid=x\n\n[ethernet]\nmtu=9000\n\n[ipv4]\nmethod=auto\n"
	    "dns=192.0.2.53;\n\n[ipv6]\nmethod=ignore\n\n[proxy]\nmethod=1\n");
	made("nm_file", "", &m, false);
}

static void ifupdown_undo(void **state)
{
	char *text =
		persist_ifupdown_undo("auto eth0\n#vmwire-br0# iface eth0 inet dhcp\n#x\n", "br0");

	(void)state;
	assert_string_equal(text, "auto eth0\niface eth0 inet dhcp\n#x\n");
	free(text);
	assert_null(persist_ifupdown_undo("auto eth0\n#vmwire-br01# x\n", "br0"));
	assert_null(persist_ifupdown_undo("", "br0"));
}

static void refused(void **state)
{
	const struct manager none = {0};
	struct persist_files f;
	struct br_state s;
	struct err e = {0};

	(void)state;
	fixture(&s);
	assert_int_equal(persist_add(root, "", &none, &s, "br0", false, &f, &e), -ENOENT);
	assert_non_null(strstr(e.text, "--persist=networkd, ifupdown or nm"));
	assert_int_equal(persist_add(root, "netplan", &none, &s, "br0", false, &f, &e), -EINVAL);
	assert_non_null(strstr(e.text, "--persist=netplan: allowed are networkd, ifupdown, nm"));
	br_state_free(&s);
}

/* Nothing is written where it cannot be. */
static void unwritable(void **state)
{
	const struct manager none = {0};
	struct persist_files f;
	struct br_state s;
	struct err e = {0};
	FILE *out = fopen("/dev/null", "w");

	(void)state;
	put("/etc/systemd", "a file where a folder should be\n");
	fixture(&s);
	assert_int_equal(persist_add(root, "networkd", &none, &s, "br0", false, &f, &e), 0);
	assert_true(persist_write(&f, out, &e) < 0);
	assert_non_null(
		strstr(e.text, "/etc/systemd/network/05-vmwire-br0.netdev: Not a directory"));
	fclose(out);
	persist_free(&f);
	br_state_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_state, setup, teardown),
		cmocka_unit_test_setup_teardown(of_networkd, setup, teardown),
		cmocka_unit_test_setup_teardown(of_ifupdown, setup, teardown),
		cmocka_unit_test_setup_teardown(of_nm, setup, teardown),
		cmocka_unit_test(ifupdown_undo),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(unwritable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
