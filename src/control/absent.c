/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is left out of qemu-kvm's manual page and device list, and why: see absent.h. A line says
 * what vmwire does not have and what to do; options that share both share the line.
 */
#include "control/absent.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/util.h"

#define SOUND	"there is no sound card; leave it out"
#define USB	"there is no USB; leave it out"
#define WINDOW	"there is no window on this screen; leave it out"
#define TCG	"it belongs to QEMU's emulator, and vmwire runs guests by KVM alone; leave it out"
#define DEBUG	"there is no debugger's stub; leave it out"
#define MIGRATE "a guest does not move between hosts; shut it down and start it there"
#define STATE	"a guest's state is not saved; shut it down and start it again"
#define SHARE	"folders are not shared; use the network, e.g. sshfs or NFS from the host"
#define XEN	"there is no Xen here; leave it out"
#define MEMORY                                                                                     \
	"the guest's memory is one memfd of ordinary pages, made huge as it is used; leave it out"
#define OTHER	"it belongs to other machines than the PC; leave it out"
#define CLOCK	"the clock's options are behind -rtc: base=, clock=, driftfix="
#define OLDNET	"it is a sub-option now: "
#define IOMMU	"there is no IOMMU for the guest; leave it out"
#define BUS	"there is one PCI bus, and it has 30 free slots; leave it out"
#define KVMONLY "KVM and its interrupt controller are always in use; leave it out"

struct absent {
	const char *name, *text;
};

static const struct absent devices[] = {
	{"usb-*", USB},
	{"*-usb-*", USB},
	{"*-uhci*", USB},
	{"*-ehci*", USB},
	{"*-xhci*", USB},
	{"pci-ohci", USB},
	{"ccid-card-*", USB},
	{"AC97", SOUND},
	{"ES1370", SOUND},
	{"intel-hda", SOUND},
	{"ich9-intel-hda", SOUND},
	{"hda-*", SOUND},
	{"sb16", SOUND},
	{"adlib", SOUND},
	{"gus", SOUND},
	{"cs4231a", SOUND},
	{"virtio-balloon*", "memory is given once, with -m; leave it out"},
	{"virtio-mem*", "memory is given once, with -m; leave it out"},
	{"virtio-pmem*", "memory is given once, with -m; leave it out"},
	{"pc-dimm", "memory is given once, with -m; leave it out"},
	{"nvdimm", "memory is given once, with -m; leave it out"},
	{"virtio-9p*", SHARE},
	{"vhost-user-*", "there are no devices in other processes; leave it out"},
	{"vhost-vsock*", "guest and host talk by the network; leave it out"},
	{"virtio-serial*", "there are no virtio ports; use -serial, or the network"},
	{"virtconsole", "there are no virtio ports; use -serial, or the network"},
	{"virtserialport", "there are no virtio ports; use -serial, or the network"},
	{"virtio-crypto*", "there is no cryptographic device; leave it out"},
	{"virtio-iommu*", IOMMU},
	{"intel-iommu", IOMMU},
	{"amd-iommu", IOMMU},
	{"vfio-pci*", "PCI devices of the host are not assigned yet; leave it out"},
	{"ivshmem*", "guests do not share memory; leave it out"},
	{"pvpanic*", "there is no panic device; leave it out"},
	{"i6300esb", "there is no watchdog; leave it out"},
	{"ib700", "there is no watchdog; leave it out"},
	{"tpm-*", "there is no TPM; leave it out"},
	{"qxl*", "there is no SPICE; leave it out"},
	{"pci-bridge", BUS},
	{"pcie-*", BUS},
	{"ioh3420", BUS},
	{"i82801b11-bridge", BUS},
	{"pxb*", BUS},
	{"isa-parallel", "there is no parallel port; use -serial"},
	{"pci-serial*", "serial ports are made by -serial"},
	{"isa-serial", "serial ports are made by -serial"},
};

