/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM over the qtest accelerator, whose PC stands still, for the tests of the monitors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "control/cmdline.h"
#include "control/hmp.h"
#include "control/qmp.h"

#define BENCH_WORDS 24

struct bench {
	char dir[32], qtest[96];
	struct config conf;
	struct vm *vm;
	struct err e;
	char *said; /* by the last bench_run() */
};

/* more: options of the test, NULL-terminated; "DIR" at a word's front stands for b->dir. */
static inline void bench_init(struct bench *b, const char *const *more)
{
	char *argv[BENCH_WORDS] = {
		(char *)"vmwire",   (char *)"-accel", (char *)"qtest", (char *)"-qtest",
		b->qtest,	    (char *)"-m",     (char *)"64",    (char *)"-nodefaults",
		(char *)"-sandbox", (char *)"off"};
	int argc = 10;

	strcpy(b->dir, "/tmp/control.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->qtest, sizeof(b->qtest), "unix:%s/qtest,server=on,wait=off", b->dir);
	for (; more && *more && argc < BENCH_WORDS - 1; more++)
		argv[argc++] = (char *)(uintptr_t)*more;
	if (cmdline_parse(argc, argv, &b->conf, stdout, &b->e))
		fail_msg("%s", b->e.text);
	b->vm = vm_new(&b->conf, &b->e);
	if (!b->vm)
		fail_msg("%s", b->e.text);
}

static inline void bench_exit(struct bench *b)
{
	char path[96];

	vm_free(b->vm);
	config_free(&b->conf);
	snprintf(path, sizeof(path), "%s/qtest", b->dir);
	unlink(path);
	assert_int_equal(rmdir(b->dir), 0);
	free(b->said);
}

/* Executes a line and returns what it printed, until the next call. */
static inline const char *bench_run(struct bench *b, const char *line)
{
	free(b->said);
	b->said = hmp_run(b->vm, line);
	assert_non_null(b->said);
	return b->said;
}
