/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vmwire host list` (rows H4, H7 of the host): every bridge with its addresses and ports, and
 * behind each port who is there: the process that holds a TAP, the MAC addresses that the bridge
 * has learned, and their leases when vmwire's dnsmasq serves the network.
 */
#include <arpa/inet.h>
#include <linux/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/util.h"
#include "host/host.h"
#include "host/taps.h"
#include "net/host/rtnl.h"

#define RUN	"/run/vmwire" /* a folder for each NAT network; see net/host */
#define MACS_UP 4	      /* learned addresses shown of a port */

const struct host_opt host_list_opts[] = {{NULL, NULL, NULL}};

struct view {
	FILE *out;
	struct host_nl *nl;
	struct host_addr *addr;
	struct host_link *link;
	int naddr, nlink;
};

static void mac_text(const uint8_t m[6], char text[18])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* dnsmasq's file of leases: a line for each, "expires mac address name id". */
static FILE *leases_of(const char *bridge)
{
	char path[128];
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), RUN "/%s/leases", bridge);
	f = fopen(path, "re");
	if (f || stat("/proc/self/ns/net", &st))
		return f;
	/* In another network namespace than the host's. */
	snprintf(path, sizeof(path), RUN "/%s@%lu/leases", bridge, (unsigned long)st.st_ino);
	return fopen(path, "re");
}

/* " 192.168.1.5 (name)" of a MAC, or nothing. */
static void show_lease(struct view *v, const char *bridge, const char *mac)
{
	char line[512], have[32], addr[64], name[128];
	FILE *f = leases_of(bridge);

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %31s %63s %127s", have, addr, name) == 3 &&
		    !strcasecmp(have, mac))
			fprintf(v->out, " %s%s%s%s", addr, strcmp(name, "*") != 0 ? " (" : "",
				strcmp(name, "*") != 0 ? name : "",
				strcmp(name, "*") != 0 ? ")" : "");
	if (f)
		fclose(f);
}

static void show_addrs(struct view *v, int index)
{
	char text[INET6_ADDRSTRLEN];
	int shown = 0;

	for (int i = 0; i < v->naddr; i++)
		if (v->addr[i].index == index) {
			inet_ntop(v->addr[i].family, v->addr[i].addr, text, sizeof(text));
			fprintf(v->out, "%s%s/%u", shown++ ? ", " : " ", text, v->addr[i].prefix);
		}
	if (!shown)
		fputs(" no address", v->out);
}

static void show_learned(struct view *v, const struct host_link *bridge,
			 const struct host_link *port, const struct host_fdb *fdb, int n)
{
	char mac[18];
	int shown = 0, more = 0;

	for (int i = 0; i < n; i++) {
		if (fdb[i].port != port->index || fdb[i].permanent)
			continue;
		if (shown == MACS_UP) {
			more++;
			continue;
		}
		mac_text(fdb[i].mac, mac);
		fprintf(v->out, "%s%s", shown++ ? ", " : "; has seen ", mac);
		show_lease(v, bridge->name, mac);
	}
	if (more)
		fprintf(v->out, " and %d more", more);
}

static void show_port(struct view *v, const struct host_link *bridge, const struct host_link *port,
		      const struct host_fdb *fdb, int n)
{
	struct tap_holder h = {0};

	fprintf(v->out, "  %-15s %s", port->name,
		!strcmp(port->kind, "tun") ? "TAP"
		: port->kind[0]		   ? port->kind
					   : "hardware");
	fprintf(v->out, ", %s%s", host_operstate_name(port->operstate),
		port->isolated ? ", isolated" : "");
	if (!strcmp(port->kind, "tun")) {
		taps_holder(port->name, &h);
		fprintf(v->out, ", %s", h.pid ? h.name : "held by nobody we may look at");
	}
	show_learned(v, bridge, port, fdb, n);
	fputc('\n', v->out);
}

static int show_bridge(struct view *v, const struct host_link *bridge, struct err *e)
{
	struct host_fdb *fdb = NULL;
	int n = host_bridge_fdb(v->nl, bridge->index, &fdb, e), ports = 0;
	char mac[18];

	if (n < 0)
		return n;
	mac_text(bridge->mac, mac);
	fprintf(v->out, "%s: %s, %s, STP %s;", bridge->name, host_operstate_name(bridge->operstate),
		mac, bridge->stp ? "on" : "off");
	show_addrs(v, bridge->index);
	fputc('\n', v->out);
	for (int i = 0; i < v->nlink; i++)
		if (v->link[i].master == bridge->index) {
			show_port(v, bridge, &v->link[i], fdb, n);
			ports++;
		}
	if (!ports)
		fputs("  no ports\n", v->out);
	free(fdb);
	return 0;
}

/* TAPs that are on no bridge: guests with a routed or a hand-made network. */
static void show_taps(struct view *v)
{
	struct tap_holder h;

	for (int i = 0; i < v->nlink; i++) {
		const struct host_link *l = &v->link[i];

		if (l->master || strcmp(l->kind, "tun") != 0 || !l->tap)
			continue;
		taps_holder(l->name, &h);
		fprintf(v->out, "%s: TAP on no bridge, %s;", l->name,
			h.pid ? h.name : "held by nobody we may look at");
		show_addrs(v, l->index);
		fputc('\n', v->out);
	}
}

int host_list(const struct host_given *g, FILE *out, struct err *e)
{
	struct view v = {.out = out, .nl = host_nl_open(e)};
	int rc = v.nl ? 0 : -1, bridges = 0;

	(void)g;
	if (!rc)
		rc = v.nlink = host_links(v.nl, &v.link, e);
	if (rc >= 0)
		rc = v.naddr = host_addrs(v.nl, 0, &v.addr, e);
	for (int i = 0; rc >= 0 && i < v.nlink; i++)
		if (!strcmp(v.link[i].kind, "bridge")) {
			rc = show_bridge(&v, &v.link[i], e);
			bridges++;
		}
	if (rc >= 0 && !bridges)
		fputs("no bridge: vmwire host bridge add br0 --uplink LINK makes one\n", out);
	if (rc >= 0)
		show_taps(&v);
	free(v.link);
	free(v.addr);
	host_nl_close(v.nl);
	return rc < 0 ? rc : 0;
}
