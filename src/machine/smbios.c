/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMBIOS structures (DMTF DSP0134, chapter 7), one behind the other: a header with type, length and
 * handle, fields, then the texts that the fields number from 1, each with its zero, and a zero
 * more. Built once; firmware copies them, or without it they are copied here.
 */
#include "machine/smbios.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/fw_cfg.h"
#include "machine/pc.h"

#define LEN_MAX	     UINT16_MAX /* the anchor's field */
#define STRUCT_MAX   0xff	/* bytes without texts */
#define SPEC_MAJOR   2
#define SPEC_MINOR   8
#define H_BIOS	     0x000
#define H_SYSTEM     0x100
#define H_BOARD	     0x200
#define H_CHASSIS    0x300
#define H_PROCESSOR  0x400
#define H_OEM	     0xb00
#define H_ARRAY	     0x1000
#define H_MEMORY     0x1100
#define H_RANGE	     0x1300
#define H_BOOT	     0x2000
#define H_END	     0x7f00
#define NO_HANDLE    0xfffe
#define DIMM_MAX     (16ull << 30)
#define NOT_KNOWN    0xffff
#define DEFAULT_NAME "vmwire"

struct build {
	struct smbios *s;
	const struct smbios_conf *c;
	size_t at, body; /* of the structure that is being made: its start, its texts */
	uint8_t texts;	 /* it has so far */
	uint16_t count, longest;
	bool full;
};

static void append(struct build *b, const void *p, size_t n)
{
	if (n > LEN_MAX - b->s->len) {
		b->full = true;
		return;
	}
	if (p)
		memcpy(b->s->tables + b->s->len, p, n);
	b->s->len += n;
}

/* Starts a structure of len bytes, zeroed; its fields are written by put(). */
static void start(struct build *b, uint8_t type, uint8_t len, uint16_t handle)
{
	uint8_t h[STRUCT_MAX] = {type, len};

	put_le16(h + 2, handle);
	b->at = b->s->len;
	b->texts = 0;
	append(b, h, len);
}

static void put(struct build *b, unsigned off, uint64_t v, unsigned size)
{
	if (!b->full)
		put_le(b->s->tables + b->at + off, v, size);
}

/* The text, whose number goes to the field at off. NULL or empty: number 0, none. */
static void put_text(struct build *b, unsigned off, const char *text)
{
	if (!text || !text[0])
		return;
	put(b, off, ++b->texts, 1);
	append(b, text, strlen(text) + 1);
}

/* One that the user may have given. */
static void put_own(struct build *b, unsigned off, enum smbios_text which, const char *otherwise)
{
	put_text(b, off, b->c->text[which] ? b->c->text[which] : otherwise);
}

static void end(struct build *b)
{
	append(b, "\0", b->texts ? 1 : 2);
	b->longest = (uint16_t)MAX(b->longest, b->s->len - b->at);
	b->count++;
}

/* --- structures ----------------------------------------------------------------------------- */

static void bios(struct build *b)
{
	start(b, 0, 0x18, H_BIOS);
	put(b, 0x06, 0xe800, 2); /* segment */
	put(b, 0x0a, 0x08, 8);	 /* characteristics are not said */
	/* Content distribution, and a virtual machine. */
	put(b, 0x13, 0x14 | (b->c->uefi ? 0x08 : 0), 1);
	put(b, 0x14, b->c->release_given ? b->c->release[0] : 0, 1);
	put(b, 0x15, b->c->release_given ? b->c->release[1] : 0, 1);
	put(b, 0x16, NOT_KNOWN, 2); /* no embedded controller */
	put_own(b, 0x04, BIOS_VENDOR, DEFAULT_NAME);
	put_own(b, 0x05, BIOS_VERSION, "1");
	put_own(b, 0x08, BIOS_DATE, "01/01/2026");
	end(b);
}

static void system_info(struct build *b, const uint8_t u[16])
{
	/* The first three fields of a UUID are little-endian here (section 7.2.1). */
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

	start(b, 1, 0x1b, H_SYSTEM);
	for (unsigned i = 0; i < 16; i++)
		put(b, 0x08 + i, u[order[i]], 1);
	put(b, 0x18, 6, 1); /* woken by the power switch */
	put_own(b, 0x04, SYSTEM_MANUFACTURER, DEFAULT_NAME);
	put_own(b, 0x05, SYSTEM_PRODUCT, "Standard PC (i440FX + PIIX, 1996)");
	put_own(b, 0x06, SYSTEM_VERSION, "pc");
	put_own(b, 0x07, SYSTEM_SERIAL, NULL);
	put_own(b, 0x19, SYSTEM_SKU, NULL);
	put_own(b, 0x1a, SYSTEM_FAMILY, NULL);
	end(b);
}

