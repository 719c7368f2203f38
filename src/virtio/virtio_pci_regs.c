/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a virtio PCI device: modern (virtio 1.2 section 4.1.4) and legacy (4.1.4.8).
 *
 * Both blocks are small, so a read of any width makes the block's current image and copies the
 * bytes asked for, and a write lays its bytes over the image and then applies each register that
 * it touched. Nothing of this is on the data path: notifications go by ioeventfd.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "base/util.h"
#include "virtio/virtio_pci.h"

#define PCI_CAP_VENDOR 0x09
#define COMMON_LEN     0x38u /* struct virtio_pci_common_cfg of virtio 1.0 */
#define LEGACY_LEN     24u   /* registers in front of the device's own, with MSI-X */

static struct virtio_queue *selected(struct virtio_pci *v)
{
	return v->queue_sel < v->conf.nqueues ? &v->q[v->queue_sel] : NULL;
}

/* --- modern: common configuration (4.1.4.3) ------------------------------------------------- */

static void common_image(struct virtio_pci *v, uint8_t img[COMMON_LEN])
{
	const struct virtio_queue *q = selected(v);
	uint64_t offer = virtio_offer(v, false), acked = atomic_load(&v->features);

	memset(img, 0, COMMON_LEN);
	put_le32(img + VIRTIO_PCI_COMMON_DFSELECT, v->feature_sel);
	if (v->feature_sel < 2)
		put_le32(img + VIRTIO_PCI_COMMON_DF, (uint32_t)(offer >> 32 * v->feature_sel));
	put_le32(img + VIRTIO_PCI_COMMON_GFSELECT, v->driver_feature_sel);
	if (v->driver_feature_sel < 2)
		put_le32(img + VIRTIO_PCI_COMMON_GF,
			 (uint32_t)(acked >> 32 * v->driver_feature_sel));
	put_le16(img + VIRTIO_PCI_COMMON_MSIX, atomic_load(&v->config_vector));
	put_le16(img + VIRTIO_PCI_COMMON_NUMQ, (uint16_t)v->conf.nqueues);
	img[VIRTIO_PCI_COMMON_STATUS] = atomic_load(&v->status);
	img[VIRTIO_PCI_COMMON_CFGGENERATION] = (uint8_t)atomic_load(&v->generation);
	put_le16(img + VIRTIO_PCI_COMMON_Q_SELECT, v->queue_sel);
	put_le16(img + VIRTIO_PCI_COMMON_Q_MSIX, VIRTIO_MSI_NO_VECTOR);
	if (!q)
		return;
	put_le16(img + VIRTIO_PCI_COMMON_Q_SIZE, q->size);
	put_le16(img + VIRTIO_PCI_COMMON_Q_MSIX, atomic_load(&q->vector));
	put_le16(img + VIRTIO_PCI_COMMON_Q_ENABLE, q->enabled);
	put_le16(img + VIRTIO_PCI_COMMON_Q_NOFF, q->index);
	put_le64(img + VIRTIO_PCI_COMMON_Q_DESCLO, q->desc);
	put_le64(img + VIRTIO_PCI_COMMON_Q_AVAILLO, q->avail);
	put_le64(img + VIRTIO_PCI_COMMON_Q_USEDLO, q->used);
}

static void write_driver_feature(struct virtio_pci *v, uint32_t val)
{
	uint64_t f = atomic_load(&v->features);

	if (v->driver_feature_sel == 0)
		virtio_set_features(v, (f & ~0xffffffffull) | val);
	else if (v->driver_feature_sel == 1)
		virtio_set_features(v, (f & 0xffffffffull) | (uint64_t)val << 32);
}

