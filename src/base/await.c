/* SPDX-License-Identifier: BSD-2-Clause */
/* A blocked signal wakes no poll(), so the pending ones are looked at ten times a second. */
#include "base/await.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/util.h"

#define LOOK_MS 100u

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

	while (poll(&p, 1, (int)LOOK_MS) <= 0)
		if (asked_to_end())
			return false;
	return true;
}

enum await await_for(int fd, unsigned ms, bool heed)
{
	const uint64_t end = clock_now(NULL) + ms * NS_PER_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		uint64_t now = clock_now(NULL);
		/* Rounded up: the last look is not a busy one. */
		uint64_t left = now < end ? (end - now) / NS_PER_MS + 1 : 0;

		if (poll(&p, 1, (int)MIN(left, LOOK_MS)) > 0)
			return AWAIT_READY;
		if (heed && asked_to_end())
			return AWAIT_END;
		if (!left)
			return AWAIT_LATE;
	}
}
