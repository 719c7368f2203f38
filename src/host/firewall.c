/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firewalls: see firewall.h. Rules of iptables-nft, firewalld, ufw, docker and plain nftables are
 * all in the kernel's one ruleset; what matters here are chains at the forward hook whose policy
 * is drop, or that end in a rule without a condition that drops or rejects. Names tell whose they
 * are.
 */
#include "host/firewall.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is known of a chain while its lines go by. */
struct chain {
	char table[64], name[64];
	bool forward, policy_drop, drops;
};

/* Does the whole ruleset have chains of this name? Then that firewall is there. */
static const char *owner(const char *ruleset, const struct chain *c)
{
	if (strstr(c->table, " firewalld"))
		return "firewalld";
	if (strstr(c->table, " filter") && strstr(ruleset, "chain ufw-before-forward"))
		return "ufw";
	if (strstr(c->table, " filter") && strstr(ruleset, "chain DOCKER"))
		return "docker";
	return NULL;
}

static void add(const char *ruleset, const struct chain *c, struct firewall *f)
{
	const char *who = owner(ruleset, c);

	if (who)
		snprintf(f->who, sizeof(f->who), "%s", who);
	else
		snprintf(f->who, sizeof(f->who), "table %.50s", c->table);
	snprintf(f->rule, sizeof(f->rule), "chain %s %s %s", c->table, c->name,
		 c->policy_drop ? "has policy drop" : "ends in a rule that drops all");
}

/* One line of a chain's body. */
static void body(const char *line, size_t n, struct chain *c)
{
	char text[256];

	snprintf(text, sizeof(text), "%.*s", (int)(n < sizeof(text) ? n : sizeof(text) - 1), line);
	if (strstr(text, "hook forward")) {
		c->forward = true;
		c->policy_drop = strstr(text, "policy drop");
		return;
	}
	/* Without a condition: the verdict is what the line begins with, but for a counter. */
	if (!strncmp(text, "counter ", 8)) {
		char *verdict = strstr(text, "drop");

		if (!verdict)
			verdict = strstr(text, "reject");
		c->drops = verdict && !strstr(text, "comment");
		return;
	}
	c->drops = !strncmp(text, "drop", 4) || !strncmp(text, "reject", 6);
}

int firewall_find(const char *ruleset, struct firewall *f, int max)
{
	struct chain c = {0};
	const char *line = ruleset;
	bool in_chain = false;
	int n = 0;

	while (*line && n < max) {
		size_t len;

		line += strspn(line, " \t");
		len = strcspn(line, "\n");
		if (!strncmp(line, "table ", 6)) {
			snprintf(c.table, sizeof(c.table), "%.*s", (int)strcspn(line + 6, "{\n"),
				 line + 6);
			c.table[strcspn(c.table, "{")] = 0;
			if (c.table[0] && c.table[strlen(c.table) - 1] == ' ')
				c.table[strlen(c.table) - 1] = 0;
		} else if (!strncmp(line, "chain ", 6)) {
			snprintf(c.name, sizeof(c.name), "%.*s", (int)strcspn(line + 6, " {\n"),
				 line + 6);
			c.forward = c.policy_drop = c.drops = false;
			in_chain = true;
		} else if (in_chain && *line == '}') {
			/* vmwire's own tables drop what they shall. */
			if (c.forward && (c.policy_drop || c.drops) && !strstr(c.table, "vmwire"))
				add(ruleset, &c, &f[n++]);
			in_chain = false;
		} else if (in_chain && len) {
			body(line, len, &c);
		}
		line += len + (line[len] == '\n');
	}
	return n;
}

int firewall_list(struct firewall *f, int max, struct err *e)
{
	struct nft_ctx *ctx;
	int n = 0;

	if (geteuid() != 0)
		return err_set(e, EPERM, "root only may read the firewall's rules");
	ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ctx)
		return err_set(e, ENOMEM, "libnftables: no context");
	nft_ctx_buffer_output(ctx);
	nft_ctx_buffer_error(ctx);
	if (!nft_run_cmd_from_buffer(ctx, "list ruleset"))
		n = firewall_find(nft_ctx_get_output_buffer(ctx), f, max);
	nft_ctx_free(ctx);
	return n;
}
