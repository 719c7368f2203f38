/* SPDX-License-Identifier: BSD-2-Clause */
/* Small things every file needs: container_of, array sizes, unaligned big- and little-endian
 * access. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)			((a) < (b) ? (a) : (b))
#define MAX(a, b)			((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull

#define LOAD_STORE(bits, end)                                                                      \
	static inline uint##bits##_t get_##end##bits(const void *p)                                \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
		memcpy(&v, p, sizeof(v));                                                          \
		return end##bits##toh(v);                                                          \
	}                                                                                          \
	static inline void put_##end##bits(void *p, uint##bits##_t v)                              \
	{                                                                                          \
		v = hto##end##bits(v);                                                             \
		memcpy(p, &v, sizeof(v));                                                          \
	}
LOAD_STORE(16, be)
LOAD_STORE(32, be)
LOAD_STORE(64, be)
LOAD_STORE(16, le)
LOAD_STORE(32, le)
LOAD_STORE(64, le)
#undef LOAD_STORE

/* n bytes, at most 8 */
static inline uint64_t get_le(const void *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return le64toh(v);
}

static inline void put_le(void *p, uint64_t v, size_t n)
{
	v = htole64(v);
	memcpy(p, &v, n);
}

/* Does an access of len bytes at off touch the register of `width` bytes at `reg`? */
static inline bool touches(unsigned off, unsigned len, unsigned reg, unsigned width)
{
	return off < reg + width && reg < off + len;
}

static inline uint64_t align_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

#endif
