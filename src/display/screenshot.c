/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A picture of the guest's screen in a file: PPM (P6) by hand, as it is a header and the pixels,
 * PNG by libpng's simplified interface. The picture is drawn in one piece first, so that it is of
 * one moment as far as the guest lets it.
 */
#include "display/screenshot.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Four bytes a pixel to three, in place. */
static void drop_fourth(uint8_t *p, size_t pixels)
{
	for (size_t i = 0; i < pixels; i++)
		memmove(p + 3 * i, p + 4 * i, 3);
}

static bool write_ppm(FILE *f, const struct vga_view *w, const uint8_t *rgb)
{
	fprintf(f, "P6\n%u %u\n255\n", w->width, w->height);
	return fwrite(rgb, (size_t)w->width * 3, w->height, f) == w->height;
}

static bool write_png(FILE *f, const struct vga_view *w, const uint8_t *rgb)
{
	png_image image = {.version = PNG_IMAGE_VERSION,
			   .width = w->width,
			   .height = w->height,
			   .format = PNG_FORMAT_RGB};
	bool good = png_image_write_to_stdio(&image, f, 0, rgb, 0, NULL);

	png_image_free(&image);
	return good;
}

int screenshot(struct vga *v, const char *path, enum screenshot_format format, struct err *e)
{
	struct vga_view w;
	struct stat st;
	uint32_t *pix;
	bool good;
	FILE *f;
	int code;

	vga_look(v, &w);
	pix = malloc((size_t)w.width * w.height * sizeof(*pix));
	if (!pix)
		return err_set(e, ENOMEM, "%s: no memory for a picture of %ux%u", path, w.width,
			       w.height);
	vga_draw(v, &w, 0, w.height, pix, w.width);
	drop_fourth((uint8_t *)pix, (size_t)w.width * w.height);
	f = fopen(path, "we");
	if (!f) {
		code = errno;
		free(pix);
		return err_set(e, code, "%s: %s", path, strerror(code));
	}
	errno = 0;
	good = format == SCREENSHOT_PNG ? write_png(f, &w, (const uint8_t *)pix)
					: write_ppm(f, &w, (const uint8_t *)pix);
	code = errno;
	free(pix);
	if (!fclose(f) && good)
		return 0;
	code = good ? errno : code ? code : EIO;
	if (!stat(path, &st) && S_ISREG(st.st_mode))
		unlink(path);
	return err_set(e, code, "%s: %s", path, strerror(code));
}
