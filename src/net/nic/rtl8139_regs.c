/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RTL8139C+ registers (datasheet chapter 6), in both BARs alike, and the PHY behind them.
 *
 * An access of any width is carried out on the registers it covers: bytes that it leaves out keep
 * their value, or count as 0 where writing ones has an effect. Doorbells (TSD, CAPR, TPPoll) store
 * and wake the card's loop. What the loop's work hangs on is changed on the loop, which these
 * handlers wait for: drivers do that when they start and stop. Everything else is plain storage
 * under the bus lock.
 *
 * TNPDS and THPDS of C+ mode are the TSAD registers of C mode, and DTCCR lies over TSD: CPCR
 * says which is meant.
 */
#include "net/nic/rtl8139_io.h"

/* Width of the register that begins there; 0: inside of one, or reserved (read as 0). */
static const uint8_t width[256] = {
	[R_IDR0] = 4,	   [R_IDR4] = 4,      [R_MAR0] = 4,
	[R_MAR4] = 4,	   [R_TSD0] = 4,      [R_TSD0 + 4] = 4,
	[R_TSD0 + 8] = 4,  [R_TSD0 + 12] = 4, [R_TSAD0] = 4,
	[R_TSAD0 + 4] = 4, [R_TSAD0 + 8] = 4, [R_TSAD0 + 12] = 4,
	[R_RBSTART] = 4,   [R_ERBCR] = 2,     [R_ERSR] = 1,
	[R_CR] = 1,	   [R_CAPR] = 2,      [R_CBR] = 2,
	[R_IMR] = 2,	   [R_ISR] = 2,	      [R_TCR] = 4,
	[R_RCR] = 4,	   [R_TCTR] = 4,      [R_MPC] = 4,
	[R_9346CR] = 1,	   [R_CONFIG0] = 1,   [R_CONFIG1] = 1,
	[R_TIMERINT] = 4,  [R_MSR] = 1,	      [R_CONFIG3] = 1,
	[R_CONFIG4] = 1,   [R_MULINT] = 2,    [R_RERID] = 1,
	[R_TSAD] = 2,	   [R_BMCR] = 2,      [R_BMSR] = 2,
	[R_ANAR] = 2,	   [R_ANLPAR] = 2,    [R_ANER] = 2,
	[R_NWAYTR] = 2,	   [R_CSCR] = 2,      [R_PHY1] = 4,
	[R_TW] = 4,	   [R_PHY2] = 1,      [R_WAKE... R_FLASH - 1] = 1,
	[R_FLASH] = 4,	   [R_CONFIG5] = 1,   [R_TPPOLL] = 1,
	[R_CPCR] = 2,	   [R_RDSAR0] = 4,    [R_RDSAR1] = 4,
	[R_ETTHR] = 1,
};

/* 9346CR */
#define EE_MODE(v)  ((v) >> 6)
#define EE_AUTOLOAD 1u
#define EE_PROGRAM  2u
#define EE_UNLOCKED 3u
#define EE_CS	    0x08u
#define EE_SK	    0x04u
#define EE_DI	    0x02u
#define EE_DO	    0x01u

#define MSR_FLOW  0xc0u
#define MSR_10	  0x08u
#define MSR_NOLNK 0x04u

#define BMCR_RESET  0x8000u
#define BMCR_100    0x2000u
#define BMCR_ANE    0x1000u
#define BMCR_DUPLEX 0x0100u
#define BMCR_LOCKED (BMCR_100 | BMCR_ANE | BMCR_DUPLEX)

#define ANAR_100 0x0180u

#define TPP_HPQ	   0x80u
#define TPP_NPQ	   0x40u
#define TPP_FSWINT 0x01u

#define DTCCR_CMD 0x08u

static bool cplus(const struct rtl *n)
{
	return n->cpcr & (CPCR_TXON | CPCR_RXON);
}

static bool unlocked(const struct rtl *n)
{
	return EE_MODE(n->file[R_9346CR]) == EE_UNLOCKED;
}

/* --- the PHY -------------------------------------------------------------------------------- */

static void phy_reset(struct rtl *n)
{
	put_le16(n->file + R_BMCR, BMCR_ANE | BMCR_100 | BMCR_DUPLEX);
	/* Everything up to 100 Mbit/s full duplex, with pause frames. */
	put_le16(n->file + R_ANAR, 0x05e1);
}

