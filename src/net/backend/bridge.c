/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bridge of the host's: the card's TAP becomes a port of it (M1). The helper, which has the right
 * to, makes the TAP and joins it to the bridge, if its list of rules (bridge.conf) lets this user;
 * from there on it is a TAP like any other. It leaves the bridge when its descriptor is closed.
 */
#include <stddef.h>

#include "net/backend/backend.h"
#include "net/backend/tap.h"
#include "net/backend/tap_helper.h"

struct bridge_opts {
	char *br, *helper;
};

#define OFF(m) offsetof(struct bridge_opts, m)
static const struct opt bridge_table[] = {
	{"br", OPT_STR, OFF(br), .arg = "bridge", .help = "the bridge; default: " TAP_BRIDGE},
	{"helper", OPT_STR, OFF(helper), .arg = "helper",
	 .help = "program that makes the TAP; default: vmwire-helper, else QEMU's"},
	{.name = NULL},
};
#undef OFF

static const struct opt_table bridge_opts = {
	.name = "bridge",
	.summary = "a port of a host bridge, made by a helper",
	.opts = bridge_table,
	.size = sizeof(struct bridge_opts),
};

static int bridge_open(const void *opts, const char *id, struct net_port **port, struct err *e)
{
	const struct bridge_opts *o = opts;

	return tap_open_helper(o->helper ? o->helper : tap_helper_default(),
			       o->br ? o->br : TAP_BRIDGE, TAP_SNDBUF_NONE, id, port, e);
}

const struct net_backend net_backend_bridge = {
	.name = "bridge",
	.summary = "a port of a host bridge, made by a helper",
	.opts = &bridge_opts,
	.open = bridge_open,
	.leave = tap_leave,
	.ifname = tap_ifname,
};
