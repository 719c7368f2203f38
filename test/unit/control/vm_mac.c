/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A card's address on the network that it joins (D5), with the kernel's own bridge in a network
 * namespace: skipped without the right to make one. Nobody runs the PC.
 */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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
	char said[1024]; /* on stderr meanwhile */
};

static void sh(const char *command)
{
	if (system(command)) /* NOLINT(cert-env33-c) */
		fail_msg("%s", command);
}

/* Starts a VM with these words (a blank parts them); stderr goes to b->said. */
static bool start(struct bench *b, const char *words)
{
	char text[400], *argv[32];
	int n = 0, err = dup(STDERR_FILENO), pipes[2];
	ssize_t got;

	strcpy(b->dir, "/tmp/vm_mac.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->qtest, sizeof(b->qtest), "unix:%s/qtest,server=on,wait=off", b->dir);
	snprintf(text, sizeof(text), "vmwire -accel qtest -qtest %s -m 64 -nodefaults %s", b->qtest,
		 words);
	for (char *p = strtok(text, " "); p; p = strtok(NULL, " "))
		argv[n++] = p;
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	dup2(pipes[1], STDERR_FILENO);
	if (!cmdline_parse(n, argv, &b->conf, stdout, &b->e))
		b->vm = vm_new(&b->conf, &b->e);
	dup2(err, STDERR_FILENO);
	got = read(pipes[0], b->said, sizeof(b->said) - 1);
	b->said[MAX(got, 0)] = '\0';
	close(pipes[0]);
	close(pipes[1]);
	close(err);
	return b->vm != NULL;
}

static void end(struct bench *b)
{
	char path[96];

	vm_free(b->vm);
	config_free(&b->conf);
	snprintf(path, sizeof(path), "%s/qtest", b->dir);
	unlink(path);
	rmdir(b->dir);
	memset(b, 0, sizeof(*b));
}

static const uint8_t *mac_of(struct bench *b, const char *card)
{
	return vm_net_find(b->vm, card)->nic->mac;
}

#define START(b, words)                                                                            \
	do {                                                                                       \
		if (!start(b, words))                                                              \
			fail_msg("%s", (b)->e.text);                                               \
	} while (0)

#define TAP  "-net tap,ifname=t0,script=no,downscript=no"
#define CARD "-net nic,model=virtio,name=card"
#define JOINT                                                                                      \
	"-netdev tap,id=n0,ifname=t0,script=no,downscript=no -device "                             \
	"virtio-net-pci,netdev=n0,id=card"

/* A persistent TAP t0 and a veth p0 in bridge br0, where mac is behind p0. */
static void behind(const uint8_t *mac, const char *port)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "bridge fdb add %02x:%02x:%02x:%02x:%02x:%02x dev %s master static", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5], port);
	sh(command);
}

static void made_up(void **state)
{
	struct bench b = {0};
	uint8_t first[6], second[6];

	(void)state;
	/* Both joints: by a hub, and straight. */
	for (unsigned i = 0; i < 2; i++) {
		const char *words = i ? JOINT : CARD " " TAP;

		START(&b, words);
		memcpy(first, mac_of(&b, "card"), 6);
		assert_string_equal(b.said, "");
		end(&b);
		START(&b, words);
		assert_memory_equal(mac_of(&b, "card"), first, 6);
		end(&b);
		/* Its own port is nobody else's. */
		behind(first, "t0");
		START(&b, words);
		assert_memory_equal(mac_of(&b, "card"), first, 6);
		end(&b);
		sh("ip link set t0 nomaster; ip link set t0 master br0");
		behind(first, "p0");
		START(&b, words);
		memcpy(second, mac_of(&b, "card"), 6);
		assert_memory_not_equal(first, second, 6);
		assert_memory_equal(first, second, 3);
		assert_non_null(
			strstr(b.said, "behind port p0 of bridge br0 already; it is 52:54:00"));
		end(&b);
		/* And the next one, too. */
		behind(second, "p0");
		START(&b, words);
		assert_memory_not_equal(mac_of(&b, "card"), second, 6);
		assert_memory_not_equal(mac_of(&b, "card"), first, 6);
		end(&b);
		sh("ip link set p0 nomaster; ip link set p0 master br0");
		START(&b, words);
		assert_memory_equal(mac_of(&b, "card"), first, 6);
		end(&b);
	}
}

