/* SPDX-License-Identifier: BSD-2-Clause */
/* A card tells a network where it is, in place of a guest that cannot be asked to. */
#ifndef NET_PORT_ANNOUNCE_H
#define NET_PORT_ANNOUNCE_H

#include "net/port/port.h"

/* The first round comes at once, the second after initial_ms, each next one step_ms later than the
 * one before did, but at most max_ms. rounds 0: as usual (five; 50, 150, 250, 350 ms). */
struct net_announce_times {
	uint32_t rounds, initial_ms, step_ms, max_ms;
};

/* Embedded in the card, zeroed. */
struct net_announce {
	struct net_announce_times next, times; /* of the next start, which forgets it; under way */
	struct net_port *port;
	struct loop *loop; /* NULL: nothing under way */
	struct loop_timer timer;
	unsigned round;
	uint8_t mac[6];
};

/* [ctl, loops parked] Begins to send from the joined port p for `mac`, first byte lowest. Anew when
 * it was under way. */
void net_announce_start(struct net_announce *a, struct net_port *p, uint64_t mac);

/* [ctl, loops parked] To be called by detach(). No-op when nothing is under way. */
void net_announce_stop(struct net_announce *a);

#endif
