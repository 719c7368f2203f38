/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ISA bridge, 82371SB (PIIX3, 8086:7000), PCI 1.0: PIRQ routing and reset control.
 *
 * PIRQ lines A–D go to the ISA interrupts that registers 0x60–0x63 name. Several lines, and the
 * SCI, may share one interrupt: isa_irqs ORs them under a leaf lock, as levels change on queue
 * loops as well as on vCPU threads.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "machine/pc.h"

#define PIRQRC	   0x60 /* … 0x63 (82371SB, section 2.2.3) */
#define PIRQ_OFF   0x80
#define RCR_FULL   0x02	  /* reset control, port 0xCF9: hard reset … */
#define RCR_GO	   0x04	  /* … when this goes from 0 to 1 */
#define PIRQ_LEGAL 0xdef8 /* IRQ 3–7, 9–12, 14, 15 */

const uint8_t pc_pirq_irq[4] = {10, 11, 5, 11};

struct piix3 {
	struct pci_dev d;
	struct pc_power power;
	struct isa_irqs *q;
	uint8_t rcr;
};

/* --- lines ---------------------------------------------------------------------------------- */

void isa_irqs_init(struct isa_irqs *q, struct accel *a)
{
	*q = (struct isa_irqs){.a = a};
	pthread_mutex_init(&q->lock, NULL);
}

void isa_irqs_exit(struct isa_irqs *q)
{
	pthread_mutex_destroy(&q->lock);
}

static void settle(struct isa_irqs *q)
{
	unsigned want = q->isa | (q->sci ? 1u << PC_IRQ_SCI : 0);

	for (unsigned i = 0; i < 4; i++)
		if (q->pirq[i] && q->route[i])
			want |= 1u << q->route[i];
	for (unsigned diff = want ^ q->level; diff; diff &= diff - 1) {
		unsigned irq = (unsigned)__builtin_ctz(diff);

		accel_irq(q->a, irq, want >> irq & 1);
	}
	q->level = (uint16_t)want;
}

void isa_irqs_pirq(void *opaque, unsigned pirq, bool level)
{
	struct isa_irqs *q = opaque;

	pthread_mutex_lock(&q->lock);
	q->pirq[pirq] = level;
	settle(q);
	pthread_mutex_unlock(&q->lock);
}

void isa_irqs_route(struct isa_irqs *q, unsigned pirq, uint8_t irq)
{
	pthread_mutex_lock(&q->lock);
	q->route[pirq] = irq;
	settle(q);
	pthread_mutex_unlock(&q->lock);
}

void isa_irqs_sci(struct isa_irqs *q, bool level)
{
	pthread_mutex_lock(&q->lock);
	q->sci = level;
	settle(q);
	pthread_mutex_unlock(&q->lock);
}

void isa_irqs_line(struct isa_irqs *q, unsigned irq, bool level)
{
	pthread_mutex_lock(&q->lock);
	q->isa = (uint16_t)(level ? q->isa | 1u << irq : q->isa & ~(1u << irq));
	settle(q);
	pthread_mutex_unlock(&q->lock);
}

/* --- the bridge ----------------------------------------------------------------------------- */

static void apply_routes(struct piix3 *x)
{
	for (unsigned i = 0; i < 4; i++) {
		uint8_t r = x->d.config[PIRQRC + i];
		bool on = !(r & PIRQ_OFF) && PIRQ_LEGAL >> (r & 15) & 1;

		isa_irqs_route(x->q, i, on ? r & 15 : 0);
	}
}

static void piix3_written(struct pci_dev *d, unsigned off, unsigned len)
{
	if (touches(off, len, PIRQRC, 4))
		apply_routes(container_of(d, struct piix3, d));
}

static void piix3_reset(struct pci_dev *d)
{
	struct piix3 *x = container_of(d, struct piix3, d);

	memset(d->config + PIRQRC, PIRQ_OFF, 4);
	x->rcr = 0;
	apply_routes(x);
}

static void piix3_destroy(struct pci_dev *d)
{
	free(container_of(d, struct piix3, d));
}

static const struct pci_ops piix3_ops = {
	.config_written = piix3_written,
	.reset = piix3_reset,
	.destroy = piix3_destroy,
};

static uint8_t rcr_read(void *opaque)
{
	const struct piix3 *x = opaque;

	return x->rcr;
}

static void rcr_write(void *opaque, uint8_t val)
{
	struct piix3 *x = opaque;
	bool go = val & RCR_GO && !(x->rcr & RCR_GO);

	x->rcr = val & RCR_FULL;
	if (go)
		x->power.reset(x->power.opaque);
}

void piix3_route(struct piix3 *x, const uint8_t irq[4])
{
	memcpy(x->d.config + PIRQRC, irq, 4);
	apply_routes(x);
}

struct piix3 *piix3_add(struct pci_bus *p, const struct pc_power *power, struct isa_irqs *q,
			struct err *e)
{
	static const struct pci_ids ids = {.vendor = 0x8086,
					   .device = 0x7000,
					   .subvendor = PC_SUBVENDOR,
					   .subdevice = PC_SUBDEVICE,
					   .class = 0x060100};
	struct piix3 *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(e, ENOMEM, "no memory for the ISA bridge");
		return NULL;
	}
	x->power = *power;
	x->q = q;
	pci_init(&x->d, "the ISA bridge (PIIX3)", &piix3_ops, &ids, 0);
	memset(x->d.wmask + PIRQRC, 0x8f, 4);
	memset(x->d.config + PIRQRC, PIRQ_OFF, 4);
	if (pci_add(p, &x->d, 1 << 3, e)) {
		free(x);
		return NULL;
	}
	pci_set_reset_control(p, &(struct pci_reset_control){rcr_read, rcr_write, x});
	return x;
}
