/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Assembly of the PC and its power states.
 *
 * What a register or a vCPU asks for (reset, power-off) happens on a vCPU thread under the bus
 * lock; carrying it out means to stop that very vCPU. So it is only noted, in a word of bits with
 * an eventfd on the control loop, which does the work with no lock held while the vCPU goes on for
 * a moment. Power-off wins over reset.
 */
#include "machine/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "machine/acpi.h"
#include "machine/chardev.h"
#include "machine/firmware.h"
#include "machine/pc.h"
#include "machine/smbios.h"

#define CMOS_CPUS 0x5f /* CPUs but the first */

/* What a kernel without firmware finds on the screen: pixels of 32 bits. */
#define SCREEN_WIDTH  1024u
#define SCREEN_HEIGHT 768u

#define ASK_RESET    1u
#define ASK_POWEROFF 2u
#define ASK_FAILED   4u
#define ASK_QUIT     8u
#define ASK_EJECT    16u /* m->ejected says which */

struct machine {
	struct machine_conf conf;
	struct accel *accel;
	struct bus bus;
	bool bus_ready, irqs_ready, mapped;
	struct isa_irqs irqs;
	struct pci_bus *pci;
	struct i440fx *host;
	struct piix3 *piix3;
	struct pm *pm;
	struct hotplug *hotplug;
	struct legacy *legacy;
	struct i8042 *keyboard;
	struct vga *vga;
	struct rtc *rtc;
	struct serial *serial;
	struct debugcon *debugcon;
	struct fw_cfg *fw_cfg;
	struct acpi *acpi;
	struct smbios smbios;
	struct pc_rom rom;	    /* without a kernel */
	struct linux_image image;   /* with one */
	struct boot_list boot_list; /* bootindex= */
	bool started, running;

	_Atomic unsigned asked;	  /* ASK_* */
	_Atomic uint32_t ejected; /* slots whose cards wait to be removed */
	struct loop_fd w;
	int efd;
	pthread_mutex_t lock; /* of text */
	char text[256];	      /* why the accelerator failed */
};

/* --- requests ------------------------------------------------------------------------------- */

static void ask(struct machine *m, unsigned what)
{
	const uint64_t one = 1;

	/* The first to ask wakes the loop. */
	if (atomic_fetch_or(&m->asked, what) == 0 && write(m->efd, &one, sizeof(one)) < 0)
		log_warn("cannot wake the control loop: %s", strerror(errno));
}

static void ask_reset(void *opaque)
{
	ask(opaque, ASK_RESET);
}

static void ask_poweroff(void *opaque)
{
	ask(opaque, ASK_POWEROFF);
}

static void on_ejected(void *opaque, uint32_t slots)
{
	struct machine *m = opaque;

	atomic_fetch_or(&m->ejected, slots);
	ask(m, ASK_EJECT);
}

static void accel_event(void *opaque, enum accel_event ev, const char *text)
{
	struct machine *m = opaque;

	switch (ev) {
	case ACCEL_SHUTDOWN:
		ask(m, ASK_RESET);
		break;
	case ACCEL_QUIT:
		ask(m, ASK_QUIT);
		break;
	case ACCEL_FAILED:
		pthread_mutex_lock(&m->lock);
		snprintf(m->text, sizeof(m->text), "%s", text ? text : "the accelerator failed");
		pthread_mutex_unlock(&m->lock);
		ask(m, ASK_FAILED);
		break;
	}
}

static void host_pio(void *opaque, uint16_t port, bool write, uint8_t *data, unsigned size,
		     unsigned count)
{
	struct machine *m = opaque;

	bus_pio(&m->bus, port, write, data, size, count);
}

static void host_mmio(void *opaque, uint64_t gpa, bool write, uint8_t *data, unsigned len)
{
	struct machine *m = opaque;

	bus_mmio(&m->bus, gpa, write, data, len);
}

static void tell(struct machine *m, enum machine_event ev, const char *text)
{
	if (m->conf.event)
		m->conf.event(m->conf.opaque, ev, text);
}

/* Cards that the guest has let go of, or was asked to before it ended. */
static void unplug(struct machine *m, uint32_t slots)
{
	slots |= atomic_exchange(&m->ejected, 0);
	if (slots && m->conf.unplug)
		m->conf.unplug(m->conf.opaque, slots);
}

/* --- power-on state ------------------------------------------------------------------------- */

