/* SPDX-License-Identifier: BSD-2-Clause */
/* Option tables: values of every type, escapes, and each error message word by word. */
#include "base/opt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

struct thing {
	char *id;
	bool on;
	uint32_t n;
	uint64_t size;
	int color;
	struct opt_mac mac;
	struct in_addr ip;
	struct opt_ip4net net;
	struct sockaddr_in dns;
	struct opt_list fwd;
	int custom;
	char *made;
};

static int parse_custom(const char *v, void *out, struct err *e)
{
	struct thing *t = out;

	if (strcmp(v, "seven"))
		return err_set(e, EINVAL, "give seven");
	t->custom = 7;
	free(t->made);
	t->made = strdup(v);
	return 0;
}

static void release_custom(void *out)
{
	struct thing *t = out;

	free(t->made);
	t->made = NULL;
}

static void defaults(void *out)
{
	struct thing *t = out;

	t->n = 3;
}

static const char *const colors[] = {"red", "green", NULL};
#define OFF(m) offsetof(struct thing, m)
static const struct opt opts[] = {
	{"id", OPT_STR, OFF(id), .help = "the name"},
	{"on", OPT_BOOL, OFF(on), .help = "whether"},
	{"n", OPT_U32, OFF(n), .min = 1, .max = 8, .help = "how many"},
	{"size", OPT_SIZE, OFF(size), .unit = 1 << 20, .min = 1 << 20, .help = "how big"},
	{"color", OPT_ENUM, OFF(color), .names = colors, .help = "which"},
	{"macaddr", OPT_MAC, OFF(mac), .arg = "mac", .help = "address"},
	{"mac", OPT_MAC, OFF(mac), .help = "address"},
	{"ip", OPT_IP4, OFF(ip), .help = "address"},
	{"net", OPT_IP4NET, OFF(net), .help = "network"},
	{"dns", OPT_ADDR4, OFF(dns), .help = "resolver"},
	{"fwd", OPT_LIST, OFF(fwd), .help = "forward"},
	{"custom", OPT_CUSTOM, .parse = parse_custom, .release = release_custom, .help = "odd"},
	{"vhost", OPT_BOOL, .missing = "not implemented yet"},
	{NULL},
};
static const struct opt_table table = {"thing", "a thing", "id", opts, sizeof(struct thing),
				       defaults};

static void good(const char *text, struct thing *t)
{
	struct err e = {0};

	assert_int_equal(opt_parse(&table, "-thing", text, t, &e), 0);
	assert_int_equal(e.code, 0);
}

static void bad(const char *text, const char *message)
{
	struct thing t;
	struct err e = {0};

	assert_true(opt_parse(&table, "-thing", text, &t, &e) < 0);
	assert_string_equal(e.text, message);
}

static void values(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
	struct thing t;

	(void)state;
	good("", &t);
	assert_int_equal(t.n, 3);
	assert_null(t.id);
	good("box,on,n=0x8,size=2,color=green,macaddr=52:54:00:12:34:56,ip=10.0.2.2,"
	     "net=10.0.2.0/255.255.255.0,dns=1.2.3.4:53,fwd=a,fwd=b,custom=seven",
	     &t);
	assert_string_equal(t.id, "box");
	assert_true(t.on);
	assert_int_equal(t.n, 8);
	assert_int_equal(t.size, 2 << 20);
	assert_int_equal(t.color, 1);
	assert_true(t.mac.set);
	assert_memory_equal(t.mac.b, mac, 6);
	assert_int_equal(ntohl(t.ip.s_addr), 0x0a000202);
	assert_int_equal(t.net.prefix, 24);
	assert_int_equal(ntohl(t.net.addr), 0x0a000200);
	assert_int_equal(ntohs(t.dns.sin_port), 53);
	assert_int_equal(t.dns.sin_family, AF_INET);
	assert_int_equal(t.fwd.n, 2);
	assert_string_equal(t.fwd.v[1], "b");
	assert_int_equal(t.custom, 7);
	opt_free(&table, &t);
	assert_null(t.id);
	opt_free(&table, &t);
}

