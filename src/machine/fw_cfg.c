/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fw_cfg: a key written to port 0x510 selects an item and starts it at its first byte; each read of
 * port 0x511 yields the next one, zeros behind the end. What takes long that way goes by DMA: the
 * guest writes the address of a descriptor, big-endian, to ports 0x514 (upper half) and 0x518
 * (lower half, which starts the transfer). A descriptor is control, length, address, big-endian;
 * control is overwritten with 0, or with the error bit.
 *
 * The descriptor is copied once and the copy is used. A transfer is done whole before the guest's
 * write returns; its target must lie in one piece of RAM, or nothing moves. Nobody writes to items:
 * a descriptor that asks for it gets the error bit.
 */
#include "machine/fw_cfg.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

#define PORT	 0x510
#define PORT_DMA 0x514

#define KEY_SIGNATURE 0x00
#define KEY_ID	      0x01
#define KEY_DIRECTORY 0x19
#define KEY_FILES     0x20
#define FILES	      128
#define KEYS	      (KEY_FILES + FILES)
#define ID_DMA	      3 /* the ports, and DMA */

#define DMA_ERROR  0x01u
#define DMA_READ   0x02u
#define DMA_SKIP   0x04u
#define DMA_SELECT 0x08u
#define DMA_WRITE  0x10u
#define DMA_LEN	   16

#define DIR_ENTRY 64 /* be32 size, be16 key, 2 reserved, name */
#define DIR_NAME  8

struct item {
	uint8_t *data; /* NULL: no such item */
	size_t len;
};

struct fw_cfg {
	struct io_region io, dma_io;
	struct bus *b;
	const struct guest_mem *mem;
	struct item item[KEYS];
	char name[FILES][FW_CFG_NAME_MAX + 1];
	unsigned nfiles;
	uint16_t key;
	size_t at; /* the next byte of the selected item */
	uint32_t dma_high;
};

/* --- the guest's side ------------------------------------------------------------------------ */

static void select_key(struct fw_cfg *f, uint16_t key)
{
	f->key = key;
	f->at = 0;
}

/* What is left of the selected item. */
static size_t rest(const struct fw_cfg *f, const uint8_t **p)
{
	const struct item *it = f->key < KEYS ? &f->item[f->key] : NULL;

	if (!it || f->at >= it->len)
		return 0;
	*p = it->data + f->at;
	return it->len - f->at;
}

static uint64_t data_read(void *opaque, uint64_t off, unsigned size)
{
	struct fw_cfg *f = opaque;
	const uint8_t *p;

	(void)off;
	if (size != 1 || !rest(f, &p))
		return 0;
	f->at++;
	return *p;
}

static void select_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	if (!off && size == 2)
		select_key(opaque, (uint16_t)val);
}

static const struct io_ops port_ops = {data_read, select_write, 2};

/* Moves len bytes from the item to RAM, or over them. */
static uint32_t transfer(struct fw_cfg *f, uint32_t control, uint64_t addr, uint32_t len)
{
	const uint8_t *from = NULL;
	size_t n = MIN(rest(f, &from), len);

	if (control & DMA_READ && len) {
		uint8_t *to = mem_ptr(f->mem, addr, len);

		if (!to)
			return DMA_ERROR;
		if (n)
			memcpy(to, from, n);
		memset(to + n, 0, len - n);
	}
	f->at += n;
	return 0;
}

static void dma(struct fw_cfg *f, uint64_t addr)
{
	uint8_t d[DMA_LEN], status[4];
	uint32_t control, result = 0;

	/* Where there is no descriptor there is nobody to tell, either. */
	if (mem_read(f->mem, addr, d, sizeof(d)))
		return;
	control = get_be32(d);
	if (control & DMA_SELECT)
		select_key(f, (uint16_t)(control >> 16));
	if (control & (DMA_READ | DMA_SKIP))
		result = transfer(f, control, get_be64(d + 8), get_be32(d + 4));
	else if (control & DMA_WRITE)
		result = DMA_ERROR;
	put_be32(status, result);
	(void)mem_write(f->mem, addr, status, sizeof(status));
}

static uint64_t dma_read(void *opaque, uint64_t off, unsigned size)
{
	static const char signature[8] = "QEMU CFG";

	(void)opaque;
	return get_le(signature + off, size);
}

