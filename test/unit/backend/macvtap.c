/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * macvtap in a network namespace: the link, its address, its end; skipped without the right to make
 * one, or where the kernel has none. What crosses it is the TAP's, and the guests' (bridge.sh).
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/opt.h"
#include "net/backend/backend.h"
#include "net/host/rtnl.h"

extern const struct net_backend net_backend_macvtap;
#define BACK net_backend_macvtap

static struct host_nl *nl;
static bool there; /* the kernel has it */
static int lower;

static struct net_port *make(const char *text, struct err *e)
{
	_Alignas(max_align_t) char opts[64];
	struct net_port *p = NULL;

	*e = (struct err){0};
	assert_true(BACK.opts->size <= sizeof(opts));
	if (!opt_parse(BACK.opts, "-netdev macvtap", text, opts, e)) {
		BACK.open(opts, "m", &p, e);
		opt_free(BACK.opts, opts);
	}
	return p;
}

static void refused(void **state)
{
	static const char *const t[][2] = {
		{"mode=vepa", "link= is missing"},
		{"link=nolink", "link=nolink: nolink: there is no such interface"},
		{"link=p0,mode=none", "allowed are bridge, vepa, private, passthru"},
		{"link=p0,macaddr=01:00:00:00:00:01", "not the address of one card"},
		{"link=lo", "no Ethernet interface"},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_null(make(t[i][0], &e));
		if (!strstr(e.text, t[i][1]))
			fail_msg("%s: %s", t[i][0], e.text);
	}
}

static void link_and_end(void **state)
{
	struct host_link l;
	struct net_port *p;
	struct err e;
	char info[128];

	(void)state;
	if (!there)
		skip();
	p = make("link=p0,mode=private", &e);
	if (!p)
		fail_msg("%s", e.text);
	assert_int_equal(host_link_get(nl, BACK.ifname(p), &l, &e), 0);
	assert_string_equal(l.kind, "macvtap");
	assert_int_equal(l.lower, lower);
	assert_true(l.flags & IFF_UP && l.flags & IFF_ALLMULTI);
	p->ops->info(p, info, sizeof(info));
	assert_string_equal(info, "ifname=vmwtap0,link=p0,mode=private,vnet_hdr=on");
	p->ops->destroy(p);
	assert_int_equal(host_link_get(nl, "vmwtap0", &l, &e), -ENODEV);
}

static void addresses(void **state)
{
	uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 1}, other[6] = {0x52, 0x54, 0, 0, 0, 2};
	struct net_port *p, *q;
	struct host_link l;
	struct err e;

	(void)state;
	if (!there)
		skip();
	p = make("link=p0", &e);
	q = make("link=p0,macaddr=52:54:00:00:00:02", &e);
	assert_true(p && q);
	assert_string_equal(BACK.ifname(q), "vmwtap1");
	/* The link takes the card's, */
	assert_int_equal(BACK.claim(p, mac, true, &e), 0);
	host_link_get(nl, "vmwtap0", &l, &e);
	assert_memory_equal(l.mac, mac, 6);
	/* but not one that another link over p0 has. */
	assert_int_equal(BACK.claim(p, other, true, &e), -EADDRINUSE);
	/* The card takes the link's, unless somebody chose the card's. */
	assert_int_equal(BACK.claim(q, mac, true, &e), -EINVAL);
	assert_int_equal(BACK.claim(q, mac, false, &e), 0);
	assert_memory_equal(mac, other, 6);
	assert_int_equal(BACK.claim(q, mac, true, &e), 0);
	p->ops->destroy(p);
	q->ops->destroy(q);
}

/* A process in another namespace with a macvtap of this index; -1: none could be made. */
static pid_t neighbour(int index)
{
	int ready[2], status = 1;
	char command[128];
	pid_t pid;

	snprintf(command, sizeof(command),
		 "ip link add p0 type veth peer name p1 && "
		 "ip link add link p0 index %d name x type macvtap",
		 index);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		status = unshare(CLONE_NEWNET) || system(command); /* NOLINT(cert-env33-c) */
		if (write(ready[1], &status, sizeof(status)) == sizeof(status))
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &status, sizeof(status)), sizeof(status));
	close(ready[0]);
	close(ready[1]);
	if (!status)
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

/* /dev/tapN of the index is a link's of another namespace: the next index is taken. */
static void taken_elsewhere(void **state)
{
	struct host_link l;
	struct net_port *p;
	struct err e;
	pid_t pid;
	int next;

	(void)state;
	if (!there)
		skip();
	p = make("link=p0", &e);
	assert_non_null(p);
	host_link_get(nl, "vmwtap0", &l, &e);
	p->ops->destroy(p);
	next = l.index + 1;
	pid = neighbour(next);
	if (pid < 0)
		skip();
	p = make("link=p0", &e);
	if (!p)
		fail_msg("%s", e.text);
	host_link_get(nl, "vmwtap0", &l, &e);
	assert_true(l.index > next);
	p->ops->destroy(p);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The interface below goes, and the link with it. */
static void lower_goes(void **state)
{
	struct net_port *p;
	struct err e;

	(void)state;
	if (!there)
		skip();
	p = make("link=p0", &e);
	assert_non_null(p);
	assert_int_equal(host_link_del(nl, lower, &e), 0);
	p->ops->destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),    cmocka_unit_test(link_and_end),
		cmocka_unit_test(addresses),  cmocka_unit_test(taken_elsewhere),
		cmocka_unit_test(lower_goes),
	};
	struct host_link l;
	struct err e;

	if (unshare(CLONE_NEWNET))
		return 77;
	nl = host_nl_open(&e);
	if (!nl || host_veth_add(nl, "p0", "p1", &e) || host_link_get(nl, "p0", &l, &e) ||
	    host_link_set_up(nl, l.index, true, &e)) {
		puts(e.text);
		return 1;
	}
	lower = l.index;
	there = !host_macvtap_add(nl, "probe", lower, MACVLAN_MODE_BRIDGE, NULL, &e) &&
		!host_link_get(nl, "probe", &l, &e) && !host_link_del(nl, l.index, &e);
	return cmocka_run_group_tests_name("macvtap", tests, NULL, NULL);
}