static void board(struct build *b)
{
	start(b, 2, 0x0f, H_BOARD);
	put(b, 0x09, 1, 1); /* a hosting board */
	put(b, 0x0b, H_CHASSIS, 2);
	put(b, 0x0d, 0x0a, 1); /* motherboard */
	put_own(b, 0x04, BOARD_MANUFACTURER, DEFAULT_NAME);
	put_own(b, 0x05, BOARD_PRODUCT, NULL);
	put_own(b, 0x06, BOARD_VERSION, NULL);
	put_own(b, 0x07, BOARD_SERIAL, NULL);
	put_own(b, 0x08, BOARD_ASSET, NULL);
	put_own(b, 0x0a, BOARD_LOCATION, NULL);
	end(b);
}

static void chassis(struct build *b)
{
	start(b, 3, 0x16, H_CHASSIS);
	put(b, 0x05, 1, 1); /* type: other */
	put(b, 0x09, 3, 1); /* boot, power, thermal state: safe */
	put(b, 0x0a, 3, 1);
	put(b, 0x0b, 3, 1);
	put(b, 0x0c, 2, 1); /* security: unknown */
	put_own(b, 0x04, CHASSIS_MANUFACTURER, DEFAULT_NAME);
	put_own(b, 0x06, CHASSIS_VERSION, "pc");
	put_own(b, 0x07, CHASSIS_SERIAL, NULL);
	put_own(b, 0x08, CHASSIS_ASSET, NULL);
	put_own(b, 0x15, CHASSIS_SKU, NULL);
	end(b);
}

static void processor(struct build *b, unsigned n)
{
	char socket[16];

	snprintf(socket, sizeof(socket), "CPU %u", n);
	start(b, 4, 0x2a, (uint16_t)(H_PROCESSOR + n));
	put(b, 0x05, 3, 1);    /* a central processor */
	put(b, 0x06, 1, 1);    /* family: other */
	put(b, 0x18, 0x41, 1); /* populated and enabled */
	put(b, 0x19, 1, 1);    /* socket: other */
	for (unsigned cache = 0x1a; cache < 0x20; cache += 2)
		put(b, cache, NOT_KNOWN, 2);
	put(b, 0x23, 1, 1); /* one core, on, of one thread */
	put(b, 0x24, 1, 1);
	put(b, 0x25, 1, 1);
	put(b, 0x26, 2, 2); /* characteristics: unknown */
	put(b, 0x28, 1, 2);
	put_text(b, 0x04, socket);
	put_text(b, 0x07, DEFAULT_NAME);
	end(b);
}

static void oem_strings(struct build *b)
{
	start(b, 11, 5, H_OEM);
	for (unsigned i = 0; i < b->c->oem.n; i++)
		put_text(b, 0x04, b->c->oem.v[i]);
	end(b);
}

static void dimm(struct build *b, unsigned n, uint64_t size)
{
	uint64_t mib = size >> 20;
	char slot[16];

	snprintf(slot, sizeof(slot), "DIMM %u", n);
	start(b, 17, 0x28, (uint16_t)(H_MEMORY + n));
	put(b, 0x04, H_ARRAY, 2);
	put(b, 0x06, NO_HANDLE, 2);
	put(b, 0x08, NOT_KNOWN, 2); /* widths */
	put(b, 0x0a, NOT_KNOWN, 2);
	put(b, 0x0c, MIN(mib, 0x7fff), 2);
	put(b, 0x0e, 9, 1);    /* DIMM */
	put(b, 0x12, 7, 1);    /* RAM … */
	put(b, 0x13, 0x02, 2); /* … of another kind */
	put(b, 0x1c, mib > 0x7ffe ? mib : 0, 4);
	put_text(b, 0x10, slot);
	put_text(b, 0x17, DEFAULT_NAME);
	end(b);
}

static void range(struct build *b, unsigned n, uint64_t from, uint64_t size)
{
	uint64_t last = from + size - 1;
	bool large = last >> 10 >= UINT32_MAX;

	start(b, 19, 0x1f, (uint16_t)(H_RANGE + n));
	put(b, 0x04, large ? UINT32_MAX : from >> 10, 4);
	put(b, 0x08, large ? UINT32_MAX : last >> 10, 4);
	put(b, 0x0c, H_ARRAY, 2);
	put(b, 0x0e, 1, 1);
	put(b, 0x0f, large ? from : 0, 8);
	put(b, 0x17, large ? last : 0, 8);
	end(b);
}

