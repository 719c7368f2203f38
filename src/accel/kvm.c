/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM: the device, what it must be able to do, the VM and its memory slots.
 *
 * The VM is made before guest memory and vCPUs, so that a host that cannot do it says so at
 * once. Interrupt controllers and the PIT are KVM's own: an interrupt reaches the guest without
 * a trip through this process. Start-up does only what the guest needs; memory is not touched.
 * Making a VM is what takes long, so the probe (probe.c) runs on the VM and the first CPU that
 * the guest will have, which are then reset.
 */
#include "accel/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accel/ops.h"
#include "base/util.h"

/*
 * On Intel CPUs without unrestricted guest mode KVM keeps three pages for a TSS and one for an
 * identity map in guest-physical space: between the local APICs and the firmware, where the PC
 * has nothing.
 */
#define IDENTITY_ADDR 0xfeffc000ull
#define TSS_ADDR      0xfeffd000ul

int kvm_err(struct err *e, const char *what)
{
	int code = errno;

	return err_set(e, code, "KVM: %s: %s", what, strerror(code));
}

int kvm_open_device(const char *device, struct err *e)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);
	int code = errno;

	if (fd >= 0) {
		int version = ioctl(fd, KVM_GET_API_VERSION, 0);

		if (version == KVM_API_VERSION)
			return fd;
		close(fd);
		return err_set(e, ENODEV, "%s: not a KVM device (API version %d instead of %d)",
			       device, version, KVM_API_VERSION);
	}
	switch (code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return err_set(
			e, code,
			"no KVM here: cannot open %s: %s; load it (sudo modprobe kvm_amd, or "
			"kvm_intel), switch on virtualisation (SVM, VT-x) in the BIOS setup, "
			"or run inside the lab: lab/run -- COMMAND",
			device, strerror(code));
	case EACCES:
	case EPERM:
		return err_set(
			e, code,
			"cannot open %s: %s; join the group kvm (sudo usermod -aG kvm $USER) "
			"and log in again",
			device, strerror(code));
	default:
		return err_set(e, code, "cannot open %s: %s", device, strerror(code));
	}
}

int kvm_create_vm(int dev, const char *device, struct err *e)
{
	int vm;

	do
		vm = ioctl(dev, KVM_CREATE_VM, 0);
	while (vm < 0 && errno == EINTR);
	if (vm >= 0)
		return vm;
	if (errno == EBUSY)
		return err_set(e, EBUSY,
			       "%s: another hypervisor has the CPU's virtualisation; "
			       "stop its guests first",
			       device);
	return kvm_err(e, "cannot make a virtual machine");
}

static void kicked(int sig)
{
	(void)sig;
}

void kvm_kick_handler(void)
{
	/* KVM_RUN returns EINTR in any case; other calls of a vCPU thread go on. */
	struct sigaction sa = {.sa_handler = kicked, .sa_flags = SA_RESTART};

	sigaction(KICK_SIGNAL, &sa, NULL);
}

