/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: see cmdline.h. The table `options` is all there is to know about the
 * top-level options; `later` names those of qemu-kvm that are not there yet, so that they are
 * answered by name and not taken for a slip of the pen.
 */
#include "control/cmdline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "control/absent.h"
#include "control/monitor.h"
#include "control/version.h"

#define FN(name)                                                                                   \
	static int name(struct config *c, const char *opt, const char *arg, FILE *out,             \
			struct err *e)

/* clang-format off */
#define KEEP(fn, member)                                                                           \
	FN(fn)                                                                                     \
	{                                                                                          \
		(void)opt;                                                                         \
		(void)out;                                                                         \
		return cmd_keep(&c->member, arg, e);                                               \
	}
#define FLAG(fn, member)                                                                           \
	FN(fn)                                                                                     \
	{                                                                                          \
		(void)opt;                                                                         \
		(void)arg;                                                                         \
		(void)out;                                                                         \
		(void)e;                                                                           \
		c->member = true;                                                                  \
		return CMDLINE_RUN;                                                                \
	}
KEEP(cmd_kernel, kernel)
KEEP(cmd_initrd, initrd)
KEEP(cmd_append, append)
KEEP(cmd_qtest, qtest)
KEEP(cmd_bios, bios)
FLAG(cmd_nographic, nographic)
FLAG(cmd_snapshot, snapshot)
FLAG(cmd_no_reboot, no_reboot)
FLAG(cmd_no_shutdown, no_shutdown)
FLAG(cmd_paused, paused)
FLAG(cmd_nodefaults, no_defaults)
/* clang-format on */
/* What these ask for is always so: there is no file of options that is read unasked, no check of
 * diskettes, no HPET. */
FN(cmd_nothing)
{
	(void)c;
	(void)opt;
	(void)arg;
	(void)out;
	(void)e;
	return CMDLINE_RUN;
}
FN(cmd_help);
FN(cmd_version);
FN(cmd_markdown);

