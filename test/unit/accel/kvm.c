/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM accelerator with a guest of its own: two CPUs, ports, MMIO, MSI by irqfd, an interrupt
 * line, the PIT, doorbells by ioeventfd, pause under load, triple fault and reset. Skipped (exit
 * status 77) where kvm_probe() says that KVM cannot run it; the lab can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "accel/accel.h"
#include "base/util.h"

/* Guest-physical layout */
#define GDT  0x500u
#define PML4 0x1000u
#define AP   0x8000u
#define DATA 0x9000u
#define IDT  0xa000u
#define CODE 0x10000u

/* Counters at DATA */
enum { AP_ALIVE, AP_COUNT, MSI_COUNT, LINE_COUNT, PIT_COUNT, COMMAND };

/*
 * 0x500-0x503: reports. 0x510: a number that grows by one with every read; the guest checks it
 * and writes to 0x511 when one was lost or came twice. 0x520, 0xd0001000: doorbells.
 */
__asm__(".pushsection .rodata\n"
	".globl guest, guest_end, guest_msi, guest_line, guest_pit, ap, ap_end\n"
	".code64\n"
	"guest:\n"
	"	mov $0x500, %edx; mov $0x12, %al; out %al, %dx\n"
	"	mov $0x501, %edx; mov $0x3456, %eax; out %ax, %dx\n"
	"	mov $0x502, %edx; mov %esi, %eax; out %eax, %dx\n"
	"	mov $0x500, %edx; lea text(%rip), %rsi; mov $5, %ecx; cld; rep outsb\n"
	/* MMIO: 8 bytes out, 4 in, told by port */
	"	mov $0xd0000000, %ebx; mov $0x1122334455667788, %rax; mov %rax, (%rbx)\n"
	"	mov 8(%rbx), %eax; mov $0x503, %edx; out %eax, %dx\n"
	/* CPUID 1 and 0Bh/1 */
	"	mov $1, %eax; cpuid; mov %ebx, %edi; mov %ecx, %eax; mov $0x504, %edx; out %eax, "
	"%dx\n"
	"	mov %edi, %eax; mov $0x505, %edx; out %eax, %dx\n"
	"	mov $0xb, %eax; mov $1, %ecx; cpuid; mov %ebx, %eax; mov $0x506, %edx; out %eax, "
	"%dx\n"
	/* IDT, PIC masked, local APIC on */
	"	mov $0x1f, %ecx; lidt idtr(%rip)\n"
	"	mov $0xff, %al; out %al, $0x21; out %al, $0xa1\n"
	"	mov $0xfee00000, %ebp; movl $0x1ff, 0xf0(%rbp)\n"
	/* IOAPIC: pin 10 edge to vector 42h, pin 0 (PIT) to 43h, both to CPU 0 */
	"	mov $0xfec00000, %ebx\n"
	"	movl $0x24, (%rbx); movl $0x42, 0x10(%rbx); movl $0x25, (%rbx); movl $0, "
	"0x10(%rbx)\n"
	"	movl $0x10, (%rbx); movl $0x43, 0x10(%rbx); movl $0x11, (%rbx); movl $0, "
	"0x10(%rbx)\n"
	/* PIT channel 0, rate generator, 1,193,182 / 11,932 = 100 per second */
	"	mov $0x34, %al; out %al, $0x43; mov $0x9c, %al; out %al, $0x40\n"
	"	mov $0x2e, %al; out %al, $0x40\n"
	/* INIT, SIPI to CPU 1 at 8000h */
	"	movl $0x01000000, 0x310(%rbp); movl $0x4500, 0x300(%rbp)\n"
	"	movl $0x01000000, 0x310(%rbp); movl $0x4608, 0x300(%rbp)\n"
	"	sti\n"
	"	mov $0x507, %edx; out %al, %dx\n"
	"	mov $0x510, %edx; in %dx, %eax; mov %eax, %ecx\n"
	"again:	in %dx, %eax; inc %ecx; cmp %eax, %ecx; je 1f\n"
	"	mov $0x511, %edx; out %eax, %dx; mov $0x510, %edx; mov %eax, %ecx\n"
	"1:	cmpl $0, 0x9014; je again\n"
	/* Triple fault */
	"	lidt none(%rip); int3\n"
	"guest_msi:\n"
	"	push %rax; push %rdx; push %rbx\n"
	"	incl 0x9008\n"
	"	mov $0x520, %edx; mov $7, %eax; out %ax, %dx\n"
	"	mov $0xd0001000, %ebx; movw $1, (%rbx)\n"
	"	movl $0, 0xb0(%rbp); pop %rbx; pop %rdx; pop %rax; iretq\n"
	"guest_line: incl 0x900c; movl $0, 0xb0(%rbp); iretq\n"
	"guest_pit: incl 0x9010; movl $0, 0xb0(%rbp); iretq\n"
	"text:	.ascii \"hello\"\n"
	"idtr:	.word 0xfff; .quad 0xa000\n"
	"none:	.word 0; .quad 0\n"
	"guest_end:\n"
	".code16\n"
	"ap:	xor %ax, %ax; mov %ax, %ds; movl $1, 0x9000\n"
	"1:	incl 0x9004; jmp 1b\n"
	"ap_end:\n"
	".code64\n"
	".popsection\n");

