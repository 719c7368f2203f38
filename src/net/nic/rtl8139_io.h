/* SPDX-License-Identifier: BSD-2-Clause */
/* The map of the RTL8139C+'s registers (datasheet chapter 6), for the files that serve accesses. */
#ifndef NET_NIC_RTL8139_IO_H
#define NET_NIC_RTL8139_IO_H

#include "net/nic/rtl8139.h"

enum rtl_reg {
	R_IDR0 = 0x00,
	R_IDR4 = 0x04,
	R_MAR0 = 0x08,
	R_MAR4 = 0x0c,
	R_TSD0 = 0x10, /* … 3; C+: DTCCR */
	R_TSAD0 = 0x20,
	R_RBSTART = 0x30,
	R_ERBCR = 0x34,
	R_ERSR = 0x36,
	R_CR = 0x37,
	R_CAPR = 0x38,
	R_CBR = 0x3a,
	R_IMR = 0x3c,
	R_ISR = 0x3e,
	R_TCR = 0x40,
	R_RCR = 0x44,
	R_TCTR = 0x48,
	R_MPC = 0x4c,
	R_9346CR = 0x50,
	R_CONFIG0 = 0x51,
	R_CONFIG1 = 0x52,
	R_TIMERINT = 0x54,
	R_MSR = 0x58,
	R_CONFIG3 = 0x59,
	R_CONFIG4 = 0x5a,
	R_MULINT = 0x5c,
	R_RERID = 0x5e,
	R_TSAD = 0x60,
	R_BMCR = 0x62,
	R_BMSR = 0x64,
	R_ANAR = 0x66,
	R_ANLPAR = 0x68,
	R_ANER = 0x6a,
	R_NWAYTR = 0x70,
	R_CSCR = 0x74,
	R_PHY1 = 0x78,
	R_TW = 0x7c,
	R_PHY2 = 0x80,
	R_WAKE = 0x84, /* CRC0-7, Wakeup0-7, LSBCRC0-7: up to and with 0xd3 */
	R_FLASH = 0xd4,
	R_CONFIG5 = 0xd8,
	R_TPPOLL = 0xd9,
	R_CPCR = 0xe0,
	R_RDSAR0 = 0xe4,
	R_RDSAR1 = 0xe8,
	R_ETTHR = 0xec,
};

/* rtl8139_regs.c, under the bus lock */
uint32_t rtl_reg_get(struct rtl *n, unsigned reg); /* as the guest reads it; side effects, too */
unsigned rtl_reg_width(unsigned reg);		   /* in bytes; 0: no register begins there */
uint32_t rtl_cscr(const struct rtl *n);		   /* CSCR, which reading rtl_reg_get() changes */

#endif
