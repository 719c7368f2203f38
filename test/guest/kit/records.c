/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records write FILE SECONDS: numbered records, one a sector, each written and flushed
 * (fdatasync); after each flush a line "ack N" says that records 1 … N are on disk.
 * records check FILE N: are the first N there? The last line says how many are.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 4096u
#define SPREAD 37u /* sectors between two records: each needs space of its own in the image */

static void fill(uint8_t *p, uint32_t n)
{
	for (unsigned i = 0; i < SECTOR; i += 4) {
		uint32_t v = n * 2654435761u + i;

		memcpy(p + i, &v, 4);
	}
	memcpy(p, &n, 4);
}

static off_t place(uint32_t n)
{
	return (off_t)(1 + n * SPREAD % 12000) * SECTOR;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int write_all(int fd, int seconds)
{
	static uint8_t buf[SECTOR];
	time_t end = time(NULL) + seconds;

	for (uint32_t n = 1; time(NULL) < end && n < 12000; n++) {
		char line[32];

		fill(buf, n);
		if (pwrite(fd, buf, SECTOR, place(n)) != SECTOR)
			return fail("write");
		if (fdatasync(fd))
			return fail("fdatasync");
		if (write(1, line, (size_t)snprintf(line, sizeof(line), "ack %u\n", n)) < 0)
			return 1;
	}
	return 0;
}

static int check(int fd, uint32_t want)
{
	static uint8_t buf[SECTOR], good[SECTOR];

	for (uint32_t n = 1; n <= want; n++) {
		fill(good, n);
		if (pread(fd, buf, SECTOR, place(n)) != SECTOR || memcmp(buf, good, SECTOR)) {
			printf("record %u of %u is not there\n", n, want);
			return 1;
		}
	}
	printf("%u records\n", want);
	return 0;
}

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[2], O_RDWR) : -1;

	if (fd < 0)
		return fail(argc == 4 ? argv[2] : "usage");
	return argv[1][0] == 'w' ? write_all(fd, atoi(argv[3]))
				 : check(fd, (uint32_t)atoi(argv[3]));
}
