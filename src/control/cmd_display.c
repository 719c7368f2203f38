/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's options for the guest's screen: -vga, -display, -vnc, -k.
 *
 * vmwire has no window of its own. Who asks for nothing gets a VNC server on this machine's
 * loopback, at the first free display from 0 on, as QEMU without a window toolkit does it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "control/cmdline.h"

#define DEFAULT_VNC "localhost:0,to=99"

/* --- -vnc, -display --------------------------------------------------------------------------- */

static int set_vnc(struct config *c, const char *name, const char *arg, struct err *e)
{
	struct vnc_opts o;
	int rc = opt_parse(&vnc_table, name, arg, &o, e);

	if (rc)
		return rc;
	rc = vnc_check(&o, e);
	if (rc) {
		opt_free(&vnc_table, &o);
		return rc;
	}
	opt_free(&vnc_table, &c->vnc);
	c->vnc = o;
	return 0;
}

int cmd_vnc(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	if (cmd_is_help(arg)) {
		fprintf(out, "%s (%s):\n", vnc_table.summary, name);
		opt_help(&vnc_table, out);
		return CMDLINE_DONE;
	}
	if (c->vnc.address)
		return err_set(
			e, ENOTSUP,
			"%s %.60s: a second VNC server is not implemented yet: give -vnc once",
			name, arg);
	return set_vnc(c, name, arg, e);
}

int cmd_display(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	if (cmd_is_help(arg)) {
		fprintf(out,
			"Displays (%s):\n"
			"  none      no display\n"
			"  vnc       a VNC server on this machine, the default\n"
			"  vnc=ADDR  as -vnc ADDR\n",
			name);
		return CMDLINE_DONE;
	}
	if (!strcmp(arg, "none")) {
		c->no_display = true;
		return 0;
	}
	if (!strcmp(arg, "vnc"))
		return c->vnc.address ? 0 : set_vnc(c, "-vnc", DEFAULT_VNC, e);
	if (!strncmp(arg, "vnc=", 4))
		return cmd_vnc(c, "-vnc", arg + 4, out, e);
	return err_set(e, ENOTSUP,
		       "%s %.60s is not implemented yet: allowed are none, vnc and vnc=ADDRESS "
		       "(there are no windows: a VNC viewer is one)",
		       name, arg);
}

/* --- -vga, -device VGA ------------------------------------------------------------------------ */

int cmd_vga(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	static const char *const names[] = {"std", "none", NULL};
	static const char *const later[] = {"cirrus", "vmware", "qxl",	 "xenfb",
					    "tcx",    "cg3",	"virtio"};
	const char *near;

	if (cmd_is_help(arg)) {
		fprintf(out,
			"Display adapters (%s):\n"
			"  std   standard VGA with the Bochs extensions, the default\n"
			"  none  no display adapter\n",
			name);
		return CMDLINE_DONE;
	}
	if (!strcmp(arg, "std") || !strcmp(arg, "none")) {
		c->vga = !strcmp(arg, "std") ? VGA_STD : VGA_NONE;
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(later); i++) {
		if (!strcmp(arg, later[i]))
			return err_set(e, ENOTSUP,
				       "%s %s is not implemented yet: allowed are std and none",
				       name, arg);
	}
	near = opt_suggest(arg, names);
	return err_set(e, EINVAL, "%s %.60s is not known: %s%s%sallowed are std and none", name,
		       arg, near ? "did you mean " : "", near ? near : "", near ? "? " : "");
}

int cmd_device_vga(struct config *c, const char *name, const char *rest, struct err *e)
{
	if (rest && *rest)
		return err_set(e, ENOTSUP,
			       "%s VGA,%.60s: options of the display adapter are not implemented "
			       "yet: give %s VGA",
			       name, rest, name);
	c->vga = VGA_STD;
	return 0;
}

/* --- -k ----------------------------------------------------------------------------------------
 */

int cmd_k(struct config *c, const char *name, const char *arg, FILE *out, struct err *e)
{
	(void)name;
	if (cmd_is_help(arg)) {
		layout_list(out);
		return CMDLINE_DONE;
	}
	c->layout = layout_find(arg, e);
	return c->layout ? 0 : -e->code;
}

/* --- all together ------------------------------------------------------------------------------
 */

int cmd_display_finish(struct config *c, struct err *e)
{
	bool wanted = c->vnc.address && strcmp(c->vnc.address, "none") != 0;
	bool pc = c->machine == MACHINE_PC;

	if (!pc && (wanted || c->vga == VGA_STD))
		return err_set(e, EINVAL,
			       "%s: -machine none has no guest: leave one of the two out",
			       wanted ? "-vnc" : "-vga");
	if (c->vga == VGA_DEFAULT)
		c->vga = pc && (!c->no_defaults || wanted) ? VGA_STD : VGA_NONE;
	if (c->vga == VGA_NONE && wanted)
		return err_set(e, EINVAL,
			       "-vnc %.60s: -vga none has no screen to show: leave one of the two "
			       "out",
			       c->vnc.address);
	if (!c->layout && !(c->layout = layout_find("en-us", e)))
		return -e->code;
	if (c->vnc.address || c->vga == VGA_NONE || c->no_display || c->nographic || c->no_defaults)
		return 0;
	c->vnc_default = true;
	return set_vnc(c, "-vnc", DEFAULT_VNC, e);
}
