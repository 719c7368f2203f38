/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dnsmasq of a NAT network: see nat_dns.h.
 *
 * It runs as the user dnsmasq (or nobody) with the three capabilities that it needs: we change
 * over, not dnsmasq, because a process that changes its user loses PR_SET_PDEATHSIG, by which it
 * dies with us. Ambient capabilities outlive the exec of a program that has none of its own.
 *
 * The cards' names are in a hosts file, so that they resolve before a guest has asked for its
 * address and when the leases are lost; addresses of IPv6 that a guest makes itself get the name
 * by dnsmasq's ra-names.
 */
#include "net/host/nat_dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

#define PATH_TEXT    160
#define READY_MS     5000
#define LOOK_MS	     10
#define IN_USE_MS    50
#define IN_USE_TRIES 20
#define LEASE	     "12h"

/* --- texts ---------------------------------------------------------------------------------- */

static char *finish(FILE *f, char **text)
{
	bool bad = ferror(f);

	if (fclose(f) || bad) {
		free(*text);
		return NULL;
	}
	return *text;
}

static void conf_v6(FILE *f, const struct nat_net *net)
{
	uint8_t first[16], last[16];
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];

	memcpy(first, net->ula, sizeof(first));
	memcpy(last, net->ula, sizeof(last));
	first[14] = 0x10;
	last[14] = last[15] = 0xff;
	inet_ntop(AF_INET6, first, a, sizeof(a));
	inet_ntop(AF_INET6, last, b, sizeof(b));
	fprintf(f,
		"enable-ra\nquiet-ra\nquiet-dhcp6\ndhcp-range=%s,%s,slaac,ra-names,64," LEASE "\n",
		a, b);
	if (net->mode == NAT_ISOLATED)
		fprintf(f, "ra-param=%s,0,0\n", net->name); /* no router for others */
}

char *nat_dns_conf(const struct nat_net *net, const char *dir)
{
	struct nat_halves h = nat_halves(net);
	char a[NAT_ADDR_TEXT], b[NAT_ADDR_TEXT], m[NAT_ADDR_TEXT], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f,
		"# Made by vmwire for its network %s, and made anew at every start.\n"
		"interface=%s\nexcept-interface=lo\nbind-interfaces\nno-hosts\nno-ping\n"
		"addn-hosts=%s/hosts\ndhcp-hostsfile=%s/dhcp-hosts\ndhcp-leasefile=%s/leases\n"
		"pid-file=\nlog-facility=-\ndomain=" NAT_DOMAIN "\nlocal=/" NAT_DOMAIN "/\n"
		"domain-needed\nbogus-priv\ndhcp-authoritative\ndhcp-ignore-names\nquiet-dhcp\n",
		net->name, net->name, dir, dir, dir);
	fprintf(f, "dhcp-range=%s,%s,%s," LEASE "\n", nat_addr_text(h.dynamic[0], a),
		nat_addr_text(h.dynamic[1], b), nat_addr_text(nat_mask(net->prefix), m));
	/* Names of others are questions to the outside. */
	if (net->mode == NAT_ISOLATED)
		fprintf(f, "dhcp-option=option:router\nno-resolv\n");
	if (net->v6)
		conf_v6(f, net);
	return finish(f, &text);
}

char *nat_dns_reservations(const struct nat_card *cards, unsigned n)
{
	char a[NAT_ADDR_TEXT], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *m = cards[i].mac;

		fprintf(f, "%02x:%02x:%02x:%02x:%02x:%02x,%s,%s," LEASE "\n", m[0], m[1], m[2],
			m[3], m[4], m[5], nat_addr_text(cards[i].addr, a), cards[i].name);
	}
	return finish(f, &text);
}

char *nat_dns_names(const struct nat_card *cards, unsigned n)
{
	char a[NAT_ADDR_TEXT], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s %s." NAT_DOMAIN " %s\n", nat_addr_text(cards[i].addr, a),
			cards[i].name, cards[i].name);
	return finish(f, &text);
}

/* --- files ---------------------------------------------------------------------------------- */

/* Puts text (freed) into dir/name at once: a reader sees the old file or the new one. */
static int put_file(const char *dir, const char *name, char *text, struct err *e)
{
	char path[PATH_TEXT], fresh[PATH_TEXT];
	size_t len = text ? strlen(text) : 0;
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(fresh, sizeof(fresh), "%s/%s.new", dir, name);
	if (!text)
		return err_set(e, ENOMEM, "%s: out of memory", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len || fchmod(fd, 0644))
		rc = err_set(e, errno ? errno : EIO, "%s: %s", fresh, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!rc && rename(fresh, path))
		rc = err_set(e, errno, "%s: %s", path, strerror(errno));
	free(text);
	return rc;
}

