/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's commands on cards and networks: words in, one line out when something is wrong.
 * What they do is in vm_plug.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/hmp.h"
#include "control/qmp_net.h"

static void cmd_set_link(struct hmp *h, int argc, char **argv)
{
	struct vm_net *v = vm_net_find(hmp_vm(h), argv[1]);
	bool up = !strcmp(argv[2], "on");

	(void)argc;
	if (!v || !v->port) {
		hmp_print(h, "set_link: %s is not there: info network shows the names\n", argv[1]);
		return;
	}
	if (!up && strcmp(argv[2], "off") != 0) {
		hmp_print(h,
			  "set_link: %s is neither on nor off: give set_link %s on or "
			  "set_link %s off\n",
			  argv[2], argv[1], argv[1]);
		return;
	}
	vm_park(hmp_vm(h));
	net_set_link(v->port, up);
	vm_unpark(hmp_vm(h));
}

/* Runs add(arg) and prints the list or the error that comes of it. */
static void add(struct hmp *h, const char *arg,
		int (*fn)(struct vm *vm, const char *arg, FILE *out, struct err *e))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct err e;
	int rc;

	if (!out) {
		hmp_print(h, "out of memory\n");
		return;
	}
	rc = fn(hmp_vm(h), arg, out, &e);
	fclose(out);
	for (char *line = text, *end; line && *line; line = end) {
		end = line + strcspn(line, "\n");
		hmp_print(h, "%.*s\n", (int)(end - line), line);
		end += *end == '\n';
	}
	free(text);
	hmp_error(h, rc, &e);
}

static void cmd_device_add(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	add(h, argv[1], vm_device_add);
}

static void cmd_device_del(struct hmp *h, int argc, char **argv)
{
	struct err e;

	(void)argc;
	hmp_error(h, vm_device_del(hmp_vm(h), argv[1], &e), &e);
}

static void cmd_netdev_add(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	add(h, argv[1], vm_netdev_add);
}

static void cmd_netdev_del(struct hmp *h, int argc, char **argv)
{
	struct err e;

	(void)argc;
	hmp_error(h, vm_netdev_del(hmp_vm(h), argv[1], &e), &e);
}

static void cmd_netdev_replug(struct hmp *h, int argc, char **argv)
{
	struct err e;

	(void)argc;
	hmp_error(h, vm_netdev_replug(hmp_vm(h), argv[1], argv[2], &e), &e);
}

/* The user network called name; NULL: the first. Says what is wrong. */
static struct vm_net *user_net(struct hmp *h, const char *cmd, const char *name)
{
	struct vm *vm = hmp_vm(h);

	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		struct vm_net *v = &vm->net[i];

		if (v->conf->kind == CONF_BACKEND && v->conf->backend->hostfwd &&
		    (!name || !strcmp(name, v->conf->id)))
			return v;
	}
	if (name)
		hmp_print(h, "%s: %s is no user-mode network: info usernet shows the names\n", cmd,
			  name);
	else
		hmp_print(h, "%s: no user-mode network here: netdev_add user,id=NAME makes one\n",
			  cmd);
	return NULL;
}

static void hostfwd(struct hmp *h, int argc, char **argv, bool on)
{
	struct vm_net *v = user_net(h, argv[0], argc > 2 ? argv[1] : NULL);
	struct err e;
	int rc;

	if (!v)
		return;
	vm_park(hmp_vm(h));
	rc = v->conf->backend->hostfwd(v->port, on, argv[argc > 2 ? 2 : 1], &e);
	vm_unpark(hmp_vm(h));
	hmp_error(h, rc, &e);
}

static void cmd_hostfwd_add(struct hmp *h, int argc, char **argv)
{
	hostfwd(h, argc, argv, true);
}

static void cmd_hostfwd_remove(struct hmp *h, int argc, char **argv)
{
	hostfwd(h, argc, argv, false);
}

static void cmd_announce(struct hmp *h, int argc, char **argv)
{
	struct vm *vm = hmp_vm(h);

	(void)argc;
	(void)argv;
	vm_park(vm);
	for (unsigned i = 0; i < vm->conf->nnet; i++)
		vm_net_announce(&vm->net[i], NULL);
	vm_unpark(vm);
}