static void chosen(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};
	struct bench b = {0};

	(void)state;
	behind(mac, "p0");
	START(&b, CARD ",macaddr=52:54:00:01:02:03 " TAP);
	assert_memory_equal(mac_of(&b, "card"), mac, 6);
	assert_non_null(strstr(b.said,
			       "warning: -net nic: macaddr=52:54:00:01:02:03 is behind port "
			       "p0 of bridge br0 already"));
	end(&b);
	START(&b, CARD ",macaddr=52:54:00:01:02:04 " TAP);
	assert_string_equal(b.said, "");
	end(&b);
}

/* The link of a macvtap has the card's address, or the card the link's. */
static void delivers_to_one(void **state)
{
	static const char *const other = "-netdev macvtap,id=m,link=p1,macaddr=52:54:00:01:02:05 ";
	char words[300], said[64];
	struct bench b = {0};
	struct net_port *p;
	const uint8_t *mac;

	(void)state;
	if (system("ip link add link p1 name x type macvtap 2>/dev/null")) /* NOLINT */
		skip();
	sh("ip link del x");
	START(&b, "-netdev macvtap,id=m,link=p1 -device e1000,netdev=m,id=card");
	mac = mac_of(&b, "card");
	snprintf(said, sizeof(said), "ip link show vmwtap0 | grep -q %02x:%02x:%02x:%02x:%02x:%02x",
		 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	sh(said);
	end(&b);
	assert_int_equal(if_nametoindex("vmwtap0"), 0);
	snprintf(words, sizeof(words), "%s-device e1000,netdev=m,id=card", other);
	START(&b, words);
	assert_memory_equal(mac_of(&b, "card"), ((uint8_t[]){0x52, 0x54, 0, 1, 2, 5}), 6);
	p = vm_net_find(b.vm, "m")->port;
	assert_string_equal(vm_net_find(b.vm, "m")->conf->backend->ifname(p), "vmwtap0");
	end(&b);
	/* A card that is there goes to one: its address stays. */
	START(&b, JOINT);
	assert_int_equal(vm_netdev_add(b.vm, "macvtap,id=m,link=p1", stdout, &b.e), 0);
	assert_int_equal(vm_netdev_replug(b.vm, "card", "m", &b.e), 0);
	mac = mac_of(&b, "card");
	snprintf(said, sizeof(said), "ip link show vmwtap0 | grep -q %02x:%02x:%02x:%02x:%02x:%02x",
		 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	sh(said);
	end(&b);
	snprintf(words, sizeof(words), "%s-device e1000,netdev=m,mac=52:54:00:01:02:06", other);
	assert_false(start(&b, words));
	assert_non_null(strstr(b.e.text, "is not the card's address"));
	end(&b);
	assert_false(start(&b, "-net nic -net nic -net macvtap,link=p1"));
	assert_non_null(strstr(b.e.text, "delivers to one card only"));
	end(&b);
	assert_int_equal(if_nametoindex("vmwtap0"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_up),
		cmocka_unit_test(chosen),
		cmocka_unit_test(delivers_to_one),
	};

	if (unshare(CLONE_NEWNET) || access("/dev/net/tun", R_OK | W_OK))
		return 77;
	sh("ip link add br0 type bridge && ip tuntap add t0 mode tap &&"
	   "ip link set t0 master br0 && ip link add p0 type veth peer name p1 &&"
	   "ip link set p1 up && ip link set p0 master br0");
	return cmocka_run_group_tests_name("vm_mac", tests, NULL, NULL);
}