static bool negotiates(const struct rtl *n)
{
	return get_le16(n->file + R_BMCR) & BMCR_ANE;
}

static bool is_100(const struct rtl *n)
{
	return negotiates(n) ? get_le16(n->file + R_ANAR) & ANAR_100
			     : get_le16(n->file + R_BMCR) & BMCR_100;
}

uint32_t rtl_cscr(const struct rtl *n)
{
	/* Defaults, the state of the line, and whether that has changed. */
	return 0x03c0u | (atomic_load(&n->link) ? 0x0408 : 0) |
	       (atomic_load(&n->link_changed) ? 0x0800 : 0);
}

static uint32_t phy_read(struct rtl *n, unsigned reg)
{
	uint32_t v;
	bool link = atomic_load(&n->link), an = link && negotiates(n);

	switch (reg) {
	case R_BMSR: /* all of 10/100 half/full; negotiation done, able, link, extended */
		return 0x7809u | (an ? 0x20 : 0) | (link ? 0x04 : 0);
	case R_ANLPAR: /* the partner can all of it as well, and acknowledges */
		return an ? 0x45e1 : 0;
	case R_ANER:
		return an ? 1 : 0;
	default:
		v = rtl_cscr(n);
		atomic_store(&n->link_changed, false);
		return v;
	}
}

/* --- reading -------------------------------------------------------------------------------- */

static uint32_t read_9346(const struct rtl *n)
{
	uint8_t v = n->file[R_9346CR] & (uint8_t)~EE_DO;

	return EE_MODE(v) == EE_PROGRAM && n->eeprom.dout ? v | EE_DO : v;
}

/* Section 6.22: the four slots' OWN, TABT, TUN and TOK. */
static uint32_t read_tsad(struct rtl *n)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < RTL_TX_SLOTS; i++) {
		uint32_t t = atomic_load(&n->tx.tsd[i]);

		v |= !!(t & TSD_OWN) << i | !!(t & TSD_TABT) << (4 + i) |
		     !!(t & TSD_TOK) << (12 + i);
	}
	return v;
}

static uint32_t tctr(const struct rtl *n)
{
	/* Cycles of the 33 MHz PCI clock. */
	return (uint32_t)((unsigned __int128)(rtl_now(n) - n->tctr_epoch) * 33 / 1000);
}

static uint32_t get_data_path(struct rtl *n, unsigned reg)
{
	unsigned i = reg >> 2 & 3;

	switch (reg) {
	case R_TSD0:
	case R_TSD0 + 4:
	case R_TSD0 + 8:
	case R_TSD0 + 12:
		return cplus(n) && i < 2 ? n->dtccr[i] : atomic_load(&n->tx.tsd[i]);
	case R_TSAD0:
	case R_TSAD0 + 4:
	case R_TSAD0 + 8:
	case R_TSAD0 + 12:
		return atomic_load(&n->tx.tsad[i]);
	case R_RBSTART:
		return n->rbstart;
	case R_ERBCR:
		return atomic_load(&n->rx.erbcr);
	case R_ERSR:
		return atomic_load(&n->rx.ersr);
	case R_CR:
		return n->cr | (rtl_rx_empty(n) ? CR_BUFE : 0);
	case R_CAPR:
		return atomic_load(&n->rx.capr);
	case R_CBR:
		return atomic_load(&n->rx.cbr);
	case R_IMR:
		return atomic_load(rtl_imr(n));
	case R_ISR:
		return atomic_load(rtl_isr(n));
	case R_TCR:
		return n->tcr;
	default:
		return n->rcr;
	}
}

unsigned rtl_reg_width(unsigned reg)
{
	return width[reg];
}

uint32_t rtl_reg_get(struct rtl *n, unsigned reg)
{
	if (reg >= R_TSD0 && reg <= R_RCR)
		return get_data_path(n, reg);
	switch (reg) {
	case R_IDR0:
		return (uint32_t)atomic_load(&n->mac);
	case R_IDR4:
		return (uint32_t)(atomic_load(&n->mac) >> 32);
	case R_MAR0:
		return (uint32_t)n->mar;
	case R_MAR4:
		return (uint32_t)(n->mar >> 32);
	case R_TCTR:
		return tctr(n);
	case R_MPC:
		return atomic_load(&n->rx.missed) & 0xffffff;
	case R_9346CR:
		return read_9346(n);
	case R_TIMERINT:
		return n->timer_int;
	case R_MSR:
		return n->file[R_MSR] | (is_100(n) ? 0 : MSR_10) |
		       (atomic_load(&n->link) ? 0 : MSR_NOLNK);
	case R_RERID:
		return n->pci.config[8];
	case R_TSAD:
		return read_tsad(n);
	case R_BMSR:
	case R_ANLPAR:
	case R_ANER:
	case R_CSCR:
		return phy_read(n, reg);
	case R_TPPOLL:
		return 0;
	case R_CPCR:
		return n->cpcr;
	case R_RDSAR0:
		return (uint32_t)n->rdsar;
	case R_RDSAR1:
		return (uint32_t)(n->rdsar >> 32);
	default:
		return (uint32_t)get_le(n->file + reg, width[reg]);
	}
}

