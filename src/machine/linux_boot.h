/* SPDX-License-Identifier: BSD-2-Clause */
/* What the readers of kernel images share. Private to this folder. */
#ifndef MACHINE_LINUX_BOOT_H
#define MACHINE_LINUX_BOOT_H

#include "machine/pc.h"

/* A kernel in guest memory. */
struct linux_layout {
	uint64_t low_ram; /* bytes of RAM from address 0 on */
	uint64_t size;	  /* of the kernel's file */
	uint64_t entry;	  /* 64-bit entry point */
	uint64_t first,
		end; /* memory the kernel takes, from when it starts until it has unpacked */
	uint64_t initrd_max;	    /* last byte an initrd may have */
	uint32_t cmdline_max;	    /* without the terminating zero */
	uint8_t hdr[0x290 - 0x1f1]; /* setup header, as boot_params holds it from 0x1f1 on */
};

/* Where RAM below 1 MiB is taken by the boot structures; kernels go above. */
#define LINUX_KERNEL_MIN 0x100000ull

/* pread() of exactly len bytes; errors name the file. */
int linux_read(const char *name, int fd, void *buf, uint64_t len, uint64_t off, struct err *e);

/* Reads an ELF vmlinux (64-bit) whose first bytes are head. */
int linux_load_elf(const struct linux_image *img, const struct guest_mem *mem, const uint8_t *head,
		   struct linux_layout *l, struct err *e);

#endif
