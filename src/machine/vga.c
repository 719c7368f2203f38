/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The display adapter: a PCI card with video memory in BAR 0, registers in BAR 2, and the VGA's
 * ports and window where PCs have always had them.
 *
 * Under KVM the guest reaches video memory in BAR 0 as it reaches RAM, without a trip through this
 * process; while somebody watches, KVM logs the pages it writes. All other ways lead through
 * handlers, which note that something changed. The VGA window is never mapped: planes and latches
 * want each access.
 */
#include "machine/vga.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "machine/pc.h"
#include "machine/vga_priv.h"

#define VGA_SLOT  2
#define MMIO_SIZE 4096u
/* In BAR 2: the ports 3C0 … 3DF, and the Bochs registers as words. */
#define MMIO_PORTS	0x400u
#define MMIO_PORTS_END	0x420u
#define MMIO_VBE	0x500u
#define MMIO_VBE_END	(MMIO_VBE + 2u * VBE_REGS)
#define MMIO_QEMU	0x600u /* size of this block, byte order of video memory: little-endian */
#define LITTLE_ENDIAN32 0x1e1e1e1eu

/* --- registers ------------------------------------------------------------------------------ */

static uint64_t ports_read(void *opaque, uint64_t off, unsigned size)
{
	(void)size;
	return vga_port_read(opaque, 0x3c0 + (unsigned)off);
}

static void ports_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	vga_port_write(opaque, 0x3c0 + (unsigned)off, (uint8_t)val);
}

static uint64_t mono_read(void *opaque, uint64_t off, unsigned size)
{
	(void)size;
	return vga_port_read(opaque, 0x3b0 + (unsigned)off);
}

static void mono_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	vga_port_write(opaque, 0x3b0 + (unsigned)off, (uint8_t)val);
}

static const struct io_ops ports_ops = {ports_read, ports_write, 1};
static const struct io_ops mono_ops = {mono_read, mono_write, 1};

static uint64_t mmio_read(void *opaque, uint64_t off, unsigned size)
{
	struct vga *v = opaque;
	uint16_t val;

	if (off >= MMIO_PORTS && off < MMIO_PORTS_END) {
		uint64_t lo = vga_port_read(v, 0x3c0 + (unsigned)(off - MMIO_PORTS));

		return size == 1 ? lo
				 : lo | (uint64_t)vga_port_read(
						v, 0x3c1 + (unsigned)(off - MMIO_PORTS))
						   << 8;
	}
	if (off >= MMIO_VBE && off < MMIO_VBE_END) {
		val = vbe_read(v, (unsigned)(off - MMIO_VBE) / 2);
		return off & 1 ? val >> 8 : val;
	}
	if (off >= MMIO_QEMU && off < MMIO_QEMU + 8) {
		uint8_t block[8];

		put_le32(block, 8);
		put_le32(block + 4, LITTLE_ENDIAN32);
		return get_le(block + (off - MMIO_QEMU), size);
	}
	return off < MMIO_PORTS ? 0 : UINT64_MAX; /* no EDID */
}

static void mmio_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct vga *v = opaque;

	if (off >= MMIO_PORTS && off < MMIO_PORTS_END) {
		for (unsigned i = 0; i < size; i++, val >>= 8)
			vga_port_write(v, 0x3c0 + (unsigned)(off - MMIO_PORTS) + i, (uint8_t)val);
	} else if (off >= MMIO_VBE && off < MMIO_VBE_END && size == 2) {
		vbe_write(v, (unsigned)(off - MMIO_VBE) / 2, (uint16_t)val);
	}
}

static const struct io_ops mmio_ops = {mmio_read, mmio_write, 2};

/* --- video memory --------------------------------------------------------------------------- */

static uint64_t mem_bar_read(void *opaque, uint64_t off, unsigned size)
{
	const struct vga *v = opaque;

	return get_le(v->mem + off, size);
}

static void mem_bar_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct vga *v = opaque;

	put_le(v->mem + off, val, size);
	vga_touch(v, VGA_CHANGED_ALL);
}

static const struct io_ops mem_ops = {mem_bar_read, mem_bar_write, 8};

/* Shows the guest video memory where BAR 0 says, logged while somebody watches. */
static void update_window(struct vga *v)
{
	const struct pci_bar *bar = &v->d.bar[0];
	const struct accel_window w = {.gpa = bar->io.base,
				       .size = VGA_VRAM,
				       .host = bar->mapped ? v->mem : NULL,
				       .log = v->watched};
	struct err e;
	int rc;

	/* Without a log each access goes through the handlers, which know. */
	if (!v->b->accel->ops->dirty)
		return;
	rc = accel_window(v->b->accel, PC_WIN_VGA, &w, &e);
	/* In the way of RAM or so: the handlers serve what reaches them. */
	if (rc) {
		accel_window(v->b->accel, PC_WIN_VGA, NULL, NULL);
		if (v->mapped)
			log_warn("display adapter: %s", e.text);
	}
	v->mapped = bar->mapped && !rc;
	vga_touch(v, VGA_CHANGED_ALL);
}

