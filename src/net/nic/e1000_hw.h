/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and descriptors of the 8254x: offsets, bits. Numbers in brackets: sections of the
 * Software Developer's Manual named in e1000.h. */
#ifndef NET_NIC_E1000_HW_H
#define NET_NIC_E1000_HW_H

#define E1000_BAR_SIZE	0x20000u
#define E1000_REG_SPACE 0xa000u /* there is nothing behind */
/* The page of the receive ring's registers; nothing else is there. */
#define E1000_RX_PAGE 0x2000u

/* General (13.4) */
#define R_CTRL	   0x0000
#define R_CTRL_DUP 0x0004
#define R_STATUS   0x0008
#define R_EECD	   0x0010
#define R_EERD	   0x0014
#define R_CTRL_EXT 0x0018
#define R_MDIC	   0x0020
#define R_FCAL	   0x0028
#define R_FCAH	   0x002c
#define R_FCT	   0x0030
#define R_VET	   0x0038
#define R_ICR	   0x00c0
#define R_ITR	   0x00c4
#define R_ICS	   0x00c8
#define R_IMS	   0x00d0
#define R_IMC	   0x00d8
#define R_RCTL	   0x0100
#define R_FCTTV	   0x0170
#define R_TXCW	   0x0178
#define R_RXCW	   0x0180
#define R_TCTL	   0x0400
#define R_TIPG	   0x0410
#define R_TBT	   0x0448
#define R_AIFS	   0x0458
#define R_LEDCTL   0x0e00
#define R_PBA	   0x1000
#define R_FCRTL	   0x2160
#define R_FCRTH	   0x2168
#define R_RDFH	   0x2410
#define R_RDFPC	   0x2430
#define R_RDBAL	   0x2800
#define R_RDBAH	   0x2804
#define R_RDLEN	   0x2808
#define R_RDH	   0x2810
#define R_RDT	   0x2818
#define R_RDTR	   0x2820
#define R_RXDCTL   0x2828
#define R_RADV	   0x282c
#define R_RSRPD	   0x2c00
#define R_TXDMAC   0x3000
#define R_TDFH	   0x3410
#define R_TDFPC	   0x3430
#define R_TDBAL	   0x3800
#define R_TDBAH	   0x3804
#define R_TDLEN	   0x3808
#define R_TDH	   0x3810
#define R_TDT	   0x3818
#define R_TIDV	   0x3820
#define R_TXDCTL   0x3828
#define R_TADV	   0x382c
#define R_TSPMT	   0x3830
#define R_RXCSUM   0x5000
#define R_MTA	   0x5200 /* 128 */
#define R_RAL	   0x5400 /* 16 pairs */
#define R_RAH	   0x5404
#define R_VFTA	   0x5600 /* 128 */
#define R_WUC	   0x5800
#define R_WUFC	   0x5808
#define R_WUS	   0x5810
#define R_MANC	   0x5820
#define R_IPAV	   0x5838
#define R_IP4AT	   0x5840
#define R_IP6AT	   0x5880
#define R_WUPL	   0x5900
#define R_WUPM	   0x5a00
#define R_FFLT	   0x5f00
#define R_FFMT	   0x9000
#define R_FFVT	   0x9800

/* Statistics (13.7) */
#define R_STATS	     0x4000
#define R_MPC	     0x4010
#define R_PRC64	     0x405c
#define R_GPRC	     0x4074
#define R_BPRC	     0x4078
#define R_MPRC	     0x407c
#define R_GPTC	     0x4080
#define R_GORCL	     0x4088
#define R_GOTCL	     0x4090
#define R_RNBC	     0x40a0
#define R_ROC	     0x40ac
#define R_TORL	     0x40c0
#define R_TOTL	     0x40c8
#define R_TPR	     0x40d0
#define R_TPT	     0x40d4
#define R_PTC64	     0x40d8
#define R_MPTC	     0x40f0
#define R_BPTC	     0x40f4
#define R_TSCTC	     0x40f8
#define R_TSCTFC     0x40fc
#define R_STATS_END  0x4128
#define E1000_OCTETS 4 /* octet counters of 64 bits: */
#define OCTETS_GORC  0
#define OCTETS_GOTC  1
#define OCTETS_TOR   2
#define OCTETS_TOT   3

