/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes on a QMP socket, in pieces whose length the first byte says. Each value or error uses
 * bytes up, bounds hold, and what is read in one piece is read in many.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/util.h"
#include "control/qmp_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Number of values and errors, weighed. */
static unsigned run(const uint8_t *data, size_t size, size_t step)
{
	struct qmp_lex x = {.len = 0};
	unsigned sum = 0;
	size_t used;

	for (size_t at = 0; at < size; at += used) {
		size_t n = MIN(step, size - at);
		struct qmp_request r;
		struct err e = {0};
		json_t *v;
		enum qmp_lexed got = qmp_lex(&x, data + at, n, &used, &v, &e);

		/* A word may end in front of the first byte. */
		if ((!used && got == QMP_LEX_MORE) || used > n || x.room > QMP_VALUE_MAX ||
		    (got == QMP_LEX_VALUE) != !!v || (got == QMP_LEX_MORE && used != n))
			abort();
		if (got != QMP_LEX_MORE)
			sum = sum * 3 + (unsigned)got;
		if (v && qmp_request(v, &r, &e) && !e.text[0])
			abort();
		json_decref(v);
	}
	qmp_lex_reset(&x);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && run(data + 1, size - 1, data[0] % 16u + 1) != run(data + 1, size - 1, size))
		abort();
	return 0;
}
