/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818 real-time clock and its CMOS memory at ports 0x70/0x71.
 *
 * Nothing ticks. Time is the host's wall clock plus an offset that the guest's writes make; the
 * flags of register C are worked out when somebody looks: since the last look, has a second
 * passed (UF), an alarm matched (AF), a period ended (PF)? A timer is armed only for an interrupt
 * that is enabled, and not again until the guest has read register C, so that a clock nobody uses
 * wakes nobody. Times are UTC. The periodic rate is as fine as the control loop's timers: 1 ms.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/util.h"
#include "machine/pc.h"

enum {
	RTC_SEC,
	RTC_SEC_ALARM,
	RTC_MIN,
	RTC_MIN_ALARM,
	RTC_HOUR,
	RTC_HOUR_ALARM,
	RTC_WDAY,
	RTC_MDAY,
	RTC_MONTH,
	RTC_YEAR,
	RTC_A,
	RTC_B,
	RTC_C,
	RTC_D,
	RTC_CENTURY = 0x32, /* named by the FADT */
};

#define A_UIP	  0x80
#define A_DIVIDER 0x20 /* 32.768 kHz time base, running */
#define A_RATE	  0x0f
#define B_SET	  0x80
#define B_PIE	  0x40
#define B_AIE	  0x20
#define B_UIE	  0x10
#define B_BINARY  0x04
#define B_24H	  0x02
#define C_IRQF	  0x80
#define C_PF	  0x40
#define C_AF	  0x20
#define C_UF	  0x10
#define D_VALID	  0x80
#define HOUR_PM	  0x80
#define ALARM_ANY 0xc0	 /* both top bits set: matches always */
#define UIP_NS	  244000 /* how long before the update UIP is seen */
#define DAY	  86400
#define LAST	  16725225600 /* the year 2500 */

struct rtc {
	struct io_region io;
	struct bus *b;
	struct deadline timer;
	const struct clock *clock;
	uint64_t offset; /* ns, modulo 2^64: wall clock of the guest minus that of `wall` */
	uint64_t boot;	 /* virtual clock: the wall time, ns, of its zero */
	uint64_t looked; /* guest wall time of the last look at the flags, ns */
	uint8_t index;
	uint8_t ram[128]; /* time registers only while B_SET is on */
	bool irq;
};

/* --- time ----------------------------------------------------------------------------------- */

static uint64_t host_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* ns since 1970 as the guest sees it. */
static uint64_t wall(const struct rtc *r)
{
	bool virt = r->clock && r->clock->is_virtual;
	uint64_t t = virt ? r->boot + clock_now(r->clock) : host_wall();

	return t + r->offset;
}

