/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The holder of a NAT network: see nat.h. One thread, one event loop; asleep unless a guest comes
 * or goes, dnsmasq ends, or somebody changes the host's firewall.
 *
 * Making and removing are done with NAT_RUN locked. A guest that connects while the last one
 * leaves is found by looking at the listening socket once more under the lock; one that connects
 * later finds no socket, or sees its connection close, and starts another holder, which waits for
 * the lock.
 */
#include "net/host/nat_holder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "net/host/nat_dns.h"
#include "net/host/nat_host.h"
#include "net/host/nat_link.h"
#include "net/host/nat_rules.h"

#define GUESTS	     1024
#define LOOK_WAIT_NS (500 * NS_PER_MS) /* a firewall's reload is many changes */
#define DNS_WAIT_NS  NS_PER_S
#define DNS_WAIT_MAX (60 * NS_PER_S)

struct holder;

struct guest {
	struct loop_fd w;
	struct holder *h;
	int fd; /* -1: this place is free */
	unsigned n;
	struct nat_card cards[NAT_CARDS];
};

struct holder {
	struct loop *loop;
	struct nat_net net;
	char dir[NAT_PATH];
	struct host_nl *nl;
	struct host_nft *nft;
	int bridge; /* index, 0: none */
	int listen, sig, rules;
	struct loop_fd listen_w, sig_w, rules_w;
	struct loop_timer look, dns_again;
	uint64_t dns_wait;
	struct nat_dns dns;
	char notes[NAT_NOTES];
	struct guest *guests[GUESTS];
	unsigned nguests; /* places in use or free again */
};

/* --- guests --------------------------------------------------------------------------------- */

static unsigned all_cards(const struct holder *h, const struct guest *but, struct nat_card **list)
{
	unsigned n = 0;

	*list = calloc((size_t)h->nguests * NAT_CARDS + 1, sizeof(**list));
	for (unsigned i = 0; *list && i < h->nguests; i++) {
		const struct guest *g = h->guests[i];

		if (g == but || g->fd < 0)
			continue;
		memcpy(*list + n, g->cards, g->n * sizeof(g->cards[0]));
		n += g->n;
	}
	return n;
}

static void send_text(struct holder *h, int fd, enum nat_msg_type type, const char *text)
{
	struct nat_msg m = {.magic = NAT_MAGIC, .type = type, .net = h->net};

	snprintf(m.text, sizeof(m.text), "%s", text);
	nat_msg_send(fd, &m);
}

static void tell_all(struct holder *h, const char *text)
{
	for (unsigned i = 0; i < h->nguests; i++) {
		if (h->guests[i]->fd >= 0)
			send_text(h, h->guests[i]->fd, NAT_MSG_TELL, text);
	}
}

static void update_dns(struct holder *h)
{
	struct nat_card *all;
	unsigned n = all_cards(h, NULL, &all);
	struct err e;

	if (all && nat_dns_update(&h->dns, all, n, &e))
		tell_all(h, e.text);
	free(all);
}

static void take_down_if_empty(struct holder *h);

static void leave(struct guest *g)
{
	struct holder *h = g->h;

	loop_del_fd(h->loop, &g->w);
	close(g->fd);
	g->fd = -1;
	for (unsigned i = 0; i < g->n; i++)
		nat_dns_release(&h->dns, &g->cards[i]);
	if (g->n)
		update_dns(h);
	g->n = 0;
	take_down_if_empty(h);
}

/* The guest's cards, each with an address and a name. */
static void take_cards(struct guest *g, struct nat_msg *m)
{
	struct nat_card *all;
	unsigned n = all_cards(g->h, g, &all), kept = 0;

	for (unsigned i = 0; all && i < m->n; i++) {
		struct nat_card *c = &m->cards[i];
		struct nat_card *grown;

		nat_unique(c, all, n);
		c->addr = nat_reserve(&g->h->net, c, all, n);
		if (!c->addr)
			continue; /* dnsmasq's other half may still have one */
		grown = realloc(all, (n + 1) * sizeof(*all));
		if (!grown)
			break;
		all = grown;
		all[n++] = *c;
		g->cards[kept++] = *c;
	}
	free(all);
	g->n = kept;
	update_dns(g->h);
	memcpy(m->cards, g->cards, sizeof(m->cards));
	m->n = kept;
	m->net = g->h->net;
	if (!nat_msg_send(g->fd, m))
		leave(g);
}

static void greet(struct guest *g, struct nat_msg *m)
{
	struct err e;

	if (nat_agree(&g->h->net, &m->net, &e))
		send_text(g->h, g->fd, NAT_MSG_SORRY, e.text);
	else
		send_text(g->h, g->fd, NAT_MSG_READY, g->h->notes);
}

static void guest_event(struct loop_fd *w, uint32_t events)
{
	struct guest *g = container_of(w, struct guest, w);
	struct nat_msg m;
	bool again;

	(void)events;
	while (nat_msg_read(g->fd, &m, &again)) {
		if (m.type == NAT_MSG_HELLO)
			greet(g, &m);
		else if (m.type == NAT_MSG_CARDS)
			take_cards(g, &m);
		if (g->fd < 0)
			return;
	}
	if (!again)
		leave(g);
}