static void dma_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct fw_cfg *f = opaque;
	uint32_t v = be32toh((uint32_t)val);

	if (size != 4)
		return;
	if (!off) {
		f->dma_high = v;
		return;
	}
	uint64_t addr = (uint64_t)f->dma_high << 32 | v;

	f->dma_high = 0;
	dma(f, addr);
}

static const struct io_ops dma_ops = {dma_read, dma_write, 4};

/* --- filling it ------------------------------------------------------------------------------ */

int fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, size_t len, struct err *e)
{
	uint8_t *copy = malloc(MAX(len, 1u));

	if (!copy || len > UINT32_MAX) {
		free(copy);
		return err_set(e, ENOMEM, "no memory for %zu bytes of firmware configuration", len);
	}
	if (len)
		memcpy(copy, data, len);
	bus_lock(f->b);
	free(f->item[key].data);
	f->item[key].data = copy;
	f->item[key].len = len;
	bus_unlock(f->b);
	return 0;
}

static int make_directory(struct fw_cfg *f, struct err *e)
{
	size_t len = 4 + (size_t)f->nfiles * DIR_ENTRY;
	uint8_t *d = calloc(1, len);
	int rc;

	if (!d)
		return err_set(e, ENOMEM, "no memory for the directory of firmware configuration");
	put_be32(d, f->nfiles);
	for (unsigned i = 0; i < f->nfiles; i++) {
		uint8_t *p = d + 4 + (size_t)i * DIR_ENTRY;

		put_be32(p, (uint32_t)f->item[KEY_FILES + i].len);
		put_be16(p + 4, (uint16_t)(KEY_FILES + i));
		memcpy(p + DIR_NAME, f->name[i], sizeof(f->name[i]));
	}
	rc = fw_cfg_add(f, KEY_DIRECTORY, d, len, e);
	free(d);
	return rc;
}

int fw_cfg_file(struct fw_cfg *f, const char *name, const void *data, size_t len, struct err *e)
{
	unsigned i = 0;
	int rc;

	while (i < f->nfiles && strcmp(f->name[i], name) != 0)
		i++;
	if (strlen(name) > FW_CFG_NAME_MAX)
		return err_set(e, ENAMETOOLONG,
			       "firmware configuration %.60s: a name has at most %d bytes", name,
			       FW_CFG_NAME_MAX);
	if (i == FILES)
		return err_set(e, ENOSPC, "firmware configuration %.60s: at most %d files", name,
			       FILES);
	rc = fw_cfg_add(f, (uint16_t)(KEY_FILES + i), data, len, e);
	if (rc)
		return rc;
	if (i == f->nfiles) {
		memcpy(f->name[i], name, strlen(name) + 1);
		f->nfiles++;
	}
	return make_directory(f, e);
}

struct fw_cfg *fw_cfg_new(struct bus *b, const struct guest_mem *mem, struct err *e)
{
	struct fw_cfg *f = calloc(1, sizeof(*f));
	uint8_t id[4];

	if (!f) {
		err_set(e, ENOMEM, "no memory for the firmware configuration device");
		return NULL;
	}
	f->b = b;
	f->mem = mem;
	f->io = (struct io_region){PORT, 2, &port_ops, f, "fw_cfg"};
	f->dma_io = (struct io_region){PORT_DMA, 8, &dma_ops, f, "fw_cfg DMA"};
	put_le32(id, ID_DMA);
	if (fw_cfg_add(f, KEY_SIGNATURE, "QEMU", 4, e) || fw_cfg_add(f, KEY_ID, id, 4, e) ||
	    make_directory(f, e) || bus_add(b, BUS_PIO, &f->io, e) ||
	    bus_add(b, BUS_PIO, &f->dma_io, e)) {
		fw_cfg_free(f);
		return NULL;
	}
	return f;
}

void fw_cfg_reset(struct fw_cfg *f)
{
	bus_lock(f->b);
	select_key(f, 0);
	f->dma_high = 0;
	bus_unlock(f->b);
}

void fw_cfg_free(struct fw_cfg *f)
{
	if (!f)
		return;
	bus_del(f->b, BUS_PIO, &f->io);
	bus_del(f->b, BUS_PIO, &f->dma_io);
	for (unsigned i = 0; i < KEYS; i++)
		free(f->item[i].data);
	free(f);
}
