/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration: defaults, and what can only be decided when the last option was read.
 *
 * MAC addresses that nobody gave (D5): 52:54:00 and 24 bits of a hash over the guest's identity
 * and the card's number. The identity is what stays the same when the same guest is started again
 * on the same host, and differs between guests and hosts: the host's machine-id, the user, and
 * the -name, or for a guest without a name what it is started from.
 */
#include "control/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "control/cmdline.h"

void config_init(struct config *c)
{
	*c = (struct config){.ram = 128ull << 20, .cpus = 1};
	cmd_boot_defaults(&c->boot);
}

static void net_free(struct conf_net *n)
{
	free(n->id);
	free(n->netdev);
	if (n->table && n->opts)
		opt_free(n->table, n->opts);
	free(n->opts);
}

static void free_disks(struct config *c)
{
	for (unsigned i = 0; i < c->ndrives; i++)
		opt_free(&drive_table, &c->drive[i].o);
	for (unsigned i = 0; i < c->ndisks; i++) {
		opt_free(c->disk[i].model->opts, c->disk[i].opts);
		free(c->disk[i].opts);
	}
	free(c->drive);
	free(c->disk);
}

void config_free(struct config *c)
{
	free_disks(c);
	for (unsigned i = 0; i < c->nnet; i++)
		net_free(&c->net[i]);
	free(c->net);
	free(c->accel);
	free(c->accel_device);
	free(c->qtest);
	free(c->kernel);
	free(c->initrd);
	free(c->append);
	free(c->name);
	for (unsigned i = 0; i < c->boot.nfiles; i++) {
		free(c->file[i].option);
		free(c->file[i].name);
		free(c->file[i].path);
		free(c->file[i].text);
	}
	free(c->file);
	cmd_smbios_free(&c->smbios);
	free(c->bios);
	free(c->debugcon);
	free(c->debugcon_id);
	free(c->serial);
	opt_free(&vnc_table, &c->vnc);
	process_conf_free(&c->process);
	free(c->serial_id);
	for (unsigned i = 0; i < c->nmon; i++) {
		free(c->mon[i].spec);
		free(c->mon[i].id);
	}
	free(c->mon);
	for (unsigned i = 0; i < c->nchr; i++) {
		free(c->chr[i].id);
		free(c->chr[i].spec);
	}
	free(c->chr);
	*c = (struct config){0};
}