static int put_cards(const char *dir, const struct nat_card *cards, unsigned n, struct err *e)
{
	int rc = put_file(dir, "dhcp-hosts", nat_dns_reservations(cards, n), e);

	return rc ? rc : put_file(dir, "hosts", nat_dns_names(cards, n), e);
}

void nat_dns_clean(const char *dir)
{
	static const char *const names[] = {"dnsmasq.conf", "dhcp-hosts",	"hosts",
					    "leases",	    "dnsmasq.conf.new", "dhcp-hosts.new",
					    "hosts.new",    "leases.new"};
	char path[PATH_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
}

/* --- the process ---------------------------------------------------------------------------- */

struct user {
	uid_t uid;
	gid_t gid;
};

static struct user its_user(void)
{
	const struct passwd *p = getpwnam("dnsmasq");

	if (!p)
		p = getpwnam("nobody");
	return p ? (struct user){p->pw_uid, p->pw_gid} : (struct user){65534, 65534};
}

/* dnsmasq writes this one itself. */
static int put_leases(const char *dir, struct user u, struct err *e)
{
	char path[PATH_TEXT];
	int fd;

	snprintf(path, sizeof(path), "%s/leases", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || fchown(fd, u.uid, u.gid)) {
		if (fd >= 0)
			close(fd);
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	}
	close(fd);
	return 0;
}

/* In the child: another user with three capabilities. 0 or errno. */
static int change_over(struct user u)
{
	static const int keep[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE};
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		data[0].permitted |= 1u << keep[i];
	data[0].effective = data[0].inheritable = data[0].permitted;
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setgid(u.gid) || setuid(u.uid) ||
	    syscall(SYS_capset, &head, data))
		return errno;
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, keep[i], 0, 0))
			return errno;
	}
	return 0;
}

static void run_it(const char *dir, struct user u, int err, pid_t parent) __attribute__((noreturn));
static void run_it(const char *dir, struct user u, int err, pid_t parent)
{
	char conf[PATH_TEXT];
	char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	sigset_t none;
	int nul = open("/dev/null", O_RDWR), rc;

	snprintf(conf, sizeof(conf), "--conf-file=%s/dnsmasq.conf", dir);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(nul, STDIN_FILENO);
	dup2(nul, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close_range(3, ~0u, 0);
	rc = change_over(u);
	if (rc) {
		dprintf(STDERR_FILENO, "cannot change to user %u: %s", (unsigned)u.uid,
			strerror(rc));
		_exit(126);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	execvpe("dnsmasq", (char *const[]){"dnsmasq", "--keep-in-foreground", conf, NULL}, env);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Its last line on stderr. */
static void last_words(const struct nat_dns *d, char *text, size_t size)
{
	char all[2048], *line;
	ssize_t n = read(d->err, all, sizeof(all) - 1);

	all[n > 0 ? n : 0] = '\0';
	while (*all && all[strlen(all) - 1] == '\n')
		all[strlen(all) - 1] = '\0';
	line = strrchr(all, '\n');
	line = line ? line + 1 : all;
	snprintf(text, size, "%s", *line ? line : "it gave no reason");
}

/* A question that only it itself answers: any answer will do. */
static bool answers(const struct nat_net *net)
{
	static const uint8_t ask[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\7version\4bind\0\0\x10\0\3";
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t byte;
	bool yes = false;

	to.sin_addr.s_addr = htonl(nat_host(net));
	if (fd < 0)
		return false;
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)) &&
	    send(fd, ask, sizeof(ask) - 1, 0) > 0 && poll(&p, 1, LOOK_MS) == 1)
		yes = recv(fd, &byte, 1, 0) == 1;
	close(fd);
	return yes;
}

static int describe_end(struct nat_dns *d, int status, struct err *e)
{
	char text[256];

	last_words(d, text, sizeof(text));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ENOENT,
			       "dnsmasq is not there: it serves DHCP and DNS; install it: apt-get "
			       "install dnsmasq-base");
	if (strstr(text, "already in use"))
		return err_set(e, EADDRINUSE,
			       "%s; another DNS or DHCP server listens on all addresses: `ss "
			       "-lnp 'sport = :53 or sport = :67'` names it; have it listen on its "
			       "own interfaces only (dnsmasq: bind-interfaces)",
			       text);
	if (WIFSIGNALED(status))
		return err_set(e, EIO, "dnsmasq was ended by signal %d", WTERMSIG(status));
	return err_set(e, EIO, "dnsmasq ended with status %d: %s",
		       WIFEXITED(status) ? WEXITSTATUS(status) : status, text);
}