static void memory(struct build *b, uint64_t ram)
{
	uint64_t low = MIN(ram, PC_LOW_RAM_END), kib = ram >> 10;
	unsigned dimms = (unsigned)((ram + DIMM_MAX - 1) / DIMM_MAX);

	start(b, 16, 0x17, H_ARRAY);
	put(b, 0x04, 1, 1); /* somewhere else, of the system's, with correction */
	put(b, 0x05, 3, 1);
	put(b, 0x06, 6, 1);
	put(b, 0x07, kib < 0x80000000 ? kib : 0x80000000, 4);
	put(b, 0x0b, NO_HANDLE, 2);
	put(b, 0x0d, dimms, 2);
	put(b, 0x0f, kib < 0x80000000 ? 0 : ram, 8);
	end(b);
	for (unsigned i = 0; i < dimms; i++)
		dimm(b, i, MIN(DIMM_MAX, ram - i * DIMM_MAX));
	range(b, 0, 0, low);
	if (ram > low)
		range(b, 1, PC_HIGH_RAM, ram - low);
}

/* --- all of them ---------------------------------------------------------------------------- */

static void fill(struct build *b, unsigned cpus, uint64_t ram, const uint8_t uuid[16],
		 bool with_bios)
{
	if (with_bios || b->c->bios)
		bios(b);
	system_info(b, uuid);
	if (b->c->board)
		board(b);
	chassis(b);
	for (unsigned i = 0; i < cpus; i++)
		processor(b, i);
	if (b->c->oem.n)
		oem_strings(b);
	memory(b, ram);
	start(b, 32, 0x0b, H_BOOT); /* no errors */
	end(b);
	start(b, 127, 4, H_END);
	end(b);
}

/* Section 5.2.1. */
static void anchor(const struct build *b)
{
	uint8_t *a = b->s->anchor;

	memset(a, 0, SMBIOS_ANCHOR_LEN);
	put_be32(a, 0x5f534d5f); /* _SM_ */
	a[5] = SMBIOS_ANCHOR_LEN;
	a[6] = SPEC_MAJOR;
	a[7] = SPEC_MINOR;
	put_le16(a + 8, b->longest);
	put_be32(a + 0x10, 0x5f444d49); /* _DMI_ */
	a[0x14] = '_';
	put_le16(a + 0x16, (uint16_t)b->s->len);
	put_le16(a + 0x1c, b->count);
	a[0x1e] = SPEC_MAJOR << 4 | SPEC_MINOR;
}

int smbios_make(struct smbios *s, const struct smbios_conf *c, unsigned cpus, uint64_t ram,
		const uint8_t uuid[16], bool with_bios, struct err *e)
{
	struct build b = {.s = s, .c = c};

	s->len = 0;
	s->tables = malloc(LEN_MAX);
	if (!s->tables)
		return err_set(e, ENOMEM, "no memory for the SMBIOS tables");
	fill(&b, cpus, ram, uuid, with_bios);
	if (b.full || c->oem.n > UINT8_MAX) {
		smbios_free(s);
		return err_set(e, E2BIG,
			       "-smbios: all texts and CPUs together take more than %u bytes, or "
			       "there are more than %u values of type 11: give less",
			       LEN_MAX, UINT8_MAX);
	}
	anchor(&b);
	return 0;
}

void smbios_free(struct smbios *s)
{
	free(s->tables);
	s->tables = NULL;
	s->len = 0;
}

static uint8_t minus_sum(const uint8_t *p, size_t len)
{
	uint8_t v = 0;

	while (len--)
		v = (uint8_t)(v - *p++);
	return v;
}

int smbios_place(const struct smbios *s, const struct guest_mem *mem, uint64_t gpa, size_t room,
		 struct err *e)
{
	uint64_t at = gpa + align_up(SMBIOS_ANCHOR_LEN, 16);
	uint8_t *p = mem_ptr(mem, gpa, room);

	if (!p || s->len > room - (at - gpa))
		return err_set(e, ENOSPC, "-smbios: the tables (%zu bytes) do not fit below 1 MiB",
			       s->len);
	memcpy(p + (at - gpa), s->tables, s->len);
	memcpy(p, s->anchor, SMBIOS_ANCHOR_LEN);
	put_le32(p + 0x18, (uint32_t)at);
	p[0x15] = minus_sum(p + 0x10, 0x0f);
	p[4] = minus_sum(p, SMBIOS_ANCHOR_LEN);
	return 0;
}

int smbios_publish(const struct smbios *s, struct fw_cfg *f, struct err *e)
{
	int rc = fw_cfg_file(f, "etc/smbios/smbios-anchor", s->anchor, SMBIOS_ANCHOR_LEN, e);

	return rc ? rc : fw_cfg_file(f, "etc/smbios/smbios-tables", s->tables, s->len, e);
}