struct conf_net *config_net_add(struct config *c, enum conf_kind kind, const char *what)
{
	struct conf_net *grown = realloc(c->net, (c->nnet + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	c->net = grown;
	grown += c->nnet++;
	*grown = (struct conf_net){.kind = kind, .hub = CONFIG_NO_HUB};
	snprintf(grown->what, sizeof(grown->what), "%s", what);
	return grown;
}

struct conf_drive *config_drive_add(struct config *c, const char *what)
{
	struct conf_drive *grown = realloc(c->drive, (c->ndrives + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	c->drive = grown;
	grown += c->ndrives++;
	*grown = (struct conf_drive){0};
	snprintf(grown->what, sizeof(grown->what), "%s", what);
	return grown;
}

struct conf_disk *config_disk_add(struct config *c, const char *what)
{
	struct conf_disk *grown = realloc(c->disk, (c->ndisks + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	c->disk = grown;
	grown += c->ndisks++;
	*grown = (struct conf_disk){0};
	snprintf(grown->what, sizeof(grown->what), "%s", what);
	return grown;
}

struct conf_mon *config_mon_add(struct config *c, const char *what)
{
	struct conf_mon *grown = realloc(c->mon, (c->nmon + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	c->mon = grown;
	grown += c->nmon++;
	*grown = (struct conf_mon){.pretty = false};
	snprintf(grown->what, sizeof(grown->what), "%s", what);
	return grown;
}

void config_net_remove(struct config *c, unsigned i)
{
	net_free(&c->net[i]);
	memmove(&c->net[i], &c->net[i + 1], (c->nnet - i - 1) * sizeof(*c->net));
	c->nnet--;
}

/* --- names ---------------------------------------------------------------------------------- */

static const struct conf_net *by_id(const struct config *c, const char *id,
				    const struct conf_net *except)
{
	for (unsigned i = 0; i < c->nnet; i++) {
		if (&c->net[i] != except && c->net[i].id && !strcmp(c->net[i].id, id))
			return &c->net[i];
	}
	return NULL;
}

static const char *kind_name(const struct conf_net *n)
{
	return n->kind == CONF_NIC ? n->model->name : n->backend ? n->backend->name : "hubport";
}

/* Names without id=: "user.0", the number counting those of a kind. */
static int make_name(struct config *c, struct conf_net *n, struct err *e)
{
	unsigned count = 0;
	char id[64];

	if (n->id && by_id(c, n->id, n))
		return err_set(e, EEXIST, "%s: the name %.60s is used twice: give another", n->what,
			       n->id);
	if (n->id)
		return 0;
	do {
		snprintf(id, sizeof(id), "%s.%u", kind_name(n), count++);
	} while (by_id(c, id, n));
	return cmd_keep(&n->id, id, e);
}

/* --- MAC addresses -------------------------------------------------------------------------- */

/* FNV-1a, 64 bit. */
static uint64_t hash(uint64_t h, const char *text)
{
	do {
		h = (h ^ (unsigned char)*text) * 0x100000001b3ull;
	} while (*text++);
	return h;
}

static uint64_t identity(const struct config *c)
{
	char host[128] = "", uid[32];
	uint64_t h = 0xcbf29ce484222325ull;
	FILE *f = fopen("/etc/machine-id", "re");

	if (f) {
		if (!fgets(host, sizeof(host), f))
			host[0] = 0;
		fclose(f);
	}
	if (!host[0] && gethostname(host, sizeof(host) - 1))
		host[0] = 0;
	snprintf(uid, sizeof(uid), "%u", (unsigned)getuid());
	h = hash(hash(h, host), uid);
	if (c->name)
		return hash(h, c->name);
	h = hash(h, c->kernel ? c->kernel : "");
	h = hash(h, c->initrd ? c->initrd : "");
	return hash(h, c->append ? c->append : "");
}

static const struct conf_net *by_mac(const struct config *c, const uint8_t mac[6],
				     const struct conf_net *except)
{
	for (unsigned i = 0; i < c->nnet; i++) {
		const struct conf_net *n = &c->net[i];
		const struct nic_conf *conf = n->opts;

		if (n != except && n->kind == CONF_NIC && conf->mac.set &&
		    !memcmp(conf->mac.b, mac, 6))
			return n;
	}
	return NULL;
}

/* index: the card's number. */
static int make_mac(struct config *c, struct conf_net *n, unsigned index, struct err *e)
{
	struct nic_conf *conf = n->opts;
	const struct conf_net *other;
	char number[16];
	uint64_t h;

	if (conf->mac.set) {
		other = by_mac(c, conf->mac.b, n);
		if (!other)
			return 0;
		return err_set(e, EEXIST,
			       "%s: macaddr=%02x:%02x:%02x:%02x:%02x:%02x is the address of two "
			       "cards (%s and %s): give each its own",
			       n->what, conf->mac.b[0], conf->mac.b[1], conf->mac.b[2],
			       conf->mac.b[3], conf->mac.b[4], conf->mac.b[5], other->id, n->id);
	}
	snprintf(number, sizeof(number), "%u", index);
	h = hash(identity(c), number);
	/* Fold, so that all 64 bits count; step over an address taken within the VM. */
	h ^= h >> 32;
	h ^= h >> 24;
	conf->mac = (struct opt_mac){
		true, {0x52, 0x54, 0x00, (uint8_t)(h >> 16), (uint8_t)(h >> 8), (uint8_t)h}};
	n->mac_made = true;
	if (by_mac(c, conf->mac.b, n))
		config_next_mac(c, n);
	return 0;
}

void config_next_mac(const struct config *c, struct conf_net *n)
{
	uint8_t *mac = ((struct nic_conf *)n->opts)->mac.b;

	do {
		uint32_t low = get_be32(mac + 2) + 1;

		mac[3] = (uint8_t)(low >> 16);
		mac[4] = (uint8_t)(low >> 8);
		mac[5] = (uint8_t)low;
	} while (by_mac(c, mac, n));
}

/* --- checks --------------------------------------------------------------------------------- */

/* netdev= must name a backend, and each backend has one user. */
int config_check_netdev(const struct config *c, const struct conf_net *n, const char *netdev,
			struct err *e)
{
	const char *ids[64];
	const struct conf_net *to = NULL;
	const char *near;
	unsigned k = 0;

	for (unsigned i = 0; i < c->nnet; i++) {
		const struct conf_net *b = &c->net[i];

		if (b->kind == CONF_NIC || (b->kind == CONF_BACKEND && b->hub != CONFIG_NO_HUB) ||
		    b == n)
			continue;
		if (!strcmp(b->id, netdev))
			to = b;
		if (k < 63)
			ids[k++] = b->id;
	}
	ids[k] = NULL;
	if (!to) {
		near = opt_suggest(netdev, ids);
		return err_set(e, ENOENT, "%s: netdev=%.60s is not there: %s%s%s", n->what, netdev,
			       near ? "did you mean netdev=" : "give the id= of a -netdev",
			       near ? near : "", near ? "?" : "");
	}
	if (to->kind == CONF_HUBPORT && (n->kind == CONF_HUBPORT || to->netdev))
		return err_set(
			e, EINVAL,
			"%s: netdev=%.60s is a hub port that has its peer: give the id= of a "
			"backend",
			n->what, netdev);
	for (const struct conf_net *o = c->net; o < n; o++) {
		if (o->netdev && !strcmp(o->netdev, netdev))
			return err_set(
				e, EBUSY,
				"%s: netdev=%.60s is joined to %s already: give each its own",
				n->what, netdev, o->id);
	}
	return 0;
}

static int check_net(const struct config *c, const struct conf_net *n, struct err *e)
{
	if (n->kind == CONF_NIC && c->machine == MACHINE_NONE)
		return err_set(e, EINVAL,
			       "%s: -machine none has no guest and so no cards: leave it out, or "
			       "give -machine pc",
			       n->what);
	return n->netdev ? config_check_netdev(c, n, n->netdev, e) : 0;
}

static int check_machine(struct config *c, struct err *e)
{
	if (c->qtest && !c->accel && cmd_keep(&c->accel, "qtest", e))
		return -e->code;
	if (c->machine == MACHINE_NONE) {
		const char *odd = c->accel	   ? "-accel"
				  : c->kernel	   ? "-kernel"
				  : c->initrd	   ? "-initrd"
				  : c->append	   ? "-append"
				  : c->bios	   ? "-bios"
				  : c->boot_given  ? "-boot"
				  : c->boot.nfiles ? "-fw_cfg, -option-rom"
				  : c->serial	   ? "-serial"
				  : c->paused	   ? "-S"
						   : NULL;

		if (odd && !c->probe)
			return err_set(e, EINVAL,
				       "%s: -machine none has no guest: leave one of the two out",
				       odd);
		return 0;
	}
	if (!strcmp(config_accel(c), "qtest") && !c->qtest)
		return err_set(e, EINVAL,
			       "-accel qtest: -qtest is missing: give -qtest unix:PATH[,server=on]"
			       "[,wait=off]");
	if (c->qtest && strcmp(config_accel(c), "qtest") != 0)
		return err_set(e, EINVAL, "-qtest %.60s: needs -accel qtest, not -accel %s",
			       c->qtest, c->accel);
	if (!c->kernel && (c->initrd || c->append))
		return err_set(e, EINVAL, "%s: needs -kernel", c->initrd ? "-initrd" : "-append");
	if (c->kernel && c->bios)
		return err_set(
			e, EINVAL,
			"-bios %.60s: a kernel given by -kernel starts without firmware: leave "
			"one of the two out",
			c->bios);
	if (c->kernel && c->boot_given)
		log_warn("-boot has no effect: the kernel given by -kernel is started");
	c->boot.bios = c->bios;
	c->boot.smbios = &c->smbios;
	c->boot.file = c->file;
	c->boot.nographic = c->nographic;
	return 0;
}

static int default_net(struct config *c, struct err *e)
{
	int rc;

	if (c->nnet && c->no_net)
		return err_set(e, EINVAL,
			       "%s: contradicts -net none (or -nic none): leave one of them out",
			       c->net[0].what);
	if (c->nnet || c->no_net || c->no_defaults || c->machine == MACHINE_NONE || c->probe)
		return 0;
	rc = cmd_net(c, "-net", "nic", stdout, e);
	return rc ? rc : cmd_net(c, "-net", "user", stdout, e);
}

static int make_names(struct config *c, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < c->nnet; i++)
		rc = make_name(c, &c->net[i], e);
	return rc;
}

static int check_nets(const struct config *c, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < c->nnet; i++)
		rc = check_net(c, &c->net[i], e);
	return rc;
}

static int make_macs(struct config *c, struct err *e)
{
	unsigned index = 0;
	int rc = 0;

	for (unsigned i = 0; !rc && i < c->nnet; i++) {
		if (c->net[i].kind == CONF_NIC)
			rc = make_mac(c, &c->net[i], index++, e);
	}
	return rc;
}

int config_finish_net(struct config *c, struct err *e)
{
	struct conf_net *n = &c->net[c->nnet - 1];
	unsigned index = 0;
	int rc = make_name(c, n, e);

	if (!rc)
		rc = check_net(c, n, e);
	if (rc || n->kind != CONF_NIC)
		return rc;
	for (unsigned i = 0; i + 1 < c->nnet; i++)
		index += c->net[i].kind == CONF_NIC;
	return make_mac(c, n, index, e);
}

int config_finish(struct config *c, struct err *e)
{
	int rc = check_machine(c, e);

	c->process.no_launcher = c->sandbox.state == SANDBOX_OFF && !c->process.runas;
	c->process.no_spawn = c->sandbox.no_spawn;
	if (!rc)
		rc = cmd_drives_finish(c, e);
	if (!rc)
		rc = default_net(c, e);
	if (!rc)
		rc = make_names(c, e);
	if (!rc)
		rc = check_nets(c, e);
	if (!rc)
		rc = make_macs(c, e);
	if (!rc)
		rc = cmd_display_finish(c, e);
	return rc ? rc : config_consoles(c, e);
}
