/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card's registers (SDM 13): 128 KiB of memory, and two words of I/O space through which the
 * same can be reached (SDM 13.2.2).
 *
 * Most registers are memory that the loop reads when it needs them. Doorbells (TDT, RDT) are
 * stored and the loop is woken; what changes a ring (addresses, lengths, heads, RCTL, TCTL, reset)
 * is carried out on the loop. Once a driver receives in earnest, the page of the receive ring is
 * memory to it, too (e1000_rx.c). Statistics are added to by the loop and taken by whoever reads
 * them. Only whole dwords are registers: narrower writes go nowhere, narrower reads get a part.
 */
#include "base/util.h"
#include "net/nic/e1000.h"

/* Registers that keep what is written, within mask. */
static const struct plain {
	uint16_t first, count;
	uint32_t mask;
} plain[] = {
	{R_CTRL_EXT, 1, UINT32_MAX & ~CTRL_EXT_EE_RST},
	{R_FCAL, 2, UINT32_MAX},
	{R_FCT, 1, 0xffff},
	{R_VET, 1, 0xffff},
	{R_ITR, 1, 0xffff},
	{R_RCTL, 1, UINT32_MAX},
	{R_FCTTV, 1, 0xffff},
	{R_TXCW, 1, UINT32_MAX},
	{R_TCTL, 1, UINT32_MAX},
	{R_TIPG, 1, 0x3fffffff},
	{R_TBT, 1, 0xffff},
	{R_AIFS, 1, 0xffff},
	{R_LEDCTL, 1, UINT32_MAX},
	{R_PBA, 1, UINT32_MAX},
	{R_FCRTL, 1, 0x8000fff8},
	{R_FCRTH, 1, 0xfff8},
	{R_RDFH, 9, 0x1fff},
	{R_RDBAL, 1, ~15u},
	{R_RDBAH, 1, UINT32_MAX},
	{R_RDLEN, 1, 0xfff80},
	{R_RDH, 1, 0xffff},
	{R_RADV, 1, 0xffff},
	{R_RXDCTL, 1, UINT32_MAX},
	{R_RSRPD, 1, 0xfff},
	{R_TXDMAC, 1, UINT32_MAX},
	{R_TDFH, 9, 0x1fff},
	{R_TDBAL, 1, ~15u},
	{R_TDBAH, 1, UINT32_MAX},
	{R_TDLEN, 1, 0xfff80},
	{R_TDH, 1, 0xffff},
	{R_TIDV, 1, 0xffff},
	{R_TXDCTL, 1, UINT32_MAX},
	{R_TADV, 1, 0xffff},
	{R_TSPMT, 1, UINT32_MAX},
	{R_RXCSUM, 1, RXCSUM_PCSS | RXCSUM_IPOFL | RXCSUM_TUOFL | RXCSUM_IP6},
	{R_MTA, 128, UINT32_MAX},
	{R_RAL, 32, UINT32_MAX},
	{R_VFTA, 128, UINT32_MAX},
	{R_WUC, 1, UINT32_MAX},
	{R_WUFC, 1, UINT32_MAX},
	{R_MANC, 1, UINT32_MAX},
	{R_IPAV, 1, UINT32_MAX},
	{R_IP4AT, 8, UINT32_MAX},
	{R_IP6AT, 4, UINT32_MAX},
	{R_WUPL, 1, UINT32_MAX},
	{R_FFLT, 8, 0x7ff},
	{R_FFMT, 256, 0xf},
	{R_FFVT, 256, UINT32_MAX},
};

static const struct plain *find_plain(uint32_t off)
{
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		if (off >= plain[i].first && off < plain[i].first + 4u * plain[i].count)
			return &plain[i];
	return NULL;
}

/* --- reset ---------------------------------------------------------------------------------- */

void e1000_load_address(struct e1000 *n)
{
	const uint16_t *w = n->ee.word;

	e1000_set(n, R_RAL, (uint32_t)w[1] << 16 | w[0]);
	e1000_set(n, R_RAH, RAH_AV | w[2]);
}

void e1000_reset_regs(struct e1000 *n)
{
	for (unsigned i = 0; i < E1000_REG_SPACE / 4; i++)
		atomic_store_explicit(&n->reg[i], 0, memory_order_relaxed);
	for (unsigned i = 0; i < E1000_OCTETS; i++) {
		atomic_store(&n->octets[i], 0);
		n->octets_high[i] = 0;
	}
	atomic_store(&n->icr, 0);
	atomic_store(&n->ims, 0);
	e1000_set(n, R_CTRL, CTRL_DEFAULT);
	e1000_set(n, R_LEDCTL, 0x07068302);
	e1000_set(n, R_PBA, 0x00100030); /* KiB: 48 for receiving, 16 for sending */
	e1000_set(n, R_VET, 0x8100);
	e1000_set(n, R_TXDCTL, 0);
	e1000_set(n, R_RXDCTL, 0x01010000);
	e1000_load_address(n);
}

