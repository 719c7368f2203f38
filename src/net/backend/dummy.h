/* SPDX-License-Identifier: BSD-2-Clause */
/* The dummy's controls for tests; ordinary callers know only net_backend_dummy. */
#ifndef NET_BACKEND_DUMMY_H
#define NET_BACKEND_DUMMY_H

#include "net/port/port.h"

struct dummy_conf {
	bool echo;
	uint32_t drop;	   /* every drop-th frame is dropped; 0: none */
	unsigned queues;   /* 0: 1 */
	uint32_t offloads; /* NET_CAP_* it claims to take */
};

/* Makes an unjoined dummy. Returns NULL when out of memory. */
struct net_port *dummy_new(const struct dummy_conf *c, const char *id);

/* [q] From now on takes `frames` more frames on queue q, then none; DUMMY_ALL: any number. More
 * room than nothing resumes the peer. */
#define DUMMY_ALL UINT32_MAX
void dummy_set_room(struct net_port *p, unsigned q, uint32_t frames);

/* [ctl] Calls fn with every frame taken, before it is counted or echoed. NULL: nobody. */
void dummy_set_tap(struct net_port *p, void (*fn)(void *arg, unsigned q, const struct net_frame *f),
		   void *arg);

/* [q] How many times the peer resumed this port. */
unsigned dummy_resumed(const struct net_port *p, unsigned q);

#endif