static const struct absent absent[] = {
	/* sound, USB, displays */
	{"audio", SOUND},
	{"audio-help", SOUND},
	{"audiodev", SOUND},
	{"soundhw", SOUND},
	{"usb", USB},
	{"usbdevice", USB},
	{"spice", "there is no SPICE; leave it out"},
	{"sdl", WINDOW},
	{"curses", WINDOW},
	{"full-screen", WINDOW},
	{"portrait", WINDOW},
	{"rotate", WINDOW},
	{"no-frame", WINDOW},
	{"no-quit", WINDOW},
	{"alt-grab", WINDOW},
	{"ctrl-grab", WINDOW},
	/* QEMU's emulator */
	{"icount", TCG},
	{"plugin", TCG},
	{"singlestep", TCG},
	{"one-insn-per-tb", TCG},
	{"tb-size", TCG},
	{"dfilter", TCG},
	{"win2k-hack", TCG},
	{"no-kvm", "vmwire runs guests by KVM alone; leave it out"},
	{"no-kvm-irqchip", KVMONLY},
	{"no-kvm-pit", KVMONLY},
	{"no-kvm-pit-reinjection", KVMONLY},
	{"enable-nesting", "guests do not run guests of their own; leave it out"},
	{"kvm-shadow-memory", KVMONLY},
	{"enable-hax", "HAX belongs to other systems than Linux; leave it out"},
	/* debugging */
	{"gdb", DEBUG},
	{"s", DEBUG},
	{"trace", "there are no trace events; -d help lists what the log can hold"},
	{"enable-sync-profile", "there is no lock profile; leave it out"},
	{"dump-vmstate", MIGRATE},
	{"compat", "there are no deprecated options to be strict about; leave it out"},
	{"seed", TCG},
	/* migration and snapshots */
	{"incoming", MIGRATE},
	{"only-migratable", MIGRATE},
	{"preconfig", "options are given on the command line or with -readconfig; leave it out"},
	{"loadvm", STATE},
	/* devices */
	{"balloon", "memory is given once, with -m; leave it out"},
	{"virtfs", SHARE},
	{"virtfs_synth", SHARE},
	{"fsdev", SHARE},
	{"tpmdev", "there is no TPM; leave it out"},
	{"watchdog", "there is no watchdog; leave it out"},
	{"watchdog-action", "there is no watchdog; leave it out"},
	{"pflash", "there is no flash memory; leave it out"},
	{"parallel", "there is no parallel port; use -serial"},
	{"mtdblock", OTHER},
	{"sd", OTHER},
	{"iscsi", "iSCSI disks are the host's: log in with iscsiadm and give the block device"},
	{"pcidevice", "PCI devices of the host are not assigned; leave it out"},
	{"nvram", OTHER},
	{"prom-env", OTHER},
	{"semihosting", OTHER},
	{"semihosting-config", OTHER},
	{"old-param", OTHER},
	{"dtb", OTHER},
	{"shim", OTHER},
	{"g", OTHER},
	/* memory, CPUs, firmware */
	{"numa", "memory is of one node; leave it out"},
	{"mem-path", MEMORY},
	{"mem-prealloc", MEMORY},
	{"overcommit", "memory is not locked and CPUs are the host's to share; leave it out"},
	{"no-acpi", "ACPI is always on: power-off and hot-plug need it; leave it out"},
	{"acpitable", "no tables are added to those that vmwire makes; leave it out"},
	{"cpu-vendor", "the CPU's vendor is the host's; leave it out"},
	{"xen-attach", XEN},
	{"xen-domid", XEN},
	{"xen-domid-restrict", XEN},
	/* the clock */
	{"localtime", "give -rtc base=localtime"},
	{"startdate", "give -rtc base=DATE, e.g. -rtc base=2026-01-31T12:00:00"},
	{"rtc-td-hack", "give -rtc driftfix=slew"},
	{"tdf", CLOCK},
	{"clock", CLOCK},
	/* networks of long ago */
	{"redir", OLDNET "give -net user,hostfwd=tcp::PORT-:PORT"},
	{"tftp", OLDNET "-net user,help lists those that are there"},
	{"bootp", OLDNET "-net user,help lists those that are there"},
	{"smb", OLDNET "-net user,help lists those that are there"},
	/* the process */
	{"chroot",
	 "the sandbox hides the host's files (-sandbox on); leave it out, -runas drops root"},
	{"run-with", "give -runas USER for its user=; the rest is not there"},
	{"runwith", "give -runas USER for its user=; the rest is not there"},
	{"async-teardown", "memory goes with the process; leave it out"},
	{"writeconfig", "QEMU dropped it: write the file by hand, -readconfig reads it"},
	{"nodefconfig", "it is called -no-user-config now"},
	{"add-fd", "descriptors are given where they are used, e.g. -net tap,fd=N"},
	{"set", "give the property with the -device itself, or with -global"},
};

const char *absent_option(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
		if (!strcmp(absent[i].name, name))
			return absent[i].text;
	}
	return NULL;
}

/* Does name match a pattern whose '*' stand for anything? */
static bool matches(const char *pattern, const char *name)
{
	for (; *pattern && *pattern != '*'; pattern++, name++) {
		if (*pattern != *name)
			return false;
	}
	if (!*pattern)
		return !*name;
	for (;; name++) {
		if (matches(pattern + 1, name))
			return true;
		if (!*name)
			return false;
	}
}

const char *absent_device(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
		if (matches(devices[i].name, name))
			return devices[i].text;
	}
	return NULL;
}

const char *absent_name(unsigned i)
{
	return i < ARRAY_SIZE(absent) ? absent[i].name : NULL;
}
