/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving a card another backend while traffic flows.
 *
 * The wire's loops are parked, that is, each is between two callbacks: no push, lend or commit is
 * under way, and since nothing is queued between ports, every frame is either at its sender or
 * with its receiver. Then the new backend is attached (it may fail: all stays as it was), the old
 * one detached, and the pointers change. The card itself is not attached anew: its loops,
 * doorbells and interrupts stay.
 *
 * What the old wire may have left behind: a card that waits for the old backend's resume gets
 * one; a frame of the card's that was cut into segments, some of them sent, goes on where it
 * stopped (part[] stays); a frame that the old backend holds for the card stays with it.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "net/port/internal.h"

static int check(const struct net_port *nic, struct net_port *with, struct err *e)
{
	if (with->peer)
		return err_set(e, EBUSY, "%s is joined to %s already", with->name,
			       with->peer->name);
	if (!nic->nqueues)
		return err_set(e, ENOTCONN, "%s was never joined: it has no event loop yet",
			       nic->name);
	net_ask_caps(with);
	if (with->caps.queues < nic->nqueues)
		return err_set(e, ENOTSUP,
			       "%s has %u queue%s, but %s uses %u; give the backend as many",
			       with->name, with->caps.queues, with->caps.queues == 1 ? "" : "s",
			       nic->name, nic->nqueues);
	return 0;
}

/* The new backend learns its wire; nic does not know yet. */
static int attach_new(struct net_port *nic, struct net_port *with, struct err *e)
{
	int rc;

	with->peer = nic;
	net_show_caps(nic, with);
	with->nqueues = nic->nqueues;
	memcpy(with->loop, nic->loop, sizeof(with->loop));
	memset(with->part, 0, sizeof(with->part));
	rc = with->ops->attach(with, e);
	if (rc)
		with->peer = NULL;
	return rc;
}

static struct net_port *detach_old(struct net_port *nic)
{
	struct net_port *old = nic->peer;

	if (!old)
		return NULL;
	/* What the card has lent to the backend's kernel path comes back first. */
	if (nic->peer_caps.vhost && nic->ops->peer_caps_changed) {
		nic->peer_caps.vhost = NULL;
		nic->ops->peer_caps_changed(nic);
	}
	old->ops->detach(old);
	old->peer = NULL;
	memset(old->part, 0, sizeof(old->part));
	return old;
}

/* Tells the card what is new, and sets it going again. */
static void start(struct net_port *nic, bool was_up)
{
	bool up = net_link_is_up(nic);

	if (nic->ops->peer_caps_changed)
		nic->ops->peer_caps_changed(nic);
	if (was_up != up && nic->ops->link)
		nic->ops->link(nic, up);
	for (unsigned q = 0; q < nic->nqueues; q++) {
		nic->ops->resume(nic, q);
		nic->peer->ops->resume(nic->peer, q);
	}
	if (nic->ops->announce)
		nic->ops->announce(nic);
}

int net_replug(struct net_port *nic, struct net_port *with, struct net_port **old, struct err *e)
{
	struct net_port *was;
	unsigned mask;
	bool was_up;
	int rc;

	assert(nic != with);
	*old = NULL;
	mask = net_park(nic->loop, nic->nqueues);
	rc = check(nic, with, e);
	if (!rc)
		rc = attach_new(nic, with, e);
	if (!rc) {
		was_up = net_link_is_up(nic);
		/* A card left without a wire was detached when it lost it. */
		was = detach_old(nic);
		nic->peer = with;
		net_show_caps(with, nic);
		if (!was)
			rc = nic->ops->attach(nic, e);
		if (rc) {
			with->ops->detach(with);
			nic->peer = with->peer = NULL;
		} else {
			*old = was;
			start(nic, was_up);
		}
	}
	net_unpark(nic->loop, nic->nqueues, mask);
	return rc;
}

/* As it was before; a backend that cannot come back leaves both ends without a wire. */
static void undo(struct net_port *nic, struct net_port *was, struct loop *const *loop, unsigned n)
{
	struct err e;

	if (was && net_join(nic, was, loop, n, &e))
		log_err(&e);
}

int net_rejoin(struct net_port *nic, struct net_port *with, struct loop *const *loop,
	       unsigned nloops, struct net_port **old, struct err *e)
{
	struct loop *was_on[NET_QUEUES];
	struct net_port *was = nic->peer;
	unsigned was_n = nic->nqueues, mask_old, mask_new;
	bool was_up = net_link_is_up(nic), up;
	int rc;

	assert(nic != with);
	*old = NULL;
	if (with->peer)
		return err_set(e, EBUSY, "%s is joined to %s already", with->name,
			       with->peer->name);
	memcpy(was_on, nic->loop, sizeof(was_on));
	mask_old = net_park(was_on, was_n);
	mask_new = net_park(loop, nloops);
	net_unjoin(nic);
	rc = net_join(nic, with, loop, nloops, e);
	if (rc) {
		undo(nic, was, was_on, was_n);
	} else {
		*old = was;
		up = net_link_is_up(nic);
		if (was_up != up && nic->ops->link)
			nic->ops->link(nic, up);
		if (nic->ops->announce)
			nic->ops->announce(nic);
	}
	net_unpark(loop, nloops, mask_new);
	net_unpark(was_on, was_n, mask_old);
	return rc;
}
