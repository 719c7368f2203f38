/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel's gigabit cards of the PCI days: 82540EM, 82545EM, 82544GC (SDM: see e1000.h). Options,
 * and their life as a PCI device on one side and a port on the other.
 *
 * Register handlers run on vCPU threads, rings on the port's loop. A doorbell is a store and, by
 * an eventfd, a wake-up of the loop; a register that changes a ring is carried out by
 * e1000_call() where the card's seat is (base/seat.h).
 *
 * The card takes frames without offloads only, as the real one does from its wire: net_push()
 * on the peer's side cuts them. What it sends may carry all of them.
 */
#include "net/nic/e1000.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "net/nic/nic_opts.h"

/* --- the loop ------------------------------------------------------------------------------- */

struct call {
	struct e1000 *n;
	void (*fn)(struct e1000 *n);
};

static void call_here(void *arg)
{
	const struct call *c = arg;

	c->fn(c->n);
}

void e1000_call(struct e1000 *n, void (*fn)(struct e1000 *n))
{
	struct call c = {n, fn};

	seat_call(&n->seat, call_here, &c);
}

static void kicked(struct seat *s)
{
	struct e1000 *n = container_of(s, struct e1000, seat);

	if (atomic_exchange(&n->look_irq, false))
		e1000_irq(n, true);
	e1000_tx_run(&n->tx);
	e1000_rx_kicked(&n->rx);
}

/* --- the port ------------------------------------------------------------------------------- */

static void e1000_resume(struct net_port *p, unsigned q)
{
	(void)q;
	e1000_tx_resume(&e1000_of_port(p)->tx);
}

static void e1000_caps(const struct net_port *p, struct net_caps *c)
{
	const struct e1000 *n = e1000_of_port((struct net_port *)(uintptr_t)p);

	*c = (struct net_caps){.queues = 1, .lends = n->rx.lends};
}

static void e1000_detach(struct net_port *p)
{
	struct e1000 *n = e1000_of_port(p);
	struct loop *l = e1000_loop(n);

	if (!l)
		return;
	net_announce_stop(&n->nic.announce);
	e1000_irq_flush(n);
	e1000_tx_forget(&n->tx, l);
	e1000_rx_forget(&n->rx, l);
	e1000_irq_forget(n);
	seat_move(&n->seat, NULL, p->name, NULL);
	/* What the throttle held back; nobody else would look. */
	e1000_irq(n, false);
}

static int e1000_attach(struct net_port *p, struct err *e)
{
	struct e1000 *n = e1000_of_port(p);
	int rc = seat_move(&n->seat, p->loop[0], p->name, e);

	if (rc < 0)
		return rc;
	n->tx.stalled = false;
	n->rx.looks = 0;
	/* Whoever was turned away is on another wire now; frames that wait get going. */
	atomic_store(&n->rx.stalled, false);
	e1000_kick(n);
	return 0;
}

static void e1000_link(struct net_port *p, bool up)
{
	e1000_phy_link(e1000_of_port(p), up);
}

static uint64_t address(const struct e1000 *n)
{
	return e1000_get(n, R_RAL) | (uint64_t)e1000_get(n, R_RAH) << 32;
}

static void e1000_announce(struct net_port *p)
{
	struct e1000 *n = e1000_of_port(p);

	net_announce_start(&n->nic.announce, p, address(n));
}

static void e1000_info(const struct net_port *p, char *buf, size_t len)
{
	const struct e1000 *n = e1000_of_port((struct net_port *)(uintptr_t)p);

	nic_info(buf, len, address(n));
}

static void e1000_port_destroy(struct net_port *p)
{
	/* The bus owns the card; it calls destroy(). */
	pci_remove(e1000_of_port(p)->nic.pci);
}

#define PORT_OPS(kind_)                                                                            \
	{                                                                                          \
		.kind = (kind_), .push = e1000_push, .resume = e1000_resume, .lend = e1000_lend,   \
		.commit = e1000_commit, .caps = e1000_caps, .attach = e1000_attach,                \
		.detach = e1000_detach, .link = e1000_link, .announce = e1000_announce,            \
		.info = e1000_info, .destroy = e1000_port_destroy,                                 \
	}

/* --- PCI ------------------------------------------------------------------------------------ */

static void reset(struct pci_dev *d)
{
	struct e1000 *n = container_of(d, struct e1000, pci);

	e1000_reg_write(n, R_CTRL, CTRL_RST | CTRL_PHY_RST);
	n->ioaddr = 0;
}

/* The rings stop, or go on where they stood. */
static void setup_rings(struct e1000 *n)
{
	e1000_tx_setup(n);
	e1000_rx_setup(n);
}

static void master_changed(struct pci_dev *d)
{
	e1000_call(container_of(d, struct e1000, pci), setup_rings);
}

static void free_card(struct e1000 *n)
{
	e1000_tx_exit(&n->tx);
	e1000_rx_exit(&n->rx);
	seat_exit(&n->seat);
	if (n->reg)
		munmap(n->reg, E1000_REG_SPACE);
	free(n);
}

static void destroy(struct pci_dev *d)
{
	free_card(container_of(d, struct e1000, pci));
}

static void bar_changed(struct pci_dev *d, unsigned bar)
{
	if (bar == 0)
		e1000_rx_hide(container_of(d, struct e1000, pci));
}

static const struct pci_ops pci_ops = {.bar_changed = bar_changed,
				       .master_changed = master_changed,
				       .reset = reset,
				       .destroy = destroy};

/* --- options and creation ------------------------------------------------------------------- */

