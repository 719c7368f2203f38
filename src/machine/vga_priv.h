/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the display adapter share.
 *   vga.c       the PCI card, its memory and MMIO, what is told to the one who watches
 *   vga_regs.c  the VGA's registers behind their ports
 *   vbe.c       the Bochs extensions: modes by index and data
 *   vga_mem.c   the window at A0000: planes, latches, write modes
 *   vga_view.c  registers -> view
 *   vga_draw.c  view -> pixels
 */
#ifndef MACHINE_VGA_PRIV_H
#define MACHINE_VGA_PRIV_H

#include <stdatomic.h>

#include "bus/pci.h"
#include "machine/vga.h"

enum {
	VBE_ID,
	VBE_XRES,
	VBE_YRES,
	VBE_BPP,
	VBE_ENABLE,
	VBE_BANK,
	VBE_VIRT_WIDTH,
	VBE_VIRT_HEIGHT,
	VBE_X_OFFSET,
	VBE_Y_OFFSET,
	VBE_MEMORY,
	VBE_REGS
};

#define VBE_ENABLED 0x01
#define VBE_GETCAPS 0x02
#define VBE_8BITDAC 0x20
#define VBE_LFB	    0x40
#define VBE_NOCLEAR 0x80

/* Attribute controller, index register: the palette is in use by the display. */
#define AR_ON 0x20

struct vga {
	struct pci_dev d;
	struct bus *b;
	struct io_region ports_mono, ports, vbe_ports, window;
	uint8_t *mem; /* VGA_VRAM bytes */

	/* Registers, by the names that datasheets give their groups. */
	uint8_t misc, feature, status1;
	uint8_t sr_index, sr[8];
	uint8_t gr_index, gr[16];
	uint8_t ar_index, ar[21];
	bool ar_data; /* the next write to 3C0 is data */
	uint8_t cr_index, cr[25];
	uint8_t latch[4];

	uint8_t dac[768], pel_mask, dac_state;
	uint16_t dac_read, dac_write; /* byte in dac */

	uint16_t vbe[VBE_REGS], vbe_index;
	uint8_t vbe_low;     /* first half of a write of the data port */
	uint32_t vbe_stride; /* bytes; valid while enabled */

	bool watched, mapped;	  /* bus lock */
	_Atomic uint32_t touched; /* VGA_CHANGED_*: what the dirty log does not know */
};

static inline void vga_touch(struct vga *v, uint32_t what)
{
	if (~atomic_load_explicit(&v->touched, memory_order_relaxed) & what)
		atomic_fetch_or(&v->touched, what);
}

static inline bool vga_vbe_on(const struct vga *v)
{
	return v->vbe[VBE_ENABLE] & VBE_ENABLED;
}

/* vga_regs.c; port: 3B0 … 3DF. Bus lock. */
uint8_t vga_port_read(struct vga *v, unsigned port);
void vga_port_write(struct vga *v, unsigned port, uint8_t val);
void vga_regs_reset(struct vga *v);

/* vbe.c. Bus lock. */
uint16_t vbe_read(const struct vga *v, unsigned reg);
void vbe_write(struct vga *v, unsigned reg, uint16_t val);
void vbe_reset(struct vga *v);
extern const struct io_ops vbe_port_ops; /* at 1CE, 3 ports; opaque: struct vga */

/* vga_mem.c: the window of 128 KiB. Bus lock. */
extern const struct io_ops vga_window_ops;
uint8_t vga_window_read(struct vga *v, uint32_t off);
void vga_window_write(struct vga *v, uint32_t off, uint8_t val);

/* vga_view.c. Bus lock. */
void vga_make_view(const struct vga *v, struct vga_view *w);

#endif