static const struct cmd_opt options[] = {
	{"m", "size", "memory: MiB, or with suffix k, M, G, T (default 128M)", cmd_m},
	{"smp", "n", "number of CPUs (default 1)", cmd_smp},
	{"cpu", "host", "the CPU the guest sees: the host's", cmd_cpu},
	{"machine", "pc|none[,accel=…]", "the kind of machine; none: networks only, no guest",
	 cmd_machine},
	{"M", "", NULL, cmd_machine},
	{"rtc", "base=utc|localtime|…", "what the guest's clock starts with (default utc)",
	 cmd_rtc},
	{"accel", "kvm|qtest", "what runs the guest's instructions (default kvm)", cmd_accel},
	{"enable-kvm", NULL, "the same as -accel kvm", cmd_enable_kvm},
	{"qtest", "unix:PATH", "where -accel qtest takes its orders", cmd_qtest},
	{"name", "name[,process=…]", "a name for the guest; its MAC addresses follow from it",
	 cmd_name},
	{"daemonize", NULL, "go into the background when the guest runs", cmd_daemonize},
	{"pidfile", "file", "keep the process's number in a file, which is removed at the end",
	 cmd_pidfile},
	{"runas", "user|uid:gid", "become this user when everything is opened", cmd_runas},
	{"sandbox", "on|off[,…]", "refuse what threads need not do (default on)", cmd_sandbox},
	{"D", "file", "the log goes to a file once the guest runs", cmd_log_file},
	{"d", "item[,…]", "say more in the log; -d help lists the items", cmd_log_items},
	{"msg", "timestamp=on", "how lines of the log look", cmd_msg},
	{"readconfig", "file", "read options from a file: [netdev \"n0\"] and so on",
	 cmd_readconfig},
	{"no-user-config", NULL, NULL, cmd_nothing},
	{"no-fd-bootchk", NULL, NULL, cmd_nothing},
	{"no-hpet", NULL, NULL, cmd_nothing},
	{"no-reboot", NULL, "end when the guest reboots", cmd_no_reboot},
	{"no-shutdown", NULL, "keep a guest that ended, halted, until quit or system_reset",
	 cmd_no_shutdown},
	{"action", "reboot=…[,shutdown=…]", "what a reset or an end of the guest leads to",
	 cmd_action},
	{"S", NULL, "do not start the guest: it waits for the monitor's cont", cmd_paused},
	{"nodefaults", NULL, "no network and no consoles that were not asked for", cmd_nodefaults},
	{"kernel", "file", "Linux kernel to start: bzImage or ELF vmlinux", cmd_kernel},
	{"initrd", "file", "its initial ramdisk", cmd_initrd},
	{"append", "text", "its command line", cmd_append},
	{"boot", "[order=]cdn[,…]", "without -kernel: what firmware boots from; -boot help",
	 cmd_boot},
	{"bios", "file", "firmware (default SeaBIOS, bios-256k.bin)", cmd_bios},
	{"uuid", "uuid", "the machine's UUID, for firmware and system", cmd_uuid},
	{"smbios", "type=n[,…]", "what the machine says of itself; -smbios help", cmd_smbios},
	{"option-rom", "file", "one more ROM for the firmware to run", cmd_option_rom},
	{"fw_cfg", "[name=]name,…", "a file for firmware and guest; -fw_cfg help", cmd_fw_cfg},
	{"debugcon", "dev", "what firmware writes to ports 0x402 and 0xe9; dev as for -serial",
	 cmd_debugcon},
	{"hda", "file", "disk image as first IDE disk; the same without -hda", cmd_image},
	{"hdb", "file", "second disk of the first channel", cmd_image},
	{"hdc", "file", "first disk of the second channel", cmd_image},
	{"hdd", "file", "second disk of the second channel", cmd_image},
	{"cdrom", "file", "CD image or drive of the host, in the place of -hdc", cmd_image},
	{"drive", "file=…[,if=…][,…]", "a disk or CD drive in all detail; -drive help", cmd_drive},
	{"snapshot", NULL, "what the guest writes to its disks is forgotten", cmd_snapshot},
	{"net", "nic|user|…[,…]", "a card or a backend on hub (\"VLAN\") n; -net help lists them",
	 cmd_net},
	{"netdev", "kind,id=…[,…]", "a backend for the card that names it; -netdev help",
	 cmd_netdev},
	{"nic", "kind[,model=…][,mac=…]", "a card and its backend in one; -nic help", cmd_nic},
	{"device", "model[,netdev=…][,…]", "a card; -device help lists them", cmd_device},
	{"serial", "dev",
	 "serial port: stdio, mon:stdio, null, none, file:PATH, unix:PATH, tcp:…, telnet:…",
	 cmd_serial},
	{"monitor", "dev",
	 "monitor: stdio, unix:PATH[,server=on][,wait=off], tcp:…, telnet:…, null, none",
	 cmd_monitor},
	{"qmp", "dev", "a monitor for programs (QMP), over the same devices", cmd_qmp},
	{"qmp-pretty", "dev", "the same, with replies laid out in lines", cmd_qmp},
	{"chardev", "kind,id=…[,…]", "a character device for -mon or -serial; -chardev help",
	 cmd_chardev},
	{"mon", "chardev=…[,mode=…]", "a monitor over a -chardev; -mon help", cmd_mon},
	{"nographic", NULL, "serial port and monitor on this terminal (Ctrl-A h helps)",
	 cmd_nographic},
	{"display", "none|vnc[=…]", "where the guest's screen is shown (default vnc)", cmd_display},
	{"vnc", "[host]:n|unix:PATH|none[,…]", "the screen for VNC viewers; -vnc help", cmd_vnc},
	{"vga", "std|none", "the display adapter (default std)", cmd_vga},
	{"k", "layout", "the guest's keyboard layout (default en-us); -k help lists them", cmd_k},
	{"h", NULL, "this help", cmd_help},
	{"help", NULL, NULL, cmd_help},
	{"version", NULL, "version", cmd_version},
	{"help-markdown", NULL, NULL, cmd_markdown},
};

