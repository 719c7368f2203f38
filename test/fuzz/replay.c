/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs every file of a corpus folder through a fuzz target once: a regression test without clang.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *dir, const char *name)
{
	static uint8_t buf[1 << 20];
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return 1;
	}
	size_t n = fread(buf, 1, sizeof(buf), f);

	fclose(f);
	/* A heap copy of the exact size, so that ASan sees an overread. */
	uint8_t *exact = malloc(n ? n : 1);

	if (!exact)
		return 1;
	for (size_t i = 0; i < n; i++)
		exact[i] = buf[i];
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned ran = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	DIR *d = opendir(argv[1]);

	if (!d) {
		perror(argv[1]);
		return 1;
	}
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		if (replay(argv[1], e->d_name))
			return 1;
		ran++;
	}
	closedir(d);
	printf("%u inputs replayed\n", ran);
	return ran ? 0 : 1;
}