static void repeats_and_forms(void **state)
{
	struct thing t;
	struct err e = {0};

	(void)state;
	/* The last one counts; the first string is not leaked (ASan looks). */
	good("id=a,id=b,on=on,on=off,size=1536M,net=10.1.2.0", &t);
	assert_string_equal(t.id, "b");
	assert_false(t.on);
	assert_int_equal(t.size, 1536ull << 20);
	assert_int_equal(t.net.prefix, 24);
	assert_int_equal(opt_set(&table, "-thing", "id", "c", &t, &e), 0);
	assert_string_equal(t.id, "c");
	opt_free(&table, &t);
	good("on,noon", &t);
	assert_false(t.on);
	opt_free(&table, &t);
	good("net=10.0.0.0/8,size=1G,", &t);
	assert_int_equal(t.net.prefix, 8);
	assert_int_equal(t.size, 1ull << 30);
	opt_free(&table, &t);
}

static void doubled_commas(void **state)
{
	struct thing t;

	(void)state;
	good("id=a,,b,,,n=2", &t);
	assert_string_equal(t.id, "a,b,");
	assert_int_equal(t.n, 2);
	opt_free(&table, &t);
	good(",,x", &t);
	assert_string_equal(t.id, ",x");
	opt_free(&table, &t);
}

static void messages(void **state)
{
	(void)state;
	bad("macaddr=zz", "-thing: macaddr=zz is not a MAC address: give six hexadecimal bytes, "
			  "e.g. macaddr=52:54:00:12:34:56");
	bad("macaddr=52:54:00:12:34:56:78",
	    "-thing: macaddr=52:54:00:12:34:56:78 is not a MAC address: give six hexadecimal "
	    "bytes, e.g. macaddr=52:54:00:12:34:56");
	bad("mac=01:00:5e:00:00:01",
	    "-thing: mac=01:00:5e:00:00:01 is not the address of one card: give one whose first "
	    "byte is even and that is not all zero, e.g. mac=52:54:00:12:34:56");
	bad("n=9", "-thing: n=9 is out of range: give 1 to 8");
	bad("n=-1", "-thing: n=-1 is not a number: give 1 to 8, e.g. n=1");
	bad("n=2x", "-thing: n=2x is not a number: give 1 to 8, e.g. n=1");
	bad("n=99999999999999999999",
	    "-thing: n=99999999999999999999 is out of range: give 1 to 8");
	bad("n", "-thing: n needs a value: give n=n");
	bad("color", "-thing: color needs a value: give color=red|green");
	bad("size=1x", "-thing: size=1x is not a size: give a number of MiB, or a number with an "
		       "optional suffix k, M, "
		       "G or T, e.g. size=512M");
	bad("color=gren", "-thing: color=gren is not known: did you mean color=green? Allowed: "
			  "red, green");
	bad("color=blue", "-thing: color=blue is not known: allowed are red, green");
	bad("on=maybe", "-thing: on=maybe is neither on nor off: give on=on or on=off");
	bad("ip=10.0.2", "-thing: ip=10.0.2 is not an IPv4 address: give four numbers, e.g. "
			 "ip=10.0.2.2");
	bad("net=10.0.2.0/33", "-thing: net=10.0.2.0/33 is not an IPv4 network: give "
			       "address/prefix length, e.g. net=10.0.2.0/24");
	bad("net=10.0.2.0/255.0.255.0",
	    "-thing: net=10.0.2.0/255.0.255.0 is not an IPv4 network: give "
	    "address/prefix length, e.g. net=10.0.2.0/24");
	bad("dns=1.2.3.4:99999",
	    "-thing: dns=1.2.3.4:99999 is not an IPv4 address with an optional port: give a.b.c.d "
	    "or a.b.c.d:port, e.g. dns=192.168.1.1:53");
	bad("custom=six", "-thing: custom=six is not possible: give seven");
	bad("vhost=on", "-thing: vhost: not implemented yet");
	bad("macadr=1", "-thing: macadr=1 is not an option: did you mean macaddr=1? Allowed: id, "
			"on, n, size, color, macaddr, mac, ip, net, dns, fwd, custom");
	bad("zebra=1", "-thing: zebra=1 is not an option: allowed are id, on, n, size, color, "
		       "macaddr, mac, ip, net, dns, fwd, custom");
	bad("a,,\n=1,b", "-thing: a,?=1 is not an option: allowed are id, on, n, size, color, "
			 "macaddr, mac, ip, net, dns, fwd, custom");
	bad("n=1,zebra", "-thing: zebra is not an option: allowed are id, on, n, size, color, "
			 "macaddr, mac, ip, net, dns, fwd, custom");
	/* A string set before the error is freed (ASan looks). */
	bad("id=x,custom=seven,fwd=a,n=9", "-thing: n=9 is out of range: give 1 to 8");
}

