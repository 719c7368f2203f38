/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A walk through the rules: see nat_walk.h.
 *
 * Matches have three values: a rule that looks at what we do not know of the packet (marks, sets
 * of addresses, matches of iptables that nftables cannot read) is MAYBE and is passed over; one
 * that might have accepted is remembered. So a drop that is reported without `maybe` is certain.
 */
#include "net/host/nat_walk.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define DEPTH 16 /* of jumps; the kernel's own limit */

enum tri { NO, MAYBE, YES };
enum verdict { ON, RETURN, ACCEPT, DROP, REJECT };

struct walk {
	const json_t *all; /* the array "nftables" */
	const struct nat_packet *p;
	const char *family, *table;
	struct nat_drop *d;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool is_ours(const char *table)
{
	return !strncmp(table, "vmwire-", strlen("vmwire-"));
}

/* --- values --------------------------------------------------------------------------------- */

struct value {
	enum { UNKNOWN, TEXT, NUMBER, ADDR } kind;
	const char *text;
	uint32_t num;
};

static enum tri same_text(const char *have, const char *want)
{
	size_t n = strlen(want);

	if (n && want[n - 1] == '*')
		return strncmp(have, want, n - 1) ? NO : YES;
	return strcmp(have, want) ? NO : YES;
}

static bool get_addr(const json_t *j, uint32_t *addr)
{
	const char *s = json_string_value(j);
	struct in_addr a;

	if (!s || inet_pton(AF_INET, s, &a) != 1)
		return false;
	*addr = ntohl(a.s_addr);
	return true;
}

static enum tri in_range(const struct value *v, const json_t *r)
{
	const json_t *from = json_array_get(r, 0), *to = json_array_get(r, 1);
	uint32_t a, b;

	if (v->kind == NUMBER && json_is_integer(from) && json_is_integer(to))
		return v->num >= json_integer_value(from) && v->num <= json_integer_value(to) ? YES
											      : NO;
	if (v->kind == ADDR && get_addr(from, &a) && get_addr(to, &b))
		return v->num >= a && v->num <= b ? YES : NO;
	return MAYBE;
}

static enum tri in_prefix(const struct value *v, const json_t *pre)
{
	json_int_t len = json_integer_value(json_object_get(pre, "len"));
	uint32_t a;

	if (v->kind != ADDR || !get_addr(json_object_get(pre, "addr"), &a) || len < 0 || len > 32)
		return MAYBE;
	return len && (v->num ^ a) >> (32 - len) ? NO : YES;
}

static enum tri equals(const struct walk *w, const struct value *v, const json_t *right);

static enum tri one_of(const struct walk *w, const struct value *v, const json_t *list)
{
	enum tri best = NO;
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		best = MAX(best, equals(w, v, item));
	}
	return best;
}

/* The elements of the set or map called name in the walk's table. */
static const json_t *elements(const struct walk *w, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(w->all, i, item)
	{
		const json_t *s = json_object_get(item, "set");

		if (!s)
			s = json_object_get(item, "map");
		if (s && !strcmp(text_of(s, "family"), w->family) &&
		    !strcmp(text_of(s, "table"), w->table) && !strcmp(text_of(s, "name"), name))
			return json_object_get(s, "elem");
	}
	return NULL;
}

static enum tri equals(const struct walk *w, const struct value *v, const json_t *right)
{
	const char *s = json_string_value(right);
	const json_t *inner;
	uint32_t a;

	if (v->kind == UNKNOWN)
		return MAYBE;
	if (s && *s == '@') /* a set that is not there or has no elements: nothing is in it */
		return one_of(w, v, elements(w, s + 1));
	if (json_is_array(right))
		return one_of(w, v, right);
	inner = json_object_get(right, "set");
	if (inner)
		return one_of(w, v, inner);
	inner = json_object_get(right, "range");
	if (inner)
		return in_range(v, inner);
	inner = json_object_get(right, "prefix");
	if (inner)
		return in_prefix(v, inner);
	inner = json_object_get(json_object_get(right, "elem"), "val");
	if (inner)
		return equals(w, v, inner);
	if (v->kind == TEXT && s)
		return same_text(v->text, s);
	if (v->kind == NUMBER && json_is_integer(right))
		return v->num == json_integer_value(right) ? YES : NO;
	if (v->kind == ADDR && get_addr(right, &a))
		return v->num == a ? YES : NO;
	return MAYBE;
}

