/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card's interrupt: causes (ICR), mask (IMS), the throttle (ITR) and the delay timers (SDM
 * 13.4.17 to 13.4.21, 13.4.30, 13.4.44).
 *
 * Causes and mask are atomics; the pin is what they give. Whoever changes one of them drives the
 * pin and looks again, so that of two at the same time the last one leaves it right. Who finds a
 * rise throttled leaves it to the loop, which has timers. No timer runs unless there is something
 * to report.
 */
#include "net/nic/e1000.h"

#include "base/util.h"

#define ITR_UNIT   256u	 /* ns */
#define DELAY_UNIT 1024u /* ns */

void e1000_cause(struct e1000 *n, uint32_t causes)
{
	atomic_fetch_or(&n->icr, causes);
}

/* True when the pin must not rise yet; then the loop will look again. */
static bool throttled(struct e1000 *n, bool here)
{
	struct loop *l = e1000_loop(n);
	uint64_t gap = (uint64_t)(e1000_get(n, R_ITR) & 0xffff) * ITR_UNIT, now, next;

	if (!gap || !l || atomic_load(&n->pci.intx))
		return false;
	now = here ? loop_now(l) : clock_now(pci_io_bus(n->pci.bus)->accel->conf.clock);
	next = atomic_load(&n->irq_next);
	while (now >= next)
		if (atomic_compare_exchange_weak(&n->irq_next, &next, now + gap))
			return false;
	if (!here) {
		atomic_store(&n->look_irq, true);
		e1000_kick(n);
		return true;
	}
	/* ITR may have become shorter meanwhile. */
	next = MIN(next, now + gap);
	atomic_store(&n->irq_next, next);
	loop_timer_set(l, &n->irq_timer, next);
	return true;
}

void e1000_irq(struct e1000 *n, bool here)
{
	bool want;

	do {
		want = atomic_load(&n->icr) & atomic_load(&n->ims);
		if (want && throttled(n, here))
			return;
		pci_intx(&n->pci, want);
	} while (want != !!(atomic_load(&n->icr) & atomic_load(&n->ims)));
}

static void irq_timer(struct loop_timer *t)
{
	e1000_irq(container_of(t, struct e1000, irq_timer), true);
}

static void report(struct e1000 *n, uint32_t *due)
{
	uint32_t causes = *due;

	*due = 0;
	if (!causes)
		return;
	e1000_cause(n, causes);
	e1000_irq(n, true);
}

static void tx_timer(struct loop_timer *t)
{
	struct e1000_tx *tx = container_of(t, struct e1000_tx, timer);

	report(tx->n, &tx->due);
}

static void rx_timer(struct loop_timer *t)
{
	struct e1000_rx *rx = container_of(t, struct e1000_rx, timer);

	report(rx->n, &rx->due);
}

void e1000_delay(struct e1000 *n, struct loop_timer *t, uint32_t *due, uint64_t *due_abs,
		 uint32_t causes, uint32_t idle, uint32_t whole)
{
	struct loop *l = e1000_loop(n);
	uint64_t now, when;

	if (!idle || !l) {
		e1000_cause(n, causes);
		return;
	}
	now = loop_now(l);
	if (!*due)
		*due_abs = whole ? now + (uint64_t)whole * DELAY_UNIT : UINT64_MAX;
	*due |= causes;
	when = now + (uint64_t)idle * DELAY_UNIT;
	loop_timer_set(l, t, MIN(when, *due_abs));
}

void e1000_irq_flush(struct e1000 *n)
{
	struct loop *l = e1000_loop(n);

	if (l) {
		loop_timer_del(l, &n->tx.timer);
		loop_timer_del(l, &n->rx.timer);
	}
	report(n, &n->tx.due);
	report(n, &n->rx.due);
}

void e1000_irq_forget(struct e1000 *n)
{
	struct loop *l = e1000_loop(n);

	if (l) {
		loop_timer_del(l, &n->irq_timer);
		loop_timer_del(l, &n->tx.timer);
		loop_timer_del(l, &n->rx.timer);
	}
	n->tx.due = n->rx.due = 0;
	atomic_store(&n->irq_next, 0);
}

void e1000_irq_init(struct e1000 *n)
{
	n->irq_timer.fn = irq_timer;
	n->tx.timer.fn = tx_timer;
	n->rx.timer.fn = rx_timer;
}
