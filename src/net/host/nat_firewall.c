/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other firewalls: see nat_firewall.h. A rule of theirs that drops cannot be overruled from a table
 * of our own: a packet has to be accepted in every table that looks at it. So it is found
 * (nat_walk.c) and named, or, with firewall=adjust, a rule that accepts goes in front, into
 * Docker's own chain for that where there is one. What may really pass is still decided by our
 * table.
 *
 * The ruleset is read by a child process, table by table: a host may have a hundred thousand rules,
 * whose memory goes with the child, and a crash of libnftables is not one of the network (see
 * host_nft_json(): tables with an owner are left out, and those that go by another name than ours
 * are not judged).
 */
#include "net/host/nat_firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

#define DROPS	    16
#define RULESET_MAX (64u << 20)

/* --- reading -------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *text)
{
	size_t len = strlen(text), done = 0;

	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR)
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Writes the JSON of one table, "table ip filter", to fd; not if it is ours, or has an owner. */
static bool list_table(struct host_nft *nft, const char *table, int fd)
{
	char command[2 * NAT_IDENT], *text;
	struct err e;
	bool good, owned;

	if (strstr(table, " vmwire-"))
		return true;
	snprintf(command, sizeof(command), "list %s", table);
	text = host_nft_text(nft, command, &e);
	if (!text) /* it has just gone */
		return true;
	owned = strstr(text, "\n\tflags owner") != NULL;
	free(text);
	text = owned ? NULL : host_nft_json(nft, command, &e);
	good = !text || write_all(fd, text);
	free(text);
	return good;
}

static void list_ruleset(int fd) __attribute__((noreturn));
static void list_ruleset(int fd)
{
	struct err e;
	struct host_nft *nft = host_nft_open(&e);
	char *tables = nft ? host_nft_text(nft, "list tables", &e) : NULL, *save = NULL;
	bool good = tables != NULL;

	for (char *t = tables ? strtok_r(tables, "\n", &save) : NULL; t && good;
	     t = strtok_r(NULL, "\n", &save))
		good = list_table(nft, t, fd);
	_exit(!good);
}

static char *read_all(int fd)
{
	size_t size = 0, len = 0;
	char *text = NULL;

	for (;;) {
		ssize_t n;

		if (size - len < 2) {
			char *more = size < RULESET_MAX ? realloc(text, size + 65536) : NULL;

			if (!more)
				break;
			text = more;
			size += 65536;
		}
		n = read(fd, text + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (text)
		text[len] = '\0';
	return text;
}

/* Several answers, one behind the other, as one. */
static json_t *parse(const char *text)
{
	json_t *all = json_pack("{s:[]}", "nftables");

	for (text += strspn(text, "\n"); all && *text; text += strspn(text, "\n")) {
		json_error_t at;
		json_t *one = json_loads(text, JSON_DISABLE_EOF_CHECK, &at);

		if (!one) {
			json_decref(all);
			return NULL;
		}
		json_array_extend(json_object_get(all, "nftables"),
				  json_object_get(one, "nftables"));
		json_decref(one);
		text += at.position;
	}
	return all;
}

/* NULL: see e. */
static json_t *ruleset(struct err *e)
{
	json_t *all = NULL;
	int fds[2], status = 0;
	char *text;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC)) {
		err_set(e, errno, "firewall: %s", strerror(errno));
		return NULL;
	}
	pid = fork();
	if (!pid)
		list_ruleset(fds[1]);
	close(fds[1]);
	text = pid > 0 ? read_all(fds[0]) : NULL;
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && text && WIFEXITED(status) && !WEXITSTATUS(status))
		all = parse(text);
	free(text);
	if (!all)
		err_set(e, EIO, "firewall: cannot read the host's rules (nft -j list ruleset)");
	return all;
}

/* --- what must pass ------------------------------------------------------------------------- */

