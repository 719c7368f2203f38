/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usertap NETNS INTERFACE [USER-OPTIONS]: joins a TAP that it makes in the named network namespace
 * to a user-mode network whose sockets are in the caller's. The namespace's kernel is the guest.
 * SIGUSR1 prints what `info usernet` would, SIGUSR2 re-plugs the TAP to nothing and back, SIGTERM
 * ends it. Says "ready" when frames flow.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "net/backend/backend.h"
#include "net/backend/dummy.h"

struct rig {
	struct loop *loop;
	struct net_port *tap, *user;
};

static int enter(int ns)
{
	if (setns(ns, CLONE_NEWNET) < 0) {
		perror("setns");
		return -1;
	}
	return 0;
}

static int open_port(const char *kind, const char *what, const char *text, struct net_port **port,
		     struct err *e)
{
	const struct net_backend *b = net_backend_find(kind);
	void *opts = calloc(1, b->opts->size);
	int rc = opts ? opt_parse(b->opts, what, text, opts, e) : -1;

	if (!rc) {
		rc = b->open(opts, kind, port, e);
		opt_free(b->opts, opts);
	}
	free(opts);
	return rc;
}

static int open_tap(const char *netns, const char *ifname, struct net_port **port, struct err *e)
{
	char path[256], text[128];
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), away, rc;

	snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
	snprintf(text, sizeof(text), "ifname=%s,script=no,downscript=no", ifname);
	away = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || away < 0)
		return err_set(e, 2, "cannot open network namespace %s", path);
	rc = enter(away) ? -1 : open_port("tap", "tap", text, port, e);
	if (enter(home))
		rc = -1;
	close(home);
	close(away);
	return rc;
}

static void put_line(void *opaque, const char *text)
{
	(void)opaque;
	puts(text);
}

static void show(struct rig *r)
{
	const struct text_out out = {put_line, NULL};

	loop_park(r->loop);
	net_backend_find("user")->details(r->user, &out);
	loop_unpark(r->loop);
	puts("end");
	fflush(stdout);
}

static void replug(struct rig *r)
{
	struct net_port *none, *old = NULL;
	struct err e = {0};

	if (open_port("dummy", "dummy", "", &none, &e) || net_replug(r->tap, none, &old, &e) ||
	    net_replug(r->tap, r->user, &old, &e))
		log_err(&e);
	else
		old->ops->destroy(old);
	puts("replugged");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct rig r = {0};
	struct err e = {0};
	struct signalfd_siginfo si;
	sigset_t set;

	if (argc < 3) {
		fprintf(stderr, "usage: usertap NETNS INTERFACE [USER-OPTIONS]\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	int sig = signalfd(-1, &set, SFD_CLOEXEC);

	r.loop = loop_new("net0", NULL, &e);
	if (!r.loop || open_tap(argv[1], argv[2], &r.tap, &e) ||
	    open_port("user", "user", argc > 3 ? argv[3] : "", &r.user, &e) ||
	    net_join(r.tap, r.user, &r.loop, 1, &e) || loop_start(r.loop, &e)) {
		log_err(&e);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (read(sig, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGUSR1)
			show(&r);
		else if (si.ssi_signo == SIGUSR2)
			replug(&r);
		else
			break;
	}
	loop_stop(r.loop);
	loop_join(r.loop);
	net_unjoin(r.tap);
	r.tap->ops->destroy(r.tap);
	r.user->ops->destroy(r.user);
	loop_free(r.loop);
	close(sig);
	return 0;
}
