/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for somebody else before the event loop runs. */
#ifndef BASE_AWAIT_H
#define BASE_AWAIT_H

#include <stdbool.h>

/*
 * Waits until fd is readable. False when a signal that asks the program to end (SIGINT, SIGTERM,
 * SIGHUP, SIGQUIT) came first: those are blocked and read from a signalfd once the control loop
 * runs, and would otherwise not end a program that waits before it does.
 */
bool await_readable(int fd);

enum await {
	AWAIT_READY, /* fd is readable */
	AWAIT_LATE,  /* ms are over */
	AWAIT_END,   /* a signal asks the program to end; only when heeded */
};

/* The same for at most ms milliseconds; heed false: no signal ends it. */
enum await await_for(int fd, unsigned ms, bool heed);

#endif
