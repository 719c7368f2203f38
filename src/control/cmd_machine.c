/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's options that describe the machine and its consoles: memory, CPUs,
 * accelerator, machine type, clock, serial port, monitor, display.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
	uint32_t cpus, sockets, cores, threads, one, maxcpus;
};

#define OFF(m) offsetof(struct smp, m)
static const struct opt smp_opts[] = {
	{"cpus", OPT_U32, OFF(cpus), .min = 1, .max = CPUS_MAX, .arg = "n",
	 .help = "number of CPUs (default 1)"},
	{"sockets", OPT_U32, OFF(sockets), .min = 1, .max = CPUS_MAX, .arg = "n",
	 .help = "packages (default 1)"},
	{"cores", OPT_U32, OFF(cores), .min = 1, .max = CPUS_MAX, .arg = "n",
	 .help = "cores of a package (default: what the CPUs need)"},
	{"threads", OPT_U32, OFF(threads), .min = 1, .max = 2, .arg = "n",
	 .help = "threads of a core (default 1); guests on AMD processors without TOPOEXT take "
		 "them for cores"},
	{"dies", OPT_U32, OFF(one), .min = 1, .max = 1, .arg = "1", .help = "only 1"},
	{"clusters", OPT_U32, OFF(one), .min = 1, .max = 1, .arg = "1", .help = "only 1"},
	{"maxcpus", OPT_U32, OFF(maxcpus), .min = 1, .max = CPUS_MAX, .arg = "n",
	 .help = "only the same as cpus: CPUs cannot be plugged in later"},
	{NULL},
};
#undef OFF
const struct opt_table smp_table = {"-smp",   "CPUs of the guest", "cpus",
				    smp_opts, sizeof(struct smp),  NULL};

/* Fills in what was left out; the product of the levels must be the number of CPUs. */
static int complete(struct smp *s, const char *name, const char *arg, struct err *e)
{
	uint32_t threads = MAX(s->threads, 1u), sockets = MAX(s->sockets, 1u);

	/* A description by the product alone is what QEMU takes, too. */
	if (!s->cpus)
		s->cpus = s->maxcpus ? s->maxcpus : sockets * MAX(s->cores, 1u) * threads;
	if (!s->sockets && s->cores)
		sockets = MAX(s->cpus / (s->cores * threads), 1u);
	if (!s->cores)
		s->cores = MAX(s->cpus / (sockets * threads), 1u);
	if (s->cpus > CPUS_MAX)
		return err_set(e, EINVAL, "%s %.60s: %u CPUs are too many: give at most %u", name,
			       arg, s->cpus, CPUS_MAX);
	if (s->maxcpus && s->maxcpus != s->cpus)
		return err_set(e, ENOTSUP,
			       "%s %.60s: CPUs that are plugged in later are not implemented yet: "
			       "leave maxcpus out",
			       name, arg);
	if (sockets * s->cores * threads != s->cpus)
		return err_set(
			e, EINVAL,
			"%s %.60s: %u sockets of %u cores of %u threads are %u CPUs, not %u: "
			"leave one of them out",
			name, arg, sockets, s->cores, threads, sockets * s->cores * threads,
			s->cpus);
	/* A CPU's number is its APIC id, whose bits name the levels. */
	if (sockets > 1 && s->cores & (s->cores - 1))
		return err_set(
			e, ENOTSUP,
			"%s %.60s: with several sockets the cores of each must be a power of "
			"two, not %u: give sockets=1, or 2, 4, 8 … cores",
			name, arg, s->cores);
	s->threads = threads;
	return 0;
}

int cmd_smp(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct smp s;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "CPUs (%s):\n", name);
		opt_help(&smp_table, out);
		return CMDLINE_DONE;
	}
	c->cores = c->threads = 0;
	if (!strpbrk(arg, ",="))
		return opt_parse_u32(name, arg, 1, CPUS_MAX, &c->cpus, e);
	rc = opt_parse(&smp_table, name, arg, &s, e);
	if (!rc)
		rc = complete(&s, name, arg, e);
	if (rc)
		return rc;
	c->cpus = s.cpus;
	c->cores = s.cores;
	c->threads = s.threads;
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
	int fixed; /* what can have one value only, which is checked and not kept */
};

static const char *const only_off[] = {"off", NULL}, *const only_on[] = {"on", NULL};

