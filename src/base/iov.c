/* SPDX-License-Identifier: BSD-2-Clause */
/* iovec helpers: see iov.h. All of them tolerate empty entries and offsets past the end. */
#include "base/iov.h"

#include <stdint.h>
#include <string.h>

#include "base/util.h"

size_t iov_size(const struct iovec *vec, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += vec[i].iov_len;
	return sum;
}

size_t iov_read(const struct iovec *vec, unsigned n, size_t off, void *buf, size_t len)
{
	const struct iovec flat = {buf, len};

	return iov_copy(&flat, 1, 0, vec, n, off, len);
}

size_t iov_write(const struct iovec *vec, unsigned n, size_t off, const void *buf, size_t len)
{
	const struct iovec flat = {(void *)(uintptr_t)buf, len};

	return iov_copy(vec, n, off, &flat, 1, 0, len);
}

/* Steps *i over whole entries that *off skips. */
static void skip(const struct iovec *vec, unsigned n, unsigned *i, size_t *off)
{
	while (*i < n && *off >= vec[*i].iov_len) {
		*off -= vec[*i].iov_len;
		(*i)++;
	}
}

size_t iov_copy(const struct iovec *dst, unsigned nd, size_t doff, const struct iovec *src,
		unsigned ns, size_t soff, size_t len)
{
	unsigned d = 0, s = 0;
	size_t done = 0;

	while (done < len) {
		skip(dst, nd, &d, &doff);
		skip(src, ns, &s, &soff);
		if (d == nd || s == ns)
			break;
		size_t part = MIN(dst[d].iov_len - doff, src[s].iov_len - soff);

		part = MIN(part, len - done);
		memmove((char *)dst[d].iov_base + doff, (const char *)src[s].iov_base + soff, part);
		doff += part;
		soff += part;
		done += part;
	}
	return done;
}

unsigned iov_slice(const struct iovec *src, unsigned n, size_t off, size_t len, struct iovec *out,
		   unsigned max, size_t *got)
{
	unsigned used = 0, i = 0;
	size_t sum = 0;

	skip(src, n, &i, &off);
	for (; i < n && used < max && sum < len; i++) {
		size_t part = MIN(src[i].iov_len - off, len - sum);

		if (part) {
			out[used].iov_base = (char *)src[i].iov_base + off;
			out[used].iov_len = part;
			used++;
			sum += part;
		}
		off = 0;
	}
	if (got)
		*got = sum;
	return used;
}
