/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the qtest accelerator share.
 *   qtest.c        the table entry, the socket, lines in and out, interrupt lines
 *   qtest_cmd.c    the commands
 *   qtest_clock.c  clock steps
 */
#ifndef ACCEL_QTEST_H
#define ACCEL_QTEST_H

#include <pthread.h>

#include "accel/accel.h"
#include "base/loop.h"

#define QTEST_LINES    256u	   /* GSIs that are watched */
#define QTEST_MAX_DATA (4u << 20)  /* bytes of one read or write */
#define QTEST_MAX_LINE (9u << 20)  /* a write of that size in hex */
#define QTEST_MAX_OUT  (64u << 20) /* answers that the client may leave unread */

struct qtest {
	struct accel *a;
	struct loop_fd listening, conn, wake; /* on the control loop */
	int listen_fd, fd, wake_fd;	      /* -1: none */
	char *path;			      /* socket we made and must remove */

	char *in; /* bytes received and not worked off yet */
	size_t in_len, in_room;
	size_t in_seen; /* of them: no newline before this */
	bool skipping;	/* an overlong line, up to its end */

	pthread_mutex_t lock; /* the following: interrupts come on any thread */
	char *out;
	size_t out_len, out_room;
	bool hung_up; /* the socket is of no use any more */
	bool intercept;
	bool level[QTEST_LINES];

	/* A clock step under way; lines wait until it is answered. */
	bool stepping, again;
	uint64_t target;
	unsigned rounds, stops;
	struct loop_task task;
};

/* qtest.c. One line (without its newline) to the client; any thread. */
void qtest_send(struct qtest *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Bytes as they are; the newline is the caller's. */
void qtest_send_raw(struct qtest *q, const char *data, size_t len);
/* Works off the lines received, until there are none or a clock step begins. */
void qtest_lines(struct qtest *q);

/* qtest_cmd.c. Executes one line, which is cut into words in place. */
void qtest_command(struct qtest *q, char *line);

/* qtest_clock.c. Both answer later, from the control loop. */
void qtest_clock_to(struct qtest *q, uint64_t target);
void qtest_clock_next(struct qtest *q); /* to the earliest timer of all loops */

#endif