static void reset_here(struct e1000 *n)
{
	struct loop *l = e1000_loop(n);

	e1000_irq_forget(n);
	e1000_tx_forget(&n->tx, l);
	e1000_rx_forget(&n->rx, l);
	e1000_reset_regs(n);
	e1000_tx_setup(n);
	e1000_rx_setup(n);
	e1000_irq(n, true);
}

/* --- statistics ----------------------------------------------------------------------------- */

void e1000_count(struct e1000 *n, uint32_t off, uint32_t by)
{
	_Atomic uint32_t *r = &n->reg[off / 4];

	if (by && atomic_fetch_add_explicit(r, by, memory_order_relaxed) > UINT32_MAX - by)
		atomic_store_explicit(r, UINT32_MAX, memory_order_relaxed);
}

void e1000_tally_add(struct e1000_tally *t, uint32_t len, uint8_t kind, uint32_t frames)
{
	static const uint16_t upto[5] = {64, 127, 255, 511, 1023};
	uint32_t wire = MAX(len, 60u) + 4;
	unsigned i = 0;

	t->frames += frames;
	t->bytes += (uint64_t)wire * frames;
	t->mcast += kind == 1 ? frames : 0;
	t->bcast += kind == 2 ? frames : 0;
	while (i < ARRAY_SIZE(upto) && wire > upto[i])
		i++;
	t->size[i] += frames;
}

/* The low half takes the whole count; the high half waits for being read (SDM 13.7.26). */
static uint32_t read_octets(struct e1000 *n, unsigned i, bool high)
{
	uint64_t v;

	if (high && n->octets_high[i]) {
		v = n->octets_high[i];
		n->octets_high[i] = 0;
		return (uint32_t)v;
	}
	v = atomic_exchange(&n->octets[i], 0);
	if (high)
		return (uint32_t)(v >> 32);
	n->octets_high[i] = (uint32_t)(v >> 32);
	return (uint32_t)v;
}

/* --- reading -------------------------------------------------------------------------------- */

uint32_t e1000_status(const struct e1000 *n)
{
	uint32_t v = STATUS_FD | STATUS_SPD_1000 | STATUS_ASDV_1000;

	return atomic_load(&n->phy.link) ? v | STATUS_LU : v;
}

static uint32_t read_icr(struct e1000 *n)
{
	uint32_t v = atomic_exchange(&n->icr, 0);

	if (v)
		e1000_irq(n, false);
	return v;
}

uint32_t e1000_reg_read(struct e1000 *n, uint32_t off)
{
	switch (off) {
	case R_ICR:
		return read_icr(n);
	case R_IMS:
		return atomic_load(&n->ims);
	case R_ICS:
	case R_IMC:
		return 0;
	case R_CTRL_DUP:
		return e1000_get(n, R_CTRL);
	case R_STATUS:
		return e1000_status(n);
	case R_EECD:
		return e1000_eecd_read(n);
	case R_GORCL:
	case R_GORCL + 4:
		return read_octets(n, OCTETS_GORC, off != R_GORCL);
	case R_GOTCL:
	case R_GOTCL + 4:
		return read_octets(n, OCTETS_GOTC, off != R_GOTCL);
	case R_TORL:
	case R_TORL + 4:
		return read_octets(n, OCTETS_TOR, off != R_TORL);
	case R_TOTL:
	case R_TOTL + 4:
		return read_octets(n, OCTETS_TOT, off != R_TOTL);
	default:
		break;
	}
	if (off >= R_STATS && off < R_STATS_END)
		return atomic_exchange(&n->reg[off / 4], 0);
	/* What was never written is zero, also where there is no register. */
	return off < E1000_REG_SPACE ? e1000_get(n, off) : 0;
}

/* --- writing -------------------------------------------------------------------------------- */

static void write_ctrl(struct e1000 *n, uint32_t val)
{
	if (val & CTRL_PHY_RST)
		e1000_phy_reset(n);
	if (val & CTRL_RST) {
		e1000_rx_hide(n);
		e1000_call(n, reset_here);
		return;
	}
	e1000_set(n, R_CTRL, val & ~CTRL_PHY_RST);
}