#define OFF(m) offsetof(struct machine_args, m)
#define NEVER(n, text)                                                                             \
	{                                                                                          \
		(n), OPT_ENUM, OFF(fixed), .names = only_off, .help = "only off: " text            \
	}
#define ALWAYS(n)                                                                                  \
	{                                                                                          \
		(n), OPT_ENUM, OFF(fixed), .names = only_on, .help = "only on, which it always is" \
	}
static const struct opt machine_opts[] = {
	{"type", OPT_STR, OFF(type), .arg = "pc|none",
	 .help = "pc: i440FX and PIIX3 (default), also by QEMU's versions, pc-i440fx-…; none: "
		 "networks only, no guest"},
	{"accel", OPT_STR, OFF(accel), .arg = "kvm|qtest", .help = "as -accel"},
	NEVER("usb", "there is no USB"),
	NEVER("hpet", "there is no HPET"),
	NEVER("vmport", "there is no VMware port"),
	NEVER("mem-merge", "the guest's memory is not shared with others"),
	NEVER("smm", "there is no system management mode"),

	ALWAYS("acpi"),
	ALWAYS("kernel_irqchip"),
	ALWAYS("kernel-irqchip"),
	ALWAYS("pit"),
	{"dump-guest-core", OPT_BOOL, .missing = "not there: leave it out"},
	{"nvdimm", OPT_BOOL, .missing = "there are none: leave it out"},
	{"memory-backend", OPT_STR, .missing = "memory is what -m says: leave it out"},
	{"memory-encryption", OPT_STR, .missing = "there is none: leave it out"},
	{NULL},
};
#undef OFF
#undef NEVER
#undef ALWAYS
const struct opt_table machine_table = {"-machine",   "the kind of machine",	   "type",
					machine_opts, sizeof(struct machine_args), NULL};

static int take_type(struct config *c, const char *type, struct err *e)
{
	static const char *const later[] = {"q35",   "microvm", "isapc",
					    "xenpv", "xenfv",	"x-remote"};

	/* The versions of QEMU's machine differ in nothing that is here. */
	if (!strcmp(type, "pc") || !strncmp(type, "pc-i440fx-", 10)) {
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

/* --- -rtc ------------------------------------------------------------------------------------- */

struct rtc_args {
	char *base;
	int fixed;
};

static const char *const only_host[] = {"host", NULL}, *const only_none[] = {"none", NULL};

#define OFF(m) offsetof(struct rtc_args, m)
static const struct opt rtc_opts[] = {
	{"base", OPT_STR, OFF(base), .arg = "utc|localtime|DATE",
	 .help = "what the clock starts with: the host's time in UTC (default), in its time zone, "
		 "or a date, e.g. 2026-01-31T12:00:00"},
	{"clock", OPT_ENUM, OFF(fixed), .names = only_host,
	 .help = "only host: it goes on while the guest is stopped"},
	{"driftfix", OPT_ENUM, OFF(fixed), .names = only_none, .help = "only none"},
	{NULL},
};
#undef OFF
const struct opt_table rtc_table = {"-rtc",   "the guest's clock",     "base",
				    rtc_opts, sizeof(struct rtc_args), NULL};

static int take_base(const char *base, int64_t *shift, struct err *e)
{
	time_t now = time(NULL);
	struct tm tm = {0};
	const char *end;

	*shift = 0;
	if (!strcmp(base, "utc"))
		return 0;
	if (!strcmp(base, "localtime")) {
		tzset();
		*shift = localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
		return 0;
	}
	end = strptime(base, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end) {
		tm = (struct tm){0};
		end = strptime(base, "%Y-%m-%d", &tm);
	}
	/* What a CMOS clock with a century can hold, and our nanoseconds. */
	if (!end || *end || tm.tm_year < 70 || tm.tm_year > 350)
		return err_set(
			e, EINVAL,
			"-rtc: base=%.60s is no time: give utc, localtime, or a date of 1970 to "
			"2250, e.g. 2026-01-31T12:00:00",
			base);
	*shift = timegm(&tm) - now;
	return 0;
}

int cmd_rtc(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	struct rtc_args a;
	int rc;

	if (cmd_is_help(arg)) {
		fprintf(out, "Clock (%s):\n", name);
		opt_help(&rtc_table, out);
		return CMDLINE_DONE;
	}
	rc = opt_parse(&rtc_table, name, arg, &a, e);
	if (rc)
		return rc;
	if (a.base)
		rc = take_base(a.base, &c->rtc_shift, e);
	opt_free(&rtc_table, &a);
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