static void common_queue_write(struct virtio_pci *v, unsigned reg, const uint8_t *p)
{
	struct virtio_queue *q = selected(v);

	if (!q)
		return;
	switch (reg) {
	case VIRTIO_PCI_COMMON_Q_MSIX:
		virtio_set_vector(q, get_le16(p));
		return;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		/* 4.1.4.3.2: a driver must not write 0; it does nothing. */
		if (get_le16(p) == 1 && !q->enabled)
			virtio_queue_enable(v, q->index, true);
		return;
	default:
		break;
	}
	/* The ring is where it was when it was enabled. */
	if (q->enabled)
		return;
	switch (reg) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		q->size = get_le16(p);
		return;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		q->desc = get_le64(p);
		return;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		q->avail = get_le64(p);
		return;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		q->used = get_le64(p);
		return;
	default:
		return;
	}
}

static void common_write_reg(struct virtio_pci *v, unsigned reg, const uint8_t *p)
{
	switch (reg) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		v->feature_sel = get_le32(p);
		return;
	case VIRTIO_PCI_COMMON_GFSELECT:
		v->driver_feature_sel = get_le32(p);
		return;
	case VIRTIO_PCI_COMMON_GF:
		write_driver_feature(v, get_le32(p));
		return;
	case VIRTIO_PCI_COMMON_MSIX:
		atomic_store(&v->config_vector, virtio_use_vector(v, get_le16(p)));
		return;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_set_status(v, *p);
		return;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		v->queue_sel = get_le16(p);
		return;
	default:
		common_queue_write(v, reg, p);
		return;
	}
}

struct reg {
	uint8_t off, width;
};

static void common_write(struct virtio_pci *v, unsigned off, uint64_t val, unsigned size)
{
	static const struct reg regs[] = {
		{VIRTIO_PCI_COMMON_DFSELECT, 4},  {VIRTIO_PCI_COMMON_GFSELECT, 4},
		{VIRTIO_PCI_COMMON_GF, 4},	  {VIRTIO_PCI_COMMON_MSIX, 2},
		{VIRTIO_PCI_COMMON_STATUS, 1},	  {VIRTIO_PCI_COMMON_Q_SELECT, 2},
		{VIRTIO_PCI_COMMON_Q_SIZE, 2},	  {VIRTIO_PCI_COMMON_Q_MSIX, 2},
		{VIRTIO_PCI_COMMON_Q_ENABLE, 2},  {VIRTIO_PCI_COMMON_Q_DESCLO, 8},
		{VIRTIO_PCI_COMMON_Q_AVAILLO, 8}, {VIRTIO_PCI_COMMON_Q_USEDLO, 8},
	};
	uint8_t img[COMMON_LEN + 8];

	if (off >= COMMON_LEN)
		return;
	common_image(v, img);
	put_le(img + off, val, size);
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
		if (touches(off, size, regs[i].off, regs[i].width))
			common_write_reg(v, regs[i].off, img + regs[i].off);
}

/* --- device-specific configuration, both layouts -------------------------------------------- */

static void device_read(struct virtio_pci *v, unsigned off, uint8_t *buf, unsigned size)
{
	if (off < v->conf.config_len)
		v->ops->config_read(v, off, buf, MIN(size, v->conf.config_len - off));
}

static void device_write(struct virtio_pci *v, unsigned off, uint64_t val, unsigned size)
{
	uint8_t buf[8];

	put_le64(buf, val);
	if (off < v->conf.config_len && v->ops->config_write)
		v->ops->config_write(v, off, buf, MIN(size, v->conf.config_len - off));
}

/* --- the modern BAR ------------------------------------------------------------------------- */

static uint64_t modern_read(void *opaque, uint64_t off, unsigned size)
{
	struct virtio_pci *v = opaque;
	unsigned in = off & (VIRTIO_REGION - 1);
	uint8_t img[COMMON_LEN + 8] = {0}, buf[8] = {0};

	switch (off & ~(uint64_t)(VIRTIO_REGION - 1)) {
	case VIRTIO_OFF_COMMON:
		if (in >= COMMON_LEN)
			return 0;
		common_image(v, img);
		return get_le(img + in, size);
	case VIRTIO_OFF_ISR:
		return in ? 0 : virtio_read_isr(v);
	case VIRTIO_OFF_DEVICE:
		device_read(v, in, buf, size);
		return get_le(buf, size);
	default:
		return 0;
	}
}

