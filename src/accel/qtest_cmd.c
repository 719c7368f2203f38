/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the qtest protocol. A line is words parted by blanks; numbers are C's (0x…,
 * 0…, decimal). Values are the guest's, which is little-endian. An access that lies wholly in
 * RAM (as CPUs see it: accel_cpu_ptr()) goes there, any other to the bus: for the commands that
 * name a width as one access of that width, for blocks in the widest aligned pieces. A line that
 * is not understood is answered by FAIL and has no effect.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accel/qtest.h"
#include "base/util.h"

#define MAX_WORDS 6

struct call {
	struct qtest *q;
	unsigned argc; /* words after the command's name */
	char **argv;
	unsigned width; /* of the command, from the table */
};

static bool number(const char *s, uint64_t *v)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*v = strtoull(s, &end, 0);
	return !*end && !errno;
}

static void fail(const struct call *c, const char *why, const char *what)
{
	/* What the client sent may be long; an answer is a line for a person. */
	qtest_send(c->q, "FAIL %s '%.64s'", why, what);
}

/* argv[i] as a number up to max; false: FAIL was sent. */
static bool arg(const struct call *c, unsigned i, uint64_t max, uint64_t *v)
{
	if (!number(c->argv[i], v)) {
		fail(c, "Not a number:", c->argv[i]);
		return false;
	}
	if (*v > max) {
		fail(c, "Number too large:", c->argv[i]);
		return false;
	}
	return true;
}

/* argv[0], argv[1] as address and size of a block. */
static bool block(const struct call *c, uint64_t max, uint64_t *addr, uint64_t *len)
{
	uint64_t end;

	if (!arg(c, 0, UINT64_MAX, addr) || !arg(c, 1, max, len))
		return false;
	if (__builtin_add_overflow(*addr, *len, &end)) {
		fail(c, "Block wraps around at", c->argv[0]);
		return false;
	}
	return true;
}

static void one_access(const struct qtest *q, uint64_t addr, bool write, uint8_t *buf, unsigned len)
{
	const struct accel_host *h = &q->a->conf.host;
	uint8_t *ram = accel_cpu_ptr(q->a, addr, len, write);

	if (!ram)
		h->mmio(h->opaque, addr, write, buf, len);
	else if (write)
		memcpy(ram, buf, len);
	else
		memcpy(buf, ram, len);
}

static void access_block(const struct qtest *q, uint64_t addr, bool write, uint8_t *buf,
			 uint64_t len)
{
	uint8_t *ram = accel_cpu_ptr(q->a, addr, len, write);

	if (ram) {
		memcpy(write ? ram : buf, write ? buf : ram, len);
		return;
	}
	while (len) {
		unsigned n = 8;

		while (n > 1 && (addr % n || n > len))
			n /= 2;
		one_access(q, addr, write, buf, n);
		addr += n;
		buf += n;
		len -= n;
	}
}

/* --- ports ---------------------------------------------------------------------------------- */

static void cmd_out(const struct call *c)
{
	const struct accel_host *h = &c->q->a->conf.host;
	uint64_t port, v;
	uint8_t data[8];

	if (!arg(c, 0, UINT16_MAX, &port) || !arg(c, 1, UINT64_MAX, &v))
		return;
	put_le64(data, v);
	h->pio(h->opaque, (uint16_t)port, true, data, c->width, 1);
	qtest_send(c->q, "OK");
}

static void cmd_in(const struct call *c)
{
	const struct accel_host *h = &c->q->a->conf.host;
	uint8_t data[8] = {0};
	uint64_t port;

	if (!arg(c, 0, UINT16_MAX, &port))
		return;
	h->pio(h->opaque, (uint16_t)port, false, data, c->width, 1);
	qtest_send(c->q, "OK 0x%04llx", (unsigned long long)get_le64(data));
}

/* --- memory --------------------------------------------------------------------------------- */

static void cmd_store(const struct call *c)
{
	uint64_t addr, v;
	uint8_t data[8];

	if (!arg(c, 0, UINT64_MAX, &addr) || !arg(c, 1, UINT64_MAX, &v))
		return;
	put_le64(data, v);
	one_access(c->q, addr, true, data, c->width);
	qtest_send(c->q, "OK");
}

