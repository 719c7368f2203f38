/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver gone mad, for tests; runs in the guest as root.
 *
 *	scramble CARD SECONDS [SEED]
 *
 * CARD is a PCI address (0000:00:03.0) without a driver. Its registers get random values, its
 * rings random descriptors, in random order, until the time is over. What could point the card
 * into memory that is the guest kernel's is kept from it: addresses are inside of a block that
 * belongs to this program, or outside of all memory. Frames that a network answers (ARP requests)
 * lie about, so that frames also come in. At the end the card is reset, before its rings become
 * somebody else's memory. Prints how many registers were written and read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	(2ul << 20) /* one page, so that it is one piece of memory for the card, too */
#define RINGS	0x10000u    /* its first part: rings full of descriptors; the rest: buffers */
#define USED	0x100000u /* addresses point into the first half only: a buffer does not leave it */
#define ARP_LEN 42u

/* 32-bit registers that hold an address, or its upper half: [first, last]. */
struct card {
	uint16_t vendor, device;
	unsigned bar;
	unsigned skip_from, skip_to; /* not written: [from, to) */
	struct {
		uint32_t first, last;
	} address[4];
	/* Ring tails and doorbells: written more often than the rest. */
	uint32_t bell[4];
	/* What resets it: register, value, bytes. */
	uint32_t reset, reset_value;
	unsigned reset_size;
};

static const struct card cards[] = {
	/* 82540EM: RDBAL, RDBAH; TDBAL, TDBAH. Tails: RDT, TDT. Others: RCTL, TCTL. */
	{0x8086,
	 0x100e,
	 0,
	 0,
	 0,
	 {{0x2800, 0x2807}, {0x3800, 0x3807}},
	 {0x2818, 0x3818, 0x100, 0x400},
	 0,
	 0x04000000,
	 4},
	/* RTL8139C+: TSAD or TNPDS/THPDS, RBSTART, DTCCR, RDSAR. Bells: Command, TPPoll, TSD0,
	   IMR/ISR. */
	{0x10ec,
	 0x8139,
	 1,
	 0,
	 0,
	 {{0x20, 0x33}, {0x10, 0x17}, {0xe4, 0xeb}},
	 {0x34, 0xd8, 0x10, 0x3c},
	 0x37,
	 0x10,
	 1},
	/* virtio 1.0 (4.1.4.3): the common configuration, at the start of its BAR; queue_desc,
	 * queue_driver, queue_device. Bells: device_status, queue_select, queue_enable, doorbells.
	 */
	{0x1af4, 0x1041, 4, 0, 0, {{0x20, 0x37}}, {0x14, 0x16, 0x1c, 0x3000}, 0x14, 0, 1},
	{0x1af4, 0x1000, 4, 0, 0, {{0x20, 0x37}}, {0x14, 0x16, 0x1c, 0x3000}, 0x14, 0, 1},
};

static uint64_t seed;
static uint8_t *block;
static uint64_t block_at; /* its address for the card */