static int wait_ready(struct nat_dns *d, struct err *e)
{
	for (unsigned ms = 0; ms < READY_MS; ms += LOOK_MS) {
		struct timespec nap = {.tv_nsec = LOOK_MS * NS_PER_MS};
		int status;

		if (waitpid(d->pid, &status, WNOHANG) == d->pid) {
			d->pid = 0;
			describe_end(d, status, e);
			close(d->err);
			return -e->code;
		}
		if (answers(d->net))
			return 0;
		nanosleep(&nap, NULL);
	}
	nat_dns_stop(d);
	return err_set(e, ETIMEDOUT, "dnsmasq does not answer within %d s", READY_MS / 1000);
}

static int start_once(struct nat_dns *d, struct user u, struct err *e)
{
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return err_set(e, errno, "dnsmasq: %s", strerror(errno));
	d->pid = fork();
	if (!d->pid)
		run_it(d->dir, u, fds[1], parent);
	close(fds[1]);
	if (d->pid < 0) {
		d->pid = 0;
		close(fds[0]);
		return err_set(e, errno, "dnsmasq: %s", strerror(errno));
	}
	d->err = fds[0];
	return wait_ready(d, e);
}

int nat_dns_start(struct nat_dns *d, const struct nat_card *cards, unsigned n, struct err *e)
{
	struct user u = its_user();
	int rc = put_file(d->dir, "dnsmasq.conf", nat_dns_conf(d->net, d->dir), e);

	if (!rc)
		rc = put_cards(d->dir, cards, n, e);
	if (!rc)
		rc = put_leases(d->dir, u, e);
	for (unsigned i = 0; !rc; i++) {
		struct timespec nap = {.tv_nsec = IN_USE_MS * NS_PER_MS};

		rc = start_once(d, u, e);
		if (!rc)
			return 0;
		/* That of a holder that was killed dies just now; or somebody else has the port. */
		if (i == IN_USE_TRIES || !strstr(e->text, "already in use"))
			return rc;
		nanosleep(&nap, NULL);
		rc = 0;
	}
	return rc;
}

int nat_dns_update(struct nat_dns *d, const struct nat_card *cards, unsigned n, struct err *e)
{
	int rc = put_cards(d->dir, cards, n, e);

	if (!rc && d->pid)
		kill(d->pid, SIGHUP);
	return rc;
}

void nat_dns_release(const struct nat_dns *d, const struct nat_card *card)
{
	/* DHCPRELEASE (RFC 2131 section 4.4.6), as the guest would send it. */
	uint8_t m[300] = {1 /* BOOTREQUEST */, 1 /* Ethernet */, 6};
	static const uint8_t options[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 7, 54, 4};
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(68)};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(67)};
	const char *br = d->net->name;
	const int on = 1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	put_be32(m + 12, card->addr);
	memcpy(m + 28, card->mac, sizeof(card->mac));
	memcpy(m + 236, options, sizeof(options));
	put_be32(m + 236 + sizeof(options), nat_host(d->net));
	m[236 + sizeof(options) + 4] = 255;
	to.sin_addr.s_addr = htonl(nat_host(d->net));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* The server looks at the interface that it comes from. */
	if (!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, br, (socklen_t)strlen(br)) &&
	    !bind(fd, (struct sockaddr *)&from, sizeof(from)))
		sendto(fd, m, sizeof(m), MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
	close(fd);
}

void nat_dns_ended(struct nat_dns *d, struct err *e)
{
	int status;

	if (!d->pid || waitpid(d->pid, &status, WNOHANG) != d->pid)
		return;
	d->pid = 0;
	describe_end(d, status, e);
	close(d->err);
}

void nat_dns_stop(struct nat_dns *d)
{
	if (!d->pid)
		return;
	kill(d->pid, SIGKILL);
	while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
		;
	d->pid = 0;
	close(d->err);
}
