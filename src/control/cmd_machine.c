/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's options that describe the machine: memory, CPUs,
 * accelerator, machine type.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/cmdline.h"

#define MIB	 (1ull << 20)
#define RAM_MIN	 (16 * MIB)
#define RAM_MAX	 (1ull << 40)
#define RAM_STEP 8192u
#define CPUS_MAX 255

int cmd_keep(char **to, const char *text, struct err *e)
{
	char *s = strdup(text);

	if (!s)
		return err_set(e, ENOMEM, "out of memory");
	free(*to);
	*to = s;
	return 0;
}

/* --- -m ------------------------------------------------------------------------------------- */

int cmd_m(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	const char *comma = strchr(arg, ',');
	int rc;

	(void)out;
	if (!strncmp(arg, "size=", 5))
		arg += 5;
	if (comma)
		return err_set(e, ENOTSUP,
			       "%s %.60s: memory that grows is not implemented yet: give one size, "
			       "e.g. %s 512M",
			       name, arg, name);
	rc = opt_parse_size(name, arg, MIB, RAM_MIN, RAM_MAX, &c->ram, e);
	/* Whole pages, as qemu-kvm rounds them. */
	c->ram = align_up(c->ram, RAM_STEP);
	return rc;
}

/* --- -smp ----------------------------------------------------------------------------------- */

struct smp {
	uint32_t cpus, sockets, cores, threads, dies, maxcpus;
};

#define OFF(m) offsetof(struct smp, m)
static const struct opt smp_opts[] = {
	{"cpus", OPT_U32, OFF(cpus), .min = 1, .max = CPUS_MAX, .arg = "n",
	 .help = "number of CPUs (default 1)"},
	{"maxcpus", OPT_U32, OFF(maxcpus), .min = 1, .max = CPUS_MAX, .arg = "n",
	 .help = "only the same as cpus: CPUs cannot be plugged in later"},
	{"sockets", OPT_U32, OFF(sockets), .min = 1, .max = CPUS_MAX, .arg = "n",
	 .help = "only the same as cpus: each CPU is a socket of its own"},
	{"dies", OPT_U32, OFF(dies), .min = 1, .max = CPUS_MAX, .arg = "n", .help = "only 1"},
	{"cores", OPT_U32, OFF(cores), .min = 1, .max = CPUS_MAX, .arg = "n", .help = "only 1"},
	{"threads", OPT_U32, OFF(threads), .min = 1, .max = CPUS_MAX, .arg = "n", .help = "only 1"},
	{NULL},
};
#undef OFF
const struct opt_table smp_table = {"-smp",   "CPUs of the guest", "cpus",
				    smp_opts, sizeof(struct smp),  NULL};

int cmd_smp(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct smp s;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "CPUs (%s):\n", name);
		opt_help(&smp_table, out);
		return CMDLINE_DONE;
	}
	if (!strpbrk(arg, ",="))
		return opt_parse_u32(name, arg, 1, CPUS_MAX, &c->cpus, e);
	rc = opt_parse(&smp_table, name, arg, &s, e);
	if (rc)
		return rc;
	/* A description by the product alone is what QEMU takes, too. */
	if (!s.cpus)
		s.cpus = MAX(s.sockets, 1u) * MAX(s.dies, 1u) * MAX(s.cores, 1u) *
			 MAX(s.threads, 1u);
	if ((s.cores > 1 || s.threads > 1 || s.dies > 1) || (s.sockets && s.sockets != s.cpus))
		return err_set(
			e, ENOTSUP,
			"%s %.60s: cores, threads and dies are not implemented yet, each CPU "
			"is a socket of its own: give %s %u",
			name, arg, name, MIN(s.cpus, CPUS_MAX));
	if (s.maxcpus && s.maxcpus != s.cpus)
		return err_set(e, ENOTSUP,
			       "%s %.60s: CPUs that are plugged in later are not implemented yet: "
			       "leave maxcpus out",
			       name, arg);
	c->cpus = s.cpus;
	return 0;
}

/* --- -accel, -machine ------------------------------------------------------------------------ */

struct accel_args {
	char *name, *device;
	bool probe;
};

