/* SPDX-License-Identifier: BSD-2-Clause */
/* Cards and networks that come and go, on a PC that nobody runs: its loops have no threads, and
 * the guest's part (it ejects a card) is played by a call of vm_unplug(). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "control/cmdline.h"
#include "control/vm.h"

struct bench {
	char dir[32], qtest[96];
	struct config conf;
	struct vm *vm;
	struct err e;
	char *out; /* of the last add() */
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char *argv[] = {(char *)"vmwire",
			(char *)"-accel",
			(char *)"qtest",
			(char *)"-qtest",
			b->qtest,
			(char *)"-m",
			(char *)"64",
			(char *)"-nodefaults",
			(char *)"-net",
			(char *)"none",
			NULL};

	strcpy(b->dir, "/tmp/vm_plug.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->qtest, sizeof(b->qtest), "unix:%s/qtest,server=on,wait=off", b->dir);
	if (cmdline_parse(ARRAY_SIZE(argv) - 1, argv, &b->conf, stdout, &b->e))
		fail_msg("%s", b->e.text);
	b->vm = vm_new(&b->conf, &b->e);
	if (!b->vm)
		fail_msg("%s", b->e.text);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	char path[96];

	vm_free(b->vm);
	config_free(&b->conf);
	snprintf(path, sizeof(path), "%s/qtest", b->dir);
	unlink(path);
	assert_int_equal(rmdir(b->dir), 0);
	free(b->out);
	free(b);
	return 0;
}

static int add(struct bench *b, int (*fn)(struct vm *, const char *, FILE *, struct err *),
	       const char *arg)
{
	size_t len;
	FILE *f;
	int rc;

	free(b->out);
	f = open_memstream(&b->out, &len);
	rc = fn(b->vm, arg, f, &b->e);
	fclose(f);
	return rc;
}

#define GOOD(b_, fn_, arg_)                                                                        \
	do {                                                                                       \
		if (add(b_, fn_, arg_))                                                            \
			fail_msg("%s", (b_)->e.text);                                              \
	} while (0)

static struct net_port *port(struct bench *b, const char *name)
{
	struct vm_net *v = vm_net_find(b->vm, name);

	return v ? v->port : NULL;
}

/* Each entry still refers to its own configuration, wherever the lists have moved to. */
static void check_list(struct bench *b, unsigned n)
{
	assert_int_equal(b->conf.nnet, n);
	for (unsigned i = 0; i < n; i++)
		assert_ptr_equal(b->vm->net[i].conf, &b->conf.net[i]);
}

static void eject(struct bench *b, const char *card)
{
	vm_unplug(b->vm, 1u << (vm_net_find(b->vm, card)->nic->pci->devfn >> 3));
}

static void networks_come_and_go(void **state)
{
	struct bench *b = *state;
	char name[32];

	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "user,id=u%u", i);
		GOOD(b, vm_netdev_add, name);
	}
	check_list(b, 20);
	assert_non_null(port(b, "u7"));
	assert_int_equal(vm_netdev_del(b->vm, "u7", &b->e), 0);
	assert_null(port(b, "u7"));
	check_list(b, 19);
	assert_string_equal(port(b, "u19")->name, "u19");
	GOOD(b, vm_netdev_add, "help");
	assert_non_null(strstr(b->out, "user"));
	check_list(b, 19);
}

static void what_cannot_come_leaves_nothing(void **state)
{
	struct bench *b = *state;

	GOOD(b, vm_netdev_add, "user,id=u0");
	assert_int_not_equal(add(b, vm_netdev_add, "nosuch,id=n"), 0);
	assert_non_null(strstr(b->e.text, "nosuch"));
	assert_int_not_equal(add(b, vm_netdev_add, "user,id=u0"), 0);
	assert_non_null(strstr(b->e.text, "u0"));
	assert_int_not_equal(add(b, vm_device_add, "e1000,id=c,netdev=other"), 0);
	assert_non_null(strstr(b->e.text, "other"));
	assert_int_not_equal(add(b, vm_device_add, "e1000,id=c,netdev=u0,addr=5.1"), 0);
	assert_non_null(strstr(b->e.text, "leave the function out"));
	check_list(b, 1);
	assert_null(port(b, "u0")->peer);
	/* It is free for a card that does nothing wrong. */
	GOOD(b, vm_device_add, "e1000,id=c,netdev=u0,addr=5");
	assert_ptr_equal(port(b, "u0")->peer, port(b, "c"));
}

