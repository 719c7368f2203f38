/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of a lasting configuration: made, shown, written, taken away. See persist.h. */
#include "host/persist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define OURS	 "Made by vmwire host bridge add" /* in the first line of a file of vmwire's */
#define TEXT_MAX (1 << 20)

static int full_path(const char *root, const char *path, char *full, size_t size)
{
	int n = snprintf(full, size, "%s%s", root, path);

	return n > 0 && (size_t)n < size ? 0 : -1;
}

char *persist_read(const char *root, const char *path)
{
	char full[600], *text = NULL;
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (full_path(root, path, full, sizeof(full)))
		return NULL;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size < TEXT_MAX) {
		text = malloc((size_t)st.st_size + 1);
		n = text ? read(fd, text, (size_t)st.st_size) : -1;
	}
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	return text;
}

int persist_put(struct persist_files *f, const char *path, unsigned mode, char *text, struct err *e)
{
	struct persist_file *p = &f->file[f->n];

	if (!text || f->n == PERSIST_FILES) {
		free(text);
		return err_set(e, ENOMEM, "--persist: %s: out of memory", path);
	}
	f->n++;
	snprintf(p->path, sizeof(p->path), "%s", path);
	p->was = persist_read(f->root, path);
	p->text = text;
	p->mode = mode;
	return 0;
}

void persist_free(struct persist_files *f)
{
	for (int i = 0; i < f->n; i++) {
		free(f->file[i].was);
		free(f->file[i].text);
	}
	memset(f, 0, sizeof(*f));
}

bool persist_is_dynamic(const struct br_state *s, int family)
{
	for (int i = 0; i < s->naddr; i++)
		if (s->addr[i].family == family && s->addr[i].valid != UINT32_MAX)
			return true;
	return false;
}

bool persist_is_static(const struct host_addr *a)
{
	return a->valid == UINT32_MAX && a->scope == RT_SCOPE_UNIVERSE;
}

bool persist_is_route(const struct host_route *r)
{
	bool plain = !r->has_gateway || r->gateway_family == r->family;

	return plain && !r->hops && !r->expires && r->type == RTN_UNICAST &&
	       r->protocol != RTPROT_DHCP && r->protocol != RTPROT_RA &&
	       r->protocol != RTPROT_KERNEL;
}

int persist_add(const char *root, const char *kind, const struct manager *mgr,
		const struct br_state *s, const char *name, bool stp, struct persist_files *f,
		struct err *e)
{
	struct persist_conf c = {.s = s, .mgr = mgr, .name = name, .stp = stp};
	enum mgr_kind k = mgr->kind;
	int rc;

	memset(f, 0, sizeof(*f));
	f->root = root;
	f->bridge = name;
	if (!strcmp(kind, "networkd"))
		k = MGR_NETWORKD;
	else if (!strcmp(kind, "ifupdown"))
		k = MGR_IFUPDOWN;
	else if (!strcmp(kind, "nm"))
		k = MGR_NM;
	else if (kind[0])
		return err_set(e, EINVAL, "--persist=%s: allowed are networkd, ifupdown, nm", kind);
	if (k == MGR_NETWORKD)
		rc = persist_networkd(&c, f, e);
	else if (k == MGR_IFUPDOWN)
		rc = persist_ifupdown(&c, f, e);
	else if (k == MGR_NM)
		rc = persist_nm(&c, f, e);
	else
		rc = err_set(
			e, ENOENT,
			"--persist: none of systemd-networkd, ifupdown, NetworkManager runs %s: "
			"say which shall with --persist=networkd, ifupdown or nm",
			s->link.name);
	if (rc)
		persist_free(f);
	return rc;
}

/* Lines of text that `other` does not have at the same place in order: a walk beside each other. */
static void show_changes(const char *was, const char *text, FILE *out)
{
	while (*was || *text) {
		size_t a = strcspn(was, "\n"), b = strcspn(text, "\n");

		if (a != b || strncmp(was, text, a) != 0 || !*was != !*text) {
			if (*was)
				fprintf(out, "-%.*s\n", (int)a, was);
			if (*text)
				fprintf(out, "+%.*s\n", (int)b, text);
		}
		was += was[a] ? a + 1 : a;
		text += text[b] ? b + 1 : b;
	}
}

static void show(const struct persist_file *p, const char *root, FILE *out)
{
	if (p->was && p->text && !strcmp(p->was, p->text)) {
		fprintf(out, "%s%s: as it shall be\n", root, p->path);
		return;
	}
	fprintf(out, "%s%s: %s\n", root, p->path,
		!p->text  ? "removed"
		: !p->was ? "new"
			  : "changed");
	if (p->text)
		show_changes(p->was ? p->was : "", p->text, out);
}

void persist_show(const struct persist_files *f, FILE *out)
{
	for (int i = 0; i < f->n; i++)
		show(&f->file[i], f->root, out);
}

static int make_dirs(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = 0;
		if (mkdir(path, 0755) && errno != EEXIST) {
			*p = '/';
			return -errno;
		}
		*p = '/';
	}
	return 0;
}