static void modern_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct virtio_pci *v = opaque;
	unsigned in = off & (VIRTIO_REGION - 1);

	switch (off & ~(uint64_t)(VIRTIO_REGION - 1)) {
	case VIRTIO_OFF_COMMON:
		common_write(v, in, val, size);
		return;
	case VIRTIO_OFF_DEVICE:
		device_write(v, in, val, size);
		return;
	case VIRTIO_OFF_NOTIFY:
		/* The place says which queue (4.1.4.4), not the value. */
		if (in / VIRTIO_NOTIFY_STEP < v->conf.nqueues)
			virtio_pci_kick(v, in / VIRTIO_NOTIFY_STEP);
		return;
	default:
		return;
	}
}

const struct io_ops virtio_modern_io = {.read = modern_read, .write = modern_write, .max = 8};

/* --- the legacy BAR (4.1.4.8) --------------------------------------------------------------- */

/* Where the device's own registers begin: behind the vectors, if MSI-X is on. */
static unsigned legacy_config(const struct virtio_pci *v)
{
	return VIRTIO_PCI_CONFIG_OFF(atomic_load(&v->msix_on));
}

static void legacy_image(struct virtio_pci *v, uint8_t img[LEGACY_LEN])
{
	const struct virtio_queue *q = selected(v);

	memset(img, 0, LEGACY_LEN);
	put_le32(img + VIRTIO_PCI_HOST_FEATURES, (uint32_t)virtio_offer(v, true));
	put_le32(img + VIRTIO_PCI_GUEST_FEATURES, (uint32_t)atomic_load(&v->features));
	put_le16(img + VIRTIO_PCI_QUEUE_SEL, v->queue_sel);
	img[VIRTIO_PCI_STATUS] = atomic_load(&v->status);
	put_le16(img + VIRTIO_MSI_CONFIG_VECTOR, atomic_load(&v->config_vector));
	put_le16(img + VIRTIO_MSI_QUEUE_VECTOR, VIRTIO_MSI_NO_VECTOR);
	if (!q)
		return;
	put_le32(img + VIRTIO_PCI_QUEUE_PFN, (uint32_t)(q->desc >> VIRTIO_PCI_QUEUE_ADDR_SHIFT));
	/* Not the driver's choice in this layout. */
	put_le16(img + VIRTIO_PCI_QUEUE_NUM, v->conf.queue_size[q->index]);
	put_le16(img + VIRTIO_MSI_QUEUE_VECTOR, atomic_load(&q->vector));
}

/* 2.7.2: one contiguous area, the used ring on the next page. 0 ends the queue. */
static void legacy_set_pfn(struct virtio_pci *v, uint32_t pfn)
{
	struct virtio_queue *q = selected(v);

	if (!q)
		return;
	virtio_queue_enable(v, q->index, false);
	q->size = v->conf.queue_size[q->index];
	q->desc = (uint64_t)pfn << VIRTIO_PCI_QUEUE_ADDR_SHIFT;
	q->avail = q->desc + 16ull * q->size;
	q->used = align_up(q->avail + 2ull * (3 + q->size), VIRTIO_PCI_VRING_ALIGN);
	if (pfn)
		virtio_queue_enable(v, q->index, true);
}