/* --- changes on the loop -------------------------------------------------------------------- */

static void apply_cr(struct rtl *n, uint32_t v)
{
	uint8_t rose = (uint8_t)(v & ~n->cr);

	n->cr = v & (CR_TE | CR_RE);
	if (rose & CR_TE) {
		n->tx.slot = 0;
		n->tx.cur[0] = n->tx.cur[1] = 0;
	}
	if (rose & CR_RE)
		rtl_rx_rewind(n);
	rtl_rx_kicked(n); /* a receiver that is off takes (and drops) what waited */
	rtl_tx_run(n);
}

static void apply_tcr(struct rtl *n, uint32_t v)
{
	n->tcr = (n->tcr & ~TCR_WRITE) | (v & TCR_WRITE);
	rtl_rx_kicked(n); /* loopback, or no more */
}

static void apply_rcr(struct rtl *n, uint32_t v)
{
	n->rcr = v & RCR_WRITE;
	rtl_rx_kicked(n);
}

static void apply_cpcr(struct rtl *n, uint32_t v)
{
	n->cpcr = v & CPCR_WRITE;
	rtl_rx_kicked(n);
}

static void apply_rbstart(struct rtl *n, uint32_t v)
{
	n->rbstart = v;
	rtl_rx_rewind(n);
	rtl_rx_kicked(n);
}

static void set_half(uint64_t *r, bool high, uint32_t v)
{
	*r = high ? (*r & 0xffffffff) | (uint64_t)v << 32 : (*r & ~0xffffffffull) | v;
}

static void apply_rdsar0(struct rtl *n, uint32_t v)
{
	set_half(&n->rdsar, false, v);
	n->rx.cur = 0;
	atomic_store(&n->rx.half, NULL);
	rtl_rx_kicked(n);
}

static void apply_rdsar1(struct rtl *n, uint32_t v)
{
	set_half(&n->rdsar, true, v);
	n->rx.cur = 0;
	atomic_store(&n->rx.half, NULL);
	rtl_rx_kicked(n);
}

static void apply_mar0(struct rtl *n, uint32_t v)
{
	set_half(&n->mar, false, v);
}

static void apply_mar4(struct rtl *n, uint32_t v)
{
	set_half(&n->mar, true, v);
}

static void apply_tx_ring(struct rtl *n, uint32_t ring)
{
	n->tx.cur[ring] = 0;
}

static void apply_master(struct rtl *n, uint32_t v)
{
	(void)v;
	rtl_rx_kicked(n);
	rtl_tx_run(n);
}

static void apply_tctr(struct rtl *n, uint32_t v)
{
	(void)v;
	n->tctr_epoch = rtl_now(n);
	rtl_timer_arm(n);
}

static void apply_timer_int(struct rtl *n, uint32_t v)
{
	n->timer_int = v;
	rtl_timer_arm(n);
}

/* --- writing -------------------------------------------------------------------------------- */

/* Section 6.28: 64 bytes of counters. Those of errors that cannot happen here are 0. Without bus
 * mastering the command stays, until there is. */
static void dump_tally(struct rtl *n)
{
	const struct rtl_tally *t = &n->tally;
	uint64_t to = (uint64_t)n->dtccr[1] << 32 | (n->dtccr[0] & ~63u);
	uint8_t b[64] = {0};

	put_le64(b, atomic_load(&t->tx_ok));
	put_le64(b + 8, atomic_load(&t->rx_ok));
	put_le64(b + 16, atomic_load(&t->tx_err));
	put_le32(b + 24, atomic_load(&t->rx_err));
	put_le16(b + 28, atomic_load(&t->missed));
	put_le64(b + 40, atomic_load(&t->rx_phys));
	put_le64(b + 48, atomic_load(&t->rx_bcast));
	put_le32(b + 56, atomic_load(&t->rx_mcast));
	put_le16(b + 60, atomic_load(&t->tx_abort));
	if (!pci_master(&n->pci))
		return;
	if (mem_write(rtl_mem(n), to, b, sizeof(b)) < 0)
		rtl_raise(n, INT_SERR);
	n->dtccr[0] &= ~DTCCR_CMD;
}