static int die(const char *what)
{
	fprintf(stderr, "scramble: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* xorshift64*: good enough to be mad. */
static uint64_t any(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dull;
}

static uint64_t address(void)
{
	static const uint64_t outside[] = {
		0xfffffff0, 0x7ffffff0, 0xfee00000,	      0x100000000ull, 0xfffffffffffffff0ull,
		1ull << 52, 0xc0000000, 0x8000000000000000ull};

	if (any() % 8 == 0)
		return outside[any() % (sizeof(outside) / sizeof(*outside))];
	return block_at + (any() % (any() % 2 ? RINGS : USED) & ~15ull);
}

static uint64_t read_hex(const char *dir, const char *name)
{
	char path[128], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", dir, name);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		die(path);
	fclose(f);
	return strtoull(text, NULL, 16);
}

/* A block of one huge page, and where the card sees it. */
static void make_block(void)
{
	uint64_t entry[BLOCK / 4096];
	char *p = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (p == MAP_FAILED || fd < 0)
		die("memory");
	block = (uint8_t *)(((uintptr_t)p + BLOCK - 1) & ~(BLOCK - 1));
	if (madvise(block, BLOCK, MADV_HUGEPAGE) < 0)
		die("huge page");
	memset(block, 0, BLOCK);
	if (mlock(block, BLOCK) < 0)
		die("mlock");
	if (pread(fd, entry, sizeof(entry), (off_t)((uintptr_t)block / 4096 * 8)) != sizeof(entry))
		die("pagemap");
	close(fd);
	block_at = (entry[0] & ((1ull << 55) - 1)) * 4096;
	for (unsigned i = 0; i < BLOCK / 4096; i++)
		if ((entry[i] & ((1ull << 55) - 1)) * 4096 != block_at + i * 4096ull) {
			errno = ENOMEM;
			die("the kernel gave no huge page");
		}
}

static void put_arp(uint8_t *p)
{
	static const uint8_t request[ARP_LEN] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0,	   0x12, 0x34, 0x56,
		8,    6,    0,	  1,	8,    0,    6,	  4,	0,	   1,	 0x52, 0x54,
		0,    0x12, 0x34, 0x56, 10,   0,    2,	  15,	[38] = 10, 0,	 2,    2};

	memcpy(p, request, sizeof(request));
}

/* Descriptors: an address in every other 64-bit word, which suits all the cards. */
static void scramble_rings(void)
{
	uint64_t *w = (uint64_t *)block;

	for (unsigned n = 0; n < 64; n++) {
		unsigned i = any() % (RINGS / 16) * 2;

		w[i] = any() % 16 ? address() : any() | 1ull << 60;
		w[i + 1] = any() % 4 ? (any() & 0xffff0000000005eaull) | any() % 2048 : any();
	}
	put_arp(block + RINGS + any() % (USED - RINGS - 64));
}

static uint32_t value_for(const struct card *c, uint32_t off)
{
	for (unsigned i = 0; i < sizeof(c->address) / sizeof(*c->address); i++)
		if (c->address[i].last && off >= c->address[i].first && off <= c->address[i].last) {
			/* The upper half: mostly none. */
			if ((off - c->address[i].first) % 8 == 4 && any() % 8)
				return c->vendor == 0x10ec ? (uint32_t)address() : 0;
			return (uint32_t)address();
		}
	switch (any() % 4) {
	case 0:
		return 1u << any() % 32;
	case 1:
		return (uint32_t)(any() % 256);
	default:
		return (uint32_t)any();
	}
}

static int is_address(const struct card *c, uint32_t off)
{
	for (unsigned i = 0; i < sizeof(c->address) / sizeof(*c->address); i++)
		if (c->address[i].last && off + 3 >= c->address[i].first &&
		    off <= c->address[i].last)
			return 1;
	return 0;
}

static void write_one(const struct card *c, volatile uint8_t *regs, uint32_t len)
{
	uint32_t off = any() % 4 == 0 ? c->bell[any() % 4] : (uint32_t)(any() % len);
	unsigned size = 1u << any() % 3;

	/* Half of an address would be an address elsewhere. */
	if (is_address(c, off) || is_address(c, off & ~3u))
		size = 4;
	off &= ~(size - 1);
	if (off + size > len)
		return;
	if (size == 4)
		*(volatile uint32_t *)(regs + off) = value_for(c, off);
	else if (size == 2)
		*(volatile uint16_t *)(regs + off) = (uint16_t)value_for(c, off);
	else
		regs[off] = (uint8_t)value_for(c, off);
}

static uint32_t read_one(const volatile uint8_t *regs, uint32_t len)
{
	uint32_t off = (uint32_t)(any() % len);

	switch (any() % 3) {
	case 0:
		return *(const volatile uint32_t *)(regs + (off & ~3u));
	case 1:
		return *(const volatile uint16_t *)(regs + (off & ~1u));
	default:
		return regs[off];
	}
}

/* Maps the registers of the card and lets it reach memory. */
static volatile uint8_t *map_card(const char *name, const struct card *c, uint32_t *len)
{
	char path[128];
	uint16_t command;
	struct stat st;
	void *p;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		die(path);
	close(fd);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", name);
	fd = open(path, O_RDWR);
	if (fd < 0 || pread(fd, &command, 2, 4) != 2)
		die(path);
	command |= 7; /* I/O, memory, bus master */
	if (pwrite(fd, &command, 2, 4) != 2)
		die(path);
	close(fd);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%u", name, c->bar);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	p = mmap(NULL, st.st_size < 4096 ? 4096 : (size_t)st.st_size, PROT_READ | PROT_WRITE,
		 MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die(path);
	close(fd);
	*len = (uint32_t)st.st_size;
	return p;
}

/* Off the memory that is ours until we end. */
static void reset(const struct card *c, volatile uint8_t *regs)
{
	if (c->reset_size == 4)
		*(volatile uint32_t *)(regs + c->reset) = c->reset_value;
	else
		regs[c->reset] = (uint8_t)c->reset_value;
}

int main(int argc, char **argv)
{
	const struct card *c = NULL;
	uint64_t written = 0, read = 0;
	volatile uint8_t *regs;
	uint32_t len, sum = 0;
	time_t end;

	if (argc < 3) {
		fprintf(stderr, "usage: scramble CARD SECONDS [SEED]\n");
		return 2;
	}
	seed = argc > 3 ? strtoull(argv[3], NULL, 0) | 1 : 1;
	for (unsigned i = 0; i < sizeof(cards) / sizeof(*cards); i++)
		if (cards[i].vendor == read_hex(argv[1], "vendor") &&
		    cards[i].device == read_hex(argv[1], "device"))
			c = &cards[i];
	if (!c) {
		fprintf(stderr, "scramble: %s: not a card that is known here\n", argv[1]);
		return 2;
	}
	make_block();
	regs = map_card(argv[1], c, &len);
	for (unsigned i = 0; i < 64; i++)
		scramble_rings();
	end = time(NULL) + atoi(argv[2]);
	while (time(NULL) < end)
		for (unsigned i = 0; i < 64; i++) {
			if (any() % 32 == 0)
				scramble_rings();
			write_one(c, regs, len);
			written++;
			if (any() % 4 == 0) {
				sum += read_one(regs, len);
				read++;
			}
		}
	reset(c, regs);
	printf("%llu registers written, %llu read (sum %u)\n", (unsigned long long)written,
	       (unsigned long long)read, sum);
	return 0;
}
