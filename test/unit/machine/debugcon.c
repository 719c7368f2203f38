/* SPDX-License-Identifier: BSD-2-Clause */
/* The debug console: bytes written to its ports come out. */
#include <stdio.h>
#include <stdlib.h>

#include "machine/chardev.h"
#include "pc_fixture.h"

static void bytes_come_out(void **state)
{
	char path[] = "/tmp/debugcon-XXXXXX", spec[64], got[8] = "";
	int fd = mkstemp(path);
	struct debugcon *d;
	struct chardev *c;
	struct pc pc;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pc_setup(&pc), 0);
	snprintf(spec, sizeof(spec), "file:%s", path);
	c = chardev_open(pc.loop, "-debugcon", spec, NULL);
	assert_non_null(c);
	assert_int_equal(pc_in(&pc, 0x402, 1), 0xff);
	d = debugcon_new(&pc.b, c, NULL);
	assert_non_null(d);
	assert_int_equal(pc_in(&pc, 0x402, 1), 0xe9);
	assert_int_equal(pc_in(&pc, 0xe9, 1), 0xe9);
	pc_out(&pc, 0x402, 'a', 1);
	pc_out(&pc, 0xe9, 'b', 1);
	debugcon_free(d);
	chardev_close(c);
	assert_int_equal(read(fd, got, sizeof(got)), 2);
	assert_string_equal(got, "ab");
	assert_int_equal(pc_teardown(&pc), 0);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_come_out)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