/*
 * A frame buffer that the kernel's console finds from its first line on. Not where nobody looks: a
 * console on it blinks its cursor five times a second.
 */
static void show_screen(struct machine *m)
{
	uint64_t at =
		m->vga && m->conf.screen ? vga_linear(m->vga, SCREEN_WIDTH, SCREEN_HEIGHT) : 0;

	if (at)
		linux_screen(&m->accel->mem, at, SCREEN_WIDTH, SCREEN_HEIGHT);
}

/* What firmware would do: tables, kernel, PCI resources, ACPI mode, all RAM in sight. */
static int prepare_kernel(struct machine *m, struct err *e)
{
	uint64_t rsdp;
	int rc = acpi_place(m->acpi, &m->accel->mem, &rsdp, e);

	if (!rc)
		rc = smbios_place(&m->smbios, &m->accel->mem, PC_SMBIOS, PC_ACPI_END - PC_SMBIOS,
				  e);
	if (!rc)
		rc = linux_load(&m->image, &m->accel->mem, m->conf.ram, rsdp, &m->accel->boot, e);
	if (!rc)
		rc = pci_assign(m->pci, PC_PCI_MEM, PC_PCI_MEM_END, PC_PCI_IO, pc_pirq_irq, e);
	if (rc)
		return rc;
	show_screen(m);
	piix3_route(m->piix3, pc_pirq_irq);
	pm_enable(m->pm, PC_PM_BASE);
	i440fx_all_ram(m->host);
	return 0;
}

static int prepare(struct machine *m, struct err *e)
{
	int rc = firmware_tell_order(m->fw_cfg, m->rtc, &m->conf.boot, !m->started, &m->boot_list,
				     e);

	m->accel->boot.set = false;
	if (!rc && m->conf.kernel)
		rc = prepare_kernel(m, e);
	return rc;
}

/* Paused. */
static int reset_all(struct machine *m, struct err *e)
{
	int rc;

	pci_bus_reset(m->pci);
	bus_lock(&m->bus);
	legacy_reset(m->legacy);
	i8042_reset(m->keyboard);
	bus_unlock(&m->bus);
	rtc_reset(m->rtc);
	serial_reset(m->serial);
	fw_cfg_reset(m->fw_cfg);
	rc = prepare(m, e);
	return rc ? rc : m->accel->ops->reset(m->accel, e);
}

/* True when an event has been told; the machine may be gone then. */
static void do_reset(struct machine *m)
{
	bool was = m->running;
	struct err e;

	machine_pause(m);
	if (m->conf.no_reboot) {
		tell(m, MACHINE_RESET, NULL);
		return;
	}
	unplug(m, hotplug_reset(m->hotplug));
	if (reset_all(m, &e)) {
		err_prefix(&e, "the machine cannot start again");
		tell(m, MACHINE_FAILED, e.text);
		return;
	}
	/* A second reset that was asked for by a CPU on its way down is done with as well. */
	atomic_fetch_and(&m->asked, ~ASK_RESET);
	if (was)
		machine_resume(m);
	tell(m, MACHINE_RESET, NULL);
}

/* The event comes last: its handler may free the machine. */
static void on_asked(struct loop_fd *w, uint32_t events)
{
	struct machine *m = container_of(w, struct machine, w);
	char text[sizeof(m->text)];
	uint64_t n;

	(void)events;
	if (read(m->efd, &n, sizeof(n)) < 0)
		return;
	unsigned what = atomic_exchange(&m->asked, 0);

	if (what & ASK_EJECT)
		unplug(m, 0);

	if (what & ASK_FAILED) {
		machine_pause(m);
		pthread_mutex_lock(&m->lock);
		memcpy(text, m->text, sizeof(text));
		pthread_mutex_unlock(&m->lock);
		tell(m, MACHINE_FAILED, text);
	} else if (what & ASK_QUIT) {
		tell(m, MACHINE_QUIT, NULL);
	} else if (what & ASK_POWEROFF) {
		machine_pause(m);
		tell(m, MACHINE_POWEROFF, NULL);
	} else if (what & ASK_RESET) {
		do_reset(m);
	}
}

/* --- assembly ------------------------------------------------------------------------------- */