/* Options of qemu-kvm that are to come or never will; true: an argument follows. */
static const struct {
	const char *name;
	bool arg;
} later[] = {
	{"fda", true},	  {"fdb", true},    {"blockdev", true},
	{"object", true}, {"global", true}, {"L", true},
};

FN(cmd_version)
{
	(void)c;
	(void)opt;
	(void)arg;
	(void)e;
	fprintf(out, "vmwire %s\n", VMWIRE_VERSION);
	return CMDLINE_DONE;
}

/* Columns that text takes: bytes that begin a UTF-8 character. */
static int columns(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

FN(cmd_help)
{
	int width = 0;

	(void)c;
	(void)opt;
	(void)arg;
	(void)e;
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		const struct cmd_opt *o = &options[i];

		if (o->help)
			width = MAX(width,
				    (int)strlen(o->name) + (o->arg ? columns(o->arg) + 1 : 0));
	}
	fprintf(out,
		"vmwire %s: runs a KVM guest and its network; takes qemu-kvm's options.\n"
		"usage: vmwire [options] [disk image]\n\n",
		VMWIRE_VERSION);
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		const struct cmd_opt *o = &options[i];
		int n = (int)strlen(o->name) + (o->arg ? columns(o->arg) + 1 : 0);

		if (o->help)
			fprintf(out, "  -%s%s%s%*s  %s\n", o->name, o->arg ? " " : "",
				o->arg ? o->arg : "", width - n, "", o->help);
	}
	fprintf(out, "\nWith no network option the guest gets a card on the user-mode network.\n"
		     "Options may start with one dash or two. Sub-options: -net user,help and so "
		     "on.\n");
	return CMDLINE_DONE;
}

/* --- parsing -------------------------------------------------------------------------------- */

static const struct cmd_opt *find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		if (!strcmp(options[i].name, name))
			return &options[i];
	}
	return NULL;
}

static int unknown_option(const char *word, const char *name, struct err *e)
{
	const char *names[ARRAY_SIZE(options) + 1], *near;
	const char *why = absent_option(name);
	unsigned n = 0;

	if (why)
		return err_set(e, ENOTSUP, "-%s is not there: %s", name, why);
	for (unsigned i = 0; i < ARRAY_SIZE(later); i++) {
		if (!strcmp(later[i].name, name))
			return err_set(e, ENOTSUP, "-%s is not implemented yet: -h lists what is",
				       name);
	}
	for (; n < ARRAY_SIZE(options); n++)
		names[n] = options[n].name;
	names[n] = NULL;
	near = opt_suggest(name, names);
	if (near)
		return err_set(e, EINVAL, "%.60s is not an option: did you mean -%s? -h lists all",
			       word, near);
	return err_set(e, EINVAL, "%.60s is not an option: -h lists all", word);
}

static bool is_net(const char *name)
{
	return !strcmp(name, "net") || !strcmp(name, "netdev") || !strcmp(name, "nic") ||
	       !strcmp(name, "device");
}

/* A word that is neither an option nor an option's argument: a disk image. */
static int image(const char *word, struct config *c, FILE *out, struct err *e)
{
	const struct cmd_opt *o = find(word);

	if (o && *word && access(word, F_OK))
		return err_set(e, EINVAL, "%.60s belongs to no option: did you mean -%s?", word,
			       word);
	if (access(word, F_OK))
		return err_set(e, EINVAL,
			       "%.60s belongs to no option, and there is no disk image of that "
			       "name; -h lists the options",
			       word);
	return cmd_image(c, word, word, out, e);
}

/* The option argv[*i] and its argument; *i goes past both. */
static int one(int argc, char *const *argv, int *i, struct config *c, FILE *out, struct err *e)
{
	const char *word = argv[(*i)++], *name = word + 1, *arg = NULL;
	const struct cmd_opt *o;
	char shown[32];
	int rc, n = 0;

	if (word[0] != '-' || !word[1])
		return image(word, c, out, e);
	name += *name == '-';
	o = find(name);
	if (!o)
		return unknown_option(word, name, e);
	snprintf(shown, sizeof(shown), "-%s", name);
	if (o->arg) {
		if (*i >= argc)
			return err_set(e, EINVAL, "%s needs a value: -h lists the options", shown);
		arg = argv[(*i)++];
	}
	while (*i + n < argc && argv[*i + n][0] != '-')
		n++;
	if (n && arg && is_net(name)) {
		rc = cmd_net_split(shown, arg, &argv[*i], n, e);
		if (rc)
			return rc;
	}
	return o->fn(c, shown, arg, out, e);
}

