/* SPDX-License-Identifier: BSD-2-Clause */
/* The backends that there are. A new one is one file and one line here. */
#include <stddef.h>
#include <string.h>

#include "net/backend/backend.h"

extern const struct net_backend net_backend_user, net_backend_tap, net_backend_bridge;
extern const struct net_backend net_backend_macvtap, net_backend_nat, net_backend_dummy;

static const struct net_backend *const backends[] = {
	&net_backend_user,
	&net_backend_tap,
	&net_backend_bridge,
	&net_backend_macvtap,
	&net_backend_nat,
	&net_backend_dummy,
	NULL,
};

const struct net_backend *const *net_backends(void)
{
	return backends;
}

const struct net_backend *net_backend_find(const char *name)
{
	for (size_t i = 0; backends[i]; i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}