static int check_caps(struct kvm *k, struct err *e)
{
	static const struct {
		int cap;
		const char *name;
	} need[] = {
		{KVM_CAP_IRQCHIP, "an interrupt controller in the kernel"},
		{KVM_CAP_PIT2, "a timer chip in the kernel"},
		{KVM_CAP_USER_MEMORY, "memory slots"},
		{KVM_CAP_EXT_CPUID, "CPUID"},
		{KVM_CAP_MP_STATE, "several CPUs"},
		{KVM_CAP_IRQ_ROUTING, "interrupt routing"},
		{KVM_CAP_IRQFD, "irqfd"},
		{KVM_CAP_IOEVENTFD, "ioeventfd"},
		{KVM_CAP_SIGNAL_MSI, "MSI"},
		{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
		{KVM_CAP_READONLY_MEM, "read-only memory"},
	};
	const char *device = k->a->conf.device;

	for (size_t i = 0; i < ARRAY_SIZE(need); i++)
		if (ioctl(k->vm, KVM_CHECK_EXTENSION, need[i].cap) <= 0)
			return err_set(e, ENOTSUP,
				       "%s lacks %s (capability %d); Linux 4.13 or "
				       "later has it",
				       device, need[i].name, need[i].cap);
	int max = ioctl(k->vm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

	if (max > 0 && k->a->conf.vcpus > (unsigned)max)
		return err_set(e, EINVAL, "-smp %u: %s allows at most %d CPUs", k->a->conf.vcpus,
			       device, max);
	k->tsc_deadline = ioctl(k->vm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	k->xsave = ioctl(k->vm, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE) > 0;
	k->xcrs = ioctl(k->vm, KVM_CHECK_EXTENSION, KVM_CAP_XCRS) > 0; /* CPU has XSAVE */
	k->any_length = ioctl(k->vm, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD_ANY_LENGTH) > 0;
	int routes = ioctl(k->vm, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING);

	/* The lines have two routes each where both PIC and IOAPIC are reached: 16 + 24. */
	k->msi_max = routes > 40 ? (unsigned)routes - 40 : 0;
	return 0;
}

static int make_vm(struct kvm *k, struct err *e)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	uint64_t identity = IDENTITY_ADDR;
	int size;

	k->vm = kvm_create_vm(k->dev, k->a->conf.device, e);
	if (k->vm < 0)
		return k->vm;
	if (check_caps(k, e) < 0)
		return -ENOTSUP;
	if (ioctl(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
	    ioctl(k->vm, KVM_SET_TSS_ADDR, TSS_ADDR) < 0)
		return kvm_err(e, "cannot place the TSS");
	if (ioctl(k->vm, KVM_CREATE_IRQCHIP, 0) < 0)
		return kvm_err(e, "cannot make the interrupt controllers");
	if (ioctl(k->vm, KVM_CREATE_PIT2, &pit) < 0)
		return kvm_err(e, "cannot make the timer chip");
	size = ioctl(k->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return kvm_err(e, "cannot learn the size of a CPU's shared page");
	k->run_size = (size_t)size;
	return kvm_chips_snapshot(k, e);
}

static int kvm_open(struct accel *a, struct err *e)
{
	struct kvm *k = calloc(1, sizeof(*k));

	if (!k)
		return err_set(e, ENOMEM, "no memory for KVM");
	a->priv = k;
	k->a = a;
	k->dev = k->vm = -1;
	pthread_mutex_init(&k->lock, NULL);
	pthread_mutex_init(&k->irq_lock, NULL);
	pthread_cond_init(&k->cond, NULL);
	kvm_kick_handler();
	k->dev = kvm_open_device(a->conf.device, e);
	if (k->dev < 0)
		return k->dev;
	if (make_vm(k, e) < 0 || kvm_cpus_first(k, e) < 0)
		return -EIO;
	return kvm_probe_on(a->conf.device, k->vm, k->cpus[0].fd, k->cpus[0].run, e);
}

static void kvm_close(struct accel *a)
{
	struct kvm *k = a->priv;

	if (!k)
		return;
	kvm_cpus_free(k);
	gather_stop(&k->gather);
	if (k->vm >= 0)
		close(k->vm);
	if (k->dev >= 0)
		close(k->dev);
	free(k->cpuid);
	free(k->msi);
	free(k->routing);
	pthread_mutex_destroy(&k->lock);
	pthread_mutex_destroy(&k->irq_lock);
	pthread_cond_destroy(&k->cond);
	free(k);
	a->priv = NULL;
}

/* Slots: RAM from 0, windows from WINDOW_SLOT; the probe's (31) is free again by then. */
#define WINDOW_SLOT 32u

static int set_slot(const struct kvm *k, unsigned slot, const struct accel_window *w)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.flags = (w->readonly ? KVM_MEM_READONLY : 0u) |
			 (w->log ? KVM_MEM_LOG_DIRTY_PAGES : 0u),
		.guest_phys_addr = w->gpa,
		.memory_size = w->size,
		.userspace_addr = (uintptr_t)w->host,
	};

	return ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &r);
}

/* A slot keeps its memory and its kind for life: it goes and comes again; only the log is switched
 * in place. */
static int kvm_window(struct accel *a, unsigned n, const struct accel_window *w, struct err *e)
{
	const struct kvm *k = a->priv;
	struct accel_window old = a->window[n];
	bool same;

	if (!k->mapped)
		return 0;
	same = old.gpa == w->gpa && old.size == w->size && old.host == w->host &&
	       old.readonly == w->readonly;
	old.size = 0;
	old.log = false;
	/* EINVAL: it is away since a new one was refused. */
	if ((!same && a->window[n].host && set_slot(k, WINDOW_SLOT + n, &old) < 0 &&
	     errno != EINVAL) ||
	    (w->host && set_slot(k, WINDOW_SLOT + n, w) < 0))
		return kvm_err(e, "cannot change the memory map");
	return 0;
}

static int kvm_dirty(struct accel *a, unsigned n, uint64_t *bits)
{
	const struct kvm *k = a->priv;
	struct kvm_dirty_log log = {.slot = WINDOW_SLOT + n, .dirty_bitmap = bits};

	return ioctl(k->vm, KVM_GET_DIRTY_LOG, &log) < 0 ? -errno : 0;
}

/* RAM without the hole. */
static int map_region(const struct kvm *k, const struct mem_region *r, unsigned *slot)
{
	const struct accel *a = k->a;
	uint64_t end = r->gpa + r->size, hole_end = a->hole + a->hole_size;
	const uint64_t part[2][2] = {
		{r->gpa, a->hole_size ? MIN(end, a->hole) : end},
		{a->hole_size ? MAX(r->gpa, hole_end) : end, end},
	};

	for (unsigned i = 0; i < 2; i++) {
		struct accel_window w = {.gpa = part[i][0]};

		if (part[i][0] >= part[i][1])
			continue;
		w.size = part[i][1] - w.gpa;
		w.host = r->host + (w.gpa - r->gpa);
		if (set_slot(k, (*slot)++, &w) < 0)
			return -1;
	}
	return 0;
}

static int kvm_map(struct accel *a, struct err *e)
{
	struct kvm *k = a->priv;
	unsigned slot = 0;

	for (unsigned i = 0; i < a->mem.n; i++)
		if (map_region(k, &a->mem.r[i], &slot) < 0)
			return kvm_err(e, "cannot map guest memory");
	for (unsigned n = 0; n < ACCEL_WINDOWS; n++)
		if (a->window[n].host && set_slot(k, WINDOW_SLOT + n, &a->window[n]) < 0)
			return kvm_err(e, "cannot map guest memory");
	k->mapped = true;
	return 0;
}

const struct accel_ops accel_kvm = {
	.name = "kvm",
	.summary = "the host's hardware virtualisation",
	.open = kvm_open,
	.close = kvm_close,
	.map = kvm_map,
	.window = kvm_window,
	.dirty = kvm_dirty,
	.start = kvm_start,
	.pause = kvm_pause,
	.resume = kvm_resume,
	.cpu_thread = kvm_cpu_thread,
	.registers = kvm_registers,
	.reset = kvm_reset,
	.irq = kvm_irq,
	.msi = kvm_msi,
	.irqfd_add = kvm_irqfd_add,
	.irqfd_update = kvm_irqfd_update,
	.irqfd_del = kvm_irqfd_del,
	.ioeventfd = kvm_ioeventfd,
};