/* --- matches -------------------------------------------------------------------------------- */

static struct value text_value(const char *text)
{
	return (struct value){.kind = text ? TEXT : UNKNOWN, .text = text};
}

static struct value meta_value(const struct nat_packet *p, const char *key)
{
	if (!strcmp(key, "iifname") || !strcmp(key, "iif"))
		return text_value(p->iif);
	if (!strcmp(key, "oifname") || !strcmp(key, "oif"))
		return text_value(p->oif);
	if (!strcmp(key, "l4proto"))
		return text_value(p->l4);
	if (!strcmp(key, "nfproto"))
		return text_value(p->v6 ? "ipv6" : "ipv4");
	if (!strcmp(key, "protocol"))
		return text_value(p->v6 ? "ip6" : "ip");
	return (struct value){UNKNOWN};
}

static struct value addr_value(uint32_t addr)
{
	return (struct value){.kind = addr ? ADDR : UNKNOWN, .num = addr};
}

/* *other: the packet is not of that protocol at all. */
static struct value payload_value(const struct nat_packet *p, const json_t *pl, bool *other)
{
	const char *proto = text_of(pl, "protocol"), *field = text_of(pl, "field");

	*other = (!strcmp(proto, "ip") && p->v6) || (!strcmp(proto, "ip6") && !p->v6);
	if (!strcmp(proto, "tcp") || !strcmp(proto, "udp") || !strcmp(proto, "icmp") ||
	    !strcmp(proto, "icmpv6") || !strcmp(proto, "sctp"))
		*other = p->l4 && strcmp(proto, p->l4) != 0;
	if (!strcmp(proto, "ip") && !strcmp(field, "saddr"))
		return addr_value(p->saddr);
	if (!strcmp(proto, "ip") && !strcmp(field, "daddr"))
		return addr_value(p->daddr);
	if ((!strcmp(proto, "ip") && !strcmp(field, "protocol")) || !strcmp(field, "nexthdr"))
		return text_value(p->l4);
	if ((!strcmp(proto, "tcp") || !strcmp(proto, "udp") || !strcmp(proto, "th")) &&
	    !strcmp(field, "dport") && p->dport)
		return (struct value){.kind = NUMBER, .num = p->dport};
	return (struct value){UNKNOWN};
}

static struct value left_value(const struct nat_packet *p, const json_t *left, bool *other)
{
	const json_t *o = json_object_get(left, "meta");

	*other = false;
	if (o)
		return meta_value(p, text_of(o, "key"));
	o = json_object_get(left, "payload");
	if (o)
		return payload_value(p, o, other);
	o = json_object_get(left, "ct");
	if (o && !strcmp(text_of(o, "key"), "state"))
		return text_value(p->established ? "established" : "new");
	if (o && !strcmp(text_of(o, "key"), "status"))
		return text_value(p->established ? NULL : "none");
	return (struct value){UNKNOWN};
}

static enum tri match(const struct walk *w, const json_t *m)
{
	const char *op = text_of(m, "op");
	bool other;
	struct value v = left_value(w->p, json_object_get(m, "left"), &other);
	enum tri t;

	if (other)
		return NO;
	t = equals(w, &v, json_object_get(m, "right"));
	if (!strcmp(op, "==") || !strcmp(op, "in"))
		return t;
	if (!strcmp(op, "!="))
		return t == YES ? NO : t == NO ? YES : MAYBE;
	return MAYBE;
}

/* --- rules ---------------------------------------------------------------------------------- */

