/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --persist for ifupdown: the uplink's stanzas become the bridge's, in a file of vmwire's under
 * interfaces.d; where they stood they become comments with a mark, so that they can come back. A
 * line "auto eth0" stays and is right: the uplink comes up, without an address of its own.
 * The bridge_ options are read by the package bridge-utils.
 */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "host/persist.h"

#define INTERFACES "/etc/network/interfaces"
#define SOURCE	   "source /etc/network/interfaces.d/*"

/* The first two words of a line, copied; "" when there are fewer. */
static void words_of(const char *line, size_t n, char one[32], char two[32])
{
	char text[256];

	one[0] = two[0] = 0;
	snprintf(text, sizeof(text), "%.*s", (int)MIN(n, sizeof(text) - 1), line);
	if (sscanf(text, " %31s %31s", one, two) < 1)
		one[0] = 0;
}

/* Does a line with this first word begin a new stanza? */
static bool begins(const char *word)
{
	static const char *const words[] = {"iface",	"auto",	      "mapping",
					    "source",	"rename",     "no-auto-down",
					    "template", "no-scripts", "source-directory"};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return !strncmp(word, "allow-", 6);
}

static void bridge_options(const struct persist_conf *c, FILE *f)
{
	const uint8_t *m = c->s->link.mac;

	fprintf(f,
		"\tbridge_ports %s\n\tbridge_stp %s\n\tbridge_fd %d\n"
		"\tbridge_hw %02x:%02x:%02x:%02x:%02x:%02x\n",
		c->s->link.name, c->stp ? "on" : "off", c->stp ? 15 : 0, m[0], m[1], m[2], m[3],
		m[4], m[5]);
}

/*
 * Copies an old file to `left` with the link's iface stanzas marked as comments, and these stanzas,
 * for the bridge, to `moved`. The first one gets the bridge's options. Returns how many.
 */
