/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vmwire host bridge add|del`: see plan.h for what is done and in which order. The command makes
 * the plan, starts the guard, carries the plan out, asks the gateways, and confirms to the guard or
 * lets it put everything back (row H2).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "host/apply.h"
#include "host/host.h"
#include "host/manager.h"
#include "host/persist.h"
#include "host/taps.h"

#define TIMEOUT_S     8 /* for the gateway to answer; the guard acts one second later */
#define TIMEOUT_MAX_S 120
#define FIRST_ASK_MS  2500 /* is the gateway there before anything is touched? */

enum { ADD_UPLINK, ADD_STP, ADD_PERSIST, ADD_TIMEOUT, ADD_FORCE, ADD_DRY, ADD_ROOT };
const struct host_opt host_bridge_add_opts[] = {
	[ADD_UPLINK] = {"--uplink", "LINK", "the interface that the bridge takes over"},
	[ADD_STP] = {"--stp", "on|off", "spanning tree protocol; default: off"},
	[ADD_PERSIST] = {"--persist", "[=KIND]",
			 "writes the lasting configuration, too; KIND: networkd, ifupdown, nm; "
			 "default: who runs LINK"},
	[ADD_TIMEOUT] =
		{"--timeout", "S",
		 "seconds in which the gateway must answer, else all is put back; default: 8"},
	[ADD_FORCE] = {"--force", NULL, "also when no gateway can be asked"},
	[ADD_DRY] = {"--dry-run", NULL, "shows what would be done and does nothing"},
	[ADD_ROOT] = {"--root", "DIR", "--persist writes under DIR instead of /"},
	{NULL, NULL, NULL},
};

enum { DEL_UPLINK, DEL_PERSIST, DEL_TIMEOUT, DEL_FORCE, DEL_DRY, DEL_ROOT };
const struct host_opt host_bridge_del_opts[] = {
	[DEL_UPLINK] =
		{"--uplink", "LINK",
		 "the port that gets addresses and routes; default: the only one that is no TAP"},
	[DEL_PERSIST] = {"--persist", NULL, "undoes what bridge add --persist wrote, too"},
	[DEL_TIMEOUT] = {"--timeout", "S", "as of bridge add"},
	[DEL_FORCE] = {"--force", NULL, "also with guests on the bridge, or no gateway to ask"},
	[DEL_DRY] = {"--dry-run", NULL, "shows what would be done and does nothing"},
	[DEL_ROOT] = {"--root", "DIR", "--persist looks under DIR instead of /"},
	{NULL, NULL, NULL},
};

static int parse_timeout(const char *cmd, const char *text, unsigned *s, struct err *e)
{
	char *end;
	unsigned long v;

	*s = TIMEOUT_S;
	if (!text)
		return 0;
	v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || v < 1 || v > TIMEOUT_MAX_S)
		return err_set(e, EINVAL, "host %s: --timeout %s: allowed are 1 to %d seconds", cmd,
			       text, TIMEOUT_MAX_S);
	*s = (unsigned)v;
	return 0;
}

/* --- what a link must be ---------------------------------------------------------------------- */

static int check_uplink(const struct br_state *s, struct err *e)
{
	const struct host_link *l = &s->link;
	char path[64];

	if (!l->is_ether || l->flags & IFF_LOOPBACK)
		return err_set(e, EINVAL,
			       "%s carries no Ethernet frames: only an Ethernet interface can be a "
			       "bridge's uplink",
			       l->name);
	if (!strcmp(l->kind, "bridge"))
		return err_set(e, EINVAL, "%s is a bridge itself: give guests br=%s", l->name,
			       l->name);
	if (l->master)
		return err_set(e, EBUSY,
			       "%s is a port of a %s already: vmwire host list shows the bridges",
			       l->name, l->port_of[0] ? l->port_of : "bridge");
	if (!(l->flags & IFF_UP))
		return err_set(e, ENETDOWN, "%s is down: ip link set %s up", l->name, l->name);
	snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", l->name);
	if (!access(path, F_OK))
		return err_set(
			e, EOPNOTSUPP,
			"%s is a wireless interface, which carries frames of its own address "
			"only: use the user-mode network or a NAT network instead",
			l->name);
	for (int i = 0; i < s->nroute; i++)
		if (s->route[i].nhid)
			return err_set(
				e, EOPNOTSUPP,
				"%s: a route uses next hop object %u, which cannot be moved: "
				"make it a plain route (ip route, ip nexthop)",
				l->name, s->route[i].nhid);
	return 0;
}

static int check_new_bridge(struct host_nl *nl, const char *name, struct err *e)
{
	struct host_link l;
	int rc = host_link_get(nl, name, &l, e);

	if (rc == -ENODEV)
		return 0;
	if (rc)
		return rc;
	if (strcmp(l.kind, "bridge") != 0)
		return err_set(e, EEXIST, "%s is there already and is no bridge: take another name",
			       name);
	return err_set(e, EEXIST,
		       "bridge %s is there already: vmwire host list shows its ports, vmwire host "
		       "bridge del %s takes it away",
		       name, name);
}

/* --- the move --------------------------------------------------------------------------------- */

struct move {
	struct host_nl *nl;
	const char *cmd; /* "bridge add" */
	const char *from, *to;
	struct br_plan plan;
	struct br_gateway gateway[BR_GATEWAYS];
	int gateways;
	unsigned timeout;
	bool force;
};

/* Which gateways are there to be asked afterwards? Those that answer now. */
static int first_ask(struct move *m, const struct br_state *s, struct err *e)
{
	struct br_gateway silent[BR_GATEWAYS], text;
	int n = br_gateways(s, m->gateway), left, kept = 0;
	char addr[64];

	m->gateways = n;
	memcpy(silent, m->gateway, sizeof(silent));
	left = br_gateways_ask(m->nl, m->from, silent, n, false, FIRST_ASK_MS, e);
	if (left < 0)
		return left;
	for (int i = 0; i < n; i++) {
		bool answers = true;

		for (int k = 0; k < left; k++)
			answers &= memcmp(&silent[k], &m->gateway[i], sizeof(silent[k])) != 0;
		if (answers)
			m->gateway[kept++] = m->gateway[i];
		else
			text = m->gateway[i];
	}
	m->gateways = kept;
	if (kept || m->force)
		return 0;
	if (!n)
		return err_set(
			e, EHOSTUNREACH,
			"%s has no default route, so nothing tells whether the network works "
			"afterwards: --force does without",
			m->from);
	return err_set(
		e, EHOSTUNREACH,
		"gateway %s does not answer on %s as it is, nothing was changed: --force does "
		"without it",
		br_gateway_text(&text, addr, sizeof(addr)), m->from);
}

/* Everything back; says so behind what e says already. */
static void back(struct br_guard *g, struct err *e)
{
	struct err why = *e;

	err_set(e, why.code, "%.400s: %s", why.text,
		br_guard_undo(g) ? "NOT everything could be put back" : "everything was put back");
}

/* Moves; returns 0 when it is confirmed, else everything is as it was. */
static int carry_out(struct move *m, struct err *e)
{
	struct br_gateway left[BR_GATEWAYS];
	struct br_guard g;
	char addr[64];
	int rc = br_guard_start(&m->plan.undo, m->timeout + 1, &g, e);

	if (rc)
		return rc;
	br_gateways_forget(m->nl, m->to, m->gateway, m->gateways);
	rc = br_apply(m->nl, &m->plan.ops, false, e);
	if (rc) {
		back(&g, e);
		return rc;
	}
	memcpy(left, m->gateway, sizeof(left));
	rc = br_gateways_ask(m->nl, m->to, left, m->gateways, true, m->timeout * 1000, e);
	if (rc > 0)
		rc = err_set(e, EHOSTUNREACH, "gateway %s did not answer by %s within %u s",
			     br_gateway_text(&left[0], addr, sizeof(addr)), m->to, m->timeout);
	if (rc) {
		back(&g, e);
		return rc;
	}
	return br_guard_confirm(&g, e);
}

static void say_gateways(const struct move *m, FILE *out)
{
	char addr[64];

	for (int i = 0; i < m->gateways; i++)
		fprintf(out, "gateway %s answers by %s\n",
			br_gateway_text(&m->gateway[i], addr, sizeof(addr)), m->to);
	if (!m->gateways)
		fprintf(out, "no gateway was asked\n");
}

static void show_plan(const struct move *m, FILE *out)
{
	fprintf(out, "to be done:\n");
	br_ops_print(&m->plan.ops, out);
	fprintf(out, "then, when the gateway answers by %s:\n", m->to);
	br_ops_print(&m->plan.commit, out);
	fprintf(out, "else, after %u s or when vmwire is killed:\n", m->timeout);
	br_ops_print(&m->plan.undo, out);
}

/* The address goes on being leased: who renews it has to know the new link. */
static void move_lease(const struct manager *mgr, const char *from, const char *to, FILE *out)
{
	if (!mgr->client[0])
		return;
	if (strcmp(mgr->client, "dhclient") != 0) {
		fprintf(out, "note: %s (process %d) holds a DHCP lease on %s: start it for %s\n",
			mgr->client, (int)mgr->client_pid, from, to);
		return;
	}
	if (mgr_move_dhclient(mgr, from, to))
		fprintf(out, "note: dhclient could not be started for %s: dhclient -nw %s\n", to,
			to);
	else
		fprintf(out, "dhclient holds the lease on %s now\n", to);
}

static void notes(struct host_nl *nl, const struct manager *mgr, const char *from, const char *to,
		  bool persist, FILE *out)
{
	int n = host_rules_of(nl, from, NULL);

	if (n > 0)
		fprintf(out,
			"note: %d policy rule%s name%s %s (ip rule): frames now come by %s, change "
			"them\n",
			n, n == 1 ? "" : "s", n == 1 ? "s" : "", from, to);
	if (!persist && mgr->kind != MGR_NONE)
		fprintf(out,
			"note: %s runs %s and will undo this at its next change or restart: "
			"--persist tells it\n",
			mgr_name(mgr->kind), from);
	else if (!persist)
		fprintf(out,
			"note: lasts until the next restart of the host: --persist keeps it\n");
}

/* --- add -------------------------------------------------------------------------------------- */

static int prepare_add(const struct host_given *g, struct move *m, struct br_state *s, bool *stp,
		       struct err *e)
{
	const char *text = g->opt[ADD_STP];
	int rc = parse_timeout(m->cmd, g->opt[ADD_TIMEOUT], &m->timeout, e);

	if (rc)
		return rc;
	if (!m->from)
		return err_set(
			e, EINVAL,
			"host bridge add: --uplink is missing: write vmwire host bridge add %s "
			"--uplink LINK, where ip route shows LINK behind dev",
			m->to);
	*stp = text && !strcmp(text, "on");
	if (text && !*stp && strcmp(text, "off") != 0)
		return err_set(e, EINVAL, "host bridge add: --stp %s: allowed are on, off", text);
	m->force = g->opt[ADD_FORCE];
	rc = check_new_bridge(m->nl, m->to, e);
	if (rc)
		return rc;
	rc = br_state_read(m->nl, m->from, s, e);
	return rc ? rc : check_uplink(s, e);
}

static int add(const struct host_given *g, struct move *m, struct br_state *s, FILE *out,
	       struct err *e)
{
	const char *root = g->opt[ADD_ROOT] ? g->opt[ADD_ROOT] : "", *kind = g->opt[ADD_PERSIST];
	struct persist_files files = {0};
	struct manager mgr;
	bool stp = false;
	int rc = prepare_add(g, m, s, &stp, e);

	if (!rc)
		rc = br_plan_add(s, m->to, stp, &m->plan, e);
	if (rc)
		return rc;
	mgr_find(root, m->from, s->link.index, &mgr);
	if (kind)
		rc = persist_add(root, kind, &mgr, s, m->to, stp, &files, e);
	if (rc)
		return rc;
	if (g->opt[ADD_DRY]) {
		show_plan(m, out);
		persist_show(&files, out);
		persist_free(&files);
		return 0;
	}
	rc = host_need_root(m->cmd, e);
	if (!rc)
		rc = first_ask(m, s, e);
	if (!rc)
		rc = carry_out(m, e);
	if (!rc) {
		if (br_apply(m->nl, &m->plan.commit, false, e))
			log_warn("%s", e->text);
		fprintf(out, "bridge %s is over %s: %d address%s and %d route%s moved\n", m->to,
			m->from, s->naddr, s->naddr == 1 ? "" : "es", s->nroute,
			s->nroute == 1 ? "" : "s");
		say_gateways(m, out);
		move_lease(&mgr, m->from, m->to, out);
		if (kind)
			rc = persist_write(&files, out, e);
		notes(m->nl, &mgr, m->from, m->to, kind, out);
	}
	persist_free(&files);
	return rc;
}

int host_bridge_add_cmd(const struct host_given *g, FILE *out, struct err *e)
{
	struct move m = {.cmd = "bridge add", .from = g->opt[ADD_UPLINK], .to = g->arg[0]};
	struct br_state s = {0};
	int rc = -1;

	m.nl = host_nl_open(e);
	if (m.nl)
		rc = add(g, &m, &s, out, e);
	br_plan_free(&m.plan);
	br_state_free(&s);
	host_nl_close(m.nl);
	return rc;
}

/* --- del -------------------------------------------------------------------------------------- */

/* The port that gets what the bridge has. */
static int choose_uplink(const char *bridge, const char *given, const struct host_link *port, int n,
			 struct host_link *uplink, struct err *e)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		if (given ? strcmp(port[i].name, given) != 0 : !strcmp(port[i].kind, "tun"))
			continue;
		*uplink = port[i];
		found++;
	}
	if (found == 1)
		return 0;
	if (given)
		return err_set(e, EINVAL, "%s is no port of bridge %s: vmwire host list shows them",
			       given, bridge);
	return err_set(
		e, EINVAL,
		found ? "bridge %s has several ports that are no TAP: say which is the uplink "
			"with --uplink LINK"
		      : "bridge %s has no uplink: ip link del %s deletes it",
		bridge, bridge);
}

static int check_guests(const char *bridge, const struct host_link *port, int n, bool force,
			struct err *e)
{
	char who[256] = "";
	size_t len = 0;

	for (int i = 0; i < n && !force; i++) {
		struct tap_holder h;

		if (strcmp(port[i].kind, "tun") != 0)
			continue;
		taps_holder(port[i].name, &h);
		len += (size_t)snprintf(who + len, sizeof(who) - len, "%s%s (%s)", len ? ", " : "",
					port[i].name, h.pid ? h.name : "held by nobody");
		len = MIN(len, sizeof(who) - 1);
	}
	if (!len)
		return 0;
	return err_set(e, EBUSY,
		       "bridge %s has guests on it: %s; end them first, or --force cuts them off",
		       bridge, who);
}

static int del(const struct host_given *g, struct move *m, struct br_state *s,
	       struct host_link *port, int n, FILE *out, struct err *e)
{
	const char *root = g->opt[DEL_ROOT] ? g->opt[DEL_ROOT] : "";
	struct host_link uplink = {0};
	struct manager mgr = {0};
	int rc = choose_uplink(m->from, g->opt[DEL_UPLINK], port, n, &uplink, e);

	if (!rc)
		rc = check_guests(m->from, port, n, m->force, e);
	if (rc)
		return rc;
	m->to = uplink.name;
	mgr_find(root, m->from, s->link.index, &mgr);
	rc = br_plan_del(s, &uplink, br_sysctl_get(uplink.name, "accept_dad"), port, n, &m->plan,
			 e);
	if (rc)
		return rc;
	if (g->opt[DEL_DRY]) {
		show_plan(m, out);
		return 0;
	}
	rc = host_need_root(m->cmd, e);
	if (!rc)
		rc = first_ask(m, s, e);
	if (!rc)
		rc = carry_out(m, e);
	if (rc)
		return rc;
	say_gateways(m, out);
	if (br_apply(m->nl, &m->plan.commit, true, e))
		log_warn("%s", e->text);
	fprintf(out, "bridge %s is gone: %d address%s and %d route%s are on %s\n", m->from,
		s->naddr, s->naddr == 1 ? "" : "es", s->nroute, s->nroute == 1 ? "" : "s", m->to);
	move_lease(&mgr, m->from, m->to, out);
	if (g->opt[DEL_PERSIST])
		rc = persist_del(root, m->from, out, e);
	return rc;
}

int host_bridge_del_cmd(const struct host_given *g, FILE *out, struct err *e)
{
	struct move m = {.cmd = "bridge del", .from = g->arg[0], .force = g->opt[DEL_FORCE]};
	struct host_link *port = NULL;
	struct br_state s = {0};
	int rc = parse_timeout(m.cmd, g->opt[DEL_TIMEOUT], &m.timeout, e), n = 0;

	if (rc)
		return rc;
	m.nl = host_nl_open(e);
	rc = m.nl ? br_state_read(m.nl, m.from, &s, e) : -1;
	if (!rc && strcmp(s.link.kind, "bridge") != 0)
		rc = err_set(e, EINVAL, "%s is no bridge: vmwire host list shows them", m.from);
	if (!rc)
		n = host_bridge_ports(m.nl, s.link.index, &port, e);
	if (!rc)
		rc = n < 0 ? n : del(g, &m, &s, port, n, out, e);
	br_plan_free(&m.plan);
	br_state_free(&s);
	free(port);
	host_nl_close(m.nl);
	return rc;
}
