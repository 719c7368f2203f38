/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The probe guest: 64-bit code at CPL 0 that executes what every 64-bit kernel executes while it
 * boots. Before each step it notes the step's number in memory, so that the host can name the
 * instruction that failed; steps stand alone, so that the host can go on with the next one.
 * Runs from a copy at PROBE_CODE; probe_steps holds the steps' offsets.
 */
#include "accel/probe_guest.h"

	.section .rodata
	.code64

	.macro step n
.Lstep\n:
	movb	$\n, PROBE_STEP
	.endm

	/* Jumps to \to when CPUID says there is no XSAVE: then no kernel uses it. */
	.macro without_xsave to
	movl	$1, %eax
	cpuid
	btl	$26, %ecx
	jnc	\to
	.endm

	.globl	probe_guest, probe_guest_end, probe_steps
	.balign	16
probe_guest:
	step 0				/* CPUID */
	xorl	%eax, %eax
	cpuid

	step 1				/* RDMSR, WRMSR of EFER */
	movl	$0xc0000080, %ecx
	rdmsr
	wrmsr

	step 2				/* LGDT */
	lgdt	PROBE_GDTR

	step 3				/* LIDT */
	lidt	PROBE_IDTR

	step 4				/* far return, segment loads */
	pushq	$PROBE_CS
	leaq	1f(%rip), %rax
	pushq	%rax
	lretq
1:	movl	$PROBE_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss

	step 5				/* LTR */
	movl	$PROBE_TR, %eax
	ltr	%ax

	step 6				/* SSE: CR4.OSFXSR, OSXMMEXCPT, then MOVAPS */
	movq	%cr4, %rax
	orl	$0x600, %eax
	movq	%rax, %cr4
	xorps	%xmm0, %xmm0
	movaps	%xmm0, PROBE_AREA
	movaps	PROBE_AREA, %xmm1

	step 7				/* FXSAVE, FXRSTOR */
	fxsave	PROBE_AREA
	fxrstor	PROBE_AREA

	step 8				/* CR4.OSXSAVE, XSETBV */
	without_xsave .Lstep11
	movq	%cr4, %rax
	orl	$0x40000, %eax
	movq	%rax, %cr4
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	movl	$3, %eax
	xsetbv

	step 9				/* XSAVE */
	without_xsave .Lstep11
	xorl	%edx, %edx
	movl	$3, %eax
	xsave	PROBE_AREA

	step 10				/* XRSTOR */
	without_xsave .Lstep11
	xorl	%edx, %edx
	movl	$3, %eax
	xrstor	PROBE_AREA

	step 11				/* SWAPGS */
	swapgs
	swapgs

	step 12				/* INVLPG */
	invlpg	PROBE_AREA

	step 13				/* CMPXCHG16B */
	xorl	%eax, %eax
	xorl	%edx, %edx
	movl	$1, %ebx
	movl	$2, %ecx
	lock cmpxchg16b PROBE_WORDS

	step 14				/* INT3 and IRETQ, through the IDT */
	leaq	.Lhandler(%rip), %rax
	movw	%ax, PROBE_IDT + 3 * 16
	movw	$PROBE_CS, PROBE_IDT + 3 * 16 + 2
	movw	$0x8e00, PROBE_IDT + 3 * 16 + 4
	int3

	step 15				/* REP STOSQ, XADD, atomics of every lock */
	movl	$PROBE_AREA, %edi
	movl	$16, %ecx
	xorl	%eax, %eax
	cld
	rep stosq
	lock xaddl %eax, PROBE_AREA
	lock btsl $1, PROBE_AREA

	.Lstep16:
	outb	%al, $PROBE_PORT
1:	hlt
	jmp	1b

.Lhandler:
	iretq
probe_guest_end:

	.balign	4
probe_steps:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
	.long	.Lstep\n - probe_guest
	.endr

	.section .note.GNU-stack, "", @progbits
