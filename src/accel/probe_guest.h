/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical layout of the probe guest (probe.c, probe_guest.S): eight pages from 0. */
#ifndef ACCEL_PROBE_GUEST_H
#define ACCEL_PROBE_GUEST_H

#define PROBE_SIZE  0x8000
#define PROBE_PML4  0x1000
#define PROBE_PDPT  0x2000
#define PROBE_PD    0x3000
#define PROBE_CODE  0x4000
#define PROBE_STEP  0x5000 /* byte: number of the step under way */
#define PROBE_GDTR  0x5010 /* operand of LGDT */
#define PROBE_IDTR  0x5020 /* operand of LIDT */
#define PROBE_WORDS 0x5040 /* 16 bytes for CMPXCHG16B */
#define PROBE_GDT   0x5080
#define PROBE_TSS   0x5100
#define PROBE_IDT   0x5200 /* vectors 0 … 31 */
#define PROBE_AREA  0x6000 /* FXSAVE and XSAVE */
#define PROBE_STACK 0x8000 /* top */
#define PROBE_PORT  0x80   /* an OUT here: all steps done */

#define PROBE_CS    0x10
#define PROBE_DS    0x18
#define PROBE_TR    0x20
#define PROBE_STEPS 16

#endif
