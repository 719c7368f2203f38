/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs an interface: see manager.h. systemd-networkd writes /run/systemd/netif/links/INDEX,
 * NetworkManager /run/NetworkManager/devices/INDEX, ifupdown /run/network/ifstate. A client for
 * DHCP is a process whose last argument is the link.
 *
 * dhclient: its lease belongs to the MAC address, which the bridge takes over. Left alone it would
 * put the address back on the uplink at the next renewal. So it is ended, by a signal (which,
 * unlike -r, gives the lease back to nobody), and started for the bridge with the old lease under
 * the bridge's name: it asks for the same address and gets it.
 */
#include "host/manager.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

const char *mgr_name(enum mgr_kind kind)
{
	static const char *const names[] = {"nobody", "systemd-networkd", "ifupdown",
					    "NetworkManager"};

	return names[kind];
}

/* The value behind "key=" in a file; false: there is none. */
static bool value_of(const char *path, const char *key, char *value, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[512];
	size_t n = strlen(key);
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, n) != 0 || line[n] != '=')
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(value, size, "%s", line + n + 1);
		found = value[0];
	}
	if (f)
		fclose(f);
	return found;
}

static bool by_networkd(const char *root, int index, struct manager *m)
{
	char path[512], state[64];

	snprintf(path, sizeof(path), "%s/run/systemd/netif/links/%d", root, index);
	if (!value_of(path, "ADMIN_STATE", state, sizeof(state)) || !strcmp(state, "unmanaged") ||
	    !strcmp(state, "linger"))
		return false;
	m->kind = MGR_NETWORKD;
	value_of(path, "NETWORK_FILE", m->file, sizeof(m->file));
	snprintf(path, sizeof(path), "%s/run/systemd/netif/leases/%d", root, index);
	if (!access(path, R_OK))
		snprintf(m->lease, sizeof(m->lease), "%.255s", path + strlen(root));
	return true;
}

/* Name of the keyfile with this UUID. */
static void nm_file(const char *root, const char *uuid, struct manager *m)
{
	static const char *const dirs[] = {"/etc/NetworkManager/system-connections",
					   "/run/NetworkManager/system-connections",
					   "/usr/lib/NetworkManager/system-connections"};
	char dir[256], path[600], have[64];
	struct dirent *d;

	for (unsigned i = 0; i < ARRAY_SIZE(dirs) && !m->file[0]; i++) {
		DIR *all;

		snprintf(dir, sizeof(dir), "%.200s%s", root, dirs[i]);
		all = opendir(dir);
		while (all && !m->file[0] && (d = readdir(all)) != NULL) {
			snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
			if (value_of(path, "uuid", have, sizeof(have)) && !strcmp(have, uuid))
				snprintf(m->file, sizeof(m->file), "%.255s", path + strlen(root));
		}
		if (all)
			closedir(all);
	}
}

static bool by_nm(const char *root, int index, struct manager *m)
{
	char path[512], text[64];

	snprintf(path, sizeof(path), "%s/run/NetworkManager/devices/%d", root, index);
	if (!value_of(path, "managed", text, sizeof(text)) || !strcmp(text, "false") ||
	    !strcmp(text, "unmanaged"))
		return false;
	m->kind = MGR_NM;
	if (value_of(path, "connection-uuid", text, sizeof(text)))
		nm_file(root, text, m);
	return true;
}

/* Does a file of ifupdown have a stanza "iface LINK"? */
static bool has_iface(const char *path, const char *link)
{
	FILE *f = fopen(path, "re");
	char line[512], word[64], name[64];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, " %63s %63s", word, name) == 2 && !strcmp(word, "iface") &&
			!strcmp(name, link);
	if (f)
		fclose(f);
	return found;
}

static void ifupdown_file(const char *root, const char *link, struct manager *m)
{
	char path[600];
	struct dirent *d;
	DIR *all;

	snprintf(path, sizeof(path), "%.200s/etc/network/interfaces", root);
	if (has_iface(path, link)) {
		snprintf(m->file, sizeof(m->file), "%.255s", path + strlen(root));
		return;
	}
	snprintf(path, sizeof(path), "%.200s/etc/network/interfaces.d", root);
	all = opendir(path);
	while (all && !m->file[0] && (d = readdir(all)) != NULL) {
		snprintf(path, sizeof(path), "%.200s/etc/network/interfaces.d/%s", root, d->d_name);
		if (d->d_name[0] != '.' && has_iface(path, link))
			snprintf(m->file, sizeof(m->file), "%.255s", path + strlen(root));
	}
	if (all)
		closedir(all);
}

static bool by_ifupdown(const char *root, const char *link, struct manager *m)
{
	char path[512], value[64];

	snprintf(path, sizeof(path), "%s/run/network/ifstate", root);
	if (!value_of(path, link, value, sizeof(value)))
		return false;
	m->kind = MGR_IFUPDOWN;
	ifupdown_file(root, link, m);
	return true;
}

