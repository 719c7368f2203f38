/* SPDX-License-Identifier: BSD-2-Clause */
/* Which images are refused, and in which words. */
#include "rig.h"

static void refused(const struct blk_conf *c, const char *text)
{
	struct err e = {0};

	assert_null(image_open(c, &e));
	if (!strstr(e.text, text))
		fail_msg("%s", e.text);
	assert_null(strchr(e.text, '\n'));
}

static void errors(void **state)
{
	struct rig_file f = rig_file(4096);

	(void)state;
	refused(&(struct blk_conf){.what = "-hda", .file = "/nonexistent"},
		"-hda: file=/nonexistent: No such file");
	refused(&(struct blk_conf){.what = "-hda", .file = "/dev/null", .format = "raw"},
		"neither a file nor a block device");
	refused(&(struct blk_conf){.what = "-drive", .file = f.path, .format = "qcow3"},
		"format=qcow3 is not known: did you mean qcow2?");
	refused(&(struct blk_conf){.what = "-drive", .file = "nbd:localhost:1"},
		"the protocol nbd is not implemented yet");
	refused(&(struct blk_conf){.what = "-drive", .file = f.path, .format = "qcow2"},
		"format qcow2: Image is not in qcow2 format");
	rig_file_end(&f);
}

static void opened(void **state)
{
	struct rig_file f = rig_file(4096);
	char name[80];
	struct blk_conf c = {.what = "-cdrom", .file = name, .cdrom = true};
	struct err e;
	struct image *im;

	(void)state;
	snprintf(name, sizeof(name), "file:%s", f.path);
	im = image_open(&c, &e);
	assert_non_null(im);
	assert_string_equal(im->file, f.path);
	assert_string_equal(im->format, "raw");
	assert_true(im->readonly && !im->probed);
	im->drv->close(im);
	c = (struct blk_conf){.what = "-hda", .file = f.path};
	im = image_open(&c, &e);
	assert_non_null(im);
	assert_true(!im->readonly && im->probed);
	im->drv->close(im);
	rig_file_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(errors), cmocka_unit_test(opened)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