static void vga_bar_changed(struct pci_dev *d, unsigned bar)
{
	if (bar == 0)
		update_window(container_of(d, struct vga, d));
}

void vga_look(struct vga *v, struct vga_view *out)
{
	bus_lock(v->b);
	vga_make_view(v, out);
	bus_unlock(v->b);
}

void vga_watch(struct vga *v, bool on)
{
	bus_lock(v->b);
	v->watched = on;
	update_window(v);
	bus_unlock(v->b);
}

unsigned vga_changes(struct vga *v, uint64_t bits[VGA_PAGES / 64])
{
	/* Forgotten first: what comes while the picture is drawn is for the next time. */
	unsigned what = atomic_exchange(&v->touched, 0);
	uint64_t any = 0;

	memset(bits, 0, VGA_PAGES / 8);
	bus_lock(v->b);
	if (v->mapped && v->watched && accel_window_dirty(v->b->accel, PC_WIN_VGA, bits))
		what |= VGA_CHANGED_ALL;
	bus_unlock(v->b);
	for (unsigned i = 0; i < VGA_PAGES / 64; i++)
		any |= bits[i];
	return any ? what | VGA_CHANGED_PAGES : what;
}

/* --- the card ------------------------------------------------------------------------------- */

static void vga_reset(struct pci_dev *d)
{
	struct vga *v = container_of(d, struct vga, d);

	vga_regs_reset(v);
	vbe_reset(v);
}

static void vga_destroy(struct pci_dev *d)
{
	struct vga *v = container_of(d, struct vga, d);

	bus_del(v->b, BUS_PIO, &v->ports);
	bus_del(v->b, BUS_PIO, &v->ports_mono);
	bus_del(v->b, BUS_PIO, &v->vbe_ports);
	bus_del(v->b, BUS_MMIO, &v->window);
	munmap(v->mem, VGA_VRAM);
	free(v);
}

static const struct pci_ops vga_ops = {
	.bar_changed = vga_bar_changed,
	.reset = vga_reset,
	.destroy = vga_destroy,
};

static int add_regions(struct vga *v, struct err *e)
{
	int rc;

	v->ports_mono = (struct io_region){0x3b0, 12, &mono_ops, v, "VGA"};
	v->ports = (struct io_region){0x3c0, 32, &ports_ops, v, "VGA"};
	v->vbe_ports = (struct io_region){0x1ce, 3, &vbe_port_ops, v, "VGA"};
	v->window = (struct io_region){PC_VGA, PC_SHADOW - PC_VGA, &vga_window_ops, v, "VGA"};
	rc = bus_add(v->b, BUS_PIO, &v->ports_mono, e);
	if (!rc)
		rc = bus_add(v->b, BUS_PIO, &v->ports, e);
	if (!rc)
		rc = bus_add(v->b, BUS_PIO, &v->vbe_ports, e);
	return rc ? rc : bus_add(v->b, BUS_MMIO, &v->window, e);
}

struct vga *vga_add(struct pci_bus *p, const char *rom, struct err *e)
{
	static const struct pci_ids ids = {.vendor = 0x1234,
					   .device = 0x1111,
					   .subvendor = 0x1af4,
					   .subdevice = 0x1100,
					   .rev = 2,
					   .class = 0x030000};
	struct vga *v = calloc(1, sizeof(*v));
	void *mem = mmap(NULL, VGA_VRAM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int rc = 0;

	if (!v || mem == MAP_FAILED) {
		err_set(e, ENOMEM, "no memory for the display adapter");
		if (mem != MAP_FAILED)
			munmap(mem, VGA_VRAM);
		free(v);
		return NULL;
	}
	v->b = pci_io_bus(p);
	v->mem = mem;
	vga_regs_reset(v);
	vbe_reset(v);
	pci_init(&v->d, "VGA", &vga_ops, &ids, 0);
	v->d.fixed = true;
	pci_set_bar(&v->d, 0, BUS_MMIO, VGA_VRAM, false, true, &mem_ops, v);
	pci_set_bar(&v->d, 2, BUS_MMIO, MMIO_SIZE, false, false, &mmio_ops, v);
	rc = rom ? pci_load_rom(&v->d, rom, e) : 0;
	if (!rc)
		rc = add_regions(v, e);
	if (!rc)
		rc = pci_add(p, &v->d, VGA_SLOT << 3, e);
	if (!rc)
		return v;
	pci_free_rom(&v->d);
	vga_destroy(&v->d);
	return NULL;
}

uint64_t vga_linear(struct vga *v, unsigned width, unsigned height)
{
	const struct pci_bar *bar = &v->d.bar[0];
	uint64_t at;

	bus_lock(v->b);
	at = bar->mapped ? bar->io.base : 0;
	if (at) {
		vbe_write(v, VBE_ENABLE, 0);
		vbe_write(v, VBE_XRES, (uint16_t)width);
		vbe_write(v, VBE_YRES, (uint16_t)height);
		vbe_write(v, VBE_BPP, 32);
		vbe_write(v, VBE_ENABLE, VBE_ENABLED | VBE_LFB);
		v->ar_index = AR_ON;
	}
	bus_unlock(v->b);
	return at;
}
