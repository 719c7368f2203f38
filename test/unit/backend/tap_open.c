/* SPDX-License-Identifier: BSD-2-Clause */
/* The TAP's options: what is refused, and with which words (T2, T4, T5, T7, T8). */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/backend/backend.h"
#include "net/backend/tap.h"

extern const struct net_backend net_backend_tap;

/* Parses and opens; must fail, and say all of the words. */
static void refused(const char *text, const char *const *words)
{
	struct net_port *port = NULL;
	struct tap_opts o;
	struct err e = {0};
	int rc = opt_parse(net_backend_tap.opts, "-netdev tap", text, &o, &e);

	if (!rc) {
		rc = net_backend_tap.open(&o, "t0", &port, &e);
		opt_free(net_backend_tap.opts, &o);
	}
	assert_true(rc < 0);
	assert_null(port);
	for (; *words; words++)
		if (!strstr(e.text, *words))
			fail_msg("\"%s\" not in \"%s\"", *words, e.text);
}

#define REFUSED(text, ...) refused(text, (const char *const[]){__VA_ARGS__, NULL})

static void pairs_with_fd(void **state)
{
	(void)state;
	REFUSED("fd=3,ifname=tap0", "fd=", "ifname=", "exclude");
	REFUSED("fd=3,script=no", "fd=", "script=", "exclude");
	REFUSED("fd=3,downscript=no", "fd=", "downscript=", "exclude");
	REFUSED("fd=3,vnet_hdr=on", "fd=", "vnet_hdr=", "exclude");
	REFUSED("fd=3,vnet_hdr=off", "fd=", "vnet_hdr=", "exclude");
	REFUSED("fd=3,queues=2", "fd=", "queues=", "exclude");
	REFUSED("fd=3,fds=4:5", "fd=", "fds=", "exclude");
	REFUSED("fds=4:5,queues=2", "fds=", "queues=", "exclude");
	REFUSED("fds=4:5,ifname=x", "fds=", "ifname=", "exclude");
}

static void fd_is_checked(void **state)
{
	(void)state;
	REFUSED("fd=zz", "fd", "zz");
	REFUSED("fd=-1", "fd", "-1");
	REFUSED("fd=987654", "fd=987654", "not open");
	REFUSED("fds=987654:3", "fds=987654", "not open");
	REFUSED("fds=", "fds=", "1 to 8 descriptors");
	REFUSED("fds=x:y", "fds=x:y", "colons");
	REFUSED("fds=987654:", "fds=987654:", "colons");
	REFUSED("fds=99999999999", "fds=99999999999", "1 to 8 descriptors");
}

static void pairs_with_helper(void **state)
{
	(void)state;
	REFUSED("helper=/h,ifname=tap0", "helper=", "ifname=", "exclude");
	REFUSED("helper=/h,script=no", "helper=", "script=", "exclude");
	REFUSED("helper=/h,downscript=no", "helper=", "downscript=", "exclude");
	REFUSED("helper=/h,vnet_hdr=off", "helper=", "vnet_hdr=", "exclude");
	REFUSED("helper=/h,queues=2", "helper=", "queues=", "exclude");
	REFUSED("helper=/h,fd=3", "fd=", "helper=", "exclude");
	REFUSED("helper=/h,fds=3:4", "fds=", "helper=", "exclude");
	REFUSED("br=br7,script=no", "br=br7", "helper=", "-netdev bridge,br=br7");
}

/* Scripts that are not there: refused before anything is made. */
static void scripts(void **state)
{
	(void)state;
	REFUSED("script=/nowhere", "script=/nowhere", "No such file", "no");
	REFUSED("script=/etc/passwd", "script=/etc/passwd", "Permission denied", "executable");
	REFUSED("script=no,downscript=/nowhere", "downscript=/nowhere", "No such file", "or no");
}

static void values(void **state)
{
	(void)state;
	REFUSED("vnet_hdr=maybe", "vnet_hdr", "maybe");
	REFUSED("sndbuf=x", "sndbuf", "x");
	REFUSED("queues=0", "queues", "1 to 8");
	REFUSED("queues=9", "queues", "1 to 8");
	REFUSED("sndbuf=4G", "sndbuf", "4G");
	REFUSED("ifname=a-name-that-is-too-long,script=no,downscript=no",
		"ifname=", "1 to 15 characters");
	REFUSED("ifname=,script=no,downscript=no", "ifname=", "1 to 15 characters");
	REFUSED("ifnam=x", "ifnam", "ifname");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_with_fd),     cmocka_unit_test(fd_is_checked),
		cmocka_unit_test(scripts),	     cmocka_unit_test(values),
		cmocka_unit_test(pairs_with_helper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
