/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules of nftables: see nat_rules.h.
 *
 * In the network's table, `drop` is final, `accept` is not: another table may still drop (see
 * nat_walk.c). So it says itself what may not pass, and nothing has to be added elsewhere.
 *
 * A guest's forwards are DNAT twice, for connections from elsewhere (prerouting) and from the host
 * itself (output). Those from the host's loopback address need route_localnet on the bridge, with
 * which a guest could reach what listens on the host's loopback: the guest's own table, which is
 * there as long as its TAP, drops that before the bridge sees it.
 */
#include "net/host/nat_rules.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Addresses in the form that nft wants. */
struct texts {
	char net[NAT_ADDR_TEXT + 4], ula[INET6_ADDRSTRLEN + 4];
};

static struct texts texts_of(const struct nat_net *net)
{
	char a[NAT_ADDR_TEXT], b[INET6_ADDRSTRLEN];
	struct texts t;

	snprintf(t.net, sizeof(t.net), "%s/%u", nat_addr_text(net->addr, a), net->prefix);
	snprintf(t.ula, sizeof(t.ula), "%s/64", inet_ntop(AF_INET6, net->ula, b, sizeof(b)));
	return t;
}

static void put_mac(FILE *f, const uint8_t m[6])
{
	fprintf(f, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static char *finish(FILE *f, char **text)
{
	bool bad = ferror(f);

	if (fclose(f) || bad) {
		free(*text);
		return NULL;
	}
	return *text;
}

/* --- the network ---------------------------------------------------------------------------- */

static void put_forward(FILE *f, const struct nat_net *net, const struct texts *t)
{
	/* Bridged frames come here, too, where br_netfilter is loaded. Routed ones between two
	 * guests would pass by the isolation of their ports; forwards may. */
	fprintf(f, " chain within {\n  ct status dnat accept\n  ether daddr ");
	put_mac(f, net->mac);
	fprintf(f, " counter drop\n  accept\n }\n chain out {\n");
	if (net->mode == NAT_ISOLATED)
		fprintf(f, "  counter reject with icmpx type admin-prohibited\n");
	fprintf(f, "  ip saddr != %s counter drop\n", t->net);
	if (net->v6)
		fprintf(f, "  ip6 saddr != %s counter drop\n", t->ula);
	else
		fprintf(f, "  meta nfproto ipv6 counter drop\n");
	fprintf(f, "  accept\n }\n chain in {\n");
	if (net->mode == NAT_MASQUERADE)
		fprintf(f, "  ct state established,related accept\n  ct status dnat accept\n");
	if (net->mode == NAT_ROUTED)
		fprintf(f, "  accept\n");
	else
		fprintf(f, "  counter reject with icmpx type admin-prohibited\n");
	fprintf(f,
		" }\n chain forward {\n  type filter hook forward priority filter; policy accept;\n"
		"  iifname \"%s\" oifname \"%s\" jump within\n"
		"  iifname \"%s\" jump out\n  oifname \"%s\" jump in\n }\n",
		net->name, net->name, net->name, net->name);
}

static void put_masquerade(FILE *f, const struct nat_net *net, const struct texts *t)
{
	fprintf(f,
		" chain postrouting {\n  type nat hook postrouting priority srcnat; policy "
		"accept;\n"
		"  ip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n"
		"  ip saddr %s oifname \"%s\" ct status dnat masquerade\n",
		net->name, t->net, net->name);
	if (net->mode == NAT_MASQUERADE) {
		fprintf(f, "  ip saddr %s oifname != \"%s\" masquerade\n", t->net, net->name);
		if (net->v6)
			fprintf(f, "  ip6 saddr %s oifname != \"%s\" masquerade\n", t->ula,
				net->name);
	}
	fprintf(f, " }\n");
}

char *nat_rules_net(const struct nat_net *net)
{
	struct texts t = texts_of(net);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "table inet vmwire-%s {\n flags owner;\n", net->name);
	put_forward(f, net, &t);
	put_masquerade(f, net, &t);
	fprintf(f, "}\n");
	return finish(f, &text);
}

/* --- a guest -------------------------------------------------------------------------------- */

/* "{ mac . address, … }"; zero: and each MAC with 0.0.0.0. */
static void put_pairs(FILE *f, const struct nat_rules_guest *g, bool zero)
{
	for (unsigned i = 0; i < g->ncards; i++) {
		const struct nat_card *c = &g->cards[i];
		char a[NAT_ADDR_TEXT];

		fprintf(f, "%s", i ? ", " : "{ ");
		put_mac(f, c->mac);
		fprintf(f, " . %s", nat_addr_text(c->addr, a));
		if (!zero)
			continue;
		fprintf(f, ", ");
		put_mac(f, c->mac);
		fprintf(f, " . 0.0.0.0");
	}
	fprintf(f, " }");
}

static void put_antispoof(FILE *f, const struct nat_rules_guest *g)
{
	struct texts t = texts_of(g->net);

	if (!g->ncards) {
		fprintf(f, "  counter name spoofed drop\n");
		return;
	}
	fprintf(f, "  ether saddr != {");
	for (unsigned i = 0; i < g->ncards; i++) {
		fprintf(f, "%s", i ? ", " : " ");
		put_mac(f, g->cards[i].mac);
	}
	fprintf(f, " } counter name spoofed drop\n");
	fprintf(f, "  ether type != { arp, ip, ip6 } counter name spoofed drop\n");
	fprintf(f, "  arp saddr ether . arp saddr ip != ");
	put_pairs(f, g, true);
	/* A client that has no address yet asks from 0.0.0.0. */
	fprintf(f, " counter name spoofed drop\n"
		   "  ip saddr 0.0.0.0 udp sport != 68 counter name spoofed drop\n"
		   "  ip saddr 0.0.0.0 meta l4proto != udp counter name spoofed drop\n"
		   "  ether saddr . ip saddr != ");
	put_pairs(f, g, true);
	fprintf(f, " counter name spoofed drop\n"
		   "  ip6 saddr != { ::, fe80::/10");
	if (g->net->v6)
		fprintf(f, ", %s", t.ula);
	/* No guest is the others' DHCP server or router. */
	fprintf(f, " } counter name spoofed drop\n"
		   "  icmpv6 type nd-router-advert counter name spoofed drop\n"
		   "  udp sport { 67, 547 } counter name spoofed drop\n");
}

static void put_filter(FILE *f, const struct nat_rules_guest *g)
{
	fprintf(f,
		"table netdev vmwire-%s {\n flags owner;\n counter loopback { }\n"
		" counter spoofed { }\n counter over_rate { }\n chain from-guest {\n"
		"  type filter hook ingress device \"%s\" priority filter; policy accept;\n"
		"  ip daddr 127.0.0.0/8 counter name loopback drop\n"
		"  ip saddr 127.0.0.0/8 counter name loopback drop\n",
		g->ifname, g->ifname);
	if (g->antispoof)
		put_antispoof(f, g);
	if (g->rate)
		fprintf(f,
			"  limit rate over %" PRIu64 " bytes/second burst %" PRIu64
			" bytes counter name over_rate drop\n",
			g->rate, g->burst);
	fprintf(f, " }\n}\n");
}

static void put_fwds(FILE *f, const struct nat_rules_guest *g)
{
	for (unsigned i = 0; i < g->nfwds; i++) {
		const struct nat_fwd *w = &g->fwds[i];
		char a[NAT_ADDR_TEXT], b[NAT_ADDR_TEXT];

		if (!w->guest)
			continue;
		fprintf(f, "  ");
		if (w->host)
			fprintf(f, "ip daddr %s ", nat_addr_text(w->host, a));
		else
			fprintf(f, "meta nfproto ipv4 fib daddr type local ");
		fprintf(f, "%s dport %u counter dnat ip to %s:%u\n", w->udp ? "udp" : "tcp",
			w->host_port, nat_addr_text(w->guest, b), w->guest_port);
	}
}

char *nat_rules_guest(const struct nat_rules_guest *g)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	if (g->again)
		fprintf(f, "delete table netdev vmwire-%s\ndelete table inet vmwire-%s\n",
			g->ifname, g->ifname);
	put_filter(f, g);
	fprintf(f,
		"table inet vmwire-%s {\n flags owner;\n chain prerouting {\n"
		"  type nat hook prerouting priority dstnat; policy accept;\n",
		g->ifname);
	put_fwds(f, g);
	fprintf(f, " }\n chain output {\n  type nat hook output priority -100; policy accept;\n");
	put_fwds(f, g);
	fprintf(f, " }\n}\n");
	return finish(f, &text);
}

void nat_rules_ask(const char *ifname, char *command, size_t size)
{
	snprintf(command, size, "list counters table netdev vmwire-%s", ifname);
}

bool nat_rules_drops(const char *json, struct nat_drops *d)
{
	json_t *all = json_loads(json, 0, NULL);
	const json_t *item;
	size_t i;

	*d = (struct nat_drops){0};
	json_array_foreach(json_object_get(all, "nftables"), i, item)
	{
		const json_t *c = json_object_get(item, "counter");
		const char *name = json_string_value(json_object_get(c, "name"));
		uint64_t n = (uint64_t)json_integer_value(json_object_get(c, "packets"));

		if (name && !strcmp(name, "spoofed"))
			d->spoofed = n;
		else if (name && !strcmp(name, "over_rate"))
			d->over_rate = n;
		else if (name && !strcmp(name, "loopback"))
			d->loopback = n;
	}
	if (!all)
		return false;
	json_decref(all);
	return true;
}
