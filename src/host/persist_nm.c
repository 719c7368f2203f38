/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --persist for NetworkManager: a keyfile for the bridge and one for its port. The bridge's takes
 * the sections [ipv4], [ipv6] and [proxy] of the uplink's profile when that is a keyfile; else they
 * are made from what the link has. The old profile stays as it is: the new ones win by their
 * priority. Keyfiles are read by root only, as NetworkManager demands.
 */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/util.h"
#include "host/persist.h"

#define DIR_OF	  "/etc/NetworkManager/system-connections/vmwire-"
#define V6_METRIC 1024 /* the kernel's for IPv6 routes without one */
#define PRIORITY  100  /* over profiles of the user's */

/* The sections of an old keyfile that are about IP. Returns how many. */
static int copy_ip(const char *text, FILE *f)
{
	static const char *const wanted[] = {"[ipv4]", "[ipv6]", "[proxy]"};
	bool copy = false;
	int found = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (*text == '[') {
			copy = false;
			for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
				copy |= n >= strlen(wanted[i]) &&
					!strncmp(text, wanted[i], strlen(wanted[i]));
			found += copy;
			if (copy)
				fputc('\n', f);
		}
		if (copy && n)
			fprintf(f, "%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
	return found;
}

static void ip_of_state(const struct br_state *s, int family, FILE *f)
{
	bool auto_ip = persist_is_dynamic(s, family) || family == AF_INET6;
	char a[INET6_ADDRSTRLEN], g[INET6_ADDRSTRLEN];
	int addrs = 0, routes = 0, gateway = 0;

	fprintf(f, "\n[ipv%d]\n", family == AF_INET ? 4 : 6);
	for (int i = 0; i < s->naddr; i++)
		if (s->addr[i].family == family && persist_is_static(&s->addr[i]))
			fprintf(f, "address%d=%s/%u\n", ++addrs,
				inet_ntop(family, s->addr[i].addr, a, sizeof(a)),
				s->addr[i].prefix);
	for (int i = 0; i < s->nroute; i++) {
		const struct host_route *r = &s->route[i];

		if (r->family != family || !persist_is_route(r))
			continue;
		inet_ntop(family, r->gateway, g, sizeof(g)); /* of none: 0.0.0.0 or :: */
		if (!r->dst_len && r->has_gateway && r->table == RT_TABLE_MAIN && !gateway++) {
			fprintf(f, "gateway=%s\n", g);
			if (r->metric && !(family == AF_INET6 && r->metric == V6_METRIC))
				fprintf(f, "route-metric=%u\n", r->metric);
			continue;
		}
		fprintf(f, "route%d=%s/%u,%s,%u\n", ++routes,
			inet_ntop(family, r->dst, a, sizeof(a)), r->dst_len, g, r->metric);
		if (r->table != RT_TABLE_MAIN)
			fprintf(f, "route%d_options=table=%u\n", routes, r->table);
	}
	if (auto_ip || addrs)
		fprintf(f, "method=%s\n", auto_ip ? "auto" : "manual");
	else
		fprintf(f, "method=disabled\n");
}

static char *bridge_text(const struct persist_conf *c, const char *old)
{
	const uint8_t *m = c->s->link.mac;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f,
		"# Made by vmwire host bridge add --persist; vmwire host bridge del --persist "
		"removes "
		"it.\n[connection]\nid=vmwire-%s\ntype=bridge\ninterface-name=%s\n"
		"autoconnect-priority=%d\nautoconnect-slaves=1\n\n"
		"[bridge]\nmac-address=%02X:%02X:%02X:%02X:%02X:%02X\nstp=%s\n%s",
		c->name, c->name, PRIORITY, m[0], m[1], m[2], m[3], m[4], m[5],
		c->stp ? "true" : "false", c->stp ? "" : "forward-delay=0\n");
	if (c->s->link.mtu != 1500)
		fprintf(f, "\n[ethernet]\nmtu=%u\n", c->s->link.mtu);
	if (!old || !copy_ip(old, f)) {
		ip_of_state(c->s, AF_INET, f);
		ip_of_state(c->s, AF_INET6, f);
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int persist_nm(const struct persist_conf *c, struct persist_files *files, struct err *e)
{
	char *old = c->mgr->file[0] ? persist_read(files->root, c->mgr->file) : NULL;
	char *port = NULL, path[256];
	int rc;

	files->then = "nmcli connection reload";
	snprintf(path, sizeof(path), DIR_OF "%s.nmconnection", c->name);
	rc = persist_put(files, path, 0600, bridge_text(c, old), e);
	free(old);
	if (rc)
		return rc;
	if (asprintf(&port,
		     "# Made by vmwire host bridge add --persist; vmwire host bridge del --persist "
		     "removes it.\n[connection]\nid=vmwire-%s-uplink\ntype=ethernet\n"
		     "interface-name=%s\nautoconnect-priority=%d\nmaster=%s\nslave-type=bridge\n",
		     c->name, c->s->link.name, PRIORITY, c->name) < 0)
		port = NULL;
	snprintf(path, sizeof(path), DIR_OF "%s-uplink.nmconnection", c->name);
	return persist_put(files, path, 0600, port, e);
}
