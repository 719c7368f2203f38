/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nftables, by libnftables: see nft.h. The library writes errors into a buffer, in several lines
 * with the rule and a marker below; the first line has the reason.
 */
#include "net/host/nft.h"

#include <errno.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct host_nft {
	struct nft_ctx *ctx;
};

static int explain(struct host_nft *n, struct err *e)
{
	static const struct {
		const char *text;
		int code;
	} known[] = {
		{"Operation not permitted", EPERM},
		{"Permission denied", EPERM},
		{"not supported", EOPNOTSUPP},
		{"No such file", ENOENT},
		{"File exists", EEXIST},
		{NULL, EINVAL},
	};
	const char *text = nft_ctx_get_error_buffer(n->ctx);
	const char *at = text ? strstr(text, "Error: ") : NULL;
	unsigned i = 0;

	text = at ? at + strlen("Error: ") : text ? text : "";
	while (known[i].text && !strstr(text, known[i].text))
		i++;
	if (known[i].code == EPERM)
		return err_set(e, EPERM,
			       "nftables: not permitted: it takes CAP_NET_ADMIN; run as root");
	if (!*text)
		return err_set(e, EIO, "nftables: the library gave no reason");
	return err_set(e, known[i].code, "nftables: %.*s", (int)strcspn(text, "\n"), text);
}

/* The library would end the process if it could not have its socket. */
static int try_socket(struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return err_set(e, errno,
			       "nftables: this kernel has no nfnetlink (%s); load it: modprobe "
			       "nf_tables",
			       strerror(errno));
	close(fd);
	return 0;
}

struct host_nft *host_nft_open(struct err *e)
{
	struct host_nft *n;
	char *tables;

	if (try_socket(e))
		return NULL;
	n = calloc(1, sizeof(*n));
	if (n)
		n->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!n || !n->ctx || nft_ctx_buffer_error(n->ctx) || nft_ctx_buffer_output(n->ctx)) {
		err_set(e, ENOMEM, "nftables: out of memory");
		host_nft_close(n);
		return NULL;
	}
	tables = host_nft_text(n, "list tables", e);
	if (!tables) {
		if (e->code != EPERM)
			err_set(e, e->code,
				"nftables: this kernel does not have it: modprobe nf_tables");
		host_nft_close(n);
		return NULL;
	}
	free(tables);
	return n;
}

void host_nft_close(struct host_nft *n)
{
	if (!n)
		return;
	if (n->ctx)
		nft_ctx_free(n->ctx);
	free(n);
}

static int run(struct host_nft *n, const char *text, unsigned flags, struct err *e)
{
	nft_ctx_output_set_flags(n->ctx, flags);
	return nft_run_cmd_from_buffer(n->ctx, text) ? explain(n, e) : 0;
}

int host_nft_run(struct host_nft *n, const char *text, struct err *e)
{
	return run(n, text, 0, e);
}

static char *answer(struct host_nft *n, const char *command, unsigned flags, struct err *e)
{
	const char *text;
	char *copy;

	if (run(n, command, flags, e))
		return NULL;
	text = nft_ctx_get_output_buffer(n->ctx);
	copy = text ? strdup(text) : NULL;
	if (!copy)
		err_set(e, ENOMEM, "nftables: out of memory");
	return copy;
}

char *host_nft_text(struct host_nft *n, const char *command, struct err *e)
{
	return answer(n, command, NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE, e);
}

char *host_nft_json(struct host_nft *n, const char *command, struct err *e)
{
	return answer(n, command, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_PRIO, e);
}
