/* SPDX-License-Identifier: BSD-2-Clause */
/* V4: slips of the pen in network options, each answered with the option as it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/cmdline.h"

struct slip_case {
	const char *args; /* blanks part words */
	const char *why, *write;
};

static const struct slip_case cases[] = {
	/* The document's own. */
	{"-net vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139 ,name=eth0,addr=0x0",
	 "a blank splits it in two, its kind (nic) is missing, PCI slot 0 is the host bridge's "
	 "(addr= may be 0x2 to 0x1f)",
	 "-net nic,vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139,name=eth0"},
	{"-net tap ifname=vnet0,script=/etc/qemu-ifup", "a blank splits it in two",
	 "-net tap,ifname=vnet0,script=/etc/qemu-ifup"},
	/* One of each. */
	{"-net nic,addr=0x0,name=eth0",
	 "PCI slot 0 is the host bridge's (addr= may be 0x2 to 0x1f)", "-net nic,name=eth0"},
	{"-net vlan=0,macaddr=fe:54:00:86:0d:04", "its kind (nic) is missing",
	 "-net nic,vlan=0,macaddr=fe:54:00:86:0d:04"},
	{"-net ifname=tap0,script=no", "its kind (tap) is missing",
	 "-net tap,ifname=tap0,script=no"},
	{"-net tap,ifnam=tap0", "ifnam= is not an option", "-net tap,ifname=tap0"},
	{"-net tap,scirpt=no,vlan=1", "scirpt= is not an option", "-net tap,script=no,vlan=1"},
	{"-net tap,vnet-hdr=on", "vnet-hdr= is not an option", "-net tap,vnet_hdr=on"},
	{"-net nic,macadr=fe:54:00:86:0d:04", "macadr= is not an option",
	 "-net nic,macaddr=fe:54:00:86:0d:04"},
	{"-netdev bridge,id=b,brr=br0", "brr= is not an option", "-netdev bridge,id=b,br=br0"},
	{"-nic tap,ifname=x,modle=virtio", "modle= is not an option",
	 "-nic tap,ifname=x,model=virtio"},
	{"-device virtio-net-pci,ndetev=n0", "ndetev= is not an option",
	 "-device virtio-net-pci,netdev=n0"},
	/* Where the blank is. */
	{"-net tap, ifname=tap0", "a blank splits it in two", "-net tap,ifname=tap0"},
	{"-net tap ,ifname=tap0", "a blank splits it in two", "-net tap,ifname=tap0"},
	{"-net tap,ifname=tap0 script=no", "a blank splits it in two",
	 "-net tap,ifname=tap0,script=no"},
	{"-netdev tap,id=n0, ifname=tap0", "a blank splits it in two",
	 "-netdev tap,id=n0,ifname=tap0"},
	/* Several at once. */
	{"-net tap ifname=vnet0 script=no downscript=no", "a blank splits it in two",
	 "-net tap,ifname=vnet0,script=no,downscript=no"},
	{"-net tap ifnam=vnet0,scirpt=no", "a blank splits it in two, ifnam= is not an option",
	 "-net tap,ifname=vnet0,script=no"},
	{"-net ifnam=vnet0,script=no", "its kind (tap) is missing, ifnam= is not an option",
	 "-net tap,ifname=vnet0,script=no"},
	{"-net nic , model=virtio", "a blank splits it in two", "-net nic,model=virtio"},
};

/* Words of text into argv behind "vmwire". */
static int split(char *text, char **argv)
{
	int n = 0;

	argv[n++] = (char *)"vmwire";
	for (char *p = strtok(text, " "); p; p = strtok(NULL, " "))
		argv[n++] = p;
	return n;
}

static void answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct slip_case *t = &cases[i];
		char text[200], want[600], *argv[16];
		struct config c;
		struct err e = {0};
		int rc;

		snprintf(text, sizeof(text), "%s", t->args);
		rc = cmdline_parse(split(text, argv), argv, &c, stdout, &e);
		config_free(&c);
		snprintf(want, sizeof(want), "%s: %s; write: %s", t->args, t->why, t->write);
		assert_true(rc < 0);
		if (strcmp(e.text, want) != 0)
			fail_msg("%s\ngot:  %s\nwant: %s", t->args, e.text, want);
	}
}

/* What stands there as the right option is one. */
static void are_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[200], *argv[16];
		struct config c;
		struct err e = {0};
		int n;

		snprintf(text, sizeof(text), "%s -accel qtest -qtest fd:9", cases[i].write);
		n = split(text, argv);
		if (cmdline_parse(n, argv, &c, stdout, &e) &&
		    !strstr(e.text, "netdev=n0 is not there"))
			fail_msg("%s: %s", cases[i].write, e.text);
		config_free(&c);
	}
}

/* No slip: the ordinary message stays. */
static void others(void **state)
{
	static const char *const t[][2] = {
		{"-net tap,foo=1", "-net tap: foo=1 is not an option: allowed are "},
		{"-net tap,script",
		 "-net tap,script: script needs a value; write: -net tap,script=file"},
		{"-net tap,scirpt=no,ifname",
		 "-net tap,scirpt=no,ifname: scirpt= is not an option, ifname needs a value; "
		 "write: -net tap,script=no,ifname=name"},
		{"-netdev user,id=a,restrict,mask", "-netdev user: mask is not an option"},
		{"-net tap,vnet_hdr=onn",
		 "-net tap: vnet_hdr=onn is not known: did you mean vnet_hdr=on? "},
		{"-net nic disk.img", "disk.img belongs to no option"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char text[200], *argv[16];
		struct config c;
		struct err e = {0};

		snprintf(text, sizeof(text), "%s", t[i][0]);
		assert_true(cmdline_parse(split(text, argv), argv, &c, stdout, &e) < 0);
		config_free(&c);
		if (strncmp(e.text, t[i][1], strlen(t[i][1])) != 0)
			fail_msg("%s\ngot: %s", t[i][0], e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(are_right),
		cmocka_unit_test(others),
	};

	return cmocka_run_group_tests_name("slip", tests, NULL, NULL);
}
