/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071). Partial sums are 32 bit, folded only at the end. */
#ifndef BASE_CSUM_H
#define BASE_CSUM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * Adds len bytes at p, taken as big-endian 16-bit words in memory order (an odd last byte is
 * padded with zero), to the partial sum. The sum is kept in memory order: fold it with
 * csum_fold() and store the result with memcpy, no byte swap.
 */
uint32_t csum_add(uint32_t sum, const void *p, size_t len);

/* The same over bytes [off, off + len) of an iovec array; parts of odd length are handled. */
uint32_t csum_add_iov(uint32_t sum, const struct iovec *vec, unsigned n, size_t off, size_t len);

/* Adds one 16-bit value given in host order. */
static inline uint32_t csum_add16(uint32_t sum, uint16_t v)
{
	v = __builtin_bswap16(v);
	sum += v;
	return sum + (sum < v);
}

/* Folds and complements: the value for the header field, already in memory (network) order. */
static inline uint16_t csum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The same without the complement: what CHECKSUM_PARTIAL leaves in the field as a start value. */
static inline uint16_t csum_fold_raw(uint32_t sum)
{
	return (uint16_t)~csum_fold(sum);
}

/* Partial sum of the TCP/UDP pseudo header: RFC 9293 section 3.1 (IPv4), RFC 8200 section 8.1
 * (IPv6). Addresses in network order; len is the transport length in bytes, host order. */
uint32_t csum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint16_t len);
uint32_t csum_pseudo6(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len);

#endif
