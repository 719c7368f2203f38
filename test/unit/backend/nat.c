/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of -net nat: what is refused, and with which words (M2). That they work: test/wire.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/backend/backend.h"

extern const struct net_backend net_backend_nat;

static char opts[4096] __attribute__((aligned(16)));

static int parse(const char *text, struct err *e)
{
	assert_true(net_backend_nat.opts->size <= sizeof(opts));
	return opt_parse(net_backend_nat.opts, "-net nat", text, opts, e);
}

/* Parses and opens; must fail before anything is made, and say all of the words. */
static void refused(const char *text, const char *const *words)
{
	struct net_port *port = NULL;
	struct err e = {0};
	int rc = parse(text, &e);

	if (!rc) {
		rc = net_backend_nat.open(opts, "n0", &port, &e);
		opt_free(net_backend_nat.opts, opts);
	}
	assert_true(rc < 0);
	assert_null(port);
	for (; *words; words++)
		if (!strstr(e.text, *words))
			fail_msg("\"%s\" not in \"%s\"", *words, e.text);
}
#define REFUSED(text, ...) refused(text, (const char *const[]){__VA_ARGS__, NULL})

static void values(void **state)
{
	(void)state;
	REFUSED("net=10.0.0.0/30", "net=", "/8 to /29");
	REFUSED("net=127.1.0.0/16", "net=127", "private");
	REFUSED("net=239.0.0.0/24", "net=239", "private");
	REFUSED("net=0.0.0.0/8", "net=0", "private");
	REFUSED("net=ten", "net=ten");
	REFUSED("br=a b", "br=a b", "up to 15 characters");
	REFUSED("br=forwarding", "br=forwarding");
	REFUSED("br=this-name-is-too-long", "br=this-name-is-too-long");
	REFUSED("ifname=../x", "ifname=../x");
	REFUSED("isolated=on,routed=on", "isolated=on", "routed=on", "exclude");
	REFUSED("isolated=maybe", "isolated=maybe");
	REFUSED("firewall=off", "firewall=off", "report", "adjust");
	REFUSED("queues=9", "queues=9");
	REFUSED("isolate=on", "isolate", "isolated");
}

static void rates(void **state)
{
	static const char *const good[] = {"rate=8k",	 "rate=10M",	"rate=10m,burst=1M",
					   "rate=1Gbit", "rate=100000", "rate=400G",
					   NULL};
	struct err e;

	(void)state;
	for (unsigned i = 0; good[i]; i++) {
		if (parse(good[i], &e))
			fail_msg("%s: %s", good[i], e.text);
		opt_free(net_backend_nat.opts, opts);
	}
	REFUSED("rate=", "rate=", "bits a second");
	REFUSED("rate=7k", "rate=7k", "8k to 400G");
	REFUSED("rate=401G", "rate=401G");
	REFUSED("rate=18446744073709551615G", "rate=1844");
	REFUSED("rate=-1M", "rate=-1M");
	REFUSED("rate=10MB", "rate=10MB");
	REFUSED("rate=10MiB/s", "rate=10MiB/s");
	REFUSED("burst=100k", "burst= needs rate=");
	REFUSED("rate=10M,burst=1k", "burst=1k");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