/* CTRL (13.4.1) */
#define CTRL_FD		0x00000001u
#define CTRL_SLU	0x00000040u
#define CTRL_SPD_1000	0x00000200u
#define CTRL_RST	0x04000000u
#define CTRL_VME	0x40000000u
#define CTRL_PHY_RST	0x80000000u
#define CTRL_DEFAULT	0x00140240u /* SDP 0 and 2 high, 1000 Mb/s, link set up */
#define CTRL_EXT_EE_RST 0x00002000u
/* STATUS (13.4.2) */
#define STATUS_FD	 0x00000001u
#define STATUS_LU	 0x00000002u
#define STATUS_SPD_1000	 0x00000080u
#define STATUS_ASDV_1000 0x00000200u
/* EECD, EERD (13.4.3, 13.4.4) */
#define EECD_SK	      0x001u
#define EECD_CS	      0x002u
#define EECD_DI	      0x004u
#define EECD_DO	      0x008u
#define EECD_FWE_MASK 0x030u
#define EECD_FWE_DIS  0x010u
#define EECD_REQ      0x040u
#define EECD_GNT      0x080u
#define EECD_PRES     0x100u
#define EERD_START    0x00000001u
#define EERD_DONE     0x00000010u
/* MDIC (13.4.6) */
#define MDIC_OP_WRITE 0x04000000u
#define MDIC_OP_READ  0x08000000u
#define MDIC_READY    0x10000000u
#define MDIC_INT_EN   0x20000000u
#define MDIC_ERROR    0x40000000u
/* ICR (13.4.17) */
#define ICR_TXDW    0x00000001u
#define ICR_TXQE    0x00000002u
#define ICR_LSC	    0x00000004u
#define ICR_RXDMT0  0x00000010u
#define ICR_RXO	    0x00000040u
#define ICR_RXT0    0x00000080u
#define ICR_MDAC    0x00000200u
#define ICR_TXD_LOW 0x00008000u
#define ICR_SRPD    0x00010000u
#define ICR_ALL	    0x0001ffffu
/* RCTL (13.4.22) */
#define RCTL_EN	     0x00000002u
#define RCTL_UPE     0x00000008u
#define RCTL_MPE     0x00000010u
#define RCTL_LPE     0x00000020u
#define RCTL_LBM     0x000000c0u
#define RCTL_LBM_MAC 0x00000040u
#define RCTL_RDMTS   8
#define RCTL_MO	     12
#define RCTL_BAM     0x00008000u
#define RCTL_BSIZE   16
#define RCTL_VFE     0x00040000u
#define RCTL_CFIEN   0x00080000u
#define RCTL_CFI     0x00100000u
#define RCTL_BSEX    0x02000000u
#define RCTL_SECRC   0x04000000u
/* TCTL (13.4.33) */
#define TCTL_EN	 0x00000002u
#define TCTL_PSP 0x00000008u
#define RDTR_FPD 0x80000000u
#define RAH_AV	 0x80000000u
/* RXCSUM (13.4.29) */
#define RXCSUM_PCSS  0x000000ffu
#define RXCSUM_IPOFL 0x00000100u
#define RXCSUM_TUOFL 0x00000200u
#define RXCSUM_IP6   0x00000400u

/* Receive descriptor: address, length, checksum, status, errors, special (3.2.3) */
#define RXD_DD	  0x01u
#define RXD_EOP	  0x02u
#define RXD_IXSM  0x04u
#define RXD_VP	  0x08u
#define RXD_TCPCS 0x20u
#define RXD_IPCS  0x40u
#define RXD_PIF	  0x80u
#define RXD_TCPE  0x20u /* errors */
#define RXD_IPE	  0x40u
#define RXD_RXE	  0x80u

/* Transmit descriptors (3.3.3, 3.3.6, 3.3.7): second quadword. The command is its byte 3. */
#define TXD_EOP	    0x01u
#define TXD_IC	    0x04u /* legacy: insert checksum */
#define TXD_TSE	    0x04u /* data and context */
#define TXD_RS	    0x08u
#define TXD_RPS	    0x10u
#define TXD_DEXT    0x20u
#define TXD_VLE	    0x40u
#define TXD_IDE	    0x80u
#define TXD_TCP	    0x01u /* context: TUCMD */
#define TXD_DD	    0x01u /* status, byte 12 of the descriptor */
#define TXD_IXSM    0x01u /* data: POPTS */
#define TXD_TXSM    0x02u
#define TXD_CONTEXT 0u /* DTYP */
#define TXD_DATA    1u

#endif