unsigned nat_firewall_packets(const struct nat_firewall *f, struct nat_packet *p, unsigned max)
{
	const struct nat_net *net = f->net;
	const char *br = net->name;
	uint32_t guest = nat_halves(net).reserved[0];
	bool out = net->mode != NAT_ISOLATED && f->uplink;
	const struct {
		bool on;
		struct nat_packet p;
	} all[] = {
		{true,
		 {"from guests that ask for an address (DHCP)", "input", .iif = br, .l4 = "udp",
		  .dport = 67}},
		{true,
		 {"from guests that ask for names (DNS)", "input", .iif = br, .saddr = guest,
		  .daddr = nat_host(net), .l4 = "udp", .dport = 53}},
		{out,
		 {"from guests to the outside", "forward", .iif = br, .oif = f->uplink,
		  .saddr = guest, .l4 = "tcp"}},
		{out,
		 {"from the outside to guests", "forward", .iif = f->uplink, .oif = br,
		  .daddr = guest, .l4 = "tcp", .established = true}},
		{out && net->v6,
		 {"from guests to the outside (IPv6)", "forward", .v6 = true, .iif = br,
		  .oif = f->uplink, .l4 = "tcp"}},
		{f->bridge_nf,
		 {"between guests", "forward", .iif = br, .oif = br, .saddr = guest, .l4 = "tcp"}},
	};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all) && n < max; i++) {
		if (all[i].on)
			p[n++] = all[i].p;
	}
	return n;
}

/* --- words and rules ------------------------------------------------------------------------ */

static void remedy(const struct nat_net *net, const struct nat_packet *p, const struct nat_drop *d,
		   char *text, size_t size)
{
	const char *br = net->name;
	bool in = !strcmp(p->hook, "input");

	switch (d->manager) {
	case NAT_MGR_FIREWALLD:
		snprintf(text, size, "firewall-cmd --zone=trusted --add-interface=%s", br);
		break;
	case NAT_MGR_UFW:
		if (in)
			snprintf(text, size, "ufw allow in on %s", br);
		else
			snprintf(text, size, "ufw route allow in on %s; ufw route allow out on %s",
				 br, br);
		break;
	case NAT_MGR_DOCKER:
		if (!in) {
			snprintf(text, size,
				 "iptables -I DOCKER-USER -i %s -j ACCEPT; "
				 "iptables -I DOCKER-USER -o %s -j ACCEPT",
				 br, br);
			break;
		}
		/* fall through */
	default:
		snprintf(text, size, "nft insert rule %s %s %s %s %s accept", d->family, d->table,
			 d->base, p->iif && !strcmp(p->iif, br) ? "iifname" : "oifname", br);
	}
}

void nat_firewall_explain(const struct nat_net *net, const struct nat_packet *p,
			  const struct nat_drop *d, char *text, size_t size)
{
	static const char *const who[] = {
		[NAT_MGR_OTHER] = "",
		[NAT_MGR_DOCKER] = " of Docker",
		[NAT_MGR_UFW] = " of ufw",
		[NAT_MGR_FIREWALLD] = " of firewalld",
	};
	char what[64], how[400];

	remedy(net, p, d, how, sizeof(how));
	if (d->handle)
		snprintf(what, sizeof(what), "rule with handle %d (%s)", d->handle,
			 d->reject ? "reject" : "drop");
	else
		snprintf(what, sizeof(what), "policy drop");
	snprintf(text, size,
		 "packets %s %s dropped by the host's firewall%s: table %s %s, chain %s, %s; "
		 "let them through: %s%s",
		 p->what, d->maybe ? "may be" : "are", who[d->manager], d->family, d->table,
		 d->chain, what, how, net->adjust ? "" : "; or give firewall=adjust");
}

