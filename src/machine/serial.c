/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550A UART (National PC16550D datasheet, section 8) over a chardev.
 *
 * The line is infinitely fast: a byte written is sent at once, so THR is always empty, and the
 * THRE interrupt is pending again right after a write. Bytes out are gathered and handed to the
 * chardev at the end of a line, when the buffer is full, or 2 ms after the first of them (a
 * timerfd: setting it wakes nobody), so that a line costs one system call and not one per byte.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/util.h"
#include "machine/chardev.h"
#include "machine/pc.h"

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR, REGS };

#define FIFO	     16
#define OUT	     256
#define FLUSH_NS     (2 * NS_PER_MS)
#define IER_RDA	     0x01
#define IER_THRE     0x02
#define IER_RLS	     0x04
#define IER_MSI	     0x08
#define IIR_NONE     0x01
#define IIR_THRE     0x02
#define IIR_RDA	     0x04
#define IIR_RLS	     0x06
#define IIR_TIMEOUT  0x0c
#define IIR_FIFOS    0xc0
#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB     0x80
#define MCR_LOOP     0x10
#define MCR_OUT2     0x08
#define LSR_DR	     0x01
#define LSR_OE	     0x02
#define LSR_BI	     0x10 /* the next byte is a break */
#define LSR_SENT     0x60 /* THRE and TEMT */
#define MSR_READY    0xb0 /* CTS, DSR, DCD: somebody is there */

struct serial {
	struct io_region io;
	struct bus *b;
	struct loop *control;
	struct chardev *c;
	unsigned gsi;
	uint8_t ier, fcr, lcr, mcr, scr, lsr_err, dll, dlm;
	bool thre; /* the THRE interrupt's condition is pending */
	bool irq;
	bool refused; /* the chardev has input that did not fit */
	uint8_t rx[FIFO];
	unsigned rx_head, rx_n;
	unsigned brk; /* the how manieth of rx is a break, 0: none */
	uint8_t out[OUT];
	unsigned nout;
	bool armed; /* the flush timer */
	int tfd;
	struct loop_fd w;
};

static unsigned rx_room(const struct serial *s)
{
	unsigned size = s->fcr & FCR_ENABLE ? FIFO : 1;

	return s->rx_n < size ? size - s->rx_n : 0;
}

static unsigned trigger(const struct serial *s)
{
	static const uint8_t level[4] = {1, 4, 8, 14};

	return s->fcr & FCR_ENABLE ? level[s->fcr >> 6] : 1;
}

/* The interrupt of the highest priority (datasheet, table IV). */
static uint8_t cause(const struct serial *s)
{
	if (s->ier & IER_RLS && s->lsr_err)
		return IIR_RLS;
	/* Less than the trigger level: the time-out, which on an infinitely fast line is over. */
	if (s->ier & IER_RDA && s->rx_n)
		return s->rx_n >= trigger(s) ? IIR_RDA : IIR_TIMEOUT;
	if (s->ier & IER_THRE && s->thre)
		return IIR_THRE;
	return IIR_NONE;
}

static void update_irq(struct serial *s)
{
	bool level = cause(s) != IIR_NONE;

	if (level == s->irq)
		return;
	s->irq = level;
	accel_irq(s->b->accel, s->gsi, level);
}

/* --- sending -------------------------------------------------------------------------------- */

static void flush(struct serial *s)
{
	if (s->c && s->nout)
		chardev_write(s->c, 0, s->out, s->nout);
	s->nout = 0;
}

static void on_flush(struct loop_fd *w, uint32_t events)
{
	struct serial *s = container_of(w, struct serial, w);
	uint64_t n;

	(void)events;
	if (read(s->tfd, &n, sizeof(n)) < 0)
		return;
	bus_lock(s->b);
	s->armed = false;
	flush(s);
	bus_unlock(s->b);
}

static void send(struct serial *s, uint8_t byte)
{
	static const struct itimerspec soon = {.it_value.tv_nsec = FLUSH_NS};

	s->out[s->nout++] = byte;
	if (byte == '\n' || s->nout == OUT) {
		flush(s);
		return;
	}
	if (s->armed)
		return;
	s->armed = timerfd_settime(s->tfd, 0, &soon, NULL) == 0;
	if (!s->armed)
		flush(s);
}

static void receive(struct serial *s, uint8_t byte)
{
	if (!rx_room(s)) {
		s->lsr_err |= LSR_OE;
		return;
	}
	s->rx[(s->rx_head + s->rx_n++) % FIFO] = byte;
}

/* A break is a byte 0 with a flag that shows when that byte is the next one. */
static void see_break(struct serial *s)
{
	if (s->brk == 1)
		s->lsr_err |= LSR_BI;
}

static void write_thr(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP)
		receive(s, byte);
	else
		send(s, byte);
	s->thre = true;
}

/* --- receiving ------------------------------------------------------------------------------ */

static size_t on_input(void *opaque, const unsigned char *buf, size_t len)
{
	struct serial *s = opaque;
	size_t n = 0;

	bus_lock(s->b);
	/* In loop-back mode the line is cut off: what comes waits. */
	while (n < len && rx_room(s) && !(s->mcr & MCR_LOOP))
		receive(s, buf[n++]);
	s->refused = n < len;
	update_irq(s);
	bus_unlock(s->b);
	return n;
}

static void on_break(void *opaque)
{
	struct serial *s = opaque;

	bus_lock(s->b);
	if (rx_room(s) && !(s->mcr & MCR_LOOP)) {
		receive(s, 0);
		s->brk = s->rx_n;
		see_break(s);
	}
	update_irq(s);
	bus_unlock(s->b);
}