extern const uint8_t guest[], guest_end[], guest_msi[], guest_line[], guest_pit[], ap[], ap_end[];

struct fixture {
	struct accel *a;
	uint8_t *ram;
	uint32_t report[8];
	char text[16];
	unsigned text_len;
	uint64_t mmio;
	_Atomic unsigned ready, reads, lost, shutdowns, failures, inside;
	char why[512];
};

static void on_pio(void *opaque, uint16_t port, bool write, uint8_t *data, unsigned size,
		   unsigned count)
{
	struct fixture *f = opaque;
	uint32_t v = 0;

	f->inside++;
	memcpy(&v, data, size);
	if (port == 0x510 && !write)
		put_le32(data, ++f->reads);
	else if (port == 0x511)
		f->lost++;
	else if (port == 0x507)
		f->ready++;
	else if (port == 0x500 && f->report[0])
		for (unsigned i = 0; i < size * count && f->text_len < 15; i++)
			f->text[f->text_len++] = (char)data[i];
	else if (port >= 0x500 && port < 0x508)
		f->report[port - 0x500] = v;
	f->inside--;
}

static void on_mmio(void *opaque, uint64_t gpa, bool write, uint8_t *data, unsigned len)
{
	struct fixture *f = opaque;

	f->inside++;
	if (write && gpa == 0xd0000000 && len == 8)
		f->mmio = get_le64(data);
	else if (!write && gpa == 0xd0000008 && len == 4)
		put_le32(data, 0xcafef00d);
	f->inside--;
}

static void on_event(void *opaque, enum accel_event ev, const char *text)
{
	struct fixture *f = opaque;

	if (ev == ACCEL_SHUTDOWN) {
		f->shutdowns++;
		return;
	}
	snprintf(f->why, sizeof(f->why), "%s", text);
	f->failures++;
}

static uint32_t counter(const struct fixture *f, unsigned i)
{
	return *(volatile uint32_t *)(f->ram + DATA + 4 * (size_t)i);
}

/* Waits for a condition, which only the guest can make true. */
#define AWAIT(f, cond)                                                                             \
	do {                                                                                       \
		for (int i_ = 0; i_ < 2000 && !(cond) && !(f)->failures; i_++)                     \
			usleep(5000);                                                              \
		if ((f)->failures)                                                                 \
			fail_msg("%s", (f)->why);                                                  \
		assert_true(cond);                                                                 \
	} while (0)

