/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --persist for systemd-networkd: three files whose names sort before others', as the first match
 * counts. When the uplink has a .network file, the bridge's is made out of it, so that name
 * servers, policies and whatever else stands there stay; lines that hang other links on the uplink
 * (VLAN=) stay with the uplink. The DHCP client's identity is pinned (IAID=), as networkd would
 * make another one out of the bridge's name and the server might give another address.
 */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/util.h"
#include "host/persist.h"

#define V6_METRIC 1024 /* the kernel's for IPv6 routes without one */
#define DIR_OF	  "/etc/systemd/network/05-vmwire-"

static FILE *begin(char **text, size_t *size)
{
	FILE *f = open_memstream(text, size);

	if (f)
		fprintf(f, "# Made by vmwire host bridge add --persist; vmwire host bridge del "
			   "--persist removes it.\n");
	return f;
}

/* The text, owned; NULL: no memory. The buffer is there when the stream is closed, not before. */
static char *end(FILE *f, char **text)
{
	if (f && fclose(f)) {
		free(*text);
		return NULL;
	}
	return f ? *text : NULL;
}

/* The IAID that the lease's client identifier has: ff, IAID, DUID (RFC 4361). */
static bool iaid_of(const char *root, const char *lease, uint32_t *iaid)
{
	char *text = lease[0] ? persist_read(root, lease) : NULL;
	const char *id = text ? strstr(text, "CLIENTID=") : NULL;
	bool found = id && sscanf(id, "CLIENTID=ff%8x", iaid) == 1;

	free(text);
	return found;
}

static void put_iaid(const struct persist_conf *c, const char *root, FILE *f)
{
	uint32_t iaid;

	if (iaid_of(root, c->mgr->lease, &iaid))
		fprintf(f, "\n[DHCPv4]\nIAID=%u\n", iaid);
}

static bool is_key(const char *line, size_t n, const char *key)
{
	size_t k = strlen(key);

	return n > k && !strncasecmp(line, key, k) && line[strspn(line + k, " \t") + k] == '=';
}

/* Links stacked on the uplink stay there. */
static bool stays(const char *line, size_t n)
{
	static const char *const keys[] = {"VLAN",   "MACVLAN", "MACVTAP", "IPVLAN",
					   "IPVTAP", "VXLAN",	"Bridge"};

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (is_key(line, n, keys[i]))
			return true;
	return false;
}

/*
 * Copies an old .network file: the bridge's part to f, what stays with the uplink to stay.
 * [Match] is left out, as both have their own, and [Link] stays.
 */
static void split_network(const char *text, FILE *f, FILE *stay)
{
	char section[32] = "";

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (*text == '[') {
			snprintf(section, sizeof(section), "%.*s", (int)MIN(n, sizeof(section) - 1),
				 text);
			section[strcspn(section, "]")] = 0;
		}
		if (!strcasecmp(section, "[Match"))
			;
		else if (!strcasecmp(section, "[Link"))
			fprintf(stay, "%.*s\n", (int)n, text);
		else if (!strcasecmp(section, "[Network") && stays(text, n)) {
			if (!is_key(text, n, "Bridge"))
				fprintf(stay, "[Network]\n%.*s\n", (int)n, text);
		} else if (*text != '#' && *text != ';')
			fprintf(f, "%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static void network_of_state(const struct br_state *s, FILE *f)
{
	bool dhcp4 = persist_is_dynamic(s, AF_INET);
	char a[INET6_ADDRSTRLEN];

	fprintf(f, "[Network]\n%s", dhcp4 ? "DHCP=ipv4\n" : "");
	for (int i = 0; i < s->naddr; i++)
		if (persist_is_static(&s->addr[i]))
			fprintf(f, "Address=%s/%u\n",
				inet_ntop(s->addr[i].family, s->addr[i].addr, a, sizeof(a)),
				s->addr[i].prefix);
	for (int i = 0; i < s->nroute; i++) {
		const struct host_route *r = &s->route[i];

		if (!persist_is_route(r))
			continue;
		fprintf(f, "\n[Route]\n");
		if (r->has_gateway)
			fprintf(f, "Gateway=%s\n", inet_ntop(r->family, r->gateway, a, sizeof(a)));
		if (r->dst_len || !r->has_gateway)
			fprintf(f, "Destination=%s/%u\n",
				inet_ntop(r->family, r->dst, a, sizeof(a)), r->dst_len);
		if (!r->has_gateway && r->family == AF_INET)
			fprintf(f, "Scope=link\n");
		if (r->has_prefsrc)
			fprintf(f, "PreferredSource=%s\n",
				inet_ntop(r->family, r->prefsrc, a, sizeof(a)));
		if (r->metric && !(r->family == AF_INET6 && r->metric == V6_METRIC))
			fprintf(f, "Metric=%u\n", r->metric);
		if (r->table != RT_TABLE_MAIN)
			fprintf(f, "Table=%u\n", r->table);
		if (r->onlink)
			fprintf(f, "GatewayOnLink=yes\n");
	}
}

static int put_netdev(const struct persist_conf *c, struct persist_files *files, struct err *e)
{
	const uint8_t *m = c->s->link.mac;
	char *text = NULL, path[256];
	size_t size;
	FILE *f = begin(&text, &size);

	if (f) {
		fprintf(f,
			"[NetDev]\nName=%s\nKind=bridge\n"
			"MACAddress=%02x:%02x:%02x:%02x:%02x:%02x\n",
			c->name, m[0], m[1], m[2], m[3], m[4], m[5]);
		if (c->s->link.mtu != 1500)
			fprintf(f, "MTUBytes=%u\n", c->s->link.mtu);
		fprintf(f, "\n[Bridge]\nSTP=%s\n", c->stp ? "yes" : "no");
		if (!c->stp)
			fprintf(f, "ForwardDelaySec=0\n");
	}
	snprintf(path, sizeof(path), DIR_OF "%s.netdev", c->name);
	return persist_put(files, path, 0644, end(f, &text), e);
}

int persist_networkd(const struct persist_conf *c, struct persist_files *files, struct err *e)
{
	char *text = NULL, *stay = NULL, path[256];
	char *old = c->mgr->file[0] ? persist_read(files->root, c->mgr->file) : NULL;
	size_t size, stay_size;
	FILE *f = begin(&text, &size), *s = begin(&stay, &stay_size);
	int rc;

	files->then = "networkctl reload";
	if (f && s) {
		fprintf(f, "[Match]\nName=%s\n\n", c->name);
		fprintf(s, "[Match]\nName=%s\n\n[Network]\nBridge=%s\n", c->s->link.name, c->name);
		if (old)
			split_network(old, f, s);
		else
			network_of_state(c->s, f);
		put_iaid(c, files->root, f);
	}
	free(old);
	text = end(f, &text);
	stay = end(s, &stay);
	rc = put_netdev(c, files, e);
	snprintf(path, sizeof(path), DIR_OF "%s.network", c->name);
	if (!rc) {
		rc = persist_put(files, path, 0644, text, e);
		text = NULL;
	}
	snprintf(path, sizeof(path), DIR_OF "%s-uplink.network", c->name);
	if (!rc) {
		rc = persist_put(files, path, 0644, stay, e);
		stay = NULL;
	}
	free(text);
	free(stay);
	return rc;
}