void rtl_master_changed(struct rtl *n)
{
	rtl_page_hide(n);
	rtl_call(n, apply_master, 0);
	if (n->dtccr[0] & DTCCR_CMD)
		dump_tally(n);
}

static void write_tsd(struct rtl *n, unsigned i, uint32_t v)
{
	if (cplus(n)) {
		if (i < 2)
			n->dtccr[i] = v;
		if (i == 0 && v & DTCCR_CMD)
			dump_tally(n);
		return;
	}
	atomic_store(&n->tx.tsd[i], v & TSD_WRITE);
	if (!(v & TSD_OWN))
		rtl_kick(n);
}

static void write_tsad(struct rtl *n, unsigned i, uint32_t v)
{
	atomic_store(&n->tx.tsad[i], v);
	if (cplus(n))
		rtl_call(n, apply_tx_ring, i / 2);
}

static void set_mac(struct rtl *n, const uint8_t b[8])
{
	atomic_store(&n->mac, get_le64(b) & 0xffffffffffff);
}

static void load_eeprom(struct rtl *n)
{
	uint8_t mac[8] = {0};

	for (unsigned i = 0; i < 3; i++)
		put_le16(mac + 2 * i, n->eeprom.word[7 + i]);
	set_mac(n, mac);
	n->file[R_CONFIG0] = 0x10;				 /* no boot ROM */
	n->file[R_CONFIG1] = 0x0c | (n->file[R_CONFIG1] & 0x20); /* both BARs are there */
	n->file[R_CONFIG3] = 0x01;
	n->file[R_CONFIG4] = 0;
	n->file[R_CONFIG5] = 0;
}

static void write_9346(struct rtl *n, uint8_t v)
{
	n->file[R_9346CR] = v & (uint8_t)~EE_DO;
	if (EE_MODE(v) == EE_PROGRAM) {
		rtl_eeprom_pins(&n->eeprom, v & EE_CS, v & EE_SK, v & EE_DI);
	} else if (EE_MODE(v) == EE_AUTOLOAD) {
		load_eeprom(n);
		n->file[R_9346CR] = 0; /* done: back to normal operation */
	}
}

