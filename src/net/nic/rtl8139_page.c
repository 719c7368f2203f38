/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers as memory for reading (bus/pci_page.c). A driver of C+ mode reads ISR once and IMR
 * three times for each interrupt, and nothing happens by that. So one that has done so in earnest
 * (SHOW times) finds the memory BAR's page there as read-only memory, and reads cost no exit;
 * writes come to the handlers as ever.
 *
 * ISR and IMR always live in that page. The other registers are copied to it when it is shown.
 * Those that a write changes: any write but to ISR, IMR and TPPoll takes the page away. Those that
 * change by themselves are copied again: after a batch of frames (ERBCR, ERSR, MPC, TCTR) and when
 * the link changes. TCTR, which runs on, then stands still between two batches: a driver that has
 * ever touched it or TimerInt, which drivers do that count with it, reads the register itself. CSCR
 * has a bit that reading clears; while it stands, the next write takes the page away.
 */
#include <errno.h>
#include <sys/mman.h>

#include "net/nic/rtl8139_io.h"

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define SHOW 2u
#else
#define SHOW 64u
#endif

#define PAGE 4096u
#define REGS 256u /* behind them is nobody: ones */

int rtl_page_init(struct rtl *n)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	memset((uint8_t *)p + REGS, 0xff, PAGE - REGS);
	n->page = p;
	n->view = (struct pci_page){.d = &n->pci, .bar = RTL_BAR_MMIO, .host = p, .readonly = true};
	return 0;
}

void rtl_page_exit(struct rtl *n)
{
	if (n->page)
		munmap(n->page, PAGE);
}

/* Copies registers from `first` to before `end`; ISR and IMR are there, and CSCR is not read, as
 * that would take its bit from the guest. */
static void copy(struct rtl *n, unsigned first, unsigned end)
{
	for (unsigned at = first; at < end; at++)
		if (rtl_reg_width(at) && at != R_ISR && at != R_IMR && at != R_CSCR)
			put_le(n->page + at, rtl_reg_get(n, at), rtl_reg_width(at));
}

static bool may_show(const struct rtl *n)
{
	return n->cpcr & CPCR_RXON && n->cr & CR_RE && !n->counts && !n->timer_int &&
	       !atomic_load(&n->link_changed);
}

void rtl_page_read(struct rtl *n, unsigned reg)
{
	if (reg == R_TCTR || reg == R_TIMERINT)
		n->counts = true;
	if ((reg != R_ISR && reg != R_IMR) || atomic_load(&n->shown) || ++n->asked < SHOW)
		return;
	n->asked = 0;
	if (!may_show(n))
		return;
	/* First, so that what changes from here on is copied by who changes it. */
	atomic_store(&n->shown, true);
	copy(n, 0, REGS);
	put_le(n->page + R_CSCR, rtl_cscr(n), 2);
	if (!pci_page_show(&n->view))
		atomic_store(&n->shown, false);
}

void rtl_page_write(struct rtl *n, unsigned reg)
{
	if (reg == R_TCTR || reg == R_TIMERINT)
		n->counts = true;
	if ((reg == R_ISR || reg == R_IMR || reg == R_TPPOLL) && !atomic_load(&n->link_changed))
		return;
	rtl_page_hide(n);
}

void rtl_page_hide(struct rtl *n)
{
	n->asked = 0;
	if (!atomic_exchange(&n->shown, false))
		return;
	pci_page_hide(&n->view);
}

void rtl_page_fresh(struct rtl *n)
{
	if (!atomic_load(&n->shown))
		return;
	copy(n, R_ERBCR, R_CR);
	copy(n, R_TCTR, R_9346CR);
}

void rtl_page_link(struct rtl *n)
{
	if (!atomic_load(&n->shown))
		return;
	put_le(n->page + R_CSCR, rtl_cscr(n), 2);
	copy(n, R_MSR, R_CONFIG3);
	copy(n, R_BMSR, R_NWAYTR);
}
