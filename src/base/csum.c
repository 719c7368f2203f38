/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Internet checksum. One's-complement addition does not care about byte order (RFC 1071
 * section 2), so words are added as they lie in memory: 64 bits are read at a time, their halves
 * go to accumulators of 64 bits of their own, four chains that do not wait for each other, and
 * carries are folded once at the end.
 */
#include "base/csum.h"

#include <string.h>

#include "base/util.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "csum_add16() and the odd-byte rule below assume a little-endian host"
#endif

static uint32_t fold64(uint64_t acc)
{
	acc = (acc & 0xffffffff) + (acc >> 32);
	acc = (acc & 0xffffffff) + (acc >> 32);
	return (uint32_t)acc;
}

uint32_t csum_add(uint32_t sum, const void *p, size_t len)
{
	const uint8_t *b = p;
	uint64_t acc = sum;

	while (len >= 16) {
		/* 2^30 rounds fit before the sum of all could overflow. */
		size_t rounds = MIN(len / 16, (size_t)1 << 20);
		uint64_t lo[2] = {0}, hi[2] = {0};

		for (size_t i = 0; i < rounds; i++) {
			uint64_t w[2];

			memcpy(w, b + 16 * i, sizeof(w));
			lo[0] += (uint32_t)w[0];
			hi[0] += w[0] >> 32;
			lo[1] += (uint32_t)w[1];
			hi[1] += w[1] >> 32;
		}
		b += 16 * rounds;
		len -= 16 * rounds;
		acc = fold64(acc + lo[0] + hi[0] + lo[1] + hi[1]);
	}
	for (; len >= 4; b += 4, len -= 4) {
		uint32_t w;

		memcpy(&w, b, sizeof(w));
		acc += w;
	}
	if (len >= 2) {
		uint16_t w;

		memcpy(&w, b, 2);
		acc += w;
		b += 2;
		len -= 2;
	}
	if (len)
		acc += *b;
	return fold64(acc);
}

uint32_t csum_add_iov(uint32_t sum, const struct iovec *vec, unsigned n, size_t off, size_t len)
{
	bool odd = false;

	for (unsigned i = 0; i < n && len; i++) {
		if (off >= vec[i].iov_len) {
			off -= vec[i].iov_len;
			continue;
		}
		size_t part = MIN(vec[i].iov_len - off, len);
		uint32_t s = csum_add(0, (const char *)vec[i].iov_base + off, part);

		/* Bytes after an odd part sit in the other half of their word. */
		if (odd)
			s = (s << 8) | (s >> 24);
		sum += s;
		sum += sum < s;
		odd ^= part & 1;
		len -= part;
		off = 0;
	}
	return sum;
}

uint32_t csum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint16_t len)
{
	uint64_t acc = src;

	acc += dst;
	acc += __builtin_bswap16(proto);
	acc += __builtin_bswap16(len);
	return fold64(acc);
}

uint32_t csum_pseudo6(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len)
{
	uint8_t tail[8] = {0};

	put_be32(tail, len);
	tail[7] = proto;
	return csum_add(csum_add(csum_add(0, src, 16), dst, 16), tail, sizeof(tail));
}
