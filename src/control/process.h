/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmwire as a process of the host's: into the background, its pid in a file, its log, the user it
 * runs as. What options ask for is in struct process_conf; the order of the steps is
 *
 *	process_begin() -> backends, devices, the guest's image are opened -> process_drop() ->
 *	the guest starts -> process_ready() -> … -> process_end()
 *
 * All on the main thread.
 */
#ifndef CONTROL_PROCESS_H
#define CONTROL_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* Strings are owned. */
struct process_conf {
	bool daemonize;
	char *pidfile;
	char *log;	 /* -D */
	char *log_items; /* -d */
	char *runas;
	char *title; /* -name process= */
	bool msg_time, msg_name;
	bool no_launcher; /* -sandbox off and no -runas: programs are our children */
	bool no_spawn;	  /* no programs once the guest runs */
};

void process_conf_free(struct process_conf *c); /* idempotent */

struct process {
	const struct process_conf *conf;
	int parent;   /* pipe to the process that waits for the start; -1: none */
	int log;      /* the file of -D, which becomes stderr when the guest runs; -1: none */
	int launcher; /* its socket (launcher.h); -1: none */
	pid_t launcher_pid;
	int pidfd; /* the pid file, locked; -1: none */
	char *pidpath;
	sigset_t old_signals;
};

enum process_role {
	PROCESS_GUEST = 0, /* go on: this process runs the guest */
	PROCESS_PARENT,	   /* the guest is in the background, or has failed: exit with *status */
};

/*
 * Opens the log, forks (-daemonize) and takes the pid file; name: the guest's, NULL without. Before
 * anything is opened that belongs to a process. Returns PROCESS_GUEST, PROCESS_PARENT with *status,
 * or -errno with e, process_end() being due in all cases but the parent's.
 */
int process_begin(struct process *p, const struct process_conf *c, const char *name, int *status,
		  struct err *e);

/* -runas: all threads become that user. After everything is opened. Returns 0 or -errno with e. */
int process_drop(struct process *p, struct err *e);

/* The guest runs: the log goes to its file now; lets the parent go, and the terminal. Returns 0 or
 * -errno with e. */
int process_ready(struct process *p, struct err *e);

/* The end: removes the pid file, and tells a parent that still waits. A signal that ended the start
 * is let through. Idempotent. */
void process_end(struct process *p, int status);

/* Checks -runas's argument: USER, or UID:GID. Returns 0 or -errno with e; what: the option. */
struct process_user {
	uid_t uid;
	gid_t gid;
	char name[64]; /* "": by number, no supplementary groups */
};
int process_user(const char *what, const char *text, struct process_user *u, struct err *e);

#endif