static enum verdict walk_chain(struct walk *w, const char *chain, unsigned depth);

/* What iptables-nft has of its own is an "xt". */
static bool is_xt(const json_t *st, const char *type, const char *name)
{
	const json_t *xt = json_object_get(st, "xt");

	return xt && !strcmp(text_of(xt, "type"), type) && !strcmp(text_of(xt, "name"), name);
}

/* A match that we cannot judge. */
static bool is_opaque(const json_t *st)
{
	const json_t *xt = json_object_get(st, "xt");

	if (json_object_get(st, "limit"))
		return true;
	return xt && strcmp(text_of(xt, "type"), "target") != 0 && !is_xt(st, "match", "comment");
}

/* A verdict of a rule or a verdict map; *is: it is one. */
static enum verdict verdict(struct walk *w, const json_t *st, unsigned depth, bool *is)
{
	const char *to;
	enum verdict v;

	*is = true;
	if (json_object_get(st, "accept"))
		return ACCEPT;
	if (json_object_get(st, "drop"))
		return DROP;
	if (json_object_get(st, "reject") || is_xt(st, "target", "REJECT"))
		return REJECT;
	if (json_object_get(st, "return"))
		return RETURN;
	to = text_of(json_object_get(st, "jump"), "target");
	if (*to) {
		v = depth < DEPTH ? walk_chain(w, to, depth + 1) : ON;
		return v == RETURN ? ON : v;
	}
	to = text_of(json_object_get(st, "goto"), "target");
	if (*to) {
		v = depth < DEPTH ? walk_chain(w, to, depth + 1) : ON;
		return v == ON ? RETURN : v;
	}
	*is = false;
	return ON;
}

static enum verdict vmap(struct walk *w, const json_t *map, unsigned depth, bool *is)
{
	const json_t *data = json_object_get(map, "data"), *list, *pair;
	const char *name = json_string_value(data);
	bool other;
	struct value v = left_value(w->p, json_object_get(map, "key"), &other);
	size_t i;

	list = name && *name == '@' ? elements(w, name + 1) : json_object_get(data, "set");
	*is = false;
	json_array_foreach(list, i, pair)
	{
		enum tri t = other ? NO : equals(w, &v, json_array_get(pair, 0));

		if (t == YES)
			return verdict(w, json_array_get(pair, 1), depth, is);
		if (t == MAYBE && json_object_get(json_array_get(pair, 1), "accept"))
			w->d->maybe = true;
	}
	return ON;
}

static enum verdict walk_rule(struct walk *w, const json_t *rule, const char *chain, unsigned depth)
{
	enum tri all = YES;
	const json_t *st;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, st)
	{
		const json_t *m = json_object_get(st, "match"), *map = json_object_get(st, "vmap");
		enum verdict v = ON;
		bool is = false;

		if (m)
			all = MIN(all, match(w, m));
		else if (is_opaque(st))
			all = MIN(all, MAYBE);
		if (all == NO)
			return ON;
		if (all == MAYBE) {
			w->d->maybe |= json_object_get(st, "accept") != NULL;
			continue;
		}
		v = map ? vmap(w, map, depth, &is) : verdict(w, st, depth, &is);
		if (!is || v == ON)
			continue;
		if ((v == DROP || v == REJECT) && !w->d->handle) {
			w->d->handle = (int)json_integer_value(json_object_get(rule, "handle"));
			w->d->reject = v == REJECT;
			snprintf(w->d->chain, sizeof(w->d->chain), "%s", chain);
		}
		return v;
	}
	return ON;
}

static enum verdict walk_chain(struct walk *w, const char *chain, unsigned depth)
{
	const json_t *item;
	size_t i;

	json_array_foreach(w->all, i, item)
	{
		const json_t *rule = json_object_get(item, "rule");
		enum verdict v;

		if (!rule || strcmp(text_of(rule, "chain"), chain) != 0 ||
		    strcmp(text_of(rule, "table"), w->table) != 0 ||
		    strcmp(text_of(rule, "family"), w->family) != 0)
			continue;
		v = walk_rule(w, rule, chain, depth);
		if (v != ON)
			return v;
	}
	return ON;
}

