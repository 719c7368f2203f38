/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and names of a NAT network: see nat.h. The lower half of a network is for cards whose
 * MAC we know: where one begins to look for a place is a hash of the MAC, so that a guest has its
 * address again after a restart, whoever else is there. The upper half is DHCP's for others.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/sip.h"
#include "base/util.h"
#include "net/host/nat.h"

const char *nat_addr_text(uint32_t addr, char buf[NAT_ADDR_TEXT])
{
	snprintf(buf, NAT_ADDR_TEXT, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
		 addr & 255);
	return buf;
}

/* Not a secret, only a spread: the same on every machine. */
static uint64_t spread(uint64_t a, uint64_t b)
{
	static const uint64_t key[2] = {0x766d776972652d6eull, 0x61742d6e65747721ull};

	return sip_hash(key, a, b, 2, 4);
}

static uint64_t spread_text(uint64_t seed, const char *text)
{
	for (; *text; text++)
		seed = spread(seed, (unsigned char)*text);
	return seed;
}

/* --- networks ------------------------------------------------------------------------------- */

const struct nat_used *nat_clash(const struct nat_used *used, unsigned n, uint32_t addr,
				 uint8_t prefix)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t mask = nat_mask(MIN(prefix, used[i].prefix));

		if (!((addr ^ used[i].addr) & mask))
			return &used[i];
	}
	return NULL;
}

/* Private networks (RFC 1918), those that homes and companies use first left out. */
static const struct {
	uint32_t first, last;
} pools[] = {
	{0xc0a87a00, 0xc0a8fe00}, /* 192.168.122.0 … 192.168.254.0 */
	{0x0a7a0000, 0x0afe0000}, /* 10.122.0.0 … 10.254.0.0 */
	{0xac100000, 0xac1fff00}, /* 172.16.0.0 … 172.31.255.0 */
};

int nat_choose(struct nat_net *net, const struct nat_used *used, unsigned n, struct err *e)
{
	char text[NAT_ADDR_TEXT];
	const struct nat_used *c;

	if (net->given & NAT_GIVEN_NET) {
		c = nat_clash(used, n, net->addr, net->prefix);
		if (!c)
			return 0;
		return err_set(e, EADDRINUSE,
			       "net=%s/%u overlaps with %s; choose another network, or leave net= "
			       "out for a free one",
			       nat_addr_text(net->addr, text), net->prefix, c->what);
	}
	net->prefix = 24;
	for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
		for (net->addr = pools[i].first; net->addr <= pools[i].last; net->addr += 256) {
			if (!nat_clash(used, n, net->addr, net->prefix))
				return 0;
		}
	}
	return err_set(e, EADDRINUSE,
		       "all of 192.168.122.0 to 192.168.254.0, 10.122.0.0 to 10.254.0.0, "
		       "172.16.0.0/12 is in use on this host (%s …); give a free one as "
		       "net=a.b.c.d/24",
		       n ? used[0].what : "");
}

void nat_identity(struct nat_net *net, const char *machine)
{
	uint64_t h = spread_text(spread_text(1, machine), net->name);

	memset(net->ula, 0, sizeof(net->ula));
	net->ula[0] = 0xfd; /* RFC 4193: fd, 40 random bits, 16 of a subnet */
	for (unsigned i = 0; i < 7; i++)
		net->ula[1 + i] = (uint8_t)(h >> (8 * i));
	h = spread(h, 2);
	net->mac[0] = 0x52; /* unicast, locally administered */
	for (unsigned i = 0; i < 5; i++)
		net->mac[1 + i] = (uint8_t)(h >> (8 * i));
}

/* --- cards ---------------------------------------------------------------------------------- */

struct nat_halves nat_halves(const struct nat_net *net)
{
	uint32_t size = ~nat_mask(net->prefix) + 1;

	return (struct nat_halves){
		.reserved = {net->addr + 2, net->addr + size / 2 - 1},
		.dynamic = {net->addr + size / 2, net->addr + size - 2},
	};
}

static bool has_addr(const struct nat_card *c, unsigned n, uint32_t addr)
{
	for (unsigned i = 0; i < n; i++) {
		if (c[i].addr == addr)
			return true;
	}
	return false;
}

