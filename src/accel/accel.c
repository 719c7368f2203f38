/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of accelerators, and opening and closing what stands in it. */
#include "accel/accel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/ops.h"

const struct accel_ops *const *accel_list(void)
{
	static const struct accel_ops *const table[] = {&accel_kvm, &accel_qtest, NULL};

	return table;
}

static const struct accel_ops *find(const char *name)
{
	for (const struct accel_ops *const *o = accel_list(); *o; o++)
		if (!strcmp((*o)->name, name))
			return *o;
	return NULL;
}

/* "kvm (…), qtest (…)" */
static void list_names(char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (const struct accel_ops *const *o = accel_list(); *o && len < size; o++) {
		int n = snprintf(buf + len, size - len, "%s%s (%s)", len ? ", " : "", (*o)->name,
				 (*o)->summary);

		if (n < 0)
			break;
		len += (size_t)n;
	}
}

struct accel *accel_open(const char *name, const struct accel_conf *c, struct err *e)
{
	const struct accel_ops *ops = name ? find(name) : NULL;
	char names[256];
	struct accel *a;

	if (!ops) {
		list_names(names, sizeof(names));
		err_set(e, EINVAL, "-accel %s: no such accelerator; there are: %s",
			name ? name : "", names);
		return NULL;
	}
	if (c->vcpus < 1 || c->vcpus > 255) {
		err_set(e, EINVAL, "-smp %u: a guest has 1 to 255 CPUs", c->vcpus);
		return NULL;
	}
	a = calloc(1, sizeof(*a));
	if (!a) {
		err_set(e, ENOMEM, "no memory for the accelerator");
		return NULL;
	}
	a->ops = ops;
	a->conf = *c;
	a->mem.fd = -1;
	if (!a->conf.device)
		a->conf.device = "/dev/kvm";
	if (ops->open(a, e) < 0) {
		ops->close(a);
		free(a);
		return NULL;
	}
	return a;
}

void accel_close(struct accel *a)
{
	if (!a)
		return;
	a->ops->close(a);
	mem_free(&a->mem);
	free(a);
}

void accel_set_loops(struct accel *a, struct loop **loops, unsigned n)
{
	a->conf.loops = loops;
	a->conf.nloops = n;
}
