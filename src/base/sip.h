/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash (Aumasson, Bernstein 2012), a keyed hash whose values somebody without the key can
 * neither guess nor make collide, here for just two words of input. With constant c and d it
 * unrolls.
 */
#ifndef BASE_SIP_H
#define BASE_SIP_H

#include <stdint.h>

static inline uint64_t sip_rotl(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = sip_rotl(v[1], 13) ^ v[0];
	v[3] = sip_rotl(v[3], 16) ^ v[2];
	v[0] = sip_rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = sip_rotl(v[1], 17) ^ v[2];
	v[3] = sip_rotl(v[3], 21) ^ v[0];
	v[2] = sip_rotl(v[2], 32);
}

/* SipHash-c-d of the 16 bytes of a and b: 2-4 is the standard one, 1-3 does for hash tables. */
static inline uint64_t sip_hash(const uint64_t key[2], uint64_t a, uint64_t b, unsigned c,
				unsigned d)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
			 key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull};
	const uint64_t m[3] = {a, b, 16ull << 56}; /* the last word holds the length */

	for (unsigned i = 0; i < 3; i++) {
		v[3] ^= m[i];
		for (unsigned k = 0; k < c; k++)
			sip_round(v);
		v[0] ^= m[i];
	}
	v[2] ^= 0xff;
	for (unsigned k = 0; k < d; k++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