static void single_values(void **state)
{
	uint64_t size;
	uint32_t n;
	uint8_t mac[6];
	struct err e = {0};

	(void)state;
	assert_int_equal(opt_parse_size("-m", "256", 1 << 20, 1, 0, &size, &e), 0);
	assert_int_equal(size, 256u << 20);
	assert_int_equal(opt_parse_size("-m", "2g", 1 << 20, 1, 0, &size, &e), 0);
	assert_int_equal(size, 2ull << 30);
	assert_int_equal(opt_parse_size("-m", "1x", 1 << 20, 1, 0, &size, &e), -EINVAL);
	assert_string_equal(
		e.text,
		"-m 1x is not a size: give a number of MiB, or a number with an optional suffix k, "
		"M, G or T, e.g. -m 512M");
	assert_int_equal(opt_parse_size("-m", "1", 1 << 20, 4 << 20, 1ull << 40, &size, &e),
			 -ERANGE);
	assert_string_equal(e.text, "-m 1 is out of range: give 4M to 1T");
	assert_int_equal(opt_parse_size("-m", "17179869184T", 1, 0, 0, &size, &e), -ERANGE);
	assert_int_equal(opt_parse_u32("-smp", "0", 1, 255, &n, &e), -ERANGE);
	assert_string_equal(e.text, "-smp 0 is out of range: give 1 to 255");
	assert_int_equal(opt_parse_mac("set_mac", "52-54-0-1-2-3", mac, &e), 0);
	assert_int_equal(mac[5], 3);
	/* Errors may be unwanted. */
	assert_int_equal(opt_parse_mac("set_mac", "5", mac, NULL), -EINVAL);
}

static void suggestions(void **state)
{
	static const char *const names[] = {"user", "tap", "macaddr", "x", NULL};

	(void)state;
	assert_string_equal(opt_suggest("usr", names), "user");
	assert_string_equal(opt_suggest("uesr", names), "user");
	assert_string_equal(opt_suggest("tpa", names), "tap");
	assert_string_equal(opt_suggest("macadr", names), "macaddr");
	assert_null(opt_suggest("bridge", names));
	assert_null(opt_suggest("y", names));
	assert_null(opt_suggest("", names));
}

static void help(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct opt_table two = {
		"two",
		.opts = (const struct opt[]){{"color", OPT_ENUM, .names = colors, .help = "which"},
					     {"n", OPT_U32, .help = "how many"},
					     {"vhost", OPT_BOOL, .missing = "not yet"},
					     {NULL}}};

	(void)state;
	opt_help(&two, f);
	fclose(f);
	assert_string_equal(text, "  color=red|green  which\n  n=n              how many\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),	  cmocka_unit_test(repeats_and_forms),
		cmocka_unit_test(doubled_commas), cmocka_unit_test(messages),
		cmocka_unit_test(single_values),  cmocka_unit_test(suggestions),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