static void cmd_load(const struct call *c)
{
	uint8_t data[8] = {0};
	uint64_t addr;

	if (!arg(c, 0, UINT64_MAX, &addr))
		return;
	one_access(c->q, addr, false, data, c->width);
	qtest_send(c->q, "OK 0x%016llx", (unsigned long long)get_le64(data));
}

static const char hex_digits[] = "0123456789abcdef";
static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t to_hex(const uint8_t *data, size_t len, char *s)
{
	size_t n = 0;

	s[n++] = '0';
	s[n++] = 'x';
	for (size_t i = 0; i < len; i++) {
		s[n++] = hex_digits[data[i] >> 4];
		s[n++] = hex_digits[data[i] & 15];
	}
	return n;
}

static size_t to_b64(const uint8_t *data, size_t len, char *s)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t left = (uint32_t)(len - i), v = (uint32_t)data[i] << 16;

		v |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
		v |= left > 2 ? data[i + 2] : 0;
		s[n++] = b64_digits[v >> 18];
		s[n++] = b64_digits[v >> 12 & 63];
		s[n++] = left > 1 ? b64_digits[v >> 6 & 63] : '=';
		s[n++] = left > 2 ? b64_digits[v & 63] : '=';
	}
	return n;
}

/* "OK DATA" where encode writes DATA. */
static void read_block(const struct call *c, size_t (*encode)(const uint8_t *, size_t, char *))
{
	uint64_t addr, len;
	uint8_t *data;
	char *s;
	size_t n = 3;

	if (!block(c, QTEST_MAX_DATA, &addr, &len))
		return;
	data = malloc(len + 1);
	s = malloc(2 * len + 16);
	if (data && s) {
		access_block(c->q, addr, false, data, len);
		memcpy(s, "OK ", n);
		n += encode(data, len, s + n);
		s[n++] = '\n';
		qtest_send_raw(c->q, s, n);
	} else {
		fail(c, "No memory for", c->argv[1]);
	}
	free(data);
	free(s);
}

static void cmd_read(const struct call *c)
{
	read_block(c, to_hex);
}

static void cmd_b64read(const struct call *c)
{
	read_block(c, to_b64);
}

static int hex_value(char ch)
{
	const char *p = ch ? strchr(hex_digits, ch | 0x20) : NULL;

	return p ? (int)(p - hex_digits) : -1;
}

