/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A card's expansion ROM (PCI Local Bus 3.0, sections 6.2.5.2 and 6.3): a file, read once when the
 * card is made, that the guest finds behind a base address register of its own. The register has
 * an enable bit; the ROM answers when that and memory space are both on. Nobody can write to it.
 *
 * What is in the file matters to the guest's firmware only. One that it would pass over is worth
 * a warning, not a refusal.
 */
#include "bus/pci_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define ROM_MIN	 2048u	     /* bits 11 up are the address */
#define ROM_MAX	 (16u << 20) /* section 6.2.5.2 */
#define ROM_SUM	 6u	     /* a byte that firmware does not look at but to sum them all */
#define PCIR_PTR 0x18u	     /* sections 6.3.1.1, 6.3.1.2 */
#define PCIR_LEN 0x18u

/* In it */
#define PCIR_VENDOR   4u
#define PCIR_DEVICE   6u
#define PCIR_LIST     8u
#define PCIR_REVISION 0x0cu

static uint64_t rom_read(void *opaque, uint64_t off, unsigned size)
{
	const struct pci_dev *d = opaque;

	return get_le(d->rom + off, size);
}

static const struct io_ops rom_ops = {.read = rom_read};

/* Does the data structure at `at` name the card? Revision 3 has a list of more devices. */
static bool is_for(const struct pci_dev *d, const uint8_t *rom, size_t len, size_t at)
{
	uint16_t id = get_le16(d->config + PCI_DEVICE), list = get_le16(rom + at + PCIR_LIST);

	if (get_le16(rom + at + PCIR_VENDOR) != get_le16(d->config + PCI_VENDOR))
		return false;
	if (get_le16(rom + at + PCIR_DEVICE) == id)
		return true;
	if (rom[at + PCIR_REVISION] < 3 || !list)
		return false;
	for (at += list; at + 2 <= len && get_le16(rom + at); at += 2)
		if (get_le16(rom + at) == id)
			return true;
	return false;
}

/* Says why firmware would pass over the first image, if it would. */
static void judge(const struct pci_dev *d, const char *path, const uint8_t *rom, size_t len)
{
	static const char after[] = "firmware will pass it over";
	size_t at = len < PCIR_PTR + 2 ? len : get_le16(rom + PCIR_PTR);

	if (len < PCIR_PTR + 2 || rom[0] != 0x55 || rom[1] != 0xaa)
		log_warn("%s: romfile=%s: it does not begin with 55 aa: %s", d->model, path, after);
	else if (at + PCIR_LEN > len || memcmp(rom + at, "PCIR", 4) != 0)
		log_warn("%s: romfile=%s: it has no PCI data structure (PCIR): %s", d->model, path,
			 after);
	else if (!is_for(d, rom, len, at))
		log_warn("%s: romfile=%s: it is for %04x:%04x, the card is %04x:%04x: %s", d->model,
			 path, get_le16(rom + at + PCIR_VENDOR), get_le16(rom + at + PCIR_DEVICE),
			 get_le16(d->config + PCI_VENDOR), get_le16(d->config + PCI_DEVICE), after);
}

static int bad_file(const struct pci_dev *d, const char *path, int code, const char *why,
		    struct err *e)
{
	return err_set(e, code, "%s: romfile=%s: %s", d->model, path, why);
}

/* Reads what fd has into a buffer of the BAR's size, the rest being as erased flash is. */
static int read_all(struct pci_dev *d, const char *path, int fd, size_t len, struct err *e)
{
	size_t have = 0;

	d->rom_size = ROM_MIN;
	while (d->rom_size < len)
		d->rom_size *= 2;
	d->rom = malloc(d->rom_size);
	if (!d->rom)
		return bad_file(d, path, ENOMEM, "no memory for it", e);
	memset(d->rom, 0xff, d->rom_size);
	while (have < len) {
		ssize_t n = read(fd, d->rom + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return bad_file(d, path, errno, strerror(errno), e);
		if (!n)
			return bad_file(d, path, EIO, "it became shorter while it was read", e);
		have += (size_t)n;
	}
	return 0;
}

static int check_file(const struct pci_dev *d, const char *path, const struct stat *st,
		      struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return bad_file(d, path, EINVAL, "it is no file; give a ROM image's path", e);
	if (!st->st_size)
		return bad_file(d, path, EINVAL, "it is empty; romfile= means no ROM", e);
	if (st->st_size > ROM_MAX)
		return bad_file(d, path, EFBIG, "it is larger than 16 MiB, the most that PCI knows",
				e);
	return 0;
}

/* Puts the card's device id into the first image, and keeps the image's bytes summing to 0. */
static void adopt(struct pci_dev *d, size_t len)
{
	size_t at = len < PCIR_PTR + 2 ? len : get_le16(d->rom + PCIR_PTR);
	uint8_t *id = d->rom + at + PCIR_DEVICE;

	if (at < ROM_SUM + 1 || at + PCIR_LEN > len || memcmp(d->rom + at, "PCIR", 4) != 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		d->rom[ROM_SUM] = (uint8_t)(d->rom[ROM_SUM] + id[i] - d->config[PCI_DEVICE + i]);
		id[i] = d->config[PCI_DEVICE + i];
	}
}

static int load(struct pci_dev *d, const char *path, bool own, struct err *e)
{
	/* Not to wait for the other end of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
	struct stat st;

	if (fd < 0)
		return bad_file(d, path, errno, strerror(errno), e);
	rc = fstat(fd, &st) ? bad_file(d, path, errno, strerror(errno), e)
			    : check_file(d, path, &st, e);
	if (!rc)
		rc = read_all(d, path, fd, (size_t)st.st_size, e);
	close(fd);
	if (rc < 0) {
		pci_free_rom(d);
		return rc;
	}
	if (own)
		adopt(d, (size_t)st.st_size);
	judge(d, path, d->rom, (size_t)st.st_size);
	pci_set_bar(d, PCI_ROM, BUS_MMIO, d->rom_size, false, false, &rom_ops, d);
	d->wmask[PCI_ROM_REG] |= PCI_ROM_ON;
	return 0;
}

int pci_load_rom(struct pci_dev *d, const char *path, struct err *e)
{
	return load(d, path, false, e);
}

int pci_load_own_rom(struct pci_dev *d, const char *path, struct err *e)
{
	return load(d, path, true, e);
}

void pci_free_rom(struct pci_dev *d)
{
	free(d->rom);
	d->rom = NULL;
}