static int write_whole(const char *path, const char *text, unsigned mode)
{
	char tmp[640];
	size_t n = strlen(text);
	int fd, rc = 0;

	snprintf(tmp, sizeof(tmp), "%s.vmwire-new", path);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	if (write(fd, text, n) != (ssize_t)n || fsync(fd))
		rc = -EIO;
	if (close(fd) || rc || rename(tmp, path)) {
		rc = rc ? rc : -errno;
		unlink(tmp);
	}
	return rc;
}

/* Writes (or removes) one file; a foreign one is copied first. */
static int write_one(const struct persist_files *f, const struct persist_file *p, FILE *out,
		     struct err *e)
{
	char full[600], copy[640];
	unsigned mode = p->mode;
	struct stat st;
	int rc;

	if (full_path(f->root, p->path, full, sizeof(full)))
		return err_set(e, ENAMETOOLONG, "--persist: %s: the name is too long", p->path);
	if (!p->text)
		return unlink(full) && errno != ENOENT
			       ? err_set(e, errno, "--persist: %s: %s", full, strerror(errno))
			       : 0;
	if (p->was && !strcmp(p->was, p->text))
		return 0;
	rc = make_dirs(full);
	if (!rc && p->was && !stat(full, &st))
		mode = st.st_mode & 07777;
	if (!rc && p->was && !strstr(p->was, OURS)) {
		snprintf(copy, sizeof(copy), "%s.vmwire-%s.bak", full, f->bridge);
		/* The oldest copy is the one from before vmwire: it stays. */
		if (access(copy, F_OK))
			rc = write_whole(copy, p->was, mode);
		if (!rc)
			fprintf(out, "%s: a copy of what was there\n", copy);
	}
	if (!rc)
		rc = write_whole(full, p->text, mode);
	return rc ? err_set(e, -rc, "--persist: %s: %s", full, strerror(-rc)) : 0;
}

int persist_write(const struct persist_files *f, FILE *out, struct err *e)
{
	for (int i = 0; i < f->n; i++) {
		int rc = write_one(f, &f->file[i], out, e);

		if (rc)
			return rc;
		show(&f->file[i], f->root, out);
	}
	if (f->then)
		fprintf(out, "to make it known now: %s\n", f->then);
	return 0;
}

/* --- taking away ------------------------------------------------------------------------------ */

static int remove_ours(const char *root, const char *path, FILE *out, struct err *e)
{
	char full[600], *text = persist_read(root, path);
	int rc = 0;

	if (!text)
		return 0;
	full_path(root, path, full, sizeof(full));
	if (!strstr(text, OURS))
		fprintf(out, "%s: not made by vmwire, left alone\n", full);
	else if (unlink(full))
		rc = err_set(e, errno, "--persist: %s: %s", full, strerror(errno));
	else
		fprintf(out, "%s: removed\n", full);
	free(text);
	return rc;
}

static int unmark(const char *root, const char *path, const char *name, FILE *out, struct err *e)
{
	struct persist_file p = {.mode = 0644};
	struct persist_files f = {.root = root, .bridge = name};
	int rc = 0;

	snprintf(p.path, sizeof(p.path), "%s", path);
	p.was = persist_read(root, path);
	p.text = p.was ? persist_ifupdown_undo(p.was, name) : NULL;
	if (p.text) {
		char full[600];

		full_path(root, path, full, sizeof(full));
		rc = write_whole(full, p.text, p.mode);
		if (rc)
			err_set(e, -rc, "--persist: %s: %s", full, strerror(-rc));
		else
			show(&p, f.root, out);
	}
	free(p.was);
	free(p.text);
	return rc;
}

int persist_del(const char *root, const char *name, FILE *out, struct err *e)
{
	static const char *const made[] = {
		"/etc/systemd/network/05-vmwire-%s.netdev",
		"/etc/systemd/network/05-vmwire-%s.network",
		"/etc/systemd/network/05-vmwire-%s-uplink.network",
		"/etc/network/interfaces.d/vmwire-%s",
		"/etc/NetworkManager/system-connections/vmwire-%s.nmconnection",
		"/etc/NetworkManager/system-connections/vmwire-%s-uplink.nmconnection",
	};
	char path[600], dir[600];
	struct dirent *d;
	int rc = 0;
	DIR *all;

	for (unsigned i = 0; !rc && i < ARRAY_SIZE(made); i++) {
		/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): from the table above */
		snprintf(path, sizeof(path), made[i], name);
		rc = remove_ours(root, path, out, e);
	}
	if (!rc)
		rc = unmark(root, "/etc/network/interfaces", name, out, e);
	if (full_path(root, "/etc/network/interfaces.d", dir, sizeof(dir)))
		return rc;
	all = opendir(dir);
	while (all && !rc && (d = readdir(all)) != NULL) {
		size_t n = strlen(d->d_name);

		if (d->d_name[0] == '.' || (n > 4 && !strcmp(d->d_name + n - 4, ".bak")))
			continue;
		snprintf(path, sizeof(path), "/etc/network/interfaces.d/%s", d->d_name);
		rc = unmark(root, path, name, out, e);
	}
	if (all)
		closedir(all);
	return rc;
}
