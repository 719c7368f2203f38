/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Realtek RTL8139C+ network card (datasheet revision 1.6): its life as a PCI device on one
 * side and a port on the other, interrupts, timer, options.
 *
 * A register write that the rings hang on is carried out on the wire's loop by rtl_call(), which
 * waits. A card without a wire is worked on in place; nothing goes to the port then. Doorbells wake
 * the loop by an eventfd, which KVM writes to by itself for the one that C+ drivers use (TPPoll).
 *
 * INTx is up while ISR & IMR is not 0. Both are atomics; who changes them sets the pin under
 * `intx`, from what they are then, so that the last one is right. Setting a bit while another
 * holds the pin up already needs none of that.
 *
 * Revision 0x20 has the descriptors of C+ mode; cplus=off makes it the RTL8139C (revision 0x10)
 * without them, for guests whose driver knows that one only.
 */
#include "net/nic/rtl8139.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/nic/nic_opts.h"

#define TPPOLL 0xd9u
#define NPQ    0x40u

static struct rtl *rtl_of_pci(struct pci_dev *d)
{
	return container_of(d, struct rtl, pci);
}

uint64_t rtl_now(const struct rtl *n)
{
	/* Reset comes once before the card is on its bus. */
	return n->pci.bus ? clock_now(pci_io_bus(n->pci.bus)->accel->conf.clock) : 0;
}

void rtl_drop(struct rtl *n, const char *why)
{
	if (rtl_on_wire(n))
		net_drop(&n->nic.port, 0, why);
}

/* --- interrupts ----------------------------------------------------------------------------- */

void rtl_irq_update(struct rtl *n)
{
	pthread_mutex_lock(&n->intx);
	pci_intx(&n->pci, atomic_load(rtl_isr(n)) & atomic_load(rtl_imr(n)));
	pthread_mutex_unlock(&n->intx);
}

void rtl_raise(struct rtl *n, uint16_t cause)
{
	uint16_t old = atomic_fetch_or(rtl_isr(n), cause), mask = atomic_load(rtl_imr(n));

	/* One that is up and not masked holds the pin; who takes it away sees ours. */
	if (!(old & mask) && cause & mask)
		rtl_irq_update(n);
}

/* --- the loop ------------------------------------------------------------------------------- */

struct call {
	struct rtl *n;
	void (*fn)(struct rtl *n, uint32_t val);
	uint32_t val;
};

static void call_here(void *arg)
{
	const struct call *c = arg;

	c->fn(c->n, c->val);
}

void rtl_call(struct rtl *n, void (*fn)(struct rtl *n, uint32_t val), uint32_t val)
{
	struct call c = {n, fn, val};

	seat_call(&n->seat, call_here, &c);
}

static void work(struct rtl *n, uint32_t val)
{
	(void)val;
	rtl_tx_run(n);
	rtl_rx_kicked(n);
}

static void kicked(struct seat *s)
{
	work(container_of(s, struct rtl, seat), 0);
}

void rtl_kick(struct rtl *n)
{
	if (rtl_loop(n))
		seat_kick(&n->seat);
	else
		rtl_call(n, work, 0);
}

static int set_loop(struct rtl *n, struct loop *l, struct err *e)
{
	struct loop *old = rtl_loop(n);

	if (old)
		loop_timer_del(old, &n->timer);
	rtl_tx_forget(n, old);
	rtl_rx_forget(n, old);
	return seat_move(&n->seat, l, n->pci.id, e);
}

/* --- the timer (TCTR and TimerInt, sections 6.12 and 6.16) ---------------------------------- */

static void timer_due(struct loop_timer *t)
{
	struct rtl *n = container_of(t, struct rtl, timer);

	rtl_raise(n, INT_TIMEOUT);
	rtl_timer_arm(n);
}

void rtl_timer_arm(struct rtl *n)
{
	struct loop *l = rtl_loop(n);
	uint64_t now = rtl_now(n), ticks;
	uint32_t left;

	if (!l)
		return;
	loop_timer_del(l, &n->timer);
	if (!n->timer_int)
		return;
	ticks = (uint64_t)((unsigned __int128)(now - n->tctr_epoch) * 33 / 1000);
	left = n->timer_int - (uint32_t)ticks;
	/* The count is there already: once round its 32 bits. */
	ticks += left ? left : 1ull << 32;
	loop_timer_set(l, &n->timer,
		       n->tctr_epoch + (uint64_t)(((unsigned __int128)ticks * 1000 + 32) / 33));
}

