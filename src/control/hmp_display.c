/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's commands for screen, keyboard, mouse and VNC server. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "control/hmp.h"
#include "control/hmp_display.h"
#include "control/vm_display.h"

#define HOLD_MS	    100u
#define HOLD_MS_MAX 10000u

static void complain(struct hmp *h, const char *cmd, const struct err *e)
{
	hmp_print(h, "%s: %s\n", cmd, e->text);
}

static void screendump(struct hmp *h, int argc, char **argv)
{
	enum screenshot_format f = SCREENSHOT_PPM;
	const char *path = NULL;
	struct err e;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-f") != 0) {
			path = argv[i];
			continue;
		}
		i++;
		if (i < argc && !strcmp(argv[i], "png")) {
			f = SCREENSHOT_PNG;
		} else if (i == argc || strcmp(argv[i], "ppm") != 0) {
			hmp_print(h, "%s: -f %s: allowed are ppm and png\n", argv[0],
				  i < argc ? argv[i] : "");
			return;
		}
	}
	if (!path)
		hmp_print(h, "usage: screendump file [-f ppm|png]\n");
	else if (vm_screendump(hmp_vm(h), path, f, &e))
		complain(h, argv[0], &e);
}

static void sendkey(struct hmp *h, int argc, char **argv)
{
	uint32_t hold = HOLD_MS;
	struct err e;

	if ((argc > 2 && opt_parse_u32("sendkey", argv[2], 1, HOLD_MS_MAX, &hold, &e)) ||
	    vm_sendkey(hmp_vm(h), argv[1], hold, &e))
		complain(h, argv[0], &e);
}

void hmp_change_vnc(struct hmp *h, int argc, char **argv)
{
	struct vnc *v;
	struct err e;

	if (strcmp(argv[1], "vnc") != 0 || strcmp(argv[2], "password") != 0 || argc < 4) {
		hmp_print(h, "usage: change vnc password text\n");
		return;
	}
	v = vm_need_vnc(hmp_vm(h), &e);
	if (!v || vnc_set_password(v, argv[3], &e))
		complain(h, argv[0], &e);
}

static void set_password(struct hmp *h, int argc, char **argv)
{
	struct vnc *v;
	struct err e;

	(void)argc;
	if (strcmp(argv[1], "vnc") != 0) {
		hmp_print(h, "%s: %s: allowed is vnc\n", argv[0], argv[1]);
		return;
	}
	v = vm_need_vnc(hmp_vm(h), &e);
	if (!v || vnc_set_password(v, argv[2], &e))
		complain(h, argv[0], &e);
}

static void expire_password(struct hmp *h, int argc, char **argv)
{
	struct err e;

	(void)argc;
	if (strcmp(argv[1], "vnc") != 0)
		hmp_print(h, "%s: %s: allowed is vnc\n", argv[0], argv[1]);
	else if (vm_expire_password(hmp_vm(h), argv[2], &e))
		complain(h, argv[0], &e);
}

static void print_line(void *opaque, const char *text)
{
	hmp_print(opaque, "%s\n", text);
}

static void info_vnc(struct hmp *h, int argc, char **argv)
{
	struct vnc *v = vm_vnc(hmp_vm(h));

	(void)argc;
	(void)argv;
	if (v)
		vnc_info(v, print_line, h);
	else
		hmp_print(h, "no VNC server: -vnc :N starts one\n");
}

static void info_mice(struct hmp *h, int argc, char **argv)
{
	struct machine *m = hmp_vm(h)->machine;

	(void)argc;
	(void)argv;
	if (!m)
		hmp_print(h, "info mice: -machine none has no guest\n");
	else
		hmp_print(h, "* Mouse #0: PS/2 mouse, relative, %s\n",
			  ps2_mouse_on(machine_keyboard(m)) ? "in use by the guest"
							    : "the guest does not listen");
}

const struct mon_cmd hmp_display_cmds[] = {
	{"screendump", "file [-f ppm|png]", "write a picture of the guest's screen to a file", 1,
	 screendump},
	{"sendkey", "keys [hold_ms]", "press keys together, e.g. ctrl-alt-f1, for a moment", 1,
	 sendkey},
	{"set_password", "vnc text", "set the VNC server's password", 2, set_password},
	{"expire_password", "vnc now|never|+seconds|time",
	 "until when the password lets viewers in", 2, expire_password},
	{"info vnc", "", "the VNC server and its viewers", 0, info_vnc},
	{"info mice", "", "the guest's pointing devices", 0, info_mice},
	{NULL},
};