static const struct opt opt_list[] = {
	NIC_OPTS,
	NIC_OPT_MISSING("vectors", "this card has no MSI-X, only INTx: leave vectors= out"),
	NIC_OPT_MISSING("autonegotiation",
			"negotiation always takes no time: leave autonegotiation= out"),
	NIC_OPT_MISSING("mitigation",
			"the driver's ITR and delays are always kept: leave mitigation= out"),
	NIC_OPT_MISSING("extra_mac_registers", "all MAC registers are always there: leave it out"),
	NIC_OPT_MISSING("init-vet", "VET always starts with 0x8100: leave init-vet= out"),
	NIC_OPT_MISSING("bus", "there is one PCI bus only: leave bus= out"),
	NIC_OPT_MISSING("multifunction", "multi-function devices are not there yet"),
	{0},
};

static void defaults(void *out)
{
	nic_conf_defaults(&((struct e1000_opts *)out)->nic);
}

/* Shared, so that a fork() leaves the page where the guest sees it. */
static int init_regs(struct e1000 *n, struct err *e)
{
	void *p = mmap(NULL, E1000_REG_SPACE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory for an %s", n->chip->name);
	n->reg = p;
	n->page = (struct pci_page){
		.d = &n->pci, .bar = 0, .off = E1000_RX_PAGE, .host = (char *)p + E1000_RX_PAGE};
	return 0;
}

static int init_parts(struct e1000 *n, struct err *e)
{
	int rc = seat_init(&n->seat, kicked, n->chip->name, e);

	if (!rc)
		rc = init_regs(n, e);
	if (!rc)
		rc = e1000_tx_init(&n->tx, n, e);
	if (!rc)
		rc = e1000_rx_init(&n->rx, n, e);
	if (rc < 0)
		return rc;
	e1000_irq_init(n);
	e1000_phy_init(n);
	e1000_ee_init(n);
	e1000_reset_regs(n);
	return 0;
}

static void init_pci(struct e1000 *n)
{
	const struct pci_ids ids = {
		.vendor = 0x8086,
		.device = n->chip->device,
		.subvendor = 0x8086,
		.subdevice = n->chip->subdevice,
		.rev = n->chip->rev,
		.class = 0x020000,
	};

	pci_init(&n->pci, n->chip->name, &pci_ops, &ids, 1);
	pci_set_bar(&n->pci, 0, BUS_MMIO, E1000_BAR_SIZE, false, false, &e1000_mmio_ops, n);
	pci_set_bar(&n->pci, 1, BUS_PIO, 64, false, false, &e1000_pio_ops, n);
}

static int create(const struct nic_model *m, const struct e1000_chip *chip,
		  const struct net_port_ops *ops, const struct e1000_opts *o, struct pci_bus *bus,
		  struct nic **out, struct err *e)
{
	struct e1000 *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return err_set(e, ENOMEM, "no memory for %s", m->name);
	if (o->nic.vectors != NIC_VECTORS_AUTO && o->nic.vectors) {
		free(n);
		return err_set(e, EINVAL,
			       "%s: vectors=%u: this card has no MSI-X, only INTx: leave vectors= "
			       "out or give 0",
			       m->name, o->nic.vectors);
	}
	n->chip = chip;
	n->nic.model = m;
	n->nic.pci = &n->pci;
	memcpy(n->nic.mac, o->nic.mac.b, 6);
	rc = init_parts(n, e);
	if (rc < 0) {
		free_card(n);
		return rc;
	}
	net_port_init(&n->nic.port, ops, o->nic.id ? o->nic.id : m->name);
	init_pci(n);
	rc = nic_plug(&n->nic, &o->nic, bus, e);
	if (rc < 0) {
		free_card(n);
		return rc;
	}
	*out = &n->nic;
	return 0;
}

/* One card of the family: everything that differs is here. */
#define CARD(id_, name_, summary_, aliases_, ...)                                                  \
	static const struct e1000_chip id_##_chip = {.name = (name_), __VA_ARGS__};                \
	static const struct net_port_ops id_##_ops = PORT_OPS(name_);                              \
	static const struct opt_table id_##_table = {.name = (name_),                              \
						     .summary = (summary_),                        \
						     .opts = opt_list,                             \
						     .size = sizeof(struct e1000_opts),            \
						     .defaults = defaults};                        \
	static int id_##_create(const void *opts, struct pci_bus *bus, struct nic **out,           \
				struct err *e)                                                     \
	{                                                                                          \
		return create(&id_##_model, &id_##_chip, &id_##_ops, opts, bus, out, e);           \
	}                                                                                          \
	const struct nic_model id_##_model = {.name = (name_),                                     \
					      .aliases = (aliases_),                               \
					      .summary = (summary_),                               \
					      .driver = "e1000",                                   \
					      .rom = "pxe-e1000.rom",                              \
					      .opts = &id_##_table,                                \
					      .create = id_##_create}

static const char *const aliases_82540em[] = {"e1000-82540em", NULL};

CARD(e1000, "e1000", "Intel 82540EM gigabit: every system has a driver for it", aliases_82540em,
     .device = 0x100e, .subdevice = 0x001e, .rev = 3, .phy_id2 = 0x0c20, .ee_grant = true);
CARD(e1000_82544gc, "e1000-82544gc", "Intel 82544GC gigabit, the oldest of the family", NULL,
     .device = 0x1008, .subdevice = 0x1107, .rev = 2, .phy_id2 = 0x0c30);
CARD(e1000_82545em, "e1000-82545em", "Intel 82545EM gigabit, the 82540EM for servers", NULL,
     .device = 0x100f, .subdevice = 0x1001, .rev = 1, .phy_id2 = 0x0c20, .ee_grant = true);
