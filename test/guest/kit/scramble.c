/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver gone mad, for tests; runs in the guest as root.
 *
 *	scramble CARD SECONDS [SEED]
 *
 * CARD is a PCI address (0000:00:03.0) without a driver. Its registers get random values, its
 * rings random descriptors, in random order, bus mastering goes off and on, until the time is over.
 * Frames that a network answers (ARP requests) lie about, so that frames also come in. Prints how
 * many registers were written and read.
 *
 * A card without an IOMMU writes wherever a descriptor says. So that this does not hit the guest's
 * kernel, which is to go on afterwards, addresses are inside of a block that belongs to this
 * program, or outside of all memory, and what the card writes (frames, counters, used rings) does
 * not fall on what it takes an address to write to from: a part of a frame over a part of an
 * address would be an address anywhere. The block has three parts: RINGS for descriptors of what
 * the card receives; USED, what it writes beside descriptors (virtio); and buffers. Descriptors of
 * what it sends, from which it only reads, may be anywhere.
 *
 * The ARP requests are not in the name of an address that the network gives to guests: it would
 * not give it again while another station seems to have it. At the end bus mastering is off and
 * the card reset, before the block becomes somebody else's memory.
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
#define RINGS	0x10000u    /* bytes of the first part; rings begin in its first half */
#define USED	0x10000u    /* of the second; used rings begin in its first half */
#define BUFFERS (RINGS + USED)
#define LAST	0x100000u /* addresses are below: a buffer does not leave the block */
#define ARP_LEN 42u

/* What an address is one of. */
enum part { ANY, RING, USED_RING, BUFFER };

struct card {
	uint16_t vendor, device;
	unsigned bar;
	unsigned word; /* of a descriptor's two: the address */
	/* 64-bit registers that hold an address, [first, last], the upper half last. */
	struct {
		uint32_t first, last;
		enum part part;
	} address[6];
	/* The length of the ring of what it receives, 0: fixed. */
	uint32_t length;
	/* Ring tails and doorbells: written more often than the rest. */
	uint32_t bell[4];
	/* What resets it: register, value, bytes. */
	uint32_t reset, reset_value;
	unsigned reset_size;
};

static const struct card cards[] = {
	/* 82540EM: RDBAL, RDBAH; TDBAL, TDBAH. Tails: RDT, TDT. Others: RCTL, TCTL. */
	{.vendor = 0x8086,
	 .device = 0x100e,
	 .address = {{0x2800, 0x2807, RING}, {0x3800, 0x3807, ANY}},
	 .length = 0x2808,
	 .bell = {0x2818, 0x3818, 0x100, 0x400},
	 .reset_value = 0x04000000,
	 .reset_size = 4},
	/* RTL8139C+: TSAD0/1 or TNPDS, TSAD2/3 or THPDS; RBSTART; DTCCR; RDSAR. Bells: Command,
	   TPPoll, TSD0, IMR/ISR. */
	{.vendor = 0x10ec,
	 .device = 0x8139,
	 .bar = 1,
	 .word = 1,
	 .address = {{0x20, 0x2f, ANY},
		     {0x30, 0x33, BUFFER},
		     {0x10, 0x17, BUFFER},
		     {0xe4, 0xeb, RING}},
	 .bell = {0x34, 0xd8, 0x10, 0x3c},
	 .reset = 0x37,
	 .reset_value = 0x10,
	 .reset_size = 1},
#define VIRTIO(device_)                                                                            \
	{                                                                                          \
		.vendor = 0x1af4, .device = (device_), .bar = 4,                                   \
		.address = {{0x20, 0x27, RING}, {0x28, 0x2f, RING}, {0x30, 0x37, USED_RING}},      \
		.bell = {0x14, 0x16, 0x1c, 0x3000}, .reset = 0x14, .reset_size = 1                 \
	}
	/* virtio 1.0 (4.1.4.3): the common configuration, at the start of its BAR; queue_desc,
	 * queue_driver, queue_device. Bells: device_status, queue_select, queue_enable, doorbells.
	 */
	VIRTIO(0x1041),
	VIRTIO(0x1000),
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

/* Each also outside of memory by its lower half alone, for registers of 32 bits. */
static const uint64_t outside[] = {0xfffffff0,
				   0x7ffffff0,
				   0xfee00000,
				   0x1fffffff0ull,
				   0xfffffffffffffff0ull,
				   1ull << 52 | 0xc0000000,
				   0xc0000000,
				   0x80000000fffff000ull};

static uint64_t address(enum part part)
{
	uint64_t at = 0;

	if (any() % 8 == 0)
		return outside[any() % (sizeof(outside) / sizeof(*outside))];
	if (part == ANY)
		part = any() % 2 ? RING : BUFFER;
	if (part == RING)
		at = any() % (RINGS / 2);
	else if (part == USED_RING)
		at = RINGS + any() % (USED / 2);
	else
		at = BUFFERS + any() % (LAST - BUFFERS);
	return block_at + (at & ~15ull);
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
		0,    0x12, 0x34, 0x56, 10,   0,    2,	  77,	[38] = 10, 0,	 2,    2};

	memcpy(p, request, sizeof(request));
}

