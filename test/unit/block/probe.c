/* SPDX-License-Identifier: BSD-2-Clause */
/* Formats by their signatures. */
#include "rig.h"

static const char *probe(const char *sig, size_t off, size_t len, size_t have)
{
	uint8_t head[IMAGE_HEAD] = {0};

	memcpy(head + off, sig, len);
	return image_probe(head, have);
}

static void signatures(void **state)
{
	(void)state;
	assert_string_equal(probe("QFI\xfb\0\0\0\3", 0, 8, 512), "qcow2");
	assert_string_equal(probe("QFI\xfb\0\0\0\1", 0, 8, 512), "qcow");
	assert_string_equal(probe("KDMV", 0, 4, 512), "vmdk");
	assert_string_equal(probe("\x7f\x10\xda\xbe", 64, 4, 512), "vdi");
	assert_string_equal(probe("vhdxfile", 0, 8, 512), "vhdx");
	assert_string_equal(probe("LUKS\xba\xbe", 0, 6, 512), "luks");
}

static void none(void **state)
{
	(void)state;
	assert_string_equal(probe("", 0, 0, 512), "raw");
	assert_string_equal(probe("QFI\xfb\0\0\0\4", 0, 8, 512), "raw");
	/* A file too short for its signature. */
	assert_string_equal(probe("vhdxfile", 0, 8, 7), "raw");
	assert_string_equal(probe("\x7f\x10\xda\xbe", 64, 4, 67), "raw");
	assert_string_equal(probe("", 0, 0, 0), "raw");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures),
		cmocka_unit_test(none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
