/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox as a thread that a guest has taken over meets it: in a process of its own, a thread
 * of each kind tries to run a program, to read a file, to make a raw socket and more. Each is
 * refused with EPERM and told in the log; what the kind needs goes on working.
 */
#include "control/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

/* What the child tells: a bit for each attempt that was NOT refused. */
enum {
	EXEC = 1,
	OPEN = 2,
	RAW = 4,
	PACKET = 8,
	FORK = 16,
	CODE = 32,
	KILL = 64,
	SOCKET = 128,
	THREAD = 256,
	STAT = 512,
};

static bool made(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return fd >= 0 || errno != EPERM;
}

static void *nothing(void *arg)
{
	return arg;
}

static unsigned attempts(bool threads)
{
	static char *const argv[] = {(char *)"/bin/true", NULL};
	pthread_t t;
	struct stat st;
	unsigned done = 0;
	pid_t pid;
	void *p;

	if (execve(argv[0], argv, NULL) && errno != EPERM)
		done |= EXEC;
	done |= made(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) ? OPEN : 0;
	done |= made(syscall(SYS_open, "/etc/passwd", O_RDONLY)) ? OPEN : 0;
	done |= made(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP)) ? RAW : 0;
	done |= made(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)) ? RAW : 0;
	done |= made(socket(AF_PACKET, SOCK_DGRAM, 0)) ? PACKET : 0;
	done |= made(socket(AF_INET, SOCK_STREAM, 0)) ? SOCKET : 0;
	pid = fork();
	if (!pid)
		_exit(0);
	done |= pid > 0 || errno != EPERM ? FORK : 0;
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	done |= p != MAP_FAILED || errno != EPERM ? CODE : 0;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	done |= p == MAP_FAILED || !mprotect(p, 4096, PROT_EXEC) ? CODE : 0;
	done |= !kill(getppid(), 0) ? KILL : 0;
	done |= !stat("/etc/passwd", &st) ? STAT : 0;
	/* The C library blocks all signals around it, SIGSYS among them: refused, it ends the
	 * process. */
	if (threads && !pthread_create(&t, NULL, nothing, NULL)) {
		pthread_join(t, NULL);
		done |= THREAD;
	}
	return done;
}

struct trial {
	enum vm_thread kind;
	unsigned done;
};

static void *thread(void *arg)
{
	struct trial *t = arg;
	bool on = true;
	struct err e;

	prctl(PR_SET_NAME, "prey");
	if (t->kind == VM_CPU || t->kind == VM_GATHER) {
		if (!sandbox_accel(&on, t->kind == VM_CPU ? ACCEL_CPU : ACCEL_GATHER))
			return NULL;
	} else if (t->kind == VM_LOOP && sandbox_enter(sandbox_kind_of(VM_LOOP), false, NULL, &e)) {
		return NULL;
	}
	t->done = attempts(t->kind == VM_CONTROL);
	return NULL;
}

/* In a child: the whole process becomes VM_CONTROL, and a thread of it of the kind. Returns what
 * the thread could do, or -1; *log gets what was written. */
static int try_kind(enum vm_thread kind, char *log, size_t size)
{
	FILE *f = tmpfile();
	int status;
	pid_t pid;

	assert_non_null(f);
	pid = fork();
	if (!pid) {
		const struct sandbox_conf c = {.state = SANDBOX_ON};
		struct trial t = {.kind = kind, .done = 0xffff};
		bool on, landlock;
		pthread_t other;
		struct err e;
		FILE *answer = fdopen(dup(fileno(f)), "w");

		dup2(fileno(f), STDERR_FILENO);
		alarm(20);
		if (sandbox_start(&c, &on, &landlock, &e) || !on)
			_exit(1);
		if (pthread_create(&other, NULL, thread, &t))
			_exit(2);
		pthread_join(other, NULL);
		fprintf(answer, "done %u landlock %d\n", t.done, landlock);
		fflush(answer);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	rewind(f);
	log[fread(log, 1, size - 1, f)] = 0;
	fclose(f);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		print_error("status %#x: %s\n", status, log);
		return -1;
	}
	return (int)strtoul(strstr(log, "done ") + 5, NULL, 10);
}

static void each_kind(void **state)
{
	static const struct {
		enum vm_thread kind;
		unsigned may;
	} want[] = {
		{VM_CONTROL, OPEN | SOCKET | THREAD | STAT},
		{VM_LOOP, SOCKET},
		{VM_CPU, 0},
		{VM_GATHER, 0},
	};
	static char log[16384];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		int done = try_kind(want[i].kind, log, sizeof(log));

		if (done != (int)want[i].may)
			print_error("kind %s: %s", sandbox_kind_of(want[i].kind)->name, log);
		assert_int_equal(done, want[i].may);
		assert_non_null(strstr(log, "vmwire: warning: sandbox: thread prey may not call "
					    "execve (59): refused\n"));
		assert_non_null(strstr(log, "thread prey may not call socket (41): refused\n"));
		assert_non_null(strstr(log, "may not call clone (56): refused\n"));
		if (!(want[i].may & OPEN))
			assert_non_null(strstr(log, "may not call openat (257): refused\n"));
	}
}

static void off(void **state)
{
	const struct sandbox_conf c = {.state = SANDBOX_OFF};
	bool on = true, landlock = true;
	struct err e;

	(void)state;
	assert_int_equal(sandbox_start(&c, &on, &landlock, &e), 0);
	assert_false(on || landlock);
	assert_true(sandbox_accel(&on, ACCEL_CPU));
	assert_int_equal(prctl(PR_GET_SECCOMP), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off),
		cmocka_unit_test(each_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