uint32_t nat_reserve(const struct nat_net *net, const struct nat_card *card,
		     const struct nat_card *others, unsigned n)
{
	struct nat_halves h = nat_halves(net);
	uint32_t count = h.reserved[1] - h.reserved[0] + 1, at;
	uint64_t mac = 0;

	if (card->addr >= h.reserved[0] && card->addr <= h.reserved[1] &&
	    !has_addr(others, n, card->addr))
		return card->addr;
	memcpy(&mac, card->mac, sizeof(card->mac));
	at = (uint32_t)(spread(mac, 3) % count);
	/* Of n + 1 places one is free of the n others. */
	for (uint32_t i = 0; i < MIN(count, n + 1); i++, at = (at + 1) % count) {
		if (!has_addr(others, n, h.reserved[0] + at))
			return h.reserved[0] + at;
	}
	return 0;
}

void nat_label(const char *name, char label[NAT_LABEL])
{
	size_t n = 0;

	for (; *name && n < NAT_LABEL - 1; name++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x80 && isalnum(c))
			label[n++] = (char)tolower(c);
		else if (n && label[n - 1] != '-')
			label[n++] = '-';
	}
	while (n && label[n - 1] == '-')
		n--;
	label[n] = '\0';
}

static bool has_name(const struct nat_card *c, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (!strcmp(c[i].name, name))
			return true;
	}
	return false;
}

void nat_unique(struct nat_card *card, const struct nat_card *others, unsigned n)
{
	char own[NAT_LABEL];

	nat_label(card->name, own);
	if (!*own)
		strcpy(own, "guest");
	if (has_name(others, n, own)) {
		own[NAT_LABEL - 1 - sizeof("-00-00-00")] = '\0';
		snprintf(own + strlen(own), sizeof("-00-00-00"), "-%02x-%02x-%02x", card->mac[3],
			 card->mac[4], card->mac[5]);
	}
	memcpy(card->name, own, sizeof(own));
}

/* --- options -------------------------------------------------------------------------------- */

static const char *mode_option(uint8_t mode)
{
	switch (mode) {
	case NAT_ROUTED:
		return "routed=on";
	case NAT_ISOLATED:
		return "isolated=on";
	default:
		return "routed=off,isolated=off";
	}
}

int nat_agree(const struct nat_net *have, const struct nat_net *wish, struct err *e)
{
	char a[NAT_ADDR_TEXT], b[NAT_ADDR_TEXT];
	uint32_t given = wish->given;

	if (given & NAT_GIVEN_NET && (have->addr != wish->addr || have->prefix != wish->prefix))
		return err_set(e, EBUSY,
			       "net=%s/%u: %s is there already, with net=%s/%u: leave net= out, or "
			       "give br=NAME for a network of your own",
			       nat_addr_text(wish->addr, a), wish->prefix, have->name,
			       nat_addr_text(have->addr, b), have->prefix);
	if (given & NAT_GIVEN_MODE && have->mode != wish->mode)
		return err_set(e, EBUSY,
			       "%s: %s is there already, with %s: leave it out, or give br=NAME "
			       "for a network of your own",
			       mode_option(wish->mode), have->name, mode_option(have->mode));
	if (given & NAT_GIVEN_ADJUST && have->adjust != wish->adjust)
		return err_set(e, EBUSY,
			       "firewall=%s: %s is there already, with firewall=%s: leave it out, "
			       "or end the guests on it first",
			       wish->adjust ? "adjust" : "report", have->name,
			       have->adjust ? "adjust" : "report");
	if (given & NAT_GIVEN_V6 && have->v6 != wish->v6)
		return err_set(e, EBUSY,
			       "ipv6=%s: %s is there already, with ipv6=%s: leave it out, or give "
			       "br=NAME for a network of your own",
			       wish->v6 ? "on" : "off", have->name, have->v6 ? "on" : "off");
	return 0;
}

bool nat_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (!n || n >= NAT_NAME || !isalpha((unsigned char)*name))
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	}
	return true;
}