/* --- the port ------------------------------------------------------------------------------- */

static void rtl_caps(const struct net_port *p, struct net_caps *c)
{
	const struct rtl *n = rtl_of_port((struct net_port *)(uintptr_t)p);

	*c = (struct net_caps){.queues = 1, .lends = n->rx.lends};
}

static void rtl_resume(struct net_port *p, unsigned q)
{
	(void)q;
	if (rtl_on_wire(rtl_of_port(p)))
		rtl_tx_resume(rtl_of_port(p));
}

static void set_link(struct rtl *n, bool up)
{
	if (atomic_exchange(&n->link, up) == up)
		return;
	atomic_store(&n->link_changed, true);
	rtl_page_link(n);
	rtl_raise(n, INT_LINKCHG);
}

static void rtl_announce(struct net_port *p)
{
	struct rtl *n = rtl_of_port(p);

	net_announce_start(&n->nic.announce, p, atomic_load(&n->mac));
}

static void rtl_detach(struct net_port *p)
{
	net_announce_stop(&rtl_of_port(p)->nic.announce);
	set_loop(rtl_of_port(p), NULL, NULL);
}

static int rtl_attach(struct net_port *p, struct err *e)
{
	struct rtl *n = rtl_of_port(p);
	int rc = set_loop(n, p->loop[0], e);

	if (rc < 0)
		return rc;
	rtl_timer_arm(n);
	set_link(n, net_link_is_up(p));
	/* Frames that wait in the rings get going. */
	rtl_kick(n);
	return 0;
}

static void rtl_link(struct net_port *p, bool up)
{
	set_link(rtl_of_port(p), up);
}

static void rtl_info(const struct net_port *p, char *buf, size_t len)
{
	nic_info(buf, len, atomic_load(&rtl_of_port((struct net_port *)(uintptr_t)p)->mac));
}

static void rtl_port_destroy(struct net_port *p)
{
	/* The bus owns the card; it calls on_destroy(). */
	pci_remove(rtl_of_port(p)->nic.pci);
}

static const struct net_port_ops rtl_port_ops = {
	.kind = "rtl8139",
	.push = rtl_push,
	.resume = rtl_resume,
	.lend = rtl_lend,
	.commit = rtl_commit,
	.caps = rtl_caps,
	.attach = rtl_attach,
	.detach = rtl_detach,
	.link = rtl_link,
	.announce = rtl_announce,
	.info = rtl_info,
	.destroy = rtl_port_destroy,
};

/* --- PCI ------------------------------------------------------------------------------------ */

/* KVM writes to the eventfd by itself when the driver polls the normal ring, and nothing else. */
static void doorbell(struct rtl *n, unsigned bar, bool add)
{
	struct accel *a = n->pci.bus ? pci_io_bus(n->pci.bus)->accel : NULL;
	bool pio = bar == RTL_BAR_PIO;

	if (!a || !a->ops->ioeventfd || !n->opts.cplus || !n->doorbell[bar] == !add)
		return;
	if (add)
		n->doorbell[bar] = n->pci.bar[bar].io.base + TPPOLL;
	a->ops->ioeventfd(a, add, pio, n->doorbell[bar], 1, true, NPQ, n->seat.kick);
	if (!add)
		n->doorbell[bar] = 0;
}

static void on_bar_changed(struct pci_dev *d, unsigned bar)
{
	struct rtl *n = rtl_of_pci(d);

	if (bar > RTL_BAR_MMIO)
		return;
	if (bar == RTL_BAR_MMIO)
		rtl_page_hide(n);
	doorbell(n, bar, false);
	if (d->bar[bar].mapped)
		doorbell(n, bar, true);
}

static void on_master_changed(struct pci_dev *d)
{
	rtl_master_changed(rtl_of_pci(d));
}

static void on_reset(struct pci_dev *d)
{
	rtl_reset(rtl_of_pci(d), true);
}

static void rtl_free(struct rtl *n)
{
	rtl_rx_exit(&n->rx);
	rtl_page_exit(n);
	seat_exit(&n->seat);
	pthread_mutex_destroy(&n->intx);
	free(n);
}

static void on_destroy(struct pci_dev *d)
{
	struct rtl *n = rtl_of_pci(d);

	doorbell(n, RTL_BAR_PIO, false);
	doorbell(n, RTL_BAR_MMIO, false);
	set_loop(n, NULL, NULL);
	rtl_free(n);
}