static struct guest *place(struct holder *h)
{
	for (unsigned i = 0; i < h->nguests; i++) {
		if (h->guests[i]->fd < 0)
			return h->guests[i];
	}
	if (h->nguests == GUESTS)
		return NULL;
	h->guests[h->nguests] = calloc(1, sizeof(struct guest));
	return h->guests[h->nguests] ? h->guests[h->nguests++] : NULL;
}

/* Takes over fd. */
static struct guest *add_guest(struct holder *h, int fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	struct guest *g = NULL;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.uid == geteuid())
		g = place(h);
	if (g) {
		*g = (struct guest){.h = h, .fd = fd};
		if (!loop_add_fd(h->loop, &g->w, fd, EPOLLIN, guest_event))
			return g;
		g->fd = -1;
	}
	close(fd);
	return NULL;
}

static void accept_all(struct holder *h)
{
	int fd;

	while ((fd = accept4(h->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		add_guest(h, fd);
}

static void listen_event(struct loop_fd *w, uint32_t events)
{
	(void)events;
	accept_all(container_of(w, struct holder, listen_w));
}

static bool any_guest(const struct holder *h)
{
	for (unsigned i = 0; i < h->nguests; i++) {
		if (h->guests[i]->fd >= 0)
			return true;
	}
	return false;
}

/* --- dnsmasq -------------------------------------------------------------------------------- */

static void start_dns_again(struct loop_timer *t)
{
	struct holder *h = container_of(t, struct holder, dns_again);
	struct nat_card *all;
	unsigned n = all_cards(h, NULL, &all);
	struct err e;

	if (all && nat_dns_start(&h->dns, all, n, &e)) {
		tell_all(h, e.text);
		h->dns_wait = MIN(2 * h->dns_wait, DNS_WAIT_MAX);
		loop_timer_set(h->loop, &h->dns_again, loop_now(h->loop) + h->dns_wait);
	} else {
		h->dns_wait = DNS_WAIT_NS;
	}
	free(all);
}

static void child_ended(struct holder *h)
{
	struct err e = {0};

	nat_dns_ended(&h->dns, &e);
	if (!e.code)
		return;
	tell_all(h, e.text);
	/* At once the first time; the timer has what comes after. */
	loop_timer_set(h->loop, &h->dns_again, loop_now(h->loop));
}

/* --- the firewall --------------------------------------------------------------------------- */

static void look(struct holder *h)
{
	char uplink[NAT_NAME];
	const struct nat_firewall f = {
		.nft = h->nft,
		.net = &h->net,
		.uplink = nat_uplink(h->nl, uplink) ? uplink : NULL,
		.bridge_nf = nat_bridge_nf(),
	};
	struct err e;

	if (nat_firewall_look(&f, h->notes, &e))
		snprintf(h->notes, sizeof(h->notes), "%s", e.text);
}

static void look_again(struct loop_timer *t)
{
	struct holder *h = container_of(t, struct holder, look);
	char before[NAT_NOTES];

	memcpy(before, h->notes, sizeof(before));
	look(h);
	if (strcmp(before, h->notes) != 0)
		tell_all(h, h->notes);
}

/* Somebody has changed rules. */
static void rules_event(struct loop_fd *w, uint32_t events)
{
	struct holder *h = container_of(w, struct holder, rules_w);
	char buf[4096];

	(void)events;
	while (recv(h->rules, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	loop_timer_set(h->loop, &h->look, loop_now(h->loop) + LOOK_WAIT_NS);
}

static void watch_rules(struct holder *h)
{
	const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	const int group = NFNLGRP_NFTABLES;

	h->rules = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (h->rules < 0)
		return;
	/* Without a port of its own it would hear nothing. */
	if (bind(h->rules, (const struct sockaddr *)&any, sizeof(any)) ||
	    setsockopt(h->rules, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return;
	loop_add_fd(h->loop, &h->rules_w, h->rules, EPOLLIN, rules_event);
}

/* --- up and down ---------------------------------------------------------------------------- */

static int put_rules(struct holder *h, struct err *e)
{
	char *text = nat_rules_net(&h->net);
	int rc = text ? host_nft_run(h->nft, text, e) : err_set(e, ENOMEM, "out of memory");

	free(text);
	return rc;
}

/* With the lock held. */
static int make(struct holder *h, struct err *e)
{
	int rc;

	h->nl = host_nl_open(e);
	h->nft = h->nl ? host_nft_open(e) : NULL;
	if (!h->nft)
		return -e->code;
	nat_sweep(h->nl, h->nft, h->net.name);
	h->bridge = nat_bridge_up(h->nl, &h->net, e);
	if (h->bridge < 0) {
		rc = h->bridge;
		h->bridge = 0;
		return rc;
	}
	h->listen = nat_listen(h->dir, e);
	if (h->listen < 0)
		return h->listen;
	/* The filter before what it filters. */
	rc = put_rules(h, e);
	if (!rc)
		rc = nat_forwarding_on(h->nl, &h->net, e);
	if (!rc)
		rc = nat_dns_start(&h->dns, NULL, 0, e);
	if (rc)
		return rc;
	look(h);
	return 0;
}

/* With the lock held. */
static void take_down(struct holder *h)
{
	struct err e;

	if (h->listen >= 0) {
		loop_del_fd(h->loop, &h->listen_w);
		close(h->listen);
		h->listen = -1;
	}
	nat_dns_stop(&h->dns);
	if (h->nft)
		nat_firewall_clean(h->nft, h->net.name, &e);
	host_nft_close(h->nft);
	h->nft = NULL;
	if (h->bridge)
		nat_bridge_down(h->nl, h->bridge);
	host_nl_close(h->nl);
	if (nat_forwarding_changed() && !nat_others(h->net.name))
		nat_forwarding_off(!nat_firewall_others_forward());
	nat_dir_remove(h->dir);
}

static void take_down_if_empty(struct holder *h)
{
	struct err e;
	int lock;

	if (any_guest(h))
		return;
	lock = nat_lock(&e);
	accept_all(h);
	if (!any_guest(h)) {
		loop_stop(h->loop);
		take_down(h);
	}
	if (lock >= 0)
		close(lock);
}

static void sig_event(struct loop_fd *w, uint32_t events)
{
	struct holder *h = container_of(w, struct holder, sig_w);
	struct signalfd_siginfo info;

	(void)events;
	while (read(h->sig, &info, sizeof(info)) == sizeof(info)) {
		/* Somebody's systemctl stop, or the host goes down. The guests may start another.
		 */
		if (info.ssi_signo == SIGCHLD)
			child_ended(h);
		else
			loop_stop(h->loop);
	}
}

static int watch_signals(struct holder *h, struct err *e)
{
	sigset_t s;
	int rc;

	sigemptyset(&s);
	sigaddset(&s, SIGTERM);
	sigaddset(&s, SIGINT);
	sigaddset(&s, SIGCHLD);
	sigprocmask(SIG_BLOCK, &s, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	h->sig = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
	if (h->sig < 0)
		return err_set(e, errno, "signals: %s", strerror(errno));
	rc = loop_add_fd(h->loop, &h->sig_w, h->sig, EPOLLIN, sig_event);
	return rc ? err_set(e, -rc, "signals: %s", strerror(-rc)) : 0;
}

/* The first guest is at NAT_HOLDER_FD and has said what it wants. */
static int serve(struct holder *h, struct nat_msg *hello)
{
	struct err e;
	int lock = nat_lock(&e), other, rc;
	struct guest *first;

	if (lock < 0) {
		send_text(h, NAT_HOLDER_FD, NAT_MSG_SORRY, e.text);
		return 1;
	}
	other = nat_connect(h->dir);
	if (other >= 0) {
		close(other);
		close(lock);
		send_text(h, NAT_HOLDER_FD, NAT_MSG_BUSY, "");
		return 0;
	}
	rc = watch_signals(h, &e);
	if (!rc)
		rc = make(h, &e);
	if (!rc)
		rc = loop_add_fd(h->loop, &h->listen_w, h->listen, EPOLLIN, listen_event);
	if (rc) {
		take_down(h);
		close(lock);
		send_text(h, NAT_HOLDER_FD, NAT_MSG_SORRY, e.text);
		return 1;
	}
	watch_rules(h);
	close(lock);
	first = add_guest(h, NAT_HOLDER_FD);
	if (first)
		greet(first, hello);
	take_down_if_empty(h);
	loop_run(h->loop);
	if (h->listen >= 0) { /* told to end */
		lock = nat_lock(&e);
		take_down(h);
		if (lock >= 0)
			close(lock);
	}
	return 0;
}

/* Away from the guest's process group, terminal, and from being its child. */
static bool background(void)
{
	pid_t pid = fork();

	if (pid)
		_exit(pid < 0);
	prctl(PR_SET_NAME, "vmwire-nat");
	return setsid() >= 0 && !chdir("/");
}

int nat_holder_main(const char *name)
{
	struct holder *h;
	struct nat_msg hello;
	struct err e;
	bool again;
	int rc;

	if (!background() || fcntl(NAT_HOLDER_FD, F_SETFD, FD_CLOEXEC) ||
	    !nat_msg_read(NAT_HOLDER_FD, &hello, &again) || hello.type != NAT_MSG_HELLO ||
	    strcmp(hello.net.name, name) != 0)
		return 1;
	h = calloc(1, sizeof(*h));
	if (!h)
		return 1;
	h->net = hello.net;
	nat_dir(name, h->dir);
	h->listen = h->sig = h->rules = -1;
	h->dns = (struct nat_dns){.net = &h->net, .dir = h->dir};
	h->dns_wait = DNS_WAIT_NS;
	h->look.fn = look_again;
	h->dns_again.fn = start_dns_again;
	h->loop = loop_new("nat", NULL, &e);
	rc = h->loop ? serve(h, &hello) : 1;
	for (unsigned i = 0; i < h->nguests; i++)
		free(h->guests[i]);
	loop_free(h->loop);
	free(h);
	return rc;
}
