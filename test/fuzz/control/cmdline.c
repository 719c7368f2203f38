/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any command line: words parted by newlines. The parser must end with a configuration, a list or
 * one line of error, and leave nothing behind (leaks are the sanitizer's to find).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cmdline.h"

#define WORDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[WORDS + 1] = {(char *)"vmwire"}, *text = malloc(size + 1);
	static FILE *null;
	struct config c;
	struct err e = {0};
	int argc = 1, rc;

	if (!null)
		null = fopen("/dev/null", "w");
	if (!null || !text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	for (char *w = text; w && argc < WORDS;) {
		char *end = strchr(w, '\n');

		if (end)
			*end++ = 0;
		argv[argc++] = w;
		w = end;
	}
	rc = cmdline_parse(argc, argv, &c, null, &e);
	if (rc < 0 && (!e.code || !e.text[0] || strpbrk(e.text, "\r\n")))
		abort();
	if (rc > 0 && rc != CMDLINE_DONE)
		abort();
	config_free(&c);
	free(text);
	return 0;
}
