/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks between open files: writers exclude everybody, readers each other not. */
#include "rig.h"

static int lock(const struct rig_file *f, int *fd, bool write, bool keep)
{
	struct err e;

	*fd = open(f->path, write ? O_RDWR : O_RDONLY);
	assert_true(*fd >= 0);
	return image_lock(*fd, write, keep, "-hda", f->path, &e);
}

static void locks(void **state)
{
	struct rig_file f = rig_file(512);
	int a, b;

	(void)state;
	assert_int_equal(lock(&f, &a, true, true), 0);
	assert_int_equal(lock(&f, &b, true, true), -EBUSY);
	close(b);
	assert_int_equal(lock(&f, &b, false, true), -EBUSY);
	close(b);
	assert_int_equal(lock(&f, &b, false, false), -EBUSY);
	close(b);
	/* They go with the file. */
	close(a);
	assert_int_equal(lock(&f, &a, false, true), 0);
	assert_int_equal(lock(&f, &b, false, true), 0);
	close(b);
	assert_int_equal(lock(&f, &b, true, true), -EBUSY);
	close(b);
	close(a);
	/* Only looked: nothing is held. */
	assert_int_equal(lock(&f, &a, true, false), 0);
	assert_int_equal(lock(&f, &b, true, true), 0);
	close(a);
	close(b);
	rig_file_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(locks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
