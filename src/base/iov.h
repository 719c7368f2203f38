/* SPDX-License-Identifier: BSD-2-Clause */
/* Walking and copying between flat memory and struct iovec arrays. Lengths in bytes. */
#ifndef BASE_IOV_H
#define BASE_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* Sum of the lengths. */
size_t iov_size(const struct iovec *vec, unsigned n);

/* Copies up to len bytes, starting off bytes into vec, to buf; returns how many were there. */
size_t iov_read(const struct iovec *vec, unsigned n, size_t off, void *buf, size_t len);

/* Copies up to len bytes of buf into vec from byte off on; returns how many had room. */
size_t iov_write(const struct iovec *vec, unsigned n, size_t off, const void *buf, size_t len);

/* Copies len bytes (or as many as both sides have) from src (from soff on) to dst (from doff on).
 */
size_t iov_copy(const struct iovec *dst, unsigned nd, size_t doff, const struct iovec *src,
		unsigned ns, size_t soff, size_t len);

/*
 * Describes bytes [off, off + len) of src in out[], which has room for max entries. Copies no
 * data. Returns the number of entries used; *got (may be NULL) is the number of bytes they cover
 * (less than len when src ends or max is too small).
 */
unsigned iov_slice(const struct iovec *src, unsigned n, size_t off, size_t len, struct iovec *out,
		   unsigned max, size_t *got);

#endif