static void gate(struct fixture *f, unsigned vector, const uint8_t *handler)
{
	uint32_t at = CODE + (uint32_t)(handler - guest);
	uint8_t *d = f->ram + IDT + 16 * (size_t)vector;

	put_le64(d, (at & 0xffff) | 0x10u << 16 | 0x8e00ull << 32 | (uint64_t)(at >> 16) << 48);
	put_le64(d + 8, 0);
}

static void load(struct fixture *f)
{
	memset(f->ram, 0, 0x20000);
	put_le64(f->ram + PML4, (PML4 + 0x1000) | 3);
	for (unsigned i = 0; i < 4; i++)
		put_le64(f->ram + PML4 + 0x1000 + 8 * (size_t)i, (PML4 + 0x2000 + 0x1000 * i) | 3);
	for (uint64_t i = 0; i < 2048; i++)
		put_le64(f->ram + PML4 + 0x2000 + 8 * i, i << 21 | 0x83);
	put_le64(f->ram + GDT + 0x10, 0x00af9b000000ffffull);
	put_le64(f->ram + GDT + 0x18, 0x00cf93000000ffffull);
	gate(f, 0x41, guest_msi);
	gate(f, 0x42, guest_line);
	gate(f, 0x43, guest_pit);
	memcpy(f->ram + CODE, guest, (size_t)(guest_end - guest));
	memcpy(f->ram + AP, ap, (size_t)(ap_end - ap));
	memset(f->report, 0, sizeof(f->report));
	memset(f->text, 0, sizeof(f->text));
	f->text_len = 0;
	f->mmio = 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct accel_conf c = {
		.vcpus = 2,
		.host = {.opaque = f, .pio = on_pio, .mmio = on_mmio, .event = on_event}};
	struct err e = {0};

	f->a = accel_open("kvm", &c, &e);
	if (!f->a || mem_add(&f->a->mem, 0, 16 << 20, &e) < 0 || f->a->ops->map(f->a, &e) < 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	f->ram = mem_ptr(&f->a->mem, 0, 16 << 20);
	load(f);
	f->a->boot = (struct accel_boot){.set = true,
					 .rip = CODE,
					 .rsi = 0x55aa1234,
					 .rsp = 0x20000,
					 .cr3 = PML4,
					 .gdt = GDT,
					 .gdt_limit = 0x1f};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	accel_close(f->a);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	struct err e = {0};

	if (f->a->ops->start(f->a, &e) < 0)
		fail_msg("%s", e.text);
}

/* What the guest says of itself at each start. */
static void check_reports(struct fixture *f)
{
	assert_int_equal(f->report[0], 0x12);
	assert_int_equal(f->report[1], 0x3456);
	assert_int_equal(f->report[2], 0x55aa1234);
	assert_string_equal(f->text, "hello");
	assert_int_equal(f->mmio, 0x1122334455667788);
	assert_int_equal(f->report[3], 0xcafef00d);
	assert_true(f->report[4] & 1u << 31);	 /* hypervisor */
	assert_true(f->report[4] & 1u << 21);	 /* x2APIC */
	assert_false(f->report[4] & 1u << 5);	 /* no VMX */
	assert_int_equal(f->report[5] >> 24, 0); /* APIC id */
	assert_int_equal(f->report[5] >> 16 & 0xff, 2);
	assert_int_equal(f->report[6], 2); /* CPUs in the package */
}

static bool rung(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t n;

	return poll(&p, 1, 10000) == 1 && read(fd, &n, sizeof(n)) == sizeof(n);
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void test_boot(void **state)
{
	struct fixture *f = *state;

	start(f);
	AWAIT(f, f->ready == 1);
	check_reports(f);
	AWAIT(f, counter(f, AP_ALIVE) == 1);
	AWAIT(f, counter(f, AP_COUNT) > 1000);
	AWAIT(f, counter(f, PIT_COUNT) >= 3);
	AWAIT(f, f->reads > 100);
	assert_int_equal(f->lost, 0);
}

static void test_interrupts(void **state)
{
	struct fixture *f = *state;
	const struct accel_ops *o = f->a->ops;
	int irq = eventfd(0, EFD_CLOEXEC), port = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int mem = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);
	struct err e = {0};
	int h[20];

	assert_int_equal(o->ioeventfd(f->a, true, true, 0x520, 2, true, 7, port), 0);
	assert_int_equal(o->ioeventfd(f->a, true, true, 0x520, 2, true, 8, other), 0);
	assert_int_equal(o->ioeventfd(f->a, true, false, 0xd0001000, 0, false, 0, mem), 0);
	start(f);
	AWAIT(f, f->ready == 1);
	h[0] = o->irqfd_add(f->a, irq, 0xfee00000, 0x42, &e);
	assert_true(h[0] >= 0);
	assert_int_equal(o->irqfd_update(f->a, h[0], 0xfee00000, 0x41), 0);
	signal_fd(irq);
	AWAIT(f, counter(f, MSI_COUNT) == 1);
	assert_true(rung(port));
	assert_true(rung(mem));
	uint64_t n;

	assert_int_equal(read(other, &n, sizeof(n)), -1);
	/* The same by hand, and a line; the tables grow past their first size. */
	accel_msi(f->a, 0xfee00000, 0x41);
	AWAIT(f, counter(f, MSI_COUNT) == 2);
	accel_irq(f->a, 10, true);
	AWAIT(f, counter(f, LINE_COUNT) == 1);
	accel_irq(f->a, 10, false);
	for (unsigned i = 1; i < ARRAY_SIZE(h); i++) {
		int fd = eventfd(0, EFD_CLOEXEC);

		h[i] = o->irqfd_add(f->a, fd, 0xfee00000, 0x41, &e);
		assert_true(h[i] > h[i - 1]);
		signal_fd(fd);
		AWAIT(f, counter(f, MSI_COUNT) == 2 + i);
		close(fd);
	}
	/* Lines still reach the guest through the table that was set. */
	accel_irq(f->a, 10, true);
	AWAIT(f, counter(f, LINE_COUNT) == 2);
	accel_irq(f->a, 10, false);
	o->irqfd_del(f->a, h[0]);
	assert_int_equal(o->irqfd_update(f->a, h[0], 0xfee00000, 0x41), -EINVAL);
	assert_int_equal(o->irqfd_update(f->a, 12345, 0xfee00000, 0x41), -EINVAL);
	o->irqfd_del(f->a, -1);
	uint32_t was = counter(f, MSI_COUNT);

	signal_fd(irq);
	usleep(20000);
	assert_int_equal(counter(f, MSI_COUNT), was);
	assert_int_equal(o->irqfd_add(f->a, irq, 0xfee00000, 0x41, &e), h[0]);
	AWAIT(f, counter(f, MSI_COUNT) == was + 1); /* the signal was still there */
	assert_int_equal(o->ioeventfd(f->a, false, true, 0x520, 2, true, 7, port), 0);
	assert_true(o->ioeventfd(f->a, false, true, 0x520, 2, true, 7, port) < 0);
	close(irq);
	close(port);
	close(mem);
	close(other);
}

static void test_pause(void **state)
{
	struct fixture *f = *state;
	const struct accel_ops *o = f->a->ops;

	o->pause(f->a); /* before the start: threads begin at the gate */
	start(f);
	usleep(20000);
	assert_int_equal(f->ready, 0);
	o->resume(f->a);
	AWAIT(f, f->ready == 1);
	AWAIT(f, counter(f, AP_ALIVE) == 1);
	for (unsigned i = 0; i < 100; i++) {
		usleep(i * 37 % 1000);
		o->pause(f->a);
		assert_int_equal(f->inside, 0);
		unsigned reads = f->reads;
		uint32_t count = counter(f, AP_COUNT);

		usleep(100);
		assert_int_equal(f->reads, reads);
		assert_int_equal(counter(f, AP_COUNT), count);
		o->resume(f->a);
		if (i % 10 == 0)
			AWAIT(f, f->reads > reads && counter(f, AP_COUNT) != count);
	}
	assert_int_equal(f->lost, 0);
}

static void reset(struct fixture *f)
{
	struct err e = {0};

	f->a->ops->pause(f->a);
	load(f);
	if (f->a->ops->reset(f->a, &e) < 0)
		fail_msg("%s", e.text);
	f->a->ops->resume(f->a);
}

static void test_reset(void **state)
{
	struct fixture *f = *state;

	start(f);
	AWAIT(f, f->ready == 1);
	AWAIT(f, counter(f, AP_ALIVE) == 1);
	/* Of its own accord: a triple fault stops that CPU and is told once. */
	put_le32(f->ram + DATA + 4 * COMMAND, 1);
	AWAIT(f, f->shutdowns == 1);
	usleep(20000);
	assert_int_equal(f->shutdowns, 1);
	for (unsigned i = 2; i < 8; i++) {
		reset(f); /* the later ones from outside, at any point */
		AWAIT(f, f->ready == i);
		check_reports(f);
		AWAIT(f, counter(f, AP_ALIVE) == 1);
		AWAIT(f, counter(f, PIT_COUNT) >= 2);
		accel_msi(f->a, 0xfee00000, 0x41);
		AWAIT(f, counter(f, MSI_COUNT) == 1);
	}
	/* A CPU that has not been started, or is being started, is reset as well. */
	for (unsigned i = 0; i < 20; i++) {
		usleep(i * 100);
		reset(f);
	}
	unsigned ready = f->ready;

	reset(f);
	AWAIT(f, f->ready > ready && counter(f, AP_ALIVE) == 1);
	assert_int_equal(f->lost, 0);
}

/* Without direct boot the first CPU starts at F000:FFF0, which reads as nothing here. */
static void test_reset_vector(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	f->a->boot.set = false;
	/* F000:FFF0 is FFFFFFF0h at power-on: map the top 64 KiB. */
	assert_int_equal(mem_add(&f->a->mem, 0xffff0000, 0x10000, &e), 0);
	uint8_t *rom = mem_ptr(&f->a->mem, 0xffff0000, 0x10000);
	/* mov $0x507, %dx; out %al, %dx; hlt; jmp -3 */
	static const uint8_t code[] = {0xba, 0x07, 0x05, 0xee, 0xf4, 0xeb, 0xfd};

	memcpy(rom + 0xfff0, code, sizeof(code));
	assert_int_equal(f->a->ops->map(f->a, &e), 0);
	start(f);
	AWAIT(f, f->ready == 1);
	f->a->ops->pause(f->a);
	assert_int_equal(f->a->ops->reset(f->a, &e), 0);
	f->a->ops->resume(f->a);
	AWAIT(f, f->ready == 2);
}

static void test_idle(void **state)
{
	struct fixture *f = *state;
	static const uint8_t code[] = {0xfa, 0xf4, 0xeb, 0xfc}; /* cli; hlt; jmp */
	struct timespec t0, t1;

	memcpy(f->ram + CODE, code, sizeof(code));
	start(f);
	usleep(100000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
	usleep(500000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
	assert_true((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000 < 100);
	assert_int_equal(f->failures, 0);
	f->a->ops->pause(f->a); /* also reaches CPUs that sleep in the kernel */
	f->a->ops->resume(f->a);
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Opening, starting and closing leaves nothing behind; the time is told. */
static void test_start_close(void **state)
{
	unsigned before = open_fds();
	uint64_t t = clock_now(NULL);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		void *s = NULL;

		assert_int_equal(setup(&s), 0);
		struct fixture *f = s;

		start(f);
		teardown(&s);
	}
	print_message("open, start, close: %.1f ms\n", (double)(clock_now(NULL) - t) / 5e6);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_vector, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test(test_start_close),
	};
	struct err e = {0};

	if (kvm_probe(NULL, &e) < 0) {
		printf("skipped: %s\n", e.text);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
