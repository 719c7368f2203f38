/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kinds of threads: see sandbox.h.
 *
 *   control  the monitor, hot-plug, the ends of things; also threads of networks that talk to the
 *            host (nat, resolv). It opens files, devices and sockets, and starts threads. It starts
 *            no process: the launcher does that, which is asked by its socket.
 *   loop     frames and sockets of the guest's network. Opens no file.
 *   cpu      the guest's CPUs and the registers of its devices.
 *   gather   huge pages.
 *
 * Each list of system calls stands beside the code that makes them; the control thread's own is
 * here, because it runs a little of everything. A thread of the guest's side inherits the control
 * thread's filter and adds its own.
 */
#include "control/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "machine/chardev.h"
#include "net/backend/backend.h"
#include "net/nic/nic.h"

static const int control_calls[] = {
	/* files and terminals */
	SYS_open,
	SYS_openat,
	SYS_readv,
	SYS_writev,
	SYS_pread64,
	SYS_pwrite64,
	SYS_preadv,
	SYS_pwritev,
	SYS_preadv2,
	SYS_pwritev2,
	SYS_lseek,
	SYS_stat,
	SYS_fstat,
	SYS_lstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_access,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_readlink,
	SYS_readlinkat,
	SYS_getcwd,
	SYS_getdents64,
	SYS_unlink,
	SYS_unlinkat,
	SYS_rename,
	SYS_renameat,
	SYS_renameat2,
	SYS_mkdir,
	SYS_mkdirat,
	SYS_rmdir,
	SYS_ftruncate,
	SYS_fallocate,
	SYS_fsync,
	SYS_fdatasync,
	SYS_flock,
	SYS_fcntl,
	SYS_dup,
	SYS_dup2,
	SYS_dup3,
	SYS_pipe2,
	SYS_ioctl,
	SYS_statfs,
	SYS_fstatfs,
	SYS_umask,
	SYS_fchmod,
	SYS_chmod,
	SYS_fchmodat,
	SYS_memfd_create,
	SYS_copy_file_range,
	SYS_sendfile,
	SYS_fadvise64,
	SYS_msync,
	SYS_inotify_init1,
	SYS_inotify_add_watch,
	SYS_inotify_rm_watch,
	SYS_close_range,
	SYS_splice,
	/* events */
	SYS_poll,
	SYS_ppoll,
	SYS_select,
	SYS_pselect6,
	SYS_epoll_create1,
	SYS_epoll_pwait2,
	SYS_eventfd2,
	SYS_timerfd_create,
	SYS_timerfd_settime,
	SYS_timerfd_gettime,
	SYS_signalfd4,
	SYS_rt_sigaction,
	SYS_pidfd_open,
	SYS_wait4,
	SYS_waitid,
	/* the process itself */
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getppid,
	SYS_getpgrp,
	SYS_uname,
	SYS_sysinfo,
	SYS_getrusage,
	SYS_times,
	SYS_prlimit64,
	SYS_getrlimit,
	SYS_capget,
	SYS_sched_getaffinity,
	SYS_sched_getparam,
	SYS_sched_getscheduler,
	SYS_sched_setscheduler,
	SYS_getcpu,
	SYS_time,
	SYS_mincore,
	SYS_mlock,
	SYS_munlock,
	SYS_getpriority,
	SYS_setsid,
	/* to become less, as threads do that start */
	SYS_seccomp,
	SYS_landlock_create_ruleset,
	SYS_landlock_restrict_self,
	/* sockets; which ones socket() may make is the kind's domains */
	SYS_socketpair,
	SYS_accept,
	SANDBOX_END,
};

#define ARENAS 1
#define INET   (SANDBOX_DOMAIN(AF_INET) | SANDBOX_DOMAIN(AF_INET6))