/* --- the table ------------------------------------------------------------------------------ */

static void offer_link(struct mon_offer *o, unsigned word)
{
	if (word == 1) {
		mon_offer_cards(o);
		mon_offer_netdevs(o);
	} else if (word == 2) {
		o->word(o, "on");
		o->word(o, "off");
	}
}

static void offer_device(struct mon_offer *o, unsigned word)
{
	if (word == 1)
		mon_offer_options(o, "-device");
}

static void offer_netdev(struct mon_offer *o, unsigned word)
{
	if (word == 1)
		mon_offer_options(o, "-netdev");
}

static void offer_card(struct mon_offer *o, unsigned word)
{
	if (word == 1)
		mon_offer_cards(o);
}

static void offer_backend(struct mon_offer *o, unsigned word)
{
	if (word == 1)
		mon_offer_netdevs(o);
}

static void offer_replug(struct mon_offer *o, unsigned word)
{
	if (word == 1)
		mon_offer_cards(o);
	else if (word == 2)
		mon_offer_netdevs(o);
}

static const struct mon_arg link_args[] = {
	{"name", MON_STR, false}, {"up", MON_BOOL, false}, {NULL}};
static const struct mon_arg device_add_args[] = {
	{"driver", MON_STR, false}, {"id", MON_STR, true}, {"...", MON_REST, true}, {NULL}};
static const struct mon_arg netdev_add_args[] = {
	{"type", MON_STR, false}, {"id", MON_STR, false}, {"...", MON_REST, true}, {NULL}};
static const struct mon_arg id_args[] = {{"id", MON_STR, false}, {NULL}};
static const struct mon_arg filter_args[] = {{"name", MON_STR, true}, {NULL}};
static const struct mon_arg announce_args[] = {
	{"initial", MON_INT, false}, {"max", MON_INT, false},	     {"rounds", MON_INT, false},
	{"step", MON_INT, false},    {"interfaces", MON_LIST, true}, {NULL}};

const struct mon_cmd hmp_net_cmds[] = {
	{"set_link", "name on|off", "plug the cable of a card or backend in or out", 2,
	 cmd_set_link, "set_link", link_args, qmp_set_link, offer_link},
	{"device_add", "card[,option=value...]",
	 "plug a card in; options as of -device; device_add help lists the cards", 1,
	 cmd_device_add, "device_add", device_add_args, qmp_device_add, offer_device},
	{"device_del", "id", "ask the guest to let go of a card; it is gone when the guest did", 1,
	 cmd_device_del, "device_del", id_args, qmp_device_del, offer_card},
	{"netdev_add", "kind,id=name[,option=value...]",
	 "make a network; options as of -netdev; netdev_add help lists the kinds", 1,
	 cmd_netdev_add, "netdev_add", netdev_add_args, qmp_netdev_add, offer_netdev},
	{"netdev_del", "id", "end a network that no card uses", 1, cmd_netdev_del, "netdev_del",
	 id_args, qmp_netdev_del, offer_backend},
	{"netdev_replug", "card netdev",
	 "join a running card to another netdev (or hubport); the old one stays, without a peer", 2,
	 cmd_netdev_replug, .complete = offer_replug},
	{"hostfwd_add", "[netdev] tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport",
	 "forward a port of the host into the guest (first user network, if none is named)", 1,
	 cmd_hostfwd_add, .complete = offer_backend},
	{"hostfwd_remove", "[netdev] tcp|udp:[hostaddr]:hostport", "end such a forward", 1,
	 cmd_hostfwd_remove, .complete = offer_backend},
	{"announce_self", "", "let all cards tell their networks where they are", 0, cmd_announce,
	 "announce-self", announce_args, qmp_announce},
	{.qmp = "query-rx-filter",
	 .takes = filter_args,
	 .answer = qmp_query_rx_filter,
	 .help = "what virtio cards' drivers let in"},
	{NULL},
};
