/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An uncompressed kernel: the segments of a 64-bit ELF file go to their physical addresses, the
 * entry point is startup_64. The file carries no setup header; boot_params get a minimal one.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>

#include "base/util.h"
#include "machine/linux_boot.h"

#define MAX_SEGMENTS 64
#define VERSION	     0x020f

static int bad(const struct linux_image *img, struct err *e, const char *what)
{
	return err_set(e, ENOEXEC,
		       "%s is not a Linux kernel for this machine: %s; give a bzImage "
		       "(/boot/vmlinuz-*) or an x86-64 vmlinux",
		       img->kernel, what);
}

static int load_segment(const struct linux_image *img, const struct guest_mem *mem,
			const Elf64_Phdr *p, struct linux_layout *l, struct err *e)
{
	uint8_t *to;

	if (p->p_filesz > p->p_memsz)
		return bad(img, e, "a segment has more bytes in the file than in memory");
	if (p->p_offset > l->size || p->p_filesz > l->size - p->p_offset)
		return bad(img, e, "a segment lies beyond the end of the file (truncated?)");
	if (p->p_paddr < LINUX_KERNEL_MIN)
		return bad(img, e, "a segment wants to be below 1 MiB");
	if (p->p_paddr >= l->low_ram || p->p_memsz > l->low_ram - p->p_paddr)
		return err_set(e, ENOMEM,
			       "%s needs memory up to 0x%" PRIx64 " but the guest has %" PRIu64
			       " MiB there; give it more with -m",
			       img->kernel, (uint64_t)(p->p_paddr + p->p_memsz), l->low_ram >> 20);
	to = mem_ptr(mem, p->p_paddr, p->p_memsz);
	if (!to)
		return bad(img, e, "a segment does not lie in memory");
	mem_huge(mem, p->p_paddr, p->p_memsz);
	if (linux_read(img->kernel, img->kernel_fd, to, p->p_filesz, p->p_offset, e))
		return -e->code;
	memset(to + p->p_filesz, 0, p->p_memsz - p->p_filesz);
	l->first = MIN(l->first, p->p_paddr);
	l->end = MAX(l->end, p->p_paddr + p->p_memsz);
	/* Some linkers leave the entry point virtual. */
	if (l->entry >= p->p_vaddr && l->entry - p->p_vaddr < p->p_memsz && p->p_vaddr >> 63)
		l->entry = l->entry - p->p_vaddr + p->p_paddr;
	return 0;
}

#define HDR(off) ((off)-0x1f1)

static void make_header(struct linux_layout *l)
{
	put_le16(l->hdr + HDR(0x1fe), 0xaa55);
	put_le32(l->hdr + HDR(0x202), 0x53726448); /* "HdrS" */
	put_le16(l->hdr + HDR(0x206), VERSION);
	l->hdr[HDR(0x211)] = 1;			  /* LOADED_HIGH */
	put_le32(l->hdr + HDR(0x230), 0x1000000); /* kernel_alignment */
	l->initrd_max = PC_LOW_RAM_END - 1;
	l->cmdline_max = 2047;
}

int linux_load_elf(const struct linux_image *img, const struct guest_mem *mem, const uint8_t *head,
		   struct linux_layout *l, struct err *e)
{
	Elf64_Phdr ph[MAX_SEGMENTS];
	Elf64_Ehdr eh;
	int rc;

	memcpy(&eh, head, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh.e_machine != EM_X86_64)
		return bad(img, e, "an ELF file of another architecture");
	if (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)
		return bad(img, e, "an ELF file that is not executable");
	if (eh.e_phentsize != sizeof(Elf64_Phdr) || !eh.e_phnum || eh.e_phnum > MAX_SEGMENTS)
		return bad(img, e, "its ELF program headers are broken");
	if (eh.e_phoff > l->size || eh.e_phnum * sizeof(Elf64_Phdr) > l->size - eh.e_phoff)
		return bad(img, e, "its ELF program headers lie beyond the end of the file");
	rc = linux_read(img->kernel, img->kernel_fd, ph, eh.e_phnum * sizeof(Elf64_Phdr),
			eh.e_phoff, e);
	if (rc)
		return rc;
	make_header(l);
	l->entry = eh.e_entry;
	l->first = UINT64_MAX;
	l->end = 0;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
			continue;
		rc = load_segment(img, mem, &ph[i], l, e);
		if (rc)
			return rc;
	}
	if (l->first == UINT64_MAX)
		return bad(img, e, "it has nothing to load");
	if (l->entry < l->first || l->entry >= l->end)
		return bad(img, e, "its entry point lies outside of it");
	return 0;
}