static uint8_t encode(const struct rtc *r, unsigned v)
{
	return (uint8_t)(r->ram[RTC_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static unsigned decode(const struct rtc *r, uint8_t v)
{
	return r->ram[RTC_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15u);
}

static uint8_t encode_hour(const struct rtc *r, unsigned h)
{
	if (r->ram[RTC_B] & B_24H)
		return encode(r, h);
	return encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct rtc *r, uint8_t v)
{
	if (r->ram[RTC_B] & B_24H)
		return decode(r, v);
	return decode(r, v & 0x7f) % 12 + (v & HOUR_PM ? 12 : 0);
}

static uint8_t time_reg(const struct rtc *r, unsigned reg, uint64_t ns)
{
	time_t s = (time_t)(ns / NS_PER_S);
	struct tm tm;

	gmtime_r(&s, &tm);
	switch (reg) {
	case RTC_SEC:
		return encode(r, (unsigned)tm.tm_sec);
	case RTC_MIN:
		return encode(r, (unsigned)tm.tm_min);
	case RTC_HOUR:
		return encode_hour(r, (unsigned)tm.tm_hour);
	case RTC_WDAY:
		return encode(r, (unsigned)tm.tm_wday + 1);
	case RTC_MDAY:
		return encode(r, (unsigned)tm.tm_mday);
	case RTC_MONTH:
		return encode(r, (unsigned)tm.tm_mon + 1);
	case RTC_YEAR:
		return encode(r, (unsigned)tm.tm_year % 100);
	default:
		return encode(r, ((unsigned)tm.tm_year + 1900) / 100 % 100);
	}
}

static bool is_time(unsigned reg)
{
	return reg == RTC_SEC || reg == RTC_MIN || reg == RTC_HOUR ||
	       (reg >= RTC_WDAY && reg <= RTC_YEAR) || reg == RTC_CENTURY;
}

static void freeze(struct rtc *r)
{
	uint64_t now = wall(r);

	for (unsigned i = 0; i < sizeof(r->ram); i++)
		if (is_time(i))
			r->ram[i] = time_reg(r, i, now);
}

/* The guest has set the time: what the registers say is now. Nonsense is normalised. */
static void thaw(struct rtc *r)
{
	struct tm tm = {
		.tm_sec = (int)decode(r, r->ram[RTC_SEC]),
		.tm_min = (int)decode(r, r->ram[RTC_MIN]),
		.tm_hour = (int)decode_hour(r, r->ram[RTC_HOUR]),
		.tm_mday = (int)decode(r, r->ram[RTC_MDAY]),
		.tm_mon = (int)decode(r, r->ram[RTC_MONTH]) - 1,
		.tm_year =
			(int)(decode(r, r->ram[RTC_CENTURY]) * 100 + decode(r, r->ram[RTC_YEAR])) -
			1900,
	};
	time_t s = timegm(&tm);

	/* Before 1970: a clock that was never set. After LAST: beyond 64 bits of ns. */
	s = s < 0 ? 0 : MIN(s, LAST);
	r->offset += (uint64_t)s * NS_PER_S - wall(r);
	r->looked = (uint64_t)s * NS_PER_S;
}

/* --- flags and interrupts ------------------------------------------------------------------- */

/* Period in ns; 0: off (datasheet, table 5). */
static uint64_t period(const struct rtc *r)
{
	unsigned rate = r->ram[RTC_A] & A_RATE;

	if (!rate)
		return 0;
	if (rate < 3)
		rate += 7;
	return NS_PER_S * (1ull << (rate - 1)) / 32768;
}

static bool field_matches(const struct rtc *r, unsigned reg, unsigned v)
{
	uint8_t a = r->ram[reg];

	if ((a & ALARM_ANY) == ALARM_ANY)
		return true;
	return (reg == RTC_HOUR_ALARM ? decode_hour(r, a) : decode(r, a)) == v;
}

/* The first second after `from` at which the alarm matches, or 0 for none: the alarm has no date,
 * so a day holds all there is. */
static uint64_t next_alarm(const struct rtc *r, uint64_t from)
{
	uint64_t s = from + 1, end = s + DAY;

	while (s < end) {
		unsigned t = (unsigned)(s % DAY);

		if (!field_matches(r, RTC_HOUR_ALARM, t / 3600))
			s += 3600 - t % 3600;
		else if (!field_matches(r, RTC_MIN_ALARM, t / 60 % 60))
			s += 60 - t % 60;
		else if (!field_matches(r, RTC_SEC_ALARM, t % 60))
			s++;
		else
			return s;
	}
	return 0;
}

static void look(struct rtc *r)
{
	uint64_t now = wall(r), was = r->looked, p = period(r);

	/* The host's clock was set back: start from there. */
	r->looked = now;
	if (now <= was || r->ram[RTC_B] & B_SET)
		return;
	if (now / NS_PER_S != was / NS_PER_S) {
		uint64_t alarm = next_alarm(r, was / NS_PER_S);

		r->ram[RTC_C] |= C_UF;
		if (alarm && alarm <= now / NS_PER_S)
			r->ram[RTC_C] |= C_AF;
	}
	if (p && now / p != was / p)
		r->ram[RTC_C] |= C_PF;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* When the next enabled interrupt comes, guest wall time; 0: never. */
static uint64_t next_event(const struct rtc *r)
{
	uint8_t b = r->ram[RTC_B];
	uint64_t now = r->looked, when = 0, p = period(r);

	if (b & B_PIE && p)
		when = (now / p + 1) * p;
	if (b & B_SET)
		return when;
	if (b & B_UIE)
		when = sooner(when, (now / NS_PER_S + 1) * NS_PER_S);
	if (b & B_AIE)
		when = sooner(when, next_alarm(r, now / NS_PER_S) * NS_PER_S);
	return when;
}

static void update(struct rtc *r)
{
	uint8_t enabled = r->ram[RTC_B] & (B_PIE | B_AIE | B_UIE);
	bool level = r->ram[RTC_C] & enabled;
	uint64_t when = 0;

	r->ram[RTC_C] = (uint8_t)((r->ram[RTC_C] & ~C_IRQF) | (level ? C_IRQF : 0));
	if (!level && enabled)
		when = next_event(r);
	if (when)
		when = clock_now(r->clock) + (when > r->looked ? when - r->looked : 0);
	deadline_set(&r->timer, when);
	if (level == r->irq)
		return;
	r->irq = level;
	accel_irq(r->b->accel, PC_IRQ_RTC, level);
}

static void on_timer(struct deadline *d)
{
	struct rtc *r = container_of(d, struct rtc, timer);

	bus_lock(r->b);
	look(r);
	update(r);
	bus_unlock(r->b);
}

/* --- registers ------------------------------------------------------------------------------ */

static uint8_t read_a(const struct rtc *r)
{
	bool soon = wall(r) % NS_PER_S >= NS_PER_S - UIP_NS;

	return r->ram[RTC_A] | (soon && !(r->ram[RTC_B] & B_SET) ? A_UIP : 0);
}

static uint8_t read_c(struct rtc *r)
{
	uint8_t v;

	look(r);
	update(r);
	v = r->ram[RTC_C];
	r->ram[RTC_C] = 0;
	update(r);
	return v;
}

static uint64_t rtc_read(void *opaque, uint64_t off, unsigned size)
{
	struct rtc *r = opaque;
	unsigned reg = r->index;

	(void)size;
	if (off == 0)
		return 0xff; /* the index is write-only */
	if (reg == RTC_A)
		return read_a(r);
	if (reg == RTC_C)
		return read_c(r);
	if (is_time(reg) && !(r->ram[RTC_B] & B_SET))
		return time_reg(r, reg, wall(r));
	return r->ram[reg];
}

static void write_b(struct rtc *r, uint8_t v)
{
	bool was = r->ram[RTC_B] & B_SET;

	look(r);
	if (v & B_SET && !was)
		freeze(r);
	/* SET stops update interrupts (datasheet, register B). */
	r->ram[RTC_B] = v & B_SET ? v & (uint8_t)~B_UIE : v;
	if (!(v & B_SET) && was)
		thaw(r);
}

static void rtc_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct rtc *r = opaque;
	uint8_t v = (uint8_t)val;

	(void)size;
	if (off == 0) {
		r->index = v & 0x7f; /* bit 7 gates the NMI */
		return;
	}
	if (r->index == RTC_C || r->index == RTC_D)
		return;
	if (r->index == RTC_B) {
		write_b(r, v);
	} else if (r->index == RTC_A) {
		look(r);
		r->ram[RTC_A] = v & (uint8_t)~A_UIP;
	} else if (is_time(r->index) && !(r->ram[RTC_B] & B_SET)) {
		/* Set while running: the other registers stay as they are now. */
		freeze(r);
		r->ram[r->index] = v;
		thaw(r);
	} else {
		r->ram[r->index] = v;
	}
	if (r->index <= RTC_B)
		update(r);
}

static const struct io_ops rtc_ops = {rtc_read, rtc_write, 1};

/* --- life ----------------------------------------------------------------------------------- */

/* Memory above 1 MiB, 16 MiB and 4 GiB, as firmware of this kind of PC reads it. */
static void put_sizes(struct rtc *r, uint64_t ram)
{
	uint64_t low = MIN(ram, PC_LOW_RAM_END), high = ram - low;
	uint64_t ext = low > 1 << 20 ? (low - (1 << 20)) >> 10 : 0;
	uint64_t ext16 = low > 16 << 20 ? (low - (16 << 20)) >> 16 : 0;

	put_le16(r->ram + 0x15, 640);
	put_le16(r->ram + 0x17, (uint16_t)MIN(ext, 0xffffu));
	put_le16(r->ram + 0x30, (uint16_t)MIN(ext, 0xffffu));
	put_le16(r->ram + 0x34, (uint16_t)MIN(ext16, 0xffffu));
	put_le16(r->ram + 0x5b, (uint16_t)(high >> 16));
	r->ram[0x5d] = (uint8_t)(high >> 32);
}

struct rtc *rtc_new(struct bus *b, struct loop *control, const struct clock *clock, uint64_t ram,
		    struct err *e)
{
	struct rtc *r = calloc(1, sizeof(*r));

	if (!r) {
		err_set(e, ENOMEM, "no memory for the clock");
		return NULL;
	}
	r->b = b;
	r->clock = clock;
	r->boot = host_wall() - (clock && clock->is_virtual ? clock_now(clock) : 0);
	r->io = (struct io_region){0x70, 2, &rtc_ops, r, "real-time clock"};
	put_sizes(r, ram);
	r->ram[RTC_A] = A_DIVIDER | 6; /* 1.024 kHz */
	r->ram[RTC_B] = B_24H;
	r->ram[RTC_D] = D_VALID;
	r->looked = wall(r);
	if (deadline_init(&r->timer, control, on_timer, e) || bus_add(b, BUS_PIO, &r->io, e)) {
		rtc_free(r);
		return NULL;
	}
	return r;
}

void rtc_shift(struct rtc *r, int64_t s)
{
	bus_lock(r->b);
	r->offset += (uint64_t)s * NS_PER_S;
	r->looked = wall(r);
	bus_unlock(r->b);
}

void rtc_reset(struct rtc *r)
{
	bus_lock(r->b);
	/* The battery keeps time and memory; a reset clears the enables (datasheet, RESET). */
	if (r->ram[RTC_B] & B_SET)
		thaw(r);
	r->ram[RTC_B] &= B_BINARY | B_24H;
	r->ram[RTC_C] = 0;
	r->index = 0;
	update(r);
	bus_unlock(r->b);
}

void rtc_set(struct rtc *r, uint8_t at, uint8_t v)
{
	bus_lock(r->b);
	r->ram[at & 0x7f] = v;
	bus_unlock(r->b);
}

void rtc_free(struct rtc *r)
{
	if (!r)
		return;
	bus_del(r->b, BUS_PIO, &r->io);
	deadline_exit(&r->timer);
	free(r);
}