char *nat_firewall_rules(const struct nat_net *net, const struct nat_packet *p,
			 const struct nat_drop *d)
{
	static const char *const to_host[] = {"udp dport 67", "udp dport 53", "tcp dport 53",
					      "icmp type echo-request", NULL};
	static const char *const to_host6[] = {"udp dport 547", "udp dport 53", "tcp dport 53",
					       "meta l4proto ipv6-icmp", NULL};
	static const char *const only6[] = {"udp dport 547", "meta l4proto ipv6-icmp", NULL};
	bool in = !strcmp(p->hook, "input"), v6 = !strcmp(d->family, "ip6");
	const char *chain = d->manager == NAT_MGR_DOCKER && !in ? "DOCKER-USER" : d->base;
	const char *const *m = v6 ? to_host6 : to_host;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (; in && *m; m++)
		fprintf(f,
			"insert rule %s %s %s iifname \"%s\" %s counter accept comment "
			"\"vmwire:%s\"\n",
			d->family, d->table, chain, net->name, *m, net->name);
	/* A table of both families: what only IPv6 needs, besides. */
	for (m = only6; in && !strcmp(d->family, "inet") && *m; m++)
		fprintf(f,
			"insert rule inet %s %s iifname \"%s\" %s counter accept comment "
			"\"vmwire:%s\"\n",
			d->table, chain, net->name, *m, net->name);
	for (unsigned i = 0; !in && i < 2; i++)
		fprintf(f, "insert rule %s %s %s %s \"%s\" counter accept comment \"vmwire:%s\"\n",
			d->family, d->table, chain, i ? "oifname" : "iifname", net->name,
			net->name);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* --- looking -------------------------------------------------------------------------------- */

/* What one look found: a drop for each base chain. */
struct found {
	struct nat_drop drops[DROPS];
	struct nat_packet packets[DROPS]; /* the first that each drops */
	unsigned n;
};

static void look_once(const struct nat_firewall *f, const json_t *all, struct found *found)
{
	struct nat_packet p[8];
	unsigned np = nat_firewall_packets(f, p, ARRAY_SIZE(p));

	found->n = 0;
	for (unsigned i = 0; i < np; i++) {
		struct nat_drop d[DROPS];
		unsigned nd = nat_walk(all, &p[i], d, DROPS);

		for (unsigned k = 0; k < nd && found->n < DROPS; k++) {
			bool known = false;

			for (unsigned j = 0; j < found->n; j++)
				known |= !strcmp(d[k].family, found->drops[j].family) &&
					 !strcmp(d[k].table, found->drops[j].table) &&
					 !strcmp(d[k].base, found->drops[j].base);
			if (known)
				continue;
			found->drops[found->n] = d[k];
			found->packets[found->n++] = p[i];
		}
	}
}

/* True when something was put in. */
static bool adjust(const struct nat_firewall *f, const struct found *found)
{
	bool any = false;

	for (unsigned i = 0; i < found->n; i++) {
		char *text = nat_firewall_rules(f->net, &found->packets[i], &found->drops[i]);
		struct err e;

		/* What cannot be put in is still found by the next look, and named. */
		any |= text && !host_nft_run(f->nft, text, &e);
		free(text);
	}
	return any;
}

int nat_firewall_look(const struct nat_firewall *f, char notes[NAT_NOTES], struct err *e)
{
	struct found found;
	size_t len = 0;
	json_t *all = ruleset(e);

	*notes = '\0';
	if (!all)
		return -e->code;
	look_once(f, all, &found);
	json_decref(all);
	if (f->net->adjust && found.n && adjust(f, &found)) {
		all = ruleset(e);
		if (!all)
			return -e->code;
		look_once(f, all, &found);
		json_decref(all);
	}
	for (unsigned i = 0; i < found.n; i++) {
		char line[900];

		nat_firewall_explain(f->net, &found.packets[i], &found.drops[i], line,
				     sizeof(line));
		if (len + strlen(line) + 2 > NAT_NOTES)
			break;
		len += (size_t)sprintf(notes + len, "%s%s", len ? "\n" : "", line);
	}
	return 0;
}

struct deletion {
	FILE *f;
	unsigned n;
};

static void delete_rule(const char *family, const char *table, const char *chain, int handle,
			void *arg)
{
	struct deletion *d = arg;

	fprintf(d->f, "delete rule %s %s %s handle %d\n", family, table, chain, handle);
	d->n++;
}

int nat_firewall_clean(struct host_nft *nft, const char *bridge, struct err *e)
{
	char comment[NAT_NAME + 8], *text = NULL;
	struct deletion d = {0};
	json_t *all = ruleset(e);
	size_t len;
	int rc = 0;

	if (!all)
		return -e->code;
	snprintf(comment, sizeof(comment), "vmwire:%s", bridge);
	d.f = open_memstream(&text, &len);
	if (d.f)
		nat_walk_comments(all, comment, delete_rule, &d);
	json_decref(all);
	if (!d.f || fclose(d.f))
		rc = err_set(e, ENOMEM, "firewall: out of memory");
	else if (d.n)
		rc = host_nft_run(nft, text, e);
	free(text);
	return rc;
}

bool nat_firewall_others_forward(void)
{
	struct err e;
	json_t *all = ruleset(&e);
	bool yes = all && nat_walk_forwards(all);

	json_decref(all);
	return yes;
}
