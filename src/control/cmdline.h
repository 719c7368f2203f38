/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. One const table says of every option its name, argument and help; parsing,
 * -h and the reference page are made from it. Options may start with one dash or with two.
 */
#ifndef CONTROL_CMDLINE_H
#define CONTROL_CMDLINE_H

#include <stdio.h>

#include "control/config.h"

enum {
	CMDLINE_RUN = 0,  /* c describes a VM */
	CMDLINE_DONE = 1, /* a list or help was printed: exit 0 */
};

/*
 * Parses argv into *c (which config_free() must free, whatever is returned). What the user asked
 * to see is printed to out. Returns CMDLINE_RUN, CMDLINE_DONE or -errno with one line in e.
 */
int cmdline_parse(int argc, char *const *argv, struct config *c, FILE *out, struct err *e);

/* Writes the reference page of all options, made from the tables, as Markdown. */
void cmdline_markdown(FILE *out);

/* --- shared by the files of the command line -------------------------------------------------- */

/* One top-level option. */
struct cmd_opt {
	const char *name; /* without dashes */
	const char *arg;  /* what follows, for help; NULL: nothing follows */
	const char *help; /* one line; NULL: an alias, not shown */
	/* Handles the option. name as typed with one dash, arg NULL when there is none. Returns as
	 * cmdline_parse(). */
	int (*fn)(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
};

/* The handlers for the machine: cmd_machine.c */
extern const struct opt_table smp_table, machine_table, accel_table, rtc_table, action_table;
int cmd_m(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_smp(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_machine(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_accel(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_enable_kvm(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_rtc(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_cpu(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_action(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);

/* The handlers for serial port and monitors: cmd_console.c */
extern const struct opt_table mon_table;
int cmd_serial(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_monitor(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_qmp(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_mon(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_chardev(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
/* Every kind of -chardev with its table, for the page. */
void cmd_chardev_for_each(void (*fn)(const char *option, const struct opt_table *t, void *arg),
			  void *arg);
int cmd_debugcon(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);

/* The handlers for the screen: cmd_display.c */
int cmd_display(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_vnc(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_vga(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_k(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
/* -device VGA; rest: what follows the comma. */
int cmd_device_vga(struct config *c, const char *name, const char *rest, struct err *e);
/* After the last option: the default screen and display. */
int cmd_display_finish(struct config *c, struct err *e);

/* The handlers for firmware and boot order: cmd_boot.c */
extern const struct opt_table boot_table, fw_cfg_table;
void cmd_boot_defaults(struct boot_conf *b);
int cmd_boot(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_uuid(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_fw_cfg(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_option_rom(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
bool cmd_parse_uuid(const char *text, uint8_t uuid[16]); /* false: it is none */

/* What the machine says of itself: cmd_smbios.c. The tables end with one without a name. */
extern const struct opt_table smbios_tables[];
int cmd_smbios(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
void cmd_smbios_free(struct smbios_conf *s);

/* The handlers for the process: cmd_process.c */
extern const struct opt_table name_table, msg_table, sandbox_table;
int cmd_name(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_daemonize(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_pidfile(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_log_file(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_log_items(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_runas(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_msg(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);

int cmd_sandbox(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);

/* A file of options: readconfig.c */
int cmd_readconfig(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);

/* The handlers for networks: cmd_net.c */
extern const struct opt_table net_nic_table, hubport_table;
int cmd_net(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_netdev(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_nic(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_device(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);

/* The handlers for disks: cmd_drive.c */
extern const struct opt_table drive_table;
int cmd_drive(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
int cmd_image(struct config *c, const char *name, const char *arg, FILE *out, struct err *e);
/* -device with a disk; rest: what stands behind the model. */
int cmd_disk(struct config *c, const char *name, const struct disk_model *m, const char *rest,
	     FILE *out, struct err *e);
void cmd_disk_list(FILE *out);
/* As cmd_net_for_each(). */
void cmd_drive_for_each(void (*fn)(const char *option, const struct opt_table *t, void *arg),
			void *arg);
/* After the last option: places and names of drives, and the devices that name them. */
int cmd_drives_finish(struct config *c, struct err *e);

/*
 * n words that belong to no option, after an option of the network: if a slip of the pen (a blank)
 * split the option, fills e with the corrected option and returns -EINVAL; else 0. (V4)
 */
int cmd_net_split(const char *name, const char *arg, char *const *words, int n, struct err *e);

/* Every kind of -net, -netdev, -nic and -device with its table, for help and the page. */
void cmd_net_for_each(void (*fn)(const char *option, const struct opt_table *t, void *arg),
		      void *arg);

/*
 * One option, by its name without dashes, as if it stood on the command line; arg NULL: nothing
 * follows it. Returns as cmdline_parse().
 */
int cmdline_option(const char *name, const char *arg, struct config *c, FILE *out, struct err *e);

/* True for "help" and "?". */
bool cmd_is_help(const char *text);

/* Copies text into *to, freeing what was there. */
int cmd_keep(char **to, const char *text, struct err *e);

#endif