/* Config and wake-up registers: bits that stay as written (sections 6.15 to 6.20, 6.30). */
static void write_config(struct rtl *n, unsigned reg, uint8_t v)
{
	static const struct {
		uint8_t reg, mask;
		bool locked;
	} bits[] = {
		{R_CONFIG1, 0xf3, true},  {R_CONFIG3, 0x62, true},  {R_CONFIG4, 0xff, true},
		{R_CONFIG5, 0x7f, false}, {R_MSR, MSR_FLOW, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		if (bits[i].reg != reg || (bits[i].locked && !unlocked(n)))
			continue;
		n->file[reg] = (uint8_t)((n->file[reg] & ~bits[i].mask) | (v & bits[i].mask));
	}
}

static void write_bmcr(struct rtl *n, uint16_t v)
{
	uint16_t now = get_le16(n->file + R_BMCR);

	if (v & BMCR_RESET) {
		phy_reset(n);
		return;
	}
	/* Section 6.23: these bits only while the configuration is unlocked. Restarting the
	 * negotiation takes no time. */
	if (unlocked(n))
		put_le16(n->file + R_BMCR, (uint16_t)((now & ~BMCR_LOCKED) | (v & BMCR_LOCKED)));
}

static void write_tppoll(struct rtl *n, uint8_t v)
{
	if (!n->opts.cplus)
		return;
	if (v & TPP_FSWINT)
		rtl_raise(n, INT_SWINT);
	if (v & TPP_HPQ)
		atomic_store(&n->tx.high, true);
	if (v & (TPP_HPQ | TPP_NPQ))
		rtl_kick(n);
}

static void write_id(struct rtl *n, unsigned reg, uint32_t v)
{
	uint8_t b[8];

	put_le64(b, atomic_load(&n->mac));
	put_le32(b + reg, v);
	set_mac(n, b);
}

/* Receive room was made, or may have been: see rtl8139_rx.c. */
static void kick_stalled(struct rtl *n)
{
	if (atomic_load(&n->rx.stalled) && rtl_rx_worth(n))
		rtl_kick(n);
}

/*
 * Drivers of C mode that acknowledge after each packet they have read (Linux) take away the ROK of
 * those that came meanwhile, and may stop reading there. At the wire's 100 Mbit/s that hardly ever
 * happens; here it would leave packets waiting for the next one. So they are told of once more
 * when interrupts are switched on again.
 */
static void write_imr(struct rtl *n, uint16_t v)
{
	atomic_store(rtl_imr(n), v & INT_ALL);
	if (v & INT_ROK && n->cr & CR_RE && !(n->cpcr & CPCR_RXON) && !rtl_rx_empty(n))
		atomic_fetch_or(rtl_isr(n), INT_ROK);
	rtl_irq_update(n);
	kick_stalled(n);
}

static void put_data_path(struct rtl *n, unsigned reg, uint32_t v)
{
	switch (reg) {
	case R_RBSTART:
		rtl_call(n, apply_rbstart, v);
		break;
	case R_ERSR:
		atomic_fetch_and(&n->rx.ersr, (uint16_t)~v);
		break;
	case R_CR:
		if (v & CR_RST)
			rtl_reset(n, false);
		else
			rtl_call(n, apply_cr, v);
		break;
	case R_CAPR:
		atomic_store(&n->rx.capr, (uint16_t)v);
		kick_stalled(n);
		break;
	case R_IMR:
		write_imr(n, (uint16_t)v);
		break;
	case R_ISR:
		atomic_fetch_and(rtl_isr(n), (uint16_t)~v);
		rtl_irq_update(n);
		kick_stalled(n);
		break;
	case R_TCR:
		rtl_call(n, apply_tcr, v);
		break;
	case R_RCR:
		rtl_call(n, apply_rcr, v);
		break;
	default:
		if (reg < R_TSAD0)
			write_tsd(n, reg >> 2 & 3, v);
		else if (reg < R_RBSTART)
			write_tsad(n, reg >> 2 & 3, v);
		break;
	}
}

static void put_phy(struct rtl *n, unsigned reg, uint32_t v)
{
	switch (reg) {
	case R_BMCR:
		write_bmcr(n, (uint16_t)v);
		break;
	case R_ANAR:
		/* The selector stays: IEEE 802.3. */
		put_le16(n->file + reg, (uint16_t)((v & 0x2de0) | 1));
		break;
	case R_NWAYTR:
	case R_PHY1:
	case R_TW:
	case R_PHY2:
		put_le(n->file + reg, v, width[reg]);
		break;
	default:
		break; /* read-only */
	}
}

static void put_cplus(struct rtl *n, unsigned reg, uint32_t v)
{
	if (!n->opts.cplus)
		return;
	if (reg == R_CPCR)
		rtl_call(n, apply_cpcr, v);
	else if (reg == R_ETTHR)
		n->file[reg] = v & 0x3f;
	else
		rtl_call(n, reg == R_RDSAR0 ? apply_rdsar0 : apply_rdsar1, v);
}

static void put(struct rtl *n, unsigned reg, uint32_t v)
{
	if (reg >= R_TSD0 && reg <= R_RCR) {
		put_data_path(n, reg, v);
		return;
	}
	if (reg >= R_BMCR && reg <= R_PHY2) {
		put_phy(n, reg, v);
		return;
	}
	if (reg >= R_CPCR) {
		put_cplus(n, reg, v);
		return;
	}
	switch (reg) {
	case R_IDR0:
	case R_IDR4:
		write_id(n, reg, v);
		break;
	case R_MAR0:
		rtl_call(n, apply_mar0, v);
		break;
	case R_MAR4:
		rtl_call(n, apply_mar4, v);
		break;
	case R_TCTR: /* whatever is written */
		rtl_call(n, apply_tctr, 0);
		break;
	case R_TIMERINT:
		rtl_call(n, apply_timer_int, v);
		break;
	case R_MPC:
		atomic_store(&n->rx.missed, 0);
		break;
	case R_9346CR:
		write_9346(n, (uint8_t)v);
		break;
	case R_TPPOLL:
		write_tppoll(n, (uint8_t)v);
		break;
	case R_MULINT:
		put_le16(n->file + reg, v & 0xfff);
		break;
	case R_FLASH:
		put_le32(n->file + reg, v);
		break;
	default:
		if (reg >= R_WAKE && reg < R_FLASH)
			n->file[reg] = (uint8_t)v;
		else
			write_config(n, reg, (uint8_t)v);
		break;
	}
}

/* --- accesses ------------------------------------------------------------------------------- */

/* The register that byte `off` is in, or -1. */
static int reg_at(unsigned off)
{
	for (unsigned back = 0; back < 4 && back <= off; back++)
		if (width[off - back])
			return width[off - back] > back ? (int)(off - back) : -1;
	return -1;
}

static uint64_t io_read(void *opaque, uint64_t off, unsigned size)
{
	struct rtl *n = opaque;
	uint64_t v = 0;

	for (unsigned i = 0; i < size;) {
		unsigned at = (unsigned)off + i;
		int reg = at < sizeof(width) ? reg_at(at) : -1;
		unsigned skip = reg < 0 ? 0 : at - (unsigned)reg;

		if (reg >= 0) {
			v |= (uint64_t)(rtl_reg_get(n, (unsigned)reg) >> 8 * skip) << 8 * i;
			rtl_page_read(n, (unsigned)reg);
		}
		i += reg < 0 ? 1 : width[reg] - skip;
	}
	return size < 8 ? v & ((1ull << 8 * size) - 1) : v;
}

static void io_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct rtl *n = opaque;

	for (unsigned i = 0; i < size;) {
		unsigned at = (unsigned)off + i;
		int reg = at < sizeof(width) ? reg_at(at) : -1;
		unsigned skip, bytes;
		uint32_t now, mask;

		if (reg < 0) {
			i++;
			continue;
		}
		skip = at - (unsigned)reg;
		bytes = MIN(width[reg] - skip, size - i);
		mask = (uint32_t)((1ull << 8 * bytes) - 1) << 8 * skip;
		/* Ones have an effect: what is not written is 0. */
		now = reg == R_ISR || reg == R_ERSR || bytes == width[reg]
			      ? 0
			      : rtl_reg_get(n, (unsigned)reg);
		put(n, (unsigned)reg,
		    (now & ~mask) | ((uint32_t)(val >> 8 * i) << 8 * skip & mask));
		rtl_page_write(n, (unsigned)reg);
		i += bytes;
	}
}

