/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to the kernel: one message out, messages in until the acknowledgement. libnl's own
 * error codes fold many errno values into few, so the error message is read by a callback of ours,
 * which also has the kernel's words (extended acknowledgement).
 */
#include "net/host/rtnl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "net/host/rtnl_priv.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define DUMP_TRIES 20 /* a dump that changes under our hands each time */

struct host_nl {
	struct nl_sock *sk;
	/* of the request that is under way */
	host_nl_fn *fn;
	void *arg;
	bool done, torn;
	int rc;		 /* 0 or -errno */
	char words[160]; /* the kernel's, for rc */
};

static int on_valid(struct nl_msg *msg, void *opaque)
{
	struct host_nl *nl = opaque;
	struct nlmsghdr *n = nlmsg_hdr(msg);

	if (n->nlmsg_flags & NLM_F_DUMP_INTR)
		nl->torn = true;
	if (nl->fn && !nl->rc)
		nl->rc = nl->fn(n, nl->arg);
	return NL_OK;
}

static int on_done(struct nl_msg *msg, void *opaque)
{
	struct host_nl *nl = opaque;

	if (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP_INTR)
		nl->torn = true;
	nl->done = true;
	return NL_STOP;
}

static int on_torn(struct nl_msg *msg, void *opaque)
{
	struct host_nl *nl = opaque;

	(void)msg;
	nl->torn = true;
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *opaque)
{
	struct host_nl *nl = opaque;
	struct nlmsghdr *n = (struct nlmsghdr *)(void *)((char *)err - NLMSG_HDRLEN);
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];
	int skip = sizeof(*err);

	(void)from;
	nl->done = true;
	if (!nl->rc)
		nl->rc = err->error;
	if (!(n->nlmsg_flags & NLM_F_ACK_TLVS))
		return NL_STOP;
	if (!(n->nlmsg_flags & NLM_F_CAPPED))
		skip += (int)(err->msg.nlmsg_len - NLMSG_HDRLEN);
	if (!nlmsg_parse(n, skip, tb, NLMSGERR_ATTR_MAX, NULL) && tb[NLMSGERR_ATTR_MSG])
		nla_strlcpy(nl->words, tb[NLMSGERR_ATTR_MSG], sizeof(nl->words));
	return NL_STOP;
}

struct host_nl *host_nl_open(struct err *e)
{
	struct host_nl *nl = calloc(1, sizeof(*nl));
	int one = 1, rc;

	if (nl)
		nl->sk = nl_socket_alloc();
	if (!nl || !nl->sk) {
		free(nl);
		err_set(e, ENOMEM, "netlink: out of memory");
		return NULL;
	}
	nl_socket_modify_cb(nl->sk, NL_CB_VALID, NL_CB_CUSTOM, on_valid, nl);
	nl_socket_modify_cb(nl->sk, NL_CB_FINISH, NL_CB_CUSTOM, on_done, nl);
	nl_socket_modify_cb(nl->sk, NL_CB_ACK, NL_CB_CUSTOM, on_done, nl);
	nl_socket_modify_cb(nl->sk, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_torn, nl);
	nl_socket_modify_err_cb(nl->sk, NL_CB_CUSTOM, on_error, nl);
	rc = nl_connect(nl->sk, NETLINK_ROUTE);
	if (rc < 0) {
		err_set(e, EPROTONOSUPPORT, "netlink: no rtnetlink socket: %s", nl_geterror(rc));
		host_nl_close(nl);
		return NULL;
	}
	nl_socket_set_msg_buf_size(nl->sk, 64 << 10);
	/* Kernels without them say less, nothing else. */
	setsockopt(nl_socket_get_fd(nl->sk), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(nl->sk), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return nl;
}

void host_nl_close(struct host_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sk);
	free(nl);
}

struct nl_msg *host_nl_msg(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg && nlmsg_append(msg, (void *)(uintptr_t)head, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int fail(struct host_nl *nl, struct err *e, const char *what)
{
	int code = -nl->rc;

	if (code == EPERM)
		return err_set(e, EPERM, "%s: not permitted: this takes root (CAP_NET_ADMIN)",
			       what);
	if (code == ENODEV)
		return err_set(e, ENODEV, "%s: there is no such interface: ip link lists them",
			       what);
	return err_set(e, code, "%s: %s", what, nl->words[0] ? nl->words : strerror(code));
}

/* One request; nl->rc, nl->torn say what came of it. */
static void talk(struct host_nl *nl, struct nl_msg *msg)
{
	int rc;

	nl->done = nl->torn = false;
	nl->rc = 0;
	nl->words[0] = 0;
	rc = nl_send_auto(nl->sk, msg);
	while (rc >= 0 && !nl->done) {
		rc = nl_recvmsgs_default(nl->sk);
		if (rc == -NLE_DUMP_INTR) {
			nl->torn = true;
			rc = 0;
		}
		if (nl->done)
			break;
		if (rc == -NLE_INTR)
			rc = 0;
	}
	if (!nl->done && !nl->rc) {
		nl->rc = -EIO;
		snprintf(nl->words, sizeof(nl->words), "netlink: %s", nl_geterror(rc));
	}
}

int host_nl_talk(struct host_nl *nl, struct nl_msg *msg, host_nl_fn *fn, void *arg, struct err *e,
		 const char *what, ...)
{
	char name[128];
	va_list ap;

	va_start(ap, what);
	vsnprintf(name, sizeof(name), what, ap);
	va_end(ap);
	if (!msg)
		return err_set(e, ENOMEM, "%s: out of memory", name);
	nl->fn = fn;
	nl->arg = arg;
	talk(nl, msg);
	nlmsg_free(msg);
	return nl->rc ? fail(nl, e, name) : 0;
}

int host_nl_dump(struct host_nl *nl, int type, const void *head, size_t len, host_nl_fn *fn,
		 void (*reset)(void *arg), void *arg, struct err *e, const char *what)
{
	for (int i = 0; i < DUMP_TRIES; i++) {
		struct nl_msg *msg = host_nl_msg(type, NLM_F_DUMP, head, len);
		int rc = host_nl_talk(nl, msg, fn, arg, e, "%s", what);

		if (rc || !nl->torn)
			return rc;
		reset(arg);
	}
	return err_set(e, EAGAIN, "%s: they change faster than they can be read", what);
}

void *host_list_add(struct host_list *l)
{
	void *to;

	if (l->n == l->room) {
		int room = l->room ? 2 * l->room : 16;
		void *v = realloc(l->v, (size_t)room * l->size);

		if (!v)
			return NULL;
		l->v = v;
		l->room = room;
	}
	to = (char *)l->v + (size_t)l->n++ * l->size;
	return memset(to, 0, l->size);
}

void host_list_reset(void *list)
{
	((struct host_list *)list)->n = 0;
}

/* out: the address of the caller's pointer, NULL for an empty list or an error. */
int host_list_done(struct host_list *l, int rc, void *out)
{
	void **to = out;

	*to = NULL;
	if (rc < 0) {
		free(l->v);
		return rc;
	}
	*to = l->v;
	return l->n;
}

bool host_attr(const struct nlattr *a, void *to, size_t want)
{
	if (!a || nla_len(a) < (int)want)
		return false;
	memcpy(to, nla_data(a), want);
	return true;
}