static void write_ims(struct e1000 *n, uint32_t set, uint32_t clear)
{
	atomic_fetch_or(&n->ims, set & ICR_ALL);
	atomic_fetch_and(&n->ims, ~clear);
	e1000_irq(n, false);
}

static void write_plain(struct e1000 *n, uint32_t off, uint32_t val)
{
	const struct plain *p = find_plain(off);

	if (!p)
		return;
	if (off == R_CTRL_EXT && val & CTRL_EXT_EE_RST)
		e1000_load_address(n);
	e1000_set(n, off, val & p->mask);
}

/* True when off is one of the registers that end up on the loop. */
static bool write_ring(struct e1000 *n, uint32_t off, uint32_t val)
{
	switch (off) {
	case R_TDT:
		atomic_store(&n->reg[R_TDT / 4], val & 0xffff);
		e1000_kick(n);
		break;
	case R_RDT:
		atomic_store(&n->reg[R_RDT / 4], val & 0xffff);
		e1000_rx_told(n);
		break;
	case R_TCTL:
	case R_TDBAL:
	case R_TDBAH:
	case R_TDLEN:
	case R_TDH:
		write_plain(n, off, val);
		e1000_call(n, e1000_tx_setup);
		break;
	case R_RCTL:
	case R_RDBAL:
	case R_RDBAH:
	case R_RDLEN:
	case R_RDH:
		if (off != R_RCTL || !(val & RCTL_EN))
			e1000_rx_hide(n);
		write_plain(n, off, val);
		e1000_call(n, e1000_rx_setup);
		break;
	case R_RDTR:
		e1000_set(n, off, val & 0xffff);
		if (val & RDTR_FPD)
			e1000_call(n, e1000_irq_flush);
		break;
	default:
		return false;
	}
	return true;
}

void e1000_reg_write(struct e1000 *n, uint32_t off, uint32_t val)
{
	if (write_ring(n, off, val))
		return;
	switch (off) {
	case R_CTRL:
	case R_CTRL_DUP:
		write_ctrl(n, val);
		return;
	case R_ICR: /* ones clear (SDM 13.4.17) */
		atomic_fetch_and(&n->icr, ~val);
		e1000_irq(n, false);
		return;
	case R_ICS:
		e1000_cause(n, val & ICR_ALL);
		e1000_irq(n, false);
		return;
	case R_IMS:
		write_ims(n, val, 0);
		return;
	case R_IMC:
		write_ims(n, 0, val);
		return;
	case R_EECD:
		e1000_eecd_write(n, val);
		return;
	case R_EERD:
		e1000_set(n, R_EERD, e1000_eerd(n, val));
		return;
	case R_MDIC:
		e1000_set(n, R_MDIC, e1000_mdic(n, val));
		return;
	default:
		write_plain(n, off, val);
	}
}

/* --- windows -------------------------------------------------------------------------------- */

static uint64_t mmio_read(void *opaque, uint64_t off, unsigned size)
{
	uint32_t v = e1000_reg_read(opaque, (uint32_t)off & ~3u);

	e1000_rx_peek(opaque);
	v >>= 8 * (off & 3);
	return size < 4 ? v & ((1u << 8 * size) - 1) : v;
}

static void mmio_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	if (size == 4 && !(off & 3))
		e1000_reg_write(opaque, (uint32_t)off, (uint32_t)val);
	e1000_rx_peek(opaque);
}

const struct io_ops e1000_mmio_ops = {.read = mmio_read, .write = mmio_write, .max = 4};

/* IOADDR at 0, IODATA at 4. */
static uint64_t pio_read(void *opaque, uint64_t off, unsigned size)
{
	struct e1000 *n = opaque;

	if (off < 4)
		return size < 4 ? n->ioaddr >> 8 * off & ((1u << 8 * size) - 1) : n->ioaddr;
	if (off < 8 && n->ioaddr < E1000_BAR_SIZE)
		return mmio_read(n, (n->ioaddr & ~3u) + (off & 3), size);
	return 0;
}

static void pio_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct e1000 *n = opaque;

	if (size != 4)
		return;
	if (off == 0)
		n->ioaddr = (uint32_t)val;
	else if (off == 4 && n->ioaddr < E1000_BAR_SIZE)
		e1000_reg_write(n, n->ioaddr & ~3u, (uint32_t)val);
}

const struct io_ops e1000_pio_ops = {.read = pio_read, .write = pio_write, .max = 4};
