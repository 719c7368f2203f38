/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card's 93C46 serial EEPROM, 64 words of 16 bits, behind four pins of register 9346CR: chip
 * select, clock, data in, data out. A command is a start bit, two bits of code and six of address,
 * each taken at a rising edge of the clock; the word that is read follows a 0 bit, highest bit
 * first, and then the words behind it for as long as the clock runs. Dropping chip select ends a
 * command. Writing must be permitted by a command of its own (EWEN) and takes no time here.
 */
#include "net/nic/rtl8139.h"

#define CMD_BITS 8 /* code and address */

/* Section 8.1 of the datasheet: what the chip loads at power-on. */
void rtl_eeprom_init(struct rtl_eeprom *e, const uint8_t mac[6])
{
	memset(e, 0, sizeof(*e));
	e->dout = true;
	e->word[0] = 0x8129; /* marks an EEPROM with content */
	e->word[1] = 0x10ec;
	e->word[2] = 0x8139;
	e->word[3] = 0x10ec; /* subsystem */
	e->word[4] = 0x8139;
	e->word[5] = 0x4020; /* maximum latency, minimum grant */
	e->word[6] = 0xe110; /* CONFIG3, media status */
	for (unsigned i = 0; i < 3; i++)
		e->word[7 + i] = get_le16(mac + 2 * i);
	e->word[10] = 0x4d10; /* CONFIG1, CONFIG0 */
	e->word[11] = 0xf7c2; /* power management capabilities */
}

static void command(struct rtl_eeprom *e)
{
	e->addr = e->shift & 0x3f;
	e->all = false;
	e->bits = 0;
	switch (e->shift >> 6 & 3) {
	case 2: /* READ */
		e->state = EE_READ;
		e->shift = e->word[e->addr];
		e->dout = false;
		return;
	case 1: /* WRITE */
		e->state = EE_DATA;
		return;
	case 3: /* ERASE */
		if (e->writable)
			e->word[e->addr] = 0xffff;
		break;
	default:
		switch (e->addr >> 4) {
		case 0: /* EWDS */
		case 3: /* EWEN */
			e->writable = e->addr >> 4 == 3;
			break;
		case 1: /* WRAL */
			e->state = EE_DATA;
			e->all = true;
			return;
		default: /* ERAL */
			if (e->writable)
				memset(e->word, 0xff, sizeof(e->word));
		}
	}
	e->state = EE_DONE;
	e->dout = true;
}

static void store(struct rtl_eeprom *e)
{
	unsigned first = e->all ? 0 : e->addr, last = e->all ? 63 : e->addr;

	for (unsigned i = first; i <= last && e->writable; i++)
		e->word[i] = e->shift;
	e->state = EE_DONE;
	e->dout = true;
}

static void clocked(struct rtl_eeprom *e, bool di)
{
	switch (e->state) {
	case EE_IDLE:
		if (di)
			e->state = EE_CMD;
		e->shift = 0;
		e->bits = 0;
		break;
	case EE_CMD:
		e->shift = (uint16_t)(e->shift << 1 | di);
		if (++e->bits == CMD_BITS)
			command(e);
		break;
	case EE_READ:
		e->dout = e->shift >> 15;
		e->shift = (uint16_t)(e->shift << 1);
		if (++e->bits == 16) {
			e->bits = 0;
			e->addr = (e->addr + 1) & 0x3f;
			e->shift = e->word[e->addr];
		}
		break;
	case EE_DATA:
		e->shift = (uint16_t)(e->shift << 1 | di);
		if (++e->bits == 16)
			store(e);
		break;
	case EE_DONE:
		break;
	}
}

void rtl_eeprom_pins(struct rtl_eeprom *e, bool cs, bool sk, bool di)
{
	bool edge = sk && !e->sk;

	e->sk = sk;
	if (!cs) {
		e->state = EE_IDLE;
		e->dout = true;
	} else if (edge) {
		clocked(e, di);
	}
}
