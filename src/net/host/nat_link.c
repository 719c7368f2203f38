/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between guests and the holder of their network: see nat_link.h. */
#include "net/host/nat_link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static bool net_ok(const struct nat_net *n)
{
	if (!memchr(n->name, 0, sizeof(n->name)) || !nat_name_ok(n->name))
		return false;
	return (!n->prefix && !(n->given & NAT_GIVEN_NET)) ||
	       (n->prefix >= NAT_PREFIX_MIN && n->prefix <= NAT_PREFIX_MAX &&
		!(n->addr & ~nat_mask(n->prefix)));
}

static bool ok(struct nat_msg *m)
{
	if (m->magic != NAT_MAGIC || m->type > NAT_MSG_TELL || m->n > NAT_CARDS)
		return false;
	if ((m->type == NAT_MSG_HELLO || m->type == NAT_MSG_READY) && !net_ok(&m->net))
		return false;
	for (unsigned i = 0; i < m->n; i++)
		m->cards[i].name[sizeof(m->cards[i].name) - 1] = '\0';
	m->text[sizeof(m->text) - 1] = '\0';
	return true;
}

bool nat_msg_read(int fd, struct nat_msg *m, bool *again)
{
	ssize_t n;

	do {
		n = recv(fd, m, sizeof(*m), MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	*again = n < 0 && errno == EAGAIN;
	return n == sizeof(*m) && ok(m);
}

bool nat_msg_send(int fd, const struct nat_msg *m)
{
	ssize_t n;

	do {
		n = send(fd, m, sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n == sizeof(*m);
}
