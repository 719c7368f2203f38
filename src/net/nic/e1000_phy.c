/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card's two small chips: PHY and EEPROM.
 *
 * The PHY (a Marvell 88E1011 or 88E1000, IEEE 802.3 clause 22 registers plus its own) is reached
 * by one register of the card, MDIC (SDM 13.4.6); everything is done at once. Auto-negotiation
 * ends as soon as it is started, always with 1000 Mb/s full duplex; the partner does no flow
 * control, since nothing on our wires sends PAUSE frames.
 *
 * The EEPROM is a 93C46 on a microwire bus: the driver moves clock and data itself (EECD, SDM
 * 13.4.3; the bits of the commands are the part's), or lets the card read a word (EERD). Its
 * words add up to 0xBABA (SDM 5.6.35).
 */
#include <string.h>

#include "base/util.h"
#include "net/nic/e1000.h"

/* IEEE 802.3 clause 22 */
#define BMCR	      0
#define BMCR_RESET    0x8000
#define BMCR_LOOPBACK 0x4000
#define BMCR_RESTART  0x0200
#define BMCR_DEFAULT  0x1140 /* auto-negotiation, full duplex, 1000 Mb/s */
#define BMSR	      1
#define BMSR_DEFAULT  0x7949
#define BMSR_AN_DONE  0x0020
#define BMSR_LINK     0x0004
#define PHY_ID1	      2
#define PHY_ID2	      3
#define ANAR	      4
#define ANLPAR	      5
#define ANER	      6
#define GBCR	      9
#define GBSR	      10
#define ESTATUS	      15
/* the part's own */
#define PSSR	    17
#define PSSR_LINK   0xac00 /* 1000 Mb/s, full duplex, resolved, link */
#define PSCR	    16
#define EPSCR	    20
#define PHY_ADDRESS 1

/* --- PHY ------------------------------------------------------------------------------------ */

void e1000_phy_reset(struct e1000 *n)
{
	struct e1000_phy *p = &n->phy;

	memset(p->reg, 0, sizeof(p->reg));
	p->reg[BMCR] = BMCR_DEFAULT;
	p->reg[PHY_ID1] = 0x0141;
	p->reg[PHY_ID2] = n->chip->phy_id2;
	p->reg[ANAR] = 0x0de1;
	p->reg[GBCR] = 0x0e00;
	p->reg[ESTATUS] = 0x3000;
	p->reg[PSCR] = 0x0360;
	p->reg[EPSCR] = 0x0d60;
	atomic_store(&p->loopback, false);
}

static uint16_t phy_read(struct e1000 *n, unsigned r)
{
	struct e1000_phy *p = &n->phy;
	bool link = atomic_load(&p->link);

	switch (r) {
	case BMSR:
		if (atomic_exchange(&p->link_lost, false))
			return BMSR_DEFAULT;
		return BMSR_DEFAULT | (link ? BMSR_LINK | BMSR_AN_DONE : 0);
	case ANLPAR:
		return link ? 0x41e1 : 0;
	case ANER:
		return link ? 0x000f : 0x0004;
	case GBSR:
		return link ? 0x3c00 : 0;
	case PSSR:
		return link ? PSSR_LINK : 0;
	default:
		return p->reg[r];
	}
}

static void phy_write(struct e1000 *n, unsigned r, uint16_t v)
{
	struct e1000_phy *p = &n->phy;

	switch (r) {
	case BMCR:
		if (v & BMCR_RESET) {
			e1000_phy_reset(n);
			return;
		}
		p->reg[BMCR] = v & (uint16_t)~BMCR_RESTART;
		atomic_store(&p->loopback, v & BMCR_LOOPBACK);
		/* A negotiation that is over at once: the driver hears that the link came up. */
		if (v & BMCR_RESTART && atomic_load(&p->link))
			e1000_cause(n, ICR_LSC);
		return;
	case BMSR:
	case PHY_ID1:
	case PHY_ID2:
	case ANLPAR:
	case ANER:
	case GBSR:
	case ESTATUS:
	case PSSR:
		return;
	default:
		p->reg[r] = v;
	}
}

uint32_t e1000_mdic(struct e1000 *n, uint32_t val)
{
	unsigned r = val >> 16 & 31, phy = val >> 21 & 31;

	val &= ~(MDIC_READY | MDIC_ERROR);
	if (phy != PHY_ADDRESS)
		val |= MDIC_ERROR;
	else if (val & MDIC_OP_READ)
		val = (val & ~0xffffu) | phy_read(n, r);
	else if (val & MDIC_OP_WRITE)
		phy_write(n, r, (uint16_t)val);
	else
		return val;
	if (val & MDIC_INT_EN)
		e1000_cause(n, ICR_MDAC);
	e1000_irq(n, false);
	return val | MDIC_READY;
}

void e1000_phy_link(struct e1000 *n, bool up)
{
	if (atomic_exchange(&n->phy.link, up) == up)
		return;
	if (!up)
		atomic_store(&n->phy.link_lost, true);
	e1000_cause(n, ICR_LSC);
	e1000_irq(n, false);
}

void e1000_phy_init(struct e1000 *n)
{
	e1000_phy_reset(n);
	atomic_store(&n->phy.link, true);
}

/* --- EEPROM --------------------------------------------------------------------------------- */

#define EE_CHECKSUM 0x3f
#define EE_START    0x4u /* the start bit, in front of an opcode of two bits */
#define EE_COMMAND  9u	 /* bits: start, opcode, address */

void e1000_ee_init(struct e1000 *n)
{
	uint16_t *w = n->ee.word, sum = 0;

	memset(&n->ee, 0, sizeof(n->ee));
	for (unsigned i = 0; i < 3; i++)
		w[i] = get_le16(n->nic.mac + 2 * i);
	w[0x0a] = 0x4003; /* signature; vendor and subsystem IDs are in here */
	w[0x0b] = n->chip->subdevice;
	w[0x0c] = 0x8086;
	w[0x0d] = n->chip->device;
	w[0x0e] = 0x8086;
	w[0x0f] = 0x3000; /* PAUSE both ways may be advertised */
	for (unsigned i = 0; i < EE_CHECKSUM; i++)
		sum += w[i];
	w[EE_CHECKSUM] = (uint16_t)(0xbaba - sum);
}

uint32_t e1000_eerd(const struct e1000 *n, uint32_t val)
{
	unsigned at = val >> 8 & 0xff;

	if (!(val & EERD_START))
		return val & 0xff00;
	return (uint32_t)(at < E1000_EE_WORDS ? n->ee.word[at] : 0xffff) << 16 | (val & 0xff00) |
	       EERD_DONE;
}

uint32_t e1000_eecd_read(const struct e1000 *n)
{
	uint32_t v = n->ee.eecd | EECD_PRES;

	if (v & EECD_REQ)
		v |= EECD_GNT;
	if (n->ee.do_pin)
		v |= EECD_DO;
	return v;
}

/* All bits of a command are in: start bit, opcode, six bits of address. */
static void ee_command(struct e1000_eeprom *ee)
{
	unsigned at = ee->in & (E1000_EE_WORDS - 1);

	switch (ee->in >> 6 & 3) {
	case 2: /* READ: a zero bit comes first */
		ee->out = ee->word[at];
		ee->nout = 16;
		ee->do_pin = false;
		break;
	case 3: /* ERASE */
		if (ee->writable)
			ee->word[at] = 0xffff;
		break;
	case 0: /* EWEN, EWDS by the two upper bits of the address */
		if (at >> 4 == 3)
			ee->writable = true;
		else if (at >> 4 == 0)
			ee->writable = false;
		break;
	default: /* WRITE waits for its data */
		break;
	}
}

/* A rising edge of the clock while the part is selected. */
static void ee_clock(struct e1000_eeprom *ee, bool di)
{
	if (ee->nout) {
		ee->do_pin = ee->out >> --ee->nout & 1;
		return;
	}
	/* Nothing begins before the start bit. */
	if (!ee->nin && !di)
		return;
	ee->in = ee->in << 1 | di;
	ee->nin++;
	if (ee->nin == EE_COMMAND)
		ee_command(ee);
	else if (ee->nin == EE_COMMAND + 16 && (ee->in >> 22 & 7) == (EE_START | 1) && ee->writable)
		ee->word[ee->in >> 16 & (E1000_EE_WORDS - 1)] = (uint16_t)ee->in;
	if (ee->nin > EE_COMMAND + 16)
		ee->nin = EE_COMMAND + 16;
}

void e1000_eecd_write(struct e1000 *n, uint32_t val)
{
	struct e1000_eeprom *ee = &n->ee;
	uint32_t old = ee->eecd;

	ee->eecd = val & (EECD_SK | EECD_CS | EECD_DI | EECD_FWE_MASK | EECD_REQ);
	if (n->chip->ee_grant && !(val & EECD_REQ)) {
		ee->nin = ee->nout = 0;
		return;
	}
	if (!(val & EECD_CS)) {
		/* Selected again it says "ready": writing takes no time. */
		ee->nin = ee->nout = ee->in = 0;
		ee->do_pin = true;
		return;
	}
	if (val & EECD_SK && !(old & EECD_SK))
		ee_clock(ee, val & EECD_DI);
}