static const struct pci_ops rtl_pci_ops = {
	.bar_changed = on_bar_changed,
	.master_changed = on_master_changed,
	.reset = on_reset,
	.destroy = on_destroy,
};

/* Power management 1.1, section 3.2: states D0 and D3, no reset on the way back. */
static int add_power(struct pci_dev *d, struct err *e)
{
	int cap = pci_add_cap(d, 0x01, 8);

	if (cap < 0)
		return err_set(e, -cap, "rtl8139: no room for the power management capability");
	put_le16(d->config + cap + 2, 0x0002);
	put_le16(d->config + cap + 4, 0x0008);
	put_le16(d->wmask + cap + 4, 0x0003);
	return 0;
}

static int init_pci(struct rtl *n, struct err *e)
{
	const struct pci_ids ids = {
		.vendor = 0x10ec,
		.device = 0x8139,
		.subvendor = 0x10ec,
		.subdevice = 0x8139,
		.rev = n->opts.cplus ? 0x20 : 0x10,
		.class = 0x020000,
	};

	pci_init(&n->pci, "rtl8139", &rtl_pci_ops, &ids, 1);
	pci_set_bar(&n->pci, RTL_BAR_PIO, BUS_PIO, 256, false, false, &rtl_io_ops, n);
	pci_set_bar(&n->pci, RTL_BAR_MMIO, BUS_MMIO, 256, false, false, &rtl_io_ops, n);
	n->pci.config[0x3e] = 0x20; /* minimum grant and maximum latency, as in the EEPROM */
	n->pci.config[0x3f] = 0x40;
	return add_power(&n->pci, e);
}

/* --- options and creation ------------------------------------------------------------------- */

static const struct opt rtl_opt_list[] = {
	NIC_OPTS,
	{.name = "cplus",
	 .type = OPT_BOOL,
	 .off = offsetof(struct rtl_opts, cplus),
	 .arg = "on|off",
	 .help = "off: an RTL8139C (revision 0x10), without descriptors (default: on)"},
	NIC_OPT_MISSING("bus", "there is one PCI bus only: leave bus= out"),
	NIC_OPT_MISSING("multifunction", "multi-function devices are not there yet"),
	{0},
};

static void rtl_defaults(void *out)
{
	struct rtl_opts *o = out;

	nic_conf_defaults(&o->nic);
	o->cplus = true;
}

static const struct opt_table rtl_opt_table = {
	.name = "rtl8139",
	.summary = "Realtek RTL8139C+, 100 Mbit/s by name",
	.opts = rtl_opt_list,
	.size = sizeof(struct rtl_opts),
	.defaults = rtl_defaults,
};

static int rtl_create(const void *opts, struct pci_bus *bus, struct nic **out, struct err *e)
{
	const struct rtl_opts *o = opts;
	struct rtl *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return err_set(e, ENOMEM, "no memory for rtl8139");
	rc = seat_init(&n->seat, kicked, "rtl8139", e);
	if (rc < 0) {
		free(n);
		return rc;
	}
	n->opts = *o;
	n->opts.nic.id = n->opts.nic.romfile = NULL;
	memcpy(n->nic.mac, o->nic.mac.b, 6);
	n->nic.model = &rtl8139_model;
	n->nic.pci = &n->pci;
	n->timer.fn = timer_due;
	atomic_store(&n->link, true);
	pthread_mutex_init(&n->intx, NULL);
	rtl_tx_init(&n->tx);
	if (rtl_rx_init(&n->rx) < 0 || rtl_page_init(n) < 0) {
		rtl_free(n);
		return err_set(e, ENOMEM, "no memory for rtl8139");
	}
	rtl_eeprom_init(&n->eeprom, n->nic.mac);
	rtl_reset(n, true);
	net_port_init(&n->nic.port, &rtl_port_ops, o->nic.id ? o->nic.id : "rtl8139");
	rc = init_pci(n, e);
	if (!rc)
		rc = nic_plug(&n->nic, &o->nic, bus, e);
	if (rc < 0) {
		rtl_free(n);
		return rc;
	}
	*out = &n->nic;
	return 0;
}

const struct nic_model rtl8139_model = {
	.name = "rtl8139",
	.summary = "Realtek RTL8139C+: drivers in every system since 1998",
	.driver = "8139cp",
	.rom = "pxe-rtl8139.rom",
	.opts = &rtl_opt_table,
	.create = rtl_create,
};