int cmdline_option(const char *name, const char *arg, struct config *c, FILE *out, struct err *e)
{
	const struct cmd_opt *o = find(name);
	char shown[32];

	snprintf(shown, sizeof(shown), "-%s", name);
	if (!o)
		return unknown_option(shown, name, e);
	if (!o->arg != !arg)
		return err_set(e, EINVAL, "%s %s", shown, arg ? "takes no value" : "needs a value");
	return o->fn(c, shown, arg, out, e);
}

static int parse_all(int argc, char *const *argv, struct config *c, FILE *out, struct err *e)
{
	for (int i = 1; i < argc;) {
		int rc = one(argc, argv, &i, c, out, e);

		if (rc)
			return rc;
	}
	return config_finish(c, e);
}

int cmdline_parse(int argc, char *const *argv, struct config *c, FILE *out, struct err *e)
{
	int rc;

	config_init(c);
	rc = parse_all(argc, argv, c, out, e);
	/* Messages quote what was typed: one line, and no orders to the terminal. */
	for (char *p = e->text; rc < 0 && *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return rc;
}

/* --- the reference page --------------------------------------------------------------------- */

/* A Markdown cell: '|' and '<' are escaped. */
static void cell(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '|' || *text == '<' || *text == '*' || *text == '_')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void markdown_table(const struct opt_table *t, FILE *out)
{
	char buf[256];

	fprintf(out, "\n| sub-option | meaning |\n|---|---|\n");
	for (const struct opt *o = t->opts; o && o->name; o++) {
		if (o->missing)
			continue;
		fprintf(out, "| `%s=` ", o->name);
		cell(opt_arg_text(o, " or ", buf, sizeof(buf)), out);
		fputs(" | ", out);
		cell(o->help ? o->help : "", out);
		fputs(" |\n", out);
	}
}

static void markdown_one(const char *option, const struct opt_table *t, void *arg)
{
	FILE *out = arg;

	fprintf(out, "\n### `%s %s`\n\n%s.\n", option, t->name, t->summary);
	markdown_table(t, out);
}

void cmdline_markdown(FILE *out)
{
	static const struct opt_table *const tables[] = {
		&smp_table,	&machine_table, &accel_table,  &name_table,
		&boot_table,	&vnc_table,	&rtc_table,    &msg_table,
		&sandbox_table, &drive_table,	&action_table, &mon_table};

	fprintf(out, "# Options\n\n"
		     "Made from the option tables by `vmwire -help-markdown`; do not edit.\n"
		     "Options may start with one dash or two.\n\n"
		     "| option | meaning |\n|---|---|\n");
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		if (!options[i].help)
			continue;
		fprintf(out, "| `-%s` ", options[i].name);
		cell(options[i].arg ? options[i].arg : "", out);
		fputs(" | ", out);
		cell(options[i].help, out);
		fputs(" |\n", out);
	}
	fprintf(out, "\n## Sub-options\n");
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		fprintf(out, "\n### `%s`\n\n%s.\n", tables[i]->name, tables[i]->summary);
		markdown_table(tables[i], out);
	}
	for (const struct opt_table *t = smbios_tables; t->name; t++) {
		fprintf(out, "\n### `%s`\n\n%s.\n", t->name, t->summary);
		markdown_table(t, out);
	}
	cmd_chardev_for_each(markdown_one, out);
	cmd_net_for_each(markdown_one, out);
	cmd_drive_for_each(markdown_one, out);
}

FN(cmd_markdown)
{
	(void)c;
	(void)opt;
	(void)arg;
	(void)e;
	cmdline_markdown(out);
	mon_markdown(out);
	return CMDLINE_DONE;
}
