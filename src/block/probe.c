/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formats by their signatures. A raw image that is written by a guest may carry any signature the
 * guest likes, and would be taken for that format, with a backing file of the guest's choice, at
 * the next start: so an image that was taken for raw only because it looked like nothing else is
 * warned of, and its first sector may not be given a signature (blk.c).
 */
#include <string.h>

#include "base/util.h"
#include "block/image.h"

const char *const image_formats[] = {"raw", "qcow2", "qcow",	  "qed", "vmdk",  "vdi",   "vhdx",
				     "vpc", "luks",  "parallels", "dmg", "bochs", "cloop", NULL};

static const struct {
	const char *format;
	unsigned off, len;
	const char *sig;
} sigs[] = {
	{"qcow2", 0, 8, "QFI\xfb\0\0\0\2"},
	{"qcow2", 0, 8, "QFI\xfb\0\0\0\3"},
	{"qcow", 0, 8, "QFI\xfb\0\0\0\1"},
	{"qed", 0, 4, "QED\0"},
	{"vmdk", 0, 4, "KDMV"},
	{"vmdk", 0, 4, "COWD"},
	{"vmdk", 0, 21, "# Disk DescriptorFile"},
	{"vdi", 64, 4, "\x7f\x10\xda\xbe"},
	{"vhdx", 0, 8, "vhdxfile"},
	{"vpc", 0, 8, "conectix"},
	{"luks", 0, 6, "LUKS\xba\xbe"},
	{"parallels", 0, 16, "WithoutFreeSpace"},
	{"parallels", 0, 16, "WithouFreSpacExt"},
	{"bochs", 0, 32, "Bochs Virtual HD Image\0\0\0\0\0\0\0\0\0\0"},
	{"cloop", 0, 33, "#!/bin/sh\n#V2.0 Format\nmodprobe cl"},
};

const char *image_probe(const uint8_t *head, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sigs); i++) {
		if (sigs[i].off + sigs[i].len <= len &&
		    !memcmp(head + sigs[i].off, sigs[i].sig, sigs[i].len))
			return sigs[i].format;
	}
	return "raw";
}