static void legacy_write_reg(struct virtio_pci *v, unsigned reg, const uint8_t *p)
{
	switch (reg) {
	case VIRTIO_PCI_GUEST_FEATURES:
		virtio_set_features(v, get_le32(p));
		return;
	case VIRTIO_PCI_QUEUE_PFN:
		legacy_set_pfn(v, get_le32(p));
		return;
	case VIRTIO_PCI_QUEUE_SEL:
		v->queue_sel = get_le16(p);
		return;
	case VIRTIO_PCI_QUEUE_NOTIFY:
		if (get_le16(p) < v->conf.nqueues)
			virtio_pci_kick(v, get_le16(p));
		return;
	case VIRTIO_PCI_STATUS:
		/* Drivers of this layout exist that never switch bus mastering on (Linux before
		 * 2.6.34); devices of their time did not look. */
		if (*p & VIRTIO_CONFIG_S_DRIVER_OK & ~atomic_load(&v->status))
			pci_set_master(&v->pci);
		virtio_set_status(v, *p);
		return;
	case VIRTIO_MSI_CONFIG_VECTOR:
		atomic_store(&v->config_vector, virtio_use_vector(v, get_le16(p)));
		return;
	case VIRTIO_MSI_QUEUE_VECTOR:
		if (selected(v))
			virtio_set_vector(selected(v), get_le16(p));
		return;
	default:
		return;
	}
}

static uint64_t legacy_read(void *opaque, uint64_t off, unsigned size)
{
	struct virtio_pci *v = opaque;
	unsigned config = legacy_config(v);
	uint8_t img[LEGACY_LEN + 16] = {0};

	if (off >= config) {
		device_read(v, (unsigned)off - config, img, size);
		return get_le(img, size);
	}
	legacy_image(v, img);
	if (touches((unsigned)off, size, VIRTIO_PCI_ISR, 1))
		img[VIRTIO_PCI_ISR] = virtio_read_isr(v);
	if (off + size > config)
		device_read(v, 0, img + config, (unsigned)(off + size - config));
	return get_le(img + off, size);
}

static void legacy_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	static const struct reg regs[] = {
		{VIRTIO_PCI_GUEST_FEATURES, 4}, {VIRTIO_PCI_QUEUE_PFN, 4},
		{VIRTIO_PCI_QUEUE_SEL, 2},	{VIRTIO_PCI_QUEUE_NOTIFY, 2},
		{VIRTIO_PCI_STATUS, 1},		{VIRTIO_MSI_CONFIG_VECTOR, 2},
		{VIRTIO_MSI_QUEUE_VECTOR, 2},
	};
	struct virtio_pci *v = opaque;
	unsigned config = legacy_config(v);
	uint8_t img[LEGACY_LEN + 8];

	if (off >= config) {
		device_write(v, (unsigned)off - config, val, size);
		return;
	}
	legacy_image(v, img);
	put_le(img + off, val, size);
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
		if (regs[i].off < config &&
		    touches((unsigned)off, size, regs[i].off, regs[i].width))
			legacy_write_reg(v, regs[i].off, img + regs[i].off);
}

const struct io_ops virtio_legacy_io = {.read = legacy_read, .write = legacy_write, .max = 4};

/* --- PCI capabilities ----------------------------------------------------------------------- */

/* 4.1.4: a vendor capability that says where a block of registers is. Returns its offset. */
static int add_cap(struct virtio_pci *v, uint8_t type, uint32_t off, uint32_t len, unsigned size,
		   struct err *e)
{
	int at = pci_add_cap(&v->pci, PCI_CAP_VENDOR, size);

	if (at < 0)
		return err_set(e, -at, "%s: no room for a PCI capability", v->conf.model);
	uint8_t *c = v->pci.config + at;

	c[offsetof(struct virtio_pci_cap, cap_len)] = (uint8_t)size;
	c[offsetof(struct virtio_pci_cap, cfg_type)] = type;
	c[offsetof(struct virtio_pci_cap, bar)] = VIRTIO_BAR_MODERN;
	put_le32(c + offsetof(struct virtio_pci_cap, offset), off);
	put_le32(c + offsetof(struct virtio_pci_cap, length), len);
	return at;
}

