/* SPDX-License-Identifier: BSD-2-Clause */
/* A program of the host's (a script, a helper), run to its end. */
#ifndef NET_HOST_RUN_H
#define NET_HOST_RUN_H

#include <stdbool.h>

#include "base/err.h"

#define HOST_RUN_FD 3 /* what the program finds host_run.pass as */

struct host_run {
	const char *what;	 /* for messages: "script=/etc/qemu-ifup" */
	const char *const *argv; /* NULL-terminated; PATH is not searched */
	unsigned ms;		 /* longer than that it may not take */
	/* A signal that asks vmwire to end ends the program, too. */
	bool heed;
	int pass;		/* a descriptor of ours that it gets as HOST_RUN_FD; 0: none */
	int errors;		/* where its stderr goes; 0: to ours */
	bool quiet;		/* stdout and stderr go nowhere */
	const char *path;	/* of the program; NULL: argv[0] */
	const char *const *env; /* its environment, NULL-terminated; NULL: ours */
	int hangup;		/* a socket whose other end's closing ends it; 0: none */
};

/*
 * Runs the program and waits for it: its stdin is /dev/null, its stdout ours, no signal is blocked
 * or ignored, and it has no other descriptor of ours. Any thread that may block; SIGCHLD must not
 * be ignored. Returns 0 when it ended with exit status 0; else -errno, and e says what, in one line
 * that begins with r->what: not there, its exit status, its signal, late (it is killed then with
 * what it has started). -ECANCELED: a signal asked us to end.
 */
int host_run(const struct host_run *r, struct err *e);

/* The same, always by this process and not by the launcher (launcher.h). */
int host_run_here(const struct host_run *r, struct err *e);

#endif