#define OFF(m) offsetof(struct accel_args, m)
static const struct opt accel_opts[] = {
	{"accel", OPT_STR, OFF(name), .arg = "name", .help = "kvm (default) or qtest"},
	{"device", OPT_STR, OFF(device), .arg = "file", .help = "KVM's device (default /dev/kvm)"},
	{"probe", OPT_BOOL, OFF(probe),
	 .help = "only find out whether the accelerator works here: exit status 0 or 1"},
	{"kernel-irqchip", OPT_BOOL, .missing = "not implemented yet: it is always on"},
	{"dirty-ring-size", OPT_U32, .missing = "not implemented yet"},
	{"thread", OPT_STR, .missing = "there is no tcg accelerator: every CPU has a thread"},
	{NULL},
};
#undef OFF
const struct opt_table accel_table = {"-accel",
				      "what runs the guest's instructions",
				      "accel",
				      accel_opts,
				      sizeof(struct accel_args),
				      NULL};

static int list_accels(FILE *out)
{
	fprintf(out, "Accelerators (-accel):\n");
	for (const struct accel_ops *const *a = accel_list(); *a; a++)
		fprintf(out, "  %-6s  %s\n", (*a)->name, (*a)->summary);
	return CMDLINE_DONE;
}

static bool accel_known(const char *name, size_t len)
{
	for (const struct accel_ops *const *a = accel_list(); *a; a++) {
		if (strlen((*a)->name) == len && !strncmp((*a)->name, name, len))
			return true;
	}
	return false;
}

/* text is a name or, as -machine accel= takes, names by choice: "kvm:tcg". The first that exists
 * is used. */
static int take_accel(struct config *c, const char *what, const char *text, struct err *e)
{
	const char *names[8], *near;
	char list[64] = "", first[32];
	unsigned n = 0;

	for (const char *p = text; p; p = strchr(p, ':')) {
		p += *p == ':';
		size_t len = strcspn(p, ":");

		if (accel_known(p, len)) {
			snprintf(first, sizeof(first), "%.*s", (int)len, p);
			return cmd_keep(&c->accel, first, e);
		}
	}
	for (const struct accel_ops *const *a = accel_list(); *a && n < 7; a++) {
		names[n++] = (*a)->name;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 n > 1 ? ", " : "", (*a)->name);
	}
	names[n] = NULL;
	near = opt_suggest(text, names);
	if (near)
		return err_set(e, EINVAL, "%s%.60s is not known: did you mean %s? Allowed: %s",
			       what, text, near, list);
	return err_set(e, EINVAL, "%s%.60s is not known: allowed are %s", what, text, list);
}

int cmd_accel(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct accel_args a;
	int rc;

	if (cmd_is_help(arg))
		return list_accels(out);
	rc = opt_parse(&accel_table, name, arg, &a, e);
	if (rc)
		return rc;
	if (!a.name)
		rc = err_set(e, EINVAL, "%s %.60s: the name is missing: give kvm or qtest", name,
			     arg);
	else
		rc = take_accel(c, "-accel ", a.name, e);
	if (!rc && a.device)
		rc = cmd_keep(&c->accel_device, a.device, e);
	c->probe |= a.probe;
	opt_free(&accel_table, &a);
	return rc;
}

int cmd_enable_kvm(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	(void)name;
	(void)arg;
	(void)out;
	return cmd_keep(&c->accel, "kvm", e);
}

struct machine_args {
	char *type, *accel;
};

#define OFF(m) offsetof(struct machine_args, m)
static const struct opt machine_opts[] = {
	{"type", OPT_STR, OFF(type), .arg = "pc|none",
	 .help = "pc: i440FX and PIIX3 (default); none: networks only, no guest"},
	{"accel", OPT_STR, OFF(accel), .arg = "kvm|qtest", .help = "as -accel"},
	{"usb", OPT_BOOL, .missing = "not implemented yet"},
	{"kernel_irqchip", OPT_BOOL, .missing = "not implemented yet: it is always on"},
	{"kernel-irqchip", OPT_BOOL, .missing = "not implemented yet: it is always on"},
	{"vmport", OPT_BOOL, .missing = "not implemented yet: there is none"},
	{"dump-guest-core", OPT_BOOL, .missing = "not implemented yet"},
	{"mem-merge", OPT_BOOL, .missing = "not implemented yet"},
	{"acpi", OPT_BOOL, .missing = "not implemented yet: it is always on"},
	{"hpet", OPT_BOOL, .missing = "not implemented yet: there is none"},
	{NULL},
};
#undef OFF
const struct opt_table machine_table = {"-machine",   "the kind of machine",	   "type",
					machine_opts, sizeof(struct machine_args), NULL};