static int make_memory(struct machine *m, struct err *e)
{
	uint64_t low = MIN(m->conf.ram, PC_LOW_RAM_END);
	int rc;

	m->accel->hole = PC_VGA;
	m->accel->hole_size = PC_SHADOW_END - PC_VGA;
	rc = mem_add(&m->accel->mem, 0, low, e);

	if (!rc && m->conf.ram > low)
		rc = mem_add(&m->accel->mem, PC_HIGH_RAM, m->conf.ram - low, e);
	return rc;
}

static int make_chipset(struct machine *m, struct err *e)
{
	const struct pc_power power = {ask_reset, ask_poweroff, m};
	const struct clock *clock = m->conf.ac.clock;
	struct loop *control = m->conf.control;

	m->pci = pci_bus_new(&m->bus, isa_irqs_pirq, &m->irqs, e);
	if (!m->pci)
		return -e->code;
	m->host = i440fx_add(m->pci, m->accel, &m->rom, e);
	if (!m->host)
		return -e->code;
	m->piix3 = piix3_add(m->pci, &power, &m->irqs, e);
	if (!m->piix3)
		return -e->code;
	m->pm = pm_add(m->pci, control, clock, &m->irqs, &power, e);
	if (!m->pm)
		return -e->code;
	m->hotplug = hotplug_new(m->pci, m->pm, on_ejected, m, e);
	if (!m->hotplug)
		return -e->code;
	m->legacy = legacy_new(&m->bus, clock, &power, e);
	if (!m->legacy)
		return -e->code;
	m->keyboard = i8042_new(&m->bus, &power, e);
	if (!m->keyboard)
		return -e->code;
	if (m->conf.vga && !(m->vga = vga_add(m->pci, m->conf.vga_rom, e)))
		return -e->code;
	m->rtc = rtc_new(&m->bus, control, clock, m->conf.ram, e);
	if (!m->rtc)
		return -e->code;
	rtc_shift(m->rtc, m->conf.rtc_shift);
	m->serial = serial_new(&m->bus, control, m->conf.serial, 0x3f8, PC_IRQ_SERIAL, e);
	return m->serial ? 0 : -e->code;
}

static int make_firmware(struct machine *m, struct err *e)
{
	int rc;

	m->acpi = acpi_new(m->conf.cpus, m->conf.vga, e);
	if (!m->acpi)
		return -e->code;
	m->fw_cfg = fw_cfg_new(&m->bus, &m->accel->mem, e);
	if (!m->fw_cfg)
		return -e->code;
	if (m->conf.debug) {
		m->debugcon = debugcon_new(&m->bus, m->conf.debug, e);
		if (!m->debugcon)
			return -e->code;
	}
	rtc_set(m->rtc, CMOS_CPUS, (uint8_t)(m->conf.cpus - 1));
	rc = smbios_make(&m->smbios, m->conf.boot.smbios, m->conf.cpus, m->conf.ram,
			 m->conf.boot.uuid, m->conf.kernel != NULL, e);
	if (!rc)
		rc = firmware_tell(m->fw_cfg, &m->conf, e);
	if (!rc)
		rc = smbios_publish(&m->smbios, m->fw_cfg, e);
	return rc ? rc : acpi_publish(m->acpi, m->fw_cfg, e);
}

static int make_accel(struct machine *m, struct err *e)
{
	m->conf.ac.vcpus = m->conf.cpus;
	m->conf.ac.control = m->conf.control;
	m->conf.ac.host = (struct accel_host){m, host_pio, host_mmio, accel_event};
	m->accel = accel_open(m->conf.accel, &m->conf.ac, e);
	return m->accel ? 0 : -e->code;
}

static int make_wakeup(struct machine *m, struct err *e)
{
	int rc;

	m->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = m->efd < 0 ? -errno : loop_add_fd(m->conf.control, &m->w, m->efd, EPOLLIN, on_asked);
	return rc ? err_set(e, -rc, "no eventfd for the machine: %s; raise the open file limit",
			    strerror(-rc))
		  : 0;
}

