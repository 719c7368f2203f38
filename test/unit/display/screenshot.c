/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures in files. */
#include "display/screenshot.h"

#include <png.h>
#include <stdlib.h>

#include "card.h"

static struct card c;
static char dir[] = "/tmp/screenshotXXXXXX", path[64];

static int setup(void **state)
{
	(void)state;
	if (card_setup(&c) || !mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/picture", dir);
	card_pixel(&c, 3, 2, 0x112233);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(dir);
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	return card_teardown(&c);
}

static const uint8_t want[3] = {0x11, 0x22, 0x33};

static void ppm(void **state)
{
	uint8_t buf[16 + 3 * 640 * 480];
	FILE *f;

	(void)state;
	assert_int_equal(screenshot(c.vga, path, SCREENSHOT_PPM, NULL), 0);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fread(buf, 1, sizeof(buf), f), 15 + 3 * 640 * 480);
	fclose(f);
	assert_memory_equal(buf, "P6\n640 480\n255\n", 15);
	assert_memory_equal(buf + 15 + 3 * (2 * 640 + 3), want, 3);
}

static void png(void **state)
{
	png_image image = {.version = PNG_IMAGE_VERSION};
	uint8_t *rgb;

	(void)state;
	assert_int_equal(screenshot(c.vga, path, SCREENSHOT_PNG, NULL), 0);
	assert_true(png_image_begin_read_from_file(&image, path));
	assert_int_equal(image.width, 640);
	assert_int_equal(image.height, 480);
	image.format = PNG_FORMAT_RGB;
	rgb = malloc(PNG_IMAGE_SIZE(image));
	assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
	assert_memory_equal(rgb + 3 * (2 * 640 + 3), want, 3);
	free(rgb);
}

static void errors(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(screenshot(c.vga, "/nowhere/x", SCREENSHOT_PPM, &e), -ENOENT);
	assert_string_equal(e.text, "/nowhere/x: No such file or directory");
	/* A disk that is full; what is no file of ours stays. */
	assert_int_equal(screenshot(c.vga, "/dev/full", SCREENSHOT_PPM, &e), -ENOSPC);
	assert_true(screenshot(c.vga, "/dev/full", SCREENSHOT_PNG, &e) < 0);
	assert_int_equal(access("/dev/full", F_OK), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(ppm), T(png), T(errors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