static int take_type(struct config *c, const char *type, struct err *e)
{
	static const char *const later[] = {"q35",   "microvm", "isapc",
					    "xenpv", "xenfv",	"x-remote"};

	if (!strcmp(type, "pc")) {
		c->machine = MACHINE_PC;
		return 0;
	}
	if (!strcmp(type, "none")) {
		c->machine = MACHINE_NONE;
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(later); i++) {
		if (!strcmp(type, later[i]) || !strncmp(type, "pc-", 3))
			return err_set(e, ENOTSUP,
				       "-machine %.60s is not implemented yet: allowed are pc "
				       "(i440FX) and none",
				       type);
	}
	return err_set(e, EINVAL, "-machine %.60s is not known: allowed are pc and none", type);
}

int cmd_machine(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct machine_args m;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "Machines (-machine):\n"
			     "  pc    i440FX and PIIX3, the default\n"
			     "  none  networks only, no guest\n");
		return CMDLINE_DONE;
	}
	rc = opt_parse(&machine_table, name, arg, &m, e);
	if (rc)
		return rc;
	if (m.type)
		rc = take_type(c, m.type, e);
	if (!rc && m.accel)
		rc = take_accel(c, "-machine: accel=", m.accel, e);
	opt_free(&machine_table, &m);
	return rc;
}

int cmd_cpu(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	(void)c;
	if (cmd_is_help(arg)) {
		fprintf(out, "CPU models (-cpu):\n  host  the host's CPU as KVM offers it\n");
		return CMDLINE_DONE;
	}
	if (!strcmp(arg, "host") || !strcmp(arg, "max"))
		return 0;
	return err_set(e, ENOTSUP, "%s %.60s is not implemented yet: allowed is host, the default",
		       name, arg);
}

/* --- -name ---------------------------------------------------------------------------------- */

struct name_args {
	char *guest;
};

static const struct opt name_opts[] = {
	{"guest", OPT_STR, offsetof(struct name_args, guest), .arg = "name",
	 .help = "the guest's name; its MAC addresses are derived from it"},
	{"process", OPT_STR, .missing = "not implemented yet"},
	{"debug-threads", OPT_BOOL, .missing = "not implemented yet: threads always have names"},
	{NULL},
};
const struct opt_table name_table = {"-name",	"a name for the guest",	  "guest",
				     name_opts, sizeof(struct name_args), NULL};

int cmd_name(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct name_args n;
	int rc = opt_parse(&name_table, name, arg, &n, e);

	(void)out;
	if (rc)
		return rc;
	free(c->name);
	c->name = n.guest;
	return 0;
}

/* --- -action ---------------------------------------------------------------------------------- */

struct action_args {
	int reboot, shutdown;
};

static const char *const reboots[] = {"reset", "shutdown", NULL};
static const char *const shutdowns[] = {"poweroff", "pause", NULL};

static void action_defaults(void *out)
{
	*(struct action_args *)out = (struct action_args){-1, -1};
}

#define OFF(m) offsetof(struct action_args, m)
static const struct opt action_opts[] = {
	{"reboot", OPT_ENUM, OFF(reboot), .names = reboots,
	 .help = "a reset: the guest starts again, or ends as with -no-reboot (default reset)"},
	{"shutdown", OPT_ENUM, OFF(shutdown), .names = shutdowns,
	 .help = "the guest ended: so does vmwire, or it stays as with -no-shutdown (default "
		 "poweroff)"},
	{"panic", OPT_STR, .missing = "not implemented yet: no device tells of a panic"},
	{"watchdog", OPT_STR, .missing = "not implemented yet: there is no watchdog"},
	{NULL},
};
#undef OFF
const struct opt_table action_table = {"-action",
				       "what a reset or an end of the guest leads to",
				       NULL,
				       action_opts,
				       sizeof(struct action_args),
				       action_defaults};

int cmd_action(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct action_args a;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "%s: %s\n", name, action_table.summary);
		opt_help(&action_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&action_table, name, arg, &a, e);
	if (rc)
		return rc;
	if (a.reboot >= 0)
		c->no_reboot = a.reboot == 1;
	if (a.shutdown >= 0)
		c->no_shutdown = a.shutdown == 1;
	return 0;
}
