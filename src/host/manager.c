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

/* The argument behind -lf of a process, else dhclient's default for the link. */
static void lease_file(const struct manager *m, const char *link, char *path, size_t size)
{
	char pid[24], text[2048];
	size_t n;

	snprintf(path, size, "/var/lib/dhcp/dhclient.%s.leases", link);
	if (access(path, R_OK))
		snprintf(path, size, "/var/lib/dhcp/dhclient.leases");
	snprintf(pid, sizeof(pid), "%d", (int)m->client_pid);
	n = cmdline(pid, text, sizeof(text));
	for (size_t i = 0; i < n; i += strlen(text + i) + 1) {
		size_t next = i + strlen(text + i) + 1;

		if (!strcmp(text + i, "-lf") && next < n)
			snprintf(path, size, "%s", text + next);
	}
}

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

int mgr_move_dhclient(const struct manager *m, const char *from, const char *to)
{
	char old[256], leases[256], pidfile[256];
	int rc, status = 0;
	pid_t pid;

	lease_file(m, from, old, sizeof(old));
	snprintf(leases, sizeof(leases), "/var/lib/dhcp/dhclient.%s.leases", to);
	snprintf(pidfile, sizeof(pidfile), "/run/dhclient.%s.pid", to);
	kill(m->client_pid, SIGTERM);
	for (int i = 0; i < 100 && !kill(m->client_pid, 0); i++)
		poll(NULL, 0, 20);
	rc = copy_leases(old, from, leases, to);
	if (rc)
		return rc;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		execlp("dhclient", "dhclient", "-nw", "-pf", pidfile, "-lf", leases, to,
		       (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}
