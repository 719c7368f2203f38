/* SPDX-License-Identifier: BSD-2-Clause */
/* A blocked signal wakes no poll(), so the pending ones are looked at ten times a second. */
#include "base/await.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>

#include "base/util.h"

#define LOOK_MS 100

static bool asked_to_end(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t s;

	if (sigpending(&s))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (sigismember(&s, ends[i]) == 1)
			return true;
	return false;
}

bool await_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, LOOK_MS) <= 0)
		if (asked_to_end())
			return false;
	return true;
}
