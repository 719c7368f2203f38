/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's commands on cards and networks: words in, one line out when something is wrong.
 * What they do is in vm_plug.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/hmp.h"

void hmp_set_link(struct hmp *h, int argc, char **argv)
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
	if (rc)
		hmp_print(h, "%s\n", e.text);
}

static void print_error(struct hmp *h, int rc, const struct err *e)
{
	if (rc)
		hmp_print(h, "%s\n", e->text);
}

void hmp_device_add(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	add(h, argv[1], vm_device_add);
}

void hmp_device_del(struct hmp *h, int argc, char **argv)
{
	struct err e;

	(void)argc;
	print_error(h, vm_device_del(hmp_vm(h), argv[1], &e), &e);
}

void hmp_netdev_add(struct hmp *h, int argc, char **argv)
{
	(void)argc;
	add(h, argv[1], vm_netdev_add);
}

void hmp_netdev_del(struct hmp *h, int argc, char **argv)
{
	struct err e;

	(void)argc;
	print_error(h, vm_netdev_del(hmp_vm(h), argv[1], &e), &e);
}

void hmp_netdev_replug(struct hmp *h, int argc, char **argv)
{
	struct err e;

	(void)argc;
	print_error(h, vm_netdev_replug(hmp_vm(h), argv[1], argv[2], &e), &e);
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
	print_error(h, rc, &e);
}

void hmp_hostfwd_add(struct hmp *h, int argc, char **argv)
{
	hostfwd(h, argc, argv, true);
}

void hmp_hostfwd_remove(struct hmp *h, int argc, char **argv)
{
	hostfwd(h, argc, argv, false);
}

void hmp_announce(struct hmp *h, int argc, char **argv)
{
	struct vm *vm = hmp_vm(h);

	(void)argc;
	(void)argv;
	vm_park(vm);
	for (unsigned i = 0; i < vm->conf->nnet; i++) {
		struct net_port *p = vm->net[i].nic ? vm->net[i].port : NULL;

		if (p && p->peer && p->ops->announce)
			p->ops->announce(p);
	}
	vm_unpark(vm);
}