static void scramble_rings(const struct card *c)
{
	uint64_t *w = (uint64_t *)block;

	for (unsigned n = 0; n < 64; n++) {
		unsigned i = any() % (RINGS / 16) * 2;
		uint64_t other = any() % 4 ? (any() & 0xffff0000000005eaull) | any() % 2048 : any();

		w[i + c->word] = any() % 16 ? address(BUFFER) : any() | 1ull << 60;
		/* A table of descriptors among the buffers would be one that the card writes to. */
		if (c->vendor == 0x1af4)
			other &= ~(4ull << 32);
		w[i + !c->word] = other;
	}
	put_arp(block + BUFFERS + any() % (LAST - BUFFERS - 64));
}

static uint32_t value_for(const struct card *c, uint32_t off)
{
	for (unsigned i = 0; i < sizeof(c->address) / sizeof(*c->address); i++)
		if (c->address[i].last && off >= c->address[i].first && off <= c->address[i].last) {
			uint32_t bits = c->vendor == 0x10ec && off == 0x10 ? any() % 2 * 8 : 0;

			/* The upper half: mostly none. */
			if ((off - c->address[i].first) % 8 == 4 && any() % 8)
				return 0;
			return (uint32_t)address(c->address[i].part) | bits;
		}
	if (c->length && off == c->length)
		return (uint32_t)(any() % (RINGS / 2));
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
	return c->length && off + 3 >= c->length && off < c->length + 4;
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
	/* A reset leaves the ring at address 0, where its length would make it one. */
	if (c->length && off == c->length) {
		*(volatile uint32_t *)(regs + c->address[0].first) = (uint32_t)address(RING);
		*(volatile uint32_t *)(regs + c->address[0].first + 4) = 0;
	}
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

/* Bus mastering, by a descriptor of the card's configuration space. */
static void master(int config, int on)
{
	uint16_t command;

	if (pread(config, &command, 2, 4) != 2)
		die("configuration space");
	command |= 3; /* I/O, memory */
	command = (uint16_t)(on ? command | 4 : command & ~4);
	if (pwrite(config, &command, 2, 4) != 2)
		die("configuration space");
}

static int open_at(const char *name, const char *what, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, what);
	fd = open(path, flags);
	if (fd < 0)
		die(path);
	return fd;
}

/* Maps the registers of the card and lets it reach memory. */
static volatile uint8_t *map_card(const char *name, const struct card *c, int *config,
				  uint32_t *len)
{
	char bar[16];
	struct stat st;
	void *p;
	int fd;

	fd = open_at(name, "enable", O_WRONLY);
	if (write(fd, "1", 1) != 1)
		die("enable");
	close(fd);
	*config = open_at(name, "config", O_RDWR);
	master(*config, 1);
	snprintf(bar, sizeof(bar), "resource%u", c->bar);
	fd = open_at(name, bar, O_RDWR);
	if (fstat(fd, &st) < 0)
		die(bar);
	p = mmap(NULL, st.st_size < 4096 ? 4096 : (size_t)st.st_size, PROT_READ | PROT_WRITE,
		 MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die(bar);
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
	int config;
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
	regs = map_card(argv[1], c, &config, &len);
	for (unsigned i = 0; i < 64; i++)
		scramble_rings(c);
	end = time(NULL) + atoi(argv[2]);
	while (time(NULL) < end)
		for (unsigned i = 0; i < 64; i++) {
			if (any() % 32 == 0)
				scramble_rings(c);
			if (any() % 1024 == 0)
				master(config, any() % 4 != 0);
			write_one(c, regs, len);
			written++;
			if (any() % 4 == 0) {
				sum += read_one(regs, len);
				read++;
			}
		}
	master(config, 0);
	reset(c, regs);
	printf("%llu registers written, %llu read (sum %u)\n", (unsigned long long)written,
	       (unsigned long long)read, sum);
	return 0;
}
