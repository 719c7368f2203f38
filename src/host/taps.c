/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holders of TAPs: see taps.h. A descriptor of /dev/net/tun has the line "iff:\tNAME" in its
 * fdinfo. Names are per network namespace, so processes of other namespaces do not count. A guest
 * is called by what -name says.
 */
#include "host/taps.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n;
}

static bool holds(const char *pid, const char *ifname)
{
	char path[640], text[512], want[32];
	struct dirent *d;
	bool found = false;
	DIR *all;

	snprintf(want, sizeof(want), "iff:\t%s\n", ifname);
	snprintf(path, sizeof(path), "/proc/%s/fdinfo", pid);
	all = opendir(path);
	while (all && !found && (d = readdir(all)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, d->d_name);
		found = slurp(path, text, sizeof(text)) > 0 && strstr(text, want);
	}
	if (all)
		closedir(all);
	return found;
}

static bool same_netns(const char *pid)
{
	char path[288], here[64] = "", there[64] = "";

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	return readlink("/proc/self/ns/net", here, sizeof(here) - 1) > 0 &&
	       readlink(path, there, sizeof(there) - 1) > 0 && !strcmp(here, there);
}

static void describe(const char *pid, struct tap_holder *h)
{
	char path[288], text[4096], comm[32];
	const char *name = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	slurp(path, comm, sizeof(comm));
	comm[strcspn(comm, "\n")] = 0;
	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	n = slurp(path, text, sizeof(text));
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(text + i) + 1) {
		ssize_t next = i + (ssize_t)strlen(text + i) + 1;

		if ((!strcmp(text + i, "-name") || !strcmp(text + i, "--name")) && next < n)
			name = text + next;
	}
	if (!strncmp(name, "guest=", 6))
		name += 6;
	h->pid = (pid_t)strtol(pid, NULL, 10);
	snprintf(h->name, sizeof(h->name), "%s %s%s%.*s", comm, pid, name[0] ? ", guest " : "",
		 (int)strcspn(name, ","), name);
}

void taps_holder(const char *ifname, struct tap_holder *h)
{
	struct dirent *d;
	DIR *all = opendir("/proc");

	memset(h, 0, sizeof(*h));
	while (all && !h->pid && (d = readdir(all)) != NULL)
		if (isdigit((unsigned char)d->d_name[0]) && same_netns(d->d_name) &&
		    holds(d->d_name, ifname))
			describe(d->d_name, h);
	if (all)
		closedir(all);
}