static int split(const struct persist_conf *c, const char *text, FILE *left, FILE *moved)
{
	const char *link = c->s->link.name;
	char one[32], two[32];
	bool ours = false, more = false;
	int found = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");

		words_of(text, n, one, two);
		/* A line behind a backslash belongs to the one before. */
		if (!more && begins(one)) {
			ours = !strcmp(one, "iface") && !strcmp(two, link);
			if (ours) {
				const char *rest = strstr(text, link) + strlen(link);

				fprintf(moved, "\niface %s%.*s\n", c->name, (int)(text + n - rest),
					rest);
				if (!found++)
					bridge_options(c, moved);
			}
		} else if (ours && n && one[0] != '#' && one[0]) {
			fprintf(moved, "%.*s\n", (int)n, text);
		}
		more = n && text[n - 1] == '\\';
		if (ours && one[0] && one[0] != '#')
			fprintf(left, "#vmwire-%s# ", c->name);
		fprintf(left, "%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
	return found;
}

char *persist_ifupdown_undo(const char *text, const char *name)
{
	char mark[32], *done = NULL;
	size_t size, len;
	bool found = false;
	FILE *f;

	snprintf(mark, sizeof(mark), "#vmwire-%s# ", name);
	len = strlen(mark);
	f = open_memstream(&done, &size);
	if (!f)
		return NULL;
	while (*text) {
		size_t n = strcspn(text, "\n");
		bool marked = !strncmp(text, mark, len);

		found |= marked;
		fprintf(f, "%.*s\n", (int)(n - (marked ? len : 0)), text + (marked ? len : 0));
		text += n + (text[n] == '\n');
	}
	if (fclose(f) || !found) {
		free(done);
		return NULL;
	}
	return done;
}

/* The routes that no "gateway" line says, as commands. said: the one that such a line has. */
static void route_lines(const struct persist_conf *c, int family, const struct host_route *said,
			FILE *f)
{
	char a[INET6_ADDRSTRLEN];

	for (int i = 0; i < c->s->nroute; i++) {
		const struct host_route *r = &c->s->route[i];

		if (r == said || r->family != family || !persist_is_route(r))
			continue;
		fprintf(f, "\tup ip %sroute append ", family == AF_INET6 ? "-6 " : "");
		if (r->dst_len)
			fprintf(f, "%s/%u", inet_ntop(family, r->dst, a, sizeof(a)), r->dst_len);
		else
			fputs("default", f);
		if (r->has_gateway)
			fprintf(f, " via %s", inet_ntop(family, r->gateway, a, sizeof(a)));
		fprintf(f, " dev %s%s", c->name, r->onlink ? " onlink" : "");
		if (r->has_prefsrc)
			fprintf(f, " src %s", inet_ntop(family, r->prefsrc, a, sizeof(a)));
		if (r->metric)
			fprintf(f, " metric %u", r->metric);
		if (r->table != RT_TABLE_MAIN)
			fprintf(f, " table %u", r->table);
		fputc('\n', f);
	}
}

/* One static address; the first one of its family brings the routes. */
static void static_stanza(const struct persist_conf *c, const struct host_addr *x, bool first,
			  FILE *f)
{
	const struct br_state *s = c->s;
	const struct host_route *said = NULL;
	char a[INET6_ADDRSTRLEN];

	fprintf(f, "\niface %s inet%s static\n\taddress %s/%u\n", c->name,
		x->family == AF_INET6 ? "6" : "", inet_ntop(x->family, x->addr, a, sizeof(a)),
		x->prefix);
	for (int i = 0; first && !said && i < s->nroute; i++) {
		const struct host_route *r = &s->route[i];

		if (!r->dst_len && r->has_gateway && r->family == x->family &&
		    r->table == RT_TABLE_MAIN && persist_is_route(r))
			said = r;
	}
	if (said)
		fprintf(f, "\tgateway %s\n", inet_ntop(x->family, said->gateway, a, sizeof(a)));
	if (said && said->metric && !(x->family == AF_INET6 && said->metric == 1024))
		fprintf(f, "\tmetric %u\n", said->metric);
	if (first)
		route_lines(c, x->family, said, f);
}

static void stanzas_of_state(const struct persist_conf *c, FILE *f)
{
	const struct br_state *s = c->s;
	bool first4 = true, first6 = true;
	int stanza = 0;

	if (persist_is_dynamic(s, AF_INET)) {
		fprintf(f, "\niface %s inet dhcp\n", c->name);
		bridge_options(c, f);
		stanza++;
	}
	for (int i = 0; i < s->naddr; i++) {
		bool *first = s->addr[i].family == AF_INET ? &first4 : &first6;

		if (!persist_is_static(&s->addr[i]))
			continue;
		static_stanza(c, &s->addr[i], *first, f);
		*first = false;
		if (!stanza++)
			bridge_options(c, f);
	}
	if (!stanza) {
		fprintf(f, "\niface %s inet manual\n", c->name);
		bridge_options(c, f);
	}
}

/* /etc/network/interfaces must read interfaces.d; text: as it shall be so far, owned. */
static char *with_source(char *text)
{
	char *more = NULL;

	if (!text || strstr(text, "/etc/network/interfaces.d"))
		return text;
	if (asprintf(&more, "%s\n" SOURCE "\n", text) < 0)
		more = NULL;
	free(text);
	return more;
}

int persist_ifupdown(const struct persist_conf *c, struct persist_files *files, struct err *e)
{
	const char *from = c->mgr->file[0] ? c->mgr->file : INTERFACES;
	char *old = persist_read(files->root, from), *left = NULL, *moved = NULL, path[256];
	size_t left_size, moved_size;
	FILE *l = open_memstream(&left, &left_size), *m = open_memstream(&moved, &moved_size);
	int found = 0, rc = 0;

	if (m) {
		fprintf(m,
			"# Made by vmwire host bridge add --persist; vmwire host bridge del "
			"--persist "
			"removes it.\niface %s inet manual\n\nauto %s\n",
			c->s->link.name, c->name);
		found = l && old ? split(c, old, l, m) : 0;
		if (!found)
			stanzas_of_state(c, m);
	}
	if ((l && fclose(l)) || (m && fclose(m)) || !l || !m) {
		free(moved);
		moved = NULL;
	}
	snprintf(path, sizeof(path), "/etc/network/interfaces.d/vmwire-%s", c->name);
	rc = persist_put(files, path, 0644, moved, e);
	if (!rc && strcmp(from, INTERFACES) != 0) {
		if (found) {
			rc = persist_put(files, from, 0644, left, e);
			left = NULL;
		}
		free(left);
		left = persist_read(files->root, INTERFACES);
	}
	if (!rc && !left)
		left = strdup("");
	if (!rc) {
		rc = persist_put(files, INTERFACES, 0644, with_source(left), e);
		left = NULL;
	}
	free(left);
	free(old);
	return rc;
}
