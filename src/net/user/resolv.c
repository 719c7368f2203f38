/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's resolvers: see resolv.h. The two threads meet at a list under a lock that is held for
 * a copy only, and of which the loop's side takes no more than a try. */
#include "net/user/resolv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct resolv {
	const char *path;
	pthread_t thread;
	bool threaded;
	int ask; /* eventfd */
	_Atomic bool quit;
	pthread_mutex_t lock; /* of the following */
	struct resolv_list list;
	bool fresh; /* not taken yet */
	/* The thread's alone. */
	struct stat seen;
};

static bool parse_server(const char *text, union resolv_server *s)
{
	char addr[INET6_ADDRSTRLEN + IF_NAMESIZE + 1], *scope;

	memset(s, 0, sizeof(*s));
	snprintf(addr, sizeof(addr), "%s", text);
	if (inet_pton(AF_INET, addr, &s->v4.sin_addr) == 1) {
		s->v4.sin_family = AF_INET;
		s->v4.sin_port = htons(53);
		return true;
	}
	scope = strchr(addr, '%');
	if (scope)
		*scope++ = 0;
	if (inet_pton(AF_INET6, addr, &s->v6.sin6_addr) != 1)
		return false;
	s->v6.sin6_family = AF_INET6;
	s->v6.sin6_port = htons(53);
	s->v6.sin6_scope_id = scope ? if_nametoindex(scope) : 0;
	return true;
}

static void read_file(const char *path, struct resolv_list *l)
{
	FILE *f = fopen(path, "re");
	char line[512], addr[128];

	l->n = 0;
	while (f && l->n < RESOLV_SERVERS && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " nameserver %127s", addr) == 1 &&
		    parse_server(addr, &l->server[l->n]))
			l->n++;
	}
	if (f)
		fclose(f);
	/* resolv.conf(5): without an entry, the local machine. */
	if (!l->n)
		l->n = parse_server("127.0.0.1", &l->server[0]);
}

static void look(struct resolv *r)
{
	struct resolv_list l;
	struct stat sb = {0};

	if (stat(r->path, &sb) < 0)
		memset(&sb, 0, sizeof(sb));
	if (r->list.n && sb.st_ino == r->seen.st_ino && sb.st_size == r->seen.st_size &&
	    sb.st_mtim.tv_sec == r->seen.st_mtim.tv_sec &&
	    sb.st_mtim.tv_nsec == r->seen.st_mtim.tv_nsec)
		return;
	r->seen = sb;
	read_file(r->path, &l);
	pthread_mutex_lock(&r->lock);
	r->list = l;
	r->fresh = true;
	pthread_mutex_unlock(&r->lock);
}

static void *run(void *arg)
{
	struct resolv *r = arg;
	uint64_t n;

	while (read(r->ask, &n, sizeof(n)) == sizeof(n) && !r->quit)
		look(r);
	return NULL;
}

struct resolv *resolv_new(const char *path, struct err *e)
{
	struct resolv *r = calloc(1, sizeof(*r));
	int rc;

	if (!r) {
		err_set(e, ENOMEM, "no memory for the list of resolvers");
		return NULL;
	}
	r->path = path;
	pthread_mutex_init(&r->lock, NULL);
	look(r);
	r->ask = eventfd(0, EFD_CLOEXEC);
	rc = r->ask < 0 ? errno : pthread_create(&r->thread, NULL, run, r);
	if (rc) {
		err_set(e, rc, "no thread for the list of resolvers: %s", strerror(rc));
		resolv_free(r);
		return NULL;
	}
	r->threaded = true;
	pthread_setname_np(r->thread, "resolv");
	return r;
}

static void wake(struct resolv *r)
{
	const uint64_t one = 1;

	/* Only a full counter is refused, and then it is awake. */
	if (write(r->ask, &one, sizeof(one)) < 0)
		return;
}

void resolv_free(struct resolv *r)
{
	if (!r)
		return;
	r->quit = true;
	if (r->threaded) {
		wake(r);
		pthread_join(r->thread, NULL);
	}
	if (r->ask >= 0)
		close(r->ask);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

bool resolv_take(struct resolv *r, struct resolv_list *l)
{
	bool fresh = false;

	if (!pthread_mutex_trylock(&r->lock)) {
		fresh = r->fresh;
		r->fresh = false;
		if (fresh)
			*l = r->list;
		pthread_mutex_unlock(&r->lock);
	}
	wake(r);
	return fresh;
}