const struct sandbox_kind *sandbox_kind_of(enum vm_thread t)
{
	static const int *const control[] = {sandbox_thread_calls, loop_calls, stack_calls,
					     control_calls, NULL};
	static const int *const loop[] = {sandbox_thread_calls, loop_calls, stack_calls, tap_calls,
					  vhost_calls,		NULL};
	static const int *const cpu[] = {sandbox_thread_calls, accel_cpu_calls, chardev_calls,
					 NULL};
	static const int *const gather[] = {sandbox_thread_calls, accel_gather_calls, NULL};
	static const struct sandbox_kind kinds[] = {
		[VM_CONTROL] = {"control", control,
				INET | SANDBOX_DOMAIN(AF_UNIX) | SANDBOX_DOMAIN(AF_NETLINK),
				.icmp = true, .threads = true, .files = true},
		[VM_LOOP] = {"loop", loop, INET, .icmp = true},
		[VM_CPU] = {"cpu", cpu, 0},
		[VM_GATHER] = {"gather", gather, 0},
	};

	return &kinds[t];
}

int sandbox_start(const struct sandbox_conf *c, bool *on, bool *landlock, struct err *e)
{
	int rc;

	*on = *landlock = false;
	if (c->state == SANDBOX_OFF)
		return 0;
	/* With one arena the C library reads no file in the course of a free() or malloc(). */
	mallopt(M_ARENA_MAX, ARENAS);
	/* And in the course of the first gmtime_r(), unless it has before. */
	tzset();
	rc = sandbox_watch(e);
	if (!rc)
		rc = sandbox_enter(sandbox_kind_of(VM_CONTROL), true, landlock, e);
	if (rc && c->state == SANDBOX_DEFAULT) {
		log_warn("%s; vmwire runs without (-sandbox off says nothing)", e->text);
		return 0;
	}
	*on = !rc;
	log_extra("sandbox", "in force%s",
		  *landlock ? "" : ", without Landlock, which this kernel does not have");
	return rc;
}

/* --- threads ---------------------------------------------------------------------------------- */

static int enter(enum vm_thread t, struct err *e)
{
	const struct sandbox_kind *k = sandbox_kind_of(t);
	bool landlock;
	int rc = sandbox_enter(k, false, &landlock, e);

	if (!rc)
		log_extra("sandbox", "thread %d is of kind %s", (int)gettid(), k->name);
	return rc;
}

struct loop_call {
	struct err *e;
	int rc;
};

static void enter_loop(void *arg)
{
	struct loop_call *c = arg;

	c->rc = enter(VM_LOOP, c->e);
}

int sandbox_loop(struct loop *l, struct err *e)
{
	struct loop_call c = {.e = e};

	loop_call(l, enter_loop, &c);
	return c.rc;
}

bool sandbox_accel(void *arg, enum accel_thread kind)
{
	const bool *on = arg;
	struct err e;

	if (!*on || !enter(kind == ACCEL_CPU ? VM_CPU : VM_GATHER, &e))
		return true;
	log_err(&e);
	return false;
}

/* --- info sandbox ----------------------------------------------------------------------------- */

/* "Name:", "Seccomp_filters:" … of one thread. */
static void show_thread(const char *tid, void (*line)(void *arg, const char *text), void *arg)
{
	char path[64], text[128], row[160], name[32] = "";
	unsigned filters = 0, privs = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", tid);
	f = fopen(path, "re");
	while (f && fgets(text, sizeof(text), f)) {
		if (sscanf(text, "Name: %31[^\n]", name) == 1)
			continue;
		if (!strncmp(text, "Seccomp_filters:", 16))
			filters = (unsigned)strtoul(text + 16, NULL, 10);
		if (!strncmp(text, "NoNewPrivs:", 11))
			privs = (unsigned)strtoul(text + 11, NULL, 10);
	}
	if (f)
		fclose(f);
	snprintf(row, sizeof(row), "  %-16s %u filter%s%s", name, filters, filters == 1 ? "" : "s",
		 privs ? ", no new rights" : "");
	line(arg, row);
}

void sandbox_show(bool on, bool landlock, void (*line)(void *arg, const char *text), void *arg)
{
	DIR *d = opendir("/proc/self/task");
	const struct dirent *t;

	line(arg, !on	     ? "sandbox: off"
		  : landlock ? "sandbox: on; files: Landlock"
			     : "sandbox: on; files: by system calls alone (no Landlock here)");
	while (d && (t = readdir(d))) {
		if (t->d_name[0] != '.')
			show_thread(t->d_name, line, arg);
	}
	if (d)
		closedir(d);
}