/* --- whole rulesets ------------------------------------------------------------------------- */

static enum nat_manager manager(const json_t *all, const char *family, const char *table)
{
	enum nat_manager found = NAT_MGR_OTHER;
	const json_t *item;
	size_t i;

	if (!strcmp(table, "firewalld"))
		return NAT_MGR_FIREWALLD;
	json_array_foreach(all, i, item)
	{
		const json_t *c = json_object_get(item, "chain");
		const char *name = text_of(c, "name");

		if (!c || strcmp(text_of(c, "family"), family) != 0 ||
		    strcmp(text_of(c, "table"), table) != 0)
			continue;
		if (!strncmp(name, "ufw-", 4) || !strncmp(name, "ufw6-", 5))
			return NAT_MGR_UFW;
		if (!strcmp(name, "DOCKER-USER"))
			found = NAT_MGR_DOCKER;
	}
	return found;
}

static bool sees(const json_t *c, const struct nat_packet *p)
{
	const char *family = text_of(c, "family");

	return !strcmp(text_of(c, "hook"), p->hook) && !strcmp(text_of(c, "type"), "filter") &&
	       !is_ours(text_of(c, "table")) &&
	       (!strcmp(family, "inet") || !strcmp(family, p->v6 ? "ip6" : "ip"));
}

unsigned nat_walk(const json_t *ruleset, const struct nat_packet *p, struct nat_drop *drops,
		  unsigned max)
{
	struct walk w = {.all = json_object_get(ruleset, "nftables"), .p = p};
	unsigned n = 0;
	const json_t *item;
	size_t i;

	json_array_foreach(w.all, i, item)
	{
		const json_t *c = json_object_get(item, "chain");
		enum verdict v;

		if (!c || !sees(c, p) || n == max)
			continue;
		w.family = text_of(c, "family");
		w.table = text_of(c, "table");
		w.d = &drops[n];
		*w.d = (struct nat_drop){.manager = manager(w.all, w.family, w.table)};
		v = walk_chain(&w, text_of(c, "name"), 0);
		if (v == ACCEPT)
			continue;
		if (v != DROP && v != REJECT) {
			if (strcmp(text_of(c, "policy"), "drop") != 0)
				continue;
			w.d->handle = 0;
			snprintf(w.d->chain, sizeof(w.d->chain), "%s", text_of(c, "name"));
		}
		snprintf(w.d->family, sizeof(w.d->family), "%s", w.family);
		snprintf(w.d->table, sizeof(w.d->table), "%s", w.table);
		snprintf(w.d->base, sizeof(w.d->base), "%s", text_of(c, "name"));
		n++;
	}
	return n;
}

void nat_walk_comments(const json_t *ruleset, const char *comment,
		       void (*fn)(const char *family, const char *table, const char *chain,
				  int handle, void *arg),
		       void *arg)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(ruleset, "nftables"), i, item)
	{
		const json_t *r = json_object_get(item, "rule");

		if (r && !strcmp(text_of(r, "comment"), comment))
			fn(text_of(r, "family"), text_of(r, "table"), text_of(r, "chain"),
			   (int)json_integer_value(json_object_get(r, "handle")), arg);
	}
}

bool nat_walk_forwards(const json_t *ruleset)
{
	const json_t *item, *st;
	size_t i, k;

	json_array_foreach(json_object_get(ruleset, "nftables"), i, item)
	{
		const json_t *r = json_object_get(item, "rule");

		if (!r || is_ours(text_of(r, "table")))
			continue;
		json_array_foreach(json_object_get(r, "expr"), k, st)
		{
			if (json_object_get(st, "masquerade") || json_object_get(st, "snat") ||
			    is_xt(st, "target", "MASQUERADE") || is_xt(st, "target", "SNAT"))
				return true;
		}
	}
	return false;
}
