/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sandbox: see sandbox.h.
 *
 * Cost: the kernel (5.11 and later) keeps a bitmap of calls that a filter allows whatever their
 * arguments, so those cost nothing more; that is why read(), ioctl() and so on are allowed as a
 * whole. Filters of a thread add up, as do Landlock's domains. SPEC_ALLOW: the filter does not slow
 * a thread down by switching on mitigations it did not have.
 *
 * A refused call raises SIGSYS in the thread that made it (SECCOMP_RET_TRAP); the handler writes
 * the line and puts -EPERM where the call's result would be.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <netinet/in.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

const int sandbox_thread_calls[] = {
	SYS_futex,
	SYS_rt_sigreturn,
	SYS_rt_sigprocmask,
	SYS_rt_sigpending,
	SYS_rt_sigtimedwait,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_exit,
	SYS_exit_group,
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_clock_gettime,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	SYS_gettimeofday,
	SYS_getpid,
	SYS_gettid,
	SYS_sched_yield,
	SYS_rseq,
	SYS_set_robust_list,
	SYS_membarrier,
	SYS_getrandom,
	SYS_close,
	SYS_write,
	SYS_clock_getres,
	SANDBOX_END,
};

/* --- refused calls ---------------------------------------------------------------------------- */

/* Of those that an attacker would like best; others are told by number. */
static const struct {
	int nr;
	const char *name;
} names[] = {
	{SYS_execve, "execve"}, {SYS_execveat, "execveat"}, {SYS_open, "open"},
	{SYS_openat, "openat"}, {SYS_openat2, "openat2"},   {SYS_socket, "socket"},
	{SYS_fork, "fork"},	{SYS_vfork, "vfork"},	    {SYS_clone, "clone"},
	{SYS_ptrace, "ptrace"}, {SYS_mmap, "mmap"},	    {SYS_mprotect, "mprotect"},
	{SYS_kill, "kill"},	{SYS_connect, "connect"},   {SYS_bind, "bind"},
	{SYS_unlink, "unlink"}, {SYS_prctl, "prctl"},	    {SYS_mount, "mount"},
	{SYS_setuid, "setuid"}, {SYS_ioctl, "ioctl"},	    {SYS_tgkill, "tgkill"},
	{SYS_bpf, "bpf"},	{SYS_unshare, "unshare"},   {SYS_newfstatat, "newfstatat"},
	{SYS_chdir, "chdir"},	{SYS_readlink, "readlink"}, {SYS_access, "access"},
};

static void on_refused(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	const char *name = "number";
	char thread[16] = "";
	int saved = errno;

	(void)sig;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].nr == info->si_syscall)
			name = names[i].name;
	}
	prctl(PR_GET_NAME, thread);
	log_warn("sandbox: thread %s may not call %s (%d): refused", thread, name,
		 info->si_syscall);
	u->uc_mcontext.gregs[REG_RAX] = -EPERM;
	errno = saved;
}

int sandbox_watch(struct err *e)
{
	struct sigaction a = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_NODEFER};
	sigset_t s;

	sigemptyset(&a.sa_mask);
	sigemptyset(&s);
	sigaddset(&s, SIGSYS);
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
	return sigaction(SIGSYS, &a, NULL) ? err_set(e, errno, "-sandbox on: %s", strerror(errno))
					   : 0;
}

/* --- seccomp ---------------------------------------------------------------------------------- */

#define ALLOW(ctx, name, ...)                                                                      \
	seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(name),                                \
			       sizeof((struct scmp_arg_cmp[]){__VA_ARGS__}) /                      \
				       sizeof(struct scmp_arg_cmp),                                \
			       (struct scmp_arg_cmp[]){__VA_ARGS__})

/* No page that may be executed: code cannot be brought along. */
static int allow_memory(scmp_filter_ctx ctx)
{
	int rc = ALLOW(ctx, mmap, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	return rc ? rc : ALLOW(ctx, mprotect, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

#define TYPE_MASK 0xfu /* of socket()'s second argument: the type without its flags */

static int allow_sockets(scmp_filter_ctx ctx, const struct sandbox_kind *k)
{
	static const unsigned plain[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	int rc = 0;

	for (unsigned d = 0; d < 32 && !rc; d++) {
		if (!(k->domains & SANDBOX_DOMAIN(d)))
			continue;
		/* Every socket of netlink's is called raw. */
		if (d == AF_NETLINK)
			rc = ALLOW(ctx, socket, SCMP_A0(SCMP_CMP_EQ, d));
		for (unsigned t = 0; t < ARRAY_SIZE(plain) && !rc && d != AF_NETLINK; t++)
			rc = ALLOW(ctx, socket, SCMP_A0(SCMP_CMP_EQ, d),
				   SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, plain[t]));
	}
	if (k->icmp && !rc)
		rc = ALLOW(ctx, socket, SCMP_A0(SCMP_CMP_EQ, AF_INET),
			   SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, SOCK_RAW),
			   SCMP_A2(SCMP_CMP_EQ, IPPROTO_ICMP));
	return rc;
}

/* Names of threads, and signals to threads of this process. */
static int allow_self(scmp_filter_ctx ctx, const struct sandbox_kind *k)
{
	int rc = ALLOW(ctx, prctl, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));

	if (!rc)
		rc = ALLOW(ctx, prctl, SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME));
	if (!rc)
		rc = ALLOW(ctx, tgkill, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (rc || !k->threads)
		return rc;
	/* A thread that starts becomes of a kind of its own. */
	rc = ALLOW(ctx, prctl, SCMP_A0(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS));
	if (!rc)
		rc = ALLOW(ctx, clone, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	/* Its flags are in memory, where no filter sees them: the C library tries clone() then. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

static int add_rules(scmp_filter_ctx ctx, const struct sandbox_kind *k)
{
	int rc = 0;

	for (const int *const *list = k->calls; *list; list++) {
		for (const int *nr = *list; *nr != SANDBOX_END && !rc; nr++)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, *nr, 0);
	}
	if (!rc)
		rc = allow_memory(ctx);
	if (!rc)
		rc = allow_sockets(ctx, k);
	return rc ? rc : allow_self(ctx, k);
}

static int enter_seccomp(const struct sandbox_kind *k, bool all, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int rc = ctx ? 0 : -ENOMEM;

	if (!rc)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, all);
	if (!rc)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* Kernels before 4.17 have no such flag. */
	if (!rc)
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	if (!rc)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (!rc)
		rc = add_rules(ctx, k);
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc ? err_set(e, -rc, "-sandbox on: no system call filter for %s threads: %s",
			    k->name, strerror(-rc))
		  : 0;
}

/* --- Landlock --------------------------------------------------------------------------------- */

/* What files threads give up: to execute and to make devices; those that open none, everything. */
#define NEVER                                                                                      \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define ANY ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* of Linux 5.13 */

/* False: the kernel has none. */
static bool enter_landlock(const struct sandbox_kind *k)
{
	struct landlock_ruleset_attr a = {.handled_access_fs = k->files ? NEVER : ANY};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a.handled_access_fs), 0);
	long rc;

	if (fd < 0)
		return false;
	rc = syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return rc == 0;
}

int sandbox_enter(const struct sandbox_kind *k, bool all, bool *landlock, struct err *e)
{
	bool has;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_set(e, errno, "-sandbox on: %s", strerror(errno));
	has = enter_landlock(k);
	if (landlock)
		*landlock = has;
	return enter_seccomp(k, all, e);
}