static int assemble(struct machine *m, struct err *e)
{
	int rc = make_wakeup(m, e);

	/* The images first: a wrong name is the likeliest mistake. */
	if (!rc && m->conf.kernel)
		rc = linux_open(&m->image, m->conf.kernel, m->conf.initrd, m->conf.append, e);
	else if (!rc)
		rc = firmware_load(m->conf.boot.bios, &m->rom, e);
	if (!rc)
		rc = make_accel(m, e);
	if (!rc)
		rc = make_memory(m, e);
	if (!rc)
		rc = bus_init(&m->bus, m->accel, e);
	if (rc)
		return rc;
	m->bus_ready = true;
	isa_irqs_init(&m->irqs, m->accel);
	m->irqs_ready = true;
	rc = make_chipset(m, e);
	if (!rc)
		rc = make_firmware(m, e);
	return rc ? rc : m->accel->ops->map(m->accel, e);
}

struct machine *machine_new(const struct machine_conf *c, struct err *e)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m) {
		err_set(e, ENOMEM, "no memory for the machine");
		return NULL;
	}
	m->conf = *c;
	m->efd = -1;
	m->image.kernel_fd = m->image.initrd_fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	if (assemble(m, e)) {
		machine_free(m);
		return NULL;
	}
	return m;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	machine_pause(m);
	hotplug_free(m->hotplug);
	/* While the accelerator is open: devices take back their eventfds. */
	pci_bus_free(m->pci);
	legacy_free(m->legacy);
	i8042_free(m->keyboard);
	rtc_free(m->rtc);
	serial_free(m->serial);
	debugcon_free(m->debugcon);
	fw_cfg_free(m->fw_cfg);
	accel_close(m->accel);
	firmware_unload(&m->rom);
	acpi_free(m->acpi);
	smbios_free(&m->smbios);
	boot_list_free(&m->boot_list);
	if (m->bus_ready)
		bus_exit(&m->bus);
	if (m->irqs_ready)
		isa_irqs_exit(&m->irqs);
	linux_close(&m->image);
	loop_del_fd(m->conf.control, &m->w);
	if (m->efd >= 0)
		close(m->efd);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* --- life ----------------------------------------------------------------------------------- */

struct pci_bus *machine_pci(struct machine *m)
{
	return m->pci;
}

struct accel *machine_accel(struct machine *m)
{
	return m->accel;
}

struct vga *machine_vga(struct machine *m)
{
	return m->vga;
}

struct i8042 *machine_keyboard(struct machine *m)
{
	return m->keyboard;
}

void machine_isa_irq(void *opaque, unsigned irq, bool level)
{
	struct machine *m = opaque;

	isa_irqs_line(&m->irqs, irq, level);
}

int machine_start(struct machine *m, struct err *e)
{
	int rc = prepare(m, e);

	/* A pause that comes before the start holds on. */
	if (!rc && m->conf.paused)
		m->accel->ops->pause(m->accel);
	if (!rc)
		rc = m->accel->ops->start(m->accel, e);
	if (!rc) {
		m->started = true;
		m->running = !m->conf.paused;
	}
	return rc;
}

void machine_pause(struct machine *m)
{
	if (!m->started || !m->running)
		return;
	m->accel->ops->pause(m->accel);
	m->running = false;
}

void machine_resume(struct machine *m)
{
	if (!m->started || m->running)
		return;
	m->running = true;
	m->accel->ops->resume(m->accel);
}

void machine_reset(struct machine *m)
{
	if (m->started)
		do_reset(m);
}

bool machine_powerdown(struct machine *m)
{
	return pm_button(m->pm);
}

int machine_boot_add(struct machine *m, uint32_t index, const char *path, struct err *e)
{
	return boot_list_add(&m->boot_list, index, path, e);
}

void machine_boot_del(struct machine *m, const char *path)
{
	boot_list_del(&m->boot_list, path);
}

void machine_boot_pci(const struct pci_dev *d, const char *name, const char *rest,
		      char path[BOOT_PATH_MAX])
{
	unsigned fn = d->devfn & 7;
	char function[4] = "";

	if (fn)
		snprintf(function, sizeof(function), ",%x", fn);
	snprintf(path, BOOT_PATH_MAX, "/pci@i0cf8/%s@%x%s%s", name, d->devfn >> 3, function, rest);
}

void machine_plugged(struct machine *m, const struct pci_dev *d)
{
	hotplug_added(m->hotplug, d->devfn >> 3);
}

void machine_ask_unplug(struct machine *m, const struct pci_dev *d)
{
	hotplug_ask(m->hotplug, d->devfn >> 3);
}

void machine_unplugged(struct machine *m, unsigned slot)
{
	hotplug_gone(m->hotplug, slot);
}

bool machine_running(const struct machine *m)
{
	return m->running;
}