static void a_card_goes_when_the_guest_ejects_it(void **state)
{
	struct bench *b = *state;

	GOOD(b, vm_netdev_add, "user,id=u0");
	GOOD(b, vm_device_add, "rtl8139,id=c0,netdev=u0");
	check_list(b, 2);
	assert_int_equal(vm_netdev_del(b->vm, "u0", &b->e), -EBUSY);
	assert_string_equal(b->e.text, "netdev_del: u0 is in use by c0: device_del c0 first");
	assert_int_equal(vm_device_del(b->vm, "c0", &b->e), 0);
	assert_non_null(port(b, "c0"));
	assert_int_equal(vm_device_del(b->vm, "c0", &b->e), -EBUSY);
	assert_non_null(strstr(b->e.text, "pending"));
	/* Another slot is none of its business. */
	vm_unplug(b->vm, ~(1u << (vm_net_find(b->vm, "c0")->nic->pci->devfn >> 3)));
	assert_non_null(port(b, "c0"));
	eject(b, "c0");
	check_list(b, 1);
	assert_null(port(b, "c0"));
	assert_null(port(b, "u0")->peer);
	GOOD(b, vm_device_add, "virtio-net-pci,id=c1,netdev=u0");
	assert_ptr_equal(port(b, "u0")->peer, port(b, "c1"));
}

static void names_are_looked_at(void **state)
{
	struct bench *b = *state;

	GOOD(b, vm_netdev_add, "user,id=net0");
	GOOD(b, vm_device_add, "e1000,id=card0,netdev=net0");
	assert_int_equal(vm_netdev_del(b->vm, "net1", &b->e), -ENOENT);
	assert_string_equal(b->e.text, "netdev_del: there is no netdev net1: did you mean net0?");
	assert_int_equal(vm_device_del(b->vm, "zebra", &b->e), -ENOENT);
	assert_string_equal(b->e.text,
			    "device_del: there is no card zebra: info network shows the names");
	assert_int_equal(vm_device_del(b->vm, "net0", &b->e), -EINVAL);
	assert_string_equal(b->e.text, "device_del: net0 is a netdev: give the name of a card");
	assert_int_equal(vm_netdev_del(b->vm, "card0", &b->e), -EINVAL);
	assert_string_equal(b->e.text, "netdev_del: card0 is a card: give the name of a netdev");
}

static void a_card_moves(void **state)
{
	struct bench *b = *state;
	struct loop *before;

	GOOD(b, vm_netdev_add, "user,id=u0");
	GOOD(b, vm_netdev_add, "user,id=u1");
	GOOD(b, vm_netdev_add, "hubport,id=h0,hubid=3");
	GOOD(b, vm_device_add, "e1000,id=c0,netdev=u0");
	GOOD(b, vm_device_add, "e1000,id=c1,netdev=u1");
	before = port(b, "c0")->loop[0];
	assert_int_equal(vm_netdev_replug(b->vm, "c0", "u1", &b->e), -EBUSY);
	assert_string_equal(b->e.text, "netdev_replug: u1 is in use by c1");
	eject(b, "c1");
	assert_int_equal(vm_netdev_replug(b->vm, "c0", "u1", &b->e), 0);
	assert_ptr_equal(port(b, "c0")->peer, port(b, "u1"));
	assert_ptr_equal(port(b, "c0")->loop[0], before);
	assert_null(port(b, "u0")->peer);
	assert_string_equal(vm_net_find(b->vm, "c0")->conf->netdev, "u1");
	/* To a hub and back: the hub's end comes and goes with it. */
	assert_int_equal(vm_netdev_replug(b->vm, "c0", "h0", &b->e), 0);
	assert_string_equal(port(b, "c0")->peer->ops->kind, "hubport");
	assert_null(port(b, "u1")->peer);
	assert_int_equal(vm_netdev_del(b->vm, "h0", &b->e), -EBUSY);
	assert_int_equal(vm_netdev_replug(b->vm, "c0", "u0", &b->e), 0);
	assert_ptr_equal(port(b, "c0")->peer, port(b, "u0"));
	assert_int_equal(vm_netdev_del(b->vm, "h0", &b->e), 0);
	check_list(b, 3);
}

static void a_hub_port_plugs_a_network_in(void **state)
{
	struct bench *b = *state;

	GOOD(b, vm_netdev_add, "user,id=u0");
	GOOD(b, vm_netdev_add, "hubport,id=h0,hubid=0,netdev=u0");
	assert_string_equal(port(b, "u0")->peer->ops->kind, "hubport");
	assert_int_equal(vm_netdev_del(b->vm, "u0", &b->e), -EBUSY);
	assert_string_equal(b->e.text, "netdev_del: u0 is in use by h0: netdev_del h0 first");
	assert_int_equal(vm_netdev_del(b->vm, "h0", &b->e), 0);
	assert_null(port(b, "u0")->peer);
	assert_int_equal(vm_netdev_del(b->vm, "u0", &b->e), 0);
	check_list(b, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(networks_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_come_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_card_goes_when_the_guest_ejects_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(names_are_looked_at, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_card_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hub_port_plugs_a_network_in, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