static void maybe_ready(struct serial *s)
{
	if (!s->refused || !rx_room(s) || s->mcr & MCR_LOOP)
		return;
	s->refused = false;
	if (s->c)
		chardev_ready(s->c, 0);
}

static uint8_t read_rbr(struct serial *s)
{
	uint8_t v;

	if (!s->rx_n)
		return 0;
	v = s->rx[s->rx_head];
	s->rx_head = (s->rx_head + 1) % FIFO;
	if (s->brk) {
		s->brk--;
		see_break(s);
	}
	/* Ask for more only when the FIFO is empty: batches, not bytes. */
	if (!--s->rx_n)
		maybe_ready(s);
	return v;
}

/* --- registers ------------------------------------------------------------------------------ */

static uint8_t read_iir(struct serial *s)
{
	uint8_t v = cause(s);

	if (v == IIR_THRE)
		s->thre = false; /* reading it acknowledges */
	return v | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct serial *s)
{
	uint8_t v = LSR_SENT | s->lsr_err | (s->rx_n ? LSR_DR : 0);

	s->lsr_err = 0;
	return v;
}

static uint8_t read_msr(const struct serial *s)
{
	/* Loop-back: DTR, RTS, OUT1, OUT2 come back as DSR, CTS, RI, DCD. */
	if (s->mcr & MCR_LOOP)
		return (uint8_t)((s->mcr & 1) << 5 | (s->mcr & 2) << 3 | (s->mcr & 4) << 4 |
				 (s->mcr & 8) << 4);
	return MSR_READY;
}

static uint64_t serial_read(void *opaque, uint64_t off, unsigned size)
{
	struct serial *s = opaque;
	bool dlab = s->lcr & LCR_DLAB;
	uint8_t v = 0xff;

	(void)size;
	switch (off) {
	case RBR_THR:
		v = dlab ? s->dll : read_rbr(s);
		break;
	case IER:
		v = dlab ? s->dlm : s->ier;
		break;
	case IIR_FCR:
		v = read_iir(s);
		break;
	case LCR:
		v = s->lcr;
		break;
	case MCR:
		v = s->mcr;
		break;
	case LSR:
		v = read_lsr(s);
		break;
	case MSR:
		v = read_msr(s);
		break;
	case SCR:
		v = s->scr;
		break;
	}
	update_irq(s);
	return v;
}

static void write_fcr(struct serial *s, uint8_t v)
{
	if (v & FCR_CLEAR_RX || (v ^ s->fcr) & FCR_ENABLE)
		s->rx_n = s->brk = 0;
	s->fcr = v & (FCR_ENABLE | 0xc0);
	maybe_ready(s);
}

static void serial_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct serial *s = opaque;
	bool dlab = s->lcr & LCR_DLAB;
	uint8_t v = (uint8_t)val;

	(void)size;
	switch (off) {
	case RBR_THR:
		if (dlab)
			s->dll = v;
		else
			write_thr(s, v);
		break;
	case IER:
		if (dlab) {
			s->dlm = v;
			break;
		}
		/* Enabling THRE while THR is empty raises it (section 8.6.5). */
		if (v & IER_THRE && !(s->ier & IER_THRE))
			s->thre = true;
		s->ier = v & 0x0f;
		break;
	case IIR_FCR:
		write_fcr(s, v);
		break;
	case LCR:
		s->lcr = v;
		break;
	case MCR:
		s->mcr = v & 0x1f;
		maybe_ready(s);
		break;
	case SCR:
		s->scr = v;
		break;
	}
	update_irq(s);
}

static const struct io_ops serial_ops = {serial_read, serial_write, 1};

/* --- life ----------------------------------------------------------------------------------- */

struct serial *serial_new(struct bus *b, struct loop *control, struct chardev *c, uint16_t base,
			  unsigned gsi, struct err *e)
{
	struct serial *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		err_set(e, ENOMEM, "no memory for the serial port");
		return NULL;
	}
	s->b = b;
	s->control = control;
	s->c = c;
	s->gsi = gsi;
	s->io = (struct io_region){base, REGS, &serial_ops, s, "serial port"};
	s->dll = 12; /* 9600 Bd, as firmware leaves it */
	s->tfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	rc = s->tfd < 0 ? -errno : loop_add_fd(control, &s->w, s->tfd, EPOLLIN, on_flush);
	if (rc) {
		err_set(e, -rc, "no timer for the serial port: %s", strerror(-rc));
		goto fail;
	}
	if (bus_add(b, BUS_PIO, &s->io, e))
		goto fail;
	if (c)
		chardev_attach(
			c, 0,
			&(struct chardev_user){.input = on_input, .brk = on_break, .opaque = s});
	return s;
fail:
	s->c = NULL;
	serial_free(s);
	return NULL;
}

void serial_reset(struct serial *s)
{
	bus_lock(s->b);
	flush(s);
	s->ier = s->fcr = s->lcr = s->mcr = s->scr = s->lsr_err = s->dlm = 0;
	s->dll = 12;
	s->rx_n = s->brk = 0;
	s->thre = false;
	update_irq(s);
	maybe_ready(s);
	bus_unlock(s->b);
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	if (s->c) {
		flush(s);
		chardev_attach(s->c, 0, &(struct chardev_user){0});
	}
	bus_del(s->b, BUS_PIO, &s->io);
	loop_del_fd(s->control, &s->w);
	if (s->tfd >= 0)
		close(s->tfd);
	free(s);
}
