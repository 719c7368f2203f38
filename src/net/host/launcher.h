/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small process that runs the host's programs (scripts, helpers, a NAT network's holder) for
 * vmwire, so that vmwire itself need not be allowed to start any (-sandbox), nor keep root's rights
 * for them (-runas). It is forked before anything is opened, keeps the rights, the folder and the
 * environment of that moment, and ends when vmwire does.
 */
#ifndef NET_HOST_LAUNCHER_H
#define NET_HOST_LAUNCHER_H

#include <sys/types.h>

#include "net/host/run.h"

/* Its socket's number, where host_run() of any thread finds it. */
#define LAUNCHER_ENV "VMWIRE_LAUNCHER"

/*
 * Starts it and puts its socket into the environment; before the first thread. Returns the
 * descriptor, for launcher_end(), or -errno with e.
 */
int launcher_start(pid_t *pid, struct err *e);

/* Ends it: no program is started any more. Those that run go on. */
void launcher_end(int fd, pid_t pid);

/* The socket, or -1: there is none, programs are started by this process itself. */
int launcher_fd(void);

/* host_run() by the launcher. Any thread. */
int launcher_run(int fd, const struct host_run *r, struct err *e);

#endif