const struct io_ops rtl_io_ops = {io_read, io_write, 4};

/* --- reset ---------------------------------------------------------------------------------- */

static void reset_here(struct rtl *n, uint32_t hard)
{
	n->cr = 0;
	n->cpcr = 0;
	n->tcr = (n->opts.cplus ? TCR_HWVER_CPLUS : TCR_HWVER_C) | 0x03000000;
	n->rcr = 0;
	n->rbstart = 0;
	n->rdsar = 0;
	n->timer_int = 0;
	n->tctr_epoch = rtl_now(n);
	rtl_timer_arm(n);
	for (unsigned i = 0; i < RTL_TX_SLOTS; i++) {
		atomic_store(&n->tx.tsd[i], TSD_OWN);
		atomic_store(&n->tx.tsad[i], 0);
	}
	atomic_store(&n->tx.high, false);
	n->tx.slot = n->tx.cur[0] = n->tx.cur[1] = 0;
	atomic_store(&n->rx.missed, 0);
	atomic_store(&n->rx.ersr, 0);
	atomic_store(&n->rx.erbcr, 0);
	rtl_rx_rewind(n);
	if (hard) {
		n->mar = 0;
		memset(&n->tally, 0, sizeof(n->tally));
	}
	rtl_rx_kicked(n);
}

/* Section 6.7: the software reset leaves IDR, MAR and what the EEPROM set up as they are. */
void rtl_reset(struct rtl *n, bool hard)
{
	rtl_page_hide(n);
	rtl_call(n, reset_here, hard);
	atomic_store(rtl_imr(n), 0);
	atomic_store(rtl_isr(n), 0);
	rtl_irq_update(n);
	n->dtccr[0] = n->dtccr[1] = 0;
	n->counts = false;
	put_le16(n->file + R_MULINT, 0);
	n->file[R_9346CR] = 0;
	if (!hard)
		return;
	memset(n->file, 0, sizeof(n->file));
	phy_reset(n);
	load_eeprom(n);
}