static int add_caps(struct virtio_pci *v, struct err *e)
{
	const unsigned cap = sizeof(struct virtio_pci_cap);
	int at;

	at = add_cap(v, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_OFF_COMMON, COMMON_LEN, cap, e);
	if (at < 0)
		return at;
	at = add_cap(v, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_OFF_ISR, 1, cap, e);
	if (at < 0)
		return at;
	at = add_cap(v, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_OFF_DEVICE, v->conf.config_len, cap, e);
	if (at < 0)
		return at;
	at = add_cap(v, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_OFF_NOTIFY,
		     v->conf.nqueues * VIRTIO_NOTIFY_STEP, sizeof(struct virtio_pci_notify_cap), e);
	if (at < 0)
		return at;
	put_le32(v->pci.config + at + cap, VIRTIO_NOTIFY_STEP);
	at = add_cap(v, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, sizeof(struct virtio_pci_cfg_cap), e);
	if (at < 0)
		return at;
	v->cfg_cap = (unsigned)at;
	/* The driver chooses bar, offset and length of its window, and writes data (4.1.4.9). */
	v->pci.config[v->cfg_cap + offsetof(struct virtio_pci_cap, bar)] = 0;
	v->pci.wmask[v->cfg_cap + offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(v->pci.wmask + v->cfg_cap + offsetof(struct virtio_pci_cap, offset), 0xff,
	       sizeof(struct virtio_pci_cfg_cap) - offsetof(struct virtio_pci_cap, offset));
	return 0;
}

int virtio_regs_init(struct virtio_pci *v, struct err *e)
{
	unsigned legacy_len = LEGACY_LEN + v->conf.config_len;
	uint64_t size = 32;
	int rc;

	while (size < legacy_len)
		size *= 2;
	if (v->conf.legacy)
		pci_set_bar(&v->pci, VIRTIO_BAR_LEGACY, BUS_PIO, size, false, false,
			    &virtio_legacy_io, v);
	if (v->conf.vectors) {
		rc = msix_init(&v->pci, VIRTIO_BAR_MSIX, v->conf.vectors, e);
		if (rc < 0)
			return rc;
	}
	if (!v->conf.modern)
		return 0;
	pci_set_bar(&v->pci, VIRTIO_BAR_MODERN, BUS_MMIO, VIRTIO_MODERN_SIZE, true, true,
		    &virtio_modern_io, v);
	return add_caps(v, e);
}

/* Bytes the window is set to, or 0 when it is not a proper one. */
static unsigned window(const struct virtio_pci *v, unsigned off, unsigned len, uint32_t *at)
{
	const uint8_t *c = v->pci.config + v->cfg_cap;
	uint32_t n = get_le32(c + offsetof(struct virtio_pci_cap, length));

	if (!v->cfg_cap ||
	    !touches(off, len, v->cfg_cap + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data), 4))
		return 0;
	*at = get_le32(c + offsetof(struct virtio_pci_cap, offset));
	if (c[offsetof(struct virtio_pci_cap, bar)] != VIRTIO_BAR_MODERN)
		return 0;
	if ((n != 1 && n != 2 && n != 4) || *at % n || *at >= VIRTIO_MODERN_SIZE)
		return 0;
	return n;
}

void virtio_cfg_window_read(struct virtio_pci *v, unsigned off, unsigned len)
{
	uint32_t at = 0;
	unsigned n = window(v, off, len, &at);
	uint8_t *data =
		v->pci.config + v->cfg_cap + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	if (!n)
		return;
	put_le32(data, (uint32_t)modern_read(v, at, n));
}

void virtio_cfg_window_written(struct virtio_pci *v, unsigned off, unsigned len)
{
	uint32_t at = 0;
	unsigned n = window(v, off, len, &at);
	const uint8_t *data =
		v->pci.config + v->cfg_cap + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	if (n)
		modern_write(v, at, get_le(data, n), n);
}