/* The command line of a process, arguments separated by 0; its length. */
static size_t cmdline(const char *pid, char *text, size_t size)
{
	char path[288];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static bool same_netns(const char *pid)
{
	char path[288], here[64] = "", there[64] = "";

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	if (readlink("/proc/self/ns/net", here, sizeof(here) - 1) < 0 ||
	    readlink(path, there, sizeof(there) - 1) < 0)
		return false;
	return !strcmp(here, there);
}

static void find_client(const char *link, struct manager *m)
{
	static const char *const names[] = {"dhclient", "dhcpcd", "udhcpc"};
	struct dirent *d;
	DIR *all = opendir("/proc");
	char text[2048];

	while (all && !m->client[0] && (d = readdir(all)) != NULL) {
		size_t n = isdigit((unsigned char)d->d_name[0])
				   ? cmdline(d->d_name, text, sizeof(text))
				   : 0;
		const char *base = strrchr(text, '/');
		bool on_link = false;

		base = base && base < text + strlen(text) ? base + 1 : text;
		for (size_t i = strlen(text) + 1; i < n; i += strlen(text + i) + 1)
			on_link |= !strcmp(text + i, link);
		for (unsigned i = 0; n && on_link && i < ARRAY_SIZE(names); i++)
			if (!strcmp(base, names[i]) && same_netns(d->d_name)) {
				snprintf(m->client, sizeof(m->client), "%s", names[i]);
				m->client_pid = (pid_t)strtol(d->d_name, NULL, 10);
			}
	}
	if (all)
		closedir(all);
}

void mgr_find(const char *root, const char *link, int index, struct manager *m)
{
	memset(m, 0, sizeof(*m));
	if (!by_networkd(root, index, m) && !by_nm(root, index, m) && !by_ifupdown(root, link, m))
		m->kind = MGR_NONE;
	find_client(link, m);
}

/* --- dhclient --------------------------------------------------------------------------------- */

/* Copies a file of leases, the one link's name replaced by the other's. */
static int copy_leases(const char *from_path, const char *from, const char *to_path, const char *to)
{
	FILE *in = fopen(from_path, "re"), *out;
	char line[1024], old[64];
	int rc;

	if (!in)
		return -errno;
	out = fopen(to_path, "we");
	if (!out) {
		rc = -errno;
		fclose(in);
		return rc;
	}
	snprintf(old, sizeof(old), "interface \"%s\";", from);
	while (fgets(line, sizeof(line), in)) {
		if (strstr(line, old))
			fprintf(out, "  interface \"%s\";\n", to);
		else
			fputs(line, out);
	}
	fclose(in);
	return fclose(out) ? -errno : 0;
}

#define ARGS 48

/* What the new dhclient is started with: what the old one was, but for the link and its files. */
struct client_args {
	char text[2048]; /* the old command line */
	char exe[256], old_leases[256], leases[256], pidfile[256];
	const char *argv[ARGS + 8];
};

static int client_args(const struct manager *m, const char *from, const char *to,
		       struct client_args *a)
{
	char pid[24], path[64];
	size_t n;
	ssize_t len;
	int argc = 1;

	snprintf(pid, sizeof(pid), "%d", (int)m->client_pid);
	n = cmdline(pid, a->text, sizeof(a->text));
	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	len = readlink(path, a->exe, sizeof(a->exe) - 1);
	if (!n || len <= 0)
		return -ESRCH;
	a->exe[len] = 0;
	snprintf(a->old_leases, sizeof(a->old_leases), "/var/lib/dhcp/dhclient.%s.leases", from);
	if (access(a->old_leases, R_OK))
		snprintf(a->old_leases, sizeof(a->old_leases), "/var/lib/dhcp/dhclient.leases");
	a->argv[0] = "dhclient";
	for (size_t i = strlen(a->text) + 1; i < n && argc < ARGS; i += strlen(a->text + i) + 1) {
		const char *word = a->text + i;
		size_t next = i + strlen(word) + 1;
		bool file = !strcmp(word, "-lf") || !strcmp(word, "-pf");

		if (file && next < n) {
			if (word[1] == 'l')
				snprintf(a->old_leases, sizeof(a->old_leases), "%s",
					 a->text + next);
			i = next; /* over its value */
		} else if (strcmp(word, "-d") != 0 && strcmp(word, "-nw") != 0 &&
			   strcmp(word, from) != 0) {
			a->argv[argc++] = word;
		}
	}
	/* Beside the old leases; a name of the bridge's. */
	n = strrchr(a->old_leases, '/') ? (size_t)(strrchr(a->old_leases, '/') - a->old_leases) : 0;
	snprintf(a->leases, sizeof(a->leases), "%.*s/dhclient.%s.leases", (int)MIN(n, 200),
		 a->old_leases, to);
	snprintf(a->pidfile, sizeof(a->pidfile), "/run/dhclient.%s.pid", to);
	a->argv[argc++] = "-nw";
	a->argv[argc++] = "-pf";
	a->argv[argc++] = a->pidfile;
	a->argv[argc++] = "-lf";
	a->argv[argc++] = a->leases;
	a->argv[argc++] = to;
	a->argv[argc] = NULL;
	return 0;
}

int mgr_move_dhclient(const struct manager *m, const char *from, const char *to)
{
	struct client_args a;
	int rc = client_args(m, from, to, &a), status = 0;
	pid_t pid;

	if (rc)
		return rc;
	kill(m->client_pid, SIGTERM);
	for (int i = 0; i < 100 && !kill(m->client_pid, 0); i++)
		poll(NULL, 0, 20);
	rc = copy_leases(a.old_leases, from, a.leases, to);
	if (rc)
		return rc;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		int fd = open("/dev/null", O_RDWR);

		/* It stays when we are gone; our terminal is not its. */
		for (int i = 0; fd >= 0 && i <= 2; i++)
			dup2(fd, i);
		execv(a.exe, (char *const *)(uintptr_t)a.argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}