/* Decodes in place: the output is never longer than what was read. Bytes, or -1. */
static long from_hex(char *s)
{
	size_t len = strlen(s);

	if (len < 2 || len % 2 || s[0] != '0' || (s[1] | 0x20) != 'x')
		return -1;
	for (size_t i = 2; i < len; i += 2) {
		int hi = hex_value(s[i]), lo = hex_value(s[i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		s[i / 2 - 1] = (char)(hi << 4 | lo);
	}
	return (long)(len / 2 - 1);
}

static long from_b64(char *s)
{
	size_t len = strlen(s), pad = 0, n = 0;

	if (len % 4)
		return -1;
	while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t v = 0;

		for (size_t j = i; j < i + 4; j++) {
			const char *p = s[j] ? strchr(b64_digits, s[j]) : NULL;

			if (!p && j < len - pad)
				return -1;
			v = v << 6 | (p ? (uint32_t)(p - b64_digits) : 0);
		}
		for (unsigned j = 0; j < 3; j++)
			s[n++] = (char)(v >> (16 - 8 * j));
	}
	return (long)(n - pad);
}

static void write_block(const struct call *c, long (*decode)(char *))
{
	uint64_t addr, len;
	long got;

	if (!block(c, QTEST_MAX_DATA, &addr, &len))
		return;
	got = decode(c->argv[2]);
	if (got < 0 || (uint64_t)got != len) {
		fail(c, "Data is malformed or not of size", c->argv[1]);
		return;
	}
	access_block(c->q, addr, true, (uint8_t *)c->argv[2], len);
	qtest_send(c->q, "OK");
}

static void cmd_write(const struct call *c)
{
	write_block(c, from_hex);
}

static void cmd_b64write(const struct call *c)
{
	write_block(c, from_b64);
}

static void cmd_memset(const struct call *c)
{
	uint64_t addr, len, v;
	uint8_t page[4096], *ram;

	if (!block(c, UINT64_MAX, &addr, &len) || !arg(c, 2, UINT8_MAX, &v))
		return;
	ram = accel_cpu_ptr(c->q->a, addr, len, true);
	if (ram) {
		memset(ram, (int)v, len);
	} else if (len > QTEST_MAX_DATA) {
		fail(c, "Number too large:", c->argv[1]);
		return;
	} else {
		memset(page, (int)v, sizeof(page));
		while (len) {
			uint64_t n = MIN(len, sizeof(page));

			access_block(c->q, addr, true, page, n);
			addr += n;
			len -= n;
		}
	}
	qtest_send(c->q, "OK");
}

/* --- the rest ------------------------------------------------------------------------------- */

static void cmd_endianness(const struct call *c)
{
	qtest_send(c->q, "OK little");
}

/* The path names an interrupt controller; there is one set of lines here, the GSIs. */
static void cmd_intercept(const struct call *c)
{
	pthread_mutex_lock(&c->q->lock);
	c->q->intercept = true;
	pthread_mutex_unlock(&c->q->lock);
	qtest_send(c->q, "OK");
}

static void cmd_clock_step(const struct call *c)
{
	uint64_t ns, target;

	if (!c->argc) {
		qtest_clock_next(c->q);
		return;
	}
	if (!arg(c, 0, INT64_MAX, &ns))
		return;
	if (__builtin_add_overflow(clock_now(c->q->a->conf.clock), ns, &target) ||
	    target > INT64_MAX)
		fail(c, "Number too large:", c->argv[0]);
	else
		qtest_clock_to(c->q, target);
}

static void cmd_clock_set(const struct call *c)
{
	uint64_t ns;

	if (arg(c, 0, INT64_MAX, &ns))
		qtest_clock_to(c->q, ns);
}

static const struct command {
	const char *name;
	unsigned min, max; /* words after the name */
	unsigned width;
	void (*fn)(const struct call *c);
} commands[] = {
	{"outb", 2, 2, 1, cmd_out},
	{"outw", 2, 2, 2, cmd_out},
	{"outl", 2, 2, 4, cmd_out},
	{"inb", 1, 1, 1, cmd_in},
	{"inw", 1, 1, 2, cmd_in},
	{"inl", 1, 1, 4, cmd_in},
	{"writeb", 2, 2, 1, cmd_store},
	{"writew", 2, 2, 2, cmd_store},
	{"writel", 2, 2, 4, cmd_store},
	{"writeq", 2, 2, 8, cmd_store},
	{"readb", 1, 1, 1, cmd_load},
	{"readw", 1, 1, 2, cmd_load},
	{"readl", 1, 1, 4, cmd_load},
	{"readq", 1, 1, 8, cmd_load},
	{"read", 2, 2, 0, cmd_read},
	{"write", 3, 3, 0, cmd_write},
	{"b64read", 2, 2, 0, cmd_b64read},
	{"b64write", 3, 3, 0, cmd_b64write},
	{"memset", 3, 3, 0, cmd_memset},
	{"endianness", 0, 0, 0, cmd_endianness},
	{"irq_intercept_in", 1, 1, 0, cmd_intercept},
	{"irq_intercept_out", 1, 1, 0, cmd_intercept},
	{"clock_step", 0, 1, 0, cmd_clock_step},
	{"clock_set", 1, 1, 0, cmd_clock_set},
};

void qtest_command(struct qtest *q, char *line)
{
	char *words[MAX_WORDS], *save = NULL;
	unsigned n = 0;

	for (char *w = strtok_r(line, " \t\r", &save); w; w = strtok_r(NULL, " \t\r", &save)) {
		if (n == MAX_WORDS) {
			qtest_send(q, "FAIL Too many words");
			return;
		}
		words[n++] = w;
	}
	if (!n) {
		qtest_send(q, "FAIL Empty line");
		return;
	}
	struct call c = {.q = q, .argc = n - 1, .argv = words + 1};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *cmd = &commands[i];

		if (strcmp(words[0], cmd->name) != 0)
			continue;
		if (c.argc < cmd->min || c.argc > cmd->max) {
			fail(&c, "Wrong number of words for", cmd->name);
			return;
		}
		c.width = cmd->width;
		cmd->fn(&c);
		return;
	}
	fail(&c, "Unknown command", words[0]);
}
